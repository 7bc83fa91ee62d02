//! Between the protocols' signed statements and the store's: what was signed is stored as the bytes that were signed.

use serde::de::DeserializeOwned;
use shardwire_model::life::HistoryEntry;
use shardwire_protocols::{Signed, Statement};
use shardwire_store::{
    StoreError,
    records::{SignedBytes, SignedEntry},
};
use shardwire_transport::PeerSignature;

/// A signed statement, as it is stored.
pub fn stored<T: Statement>(signed: &Signed<T>) -> SignedBytes {
    SignedBytes { statement: signed.statement.canonical(), signature: signed.signature.0.to_vec() }
}

/// An entry of a history as it is stored, with the form that it was signed in.
pub fn stored_entry(entry: &Signed<HistoryEntry>) -> SignedEntry {
    SignedEntry { form: entry.statement.form, signed: stored(entry) }
}

/// A stored entry of a history.
///
/// # Errors
/// [`StoreError::Damaged`] if it is none.
pub fn read_entry(stored: &SignedEntry) -> Result<Signed<HistoryEntry>, StoreError> {
    let SignedEntry { form, signed } = stored;
    let damaged = || StoreError::Damaged(format!("a '{}' can't be read", form.context()));
    let statement = HistoryEntry::from_statement(*form, &signed.statement).ok_or_else(damaged)?;
    Ok(Signed { statement, signature: signature(signed).ok_or_else(damaged)? })
}

fn signature(stored: &SignedBytes) -> Option<PeerSignature> {
    stored.signature.as_slice().try_into().ok().map(PeerSignature)
}

/// What is stored, as the protocols read it.
///
/// # Errors
/// [`StoreError::Damaged`] if it is no such statement.
pub fn read<T: Statement + DeserializeOwned>(stored: &SignedBytes) -> Result<Signed<T>, StoreError> {
    let damaged = || StoreError::Damaged(format!("a '{}' can't be read", T::CONTEXT));
    let statement = postcard::from_bytes(&stored.statement).map_err(|_| damaged())?;
    Ok(Signed { statement, signature: signature(stored).ok_or_else(damaged)? })
}

#[cfg(test)]
mod tests {
    use super::*;
    use shardwire_model::{Coded as _, Hash, PeerId, Timestamp};
    use shardwire_protocols::trace::{Lease, LeaseTerms};
    use shardwire_transport::Identity;

    #[test]
    fn what_is_read_back_still_verifies_and_what_is_none_is_damage() {
        let signer = Identity::from_secret(&[1; 32]);
        let terms = LeaseTerms { job: Hash::of(b"job"), epoch: 7, expires: Timestamp(9), prover: PeerId([2; 32]) };
        let lease = Lease::by(&signer, terms);
        let kept = stored(&lease);
        let back: Lease = read(&kept).unwrap();
        assert_eq!(back, lease);
        assert!(back.verify(&signer.peer()).is_ok());

        for broken in
            [SignedBytes { statement: vec![1], ..kept.clone() }, SignedBytes { signature: vec![0; 63], ..kept }]
        {
            let error = read::<LeaseTerms>(&broken).unwrap_err();
            assert_eq!(error.code(), "SW-STORE-004");
            assert!(error.to_string().ends_with("a 'shardwire trace lease 1' can't be read"), "{error}");
        }
    }
}

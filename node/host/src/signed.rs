//! Between the protocols' signed statements and the store's: what was signed is stored as the bytes that were signed.

use serde::de::DeserializeOwned;
use shardwire_protocols::{Signed, Statement};
use shardwire_store::{StoreError, records::SignedBytes};
use shardwire_transport::PeerSignature;

/// As it is stored.
pub fn stored<T: Statement>(signed: &Signed<T>) -> SignedBytes {
    // Plain structs, which postcard always encodes: what is signed is the same encoding.
    let statement = postcard::to_allocvec(&signed.statement).unwrap_or_default();
    SignedBytes { statement, signature: signed.signature.0.to_vec() }
}

/// What is stored, as the protocols read it.
///
/// # Errors
/// [`StoreError::Damaged`] if it is no such statement.
pub fn read<T: Statement + DeserializeOwned>(stored: &SignedBytes) -> Result<Signed<T>, StoreError> {
    let damaged = || StoreError::Damaged(format!("a '{}' can't be read", T::CONTEXT));
    let statement = postcard::from_bytes(&stored.statement).map_err(|_| damaged())?;
    let signature = stored.signature.as_slice().try_into().map_err(|_| damaged())?;
    Ok(Signed { statement, signature: PeerSignature(signature) })
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

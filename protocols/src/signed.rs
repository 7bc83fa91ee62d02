//! Statements that a peer signs, so that their holder can show them to others: leases, acceptances, receipts, disputes.
//!
//! The signature is ed25519 by the peer's identity over the statement's postcard encoding, under the context that names its
//! kind: a signature given for one kind of statement is worth nothing for another. Postcard has one encoding for each value
//! of these types (no maps, no floats, no optional fields), so who decodes and encodes again verifies the same bytes.

use serde::{Deserialize, Serialize};
use shardwire_model::{Coded, PeerId};
use shardwire_transport::{Identity, PeerKey, PeerSignature};

/// What can be signed.
pub trait Statement: Serialize {
    /// The name of its kind, for ever: `shardwire <protocol> <statement> <version>`.
    const CONTEXT: &'static str;

    /// The name of the kind that this statement was signed as: an older one, if it is kept from then.
    fn context(&self) -> &'static str {
        Self::CONTEXT
    }

    /// The bytes that are signed.
    fn canonical(&self) -> Vec<u8> {
        // Statements are plain structs, which postcard always encodes. Were one ever not to be, it would be signed as the empty text,
        // which no other statement is.
        postcard::to_allocvec(self).unwrap_or_default()
    }
}

/// A statement and a peer's signature over it. Whose it is, is known from elsewhere (the session's peer, the shard's operator):
/// [`verify`](Self::verify) says whether that peer made it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Signed<T> {
    /// What is stated. Believe it after [`verify`](Self::verify).
    pub statement: T,
    /// By the peer that states it.
    pub signature: PeerSignature,
}

/// A signature that isn't the named peer's over this statement.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the signature on the '{context}' is not by peer {signer}")]
pub struct Forged {
    /// The kind of the statement.
    pub context: &'static str,
    /// Who should have signed.
    pub signer: PeerId,
}

impl Coded for Forged {
    fn code(&self) -> &'static str {
        "SW-SIGNED-001"
    }

    fn next_step(&self) -> String {
        "Don't rely on the statement; remove the peer that sent it from the configuration.".into()
    }
}

impl<T: Statement> Signed<T> {
    /// Signs a statement.
    #[must_use]
    pub fn by(identity: &Identity, statement: T) -> Self {
        let signature = identity.sign(statement.context(), &statement.canonical());
        Self { statement, signature }
    }

    /// The statement, if `signer` signed it.
    ///
    /// # Errors
    /// [`Forged`] if the signer didn't sign it.
    pub fn verify(&self, signer: &PeerId) -> Result<&T, Forged> {
        self.verify_with(&PeerKey::of(*signer))
    }

    /// The statement, if the peer of this key signed it: for a caller that has many of one peer.
    ///
    /// # Errors
    /// [`Forged`] if that peer didn't sign it.
    pub fn verify_with(&self, signer: &PeerKey) -> Result<&T, Forged> {
        let context = self.statement.context();
        if signer.verifies(context, &self.statement.canonical(), &self.signature) {
            Ok(&self.statement)
        } else {
            Err(Forged { context, signer: signer.peer() })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::identity;

    #[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
    struct Promise(u32);
    impl Statement for Promise {
        const CONTEXT: &'static str = "test promise";
    }

    #[derive(Serialize)]
    struct Threat(u32);
    impl Statement for Threat {
        const CONTEXT: &'static str = "test threat";
    }

    #[test]
    fn only_the_signer_the_statement_and_its_kind_verify() {
        let (alice, bob) = (identity(1), identity(2));
        let promise = Signed::by(&alice, Promise(5));
        assert_eq!(promise.verify(&alice.peer()), Ok(&Promise(5)));
        let forged = promise.verify(&bob.peer()).unwrap_err();
        assert_eq!(forged.to_string(), format!("the signature on the 'test promise' is not by peer {}", bob.peer()));
        assert_eq!(forged.code(), "SW-SIGNED-001");
        assert!(forged.next_step().contains("Don't rely on the statement"));

        let other = Signed { statement: Promise(6), signature: promise.signature };
        assert!(other.verify(&alice.peer()).is_err());
        let other_kind = Signed { statement: Threat(5), signature: promise.signature };
        assert!(other_kind.verify(&alice.peer()).is_err());
    }

    #[test]
    fn a_signed_statement_survives_the_wire_and_json() {
        let promise = Signed::by(&identity(1), Promise(5));
        let bytes = postcard::to_allocvec(&promise).unwrap();
        assert_eq!(bytes.len(), 1 + 64);
        assert_eq!(postcard::from_bytes::<Signed<Promise>>(&bytes).unwrap(), promise);
        let json = serde_json::to_string(&promise).unwrap();
        assert_eq!(serde_json::from_str::<Signed<Promise>>(&json).unwrap(), promise);
    }
}

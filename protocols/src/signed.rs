//! Statements that a peer signs, so that whoever holds one can show it to others: leases, acceptances, receipts, disputes.
//!
//! The signature is ed25519 by the peer's identity over the statement's postcard encoding, under the context that names its
//! kind: a signature given for one kind of statement is worth nothing for another. Postcard has one encoding for each value
//! of these types (no maps, no floats, no optional fields), so who decodes and encodes again verifies the same bytes.

use serde::{Deserialize, Serialize};
use shardwire_model::{Coded, PeerId};
use shardwire_transport::{Identity, PeerSignature, identity::verify};

/// What can be signed.
pub trait Statement: Serialize {
    /// The name of its kind, for ever: `shardwire <protocol> <statement> <version>`.
    const CONTEXT: &'static str;
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
        let signature = identity.sign(T::CONTEXT, &canonical(&statement));
        Self { statement, signature }
    }

    /// The statement, if `signer` signed it.
    ///
    /// # Errors
    /// If not.
    pub fn verify(&self, signer: &PeerId) -> Result<&T, Forged> {
        if verify(signer, T::CONTEXT, &canonical(&self.statement), &self.signature) {
            Ok(&self.statement)
        } else {
            Err(Forged { context: T::CONTEXT, signer: *signer })
        }
    }
}

fn canonical<T: Statement>(statement: &T) -> Vec<u8> {
    // Statements are plain structs, which postcard always encodes. Were one ever not to be, it would be signed as the empty text,
    // which no other statement is.
    postcard::to_allocvec(statement).unwrap_or_default()
}

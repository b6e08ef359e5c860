//! Stage two, *verify*: who signed exactly these bytes?
//!
//! ```text
//! PAE(type, body) = "DSSEv1" SP len(type) SP type SP len(body) SP body           DSSE v1.0.2, lengths in decimal
//! statement hash  = SHA-256("lotproof/v1/statement" 00 || statement bytes)
//! ```
//!
//! Signatures are Ed25519 over the PAE and valid if and only if `verify_strict` accepts, at admission and at
//! audit alike. Batch verification never decides, because it can disagree on adversarial signatures. Only
//! this module makes a [`VerifiedStatement`]. Spec: `proto/README.md`, "Signatures".

use std::fmt;

use bytes::Bytes;
use ed25519_dalek::{Signature, Signer as _, VerifyingKey};

use crate::{
    envelope::{DsseEnvelope, Envelope, Header, encode_statement},
    id::{FeedId, Hash},
};

/// Domain tag of the statement hash.
const STATEMENT_TAG: &[u8] = b"lotproof/v1/statement\0";

/// DSSE's pre-authentication encoding: what is signed for a payload and its type.
pub fn pre_authentication_encoding(payload_type: &str, payload: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(payload.len() + payload_type.len() + 32);
    out.extend_from_slice(
        format!("DSSEv1 {} {payload_type} {} ", payload_type.len(), payload.len()).as_bytes(),
    );
    out.extend_from_slice(payload);
    out
}

/// Hash of a statement: what its successor names, and what tells a repetition from an equivocation.
pub fn statement_hash(statement: &[u8]) -> Hash {
    Hash::of(&[STATEMENT_TAG, statement])
}

/// Why a signature does not count; the answer `bad_signature`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum VerifyError {
    /// The 32 bytes are no point of the curve, or one of small order.
    #[error("the key is not an Ed25519 public key of full order")]
    WeakKey,
    /// `verify_strict` refuses.
    #[error("the signature does not verify under the key")]
    Signature,
}

/// Verifies an envelope of a payload type of ours and returns its payload.
///
/// # Errors
/// [`VerifyError`] if the key is weak or the signature is not strictly valid.
pub fn verify(dsse: &DsseEnvelope, key: FeedId) -> Result<&Bytes, VerifyError> {
    let key = VerifyingKey::from_bytes(key.as_bytes()).map_err(|_| VerifyError::WeakKey)?;
    if key.is_weak() {
        return Err(VerifyError::WeakKey);
    }
    let message = pre_authentication_encoding(dsse.payload_type, &dsse.payload);
    key.verify_strict(&message, &Signature::from_bytes(&dsse.signature))
        .map_err(|_| VerifyError::Signature)?;
    Ok(&dsse.payload)
}

/// A statement whose signature verifies under the key that it names. Says nothing about whether that key is
/// enrolled, nor whether the events are sound.
#[derive(Clone, Debug)]
pub struct VerifiedStatement {
    envelope: Envelope,
    hash: Hash,
}

impl Envelope {
    /// Verifies the signature under the key that the statement names.
    ///
    /// # Errors
    /// [`VerifyError`]; the answer `bad_signature`.
    pub fn verify(self) -> Result<VerifiedStatement, VerifyError> {
        let hash = statement_hash(verify(&self.dsse, self.header.feed)?);
        Ok(VerifiedStatement { envelope: self, hash })
    }
}

impl VerifiedStatement {
    /// What the statement says about itself.
    pub const fn header(&self) -> &Header {
        &self.envelope.header
    }

    /// Its events, undecoded.
    pub fn events(&self) -> &[Bytes] {
        &self.envelope.events
    }

    /// The statement hash.
    pub const fn hash(&self) -> Hash {
        self.hash
    }

    /// The envelope as received: the body of its entry.
    pub const fn envelope_bytes(&self) -> &Bytes {
        &self.envelope.dsse.bytes
    }

    /// Length of the signed statement in bytes.
    pub fn statement_len(&self) -> usize {
        self.envelope.dsse.payload.len()
    }
}

/// A private key. Prints as its public half.
pub struct SigningKey(ed25519_dalek::SigningKey);

impl SigningKey {
    /// From the 32-byte seed of RFC 8032.
    pub fn from_seed(seed: &[u8; 32]) -> Self {
        Self(ed25519_dalek::SigningKey::from_bytes(seed))
    }

    /// The seed, for whoever stores the key.
    pub fn seed(&self) -> [u8; 32] {
        self.0.to_bytes()
    }

    /// The feed that this key publishes.
    pub fn feed(&self) -> FeedId {
        FeedId::new(self.0.verifying_key().to_bytes())
    }

    /// An envelope around `payload`, signed. Ed25519 is deterministic: same input, same bytes.
    pub fn seal(&self, payload_type: &str, payload: &[u8]) -> Bytes {
        let signature = self.0.sign(&pre_authentication_encoding(payload_type, payload));
        DsseEnvelope::encode(payload, payload_type, signature.to_bytes())
    }

    /// A signed statement, and its hash for the next one to name. The header's feed must be this key's.
    pub fn sign_statement(&self, header: &Header, events: &[Bytes]) -> (Bytes, Hash) {
        debug_assert_eq!(header.feed, self.feed(), "a feed is its signing key");
        let statement = encode_statement(header, events);
        (
            self.seal(crate::wire::STATEMENT_TYPE, &statement),
            statement_hash(&statement),
        )
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SigningKey(of {})", self.feed())
    }
}

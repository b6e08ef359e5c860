//! Stage two, *verify*: who signed exactly these bytes?
//!
//! ```text
//! PAE(type, body) = "DSSEv1" SP len(type) SP type SP len(body) SP body           DSSE v1.0.2, lengths in decimal
//! statement hash  = SHA-256("lotproof/v1/statement" 00 || statement bytes)
//! ```
//!
//! Signatures are Ed25519 over the PAE and valid if and only if `verify_strict` accepts, at admission and at
//! audit alike. Batch verification never decides, because it can disagree on adversarial signatures. Only
//! this module makes a [`VerifiedStatement`].
//!
//! Decompressing a key costs a tenth of a verification, and a feed is one key for thousands of statements: each
//! thread remembers the keys that have lately verified something. What it remembers is a function of the 32
//! bytes alone, so it decides nothing. Spec: `proto/README.md`, "Signatures".

use std::{cell::RefCell, collections::BTreeMap, fmt};

use bytes::Bytes;
use ed25519_dalek::{Signature, Signer as _, VerifyingKey};

use crate::{
    envelope::{DsseEnvelope, Envelope, Header, encode_statement, statement_hash},
    id::{FeedId, Hash},
};

/// DSSE's pre-authentication encoding: what is signed for a payload and its type.
pub fn pre_authentication_encoding(payload_type: &str, payload: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(payload.len() + payload_type.len() + 32);
    out.extend_from_slice(
        format!("DSSEv1 {} {payload_type} {} ", payload_type.len(), payload.len()).as_bytes(),
    );
    out.extend_from_slice(payload);
    out
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
    let known = KNOWN_KEYS.with_borrow(|known| known.get(&key).copied());
    let verifying = known.map_or_else(|| full_order_key(key), Ok)?;
    let message = pre_authentication_encoding(dsse.payload_type, &dsse.payload);
    verifying
        .verify_strict(&message, &Signature::from_bytes(&dsse.signature))
        .map_err(|_| VerifyError::Signature)?;
    if known.is_none() {
        KNOWN_KEYS.with_borrow_mut(|known| {
            if known.len() >= KNOWN_KEYS_MAX {
                known.clear();
            }
            known.insert(key, verifying);
        });
    }
    Ok(&dsse.payload)
}

/// Most keys that a thread remembers; a key and its bytes are about 200 bytes.
const KNOWN_KEYS_MAX: usize = 1_024;

thread_local! {
    /// Keys under which this thread has verified something, so that nobody fills it with keys that sign nothing.
    static KNOWN_KEYS: RefCell<BTreeMap<FeedId, VerifyingKey>> = const { RefCell::new(BTreeMap::new()) };
}

/// The point that the 32 bytes stand for, if it is one of full order.
fn full_order_key(key: FeedId) -> Result<VerifyingKey, VerifyError> {
    VerifyingKey::from_bytes(key.as_bytes())
        .ok()
        .filter(|key| !key.is_weak())
        .ok_or(VerifyError::WeakKey)
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

#[cfg(test)]
mod tests {
    use super::*;

    const TYPE: &str = crate::wire::ANSWER_TYPE;

    fn sealed(key: &SigningKey, payload: &[u8]) -> DsseEnvelope {
        DsseEnvelope::decode(key.seal(TYPE, payload), TYPE).expect("an envelope")
    }

    fn known(key: FeedId) -> bool {
        KNOWN_KEYS.with_borrow(|known| known.contains_key(&key))
    }

    /// What is decided without remembering anything.
    fn decided_anew(dsse: &DsseEnvelope, key: FeedId) -> Result<(), VerifyError> {
        let message = pre_authentication_encoding(dsse.payload_type, &dsse.payload);
        full_order_key(key)?
            .verify_strict(&message, &Signature::from_bytes(&dsse.signature))
            .map_err(|_| VerifyError::Signature)
    }

    #[test]
    fn a_remembered_key_decides_as_it_did_the_first_time() {
        let key = SigningKey::from_seed(&[1; 32]);
        let (good, mut bad) = (sealed(&key, b"one"), sealed(&key, b"two"));
        bad.signature[3] ^= 1;
        assert!(!known(key.feed()));
        assert_eq!(verify(&bad, key.feed()), Err(VerifyError::Signature));
        assert!(
            !known(key.feed()),
            "a key that has verified nothing is not remembered"
        );
        assert!(verify(&good, key.feed()).is_ok());
        assert!(known(key.feed()));
        for dsse in [&good, &bad, &sealed(&key, b"three")] {
            assert_eq!(verify(dsse, key.feed()).map(drop), decided_anew(dsse, key.feed()));
        }
    }

    #[test]
    fn a_remembered_key_does_not_stand_for_its_other_bytes() {
        let key = SigningKey::from_seed(&[2; 32]);
        let good = sealed(&key, b"one");
        assert!(verify(&good, key.feed()).is_ok());
        let mut negated = *key.feed().as_bytes();
        negated[31] ^= 0x80;
        for (what, bytes) in [
            ("the negated point", hex::encode(negated)),
            // Of order 1, 2, 4 and 8, the last two in a second spelling.
            ("order 1", format!("01{}", "00".repeat(31))),
            ("order 2", format!("ec{}7f", "ff".repeat(30))),
            ("order 4", "00".repeat(32)),
            (
                "order 8",
                "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a".to_owned(),
            ),
            ("order 4 again", format!("ed{}7f", "ff".repeat(30))),
            ("order 1 again", format!("ee{}7f", "ff".repeat(30))),
            // y = p + 3, which decompresses like y = 3.
            ("y = 3 in a second spelling", format!("f0{}7f", "ff".repeat(30))),
            ("y = 3", format!("03{}", "00".repeat(31))),
            ("no point", format!("02{}", "00".repeat(31))),
        ] {
            let other = FeedId::from_slice(&hex::decode(bytes).unwrap()).unwrap();
            let first = verify(&good, other).map(drop);
            assert!(first.is_err(), "{what}");
            assert_eq!(first, decided_anew(&good, other), "{what}");
            assert_eq!(first, verify(&good, other).map(drop), "{what}");
            assert!(!known(other), "{what}");
        }
    }

    #[test]
    fn a_thread_remembers_a_bounded_number_of_keys() {
        for seed in 0..u32::try_from(KNOWN_KEYS_MAX).unwrap() + 10 {
            let key = SigningKey::from_seed(Hash::of(&[&seed.to_be_bytes()]).as_bytes());
            assert!(verify(&sealed(&key, b"x"), key.feed()).is_ok());
            assert!(KNOWN_KEYS.with_borrow(BTreeMap::len) <= KNOWN_KEYS_MAX);
        }
    }
}

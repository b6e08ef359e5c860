//! Numbers and names that must not be confused, each a type of its own.
//!
//! There are four kinds of `u64` in this ledger (positions, sizes, feed sequences, and the bus's own
//! sequences, which never leave the bus adapter) and three kinds of 32 bytes (hashes, log identities,
//! feeds). None converts into another without saying so.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};
use sha2::{Digest, Sha256};

/// A SHA-256 value: a leaf or node of the tree, a root, a statement hash.
///
/// Printed and parsed as 64 lower-case hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Hash([u8; 32]);

impl Hash {
    /// Thirty-two zero bytes: the `previous` of a feed's first statement.
    pub const ZERO: Self = Self([0; 32]);

    /// Wraps a hash that was computed elsewhere.
    pub const fn new(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// SHA-256 over the concatenation of `parts`.
    pub fn of(parts: &[&[u8]]) -> Self {
        let mut sha = Sha256::new();
        for part in parts {
            sha.update(part);
        }
        Self(sha.finalize().into())
    }

    /// The 32 bytes.
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// A hash from exactly 32 bytes, or nothing.
    pub fn from_slice(bytes: &[u8]) -> Option<Self> {
        bytes.try_into().ok().map(Self)
    }

    /// A hash from 64 lower-case hexadecimal digits, or nothing.
    pub fn from_hex(text: &str) -> Option<Self> {
        lower_hex(text).map(Self)
    }
}

/// Thirty-two bytes from exactly 64 lower-case hexadecimal digits: one spelling per value.
fn lower_hex(text: &str) -> Option<[u8; 32]> {
    if text.bytes().any(|byte| byte.is_ascii_uppercase()) {
        return None;
    }
    let mut bytes = [0; 32];
    hex::decode_to_slice(text, &mut bytes).ok()?;
    Some(bytes)
}

/// A feed: everything that one signing key publishes. The value is the Ed25519 public key itself.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FeedId([u8; 32]);

impl FeedId {
    /// Wraps the 32 bytes of a public key; whether they are one is found out by verifying.
    pub const fn new(public_key: [u8; 32]) -> Self {
        Self(public_key)
    }

    /// The public key's bytes.
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// A feed from exactly 32 bytes, or nothing.
    pub fn from_slice(bytes: &[u8]) -> Option<Self> {
        bytes.try_into().ok().map(Self)
    }

    /// A feed from 64 lower-case hexadecimal digits, or nothing.
    pub fn from_hex(text: &str) -> Option<Self> {
        lower_hex(text).map(Self)
    }
}

/// Which ledger: the RFC 6962 leaf hash of its entry 0, inside every statement.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LogId(Hash);

impl LogId {
    /// The identity of the log whose entry 0 has this leaf hash.
    pub const fn new(genesis_leaf: Hash) -> Self {
        Self(genesis_leaf)
    }

    /// The 32 bytes.
    pub const fn as_bytes(&self) -> &[u8; 32] {
        self.0.as_bytes()
    }

    /// The leaf hash of entry 0.
    pub const fn genesis_leaf(&self) -> Hash {
        self.0
    }

    /// A log identity from 64 lower-case hexadecimal digits, or nothing.
    pub fn from_hex(text: &str) -> Option<Self> {
        Hash::from_hex(text).map(Self)
    }
}

macro_rules! hex_text {
    ($($type:ident: $what:literal),*) => {$(
        impl fmt::Display for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&hex::encode(self.as_bytes()))
            }
        }

        impl fmt::Debug for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($type), "({})"), self)
            }
        }

        impl Serialize for $type {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> Deserialize<'de> for $type {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = String::deserialize(deserializer)?;
                Self::from_hex(&text).ok_or_else(|| {
                    D::Error::custom(concat!($what, ": expected 64 lower-case hexadecimal digits"))
                })
            }
        }
    )*};
}

hex_text!(Hash: "hash", FeedId: "feed", LogId: "log id");

/// Position of an entry in the log: zero-based, dense, never reused.
///
/// The newest entry of a log of [`TreeSize`] `n` has index `n - 1`. Stored as eight big-endian bytes,
/// so key order is log order. Not a `JetStream` sequence. Spec: `proto/README.md`, "Entry".
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct LeafIndex(u64);

/// How many entries a log (or a prefix of it) has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct TreeSize(u64);

/// Place of a statement in its feed: 1, 2, 3 and so on without a gap.
///
/// `FeedSequence::NONE` (zero) is the last sequence of a feed that has no statement yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct FeedSequence(u64);

impl LeafIndex {
    /// The genesis entry.
    pub const GENESIS: Self = Self(0);

    /// Position `index`, counted from zero.
    pub const fn new(index: u64) -> Self {
        Self(index)
    }

    /// The zero-based position.
    pub const fn get(self) -> u64 {
        self.0
    }

    /// The size of the smallest log that has this entry.
    ///
    /// # Panics
    /// If the index is `u64::MAX`, which no log reaches and every decoder refuses.
    pub const fn size_after(self) -> TreeSize {
        TreeSize(self.0.checked_add(1).expect("indices stay below u64::MAX"))
    }
}

impl TreeSize {
    /// The empty log.
    pub const EMPTY: Self = Self(0);

    /// A log of `size` entries.
    pub const fn new(size: u64) -> Self {
        Self(size)
    }

    /// The number of entries.
    pub const fn get(self) -> u64 {
        self.0
    }

    /// Where the next entry will stand.
    pub const fn next_index(self) -> LeafIndex {
        LeafIndex(self.0)
    }

    /// Whether a log of this size has the entry.
    pub const fn contains(self, index: LeafIndex) -> bool {
        index.0 < self.0
    }
}

impl FeedSequence {
    /// The last sequence of a feed without statements.
    pub const NONE: Self = Self(0);
    /// The first statement of every feed.
    pub const FIRST: Self = Self(1);

    /// Sequence `sequence`, counted from one.
    pub const fn new(sequence: u64) -> Self {
        Self(sequence)
    }

    /// The number, counted from one.
    pub const fn get(self) -> u64 {
        self.0
    }

    /// The sequence after this one, unless numbers have run out.
    pub const fn next(self) -> Option<Self> {
        match self.0.checked_add(1) {
            Some(next) => Some(Self(next)),
            None => None,
        }
    }
}

macro_rules! number_text {
    ($($type:ident),*) => {$(
        impl fmt::Display for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }
    )*};
}

number_text!(LeafIndex, TreeSize, FeedSequence);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hex_has_one_spelling() {
        let hash = Hash::of(&[b"abc"]);
        assert_eq!(Hash::from_hex(&hash.to_string()), Some(hash));
        assert_eq!(Hash::from_hex(&hash.to_string().to_uppercase()), None);
        assert_eq!(Hash::from_hex("00"), None);
    }

    #[test]
    fn size_and_index_meet_at_the_edge() {
        let size = TreeSize::new(3);
        assert!(size.contains(LeafIndex::new(2)));
        assert!(!size.contains(size.next_index()));
        assert_eq!(LeafIndex::new(2).size_after(), size);
    }
}

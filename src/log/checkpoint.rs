//! The checkpoint: the log head as a signed note, which is all that anybody needs to pin a log.
//!
//! ```text
//! ledger.example/acme                              origin: which log; the name of its keys
//! 7                                                size: entries, decimal
//! gTvaOkIAD4KUtqlU6oN5LC3vrmUkbvdgr5/dU699Rjg=     root: base64 of 32 bytes
//! ```
//!
//! Exactly these three lines. Further ("extension") lines are allowed by C2SP tlog-checkpoint, but no log
//! monitor can audit them, so a checkpoint that has any is refused; what else must be committed goes into
//! the log. A log signs at most one root for each size, and signing is deterministic, so a checkpoint made
//! again after a crash has the same bytes.
//!
//! [`SignedCheckpoint`] can only be had by verifying bytes: whoever holds one may rely on it. Spec: C2SP
//! tlog-checkpoint.

use std::{fmt, str::FromStr};

use base64::{Engine, prelude::BASE64_STANDARD};
use bytes::Bytes;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};

use super::{
    hash::empty_root,
    note::{KEY_NAME_LEN_MAX, Note, NoteError, NoteSigner, VerifierKey, is_key_name},
    tile::plain_decimal,
    tree::{LogHead, TREE_SIZE_MAX},
};
use crate::id::{Hash, TreeSize};

/// Why bytes are no checkpoint of the log expected.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CheckpointError {
    /// The note is malformed, or not signed as it should be.
    #[error("checkpoint note is not acceptable")]
    Note(#[source] NoteError),
    /// Not three lines, each ended by a newline.
    #[error("a checkpoint has three lines: origin, size and root")]
    BadForm,
    /// There are lines after the third.
    #[error("checkpoint extension lines are not accepted")]
    ExtensionLines,
    /// The first line cannot be an origin.
    #[error(
        "origin is empty, longer than {KEY_NAME_LEN_MAX} bytes, or has a space, plus or control character"
    )]
    BadOrigin,
    /// The second line is no decimal in its one spelling, or too large.
    #[error("size is not a decimal number up to {TREE_SIZE_MAX} in its one spelling")]
    BadSize,
    /// The third line is not 32 bytes in their one spelling as base64.
    #[error("root is not the base64 of 32 bytes")]
    BadRoot,
    /// A log without entries has the empty root and no other.
    #[error("size 0 with root {got}, which is not the empty root")]
    NotEmptyRoot {
        /// The root given.
        got: Hash,
    },
    /// A checkpoint, but of another log.
    #[error("expected a checkpoint of {expected}, got one of {got}")]
    OtherOrigin {
        /// The log expected.
        expected: Origin,
        /// The log named in the checkpoint.
        got: Origin,
    },
}

/// Which log: a name like a URL without its scheme, `ledger.example/acme`. Also the name of its keys.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Origin(String);

impl Origin {
    /// The log of this name.
    ///
    /// # Errors
    /// If the name is empty, longer than 255 bytes, or has a space, plus sign or control character.
    pub fn new(name: &str) -> Result<Self, CheckpointError> {
        if is_key_name(name) {
            Ok(Self(name.to_owned()))
        } else {
            Err(CheckpointError::BadOrigin)
        }
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Origin({})", self.0)
    }
}

impl FromStr for Origin {
    type Err = CheckpointError;

    fn from_str(name: &str) -> Result<Self, CheckpointError> {
        Self::new(name)
    }
}

impl Serialize for Origin {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for Origin {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::new(&String::deserialize(deserializer)?).map_err(D::Error::custom)
    }
}

/// What a checkpoint says: of which log, how long, with which root. By itself a claim of nobody's.
///
/// Printing gives the text that is signed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checkpoint {
    /// Which log.
    pub origin: Origin,
    /// Its size and root.
    pub head: LogHead,
}

impl Checkpoint {
    /// Reads the text of a checkpoint, without its signatures.
    ///
    /// # Errors
    /// If it is not exactly three lines, each in its one spelling.
    pub fn parse(text: &str) -> Result<Self, CheckpointError> {
        let mut lines = text
            .strip_suffix('\n')
            .ok_or(CheckpointError::BadForm)?
            .split('\n');
        let (Some(origin), Some(size), Some(root)) = (lines.next(), lines.next(), lines.next()) else {
            return Err(CheckpointError::BadForm);
        };
        if lines.next().is_some() {
            return Err(CheckpointError::ExtensionLines);
        }
        let origin = Origin::new(origin)?;
        let size = plain_decimal(size)
            .filter(|size| *size <= TREE_SIZE_MAX)
            .ok_or(CheckpointError::BadSize)?;
        let root = BASE64_STANDARD
            .decode(root)
            .ok()
            .and_then(|bytes| Hash::from_slice(&bytes));
        let root = root.ok_or(CheckpointError::BadRoot)?;
        if size == 0 && root != empty_root() {
            return Err(CheckpointError::NotEmptyRoot { got: root });
        }
        Ok(Self {
            origin,
            head: LogHead {
                size: TreeSize::new(size),
                root,
            },
        })
    }

    /// Signs the checkpoint: one line for each key of the log, in the order given. Deterministic.
    ///
    /// The result was verified like anybody's bytes, so a fault while signing does not leave the process.
    ///
    /// # Errors
    /// If there are no or too many signers, or the size or root is one that no log can have.
    pub fn sign(&self, signers: &[&NoteSigner]) -> Result<SignedCheckpoint, CheckpointError> {
        let note = Note::sign(&self.to_string(), signers).map_err(CheckpointError::Note)?;
        let keys: Vec<VerifierKey> = signers
            .iter()
            .map(|signer| signer.verifier_key().clone())
            .collect();
        SignedCheckpoint::verify(note.to_string(), &self.origin, &keys)
    }
}

impl fmt::Display for Checkpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let root = BASE64_STANDARD.encode(self.head.root.as_bytes());
        writeln!(f, "{}\n{}\n{root}", self.origin, self.head.size)
    }
}

/// A checkpoint that at least one key of the log was verified to have signed, with the bytes that say so.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignedCheckpoint {
    checkpoint: Checkpoint,
    bytes: Bytes,
}

impl SignedCheckpoint {
    /// Verifies that `bytes` are a checkpoint of the log `origin`, signed by at least one of `keys`, the
    /// keys of that log, and by none of them wrongly.
    ///
    /// # Errors
    /// If the note is malformed, a known key's line is wrong or repeated, no known key signed, or the text is
    /// not a checkpoint of that log.
    pub fn verify(
        bytes: impl Into<Bytes>,
        origin: &Origin,
        keys: &[VerifierKey],
    ) -> Result<Self, CheckpointError> {
        let bytes = bytes.into();
        let note = Note::parse(&bytes).map_err(CheckpointError::Note)?;
        note.verify(keys).map_err(CheckpointError::Note)?;
        let checkpoint = Checkpoint::parse(note.text())?;
        if checkpoint.origin == *origin {
            Ok(Self { checkpoint, bytes })
        } else {
            Err(CheckpointError::OtherOrigin {
                expected: origin.clone(),
                got: checkpoint.origin,
            })
        }
    }

    /// What was signed.
    pub fn checkpoint(&self) -> &Checkpoint {
        &self.checkpoint
    }

    /// Size and root of the log.
    pub fn head(&self) -> &LogHead {
        &self.checkpoint.head
    }

    /// The bytes as received or made, with every signature line.
    pub fn bytes(&self) -> &Bytes {
        &self.bytes
    }
}

#[cfg(test)]
#[path = "checkpoint_tests.rs"]
mod tests;

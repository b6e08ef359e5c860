//! The trust file: what somebody has to know of a ledger before he believes anything about it.
//!
//! ```json
//! { "origin": "ledger.example/acme",
//!   "log_id": "64 hexadecimal digits: the leaf hash of entry 0",
//!   "log_keys": ["ledger.example/acme+1a2b3c4d+AZ..."],
//!   "witnesses": [] }
//! ```
//!
//! It is handed over by a way of its own (with a contract, say), never by the ledger that it is about.
//! Cosignatures are not verified by this version, so a file that asks for witnesses is refused rather than
//! read as if it did not.

use serde::{Deserialize, Serialize};

use crate::{
    id::LogId,
    log::{
        checkpoint::{CheckpointError, Origin},
        note::{KeyError, VerifierKey},
    },
};

/// Origin, identity and keys of a ledger, as an auditor pins them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TrustFile {
    origin: Origin,
    log_id: LogId,
    log_keys: Vec<VerifierKey>,
}

/// Why a file is no trust file.
#[derive(Debug, thiserror::Error)]
pub enum TrustError {
    /// Not JSON, a field missing, or one that is not known.
    #[error("not the JSON of a trust file")]
    Json(#[source] serde_json::Error),
    /// The origin cannot be one.
    #[error("origin")]
    Origin(#[source] CheckpointError),
    /// A key is none.
    #[error("log key {number}")]
    Key {
        /// Which, counted from zero.
        number: usize,
        /// What is wrong with it.
        #[source]
        error: KeyError,
    },
    /// A log's keys bear its origin as their name.
    #[error("log key {number} is named {got}, expected {expected}")]
    KeyName {
        /// Which, counted from zero.
        number: usize,
        /// The origin.
        expected: String,
        /// The key's name.
        got: String,
    },
    /// No key at all, or one twice.
    #[error("expected at least one log key, and none twice")]
    KeyCount,
    /// It asks for cosignatures.
    #[error("witnesses are not supported by this version")]
    Witnesses,
}

/// The file as it is written.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    origin: String,
    log_id: LogId,
    log_keys: Vec<String>,
    #[serde(default)]
    witnesses: Vec<String>,
}

impl TrustFile {
    /// Trusts these keys, all named like the origin, for the log with this identity.
    ///
    /// # Errors
    /// [`TrustError`] if there is no key, one comes twice, or one is named otherwise.
    pub fn new(origin: Origin, log_id: LogId, log_keys: Vec<VerifierKey>) -> Result<Self, TrustError> {
        for (number, key) in log_keys.iter().enumerate() {
            if key.name() != origin.as_str() {
                let (expected, got) = (origin.to_string(), key.name().to_owned());
                return Err(TrustError::KeyName {
                    number,
                    expected,
                    got,
                });
            }
            if log_keys.iter().take(number).any(|earlier| earlier == key) {
                return Err(TrustError::KeyCount);
            }
        }
        if log_keys.is_empty() {
            return Err(TrustError::KeyCount);
        }
        Ok(Self {
            origin,
            log_id,
            log_keys,
        })
    }

    /// Reads the file's JSON.
    ///
    /// # Errors
    /// [`TrustError`], the first fault met.
    pub fn parse(json: &[u8]) -> Result<Self, TrustError> {
        let written: Written = serde_json::from_slice(json).map_err(TrustError::Json)?;
        if !written.witnesses.is_empty() {
            return Err(TrustError::Witnesses);
        }
        let key = |(number, text): (usize, &String)| {
            text.parse().map_err(|error| TrustError::Key { number, error })
        };
        let keys = written.log_keys.iter().enumerate().map(key);
        let origin = Origin::new(&written.origin).map_err(TrustError::Origin)?;
        Self::new(origin, written.log_id, keys.collect::<Result<_, _>>()?)
    }

    /// The file's JSON, with a newline at its end.
    pub fn to_json(&self) -> String {
        let written = Written {
            origin: self.origin.to_string(),
            log_id: self.log_id,
            log_keys: self.log_keys.iter().map(ToString::to_string).collect(),
            witnesses: Vec::new(),
        };
        let json = serde_json::to_string_pretty(&written).expect("strings in lists always become JSON");
        json + "\n"
    }

    /// The log's name.
    pub const fn origin(&self) -> &Origin {
        &self.origin
    }

    /// The log's identity.
    pub const fn log_id(&self) -> LogId {
        self.log_id
    }

    /// The keys of which at least one signs every checkpoint.
    pub fn log_keys(&self) -> &[VerifierKey] {
        &self.log_keys
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{id::Hash, log::note::NoteSigner};

    fn key(name: &str, seed: u8) -> VerifierKey {
        NoteSigner::from_seed(name, &[seed; 32])
            .unwrap()
            .verifier_key()
            .clone()
    }

    fn sample() -> TrustFile {
        let origin = Origin::new("ledger.example/acme").unwrap();
        let keys = [1, 2].map(|seed| key("ledger.example/acme", seed)).into();
        TrustFile::new(origin, LogId::new(Hash::of(&[b"genesis"])), keys).unwrap()
    }

    #[test]
    fn comes_back_as_it_was_written() {
        assert_eq!(TrustFile::parse(sample().to_json().as_bytes()).unwrap(), sample());
    }

    #[test]
    fn refuses_what_would_be_trusted_by_mistake() {
        let json = sample().to_json();
        let broken = |from: &str, to: &str| {
            assert!(json.contains(from), "{from}");
            TrustFile::parse(json.replace(from, to).as_bytes()).unwrap_err()
        };
        let witnesses = broken("\"witnesses\": []", "\"witnesses\": [\"w\"]");
        assert!(matches!(witnesses, TrustError::Witnesses));
        let unknown = broken("\"witnesses\"", "\"witness\"");
        assert!(matches!(unknown, TrustError::Json(_)));
        let origin = broken("\"origin\": \"ledger", "\"origin\": \"other");
        assert!(matches!(origin, TrustError::KeyName { .. }));
        let second = key("ledger.example/acme", 2).to_string();
        let first = key("ledger.example/acme", 1).to_string();
        assert!(matches!(broken(&second, &first), TrustError::KeyCount));
        assert!(matches!(
            broken(&second, "acme"),
            TrustError::Key { number: 1, .. }
        ));
        let none = TrustFile::new(sample().origin, sample().log_id, Vec::new());
        assert!(matches!(none, Err(TrustError::KeyCount)));
    }
}

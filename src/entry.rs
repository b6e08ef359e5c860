//! Entries: the leaves of the log.
//!
//! ```text
//! u8 version = 1 | u8 kind | u16be outcome | u64be recorded_at | body          at most 65,535 bytes in all
//!
//! kind 1  statement      body = the envelope as received; outcome = 0 or a refusal
//! kind 2  ledger record  body = LedgerRecord;             outcome = 0
//! kind 3  evidence       body = EquivocationEvidence;     outcome = 402
//! ```
//!
//! `recorded_at` is nanoseconds since the epoch and never decreases along the log. Entry 0 is a ledger
//! record that holds the genesis; its RFC 6962 leaf hash is the log's identity. Spec: `proto/README.md`,
//! "Entry".

use bytes::Bytes;
use prost::Message as _;

use crate::{
    bytes::{Read, Reader, Writer},
    code::{NoEntryCode, Outcome},
    id::LeafIndex,
    time::RecordedAt,
    wire::{
        ENTRY_LEN_MAX,
        shape::{self, ShapeError},
        v1,
    },
};

const VERSION: u8 = 1;
const STATEMENT: u8 = 1;
const RECORD: u8 = 2;
const EVIDENCE: u8 = 3;
/// Bytes before the body.
pub const HEADER_LEN: usize = 12;

/// What an entry holds.
#[derive(Clone, Debug, PartialEq)]
pub enum Body {
    /// A publisher's envelope, as received, and what was decided.
    Statement {
        /// The envelope's bytes.
        envelope: Bytes,
        /// The ledger's decision.
        outcome: Outcome,
    },
    /// A record of the ledger's own.
    Record(v1::ledger_record::Record),
    /// A feed signed two statements for one sequence.
    Evidence {
        /// Where the statement that counts stands.
        first_index: LeafIndex,
        /// The other one, as received.
        envelope: Bytes,
    },
}

/// One leaf, decoded.
#[derive(Clone, Debug, PartialEq)]
pub struct Entry {
    /// When the ledger took it.
    pub recorded_at: RecordedAt,
    /// What it holds.
    pub body: Body,
}

/// Why bytes are not an entry.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EntryError {
    /// Longer than an entry may be.
    #[error("entry of {0} bytes, at most 65,535 are taken")]
    Oversize(usize),
    /// Shorter than its header.
    #[error("entry of {0} bytes is shorter than its header")]
    Short(usize),
    /// A version this library does not know.
    #[error("expected entry version 1, got {0}")]
    Version(u8),
    /// A kind this library does not know.
    #[error("entry kind {0} is not known")]
    Kind(u8),
    /// An outcome that this kind of entry cannot have.
    #[error("outcome {outcome} is not possible in an entry of kind {kind}")]
    Outcome {
        /// The entry's kind.
        kind: u8,
        /// The number found.
        outcome: u16,
    },
    /// Recorded time is beyond what 63 bits hold.
    #[error("recorded time {0} is out of range")]
    RecordedAt(u64),
    /// The body is not canonical.
    #[error("body")]
    Body(#[from] ShapeError),
    /// A ledger record of no kind.
    #[error("the ledger record is empty")]
    EmptyRecord,
}

impl Entry {
    /// The leaf's bytes.
    pub fn encode(&self) -> Bytes {
        let (kind, outcome, body) = match &self.body {
            Body::Statement { envelope, outcome } => (STATEMENT, outcome.number(), envelope.clone()),
            Body::Record(record) => (
                RECORD,
                0,
                v1::LedgerRecord {
                    record: Some(record.clone()),
                }
                .encode_to_vec()
                .into(),
            ),
            Body::Evidence {
                first_index,
                envelope,
            } => {
                let evidence = v1::EquivocationEvidence {
                    first_index: first_index.get(),
                    envelope: envelope.to_vec(),
                };
                (
                    EVIDENCE,
                    NoEntryCode::Equivocation.number(),
                    evidence.encode_to_vec().into(),
                )
            }
        };
        let mut out = Writer::with_capacity(HEADER_LEN + body.len());
        out.u8(VERSION);
        out.u8(kind);
        out.u16(outcome);
        out.i64(self.recorded_at.as_nanos());
        out.raw(&body);
        out.into_vec().into()
    }

    /// Whether a leaf's bytes say that they are evidence.
    pub fn is_evidence(bytes: &[u8]) -> bool {
        bytes.get(1) == Some(&EVIDENCE)
    }

    /// Reads a leaf's bytes; the envelope in it stays unread.
    ///
    /// # Errors
    /// [`EntryError`], the first fault met.
    pub fn decode(bytes: &Bytes) -> Result<Self, EntryError> {
        if bytes.len() > ENTRY_LEN_MAX {
            return Err(EntryError::Oversize(bytes.len()));
        }
        let (version, kind, outcome, recorded) = header(bytes).map_err(|_| EntryError::Short(bytes.len()))?;
        if version != VERSION {
            return Err(EntryError::Version(version));
        }
        let nanos = i64::try_from(recorded).map_err(|_| EntryError::RecordedAt(recorded))?;
        let wrong_outcome = EntryError::Outcome { kind, outcome };
        let content = bytes.slice(HEADER_LEN..);
        let body = match kind {
            STATEMENT => Body::Statement {
                outcome: Outcome::from_number(outcome).ok_or(wrong_outcome)?,
                envelope: content,
            },
            RECORD if outcome != 0 => return Err(wrong_outcome),
            RECORD => {
                shape::check(&shape::LEDGER_RECORD, &content, &mut |_| {})?;
                let record = v1::LedgerRecord::decode(content).map_err(|_| EntryError::EmptyRecord)?;
                Body::Record(record.record.ok_or(EntryError::EmptyRecord)?)
            }
            EVIDENCE if outcome != NoEntryCode::Equivocation.number() => return Err(wrong_outcome),
            EVIDENCE => {
                let mut first_index = LeafIndex::GENESIS;
                let mut envelope = Bytes::new();
                shape::check(
                    &shape::EQUIVOCATION_EVIDENCE,
                    &content,
                    &mut |met| match met.field.number {
                        1 => first_index = LeafIndex::new(met.number()),
                        _ => envelope = content.slice_ref(met.value),
                    },
                )?;
                Body::Evidence {
                    first_index,
                    envelope,
                }
            }
            _ => return Err(EntryError::Kind(kind)),
        };
        Ok(Self {
            recorded_at: RecordedAt::from_nanos(nanos),
            body,
        })
    }
}

/// Version, kind, outcome and recorded time.
fn header(bytes: &[u8]) -> Read<(u8, u8, u16, u64)> {
    let mut from = Reader::new(bytes);
    Ok((
        from.u8("version")?,
        from.u8("kind")?,
        from.u16("outcome")?,
        from.u64("recorded time")?,
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::code::Refusal;

    fn samples() -> Vec<Entry> {
        let recorded_at = RecordedAt::from_nanos(1_770_000_000_000_000_000);
        let envelope = Bytes::from_static(b"envelope");
        [
            Body::Statement {
                envelope: envelope.clone(),
                outcome: Outcome::Admitted,
            },
            Body::Statement {
                envelope: envelope.clone(),
                outcome: Outcome::Refused(Refusal::TimeAhead),
            },
            Body::Record(v1::ledger_record::Record::ClockAccepted(v1::ClockAccepted {
                clock: 5,
                reason: "leap".into(),
            })),
            Body::Evidence {
                first_index: LeafIndex::new(7),
                envelope,
            },
        ]
        .map(|body| Entry { recorded_at, body })
        .into()
    }

    #[test]
    fn entries_come_back_as_they_went() {
        for entry in samples() {
            assert_eq!(Entry::decode(&entry.encode()), Ok(entry));
        }
    }

    #[test]
    fn refuses_every_truncation_of_the_header_and_unknown_numbers() {
        let bytes = samples()[0].encode();
        for len in 0..HEADER_LEN {
            assert_eq!(Entry::decode(&bytes.slice(..len)), Err(EntryError::Short(len)));
        }
        let with = |at: usize, byte: u8| {
            let mut bytes = bytes.to_vec();
            bytes[at] = byte;
            Entry::decode(&bytes.into())
        };
        assert_eq!(with(0, 2), Err(EntryError::Version(2)));
        assert_eq!(with(1, 9), Err(EntryError::Kind(9)));
        assert_eq!(with(3, 7), Err(EntryError::Outcome { kind: 1, outcome: 7 }));
        assert!(matches!(with(4, 0xff), Err(EntryError::RecordedAt(_))));
        let oversize = Bytes::from(vec![1; ENTRY_LEN_MAX + 1]);
        assert_eq!(
            Entry::decode(&oversize),
            Err(EntryError::Oversize(ENTRY_LEN_MAX + 1))
        );
    }
}

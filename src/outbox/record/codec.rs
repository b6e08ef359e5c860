//! Records as bytes; see [`super`] for the layout.

use bytes::Bytes;

use super::{Alarm, AlarmKind, CloseReason, DeadLetter, ParcelId, ProvenRow, Record};
use crate::{
    code::{Outcome, Refusal},
    id::{FeedId, FeedSequence, Hash, LeafIndex},
    time::RecordedAt,
};

/// Why bytes are not records.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RecordError {
    /// They end in the middle of a record.
    #[error("the record ends early")]
    Short,
    /// A kind, code or reason that this version does not know.
    #[error("{what} {number} is not known")]
    Unknown {
        /// What it would be.
        what: &'static str,
        /// The number found.
        number: u64,
    },
}

impl Record {
    /// Appends the record's bytes.
    pub fn encode(&self, out: &mut Vec<u8>) {
        match self {
            Self::Opened { feed } => {
                out.push(1);
                out.extend_from_slice(feed.as_bytes());
            }
            Self::Queued {
                parcel,
                refusals,
                events,
            } => {
                out.push(2);
                put_u64(out, parcel.get());
                put_u64(out, (*refusals).into());
                put_list(out, events);
            }
            Self::Signed { parcel, envelope } => {
                out.push(3);
                put_u64(out, parcel.get());
                put_bytes(out, envelope);
            }
            Self::Receipted {
                feed,
                at,
                rows,
                receipt,
            } => {
                out.push(4);
                out.extend_from_slice(feed.as_bytes());
                out.extend_from_slice(&at.to_be_bytes());
                put_len(out, rows.len());
                for row in rows {
                    put_u64(out, row.sequence.get());
                    put_u64(out, row.index.get());
                    out.extend_from_slice(&row.recorded_at.as_nanos().to_be_bytes());
                    put_u64(out, row.outcome.number().into());
                    out.extend_from_slice(row.leaf.as_bytes());
                }
                put_bytes(out, receipt);
            }
            Self::DeadLettered(letter) => {
                out.push(5);
                put_u64(out, letter.parcel.get());
                out.extend_from_slice(letter.feed.as_bytes());
                put_u64(out, letter.sequence.get());
                put_u64(out, letter.index.get());
                put_u64(out, letter.refusal.number().into());
                put_list(out, &letter.events);
            }
            Self::Released { parcel } => {
                out.push(6);
                put_u64(out, parcel.get());
            }
            Self::Closed { feed, reason } => {
                out.push(7);
                out.extend_from_slice(feed.as_bytes());
                out.push(*reason as u8);
            }
            Self::Reopened { feed, after, through } => {
                out.push(8);
                out.extend_from_slice(feed.as_bytes());
                put_u64(out, after.get());
                put_u64(out, through.get());
            }
            Self::Pruned { feed, through, hash } => {
                out.push(9);
                out.extend_from_slice(feed.as_bytes());
                put_u64(out, through.get());
                out.extend_from_slice(hash.as_bytes());
            }
            Self::Abandoned { feed, sequence } => {
                out.push(10);
                out.extend_from_slice(feed.as_bytes());
                put_u64(out, sequence.get());
            }
            Self::CheckpointSeen { note } => {
                out.push(11);
                put_bytes(out, note);
            }
            Self::Alarmed(alarm) => {
                out.push(12);
                out.push(alarm.kind as u8);
                out.extend_from_slice(alarm.feed.as_bytes());
                out.extend_from_slice(&alarm.raised_at.to_be_bytes());
                put_list(out, &alarm.evidence);
            }
            Self::Numbered { next } => {
                out.push(13);
                put_u64(out, next.get());
            }
        }
    }

    /// Reads the records of a batch.
    ///
    /// # Errors
    /// [`RecordError`], the first fault met.
    pub fn decode_all(batch: &Bytes) -> Result<Vec<Self>, RecordError> {
        let mut rest = Reader(batch.clone());
        let mut records = Vec::new();
        while !rest.0.is_empty() {
            records.push(rest.record()?);
        }
        Ok(records)
    }

    /// The bytes of a batch.
    pub fn encode_all<'a>(records: impl IntoIterator<Item = &'a Self>) -> Vec<u8> {
        let mut out = Vec::new();
        for record in records {
            record.encode(&mut out);
        }
        out
    }
}

fn put_u64(out: &mut Vec<u8>, number: u64) {
    out.extend_from_slice(&number.to_be_bytes());
}

fn put_len(out: &mut Vec<u8>, len: usize) {
    let len = u32::try_from(len).expect("everything in a record is bounded far below 4 GiB");
    out.extend_from_slice(&len.to_be_bytes());
}

fn put_bytes(out: &mut Vec<u8>, bytes: &[u8]) {
    put_len(out, bytes.len());
    out.extend_from_slice(bytes);
}

fn put_list(out: &mut Vec<u8>, items: &[Bytes]) {
    put_len(out, items.len());
    for item in items {
        put_bytes(out, item);
    }
}

struct Reader(Bytes);

impl Reader {
    fn take(&mut self, len: usize) -> Result<Bytes, RecordError> {
        if len > self.0.len() {
            return Err(RecordError::Short);
        }
        Ok(self.0.split_to(len))
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], RecordError> {
        self.take(N)?.as_ref().try_into().map_err(|_| RecordError::Short)
    }

    fn byte(&mut self) -> Result<u8, RecordError> {
        self.array().map(|[byte]| byte)
    }

    fn u64(&mut self) -> Result<u64, RecordError> {
        self.array().map(u64::from_be_bytes)
    }

    fn i64(&mut self) -> Result<i64, RecordError> {
        self.array().map(i64::from_be_bytes)
    }

    fn len(&mut self) -> Result<usize, RecordError> {
        let len = self.array().map(u32::from_be_bytes)?;
        usize::try_from(len).map_err(|_| RecordError::Short)
    }

    fn bytes(&mut self) -> Result<Bytes, RecordError> {
        let len = self.len()?;
        self.take(len)
    }

    fn list(&mut self) -> Result<Vec<Bytes>, RecordError> {
        let count = self.len()?;
        (0..count).map(|_| self.bytes()).collect()
    }

    fn feed(&mut self) -> Result<FeedId, RecordError> {
        self.array().map(FeedId::new)
    }

    fn hash(&mut self) -> Result<Hash, RecordError> {
        self.array().map(Hash::new)
    }

    fn sequence(&mut self) -> Result<FeedSequence, RecordError> {
        self.u64().map(FeedSequence::new)
    }

    fn parcel(&mut self) -> Result<ParcelId, RecordError> {
        self.u64().map(ParcelId::new)
    }

    fn index(&mut self) -> Result<LeafIndex, RecordError> {
        self.u64().map(LeafIndex::new)
    }

    fn code<T>(&mut self, what: &'static str, from: impl FnOnce(u16) -> Option<T>) -> Result<T, RecordError> {
        let number = self.u64()?;
        u16::try_from(number)
            .ok()
            .and_then(from)
            .ok_or(RecordError::Unknown { what, number })
    }

    fn choice<T: Copy>(
        &mut self,
        what: &'static str,
        all: &[T],
        number_of: impl Fn(T) -> u8,
    ) -> Result<T, RecordError> {
        let number = self.byte()?;
        let found = all.iter().copied().find(|choice| number_of(*choice) == number);
        found.ok_or(RecordError::Unknown {
            what,
            number: number.into(),
        })
    }

    fn row(&mut self) -> Result<ProvenRow, RecordError> {
        Ok(ProvenRow {
            sequence: self.sequence()?,
            index: self.index()?,
            recorded_at: RecordedAt::from_nanos(self.i64()?),
            outcome: self.code("outcome", Outcome::from_number)?,
            leaf: self.hash()?,
        })
    }

    fn record(&mut self) -> Result<Record, RecordError> {
        Ok(match self.byte()? {
            1 => Record::Opened { feed: self.feed()? },
            2 => Record::Queued {
                parcel: self.parcel()?,
                refusals: u32::try_from(self.u64()?).map_err(|_| RecordError::Short)?,
                events: self.list()?,
            },
            3 => Record::Signed {
                parcel: self.parcel()?,
                envelope: self.bytes()?,
            },
            4 => Record::Receipted {
                feed: self.feed()?,
                at: self.i64()?,
                rows: {
                    let count = self.len()?;
                    (0..count).map(|_| self.row()).collect::<Result<_, _>>()?
                },
                receipt: self.bytes()?,
            },
            5 => Record::DeadLettered(DeadLetter {
                parcel: self.parcel()?,
                feed: self.feed()?,
                sequence: self.sequence()?,
                index: self.index()?,
                refusal: self.code("refusal", Refusal::from_number)?,
                events: self.list()?,
            }),
            6 => Record::Released {
                parcel: self.parcel()?,
            },
            7 => Record::Closed {
                feed: self.feed()?,
                reason: self.choice("reason", &CloseReason::ALL, |reason| reason as u8)?,
            },
            8 => Record::Reopened {
                feed: self.feed()?,
                after: self.sequence()?,
                through: self.sequence()?,
            },
            9 => Record::Pruned {
                feed: self.feed()?,
                through: self.sequence()?,
                hash: self.hash()?,
            },
            10 => Record::Abandoned {
                feed: self.feed()?,
                sequence: self.sequence()?,
            },
            11 => Record::CheckpointSeen { note: self.bytes()? },
            12 => Record::Alarmed(Alarm {
                kind: self.choice("alarm", &AlarmKind::ALL, |kind| kind as u8)?,
                feed: self.feed()?,
                raised_at: self.i64()?,
                evidence: self.list()?,
            }),
            13 => Record::Numbered { next: self.parcel()? },
            number => {
                return Err(RecordError::Unknown {
                    what: "record kind",
                    number: number.into(),
                });
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    pub(super) fn samples() -> Vec<Record> {
        let feed = FeedId::new([1; 32]);
        let hash = Hash::new([2; 32]);
        let parcel = ParcelId::new(3);
        let sequence = FeedSequence::new(4);
        let index = LeafIndex::new(5);
        let events = vec![Bytes::from_static(b"one"), Bytes::new()];
        let mut samples = vec![
            Record::Opened { feed },
            Record::Queued {
                parcel,
                refusals: 2,
                events: events.clone(),
            },
            Record::Signed {
                parcel,
                envelope: events[0].clone(),
            },
            Record::Receipted {
                feed,
                at: -1,
                rows: vec![ProvenRow {
                    sequence,
                    index,
                    recorded_at: RecordedAt::from_nanos(6),
                    outcome: Outcome::Refused(Refusal::TimeAhead),
                    leaf: hash,
                }],
                receipt: events[0].clone(),
            },
            Record::DeadLettered(DeadLetter {
                parcel,
                feed,
                sequence,
                index,
                refusal: Refusal::WrongParty,
                events: events.clone(),
            }),
            Record::Released { parcel },
            Record::Reopened {
                feed,
                after: sequence,
                through: FeedSequence::new(9),
            },
            Record::Pruned {
                feed,
                through: sequence,
                hash,
            },
            Record::Abandoned { feed, sequence },
            Record::CheckpointSeen {
                note: events[0].clone(),
            },
            Record::Numbered { next: parcel },
        ];
        samples.extend(CloseReason::ALL.map(|reason| Record::Closed { feed, reason }));
        samples.extend(AlarmKind::ALL.map(|kind| {
            Record::Alarmed(Alarm {
                kind,
                feed,
                raised_at: 7,
                evidence: events.clone(),
            })
        }));
        samples
    }

    #[test]
    fn records_come_back_as_they_went() {
        let records = samples();
        let batch = Bytes::from(Record::encode_all(&records));
        assert_eq!(Record::decode_all(&batch), Ok(records));
    }

    #[test]
    fn refuses_every_truncation_and_unknown_kinds() {
        for record in samples() {
            let bytes = Bytes::from(Record::encode_all([&record]));
            for len in 1..bytes.len() {
                assert_eq!(Record::decode_all(&bytes.slice(..len)), Err(RecordError::Short));
            }
        }
        assert!(matches!(
            Record::decode_all(&Bytes::from_static(&[14])),
            Err(RecordError::Unknown { number: 14, .. })
        ));
    }
}

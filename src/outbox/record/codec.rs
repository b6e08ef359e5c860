//! Records as bytes; see [`super`] for the layout.

use bytes::Bytes;

use super::{Alarm, AlarmKind, CloseReason, DeadLetter, ParcelId, ProvenRow, Record};
use crate::{
    bytes::{BytesError, Read, Reader, Writer},
    code::{Outcome, Refusal},
    id::{FeedSequence, LeafIndex},
    time::RecordedAt,
};

impl Record {
    /// Appends the record's bytes.
    pub fn encode(&self, out: &mut Vec<u8>) {
        let mut writer = Writer::behind(std::mem::take(out));
        self.write(&mut writer);
        *out = writer.into_vec();
    }

    fn write(&self, out: &mut Writer) {
        match self {
            Self::Opened { feed } => {
                out.u8(1);
                out.raw(feed.as_bytes());
            }
            Self::Queued {
                parcel,
                refusals,
                events,
            } => {
                out.u8(2);
                out.u64(parcel.get());
                out.u64((*refusals).into());
                write_list(out, events);
            }
            Self::Signed { parcel, envelope } => {
                out.u8(3);
                out.u64(parcel.get());
                out.bytes(envelope);
            }
            Self::Receipted {
                feed,
                at,
                rows,
                receipt,
            } => {
                out.u8(4);
                out.raw(feed.as_bytes());
                out.i64(*at);
                out.count(rows.len());
                for row in rows {
                    out.u64(row.sequence.get());
                    out.u64(row.index.get());
                    out.i64(row.recorded_at.as_nanos());
                    out.u64(row.outcome.number().into());
                    out.raw(row.leaf.as_bytes());
                }
                out.bytes(receipt);
            }
            Self::DeadLettered(letter) => {
                out.u8(5);
                out.u64(letter.parcel.get());
                out.raw(letter.feed.as_bytes());
                out.u64(letter.sequence.get());
                out.u64(letter.index.get());
                out.u64(letter.refusal.number().into());
                write_list(out, &letter.events);
            }
            Self::Released { parcel } => {
                out.u8(6);
                out.u64(parcel.get());
            }
            Self::Closed { feed, reason } => {
                out.u8(7);
                out.raw(feed.as_bytes());
                out.u8(*reason as u8);
            }
            Self::Reopened { feed, after, through } => {
                out.u8(8);
                out.raw(feed.as_bytes());
                out.u64(after.get());
                out.u64(through.get());
            }
            Self::Pruned { feed, through, hash } => {
                out.u8(9);
                out.raw(feed.as_bytes());
                out.u64(through.get());
                out.raw(hash.as_bytes());
            }
            Self::Abandoned { feed, sequence } => {
                out.u8(10);
                out.raw(feed.as_bytes());
                out.u64(sequence.get());
            }
            Self::CheckpointSeen { note } => {
                out.u8(11);
                out.bytes(note);
            }
            Self::Alarmed(alarm) => {
                out.u8(12);
                out.u8(alarm.kind as u8);
                out.raw(alarm.feed.as_bytes());
                out.i64(alarm.raised_at);
                write_list(out, &alarm.evidence);
            }
            Self::Numbered { next } => {
                out.u8(13);
                out.u64(next.get());
            }
        }
    }

    /// Reads the records of a batch.
    ///
    /// # Errors
    /// [`BytesError`], the first fault met.
    pub fn decode_all(batch: &Bytes) -> Result<Vec<Self>, BytesError> {
        let mut from = RecordReader {
            batch,
            from: Reader::new(batch),
        };
        let mut records = Vec::new();
        while !from.from.is_empty() {
            records.push(from.record()?);
        }
        Ok(records)
    }

    /// The bytes of a batch.
    pub fn encode_all<'a>(records: impl IntoIterator<Item = &'a Self>) -> Vec<u8> {
        let mut out = Writer::default();
        for record in records {
            record.write(&mut out);
        }
        out.into_vec()
    }
}

fn write_list(out: &mut Writer, items: &[Bytes]) {
    out.count(items.len());
    for item in items {
        out.bytes(item);
    }
}

/// A batch being read; what is kept of it shares its memory.
struct RecordReader<'a> {
    batch: &'a Bytes,
    from: Reader<'a>,
}

impl RecordReader<'_> {
    fn bytes(&mut self, field: &'static str) -> Read<Bytes> {
        self.from.bytes(field).map(|bytes| self.batch.slice_ref(bytes))
    }

    fn list(&mut self, field: &'static str) -> Read<Vec<Bytes>> {
        let batch = self.batch;
        self.from.many(field, |from| {
            from.bytes(field).map(|bytes| batch.slice_ref(bytes))
        })
    }

    fn sequence(&mut self, field: &'static str) -> Read<FeedSequence> {
        self.from.u64(field).map(FeedSequence::new)
    }

    fn parcel(&mut self) -> Read<ParcelId> {
        self.from.u64("parcel").map(ParcelId::new)
    }

    /// A byte that is the number of one of these.
    fn choice<T: Copy>(&mut self, field: &'static str, all: &[T], number_of: impl Fn(T) -> u8) -> Read<T> {
        let got = self.from.u8(field)?;
        let found = all.iter().copied().find(|choice| number_of(*choice) == got);
        found.ok_or(BytesError::Value {
            field,
            got: got.into(),
        })
    }

    fn record(&mut self) -> Read<Record> {
        Ok(match self.from.u8("kind of record")? {
            1 => Record::Opened {
                feed: self.from.feed("feed")?,
            },
            2 => Record::Queued {
                parcel: self.parcel()?,
                refusals: {
                    let got = self.from.u64("refusals")?;
                    let field = "refusals";
                    u32::try_from(got).map_err(|_| BytesError::Value { field, got })?
                },
                events: self.list("events")?,
            },
            3 => Record::Signed {
                parcel: self.parcel()?,
                envelope: self.bytes("envelope")?,
            },
            4 => Record::Receipted {
                feed: self.from.feed("feed")?,
                at: self.from.i64("time of the receipt")?,
                rows: self.from.many("rows", row)?,
                receipt: self.bytes("receipt")?,
            },
            5 => Record::DeadLettered(DeadLetter {
                parcel: self.parcel()?,
                feed: self.from.feed("feed")?,
                sequence: self.sequence("sequence")?,
                index: self.from.u64("index").map(LeafIndex::new)?,
                refusal: Reader::code("refusal", self.from.u64("refusal")?, Refusal::from_number)?,
                events: self.list("events")?,
            }),
            6 => Record::Released {
                parcel: self.parcel()?,
            },
            7 => Record::Closed {
                feed: self.from.feed("feed")?,
                reason: self.choice("reason", &CloseReason::ALL, |reason| reason as u8)?,
            },
            8 => Record::Reopened {
                feed: self.from.feed("feed")?,
                after: self.sequence("last sequence before")?,
                through: self.sequence("last sequence")?,
            },
            9 => Record::Pruned {
                feed: self.from.feed("feed")?,
                through: self.sequence("last sequence")?,
                hash: self.from.hash("statement hash")?,
            },
            10 => Record::Abandoned {
                feed: self.from.feed("feed")?,
                sequence: self.sequence("sequence")?,
            },
            11 => Record::CheckpointSeen {
                note: self.bytes("checkpoint")?,
            },
            12 => Record::Alarmed(Alarm {
                kind: self.choice("alarm", &AlarmKind::ALL, |kind| kind as u8)?,
                feed: self.from.feed("feed")?,
                raised_at: self.from.i64("time of the alarm")?,
                evidence: self.list("evidence")?,
            }),
            13 => Record::Numbered { next: self.parcel()? },
            number => {
                return Err(BytesError::Value {
                    field: "kind of record",
                    got: number.into(),
                });
            }
        })
    }
}

fn row(from: &mut Reader<'_>) -> Read<ProvenRow> {
    Ok(ProvenRow {
        sequence: from.u64("row's sequence").map(FeedSequence::new)?,
        index: from.u64("row's index").map(LeafIndex::new)?,
        recorded_at: RecordedAt::from_nanos(from.i64("row's time")?),
        outcome: Reader::code("outcome", from.u64("outcome")?, Outcome::from_number)?,
        leaf: from.hash("row's leaf")?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::{FeedId, Hash};

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
                let decoded = Record::decode_all(&bytes.slice(..len));
                assert!(
                    matches!(decoded, Err(BytesError::Short { .. })),
                    "{record:?}, {len}"
                );
            }
        }
        assert!(matches!(
            Record::decode_all(&Bytes::from_static(&[14])),
            Err(BytesError::Value {
                field: "kind of record",
                got: 14
            })
        ));
    }
}

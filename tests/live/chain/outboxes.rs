//! Reads outboxes from outside: every record in the file, whether a publisher is running on it or not.
//!
//! The layout is in the head of `src/shell/outbox_file.rs`. Only whole frames are taken; what is behind them
//! was never promised to anybody.

use std::{collections::BTreeMap, fs, path::Path};

use bytes::Bytes;
use lotproof::{
    envelope::Envelope,
    id::{FeedId, FeedSequence},
    outbox::{Alarm, DeadLetter, ParcelId, Record},
    wire::v1,
};
use prost::Message as _;

const HEADER_LEN: usize = 28;

/// What one outbox has written down.
#[derive(Clone, Debug, Default)]
pub(crate) struct Written {
    /// Every statement ever signed, with the parcel that it was.
    pub(crate) signed: BTreeMap<(FeedId, FeedSequence), (ParcelId, Bytes)>,
    /// Where each parcel's events went last: the statement, or nowhere yet.
    pub(crate) newest: BTreeMap<ParcelId, Option<(FeedId, FeedSequence)>>,
    /// Events of every parcel ever taken.
    pub(crate) events: BTreeMap<ParcelId, Vec<Bytes>>,
    /// Receipts as received.
    pub(crate) receipts: Vec<Bytes>,
    pub(crate) letters: Vec<DeadLetter>,
    pub(crate) alarms: Vec<Alarm>,
    pub(crate) checkpoints: Vec<Bytes>,
}

impl Written {
    /// Ids of every event taken, in the order taken.
    pub(crate) fn event_ids(&self) -> Vec<String> {
        let all = self.events.values().flatten();
        all.map(|event| v1::Event::decode(event.clone()).expect("an event").id)
            .collect()
    }

    fn take(&mut self, record: Record) {
        match record {
            Record::Queued { parcel, events, .. } => {
                self.events.insert(parcel, events);
                self.newest.insert(parcel, None);
            }
            Record::Signed { parcel, envelope } => {
                let decoded = Envelope::decode(envelope.clone()).expect("an envelope of our own");
                let place = (decoded.header().feed, decoded.header().sequence);
                let before = self.signed.insert(place, (parcel, envelope.clone()));
                assert!(
                    before.is_none_or(|(_, before)| before == envelope),
                    "signed twice: {place:?}"
                );
                self.events.insert(parcel, decoded.events().to_vec());
                self.newest.insert(parcel, Some(place));
            }
            Record::Receipted { receipt, .. } => self.receipts.push(receipt),
            Record::DeadLettered(letter) => self.letters.push(letter),
            Record::Alarmed(alarm) => self.alarms.push(alarm),
            Record::CheckpointSeen { note } => self.checkpoints.push(note),
            Record::Opened { .. }
            | Record::Released { .. }
            | Record::Closed { .. }
            | Record::Reopened { .. }
            | Record::Pruned { .. }
            | Record::Abandoned { .. }
            | Record::Numbered { .. } => {}
        }
    }
}

/// Reads an outbox's folder; empty if there is none yet.
pub(crate) fn read(folder: &Path) -> Written {
    let mut written = Written::default();
    let Ok(bytes) = fs::read(folder.join("outbox")) else {
        return written;
    };
    let mut rest = Bytes::from(bytes);
    if rest.len() < HEADER_LEN {
        return written;
    }
    let _header = rest.split_to(HEADER_LEN);
    while let Some((len, _)) = rest.split_first_chunk::<4>() {
        let len = usize::try_from(u32::from_be_bytes(*len)).expect("a length");
        if rest.len() < 8 + len {
            break;
        }
        let frame = rest.split_to(8 + len);
        for record in Record::decode_all(&frame.slice(8..)).expect("a whole frame") {
            written.take(record);
        }
    }
    written
}

//! What became of each event: a fold over the outbox's records.
//!
//! ```text
//! Queued, Signed   -> parcel -> which event ids, and where they stand
//! Receipted        -> proven: leaf index, checkpoint        Reopened  -> to be proven again
//! DeadLettered     -> refused for good; the id is free      Pruned    -> forgotten
//! ```
//!
//! The outbox's file is replayed through this at every start, so an event that the outbox owes is always known
//! here, and nothing else is. Events are known for as long as the outbox keeps their statements (30 days unless
//! told otherwise); afterwards the ledger is whom to ask, and a repeat counts as a repeated report there.

use std::{collections::BTreeMap, sync::Arc};

use bytes::Bytes;
use prost::Message as _;
use serde::Serialize;

use crate::{
    bytes::{Reader, WireValue},
    code::{Outcome, Refusal},
    envelope::Envelope,
    epcis,
    id::{FeedId, FeedSequence, Hash, LeafIndex, TreeSize},
    outbox::{ParcelId, ProvenRow, Record},
    time::RecordedAt,
    wire::v1,
};

/// Where an event stands, from its acceptance on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum EventState {
    /// Refused for what it is: the events of its statement wait for a person.
    DeadLetter,
    /// Refused for what the register lacks; goes out again by itself.
    Refused,
    /// Durable, waits to be signed.
    Queued,
    /// Signed and on its way until it is proven.
    Published,
    /// Proven to be admitted.
    Receipted,
}

/// What is known of one event.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct EventStatus {
    /// Its id.
    pub id: String,
    /// The least advanced of its statements' states.
    pub state: EventState,
    /// The statements that it travels in: one, or as many as a long event has parts.
    pub statements: Vec<StatementStatus>,
}

/// What is known of one statement.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct StatementStatus {
    /// Where it stands.
    pub state: EventState,
    /// Zero-based place of the event in the statement.
    pub event_number: u32,
    /// The feed, once it is signed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub feed: Option<FeedId>,
    /// The place in the feed, once it is signed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sequence: Option<FeedSequence>,
    /// The place in the log, once it is proven, or was refused there last.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub index: Option<LeafIndex>,
    /// `admitted`, once that is proven.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub outcome: Option<&'static str>,
    /// Why it was refused.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub code: Option<&'static str>,
    /// When the ledger took it, RFC 3339.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub recorded_at: Option<String>,
    /// Size of the log under the checkpoint that proved it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub checkpoint_size: Option<TreeSize>,
}

/// How an event id and its content stand to what is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// Not known, or refused for good: the id is free.
    New,
    /// The same event.
    Same,
    /// Another event has this id.
    Other,
}

/// Why an event cannot be withdrawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Kept {
    /// Nothing is known of it.
    #[error("no such event is known here; the ledger may know it")]
    Unknown,
    /// Signed, and not proven or refused yet.
    #[error("it is signed and on its way: if the ledger refuses it, it can be withdrawn then")]
    OnItsWay,
    /// Waits in one statement with others.
    #[error(
        "it waits in one statement with other events: once the ledger has refused them a few times, those that it \
         would take are in the log, and this one can be withdrawn"
    )]
    Shared,
    /// Proven.
    #[error("it is in the log, where nothing is taken back: declare it wrong")]
    Receipted,
    /// Refused for good.
    #[error("it is a dead letter: its id is free")]
    DeadLetter,
}

/// One slice of an event, or all of it.
#[derive(Clone, Copy, Debug)]
struct Slice {
    /// What it says, whatever document it came in.
    content: Hash,
    /// The same, whatever is under its seals.
    unopened: Hash,
    parcel: ParcelId,
    event_number: u32,
}

#[derive(Clone, Copy, Debug)]
enum Place {
    Queued {
        refused: Option<(Refusal, LeafIndex)>,
    },
    Signed {
        feed: FeedId,
        sequence: FeedSequence,
    },
    Proven {
        feed: FeedId,
        row: ProvenRow,
        size: TreeSize,
    },
    DeadLetter {
        feed: FeedId,
        sequence: FeedSequence,
        index: LeafIndex,
        refusal: Refusal,
    },
}

#[derive(Debug)]
struct Parcel {
    ids: Vec<Arc<str>>,
    place: Place,
}

/// The fold.
#[derive(Debug, Default)]
pub struct EventIndex {
    events: BTreeMap<Arc<str>, Vec<Slice>>,
    parcels: BTreeMap<ParcelId, Parcel>,
    statements: BTreeMap<(FeedId, FeedSequence), ParcelId>,
}

impl EventIndex {
    /// Takes one more record, in the order of the outbox's file.
    pub fn apply(&mut self, record: &Record) {
        match record {
            Record::Queued { parcel, events, .. } => {
                // Half of what another parcel carried until it was refused, or what this one did.
                let carrier = events.first().and_then(|event| self.carrier(event));
                let refused = self.refusal(carrier.unwrap_or(*parcel));
                self.place(*parcel, events, Place::Queued { refused });
            }
            Record::Signed { parcel, envelope } => {
                // The outbox has decoded it before.
                let Ok(envelope) = Envelope::decode(envelope.clone()) else {
                    return;
                };
                let (feed, sequence) = (envelope.header().feed, envelope.header().sequence);
                self.statements.insert((feed, sequence), *parcel);
                let known = self.parcels.contains_key(parcel);
                let events: Vec<Bytes> = if known {
                    Vec::new()
                } else {
                    envelope.events().to_vec()
                };
                self.place(*parcel, &events, Place::Signed { feed, sequence });
            }
            Record::Receipted {
                feed, rows, receipt, ..
            } => {
                let size = checkpoint_size(receipt);
                for row in rows {
                    self.replace(
                        *feed,
                        row.sequence,
                        Place::Proven {
                            feed: *feed,
                            row: *row,
                            size,
                        },
                    );
                }
            }
            Record::Reopened { feed, after, through } => {
                for sequence in (after.get() + 1..=through.get()).map(FeedSequence::new) {
                    self.replace(
                        *feed,
                        sequence,
                        Place::Signed {
                            feed: *feed,
                            sequence,
                        },
                    );
                }
            }
            Record::DeadLettered(letter) => {
                let place = Place::DeadLetter {
                    feed: letter.feed,
                    sequence: letter.sequence,
                    index: letter.index,
                    refusal: letter.refusal,
                };
                self.place(letter.parcel, &letter.events, place);
            }
            Record::Released { parcel } => self.forget(*parcel),
            Record::Pruned { feed, through, .. } => {
                let range = (*feed, FeedSequence::NONE)..=(*feed, *through);
                let gone: Vec<_> = self
                    .statements
                    .range(range)
                    .map(|(place, parcel)| (*place, *parcel))
                    .collect();
                for (statement, parcel) in gone {
                    self.statements.remove(&statement);
                    let is_last = self.parcels.get(&parcel).is_some_and(|held| match held.place {
                        Place::Signed { feed, sequence } => (feed, sequence) == statement,
                        Place::Proven { feed, row, .. } => (feed, row.sequence) == statement,
                        Place::Queued { .. } | Place::DeadLetter { .. } => false,
                    });
                    if is_last {
                        self.forget(parcel);
                    }
                }
            }
            Record::Opened { .. }
            | Record::Closed { .. }
            | Record::Abandoned { .. }
            | Record::CheckpointSeen { .. }
            | Record::Alarmed(_)
            | Record::Numbered { .. } => {}
        }
    }

    /// How many events are known.
    pub fn len(&self) -> usize {
        self.events.len()
    }

    /// Whether no event is known.
    pub fn is_empty(&self) -> bool {
        self.events.is_empty()
    }

    /// How an event with this id and these parts stands to what is known. `parts` is what each part says
    /// ([`Ready::contents`](super::intake::Ready)), so that an event is the same in another document.
    pub fn standing(&self, id: &str, parts: &[Hash]) -> Standing {
        let Some(slices) = self.events.get(id) else {
            return Standing::New;
        };
        let is_free = slices
            .iter()
            .any(|slice| self.state_of(slice.parcel) == EventState::DeadLetter);
        if is_free {
            Standing::New
        } else if slices.iter().map(|slice| &slice.content).eq(parts) {
            Standing::Same
        } else {
            Standing::Other
        }
    }

    /// Whether another event than these parts is known under the id, so that nothing said with them is about it.
    /// `parts` is what each says unopened ([`Ready::unopened`](super::intake::Ready::unopened)).
    pub fn is_another(&self, id: &str, parts: &[Hash]) -> bool {
        let slices = self.events.get(id);
        slices.is_some_and(|slices| !slices.iter().map(|slice| &slice.unopened).eq(parts))
    }

    /// What is known of an event.
    pub fn status(&self, id: &str) -> Option<EventStatus> {
        let slices = self.events.get(id)?;
        let statements: Vec<StatementStatus> = slices.iter().map(|slice| self.statement(slice)).collect();
        Some(EventStatus {
            id: id.to_owned(),
            state: statements.iter().map(|statement| statement.state).min()?,
            statements,
        })
    }

    /// The parcels that carry what is not proven of an event, if nothing of it is on its way, and nothing else is
    /// in them: giving those up withdraws the event.
    ///
    /// # Errors
    /// [`Kept`] if it cannot be withdrawn, or not now.
    pub fn withdrawable(&self, id: &str) -> Result<Vec<ParcelId>, Kept> {
        let slices = self.events.get(id).ok_or(Kept::Unknown)?;
        let mut parcels = Vec::new();
        for slice in slices {
            match self.state_of(slice.parcel) {
                EventState::DeadLetter => return Err(Kept::DeadLetter),
                EventState::Published => return Err(Kept::OnItsWay),
                EventState::Receipted => {}
                EventState::Refused | EventState::Queued => parcels.push(slice.parcel),
            }
        }
        parcels.dedup();
        let is_alone = |parcel: &ParcelId| {
            let held = self.parcels.get(parcel);
            held.is_some_and(|held| held.ids.iter().all(|other| other.as_ref() == id))
        };
        if parcels.is_empty() {
            Err(Kept::Receipted)
        } else if parcels.iter().all(is_alone) {
            Ok(parcels)
        } else {
            Err(Kept::Shared)
        }
    }

    /// Where an event stands in the log, once that is proven: for a long one, its last part.
    pub fn reference(&self, id: &str) -> Option<v1::EventReference> {
        let status = self
            .status(id)
            .filter(|status| status.state == EventState::Receipted)?;
        let last = status.statements.last()?;
        Some(v1::EventReference {
            leaf_index: last.index?.get(),
            event_number: last.event_number,
        })
    }

    fn place(&mut self, id: ParcelId, events: &[Bytes], place: Place) {
        if let Some(parcel) = self.parcels.get_mut(&id) {
            parcel.place = place;
            return;
        }
        let mut ids = Vec::with_capacity(events.len());
        for (event_number, bytes) in (0..).zip(events) {
            let Some((event_id, part)) = outline(bytes) else {
                continue;
            };
            let event_id: Arc<str> = event_id.into();
            let content = epcis::said(bytes);
            let slice = Slice {
                content,
                unopened: unopened(bytes, content),
                parcel: id,
                event_number,
            };
            let slices = self.events.entry(event_id.clone()).or_default();
            let position = part.saturating_sub(1) as usize;
            match slices.get_mut(position) {
                // Sent again: its neighbours stay what they are.
                Some(known) if known.content == slice.content => *known = slice,
                _ => {
                    if position == 0 || slices.len() != position {
                        slices.clear();
                    }
                    slices.push(slice);
                }
            }
            ids.push(event_id);
        }
        self.parcels.insert(id, Parcel { ids, place });
    }

    /// The parcel that carries this very event, or part of one.
    fn carrier(&self, event: &Bytes) -> Option<ParcelId> {
        let (id, part) = outline(event)?;
        let slices = self.events.get(id)?;
        let slice = slices.get(part.saturating_sub(1) as usize)?;
        (slice.content == epcis::said(event)).then_some(slice.parcel)
    }

    /// Why and where a parcel was refused last, if it waits to go out again.
    fn refusal(&self, parcel: ParcelId) -> Option<(Refusal, LeafIndex)> {
        match self.parcels.get(&parcel)?.place {
            Place::Proven {
                row:
                    ProvenRow {
                        index,
                        outcome: Outcome::Refused(refusal),
                        ..
                    },
                ..
            } => Some((refusal, index)),
            Place::Queued { refused } => refused,
            Place::Proven { .. } | Place::Signed { .. } | Place::DeadLetter { .. } => None,
        }
    }

    fn replace(&mut self, feed: FeedId, sequence: FeedSequence, place: Place) {
        let parcel = self.statements.get(&(feed, sequence));
        if let Some(parcel) = parcel.and_then(|parcel| self.parcels.get_mut(parcel)) {
            parcel.place = place;
        }
    }

    fn forget(&mut self, id: ParcelId) {
        let Some(parcel) = self.parcels.remove(&id) else {
            return;
        };
        for event_id in parcel.ids {
            let is_there = |slices: &Vec<Slice>| slices.iter().any(|slice| slice.parcel == id);
            if self.events.get(&event_id).is_some_and(is_there) {
                self.events.remove(&event_id);
            }
        }
    }

    fn state_of(&self, parcel: ParcelId) -> EventState {
        match self.parcels.get(&parcel).map(|parcel| parcel.place) {
            // A slice without its parcel was forgotten with it.
            None => EventState::Receipted,
            Some(Place::Queued { refused: Some(_) }) => EventState::Refused,
            Some(Place::Queued { refused: None }) => EventState::Queued,
            Some(Place::Signed { .. }) => EventState::Published,
            Some(Place::Proven { row, .. }) => match row.outcome {
                Outcome::Admitted => EventState::Receipted,
                // Whether it goes out again or becomes a letter stands in a record of the same batch: until that
                // is applied the id is not free, or somebody could publish beside what goes out again.
                Outcome::Refused(_) => EventState::Refused,
            },
            Some(Place::DeadLetter { .. }) => EventState::DeadLetter,
        }
    }

    fn statement(&self, slice: &Slice) -> StatementStatus {
        let mut status = StatementStatus {
            state: self.state_of(slice.parcel),
            event_number: slice.event_number,
            feed: None,
            sequence: None,
            index: None,
            outcome: None,
            code: None,
            recorded_at: None,
            checkpoint_size: None,
        };
        match self.parcels.get(&slice.parcel).map(|parcel| parcel.place) {
            None => {}
            Some(Place::Queued { refused }) => {
                status.code = refused.map(|(refusal, _)| refusal.name());
                status.index = refused.map(|(_, index)| index);
            }
            Some(Place::Signed { feed, sequence }) => {
                (status.feed, status.sequence) = (Some(feed), Some(sequence));
            }
            Some(Place::Proven { feed, row, size }) => {
                (status.feed, status.sequence) = (Some(feed), Some(row.sequence));
                (status.index, status.checkpoint_size) = (Some(row.index), Some(size));
                status.recorded_at = Some(RecordedAt::to_string(&row.recorded_at));
                match row.outcome {
                    Outcome::Admitted => status.outcome = Some("admitted"),
                    Outcome::Refused(refusal) => status.code = Some(refusal.name()),
                }
            }
            Some(Place::DeadLetter {
                feed,
                sequence,
                index,
                refusal,
            }) => {
                (status.feed, status.sequence) = (Some(feed), Some(sequence));
                (status.index, status.code) = (Some(index), Some(refusal.name()));
            }
        }
        status
    }
}

/// What an event says, whatever is under its seals: whoever seals a field again gets another digest of it.
/// `content` is what it says with them.
pub(super) fn unopened(bytes: &[u8], content: Hash) -> Hash {
    match v1::Event::decode(bytes) {
        Ok(mut event) if !event.sealed.is_empty() => {
            for sealed in &mut event.sealed {
                sealed.digest.clear();
            }
            epcis::said(&event.encode_to_vec())
        }
        _ => content,
    }
}

/// An encoded event's id and part number (zero if it is whole), without decoding the rest.
fn outline(bytes: &[u8]) -> Option<(&str, u32)> {
    let mut id = None;
    let mut part = 0;
    let mut from = Reader::new(bytes);
    while !from.is_empty() {
        let (number, WireValue::Bytes(content)) = from.message_field().ok()? else {
            continue;
        };
        match number {
            1 => id = Some(std::str::from_utf8(content).ok()?),
            5 => part = v1::Part::decode(content).ok()?.number,
            // Fields ascend.
            6.. => break,
            _ => {}
        }
    }
    id.map(|id| (id, part))
}

/// Size that the checkpoint of a verified receipt states, on its second line.
fn checkpoint_size(receipt: &Bytes) -> TreeSize {
    let size = v1::Receipt::decode(receipt.clone()).ok().and_then(|receipt| {
        let note = String::from_utf8(receipt.checkpoint).ok()?;
        note.lines().nth(1)?.parse().ok()
    });
    TreeSize::new(size.unwrap_or_default())
}

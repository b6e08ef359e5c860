//! From entries to what they mean: follows a log entry by entry, and feeds what counts to the projection.
//!
//! Admitted statements' events are applied with the parts of long events joined, and acts of the authority
//! when they take effect. Entries are taken as they stand in the log: whoever calls has checked that they
//! are the log's ([`Projector::head`] against a signed checkpoint), and signatures and outcomes are the
//! audit's business.

use std::collections::BTreeMap;

use bytes::Bytes;
use prost::Message as _;

use crate::{
    admission::{FoldError, LedgerState},
    code::Outcome,
    entry::{Body, Entry},
    envelope::{Envelope, Header},
    event::parts::join_parts,
    id::{FeedId, TreeSize},
    log::{
        hash::leaf_hash,
        tree::{Frontier, LogHead},
    },
    provenance::{AppliedEvent, Projection},
    register::EventPlace,
    time::RecordedAt,
    wire::v1,
};

/// A log's state and projection at one size.
#[derive(Debug, Default)]
pub struct Projector {
    state: Option<LedgerState>,
    frontier: Frontier,
    projection: Projection,
    /// Parts of long events that have not all arrived, by feed.
    open: BTreeMap<FeedId, Vec<v1::Event>>,
}

impl Projector {
    /// Before any entry.
    pub fn new() -> Self {
        Self::default()
    }

    /// The head that the entries so far make, to be compared with a signed one.
    pub fn head(&self) -> LogHead {
        self.frontier.head()
    }

    /// How many entries were taken.
    pub fn size(&self) -> TreeSize {
        self.frontier.size()
    }

    /// The ledger's state; none before entry 0.
    pub const fn state(&self) -> Option<&LedgerState> {
        self.state.as_ref()
    }

    /// What the entries add up to.
    pub const fn projection(&self) -> &Projection {
        &self.projection
    }

    /// To open sealed fields.
    pub const fn projection_mut(&mut self) -> &mut Projection {
        &mut self.projection
    }

    /// Takes the next entry.
    ///
    /// # Errors
    /// [`FoldError`] if it cannot follow the ones before.
    pub fn take(&mut self, bytes: &Bytes) -> Result<(), FoldError> {
        let Some(state) = &mut self.state else {
            self.state = Some(LedgerState::from_genesis(bytes)?);
            self.frontier.push(leaf_hash(bytes));
            return Ok(());
        };
        let leaf_index = state.size().next_index();
        let taken = state.take_entry(bytes)?;
        self.frontier.push(leaf_hash(bytes));
        let entry = Entry::decode(bytes)?;
        let Body::Statement { envelope, outcome } = entry.body else {
            return Ok(());
        };
        let envelope = Envelope::decode(envelope)?;
        let header = envelope.header();
        if outcome != Outcome::Admitted {
            self.open.remove(&header.feed);
            return Ok(());
        }
        for (place, act) in &taken.effective_acts {
            let event = act.encode_to_vec();
            self.projection
                .apply(&applied(*place, header, entry.recorded_at, true, &event));
        }
        if state.register().key(header.feed).is_some_and(|key| key.authority) {
            return Ok(());
        }
        for (event_number, checked) in (0..).zip(&taken.events) {
            let joined;
            let event: &[u8] = if checked.part().is_some() {
                let Some(whole) = self.whole(header.feed, checked.decode()) else {
                    continue;
                };
                joined = whole.encode_to_vec();
                &joined
            } else {
                self.open.remove(&header.feed);
                checked.bytes()
            };
            let place = EventPlace {
                leaf_index,
                event_number,
            };
            self.projection
                .apply(&applied(place, header, entry.recorded_at, false, event));
        }
        Ok(())
    }

    /// The whole event of which this is a part, if it is the last one.
    fn whole(&mut self, feed: FeedId, event: v1::Event) -> Option<v1::Event> {
        let part = event.part?;
        let parts = self.open.entry(feed).or_default();
        if part.number == 1 {
            parts.clear();
        }
        parts.push(event);
        if part.number < part.count {
            return None;
        }
        // Admission let only fitting parts follow each other.
        self.open.remove(&feed).and_then(|parts| join_parts(&parts).ok())
    }
}

const fn applied<'a>(
    place: EventPlace,
    header: &'a Header,
    recorded_at: RecordedAt,
    by_authority: bool,
    event: &'a [u8],
) -> AppliedEvent<'a> {
    AppliedEvent {
        place,
        issuer: header.issuer.as_str(),
        feed: header.feed,
        recorded_at,
        issued_at: header.issued_at,
        by_authority,
        event,
    }
}

//! The fold over the entries: what deciding reads, at one position of the log. The writer takes what it has
//! decided; recovery and auditors take entries as they stand. All of them end in the same two steps,
//! `take_statement` and `take_own_with`.

use std::{collections::BTreeMap, sync::Arc};

use bytes::Bytes;

use super::{
    BadEvent, Decided, Feed, FeedRow, OlderRows, RowChunk,
    decide::known_row,
    feed::{FullChunk, Window},
    parts::next_open,
    prepare::check_events,
};
use crate::{
    code::Outcome,
    entry::{Body, Entry, EntryError},
    envelope::{DecodeError, Envelope, Header},
    event::CheckedEvent,
    id::{FeedId, FeedSequence, Hash, LeafIndex, LogId, TreeSize},
    register::{EventPlace, GenesisError, Register},
    time::RecordedAt,
    wire::v1::{self, ledger_record::Record},
};

/// Why an entry cannot follow a log's prefix.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FoldError {
    /// Not an entry.
    #[error("not an entry")]
    Entry(#[from] EntryError),
    /// Entry 0 is not a genesis, or a genesis stands elsewhere.
    #[error("a genesis stands at entry 0 and nowhere else")]
    GenesisPlace,
    /// A genesis that contradicts itself.
    #[error("genesis")]
    Genesis(#[from] GenesisError),
    /// The envelope in an entry is not one.
    #[error("the envelope does not decode")]
    Envelope(#[from] DecodeError),
    /// An admitted statement has an event that no rule admits.
    #[error("admitted with a bad event")]
    Event(#[from] BadEvent),
    /// The statement is not the next of its feed.
    #[error("the statement does not continue its feed")]
    FeedBroken,
    /// Recorded time went backwards.
    #[error("recorded time {got} is before {last}")]
    TimeReversed {
        /// Of the entry before.
        last: RecordedAt,
        /// Of this entry.
        got: RecordedAt,
    },
    /// Evidence names an entry that is not what it says.
    #[error("the evidence does not hold")]
    Evidence,
}

/// Everything that deciding reads: the register and every feed, at one position of the log.
#[derive(Clone, Debug, PartialEq)]
pub struct LedgerState {
    pub(super) log_id: LogId,
    pub(super) genesis: v1::Genesis,
    pub(super) size: TreeSize,
    pub(super) recorded_at: RecordedAt,
    pub(super) register: Arc<Register>,
    pub(super) feeds: BTreeMap<FeedId, Feed>,
    pub(super) window: Window,
}

/// What taking an entry brought about: what a projection applies.
#[derive(Clone, Debug, Default)]
pub struct Taken {
    /// Acts of the authority that took effect with this entry.
    pub effective_acts: Vec<(EventPlace, v1::Event)>,
    /// The events of an admitted statement that was taken as an entry: checked on the way, so not once more.
    pub events: Vec<CheckedEvent>,
}

impl LedgerState {
    /// The state after entry 0.
    ///
    /// # Errors
    /// [`FoldError`] if the bytes are not a genesis that can be followed.
    pub fn from_genesis(entry_bytes: &Bytes) -> Result<Self, FoldError> {
        let entry = Entry::decode(entry_bytes)?;
        let Body::Record(Record::Genesis(genesis)) = entry.body else {
            return Err(FoldError::GenesisPlace);
        };
        Ok(Self {
            log_id: LogId::new(Hash::of(&[&[0], entry_bytes])),
            register: Arc::new(Register::from_genesis(&genesis)?),
            genesis,
            size: TreeSize::new(1),
            recorded_at: entry.recorded_at,
            feeds: BTreeMap::new(),
            window: Window::default(),
        })
    }

    /// Which ledger.
    pub const fn log_id(&self) -> LogId {
        self.log_id
    }

    /// Entry 0.
    pub const fn genesis(&self) -> &v1::Genesis {
        &self.genesis
    }

    /// How many entries this state adds up.
    pub const fn size(&self) -> TreeSize {
        self.size
    }

    /// Recorded time of the newest entry.
    pub const fn recorded_at(&self) -> RecordedAt {
        self.recorded_at
    }

    /// Parties, keys, facilities, parameters.
    pub fn register(&self) -> &Register {
        &self.register
    }

    /// The register as it is now, for whoever needs it to stay so while this state goes on.
    pub fn register_now(&self) -> Arc<Register> {
        Arc::clone(&self.register)
    }

    /// What stands in the log of a feed.
    pub fn feed(&self, feed: FeedId) -> Option<&Feed> {
        self.feeds.get(&feed)
    }

    /// Takes a decided statement into the state, at the next index.
    pub fn take(&mut self, decided: &Decided) -> Taken {
        let statement = decided.prepared().statement();
        let events = decided.prepared().events().unwrap_or_default();
        self.take_statement(
            statement.header(),
            statement.hash(),
            events,
            decided.outcome(),
            decided.recorded_at,
        )
    }

    /// [`take_own_with`](Self::take_own_with), for a state that never let go of a row.
    ///
    /// # Errors
    /// [`FoldError`] if it cannot stand there; the state is as before.
    ///
    /// # Panics
    /// If it did, and evidence is about one of them.
    pub fn take_own(&mut self, entry: &Entry) -> Result<Taken, FoldError> {
        self.take_own_with(entry, &OlderRows::NONE)
    }

    /// Takes a record of the ledger's own, or evidence, into the state, at the next index.
    ///
    /// # Errors
    /// [`FoldError`] if it cannot stand there; the state is as before.
    ///
    /// # Panics
    /// If `older` lacks the row that evidence is about: see [`older_row_for_entry`](Self::older_row_for_entry).
    pub fn take_own_with(&mut self, entry: &Entry, older: &OlderRows) -> Result<Taken, FoldError> {
        if entry.recorded_at < self.recorded_at {
            return Err(FoldError::TimeReversed {
                last: self.recorded_at,
                got: entry.recorded_at,
            });
        }
        match &entry.body {
            Body::Statement { .. } | Body::Record(Record::Genesis(_)) => return Err(FoldError::GenesisPlace),
            Body::Record(Record::GuardReseeded(_) | Record::ClockAccepted(_)) => {}
            Body::Evidence {
                first_index,
                envelope,
            } => {
                let second = Envelope::decode(envelope.clone())?;
                let header = second.header();
                let feed = self.feeds.get_mut(&header.feed).ok_or(FoldError::Evidence)?;
                let first = *known_row(feed, header, older).ok_or(FoldError::Evidence)?;
                if header.log_id != self.log_id
                    || feed.equivocated
                    || first.index != *first_index
                    || first.hash == second.hash()
                {
                    return Err(FoldError::Evidence);
                }
                feed.equivocated = true;
            }
        }
        self.advance(entry.recorded_at);
        Ok(Taken::default())
    }

    /// [`take_entry_with`](Self::take_entry_with), for a state that never let go of a row.
    ///
    /// # Errors
    /// [`FoldError`] if it cannot follow this prefix; the state is as before.
    ///
    /// # Panics
    /// If it did, and evidence is about one of them.
    pub fn take_entry(&mut self, bytes: &Bytes) -> Result<Taken, FoldError> {
        self.take_entry_with(bytes, &OlderRows::NONE)
    }

    /// Takes any entry as it stands in the log, trusting its signature and outcome: what recovery runs, and
    /// what an auditor runs after checking both.
    ///
    /// # Errors
    /// [`FoldError`] if it cannot follow this prefix; the state is as before.
    ///
    /// # Panics
    /// If `older` lacks the row that evidence is about: see [`older_row_for_entry`](Self::older_row_for_entry).
    pub fn take_entry_with(&mut self, bytes: &Bytes, older: &OlderRows) -> Result<Taken, FoldError> {
        let entry = Entry::decode(bytes)?;
        let Body::Statement { envelope, outcome } = &entry.body else {
            return self.take_own_with(&entry, older);
        };
        if entry.recorded_at < self.recorded_at {
            return Err(FoldError::TimeReversed {
                last: self.recorded_at,
                got: entry.recorded_at,
            });
        }
        let envelope = Envelope::decode(envelope.clone())?;
        let header = envelope.header();
        let last = self
            .feeds
            .get(&header.feed)
            .map_or((FeedSequence::NONE, Hash::ZERO), |feed| {
                (feed.last(), feed.last_hash())
            });
        if last.0.next() != Some(header.sequence) || last.1 != header.previous || self.log_id != header.log_id
        {
            return Err(FoldError::FeedBroken);
        }
        let events = match outcome {
            Outcome::Admitted => check_events(envelope.events())?,
            Outcome::Refused(_) => Vec::new(),
        };
        let taken = self.take_statement(header, envelope.hash(), &events, *outcome, entry.recorded_at);
        Ok(Taken { events, ..taken })
    }

    pub(super) fn take_statement(
        &mut self,
        header: &Header,
        hash: Hash,
        events: &[CheckedEvent],
        outcome: Outcome,
        recorded_at: RecordedAt,
    ) -> Taken {
        let index = self.size.next_index();
        let feed = self.feeds.entry(header.feed).or_default();
        assert_eq!(
            feed.last().next(),
            Some(header.sequence),
            "only the next statement of a feed is taken"
        );
        let full = feed.push(FeedRow {
            index,
            hash,
            recorded_at,
            outcome,
        });
        if let Some(number) = full {
            self.window.push(FullChunk {
                feed: header.feed,
                number,
                last: index,
            });
        }
        let mut taken = Taken::default();
        if outcome == Outcome::Admitted {
            for event in events {
                feed.open = next_open(feed.open.as_ref(), event).unwrap_or_default();
            }
            if self.register.key(header.feed).is_some_and(|key| key.authority) {
                let register = Arc::make_mut(&mut self.register);
                for (number, event) in (0..).zip(events) {
                    let place = EventPlace {
                        leaf_index: index,
                        event_number: number,
                    };
                    taken
                        .effective_acts
                        .extend(register.take(place, header.feed, event));
                }
            }
        } else {
            feed.open = None;
        }
        self.advance(recorded_at);
        taken
    }

    /// The row that has to be looked up before a statement is decided, if its own was let go.
    pub fn older_row_for(&self, statement: &Header) -> Option<(FeedId, FeedSequence)> {
        let feed = self.feeds.get(&statement.feed)?;
        feed.is_gone(statement.sequence)
            .then_some((statement.feed, statement.sequence))
    }

    /// The row that has to be looked up before an entry is taken: evidence about one that was let go.
    pub fn older_row_for_entry(&self, bytes: &Bytes) -> Option<(FeedId, FeedSequence)> {
        if !Entry::is_evidence(bytes) {
            return None;
        }
        match Entry::decode(bytes).ok()?.body {
            Body::Evidence { envelope, .. } => {
                let envelope = Envelope::decode(envelope).ok()?;
                self.older_row_for(envelope.header())
            }
            Body::Statement { .. } | Body::Record(_) => None,
        }
    }

    /// Chunks of rows that are full and not yet marked as kept, in the order in which they became so.
    pub fn full_chunks(&self) -> Vec<RowChunk> {
        let chunk = |full: &FullChunk| {
            let rows = self.feeds.get(&full.feed)?.chunk(full.number)?;
            Some(RowChunk {
                feed: full.feed,
                number: full.number,
                rows,
            })
        };
        self.window.not_kept().filter_map(chunk).collect()
    }

    /// The first `count` of [`full_chunks`](Self::full_chunks) can be looked up from now on; of all that can,
    /// lets go of those whose rows are all of entries before `before`.
    pub fn let_go(&mut self, count: usize, before: LeafIndex) {
        self.window.mark_kept(count);
        while let Some(chunk) = self.window.take_before(before) {
            if let Some(feed) = self.feeds.get_mut(&chunk.feed) {
                feed.let_go(chunk.number);
            }
        }
    }

    pub(super) fn advance(&mut self, recorded_at: RecordedAt) {
        self.size = self.size.next_index().size_after();
        self.recorded_at = recorded_at;
    }
}

/// The encoding of a genesis entry, which decides the ledger's identity.
///
/// # Errors
/// [`FoldError`] if the genesis contradicts itself or is out of form.
pub fn genesis_entry(genesis: v1::Genesis, recorded_at: RecordedAt) -> Result<Bytes, FoldError> {
    let bytes = Entry {
        recorded_at,
        body: Body::Record(Record::Genesis(genesis)),
    }
    .encode();
    LedgerState::from_genesis(&bytes)?;
    Ok(bytes)
}

//! Stage three, *decide*: what a verified statement becomes, as a pure function of the prefix, the bytes and
//! the recorded time.
//!
//! | sequence against the feed's last | and | is |
//! |---|---|---|
//! | `<= last` | same hash | [`NoPlace::Duplicate`] |
//! | `<= last` | other hash | [`NoPlace::Equivocation`] |
//! | beyond what the key may publish | | [`NoPlace::FeedClosed`] |
//! | `> last + 1` | | [`NoPlace::Gap`] |
//! | `last + 1` | previous differs | [`NoPlace::ChainBroken`] |
//! | `last + 1` | previous = last hash | an entry: admitted, or refused with a code |
//!
//! A statement that has its place always takes it, admitted or refused whole; the next one chains on its
//! hash either way, so nothing is ever signed twice. [`LedgerState`] is a fold over the entries: the writer,
//! its recovery and every auditor run the same [`LedgerState::decide`] and the same [`LedgerState::take`].
//! Spec: `proto/README.md`, "Admission".

use std::{collections::BTreeMap, sync::Arc};

use bytes::Bytes;

use self::feed::{FullChunk, Window};
use crate::{
    code::{AnswerCode, Outcome, Refusal},
    entry::{Body, Entry, EntryError},
    envelope::{DecodeError, Envelope, Header},
    event::{self, CheckedEvent, EventError, EventPart},
    id::{FeedId, FeedSequence, Hash, LeafIndex, LogId, TreeSize},
    register::{EventPlace, GenesisError, Register},
    signature::{VerifiedStatement, VerifyError},
    time::RecordedAt,
    wire::v1::{self, event::Kind, ledger_record::Record},
};

/// A verified statement with its events read: everything that can be found out without the ledger's state,
/// and so on all cores.
#[derive(Clone, Debug)]
pub struct Prepared {
    statement: VerifiedStatement,
    events: Result<Vec<CheckedEvent>, BadEvent>,
}

/// The first event of a statement that is refused for its bytes alone.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("event {number}")]
pub struct BadEvent {
    /// Zero-based.
    pub number: usize,
    /// What is wrong with it.
    #[source]
    pub error: EventError,
}

impl Prepared {
    /// Decodes, verifies and reads `bytes`.
    ///
    /// # Errors
    /// [`NoPlace`]: too long, malformed, or not signed by the key it names.
    pub fn from_bytes(bytes: Bytes) -> Result<Self, NoPlace> {
        let envelope = Envelope::decode(bytes)?; // Well formed and within limits?
        let statement = envelope.verify()?; // Who signed exactly these bytes?
        Ok(Self::from_verified(statement))
    }

    fn from_verified(statement: VerifiedStatement) -> Self {
        let events = check_events(statement.events());
        Self { statement, events }
    }

    /// What the statement says about itself.
    pub const fn header(&self) -> &Header {
        self.statement.header()
    }

    /// The verified statement.
    pub const fn statement(&self) -> &VerifiedStatement {
        &self.statement
    }

    /// Its events, or the first that is refused whoever signs it.
    ///
    /// # Errors
    /// The [`BadEvent`].
    pub fn events(&self) -> Result<&[CheckedEvent], &BadEvent> {
        self.events.as_deref()
    }
}

fn check_events(events: &[Bytes]) -> Result<Vec<CheckedEvent>, BadEvent> {
    let check = |(number, event)| event::check(event).map_err(|error| BadEvent { number, error });
    events.iter().enumerate().map(check).collect()
}

/// Why a message gets no place in the log.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NoPlace {
    /// Longer than the format allows.
    #[error("oversize")]
    Oversize,
    /// Not a canonical envelope and header.
    #[error("malformed")]
    Malformed(#[source] DecodeError),
    /// Not signed by the key it names.
    #[error("bad signature")]
    BadSignature(#[from] VerifyError),
    /// For another ledger.
    #[error("statement for ledger {got}")]
    OtherLedger {
        /// The ledger it names.
        got: LogId,
    },
    /// The key is not enrolled.
    #[error("the key is not enrolled")]
    UnknownKey,
    /// The feed ended before this sequence.
    #[error("the feed is closed")]
    FeedClosed,
    /// Earlier statements are missing.
    #[error("expected sequence {expected}")]
    Gap {
        /// The sequence that comes next.
        expected: FeedSequence,
    },
    /// It names another predecessor than the log has.
    #[error("sequence {expected} does not name the hash of the statement before")]
    ChainBroken {
        /// The sequence that comes next: this one's.
        expected: FeedSequence,
    },
    /// Handling it stopped the ledger twice.
    #[error("set aside")]
    Poison,
    /// It stands in the log already.
    #[error("already entry {index}")]
    Duplicate {
        /// Where.
        index: LeafIndex,
    },
    /// The feed said something else at this sequence, and that counts.
    #[error("entry {first} holds another statement of this feed and sequence")]
    Equivocation {
        /// Where the first one stands.
        first: LeafIndex,
        /// Whether this is the feed's first equivocation, which is recorded as evidence.
        is_news: bool,
    },
}

impl From<DecodeError> for NoPlace {
    fn from(error: DecodeError) -> Self {
        match error {
            DecodeError::Oversize { .. } => Self::Oversize,
            other => Self::Malformed(other),
        }
    }
}

impl NoPlace {
    /// The code of the signed answer; none for what is settled by a receipt or an evidence entry.
    pub const fn answer(&self) -> Option<AnswerCode> {
        match self {
            Self::Oversize => Some(AnswerCode::Oversize),
            Self::Malformed(_) => Some(AnswerCode::Malformed),
            Self::BadSignature(_) => Some(AnswerCode::BadSignature),
            Self::OtherLedger { .. } => Some(AnswerCode::OtherLedger),
            Self::UnknownKey => Some(AnswerCode::UnknownKey),
            Self::FeedClosed => Some(AnswerCode::FeedClosed),
            Self::Gap { .. } => Some(AnswerCode::Gap),
            Self::ChainBroken { .. } => Some(AnswerCode::ChainBroken),
            Self::Poison => Some(AnswerCode::Poison),
            Self::Duplicate { .. } | Self::Equivocation { .. } => None,
        }
    }
}

/// A statement with its place and outcome, not yet appended.
#[derive(Clone, Debug)]
pub struct Decided {
    prepared: Prepared,
    outcome: Outcome,
    recorded_at: RecordedAt,
}

impl Decided {
    /// What was decided.
    pub const fn outcome(&self) -> Outcome {
        self.outcome
    }

    /// The statement.
    pub const fn prepared(&self) -> &Prepared {
        &self.prepared
    }

    /// The entry that it becomes.
    pub fn to_entry(&self) -> Entry {
        let envelope = self.prepared.statement.envelope_bytes().clone();
        Entry {
            recorded_at: self.recorded_at,
            body: Body::Statement {
                envelope,
                outcome: self.outcome,
            },
        }
    }
}

/// A long event of which some parts have been admitted.
#[derive(Clone, Debug, PartialEq, Eq)]
struct OpenEvent {
    id: String,
    next: u32,
    count: u32,
    scalars: Hash,
}

/// What follows an event's part: the event that stays open, or that the part is out of place. An event
/// without part, and part 1 of another, abandon what was open.
fn next_open(open: Option<&OpenEvent>, event: &CheckedEvent) -> Result<Option<OpenEvent>, Refusal> {
    let Some(EventPart {
        number,
        count,
        scalars,
    }) = event.part()
    else {
        return Ok(None);
    };
    if number > 1 {
        let fits = open.is_some_and(|open| {
            open.next == number && open.count == count && open.scalars == scalars && open.id == event.id()
        });
        if !fits {
            return Err(Refusal::PartOutOfPlace);
        }
    }
    Ok((number < count).then(|| OpenEvent {
        id: event.id().to_owned(),
        next: number + 1,
        count,
        scalars,
    }))
}

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
    log_id: LogId,
    genesis: v1::Genesis,
    size: TreeSize,
    recorded_at: RecordedAt,
    register: Arc<Register>,
    feeds: BTreeMap<FeedId, Feed>,
    window: Window,
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

    /// [`decide_with`](Self::decide_with), for a state that never let go of a row.
    ///
    /// # Errors
    /// [`NoPlace`] if it takes no place in the log.
    ///
    /// # Panics
    /// If it did, and the statement's is one of them.
    pub fn decide(&self, prepared: Prepared, recorded_at: RecordedAt) -> Result<Decided, NoPlace> {
        self.decide_with(prepared, recorded_at, &OlderRows::NONE)
    }

    /// Decides what a statement becomes at `recorded_at`, which must not be before the newest entry's.
    ///
    /// # Errors
    /// [`NoPlace`] if it takes no place in the log.
    ///
    /// # Panics
    /// If `older` lacks the row that [`older_row_for`](Self::older_row_for) names.
    pub fn decide_with(
        &self,
        prepared: Prepared,
        recorded_at: RecordedAt,
        older: &OlderRows,
    ) -> Result<Decided, NoPlace> {
        assert!(recorded_at >= self.recorded_at, "recorded time never decreases");
        let header = prepared.header();
        if header.log_id != self.log_id {
            return Err(NoPlace::OtherLedger { got: header.log_id });
        }
        let key = self.register.key(header.feed).ok_or(NoPlace::UnknownKey)?;
        let unheard = Feed::default();
        let feed = self.feeds.get(&header.feed).unwrap_or(&unheard);
        if let Some(row) = known_row(feed, header, older) {
            let hash = prepared.statement.hash();
            return Err(if row.hash == hash {
                NoPlace::Duplicate { index: row.index }
            } else {
                NoPlace::Equivocation {
                    first: row.index,
                    is_news: !feed.equivocated,
                }
            });
        }
        if !key.admits(header.sequence) {
            return Err(NoPlace::FeedClosed);
        }
        let expected = FeedSequence::new(feed.last().get() + 1);
        if header.sequence != expected {
            return Err(NoPlace::Gap { expected });
        }
        if header.previous != feed.last_hash() {
            return Err(NoPlace::ChainBroken { expected });
        }
        let outcome = match self.validate(&prepared, &key.party, key.authority, feed, recorded_at) {
            Ok(()) => Outcome::Admitted,
            Err(refusal) => Outcome::Refused(refusal),
        };
        Ok(Decided {
            prepared,
            outcome,
            recorded_at,
        })
    }

    /// Whether a statement in its place is admitted: the ledger's own limits first, then its events' bytes,
    /// whose word it is, and then event by event.
    ///
    /// That it is longer than the parameters allow is no reason to give it no place: it was within them when it
    /// was signed, or its publisher did not know them, and it is never signed again.
    fn validate(
        &self,
        prepared: &Prepared,
        party: &str,
        authority: bool,
        feed: &Feed,
        recorded_at: RecordedAt,
    ) -> Result<(), Refusal> {
        let parameters = self.register.parameters();
        if prepared.statement.statement_len() > parameters.statement_len_max as usize
            || prepared.statement.events().len() > parameters.statement_events_max as usize
        {
            return Err(Refusal::OverLimit);
        }
        let events = prepared.events().map_err(|bad| bad.error.refusal())?;
        let header = prepared.header();
        if header.issuer != party {
            return Err(Refusal::WrongParty);
        }
        let skew_ms = parameters.clock_skew_ms;
        if recorded_at.is_before_by_more_than(header.issued_at.as_nanos(), skew_ms) {
            return Err(Refusal::TimeAhead);
        }
        let mut open = feed.open.clone();
        for event in events {
            open = next_open(open.as_ref(), event)?;
            if event
                .part()
                .is_some_and(|part| part.count > parameters.event_parts_max)
            {
                return Err(Refusal::PartOutOfPlace);
            }
            self.authorise(event, party, authority)?;
            if !event.is_reported()
                && event
                    .facilities()
                    .any(|place| self.register.facility(place).is_none())
            {
                return Err(Refusal::UnknownFacility);
            }
            if recorded_at.is_before_by_more_than(event.event_time().as_nanos(), skew_ms) {
                return Err(Refusal::TimeAhead);
            }
        }
        Ok(())
    }

    /// Whether this party may say this.
    fn authorise(&self, event: &CheckedEvent, party: &str, authority: bool) -> Result<(), Refusal> {
        const SELF_DESCRIPTION: std::ops::RangeInclusive<u32> = 48..=51;
        if event.kind().is_authority() && !authority {
            return Err(Refusal::Unauthorised);
        }
        let about_itself = SELF_DESCRIPTION.contains(&event.kind().number()) && !event.is_reported();
        if !event.kind().is_authority() && !about_itself {
            return Ok(());
        }
        let takes_fixtures = self.register.purpose() != v1::Purpose::Production;
        let decoded = event.decode();
        let subject = match decoded.kind.as_ref() {
            Some(Kind::ActApproved(approved)) => {
                let place = EventPlace::from_wire(&approved.act.unwrap_or_default());
                return if self.register.has_act(place) {
                    Ok(())
                } else {
                    Err(Refusal::Unauthorised)
                };
            }
            Some(
                Kind::PartyEnrolled(v1::PartyEnrolled { fixture: true, .. })
                | Kind::ListPublished(v1::ListPublished { fixture: true, .. }),
            ) if !takes_fixtures => return Err(Refusal::Unauthorised),
            Some(Kind::OwnershipDeclared(declared)) => &declared.party,
            Some(Kind::BoardDeclared(declared)) => &declared.party,
            Some(Kind::LicencesDeclared(declared)) => &declared.party,
            Some(Kind::SuccessionDeclared(declared)) => &declared.party,
            _ => return Ok(()),
        };
        if subject == party {
            Ok(())
        } else {
            Err(Refusal::WrongParty)
        }
    }

    /// Takes a decided statement into the state, at the next index.
    pub fn take(&mut self, decided: &Decided) -> Taken {
        let statement = &decided.prepared.statement;
        let events = decided.prepared.events().unwrap_or_default();
        self.take_statement(
            statement.header(),
            statement.hash(),
            events,
            decided.outcome,
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

    fn take_statement(
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

    fn advance(&mut self, recorded_at: RecordedAt) {
        self.size = self.size.next_index().size_after();
        self.recorded_at = recorded_at;
    }
}

/// The row that a statement's sequence has in its feed, looked up before if it was let go.
fn known_row<'a>(feed: &'a Feed, statement: &Header, older: &'a OlderRows) -> Option<&'a FeedRow> {
    if feed.is_gone(statement.sequence) {
        let row = older.get(statement.feed, statement.sequence);
        return Some(row.expect("rows that were let go are looked up before they are decided about"));
    }
    feed.row(statement.sequence)
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

mod feed;
pub mod kept;
pub(crate) mod resume;
pub(crate) mod snapshot;

pub use self::feed::{CHUNK_ROWS, Feed, FeedRow, OlderRows, RowChunk};

#[cfg(test)]
mod tests;

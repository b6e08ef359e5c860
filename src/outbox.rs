//! The outbox: what was signed goes out until it is proven to stand in the log, whatever gets lost.
//!
//! The bus acknowledges before it is durable and anybody may speak on it, so the outbox believes neither
//! acknowledgements nor messages: a statement is done when a receipt has been verified against the
//! publisher's own envelope and the pinned log keys, and at no other time.
//!
//! ```text
//!            submitted                    a feed of ours                  the ledger
//!  events -> parcel --sign, fsync--> statement 7 ----publish--------->  takes it, commits
//!               ^                        |   <------receipt (lost?)---  index, outcome, proof
//!               |                        |
//!               |          no receipt for some seconds
//!               |                        |   ------head? nonce------->
//!               |                        |   <---signed: last is 6---   7 and later go again, in order
//!               |                        |   <---signed: last is 9---   receipts for 7 to 9, please
//!               |                        v
//!               |      admitted: done; kept 30 days, should the ledger lose it
//!               +----- refused, register: signed anew under the next number, one by one, until admitted
//!               +----- the feed is closed: signed anew with the next key
//!                      refused, content: a dead letter, for a person
//! ```
//!
//! * **Sign once.** A statement is signed and durable before it is first published, and never changes. The
//!   outbox, not the ledger, says what was signed last. Until the ledger has proven, in each run anew, that
//!   its head of the feed is one that this outbox signed, new events are kept unsigned.
//! * **Act on proof.** Receipts are verified; head replies must be signed and be to the question asked last;
//!   signed answers only hasten the next question. Whoever has no key of the log can delay, never more.
//! * **One way out.** New statements go out at once while everything before them did. A failed publish ends
//!   the round; the next one starts from the next proven head. At most a window of statements is on its way,
//!   and the same head is asked for, and resent from, at most once per backoff interval.
//! * **Nobody forks us quietly.** Every head query carries the largest checkpoint in hand. A head below a
//!   receipt, a shrunken tree, two roots for one size: alarms, with both signed halves as evidence.
//!
//! [`Outbox`] is pure: moments, nonces and jitter are arguments, and what is to be done comes back as
//! [`Effects`]. Durable state changes only through [`Record`]s, so that recovery is their fold
//! ([`State::from_records`]). Whatever is volatile (what was sent when, backoffs, questions under way) may be
//! lost at any time.
//!
//! Part sets: the parts of a long event stay adjacent. If an early part is refused for what the register
//! lacks, the parts behind it are kept and go again behind it; a part refused after an earlier one was
//! admitted abandons the set at the ledger, so it becomes a dead letter.

mod head;
mod proof;
mod receipt;
mod record;
mod state;

#[cfg(test)]
mod simulation;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use bytes::Bytes;

use self::{
    head::Line,
    state::{Feed, Parcel},
};
pub use self::{
    proof::{PinnedLog, ProofError},
    record::{Alarm, AlarmKind, CloseReason, DeadLetter, ParcelId, ProvenRow, Record, RecordError},
    state::{State, StateError},
};
use crate::{
    code::Refusal,
    envelope::Header,
    event,
    id::{FeedId, FeedSequence, Hash, LeafIndex, TreeSize},
    log::SignedCheckpoint,
    publish::FeedSigner,
    signature::SigningKey,
    time::IssuedAt,
};

/// How many checkpoints of different sizes are remembered to be compared with later ones.
const CHECKPOINTS_MAX: usize = 64;
/// How often forgotten statements and the largest checkpoint are written down, in milliseconds.
const HOUSEKEEPING_MS: u64 = 60_000;

/// Everything that the outbox must be told about its surroundings.
#[derive(Clone, Debug)]
pub struct Config {
    /// The log, as the trust file pins it.
    pub log: PinnedLog,
    /// The party that speaks: an identifier in normal form.
    pub issuer: String,
    /// How long a statement may be without receipt before its feed's head is asked for; the first backoff.
    pub wait_ms: u64,
    /// The longest backoff between questions.
    pub wait_ms_max: u64,
    /// How often the head is asked for when nothing is missing, so that a ledger that lost entries is noticed.
    pub idle_ms: u64,
    /// How long to wait before events are signed again that the register did not allow; the first backoff.
    pub probe_ms: u64,
    /// The longest backoff between such attempts.
    pub probe_ms_max: u64,
    /// How many statements of a feed may be on their way at once.
    pub window: u64,
    /// How long receipted statements are kept, in milliseconds, unless they are mirrored earlier.
    pub retention_ms: u64,
    /// Bytes of events and statements without receipt that are held at most; more are not taken.
    pub backlog_len_max: usize,
}

impl Config {
    /// For `issuer` and this log: two seconds, doubling to a minute; ten minutes when idle; 4,096 statements
    /// under way; 30 days; 64 MiB.
    pub const fn new(log: PinnedLog, issuer: String) -> Self {
        Self {
            log,
            issuer,
            wait_ms: 2_000,
            wait_ms_max: 60_000,
            idle_ms: 600_000,
            probe_ms: 2_000,
            probe_ms_max: 600_000,
            window: 4_096,
            retention_ms: 30 * 24 * 3_600_000,
            backlog_len_max: 64 * 1024 * 1024,
        }
    }
}

/// When something is handled, by the caller's clocks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Moment {
    /// Milliseconds of a clock that only goes forward, since any start: what waiting is measured by.
    pub steady_ms: u64,
    /// Nanoseconds since the epoch, UTC: what statements are stamped with.
    pub wall_nanos: i64,
}

/// Whether the outbox's file is the one that was written last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Continuity {
    /// It is, or it is new.
    Unbroken,
    /// It is older than its generation number, or missing: what was signed last is not known.
    Restored {
        /// The feed that was in use, where known.
        feed: Option<FeedId>,
    },
}

/// What the world tells the outbox, besides new events ([`Outbox::submit`]).
#[derive(Debug)]
pub enum Input {
    /// Time passes. Wanted several times a second.
    Tick {
        /// Random, new each time, and unknown to others beforehand.
        nonce: [u8; 32],
        /// Random: spreads the questions of many publishers.
        jitter: u16,
    },
    /// Something that claims to be a receipt.
    Receipt(Bytes),
    /// Something that claims to be the ledger's answer to a statement.
    Answer(Bytes),
    /// Something that claims to be the reply to a head query.
    HeadReply(Bytes),
    /// Something that claims to be a checkpoint.
    Checkpoint(Bytes),
    /// A statement could not be handed to the bus, or the bus did not acknowledge it.
    PublishFailed {
        /// Its feed.
        feed: FeedId,
        /// Its place in the feed.
        sequence: FeedSequence,
    },
    /// Envelopes read back, as [`Action::Load`] asked.
    Loaded(Vec<Bytes>),
    /// Another key that may be used once those before it are closed.
    KeyAdded(SigningKey),
    /// The first entries of the log are held by a mirror or cosigned by a witness.
    Mirrored(TreeSize),
    /// A person took a dead letter.
    LetterTaken(ParcelId),
}

/// What is to be done: all records made durable first, as one batch, then the actions in order.
///
/// If the records cannot be made durable, the caller does nothing else and starts again from the file.
/// Effects of several inputs may be joined ([`Effects::join`]), which saves syncs.
#[derive(Debug, Default)]
pub struct Effects {
    /// To be appended and synced.
    pub records: Vec<Record>,
    /// To be done afterwards.
    pub actions: Vec<Action>,
}

impl Effects {
    /// These effects and then `later` ones.
    pub fn join(&mut self, later: Self) {
        self.records.extend(later.records);
        self.actions.extend(later.actions);
    }

    /// Whether there is nothing to do.
    pub const fn is_empty(&self) -> bool {
        self.records.is_empty() && self.actions.is_empty()
    }
}

/// One thing to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// Listen for receipts and answers for this feed, if not done already.
    Listen {
        /// The feed.
        feed: FeedId,
    },
    /// Publish a statement; in order, and none after one that failed.
    Publish {
        /// Its feed.
        feed: FeedId,
        /// Its place in the feed.
        sequence: FeedSequence,
        /// The bytes.
        envelope: Bytes,
    },
    /// Read these statements' envelopes from the file, as many as are there.
    Load {
        /// The feed.
        feed: FeedId,
        /// The first.
        first: FeedSequence,
        /// The last.
        last: FeedSequence,
    },
    /// Ask the ledger for a feed's head.
    AskHead {
        /// The `HeadQuery`.
        query: Bytes,
    },
    /// Ask the ledger for receipts.
    AskReceipts {
        /// The `ReceiptsQuery`.
        query: Bytes,
    },
    /// A parcel was admitted.
    Admitted {
        /// Which.
        parcel: ParcelId,
        /// The feed of its statement.
        feed: FeedId,
        /// What was proven.
        row: ProvenRow,
    },
    /// A parcel was refused for good.
    DeadLettered(DeadLetter),
    /// A person should look.
    Alarm(Alarm),
    /// The register does not allow what we say; only single statements go out.
    Stopped(Refusal),
    /// The register allows it again.
    Resumed,
}

/// What became of a parcel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// Not proven yet.
    Pending,
    /// Refused for good, and nobody has taken the letter.
    DeadLettered(Refusal),
    /// Admitted, or taken from the dead letters.
    Done,
    /// No such parcel.
    Unknown,
}

/// Which parcels a submission became.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ticket {
    /// The first.
    pub first: ParcelId,
    /// How many.
    pub count: u64,
}

impl Ticket {
    /// The parcels.
    pub fn parcels(&self) -> impl Iterator<Item = ParcelId> + use<> {
        (self.first.get()..self.first.get() + self.count).map(ParcelId::new)
    }
}

/// Why events are not taken now.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SubmitError {
    /// Too much waits for receipts already.
    #[error("{held} bytes wait for receipts, {more} more would pass the limit of {max}")]
    Full {
        /// Bytes held.
        held: usize,
        /// Bytes offered.
        more: usize,
        /// The limit.
        max: usize,
    },
}

/// What was heard and not believed, or believed and of no use.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Ignored {
    /// Receipts.
    pub receipts: u64,
    /// Answers.
    pub answers: u64,
    /// Head replies.
    pub replies: u64,
    /// Checkpoints.
    pub checkpoints: u64,
    /// Envelopes read back that are not what was signed.
    pub envelopes: u64,
}

/// The outbox at a glance.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Status {
    /// The feed that is signed with; none if every key is closed.
    pub feed: Option<FeedId>,
    /// Whether the ledger confirmed that feed's head in this run.
    pub is_confirmed: bool,
    /// Parcels that wait to be signed.
    pub queued: usize,
    /// Parcels that wait for a receipt.
    pub unreceipted: usize,
    /// Statements kept in all.
    pub statements: usize,
    /// Dead letters.
    pub letters: usize,
    /// Alarms raised, ever.
    pub alarms: usize,
    /// Bytes of events and statements held in memory.
    pub backlog_len: usize,
    /// Why only single statements go out, if so.
    pub stopped: Option<Refusal>,
    /// What was ignored in this run.
    pub ignored: Ignored,
    /// Size of the largest checkpoint seen.
    pub tree_size: TreeSize,
}

/// Only single statements go out until one is admitted.
#[derive(Clone, Copy, Debug)]
struct Stop {
    refusal: Refusal,
    attempts: u32,
    probe_ms: u64,
}

/// The state machine. See the module's documentation.
#[derive(Debug)]
pub struct Outbox {
    config: Config,
    state: State,
    keys: VecDeque<SigningKey>,
    signer: Option<FeedSigner>,
    lines: BTreeMap<FeedId, Line>,
    /// When a refused parcel may be signed again.
    due_ms: BTreeMap<ParcelId, u64>,
    last_signed: Option<ParcelId>,
    stop: Option<Stop>,
    seen: BTreeMap<TreeSize, SignedCheckpoint>,
    mirrored: LeafIndex,
    raised: BTreeSet<(AlarmKind, FeedId)>,
    ignored: Ignored,
    jitter: u16,
    housekeeping_ms: u64,
    checkpoint_written: TreeSize,
}

impl Outbox {
    /// Goes on from what the file says, with these keys: the first that is not closed is signed with.
    pub fn start(
        config: Config,
        keys: impl IntoIterator<Item = SigningKey>,
        state: State,
        continuity: Continuity,
        now: Moment,
    ) -> (Self, Effects) {
        let mut outbox = Self {
            config,
            state,
            keys: keys.into_iter().collect(),
            signer: None,
            lines: BTreeMap::new(),
            due_ms: BTreeMap::new(),
            last_signed: None,
            stop: None,
            seen: BTreeMap::new(),
            mirrored: LeafIndex::GENESIS,
            raised: BTreeSet::new(),
            ignored: Ignored::default(),
            jitter: 0,
            housekeeping_ms: now.steady_ms,
            checkpoint_written: TreeSize::EMPTY,
        };
        let mut effects = Effects::default();
        outbox.remember_checkpoints();
        outbox
            .raised
            .extend(outbox.state.alarms.iter().map(|alarm| (alarm.kind, alarm.feed)));
        if let Continuity::Restored { feed } = continuity {
            outbox.close_restored(feed, now, &mut effects);
        }
        for feed in &outbox.state.feeds {
            outbox.lines.insert(feed.id, Line::new(feed, now));
            effects.actions.push(Action::Listen { feed: feed.id });
        }
        let refused = |parcel: &Parcel| matches!(parcel, Parcel::Queued { refusals: 1.., .. });
        if outbox.state.pending.values().any(refused) {
            outbox.stop = Some(Stop {
                refusal: Refusal::Unauthorised,
                attempts: 0,
                probe_ms: now.steady_ms,
            });
        }
        outbox.settle_down(now, &mut effects);
        (outbox, effects)
    }

    /// Takes events, packed by [`crate::publish::pack`]; each pack becomes one statement.
    ///
    /// Once the records in the effects are durable, the outbox owes their publication.
    ///
    /// # Errors
    /// [`SubmitError`] if too much is waiting already; nothing is taken then.
    pub fn submit(&mut self, packs: Vec<Vec<Bytes>>, now: Moment) -> Result<(Ticket, Effects), SubmitError> {
        let more: usize = packs.iter().flatten().map(Bytes::len).sum();
        let held = self.state.backlog_len;
        let max = self.config.backlog_len_max;
        if held.saturating_add(more) > max {
            return Err(SubmitError::Full { held, more, max });
        }
        let mut effects = Effects::default();
        let ticket = Ticket {
            first: ParcelId::new(self.state.next_parcel),
            count: packs.len() as u64,
        };
        for (parcel, events) in ticket.parcels().zip(packs) {
            if self.stop.is_none() && self.state.queued.is_empty() && self.is_ready_to_sign() {
                self.sign(parcel, &events, now, &mut effects);
            } else {
                let refusals = 0;
                let queued = Record::Queued {
                    parcel,
                    refusals,
                    events,
                };
                self.commit(queued, &mut effects);
            }
        }
        self.settle_down(now, &mut effects);
        Ok((ticket, effects))
    }

    /// Takes one input.
    pub fn handle(&mut self, input: Input, now: Moment) -> Effects {
        let mut effects = Effects::default();
        let before = self.stop.map(|stop| stop.refusal);
        match input {
            Input::Tick { nonce, jitter } => {
                self.jitter = jitter;
                self.ask_heads(nonce, now, &mut effects);
                self.keep_house(now, &mut effects);
            }
            Input::Receipt(bytes) => self.take_receipt(&bytes, now, &mut effects),
            Input::Answer(bytes) => self.take_answer(&bytes, now, &mut effects),
            Input::HeadReply(bytes) => self.take_head(&bytes, now, &mut effects),
            Input::Checkpoint(bytes) => self.take_checkpoint(&bytes, now, &mut effects),
            Input::PublishFailed { feed, sequence } => self.end_round(feed, sequence),
            Input::Loaded(envelopes) => self.take_loaded(envelopes),
            Input::KeyAdded(key) => self.keys.push_back(key),
            Input::Mirrored(size) => self.mirrored = self.mirrored.max(size.next_index()),
            Input::LetterTaken(parcel) => {
                if self.state.letters.contains_key(&parcel) {
                    self.commit(Record::LetterTaken { parcel }, &mut effects);
                }
            }
        }
        self.settle_down(now, &mut effects);
        match (before, self.stop) {
            (None, Some(stop)) => effects.actions.push(Action::Stopped(stop.refusal)),
            (Some(_), None) => effects.actions.push(Action::Resumed),
            _ => {}
        }
        effects
    }

    /// What became of a parcel.
    pub fn fate(&self, parcel: ParcelId) -> Fate {
        if self.state.pending.contains_key(&parcel) {
            Fate::Pending
        } else if let Some(letter) = self.state.letters.get(&parcel) {
            Fate::DeadLettered(letter.refusal)
        } else if parcel.get() < self.state.next_parcel {
            Fate::Done
        } else {
            Fate::Unknown
        }
    }

    /// Dead letters that nobody has taken.
    pub fn letters(&self) -> impl Iterator<Item = &DeadLetter> {
        self.state.letters.values()
    }

    /// Every alarm, oldest first.
    pub fn alarms(&self) -> &[Alarm] {
        &self.state.alarms
    }

    /// The durable state, for compaction.
    pub const fn state(&self) -> &State {
        &self.state
    }

    /// The outbox at a glance.
    pub fn status(&self) -> Status {
        let queued = self.state.queued.len();
        Status {
            feed: self.signer.as_ref().map(|signer| signer.key().feed()),
            is_confirmed: self.is_ready_to_sign(),
            queued,
            unreceipted: self.state.pending.len() - queued,
            statements: self.state.feeds.iter().map(|feed| feed.statements.len()).sum(),
            letters: self.state.letters.len(),
            alarms: self.state.alarms.len(),
            backlog_len: self.state.backlog_len,
            stopped: self.stop.map(|stop| stop.refusal),
            ignored: self.ignored,
            tree_size: self.highest().map_or(TreeSize::EMPTY, |seen| seen.head().size),
        }
    }

    /// Changes the durable state: the only way to.
    fn commit(&mut self, record: Record, effects: &mut Effects) {
        self.state
            .apply(&record)
            .expect("a record of our own making follows the ones before");
        effects.records.push(record);
    }

    fn alarm(
        &mut self,
        kind: AlarmKind,
        feed: FeedId,
        evidence: Vec<Bytes>,
        now: Moment,
        effects: &mut Effects,
    ) {
        self.raised.insert((kind, feed));
        let alarm = Alarm {
            kind,
            feed,
            raised_at: now.wall_nanos,
            evidence,
        };
        effects.actions.push(Action::Alarm(alarm.clone()));
        self.commit(Record::Alarmed(alarm), effects);
    }

    /// As [`alarm`](Self::alarm), but only the first time for this kind and feed.
    fn alarm_once(
        &mut self,
        kind: AlarmKind,
        feed: FeedId,
        evidence: Vec<Bytes>,
        now: Moment,
        effects: &mut Effects,
    ) {
        if !self.raised.contains(&(kind, feed)) {
            self.alarm(kind, feed, evidence, now, effects);
        }
    }

    fn close(&mut self, feed: FeedId, reason: CloseReason, effects: &mut Effects) {
        let is_open = self.state.feed(feed).is_some_and(|feed| feed.closed.is_none());
        if is_open {
            self.commit(Record::Closed { feed, reason }, effects);
        }
        if self
            .signer
            .as_ref()
            .is_some_and(|signer| signer.key().feed() == feed)
        {
            self.signer = None;
        }
    }

    fn close_restored(&mut self, feed: Option<FeedId>, now: Moment, effects: &mut Effects) {
        if let Some(feed) = feed {
            self.commit(Record::Opened { feed }, effects);
        }
        let open = |feed: &&Feed| feed.closed.is_none();
        let open: Vec<FeedId> = self.state.feeds.iter().filter(open).map(|feed| feed.id).collect();
        for feed in open {
            self.close(feed, CloseReason::Restored, effects);
            self.alarm(AlarmKind::Restored, feed, Vec::new(), now, effects);
        }
    }

    /// What follows from whatever has just changed.
    fn settle_down(&mut self, now: Moment, effects: &mut Effects) {
        self.take_key(now, effects);
        self.sign_queued(now, effects);
        if self.state.queued.is_empty() {
            self.stop = self
                .stop
                .filter(|_| self.due_ms.keys().any(|id| self.state.pending.contains_key(id)));
        }
        for feed in &mut self.state.feeds {
            if let Some(line) = self.lines.get_mut(&feed.id) {
                line.pump(feed, &self.config, now, effects);
                line.set_timer(feed, &self.config, self.jitter, now);
            }
        }
    }

    /// Takes the next key that is not closed, if none is in use.
    fn take_key(&mut self, now: Moment, effects: &mut Effects) {
        while self.signer.is_none() {
            let Some(key) = self.keys.pop_front() else { return };
            let id = key.feed();
            let (last, hash) = match self.state.feed(id) {
                Some(feed) if feed.closed.is_some() => continue,
                Some(feed) => {
                    self.last_signed = feed.statements.back().map(|statement| statement.parcel);
                    feed.last()
                }
                None => {
                    self.commit(Record::Opened { feed: id }, effects);
                    effects.actions.push(Action::Listen { feed: id });
                    (FeedSequence::NONE, Hash::ZERO)
                }
            };
            if let Some(feed) = self.state.feed(id) {
                self.lines.entry(id).or_insert_with(|| Line::new(feed, now));
            }
            let issuer = self.config.issuer.clone();
            self.signer = Some(FeedSigner::new(key, self.config.log.log_id(), issuer, last, hash));
        }
    }

    /// Whether there is a key whose head the ledger has confirmed in this run.
    fn is_ready_to_sign(&self) -> bool {
        let feed = self.signer.as_ref().map(|signer| signer.key().feed());
        feed.and_then(|feed| self.lines.get(&feed))
            .is_some_and(|line| line.is_confirmed)
    }

    /// Signs one parcel's events as the next statement.
    fn sign(&mut self, parcel: ParcelId, events: &[Bytes], now: Moment, effects: &mut Effects) {
        let Some(signer) = &mut self.signer else { return };
        let (_, previous) = signer.last();
        let issued_at = IssuedAt::from_nanos(now.wall_nanos);
        let statement = signer.sign(issued_at, events);
        let header = Header {
            log_id: signer.log_id(),
            issuer: signer.issuer().to_owned(),
            feed: signer.key().feed(),
            sequence: statement.sequence,
            previous,
            issued_at,
        };
        let envelope = statement.envelope;
        self.state
            .apply_signed(parcel, &header, statement.hash, envelope.clone())
            .expect("the signer and the state count alike");
        effects.records.push(Record::Signed { parcel, envelope });
        self.last_signed = Some(parcel);
    }

    /// Signs what waits: all that is due, or, while stopped, one at a time and only if nothing is under way.
    fn sign_queued(&mut self, now: Moment, effects: &mut Effects) {
        if !self.is_ready_to_sign() {
            return;
        }
        while let Some(parcel) = self.next_due(now) {
            if self
                .stop
                .is_some_and(|stop| now.steady_ms < stop.probe_ms || !self.is_settled())
            {
                return;
            }
            let Some(Parcel::Queued { events, .. }) = self.state.pending.get(&parcel) else {
                return;
            };
            let events = events.clone();
            self.sign(parcel, &events, now, effects);
        }
    }

    /// Whether the feed that is signed with has nothing under way.
    fn is_settled(&self) -> bool {
        let feed = self.signer.as_ref().map(|signer| signer.key().feed());
        feed.and_then(|feed| self.state.feed(feed))
            .is_none_or(Feed::is_settled)
    }

    /// The parcel to be signed next. Parts stay together, in their order.
    fn next_due(&self, now: Moment) -> Option<ParcelId> {
        let queued = &self.state.queued;
        let following = self
            .last_signed
            .filter(|last| !queued.contains(last))
            .map(next_parcel);
        if let Some(next) = following.filter(|next| queued.contains(next) && self.is_continuation(*next)) {
            return Some(next);
        }
        let is_due = |parcel: &ParcelId| self.due_ms.get(parcel).is_none_or(|due| *due <= now.steady_ms);
        let waits_for_first_part = |parcel: ParcelId| {
            parcel
                .get()
                .checked_sub(1)
                .is_some_and(|before| queued.contains(&ParcelId::new(before)))
                && self.is_continuation(parcel)
        };
        let mut due = queued
            .iter()
            .copied()
            .filter(|parcel| is_due(parcel) && !waits_for_first_part(*parcel));
        if self.stop.is_some() {
            // What was refused least is the likeliest to be admitted, and then all the rest goes out.
            due.min_by_key(|parcel| self.refusals(*parcel))
        } else {
            due.next()
        }
    }

    fn refusals(&self, parcel: ParcelId) -> u32 {
        match self.state.pending.get(&parcel) {
            Some(Parcel::Queued { refusals, .. } | Parcel::Signed { refusals, .. }) => *refusals,
            None => 0,
        }
    }

    fn is_continuation(&self, parcel: ParcelId) -> bool {
        match self.state.pending.get(&parcel) {
            Some(Parcel::Queued { events, .. }) => begins_with_later_part(events),
            _ => false,
        }
    }

    /// Forgets what is old, and writes down the largest checkpoint; now and then.
    fn keep_house(&mut self, now: Moment, effects: &mut Effects) {
        if now.steady_ms.saturating_sub(self.housekeeping_ms) < HOUSEKEEPING_MS {
            return;
        }
        self.housekeeping_ms = now.steady_ms;
        let retention_nanos =
            i64::try_from(self.config.retention_ms.saturating_mul(1_000_000)).unwrap_or(i64::MAX);
        let before = now.wall_nanos.saturating_sub(retention_nanos);
        let pruned: Vec<Record> = self
            .state
            .feeds
            .iter()
            .filter_map(|feed| {
                let (through, hash) = feed.prunable(before, self.mirrored)?;
                let feed = feed.id;
                Some(Record::Pruned { feed, through, hash })
            })
            .collect();
        for record in pruned {
            self.commit(record, effects);
        }
        if let Some(highest) = self
            .highest()
            .filter(|seen| seen.head().size > self.checkpoint_written)
        {
            let note = highest.bytes().clone();
            self.checkpoint_written = highest.head().size;
            self.commit(Record::CheckpointSeen { note }, effects);
        }
    }

    fn highest(&self) -> Option<&SignedCheckpoint> {
        self.seen.last_key_value().map(|(_, seen)| seen)
    }

    /// The checkpoints that the file holds.
    fn remember_checkpoints(&mut self) {
        let notes = self.state.checkpoint.iter().cloned();
        let receipts = self
            .state
            .feeds
            .iter()
            .filter_map(|feed| feed.newest_receipt.as_ref());
        let from_receipts =
            receipts.filter_map(|(_, receipt)| Some(proof::receipt_of(receipt).ok()?.1.checkpoint.into()));
        let notes: Vec<Bytes> = notes.chain(from_receipts).collect();
        let verified = notes
            .iter()
            .filter_map(|note| self.config.log.checkpoint(note).ok());
        self.seen = verified.map(|seen| (seen.head().size, seen)).collect();
    }

    fn take_checkpoint(&mut self, bytes: &Bytes, now: Moment, effects: &mut Effects) {
        match self.config.log.checkpoint(bytes) {
            Ok(checkpoint) => {
                let feed = self
                    .state
                    .feeds
                    .last()
                    .map_or(FeedId::new([0; 32]), |feed| feed.id);
                self.compare_checkpoint(checkpoint, feed, now, effects);
            }
            Err(_) => self.ignored.checkpoints += 1,
        }
    }

    /// Remembers a checkpoint, unless it contradicts one in hand: then that is an alarm, and false.
    fn compare_checkpoint(
        &mut self,
        checkpoint: SignedCheckpoint,
        feed: FeedId,
        now: Moment,
        effects: &mut Effects,
    ) -> bool {
        let size = checkpoint.head().size;
        if let Some(other) = self.seen.get(&size) {
            if other.head() == checkpoint.head() {
                return true;
            }
            let evidence = vec![other.bytes().clone(), checkpoint.bytes().clone()];
            self.alarm_once(AlarmKind::Forked, feed, evidence, now, effects);
            return false;
        }
        self.seen.insert(size, checkpoint);
        if self.seen.len() > CHECKPOINTS_MAX {
            self.seen.pop_first();
        }
        if let Some(highest) = self.highest() {
            self.state.checkpoint = Some(highest.bytes().clone());
        }
        true
    }
}

const fn next_parcel(parcel: ParcelId) -> ParcelId {
    ParcelId::new(parcel.get() + 1)
}

/// Whether the first of these events is a later part of one that began in the statement before.
fn begins_with_later_part(events: &[Bytes]) -> bool {
    let first = events.first().and_then(|first| event::check(first).ok());
    first
        .and_then(|first| first.part())
        .is_some_and(|part| part.number > 1)
}

/// `base` doubled `times` times, at most `max`, and up to a quarter more or less by `jitter`.
fn backoff(base: u64, times: u32, max: u64, jitter: u16) -> u64 {
    let doubled = base
        .saturating_mul(1_u64.checked_shl(times).unwrap_or(u64::MAX))
        .min(max);
    let spread = doubled / 2;
    doubled - spread / 2 + spread.saturating_mul(jitter.into()) / u64::from(u16::MAX)
}

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
mod housekeeping;
mod interface;
mod proof;
mod receipt;
mod record;
mod signing;
mod state;

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use bytes::Bytes;

use self::{
    head::Line,
    state::{Feed, Parcel},
};
pub use self::{
    interface::{
        Action, Config, Continuity, Effects, Fate, Ignored, Input, Moment, NotQueued, Status, SubmitError,
        Ticket,
    },
    proof::{PinnedLog, ProofError},
    record::{Alarm, AlarmKind, CloseReason, DeadLetter, ParcelId, ProvenRow, Record},
    state::{State, StateError},
};
use crate::{
    code::{AnswerCode, Refusal},
    id::{FeedId, LeafIndex, TreeSize},
    log::SignedCheckpoint,
    publish::FeedSigner,
    signature::SigningKey,
};

/// How many checkpoints of different sizes are remembered to be compared with later ones.
const CHECKPOINTS_MAX: usize = 64;
/// How often forgotten statements and the largest checkpoint are written down, in milliseconds.
const HOUSEKEEPING_MS: u64 = 60_000;

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
    answered: Option<AnswerCode>,
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
            answered: None,
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
        let waits_again = |parcel: &Parcel| matches!(parcel, Parcel::Queued { .. }) && parcel.was_refused();
        if outbox.state.pending.values().any(waits_again) {
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
        self.hasten_probe(now);
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

    /// Gives parcels up that wait to be signed, for the first time or again: all of them or none.
    ///
    /// # Errors
    /// [`NotQueued`] if one of them does not wait.
    pub fn withdraw(&mut self, parcels: &[ParcelId], now: Moment) -> Result<Effects, NotQueued> {
        if let Some(parcel) = parcels.iter().find(|parcel| !self.state.queued.contains(parcel)) {
            return Err(NotQueued(*parcel));
        }
        let mut effects = Effects::default();
        for parcel in parcels.iter().copied() {
            self.due_ms.remove(&parcel);
            self.commit(Record::Released { parcel }, &mut effects);
            effects.actions.push(Action::Withdrawn { parcel });
        }
        // What the register lacked was for these alone.
        if self.stop.is_some() && !self.state.pending.values().any(Parcel::was_refused) {
            self.stop = None;
            effects.actions.push(Action::Resumed);
        }
        self.settle_down(now, &mut effects);
        Ok(effects)
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
                    self.commit(Record::Released { parcel }, &mut effects);
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
            answered: self.answered,
            ignored: self.ignored,
            tree_size: self.highest().map_or(TreeSize::EMPTY, |seen| seen.head().size),
        }
    }

    /// Changes the durable state: the only way to.
    fn commit(&mut self, record: Record, effects: &mut Effects) {
        if matches!(record, Record::Receipted { .. } | Record::DeadLettered(_)) {
            self.answered = None;
        }
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
}

/// `base` doubled `times` times, at most `max`, and up to a quarter more or less by `jitter`.
fn backoff(base: u64, times: u32, max: u64, jitter: u16) -> u64 {
    let doubled = base
        .saturating_mul(1_u64.checked_shl(times).unwrap_or(u64::MAX))
        .min(max);
    let spread = doubled / 2;
    doubled - spread / 2 + spread.saturating_mul(jitter.into()) / u64::from(u16::MAX)
}

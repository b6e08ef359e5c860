//! Asking for heads and sending again: what a feed's line to the ledger does when receipts do not come.
//!
//! ```text
//!   settled        head                     next                    last
//!  ---|--------------|------------------------|-----------------------|
//!     | ask receipts |  sent in this round    |  not sent             |
//!                    |<------- at most a window ------->|
//! ```
//!
//! `settled`: everything up to here is receipted. `head`: what the ledger proved to have. A signed reply to
//! the question asked last moves `next` back to head + 1, unless that was sent a moment ago; a failed publish
//! blocks the line until the next reply. Everything here is volatile but the records committed on the way.

use bytes::Bytes;
use prost::Message as _;

use super::{
    Action, AlarmKind, CloseReason, Config, Effects, Moment, Outbox, Parcel, Record, backoff,
    proof::{VerifiedHead, verify_answer, verify_head},
    state::Feed,
};
use crate::{
    code::AnswerCode,
    envelope::Envelope,
    id::{FeedId, FeedSequence, Hash},
    log::SignedCheckpoint,
    wire::{COMMIT_STATEMENTS_MAX, v1},
};

/// Domain tag that makes one random value into a nonce for each feed.
const NONCE_TAG: &[u8] = b"lotproof/v1/head-nonce\0";
/// Envelopes read back from the file at once.
const LOAD_MAX: u64 = 256;
/// How many proven heads in a row may cover a statement without a receipt for it.
const ROUNDS_MAX: u32 = 8;

/// A feed's line to the ledger: what was sent and asked, in this run.
#[derive(Debug)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is an independent fact about one feed"
)]
pub(super) struct Line {
    /// Whether the ledger proved, in this run, that it knows no more of this feed than we signed.
    pub(super) is_confirmed: bool,
    /// The head proven last.
    known_head: FeedSequence,
    /// What to publish next in this round.
    next_send: FeedSequence,
    /// No publishing until the next reply.
    is_blocked: bool,
    /// The ledger does not know the key yet: a single statement at a time, to be noticed when it does.
    is_narrow: bool,
    /// Envelopes are being read back.
    is_loading: bool,
    asked: Option<Asked>,
    ask_ms: u64,
    asked_ms: u64,
    attempts: u32,
    is_hastened: bool,
    /// `settled` when the timer was last set: progress restarts it.
    seen_settled: FeedSequence,
    was_waiting: bool,
    /// First sequence of the last question for receipts.
    receipts_asked: Option<FeedSequence>,
    /// Replies in a row that covered the first unreceipted statement without a receipt arriving.
    rounds: u32,
    rounds_at: FeedSequence,
}

/// A question under way, and what was in hand when it was asked: a reply to it can know no less.
#[derive(Debug)]
struct Asked {
    nonce: Hash,
    receipted: Option<(FeedSequence, Bytes)>,
    checkpoint: Option<SignedCheckpoint>,
}

impl Line {
    pub(super) fn new(feed: &Feed, now: Moment) -> Self {
        Self {
            is_confirmed: false,
            known_head: FeedSequence::NONE,
            next_send: FeedSequence::new(feed.settled.get() + 1),
            is_blocked: true,
            is_narrow: false,
            is_loading: false,
            asked: None,
            ask_ms: now.steady_ms,
            asked_ms: now.steady_ms,
            attempts: 0,
            is_hastened: false,
            seen_settled: feed.settled,
            was_waiting: true,
            receipts_asked: None,
            rounds: 0,
            rounds_at: feed.settled,
        }
    }

    /// Whether the ledger's word is needed.
    fn is_waiting(&self, feed: &Feed) -> bool {
        !feed.is_settled() || (feed.closed.is_none() && !self.is_confirmed)
    }

    /// Publishes what may go out now.
    pub(super) fn pump(&mut self, feed: &mut Feed, config: &Config, now: Moment, effects: &mut Effects) {
        if self.is_blocked {
            return;
        }
        let floor = feed.settled.max(self.known_head).get();
        let window = if self.is_narrow { 1 } else { config.window };
        let end = feed.last().0.get().min(floor.saturating_add(window));
        let start = self.next_send.get().max(floor + 1);
        for sequence in (start..=end).map(FeedSequence::new) {
            self.next_send = sequence;
            let Some(statement) = feed.get_mut(sequence) else {
                return;
            };
            if !statement.is_settled() {
                let Some(envelope) = statement.envelope.clone() else {
                    self.load(feed.id, sequence, end, effects);
                    return;
                };
                statement.sent_ms = Some(now.steady_ms);
                let feed = feed.id;
                effects.actions.push(Action::Publish {
                    feed,
                    sequence,
                    envelope,
                });
            }
            self.next_send = FeedSequence::new(sequence.get() + 1);
        }
    }

    fn load(&mut self, feed: FeedId, first: FeedSequence, end: u64, effects: &mut Effects) {
        if !self.is_loading {
            self.is_loading = true;
            let last = FeedSequence::new(end.min(first.get() + LOAD_MAX - 1));
            effects.actions.push(Action::Load { feed, first, last });
        }
    }

    /// Sets when the head is asked for next: a wait after progress, a backoff after each question.
    pub(super) fn set_timer(&mut self, feed: &Feed, config: &Config, jitter: u16, now: Moment) {
        let is_waiting = self.is_waiting(feed);
        let soon = || {
            now.steady_ms
                .saturating_add(backoff(config.wait_ms, 0, config.wait_ms_max, jitter))
        };
        if self.seen_settled != feed.settled {
            self.seen_settled = feed.settled;
            self.attempts = 0;
            self.is_hastened = false;
            self.ask_ms = if is_waiting {
                soon()
            } else {
                now.steady_ms.saturating_add(config.idle_ms)
            };
        } else if is_waiting && !self.was_waiting {
            self.attempts = 0;
            self.ask_ms = self.ask_ms.min(soon());
        } else if !is_waiting && self.was_waiting {
            self.ask_ms = now.steady_ms.saturating_add(config.idle_ms);
        }
        self.was_waiting = is_waiting;
    }

    /// Something says that the next question should not wait for the full backoff. It still waits for the
    /// shortest one, and this happens once until there is progress.
    fn hasten(&mut self, config: &Config) {
        if !self.is_hastened {
            self.is_hastened = true;
            self.ask_ms = self.ask_ms.min(self.asked_ms.saturating_add(config.wait_ms));
        }
    }

    /// Asks for the receipts of what the ledger has and we cannot prove yet.
    pub(super) fn ask_receipts(&mut self, feed: &Feed, config: &Config, effects: &mut Effects) {
        let Some((first, statement)) = feed.unsettled().next() else {
            return;
        };
        if first > self.known_head {
            return;
        }
        let most = first.get() + COMMIT_STATEMENTS_MAX as u64 - 1;
        let last = self.known_head.get().min(feed.last().0.get()).min(most);
        if statement.envelope.is_none() {
            self.load(feed.id, first, last, effects);
        }
        self.receipts_asked = Some(first);
        let query = v1::ReceiptsQuery {
            log_id: config.log.log_id().as_bytes().to_vec(),
            feed: feed.id.as_bytes().to_vec(),
            first: first.get(),
            last,
        };
        let query = query.encode_to_vec().into();
        effects.actions.push(Action::AskReceipts { query });
    }

    /// After a receipt: asks for the next ones, if the last question has been served.
    pub(super) fn ask_further(&mut self, feed: &Feed, config: &Config, effects: &mut Effects) {
        if self.receipts_asked.is_some_and(|first| feed.settled >= first) {
            self.receipts_asked = None;
            self.ask_receipts(feed, config, effects);
        }
    }

    /// Where the next round starts: behind the proven head, unless that was sent a moment ago and nothing
    /// failed since.
    fn start_round(&mut self, feed: &Feed, config: &Config, now: Moment) {
        let has_failed = std::mem::replace(&mut self.is_blocked, false);
        let Some((first, statement)) = feed.unsettled().find(|(sequence, _)| *sequence > self.known_head)
        else {
            return;
        };
        let is_recent = |sent: u64| now.steady_ms.saturating_sub(sent) < config.wait_ms / 2;
        if has_failed || !statement.sent_ms.is_some_and(is_recent) {
            self.next_send = first;
        }
    }

    /// Counts replies that bring no progress.
    fn count_round(&mut self, feed: &Feed) {
        if self.rounds_at == feed.settled && feed.unsettled().any(|(sequence, _)| sequence <= self.known_head)
        {
            self.rounds += 1;
        } else {
            self.rounds = 0;
        }
        self.rounds_at = feed.settled;
    }
}

impl Outbox {
    /// Asks for the head of every feed whose time has come.
    pub(super) fn ask_heads(&mut self, nonce: [u8; 32], now: Moment, effects: &mut Effects) {
        let checkpoint = self.highest().cloned();
        for feed in &self.state.feeds {
            let Some(line) = self.lines.get_mut(&feed.id) else {
                continue;
            };
            if now.steady_ms < line.ask_ms || (feed.statements.is_empty() && feed.closed.is_some()) {
                continue;
            }
            let nonce = Hash::of(&[NONCE_TAG, &nonce, feed.id.as_bytes()]);
            let query = v1::HeadQuery {
                log_id: self.config.log.log_id().as_bytes().to_vec(),
                feed: feed.id.as_bytes().to_vec(),
                nonce: nonce.as_bytes().to_vec(),
                checkpoint: checkpoint
                    .as_ref()
                    .map(|seen| seen.bytes().to_vec())
                    .unwrap_or_default(),
            };
            let query = query.encode_to_vec().into();
            effects.actions.push(Action::AskHead { query });
            line.asked = Some(Asked {
                nonce,
                receipted: feed.newest_receipt.clone(),
                checkpoint: checkpoint.clone(),
            });
            line.is_loading = false;
            line.asked_ms = now.steady_ms;
            let wait = if line.is_waiting(feed) {
                backoff(
                    self.config.wait_ms,
                    line.attempts,
                    self.config.wait_ms_max,
                    self.jitter,
                )
            } else {
                self.config.idle_ms
            };
            line.attempts = line.attempts.saturating_add(1);
            line.ask_ms = now.steady_ms.saturating_add(wait);
        }
    }

    /// Acts on a reply, if the log signed it and it is to the question asked last.
    pub(super) fn take_head(&mut self, bytes: &Bytes, now: Moment, effects: &mut Effects) {
        let verified = verify_head(&self.config.log, bytes).ok();
        let asked = verified.and_then(|head| {
            let line = self.lines.get_mut(&head.feed)?;
            let asked = line.asked.take_if(|asked| asked.nonce == head.nonce)?;
            Some((head, asked))
        });
        let Some((head, asked)) = asked else {
            self.ignored.replies += 1;
            return;
        };
        let is_forgotten = self.compare_with_hand(&head, &asked, bytes, now, effects);
        let is_diverged = self.compare_with_signed(&head, bytes, now, effects);
        if head.status == v1::FeedStatus::FeedClosed {
            self.close(head.feed, CloseReason::ByLedger, effects);
        }
        let (Some(feed), Some(line)) = (self.state.feed(head.feed), self.lines.get_mut(&head.feed)) else {
            return;
        };
        let is_closed = feed.closed.is_some();
        line.known_head = head.last;
        line.is_confirmed = !is_closed;
        line.is_narrow = head.status == v1::FeedStatus::FeedUnknown;
        line.count_round(feed);
        line.start_round(feed, &self.config, now);
        line.receipts_asked = None;
        line.ask_receipts(feed, &self.config, effects);
        let is_unprovable = line.rounds >= ROUNDS_MAX;
        if is_unprovable {
            self.alarm_once(AlarmKind::NoReceipt, head.feed, vec![bytes.clone()], now, effects);
        }
        // What can never be admitted in this feed goes another way: beyond the head of a feed that takes
        // nothing more, and, where somebody else signs with the key, what may not be ours after all.
        if head.status == v1::FeedStatus::FeedClosed || is_diverged || is_forgotten {
            self.move_on(head.feed, head.last, now, effects);
        }
        if is_closed && is_unprovable {
            self.move_on(head.feed, FeedSequence::NONE, now, effects);
        }
    }

    /// Compares a fresh head with what was proven before it was asked for. Returns whether the ledger lacks
    /// statements that are forgotten here.
    fn compare_with_hand(
        &mut self,
        head: &VerifiedHead,
        asked: &Asked,
        bytes: &Bytes,
        now: Moment,
        effects: &mut Effects,
    ) -> bool {
        let pruned = self
            .state
            .feed(head.feed)
            .map_or(FeedSequence::NONE, |feed| feed.pruned.0);
        if let Some((receipted, receipt)) = asked.receipted.as_ref().filter(|(last, _)| head.last < *last) {
            let evidence = vec![receipt.clone(), bytes.clone()];
            if head.last < pruned {
                self.alarm_once(AlarmKind::HeadRegressed, head.feed, evidence, now, effects);
            } else {
                self.alarm(AlarmKind::HeadRegressed, head.feed, evidence, now, effects);
                let reopened = Record::Reopened {
                    feed: head.feed,
                    after: head.last,
                    through: *receipted,
                };
                self.commit(reopened, effects);
            }
        } else if let Some(seen) = asked
            .checkpoint
            .as_ref()
            .filter(|seen| head.tree_size < seen.head().size)
        {
            let evidence = vec![seen.bytes().clone(), bytes.clone()];
            self.alarm_once(AlarmKind::TreeShrank, head.feed, evidence, now, effects);
        }
        if head.last < pruned {
            let receipt = asked.receipted.iter().map(|(_, receipt)| receipt.clone());
            let evidence = receipt.chain([bytes.clone()]).collect();
            self.alarm_once(AlarmKind::Forgotten, head.feed, evidence, now, effects);
            self.close(head.feed, CloseReason::Forgotten, effects);
        }
        head.last < pruned
    }

    /// Compares a fresh head with what was signed here. Returns whether the log holds another statement where
    /// ours should be.
    fn compare_with_signed(
        &mut self,
        head: &VerifiedHead,
        bytes: &Bytes,
        now: Moment,
        effects: &mut Effects,
    ) -> bool {
        let Some(feed) = self.state.feed(head.feed) else {
            return false;
        };
        let evidence = vec![bytes.clone()];
        if head.last > feed.last().0 {
            self.alarm_once(AlarmKind::HeadAhead, head.feed, evidence, now, effects);
            self.close(head.feed, CloseReason::HeadAhead, effects);
            return false;
        }
        let ours = feed.hash_at(head.last);
        if head.last == FeedSequence::NONE || ours.is_none_or(|hash| hash == head.last_hash) {
            return false;
        }
        let envelope = feed
            .get(head.last)
            .and_then(|statement| statement.envelope.clone());
        let evidence = envelope.into_iter().chain(evidence).collect();
        self.alarm_once(AlarmKind::Diverged, head.feed, evidence, now, effects);
        self.close(head.feed, CloseReason::Diverged, effects);
        true
    }

    /// Puts the events of every unreceipted statement beyond `after` back into the queue, for another key.
    fn move_on(&mut self, id: FeedId, after: FeedSequence, now: Moment, effects: &mut Effects) {
        let Some(feed) = self.state.feed(id) else { return };
        let Some(line) = self.lines.get_mut(&id) else {
            return;
        };
        let mut moved = Vec::new();
        for (sequence, statement) in feed.unsettled().filter(|(sequence, _)| *sequence > after) {
            let parcel = statement.parcel;
            let refusals = match self.state.pending.get(&parcel) {
                Some(Parcel::Signed { refusals, .. }) if self.state.is_at(parcel, id, sequence) => *refusals,
                // Its events went another way before.
                _ => {
                    moved.push(Record::Abandoned { feed: id, sequence });
                    continue;
                }
            };
            match statement.envelope.clone().map(Envelope::decode) {
                Some(Ok(envelope)) => moved.push(Record::Queued {
                    parcel,
                    refusals,
                    events: envelope.events().to_vec(),
                }),
                Some(Err(_)) => {}
                None => line.load(id, sequence, feed.last().0.get(), effects),
            }
        }
        for record in moved {
            self.commit(record, effects);
        }
        if let Some(line) = self.lines.get_mut(&id) {
            line.ask_ms = line.ask_ms.min(now.steady_ms.saturating_add(self.config.wait_ms));
        }
    }

    /// An answer only hastens the next question; what can never be mended is also an alarm.
    pub(super) fn take_answer(&mut self, bytes: &Bytes, now: Moment, effects: &mut Effects) {
        let ours = verify_answer(&self.config.log, bytes).ok().and_then(|answer| {
            let statement = self.state.feed(answer.feed)?.get(answer.sequence)?;
            let envelope = statement.envelope.clone().filter(|_| !statement.is_settled())?;
            (Hash::of(&[&envelope]) == answer.message).then_some((answer, envelope))
        });
        let Some((answer, envelope)) = ours else {
            self.ignored.answers += 1;
            return;
        };
        self.answered = Some(answer.code);
        let kind = match answer.code {
            AnswerCode::Gap | AnswerCode::FeedClosed => {
                if let Some(line) = self.lines.get_mut(&answer.feed) {
                    line.hasten(&self.config);
                }
                return;
            }
            AnswerCode::UnknownKey => return,
            AnswerCode::ChainBroken => AlarmKind::ChainBroken,
            AnswerCode::Oversize
            | AnswerCode::Malformed
            | AnswerCode::BadSignature
            | AnswerCode::OtherLedger
            | AnswerCode::Poison => AlarmKind::NeverTaken,
        };
        self.alarm_once(kind, answer.feed, vec![envelope, bytes.clone()], now, effects);
    }

    /// A failed publish ends the round: what was not sent waits for the next proven head.
    pub(super) fn end_round(&mut self, feed: FeedId, sequence: FeedSequence) {
        if let Some(line) = self.lines.get_mut(&feed) {
            line.is_blocked = true;
            line.next_send = line.next_send.min(sequence);
        }
        if let Some(statement) = self.state.feed_mut(feed).and_then(|feed| feed.get_mut(sequence)) {
            statement.sent_ms = None;
        }
    }

    /// Takes envelopes that were read back from the file.
    pub(super) fn take_loaded(&mut self, envelopes: Vec<Bytes>) {
        for line in self.lines.values_mut() {
            line.is_loading = false;
        }
        for bytes in envelopes {
            let Ok(envelope) = Envelope::decode(bytes.clone()) else {
                self.ignored.envelopes += 1;
                continue;
            };
            let header = envelope.header();
            let feed = self.state.feed_mut(header.feed);
            let statement = feed.and_then(|feed| feed.get_mut(header.sequence));
            match statement {
                Some(held)
                    if held.hash == envelope.hash() && !held.is_settled() && held.envelope.is_none() =>
                {
                    held.envelope = Some(bytes.clone());
                    self.state.backlog_len += bytes.len();
                }
                _ => self.ignored.envelopes += 1,
            }
        }
    }
}

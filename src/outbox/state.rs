//! What the records add up to: the durable half of the outbox, and which records are worth keeping.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use bytes::Bytes;

use super::record::{Alarm, CloseReason, DeadLetter, ParcelId, ProvenRow, Record};
use crate::{
    code::Outcome,
    envelope::{DecodeError, Envelope, Header},
    id::{FeedId, FeedSequence, Hash, LeafIndex},
};

/// Why records cannot be followed: the file is not what an outbox wrote.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StateError {
    /// A signed statement is not an envelope.
    #[error("a signed statement does not decode")]
    Envelope(#[from] DecodeError),
    /// A record names a feed that no record opened.
    #[error("feed {0} was never opened")]
    Feed(FeedId),
    /// A statement does not follow the one before.
    #[error("statement {got} of feed {feed} follows {last}")]
    Sequence {
        /// The feed.
        feed: FeedId,
        /// What came before.
        last: FeedSequence,
        /// What came.
        got: FeedSequence,
    },
}

/// The fold over an outbox's records.
#[derive(Clone, Debug, Default)]
pub struct State {
    pub(super) feeds: Vec<Feed>,
    pub(super) pending: BTreeMap<ParcelId, Parcel>,
    /// Those of them that wait to be signed.
    pub(super) queued: BTreeSet<ParcelId>,
    pub(super) next_parcel: u64,
    pub(super) letters: BTreeMap<ParcelId, DeadLetter>,
    pub(super) checkpoint: Option<Bytes>,
    pub(super) alarms: Vec<Alarm>,
    /// Bytes of events and envelopes held in memory.
    pub(super) backlog_len: usize,
}

/// Events on their way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Parcel {
    /// Not signed, or to be signed again.
    Queued { events: Vec<Bytes>, refusals: u32 },
    /// A statement without a receipt.
    Signed {
        feed: FeedId,
        sequence: FeedSequence,
        refusals: u32,
    },
}

impl Parcel {
    /// Whether the register lacked something for it.
    pub(super) const fn was_refused(&self) -> bool {
        let (Self::Queued { refusals, .. } | Self::Signed { refusals, .. }) = self;
        *refusals > 0
    }
}

/// One key's statements, from the first that is not forgotten.
#[derive(Clone, Debug)]
pub(super) struct Feed {
    pub(super) id: FeedId,
    pub(super) closed: Option<CloseReason>,
    /// The last statement that is forgotten and its hash; none and zeros at first.
    pub(super) pruned: (FeedSequence, Hash),
    pub(super) statements: VecDeque<Statement>,
    /// Every statement up to this one has its receipt, or was given up.
    pub(super) settled: FeedSequence,
    /// The highest receipted sequence and the receipt that proved it.
    pub(super) newest_receipt: Option<(FeedSequence, Bytes)>,
}

/// One statement.
#[derive(Clone, Debug)]
pub(super) struct Statement {
    pub(super) parcel: ParcelId,
    pub(super) hash: Hash,
    /// Until it has its receipt; afterwards it is in the file only.
    pub(super) envelope: Option<Bytes>,
    pub(super) proven: Option<(ProvenRow, i64)>,
    pub(super) abandoned: bool,
    /// When it was published last, in this run: milliseconds of the caller's steady clock.
    pub(super) sent_ms: Option<u64>,
}

impl Statement {
    pub(super) const fn is_settled(&self) -> bool {
        self.proven.is_some() || self.abandoned
    }
}

impl Feed {
    pub(super) const fn new(id: FeedId) -> Self {
        Self {
            id,
            closed: None,
            pruned: (FeedSequence::NONE, Hash::ZERO),
            statements: VecDeque::new(),
            settled: FeedSequence::NONE,
            newest_receipt: None,
        }
    }

    /// The statement signed last and its hash.
    pub(super) fn last(&self) -> (FeedSequence, Hash) {
        let (pruned, hash) = self.pruned;
        let count = self.statements.len() as u64;
        let hash = self.statements.back().map_or(hash, |statement| statement.hash);
        (FeedSequence::new(pruned.get() + count), hash)
    }

    fn position(&self, sequence: FeedSequence) -> Option<usize> {
        let at = sequence.get().checked_sub(self.pruned.0.get() + 1)?;
        usize::try_from(at).ok()
    }

    pub(super) fn get(&self, sequence: FeedSequence) -> Option<&Statement> {
        self.statements.get(self.position(sequence)?)
    }

    pub(super) fn get_mut(&mut self, sequence: FeedSequence) -> Option<&mut Statement> {
        let at = self.position(sequence)?;
        self.statements.get_mut(at)
    }

    /// Statement hash at a sequence, if it is known.
    pub(super) fn hash_at(&self, sequence: FeedSequence) -> Option<Hash> {
        if sequence == self.pruned.0 {
            return Some(self.pruned.1);
        }
        self.get(sequence).map(|statement| statement.hash)
    }

    /// Statements without receipt, ascending.
    pub(super) fn unsettled(&self) -> impl Iterator<Item = (FeedSequence, &Statement)> {
        let skip = self.settled.get().saturating_sub(self.pruned.0.get());
        let numbered = (self.settled.get() + 1..).map(FeedSequence::new);
        let rest = self
            .statements
            .iter()
            .skip(usize::try_from(skip).unwrap_or(usize::MAX));
        numbered
            .zip(rest)
            .filter(|(_, statement)| !statement.is_settled())
    }

    /// Whether every statement has its receipt or was given up.
    pub(super) fn is_settled(&self) -> bool {
        self.settled == self.last().0
    }

    /// How far a feed can be forgotten: up to the first statement without receipt, receipted after
    /// `receipted_before`, and not among the first `mirrored` entries. Events that wait to be signed
    /// again have records of their own.
    pub(super) fn prunable(
        &self,
        receipted_before: i64,
        mirrored: LeafIndex,
    ) -> Option<(FeedSequence, Hash)> {
        let done = self.statements.iter().take_while(|statement| {
            statement.abandoned
                || statement
                    .proven
                    .is_some_and(|(row, at)| at < receipted_before || row.index < mirrored)
        });
        let (count, last) = done
            .enumerate()
            .last()
            .map(|(at, statement)| (at as u64 + 1, statement))?;
        Some((FeedSequence::new(self.pruned.0.get() + count), last.hash))
    }

    fn advance_settled(&mut self) {
        loop {
            let next = FeedSequence::new(self.settled.get() + 1);
            match self.get(next) {
                Some(statement) if statement.is_settled() => self.settled = next,
                _ => return,
            }
        }
    }
}

impl State {
    /// Follows the records of a file from its first.
    ///
    /// # Errors
    /// [`StateError`] if they are not an outbox's.
    pub fn from_records<'a>(records: impl IntoIterator<Item = &'a Record>) -> Result<Self, StateError> {
        let mut state = Self::default();
        for record in records {
            state.apply(record)?;
        }
        Ok(state)
    }

    /// The feed opened last.
    pub fn newest_feed(&self) -> Option<FeedId> {
        self.feeds.last().map(|feed| feed.id)
    }

    pub(super) fn feed(&self, id: FeedId) -> Option<&Feed> {
        self.feeds.iter().find(|feed| feed.id == id)
    }

    pub(super) fn feed_mut(&mut self, id: FeedId) -> Option<&mut Feed> {
        self.feeds.iter_mut().find(|feed| feed.id == id)
    }

    /// Takes one more record.
    ///
    /// # Errors
    /// [`StateError`] if it cannot follow.
    pub fn apply(&mut self, record: &Record) -> Result<(), StateError> {
        match record {
            Record::Opened { feed } => {
                if self.feed(*feed).is_none() {
                    self.feeds.push(Feed::new(*feed));
                }
            }
            Record::Queued {
                parcel,
                refusals,
                events,
            } => {
                self.leave(*parcel);
                self.backlog_len += len_of(events);
                let queued = Parcel::Queued {
                    events: events.clone(),
                    refusals: *refusals,
                };
                self.pending.insert(*parcel, queued);
                self.queued.insert(*parcel);
                self.number_above(*parcel);
            }
            Record::Signed { parcel, envelope } => {
                let decoded = Envelope::decode(envelope.clone())?;
                self.apply_signed(*parcel, decoded.header(), decoded.hash(), envelope.clone())?;
            }
            Record::Receipted {
                feed,
                at,
                rows,
                receipt,
            } => self.apply_receipted(*feed, *at, rows, receipt)?,
            Record::DeadLettered(letter) => {
                self.letters.insert(letter.parcel, letter.clone());
                self.number_above(letter.parcel);
            }
            Record::Released { parcel } => {
                self.leave(*parcel);
                self.letters.remove(parcel);
            }
            Record::Closed { feed, reason } => {
                let feed = self.feed_mut(*feed).ok_or(StateError::Feed(*feed))?;
                feed.closed.get_or_insert(*reason);
            }
            Record::Reopened { feed, after, through } => self.apply_reopened(*feed, *after, *through)?,
            Record::Pruned { feed, through, hash } => {
                let feed = self.feed_mut(*feed).ok_or(StateError::Feed(*feed))?;
                while feed.pruned.0 < *through {
                    let Some(statement) = feed.statements.pop_front() else {
                        break;
                    };
                    feed.pruned = (FeedSequence::new(feed.pruned.0.get() + 1), statement.hash);
                }
                feed.pruned = (*through, *hash);
                feed.settled = feed.settled.max(*through);
                feed.advance_settled();
            }
            Record::Abandoned { feed, sequence } => {
                let held = self.feed(*feed).and_then(|feed| feed.get(*sequence));
                if let Some(parcel) = held.map(|statement| statement.parcel) {
                    if self.is_at(parcel, *feed, *sequence) {
                        self.leave(parcel);
                        self.pending.remove(&parcel);
                    }
                    self.abandon(*feed, *sequence);
                }
            }
            Record::CheckpointSeen { note } => self.checkpoint = Some(note.clone()),
            Record::Alarmed(alarm) => self.alarms.push(alarm.clone()),
            Record::Numbered { next } => self.next_parcel = self.next_parcel.max(next.get()),
        }
        Ok(())
    }

    fn number_above(&mut self, parcel: ParcelId) {
        self.next_parcel = self.next_parcel.max(parcel.get() + 1);
    }

    /// As a [`Record::Signed`] whose envelope has been read.
    pub(super) fn apply_signed(
        &mut self,
        parcel: ParcelId,
        header: &Header,
        hash: Hash,
        envelope: Bytes,
    ) -> Result<(), StateError> {
        let refusals = match self.pending.get(&parcel) {
            Some(Parcel::Queued { refusals, .. } | Parcel::Signed { refusals, .. }) => *refusals,
            None => 0,
        };
        self.leave(parcel);
        self.backlog_len += envelope.len();
        let id = header.feed;
        let feed = self.feed_mut(id).ok_or(StateError::Feed(id))?;
        let (last, _) = feed.last();
        if last.next() != Some(header.sequence) {
            return Err(StateError::Sequence {
                feed: id,
                last,
                got: header.sequence,
            });
        }
        feed.statements.push_back(Statement {
            parcel,
            hash,
            envelope: Some(envelope),
            proven: None,
            abandoned: false,
            sent_ms: None,
        });
        let signed = Parcel::Signed {
            feed: id,
            sequence: header.sequence,
            refusals,
        };
        self.pending.insert(parcel, signed);
        self.number_above(parcel);
        Ok(())
    }

    fn apply_receipted(
        &mut self,
        id: FeedId,
        at: i64,
        rows: &[ProvenRow],
        receipt: &Bytes,
    ) -> Result<(), StateError> {
        let mut settled = Vec::new();
        let feed = self.feed_mut(id).ok_or(StateError::Feed(id))?;
        let mut freed = 0;
        for row in rows {
            if feed
                .newest_receipt
                .as_ref()
                .is_none_or(|(newest, _)| row.sequence >= *newest)
            {
                feed.newest_receipt = Some((row.sequence, receipt.clone()));
            }
            // Forgotten since: the receipt is kept as evidence, or for its other rows.
            let Some(statement) = feed.get_mut(row.sequence) else {
                continue;
            };
            freed += statement.envelope.take().map_or(0, |envelope| envelope.len());
            statement.proven = Some((*row, at));
            settled.push((statement.parcel, row.sequence));
        }
        feed.advance_settled();
        self.backlog_len = self.backlog_len.saturating_sub(freed);
        for (parcel, sequence) in settled {
            if self.is_at(parcel, id, sequence) {
                self.pending.remove(&parcel);
            }
        }
        Ok(())
    }

    fn apply_reopened(
        &mut self,
        id: FeedId,
        after: FeedSequence,
        through: FeedSequence,
    ) -> Result<(), StateError> {
        let mut again = Vec::new();
        let feed = self.feed_mut(id).ok_or(StateError::Feed(id))?;
        for sequence in (after.get() + 1..=through.get()).map(FeedSequence::new) {
            let Some(statement) = feed.get_mut(sequence) else {
                continue;
            };
            if let Some((row, _)) = statement.proven.take()
                && row.outcome == Outcome::Admitted
            {
                again.push((statement.parcel, sequence));
            }
        }
        feed.settled = feed.settled.min(after).max(feed.pruned.0);
        feed.newest_receipt = None;
        feed.advance_settled();
        for (parcel, sequence) in again {
            let signed = Parcel::Signed {
                feed: id,
                sequence,
                refusals: 0,
            };
            self.pending.entry(parcel).or_insert(signed);
        }
        Ok(())
    }

    /// Whether the parcel's newest statement is this one.
    pub(super) fn is_at(&self, parcel: ParcelId, feed: FeedId, sequence: FeedSequence) -> bool {
        matches!(self.pending.get(&parcel), Some(Parcel::Signed { feed: f, sequence: s, .. }) if (*f, *s) == (feed, sequence))
    }

    /// A parcel goes another way than it stands: its events leave the queue, or its statement without receipt
    /// is given up.
    fn leave(&mut self, parcel: ParcelId) {
        match self.pending.remove(&parcel) {
            Some(Parcel::Queued { events, .. }) => {
                self.queued.remove(&parcel);
                self.backlog_len = self.backlog_len.saturating_sub(len_of(&events));
            }
            Some(Parcel::Signed { feed, sequence, .. }) => self.abandon(feed, sequence),
            None => {}
        }
    }

    fn abandon(&mut self, feed: FeedId, sequence: FeedSequence) {
        let Some(feed) = self.feed_mut(feed) else { return };
        let Some(statement) = feed.get_mut(sequence).filter(|held| held.proven.is_none()) else {
            return;
        };
        statement.abandoned = true;
        let freed = statement.envelope.take().map_or(0, |envelope| envelope.len());
        feed.advance_settled();
        self.backlog_len = self.backlog_len.saturating_sub(freed);
    }

    /// What a compacted file begins with.
    pub fn first_records(&self) -> Vec<Record> {
        let mut records = Vec::new();
        for feed in &self.feeds {
            records.push(Record::Opened { feed: feed.id });
            let (through, hash) = feed.pruned;
            if through > FeedSequence::NONE {
                records.push(Record::Pruned {
                    feed: feed.id,
                    through,
                    hash,
                });
            }
        }
        if let Some(note) = self.checkpoint.clone() {
            records.push(Record::CheckpointSeen { note });
        }
        let next = ParcelId::new(self.next_parcel);
        records.push(Record::Numbered { next });
        records
    }

    /// Which records of the old file a compacted one keeps, in their order, after
    /// [`first_records`](Self::first_records).
    pub fn retains(&self, record: &Record) -> bool {
        let is_held = |feed: &FeedId, sequence: FeedSequence| {
            self.feed(*feed).is_some_and(|feed| feed.get(sequence).is_some())
        };
        match record {
            Record::Opened { .. }
            | Record::Pruned { .. }
            | Record::CheckpointSeen { .. }
            | Record::Released { .. }
            | Record::Abandoned { .. }
            | Record::Numbered { .. } => false,
            Record::Closed { .. } | Record::Alarmed(_) => true,
            Record::Reopened { feed, through, .. } => is_held(feed, *through),
            Record::Queued { parcel, .. } => self.pending.contains_key(parcel),
            Record::Signed { envelope, .. } => Envelope::decode(envelope.clone())
                .is_ok_and(|envelope| is_held(&envelope.header().feed, envelope.header().sequence)),
            Record::Receipted {
                feed, rows, receipt, ..
            } => {
                let newest = self.feed(*feed).and_then(|feed| feed.newest_receipt.as_ref());
                rows.iter().any(|row| is_held(feed, row.sequence))
                    || newest.is_some_and(|(_, newest)| newest == receipt)
            }
            Record::DeadLettered(letter) => self.letters.contains_key(&letter.parcel),
        }
    }

    /// What a compacted file ends with: which of the statements kept were given up, and for which parcels nothing
    /// more is owed although none of their statements was admitted.
    pub fn last_records(&self) -> Vec<Record> {
        let mut records = Vec::new();
        let mut in_vain = BTreeSet::new();
        for statement in self.feeds.iter().flat_map(|feed| &feed.statements) {
            match statement.proven.map(|(row, _)| row.outcome) {
                Some(Outcome::Admitted) => in_vain.remove(&statement.parcel),
                Some(Outcome::Refused(_)) | None => in_vain.insert(statement.parcel),
            };
        }
        let is_owed =
            |parcel: &ParcelId| self.pending.contains_key(parcel) || self.letters.contains_key(parcel);
        records.extend(
            in_vain
                .into_iter()
                .filter(|parcel| !is_owed(parcel))
                .map(|parcel| Record::Released { parcel }),
        );
        for feed in &self.feeds {
            let numbered = (feed.pruned.0.get() + 1..)
                .map(FeedSequence::new)
                .zip(&feed.statements);
            records.extend(
                numbered
                    .filter(|(_, statement)| statement.abandoned)
                    .map(|(sequence, _)| Record::Abandoned {
                        feed: feed.id,
                        sequence,
                    }),
            );
        }
        records
    }
}

fn len_of(events: &[Bytes]) -> usize {
    events.iter().map(Bytes::len).sum()
}

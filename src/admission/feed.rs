//! What the ledger remembers of one feed: every statement that stands in the log, by its sequence.
//!
//! ```text
//! rows    0 .. 63 | 64 .. 127 | 128 .. 191 | 192 .. 200
//!         chunk 0   chunk 1     chunk 2      chunk 3, not full: always in memory
//!         let go    let go      in memory
//! ```
//!
//! A full chunk never changes. Once it is kept outside (`kept`), its rows may be let go here; whoever decides
//! about them looks them up first and hands them in as [`OlderRows`]. The chunk of the newest row stays.

use std::collections::{BTreeMap, VecDeque};

use super::parts::OpenEvent;
use crate::{
    code::Outcome,
    id::{FeedId, FeedSequence, Hash, LeafIndex},
    time::RecordedAt,
};

/// Rows in a chunk.
pub const CHUNK_ROWS: usize = 64;
const CHUNK_ROWS_U64: u64 = CHUNK_ROWS as u64;

/// One statement of a feed that stands in the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FeedRow {
    /// Where.
    pub index: LeafIndex,
    /// Its statement hash.
    pub hash: Hash,
    /// When it was recorded.
    pub recorded_at: RecordedAt,
    /// What was decided.
    pub outcome: Outcome,
}

/// What the ledger remembers of one feed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Feed {
    /// How many rows were let go, whole chunks.
    pub(super) gone: u64,
    /// The others; the newest is among them.
    pub(super) rows: VecDeque<FeedRow>,
    pub(super) open: Option<OpenEvent>,
    pub(super) equivocated: bool,
}

impl Feed {
    /// The last sequence that stands in the log.
    pub fn last(&self) -> FeedSequence {
        FeedSequence::new(self.gone + self.rows.len() as u64)
    }

    /// Statement hash of the last one; zeros before the first.
    pub fn last_hash(&self) -> Hash {
        self.rows.back().map_or(Hash::ZERO, |row| row.hash)
    }

    /// The statement at a sequence, if it is in memory: see [`is_gone`](Self::is_gone).
    pub fn row(&self, sequence: FeedSequence) -> Option<&FeedRow> {
        let at = sequence.get().checked_sub(1)?.checked_sub(self.gone)?;
        self.rows.get(usize::try_from(at).ok()?)
    }

    /// Whether the row of a sequence was let go and has to be looked up.
    pub const fn is_gone(&self, sequence: FeedSequence) -> bool {
        sequence.get() >= 1 && sequence.get() <= self.gone
    }

    /// Whether evidence of two statements for one sequence is in the log.
    pub const fn has_equivocated(&self) -> bool {
        self.equivocated
    }

    /// Takes the next row, and returns the number of the chunk that is full with it.
    pub(super) fn push(&mut self, row: FeedRow) -> Option<u64> {
        self.rows.push_back(row);
        let count = self.last().get();
        count
            .is_multiple_of(CHUNK_ROWS_U64)
            .then(|| count / CHUNK_ROWS_U64 - 1)
    }

    /// The rows of a chunk, if all of them are in memory.
    pub(super) fn chunk(&self, number: u64) -> Option<Vec<FeedRow>> {
        let from = number.checked_mul(CHUNK_ROWS_U64)?.checked_sub(self.gone)?;
        let from = usize::try_from(from).ok()?;
        let rows: Vec<FeedRow> = self.rows.iter().skip(from).take(CHUNK_ROWS).copied().collect();
        (rows.len() == CHUNK_ROWS).then_some(rows)
    }

    /// Lets go of chunks up to `number`, but for the one of the newest row.
    pub(super) fn let_go(&mut self, number: u64) {
        let until = (number + 1).saturating_mul(CHUNK_ROWS_U64).min(self.first_kept());
        let count = usize::try_from(until.saturating_sub(self.gone)).unwrap_or(0);
        self.rows.drain(..count.min(self.rows.len()));
        self.gone = self.gone.max(until);
        self.rows.shrink_to(2 * CHUNK_ROWS);
    }

    /// How many rows come before the chunk of the newest.
    pub(super) fn first_kept(&self) -> u64 {
        let before = self.last().get().saturating_sub(1);
        before - before % CHUNK_ROWS_U64
    }
}

/// A full chunk of a feed's rows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RowChunk {
    /// The feed.
    pub feed: FeedId,
    /// Which, from zero: the rows of sequences `number * 64 + 1` to `number * 64 + 64`.
    pub number: u64,
    /// As many as [`CHUNK_ROWS`], in order.
    pub rows: Vec<FeedRow>,
}

impl RowChunk {
    /// The number of the chunk that holds a sequence.
    pub const fn number_of(sequence: FeedSequence) -> u64 {
        sequence.get().saturating_sub(1) / CHUNK_ROWS_U64
    }

    /// The row of a sequence that it holds.
    pub fn row(&self, sequence: FeedSequence) -> Option<&FeedRow> {
        if Self::number_of(sequence) != self.number {
            return None;
        }
        let at = sequence.get().checked_sub(1)? % CHUNK_ROWS_U64;
        self.rows.get(usize::try_from(at).ok()?)
    }
}

/// Rows that had been let go, looked up again for deciding about them.
#[derive(Clone, Debug, Default)]
pub struct OlderRows(BTreeMap<(FeedId, FeedSequence), FeedRow>);

impl OlderRows {
    /// None, for a state that never let go of any.
    pub const NONE: Self = Self(BTreeMap::new());

    /// The row of a statement, if it was looked up.
    pub fn get(&self, feed: FeedId, sequence: FeedSequence) -> Option<&FeedRow> {
        self.0.get(&(feed, sequence))
    }

    /// Adds the row of a statement.
    pub fn insert(&mut self, feed: FeedId, sequence: FeedSequence, row: FeedRow) {
        self.0.insert((feed, sequence), row);
    }
}

/// Full chunks that are still in memory, in the order in which they became full.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Window {
    chunks: VecDeque<FullChunk>,
    /// So many of them, from the front, are kept outside.
    kept: usize,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct FullChunk {
    pub(super) feed: FeedId,
    pub(super) number: u64,
    pub(super) last: LeafIndex,
}

impl Window {
    pub(super) fn push(&mut self, chunk: FullChunk) {
        self.chunks.push_back(chunk);
    }

    /// Those that are not kept outside yet.
    pub(super) fn not_kept(&self) -> impl Iterator<Item = &FullChunk> {
        self.chunks.iter().skip(self.kept)
    }

    pub(super) fn mark_kept(&mut self, count: usize) {
        self.kept = (self.kept + count).min(self.chunks.len());
    }

    /// Takes out the next chunk that is kept outside and ends before `before`.
    pub(super) fn take_before(&mut self, before: LeafIndex) -> Option<FullChunk> {
        let next = self.chunks.front().filter(|chunk| chunk.last < before)?;
        let next = (self.kept > 0).then_some(*next)?;
        self.chunks.pop_front();
        self.kept -= 1;
        Some(next)
    }
}

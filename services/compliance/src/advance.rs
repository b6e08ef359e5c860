//! From one signed head to a larger one: nothing is folded that was not first hashed to a signed root.
//!
//! ```text
//! entries --hash--> roots after each chunk ... root of the signed head?   no: nothing was touched
//!    |                        |                        yes
//!    '-- first chunk kept ----+--> fold                       (a live commit fits in it: one reading)
//!        later chunks read again --same root as before?--> fold
//! ```
//!
//! So memory holds one chunk whatever the log's length, a batch that does not match leaves the state as it
//! was, and there is never a reason to start over.

use std::sync::atomic::{AtomicBool, Ordering};

use bytes::Bytes;
use lotproof::{
    id::{Hash, LogId, TreeSize},
    log::{
        checkpoint::SignedCheckpoint,
        hash::leaf_hash,
        tree::{Frontier, LogHead},
    },
};

use crate::{
    entries::{Entries, EntrySource, FetchError},
    live::{FoldFault, LiveLog},
};

/// A chunk ends with the entry that makes it longer than this, in bytes.
const CHUNK_LEN_MAX: usize = 8 << 20;

/// Why a head was not reached.
#[derive(Debug, thiserror::Error)]
pub(crate) enum AdvanceError {
    /// The entries could not be read; says nothing about the log.
    #[error(transparent)]
    Fetch(#[from] FetchError),
    /// The first entry is not the genesis that the trust file names.
    #[error("entry 0 is not the genesis of log {expected}")]
    OtherLog { expected: LogId },
    /// What the ledger serves is not what it signed, or does not continue what was verified before.
    #[error("the entries up to {} do not make the root {} that the log signed", head.size, head.root)]
    Mismatch { head: LogHead },
    /// Entries that the log signed, and that no log can have.
    #[error(transparent)]
    Fold(#[from] FoldFault),
    /// Told to stop.
    #[error("stopped")]
    Stopped,
}

/// Entries as they come, cut into chunks: the root after each, and the first with its leaf hashes.
struct Survey {
    frontier: Frontier,
    marks: Vec<LogHead>,
    first: Vec<(Bytes, Hash)>,
    count: usize,
    len: usize,
    chunk_entries_max: usize,
}

impl Survey {
    fn new(frontier: Frontier, chunk_entries_max: usize) -> Self {
        Self {
            frontier,
            chunk_entries_max,
            marks: Vec::new(),
            first: Vec::new(),
            count: 0,
            len: 0,
        }
    }

    fn push(&mut self, entry: Bytes) {
        let leaf = leaf_hash(&entry);
        self.frontier.push(leaf);
        self.count += 1;
        self.len += entry.len();
        if self.marks.is_empty() {
            self.first.push((entry, leaf));
        }
        if self.count >= self.chunk_entries_max || self.len > CHUNK_LEN_MAX {
            self.cut();
        }
    }

    fn cut(&mut self) {
        self.marks.push(self.frontier.head());
        (self.count, self.len) = (0, 0);
    }

    fn finish(mut self) -> (LogHead, Vec<(Bytes, Hash)>, Vec<LogHead>) {
        if self.count > 0 {
            self.cut();
        }
        (self.frontier.head(), self.first, self.marks)
    }
}

/// Where entries come from, and what they must be.
#[derive(Clone, Debug)]
pub(crate) struct Reading {
    pub(crate) source: EntrySource,
    /// The log that is followed.
    pub(crate) log_id: LogId,
    /// Most entries in a chunk.
    pub(crate) chunk_entries_max: usize,
}

/// Reads, verifies and folds the entries from where `log` was folded to up to `target`, which must be larger;
/// blocks.
///
/// # Errors
/// [`AdvanceError`]; whole chunks, or the entries before one that cannot follow, may have been folded.
pub(crate) fn advance(
    log: &LiveLog,
    reading: &Reading,
    target: &SignedCheckpoint,
    stop: &AtomicBool,
) -> Result<(), AdvanceError> {
    let (source, log_id) = (&reading.source, reading.log_id);
    let frontier = log.frontier();
    let goal = *target.head();
    let mut survey = Survey::new(frontier.clone(), reading.chunk_entries_max);
    for entry in source.read(frontier.size(), goal.size) {
        let entry = next(Some(entry), stop, goal)?;
        if survey.frontier.size() == TreeSize::EMPTY && leaf_hash(&entry) != log_id.genesis_leaf() {
            return Err(AdvanceError::OtherLog { expected: log_id });
        }
        survey.push(entry);
    }
    let (head, first, marks) = survey.finish();
    if head != goal {
        return Err(AdvanceError::Mismatch { head: goal });
    }
    let mut frontier = frontier;
    let mut again: Option<Entries<'_>> = None;
    let mut chunk = first;
    for (number, mark) in marks.iter().enumerate() {
        if number > 0 {
            let entries = again.get_or_insert_with(|| source.read(frontier.size(), goal.size));
            chunk = read_chunk(entries, &frontier, mark, stop, goal)?;
        }
        for (_, leaf) in &chunk {
            frontier.push(*leaf);
        }
        if frontier.head() != *mark {
            return Err(AdvanceError::Mismatch { head: goal });
        }
        log.fold(&chunk, target)?;
    }
    Ok(())
}

/// Whether the entries served make `second`, and not the smaller `first` on the way there; blocks, and folds nothing.
///
/// # Errors
/// If they cannot be read.
pub(crate) fn excludes(
    reading: &Reading,
    first: LogHead,
    second: LogHead,
    stop: &AtomicBool,
) -> Result<bool, AdvanceError> {
    let mut frontier = Frontier::new();
    let mut is_made = false;
    for entry in reading.source.read(TreeSize::EMPTY, second.size) {
        let entry = next(Some(entry), stop, second)?;
        frontier.push(leaf_hash(&entry));
        is_made |= frontier.size() == first.size && frontier.root() == first.root;
    }
    Ok(!is_made && frontier.head() == second)
}

/// Reads the chunk that ends at `mark`, within the bounds that it had when it was first read.
fn read_chunk(
    entries: &mut Entries<'_>,
    frontier: &Frontier,
    mark: &LogHead,
    stop: &AtomicBool,
    goal: LogHead,
) -> Result<Vec<(Bytes, Hash)>, AdvanceError> {
    let mut chunk = Vec::new();
    let mut len = 0;
    for _ in frontier.size().get()..mark.size.get() {
        if len > CHUNK_LEN_MAX {
            return Err(AdvanceError::Mismatch { head: goal });
        }
        let entry = next(entries.next(), stop, goal)?;
        len += entry.len();
        let leaf = leaf_hash(&entry);
        chunk.push((entry, leaf));
    }
    Ok(chunk)
}

fn next(
    entry: Option<Result<Bytes, FetchError>>,
    stop: &AtomicBool,
    goal: LogHead,
) -> Result<Bytes, AdvanceError> {
    if stop.load(Ordering::Relaxed) {
        return Err(AdvanceError::Stopped);
    }
    Ok(entry.ok_or(AdvanceError::Mismatch { head: goal })??)
}

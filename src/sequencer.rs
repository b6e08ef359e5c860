//! The single writer's core: batches of messages in, commits out.
//!
//! A [`Commit`] is everything one batch brings about, as values: entries to make durable, the log head that
//! follows from them, and what to tell whom once that head is promised. The shell carries it out in the one
//! order there is ([`Step`]), and recovery runs the same steps. Nothing here waits, reads a clock or writes.
//!
//! On any failure the shell drops the sequencer and builds a new one from what is on disk: the state in
//! memory may be ahead of it.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;

use crate::{
    admission::{FeedRow, FoldError, LedgerState, NoPlace, OlderRows, Prepared, RowChunk},
    entry::{Body, Entry},
    id::{FeedId, FeedSequence, Hash, LeafIndex, TreeSize},
    log::{
        hash::leaf_hash,
        multiproof::{self, BuildError},
        proof::HashReader,
        tree::{Frontier, LogHead},
    },
    time::RecordedAt,
    wire::v1,
};

/// Most rows in one receipt message, so that no message on the bus grows beyond bounds.
pub const RECEIPT_ROWS_MAX: usize = 2_000;

/// The steps of a commit, in order. Any prefix of them can be resumed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Step {
    /// Entries durable in the store; size and root follow from them.
    Persist,
    /// The head swapped into the guard.
    Guard,
    /// The checkpoint signed, and durable in a file of its own.
    SignCheckpoint,
    /// The checkpoint shown: over HTTP and on the bus.
    PublishCheckpoint,
    /// Receipts and answers sent.
    Receipts,
    /// The bus purged of what was handled.
    Purge,
}

impl Step {
    /// Every step, in order.
    pub const ALL: [Self; 6] = [
        Self::Persist,
        Self::Guard,
        Self::SignCheckpoint,
        Self::PublishCheckpoint,
        Self::Receipts,
        Self::Purge,
    ];

    /// Its name in configuration and logs.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Persist => "persist",
            Self::Guard => "guard",
            Self::SignCheckpoint => "sign_checkpoint",
            Self::PublishCheckpoint => "publish_checkpoint",
            Self::Receipts => "receipts",
            Self::Purge => "purge",
        }
    }
}

/// One message from the bus, looked at without the ledger's state.
#[derive(Clone, Debug)]
pub struct Submission {
    /// The feed that its subject names; proves nothing, and says where an answer goes.
    pub subject_feed: Option<FeedId>,
    /// SHA-256 of the message, for its answer.
    pub message: Hash,
    /// The statement, or why it is none.
    pub prepared: Result<Prepared, NoPlace>,
}

/// What to tell the sender of a message that took no place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refused {
    /// Where the answer goes.
    pub feed: FeedId,
    /// SHA-256 of the message.
    pub message: Hash,
    /// The sequence that the statement claims, or zero.
    pub sequence: u64,
    /// Why.
    pub why: NoPlace,
}

/// What one batch brings about.
#[derive(Clone, Debug, Default)]
pub struct Commit {
    /// New leaves with their hashes, in order; none if the batch brought nothing new.
    pub entries: Vec<(Bytes, Hash)>,
    /// Per feed, the sequences to send receipts for: new ones and repeated ones.
    pub receipts: BTreeMap<FeedId, BTreeSet<FeedSequence>>,
    /// Answers to what took no place.
    pub answers: Vec<Refused>,
    /// How many statements were equivocations of feeds already known for it.
    pub repeated_equivocations: u64,
}

/// The state that deciding needs, and the tree's right edge.
#[derive(Clone, Debug)]
pub struct Sequencer {
    state: LedgerState,
    frontier: Frontier,
}

impl Sequencer {
    /// From a folded state and the frontier of the same size.
    ///
    /// # Panics
    /// If their sizes differ.
    pub fn new(state: LedgerState, frontier: Frontier) -> Self {
        assert_eq!(state.size(), frontier.size(), "state and tree are of one prefix");
        Self { state, frontier }
    }

    /// The state.
    pub const fn state(&self) -> &LedgerState {
        &self.state
    }

    /// The head that the entries so far make.
    pub fn head(&self) -> LogHead {
        self.frontier.head()
    }

    /// The tree's right edge.
    pub const fn frontier(&self) -> &Frontier {
        &self.frontier
    }

    /// Rows to look up before a batch is committed: those that the state let go of.
    pub fn older_rows_for(&self, batch: &[Submission]) -> BTreeSet<(FeedId, FeedSequence)> {
        let statements = batch.iter().filter_map(|one| one.prepared.as_ref().ok());
        statements
            .filter_map(|statement| self.state.older_row_for(statement.header()))
            .collect()
    }

    /// Full chunks of rows that are not kept yet.
    pub fn full_chunks(&self) -> Vec<RowChunk> {
        self.state.full_chunks()
    }

    /// See [`LedgerState::let_go`].
    pub fn let_go(&mut self, count: usize, before: LeafIndex) {
        self.state.let_go(count, before);
    }

    /// [`commit_with`](Self::commit_with), for a state that never let go of a row.
    pub fn commit(&mut self, batch: Vec<Submission>, recorded_at: RecordedAt) -> Commit {
        self.commit_with(batch, recorded_at, &OlderRows::NONE)
    }

    /// Decides a batch at `recorded_at`, in the order given.
    ///
    /// # Panics
    /// If `older` lacks a row of [`older_rows_for`](Self::older_rows_for).
    pub fn commit_with(
        &mut self,
        batch: Vec<Submission>,
        recorded_at: RecordedAt,
        older: &OlderRows,
    ) -> Commit {
        let recorded_at = recorded_at.max(self.state.recorded_at());
        let mut commit = Commit::default();
        let mut gaps = BTreeSet::new();
        for Submission {
            subject_feed,
            message,
            prepared,
        } in batch
        {
            let (feed, sequence, envelope) = match &prepared {
                Ok(prepared) => {
                    let header = prepared.header();
                    let envelope = prepared.statement().envelope_bytes().clone();
                    (Some(header.feed), header.sequence, envelope)
                }
                Err(_) => (subject_feed, FeedSequence::NONE, Bytes::new()),
            };
            let decided = prepared.and_then(|prepared| self.state.decide_with(prepared, recorded_at, older));
            match (decided, feed) {
                (Ok(decided), Some(feed)) => {
                    self.append(&decided.to_entry(), &mut commit);
                    self.state.take(&decided);
                    commit.receipts.entry(feed).or_default().insert(sequence);
                }
                (Err(NoPlace::Duplicate { .. }), Some(feed)) => {
                    commit.receipts.entry(feed).or_default().insert(sequence);
                }
                (Err(NoPlace::Equivocation { first, is_news: true }), _) => {
                    let entry = Entry {
                        recorded_at,
                        body: Body::Evidence {
                            first_index: first,
                            envelope,
                        },
                    };
                    if self.state.take_own_with(&entry, older).is_ok() {
                        self.append(&entry, &mut commit);
                    }
                }
                (Err(NoPlace::Equivocation { .. }), _) => commit.repeated_equivocations += 1,
                // One answer per feed and batch says what is expected next; a thousand would not say more.
                (Err(NoPlace::Gap { .. }), Some(feed)) if !gaps.insert(feed) => {}
                (Err(why), Some(feed)) => {
                    commit.answers.push(Refused {
                        feed,
                        message,
                        sequence: sequence.get(),
                        why,
                    });
                }
                // A message on no feed's subject that is no statement: nobody to answer.
                (_, None) => {}
            }
        }
        commit
    }

    /// Appends a record of the ledger's own.
    ///
    /// # Errors
    /// [`FoldError`] if it cannot stand there.
    pub fn record(
        &mut self,
        record: v1::ledger_record::Record,
        recorded_at: RecordedAt,
    ) -> Result<Commit, FoldError> {
        let entry = Entry {
            recorded_at: recorded_at.max(self.state.recorded_at()),
            body: Body::Record(record),
        };
        self.state.take_own(&entry)?;
        let mut commit = Commit::default();
        self.append(&entry, &mut commit);
        Ok(commit)
    }

    fn append(&mut self, entry: &Entry, commit: &mut Commit) {
        let bytes = entry.encode();
        let hash = leaf_hash(&bytes);
        self.frontier.push(hash);
        commit.entries.push((bytes, hash));
    }
}

/// Builds the receipts of one feed for those of its rows that stand in the log of `size`, against that one's
/// signed `checkpoint`.
///
/// # Errors
/// If the tree cannot be read.
pub fn receipts<R: HashReader>(
    feed: FeedId,
    rows: impl IntoIterator<Item = (FeedSequence, FeedRow)>,
    size: TreeSize,
    checkpoint: &Bytes,
    hashes: &R,
) -> Result<Vec<v1::Receipt>, BuildError<R::Error>> {
    let mut rows: Vec<v1::ReceiptRow> = rows
        .into_iter()
        .filter(|(_, row)| size.contains(row.index))
        .map(|(sequence, row)| v1::ReceiptRow {
            sequence: sequence.get(),
            index: row.index.get(),
            recorded_at: row.recorded_at.as_nanos(),
            outcome: row.outcome.number().into(),
        })
        .collect();
    // Sequences of one feed stand in the log in their order.
    rows.sort_by_key(|row| row.index);
    rows.chunks(RECEIPT_ROWS_MAX)
        .map(|rows| {
            let indices: Vec<LeafIndex> = rows.iter().map(|row| LeafIndex::new(row.index)).collect();
            let proof = multiproof::build(size, &indices, hashes)?;
            Ok(v1::Receipt {
                feed: feed.as_bytes().to_vec(),
                rows: rows.to_vec(),
                checkpoint: checkpoint.to_vec(),
                hashes: proof.iter().map(|hash| hash.as_bytes().to_vec()).collect(),
            })
        })
        .collect()
}

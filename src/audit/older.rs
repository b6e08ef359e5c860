//! Statements of which the replay has let the rows go, so that its memory does not grow with the log.
//!
//! The rows of the newest entries stay, and the last one of each feed. Of a statement that is older
//!
//! - a repetition is one whatever it says: that its sequence is gone is enough;
//! - evidence names the entry that it is about, which is read again and compared with the tree again.
//!
//! That entry is the statement that the feed has at that sequence, but for what is noted here: statements that
//! were not taken, each of which is a finding, and sequences of statements that nobody has seen. They are as few
//! as findings and lost entries.

use std::collections::{BTreeMap, BTreeSet};

use crate::{
    admission::{FeedRow, resume::UNSEEN},
    code::Outcome,
    envelope::Header,
    id::{FeedId, FeedSequence, Hash, LeafIndex},
    time::RecordedAt,
};

/// Where a statement stands of which only that is known, that it stands somewhere.
pub(super) const SOMEWHERE: LeafIndex = LeafIndex::new(u64::MAX - 1);

/// A statement that was read again.
#[derive(Debug)]
pub(super) struct Statement {
    pub(super) header: Header,
    pub(super) row: FeedRow,
}

/// What the entries themselves do not say about the statements in them.
#[derive(Debug, Default)]
pub(super) struct OlderStatements {
    /// Statements that were not taken, for their feed had their sequence already.
    repeated: BTreeSet<LeafIndex>,
    /// Sequences that are missing from the log: the last one, by the first.
    unseen: BTreeMap<(FeedId, FeedSequence), FeedSequence>,
}

impl OlderStatements {
    /// The statement at `index` was not taken, or was taken back.
    pub(super) fn repeated(&mut self, index: LeafIndex) {
        self.repeated.insert(index);
    }

    /// A feed was resumed after `last` with the statement of this header.
    pub(super) fn resumed(&mut self, last: FeedSequence, header: &Header) {
        let first = FeedSequence::new(last.get() + 1);
        if first < header.sequence {
            let until = FeedSequence::new(header.sequence.get() - 1);
            self.unseen.insert((header.feed, first), until);
        }
    }

    /// Whether evidence about a statement whose row is gone is decided by reading the entry that it names.
    pub(super) fn is_worth_reading(&self, first: LeafIndex) -> bool {
        !self.repeated.contains(&first)
    }

    /// The row of a statement that was let go: as it was if its entry was `read` again, else one that holds no
    /// more than what is known of it.
    pub(super) fn row(&self, header: &Header, read: Option<Statement>) -> FeedRow {
        let is_it = |read: &Statement| {
            read.header.feed == header.feed
                && read.header.sequence == header.sequence
                && !self.repeated.contains(&read.row.index)
        };
        if let Some(read) = read.filter(is_it) {
            return read.row;
        }
        let until = (header.feed, header.sequence);
        let before = self.unseen.range(..=until).next_back();
        let is_unseen =
            before.is_some_and(|((feed, _), last)| *feed == header.feed && *last >= header.sequence);
        FeedRow {
            index: if is_unseen { UNSEEN } else { SOMEWHERE },
            hash: Hash::ZERO,
            recorded_at: RecordedAt::from_nanos(0),
            outcome: Outcome::Admitted,
        }
    }
}

//! Going on after an entry that cannot be followed, which only an auditor does: the writer and its recovery
//! stop at the first.
//!
//! Nothing here decides anything. A place in the log is counted without being read, a feed is told what its
//! next statement names, the clock is set back to what the log says. Rows that stand in for statements nobody
//! has seen carry [`UNSEEN`] as their index.

use super::{Feed, FeedRow, LedgerState, parts::OpenEvent, prepare::check_events};
use crate::{
    code::Outcome,
    envelope::Envelope,
    id::{FeedId, FeedSequence, Hash, LeafIndex},
    time::RecordedAt,
};

/// Where statements stand that are missing from the log.
pub(crate) const UNSEEN: LeafIndex = LeafIndex::new(u64::MAX);
/// The longest gap in a feed that is bridged, in statements.
const GAP_MAX: u64 = 65_536;

impl LedgerState {
    /// Counts the next entry without taking anything from it.
    pub(crate) fn pass_over(&mut self) {
        self.advance(self.recorded_at);
    }

    /// Lets recorded time go on from what an entry says, even if it is before the newest one's.
    pub(crate) fn set_clock(&mut self, recorded_at: RecordedAt) {
        self.recorded_at = recorded_at;
    }

    /// Lets go of full chunks of rows that are all of entries before `before`, kept outside or not: an auditor
    /// has the entries.
    pub(crate) fn forget_rows(&mut self, before: LeafIndex) {
        let count = self.window.not_kept().count();
        self.let_go(count, before);
    }

    /// Takes a statement with the outcome that the log says, whether or not it is right; whether it continues
    /// its feed. Events of which one breaks a rule by itself are left out, all of them.
    pub(crate) fn take_as_logged(
        &mut self,
        statement: &Envelope,
        outcome: Outcome,
        recorded_at: RecordedAt,
    ) -> bool {
        let header = statement.header();
        let (last, hash) = self
            .feed(header.feed)
            .map_or((FeedSequence::NONE, Hash::ZERO), |feed| {
                (feed.last(), feed.last_hash())
            });
        let continues = last.next() == Some(header.sequence) && hash == header.previous;
        if continues && header.log_id == self.log_id {
            let events = check_events(statement.events()).unwrap_or_default();
            self.take_statement(header, statement.hash(), &events, outcome, recorded_at);
            return true;
        }
        false
    }

    /// Makes `sequence` the next of the feed, and `previous` what it has to name; whether that was possible.
    /// Of a feed with a gap all rows are let go but the last, however long the gap is.
    pub(crate) fn resume_feed(&mut self, feed: FeedId, sequence: FeedSequence, previous: Hash) -> bool {
        let feed: &mut Feed = self.feeds.entry(feed).or_default();
        let wanted = sequence.get().saturating_sub(1);
        let Some(missing) = wanted.checked_sub(feed.last().get()) else {
            return false;
        };
        if missing > GAP_MAX {
            return false;
        }
        let unseen = FeedRow {
            index: UNSEEN,
            hash: Hash::ZERO,
            recorded_at: self.recorded_at,
            outcome: Outcome::Admitted,
        };
        if missing > 0 {
            feed.rows.clear();
            feed.gone = wanted - 1;
            feed.rows.push_back(unseen);
        }
        feed.open = None;
        if let Some(last) = feed.rows.back_mut() {
            last.hash = previous;
        }
        true
    }

    /// Gives a statement the hash that it has, after [`resume_feed`](Self::resume_feed) had its successor name
    /// another.
    pub(crate) fn restore_hash(&mut self, feed: FeedId, sequence: FeedSequence, hash: Hash) {
        let at = |feed: &Feed| sequence.get().checked_sub(feed.gone)?.checked_sub(1);
        if let Some(feed) = self.feeds.get_mut(&feed)
            && let Some(at) = at(feed).and_then(|at| usize::try_from(at).ok())
            && let Some(row) = feed.rows.get_mut(at)
        {
            row.hash = hash;
        }
    }

    /// The end of a feed, to which [`take_back`](Self::take_back) brings it.
    pub(crate) fn feed_end(&self, feed: FeedId) -> FeedEnd {
        let feed = self.feeds.get(&feed);
        FeedEnd {
            row: feed.and_then(|feed| feed.rows.back()).copied(),
            open: feed.and_then(|feed| feed.open.clone()),
        }
    }

    /// Makes the statement before the last one of a feed its last, and its end as it was then.
    pub(crate) fn take_back(&mut self, feed: FeedId, end: FeedEnd) {
        let Some(feed) = self.feeds.get_mut(&feed) else {
            return;
        };
        if feed.rows.pop_back().is_some() {
            feed.open = end.open;
            if feed.rows.is_empty()
                && let Some(row) = end.row
            {
                feed.gone = feed.gone.saturating_sub(1);
                feed.rows.push_back(row);
            }
        }
    }
}

/// Where a feed stood.
#[derive(Clone, Debug)]
pub(crate) struct FeedEnd {
    row: Option<FeedRow>,
    open: Option<OpenEvent>,
}

#[cfg(test)]
impl Feed {
    pub(crate) fn rows_in_memory(&self) -> usize {
        self.rows.len()
    }
}

//! Entries that nothing could be taken from, and whose they were.
//!
//! What follows from one is no fault of its own: its feed misses it, or the register lacks the act in it. The
//! specification (After a finding) says in rules 3, 6 and 8 how far that goes; they are decided here.

use crate::{
    id::{FeedId, LeafIndex},
    time::RecordedAt,
};

/// Whose a lost entry was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Whose {
    /// Nothing is known.
    Anybodys,
    /// A statement of this feed that nobody has missed yet.
    Feed(FeedId),
    /// The ledger's own, or one that its feed was found to miss.
    Settled,
}

#[derive(Debug)]
struct Lost {
    index: LeafIndex,
    whose: Whose,
}

/// Every lost entry so far.
#[derive(Debug, Default)]
pub(super) struct LostEntries {
    /// Ascending by index.
    list: Vec<Lost>,
    /// Those since the last entry that was read of which the bytes in their place say whose they were, and
    /// when: by number in the list.
    hinted: Vec<(usize, RecordedAt)>,
    /// How many are anybody's.
    unaccounted: usize,
}

impl LostEntries {
    /// Counts the entry at `index`, behind all others.
    pub(super) fn push(&mut self, index: LeafIndex, whose: Whose) {
        let last = self.list.last().map(|lost| lost.index);
        assert!(last < Some(index), "entry {index} is lost behind {last:?}");
        self.list.push(Lost { index, whose });
        self.unaccounted += usize::from(whose == Whose::Anybodys);
    }

    /// Rule 3: counts an entry of which other bytes say whose it was. They are believed until an entry of an
    /// earlier time than theirs is read.
    pub(super) fn push_hinted(&mut self, index: LeafIndex, whose: Whose, recorded_at: RecordedAt) {
        self.hinted.push((self.list.len(), recorded_at));
        self.push(index, whose);
    }

    /// Rule 3: an entry of this time is read. Bytes of a later one that stood before it come from elsewhere.
    pub(super) fn doubt_hints(&mut self, recorded_at: RecordedAt) {
        for (number, said) in std::mem::take(&mut self.hinted) {
            if said > recorded_at
                && let Some(lost) = self.list.get_mut(number)
            {
                lost.whose = Whose::Anybodys;
                self.unaccounted += 1;
            }
        }
    }

    /// Rule 6: whether as many entries behind `since` as a feed misses may be those; they are then spent on
    /// it, the feed's own before anybody's and the oldest first.
    pub(super) fn explain(&mut self, feed: FeedId, since: LeafIndex, missing: usize) -> bool {
        let first = self.list.partition_point(|lost| lost.index <= since);
        let mut fitting: Vec<&mut Lost> = self.list.iter_mut().skip(first).collect();
        fitting.retain(|lost| lost.whose == Whose::Feed(feed) || lost.whose == Whose::Anybodys);
        if missing == 0 || fitting.len() < missing {
            return false;
        }
        fitting.sort_by_key(|lost| lost.whose == Whose::Anybodys);
        for lost in fitting.into_iter().take(missing) {
            self.unaccounted -= usize::from(lost.whose == Whose::Anybodys);
            lost.whose = Whose::Settled;
        }
        true
    }

    /// Rule 8: whether one that was anybody's explains no gap, so that it may have been an act.
    pub(super) const fn is_any_unexplained(&self) -> bool {
        self.unaccounted > 0
    }

    /// Whether the entry at `index` is lost.
    pub(super) fn has(&self, index: LeafIndex) -> bool {
        self.list.binary_search_by_key(&index, |lost| lost.index).is_ok()
    }

    /// How many.
    pub(super) const fn count(&self) -> usize {
        self.list.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::signature::SigningKey;

    fn feed(seed: u8) -> FeedId {
        SigningKey::from_seed(&[seed; 32]).feed()
    }

    fn lost(whose: &[Whose]) -> LostEntries {
        let mut lost = LostEntries::default();
        for (index, whose) in (1..).zip(whose) {
            lost.push(LeafIndex::new(index), *whose);
        }
        lost
    }

    fn now(lost: &LostEntries) -> Vec<Whose> {
        lost.list.iter().map(|lost| lost.whose).collect()
    }

    #[test]
    fn a_gap_spends_the_feeds_own_first_and_the_oldest_of_each() {
        use Whose::{Anybodys, Feed, Settled};
        let (own, other) = (Feed(feed(1)), Feed(feed(2)));
        let all = [Anybodys, own, other, Anybodys, own];
        let mut some = lost(&all);
        assert!(some.explain(feed(1), LeafIndex::GENESIS, 3));
        assert_eq!(now(&some), [Settled, Settled, other, Anybodys, Settled]);
        assert!(some.is_any_unexplained());
        assert!(!some.explain(feed(1), LeafIndex::GENESIS, 2), "one is left");
        assert!(some.explain(feed(1), LeafIndex::GENESIS, 1));
        assert!(!some.is_any_unexplained());
        // Those before the feed's last statement are not what it misses.
        assert!(!lost(&all).explain(feed(1), LeafIndex::new(4), 2));
        assert!(!lost(&all).explain(feed(1), LeafIndex::GENESIS, 0));
    }

    #[test]
    fn bytes_of_a_later_time_than_what_follows_say_nothing() {
        let at = RecordedAt::from_nanos;
        for (read_at, expected) in [(10, Whose::Settled), (9, Whose::Anybodys)] {
            let mut lost = LostEntries::default();
            lost.push_hinted(LeafIndex::new(1), Whose::Settled, at(10));
            lost.doubt_hints(at(read_at));
            assert_eq!(now(&lost), [expected]);
            assert_eq!(lost.is_any_unexplained(), expected == Whose::Anybodys);
            // What is read later does not matter.
            lost.doubt_hints(at(1));
            assert_eq!(now(&lost), [expected]);
        }
    }
}

//! Chance that can be thrown again: splitmix64, one stream for each operation of a world.

const GOLDEN: u64 = 0x9e37_79b9_7f4a_7c15;

/// A stream of numbers, the same for the same seed.
#[derive(Clone, Debug)]
pub(super) struct Dice(u64);

impl Dice {
    /// The stream that decides about `topic` in the world of `seed`.
    pub(super) fn of(seed: u64, topic: u64) -> Self {
        let mut dice =
            Self(seed.wrapping_mul(GOLDEN) ^ topic.wrapping_add(1).wrapping_mul(0xd6e8_feb8_6659_fd93));
        dice.next();
        dice
    }

    pub(super) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(GOLDEN);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A place in something of this length, which is not zero.
    pub(super) fn place(&mut self, len: usize) -> usize {
        usize::try_from(self.next() % len as u64).expect("below a length")
    }

    /// A number from `low` to `high`, both possible.
    pub(super) fn within(&mut self, low: i64, high: i64) -> i64 {
        let width = u64::try_from(high - low + 1).expect("low is not above high");
        low + i64::try_from(self.next() % width).expect("below the width")
    }

    /// True once in `of` times.
    pub(super) fn one_in(&mut self, of: u64) -> bool {
        self.next().is_multiple_of(of)
    }

    /// One of these, of which there is at least one.
    pub(super) fn one<'a, T>(&mut self, among: &'a [T]) -> &'a T {
        &among[self.place(among.len())]
    }
}

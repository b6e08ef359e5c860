//! Seeded chance, and how long a run is wanted: shared by the test programs that choose faults.

use lotproof::simulate::Random;

/// Whether the full counts are asked for.
pub(crate) fn is_long() -> bool {
    std::env::var("LOTPROOF_LONG").is_ok_and(|value| value == "1")
}

/// Chance that can be thrown again.
pub(crate) struct Dice(Random);

impl Dice {
    /// Seeded by `LOTPROOF_SEED`, or by this process; the seed is printed, which a test's output shows when
    /// it fails.
    pub(crate) fn thrown_for(test: &str) -> Self {
        let given = std::env::var("LOTPROOF_SEED")
            .ok()
            .and_then(|seed| seed.parse().ok());
        let seed = given.unwrap_or_else(|| u64::from(std::process::id()));
        println!("{test}: LOTPROOF_SEED={seed}");
        Self::new(seed)
    }

    pub(crate) const fn new(seed: u64) -> Self {
        Self(Random::from_seed(seed))
    }

    pub(crate) const fn next(&mut self) -> u64 {
        self.0.next_bits()
    }

    /// A number below `end`, which is not zero.
    pub(crate) const fn below(&mut self, end: u64) -> u64 {
        self.next() % end
    }

    /// A place in something of this length, which is not zero.
    pub(crate) fn place(&mut self, len: usize) -> usize {
        usize::try_from(self.below(len as u64)).expect("below a length")
    }

    /// True once in `of` times.
    pub(crate) const fn one_in(&mut self, of: u64) -> bool {
        self.below(of) == 0
    }
}

//! Seeded chance, and how long a run is wanted.

use std::time::Duration;

/// Whether the full counts are asked for.
pub(crate) fn is_long() -> bool {
    std::env::var("LOTPROOF_LONG").is_ok_and(|value| value == "1")
}

/// `SplitMix64`: small, and the same everywhere.
pub(crate) struct Dice(u64);

impl Dice {
    /// Seeded by `LOTPROOF_SEED`, or by this process; the seed is printed, which a test's output shows when
    /// it fails.
    pub(crate) fn thrown_for(test: &str) -> Self {
        let given = std::env::var("LOTPROOF_SEED")
            .ok()
            .and_then(|seed| seed.parse().ok());
        let seed = given.unwrap_or_else(|| u64::from(std::process::id()));
        println!("{test}: LOTPROOF_SEED={seed}");
        Self(seed)
    }

    pub(crate) const fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number below `end`, which is not zero.
    pub(crate) fn below(&mut self, end: u64) -> u64 {
        self.next() % end
    }

    /// A place in something of this length, which is not zero.
    pub(crate) fn place(&mut self, len: usize) -> usize {
        usize::try_from(self.below(len as u64)).expect("below a length")
    }

    /// Lets a random time pass: not a wait for anything, but the random moment itself.
    pub(crate) async fn let_pass(&mut self, most: Duration) {
        let micros = u64::try_from(most.as_micros()).expect("a short time");
        tokio::time::sleep(Duration::from_micros(self.below(micros))).await;
    }
}

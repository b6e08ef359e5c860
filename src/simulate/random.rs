//! Chance that repeats itself: splitmix64, for simulations and for tests that choose faults.
//!
//! In a simulation it is seeded by what it decides about: every lot and stage draws from a stream of its own,
//! so that what happens to one lot does not depend on how many others there are, nor on the order in which
//! they are looked at. Not for keys or secrets.

const GOLDEN: u64 = 0x9e37_79b9_7f4a_7c15;

/// A stream of numbers, the same for the same seed.
#[derive(Clone, Debug)]
pub struct Random(u64);

impl Random {
    /// The stream of this seed.
    pub const fn from_seed(seed: u64) -> Self {
        Self(seed)
    }

    /// The stream that decides about `topic` of `lot` in the simulation with this seed.
    pub(super) fn of(seed: u64, lot: u32, topic: u32) -> Self {
        let place = u64::from(lot) << 32 | u64::from(topic);
        Self(mix(seed.wrapping_add(GOLDEN)) ^ mix(place.wrapping_mul(GOLDEN)))
    }

    /// The next 64 bits.
    pub const fn next_bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(GOLDEN);
        mix(self.0)
    }

    /// A number from zero to `bound - 1`. The bias of at most `bound` in 2^63 does not matter here.
    ///
    /// # Panics
    /// If `bound` is not above zero.
    pub(super) fn below(&mut self, bound: i64) -> i64 {
        // Half of the range, so that it fits.
        let half = i64::try_from(self.next_bits() >> 1).expect("63 bits fit");
        half % bound
    }

    /// Whether something of which `in_thousand` in a thousand are so is so.
    pub(super) fn chance(&mut self, in_thousand: i64) -> bool {
        self.below(1_000) < in_thousand
    }
}

const fn mix(mut z: u64) -> u64 {
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_mixing_is_that_of_splitmix64() {
        // First outputs for seed 1234567, as published with the algorithm.
        let mut random = Random::from_seed(1_234_567);
        assert_eq!(
            [random.next_bits(), random.next_bits(), random.next_bits()],
            [
                6_457_827_717_110_365_317,
                3_203_168_211_198_807_973,
                9_817_491_932_198_370_423
            ]
        );
    }

    #[test]
    fn lots_and_topics_have_streams_of_their_own() {
        let first = |seed, lot, topic| Random::of(seed, lot, topic).next_bits();
        let mut seen = std::collections::BTreeSet::new();
        for seed in 0..4 {
            for lot in 0..16 {
                for topic in 0..16 {
                    assert!(seen.insert(first(seed, lot, topic)));
                }
            }
        }
    }
}

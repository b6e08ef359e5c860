//! Sums of many exact amounts.
//!
//! A sum of fractions is brought to lowest terms with every addition, which is most of its cost. The parts of
//! one subject nearly always share a denominator, so what is added here stays over it, and is reduced once.

use num_bigint::BigInt;
use num_traits::{One as _, Zero as _};

use super::view::Exact;

/// A sum being added up: `numerator / denominator`, not in lowest terms.
#[derive(Clone, Debug)]
pub(super) struct Total {
    numerator: BigInt,
    denominator: BigInt,
}

impl Default for Total {
    fn default() -> Self {
        Self {
            numerator: BigInt::zero(),
            denominator: BigInt::one(),
        }
    }
}

impl Total {
    pub(super) fn add(&mut self, amount: &Exact) {
        if *amount.denom() == self.denominator {
            self.numerator += amount.numer();
        } else if (&self.denominator % amount.denom()).is_zero() {
            self.numerator += amount.numer() * (&self.denominator / amount.denom());
        } else {
            (self.numerator, self.denominator) = (self.exact() + amount).into_raw();
        }
    }

    /// What it comes to.
    pub(super) fn exact(&self) -> Exact {
        Exact::new(self.numerator.clone(), self.denominator.clone())
    }
}

/// The sum of some amounts.
pub(super) fn sum<'a>(amounts: impl IntoIterator<Item = &'a Exact>) -> Exact {
    let mut total = Total::default();
    for amount in amounts {
        total.add(amount);
    }
    total.exact()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_total_is_the_sum_of_its_fractions(
            parts in prop::collection::vec((-1_000_i64..1_000, 1_i64..60), 0..40)
        ) {
            let amounts: Vec<Exact> = parts
                .iter()
                .map(|(numerator, denominator)| Exact::new((*numerator).into(), (*denominator).into()))
                .collect();
            let plain = amounts.iter().fold(Exact::zero(), |sum, amount| sum + amount);
            prop_assert_eq!(sum(&amounts), plain);
        }
    }
}

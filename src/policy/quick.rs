//! Formulas compiled for trying every completion: bits for atoms, machine integers for amounts.
//!
//! It decides nothing that [`Formula`] would not: a formula whose numbers do not fit is not compiled, and a
//! property test holds the two against each other.

use std::cmp::Ordering;

use num_bigint::BigInt;
use num_traits::{One as _, Signed as _, ToPrimitive as _, Zero as _};

use super::{
    truth::{AtomId, Comparison, F, Formula, Share, Truth},
    view::Exact,
};

/// Amounts and thresholds stay below this, so that products fit.
const LIMIT: i128 = 1 << 62;

/// A formula over numbered bits.
#[derive(Debug)]
pub(super) enum Quick {
    Known(bool),
    /// Place of the bit; none: an atom that no completion sets.
    Atom(Option<usize>),
    Not(Box<Self>),
    All(Vec<Self>),
    Any(Vec<Self>),
    Share(Box<QuickShare>),
}

#[derive(Debug)]
pub(super) struct QuickShare {
    /// Whether included, whether it counts, how much.
    terms: Vec<(Quick, Quick, Option<i128>)>,
    open: bool,
    comparison: Comparison,
    numerator: i128,
    denominator: i128,
    undecided: Option<usize>,
}

impl Quick {
    /// Compiles a formula; bit `n` of a completion is `atoms[n]`, which must be ascending. Nothing, if its
    /// numbers are too large.
    pub(super) fn compile(formula: &F, atoms: &[AtomId]) -> Option<Self> {
        let list = |parts: &[F]| {
            parts
                .iter()
                .map(|part| Self::compile(part, atoms))
                .collect::<Option<Vec<_>>>()
        };
        Some(match &**formula {
            Formula::Known(value) => Self::Known(*value),
            Formula::Atom(id) => Self::Atom(atoms.binary_search(id).ok()),
            Formula::Not(inner) => Self::Not(Box::new(Self::compile(inner, atoms)?)),
            Formula::All(parts) => Self::All(list(parts)?),
            Formula::Any(parts) => Self::Any(list(parts)?),
            Formula::Share(share) => Self::Share(Box::new(QuickShare::compile(share, atoms)?)),
        })
    }

    /// Its value in one completion.
    pub(super) fn truth(&self, bits: u32) -> Truth {
        match self {
            Self::Known(value) => (*value).into(),
            Self::Atom(place) => bit(*place, bits),
            Self::Not(inner) => inner.truth(bits).not(),
            Self::All(parts) => Truth::all(parts.iter().map(|part| part.truth(bits))),
            Self::Any(parts) => Truth::any(parts.iter().map(|part| part.truth(bits))),
            Self::Share(share) => share.truth(bits),
        }
    }
}

fn bit(place: Option<usize>, bits: u32) -> Truth {
    place.map_or(Truth::Unknown, |place| (bits >> place & 1 == 1).into())
}

impl QuickShare {
    fn compile(share: &Share, atoms: &[AtomId]) -> Option<Self> {
        if share.terms.iter().any(|term| term.drawn.is_some()) {
            return None;
        }
        let amounts = || share.terms.iter().filter_map(|term| term.amount.as_ref());
        let mut scale = BigInt::one();
        for amount in amounts() {
            // The least common multiple, grown one amount at a time.
            if !(&scale % amount.denom()).is_zero() {
                scale *= (Exact::from_integer(scale.clone()) * amount).denom();
            }
        }
        let scaled = |amount: &Exact| amount.numer() * (&scale / amount.denom());
        let fits = |number: &BigInt| number.to_i128().filter(|number| (0..LIMIT).contains(number));
        let total: BigInt = amounts().map(scaled).sum();
        fits(&total)?;
        if amounts().any(Exact::is_negative) {
            return None;
        }
        let mut terms = Vec::new();
        for term in &share.terms {
            let amount = match &term.amount {
                Some(amount) => Some(fits(&scaled(amount))?),
                None => None,
            };
            let [include, counts] =
                [&term.include, &term.counts].map(|formula| Quick::compile(formula, atoms));
            terms.push((include?, counts?, amount));
        }
        Some(Self {
            terms,
            open: share.open,
            comparison: share.comparison,
            numerator: fits(share.value.numer())?,
            denominator: fits(share.value.denom())?,
            undecided: atoms.binary_search(&share.undecided).ok(),
        })
    }

    fn truth(&self, bits: u32) -> Truth {
        match self.decided(bits) {
            Truth::Unknown => bit(self.undecided, bits),
            decided => decided,
        }
    }

    /// As `Share::interval`, for each end the counted and the other total.
    fn decided(&self, bits: u32) -> Truth {
        if self.open {
            return self.between((0, 1), (1, 1));
        }
        let (mut low, mut high) = (Sides::default(), Sides::default());
        for (include, counts, amount) in &self.terms {
            let included = include.truth(bits);
            if included == Truth::False {
                continue;
            }
            let counts = counts.truth(bits);
            let surely = included == Truth::True;
            if counts != Truth::True || surely {
                low.add(counts == Truth::True, *amount);
            }
            if counts != Truth::False || surely {
                high.add(counts != Truth::False, *amount);
            }
        }
        match (low.ratio(false), high.ratio(true)) {
            (Some(low), Some(high)) => self.between(low, high),
            _ => Truth::Unknown,
        }
    }

    fn between(&self, low: (i128, i128), high: (i128, i128)) -> Truth {
        let order = |(part, whole): (i128, i128)| (part * self.denominator).cmp(&(self.numerator * whole));
        let (low, high) = (order(low), order(high));
        let (always, never) = match self.comparison {
            Comparison::Gt => (low == Ordering::Greater, high != Ordering::Greater),
            Comparison::Ge => (low != Ordering::Less, high == Ordering::Less),
            Comparison::Lt => (high == Ordering::Less, low != Ordering::Less),
            Comparison::Le => (high != Ordering::Greater, low == Ordering::Greater),
            Comparison::Eq | Comparison::Ne => {
                let same = low == Ordering::Equal && high == Ordering::Equal;
                let apart = high == Ordering::Less || low == Ordering::Greater;
                if self.comparison == Comparison::Eq {
                    (same, apart)
                } else {
                    (apart, same)
                }
            }
        };
        match (always, never) {
            (true, _) => Truth::True,
            (_, true) => Truth::False,
            _ => Truth::Unknown,
        }
    }
}

#[derive(Default)]
struct Sides {
    counted: i128,
    other: i128,
    counted_unknown: bool,
    other_unknown: bool,
}

impl Sides {
    fn add(&mut self, counts: bool, amount: Option<i128>) {
        let (sum, unknown) = if counts {
            (&mut self.counted, &mut self.counted_unknown)
        } else {
            (&mut self.other, &mut self.other_unknown)
        };
        match amount {
            Some(amount) => *sum += amount,
            None => *unknown = true,
        }
    }

    fn ratio(&self, upwards: bool) -> Option<(i128, i128)> {
        if upwards && self.counted_unknown {
            return Some((1, 1));
        }
        if !upwards && self.other_unknown {
            return Some((0, 1));
        }
        let total = self.counted + self.other;
        if total != 0 {
            return Some((self.counted, total));
        }
        match (self.counted_unknown, self.other_unknown) {
            (true, false) => Some((1, 1)),
            (false, true) => Some((0, 1)),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::rc::Rc;

    use proptest::prelude::*;

    use super::*;
    use crate::policy::truth::{Term, atom, known};

    fn leaf() -> impl Strategy<Value = F> {
        prop_oneof![any::<bool>().prop_map(known), (0_u32..6).prop_map(atom)]
    }

    fn share(leaf: impl Strategy<Value = F> + Clone) -> impl Strategy<Value = F> {
        let amount = prop::option::of((0_i64..30, 1_i64..5));
        let term = (leaf.clone(), leaf, amount).prop_map(|(include, counts, amount)| Term {
            include,
            counts,
            amount: amount.map(|(numerator, denominator)| Exact::new(numerator.into(), denominator.into())),
            drawn: None,
        });
        let comparison = prop::sample::select(Comparison::NAMED.map(|(_, comparison)| comparison).to_vec());
        (
            prop::collection::vec(term, 0..5),
            any::<bool>(),
            comparison,
            0_i64..5,
            0_u32..6,
        )
            .prop_map(|(terms, open, comparison, quarter, undecided)| {
                Rc::new(Formula::Share(Share {
                    terms,
                    open,
                    comparison,
                    value: Exact::new(quarter.into(), 4.into()),
                    undecided,
                }))
            })
    }

    fn formula() -> impl Strategy<Value = F> {
        let base = prop_oneof![leaf().boxed(), share(leaf().boxed()).boxed()];
        base.prop_recursive(3, 24, 4, |inner| {
            let inner = inner.boxed();
            prop_oneof![
                inner.clone().prop_map(|inner| Rc::new(Formula::Not(inner))),
                prop::collection::vec(inner.clone(), 0..4).prop_map(|parts| Rc::new(Formula::All(parts))),
                prop::collection::vec(inner.clone(), 0..4).prop_map(|parts| Rc::new(Formula::Any(parts))),
                share(inner),
            ]
        })
    }

    proptest! {
        #[test]
        fn the_quick_form_agrees_with_the_formula(formula in formula(), atoms in 0_u32..64) {
            // Some atoms are set by the completion, the others are not.
            let set: Vec<AtomId> = (0..6).filter(|id| atoms >> id & 1 == 1).collect();
            let quick = Quick::compile(&formula, &set).unwrap();
            for bits in 0..1_u32 << set.len() {
                let slow = formula.truth(&|id| {
                    set.binary_search(&id).map_or(Truth::Unknown, |place| (bits >> place & 1 == 1).into())
                });
                prop_assert_eq!(quick.truth(bits), slow);
            }
        }
    }

    #[test]
    fn numbers_that_do_not_fit_are_left_to_the_formula() {
        let share = Share {
            terms: vec![Term {
                include: known(true),
                counts: atom(0),
                amount: Some(Exact::from_integer(BigInt::one() << 63)),
                drawn: None,
            }],
            open: false,
            comparison: Comparison::Gt,
            value: Exact::new(1.into(), 2.into()),
            undecided: 1,
        };
        assert!(Quick::compile(&Rc::new(Formula::Share(share)), &[0, 1]).is_none());
    }
}

//! Three values, and formulas over what is not known.
//!
//! Grounding a pack on a lot gives one [`Formula`] per test: constants where the facts are known, atoms
//! where they are not. Strong Kleene evaluation of it says true, false or unknown; trying completions of its
//! atoms says more, for example that the same unknown standing in two places cancels out.
//!
//! A share is interval arithmetic. Each term has an amount and a truth; with T, F, U the totals where that
//! is true, false and unknown, the share lies in [T/(T+F+U), (T+U)/(T+F+U)]. An unknown amount may be any
//! number that is not negative, so it widens the interval only towards the side that its truth allows. Of n pieces
//! drawn from t that count and c that do not, nobody said which, at least max(0, n-c) and at most min(n, t) count.

use std::{
    collections::{BTreeMap, BTreeSet},
    rc::Rc,
};

use num_traits::{One as _, Zero as _};
use serde::Serialize;

use super::{total::Total, view::Exact};

/// True, false or unknown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Truth {
    /// Known to hold.
    True,
    /// Known not to hold.
    False,
    /// Not known.
    Unknown,
}

impl From<bool> for Truth {
    fn from(value: bool) -> Self {
        if value { Self::True } else { Self::False }
    }
}

impl Truth {
    pub(super) fn not(self) -> Self {
        match self {
            Self::True => Self::False,
            Self::False => Self::True,
            Self::Unknown => Self::Unknown,
        }
    }

    /// True if one is; false if all are.
    pub(super) fn any(truths: impl IntoIterator<Item = Self>) -> Self {
        let mut result = Self::False;
        for truth in truths {
            match truth {
                Self::True => return Self::True,
                Self::Unknown => result = Self::Unknown,
                Self::False => {}
            }
        }
        result
    }

    /// False if one is; true if all are.
    pub(super) fn all(truths: impl IntoIterator<Item = Self>) -> Self {
        Self::any(truths.into_iter().map(Self::not)).not()
    }
}

/// How two values are compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Comparison {
    /// Greater than.
    Gt,
    /// Greater than or equal to.
    Ge,
    /// Less than.
    Lt,
    /// Less than or equal to.
    Le,
    /// Equal to.
    Eq,
    /// Not equal to.
    Ne,
}

impl Comparison {
    /// All of them, by their names in a pack.
    pub(super) const NAMED: [(&str, Self); 6] = [
        ("gt", Self::Gt),
        ("ge", Self::Ge),
        ("lt", Self::Lt),
        ("le", Self::Le),
        ("eq", Self::Eq),
        ("ne", Self::Ne),
    ];

    /// Its sign.
    pub(super) const fn sign(self) -> &'static str {
        match self {
            Self::Gt => ">",
            Self::Ge => ">=",
            Self::Lt => "<",
            Self::Le => "<=",
            Self::Eq => "=",
            Self::Ne => "!=",
        }
    }

    /// Whether `left` compares so to `right`.
    pub(super) fn holds<T: PartialOrd>(self, left: &T, right: &T) -> bool {
        match self {
            Self::Gt => left > right,
            Self::Ge => left >= right,
            Self::Lt => left < right,
            Self::Le => left <= right,
            Self::Eq => left == right,
            Self::Ne => left != right,
        }
    }

    /// The same for a value that lies somewhere from `low` to `high`.
    pub(super) fn holds_between(self, low: &Exact, high: &Exact, value: &Exact) -> Truth {
        let (always, never) = match self {
            Self::Gt => (low > value, high <= value),
            Self::Ge => (low >= value, high < value),
            Self::Lt => (high < value, low >= value),
            Self::Le => (high <= value, low > value),
            Self::Eq => (low == value && high == value, high < value || low > value),
            Self::Ne => (high < value || low > value, low == value && high == value),
        };
        match (always, never) {
            (true, _) => Truth::True,
            (_, true) => Truth::False,
            _ => Truth::Unknown,
        }
    }
}

/// Number of an atom: one yes-or-no question that the facts leave open.
pub(super) type AtomId = u32;

/// A formula, shared.
pub(super) type F = Rc<Formula>;

/// What a test comes to once the known facts are put in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Formula {
    Known(bool),
    Atom(AtomId),
    Not(F),
    All(Vec<F>),
    Any(Vec<F>),
    Share(Share),
}

/// One part of a share.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Term {
    /// Whether it is part of the selection.
    pub(super) include: F,
    /// Whether it counts towards the share.
    pub(super) counts: F,
    /// How much it is; none if not known. Drawn with others: on average.
    pub(super) amount: Option<Exact>,
    /// The draw that it is part of.
    pub(super) drawn: Option<Drawn>,
}

/// Terms of one draw are as much together as their amounts say; how much each of them is, nobody said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Drawn {
    /// Which of the share's draws.
    pub(super) draw: usize,
    /// The most that it may be; none if not known.
    pub(super) most: Option<Exact>,
}

/// A share compared with a threshold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Share {
    pub(super) terms: Vec<Term>,
    /// There may be more in the selection than is known.
    pub(super) open: bool,
    pub(super) comparison: Comparison,
    pub(super) value: Exact,
    /// What stands for the outcome where amounts, not truths, leave it undecided.
    pub(super) undecided: AtomId,
}

pub(super) fn known(value: bool) -> F {
    Rc::new(Formula::Known(value))
}

pub(super) fn atom(id: AtomId) -> F {
    Rc::new(Formula::Atom(id))
}

pub(super) fn not(formula: &F) -> F {
    match &**formula {
        Formula::Known(value) => known(!value),
        Formula::Not(inner) => Rc::clone(inner),
        Formula::Atom(_) | Formula::All(_) | Formula::Any(_) | Formula::Share(_) => {
            Rc::new(Formula::Not(Rc::clone(formula)))
        }
    }
}

pub(super) fn any(parts: impl IntoIterator<Item = F>) -> F {
    join(parts, true, Formula::Any)
}

pub(super) fn all(parts: impl IntoIterator<Item = F>) -> F {
    join(parts, false, Formula::All)
}

/// `decisive` is the constant that settles the whole.
fn join(parts: impl IntoIterator<Item = F>, decisive: bool, wrap: fn(Vec<F>) -> Formula) -> F {
    let mut rest: Vec<F> = Vec::new();
    for part in parts {
        match &*part {
            Formula::Known(value) if *value == decisive => return known(decisive),
            Formula::Known(_) => {}
            Formula::Atom(_) | Formula::Not(_) | Formula::All(_) | Formula::Any(_) | Formula::Share(_) => {
                if !rest.contains(&part) {
                    rest.push(part);
                }
            }
        }
    }
    match rest.len() {
        0 => known(!decisive),
        1 => rest.swap_remove(0),
        _ => Rc::new(wrap(rest)),
    }
}

/// A share, folded to a constant where the facts decide it; known terms are added up.
pub(super) fn share(mut share: Share) -> F {
    let mut sums = [None::<Total>, None];
    forget_uniform_draws(&mut share.terms);
    share.terms.retain(|term| {
        term.drawn.is_some()
            || match (&*term.include, &*term.counts, &term.amount) {
                (Formula::Known(false), _, _) => false,
                (Formula::Known(true), Formula::Known(counts), Some(amount)) => {
                    sums[usize::from(*counts)].get_or_insert_default().add(amount);
                    false
                }
                _ => true,
            }
    });
    for (counts, sum) in [false, true].into_iter().zip(sums) {
        if let Some(sum) = sum {
            share.terms.push(Term {
                include: known(true),
                counts: known(counts),
                amount: Some(sum.exact()),
                drawn: None,
            });
        }
    }
    match share.truth(&|_| Truth::Unknown) {
        Truth::True => known(true),
        Truth::False => known(false),
        Truth::Unknown => Rc::new(Formula::Share(share)),
    }
}

impl Formula {
    /// Strong Kleene value, given what each atom is taken to be.
    pub(super) fn truth(&self, assigned: &impl Fn(AtomId) -> Truth) -> Truth {
        match self {
            Self::Known(value) => (*value).into(),
            Self::Atom(id) => assigned(*id),
            Self::Not(inner) => inner.truth(assigned).not(),
            Self::All(parts) => Truth::all(parts.iter().map(|part| part.truth(assigned))),
            Self::Any(parts) => Truth::any(parts.iter().map(|part| part.truth(assigned))),
            Self::Share(share) => share.truth(assigned),
        }
    }

    /// Value with nothing assumed.
    pub(super) fn kleene(&self) -> Truth {
        self.truth(&|_| Truth::Unknown)
    }

    /// Adds the atoms that it depends on.
    pub(super) fn atoms(&self, into: &mut BTreeSet<AtomId>) {
        match self {
            Self::Known(_) => {}
            Self::Atom(id) => {
                into.insert(*id);
            }
            Self::Not(inner) => inner.atoms(into),
            Self::All(parts) | Self::Any(parts) => parts.iter().for_each(|part| part.atoms(into)),
            Self::Share(share) => {
                for term in &share.terms {
                    term.include.atoms(into);
                    term.counts.atoms(into);
                }
                // Amounts that are all known and not nothing leave only truths open.
                let known = share.terms.iter().all(|term| term.amount.is_some());
                let nothing = share
                    .terms
                    .iter()
                    .all(|term| term.amount.as_ref().is_none_or(Exact::is_zero));
                let drawn = share.terms.iter().any(|term| term.drawn.is_some());
                if share.open || !known || nothing || drawn {
                    into.insert(share.undecided);
                }
            }
        }
    }
}

impl Share {
    fn truth(&self, assigned: &impl Fn(AtomId) -> Truth) -> Truth {
        let decided = self.interval(assigned).map_or(Truth::Unknown, |(low, high)| {
            self.comparison.holds_between(&low, &high, &self.value)
        });
        match decided {
            Truth::Unknown => assigned(self.undecided),
            Truth::True | Truth::False => decided,
        }
    }

    /// Lowest and highest value that the share can have; nothing if there may be nothing to share.
    pub(super) fn interval(&self, assigned: &impl Fn(AtomId) -> Truth) -> Option<(Exact, Exact)> {
        // Totals and whether an unknown amount is among them: for the lowest share whatever may not count,
        // does not, and only what surely is in the selection helps; for the highest it is the other way.
        let (mut low, mut high) = (Side::default(), Side::default());
        let mut draws: BTreeMap<usize, Draw> = BTreeMap::new();
        for term in &self.terms {
            let included = term.include.truth(assigned);
            if included == Truth::False {
                continue;
            }
            let counts = term.counts.truth(assigned);
            let surely = included == Truth::True;
            if let Some(drawn) = &term.drawn {
                let counts = if surely { counts } else { Truth::Unknown };
                draws
                    .entry(drawn.draw)
                    .or_default()
                    .add(counts, term.amount.as_ref(), drawn.most.as_ref());
                continue;
            }
            if counts != Truth::True || surely {
                low.add(counts == Truth::True, term.amount.as_ref());
            }
            if counts != Truth::False || surely {
                high.add(counts != Truth::False, term.amount.as_ref());
            }
        }
        if self.open {
            return Some((Exact::zero(), Exact::one()));
        }
        for draw in draws.values() {
            draw.settle(&mut low, &mut high);
        }
        let low = low.ratio(false)?;
        let high = high.ratio(true)?;
        Some((low, high))
    }
}

/// What was drawn of pieces that count, that do not, and of which nobody knows it.
#[derive(Default)]
struct Draw {
    /// How much was drawn.
    all: Sum,
    /// The most that there was of what counts, and of what does not.
    counting: Sum,
    other: Sum,
    /// And of what may.
    open: Sum,
}

impl Draw {
    fn add(&mut self, counts: Truth, amount: Option<&Exact>, most: Option<&Exact>) {
        let there = match counts {
            Truth::True => &mut self.counting,
            Truth::False => &mut self.other,
            Truth::Unknown => &mut self.open,
        };
        there.add(most);
        self.all.add(amount);
    }

    /// Of n drawn at least as many count as there were no others to draw, and at most as many as there were.
    fn settle(&self, low: &mut Side, high: &mut Side) {
        if self.all.unknown {
            for side in [low, high] {
                side.counted.unknown = true;
                side.other.unknown = true;
            }
            return;
        }
        let drawn = self.all.total.exact();
        let up_to = |there: &Sum| {
            if there.unknown || self.open.unknown {
                return drawn.clone();
            }
            (there.total.exact() + self.open.total.exact()).min(drawn.clone())
        };
        let at_least = &drawn - up_to(&self.other);
        for (side, counted) in [(low, at_least), (high, up_to(&self.counting))] {
            side.counted.total.add(&counted);
            side.other.total.add(&(&drawn - counted));
        }
    }
}

/// Of a draw whose terms all count, or none of which does, it does not matter which were drawn.
fn forget_uniform_draws(terms: &mut [Term]) {
    let mut values: BTreeMap<usize, BTreeSet<Option<bool>>> = BTreeMap::new();
    for term in terms.iter() {
        if let Some(drawn) = &term.drawn {
            let value = match (&*term.include, &*term.counts) {
                (Formula::Known(true), Formula::Known(counts)) => Some(*counts),
                _ => None,
            };
            values.entry(drawn.draw).or_default().insert(value);
        }
    }
    for term in terms {
        let values = term.drawn.as_ref().and_then(|drawn| values.get(&drawn.draw));
        if values.is_some_and(|values| values.len() == 1 && !values.contains(&None)) {
            term.drawn = None;
        }
    }
}

/// What counts and what does not, added up towards one end of the interval.
#[derive(Default)]
struct Side {
    counted: Sum,
    other: Sum,
}

/// A sum, and whether something of unknown amount belongs to it.
#[derive(Default)]
struct Sum {
    total: Total,
    unknown: bool,
}

impl Sum {
    fn add(&mut self, amount: Option<&Exact>) {
        match amount {
            Some(amount) => self.total.add(amount),
            None => self.unknown = true,
        }
    }
}

impl Side {
    fn add(&mut self, counts: bool, amount: Option<&Exact>) {
        let side = if counts {
            &mut self.counted
        } else {
            &mut self.other
        };
        side.add(amount);
    }

    /// The ratio where unknown amounts are as large as they can be on the side that `upwards` favours, and
    /// nothing on the other.
    fn ratio(&self, upwards: bool) -> Option<Exact> {
        let (counted, other) = (self.counted.total.exact(), self.other.total.exact());
        if upwards && self.counted.unknown {
            return Some(Exact::one());
        }
        if !upwards && self.other.unknown {
            return Some(Exact::zero());
        }
        let total = &counted + &other;
        if !total.is_zero() {
            return Some(counted / total);
        }
        // Nothing but unknown amounts of one sort: whatever they are, they are all of it.
        match (self.counted.unknown, self.other.unknown) {
            (true, false) => Some(Exact::one()),
            (false, true) => Some(Exact::zero()),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn ratio(numerator: i64, denominator: i64) -> Exact {
        Exact::new(numerator.into(), denominator.into())
    }

    fn term(counts: F, amount: Option<i64>) -> Term {
        Term {
            include: known(true),
            counts,
            amount: amount.map(|amount| ratio(amount, 1)),
            drawn: None,
        }
    }

    fn over(terms: Vec<Term>, comparison: Comparison, value: Exact) -> Share {
        Share {
            terms,
            open: false,
            comparison,
            value,
            undecided: 99,
        }
    }

    #[test]
    fn share_interval_counts_unknown_terms_both_ways() {
        let share = over(
            vec![
                term(known(true), Some(93)),
                term(known(false), Some(4)),
                term(atom(0), Some(3)),
            ],
            Comparison::Gt,
            ratio(95, 100),
        );
        let interval = share.interval(&|_| Truth::Unknown).unwrap();
        assert_eq!(interval, (ratio(93, 100), ratio(96, 100)));
        assert_eq!(share.truth(&|_| Truth::Unknown), Truth::Unknown);
        assert_eq!(share.truth(&|_| Truth::True), Truth::True);
        assert_eq!(share.truth(&|_| Truth::False), Truth::False);
    }

    #[test]
    fn exactly_at_the_threshold_is_not_more_than_it() {
        let terms = || vec![term(known(true), Some(1)), term(known(false), Some(1))];
        assert_eq!(
            *super::share(over(terms(), Comparison::Gt, ratio(1, 2))),
            Formula::Known(false)
        );
        assert_eq!(
            *super::share(over(terms(), Comparison::Ge, ratio(1, 2))),
            Formula::Known(true)
        );
    }

    #[test]
    fn unknown_amounts_widen_only_where_they_can() {
        let clean = over(
            vec![term(known(false), None), term(known(false), Some(2))],
            Comparison::Gt,
            ratio(1, 2),
        );
        assert_eq!(
            clean.interval(&|_| Truth::Unknown),
            Some((Exact::zero(), Exact::zero()))
        );
        let mixed = over(
            vec![term(known(true), None), term(known(false), Some(2))],
            Comparison::Gt,
            ratio(1, 2),
        );
        assert_eq!(
            mixed.interval(&|_| Truth::Unknown),
            Some((Exact::zero(), Exact::one()))
        );
        let opened = Share { open: true, ..clean };
        assert_eq!(opened.truth(&|_| Truth::Unknown), Truth::Unknown);
    }

    #[test]
    fn an_empty_selection_makes_a_share_unknown() {
        let empty = over(vec![], Comparison::Gt, ratio(1, 2));
        assert_eq!(empty.interval(&|_| Truth::Unknown), None);
        assert_eq!(empty.truth(&|_| Truth::Unknown), Truth::Unknown);
    }

    proptest! {
        /// Whichever pieces were drawn, the share lies in the interval said before.
        #[test]
        fn every_draw_lies_in_the_interval(
            lots in prop::collection::vec((0_u8..3, 1_i64..20), 1..5),
            beside in 0_i64..30,
            picks in prop::collection::vec(0_usize..100, 1..60),
            truths in prop::collection::vec(prop::bool::ANY, 5),
        ) {
            let leaf = |kind: u8, id: usize| match kind {
                0 => known(false),
                1 => known(true),
                _ => atom(u32::try_from(id).unwrap()),
            };
            let there: i64 = lots.iter().map(|(_, most)| most).sum();
            let mut left: Vec<i64> = lots.iter().map(|(_, most)| *most).collect();
            let mut drawn = vec![0; lots.len()];
            for pick in &picks {
                let place = pick % lots.len();
                if left[place] > 0 {
                    left[place] -= 1;
                    drawn[place] += 1;
                }
            }
            let taken: i64 = drawn.iter().sum();
            prop_assume!(taken > 0);
            let mut terms: Vec<Term> = lots.iter().enumerate().map(|(index, (counts, most))| Term {
                include: known(true),
                counts: leaf(*counts, index),
                amount: Some(ratio(most * taken, there)),
                drawn: Some(Drawn { draw: 0, most: Some(ratio(*most, 1)) }),
            }).collect();
            terms.push(term(known(false), Some(beside)));
            let said = over(terms, Comparison::Gt, ratio(1, 2));
            let counts = |index: usize| leaf(lots[index].0, index).truth(&|id| truths[id as usize].into());
            let counted: i64 = (0..lots.len()).filter(|place| counts(*place) == Truth::True).map(|place| drawn[place]).sum();
            let is = ratio(counted, taken + beside);
            let (low, high) = said.interval(&|_| Truth::Unknown).unwrap();
            prop_assert!(low <= is && is <= high, "{low} {is} {high}");
            // Folding must not lose it.
            let folded = share(said).truth(&|id| truths.get(id as usize).copied().map_or(Truth::Unknown, Truth::from));
            prop_assert!(folded == Truth::Unknown || folded == Truth::from(is > ratio(1, 2)));
        }

        /// Whatever the unknowns turn out to be, the share lies in the interval said before.
        #[test]
        fn every_completion_lies_in_the_interval(
            parts in prop::collection::vec((0_u8..3, 0_u8..3, prop::option::of(1_i64..50)), 1..7),
            truths in prop::collection::vec(prop::bool::ANY, 14),
            amounts in prop::collection::vec(0_i64..1000, 7),
        ) {
            let leaf = |kind: u8, id: usize| match kind {
                0 => known(false),
                1 => known(true),
                _ => atom(u32::try_from(id).unwrap()),
            };
            let terms = |complete: bool| parts.iter().enumerate().map(|(index, (include, counts, amount))| Term {
                include: leaf(*include, 2 * index),
                counts: leaf(*counts, 2 * index + 1),
                amount: amount.or(complete.then(|| amounts[index])).map(|amount| ratio(amount, 1)),
                drawn: None,
            }).collect::<Vec<_>>();
            let before = over(terms(false), Comparison::Gt, ratio(1, 2)).interval(&|_| Truth::Unknown);
            let assign = |id: AtomId| Truth::from(truths[id as usize]);
            let after = over(terms(true), Comparison::Gt, ratio(1, 2)).interval(&assign);
            if let (Some((low, high)), Some((value, same))) = (before, after) {
                prop_assert_eq!(&value, &same);
                prop_assert!(low <= value && value <= high);
            }
        }
    }
}

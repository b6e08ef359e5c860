//! Who holds what of a party.
//!
//! Interval arithmetic: what holders in a class hold multiplies along each path and adds up over paths; a
//! holder of unknown class, and whatever is not declared, widens the interval upwards.

use std::collections::{BTreeMap, BTreeSet};

use num_traits::{One as _, Zero as _};
use time::Date;

use super::{
    ground::Grounder,
    leaf::FactRef,
    pack::{ListUse, Measure, Owned},
    party::Who,
    truth::{Comparison, F, Truth, any, known},
    view::{Exact, Stated},
};

/// Longest chain of holdings followed.
pub(super) const OWNERSHIP_DEPTH_MAX: usize = 64;

/// Most holdings and successions followed for one question about one party: what anybody may declare about
/// himself must not cost others more than this.
pub(super) const PATIENCE: u32 = 10_000;

/// What is held of a party, towards one measure.
#[derive(Default)]
struct Holdings {
    /// By holder in the class: at least and at most.
    holders: BTreeMap<String, (Exact, Exact)>,
    /// What unknown holders may have besides.
    pool: Exact,
    /// What would have to be stated to know better.
    facts: BTreeSet<FactRef>,
}

impl Grounder<'_> {
    /// More than half of the equity or the votes, look-through, with listed holders.
    pub(super) fn subsidiary_of_listed(
        &mut self,
        needed_by: &str,
        list: &ListUse,
        party: &str,
        at: Date,
    ) -> F {
        let direct = ListUse {
            subsidiaries: false,
            ..list.clone()
        };
        let half = Exact::new(1.into(), 2.into());
        let mut outcomes = Vec::new();
        for measure in [Measure::Equity, Measure::Votes] {
            let holdings = self.holdings(party, measure, true, at, &mut Vec::new(), &mut |this, owner| {
                this.listed(needed_by, &direct, owner, at, &mut Vec::new())
            });
            outcomes.push(self.compare(needed_by, measure, holdings, false, Comparison::Gt, &half));
        }
        any(outcomes)
    }

    pub(super) fn owned(&mut self, needed_by: &str, owned: &Owned, party: &str, at: Date) -> F {
        let mut outcomes = Vec::new();
        for measure in &owned.measures {
            let by =
                |this: &mut Self, owner: &str| this.class(&owned.by, &Who::Known(owner.to_owned()), None);
            let mut by = by;
            let holdings = self.holdings(party, *measure, owned.look_through, at, &mut Vec::new(), &mut by);
            outcomes.push(self.compare(
                needed_by,
                *measure,
                holdings,
                owned.single,
                owned.comparison,
                &owned.value,
            ));
        }
        any(outcomes)
    }

    fn compare(
        &mut self,
        needed_by: &str,
        measure: Measure,
        holdings: Holdings,
        single: bool,
        comparison: Comparison,
        value: &Exact,
    ) -> F {
        let (low, high) = if single {
            let lows = holdings.holders.values().map(|(low, _)| low.clone());
            let highs = holdings.holders.values().map(|(_, high)| high + &holdings.pool);
            (
                lows.max().unwrap_or_default(),
                highs.max().unwrap_or_default().max(holdings.pool.clone()),
            )
        } else {
            (
                holdings.holders.values().map(|(low, _)| low).sum(),
                holdings.holders.values().map(|(_, high)| high).sum::<Exact>() + &holdings.pool,
            )
        };
        let high = high.min(Exact::one().max(low.clone()));
        match comparison.holds_between(&low, &high, value) {
            Truth::True => known(true),
            Truth::False => known(false),
            Truth::Unknown => self
                .record
                .ask(&format!("{needed_by}:{}", measure.name()), holdings.facts),
        }
    }

    /// What holders in the class have of a party.
    fn holdings(
        &mut self,
        party: &str,
        measure: Measure,
        look_through: bool,
        at: Date,
        path: &mut Vec<String>,
        in_class: &mut dyn FnMut(&mut Self, &str) -> F,
    ) -> Holdings {
        let mut holdings = Holdings::default();
        let fact = || FactRef::party(party, "ownership");
        let facts = self.recall.party(party, at);
        self.patience = self.patience.saturating_sub(1);
        let tired = self.patience == 0 || path.len() >= OWNERSHIP_DEPTH_MAX;
        let Some(facts) = facts.filter(|_| !tired && !path.iter().any(|earlier| earlier == party)) else {
            // Not enrolled, a circle of holdings, or a thicket: nothing is known.
            holdings.pool = Exact::one();
            holdings.facts.insert(fact());
            return holdings;
        };
        path.push(party.to_owned());
        let complete: &Stated<bool> = match measure {
            Measure::Board => &facts.board_complete,
            Measure::Equity | Measure::Votes | Measure::Debt => &facts.ownership_complete,
        };
        let mut open = self.stated(complete.as_ref(), fact) != Some(&true);
        let mut declared = Exact::zero();
        let mut silent = Vec::new();
        for stake in &facts.owners {
            let Some(stake) = self.stated(Some(stake), fact) else {
                open = true;
                continue;
            };
            let part = match measure {
                Measure::Equity => &stake.equity,
                Measure::Votes => &stake.votes,
                Measure::Board => &stake.board,
                Measure::Debt => &stake.debt,
            };
            let Some(part) = part else {
                silent.push(stake.owner.clone());
                continue;
            };
            declared += part;
            self.stake(
                &mut holdings,
                &stake.owner,
                part,
                measure,
                look_through,
                at,
                path,
                in_class,
            );
        }
        let rest = if declared < Exact::one() {
            Exact::one() - declared
        } else {
            Exact::zero()
        };
        // A holder whose part is not said may have all that is left, if he is or may be in the class.
        let mut may_hold = open;
        for owner in silent {
            let mut of_owner = Holdings::default();
            self.stake(
                &mut of_owner,
                &owner,
                &rest,
                measure,
                look_through,
                at,
                path,
                in_class,
            );
            let most = of_owner.holders.values().map(|(_, high)| high).sum::<Exact>() + &of_owner.pool;
            if most > Exact::zero() {
                may_hold = true;
                holdings.facts.extend(of_owner.facts);
            }
        }
        if may_hold && rest > Exact::zero() {
            holdings.pool += rest;
            holdings.facts.insert(fact());
        }
        path.pop();
        holdings
    }

    #[expect(clippy::too_many_arguments, reason = "one step of the recursion above")]
    fn stake(
        &mut self,
        holdings: &mut Holdings,
        owner: &str,
        part: &Exact,
        measure: Measure,
        look_through: bool,
        at: Date,
        path: &mut Vec<String>,
        in_class: &mut dyn FnMut(&mut Self, &str) -> F,
    ) {
        if part.is_zero() {
            return;
        }
        let class = in_class(self, owner);
        let truth = class.kleene();
        if truth == Truth::True {
            let held = holdings.holders.entry(owner.to_owned()).or_default();
            held.0 += part;
            held.1 += part;
            return;
        }
        let mut beyond = Holdings::default();
        if look_through {
            beyond = self.holdings(owner, measure, look_through, at, path, in_class);
        }
        if truth == Truth::Unknown {
            let facts = self.record.facts(&class);
            holdings.facts.extend(facts);
            // At most all of it is his; at least what is behind him counts.
            holdings.holders.entry(owner.to_owned()).or_default().1 += part;
            for (holder, (low, _)) in beyond.holders {
                let held = holdings.holders.entry(holder).or_default();
                held.0 += &low * part;
            }
            return;
        }
        for (holder, (low, high)) in beyond.holders {
            let held = holdings.holders.entry(holder).or_default();
            held.0 += &low * part;
            held.1 += &high * part;
        }
        holdings.pool += beyond.pool * part;
        holdings.facts.extend(beyond.facts);
    }
}

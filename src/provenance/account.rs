//! Balances: what was made of a lot against what was used of it, by everybody and by each party.

use std::collections::{BTreeMap, HashMap};

use super::{
    AnomalyKind, Projection,
    amount::{Amount, Exact, Tally, Unit},
    fact::{Leg, Other, Role, Stated},
    history::History,
    judge::Report,
    symbol::{BySymbol, Symbol},
    usage::Use,
};
use crate::quantity::parse_decimal;

impl Report<'_> {
    /// More used than made: first by those whose word counts, then by others.
    pub(super) fn balance(&mut self, uses: &[Use]) {
        let projection = self.projection;
        let made = projection.made(self.history);
        let Some((unit, made, mass)) = self.comparable(&made, uses) else {
            return;
        };
        let mut left = made.clone();
        let back = projection.came_back(self.history);
        if let Some(back) = back.sums.get(&unit) {
            left += back;
        }
        let mut order: Vec<&Use> = uses.iter().collect();
        order.sort_by_key(|used| !used.standing);
        let mut used_up = Exact::zero();
        let mut beyond: BTreeMap<&str, Vec<u32>> = BTreeMap::new();
        for used in order {
            let Some(amount) = used.in_unit(&unit, mass.as_ref()) else {
                continue;
            };
            if used.returned {
                continue;
            }
            used_up += &amount;
            left -= &amount;
            if left.is_negative() {
                beyond
                    .entry(projection.issuer_of(used.fact))
                    .or_default()
                    .push(used.fact);
            }
        }
        let used_up = Amount {
            value: used_up,
            unit: unit.clone(),
        };
        let made = Amount { value: made, unit };
        for facts in beyond.into_values() {
            let Some(first) = facts.first().copied() else {
                continue;
            };
            self.add(
                AnomalyKind::ConsumedMoreThanMade,
                first,
                facts,
                format!("used {used_up} of {made}"),
            );
        }
    }

    /// Each party's own account: what came to it against what it used and let go of. Says nothing of a party
    /// some of whose movements have no quantity, another unit, or a container around them.
    pub(super) fn holdings(&mut self) {
        let projection = self.projection;
        let history = self.history;
        if history.serial {
            // Where a serial is follows from custody; how often it was used, from the balance.
            return;
        }
        let mut accounts: HashMap<Symbol, Account, BySymbol> = HashMap::default();
        let makings: Vec<u32> = history.makings.iter().map(|making| making.touch.fact).collect();
        for moment in &history.moments {
            let fact = moment.touch.fact;
            let reading = &projection.fact(fact).reading;
            let actor = projection.actor(fact);
            let (gains, loses) = match moment.role {
                Role::Made | Role::Output | Role::Class | Role::Parent if makings.contains(&fact) => {
                    (Some(actor), None)
                }
                Role::Taken | Role::Removed | Role::Returned => (Some(actor), None),
                Role::Handed => (
                    Some(reading.to.named().unwrap_or(actor)),
                    Some(reading.from.named().unwrap_or(actor)),
                ),
                Role::Sent | Role::Input | Role::Child | Role::Consumed => (None, Some(actor)),
                _ => (None, None),
            };
            // Works on another's stock, or moves more than this lot: its account says nothing.
            let foreign = projection.operator(fact) != actor
                || reading.principal != Other::Not
                || moment.via.is_some()
                || matches!(moment.role, Role::Class | Role::Parent);
            let amount = projection.amount(projection.leg(moment.touch), history.key.into());
            for (party, gain) in [(gains, true), (loses, false)] {
                let Some(party) = party else { continue };
                let account = accounts.entry(party).or_default();
                account.book(fact, gain, amount.as_ref().filter(|_| !foreign));
            }
        }
        let overdrawn: BTreeMap<&str, Overdrawn> = accounts
            .into_iter()
            .filter_map(|(party, account)| Some((projection.symbols.name(party), account.overdrawn()?)))
            .collect();
        for (party, account) in overdrawn {
            let Overdrawn {
                facts: mut beyond,
                lost,
                gained,
            } = account;
            // What exceeds even the lot is named as that already.
            beyond.retain(|fact| {
                let key = projection.key_of(*fact);
                !self.found.iter().any(|found| {
                    found.kind == AnomalyKind::ConsumedMoreThanMade && found.facts.contains(&key)
                })
            });
            if let Some(first) = beyond.first().copied() {
                let detail = format!("{party} used and let go of {lost}, and had {gained}");
                self.add(AnomalyKind::UsedMoreThanHeld, first, beyond, detail);
            }
        }
    }

    /// The unit in which makings and uses can be compared, and how much was made in it; nothing if some
    /// making does not say how much.
    fn comparable(&self, made: &Tally, uses: &[Use]) -> Option<(Unit, Exact, Option<Amount>)> {
        if made.unknown || made.sums.len() != 1 {
            return None;
        }
        let (unit, value) = made.sums.iter().next()?;
        let same = uses
            .iter()
            .all(|used| used.amount.as_ref().is_none_or(|amount| amount.unit == *unit));
        if same {
            return Some((unit.clone(), value.clone(), None));
        }
        match self.projection.mass_per_piece(self.history) {
            // Pieces were made and some were weighed when used: everything by mass.
            Some(mass) if *unit == Unit::Pieces => {
                let value = mass.value.multiplied(value);
                Some((mass.unit.clone(), value, Some(mass)))
            }
            mass => Some((unit.clone(), value.clone(), mass)),
        }
    }
}

/// What came to one party and what it used and let go of.
#[derive(Default)]
struct Account {
    gained: Tally,
    lost: Vec<(u32, Amount)>,
    unclear: bool,
}

impl Account {
    fn book(&mut self, fact: u32, gain: bool, amount: Option<&Amount>) {
        match (amount, gain) {
            (None, _) => self.unclear = true,
            (Some(amount), true) => self.gained.add(Some(amount)),
            (Some(amount), false) => self.lost.push((fact, amount.clone())),
        }
    }

    /// What went beyond what it had; nothing if that cannot be said, or nothing did.
    fn overdrawn(self) -> Option<Overdrawn> {
        // Nothing gained is a matter of custody, several units a matter of conversion.
        if self.unclear || self.lost.is_empty() || self.gained.sums.len() != 1 {
            return None;
        }
        let (unit, gained) = self.gained.sums.into_iter().next()?;
        let mut left = gained.clone();
        let mut lost = Exact::zero();
        let mut facts = Vec::new();
        for (fact, amount) in self.lost {
            if amount.unit != unit {
                return None;
            }
            left -= &amount.value;
            lost += &amount.value;
            if left.is_negative() {
                facts.push(fact);
            }
        }
        (!facts.is_empty()).then(|| Overdrawn {
            facts,
            lost: Amount {
                value: lost,
                unit: unit.clone(),
            },
            gained: Amount { value: gained, unit },
        })
    }
}

/// An account that does not balance.
struct Overdrawn {
    /// The facts beyond what there was, in order.
    facts: Vec<u32>,
    lost: Amount,
    gained: Amount,
}

impl Projection {
    /// The mass of one piece of a lot, by its declared product.
    fn mass_per_piece(&self, history: &History) -> Option<Amount> {
        let declared = self.product_declaration(self.product_of(history)?)?;
        let mass = declared.mass_per_piece.as_ref()?;
        let value = parse_decimal(&mass.value)?;
        Some(Amount::of(value, &mass.unit))
    }

    /// The mass of a leg, if it is stated or follows from the declared product.
    pub(super) fn mass(&self, leg: &Leg) -> Option<Amount> {
        let amount = self.amount(leg, leg.span);
        if let Some(amount) = &amount
            && amount.unit.is("KGM")
        {
            return Some(amount.clone());
        }
        if let Stated::As { value, unit } = leg.mass {
            return Some(Amount::of(value, self.symbols.name(unit)));
        }
        let amount = amount.filter(|amount| amount.unit == Unit::Pieces)?;
        let product = self.product_of_leg(leg)?;
        let declared = self.product_declaration(product)?;
        let mass = declared.mass_per_piece.as_ref()?;
        let each = Amount::of(parse_decimal(&mass.value)?, &mass.unit);
        Some(Amount {
            value: each.value.multiplied(&amount.value),
            unit: each.unit,
        })
    }
}

//! How much of a lot was made, and what each fact took of it.

use super::{
    Projection,
    amount::{Amount, Exact, Tally, Unit},
    fact::{Leg, Role, Stated},
    history::History,
    span::{LotKey, Span},
    symbol::Symbol,
};

impl Projection {
    /// A leg's quantity in base units; of a run, of all its members within `span`.
    pub(super) fn amount(&self, leg: &Leg, span: Span) -> Option<Amount> {
        if leg.serial {
            return leg
                .span
                .overlap(span)
                .map(|common| Amount::pieces(common.count()));
        }
        match leg.quantity {
            Stated::As { value, unit } => Some(Amount::of(value, self.symbols.name(unit))),
            Stated::Not | Stated::Sealed if self.is_serial(leg.span.key()) => Some(Amount::pieces(1)),
            Stated::Not | Stated::Sealed => None,
        }
    }

    /// Whether an identifier names one thing: it came in a serial list, or is a GS1 serial.
    pub(super) fn is_serial(&self, key: LotKey) -> bool {
        let id = self.symbols.name(key.stem);
        let mut serial = id.contains("/21/");
        if !serial {
            let mut look = |_, touch| serial |= self.leg(touch).serial;
            self.tracks.visit(key.into(), &mut look);
        }
        serial
    }

    /// How much was made, on the makings that count.
    pub(super) fn made(&self, history: &History) -> Tally {
        let mut tally = Tally::default();
        let steps: Vec<Symbol> = history
            .makings
            .iter()
            .filter(|making| making.role == Role::Output)
            .map(|making| self.fact(making.touch.fact).issuer)
            .collect();
        let span = history.key.into();
        let mut counted = false;
        for making in &history.makings {
            // Who commissions a lot and then reports the step that made it speaks of one amount.
            let declared = making.role == Role::Made && !steps.contains(&self.fact(making.touch.fact).issuer);
            if making.role == Role::Output || declared {
                tally.add(self.amount(self.leg(making.touch), span).as_ref());
                counted = true;
            }
        }
        if counted {
            return tally;
        }
        if history.makings.iter().any(|making| making.role == Role::Parent) {
            tally.add(Some(&Amount::pieces(1)));
        }
        for making in &history.makings {
            if making.role == Role::Class {
                let members = self
                    .fact(making.touch.fact)
                    .reading
                    .legs
                    .iter()
                    .filter(|leg| leg.serial && leg.role.makes())
                    .map(|leg| leg.span.count())
                    .sum();
                tally.add(Some(&Amount::pieces(members)));
            }
        }
        tally
    }

    /// What each use took, in order: the fact, how much of which unit, and whether what it took came back.
    pub(super) fn uses(&self, history: &History) -> Vec<Use> {
        let span = history.key.into();
        history
            .moments
            .iter()
            .filter(|moment| moment.via.is_none() && (moment.role.uses() || moment.role == Role::Consumed))
            .map(|moment| {
                let fact = moment.touch.fact;
                let leg = self.leg(moment.touch);
                let returned = moment.role == Role::Child
                    && self.other_leg(fact, Role::Parent).is_some_and(|parent| {
                        self.exit(history.key, parent.span.key(), fact)
                            .is_some_and(|exit| {
                                // Only a part named again, with how much of it, is subtracted by itself.
                                self.other_leg(exit, Role::Removed).is_none() || history.serial
                            })
                    });
                Use {
                    fact,
                    role: moment.role,
                    amount: self.amount(leg, span),
                    mass: match leg.mass {
                        Stated::As { value, unit } => Some(Amount::of(value, self.symbols.name(unit))),
                        Stated::Not | Stated::Sealed => None,
                    },
                    returned,
                    held: self.user_held(history, fact),
                    standing: self.has_standing(history, fact),
                }
            })
            .collect()
    }

    /// How much came back out of parents, of lots that are counted in amounts.
    pub(super) fn came_back(&self, history: &History) -> Tally {
        let mut tally = Tally::default();
        if history.serial {
            return tally;
        }
        for moment in &history.moments {
            if moment.role == Role::Removed
                && moment.via.is_none()
                && let Some(amount) = self.amount(self.leg(moment.touch), history.key.into())
            {
                tally.add(Some(&amount));
            }
        }
        tally
    }
}

/// What one fact took of a lot.
#[derive(Clone, Debug)]
pub(super) struct Use {
    pub(super) fact: u32,
    pub(super) role: Role,
    pub(super) amount: Option<Amount>,
    pub(super) mass: Option<Amount>,
    /// A part that was taken out of its parent again.
    pub(super) returned: bool,
    pub(super) held: bool,
    pub(super) standing: bool,
}

impl Use {
    /// The amount in `unit`, through the mass of a piece if need be.
    pub(super) fn in_unit(&self, unit: &Unit, mass_per_piece: Option<&Amount>) -> Option<Exact> {
        let amount = self.amount.as_ref()?;
        if amount.unit == *unit {
            return Some(amount.value.clone());
        }
        if let Some(mass) = self.mass.as_ref().filter(|mass| mass.unit == *unit) {
            return Some(mass.value.clone());
        }
        (amount.unit == Unit::Pieces)
            .then_some(mass_per_piece)?
            .filter(|mass| mass.unit == *unit)
            .map(|mass| mass.value.multiplied(&amount.value))
    }
}

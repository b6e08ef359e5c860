//! What a lot is counted in, and how quantities in other units are brought to it.
//!
//! Pieces and kilograms meet through the mass that an item states beside its quantity, or the mass of a piece
//! of the declared product. What meets nowhere is said to be not compared.

use std::collections::BTreeSet;

use super::{
    super::{
        amount::{Amount, Exact, Unit},
        gate::{Gate, moments::Moment},
        memory::Declared,
    },
    history::History,
    product,
};

/// The unit of a lot's books.
#[derive(Debug)]
pub(in crate::provenance) struct Measure {
    pub(in crate::provenance) unit: Unit,
    is_serial: bool,
    mass_per_piece: Option<Amount>,
}

/// A quantity in the unit of the books.
#[derive(Debug, Default)]
pub(super) struct Measured {
    /// None: not stated, or not comparable.
    pub(super) amount: Option<Exact>,
    /// Stated in a unit that cannot be brought to that of the books.
    pub(super) not_compared: bool,
}

impl Measure {
    pub(super) fn of(gate: Gate<'_>, history: &History) -> Self {
        if history.is_serial {
            return Self {
                unit: Unit::Pieces,
                is_serial: true,
                mass_per_piece: None,
            };
        }
        let stated = |moment: &Moment| gate.moment_amount(moment).map(|amount| amount.unit);
        let first = |counts: fn(&Moment) -> bool| {
            history
                .moments
                .iter()
                .filter(|moment| moment.via.is_none() && counts(moment))
                .find_map(stated)
        };
        let own = first(|moment| moment.role.makes() && moment.member.is_none())
            .or_else(|| first(|moment| moment.role.makes()))
            .or_else(|| first(|_| true))
            .unwrap_or(Unit::Pieces);
        let units: BTreeSet<Unit> = history.moments.iter().filter_map(stated).collect();
        let mass_per_piece = product::of_lot(gate, history)
            .and_then(|product| product::declared(gate, product))
            .and_then(|Declared { declared, .. }| product::mass_per_piece(&declared));
        // Pieces were made and some were weighed when used: everything by mass.
        let unit = match &mass_per_piece {
            Some(mass) if own == Unit::Pieces && units.contains(&mass.unit) => mass.unit.clone(),
            _ => own,
        };
        Self {
            unit,
            is_serial: false,
            mass_per_piece,
        }
    }

    /// What a moment moves, makes or uses, in the unit of the books.
    pub(super) fn read(&self, gate: Gate<'_>, moment: &Moment) -> Measured {
        if self.is_serial {
            return Measured {
                amount: Some(Exact::whole(1)),
                not_compared: false,
            };
        }
        let Some(stated) = gate.moment_amount(moment) else {
            return Measured::default();
        };
        let amount = self.convert(&stated, gate.moment_mass(moment).as_ref());
        Measured {
            not_compared: amount.is_none(),
            amount,
        }
    }

    /// So many pieces, in the unit of the books; by count where no mass of a piece is known.
    pub(super) fn pieces(&self, count: u64) -> Exact {
        self.convert(&Amount::pieces(count), None)
            .unwrap_or_else(|| Exact::whole(count))
    }

    fn convert(&self, stated: &Amount, mass: Option<&Amount>) -> Option<Exact> {
        if stated.unit == self.unit {
            return Some(stated.value.clone());
        }
        if let Some(mass) = mass.filter(|mass| mass.unit == self.unit) {
            return Some(mass.value.clone());
        }
        let each = self.mass_per_piece.as_ref()?;
        (stated.unit == Unit::Pieces && each.unit == self.unit).then(|| each.value.multiplied(&stated.value))
    }

    /// Whether a difference lies within what scales and counts honestly differ by: nothing for pieces, a part
    /// of two hundred of what came in for everything else.
    pub(in crate::provenance) fn is_within_tolerance(&self, difference: &Exact, inflow: &Exact) -> bool {
        is_within_tolerance(&self.unit, difference, inflow)
    }
}

/// See [`Measure::is_within_tolerance`].
pub(in crate::provenance) fn is_within_tolerance(unit: &Unit, difference: &Exact, inflow: &Exact) -> bool {
    *unit != Unit::Pieces && difference.times(200) <= *inflow
}

//! The product of a lot, and what is declared of it.

use std::sync::Arc;

use super::{
    super::{
        amount::{Amount, Unit},
        filing::{
            fact::{Leg, Role, Stated},
            symbol::Symbol,
        },
        gate::{Gate, moments::Moment},
        memory::Declared,
    },
    history::History,
};
use crate::{
    quantity::parse_decimal,
    wire::v1::{self, event::Kind},
};

/// `https://id.gs1.org/01/{gtin}` of an identifier that starts so.
fn gtin(id: &str) -> Option<&str> {
    const START: &str = "https://id.gs1.org/01/";
    id.starts_with(START).then(|| id.get(..START.len() + 14))?
}

/// The product of a leg: as stated, or the GTIN in its identifier.
pub(in crate::provenance) fn of_leg(gate: Gate<'_>, leg: &Leg) -> Option<Symbol> {
    if leg.product.is_some() {
        return Some(leg.product);
    }
    gate.symbols.get(gtin(gate.symbols.name(leg.span.stem))?)
}

/// The product of a lot, as its makings say.
pub(in crate::provenance) fn of_lot(gate: Gate<'_>, history: &History) -> Option<Symbol> {
    history
        .makings
        .iter()
        .map(|making| gate.leg(making.touch))
        .find(|leg| leg.product.is_some())
        .map(|leg| leg.product)
        .or_else(|| gate.symbols.get(gtin(gate.symbols.name(history.key.stem))?))
        .or_else(|| of_members(gate, history))
}

/// The product of a class lot that only its serials name.
fn of_members(gate: Gate<'_>, history: &History) -> Option<Symbol> {
    history
        .makings
        .iter()
        .filter(|making| making.role == Role::Class)
        .flat_map(|making| &gate.fact(making.touch.fact).reading.legs)
        .filter(|leg| leg.serial && leg.role.makes())
        .find_map(|leg| of_leg(gate, leg))
}

/// What is declared of a product, and by which fact: by the owner of its identifier if he did, else by anybody;
/// and the newest.
pub(in crate::provenance) fn declared(gate: Gate<'_>, product: Symbol) -> Option<Declared> {
    gate.memory.product(product, || find_declaration(gate, product))
}

fn find_declaration(gate: Gate<'_>, product: Symbol) -> Option<Declared> {
    let owner = gate.directory.owner(&gate.symbols, gate.symbols.name(product));
    let fact = gate
        .directory
        .product(product)
        .iter()
        .copied()
        .filter(|fact| gate.counts(*fact))
        .max_by(|a, b| {
            let is_owners = |fact: u32| Some(gate.fact(fact).issuer) == owner;
            (is_owners(*a).cmp(&is_owners(*b))).then_with(|| gate.compare(*a, *b))
        })?;
    match gate.event_of(fact)?.kind? {
        Kind::ProductDeclared(declared) => Some(Declared {
            fact,
            declared: Arc::new(declared),
        }),
        _ => None,
    }
}

/// Whether all declarations of a lot's product that count alike give it one kind. Another kind that is declared
/// before the lot left its maker corrects the one before; declared later, it leaves the kind open.
pub(in crate::provenance) fn has_one_kind(gate: Gate<'_>, history: &History, newest: &Declared) -> bool {
    let product = gate.symbols.get(&newest.declared.product);
    let owner = gate.directory.owner(&gate.symbols, &newest.declared.product);
    let is_owners = |fact: u32| Some(gate.fact(fact).issuer) == owner;
    let leaves =
        |moment: &Moment| matches!(moment.role, Role::Sent | Role::Handed | Role::Taken | Role::Sold);
    let corrects = || {
        history
            .moments
            .iter()
            .filter(|moment| leaves(moment))
            .all(|moment| gate.precedes_in_feed(newest.fact, moment.touch.fact))
    };
    let others = product
        .into_iter()
        .flat_map(|product| gate.directory.product(product));
    let differs = others
        .copied()
        .filter(|fact| gate.counts(*fact) && is_owners(*fact) == is_owners(newest.fact))
        .filter_map(|fact| gate.event_of(fact)?.kind)
        .any(|kind| matches!(kind, Kind::ProductDeclared(other) if other.kind != newest.declared.kind));
    !differs || corrects()
}

/// The mass of one piece of a declared product.
pub(super) fn mass_per_piece(declared: &v1::ProductDeclared) -> Option<Amount> {
    let mass = declared.mass_per_piece.as_ref()?;
    Some(Amount::of(parse_decimal(&mass.value)?, &mass.unit))
}

/// The mass of a leg, if it is stated or follows from the declared product.
pub(in crate::provenance) fn mass_of_leg(gate: Gate<'_>, leg: &Leg) -> Option<Amount> {
    let amount = gate.amount(leg, leg.span);
    if let Some(amount) = &amount
        && amount.unit.is("KGM")
    {
        return Some(amount.clone());
    }
    if let Stated::As { value, unit } = leg.mass {
        return Some(Amount::of(value, gate.symbols.name(unit)));
    }
    let amount = amount.filter(|amount| amount.unit == Unit::Pieces)?;
    let Declared { declared, .. } = declared(gate, of_leg(gate, leg)?)?;
    let each = mass_per_piece(&declared)?;
    Some(Amount {
        value: each.value.multiplied(&amount.value),
        unit: each.unit,
    })
}

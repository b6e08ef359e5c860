//! Who is meant: names that the authority registered, makers of a lot, and who only reports.

use super::{
    super::{filing::symbol::Symbol, gate::Gate},
    history::History,
};
use crate::wire::v1::event::Kind;

const PARTY_ENROLLED: u32 = 16;
const FACILITY_REGISTERED: u32 = 17;

/// What the authority registered last under an identifier: a party's legal name, or a facility's name.
pub(in crate::provenance) fn registered_name(gate: Gate<'_>, id: &str) -> Option<String> {
    let newest = [PARTY_ENROLLED, FACILITY_REGISTERED]
        .into_iter()
        .flat_map(|kind| gate.directory.about(kind, id))
        .copied()
        .max_by(|a, b| gate.compare(*a, *b))?;
    let name = match gate.event_of(newest)?.kind? {
        Kind::PartyEnrolled(party) => party.legal_name,
        Kind::FacilityRegistered(facility) => facility.name,
        _ => return None,
    };
    (!name.is_empty()).then_some(name)
}

/// Of the makers of a lot, those that only an imported document names.
pub(in crate::provenance) fn claimed_makers(gate: Gate<'_>, history: &History) -> Vec<String> {
    let of = |own_word: bool| {
        history
            .makings
            .iter()
            .filter(move |making| making.own_word == own_word)
            .map(|making| making.touch.fact)
    };
    let own: Vec<Symbol> = of(true).map(|fact| gate.operator(fact)).collect();
    let claimed = of(false)
        .filter(|fact| is_stated(gate, *fact, gate.operator(*fact)))
        .map(|fact| gate.operator(fact))
        .filter(|operator| !own.contains(operator));
    names(gate, claimed)
}

/// Whether a fact says that it was this party: who only imported it was not there.
pub(in crate::provenance) fn is_stated(gate: Gate<'_>, fact: u32, party: Symbol) -> bool {
    gate.is_own_word(fact) || party != gate.fact(fact).issuer
}

/// The party, if the fact says that it was this one.
pub(in crate::provenance) fn stated(gate: Gate<'_>, fact: u32, party: Symbol) -> Option<String> {
    is_stated(gate, fact, party).then(|| gate.text(party)).flatten()
}

/// Who imported what is known of how a lot was made.
pub(in crate::provenance) fn reporters(gate: Gate<'_>, history: &History) -> Vec<String> {
    let facts = history
        .makings
        .iter()
        .filter(|making| !making.own_word)
        .map(|making| gate.fact(making.touch.fact).issuer);
    names(gate, facts)
}

fn names(gate: Gate<'_>, parties: impl Iterator<Item = Symbol>) -> Vec<String> {
    let mut names: Vec<String> = parties.map(|party| gate.symbols.name(party).to_owned()).collect();
    names.sort();
    names.dedup();
    names
}

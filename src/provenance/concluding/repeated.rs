//! Facts that say again what is already said, and so move nothing: a piece scanned twice into one parent, a tray
//! listed together with what lies in it.

use std::collections::{HashMap, HashSet};

use super::{
    super::{
        amount::Amount,
        filing::{
            fact::Role,
            span::{LotKey, Span},
            symbol::Symbol,
        },
        gate::{Gate, moments::Moment},
    },
    books::Range,
    history::History,
    measure::Measure,
};

/// What a moment names piece by piece: the one thing that the history is about, or serials of a class lot. None: an
/// amount.
fn named_pieces(history: &History, moment: &Moment) -> Option<LotKey> {
    let thing = history.is_serial.then_some(history.key);
    moment.member.map(Span::key).or(thing)
}

/// Which moments of a history, by index, repeat another.
pub(super) fn of(gate: Gate<'_>, history: &History, measure: &Measure) -> HashSet<usize> {
    let mut repeated = put_in_twice(gate, history);
    let reported = reported_again(gate, history);
    let again = |moment: &Moment| reported.contains(&moment.touch.fact);
    repeated.extend(
        (0..)
            .zip(&history.moments)
            .filter(|(_, moment)| again(moment))
            .map(|(index, _)| index),
    );
    listed_twice(gate, history, measure, &mut repeated);
    repeated
}

/// Facts that report what another importer's fact reports already: the same event of the same document's sender,
/// about the same amounts. What they say differently stands beside the first.
pub(super) fn reported_again(gate: Gate<'_>, history: &History) -> HashSet<u32> {
    type Report<'a> = (&'a str, Option<Symbol>, i64, Vec<(Role, Span, Option<Amount>)>);
    let mut first: HashMap<Report<'_>, u32> = HashMap::new();
    let mut again = HashSet::new();
    for moment in &history.moments {
        let fact = moment.touch.fact;
        if gate.is_own_word(fact) {
            continue;
        }
        let said = gate.fact(fact);
        let legs = said.reading.legs.iter();
        let about = legs
            .map(|leg| (leg.role, leg.span, gate.amount(leg, leg.span)))
            .collect();
        let told = first
            .entry((said.id(), said.reported, said.event_time, about))
            .or_insert(fact);
        if gate.fact(*told).issuer != said.issuer {
            again.insert(fact);
        }
    }
    again
}

/// Named pieces cannot be put into what they are in. Of who put them in more often than they can have come out,
/// whatever the clocks say, the last tellings are repeats.
fn put_in_twice(gate: Gate<'_>, history: &History) -> HashSet<usize> {
    let mut put_in: HashMap<LotKey, Vec<(usize, LotKey)>> = HashMap::new();
    let mut came_out: HashMap<LotKey, usize> = HashMap::new();
    for (index, moment) in history.moments.iter().enumerate() {
        let Some(pieces) = named_pieces(history, moment) else {
            continue;
        };
        let around = match moment.role {
            Role::Child => Role::Parent,
            Role::Packed => Role::Container,
            Role::Removed | Role::Unpacked | Role::Dismantled | Role::Emptied | Role::Input => {
                *came_out.entry(pieces).or_default() += 1;
                continue;
            }
            _ => continue,
        };
        if let Some(parent) = gate.leg_in(moment.touch.fact, around)
            && moment.via.is_none()
        {
            put_in.entry(pieces).or_default().push((index, parent.span.key()));
        }
    }
    let mut repeated = HashSet::new();
    for (pieces, entries) in put_in {
        let out = came_out.get(&pieces).copied().unwrap_or(0);
        let mut by_parent: HashMap<LotKey, Vec<usize>> = HashMap::new();
        for (index, parent) in &entries {
            by_parent.entry(*parent).or_default().push(*index);
        }
        for told in by_parent.values() {
            // To be put in somewhere else it has to come out, whether somebody says so or not.
            let elsewhere = entries.len() - told.len();
            repeated.extend(told.iter().skip(1 + out + elsewhere));
        }
    }
    repeated
}

/// A container stands for its contents: who lists both in one event names the same goods twice.
fn listed_twice(gate: Gate<'_>, history: &History, measure: &Measure, repeated: &mut HashSet<usize>) {
    let moves = |role: Role| matches!(role, Role::Sent | Role::Taken | Role::Handed | Role::Returned);
    let mut through: HashMap<(u32, Role), Range> = HashMap::new();
    let mut named: HashSet<(u32, Role, LotKey)> = HashSet::new();
    for (index, moment) in history.moments.iter().enumerate() {
        // What is built into a thing does not move by itself: it left the books when it was built in.
        if !moves(moment.role) || moment.via.is_none() || !gate.is_flow(moment) {
            continue;
        }
        let fact = moment.touch.fact;
        if let Some(pieces) = named_pieces(history, moment)
            && !named.insert((fact, moment.role, pieces))
        {
            repeated.insert(index);
            continue;
        }
        through
            .entry((fact, moment.role))
            .or_insert_with(Range::nothing)
            .add(measure.read(gate, moment).amount.as_ref());
    }
    for (index, moment) in history.moments.iter().enumerate() {
        let fact = moment.touch.fact;
        if !moves(moment.role) || moment.via.is_some() {
            continue;
        }
        let again = if let Some(pieces) = named_pieces(history, moment) {
            !named.insert((fact, moment.role, pieces))
        } else {
            // Another amount than what lies in the container is more of the lot, beside it.
            let listed = measure.read(gate, moment).amount;
            through.get(&(fact, moment.role)).is_some_and(|inside| {
                listed.is_some() && inside.at_most == listed && listed.as_ref() == Some(&inside.at_least)
            })
        };
        if again {
            repeated.insert(index);
        }
    }
}

//! Facts that say again what is already said, and so move nothing: a piece scanned twice into one parent, a tray
//! listed together with what lies in it.

use std::collections::{HashMap, HashSet};

use super::{
    super::{
        filing::{
            fact::Role,
            span::{LotKey, Span},
        },
        gate::{Gate, moments::Moment},
    },
    books::Range,
    history::History,
    measure::Measure,
};

/// The pieces that a moment names; none: the one thing that the history is about.
type Pieces = Option<(u32, u8, u64)>;

fn pieces(moment: &Moment) -> Pieces {
    moment
        .member
        .map(|span: Span| (span.stem.index(), span.width, span.first))
}

/// Which moments of a history, by index, repeat another.
pub(super) fn of(gate: Gate<'_>, history: &History, measure: &Measure) -> HashSet<usize> {
    let mut repeated = put_in_twice(gate, history);
    listed_twice(gate, history, measure, &mut repeated);
    repeated
}

/// Named pieces cannot be put into what they are in. Of who put them in more often than they can have come out,
/// whatever the clocks say, the last tellings are repeats.
fn put_in_twice(gate: Gate<'_>, history: &History) -> HashSet<usize> {
    let mut put_in: HashMap<Pieces, Vec<(usize, LotKey)>> = HashMap::new();
    let mut came_out: HashMap<Pieces, usize> = HashMap::new();
    for (index, moment) in history.moments.iter().enumerate() {
        let around = |role: Role| gate.leg_in(moment.touch.fact, role).map(|leg| leg.span.key());
        let parent = match moment.role {
            Role::Child => around(Role::Parent),
            Role::Packed => around(Role::Container),
            Role::Removed | Role::Unpacked | Role::Dismantled | Role::Emptied | Role::Input => {
                *came_out.entry(pieces(moment)).or_default() += 1;
                None
            }
            _ => None,
        };
        let is_named = history.is_serial || moment.member.is_some();
        if let Some(parent) = parent.filter(|_| is_named && moment.via.is_none()) {
            put_in.entry(pieces(moment)).or_default().push((index, parent));
        }
    }
    let mut repeated = HashSet::new();
    for (pieces, entries) in put_in {
        let out = came_out.get(&pieces).copied().unwrap_or(0);
        let mut times: HashMap<LotKey, usize> = HashMap::new();
        for (index, parent) in &entries {
            let elsewhere = entries.iter().filter(|(_, other)| other != parent).count();
            let before = times.entry(*parent).or_default();
            if *before > out + elsewhere {
                repeated.insert(*index);
            }
            *before += 1;
        }
    }
    repeated
}

/// A container stands for its contents: who lists both in one event names the same goods twice.
fn listed_twice(gate: Gate<'_>, history: &History, measure: &Measure, repeated: &mut HashSet<usize>) {
    let moves = |role: Role| matches!(role, Role::Sent | Role::Taken | Role::Handed | Role::Returned);
    let mut through: HashMap<(u32, Role), Range> = HashMap::new();
    let mut named: HashSet<(u32, Role, Pieces)> = HashSet::new();
    for (index, moment) in history.moments.iter().enumerate() {
        if !moves(moment.role) || moment.via.is_none() {
            continue;
        }
        let fact = moment.touch.fact;
        let is_named = history.is_serial || moment.member.is_some();
        if is_named && !named.insert((fact, moment.role, pieces(moment))) {
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
        let is_named = history.is_serial || moment.member.is_some();
        // Another amount than what lies in the container is more of the lot, beside it.
        let is_contents = || {
            let listed = measure.read(gate, moment).amount;
            listed.is_some()
                && through.get(&(fact, moment.role)).is_some_and(|inside| {
                    inside.at_most == listed && listed.as_ref() == Some(&inside.at_least)
                })
        };
        let again = if is_named {
            !named.insert((fact, moment.role, pieces(moment)))
        } else {
            is_contents()
        };
        if again {
            repeated.insert(index);
        }
    }
}

//! Held and recalled: a notice about a lot reaches every member that ever was in it, what was split off it, and
//! whatever holds one of these.

use std::collections::{HashSet, VecDeque};

use super::{
    super::{
        filing::{
            fact::Role,
            span::LotKey,
            uses::{MERGED, SPLIT},
        },
        gate::Gate,
    },
    history::{self, History},
};

/// Most lots that are looked at for one.
const LOTS_MAX: usize = 10_000;

/// The notices that stand at a lot.
#[derive(Debug, Default)]
pub(super) struct Notices {
    /// Lots by whose hold it is held, itself or others, in order of nearness.
    pub(super) held: Vec<String>,
    /// Lots by whose recall it is recalled.
    pub(super) recalled: Vec<String>,
    /// Whether more lots would have had to be looked at.
    pub(super) truncated: bool,
}

/// What stands at a lot.
pub(super) fn of(gate: Gate<'_>, key: LotKey) -> Notices {
    let mut notices = Notices::default();
    let mut seen = HashSet::from([key]);
    let mut next = VecDeque::from([key]);
    while let Some(lot) = next.pop_front() {
        let history = history::of(gate, lot);
        if stands(gate, &history, Role::Held, Role::Released) {
            notices.held.push(gate.name(lot));
        }
        if stands(gate, &history, Role::Recalled, Role::RecallEnded) {
            notices.recalled.push(gate.name(lot));
        }
        for source in reaching(gate, &history) {
            if seen.len() >= LOTS_MAX {
                notices.truncated = true;
                break;
            }
            if seen.insert(source) {
                next.push_back(source);
            }
        }
    }
    notices
}

/// Lots whose notices reach this one: its class lots, what it was split off or merged from, its parts.
fn reaching(gate: Gate<'_>, history: &History) -> Vec<LotKey> {
    let mut sources = history.classes.clone();
    for making in &history.makings {
        let fact = gate.fact(making.touch.fact);
        for leg in &fact.reading.legs {
            let shares = match leg.role {
                Role::Child => true,
                Role::Input => matches!(fact.kind, SPLIT | MERGED),
                _ => false,
            };
            if shares {
                let pieces = gate
                    .tracks
                    .pieces(leg.span, |touch| gate.leg(touch).role != Role::Child);
                sources.extend(pieces.into_iter().map(super::super::filing::span::Span::key));
            }
        }
    }
    sources
}

/// Whether the latest word about the lot is a notice, and none ends it.
fn stands(gate: Gate<'_>, history: &History, on: Role, off: Role) -> bool {
    let Some(latest) = history
        .direct()
        .rfind(|moment| moment.role == on || moment.role == off)
        .filter(|moment| moment.role == on)
    else {
        return false;
    };
    let fact = latest.touch.fact;
    // A recall may be lifted as a whole, by its id.
    let reference = gate.fact(fact).reading.reference;
    let ended = reference.is_some()
        && gate.links.referring(reference).iter().any(|other| {
            *other != fact
                && gate.counts(*other)
                && gate.is_own_word(*other)
                && gate.actor(*other) == gate.actor(fact)
                && gate.fact(*other).reading.legs.is_empty()
                && matches!(gate.fact(*other).kind, 114 | 115)
                && gate.compare(*other, fact).is_gt()
        });
    !ended
}

//! Held and recalled: how far a notice about a lot reaches.
//!
//! A notice by the lot's maker or the owner of its identifier reaches every member that ever was in it, what was
//! split off it, and whatever holds one of these. Anybody else's reaches what he holds of the lot, and what he
//! made of it.

use std::collections::{HashSet, VecDeque};

use super::{
    super::{
        filing::{
            fact::Role,
            span::{LotKey, Span},
            symbol::Symbol,
            uses::{MERGED, SPLIT},
        },
        gate::Gate,
    },
    history::{self, History},
};

/// Most lots that are looked at for one.
const LOTS_MAX: usize = 10_000;

/// `Event.recall_completed` and `Event.recall_lifted`.
const RECALL_ENDS: [u32; 2] = [114, 115];

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

/// How a lot is in what is asked about.
#[derive(Clone, Copy, Debug)]
enum Way {
    /// It is the lot itself.
    Itself,
    /// This is a member of it.
    Member(LotKey),
    /// This party split it, merged it or built it in.
    Taken(Symbol),
}

/// What stands at a lot.
pub(super) fn of(gate: Gate<'_>, key: LotKey) -> Notices {
    let mut notices = Notices::default();
    let mut seen = HashSet::from([key]);
    let mut next = VecDeque::from([(key, Way::Itself)]);
    while let Some((lot, way)) = next.pop_front() {
        let history = history::of(gate, lot);
        if stands(gate, &history, (Role::Held, Role::Released), way) {
            notices.held.push(gate.name(lot));
        }
        if stands(gate, &history, (Role::Recalled, Role::RecallEnded), way) {
            notices.recalled.push(gate.name(lot));
        }
        for (source, way) in sources(gate, &history) {
            if seen.len() >= LOTS_MAX {
                notices.truncated = true;
                break;
            }
            if seen.insert(source) {
                next.push_back((source, way));
            }
        }
    }
    notices
}

/// Lots whose notices reach this one: its class lots, what it was split off or merged from, its parts.
fn sources(gate: Gate<'_>, history: &History) -> Vec<(LotKey, Way)> {
    let mut sources: Vec<(LotKey, Way)> = history
        .classes
        .iter()
        .map(|class| (*class, Way::Member(history.key)))
        .collect();
    for making in &history.makings {
        let fact = gate.fact(making.touch.fact);
        let taker = gate.actor(making.touch.fact);
        for leg in &fact.reading.legs {
            let shares = match leg.role {
                Role::Child => true,
                Role::Input => matches!(fact.kind, SPLIT | MERGED),
                _ => false,
            };
            if shares {
                let pieces = gate.tracks.pieces(leg.span, |touch| {
                    matches!(
                        gate.leg(touch).role,
                        Role::Made
                            | Role::Output
                            | Role::Held
                            | Role::Released
                            | Role::Recalled
                            | Role::RecallEnded
                    )
                });
                sources.extend(
                    pieces
                        .into_iter()
                        .map(|piece: Span| (piece.key(), Way::Taken(taker))),
                );
            }
        }
    }
    sources
}

/// Whether a notice about a lot that reaches what is asked about has not been ended. Who gave it ends it, or who
/// speaks for the whole lot.
fn stands(gate: Gate<'_>, history: &History, (on, off): (Role, Role), way: Way) -> bool {
    let speaks_for_all = |fact: u32| {
        let signer = gate.actor(fact);
        history
            .owner
            .is_some_and(|owner| gate.is_owners_word(owner, fact))
            || history
                .makings
                .iter()
                .any(|making| gate.actor(making.touch.fact) == signer && making.role != Role::Class)
    };
    let reaches = |fact: u32| {
        let signer = gate.actor(fact);
        speaks_for_all(fact)
            || match way {
                Way::Itself => true,
                Way::Taken(taker) => taker == signer,
                Way::Member(member) => {
                    let member = history::of(gate, member);
                    let books = super::books_of(gate, &member);
                    let account = books.accounts.get(&signer);
                    account.is_some_and(|account| !account.on_hand().is_nothing())
                        || books.built_in.values().any(|(_, by, _)| *by == signer)
                }
            }
    };
    let facts_of = |role: Role| {
        history
            .direct()
            .filter(move |moment| moment.role == role)
            .map(|moment| moment.touch.fact)
    };
    facts_of(on).filter(|notice| reaches(*notice)).any(|notice| {
        let ended = facts_of(off).any(|end| {
            gate.compare(end, notice).is_gt()
                && (gate.actor(end) == gate.actor(notice) || speaks_for_all(end))
        });
        !ended && !is_ended_whole(gate, notice)
    })
}

/// A recall may be completed or lifted as a whole, by its id.
fn is_ended_whole(gate: Gate<'_>, notice: u32) -> bool {
    let reference = gate.fact(notice).reading.reference;
    reference.is_some()
        && gate.links.referring(reference).iter().any(|other| {
            *other != notice
                && gate.counts(*other)
                && gate.is_own_word(*other)
                && gate.actor(*other) == gate.actor(notice)
                && gate.fact(*other).reading.legs.is_empty()
                && RECALL_ENDS.contains(&gate.fact(*other).kind)
                && gate.compare(*other, notice).is_gt()
        })
}

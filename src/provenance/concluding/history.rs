//! The history of one lot: the facts that count for it, in order, and how it came into being.

use std::sync::Arc;

use super::super::{
    filing::{
        fact::Role,
        span::{LotKey, Span, Touch},
        symbol::Symbol,
    },
    gate::{
        Gate,
        moments::{Moment, Pass},
        standing::Standing,
    },
};

/// A fact by which the lot came into being.
#[derive(Clone, Copy, Debug)]
pub(in crate::provenance) struct Making {
    pub(in crate::provenance) touch: Touch,
    pub(in crate::provenance) role: Role,
    /// Whether it is its party's own word, and not somebody's report of it.
    pub(in crate::provenance) own_word: bool,
}

/// The life of one lot.
#[derive(Debug)]
pub(in crate::provenance) struct History {
    pub(in crate::provenance) key: LotKey,
    /// Whether it is one thing and not an amount.
    pub(in crate::provenance) is_serial: bool,
    /// Who owns its identifier.
    pub(in crate::provenance) owner: Option<Symbol>,
    /// The class lots that it was a member of, in order of time.
    pub(in crate::provenance) classes: Vec<LotKey>,
    /// Facts that count, in order; of a class lot those about its members too.
    pub(in crate::provenance) moments: Vec<Moment>,
    /// The makings that count: parties' own words, or, where there is none, what was reported.
    pub(in crate::provenance) makings: Vec<Making>,
    /// Corrections of its makings that do not count yet, and other keys' versions of them: other ways in which
    /// it may have been made.
    pub(in crate::provenance) alternatives: Vec<u32>,
    /// Facts about the lot that are corrected, voided, or the later of several reports; in order.
    pub(in crate::provenance) out_of_count: Vec<u32>,
    /// What was said about it by parties without standing, in order.
    pub(in crate::provenance) strangers: Vec<(u32, Role)>,
    /// Standing over the lot itself.
    standing: Arc<Standing>,
    /// Standing over the class lots of a serial.
    class_standings: Vec<Arc<Standing>>,
}

impl History {
    /// Whether the signer of a fact may speak about the lot.
    pub(in crate::provenance) fn admits(&self, fact: u32) -> bool {
        is_admitted(self.key, &self.standing, &self.class_standings, fact)
    }

    /// The party for whose stock another speaks.
    pub(in crate::provenance) fn principal_of(&self, deputy: Symbol) -> Option<Symbol> {
        std::iter::once(&self.standing)
            .chain(&self.class_standings)
            .find_map(|standing| standing.principal_of(deputy))
    }

    /// Whether anybody has said how the lot came into being.
    pub(in crate::provenance) fn is_made(&self) -> bool {
        !self.makings.is_empty()
    }

    /// Facts about the lot itself, containers and members left aside.
    pub(in crate::provenance) fn direct(&self) -> impl DoubleEndedIterator<Item = &Moment> {
        self.moments
            .iter()
            .filter(|moment| moment.via.is_none() && moment.member.is_none())
    }
}

/// The life of one lot.
pub(in crate::provenance) fn of(gate: Gate<'_>, key: LotKey) -> Arc<History> {
    gate.memory.history(key, || trace(gate, key))
}

/// Cuts a run of serials where the facts about making and using them differ. What strangers say cuts nothing.
pub(in crate::provenance) fn pieces(gate: Gate<'_>, span: Span) -> Vec<Span> {
    cut(gate, span, |role| {
        role.makes() || role.uses() || role == Role::Removed
    })
}

/// Cuts a run of serials where anything said about them differs: who has them, and whether they are used up.
pub(in crate::provenance) fn whereabouts(gate: Gate<'_>, span: Span) -> Vec<Span> {
    cut(gate, span, |_| true)
}

fn cut(gate: Gate<'_>, span: Span, tells: impl Fn(Role) -> bool) -> Vec<Span> {
    gate.tracks.pieces(span, |touch| {
        let leg = gate.leg(touch);
        let common = leg.span.overlap(span).unwrap_or(span);
        tells(leg.role) && of(gate, common.key()).admits(touch.fact)
    })
}

fn trace(gate: Gate<'_>, key: LotKey) -> History {
    let is_serial = gate.is_serial(key);
    let classes = if is_serial {
        gate.class_lots(key)
    } else {
        Vec::new()
    };
    let class_standings: Vec<Arc<Standing>> = classes.iter().map(|class| gate.standing(*class)).collect();
    let standing = gate.standing(key);
    let owner = standing.owner;
    let mut moments = gate.moments(key, Pass::Counting);
    let is_known = |fact: u32| is_admitted(key, &standing, &class_standings, fact);
    let mut strangers = standing.strangers.clone();
    strangers.retain(|(fact, _)| !is_known(*fact));
    if !class_standings.is_empty() {
        // Who was given other members of the class lot is a stranger to this one.
        let others = moments
            .iter()
            .filter(|moment| moment.via.is_none() && !is_known(moment.touch.fact))
            .map(|moment| (moment.touch.fact, moment.role));
        strangers = others.collect();
        strangers.dedup();
    }
    moments.retain(|moment| match moment.member {
        Some(_) => standing.admits_moment(moment),
        None => is_known(moment.touch.fact),
    });
    moments.retain(|moment| moment.joined.is_none_or(|joined| is_known(joined.fact)));
    let mut out_of_count: Vec<u32> = moments
        .iter()
        .filter(|moment| moment.via.is_none() && moment.member.is_none())
        .map(|moment| moment.touch.fact)
        .filter(|fact| !gate.counts(*fact))
        .collect();
    out_of_count.dedup();
    moments.retain(|moment| {
        let counts = |touch: Option<Touch>| touch.is_none_or(|touch| gate.counts(touch.fact));
        gate.counts(moment.touch.fact) && counts(moment.packed) && counts(moment.joined)
    });
    debug_assert!(
        moments.is_sorted_by(|a, b| gate.compare(a.touch.fact, b.touch.fact).is_le()),
        "moments are in the order of facts"
    );
    let mut makings: Vec<Making> = moments
        .iter()
        .filter(|moment| moment.via.is_none() && moment.member.is_none())
        .filter(|moment| moment.role.makes() || moment.role == Role::Class)
        .map(|moment| Making {
            touch: moment.touch,
            role: moment.role,
            own_word: gate.is_own_word(moment.touch.fact),
        })
        .collect();
    if makings.iter().any(|making| making.own_word) {
        makings.retain(|making| making.own_word);
    }
    let alternatives = alternatives(gate, &makings, &out_of_count);
    History {
        key,
        is_serial,
        owner,
        classes,
        moments,
        makings,
        alternatives,
        out_of_count,
        strangers,
        standing,
        class_standings,
    }
}

/// Whether a fact is one about a lot. Of a serial with a class lot, the standing over its class lot may know that
/// somebody was given the serial as some of the lot.
fn is_admitted(key: LotKey, standing: &Standing, class_standings: &[Arc<Standing>], fact: u32) -> bool {
    standing.admits(fact) || class_standings.iter().any(|class| class.admits_member(fact, key))
}

/// Of the facts that do not count, those that would if a contested correction of a making did.
fn alternatives(gate: Gate<'_>, makings: &[Making], out_of_count: &[u32]) -> Vec<u32> {
    let late: Vec<u32> = makings
        .iter()
        .flat_map(|making| gate.late_amendments(making.touch.fact))
        .map(|late| late.amendment)
        .collect();
    if late.is_empty() {
        return Vec::new();
    }
    let announced = |fact: u32| {
        let said = gate.fact(fact);
        gate.links
            .announcing(said.issuer, said.id())
            .is_some_and(|corrections| corrections.iter().any(|one| late.contains(one)))
    };
    out_of_count
        .iter()
        .copied()
        .filter(|fact| announced(*fact))
        .collect()
}

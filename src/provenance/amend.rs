//! Which facts count: conflicting reports, corrections and voids.
//!
//! Nothing is edited. Of conflicting reports under one (issuer, event id) the first issued counts, and all
//! are kept. What an issuer corrects or voids stops counting, unless it was used before: then the fact
//! stands, because undoing it would change what others built on it, until the authority or an accredited
//! auditor or laboratory vouches for the correction with a `certified` event of its own. The corrective
//! events count exactly when the correction does.

use std::collections::HashMap;

use super::{Projection, fact::Role, symbol::Symbol};

/// What was found on the way, by fact and depth, so that no chain is walked twice.
type Memo = HashMap<(u32, u32), bool>;
use crate::wire::v1::{self, event::Kind};

/// Deepest chain of corrections of corrections that is followed.
const DEPTH_MAX: u32 = 8;

/// What points at what.
#[derive(Debug, Default)]
pub(super) struct Amendments {
    /// From a fact to the corrections and voids of it.
    of: HashMap<u32, Vec<u32>>,
    /// From a corrective event's identity to the corrections that announce it.
    correctives: HashMap<Symbol, HashMap<String, Vec<u32>>>,
    /// From a fact to the evidence that names it.
    evidence: HashMap<u32, Vec<u32>>,
}

impl Amendments {
    /// Whether a correction announces this event.
    pub(super) fn names(&self, issuer: Symbol, id: &str) -> bool {
        self.announcing(issuer, id).is_some()
    }

    /// The corrections that announce this event.
    fn announcing(&self, issuer: Symbol, id: &str) -> Option<&[u32]> {
        Some(self.correctives.get(&issuer)?.get(id)?)
    }
}

impl Projection {
    /// Notes what a new fact corrects, voids or vouches for.
    pub(super) fn amend(&mut self, number: u32, event: &v1::Event) {
        let issuer = self.fact(number).issuer;
        let target = self.fact(number).target;
        match &event.kind {
            Some(Kind::Certified(_)) => {
                if let Some(target) = target {
                    self.amendments.evidence.entry(target).or_default().push(number);
                    if let Some(amended) = self.fact(target).target {
                        self.settle_again(amended);
                    }
                }
            }
            Some(Kind::Corrected(corrected)) => {
                self.amend_target(number, issuer, target);
                for id in &corrected.corrective_ids {
                    self.amendments
                        .correctives
                        .entry(issuer)
                        .or_default()
                        .entry(id.clone())
                        .or_default()
                        .push(number);
                    self.contest_variants(issuer, id);
                }
            }
            Some(Kind::Voided(_)) => self.amend_target(number, issuer, target),
            _ => {}
        }
    }

    /// Only the issuer himself amends his events.
    fn amend_target(&mut self, number: u32, issuer: Symbol, target: Option<u32>) {
        let Some(target) = target.filter(|target| self.fact(*target).issuer == issuer) else {
            return;
        };
        self.amendments.of.entry(target).or_default().push(number);
        if let Some(fact) = self.facts.get_mut(target as usize) {
            fact.contested = true;
        }
        self.settle_again(target);
    }

    /// Marks all facts of one identity as contested.
    pub(super) fn contest_variants(&mut self, issuer: Symbol, id: &str) {
        for number in self.variants(issuer, id) {
            if let Some(fact) = self.facts.get_mut(number as usize) {
                fact.contested = true;
            }
            self.settle_again(number);
        }
    }

    fn settle_again(&mut self, number: u32) {
        let settled = self.settled.get_mut().expect(super::anomaly::NEVER_POISONED);
        settled.dirty(number, false);
    }

    /// The facts under one identity, in order of arrival.
    pub(super) fn variants(&self, issuer: Symbol, id: &str) -> Vec<u32> {
        self.identities
            .first((issuer, id), &self.facts)
            .map_or_else(Vec::new, |first| self.identities.variants(first).collect())
    }

    /// Whether a fact counts.
    pub(super) fn counts(&self, number: u32) -> bool {
        !self.fact(number).contested || self.counts_within(number, 0, &mut Memo::new())
    }

    fn counts_within(&self, number: u32, depth: u32, memo: &mut Memo) -> bool {
        if !self.fact(number).contested || depth > DEPTH_MAX {
            return true;
        }
        if let Some(known) = memo.get(&(number, depth)) {
            return *known;
        }
        let counts = self.judge(number, depth, memo);
        memo.insert((number, depth), counts);
        counts
    }

    fn judge(&self, number: u32, depth: u32, memo: &mut Memo) -> bool {
        let fact = self.fact(number);
        let first_issued = self
            .variants(fact.issuer, fact.id())
            .into_iter()
            .min_by_key(|variant| (self.fact(*variant).issued_at, self.fact(*variant).digest));
        if first_issued != Some(number) {
            return false;
        }
        let announced = self.amendments.announcing(fact.issuer, fact.id());
        let held_back = announced.is_some_and(|corrections| {
            !corrections.iter().any(|correction| {
                self.fact(*correction)
                    .target
                    .is_some_and(|target| self.amends(*correction, target, depth, memo))
            })
        });
        let undone = self.amendments.of.get(&number).is_some_and(|amendments| {
            amendments
                .iter()
                .any(|amendment| self.amends(*amendment, number, depth, memo))
        });
        !held_back && !undone
    }

    /// Whether a correction or void of `target` takes effect.
    fn amends(&self, amendment: u32, target: u32, depth: u32, memo: &mut Memo) -> bool {
        self.counts_within(amendment, depth + 1, memo)
            && (self.is_vouched_for(amendment) || self.used_before(target, amendment, depth, memo).is_empty())
    }

    /// Corrections and voids of a fact that came after it was used, with the uses.
    pub(super) fn late_amendments(&self, number: u32) -> Vec<(u32, Vec<u32>)> {
        let Some(amendments) = self.amendments.of.get(&number) else {
            return Vec::new();
        };
        amendments
            .iter()
            .filter(|amendment| self.counts(**amendment) && !self.is_vouched_for(**amendment))
            .map(|amendment| {
                (
                    *amendment,
                    self.used_before(number, *amendment, 0, &mut Memo::new()),
                )
            })
            .filter(|(_, uses)| !uses.is_empty())
            .collect()
    }

    fn is_vouched_for(&self, amendment: u32) -> bool {
        self.evidence_for(amendment).any(|witness| {
            let witness = self.fact(witness);
            witness.by_authority || self.directory.is_accredited(witness.issuer)
        })
    }

    /// Evidence that names this event.
    pub(super) fn evidence_for(&self, number: u32) -> impl Iterator<Item = u32> {
        self.amendments
            .evidence
            .get(&number)
            .into_iter()
            .flatten()
            .copied()
    }

    /// The facts by which the issuer used, or let go of, what `target` made, up to the time of `amendment`.
    ///
    /// His own deeds suffice: nobody else can use a lot that he has not let go of, but by a word that does
    /// not count.
    fn used_before(&self, target: u32, amendment: u32, depth: u32, memo: &mut Memo) -> Vec<u32> {
        let issuer = self.fact(target).issuer;
        let until = self.fact(amendment).event_time;
        let mut uses = Vec::new();
        for leg in &self.fact(target).reading.legs {
            if !leg.role.makes() {
                continue;
            }
            self.tracks.visit(leg.span, &mut |_, touch| {
                let used = self.leg(touch).role;
                if (used.uses() || matches!(used, Role::Sent | Role::Handed))
                    && touch.fact != target
                    && self.fact(touch.fact).issuer == issuer
                    && self.fact(touch.fact).event_time <= until
                {
                    uses.push(touch.fact);
                }
            });
        }
        uses.sort_unstable();
        uses.dedup();
        uses.retain(|used| self.counts_within(*used, depth + 1, memo));
        uses
    }
}

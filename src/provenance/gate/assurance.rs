//! How much stands behind a fact. It follows the signer, never a field that says so.
//!
//! A claim of an event has a path, and a certification clause or a certificate covers it by that path, by one
//! that it lies under (`step` covers `step.facility`), or by `all`:
//!
//! ```text
//! step  step.step  step.operator  step.principal  step.facility  step.custody_model
//! inputs  inputs_complete  quantities  costs  licences  licences_complete  titles
//! product  ownership  board  succession
//! ```

use std::sync::Arc;

use super::{
    super::filing::{reading, symbol::Symbol},
    Gate,
};
use crate::{
    policy::view::Assurance,
    wire::v1::{self, event::Kind},
};

/// The claim path that covers every claim of an event.
const ALL: &str = "all";

/// What stands behind one fact, by claim.
#[derive(Debug)]
pub(in crate::provenance) struct Backing {
    /// Of every claim.
    base: Assurance,
    /// More, for some of them.
    scopes: Vec<(Vec<String>, Assurance)>,
}

impl Backing {
    /// What stands behind the claim `path`.
    pub(in crate::provenance) fn of(&self, path: &str) -> Assurance {
        self.scopes
            .iter()
            .filter(|(scope, _)| covers(scope, path))
            .map(|(_, assurance)| *assurance)
            .fold(self.base, Ord::max)
    }
}

impl Gate<'_> {
    /// What stands behind a fact, worked out by [`Self::weigh_backing`] and remembered: one transfer or
    /// declaration is behind many lots.
    pub(in crate::provenance) fn backing(&self, number: u32) -> Arc<Backing> {
        self.memory.backing(number, || self.weigh_backing(number))
    }

    /// What stands behind a fact: the signer's own word, his certification clause, and evidence that names it.
    ///
    /// An event that was reported without the claimed party's leave is no more than reported, whatever clause
    /// it carries; evidence about it counts as for any other.
    fn weigh_backing(&self, number: u32) -> Backing {
        let fact = self.fact(number);
        if fact.by_authority {
            return Backing {
                base: Assurance::AuthorityConfirmed,
                scopes: Vec::new(),
            };
        }
        let own = self.is_own_word(number);
        let mut scopes = Vec::new();
        if fact.certified && own {
            let clause = reading::certification(&fact.encoded);
            scopes.extend(clause.map(|clause| (clause.scope, Assurance::SupplierCertified)));
        }
        for witness in self.links.evidence_for(number) {
            if let Some(by) = self.independent(*witness)
                && let Some(certified) = self.certificate(*witness)
                && in_force(&certified, fact.event_time)
            {
                scopes.push((certified.claims, by));
            }
        }
        Backing {
            base: if own {
                Assurance::Asserted
            } else {
                Assurance::Reported
            },
            scopes,
        }
    }

    /// What a witness adds by who he is: the authority, or an accredited auditor or laboratory.
    fn independent(&self, witness: u32) -> Option<Assurance> {
        if self.fact(witness).by_authority {
            return Some(Assurance::AuthorityConfirmed);
        }
        let accredited = self.is_own_word(witness) && self.directory.is_accredited(self.actor(witness));
        (accredited && self.counts(witness)).then_some(Assurance::ThirdPartyAudited)
    }

    /// Whether a witness is independent of those about whom it speaks: the authority, or accredited.
    pub(in crate::provenance) fn is_independent(&self, witness: u32) -> bool {
        let fact = self.fact(witness);
        fact.by_authority || (self.is_own_word(witness) && self.directory.is_accredited(self.actor(witness)))
    }

    /// What stands behind a certificate about something of `subjects`: an independent signer, the word of one
    /// of those parties themselves, or no more than somebody's.
    pub(in crate::provenance) fn certificate_assurance(
        &self,
        witness: u32,
        subjects: &[Symbol],
    ) -> Assurance {
        if let Some(by) = self.independent(witness) {
            return by;
        }
        if !self.is_own_word(witness) || !subjects.contains(&self.actor(witness)) {
            return Assurance::Reported;
        }
        if self.fact(witness).certified {
            Assurance::SupplierCertified
        } else {
            Assurance::Asserted
        }
    }

    pub(in crate::provenance) fn certificate(&self, witness: u32) -> Option<v1::Certified> {
        match self.event_of(witness)?.kind? {
            Kind::Certified(certified) => Some(certified),
            _ => None,
        }
    }
}

fn in_force(certified: &v1::Certified, time: i64) -> bool {
    certified.valid_from.is_none_or(|from| from <= time) && certified.valid_to.is_none_or(|to| time < to)
}

/// Whether one of the scopes covers the claim.
fn covers(scopes: &[String], path: &str) -> bool {
    scopes.iter().any(|scope| {
        scope == ALL
            || path
                .strip_prefix(scope.as_str())
                .is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scope_covers_what_lies_under_it() {
        let scopes = ["step".to_owned(), "party.owner".to_owned()];
        assert!(covers(&scopes, "step"));
        assert!(covers(&scopes, "step.facility"));
        assert!(!covers(&scopes, "steps"));
        assert!(!covers(&scopes, "party"));
        assert!(covers(&[ALL.to_owned()], "anything"));
        assert!(!covers(&[], "anything"));
    }
}

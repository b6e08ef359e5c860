//! How much stands behind a fact. It follows the signer, never a field that says so.

use serde::Serialize;

use super::{Projection, fact::Role, span};
use crate::wire::v1::{self, event::Kind};

/// The claim path that covers every claim of an event.
const ALL: &str = "all";

/// What stands behind a claim, weakest first. Spec: `docs`, "Assurance".
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Assurance {
    /// Somebody says so.
    Asserted,
    /// The party says so and certifies it, for this claim.
    SupplierCertified,
    /// An enrolled, accredited auditor or laboratory vouches for it.
    ThirdPartyAudited,
    /// The authority says so.
    AuthorityConfirmed,
}

impl Projection {
    /// What stands behind the claim `path` of a fact.
    ///
    /// A claim is covered by its own path, by a path that it lies under (`step` covers `step.facility`), and
    /// by `all`. An event that was reported without the claimed party's leave is asserted, whatever clause it
    /// carries; evidence about it counts as for any other.
    pub(super) fn assurance(&self, number: u32, path: &str) -> Assurance {
        let fact = self.fact(number);
        if fact.by_authority {
            return Assurance::AuthorityConfirmed;
        }
        let certifies = || {
            self.event_of(number)
                .and_then(|event| event.certification)
                .is_some_and(|clause| covers(&clause.scope, path))
        };
        let own = if fact.certified && self.is_own_word(number) && certifies() {
            Assurance::SupplierCertified
        } else {
            Assurance::Asserted
        };
        self.evidence_for(number)
            .filter_map(|witness| self.vouches(witness, path, fact.event_time))
            .fold(own, Ord::max)
    }

    /// The best assurance of evidence about an identifier (a lot, party or facility), for a claim, in force at
    /// a time. Nothing if there is none.
    pub(super) fn assurance_about(&self, id: &str, path: &str, time: i64) -> Option<Assurance> {
        let key = span::find(&self.symbols, id)?;
        let mut best = None;
        for touch in self.tracks.of(key) {
            let fact = self.fact(touch.fact);
            // Evidence that names an event is about that event alone.
            if self.leg(touch).role == Role::About && fact.target.is_none() {
                best = best.max(self.vouches(touch.fact, path, time));
            }
        }
        best
    }

    /// What a certificate adds to a claim at a time: by the authority, or by who is accredited for it.
    fn vouches(&self, witness: u32, path: &str, time: i64) -> Option<Assurance> {
        if !self.counts(witness) || !self.is_own_word(witness) {
            return None;
        }
        let by = if self.fact(witness).by_authority {
            Assurance::AuthorityConfirmed
        } else if self.directory.is_accredited(self.actor(witness)) {
            Assurance::ThirdPartyAudited
        } else {
            return None;
        };
        let Some(v1::Event {
            kind: Some(Kind::Certified(certified)),
            ..
        }) = self.event_of(witness)
        else {
            return None;
        };
        let in_force = certified.valid_from.is_none_or(|from| from <= time)
            && certified.valid_to.is_none_or(|to| time < to);
        (in_force && covers(&certified.claims, path)).then_some(by)
    }
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

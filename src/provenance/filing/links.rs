//! What facts say about each other: corrections, voids, evidence, repeated reports, shared references.

use std::collections::HashMap;

use super::symbol::{BySymbol, Symbol};
use crate::register::EventPlace;

/// What points at what.
#[derive(Debug, Default)]
pub(in crate::provenance) struct Links {
    /// From a fact to the corrections and voids of it.
    amendments: HashMap<u32, Vec<u32>>,
    /// From a corrective event's identity to the corrections that announce it.
    announced: HashMap<Symbol, HashMap<String, Vec<u32>>, BySymbol>,
    /// From a fact to the evidence that names it.
    evidence: HashMap<u32, Vec<u32>>,
    /// From a fact to the other feeds that said it, each with the first place there.
    reports: HashMap<u32, Vec<(u32, EventPlace)>>,
    /// From a run's, shipment's or recall's id to the facts that are found by nothing else.
    references: HashMap<Symbol, Vec<u32>, BySymbol>,
}

impl Links {
    pub(super) fn amend(&mut self, target: u32, amendment: u32) {
        self.amendments.entry(target).or_default().push(amendment);
    }

    pub(super) fn announce(&mut self, issuer: Symbol, id: &str, correction: u32) {
        let ids = self.announced.entry(issuer).or_default();
        ids.entry(id.to_owned()).or_default().push(correction);
    }

    pub(super) fn vouch(&mut self, target: u32, witness: u32) {
        self.evidence.entry(target).or_default().push(witness);
    }

    pub(super) fn report_again(&mut self, fact: u32, feed: u32, place: EventPlace) {
        let reports = self.reports.entry(fact).or_default();
        match reports.iter_mut().find(|(known, _)| *known == feed) {
            Some((_, first)) => *first = place.min(*first),
            None => reports.push((feed, place)),
        }
    }

    pub(super) fn refer(&mut self, reference: Symbol, fact: u32) {
        self.references.entry(reference).or_default().push(fact);
    }

    /// Corrections and voids of a fact, in order of arrival.
    pub(in crate::provenance) fn amendments_of(&self, fact: u32) -> &[u32] {
        self.amendments.get(&fact).map_or(&[], Vec::as_slice)
    }

    /// Whether a correction announces this event.
    pub(super) fn announces(&self, issuer: Symbol, id: &str) -> bool {
        self.announcing(issuer, id).is_some()
    }

    /// The corrections that announce this event.
    pub(in crate::provenance) fn announcing(&self, issuer: Symbol, id: &str) -> Option<&[u32]> {
        Some(self.announced.get(&issuer)?.get(id)?)
    }

    /// Evidence that names this event.
    pub(in crate::provenance) fn evidence_for(&self, fact: u32) -> &[u32] {
        self.evidence.get(&fact).map_or(&[], Vec::as_slice)
    }

    /// Where feeds repeated a fact.
    pub(super) fn reports_of(&self, fact: u32) -> impl Iterator<Item = (u32, EventPlace)> + '_ {
        self.reports.get(&fact).into_iter().flatten().copied()
    }

    /// Facts of a run, of a shipment that is withdrawn or lapses as a whole, or of a recall.
    pub(in crate::provenance) fn referring(&self, reference: Symbol) -> &[u32] {
        self.references.get(&reference).map_or(&[], Vec::as_slice)
    }
}

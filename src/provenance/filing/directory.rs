//! The directory: who is who, who owns which identifiers, runs which facility, and speaks for whom.
//!
//! Built from the governance events and the parties' own declarations in the stream. Rows are kept as they
//! were said, with the claimed time and the fact they come from; which one counts is decided when asked, by
//! time and then by (issuer, event id), so that the order of arrival does not matter.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use crate::wire::v1::{self, event::Kind};

use super::symbol::{Symbol, Symbols};

/// What one enrolment says.
#[derive(Debug)]
pub(in crate::provenance) struct PartyRow {
    /// Whether an accreditation stands behind the role of laboratory or auditor.
    pub(in crate::provenance) accredited: bool,
    pub(in crate::provenance) has_namespaces: bool,
}

/// What one registration of a facility says.
#[derive(Debug)]
pub(in crate::provenance) struct FacilityRow {
    pub(in crate::provenance) time: i64,
    pub(in crate::provenance) operator: Symbol,
    pub(in crate::provenance) country: Symbol,
    pub(in crate::provenance) subdivision: Symbol,
}

/// One delegation: `reporter` may speak for `grantor`.
#[derive(Debug)]
struct DelegationRow {
    name: Symbol,
    kinds: Vec<u32>,
    facilities: Vec<Symbol>,
    from: Option<i64>,
    to: Option<i64>,
}

/// Facts by what they are about.
#[derive(Debug, Default)]
pub(in crate::provenance) struct Directory {
    parties: HashMap<Symbol, Vec<PartyRow>>,
    facilities: HashMap<Symbol, Vec<FacilityRow>>,
    /// Owners of a prefix, with the time of enrolment.
    namespaces: HashMap<String, Vec<(i64, Symbol)>>,
    namespace_lens: BTreeSet<usize>,
    delegations: HashMap<(Symbol, Symbol), Vec<DelegationRow>>,
    revocations: HashMap<(Symbol, Symbol), i64>,
    products: HashMap<Symbol, Vec<u32>>,
    /// Keys that were compromised, and since when entries recorded under them are tainted.
    compromised: HashMap<Vec<u8>, i64>,
    /// Declarations and governance by kind and subject, for whoever asks: ownership of a party, editions of
    /// a list, waivers.
    by_subject: BTreeMap<(u32, String), Vec<u32>>,
}

impl Directory {
    /// Takes in one fact. Returns whether conclusions about lots may change with it.
    pub(in crate::provenance) fn apply(
        &mut self,
        symbols: &mut Symbols,
        number: u32,
        fact: u32,
        issuer: Symbol,
        by_authority: bool,
        event: &v1::Event,
    ) -> bool {
        let Some(kind) = &event.kind else { return false };
        if number < 48 && !by_authority {
            return false;
        }
        let mut note = |subject: &str| {
            self.by_subject
                .entry((number, subject.to_owned()))
                .or_default()
                .push(fact);
        };
        match kind {
            Kind::PartyEnrolled(party) => {
                note(&party.party);
                let symbol = symbols.intern(&party.party);
                for prefix in &party.namespaces {
                    self.namespace_lens.insert(prefix.len());
                    self.namespaces
                        .entry(prefix.clone())
                        .or_default()
                        .push((event.event_time, symbol));
                }
                let checks = party
                    .roles
                    .iter()
                    .any(|role| role == "laboratory" || role == "auditor");
                self.parties.entry(symbol).or_default().push(PartyRow {
                    accredited: checks && !party.accreditations.is_empty(),
                    has_namespaces: !party.namespaces.is_empty(),
                });
                true
            }
            Kind::FacilityRegistered(facility) => {
                note(&facility.facility);
                let symbol = symbols.intern(&facility.facility);
                let row = FacilityRow {
                    time: event.event_time,
                    operator: symbols.intern(&facility.operator),
                    country: symbols.intern(&facility.country),
                    subdivision: symbols.intern(&facility.subdivision),
                };
                self.facilities.entry(symbol).or_default().push(row);
                true
            }
            Kind::DelegationGranted(granted) => {
                let row = DelegationRow {
                    name: symbols.intern(&granted.delegation),
                    kinds: granted.kinds.clone(),
                    facilities: granted
                        .facilities
                        .iter()
                        .map(|facility| symbols.intern(facility))
                        .collect(),
                    from: granted.valid_from,
                    to: granted.valid_to,
                };
                let reporter = symbols.intern(&granted.reporter);
                self.delegations.entry((issuer, reporter)).or_default().push(row);
                true
            }
            Kind::DelegationRevoked(revoked) => {
                let name = symbols.intern(&revoked.delegation);
                let at = self.revocations.entry((issuer, name)).or_insert(event.event_time);
                *at = event.event_time.min(*at);
                true
            }
            Kind::ProductDeclared(product) => {
                let symbol = symbols.intern(&product.product);
                self.products.entry(symbol).or_default().push(fact);
                true
            }
            Kind::ListPublished(list) => {
                note(&list.list);
                false
            }
            Kind::ListWithdrawn(list) => {
                note(&list.list);
                false
            }
            Kind::WaiverGranted(waiver) => {
                note(&waiver.waiver);
                false
            }
            Kind::WaiverRevoked(waiver) => {
                note(&waiver.waiver);
                false
            }
            Kind::ApprovalGranted(approval) => {
                note(&approval.about);
                false
            }
            Kind::ApprovalRevoked(approval) => {
                note(&approval.approval);
                false
            }
            Kind::RulePackAdopted(pack) => {
                note(&pack.pack);
                false
            }
            Kind::OwnershipDeclared(owned) => {
                note(&owned.party);
                false
            }
            Kind::BoardDeclared(board) => {
                note(&board.party);
                false
            }
            Kind::LicencesDeclared(licences) => {
                note(&licences.party);
                false
            }
            Kind::SuccessionDeclared(succession) => {
                note(&succession.party);
                false
            }
            Kind::Certified(certified) => {
                note(&certified.about);
                false
            }
            Kind::KeyCompromised(key) => {
                let since = self.compromised.entry(key.key.clone()).or_insert(key.since);
                *since = key.since.min(*since);
                false
            }
            _ => false,
        }
    }

    /// Since when entries recorded under a key are tainted, if it was compromised.
    pub(in crate::provenance) fn tainted_since(&self, key: &[u8; 32]) -> Option<i64> {
        self.compromised.get(key.as_slice()).copied()
    }

    /// Facts of a kind about a subject, in order of arrival.
    pub(in crate::provenance) fn about(&self, kind: u32, subject: &str) -> &[u32] {
        self.by_subject
            .get(&(kind, subject.to_owned()))
            .map_or(&[], Vec::as_slice)
    }

    /// All facts of a kind, by subject.
    pub(in crate::provenance) fn of_kind(&self, kind: u32) -> impl Iterator<Item = (&str, &[u32])> {
        self.by_subject
            .range((kind, String::new())..(kind + 1, String::new()))
            .map(|((_, subject), facts)| (subject.as_str(), facts.as_slice()))
    }

    /// Declarations of a product, in order of arrival.
    pub(in crate::provenance) fn product(&self, product: Symbol) -> &[u32] {
        self.products.get(&product).map_or(&[], Vec::as_slice)
    }

    /// Enrolments of a party.
    pub(in crate::provenance) fn party(&self, party: Symbol) -> &[PartyRow] {
        self.parties.get(&party).map_or(&[], Vec::as_slice)
    }

    /// Whether a party was ever enrolled as an accredited laboratory or auditor.
    pub(in crate::provenance) fn is_accredited(&self, party: Symbol) -> bool {
        self.party(party).iter().any(|row| row.accredited)
    }

    /// Whether a party owns any identifiers.
    pub(in crate::provenance) fn has_namespaces(&self, party: Symbol) -> bool {
        self.party(party).iter().any(|row| row.has_namespaces)
    }

    /// Who owns an identifier: the party with the longest prefix of it; of several, the first enrolled.
    pub(in crate::provenance) fn owner(&self, symbols: &Symbols, id: &str) -> Option<Symbol> {
        self.namespace_lens.iter().rev().find_map(|len| {
            self.namespaces
                .get(id.get(..*len)?)?
                .iter()
                .min_by(|a, b| (a.0, symbols.name(a.1)).cmp(&(b.0, symbols.name(b.1))))
                .map(|(_, party)| *party)
        })
    }

    /// What is registered of a facility at a time: the newest row not after it, else the first.
    pub(in crate::provenance) fn facility(&self, facility: Symbol, time: i64) -> Option<&FacilityRow> {
        let rows = self.facilities.get(&facility)?;
        rows.iter()
            .filter(|row| row.time <= time)
            .max_by_key(|row| row.time)
            .or_else(|| rows.iter().min_by_key(|row| row.time))
    }

    /// Whether `grantor` lets `reporter` say this for him.
    pub(in crate::provenance) fn delegates(
        &self,
        grantor: Symbol,
        reporter: Symbol,
        kind: u32,
        facility: Symbol,
        event_time: i64,
        issued_at: i64,
    ) -> bool {
        self.delegations.get(&(grantor, reporter)).is_some_and(|rows| {
            rows.iter().any(|row| {
                let revoked = self.revocations.get(&(grantor, row.name));
                (row.kinds.is_empty() || row.kinds.contains(&kind))
                    && (row.facilities.is_empty() || row.facilities.contains(&facility))
                    && row.from.is_none_or(|from| from <= event_time)
                    && row.to.is_none_or(|to| event_time < to)
                    && revoked.is_none_or(|at| event_time.max(issued_at) < *at)
            })
        })
    }
}

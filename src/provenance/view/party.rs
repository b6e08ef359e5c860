//! Parties, lists and waivers, as the policy sees them.

use num_rational::BigRational;

use super::{Concluded, last_day, number, numbers};
use crate::{
    policy::view::{
        Assurance, EventNumber, Fact, Licence, ListEdition, ListEntry, PartyFacts, Stake, Stated, WaiverFacts,
    },
    provenance::filing::symbol::Symbol,
    time::utc_date,
    wire::v1::{self, event::Kind},
};

const PARTY_ENROLLED: u32 = 16;
const LIST_PUBLISHED: u32 = 24;
const LIST_WITHDRAWN: u32 = 25;
const WAIVER_GRANTED: u32 = 26;
const WAIVER_REVOKED: u32 = 27;
const OWNERSHIP_DECLARED: u32 = 48;
const BOARD_DECLARED: u32 = 49;
const LICENCES_DECLARED: u32 = 50;
const SUCCESSION_DECLARED: u32 = 51;

/// A country, if one is given, as the authority enrolled it.
fn country(code: &str) -> Stated<String> {
    (!code.is_empty()).then(|| Fact::new(code.to_owned(), Assurance::AuthorityConfirmed))
}

/// Countries of a natural person; none given is not stated.
fn countries(codes: Vec<String>) -> Stated<Vec<String>> {
    (!codes.is_empty()).then(|| Fact::new(codes, Assurance::AuthorityConfirmed))
}

/// Whether a declared licence holds at a time; open ends are open.
pub(super) fn in_force(licence: &v1::Licence, time: i64) -> bool {
    licence.valid_from.is_none_or(|from| from <= time) && licence.valid_to.is_none_or(|to| time < to)
}

impl Concluded<'_> {
    /// The newest declaration of a kind that a party made about itself (or the authority about it) before
    /// `until`. What others say about a party is no fact about it.
    fn declaration(&self, kind: u32, party: Symbol, until: i64) -> Option<(u32, Kind)> {
        let fact = self
            .declarations(kind, party, until)
            .max_by(|a, b| self.compare(*a, *b))?;
        Some((fact, self.event_of(fact)?.kind?))
    }

    fn declarations(&self, kind: u32, party: Symbol, until: i64) -> impl Iterator<Item = u32> {
        self.directory
            .about(kind, self.symbols.name(party))
            .iter()
            .copied()
            .filter(move |fact| {
                let said = self.fact(*fact);
                let own = self.is_own_word(*fact) && self.actor(*fact) == party;
                said.event_time < until && (own || said.by_authority) && self.counts(*fact)
            })
    }

    /// The licences that a party declared before `until`.
    pub(super) fn licences_of(&self, party: Symbol, until: i64) -> Option<(u32, v1::LicencesDeclared)> {
        match self.declaration(LICENCES_DECLARED, party, until)? {
            (fact, Kind::LicencesDeclared(declared)) => Some((fact, declared)),
            _ => None,
        }
    }

    pub(super) fn party_facts(&self, party: &str, until: i64) -> Option<PartyFacts> {
        let symbol = self.symbols.get(party)?;
        let mut enrolments: Vec<u32> = self.directory.about(PARTY_ENROLLED, party).to_vec();
        enrolments.sort_by(|a, b| self.compare(*b, *a));
        let enrolments: Vec<v1::PartyEnrolled> = enrolments
            .into_iter()
            .filter_map(|enrolled| match self.event_of(enrolled)?.kind? {
                Kind::PartyEnrolled(enrolled) => Some(enrolled),
                _ => None,
            })
            .collect();
        // Who is enrolled again under another name does not lose the one it had.
        let mut names: Vec<String> = Vec::new();
        for enrolled in &enrolments {
            for name in std::iter::once(&enrolled.legal_name).chain(&enrolled.aliases) {
                if !names.contains(name) {
                    names.push(name.clone());
                }
            }
        }
        let enrolled = enrolments.into_iter().next()?;
        let mut facts = PartyFacts {
            organized_in: country(&enrolled.organized_in),
            principal_place: country(&enrolled.principal_place),
            citizenships: countries(enrolled.citizenships),
            permanent_residences: countries(enrolled.permanent_residences),
            evidence: self.evidence_about(party, &[symbol], None),
            names,
            ..PartyFacts::default()
        };
        self.add_owners(symbol, until, &mut facts);
        self.add_board(symbol, until, &mut facts);
        if let Some((fact, declared)) = self.licences_of(symbol, until) {
            facts.licensed_by = numbers([fact]);
            let backing = self.backing(fact);
            facts.licences_complete = declared
                .licences_complete
                .map(|complete| Fact::new(complete, backing.of("licences_complete")));
            let held = declared
                .licences
                .into_iter()
                .filter(|one| in_force(one, until.saturating_sub(1)));
            facts.licences.extend(held.map(|one| {
                let licence = Licence {
                    licence: one.licence,
                    licensor: (!one.licensor.is_empty()).then_some(one.licensor),
                    effective_control: one.effective_control,
                };
                Fact::new(licence, backing.of("licences"))
            }));
        }
        let mut successions: Vec<u32> = self.declarations(SUCCESSION_DECLARED, symbol, i64::MAX).collect();
        successions.sort_by(|a, b| self.compare(*a, *b));
        for fact in successions {
            if let Some(Kind::SuccessionDeclared(event)) = self.event_of(fact).and_then(|event| event.kind)
                && event.effective_from < until
            {
                let assurance = self.backing(fact).of("succession");
                facts.predecessors.push(Fact::new(event.predecessor, assurance));
                facts.succeeds_by.push(EventNumber(fact));
            }
        }
        Some(facts)
    }

    fn add_owners(&self, party: Symbol, until: i64, facts: &mut PartyFacts) {
        let Some((fact, Kind::OwnershipDeclared(declared))) =
            self.declaration(OWNERSHIP_DECLARED, party, until)
        else {
            return;
        };
        facts.owned_by.push(EventNumber(fact));
        let assurance = self.backing(fact).of("ownership");
        let mut sealed = false;
        for share in declared.owners {
            if share.party.is_empty() {
                // A sealed holder is a holder that one does not know.
                sealed = true;
                continue;
            }
            let stake = Stake {
                owner: share.party,
                equity: number(&share.equity),
                votes: number(&share.votes),
                board: None,
                debt: number(&share.debt),
            };
            facts.owners.push(Fact::new(stake, assurance));
        }
        facts.ownership_complete = declared
            .ownership_complete
            .filter(|_| !sealed)
            .map(|complete| Fact::new(complete, assurance));
    }

    /// Each appointer's part of the declared seats.
    fn add_board(&self, party: Symbol, until: i64, facts: &mut PartyFacts) {
        let Some((fact, Kind::BoardDeclared(declared))) = self.declaration(BOARD_DECLARED, party, until)
        else {
            return;
        };
        facts.owned_by.push(EventNumber(fact));
        let assurance = self.backing(fact).of("board");
        let seats = declared.seats.len();
        let appointers: Vec<&str> = declared
            .seats
            .iter()
            .map(|seat| seat.appointed_by.as_str())
            .collect();
        let sealed = appointers.iter().any(|appointer| appointer.is_empty());
        let mut named: Vec<&str> = appointers
            .iter()
            .copied()
            .filter(|name| !name.is_empty())
            .collect();
        named.sort_unstable();
        named.dedup();
        for appointer in named {
            let count = appointers.iter().filter(|name| **name == appointer).count();
            let part = BigRational::new(count.into(), seats.into());
            let known = facts
                .owners
                .iter_mut()
                .find(|owner| owner.value.owner == appointer);
            match known {
                Some(owner) => {
                    owner.value.board = Some(part);
                    owner.assurance = owner.assurance.min(assurance);
                }
                None => facts.owners.push(Fact::new(
                    Stake {
                        owner: appointer.to_owned(),
                        board: Some(part),
                        ..Stake::default()
                    },
                    assurance,
                )),
            }
        }
        facts.board_complete = declared
            .board_complete
            .filter(|_| !sealed)
            .map(|complete| Fact::new(complete, assurance));
    }

    /// Editions of a list that were not withdrawn after they were published.
    pub(super) fn editions(&self, list: &str) -> Vec<ListEdition> {
        let withdrawn: Vec<(String, i64)> = self
            .directory
            .about(LIST_WITHDRAWN, list)
            .iter()
            .filter_map(|fact| match self.event_of(*fact)?.kind? {
                Kind::ListWithdrawn(event) => Some((event.edition, self.fact(*fact).event_time)),
                _ => None,
            })
            .collect();
        let mut published = self.directory.about(LIST_PUBLISHED, list).to_vec();
        published.sort_by(|a, b| self.compare(*a, *b));
        published
            .into_iter()
            .filter_map(|fact| match self.event_of(fact)?.kind? {
                Kind::ListPublished(event) => Some((self.fact(fact).event_time, event)),
                _ => None,
            })
            .filter(|(time, event)| {
                !withdrawn
                    .iter()
                    .any(|(edition, at)| *edition == event.edition && at >= time)
            })
            .filter_map(|(_, event)| {
                Some(ListEdition {
                    list: event.list,
                    edition: event.edition,
                    effective_from: utc_date(event.effective_from)?,
                    complete: event.complete,
                    fixture: event.fixture,
                    // A projection stands at one position and does not look beyond it.
                    later_withdrawn: false,
                    entries: event
                        .entries
                        .into_iter()
                        .map(|entry| ListEntry {
                            name: entry.name,
                            aliases: entry.aliases,
                            sublist: (!entry.sublist.is_empty()).then_some(entry.sublist),
                            parties: entry.parties,
                            others: entry.others,
                        })
                        .collect(),
                })
            })
            .collect()
    }

    /// Waivers that name a lot and were not revoked after they were granted.
    pub(super) fn waivers(&self, lot: &str) -> Vec<WaiverFacts> {
        let mut waivers = Vec::new();
        for (waiver, granted) in self.directory.of_kind(WAIVER_GRANTED) {
            let revoked = self
                .directory
                .about(WAIVER_REVOKED, waiver)
                .iter()
                .map(|fact| self.fact(*fact).event_time)
                .max();
            let mut granted = granted.to_vec();
            granted.sort_by(|a, b| self.compare(*a, *b));
            for fact in granted {
                let time = self.fact(fact).event_time;
                if let Some(Kind::WaiverGranted(event)) = self.event_of(fact).and_then(|event| event.kind)
                    && event.lots.iter().any(|named| named == lot)
                    && revoked.is_none_or(|at| at < time)
                    && let Some(valid_from) = utc_date(event.valid_from)
                {
                    waivers.push(WaiverFacts {
                        waiver: event.waiver,
                        kind: event.kind,
                        grantor: event.grantor,
                        findings: event.findings,
                        valid_from,
                        valid_to: event.valid_to.and_then(last_day),
                    });
                }
            }
        }
        waivers
    }
}

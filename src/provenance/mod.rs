//! Provenance: a deterministic fold from admitted events to where every lot came from.
//!
//! ```text
//! events, in log order --apply--> facts --+-- per identifier, the facts that touch it      (span)
//!                                         +-- who is who, owns and operates what           (directory)
//!                                         '-- what corrects, voids or contradicts what     (amend)
//!                                                      |
//!                        lot, provenance, custody, anomalies, digests, the policy's view: computed when asked
//! ```
//!
//! The fold itself only files facts. Everything that is *concluded* (who held a lot, whether more was used
//! than made, whose word counts) is computed from the facts around it when somebody asks, in an order of
//! event time and then (issuer, event id), never of arrival. So a consumption that came before its
//! supplier's event is open until that arrives, in any order, and nothing has to be undone. The list of all
//! anomalies is kept up to date by looking again at what newly arrived facts touch.
//!
//! **Standing.** Anybody may say anything about anybody's lot, and it stays in the log. But a word counts for
//! a lot only if its signer owned the lot's identifier, or held or worked on the lot then, on the word of
//! somebody who did; otherwise the contradiction weighs on the signer (see [`Weight`]).
//!
//! Only admitted statements' events are applied, with the parts of long events joined, and acts of the
//! authority only once they take effect. Deliberately absent: signatures and positions (verified before),
//! and rules (the policy decides what a fact means).

mod account;
mod amend;
mod amount;
mod anomaly;
mod assurance;
mod cycle;
mod digest;
mod directory;
mod fact;
mod graph;
mod history;
mod identity;
mod index;
mod judge;
mod reading;
mod recall;
mod span;
mod stock;
mod summary;
mod symbol;
mod usage;
mod uses;
mod view;

use std::{
    collections::{BTreeMap, HashMap},
    sync::Mutex,
};

use prost::Message as _;

pub use amount::{Amount, Exact, Unit};
pub use anomaly::{Anomaly, AnomalyKind, Weight};
pub use graph::{Bounds, Direction, Node, Provenance, Step, StepItem};
pub use stock::StockRow;
pub use summary::{CustodyRow, FactView, LotSummary};
pub use view::ProjectionView;

use digest::Outcome;
use directory::Directory;
use fact::Fact;
use identity::Identities;
use reading::{Outline, Reader, Room};
use span::{LotKey, Touch, Tracks};
use symbol::{Symbol, Symbols};

pub use crate::register::EventPlace;
use crate::{
    event::sealed::{self, Opening},
    id::FeedId,
    time::{IssuedAt, RecordedAt},
    wire::v1,
};

/// An admitted event, with what its entry and statement say about it.
#[derive(Clone, Copy, Debug)]
pub struct AppliedEvent<'a> {
    /// Where it stands in the log.
    pub place: EventPlace,
    /// The party whose key signed it.
    pub issuer: &'a str,
    /// That key.
    pub feed: FeedId,
    /// When the ledger took its entry.
    pub recorded_at: RecordedAt,
    /// When it was signed, as claimed.
    pub issued_at: IssuedAt,
    /// Whether the key is one of the authority's.
    pub by_authority: bool,
    /// The event in canonical encoding, parts joined.
    pub event: &'a [u8],
}

/// Names an event by what it is, not by where it stands.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize)]
pub struct FactKey {
    /// The party that signed it.
    pub issuer: String,
    /// Its id, chosen by that party.
    pub event_id: String,
}

/// Everything that the applied events add up to.
#[derive(Debug, Default)]
pub struct Projection {
    symbols: Symbols,
    room: Room,
    feeds: Vec<FeedId>,
    feed_numbers: HashMap<FeedId, u32>,
    /// In order of place.
    facts: Vec<Fact>,
    /// Places of repeated reports, and the facts that they repeat.
    repeats: BTreeMap<EventPlace, u32>,
    identities: Identities,
    tracks: Tracks,
    directory: Directory,
    amendments: amend::Amendments,
    openings: HashMap<[u8; 32], Opening>,
    /// Facts that carry a sealed digest.
    seals: HashMap<[u8; 32], Vec<u32>>,
    applied: u64,
    step: [u8; 32],
    settled: Mutex<anomaly::Settled>,
    recall: recall::Recall,
}

impl Projection {
    /// The state before any event.
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes in one event. Events come in log order: places ascend.
    ///
    /// # Panics
    /// After four billion facts.
    pub fn apply(&mut self, applied: &AppliedEvent<'_>) {
        self.recall.forget();
        let outline = Outline::of(applied.event);
        // The bulk of all events says nothing that is not in its reading.
        let event = outline
            .says_more()
            .then(|| v1::Event::decode(applied.event).ok())
            .flatten();
        let issuer = self.symbols.intern(applied.issuer);
        let reference = event.as_ref().and_then(fact::without_reference);
        let target = reference.as_ref().and_then(|(place, _)| self.at_place(*place));
        let digest = match &reference {
            Some((_, without)) => {
                let named = target.map_or(("", ""), |target| {
                    (self.issuer_of(target), self.event_id_of(target))
                });
                digest::of_fact(applied.issuer, without, Some(named))
            }
            None => digest::of_fact(applied.issuer, applied.event, None),
        };
        let number = u32::try_from(self.facts.len()).expect("fewer than four billion facts fit in memory");
        let outcome = self.identify(applied, (issuer, outline.id), digest, number);
        self.step = digest::of_step(&self.step, applied, outcome, &digest);
        self.applied += 1;
        if outcome == Outcome::Repeated {
            return;
        }
        let fact = Fact {
            place: applied.place,
            recorded_at: applied.recorded_at.as_nanos(),
            issued_at: applied.issued_at.as_nanos(),
            event_time: outline.event_time,
            issuer,
            feed: self.feed_number(applied.feed),
            digest,
            kind: outline.kind,
            by_authority: applied.by_authority,
            reported: outline.reported.map(|claimed| self.symbols.intern(claimed)),
            certified: outline.certified,
            contested: outcome == Outcome::Conflicting || self.amendments.names(issuer, outline.id),
            repeats: 0,
            target,
            reading: self.read(&outline, event.as_ref()),
            encoded: reading::without_serials(applied.event, &outline),
        };
        for (leg, read) in (0..).zip(&fact.reading.legs) {
            self.tracks.add(read.span, Touch { fact: number, leg });
        }
        self.facts.push(fact);
        if outcome == Outcome::Conflicting {
            self.contest_variants(issuer, outline.id);
        }
        let everywhere = event.is_some_and(|event| self.take_more(number, &event));
        let settled = self.settled.get_mut().expect(anomaly::NEVER_POISONED);
        settled.dirty(number, everywhere);
    }

    /// Takes in what a new fact says beyond its reading. Returns whether conclusions about any lot may change
    /// with it.
    fn take_more(&mut self, number: u32, event: &v1::Event) -> bool {
        for seal in &event.sealed {
            if let Ok(digest) = seal.digest.as_slice().try_into() {
                self.seals.entry(digest).or_default().push(number);
            }
        }
        self.amend(number, event);
        let Fact {
            kind,
            issuer,
            by_authority,
            ..
        } = *self.fact(number);
        self.directory
            .apply(&mut self.symbols, kind, number, issuer, by_authority, event)
    }

    fn feed_number(&mut self, feed: FeedId) -> u32 {
        let next = u32::try_from(self.feeds.len()).expect("fewer than four billion feeds fit in memory");
        *self.feed_numbers.entry(feed).or_insert_with(|| {
            self.feeds.push(feed);
            next
        })
    }

    /// Whether the fact was recorded under a key after the time from which that key is not trusted.
    fn is_tainted(&self, number: u32) -> bool {
        let fact = self.fact(number);
        self.feeds
            .get(fact.feed as usize)
            .and_then(|feed| self.directory.tainted_since(feed.as_bytes()))
            .is_some_and(|since| fact.recorded_at >= since)
    }

    /// Files the fact under its identity, and says whether it is new.
    fn identify(
        &mut self,
        applied: &AppliedEvent<'_>,
        key: (Symbol, &str),
        digest: [u8; 32],
        number: u32,
    ) -> Outcome {
        let Some(first) = self.identities.first_or_insert(key, number, &self.facts) else {
            return Outcome::New;
        };
        let known = self
            .identities
            .variants(first)
            .find(|known| self.fact(*known).digest == digest);
        let Some(known) = known else {
            self.identities.add_variant(first, number);
            return Outcome::Conflicting;
        };
        self.repeats.insert(applied.place, known);
        if let Some(fact) = self.facts.get_mut(known as usize) {
            fact.repeats += 1;
            fact.issued_at = fact.issued_at.min(applied.issued_at.as_nanos());
            // Of conflicting reports the first issued counts, which may have changed.
            let settled = self.settled.get_mut().expect(anomaly::NEVER_POISONED);
            settled.dirty(known, false);
        }
        Outcome::Repeated
    }

    /// Reads a new event; `event` is the same, decoded, if it has seals.
    fn read(&mut self, outline: &Outline<'_>, event: Option<&v1::Event>) -> fact::Reading {
        let sealed = event.map_or(&[][..], |event| &event.sealed);
        match event.and_then(|event| self.opened(event)) {
            Some(opened) => self.read_decoded(&opened),
            None => {
                Reader::new(&mut self.symbols, &mut self.room, outline.kind, sealed).read(outline.content)
            }
        }
    }

    fn read_decoded(&mut self, event: &v1::Event) -> fact::Reading {
        let encoded = event.encode_to_vec();
        let outline = Outline::of(&encoded);
        Reader::new(&mut self.symbols, &mut self.room, outline.kind, &event.sealed).read(outline.content)
    }

    /// The event with every field opened for which there is an opening; nothing if there is none.
    fn opened(&self, event: &v1::Event) -> Option<v1::Event> {
        if event.sealed.is_empty() || self.openings.is_empty() {
            return None;
        }
        let openings: Vec<Opening> = event
            .sealed
            .iter()
            .filter_map(|seal| {
                let digest: [u8; 32] = seal.digest.as_slice().try_into().ok()?;
                self.openings.get(&digest).cloned()
            })
            .collect();
        if openings.is_empty() {
            return None;
        }
        // Each opening hashes to its seal, but what it reveals may still not be a field: then it reveals nothing.
        sealed::open(event, &openings).ok()
    }

    /// Takes in an opening, before or after the event that it opens. Returns in how many known facts it
    /// opens a field; an opening that fits no seal is kept for later and reveals nothing.
    ///
    /// An opening authenticates itself: it belongs where its digest stands.
    pub fn open(&mut self, opening: Opening) -> usize {
        if opening.path.len() > usize::from(u16::MAX) {
            return 0;
        }
        self.recall.forget();
        let digest = *opening.digest().as_bytes();
        self.openings.insert(digest, opening);
        let facts = self.seals.get(&digest).cloned().unwrap_or_default();
        for number in &facts {
            let Some(event) = self.event_of(*number) else {
                continue;
            };
            let mut reading = self.read_decoded(&event);
            let Some(fact) = self.facts.get_mut(*number as usize) else {
                continue;
            };
            // The serial lists are not in the encoded event; nothing in them can be sealed.
            let serials = fact.reading.legs.iter().filter(|leg| leg.serial).copied();
            reading.legs = merge_legs(&fact.reading.legs, &reading.legs, serials);
            fact.reading = reading;
            let settled = self.settled.get_mut().expect(anomaly::NEVER_POISONED);
            settled.dirty(*number, false);
        }
        facts.len()
    }

    /// How many events were applied, repeated reports included.
    pub fn applied(&self) -> u64 {
        self.applied
    }

    /// How many distinct facts there are.
    pub fn facts(&self) -> usize {
        self.facts.len()
    }

    /// Digest of the facts: the same for any order in which independent feeds arrived.
    ///
    /// Sorts when asked: O(n log n) in the number of facts.
    pub fn fact_digest(&self) -> crate::id::Hash {
        let facts = self.facts.iter().map(|fact| fact.digest).collect();
        crate::id::Hash::new(digest::of_facts(facts))
    }

    /// Digest of the state, positions included: the same for the same entries, however they were batched.
    ///
    /// Hashed along as events are applied, and the facts sorted when asked: O(n log n).
    pub fn state_digest(&self) -> crate::id::Hash {
        let facts = self.fact_digest();
        crate::id::Hash::new(digest::of_state(self.applied, &self.step, facts.as_bytes()))
    }

    fn at_place(&self, place: EventPlace) -> Option<u32> {
        match self.facts.binary_search_by_key(&place, |fact| fact.place) {
            Ok(at) => u32::try_from(at).ok(),
            Err(_) => self.repeats.get(&place).copied(),
        }
    }

    /// A fact by its number.
    ///
    /// # Panics
    /// If the number is not one of this projection's, which all come from here.
    fn fact(&self, number: u32) -> &Fact {
        &self.facts[number as usize]
    }

    fn leg(&self, touch: Touch) -> &fact::Leg {
        &self.fact(touch.fact).reading.legs[touch.leg as usize]
    }

    fn issuer_of(&self, number: u32) -> &str {
        self.symbols.name(self.fact(number).issuer)
    }

    fn event_id_of(&self, number: u32) -> &str {
        self.fact(number).id()
    }

    fn key_of(&self, number: u32) -> FactKey {
        FactKey {
            issuer: self.issuer_of(number).to_owned(),
            event_id: self.event_id_of(number).to_owned(),
        }
    }

    /// The event of a fact as data: opened fields filled in, serial lists left out.
    fn event_of(&self, number: u32) -> Option<v1::Event> {
        let event = v1::Event::decode(&*self.fact(number).encoded).ok()?;
        Some(self.opened(&event).unwrap_or(event))
    }

    fn name(&self, key: LotKey) -> String {
        span::name(&self.symbols, key)
    }

    /// Order of facts wherever one is needed: event time, then (issuer, event id), then content.
    fn order(&self, number: u32) -> (i64, &str, &str, &[u8; 32]) {
        let fact = self.fact(number);
        (
            fact.event_time,
            self.symbols.name(fact.issuer),
            fact.id(),
            &fact.digest,
        )
    }

    /// Who acts: the claimed party of a reported event, else the issuer.
    fn actor(&self, number: u32) -> Symbol {
        let fact = self.fact(number);
        match fact.reported {
            Some(claimed) if claimed.is_some() => claimed,
            _ => fact.issuer,
        }
    }

    /// Whether the fact is the actor's own word: signed by him, or by somebody he let report it.
    fn is_own_word(&self, number: u32) -> bool {
        match self.fact(number).reported {
            None => true,
            Some(claimed) => claimed == self.fact(number).issuer || self.speaks_for(number, claimed),
        }
    }

    /// Whether `party` let the fact's issuer say this.
    fn speaks_for(&self, number: u32, party: Symbol) -> bool {
        let fact = self.fact(number);
        self.directory.delegates(
            party,
            fact.issuer,
            fact.kind,
            fact.reading.facility,
            fact.event_time,
            fact.issued_at,
        )
    }

    /// Who worked: the stated operator, else the registered one of the facility, else the actor.
    fn operator(&self, number: u32) -> Symbol {
        let fact = self.fact(number);
        if fact.reading.operator.is_some() {
            return fact.reading.operator;
        }
        self.directory
            .facility(fact.reading.facility, fact.event_time)
            .map(|row| row.operator)
            .filter(|operator| operator.is_some())
            .unwrap_or_else(|| self.actor(number))
    }
}

/// Legs as they were, with what the new reading says of those that are not from serial lists.
fn merge_legs(
    old: &[fact::Leg],
    new: &[fact::Leg],
    mut serials: impl Iterator<Item = fact::Leg>,
) -> Box<[fact::Leg]> {
    let mut fresh = new.iter().copied();
    old.iter()
        .filter_map(|leg| if leg.serial { serials.next() } else { fresh.next() })
        .collect()
}

#[cfg(test)]
mod tests;

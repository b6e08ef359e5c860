//! Filing: what the applied events say, kept so that it can be found again. It concludes nothing.
//!
//! ```text
//! event --read--> Fact --+-- by place in the log, in whatever order acts take effect      (places)
//!                        +-- by (issuer, event id), with its other versions              (identity)
//!                        +-- by each identifier or run of serials that it touches        (span)
//!                        +-- by what it corrects, voids, vouches for; by reference       (links)
//!                        '-- who is who, owns and operates what                          (directory)
//! ```
//!
//! [`Filing`] is the only owner of this state and the only code that changes it. Everything above borrows it.
//! Facts are numbered in order of arrival, which is not the order of the log: an act of the authority takes
//! effect when it is approved, and then stands at the place of its proposal. Numbers therefore never decide
//! anything; see [`Filing::order`].

mod digest;
pub(super) mod directory;
pub(super) mod fact;
mod identity;
mod index;
mod links;
mod places;
pub(super) mod reading;
pub(super) mod span;
pub(super) mod symbol;
pub(super) mod uses;

use std::{
    cmp::Ordering,
    collections::{BTreeMap, HashMap},
};

use prost::Message as _;

use super::{AppliedEvent, FactKey};
use crate::{
    event::sealed::{self, Opening},
    id::{FeedId, Hash},
    register::EventPlace,
    wire::v1::{self, event::Kind},
};

use digest::Outcome;
use directory::Directory;
use fact::{Fact, Leg, Reading};
use identity::Identities;
use links::Links;
use places::Places;
use reading::{Outline, Reader, Room};
use span::{LotKey, Touch, Tracks};
use symbol::{Symbol, Symbols};

/// What a new event or opening may change of what was concluded before.
#[derive(Debug, Default)]
pub(super) struct Touched {
    /// The facts about whose identifiers it says something.
    pub(super) facts: Vec<u32>,
    /// Whether conclusions about any lot may change.
    pub(super) everywhere: bool,
}

/// Everything that the applied events say.
#[derive(Debug, Default)]
pub(super) struct Filing {
    pub(super) symbols: Symbols,
    pub(super) directory: Directory,
    pub(super) tracks: Tracks,
    pub(super) links: Links,
    facts: Vec<Fact>,
    places: Places,
    identities: Identities,
    feeds: Vec<FeedId>,
    feed_numbers: HashMap<FeedId, u32>,
    /// Facts that refer to a place at which nothing stands yet.
    awaited: BTreeMap<EventPlace, Vec<u32>>,
    openings: HashMap<[u8; 32], Opening>,
    /// Facts that carry a sealed digest.
    seals: HashMap<[u8; 32], Vec<u32>>,
    room: Room,
    applied: u64,
    step: [u8; 32],
}

impl Filing {
    /// Takes in one event, and says what it may change.
    ///
    /// # Panics
    /// After four billion facts.
    pub(super) fn apply(&mut self, applied: &AppliedEvent<'_>) -> Touched {
        let outline = Outline::of(applied.event);
        // The bulk of all events says nothing that is not in its reading.
        let event = outline
            .says_more()
            .then(|| v1::Event::decode(applied.event).ok())
            .flatten();
        let issuer = self.symbols.intern(applied.issuer);
        let reference = event.as_ref().and_then(fact::without_reference);
        let target = reference.as_ref().and_then(|(place, _)| self.at_place(*place));
        // A document reported again, in another one, says the same.
        let without_document = outline
            .reported
            .and_then(|_| fact::without_document(applied.event));
        let digest = self.digest_of(
            applied.issuer,
            without_document.as_deref().unwrap_or(applied.event),
            reference.as_ref().map(|(_, without)| without.as_slice()),
            target,
        );
        let number = u32::try_from(self.facts.len()).expect("fewer than four billion facts fit in memory");
        let feed = self.feed_number(applied.feed);
        let known = self
            .identities
            .first_or_insert((issuer, outline.id), number, &self.facts);
        let same = known.and_then(|first| {
            self.identities
                .variants(first)
                .find(|variant| self.fact(*variant).digest == digest)
        });
        let outcome = match (known, same) {
            (None, _) => Outcome::New,
            (Some(_), Some(_)) => Outcome::Repeated,
            (Some(_), None) => Outcome::Conflicting,
        };
        self.step = digest::of_step(&self.step, applied, outcome, &digest);
        self.applied += 1;
        let mut touched = Touched::default();
        if let Some(same) = same {
            self.repeat(same, applied, feed, &mut touched);
            return touched;
        }
        if let Some(first) = known {
            self.identities.add_variant(first, number);
        }
        let fact = Fact {
            place: applied.place,
            recorded_at: applied.recorded_at.as_nanos(),
            issued_at: applied.issued_at.as_nanos(),
            event_time: outline.event_time,
            issuer,
            feed,
            digest,
            kind: outline.kind,
            by_authority: applied.by_authority,
            reported: outline.reported.map(|claimed| self.symbols.intern(claimed)),
            certified: outline.certified,
            contested: outcome == Outcome::Conflicting || self.links.announces(issuer, outline.id),
            repeats: 0,
            target,
            reading: self.read(&outline, event.as_ref()),
            encoded: reading::without_serials(applied.event, &outline),
        };
        for (leg, read) in (0..).zip(&fact.reading.legs) {
            self.tracks.add(read.span, Touch { fact: number, leg });
        }
        let Reading {
            reference: id, legs, ..
        } = &fact.reading;
        if id.is_some() && uses::found_by_reference(fact.kind, !legs.is_empty()) {
            self.links.refer(*id, number);
        }
        self.facts.push(fact);
        self.places.add(number, &self.facts);
        touched.facts.push(number);
        if outcome == Outcome::Conflicting {
            self.contest_versions(issuer, outline.id, &mut touched);
        }
        if let Some((place, _)) = &reference
            && target.is_none()
        {
            self.awaited.entry(*place).or_default().push(number);
        }
        if let Some(event) = &event {
            self.file_more(number, event, &mut touched);
        }
        self.resolve_awaited(number, &mut touched);
        touched
    }

    /// The digest of an event, its reference to a place replaced by what stands there.
    fn digest_of(
        &self,
        issuer: &str,
        event: &[u8],
        without_reference: Option<&[u8]>,
        target: Option<u32>,
    ) -> [u8; 32] {
        match without_reference {
            None => digest::of_fact(issuer, event, None),
            Some(without) => {
                let named = target.map_or(("", ""), |target| {
                    (self.issuer_of(target), self.event_id_of(target))
                });
                digest::of_fact(issuer, without, Some(named))
            }
        }
    }

    /// Takes in a report of a fact that is known.
    fn repeat(&mut self, known: u32, applied: &AppliedEvent<'_>, feed: u32, touched: &mut Touched) {
        self.places.repeat(applied.place, known);
        self.links.report_again(known, feed, applied.place);
        if let Some(fact) = self.facts.get_mut(known as usize) {
            fact.repeats += 1;
            fact.issued_at = fact.issued_at.min(applied.issued_at.as_nanos());
        }
        // Where else it was said decides what it precedes.
        touched.facts.push(known);
    }

    /// Links those that referred to the place of a new fact before it was there.
    fn resolve_awaited(&mut self, number: u32, touched: &mut Touched) {
        let place = self.fact(number).place;
        for waiting in self.awaited.remove(&place).unwrap_or_default() {
            let Ok(event) = v1::Event::decode(&*self.fact(waiting).encoded) else {
                continue;
            };
            let without = fact::without_reference(&event).map(|(_, without)| without);
            let issuer = self.issuer_of(waiting).to_owned();
            let digest = self.digest_of(&issuer, &[], without.as_deref(), Some(number));
            if let Some(fact) = self.facts.get_mut(waiting as usize) {
                fact.target = Some(number);
                fact.digest = digest;
            }
            self.link(waiting, &event, touched);
            touched.facts.push(waiting);
        }
    }

    /// Files what a new fact says beyond its reading.
    fn file_more(&mut self, number: u32, event: &v1::Event, touched: &mut Touched) {
        for seal in &event.sealed {
            if let Ok(digest) = seal.digest.as_slice().try_into() {
                self.seals.entry(digest).or_default().push(number);
            }
        }
        self.link(number, event, touched);
        let Fact {
            kind,
            issuer,
            by_authority,
            ..
        } = *self.fact(number);
        touched.everywhere |=
            self.directory
                .apply(&mut self.symbols, kind, number, issuer, by_authority, event);
    }

    /// Files what a fact corrects, voids or vouches for.
    fn link(&mut self, number: u32, event: &v1::Event, touched: &mut Touched) {
        let issuer = self.fact(number).issuer;
        // Only the issuer himself amends his events.
        let own_target = self
            .fact(number)
            .target
            .filter(|target| self.fact(*target).issuer == issuer);
        match &event.kind {
            Some(Kind::Certified(_)) => {
                if let Some(target) = self.fact(number).target {
                    self.links.vouch(target, number);
                    touched.facts.extend(self.fact(target).target);
                }
            }
            Some(Kind::Corrected(corrected)) => {
                if let Some(target) = own_target {
                    self.amend(target, number, touched);
                }
                for id in &corrected.corrective_ids {
                    self.links.announce(issuer, id, number);
                    self.contest_versions(issuer, id, touched);
                }
            }
            Some(Kind::Voided(_)) => {
                if let Some(target) = own_target {
                    self.amend(target, number, touched);
                }
            }
            _ => {}
        }
    }

    fn amend(&mut self, target: u32, amendment: u32, touched: &mut Touched) {
        self.links.amend(target, amendment);
        if let Some(fact) = self.facts.get_mut(target as usize) {
            fact.contested = true;
        }
        touched.facts.push(target);
    }

    /// Marks every version of an event: which of them counts has to be decided.
    fn contest_versions(&mut self, issuer: Symbol, id: &str, touched: &mut Touched) {
        for number in self.versions(issuer, id) {
            if let Some(fact) = self.facts.get_mut(number as usize) {
                fact.contested = true;
            }
            touched.facts.push(number);
        }
    }

    fn feed_number(&mut self, feed: FeedId) -> u32 {
        let next = u32::try_from(self.feeds.len()).expect("fewer than four billion feeds fit in memory");
        *self.feed_numbers.entry(feed).or_insert_with(|| {
            self.feeds.push(feed);
            next
        })
    }

    /// Reads a new event; `event` is the same, decoded, if it has seals.
    fn read(&mut self, outline: &Outline<'_>, event: Option<&v1::Event>) -> Reading {
        let sealed = event.map_or(&[][..], |event| &event.sealed);
        match event.and_then(|event| self.opened(event)) {
            Some(opened) => self.read_decoded(&opened),
            None => {
                Reader::new(&mut self.symbols, &mut self.room, outline.kind, sealed).read(outline.content)
            }
        }
    }

    fn read_decoded(&mut self, event: &v1::Event) -> Reading {
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

    /// Takes in an opening, before or after the event that it opens. Returns the facts of which it opens a
    /// field; an opening that fits no seal is kept for later and reveals nothing.
    ///
    /// An opening authenticates itself: it belongs where its digest stands.
    pub(super) fn open(&mut self, opening: Opening) -> Vec<u32> {
        if opening.path.len() > usize::from(u16::MAX) {
            return Vec::new();
        }
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
        }
        facts
    }

    /// How many events were applied, repeated reports included.
    pub(super) const fn applied(&self) -> u64 {
        self.applied
    }

    /// Every fact, in order of arrival.
    pub(super) fn facts(&self) -> &[Fact] {
        &self.facts
    }

    /// Digest of the facts and of their order within each feed.
    pub(super) fn fact_digest(&self) -> Hash {
        let facts = self.facts.iter().map(|fact| fact.digest).collect();
        let mut feeds: BTreeMap<FeedId, Vec<(EventPlace, [u8; 32])>> = BTreeMap::new();
        // Acts take effect in the order of their approvals, and no conclusion asks in which they were proposed.
        let said = (0..).zip(&self.facts).filter(|(_, fact)| !fact.by_authority);
        for (number, fact) in said {
            for (feed, place) in self.reports(number) {
                if let Some(feed) = self.feeds.get(feed as usize) {
                    feeds.entry(*feed).or_default().push((place, fact.digest));
                }
            }
        }
        let feeds = feeds.into_iter().map(|(feed, mut said)| {
            said.sort_unstable();
            (feed, said.into_iter().map(|(_, digest)| digest).collect())
        });
        Hash::new(digest::of_facts(facts, feeds))
    }

    /// Digest of the state, positions included.
    pub(super) fn state_digest(&self) -> Hash {
        let facts = self.fact_digest();
        Hash::new(digest::of_state(self.applied, &self.step, facts.as_bytes()))
    }

    /// The fact at a place of the log: the event that stands there, or the one that it repeats.
    pub(super) fn at_place(&self, place: EventPlace) -> Option<u32> {
        self.places.find(place, &self.facts)
    }

    /// A fact by its number.
    ///
    /// # Panics
    /// If the number is not one of this filing's, which all come from here.
    pub(super) fn fact(&self, number: u32) -> &Fact {
        &self.facts[number as usize]
    }

    pub(super) fn leg(&self, touch: Touch) -> &Leg {
        &self.fact(touch.fact).reading.legs[touch.leg as usize]
    }

    /// The key under which a fact was signed.
    pub(super) fn feed_of(&self, number: u32) -> Option<&FeedId> {
        self.feeds.get(self.fact(number).feed as usize)
    }

    pub(super) fn issuer_of(&self, number: u32) -> &str {
        self.symbols.name(self.fact(number).issuer)
    }

    pub(super) fn event_id_of(&self, number: u32) -> &str {
        self.fact(number).id()
    }

    pub(super) fn key_of(&self, number: u32) -> FactKey {
        FactKey {
            issuer: self.issuer_of(number).to_owned(),
            event_id: self.event_id_of(number).to_owned(),
        }
    }

    /// The facts under one identity, in order of arrival.
    pub(super) fn versions(&self, issuer: Symbol, id: &str) -> Vec<u32> {
        self.identities
            .first((issuer, id), &self.facts)
            .map_or_else(Vec::new, |first| self.identities.variants(first).collect())
    }

    /// Where a fact was said first in each feed that said it.
    pub(super) fn reports(&self, number: u32) -> impl Iterator<Item = (u32, EventPlace)> + '_ {
        let fact = self.fact(number);
        let own = std::iter::once((fact.feed, fact.place));
        own.chain(
            self.links
                .reports_of(number)
                .filter(|(feed, _)| *feed != fact.feed),
        )
    }

    /// Whether some feed said `first` before `second`. False if no feed said both.
    pub(super) fn precedes_in_feed(&self, first: u32, second: u32) -> bool {
        self.reports(first).any(|(feed, place)| {
            self.reports(second)
                .any(|(other, later)| other == feed && place < later)
        })
    }

    /// The event of a fact as data: opened fields filled in, serial lists left out.
    pub(super) fn event_of(&self, number: u32) -> Option<v1::Event> {
        let event = v1::Event::decode(&*self.fact(number).encoded).ok()?;
        Some(self.opened(&event).unwrap_or(event))
    }

    pub(super) fn name(&self, key: LotKey) -> String {
        span::name(&self.symbols, key)
    }

    /// The text of a symbol, if there is one.
    pub(super) fn text(&self, symbol: Symbol) -> Option<String> {
        symbol.is_some().then(|| self.symbols.name(symbol).to_owned())
    }

    /// The key of an identifier that some fact touches.
    pub(super) fn known(&self, lot: &str) -> Option<LotKey> {
        let key = span::find(&self.symbols, lot)?;
        (!self.tracks.of(key).is_empty()).then_some(key)
    }

    /// Order of facts wherever one is needed: event time, then (issuer, event id), then content. Never
    /// arrival.
    pub(super) fn order(&self, number: u32) -> (i64, &str, &str, &[u8; 32]) {
        let fact = self.fact(number);
        (
            fact.event_time,
            self.symbols.name(fact.issuer),
            fact.id(),
            &fact.digest,
        )
    }

    /// Compares two facts by [`Self::order`].
    pub(super) fn compare(&self, one: u32, other: u32) -> Ordering {
        if one == other {
            return Ordering::Equal;
        }
        let times = |number| self.fact(number).event_time;
        times(one)
            .cmp(&times(other))
            .then_with(|| self.order(one).cmp(&self.order(other)))
    }

    /// The first leg of a fact in a role.
    pub(super) fn leg_in(&self, fact: u32, role: fact::Role) -> Option<&Leg> {
        self.fact(fact).reading.legs.iter().find(|leg| leg.role == role)
    }
}

/// Legs as they were, with what the new reading says of those that are not from serial lists.
fn merge_legs(old: &[Leg], new: &[Leg], mut serials: impl Iterator<Item = Leg>) -> Box<[Leg]> {
    let mut fresh = new.iter().copied();
    old.iter()
        .filter_map(|leg| if leg.serial { serials.next() } else { fresh.next() })
        .collect()
}

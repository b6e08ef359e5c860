//! The register: what the governance entries add up to, as far as admission reads it.
//!
//! Every event on an authority key's feed but an approval is an *act*. Its signer counts as its first
//! approval; it takes effect once, at the index where the m-th distinct authority key stands behind it, for
//! the very next statement. Later approvals change nothing. An act that cannot take effect then (a key for a
//! party that is not enrolled, say) has none, and stays visible in the log. A change of the authority looks at
//! everything that still waits: what has enough keys behind it under the new set takes effect right then, in
//! the order of the log.
//!
//! What is known of a key only ever gets worse: its last sequence falls, its taint reaches further back, closed
//! stays closed. Spec: `proto/README.md`, "Authority".

mod codec;

use std::collections::{BTreeMap, BTreeSet};

use prost::Message as _;

use crate::{
    event::CheckedEvent,
    id::{FeedId, FeedSequence, LeafIndex},
    log::checkpoint::Origin,
    wire::{
        self, shape,
        v1::{self, event::Kind},
    },
};

/// What a genesis has to be and is not.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum GenesisError {
    /// Its purpose is not one of production, demo, test, sandbox.
    #[error("the genesis states no purpose")]
    Purpose,
    /// An origin that cannot be the name of a note's key: no checkpoint could ever be signed.
    #[error("the origin cannot be the name of a key")]
    Origin,
    /// Authority keys not ascending and distinct, none, or too many.
    #[error("expected 1 to 16 distinct authority keys in ascending order")]
    Keys,
    /// A threshold no set of the keys reaches, or none.
    #[error("threshold {threshold} is not possible with {keys} keys")]
    Threshold {
        /// As given.
        threshold: u32,
        /// How many keys there are.
        keys: usize,
    },
    /// Rules that this library does not know.
    #[error("rules version {0} is not known")]
    RulesVersion(u32),
    /// A limit beyond what the format allows, or zero.
    #[error("parameter {0} is out of range")]
    Parameter(&'static str),
}

/// Where an event stands: its entry, and its zero-based number in the statement.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EventPlace {
    /// The entry.
    pub leaf_index: LeafIndex,
    /// Zero-based.
    pub event_number: u32,
}

impl EventPlace {
    /// From the wire's way of naming an event.
    pub fn from_wire(reference: &v1::EventReference) -> Self {
        Self {
            leaf_index: LeafIndex::new(reference.leaf_index),
            event_number: reference.event_number,
        }
    }
}

/// An enrolled key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyRecord {
    /// The party it speaks for.
    pub party: String,
    /// Whether it is one of the authority's.
    pub authority: bool,
    /// The last sequence that is still admissible, once the key was rotated or retired.
    pub last_sequence: Option<FeedSequence>,
    /// Closed outright: the feed was closed, the key compromised, or it left the authority.
    pub closed: bool,
    /// Entries of the key, and evidence against it, recorded from this time on are tainted (nanoseconds since
    /// the epoch).
    pub compromised_since: Option<i64>,
}

impl KeyRecord {
    /// A key just enrolled, of which nothing bad is known.
    const fn of_party(party: String) -> Self {
        Self {
            party,
            authority: false,
            last_sequence: None,
            closed: false,
            compromised_since: None,
        }
    }

    /// Whether a statement at `sequence` can still take its place.
    pub fn admits(&self, sequence: FeedSequence) -> bool {
        !self.closed && self.last_sequence.is_none_or(|last| sequence <= last)
    }
}

/// An act, from its proposal on.
#[derive(Clone, Debug, PartialEq)]
struct Act {
    event: v1::Event,
    approvals: BTreeSet<FeedId>,
    effective: bool,
}

/// The version of the rules that this code applies, and the only one: it stands in the genesis and in
/// `parameters_changed`. Spec: `proto/README.md`, "Versions and evolution".
pub const RULES_VERSION: u32 = 2;

/// Parties, keys, facilities, authority and parameters at one position of the log.
#[derive(Clone, Debug, PartialEq)]
pub struct Register {
    purpose: v1::Purpose,
    authority: String,
    threshold: usize,
    log_keys: BTreeSet<FeedId>,
    parameters: v1::Parameters,
    parties: BTreeMap<String, v1::PartyEnrolled>,
    facilities: BTreeMap<String, v1::FacilityRegistered>,
    keys: BTreeMap<FeedId, KeyRecord>,
    acts: BTreeMap<EventPlace, Act>,
}

impl Register {
    /// The register right after entry 0.
    ///
    /// # Errors
    /// [`GenesisError`] if the genesis contradicts itself.
    pub fn from_genesis(genesis: &v1::Genesis) -> Result<Self, GenesisError> {
        let purpose = genesis.purpose();
        if purpose == v1::Purpose::Unspecified {
            return Err(GenesisError::Purpose);
        }
        if genesis.rules_version != RULES_VERSION {
            return Err(GenesisError::RulesVersion(genesis.rules_version));
        }
        Origin::new(&genesis.origin).map_err(|_| GenesisError::Origin)?;
        let keys = key_set(&genesis.authority_keys).ok_or(GenesisError::Keys)?;
        let threshold = usize::try_from(genesis.threshold).unwrap_or(usize::MAX);
        if threshold == 0 || threshold > keys.len() {
            return Err(GenesisError::Threshold {
                threshold: genesis.threshold,
                keys: keys.len(),
            });
        }
        let parameters = genesis.parameters.unwrap_or_default();
        check_parameters(&parameters)?;
        let mut register = Self {
            purpose,
            authority: genesis.authority.clone(),
            threshold,
            log_keys: FeedId::from_slice(&genesis.log_key).into_iter().collect(),
            parameters,
            parties: BTreeMap::new(),
            facilities: BTreeMap::new(),
            keys: BTreeMap::new(),
            acts: BTreeMap::new(),
        };
        for key in keys {
            register.keys.insert(key, register.authority_key());
        }
        Ok(register)
    }

    fn authority_key(&self) -> KeyRecord {
        KeyRecord {
            authority: true,
            ..KeyRecord::of_party(self.authority.clone())
        }
    }

    /// What the ledger is for. Fixtures are taken by demo, test and sandbox ledgers alone.
    pub const fn purpose(&self) -> v1::Purpose {
        self.purpose
    }

    /// Parameters in force.
    pub const fn parameters(&self) -> &v1::Parameters {
        &self.parameters
    }

    /// The record of an enrolled key.
    pub fn key(&self, feed: FeedId) -> Option<&KeyRecord> {
        self.keys.get(&feed)
    }

    /// Every key ever enrolled, ascending.
    pub fn keys(&self) -> impl Iterator<Item = (FeedId, &KeyRecord)> {
        self.keys.iter().map(|(feed, record)| (*feed, record))
    }

    /// Keys that sign checkpoints and answers.
    pub const fn log_keys(&self) -> &BTreeSet<FeedId> {
        &self.log_keys
    }

    /// An enrolled party.
    pub fn party(&self, party: &str) -> Option<&v1::PartyEnrolled> {
        self.parties.get(party)
    }

    /// A registered facility.
    pub fn facility(&self, facility: &str) -> Option<&v1::FacilityRegistered> {
        self.facilities.get(facility)
    }

    /// Whether an act was proposed there.
    pub fn has_act(&self, place: EventPlace) -> bool {
        self.acts.contains_key(&place)
    }

    /// Acts that wait for approvals, with how many distinct keys stand behind each, in log order.
    pub fn pending_acts(&self) -> impl Iterator<Item = (EventPlace, &v1::Event, usize)> {
        let pending = self.acts.iter().filter(|(_, act)| !act.effective);
        pending.map(|(place, act)| (*place, &act.event, self.standing(act)))
    }

    /// Takes an admitted event of an authority key's feed and returns the acts that take effect with it.
    pub fn take(
        &mut self,
        place: EventPlace,
        feed: FeedId,
        event: &CheckedEvent,
    ) -> Vec<(EventPlace, v1::Event)> {
        let event = event.decode();
        let place = if let Some(Kind::ActApproved(approved)) = &event.kind {
            let place = EventPlace::from_wire(&approved.act.unwrap_or_default());
            if let Some(act) = self.acts.get_mut(&place) {
                act.approvals.insert(feed);
            }
            place
        } else {
            let approvals = BTreeSet::from([feed]);
            self.acts.insert(
                place,
                Act {
                    event,
                    approvals,
                    effective: false,
                },
            );
            place
        };
        let mut effective = Vec::new();
        let mut reconsider = false;
        let mut next = self.is_ready(place).then_some(place);
        while let Some(place) = next {
            let Some(act) = self.acts.get_mut(&place) else {
                break;
            };
            act.effective = true;
            let event = std::mem::take(&mut act.event);
            let changes_authority = matches!(event.kind, Some(Kind::AuthorityChanged(_)));
            let took_effect = self.effect(&event);
            if took_effect {
                effective.push((place, event));
            }
            reconsider |= took_effect && changes_authority;
            // Others may have waited for just this; an approval alone makes no other act ready.
            next = reconsider.then(|| self.first_ready()).flatten();
        }
        effective
    }

    /// Whether an act has enough keys behind it and has not been ready before.
    fn is_ready(&self, place: EventPlace) -> bool {
        let act = self.acts.get(&place);
        act.is_some_and(|act| !act.effective && self.standing(act) >= self.threshold)
    }

    /// The first act in log order that is ready.
    fn first_ready(&self) -> Option<EventPlace> {
        let mut places = self.acts.keys().copied();
        places.find(|place| self.is_ready(*place))
    }

    /// Distinct keys of today's authority behind an act.
    fn standing(&self, act: &Act) -> usize {
        let current = |feed: &&FeedId| {
            self.keys
                .get(*feed)
                .is_some_and(|key| key.authority && !key.closed)
        };
        act.approvals.iter().filter(current).count()
    }

    /// Carries an approved act out; whether it could take effect.
    fn effect(&mut self, event: &v1::Event) -> bool {
        let feed = |bytes: &[u8]| FeedId::from_slice(bytes);
        let Some(kind) = &event.kind else { return false };
        match kind {
            Kind::PartyEnrolled(party) => {
                self.parties.insert(party.party.clone(), party.clone());
            }
            Kind::FacilityRegistered(facility) => {
                self.facilities
                    .insert(facility.facility.clone(), facility.clone());
            }
            Kind::KeyAuthorised(act) => {
                let Some(key) = feed(&act.key) else { return false };
                if self.keys.contains_key(&key) || !self.parties.contains_key(&act.party) {
                    return false;
                }
                self.keys.insert(key, KeyRecord::of_party(act.party.clone()));
            }
            Kind::KeyRotated(act) => {
                let (Some(key), Some(successor)) = (feed(&act.key), feed(&act.successor)) else {
                    return false;
                };
                let Some(party) = self.open_party_key(key).map(|record| record.party.clone()) else {
                    return false;
                };
                if self.keys.contains_key(&successor) || !self.end_feed(key, act.last_sequence) {
                    return false;
                }
                self.keys.insert(successor, KeyRecord::of_party(party));
            }
            Kind::KeyRetired(act) => {
                return feed(&act.key).is_some_and(|key| self.end_feed(key, act.last_sequence));
            }
            Kind::KeyCompromised(act) => {
                return feed(&act.key).is_some_and(|key| self.compromise(key, act.since));
            }
            Kind::FeedClosed(act) => {
                let Some(record) = feed(&act.key).and_then(|key| self.open_party_key(key)) else {
                    return false;
                };
                record.closed = true;
            }
            Kind::ParametersChanged(act) => {
                let Some(parameters) = parse_parameters(&act.parameters) else {
                    return false;
                };
                if act.rules_version != RULES_VERSION {
                    return false;
                }
                self.parameters = parameters;
            }
            Kind::LogKeyAdded(act) => return feed(&act.key).is_some_and(|key| self.log_keys.insert(key)),
            Kind::LogKeyRetired(act) => {
                let Some(key) = feed(&act.key) else { return false };
                return self.log_keys.len() > 1 && self.log_keys.remove(&key);
            }
            Kind::AuthorityChanged(act) => return self.change_authority(act),
            // The rest is read by projectors; admission has no use for it.
            _ => {}
        }
        true
    }

    fn open_party_key(&mut self, key: FeedId) -> Option<&mut KeyRecord> {
        self.keys
            .get_mut(&key)
            .filter(|record| !record.authority && !record.closed)
    }

    /// Sets the last sequence that a key may still use, unless that would give it back what it has lost.
    fn end_feed(&mut self, key: FeedId, last_sequence: u64) -> bool {
        let last_sequence = FeedSequence::new(last_sequence);
        let Some(record) = self.open_party_key(key) else {
            return false;
        };
        if record.last_sequence.is_some_and(|before| before < last_sequence) {
            return false;
        }
        record.last_sequence = Some(last_sequence);
        true
    }

    /// Closes any key ever enrolled and taints what it said from `since` on.
    ///
    /// A compromise is often found long after the key was retired, so a closed key can be compromised too, and
    /// found later to have been so for longer. An authority key stays while the others would be too few to make
    /// an act: nothing could ever be put right again. Change the authority first, then; that closes the key, and
    /// the taint can follow.
    fn compromise(&mut self, key: FeedId, since: i64) -> bool {
        let open = self
            .keys
            .values()
            .filter(|record| record.authority && !record.closed)
            .count();
        let threshold = self.threshold;
        let Some(record) = self.keys.get_mut(&key) else {
            return false;
        };
        let is_needed = record.authority && !record.closed && open <= threshold;
        if is_needed || record.compromised_since.is_some_and(|before| before <= since) {
            return false;
        }
        record.closed = true;
        record.compromised_since = Some(since);
        true
    }

    fn change_authority(&mut self, act: &v1::AuthorityChanged) -> bool {
        let Some(keys) = key_set(&act.keys) else {
            return false;
        };
        let threshold = usize::try_from(act.threshold).unwrap_or(usize::MAX);
        let taken = |key: &FeedId| {
            self.keys
                .get(key)
                .is_some_and(|record| !record.authority || record.closed)
        };
        if threshold == 0 || threshold > keys.len() || keys.iter().any(taken) {
            return false;
        }
        for (key, record) in &mut self.keys {
            record.closed |= record.authority && !keys.contains(key);
        }
        for key in keys {
            let fresh = self.authority_key();
            self.keys.entry(key).or_insert(fresh);
        }
        self.threshold = threshold;
        true
    }
}

/// 1 to 16 distinct keys in ascending order, or nothing.
fn key_set(keys: &[Vec<u8>]) -> Option<BTreeSet<FeedId>> {
    let ascending = keys.is_sorted_by(|a, b| a < b);
    ((1..=16).contains(&keys.len()) && ascending)
        .then(|| {
            keys.iter()
                .map(|key| FeedId::from_slice(key))
                .collect::<Option<_>>()
        })
        .flatten()
}

fn check_parameters(parameters: &v1::Parameters) -> Result<(), GenesisError> {
    let within = |name, value: u32, max: usize| match usize::try_from(value) {
        Ok(value) if value >= 1 && value <= max => Ok(()),
        _ => Err(GenesisError::Parameter(name)),
    };
    within(
        "statement_len_max",
        parameters.statement_len_max,
        wire::STATEMENT_LEN_MAX,
    )?;
    within(
        "statement_events_max",
        parameters.statement_events_max,
        wire::STATEMENT_EVENTS_MAX,
    )?;
    within(
        "event_parts_max",
        parameters.event_parts_max,
        wire::EVENT_PARTS_MAX as usize,
    )
}

/// The parameters that an act carries, if they are canonical and in range.
pub fn parse_parameters(bytes: &[u8]) -> Option<v1::Parameters> {
    shape::check(&shape::PARAMETERS, bytes, &mut |_| {}).ok()?;
    let parameters = v1::Parameters::decode(bytes).ok()?;
    check_parameters(&parameters).ok().map(|()| parameters)
}

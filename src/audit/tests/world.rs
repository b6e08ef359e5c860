//! A ledger in memory that goes through decide and take like any, and its static files.

use std::collections::BTreeMap;

use bytes::Bytes;
use prost::Message as _;

use super::super::{damage::write_log, source::MemoryCopy, *};
use crate::{
    admission::{LedgerState, NoPlace, Prepared, genesis_entry},
    entry::{Body, Entry},
    id::{FeedSequence, LeafIndex},
    log::{Checkpoint, Frontier, LogHead, leaf_hash, note::NoteSigner},
    publish::FeedSigner,
    signature::SigningKey,
    time::{IssuedAt, RecordedAt},
    wire::v1::{self, event::Kind, ledger_record::Record},
};

pub(crate) const NOW: i64 = 1_770_000_000_000_000_000;
const ORIGIN: &str = "ledger.example/audited";
const AUTHORITY: &str = "https://authority.example/";
const PLANT: &str = "https://id.gs1.org/414/9521230010016";
pub(crate) const ALICE: &str = "https://id.gs1.org/417/9521230100106";
const BOB: &str = "https://id.gs1.org/417/9521230200103";
const LOG_SEED: [u8; 32] = [200; 32];

/// How many entries the enrolments take, the genesis included.
pub(crate) const ENROLLED: u64 = 3;

pub(crate) struct World {
    pub(crate) state: LedgerState,
    pub(crate) entries: Vec<Bytes>,
    pub(crate) clock: i64,
    number: u64,
    /// Bob's second key.
    third: u8,
}

pub(crate) fn nth(place: u64) -> usize {
    usize::try_from(place).unwrap()
}

pub(crate) fn key(seed: u8) -> SigningKey {
    SigningKey::from_seed(&[seed; 32])
}

fn authority_keys() -> Vec<SigningKey> {
    let mut keys: Vec<_> = [201, 202].map(key).into();
    keys.sort_by_key(SigningKey::feed);
    keys
}

fn bytes_of(seed: u8) -> Vec<u8> {
    key(seed).feed().as_bytes().to_vec()
}

pub(crate) fn event(id: &str, kind: Kind) -> v1::Event {
    v1::Event {
        id: id.into(),
        event_time: NOW,
        kind: Some(kind),
        ..Default::default()
    }
}

fn party(party: &str) -> Kind {
    let (party, legal_name) = (party.into(), "Maker".into());
    Kind::PartyEnrolled(v1::PartyEnrolled {
        party,
        legal_name,
        ..Default::default()
    })
}

fn authorise(party: &str, seed: u8) -> Kind {
    let key = bytes_of(seed);
    Kind::KeyAuthorised(v1::KeyAuthorised {
        party: party.into(),
        key,
        replaces: Vec::new(),
    })
}

pub(crate) fn commission(serial: u64) -> Kind {
    let lot = format!("https://id.gs1.org/01/09521231100013/10/A{serial}");
    let quantity = Some(v1::Quantity {
        value: "1200".into(),
        unit: "KGM".into(),
    });
    let items = vec![v1::Item {
        lot,
        quantity,
        ..Default::default()
    }];
    Kind::Commissioned(v1::Commissioned {
        facility: PLANT.into(),
        items,
        ..Default::default()
    })
}

pub(crate) fn slice(number: u32, count: u32) -> v1::Event {
    let prefix = "https://id.gs1.org/01/09521231100013/21/".into();
    let serials = vec![v1::SerialRun {
        prefix,
        suffixes: vec![format!("S{number}")],
    }];
    let part = Some(v1::Part { number, count });
    let kind = Kind::Commissioned(v1::Commissioned {
        serials,
        ..Default::default()
    });
    v1::Event {
        part,
        ..event("long", kind)
    }
}

impl World {
    /// Entry 0, and the two that enrol Alice under key 1 and Bob under keys 2 and 3.
    pub(crate) fn new() -> Self {
        let genesis = v1::Genesis {
            origin: ORIGIN.into(),
            purpose: v1::Purpose::Test.into(),
            authority: AUTHORITY.into(),
            authority_keys: authority_keys()
                .iter()
                .map(|key| key.feed().as_bytes().to_vec())
                .collect(),
            threshold: 2,
            log_key: SigningKey::from_seed(&LOG_SEED).feed().as_bytes().to_vec(),
            rules_version: crate::register::RULES_VERSION,
            parameters: Some(v1::Parameters {
                clock_skew_ms: 1_000,
                clock_jump_ms_max: 60_000,
                statement_len_max: 64_000,
                statement_events_max: 256,
                event_parts_max: 4_096,
                index_interval: 0,
            }),
            follows: None,
        };
        let entry = genesis_entry(genesis, RecordedAt::from_nanos(NOW)).unwrap();
        let state = LedgerState::from_genesis(&entry).unwrap();
        Self {
            state,
            entries: vec![entry],
            clock: NOW,
            number: 0,
            third: 3,
        }
    }

    pub(crate) fn of(size: u64) -> Self {
        let mut world = Self::new();
        world.grow_to(size);
        world
    }

    /// With something of everything that an honest log can have.
    pub(crate) fn eventful() -> Self {
        let mut world = Self::of(20);
        world.say(
            ALICE,
            1,
            &[event("ahead", commission(1))],
            IssuedAt::from_nanos(NOW + 3_600_000_000_000),
        );
        world.tell(ALICE, 1, &[event("u", party(BOB))]);
        world.tell(BOB, 1, &[event("w", commission(3))]);
        world.tell(ALICE, 1, &[slice(1, 3)]);
        world.tell(BOB, 2, &[event("m", commission(4)), event("n", commission(5))]);
        world.tell(ALICE, 1, &[slice(2, 3), slice(3, 3)]);
        world.tell(ALICE, 1, &[slice(3, 3)]);
        world.record(Record::ClockAccepted(v1::ClockAccepted {
            clock: NOW,
            reason: "leap".into(),
        }));
        let reseeded = world.reseeding(world.entries.len() as u64, None);
        world.record_entry(&reseeded);
        world.equivocate(2);
        let last_sequence = world.last(3) + 1;
        let rotated = v1::KeyRotated {
            key: bytes_of(3),
            successor: bytes_of(4),
            last_sequence,
        };
        world.act(&[event("r", Kind::KeyRotated(rotated))]);
        world.tell(BOB, 3, &[event("last", commission(6))]);
        world.tell(BOB, 4, &[event("first", commission(7))]);
        world.third = 4;
        world.grow_to(300);
        world
    }

    pub(crate) fn grow_to(&mut self, size: u64) {
        while (self.entries.len() as u64) < size {
            match self.entries.len() as u64 {
                1 => self.propose(&enrolments()),
                2 => self.approve(LeafIndex::new(1), enrolments().len()),
                _ => {
                    self.number += 1;
                    let (issuer, seed) = [(ALICE, 1), (BOB, 2), (BOB, self.third)][nth(self.number % 3)];
                    let event = event(&format!("event-{}", self.number), commission(self.number));
                    self.tell(issuer, seed, &[event]);
                }
            }
        }
    }

    /// Says something that the same world says otherwise.
    pub(crate) fn another_way(&mut self) {
        self.tell(ALICE, 1, &[event("another", commission(0))]);
    }

    fn last(&self, seed: u8) -> u64 {
        self.state
            .feed(key(seed).feed())
            .map_or(0, |feed| feed.last().get())
    }

    pub(crate) fn signer(&self, issuer: &str, key: SigningKey) -> FeedSigner {
        let feed = self.state.feed(key.feed());
        let (last, hash) = feed.map_or((FeedSequence::NONE, Hash::ZERO), |feed| {
            (feed.last(), feed.last_hash())
        });
        FeedSigner::new(key, self.state.log_id(), issuer.into(), last, hash)
    }

    fn propose(&mut self, acts: &[v1::Event]) {
        let key = authority_keys().remove(0);
        let envelope = self
            .signer(AUTHORITY, key)
            .sign(IssuedAt::from_nanos(self.clock), &encode(acts))
            .envelope;
        self.submit(envelope).unwrap();
    }

    fn approve(&mut self, index: LeafIndex, count: usize) {
        let approval = |number: usize| {
            let act = v1::EventReference {
                leaf_index: index.get(),
                event_number: u32::try_from(number).unwrap(),
            };
            event(
                &format!("ok-{index}-{number}"),
                Kind::ActApproved(v1::ActApproved { act: Some(act) }),
            )
        };
        let approvals: Vec<_> = (0..count).map(approval).collect();
        let key = authority_keys().remove(1);
        let signed = self
            .signer(AUTHORITY, key)
            .sign(IssuedAt::from_nanos(self.clock), &encode(&approvals));
        self.submit(signed.envelope).unwrap();
    }

    /// Acts that take effect, in two entries.
    pub(crate) fn act(&mut self, acts: &[v1::Event]) {
        let index = self.state.size().next_index();
        self.propose(acts);
        self.approve(index, acts.len());
    }

    /// An act, and its approval by its own proposer so many times.
    pub(crate) fn approve_alone(&mut self, act: &v1::Event, times: usize) {
        let index = self.state.size().next_index().get();
        self.propose(std::slice::from_ref(act));
        let act = v1::EventReference {
            leaf_index: index,
            event_number: 0,
        };
        for time in 0..times {
            let approval = Kind::ActApproved(v1::ActApproved { act: Some(act) });
            self.propose(&[event(&format!("alone-{time}"), approval)]);
        }
    }

    pub(crate) fn tell(&mut self, issuer: &str, seed: u8, events: &[v1::Event]) -> LeafIndex {
        self.say(issuer, seed, events, IssuedAt::from_nanos(self.clock))
    }

    fn say(&mut self, issuer: &str, seed: u8, events: &[v1::Event], issued_at: IssuedAt) -> LeafIndex {
        let index = self.state.size().next_index();
        let envelope = self
            .signer(issuer, key(seed))
            .sign(issued_at, &encode(events))
            .envelope;
        self.submit(envelope).unwrap();
        index
    }

    pub(crate) fn submit(&mut self, envelope: Bytes) -> Result<(), NoPlace> {
        let recorded_at = self.tick();
        let decided = self.state.decide(Prepared::from_bytes(envelope)?, recorded_at)?;
        self.entries.push(decided.to_entry().encode());
        self.state.take(&decided);
        Ok(())
    }

    pub(crate) fn tick(&mut self) -> RecordedAt {
        self.clock += 1_000;
        RecordedAt::from_nanos(self.clock)
    }

    /// A record of a reseeding with this size, and the root of the log so far unless another is given.
    pub(crate) fn reseeding(&mut self, size: u64, root: Option<Hash>) -> Entry {
        let mut frontier = Frontier::new();
        for entry in &self.entries {
            frontier.push(leaf_hash(entry));
        }
        let root = root.unwrap_or(frontier.head().root);
        Entry {
            recorded_at: self.tick(),
            body: Body::Record(Record::GuardReseeded(v1::GuardReseeded {
                size,
                root: root.as_bytes().to_vec(),
                reason: "a new bucket".into(),
            })),
        }
    }

    pub(crate) fn record(&mut self, record: Record) {
        let entry = Entry {
            recorded_at: self.tick(),
            body: Body::Record(record),
        };
        self.record_entry(&entry);
    }

    pub(crate) fn record_entry(&mut self, entry: &Entry) {
        self.state.take_own(entry).unwrap();
        self.entries.push(entry.encode());
    }

    /// Another statement of the key for the sequence of its last one, as evidence.
    pub(crate) fn evidence(&mut self, seed: u8) -> Entry {
        self.evidence_about(seed, self.last(seed))
    }

    /// Another statement of the key for a sequence, as evidence.
    pub(crate) fn evidence_about(&mut self, seed: u8, sequence: u64) -> Entry {
        let feed = self.state.feed(key(seed).feed()).unwrap();
        let before = FeedSequence::new(sequence - 1);
        let first = feed.row(FeedSequence::new(sequence)).unwrap().index;
        let hash = feed.row(before).map_or(Hash::ZERO, |row| row.hash);
        let mut signer = FeedSigner::new(key(seed), self.state.log_id(), BOB.into(), before, hash);
        let events = encode(&[event("second", commission(99))]);
        let envelope = signer.sign(IssuedAt::from_nanos(NOW), &events).envelope;
        Entry {
            recorded_at: self.tick(),
            body: Body::Evidence {
                first_index: first,
                envelope,
            },
        }
    }

    fn equivocate(&mut self, seed: u8) {
        let entry = self.evidence(seed);
        self.state.take_own(&entry).unwrap();
        self.entries.push(entry.encode());
    }

    /// An entry as no honest ledger would append it: the state is none the wiser.
    pub(crate) fn smuggle(&mut self, entry: &Entry) -> u64 {
        self.entries.push(entry.encode());
        self.entries.len() as u64 - 1
    }

    pub(crate) fn log_key(&self) -> NoteSigner {
        NoteSigner::from_seed(&self.state.genesis().origin, &LOG_SEED).unwrap()
    }

    pub(crate) fn trust(&self) -> TrustFile {
        let keys = vec![self.log_key().verifier_key().clone()];
        TrustFile::new(Origin::new(ORIGIN).unwrap(), self.state.log_id(), keys).unwrap()
    }

    pub(crate) fn sign(&self, head: LogHead) -> SignedCheckpoint {
        let checkpoint = Checkpoint {
            origin: Origin::new(ORIGIN).unwrap(),
            head,
        };
        checkpoint.sign(&[&self.log_key()]).unwrap()
    }

    pub(crate) fn checkpoint(&self) -> SignedCheckpoint {
        let bytes = self.copy().read(CHECKPOINT, usize::MAX).unwrap().unwrap();
        SignedCheckpoint::verify(bytes, self.trust().origin(), self.trust().log_keys()).unwrap()
    }

    pub(crate) fn copy(&self) -> MemoryCopy {
        let mut copy = MemoryCopy::new();
        write_log(&mut copy, &self.entries, |head| {
            Ok(self.sign(head).bytes().clone())
        })
        .unwrap();
        copy
    }

    pub(crate) fn audit(&self, copy: &MemoryCopy) -> Report {
        audit(copy, &self.trust(), &AuditOptions::default()).unwrap()
    }

    /// Sequences and places of a key's statements.
    pub(crate) fn places(&self, seed: u8) -> BTreeMap<u64, u64> {
        let feed = self.state.feed(key(seed).feed()).unwrap();
        (1..=feed.last().get())
            .map(|sequence| {
                (
                    sequence,
                    feed.row(FeedSequence::new(sequence)).unwrap().index.get(),
                )
            })
            .collect()
    }
}

fn enrolments() -> Vec<v1::Event> {
    let plant = v1::FacilityRegistered {
        facility: PLANT.into(),
        country: "KR".into(),
        operator: ALICE.into(),
        ..Default::default()
    };
    vec![
        event("e1", party(ALICE)),
        event("e2", party(BOB)),
        event("e3", authorise(ALICE, 1)),
        event("e4", authorise(BOB, 2)),
        event("e5", authorise(BOB, 3)),
        event("e6", Kind::FacilityRegistered(plant)),
    ]
}

pub(crate) fn encode(events: &[v1::Event]) -> Vec<Bytes> {
    events.iter().map(|event| event.encode_to_vec().into()).collect()
}

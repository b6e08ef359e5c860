//! A ledger without a bus: its folder, its store, and what the writer does between reading and sending.

use bytes::Bytes;
use lotproof::{
    admission::{Prepared, kept::Kept},
    audit::{AuditOptions, source::MemoryCopy},
    id::{FeedSequence, Hash, LeafIndex, TreeSize},
    log::{
        checkpoint::{Checkpoint, Origin},
        hash::leaf_hash,
    },
    port::EntryStore as _,
    publish::{FeedSigner, pack},
    sequencer::{Commit, Submission},
    shell::store::{Options, Reader, Store},
    signature::SigningKey,
    time::{IssuedAt, RecordedAt},
    wire::v1::{self, event::Kind},
};
use rayon::prelude::*;
use tempfile::TempDir;

use crate::{
    folder::{Folder, Identity, InitOptions, default_parameters, init},
    folding::{self, Opened},
    opening::Opening,
    outbound::Stopped,
    rebuild::{Rebuilt, rebuild},
    shared::Shared,
};

pub(crate) const NOW: i64 = 1_770_000_000_000_000_000;
const AUTHORITY: &str = "https://authority.example/";

pub(crate) struct World {
    pub(crate) folder: Folder,
    pub(crate) identity: Identity,
    pub(crate) store: Store,
    pub(crate) shared: Shared,
    kept: Kept<Reader>,
    pub(crate) started_from: TreeSize,
    clock: i64,
    temporary: TempDir,
}

impl World {
    pub(crate) fn new() -> Self {
        let temporary = tempfile::tempdir().unwrap();
        let folder = Folder::new(temporary.path());
        let options = InitOptions {
            origin: Origin::new("ledger.example/unit").unwrap(),
            purpose: v1::Purpose::Test,
            authority: AUTHORITY.into(),
            authority_keys: vec![Self::key(201).feed()],
            threshold: 1,
            parameters: default_parameters(),
            follows: None,
            created_at: RecordedAt::from_nanos(NOW),
        };
        let identity = init(&folder, &options).unwrap();
        let Opened {
            store,
            sequencer,
            kept,
            started_from,
        } = folding::open(&folder, &identity, &Opening::default()).unwrap();
        let shared = Shared::new(sequencer, store.reader());
        Self {
            folder,
            identity,
            store,
            shared,
            kept,
            started_from,
            clock: NOW,
            temporary,
        }
    }

    /// Keeps what was folded, as the writer does behind a commit, with a snapshot.
    pub(crate) fn keep(&mut self) {
        self.shared.let_go_of_rows().unwrap();
        let (head, content) = self
            .shared
            .look(|sequencer| Kept::<Reader>::snapshot(sequencer.state(), sequencer.frontier()));
        self.kept.keep_snapshot(head, &content).unwrap();
    }

    /// The same, when the writer would.
    pub(crate) fn keep_if_due(&mut self) {
        self.shared.let_go_of_rows().unwrap();
        if self.kept.snapshot_is_due(self.shared.published_size()) {
            self.keep();
        }
    }

    /// Every entry of the store.
    pub(crate) fn entries(&self) -> Vec<Bytes> {
        let size = usize::try_from(self.store.size().get()).unwrap();
        self.store.read(LeafIndex::GENESIS, size).unwrap()
    }

    /// Closes the store and opens it again.
    pub(crate) fn reopen(self) -> Self {
        self.closed().open()
    }

    /// Two ledgers with the same log so far, of which the second goes on under `seed`, and the first otherwise.
    pub(crate) fn forked(mut self, seed: u8, count: u64) -> (Self, Self) {
        let entries = self.entries();
        let (temporary, identity) = (tempfile::tempdir().unwrap(), self.identity.clone());
        let folder = Folder::new(temporary.path());
        for name in ["ledger.json", "log.key"] {
            std::fs::copy(self.folder.path().join(name), temporary.path().join(name)).unwrap();
        }
        let mut store = Store::open(&folder.store(), &Options::default()).unwrap();
        let entries: Vec<_> = entries
            .into_iter()
            .map(|entry| {
                let hash = leaf_hash(&entry);
                (entry, hash)
            })
            .collect();
        store.append(&entries).unwrap();
        store.close().unwrap();
        let closed = Closed {
            folder,
            identity,
            clock: self.clock + 77,
            temporary,
        };
        let mut other = closed.open();
        other.say(seed, count);
        self.say(seed, 1);
        (self, other)
    }

    /// Closes the store.
    pub(crate) fn closed(self) -> Closed {
        let Self {
            folder,
            identity,
            store,
            shared,
            kept,
            clock,
            temporary,
            ..
        } = self;
        store.close().unwrap();
        drop((shared, kept));
        Closed {
            folder,
            identity,
            clock,
            temporary,
        }
    }

    pub(crate) fn key(seed: u8) -> SigningKey {
        SigningKey::from_seed(&[seed; 32])
    }

    fn party(seed: u8) -> String {
        format!("https://party.example/{seed}")
    }

    pub(crate) fn signer(&self, seed: u8) -> FeedSigner {
        let key = Self::key(seed);
        let (last, hash) = self.shared.with_state(|state| {
            let feed = state.feed(key.feed());
            feed.map_or((FeedSequence::NONE, Hash::ZERO), |feed| {
                (feed.last(), feed.last_hash())
            })
        });
        let issuer = if seed == 201 {
            AUTHORITY.into()
        } else {
            Self::party(seed)
        };
        FeedSigner::new(key, self.identity.log_id, issuer, last, hash)
    }

    /// A batch as the writer handles it up to the store: decided, and durable.
    pub(crate) fn commit(&mut self, envelopes: Vec<Bytes>) -> Commit {
        self.clock += 1_000;
        let batch: Vec<_> = envelopes
            .into_par_iter()
            .map(|envelope| Submission {
                subject_feed: None,
                bytes: envelope.clone(),
                prepared: Prepared::from_bytes(envelope),
            })
            .collect();
        let at = RecordedAt::from_nanos(self.clock);
        let older = self.shared.look(|sequencer| sequencer.older_rows_for(&batch));
        let older = self.kept.rows(older).unwrap();
        let commit = self
            .shared
            .with_sequencer(|sequencer| sequencer.commit_with(batch, at, &older, &mut |_| {}));
        self.store.append(&commit.entries).unwrap();
        commit
    }

    /// Shows what is in the store.
    pub(crate) fn promise(&mut self) {
        let key = self.folder.log_key(&self.identity.origin).unwrap();
        let head = self.shared.with_sequencer(|sequencer| sequencer.head());
        let origin = self.identity.origin.clone();
        let signed = Checkpoint { origin, head }.sign(&[&key.note]).unwrap();
        self.shared.publish(signed);
    }

    pub(crate) fn event(id: &str, kind: Kind) -> v1::Event {
        v1::Event {
            id: id.into(),
            event_time: NOW,
            kind: Some(kind),
            ..v1::Event::default()
        }
    }

    pub(crate) fn act(&mut self, acts: &[Kind]) -> LeafIndex {
        let index = self.shared.with_state(|state| state.size().next_index());
        let acts: Vec<_> = acts.iter().map(|act| Self::event("act", act.clone())).collect();
        let mut signer = self.signer(201);
        let packed = pack(&acts).unwrap();
        let signed = packed
            .iter()
            .map(|events| signer.sign(IssuedAt::from_nanos(NOW), events).envelope)
            .collect();
        assert!(self.commit(signed).answers.is_empty());
        index
    }

    pub(crate) fn enrol(&mut self, seeds: &[u8]) {
        let mut acts = Vec::new();
        for seed in seeds {
            let party = Self::party(*seed);
            let key = Self::key(*seed).feed().as_bytes().to_vec();
            acts.push(Kind::PartyEnrolled(v1::PartyEnrolled {
                party: party.clone(),
                legal_name: "A party".into(),
                ..v1::PartyEnrolled::default()
            }));
            acts.push(Kind::KeyAuthorised(v1::KeyAuthorised {
                key,
                party,
                ..v1::KeyAuthorised::default()
            }));
        }
        self.act(&acts);
    }

    /// So many statements under a key, of one event each, in one batch.
    pub(crate) fn say(&mut self, seed: u8, count: u64) -> Vec<Bytes> {
        let mut signer = self.signer(seed);
        let said: Vec<Bytes> = (0..count)
            .map(|number| {
                let lapsed = v1::ShipmentLapsed {
                    shipment: format!("urn:x:{seed}-{number}"),
                };
                let event = Self::event("e", Kind::ShipmentLapsed(lapsed));
                let events = pack(&[event]).unwrap().remove(0);
                signer.sign(IssuedAt::from_nanos(NOW), &events).envelope
            })
            .collect();
        let commit = self.commit(said.clone());
        assert_eq!(commit.entries.len() as u64, count, "all take their places");
        said
    }
}

/// A ledger that nobody has open.
pub(crate) struct Closed {
    pub(crate) folder: Folder,
    identity: Identity,
    clock: i64,
    temporary: TempDir,
}

impl Closed {
    pub(crate) fn open(self) -> World {
        let Opened {
            store,
            sequencer,
            kept,
            started_from,
        } = folding::open(&self.folder, &self.identity, &Opening::default()).unwrap();
        World {
            shared: Shared::new(sequencer, store.reader()),
            folder: self.folder,
            identity: self.identity,
            store,
            kept,
            started_from,
            clock: self.clock,
            temporary: self.temporary,
        }
    }

    pub(crate) fn rebuild_from(&self, mirror: &MemoryCopy) -> anyhow::Result<Rebuilt> {
        rebuild(&self.folder, mirror, None, &AuditOptions::default())
    }
}

#[test]
fn a_ledger_goes_on_from_its_snapshot_as_if_it_had_folded_all() {
    let mut world = World::new();
    world.enrol(&[1, 2]);
    let said = world.say(1, 200);
    world.say(2, 70);
    world.promise();
    world.keep();
    let size = world.store.size();
    world.say(1, 3);
    let mut world = world.reopen();
    assert_eq!(world.started_from, size, "the tail alone is folded");
    let feed = World::key(1).feed();
    world.shared.with_state(|state| {
        let known = state.feed(feed).unwrap();
        assert_eq!(known.last(), FeedSequence::new(203));
        assert!(known.is_gone(FeedSequence::new(192)) && !known.is_gone(FeedSequence::new(193)));
    });
    let repeated = world.commit(vec![said[0].clone(), said[199].clone()]);
    assert!(repeated.entries.is_empty() && repeated.answers.is_empty());
    let sequences: Vec<_> = repeated.receipts[&feed].iter().map(|one| one.get()).collect();
    assert_eq!(sequences, [1, 200]);
    let rows = world
        .shared
        .rows(feed, [1, 64, 65, 200, 203, 204].map(FeedSequence::new))
        .unwrap();
    let found: Vec<_> = rows
        .iter()
        .map(|(sequence, row)| (sequence.get(), row.index.get()))
        .collect();
    let first = rows[0].1.index.get();
    assert_eq!(
        found,
        [
            (1, first),
            (64, first + 63),
            (65, first + 64),
            (200, first + 199),
            (203, size.get() + 2)
        ]
    );
    // Another statement 1: evidence that has to be judged by a row that is not in memory.
    let mut signer = FeedSigner::new(
        World::key(1),
        world.identity.log_id,
        World::party(1),
        FeedSequence::NONE,
        Hash::ZERO,
    );
    let events = pack(&[World::event(
        "other",
        Kind::ShipmentLapsed(v1::ShipmentLapsed {
            shipment: "urn:x:other".into(),
        }),
    )])
    .unwrap()
    .remove(0);
    let other = signer.sign(IssuedAt::from_nanos(NOW), &events).envelope;
    assert_eq!(world.commit(vec![other.clone()]).entries.len(), 1, "evidence");
    let world = world.reopen();
    assert_eq!(world.started_from, size);
    let mut world = world;
    assert!(world.commit(vec![other]).entries.is_empty(), "it is known");
}

#[test]
fn a_ledger_told_to_stop_while_its_log_is_folded_leaves_it_to_the_next_start() {
    let mut world = World::new();
    world.enrol(&[1]);
    world.say(1, 100);
    let size = world.store.size();
    let closed = world.closed();
    let opening = Opening::default();
    opening.stop();
    let stopped = folding::open(&closed.folder, &closed.identity, &opening);
    assert!(stopped.err().unwrap().is::<Stopped>());
    assert_eq!(closed.open().store.size(), size);
}

#[test]
fn a_ledger_whose_snapshot_is_of_another_ledger_folds_its_whole_log() {
    let mut one = World::new();
    one.enrol(&[1]);
    one.say(1, 100);
    let mut other = World::new();
    other.enrol(&[1]);
    other.say(1, 100);
    other.promise();
    other.keep();
    for (key, value) in other.store.reader().scan_chunks("snapshot", &[]).unwrap() {
        one.store.reader().put_chunk("snapshot", &key, value).unwrap();
    }
    let one = one.reopen();
    assert_eq!(one.started_from, TreeSize::EMPTY);
    assert_eq!(
        one.shared
            .with_state(|state| state.feed(World::key(1).feed()).unwrap().last().get()),
        100
    );
}

#[test]
fn a_ledger_whose_rows_are_lost_folds_its_whole_log() {
    let mut world = World::new();
    world.enrol(&[1]);
    let said = world.say(1, 100);
    world.promise();
    world.keep();
    let other = {
        let mut signer = FeedSigner::new(
            World::key(1),
            world.identity.log_id,
            World::party(1),
            FeedSequence::NONE,
            Hash::ZERO,
        );
        signer
            .sign(IssuedAt::from_nanos(NOW), &[Bytes::from_static(b"?")])
            .envelope
    };
    world.commit(vec![other]);
    for (key, _) in world.store.reader().scan_chunks("rows", &[]).unwrap() {
        world.store.reader().delete_chunk("rows", &key).unwrap();
    }
    let mut world = world.reopen();
    assert_eq!(
        world.started_from,
        TreeSize::EMPTY,
        "the evidence could not be judged"
    );
    assert!(world.commit(said).entries.is_empty(), "all are known");
}

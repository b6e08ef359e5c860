//! A ledger without a bus: its folder, its store, and what the writer does between reading and sending.

use bytes::Bytes;
use lotproof::{
    admission::Prepared,
    id::{FeedSequence, Hash, LeafIndex},
    log::checkpoint::{Checkpoint, Origin},
    port::EntryStore as _,
    publish::{FeedSigner, pack},
    sequencer::{Commit, Submission},
    shell::store::Store,
    signature::SigningKey,
    time::{IssuedAt, RecordedAt},
    wire::v1::{self, event::Kind},
};
use tempfile::TempDir;

use crate::{
    folder::{Folder, Identity, InitOptions, default_parameters, init},
    shared::Shared,
    writer::{self, Opened},
};

const NOW: i64 = 1_770_000_000_000_000_000;
const AUTHORITY: &str = "https://authority.example/";

pub(crate) struct World {
    pub(crate) folder: Folder,
    pub(crate) identity: Identity,
    pub(crate) store: Store,
    pub(crate) shared: Shared,
    clock: i64,
    _temporary: TempDir,
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
        let Opened { store, sequencer, .. } = writer::open(&folder, &identity).unwrap();
        let shared = Shared::new(sequencer, store.reader());
        Self {
            folder,
            identity,
            store,
            shared,
            clock: NOW,
            _temporary: temporary,
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
        let batch = envelopes
            .into_iter()
            .map(|envelope| Submission {
                subject_feed: None,
                message: writer::message_hash(&envelope),
                prepared: Prepared::from_bytes(envelope),
            })
            .collect();
        let at = RecordedAt::from_nanos(self.clock);
        let commit = self
            .shared
            .with_sequencer(|sequencer| sequencer.commit(batch, at));
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

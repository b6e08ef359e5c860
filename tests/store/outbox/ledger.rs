//! A ledger of which only the disk is missing: real rules, real tree, real signatures.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use lotproof::{
    admission::{Feed, LedgerState, NoPlace, Prepared, genesis_entry},
    code::Outcome,
    entry::{Body, Entry},
    envelope::Envelope,
    id::{FeedId, FeedSequence, Hash, LeafIndex, TreeSize},
    log::{Checkpoint, LogHead, MemoryTree, Origin, leaf_hash, multiproof, note::NoteSigner},
    outbox::PinnedLog,
    publish::{FeedSigner, pack},
    signature::SigningKey,
    time::{IssuedAt, RecordedAt},
    wire::{
        HEAD_TYPE,
        v1::{self, event::Kind},
    },
};
use prost::Message as _;

pub(super) const ISSUER: &str = "https://id.gs1.org/417/9521230100106";
pub(super) const PLANT: &str = "https://id.gs1.org/414/9521230010016";
pub(super) const START: i64 = 1_770_000_000_000_000_000;
const AUTHORITY: &str = "https://authority.example/";
const ORIGIN: &str = "ledger.example/store";
const LOG_SEED: [u8; 32] = [200; 32];
/// Rows of a receipt that was asked for.
const ROWS_MAX: usize = 64;

pub(super) fn key(seed: u8) -> SigningKey {
    SigningKey::from_seed(&[seed; 32])
}

pub(super) fn event(id: &str, kind: Kind) -> v1::Event {
    v1::Event {
        id: id.to_owned(),
        event_time: START,
        kind: Some(kind),
        ..Default::default()
    }
}

/// The same for everybody who makes one: its identity follows from constants.
#[derive(Clone)]
pub(super) struct Ledger {
    state: LedgerState,
    entries: Vec<Bytes>,
    tree: MemoryTree,
    fresh: BTreeMap<FeedId, BTreeSet<u64>>,
    /// How often two statements came for one place.
    pub(super) equivocations: u64,
    /// How often each event was admitted, but for the authority's.
    pub(super) admitted: BTreeMap<String, u32>,
}

impl Ledger {
    /// With the maker and its key (seed 1) and plant enrolled.
    pub(super) fn new() -> Self {
        let genesis = v1::Genesis {
            origin: ORIGIN.into(),
            purpose: v1::Purpose::Test.into(),
            authority: AUTHORITY.into(),
            authority_keys: vec![key(201).feed().as_bytes().to_vec()],
            threshold: 1,
            log_key: SigningKey::from_seed(&LOG_SEED).feed().as_bytes().to_vec(),
            rules_version: lotproof::register::RULES_VERSION,
            parameters: Some(v1::Parameters {
                clock_skew_ms: 1_000_000_000,
                clock_jump_ms_max: 60_000,
                statement_len_max: 64_000,
                statement_events_max: 256,
                event_parts_max: 4_096,
                index_interval: 0,
            }),
            follows: None,
        };
        let entry = genesis_entry(genesis, RecordedAt::from_nanos(START)).unwrap();
        let mut ledger = Self {
            state: LedgerState::from_genesis(&entry).unwrap(),
            entries: Vec::new(),
            tree: MemoryTree::new(),
            fresh: BTreeMap::new(),
            equivocations: 0,
            admitted: BTreeMap::new(),
        };
        ledger.push(entry);
        let acts = [
            Kind::PartyEnrolled(v1::PartyEnrolled {
                party: ISSUER.into(),
                legal_name: "Maker".into(),
                ..Default::default()
            }),
            Kind::KeyAuthorised(v1::KeyAuthorised {
                party: ISSUER.into(),
                key: key(1).feed().as_bytes().to_vec(),
                replaces: Vec::new(),
            }),
            Kind::FacilityRegistered(v1::FacilityRegistered {
                facility: PLANT.into(),
                country: "KR".into(),
                operator: ISSUER.into(),
                ..Default::default()
            }),
        ];
        let acts: Vec<_> = (1..)
            .zip(acts)
            .map(|(n, act)| event(&format!("act-{n}"), act))
            .collect();
        let log_id = ledger.state.log_id();
        let mut authority =
            FeedSigner::new(key(201), log_id, AUTHORITY.into(), FeedSequence::NONE, Hash::ZERO);
        for events in pack(&acts).unwrap() {
            let statement = authority.sign(IssuedAt::from_nanos(START), &events);
            ledger.deliver(&statement.envelope);
        }
        ledger.receipts();
        ledger.admitted.clear();
        ledger
    }

    /// What a publisher pins of it.
    pub(super) fn pinned(&self) -> PinnedLog {
        let log_key = SigningKey::from_seed(&LOG_SEED).feed();
        PinnedLog::new(self.state.log_id(), Origin::new(ORIGIN).unwrap(), &[log_key]).unwrap()
    }

    pub(super) fn head(&self) -> LogHead {
        self.tree.head()
    }

    fn push(&mut self, entry: Bytes) {
        self.tree.push(leaf_hash(&entry));
        self.entries.push(entry);
    }

    /// Takes a statement from the bus. What has no place gets no answer here; the publisher asks.
    pub(super) fn deliver(&mut self, envelope: &Bytes) {
        let prepared = Prepared::from_bytes(envelope.clone()).expect("a publisher signs what verifies");
        let feed = prepared.header().feed;
        // A time that follows from the statement: the log is the same, however often the ledger begins anew.
        let recorded_at = RecordedAt::from_nanos(START + i64::try_from(self.size().get()).unwrap());
        match self.state.decide(prepared, recorded_at) {
            Ok(decided) => {
                let entry = decided.to_entry();
                if let Body::Statement { envelope, outcome } = &entry.body {
                    assert_eq!(*outcome, Outcome::Admitted, "nothing wrong is published here");
                    for event in Envelope::decode(envelope.clone()).unwrap().events() {
                        let id = v1::Event::decode(event.clone()).unwrap().id;
                        *self.admitted.entry(id).or_default() += 1;
                    }
                }
                self.fresh
                    .entry(feed)
                    .or_default()
                    .insert(self.tree.head().size.get());
                self.push(entry.encode());
                self.state.take(&decided);
            }
            Err(NoPlace::Duplicate { index }) => {
                self.fresh.entry(feed).or_default().insert(index.get());
            }
            Err(NoPlace::Equivocation { .. }) => self.equivocations += 1,
            Err(_) => {}
        }
    }

    /// Receipts for what was taken since the last call.
    pub(super) fn receipts(&mut self) -> Vec<Bytes> {
        let fresh = std::mem::take(&mut self.fresh);
        fresh
            .iter()
            .map(|(feed, indices)| self.receipt(*feed, indices))
            .collect()
    }

    fn receipt(&self, feed: FeedId, indices: &BTreeSet<u64>) -> Bytes {
        let head = self.tree.head();
        let indices: Vec<LeafIndex> = indices.iter().copied().map(LeafIndex::new).collect();
        let rows = indices.iter().map(|index| {
            let entry = Entry::decode(&self.entries[usize::try_from(index.get()).unwrap()]).unwrap();
            let Body::Statement { envelope, outcome } = entry.body else {
                panic!("row of a record")
            };
            v1::ReceiptRow {
                sequence: Envelope::decode(envelope).unwrap().header().sequence.get(),
                index: index.get(),
                recorded_at: entry.recorded_at.as_nanos(),
                outcome: outcome.number().into(),
            }
        });
        let signer = NoteSigner::from_seed(ORIGIN, &LOG_SEED).unwrap();
        let origin = Origin::new(ORIGIN).unwrap();
        let checkpoint = Checkpoint { origin, head }.sign(&[&signer]).unwrap();
        let hashes = multiproof::build(head.size, &indices, &self.tree).unwrap();
        v1::Receipt {
            feed: feed.as_bytes().to_vec(),
            rows: rows.collect(),
            checkpoint: checkpoint.bytes().to_vec(),
            hashes: hashes.iter().map(|hash| hash.as_bytes().to_vec()).collect(),
        }
        .encode_to_vec()
        .into()
    }

    /// The reply to a head query.
    pub(super) fn head_reply(&self, query: &Bytes) -> Bytes {
        let query = v1::HeadQuery::decode(query.clone()).unwrap();
        let feed = self.state.feed(FeedId::from_slice(&query.feed).unwrap());
        let last = feed.map_or(FeedSequence::NONE, Feed::last);
        let hash = feed.map_or(Hash::ZERO, Feed::last_hash);
        let reply = v1::HeadReply {
            log_id: self.state.log_id().as_bytes().to_vec(),
            feed: query.feed,
            nonce: query.nonce,
            last_sequence: last.get(),
            last_hash: hash.as_bytes().to_vec(),
            tree_size: self.tree.head().size.get(),
            status: v1::FeedStatus::FeedOpen.into(),
        };
        SigningKey::from_seed(&LOG_SEED).seal(HEAD_TYPE, &reply.encode_to_vec())
    }

    /// The receipt that was asked for, as much as fits.
    pub(super) fn receipts_asked(&self, query: &Bytes) -> Option<Bytes> {
        let query = v1::ReceiptsQuery::decode(query.clone()).unwrap();
        let feed = FeedId::from_slice(&query.feed).unwrap();
        let rows = self.state.feed(feed)?;
        let found = (query.first..=query.last).map_while(|sequence| rows.row(FeedSequence::new(sequence)));
        let indices: BTreeSet<u64> = found.map(|row| row.index.get()).take(ROWS_MAX).collect();
        (!indices.is_empty()).then(|| self.receipt(feed, &indices))
    }

    /// Whether this very statement stands in the log.
    pub(super) fn has(&self, envelope: &Envelope) -> bool {
        let header = envelope.header();
        let feed = self.state.feed(header.feed);
        feed.and_then(|feed| feed.row(header.sequence))
            .is_some_and(|row| row.hash == envelope.hash())
    }

    /// How long the log is.
    pub(super) fn size(&self) -> TreeSize {
        self.head().size
    }
}

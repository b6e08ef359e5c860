//! A publisher, a bus that loses, repeats, reorders and forges, and a real ledger, in one thread and from one
//! seed: same seed, same run.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use bytes::Bytes;
use prost::Message as _;

use super::super::*;
use crate::{
    admission::{LedgerState, NoPlace, Prepared, genesis_entry},
    code::Outcome,
    entry::{Body, Entry},
    envelope::Envelope,
    event as events,
    gateway::index::EventIndex,
    id::{FeedSequence, Hash},
    log::{Checkpoint, LogHead, MemoryTree, Origin, leaf_hash, multiproof, note::NoteSigner},
    publish::pack,
    simulate::Random,
    time::{IssuedAt, RecordedAt},
    wire::{
        ANSWER_TYPE, HEAD_TYPE,
        v1::{self, event::Kind},
    },
};

pub(super) const ISSUER: &str = "https://id.gs1.org/417/9521230100106";
pub(super) const PLANT: &str = "https://id.gs1.org/414/9521230010016";
pub(super) const OTHER_PLANT: &str = "https://id.gs1.org/414/9521230020015";
/// Mistyped: nobody will ever register it.
pub(super) const NO_PLANT: &str = "https://id.gs1.org/414/9521230030014";
const AUTHORITY: &str = "https://authority.example/";
const ORIGIN: &str = "ledger.example/test";
const START: i64 = 1_770_000_000_000_000_000;
const LOG_SEED: [u8; 32] = [200; 32];

pub(super) fn key(seed: u8) -> SigningKey {
    SigningKey::from_seed(&[seed; 32])
}

/// What faults are chosen by.
#[derive(Clone, Debug)]
pub(super) struct Dice(Random);

impl Dice {
    pub(super) const fn new(seed: u64) -> Self {
        Self(Random::from_seed(seed))
    }

    pub(super) const fn roll(&mut self) -> u64 {
        self.0.next_bits()
    }

    pub(super) fn below(&mut self, end: usize) -> usize {
        usize::try_from(self.roll() % end.max(1) as u64).unwrap()
    }

    fn happens(&mut self, percent: u64) -> bool {
        self.roll() % 100 < percent
    }

    fn bytes(&mut self) -> [u8; 32] {
        let mut bytes = [0; 32];
        for chunk in bytes.chunks_exact_mut(8) {
            chunk.copy_from_slice(&self.roll().to_be_bytes());
        }
        bytes
    }
}

/// The ledger: real rules, real tree, real signatures; only its disk is a vector.
pub(super) struct Ledger {
    pub(super) state: LedgerState,
    pub(super) entries: Vec<Bytes>,
    tree: MemoryTree,
    committed: LogHead,
    fresh: BTreeMap<FeedId, Vec<u64>>,
    clock: i64,
    pub(super) equivocations: u64,
}

impl Ledger {
    pub(super) fn new() -> Self {
        let genesis = v1::Genesis {
            origin: ORIGIN.into(),
            purpose: v1::Purpose::Test.into(),
            authority: AUTHORITY.into(),
            authority_keys: vec![key(201).feed().as_bytes().to_vec()],
            threshold: 1,
            log_key: SigningKey::from_seed(&LOG_SEED).feed().as_bytes().to_vec(),
            rules_version: crate::register::RULES_VERSION,
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
            tree: MemoryTree::new(),
            committed: LogHead::empty(),
            entries: Vec::new(),
            fresh: BTreeMap::new(),
            clock: START,
            equivocations: 0,
        };
        ledger.push(entry);
        let issuer = || ISSUER.to_owned();
        ledger.act(Kind::PartyEnrolled(v1::PartyEnrolled {
            party: issuer(),
            legal_name: "Maker".into(),
            ..Default::default()
        }));
        for seed in [1, 2, 3] {
            ledger.act(Kind::KeyAuthorised(v1::KeyAuthorised {
                party: issuer(),
                key: key(seed).feed().as_bytes().to_vec(),
                replaces: Vec::new(),
            }));
        }
        ledger.register(PLANT);
        ledger.commit();
        ledger
    }

    pub(super) fn register(&mut self, facility: &str) {
        self.act(Kind::FacilityRegistered(v1::FacilityRegistered {
            facility: facility.into(),
            country: "KR".into(),
            operator: ISSUER.into(),
            ..Default::default()
        }));
    }

    /// An act of the authority, effective at once.
    pub(super) fn act(&mut self, kind: Kind) {
        let authority = key(201);
        let id = format!("act-{}", self.entries.len());
        let (last, hash) = self
            .state
            .feed(authority.feed())
            .map_or((FeedSequence::NONE, Hash::ZERO), |feed| {
                (feed.last(), feed.last_hash())
            });
        let mut signer = FeedSigner::new(authority, self.state.log_id(), AUTHORITY.into(), last, hash);
        let events = pack(&[event(&id, kind)]).unwrap();
        let statement = signer.sign(IssuedAt::from_nanos(self.clock), &events[0]);
        assert!(self.deliver(&statement.envelope).is_none());
    }

    fn push(&mut self, entry: Bytes) {
        self.tree.push(leaf_hash(&entry));
        self.entries.push(entry);
    }

    /// Puts statements of a feed into the log as no honest ledger would: undecided, in the order given.
    pub(super) fn enter(&mut self, feed: FeedId, envelopes: &[Bytes]) {
        for envelope in envelopes {
            self.clock += 1_000;
            let entry = Entry {
                recorded_at: RecordedAt::from_nanos(self.clock),
                body: Body::Statement {
                    envelope: envelope.clone(),
                    outcome: Outcome::Admitted,
                },
            };
            let fresh = self.fresh.entry(feed).or_default();
            fresh.push(self.entries.len() as u64);
            self.push(entry.encode());
        }
    }

    /// Takes a message from the bus; gives the answer, if it gets one.
    pub(super) fn deliver(&mut self, message: &Bytes) -> Option<(FeedId, Bytes)> {
        self.clock += 1_000;
        let prepared = Prepared::from_bytes(message.clone());
        let header = prepared.as_ref().ok().map(|prepared| prepared.header().clone());
        let decided =
            prepared.and_then(|prepared| self.state.decide(prepared, RecordedAt::from_nanos(self.clock)));
        match decided {
            Ok(decided) => {
                let feed = decided.prepared().header().feed;
                self.fresh
                    .entry(feed)
                    .or_default()
                    .push(self.entries.len() as u64);
                self.push(decided.to_entry().encode());
                self.state.take(&decided);
                None
            }
            Err(NoPlace::Duplicate { index }) => {
                let feed = header.unwrap().feed;
                self.fresh.entry(feed).or_default().push(index.get());
                None
            }
            Err(NoPlace::Equivocation { .. }) => {
                self.equivocations += 1;
                None
            }
            Err(no_place) => {
                let header =
                    header.or_else(|| Some(Envelope::decode(message.clone()).ok()?.header().clone()))?;
                let expected = match no_place {
                    NoPlace::Gap { expected } | NoPlace::ChainBroken { expected } => expected.get(),
                    _ => 0,
                };
                let answer = v1::Answer {
                    log_id: self.state.log_id().as_bytes().to_vec(),
                    feed: header.feed.as_bytes().to_vec(),
                    message: Hash::of(&[message]).as_bytes().to_vec(),
                    code: no_place.answer().unwrap().number().into(),
                    sequence: header.sequence.get(),
                    expected,
                    answered_at: self.clock,
                    detail: String::new(),
                };
                let sealed = SigningKey::from_seed(&LOG_SEED).seal(ANSWER_TYPE, &answer.encode_to_vec());
                Some((header.feed, sealed))
            }
        }
    }

    pub(super) fn checkpoint(&self) -> Bytes {
        let signer = NoteSigner::from_seed(ORIGIN, &LOG_SEED).unwrap();
        let checkpoint = Checkpoint {
            origin: Origin::new(ORIGIN).unwrap(),
            head: self.committed,
        };
        checkpoint.sign(&[&signer]).unwrap().bytes().clone()
    }

    /// Commits what was taken: a receipt for each feed that it concerns.
    pub(super) fn commit(&mut self) -> Vec<Bytes> {
        self.committed = self.tree.head();
        let fresh = std::mem::take(&mut self.fresh);
        fresh
            .into_iter()
            .map(|(feed, indices)| self.receipt(feed, indices.into_iter().collect()))
            .collect()
    }

    fn receipt(&self, feed: FeedId, indices: BTreeSet<u64>) -> Bytes {
        let indices: Vec<LeafIndex> = indices.into_iter().map(LeafIndex::new).collect();
        let rows = indices.iter().map(|index| {
            let entry = Entry::decode(&self.entries[usize::try_from(index.get()).unwrap()]).unwrap();
            let Body::Statement { envelope, outcome } = entry.body else {
                unreachable!()
            };
            v1::ReceiptRow {
                sequence: Envelope::decode(envelope).unwrap().header().sequence.get(),
                index: index.get(),
                recorded_at: entry.recorded_at.as_nanos(),
                outcome: outcome.number().into(),
            }
        });
        let hashes = multiproof::build(self.committed.size, &indices, &self.tree).unwrap();
        v1::Receipt {
            feed: feed.as_bytes().to_vec(),
            rows: rows.collect(),
            checkpoint: self.checkpoint().to_vec(),
            hashes: hashes.iter().map(|hash| hash.as_bytes().to_vec()).collect(),
        }
        .encode_to_vec()
        .into()
    }

    pub(super) fn head(&self, query: &Bytes) -> Bytes {
        let query = v1::HeadQuery::decode(query.clone()).unwrap();
        let feed = FeedId::from_slice(&query.feed).unwrap();
        let rows = self.state.feed(feed);
        let committed = |sequence: &u64| {
            let row = rows.unwrap().row(FeedSequence::new(*sequence)).unwrap();
            self.committed.size.contains(row.index)
        };
        let last = (1..=rows.map_or(0, |feed| feed.last().get()))
            .rev()
            .find(committed)
            .unwrap_or(0);
        let hash = rows
            .and_then(|feed| feed.row(FeedSequence::new(last)))
            .map_or(Hash::ZERO, |row| row.hash);
        let status = match self.state.register().key(feed) {
            None => v1::FeedStatus::FeedUnknown,
            Some(key) if key.admits(FeedSequence::new(last + 1)) => v1::FeedStatus::FeedOpen,
            Some(_) => v1::FeedStatus::FeedClosed,
        };
        let reply = v1::HeadReply {
            log_id: self.state.log_id().as_bytes().to_vec(),
            feed: query.feed,
            nonce: query.nonce,
            last_sequence: last,
            last_hash: hash.as_bytes().to_vec(),
            tree_size: self.committed.size.get(),
            status: status.into(),
        };
        SigningKey::from_seed(&LOG_SEED).seal(HEAD_TYPE, &reply.encode_to_vec())
    }

    pub(super) fn receipts(&self, query: &Bytes) -> Option<Bytes> {
        let query = v1::ReceiptsQuery::decode(query.clone()).unwrap();
        let feed = FeedId::from_slice(&query.feed).unwrap();
        let rows = self.state.feed(feed)?;
        let found = (query.first..=query.last).filter_map(|sequence| rows.row(FeedSequence::new(sequence)));
        let indices: BTreeSet<u64> = found
            .map(|row| row.index)
            .filter(|index| self.committed.size.contains(*index))
            .map(LeafIndex::get)
            .take(3)
            .collect();
        (!indices.is_empty()).then(|| self.receipt(feed, indices))
    }

    /// Loses every entry from `size` on, as a ledger without guard and mirrors might.
    pub(super) fn lose_from(&mut self, size: usize) {
        self.entries.truncate(size);
        self.state = LedgerState::from_genesis(&self.entries[0]).unwrap();
        for entry in &self.entries[1..] {
            self.state.take_entry(entry).unwrap();
        }
        self.tree = self.entries.iter().map(|entry| leaf_hash(entry)).collect();
        self.committed = self.tree.head();
        self.fresh.clear();
    }
}

/// How hostile the bus is, in percent of messages.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Faults {
    pub(super) lose: u64,
    pub(super) repeat: u64,
    pub(super) reorder: u64,
    /// The bus refuses a statement, and says so.
    pub(super) refuse: u64,
    /// Old messages come again, whole or with a bit flipped.
    pub(super) forge: u64,
    /// The publisher's process ends between two effects.
    pub(super) crash: u64,
}

#[derive(Clone, Debug)]
enum Message {
    Statement(Bytes),
    AskHead(Bytes),
    AskReceipts(Bytes),
    Receipt(Bytes),
    Answer(Bytes),
    HeadReply(Bytes),
}

/// Everything, in one place.
pub(super) struct World {
    pub(super) dice: Dice,
    pub(super) ledger: Ledger,
    pub(super) outbox: Outbox,
    /// What the publisher's disk holds: batches of records, each whole or absent.
    pub(super) disk: Vec<Record>,
    keys: Vec<u8>,
    pub(super) config: Config,
    pub(super) now: Moment,
    bus: VecDeque<Message>,
    past: Vec<Message>,
    pub(super) faults: Faults,
    /// Crash before this effect, counted over the whole run.
    pub(super) crash_at: Option<u64>,
    pub(super) steps: u64,
    pub(super) crashes: u64,
    /// The only bytes ever published for a place in a feed.
    published: BTreeMap<(FeedId, FeedSequence), Bytes>,
    pub(super) publishes: u64,
    pub(super) actions: Vec<Action>,
    pub(super) submitted: Vec<String>,
    pub(super) withdrawn: BTreeSet<String>,
    /// A ledger that is away.
    pub(super) is_deaf: bool,
}

pub(super) fn config(ledger: &Ledger) -> Config {
    let origin = Origin::new(ORIGIN).unwrap();
    let log_key = SigningKey::from_seed(&LOG_SEED).feed();
    let log = PinnedLog::new(ledger.state.log_id(), origin, &[log_key]).unwrap();
    Config {
        window: 8,
        ..Config::new(log, ISSUER.into())
    }
}

impl World {
    pub(super) fn new(seed: u64, keys: &[u8]) -> Self {
        let ledger = Ledger::new();
        let config = config(&ledger);
        let now = Moment {
            steady_ms: 0,
            wall_nanos: START,
        };
        let (outbox, effects) = Outbox::start(
            config.clone(),
            keys.iter().map(|seed| key(*seed)),
            State::default(),
            Continuity::Unbroken,
            now,
        );
        let mut world = Self {
            dice: Dice::new(seed),
            ledger,
            outbox,
            disk: Vec::new(),
            keys: keys.to_vec(),
            config,
            now,
            bus: VecDeque::new(),
            past: Vec::new(),
            faults: Faults::default(),
            crash_at: None,
            steps: 0,
            crashes: 0,
            published: BTreeMap::new(),
            publishes: 0,
            actions: Vec::new(),
            submitted: Vec::new(),
            withdrawn: BTreeSet::new(),
            is_deaf: false,
        };
        world.perform(effects);
        world
    }

    /// Performs effects in order; the process may end before each. Returns whether it went through.
    pub(super) fn perform(&mut self, effects: Effects) -> bool {
        if !effects.records.is_empty() {
            if self.crashes_here() {
                self.restart(Continuity::Unbroken);
                return false;
            }
            self.disk.extend(effects.records);
        }
        for action in effects.actions {
            if self.crashes_here() {
                self.restart(Continuity::Unbroken);
                return false;
            }
            self.act(&action);
            self.actions.push(action);
        }
        true
    }

    fn crashes_here(&mut self) -> bool {
        self.steps += 1;
        let crashes = self.crash_at == Some(self.steps) || self.dice.happens(self.faults.crash);
        self.crashes += u64::from(crashes);
        crashes
    }

    fn act(&mut self, action: &Action) {
        match action {
            Action::Publish {
                feed,
                sequence,
                envelope,
            } => {
                let is_durable = self.disk.iter().any(
                    |record| matches!(record, Record::Signed { envelope: held, .. } if held == envelope),
                );
                assert!(is_durable, "published before it was durable");
                let first = self
                    .published
                    .entry((*feed, *sequence))
                    .or_insert_with(|| envelope.clone());
                assert_eq!(first, envelope, "a statement never changes");
                self.publishes += 1;
                if self.dice.happens(self.faults.refuse) {
                    let (feed, sequence) = (*feed, *sequence);
                    let effects = self
                        .outbox
                        .handle(Input::PublishFailed { feed, sequence }, self.now);
                    self.perform(effects);
                } else {
                    self.send(Message::Statement(envelope.clone()));
                }
            }
            Action::Load { feed, first, last } => {
                let found = self.disk.iter().filter_map(|record| match record {
                    Record::Signed { envelope, .. } => Some(envelope.clone()),
                    _ => None,
                });
                let found = found.filter(|envelope| {
                    let header = Envelope::decode(envelope.clone()).unwrap().header().clone();
                    header.feed == *feed && (*first..=*last).contains(&header.sequence)
                });
                let loaded = Input::Loaded(found.collect());
                let effects = self.outbox.handle(loaded, self.now);
                self.perform(effects);
            }
            Action::AskHead { query } => self.send(Message::AskHead(query.clone())),
            Action::AskReceipts { query } => self.send(Message::AskReceipts(query.clone())),
            Action::Listen { .. }
            | Action::Admitted { .. }
            | Action::DeadLettered(_)
            | Action::Divided { .. }
            | Action::Withdrawn { .. }
            | Action::Alarm(_)
            | Action::Stopped(_)
            | Action::Resumed => {}
        }
    }

    fn send(&mut self, message: Message) {
        self.past.push(message.clone());
        if self.dice.happens(self.faults.lose) {
            return;
        }
        if self.dice.happens(self.faults.repeat) {
            self.bus.push_back(message.clone());
        }
        if self.dice.happens(self.faults.reorder) {
            let at = self.dice.below(self.bus.len() + 1);
            self.bus.insert(at, message);
        } else {
            self.bus.push_back(message);
        }
    }

    /// The process ends and starts again, from what the disk holds; half of the time compacted.
    pub(super) fn restart(&mut self, continuity: Continuity) {
        if self.dice.happens(50) {
            self.disk = compacted(&self.disk);
        }
        let state = State::from_records(&self.disk).unwrap();
        let keys: Vec<_> = self.keys.iter().map(|seed| key(*seed)).collect();
        let (outbox, effects) = Outbox::start(self.config.clone(), keys, state, continuity, self.now);
        self.outbox = outbox;
        self.perform(effects);
    }

    pub(super) fn submit(&mut self, events: &[v1::Event]) {
        let packs = pack(events).unwrap();
        let (_, effects) = self.outbox.submit(packs, self.now).unwrap();
        self.perform(effects);
        // If the process ends before the records are durable, nothing was promised.
        if self.disk_has(events) {
            self.submitted.extend(events.iter().map(|event| event.id.clone()));
        }
    }

    fn disk_has(&self, events: &[v1::Event]) -> bool {
        let wanted: Bytes = events[0].encode_to_vec().into();
        self.disk.iter().any(|record| match record {
            Record::Queued { events, .. } => events.contains(&wanted),
            Record::Signed { envelope, .. } => Envelope::decode(envelope.clone())
                .unwrap()
                .events()
                .contains(&wanted),
            _ => false,
        })
    }

    /// What the outbox's records say of each event.
    pub(super) fn index(&self) -> EventIndex {
        folded(&self.disk)
    }

    /// Withdraws an event as soon as that can be done; `most` ticks are waited for it.
    pub(super) fn withdraw(&mut self, id: &str, most: usize) {
        for _ in 0..most {
            let parcels = self.index().withdrawable(id);
            if let Ok(effects) =
                parcels.map(|parcels| self.outbox.withdraw(&parcels, self.now).expect("queued"))
            {
                // A crash before it is durable, and it goes on as before.
                if self.perform(effects) || self.index().status(id).is_none() {
                    self.withdrawn.insert(id.to_owned());
                    return;
                }
            }
            self.tick();
        }
        panic!("{id} could not be withdrawn: {:?}", self.index().status(id));
    }

    pub(super) fn input(&mut self, input: Input) {
        let effects = self.outbox.handle(input, self.now);
        self.perform(effects);
    }

    /// A quarter of a second: the clock ticks, everything on the bus arrives, the ledger commits.
    pub(super) fn tick(&mut self) {
        self.now.steady_ms += 250;
        self.now.wall_nanos += 250_000_000;
        let nonce = self.dice.bytes();
        let jitter = u16::try_from(self.dice.roll() % 65_536).unwrap();
        self.input(Input::Tick { nonce, jitter });
        self.forge();
        for _ in 0..self.bus.len() {
            let Some(message) = self.bus.pop_front() else {
                break;
            };
            match message {
                Message::Statement(bytes) if !self.is_deaf => {
                    if let Some((_, answer)) = self.ledger.deliver(&bytes) {
                        self.send(Message::Answer(answer));
                    }
                }
                Message::AskHead(query) if !self.is_deaf => {
                    // Head and status are of one committed state.
                    self.commit();
                    let reply = self.ledger.head(&query);
                    self.send(Message::HeadReply(reply));
                }
                Message::AskReceipts(query) if !self.is_deaf => {
                    if let Some(receipt) = self.ledger.receipts(&query) {
                        self.send(Message::Receipt(receipt));
                    }
                }
                Message::Statement(_) | Message::AskHead(_) | Message::AskReceipts(_) => {}
                Message::Receipt(bytes) => self.input(Input::Receipt(bytes)),
                Message::Answer(bytes) => self.input(Input::Answer(bytes)),
                Message::HeadReply(bytes) => self.input(Input::HeadReply(bytes)),
            }
        }
        if !self.is_deaf {
            self.commit();
        }
    }

    fn commit(&mut self) {
        for receipt in self.ledger.commit() {
            self.send(Message::Receipt(receipt));
        }
    }

    /// Somebody without a key repeats and bends what he heard.
    fn forge(&mut self) {
        if self.past.is_empty() || !self.dice.happens(self.faults.forge) {
            return;
        }
        let at = self.dice.below(self.past.len());
        let mut message = self.past[at].clone();
        if self.dice.happens(50) {
            let (Message::Statement(bytes)
            | Message::AskHead(bytes)
            | Message::AskReceipts(bytes)
            | Message::Receipt(bytes)
            | Message::Answer(bytes)
            | Message::HeadReply(bytes)) = &mut message;
            let mut bent = bytes.to_vec();
            let bit = self.dice.below(bent.len() * 8);
            bent[bit / 8] ^= 1 << (bit % 8);
            *bytes = bent.into();
        }
        match message {
            Message::AskHead(_) | Message::AskReceipts(_) => {}
            other => self.bus.push_back(other),
        }
    }

    pub(super) fn ticks(&mut self, count: usize) {
        for _ in 0..count {
            self.tick();
        }
    }

    /// Until nothing waits, or `most` ticks have gone by.
    pub(super) fn run_until_done(&mut self, most: usize) -> bool {
        (0..most).any(|_| {
            self.tick();
            let status = self.outbox.status();
            (status.queued, status.unreceipted) == (0, 0)
        })
    }

    pub(super) fn alarms(&self) -> Vec<AlarmKind> {
        self.outbox.alarms().iter().map(|alarm| alarm.kind).collect()
    }

    /// How often each event was admitted, by id.
    pub(super) fn admitted(&self) -> BTreeMap<String, u32> {
        let mut admitted = BTreeMap::new();
        for entry in &self.ledger.entries {
            let entry = Entry::decode(entry).unwrap();
            if let Body::Statement {
                envelope,
                outcome: Outcome::Admitted,
            } = entry.body
            {
                for event in Envelope::decode(envelope).unwrap().events() {
                    *admitted
                        .entry(events::check(event).unwrap().id().to_owned())
                        .or_default() += 1;
                }
            }
        }
        admitted
    }

    /// Every event that was promised is admitted exactly once or is a dead letter; nothing was signed twice;
    /// and the disk adds up to what the outbox holds, compacted or not.
    pub(super) fn check(&self) {
        let mut admitted = self.admitted();
        let letters: BTreeSet<String> = self
            .outbox
            .letters()
            .flat_map(|letter| &letter.events)
            .map(|event| v1::Event::decode(event.clone()).unwrap().id)
            .collect();
        for id in &self.submitted {
            let times = admitted.remove(id).unwrap_or(0);
            let expected = u32::from(!letters.contains(id) && !self.withdrawn.contains(id));
            assert_eq!(times, expected, "{id}: admitted {times} times");
        }
        assert_eq!(self.ledger.equivocations, 0);
        self.check_disk();
    }

    pub(super) fn check_disk(&self) {
        let live = durable(self.outbox.state());
        assert_eq!(durable(&State::from_records(&self.disk).unwrap()), live);
        let compacted = compacted(&self.disk);
        assert_eq!(durable(&State::from_records(&compacted).unwrap()), live);
        let (before, after) = (self.index(), folded(&compacted));
        for id in &self.submitted {
            assert_eq!(before.status(id), after.status(id));
        }
    }
}

fn folded(records: &[Record]) -> EventIndex {
    let mut index = EventIndex::default();
    for record in records {
        index.apply(record);
    }
    index
}

/// What a compaction of these records leaves.
pub(super) fn compacted(records: &[Record]) -> Vec<Record> {
    let state = State::from_records(records).unwrap();
    let kept = records.iter().filter(|record| state.retains(record)).cloned();
    state
        .first_records()
        .into_iter()
        .chain(kept)
        .chain(state.last_records())
        .collect()
}

/// The durable part of a state, as text; long bytes by their digest.
fn durable(state: &State) -> String {
    use std::fmt::Write as _;
    let mut out = format!(
        "{:?} {:?} {} {:?}\n",
        state.pending, state.queued, state.next_parcel, state.letters
    );
    for alarm in &state.alarms {
        let evidence: Vec<Hash> = alarm.evidence.iter().map(|bytes| Hash::of(&[bytes])).collect();
        writeln!(
            out,
            "{:?} {} {} {evidence:?}",
            alarm.kind, alarm.feed, alarm.raised_at
        )
        .unwrap();
    }
    for feed in &state.feeds {
        let newest = feed.newest_receipt.as_ref();
        let newest = newest.map(|(sequence, receipt)| (sequence, Hash::of(&[receipt])));
        let (closed, pruned, settled) = (feed.closed, feed.pruned, feed.settled);
        writeln!(out, "{} {closed:?} {pruned:?} {settled} {newest:?}", feed.id).unwrap();
        for statement in &feed.statements {
            let state::Statement {
                parcel,
                hash,
                proven,
                abandoned,
                ..
            } = statement;
            writeln!(out, "  {parcel:?} {hash} {proven:?} {abandoned}").unwrap();
        }
    }
    out
}

pub(super) fn event(id: &str, kind: Kind) -> v1::Event {
    v1::Event {
        id: id.into(),
        event_time: START,
        utc_offset_minutes: 540,
        kind: Some(kind),
        ..Default::default()
    }
}

/// A lot made somewhere.
pub(super) fn made(id: &str, facility: &str) -> v1::Event {
    let items = vec![v1::Item {
        lot: format!("https://id.gs1.org/01/09521231100013/10/{id}"),
        quantity: Some(v1::Quantity {
            value: "1200".into(),
            unit: "KGM".into(),
        }),
        ..Default::default()
    }];
    event(
        id,
        Kind::Commissioned(v1::Commissioned {
            facility: facility.into(),
            items,
            ..Default::default()
        }),
    )
}

/// Refused whoever signs: a declaration about somebody else.
pub(super) fn not_ours(id: &str) -> v1::Event {
    event(
        id,
        Kind::OwnershipDeclared(v1::OwnershipDeclared {
            party: "https://id.gs1.org/417/9521230200103".into(),
            ownership_complete: Some(true),
            owners: vec![],
        }),
    )
}

/// Part of an event too long for one statement.
pub(super) fn part(id: &str, facility: &str, number: u32, count: u32) -> v1::Event {
    let serials = vec![v1::SerialRun {
        prefix: "https://id.gs1.org/01/09521231100013/21/".into(),
        suffixes: vec![format!("{id}{number}")],
    }];
    let mut event = event(
        id,
        Kind::Commissioned(v1::Commissioned {
            facility: facility.into(),
            serials,
            ..Default::default()
        }),
    );
    event.part = Some(v1::Part { number, count });
    event
}

/// That the key's feed ends at once.
pub(super) fn closes(seed: u8) -> Kind {
    Kind::FeedClosed(v1::FeedClosed {
        key: key(seed).feed().as_bytes().to_vec(),
    })
}

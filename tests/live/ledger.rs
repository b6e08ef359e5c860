//! The ledger service on a real bus: what it promises, what it refuses, and what it does after a crash at
//! each step of a commit.

use std::{
    collections::BTreeMap,
    io::Read as _,
    os::unix::process::ExitStatusExt as _,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::Duration,
};

use async_nats::Subscriber;
use bytes::Bytes;
use futures::StreamExt as _;
use lotproof::{
    admission::LedgerState,
    code::{AnswerCode, Outcome, Refusal},
    entry::{Body, Entry},
    envelope::DsseEnvelope,
    id::{FeedId, FeedSequence, Hash, LeafIndex, LogId},
    log::{
        checkpoint::{Origin, SignedCheckpoint},
        hash::leaf_hash,
        multiproof,
        note::VerifierKey,
        tree::Frontier,
    },
    publish::{FeedSigner, SignedStatement},
    sequencer::Step,
    shell::nats::{Bus, BusNames},
    signature::{self, SigningKey},
    time::{IssuedAt, RecordedAt},
    wire::{
        ANSWER_TYPE, HEAD_TYPE,
        v1::{self, event::Kind},
    },
};
use lotproof_ledger::{Config, Folder, Identity, InitOptions, Reading, default_parameters, init, run};
use prost::Message as _;
use tokio::{
    sync::{oneshot, watch},
    task::JoinHandle,
};

use crate::fixture::{DEADLINE, OwnBus, connect, soon, until};

pub(crate) const AUTHORITY: &str = "https://authority.example/";
pub(crate) const MAKER: &str = "https://id.gs1.org/417/9521230100106";
pub(crate) const PLANT: &str = "https://id.gs1.org/414/9521230010016";
/// How a process ends that stopped itself.
const SIGABRT: i32 = 6;
/// Tells the re-executed test binary which ledger to run, and how.
const CHILD: &str = "LOTPROOF_TEST_LEDGER_CHILD";

pub(crate) fn key(seed: u8) -> SigningKey {
    SigningKey::from_seed(&[seed; 32])
}

pub(crate) fn now() -> i64 {
    Reading::now().wall_nanos
}

pub(crate) fn event(id: &str, kind: Kind) -> v1::Event {
    v1::Event {
        id: id.into(),
        event_time: now(),
        kind: Some(kind),
        ..Default::default()
    }
}

pub(crate) fn commission(id: &str) -> v1::Event {
    let lot = format!("https://id.gs1.org/01/09521231100013/10/{id}");
    let items = vec![v1::Item {
        lot,
        ..Default::default()
    }];
    event(
        id,
        Kind::Commissioned(v1::Commissioned {
            facility: PLANT.into(),
            items,
            ..Default::default()
        }),
    )
}

/// A ledger's folder with one authority key (seed 9), on a bus of its own.
pub(crate) struct World {
    pub(crate) own: OwnBus,
    pub(crate) folder: PathBuf,
    pub(crate) identity: Identity,
}

impl World {
    pub(crate) async fn new() -> Self {
        let own = OwnBus::bare().await;
        let folder = own.folder.path().join("ledger");
        let options = InitOptions {
            origin: Origin::new("ledger.example/live").unwrap(),
            purpose: v1::Purpose::Test,
            authority: AUTHORITY.into(),
            authority_keys: vec![key(9).feed()],
            threshold: 1,
            parameters: default_parameters(),
            follows: None,
            created_at: RecordedAt::from_nanos(now()),
        };
        let identity = init(&Folder::new(&folder), &options).expect("a new ledger");
        Self {
            own,
            folder,
            identity,
        }
    }

    fn config(&self) -> Config {
        Config::new(Folder::new(&self.folder), self.own.server.url())
    }

    fn names(&self) -> BusNames {
        BusNames::new(&self.identity.log_id)
    }

    pub(crate) async fn start(&self) -> Running {
        self.start_with(|_| ()).await
    }

    pub(crate) async fn start_with(&self, change: impl FnOnce(&mut Config)) -> Running {
        let mut config = self.config();
        change(&mut config);
        let mut running = Running::spawn(config);
        let address = soon("the ledger to listen", &mut running.address).await;
        running.url = format!("http://{}", address.expect("the ledger starts"));
        running
    }

    /// Starts a ledger that must not come up, and returns why.
    pub(crate) async fn refusal(&self) -> String {
        self.refusal_with(|_| ()).await
    }

    pub(crate) async fn refusal_with(&self, change: impl FnOnce(&mut Config)) -> String {
        let mut config = self.config();
        change(&mut config);
        let running = Running::spawn(config);
        let ended = soon("the ledger to halt", running.task).await.expect("no panic");
        format!("{:#}", ended.expect_err("the ledger halts"))
    }

    pub(crate) async fn publisher(&self, issuer: &str, seed: u8) -> Publisher {
        self.publisher_on(connect(&self.own.server).await, issuer, seed)
            .await
    }

    pub(crate) async fn publisher_on(&self, bus: Bus, issuer: &str, seed: u8) -> Publisher {
        let key = key(seed);
        let receipts = bus
            .client()
            .subscribe(self.names().receipt(&key.feed()))
            .await
            .unwrap();
        let answers = bus
            .client()
            .subscribe(self.names().answer(&key.feed()))
            .await
            .unwrap();
        bus.client().flush().await.unwrap();
        Publisher {
            signer: FeedSigner::new(
                key,
                self.identity.log_id,
                issuer.into(),
                FeedSequence::NONE,
                Hash::ZERO,
            ),
            names: self.names(),
            verifier: self.identity.log_key.parse().unwrap(),
            origin: self.identity.origin.clone(),
            bus,
            receipts,
            answers,
            signed: BTreeMap::new(),
            receipted: BTreeMap::new(),
        }
    }

    /// Enrols the maker under key 1, with its plant.
    pub(crate) async fn enrol(&self) {
        self.enrol_on(&connect(&self.own.server).await).await;
    }

    pub(crate) async fn enrol_on(&self, bus: &Bus) {
        let acts = [
            Kind::PartyEnrolled(v1::PartyEnrolled {
                party: MAKER.into(),
                legal_name: "Maker".into(),
                ..Default::default()
            }),
            Kind::KeyAuthorised(v1::KeyAuthorised {
                party: MAKER.into(),
                key: key(1).feed().as_bytes().to_vec(),
                replaces: Vec::new(),
            }),
            Kind::FacilityRegistered(v1::FacilityRegistered {
                facility: PLANT.into(),
                country: "KR".into(),
                operator: MAKER.into(),
                ..Default::default()
            }),
        ];
        let acts: Vec<_> = (1..)
            .zip(acts)
            .map(|(n, act)| event(&format!("act-{n}"), act))
            .collect();
        self.authority_says_on(bus, &acts).await;
    }

    /// Publishes acts, which one authority key decides alone.
    pub(crate) async fn authority_says(&self, acts: &[v1::Event]) {
        self.authority_says_on(&connect(&self.own.server).await, acts)
            .await;
    }

    async fn authority_says_on(&self, bus: &Bus, acts: &[v1::Event]) {
        let mut authority = self.publisher_on(bus.clone(), AUTHORITY, 9).await;
        authority.follow_on().await;
        let sequence = authority.publish(acts).await;
        assert_eq!(authority.receipt(sequence).await.1, Outcome::Admitted);
    }
}

pub(crate) struct Running {
    pub(crate) url: String,
    address: oneshot::Receiver<std::net::SocketAddr>,
    stop: watch::Sender<bool>,
    pub(crate) task: JoinHandle<anyhow::Result<()>>,
}

impl Running {
    fn spawn(config: Config) -> Self {
        let (stop, shutdown) = watch::channel(false);
        let (listening, address) = oneshot::channel();
        let task = tokio::spawn(run(config, shutdown, listening));
        Self {
            url: String::new(),
            address,
            stop,
            task,
        }
    }

    pub(crate) async fn stop(self) {
        self.stop.send_replace(true);
        soon("the ledger to stop", self.task)
            .await
            .unwrap()
            .expect("a clean end");
    }

    async fn get(&self, path: &str) -> (u16, Vec<u8>) {
        get(&format!("{}{path}", self.url)).await
    }

    /// All entries, and the checkpoint that they must add up to.
    pub(crate) async fn log(&self, identity: &Identity) -> Vec<Bytes> {
        let (_, note) = self.get("/checkpoint").await;
        let (_, body) = self.get("/v1/entries?start=0").await;
        let mut entries = Vec::new();
        let mut rest = body.as_slice();
        while let Some((len, after)) = rest.split_first_chunk::<2>() {
            let (entry, after) = after.split_at(u16::from_be_bytes(*len).into());
            entries.push(Bytes::copy_from_slice(entry));
            rest = after;
        }
        let verifier: VerifierKey = identity.log_key.parse().unwrap();
        let signed = SignedCheckpoint::verify(note, &identity.origin, &[verifier]).unwrap();
        let mut frontier = Frontier::new();
        for entry in &entries {
            frontier.push(leaf_hash(entry));
        }
        assert_eq!(&frontier.head(), signed.head(), "entries and checkpoint agree");
        entries
    }
}

pub(crate) async fn get(url: &str) -> (u16, Vec<u8>) {
    let url = url.to_owned();
    let request = tokio::task::spawn_blocking(move || {
        let agent = ureq::Agent::new_with_config(
            ureq::Agent::config_builder()
                .http_status_as_error(false)
                .timeout_global(Some(DEADLINE))
                .build(),
        );
        let response = agent.get(&url).call().expect("an answer");
        let status = response.status().as_u16();
        let mut body = Vec::new();
        response
            .into_body()
            .into_reader()
            .read_to_end(&mut body)
            .expect("a body");
        (status, body)
    });
    request.await.unwrap()
}

/// A publisher that keeps what it signed and believes only receipts that verify.
pub(crate) struct Publisher {
    signer: FeedSigner,
    names: BusNames,
    verifier: VerifierKey,
    origin: Origin,
    bus: Bus,
    receipts: Subscriber,
    answers: Subscriber,
    signed: BTreeMap<FeedSequence, SignedStatement>,
    receipted: BTreeMap<FeedSequence, (LeafIndex, Outcome)>,
}

impl Publisher {
    /// Goes on after what the ledger heard last.
    async fn follow_on(&mut self) {
        let head = self.head(&[7; 16], Vec::new()).await.expect("a head");
        let last = FeedSequence::new(head.last_sequence);
        let hash = Hash::from_slice(&head.last_hash).unwrap();
        let (key, issuer) = (
            SigningKey::from_seed(&self.signer.key().seed()),
            self.signer.issuer().into(),
        );
        self.signer = FeedSigner::new(key, self.signer.log_id(), issuer, last, hash);
    }

    pub(crate) async fn publish(&mut self, events: &[v1::Event]) -> FeedSequence {
        let events: Vec<Bytes> = events.iter().map(|event| event.encode_to_vec().into()).collect();
        let statement = self.signer.sign(IssuedAt::from_nanos(now()), &events);
        let sequence = statement.sequence;
        self.signed.insert(sequence, statement);
        self.send(sequence).await;
        sequence
    }

    async fn send(&self, sequence: FeedSequence) {
        let envelope = self.signed[&sequence].envelope.clone();
        self.send_bytes(envelope).await;
    }

    async fn send_bytes(&self, bytes: Bytes) {
        let subject = self.names.statement(&self.signer.key().feed());
        let sent = self.bus.jetstream().publish(subject, bytes).await.expect("sent");
        sent.await.expect("acknowledged by the bus");
    }

    /// Waits for the verified receipt of a statement.
    pub(crate) async fn receipt(&mut self, sequence: FeedSequence) -> (LeafIndex, Outcome) {
        while !self.receipted.contains_key(&sequence) {
            let message = soon("a receipt", self.receipts.next()).await.expect("subscribed");
            self.take(&message.payload);
        }
        self.receipted[&sequence]
    }

    fn take(&mut self, bytes: &[u8]) {
        let receipt = v1::Receipt::decode(bytes).expect("a receipt");
        let signed = SignedCheckpoint::verify(
            receipt.checkpoint,
            &self.origin,
            std::slice::from_ref(&self.verifier),
        )
        .expect("signed by the log");
        let mut rows = Vec::new();
        for row in &receipt.rows {
            let statement = &self.signed[&FeedSequence::new(row.sequence)];
            let outcome = Outcome::from_number(u16::try_from(row.outcome).unwrap()).expect("an outcome");
            let body = Body::Statement {
                envelope: statement.envelope.clone(),
                outcome,
            };
            let entry = Entry {
                recorded_at: RecordedAt::from_nanos(row.recorded_at),
                body,
            };
            rows.push((LeafIndex::new(row.index), leaf_hash(&entry.encode())));
            let place = (LeafIndex::new(row.index), outcome);
            let before = self.receipted.insert(statement.sequence, place);
            assert!(before.is_none_or(|before| before == place), "one place for ever");
        }
        let hashes: Vec<Hash> = receipt
            .hashes
            .iter()
            .map(|hash| Hash::from_slice(hash).unwrap())
            .collect();
        multiproof::verify(signed.head(), &rows, &hashes).expect("the proof holds");
    }

    async fn answer(&mut self) -> v1::Answer {
        let message = soon("an answer", self.answers.next()).await.expect("subscribed");
        let dsse = DsseEnvelope::decode(message.payload, ANSWER_TYPE).expect("an envelope");
        let log_key = FeedId::new(*self.verifier.public_key());
        v1::Answer::decode(
            signature::verify(&dsse, log_key)
                .expect("signed by the log")
                .clone(),
        )
        .unwrap()
    }

    async fn head(&self, nonce: &[u8], checkpoint: Vec<u8>) -> Option<v1::HeadReply> {
        let query = v1::HeadQuery {
            log_id: self.signer.log_id().as_bytes().to_vec(),
            feed: self.signer.key().feed().as_bytes().to_vec(),
            nonce: nonce.to_vec(),
            checkpoint,
        };
        let asked = self
            .bus
            .client()
            .request(self.names.ask_head(), query.encode_to_vec().into());
        let reply = tokio::time::timeout(Duration::from_secs(2), asked)
            .await
            .ok()?
            .ok()?;
        let dsse = DsseEnvelope::decode(reply.payload, HEAD_TYPE).expect("an envelope");
        let log_key = FeedId::new(*self.verifier.public_key());
        Some(v1::HeadReply::decode(signature::verify(&dsse, log_key).expect("signed").clone()).unwrap())
    }
}

/// Folds a log and checks that every statement stands in it exactly once, where its receipt says.
fn check(log_id: LogId, entries: &[Bytes], publishers: &[&Publisher]) {
    let mut state = LedgerState::from_genesis(&entries[0]).unwrap();
    for entry in &entries[1..] {
        state.take_entry(entry).unwrap();
    }
    assert_eq!(state.log_id(), log_id);
    for publisher in publishers {
        let feed = state.feed(publisher.signer.key().feed()).expect("heard of");
        assert_eq!(
            feed.last(),
            publisher.signer.last().0,
            "nothing is lost and nothing twice"
        );
        for (sequence, (index, outcome)) in &publisher.receipted {
            let row = feed.row(*sequence).expect("receipted statements are there");
            assert_eq!(
                (row.index, row.outcome),
                (*index, *outcome),
                "every receipt is true"
            );
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn statements_get_true_receipts_and_the_rest_gets_signed_answers() {
    let world = World::new().await;
    let ledger = world.start().await;
    world.enrol().await;
    let mut maker = world.publisher(MAKER, 1).await;

    let first = maker.publish(&[commission("A1"), commission("A2")]).await;
    assert_eq!(maker.receipt(first).await.1, Outcome::Admitted);
    let mut ahead = commission("A3");
    ahead.event_time += 3_600_000_000_000;
    let second = maker.publish(&[ahead]).await;
    assert_eq!(
        maker.receipt(second).await.1,
        Outcome::Refused(Refusal::TimeAhead)
    );
    let third = maker.publish(&[commission("A4")]).await;
    assert_eq!(
        maker.receipt(third).await.1,
        Outcome::Admitted,
        "the feed goes on after a refusal"
    );

    let place = maker.receipted.remove(&first).unwrap();
    maker.send(first).await;
    assert_eq!(
        maker.receipt(first).await,
        place,
        "a duplicate gets its receipt again"
    );

    maker.send_bytes(Bytes::from_static(b"garbage")).await;
    let answer = maker.answer().await;
    assert_eq!(answer.code, u32::from(AnswerCode::Malformed.number()));
    assert_eq!(answer.message, Hash::of(&[b"garbage"]).as_bytes());

    let reply = maker.head(&[7; 16], Vec::new()).await.expect("a reply");
    assert_eq!(
        (reply.last_sequence, reply.nonce.as_slice()),
        (3, [7; 16].as_slice())
    );
    assert_eq!(reply.status(), v1::FeedStatus::FeedOpen);

    let entries = ledger.log(&world.identity).await;
    check(world.identity.log_id, &entries, &[&maker]);
    assert_eq!(ledger.get("/readyz").await.0, 200);
    let (status, tile) = ledger.get(&format!("/tile/0/000.p/{}", entries.len())).await;
    assert_eq!((status, tile.len()), (200, 32 * entries.len()));
    assert_eq!(
        ledger
            .get(&format!("/tile/0/000.p/{}", entries.len() + 1))
            .await
            .0,
        404,
        "nothing beyond the head"
    );
    assert!(
        String::from_utf8(ledger.get("/metrics").await.1)
            .unwrap()
            .contains("lotproof_ledger_published_size 5")
    );
    ledger.stop().await;

    let again = world.start().await;
    assert_eq!(
        again.log(&world.identity).await,
        entries,
        "a restart changes nothing"
    );
    again.stop().await;
}

/// The child's side of the crash tests: runs a ledger until it aborts or is killed.
#[test]
fn child_ledger() {
    let Ok(order) = std::env::var(CHILD) else { return };
    let (folder, rest) = order.split_once('|').unwrap();
    let (url, stop_at) = rest.split_once('|').unwrap();
    let mut config = Config::new(Folder::new(folder), url.to_owned());
    config.stop_at = (!stop_at.is_empty()).then(|| stop_at.parse().unwrap());
    let (_stop, shutdown) = watch::channel(false);
    let (listening, _address) = oneshot::channel();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    if let Err(error) = runtime.block_on(run(config, shutdown, listening)) {
        panic!("{error:#}");
    }
}

fn child(folder: &Path, url: &str, stop_at: &str) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "ledger::child_ledger", "--nocapture"])
        .env(CHILD, format!("{}|{url}|{stop_at}", folder.display()))
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("the test binary runs again")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_crash_before_each_step_of_a_commit_loses_and_doubles_nothing() {
    let world = World::new().await;
    let ledger = world.start().await;
    world.enrol().await;
    ledger.stop().await;
    let mut maker = world.publisher(MAKER, 1).await;
    for (round, step) in Step::ALL.into_iter().enumerate() {
        let mut process = child(
            &world.folder,
            &world.own.server.url(),
            &format!("{}:1", step.name()),
        );
        let sequence = maker.publish(&[commission(&format!("S{round}"))]).await;
        let status = tokio::task::spawn_blocking(move || process.wait().unwrap())
            .await
            .unwrap();
        assert_eq!(status.signal(), Some(SIGABRT), "{} was reached", step.name());
        let ledger = world.start().await;
        assert_eq!(
            maker.receipt(sequence).await.1,
            Outcome::Admitted,
            "{}",
            step.name()
        );
        let entries = ledger.log(&world.identity).await;
        check(world.identity.log_id, &entries, &[&maker]);
        ledger.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_old_copy_of_the_folder_is_halted_by_the_guard() {
    let world = World::new().await;
    let ledger = world.start().await;
    world.enrol().await;
    ledger.stop().await;
    let copy = world.own.folder.path().join("copy");
    copy_folder(&world.folder, &copy);
    let ledger = world.start().await;
    let mut maker = world.publisher(MAKER, 1).await;
    let sequence = maker.publish(&[commission("A1")]).await;
    maker.receipt(sequence).await;
    ledger.stop().await;
    std::fs::rename(&world.folder, world.own.folder.path().join("new")).unwrap();
    std::fs::rename(&copy, &world.folder).unwrap();
    let why = world.refusal().await;
    assert!(why.contains("the guard is ahead of the store"), "{why}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_ledger_on_the_same_log_is_fenced() {
    let world = World::new().await;
    let copy = world.own.folder.path().join("copy");
    let first = world.start().await;
    world.enrol().await;
    first.stop().await;
    copy_folder(&world.folder, &copy);
    let first = world.start().await;
    let second = Running::spawn(Config::new(Folder::new(&copy), world.own.server.url()));
    until("the second to take the guard", async || {
        !second.address.is_empty() || second.task.is_finished()
    })
    .await;
    let mut maker = world.publisher(MAKER, 1).await;
    maker.publish(&[commission("A1")]).await;
    let why = soon("the first to halt", first.task)
        .await
        .unwrap()
        .expect_err("fenced");
    assert!(
        format!("{why:#}").contains("another ledger is running"),
        "{why:#}"
    );
    second.stop.send_replace(true);
    soon("the second to stop", second.task)
        .await
        .unwrap()
        .expect("it goes on");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wiped_guard_halts_until_the_operator_reseeds() {
    let mut world = World::new().await;
    let ledger = world.start().await;
    world.enrol().await;
    ledger.stop().await;
    world.own.server.kill().await;
    std::fs::remove_dir_all(world.own.server.folder()).unwrap();
    world.own.server.restart().await.expect("an empty bus");
    let why = world.refusal().await;
    assert!(why.contains("lotproof ledger reseed"), "{why}");
    Folder::new(&world.folder)
        .order_reseed("bus storage lost")
        .unwrap();
    let ledger = world.start().await;
    let entries = ledger.log(&world.identity).await;
    let last = Entry::decode(entries.last().unwrap()).unwrap();
    assert!(matches!(
        last.body,
        Body::Record(v1::ledger_record::Record::GuardReseeded(v1::GuardReseeded { reason, .. })) if reason == "bus storage lost"
    ));
    let mut maker = world.publisher(MAKER, 1).await;
    let sequence = maker.publish(&[commission("A1")]).await;
    assert_eq!(maker.receipt(sequence).await.1, Outcome::Admitted);
    ledger.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_newer_checkpoint_shown_by_a_publisher_halts_an_old_ledger() {
    let mut world = World::new().await;
    let ledger = world.start().await;
    world.enrol().await;
    ledger.stop().await;
    let copy = world.own.folder.path().join("copy");
    copy_folder(&world.folder, &copy);
    let ledger = world.start().await;
    let mut maker = world.publisher(MAKER, 1).await;
    let sequence = maker.publish(&[commission("A1")]).await;
    maker.receipt(sequence).await;
    let (_, newest) = ledger.get("/checkpoint").await;
    ledger.stop().await;
    // The whole data folder restored, guard included: what the embedded default cannot see by itself.
    world.own.server.kill().await;
    std::fs::remove_dir_all(world.own.server.folder()).unwrap();
    world.own.server.restart().await.unwrap();
    world.folder = copy;
    Folder::new(&world.folder).order_reseed("restored").unwrap();
    let old = world.start().await;
    let maker = world.publisher(MAKER, 1).await;
    assert_eq!(maker.head(&[1; 16], newest).await, None);
    let why = soon("the old ledger to halt", old.task)
        .await
        .unwrap()
        .expect_err("halted");
    assert!(format!("{why:#}").contains("was shown"), "{why:#}");
}

pub(crate) fn copy_folder(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy_folder(&entry.path(), &target);
        } else {
            std::fs::copy(entry.path(), target).unwrap();
        }
    }
}

//! What the projector does about a ledger, or a bus, that says different things at different times.

use std::sync::{Arc, Mutex};

use axum::{
    Router,
    extract::{Query, State},
    routing::get,
};
use bytes::Bytes;
use futures::StreamExt as _;
use lotproof::{
    id::{Hash, TreeSize},
    log::{
        checkpoint::{Checkpoint, SignedCheckpoint},
        note::NoteSigner,
        tree::LogHead,
    },
    shell::nats::BusNames,
    wire::v1::{self, event::Kind},
};
use lotproof_ledger::Folder;
use prost::Message as _;
use serde_json::{Value, json};
use tokio::sync::watch;

use super::service::{Projecting, http, trust};
use crate::{
    fixture::{connect, soon, until},
    ledger::{Running, World, event},
};

/// What a ledger served at some moment.
#[derive(Clone, Default)]
pub(super) struct Copy {
    pub(super) checkpoint: Bytes,
    pub(super) entries: Vec<Bytes>,
}

impl Copy {
    pub(super) async fn of(world: &World, running: &Running) -> Self {
        Self {
            checkpoint: http("GET", &format!("{}/checkpoint", running.url), b"")
                .await
                .body,
            entries: running.log(&world.identity).await,
        }
    }

    pub(super) fn head(&self, world: &World) -> LogHead {
        let trust = trust(world);
        let signed = SignedCheckpoint::verify(self.checkpoint.clone(), trust.origin(), trust.log_keys());
        *signed.unwrap().head()
    }
}

/// A ledger's HTTP side that serves whatever it is given.
#[derive(Clone)]
pub(super) struct Impostor {
    pub(super) url: String,
    serves: Arc<Mutex<Copy>>,
    /// Entries asked for beyond this one are not sent before it is raised.
    held: watch::Sender<u64>,
}

impl Impostor {
    pub(super) async fn serve(copy: Copy) -> Self {
        type Serves = State<(Arc<Mutex<Copy>>, watch::Receiver<u64>)>;
        let serves = Arc::new(Mutex::new(copy));
        let held = watch::Sender::new(u64::MAX);
        let checkpoint =
            |State((serves, _)): Serves| async move { serves.lock().unwrap().checkpoint.clone() };
        let entries = |State((serves, mut held)): Serves, Query(from): Query<Vec<(String, u64)>>| async move {
            let start = from[0].1;
            held.wait_for(|beyond| start <= *beyond).await.unwrap();
            let copy = serves.lock().unwrap();
            let entries = copy.entries.iter().skip(usize::try_from(start).unwrap());
            let frame = |entry: &Bytes| {
                let len = u16::try_from(entry.len()).unwrap().to_be_bytes();
                [&len, entry.as_ref()].concat()
            };
            entries.flat_map(frame).collect::<Vec<u8>>()
        };
        let router = Router::new()
            .route("/checkpoint", get(checkpoint))
            .route("/v1/entries", get(entries))
            .with_state((serves.clone(), held.subscribe()));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        tokio::spawn(async move { axum::serve(listener, router).await });
        Self { url, serves, held }
    }

    /// Holds back answers to whoever asks for entries from a later one than `start` on.
    pub(super) fn hold_beyond(&self, start: u64) {
        self.held.send_replace(start);
    }

    pub(super) fn show(&self, copy: &Copy) {
        *self.serves.lock().unwrap() = copy.clone();
    }
}

pub(super) async fn grow(world: &World, running: &Running, name: &str) -> Copy {
    let party = v1::PartyEnrolled {
        party: format!("https://{name}.example/"),
        legal_name: name.into(),
        ..Default::default()
    };
    world
        .authority_says(&[event(name, Kind::PartyEnrolled(party))])
        .await;
    Copy::of(world, running).await
}

/// Where it stands, and the alarm that its answers carry.
pub(super) async fn stands(projecting: &Projecting) -> (u64, Value) {
    let answer = projecting.get("/v1/digests").await.ok();
    (
        answer["position"]["size"].as_u64().unwrap(),
        answer["alarm"].clone(),
    )
}

pub(super) async fn until_unready(projecting: &Projecting, kind: &str) {
    until(kind, async || {
        projecting
            .unready()
            .await
            .is_some_and(|why| why.starts_with(kind))
    })
    .await;
}

pub(super) async fn until_metric(projecting: &Projecting, line: &str) {
    until(line, async || {
        let metrics = projecting.get("/metrics").await;
        String::from_utf8_lossy(&metrics.body)
            .lines()
            .any(|has| has == line)
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn heads_that_are_unsigned_late_taken_back_or_contradictory_move_nothing() {
    let world = World::new().await;
    let running = world.start().await;
    let bus = connect(&world.own.server).await;
    let names = BusNames::new(&world.identity.log_id);
    let mut asked = bus.client().subscribe(names.ask_head()).await.unwrap();
    bus.client().flush().await.unwrap();
    let first = grow(&world, &running, "one").await;
    let second = grow(&world, &running, "two").await;
    let size = second.head(&world).size.get();
    let impostor = Impostor::serve(second.clone()).await;
    let projecting = Projecting::start(&world, &impostor.url).await;
    projecting.until_at(size).await;

    // A late head, and between two that nobody signed.
    let says = |note: Bytes| bus.client().publish(names.head(), note);
    says("junk".into()).await.unwrap();
    says(first.checkpoint.clone()).await.unwrap();
    let origin = world.identity.origin.clone();
    let stranger = NoteSigner::from_seed(origin.as_str(), &[7; 32]).unwrap();
    let head = first.head(&world);
    let forged = Checkpoint { origin, head }.sign(&[&stranger]).unwrap();
    says(forged.bytes().clone()).await.unwrap();
    until_metric(&projecting, "lotproof_compliance_unverified_heads_total 2").await;
    assert_eq!(
        (projecting.unready().await, stands(&projecting).await),
        (None, (size, Value::Null))
    );

    // The ledger itself shows less than it signed before, and is shown what it signed.
    impostor.show(&first);
    until_unready(&projecting, "rolled_back").await;
    assert_eq!(stands(&projecting).await, (size, json!("rolled_back")));
    soon("the newest head as a question", async {
        loop {
            let question = asked.next().await.unwrap();
            if v1::HeadQuery::decode(question.payload).unwrap().checkpoint == second.checkpoint {
                break;
            }
        }
    })
    .await;
    impostor.show(&second);
    until("the alarm to end", async || projecting.unready().await.is_none()).await;

    // Entries that are not those signed.
    let third = grow(&world, &running, "three").await;
    let mut damaged = third.clone();
    let mut last = damaged.entries.pop().unwrap().to_vec();
    *last.last_mut().unwrap() ^= 1;
    damaged.entries.push(last.into());
    impostor.show(&damaged);
    until_unready(&projecting, "entries_mismatch").await;
    assert_eq!(stands(&projecting).await, (size, json!("entries_mismatch")));
    let newcomer = Projecting::start(&world, &impostor.url).await;
    until_unready(&newcomer, "entries_mismatch").await;
    assert_eq!(newcomer.get("/v1/digests").await.problem().1, "not_ready");
    impostor.show(&third);
    let size = third.head(&world).size.get();
    projecting.until_at(size).await;
    newcomer.until_at(size).await;

    // The log's own key signs two futures.
    let key = Folder::new(&world.folder)
        .log_key(&world.identity.origin)
        .unwrap();
    let other = Checkpoint {
        origin: world.identity.origin.clone(),
        head: LogHead {
            size: TreeSize::new(size + 1),
            root: Hash::of(&[b"another future"]),
        },
    };
    says(other.sign(&[&key.note]).unwrap().bytes().clone())
        .await
        .unwrap();
    until_metric(&projecting, "lotproof_compliance_lag_entries 1").await;
    impostor.show(&grow(&world, &running, "four").await);
    until_unready(&projecting, "forked").await;
    impostor.show(&grow(&world, &running, "five").await);
    until_metric(&projecting, "lotproof_compliance_lag_entries 1").await;
    assert_eq!(stands(&projecting).await, (size + 1, json!("forked")));

    for projecting in [projecting, newcomer] {
        projecting.stop().await;
    }
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn another_log_under_the_same_name_and_key_is_not_folded() {
    let world = World::new().await;
    let running = world.start().await;
    let grown = grow(&world, &running, "one").await;
    // The key of the trusted log, the genesis of another.
    let stranger = World::new().await;
    let strange = stranger.start().await;
    let mut entries = grow(&stranger, &strange, "one").await.entries;
    entries.truncate(1);
    let key = Folder::new(&world.folder)
        .log_key(&world.identity.origin)
        .unwrap();
    let mut frontier = lotproof::log::tree::Frontier::new();
    frontier.push(lotproof::log::hash::leaf_hash(&entries[0]));
    let checkpoint = Checkpoint {
        origin: world.identity.origin.clone(),
        head: frontier.head(),
    };
    let checkpoint = checkpoint.sign(&[&key.note]).unwrap().bytes().clone();
    let impostor = Impostor::serve(Copy { checkpoint, entries }).await;
    let projecting = Projecting::start(&world, &impostor.url).await;
    until_unready(&projecting, "other_log").await;
    assert_eq!(projecting.get("/v1/packs").await.problem().1, "not_ready");
    impostor.show(&grown);
    // One key for two logs: the true one is reached, and the other's head stands against it.
    until_unready(&projecting, "forked").await;
    let size = grown.head(&world).size.get();
    assert_eq!(stands(&projecting).await, (size, json!("forked")));
    projecting.stop().await;
    strange.stop().await;
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_bus_alone_is_enough_to_follow_and_may_be_restarted() {
    let mut world = World::new().await;
    let running = world.start().await;
    // Entries over HTTP, but no checkpoint.
    let without_checkpoint = |copy: Copy| Copy {
        checkpoint: Bytes::new(),
        ..copy
    };
    let before = grow(&world, &running, "one").await;
    let impostor = Impostor::serve(without_checkpoint(before.clone())).await;
    let projecting = Projecting::start(&world, &impostor.url).await;
    // What LEDGER kept.
    projecting.until_at(before.head(&world).size.get()).await;
    world.own.server.kill().await;
    world.own.server.restart().await.unwrap();
    let after = grow(&world, &running, "two").await;
    assert!(after.head(&world).size > before.head(&world).size);
    impostor.show(&without_checkpoint(after.clone()));
    projecting.until_at(after.head(&world).size.get()).await;
    let over_bus = projecting.ask("digests", &json!({})).await;
    assert_eq!(over_bus, projecting.get("/v1/digests").await);
    projecting.stop().await;
    running.stop().await;
}

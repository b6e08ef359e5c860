//! What a projector still knows after a restart.

use std::path::Path;

use futures::StreamExt as _;
use lotproof::{
    id::{Hash, TreeSize},
    log::{
        checkpoint::{Checkpoint, SignedCheckpoint},
        hash::leaf_hash,
        tree::{Frontier, LogHead},
    },
    shell::nats::BusNames,
    wire::v1,
};
use lotproof_ledger::Folder;
use prost::Message as _;
use serde_json::{Value, json};

use super::{
    distrust::{Copy, Impostor, grow, stands, until_metric, until_unready},
    service::{Projecting, trust},
};
use crate::{
    fixture::{connect, soon, until},
    ledger::World,
};

async fn start(world: &World, impostor: &Impostor, folder: &Path) -> Projecting {
    let folder = folder.to_owned();
    Projecting::start_with(world, &impostor.url, |config| config.folder = Some(folder)).await
}

/// A head under the log's own key.
fn signed(world: &World, head: LogHead) -> SignedCheckpoint {
    let origin = world.identity.origin.clone();
    let key = Folder::new(&world.folder).log_key(&origin).unwrap();
    Checkpoint { origin, head }.sign(&[&key.note]).unwrap()
}

/// What `alarm.json` says, after its checkpoints were verified.
fn evidence(world: &World, folder: &Path) -> (String, Vec<LogHead>) {
    let alarm: Value = serde_json::from_slice(&std::fs::read(folder.join("alarm.json")).unwrap()).unwrap();
    let trust = trust(world);
    let heads = alarm["checkpoints"].as_array().unwrap().iter().map(|note| {
        let note = note.as_str().unwrap().to_owned();
        *SignedCheckpoint::verify(note, trust.origin(), trust.log_keys())
            .unwrap()
            .head()
    });
    (alarm["kind"].as_str().unwrap().to_owned(), heads.collect())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_ledger_rolled_back_while_the_projector_was_down_is_shown_what_it_signed() {
    let world = World::new().await;
    let running = world.start().await;
    let first = grow(&world, &running, "one").await;
    let second = grow(&world, &running, "two").await;
    let size = second.head(&world).size.get();
    let impostor = Impostor::serve(second.clone()).await;
    let place = tempfile::tempdir().unwrap();
    let folder = place.path().join("deep/compliance");
    let projecting = start(&world, &impostor, &folder).await;
    projecting.until_at(size).await;
    projecting.stop().await;
    let kept = std::fs::read(folder.join("checkpoint")).unwrap();
    assert_eq!(kept, second.checkpoint);

    // Nobody but its own folder can tell the projector that there was more.
    running.stop().await;
    let bus = connect(&world.own.server).await;
    let names = BusNames::new(&world.identity.log_id);
    bus.jetstream()
        .delete_stream(names.ledger_stream())
        .await
        .unwrap();
    let mut asked = bus.client().subscribe(names.ask_head()).await.unwrap();
    bus.client().flush().await.unwrap();
    impostor.show(&first);
    let projecting = start(&world, &impostor, &folder).await;
    until_unready(&projecting, "rolled_back").await;
    until_metric(&projecting, "lotproof_compliance_alarm 1").await;
    assert_eq!(projecting.get("/v1/digests").await.problem().1, "not_ready");
    soon("the newest head as a question", async {
        let question = asked.next().await.unwrap();
        let question = v1::HeadQuery::decode(question.payload).unwrap();
        assert_eq!(question.checkpoint, second.checkpoint);
    })
    .await;
    impostor.show(&second);
    projecting.until_at(size).await;
    assert_eq!(stands(&projecting).await, (size, Value::Null));
    projecting.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fork_alarm_stands_until_its_operator_ends_it() {
    let world = World::new().await;
    let running = world.start().await;
    let copy = grow(&world, &running, "one").await;
    let head = copy.head(&world);
    let size = head.size.get();
    let impostor = Impostor::serve(copy.clone()).await;
    let place = tempfile::tempdir().unwrap();
    let folder = place.path();
    let projecting = start(&world, &impostor, folder).await;
    projecting.until_at(size).await;
    let other = LogHead {
        size: head.size,
        root: Hash::of(&[b"another present"]),
    };
    impostor.show(&Copy {
        checkpoint: signed(&world, other).bytes().clone(),
        ..copy.clone()
    });
    until_unready(&projecting, "forked").await;
    projecting.stop().await;
    assert_eq!(evidence(&world, folder), ("forked".to_owned(), vec![head, other]));

    // It goes no further than it was, whatever it is shown now.
    impostor.show(&grow(&world, &running, "two").await);
    let projecting = start(&world, &impostor, folder).await;
    until_unready(&projecting, "forked").await;
    until_metric(&projecting, "lotproof_compliance_alarm 1").await;
    until("an answer", async || {
        projecting.get("/v1/digests").await.status == 200
    })
    .await;
    until_metric(&projecting, "lotproof_compliance_lag_entries 1").await;
    assert_eq!(stands(&projecting).await, (size, json!("forked")));
    projecting.stop().await;

    std::fs::remove_file(folder.join("alarm.json")).unwrap();
    let projecting = start(&world, &impostor, folder).await;
    projecting.until_at(size + 1).await;
    assert_eq!(stands(&projecting).await, (size + 1, Value::Null));
    projecting.stop().await;
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_log_that_forked_while_the_projector_was_down_is_found_by_what_it_remembers() {
    let world = World::new().await;
    let running = world.start().await;
    let copy = grow(&world, &running, "one").await;
    let head = copy.head(&world);
    let impostor = Impostor::serve(copy.clone()).await;
    let place = tempfile::tempdir().unwrap();
    let folder = place.path();
    let projecting = start(&world, &impostor, folder).await;
    projecting.until_at(head.size.get()).await;
    projecting.stop().await;
    running.stop().await;

    // Its last entry is another one, and two more follow.
    let mut entries = copy.entries.clone();
    entries.pop();
    entries.extend(["other", "more", "yet more"].map(|entry| entry.as_bytes().into()));
    let mut frontier = Frontier::new();
    frontier.extend(&entries.iter().map(|entry| leaf_hash(entry)).collect::<Vec<_>>());
    let other = frontier.head();
    assert_eq!(other.size, TreeSize::new(head.size.get() + 2));
    let checkpoint = signed(&world, other).bytes().clone();
    impostor.show(&Copy { checkpoint, entries });
    let projecting = start(&world, &impostor, folder).await;
    until_unready(&projecting, "forked").await;
    assert_eq!(evidence(&world, folder), ("forked".to_owned(), vec![head, other]));
    assert_eq!(projecting.get("/v1/digests").await.problem().1, "not_ready");
    projecting.stop().await;
}

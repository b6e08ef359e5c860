//! Files dropped are taken in once, whatever is killed.

use std::{fs, path::Path};

use super::{client, crash::Process, *};

/// How many files are dropped.
const FILES: usize = 60;

fn result(path: &Path) -> Value {
    serde_json::from_slice(&fs::read(path).unwrap()).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn files_are_taken_in_and_put_away_with_their_results() {
    let world = World::new().await;
    let ledger = world.start().await;
    world.enrol().await;
    let folder = world.own.folder.path().join("drop");
    let mut config = client::config(&world, Service::Manufacturing);
    config.watch = Some(folder.clone());
    let gateway = Gateway::run(config).await;
    let mut events = json!([commissioned("E1"), commissioned("E2")]);
    events[1].as_object_mut().unwrap().shift_remove("id");
    fs::write(folder.join("events.json"), events.to_string()).unwrap();
    fs::write(folder.join("epcis.jsonld"), client::document().to_string()).unwrap();
    fs::write(folder.join("broken.json"), "{").unwrap();
    fs::write(folder.join("note.txt"), "not looked at").unwrap();
    for put_away in ["done/events.json", "done/epcis.jsonld", "failed/broken.json"] {
        until(put_away, async || folder.join(put_away).exists()).await;
    }
    let done = result(&folder.join("done/events.json.result.json"));
    let derived = done["events"][1]["id"].as_str().unwrap().to_owned();
    assert_eq!(
        derived,
        format!("urn:lotproof:file:{}:1", done["document"].as_str().unwrap())
    );
    gateway.proven("E1").await;
    gateway.proven(&derived).await;
    let captured = result(&folder.join("done/epcis.jsonld.result.json"));
    assert_eq!(captured["refused"].as_array().unwrap().len(), 2);
    assert_eq!(
        result(&folder.join("failed/broken.json.result.json"))["code"],
        "not_json"
    );
    assert!(folder.join("note.txt").exists());

    // The same file again: put away under another name, and nothing is published.
    fs::write(folder.join("events.json"), events.to_string()).unwrap();
    until("the copy", async || folder.join("done/1-events.json").exists()).await;
    let again = result(&folder.join("done/1-events.json.result.json"));
    assert_eq!(again["events"][1]["is_new"], false);
    assert_eq!(admitted(&ledger, &world).await.len(), 3);
    gateway.stop().await;
    ledger.stop().await;
}

/// A system that always writes to the same name must not lose what it wrote while the last file was in hand.
#[tokio::test(flavor = "multi_thread")]
async fn a_file_written_over_while_it_is_taken_in_is_taken_in_again() {
    let world = World::new().await;
    let ledger = world.start().await;
    world.enrol().await;
    ledger.stop().await;
    let folder = world.own.folder.path().join("drop");
    let mut config = client::config(&world, Service::Manufacturing);
    config.watch = Some(folder.clone());
    config.publisher.outbox.backlog_len_max = commissioned_len("E1") * 3 / 2;
    let gateway = Gateway::run(config).await;
    fs::write(folder.join("first.json"), commissioned("E1").to_string()).unwrap();
    until("the first file", async || folder.join("done/first.json").exists()).await;

    // The outbox is full, so this one is in hand until the ledger is back.
    fs::write(folder.join("next.json"), commissioned("E2").to_string()).unwrap();
    in_hand(&gateway).await;
    fs::write(folder.join("next.json"), json!([commissioned("E3")]).to_string()).unwrap();
    let ledger = world.start().await;
    for id in ["E1", "E2", "E3"] {
        gateway.proven(id).await;
    }
    until("the file to be put away", async || {
        folder.join("done/next.json").exists()
    })
    .await;
    let result = result(&folder.join("done/next.json.result.json"));
    assert_eq!(result["events"][0]["id"], "E3");
    assert!(admitted(&ledger, &world).await.values().all(|count| *count == 1));
    gateway.stop().await;
    ledger.stop().await;
}

/// Waits until a file is being taken in.
async fn in_hand(gateway: &Gateway) {
    until("a file to be in hand", async || {
        let metrics = gateway.text("/metrics").await;
        metrics
            .lines()
            .any(|line| line == "lotproof_gateway_files_in_hand 1")
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_does_not_wait_with_a_dropped_file_for_room() {
    let world = World::new().await;
    let ledger = world.start().await;
    world.enrol().await;
    ledger.stop().await;
    let folder = world.own.folder.path().join("drop");
    let mut config = client::config(&world, Service::Manufacturing);
    config.watch = Some(folder.clone());
    config.publisher.outbox.backlog_len_max = commissioned_len("E1") * 3 / 2;
    let gateway = Gateway::run(config).await;
    assert_eq!(gateway.post("/v1/events", &commissioned("E1")).await.0, 202);
    fs::write(folder.join("next.json"), commissioned("E2").to_string()).unwrap();
    in_hand(&gateway).await;
    let (status, fault) = soon("an answer", gateway.post("/v1/events", &commissioned("E2"))).await;
    assert_eq!((status, &fault["code"]), (503, &json!("outbox_full")));
    in_hand(&gateway).await;
    let ledger = world.start().await;
    gateway.proven("E2").await;
    until("the file to be put away", async || {
        folder.join("done/next.json").exists()
    })
    .await;
    assert!(admitted(&ledger, &world).await.values().all(|count| *count == 1));
    gateway.stop().await;
    ledger.stop().await;
}

/// Bytes of an event of [`commissioned`], as the outbox counts them.
fn commissioned_len(id: &str) -> usize {
    let read = lotproof::gateway::json::read(&commissioned(id), "", || unreachable!("it has an id"));
    read.unwrap().event.encoded_len()
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_while_files_are_taken_in_each_event_is_published_once() {
    let world = World::new().await;
    let ledger = world.start().await;
    world.enrol().await;
    let folder = world.own.folder.path().join("drop");
    let done = folder.join("done");
    fs::create_dir_all(&done).unwrap();
    for number in 0..FILES {
        let mut event = commissioned(&format!("F{number}"));
        event.as_object_mut().unwrap().shift_remove("id");
        fs::write(folder.join(format!("{number:03}.json")), event.to_string()).unwrap();
    }
    let count = || {
        let names = fs::read_dir(&done)
            .unwrap()
            .map(|entry| entry.unwrap().file_name());
        names
            .filter(|name| !name.to_string_lossy().ends_with(".result.json"))
            .count()
    };
    for at_least in [5, 20, 40] {
        let process = Process::start(&world, Some(&folder)).await;
        until("some files", async || count() >= at_least).await;
        process.kill();
    }
    // As if killed between the outbox and the move: a file that was taken in lies in the folder again.
    fs::rename(done.join("000.json"), folder.join("000.json")).unwrap();
    let process = Process::start(&world, Some(&folder)).await;
    until("all files", async || count() == FILES).await;
    for number in 0..FILES {
        let result = result(&done.join(format!("{number:03}.json.result.json")));
        client::proven(process.address, result["events"][0]["id"].as_str().unwrap()).await;
    }
    let admitted = admitted(&ledger, &world).await;
    assert_eq!(admitted.len(), FILES);
    assert!(admitted.values().all(|count| *count == 1), "{admitted:?}");
    process.kill();
    ledger.stop().await;
}

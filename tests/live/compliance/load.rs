//! Answers while the log grows, and while a long stretch of it is caught up with: always given, each of one
//! position, and no position before one that was answered at.

use std::{
    collections::BTreeSet,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use bytes::Bytes;
use lotproof::{
    log::{
        hash::leaf_hash,
        tree::{Frontier, LogHead},
    },
    projector::Projector,
    simulate::Simulation,
};
use serde_json::{Value, json};

use super::{
    distrust::{Copy, Impostor, stands, until_unready},
    encoded,
    service::{Projecting, enrol, http, publish, simulation, size},
};
use crate::{
    chain::watch::{Digests, compare},
    fixture::until,
    ledger::{MAKER, World, commission},
};

const READERS: usize = 4;
/// Statements of one event each, beside the simulation's.
const STATEMENTS: usize = 150;

/// The head of every prefix of a log, the empty one first.
fn heads(entries: &[Bytes]) -> Vec<LogHead> {
    let mut frontier = Frontier::new();
    let mut heads = vec![LogHead::empty()];
    for entry in entries {
        frontier.push(leaf_hash(entry));
        heads.push(frontier.head());
    }
    heads
}

fn position(json: &Value) -> u64 {
    json["position"]["size"].as_u64().unwrap()
}

/// Questions of every kind about these lots.
fn questions(lots: &[String]) -> Vec<String> {
    let about = |lot: &String| {
        let lot = encoded(lot);
        [
            format!("/v1/lots/{lot}"),
            format!("/v1/lots/{lot}?custody_offset=1&limit=2"),
            format!("/v1/lots/{lot}/provenance"),
            format!("/v1/lots/{lot}/provenance?direction=down&nodes=20"),
            format!("/v1/anomalies?lot={lot}"),
        ]
    };
    let all = ["/v1/anomalies?limit=1000", "/v1/anomalies?offset=2&limit=3"].map(str::to_owned);
    lots.iter().flat_map(about).chain(all).collect()
}

/// The packs of the stories.
fn packs(simulation: &Simulation) -> Vec<String> {
    simulation.stories().into_iter().map(|story| story.pack).collect()
}

/// What one reader was told.
#[derive(Default)]
struct Told {
    answers: usize,
    positions: BTreeSet<u64>,
    digests: Vec<Digests>,
}

/// Asks without a pause until told to stop. Every answer is one, and none goes back.
async fn read_on(url: String, questions: Vec<String>, first: usize, stop: Arc<AtomicBool>) -> Told {
    let mut told = Told::default();
    for number in first.. {
        if stop.load(Ordering::Relaxed) {
            break;
        }
        // Digests now and then, to compare the state with an offline fold at that size.
        let asks_digests = number % 5 == 0;
        let path = if asks_digests {
            "/v1/digests"
        } else {
            &questions[number % questions.len()]
        };
        let reply = http("GET", &format!("{url}{path}"), b"").await;
        told.answers += 1;
        if reply.status == 404 {
            // Only of a lot that no event has named yet.
            assert_eq!(reply.problem().1, "unknown_lot", "{path}");
            continue;
        }
        let json = reply.ok();
        let before = told.positions.last().copied().unwrap_or_default();
        assert!(position(&json) >= before, "{path}: {json}");
        told.positions.insert(position(&json));
        if asks_digests {
            told.digests.push(Digests::read(&json));
        }
        let ready = http("GET", &format!("{url}/readyz"), b"").await;
        assert_eq!(ready.status, 200, "{ready:?}");
    }
    told
}

/// Whether two projectors at one position say the same about everything, byte for byte.
/// A projector that begins now comes to the same answers. Stops both.
async fn assert_replays(world: &World, url: &str, projecting: Projecting, end: u64, questions: &[String]) {
    let replayed = Projecting::start(world, url).await;
    replayed.until_at(end).await;
    for path in questions.iter().map(String::as_str).chain(["/v1/digests"]) {
        assert_eq!(projecting.get(path).await, replayed.get(path).await, "{path}");
    }
    for projecting in [projecting, replayed] {
        projecting.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn under_sustained_load_every_answer_is_given_at_a_position_that_never_goes_back() {
    let world = World::new().await;
    let running = world.start().await;
    let simulation = simulation();
    world.enrol().await;
    enrol(&world, &simulation).await;
    let projecting = Projecting::start(&world, &running.url).await;
    let start = size(&running.url).await;
    projecting.until_at(start).await;

    let mut lots = packs(&simulation);
    lots.push("https://id.gs1.org/01/09521231100013/10/L7".to_owned());
    let questions = questions(&lots);
    let stop = Arc::new(AtomicBool::new(false));
    let readers: Vec<_> = (0..READERS)
        .map(|first| {
            let (url, questions) = (projecting.url.clone(), questions.clone());
            tokio::spawn(read_on(url, questions, first, stop.clone()))
        })
        .collect();
    let stream = async {
        let mut publisher = world.publisher(MAKER, 1).await;
        let mut last = None;
        for number in 0..STATEMENTS {
            last = Some(publisher.publish(&[commission(&format!("L{number}"))]).await);
            if number % 10 == 0 {
                publisher.receipt(last.unwrap()).await;
            }
        }
        publisher.receipt(last.unwrap()).await;
    };
    tokio::join!(stream, publish(&world, &simulation));
    let end = size(&running.url).await;
    // The readers go on while the last of it is folded.
    until("the projector at the end", async || {
        position(&projecting.get("/v1/packs").await.ok()) == end
    })
    .await;
    stop.store(true, Ordering::Relaxed);
    let entries = running.log(&world.identity).await;
    let mut digests = Vec::new();
    for reader in readers {
        let told = reader.await.unwrap();
        let between = told
            .positions
            .iter()
            .filter(|size| (start + 1..end).contains(size));
        assert!(
            between.count() >= 3,
            "{} answers, {:?}",
            told.answers,
            told.positions
        );
        digests.extend(told.digests);
    }
    compare(&entries, &digests);

    assert_replays(&world, &running.url, projecting, end, &questions).await;
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn catching_up_with_a_long_log_it_answers_at_positions_on_the_way() {
    const CHUNK: u64 = 8;
    let world = World::new().await;
    let running = world.start().await;
    let simulation = simulation();
    enrol(&world, &simulation).await;
    let before = Copy::of(&world, &running).await;
    let impostor = Impostor::serve(before.clone()).await;
    let projecting = Projecting::start_with(&world, &impostor.url, |config| {
        config.follow.chunk_entries_max = usize::try_from(CHUNK).unwrap();
    })
    .await;
    let start = before.head(&world).size.get();
    projecting.until_at(start).await;
    let openings = projecting.get("/v1/openings").await.ok();
    assert_eq!(
        (&openings["proven_by"], &openings["lag_entries"]),
        (&Value::Null, &Value::Null)
    );

    // All of it may be read once, to be hashed, and what follows the first chunk not again.
    publish(&world, &simulation).await;
    let all = Copy::of(&world, &running).await;
    let end = all.head(&world).size.get();
    assert!(end > start + 3 * CHUNK, "{start} to {end}");
    impostor.hold_beyond(start);
    impostor.show(&all);
    let on_the_way = start + CHUNK;
    until("the first chunk", async || {
        position(&projecting.get("/v1/packs").await.ok()) == on_the_way
    })
    .await;
    let heads = heads(&all.entries);
    let head_at = |size: u64| &heads[usize::try_from(size).unwrap()];
    let questions = questions(&packs(&simulation));
    for path in questions
        .iter()
        .map(String::as_str)
        .chain(["/v1/digests", "/v1/openings"])
    {
        let reply = projecting.get(path).await;
        if reply.status == 404 {
            assert_eq!(reply.problem().1, "unknown_lot", "{path}");
            continue;
        }
        let answer = reply.ok();
        assert_eq!(answer["position"]["size"], on_the_way, "{path}");
        assert_eq!(
            answer["position"]["root"],
            json!(head_at(on_the_way).root),
            "{path}"
        );
        let proof: LogHead = serde_json::from_value(answer["proven_by"].clone()).unwrap();
        assert!(proof.size.get() > on_the_way, "{path}");
        assert_eq!(&proof, head_at(proof.size.get()), "{path}");
        let lag = answer["lag_entries"].as_u64().unwrap();
        assert!(
            (proof.size.get() - on_the_way..=end - on_the_way).contains(&lag),
            "{path}: {answer}"
        );
    }
    assert_eq!(projecting.unready().await, None);
    let mut offline = Projector::new();
    for entry in &all.entries[..usize::try_from(on_the_way).unwrap()] {
        offline.take(entry).unwrap();
    }
    let digests = Digests::read(&projecting.get("/v1/digests").await.ok());
    assert_eq!(digests, Digests::of(&offline));

    // Read again, the last entry is another one: it stays where it is, answers, and says so.
    let mut damaged = all.clone();
    let mut last = damaged.entries.pop().unwrap().to_vec();
    *last.last_mut().unwrap() ^= 1;
    damaged.entries.push(last.into());
    impostor.show(&damaged);
    impostor.hold_beyond(u64::MAX);
    until_unready(&projecting, "entries_mismatch").await;
    let (stays, alarm) = stands(&projecting).await;
    assert_eq!(alarm, "entries_mismatch");
    assert!((on_the_way..end).contains(&stays), "{stays}");
    impostor.show(&all);
    projecting.until_at(end).await;
    assert_replays(&world, &running.url, projecting, end, &questions).await;
    running.stop().await;
}

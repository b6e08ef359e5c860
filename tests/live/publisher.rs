//! The publishing library against the real ledger on a real bus: whatever stops, what was taken is proven.

use std::{collections::BTreeMap, path::PathBuf, time::Duration};

use lotproof::{
    code::{Outcome, Refusal},
    entry::{Body, Entry},
    envelope::Envelope,
    id::FeedId,
    log::note::VerifierKey,
    outbox::{Config, PinnedLog, Ticket},
    shell::{
        nats::BusNames,
        outbox_file::OutboxFileError,
        publisher::{PublishError, Publisher, PublisherConfig, Settled},
    },
    wire::v1::{self, event::Kind},
};
use prost::Message as _;

use crate::{
    fixture::{DEADLINE, connect, soon, until},
    ledger::{MAKER, World, commission, event, key},
};

fn folder(world: &World) -> PathBuf {
    world.own.folder.path().join("outbox")
}

async fn try_publisher(world: &World, seeds: &[u8]) -> Result<Publisher, PublishError> {
    let identity = &world.identity;
    let verifier: VerifierKey = identity.log_key.parse().unwrap();
    let log_key = FeedId::new(*verifier.public_key());
    let log = PinnedLog::new(identity.log_id, identity.origin.clone(), &[log_key]).unwrap();
    let outbox = Config {
        wait_ms: 200,
        wait_ms_max: 1_000,
        probe_ms: 200,
        ..Config::new(log, MAKER.into())
    };
    let keys = seeds.iter().map(|seed| key(*seed)).collect();
    let config = PublisherConfig::new(folder(world), outbox, keys);
    Publisher::start(connect(&world.own.server).await, config).await
}

async fn publisher(world: &World, seeds: &[u8]) -> Publisher {
    soon("the publisher", try_publisher(world, seeds))
        .await
        .expect("a publisher")
}

/// Submits `count` lots one by one, each a statement of its own.
async fn submit(publisher: &Publisher, name: &str, count: usize) -> Vec<Ticket> {
    let mut tickets = Vec::new();
    for number in 0..count {
        let event = commission(&format!("{name}{number}"));
        tickets.push(soon("room", publisher.submit(&[event])).await.expect("taken"));
    }
    tickets
}

/// Waits for the proofs.
async fn proven(publisher: &Publisher, tickets: Vec<Ticket>) {
    for ticket in tickets {
        let settled = soon("receipts", publisher.wait_receipted(ticket))
            .await
            .expect("settled");
        for settled in settled {
            assert!(
                matches!(&settled, Settled::Admitted { row, .. } if row.outcome == Outcome::Admitted),
                "{settled:?}"
            );
        }
    }
}

/// How often each event was admitted.
async fn admitted(world: &World, running: &crate::ledger::Running) -> BTreeMap<String, u32> {
    let mut admitted = BTreeMap::new();
    for entry in running.log(&world.identity).await {
        if let Body::Statement {
            envelope,
            outcome: Outcome::Admitted,
        } = Entry::decode(&entry).unwrap().body
        {
            for event in Envelope::decode(envelope).unwrap().events() {
                *admitted
                    .entry(v1::Event::decode(event.clone()).unwrap().id)
                    .or_default() += 1;
            }
        }
    }
    admitted
}

async fn check_each_admitted_once(world: &World, running: &crate::ledger::Running, name: &str, count: usize) {
    let admitted = admitted(world, running).await;
    for number in 0..count {
        assert_eq!(
            admitted.get(&format!("{name}{number}")),
            Some(&1),
            "{name}{number}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_submitted_is_proven_and_what_is_refused_is_a_dead_letter() {
    let world = World::new().await;
    let running = world.start().await;
    world.enrol().await;
    let publisher = publisher(&world, &[1]).await;
    let tickets = submit(&publisher, "lot", 100).await;
    let many: Vec<_> = (0..1_000)
        .map(|number| commission(&format!("many{number}")))
        .collect();
    let ticket = soon("room", publisher.submit_when_there_is_room(&many))
        .await
        .unwrap();
    assert_eq!(ticket.count, 4);
    proven(&publisher, tickets).await;
    proven(&publisher, vec![ticket]).await;

    let not_ours = Kind::OwnershipDeclared(v1::OwnershipDeclared {
        party: "https://id.gs1.org/417/9521230200103".into(),
        ..Default::default()
    });
    let ticket = publisher.submit(&[event("bad", not_ours)]).await.unwrap();
    let settled = soon("the refusal", publisher.wait_receipted(ticket))
        .await
        .unwrap();
    let [Settled::DeadLettered(letter)] = settled.as_slice() else {
        panic!("{settled:?}")
    };
    assert_eq!(letter.refusal, Refusal::WrongParty);
    assert_eq!(
        publisher.letters().await.unwrap().as_slice(),
        std::slice::from_ref(letter)
    );
    publisher.take_letter(letter.parcel).await.unwrap();
    assert_eq!(publisher.letters().await.unwrap(), []);

    let status = publisher.drain(DEADLINE).await.unwrap();
    assert_eq!((status.queued, status.unreceipted, status.alarms), (0, 0, 0));
    assert!(status.tree_size.get() > 100);
    check_each_admitted_once(&world, &running, "lot", 100).await;
    check_each_admitted_once(&world, &running, "many", 1_000).await;
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_ledger_that_is_away_is_waited_for() {
    let world = World::new().await;
    let running = world.start().await;
    world.enrol().await;
    running.stop().await;

    // Nobody has confirmed the feed's head yet: nothing is signed.
    let publisher = publisher(&world, &[1]).await;
    let mut tickets = submit(&publisher, "lot", 20).await;
    assert_eq!(publisher.status().queued, 20);
    let running = world.start().await;
    proven(&publisher, tickets).await;
    running.stop().await;

    // Confirmed in this run: signed and handed to the bus, which keeps it for the ledger.
    tickets = submit(&publisher, "more", 20).await;
    assert_eq!(publisher.status().unreceipted, 20);
    let left = publisher.drain(Duration::from_millis(300)).await.unwrap();
    assert_eq!(left.unreceipted, 20);
    let running = world.start().await;
    proven(&publisher, tickets).await;
    check_each_admitted_once(&world, &running, "lot", 20).await;
    check_each_admitted_once(&world, &running, "more", 20).await;
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_publisher_that_stops_goes_on_where_it_was() {
    let world = World::new().await;
    let running = world.start().await;
    world.enrol().await;
    for round in 0..5 {
        let publisher = publisher(&world, &[1]).await;
        submit(&publisher, &format!("round{round}-"), 40).await;
        let second = try_publisher(&world, &[1]).await;
        assert!(matches!(
            second,
            Err(PublishError::File(OutboxFileError::Locked(_)))
        ));
        publisher.stop().await.unwrap();
    }
    let publisher = publisher(&world, &[1]).await;
    let status = soon("the rest", publisher.drain(DEADLINE)).await.unwrap();
    assert_eq!(
        (status.queued, status.unreceipted, status.statements),
        (0, 0, 200)
    );
    assert_eq!(publisher.alarms().await.unwrap(), []);
    for round in 0..5 {
        check_each_admitted_once(&world, &running, &format!("round{round}-"), 40).await;
    }
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bus_that_is_killed_or_loses_its_storage_costs_nothing() {
    let mut world = World::new().await;
    let running = world.start().await;
    world.enrol().await;
    let publisher = publisher(&world, &[1]).await;
    proven(&publisher, submit(&publisher, "before", 10).await).await;
    running.stop().await;
    let mut tickets = submit(&publisher, "lost", 50).await;
    // What the bus acknowledged is gone with its storage, and with it the guard.
    world.own.server.kill().await;
    tickets.extend(submit(&publisher, "offline", 10).await);
    std::fs::remove_dir_all(world.own.server.folder().join("jetstream")).unwrap();
    world.own.server.restart().await.unwrap();
    lotproof_ledger::Folder::new(&world.folder)
        .order_reseed("the bus lost its storage")
        .unwrap();
    let running = world.start().await;
    proven(&publisher, tickets).await;
    check_each_admitted_once(&world, &running, "before", 10).await;
    check_each_admitted_once(&world, &running, "lost", 50).await;
    check_each_admitted_once(&world, &running, "offline", 10).await;
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_closed_feeds_events_move_to_the_next_key() {
    let world = World::new().await;
    let running = world.start().await;
    world.enrol().await;
    let publisher = publisher(&world, &[1]).await;
    proven(&publisher, submit(&publisher, "lot", 5).await).await;
    world
        .authority_says(&[
            event(
                "second",
                Kind::KeyAuthorised(v1::KeyAuthorised {
                    party: MAKER.into(),
                    key: key(2).feed().as_bytes().to_vec(),
                    replaces: key(1).feed().as_bytes().to_vec(),
                }),
            ),
            event(
                "close",
                Kind::FeedClosed(v1::FeedClosed {
                    key: key(1).feed().as_bytes().to_vec(),
                }),
            ),
        ])
        .await;
    publisher.add_key(key(2)).await.unwrap();
    proven(&publisher, submit(&publisher, "moved", 20).await).await;
    assert_eq!(publisher.status().feed, Some(key(2).feed()));
    check_each_admitted_once(&world, &running, "moved", 20).await;
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn strangers_on_the_bus_are_ignored_and_counted() {
    let world = World::new().await;
    let running = world.start().await;
    world.enrol().await;
    let publisher = publisher(&world, &[1]).await;
    let stranger = connect(&world.own.server).await;
    let names = BusNames::new(&world.identity.log_id);
    let feed = key(1).feed();
    // What the ledger said before, and noise.
    let mut receipts = stranger.client().subscribe(names.receipt(&feed)).await.unwrap();
    stranger.client().flush().await.unwrap();
    proven(&publisher, submit(&publisher, "lot", 3).await).await;
    let old = soon("a receipt", futures::StreamExt::next(&mut receipts))
        .await
        .unwrap()
        .payload;
    for number in 0..200_u8 {
        let mut bent = old.to_vec();
        let at = usize::from(number) % bent.len();
        bent[at] ^= 1 << (number % 8);
        for subject in [names.receipt(&feed), names.answer(&feed), names.head()] {
            stranger
                .client()
                .publish(subject, bent.clone().into())
                .await
                .unwrap();
        }
        stranger
            .client()
            .publish(names.receipt(&feed), old.clone())
            .await
            .unwrap();
    }
    stranger.client().flush().await.unwrap();
    until("all of it to be heard", async || {
        let ignored = publisher.status().ignored;
        (ignored.receipts, ignored.answers, ignored.checkpoints) == (200, 200, 200)
    })
    .await;
    proven(&publisher, submit(&publisher, "after", 3).await).await;
    let status = publisher.status();
    assert_eq!((status.letters, status.alarms, status.unreceipted), (0, 0, 0));
    check_each_admitted_once(&world, &running, "after", 3).await;
    running.stop().await;
}

//! SIGKILL at random moments while events flow: of the ledger, of publishers, of the projector and of the NATS
//! server; and the same with all of JetStream's storage deleted between kills, guard included.
//!
//! The projector is the compliance service, asked for its digests all the while: whatever it says at any size
//! must be what an offline fold of the final log says there.

use std::{fs, time::Duration};

use lotproof::wire::v1::ledger_record::Record;
use lotproof_ledger::Folder;
use tokio::time::Instant;

use super::{
    check::Checked,
    process::Process,
    watch::{self, Digests},
    world::{Chain, Flow},
};
use crate::{
    dice::{Dice, is_long},
    fixture::{DEADLINE, let_pass, until},
};

/// How many publishers there are, each for a maker of its own.
const PUBLISHERS: u8 = 3;

/// What was done to the chain.
#[derive(Debug, Default)]
struct Deeds {
    ledger: u32,
    publisher: u32,
    projector: u32,
    bus: u32,
    storage: u32,
    /// Deletions after which the operator had to reseed.
    reseeded: u32,
    /// How often the projector was asked for its digests, and had an answer.
    digests: usize,
}

/// A chain in which everything is killed, and whoever has died is started again.
struct Battle {
    chain: Chain,
    flow: Flow,
    dice: Dice,
    deeds: Deeds,
    /// Lots of each publisher.
    events: usize,
    publishers: Vec<(u8, Process)>,
    projector: Process,
    /// What it said, in all of its lives.
    said: Vec<Digests>,
    /// Whose turn is still to come.
    deck: Vec<u8>,
}

impl Battle {
    async fn prepare(test: &str, events: usize) -> Self {
        let dice = Dice::thrown_for(test);
        let mut chain = Chain::with_makers(PUBLISHERS).await;
        chain.allow(0);
        let publishers = (1..=PUBLISHERS)
            .map(|n| (n, chain.spawn_publisher(n, events)))
            .collect();
        Self {
            flow: chain.flow(),
            projector: chain.spawn_projector(),
            said: Vec::new(),
            chain,
            dice,
            deeds: Deeds::default(),
            events,
            publishers,
            deck: Vec::new(),
        }
    }

    /// Lets more events flow, and returns at a random moment after some of them were taken.
    async fn until_under_way(&mut self, allowed: usize) {
        let before = self.taken_len();
        self.flow.raise(allowed);
        let deadline = Instant::now() + DEADLINE;
        while self.taken_len() == before {
            assert!(Instant::now() < deadline, "nothing is taken any more");
            self.nobody_gives_up();
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        let_pass(&mut self.dice, Duration::from_millis(150)).await;
    }

    /// How long the outboxes are, all together, in bytes.
    fn taken_len(&self) -> u64 {
        let files = self
            .chain
            .outboxes
            .iter()
            .map(|(_, folder)| folder.join("outbox"));
        files
            .filter_map(|file| Some(fs::metadata(file).ok()?.len()))
            .sum()
    }

    /// Nobody ends by himself, however often the bus is not there, but for a publisher that is done.
    fn nobody_gives_up(&mut self) {
        let ended = self.chain.ledger().has_ended();
        assert!(ended.is_none(), "{}", self.chain.ledger().complaint());
        assert!(
            self.projector.has_ended().is_none(),
            "{}",
            self.projector.complaint()
        );
        for (n, publisher) in &mut self.publishers {
            if let Some(status) = publisher.has_ended() {
                assert!(status.success(), "publisher {n}: {}", publisher.complaint());
            }
        }
    }

    /// Asks the projector, if it listens already.
    async fn ask_projector(&mut self) {
        if let Some(address) = self.projector.line("listening ")
            && let Some(digests) = Digests::asked(&address).await
        {
            self.said.push(digests);
        }
    }

    /// Kills one of them, and starts it again. In any nine rounds everybody gets his turn.
    async fn kill_someone(&mut self) {
        self.ask_projector().await;
        if self.deck.is_empty() {
            self.deck = (0..9).collect();
        }
        let card = self.dice.place(self.deck.len());
        match self.deck.swap_remove(card) {
            0..3 => {
                self.chain.kill_ledger();
                self.deeds.ledger += 1;
                self.chain.begin_ledger(None);
                if self.dice.below(4) > 0 {
                    self.wait_for_ledger().await;
                }
            }
            3..5 => {
                let who = self.dice.place(self.publishers.len());
                let (n, publisher) = &mut self.publishers[who];
                publisher.kill();
                *publisher = self.chain.spawn_publisher(*n, self.events);
                self.deeds.publisher += 1;
            }
            5..7 => {
                self.chain.own.server.kill().await;
                let_pass(&mut self.dice, Duration::from_millis(300)).await;
                self.chain.own.server.restart().await.expect("the server again");
                self.deeds.bus += 1;
            }
            _ => {
                // It stores nothing, so it begins with the first entry again.
                self.projector.kill();
                self.projector = self.chain.spawn_projector();
                self.deeds.projector += 1;
            }
        }
    }

    async fn wait_for_ledger(&mut self) {
        let deadline = Instant::now() + DEADLINE;
        while self.chain.ledger().line("listening ").is_none() {
            assert!(Instant::now() < deadline, "{}", self.chain.ledger().complaint());
            self.nobody_gives_up();
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    /// Deletes all that JetStream stores, and does what the operator does when the ledger says so.
    async fn delete_storage(&mut self) {
        // Before, so that its halt is of this deletion.
        self.wait_for_ledger().await;
        let is_dead = self.dice.below(2) == 0;
        if is_dead {
            self.chain.kill_ledger();
        }
        self.chain.own.server.kill().await;
        fs::remove_dir_all(self.chain.own.server.folder().join("jetstream")).expect("deleted");
        self.chain.own.server.restart().await.expect("the server again");
        self.deeds.storage += 1;
        if !is_dead {
            self.chain.ledger().end("the ledger to halt").await;
            let why = self.chain.ledger().complaint();
            assert!(why.contains("the bus lost its streams"), "{why}");
        }
        // Starting it again is not enough: it cannot know that this store is the newest. Only if a commit was in hand
        // when the storage went, the guard was written anew.
        self.chain.begin_ledger(None);
        let deadline = Instant::now() + DEADLINE;
        while self.chain.ledger().has_ended().is_none() {
            assert!(Instant::now() < deadline, "{}", self.chain.ledger().complaint());
            if !is_dead && self.chain.ledger().line("listening ").is_some() {
                return;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        self.chain.ledger().end("the ledger to halt").await;
        let why = self.chain.ledger().complaint();
        assert!(why.contains("the guard is missing or empty"), "{why}");
        assert!(why.contains("lotproof ledger reseed"), "{why}");
        self.deeds.reseeded += 1;
        Folder::new(&self.chain.folder)
            .order_reseed("the storage of the bus was deleted")
            .expect("ordered");
        self.chain.begin_ledger(None);
        self.wait_for_ledger().await;
    }

    /// Waits until the projector is at this head, and says the same.
    async fn projector_says(&mut self, offline: &Digests) {
        let address = self.projector.wait_for("listening ").await;
        let said = std::cell::Cell::new(None);
        until(&format!("the projector at {}", offline.head.size), async || {
            let digests = Digests::asked(&address).await;
            let is_there = digests.as_ref().is_some_and(|said| said.head == offline.head);
            said.set(digests);
            is_there
        })
        .await;
        assert_eq!(said.take().as_ref(), Some(offline));
    }

    /// Lets the rest happen undisturbed, and checks everything.
    async fn end(mut self) -> (Checked, Deeds) {
        self.flow.raise(self.events);
        let limit = Instant::now() + DEADLINE * 4;
        while self
            .publishers
            .iter_mut()
            .any(|(_, publisher)| publisher.has_ended().is_none())
        {
            assert!(Instant::now() < limit, "the publishers are not done");
            self.nobody_gives_up();
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        self.nobody_gives_up();
        self.wait_for_ledger().await;
        let checked = self.chain.check().await;
        let lots = usize::from(PUBLISHERS) * self.events;
        assert_eq!(
            checked.events,
            lots + 3 * usize::from(PUBLISHERS),
            "acts and lots"
        );
        let offline = Digests::of(&checked.log.projector);
        self.projector_says(&offline).await;
        self.projector.kill();
        self.projector = self.chain.spawn_projector();
        self.projector_says(&offline).await;
        self.deeds.digests = self.said.len();
        watch::compare(&checked.log.entries, &self.said);
        (checked, self.deeds)
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn kills_at_random_moments_lose_and_double_nothing() {
    let (events, rounds) = if is_long() { (6_667, 120) } else { (1_334, 24) };
    let mut battle = Battle::prepare("kills", events).await;
    for round in 1..=rounds {
        battle.until_under_way(events * round / rounds).await;
        battle.kill_someone().await;
    }
    let (checked, deeds) = battle.end().await;
    println!("{checked}; {deeds:?}");
    let each = [deeds.ledger, deeds.publisher, deeds.projector, deeds.bus];
    assert!(each.iter().all(|count| *count > 0), "{deeds:?}");
    assert!(deeds.digests > 0, "the projector was never heard");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bus_that_loses_all_its_storage_between_kills_loses_nothing_of_ours() {
    let (events, rounds) = if is_long() { (3_000, 36) } else { (1_000, 12) };
    let mut battle = Battle::prepare("storage", events).await;
    for round in 1..=rounds {
        battle.until_under_way(events * round / rounds).await;
        if round % 3 == 0 {
            battle.delete_storage().await;
        } else {
            battle.kill_someone().await;
        }
    }
    let (checked, deeds) = battle.end().await;
    let reseeded = checked.log.records().into_iter().filter(|record| {
        matches!(record, Record::GuardReseeded(reseed) if reseed.reason == "the storage of the bus was deleted")
    });
    assert_eq!(reseeded.count(), usize::try_from(deeds.reseeded).unwrap());
    println!("{checked}; {deeds:?}");
}

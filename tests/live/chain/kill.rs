//! SIGKILL at random moments while events flow: of the ledger, of publishers, of a projector and of the NATS
//! server; and the same with all of JetStream's storage deleted between kills, guard included.

use std::{fs, time::Duration};

use lotproof::wire::v1::ledger_record::Record;
use lotproof_ledger::Folder;
use tokio::time::Instant;

use super::{
    check::Checked,
    dice::{Dice, is_long},
    process::Process,
    world::{Chain, Flow},
};
use crate::fixture::DEADLINE;

/// How many publishers there are, each for a maker of its own.
const PUBLISHERS: u8 = 3;

/// What was done to the chain.
#[derive(Debug, Default)]
struct Deeds {
    ledger: u32,
    publisher: u32,
    follower: u32,
    bus: u32,
    storage: u32,
    /// How often the ledger ended by itself and was started again, because the bus went away under it.
    gave_up: u32,
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
    follower: Option<Process>,
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
            chain,
            dice,
            deeds: Deeds::default(),
            events,
            publishers,
            follower: None,
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
            self.start_what_ended();
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        self.dice.let_pass(Duration::from_millis(150)).await;
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

    /// What a supervisor does. A ledger may end by itself because it found no bus at its start; never
    /// because of what it found in its folder, or because it thinks that others are running.
    fn start_what_ended(&mut self) {
        if self.chain.ledger().has_ended().is_some() {
            let why = self.chain.ledger().complaint();
            let is_of_the_bus = [
                "connecting to the bus",
                "cannot be",
                "subscribing",
                "publishing to the bus",
            ];
            assert!(is_of_the_bus.iter().any(|reason| why.contains(reason)), "{why}");
            self.deeds.gave_up += 1;
            self.chain.begin_ledger(None);
        }
        for (n, publisher) in &mut self.publishers {
            if let Some(status) = publisher.has_ended() {
                assert!(status.success(), "publisher {n}: {}", publisher.complaint());
            }
        }
    }

    /// Kills one of them, and starts it again. In any eight rounds everybody gets his turn.
    async fn kill_someone(&mut self) {
        if self.deck.is_empty() {
            self.deck = vec![0, 1, 2, 3, 4, 5, 6, 7];
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
                self.dice.let_pass(Duration::from_millis(300)).await;
                self.chain.own.server.restart().await.expect("the server again");
                self.deeds.bus += 1;
            }
            _ => {
                self.follower = Some(self.chain.spawn_follower());
                self.deeds.follower += 1;
            }
        }
    }

    async fn wait_for_ledger(&mut self) {
        let deadline = Instant::now() + DEADLINE;
        while self.chain.ledger().line("listening ").is_none() {
            assert!(Instant::now() < deadline, "{}", self.chain.ledger().complaint());
            self.start_what_ended();
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
            let reasons = [
                "the guard was wiped while this ledger ran",
                "the bus lost its streams",
            ];
            assert!(reasons.iter().any(|reason| why.contains(reason)), "{why}");
        }
        // Starting it again is not enough: it cannot know that this store is the newest.
        self.chain.begin_ledger(None);
        self.chain.ledger().end("the ledger to halt").await;
        let why = self.chain.ledger().complaint();
        assert!(why.contains("the guard is missing or empty"), "{why}");
        assert!(why.contains("lotproof ledger reseed"), "{why}");
        Folder::new(&self.chain.folder)
            .order_reseed("the storage of the bus was deleted")
            .expect("ordered");
        self.chain.begin_ledger(None);
        self.wait_for_ledger().await;
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
            self.start_what_ended();
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        self.start_what_ended();
        self.wait_for_ledger().await;
        let checked = self.chain.check().await;
        let lots = usize::from(PUBLISHERS) * self.events;
        assert_eq!(
            checked.events,
            lots + 3 * usize::from(PUBLISHERS),
            "acts and lots"
        );
        fs::write(
            self.chain.root().join("goal"),
            checked.log.head().size.to_string(),
        )
        .expect("written");
        let mut follower = match self.follower.take() {
            Some(follower) => follower,
            None => self.chain.spawn_follower(),
        };
        let folded = follower.wait_for("folded ").await;
        let head = checked.log.head();
        let digest = checked.log.projector.projection().state_digest();
        assert_eq!(folded, format!("{} {} {digest}", head.size, head.root));
        let seen = self.chain.seen_over_http();
        for signed in seen.iter().filter_map(|note| self.chain.signed(note)) {
            assert!(checked.log.had(signed.head()), "{:?}", signed.head());
        }
        (checked, self.deeds)
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn kills_at_random_moments_lose_and_double_nothing() {
    let (events, rounds) = if is_long() { (6_667, 120) } else { (1_334, 24) };
    let mut battle = Battle::prepare("kills", events).await;
    for round in 1..=rounds {
        battle.until_under_way(events * round / rounds).await;
        if round == rounds / 2 {
            battle.follower = Some(battle.chain.spawn_follower());
        }
        battle.kill_someone().await;
    }
    let (checked, deeds) = battle.end().await;
    println!("{checked}; {deeds:?}");
    let each = [deeds.ledger, deeds.publisher, deeds.follower, deeds.bus];
    assert!(each.iter().all(|count| *count > 0), "{deeds:?}");
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
    assert_eq!(reseeded.count(), usize::try_from(deeds.storage).unwrap());
    println!("{checked}; {deeds:?}");
}

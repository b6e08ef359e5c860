//! A clock that is wrong at the start of the machine, and corrected later: at +2 minutes, +9 hours (a hardware clock in
//! Korean time) and in 2040.

use std::sync::{
    Arc,
    atomic::{AtomicI64, Ordering},
};

use lotproof::code::Outcome;
use lotproof_ledger::{ClockSource, Config, Folder, Reading};

use crate::{
    fixture::soon,
    ledger::{MAKER, Publisher, Running, World, commission},
};

const MINUTE: i64 = 60_000_000_000;
const HOUR: i64 = 60 * MINUTE;
const TO_2040: i64 = 14 * 365 * 24 * HOUR;

/// The machine's clock, as far off as it is set.
#[derive(Clone, Default)]
struct Wrong(Arc<AtomicI64>);

impl Wrong {
    fn by(nanos: i64) -> Self {
        Self(Arc::new(AtomicI64::new(nanos)))
    }

    fn correct(&self) {
        self.0.store(0, Ordering::SeqCst);
    }

    /// In a boot of this name.
    fn of_boot(&self, boot: u32) -> impl FnOnce(&mut Config) + use<> {
        let off = self.0.clone();
        move |config| {
            config.clock.synchronised = "/nowhere/synchronised".into();
            config.clock.source = ClockSource::new(move || {
                let now = Reading::now();
                Reading {
                    boot_id: format!("boot {boot}"),
                    wall_nanos: now.wall_nanos + off.load(Ordering::SeqCst),
                    ..now
                }
            });
        }
    }
}

/// A log with a maker's lot in it, whose ledger is stopped.
async fn log() -> (World, Publisher) {
    let world = World::new().await;
    let ledger = world.start_with(Wrong::default().of_boot(1)).await;
    world.enrol().await;
    let mut maker = world.publisher(MAKER, 1).await;
    publishes(&mut maker, "A").await;
    ledger.stop().await;
    (world, maker)
}

async fn publishes(maker: &mut Publisher, id: &str) {
    let sequence = maker.publish(&[commission(id)]).await;
    assert_eq!(maker.receipt(sequence).await.1, Outcome::Admitted);
}

/// Publishes a lot that the ledger halts at, and returns why it does.
async fn halts(ledger: Running, maker: &mut Publisher, id: &str) -> String {
    maker.publish(&[commission(id)]).await;
    let ended = soon("the ledger to halt", ledger.task).await.unwrap();
    format!("{:#}", ended.expect_err("it halts"))
}

fn accept(world: &World) {
    Folder::new(&world.folder)
        .order_accept_clock("the clock was set right")
        .unwrap();
}

/// From a ledger that runs ahead of time to the corrected clock: one order, and no waiting.
async fn is_corrected(world: &World, maker: &mut Publisher, ledger: Running, clock: &Wrong, boot: u32) {
    publishes(maker, "ahead").await;
    clock.correct();
    let why = halts(ledger, maker, "waits").await;
    assert!(
        why.contains("the clock jumped by -") && why.contains("lotproof ledger accept-clock"),
        "{why}"
    );
    // A start alone is no consent.
    let why = world.refusal_with(clock.of_boot(boot)).await;
    assert!(why.contains("lotproof ledger accept-clock"), "{why}");
    accept(world);
    let ledger = world.start_with(clock.of_boot(boot)).await;
    publishes(maker, "corrected").await;
    ledger.stop().await;
    for boot in [boot, boot + 1] {
        let ledger = world.start_with(clock.of_boot(boot)).await;
        publishes(maker, &format!("later-{boot}")).await;
        ledger.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn two_minutes_ahead_at_a_start_are_corrected_with_one_order() {
    let (world, mut maker) = log().await;
    let clock = Wrong::by(2 * MINUTE);
    let ledger = world.start_with(clock.of_boot(2)).await;
    is_corrected(&world, &mut maker, ledger, &clock, 2).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_start_far_ahead_of_time_stamps_nothing() {
    for ahead in [9 * HOUR, TO_2040] {
        let (world, mut maker) = log().await;
        let clock = Wrong::by(ahead);
        for boot in [2, 3] {
            let why = world.refusal_with(clock.of_boot(boot)).await;
            assert!(
                why.contains("not say that it is synchronised") && why.contains("accept-clock"),
                "{why}"
            );
        }
        clock.correct();
        let ledger = world.start_with(clock.of_boot(4)).await;
        publishes(&mut maker, "in-time").await;
        ledger.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_clock_in_2040_that_was_accepted_by_mistake_is_corrected_with_one_order() {
    let (world, mut maker) = log().await;
    let clock = Wrong::by(TO_2040);
    accept(&world);
    let ledger = world.start_with(clock.of_boot(2)).await;
    is_corrected(&world, &mut maker, ledger, &clock, 2).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_clock_file_that_cannot_be_read_is_doubt() {
    let (world, mut maker) = log().await;
    for content in ["", "garbage", "{}"] {
        std::fs::write(world.folder.join("clock.json"), content).unwrap();
        let why = world.refusal_with(Wrong::default().of_boot(1)).await;
        assert!(
            why.contains("clock.json cannot be read") && why.contains("accept-clock"),
            "{why}"
        );
        accept(&world);
        let ledger = world.start_with(Wrong::default().of_boot(1)).await;
        publishes(&mut maker, &format!("after-{}", content.len())).await;
        ledger.stop().await;
    }
}

//! The ledger stopped right before each named step of a commit, while publishers go on.

use std::{collections::BTreeMap, os::unix::process::ExitStatusExt as _, time::Duration};

use lotproof::sequencer::Step;
use tokio::time::Instant;

use super::world::Chain;
use crate::{
    dice::{Dice, is_long},
    fixture::{DEADLINE, until},
};

/// How a process ends that stopped itself.
const SIGABRT: i32 = 6;
/// Lots of each publisher: more than the rounds need.
const EVENTS: usize = 4_000;

#[tokio::test(flavor = "multi_thread")]
async fn a_ledger_stopped_before_each_step_of_a_commit_loses_and_doubles_nothing() {
    let rounds = if is_long() { 12 } else { 3 };
    let mut dice = Dice::thrown_for("steps");
    let mut chain = Chain::with_makers(2).await;
    chain.allow(0);
    let mut publishers = [1, 2].map(|n| chain.spawn_publisher(n, EVENTS));
    let mut allowed = 0;
    let mut stopped: BTreeMap<Step, u32> = BTreeMap::new();
    for step in Step::ALL.into_iter().cycle().take(rounds * Step::ALL.len()) {
        chain.kill_ledger();
        // Commit 0 is what a start finishes of the run before; it persists nothing.
        let commit = dice.below(3) + u64::from(step == Step::Persist);
        chain.begin_ledger(Some(format!("{}:{commit}", step.name())));
        // More lots, bit by bit, for as many commits as it takes.
        let deadline = Instant::now() + DEADLINE;
        let status = loop {
            if let Some(status) = chain.ledger().has_ended() {
                break status;
            }
            assert!(
                Instant::now() < deadline,
                "commit {commit} never came to {step:?}"
            );
            allowed += 1;
            assert!(allowed < EVENTS, "the lots are used up");
            chain.allow(allowed);
            tokio::time::sleep(Duration::from_millis(5)).await;
        };
        let why = chain.ledger().complaint();
        assert_eq!(status.signal(), Some(SIGABRT), "before {step:?}: {why}");
        *stopped.entry(step).or_default() += 1;
    }
    assert_eq!(stopped.len(), Step::ALL.len(), "every step was hit");
    chain.start_ledger().await;
    // What is left does not matter here: it goes out in big bites.
    chain.allow(EVENTS);
    for publisher in &mut publishers {
        let publisher = std::cell::RefCell::new(publisher);
        until("the publishers to be done", async || {
            publisher.borrow_mut().has_ended().is_some()
        })
        .await;
        let status = publisher.borrow_mut().has_ended().expect("ended");
        assert!(status.success(), "{}", publisher.borrow().complaint());
    }
    let checked = chain.check().await;
    assert_eq!(checked.events, 2 * EVENTS + 6);
    println!("stopped before {stopped:?}; {checked}");
}

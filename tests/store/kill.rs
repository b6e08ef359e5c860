//! SIGKILL at random moments: nothing acknowledged is lost.

use std::{
    io::{BufRead as _, BufReader},
    path::Path,
    process::Stdio,
    time::Duration,
};

use lotproof::{port::EntryStore as _, shell::store::Store};

use crate::{
    dice::{Dice, is_long},
    support::{check, options},
    worker,
};

/// Above this many entries a round begins with an empty folder, to keep checking quick.
const SIZE_MAX: u64 = 30_000;

#[test]
fn nothing_acknowledged_is_lost_to_sigkill() {
    let rounds = if is_long() { 300 } else { 30 };
    let mut dice = Dice::thrown_for("kill");
    let mut folder = tempfile::tempdir().unwrap();
    let (mut acknowledged, mut rebuilt, mut total) = (0, 0, 0);
    for round in 0..rounds {
        let before = acknowledged;
        acknowledged = acknowledged.max(run_and_kill(folder.path(), &mut dice));
        total += acknowledged - before;
        let mut store = Store::open(folder.path(), &options("boot 0")).unwrap();
        if let Some(why) = store.rebuilt() {
            println!("round {round}: rebuilt, {why}");
            rebuilt += 1;
        }
        let size = store.size().get();
        assert!(
            size >= acknowledged,
            "round {round}: {size} of {acknowledged} acknowledged entries"
        );
        check(&store.reader(), size).unwrap_or_else(|why| panic!("round {round}: {why}"));
        check_chunks(&store);
        crate::support::append(&mut store, 3);
        acknowledged = store.size().get();
        // Half the time the next worker finds a store that was not closed.
        if dice.one_in(2) {
            store.close().unwrap();
        } else {
            store.drain().unwrap();
            drop(store);
        }
        if acknowledged > SIZE_MAX {
            folder = tempfile::tempdir().unwrap();
            acknowledged = 0;
        }
    }
    println!(
        "{rounds} kills, {total} acknowledged entries, none lost; the index was rebuilt {rebuilt} times"
    );
}

fn check_chunks(store: &Store) {
    let [first, second] = [b"1", b"2"].map(|key| {
        let chunk = store.reader().chunk("worker", key).unwrap().unwrap_or_default();
        std::str::from_utf8(&chunk).unwrap().parse::<u64>().unwrap_or(0)
    });
    assert!(first >= second, "a later chunk is there without the earlier one");
    assert!(
        first <= store.size().get(),
        "a chunk knows of entries that are not there"
    );
}

/// Runs a worker, kills it at a random moment and returns the largest size that it acknowledged.
fn run_and_kill(folder: &Path, dice: &mut Dice) -> u64 {
    let mut child = worker::command(folder, dice.next(), u64::MAX, None)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let mut acknowledged = 0;
    // Often in the first moments, while it opens; otherwise after some commits.
    let wait_for = if dice.one_in(4) { 0 } else { 1 + dice.below(120) };
    let mut seen = 0;
    while seen < wait_for {
        let line = lines.next().expect("the worker ended by itself").unwrap();
        if let Some(size) = line.strip_prefix("ack ") {
            acknowledged = size.parse().unwrap();
            seen += 1;
        }
    }
    // Not a wait for anything: the random moment itself.
    std::thread::sleep(Duration::from_micros(dice.below(30_000)));
    child.kill().unwrap();
    for line in lines {
        if let Some(size) = line.unwrap().strip_prefix("ack ") {
            acknowledged = size.parse().unwrap();
        }
    }
    child.wait().unwrap();
    acknowledged
}

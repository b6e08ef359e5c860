//! The child process of the outbox's power-cut test: this test binary run again, told by its environment to
//! publish, and to say what left.

use std::{
    fs::File,
    io::Write as _,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use super::{
    desk::{Desk, Said, places},
    ledger::Ledger,
};
use crate::dice::Dice;

const FOLDER: &str = "LOTPROOF_OUTBOX_FOLDER";
const SEED: &str = "LOTPROOF_OUTBOX_SEED";
const TURNS: &str = "LOTPROOF_OUTBOX_TURNS";
const BESIDE: &str = "LOTPROOF_OUTBOX_BESIDE";
const ACKS: &str = "LOTPROOF_OUTBOX_ACKS";
const LEDGER: &str = "LOTPROOF_OUTBOX_LEDGER";

/// The command that runs a worker: everything said goes to `acks`, and what reaches the ledger to the file
/// `ledger`, which no power cut touches.
pub(super) fn command(
    folder: &Path,
    seed: u64,
    turns: u64,
    is_beside: bool,
    (acks, ledger): (&Path, &Path),
) -> Command {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command
        .args([
            "--exact",
            "outbox::worker::run",
            "--nocapture",
            "--test-threads=1",
        ])
        .env(FOLDER, folder)
        .env(SEED, seed.to_string())
        .env(TURNS, turns.to_string())
        .env(BESIDE, is_beside.to_string())
        .env(ACKS, acks)
        .env(LEDGER, ledger)
        .stdin(Stdio::null())
        .stderr(Stdio::null());
    command
}

/// Does nothing in an ordinary run of the tests; in a worker it is the whole program.
#[test]
fn run() {
    let Ok(folder) = std::env::var(FOLDER).map(PathBuf::from) else {
        return;
    };
    let variable = |name| std::env::var(name).unwrap();
    let seed: u64 = variable(SEED).parse().unwrap();
    let turns: u64 = variable(TURNS).parse().unwrap();
    let places = places(&folder, variable(BESIDE).parse().unwrap());
    let append = |name| File::options().append(true).create(true).open(variable(name));
    let (mut acks, mut arrived) = (append(ACKS).unwrap(), append(LEDGER).unwrap());
    let mut ledger = Ledger::new();
    for line in std::fs::read_to_string(variable(LEDGER)).unwrap().lines() {
        ledger.deliver(&hex::decode(line).unwrap().into());
    }
    let mut say = |said: &Said| {
        // One write, so that a line is there whole or not at all.
        acks.write_all(said.to_line().as_bytes()).unwrap();
        if let Said::Published {
            arrives: true,
            envelope,
        } = said
        {
            let line = format!("{}\n", hex::encode(envelope));
            arrived.write_all(line.as_bytes()).unwrap();
        }
    };
    let mut dice = Dice::new(seed);
    let mut desk = Some(Desk::open(&places, ledger, dice.next(), 8, &mut say).unwrap());
    let mut numbers = 0..;
    for _ in 0..turns {
        let open = desk.as_mut().unwrap();
        match dice.below(24) {
            0..10 => {
                let is_many = dice.one_in(6);
                let count = 1 + dice.below(if is_many { 20 } else { 3 });
                let ids = (0..count).map(|_| format!("{seed}-{}", numbers.next().unwrap()));
                open.submit(ids.collect()).unwrap();
            }
            10 | 11 => open.mirrored().unwrap(),
            12 | 13 => open.compact().unwrap(),
            // Long enough for housekeeping.
            14 => open.turn(61_000).unwrap(),
            _ => {}
        }
        let open = desk.as_mut().unwrap();
        open.turn(100 + dice.below(300)).unwrap();
        assert!(open.wrong.is_empty(), "{:?}", open.wrong);
        if dice.one_in(20) {
            // Ends and begins again.
            let ledger = open.ledger.clone();
            let say = desk.take().unwrap().into_say();
            desk = Some(Desk::open(&places, ledger, dice.next(), 8, say).unwrap());
        }
    }
}

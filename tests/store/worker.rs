//! The child process of the kill and power-cut tests: this test binary run again, told by its
//! environment to append to a store and to say what was acknowledged.

use std::{
    fs::File,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use bytes::Bytes;
use lotproof::{port::EntryStore as _, shell::store::Store};

use crate::{
    dice::Dice,
    support::{append, options},
};

const FOLDER: &str = "LOTPROOF_WORKER_FOLDER";
const SEED: &str = "LOTPROOF_WORKER_SEED";
const COMMITS: &str = "LOTPROOF_WORKER_COMMITS";
const ACKS: &str = "LOTPROOF_WORKER_ACKS";

/// The command that runs a worker on `folder`: `commits` commits, after each the size in a line of the
/// file `acks` (or `ack SIZE` on standard output).
pub(crate) fn command(folder: &Path, seed: u64, commits: u64, acks: Option<&Path>) -> Command {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command
        .args(["--exact", "worker::run", "--nocapture", "--test-threads=1"])
        .env(FOLDER, folder)
        .env(SEED, seed.to_string())
        .env(COMMITS, commits.to_string())
        .stdin(Stdio::null())
        .stderr(Stdio::null());
    if let Some(acks) = acks {
        command.env(ACKS, acks);
    }
    command
}

/// Does nothing in an ordinary run of the tests; in a worker it is the whole program.
#[test]
fn run() {
    let Ok(folder) = std::env::var(FOLDER).map(PathBuf::from) else {
        return;
    };
    let number = |name| std::env::var(name).unwrap().parse::<u64>().unwrap();
    let mut dice = Dice::new(number(SEED));
    let commits = number(COMMITS);
    let mut acks: Box<dyn std::io::Write> = match std::env::var_os(ACKS) {
        Some(path) => Box::new(File::options().append(true).create(true).open(path).unwrap()),
        None => Box::new(Prefixed),
    };
    let mut store = Store::open(&folder, &options("boot 0")).unwrap();
    acknowledge(&mut acks, &store);
    for _ in 0..commits {
        match dice.below(40) {
            // Ends cleanly and begins again.
            0 => {
                store.close().unwrap();
                store = Store::open(&folder, &options("boot 0")).unwrap();
            }
            // The same, and the index has to be rebuilt.
            1 => {
                store.reader().distrust_index("the worker says so");
                drop(store);
                store = Store::open(&folder, &options("boot 0")).unwrap();
            }
            _ => {}
        }
        let large = dice.one_in(8);
        let count = 1 + dice.below(if large { 700 } else { 12 });
        append(&mut store, count);
        acknowledge(&mut acks, &store);
        if dice.one_in(4) {
            // A later chunk is never there without the earlier one.
            let value = Bytes::from(store.size().to_string());
            for key in [b"1", b"2"] {
                store.reader().put_chunk("worker", key, value.clone()).unwrap();
            }
        }
    }
    store.close().unwrap();
}

fn acknowledge(acks: &mut dyn std::io::Write, store: &Store) {
    // One write, so that a line is there whole or not at all.
    acks.write_all(format!("{}\n", store.size()).as_bytes()).unwrap();
}

/// Standard output, with what the test harness prints there told apart.
struct Prefixed;

impl std::io::Write for Prefixed {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        let mut out = std::io::stdout().lock();
        out.write_all(&[b"\nack ", bytes].concat())?;
        out.flush()?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        std::io::stdout().flush()
    }
}

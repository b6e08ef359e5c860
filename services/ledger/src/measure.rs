//! How long a long log takes to open: run by hand, in release mode.
//!
//! ```text
//! export LOTPROOF_LONG_LOG=/some/folder LOTPROOF_LONG_LOG_STATEMENTS=2000000
//! cargo test --release -p lotproof-ledger --lib measure::makes -- --ignored --nocapture
//! cargo test --release -p lotproof-ledger --lib measure::opens -- --ignored --nocapture
//! ```
//!
//! The log is of single-event statements, from 16 feeds in turn. The second command may be repeated; with
//! `LOTPROOF_LONG_LOG_WHOLE=1` it forgets the snapshots first.

use std::{env, fs, path::PathBuf, time::Instant};

use bytes::Bytes;
use lotproof::{
    admission::kept::Kept,
    id::LeafIndex,
    port::EntryStore as _,
    publish::pack,
    shell::store::{Options, Reader, Store},
    time::IssuedAt,
    wire::v1::{self, event::Kind},
};
use rayon::prelude::*;

use crate::{
    folder::Folder,
    folding::{self, Opened},
    opening::Opening,
    tests::World,
};

const FEEDS: u8 = 16;
/// Statements of each feed in a commit.
const EACH: usize = 256;

fn folder() -> Folder {
    Folder::new(PathBuf::from(
        env::var_os("LOTPROOF_LONG_LOG").expect("LOTPROOF_LONG_LOG names a folder"),
    ))
}

fn resident() -> String {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let lines = status
        .lines()
        .filter(|line| line.starts_with("VmHWM") || line.starts_with("VmRSS"));
    lines
        .map(|line| line.split_whitespace().collect::<Vec<_>>().join(" "))
        .collect::<Vec<_>>()
        .join(", ")
}

#[test]
#[ignore = "takes minutes and gigabytes: see the module"]
fn makes() {
    let wanted: usize = env::var("LOTPROOF_LONG_LOG_STATEMENTS").map_or(2_000_000, |n| n.parse().unwrap());
    let mut world = World::new();
    let feeds: Vec<u8> = (1..=FEEDS).collect();
    world.enrol(&feeds);
    world.promise();
    let mut signers: Vec<_> = feeds.iter().map(|feed| world.signer(*feed)).collect();
    let mut made = 0;
    while made < wanted {
        let signed: Vec<Vec<Bytes>> = signers
            .par_iter_mut()
            .map(|signer| {
                let sign = |number: usize| {
                    let shipment = format!("https://id.gs1.org/402/{:017}", made + number);
                    let event = World::event(
                        &format!("e{}", made + number),
                        Kind::ShipmentLapsed(v1::ShipmentLapsed { shipment }),
                    );
                    let events = pack(&[event]).unwrap().remove(0);
                    signer
                        .sign(IssuedAt::from_nanos(crate::tests::NOW), &events)
                        .envelope
                };
                (0..EACH).map(sign).collect()
            })
            .collect();
        let mut batch = Vec::with_capacity(signed.len() * EACH);
        for number in 0..EACH {
            batch.extend(signed.iter().map(|feed| feed[number].clone()));
        }
        made += batch.len();
        assert!(world.commit(batch).answers.is_empty());
        world.promise();
        world.keep_if_due();
    }
    let size = world.store.size();
    world.keep();
    println!("{size} entries; {}", resident());
    let closed = world.closed();
    copy_folder(closed.folder.path(), folder().path());
}

fn copy_folder(from: &std::path::Path, to: &std::path::Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy_folder(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), target).unwrap();
        }
    }
}

#[test]
#[ignore = "needs what `makes` made"]
#[expect(clippy::disallowed_methods, reason = "it measures")]
fn opens() {
    let folder = folder();
    let identity = folder.identity().unwrap();
    if env::var_os("LOTPROOF_LONG_LOG_WHOLE").is_some() {
        let store = Store::open(&folder.store(), &Options::default()).unwrap();
        let first = store.read(LeafIndex::GENESIS, 1).unwrap();
        let genesis = lotproof::admission::LedgerState::from_genesis(&first[0]).unwrap();
        let mut kept = Kept::<Reader>::new(store.reader(), genesis.log_id());
        kept.forget_snapshots().unwrap();
        store.close().unwrap();
    }
    let start = Instant::now();
    let Opened {
        store,
        sequencer,
        started_from,
        ..
    } = folding::open(&folder, &identity, &Opening::default()).unwrap();
    println!(
        "{} entries open in {:.2?}, from a snapshot at {started_from}; {}",
        store.size(),
        start.elapsed(),
        resident()
    );
    assert_eq!(sequencer.state().size(), store.size());
    drop(sequencer);
    store.close().unwrap();
}

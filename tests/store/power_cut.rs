//! The power cut: a worker's file operations are recorded, the disk is stopped at many moments in many
//! ways, and each image is opened by the store, which must have everything acknowledged before it.

use std::path::Path;

use lotproof::{port::EntryStore as _, shell::store::Store};

use crate::{
    dice::{Dice, is_long},
    disk::{self, Lie},
    support::{append, check, options},
    trace::{self, Op},
    worker,
};

/// What was found in the images of one or more traces.
#[derive(Debug, Default)]
struct Findings {
    images: u64,
    rebuilt: u64,
    /// Entries below the acknowledged size that are not there, or a store that does not open.
    failures: Vec<String>,
}

/// Some traces: each of a few workers, all but the last ended in the middle of something.
fn traces(dice: &mut Dice, count: u64) -> Vec<Vec<Op>> {
    let one = |_| {
        let exits: Vec<u64> = (0..dice.below(3)).map(|_| 20 + dice.below(400)).collect();
        let seed = dice.next() >> 1;
        trace::record(&exits, |generation, folder, acks| {
            worker::command(folder, seed + generation, 40, Some(acks))
        })
    };
    (0..count).map(one).collect()
}

/// Stops the disk `images` times while the trace runs and opens what is left.
fn stop_and_open(ops: &[Op], images: u64, lie: Lie, early: bool, dice: &mut Dice, findings: &mut Findings) {
    disk::stop_while(ops, images, lie, dice, |at, model, image, dice| {
        let acknowledged = ops[..at].iter().rev().find_map(size).unwrap_or(0);
        let promised = if early {
            ops[at..].iter().find_map(size).unwrap_or(acknowledged)
        } else {
            acknowledged
        };
        findings.images += 1;
        match open_image(image, promised, dice) {
            Ok(rebuilt) => findings.rebuilt += u64::from(rebuilt),
            Err(why) => findings
                .failures
                .push(format!("after {at} operations, {model:?}: {why}")),
        }
    });
}

/// How many entries were acknowledged.
fn size(op: &Op) -> Option<u64> {
    if let Op::Acknowledged { said } = op {
        Some(said.parse().unwrap())
    } else {
        None
    }
}

/// Opens an image on a machine that was started anew and checks it; returns whether the index was rebuilt.
fn open_image(image: &Path, acknowledged: u64, dice: &mut Dice) -> Result<bool, String> {
    let mut store = Store::open(image, &options("another boot")).map_err(|error| format!("{error:?}"))?;
    let rebuilt = store.rebuilt().is_some();
    let size = store.size().get();
    if size < acknowledged {
        return Err(format!("{size} of {acknowledged} acknowledged entries"));
    }
    check(&store.reader(), size)?;
    if dice.one_in(8) {
        append(&mut store, 20);
        store.close().map_err(|error| format!("{error:?}"))?;
        let store = Store::open(image, &options("another boot")).map_err(|error| format!("{error:?}"))?;
        if store.rebuilt().is_some() {
            return Err("rebuilt again after a clean close".to_owned());
        }
        check(&store.reader(), size + 20)?;
    }
    Ok(rebuilt)
}

#[test]
fn nothing_acknowledged_is_lost_to_a_power_cut() {
    let mut dice = Dice::thrown_for("power_cut");
    let (count, images) = if is_long() { (24, 400) } else { (6, 80) };
    let mut findings = Findings::default();
    for ops in traces(&mut dice, count) {
        stop_and_open(&ops, images, Lie::None, false, &mut dice, &mut findings);
    }
    let Findings {
        images,
        rebuilt,
        failures,
    } = &findings;
    println!(
        "{images} images, {} failures; the index was rebuilt {rebuilt} times",
        failures.len()
    );
    assert!(failures.is_empty(), "{failures:#?}");
    assert!(
        *rebuilt > 0 && rebuilt < images,
        "both kinds of opening should occur"
    );
}

#[test]
fn power_cut_test_notices_syncs_that_do_nothing_and_promises_made_too_early() {
    let mut dice = Dice::thrown_for("power_cut");
    let ops = traces(&mut dice, 1).remove(0);
    for (what, lie, early) in [
        ("syncs of files that do nothing", Lie::FileSync, false),
        ("syncs of folders that do nothing", Lie::FolderSync, false),
        ("a promise before the sync", Lie::None, true),
    ] {
        let mut findings = Findings::default();
        stop_and_open(&ops, 60, lie, early, &mut dice, &mut findings);
        println!(
            "{what}: {} of {} images fail",
            findings.failures.len(),
            findings.images
        );
        assert!(!findings.failures.is_empty(), "{what} went unnoticed");
    }
}

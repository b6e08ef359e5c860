//! The outbox under power cuts: a worker publishes, its file operations are recorded, the disk is stopped at many
//! moments in many ways, and a publisher goes on from each image.
//!
//! Promised is: what was published is still there, as it was; nothing else is ever signed in its place; events
//! that were taken are admitted, once; what was proven stays done. The outbox must not even notice: a power cut is
//! no backup, so its feed stays open.

mod desk;
mod ledger;
mod worker;

use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
};

use lotproof::{envelope::Envelope, id::FeedSequence, outbox::Fate};

use self::{
    desk::{Desk, Said, places},
    ledger::Ledger,
};
use crate::{
    dice::{Dice, is_long},
    disk::{self, Lie},
    trace::{self, Op},
};

/// Turns until a publisher must be done.
const TURNS_MAX: usize = 200;

/// What several workers did, one after another.
struct Trace {
    ops: Vec<Op>,
    is_beside: bool,
}

/// Everything said up to some moment.
#[derive(Clone)]
struct Heard {
    ledger: Ledger,
    published: BTreeMap<FeedSequence, Envelope>,
    /// Parcels promised, with their events' ids.
    taken: BTreeMap<u64, String>,
    admitted: BTreeSet<u64>,
}

impl Heard {
    fn new() -> Self {
        Self {
            ledger: Ledger::new(),
            published: BTreeMap::new(),
            taken: BTreeMap::new(),
            admitted: BTreeSet::new(),
        }
    }

    /// Takes what is said next.
    fn hear(&mut self, said: Said) -> Result<(), String> {
        match said {
            Said::Taken { first, ids } => self.taken.extend((first..).zip(ids)),
            Said::Admitted { parcel } => drop(self.admitted.insert(parcel)),
            Said::Published { arrives, envelope } => {
                if arrives {
                    self.ledger.deliver(&envelope);
                }
                let envelope = Envelope::decode(envelope).unwrap();
                let sequence = envelope.header().sequence;
                let before = self.published.entry(sequence).or_insert_with(|| envelope.clone());
                if before.bytes() != envelope.bytes() {
                    return Err(format!("statement {sequence} was signed twice"));
                }
            }
        }
        Ok(())
    }

    /// Whether a publisher goes on from an image as if nothing had happened, or what is wrong.
    fn check(&self, image: &Path, is_beside: bool, seed: u64) -> Result<(), String> {
        let mut heard = self.clone();
        let mut trouble = Ok(());
        let ledger = self.ledger.clone();
        let mut say = |said: &Said| {
            if let (Ok(()), Err(error)) = (&trouble, heard.hear(said.clone())) {
                trouble = Err(error);
            }
        };
        let mut desk = Desk::open(&places(image, is_beside), ledger, seed, 0, &mut say)?;
        for (parcel, id) in &self.taken {
            let fate = desk.fate(*parcel);
            let is_proven = self.admitted.contains(parcel);
            match fate {
                Fate::Done => {}
                Fate::Pending if !is_proven => {}
                Fate::Pending | Fate::DeadLettered(_) | Fate::Unknown => {
                    return Err(format!(
                        "{id} was promised (proven: {is_proven}), and is {fate:?}"
                    ));
                }
            }
        }
        let kept = desk.kept().map_err(|error| format!("{error:?}"))?;
        for (sequence, envelope) in &self.published {
            match kept.get(sequence) {
                Some(kept) if kept == envelope.bytes() => {}
                // Forgotten, as it may be once it is proven and mirrored. If the outbox lost it instead, it will
                // find that the ledger is ahead.
                None if self.ledger.has(envelope) => {}
                Some(_) => return Err(format!("statement {sequence} has changed")),
                None => return Err(format!("statement {sequence} was published and is lost")),
            }
        }
        let after: Vec<String> = (0..2).map(|n| format!("after-{n}")).collect();
        let failed = |error| format!("{error:?}");
        desk.submit(after).map_err(failed)?;
        for _ in 0..TURNS_MAX {
            desk.turn(200).map_err(failed)?;
            let status = desk.status();
            if status.queued + status.unreceipted == 0 {
                break;
            }
        }
        let (status, ledger, wrong) = (desk.status(), desk.ledger.clone(), desk.wrong.clone());
        drop(desk);
        trouble?;
        if !wrong.is_empty() {
            return Err(wrong.join("; "));
        }
        if status.queued + status.unreceipted + status.alarms + status.letters > 0 {
            return Err(format!("not as it should end: {status:?}"));
        }
        if ledger.equivocations > 0 {
            return Err("two statements for one place".to_owned());
        }
        let admitted = &ledger.admitted;
        let twice = admitted.iter().find(|(_, count)| **count > 1);
        let missing = heard.taken.values().find(|id| !admitted.contains_key(*id));
        match (twice, missing) {
            (Some((id, count)), _) => Err(format!("{id} was admitted {count} times")),
            (_, Some(id)) => Err(format!("{id} is not in the log")),
            (None, None) => Ok(()),
        }
    }
}

fn said(op: &Op) -> Option<Said> {
    if let Op::Acknowledged { said } = op {
        Some(Said::from_line(said))
    } else {
        None
    }
}

/// Some traces: each of a few workers, all but the last ended in the middle of something.
fn traces(dice: &mut Dice, count: u64, turns: u64) -> Vec<Trace> {
    let one = |number: u64| {
        let exits: Vec<u64> = (0..=dice.below(3)).map(|_| 4 + dice.below(300)).collect();
        let (seed, is_beside) = (dice.next() >> 1, number.is_multiple_of(2));
        let ops = trace::record(&exits, |generation, folder, acks| {
            let ledger = folder.with_file_name("ledger");
            worker::command(folder, seed + generation, turns, is_beside, (acks, &ledger))
        });
        Trace { ops, is_beside }
    };
    (0..count).map(one).collect()
}

/// Stops the disk `images` times while the trace runs, and goes on from what is left. Returns what was wrong.
fn stop_and_go_on(trace: &Trace, images: u64, lie: Lie, early: bool, dice: &mut Dice) -> Vec<String> {
    let Trace { ops, is_beside } = trace;
    let mut heard = Heard::new();
    let mut heard_to = 0;
    let mut failures = Vec::new();
    disk::stop_while(ops, images, lie, dice, |at, model, image, dice| {
        // What is said next was said too early, if so.
        let next = ops[at..].iter().position(|op| said(op).is_some());
        let to = next.filter(|_| early).map_or(at, |next| at + next + 1);
        for said in ops.get(heard_to..to).into_iter().flatten().filter_map(said) {
            heard.hear(said).expect("a publisher that was not cut off");
        }
        heard_to = heard_to.max(to);
        if let Err(why) = heard.check(image, *is_beside, dice.next()) {
            failures.push(format!("after {at} operations, {model:?}: {why}"));
        }
    });
    failures
}

#[test]
fn nothing_published_is_lost_or_signed_anew_after_a_power_cut() {
    let mut dice = Dice::thrown_for("outbox");
    let (count, images) = if is_long() { (24, 250) } else { (6, 60) };
    let mut failures = Vec::new();
    let mut published = 0;
    for trace in traces(&mut dice, count, 60) {
        let is_publish = |op: &&Op| matches!(said(op), Some(Said::Published { .. }));
        published += trace.ops.iter().filter(is_publish).count();
        failures.extend(stop_and_go_on(&trace, images, Lie::None, false, &mut dice));
    }
    println!(
        "{} images of {count} traces with {published} statements published, {} failures",
        count * images,
        failures.len()
    );
    assert!(published > 0, "something left");
    assert!(failures.is_empty(), "{failures:#?}");
}

#[test]
fn outbox_power_cut_test_notices_syncs_that_do_nothing_and_statements_that_left_too_early() {
    let mut dice = Dice::thrown_for("outbox");
    let trace = traces(&mut dice, 1, 60).remove(0);
    for (what, lie, early) in [
        ("syncs of files that do nothing", Lie::FileSync, false),
        ("syncs of folders that do nothing", Lie::FolderSync, false),
        ("a promise before the sync", Lie::None, true),
    ] {
        let failures = stop_and_go_on(&trace, 60, lie, early, &mut dice);
        println!("{what}: {} of 60 images fail", failures.len());
        assert!(!failures.is_empty(), "{what} went unnoticed");
    }
}

//! What a rebuild takes, and what it leaves alone.

use lotproof::audit::{
    FindingKind,
    damage::write_log,
    source::{MemoryCopy, StaticCopy as _},
};

use super::*;
use crate::tests::World;

/// The world's log as static files, with the checkpoint of all that is in its store.
fn mirror_of(world: &World) -> MemoryCopy {
    let entries = world.entries();
    let key = world.folder.log_key(&world.identity.origin).unwrap();
    let mut copy = MemoryCopy::new();
    write_log(&mut copy, &entries, |head| {
        let origin = world.identity.origin.clone();
        let checkpoint = lotproof::log::checkpoint::Checkpoint { origin, head };
        Ok(checkpoint.sign(&[&key.note]).unwrap().bytes().clone())
    })
    .unwrap();
    copy
}

fn rebuilt(world: &World, mirror: &MemoryCopy) -> Result<Rebuilt> {
    rebuild(&world.folder, mirror, None, &AuditOptions::default())
}

fn refusal(world: &World, mirror: &MemoryCopy) -> String {
    format!("{:#}", rebuilt(world, mirror).expect_err("refused"))
}

fn spoken() -> World {
    let mut world = World::new();
    world.enrol(&[1]);
    world.say(1, 600);
    world
}

#[test]
fn a_lost_store_is_made_anew_and_goes_on() {
    let world = spoken();
    let (mirror, entries) = (mirror_of(&world), world.entries());
    let world = world.closed();
    fs::remove_dir_all(world.folder.store()).unwrap();
    let Rebuilt::Done { report, replaced } = world.rebuild_from(&mirror).unwrap() else {
        panic!("the mirror is sound");
    };
    assert_eq!(report.size, Some(TreeSize::new(entries.len() as u64)));
    assert_eq!(replaced, None);
    let mut world = world.open();
    assert_eq!(world.entries(), entries);
    world.say(1, 2);
    assert_eq!(world.entries().len(), entries.len() + 2);
}

#[test]
fn an_old_or_equal_store_is_moved_away_and_one_with_more_entries_stays() {
    let mut world = spoken();
    let older = mirror_of(&world);
    world.say(1, 1);
    let newer = mirror_of(&world);
    let entries = world.entries();
    let closed = world.closed();
    let why = format!("{:#}", closed.rebuild_from(&older).expect_err("refused"));
    assert!(
        why.contains("the store has 603 entries, the mirror has 602"),
        "{why}"
    );
    let Rebuilt::Done { replaced, .. } = closed.rebuild_from(&newer).unwrap() else {
        panic!("the mirror is sound");
    };
    let replaced = replaced.expect("the old store");
    assert!(replaced.ends_with("store.replaced-1"));
    let old = Store::open(&replaced, &Options::default()).unwrap();
    assert_eq!(old.size().get(), entries.len() as u64, "nothing of it is lost");
    assert_eq!(closed.open().entries(), entries);
}

#[test]
fn a_store_in_use_of_another_history_or_unreadable_stays() {
    let world = spoken();
    let mirror = mirror_of(&world);
    assert!(refusal(&world, &mirror).contains("in use"), "open");

    // Two ways to go on from one prefix, as after a copy of the folder.
    let (one, other) = world.forked(1, 40);
    let longer = mirror_of(&other);
    drop(other);
    let one = one.closed();
    let why = format!("{:#}", one.rebuild_from(&longer).expect_err("refused"));
    assert!(why.contains("the store has another history"), "{why}");
    assert!(!one.folder.path().join("store.replaced-1").exists());

    let values = one.folder.store().join("values/0000000000.values");
    let mut bytes = fs::read(&values).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(&values, &bytes).unwrap();
    let why = format!("{:#}", one.rebuild_from(&longer).expect_err("refused"));
    assert!(why.contains("cannot be read"), "{why}");
    assert_eq!(fs::read(&values).unwrap(), bytes, "left as it is");
}

#[test]
fn a_mirror_that_is_damaged_or_of_another_log_or_behind_the_checkpoint_changes_nothing() {
    let world = spoken();
    let mut mirror = mirror_of(&world);
    let other = mirror_of(&spoken());
    let key = world.folder.log_key(&world.identity.origin).unwrap();
    let checkpoint = lotproof::log::checkpoint::Checkpoint {
        origin: world.identity.origin.clone(),
        head: LogHead {
            size: TreeSize::new(700),
            root: Hash::ZERO,
        },
    };
    let ahead = checkpoint.sign(&[&key.note]).unwrap();
    let world = world.closed();
    fs::remove_dir_all(world.folder.store()).unwrap();
    let Rebuilt::Findings(report) = world.rebuild_from(&other).unwrap() else {
        panic!("another log's");
    };
    assert!(!report.is_clean());

    durable::write(&world.folder.checkpoint(), ahead.bytes()).unwrap();
    let why = format!("{:#}", world.rebuild_from(&mirror).expect_err("refused"));
    assert!(why.contains("the checkpoint file has 700 entries"), "{why}");
    durable::remove(&world.folder.checkpoint()).unwrap();

    let bundle = "tile/entries/001";
    let mut bytes = mirror.read(bundle, usize::MAX - 1).unwrap().unwrap().to_vec();
    *bytes.last_mut().unwrap() ^= 1;
    mirror.write(bundle, &bytes).unwrap();
    let Rebuilt::Findings(report) = world.rebuild_from(&mirror).unwrap() else {
        panic!("a damaged mirror");
    };
    assert_eq!(report.findings[0].kind, FindingKind::HashMismatch);
    assert!(!world.folder.store().exists());
}

#[test]
fn nobody_opens_the_store_that_is_there_while_another_is_made() {
    let world = spoken();
    let mirror = mirror_of(&world);
    let closed = world.closed();
    let store = closed.folder.store();
    let opened = std::sync::Mutex::new(Vec::new());
    let try_to_open = |_| {
        let found = Store::open(&store, &Options::default());
        opened.lock().unwrap().push(found.map(drop));
    };
    let options = AuditOptions {
        progress: Some(&try_to_open),
        ..AuditOptions::default()
    };
    let rebuilt = rebuild(&closed.folder, &mirror, None, &options).unwrap();
    assert!(
        matches!(
            rebuilt,
            Rebuilt::Done {
                replaced: Some(_),
                ..
            }
        ),
        "{rebuilt:?}"
    );
    let opened = opened.into_inner().unwrap();
    assert!(!opened.is_empty());
    assert!(
        opened
            .iter()
            .all(|found| matches!(found, Err(StoreError::Locked(_)))),
        "{opened:?}"
    );
}

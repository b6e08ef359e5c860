//! A ledger that lost its store: rebuilt from a mirror it goes on, unless the mirror is not the newest.

use std::{fs, path::PathBuf};

use lotproof::{
    audit::{AuditOptions, audit},
    code::Outcome,
    shell::{
        http_client::HttpSource,
        mirror::{DirSource, mirror},
    },
};
use lotproof_ledger::{Folder, Rebuilt, rebuild};

use crate::ledger::{MAKER, Running, World, commission};

/// Copies what the ledger shows, and audits the copy on the way.
async fn mirrored(world: &World, ledger: &Running, name: &str) -> PathBuf {
    let folder = world.own.folder.path().join(name);
    let (source, trust) = (HttpSource::new(&ledger.url), world.identity.trust().unwrap());
    let into = folder.clone();
    let copied =
        tokio::task::spawn_blocking(move || mirror(&source, &trust, &into, &AuditOptions::default()));
    let report = copied.await.unwrap().expect("a clean mirror");
    assert!(report.is_clean());
    folder
}

fn rebuilt(world: &World, mirror: &std::path::Path) {
    let folder = Folder::new(&world.folder);
    let rebuilt = rebuild(&folder, &DirSource::new(mirror), None, &AuditOptions::default());
    assert!(matches!(rebuilt.expect("rebuilt"), Rebuilt::Done { .. }));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_ledger_rebuilt_from_a_mirror_goes_on() {
    let world = World::new().await;
    let ledger = world.start().await;
    world.enrol().await;
    let mut maker = world.publisher(MAKER, 1).await;
    for lot in ["A1", "A2", "A3"] {
        let sequence = maker.publish(&[commission(lot)]).await;
        maker.receipt(sequence).await;
    }
    let copy = mirrored(&world, &ledger, "mirror").await;
    let before = ledger.log(&world.identity).await;
    ledger.stop().await;
    fs::remove_dir_all(world.folder.join("store")).unwrap();
    let why = world.refusal().await;
    assert!(why.contains("lotproof ledger rebuild"), "{why}");

    fs::remove_dir_all(world.folder.join("store")).unwrap();
    rebuilt(&world, &copy);
    let ledger = world.start().await;
    let sequence = maker.publish(&[commission("A4")]).await;
    let (index, outcome) = maker.receipt(sequence).await;
    assert_eq!(outcome, Outcome::Admitted);
    let after = ledger.log(&world.identity).await;
    assert_eq!(after[..before.len()], before);
    assert_eq!(index.get(), before.len() as u64);
    let copy = mirrored(&world, &ledger, "mirror").await;
    let trust = world.identity.trust().unwrap();
    let report = audit(&DirSource::new(&copy), &trust, &AuditOptions::default()).unwrap();
    assert!(report.is_clean());
    ledger.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_ledger_rebuilt_from_an_old_mirror_is_halted_by_the_guard() {
    let world = World::new().await;
    let ledger = world.start().await;
    world.enrol().await;
    let old = mirrored(&world, &ledger, "old").await;
    let mut maker = world.publisher(MAKER, 1).await;
    let sequence = maker.publish(&[commission("A1")]).await;
    maker.receipt(sequence).await;
    let newest = mirrored(&world, &ledger, "newest").await;
    ledger.stop().await;
    for lost in ["store", "checkpoint"] {
        let path = world.folder.join(lost);
        if path.is_dir() {
            fs::remove_dir_all(path).unwrap();
        } else {
            fs::remove_file(path).unwrap();
        }
    }
    rebuilt(&world, &old);
    let why = world.refusal().await;
    assert!(why.contains("the guard is ahead of the store"), "{why}");
    assert!(why.contains("lotproof ledger rebuild"), "{why}");

    // The remedy that it names, without deleting anything.
    rebuilt(&world, &newest);
    assert!(world.folder.join("store.replaced-1").exists());
    let ledger = world.start().await;
    let sequence = maker.publish(&[commission("A2")]).await;
    assert_eq!(maker.receipt(sequence).await.1, Outcome::Admitted);
    ledger.stop().await;
}

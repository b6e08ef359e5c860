//! Mirrors: what is copied, what is refused, and what an interrupted copy leaves.

use super::*;
use crate::{
    audit::{FindingKind, damage, source::MemoryCopy, tests::world::World},
    id::LeafIndex,
};

fn files(folder: &Path) -> Vec<String> {
    let mut files = Vec::new();
    DirSource::new(folder)
        .list(&mut |name| files.push(name.to_owned()))
        .unwrap();
    files.sort();
    files
}

fn expected(copy: &MemoryCopy) -> Vec<String> {
    let names = copy.files().map(|(path, _)| path.to_owned());
    names.filter(|path| path != CHECKPOINT).collect()
}

#[test]
fn a_copy_in_a_folder_is_the_log() {
    let world = World::of(600);
    let folder = tempfile::tempdir().unwrap();
    write_mirror(&world.copy(), folder.path()).unwrap();
    assert_eq!(files(folder.path()), expected(&world.copy()));
    let copy = DirSource::new(folder.path());
    let report = audit(&copy, &world.trust(), &AuditOptions::default()).unwrap();
    assert!(report.is_clean(), "{:?}", report.findings);
    let again = tempfile::tempdir().unwrap();
    write_mirror(&copy, &again.path().join("deep/er")).unwrap();
    assert_eq!(files(&again.path().join("deep/er")), files(folder.path()));
}

#[test]
fn a_folder_where_a_file_should_be_is_a_missing_file() {
    let world = World::of(300);
    let copied = || {
        let folder = tempfile::tempdir().unwrap();
        write_mirror(&world.copy(), folder.path()).unwrap();
        folder
    };
    let audited = |folder: &Path| {
        let report = audit(&DirSource::new(folder), &world.trust(), &AuditOptions::default()).unwrap();
        let files = report
            .findings
            .into_iter()
            .map(|finding| (finding.kind, finding.file));
        files.collect::<Vec<_>>()
    };
    let folder = copied();
    fs::remove_file(folder.path().join("tile/0/000")).unwrap();
    fs::create_dir(folder.path().join("tile/0/000")).unwrap();
    let missing = |file: &str| (FindingKind::MissingFile, Some(file.to_owned()));
    assert_eq!(audited(folder.path()), [missing("tile/0/000")]);
    let folder = copied();
    fs::remove_dir_all(folder.path().join("tile/1")).unwrap();
    fs::write(folder.path().join("tile/1"), b"").unwrap();
    assert_eq!(
        audited(folder.path()),
        [
            missing("tile/1/000.p/1"),
            (FindingKind::SurplusFile, Some("tile/1".to_owned()))
        ]
    );
    let folder = copied();
    fs::remove_file(folder.path().join(CHECKPOINT)).unwrap();
    fs::create_dir(folder.path().join(CHECKPOINT)).unwrap();
    let audited = audit(
        &DirSource::new(folder.path()),
        &world.trust(),
        &AuditOptions::default(),
    );
    assert_eq!(audited.unwrap_err().path, CHECKPOINT);
}

#[cfg(unix)]
#[test]
fn what_is_no_file_is_not_waited_for() {
    let world = World::of(300);
    let folder = tempfile::tempdir().unwrap();
    write_mirror(&world.copy(), folder.path()).unwrap();
    let path = folder.path().join("tile/0/000");
    fs::remove_file(&path).unwrap();
    let _socket = std::os::unix::net::UnixListener::bind(&path).unwrap();
    let copy = DirSource::new(folder.path());
    let error = audit(&copy, &world.trust(), &AuditOptions::default()).unwrap_err();
    assert_eq!(error.path, "tile/0/000");
    let why = std::error::Error::source(&error).unwrap().to_string();
    assert_eq!(why, "neither a file nor a folder");
}

#[test]
fn a_copy_of_a_log_with_a_file_missing_says_which() {
    let world = World::of(300);
    let mut copy = world.copy();
    copy.remove("tile/0/000").unwrap();
    let folder = tempfile::tempdir().unwrap();
    let error = write_mirror(&copy, folder.path()).unwrap_err();
    assert!(matches!(error, MirrorError::Missing(path) if path == "tile/0/000"));
    assert!(
        !folder.path().join(CHECKPOINT).exists(),
        "the checkpoint comes last"
    );
}

#[test]
fn a_mirror_grows_with_its_log_and_keeps_no_partial_file_too_long() {
    let folder = tempfile::tempdir().unwrap();
    let mut world = World::new();
    for size in [5, 300, 512, 600] {
        world.grow_to(size);
        mirror(
            &world.copy(),
            &world.trust(),
            folder.path(),
            &AuditOptions::default(),
        )
        .unwrap();
        assert_eq!(files(folder.path()), expected(&world.copy()), "at {size}");
    }
}

#[test]
fn a_mirror_does_not_follow_a_log_that_does_not_extend_what_it_has() {
    let folder = tempfile::tempdir().unwrap();
    let world = World::of(600);
    mirror(
        &world.copy(),
        &world.trust(),
        folder.path(),
        &AuditOptions::default(),
    )
    .unwrap();
    let held = |name: &str| std::fs::read(folder.path().join(name)).unwrap();
    let before = expected(&world.copy())
        .into_iter()
        .map(|name| held(&name))
        .collect::<Vec<_>>();

    let mut fork = World::of(590);
    fork.another_way();
    fork.grow_to(700);
    let error = mirror(
        &fork.copy(),
        &fork.trust(),
        folder.path(),
        &AuditOptions::default(),
    )
    .unwrap_err();
    match error {
        MirrorError::Findings(report) => {
            assert_eq!(
                report.findings[0].kind,
                FindingKind::NotExtended,
                "{:?}",
                report.findings
            );
        }
        other => panic!("{other:?}"),
    }
    let mut early = World::of(50);
    early.another_way();
    early.grow_to(700);
    let error = mirror(
        &early.copy(),
        &early.trust(),
        folder.path(),
        &AuditOptions::default(),
    )
    .unwrap_err();
    assert!(matches!(error, MirrorError::Source(_)), "{error:?}");

    let kept = expected(&world.copy())
        .into_iter()
        .map(|name| held(&name))
        .collect::<Vec<_>>();
    assert_eq!(kept, before);
    assert_eq!(held(CHECKPOINT), world.checkpoint().bytes().to_vec());
}

#[test]
fn an_interrupted_or_damaged_start_is_made_good_by_the_next_run() {
    let folder = tempfile::tempdir().unwrap();
    let world = World::of(300);
    let mut damaged = world.copy();
    damage::flip_byte(&mut damaged, LeafIndex::new(10)).unwrap();
    let options = AuditOptions::default();
    assert!(mirror(&damaged, &world.trust(), folder.path(), &options).is_err());
    mirror(&world.copy(), &world.trust(), folder.path(), &options).unwrap();
    let copy = DirSource::new(folder.path());
    assert!(audit(&copy, &world.trust(), &options).unwrap().is_clean());
}

#[test]
fn damage_in_a_folder_is_found_there() {
    let world = World::of(600);
    let folder = tempfile::tempdir().unwrap();
    write_mirror(&world.copy(), folder.path()).unwrap();
    let mut copy = DirSource::new(folder.path());
    let (victim, next) = damage::middle_of_longest_feed(&copy).unwrap();
    damage::remove_entry(&mut copy, victim, &[&world.log_key()]).unwrap();
    let report = audit(&copy, &world.trust(), &AuditOptions::default()).unwrap();
    let broken = LeafIndex::new(next.get() - 1);
    assert!(
        report.has(FindingKind::FeedBroken, broken),
        "{:?}",
        report.findings
    );
    assert_eq!(report.findings.len(), 1);
    assert_eq!(report.size.map(TreeSize::get), Some(599));
}

//! Damage to files: what the checkpoint's root already says is wrong.

use super::{
    super::{damage, source::MemoryCopy, *},
    after::in_bundle,
    at, found, in_file,
    world::{ENROLLED, World, nth},
};
use crate::{
    audit::source::StaticCopy as _,
    log::{LogHead, tile::HashTile},
};

pub(super) type Expected = Vec<(FindingKind, Option<u64>, Option<&'static str>)>;
pub(super) type Case = (&'static str, World, MemoryCopy, Expected);

fn flip(copy: &mut MemoryCopy, path: &str, at: usize) {
    let mut bytes = copy.read(path, usize::MAX).unwrap().unwrap().to_vec();
    bytes[at] ^= 0x10;
    copy.write(path, &bytes).unwrap();
}

fn cut(copy: &mut MemoryCopy, path: &str) {
    let bytes = copy.read(path, usize::MAX).unwrap().unwrap();
    copy.write(path, &bytes[..bytes.len() - 1]).unwrap();
}

/// A log of two full bundles and a partial one, damaged.
fn case(name: &'static str, expected: Expected, damage: impl FnOnce(&World, &mut MemoryCopy)) -> Case {
    let world = World::of(600);
    let mut copy = world.copy();
    damage(&world, &mut copy);
    (name, world, copy, expected)
}

pub(super) fn cases() -> Vec<Case> {
    use FindingKind::{
        HashMismatch, InvalidCheckpoint, MalformedFile, MissingEntry, MissingFile, OtherLog, RootMismatch,
        SurplusEntry, SurplusFile, TileMismatch,
    };
    let index = LeafIndex::new;
    let mut cases = Vec::new();
    for entry in [0, 1, 2, 100, 255, 256, 400, 512, 599] {
        cases.push(case("a byte", vec![at(HashMismatch, entry)], |_, copy| {
            damage::flip_byte(copy, index(entry)).unwrap();
        }));
        cases.push(case(
            "an entry dropped",
            vec![at(MissingEntry, entry)],
            |_, copy| {
                damage::drop_entry(copy, index(entry)).unwrap();
            },
        ));
    }
    for (one, other) in [(3, 4), (100, 200), (100, 300), (300, 598), (597, 598)] {
        let expected = vec![at(HashMismatch, one), at(HashMismatch, other)];
        cases.push(case("two swapped", expected, |_, copy| {
            damage::swap_entries(copy, index(one), index(other)).unwrap();
        }));
    }
    for file in ["tile/0/000", "tile/0/001", "tile/0/002.p/88", "tile/1/000.p/2"] {
        cases.push(case("a hash", vec![in_file(TileMismatch, file)], |_, copy| {
            flip(copy, file, 33);
        }));
        cases.push(case("no tile", vec![in_file(MissingFile, file)], |_, copy| {
            copy.remove(file).unwrap();
        }));
        cases.push(case(
            "a short tile",
            vec![in_file(MalformedFile, file)],
            |_, copy| cut(copy, file),
        ));
    }
    for file in ["tile/entries/000", "tile/entries/001", "tile/entries/002.p/88"] {
        cases.push(case("no bundle", vec![in_file(MissingFile, file)], |_, copy| {
            copy.remove(file).unwrap();
        }));
    }
    cases.push(case(
        "a signature",
        vec![in_file(InvalidCheckpoint, "checkpoint")],
        |_, copy| {
            flip(copy, "checkpoint", 150);
        },
    ));
    cases.push(case(
        "surplus",
        vec![in_file(SurplusFile, "tile/0/003")],
        |_, copy| {
            copy.write("tile/0/003", &[0; 8_192]).unwrap();
        },
    ));
    let mut doubled = case(
        "an entry twice",
        vec![in_file(SurplusEntry, "tile/entries/001")],
        |_, _| {},
    );
    let path = "tile/entries/001";
    let bytes = doubled.2.read(path, usize::MAX).unwrap().unwrap();
    let bundle = EntryBundle::new(1, 256).unwrap();
    let mut entries: Vec<&[u8]> = bundle.entries(&bytes).unwrap();
    entries.insert(20, entries[10]);
    let doubled_bytes: Vec<u8> = entries
        .iter()
        .flat_map(|entry| [&u16::try_from(entry.len()).unwrap().to_be_bytes()[..], entry].concat())
        .collect();
    doubled.2.write(path, &doubled_bytes).unwrap();
    cases.push(doubled);
    cases.push(case(
        "a root nobody has",
        vec![in_file(RootMismatch, "checkpoint")],
        |world, copy| {
            let head = LogHead {
                size: TreeSize::new(600),
                root: Hash::of(&[b"?"]),
            };
            copy.write("checkpoint", world.sign(head).bytes()).unwrap();
        },
    ));
    cases.push(case(
        "no entries",
        vec![in_file(InvalidCheckpoint, "checkpoint")],
        |world, copy| {
            copy.write("checkpoint", world.sign(LogHead::empty()).bytes())
                .unwrap();
        },
    ));
    // Another ledger of the same name and key.
    let (name, world, _, _) = case("another ledger", vec![], |_, _| {});
    let mut other = World::of(ENROLLED);
    other.entries.clear();
    let mut genesis = world.state.genesis().clone();
    genesis.threshold = 1;
    let genesis = crate::admission::genesis_entry(genesis, crate::time::RecordedAt::from_nanos(1)).unwrap();
    other.entries.push(genesis);
    let copy = other.copy();
    cases.push((name, world, copy, vec![at(OtherLog, 0)]));
    cases
}

#[test]
fn what_has_no_checkpoint_is_no_log() {
    let world = World::of(10);
    let mut copy = world.copy();
    copy.remove(CHECKPOINT).unwrap();
    let error = audit(&copy, &world.trust(), &AuditOptions::default()).unwrap_err();
    assert_eq!(error.path, CHECKPOINT);
}

/// A log that has the entry of place 520 again at place 530, and what an audit finds in it.
fn with_a_leaf_twice() -> (World, MemoryCopy, Expected) {
    let mut world = World::of(530);
    world.entries.push(world.entries[520].clone());
    world.grow_to(600);
    let copy = world.copy();
    let expected = vec![at(FindingKind::TimeReversed, 530), at(FindingKind::NoPlace, 530)];
    assert_eq!(found(&world.audit(&copy)), expected);
    (world, copy, expected)
}

#[test]
fn a_leaf_that_occurs_twice_is_read_at_both_places_wherever_its_frames_are() {
    let (world, honest, in_entries) = with_a_leaf_twice();
    let twice = [520, 530];
    // Both frames stand elsewhere.
    let mut copy = honest.clone();
    for (one, other) in [(520, 540), (530, 550)] {
        damage::swap_entries(&mut copy, LeafIndex::new(one), LeafIndex::new(other)).unwrap();
    }
    let report = world.audit(&copy);
    let moved = [520, 530, 540, 550].map(|place| at(FindingKind::HashMismatch, place));
    assert_eq!(
        found(&report),
        [&moved[..], &in_entries].concat(),
        "{:#?}",
        report.findings
    );
    assert_eq!(report.tally.entries, 600);
    // One of them is left.
    for lost in twice {
        let mut copy = honest.clone();
        damage::flip_byte(&mut copy, LeafIndex::new(lost)).unwrap();
        let report = world.audit(&copy);
        let altered = [at(FindingKind::HashMismatch, lost)];
        assert_eq!(
            found(&report),
            [&altered[..], &in_entries].concat(),
            "{:#?}",
            report.findings
        );
        assert_eq!((report.tally.entries, report.tally.undecided), (600, 0));
    }
    // None is.
    let mut copy = honest;
    in_bundle(&mut copy, EntryBundle::new(2, 88).unwrap(), |entries| {
        for place in twice {
            entries[nth(place) - 512].push(0);
        }
    });
    let report = world.audit(&copy);
    let altered = twice.map(|place| at(FindingKind::HashMismatch, place));
    assert_eq!(found(&report), altered, "{:#?}", report.findings);
    assert_eq!(report.tally.entries, 598);
}

#[test]
fn a_report_of_as_many_findings_as_it_may_have_says_that_there_may_be_more() {
    let world = World::of(10);
    let mut copy = world.copy();
    for number in 1..=4 {
        copy.write(&format!("tile/0/00{number}"), b"").unwrap();
    }
    for (findings_max, listed) in [(3, 3), (4, 4), (5, 4)] {
        let options = AuditOptions {
            findings_max,
            ..AuditOptions::default()
        };
        let report = audit(&copy, &world.trust(), &options).unwrap();
        assert_eq!(report.findings.len(), listed);
        assert_eq!(report.stopped_early, findings_max <= listed);
    }
}

#[test]
fn a_wrong_length_is_named_and_the_entries_behind_it_are_read() {
    for (file, first) in [("tile/entries/000", 0_u64), ("tile/entries/002.p/88", 512)] {
        for entry in [0_usize, 1, 60, 87] {
            let (_, world, mut copy, _) = case("", vec![], |_, _| {});
            let bytes = copy.read(file, usize::MAX).unwrap().unwrap();
            let mut at = 0;
            for _ in 0..entry {
                at += 2 + usize::from(u16::from_be_bytes([bytes[at], bytes[at + 1]]));
            }
            flip(&mut copy, file, at + 1);
            let report = world.audit(&copy);
            let expected = (FindingKind::MalformedFile, Some(first + entry as u64), Some(file));
            assert_eq!(found(&report), [expected], "{:?}", report.findings);
            assert_eq!(report.tally.entries, 600, "all were replayed");
        }
    }
}

#[test]
fn of_two_wrong_lengths_none_is_set_right() {
    use FindingKind::{MalformedFile, MissingEntry};
    let (_, world, mut copy, _) = case("", vec![], |_, _| {});
    let file = "tile/entries/002.p/88";
    let bytes = copy.read(file, usize::MAX).unwrap().unwrap();
    let starts: Vec<usize> = EntryBundle::new(2, 88)
        .unwrap()
        .entries(&bytes)
        .unwrap()
        .iter()
        .scan(0, |at, entry| {
            let start = *at;
            *at += 2 + entry.len();
            Some(start)
        })
        .collect();
    // The first bytes of both lengths, so that the frames behind neither are seen.
    flip(&mut copy, file, starts[40]);
    flip(&mut copy, file, starts[60]);
    let report = world.audit(&copy);
    let found = found(&report);
    assert_eq!(found[0], in_file(MalformedFile, file), "{:?}", report.findings);
    // All before the first wrong length are read, and of the rest nothing is known.
    assert_eq!(found[1], at(FindingKind::HashMismatch, 552));
    let rest: Vec<_> = (553..600).map(|index| at(MissingEntry, index)).collect();
    assert_eq!(found[2..], rest, "{:?}", report.findings);
}

#[test]
fn in_a_bundle_of_too_many_entries_only_the_one_that_was_moved_is_named() {
    let (_, world, mut copy, _) = case("", vec![], |_, _| {});
    in_bundle(&mut copy, EntryBundle::new(1, 256).unwrap(), |entries| {
        let moved = entries.remove(200);
        entries.insert(0, moved);
        entries.insert(0, b"another".to_vec());
    });
    let report = world.audit(&copy);
    let surplus = in_file(FindingKind::SurplusEntry, "tile/entries/001");
    assert_eq!(
        found(&report),
        [surplus, surplus, at(FindingKind::MissingEntry, 456)],
        "{:?}",
        report.findings
    );
    let numbers: Vec<_> = report.findings.iter().map(|finding| finding.number).collect();
    assert_eq!(numbers, [Some(0), Some(1), None]);
    assert_eq!(report.tally.entries, 600, "its bytes were there");
}

#[test]
fn a_log_whose_edge_is_not_there_leads_to_no_root() {
    let (_, world, mut copy, _) = case("", vec![], |_, _| {});
    let gone = ["tile/0/002.p/88", "tile/entries/002.p/88"];
    for file in gone {
        copy.remove(file).unwrap();
    }
    let [tile, bundle] = gone.map(|file| in_file(FindingKind::MissingFile, file));
    let root = in_file(FindingKind::RootMismatch, CHECKPOINT);
    let report = world.audit(&copy);
    assert_eq!(found(&report), [tile, bundle, root], "{:?}", report.findings);
}

#[test]
fn what_a_smaller_log_left_behind_is_not_blamed_for_a_file_that_is_gone() {
    let (_, world, mut copy, _) = case("", vec![], |_, _| {});
    let earlier = World::of(200).copy();
    let path = "tile/0/000.p/200";
    let bytes = earlier.read(path, usize::MAX).unwrap().unwrap();
    copy.write(path, &bytes).unwrap();
    copy.remove("tile/0/000").unwrap();
    assert_eq!(
        found(&world.audit(&copy)),
        [in_file(FindingKind::MissingFile, "tile/0/000")]
    );
    cut(&mut copy, path);
    let report = world.audit(&copy);
    assert!(found(&report).contains(&in_file(FindingKind::TileMismatch, path)));
}

#[test]
fn a_bundle_and_a_tile_that_nothing_proves_are_named_themselves() {
    let (_, world, mut copy, _) = case("", vec![], |_, _| {});
    let head = LogHead {
        size: TreeSize::new(600),
        root: Hash::of(&[b"?"]),
    };
    copy.write("checkpoint", world.sign(head).bytes()).unwrap();
    damage::flip_byte(&mut copy, LeafIndex::new(590)).unwrap();
    flip(&mut copy, "tile/1/000.p/2", 40);
    let report = world.audit(&copy);
    let files: Vec<_> = report
        .findings
        .iter()
        .filter(|finding| finding.kind == FindingKind::RootMismatch)
        .map(|finding| finding.file.as_deref())
        .collect();
    let expected = ["tile/1/000.p/2", "tile/entries/002.p/88"].map(Some);
    assert_eq!(files, expected, "{:?}", report.findings);
}

#[test]
fn what_a_lost_entry_brings_about_is_not_a_finding() {
    for (lost, undecided) in [(1, true), (2, true), (ENROLLED, false), (300, false)] {
        let (_, world, mut copy, _) = case("", vec![], |_, _| {});
        damage::drop_entry(&mut copy, LeafIndex::new(lost)).unwrap();
        let report = world.audit(&copy);
        assert_eq!(found(&report), [at(FindingKind::MissingEntry, lost)]);
        assert_eq!(
            report.tally.undecided > 0,
            undecided,
            "{lost}: {}",
            report.tally.undecided
        );
    }
}

#[test]
fn both_an_entry_and_its_tile_changed_alike_are_found() {
    for place in [10_u64, 300, 590] {
        let (_, world, mut copy, _) = case("", vec![], |_, _| {});
        let honest = copy.clone();
        damage::flip_byte(&mut copy, LeafIndex::new(place)).unwrap();
        let bundle = EntryBundle::covering(LeafIndex::new(place), TreeSize::new(600)).unwrap();
        let bytes = copy.read(&bundle.to_string(), usize::MAX).unwrap().unwrap();
        let hash = crate::log::leaf_hash(bundle.entries(&bytes).unwrap()[nth(place % 256)]);
        let tile = HashTile::new(0, bundle.index(), bundle.width())
            .unwrap()
            .to_string();
        let mut hashes = honest.read(&tile, usize::MAX).unwrap().unwrap().to_vec();
        hashes[nth(place % 256) * 32..][..32].copy_from_slice(hash.as_bytes());
        copy.write(&tile, &hashes).unwrap();
        let report = world.audit(&copy);
        assert!(!report.is_clean(), "{place}");
        let entries = bundle.to_string();
        let expected = [
            in_file(FindingKind::TileMismatch, &tile),
            in_file(FindingKind::HashMismatch, &entries),
        ];
        let expected = if place < 512 {
            expected
                .map(|(kind, index, file)| (kind, index, file.map(str::to_owned)))
                .to_vec()
        } else {
            // Nothing leads to the root, so nothing is known to be wrong but that.
            vec![(FindingKind::RootMismatch, None, Some(CHECKPOINT.to_owned()))]
        };
        let about_files: Vec<_> = report
            .findings
            .iter()
            .filter(|finding| finding.file.is_some())
            .map(|finding| {
                (
                    finding.kind,
                    finding.index.map(LeafIndex::get),
                    finding.file.clone(),
                )
            })
            .collect();
        assert_eq!(about_files, expected, "{:#?}", report.findings);
    }
}

#[test]
fn full_tiles_of_every_level_are_compared() {
    // Nothing in it is an entry; what is looked at here are the hashes.
    let mut world = World::of(1);
    world
        .entries
        .extend((0..70_000_u32).map(|number| number.to_be_bytes().to_vec().into()));
    let copy = world.copy();
    let about_hashes = |copy: &MemoryCopy| -> Vec<(FindingKind, Option<String>)> {
        let options = AuditOptions {
            findings_max: usize::MAX,
            ..AuditOptions::default()
        };
        let report = audit(copy, &world.trust(), &options).unwrap();
        let hashes = report
            .findings
            .into_iter()
            .filter(|finding| finding.kind != FindingKind::InvalidEntry);
        hashes.map(|finding| (finding.kind, finding.file)).collect()
    };
    assert_eq!(about_hashes(&copy), []);
    for (file, byte) in [
        ("tile/0/000", 0),
        ("tile/0/255", 77),
        ("tile/0/256", 8_191),
        ("tile/0/273.p/113", 3_000),
        ("tile/1/000", 0),
        ("tile/1/000", 8_191),
        ("tile/1/001.p/17", 500),
        ("tile/2/000.p/1", 31),
    ] {
        let mut damaged = copy.clone();
        flip(&mut damaged, file, byte);
        assert_eq!(
            about_hashes(&damaged),
            [(FindingKind::TileMismatch, Some(file.to_owned()))],
            "{file}"
        );
        damaged.remove(file).unwrap();
        assert_eq!(
            about_hashes(&damaged),
            [(FindingKind::MissingFile, Some(file.to_owned()))],
            "{file}"
        );
    }
}

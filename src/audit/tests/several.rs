//! Several files wrong at once: who is blamed follows from what leads to the root.

use super::{
    super::{damage, source::MemoryCopy, *},
    at, found, in_file,
    world::World,
};
use crate::{audit::source::StaticCopy as _, log::hash::row_root};

fn change(copy: &mut MemoryCopy, path: &str, change: impl FnOnce(&mut Vec<u8>)) {
    let mut bytes = copy.read(path, usize::MAX).unwrap().unwrap().to_vec();
    change(&mut bytes);
    copy.write(path, &bytes).unwrap();
}

/// Flips a bit of this hash of a tile.
fn flip(copy: &mut MemoryCopy, path: &str, hash: usize) {
    change(copy, path, |bytes| bytes[hash * 32] ^= 1);
}

/// Makes a hash of `upper` the one that the changed tile `lower` gives.
fn follow(copy: &mut MemoryCopy, lower: &str, upper: &str, hash: usize) {
    let bytes = copy.read(lower, usize::MAX).unwrap().unwrap();
    let row: Vec<Hash> = bytes
        .chunks(32)
        .map(|hash| Hash::from_slice(hash).unwrap())
        .collect();
    let root = row_root(&row).unwrap();
    change(copy, upper, |bytes| {
        bytes[hash * 32..][..32].copy_from_slice(root.as_bytes());
    });
}

const BOTTOM: &str = "tile/0/000";
const OTHER: &str = "tile/0/001";
const EDGE: &str = "tile/0/002.p/88";
const UPPER: &str = "tile/1/000.p/2";

type Fault = (
    &'static str,
    fn(&mut MemoryCopy),
    Vec<(FindingKind, Option<u64>, Option<&'static str>)>,
);

fn faults() -> Vec<Fault> {
    use FindingKind::{HashMismatch, MissingEntry, MissingFile, TileMismatch};
    let tile = |file| in_file(TileMismatch, file);
    vec![
        (
            "a tile and the one above",
            |copy| {
                flip(copy, BOTTOM, 5);
                flip(copy, UPPER, 0);
            },
            vec![tile(UPPER), tile(BOTTOM)],
        ),
        (
            "a tile, and the one above as it follows",
            |copy| {
                flip(copy, BOTTOM, 5);
                follow(copy, BOTTOM, UPPER, 0);
            },
            vec![tile(UPPER), tile(BOTTOM)],
        ),
        (
            "every hash tile",
            |copy| {
                for file in [BOTTOM, OTHER, EDGE, UPPER] {
                    flip(copy, file, 1);
                }
            },
            vec![tile(UPPER), tile(BOTTOM), tile(OTHER), tile(EDGE)],
        ),
        (
            "an upper tile and an entry",
            |copy| {
                flip(copy, UPPER, 0);
                damage::flip_byte(copy, LeafIndex::new(7)).unwrap();
            },
            vec![tile(UPPER), at(HashMismatch, 7)],
        ),
        (
            "an upper tile and an entry of another bundle",
            |copy| {
                flip(copy, UPPER, 0);
                damage::flip_byte(copy, LeafIndex::new(300)).unwrap();
            },
            vec![tile(UPPER), at(HashMismatch, 300)],
        ),
        (
            "a tile's hash and another place's entry",
            |copy| {
                flip(copy, BOTTOM, 5);
                damage::flip_byte(copy, LeafIndex::new(7)).unwrap();
            },
            vec![tile(BOTTOM), at(HashMismatch, 7)],
        ),
        (
            "the same at the edge",
            |copy| {
                flip(copy, EDGE, 5);
                damage::flip_byte(copy, LeafIndex::new(519)).unwrap();
            },
            vec![tile(EDGE), at(HashMismatch, 519)],
        ),
        (
            "a tile's hash and another entry dropped",
            |copy| {
                flip(copy, OTHER, 5);
                damage::drop_entry(copy, LeafIndex::new(300)).unwrap();
            },
            vec![tile(OTHER), at(MissingEntry, 300)],
        ),
        (
            "the edge's tile and the upper one",
            |copy| {
                flip(copy, EDGE, 80);
                flip(copy, UPPER, 1);
            },
            vec![tile(UPPER), tile(EDGE)],
        ),
        (
            "no tile above, and a wrong one",
            |copy| {
                copy.remove(UPPER).unwrap();
                flip(copy, BOTTOM, 9);
            },
            vec![in_file(MissingFile, UPPER), tile(BOTTOM)],
        ),
        (
            "no tile above, and a wrong entry",
            |copy| {
                copy.remove(UPPER).unwrap();
                damage::flip_byte(copy, LeafIndex::new(9)).unwrap();
            },
            vec![in_file(MissingFile, UPPER), at(HashMismatch, 9)],
        ),
        (
            "no tiles at all",
            |copy| {
                for file in [BOTTOM, OTHER, EDGE, UPPER] {
                    copy.remove(file).unwrap();
                }
            },
            [UPPER, BOTTOM, OTHER, EDGE]
                .map(|file| in_file(MissingFile, file))
                .to_vec(),
        ),
        (
            "no tile at the edge, and a wrong tile",
            |copy| {
                copy.remove(EDGE).unwrap();
                flip(copy, BOTTOM, 9);
            },
            vec![tile(BOTTOM), in_file(MissingFile, EDGE)],
        ),
        (
            "tiles in each other's place",
            |copy| {
                let bytes = copy.read(BOTTOM, usize::MAX).unwrap().unwrap();
                change(copy, OTHER, |other| {
                    let old = std::mem::replace(other, bytes.to_vec());
                    drop(old);
                });
            },
            vec![tile(OTHER)],
        ),
        (
            "no tile, and a dropped entry",
            |copy| {
                copy.remove(OTHER).unwrap();
                damage::drop_entry(copy, LeafIndex::new(300)).unwrap();
            },
            vec![
                in_file(MissingFile, OTHER),
                in_file(FindingKind::MalformedFile, "tile/entries/001"),
            ],
        ),
        (
            "no tile, and a wrong entry",
            |copy| {
                copy.remove(OTHER).unwrap();
                damage::flip_byte(copy, LeafIndex::new(300)).unwrap();
            },
            vec![
                in_file(MissingFile, OTHER),
                in_file(HashMismatch, "tile/entries/001"),
            ],
        ),
    ]
}

#[test]
fn of_several_wrong_files_each_is_named_and_no_other() {
    let world = World::of(600);
    for (name, fault, expected) in faults() {
        let mut copy = world.copy();
        fault(&mut copy);
        let report = world.audit(&copy);
        let mut found = found(&report);
        // The order is that in which files are met.
        found.sort();
        let mut expected = expected;
        expected.sort();
        assert_eq!(found, expected, "{name}: {:#?}", report.findings);
    }
}

/// Which hashes of which tiles, and the tiles to be named.
type Flips = (&'static [(&'static str, usize)], &'static [&'static str]);

#[test]
fn wrong_tiles_of_several_levels_leave_entries_out_of_it() {
    let mut world = World::of(1);
    world
        .entries
        .extend((0..66_000_u32).map(|number| number.to_be_bytes().to_vec().into()));
    let copy = world.copy();
    let cases: [Flips; 3] = [
        (
            &[("tile/1/000", 3), ("tile/0/003", 9)],
            &["tile/0/003", "tile/1/000"],
        ),
        (
            &[("tile/2/000.p/1", 0), ("tile/1/000", 3), ("tile/0/007", 255)],
            &["tile/0/007", "tile/1/000", "tile/2/000.p/1"],
        ),
        (
            &[("tile/2/000.p/1", 0), ("tile/1/001.p/1", 0)],
            &["tile/1/001.p/1", "tile/2/000.p/1"],
        ),
    ];
    for (flips, expected) in cases {
        let mut copy = copy.clone();
        for (file, hash) in flips {
            flip(&mut copy, file, *hash);
        }
        let options = AuditOptions {
            findings_max: usize::MAX,
            ..AuditOptions::default()
        };
        let report = audit(&copy, &world.trust(), &options).unwrap();
        let mut named: Vec<_> = report
            .findings
            .iter()
            .filter(|finding| finding.kind != FindingKind::InvalidEntry)
            .map(|finding| (finding.kind, finding.file.as_deref().unwrap_or_default()))
            .collect();
        named.sort();
        let expected: Vec<_> = expected
            .iter()
            .map(|file| (FindingKind::TileMismatch, *file))
            .collect();
        assert_eq!(named, expected);
    }
}

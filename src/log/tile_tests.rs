//! Tiles and bundles: paths in their one spelling, contents, and damaged bundles.

use proptest::prelude::*;

use super::*;
use crate::log::{MemoryTree, leaf_hash};

fn parse(path: &str) -> Result<TilePath, TileError> {
    path.parse()
}

#[test]
fn paths_are_spelt_as_the_specification_shows() {
    for (path, tile) in [
        ("tile/0/000", HashTile::new(0, 0, 256)),
        ("tile/0/x001/x234/067", HashTile::new(0, 1_234_067, 256)),
        ("tile/63/999.p/255", HashTile::new(63, 999, 255)),
        ("tile/2/x001/000.p/1", HashTile::new(2, 1000, 1)),
        (
            "tile/0/x018/x446/x744/x073/x709/x551/615",
            HashTile::new(0, u64::MAX, 256),
        ),
    ] {
        assert_eq!(parse(path), tile.map(TilePath::Hashes));
        assert_eq!(parse(path).unwrap().to_string(), path);
    }
    assert_eq!(
        parse("tile/entries/x001/x234/067.p/8"),
        EntryBundle::new(1_234_067, 8).map(TilePath::Entries)
    );
}

#[test]
fn refuses_every_other_spelling() {
    use TileError::{BadIndex, BadLevel, BadWidth, NotATile};
    for (path, error) in [
        ("", NotATile),
        ("tile", NotATile),
        ("tile/0", NotATile),
        ("/tile/0/000", NotATile),
        ("Tile/0/000", NotATile),
        ("tile/0/", BadIndex),
        ("tile//000", BadLevel),
        ("tile/00/000", BadLevel),
        ("tile/01/000", BadLevel),
        ("tile/+1/000", BadLevel),
        ("tile/64/000", BadLevel),
        ("tile/256/000", BadLevel),
        ("tile/data/000", BadLevel),
        ("tile/0/0", BadIndex),
        ("tile/0/00", BadIndex),
        ("tile/0/0000", BadIndex),
        ("tile/0/+00", BadIndex),
        ("tile/0/x000/000", BadIndex),
        ("tile/0/x000/x001/000", BadIndex),
        ("tile/0/001/000", BadIndex),
        ("tile/0/x001", BadIndex),
        ("tile/0/x001/x000", BadIndex),
        ("tile/0/x001//000", BadIndex),
        ("tile/0/000/", BadIndex),
        ("tile/0/X001/000", BadIndex),
        ("tile/0/x018/x446/x744/x073/x709/x551/616", BadIndex),
        ("tile/0/x999/x999/x999/x999/x999/x999/x999/999", BadIndex),
        ("tile/0/000.p", BadIndex),
        ("tile/0/000.p/", BadWidth),
        ("tile/0/000.p/0", BadWidth),
        ("tile/0/000.p/00", BadWidth),
        ("tile/0/000.p/01", BadWidth),
        ("tile/0/000.p/256", BadWidth),
        ("tile/0/000.p/65537", BadWidth),
        ("tile/0/000.p/1/", BadWidth),
        ("tile/0/000.p/1.p/1", BadWidth),
        ("tile/0/٠٠٠", BadIndex),
        (&format!("tile/0/{}", "x001/".repeat(100)), NotATile),
    ] {
        assert_eq!(parse(path), Err(error), "{path}");
    }
}

#[test]
fn growing_step_by_step_writes_what_growing_at_once_writes() {
    let names = |old: u64, new: u64| -> Vec<String> {
        hash_tiles_between(TreeSize::new(old), TreeSize::new(new))
            .map(|tile| tile.to_string())
            .collect()
    };
    assert_eq!(names(0, 0), Vec::<String>::new());
    assert_eq!(names(0, 1), ["tile/0/000.p/1"]);
    assert_eq!(names(1, 1), Vec::<String>::new());
    assert_eq!(names(0, 256), ["tile/0/000", "tile/1/000.p/1"]);
    assert_eq!(
        names(255, 257),
        ["tile/0/000", "tile/0/001.p/1", "tile/1/000.p/1"]
    );
    assert_eq!(names(256, 257), ["tile/0/001.p/1"]);

    let mut files = std::collections::BTreeSet::new();
    let mut size = 0;
    for step in (1..400).cycle().take(400) {
        let (old, new) = (TreeSize::new(size), TreeSize::new(size + step));
        files.extend(hash_tiles_between(old, new));
        assert!(files.iter().all(|tile| tile.exists_at(new)));
        size += step;
    }
    let size = TreeSize::new(size);
    let full_or_last: Vec<HashTile> = hash_tiles_between(TreeSize::EMPTY, size)
        .inspect(|tile| assert!(files.contains(tile)))
        .collect();
    assert!(
        files
            .iter()
            .filter(|tile| tile.is_full())
            .all(|tile| full_or_last.contains(tile))
    );
}

#[test]
fn nothing_exists_beyond_the_size() {
    let size = TreeSize::new(70_000);
    let exists = |level, index, width| HashTile::new(level, index, width).unwrap().exists_at(size);
    assert!(exists(0, 272, 256) && exists(0, 273, 112) && exists(0, 273, 1) && !exists(0, 273, 113));
    assert!(exists(1, 1, 17) && !exists(1, 1, 18) && !exists(1, 2, 1));
    assert!(exists(2, 0, 1) && !exists(2, 0, 2) && !exists(3, 0, 1) && !exists(63, 0, 1));
    assert!(!exists(0, u64::MAX, 1));
    assert!(EntryBundle::new(273, 112).unwrap().exists_at(size));
    assert!(!EntryBundle::new(274, 1).unwrap().exists_at(size));
    let last = EntryBundle::covering(LeafIndex::new(69_999), size).unwrap();
    assert_eq!(last.to_string(), "tile/entries/273.p/112");
    assert_eq!(last.first_entry(), Some(LeafIndex::new(273 * 256)));
    assert_eq!(EntryBundle::covering(LeafIndex::new(70_000), size), None);
    assert_eq!(EntryBundle::new(u64::MAX, 1).unwrap().first_entry(), None);
}

#[test]
fn every_complete_subtree_is_found_in_the_tile_that_covers_it() {
    let size = TreeSize::new(1_500);
    let tree: MemoryTree = (0..size.get())
        .map(|number| leaf_hash(&number.to_be_bytes()))
        .collect();
    let mut found = 0;
    for level in 0..=11_u8 {
        for index in 0..=(size.get() >> level) {
            let tile = HashTile::covering(level, index, size);
            let Ok(expected) = tree.subtree(level, index) else {
                assert_eq!(tile, None, "level {level} index {index}");
                continue;
            };
            let tile = tile.unwrap();
            let hashes = tile.hashes(&tile.read(&tree).unwrap()).unwrap();
            assert_eq!(tile.subtree_root(&hashes, level, index), Some(expected));
            found += 1;
        }
    }
    assert_eq!(found, 2 * size.get() - u64::from(size.get().count_ones()));
    for level in 0..=u8::MAX {
        for index in [0, 1, 1 << 56, 1 << 60, u64::MAX] {
            let _ = HashTile::covering(level, index, TreeSize::new(u64::MAX));
        }
    }
}

#[test]
fn refuses_tiles_of_another_length() {
    let tile = HashTile::new(0, 0, 2).unwrap();
    for len in [0, 32, 63, 65, 96] {
        assert_eq!(
            tile.hashes(&vec![0; len]),
            Err(TileError::WrongLen {
                expected: 64,
                got: len
            })
        );
    }
    assert_eq!(tile.hashes(&[0; 64]), Ok(vec![Hash::ZERO; 2]));
    assert_eq!(tile.subtree_root(&[], 0, 0), None, "too few hashes are no panic");
    let nowhere = HashTile::new(63, u64::MAX, 256).unwrap();
    assert!(nowhere.read(&MemoryTree::new()).is_err());
    assert_eq!(nowhere.subtree_root(&[Hash::ZERO; 256], u8::MAX, u64::MAX), None);
    assert_eq!(HashTile::new(0, 0, 257), Err(TileError::BadWidth));
    assert_eq!(HashTile::new(0, 0, 0), Err(TileError::BadWidth));
}

#[test]
fn refuses_bundles_cut_or_extended_anywhere() {
    let entries: [&[u8]; 3] = [b"", b"one", &[7; 300]];
    let bundle = EntryBundle::new(0, 3).unwrap();
    let bytes = encode_bundle(&entries).unwrap();
    assert_eq!(bundle.entries(&bytes).unwrap(), entries);
    for len in 0..bytes.len() {
        assert!(
            matches!(bundle.entries(&bytes[..len]), Err(BundleError::Truncated { .. })),
            "{len}"
        );
    }
    let longer = [bytes.as_slice(), &[0, 0]].concat();
    assert_eq!(
        bundle.entries(&longer),
        Err(BundleError::TrailingBytes { surplus: 2, width: 3 })
    );
}

#[test]
fn refuses_entries_that_no_bundle_can_hold() {
    assert_eq!(
        encode_bundle::<&[u8]>(&[]),
        Err(BundleError::WrongCount { got: 0 })
    );
    assert_eq!(
        encode_bundle(&[b""; 257]),
        Err(BundleError::WrongCount { got: 257 })
    );
    let longest = vec![1; ENTRY_LEN_MAX];
    let bytes = encode_bundle(&[&longest]).unwrap();
    assert_eq!(
        EntryBundle::new(0, 1).unwrap().entries(&bytes).unwrap(),
        [longest.as_slice()]
    );
    let too_long = vec![1; ENTRY_LEN_MAX + 1];
    assert_eq!(
        encode_bundle(&[b"".as_slice(), &too_long]),
        Err(BundleError::EntryTooLong {
            entry: 1,
            len: ENTRY_LEN_MAX + 1
        })
    );
}

proptest! {
    #[test]
    fn printing_and_parsing_a_path_are_inverse(
        level in 0_u8..=63, index: u64, shift in 0_u32..64, width in 1_u16..=256,
    ) {
        let index = index >> shift;
        let hashes = TilePath::Hashes(HashTile::new(level, index, width)?);
        prop_assert_eq!(parse(&hashes.to_string()), Ok(hashes));
        let entries = TilePath::Entries(EntryBundle::new(index, width)?);
        prop_assert_eq!(parse(&entries.to_string()), Ok(entries));
    }

    #[test]
    fn what_parses_prints_the_same(path in "tile/(entries|[0-9]{1,2})/(x[0-9]{3}/){0,3}[0-9]{1,4}(\\.p/[0-9]{1,3})?") {
        if let Ok(parsed) = parse(&path) {
            prop_assert_eq!(parsed.to_string(), path);
        }
    }

    #[test]
    fn encoding_and_decoding_a_bundle_are_inverse(
        entries in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..40), 1..=256),
    ) {
        let bytes = encode_bundle(&entries)?;
        let bundle = EntryBundle::new(0, u16::try_from(entries.len())?)?;
        prop_assert_eq!(bundle.entries(&bytes)?, entries);
    }

    #[test]
    fn arbitrary_bytes_are_no_bundle_or_encode_to_themselves(
        bytes in prop::collection::vec(prop_oneof![Just(0_u8), 0_u8..4, any::<u8>()], 0..64), width in 1_u16..8,
    ) {
        if let Ok(entries) = EntryBundle::new(0, width)?.entries(&bytes) {
            prop_assert_eq!(encode_bundle(&entries)?, bytes);
        }
    }
}

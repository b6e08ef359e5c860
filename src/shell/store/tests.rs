//! Claims about the store as a whole: index and value log together.

use std::{fs, path::Path};

use proptest::prelude::*;

use super::*;
use crate::{
    log::{
        HashReader as _,
        hash::{leaf_hash, row_root},
    },
    shell::conformance,
};

fn options() -> Options {
    Options {
        segment_len_max: 40_000,
        cache_len: 16 << 20,
        boot_id: Some("one".to_owned()),
    }
}

fn open(folder: &Path) -> Store {
    Store::open(folder, &options()).unwrap()
}

fn entry(index: u64) -> Bytes {
    Bytes::from(format!("entry number {index}"))
}

fn append(store: &mut Store, count: u64) {
    let from = store.size().get();
    let rows: Vec<_> = (from..from + count)
        .map(entry)
        .map(|entry| (entry.clone(), leaf_hash(&entry)))
        .collect();
    store.append(&rows).unwrap();
}

/// Reads everything that can be read and compares it with what was appended.
fn check(reader: &Reader, size: u64) {
    assert_eq!(reader.size(), TreeSize::new(size));
    let mut next = 0;
    let replayed: Result<(), StoreError> = reader.replay(LeafIndex::GENESIS, |first, entries| {
        assert_eq!(first.get(), next);
        for found in entries {
            assert_eq!(*found, entry(next));
            next += 1;
        }
        Ok(())
    });
    replayed.unwrap();
    assert_eq!(next, size);
    let leaves: Vec<Hash> = (0..size).map(|index| leaf_hash(&entry(index))).collect();
    assert_eq!(reader.hashes(0, 0, usize::MAX).unwrap(), leaves);
    for level in 0..14 {
        let width = 1 << level;
        for (index, subtree) in (0..).zip(leaves.chunks_exact(width)) {
            // All near the ends, some between.
            if index % 61 < 2 || index + 3 > leaves.len() / width {
                let found = reader.subtree(level, u64::try_from(index).unwrap()).unwrap();
                assert_eq!(Some(found), row_root(subtree), "level {level}, {index}");
            }
        }
        assert!(reader.subtree(level, size >> level).is_err());
    }
    assert_eq!(reader.root(TreeSize::new(size)).unwrap(), row_root(&leaves));
    assert_eq!(reader.root(TreeSize::new(size + 1)).unwrap(), None);
}

#[test]
fn store_keeps_its_contract() {
    let folder = tempfile::tempdir().unwrap();
    conformance::entry_store(|| Store::open(folder.path(), &Options::default()).unwrap());
    let small = tempfile::tempdir().unwrap();
    conformance::entry_store(|| open(small.path()));
}

#[test]
fn everything_is_readable_at_once_and_after_opening_again() {
    let folder = tempfile::tempdir().unwrap();
    let mut size = 0;
    for count in [1, 1, 126, 128, 1, 3000, 255, 70_000, 5] {
        let mut store = open(folder.path());
        assert_eq!(store.rebuilt(), None);
        append(&mut store, count);
        size += count;
        check(&store.reader(), size);
        store.drain().unwrap();
        check(&store.reader(), size);
        store.close().unwrap();
        let store = open(folder.path());
        check(&store.reader(), size);
    }
}

#[test]
fn second_opener_is_told_that_the_store_is_in_use() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    assert!(matches!(
        Store::open(folder.path(), &options()),
        Err(StoreError::Locked(_))
    ));
    drop(store);
    open(folder.path());
}

#[test]
fn chunks_are_there_at_once_in_order_and_after_opening_again() {
    let folder = tempfile::tempdir().unwrap();
    let mut store = open(folder.path());
    let reader = store.reader();
    append(&mut store, 10);
    for key in [3_u8, 1, 2, 200] {
        reader
            .put_chunk("feed", &[7, key], Bytes::from(vec![key; 4096]))
            .unwrap();
    }
    reader
        .put_chunk("fee", &[7, 9], Bytes::from_static(b"another namespace"))
        .unwrap();
    for drained in [false, true] {
        let found = reader.scan_chunks("feed", &[7]).unwrap();
        assert_eq!(
            found.iter().map(|(key, _)| key[1]).collect::<Vec<_>>(),
            [1, 2, 3, 200],
            "{drained}"
        );
        assert_eq!(reader.chunk("feed", &[7, 3]).unwrap().unwrap(), vec![3; 4096]);
        assert_eq!(reader.chunk("feed", &[7, 9]).unwrap(), None);
        store.drain().unwrap();
    }
    reader.delete_chunk("feed", &[7, 2]).unwrap();
    reader
        .put_chunk("feed", &[7, 1], Bytes::from_static(b"new"))
        .unwrap();
    assert_eq!(
        reader.scan_chunks("feed", &[7]).unwrap()[0].1,
        Bytes::from_static(b"new")
    );
    assert!(reader.put_chunk("feed", &[], Bytes::from(vec![0; 4097])).is_err());
    assert_eq!(store.rebuilt(), None);
    store.close().unwrap();
    let store = open(folder.path());
    let found = store.reader().scan_chunks("feed", &[]).unwrap();
    assert_eq!(
        found.iter().map(|(key, _)| key[1]).collect::<Vec<_>>(),
        [1, 3, 200]
    );
}

#[test]
fn index_is_rebuilt_after_the_machine_stopped_but_not_after_a_clean_close() {
    let folder = tempfile::tempdir().unwrap();
    let mut store = open(folder.path());
    append(&mut store, 1000);
    store
        .reader()
        .put_chunk("n", b"k", Bytes::from_static(b"v"))
        .unwrap();
    store.close().unwrap();
    let rebooted = Options {
        boot_id: Some("two".to_owned()),
        ..options()
    };
    let mut store = Store::open(folder.path(), &rebooted).unwrap();
    assert_eq!(store.rebuilt(), None);
    assert!(store.reader().chunk("n", b"k").unwrap().is_some());
    append(&mut store, 10);
    // As if the machine stopped now: copy what is on disk.
    let copy = tempfile::tempdir().unwrap();
    store.drain().unwrap();
    copy_folder(folder.path(), copy.path());
    drop(store);
    let store = open(copy.path());
    assert!(store.rebuilt().is_some());
    check(&store.reader(), 1010);
    assert_eq!(store.reader().chunk("n", b"k").unwrap(), None);
}

#[test]
fn log_cut_below_what_the_state_or_the_index_knows_is_damage_however_often_it_is_opened() {
    for clean in [true, false] {
        let folder = tempfile::tempdir().unwrap();
        let mut store = open(folder.path());
        append(&mut store, 100);
        append(&mut store, 100);
        let copy = tempfile::tempdir().unwrap();
        if clean {
            store.close().unwrap();
            copy_folder(folder.path(), copy.path());
        } else {
            // Killed: the state file knows nothing, sled has its rows in its file.
            store.drain().unwrap();
            store.reader.shared.index.flush_for_test();
            copy_folder(folder.path(), copy.path());
        }
        let log = copy.path().join("values/0000000000.values");
        let len = fs::metadata(&log).unwrap().len();
        fs::File::options()
            .write(true)
            .open(&log)
            .unwrap()
            .set_len(len - 1)
            .unwrap();
        for _ in 0..3 {
            let result = Store::open(copy.path(), &options());
            assert!(
                matches!(result, Err(StoreError::Damaged { .. })),
                "clean: {clean}"
            );
            assert_eq!(fs::metadata(&log).unwrap().len(), len - 1);
        }
    }
}

#[test]
fn state_that_ends_while_opening_or_too_often_uncleanly_makes_the_index_new() {
    let folder = tempfile::tempdir().unwrap();
    let mut store = open(folder.path());
    append(&mut store, 100);
    store.close().unwrap();
    let path = folder.path().join("state");
    let state = State::load(&path).unwrap();
    assert_eq!((state.index, state.size), (IndexState::Clean, 100));
    let cases = [
        (IndexState::Opening, 1, false),
        (IndexState::Opening, UNCLEAN_OPENING_MAX, true),
        (IndexState::Suspect, 1, true),
        (IndexState::Open, 1, false),
        (IndexState::Open, UNCLEAN_MAX, true),
    ];
    for (index, unclean, rebuilt) in cases {
        State {
            index,
            unclean,
            ..state.clone()
        }
        .save(&path)
        .unwrap();
        let store = open(folder.path());
        assert_eq!(store.rebuilt().is_some(), rebuilt, "{index:?} {unclean}");
        check(&store.reader(), 100);
    }
}

#[test]
fn failed_index_stops_appends_but_not_reads_and_is_rebuilt_at_the_next_opening() {
    let folder = tempfile::tempdir().unwrap();
    let mut store = open(folder.path());
    append(&mut store, 2000);
    store.drain().unwrap();
    let reader = store.reader();
    reader.distrust_index("test");
    check(&reader, 2000);
    assert!(matches!(reader.chunk("n", b"k"), Err(StoreError::Index(_))));
    assert!(matches!(
        store.append(&[(Bytes::new(), leaf_hash(b""))]),
        Err(StoreError::Index(_))
    ));
    assert!(store.close().is_err());
    let store = open(folder.path());
    assert!(store.rebuilt().unwrap().contains("did not hold"));
    check(&store.reader(), 2000);
}

#[test]
fn row_that_is_missing_below_the_head_is_read_around_and_repaired() {
    let folder = tempfile::tempdir().unwrap();
    for kind in [2, 3] {
        let mut store = open(folder.path());
        append(&mut store, 2000);
        let size = store.size().get();
        store.drain().unwrap();
        store.reader.shared.index.remove_for_test(kind);
        let reader = store.reader();
        check(&reader, size);
        assert!(store.reader.shared.index.failure().is_some());
        drop((store, reader));
        assert!(open(folder.path()).rebuilt().is_some());
    }
}

#[test]
fn reader_that_outlives_its_store_reads_on_without_index() {
    let folder = tempfile::tempdir().unwrap();
    let mut store = open(folder.path());
    append(&mut store, 700);
    let reader = store.reader();
    store.close().unwrap();
    check(&reader, 700);
    // And does not make the next one distrust what is fine.
    assert_eq!(open(folder.path()).rebuilt(), None);
}

#[test]
fn scrub_names_the_damaged_frame_and_counts_the_sound_rest() {
    let folder = tempfile::tempdir().unwrap();
    let mut store = open(folder.path());
    for _ in 0..8 {
        append(&mut store, 256);
    }
    store.drain().unwrap();
    let reader = store.reader();
    assert_eq!(reader.scrub(0..u64::MAX).unwrap().sound, 2048);
    let log = folder.path().join("values/0000000000.values");
    let mut bytes = fs::read(&log).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(&log, bytes).unwrap();
    let report = reader.scrub(0..u64::MAX).unwrap();
    assert_eq!(report.sound, 2048 - 256);
    assert!(matches!(&report.damage[..], [StoreError::Damaged { .. }]));
    assert_eq!(reader.scrub(0..256).unwrap().sound, 256);
}

#[test]
fn readers_beside_the_writer_always_see_whole_entries() {
    let folder = tempfile::tempdir().unwrap();
    let mut store = open(folder.path());
    let readers: Vec<Reader> = (0..2).map(|_| store.reader()).collect();
    std::thread::scope(|scope| {
        for reader in &readers {
            scope.spawn(move || {
                let mut seen = 0;
                while seen < 20_000 {
                    seen = reader.size().get();
                    let Some(last) = seen.checked_sub(1) else { continue };
                    assert_eq!(reader.read(LeafIndex::new(last), 1).unwrap(), [entry(last)]);
                    assert_eq!(
                        reader.leaf_hash(LeafIndex::new(last)).unwrap(),
                        Some(leaf_hash(&entry(last)))
                    );
                    let middle = seen / 2;
                    assert_eq!(reader.read(LeafIndex::new(middle), 1).unwrap(), [entry(middle)]);
                    assert_eq!(
                        reader.leaf_hash(LeafIndex::new(middle)).unwrap(),
                        Some(leaf_hash(&entry(middle)))
                    );
                    reader.root(TreeSize::new(seen)).unwrap().unwrap();
                }
            });
        }
        while store.size().get() < 20_000 {
            append(&mut store, 137);
        }
    });
    let size = store.size().get();
    check(&readers[0], size);
    assert_eq!(readers[0].shared.index.failure(), None);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]
    #[test]
    fn any_split_into_commits_gives_the_same_log(counts in prop::collection::vec(0_u64..600, 1..12)) {
        let folder = tempfile::tempdir().unwrap();
        let mut store = open(folder.path());
        for count in &counts {
            append(&mut store, *count);
        }
        check(&store.reader(), counts.iter().sum());
    }
}

pub(super) fn copy_folder(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for item in fs::read_dir(from).unwrap() {
        let item = item.unwrap();
        let target = to.join(item.file_name());
        if item.file_type().unwrap().is_dir() {
            copy_folder(&item.path(), &target);
        } else {
            fs::copy(item.path(), target).unwrap();
        }
    }
}

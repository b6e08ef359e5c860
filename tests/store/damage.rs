//! Whatever happens to sled's folder, the store opens complete; whatever happens to the value log before
//! its tail, it says so.

use std::{
    fs,
    path::{Path, PathBuf},
};

use bytes::Bytes;
use lotproof::{
    port::{EntryStore as _, StoreError},
    shell::store::Store,
};
use tempfile::TempDir;

use crate::{
    dice::{Dice, is_long},
    support::{append, check, copy_folder, options},
};

const SIZE: u64 = 3_000;

/// A store closed cleanly with 3,000 entries and some chunks, and its index as it was at 1,000 entries.
fn sample() -> (TempDir, TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let older = tempfile::tempdir().unwrap();
    let mut store = Store::open(folder.path(), &options("boot 0")).unwrap();
    while store.size().get() < SIZE {
        append(&mut store, 50);
        let size = store.size();
        let chunk = Bytes::from(size.to_string().repeat(100));
        store
            .reader()
            .put_chunk("sample", &size.get().to_be_bytes(), chunk)
            .unwrap();
        if size.get() == 1_000 {
            store.close().unwrap();
            copy_folder(&folder.path().join("index"), older.path());
            store = Store::open(folder.path(), &options("boot 0")).unwrap();
        }
    }
    store.close().unwrap();
    (folder, older)
}

/// Opens a copy of the sample whose index was changed, and checks all there is. Chunks may be gone, and
/// may not be readable, but are never other ones. Returns whether the index was rebuilt.
fn open_damaged(sample: &Path, what: &str, change: impl FnOnce(&Path)) -> bool {
    let copy = tempfile::tempdir().unwrap();
    copy_folder(sample, copy.path());
    change(&copy.path().join("index"));
    let mut rebuilt = false;
    for attempt in 0..3 {
        let mut store =
            Store::open(copy.path(), &options("boot 0")).unwrap_or_else(|error| panic!("{what}: {error:?}"));
        rebuilt |= store.rebuilt().is_some();
        let size = store.size().get();
        check(&store.reader(), size).unwrap_or_else(|why| panic!("{what}: {why}"));
        let chunks = store.reader().scan_chunks("sample", &[]);
        for (key, value) in chunks.iter().flatten() {
            let size = u64::from_be_bytes(key[..].try_into().unwrap());
            assert_eq!(*value, size.to_string().repeat(100), "{what}");
        }
        // An index found bad while in use takes no appends, and is new after the next opening.
        if chunks.is_ok() && store.append(&crate::support::commit(size, 300)).is_ok() {
            check(&store.reader(), size + 300).unwrap_or_else(|why| panic!("{what}: {why}"));
            if store.close().is_ok() {
                return rebuilt;
            }
        }
        assert!(attempt < 2, "{what}: the index does not get well");
    }
    rebuilt
}

fn index_files(index: &Path) -> Vec<PathBuf> {
    let items = fs::read_dir(index).unwrap().map(|item| item.unwrap().path());
    let mut files: Vec<PathBuf> = items.filter(|path| path.is_file()).collect();
    files.sort();
    files
}

fn snapshot(index: &Path) -> Option<PathBuf> {
    index_files(index)
        .into_iter()
        .find(|path| path.file_name().unwrap().to_str().unwrap().starts_with("snap."))
}

#[test]
fn index_deleted_emptied_replaced_or_of_an_older_moment_is_made_complete() {
    let (sample, older) = sample();
    let sample = sample.path();
    assert!(open_damaged(sample, "deleted", |index| fs::remove_dir_all(index).unwrap()));
    assert!(open_damaged(sample, "an empty folder", |index| {
        fs::remove_dir_all(index).unwrap();
        fs::create_dir(index).unwrap();
    }));
    assert!(open_damaged(sample, "a file instead", |index| {
        fs::remove_dir_all(index).unwrap();
        fs::write(index, b"not a folder").unwrap();
    }));
    assert!(open_damaged(sample, "all files emptied", |index| {
        for file in index_files(index) {
            fs::write(file, b"").unwrap();
        }
    }));
    // Nothing wrong with an older one: what it lacks is folded.
    assert!(!open_damaged(sample, "an older moment", |index| {
        fs::remove_dir_all(index).unwrap();
        copy_folder(older.path(), index);
    }));
    assert!(open_damaged(sample, "another store's", |index| {
        let other = tempfile::tempdir().unwrap();
        let mut store = Store::open(other.path(), &options("boot 0")).unwrap();
        append(&mut store, 500);
        store.close().unwrap();
        fs::remove_dir_all(index).unwrap();
        copy_folder(&other.path().join("index"), index);
    }));
    assert!(!open_damaged(sample, "nothing", |_| ()));
}

#[test]
fn index_with_any_file_missing_or_cut_is_made_complete() {
    let (sample, _) = sample();
    let mut dice = Dice::thrown_for("damage");
    let count = index_files(&sample.path().join("index")).len();
    for at in 0..count {
        open_damaged(sample.path(), &format!("file {at} missing"), |index| {
            fs::remove_file(&index_files(index)[at]).unwrap();
        });
        for _ in 0..if is_long() { 100 } else { 12 } {
            let path = &index_files(&sample.path().join("index"))[at];
            let len = dice.below(fs::metadata(path).unwrap().len());
            open_damaged(sample.path(), &format!("file {at} cut at {len}"), |index| {
                fs::File::options()
                    .write(true)
                    .open(&index_files(index)[at])
                    .unwrap()
                    .set_len(len)
                    .unwrap();
            });
        }
    }
}

#[test]
fn index_with_flipped_bits_is_made_complete() {
    let (sample, _) = sample();
    let mut dice = Dice::thrown_for("damage");
    for round in 0..if is_long() { 2_000 } else { 120 } {
        let files = index_files(&sample.path().join("index"));
        // Small files as often as large ones.
        let at = dice.place(files.len());
        let mut bytes = fs::read(&files[at]).unwrap();
        for _ in 0..=dice.below(3) {
            let byte = dice.place(bytes.len());
            bytes[byte] ^= 1 << dice.below(8);
        }
        open_damaged(
            sample.path(),
            &format!("round {round}, {}", files[at].display()),
            |index| {
                fs::write(&index_files(index)[at], &bytes).unwrap();
            },
        );
    }
}

#[test]
fn half_written_snapshots_are_survived() {
    let (sample, _) = sample();
    let whole = fs::read(snapshot(&sample.path().join("index")).expect("sled wrote a snapshot")).unwrap();
    for len in [0, 1, whole.len() / 2, whole.len() - 1] {
        open_damaged(sample.path(), &format!("snapshot cut at {len}"), |index| {
            fs::write(snapshot(index).unwrap(), &whole[..len]).unwrap();
        });
        open_damaged(sample.path(), &format!("snapshot zero from {len}"), |index| {
            let mut bytes = whole[..len].to_vec();
            bytes.resize(whole.len(), 0);
            fs::write(snapshot(index).unwrap(), bytes).unwrap();
        });
        open_damaged(sample.path(), &format!("generating, cut at {len}"), |index| {
            fs::write(index.join("snap.FFFFFFFFFFFFFFF0.generating"), &whole[..len]).unwrap();
        });
        open_damaged(sample.path(), &format!("a newer one, cut at {len}"), |index| {
            fs::write(index.join("snap.00000000FFFFFFF0"), &whole[..len]).unwrap();
        });
    }
}

#[test]
fn value_log_damaged_in_any_earlier_segment_is_never_silently_cut() {
    let (sample, _) = sample();
    let mut dice = Dice::thrown_for("damage");
    let mut segments: Vec<PathBuf> = fs::read_dir(sample.path().join("values"))
        .unwrap()
        .map(|item| item.unwrap().path())
        .collect();
    segments.sort();
    segments.pop();
    assert!(segments.len() >= 3);
    for path in &segments {
        let bytes = fs::read(path).unwrap();
        for keep_index in [true, false] {
            let copy = tempfile::tempdir().unwrap();
            copy_folder(sample.path(), copy.path());
            let mut flipped = bytes.clone();
            let at = dice.place(bytes.len());
            flipped[at] ^= 1;
            let path = copy.path().join("values").join(path.file_name().unwrap());
            fs::write(&path, &flipped).unwrap();
            if !keep_index {
                fs::remove_dir_all(copy.path().join("index")).unwrap();
            }
            // Found at once where everything is read, and otherwise by whoever reads there.
            match Store::open(copy.path(), &options("boot 0")) {
                Ok(store) => {
                    assert!(keep_index);
                    assert_eq!(store.size().get(), SIZE);
                    assert!(check(&store.reader(), SIZE).is_err());
                    assert_eq!(store.reader().scrub(0..SIZE).unwrap().damage.len(), 1);
                }
                Err(error) => assert!(matches!(error, StoreError::Damaged { .. }), "{error:?}"),
            }
            assert_eq!(fs::read(&path).unwrap(), flipped);
        }
    }
}

#[test]
fn tail_torn_anywhere_keeps_all_that_was_acknowledged_before_it() {
    let folder = tempfile::tempdir().unwrap();
    let mut store = Store::open(folder.path(), &options("boot 0")).unwrap();
    append(&mut store, 300);
    store.close().unwrap();
    // The state file and the index know of 300; the commit after them is torn.
    let known = tempfile::tempdir().unwrap();
    copy_folder(folder.path(), known.path());
    let path = |folder: &Path| folder.join("values/0000000000.values");
    let before = fs::metadata(path(known.path())).unwrap().len();
    let mut store = Store::open(folder.path(), &options("boot 0")).unwrap();
    append(&mut store, 12);
    store.close().unwrap();
    let whole = fs::read(path(folder.path())).unwrap();
    for len in usize::try_from(before).unwrap()..=whole.len() {
        if !is_long() && len % 23 != 0 && len != whole.len() {
            continue;
        }
        let copy = tempfile::tempdir().unwrap();
        copy_folder(known.path(), copy.path());
        fs::write(path(copy.path()), &whole[..len]).unwrap();
        let store = Store::open(copy.path(), &options("boot 0")).unwrap();
        assert_eq!(store.rebuilt(), None);
        let size = if len == whole.len() { 312 } else { 300 };
        check(&store.reader(), size).unwrap_or_else(|why| panic!("cut at {len}: {why}"));
    }
}

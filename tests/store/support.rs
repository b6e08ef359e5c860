//! Entries that can be recognised, and a check of everything that can be read.

use std::{fs, path::Path};

use bytes::Bytes;
use lotproof::{
    id::{Hash, LeafIndex, TreeSize},
    port::{EntryStore as _, StoreError},
    shell::store::{Options, Reader, Store},
};

use crate::dice::Dice;

/// Entry `index`: recognisable, of a length between 0 and 700 bytes that follows from the index.
pub(crate) fn entry(index: u64) -> Bytes {
    let mut dice = Dice::new(index);
    let len = dice.below(if index.is_multiple_of(3) { 700 } else { 60 });
    let bytes: Vec<u8> = (0..len.div_ceil(8))
        .flat_map(|_| dice.next().to_le_bytes())
        .collect();
    Bytes::from(bytes).slice(..usize::try_from(len).unwrap())
}

/// Entries `from` to `from + count - 1`, with their leaf hashes.
pub(crate) fn commit(from: u64, count: u64) -> Vec<(Bytes, Hash)> {
    let rows = (from..from + count).map(entry);
    rows.map(|entry| (entry.clone(), leaf_hash(&entry))).collect()
}

fn leaf_hash(entry: &[u8]) -> Hash {
    Hash::of(&[&[0], entry])
}

/// Appends `count` of the recognisable entries.
pub(crate) fn append(store: &mut Store, count: u64) {
    let rows = commit(store.size().get(), count);
    store.append(&rows).unwrap();
}

/// Small segments, so that there are several.
pub(crate) fn options(boot: &str) -> Options {
    Options {
        segment_len_max: 100_000,
        cache_len: 16 << 20,
        boot_id: Some(boot.to_owned()),
    }
}

/// Whether everything that a store of `size` entries must know is there and right, or what is not.
pub(crate) fn check(reader: &Reader, size: u64) -> Result<(), String> {
    let text = |error: StoreError| format!("{error:?}");
    if reader.size() != TreeSize::new(size) {
        return Err(format!("size is {}, not {size}", reader.size()));
    }
    let mut next = 0;
    reader
        .replay(LeafIndex::GENESIS, |_, entries| {
            for found in entries {
                if *found != entry(next) {
                    let (what, why) = (format!("entry {next}"), "it is another".to_owned());
                    return Err(StoreError::Damaged { what, offset: 0, why });
                }
                next += 1;
            }
            Ok(())
        })
        .map_err(text)?;
    if next != size {
        return Err(format!("{next} entries, not {size}"));
    }
    let leaves: Vec<Hash> = (0..size).map(|index| leaf_hash(&entry(index))).collect();
    if reader.hashes(0, 0, usize::MAX).map_err(text)? != leaves {
        return Err("other leaf hashes".to_owned());
    }
    if reader.root(TreeSize::new(size)).map_err(text)? != Some(root_of(&leaves)) {
        return Err("another root".to_owned());
    }
    Ok(())
}

/// RFC 6962, section 2.1, as it stands there.
fn root_of(leaves: &[Hash]) -> Hash {
    match leaves {
        [] => Hash::of(&[]),
        [leaf] => *leaf,
        _ => {
            let (left, right) = leaves.split_at(leaves.len().next_power_of_two() / 2);
            Hash::of(&[&[1], root_of(left).as_bytes(), root_of(right).as_bytes()])
        }
    }
}

pub(crate) fn copy_folder(from: &Path, to: &Path) {
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

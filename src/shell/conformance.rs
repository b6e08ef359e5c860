//! What every implementation of the storage contracts must do: run by the tests of each.
//!
//! The functions panic where the contract of `port.rs` is not kept.

use bytes::Bytes;

use crate::{
    id::{Hash, LeafIndex, LogId, TreeSize},
    port::{ENTRY_LEN_MAX, EntryStore, Guard, GuardError, GuardValue},
};

/// Entries `from` to `to - 1`: mostly short, some empty, some long.
fn entries(from: u64, to: u64) -> Vec<(Bytes, Hash)> {
    let entry = |index: u64| match index % 97 {
        5 => Bytes::new(),
        6 => Bytes::from(vec![0; ENTRY_LEN_MAX]),
        _ => Bytes::from(format!("entry {index}")),
    };
    (from..to)
        .map(entry)
        .map(|entry| (entry.clone(), Hash::of(&[&[0], &entry])))
        .collect()
}

/// Checks an [`EntryStore`]. `open` opens the same store each time, empty at first; the one before is
/// dropped.
pub fn entry_store<S: EntryStore>(mut open: impl FnMut() -> S) {
    let mut size = 0;
    for batch in [0, 1, 1, 253, 1, 1, 300, 256, 2, 1000] {
        let mut store = open();
        assert_eq!(
            store.size(),
            TreeSize::new(size),
            "a store opened again has what was appended"
        );
        let next = size + batch;
        store.append(&entries(size, next)).expect("append");
        size = next;
        assert_eq!(
            store.size(),
            TreeSize::new(size),
            "the size counts what was appended"
        );
        check_reads(&store, size);
    }
    let store = open();
    check_reads(&store, size);
    drop(store);

    let mut store = open();
    let too_long = Bytes::from(vec![0; ENTRY_LEN_MAX + 1]);
    let leaf = Hash::of(&[&[0], &too_long]);
    assert!(
        store.append(&[(too_long, leaf)]).is_err(),
        "an entry has at most 65,535 bytes"
    );
    drop(store);
    let mut store = open();
    assert_eq!(
        store.size(),
        TreeSize::new(size),
        "an entry that is too long leaves nothing behind"
    );
    store
        .append(&entries(size, size + 1))
        .expect("a store opened again after an error takes appends");
    check_reads(&store, size + 1);
}

fn check_reads<S: EntryStore>(store: &S, size: u64) {
    let expected: Vec<Bytes> = entries(0, size).into_iter().map(|(entry, _)| entry).collect();
    let edges = [
        0,
        1,
        2,
        255,
        256,
        257,
        511,
        512,
        513,
        size.saturating_sub(1),
        size,
        size + 1,
        u64::MAX - 1,
    ];
    for start in edges {
        for count in [0, 1, 2, 255, 256, 257, 2000] {
            let skip = usize::try_from(start).unwrap_or(usize::MAX);
            let wanted: Vec<&Bytes> = expected.iter().skip(skip).take(count).collect();
            let found = store.read(LeafIndex::new(start), count).expect("read");
            assert_eq!(
                found.iter().collect::<Vec<_>>(),
                wanted,
                "{count} entries from {start} of {size}"
            );
        }
    }
}

/// Checks a [`Guard`]. `open` makes another client of the same guard each time; there is no value at first.
pub fn guard<G: Guard>(mut open: impl FnMut() -> G) {
    let value = |size| GuardValue {
        log_id: LogId::new(Hash::of(&[b"log"])),
        size: TreeSize::new(size),
        root: Hash::of(&[b"root"]),
        run_id: format!("{size:032x}"),
    };
    let (mut one, mut other) = (open(), open());
    assert!(one.load().expect("load").is_none(), "there is no value at first");
    let first = one
        .swap(None, &value(1))
        .expect("the first swap needs no revision");
    assert_eq!(
        other.load().expect("load"),
        Some((value(1), first)),
        "other clients see the value"
    );
    assert!(
        matches!(other.swap(None, &value(2)), Err(GuardError::Conflict)),
        "only the first swap needs no revision"
    );
    let second = other
        .swap(Some(first), &value(2))
        .expect("a swap from the present revision");
    assert_ne!(first, second, "each swap makes another revision");
    assert!(
        matches!(one.swap(Some(first), &value(3)), Err(GuardError::Conflict)),
        "of two swaps from one revision one succeeds"
    );
    assert_eq!(
        one.load().expect("load"),
        Some((value(2), second)),
        "a conflict changes nothing"
    );
    let same = one
        .swap(Some(second), &value(2))
        .expect("the same value is a swap too");
    assert_eq!(open().load().expect("load"), Some((value(2), same)));
}

//! How fast the store takes entries, beside the same bytes appended to a plain file: run with
//! `cargo run --release --example store_rate [FOLDER]`.

#![expect(clippy::disallowed_methods, reason = "a measurement reads the clock")]

use std::{
    fs::File,
    io::Write as _,
    path::{Path, PathBuf},
    time::Instant,
};

use bytes::Bytes;
use lotproof::{
    id::{Hash, LeafIndex},
    port::EntryStore as _,
    shell::store::{Options, Store},
};

const ENTRY_LEN: usize = 400;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let base = std::env::args()
        .nth(1)
        .map_or_else(std::env::temp_dir, PathBuf::from);
    let folder = base.join(format!("lotproof-store-rate-{}", std::process::id()));
    std::fs::create_dir_all(&folder)?;
    println!("entries of {ENTRY_LEN} bytes, each commit synced; entries a second");
    println!(
        "{:>9} {:>12} {:>12} {:>12} {:>8}",
        "a commit", "raw file", "store", "+ drained", "ratio"
    );
    for (commit, total) in [(1, 2_000), (16, 30_000), (256, 500_000), (2_000, 2_000_000)] {
        let entries: Vec<(Bytes, Hash)> = (0..commit)
            .map(|n: usize| {
                let mut entry = n.to_be_bytes().repeat(ENTRY_LEN / 8);
                entry[0] = 1;
                (Bytes::from(entry.clone()), Hash::of(&[&[0], &entry]))
            })
            .collect();
        let raw = raw(&folder.join("raw"), &entries, total)?;
        let (store, drained) = store(&folder.join("store"), &entries, total)?;
        println!(
            "{commit:>9} {raw:>12.0} {store:>12.0} {drained:>12.0} {:>8.2}",
            store / raw
        );
    }
    opening(&folder.join("store"))?;
    std::fs::remove_dir_all(&folder)?;
    Ok(())
}

#[expect(clippy::cast_precision_loss, reason = "rates for people to read")]
fn rate(total: usize, since: Instant) -> f64 {
    total as f64 / since.elapsed().as_secs_f64()
}

fn raw(path: &Path, entries: &[(Bytes, Hash)], total: usize) -> std::io::Result<f64> {
    let mut file = File::create(path)?;
    let mut buffer = Vec::new();
    let began = Instant::now();
    for _ in 0..total / entries.len() {
        buffer.clear();
        for (entry, _) in entries {
            buffer.extend_from_slice(entry);
        }
        file.write_all(&buffer)?;
        file.sync_data()?;
    }
    let rate = rate(total, began);
    std::fs::remove_file(path)?;
    Ok(rate)
}

fn store(
    folder: &Path,
    entries: &[(Bytes, Hash)],
    total: usize,
) -> Result<(f64, f64), Box<dyn std::error::Error>> {
    if folder.exists() {
        std::fs::remove_dir_all(folder)?;
    }
    let mut store = Store::open(folder, &Options::default())?;
    let began = Instant::now();
    for _ in 0..total / entries.len() {
        store.append(entries)?;
    }
    let appended = rate(total, began);
    store.drain()?;
    let drained = rate(total, began);
    store.close()?;
    Ok((appended, drained))
}

/// Opening, reading, and rebuilding what the last row left behind.
fn opening(folder: &Path) -> Result<(), Box<dyn std::error::Error>> {
    let began = Instant::now();
    let store = Store::open(folder, &Options::default())?;
    let size = store.size().get();
    println!("open {size} entries cleanly: {:?}", began.elapsed());
    let began = Instant::now();
    let mut seen = 0_usize;
    store.reader().replay(LeafIndex::GENESIS, |_, entries| {
        seen += entries.len();
        Ok::<_, lotproof::port::StoreError>(())
    })?;
    println!("replay: {:.0} entries a second", rate(seen, began));
    let began = Instant::now();
    let reads = 20_000_u64;
    for n in 0..reads {
        let index = n.wrapping_mul(0x9e37_79b9_7f4a_7c15) % size;
        store.read(LeafIndex::new(index), 1)?;
    }
    println!("single reads anywhere: {:.0} a second", rate(20_000, began));
    let began = Instant::now();
    for n in 0..reads {
        let tile = n.wrapping_mul(0x9e37_79b9_7f4a_7c15) % (size / 256);
        store.reader().hashes(0, tile * 256, 256)?;
    }
    println!("hash tiles anywhere: {:.0} a second", rate(20_000, began));
    let began = Instant::now();
    store.close()?;
    println!("close: {:?}", began.elapsed());
    std::fs::remove_dir_all(folder.join("index"))?;
    let began = Instant::now();
    let store = Store::open(folder, &Options::default())?;
    println!(
        "open with the index gone: {:?} ({})",
        began.elapsed(),
        store.rebuilt().unwrap_or("not rebuilt")
    );
    Ok(())
}

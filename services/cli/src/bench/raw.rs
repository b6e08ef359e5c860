//! What the parts can do alone, on this machine and in this run: signatures, one file, sled.

use std::{
    fs::File,
    io::Write as _,
    path::Path,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, ensure};
use bytes::Bytes;
use ed25519_dalek::{Signature, Signer as _, SigningKey, VerifyingKey};
use lotproof::{
    envelope::Envelope, shell::store::Store, signature::pre_authentication_encoding, wire::STATEMENT_TYPE,
};
use rayon::prelude::*;

use super::report::rate;

/// What is signed, with its key and signature, all parsed: what is left is the arithmetic.
pub(super) struct Signed {
    message: Vec<u8>,
    key: VerifyingKey,
    signature: Signature,
}

/// Takes statements apart as far as raw verification needs.
pub(super) fn signed(envelopes: &[Bytes]) -> Result<Vec<Signed>> {
    let take = |envelope: &Bytes| {
        let message = Envelope::decode(envelope.clone())?;
        let feed = message.header().feed;
        let pae = pre_authentication_encoding(STATEMENT_TYPE, message.payload());
        // The signature is the envelope's last 64 bytes (`proto/README.md`, "Envelope").
        let signature = envelope
            .last_chunk()
            .context("an envelope ends in its signature")?;
        Ok(Signed {
            message: pae,
            key: VerifyingKey::from_bytes(feed.as_bytes())?,
            signature: Signature::from_bytes(signature),
        })
    };
    envelopes.iter().map(take).collect()
}

/// Signatures a second, one core.
#[expect(clippy::disallowed_methods, reason = "measures")]
pub(super) fn sign_rate(messages: &[Signed]) -> f64 {
    let key = SigningKey::from_bytes(&[7; 32]);
    let start = Instant::now();
    for signed in messages {
        std::hint::black_box(key.sign(&signed.message));
    }
    rate(messages.len(), start.elapsed())
}

/// Strict verifications a second, one core.
#[expect(clippy::disallowed_methods, reason = "measures")]
pub(super) fn verify_rate(messages: &[Signed]) -> Result<f64> {
    let start = Instant::now();
    for signed in messages {
        signed.key.verify_strict(&signed.message, &signed.signature)?;
    }
    Ok(rate(messages.len(), start.elapsed()))
}

/// Strict verifications a second, all cores.
#[expect(clippy::disallowed_methods, reason = "measures")]
pub(super) fn parallel_verify_rate(messages: &[Signed]) -> Result<f64> {
    let start = Instant::now();
    messages
        .par_iter()
        .try_for_each(|signed| signed.key.verify_strict(&signed.message, &signed.signature))?;
    Ok(rate(messages.len(), start.elapsed()))
}

/// Entries a second appended to one file, one `fdatasync` a batch.
#[expect(clippy::disallowed_methods, reason = "measures")]
pub(super) fn append_rate(folder: &Path, entries: &[Bytes], batch: usize) -> Result<f64> {
    let path = folder.join("append");
    let mut file = File::create(&path)?;
    let start = Instant::now();
    for entries in entries.chunks(batch) {
        let bytes = entries.concat();
        file.write_all(&bytes)?;
        file.sync_data()?;
    }
    let rate = rate(entries.len(), start.elapsed());
    std::fs::remove_file(&path)?;
    Ok(rate)
}

/// How long each of `count` appends of one page took, with its `fdatasync`.
#[expect(clippy::disallowed_methods, reason = "measures")]
pub(super) fn sync_times(folder: &Path, count: usize) -> Result<Vec<Duration>> {
    let path = folder.join("sync");
    let mut file = File::create(&path)?;
    let mut times = Vec::with_capacity(count);
    for _ in 0..count {
        let start = Instant::now();
        file.write_all(&[7; 4_096])?;
        file.sync_data()?;
        times.push(start.elapsed());
    }
    std::fs::remove_file(&path)?;
    Ok(times)
}

/// Entries a second put into sled, one key each, in batches, each flushed and its file synced.
#[expect(clippy::disallowed_methods, reason = "measures")]
pub(super) fn sled_rate(folder: &Path, entries: &[Bytes], batch: usize) -> Result<f64> {
    let path = folder.join("sled");
    let db = sled::Config::new().path(&path).cache_capacity(128 << 20).open()?;
    let file = File::open(path.join("db"))?;
    let start = Instant::now();
    for (number, entries) in (0_u64..).zip(entries.chunks(batch)) {
        let mut rows = sled::Batch::default();
        for (place, entry) in (0_u64..).zip(entries) {
            let key = number * 1_000_000 + place;
            rows.insert(&key.to_be_bytes(), &**entry);
        }
        db.apply_batch(rows)?;
        db.flush()?;
        file.sync_data()?;
    }
    let rate = rate(entries.len(), start.elapsed());
    drop(db);
    std::fs::remove_dir_all(&path)?;
    Ok(rate)
}

/// How long the store takes to open.
#[expect(clippy::disallowed_methods, reason = "measures")]
pub(super) fn store_opening(folder: &Path, size: u64) -> Result<Duration> {
    let start = Instant::now();
    let store = Store::open(folder, &lotproof::shell::store::Options::default())?;
    let took = start.elapsed();
    ensure!(
        store.reader().size().get() == size,
        "the store has {} entries, expected {size}",
        store.reader().size()
    );
    store.close()?;
    Ok(took)
}

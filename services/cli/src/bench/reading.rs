//! What reading a log costs: the audit, the projector's fold, and opening.

use std::{
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, ensure};
use bytes::Bytes;
use lotproof::{
    audit::{
        AuditOptions, LogSource as _, Tally, audit,
        source::{CHECKPOINT, CHECKPOINT_LEN_MAX, len_max},
    },
    id::TreeSize,
    log::{
        checkpoint::SignedCheckpoint,
        tile::{TilePath, entry_bundles_between},
        tree::LogHead,
    },
    projector::Projector,
    shell::{
        http_client::HttpSource,
        mirror::{DirSource, write_mirror},
    },
    trust::TrustFile,
};

use super::{
    cpu,
    world::{Running, World},
};

/// Copies a running ledger's log into a folder, as static files.
pub(super) async fn copy(world: &World, running: &Running) -> Result<PathBuf> {
    let source = HttpSource::new(&format!("http://{}", running.address));
    let folder = world.folder().join("mirror");
    let to = folder.clone();
    tokio::task::spawn_blocking(move || write_mirror(&source, &to)).await??;
    Ok(folder)
}

/// An audit that found nothing wrong.
pub(super) struct Audited {
    /// What was counted.
    pub(super) tally: Tally,
    /// How long it took.
    pub(super) took: Duration,
    /// Its processor time, where the system tells.
    pub(super) cpu: Option<Duration>,
}

/// Audits a copy; it must be clean.
#[expect(clippy::disallowed_methods, reason = "measures")]
pub(super) fn audit_time(copy: &Path, trust: &TrustFile) -> Result<Audited> {
    let cpu_before = cpu::used_here();
    let start = Instant::now();
    let report = audit(&DirSource::new(copy), trust, &AuditOptions::default())?;
    let took = start.elapsed();
    ensure!(
        report.is_clean(),
        "the audit of the benchmark's own log found {:?}",
        report.findings.first()
    );
    let cpu = cpu::used_here().zip(cpu_before);
    Ok(Audited {
        tally: report.tally,
        took,
        cpu: cpu.map(|(after, before)| after.saturating_sub(before)),
    })
}

/// Folds a copy's entries, all in memory, into a projection on one core; how long that took, and its
/// processor time.
#[expect(clippy::disallowed_methods, reason = "measures")]
pub(super) fn fold_time(copy: &Path, trust: &TrustFile) -> Result<(Duration, Option<Duration>)> {
    let (entries, head) = entries(copy, trust)?;
    // The first large allocation puts in order what earlier parts freed; that is not the fold's to pay.
    if let Some(genesis) = entries.first() {
        Projector::new().take(genesis)?;
    }
    let mut projector = Projector::new();
    let cpu_before = cpu::used_here();
    let start = Instant::now();
    for entry in &entries {
        projector.take(entry)?;
    }
    let took = start.elapsed();
    let cpu = cpu::used_here().zip(cpu_before);
    ensure!(projector.head() == head, "the copy is not what the log signed");
    Ok((took, cpu.map(|(after, before)| after.saturating_sub(before))))
}

fn entries(copy: &Path, trust: &TrustFile) -> Result<(Vec<Bytes>, LogHead)> {
    let source = DirSource::new(copy);
    let note = source
        .read(CHECKPOINT, CHECKPOINT_LEN_MAX)?
        .context("the log has no checkpoint")?;
    let signed = SignedCheckpoint::verify(note, trust.origin(), trust.log_keys())?;
    let mut entries = Vec::new();
    for bundle in entry_bundles_between(TreeSize::EMPTY, signed.head().size) {
        let path = TilePath::Entries(bundle);
        let bytes = source
            .read(&path.to_string(), len_max(path))?
            .with_context(|| format!("{path} is missing"))?;
        entries.extend(bundle.entries(&bytes)?.into_iter().map(Bytes::copy_from_slice));
    }
    Ok((entries, *signed.head()))
}

/// Starts a ledger on what is there, until it listens, and stops it; how long the start took.
#[expect(clippy::disallowed_methods, reason = "measures")]
pub(super) async fn opening_time(world: &World) -> Result<Duration> {
    let start = Instant::now();
    let running = world.start().await?;
    let took = start.elapsed();
    running.stop().await?;
    Ok(took)
}

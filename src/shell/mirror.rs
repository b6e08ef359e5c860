//! Copying a log as static files, so that the copy is a log of its own: anybody can audit it, serve it, or
//! rebuild a ledger from it.
//!
//! Files are audited as they lie in the copy before the checkpoint is written, which makes them a log. An
//! interrupted mirror therefore never shows a checkpoint that it cannot back.

use bytes::Bytes;

use crate::{
    audit::{AuditOptions, LogSource, Report, SourceError, audit, source::StaticCopy, static_log::files_at},
    log::checkpoint::SignedCheckpoint,
    trust::TrustFile,
};

/// Longest checkpoint that is read, in bytes.
const CHECKPOINT_LEN_MAX: usize = 64 * 1_024;
/// Longest tile or bundle: 256 entries of 65,535 bytes with their lengths.
const FILE_LEN_MAX: usize = 256 * (2 + 65_535);

/// Why a log was not copied.
#[derive(Debug, thiserror::Error)]
pub enum MirrorError {
    /// A file could not be read or written.
    #[error(transparent)]
    Source(#[from] SourceError),
    /// The source lacks a file that its checkpoint promises.
    #[error("the source has no {0}")]
    Missing(String),
    /// The checkpoint is not signed by the log that is trusted.
    #[error("checkpoint")]
    Checkpoint(#[from] crate::log::checkpoint::CheckpointError),
    /// The files do not make the log that the checkpoint promises.
    #[error("the audit of the copy finds {} faults, the first: {}", .0.findings.len(), .0.findings.first().map(ToString::to_string).unwrap_or_default())]
    Faulty(Box<Report>),
}

/// Copies the log that `source` shows into `copy` and audits it there.
///
/// # Errors
/// [`MirrorError`]; the copy then shows no new checkpoint.
pub fn mirror<S: LogSource, C: StaticCopy>(
    source: &S,
    copy: &mut C,
    trust: &TrustFile,
    options: &AuditOptions<'_>,
) -> Result<Report, MirrorError> {
    let missing = |path: &str| MirrorError::Missing(path.to_owned());
    let note = source
        .read("checkpoint", CHECKPOINT_LEN_MAX)?
        .ok_or_else(|| missing("checkpoint"))?;
    let signed = SignedCheckpoint::verify(note.clone(), trust.origin(), trust.log_keys())?;
    for path in files_at(signed.head().size) {
        let path = path.to_string();
        let bytes = source.read(&path, FILE_LEN_MAX)?.ok_or_else(|| missing(&path))?;
        copy.write(&path, &bytes)?;
    }
    let report = audit(
        &WithCheckpoint {
            files: copy,
            note: note.clone(),
        },
        trust,
        options,
    )?;
    if !report.is_clean() {
        return Err(MirrorError::Faulty(Box::new(report)));
    }
    copy.write("checkpoint", &note)?;
    Ok(report)
}

/// Files under a checkpoint that is not among them yet. Older partial tiles may lie beside them.
struct WithCheckpoint<'a, C> {
    files: &'a C,
    note: Bytes,
}

impl<C: LogSource> LogSource for WithCheckpoint<'_, C> {
    fn read(&self, path: &str, len_max: usize) -> Result<Option<Bytes>, SourceError> {
        if path == "checkpoint" {
            Ok(Some(self.note.clone()))
        } else {
            self.files.read(path, len_max)
        }
    }
}

//! What the projector must not forget: the newest head that it verified, and an alarm that no restart ends.
//!
//! ```text
//! <folder>/checkpoint   signed note: the newest head whose entries were hashed and folded
//! <folder>/alarm.json   {"kind": "forked", "why": "...", "checkpoints": ["signed note", "signed note"]}
//! ```
//!
//! Both are replaced whole and synced. The first is written behind the head that it is about, so after a crash it
//! may be somewhat older; it is never newer than what was verified. The second is removed by the operator alone,
//! who has read it (`docs/compliance-api.md`, "What outlives a restart").

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::{Context as _, Result};
use lotproof::{log::checkpoint::SignedCheckpoint, shell::durable, trust::TrustFile};
use serde::{Deserialize, Serialize};
use tokio::time::Instant;

use crate::health::{Alarm, AlarmKind};

/// At most one checkpoint is written in this time: a log in use signs many.
const WRITE_INTERVAL: Duration = Duration::from_secs(1);

/// `alarm.json`
#[derive(Debug, Serialize, Deserialize)]
struct Kept {
    kind: AlarmKind,
    why: String,
    /// Signed notes: what was verified, and what contradicts it.
    checkpoints: Vec<String>,
}

/// The newest verified head, and where it and an alarm are kept, if anywhere.
#[derive(Debug, Default)]
pub(crate) struct Memory {
    folder: Option<PathBuf>,
    newest: Option<SignedCheckpoint>,
    is_written: bool,
    written_at: Option<Instant>,
}

impl Memory {
    /// Reads what a folder holds, and creates one that is not there; without one nothing outlives the process.
    ///
    /// # Errors
    /// If it cannot be read, or holds something that the pinned keys did not sign: its operator has to look.
    pub(crate) fn open(folder: Option<&Path>, trust: &TrustFile) -> Result<(Self, Option<Alarm>)> {
        let Some(folder) = folder else {
            return Ok((Self::default(), None));
        };
        durable::create_folder(folder).with_context(|| format!("creating {}", folder.display()))?;
        let path = folder.join("checkpoint");
        let bytes = durable::read(&path).with_context(|| format!("reading {}", path.display()))?;
        let newest = bytes.map(|bytes| {
            SignedCheckpoint::verify(bytes, trust.origin(), trust.log_keys())
                .with_context(|| format!("{} is not signed by a key of the trust file", path.display()))
        });
        let path = folder.join("alarm.json");
        let bytes = durable::read(&path).with_context(|| format!("reading {}", path.display()))?;
        let kept = bytes.map(|bytes| {
            serde_json::from_slice::<Kept>(&bytes).with_context(|| format!("reading {}", path.display()))
        });
        let alarm = kept
            .transpose()?
            .map(|Kept { kind, why, .. }| Alarm { kind, why });
        let memory = Self {
            folder: Some(folder.to_owned()),
            newest: newest.transpose()?,
            is_written: true,
            written_at: None,
        };
        Ok((memory, alarm))
    }

    /// The newest verified head.
    pub(crate) fn newest(&self) -> Option<&SignedCheckpoint> {
        self.newest.as_ref()
    }

    /// Remembers a head that was verified, unless a newer one was.
    pub(crate) fn verified(&mut self, head: &SignedCheckpoint) {
        if self
            .newest
            .as_ref()
            .is_none_or(|newest| head.head().size > newest.head().size)
        {
            self.newest = Some(head.clone());
            self.is_written = false;
        }
    }

    /// Whether the newest head is to be written now, or at the end.
    pub(crate) fn is_due(&self, is_last: bool) -> bool {
        let waited = self.written_at.is_none_or(|at| at.elapsed() >= WRITE_INTERVAL);
        self.folder.is_some() && !self.is_written && (is_last || waited)
    }

    /// Writes the newest head; blocks. What cannot be written is tried again when it is due.
    pub(crate) fn write(&mut self) {
        let (Some(folder), Some(newest)) = (&self.folder, &self.newest) else {
            return;
        };
        self.written_at = Some(Instant::now());
        let path = folder.join("checkpoint");
        match durable::write(&path, newest.bytes()) {
            Ok(()) => self.is_written = true,
            Err(error) => tracing::error!(%error, path = %path.display(), "the newest head cannot be kept"),
        }
    }

    /// Keeps an alarm that no restart ends, with the newest verified head and what contradicts it; blocks. The
    /// first one stays.
    pub(crate) fn keep_alarm(&mut self, alarm: &Alarm, against: &SignedCheckpoint) {
        let Some(folder) = &self.folder else { return };
        let path = folder.join("alarm.json");
        if path.exists() {
            return;
        }
        let checkpoints = self.newest.iter().chain([against]);
        let kept = Kept {
            kind: alarm.kind,
            why: alarm.why.clone(),
            checkpoints: checkpoints
                .map(|signed| String::from_utf8_lossy(signed.bytes()).into_owned())
                .collect(),
        };
        let written = serde_json::to_vec_pretty(&kept)
            .map_err(std::io::Error::from)
            .and_then(|bytes| durable::write(&path, &bytes));
        if let Err(error) = written {
            tracing::error!(%error, path = %path.display(), "the alarm cannot be kept: a restart forgets it");
        }
        // Evidence and head belong together.
        self.write();
    }
}

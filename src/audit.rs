//! The audit: from a trust file and a log's static files to a list of everything that is wrong with them.
//!
//! Nobody is asked and nothing is believed. The checkpoint must be signed by a key in the trust file; every
//! hash of every tile, partial ones included, must be what the entries below it give, up to the checkpoint's
//! root; entry 0 must be the one that the trust file names; every signature must verify; and every entry is
//! decided again by the code that the ledger runs, with the same outcome.
//!
//! ```text
//! source      files by name                                        bundle by bundle, a few MB at a time
//! bundle      split, hash, decode, verify (on all cores)           while the batch before is replayed
//! accounts    what each file says of a hash; which choice leads up
//! tree        tiles against each other and the root
//! place       a bundle and its tile against what leads up; who is right
//! slot        the entry that is read at each place
//! replay      decide, compare, go on
//! ```
//!
//! Each room knows those above it in this list alone; `rereading` is the one that begins again at the source.
//!
//! Memory is bounded whatever the log's length: some batches of bundles, a row of hashes for each level of the
//! tree, the register and the end of each feed, the rows of recent entries, and what was found and lost.
//! Evidence about an older statement has that one's bundle read again, and compared with the tree again.
//!
//! After a fault the audit goes on where it can, so that several are each named, by kind and place, and nothing
//! that only follows from them: which of two files is wrong, and how a feed is followed past a fault, is laid
//! down in the specification (Verifying a log from nothing). It stops at [`AuditOptions::findings_max`].
//! Everything here is pure but for the reads of a [`LogSource`].
//!
//! Going on costs about a third of the lines here. It is kept, rule by rule, for what one ordinary accident
//! would hide otherwise: a flipped bit in a length would lose the rest of a bundle (`bundle`), in a tile the
//! blame of its neighbours (`accounts`), in an entry every later outcome (`lost`); and whoever forges one
//! statement could have the true one behind it accused (`replay::faults`). Nothing more is tried: of two wrong
//! lengths in one bundle none is set right, and of more than 1,024 choices none is searched for.
//!
//! What it cannot see: that a statement was never taken (the publisher's receipt shows that), and what a fork
//! of the log tells others (witnesses, or [`AuditOptions::previous`], show that). If a checkpoint bears
//! several lines by keys of the log, one that was made unreadable looks like a stranger's and is left out.

use std::fmt;

use serde::Serialize;

use crate::{
    id::{Hash, LeafIndex, LogId, TreeSize},
    log::{
        checkpoint::{CheckpointError, Origin, SignedCheckpoint},
        note::Note,
        tile::{EntryBundle, TILE_WIDTH, entry_bundles_between},
    },
    trust::TrustFile,
};

mod accounts;
mod align;
mod bundle;
pub mod damage;
mod finding;
mod listing;
mod lost;
mod older;
mod place;
mod replay;
mod rereading;
mod reseeding;
mod slot;
pub mod source;
pub mod static_log;
mod tree;

use bundle::Bundle;
use finding::{Findings, chain};
use replay::{Limits, Replay};
use source::{CHECKPOINT, CHECKPOINT_LEN_MAX};
use tree::TreeCheck;

pub use finding::{Finding, FindingKind};
pub use replay::Tally;
pub use source::{LogSource, SourceError};

/// How far an audit is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress {
    /// Entries done.
    pub entries: u64,
    /// Entries of the log.
    pub size: TreeSize,
    /// Findings so far.
    pub findings: usize,
}

/// What an audit is told besides whom to trust.
#[derive(Clone, Copy)]
pub struct AuditOptions<'a> {
    /// A checkpoint seen earlier: the log must begin with that one's.
    pub previous: Option<&'a SignedCheckpoint>,
    /// The audit stops once it has found so much, which also bounds its memory. It also stops early once a
    /// million entries are lost.
    pub findings_max: usize,
    /// Called after every few thousand entries.
    pub progress: Option<&'a (dyn Fn(Progress) + Sync)>,
}

impl Default for AuditOptions<'_> {
    fn default() -> Self {
        Self {
            previous: None,
            findings_max: 1_000,
            progress: None,
        }
    }
}

impl fmt::Debug for AuditOptions<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AuditOptions")
            .field("previous", &self.previous)
            .field("findings_max", &self.findings_max)
            .finish_non_exhaustive()
    }
}

/// What an audit found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Report {
    /// The log's name.
    pub origin: Origin,
    /// The identity expected.
    pub log_id: LogId,
    /// Size in the checkpoint; nothing without a valid one.
    pub size: Option<TreeSize>,
    /// Root in the checkpoint; nothing without a valid one.
    pub root: Option<Hash>,
    /// What was counted.
    #[serde(flatten)]
    pub tally: Tally,
    /// What is wrong, in the order that the specification lays down (The report).
    pub findings: Vec<Finding>,
    /// Whether the audit ended at the checkpoint, or with [`AuditOptions::findings_max`] findings, or because too
    /// much was lost: there may be more to find.
    pub stopped_early: bool,
}

impl Report {
    /// Whether nothing is wrong.
    pub const fn is_clean(&self) -> bool {
        self.findings.is_empty()
    }

    /// Whether there is a finding of this kind at this entry.
    pub fn has(&self, kind: FindingKind, index: LeafIndex) -> bool {
        self.findings
            .iter()
            .any(|finding| finding.kind == kind && finding.index == Some(index))
    }
}

/// Audits a log.
///
/// # Errors
/// [`SourceError`] if a file cannot be read although it may be there, or if there is no checkpoint: then there is
/// no log. What is wrong *with* files is a finding.
pub fn audit<S: LogSource + ?Sized>(
    source: &S,
    trust: &TrustFile,
    options: &AuditOptions<'_>,
) -> Result<Report, SourceError> {
    audit_within(source, trust, options, Limits::default())
}

/// [`audit`] within other limits.
fn audit_within<S: LogSource + ?Sized>(
    source: &S,
    trust: &TrustFile,
    options: &AuditOptions<'_>,
    limits: Limits,
) -> Result<Report, SourceError> {
    let mut findings = Findings::new(options.findings_max);
    let mut report = Report {
        origin: trust.origin().clone(),
        log_id: trust.log_id(),
        size: None,
        root: None,
        tally: Tally::default(),
        findings: Vec::new(),
        stopped_early: true,
    };
    if let Some(checkpoint) = read_checkpoint(source, trust, options, &mut findings)? {
        let head = *checkpoint.head();
        (report.size, report.root) = (Some(head.size), Some(head.root));
        let mut audit = Audit {
            source,
            options,
            size: head.size,
            tree: TreeCheck::new(source, head)?,
            replay: Replay::new(trust.log_id(), trust.origin().clone(), limits),
            findings,
        };
        report.stopped_early = !audit.run()?;
        if !report.stopped_early {
            audit.tree.finish(&mut audit.findings);
            check_signer(&checkpoint, trust, &audit.replay, &mut audit.findings);
            listing::check(source, head.size, &mut audit.findings)?;
        }
        report.stopped_early |= audit.findings.full;
        report.tally = audit.replay.tally;
        findings = audit.findings;
    }
    report.findings = findings.list;
    Ok(report)
}

/// The checkpoint, if it is one of this log, and the earlier one does not speak against it already.
fn read_checkpoint<S: LogSource + ?Sized>(
    source: &S,
    trust: &TrustFile,
    options: &AuditOptions<'_>,
    findings: &mut Findings,
) -> Result<Option<SignedCheckpoint>, SourceError> {
    let Some(bytes) = source.read(CHECKPOINT, CHECKPOINT_LEN_MAX)? else {
        let why = "there is no such file, so there is no log here";
        return Err(SourceError::new(CHECKPOINT, why));
    };
    let checkpoint = match SignedCheckpoint::verify(bytes, trust.origin(), trust.log_keys()) {
        Ok(checkpoint) => checkpoint,
        Err(error) => {
            let kind = match error {
                CheckpointError::OtherOrigin { .. } => FindingKind::OtherLog,
                _ => FindingKind::InvalidCheckpoint,
            };
            findings.in_file(kind, CHECKPOINT, chain(&error));
            return Ok(None);
        }
    };
    let (head, earlier) = (checkpoint.head(), options.previous.map(SignedCheckpoint::head));
    if head.size == TreeSize::EMPTY {
        let detail = "a log has at least its genesis".to_owned();
        findings.in_file(FindingKind::InvalidCheckpoint, CHECKPOINT, detail);
        return Ok(None);
    }
    if let Some(earlier) = earlier {
        if earlier.size > head.size {
            let detail = format!("{} entries now, {} before", head.size, earlier.size);
            findings.in_file(FindingKind::NotExtended, CHECKPOINT, detail);
        } else if earlier.size == head.size && earlier.root != head.root {
            let detail = format!("root {} now, {} before, at one size", head.root, earlier.root);
            findings.in_file(FindingKind::NotExtended, CHECKPOINT, detail);
        }
    }
    Ok(Some(checkpoint))
}

/// Most entries that are in memory at once, of bundles after the first.
const BATCH_ENTRIES: usize = 4_096;
/// Most bytes of entries in memory at once, of bundles after the first.
const BATCH_LEN: usize = 4 << 20;

/// An audit under way.
struct Audit<'a, S: ?Sized> {
    source: &'a S,
    options: &'a AuditOptions<'a>,
    size: TreeSize,
    tree: TreeCheck<'a, S>,
    replay: Replay,
    findings: Findings,
}

impl<S: LogSource + ?Sized> Audit<'_, S> {
    /// Takes every bundle, each batch while the next is read and verified; whether it came to the end.
    fn run(&mut self) -> Result<bool, SourceError> {
        let source = self.source;
        let mut names = entry_bundles_between(TreeSize::EMPTY, self.size);
        let mut batch = read_batch(source, &mut names)?;
        while !batch.is_empty() {
            let (taken, next) = rayon::join(|| self.take_batch(batch), || read_batch(source, &mut names));
            if !taken? {
                return Ok(false);
            }
            batch = next?;
        }
        Ok(true)
    }

    /// Takes bundle after bundle, up to one with which enough is found or lost; whether none was.
    fn take_batch(&mut self, batch: Vec<Bundle>) -> Result<bool, SourceError> {
        let (mut entries, mut goes_on) = (0, true);
        for bundle in batch {
            entries = bundle.first.get() + u64::from(bundle.name.width());
            self.take_bundle(bundle)?;
            goes_on = !self.findings.full && !self.replay.is_lost();
            if !goes_on {
                break;
            }
        }
        if let Some(progress) = self.options.progress {
            progress(Progress {
                entries,
                size: self.size,
                findings: self.findings.list.len(),
            });
        }
        Ok(goes_on)
    }

    fn take_bundle(&mut self, bundle: Bundle) -> Result<(), SourceError> {
        let leaves = place::judge(&bundle, &mut self.tree, &mut self.findings)?;
        self.compare_with_earlier(&bundle, &leaves);
        let mut false_records = reseeding::check(&bundle, &leaves, &self.tree);
        self.tree.push(&bundle, leaves.clone(), &mut self.findings)?;
        for (index, slot) in slot::slots(bundle, &leaves) {
            let read_again = match self.replay.to_read_again(index, &slot) {
                Some(first) => rereading::read(self.source, &self.tree, self.size, first, &self.findings)?,
                None => None,
            };
            self.replay.take(index, slot, read_again, &mut self.findings);
            if let Some(detail) = false_records.remove(&index) {
                self.findings.at(FindingKind::FalseRecord, index, detail);
            }
        }
        Ok(())
    }

    /// The earlier checkpoint's root, where its size lies in this bundle.
    fn compare_with_earlier(&mut self, bundle: &Bundle, leaves: &[Option<Hash>]) {
        let Some(earlier) = self.options.previous.map(SignedCheckpoint::head) else {
            return;
        };
        let within = earlier.size.get().checked_sub(bundle.first.get());
        let Some(prefix) = within
            .and_then(|within| usize::try_from(within).ok())
            .and_then(|within| leaves.get(..within))
        else {
            return;
        };
        if prefix.len() == usize::from(TILE_WIDTH) || earlier.size >= self.size {
            return;
        }
        if let Some(root) = self.tree.root_with(earlier.size, prefix)
            && root != earlier.root
        {
            let detail = format!(
                "the first {} entries had root {}, now {root}",
                earlier.size, earlier.root
            );
            self.findings
                .in_file(FindingKind::NotExtended, CHECKPOINT, detail);
        }
    }
}

/// Reads and verifies the next bundles; none at the end.
fn read_batch<S: LogSource + ?Sized>(
    source: &S,
    names: &mut (impl Iterator<Item = EntryBundle> + Send),
) -> Result<Vec<Bundle>, SourceError> {
    let (mut entries, mut len) = (0, 0);
    let mut batch = Vec::new();
    while entries < BATCH_ENTRIES && len < BATCH_LEN {
        let Some(name) = names.next() else { break };
        let read = Bundle::read(source, name)?;
        entries += read.1.len().max(usize::from(name.width()));
        len += read.1.iter().map(bytes::Bytes::len).sum::<usize>();
        batch.push(read);
    }
    Ok(bundle::check(batch))
}

/// Whether one of the keys that signed was a key of the log at that size.
fn check_signer(checkpoint: &SignedCheckpoint, trust: &TrustFile, replay: &Replay, findings: &mut Findings) {
    let Some(state) = replay.state().filter(|_| !replay.is_in_doubt()) else {
        return;
    };
    let note = Note::parse(checkpoint.bytes());
    let signers = note
        .as_ref()
        .ok()
        .and_then(|note| note.verify(trust.log_keys()).ok())
        .unwrap_or_default();
    let in_force = |key: &[u8; 32]| {
        state
            .register()
            .log_keys()
            .iter()
            .any(|known| known.as_bytes() == key)
    };
    if !signers.iter().any(|signer| in_force(signer.public_key())) {
        let detail = "signed by no key that the log itself has as its own at this size".to_owned();
        findings.in_file(FindingKind::InvalidCheckpoint, CHECKPOINT, detail);
    }
}

#[cfg(test)]
pub(crate) mod tests;

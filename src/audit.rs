//! The audit: from a trust file and a log's static files to a list of everything that is wrong with them.
//!
//! Nobody is asked and nothing is believed. The checkpoint must be signed by a key in the trust file; every
//! hash of every tile, partial ones included, must be what the entries below it give, up to the checkpoint's
//! root; entry 0 must be the one that the trust file names; every signature must verify; and every entry is
//! decided again by the code that the ledger runs, with the same outcome.
//!
//! ```text
//! source   files by name                                           bundle by bundle, a few MB at a time
//! bundle   split, hash, decode, verify (on all cores)              while the batch before is replayed
//! tree     tiles and entries against each other and the root
//! replay   decide, compare, go on
//! ```
//!
//! Memory is bounded whatever the log's length: some batches of bundles, a row of hashes for each level of the
//! tree, the register and the end of each feed, the rows of recent entries, and what was found and lost.
//! Evidence about an older statement has that one's bundle read again, and compared with the tree again.
//!
//! After a fault the audit goes on where it can, so that several are each named, by kind and place, and nothing
//! that only follows from them: which of two files is wrong, and how a feed is followed past a fault, is laid
//! down in the specification (Verifying a log from nothing). It stops at [`AuditOptions::findings_max`]. Everything here is pure but for the reads of a [`LogSource`].
//!
//! What it cannot see: that a statement was never taken (the publisher's receipt shows that), and what a fork
//! of the log tells others (witnesses, or [`AuditOptions::previous`], show that). If a checkpoint bears
//! several lines by keys of the log, one that was made unreadable looks like a stranger's and is left out.

use std::{collections::BTreeMap, fmt, fmt::Display};

use serde::{Serialize, Serializer};

use crate::{
    admission::kept,
    code::codes,
    id::{Hash, LeafIndex, LogId, TreeSize},
    log::{
        checkpoint::{CheckpointError, Origin, SignedCheckpoint},
        note::Note,
        tile::{EntryBundle, TILE_WIDTH, TilePath, entry_bundles_between},
    },
    trust::TrustFile,
};

mod accounts;
mod align;
mod bundle;
pub mod damage;
mod lost;
mod older;
mod place;
mod replay;
mod reseeding;
pub mod source;
pub mod static_log;
mod tree;

use bundle::Bundle;
use replay::{Replay, chain};
use source::{CHECKPOINT, CHECKPOINT_LEN_MAX};
use static_log::widest;
use tree::TreeCheck;

pub use replay::Tally;
pub use source::{LogSource, SourceError};

codes! {
    /// What an audit finds. Numbers and names are stable.
    FindingKind {
        /// A file that a log of this size has is not there.
        MissingFile = 501 "missing_file",
        /// A file's length or framing is not that of its name.
        MalformedFile = 502 "malformed_file",
        /// A file that a log of this size does not have.
        SurplusFile = 503 "surplus_file",
        /// The checkpoint is malformed, or not signed by a key of the log that may.
        InvalidCheckpoint = 504 "invalid_checkpoint",
        /// The log is not the one that the trust file names.
        OtherLog = 505 "other_log",
        /// The log does not begin with the one of the earlier checkpoint.
        NotExtended = 506 "not_extended",
        /// The files do not lead to the checkpoint's root, or contradict each other where nothing does.
        RootMismatch = 507 "root_mismatch",
        /// A hash tile does not hold the tree's hashes, or a smaller log's file is not the beginning of this one's.
        TileMismatch = 508 "tile_mismatch",
        /// An entry's bytes do not hash to its leaf of the tree.
        HashMismatch = 509 "hash_mismatch",
        /// The tree has a leaf whose entry is not in the bundle.
        MissingEntry = 510 "missing_entry",
        /// A bundle has an entry of which the tree has no leaf.
        SurplusEntry = 511 "surplus_entry",
        /// An entry that is none, or that may not stand there, whatever its hash.
        InvalidEntry = 512 "invalid_entry",
        /// A statement not signed by the key that it names.
        InvalidSignature = 513 "invalid_signature",
        /// A statement that takes no place in the log stands in it: of a key not enrolled or closed, too long,
        /// for another ledger, or a repetition.
        NoPlace = 514 "no_place",
        /// A statement does not continue its feed: sequence or previous hash.
        FeedBroken = 515 "feed_broken",
        /// The rules give another outcome than the log.
        WrongOutcome = 516 "wrong_outcome",
        /// Recorded time is before that of the entry before.
        TimeReversed = 517 "time_reversed",
        /// Evidence that does not hold.
        FalseEvidence = 518 "false_evidence",
        /// A record of the ledger's own that does not say what the log says.
        FalseRecord = 519 "false_record",
    }
}

/// Something that is wrong with a log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// What.
    pub kind: FindingKind,
    /// At which entry, if it is about one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub index: Option<LeafIndex>,
    /// In which file, if it is about one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub file: Option<String>,
    /// Which entry of that file, counted from zero, if it is about one that has no place in the log.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub number: Option<u64>,
    /// More, for people; no program reads it.
    pub detail: String,
}

impl Finding {
    fn in_file(kind: FindingKind, file: impl Display, detail: String) -> Self {
        Self {
            kind,
            index: None,
            file: Some(file.to_string()),
            number: None,
            detail,
        }
    }
}

impl Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.kind.name())?;
        if let Some(index) = self.index {
            write!(f, " at entry {index}")?;
        }
        if let Some(file) = &self.file {
            // A name that somebody else gave a file may hold anything.
            write!(f, " in {}", file.escape_debug())?;
        }
        write!(f, ": {}", self.detail)
    }
}

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

/// Findings as they are made.
#[derive(Debug)]
struct Findings {
    list: Vec<Finding>,
    max: usize,
    full: bool,
}

impl Findings {
    fn new(max: usize) -> Self {
        Self {
            list: Vec::new(),
            max: max.max(1),
            full: false,
        }
    }

    fn push(&mut self, finding: Finding) {
        if self.list.len() < self.max {
            self.list.push(finding);
        }
        self.full |= self.list.len() >= self.max;
    }

    fn at(&mut self, kind: FindingKind, index: LeafIndex, detail: String) {
        self.push(Finding {
            kind,
            index: Some(index),
            file: None,
            number: None,
            detail,
        });
    }

    fn in_file(&mut self, kind: FindingKind, file: impl Display, detail: String) {
        self.push(Finding::in_file(kind, file, detail));
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

/// What bounds an audit's memory besides [`AuditOptions::findings_max`].
#[derive(Clone, Copy, Debug)]
struct Limits {
    /// So many of the newest entries have their rows in memory.
    window: u64,
    /// The audit stops once it has lost more entries than this, all of which it remembers.
    lost_max: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            window: kept::WINDOW,
            lost_max: 1 << 20,
        }
    }
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
            check_listing(source, head.size, &mut audit.findings)?;
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
        for (index, slot) in place::slots(bundle, &leaves) {
            let read_again = match self.replay.to_read_again(index, &slot) {
                Some(first) => older::read(self.source, &self.tree, self.size, first, &self.findings)?,
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

/// Files besides those that were read: what a smaller log had left behind must agree, all else is surplus.
/// Findings are in the order of the names, so that they do not depend on the source.
fn check_listing<S: LogSource + ?Sized>(
    source: &S,
    size: TreeSize,
    findings: &mut Findings,
) -> Result<(), SourceError> {
    let mut wrong = BTreeMap::new();
    let mut unread = None;
    source.list(&mut |name| {
        if unread.is_some() {
            return;
        }
        match check_listed(source, name, size) {
            Ok(None) => {}
            Ok(Some(found)) => {
                wrong.insert(name.to_owned(), found);
                if wrong.len() > findings.max {
                    wrong.pop_last();
                }
            }
            Err(error) => unread = Some(error),
        }
    })?;
    if let Some(error) = unread {
        return Err(error);
    }
    for (name, (kind, detail)) in wrong {
        findings.in_file(kind, name, detail);
    }
    Ok(())
}

/// What is wrong with a file that is there, unless it is one of those that were read.
fn check_listed<S: LogSource + ?Sized>(
    source: &S,
    name: &str,
    size: TreeSize,
) -> Result<Option<(FindingKind, String)>, SourceError> {
    let wide = name.parse().ok().map(|path: TilePath| (path, widest(path, size)));
    let Some((path, Some(wide))) = wide else {
        let detail = format!("a log of {size} entries has no such file");
        return Ok(Some((FindingKind::SurplusFile, detail)));
    };
    if path == wide {
        return Ok(None);
    }
    let narrow = source
        .read(&path.to_string(), source::len_max(path))?
        .unwrap_or_default();
    let is_whole = match path {
        TilePath::Hashes(tile) => tile.hashes(&narrow).is_ok(),
        TilePath::Entries(bundle) => bundle.entries(&narrow).is_ok(),
    };
    let begins = source
        .read(&wide.to_string(), source::len_max(wide))?
        .is_none_or(|bytes| bytes.starts_with(&narrow));
    let detail = match (is_whole, begins) {
        (true, true) => return Ok(None),
        (true, false) => format!("is not the beginning of {wide}"),
        (false, _) => "its length or framing is not that of its name".to_owned(),
    };
    Ok(Some((FindingKind::TileMismatch, detail)))
}

#[cfg(test)]
pub(crate) mod tests;

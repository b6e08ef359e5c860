//! What an audit finds, by kind and place.

use std::{fmt, fmt::Display};

use serde::{Serialize, Serializer};

use crate::{code::codes, id::LeafIndex};

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
    pub(super) fn in_file(kind: FindingKind, file: impl Display, detail: String) -> Self {
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

/// Findings as they are made.
#[derive(Debug)]
pub(super) struct Findings {
    pub(super) list: Vec<Finding>,
    pub(super) max: usize,
    pub(super) full: bool,
}

impl Findings {
    pub(super) fn new(max: usize) -> Self {
        Self {
            list: Vec::new(),
            max: max.max(1),
            full: false,
        }
    }

    pub(super) fn push(&mut self, finding: Finding) {
        if self.list.len() < self.max {
            self.list.push(finding);
        }
        self.full |= self.list.len() >= self.max;
    }

    pub(super) fn at(&mut self, kind: FindingKind, index: LeafIndex, detail: String) {
        self.push(Finding {
            kind,
            index: Some(index),
            file: None,
            number: None,
            detail,
        });
    }

    pub(super) fn in_file(&mut self, kind: FindingKind, file: impl Display, detail: String) {
        self.push(Finding::in_file(kind, file, detail));
    }
}

/// An error and its sources, in one line.
pub(super) fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        text += ": ";
        text += &error.to_string();
        source = error.source();
    }
    text
}

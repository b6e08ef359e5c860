//! Answers without a projector: computed from a copy of a log, and the same bytes that a projector gives at that
//! position to the same question. An answer that was filed is computed again from its own text.

use std::path::Path;

use anyhow::{Context as _, Result};
use bytes::Bytes;
use lotproof::{
    id::{Hash, LogId, TreeSize},
    log::tree::LogHead,
    policy::Pack,
    projector::Projector,
};
use serde::Deserialize;
use serde_json::{Map, Value};
use std::collections::BTreeMap;
use time::Date;

use crate::{
    api::answer_at,
    health::AlarmKind,
    openings::Openings,
    problem::Problem,
    request::VerdictsRequest,
    rules::{BrokenPack, Rules},
};

/// A log as far as it was read from a copy.
pub struct CopiedLog {
    projector: Projector,
    openings: Openings,
}

impl CopiedLog {
    /// Nothing yet, with openings of sealed fields from files.
    ///
    /// # Errors
    /// A file of openings is none.
    pub fn begin<P: AsRef<Path>>(openings: &[P]) -> Result<Self> {
        let openings = Openings::read(openings)?;
        let mut projector = Projector::new();
        openings.give(projector.projection_mut());
        Ok(Self { projector, openings })
    }

    /// Takes in the next entry.
    ///
    /// # Errors
    /// It cannot follow the ones before.
    pub fn take(&mut self, entry: &Bytes) -> Result<()> {
        let index = self.projector.size();
        self.openings.look(entry);
        self.projector
            .take(entry)
            .with_context(|| format!("entry {index} is not as it was"))
    }

    /// All entries were taken in: counts what was opened.
    pub fn end(&mut self) {
        self.openings.apply(self.projector.projection_mut());
    }

    /// How far it was read.
    pub fn head(&self) -> LogHead {
        self.projector.head()
    }
}

/// What a projector adds about itself, which nobody else can compute.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(default)]
pub struct SaidOfItself {
    /// The signed head that proves the position, where the log did not sign it.
    pub proven_by: Option<LogHead>,
    /// How far behind it was.
    pub lag_entries: u64,
    /// What was wrong with the log.
    pub alarm: Option<AlarmKind>,
}

/// An answer that was filed, as far as it has to be read to compute it again.
#[derive(Clone, Debug, Deserialize)]
pub struct Filed {
    /// Where it holds.
    pub position: FiledPosition,
    /// What the projector said of itself.
    #[serde(flatten)]
    pub said: SaidOfItself,
    /// What was asked.
    pub question: FiledQuestion,
    /// What came out.
    pub verdicts: Vec<FiledVerdict>,
    /// Packs that did not load there.
    #[serde(default)]
    pub not_loaded: Vec<BrokenPack>,
}

/// The position of a filed answer.
#[derive(Clone, Copy, Debug, Deserialize)]
pub struct FiledPosition {
    /// The log.
    pub log_id: LogId,
    /// How many of its entries.
    pub size: TreeSize,
    /// The root over them.
    pub root: Hash,
}

/// The question of a filed answer.
#[derive(Clone, Debug, Deserialize)]
pub struct FiledQuestion {
    lot: String,
    #[serde(default)]
    pack: Option<String>,
    context: Map<String, Value>,
    params: BTreeMap<String, String>,
    evaluation: String,
}

/// One verdict of a filed answer.
#[derive(Clone, Debug, Deserialize)]
pub struct FiledVerdict {
    /// Pack and version.
    pub pack: String,
    /// Digest of the pack's file.
    pub pack_sha256: String,
    /// What it says, and on what basis.
    pub verdict: String,
    /// The basis.
    pub basis: String,
    /// What is missing, by whom to ask.
    pub ask: Vec<FiledAsk>,
}

/// What a filed answer has to ask somebody.
#[derive(Clone, Debug, Deserialize)]
pub struct FiledAsk {
    /// Whom.
    pub whom: String,
    /// His name.
    #[serde(default)]
    pub name: Option<String>,
    /// What is not stated.
    pub sentences: Vec<String>,
}

impl Filed {
    /// Reads an answer.
    ///
    /// # Errors
    /// It is no answer about verdicts that repeats its question.
    pub fn read(text: &[u8]) -> Result<Self> {
        serde_json::from_slice(text).context("no answer about verdicts that repeats its question")
    }
}

/// Verdicts at the end of what was read.
///
/// # Errors
/// [`Problem`], as a projector says it.
pub fn verdicts(
    log: &CopiedLog,
    packs: Vec<Pack>,
    request: &VerdictsRequest,
    today: Date,
) -> Result<Vec<u8>, Problem> {
    let rules = Rules::of(packs, Vec::new());
    let said = SaidOfItself::default();
    answer_at(&log.projector, &log.openings, &rules, said, request, today)
}

/// A filed answer computed again, by the packs that it names, from a log read up to its position. What the projector
/// said of itself is repeated as it is.
///
/// # Errors
/// [`Problem`], as a projector says it.
pub fn verdicts_again(log: &CopiedLog, packs: Vec<Pack>, filed: &Filed) -> Result<Vec<u8>, Problem> {
    let rules = Rules::of(packs, filed.not_loaded.clone());
    let question = filed.question.clone();
    let request = VerdictsRequest {
        lot: question.lot,
        pack: question.pack,
        context: question.context,
        params: question.params,
        evaluation: Some(question.evaluation),
    };
    answer_at(
        &log.projector,
        &log.openings,
        &rules,
        filed.said,
        &request,
        Date::MIN,
    )
}

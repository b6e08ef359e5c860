//! What is answered: every reply says at which position of which log it holds.

use std::collections::BTreeMap;

use lotproof::{
    id::{Hash, LogId, TreeSize},
    log::tree::LogHead,
    policy::{Verdict, view::Purpose},
    provenance::{Anomaly, AnomalyKind, CustodyRow, Lineage, LotSummary, Provenance},
};
use serde::Serialize;
use serde_json::{Map, Value};

use crate::{cut::Cuts, health::AlarmKind, openings::Unmatched, rules::BrokenPack};

/// The log, and how much of it a reply rests on; anybody can compare it with a checkpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Position {
    /// The log.
    pub log_id: LogId,
    /// How many of its entries were taken into account.
    pub size: TreeSize,
    /// The root over them. The log signed it, or a larger head that they were verified to be the beginning of
    /// ([`Preamble::proven_by`]).
    pub root: Hash,
}

/// What stands at the head of every reply.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Preamble {
    /// Where it holds.
    pub position: Position,
    /// What the ledger is for.
    pub ledger_purpose: Purpose,
    /// Whether nothing in it is about real goods: the ledger is no production ledger, or a fixture list was
    /// used.
    pub fixture: bool,
    /// How many openings of sealed fields it rests on: somebody without them may be told less.
    pub openings: usize,
    /// The signed head whose first entries these are, while the position is between two heads that the log signed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub proven_by: Option<LogHead>,
    /// How many entries the largest signed head heard has beyond the position; left out if none.
    #[serde(skip_serializing_if = "is_zero")]
    pub lag_entries: u64,
    /// What is wrong with the log, if anything: the answer holds at its position, which is not the newest.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub alarm: Option<AlarmKind>,
}

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "the signature that serde asks for"
)]
const fn is_zero(number: &u64) -> bool {
    *number == 0
}

/// `lot`
#[derive(Clone, Debug, Serialize)]
pub struct LotReply {
    /// Where it holds.
    #[serde(flatten)]
    pub preamble: Preamble,
    /// The lot at a glance, with a page of its facts and the first of its anomalies.
    pub lot: LotSummary,
    /// How many facts there are in all pages.
    pub facts_total: usize,
    /// What to ask for the next page of facts with, if there is one.
    pub facts_next: Option<String>,
    /// How many anomalies there are at the lot itself, and at inputs of the steps that made it.
    pub anomalies_total: usize,
    /// What does not fit at the lot and anywhere behind it; `anomalies` pages it.
    pub lineage: Lineage,
    /// Who had it in hand, in order of event time: a page.
    pub custody: Vec<CustodyRow>,
    /// How many changes of hands there are in all pages.
    pub custody_total: usize,
    /// Offset of their next page, if there is one.
    pub custody_next_offset: Option<usize>,
    /// What the page leaves out.
    #[serde(flatten)]
    pub cuts: Cuts,
}

/// `provenance`
#[derive(Clone, Debug, Serialize)]
pub struct ProvenanceReply {
    /// Where it holds.
    #[serde(flatten)]
    pub preamble: Preamble,
    /// The walk.
    pub provenance: Provenance,
    /// What it leaves out.
    #[serde(flatten)]
    pub cuts: Cuts,
}

/// `verdicts`
#[derive(Clone, Debug, Serialize)]
pub struct VerdictsReply {
    /// Where it holds.
    #[serde(flatten)]
    pub preamble: Preamble,
    /// The whole question, in the one form that asks the same again.
    pub question: QuestionAsked,
    /// The lot, by its normal identifier.
    pub lot: String,
    /// One for each pack asked for, by id and version.
    pub verdicts: Vec<PackVerdict>,
    /// Packs here that do not load, where all were asked for: there is no verdict of theirs.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub not_loaded: Vec<BrokenPack>,
    /// What does not fit at the lot and anywhere behind it, whether it opens a verdict or not.
    pub lineage: Lineage,
    /// What of that is not listed.
    #[serde(flatten)]
    pub cuts: Cuts,
}

/// What was asked for verdicts: with a copy of the log up to the position and the packs, everything that they are a
/// function of.
#[derive(Clone, Debug, Serialize)]
pub struct QuestionAsked {
    /// The lot, by its normal identifier.
    pub lot: String,
    /// The pack, `id@version`; every pack there was if none was named.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pack: Option<String>,
    /// The procurement, each value in its one spelling.
    pub context: Map<String, Value>,
    /// Readings that the asker chose.
    pub params: BTreeMap<String, String>,
    /// As of when it was asked.
    pub evaluation: String,
}

/// A verdict, and what the context left open for it.
#[derive(Clone, Debug, Serialize)]
pub struct PackVerdict {
    /// Context fields that the pack may read and the asker did not state.
    pub context_not_stated: Vec<String>,
    /// The verdict.
    #[serde(flatten)]
    pub verdict: Verdict,
}

/// `anomalies`
#[derive(Clone, Debug, Serialize)]
pub struct AnomaliesReply {
    /// Where it holds.
    #[serde(flatten)]
    pub preamble: Preamble,
    /// Where they were looked for.
    pub searched: Searched,
    /// How many there are in all pages.
    pub total: usize,
    /// How many stand before this page.
    pub offset: usize,
    /// How many of each kind, in all pages.
    pub kinds: BTreeMap<AnomalyKind, usize>,
    /// Offset of the next page, if there is one. Pages fit together only at one position.
    pub next_offset: Option<usize>,
    /// This page: of a lot's lineage nearest first, then by lot, kind and facts.
    pub anomalies: Vec<AnomalyRow>,
    /// What the page leaves out.
    #[serde(flatten)]
    pub cuts: Cuts,
}

/// One anomaly, and how far behind the lot that was asked for it is.
#[derive(Clone, Debug, Serialize)]
pub struct AnomalyRow {
    /// How many steps up from the lot; left out where no lot was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub depth: Option<u32>,
    /// What does not fit.
    #[serde(flatten)]
    pub anomaly: Anomaly,
}

/// Where anomalies were looked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Searched {
    /// At every lot of the log.
    WholeLog,
    /// At one lot and everywhere behind it.
    Lineage,
}

/// What the log adds up to, for comparison with anybody else's replay.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Digests {
    /// Digest of the state, positions included.
    pub state_digest: Hash,
    /// Digest of the facts, in whatever order independent feeds arrived.
    pub fact_digest: Hash,
    /// Events applied, repeated reports included.
    pub events: u64,
    /// Distinct facts.
    pub facts: usize,
}

/// `digests`
#[derive(Clone, Copy, Debug, Serialize)]
pub struct DigestsReply {
    /// Where it holds.
    #[serde(flatten)]
    pub preamble: Preamble,
    /// The digests.
    #[serde(flatten)]
    pub digests: Digests,
}

/// `packs`
#[derive(Clone, Debug, Serialize)]
pub struct PacksReply {
    /// Where it holds.
    #[serde(flatten)]
    pub preamble: Preamble,
    /// Packs, by id and version.
    pub packs: Vec<PackView>,
    /// Files that should be packs and do not load, with everything that is wrong with them.
    pub not_loaded: Vec<BrokenPack>,
}

/// A rule pack as an asker needs to know it.
#[derive(Clone, Debug, Serialize)]
pub struct PackView {
    /// `id@version`
    pub pack: String,
    /// One line for a person.
    pub title: String,
    /// Where the law stands.
    pub citation: String,
    /// `enacted`, `in_force` ...
    pub status: String,
    /// SHA-256 of its file.
    pub sha256: String,
    /// Whether it was checked against the text of the law.
    pub text_verified: bool,
    /// Kinds of lot that it judges; `*` is any.
    pub subject_kinds: Vec<String>,
    /// Context fields without which there is no verdict.
    pub context_required: Vec<String>,
    /// Every context field that it may read.
    pub context_fields: Vec<String>,
    /// Readings that it leaves open.
    pub params: Vec<ParamView>,
    /// Lists that it reads, as published in the ledger.
    pub lists: Vec<String>,
}

/// A reading that a pack leaves open.
#[derive(Clone, Debug, Serialize)]
pub struct ParamView {
    /// Its name.
    pub name: String,
    /// What is taken unless the asker says otherwise.
    pub default: String,
    /// What may be chosen.
    pub allowed: Vec<String>,
    /// Why it is open.
    pub why: String,
}

/// `openings`
#[derive(Clone, Debug, Serialize)]
pub struct OpeningsReply {
    /// Where it holds.
    #[serde(flatten)]
    pub preamble: Preamble,
    /// How many opened a field of at least one event.
    pub matched: usize,
    /// How many fit no seal of an event up to this position: they reveal nothing.
    pub unmatched_total: usize,
    /// Those, in order of their files: a page.
    pub unmatched: Vec<Unmatched>,
    /// Offset of the next page, if there is one.
    pub next_offset: Option<usize>,
    /// What the page leaves out.
    #[serde(flatten)]
    pub cuts: Cuts,
}

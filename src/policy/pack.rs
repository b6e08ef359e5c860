//! A rule pack: one regime as data, as the loader has checked it.
//!
//! Every name in here resolves, nothing refers to itself in a circle, and every class and expression has
//! one operator. Definitions are found by name, so that a verdict can say which one decided.
//! Spec: `policies/README.md`.

use std::collections::BTreeMap;

use serde_json::Value as Json;
use time::Date;

use super::{
    truth::Comparison,
    view::{Assurance, Exact},
};

/// One regime, loaded and checked.
#[derive(Clone, Debug)]
pub struct Pack {
    /// Id, for example `us-ndaa-fy2024-s154`.
    pub id: String,
    /// Version, a date by custom.
    pub version: String,
    /// One line for a person.
    pub title: String,
    /// Where the law stands.
    pub citation: String,
    /// `enacted`, `in_force` ...
    pub status: String,
    /// Whether the pack was checked against the text of the law.
    pub text_verified: bool,
    /// SHA-256 of the file, lower-case hex.
    pub sha256: String,
    /// Kinds of lot that it judges; `*` is any.
    pub subject_kinds: Vec<String>,
    /// Custody models whose links it accepts.
    pub custody: Vec<String>,
    /// Whose making counts where a step raised nothing.
    pub(super) makers: MakersAsked,
    /// Rows that rest on unverified knowledge, by key.
    pub unverified: Vec<String>,
    pub(super) trigger: Trigger,
    pub(super) sets: BTreeMap<String, Vec<String>>,
    pub(super) lists: BTreeMap<String, ListUse>,
    pub(super) params: BTreeMap<String, Param>,
    pub(super) tables: BTreeMap<String, Table>,
    pub(super) selects: BTreeMap<String, Select>,
    pub(super) classes: BTreeMap<String, Class>,
    pub(super) exprs: BTreeMap<String, Expr>,
    pub(super) waivers: BTreeMap<String, Waiver>,
    pub(super) rules: Vec<Rule>,
}

impl Pack {
    /// Id and version, as verdicts name it.
    pub fn name(&self) -> String {
        format!("{}@{}", self.id, self.version)
    }

    /// Ids of the lists that it reads, and the file that each comes in, relative to the pack.
    pub fn lists(&self) -> impl Iterator<Item = (&str, &str)> {
        self.lists
            .values()
            .map(|list| (list.list.as_str(), list.file.as_str()))
    }

    /// Params that the text leaves open: name, default, allowed values, and why.
    pub fn params(&self) -> impl Iterator<Item = (&str, &Param)> {
        self.params.iter().map(|(name, param)| (name.as_str(), param))
    }
}

/// Whether whoever made what a step only handled is asked for too.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum MakersAsked {
    Every,
    Last,
}

/// A reading that the text leaves open.
#[derive(Clone, Debug)]
pub struct Param {
    /// What is taken unless the asker says otherwise.
    pub default: String,
    /// What may be chosen.
    pub allowed: Vec<String>,
    /// Why it is open.
    pub why: String,
}

/// Which date of the context is the legal trigger.
#[derive(Clone, Debug)]
pub(super) enum Trigger {
    /// A path of the context.
    Path(String),
    /// One path for each value of a param.
    ByParam {
        param: String,
        paths: BTreeMap<String, String>,
    },
}

/// A list as a pack uses it.
#[derive(Clone, Debug)]
pub(super) struct ListUse {
    pub(super) list: String,
    pub(super) file: String,
    pub(super) aliases: bool,
    pub(super) successors: bool,
    pub(super) subsidiaries: bool,
    pub(super) sublists: Option<Vec<String>>,
}

/// Rows looked up by a field of the context.
#[derive(Clone, Debug)]
pub(super) struct Table {
    pub(super) key: String,
    pub(super) rows: Vec<Row>,
}

#[derive(Clone, Debug)]
pub(super) struct Row {
    pub(super) matches: RowKey,
    pub(super) from_date: Option<Date>,
    pub(super) value: Option<Exact>,
}

#[derive(Clone, Debug)]
pub(super) enum RowKey {
    Is(String),
    Between { from: Option<i64>, to: Option<i64> },
}

/// Which nodes of the graph a test is about.
#[derive(Clone, Debug)]
pub(super) struct Select {
    pub(super) from: From,
    pub(super) depth: u32,
    pub(super) include_self: bool,
    pub(super) kinds: Option<Vec<String>>,
    pub(super) steps: Option<Vec<String>>,
    pub(super) expand: Vec<String>,
    pub(super) expand_known: Vec<String>,
    pub(super) closed_to: Option<Vec<String>>,
    pub(super) exclude_if: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum From {
    Itself,
    Inputs,
    Ancestors,
}

/// The date at which something is judged.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Clock {
    Event,
    Trigger,
    Evaluation,
}

/// A class of parties.
#[derive(Clone, Debug)]
pub(super) struct Class {
    pub(super) test: ClassTest,
    pub(super) when_param: Option<(String, String)>,
}

#[derive(Clone, Debug)]
pub(super) enum ClassTest {
    Any(Vec<String>),
    All(Vec<String>),
    Not(String),
    Listed { list: String, clock: Clock },
    OrganizedIn { set: String },
    PrincipalPlaceIn { set: String },
    CitizenOf { set: String, unless: Option<String> },
    Owned(Owned),
    Licensed(Licensed),
    Place(Place),
    Evidence(EvidenceTest),
}

#[derive(Clone, Debug)]
pub(super) struct Owned {
    pub(super) by: String,
    pub(super) measures: Vec<Measure>,
    pub(super) single: bool,
    pub(super) comparison: Comparison,
    pub(super) value: Exact,
    pub(super) look_through: bool,
    pub(super) clock: Clock,
}

/// What of a party is held.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Measure {
    Equity,
    Votes,
    Board,
    Debt,
}

impl Measure {
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Equity => "equity",
            Self::Votes => "votes",
            Self::Board => "board",
            Self::Debt => "debt",
        }
    }
}

#[derive(Clone, Debug)]
pub(super) struct Licensed {
    pub(super) from: String,
    pub(super) effective_control: bool,
}

#[derive(Clone, Debug)]
pub(super) struct Place {
    pub(super) subdivision: bool,
    pub(super) set: String,
}

#[derive(Clone, Debug)]
pub(super) struct EvidenceTest {
    pub(super) kind: String,
    pub(super) min: Assurance,
    pub(super) about: About,
    pub(super) clock: Clock,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum About {
    Node,
    Party,
    Context,
}

/// A party's part in a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Role {
    Operator,
    Principal,
    Seller,
    Owner,
    Licensor,
}

impl Role {
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Operator => "operator",
            Self::Principal => "principal",
            Self::Seller => "seller",
            Self::Owner => "owner",
            Self::Licensor => "licensor",
        }
    }
}

/// A test.
#[derive(Clone, Debug)]
pub(super) struct Expr {
    pub(super) test: ExprTest,
    pub(super) when_param: Option<(String, String)>,
}

#[derive(Clone, Debug)]
pub(super) enum ExprTest {
    Any(Vec<String>),
    All(Vec<String>),
    Not(String),
    Exists {
        select: String,
        condition: String,
        rooted: bool,
    },
    Every {
        select: String,
        condition: String,
        rooted: bool,
    },
    Share(ShareTest),
    Place(Place),
    Party {
        role: Role,
        class: String,
    },
    Context(ContextTest),
    ContextParty {
        role: String,
        class: String,
    },
    Licensed(Licensed),
    Evidence(EvidenceTest),
    Presume {
        of: String,
        when_unknown: String,
    },
    Attribute {
        path: String,
        comparison: Comparison,
        value: Json,
    },
}

#[derive(Clone, Debug)]
pub(super) struct ShareTest {
    pub(super) select: String,
    pub(super) condition: String,
    pub(super) rooted: bool,
    pub(super) measure: Choice,
    pub(super) comparison: Comparison,
    pub(super) value: Threshold,
}

/// A word, or the param that gives it.
#[derive(Clone, Debug)]
pub(super) enum Choice {
    Fixed(String),
    Param(String),
}

#[derive(Clone, Debug)]
pub(super) enum Threshold {
    Fixed(Exact),
    Table(String),
}

#[derive(Clone, Debug)]
pub(super) struct ContextTest {
    pub(super) path: String,
    pub(super) comparison: ContextComparison,
}

#[derive(Clone, Debug)]
pub(super) enum ContextComparison {
    OneOf(Vec<Json>),
    Date(Comparison, Date),
}

#[derive(Clone, Debug)]
pub(super) struct Waiver {
    pub(super) kind: String,
    pub(super) grantors: Vec<String>,
    pub(super) findings: Vec<String>,
    pub(super) years_max: Option<i32>,
}

#[derive(Clone, Debug)]
pub(super) struct Rule {
    pub(super) id: String,
    pub(super) applies: String,
    pub(super) effective: Effective,
    pub(super) test: RuleTest,
    pub(super) exclusions: Vec<String>,
    pub(super) exceptions: Vec<String>,
    pub(super) downgrades: Vec<Downgrade>,
    pub(super) waivers: Vec<String>,
    pub(super) min_assurance: Assurance,
}

#[derive(Clone, Debug)]
pub(super) enum RuleTest {
    FailsIf(String),
    PassesIf(String),
}

impl RuleTest {
    pub(super) fn expr(&self) -> &str {
        match self {
            Self::FailsIf(expr) | Self::PassesIf(expr) => expr,
        }
    }
}

#[derive(Clone, Debug)]
pub(super) struct Downgrade {
    pub(super) condition: String,
    pub(super) reason: String,
}

/// When a rule is in force: within one of the spans, or from the date that a table gives.
#[derive(Clone, Debug)]
pub(super) enum Effective {
    Spans(Vec<EffectiveSpan>),
    Table(String),
}

#[derive(Clone, Debug)]
pub(super) struct EffectiveSpan {
    /// Path of the context whose date is asked; the trigger if none.
    pub(super) path: Option<String>,
    pub(super) from: Option<Date>,
    pub(super) to: Option<Date>,
}

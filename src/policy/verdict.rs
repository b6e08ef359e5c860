//! A verdict: what evaluation found, and everything that it leaned on.
//!
//! Field order, maps and lists are fixed, so the same inputs give the same JSON bytes.

use std::collections::BTreeMap;

use num_traits::{Signed as _, Zero as _};
use serde::Serialize;

use super::{
    truth::Truth,
    view::{Assurance, Exact, Purpose},
};
use crate::time::{EventTime, RecordedAt};

/// What a pack says of a lot.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// No rule is about this lot and this context: it says nothing about the lot.
    NotApplicable,
    /// The rules are not in force at the trigger: it says nothing about the lot.
    NotYetEffective,
    /// Nothing bars it. Read with the [`Basis`].
    Compliant,
    /// The facts do not say.
    Indeterminate,
    /// The pack bars it.
    NonCompliant,
}

impl Outcome {
    /// Whether nothing bars the lot, for whatever reason.
    pub const fn is_unbarred(self) -> bool {
        matches!(
            self,
            Self::NotApplicable | Self::NotYetEffective | Self::Compliant
        )
    }

    /// Its name in JSON.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::NotApplicable => "not_applicable",
            Self::NotYetEffective => "not_yet_effective",
            Self::Compliant => "compliant",
            Self::Indeterminate => "indeterminate",
            Self::NonCompliant => "non_compliant",
        }
    }
}

/// What a verdict rests on: of several grounds for compliance, the first in this order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Basis {
    /// No rule is about this lot and this context.
    NotApplicable,
    /// The rule is not in force at the trigger.
    NotYetEffective,
    /// Excluded before the test.
    Exclusion,
    /// The test itself.
    Rule,
    /// Excepted after a test that it does not pass, or may not.
    Exception,
    /// Waived; the facts that fail stay listed.
    Waiver,
}

impl Basis {
    /// Its name in JSON.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::NotApplicable => "not_applicable",
            Self::NotYetEffective => "not_yet_effective",
            Self::Exclusion => "exclusion",
            Self::Rule => "rule",
            Self::Exception => "exception",
            Self::Waiver => "waiver",
        }
    }
}

/// The answer for one lot, one pack, one context, one date.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Verdict {
    /// Lot judged.
    pub lot: String,
    /// Pack and version.
    pub pack: String,
    /// SHA-256 of the pack's file, lower-case hex.
    pub pack_sha256: String,
    /// The outcome.
    pub verdict: Outcome,
    /// What it rests on.
    pub basis: Basis,
    /// Every basis, where what is unknown changes the basis but not the outcome.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub bases: Vec<Basis>,
    /// Dates at which it is given.
    pub clocks: ClocksUsed,
    /// Entries of the log taken into account.
    pub ledger_position: u64,
    /// What the ledger is for.
    pub ledger_purpose: Purpose,
    /// Whether a fictional list, which only such ledgers accept, was used.
    pub fixture: bool,
    /// Whether the pack was checked against the text of the law.
    pub text_verified: bool,
    /// Rows of the pack that rest on unverified knowledge.
    pub unverified: Vec<String>,
    /// Readings taken where the text leaves several.
    pub params: BTreeMap<String, String>,
    /// Tests that decided, or that are undecided.
    pub because: Vec<Because>,
    /// Facts that could decide it.
    pub missing: Vec<Missing>,
    /// The same as sentences, by whom to ask.
    pub ask: Vec<Ask>,
    /// Whose word it is: what the asker said, then every signed fact that a deciding test read and that no auditor,
    /// laboratory or authority vouches for, by signer.
    pub rests_on: Vec<RestsOn>,
    /// Editions of lists that were looked at.
    pub editions: Vec<EditionUsed>,
    /// Documents relied on, as `sha256:` and lower-case hex.
    pub evidence: Vec<String>,
    /// Waivers of the kinds that the pack knows.
    pub waivers: Vec<WaiverUsed>,
    /// Last day of the waiver that it rests on.
    pub expires: Option<String>,
}

impl Verdict {
    /// Its JSON, always the same bytes for the same verdict.
    pub fn to_json(&self) -> Vec<u8> {
        serde_json::to_vec(self).expect("a verdict holds no map with keys other than strings")
    }
}

/// Dates at which a verdict is given, as `YYYY-MM-DD`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ClocksUsed {
    /// The legal trigger; none if the context does not say.
    pub trigger: Option<String>,
    /// Where the context has it.
    pub trigger_path: String,
    /// As of when it is asked.
    pub evaluation: String,
}

/// One test that decided, or did not.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Because {
    /// Rule of the pack.
    pub rule: String,
    /// The test, by its name in the pack.
    pub test: String,
    /// What it came to.
    pub value: Truth,
    /// Nodes that made it true or false, at most [`NODES_MAX`].
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub nodes: Vec<NodeSeen>,
    /// How many nodes there are beyond those listed.
    #[serde(skip_serializing_if = "is_zero")]
    pub more_nodes: usize,
    /// Of a share: its interval.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub share: Option<ShareSeen>,
    /// In words, where a name does not say enough.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// Most nodes listed for one test.
pub const NODES_MAX: usize = 16;

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
fn is_zero(count: &usize) -> bool {
    *count == 0
}

/// A node that decided a test.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct NodeSeen {
    /// Lot, or the context.
    pub lot: String,
    /// Step that made it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub step: Option<String>,
    /// Role of the party.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub role: Option<&'static str>,
    /// The party.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub party: Option<String>,
    /// Its name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// The class that it is in, innermost.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub class: Option<String>,
    /// Its part of the share, exact.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub part: Option<String>,
    /// The lot that the party made or sold, where that is another one: what was done since made nothing new.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kept_from: Option<String>,
}

/// A share compared with its threshold.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ShareSeen {
    /// What is measured.
    pub measure: String,
    /// Lowest value, three digits, rounded away from the threshold; none if there is nothing to share.
    pub lo: Option<String>,
    /// Highest value, likewise.
    pub hi: Option<String>,
    /// Lowest value, exact.
    pub lo_exact: Option<String>,
    /// Highest value, exact.
    pub hi_exact: Option<String>,
    /// What is asked, for example `> 0.5`.
    pub needed: String,
}

/// A fact that could decide.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Missing {
    /// What it is about: `lot:...`, `party:...`, `list:...`, `context`.
    pub subject: String,
    /// Where it would stand.
    pub path: String,
    /// Definitions of the pack that ask for it.
    pub needed_by: Vec<String>,
    /// It is stated, with this assurance, which is not enough.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stated: Option<Assurance>,
    /// The assurance asked for, where it is stated with less.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub needs: Option<Assurance>,
    /// There are too many unknowns to say whether it decides.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub may_matter: bool,
}

/// What is to be asked of one party.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Ask {
    /// The party; `asker`, `authority`, or `unknown` where nobody is known who could say.
    pub whom: String,
    /// Its name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// What is not stated, each once.
    pub sentences: Vec<String>,
    /// How many more there are.
    #[serde(skip_serializing_if = "is_zero")]
    pub more: usize,
}

/// What a verdict takes on one signer's word.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct RestsOn {
    /// The party, or `asker`.
    pub signer: String,
    /// Its name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Of the asker: the fields of the context that were read, and what they say.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub context: BTreeMap<String, serde_json::Value>,
    /// Of the asker: readings that he chose.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub params: BTreeMap<String, String>,
    /// Events, in order of the log.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub facts: Vec<SignedWord>,
}

impl RestsOn {
    pub(super) fn of(signer: &str) -> Self {
        Self {
            signer: signer.to_owned(),
            ..Self::default()
        }
    }
}

/// A signed event that a verdict read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct SignedWord {
    /// Its entry in the log.
    pub leaf_index: u64,
    /// Its id, unique for the signer.
    pub event_id: String,
    /// When the signer says that it happened.
    pub event_time: EventTime,
    /// When the ledger recorded it.
    pub recorded_at: RecordedAt,
    /// The least that stands behind what was read of it.
    pub level: Assurance,
    /// What was read of it, for example `step.operator`.
    pub claims: Vec<&'static str>,
}

/// An edition that was looked at.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[expect(clippy::struct_excessive_bools, reason = "independent marks of one edition")]
pub struct EditionUsed {
    /// List.
    pub list: String,
    /// Edition.
    pub edition: String,
    /// First day on which it counts.
    pub effective_from: String,
    /// Whether it names everybody.
    pub complete: bool,
    /// Fictional.
    pub fixture: bool,
    /// Withdrawn at a later position than this verdict's.
    pub later_withdrawn: bool,
    /// The date asked about lies after the evaluation: the list may change until then.
    pub projected: bool,
}

/// A waiver for this lot.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct WaiverUsed {
    /// Waiver id.
    pub waiver: String,
    /// Its definition in the pack.
    pub definition: String,
    /// `in_force`, `expired`, `not_yet`, `other_grantor`, `findings_missing`, or `no_trigger`.
    pub state: &'static str,
    /// First day.
    pub valid_from: String,
    /// Last day, as the waiver and the pack bound it.
    pub valid_to: Option<String>,
}

/// A share in three digits, rounded away from the threshold (up, if it lies on it).
pub(super) fn rounded(value: &Exact, threshold: &Exact) -> String {
    let scaled = value * Exact::from_integer(1000.into());
    let whole = if value < threshold {
        scaled.floor()
    } else {
        scaled.ceil()
    }
    .to_integer();
    let negative = whole.is_negative() && !whole.is_zero();
    let digits = format!("{:04}", whole.abs());
    let (units, fraction) = digits.split_at(digits.len() - 3);
    format!("{}{units}.{fraction}", if negative { "-" } else { "" })
}

/// A number exactly: a decimal if it has a short one, else a fraction.
pub(super) fn exactly(value: &Exact) -> String {
    for places in 0_u32..=12 {
        let scale = num_bigint::BigInt::from(10).pow(places);
        let scaled = value * Exact::from_integer(scale);
        if scaled.is_integer() {
            let negative = scaled.is_negative();
            let places = places as usize;
            let digits = format!("{:0width$}", scaled.to_integer().abs(), width = places + 1);
            let (units, fraction) = digits.split_at(digits.len() - places);
            let sign = if negative { "-" } else { "" };
            return if places == 0 {
                format!("{sign}{units}")
            } else {
                format!("{sign}{units}.{fraction}")
            };
        }
    }
    value.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ratio(numerator: i64, denominator: i64) -> Exact {
        Exact::new(numerator.into(), denominator.into())
    }

    #[test]
    fn printed_decimals_never_cross_the_threshold() {
        let threshold = ratio(95, 100);
        assert_eq!(rounded(&ratio(950_001, 1_000_000), &threshold), "0.951");
        assert_eq!(rounded(&ratio(949_999, 1_000_000), &threshold), "0.949");
        assert_eq!(rounded(&threshold, &threshold), "0.950");
        assert_eq!(rounded(&ratio(1, 1), &threshold), "1.000");
        assert_eq!(rounded(&ratio(0, 1), &threshold), "0.000");
    }

    #[test]
    fn exact_numbers_print_as_decimals_where_they_have_one() {
        assert_eq!(exactly(&ratio(1, 2)), "0.5");
        assert_eq!(exactly(&ratio(5, 12)), "5/12");
        assert_eq!(exactly(&ratio(3, 1)), "3");
        assert_eq!(exactly(&ratio(-1, 8)), "-0.125");
    }
}

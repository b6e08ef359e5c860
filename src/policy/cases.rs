//! The cases of a rule pack: small worlds, and the verdict that a person worked out for each by hand.
//!
//! ```json
//! { "context": { .. }, "parties": { .. }, "lots": { .. },
//!   "cases": [{ "case": "21", "note": "boundary: exactly half by cost", "subject": "pack", "lots": { .. },
//!               "verdict": "compliant", "basis": "rule", "boundary": true, "twin": true }] }
//! ```
//!
//! A file shows each rule of its pack passing, failing, unknown and on its boundary; a gap is named. `twin` is a case
//! that rests on facts about lots: with the same facts merely asserted it is `indeterminate`.

use std::{collections::BTreeMap, fmt};

use serde::Deserialize;
use serde_json::{Map, Value};
use time::{Date, macros::date};

use super::{
    context::{Context, ContextError},
    evaluate::{EvaluateError, Question, evaluate},
    pack::Pack,
    verdict::{Outcome, Verdict},
    view::{Assurance, ListEdition, Purpose},
    world::{LotRow, PartyRow, WaiverRow, World},
};

/// Longest file of cases accepted, in bytes.
pub const CASES_LEN_MAX: usize = 1 << 22;

/// Evaluation date of every case.
const EVALUATION: Date = date!(2026 - 11 - 01);

/// Why a file of cases cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum CasesError {
    /// Longer than [`CASES_LEN_MAX`].
    #[error("{got} bytes, at most {CASES_LEN_MAX} are accepted")]
    TooLong {
        /// Its length in bytes.
        got: usize,
    },
    /// Not the JSON of cases.
    #[error("not a file of cases: {0}")]
    Syntax(#[from] serde_json::Error),
    /// It says something about a rule that the pack does not have.
    #[error("case {case} names rule {rule}, which the pack does not have")]
    UnknownRule {
        /// The case.
        case: String,
        /// The rule.
        rule: String,
    },
    /// A pack of several rules, and a case that does not say of which it is.
    #[error("case {case} names no rule, and the pack has several")]
    NoRule {
        /// The case.
        case: String,
    },
    /// Two cases of one name.
    #[error("two cases are called {0}")]
    Twice(String),
    /// A context that cannot be.
    #[error("case {case}: {error}")]
    Context {
        /// The case.
        case: String,
        /// Why.
        error: ContextError,
    },
    /// A question that cannot be asked.
    #[error("case {case}: {error}")]
    Question {
        /// The case.
        case: String,
        /// Why.
        error: EvaluateError,
    },
}

/// A file of cases.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Cases {
    /// For a person.
    #[serde(rename = "about")]
    _about: String,
    /// What each case begins with.
    context: Map<String, Value>,
    parties: BTreeMap<String, PartyRow>,
    lots: BTreeMap<String, LotRow>,
    #[serde(rename = "cases")]
    pub(super) rows: Vec<Case>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Case {
    #[serde(rename = "case")]
    pub(super) name: String,
    pub(super) note: String,
    /// The rule that it shows; the only one of its pack otherwise.
    #[serde(default)]
    rule: Option<String>,
    pub(super) subject: String,
    #[serde(default)]
    lots: BTreeMap<String, LotRow>,
    #[serde(default)]
    context: Option<Map<String, Value>>,
    #[serde(default)]
    params: BTreeMap<String, String>,
    #[serde(default)]
    waivers: Vec<WaiverRow>,
    pub(super) verdict: String,
    pub(super) basis: Option<String>,
    pub(super) missing: Option<Vec<String>>,
    pub(super) expires: Option<String>,
    #[serde(default)]
    boundary: bool,
    pub(super) twin: bool,
}

/// What came out of one case.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CaseFound {
    /// The case and its note.
    pub case: String,
    /// How the verdict differs from what was worked out; empty if it does not.
    pub differs: Vec<String>,
}

/// What a rule is shown to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Shown {
    /// Compliant by the rule's own test.
    Passes,
    /// Barred.
    Fails,
    /// Indeterminate.
    Unknown,
    /// A case at the threshold or the date on which it turns.
    Boundary,
}

impl fmt::Display for Shown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Passes => "passes",
            Self::Fails => "fails",
            Self::Unknown => "is unknown",
            Self::Boundary => "is on its boundary",
        })
    }
}

impl Cases {
    /// Reads a file of cases.
    ///
    /// # Errors
    /// It is none.
    pub fn read(text: &str) -> Result<Self, CasesError> {
        if text.len() > CASES_LEN_MAX {
            return Err(CasesError::TooLong { got: text.len() });
        }
        let cases: Self = serde_json::from_str(text)?;
        let mut names = std::collections::BTreeSet::new();
        for case in &cases.rows {
            if !names.insert(&case.name) {
                return Err(CasesError::Twice(case.name.clone()));
            }
        }
        Ok(cases)
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    pub(super) fn world(&self, case: &Case, assurance: Assurance, lists: Vec<ListEdition>) -> World {
        let mut lots = self.lots.clone();
        lots.extend(case.lots.clone());
        World {
            parties: self.parties.clone(),
            lots,
            lists,
            waivers: case.waivers.clone(),
            purpose: Purpose::Test,
            assurance,
            own_assurance: Assurance::SupplierCertified,
        }
    }

    pub(super) fn ask(&self, case: &Case, world: &World, pack: &Pack) -> Result<Verdict, CasesError> {
        let fields = case.context.as_ref().unwrap_or(&self.context);
        let context = Context::from_fields(fields).map_err(|error| CasesError::Context {
            case: case.name.clone(),
            error,
        })?;
        let question = Question {
            lot: &case.subject,
            pack,
            context: &context,
            params: &case.params,
            evaluation: EVALUATION,
        };
        evaluate(world, &question).map_err(|error| CasesError::Question {
            case: case.name.clone(),
            error,
        })
    }

    /// Puts every case to a pack, with these editions of its lists.
    ///
    /// # Errors
    /// A case cannot be asked at all.
    pub fn run(&self, pack: &Pack, lists: &[ListEdition]) -> Result<Vec<CaseFound>, CasesError> {
        let mut found = Vec::new();
        for case in &self.rows {
            let world = self.world(case, Assurance::SupplierCertified, lists.to_vec());
            let verdict = self.ask(case, &world, pack)?;
            let mut differs = case.differences(&verdict);
            if case.twin {
                let world = self.world(case, Assurance::Asserted, lists.to_vec());
                let twin = self.ask(case, &world, pack)?;
                if twin.verdict != Outcome::Indeterminate {
                    let got = twin.verdict.as_str();
                    differs.push(format!(
                        "with facts merely asserted it is {got}, not indeterminate"
                    ));
                }
            }
            found.push(CaseFound {
                case: format!("{}: {}", case.name, case.note),
                differs,
            });
        }
        Ok(found)
    }

    /// What no case shows of a rule.
    ///
    /// # Errors
    /// A case does not say of which rule of the pack it is.
    pub fn gaps(&self, pack: &Pack) -> Result<Vec<(String, Shown)>, CasesError> {
        let mut shown: BTreeMap<&str, Vec<Shown>> = pack
            .rules
            .iter()
            .map(|rule| (rule.id.as_str(), Vec::new()))
            .collect();
        for case in &self.rows {
            let rule = match (&case.rule, pack.rules.as_slice()) {
                (Some(rule), _) => rule.as_str(),
                (None, [only]) => only.id.as_str(),
                (None, _) => {
                    return Err(CasesError::NoRule {
                        case: case.name.clone(),
                    });
                }
            };
            let Some(shown) = shown.get_mut(rule) else {
                return Err(CasesError::UnknownRule {
                    case: case.name.clone(),
                    rule: rule.to_owned(),
                });
            };
            match case.verdict.as_str() {
                "compliant" => shown.push(Shown::Passes),
                "non_compliant" => shown.push(Shown::Fails),
                "indeterminate" => shown.push(Shown::Unknown),
                _ => {}
            }
            if case.boundary {
                shown.push(Shown::Boundary);
            }
        }
        let all = [Shown::Passes, Shown::Fails, Shown::Unknown, Shown::Boundary];
        let gaps = shown.iter().flat_map(|(rule, shown)| {
            let missing = all.iter().filter(|wanted| !shown.contains(wanted));
            missing.map(|missing| ((*rule).to_owned(), *missing))
        });
        Ok(gaps.collect())
    }
}

impl Case {
    /// How a verdict differs from what was worked out by hand.
    pub(super) fn differences(&self, verdict: &Verdict) -> Vec<String> {
        let mut differs = Vec::new();
        let mut compare = |what: &str, expected: &str, got: &str| {
            if expected != got {
                differs.push(format!("{what} is {got}, by hand it is {expected}"));
            }
        };
        compare("the verdict", &self.verdict, verdict.verdict.as_str());
        if let Some(basis) = &self.basis {
            compare("the basis", basis, verdict.basis.as_str());
        }
        if let Some(missing) = &self.missing {
            let found: Vec<String> = verdict
                .missing
                .iter()
                .map(|fact| format!("{} {}", fact.subject, fact.path))
                .collect();
            compare("what is missing", &missing.join(", "), &found.join(", "));
        }
        let expires = |date: &Option<String>| date.clone().unwrap_or_else(|| "never".to_owned());
        compare(
            "the last day",
            &expires(&self.expires),
            &expires(&verdict.expires),
        );
        if !verdict.missing.is_empty() && verdict.verdict != Outcome::Indeterminate {
            differs.push("facts are missing though it is decided".to_owned());
        }
        differs
    }
}

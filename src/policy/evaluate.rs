//! Evaluation: (graph at a position, registers, lists, context, pack, clocks) to a verdict, and nothing else.
//!
//! ```text
//! pack, lot --ground--> formulas --settle--> outcome --assurance, doubts--> verdict --explain--> because, missing
//! ```
//!
//! A `compliant` by facts about the lot is found again with every fact of less than the rule's
//! `min_assurance` taken as not stated; if it does not stand, it is `indeterminate`, and what is missing is
//! evidence. A `non_compliant` is not softened (a bad fact admitted needs no certificate), unless it does not
//! stand without facts that others merely reported. A `compliant` is found a third time with every node that a
//! contradiction touches taken as not stated (`doubts`); if it does not stand then, it is `indeterminate`.

use std::{
    cell::RefCell,
    collections::{BTreeMap, BTreeSet},
};

use time::{Date, Duration};

use super::{
    asks::{asks, in_words, together},
    context::Context,
    explain::{explain, row},
    ground::{Clocks, Grounder, Memo, Strictness},
    leaf::{FactRef, Record, contradiction_at},
    pack::{Effective, Pack, Rule, RuleTest, Trigger, Waiver},
    recall::Recall,
    rests::{merged, rests_on},
    settle::{GroundedRule, Settled, settle},
    truth::{F, Truth, all, any, known, not},
    verdict::{Basis, Because, ClocksUsed, EditionUsed, Missing, Outcome, RestsOn, Verdict, WaiverUsed},
    view::{Assurance, View, WaiverFacts},
};

/// What is asked.
#[derive(Clone, Copy, Debug)]
pub struct Question<'a> {
    /// Lot, by its normal identifier.
    pub lot: &'a str,
    /// The rules.
    pub pack: &'a Pack,
    /// The procurement.
    pub context: &'a Context,
    /// Readings chosen by the asker, where the pack leaves several; its defaults otherwise.
    pub params: &'a BTreeMap<String, String>,
    /// As of when it is asked (UTC).
    pub evaluation: Date,
}

/// Why there is no verdict.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EvaluateError {
    /// A param that the pack does not have.
    #[error("pack {pack} has no param {param}")]
    UnknownParam {
        /// The pack.
        pack: String,
        /// The param.
        param: String,
    },
    /// A value that the param does not allow.
    #[error("param {param} is {got}, allowed are {}", allowed.join(", "))]
    ParamValue {
        /// The param.
        param: String,
        /// What was asked for.
        got: String,
        /// What may be.
        allowed: Vec<String>,
    },
}

/// Judges a lot. Pure: the same view, question and pack give the same verdict, byte for byte.
///
/// # Errors
/// The question itself is wrong; see [`EvaluateError`]. Missing facts are never an error.
pub fn evaluate(view: &dyn View, question: &Question<'_>) -> Result<Verdict, EvaluateError> {
    validate(question)?;
    let recall = Recall::new(view);
    let pack = question.pack;
    let Trigger::ByParam { param, paths } = &pack.trigger else {
        let path = pack.trigger_path(None);
        return Ok(judge(&recall, question, question.params, &path));
    };
    let chosen = question.params.get(param);
    let verdict = judge(
        &recall,
        question,
        question.params,
        &pack.trigger_path(chosen.map(String::as_str)),
    );
    if chosen.is_some() {
        return Ok(verdict);
    }
    // The reading is open, and the context may have the dates of the others as well.
    for (value, path) in paths {
        if *path == verdict.clocks.trigger_path || question.context.date(path).is_none() {
            continue;
        }
        let mut params = question.params.clone();
        params.insert(param.clone(), value.clone());
        let other = judge(&recall, question, &params, path);
        let agree =
            other.verdict == verdict.verdict || other.verdict.is_unbarred() && verdict.verdict.is_unbarred();
        if !agree {
            return Ok(torn(verdict, &other, param));
        }
    }
    Ok(verdict)
}

/// Two readings of the clock disagree.
fn torn(mut verdict: Verdict, other: &Verdict, param: &str) -> Verdict {
    let reason = format!(
        "{param} decides: {} gives {}, {} gives {}",
        verdict.clocks.trigger_path,
        verdict.verdict.as_str(),
        other.clocks.trigger_path,
        other.verdict.as_str(),
    );
    verdict.because.insert(
        0,
        Because {
            rule: String::new(),
            test: format!("param.{param}"),
            value: super::truth::Truth::Unknown,
            nodes: Vec::new(),
            more_nodes: 0,
            share: None,
            reason: Some(reason),
        },
    );
    verdict.params.extend(
        other
            .params
            .iter()
            .map(|(name, value)| (name.clone(), value.clone())),
    );
    verdict.params.insert(param.to_owned(), "open".to_owned());
    verdict.missing.extend(other.missing.iter().cloned());
    verdict.missing.sort();
    verdict.missing.dedup();
    verdict.ask = together(std::mem::take(&mut verdict.ask), other.ask.clone());
    verdict.rests_on = merged(std::mem::take(&mut verdict.rests_on), other.rests_on.clone());
    verdict.verdict = Outcome::Indeterminate;
    verdict.basis = Basis::Rule;
    verdict.bases = Vec::new();
    verdict.expires = None;
    verdict
}

fn validate(question: &Question<'_>) -> Result<(), EvaluateError> {
    for (name, value) in question.params {
        let Some(param) = question.pack.params.get(name) else {
            return Err(EvaluateError::UnknownParam {
                pack: question.pack.name(),
                param: name.clone(),
            });
        };
        if !param.allowed.contains(value) {
            return Err(EvaluateError::ParamValue {
                param: name.clone(),
                got: value.clone(),
                allowed: param.allowed.clone(),
            });
        }
    }
    Ok(())
}

/// The verdict under one reading of the clock.
fn judge(
    recall: &Recall<'_>,
    question: &Question<'_>,
    params: &BTreeMap<String, String>,
    trigger_path: &str,
) -> Verdict {
    let clocks = Clocks {
        trigger: question.context.date(trigger_path),
        trigger_path: trigger_path.to_owned(),
        evaluation: question.evaluation,
    };
    let pack = question.pack;
    let mut record = Record::default();
    let judging = Judging {
        recall,
        question,
        params,
        clocks: &clocks,
        memos: RefCell::default(),
    };
    let waivers = judging.waivers();
    if let Trigger::ByParam { param, .. } = &pack.trigger {
        let default = pack.params.get(param).map(|param| param.default.clone());
        record.params.insert(
            param.clone(),
            params.get(param).cloned().or(default).unwrap_or_default(),
        );
    }

    let plain = judging.ground(&mut record, &waivers, |_| (Assurance::Reported, false));
    let mut settled = settle(&plain, &record, None);
    let mut because = judging.explain(&mut record, &settled);
    let by_facts = settled
        .bases
        .iter()
        .any(|basis| matches!(basis, Basis::Rule | Basis::Exception));
    match settled.outcome {
        Outcome::Compliant if by_facts => {
            let floored = judging.ground(&mut record, &waivers, |rule| (rule.min_assurance, false));
            let needs = pack.rules.iter().map(|rule| rule.min_assurance).max();
            let mut again = settle(&floored, &record, needs);
            let mut note = assurance_note(needs.unwrap_or(Assurance::Reported));
            if again.outcome.is_unbarred() {
                let doubted = judging.ground(&mut record, &waivers, |rule| (rule.min_assurance, true));
                again = settle(&doubted, &record, None);
                note = contradiction_note(&again.missing);
            }
            if !again.outcome.is_unbarred() {
                because.push(note);
                settled = Settled {
                    outcome: Outcome::Indeterminate,
                    bases: settled.bases,
                    missing: again.missing,
                };
            }
        }
        Outcome::NonCompliant => {
            let owned = judging.ground(&mut record, &waivers, |_| (Assurance::Asserted, false));
            let again = settle(&owned, &record, Some(Assurance::Asserted));
            if again.outcome != Outcome::NonCompliant {
                because.push(Because {
                    reason: Some("it rests on what others reported alone".to_owned()),
                    ..assurance_note(Assurance::Asserted)
                });
                settled = Settled {
                    outcome: Outcome::Indeterminate,
                    bases: BTreeSet::from([Basis::Rule]),
                    missing: again.missing,
                };
            }
        }
        Outcome::NotApplicable | Outcome::NotYetEffective | Outcome::Compliant | Outcome::Indeterminate => {}
    }
    let rests_on = judging.grounded((Assurance::Reported, false), &mut record, |grounder| {
        rests_on(grounder, &settled, params)
    });
    judging.verdict(record, settled, because, waivers, rests_on)
}

fn assurance_note(needs: Assurance) -> Because {
    Because {
        reason: Some(format!(
            "it does not stand on facts that are at least {}",
            needs.as_str()
        )),
        ..row("", "min_assurance", Truth::Unknown)
    }
}

/// Why what would be compliant as stated is not.
fn contradiction_note(missing: &[Missing]) -> Because {
    let kinds: BTreeSet<&str> = missing
        .iter()
        .filter_map(|missing| contradiction_at(&missing.path))
        .collect();
    let kinds: Vec<String> = kinds.into_iter().map(in_words).collect();
    Because {
        reason: Some(format!(
            "as stated it would be compliant, but statements about how it was made contradict each other: {}",
            kinds.join(", ")
        )),
        ..row("", "contradictions", Truth::Unknown)
    }
}

/// One reading of one question.
struct Judging<'a> {
    recall: &'a Recall<'a>,
    question: &'a Question<'a>,
    params: &'a BTreeMap<String, String>,
    clocks: &'a Clocks,
    memos: RefCell<BTreeMap<Strictness, Memo>>,
}

impl Judging<'_> {
    /// Does something with a grounder that remembers what others found as strictly.
    fn grounded<T>(
        &self,
        strictness: Strictness,
        record: &mut Record,
        work: impl FnOnce(&mut Grounder<'_>) -> T,
    ) -> T {
        let question = self.question;
        let memo = self.memos.borrow_mut().remove(&strictness).unwrap_or_default();
        let mut grounder = Grounder::new(
            question.pack,
            self.recall,
            question.context,
            self.params,
            self.clocks,
            question.lot,
            strictness,
            memo,
            record,
        );
        let done = work(&mut grounder);
        self.memos.borrow_mut().insert(strictness, grounder.memo);
        done
    }

    fn ground(
        &self,
        record: &mut Record,
        waivers: &[WaiverUsed],
        strictness: impl Fn(&Rule) -> Strictness,
    ) -> Vec<GroundedRule> {
        self.question
            .pack
            .rules
            .iter()
            .map(|rule| {
                self.grounded(strictness(rule), record, |grounder| {
                    ground_rule(grounder, rule, waivers)
                })
            })
            .collect()
    }

    fn explain(&self, record: &mut Record, settled: &Settled) -> Vec<Because> {
        self.grounded((Assurance::Reported, false), record, |grounder| {
            explain(grounder, settled)
        })
    }

    /// Waivers of the kinds that the pack knows, and what each is worth at the trigger.
    fn waivers(&self) -> Vec<WaiverUsed> {
        let granted = self.recall.view.waivers(self.question.lot);
        let mut used = Vec::new();
        for (name, definition) in &self.question.pack.waivers {
            for waiver in granted.iter().filter(|waiver| waiver.kind == definition.kind) {
                let last = last_day(waiver, definition);
                used.push(WaiverUsed {
                    waiver: waiver.waiver.clone(),
                    definition: name.clone(),
                    state: self.state(waiver, definition, last),
                    valid_from: waiver.valid_from.to_string(),
                    valid_to: last.map(|date| date.to_string()),
                });
            }
        }
        used.sort_by(|a, b| (&a.definition, &a.waiver).cmp(&(&b.definition, &b.waiver)));
        used
    }

    fn state(&self, waiver: &WaiverFacts, definition: &Waiver, last: Option<Date>) -> &'static str {
        if !definition.grantors.is_empty() && !definition.grantors.contains(&waiver.grantor) {
            return "other_grantor";
        }
        if !definition
            .findings
            .iter()
            .all(|finding| waiver.findings.contains(finding))
        {
            return "findings_missing";
        }
        let Some(trigger) = self.clocks.trigger else {
            return "no_trigger";
        };
        if trigger < waiver.valid_from {
            return "not_yet";
        }
        if last.is_some_and(|last| trigger > last) {
            "expired"
        } else {
            "in_force"
        }
    }

    fn verdict(
        &self,
        record: Record,
        settled: Settled,
        because: Vec<Because>,
        waivers: Vec<WaiverUsed>,
        rests_on: Vec<RestsOn>,
    ) -> Verdict {
        let pack = self.question.pack;
        let basis = settled.bases.first().copied().unwrap_or(Basis::Rule);
        let expires = (settled.outcome == Outcome::Compliant && settled.bases.contains(&Basis::Waiver))
            .then(|| {
                let in_force = waivers.iter().filter(|waiver| waiver.state == "in_force");
                in_force.filter_map(|waiver| waiver.valid_to.clone()).max()
            })
            .flatten();
        Verdict {
            lot: self.question.lot.to_owned(),
            pack: pack.name(),
            pack_sha256: pack.sha256.clone(),
            verdict: settled.outcome,
            basis,
            bases: if settled.bases.len() > 1 {
                settled.bases.into_iter().collect()
            } else {
                Vec::new()
            },
            clocks: ClocksUsed {
                trigger: self.clocks.trigger.map(|date| date.to_string()),
                trigger_path: format!("context.{}", self.clocks.trigger_path),
                evaluation: self.clocks.evaluation.to_string(),
            },
            ledger_position: self.recall.view.position(),
            ledger_purpose: self.recall.view.purpose(),
            fixture: record.editions.values().any(|edition| edition.fixture),
            text_verified: pack.text_verified,
            unverified: pack.unverified.clone(),
            params: record.params,
            because,
            ask: asks(
                self.recall,
                self.clocks.trigger,
                self.clocks.trigger.unwrap_or(self.clocks.evaluation),
                &settled.missing,
            ),
            missing: settled.missing,
            rests_on,
            editions: record
                .editions
                .into_iter()
                .map(|((list, edition), seen)| EditionUsed {
                    list,
                    edition,
                    effective_from: seen.effective_from.to_string(),
                    complete: seen.complete,
                    fixture: seen.fixture,
                    later_withdrawn: seen.later_withdrawn,
                    projected: seen.projected,
                })
                .collect(),
            evidence: record.evidence.into_iter().collect(),
            waivers,
            expires,
        }
    }
}

/// The last day on which a waiver counts: its own, or the day before the anniversary that the pack allows.
fn last_day(waiver: &WaiverFacts, definition: &Waiver) -> Option<Date> {
    let bound = definition.years_max.and_then(|years| {
        let year = waiver.valid_from.year() + years;
        // The anniversary of 29 February in a common year is 1 March.
        let anniversary = waiver
            .valid_from
            .replace_year(year)
            .or_else(|_| Date::from_calendar_date(year, time::Month::March, 1))
            .ok()?;
        anniversary.checked_sub(Duration::DAY)
    });
    match (waiver.valid_to, bound) {
        (Some(own), Some(bound)) => Some(own.min(bound)),
        (own, bound) => own.or(bound),
    }
}

fn ground_rule(grounder: &mut Grounder<'_>, rule: &Rule, waivers: &[WaiverUsed]) -> GroundedRule {
    let mut exprs = |names: &[String]| {
        let parts: Vec<F> = names.iter().map(|name| grounder.expr(name, None)).collect();
        any(parts)
    };
    let excluded = exprs(&rule.exclusions);
    let excepted = exprs(&rule.exceptions);
    let downgrades: Vec<String> = rule
        .downgrades
        .iter()
        .map(|downgrade| downgrade.condition.clone())
        .collect();
    let downgraded = exprs(&downgrades);
    let tested = grounder.expr(rule.test.expr(), None);
    let passed = match rule.test {
        RuleTest::FailsIf(_) => not(&tested),
        RuleTest::PassesIf(_) => tested,
    };
    let of_rule = waivers
        .iter()
        .filter(|waiver| rule.waivers.contains(&waiver.definition));
    let states: Vec<&str> = of_rule.map(|waiver| waiver.state).collect();
    let waived = if states.contains(&"in_force") {
        known(true)
    } else if states.contains(&"no_trigger") {
        let trigger = FactRef::context(grounder.clocks.trigger_path.clone());
        grounder.ask(&format!("rule.{}.waivers", rule.id), trigger)
    } else {
        known(false)
    };
    GroundedRule {
        applies: all([of_subject_kind(grounder), grounder.expr(&rule.applies, None)]),
        effective: effective(grounder, rule),
        excluded,
        passed,
        excepted,
        waived,
        downgraded,
    }
}

/// Whether the lot is of a kind that the pack judges.
fn of_subject_kind(grounder: &mut Grounder<'_>) -> F {
    let (pack, subject) = (grounder.pack, grounder.subject);
    if pack.subject_kinds.iter().any(|kind| kind == "*") {
        return known(true);
    }
    // At any assurance: a lot is not out of the rule's reach because its maker did not certify its kind.
    let facts = grounder.lot(subject);
    match &facts.kind {
        Some(kind) if grounder.may_be(subject, &kind.value) => {
            known(pack.subject_kinds.contains(&kind.value))
        }
        Some(_) | None => grounder.ask("pack.subject_kinds", FactRef::lot(subject, "kind")),
    }
}

fn effective(grounder: &mut Grounder<'_>, rule: &Rule) -> F {
    let needed_by = format!("rule.{}.effective", rule.id);
    let trigger_path = grounder.clocks.trigger_path.clone();
    match &rule.effective {
        Effective::Table(name) => {
            let table = &grounder.pack.tables[name];
            let from = grounder.row(table).and_then(|index| table.rows[index].from_date);
            match (from, grounder.clocks.trigger) {
                (Some(from), Some(trigger)) => known(trigger >= from),
                (None, _) => {
                    let path = table
                        .key
                        .strip_prefix("context.")
                        .unwrap_or(&table.key)
                        .to_owned();
                    grounder.ask(&needed_by, FactRef::context(path))
                }
                (_, None) => grounder.ask(&needed_by, FactRef::context(trigger_path)),
            }
        }
        Effective::Spans(spans) => {
            let mut parts = Vec::new();
            for span in spans {
                let path = span.path.clone().unwrap_or_else(|| trigger_path.clone());
                parts.push(match grounder.context.date(&path) {
                    Some(date) => known(
                        span.from.is_none_or(|from| date >= from) && span.to.is_none_or(|to| date <= to),
                    ),
                    None => grounder.ask(&needed_by, FactRef::context(path)),
                });
            }
            any(parts)
        }
    }
}

/// Facts missing for a verdict, as one line each for a person.
pub fn questionnaire(missing: &[Missing]) -> Vec<String> {
    missing
        .iter()
        .map(|fact| format!("{}: {}", fact.subject, fact.path))
        .collect()
}

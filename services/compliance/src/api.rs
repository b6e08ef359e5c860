//! Questions to replies: pure functions of the state at one verified head, the packs and a date.

use std::collections::{BTreeMap, BTreeSet};

use lotproof::{
    identifier,
    policy::{Context, ContextError, EvaluateError, Pack, Question, evaluate, view::Purpose},
    projector::Projector,
    provenance::{Anomaly, Bounds, LineageRow, Projection},
    time::{EventTime, parse_rfc3339},
    wire::v1,
};
use serde::Serialize;
use time::{Date, macros::format_description};

use crate::{
    cut::Cuts,
    filed::SaidOfItself,
    live::{Completed, Derived},
    openings::Openings,
    page::{FactCursor, Page, limit_fits, page_of_facts},
    problem::{Problem, ProblemCode},
    reply::{
        AnomaliesReply, AnomalyRow, Digests, DigestsReply, LotReply, OpeningsReply, PackVerdict, PackView,
        PacksReply, ParamView, Position, Preamble, ProvenanceReply, QuestionAsked, Searched, VerdictsReply,
    },
    request::{
        AnomaliesRequest, DEPTH_MAX, LotRequest, NODES_MAX, OpeningsRequest, ProvenanceRequest, Request,
        VerdictsRequest,
    },
    rules::{BrokenPack, Rules},
};

/// Most contradictions of the lineage listed beside verdicts.
const ANOMALIES_BESIDE_VERDICTS: usize = 100;

/// Answers one question with the bytes of its JSON reply: the same bytes for the same state, question and
/// date, whichever way it came.
///
/// # Errors
/// [`Problem`]: the question is wrong, or about something that is not there.
pub(crate) fn answer(
    completed: &Completed<'_>,
    rules: &Rules,
    request: &Request,
    today: Date,
) -> Result<Vec<u8>, Problem> {
    let asked = Asked {
        completed,
        rules,
        preamble: preamble(completed)?,
    };
    match request {
        Request::Lot(request) => json(&asked.lot(request)?),
        Request::Provenance(request) => json(&asked.provenance(request)?),
        Request::Verdicts(request) => json(&asked.verdicts(request, today)?),
        Request::Anomalies(request) => json(&asked.anomalies(request)?),
        Request::Digests(_) => json(&asked.digests()),
        Request::Packs(_) => json(&asked.packs()),
        Request::Openings(request) => json(&asked.openings(request)?),
    }
}

fn json(reply: &impl Serialize) -> Result<Vec<u8>, Problem> {
    serde_json::to_vec(reply).map_err(|error| Problem::new(ProblemCode::Internal, error.to_string()))
}

fn preamble(completed: &Completed<'_>) -> Result<Preamble, Problem> {
    let state = completed.projector.state();
    let state =
        state.ok_or_else(|| Problem::new(ProblemCode::NotReady, "the log has no entry that was verified"))?;
    let purpose = match state.register().purpose() {
        v1::Purpose::Demo => Purpose::Demo,
        v1::Purpose::Test => Purpose::Test,
        v1::Purpose::Sandbox => Purpose::Sandbox,
        // No genesis is without a purpose.
        v1::Purpose::Production | v1::Purpose::Unspecified => Purpose::Production,
    };
    Ok(Preamble {
        position: Position {
            log_id: state.log_id(),
            size: completed.head.size,
            root: completed.head.root,
        },
        ledger_purpose: purpose,
        fixture: purpose != Purpose::Production,
        openings: completed.openings.matched(),
        proven_by: completed.proven_by,
        lag_entries: completed.lag_entries,
        alarm: completed.alarm,
    })
}

/// A lot's normal identifier.
fn normal(lot: &str) -> Result<String, Problem> {
    identifier::normalise(lot)
        .map_err(|error| Problem::new(ProblemCode::InvalidIdentifier, error.to_string()).about(["lot"]))
}

fn unknown_lot(lot: &str) -> Problem {
    Problem::new(
        ProblemCode::UnknownLot,
        format!("the log has no event about {lot} up to this position"),
    )
}

fn beyond(field: &str, got: impl std::fmt::Display, max: impl std::fmt::Display) -> Problem {
    let message = format!("{field} is {got}, at most {max} is accepted");
    Problem::new(ProblemCode::InvalidParameter, message).about([field])
}

/// One question being answered.
struct Asked<'a> {
    completed: &'a Completed<'a>,
    rules: &'a Rules,
    preamble: Preamble,
}

impl Asked<'_> {
    fn projection(&self) -> &Projection {
        self.completed.projector.projection()
    }

    fn lot(&self, request: &LotRequest) -> Result<LotReply, Problem> {
        let lot = normal(&request.lot)?;
        let cursor = request.after.as_deref().map(FactCursor::parse).transpose()?;
        limit_fits(request.limit)?;
        let mut summary = self.projection().lot(&lot).ok_or_else(|| unknown_lot(&lot))?;
        let facts_total = summary.facts.len();
        let (facts_next, facts_left_out) = page_of_facts(&mut summary.facts, cursor, request.limit);
        let anomalies = Page::of(
            std::mem::take(&mut summary.anomalies).into_iter(),
            0,
            request.limit,
        );
        let custody = self.projection().custody(&lot).unwrap_or_default();
        let custody = Page::of(custody.into_iter(), request.custody_offset, request.limit);
        let lineage = self.projection().lineage(&lot, request.limit);
        let lineage = lineage.ok_or_else(|| unknown_lot(&lot))?;
        let limit = request.limit;
        let cuts = Cuts::default()
            .page("facts", limit, (summary.facts.len(), facts_left_out), "after")
            .page(
                "anomalies",
                limit,
                anomalies.given_and_left_out(),
                "/v1/anomalies?lot=",
            )
            .page("custody", limit, custody.given_and_left_out(), "custody_offset")
            .lineage(&lineage, limit)
            .of_summary(&summary);
        summary.anomalies = anomalies.rows;
        Ok(LotReply {
            preamble: self.preamble,
            lot: summary,
            facts_total,
            facts_next,
            anomalies_total: anomalies.total,
            lineage,
            custody_total: custody.total,
            custody_next_offset: custody.next_offset,
            custody: custody.rows,
            cuts,
        })
    }

    fn provenance(&self, request: &ProvenanceRequest) -> Result<ProvenanceReply, Problem> {
        if request.depth > DEPTH_MAX {
            return Err(beyond("depth", request.depth, DEPTH_MAX));
        }
        if request.nodes > NODES_MAX {
            return Err(beyond("nodes", request.nodes, NODES_MAX));
        }
        let composed_at = match &request.at {
            None => None,
            Some(at) => {
                let (nanos, _) = parse_rfc3339(at).ok_or_else(|| {
                    let message = format!("at is {at}, expected a time as 2027-11-01T00:00:00Z");
                    Problem::new(ProblemCode::InvalidParameter, message).about(["at"])
                })?;
                Some(EventTime::from_nanos(nanos))
            }
        };
        let bounds = Bounds {
            depth_max: request.depth,
            nodes_max: request.nodes,
            composed_at,
        };
        let lot = normal(&request.lot)?;
        let walk = self
            .projection()
            .provenance(&lot, request.direction.into(), bounds);
        let provenance = walk.ok_or_else(|| unknown_lot(&lot))?;
        Ok(ProvenanceReply {
            preamble: self.preamble,
            cuts: Cuts::of_walk(&provenance, &bounds),
            provenance,
        })
    }

    fn verdicts(&self, request: &VerdictsRequest, today: Date) -> Result<VerdictsReply, Problem> {
        let lot = normal(&request.lot)?;
        let packs: Vec<&Pack> = match &request.pack {
            None => self.rules.packs().collect(),
            Some(name) => vec![self.rules.pack(name).ok_or_else(|| self.no_pack(name))?],
        };
        let named = request
            .pack
            .as_ref()
            .and_then(|_| packs.first())
            .map(|pack| pack.name());
        let context = Context::from_fields(&request.context).map_err(|error| bad_context(&error))?;
        let mut missing = BTreeSet::new();
        let mut not_stated = Vec::new();
        for pack in &packs {
            let open = context.missing(pack);
            let required = pack.required_context_fields();
            missing.extend(open.iter().filter(|field| required.contains(*field)).cloned());
            not_stated.push(open);
        }
        if !missing.is_empty() {
            let message = "a verdict needs to know who buys and when: state these fields of the context, \
                           or null where there is none";
            return Err(Problem::new(ProblemCode::ContextMissing, message).about(missing));
        }
        let evaluation = match &request.evaluation {
            None => today,
            Some(date) => Date::parse(date, format_description!("[year]-[month]-[day]")).map_err(|_| {
                let message = format!("evaluation is {date}, expected a date as 2027-11-01");
                Problem::new(ProblemCode::InvalidParameter, message).about(["evaluation"])
            })?,
        };
        let lineage = self.projection().lineage(&lot, ANOMALIES_BESIDE_VERDICTS);
        let lineage = lineage.ok_or_else(|| unknown_lot(&lot))?;
        let view = self
            .projection()
            .view(self.completed.head.size, self.preamble.ledger_purpose);
        let mut preamble = self.preamble;
        let mut verdicts = Vec::new();
        for (pack, context_not_stated) in packs.into_iter().zip(not_stated) {
            let question = Question {
                lot: &lot,
                pack,
                context: &context,
                params: &request.params,
                evaluation,
            };
            let verdict = evaluate(&view, &question).map_err(|error| not_evaluated(&error))?;
            preamble.fixture |= verdict.fixture;
            verdicts.push(PackVerdict {
                context_not_stated,
                verdict,
            });
        }
        Ok(VerdictsReply {
            preamble,
            question: QuestionAsked {
                lot: lot.clone(),
                pack: named,
                context: context.to_fields(),
                params: request.params.clone(),
                evaluation: evaluation.to_string(),
            },
            lot,
            verdicts,
            not_loaded: match &request.pack {
                None => self.rules.broken().to_vec(),
                Some(_) => Vec::new(),
            },
            cuts: Cuts::default().lineage(&lineage, ANOMALIES_BESIDE_VERDICTS),
            lineage,
        })
    }

    fn no_pack(&self, name: &str) -> Problem {
        match self.rules.broken_pack(name) {
            None => {
                Problem::new(ProblemCode::UnknownPack, format!("no rule pack {name} here")).about(["pack"])
            }
            Some(broken) => {
                let message = format!("the rule pack {name} does not load here: {}", said(broken));
                Problem::new(ProblemCode::PackNotLoaded, message).about(["pack"])
            }
        }
    }

    fn anomalies(&self, request: &AnomaliesRequest) -> Result<AnomaliesReply, Problem> {
        limit_fits(request.limit)?;
        let fits = |asked: &Option<String>, has: &str| asked.as_ref().is_none_or(|asked| asked == has);
        let wanted = |found: &Anomaly| {
            fits(&request.kind, found.kind.as_str()) && fits(&request.signer, &found.signer)
        };
        let mut kinds = BTreeMap::new();
        let mut count = |found: &Anomaly| *kinds.entry(found.kind).or_insert(0) += 1;
        let (searched, page, cuts) = if let Some(lot) = &request.lot {
            let lot = normal(lot)?;
            let lineage = self.projection().lineage(&lot, usize::MAX);
            let lineage = lineage.ok_or_else(|| unknown_lot(&lot))?;
            let cuts = Cuts::default().behind(&lineage);
            let rows = lineage.nearest.into_iter().filter(|row| wanted(&row.anomaly));
            let rows = rows
                .inspect(|row| count(&row.anomaly))
                .map(|row: LineageRow| AnomalyRow {
                    depth: Some(row.depth),
                    anomaly: row.anomaly,
                });
            let page = Page::of(rows, request.offset, request.limit);
            (Searched::Lineage, page, cuts)
        } else {
            let derived = &self.completed.derived.anomalies;
            let all = derived.get_or_init(|| self.projection().anomalies());
            let found = all.iter().filter(|found| wanted(found));
            let page = Page::of(found.inspect(|found| count(found)), request.offset, request.limit);
            let page = page.map(|anomaly| AnomalyRow {
                depth: None,
                anomaly: anomaly.clone(),
            });
            (Searched::WholeLog, page, Cuts::default())
        };
        Ok(AnomaliesReply {
            preamble: self.preamble,
            searched,
            total: page.total,
            kinds,
            offset: request.offset,
            next_offset: page.next_offset,
            cuts: cuts.page("anomalies", request.limit, page.given_and_left_out(), "offset"),
            anomalies: page.rows,
        })
    }

    fn openings(&self, request: &OpeningsRequest) -> Result<OpeningsReply, Problem> {
        limit_fits(request.limit)?;
        let openings = self.completed.openings;
        let page = Page::of(openings.each_unmatched(), request.offset, request.limit);
        let limit = request.limit;
        Ok(OpeningsReply {
            preamble: self.preamble,
            matched: openings.matched(),
            unmatched_total: page.total,
            next_offset: page.next_offset,
            cuts: Cuts::default().page("unmatched", limit, page.given_and_left_out(), "offset"),
            unmatched: page.rows,
        })
    }

    fn digests(&self) -> DigestsReply {
        let projection = self.projection();
        let compute = || Digests {
            state_digest: projection.state_digest(),
            fact_digest: projection.fact_digest(),
            events: projection.applied(),
            facts: projection.facts(),
        };
        DigestsReply {
            preamble: self.preamble,
            digests: *self.completed.derived.digests.get_or_init(compute),
        }
    }

    fn packs(&self) -> PacksReply {
        let view = |pack: &Pack| PackView {
            pack: pack.name(),
            title: pack.title.clone(),
            citation: pack.citation.clone(),
            status: pack.status.clone(),
            sha256: pack.sha256.clone(),
            text_verified: pack.text_verified,
            subject_kinds: pack.subject_kinds.clone(),
            context_required: pack.required_context_fields().into_iter().collect(),
            context_fields: pack.context_fields().into_iter().collect(),
            params: pack
                .params()
                .map(|(name, param)| ParamView {
                    name: name.to_owned(),
                    default: param.default.clone(),
                    allowed: param.allowed.clone(),
                    why: param.why.clone(),
                })
                .collect(),
            lists: pack.lists().map(|(list, _)| list.to_owned()).collect(),
        };
        PacksReply {
            preamble: self.preamble,
            packs: self.rules.packs().map(view).collect(),
            not_loaded: self.rules.broken().to_vec(),
        }
    }
}

/// What is wrong with a pack, in one line.
fn said(broken: &BrokenPack) -> String {
    let faults = broken.faults.iter().map(|fault| {
        let line = fault.line.map(|line| format!(":{line}")).unwrap_or_default();
        format!("{}{line}: {}", fault.file, fault.message)
    });
    faults.collect::<Vec<_>>().join("; ")
}

fn not_evaluated(error: &EvaluateError) -> Problem {
    match error {
        EvaluateError::UnknownParam { param, .. } | EvaluateError::ParamValue { param, .. } => {
            let field = format!("params.{param}");
            Problem::new(ProblemCode::InvalidParameter, error.to_string()).about([field])
        }
    }
}

/// The reply of a position that was not followed but read: from a copy of a log, by somebody who trusts no projector.
pub(crate) fn answer_at(
    projector: &Projector,
    openings: &Openings,
    rules: &Rules,
    said: SaidOfItself,
    request: &VerdictsRequest,
    today: Date,
) -> Result<Vec<u8>, Problem> {
    let derived = Derived::default();
    let completed = Completed {
        projector,
        head: projector.head(),
        proven_by: said.proven_by,
        lag_entries: said.lag_entries,
        openings,
        derived: &derived,
        alarm: said.alarm,
    };
    let request = Request::Verdicts(request.clone());
    answer(&completed, rules, &request, today)
}

fn bad_context(error: &ContextError) -> Problem {
    let fields: Vec<String> = match error {
        ContextError::Refused(faults) => faults.iter().map(|fault| fault.path.clone()).collect(),
        ContextError::TooLong { .. } | ContextError::NotAnObject(_) => Vec::new(),
    };
    Problem::new(ProblemCode::InvalidContext, error.to_string()).about(fields)
}

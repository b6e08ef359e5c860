//! Questions to replies: pure functions of the state at one verified head, the packs and a date.

use std::collections::BTreeSet;

use lotproof::{
    identifier,
    policy::{Context, ContextError, EvaluateError, Pack, Question, evaluate, view::Purpose},
    provenance::{Bounds, Direction, Projection},
    time::{EventTime, parse_rfc3339},
    wire::v1,
};
use serde::Serialize;
use time::{Date, macros::format_description};

pub(crate) use crate::reply::Digests;
use crate::{
    problem::{Problem, ProblemCode},
    reply::{
        AnomaliesReply, DigestsReply, LotReply, OpeningsReply, PackVerdict, PackView, PacksReply, ParamView,
        Position, ProvenanceReply, Standing, VerdictsReply,
    },
    request::{
        AnomaliesRequest, DEPTH_MAX, LIMIT_MAX, LotRequest, NODES_MAX, ProvenanceRequest, Request,
        VerdictsRequest,
    },
    rules::Rules,
    shared::Shown,
};

/// Answers one question with the bytes of its JSON reply: the same bytes for the same state, question and
/// date, whichever way it came.
///
/// # Errors
/// [`Problem`]: the question is wrong, or about something that is not there.
pub(crate) fn answer(
    shown: &Shown<'_>,
    rules: &Rules,
    request: &Request,
    today: Date,
) -> Result<Vec<u8>, Problem> {
    let asked = Asked {
        shown,
        rules,
        standing: standing(shown)?,
    };
    match request {
        Request::Lot(request) => json(&asked.lot(request)?),
        Request::Provenance(request) => json(&asked.provenance(request)?),
        Request::Verdicts(request) => json(&asked.verdicts(request, today)?),
        Request::Anomalies(request) => json(&asked.anomalies(request)?),
        Request::Digests(_) => json(&asked.digests()),
        Request::Packs(_) => json(&asked.packs()),
        Request::Openings(_) => json(&OpeningsReply {
            standing: asked.standing,
            report: shown.openings.report(),
        }),
    }
}

fn json(reply: &impl Serialize) -> Result<Vec<u8>, Problem> {
    serde_json::to_vec(reply).map_err(|error| Problem::new(ProblemCode::Internal, error.to_string()))
}

fn standing(shown: &Shown<'_>) -> Result<Standing, Problem> {
    let state = shown.projector.state();
    let state =
        state.ok_or_else(|| Problem::new(ProblemCode::NotReady, "the log has no entry that was verified"))?;
    let purpose = match state.register().purpose() {
        v1::Purpose::Demo => Purpose::Demo,
        v1::Purpose::Test => Purpose::Test,
        v1::Purpose::Sandbox => Purpose::Sandbox,
        // No genesis is without a purpose.
        v1::Purpose::Production | v1::Purpose::Unspecified => Purpose::Production,
    };
    Ok(Standing {
        position: Position {
            log_id: state.log_id(),
            size: shown.head.size,
            root: shown.head.root,
        },
        ledger_purpose: purpose,
        fixture: purpose != Purpose::Production,
        openings: shown.openings.matched(),
        alarm: shown.alarm,
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
    shown: &'a Shown<'a>,
    rules: &'a Rules,
    standing: Standing,
}

impl Asked<'_> {
    fn projection(&self) -> &Projection {
        self.shown.projector.projection()
    }

    fn lot(&self, request: &LotRequest) -> Result<LotReply, Problem> {
        let lot = normal(&request.lot)?;
        let summary = self.projection().lot(&lot).ok_or_else(|| unknown_lot(&lot))?;
        Ok(LotReply {
            standing: self.standing,
            lot: summary,
            custody: self.projection().custody(&lot).unwrap_or_default(),
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
        Ok(ProvenanceReply {
            standing: self.standing,
            provenance: walk.ok_or_else(|| unknown_lot(&lot))?,
        })
    }

    fn verdicts(&self, request: &VerdictsRequest, today: Date) -> Result<VerdictsReply, Problem> {
        let lot = normal(&request.lot)?;
        let packs: Vec<&Pack> = match &request.pack {
            None => self.rules.packs().collect(),
            Some(name) => vec![self.rules.pack(name).ok_or_else(|| {
                Problem::new(ProblemCode::UnknownPack, format!("no rule pack {name} here")).about(["pack"])
            })?],
        };
        let context = Context::from_fields(request.context.clone());
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
        let only_it = Bounds {
            nodes_max: 1,
            ..Bounds::default()
        };
        let known = self.projection().provenance(&lot, Direction::Up, only_it);
        if known.is_none() {
            return Err(unknown_lot(&lot));
        }
        let view = self
            .projection()
            .view(self.shown.head.size, self.standing.ledger_purpose);
        let mut standing = self.standing;
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
            standing.fixture |= verdict.fixture;
            verdicts.push(PackVerdict {
                context_not_stated,
                verdict,
            });
        }
        Ok(VerdictsReply {
            standing,
            lot,
            verdicts,
        })
    }

    fn anomalies(&self, request: &AnomaliesRequest) -> Result<AnomaliesReply, Problem> {
        if request.limit == 0 || request.limit > LIMIT_MAX {
            let message = format!("limit is {}, 1 to {LIMIT_MAX} are accepted", request.limit);
            return Err(Problem::new(ProblemCode::InvalidParameter, message).about(["limit"]));
        }
        let of_lot;
        let all = if let Some(lot) = &request.lot {
            of_lot = self.projection().anomalies_of(&normal(lot)?);
            &of_lot
        } else {
            let derived = &self.shown.derived.anomalies;
            derived.get_or_init(|| self.projection().anomalies())
        };
        let fits = |asked: &Option<String>, has: &str| asked.as_ref().is_none_or(|asked| asked == has);
        let wanted: Vec<_> = all
            .iter()
            .filter(|found| fits(&request.kind, found.kind.as_str()) && fits(&request.signer, &found.signer))
            .collect();
        let page = wanted.iter().skip(request.offset).take(request.limit);
        let anomalies: Vec<_> = page.map(|found| (*found).clone()).collect();
        let end = request.offset.saturating_add(anomalies.len());
        Ok(AnomaliesReply {
            standing: self.standing,
            total: wanted.len(),
            offset: request.offset,
            next_offset: (end < wanted.len()).then_some(end),
            anomalies,
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
            standing: self.standing,
            digests: *self.shown.derived.digests.get_or_init(compute),
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
            standing: self.standing,
            packs: self.rules.packs().map(view).collect(),
        }
    }
}

fn not_evaluated(error: &EvaluateError) -> Problem {
    match error {
        EvaluateError::UnknownParam { param, .. } | EvaluateError::ParamValue { param, .. } => {
            let field = format!("params.{param}");
            Problem::new(ProblemCode::InvalidParameter, error.to_string()).about([field])
        }
        EvaluateError::Context(ContextError::NotADate { path }) => {
            Problem::new(ProblemCode::InvalidContext, error.to_string()).about([path.as_str()])
        }
        EvaluateError::Context(_) => Problem::new(ProblemCode::InvalidContext, error.to_string()),
    }
}

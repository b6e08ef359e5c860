//! Questions to replies: pure functions of the state at one verified head, the packs and a date.

use std::collections::BTreeSet;

use lotproof::{
    identifier,
    policy::{Context, ContextError, EvaluateError, Pack, Question, evaluate, view::Purpose},
    provenance::{Bounds, Direction, FactView, Projection},
    time::{EventTime, parse_rfc3339},
    wire::v1,
};
use serde::Serialize;
use time::{Date, macros::format_description};

use crate::{
    live::Completed,
    problem::{Problem, ProblemCode},
    reply::{
        AnomaliesReply, Digests, DigestsReply, LotReply, OpeningsReply, PackVerdict, PackView, PacksReply,
        ParamView, Position, Preamble, ProvenanceReply, VerdictsReply,
    },
    request::{
        AnomaliesRequest, DEPTH_MAX, LIMIT_MAX, LotRequest, NODES_MAX, ProvenanceRequest, Request,
        VerdictsRequest,
    },
    rules::Rules,
};

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
        Request::Openings(_) => json(&OpeningsReply {
            preamble: asked.preamble,
            report: completed.openings.report(),
        }),
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

fn limit_fits(limit: usize) -> Result<(), Problem> {
    if (1..=LIMIT_MAX).contains(&limit) {
        return Ok(());
    }
    let message = format!("limit is {limit}, 1 to {LIMIT_MAX} are accepted");
    Err(Problem::new(ProblemCode::InvalidParameter, message).about(["limit"]))
}

/// Where a fact stands among those of its lot: by event time, then by its place in the log, which is its alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct FactCursor {
    event_time: i64,
    leaf_index: u64,
    event_number: u32,
}

impl FactCursor {
    fn of(fact: &FactView) -> Self {
        Self {
            event_time: fact.event_time.as_nanos(),
            leaf_index: fact.leaf_index,
            event_number: fact.event_number,
        }
    }

    /// Reads what [`Display`](std::fmt::Display) writes.
    fn parse(text: &str) -> Result<Self, Problem> {
        let mut parts = text.split('_');
        let read = (|| {
            let cursor = Self {
                event_time: parts.next()?.parse().ok()?,
                leaf_index: parts.next()?.parse().ok()?,
                event_number: parts.next()?.parse().ok()?,
            };
            parts.next().is_none().then_some(cursor)
        })();
        read.ok_or_else(|| {
            let message = "after is not what `facts_next` of a page before said";
            Problem::new(ProblemCode::InvalidParameter, message).about(["after"])
        })
    }
}

impl std::fmt::Display for FactCursor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self {
            event_time,
            leaf_index,
            event_number,
        } = self;
        write!(f, "{event_time}_{leaf_index}_{event_number}")
    }
}

/// Leaves the page after `after` of a lot's facts. Returns what the next one is asked for with, if there is one.
fn page_of_facts(facts: &mut Vec<FactView>, after: Option<FactCursor>, limit: usize) -> Option<String> {
    facts.sort_by_key(FactCursor::of);
    if let Some(after) = after {
        facts.retain(|fact| FactCursor::of(fact) > after);
    }
    let is_more = facts.len() > limit;
    facts.truncate(limit);
    let last = facts.last().filter(|_| is_more)?;
    Some(FactCursor::of(last).to_string())
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
        let anomalies_total = summary.anomalies.len();
        summary.anomalies.truncate(request.limit);
        let facts_total = summary.facts.len();
        let facts_next = page_of_facts(&mut summary.facts, cursor, request.limit);
        let mut custody = self.projection().custody(&lot).unwrap_or_default();
        let custody_total = custody.len();
        custody.drain(..request.custody_offset.min(custody_total));
        custody.truncate(request.limit);
        let end = request.custody_offset.saturating_add(custody.len());
        Ok(LotReply {
            preamble: self.preamble,
            lot: summary,
            facts_total,
            facts_next,
            anomalies_total,
            custody,
            custody_total,
            custody_next_offset: (end < custody_total).then_some(end),
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
            preamble: self.preamble,
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
            lot,
            verdicts,
        })
    }

    fn anomalies(&self, request: &AnomaliesRequest) -> Result<AnomaliesReply, Problem> {
        limit_fits(request.limit)?;
        let of_lot;
        let all = if let Some(lot) = &request.lot {
            of_lot = self.projection().anomalies_of(&normal(lot)?);
            &of_lot
        } else {
            let derived = &self.completed.derived.anomalies;
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
            preamble: self.preamble,
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

#[cfg(test)]
mod tests {
    use lotproof::{provenance::FactKey, time::RecordedAt};

    use super::*;

    fn fact(event_time: i64, leaf_index: u64, event_number: u32) -> FactView {
        FactView {
            event: FactKey {
                issuer: "https://maker.example/".into(),
                event_id: format!("{leaf_index}-{event_number}"),
            },
            leaf_index,
            event_number,
            kind: "shipped",
            event_time: EventTime::from_nanos(event_time),
            recorded_at: RecordedAt::from_nanos(0),
            counts: true,
            standing: true,
            reported: false,
            tainted: false,
        }
    }

    #[test]
    fn pages_of_facts_hold_each_once_whatever_the_order_and_the_ties() {
        let facts = [(5, 2, 1), (-3, 9, 0), (5, 2, 0), (5, 1, 7), (8, 3, 3)];
        let facts: Vec<FactView> = facts.map(|(time, leaf, number)| fact(time, leaf, number)).into();
        for limit in 1..=6 {
            let (mut after, mut seen) = (None, Vec::new());
            loop {
                let mut page = facts.clone();
                let cursor = after.as_deref().map(|text| FactCursor::parse(text).unwrap());
                after = page_of_facts(&mut page, cursor, limit);
                assert!(page.len() <= limit);
                seen.extend(page.iter().map(|fact| fact.event.event_id.clone()));
                if after.is_none() {
                    break;
                }
            }
            assert_eq!(seen, ["9-0", "1-7", "2-0", "2-1", "3-3"], "pages of {limit}");
        }
    }

    #[test]
    fn a_fact_that_comes_late_disturbs_no_later_page() {
        let mut page = vec![fact(1, 1, 0), fact(2, 2, 0), fact(3, 3, 0)];
        let next = page_of_facts(&mut page, None, 2).unwrap();
        let mut page = vec![fact(1, 1, 0), fact(2, 2, 0), fact(3, 3, 0), fact(0, 4, 0)];
        page_of_facts(&mut page, Some(FactCursor::parse(&next).unwrap()), 2);
        assert_eq!(page, [fact(3, 3, 0)]);
    }

    #[test]
    fn what_is_no_cursor_is_refused() {
        for text in ["", "1", "1_2", "1_2_3_4", "a_2_3", "1_-2_3"] {
            assert_eq!(FactCursor::parse(text).unwrap_err().fields, ["after"], "{text}");
        }
    }
}

//! Where HTTP and NATS meet: a request becomes the bytes of a reply or a problem, counted either way.

use std::sync::Arc;

use bytes::Bytes;
use lotproof::{shell::http, time::utc_date};
use tokio::sync::Semaphore;

use crate::{
    api,
    live::{Cost, LiveLog},
    metrics::Metrics,
    problem::{Problem, ProblemCode},
    request::Request,
    rules::Rules,
};

/// Answers of limited cost computed at a time; more wait for their turn.
pub(crate) const ANSWERS_AT_ONCE: usize = 8;
/// Of those that cost as much as the whole log, beside them: they would wait for each other anyway.
pub(crate) const WHOLE_LOG_ANSWERS_AT_ONCE: usize = 1;

/// Answers questions; clones share everything.
#[derive(Clone)]
pub(crate) struct Answering {
    log: LiveLog,
    rules: Arc<Rules>,
    metrics: Metrics,
    turns: Arc<Semaphore>,
    whole_log_turns: Arc<Semaphore>,
}

/// JSON, and the status that says what kind.
#[derive(Clone, Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) body: Bytes,
    /// Of a problem.
    pub(crate) problem: Option<Problem>,
}

impl From<Problem> for Answer {
    fn from(problem: Problem) -> Self {
        Self {
            status: problem.code.status(),
            body: http::problem::body(problem.code.status(), &problem).into(),
            problem: Some(problem),
        }
    }
}

impl Answering {
    pub(crate) fn new(log: LiveLog, rules: Rules, metrics: Metrics) -> Self {
        Self {
            log,
            rules: Arc::new(rules),
            metrics,
            turns: Arc::new(Semaphore::new(ANSWERS_AT_ONCE)),
            whole_log_turns: Arc::new(Semaphore::new(WHOLE_LOG_ANSWERS_AT_ONCE)),
        }
    }

    pub(crate) const fn log(&self) -> &LiveLog {
        &self.log
    }

    pub(crate) const fn metrics(&self) -> &Metrics {
        &self.metrics
    }

    /// Answers a request that could be read, or says why it could not be. `way` is how it came, and
    /// `endpoint` what was addressed, for the metrics.
    pub(crate) async fn answer(
        &self,
        way: &'static str,
        endpoint: &'static str,
        request: Result<Request, Problem>,
    ) -> Answer {
        let answered = match request {
            Ok(request) => self.compute(request).await,
            Err(problem) => Err(problem),
        };
        let code = answered
            .as_ref()
            .map_or_else(|problem| problem.code.as_str(), |_| "ok");
        self.metrics.answered(way, endpoint, code);
        match answered {
            Ok(body) => Answer {
                status: 200,
                body: body.into(),
                problem: None,
            },
            Err(problem) => problem.into(),
        }
    }

    async fn compute(&self, request: Request) -> Result<Vec<u8>, Problem> {
        let internal = || Problem::new(ProblemCode::Internal, "the answer could not be computed");
        let cost = request.cost();
        let turns = match cost {
            Cost::Limited => self.turns.clone(),
            Cost::WholeLog => self.whole_log_turns.clone(),
        };
        let turn = turns.acquire_owned().await.map_err(|_| internal())?;
        let today = utc_date(now_nanos()).ok_or_else(internal)?;
        let (log, rules) = (self.log.clone(), self.rules.clone());
        let answered = tokio::task::spawn_blocking(move || {
            // Ends with the work, not with the patience of whoever asked.
            let _turn = turn;
            log.read(cost, |completed| api::answer(completed, &rules, &request, today))
        });
        match answered.await {
            Ok(Some(answer)) => answer,
            Ok(None) => Err(self.not_ready()),
            Err(error) => {
                tracing::error!(%error, "an answer could not be computed");
                Err(internal())
            }
        }
    }

    fn not_ready(&self) -> Problem {
        let why = self.log.health().why_not_ready();
        let why = why.unwrap_or_else(|| "catching up with the log".to_owned());
        Problem::new(ProblemCode::NotReady, why)
    }
}

/// Nanoseconds since the epoch.
#[expect(
    clippy::disallowed_methods,
    reason = "a verdict without a stated date is given as of today"
)]
fn now_nanos() -> i64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    since.map_or(0, |since| i64::try_from(since.as_nanos()).unwrap_or(i64::MAX))
}

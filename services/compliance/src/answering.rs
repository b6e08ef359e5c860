//! Where HTTP and NATS meet: a request becomes the bytes of a reply or a problem, counted either way.

use std::sync::Arc;

use bytes::Bytes;
use lotproof::time::utc_date;
use tokio::sync::Semaphore;

use crate::{
    api,
    metrics::Metrics,
    problem::{Problem, ProblemCode},
    request::Request,
    rules::Rules,
    shared::Shared,
};

/// Answers computed at a time; more wait for their turn.
const ANSWERS_AT_ONCE: usize = 8;

/// Answers questions; clones share everything.
#[derive(Clone)]
pub(crate) struct Answering {
    shared: Shared,
    rules: Arc<Rules>,
    metrics: Metrics,
    turns: Arc<Semaphore>,
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
            body: serde_json::to_vec(&problem).unwrap_or_default().into(),
            problem: Some(problem),
        }
    }
}

impl Answering {
    pub(crate) fn new(shared: Shared, rules: Rules, metrics: Metrics) -> Self {
        Self {
            shared,
            rules: Arc::new(rules),
            metrics,
            turns: Arc::new(Semaphore::new(ANSWERS_AT_ONCE)),
        }
    }

    pub(crate) const fn shared(&self) -> &Shared {
        &self.shared
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
        let turns = self.turns.clone();
        let turn = turns.acquire_owned().await.map_err(|_| internal())?;
        let today = utc_date(now_nanos()).ok_or_else(internal)?;
        let (shared, rules) = (self.shared.clone(), self.rules.clone());
        let answered = tokio::task::spawn_blocking(move || {
            // Ends with the work, not with the patience of whoever asked.
            let _turn = turn;
            shared.with_shown(|shown| api::answer(shown, &rules, &request, today))
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
        let why = self.shared.health().why_not_ready();
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

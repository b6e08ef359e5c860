//! The compliance service: a projector that follows one log, verifies all of it, and answers where lots
//! came from and whether they meet a rule.
//!
//! ```text
//! LEDGER, /checkpoint --follower--> signed heads --advance--> verified entries --> projection (live)
//!                                                                                     |
//!                             HTTP (http), NATS micro-service (micro) <--answering-- api, rules
//! ```
//!
//! Every answer holds at one position of the verified log, and says which. Answers are given while the log is folded
//! on (`turns`). A restart folds the log again, and comes to the same
//! state; all that is stored is the newest head verified and an alarm about the log (`memory`).

mod advance;
mod answering;
mod api;
mod cut;
mod entries;
pub mod filed;
mod follower;
mod health;
mod http;
mod live;
mod memory;
mod metrics;
mod micro;
mod openings;
mod page;
mod problem;
pub mod reply;
pub mod request;
mod rules;
mod turns;

use std::{net::SocketAddr, path::PathBuf, time::Duration};

use anyhow::{Context as _, Result};
use lotproof::{
    policy::CONTEXT_LEN_MAX,
    shell::{
        http::{HttpOptions, Listening},
        nats::{Bus, BusAccess, BusNames, BusOptions, BusUrl},
    },
    trust::TrustFile,
};
use tokio::sync::{oneshot, watch};

use self::{
    answering::Answering,
    follower::Follower,
    live::{LiveLog, TurnBounds},
    memory::Memory,
    metrics::Metrics,
    openings::Openings,
    rules::Rules,
};
pub use self::{
    cut::{Cut, Cuts},
    follower::FollowOptions,
    health::{Alarm, AlarmKind, Health},
    openings::Unmatched,
    problem::{Problem, ProblemCode},
    rules::{BrokenLine, BrokenPack},
};

/// How long answers in hand may take once the service is told to stop.
const STOP_PATIENCE: Duration = Duration::from_secs(10);

/// What a running projector needs.
#[derive(Clone, Debug)]
pub struct Config {
    /// The bus, as `nats://host:port`.
    pub nats_url: BusUrl,
    /// How it is known there.
    pub bus_access: BusAccess,
    /// Where the ledger's files and entries are served, as `http://host:port`.
    pub ledger_url: String,
    /// The log: origin, identity and keys, as pinned.
    pub trust: TrustFile,
    /// Folder of rule packs, `*.toml`, and the lists that they name.
    pub policies: PathBuf,
    /// Files of openings of sealed fields.
    pub openings: Vec<PathBuf>,
    /// Where the newest verified head and a final alarm outlive a restart; nothing does without one.
    pub folder: Option<PathBuf>,
    /// Where HTTP listens.
    pub http: SocketAddr,
    /// Who is let in there, and how many.
    pub http_options: HttpOptions,
    /// Times of the follower.
    pub follow: FollowOptions,
}

impl Config {
    /// No openings, HTTP on a free loopback port.
    pub fn new(nats_url: impl Into<BusUrl>, ledger_url: String, trust: TrustFile, policies: PathBuf) -> Self {
        Self {
            nats_url: nats_url.into(),
            bus_access: BusAccess::default(),
            ledger_url,
            trust,
            policies,
            openings: Vec::new(),
            folder: None,
            http: SocketAddr::from(([127, 0, 0, 1], 0)),
            http_options: HttpOptions::default(),
            follow: FollowOptions::default(),
        }
    }
}

/// What the service takes at most, as `docs/limits.md` names it.
pub fn limits() -> Vec<(&'static str, u64)> {
    vec![
        ("compliance: body, in bytes", http::BODY_LIMITS.len_max as u64),
        (
            "compliance: values in a question",
            http::QUESTION.values_max as u64,
        ),
        ("compliance: depth of a question", http::QUESTION.depth_max as u64),
        (
            "compliance: seconds for a body",
            http::BODY_LIMITS.time_max.as_secs(),
        ),
        (
            "compliance: requests with a body in hand",
            http::BODY_LIMITS.in_hand_max as u64,
        ),
        (
            "compliance: context of a verdict, in bytes",
            CONTEXT_LEN_MAX as u64,
        ),
        (
            "compliance: parts of a path in a query",
            http::PATH_PARTS_MAX as u64,
        ),
        ("compliance: steps of a walk", request::DEPTH_MAX.into()),
        ("compliance: nodes of a walk", request::NODES_MAX as u64),
        ("compliance: rows of a page", request::LIMIT_MAX as u64),
        (
            "compliance: answers computed at once",
            answering::ANSWERS_AT_ONCE as u64,
        ),
        (
            "compliance: of those over the whole log",
            answering::WHOLE_LOG_ANSWERS_AT_ONCE as u64,
        ),
        (
            "compliance: questions over NATS in hand",
            micro::IN_HAND_MAX as u64,
        ),
    ]
}

/// Runs a projector until `shutdown` turns true, then finishes the answers in hand. `listening` hears the
/// HTTP address once questions are taken; they are answered once the log was caught up with (`/readyz`).
/// A bus that is not there is waited for, with HTTP up.
///
/// # Errors
/// It could not start: a file cannot be read, the bus's address is none, the address is taken. Something
/// wrong with the log is no error but an alarm, on `/readyz` and in every answer.
pub async fn run(
    config: Config,
    mut shutdown: watch::Receiver<bool>,
    listening: oneshot::Sender<SocketAddr>,
) -> Result<()> {
    let rules = Rules::read(&config.policies)?;
    let log = LiveLog::new(Openings::read(&config.openings)?, TurnBounds::default());
    let (memory, alarm) =
        Memory::open(config.folder.as_deref(), &config.trust).context("what was remembered")?;
    if let Some(alarm) = alarm {
        tracing::error!(
            kind = alarm.kind.as_str(),
            why = alarm.why,
            "an alarm from before stands"
        );
        log.raise(alarm);
    }
    let metrics = Metrics::new()?;
    let names = BusNames::new(&config.trust.log_id());
    let answering = Answering::new(log.clone(), rules, metrics.clone());

    let listening_at = Listening::bind(config.http, config.http_options).await?;
    let address = listening_at.address();
    let server = listening_at.serve(
        http::router(answering.clone()),
        metrics.http().clone(),
        shutdown.clone(),
    );
    let options = BusOptions::new(&config.nats_url, "lotproof-compliance").with_access(&config.bus_access);
    log.set_health(|health| health.waits_for_bus = Some(options.address()));
    let connecting = async {
        let bus = Bus::connect_patiently(&options).await?;
        let micro = micro::serve(bus.client().clone(), names, answering).await?;
        Ok::<_, anyhow::Error>((bus, micro))
    };
    let connected = tokio::select! {
        biased;
        _ = shutdown.wait_for(|stop| *stop) => None,
        connected = connecting => Some(connected),
    };
    let (bus, micro) = match connected {
        None => {
            server.stopped_within(STOP_PATIENCE).await;
            return Ok(());
        }
        Some(connected) => connected?,
    };
    log.set_health(|health| health.waits_for_bus = None);
    tracing::info!(%address, log_id = %config.trust.log_id(), "the projector is up");
    let _ = listening.send(address);

    let follower = Follower::new(
        bus,
        config.trust,
        &config.ledger_url,
        log,
        metrics,
        memory,
        config.follow,
    );
    let followed = follower.run(shutdown).await;
    micro.abort();
    followed?;
    // Told to stop, too.
    server.stopped_within(STOP_PATIENCE).await;
    Ok(())
}

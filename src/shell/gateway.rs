//! A publishing service: HTTP and a drop folder in front of an outbox on the bus.
//!
//! ```text
//! POST /v1/events   --.
//! POST /v1/capture  --+--> intake (check) --> reserve ids --> outbox (fsync) --> 202 {id, feed, sequence}
//! DIR/*.json[ld]    --'                            |               | records
//!                                                  '---- index <---'--> GET /v1/events/{id}
//! ```
//!
//! Nothing is promised before the outbox has it on disk, and nothing is remembered elsewhere: the index is fed
//! by the outbox's records, from its file at every start and from its thread afterwards. So whatever is killed
//! when, an event that was accepted is published exactly once per id, and a repeated request finds it. The
//! decisions are [`crate::gateway`]'s; the endpoints are described in `docs/publishing.md`.

mod arguments;
mod drop_folder;
mod http;
mod letters;
mod metrics;
mod taking;

use std::{io, net::SocketAddr, path::PathBuf, time::Duration};

use tokio::sync::{oneshot, watch};

pub use self::arguments::Arguments;
use self::{metrics::Metrics, taking::Gateway};
use crate::{
    epcis::ImportOptions,
    gateway::{FIELDS_MAX, Service},
    id::FeedId,
    json_bounds::JsonBounds,
    log::note::KeyError,
    outbox::{Config as OutboxConfig, PinnedLog},
    shell::{
        http::{BodyLimits, HttpOptions, LONGEST_BODIES_MAX, ListenError, Listening},
        nats::{Bus, BusAccess, BusOptions, BusUrl, ConnectError},
        publisher::{PublishError, PublisherConfig},
    },
    signature::SigningKey,
    trust::TrustFile,
};

/// How long a request in hand may take once the service is told to stop.
const STOP_PATIENCE: Duration = Duration::from_secs(10);

/// Longest body or file, unless told otherwise.
const BODY_LEN_MAX: usize = 32 << 20;
/// How long a body may take.
const BODY_TIME_MAX: Duration = Duration::from_secs(30);
/// Requests with a body in hand at once.
const REQUESTS_MAX: usize = 64;

/// What a running gateway needs.
#[derive(Debug)]
pub struct Config {
    /// Which kinds of event it takes.
    pub service: Service,
    /// The bus, as `nats://host:port`.
    pub nats_url: BusUrl,
    /// How it is known there.
    pub bus_access: BusAccess,
    /// The outbox, the party and its keys.
    pub publisher: PublisherConfig,
    /// Where HTTP listens.
    pub http: SocketAddr,
    /// Who is let in there, and how many.
    pub http_options: HttpOptions,
    /// A folder whose EPCIS documents and event files are taken in.
    pub watch: Option<PathBuf>,
    /// Longest body or file that is taken, in bytes.
    pub body_len_max: usize,
    /// How long a body may take to arrive; then it is answered 408, and makes room for others.
    pub body_patience: Duration,
    /// How many requests are in hand at once; more are answered 429, and so are those beyond four bodies of the
    /// greatest length together.
    pub requests_max: usize,
}

impl Config {
    /// A gateway of `party` for the log that is pinned, with its outbox in `folder`: HTTP on a free loopback
    /// port, no drop folder, bodies up to 32 MiB within 30 seconds, 64 requests at once.
    ///
    /// # Errors
    /// If a key of the log is unsound.
    pub fn new(
        service: Service,
        nats_url: impl Into<BusUrl>,
        trust: &TrustFile,
        party: impl Into<String>,
        keys: Vec<SigningKey>,
        folder: impl Into<PathBuf>,
    ) -> Result<Self, KeyError> {
        let log_keys: Vec<FeedId> = trust
            .log_keys()
            .iter()
            .map(|key| FeedId::new(*key.public_key()))
            .collect();
        let log = PinnedLog::new(trust.log_id(), trust.origin().clone(), &log_keys)?;
        let outbox = OutboxConfig::new(log, party.into());
        Ok(Self {
            service,
            nats_url: nats_url.into(),
            bus_access: BusAccess::default(),
            publisher: PublisherConfig::new(folder, outbox, keys),
            http: SocketAddr::from(([127, 0, 0, 1], 0)),
            http_options: HttpOptions::default(),
            watch: None,
            body_len_max: BODY_LEN_MAX,
            body_patience: BODY_TIME_MAX,
            requests_max: REQUESTS_MAX,
        })
    }
}

/// Why a gateway cannot start, or ended.
#[derive(Debug, thiserror::Error)]
pub enum GatewayError {
    /// The bus cannot be where it should be.
    #[error("bus of the gateway")]
    Bus(#[from] ConnectError),
    /// The outbox cannot be used.
    #[error("outbox of the gateway")]
    Publisher(#[from] PublishError),
    /// The address cannot be listened on.
    #[error(transparent)]
    Listen(#[from] ListenError),
    /// The drop folder cannot be used.
    #[error("drop folder {folder}")]
    Folder {
        /// Which folder.
        folder: PathBuf,
        /// The system's answer.
        source: io::Error,
    },
    /// Metrics cannot be registered.
    #[error("metrics")]
    Metrics(#[from] prometheus::Error),
    /// A setting that cannot be.
    #[error("{0}")]
    Setting(String),
}

/// What a gateway takes at most with its defaults, as `docs/limits.md` names it.
pub fn limits() -> Vec<(&'static str, u64)> {
    let import = ImportOptions::default();
    vec![
        ("gateway: body or file, in bytes", BODY_LEN_MAX as u64),
        (
            "gateway: values in a body or file",
            JsonBounds::DOCUMENT.values_max as u64,
        ),
        (
            "gateway: depth of a body or file",
            JsonBounds::DOCUMENT.depth_max as u64,
        ),
        ("gateway: seconds for a body", BODY_TIME_MAX.as_secs()),
        ("gateway: requests with a body in hand", REQUESTS_MAX as u64),
        (
            "gateway: longest bodies in memory at once",
            LONGEST_BODIES_MAX as u64,
        ),
        ("gateway: events of a document", import.events_max as u64),
        ("gateway: fields named in one answer", FIELDS_MAX as u64),
        (
            "gateway: bytes that wait for receipts",
            arguments::BACKLOG_LEN as u64,
        ),
        (
            "gateway: most that may be asked for of those",
            arguments::BACKLOG_LEN_MAX as u64,
        ),
        ("seconds for what is in hand at a stop", STOP_PATIENCE.as_secs()),
    ]
}

/// Runs a gateway until `shutdown` turns true, then finishes the requests and the file in hand. `listening`
/// hears the HTTP address once events are taken. A bus that is not there is waited for, with HTTP up.
///
/// # Errors
/// Why it cannot run, or had to end.
pub async fn run(
    config: Config,
    mut shutdown: watch::Receiver<bool>,
    listening: oneshot::Sender<SocketAddr>,
) -> Result<(), GatewayError> {
    let service = config.service;
    let metrics = Metrics::new()?;
    let options =
        BusOptions::new(&config.nats_url, format!("lotproof-{service}")).with_access(&config.bus_access);
    // First, so that nothing has begun to publish if the address is taken, and everybody hears what is waited for.
    let mut http_options = config.http_options;
    http_options.rules.linked_data = http::LINKED_DATA;
    let listening_at = Listening::bind(config.http, http_options).await?;
    let address = listening_at.address();
    let limits = BodyLimits {
        len_max: config.body_len_max,
        time_max: config.body_patience,
        in_hand_max: config.requests_max,
        json: JsonBounds::DOCUMENT,
    };
    let door = http::Door::new(metrics.clone(), &options.address());
    let router = http::router(door.clone(), limits);
    let server = listening_at.serve(router, metrics.http().clone(), shutdown.clone());
    // A gateway may be started before its bus.
    let bus = tokio::select! {
        biased;
        _ = shutdown.wait_for(|stop| *stop) => return Ok(()),
        bus = Bus::connect_patiently(&options) => bus?,
    };
    let gateway = Gateway::start(bus, config.publisher, service, metrics).await?;
    let dropping = match config.watch {
        Some(folder) => Some(drop_folder::start(
            gateway.clone(),
            folder,
            config.body_len_max,
            shutdown.clone(),
        )?),
        None => None,
    };
    let separating = tokio::spawn(letters::separate(gateway.clone()));
    door.open(gateway.clone());
    tracing::info!(%address, %service, known = gateway.known(), "the gateway is up");
    let _ = listening.send(address);

    let failed = tokio::select! {
        _ = shutdown.wait_for(|stop| *stop) => false,
        () = gateway.publisher_ended() => true,
    };
    separating.abort();
    if failed {
        drop(server);
    } else {
        server.stopped_within(STOP_PATIENCE).await;
        if let Some(dropping) = dropping {
            // The file in hand is finished: its events are durable, and it is moved.
            let _ = tokio::time::timeout(STOP_PATIENCE, dropping).await;
        }
    }
    gateway.stop().await?;
    Ok(())
}

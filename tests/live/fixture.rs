//! What live tests share: a bus of their own.

use std::{
    net::{Ipv4Addr, SocketAddr},
    sync::atomic::{AtomicU16, Ordering},
    time::Duration,
};

use lotproof::{
    id::{FeedId, Hash, LogId},
    shell::nats::{Bus, BusNames, BusOptions, EventsLimits, PrivateServer, ServerOptions, ensure_streams},
};
use tempfile::TempDir;

use crate::dice::Dice;

/// How long anything may take before a test fails.
pub(crate) const DEADLINE: Duration = Duration::from_secs(90);

/// A private server and a connection to it; gone, with its folder, when dropped.
pub(crate) struct OwnBus {
    pub(crate) bus: Bus,
    pub(crate) names: BusNames,
    // Dropped before the folder that it writes to.
    pub(crate) server: PrivateServer,
    pub(crate) folder: TempDir,
}

/// Some ledger's identity.
pub(crate) fn log_id() -> LogId {
    LogId::new(Hash::of(&[b"a ledger of the live tests"]))
}

/// Feed number `n`.
pub(crate) fn feed(n: u8) -> FeedId {
    FeedId::new([n; 32])
}

impl OwnBus {
    /// A server without streams.
    pub(crate) async fn bare() -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let started = PrivateServer::start(ServerOptions::new(folder.path().join("nats"))).await;
        let server = started.unwrap_or_else(|error| panic!("live tests need a nats-server: {error}"));
        let bus = connect(&server).await;
        Self {
            bus,
            names: BusNames::new(&log_id()),
            server,
            folder,
        }
    }

    /// A server with the ledger's streams.
    pub(crate) async fn with_streams(limits: EventsLimits) -> Self {
        let own = Self::bare().await;
        ensure_streams(&own.bus, own.names, &limits)
            .await
            .expect("the streams");
        own
    }

    /// Publishes to EVENTS and waits for JetStream's acknowledgement; its stream sequence.
    pub(crate) async fn publish(&self, feed: &FeedId, bytes: &[u8]) -> u64 {
        let subject = self.names.statement(feed);
        let sent = self
            .bus
            .jetstream()
            .publish(subject, bytes.to_vec().into())
            .await
            .expect("sent");
        sent.await.expect("acknowledged").sequence
    }
}

/// Another connection to the same server.
pub(crate) async fn connect(server: &PrivateServer) -> Bus {
    let mut options = BusOptions::new(server.url(), "live test");
    options.request_timeout = Duration::from_secs(2);
    Bus::connect(&options).await.expect("a connection")
}

/// A loopback address that nobody else has: the system gives ports away on 127.0.0.1 alone, so this one is free
/// again for whoever is started anew on it. (Linux answers on all of 127.0.0.0/8.)
pub(crate) fn own_address() -> SocketAddr {
    static NEXT_PORT: AtomicU16 = AtomicU16::new(20_000);
    let [_, high, middle, low] = std::process::id().to_be_bytes();
    let host = Ipv4Addr::new(127, 128 | high, middle, low);
    SocketAddr::from((host, NEXT_PORT.fetch_add(1, Ordering::Relaxed)))
}

/// What a health page says: its text, or the detail of its problem.
pub(crate) fn said(body: &[u8]) -> String {
    let problem: Option<serde_json::Value> = serde_json::from_slice(body).ok();
    let detail = problem.as_ref().and_then(|problem| problem["detail"].as_str());
    detail.map_or_else(|| String::from_utf8_lossy(body).into_owned(), str::to_owned)
}

/// Waits for a future, and fails with `what` if it takes too long.
pub(crate) async fn soon<T>(what: &str, future: impl Future<Output = T>) -> T {
    tokio::time::timeout(DEADLINE, future)
        .await
        .unwrap_or_else(|_| panic!("waited {} s for {what}", DEADLINE.as_secs()))
}

/// Waits until a condition holds, and fails with `what` if that takes too long.
pub(crate) async fn until(what: &str, condition: impl AsyncFn() -> bool) {
    soon(what, async {
        while !condition().await {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    })
    .await;
}

/// Lets a random time pass: not a wait for anything, but the random moment itself.
pub(crate) async fn let_pass(dice: &mut Dice, most: Duration) {
    let micros = u64::try_from(most.as_micros()).expect("a short time");
    tokio::time::sleep(Duration::from_micros(dice.below(micros))).await;
}

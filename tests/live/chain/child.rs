//! What a child does: it is a ledger, a publisher or a projector, until it is done or killed.

use std::{
    fs,
    net::SocketAddr,
    path::{Path, PathBuf},
    time::Duration,
};

use lotproof::{
    id::FeedId,
    log::note::VerifierKey,
    outbox::{Config as OutboxConfig, PinnedLog},
    shell::{
        nats::{Bus, BusOptions},
        publisher::{Publisher, PublisherConfig},
    },
    trust::TrustFile,
};
use lotproof_ledger::{Config, Folder, Identity, run};
use serde::{Deserialize, Serialize};
use tokio::sync::{oneshot, watch};

use super::{outboxes, process::ORDER, world};
use crate::{dice::Dice, ledger::key};

/// What a child is told.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum Order {
    Ledger(LedgerOrder),
    Publisher(PublisherOrder),
    Projector(ProjectorOrder),
}

/// Run this ledger.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct LedgerOrder {
    pub(crate) folder: PathBuf,
    pub(crate) url: String,
    /// Where HTTP listens, if not on any free port.
    pub(crate) http: Option<SocketAddr>,
    /// A step and the number of a commit, to abort before; nothing for a whole life.
    pub(crate) stop_at: Option<String>,
    /// Most bytes in EVENTS, and most messages of one feed, if not the usual ones.
    pub(crate) room: Option<(u64, u64)>,
}

/// Publish lots, as one maker, until all of them have their receipts.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct PublisherOrder {
    pub(crate) ledger: PathBuf,
    pub(crate) outbox: PathBuf,
    pub(crate) url: String,
    /// Which maker.
    pub(crate) maker: u8,
    pub(crate) events: usize,
    /// A file that says how many of them may be taken by now.
    pub(crate) allowed: PathBuf,
}

/// Be a projector of this log.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct ProjectorOrder {
    pub(crate) url: String,
    pub(crate) ledger_url: String,
    /// Where HTTP listens.
    pub(crate) http: SocketAddr,
    /// The trust file's content.
    pub(crate) trust: String,
}

/// The child's side: does nothing unless it was given an order.
#[test]
fn ordered() {
    let Ok(order) = std::env::var(ORDER) else { return };
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let outcome = match serde_json::from_str(&order).unwrap() {
        Order::Ledger(order) => runtime.block_on(ledger(order)),
        Order::Publisher(order) => runtime.block_on(publisher(order)),
        Order::Projector(order) => runtime.block_on(projector(order)),
    };
    if let Err(error) = outcome {
        panic!("{error:#}");
    }
}

async fn ledger(order: LedgerOrder) -> anyhow::Result<()> {
    let mut config = Config::new(Folder::new(order.folder), order.url);
    config.stop_at = order.stop_at.map(|stop_at| stop_at.parse().unwrap());
    if let Some((bytes, messages)) = order.room {
        config.limits.bytes_max = bytes;
        config.limits.messages_per_feed_max = messages;
    }
    config.http = order.http.unwrap_or(config.http);
    let (_stop, shutdown) = watch::channel(false);
    run(config, shutdown, announced()).await
}

/// How a publisher of these tests behaves: as usual, but in less of a hurry to wait.
pub(crate) fn outbox_config(identity: &Identity, issuer: &str) -> OutboxConfig {
    let verifier: VerifierKey = identity.log_key.parse().unwrap();
    let log_key = FeedId::new(*verifier.public_key());
    let log = PinnedLog::new(identity.log_id, identity.origin.clone(), &[log_key]).unwrap();
    OutboxConfig {
        wait_ms: 200,
        wait_ms_max: 1_000,
        probe_ms: 200,
        probe_ms_max: 1_000,
        ..OutboxConfig::new(log, issuer.into())
    }
}

async fn publisher(order: PublisherOrder) -> anyhow::Result<()> {
    let identity = Folder::new(&order.ledger).identity()?;
    // The outbox is the only memory: what it had taken is not offered again.
    let before = outboxes::read(&order.outbox).event_ids().len();
    let bus = loop {
        match Bus::connect(&BusOptions::new(&order.url, "publisher")).await {
            Ok(bus) => break bus,
            // The bus may be down just now.
            Err(_) => tokio::time::sleep(Duration::from_millis(20)).await,
        }
    };
    let outbox = outbox_config(&identity, &world::maker(order.maker));
    let config = PublisherConfig::new(&order.outbox, outbox, vec![key(order.maker)]);
    let publisher = Publisher::start(bus, config).await?;
    let mut dice = Dice::new(order.maker.into());
    let mut next = 0;
    while next < order.events {
        let many = match dice.below(10) {
            0..6 => 1,
            6..9 => 2 + dice.place(6),
            _ => 8 + dice.place(40),
        };
        let end = order.events.min(next + many);
        // A submission is taken whole or not at all, so that what is left begins where one began.
        if next >= before {
            while allowed(&order.allowed) <= next {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
            let events: Vec<_> = (next..end)
                .map(|number| world::lot_event(order.maker, number))
                .collect();
            publisher.submit_when_there_is_room(&events).await?;
        }
        next = end;
    }
    publisher.drain(Duration::MAX).await?;
    println!("drained");
    publisher.stop().await?;
    Ok(())
}

fn allowed(file: &Path) -> usize {
    let text = fs::read_to_string(file).unwrap_or_default();
    text.parse().unwrap_or(0)
}

async fn projector(order: ProjectorOrder) -> anyhow::Result<()> {
    let trust = TrustFile::parse(order.trust.as_bytes())?;
    let policies = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("policies");
    let mut config = lotproof_compliance::Config::new(order.url, order.ledger_url, trust, policies);
    config.http = order.http;
    config.follow.poll_interval = Duration::from_millis(100);
    let (_stop, shutdown) = watch::channel(false);
    lotproof_compliance::run(config, shutdown, announced()).await
}

/// Prints where a service listens, once it does.
fn announced() -> oneshot::Sender<SocketAddr> {
    let (listening, address) = oneshot::channel();
    tokio::spawn(async move {
        if let Ok(address) = address.await {
            println!("listening {address}");
        }
    });
    listening
}

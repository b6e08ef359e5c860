//! A ledger of the benchmark's own: a real `nats-server`, the real service, and the parties of the simulated
//! supply chain enrolled in it.

use std::{
    net::SocketAddr,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, ensure};
use bytes::Bytes;
use futures::{StreamExt as _, stream::FuturesUnordered};
use lotproof::{
    id::{FeedId, FeedSequence, Hash},
    log::checkpoint::Origin,
    publish::{FeedSigner, SignedStatement},
    shell::nats::{
        Bus, BusNames, BusOptions, EventsLimits, EventsReader, PrivateServer, ReaderOptions, ServerOptions,
        ensure_streams,
    },
    signature::SigningKey,
    simulate::{PartyIndex, Simulation},
    time::RecordedAt,
    trust::TrustFile,
    wire::v1,
};
use lotproof_ledger::{Config, Folder, Identity, InitOptions, Reading, default_parameters, init, run};
use tokio::{
    sync::{oneshot, watch},
    task::JoinHandle,
};

use super::cpu;
use crate::{enrolling::enact, founding::trust_file, publishing::Session, waiting::Patience};

const AUTHORITY: &str = "https://authority.example/";
/// How many publishes wait for JetStream's acknowledgement at a time.
const WINDOW: usize = 4_096;
/// How many bytes of them.
const WINDOW_LEN: usize = 16 << 20;

/// A statement and the feed it is on.
pub(super) struct Sent {
    pub(super) feed: FeedId,
    pub(super) statement: SignedStatement,
}

/// A ledger's folder and bus; the service itself is [`Running`].
pub(super) struct World {
    pub(super) identity: Identity,
    pub(super) trust: TrustFile,
    pub(super) names: BusNames,
    pub(super) bus: Bus,
    server: PrivateServer,
    folder: PathBuf,
}

/// The service, running.
pub(super) struct Running {
    pub(super) address: SocketAddr,
    stop: watch::Sender<bool>,
    task: JoinHandle<Result<()>>,
}

impl World {
    /// Founds a ledger in `folder` and enrols the simulation's parties, with one authority key.
    pub(super) async fn new(folder: PathBuf, simulation: &Simulation) -> Result<Self> {
        let authority = SigningKey::from_seed(&[9; 32]);
        let options = InitOptions {
            origin: Origin::new("ledger.example/bench")?,
            purpose: v1::Purpose::Test,
            authority: AUTHORITY.to_owned(),
            authority_keys: vec![authority.feed()],
            threshold: 1,
            parameters: default_parameters(),
            follows: None,
            created_at: RecordedAt::from_nanos(Reading::now().wall_nanos),
        };
        let identity = init(&Folder::new(folder.join("ledger")), &options)?;
        let server = PrivateServer::start(ServerOptions::new(folder.join("nats"))).await?;
        let bus = Bus::connect(&BusOptions::new(server.url(), "lotproof-bench")).await?;
        let world = Self {
            trust: trust_file(&identity)?,
            names: BusNames::new(&identity.log_id),
            identity,
            bus,
            server,
            folder,
        };
        let ledger = world.start().await?;
        let session = Session {
            bus: world.bus.clone(),
            trust: world.trust.clone(),
            outbox: world.folder.join("outbox"),
            patience: Patience::endless(),
        };
        enact(&session, AUTHORITY, vec![authority], simulation.governance()).await?;
        drop(session);
        ledger.stop().await?;
        Ok(world)
    }

    /// Where the ledger's store lies.
    pub(super) fn store(&self) -> PathBuf {
        self.folder.join("ledger").join("store")
    }

    /// A place for other files.
    pub(super) fn folder(&self) -> &Path {
        &self.folder
    }

    /// Processor time that this process and the bus have used, where the system tells.
    pub(super) fn cpu(&self) -> Option<Duration> {
        cpu::used_with(self.server.process_id())
    }

    /// A connection of its own.
    pub(super) async fn connect(&self) -> Result<Bus> {
        Ok(Bus::connect(&BusOptions::new(self.server.url(), "lotproof-bench")).await?)
    }

    /// Starts the ledger service and waits until it listens.
    pub(super) async fn start(&self) -> Result<Running> {
        let (stop, shutdown) = watch::channel(false);
        let (listening, address) = oneshot::channel();
        let config = Config::new(Folder::new(self.folder.join("ledger")), self.server.url());
        let task = tokio::spawn(run(config, shutdown, listening));
        match address.await {
            Ok(address) => Ok(Running { address, stop, task }),
            Err(_) => Err(task.await?.err().context("the ledger ended without a reason")?),
        }
    }

    /// Publishes statements and waits until JetStream has acknowledged all of them; how long that took.
    #[expect(clippy::disallowed_methods, reason = "measures")]
    pub(super) async fn publish(&self, statements: &[Sent]) -> Result<Duration> {
        ensure_streams(&self.bus, self.names, &EventsLimits::default()).await?;
        let start = Instant::now();
        let mut waiting = FuturesUnordered::new();
        let mut waiting_len = 0;
        for Sent { feed, statement } in statements {
            let len = statement.envelope.len();
            while waiting.len() >= WINDOW || (waiting_len + len > WINDOW_LEN && !waiting.is_empty()) {
                let acknowledged: Option<Result<usize>> = waiting.next().await;
                waiting_len -= acknowledged.context("something waits")??;
            }
            let subject = self.names.statement(feed);
            let sent = self
                .bus
                .jetstream()
                .publish(subject, statement.envelope.clone())
                .await?;
            waiting_len += len;
            waiting.push(async move {
                sent.await?;
                Ok(len)
            });
        }
        while let Some(acknowledged) = waiting.next().await {
            acknowledged?;
        }
        Ok(start.elapsed())
    }

    /// Reads all of EVENTS as the ledger does, and does nothing with it; how long that took.
    #[expect(clippy::disallowed_methods, reason = "measures")]
    pub(super) async fn consume(&self, count: usize) -> Result<Duration> {
        let mut reader = EventsReader::new(self.connect().await?, self.names, ReaderOptions::default());
        let start = Instant::now();
        let mut read = 0;
        while read < count {
            let batch = reader.next_batch().await?;
            ensure!(
                !batch.messages.is_empty(),
                "EVENTS has {read} of {count} messages"
            );
            read += batch.messages.len();
        }
        Ok(start.elapsed())
    }

    /// Stops the bus and removes everything.
    pub(super) async fn end(mut self) -> Result<()> {
        drop(self.bus);
        self.server.stop().await;
        std::fs::remove_dir_all(&self.folder).context("removing a ledger of the benchmark")
    }
}

impl Running {
    /// Stops the service in order.
    pub(super) async fn stop(self) -> Result<()> {
        self.stop.send_replace(true);
        self.task.await?.context("the ledger")
    }
}

/// The simulation's parties as publishers of one ledger.
pub(super) struct Signers(Vec<FeedSigner>);

impl Signers {
    /// A feed for each party, none of which has said anything.
    pub(super) fn new(simulation: &Simulation, world: &World) -> Self {
        let signer = |party: PartyIndex| {
            let key = SigningKey::from_seed(&simulation.key_seed(party));
            let issuer = simulation.cast().parties[party.get()].identifier.clone();
            FeedSigner::new(key, world.identity.log_id, issuer, FeedSequence::NONE, Hash::ZERO)
        };
        Self(simulation.parties().map(signer).collect())
    }

    /// How many feeds.
    pub(super) const fn len(&self) -> usize {
        self.0.len()
    }

    /// Every feed.
    pub(super) fn feeds(&self) -> impl Iterator<Item = FeedId> + '_ {
        self.0.iter().map(|signer| signer.key().feed())
    }

    /// Signs a statement of the party at `place`, which wraps around.
    pub(super) fn sign(&mut self, place: usize, events: &[Bytes]) -> Sent {
        let place = place % self.0.len();
        let signer = &mut self.0[place];
        let statement = signer.sign(
            lotproof::time::IssuedAt::from_nanos(Reading::now().wall_nanos),
            events,
        );
        Sent {
            feed: signer.key().feed(),
            statement,
        }
    }
}

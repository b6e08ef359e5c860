//! The ledger service: the single writer of one log, and its read side.
//!
//! ```text
//! EVENTS -> read batch -> verify on all cores -> writer (decide, persist, guard, sign, show, receipt) -> purge
//! ```
//!
//! Batch n + 1 is verified while batch n commits, and n + 2 is read meanwhile. Whatever is verified by the time
//! that a commit ends goes into the next one. The ledger keeps no cursor on the bus: at every start and reconnect
//! it reads EVENTS from its first message, and what is in the log already is a duplicate.

mod ask;
mod clock;
mod folder;
mod folding;
mod guarding;
mod http;
#[cfg(test)]
mod measure;
mod metrics;
mod opening;
mod outbound;
mod places;
mod prepare;
mod rebuild;
mod shared;
#[cfg(test)]
mod tests;
mod writer;

use std::{net::SocketAddr, sync::Arc, time::Duration};

use anyhow::{Context as _, Result, anyhow, bail};
use lotproof::{
    port::EntryStore as _,
    shell::{
        http::{HttpOptions, Listening},
        nats::{
            BlockingGuard, Bus, BusAccess, BusNames, BusOptions, BusUrl, EventsBatch, EventsLimits,
            EventsPurger, EventsReader, NatsGuard, ReadError, ReaderOptions,
        },
    },
};
use tokio::{
    runtime::Handle,
    sync::{mpsc, watch},
    time::Instant,
};

pub use self::{
    clock::{ClockFault, ClockOptions, ClockSource, DRIFT_PPM, Reading},
    folder::{Folder, Identity, InitOptions, LogKey, default_parameters, init},
    places::ReadLimits,
    rebuild::{Rebuilt, rebuild},
    shared::{Health, Published, Shared},
    writer::StopAt,
};
use self::{
    folding::Opened,
    metrics::Metrics,
    opening::{Opening, open_unless_stopped},
    outbound::{Outbound, Stopped},
    prepare::{Gather, Prepared},
    writer::Writer,
};

/// What a running ledger needs.
#[derive(Clone, Debug)]
pub struct Config {
    /// Its data folder, made by [`init`].
    pub folder: Folder,
    /// The bus, as `nats://host:port`.
    pub nats_url: BusUrl,
    /// How it is known there.
    pub bus_access: BusAccess,
    /// Where HTTP listens.
    pub http: SocketAddr,
    /// Who is let in there, and how many.
    pub http_options: HttpOptions,
    /// Whether pages of any origin may read checkpoint and tiles.
    pub is_public: bool,
    /// How much EVENTS may hold.
    pub limits: EventsLimits,
    /// How batches are cut.
    pub reader: ReaderOptions,
    /// What readers over HTTP may take.
    pub reads: ReadLimits,
    /// By what its clock is judged.
    pub clock: ClockOptions,
    /// For tests of crashes.
    pub stop_at: Option<StopAt>,
}

impl Config {
    /// The usual limits, HTTP on a free loopback port.
    pub fn new(folder: Folder, nats_url: impl Into<BusUrl>) -> Self {
        Self {
            folder,
            nats_url: nats_url.into(),
            bus_access: BusAccess::default(),
            http: SocketAddr::from(([127, 0, 0, 1], 0)),
            http_options: HttpOptions::default(),
            is_public: false,
            limits: EventsLimits::default(),
            reader: ReaderOptions::default(),
            reads: ReadLimits::default(),
            clock: ClockOptions::default(),
            stop_at: None,
        }
    }
}

/// What the service takes at most with its defaults, as `docs/limits.md` names it.
pub fn limits() -> Vec<(&'static str, u64)> {
    let (reads, events, reader) = (
        ReadLimits::default(),
        EventsLimits::default(),
        ReaderOptions::default(),
    );
    let parameters = default_parameters();
    vec![
        ("ledger: streams of entries at once", reads.streams.get() as u64),
        ("ledger: tiles being read at once", reads.tiles.get() as u64),
        ("ledger: EVENTS, in bytes", events.bytes_max),
        (
            "ledger: messages of one feed in EVENTS",
            events.messages_per_feed_max,
        ),
        (
            "ledger: message in EVENTS, in bytes",
            events.message_len_max.into(),
        ),
        ("ledger: messages decided at once", reader.messages_max as u64),
        ("ledger: bytes decided at once", reader.bytes_max as u64),
        ("ledger: statement, in bytes", parameters.statement_len_max.into()),
        (
            "ledger: events of a statement",
            parameters.statement_events_max.into(),
        ),
        ("ledger: parts of an event", parameters.event_parts_max.into()),
        (
            "ledger: milliseconds that a claim may be ahead",
            parameters.clock_skew_ms,
        ),
        (
            "ledger: milliseconds that the clock may jump",
            parameters.clock_jump_ms_max,
        ),
        (
            "ledger: hours away before the clock of another boot is doubted",
            ClockOptions::default().away_max.as_secs() / 3_600,
        ),
        (
            "ledger: drift against the boot clock, in a million",
            DRIFT_PPM.unsigned_abs(),
        ),
    ]
}

/// How often handled messages are purged from the bus.
const PURGE_INTERVAL: Duration = Duration::from_secs(1);

/// Runs a ledger until `shutdown` turns true, then finishes the batch in hand. `listening` hears the HTTP
/// address once the ledger takes statements.
///
/// A bus that is not there is waited for, at the start as later; `/readyz` says so. HTTP is served from the
/// start, says how far the opening of the log is, and shows nothing of it before the guard and the checkpoint are
/// as they must be. Told to stop while the log is being opened, the ledger ends within seconds.
///
/// # Errors
/// Why the ledger halted: it needs its operator, or a restart.
pub async fn run(
    config: Config,
    mut shutdown: watch::Receiver<bool>,
    listening: tokio::sync::oneshot::Sender<SocketAddr>,
) -> Result<()> {
    let identity = config.folder.identity()?;
    let key = Arc::new(config.folder.log_key(&identity.origin)?);
    let metrics = Metrics::new()?;
    let names = BusNames::new(&identity.log_id);
    let mut http_options = config.http_options;
    if config.is_public {
        http_options.rules.public = http::PUBLIC;
    }
    let listening_at = Listening::bind(config.http, http_options).await?;
    let address = listening_at.address();
    let opening = Opening::default();
    let read_side = Arc::new(http::ReadSide::new(
        opening.clone(),
        metrics.clone(),
        config.reads,
    ));
    let _server = listening_at.serve(
        http::router(read_side.clone()),
        metrics.http().clone(),
        shutdown.clone(),
    );

    let (folder, for_open) = (config.folder.clone(), identity.clone());
    let open = move |opening: &Opening| folding::open(&folder, &for_open, opening);
    let Some(opened) = open_unless_stopped(&opening, &mut shutdown, open).await? else {
        return Ok(());
    };
    let Opened {
        store,
        sequencer,
        kept,
        started_from,
    } = opened;
    tracing::info!(size = %store.size(), snapshot = %started_from, "the log is open");
    let shared = Shared::new(sequencer, store.reader());
    read_side.opened(shared.clone());

    let options = BusOptions::new(&config.nats_url, "lotproof-ledger").with_access(&config.bus_access);
    shared.set_health(Health::WaitingForBus(options.address()));
    let connecting = async {
        let bus = Bus::connect_patiently(&options).await?;
        bus.ensure_streams_patiently(names, &config.limits).await?;
        Ok::<_, anyhow::Error>(bus)
    };
    let connected = tokio::select! {
        biased;
        _ = shutdown.wait_for(|stop| *stop) => None,
        bus = connecting => Some(bus?),
    };
    let Some(bus) = connected else {
        return store.close().context("closing the store");
    };
    shared.set_health(Health::Starting);
    let guard = Box::new(BlockingGuard::new(
        NatsGuard::new(
            bus.clone(),
            names,
            config.limits.replicas,
            Arc::new(config.folder.guard_key(&identity)?),
        ),
        Handle::current(),
    ));
    let outbound = Outbound {
        client: bus.client().clone(),
        names,
        runtime: Handle::current(),
        stop: shutdown.clone(),
    };
    let started = {
        let (folder, identity, key) = (config.folder.clone(), identity.clone(), key.clone());
        let (shared, stop_at, clock) = (shared.clone(), config.stop_at, config.clock);
        let start = move || {
            Writer::start(
                folder,
                identity,
                key,
                (store, shared, kept),
                guard,
                outbound,
                metrics,
                stop_at,
                clock,
            )
        };
        tokio::task::spawn_blocking(start).await.context("starting")?
    };
    let writer = match started {
        Err(error) if error.is::<Stopped>() => return Ok(()),
        started => started.context("the ledger halts")?,
    };

    // Asking is served before anybody is told that the ledger listens.
    let asks = ask::serve(bus.clone(), names, shared.clone(), identity.clone(), key.clone()).await?;
    tracing::info!(%address, log_id = %identity.log_id, size = %shared.published_size(), "the ledger is up");
    let _ = listening.send(address);

    let reader = EventsReader::new(bus.clone(), names, config.reader);
    let purger = reader.purger();
    // Each stage works on one batch while the next one waits.
    let (to_prepare, to_be_prepared) = mpsc::channel(1);
    let (to_writer, prepared) = mpsc::channel(1);
    let suspects = prepare::Suspects::load(&config.folder)?;
    suspects.install_hook(&config.folder);
    let reading = tokio::spawn(read(reader, to_prepare, shared.watch_health(), shutdown.clone()));
    let preparing = tokio::task::spawn_blocking(move || prepare_all(to_be_prepared, &to_writer, &suspects));
    let writing = {
        let (shared, runtime) = (shared.clone(), Handle::current());
        let gather = Gather::new(prepared, config.reader);
        tokio::task::spawn_blocking(move || write(writer, gather, &purger, &shared, &runtime))
    };

    let outcome = writing.await.context("the writer panicked")?;
    let read_outcome = if outcome.is_ok() {
        preparing.await.context("preparing a batch panicked")?;
        reading.await.context("the reader panicked")?
    } else {
        Ok(())
    };
    asks.abort();
    if let (Ok(()), Health::Halted(why)) = (&outcome, shared.health()) {
        bail!("the ledger halts: {why}");
    }
    if outcome.is_ok() && read_outcome.is_ok() {
        // The writer ends only when the reader has; wait for the word that ended it.
        let _ = shutdown.wait_for(|stop| *stop).await;
    }
    outcome.and(read_outcome)
}

/// Reads EVENTS until told to stop, or until the ledger halts.
async fn read(
    mut reader: EventsReader,
    to_prepare: mpsc::Sender<EventsBatch>,
    mut health: watch::Receiver<Health>,
    mut shutdown: watch::Receiver<bool>,
) -> Result<()> {
    loop {
        let batch = tokio::select! {
            biased;
            _ = shutdown.wait_for(|stop| *stop) => return Ok(()),
            _ = health.wait_for(|health| matches!(health, Health::Halted(_))) => return Ok(()),
            batch = reader.next_batch() => batch,
        };
        let batch = match batch {
            Ok(batch) => batch,
            Err(error @ ReadError::Missing(_)) => {
                return Err(anyhow!(error).context("the bus lost its streams: start the ledger again"));
            }
            Err(error) => {
                tracing::warn!(error = %error, "the bus cannot be read; trying again");
                tokio::time::sleep(Duration::from_millis(200)).await;
                continue;
            }
        };
        if to_prepare.send(batch).await.is_err() {
            return Ok(());
        }
    }
}

/// Prepares batches until there are no more.
fn prepare_all(
    mut batches: mpsc::Receiver<EventsBatch>,
    to_writer: &mpsc::Sender<Prepared>,
    suspects: &prepare::Suspects,
) {
    while let Some(batch) = batches.blocking_recv() {
        if to_writer
            .blocking_send(prepare::prepare(batch, suspects))
            .is_err()
        {
            return;
        }
    }
}

/// Commits prepared batches until there are no more.
fn write(
    mut writer: Writer,
    mut batches: Gather,
    purger: &EventsPurger,
    shared: &Shared,
    runtime: &Handle,
) -> Result<()> {
    let mut handled = None;
    let mut purge_at = Instant::now() + PURGE_INTERVAL;
    while let Some(batch) = batches.next() {
        if let Health::Halted(why) = shared.health() {
            bail!("{why}");
        }
        handled = batch.position.or(handled);
        if !batch.submissions.is_empty()
            && let Err(error) = writer.handle(batch.submissions)
        {
            if error.is::<Stopped>() {
                tracing::warn!(
                    "stopping without the bus: what the batch in hand promises waits for the next start"
                );
                return Ok(());
            }
            shared.set_health(Health::Halted(format!("{error:#}")));
            return Err(error.context("the ledger halts"));
        }
        let now = Instant::now();
        if now >= purge_at
            && let Some(position) = handled.take()
        {
            if let Err(error) = runtime.block_on(purger.purge_up_to(position)) {
                tracing::warn!(%error, "the bus could not be purged; trying again later");
            }
            purge_at = now + PURGE_INTERVAL;
        }
    }
    if let Some(position) = handled {
        let _ = runtime.block_on(purger.purge_up_to(position));
    }
    writer.close()
}

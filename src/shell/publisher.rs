//! The publishing library: an outbox on the bus.
//!
//! ```text
//!  submit ----+                                      +--publish, in order---> EVENTS
//!  receipts --+--> one thread: Outbox, OutboxFile ---+--ask, subscribe------> the ledger
//!  ticks -----+      handle, fsync once, act         +--settled, alarms-----> whoever waits
//! ```
//!
//! One thread owns the outbox and its file. It takes whatever has arrived, makes all records that follow
//! durable with one sync, and only then lets anything leave; so the busier it is, the fewer syncs a statement
//! costs. Everything that waits for the network happens in tasks beside it. Nothing is decided here.
//!
//! If the file fails, the publisher stops for good: whoever supervises it starts again, from the file.

mod core;
mod errands;
mod waiting;

use std::{
    collections::BTreeMap,
    path::PathBuf,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use bytes::Bytes;
use tokio::sync::{mpsc, oneshot, watch};

use self::{
    core::{AbortOnDrop, Clock, Core},
    errands::run_errands,
    waiting::Waiting,
};
use crate::{
    id::{FeedId, FeedSequence, TreeSize},
    outbox::{
        Alarm, Config, Continuity, DeadLetter, Input, NotQueued, Outbox, ParcelId, ProvenRow, Record, Status,
        SubmitError, Ticket,
    },
    publish::{PackError, pack},
    shell::{
        nats::{Bus, BusNames},
        outbox_file::{OpenedOutbox, OutboxFile, OutboxFileError},
    },
    signature::SigningKey,
    wire::v1,
};

/// How often the outbox hears that time passes.
const TICK: Duration = Duration::from_millis(100);
/// How much may wait for the outbox before whoever sends it waits too.
const WORK_MAX: usize = 8_192;
/// How much of it shares one sync.
const TURN_MAX: usize = 4_096;

/// How to publish for one party.
#[derive(Debug)]
pub struct PublisherConfig {
    /// The outbox's folder. One publisher at a time.
    pub folder: PathBuf,
    /// Its generation file, best on another volume or left out of backups.
    pub generation: PathBuf,
    /// The log, the party, and how patient to be.
    pub outbox: Config,
    /// The party's keys: the first that is not closed is signed with.
    pub keys: Vec<SigningKey>,
}

impl PublisherConfig {
    /// With the generation file beside the folder, under its name and `.generation`.
    pub fn new(folder: impl Into<PathBuf>, outbox: Config, keys: Vec<SigningKey>) -> Self {
        let folder = folder.into();
        let mut generation = folder.clone().into_os_string();
        generation.push(".generation");
        Self {
            generation: generation.into(),
            folder,
            outbox,
            keys,
        }
    }
}

/// Why events were not taken, or what became of them will not be known here.
#[derive(Debug, thiserror::Error)]
pub enum PublishError {
    /// No ledger admits them.
    #[error("events cannot be published")]
    Pack(#[from] PackError),
    /// Too much waits for receipts already.
    #[error("the outbox is full")]
    Full(#[from] SubmitError),
    /// The outbox's file cannot be used.
    #[error("outbox file")]
    File(#[from] OutboxFileError),
    /// The publisher was stopped, or failed; what it had promised is in the file.
    #[error("the publisher has stopped")]
    Stopped,
}

/// What became of a parcel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Settled {
    /// Proven to be admitted, by the statement with this row.
    Admitted {
        /// The feed of the statement.
        feed: FeedId,
        /// Where it stands.
        row: ProvenRow,
    },
    /// Refused for good; the letter is kept until somebody takes it.
    DeadLettered(DeadLetter),
    /// Given up before it was admitted.
    Withdrawn,
    /// Settled in an earlier run, or so long ago that no more is remembered.
    Earlier,
}

/// A running publisher; clones share it. Dropping the last one stops it, and frees the outbox a moment later.
#[derive(Clone, Debug)]
pub struct Publisher {
    work: mpsc::Sender<Work>,
    status: watch::Receiver<Status>,
    failure: Arc<Mutex<Option<OutboxFileError>>>,
}

/// Hears of the outbox's records; see [`Publisher::start_watched`].
pub type Watch = Box<dyn FnMut(&Record) + Send>;

type Reply<T> = oneshot::Sender<T>;

/// What the thread is given to do.
enum Work {
    Submit(Vec<Vec<Bytes>>, Reply<Result<Ticket, SubmitError>>),
    Wait(Ticket, Reply<Vec<Settled>>),
    Withdraw(Vec<ParcelId>, Reply<Result<(), NotQueued>>),
    Letters(Reply<Vec<DeadLetter>>),
    Alarms(Reply<Vec<Alarm>>),
    Told(Input),
    /// A publish of this round failed.
    Failed(FeedId, FeedSequence, u64),
    Stop(Reply<()>),
}

impl Publisher {
    /// Opens the outbox and goes on with what is in it.
    ///
    /// # Errors
    /// [`PublishError::File`] if the outbox is in use or cannot be read.
    pub async fn start(bus: Bus, config: PublisherConfig) -> Result<Self, PublishError> {
        Self::start_watched(bus, config, Box::new(|_| {})).await
    }

    /// As [`start`](Self::start), and tells `watch` of every record of the outbox, in order: first of those in
    /// its file, then of each new one as soon as it is durable, before anything follows from it. Called on the
    /// outbox's thread, which waits for it.
    ///
    /// # Errors
    /// As [`start`](Self::start).
    pub async fn start_watched(
        bus: Bus,
        config: PublisherConfig,
        mut watch: Watch,
    ) -> Result<Self, PublishError> {
        let PublisherConfig {
            folder,
            generation,
            outbox: config,
            keys,
        } = config;
        let names = BusNames::new(&config.log.log_id());
        let clock = Clock::start();
        let opening = tokio::task::spawn_blocking(move || {
            let OpenedOutbox {
                mut file,
                state,
                continuity,
            } = OutboxFile::open_watched(&folder, &generation, &mut watch)?;
            let (outbox, effects) = Outbox::start(config, keys, state, continuity, clock.now());
            // What closes the feeds of a restored outbox comes first, then a generation that no backup has.
            file.append(&effects.records)?;
            effects.records.iter().for_each(&mut watch);
            if continuity != Continuity::Unbroken {
                tracing::error!("the outbox was restored from a backup: its feeds are closed");
                file.compact(outbox.state())?;
            }
            Ok::<_, OutboxFileError>((outbox, file, watch, effects.actions))
        });
        let (outbox, file, watch, first_actions) = opening.await.map_err(|_| PublishError::Stopped)??;
        let (work, receiver) = mpsc::channel(WORK_MAX);
        let (status_sender, status) = watch::channel(outbox.status());
        let (actions, to_do) = mpsc::unbounded_channel();
        let failure = Arc::new(Mutex::new(None));
        let errands = tokio::spawn(run_errands(bus, names, to_do, work.downgrade()));
        let core = Core {
            outbox,
            file,
            watch,
            clock,
            actions,
            rounds: BTreeMap::new(),
            waiting: Waiting::default(),
            status: status_sender,
            _errands: AbortOnDrop(errands.abort_handle()),
        };
        let failed = failure.clone();
        std::thread::Builder::new()
            .name("outbox".to_owned())
            .spawn(move || {
                if let Err(error) = core.run(receiver, first_actions) {
                    tracing::error!(error = &error as &dyn std::error::Error, "the publisher stops");
                    *failed.lock().unwrap_or_else(PoisonError::into_inner) = Some(error);
                }
            })
            .map_err(|_| PublishError::Stopped)?;
        Ok(Self {
            work,
            status,
            failure,
        })
    }

    /// Takes events. When this returns they are durable, and will be admitted or become a dead letter, whatever
    /// happens to this process.
    ///
    /// # Errors
    /// [`PublishError`]; nothing is taken then, but after [`PublishError::Stopped`] that is not certain.
    pub async fn submit(&self, events: &[v1::Event]) -> Result<Ticket, PublishError> {
        let packs = pack(events)?;
        Ok(self.ask(|reply| Work::Submit(packs, reply)).await??)
    }

    /// As [`submit`](Self::submit), but waits while the outbox is full.
    ///
    /// # Errors
    /// [`PublishError`], except for [`PublishError::Full`] of events that can fit.
    pub async fn submit_when_there_is_room(&self, events: &[v1::Event]) -> Result<Ticket, PublishError> {
        let mut status = self.status.clone();
        loop {
            status.borrow_and_update();
            match self.submit(events).await {
                Err(PublishError::Full(SubmitError::Full { more, max, .. })) if more <= max => {
                    status.changed().await.map_err(|_| PublishError::Stopped)?;
                }
                other => return other,
            }
        }
    }

    /// Waits until every parcel of a ticket is settled: proven, refused for good, or withdrawn. A parcel that was
    /// divided counts as the two that carry its events on.
    ///
    /// # Errors
    /// [`PublishError::Stopped`] if the publisher stops before.
    pub async fn wait_receipted(&self, ticket: Ticket) -> Result<Vec<Settled>, PublishError> {
        self.ask(|reply| Work::Wait(ticket, reply)).await
    }

    /// Waits until nothing waits for a receipt, for at most `deadline`. Returns what is left to do.
    ///
    /// # Errors
    /// [`PublishError::Stopped`] if the publisher stops before.
    pub async fn drain(&self, deadline: Duration) -> Result<Status, PublishError> {
        let mut status = self.status.clone();
        let is_drained = |status: &Status| status.queued == 0 && status.unreceipted == 0;
        match tokio::time::timeout(deadline, status.wait_for(is_drained)).await {
            Ok(Ok(drained)) => Ok(*drained),
            Ok(Err(_)) => Err(PublishError::Stopped),
            Err(_) => Ok(self.status()),
        }
    }

    /// The outbox at a glance.
    pub fn status(&self) -> Status {
        *self.status.borrow()
    }

    /// Tells of every change of [`status`](Self::status).
    pub fn watch_status(&self) -> watch::Receiver<Status> {
        self.status.clone()
    }

    /// Dead letters that nobody has taken.
    ///
    /// # Errors
    /// [`PublishError::Stopped`].
    pub async fn letters(&self) -> Result<Vec<DeadLetter>, PublishError> {
        self.ask(Work::Letters).await
    }

    /// Takes a dead letter: it is forgotten.
    ///
    /// # Errors
    /// [`PublishError::Stopped`].
    pub async fn take_letter(&self, parcel: ParcelId) -> Result<(), PublishError> {
        self.tell(Input::LetterTaken(parcel)).await
    }

    /// Gives parcels up that wait to be signed, for the first time or again: all of them, or none if one does not
    /// wait. When this returns [`Ok`], that is durable.
    ///
    /// # Errors
    /// [`PublishError::Stopped`]; then it is not known whether it was done.
    pub async fn withdraw(&self, parcels: Vec<ParcelId>) -> Result<Result<(), NotQueued>, PublishError> {
        self.ask(|reply| Work::Withdraw(parcels, reply)).await
    }

    /// Every alarm ever raised, oldest first, with its evidence.
    ///
    /// # Errors
    /// [`PublishError::Stopped`].
    pub async fn alarms(&self) -> Result<Vec<Alarm>, PublishError> {
        self.ask(Work::Alarms).await
    }

    /// Adds a key, to be signed with once those before it are closed.
    ///
    /// # Errors
    /// [`PublishError::Stopped`].
    pub async fn add_key(&self, key: SigningKey) -> Result<(), PublishError> {
        self.tell(Input::KeyAdded(key)).await
    }

    /// Says that the log's first `size` entries are held by a mirror or cosigned, so that receipted statements
    /// among them need not be kept.
    ///
    /// # Errors
    /// [`PublishError::Stopped`].
    pub async fn mirrored(&self, size: TreeSize) -> Result<(), PublishError> {
        self.tell(Input::Mirrored(size)).await
    }

    /// Stops, and returns once the outbox is free for another publisher.
    ///
    /// # Errors
    /// Why it had stopped before, if its file failed.
    pub async fn stop(self) -> Result<(), PublishError> {
        // An error means that it has stopped already.
        let _ = self.ask(Work::Stop).await;
        let failure = self.failure.lock().unwrap_or_else(PoisonError::into_inner).take();
        failure.map_or(Ok(()), |error| Err(error.into()))
    }

    async fn tell(&self, input: Input) -> Result<(), PublishError> {
        let sent = self.work.send(Work::Told(input)).await;
        sent.map_err(|_| PublishError::Stopped)
    }

    async fn ask<T>(&self, work: impl FnOnce(Reply<T>) -> Work) -> Result<T, PublishError> {
        let (reply, answer) = oneshot::channel();
        let sent = self.work.send(work(reply)).await;
        sent.map_err(|_| PublishError::Stopped)?;
        answer.await.map_err(|_| PublishError::Stopped)
    }
}

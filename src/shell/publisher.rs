//! The publishing library: the outbox on a real bus.
//!
//! One task owns the [`Outbox`] and its file. It makes records durable before it performs an action, listens
//! for receipts and answers on its feeds, and lets the clock tick. Everything it decides is the outbox's.

use std::{
    collections::BTreeMap,
    path::PathBuf,
    sync::Arc,
    time::{Duration, Instant},
};

use bytes::Bytes;
use futures::StreamExt as _;
use tokio::{
    sync::{mpsc, oneshot, watch},
    task::JoinHandle,
};

use super::{
    nats::{Bus, BusNames},
    outbox_file::{OpenedOutbox, OutboxFile, OutboxFileError},
};
use crate::{
    id::FeedId,
    outbox::{
        Action, Alarm, Config, DeadLetter, Effects, Input, Moment, Outbox, ParcelId, ProvenRow, Status,
        SubmitError,
    },
    publish::{PackError, pack},
    signature::SigningKey,
    wire::v1,
};

/// How often the outbox is told that time passes.
const TICK: Duration = Duration::from_millis(100);

/// What a publisher is told at its start.
#[derive(Debug)]
pub struct PublisherConfig {
    /// Folder of its outbox; one publisher at a time.
    pub folder: PathBuf,
    /// File of the outbox's generation number, not to be restored together with the folder.
    pub generation: PathBuf,
    /// The log, the party, and how patient it is.
    pub outbox: Config,
    /// Keys, in the order in which they are to be used.
    pub keys: Vec<SigningKey>,
}

/// Why events were not taken, or not published.
#[derive(Debug, thiserror::Error)]
pub enum PublishError {
    /// An event that no ledger admits.
    #[error(transparent)]
    Pack(#[from] PackError),
    /// Too much waits for receipts.
    #[error(transparent)]
    Submit(#[from] SubmitError),
    /// The publisher has stopped, after an error of its file.
    #[error("the publisher has stopped")]
    Stopped,
    /// The outbox could not be opened or written.
    #[error("outbox")]
    File(#[from] OutboxFileError),
    /// The bus does not let us listen.
    #[error("listening on the bus")]
    Listen(#[from] async_nats::SubscribeError),
    /// The system gives no randomness.
    #[error("no randomness: {0}")]
    Randomness(getrandom::Error),
}

/// How a parcel ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ended {
    /// Its statement stands in the log, admitted; proven.
    Admitted(ProvenRow),
    /// Refused for good; a dead letter waits for a person.
    DeadLettered(DeadLetter),
}

/// What has ended so far, and what went wrong.
#[derive(Clone, Debug, Default)]
struct Progress {
    ended: BTreeMap<ParcelId, Ended>,
    alarms: Vec<Alarm>,
    status: Option<Status>,
}

/// A running publisher; clones share it. It stops when the last clone is dropped.
#[derive(Clone, Debug)]
pub struct Publisher {
    submissions: mpsc::Sender<Submission>,
    progress: watch::Receiver<Arc<Progress>>,
}

type Submission = (
    Vec<Vec<Bytes>>,
    oneshot::Sender<Result<Vec<ParcelId>, SubmitError>>,
);

impl Publisher {
    /// Opens the outbox and begins to publish what it owes.
    ///
    /// # Errors
    /// If the outbox cannot be opened.
    pub async fn start(bus: Bus, config: PublisherConfig) -> Result<Self, PublishError> {
        let (folder, generation) = (config.folder, config.generation);
        let opened = tokio::task::spawn_blocking(move || OutboxFile::open(&folder, &generation)).await;
        let OpenedOutbox {
            file,
            state,
            continuity,
        } = opened.map_err(|_| PublishError::Stopped)??;
        let clock = Clock::new();
        let names = BusNames::new(&config.outbox.log.log_id());
        let (outbox, effects) = Outbox::start(config.outbox, config.keys, state, continuity, clock.now());
        let (submissions, submitted) = mpsc::channel(16);
        let (heard, hearing) = mpsc::channel(4_096);
        let (show, progress) = watch::channel(Arc::default());
        let mut task = Task {
            bus,
            names,
            outbox,
            file,
            clock,
            heard,
            listening: BTreeMap::new(),
            progress: Progress::default(),
            show,
        };
        task.perform(effects).await?;
        tokio::spawn(async move {
            if let Err(error) = task.run(submitted, hearing).await {
                tracing::error!(%error, "the publisher stops");
            }
        });
        Ok(Self {
            submissions,
            progress,
        })
    }

    /// Takes events: once this returns they are durable in the outbox, and will be published until proven.
    ///
    /// # Errors
    /// [`PublishError`]; nothing is taken then.
    pub async fn submit(&self, events: &[v1::Event]) -> Result<Vec<ParcelId>, PublishError> {
        let (answer, answered) = oneshot::channel();
        self.submissions
            .send((pack(events)?, answer))
            .await
            .map_err(|_| PublishError::Stopped)?;
        Ok(answered.await.map_err(|_| PublishError::Stopped)??)
    }

    /// Waits until a parcel is admitted or refused for good.
    ///
    /// # Errors
    /// If the publisher stops before.
    pub async fn ended(&self, parcel: ParcelId) -> Result<Ended, PublishError> {
        let mut progress = self.progress.clone();
        let seen = progress
            .wait_for(|progress| progress.ended.contains_key(&parcel))
            .await;
        let seen = seen.map_err(|_| PublishError::Stopped)?;
        seen.ended.get(&parcel).cloned().ok_or(PublishError::Stopped)
    }

    /// Alarms raised in this run.
    pub fn alarms(&self) -> Vec<Alarm> {
        self.progress.borrow().alarms.clone()
    }

    /// The outbox at a glance.
    pub fn status(&self) -> Option<Status> {
        self.progress.borrow().status
    }
}

/// Both clocks of [`Moment`].
#[derive(Debug)]
struct Clock(Instant);

impl Clock {
    #[expect(
        clippy::disallowed_methods,
        reason = "the publisher's shell is where its clocks are read"
    )]
    fn new() -> Self {
        Self(Instant::now())
    }

    #[expect(
        clippy::disallowed_methods,
        reason = "the publisher's shell is where its clocks are read"
    )]
    fn now(&self) -> Moment {
        let wall = std::time::SystemTime::now()
            .duration_since(std::time::UNIX_EPOCH)
            .unwrap_or_default();
        Moment {
            steady_ms: u64::try_from(self.0.elapsed().as_millis()).unwrap_or(u64::MAX),
            wall_nanos: i64::try_from(wall.as_nanos()).unwrap_or(i64::MAX),
        }
    }
}

struct Task {
    bus: Bus,
    names: BusNames,
    outbox: Outbox,
    file: OutboxFile,
    clock: Clock,
    heard: mpsc::Sender<Input>,
    listening: BTreeMap<FeedId, JoinHandle<()>>,
    progress: Progress,
    show: watch::Sender<Arc<Progress>>,
}

impl Task {
    async fn run(
        mut self,
        mut submitted: mpsc::Receiver<Submission>,
        mut hearing: mpsc::Receiver<Input>,
    ) -> Result<(), PublishError> {
        let mut ticks = tokio::time::interval(TICK);
        loop {
            let effects = tokio::select! {
                submission = submitted.recv() => {
                    let Some((packs, answer)) = submission else { return Ok(()) };
                    match self.outbox.submit(packs, self.clock.now()) {
                        Ok((ticket, effects)) => {
                            // Promised only once durable.
                            self.perform(effects).await?;
                            let _ = answer.send(Ok(ticket.parcels().collect()));
                            continue;
                        }
                        Err(error) => {
                            let _ = answer.send(Err(error));
                            continue;
                        }
                    }
                }
                Some(input) = hearing.recv() => {
                    let mut effects = self.outbox.handle(input, self.clock.now());
                    // What has arrived meanwhile shares the sync.
                    while let Ok(input) = hearing.try_recv() {
                        effects.join(self.outbox.handle(input, self.clock.now()));
                    }
                    effects
                }
                _ = ticks.tick() => {
                    let mut nonce = [0; 32];
                    let mut jitter = [0; 2];
                    getrandom::fill(&mut nonce).and_then(|()| getrandom::fill(&mut jitter)).map_err(PublishError::Randomness)?;
                    self.outbox.handle(Input::Tick { nonce, jitter: u16::from_be_bytes(jitter) }, self.clock.now())
                }
            };
            self.perform(effects).await?;
        }
    }

    /// Makes the records durable, then does what is to be done, and what follows from that.
    async fn perform(&mut self, effects: Effects) -> Result<(), PublishError> {
        let mut next = effects;
        while !next.is_empty() {
            let Effects { records, actions } = std::mem::take(&mut next);
            self.file.append(&records)?;
            for action in actions {
                if let Some(input) = self.act(action).await? {
                    next.join(self.outbox.handle(input, self.clock.now()));
                }
            }
        }
        if self.file.wants_compaction() {
            self.file.compact(self.outbox.state())?;
        }
        self.progress.status = Some(self.outbox.status());
        self.show.send_replace(Arc::new(self.progress.clone()));
        Ok(())
    }

    async fn act(&mut self, action: Action) -> Result<Option<Input>, PublishError> {
        match action {
            Action::Listen { feed } => {
                if !self.listening.contains_key(&feed) {
                    let listening = self.listen(feed).await?;
                    self.listening.insert(feed, listening);
                }
            }
            Action::Publish {
                feed,
                sequence,
                envelope,
            } => {
                let subject = self.names.statement(&feed);
                let failed = Input::PublishFailed { feed, sequence };
                match self.bus.jetstream().publish(subject, envelope).await {
                    Err(error) => {
                        tracing::warn!(%error, "a statement could not be handed to the bus");
                        return Ok(Some(failed));
                    }
                    Ok(acknowledged) => {
                        let heard = self.heard.clone();
                        tokio::spawn(async move {
                            if let Err(error) = acknowledged.await {
                                tracing::warn!(%error, "the bus did not take a statement");
                                let _ = heard.send(failed).await;
                            }
                        });
                    }
                }
            }
            Action::Load { feed, first, last } => {
                return Ok(Some(Input::Loaded(self.file.load(feed, first, last)?)));
            }
            Action::AskHead { query } => self.ask(self.names.ask_head(), query, Input::HeadReply),
            Action::AskReceipts { query } => self.ask(self.names.ask_receipts(), query, Input::Receipt),
            Action::Admitted { parcel, row, .. } => {
                self.progress.ended.insert(parcel, Ended::Admitted(row));
            }
            Action::DeadLettered(letter) => {
                tracing::error!(parcel = ?letter.parcel, "refused for good");
                self.progress
                    .ended
                    .insert(letter.parcel, Ended::DeadLettered(letter));
            }
            Action::Alarm(alarm) => {
                tracing::error!(kind = ?alarm.kind, feed = %alarm.feed, "alarm");
                self.progress.alarms.push(alarm);
            }
            Action::Stopped(refusal) => tracing::warn!(%refusal, "the register does not allow what we say"),
            Action::Resumed => tracing::info!("the register allows it again"),
        }
        Ok(None)
    }

    async fn listen(&self, feed: FeedId) -> Result<JoinHandle<()>, async_nats::SubscribeError> {
        let client = self.bus.client();
        let receipts = client.subscribe(self.names.receipt(&feed)).await?;
        let answers = client.subscribe(self.names.answer(&feed)).await?;
        let heard = self.heard.clone();
        let mut inputs = futures::stream::select(
            receipts.map(|message| Input::Receipt(message.payload)),
            answers.map(|message| Input::Answer(message.payload)),
        );
        Ok(tokio::spawn(async move {
            while let Some(input) = inputs.next().await {
                if heard.send(input).await.is_err() {
                    return;
                }
            }
        }))
    }

    fn ask(&self, subject: String, query: Bytes, input: fn(Bytes) -> Input) {
        let (client, heard) = (self.bus.client().clone(), self.heard.clone());
        tokio::spawn(async move {
            match client.request(subject, query).await {
                Ok(reply) => drop(heard.send(input(reply.payload)).await),
                Err(error) => tracing::debug!(%error, "the ledger did not answer"),
            }
        });
    }
}

impl Drop for Task {
    fn drop(&mut self) {
        for listening in self.listening.values() {
            listening.abort();
        }
    }
}

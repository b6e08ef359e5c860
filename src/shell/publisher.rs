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

use std::{
    collections::{BTreeMap, BTreeSet},
    path::PathBuf,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use bytes::Bytes;
use futures::StreamExt as _;
use tokio::{
    sync::{mpsc, oneshot, watch},
    task::{AbortHandle, JoinSet},
    time::MissedTickBehavior,
};

use crate::{
    id::{FeedId, FeedSequence, TreeSize},
    outbox::{
        Action, Alarm, Config, Continuity, DeadLetter, Effects, Fate, Input, Moment, Outbox, ParcelId,
        ProvenRow, Status, SubmitError, Ticket,
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

type Reply<T> = oneshot::Sender<T>;

/// What the thread is given to do.
enum Work {
    Submit(Vec<Vec<Bytes>>, Reply<Result<Ticket, SubmitError>>),
    Wait(Ticket, Reply<Vec<Settled>>),
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
            } = OutboxFile::open(&folder, &generation)?;
            let (outbox, effects) = Outbox::start(config, keys, state, continuity, clock.now());
            // What closes the feeds of a restored outbox comes first, then a generation that no backup has.
            file.append(&effects.records)?;
            if continuity != Continuity::Unbroken {
                tracing::error!("the outbox was restored from a backup: its feeds are closed");
                file.compact(outbox.state())?;
            }
            Ok::<_, OutboxFileError>((outbox, file, effects.actions))
        });
        let (outbox, file, first_actions) = opening.await.map_err(|_| PublishError::Stopped)??;
        let (work, receiver) = mpsc::channel(WORK_MAX);
        let (status_sender, status) = watch::channel(outbox.status());
        let (actions, to_do) = mpsc::unbounded_channel();
        let failure = Arc::new(Mutex::new(None));
        let errands = tokio::spawn(run_errands(bus, names, to_do, work.downgrade()));
        let core = Core {
            outbox,
            file,
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
                Err(PublishError::Full(SubmitError::Full { held, .. })) if held > 0 => {
                    status.changed().await.map_err(|_| PublishError::Stopped)?;
                }
                other => return other,
            }
        }
    }

    /// Waits until every parcel of a ticket is settled: proven, or refused for good.
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

/// Both clocks.
#[derive(Clone, Copy, Debug)]
struct Clock {
    started: Instant,
}

impl Clock {
    #[expect(clippy::disallowed_methods, reason = "a shell reads the clock for the outbox")]
    fn start() -> Self {
        Self {
            started: Instant::now(),
        }
    }

    #[expect(clippy::disallowed_methods, reason = "a shell reads the clock for the outbox")]
    fn now(self) -> Moment {
        let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Moment {
            steady_ms: u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX),
            wall_nanos: i64::try_from(since_epoch.as_nanos()).unwrap_or(i64::MAX),
        }
    }
}

/// Something for the tasks beside to do.
enum Errand {
    /// With the feed's round, so that nothing follows a failed one.
    Publish(FeedId, FeedSequence, u64, Bytes),
    Listen(FeedId),
    AskHead(Bytes),
    AskReceipts(Bytes),
}

/// What the thread owns.
struct Core {
    outbox: Outbox,
    file: OutboxFile,
    clock: Clock,
    actions: mpsc::UnboundedSender<Errand>,
    /// How often a publish failed, by feed: failures of earlier rounds are no news.
    rounds: BTreeMap<FeedId, u64>,
    waiting: Waiting,
    status: watch::Sender<Status>,
    _errands: AbortOnDrop,
}

/// Ends a task, and those that it has spawned, when dropped.
struct AbortOnDrop(AbortHandle);

impl Drop for AbortOnDrop {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// What is answered at the end of a turn, when everything in it is durable and done.
#[derive(Default)]
struct Turn {
    taken: Vec<(Ticket, Reply<Result<Ticket, SubmitError>>)>,
    waits: Vec<(Ticket, Reply<Vec<Settled>>)>,
    stopping: Option<Reply<()>>,
}

impl Core {
    fn run(mut self, mut work: mpsc::Receiver<Work>, actions: Vec<Action>) -> Result<(), OutboxFileError> {
        let mut stopping = None;
        self.perform(Effects {
            records: Vec::new(),
            actions,
        })?;
        while stopping.is_none()
            && let Some(first) = work.blocking_recv()
        {
            let mut effects = Effects::default();
            let mut turn = Turn::default();
            let mut next = Some(first);
            let mut left = TURN_MAX;
            while let Some(work_now) = next {
                effects.join(self.take(work_now, &mut turn));
                left -= 1;
                next = if left > 0 { work.try_recv().ok() } else { None };
            }
            self.perform(effects)?;
            // Nobody who is told of what happened may see a status from before.
            self.show_status();
            // Promised only now that it is durable. Whoever has stopped waiting does not need to know.
            for (ticket, reply) in turn.taken {
                let _ = reply.send(Ok(ticket));
            }
            for (ticket, reply) in turn.waits {
                self.waiting.add(ticket, reply, &self.outbox);
            }
            stopping = turn.stopping;
            if self.file.wants_compaction() {
                self.file.compact(self.outbox.state())?;
            }
        }
        // The lock is free before anybody hears of the end.
        drop(self);
        if let Some(reply) = stopping {
            let _: Result<(), ()> = reply.send(());
        }
        Ok(())
    }

    fn take(&mut self, work: Work, turn: &mut Turn) -> Effects {
        let now = self.clock.now();
        match work {
            Work::Submit(packs, reply) => match self.outbox.submit(packs, now) {
                Ok((ticket, effects)) => {
                    turn.taken.push((ticket, reply));
                    return effects;
                }
                Err(error) => {
                    let _ = reply.send(Err(error));
                }
            },
            Work::Told(input) => return self.outbox.handle(input, now),
            Work::Failed(feed, sequence, round) => {
                let current = self.rounds.entry(feed).or_default();
                if *current == round {
                    *current += 1;
                    return self.outbox.handle(Input::PublishFailed { feed, sequence }, now);
                }
            }
            Work::Wait(ticket, reply) => turn.waits.push((ticket, reply)),
            Work::Letters(reply) => {
                let _ = reply.send(self.outbox.letters().cloned().collect());
            }
            Work::Alarms(reply) => {
                let _ = reply.send(self.outbox.alarms().to_vec());
            }
            Work::Stop(reply) => turn.stopping = Some(reply),
        }
        Effects::default()
    }

    /// Makes records durable and then acts, in order.
    fn perform(&mut self, effects: Effects) -> Result<(), OutboxFileError> {
        let mut next = effects;
        while !next.is_empty() {
            self.file.append(&next.records)?;
            self.show_status();
            let mut later = Effects::default();
            for action in next.actions {
                if let Some(input) = self.act(action)? {
                    later.join(self.outbox.handle(input, self.clock.now()));
                }
            }
            next = later;
        }
        Ok(())
    }

    fn show_status(&self) {
        let status = self.outbox.status();
        self.status
            .send_if_modified(|last| std::mem::replace(last, status) != status);
    }

    fn act(&mut self, action: Action) -> Result<Option<Input>, OutboxFileError> {
        let errand = match action {
            Action::Publish {
                feed,
                sequence,
                envelope,
            } => {
                let round = self.rounds.get(&feed).copied().unwrap_or_default();
                Errand::Publish(feed, sequence, round, envelope)
            }
            Action::Listen { feed } => Errand::Listen(feed),
            Action::AskHead { query } => Errand::AskHead(query),
            Action::AskReceipts { query } => Errand::AskReceipts(query),
            Action::Load { feed, first, last } => {
                return Ok(Some(Input::Loaded(self.file.load(feed, first, last)?)));
            }
            Action::Admitted { parcel, feed, row } => {
                self.waiting.settle(parcel, Settled::Admitted { feed, row });
                return Ok(None);
            }
            Action::DeadLettered(letter) => {
                tracing::warn!(parcel = letter.parcel.get(), refusal = %letter.refusal, index = %letter.index, "refused for good");
                self.waiting.settle(letter.parcel, Settled::DeadLettered(letter));
                return Ok(None);
            }
            Action::Alarm(alarm) => {
                tracing::error!(kind = ?alarm.kind, feed = %alarm.feed, "alarm");
                return Ok(None);
            }
            Action::Stopped(refusal) => {
                tracing::warn!(%refusal, "the register does not allow what we publish: trying single statements");
                return Ok(None);
            }
            Action::Resumed => {
                tracing::info!("publishing goes on");
                return Ok(None);
            }
        };
        // The tasks beside end only with this thread, or with the runtime.
        let _ = self.actions.send(errand);
        Ok(None)
    }
}

/// Who waits for which parcels.
#[derive(Default)]
struct Waiting {
    waiters: BTreeMap<u64, Waiter>,
    next: u64,
    by_parcel: BTreeMap<ParcelId, Vec<u64>>,
    /// What was settled lately, for those who begin to wait afterwards.
    lately: BTreeMap<ParcelId, Settled>,
}

struct Waiter {
    ticket: Ticket,
    missing: BTreeSet<ParcelId>,
    settled: BTreeMap<ParcelId, Settled>,
    reply: Reply<Vec<Settled>>,
}

impl Waiting {
    /// How many parcels settled lately are remembered.
    const LATELY_MAX: usize = 65_536;

    fn add(&mut self, ticket: Ticket, reply: Reply<Vec<Settled>>, outbox: &Outbox) {
        let mut waiter = Waiter {
            ticket,
            missing: BTreeSet::new(),
            settled: BTreeMap::new(),
            reply,
        };
        for parcel in ticket.parcels() {
            let known = self.lately.get(&parcel).cloned();
            let settled = known.or_else(|| match outbox.fate(parcel) {
                Fate::Pending => None,
                Fate::DeadLettered(_) => outbox
                    .letters()
                    .find(|letter| letter.parcel == parcel)
                    .map(|letter| Settled::DeadLettered(letter.clone())),
                Fate::Done | Fate::Unknown => Some(Settled::Earlier),
            });
            match settled {
                Some(settled) => drop(waiter.settled.insert(parcel, settled)),
                None => drop(waiter.missing.insert(parcel)),
            }
        }
        if waiter.missing.is_empty() {
            waiter.finish();
            return;
        }
        for parcel in &waiter.missing {
            self.by_parcel.entry(*parcel).or_default().push(self.next);
        }
        self.waiters.insert(self.next, waiter);
        self.next += 1;
    }

    fn settle(&mut self, parcel: ParcelId, settled: Settled) {
        for number in self.by_parcel.remove(&parcel).unwrap_or_default() {
            let Some(waiter) = self.waiters.get_mut(&number) else {
                continue;
            };
            waiter.missing.remove(&parcel);
            waiter.settled.insert(parcel, settled.clone());
            if waiter.missing.is_empty()
                && let Some(waiter) = self.waiters.remove(&number)
            {
                waiter.finish();
            }
        }
        self.lately.insert(parcel, settled);
        if self.lately.len() > Self::LATELY_MAX {
            self.lately.pop_first();
        }
    }
}

impl Waiter {
    fn finish(mut self) {
        let settled = self
            .ticket
            .parcels()
            .filter_map(|parcel| self.settled.remove(&parcel));
        let settled = settled.collect();
        // Whoever has stopped waiting does not need to know.
        let _ = self.reply.send(settled);
    }
}

/// The last round of each feed in which a publish failed.
type FailedRounds = Arc<Mutex<BTreeMap<FeedId, u64>>>;

/// Publishes, asks and listens, and tells the thread what comes of it. Ends with the publisher.
async fn run_errands(
    bus: Bus,
    names: BusNames,
    mut errands: mpsc::UnboundedReceiver<Errand>,
    work: mpsc::WeakSender<Work>,
) {
    // Dropping the set, when this task is aborted, aborts them all.
    let mut beside = JoinSet::new();
    beside.spawn(tick(work.clone()));
    listen(&bus, names.head(), Input::Checkpoint, &work, &mut beside).await;
    let failed = FailedRounds::default();
    loop {
        let errand = tokio::select! {
            errand = errands.recv() => errand,
            Some(_) = beside.join_next() => continue,
        };
        match errand {
            None => return,
            Some(Errand::Publish(feed, sequence, round, envelope)) => {
                let is_over = locked(&failed).get(&feed).is_some_and(|last| round <= *last);
                if is_over {
                    continue;
                }
                // In order; the acknowledgement is waited for beside.
                let sent = bus.jetstream().publish(names.statement(&feed), envelope).await;
                let (failed, work) = (failed.clone(), work.clone());
                beside.spawn(async move {
                    let outcome = match sent {
                        Ok(acknowledgement) => acknowledgement.await.map(drop),
                        Err(error) => Err(error),
                    };
                    if let Err(error) = outcome {
                        tracing::debug!(%error, %feed, %sequence, "the bus did not take a statement");
                        if is_first_failure(&failed, feed, round) {
                            tell(&work, Work::Failed(feed, sequence, round)).await;
                        }
                    }
                });
            }
            Some(Errand::Listen(feed)) => {
                listen(&bus, names.receipt(&feed), Input::Receipt, &work, &mut beside).await;
                listen(&bus, names.answer(&feed), Input::Answer, &work, &mut beside).await;
            }
            Some(Errand::AskHead(query)) => {
                beside.spawn(ask(
                    bus.clone(),
                    names.ask_head(),
                    query,
                    Input::HeadReply,
                    work.clone(),
                ));
            }
            Some(Errand::AskReceipts(query)) => {
                beside.spawn(ask(
                    bus.clone(),
                    names.ask_receipts(),
                    query,
                    Input::Receipt,
                    work.clone(),
                ));
            }
        }
    }
}

fn locked(failed: &FailedRounds) -> MutexGuard<'_, BTreeMap<FeedId, u64>> {
    failed.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Ends a round for its feed. Returns whether nothing had ended it before.
fn is_first_failure(failed: &FailedRounds, feed: FeedId, round: u64) -> bool {
    let mut failed = locked(failed);
    let is_first = failed.get(&feed).is_none_or(|last| *last < round);
    if is_first {
        failed.insert(feed, round);
    }
    is_first
}

/// Hands work to the thread. Returns whether there still is one.
async fn tell(work: &mpsc::WeakSender<Work>, told: Work) -> bool {
    match work.upgrade() {
        Some(work) => work.send(told).await.is_ok(),
        None => false,
    }
}

async fn tick(work: mpsc::WeakSender<Work>) {
    let mut interval = tokio::time::interval(TICK);
    interval.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        interval.tick().await;
        let mut random = [0; 34];
        if let Err(error) = getrandom::fill(&mut random) {
            // Without nonces nothing can be asked, so nothing false can be believed either.
            tracing::error!(%error, "the system has no randomness");
            continue;
        }
        let (nonce, jitter) = random.split_at(32);
        let (Ok(nonce), Ok(jitter)) = (nonce.try_into(), jitter.try_into()) else {
            continue;
        };
        let jitter = u16::from_be_bytes(jitter);
        if !tell(&work, Work::Told(Input::Tick { nonce, jitter })).await {
            return;
        }
    }
}

/// Subscribes, and passes on whatever comes. A message that is lost is asked for later.
async fn listen(
    bus: &Bus,
    subject: String,
    input: fn(Bytes) -> Input,
    work: &mpsc::WeakSender<Work>,
    beside: &mut JoinSet<()>,
) {
    let mut messages = match bus.client().subscribe(subject).await {
        Ok(messages) => messages,
        Err(error) => {
            tracing::error!(%error, "cannot listen; receipts have to be asked for");
            return;
        }
    };
    let work = work.clone();
    beside.spawn(async move {
        while let Some(message) = messages.next().await {
            if !tell(&work, Work::Told(input(message.payload))).await {
                return;
            }
        }
    });
}

async fn ask(
    bus: Bus,
    subject: String,
    query: Bytes,
    input: fn(Bytes) -> Input,
    work: mpsc::WeakSender<Work>,
) {
    match bus.client().request(subject, query).await {
        Ok(reply) => {
            tell(&work, Work::Told(input(reply.payload))).await;
        }
        // Asked again after the backoff.
        Err(error) => tracing::debug!(%error, "no reply"),
    }
}

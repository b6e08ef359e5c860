//! Follows a log: hears heads, believes those that the log's pinned keys signed, and moves to the newest.
//!
//! ```text
//! LEDGER (live, and its last value at start and reconnect) --.
//!                                                             +-- verify --> ahead:   read, hash, fold, show
//! GET /checkpoint (every few seconds) -----------------------'              current: nothing to do
//!                                                                            older:   late, or rolled back
//!                                                                            forked:  alarm, stay
//! ```
//!
//! A head that no pinned key signed is dropped and counted: anybody on the bus can send one. What the log's
//! own key signed and contradicts what was verified is an alarm, and the projector stays where it is. The
//! highest head held goes back to the ledger with a head query now and then, so that a ledger restored from
//! an old copy learns of it, and halts.

use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use anyhow::{Context as _, Result};
use async_nats::{Subscriber, connection::State};
use bytes::Bytes;
use futures::StreamExt as _;
use lotproof::{
    id::{FeedId, Hash},
    log::{checkpoint::SignedCheckpoint, tree::LogHead},
    shell::nats::{Bus, BusNames},
    trust::TrustFile,
    wire::v1,
};
use prost::Message as _;
use tokio::{
    sync::watch,
    time::{Instant, MissedTickBehavior, interval},
};

use crate::{
    advance::{AdvanceError, Reading, advance, excludes},
    entries::EntrySource,
    health::{Alarm, AlarmKind},
    live::{Cost, HeadRelation, LiveLog},
    memory::Memory,
    metrics::Metrics,
};

/// Heads ahead that are remembered until they are reached or found to be excluded.
const PENDING_MAX: usize = 16;

/// Most openings that fit nothing that the process's log names.
const UNMATCHED_LINES_MAX: usize = 20;

/// How a head came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    /// Over the bus, where it may be late.
    Bus,
    /// As the ledger's checkpoint over HTTP, which it should never take back.
    Http,
}

/// What wakes the follower.
enum News {
    Stop,
    Unsubscribed,
    Head(Bytes),
    Poll,
}

/// Times and bounds of the follower.
#[derive(Clone, Copy, Debug)]
pub struct FollowOptions {
    /// How often the checkpoint is read over HTTP.
    pub poll_interval: Duration,
    /// How often the ledger is shown the highest head held.
    pub ask_interval: Duration,
    /// Most entries in memory at a time while a head is reached.
    pub chunk_entries_max: usize,
}

impl Default for FollowOptions {
    fn default() -> Self {
        Self {
            poll_interval: Duration::from_secs(2),
            ask_interval: Duration::from_mins(1),
            chunk_entries_max: 4_096,
        }
    }
}

/// One projector's view of one log.
pub(crate) struct Follower {
    bus: Bus,
    names: BusNames,
    trust: TrustFile,
    reading: Reading,
    log: LiveLog,
    metrics: Metrics,
    options: FollowOptions,
    /// Heads ahead, by size and root; two of one size may both be signed.
    pending: BTreeMap<(u64, [u8; 32]), SignedCheckpoint>,
    memory: Memory,
    /// A head verified before the restart that is not reached yet. Nothing else is folded before it.
    awaited: Option<SignedCheckpoint>,
}

impl Follower {
    pub(crate) fn new(
        bus: Bus,
        trust: TrustFile,
        ledger_url: &str,
        log: LiveLog,
        metrics: Metrics,
        memory: Memory,
        options: FollowOptions,
    ) -> Self {
        let awaited = memory.newest().cloned();
        if let Some(awaited) = &awaited {
            log.heard(awaited.head().size);
        }
        Self {
            names: BusNames::new(&trust.log_id()),
            bus,
            reading: Reading {
                source: EntrySource::new(ledger_url),
                log_id: trust.log_id(),
                chunk_entries_max: options.chunk_entries_max,
            },
            trust,
            log,
            metrics,
            options,
            pending: BTreeMap::new(),
            memory,
            awaited,
        }
    }

    /// Follows until `shutdown` turns true.
    pub(crate) async fn run(mut self, mut shutdown: watch::Receiver<bool>) -> Result<()> {
        let stop = Arc::new(AtomicBool::new(false));
        let on_shutdown = {
            let (stop, mut shutdown) = (stop.clone(), shutdown.clone());
            tokio::spawn(async move {
                stopped(&mut shutdown).await;
                stop.store(true, Ordering::Relaxed);
            })
        };
        let mut heads = self.subscribe().await?;
        let mut poll = interval(self.options.poll_interval);
        poll.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut connections = None;
        let mut ask_at = Instant::now();
        loop {
            let news = tokio::select! {
                biased;
                () = stopped(&mut shutdown) => News::Stop,
                heard = heads.next() => heard.map_or(News::Unsubscribed, |heard| News::Head(heard.payload)),
                _ = poll.tick() => News::Poll,
            };
            match news {
                News::Stop => break,
                News::Unsubscribed => heads = self.subscribe().await?,
                News::Head(note) => self.hear(Way::Bus, note),
                News::Poll => {
                    let now = self.bus.connections();
                    let is_new = connections.replace(now) != Some(now);
                    if is_new && let Some(last) = self.last_on_bus().await {
                        self.hear(Way::Bus, last);
                    }
                    if let Some(note) = self.checkpoint().await {
                        self.hear(Way::Http, note);
                    }
                    let is_suspicious = self.log.health().alarm.is_some();
                    if (is_new || is_suspicious || Instant::now() >= ask_at) && self.ask().await {
                        ask_at = Instant::now() + self.options.ask_interval;
                    }
                }
            }
            self.advance(&stop).await?;
            if self.memory.is_due(false) {
                tokio::task::block_in_place(|| self.memory.write());
            }
        }
        if self.memory.is_due(true) {
            tokio::task::block_in_place(|| self.memory.write());
        }
        on_shutdown.abort();
        Ok(())
    }

    async fn subscribe(&self) -> Result<Subscriber> {
        let client = self.bus.client();
        let heads = client
            .subscribe(self.names.head())
            .await
            .context("subscribing to heads")?;
        client.flush().await.context("subscribing to heads")?;
        Ok(heads)
    }

    /// The newest head that LEDGER kept.
    async fn last_on_bus(&self) -> Option<Bytes> {
        let stream = self.bus.jetstream().get_stream(self.names.ledger_stream()).await;
        let stream = stream.inspect_err(|error| tracing::debug!(%error, "LEDGER cannot be read"));
        let last = stream
            .ok()?
            .get_last_raw_message_by_subject(&self.names.head())
            .await;
        last.inspect_err(|error| tracing::debug!(%error, "LEDGER has no head"))
            .ok()
            .map(|message| message.payload)
    }

    async fn checkpoint(&self) -> Option<Bytes> {
        let source = self.reading.source.clone();
        let read = tokio::task::spawn_blocking(move || source.checkpoint())
            .await
            .ok()?;
        read.inspect_err(|error| tracing::debug!(%error, "the ledger's checkpoint cannot be read"))
            .ok()
    }

    /// Judges a head by what was verified before.
    fn hear(&mut self, way: Way, note: Bytes) {
        let signed = match SignedCheckpoint::verify(note, self.trust.origin(), self.trust.log_keys()) {
            Ok(signed) => signed,
            Err(error) => {
                self.metrics.heard_unverified();
                tracing::warn!(%error, ?way, "a head that the log did not sign");
                return;
            }
        };
        self.log.heard(signed.head().size);
        self.judge(way, signed);
    }

    fn judge(&mut self, way: Way, signed: SignedCheckpoint) {
        let head = *signed.head();
        let relation = self.relation(&head);
        if way == Way::Http && matches!(relation, HeadRelation::Ahead | HeadRelation::Current) {
            self.log.clear(&[AlarmKind::RolledBack]);
        }
        match relation {
            HeadRelation::Ahead => {
                self.pending
                    .insert((head.size.get(), *head.root.as_bytes()), signed);
                while self.pending.len() > PENDING_MAX {
                    // The smallest: a larger one that is reached covers it, unless it is excluded.
                    self.pending.pop_first();
                }
            }
            HeadRelation::Current => {
                tokio::task::block_in_place(|| self.log.signed(&signed));
            }
            HeadRelation::Older if way == Way::Bus => {
                tracing::debug!(size = %head.size, "a late head");
            }
            HeadRelation::Older => {
                let known = self.awaited.as_ref();
                let why = format!(
                    "the ledger shows a log of {} entries, it signed one of {} before",
                    head.size,
                    known.map_or_else(|| self.log.frontier().size(), |known| known.head().size),
                );
                self.alarm(AlarmKind::RolledBack, why, &signed);
            }
            HeadRelation::Forked => self.forked(&signed),
        }
    }

    /// How a head stands to what was verified, before a restart too.
    fn relation(&self, head: &LogHead) -> HeadRelation {
        match self.awaited.as_ref().map(SignedCheckpoint::head) {
            None => self.log.relation(head),
            Some(known) if head.size < known.size => HeadRelation::Older,
            Some(known) if head.size == known.size && head.root != known.root => HeadRelation::Forked,
            // To be reached, as everything after it.
            Some(_) => HeadRelation::Ahead,
        }
    }

    fn forked(&mut self, signed: &SignedCheckpoint) {
        let head = signed.head();
        let why = format!(
            "the log signed root {} at size {}, which excludes what it signed before",
            head.root, head.size
        );
        self.alarm(AlarmKind::Forked, why, signed);
    }

    /// Raises an alarm about what was verified and what stands `against` it.
    fn alarm(&mut self, kind: AlarmKind, why: String, against: &SignedCheckpoint) {
        if self.log.health().alarm.is_none_or(|alarm| alarm.kind != kind) {
            tracing::error!(kind = kind.as_str(), why, "something is wrong with the log");
        }
        let alarm = Alarm { kind, why };
        if kind.is_final() {
            tokio::task::block_in_place(|| self.memory.keep_alarm(&alarm, against));
        }
        self.log.raise(alarm);
    }

    /// Moves to the head that was verified before a restart, and then to the largest one ahead that can be reached.
    async fn advance(&mut self, stop: &Arc<AtomicBool>) -> Result<()> {
        if !self.reach_awaited(stop).await? {
            return Ok(());
        }
        let mut tried = Vec::new();
        while let Some((key, target)) = self.pending.pop_last() {
            if self.is_final() {
                return Ok(());
            }
            if self.log.relation(target.head()) != HeadRelation::Ahead {
                self.judge(Way::Bus, target);
                continue;
            }
            match self.reach(&target, stop).await? {
                Ok(()) if tried.is_empty() => {
                    self.log.clear(&[AlarmKind::EntriesMismatch, AlarmKind::OtherLog]);
                }
                Ok(()) => {}
                Err(AdvanceError::Stopped) => return Ok(()),
                Err(error) => {
                    self.failed(&error, &target);
                    tried.push((key, target));
                }
            }
        }
        // Heads that could not be reached are tried again with the next news.
        self.pending.extend(tried);
        let newest = self.log.newest();
        let reached = self.log.reached();
        let caught_up = reached.is_some_and(|reached| reached.head().size >= newest);
        if caught_up {
            self.caught_up();
        }
        Ok(())
    }

    fn is_final(&self) -> bool {
        let alarm = self.log.health().alarm;
        alarm.is_some_and(|alarm| alarm.kind.is_final())
    }

    /// Reads, verifies and folds up to a head.
    async fn reach(
        &mut self,
        target: &SignedCheckpoint,
        stop: &Arc<AtomicBool>,
    ) -> Result<Result<(), AdvanceError>> {
        let outcome = {
            let (log, reading) = (self.log.clone(), self.reading.clone());
            let (target, stop) = (target.clone(), stop.clone());
            let work = move || advance(&log, &reading, &target, &stop);
            tokio::task::spawn_blocking(work)
                .await
                .context("a fold panicked")?
        };
        if outcome.is_ok() {
            self.metrics.advanced("reached");
            self.memory.verified(target);
            tracing::debug!(size = %target.head().size, "moved to a new head");
        }
        Ok(outcome)
    }

    /// Whether there is no head from before a restart that is still to be reached.
    async fn reach_awaited(&mut self, stop: &Arc<AtomicBool>) -> Result<bool> {
        let Some(awaited) = self.awaited.clone() else {
            return Ok(true);
        };
        match self.reach(&awaited, stop).await? {
            Ok(()) => {
                self.awaited = None;
                self.log.clear(&[AlarmKind::EntriesMismatch, AlarmKind::OtherLog]);
                return Ok(true);
            }
            Err(AdvanceError::Stopped) => {}
            Err(error) => {
                // A ledger that shows less than it signed before need not have the entries either.
                let is_known = self
                    .log
                    .health()
                    .alarm
                    .is_some_and(|alarm| alarm.kind.is_final() || alarm.kind == AlarmKind::RolledBack);
                if is_known {
                    tracing::debug!(%error, "the head from before is not reached");
                } else if !self.find_fork(&awaited, stop).await? {
                    self.failed(&error, &awaited);
                }
            }
        }
        Ok(false)
    }

    /// Whether the entries that the ledger serves make a head that the log signed and that excludes `awaited`.
    async fn find_fork(&mut self, awaited: &SignedCheckpoint, stop: &Arc<AtomicBool>) -> Result<bool> {
        let Some(other) = self.pending.values().next_back().cloned() else {
            return Ok(false);
        };
        let (reading, stop) = (self.reading.clone(), stop.clone());
        let (first, second) = (*awaited.head(), *other.head());
        let found = tokio::task::spawn_blocking(move || excludes(&reading, first, second, &stop))
            .await
            .context("hashing panicked")?;
        if found.unwrap_or(false) {
            self.forked(&other);
            return Ok(true);
        }
        Ok(false)
    }

    fn caught_up(&self) {
        if self.log.health().caught_up {
            return;
        }
        self.log.set_health(|health| health.caught_up = true);
        tracing::info!(size = %self.log.newest(), "caught up with the log");
        let unmatched = self.log.read(Cost::Limited, |completed| {
            let some = completed.openings.each_unmatched().take(UNMATCHED_LINES_MAX);
            (some.collect::<Vec<_>>(), completed.openings.unmatched())
        });
        let (some, total) = unmatched.unwrap_or_default();
        for opening in &some {
            tracing::warn!(
                event = opening.event,
                path = opening.path,
                "an opening fits no sealed field so far, and reveals nothing"
            );
        }
        if total > some.len() {
            tracing::warn!(total, "more such openings: see /v1/openings");
        }
    }

    fn failed(&mut self, error: &AdvanceError, target: &SignedCheckpoint) {
        let kind = match error {
            AdvanceError::Fetch(error) => {
                self.metrics.advanced("unreachable");
                tracing::warn!(%error, "entries cannot be read; trying again");
                return;
            }
            AdvanceError::Mismatch { .. } => AlarmKind::EntriesMismatch,
            AdvanceError::OtherLog { .. } => AlarmKind::OtherLog,
            AdvanceError::Fold { .. } => AlarmKind::Unfoldable,
            AdvanceError::Stopped => return,
        };
        self.metrics.advanced(kind.as_str());
        self.alarm(kind, error.to_string(), target);
    }

    /// Shows the ledger the highest head held, with a question whose answer does not matter.
    async fn ask(&self) -> bool {
        let Some(highest) = self.awaited.clone().or_else(|| self.log.reached()) else {
            return false;
        };
        if self.bus.client().connection_state() != State::Connected {
            // Nobody would answer, and heads over HTTP would be read that much later.
            return false;
        }
        let mut nonce = [0; 32];
        if getrandom::fill(&mut nonce).is_err() {
            return false;
        }
        let query = v1::HeadQuery {
            log_id: self.trust.log_id().as_bytes().to_vec(),
            // Nobody's: no key hashes to its own name.
            feed: FeedId::new(*Hash::of(&[b"lotproof/compliance/head"]).as_bytes())
                .as_bytes()
                .to_vec(),
            nonce: nonce.to_vec(),
            checkpoint: highest.bytes().to_vec(),
        };
        let asked = self
            .bus
            .client()
            .request(self.names.ask_head(), query.encode_to_vec().into())
            .await;
        if let Err(error) = &asked {
            tracing::debug!(%error, "the ledger does not answer a head query");
        }
        asked.is_ok()
    }
}

async fn stopped(shutdown: &mut watch::Receiver<bool>) {
    // Nobody left who could say so means stop, too.
    let _ = shutdown.wait_for(|stop| *stop).await;
}

//! The thread that owns the outbox and its file.

use std::{
    collections::BTreeMap,
    time::{Instant, SystemTime, UNIX_EPOCH},
};

use tokio::{
    sync::{mpsc, watch},
    task::AbortHandle,
};

use super::{Reply, Settled, TURN_MAX, Watch, Work, errands::Errand, waiting::Waiting};
use crate::{
    id::FeedId,
    outbox::{Action, Effects, Input, Moment, NotQueued, Outbox, Status, SubmitError, Ticket},
    shell::outbox_file::{OutboxFile, OutboxFileError},
};

/// Both clocks.
#[derive(Clone, Copy, Debug)]
pub(super) struct Clock {
    started: Instant,
}

impl Clock {
    #[expect(clippy::disallowed_methods, reason = "a shell reads the clock for the outbox")]
    pub(super) fn start() -> Self {
        Self {
            started: Instant::now(),
        }
    }

    #[expect(clippy::disallowed_methods, reason = "a shell reads the clock for the outbox")]
    pub(super) fn now(self) -> Moment {
        let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Moment {
            steady_ms: u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX),
            wall_nanos: i64::try_from(since_epoch.as_nanos()).unwrap_or(i64::MAX),
        }
    }
}

/// What the thread owns.
pub(super) struct Core {
    pub(super) outbox: Outbox,
    pub(super) file: OutboxFile,
    pub(super) watch: Watch,
    pub(super) clock: Clock,
    pub(super) actions: mpsc::UnboundedSender<Errand>,
    /// How often a publish failed, by feed: failures of earlier rounds are no news.
    pub(super) rounds: BTreeMap<FeedId, u64>,
    pub(super) waiting: Waiting,
    pub(super) status: watch::Sender<Status>,
    pub(super) _errands: AbortOnDrop,
}

/// Ends a task, and those that it has spawned, when dropped.
pub(super) struct AbortOnDrop(pub(super) AbortHandle);

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
    withdrawn: Vec<Reply<Result<(), NotQueued>>>,
    stopping: Option<Reply<()>>,
}

impl Core {
    pub(super) fn run(
        mut self,
        mut work: mpsc::Receiver<Work>,
        actions: Vec<Action>,
    ) -> Result<(), OutboxFileError> {
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
            for reply in turn.withdrawn {
                let _ = reply.send(Ok(()));
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
            Work::Withdraw(parcels, reply) => match self.outbox.withdraw(&parcels, now) {
                Ok(effects) => {
                    turn.withdrawn.push(reply);
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
            next.records.iter().for_each(&mut self.watch);
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
            Action::Divided { parcel, into } => {
                self.waiting.divide(parcel, into);
                return Ok(None);
            }
            Action::Withdrawn { parcel } => {
                tracing::info!(parcel = parcel.get(), "withdrawn");
                self.waiting.settle(parcel, Settled::Withdrawn);
                return Ok(None);
            }
            Action::Alarm(alarm) => {
                let advice = alarm.kind.advice();
                tracing::error!(kind = ?alarm.kind, feed = %alarm.feed, "alarm: {advice}");
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

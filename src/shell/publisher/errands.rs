//! What happens on the network: publishing, asking and listening, in tasks beside the thread.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use bytes::Bytes;
use futures::StreamExt as _;
use tokio::{sync::mpsc, task::JoinSet, time::MissedTickBehavior};

use super::{TICK, Work};
use crate::{
    id::{FeedId, FeedSequence},
    outbox::Input,
    shell::nats::{Bus, BusNames},
};

/// Something for the tasks beside to do.
pub(super) enum Errand {
    /// With the feed's round, so that nothing follows a failed one.
    Publish(FeedId, FeedSequence, u64, Bytes),
    Listen(FeedId),
    AskHead(Bytes),
    AskReceipts(Bytes),
}

/// How long replies to a question are listened to.
const REPLY_WITHIN: Duration = Duration::from_secs(2);

/// The last round of each feed in which a publish failed.
type FailedRounds = Arc<Mutex<BTreeMap<FeedId, u64>>>;

/// Publishes, asks and listens, and tells the thread what comes of it. Ends with the publisher.
pub(super) async fn run_errands(
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

/// Asks, and passes on every reply that comes in time: anybody on the bus can answer first, and only the outbox
/// can tell whose word it is.
async fn ask(
    bus: Bus,
    subject: String,
    query: Bytes,
    input: fn(Bytes) -> Input,
    work: mpsc::WeakSender<Work>,
) {
    let client = bus.client();
    let inbox = client.new_inbox();
    let asked = async {
        let replies = client.subscribe(inbox.clone()).await?;
        client.publish_with_reply(subject, inbox, query).await?;
        Ok::<_, Box<dyn std::error::Error + Send + Sync>>(replies)
    };
    let mut replies = match asked.await {
        Ok(replies) => replies,
        // Asked again after the backoff, as when nobody replies.
        Err(error) => return tracing::debug!(%error, "cannot ask"),
    };
    let pass_on = async {
        while let Some(reply) = replies.next().await {
            // The server's own word that nobody listens.
            if reply.status.is_some() || !tell(&work, Work::Told(input(reply.payload))).await {
                return;
            }
        }
    };
    // Whoever is late has missed his turn: the outbox has asked anew by then.
    let _ = tokio::time::timeout(REPLY_WITHIN, pass_on).await;
}

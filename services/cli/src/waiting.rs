//! Waiting for proofs: with a word every few seconds, no longer than somebody likes, and not for what cannot
//! come.
//!
//! A publisher goes on for ever: the ledger may be back tomorrow. A command that waits for it must say so
//! meanwhile, and end where no proof can come any more: when its one key is closed in this outbox.

use std::{future::Future, time::Duration};

use anyhow::{Result, anyhow, bail};
use lotproof::{
    code::AnswerCode,
    outbox::Status,
    shell::publisher::{PublishError, Publisher},
};
use tokio::time::{Instant, interval_at, sleep_until};

/// How often a command says what it waits for.
const WORD_EVERY: Duration = Duration::from_secs(3);

/// What else can be done about events that the register does not allow.
const GIVE_UP: &str = "; `lotproof withdraw` gives an event up that was stated wrong";

/// How long a command waits for proofs, all together.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Patience {
    end: Option<(Instant, Duration)>,
}

impl Patience {
    /// However long it takes.
    pub(crate) const fn endless() -> Self {
        Self { end: None }
    }

    /// From now on for so long, or however long it takes.
    pub(crate) fn from_now(limit: Option<Duration>) -> Self {
        Self {
            end: limit.map(|limit| (Instant::now() + limit, limit)),
        }
    }

    /// Waits until something is done by a publisher of one key, and says on standard error what it waits for.
    ///
    /// # Errors
    /// If the key is closed in this outbox and events wait for another, if time is up, or if the publisher
    /// stops. What was handed over stays in the outbox.
    pub(crate) async fn wait<T>(
        self,
        publisher: &Publisher,
        done: impl Future<Output = Result<T, PublishError>>,
    ) -> Result<T> {
        self.wait_telling(publisher, done, &String::new).await
    }

    /// The same; `refused` says which events the register does not allow.
    ///
    /// # Errors
    /// As [`wait`](Self::wait).
    pub(crate) async fn wait_telling<T>(
        self,
        publisher: &Publisher,
        done: impl Future<Output = Result<T, PublishError>>,
        refused: &dyn Fn() -> String,
    ) -> Result<T> {
        let mut done = std::pin::pin!(done);
        let mut status = publisher.watch_status();
        let mut words = interval_at(Instant::now() + WORD_EVERY, WORD_EVERY);
        let time_is_up = async {
            match self.end {
                Some((end, limit)) => {
                    sleep_until(end).await;
                    limit
                }
                None => std::future::pending().await,
            }
        };
        let mut time_is_up = std::pin::pin!(time_is_up);
        loop {
            let has_no_key = async { status.wait_for(waits_for_a_key).await.map(|status| status.queued) };
            tokio::select! {
                biased;
                done = &mut done => return Ok(done?),
                Ok(queued) = has_no_key => {
                    let why = why_closed(publisher).await?;
                    bail!("{why}; what was handed over ({queued} statements) was not published")
                }
                limit = &mut time_is_up => bail!(
                    "no proof within {} s: {}; they stay in the outbox, and go on when it is used again",
                    limit.as_secs(),
                    waits(&publisher.status(), refused)
                ),
                _ = words.tick() => eprintln!("{}", waits(&publisher.status(), refused)),
            }
        }
    }
}

/// Whether events wait for a key that nobody will give.
fn waits_for_a_key(status: &Status) -> bool {
    status.feed.is_none() && status.queued > 0
}

/// How many statements wait, and for what.
fn waits(status: &Status, refused: &dyn Fn() -> String) -> String {
    let count = status.queued + status.unreceipted;
    let what = match (status.is_confirmed, status.stopped, status.answered) {
        (_, Some(refusal), _) => format!("{} ({refusal}{}){GIVE_UP}", refusal.advice(), refused()),
        (_, None, Some(AnswerCode::UnknownKey)) => {
            "the ledger does not know this key: the authority must enrol it first".to_owned()
        }
        (_, None, Some(answer)) => format!("the ledger does not take them ({answer})"),
        (false, None, None) => {
            "the ledger has not answered yet; does it run, and is it the one of the trust file?".to_owned()
        }
        (true, None, None) => "for their receipts".to_owned(),
    };
    let (noun, verb) = if count == 1 {
        ("statement", "waits")
    } else {
        ("statements", "wait")
    };
    format!("{count} {noun} {verb}: {what}")
}

/// That the one key of this publisher still signs.
///
/// # Errors
/// Why it does not.
pub(crate) async fn must_be_open(publisher: &Publisher) -> Result<()> {
    match publisher.status().feed {
        Some(_) => Ok(()),
        None => Err(anyhow!(why_closed(publisher).await?)),
    }
}

/// Why nothing more is signed with the one key of this publisher, and what helps.
async fn why_closed(publisher: &Publisher) -> Result<&'static str> {
    let alarms = publisher.alarms().await?;
    Ok(alarms
        .iter()
        .rev()
        .find_map(|alarm| alarm.kind.closes().then(|| alarm.kind.advice()))
        .unwrap_or(
            "the ledger takes nothing more from this key (rotated, retired, compromised or closed): enrol a new key",
        ))
}

#[cfg(test)]
#[path = "waiting_tests.rs"]
mod tests;

//! Looking at a batch on all cores before the writer sees it, and setting aside what stopped the ledger twice.
//!
//! If looking at a message or deciding about it panics, a hook writes its hash to `suspects.json` before the process ends. A message
//! that is there twice is answered `poison` and not looked at again.

use std::{cell::RefCell, collections::BTreeMap, panic, sync::Arc};

use anyhow::{Context as _, Result};
use bytes::Bytes;
use lotproof::{
    admission::{self, NoPlace},
    id::Hash,
    sequencer::Submission,
    shell::{
        durable,
        nats::{BusMessage, BusPosition, EventsBatch, ReaderOptions},
    },
};
use rayon::prelude::*;
use tokio::sync::mpsc;

use crate::folder::Folder;

/// How often a message may stop the ledger before it is set aside.
const STOPS_MAX: u32 = 2;

thread_local! {
    /// The message that this thread is looking at or deciding about.
    static IN_WORK: RefCell<Option<Bytes>> = const { RefCell::new(None) };
}

/// Says which message this thread is working on, for the hook that a panic calls.
pub(crate) fn in_work(message: Option<&Bytes>) {
    IN_WORK.set(message.cloned());
}

/// A batch that needs nothing but the ledger's state.
pub(crate) struct Prepared {
    pub(crate) submissions: Vec<Submission>,
    pub(crate) position: Option<BusPosition>,
}

/// What is prepared, as commits: every batch that waits goes into the next one, up to the limits of a batch.
pub(crate) struct Gather {
    batches: mpsc::Receiver<Prepared>,
    limits: ReaderOptions,
    /// Came, but did not fit any more.
    left_over: Option<Prepared>,
}

impl Gather {
    pub(crate) const fn new(batches: mpsc::Receiver<Prepared>, limits: ReaderOptions) -> Self {
        Self {
            batches,
            limits,
            left_over: None,
        }
    }

    /// Waits for a batch and takes what else is there; nothing once there are no more.
    pub(crate) fn next(&mut self) -> Option<Prepared> {
        let mut gathered = self.left_over.take().or_else(|| self.batches.blocking_recv())?;
        let mut len = gathered.len();
        while let Ok(more) = self.batches.try_recv() {
            len += more.len();
            if gathered.submissions.len() + more.submissions.len() > self.limits.messages_max
                || len > self.limits.bytes_max
            {
                self.left_over = Some(more);
                break;
            }
            gathered.submissions.extend(more.submissions);
            gathered.position = more.position.or(gathered.position);
        }
        Some(gathered)
    }
}

impl Prepared {
    /// Of all messages together, in bytes.
    fn len(&self) -> usize {
        self.submissions
            .iter()
            .map(|submission| submission.bytes.len())
            .sum()
    }
}

/// Messages during whose handling the ledger stopped.
pub(crate) struct Suspects(BTreeMap<Hash, u32>);

impl Suspects {
    pub(crate) fn load(folder: &Folder) -> Result<Self> {
        let Some(bytes) = durable::read(&folder.suspects())? else {
            return Ok(Self(BTreeMap::new()));
        };
        Ok(Self(
            serde_json::from_slice(&bytes).context("reading suspects.json")?,
        ))
    }

    /// Makes a panic write down the message that the panicking thread was looking at.
    pub(crate) fn install_hook(&self, folder: &Folder) {
        let (known, folder) = (self.0.clone(), folder.clone());
        let before: Arc<dyn Fn(&panic::PanicHookInfo<'_>) + Send + Sync> = Arc::from(panic::take_hook());
        panic::set_hook(Box::new(move |info| {
            if let Some(bytes) =
                IN_WORK.with(|in_work| in_work.try_borrow().ok().and_then(|bytes| bytes.clone()))
            {
                let mut suspects = known.clone();
                *suspects.entry(message_hash(&bytes)).or_default() += 1;
                if let Ok(json) = serde_json::to_vec_pretty(&suspects) {
                    let _ = durable::write(&folder.suspects(), &json);
                }
            }
            before(info);
        }));
    }

    fn is_poison(&self, message: &[u8]) -> bool {
        // Nearly always there are none, and nothing needs to be hashed.
        !self.0.is_empty()
            && self
                .0
                .get(&message_hash(message))
                .is_some_and(|stops| *stops >= STOPS_MAX)
    }
}

/// Decodes, verifies and checks every message of a batch.
pub(crate) fn prepare(batch: EventsBatch, suspects: &Suspects) -> Prepared {
    let position = batch.position();
    let submissions = batch
        .messages
        .into_par_iter()
        .map(|message| look_at(message, suspects))
        .collect();
    Prepared {
        submissions,
        position,
    }
}

fn look_at(message: BusMessage, suspects: &Suspects) -> Submission {
    let bytes = message.bytes;
    in_work(Some(&bytes));
    let prepared = if suspects.is_poison(&bytes) {
        Err(NoPlace::Poison)
    } else {
        admission::Prepared::from_bytes(bytes.clone())
    };
    in_work(None);
    Submission {
        subject_feed: message.feed,
        bytes,
        prepared,
    }
}

/// SHA-256 of a message, as answers name it.
fn message_hash(bytes: &[u8]) -> Hash {
    Hash::of(&[bytes])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn batch(messages: usize, len: usize) -> Prepared {
        let submission = || Submission {
            subject_feed: None,
            bytes: vec![0; len].into(),
            prepared: Err(NoPlace::Poison),
        };
        Prepared {
            submissions: std::iter::repeat_with(submission).take(messages).collect(),
            position: None,
        }
    }

    fn gathered(batches: impl IntoIterator<Item = Prepared>) -> Vec<usize> {
        let (send, receive) = mpsc::channel(16);
        for batch in batches {
            assert!(send.try_send(batch).is_ok(), "room");
        }
        drop(send);
        let limits = ReaderOptions {
            messages_max: 10,
            bytes_max: 1_000,
            ..ReaderOptions::default()
        };
        let mut gather = Gather::new(receive, limits);
        std::iter::from_fn(|| gather.next().map(|batch| batch.submissions.len())).collect()
    }

    #[test]
    fn a_message_that_stops_the_ledger_twice_is_poison_and_others_are_not() {
        let folder = tempfile::tempdir().unwrap();
        let folder = Folder::new(folder.path());
        let stops = |message: &'static [u8]| {
            Suspects::load(&folder).unwrap().install_hook(&folder);
            let stopped = std::thread::spawn(move || {
                in_work(Some(&Bytes::from_static(message)));
                panic!("a fault in deciding, made for a test");
            });
            assert!(stopped.join().is_err());
            // A process has one ledger and one life: the next one starts without this hook.
            drop(panic::take_hook());
            Suspects::load(&folder).unwrap()
        };
        assert!(!stops(b"bad").is_poison(b"bad"), "once may be chance");
        let suspects = stops(b"bad");
        assert!(suspects.is_poison(b"bad") && !suspects.is_poison(b"good"));
        // A panic while no message is in work says nothing about one.
        suspects.install_hook(&folder);
        assert!(
            std::thread::spawn(|| panic!("elsewhere, made for a test"))
                .join()
                .is_err()
        );
        drop(panic::take_hook());
        assert_eq!(Suspects::load(&folder).unwrap().0, suspects.0);
    }

    #[test]
    fn what_waits_is_committed_together_within_limits_and_in_order() {
        assert_eq!(gathered([batch(3, 1), batch(0, 0), batch(4, 1)]), [7]);
        assert_eq!(gathered([batch(6, 1), batch(6, 1), batch(4, 1)]), [6, 10]);
        assert_eq!(gathered([batch(2, 300), batch(2, 300), batch(1, 1)]), [2, 3]);
        // What is too large by itself came so from the bus, and goes alone.
        assert_eq!(gathered([batch(1, 2_000), batch(1, 1)]), [1, 1]);
        assert_eq!(gathered([]), [0; 0]);
    }
}

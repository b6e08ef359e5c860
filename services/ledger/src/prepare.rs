//! Looking at a batch on all cores before the writer sees it, and setting aside what stopped the ledger twice.
//!
//! If handling a message panics, a hook writes its hash to `suspects.json` before the process ends. A message
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
        nats::{BusMessage, BusPosition, EventsBatch},
    },
};
use rayon::prelude::*;

use crate::{folder::Folder, writer::message_hash};

/// How often a message may stop the ledger before it is set aside.
const STOPS_MAX: u32 = 2;

thread_local! {
    /// The message that this thread is looking at.
    static IN_WORK: RefCell<Option<Bytes>> = const { RefCell::new(None) };
}

/// A batch that needs nothing but the ledger's state.
pub(crate) struct Prepared {
    pub(crate) submissions: Vec<Submission>,
    pub(crate) position: Option<BusPosition>,
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

    fn is_poison(&self, message: &Hash) -> bool {
        self.0.get(message).is_some_and(|stops| *stops >= STOPS_MAX)
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
    let hash = message_hash(&message.bytes);
    IN_WORK.set(Some(message.bytes.clone()));
    let prepared = if suspects.is_poison(&hash) {
        Err(NoPlace::Poison)
    } else {
        admission::Prepared::from_bytes(message.bytes)
    };
    IN_WORK.set(None);
    Submission {
        subject_feed: message.feed,
        message: hash,
        prepared,
    }
}

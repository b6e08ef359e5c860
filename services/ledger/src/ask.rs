//! What publishers and projectors ask over the bus: a feed's head, and receipts that got lost.
//!
//! Every head query carries the newest checkpoint that the asker holds. One that this log cannot extend is
//! proof that an older copy of the ledger is running, and halts it.

use std::{ops::RangeInclusive, sync::Arc};

use anyhow::{Context as _, Result};
use bytes::Bytes;
use futures::StreamExt as _;
use lotproof::{
    id::{FeedId, FeedSequence},
    log::{checkpoint::SignedCheckpoint, note::VerifierKey},
    sequencer::{RECEIPT_ROWS_MAX, receipts},
    shell::nats::{Bus, BusNames},
    wire::{
        HEAD_TYPE,
        shape::{self, Shape},
        v1,
    },
};
use prost::Message;
use tokio::task::JoinHandle;

use crate::{
    folder::{Identity, LogKey},
    shared::{Health, Shared},
};

/// Nonces are 16 to 32 bytes.
const NONCE_LEN: RangeInclusive<usize> = 16..=32;

struct Asked {
    shared: Shared,
    identity: Identity,
    key: Arc<LogKey>,
}

/// Answers questions until aborted.
pub(crate) async fn serve(
    bus: Bus,
    names: BusNames,
    shared: Shared,
    identity: Identity,
    key: Arc<LogKey>,
) -> Result<JoinHandle<()>> {
    let client = bus.client().clone();
    let queue = names.ledger_queue().to_owned();
    let heads = client
        .queue_subscribe(names.ask_head(), queue.clone())
        .await
        .context("subscribing")?;
    let receipts = client
        .queue_subscribe(names.ask_receipts(), queue)
        .await
        .context("subscribing")?;
    client.flush().await.context("subscribing")?;
    let asked = Arc::new(Asked {
        shared,
        identity,
        key,
    });
    let mut questions = futures::stream::select(
        heads.map(|message| (true, message)),
        receipts.map(|message| (false, message)),
    );
    Ok(tokio::spawn(async move {
        while let Some((is_head, message)) = questions.next().await {
            let Some(reply_to) = message.reply else { continue };
            let asked = asked.clone();
            let answered = tokio::task::spawn_blocking(move || {
                if is_head {
                    asked.head(&message.payload)
                } else {
                    asked.receipt(&message.payload)
                }
            });
            // What is no question gets no answer.
            if let Ok(Some(reply)) = answered.await {
                let _ = client.publish(reply_to, reply).await;
            }
        }
    }))
}

/// Reads a question that must be canonical.
fn read<Q: Message + Default>(shape: &'static Shape, bytes: &[u8]) -> Option<Q> {
    shape::check(shape, bytes, &mut |_| {}).ok()?;
    Q::decode(bytes).ok()
}

impl Asked {
    fn head(&self, bytes: &[u8]) -> Option<Bytes> {
        let query: v1::HeadQuery = read(&shape::HEAD_QUERY, bytes)?;
        let feed = FeedId::from_slice(&query.feed)?;
        if query.log_id != self.identity.log_id.as_bytes() || !NONCE_LEN.contains(&query.nonce.len()) {
            return None;
        }
        if !query.checkpoint.is_empty()
            && let Some(why) = contradicts(
                &self.shared,
                &self.identity,
                self.key.note.verifier_key(),
                &query.checkpoint,
            )
        {
            tracing::error!(why, "the ledger halts");
            self.shared.set_health(Health::Halted(why));
        }
        // Whoever is not the newest copy signs nothing more, until its writer has noticed and ends it.
        if matches!(self.shared.health(), Health::Halted(_)) {
            return None;
        }
        let reply = head_reply(&self.shared, &query, feed)?;
        Some(self.key.dsse.seal(HEAD_TYPE, &reply.encode_to_vec()))
    }

    fn receipt(&self, bytes: &[u8]) -> Option<Bytes> {
        let query: v1::ReceiptsQuery = read(&shape::RECEIPTS_QUERY, bytes)?;
        let feed = FeedId::from_slice(&query.feed)?;
        if query.log_id != self.identity.log_id.as_bytes() || query.first == 0 || query.first > query.last {
            return None;
        }
        let checkpoint = self.shared.published()?.checkpoint;
        let last = query
            .last
            .min(query.first.saturating_add(RECEIPT_ROWS_MAX as u64 - 1));
        let sequences = (query.first..=last).map(FeedSequence::new);
        let rows = match self.shared.rows(feed, sequences) {
            Ok(rows) => rows,
            Err(error) => {
                tracing::error!(%error, "rows for a receipt could not be read");
                return None;
            }
        };
        // Rows never change, and what is beyond the checkpoint is left out.
        let built = receipts(
            feed,
            rows,
            checkpoint.head().size,
            checkpoint.bytes(),
            self.shared.reader(),
        );
        match built {
            Ok(built) => built
                .into_iter()
                .next()
                .map(|receipt| receipt.encode_to_vec().into()),
            Err(error) => {
                tracing::error!(%error, "a receipt could not be built");
                None
            }
        }
    }
}

/// The reply to a head query, all of it from one promised state: if it says closed, what follows `last_sequence`
/// is never admitted. Nothing before anything is published.
pub(crate) fn head_reply(shared: &Shared, query: &v1::HeadQuery, feed: FeedId) -> Option<v1::HeadReply> {
    let published = shared.published()?;
    let (last, hash) = shared.head_at(feed, published.size())?;
    let status = match published.register.key(feed) {
        None => v1::FeedStatus::FeedUnknown,
        Some(key) if last.next().is_some_and(|next| key.admits(next)) => v1::FeedStatus::FeedOpen,
        Some(_) => v1::FeedStatus::FeedClosed,
    };
    Some(v1::HeadReply {
        log_id: query.log_id.clone(),
        feed: query.feed.clone(),
        nonce: query.nonce.clone(),
        last_sequence: last.get(),
        last_hash: hash.as_bytes().to_vec(),
        tree_size: published.size().get(),
        status: status.into(),
    })
}

/// Whether a checkpoint that somebody holds is one that this log cannot extend: proof that another copy of
/// the ledger signed, or that this store is an old one.
fn contradicts(shared: &Shared, identity: &Identity, key: &VerifierKey, note: &[u8]) -> Option<String> {
    // What is not signed by the log says nothing about it.
    let signed = SignedCheckpoint::verify(
        Bytes::copy_from_slice(note),
        &identity.origin,
        std::slice::from_ref(key),
    )
    .ok()?;
    let head = signed.head();
    match shared.reader().root(head.size) {
        Ok(Some(root)) if root == head.root => None,
        Ok(Some(_)) => Some(format!(
            "a checkpoint of size {} with another root was shown",
            head.size
        )),
        Ok(None) => Some(format!(
            "a checkpoint of size {} was shown; this store has fewer entries",
            head.size
        )),
        Err(error) => {
            tracing::warn!(%error, "a shown checkpoint could not be compared");
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use lotproof::wire::v1::{FeedStatus, event::Kind};

    use super::*;
    use crate::tests::World;

    fn asked(world: &World, seed: u8) -> (u64, FeedStatus, u64) {
        let feed = World::key(seed).feed();
        let query = v1::HeadQuery {
            feed: feed.as_bytes().to_vec(),
            ..v1::HeadQuery::default()
        };
        let reply = head_reply(&world.shared, &query, feed).unwrap();
        (reply.last_sequence, reply.status(), reply.tree_size)
    }

    /// Between its decision and its promise a commit is nobody's business: a feed told closed then would sign
    /// under another key what is about to be admitted.
    #[test]
    fn a_head_reply_knows_nothing_of_a_commit_before_it_is_promised() {
        let mut world = World::new();
        world.enrol(&[1]);
        world.say(1, 2);
        world.promise();
        let size = world.shared.published_size().get();
        assert_eq!(asked(&world, 1), (2, FeedStatus::FeedOpen, size));
        assert_eq!(asked(&world, 9), (0, FeedStatus::FeedUnknown, size));

        let key = World::key(1).feed().as_bytes().to_vec();
        let closed = Kind::FeedClosed(v1::FeedClosed { key });
        world.say(1, 1);
        world.act(&[closed]);
        world.enrol(&[9]);
        assert_eq!(asked(&world, 1), (2, FeedStatus::FeedOpen, size), "as promised");
        assert_eq!(
            asked(&world, 9),
            (0, FeedStatus::FeedUnknown, size),
            "as promised"
        );

        world.promise();
        let size = world.shared.published_size().get();
        assert_eq!(asked(&world, 1), (3, FeedStatus::FeedClosed, size));
        assert_eq!(asked(&world, 9), (0, FeedStatus::FeedOpen, size));
    }

    #[test]
    fn a_ledger_that_halts_signs_no_more_head_replies() {
        let mut world = World::new();
        world.enrol(&[1]);
        world.promise();
        let asked = Asked {
            shared: world.shared.clone(),
            key: Arc::new(world.folder.log_key(&world.identity.origin).unwrap()),
            identity: world.identity.clone(),
        };
        let query = v1::HeadQuery {
            log_id: world.identity.log_id.as_bytes().to_vec(),
            feed: World::key(1).feed().as_bytes().to_vec(),
            nonce: vec![1; 32],
            ..v1::HeadQuery::default()
        };
        let query = query.encode_to_vec();
        assert!(asked.head(&query).is_some());
        world.shared.set_health(Health::Halted("an older copy".into()));
        assert_eq!(asked.head(&query), None);
    }
}

//! Receipts as their readers take them: counted as they come, proven afterwards, all of them.

use std::{
    collections::{BTreeMap, HashMap},
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, bail, ensure};
use async_nats::Message;
use bytes::Bytes;
use futures::{StreamExt as _, stream::select_all};
use lotproof::{
    code::Outcome,
    entry::{Body, Entry},
    id::{FeedId, FeedSequence, Hash, LeafIndex},
    log::{checkpoint::SignedCheckpoint, hash::leaf_hash, multiproof},
    shell::nats::Bus,
    time::RecordedAt,
    trust::TrustFile,
    wire::v1,
};
use prost::Message as _;
use rayon::prelude::*;

use super::world::{Sent, World};

/// How long nothing may come before a run has failed.
const SILENCE: Duration = Duration::from_secs(30);

/// The rows of a receipt, without its proof: enough to count.
#[derive(Clone, PartialEq, prost::Message)]
struct Rows {
    #[prost(bytes = "bytes", tag = "1")]
    feed: Bytes,
    #[prost(message, repeated, tag = "2")]
    rows: Vec<v1::ReceiptRow>,
}

/// A subscription to the receipts of many feeds.
pub(super) struct Receipts {
    messages: futures::stream::SelectAll<async_nats::Subscriber>,
    // The subscriptions end with their connection.
    _bus: Bus,
}

/// What came.
pub(super) struct Received {
    /// Each receipt as it arrived, and when.
    pub(super) messages: Vec<(Instant, Bytes)>,
    /// When the last statement had its first receipt.
    pub(super) complete_at: Instant,
}

impl Receipts {
    /// Listens, from now on.
    pub(super) async fn subscribe(world: &World, feeds: impl Iterator<Item = FeedId>) -> Result<Self> {
        let bus = world.connect().await?;
        let mut subscribers = Vec::new();
        for feed in feeds {
            subscribers.push(bus.client().subscribe(world.names.receipt(&feed)).await?);
        }
        bus.client().flush().await?;
        Ok(Self {
            messages: select_all(subscribers),
            _bus: bus,
        })
    }

    /// Waits until `count` different statements have a receipt.
    #[expect(clippy::disallowed_methods, reason = "measures")]
    pub(super) async fn take(mut self, count: usize) -> Result<Received> {
        let mut heard: HashMap<Bytes, Vec<bool>> = HashMap::new();
        let mut receipted = 0;
        let mut messages = Vec::new();
        while receipted < count {
            let next: Option<Message> = tokio::time::timeout(SILENCE, self.messages.next())
                .await
                .with_context(|| {
                    format!("{receipted} of {count} statements had a receipt, then none came")
                })?;
            let at = Instant::now();
            let payload = next.context("the subscription ended")?.payload;
            let receipt = Rows::decode(payload.clone())?;
            let seen = heard.entry(receipt.feed).or_default();
            for row in receipt.rows {
                let place = usize::try_from(row.sequence)?;
                if seen.len() <= place {
                    seen.resize(place + 1, false);
                }
                if !std::mem::replace(&mut seen[place], true) {
                    receipted += 1;
                }
            }
            messages.push((at, payload));
        }
        Ok(Received {
            messages,
            complete_at: Instant::now(),
        })
    }
}

/// Verifies every receipt against the statements and the pinned log key, and that every statement has one and
/// was admitted. When each was first receipted, by feed and sequence.
pub(super) fn prove(
    received: &Received,
    sent: &[Sent],
    trust: &TrustFile,
) -> Result<BTreeMap<(FeedId, FeedSequence), Instant>> {
    let envelopes: BTreeMap<(FeedId, FeedSequence), &Bytes> = sent
        .iter()
        .map(|sent| ((sent.feed, sent.statement.sequence), &sent.statement.envelope))
        .collect();
    let proven: Vec<_> = received
        .messages
        .par_iter()
        .map(|(at, bytes)| Ok((*at, prove_one(bytes, &envelopes, trust)?)))
        .collect::<Result<_>>()?;
    let mut first = BTreeMap::new();
    for (at, places) in proven {
        for place in places {
            first.entry(place).or_insert(at);
        }
    }
    for place in envelopes.keys() {
        ensure!(
            first.contains_key(place),
            "statement {} of {} has no receipt",
            place.1,
            place.0
        );
    }
    Ok(first)
}

fn prove_one(
    bytes: &Bytes,
    envelopes: &BTreeMap<(FeedId, FeedSequence), &Bytes>,
    trust: &TrustFile,
) -> Result<Vec<(FeedId, FeedSequence)>> {
    let receipt = v1::Receipt::decode(bytes.clone())?;
    let feed = FeedId::from_slice(&receipt.feed).context("a feed")?;
    let checkpoint = SignedCheckpoint::verify(receipt.checkpoint, trust.origin(), trust.log_keys())?;
    let mut places = Vec::new();
    let mut rows = Vec::new();
    for row in receipt.rows {
        let place = (feed, FeedSequence::new(row.sequence));
        if row.outcome != u32::from(Outcome::Admitted.number()) {
            bail!("statement {} of {feed} was refused", row.sequence);
        }
        let envelope = envelopes.get(&place).context("a receipt for nothing")?;
        let entry = Entry {
            recorded_at: RecordedAt::from_nanos(row.recorded_at),
            body: Body::Statement {
                envelope: Bytes::clone(envelope),
                outcome: Outcome::Admitted,
            },
        };
        rows.push((LeafIndex::new(row.index), leaf_hash(&entry.encode())));
        places.push(place);
    }
    let hashes: Option<Vec<Hash>> = receipt.hashes.iter().map(|hash| Hash::from_slice(hash)).collect();
    multiproof::verify(checkpoint.head(), &rows, &hashes.context("hashes")?)?;
    Ok(places)
}

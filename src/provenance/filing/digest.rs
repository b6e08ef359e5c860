//! Two digests of a projection, so that two projectors can compare notes.
//!
//! ```text
//! fact         = SHA-256("lotproof/v1/fact"   00 || u16be len issuer || issuer
//!                        || 00 || event
//!                        or 01 || event without its reference || u16be len || issuer of the event referred to
//!                                                             || u16be len || its id)
//! order        = SHA-256("lotproof/v1/order"  00 || u64be count || facts that the feed said, in its order)
//! fact_digest  = SHA-256("lotproof/v1/facts"  00 || u64be count || facts ascending, each once
//!                        || u64be count || feeds ascending, each with its order)
//! step         = SHA-256("lotproof/v1/step"   00 || step before || u64be leaf index || u32be event number
//!                        || i64be recorded at || i64be issued at || feed || u8 by authority || u8 outcome || fact)
//! state_digest = SHA-256("lotproof/v1/state"  00 || u64be events applied || last step || fact_digest)
//! ```
//!
//! Of a reported event the digest of its document and its place there are left out: it is the same event in
//! whatever document it comes. A reference to a position of the log becomes one to (issuer, event id), so that the facts are the same in
//! whatever order independent feeds arrived. What one feed said first does matter (a void before or after a
//! shipment), so the order within each feed of a party is part of the facts; a repeated report in the same feed is not.
//! The outcome of a step is what the fold did with the event: new,
//! repeated, conflicting. Steps are hashed as events are applied; facts are sorted when somebody asks, which
//! is O(n log n). Openings are no part of either: whoever holds none gets the same digests.

use sha2::{Digest as _, Sha256};

use crate::{id::FeedId, provenance::AppliedEvent};

/// What the fold did with an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    New = 0,
    Repeated = 1,
    Conflicting = 2,
}

fn text(sha: &mut Sha256, text: &str) {
    // Identifiers have at most 256 bytes, event ids fewer.
    let len = u16::try_from(text.len()).unwrap_or(u16::MAX);
    sha.update(len.to_be_bytes());
    sha.update(text);
}

/// Digest of one fact. `target` is (issuer, id) of the event referred to, empty if it is not known.
pub(super) fn of_fact(issuer: &str, event: &[u8], target: Option<(&str, &str)>) -> [u8; 32] {
    let mut sha = Sha256::new();
    sha.update(b"lotproof/v1/fact\0");
    text(&mut sha, issuer);
    match target {
        None => {
            sha.update([0]);
            sha.update(event);
        }
        Some((issuer, id)) => {
            sha.update([1]);
            sha.update(event);
            text(&mut sha, issuer);
            text(&mut sha, id);
        }
    }
    sha.finalize().into()
}

/// The next step after `before`.
pub(super) fn of_step(
    before: &[u8; 32],
    applied: &AppliedEvent<'_>,
    outcome: Outcome,
    fact: &[u8; 32],
) -> [u8; 32] {
    let mut sha = Sha256::new();
    sha.update(b"lotproof/v1/step\0");
    sha.update(before);
    sha.update(applied.place.leaf_index.get().to_be_bytes());
    sha.update(applied.place.event_number.to_be_bytes());
    sha.update(applied.recorded_at.as_nanos().to_be_bytes());
    sha.update(applied.issued_at.as_nanos().to_be_bytes());
    sha.update(applied.feed.as_bytes());
    sha.update([u8::from(applied.by_authority), outcome as u8]);
    sha.update(fact);
    sha.finalize().into()
}

/// Digest of a set of facts, and of the order in which each feed said its own. Feeds ascend.
pub(super) fn of_facts(
    mut facts: Vec<[u8; 32]>,
    feeds: impl ExactSizeIterator<Item = (FeedId, Vec<[u8; 32]>)>,
) -> [u8; 32] {
    facts.sort_unstable();
    facts.dedup();
    let mut sha = Sha256::new();
    sha.update(b"lotproof/v1/facts\0");
    sha.update((facts.len() as u64).to_be_bytes());
    for fact in facts {
        sha.update(fact);
    }
    sha.update((feeds.len() as u64).to_be_bytes());
    for (feed, said) in feeds {
        let mut order = Sha256::new();
        order.update(b"lotproof/v1/order\0");
        order.update((said.len() as u64).to_be_bytes());
        for fact in said {
            order.update(fact);
        }
        sha.update(feed.as_bytes());
        sha.update(order.finalize());
    }
    sha.finalize().into()
}

/// Digest of a whole state.
pub(super) fn of_state(applied: u64, step: &[u8; 32], facts: &[u8; 32]) -> [u8; 32] {
    let mut sha = Sha256::new();
    sha.update(b"lotproof/v1/state\0");
    sha.update(applied.to_be_bytes());
    sha.update(step);
    sha.update(facts);
    sha.finalize().into()
}

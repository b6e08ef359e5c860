//! One bad event must not take its neighbours along: a statement is refused whole, so a dead letter of several
//! events is taken apart. Each goes out again in a statement of its own, under its own id; those at fault come
//! back, alone, and wait for a person.

use super::taking::Gateway;
use crate::gateway::letters::take_apart;

/// Takes letters apart for as long as the publisher runs.
pub(super) async fn separate(gateway: Gateway) {
    let mut status = gateway.publisher().watch_status();
    loop {
        let waiting = status.borrow_and_update().letters;
        let letters = match waiting {
            0 => Vec::new(),
            _ => gateway.publisher().letters().await.unwrap_or_default(),
        };
        let apart = take_apart(&letters, |id| gateway.is_on_its_way(id));
        if !apart.letters.is_empty() {
            let (letters, events) = (apart.letters.len(), apart.events.len());
            tracing::warn!(letters, events, "dead letters are taken apart");
            if let Err(fault) = gateway.separate(apart).await {
                tracing::warn!(%fault, "dead letters could not be taken apart");
            }
        }
        if status.changed().await.is_err() {
            return;
        }
    }
}

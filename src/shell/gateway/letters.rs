//! One bad event must not take its neighbours along: a statement is refused whole, so a dead letter of several
//! events is taken apart. Each goes out again in a statement of its own, under its own id; those at fault come
//! back, alone, and wait for a person.

use super::taking::Gateway;
use crate::{
    gateway::letters::{TakenApart, long_events, take_apart},
    shell::publisher::PublishError,
};

/// Takes letters apart for as long as the publisher runs.
pub(super) async fn separate(gateway: Gateway) {
    let mut status = gateway.publisher().watch_status();
    loop {
        let waiting = status.borrow_and_update().letters;
        let apart = match waiting {
            0 => TakenApart::default(),
            _ => now(&gateway).await.unwrap_or_default(),
        };
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

/// What can be taken apart now.
async fn now(gateway: &Gateway) -> Result<TakenApart, PublishError> {
    // Parts come back in their own time. So it is asked first which events wait for none, and then for letters:
    // those of an event that waited for none by then are all among them.
    let mut settled = long_events(&gateway.publisher().letters().await?);
    settled.retain(|id| !gateway.is_on_its_way(id));
    let letters = gateway.publisher().letters().await?;
    Ok(take_apart(&letters, |id| !settled.contains(id)))
}

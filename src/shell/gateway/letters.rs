//! One bad event must not take its neighbours along: a statement is refused whole, so a dead letter of several
//! events is taken apart. Each goes out again in a statement of its own, under its own id; those at fault come
//! back, alone, and wait for a person.

use prost::Message as _;

use super::taking::Gateway;
use crate::{event, gateway::intake::Ready, outbox::DeadLetter, wire::v1};

/// Takes letters apart for as long as the publisher runs.
pub(super) async fn separate(gateway: Gateway) {
    let mut status = gateway.publisher().watch_status();
    loop {
        let waiting = status.borrow_and_update().letters;
        let letters = match waiting {
            0 => Vec::new(),
            _ => gateway.publisher().letters().await.unwrap_or_default(),
        };
        for letter in letters {
            let Some(events) = several(&letter) else { continue };
            tracing::warn!(
                parcel = letter.parcel.get(),
                events = events.len(),
                "a dead letter is taken apart"
            );
            if let Err(fault) = gateway.separate(letter.parcel, events).await {
                tracing::warn!(%fault, "a dead letter could not be taken apart");
            }
        }
        if status.changed().await.is_err() {
            return;
        }
    }
}

/// The events of a letter, if they are several and none is a part, which is nothing without its neighbours.
fn several(letter: &DeadLetter) -> Option<Vec<Ready>> {
    if letter.events.len() < 2 {
        return None;
    }
    let events = letter.events.iter().map(|bytes| {
        let event = v1::Event::decode(bytes.clone()).ok()?;
        event.part.is_none().then(|| Ready {
            id: event.id.clone(),
            contents: vec![event::content(bytes)],
            parts: vec![event],
        })
    });
    events.collect()
}

//! Hears whatever is said on the bus, whoever says it, and keeps what the checker wants to see.

use std::{
    collections::BTreeSet,
    sync::{Arc, Mutex, PoisonError},
};

use bytes::Bytes;
use futures::StreamExt as _;
use lotproof::shell::nats::{BusNames, PrivateServer, Subject};
use tokio::task::JoinHandle;

use crate::fixture::connect;

/// What was heard so far, each message once.
#[derive(Clone, Debug, Default)]
pub(crate) struct Heard {
    pub(crate) envelopes: BTreeSet<Bytes>,
    pub(crate) receipts: BTreeSet<Bytes>,
    pub(crate) answers: BTreeSet<Bytes>,
    pub(crate) checkpoints: BTreeSet<Bytes>,
}

/// A listener on the bus; deaf while the bus is down, and again there afterwards.
pub(crate) struct Ear {
    heard: Arc<Mutex<Heard>>,
    task: JoinHandle<()>,
}

impl Ear {
    pub(crate) async fn open(server: &PrivateServer, names: BusNames) -> Self {
        let bus = connect(server).await;
        let all = names.head().replace("head", ">");
        let mut messages = bus.client().subscribe(all).await.expect("subscribed");
        bus.client().flush().await.expect("subscribed");
        let heard = Arc::new(Mutex::new(Heard::default()));
        let kept = heard.clone();
        let task = tokio::spawn(async move {
            let _connected = bus;
            while let Some(message) = messages.next().await {
                let mut kept = kept.lock().unwrap_or_else(PoisonError::into_inner);
                let among = match Subject::parse(&message.subject) {
                    Ok((_, Subject::Statement(_))) => &mut kept.envelopes,
                    Ok((_, Subject::Receipt(_))) => &mut kept.receipts,
                    Ok((_, Subject::Answer(_))) => &mut kept.answers,
                    Ok((_, Subject::Head)) => &mut kept.checkpoints,
                    _ => continue,
                };
                among.insert(message.payload);
            }
        });
        Self { heard, task }
    }

    pub(crate) fn heard(&self) -> Heard {
        self.heard.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Looks at what was heard, without copying it.
    pub(crate) fn look<T>(&self, look: impl FnOnce(&Heard) -> T) -> T {
        look(&self.heard.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Drop for Ear {
    fn drop(&mut self) {
        self.task.abort();
    }
}

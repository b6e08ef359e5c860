//! One connection to the bus.
//!
//! A client that is cut off keeps trying, with a short backoff, for as long as it lives. What it may hold
//! meanwhile is bounded: a fixed number of commands, after which `publish` waits. A command that waited is
//! still sent after the reconnect, so whoever gave up on one must be able to live with its late arrival;
//! everything in this module can (a swap names its revision, a resend is a duplicate).

use std::{sync::atomic::Ordering, time::Duration};

use async_nats::{Client, ConnectErrorKind, ConnectOptions, Event, jetstream};
use tokio::{sync::watch, time::Sleep};

use super::access::{AccessError, BusAccess, BusUrl};

/// How many commands wait in the client before `publish` does.
pub(super) const COMMANDS_MAX: usize = 4_096;

/// How many messages wait in one subscription. JetStream's flow control lets 32 MiB be under way, and a
/// message beyond this count is dropped (and noticed, and the stream read anew): even at 128 bytes each
/// they fit.
pub(super) const SUBSCRIPTION_MESSAGES_MAX: usize = 256 * 1_024;

/// How to reach the bus.
#[derive(Clone, Debug)]
pub struct BusOptions {
    /// Where its servers are.
    pub url: BusUrl,
    /// How to be known to them.
    pub access: BusAccess,
    /// What the server's operator sees as the name of this connection.
    pub name: String,
    /// How long the first connection may take.
    pub connect_timeout: Duration,
    /// How long a request may take before its outcome counts as unknown.
    pub request_timeout: Duration,
}

impl BusOptions {
    /// The usual timeouts: five seconds each.
    pub fn new(url: impl Into<BusUrl>, name: impl Into<String>) -> Self {
        Self {
            url: url.into(),
            access: BusAccess::default(),
            name: name.into(),
            connect_timeout: Duration::from_secs(5),
            request_timeout: Duration::from_secs(5),
        }
    }

    /// The same, known to the bus in this way.
    #[must_use]
    pub fn with_access(mut self, access: &BusAccess) -> Self {
        self.access = access.clone();
        self
    }

    /// The address, for people: without user and password.
    pub fn address(&self) -> String {
        self.url.to_string()
    }
}

/// The first connection failed; later ones are retried without end.
#[derive(Debug, thiserror::Error)]
#[error("connecting to the bus at {url}")]
pub struct ConnectError {
    /// Where (without credentials).
    pub url: String,
    /// Why.
    pub source: ConnectFault,
}

/// What keeps a client from its bus.
#[derive(Debug, thiserror::Error)]
pub enum ConnectFault {
    /// The settings: the bus was not asked.
    #[error(transparent)]
    Access(#[from] AccessError),
    /// The servers, or the way to them.
    #[error(transparent)]
    Server(#[from] async_nats::ConnectError),
}

impl ConnectError {
    /// Whether trying again may help: not if the address is none. A server that turns us away may have its
    /// users mended while we wait.
    pub fn is_retryable(&self) -> bool {
        match &self.source {
            ConnectFault::Access(_) => false,
            ConnectFault::Server(source) => source.kind() != ConnectErrorKind::ServerParse,
        }
    }
}

/// How long until the bus is tried again: first, and at most.
const PATIENCE: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(5));

/// A pause that doubles, for whoever waits for the bus before he has begun.
pub(super) struct Patience(Duration);

impl Patience {
    pub(super) const fn new() -> Self {
        Self(PATIENCE.0)
    }

    /// Says what is the matter; the pause is longer than the last one.
    pub(super) fn pause(&mut self, why: &'static str, error: &(dyn std::error::Error + 'static)) -> Sleep {
        let pause = self.0;
        let again_in_ms = u64::try_from(pause.as_millis()).unwrap_or(u64::MAX);
        tracing::warn!(error, again_in_ms, "waiting for the bus: {why}");
        self.0 = (pause * 2).min(PATIENCE.1);
        tokio::time::sleep(pause)
    }
}

/// A connection to the bus; clones share it.
#[derive(Clone, Debug)]
pub struct Bus {
    client: Client,
    jetstream: jetstream::Context,
    /// Wakes whoever has to know about a new connection; the count itself is in the client's statistics.
    connected: watch::Receiver<()>,
}

impl Bus {
    /// Connects.
    ///
    /// # Errors
    /// If no server answers in time, or it turns us away.
    pub async fn connect(options: &BusOptions) -> Result<Self, ConnectError> {
        let (notify, connected) = watch::channel(());
        let failed = |source| ConnectError {
            url: options.address(),
            source,
        };
        let client_options = ConnectOptions::new()
            .name(&options.name)
            .connection_timeout(options.connect_timeout)
            .request_timeout(Some(options.request_timeout))
            .client_capacity(COMMANDS_MAX)
            .subscription_capacity(SUBSCRIPTION_MESSAGES_MAX)
            // A dead peer is noticed within two of these.
            .ping_interval(Duration::from_secs(5))
            .reconnect_delay_callback(reconnect_delay)
            .event_callback(move |event| {
                match &event {
                    Event::Connected => notify.send_replace(()),
                    Event::Disconnected => tracing::warn!("disconnected from the bus"),
                    Event::SlowConsumer(subscription) => {
                        tracing::warn!(subscription, "messages dropped: reading too slowly");
                    }
                    other => tracing::debug!(event = %other, "bus"),
                }
                async {}
            });
        let applied = options.access.apply(&options.url, client_options);
        let (client_options, servers) = applied.map_err(|error| failed(error.into()))?;
        let connected_client = client_options.connect(servers).await;
        let client = connected_client.map_err(|error| failed(error.into()))?;
        let jetstream = jetstream::ContextBuilder::new()
            .timeout(options.request_timeout)
            .ack_timeout(options.request_timeout)
            .build(client.clone());
        Ok(Self {
            client,
            jetstream,
            connected,
        })
    }

    /// Connects, for as long as it takes: a service may be started before its bus. Every attempt that fails
    /// is logged with its reason.
    ///
    /// Dropping the future gives up, which is how a service that is told to stop does.
    ///
    /// # Errors
    /// If no attempt can succeed ([`ConnectError::is_retryable`]).
    pub async fn connect_patiently(options: &BusOptions) -> Result<Self, ConnectError> {
        let mut patience = Patience::new();
        loop {
            match Self::connect(options).await {
                Err(error) if error.is_retryable() => patience.pause("no connection", &error).await,
                other => return other,
            }
        }
    }

    /// For core messages and requests.
    pub const fn client(&self) -> &Client {
        &self.client
    }

    /// For streams.
    pub const fn jetstream(&self) -> &jetstream::Context {
        &self.jetstream
    }

    /// How many times this client has connected. Whatever was learnt about a stream under another count may
    /// no longer hold: the server may have lost its newest messages in between.
    pub fn connections(&self) -> u64 {
        self.client.statistics().connects.load(Ordering::Acquire)
    }

    /// Resolves when [`connections`](Self::connections) may have changed since the last call on this clone.
    pub(super) async fn reconnected(&mut self) {
        if self.connected.changed().await.is_err() {
            // The client is gone, and with it every reason to wake.
            std::future::pending::<()>().await;
        }
    }
}

fn reconnect_delay(attempts: usize) -> Duration {
    let attempts = u32::try_from(attempts).unwrap_or(u32::MAX);
    Duration::from_millis(20)
        .saturating_mul(1 << attempts.min(6))
        .min(Duration::from_secs(1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reconnects_soon_and_then_once_a_second() {
        assert!(reconnect_delay(1) <= Duration::from_millis(50));
        assert_eq!(reconnect_delay(1_000), Duration::from_secs(1));
    }

    #[tokio::test]
    async fn an_address_that_is_none_is_not_waited_for() {
        let options = BusOptions::new("nats://no such host", "test");
        let error = Bus::connect_patiently(&options).await.unwrap_err();
        assert!(!error.is_retryable(), "{error:?}");
    }
}

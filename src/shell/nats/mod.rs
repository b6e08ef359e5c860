//! The bus: NATS with JetStream. It carries statements in, heads and receipts out, and keeps the guard.
//!
//! ```text
//!  publishers ──statement──▶ stream EVENTS ──▶ EventsReader ──▶ the ledger ──▶ purge, once durable
//!                                                                  │
//!                        KV bucket GUARD ◀──compare-and-swap───────┤
//!                        stream LEDGER   ◀──newest checkpoint──────┤──▶ projectors, auditors
//!                        core messages   ◀──receipts, answers──────┘──▶ publishers
//! ```
//!
//! The bus is never the record. JetStream acknowledges before it is durable and can lose its newest
//! messages in a power cut, after which it numbers new ones below the old; so nothing here keeps a cursor,
//! no acknowledgement counts as a receipt, and a JetStream sequence never leaves this module except inside
//! a [`BusPosition`], which says in which reading of the stream it means something.
//!
//! Messages carry no ids: JetStream's own deduplication would swallow a resend that has to be answered.

mod access;
mod arguments;
mod connect;
mod events;
mod guard;
mod purge;
mod server;
mod streams;
mod subject;

/// What a client of the bus holds at most, as `docs/limits.md` names it.
pub fn limits() -> Vec<(&'static str, u64)> {
    vec![
        (
            "bus: commands that wait in a client",
            connect::COMMANDS_MAX as u64,
        ),
        (
            "bus: messages that wait in a subscription",
            connect::SUBSCRIPTION_MESSAGES_MAX as u64,
        ),
        ("bus: file of credentials, in bytes", access::CREDENTIALS_LEN_MAX),
    ]
}

pub use access::{AccessError, BusAccess, BusUrl, Credentials, Secret};
pub use arguments::BusArguments;
pub use connect::{Bus, BusOptions, ConnectError, ConnectFault};
pub use events::{BusMessage, EventsBatch, EventsReader, ReaderOptions};
pub use guard::{BlockingGuard, NatsGuard};
pub use purge::{BusPosition, EventsPurger, EventsState, PurgeOutcome};
pub use server::{PrivateServer, SERVER_VARIABLE, ServerError, ServerOptions, SyncInterval, find_server};
pub use streams::{EventsLimits, ReadError, StreamError, ensure_streams, is_refused_as_full};
pub use subject::{BusNames, ParseSubjectError, Subject};

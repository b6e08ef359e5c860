//! Thin adapters between the core and the world: storage, the bus, HTTP. A shell translates, calls the
//! core and performs effects; it decides nothing about lots.

pub mod conformance;
pub mod durable;
#[cfg(feature = "gateway")]
pub mod gateway;
#[cfg(feature = "http")]
pub mod http;
#[cfg(feature = "http")]
pub mod http_client;
pub mod key_file;
pub mod memory;
pub mod mirror;
#[cfg(feature = "nats")]
pub mod nats;
pub mod outbox_file;
#[cfg(feature = "http")]
pub mod process;
#[cfg(feature = "nats")]
pub mod publisher;
#[cfg(feature = "store")]
pub mod store;

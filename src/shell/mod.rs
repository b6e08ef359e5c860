//! Thin adapters between the core and the world: storage, the bus, HTTP. A shell translates, calls the
//! core and performs effects; it decides nothing about lots.

pub mod conformance;
pub mod durable;
pub mod key_file;
pub mod memory;
#[cfg(feature = "nats")]
pub mod nats;
pub mod outbox_file;
#[cfg(feature = "store")]
pub mod store;

//! Thin adapters between the core and the world: storage, the bus, HTTP. A shell translates, calls the
//! core and performs effects; it decides nothing about lots.

#[cfg(feature = "nats")]
pub mod nats;

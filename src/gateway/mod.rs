//! What a gateway between a plant's systems and the ledger decides: which events it takes, what they become,
//! and what is known of each.
//!
//! ```text
//! JSON event  --json--.                       .--index: id -> queued, published, receipted, dead letter
//! EPCIS       --intake+--> event --kinds, check--> outbox --records--'
//! ```
//!
//! The two services are two [`Service`]s: the same code, other kinds of event. A statement without a possible
//! place in the log is never born: every event passes the check of admission ([`crate::event::check`]) before it
//! is signed, and whatever fails it is answered with the field at fault ([`Fault`]).
//!
//! The outbox is the only record. What became of an event is a fold over the outbox's records
//! ([`index::EventIndex`]), so there is no second file that could disagree with it after a crash.
//! Pure: reading sockets and files is `shell::gateway`.

mod fault;
pub mod index;
pub mod intake;
pub mod json;
pub mod letters;
mod service;

#[cfg(feature = "gateway")]
pub(crate) use fault::FIELDS_MAX;
pub use fault::{Fault, FaultCode, FieldFault};
pub use service::Service;

#[cfg(test)]
mod tests;

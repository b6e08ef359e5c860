//! Lotproof: a signed, append-only, provable ledger for battery lots.
pub mod epcis;
pub mod event;
pub mod id;
pub mod identifier;
pub mod port;
pub mod quantity;
pub mod time;
pub mod wire;

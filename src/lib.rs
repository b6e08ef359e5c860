//! Lotproof: a signed, append-only, provable ledger for battery lots.
pub mod admission;
pub mod code;
pub mod entry;
pub mod envelope;
pub mod event;
pub mod id;
pub mod identifier;
pub mod port;
pub mod quantity;
pub mod register;
pub mod signature;
pub mod time;
pub mod wire;

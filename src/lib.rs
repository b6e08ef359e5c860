//! Lotproof: a signed, append-only, provable ledger for battery lots.
pub mod id;
pub mod log;
pub mod port;
pub mod time;

//! Lotproof: a signed, append-only, provable ledger for battery lots.
pub mod id;
pub mod port;
pub mod shell;
pub mod time;

//! Faults of the store, and of the outbox, that take more than one process or another file system than the one at
//! hand: a damaged index, a killed process, a power cut.
//!
//! `LOTPROOF_LONG=1` runs the full counts. Every random choice follows from a seed that is printed;
//! `LOTPROOF_SEED=n` repeats one.

mod damage;
#[path = "../dice.rs"]
mod dice;
mod disk;
mod kill;
mod outbox;
mod power_cut;
mod support;
mod trace;
mod worker;

//! The honest plant: whatever plants, people and trucks do, told truthfully in any style, late and in any order,
//! contradicts nobody and is answered as it is.
//!
//! ```text
//! seed --plan--> operations --perform--> truth (who has what, what is in what)
//!                                   '---> what was told --arrive--> a log in some order --> projection
//!                                                                           truth == answers?   (judge)
//! ```
//!
//! `LOTPROOF_LONG=1` runs ten thousand seeds instead of a thousand, `LOTPROOF_PLANT_COUNT=50` fifty. `LOTPROOF_PLANT_SEED=7` runs that one, and
//! with `LOTPROOF_PLANT_OPERATIONS=0,4,9` only those operations of its plan; a failure prints both, shrunk.
//! Deliberately shares nothing with `simulate`, which draws chains as they should be.

mod arrival;
mod dice;
mod judge;
mod lies;
mod operations;
mod truth;
mod world;

mod properties;
mod strangers;
mod tracker;

//! Histories of plants and of cheats, from signed events to what is answered.
//!
//! What each line says is in `chain`. A test that is ignored as *wrong* says what is answered today.

mod acts;
mod amends;
mod books;
mod containers;
mod custody;
mod documents;
mod doubts;
mod inputs;
mod makers;
mod members;
mod recalls;
mod runs;
mod strangers;
mod units;

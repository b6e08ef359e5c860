//! The whole chain under attack: publishers, bus, ledger and projectors as processes that are killed, robbed
//! and lied to, one scenario a file.
//!
//! Every scenario ends with the same check ([`check`]): every receipt given is true, every statement signed
//! stands in the log once, every event took effect once, nothing was signed twice, nobody is branded, all
//! checkpoints ever shown are of one history, and an auditor with the trust file finds nothing.
//!
//! `LOTPROOF_SEED` repeats a run as far as chance goes; `LOTPROOF_LONG=1` takes the full counts.

mod check;
mod child;
mod ear;
mod outboxes;
mod process;
pub(crate) mod watch;
mod world;

mod approvals;
mod copies;
mod full;
mod guard_back;
mod kill;
mod late_bus;
mod late_enrolment;
mod line;
mod lost_receipt;
mod rotation;
mod steps;
mod strangers;
mod tail;

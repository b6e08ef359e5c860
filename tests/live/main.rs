//! Promises that need a real `nats-server` and real sockets: servers are started, killed, restarted and
//! robbed of their storage, each by a test of its own, on a free port and in a folder of its own.
//!
//! A missing server is a failure that says what to do, never a skip. Nothing here sleeps: tests wait for
//! conditions, with deadlines.

mod bus;
mod chain;
mod clocks;
mod compliance;
#[path = "../dice.rs"]
mod dice;
mod doors;
mod fixture;
mod gateway;
mod guarding;
mod ledger;
mod publisher;
mod rebuild;

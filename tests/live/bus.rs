//! The bus: the guard's compare-and-swap, EVENTS read through kills and losses, purges, refusals.

mod access;
mod events;
mod guard;
mod server;
mod streams;

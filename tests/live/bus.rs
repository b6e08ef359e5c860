//! The bus: the guard's compare-and-swap, EVENTS read through kills and losses, purges, refusals.

mod events;
mod guard;
mod server;
mod streams;

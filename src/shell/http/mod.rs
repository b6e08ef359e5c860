//! The one HTTP server of all services; they bring routes, and what listens, waits and refuses is here.
//!
//! ```text
//! bind (loopback, or told what it gives up) -> accept (places) -> door (Host, Origin, Content-Type) -> routes
//!                                                                                                       | bodies
//! ```
//!
//! - **Places** (`server`): connections are counted, in all and for each peer. Beyond the count, the connection that
//!   has waited longest for its caller gives up its place; if all are being answered, the new one is answered 503.
//!   Descriptors are kept back for what is not a connection (`descriptors`), and no failure to accept ends a service.
//! - **Time** (`activity`, `stall`): for a head, for nothing at all, for a body (`body`), and for a reader of answers.
//! - **Rules** (`door`): what a web page may not do, although it can reach loopback.
//! - **Bodies** (`body`): bytes, JSON values and requests in hand.
//! - **Refusals** (`problem`): `application/problem+json` with stable codes.
//!
//! `docs/limits.md` has every number, `docs/http.md` what callers see.

mod activity;
mod arguments;
mod body;
mod descriptors;
mod door;
mod limits;
mod metrics;
pub mod problem;
mod server;
mod stall;

pub use self::{
    arguments::HttpArguments,
    body::{Bodies, BodyFault, BodyLimits, InHand, LONGEST_BODIES_MAX},
    descriptors::{PROCESS_CONNECTIONS_MAX, RESERVED_DESCRIPTORS, connections_of, raise_limit},
    door::{Authority, DoorRules, NotAnAuthority, NotLetIn},
    limits::limits,
    metrics::HttpMetrics,
    server::{HttpOptions, ListenError, Listening, Serving},
};

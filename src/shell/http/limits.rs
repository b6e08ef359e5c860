//! The server's limits with their defaults, as `docs/limits.md` names them.

use super::{
    descriptors::{PROCESS_CONNECTIONS_MAX, RESERVED_DESCRIPTORS},
    server::{HEAD_LEN_MAX, HEADERS_MAX, HttpOptions},
    stall::ENOUGH,
};

/// Every limit that is the same for all services.
pub fn limits() -> Vec<(&'static str, u64)> {
    let options = HttpOptions::default();
    vec![
        ("connections of one server", options.connections_max as u64),
        (
            "connections from one address",
            options.connections_per_peer_max as u64,
        ),
        ("connections of a process", PROCESS_CONNECTIONS_MAX),
        (
            "descriptors kept back for the store and the bus",
            RESERVED_DESCRIPTORS,
        ),
        ("head of a request, in bytes", HEAD_LEN_MAX as u64),
        ("headers of a request", HEADERS_MAX as u64),
        ("seconds for a head", options.head_time_max.as_secs()),
        (
            "seconds of silence between requests",
            options.idle_time_max.as_secs(),
        ),
        ("bytes of an answer that are enough for one span", ENOUGH as u64),
        ("seconds of such a span", options.write_time_max.as_secs()),
    ]
}

//! The manufacturing service: the gateway between a plant's MES and ERP and the ledger.
//!
//! It takes what makers say: about themselves, and what they commission, transform, assemble, inspect, certify
//! and scrap ([`lotproof::gateway::Service::Manufacturing`]). Everything else is the gateway's, which the shipping
//! service shares: [`lotproof::shell::gateway`].

use std::net::SocketAddr;

use lotproof::gateway::Service;
pub use lotproof::shell::gateway::{Arguments, Config, GatewayError};
use tokio::sync::{oneshot, watch};

/// Which kinds of event this service takes.
pub const SERVICE: Service = Service::Manufacturing;

/// Runs the service until `shutdown` turns true. `listening` hears the HTTP address once events are taken.
///
/// # Errors
/// Why it cannot run, or had to end.
pub async fn run(
    config: Config,
    shutdown: watch::Receiver<bool>,
    listening: oneshot::Sender<SocketAddr>,
) -> Result<(), GatewayError> {
    lotproof::shell::gateway::run(config, shutdown, listening).await
}

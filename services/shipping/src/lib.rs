//! The shipping service: the gateway between a carrier's or warehouse's WMS and TMS and the ledger.
//!
//! It takes what carriers and warehouses say: what is packed, shipped, received, refused, held, released, and
//! changes custody or title ([`lotproof::gateway::Service::Shipping`]). Everything else is the gateway's, which the manufacturing
//! service shares: [`lotproof::shell::gateway`].

use std::net::SocketAddr;

use lotproof::gateway::Service;
pub use lotproof::shell::gateway::{Arguments, Config, GatewayError};
use tokio::sync::{oneshot, watch};

/// Which kinds of event this service takes.
pub const SERVICE: Service = Service::Shipping;

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

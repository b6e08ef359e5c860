//! The command line of a server, the same for every service.

use super::{Authority, HttpOptions};

/// What a server is told beside its address.
#[derive(Clone, Debug, clap::Args)]
pub struct HttpArguments {
    /// A name that callers may use in `Host` beside the address itself, as `ledger.example` or `10.1.2.3:80`; may be
    /// repeated
    #[arg(
        long = "http-name",
        env = "LOTPROOF_HTTP_NAMES",
        value_name = "NAME[:PORT]",
        value_delimiter = ','
    )]
    pub names: Vec<Authority>,
    /// Listen elsewhere than on loopback although callers show no credentials and nothing is encrypted: whoever
    /// reaches the address may do all that the service does, in the operator's name
    #[arg(long, env = "LOTPROOF_LISTEN_WITHOUT_AUTHENTICATION")]
    pub listen_without_authentication: bool,
    /// Connections at once
    #[arg(long, env = "LOTPROOF_HTTP_CONNECTIONS", default_value_t = HttpOptions::default().connections_max)]
    pub http_connections: usize,
    /// Connections at once from one address
    #[arg(long, env = "LOTPROOF_HTTP_CONNECTIONS_PER_PEER", default_value_t = HttpOptions::default().connections_per_peer_max)]
    pub http_connections_per_peer: usize,
}

impl From<HttpArguments> for HttpOptions {
    fn from(arguments: HttpArguments) -> Self {
        let mut options = Self {
            listen_without_authentication: arguments.listen_without_authentication,
            connections_max: arguments.http_connections,
            connections_per_peer_max: arguments.http_connections_per_peer,
            ..Self::default()
        };
        options.rules.names = arguments.names;
        options
    }
}

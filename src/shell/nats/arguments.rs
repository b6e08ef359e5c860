//! The command line of whoever connects to the bus.

use std::{fs, path::PathBuf};

use super::access::{BusAccess, Credentials, Secret};

/// How to be known to the bus; every setting is also an environment variable.
#[derive(Clone, Debug, Default, clap::Args)]
pub struct BusArguments {
    /// Credentials file (.creds): a user's JWT and the seed of its nkey
    #[arg(
        long,
        env = "LOTPROOF_NATS_CREDS",
        value_name = "FILE",
        group = "bus credentials"
    )]
    pub nats_creds: Option<PathBuf>,
    /// File with the seed of a user's nkey (SU...)
    #[arg(
        long,
        env = "LOTPROOF_NATS_NKEY",
        value_name = "FILE",
        group = "bus credentials"
    )]
    pub nats_nkey: Option<PathBuf>,
    /// User, with the password in a file or in `LOTPROOF_NATS_PASSWORD`
    #[arg(
        long,
        env = "LOTPROOF_NATS_USER",
        value_name = "USER",
        group = "bus credentials"
    )]
    pub nats_user: Option<String>,
    /// File with the user's password
    #[arg(
        long,
        env = "LOTPROOF_NATS_PASSWORD_FILE",
        value_name = "FILE",
        requires = "nats_user"
    )]
    pub nats_password_file: Option<PathBuf>,
    /// PEM file of who signs the servers' certificates; TLS is required then
    #[arg(long, env = "LOTPROOF_NATS_CA", value_name = "FILE")]
    pub nats_ca: Option<PathBuf>,
    /// PEM file of the certificate that the servers ask for; TLS is required then
    #[arg(long, env = "LOTPROOF_NATS_CERT", value_name = "FILE", requires = "nats_key")]
    pub nats_cert: Option<PathBuf>,
    /// PEM file of its key
    #[arg(long, env = "LOTPROOF_NATS_KEY", value_name = "FILE", requires = "nats_cert")]
    pub nats_key: Option<PathBuf>,
}

impl BusArguments {
    /// What they come to.
    ///
    /// # Errors
    /// If a user has no password, or its file cannot be read.
    pub fn access(self) -> Result<BusAccess, String> {
        let credentials = match (self.nats_creds, self.nats_nkey, self.nats_user) {
            (Some(path), _, _) => Credentials::Creds(path),
            (None, Some(path), _) => Credentials::Nkey(path),
            (None, None, Some(user)) => {
                let password = match self.nats_password_file {
                    Some(path) => fs::read_to_string(&path)
                        .map_err(|error| format!("the password file {}: {error}", path.display()))?,
                    None => std::env::var("LOTPROOF_NATS_PASSWORD").map_err(|_| {
                        "--nats-user needs --nats-password-file, or LOTPROOF_NATS_PASSWORD".to_owned()
                    })?,
                };
                let password = Secret::new(password.trim_end_matches(['\r', '\n']));
                Credentials::Password { user, password }
            }
            (None, None, None) => Credentials::None,
        };
        Ok(BusAccess {
            credentials,
            ca: self.nats_ca,
            client_certificate: self.nats_cert.zip(self.nats_key),
        })
    }
}

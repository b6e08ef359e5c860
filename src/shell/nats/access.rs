//! How a service is known to its bus: addresses, credentials and certificates. No secret is ever shown.
//!
//! ```text
//! nats://a:4222,nats://b:4222        several servers of one cluster
//! nats://user:password@a:4222        as good as the options for user and password
//! nats://token@a:4222                a token
//! ```
//!
//! Credentials stand in every address or in none, and are the same in all; beside other credentials they are refused.
//! The client library passes over what stands in an address, so it is taken out here.

use std::{
    fmt, fs, io,
    path::{Path, PathBuf},
    str::FromStr,
};

use async_nats::{ConnectOptions, ServerAddr};
use zeroize::Zeroizing;

/// Longest file of credentials, in bytes.
pub(super) const CREDENTIALS_LEN_MAX: u64 = 64 << 10;

/// One address of the bus or several, separated by commas. Shown without what stands before an `@`.
#[derive(Clone, PartialEq, Eq)]
pub struct BusUrl(String);

impl From<String> for BusUrl {
    fn from(text: String) -> Self {
        Self(text)
    }
}

impl From<&str> for BusUrl {
    fn from(text: &str) -> Self {
        Self(text.to_owned())
    }
}

impl From<&String> for BusUrl {
    fn from(text: &String) -> Self {
        Self(text.clone())
    }
}

impl From<&Self> for BusUrl {
    fn from(url: &Self) -> Self {
        url.clone()
    }
}

impl FromStr for BusUrl {
    type Err = std::convert::Infallible;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Ok(text.into())
    }
}

impl fmt::Display for BusUrl {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (number, address) in self.0.split(',').enumerate() {
            let comma = if number == 0 { "" } else { "," };
            write!(formatter, "{comma}{}", without_credentials(address.trim()))?;
        }
        Ok(())
    }
}

impl fmt::Debug for BusUrl {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "BusUrl({self})")
    }
}

/// A password or token: never shown, and wiped from memory.
#[derive(Clone)]
pub struct Secret(Zeroizing<String>);

impl Secret {
    /// Keeps it.
    pub fn new(text: impl Into<String>) -> Self {
        Self(Zeroizing::new(text.into()))
    }

    fn text(&self) -> String {
        String::clone(&self.0)
    }
}

impl FromStr for Secret {
    type Err = std::convert::Infallible;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Ok(Self::new(text))
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("***")
    }
}

/// What says who connects.
#[derive(Clone, Debug, Default)]
pub enum Credentials {
    /// Nothing, or what stands in the address.
    #[default]
    None,
    /// A `.creds` file: a user's JWT and the seed of its nkey.
    Creds(PathBuf),
    /// A file with the seed of a user's nkey.
    Nkey(PathBuf),
    /// A user and a password.
    Password {
        /// The user.
        user: String,
        /// Its password.
        password: Secret,
    },
    /// A token.
    Token(Secret),
}

/// How a service is known to its bus, and by what it knows the bus.
#[derive(Clone, Debug, Default)]
pub struct BusAccess {
    /// Who it is.
    pub credentials: Credentials,
    /// Certificates (PEM) of who signs those of the servers, beside those of the system. TLS is required then.
    pub ca: Option<PathBuf>,
    /// Certificate and key (PEM) that the servers ask for. TLS is required then.
    pub client_certificate: Option<(PathBuf, PathBuf)>,
}

/// Why the bus is not even asked.
#[derive(Debug, thiserror::Error)]
pub enum AccessError {
    /// An address that is none.
    #[error("{address} is no address of a bus; expected a form like nats://host:4222")]
    Address {
        /// The address, without credentials.
        address: String,
    },
    /// Credentials stand in some addresses, or differ.
    #[error("every address of the bus carries the same credentials, or none does")]
    Differ,
    /// Credentials stand in the address and beside it.
    #[error("credentials stand in the address of the bus, and are given beside it: give them once")]
    Twice,
    /// A file that cannot be used.
    #[error("{what} {}", path.display())]
    File {
        /// What it should be.
        what: &'static str,
        /// Which file.
        path: PathBuf,
        /// What is wrong.
        source: io::Error,
    },
}

/// The address without what stands before an `@`.
fn without_credentials(url: &str) -> String {
    match (url.split_once("://"), url.rsplit_once('@')) {
        (Some((scheme, _)), Some((_, host))) => format!("{scheme}://{host}"),
        (None, Some((_, host))) => host.to_owned(),
        (_, None) => url.to_owned(),
    }
}

/// What stands before an `@`.
fn userinfo(url: &str) -> Option<&str> {
    let (before, _) = url.rsplit_once('@')?;
    Some(before.split_once("://").map_or(before, |(_, userinfo)| userinfo))
}

/// `%41` as `A`; nothing if that is no text.
fn percent_decoded(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, behind)) = rest.split_first() {
        if *first == b'%' {
            let (digits, behind) = behind.split_at_checked(2)?;
            bytes.extend(hex::decode(digits).ok()?);
            rest = behind;
        } else {
            bytes.push(*first);
            rest = behind;
        }
    }
    String::from_utf8(bytes).ok()
}

impl BusUrl {
    /// The servers, and the credentials that all of their addresses carry.
    fn parse(&self) -> Result<(Vec<ServerAddr>, Credentials), AccessError> {
        let addresses: Vec<&str> = self.0.split(',').map(str::trim).collect();
        let bad = |address: &str| AccessError::Address {
            address: without_credentials(address),
        };
        let servers = addresses.iter().map(|address| {
            let stripped = without_credentials(address);
            let server = stripped
                .parse::<ServerAddr>()
                .ok()
                .filter(|_| !stripped.is_empty());
            server.ok_or_else(|| bad(address))
        });
        let servers = servers.collect::<Result<Vec<_>, _>>()?;
        let first = userinfo(addresses[0]);
        if addresses.iter().any(|address| userinfo(address) != first) {
            return Err(AccessError::Differ);
        }
        let decoded = |text: &str| percent_decoded(text).ok_or_else(|| bad(addresses[0]));
        let credentials = match first.map(|first| first.split_once(':').ok_or(first)) {
            None => Credentials::None,
            Some(Ok((user, password))) => Credentials::Password {
                user: decoded(user)?,
                password: Secret::new(decoded(password)?),
            },
            Some(Err(token)) => Credentials::Token(Secret::new(decoded(token)?)),
        };
        Ok((servers, credentials))
    }
}

impl BusAccess {
    /// Access by the seed of an nkey in a file.
    pub fn by_nkey(path: impl Into<PathBuf>) -> Self {
        Self {
            credentials: Credentials::Nkey(path.into()),
            ..Self::default()
        }
    }

    /// Puts all of this into the options of a client, and returns the servers to connect to.
    pub(super) fn apply(
        &self,
        url: &BusUrl,
        mut options: ConnectOptions,
    ) -> Result<(ConnectOptions, Vec<ServerAddr>), AccessError> {
        let (servers, in_url) = url.parse()?;
        let credentials = match (&self.credentials, &in_url) {
            (Credentials::None, _) => &in_url,
            (given, Credentials::None) => given,
            _ => return Err(AccessError::Twice),
        };
        options = match credentials {
            Credentials::None => options,
            Credentials::Password { user, password } => {
                options.user_and_password(user.clone(), password.text())
            }
            Credentials::Token(token) => options.token(token.text()),
            Credentials::Creds(path) => {
                let text = secret_file("the credentials file", path)?;
                options
                    .credentials(&text)
                    .map_err(file_error("the credentials file", path))?
            }
            Credentials::Nkey(path) => {
                let text = secret_file("the nkey seed file", path)?;
                let seed = text.lines().map(str::trim).find(|line| line.starts_with("SU"));
                let no_seed = || {
                    io::Error::new(
                        io::ErrorKind::InvalidData,
                        "no line is the seed of a user (SU...)",
                    )
                };
                let seed = seed
                    .ok_or_else(no_seed)
                    .map_err(file_error("the nkey seed file", path))?;
                // Read here once: the client would find out at the first connection only.
                nkeys::KeyPair::from_seed(seed)
                    .map_err(|_| no_seed())
                    .map_err(file_error("the nkey seed file", path))?;
                options.nkey(seed.to_owned())
            }
        };
        if let Some(ca) = &self.ca {
            readable("the CA certificates", ca)?;
            options = options.add_root_certificates(ca.clone()).require_tls(true);
        }
        if let Some((certificate, key)) = &self.client_certificate {
            readable("the client certificate", certificate)?;
            readable("the key of the client certificate", key)?;
            options = options
                .add_client_certificate(certificate.clone(), key.clone())
                .require_tls(true);
        }
        Ok((options, servers))
    }
}

fn file_error(what: &'static str, path: &Path) -> impl FnOnce(io::Error) -> AccessError {
    let path = path.to_owned();
    move |source| AccessError::File { what, path, source }
}

fn readable(what: &'static str, path: &Path) -> Result<(), AccessError> {
    fs::File::open(path).map(drop).map_err(file_error(what, path))
}

fn secret_file(what: &'static str, path: &Path) -> Result<Zeroizing<String>, AccessError> {
    let read = || {
        if fs::metadata(path)?.len() > CREDENTIALS_LEN_MAX {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "too long to be one"));
        }
        fs::read_to_string(path)
    };
    read().map(Zeroizing::new).map_err(file_error(what, path))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(text: &str) -> Result<(usize, Credentials), AccessError> {
        let (servers, credentials) = BusUrl::from(text).parse()?;
        assert!(servers.iter().all(|server| !server.has_user_pass()));
        Ok((servers.len(), credentials))
    }

    #[test]
    fn credentials_in_an_address_are_used() {
        let (count, found) = parsed("nats://us%65r:p%40ss%3A@a:4222, nats://us%65r:p%40ss%3A@b").unwrap();
        let Credentials::Password { user, password } = found else {
            panic!("{found:?}")
        };
        assert_eq!(
            (count, user.as_str(), password.text().as_str()),
            (2, "user", "p@ss:")
        );
        let (_, found) = parsed("t0ken@a:4222").unwrap();
        assert!(matches!(found, Credentials::Token(token) if token.text() == "t0ken"));
        assert!(matches!(
            parsed("nats://a,tls://b:4443,c").unwrap(),
            (3, Credentials::None)
        ));
    }

    #[test]
    fn credentials_that_differ_or_come_twice_are_refused() {
        for text in [
            "nats://u:p@a,nats://u:q@b",
            "nats://u:p@a,nats://b",
            "nats://a,nats://u:p@b",
        ] {
            assert!(matches!(parsed(text), Err(AccessError::Differ)), "{text}");
        }
        let access = BusAccess::by_nkey("file");
        let applied = access.apply(&"nats://u:p@a".into(), ConnectOptions::new());
        assert!(matches!(applied, Err(AccessError::Twice)));
        for text in [
            "",
            "nats://a,,nats://b",
            "nats://no such host",
            "http://a",
            "nats://u:%zz@a",
        ] {
            assert!(matches!(parsed(text), Err(AccessError::Address { .. })), "{text}");
        }
    }

    #[test]
    fn never_shows_a_secret() {
        for (url, shown) in [
            ("nats://user:pass@host:4222", "nats://host:4222"),
            ("user:p@ss@host:4222", "host:4222"),
            ("nats://host:4222", "nats://host:4222"),
            ("nats://u:pass@a,nats://u:pass@b", "nats://a,nats://b"),
        ] {
            let url = BusUrl::from(url);
            assert_eq!(url.to_string(), shown);
            assert!(!format!("{url:?}").contains("ss"), "{url:?}");
        }
        let access = BusAccess {
            credentials: Credentials::Password {
                user: "user".into(),
                password: Secret::new("pass"),
            },
            ..BusAccess::default()
        };
        assert!(!format!("{access:?}").contains("pass\""), "{access:?}");
        let error = parsed("nats://user:pass@no host").unwrap_err();
        assert!(!format!("{error:?} {error}").contains("pass"), "{error:?}");
    }

    #[test]
    fn a_file_that_is_missing_or_holds_something_else_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("seed");
        let url = BusUrl::from("nats://a");
        let why = |access: BusAccess| match access.apply(&url, ConnectOptions::new()) {
            Err(error @ AccessError::File { .. }) => error.to_string(),
            _ => panic!("refused"),
        };
        assert!(why(BusAccess::by_nkey(&path)).contains("nkey seed file"));
        for text in ["", "garbage", "SUGARBAGE", "SAAPQRS"] {
            fs::write(&path, text).unwrap();
            assert!(why(BusAccess::by_nkey(&path)).contains("seed"), "{text}");
            let creds = BusAccess {
                credentials: Credentials::Creds(path.clone()),
                ..BusAccess::default()
            };
            assert!(why(creds).contains("credentials file"), "{text}");
        }
        fs::write(
            &path,
            format!("\n{}\n", nkeys::KeyPair::new_user().seed().unwrap()),
        )
        .unwrap();
        assert!(
            BusAccess::by_nkey(&path)
                .apply(&url, ConnectOptions::new())
                .is_ok()
        );
        let ca = BusAccess {
            ca: Some(folder.path().join("none.pem")),
            ..BusAccess::default()
        };
        assert!(why(ca).contains("CA certificates"));
    }
}

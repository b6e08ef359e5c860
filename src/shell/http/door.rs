//! Which requests are let in where callers show no credentials.
//!
//! A server on loopback is reached by every page that a browser on the machine shows. A page sends what it likes to
//! any port, and a name of its own can be made to point at this address (DNS rebinding). So:
//!
//! - `Host` is the address that the connection came to, `localhost` on loopback, or a configured name; else 421.
//! - `Origin` and `Sec-Fetch-Site`, which browsers set and pages cannot, are of this very server; else 403.
//! - What carries a body says `Content-Type: application/json`, which no page of another origin can send without
//!   asking first (and nobody answers); else 415.
//!
//! Pages of other origins may read only what the operator calls public. The rules are pure.

use std::{
    fmt,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    str::FromStr,
};

use axum::http::{HeaderMap, HeaderName, Method, StatusCode, Uri, header};

/// `Sec-Fetch-Site`, as browsers set it.
const SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");
/// The port of `http` where none is written.
const HTTP_PORT: u16 = 80;
/// The port of `https` where none is written.
const HTTPS_PORT: u16 = 443;

/// A host and perhaps a port, as in `Host`: `ledger.example`, `127.0.0.1:8470`, `[::1]:8470`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Authority {
    host: Host,
    port: Option<u16>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Host {
    Address(IpAddr),
    /// In lower case.
    Name(String),
}

/// A text that is no host and port.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no host and port; expected a form like `ledger.example` or `10.1.2.3:8470`")]
pub struct NotAnAuthority(String);

impl FromStr for Authority {
    type Err = NotAnAuthority;

    fn from_str(text: &str) -> Result<Self, NotAnAuthority> {
        let error = || NotAnAuthority(text.chars().take(256).collect());
        let (host, port) = if let Some(rest) = text.strip_prefix('[') {
            let (address, port) = rest.split_once(']').ok_or_else(error)?;
            let address: Ipv6Addr = address.parse().map_err(|_| error())?;
            (Host::Address(address.into()), port)
        } else {
            let (host, port) = text.split_at(text.find(':').unwrap_or(text.len()));
            let is_name = !host.is_empty()
                && host.len() <= 253
                && host
                    .bytes()
                    .all(|byte| byte.is_ascii_alphanumeric() || b"-._".contains(&byte));
            if !is_name {
                return Err(error());
            }
            let host = match host.parse::<Ipv4Addr>() {
                Ok(address) => Host::Address(address.into()),
                Err(_) => Host::Name(host.to_ascii_lowercase()),
            };
            (host, port)
        };
        let port = match port.strip_prefix(':') {
            None if port.is_empty() => None,
            Some(digits) if digits.bytes().all(|byte| byte.is_ascii_digit()) => {
                Some(digits.parse().map_err(|_| error())?)
            }
            _ => return Err(error()),
        };
        Ok(Self { host, port })
    }
}

impl fmt::Display for Authority {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.host {
            Host::Address(IpAddr::V6(address)) => write!(formatter, "[{address}]")?,
            Host::Address(address) => write!(formatter, "{address}")?,
            Host::Name(name) => formatter.write_str(name)?,
        }
        self.port.map_or(Ok(()), |port| write!(formatter, ":{port}"))
    }
}

impl Authority {
    /// Whether it names the address that a connection came to.
    fn is_address(&self, local: SocketAddr) -> bool {
        let here = local.ip().to_canonical();
        let is_here = match &self.host {
            Host::Address(address) => {
                *address == here
                    || here.is_loopback()
                        && [IpAddr::from(Ipv4Addr::LOCALHOST), Ipv6Addr::LOCALHOST.into()].contains(address)
            }
            Host::Name(name) => here.is_loopback() && name == "localhost",
        };
        is_here && self.port.unwrap_or(HTTP_PORT) == local.port()
    }

    /// Whether a configured name covers it; one without port covers every port.
    fn is_covered_by(&self, name: &Self) -> bool {
        self.host == name.host
            && name
                .port
                .is_none_or(|port| self.port.unwrap_or(HTTP_PORT) == port)
    }
}

/// What a server lets in.
#[derive(Clone, Debug, Default)]
pub struct DoorRules {
    /// Names that `Host` may have beside the address itself.
    pub names: Vec<Authority>,
    /// Paths whose bodies may be `application/ld+json` as well.
    pub linked_data: &'static [&'static str],
    /// Beginnings of paths that pages of any origin may read.
    pub public: &'static [&'static str],
}

/// Why a request is not let in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NotLetIn {
    /// Which rule: `host_refused`, `origin_refused` or `unsupported_media_type`.
    pub code: &'static str,
    /// The HTTP status.
    pub status: StatusCode,
    /// For people.
    pub detail: String,
}

impl NotLetIn {
    const CODES: [&str; 3] = ["host_refused", "origin_refused", "unsupported_media_type"];

    /// Every code there is.
    pub const fn codes() -> &'static [&'static str] {
        &Self::CODES
    }
}

impl DoorRules {
    /// Whether pages of any origin may read what is at this path.
    pub fn is_public(&self, method: &Method, path: &str) -> bool {
        [Method::GET, Method::HEAD, Method::OPTIONS].contains(method)
            && self.public.iter().any(|public| path.starts_with(public))
    }

    /// Judges a request by its head; `local` is the address that its connection came to.
    ///
    /// # Errors
    /// The first rule that it breaks.
    pub fn check(
        &self,
        method: &Method,
        uri: &Uri,
        headers: &HeaderMap,
        local: SocketAddr,
    ) -> Result<(), NotLetIn> {
        let host = self.host(uri, headers, local)?;
        if !self.is_public(method, uri.path()) {
            same_origin(headers, &host)?;
        }
        self.media_type(method, uri, headers)
    }

    fn host(&self, uri: &Uri, headers: &HeaderMap, local: SocketAddr) -> Result<Authority, NotLetIn> {
        let refused = |found: &str| NotLetIn {
            code: "host_refused",
            status: StatusCode::MISDIRECTED_REQUEST,
            detail: format!(
                "{found}; expected `Host: {local}`, or a name that the service was given with --http-name"
            ),
        };
        let text = only(headers, &header::HOST).map_err(|count| refused(&format!("{count} Host headers")))?;
        let host: Authority = text
            .parse()
            .map_err(|error: NotAnAuthority| refused(&error.to_string()))?;
        let is_known = |host: &Authority| {
            host.is_address(local) || self.names.iter().any(|name| host.is_covered_by(name))
        };
        // The whole URL in the request line names a host of its own, which a router goes by.
        let in_line = uri
            .authority()
            .map(|authority| authority.as_str().parse::<Authority>());
        if !is_known(&host) || in_line.is_some_and(|in_line| in_line.as_ref() != Ok(&host)) {
            return Err(refused(&format!("this service is not {host}")));
        }
        Ok(host)
    }

    fn media_type(&self, method: &Method, uri: &Uri, headers: &HeaderMap) -> Result<(), NotLetIn> {
        let has_body = [Method::POST, Method::PUT, Method::PATCH].contains(method)
            || headers.contains_key(header::TRANSFER_ENCODING)
            || headers.get(header::CONTENT_LENGTH).is_some_and(|len| len != "0");
        if !has_body {
            return Ok(());
        }
        let linked_data = self.linked_data.contains(&uri.path());
        let taken = only(headers, &header::CONTENT_TYPE).is_ok_and(|text| is_json(text, linked_data));
        if taken {
            return Ok(());
        }
        let or = if linked_data {
            " or application/ld+json"
        } else {
            ""
        };
        Err(NotLetIn {
            code: "unsupported_media_type",
            status: StatusCode::UNSUPPORTED_MEDIA_TYPE,
            detail: format!("a body is sent with `Content-Type: application/json`{or}, in UTF-8"),
        })
    }
}

/// The value of a header that stands there once; else how often it does.
fn only<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Result<&'a str, usize> {
    let mut values = headers.get_all(name).iter();
    match (values.next(), values.next()) {
        (Some(value), None) => Ok(value.to_str().unwrap_or("\u{fffd}")),
        (None, _) => Err(0),
        (Some(_), Some(_)) => Err(2 + values.count()),
    }
}

/// Nothing that a browser says of a page elsewhere.
fn same_origin(headers: &HeaderMap, host: &Authority) -> Result<(), NotLetIn> {
    let refused = |what: String| NotLetIn {
        code: "origin_refused",
        status: StatusCode::FORBIDDEN,
        detail: format!("{what}: pages of other origins may not ask here"),
    };
    let foreign = headers.get_all(header::ORIGIN).iter().find(|origin| {
        let own = origin.to_str().is_ok_and(|origin| is_origin_of(origin, host));
        !own
    });
    if let Some(origin) = foreign {
        return Err(refused(format!("Origin {origin:?}")));
    }
    let foreign = headers
        .get_all(SEC_FETCH_SITE)
        .iter()
        .find(|site| *site != "same-origin" && *site != "none");
    match foreign {
        Some(site) => Err(refused(format!("Sec-Fetch-Site {site:?}"))),
        None => Ok(()),
    }
}

/// Whether an origin is the server that `Host` names.
fn is_origin_of(origin: &str, host: &Authority) -> bool {
    let (default_port, authority) = match origin.split_once("://") {
        Some(("http", authority)) => (HTTP_PORT, authority),
        Some(("https", authority)) => (HTTPS_PORT, authority),
        _ => return false,
    };
    authority.parse::<Authority>().is_ok_and(|origin| {
        origin.host == host.host && origin.port.unwrap_or(default_port) == host.port.unwrap_or(default_port)
    })
}

/// Whether a media type is JSON in UTF-8, its parameters aside.
fn is_json(text: &str, or_linked_data: bool) -> bool {
    let mut parts = text.split(';').map(str::trim);
    let essence = parts.next().unwrap_or_default();
    let is_taken = essence.eq_ignore_ascii_case("application/json")
        || or_linked_data && essence.eq_ignore_ascii_case("application/ld+json");
    is_taken
        && parts.all(|parameter| {
            let (name, value) = parameter.split_once('=').unwrap_or((parameter, ""));
            !name.eq_ignore_ascii_case("charset") || value.trim_matches('"').eq_ignore_ascii_case("utf-8")
        })
}

#[cfg(test)]
mod tests;

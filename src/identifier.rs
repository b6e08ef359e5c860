//! Identifiers: URIs in one normal form, so that one thing has one name.
//!
//! ```text
//! GS1 keys   https://id.gs1.org/{key AI}/{key}[/{qualifier AI}/{value}]      checked by AI, no query
//! others     RFC 3986 section 6.2.2: lower-case scheme and host, upper-case %XX, unreserved never escaped,
//!            no dot segments; `http` and `https` with a path, without default port
//! ```
//!
//! Gateways [`read`] what people send and keep their spelling beside it; admission only asks [`is_normal`] and
//! refuses the rest, because an alias would hide events from a complete answer. EPC URNs (`urn:epc:...`) are
//! aliases of the Digital Link form. Check digits are not judged here: a wrong one is a finding, not another
//! name. Spec: `proto/README.md`, "Identifiers"; GS1 TDS 2.0 and GS1 Digital Link 1.3.

mod epc;
mod gs1;

/// Longest identifier in bytes.
pub const LEN_MAX: usize = 256;

const GS1: &str = "https://id.gs1.org/";

/// Why text is not an identifier in any spelling.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum IdentifierError {
    /// More than [`LEN_MAX`] bytes.
    #[error("identifier is longer than {LEN_MAX} bytes")]
    TooLong,
    /// No scheme, or characters that a URI cannot have.
    #[error("not an absolute URI: {0}")]
    NotUri(&'static str),
    /// An EPC URN whose parts do not make a GS1 key.
    #[error("not a valid EPC URN: {0}")]
    BadEpc(&'static str),
    /// A value that its application identifier does not take.
    #[error("AI {ai} ({title}) takes {takes}; this has {got}")]
    AiValue {
        /// The application identifier.
        ai: &'static str,
        /// What it stands for.
        title: &'static str,
        /// Length and characters of its values.
        takes: String,
        /// What came.
        got: String,
    },
    /// A key followed by what does not qualify it.
    #[error("AI {ai} ({title}) is qualified by {takes}; this has {got}")]
    AiQualifier {
        /// The key's application identifier.
        ai: &'static str,
        /// What it stands for.
        title: &'static str,
        /// The qualifiers that it takes.
        takes: String,
        /// What came.
        got: String,
    },
    /// A key that does not stand first.
    #[error("AI {ai} ({title}) is a key: it stands before its qualifiers, and this has it after {after}")]
    KeyNotFirst {
        /// The key's application identifier.
        ai: &'static str,
        /// What it stands for.
        title: &'static str,
        /// What stands before it.
        after: String,
    },
    /// A qualifier in the query, where resolvers keep what is no part of a name.
    #[error("AI {ai} ({title}) stands in the query: a qualifier stands in the path, as in .../{ai}/A1")]
    AiInQuery {
        /// The application identifier.
        ai: &'static str,
        /// What it stands for.
        title: &'static str,
    },
    /// A link of GS1's own resolver that names nothing.
    #[error("id.gs1.org names GS1 keys alone, as in https://id.gs1.org/01/09521231100013/10/A1")]
    NoKey,
}

impl IdentifierError {
    /// A stable name for the reason, as in `tests/vectors/v1/names.json`.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::TooLong => "too_long",
            Self::NotUri(_) => "not_uri",
            Self::BadEpc(_) => "bad_epc",
            Self::AiValue { .. } => "ai_value",
            Self::AiQualifier { .. } => "ai_qualifier",
            Self::KeyNotFirst { .. } => "key_not_first",
            Self::AiInQuery { .. } => "ai_in_query",
            Self::NoKey => "no_key",
        }
    }

    /// The application identifier at fault, if it is one.
    pub const fn ai(&self) -> Option<&'static str> {
        match self {
            Self::AiValue { ai, .. }
            | Self::AiQualifier { ai, .. }
            | Self::KeyNotFirst { ai, .. }
            | Self::AiInQuery { ai, .. } => Some(ai),
            Self::TooLong | Self::NotUri(_) | Self::BadEpc(_) | Self::NoKey => None,
        }
    }
}

/// An identifier read from any spelling: its one name, and what the spelling says beside it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Normal {
    /// The normal form.
    pub id: String,
    /// The class lot that the link of a serial names, as an identifier: `.../01/{GTIN}/10/{lot}`.
    pub class_lot: Option<String>,
    /// The product variant that the link of a lot or serial names: `.../01/{GTIN}/22/{variant}`.
    pub variant: Option<String>,
}

impl Normal {
    /// A name without more.
    const fn bare(id: String) -> Self {
        Self {
            id,
            class_lot: None,
            variant: None,
        }
    }
}

/// Whether `text` is an identifier in normal form.
pub fn is_normal(text: &str) -> bool {
    is_plain_gs1_key(text) || read(text).is_ok_and(|normal| normal.id == text)
}

/// The bulk of what a ledger sees, without an allocation: a party, a place, a shipment or a logistic unit, or a
/// GTIN, alone or with a lot or serial of harmless letters.
fn is_plain_gs1_key(text: &str) -> bool {
    let Some((application, rest)) = text
        .strip_prefix("https://id.gs1.org/")
        .and_then(|rest| rest.split_once('/'))
    else {
        return false;
    };
    let digits_len = match application {
        "00" => 18,
        "01" => 14,
        "402" => 17,
        "414" | "417" => 13,
        _ => return false,
    };
    let Some((digits, rest)) = rest.split_at_checked(digits_len) else {
        return false;
    };
    if !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return false;
    }
    let value = rest.strip_prefix("/10/").or_else(|| rest.strip_prefix("/21/"));
    match value {
        None => rest.is_empty(),
        Some(value) => {
            application == "01"
                && (1..=20).contains(&value.len())
                && value
                    .bytes()
                    .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_')
        }
    }
}

/// The normal form of an identifier in any spelling.
///
/// # Errors
/// See [`IdentifierError`].
pub fn normalise(text: &str) -> Result<String, IdentifierError> {
    read(text).map(|normal| normal.id)
}

/// Reads an identifier in any spelling.
///
/// # Errors
/// See [`IdentifierError`].
pub fn read(text: &str) -> Result<Normal, IdentifierError> {
    if is_plain_gs1_key(text) {
        return Ok(Normal::bare(text.to_owned()));
    }
    let normal = read_once(text)?;
    // A few odd texts would change once more; what has no fixed point has no normal form.
    if read_once(&normal.id)?.id != normal.id {
        return Err(IdentifierError::NotUri("no normal form"));
    }
    Ok(normal)
}

fn read_once(text: &str) -> Result<Normal, IdentifierError> {
    if text.len() > LEN_MAX {
        return Err(IdentifierError::TooLong);
    }
    let (scheme, rest) = text.split_once(':').ok_or(IdentifierError::NotUri("no scheme"))?;
    let scheme = scheme.to_ascii_lowercase();
    if !scheme
        .bytes()
        .next()
        .is_some_and(|byte| byte.is_ascii_lowercase())
        || !scheme
            .bytes()
            .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"+.-".contains(&byte))
    {
        return Err(IdentifierError::NotUri("bad scheme"));
    }
    if rest.is_empty() {
        return Err(IdentifierError::NotUri("nothing after the scheme"));
    }
    let rest = escapes(rest)?;
    let normal = match scheme.as_str() {
        "urn" => urn(&rest)?,
        "http" | "https" => web(&scheme, &rest)?,
        _ => Normal::bare(hierarchical(&scheme, &rest)?),
    };
    if normal.id.len() > LEN_MAX {
        return Err(IdentifierError::TooLong);
    }
    Ok(normal)
}

/// RFC 3986 6.2.2.1 and 6.2.2.2: upper-case escapes, and none for unreserved characters. The three marks of GS1
/// set 82 that no URI can have are escaped for whoever did not.
fn escapes(text: &str) -> Result<String, IdentifierError> {
    let mut out = String::with_capacity(text.len());
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        if byte == b'%' {
            let mut digit = || bytes.next().and_then(|byte| char::from(byte).to_digit(16));
            let (Some(high), Some(low)) = (digit(), digit()) else {
                return Err(IdentifierError::NotUri("bad percent escape"));
            };
            match u8::try_from(high * 16 + low) {
                Ok(decoded) if is_unreserved(decoded) => out.push(char::from(decoded)),
                Ok(decoded) => out.extend(["%", &hex::encode_upper([decoded])]),
                Err(_) => return Err(IdentifierError::NotUri("bad percent escape")),
            }
        } else if is_unreserved(byte) || b":/?#[]@!$&'()*+,;=".contains(&byte) {
            out.push(char::from(byte));
        } else if b"\"<>".contains(&byte) {
            out.extend(["%", &hex::encode_upper([byte])]);
        } else {
            return Err(IdentifierError::NotUri("a character that must be escaped"));
        }
    }
    Ok(out)
}

const fn is_unreserved(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~')
}

fn web(scheme: &str, rest: &str) -> Result<Normal, IdentifierError> {
    let rest = rest
        .strip_prefix("//")
        .ok_or(IdentifierError::NotUri("no host"))?;
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let (authority, tail) = rest.split_at(end);
    let authority = authority.to_ascii_lowercase();
    let default_port = if scheme == "http" { ":80" } else { ":443" };
    let authority = authority
        .strip_suffix(default_port)
        .or_else(|| authority.strip_suffix(':'))
        .unwrap_or(&authority);
    if authority.is_empty() || authority.contains('@') {
        return Err(IdentifierError::NotUri("no host, or a user in it"));
    }
    let path_end = tail.find(['?', '#']).unwrap_or(tail.len());
    let (path, query) = tail.split_at(path_end);
    if let Some(normal) = gs1::digital_link(host(authority), path, query)? {
        return Ok(normal);
    }
    let path = if path.is_empty() {
        "/".to_owned()
    } else {
        without_dots(path)
    };
    Ok(Normal::bare(format!("{scheme}://{authority}{path}{query}")))
}

/// An authority without its port.
fn host(authority: &str) -> &str {
    let port = |port: &str| port.bytes().all(|byte| byte.is_ascii_digit());
    match authority.rsplit_once(':') {
        Some((host, end)) if port(end) => host,
        _ => authority,
    }
}

fn hierarchical(scheme: &str, rest: &str) -> Result<String, IdentifierError> {
    let Some(after) = rest.strip_prefix("//") else {
        return Ok(format!("{scheme}:{rest}"));
    };
    let end = after.find(['/', '?', '#']).unwrap_or(after.len());
    let (authority, tail) = after.split_at(end);
    let path_end = tail.find(['?', '#']).unwrap_or(tail.len());
    let (path, query) = tail.split_at(path_end);
    if authority.is_empty() && path.is_empty() {
        return Err(IdentifierError::NotUri("no host and no path"));
    }
    Ok(format!(
        "{scheme}://{}{}{query}",
        authority.to_ascii_lowercase(),
        without_dots(path)
    ))
}

/// RFC 3986 section 5.2.4 for a path that is empty or starts with a slash.
fn without_dots(path: &str) -> String {
    let mut kept: Vec<&str> = Vec::new();
    let mut segments = path.split('/').skip(1).peekable();
    while let Some(segment) = segments.next() {
        let last = segments.peek().is_none();
        match segment {
            "." if last => kept.push(""),
            "." => {}
            ".." => {
                kept.pop();
                if last {
                    kept.push("");
                }
            }
            _ => kept.push(segment),
        }
    }
    kept.iter()
        .fold(String::new(), |path, segment| path + "/" + segment)
}

fn urn(rest: &str) -> Result<Normal, IdentifierError> {
    let (nid, nss) = rest
        .split_once(':')
        .ok_or(IdentifierError::NotUri("a URN without namespace"))?;
    let nid = nid.to_ascii_lowercase();
    if nss.is_empty() || nid.is_empty() {
        return Err(IdentifierError::NotUri("a URN without a name"));
    }
    match nid.as_str() {
        "epc" => epc::name(nss),
        "uuid" => Ok(Normal::bare(format!("urn:uuid:{}", nss.to_ascii_lowercase()))),
        _ => Ok(Normal::bare(format!("urn:{nid}:{nss}"))),
    }
}

/// The GS1 check digit (modulo 10, weights 3 and 1 from the right) of digits without it.
pub fn check_digit(digits: &str) -> u32 {
    let sum: u32 = digits
        .bytes()
        .rev()
        .enumerate()
        .map(|(at, byte)| u32::from(byte - b'0') * if at % 2 == 0 { 3 } else { 1 })
        .sum();
    (10 - sum % 10) % 10
}

/// The GTIN class that a GS1 lot or serial belongs to, as an identifier; nothing for other identifiers.
pub fn gs1_class(identifier: &str) -> Option<String> {
    let rest = identifier.strip_prefix(GS1)?.strip_prefix("01/")?;
    rest.get(..14).map(|gtin| format!("{GS1}01/{gtin}"))
}

/// The lot, decoded, of which a class lot of a GTIN is; nothing for other identifiers.
pub fn gs1_lot(class_lot: &str) -> Option<String> {
    let class = gs1_class(class_lot)?;
    let lot = class_lot.strip_prefix(&class)?.strip_prefix("/10/")?;
    String::from_utf8(gs1::unescaped(lot)).ok()
}

/// The digits of a GS1 key that end with a check digit, if that is not what it should be.
pub fn wrong_check_digit(normal: &str) -> Option<&str> {
    let (ai, rest) = normal.strip_prefix(GS1)?.split_once('/')?;
    let len = match ai {
        "00" | "8017" | "8018" => 18,
        "01" | "8003" | "8006" => 14,
        "253" | "255" | "414" | "415" | "417" => 13,
        "402" => 17,
        _ => return None,
    };
    let key = rest.get(..len)?;
    let (digits, check) = key.split_at_checked(len - 1)?;
    (digits.bytes().all(|byte| byte.is_ascii_digit()) && check_digit(digits).to_string() != check)
        .then_some(key)
}

#[cfg(test)]
mod tests;

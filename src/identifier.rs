//! Identifiers: URIs in one normal form, so that one thing has one name.
//!
//! ```text
//! GS1 keys   https://id.gs1.org/{key AI}/{key}[/{qualifier AI}/{value}]...     GS1 Digital Link, no query
//! others     RFC 3986 section 6.2.2: lower-case scheme and host, upper-case %XX, unreserved never escaped,
//!            no dot segments; `http` and `https` with a path, without default port
//! ```
//!
//! Gateways [`normalise`] what people send and keep their spelling beside it; admission only asks
//! [`is_normal`] and refuses the rest, because an alias would hide events from a complete answer. EPC URNs
//! (`urn:epc:...`) are aliases of the Digital Link form. Check digits are not judged here: a wrong one is a
//! finding, not another name. Spec: `proto/README.md`, "Identifiers"; GS1 TDS 2.0 and GS1 Digital Link 1.3.

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
}

/// Whether `text` is an identifier in normal form.
pub fn is_normal(text: &str) -> bool {
    is_plain_gs1_key(text) || normalise(text).is_ok_and(|normal| normal == text)
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
    let normal = normalise_once(text)?;
    // A few odd texts would change once more; what has no fixed point has no normal form.
    if normalise_once(&normal)? != normal {
        return Err(IdentifierError::NotUri("no normal form"));
    }
    Ok(normal)
}

fn normalise_once(text: &str) -> Result<String, IdentifierError> {
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
        _ => hierarchical(&scheme, &rest)?,
    };
    if normal.len() > LEN_MAX {
        return Err(IdentifierError::TooLong);
    }
    Ok(normal)
}

/// RFC 3986 6.2.2.1 and 6.2.2.2: upper-case escapes, and none for unreserved characters.
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
        } else {
            return Err(IdentifierError::NotUri("a character that must be escaped"));
        }
    }
    Ok(out)
}

const fn is_unreserved(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~')
}

fn web(scheme: &str, rest: &str) -> Result<String, IdentifierError> {
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
    if let Some(key) = digital_link(path) {
        return Ok(format!("{GS1}{key}"));
    }
    let path = if path.is_empty() {
        "/".to_owned()
    } else {
        without_dots(path)
    };
    Ok(format!("{scheme}://{authority}{path}{query}"))
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

fn urn(rest: &str) -> Result<String, IdentifierError> {
    let (nid, nss) = rest
        .split_once(':')
        .ok_or(IdentifierError::NotUri("a URN without namespace"))?;
    let nid = nid.to_ascii_lowercase();
    if nss.is_empty() || nid.is_empty() {
        return Err(IdentifierError::NotUri("a URN without a name"));
    }
    match nid.as_str() {
        "epc" => epc(nss),
        "uuid" => Ok(format!("urn:uuid:{}", nss.to_ascii_lowercase())),
        _ => Ok(format!("urn:{nid}:{nss}")),
    }
}

/// Key AIs: shape of the value (digits that must lead it, longest whole), and qualifiers in their order.
const KEYS: &[(&str, usize, usize, &[&str])] = &[
    ("00", 18, 18, &[]),
    ("01", 14, 14, &["22", "10", "21"]),
    ("253", 13, 30, &[]),
    ("255", 13, 25, &[]),
    ("401", 0, 30, &[]),
    ("402", 17, 17, &[]),
    ("414", 13, 13, &["254"]),
    ("415", 13, 13, &["8020"]),
    ("417", 13, 13, &["7040"]),
    ("8003", 14, 30, &[]),
    ("8004", 0, 30, &[]),
    ("8006", 18, 18, &["22", "10", "21"]),
    ("8010", 0, 30, &["8011"]),
    ("8013", 0, 25, &[]),
    ("8017", 18, 18, &["8019"]),
    ("8018", 18, 18, &["8019"]),
];

/// The GS1 key that a path names, wherever in it the key starts (a Digital Link may have leading segments).
fn digital_link(path: &str) -> Option<String> {
    let segments: Vec<&str> = path.split('/').skip(1).collect();
    (0..segments.len()).find_map(|start| digital_link_at(segments.get(start..)?))
}

fn digital_link_at(segments: &[&str]) -> Option<String> {
    let [ai, value, rest @ ..] = segments else {
        return None;
    };
    let (_, lead, longest, qualifiers) = KEYS.iter().find(|(key, ..)| key == ai)?;
    // GTIN-8, -12 and -13 are the same key with fewer leading zeros.
    let value = match (*ai, value.len()) {
        ("01", 8 | 12 | 13) => format!("{value:0>14}"),
        _ => (*value).to_owned(),
    };
    let (leading, _) = value.split_at_checked(*lead)?;
    if value.is_empty()
        || unescaped_len(&value) > *longest
        || !leading.bytes().all(|byte| byte.is_ascii_digit())
    {
        return None;
    }
    // Keys without a digit part are too easily met by chance on another host's path: ask for alphanumerics.
    if *lead == 0 && !value.bytes().next().is_some_and(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let mut key = format!("{ai}/{value}");
    let mut allowed = qualifiers.iter();
    let mut pairs = rest.chunks(2);
    for pair in pairs.by_ref() {
        let [qualifier, value] = pair else { return None };
        if value.is_empty() || unescaped_len(value) > 20 || !allowed.any(|allowed| allowed == qualifier) {
            return None;
        }
        key.extend(["/", qualifier, "/", value]);
    }
    Some(key)
}

/// Length in characters, an escape counting as one.
fn unescaped_len(value: &str) -> usize {
    value.len() - 2 * value.bytes().filter(|byte| *byte == b'%').count()
}

/// An EPC URN (without `urn:epc:`) as a Digital Link.
fn epc(nss: &str) -> Result<String, IdentifierError> {
    let mut parts = nss.splitn(3, ':');
    let (Some(form), Some(scheme), Some(body)) = (parts.next(), parts.next(), parts.next()) else {
        return Err(IdentifierError::BadEpc("too few parts"));
    };
    let fields: Vec<&str> = body.splitn(3, '.').collect();
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    let (prefix, reference) = match fields.as_slice() {
        [prefix, reference, ..] if digits(prefix) && (6..=12).contains(&prefix.len()) => {
            (*prefix, *reference)
        }
        _ => return Err(IdentifierError::BadEpc("no company prefix")),
    };
    let tail = fields.get(2).copied().filter(|tail| !tail.is_empty());
    // indicator (or extension) digit first, then prefix, then the rest of the reference, then a check digit
    let rotated = |len: usize| -> Result<String, IdentifierError> {
        let (first, rest) = reference
            .split_at_checked(1)
            .ok_or(IdentifierError::BadEpc("empty reference"))?;
        checked(&format!("{first}{prefix}{rest}"), len)
    };
    let key = match (form, scheme, tail) {
        ("id", "sgtin", Some(serial)) => format!("01/{}/21/{serial}", rotated(13)?),
        ("class", "lgtin", Some(lot)) => format!("01/{}/10/{lot}", rotated(13)?),
        ("idpat", "sgtin", Some("*")) => format!("01/{}", rotated(13)?),
        ("id", "sscc", None) => format!("00/{}", rotated(17)?),
        ("id", "sgln", tail) => match tail.unwrap_or("0") {
            "0" => format!("414/{}", checked(&format!("{prefix}{reference}"), 12)?),
            extension => format!(
                "414/{}/254/{extension}",
                checked(&format!("{prefix}{reference}"), 12)?
            ),
        },
        ("id", "pgln", None) => format!("417/{}", checked(&format!("{prefix}{reference}"), 12)?),
        ("id", "gdti", Some(serial)) => {
            format!("253/{}{serial}", checked(&format!("{prefix}{reference}"), 12)?)
        }
        ("id", "grai", Some(serial)) => {
            format!("8003/0{}{serial}", checked(&format!("{prefix}{reference}"), 12)?)
        }
        ("id", "gsin", None) => format!("402/{}", checked(&format!("{prefix}{reference}"), 16)?),
        ("id", "giai" | "ginc", tail) => {
            let ai = if scheme == "giai" { "8004" } else { "401" };
            let tail = tail.map_or(String::new(), |tail| format!(".{tail}"));
            format!("{ai}/{prefix}{reference}{tail}")
        }
        // EPC schemes without a Digital Link keep their URN.
        _ => return Ok(format!("urn:epc:{nss}")),
    };
    Ok(format!("{GS1}{key}"))
}

/// `digits` with their GS1 check digit, if they are `len` digits.
fn checked(digits: &str, len: usize) -> Result<String, IdentifierError> {
    if digits.len() != len || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(IdentifierError::BadEpc("key of the wrong length"));
    }
    Ok(format!("{digits}{}", check_digit(digits)))
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

#[cfg(test)]
mod tests {
    use super::*;

    /// Spelling sent, and its normal form. Worked by hand from GS1 TDS 2.0 and RFC 3986.
    const ROWS: &[(&str, &str)] = &[
        (
            "https://id.gs1.org/01/09521231100013/10/CAM-2602-A",
            "https://id.gs1.org/01/09521231100013/10/CAM-2602-A",
        ),
        (
            "https://Example.com/shop/01/9521231100013/10/A1?x=1",
            "https://id.gs1.org/01/09521231100013/10/A1",
        ),
        (
            "HTTP://id.gs1.org/414/9521230010016",
            "https://id.gs1.org/414/9521230010016",
        ),
        (
            "urn:epc:class:lgtin:952123.0110001.A%2fb",
            "https://id.gs1.org/01/09521231100013/10/A%2Fb",
        ),
        (
            "urn:epc:id:sgtin:9521231.100001.P%30001",
            "https://id.gs1.org/01/19521231000013/21/P0001",
        ),
        (
            "urn:epc:idpat:sgtin:9521231.100001.*",
            "https://id.gs1.org/01/19521231000013",
        ),
        (
            "urn:epc:id:sscc:9521230.0000000001",
            "https://id.gs1.org/00/095212300000000017",
        ),
        (
            "urn:epc:id:sgln:9521230.01001.0",
            "https://id.gs1.org/414/9521230010016",
        ),
        (
            "urn:epc:id:sgln:9521230.01001.dock-7",
            "https://id.gs1.org/414/9521230010016/254/dock-7",
        ),
        (
            "urn:epc:id:pgln:9521230.10010",
            "https://id.gs1.org/417/9521230100106",
        ),
        (
            "urn:epc:id:gdti:9521230.10010.DA0001",
            "https://id.gs1.org/253/9521230100106DA0001",
        ),
        (
            "urn:UUID:0B5E7A10-0000-4000-8000-000000000001",
            "urn:uuid:0b5e7a10-0000-4000-8000-000000000001",
        ),
        ("https://Plants.Example.COM:443", "https://plants.example.com/"),
        ("https://a.example/x/../y/./z%7e%c3", "https://a.example/y/z~%C3"),
        ("did:web:maker.example", "did:web:maker.example"),
        ("BPNL:x", "bpnl:x"),
    ];

    #[test]
    fn spellings_of_one_thing_meet_in_one_normal_form() {
        for (sent, normal) in ROWS {
            assert_eq!(normalise(sent).as_deref(), Ok(*normal), "{sent}");
            assert!(is_normal(normal), "{normal}");
            assert_eq!(is_normal(sent), sent == normal, "{sent}");
        }
    }

    #[test]
    fn refuses_what_is_no_uri() {
        for bad in [
            "",
            "lot 7",
            "a b:c",
            "CAM-7",
            "https://",
            "https:///x",
            "urn:x",
            "http://u@h/",
            "x:%zz",
            "x:\u{e9}",
            "1x:y",
        ] {
            assert!(normalise(bad).is_err(), "{bad}");
        }
        assert_eq!(
            normalise(&format!("x:{}", "y".repeat(255))),
            Err(IdentifierError::TooLong)
        );
        assert_eq!(
            normalise("urn:epc:id:sscc:952.1"),
            Err(IdentifierError::BadEpc("no company prefix"))
        );
    }

    proptest::proptest! {
        #[test]
        fn normalising_twice_changes_nothing(text in "[a-zA-Z]{1,5}:(//)?[a-zA-Z0-9:/?#@!$&*+,;=%~._-]{0,60}") {
            if let Ok(normal) = normalise(&text) {
                proptest::prop_assert_eq!(normalise(&normal), Ok(normal));
            }
        }

        #[test]
        fn the_short_cut_takes_only_what_the_long_way_takes(
            text in "https://id\\.gs1\\.org/(00|01|10|21|402|414|417|253)/[0-9]{12,19}(/(10|21|22|01|254)/[a-zA-Z0-9._%-]{0,22}){0,2}/?"
        ) {
            if is_plain_gs1_key(&text) {
                proptest::prop_assert_eq!(normalise(&text), Ok(text));
            }
        }
    }

    #[test]
    fn the_short_cut_takes_what_ledgers_are_full_of() {
        for text in [
            "https://id.gs1.org/402/95212310000000017",
            "https://id.gs1.org/00/095212300000000017",
            "https://id.gs1.org/01/09521231100013",
            "https://id.gs1.org/01/09521231100013/10/A-b_7",
            "https://id.gs1.org/01/19521231000013/21/P0001",
            "https://id.gs1.org/414/9521230010016",
            "https://id.gs1.org/417/9521230100106",
        ] {
            assert!(is_plain_gs1_key(text), "{text}");
            assert_eq!(normalise(text).as_deref(), Ok(text));
        }
        for text in [
            "https://id.gs1.org/414/9521230010016/254/dock-7",
            "https://id.gs1.org/01/09521231100013/10/",
            "https://id.gs1.org/01/09521231100013/",
            "https://id.gs1.org/417/9521230100106/10/A",
            "https://id.gs1.org/417/952123010010\u{e9}",
        ] {
            assert!(!is_plain_gs1_key(text), "{text}");
        }
    }
}

//! EPC URNs: pure identities and classes, which are aliases of a GS1 Digital Link.
//!
//! ```text
//! urn:epc:id:sgtin:9521231.100001.P-1   =  https://id.gs1.org/01/19521231000013/21/P-1
//!         form scheme prefix reference tail
//! ```
//!
//! The check digit, which URNs leave out, is computed. Schemes without a Digital Link keep their URN; URIs of tags
//! and of their memory are no names of things. Spec: GS1 TDS 2.0, sections 6 to 8; CBV 2.0, section 8.

use super::{
    IdentifierError, Normal, check_digit,
    gs1::{Key, qualifier, unescaped},
};

const NO_ROW: IdentifierError =
    IdentifierError::BadEpc("no such identity: expected as in urn:epc:id:sgtin:9521231.100001.S1");

/// The name of `urn:epc:` and these.
pub(super) fn name(nss: &str) -> Result<Normal, IdentifierError> {
    let mut parts = nss.splitn(3, ':');
    let (Some(form), Some(scheme), Some(body)) = (parts.next(), parts.next(), parts.next()) else {
        return Err(IdentifierError::BadEpc("too few parts"));
    };
    let (form, scheme) = (form.to_ascii_lowercase(), scheme.to_ascii_lowercase());
    if !matches!(form.as_str(), "id" | "class" | "idpat") {
        return Err(IdentifierError::BadEpc(
            "neither an identity (urn:epc:id:) nor a class (urn:epc:class:, urn:epc:idpat:)",
        ));
    }
    let count = match scheme.as_str() {
        "giai" | "ginc" => 2,
        "sgtin" | "lgtin" | "upui" | "sscc" | "sgln" | "pgln" | "gdti" | "sgcn" | "grai" | "gsin"
        | "gsrn" | "gsrnp" | "cpi" => 3,
        "itip" => 5,
        _ if body.is_empty() => return Err(IdentifierError::BadEpc("too few parts")),
        _ => return Ok(Normal::bare(format!("urn:epc:{form}:{scheme}:{body}"))),
    };
    let fields: Vec<&str> = body.splitn(count, '.').collect();
    let (prefix, fields) = match fields.split_first() {
        Some((prefix, fields)) if is_digits(prefix) && (6..=12).contains(&prefix.len()) => (*prefix, fields),
        _ => return Err(IdentifierError::BadEpc("no company prefix of 6 to 12 digits")),
    };
    let class = form == "idpat";
    match (form.as_str(), scheme.as_str(), fields) {
        ("id", "sgtin", [reference, serial]) => {
            key("01", &rotated(prefix, reference, 13)?, &[("21", serial)])
        }
        ("class", "lgtin", [reference, lot]) => key("01", &rotated(prefix, reference, 13)?, &[("10", lot)]),
        ("id", "upui", [reference, serial]) => {
            key("01", &rotated(prefix, reference, 13)?, &[("235", serial)])
        }
        ("idpat", "sgtin" | "upui", [reference, "*"]) => key("01", &rotated(prefix, reference, 13)?, &[]),
        ("id" | "idpat", "itip", [reference, piece, total, serial])
            if piece.len() == 2 && total.len() == 2 && (!class || *serial == "*") =>
        {
            let value = rotated(prefix, reference, 13)? + piece + total;
            let serial = [("21", *serial)];
            key("8006", &value, if class { &[] } else { &serial })
        }
        ("id", "sscc", [reference] | [reference, ""]) => key("00", &rotated(prefix, reference, 17)?, &[]),
        ("id", "sgln", [reference] | [reference, ""]) => key("414", &straight(prefix, reference, 12)?, &[]),
        ("id", "sgln", [reference, extension]) => {
            key("414", &straight(prefix, reference, 12)?, &[("254", extension)])
        }
        ("id", "pgln", [reference] | [reference, ""]) => key("417", &straight(prefix, reference, 12)?, &[]),
        ("id", "gsin", [reference] | [reference, ""]) => key("402", &straight(prefix, reference, 16)?, &[]),
        ("id", "gsrn", [reference] | [reference, ""]) => key("8018", &straight(prefix, reference, 17)?, &[]),
        ("id", "gsrnp", [reference] | [reference, ""]) => key("8017", &straight(prefix, reference, 17)?, &[]),
        // Without a serial: the class of all of one type.
        (_, "gdti" | "sgcn" | "grai", [reference, rest @ ..])
            if form == "id" || form == "idpat" && rest == ["*"] =>
        {
            let (code, zero) = match scheme.as_str() {
                "gdti" => ("253", ""),
                "sgcn" => ("255", ""),
                _ => ("8003", "0"),
            };
            let serial = if class {
                ""
            } else {
                rest.first().copied().unwrap_or_default()
            };
            key(
                code,
                &format!("{zero}{}{serial}", straight(prefix, reference, 12)?),
                &[],
            )
        }
        ("idpat", "cpi", [reference, "*"]) => key("8010", &format!("{prefix}{reference}"), &[]),
        ("id", "cpi", [reference, serial]) => {
            key("8010", &format!("{prefix}{reference}"), &[("8011", serial)])
        }
        ("id", "giai", [reference]) => key("8004", &format!("{prefix}{reference}"), &[]),
        ("id", "ginc", [reference]) => key("401", &format!("{prefix}{reference}"), &[]),
        _ => Err(NO_ROW),
    }
}

fn key(code: &str, value: &str, qualifiers: &[(&str, &str)]) -> Result<Normal, IdentifierError> {
    let key = Key::of(code).ok_or(NO_ROW)?;
    let pairs = qualifiers
        .iter()
        .filter_map(|(code, value)| Some((qualifier(code)?, unescaped(value))));
    key.normal(unescaped(value), pairs.collect())
}

fn is_digits(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_digit())
}

/// Indicator (or extension) digit first, then prefix, then the rest of the reference, then the check digit.
fn rotated(prefix: &str, reference: &str, len: usize) -> Result<String, IdentifierError> {
    let (first, rest) = reference
        .split_at_checked(1)
        .ok_or(IdentifierError::BadEpc("empty reference"))?;
    checked(&format!("{first}{prefix}{rest}"), len)
}

fn straight(prefix: &str, reference: &str, len: usize) -> Result<String, IdentifierError> {
    checked(&format!("{prefix}{reference}"), len)
}

/// `digits` with their GS1 check digit, if they are `len` digits.
fn checked(digits: &str, len: usize) -> Result<String, IdentifierError> {
    if digits.len() != len || !is_digits(digits) {
        return Err(IdentifierError::BadEpc(
            "prefix and reference of the wrong length",
        ));
    }
    Ok(format!("{digits}{}", check_digit(digits)))
}

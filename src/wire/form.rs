//! The one accepted spelling of each kind of value (options.proto, `Form`). Spec: `proto/README.md`, "Forms".

use crate::{identifier, quantity};

/// Longest `TEXT` in bytes.
pub const TEXT_LEN_MAX: usize = 1_024;
/// Longest `JSON` in bytes.
pub const JSON_LEN_MAX: usize = 32_768;

/// What a field may hold; mirrors `lotproof.v1.Form`, whose comments define each.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(
    missing_docs,
    reason = "documented in proto/lotproof/v1/options.proto, one comment a value"
)]
pub enum Form {
    Any,
    Identifier,
    Decimal,
    Unit,
    Token,
    Text,
    Country,
    Subdivision,
    Digest,
    PublicKey,
    Time,
    Currency,
    EventId,
    Json,
    Path,
    Offset,
    Prefix,
}

impl Form {
    /// What a value has to be, for an error message.
    pub const fn wants(self) -> &'static str {
        match self {
            Self::Any => "a value",
            Self::Identifier => "a URI in normal form",
            Self::Decimal => "a decimal in normal form",
            Self::Unit => "a UN/CEFACT Rec 20 unit code",
            Self::Token => "a token",
            Self::Text => "text of at most 1,024 bytes without control characters",
            Self::Country => "an ISO 3166-1 alpha-2 code",
            Self::Subdivision => "an ISO 3166-2 code",
            Self::Digest => "32 bytes",
            Self::PublicKey => "an Ed25519 public key",
            Self::Time => "nanoseconds since 1970, above zero",
            Self::Currency => "an ISO 4217 code",
            Self::EventId => "1 to 128 bytes of printable ASCII without space",
            Self::Json => "a JSON object of at most 32,768 bytes",
            Self::Path => "field numbers and positions joined by dots",
            Self::Offset => "an offset of at most 18 hours in minutes",
            Self::Prefix => "at most 256 bytes of printable ASCII without space",
        }
    }
}

/// Whether a varint's number fits.
pub(super) fn number_fits(form: Form, number: u64) -> bool {
    match form {
        Form::Time => i64::try_from(number).is_ok_and(|nanos| nanos > 0),
        // A sint32 arrives in zigzag form: 2n for n >= 0 and -2n - 1 below.
        Form::Offset => number <= 2 * 1_080,
        _ => true,
    }
}

/// Whether the content of a `bytes` field fits.
pub(crate) fn bytes_fit(form: Form, bytes: &[u8]) -> bool {
    match form {
        Form::Digest => bytes.len() == 32,
        Form::PublicKey => is_public_key(bytes),
        _ => true,
    }
}

/// Whether 32 bytes are a point of Curve25519 in canonical form that is not of small order.
pub fn is_public_key(bytes: &[u8]) -> bool {
    let Ok(bytes) = <[u8; 32]>::try_from(bytes) else {
        return false;
    };
    ed25519_dalek::VerifyingKey::from_bytes(&bytes).is_ok_and(|key| {
        // `to_bytes` gives back what it was given; only compressing anew shows a second spelling.
        !key.is_weak() && key.to_edwards().compress().to_bytes() == bytes
    })
}

/// Whether text fits.
pub(crate) fn text_fits(form: Form, text: &str) -> bool {
    match form {
        Form::Identifier => identifier::is_normal(text),
        Form::Decimal => quantity::is_normal_decimal(text),
        Form::Unit => (2..=3).contains(&text.len()) && text.bytes().all(is_upper_or_digit),
        Form::Token => is_token(text),
        Form::Text => text.len() <= TEXT_LEN_MAX && !text.chars().any(char::is_control),
        Form::Country => is_country(text),
        Form::Subdivision => text.split_once('-').is_some_and(|(country, part)| {
            is_country(country) && (1..=3).contains(&part.len()) && part.bytes().all(is_upper_or_digit)
        }),
        Form::Currency => text.len() == 3 && text.bytes().all(|byte| byte.is_ascii_uppercase()),
        Form::EventId => (1..=128).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic()),
        Form::Json => text.len() <= JSON_LEN_MAX && is_json_object(text),
        Form::Path => is_path(text),
        Form::Prefix => text.len() <= identifier::LEN_MAX && text.bytes().all(|byte| byte.is_ascii_graphic()),
        Form::Any | Form::Digest | Form::PublicKey | Form::Time | Form::Offset => true,
    }
}

/// `[a-z0-9][a-z0-9_.-]{0,63}`.
pub fn is_token(text: &str) -> bool {
    text.len() <= 64
        && text
            .bytes()
            .next()
            .is_some_and(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit())
        && text
            .bytes()
            .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"_.-".contains(&byte))
}

fn is_country(text: &str) -> bool {
    text.len() == 2 && text.bytes().all(|byte| byte.is_ascii_uppercase())
}

const fn is_upper_or_digit(byte: u8) -> bool {
    byte.is_ascii_uppercase() || byte.is_ascii_digit()
}

fn is_json_object(text: &str) -> bool {
    text.starts_with('{') && serde_json::from_str::<serde::de::IgnoredAny>(text).is_ok()
}

/// Decimal numbers without leading zeros, each at most 9,999, joined by dots.
fn is_path(text: &str) -> bool {
    text.len() <= 64
        && text.split('.').all(|number| {
            (1..=4).contains(&number.len())
                && number.bytes().all(|byte| byte.is_ascii_digit())
                && (number == "0" || !number.starts_with('0'))
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_form_takes_its_own_spelling_alone() {
        let rows: &[(Form, &[&str], &[&str])] = &[
            (Form::Unit, &["KGM", "C62", "KG"], &["kgm", "K", "KGMX", ""]),
            (
                Form::Token,
                &["cell", "us-ndaa-fy2024-s154", "0.1_a"],
                &["Cell", "-a", "", "a b"],
            ),
            (Form::Country, &["KR"], &["kr", "KOR", ""]),
            (
                Form::Subdivision,
                &["CL-AN", "CN-65"],
                &["CL", "CL-", "cl-an", "CL-ABCD"],
            ),
            (Form::Currency, &["USD"], &["usd", "US"]),
            (Form::EventId, &["a", "urn:uuid:1"], &["", "a b", "\u{e9}"]),
            (Form::Path, &["65.5.0.3", "0"], &["", "65..3", "05", "65.", "a"]),
            (Form::Json, &["{}", "{\"a\":1}"], &["", "[]", "{", "1"]),
            (Form::Text, &["\u{6d77}"], &["a\nb"]),
        ];
        for (form, good, bad) in rows {
            for text in *good {
                assert!(text_fits(*form, text), "{form:?} takes {text:?}");
            }
            for text in *bad {
                assert!(!text_fits(*form, text), "{form:?} refuses {text:?}");
            }
        }
    }

    #[test]
    fn small_order_points_are_no_public_keys() {
        let mut identity = [0; 32];
        identity[0] = 1;
        assert!(!is_public_key(&identity));
        assert!(!is_public_key(&[0; 32]));
        assert!(!is_public_key(&[0; 31]));
        // y = p + 3, which decompresses like y = 3.
        let second_spelling = "f0ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f";
        assert!(!is_public_key(&hex::decode(second_spelling).unwrap()));
        assert!(is_public_key(
            &hex::decode("03a107bff3ce10be1d70dd18e74bc09967e4d6309ba50d5f1ddc8664125531b8").unwrap()
        ));
    }
}

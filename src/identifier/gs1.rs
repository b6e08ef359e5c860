//! GS1 keys: what each application identifier (AI) takes, and the one Digital Link of a key.
//!
//! ```text
//! /shop/gtin/9521231100013/ser/S%2d1/lot/A1      as sent
//!       01 = 09521231100013, 21 = S-1, 10 = A1   decoded, checked by AI
//! 01/09521231100013/21/S-1                       named: GTIN + serial is the item; its lot stands beside
//! ```
//!
//! A value is bytes once its escapes are decoded; everything but unreserved characters is escaped again. Spec:
//! `proto/README.md`, "Identifiers"; GS1 General Specifications 3 and 7.11 (sets 82 and 39), Digital Link 1.3.

use super::{GS1, IdentifierError, Normal, is_unreserved};

/// Which characters stand behind the leading digits of a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Set {
    Digits,
    /// GS1 AI encodable character set 39: component and part identifiers.
    Of39,
    /// GS1 AI encodable character set 82: everything else with letters.
    Of82,
}

impl Set {
    fn has(self, byte: u8) -> bool {
        match self {
            Self::Digits => byte.is_ascii_digit(),
            Self::Of39 => byte.is_ascii_digit() || byte.is_ascii_uppercase() || b"#-/".contains(&byte),
            Self::Of82 => byte.is_ascii_alphanumeric() || br#"!"%&'()*+,-./:;<=>?_"#.contains(&byte),
        }
    }
}

/// An application identifier and the values that it takes.
#[derive(Debug)]
pub(super) struct Ai {
    pub(super) code: &'static str,
    pub(super) title: &'static str,
    /// Its names in Digital Links of before 2020.
    names: &'static [&'static str],
    /// Digits that lead every value.
    lead: usize,
    longest: usize,
    set: Set,
}

/// A key AI, and the qualifiers that may follow it: one row of them, in this order.
#[derive(Debug)]
pub(super) struct Key {
    pub(super) ai: Ai,
    qualifiers: &'static [&'static [&'static str]],
}

const fn ai(
    code: &'static str,
    title: &'static str,
    names: &'static [&'static str],
    lead: usize,
    longest: usize,
    set: Set,
) -> Ai {
    Ai {
        code,
        title,
        names,
        lead,
        longest,
        set,
    }
}

const fn key(ai: Ai, qualifiers: &'static [&'static [&'static str]]) -> Key {
    Key { ai, qualifiers }
}

/// Fewest digits of a company prefix, which leads every key that has no length of its own.
const PREFIX_LEN_MIN: usize = 4;

#[rustfmt::skip]
const KEYS: &[Key] = &[
    key(ai("00", "SSCC", &["sscc"], 18, 18, Set::Digits), &[]),
    key(ai("01", "GTIN", &["gtin"], 14, 14, Set::Digits), &[&["22", "10", "21"], &["235"]]),
    key(ai("253", "GDTI", &["gdti"], 13, 30, Set::Of82), &[]),
    key(ai("255", "GCN", &["gcn"], 13, 25, Set::Digits), &[]),
    key(ai("401", "GINC", &["ginc"], PREFIX_LEN_MIN, 30, Set::Of82), &[]),
    key(ai("402", "GSIN", &["gsin"], 17, 17, Set::Digits), &[]),
    key(ai("414", "GLN of a place", &["gln"], 13, 13, Set::Digits), &[&["254"], &["7040"]]),
    key(ai("415", "GLN of an invoicing party", &["payto"], 13, 13, Set::Digits), &[&["8020"]]),
    key(ai("417", "GLN of a party", &["party"], 13, 13, Set::Digits), &[&["7040"]]),
    key(ai("8003", "GRAI", &["grai"], 14, 30, Set::Of82), &[]),
    key(ai("8004", "GIAI", &["giai"], PREFIX_LEN_MIN, 30, Set::Of82), &[&["7040"]]),
    key(ai("8006", "ITIP", &["itip"], 18, 18, Set::Digits), &[&["22", "10", "21"]]),
    key(ai("8010", "CPID", &["cpid"], PREFIX_LEN_MIN, 30, Set::Of39), &[&["8011"]]),
    key(ai("8013", "GMN", &["gmn"], PREFIX_LEN_MIN, 25, Set::Of82), &[]),
    key(ai("8017", "GSRN of a provider", &["gsrnp"], 18, 18, Set::Digits), &[&["8019"]]),
    key(ai("8018", "GSRN of a recipient", &["gsrn"], 18, 18, Set::Digits), &[&["8019"]]),
];

#[rustfmt::skip]
const QUALIFIERS: &[Ai] = &[
    ai("22", "consumer product variant", &["cpv"], 0, 20, Set::Of82),
    ai("10", "lot", &["lot"], 0, 20, Set::Of82),
    ai("21", "serial", &["ser"], 0, 20, Set::Of82),
    ai("235", "third-party serial", &["tpx"], 0, 28, Set::Of82),
    ai("254", "extension of a GLN", &["glnx"], 0, 20, Set::Of82),
    ai("7040", "importer index", &[], 1, 4, Set::Of82),
    ai("8011", "serial of a component", &["cpsn"], 0, 12, Set::Digits),
    ai("8019", "service relation instance", &["srin"], 0, 10, Set::Digits),
    ai("8020", "payment reference", &["refno"], 0, 25, Set::Of82),
];

impl Ai {
    fn is_named(&self, segment: &[u8]) -> bool {
        segment == self.code.as_bytes()
            || self
                .names
                .iter()
                .any(|name| segment.eq_ignore_ascii_case(name.as_bytes()))
    }

    /// Whether every value is as long as the longest.
    fn is_fixed(&self) -> bool {
        self.lead == self.longest || self.code == "7040"
    }

    /// What it takes, in words.
    fn takes(&self) -> String {
        let set = match self.set {
            Set::Digits => "digits",
            Set::Of39 => "characters of GS1 set 39 (digits, A to Z, # - /)",
            Set::Of82 => "characters of GS1 set 82 (no space, no letter beyond A to Z and a to z)",
        };
        let longest = self.longest;
        match self.code {
            "01" => "14 digits (8, 12 or 13 are filled up with zeros)".to_owned(),
            "8003" => "0, 13 digits, then up to 16 characters of GS1 set 82".to_owned(),
            "8011" => format!("1 to {longest} digits without leading zeros"),
            "7040" => "a digit and 3 characters of GS1 set 82".to_owned(),
            _ if self.lead == longest => format!("{longest} digits"),
            _ if self.lead > 0 => {
                format!("{} digits, and up to {longest} {set} with them", self.lead)
            }
            _ => format!("1 to {longest} {set}"),
        }
    }

    /// Why it does not take a decoded value; nothing if it does.
    fn fault(&self, value: &[u8]) -> Option<String> {
        let len = value.len();
        if value.is_empty() {
            return Some("nothing".to_owned());
        }
        if len > self.longest || len < self.lead || self.is_fixed() && len != self.longest {
            let all_digits = value.iter().all(u8::is_ascii_digit);
            let what = if all_digits { "digits" } else { "characters" };
            return Some(format!("{len} {what}"));
        }
        let (lead, rest) = value.split_at_checked(self.lead).unwrap_or((value, &[]));
        let wrong = lead
            .iter()
            .find(|byte| !byte.is_ascii_digit())
            .or_else(|| rest.iter().find(|byte| !self.set.has(**byte)));
        if let Some(byte) = wrong {
            let shown = if byte.is_ascii_graphic() {
                char::from(*byte).to_string()
            } else {
                format!("%{byte:02X}")
            };
            return Some(format!("the character {shown}"));
        }
        let zero = value.first() == Some(&b'0');
        if self.code == "8003" && !zero || self.code == "8011" && len > 1 && zero {
            return Some(format!("{} at its beginning", char::from(*value.first()?)));
        }
        // A URL loses such a segment on its way, whether or not it is escaped. RFC 3986 5.2.4.
        if matches!(value, b"." | b"..") {
            return Some("a value of dots alone".to_owned());
        }
        None
    }

    fn check(&self, value: &[u8]) -> Result<(), IdentifierError> {
        match self.fault(value) {
            None => Ok(()),
            Some(got) => Err(IdentifierError::AiValue {
                ai: self.code,
                title: self.title,
                takes: self.takes(),
                got,
            }),
        }
    }
}

impl Key {
    pub(super) fn of(code: &str) -> Option<&'static Self> {
        KEYS.iter().find(|key| key.ai.code == code)
    }

    /// GTIN-8, -12 and -13 are the same key with fewer leading zeros.
    fn padded(&self, mut value: Vec<u8>) -> Vec<u8> {
        if self.ai.code == "01" && matches!(value.len(), 8 | 12 | 13) {
            value.splice(0..0, std::iter::repeat_n(b'0', 14 - value.len()));
        }
        value
    }

    /// The normal name of a key with its qualifiers, all of them decoded and in any order.
    pub(super) fn normal(
        &'static self,
        value: Vec<u8>,
        mut qualifiers: Vec<(&'static Ai, Vec<u8>)>,
    ) -> Result<Normal, IdentifierError> {
        let value = self.padded(value);
        self.ai.check(&value)?;
        for (ai, value) in &qualifiers {
            ai.check(value)?;
        }
        self.order(&mut qualifiers)?;
        // TDS 2.0, 6.3.4: extension 0 is the place itself.
        qualifiers.retain(|(ai, value)| (ai.code, value.as_slice()) != ("254", b"0"));
        let key = format!("{GS1}{}/{}", self.ai.code, escaped(&value));
        let with = |code: &str| {
            let (ai, value) = qualifiers.iter().find(|(ai, _)| ai.code == code)?;
            Some(format!("{key}/{}/{}", ai.code, escaped(value)))
        };
        // GTIN + serial is the item and GTIN + lot the lot, whatever else their link says of them.
        let (variant, lot, serial) = (with("22"), with("10"), with("21"));
        Ok(match (serial, lot) {
            (Some(id), class_lot) => Normal {
                id,
                class_lot,
                variant,
            },
            (None, Some(id)) => Normal {
                id,
                class_lot: None,
                variant,
            },
            (None, None) => Normal::bare(qualifiers.iter().fold(key, |id, (ai, value)| {
                format!("{id}/{}/{}", ai.code, escaped(value))
            })),
        })
    }

    /// Puts qualifiers in their order.
    fn order(&self, qualifiers: &mut [(&'static Ai, Vec<u8>)]) -> Result<(), IdentifierError> {
        let Some((first, _)) = qualifiers.first() else {
            return Ok(());
        };
        let row = self.qualifiers.iter().find(|row| row.contains(&first.code));
        let place = |ai: &Ai| row.and_then(|row| row.iter().position(|code| *code == ai.code));
        if let Some((ai, _)) = qualifiers.iter().find(|(ai, _)| place(ai).is_none()) {
            return Err(self.not_qualified_by(format!("AI {}", ai.code)));
        }
        qualifiers.sort_by_key(|(ai, _)| place(ai));
        let mut pairs = qualifiers.windows(2);
        match pairs.find(|pair| matches!(pair, [(a, _), (b, _)] if a.code == b.code)) {
            Some([(ai, _), ..]) => Err(self.not_qualified_by(format!("AI {} twice", ai.code))),
            _ => Ok(()),
        }
    }

    fn not_qualified_by(&self, got: String) -> IdentifierError {
        let rows: Vec<String> = self.qualifiers.iter().map(|row| row.join(", ")).collect();
        IdentifierError::AiQualifier {
            ai: self.ai.code,
            title: self.ai.title,
            takes: if rows.is_empty() {
                "no other AI".to_owned()
            } else {
                format!("AI {}", rows.join(", or "))
            },
            got,
        }
    }

    fn has_qualifier(&self, segment: &[u8]) -> bool {
        let all = || self.qualifiers.iter().copied().flatten();
        QUALIFIERS
            .iter()
            .any(|ai| ai.is_named(segment) && all().any(|code| *code == ai.code))
    }
}

pub(super) fn qualifier(code: &str) -> Option<&'static Ai> {
    QUALIFIERS.iter().find(|ai| ai.code == code)
}

/// Whether the host names nothing but GS1 keys.
const RESOLVER: &str = "id.gs1.org";

/// Leading digits by which a value on another host is meant as a key, fits it or not.
const MEANT_DIGITS_MIN: usize = 8;

/// The GS1 key that a path names, wherever in it the key starts (a Digital Link may have leading segments);
/// nothing if none is meant. `path` and `query` have their escapes in order.
pub(super) fn digital_link(host: &str, path: &str, query: &str) -> Result<Option<Normal>, IdentifierError> {
    let path = path.strip_suffix('/').unwrap_or(path);
    let segments: Vec<Vec<u8>> = path.split('/').skip(1).map(unescaped).collect();
    for (start, segment) in segments.iter().enumerate() {
        let Some(key) = KEYS.iter().find(|key| key.ai.is_named(segment)) else {
            continue;
        };
        let value = key.padded(segments.get(start + 1).cloned().unwrap_or_default());
        let digits = value.iter().take_while(|byte| byte.is_ascii_digit()).count();
        let is_numbered = segment == key.ai.code.as_bytes();
        let is_meant =
            host == RESOLVER || key.ai.fault(&value).is_none() || is_numbered && digits >= MEANT_DIGITS_MIN;
        if is_meant {
            let (before, rest) = segments.split_at(start);
            return named(key, before, rest, query).map(Some);
        }
    }
    if host == RESOLVER {
        return Err(IdentifierError::NoKey);
    }
    Ok(None)
}

fn named(
    key: &'static Key,
    before: &[Vec<u8>],
    segments: &[Vec<u8>],
    query: &str,
) -> Result<Normal, IdentifierError> {
    let first = |after: String| IdentifierError::KeyNotFirst {
        ai: key.ai.code,
        title: key.ai.title,
        after,
    };
    if let [.., segment, _] = before
        && key.has_qualifier(segment)
    {
        return Err(first(format!("AI {}", shown(segment))));
    }
    let value = segments.get(1).cloned().unwrap_or_default();
    // The key's own fault comes before those of what follows it.
    key.ai.check(&key.padded(value.clone()))?;
    let mut qualifiers = Vec::new();
    for pair in segments.get(2..).unwrap_or_default().chunks(2) {
        let [segment, value @ ..] = pair else { continue };
        let Some(ai) = QUALIFIERS.iter().find(|ai| ai.is_named(segment)) else {
            return Err(match KEYS.iter().find(|key| key.ai.is_named(segment)) {
                Some(other) => IdentifierError::KeyNotFirst {
                    ai: other.ai.code,
                    title: other.ai.title,
                    after: format!("AI {}", key.ai.code),
                },
                None => key.not_qualified_by(shown(segment)),
            });
        };
        if !key.has_qualifier(segment) {
            return Err(key.not_qualified_by(format!("AI {}", ai.code)));
        }
        let value = value.first().cloned().unwrap_or_default();
        ai.check(&value)?;
        qualifiers.push((ai, value));
    }
    let parameters = query
        .strip_prefix('?')
        .and_then(|query| query.split('#').next())
        .unwrap_or_default();
    for parameter in parameters.split(['&', ';']) {
        let name = unescaped(parameter.split('=').next().unwrap_or_default());
        let ai = QUALIFIERS.iter().find(|ai| ai.code.as_bytes() == name);
        if let Some(ai) = ai.filter(|_| key.has_qualifier(&name)) {
            return Err(IdentifierError::AiInQuery {
                ai: ai.code,
                title: ai.title,
            });
        }
    }
    key.normal(value, qualifiers)
}

/// A segment for people, at most 20 characters of it.
fn shown(segment: &[u8]) -> String {
    let short = segment.get(..20).unwrap_or(segment);
    format!("`{}`", escaped(short))
}

/// The bytes of text whose escapes are in order.
pub(super) fn unescaped(text: &str) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len());
    let mut bytes = text.bytes();
    let digit = |byte: Option<u8>| {
        byte.and_then(|byte| char::from(byte).to_digit(16))
            .unwrap_or_default()
    };
    while let Some(byte) = bytes.next() {
        if byte == b'%' {
            let value = digit(bytes.next()) * 16 + digit(bytes.next());
            out.push(u8::try_from(value).unwrap_or_default());
        } else {
            out.push(byte);
        }
    }
    out
}

/// The one spelling of a value in a URI: unreserved characters as they are, all others as upper-case escapes.
pub(super) fn escaped(value: &[u8]) -> String {
    let mut out = String::with_capacity(value.len());
    for byte in value {
        if is_unreserved(*byte) {
            out.push(char::from(*byte));
        } else {
            out.extend(["%", &hex::encode_upper([*byte])]);
        }
    }
    out
}

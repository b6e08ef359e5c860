//! Sealed fields: left out of an event, with a digest in their place, and opened to whom it may concern.
//!
//! ```text
//! digest = SHA-256("lotproof/v1/sealed" 00 || salt[32] || u16be length of path || path || value)
//! path   = field numbers and, after a repeated field, its zero-based position, joined by dots: "65.5.0.3"
//! value  = the field's canonical encoding without tag and, for text, bytes and messages, without length
//! ```
//!
//! Which fields may be sealed is the option `sealable` in `event.proto`. An opening travels outside the log;
//! erasing it erases the datum while everything still verifies. Spec: `proto/README.md`, "Sealed fields".

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::EventError;
use crate::{
    id::Hash,
    wire::{
        shape::{self, Field, Kind, Met, Presence, Shape},
        v1,
    },
};

const TAG: &[u8] = b"lotproof/v1/sealed\0";

/// What reveals a sealed field.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Opening {
    /// Where the field belongs in its event.
    pub path: String,
    /// 32 random bytes, in hexadecimal.
    pub salt: Hash,
    /// The field's encoding, in hexadecimal.
    #[serde(with = "hex::serde")]
    pub value: Vec<u8>,
}

impl Opening {
    /// The digest that the event carries for it.
    ///
    /// # Panics
    /// If the path is longer than 65,535 bytes, which no event's is.
    pub fn digest(&self) -> Hash {
        let len = u16::try_from(self.path.len())
            .expect("paths are at most 64 bytes")
            .to_be_bytes();
        Hash::of(&[TAG, self.salt.as_bytes(), &len, self.path.as_bytes(), &self.value])
    }
}

/// Checks an event's seals: ascending distinct paths, each to a sealable field that is absent.
pub(super) fn check(event: &[u8], kind: u32, seals: &[v1::Sealed]) -> Result<(), EventError> {
    let mut last: Option<&str> = None;
    for seal in seals {
        let wrong = |why| EventError::SealedPath {
            path: seal.path.clone(),
            why,
        };
        if last.is_some_and(|last| last >= seal.path.as_str()) {
            return Err(wrong("not after the path before it"));
        }
        last = Some(&seal.path);
        let numbers = numbers_of(&seal.path).ok_or_else(|| wrong("not numbers"))?;
        if numbers.first() != Some(&kind) {
            return Err(wrong("does not lead into the event's kind"));
        }
        match find(&shape::EVENT, event, &numbers) {
            Found::NoSuchField => return Err(wrong("leads to no field")),
            Found::NoSuchPosition => return Err(wrong("leads beyond a list or into an absent message")),
            Found::Absent(field) | Found::Present(field, _) if !field.sealable => {
                return Err(wrong("leads to a field that is never sealed"));
            }
            Found::Absent(_) => {}
            Found::Present(..) => return Err(EventError::SealedAndPresent(seal.path.clone())),
        }
    }
    Ok(())
}

/// The numbers of a path, if it is made of numbers.
fn numbers_of(path: &str) -> Option<Vec<u32>> {
    path.split('.').map(|number| number.parse().ok()).collect()
}

enum Found<'a> {
    NoSuchField,
    NoSuchPosition,
    Absent(&'static Field),
    Present(&'static Field, &'a [u8]),
}

fn find<'a>(shape: &'static Shape, bytes: &'a [u8], path: &[u32]) -> Found<'a> {
    let Some((number, rest)) = path.split_first() else {
        return Found::NoSuchField;
    };
    let Some(field) = shape.field(*number) else {
        return Found::NoSuchField;
    };
    let (position, rest) = match (field.presence, rest) {
        (Presence::Repeated, [position, rest @ ..]) => (*position, rest),
        (Presence::Repeated, []) => return Found::NoSuchField,
        _ => (0, rest),
    };
    let mut value = None;
    // The bytes were checked before, so this cannot fail; it only looks.
    let _ = shape::check(shape, bytes, &mut |met: Met<'a>| {
        if met.depth == 0 && met.field.number == field.number && met.position == position {
            value = Some(met.value);
        }
    });
    match (&field.kind, rest, value) {
        (_, [], Some(value)) => Found::Present(field, value),
        (_, [], None) if field.presence == Presence::Repeated => Found::NoSuchPosition,
        (_, [], None) => Found::Absent(field),
        (Kind::Message(inner), _, Some(value)) => find(inner, value, rest),
        (Kind::Message(_), _, None) => Found::NoSuchPosition,
        _ => Found::NoSuchField,
    }
}

/// Paths of the fields of an encoded event that may be sealed, are present, and bear `name` (`cost`,
/// `quantity`, `consignee`); or the path itself, if it is given as one.
pub fn paths_named(event: &[u8], name: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut way: Vec<String> = Vec::new();
    // Bytes that are no event have no such fields.
    let _ = shape::check(&shape::EVENT, event, &mut |met: Met<'_>| {
        way.truncate(met.depth);
        way.push(match met.field.presence {
            Presence::Repeated => format!("{}.{}", met.field.number, met.position),
            _ => met.field.number.to_string(),
        });
        if met.field.sealable {
            let path = way.join(".");
            if met.field.name == name || path == name {
                found.push(path);
            }
        }
    });
    found
}

/// Names of all fields that may be sealed, in alphabetical order.
pub fn sealable_names() -> BTreeSet<&'static str> {
    let mut names = BTreeSet::new();
    let mut seen = BTreeSet::new();
    let mut open = vec![&shape::EVENT];
    while let Some(shape) = open.pop() {
        if !seen.insert(shape.name) {
            continue;
        }
        for field in shape.fields {
            if field.sealable {
                names.insert(field.name);
            }
            if let Kind::Message(inner) = field.kind {
                open.push(inner);
            }
        }
    }
    names
}

/// Seals fields of an encoded event: takes each out and leaves its digest. Salts come from the caller.
///
/// # Errors
/// The path that leads to no field that is present and may be sealed.
pub fn seal(event: &[u8], paths: &[(String, Hash)]) -> Result<(Vec<u8>, Vec<Opening>), EventError> {
    let mut event = event.to_vec();
    let mut openings = Vec::new();
    for (path, salt) in paths {
        let wrong = |why| EventError::SealedPath {
            path: path.clone(),
            why,
        };
        let numbers = numbers_of(path).ok_or_else(|| wrong("not numbers"))?;
        let value = match find(&shape::EVENT, &event, &numbers) {
            Found::Present(_, value) => value.to_vec(),
            _ => return Err(wrong("leads to no field that is present")),
        };
        event = without(&shape::EVENT, &event, &numbers)
            .ok_or_else(|| wrong("leads to a field that is never sealed"))?;
        openings.push(Opening {
            path: path.clone(),
            salt: *salt,
            value,
        });
    }
    openings.sort_by(|a, b| a.path.cmp(&b.path));
    let mut decoded: v1::Event =
        prost::Message::decode(event.as_slice()).map_err(|_| EventError::SealedPath {
            path: String::new(),
            why: "event does not decode",
        })?;
    decoded.sealed.extend(openings.iter().map(|opening| v1::Sealed {
        path: opening.path.clone(),
        digest: opening.digest().as_bytes().to_vec(),
    }));
    decoded.sealed.sort_by(|a, b| a.path.cmp(&b.path));
    Ok((prost::Message::encode_to_vec(&decoded), openings))
}

/// The message without the field at `path`, or nothing if that field may not be sealed.
fn without(shape: &'static Shape, bytes: &[u8], path: &[u32]) -> Option<Vec<u8>> {
    let (number, rest) = path.split_first()?;
    let field = shape.field(*number)?;
    let (position, rest) = match (field.presence, rest) {
        (Presence::Repeated, [position, rest @ ..]) => (*position, rest),
        _ => (0, rest),
    };
    if rest.is_empty() && !field.sealable {
        return None;
    }
    let mut out = Vec::with_capacity(bytes.len());
    let mut inner_value = Some(());
    shape::check(shape, bytes, &mut |met: Met<'_>| {
        if met.depth > 0 {
            return;
        }
        if met.field.number != field.number || met.position != position {
            out.extend_from_slice(met.encoded);
        } else if let (Kind::Message(inner), false) = (&field.kind, rest.is_empty()) {
            match without(inner, met.value, rest) {
                Some(inner) => {
                    prost::encoding::encode_key(
                        field.number,
                        prost::encoding::WireType::LengthDelimited,
                        &mut out,
                    );
                    prost::encoding::encode_varint(inner.len() as u64, &mut out);
                    out.extend_from_slice(&inner);
                }
                None => inner_value = None,
            }
        }
    })
    .ok()?;
    inner_value.map(|()| out)
}

/// Puts opened fields back into an event, after checking each opening against the digest that the event
/// carries. Openings of other events are passed over.
///
/// # Errors
/// The path whose opening does not match its digest, or holds anything but one value of that field in form.
pub fn open(event: &v1::Event, openings: &[Opening]) -> Result<v1::Event, EventError> {
    let mut opened = event.clone();
    let mut encoded = prost::Message::encode_to_vec(event);
    for opening in openings {
        let Some(seal) = event.sealed.iter().find(|seal| seal.path == opening.path) else {
            continue;
        };
        let wrong = |why| EventError::SealedPath {
            path: opening.path.clone(),
            why,
        };
        if seal.digest != opening.digest().as_bytes() {
            return Err(wrong("the opening does not match the digest"));
        }
        let numbers = numbers_of(&opening.path).ok_or_else(|| wrong("not numbers"))?;
        let with_value = with(&shape::EVENT, &encoded, &numbers, &opening.value)
            .ok_or_else(|| wrong("leads to no field"))?;
        opened = prost::Message::decode(with_value.as_slice())
            .map_err(|_| wrong("the opened event does not decode"))?;
        let with_value = prost::Message::encode_to_vec(&opened);
        // The digest binds the value, not that it is one: sealed again, the event must be what it was. So the
        // value is one field in its one spelling, with nothing of another field behind it.
        let found = find(&shape::EVENT, &with_value, &numbers);
        let is_it = matches!(found, Found::Present(_, value) if value == opening.value);
        if !is_it || without(&shape::EVENT, &with_value, &numbers).as_ref() != Some(&encoded) {
            return Err(wrong("the opening holds more or else than that field"));
        }
        encoded = with_value;
    }
    opened
        .sealed
        .retain(|seal| !openings.iter().any(|opening| opening.path == seal.path));
    Ok(opened)
}

/// The message with `value` as the content of the absent field at `path`. Protobuf lets fields stand in any
/// order when decoding, so it is appended.
fn with(shape: &'static Shape, bytes: &[u8], path: &[u32], value: &[u8]) -> Option<Vec<u8>> {
    use prost::encoding::{WireType, encode_key, encode_varint};
    let (number, rest) = path.split_first()?;
    let field = shape.field(*number)?;
    let (position, rest) = match (field.presence, rest) {
        (Presence::Repeated, [position, rest @ ..]) => (*position, rest),
        _ => (0, rest),
    };
    let mut out = Vec::with_capacity(bytes.len() + value.len() + 8);
    let delimited = |out: &mut Vec<u8>, content: &[u8]| {
        encode_key(field.number, WireType::LengthDelimited, out);
        encode_varint(content.len() as u64, out);
        out.extend_from_slice(content);
    };
    if rest.is_empty() {
        out.extend_from_slice(bytes);
        if let Kind::Text | Kind::Bytes | Kind::Message(_) = field.kind {
            delimited(&mut out, value);
        } else {
            encode_key(field.number, WireType::Varint, &mut out);
            out.extend_from_slice(value);
        }
        return Some(out);
    }
    let Kind::Message(inner) = &field.kind else {
        return None;
    };
    let mut found = false;
    shape::check(shape, bytes, &mut |met: Met<'_>| {
        if met.depth > 0 {
            return;
        }
        if met.field.number == field.number && met.position == position {
            if let Some(content) = with(inner, met.value, rest, value) {
                delimited(&mut out, &content);
                found = true;
            }
        } else {
            out.extend_from_slice(met.encoded);
        }
    })
    .ok()?;
    found.then_some(out)
}

//! Events: the checks that need nothing but the bytes, and what admission has to know of each event.
//!
//! [`CheckedEvent`] is made by [`check`] alone, from the bytes in a statement; afterwards decoding them with
//! [`CheckedEvent::decode`] loses nothing. The vocabulary itself is `proto/lotproof/v1/event.proto`.
//! Deliberately absent: everything that depends on who signs or what the register says; that is `admission`.

pub mod parts;
pub mod sealed;

use bytes::Bytes;
use prost::Message as _;

use crate::{
    code::Refusal,
    id::Hash,
    time::EventTime,
    wire::{
        form::Form,
        shape::{self, Field, Kind, Met, Presence, ShapeError},
        v1,
    },
};

/// Domain tag of an event's content digest.
const CONTENT_TAG: &[u8] = b"lotproof/v1/event\0";
/// Domain tag of a part digest.
const PART_TAG: &[u8] = b"lotproof/v1/part\0";
/// Lowest field number of `Event.kind`.
const KIND_MIN: u32 = 16;

/// Why an event's bytes are refused, whoever signs them.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EventError {
    /// Not the canonical encoding, or a value out of form.
    #[error(transparent)]
    Shape(#[from] ShapeError),
    /// None of the kinds.
    #[error("the event has no kind")]
    NoKind,
    /// An act of the authority, or an approval, as somebody else's word.
    #[error("an act of the authority cannot be reported")]
    ReportedAct,
    /// A part number or count out of range, or parts of a kind that has no long list.
    #[error("part {number} of {count} is not possible")]
    Part {
        /// Given number.
        number: u32,
        /// Given count.
        count: u32,
    },
    /// The certification has no scope, or more than 32 entries.
    #[error("a certification needs 1 to 32 scopes, got {0}")]
    CertificationScope(usize),
    /// A joined serial is not an identifier in normal form.
    #[error("serial {0:?} is not an identifier in normal form")]
    Serial(String),
    /// A sealed path leads nowhere, or to a field that may not be sealed.
    #[error("sealed path {path}: {why}")]
    SealedPath {
        /// As given.
        path: String,
        /// What is wrong with it.
        why: &'static str,
    },
    /// A field is both there and sealed.
    #[error("field {0} is sealed and present")]
    SealedAndPresent(String),
}

impl EventError {
    /// The code under which a statement with such an event is refused.
    pub const fn refusal(&self) -> Refusal {
        match self {
            Self::NoKind | Self::Shape(ShapeError::UnknownField { .. }) => Refusal::UnknownEvent,
            Self::Serial(_)
            | Self::Shape(ShapeError::Form {
                form: Form::Identifier,
                ..
            }) => Refusal::IdentifierNotNormal,
            Self::SealedAndPresent(_) => Refusal::SealedAndPresent,
            Self::Shape(
                ShapeError::Encoding { .. } | ShapeError::Missing { .. } | ShapeError::Form { .. },
            )
            | Self::ReportedAct
            | Self::Part { .. }
            | Self::CertificationScope(_)
            | Self::SealedPath { .. } => Refusal::MalformedEvent,
        }
    }
}

/// Which kind an event is, by its field number in `Event.kind`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EventKind(u32);

impl EventKind {
    /// The field number.
    pub const fn number(self) -> u32 {
        self.0
    }

    /// Whether only the authority may say it, and only as its own word: an act, or the approval of one.
    pub const fn is_authority(self) -> bool {
        self.0 < 48
    }

    /// The name in `event.proto`, as `party_enrolled`.
    pub fn name(self) -> &'static str {
        shape::EVENT.field(self.0).map_or("unknown", |field| field.name)
    }
}

/// An event whose bytes are canonical and in form, with what admission reads of it.
#[derive(Clone, Debug)]
pub struct CheckedEvent {
    bytes: Bytes,
    kind: EventKind,
    event_time: EventTime,
    part: Option<EventPart>,
    reported: bool,
    facilities: Vec<Bytes>,
    id: Bytes,
}

/// Which slice of a long event this is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EventPart {
    /// From 1.
    pub number: u32,
    /// At least 2.
    pub count: u32,
    /// Digest over everything but the slices and the part: equal in all parts of one event.
    pub scalars: Hash,
}

impl CheckedEvent {
    /// The event as received.
    pub const fn bytes(&self) -> &Bytes {
        &self.bytes
    }

    /// Its kind.
    pub const fn kind(&self) -> EventKind {
        self.kind
    }

    /// When it happened, as claimed.
    pub const fn event_time(&self) -> EventTime {
        self.event_time
    }

    /// Its place among the parts of a long event, if it is one.
    pub const fn part(&self) -> Option<EventPart> {
        self.part
    }

    /// Whether somebody imported it from another's document.
    pub const fn is_reported(&self) -> bool {
        self.reported
    }

    /// The facilities it names as places of its own acts.
    pub fn facilities(&self) -> impl Iterator<Item = &str> {
        self.facilities
            .iter()
            .filter_map(|facility| std::str::from_utf8(facility).ok())
    }

    /// The issuer's id of the event.
    pub fn id(&self) -> &str {
        std::str::from_utf8(&self.id).unwrap_or_default()
    }

    /// Digest of the content: equal for repeated reports of one event.
    pub fn content(&self) -> Hash {
        content(&self.bytes)
    }

    /// The event as data.
    ///
    /// # Panics
    /// Never: [`check`] accepted the bytes.
    pub fn decode(&self) -> v1::Event {
        v1::Event::decode(self.bytes.clone()).expect("checked bytes decode")
    }
}

/// Digest of an encoded event's content; see [`CheckedEvent::content`].
pub(crate) fn content(bytes: &[u8]) -> Hash {
    Hash::of(&[CONTENT_TAG, bytes])
}

/// Checks one event's bytes.
///
/// # Errors
/// [`EventError`]: the first fault in byte order, then parts, certification and seals.
pub fn check(bytes: &Bytes) -> Result<CheckedEvent, EventError> {
    let mut seen = Seen::default();
    let mut slices = Vec::new();
    shape::check(&shape::EVENT, bytes, &mut |met| seen.meet(met, &mut slices))?;
    let kind = seen.kind.ok_or(EventError::NoKind)?;
    if kind.is_authority() && seen.reported {
        return Err(EventError::ReportedAct);
    }
    let decoded = v1::Event::decode(&*seen.apart).map_err(|_| ShapeError::Encoding {
        message: "Event",
        why: "does not decode",
        offset: 0,
    })?;
    if let Some(certification) = &decoded.certification
        && !(1..=32).contains(&certification.scope.len())
    {
        return Err(EventError::CertificationScope(certification.scope.len()));
    }
    if let Some(serial) = seen.bad_serial {
        return Err(EventError::Serial(serial));
    }
    let part = match decoded.part {
        None => None,
        Some(v1::Part { number, count }) => {
            let sliced = kind_shape(kind).is_some_and(|shape| shape.fields.iter().any(|field| field.sliced));
            if !sliced || number == 0 || count < 2 || number > count || count > crate::wire::EVENT_PARTS_MAX {
                return Err(EventError::Part { number, count });
            }
            Some(EventPart {
                number,
                count,
                scalars: scalars(bytes, kind)?,
            })
        }
    };
    sealed::check(bytes, kind.0, &decoded.sealed)?;
    Ok(CheckedEvent {
        kind,
        event_time: EventTime::from_nanos(seen.event_time),
        part,
        reported: seen.reported,
        facilities: seen
            .facilities
            .iter()
            .map(|facility| bytes.slice_ref(facility))
            .collect(),
        id: bytes.slice_ref(seen.id),
        bytes: bytes.clone(),
    })
}

/// The shape of a kind's message.
fn kind_shape(kind: EventKind) -> Option<&'static shape::Shape> {
    match shape::EVENT.field(kind.0)?.kind {
        Kind::Message(shape) => Some(shape),
        _ => None,
    }
}

/// What one pass over the bytes finds.
#[derive(Default)]
struct Seen<'a> {
    id: &'a [u8],
    event_time: i64,
    kind: Option<EventKind>,
    reported: bool,
    /// Part, certification and seals as encoded: all that has to be decoded.
    apart: Vec<u8>,
    facilities: Vec<&'a [u8]>,
    /// Prefix of the serial run being read.
    prefix: &'a [u8],
    in_run: bool,
    bad_serial: Option<String>,
}

impl<'a> Seen<'a> {
    fn meet(&mut self, met: Met<'a>, joined: &mut Vec<u8>) {
        match (met.depth, met.field.number) {
            (0, 1) => self.id = met.value,
            (0, 2) => self.event_time = met.number().cast_signed(),
            (0, 4) => self.reported = true,
            (0, 5 | 6 | 8) => self.apart.extend_from_slice(met.encoded),
            (0, number) if number >= KIND_MIN => self.kind = Some(EventKind(number)),
            (1, _) if self.kind.is_some() => {
                if is_own_facility(met.field) && self.kind != Some(EventKind(17)) {
                    self.facilities.push(met.value);
                }
                self.in_run = met.field.sliced;
                self.prefix = &[];
            }
            (2, 1) if self.in_run => self.prefix = met.value,
            (2, 2) if self.in_run => {
                joined.clear();
                joined.extend_from_slice(self.prefix);
                joined.extend_from_slice(met.value);
                let serial = String::from_utf8_lossy(joined);
                if self.bad_serial.is_none() && !crate::identifier::is_normal(&serial) {
                    self.bad_serial = Some(serial.into_owned());
                }
            }
            _ => {}
        }
    }
}

/// The part digest: over the kind, the encodings of top-level fields but the part and the kind, and those of
/// the kind's fields but its slices. Field numbers of the two sections overlap, so each section's length goes
/// before it: no field of one can be taken for one of the other. Long events alone need it, so it takes a pass
/// of its own.
fn scalars(bytes: &[u8], kind: EventKind) -> Result<Hash, ShapeError> {
    let (mut shared, mut kind_shared) = (Vec::new(), Vec::new());
    let mut in_kind = false;
    shape::check(&shape::EVENT, bytes, &mut |met| match met.depth {
        0 => {
            in_kind = met.field.number >= KIND_MIN;
            if !in_kind && met.field.number != 5 {
                shared.push(met.encoded);
            }
        }
        1 if in_kind && !met.field.sliced => kind_shared.push(met.encoded),
        _ => {}
    })?;
    let len = |section: &[&[u8]]| {
        let len: usize = section.iter().map(|field| field.len()).sum();
        // An event is shorter than a statement.
        u32::try_from(len).unwrap_or(u32::MAX).to_be_bytes()
    };
    let number = kind.number().to_be_bytes();
    let (shared_len, kind_shared_len) = (len(&shared), len(&kind_shared));
    let mut parts: Vec<&[u8]> = vec![PART_TAG, &number, &shared_len];
    parts.extend(shared);
    parts.push(&kind_shared_len);
    parts.extend(kind_shared);
    Ok(Hash::of(&parts))
}

/// Fields that say where the issuer acted. Another's place (`to_facility`) is a claim about him, and is not
/// held against the register.
fn is_own_facility(field: &Field) -> bool {
    field.presence != Presence::Repeated && matches!(field.name, "facility" | "from_facility")
}

#[cfg(test)]
mod tests;

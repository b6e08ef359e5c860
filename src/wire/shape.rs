//! Checks received bytes against the shape of a message: the canonical encoding and nothing else.
//!
//! ```text
//! field  = tag varint (number << 3 | wire type), value
//! value  = varint (wire type 0) | varint length, bytes (wire type 2)
//! ```
//!
//! Canonical means: fields ascending by number; no unknown field; a singular field at most once; varints in
//! their shortest form and within their type's range; text is UTF-8; a field without explicit presence is
//! left out when it holds zero or nothing; at most one member of a `oneof`; required fields present. So a
//! message has one encoding, a value that a program could overlook cannot hide, and what a key signed
//! cannot be varied without it. Ordinary protobuf encoders write this form.

use super::form::{self, Form};

/// Deepest nesting of messages; the vocabulary needs five.
const DEPTH_MAX: usize = 8;

/// One message of the wire format.
#[derive(Debug)]
pub struct Shape {
    /// Name in `proto/`.
    pub name: &'static str,
    /// Ascending by number.
    pub fields: &'static [Field],
    /// How many of them there are up to the last that is required: beyond, no absence needs a look.
    pub required_to: usize,
}

/// One field of a [`Shape`].
#[derive(Debug)]
pub struct Field {
    /// Field number.
    pub number: u32,
    /// Name in `proto/`.
    pub name: &'static str,
    /// Type of its value.
    pub kind: Kind,
    /// How often and when it stands there.
    pub presence: Presence,
    /// The accepted spelling.
    pub form: Form,
    /// Whether it may be replaced by a digest.
    pub sealable: bool,
    /// Whether it is a long list that travels in slices.
    pub sliced: bool,
    /// Whether its absence is an error.
    pub required: bool,
}

/// Value types that the format uses.
#[derive(Debug)]
pub enum Kind {
    /// `bool`
    Bool,
    /// `uint32`
    Uint32,
    /// `uint64`
    Uint64,
    /// `int64`
    Int64,
    /// `sint32`
    Sint32,
    /// An enumeration with values 0 to this one.
    Enum(i32),
    /// `string`
    Text,
    /// `bytes`
    Bytes,
    /// A message
    Message(&'static Shape),
}

/// Presence of a field, as proto3 has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Presence {
    /// Left out at its default.
    Implicit,
    /// `optional`, or a message.
    Explicit,
    /// Any number of times, adjacent.
    Repeated,
    /// A member of the message's one `oneof`.
    OneOf,
}

impl Shape {
    /// The field with this number.
    pub fn field(&self, number: u32) -> Option<&'static Field> {
        // Most messages number their fields from 1 without a gap.
        let guess = self.fields.get((number as usize).wrapping_sub(1));
        if let Some(field) = guess.filter(|field| field.number == number) {
            return Some(field);
        }
        self.fields
            .binary_search_by_key(&number, |field| field.number)
            .ok()
            .and_then(|at| self.fields.get(at))
    }
}

/// Why bytes are not the canonical encoding of a message. Offsets count from the start of the outermost one.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ShapeError {
    /// Not canonical protobuf, or not of this message.
    #[error("{message}: {why} at byte {offset}")]
    Encoding {
        /// The message being read.
        message: &'static str,
        /// What does not hold.
        why: &'static str,
        /// Where.
        offset: usize,
    },
    /// A field that this version of the format does not have.
    #[error("{message}: unknown field {number} at byte {offset}")]
    UnknownField {
        /// The message being read.
        message: &'static str,
        /// Its number.
        number: u64,
        /// Where.
        offset: usize,
    },
    /// A required field is absent.
    #[error("{message}.{field} is missing")]
    Missing {
        /// The message being read.
        message: &'static str,
        /// The field.
        field: &'static str,
    },
    /// A value is not in its one accepted spelling.
    #[error("{message}.{field} is not {}", form.wants())]
    Form {
        /// The message being read.
        message: &'static str,
        /// The field.
        field: &'static str,
        /// The form expected.
        form: Form,
    },
}

/// A field met while checking, in the order of the bytes, parents before children.
#[derive(Debug, Clone, Copy)]
pub struct Met<'a> {
    /// How many messages lie around it; zero for a field of the outermost.
    pub depth: usize,
    /// Which field.
    pub field: &'static Field,
    /// Zero-based position among the occurrences of a repeated field, else zero.
    pub position: u32,
    /// Tag and value as received.
    pub encoded: &'a [u8],
    /// The value without tag: the varint's bytes, or the content without its length.
    pub value: &'a [u8],
}

impl Met<'_> {
    /// The number of a varint field, as it stands on the wire.
    pub fn number(&self) -> u64 {
        self.value
            .iter()
            .rev()
            .fold(0, |number, byte| (number << 7) | u64::from(byte & 0x7f))
    }
}

/// Checks that `bytes` are the canonical encoding of `shape`, telling `visit` of every field on the way.
///
/// The first fault in byte order is reported; a missing field counts where its message ends.
///
/// # Errors
/// See [`ShapeError`].
pub fn check<'a>(
    shape: &'static Shape,
    bytes: &'a [u8],
    visit: &mut impl FnMut(Met<'a>),
) -> Result<(), ShapeError> {
    message(shape, bytes, 0, 0, visit)
}

fn message<'a>(
    shape: &'static Shape,
    bytes: &'a [u8],
    base: usize,
    depth: usize,
    visit: &mut impl FnMut(Met<'a>),
) -> Result<(), ShapeError> {
    let fault = |why, at: usize| ShapeError::Encoding {
        message: shape.name,
        why,
        offset: base + at,
    };
    if depth > DEPTH_MAX {
        return Err(fault("nested too deep", 0));
    }
    let mut rest = Cursor { bytes, at: 0 };
    let mut fields = shape.fields.iter().take(shape.required_to).peekable();
    let mut oneof_taken = false;
    let mut last: Option<(u32, u32)> = None;
    while !rest.is_empty() {
        let start = rest.at;
        let tag = rest.varint().ok_or_else(|| fault("bad tag", start))?;
        let number = tag >> 3;
        let Some(field) = u32::try_from(number).ok().and_then(|number| shape.field(number)) else {
            return Err(ShapeError::UnknownField {
                message: shape.name,
                number,
                offset: base + start,
            });
        };
        let position = match last {
            Some((previous, _)) if previous > field.number => {
                return Err(fault("fields out of order", start));
            }
            Some((previous, position)) if previous == field.number => {
                if field.presence != Presence::Repeated {
                    return Err(fault("field given twice", start));
                }
                position + 1
            }
            _ => 0,
        };
        if field.presence == Presence::OneOf && std::mem::replace(&mut oneof_taken, true) {
            return Err(fault("second member of a oneof", start));
        }
        // Whatever was passed over on the way to this field is absent.
        while let Some(passed) = fields.next_if(|passed| passed.number < field.number) {
            require(
                shape,
                passed,
                last.is_some_and(|(number, _)| number == passed.number),
            )?;
        }
        last = Some((field.number, position));
        let (value, inner_at) = match (&field.kind, tag & 7) {
            (Kind::Text | Kind::Bytes | Kind::Message(_), 2) => {
                let len = rest.varint().ok_or_else(|| fault("bad length", start))?;
                let at = rest.at;
                let content = usize::try_from(len).ok().and_then(|len| rest.take(len));
                (content.ok_or_else(|| fault("length beyond the end", start))?, at)
            }
            (Kind::Bool | Kind::Uint32 | Kind::Uint64 | Kind::Int64 | Kind::Sint32 | Kind::Enum(_), 0) => {
                let at = rest.at;
                let number = rest.varint().ok_or_else(|| fault("bad varint", start))?;
                if !in_range(&field.kind, number) {
                    return Err(fault("number out of range", start));
                }
                if number == 0 && field.presence == Presence::Implicit {
                    return Err(fault("zero written out", start));
                }
                if !form::number_fits(field.form, number) {
                    return Err(ShapeError::Form {
                        message: shape.name,
                        field: field.name,
                        form: field.form,
                    });
                }
                (bytes.get(at..rest.at).unwrap_or_default(), at)
            }
            _ => return Err(fault("wrong wire type", start)),
        };
        if value.is_empty() && field.presence == Presence::Implicit {
            return Err(fault("empty value written out", start));
        }
        visit(Met {
            depth,
            field,
            position,
            encoded: bytes.get(start..rest.at).unwrap_or_default(),
            value,
        });
        match field.kind {
            Kind::Message(inner) => message(inner, value, base + inner_at, depth + 1, visit)?,
            Kind::Text => {
                let text = std::str::from_utf8(value).map_err(|_| fault("text is not UTF-8", start))?;
                if !form::text_fits(field.form, text) {
                    return Err(ShapeError::Form {
                        message: shape.name,
                        field: field.name,
                        form: field.form,
                    });
                }
            }
            Kind::Bytes if !form::bytes_fit(field.form, value) => {
                return Err(ShapeError::Form {
                    message: shape.name,
                    field: field.name,
                    form: field.form,
                });
            }
            _ => {}
        }
    }
    for left in fields {
        require(shape, left, last.is_some_and(|(number, _)| number == left.number))?;
    }
    Ok(())
}

fn require(shape: &'static Shape, field: &'static Field, present: bool) -> Result<(), ShapeError> {
    if field.required && !present {
        return Err(ShapeError::Missing {
            message: shape.name,
            field: field.name,
        });
    }
    Ok(())
}

fn in_range(kind: &Kind, number: u64) -> bool {
    match kind {
        Kind::Bool => number <= 1,
        Kind::Uint32 | Kind::Sint32 => u32::try_from(number).is_ok(),
        Kind::Enum(max) => i32::try_from(number).is_ok_and(|number| number <= *max),
        Kind::Uint64 | Kind::Int64 => true,
        Kind::Text | Kind::Bytes | Kind::Message(_) => false,
    }
}

struct Cursor<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Cursor<'a> {
    fn is_empty(&self) -> bool {
        self.at >= self.bytes.len()
    }

    fn take(&mut self, len: usize) -> Option<&'a [u8]> {
        let end = self.at.checked_add(len)?;
        let taken = self.bytes.get(self.at..end)?;
        self.at = end;
        Some(taken)
    }

    /// A varint of up to ten bytes in its shortest form.
    fn varint(&mut self) -> Option<u64> {
        let mut number: u64 = 0;
        for shift in (0..70).step_by(7) {
            let byte = *self.take(1)?.first()?;
            let bits = u64::from(byte & 0x7f);
            if shift == 63 && bits > 1 {
                return None;
            }
            number |= bits << shift;
            if byte & 0x80 == 0 {
                return (byte != 0 || shift == 0).then_some(number);
            }
        }
        None
    }
}

include!(concat!(env!("OUT_DIR"), "/shapes.rs"));

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_required_beyond_the_last_that_is() {
        for shape in [
            &EVENT,
            &STATEMENT,
            &ENVELOPE,
            &RECEIPT,
            &ITEM,
            &QUANTITY,
            &TRANSFORMED,
        ] {
            let last = shape.fields.iter().rposition(|field| field.required);
            assert_eq!(
                shape.required_to,
                last.map_or(0, |last| last + 1),
                "{}",
                shape.name
            );
        }
        assert!(QUANTITY.required_to > 0);
    }
}

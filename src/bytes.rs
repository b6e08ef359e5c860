//! One reader and one writer of bytes, for every layout that is ours.
//!
//! A `Reader` stands somewhere in bytes from outside. Each read names its field, and fails if the bytes do not
//! suffice or say what the field cannot be: the first fault is returned, never a panic, and nothing is allocated
//! for what is not there. `Reader::whole` is the one place where bytes left over are refused. Numbers are
//! unsigned and big-endian unless they say otherwise. A `Writer` writes the same.
//!
//! Of protobuf only what walks over fields that were checked before: the one accepted encoding is
//! `wire::shape`'s.

use crate::id::{FeedId, Hash};

/// Why bytes are not what a layout says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BytesError {
    /// They end within a field.
    #[error("the bytes end within the {field}")]
    Short {
        /// What was being read.
        field: &'static str,
    },
    /// A field has a value that it cannot have.
    #[error("{got} is no {field}")]
    Value {
        /// What was being read.
        field: &'static str,
        /// The number found.
        got: u64,
    },
    /// A field is no UTF-8, or no message of its kind.
    #[error("the {field} is malformed")]
    Malformed {
        /// What was being read.
        field: &'static str,
    },
    /// The layout is at its end and the bytes are not.
    #[error("{left} bytes are left over behind the {whole}")]
    Trailing {
        /// What was read.
        whole: &'static str,
        /// How many.
        left: usize,
    },
}

/// The value of a protobuf field, of one of the two wire types that our messages have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum WireValue<'a> {
    /// Wire type 0.
    Number(u64),
    /// Wire type 2: bytes, text or a message.
    Bytes(&'a [u8]),
}

/// A result of reading.
pub(crate) type Read<T> = Result<T, BytesError>;

/// Bytes being read, from the first to the last.
#[derive(Clone, Debug)]
pub(crate) struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    /// At the start of `bytes`.
    pub(crate) const fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    /// Reads `bytes` as one `whole`: whatever is left over is a fault.
    ///
    /// # Errors
    /// What `read` says, or [`BytesError::Trailing`].
    pub(crate) fn whole<T, E: From<BytesError>>(
        bytes: &'a [u8],
        whole: &'static str,
        read: impl FnOnce(&mut Self) -> Result<T, E>,
    ) -> Result<T, E> {
        let mut reader = Self::new(bytes);
        let value = read(&mut reader)?;
        match reader.rest.len() {
            0 => Ok(value),
            left => Err(BytesError::Trailing { whole, left }.into()),
        }
    }

    /// Whether all was read.
    pub(crate) const fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    /// What was not read yet, all of it.
    pub(crate) fn rest(&mut self) -> &'a [u8] {
        std::mem::take(&mut self.rest)
    }

    /// So many bytes.
    pub(crate) fn raw(&mut self, len: usize, field: &'static str) -> Read<&'a [u8]> {
        let (taken, rest) = self
            .rest
            .split_at_checked(len)
            .ok_or(BytesError::Short { field })?;
        self.rest = rest;
        Ok(taken)
    }

    /// As many bytes as the array has.
    pub(crate) fn array<const N: usize>(&mut self, field: &'static str) -> Read<[u8; N]> {
        let (taken, rest) = self.rest.split_first_chunk().ok_or(BytesError::Short { field })?;
        self.rest = rest;
        Ok(*taken)
    }

    /// These bytes and no others.
    pub(crate) fn literal<const N: usize>(&mut self, expected: &[u8; N], field: &'static str) -> Read<()> {
        match self.array(field)? {
            found if found == *expected => Ok(()),
            _ => Err(BytesError::Malformed { field }),
        }
    }

    pub(crate) fn u8(&mut self, field: &'static str) -> Read<u8> {
        self.array(field).map(u8::from_be_bytes)
    }

    pub(crate) fn u16(&mut self, field: &'static str) -> Read<u16> {
        self.array(field).map(u16::from_be_bytes)
    }

    pub(crate) fn u32(&mut self, field: &'static str) -> Read<u32> {
        self.array(field).map(u32::from_be_bytes)
    }

    pub(crate) fn u64(&mut self, field: &'static str) -> Read<u64> {
        self.array(field).map(u64::from_be_bytes)
    }

    /// Signed, two's complement.
    pub(crate) fn i64(&mut self, field: &'static str) -> Read<i64> {
        self.array(field).map(i64::from_be_bytes)
    }

    /// One byte, 0 or 1.
    pub(crate) fn flag(&mut self, field: &'static str) -> Read<bool> {
        match self.u8(field)? {
            0 => Ok(false),
            1 => Ok(true),
            got => Err(BytesError::Value {
                field,
                got: got.into(),
            }),
        }
    }

    /// A number that is one of a closed set.
    pub(crate) fn code<T>(field: &'static str, number: u64, from: impl FnOnce(u16) -> Option<T>) -> Read<T> {
        let found = u16::try_from(number).ok().and_then(from);
        found.ok_or(BytesError::Value { field, got: number })
    }

    /// A flag, and behind a set one a value.
    pub(crate) fn optional<T>(
        &mut self,
        field: &'static str,
        read: impl FnOnce(&mut Self) -> Read<T>,
    ) -> Read<Option<T>> {
        self.flag(field)?.then(|| read(self)).transpose()
    }

    /// A length in four bytes and so many bytes.
    pub(crate) fn bytes(&mut self, field: &'static str) -> Read<&'a [u8]> {
        let len = usize::try_from(self.u32(field)?).map_err(|_| BytesError::Short { field })?;
        self.raw(len, field)
    }

    /// A length in two bytes and so many bytes.
    pub(crate) fn short_bytes(&mut self, field: &'static str) -> Read<&'a [u8]> {
        let len = self.u16(field)?;
        self.raw(len.into(), field)
    }

    /// A length in four bytes and so many bytes of UTF-8.
    pub(crate) fn string(&mut self, field: &'static str) -> Read<String> {
        let bytes = self.bytes(field)?.to_vec();
        String::from_utf8(bytes).map_err(|_| BytesError::Malformed { field })
    }

    /// A length in four bytes and a protobuf message of so many, as its own decoder takes it.
    pub(crate) fn message<M: prost::Message + Default>(&mut self, field: &'static str) -> Read<M> {
        M::decode(self.bytes(field)?).map_err(|_| BytesError::Malformed { field })
    }

    /// A protobuf varint of up to ten bytes in its shortest form.
    pub(crate) fn varint(&mut self, field: &'static str) -> Read<u64> {
        let mut number = 0;
        for shift in (0..70).step_by(7) {
            let byte = self.u8(field)?;
            let bits = u64::from(byte & 0x7F);
            if shift == 63 && bits > 1 {
                break;
            }
            number |= bits << shift;
            if byte & 0x80 == 0 {
                let is_shortest = byte != 0 || shift == 0;
                return is_shortest
                    .then_some(number)
                    .ok_or(BytesError::Malformed { field });
            }
        }
        Err(BytesError::Malformed { field })
    }

    /// The next field of a protobuf message: its number and its value.
    pub(crate) fn message_field(&mut self) -> Read<(u32, WireValue<'a>)> {
        let tag = self.varint("tag")?;
        let field = "tag";
        let number = u32::try_from(tag >> 3).map_err(|_| BytesError::Value { field, got: tag })?;
        let value = self.varint("value")?;
        let value = match tag & 7 {
            0 => WireValue::Number(value),
            2 => {
                let field = "value";
                let len = usize::try_from(value).map_err(|_| BytesError::Short { field })?;
                WireValue::Bytes(self.raw(len, field)?)
            }
            _ => return Err(BytesError::Value { field, got: tag }),
        };
        Ok((number, value))
    }

    pub(crate) fn hash(&mut self, field: &'static str) -> Read<Hash> {
        self.array(field).map(Hash::new)
    }

    pub(crate) fn feed(&mut self, field: &'static str) -> Read<FeedId> {
        self.array(field).map(FeedId::new)
    }

    /// As many of something as a count in four bytes before them says, each at least a byte long.
    ///
    /// # Errors
    /// What `one` says, or that there cannot be so many.
    pub(crate) fn many<T, E: From<BytesError>>(
        &mut self,
        field: &'static str,
        mut one: impl FnMut(&mut Self) -> Result<T, E>,
    ) -> Result<Vec<T>, E> {
        let count = usize::try_from(self.u32(field)?).unwrap_or(usize::MAX);
        if count > self.rest.len() {
            return Err(BytesError::Short { field }.into());
        }
        (0..count).map(|_| one(self)).collect()
    }
}

/// Bytes being written.
#[derive(Debug, Default)]
pub(crate) struct Writer(Vec<u8>);

impl Writer {
    /// Behind these bytes.
    pub(crate) const fn behind(bytes: Vec<u8>) -> Self {
        Self(bytes)
    }

    /// With room for so many bytes.
    pub(crate) fn with_capacity(capacity: usize) -> Self {
        Self(Vec::with_capacity(capacity))
    }

    /// What was written so far.
    pub(crate) fn as_slice(&self) -> &[u8] {
        &self.0
    }

    /// What was written.
    pub(crate) fn into_vec(self) -> Vec<u8> {
        self.0
    }

    pub(crate) fn u8(&mut self, value: u8) {
        self.0.push(value);
    }

    pub(crate) fn flag(&mut self, value: bool) {
        self.u8(value.into());
    }

    pub(crate) fn u16(&mut self, value: u16) {
        self.raw(&value.to_be_bytes());
    }

    pub(crate) fn u32(&mut self, value: u32) {
        self.raw(&value.to_be_bytes());
    }

    pub(crate) fn u64(&mut self, value: u64) {
        self.raw(&value.to_be_bytes());
    }

    pub(crate) fn i64(&mut self, value: i64) {
        self.raw(&value.to_be_bytes());
    }

    pub(crate) fn raw(&mut self, bytes: &[u8]) {
        self.0.extend_from_slice(bytes);
    }

    /// A flag, and the value if there is one.
    pub(crate) fn optional<T>(&mut self, value: Option<T>, write: impl FnOnce(&mut Self, T)) {
        self.flag(value.is_some());
        if let Some(value) = value {
            write(self, value);
        }
    }

    /// How many of something follow.
    pub(crate) fn count(&mut self, count: usize) {
        self.u32(u32::try_from(count).expect("what is in memory is fewer than 2^32"));
    }

    /// A length in four bytes and so many bytes.
    pub(crate) fn bytes(&mut self, bytes: &[u8]) {
        self.count(bytes.len());
        self.raw(bytes);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_and_every_fault_names_its_field() {
        let mut out = Writer::with_capacity(64);
        out.u8(1);
        out.u16(2);
        out.u32(3);
        out.u64(4);
        out.i64(-5);
        out.optional(Some("six"), |out, text| out.bytes(text.as_bytes()));
        out.optional(None, Writer::u8);
        out.count(2);
        out.raw(&[7, 8]);
        let bytes = out.into_vec();
        let read = |bytes: &[u8]| {
            Reader::whole(bytes, "example", |from| {
                Ok((
                    (
                        from.u8("a")?,
                        from.u16("b")?,
                        from.u32("c")?,
                        from.u64("d")?,
                        from.i64("e")?,
                    ),
                    from.optional("f", |from| from.string("f"))?,
                    from.optional("g", |from| from.u8("g"))?,
                    from.many("h", |from| from.u8("h"))?,
                ))
            })
        };
        let all = ((1, 2, 3, 4, -5), Some("six".to_owned()), None, vec![7, 8]);
        assert_eq!(read(&bytes), Ok(all));
        let ends = [
            (0, "a"),
            (1, "b"),
            (3, "c"),
            (7, "d"),
            (15, "e"),
            (23, "f"),
            (31, "g"),
            (32, "h"),
        ];
        for len in 0..bytes.len() {
            let (_, field) = ends.iter().rev().find(|(start, _)| *start <= len).unwrap();
            assert_eq!(read(&bytes[..len]), Err(BytesError::Short { field }), "{len}");
        }
        let longer = [&bytes[..], &[0, 0]].concat();
        assert_eq!(
            read(&longer),
            Err(BytesError::Trailing {
                whole: "example",
                left: 2
            })
        );
        let mut other = bytes.clone();
        other[31] = 2;
        assert_eq!(read(&other), Err(BytesError::Value { field: "g", got: 2 }));
        other[31] = 0;
        other[28] = 0xFF;
        assert_eq!(read(&other), Err(BytesError::Malformed { field: "f" }));
    }

    #[test]
    fn a_count_of_what_cannot_be_there_allocates_nothing() {
        let mut from = Reader::new(&[0xFF, 0xFF, 0xFF, 0xFF, 0]);
        let many: Read<Vec<u8>> = from.many("list", |from| from.u8("list"));
        assert_eq!(many, Err(BytesError::Short { field: "list" }));
    }

    #[test]
    fn literals_and_short_lengths() {
        let mut from = Reader::new(b"ab\0\x03xyz!");
        assert_eq!(
            from.clone().literal(b"ba", "mark"),
            Err(BytesError::Malformed { field: "mark" })
        );
        assert_eq!(from.literal(b"ab", "mark"), Ok(()));
        assert_eq!(from.short_bytes("text"), Ok(&b"xyz"[..]));
        assert!(!from.is_empty());
        assert_eq!((from.rest(), from.is_empty()), (&b"!"[..], true));
    }

    #[test]
    fn varints_have_one_form_and_fields_two_wire_types() {
        let varint = |bytes: &[u8]| Reader::whole(bytes, "number", |from| from.varint("number"));
        assert_eq!(varint(&[0]), Ok(0));
        assert_eq!(varint(&[0xAC, 2]), Ok(300));
        let most = [0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 1];
        assert_eq!(varint(&most), Ok(u64::MAX));
        let field = "number";
        let mut beyond = most;
        beyond[9] = 2;
        for malformed in [&[0x80, 0][..], &beyond, &[0x80; 11]] {
            assert_eq!(
                varint(malformed),
                Err(BytesError::Malformed { field }),
                "{malformed:?}"
            );
        }
        assert_eq!(varint(&[0x80]), Err(BytesError::Short { field }));
        let mut from = Reader::new(b"\x08\x07\x12\x02ab\x1D\0\0\0\0");
        assert_eq!(from.message_field(), Ok((1, WireValue::Number(7))));
        assert_eq!(from.message_field(), Ok((2, WireValue::Bytes(b"ab"))));
        assert_eq!(
            from.message_field(),
            Err(BytesError::Value {
                field: "tag",
                got: 0x1D
            })
        );
    }
}

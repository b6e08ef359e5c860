//! Stage one, *decode*: bytes become an [`Envelope`] around a readable statement header.
//!
//! ```text
//! Envelope    0a len payload | 12 len payloadType | 1a 42 0a 40 sig[64]          DSSE; one signature, no keyid
//! Statement   08 01 | 12 20 log_id[32] | 1a len issuer | 22 20 feed[32] | 28 sequence
//!             | 32 20 previous[32] | 38 issued_at | (42 len event){1,256}
//! ```
//!
//! Lengths and numbers are varints in their shortest form. Any other encoding of the same values is refused,
//! so that nobody can vary a statement without its key. Events stay bytes: a header is readable, and has its
//! place in the feed, when an event is not. Nothing here is verified. Spec: `proto/README.md`, "Envelope".

use bytes::Bytes;
use prost::Message as _;

use crate::{
    id::{FeedId, FeedSequence, Hash, LogId},
    time::IssuedAt,
    wire::{
        self,
        shape::{self, Met, ShapeError},
        v1,
    },
};

/// Why bytes are not an envelope around a statement. All but [`Oversize`](Self::Oversize) are the answer
/// `malformed`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// Longer than an envelope, or a statement longer than the format allows.
    #[error("{what} of {len} bytes, at most {max} are taken")]
    Oversize {
        /// Envelope or statement.
        what: &'static str,
        /// Its length in bytes.
        len: usize,
        /// The limit in bytes.
        max: usize,
    },
    /// Not the canonical encoding: trailing bytes, unknown or repeated fields, long varints and so on.
    #[error("not canonical")]
    Shape(#[from] ShapeError),
    /// No signature, or more than one.
    #[error("expected one signature, got {0}")]
    Signatures(usize),
    /// A key id is given; the key is in the statement, and a second place for it could disagree.
    #[error("the key id is not empty")]
    KeyId,
    /// A signature that is not 64 bytes.
    #[error("expected a signature of 64 bytes, got {0}")]
    SignatureLength(usize),
    /// Another payload type than the one expected here.
    #[error("expected payload type {expected}, got {got}")]
    PayloadType {
        /// What this reader takes.
        expected: &'static str,
        /// What came, cut to 100 characters.
        got: String,
    },
    /// A statement version that this library does not know.
    #[error("expected statement version 1, got {0}")]
    Version(u32),
    /// Sequences count from one.
    #[error("sequence is zero")]
    SequenceZero,
    /// Only the first statement of a feed has zeros there, and it must.
    #[error("previous is {0} zeros")]
    Previous(&'static str),
    /// No event, or more than a statement may hold.
    #[error("expected 1 to {max} events, got {got}")]
    EventCount {
        /// The format's limit.
        max: usize,
        /// How many there are.
        got: usize,
    },
    /// An event without content.
    #[error("event {0} is empty")]
    EmptyEvent(usize),
}

/// A DSSE envelope of a payload type of ours, in its one accepted encoding; its signature is *not* verified.
#[derive(Clone, Debug)]
pub struct DsseEnvelope {
    /// The whole envelope as received.
    pub(crate) bytes: Bytes,
    /// The signed payload, a part of `bytes`.
    pub(crate) payload: Bytes,
    pub(crate) payload_type: &'static str,
    pub(crate) signature: [u8; 64],
}

impl DsseEnvelope {
    /// Reads an envelope that must carry `payload_type`.
    ///
    /// # Errors
    /// [`DecodeError`], the first fault met.
    pub fn decode(bytes: Bytes, payload_type: &'static str) -> Result<Self, DecodeError> {
        if bytes.len() > wire::ENVELOPE_LEN_MAX {
            let (len, max) = (bytes.len(), wire::ENVELOPE_LEN_MAX);
            return Err(DecodeError::Oversize {
                what: "envelope",
                len,
                max,
            });
        }
        let mut payload: &[u8] = &[];
        let mut got_type: &[u8] = &[];
        let mut signature: &[u8] = &[];
        let mut signatures = 0;
        let mut key_id = false;
        shape::check(
            &shape::ENVELOPE,
            &bytes,
            &mut |met: Met<'_>| match (met.depth, met.field.number) {
                (0, 1) => payload = met.value,
                (0, 2) => got_type = met.value,
                (0, 3) => signatures += 1,
                (1, 1) => signature = met.value,
                _ => key_id = true,
            },
        )?;
        if signatures != 1 {
            return Err(DecodeError::Signatures(signatures));
        }
        if key_id {
            return Err(DecodeError::KeyId);
        }
        if got_type != payload_type.as_bytes() {
            let got = String::from_utf8_lossy(got_type).chars().take(100).collect();
            return Err(DecodeError::PayloadType {
                expected: payload_type,
                got,
            });
        }
        let signature = signature
            .try_into()
            .map_err(|_| DecodeError::SignatureLength(signature.len()))?;
        let payload = bytes.slice_ref(payload);
        Ok(Self {
            bytes,
            payload,
            payload_type,
            signature,
        })
    }

    /// The encoding of an envelope around `payload` with this signature.
    pub fn encode(payload: &[u8], payload_type: &str, signature: [u8; 64]) -> Bytes {
        v1::Envelope {
            payload: Bytes::copy_from_slice(payload),
            payload_type: payload_type.to_owned(),
            signatures: vec![v1::Signature {
                sig: signature.to_vec(),
                keyid: String::new(),
            }],
        }
        .encode_to_vec()
        .into()
    }
}

/// What a statement says about itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Header {
    /// The ledger it is for.
    pub log_id: LogId,
    /// The party that speaks, an identifier in normal form.
    pub issuer: String,
    /// The key that signs.
    pub feed: FeedId,
    /// Its place in the feed.
    pub sequence: FeedSequence,
    /// Statement hash of the one before; [`Hash::ZERO`] at sequence 1.
    pub previous: Hash,
    /// When it was signed, as the signer claims.
    pub issued_at: IssuedAt,
}

/// Domain tag of the statement hash.
const STATEMENT_TAG: &[u8] = b"lotproof/v1/statement\0";

/// Hash of a statement: what its successor names, and what tells a repetition from an equivocation.
pub fn statement_hash(statement: &[u8]) -> Hash {
    Hash::of(&[STATEMENT_TAG, statement])
}

/// An envelope whose statement header has been read; its signature is *not* verified.
#[derive(Clone, Debug)]
pub struct Envelope {
    pub(crate) dsse: DsseEnvelope,
    pub(crate) header: Header,
    pub(crate) events: Vec<Bytes>,
}

impl Envelope {
    /// Reads an envelope around a statement, within bounds and in the one accepted encoding.
    ///
    /// # Errors
    /// [`DecodeError`], the first fault met.
    pub fn decode(bytes: Bytes) -> Result<Self, DecodeError> {
        let dsse = DsseEnvelope::decode(bytes, wire::STATEMENT_TYPE)?;
        let (header, events) = decode_statement(&dsse.payload)?;
        Ok(Self { dsse, header, events })
    }

    /// What the statement claims about itself.
    pub const fn header(&self) -> &Header {
        &self.header
    }

    /// Its events, unread.
    pub fn events(&self) -> &[Bytes] {
        &self.events
    }

    /// The signed statement, as received.
    pub const fn payload(&self) -> &Bytes {
        &self.dsse.payload
    }

    /// The statement hash: what the next statement of the feed names.
    pub fn hash(&self) -> Hash {
        statement_hash(&self.dsse.payload)
    }

    /// The envelope as received.
    pub const fn bytes(&self) -> &Bytes {
        &self.dsse.bytes
    }
}

/// Reads a statement; events come out as slices of `payload`, unread.
fn decode_statement(payload: &Bytes) -> Result<(Header, Vec<Bytes>), DecodeError> {
    if payload.len() > wire::STATEMENT_LEN_MAX {
        let (len, max) = (payload.len(), wire::STATEMENT_LEN_MAX);
        return Err(DecodeError::Oversize {
            what: "statement",
            len,
            max,
        });
    }
    let mut events = Vec::new();
    let mut header_len = 0;
    shape::check(&shape::STATEMENT, payload, &mut |met: Met<'_>| {
        if met.field.number == 8 {
            events.push(payload.slice_ref(met.value));
        } else {
            header_len += met.encoded.len();
        }
    })?;
    // The header is what comes before the events, because fields ascend.
    let header = v1::Statement::decode(payload.slice(..header_len)).map_err(|_| unreachable_shape())?;
    if header.version != 1 {
        return Err(DecodeError::Version(header.version));
    }
    if header.sequence == 0 {
        return Err(DecodeError::SequenceZero);
    }
    let digest = |bytes: &[u8]| Hash::from_slice(bytes).ok_or_else(unreachable_shape);
    let previous = digest(&header.previous)?;
    match (header.sequence == 1, previous == Hash::ZERO) {
        (true, false) => return Err(DecodeError::Previous("not")),
        (false, true) => return Err(DecodeError::Previous("all")),
        _ => {}
    }
    let max = wire::STATEMENT_EVENTS_MAX;
    if events.is_empty() || events.len() > max {
        return Err(DecodeError::EventCount {
            max,
            got: events.len(),
        });
    }
    if let Some(at) = events.iter().position(Bytes::is_empty) {
        return Err(DecodeError::EmptyEvent(at));
    }
    let header = Header {
        log_id: LogId::new(digest(&header.log_id)?),
        issuer: header.issuer,
        feed: FeedId::from_slice(&header.feed).ok_or_else(unreachable_shape)?,
        sequence: FeedSequence::new(header.sequence),
        previous,
        issued_at: IssuedAt::from_nanos(header.issued_at),
    };
    Ok((header, events))
}

/// The shape was checked, so protobuf decoding and lengths cannot fail; if they do, the bytes are refused.
fn unreachable_shape() -> DecodeError {
    DecodeError::Shape(ShapeError::Encoding {
        message: "Statement",
        why: "does not decode",
        offset: 0,
    })
}

/// The encoding of a statement, which is what gets signed.
pub fn encode_statement(header: &Header, events: &[Bytes]) -> Vec<u8> {
    v1::Statement {
        version: 1,
        log_id: header.log_id.as_bytes().to_vec(),
        issuer: header.issuer.clone(),
        feed: header.feed.as_bytes().to_vec(),
        sequence: header.sequence.get(),
        previous: header.previous.as_bytes().to_vec(),
        issued_at: header.issued_at.as_nanos(),
        events: events.iter().map(|event| event.to_vec()).collect(),
    }
    .encode_to_vec()
}

#[cfg(test)]
mod tests;

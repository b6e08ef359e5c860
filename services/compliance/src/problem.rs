//! Why a question has no answer: one JSON shape and a closed set of codes, the same over HTTP and NATS.

use serde::Serialize;

/// `{"status": 400, "code": "context_missing", "detail": "...", "fields": ["buyer.agency"]}`
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Problem {
    /// Which.
    pub code: ProblemCode,
    /// In words, for people.
    #[serde(rename = "detail")]
    pub message: String,
    /// Parameters or context fields that it is about.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub fields: Vec<String>,
}

/// Codes of problems; they stay what they are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ProblemCode {
    /// A parameter that is unknown, or whose value cannot be.
    InvalidParameter,
    /// No identifier of a lot in any spelling.
    InvalidIdentifier,
    /// The verdict's context cannot be read.
    InvalidContext,
    /// The verdict's context leaves out what the pack needs; `fields` says what.
    ContextMissing,
    /// The log has no event about the lot.
    UnknownLot,
    /// No such rule pack here.
    UnknownPack,
    /// The rule pack does not load here; the message says what is wrong with it.
    PackNotLoaded,
    /// No such address.
    NotFound,
    /// Not this method at this address.
    MethodNotAllowed,
    /// A request body beyond its bounds.
    RequestTooLarge,
    /// A request body that did not arrive in time.
    RequestTooSlow,
    /// Too many requests with a body are in hand.
    Busy,
    /// The answer is longer than the bus carries; HTTP, or tighter bounds, will do.
    ReplyTooLarge,
    /// No signed head was reached since the start; ask again.
    NotReady,
    /// A fault of this service.
    Internal,
}

impl ProblemCode {
    /// Its name, as in JSON.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::InvalidParameter => "invalid_parameter",
            Self::InvalidIdentifier => "invalid_identifier",
            Self::InvalidContext => "invalid_context",
            Self::ContextMissing => "context_missing",
            Self::UnknownLot => "unknown_lot",
            Self::UnknownPack => "unknown_pack",
            Self::PackNotLoaded => "pack_not_loaded",
            Self::NotFound => "not_found",
            Self::MethodNotAllowed => "method_not_allowed",
            Self::RequestTooLarge => "request_too_large",
            Self::RequestTooSlow => "request_too_slow",
            Self::Busy => "busy",
            Self::ReplyTooLarge => "reply_too_large",
            Self::NotReady => "not_ready",
            Self::Internal => "internal",
        }
    }

    /// The HTTP status, which is the NATS service error code as well.
    pub const fn status(self) -> u16 {
        match self {
            Self::InvalidParameter
            | Self::InvalidIdentifier
            | Self::InvalidContext
            | Self::ContextMissing => 400,
            Self::UnknownLot | Self::UnknownPack | Self::NotFound => 404,
            Self::MethodNotAllowed => 405,
            Self::RequestTooSlow => 408,
            Self::RequestTooLarge | Self::ReplyTooLarge => 413,
            Self::Busy => 429,
            Self::Internal => 500,
            Self::NotReady | Self::PackNotLoaded => 503,
        }
    }
}

impl std::fmt::Display for Problem {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: {}", self.code.as_str(), self.message)
    }
}

impl std::error::Error for Problem {}

impl Problem {
    pub(crate) fn new(code: ProblemCode, message: impl Into<String>) -> Self {
        Self {
            code,
            message: message.into(),
            fields: Vec::new(),
        }
    }

    pub(crate) fn about(mut self, fields: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.fields = fields.into_iter().map(Into::into).collect();
        self
    }
}

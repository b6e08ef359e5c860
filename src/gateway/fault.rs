//! What a gateway answers when it does not do what it was asked: one shape, stable codes.

use serde::Serialize;

/// Most fields that are named in one answer.
pub(crate) const FIELDS_MAX: usize = 64;

macro_rules! codes {
    ($($(#[$doc:meta])* $variant:ident $name:literal $status:literal,)*) => {
        /// Why a request is not carried out: a closed set, with stable names.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
        pub enum FaultCode {$(
            $(#[$doc])*
            $variant,
        )*}

        impl FaultCode {
            /// All of them.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)*];

            /// The stable name.
            pub const fn name(self) -> &'static str {
                match self {$(Self::$variant => $name,)*}
            }

            /// The HTTP status that goes with it.
            pub const fn status(self) -> u16 {
                match self {$(Self::$variant => $status,)*}
            }
        }
    };
}

codes! {
    /// Not JSON, or an object that names a member twice.
    NotJson "not_json" 400,
    /// JSON, but no EPCIS document, event or list of events.
    NotEpcis "not_epcis" 400,
    /// A query parameter that is not one, or has no such value.
    BadQuery "bad_query" 400,
    /// No such resource.
    NotFound "not_found" 404,
    /// No event with this id is known here.
    UnknownEvent "unknown_event" 404,
    /// The resource has no such method.
    MethodNotAllowed "method_not_allowed" 405,
    /// A body that did not arrive whole in time.
    Slow "slow" 408,
    /// The event id is taken by an event with other content.
    Conflict "conflict" 409,
    /// An error declaration about an event whose place in the log is not proven yet.
    NotReceipted "not_receipted" 409,
    /// An event that is to be withdrawn, and may be in the log by now.
    OnItsWay "on_its_way" 409,
    /// An event that is to be withdrawn, and is proven, or refused for good.
    Settled "settled" 409,
    /// A body longer than is taken, or of too many values.
    TooLarge "too_large" 413,
    /// An event that no ledger admits; `fields` says where.
    InvalidEvent "invalid_event" 422,
    /// A kind of event that this service does not publish.
    KindNotTaken "kind_not_taken" 422,
    /// A document of which no event could be taken.
    NothingTaken "nothing_taken" 422,
    /// Too many requests are in hand.
    Busy "busy" 429,
    /// The gateway's own failure.
    Internal "internal" 500,
    /// The gateway waits for its bus, which its outbox cannot be opened without.
    Starting "starting" 503,
    /// Too much waits for receipts already.
    OutboxFull "outbox_full" 503,
    /// The gateway is stopping, or its outbox failed.
    Stopped "stopped" 503,
}

impl FaultCode {
    /// Whether the same request may well be carried out a little later.
    pub const fn is_retryable(self) -> bool {
        match self {
            Self::Slow
            | Self::NotReceipted
            | Self::OnItsWay
            | Self::Busy
            | Self::Starting
            | Self::OutboxFull
            | Self::Stopped => true,
            Self::NotJson
            | Self::NotEpcis
            | Self::BadQuery
            | Self::NotFound
            | Self::UnknownEvent
            | Self::MethodNotAllowed
            | Self::Conflict
            | Self::Settled
            | Self::TooLarge
            | Self::InvalidEvent
            | Self::KindNotTaken
            | Self::NothingTaken
            | Self::Internal => false,
        }
    }
}

impl Serialize for FaultCode {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name())
    }
}

/// One field at fault.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct FieldFault {
    /// JSON pointer into the request's body.
    pub path: String,
    /// What is wrong there.
    pub message: String,
}

/// Why a request is not carried out, as it is answered.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, thiserror::Error)]
#[error("{message}")]
pub struct Fault {
    /// Which kind of fault.
    pub code: FaultCode,
    /// For people.
    #[serde(rename = "detail")]
    pub message: String,
    /// Where, if it lies in the body.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub fields: Vec<FieldFault>,
}

impl Fault {
    /// A fault of the request as a whole.
    pub fn new(code: FaultCode, message: impl Into<String>) -> Self {
        Self {
            code,
            message: message.into(),
            fields: Vec::new(),
        }
    }

    /// A fault of one field.
    pub fn at(code: FaultCode, path: impl Into<String>, message: impl Into<String>) -> Self {
        let message = message.into();
        let field = FieldFault {
            path: path.into(),
            message: message.clone(),
        };
        Self {
            code,
            message,
            fields: vec![field],
        }
    }

    /// Faults of several fields.
    pub(super) fn of_fields(fields: Vec<FieldFault>) -> Self {
        let message = match fields.as_slice() {
            [only] => format!("{}: {}", only.path, only.message),
            many => format!("{} fields are at fault", many.len()),
        };
        Self {
            code: FaultCode::InvalidEvent,
            message,
            fields,
        }
    }
}

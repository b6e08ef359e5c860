//! Stable codes: what the ledger says about a statement, by number and name.
//!
//! ```text
//!   0        admitted
//! 101..=107  refused, class content: never acceptable
//! 201..=203  refused, class register: depends on what the ledger knows
//! 301..=309  answers: the message took no place in the log
//! 401..=402  no entry of its own
//! ```
//!
//! Numbers are never reused. Audit findings have a closed set of their own (`audit`). Spec:
//! `proto/README.md`, "Codes".

use std::fmt;

use serde::{Serialize, Serializer};

macro_rules! codes {
    ($(#[$doc:meta])* $type:ident { $($(#[$variant_doc:meta])* $variant:ident = $number:literal $name:literal,)* }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum $type { $($(#[$variant_doc])* $variant = $number,)* }

        impl $type {
            /// Every code, ascending by number.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)*];

            /// The number on the wire.
            pub const fn number(self) -> u16 {
                self as u16
            }

            /// The name in documents and output.
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)* }
            }

            /// The code with this number.
            pub fn from_number(number: u16) -> Option<Self> {
                match number { $($number => Some(Self::$variant),)* _ => None }
            }
        }

        impl fmt::Display for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.name())
            }
        }

        impl Serialize for $type {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(self.name())
            }
        }
    };
}

pub(crate) use codes;

codes! {
    /// Why a statement that has its place is refused, whole. Recorded in its entry.
    Refusal {
        /// An event is not the canonical encoding of `Event`, or breaks a form or bound.
        MalformedEvent = 101 "malformed_event",
        /// An event has a kind or field that this version of the rules does not know, or no kind.
        UnknownEvent = 102 "unknown_event",
        /// An identifier is not in normal form.
        IdentifierNotNormal = 103 "identifier_not_normal",
        /// A field is both sealed and present.
        SealedAndPresent = 104 "sealed_and_present",
        /// The issuer is not the party that the key speaks for, or speaks of itself in another's name.
        WrongParty = 105 "wrong_party",
        /// A part does not continue the open event of its feed.
        PartOutOfPlace = 106 "part_out_of_place",
        /// The statement is within the format's limits and beyond those that the ledger's parameters set: its
        /// events belong into smaller statements.
        OverLimit = 107 "over_limit",
        /// This key may not publish this kind of event, or the act that it approves is not there.
        Unauthorised = 201 "unauthorised",
        /// A facility is not registered.
        UnknownFacility = 202 "unknown_facility",
        /// A claimed time lies further ahead of recorded time than the ledger allows.
        TimeAhead = 203 "time_ahead",
    }
}

impl Refusal {
    /// What is wrong, and what helps, for people.
    pub const fn advice(self) -> &'static str {
        match self {
            Self::MalformedEvent => "an event breaks a form or bound of the wire format",
            Self::UnknownEvent => "an event has a kind or field that this ledger does not know",
            Self::IdentifierNotNormal => "an identifier is not in normal form",
            Self::SealedAndPresent => "a field is both sealed and present",
            Self::WrongParty => {
                "the key does not speak for this party, or the event says something of another party that only that \
                 one may say; use the key that is enrolled for it"
            }
            Self::PartOutOfPlace => "a part of a long event does not follow the one before it",
            Self::OverLimit => {
                "the statement is longer than this ledger's limits: publish fewer events at once"
            }
            Self::Unauthorised => {
                "the register does not let this key publish this kind of event, or the act that it approves is not \
                 there; the authority can allow it"
            }
            Self::UnknownFacility => "a facility is not registered; the authority can register it",
            Self::TimeAhead => {
                "an event's time lies too far in the future; it is taken once that time has come"
            }
        }
    }
}

codes! {
    /// Why a message took no place in the log. Answered, signed.
    AnswerCode {
        /// Longer than the format allows.
        Oversize = 301 "oversize",
        /// Not a canonical envelope around a canonical statement header.
        Malformed = 302 "malformed",
        /// The signature does not verify strictly under the key in the statement, or that key is weak.
        BadSignature = 303 "bad_signature",
        /// The statement names another ledger.
        OtherLedger = 304 "other_ledger",
        /// The key is not enrolled.
        UnknownKey = 305 "unknown_key",
        /// The key's feed is closed, or was to end before this sequence.
        FeedClosed = 306 "feed_closed",
        /// Statements between the feed's last and this one have not arrived.
        Gap = 307 "gap",
        /// The statement does not name the hash of the feed's last statement.
        ChainBroken = 308 "chain_broken",
        /// Handling this message stopped the ledger twice.
        Poison = 309 "poison",
    }
}

codes! {
    /// What else a statement can be that gets no entry of its own.
    NoEntryCode {
        /// It is in the log already; its receipt is sent again.
        Duplicate = 401 "duplicate",
        /// Another statement stands at its sequence; the first is recorded as evidence.
        Equivocation = 402 "equivocation",
    }
}

impl Refusal {
    /// Whether the same events may be admitted later, once the register or the clock has moved on.
    pub const fn is_retryable(self) -> bool {
        match self {
            Self::Unauthorised | Self::UnknownFacility | Self::TimeAhead => true,
            Self::MalformedEvent
            | Self::UnknownEvent
            | Self::IdentifierNotNormal
            | Self::SealedAndPresent
            | Self::WrongParty
            | Self::PartOutOfPlace
            | Self::OverLimit => false,
        }
    }
}

/// What the ledger decided about an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Outcome {
    /// It counts.
    Admitted,
    /// It stands in the log and does not count.
    Refused(Refusal),
}

impl Outcome {
    /// The number in the entry's header.
    pub const fn number(self) -> u16 {
        match self {
            Self::Admitted => 0,
            Self::Refused(refusal) => refusal.number(),
        }
    }

    /// The outcome with this number.
    pub fn from_number(number: u16) -> Option<Self> {
        match number {
            0 => Some(Self::Admitted),
            _ => Refusal::from_number(number).map(Self::Refused),
        }
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Admitted => f.write_str("admitted"),
            Self::Refused(refusal) => write!(f, "refused({refusal})"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_names_are_distinct_and_come_back() {
        let mut numbers = std::collections::BTreeSet::from([0]);
        let mut names = std::collections::BTreeSet::new();
        for code in Refusal::ALL {
            assert_eq!(Outcome::from_number(code.number()), Some(Outcome::Refused(*code)));
            assert!(numbers.insert(code.number()) && names.insert(code.name()));
        }
        for code in AnswerCode::ALL {
            assert_eq!(AnswerCode::from_number(code.number()), Some(*code));
            assert!(numbers.insert(code.number()) && names.insert(code.name()));
        }
        for code in NoEntryCode::ALL {
            assert_eq!(NoEntryCode::from_number(code.number()), Some(*code));
            assert!(numbers.insert(code.number()) && names.insert(code.name()));
        }
        assert_eq!(Outcome::from_number(999), None);
    }
}

//! Three kinds of time, kept apart: when something is claimed to have happened, when its signer says
//! he signed, and when the ledger recorded it.
//!
//! All are signed 64-bit nanoseconds since 1970-01-01T00:00:00Z, without leap seconds; the wire accepts
//! only positive ones. Nothing in this library reads a clock: times come in as arguments.

use std::fmt;

use serde::{Serialize, Serializer};
use time::{OffsetDateTime, UtcOffset, format_description::well_known::Rfc3339};

macro_rules! nanoseconds {
    ($($(#[$doc:meta])* $type:ident;)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $type(i64);

        impl $type {
            /// From nanoseconds since the epoch, UTC.
            pub const fn from_nanos(nanos: i64) -> Self {
                Self(nanos)
            }

            /// Nanoseconds since the epoch, UTC.
            pub const fn as_nanos(self) -> i64 {
                self.0
            }
        }

        impl fmt::Display for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&rfc3339(self.0))
            }
        }

        /// As RFC 3339 text: many readers of JSON lose the last digits of integers this large.
        impl Serialize for $type {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }
    )*};
}

nanoseconds! {
    /// When something happened, as the event claims (EPCIS `eventTime`).
    EventTime;
    /// When a statement was signed, as its signer claims.
    IssuedAt;
    /// When the ledger took an entry; never decreases along the log.
    RecordedAt;
}

impl RecordedAt {
    /// Whether a claimed time lies further in the future of this recorded time than `skew_ms` allows.
    pub const fn is_before_by_more_than(self, claimed_nanos: i64, skew_ms: u64) -> bool {
        let allowed = self.0.saturating_add_unsigned(skew_ms.saturating_mul(1_000_000));
        claimed_nanos > allowed
    }
}

/// RFC 3339 text of an instant in UTC, with as many digits of the second as it needs.
pub fn rfc3339(nanos: i64) -> String {
    OffsetDateTime::from_unix_timestamp_nanos(nanos.into())
        .ok()
        .and_then(|instant| instant.format(&Rfc3339).ok())
        .unwrap_or_else(|| format!("{nanos} ns"))
}

/// Nanoseconds since the epoch and the offset in minutes of an RFC 3339 instant.
///
/// Returns nothing if the text is not RFC 3339 or lies outside what 64 bits of nanoseconds hold.
pub fn parse_rfc3339(text: &str) -> Option<(i64, i32)> {
    let instant = OffsetDateTime::parse(text, &Rfc3339).ok()?;
    let nanos = i64::try_from(instant.unix_timestamp_nanos()).ok()?;
    Some((nanos, i32::from(instant.offset().whole_minutes())))
}

/// The calendar date in UTC of an instant, as `YYYY-MM-DD`: what legal clocks compare.
pub fn utc_date(nanos: i64) -> Option<time::Date> {
    let instant = OffsetDateTime::from_unix_timestamp_nanos(nanos.into()).ok()?;
    Some(instant.to_offset(UtcOffset::UTC).date())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rfc3339_keeps_offset_and_instant_apart() {
        let (nanos, offset) = parse_rfc3339("2026-02-02T08:00:00.000+09:00").unwrap();
        assert_eq!(offset, 540);
        assert_eq!(rfc3339(nanos), "2026-02-01T23:00:00Z");
    }

    #[test]
    fn skew_is_inclusive() {
        let recorded = RecordedAt::from_nanos(1_000);
        assert!(!recorded.is_before_by_more_than(1_000 + 2_000_000, 2));
        assert!(recorded.is_before_by_more_than(1_001 + 2_000_000, 2));
    }
}

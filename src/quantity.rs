//! Quantities: exact decimals with a unit, never floats.
//!
//! Normal form of a decimal: digits without leading zeros, then, if there is a fraction, a point and digits
//! without trailing zeros; no sign, no exponent; at most 28 digits. A unit is a UN/CEFACT Recommendation 20
//! code; pieces have none. Spec: `proto/README.md`, "Forms".

pub mod units;

use std::{fmt, str::FromStr};

use rust_decimal::Decimal;
use serde::{Serialize, Serializer, ser::SerializeStruct as _};

use crate::wire::v1;

/// Most digits of a decimal, before and after the point together.
pub const DIGITS_MAX: usize = 28;

/// Whether `text` is the normal form of a decimal that is not negative.
pub fn is_normal_decimal(text: &str) -> bool {
    let (whole, fraction) = match text.split_once('.') {
        Some((whole, fraction)) => (whole, Some(fraction)),
        None => (text, None),
    };
    let digits = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    digits(whole)
        && (whole == "0" || !whole.starts_with('0'))
        && fraction.is_none_or(|fraction| digits(fraction) && !fraction.ends_with('0'))
        && whole.len() + fraction.map_or(0, str::len) <= DIGITS_MAX
}

/// A decimal from its normal form, or nothing.
pub fn parse_decimal(text: &str) -> Option<Decimal> {
    is_normal_decimal(text)
        .then(|| Decimal::from_str(text).ok())
        .flatten()
}

/// The normal form of a decimal that is not negative.
pub fn normal_decimal(value: Decimal) -> String {
    value.normalize().to_string()
}

/// The base unit of a unit's dimension and the exact factor to it; a unit that is not in the table ([`units`])
/// is its own.
pub(crate) fn base_unit(unit: &str) -> (&str, Decimal) {
    match units::unit(unit) {
        Some(known) => (known.dimension.base(), known.factor),
        None => (unit, Decimal::ONE),
    }
}

/// An amount of something in one unit.
#[derive(Clone, PartialEq, Eq)]
pub struct Quantity {
    value: Decimal,
    unit: String,
}

impl Quantity {
    /// `value` of `unit`, a Rec 20 code, or empty for pieces.
    pub fn new(value: Decimal, unit: impl Into<String>) -> Self {
        Self {
            value: value.normalize(),
            unit: unit.into(),
        }
    }

    /// From checked bytes; nothing if the decimal is not in normal form.
    pub fn from_wire(quantity: &v1::Quantity) -> Option<Self> {
        parse_decimal(&quantity.value).map(|value| Self::new(value, quantity.unit.clone()))
    }

    /// As it goes onto the wire.
    pub fn to_wire(&self) -> v1::Quantity {
        v1::Quantity {
            value: normal_decimal(self.value),
            unit: self.unit.clone(),
        }
    }

    /// The number.
    pub const fn value(&self) -> Decimal {
        self.value
    }

    /// The Rec 20 code, empty for pieces.
    pub fn unit(&self) -> &str {
        &self.unit
    }
}

/// As `{"value": "797.5", "unit": "KGM"}`; a decimal is text, so that no reader makes a float of it.
impl Serialize for Quantity {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut object = serializer.serialize_struct("Quantity", 2)?;
        object.serialize_field("value", &normal_decimal(self.value))?;
        object.serialize_field("unit", &self.unit)?;
        object.end()
    }
}

impl fmt::Display for Quantity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let unit = if self.unit.is_empty() {
            "pieces"
        } else {
            &self.unit
        };
        write!(f, "{} {unit}", self.value)
    }
}

impl fmt::Debug for Quantity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Quantity({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_decimal_has_one_spelling() {
        for good in [
            "0",
            "1",
            "797.5",
            "0.001",
            "1234567890123456789012345678",
            "0.123456789012345678901234567",
        ] {
            assert!(is_normal_decimal(good), "{good}");
            assert_eq!(normal_decimal(parse_decimal(good).unwrap()), good);
        }
        for bad in [
            "",
            ".5",
            "5.",
            "05",
            "5.0",
            "-1",
            "+1",
            "1e3",
            "1,5",
            "00",
            "12345678901234567890123456789",
        ] {
            assert!(!is_normal_decimal(bad), "{bad}");
        }
    }
}

//! Exact sums of quantities: integers in units of 10^-40 of a base unit, so that no sum is ever rounded.
//!
//! A decimal has at most 28 digits behind the point and the finest factor to a base unit adds eight
//! (`quantity`), so every quantity that the wire can carry is a whole number here.

use std::{collections::BTreeMap, fmt, sync::LazyLock};

use num_bigint::BigInt;
use num_rational::BigRational;
use num_traits::{Signed as _, Zero as _};
use rust_decimal::Decimal;
use serde::{Serialize, Serializer, ser::SerializeStruct as _};

use crate::quantity::base_unit;

/// Digits behind the point.
const SCALE: u32 = 40;

/// An exact number: a quantity of some base unit.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Exact(BigInt);

impl Exact {
    /// Nothing.
    pub fn zero() -> Self {
        Self(BigInt::zero())
    }

    /// A whole number.
    pub fn whole(number: u64) -> Self {
        Self(BigInt::from(number) * power_of_ten(SCALE))
    }

    /// `value` times `factor`, exactly.
    fn product(value: Decimal, factor: Decimal) -> Self {
        let digits = SCALE.saturating_sub(value.scale() + factor.scale());
        Self(BigInt::from(value.mantissa()) * BigInt::from(factor.mantissa()) * power_of_ten(digits))
    }

    /// This number `times` over.
    #[must_use]
    pub fn times(&self, times: u64) -> Self {
        Self(&self.0 * BigInt::from(times))
    }

    /// This number times another. Exact as long as the other has few digits behind the point, as counts of
    /// pieces have; digits beyond the fortieth are cut off.
    #[must_use]
    pub fn multiplied(&self, other: &Self) -> Self {
        Self(&self.0 * &other.0 / power_of_ten(SCALE))
    }

    /// Whether it is below zero.
    pub fn is_negative(&self) -> bool {
        self.0.is_negative()
    }

    /// Whether it is nothing.
    pub fn is_zero(&self) -> bool {
        self.0.is_zero()
    }

    /// As a fraction.
    pub fn to_rational(&self) -> BigRational {
        // Few quantities have many digits behind the point: without the zeros at the end both numbers are short.
        let (mut number, mut digits) = (self.0.clone(), SCALE);
        for zeros in [32, 16, 8, 4, 2, 1] {
            let power = power_of_ten(zeros);
            if digits >= zeros && (&number % power).is_zero() {
                (number, digits) = (number / power, digits - zeros);
            }
        }
        BigRational::new(number, power_of_ten(digits).clone())
    }
}

/// 10^`digits`, of at most [`SCALE`].
fn power_of_ten(digits: u32) -> &'static BigInt {
    static POWERS: LazyLock<Vec<BigInt>> = LazyLock::new(|| {
        let powers = std::iter::successors(Some(BigInt::from(1)), |power| Some(power * 10));
        powers.take(SCALE as usize + 1).collect()
    });
    &POWERS[digits as usize]
}

impl std::ops::AddAssign<&Exact> for Exact {
    fn add_assign(&mut self, other: &Self) {
        self.0 += &other.0;
    }
}

impl std::ops::SubAssign<&Exact> for Exact {
    fn sub_assign(&mut self, other: &Self) {
        self.0 -= &other.0;
    }
}

impl fmt::Display for Exact {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let width = SCALE as usize + 1;
        let digits = format!("{:0>width$}", self.0.abs().to_string());
        let (whole, fraction) = digits.split_at(digits.len() - SCALE as usize);
        let fraction = fraction.trim_end_matches('0');
        let sign = if self.0.is_negative() { "-" } else { "" };
        if fraction.is_empty() {
            write!(f, "{sign}{whole}")
        } else {
            write!(f, "{sign}{whole}.{fraction}")
        }
    }
}

impl fmt::Debug for Exact {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Exact({self})")
    }
}

/// An exact amount of a base unit: `KGM`, `LTR`, `KWH`, or pieces (empty).
///
/// Serialises as `{"value": "797.5", "unit": "KGM"}`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Amount {
    /// The number.
    pub value: Exact,
    /// Rec 20 code of the base unit, empty for pieces.
    pub unit: String,
}

impl Amount {
    /// A quantity in the base unit of its dimension.
    pub fn of(value: Decimal, unit: &str) -> Self {
        let (unit, factor) = base_unit(unit);
        Self {
            value: Exact::product(value, factor),
            unit: unit.to_owned(),
        }
    }

    /// So many pieces.
    pub fn pieces(count: u64) -> Self {
        Self {
            value: Exact::whole(count),
            unit: String::new(),
        }
    }
}

impl fmt::Display for Amount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let unit = if self.unit.is_empty() {
            "pieces"
        } else {
            &self.unit
        };
        write!(f, "{} {unit}", self.value)
    }
}

impl Serialize for Amount {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut object = serializer.serialize_struct("Amount", 2)?;
        object.serialize_field("value", &self.value.to_string())?;
        object.serialize_field("unit", &self.unit)?;
        object.end()
    }
}

/// Sums by base unit, and whether something of unstated quantity belongs to them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Tally {
    pub(super) sums: BTreeMap<String, Exact>,
    pub(super) unknown: bool,
}

impl Tally {
    /// Adds an amount, or the fact that there is one of unknown size.
    pub(super) fn add(&mut self, amount: Option<&Amount>) {
        match amount {
            Some(amount) => {
                *self.sums.entry(amount.unit.clone()).or_insert_with(Exact::zero) += &amount.value;
            }
            None => self.unknown = true,
        }
    }

    /// The sums as amounts.
    pub(super) fn amounts(&self) -> Vec<Amount> {
        self.sums
            .iter()
            .map(|(unit, value)| Amount {
                value: value.clone(),
                unit: unit.clone(),
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fraction_is_the_same_number_whatever_its_zeros() {
        let whole = BigInt::from(10).pow(SCALE);
        for mantissa in [0_u64, 1, 5, 10, 120, 1_000_000, 10_u64.pow(19)] {
            for digits in 0..=SCALE {
                for sign in [-1_i64, 1] {
                    let number = BigInt::from(mantissa) * BigInt::from(10).pow(digits) * BigInt::from(sign);
                    let expected = BigRational::new(number.clone(), whole.clone());
                    assert_eq!(Exact(number).to_rational(), expected);
                }
            }
        }
    }

    #[test]
    fn sums_are_exact_across_units_and_scales() {
        let mut tally = Tally::default();
        let huge = crate::quantity::parse_decimal("1234567890123456789012345678").unwrap();
        let tiny = crate::quantity::parse_decimal("0.000000000000000000000000001").unwrap();
        for (value, unit) in [(huge, "KGM"), (tiny, "LBR"), (Decimal::ONE, "MGM")] {
            tally.add(Some(&Amount::of(value, unit)));
        }
        assert_eq!(
            tally.amounts()[0].to_string(),
            "1234567890123456789012345678.00000100000000000000000000045359237 KGM"
        );
    }

    #[test]
    fn prints_whole_numbers_and_negative_ones() {
        assert_eq!(Amount::pieces(12).to_string(), "12 pieces");
        let mut below = Exact::zero();
        below -= &Amount::of(Decimal::new(5, 1), "KGM").value;
        assert_eq!(below.to_string(), "-0.5");
        assert!(below.is_negative());
    }
}

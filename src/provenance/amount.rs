//! Exact sums of quantities: integers in units of 10^-56 of a base unit, so that no sum is ever rounded.
//!
//! A decimal has at most 28 digits behind the point, and so has the factor to a base unit (`quantity::units`), so every quantity that the wire can carry is a whole number here. Those that need no more than
//! twelve digits behind the point, which is the bulk, are kept in a machine word.

use std::{borrow::Cow, cmp::Ordering, collections::BTreeMap, fmt, sync::LazyLock};

use num_bigint::BigInt;
use num_rational::{BigRational, Ratio};
use num_traits::{Signed as _, ToPrimitive as _, Zero as _};
use rust_decimal::Decimal;
use serde::{Serialize, Serializer, ser::SerializeStruct as _};

use crate::quantity::{
    base_unit,
    units::{self, JOULE},
};

/// Digits behind the point.
const SCALE: u32 = 56;

/// Digits behind the point of a short number.
const SHORT_SCALE: u32 = 12;

/// One, as a short number.
const SHORT_ONE: i128 = 10_i128.pow(SHORT_SCALE);

/// An exact number: a quantity of some base unit.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Exact(Number);

/// A number that fits the short form always has it, so that equal numbers look the same.
#[derive(Clone, PartialEq, Eq, Hash)]
enum Number {
    /// In units of 10^-12: the bulk of all quantities, without a heap.
    Short(i128),
    /// In units of 10^-56.
    Long(BigInt),
}

use Number::{Long, Short};

impl Exact {
    /// Nothing.
    pub const fn zero() -> Self {
        Self(Short(0))
    }

    /// A whole number.
    pub fn whole(number: u64) -> Self {
        Self(Short(i128::from(number) * SHORT_ONE))
    }

    /// A number in units of 10^-56.
    fn from_long(number: BigInt) -> Self {
        let scale = power_of_ten(SCALE - SHORT_SCALE);
        if (&number % scale).is_zero()
            && let Ok(short) = i128::try_from(&number / scale)
        {
            return Self(Short(short));
        }
        Self(Long(number))
    }

    /// In units of 10^-56.
    fn to_long(&self) -> Cow<'_, BigInt> {
        match &self.0 {
            Short(short) => Cow::Owned(BigInt::from(*short) * power_of_ten(SCALE - SHORT_SCALE)),
            Long(long) => Cow::Borrowed(long),
        }
    }

    /// Does to two numbers what either form of the operation does: the short one, unless it overflows.
    fn combine(
        &self,
        other: &Self,
        short: impl FnOnce(i128, i128) -> Option<i128>,
        long: impl FnOnce(&BigInt, &BigInt) -> BigInt,
    ) -> Self {
        if let (Short(a), Short(b)) = (&self.0, &other.0)
            && let Some(result) = short(*a, *b)
        {
            return Self(Short(result));
        }
        Self::from_long(long(&self.to_long(), &other.to_long()))
    }

    /// `value` times `factor`, exactly.
    fn product(value: Decimal, factor: Decimal) -> Self {
        let scale = value.scale() + factor.scale();
        let short = || {
            let power = 10_i128.pow(SHORT_SCALE.checked_sub(scale)?);
            value
                .mantissa()
                .checked_mul(factor.mantissa())?
                .checked_mul(power)
        };
        if let Some(short) = short() {
            return Self(Short(short));
        }
        let power = power_of_ten(SCALE.saturating_sub(scale));
        Self::from_long(BigInt::from(value.mantissa()) * BigInt::from(factor.mantissa()) * power)
    }

    /// This number `times` over.
    #[must_use]
    pub fn times(&self, times: u64) -> Self {
        self.multiplied(&Self::whole(times))
    }

    /// This number times another. Exact as long as the other has few digits behind the point, as counts of
    /// pieces have; digits beyond the 56th are cut off.
    #[must_use]
    pub fn multiplied(&self, other: &Self) -> Self {
        let short = |a: i128, b: i128| {
            let product = a.checked_mul(b)?;
            (product % SHORT_ONE == 0).then_some(product / SHORT_ONE)
        };
        self.combine(other, short, |a, b| a * b / power_of_ten(SCALE))
    }

    /// This number divided by a whole one, if that is exact.
    fn divided(&self, by: Decimal) -> Option<Self> {
        let by = BigInt::from(by.to_i128()?);
        let long = self.to_long();
        (&*long % &by).is_zero().then(|| Self::from_long(&*long / &by))
    }

    /// Whether it is below zero.
    pub fn is_negative(&self) -> bool {
        match &self.0 {
            Short(short) => *short < 0,
            Long(long) => long.is_negative(),
        }
    }

    /// Whether it is nothing.
    pub fn is_zero(&self) -> bool {
        self.0 == Short(0)
    }

    /// How much more it is than another; nothing if it is not.
    #[must_use]
    pub fn beyond(&self, other: &Self) -> Self {
        let mut more = self.clone();
        more -= other;
        if more.is_negative() { Self::zero() } else { more }
    }

    /// As a fraction.
    pub fn to_rational(&self) -> BigRational {
        match &self.0 {
            Short(short) => {
                let reduced = Ratio::new(*short, SHORT_ONE);
                BigRational::new_raw((*reduced.numer()).into(), (*reduced.denom()).into())
            }
            Long(long) => BigRational::new(long.clone(), power_of_ten(SCALE).clone()),
        }
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

impl Default for Exact {
    fn default() -> Self {
        Self::zero()
    }
}

impl std::ops::AddAssign<&Exact> for Exact {
    fn add_assign(&mut self, other: &Self) {
        *self = self.combine(other, i128::checked_add, |a, b| a + b);
    }
}

impl std::ops::SubAssign<&Exact> for Exact {
    fn sub_assign(&mut self, other: &Self) {
        *self = self.combine(other, i128::checked_sub, |a, b| a - b);
    }
}

impl Ord for Exact {
    fn cmp(&self, other: &Self) -> Ordering {
        match (&self.0, &other.0) {
            (Short(a), Short(b)) => a.cmp(b),
            _ => self.to_long().cmp(&other.to_long()),
        }
    }
}

impl PartialOrd for Exact {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl fmt::Display for Exact {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = if self.is_negative() { "-" } else { "" };
        let (digits, scale) = match &self.0 {
            // Most are whole: pieces.
            Short(short) if short % SHORT_ONE == 0 => return write!(f, "{}", short / SHORT_ONE),
            Short(short) => (short.unsigned_abs().to_string(), SHORT_SCALE as usize),
            Long(long) => (long.magnitude().to_string(), SCALE as usize),
        };
        let digits = format!("{digits:0>width$}", width = scale + 1);
        let (whole, fraction) = digits.split_at(digits.len() - scale);
        let fraction = fraction.trim_end_matches('0');
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

/// What an amount is counted in. Pieces first, then by name.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Unit {
    /// Things.
    Pieces,
    /// A Rec 20 code of a base unit, never empty: `KGM`, `LTR`, `JOU` ...
    Measure(String),
}

impl Unit {
    /// From its code, which is empty for pieces.
    pub fn of(code: &str) -> Self {
        if code.is_empty() {
            Self::Pieces
        } else {
            Self::Measure(code.to_owned())
        }
    }

    /// Its code, empty for pieces.
    pub fn code(&self) -> &str {
        match self {
            Self::Pieces => "",
            Self::Measure(code) => code,
        }
    }

    /// Whether this is the unit with that code.
    pub fn is(&self, code: &str) -> bool {
        self.code() == code
    }
}

/// An exact amount of a base unit: `KGM`, `LTR`, `MTR`, `MTK`, `JOU`, or pieces (empty).
///
/// Serialises as `{"value": "797.5", "unit": "KGM"}`. Energy is told in kilowatt hours where these are a finite
/// decimal.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Amount {
    /// The number.
    pub value: Exact,
    /// Base unit.
    pub unit: Unit,
}

impl Amount {
    /// A quantity in the base unit of its dimension.
    pub fn of(value: Decimal, unit: &str) -> Self {
        let (unit, factor) = base_unit(unit);
        Self {
            value: Exact::product(value, factor),
            unit: Unit::of(unit),
        }
    }

    /// The number and unit in which it is told.
    fn told(&self) -> (Exact, &str) {
        let unit = self.unit.code();
        let kilowatt_hour = (unit == JOULE).then(|| units::unit("KWH")).flatten();
        kilowatt_hour
            .and_then(|unit| Some((self.value.divided(unit.factor)?, unit.code)))
            .unwrap_or_else(|| (self.value.clone(), unit))
    }

    /// So many pieces.
    pub fn pieces(count: u64) -> Self {
        Self {
            value: Exact::whole(count),
            unit: Unit::Pieces,
        }
    }
}

/// For people: `797.5 kg`, `1 piece`; a unit that has no common sign by its code.
impl fmt::Display for Amount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (value, unit) = self.told();
        let unit = match unit {
            "" if value == Exact::whole(1) => "piece",
            "" => "pieces",
            "KGM" => "kg",
            "LTR" => "l",
            "MTK" => "m2",
            "MTR" => "m",
            "KWH" => "kWh",
            JOULE => "J",
            code => code,
        };
        write!(f, "{value} {unit}")
    }
}

impl Serialize for Amount {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut object = serializer.serialize_struct("Amount", 2)?;
        let (value, unit) = self.told();
        object.serialize_field("value", &value.to_string())?;
        object.serialize_field("unit", unit)?;
        object.end()
    }
}

/// Sums by base unit, and whether something of unstated quantity belongs to them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Tally {
    pub(super) sums: BTreeMap<Unit, Exact>,
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
                    assert_eq!(Exact::from_long(number).to_rational(), expected);
                }
            }
        }
    }

    #[test]
    fn sums_are_exact_across_units_and_scales() {
        let mut tally = Tally::default();
        let huge = crate::quantity::parse_decimal("1234567890123456789012345678").unwrap();
        let tiny = crate::quantity::parse_decimal("0.000000000000000000000000001").unwrap();
        for (value, unit) in [(huge, "KGM"), (tiny, "LBR"), (tiny, "DRI"), (Decimal::ONE, "MGM")] {
            tally.add(Some(&Amount::of(value, unit)));
        }
        assert_eq!(
            tally.amounts()[0].to_string(),
            "1234567890123456789012345678.0000010000000000000000000004553642151953125 kg"
        );
    }

    #[test]
    fn every_value_in_every_unit_is_exact() {
        let values = [
            "0.1234567890123456789012345679",
            "9999999999999999999999999999",
            "1",
            "0.5",
        ];
        let codes = [
            "STN", "LBR", "DRI", "A53", "KWH", "JOU", "OZA", "INH", "MIK", "DZN", "TRL", "AMH",
        ];
        for value in values.map(|value| Decimal::from_str_exact(value).unwrap()) {
            for code in codes {
                let (_, factor) = base_unit(code);
                let exact = |value: Decimal| {
                    BigRational::new(value.mantissa().into(), BigInt::from(10).pow(value.scale()))
                };
                let amount = Amount::of(value, code);
                assert_eq!(
                    amount.value.to_rational(),
                    exact(value) * exact(factor),
                    "{value} {code}"
                );
            }
        }
    }

    #[test]
    fn units_of_one_dimension_meet_and_energy_is_told_in_kilowatt_hours() {
        let amount = |value: &str, unit: &str| Amount::of(Decimal::from_str_exact(value).unwrap(), unit);
        assert!(amount("1", "STN") < amount("5000", "KGM"));
        assert_eq!(amount("2000", "LBR"), amount("1", "STN"));
        assert_eq!(amount("2", "DZN"), Amount::pieces(24));
        assert_eq!(amount("1", "KWH"), amount("3600000", "JOU"));
        assert_eq!(amount("0.075", "MWH").to_string(), "75 kWh");
        assert_eq!(amount("1", "BTU").to_string(), "1055.05585262 J");
        assert_eq!(amount("1", "STN").to_string(), "907.18474 kg");
        assert_eq!(amount("5", "AMH").to_string(), "5 AMH");
        let json = serde_json::to_string(&amount("90", "3B")).unwrap();
        assert_eq!(json, r#"{"value":"25","unit":"KWH"}"#);
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

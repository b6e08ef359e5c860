//! Units of mass, volume, length, area, energy and count: UN/CEFACT Recommendation 20 codes and what each is in the
//! base unit of its dimension, exactly.
//!
//! Factors are those of the definitions, not the rounded ones that tables print: the international pound and yard
//! (1959), the gallons by law (US 231 cubic inches, UK 4.54609 litres), the calorie and British thermal unit of the
//! International Table, SI prefixes. What has no exact finite decimal is left out and stays a unit of its own, which
//! nothing is compared with: units of the US survey foot, the acre (which Rec 20 rounds between two definitions), the
//! slug, mean and thermochemical units but the calorie, the circular mil, the parsec, the dalton.

use std::{collections::BTreeMap, str::FromStr as _, sync::LazyLock};

use rust_decimal::Decimal;

/// What a unit measures. Only units of one dimension are compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Dimension {
    /// Base unit kilogram.
    Mass,
    /// Base unit litre.
    Volume,
    /// Base unit metre.
    Length,
    /// Base unit square metre.
    Area,
    /// Base unit joule: a joule is no finite decimal of a kilowatt hour.
    Energy,
    /// Pieces, which have no code.
    Count,
}

impl Dimension {
    /// Code of the base unit, empty for pieces.
    pub const fn base(self) -> &'static str {
        match self {
            Self::Mass => "KGM",
            Self::Volume => "LTR",
            Self::Length => "MTR",
            Self::Area => "MTK",
            Self::Energy => JOULE,
            Self::Count => "",
        }
    }
}

/// Code of the base unit of energy.
pub const JOULE: &str = "JOU";

/// Code, name, and how many base units it is.
type Row = (&'static str, &'static str, &'static str);

const MASS: &[Row] = &[
    ("KGM", "kilogram", "1"),
    ("KTN", "kilotonne", "1000000"),
    ("TNE", "tonne", "1000"),
    ("2U", "megagram", "1000"),
    ("DTN", "decitonne", "100"),
    ("HGM", "hectogram", "0.1"),
    ("DJ", "decagram", "0.01"),
    ("GRM", "gram", "0.001"),
    ("DG", "decigram", "0.0001"),
    ("CGM", "centigram", "0.00001"),
    ("MGM", "milligram", "0.000001"),
    ("MC", "microgram", "0.000000001"),
    ("CTM", "metric carat", "0.0002"),
    ("M86", "pfund", "0.5"),
    ("LBR", "pound", "0.45359237"),
    ("ONZ", "ounce", "0.028349523125"),
    ("DRI", "dram (UK)", "0.0017718451953125"),
    ("GRN", "grain", "0.00006479891"),
    ("STI", "stone (UK)", "6.35029318"),
    ("QTR", "quarter (UK)", "12.70058636"),
    ("CNT", "cental (UK)", "45.359237"),
    ("CWA", "hundredweight (US)", "45.359237"),
    ("CWI", "hundredweight (UK)", "50.80234544"),
    ("STN", "short ton (US)", "907.18474"),
    ("LTN", "long ton (UK)", "1016.0469088"),
    ("APZ", "troy ounce", "0.0311034768"),
    ("LBT", "troy pound", "0.3732417216"),
    ("DWT", "pennyweight", "0.00155517384"),
    ("DRA", "dram (US, apothecaries')", "0.0038879346"),
    ("SCR", "scruple", "0.0012959782"),
];

const VOLUME: &[Row] = &[
    ("LTR", "litre", "1"),
    ("MAL", "megalitre", "1000000"),
    ("K6", "kilolitre", "1000"),
    ("HLT", "hectolitre", "100"),
    ("A44", "decalitre", "10"),
    ("DLT", "decilitre", "0.1"),
    ("CLT", "centilitre", "0.01"),
    ("MLT", "millilitre", "0.001"),
    ("4G", "microlitre", "0.000001"),
    ("Q34", "nanolitre", "0.000000001"),
    ("Q33", "picolitre", "0.000000000001"),
    ("Q32", "femtolitre", "0.000000000000001"),
    ("MTQ", "cubic metre", "1000"),
    ("G26", "stere", "1000"),
    ("R9", "thousand cubic metres", "1000000"),
    ("HMQ", "million cubic metres", "1000000000"),
    ("DMA", "cubic decametre", "1000000"),
    ("H19", "cubic hectometre", "1000000000"),
    ("H20", "cubic kilometre", "1000000000000"),
    ("DMQ", "cubic decimetre", "1"),
    ("CMQ", "cubic centimetre", "0.001"),
    ("MMQ", "cubic millimetre", "0.000001"),
    ("INQ", "cubic inch", "0.016387064"),
    ("FTQ", "cubic foot", "28.316846592"),
    ("YDQ", "cubic yard", "764.554857984"),
    ("M69", "cubic mile (UK)", "4168181825440.579584"),
    ("BFT", "board foot", "2.359737216"),
    ("MBF", "thousand board feet", "2359.737216"),
    ("WCD", "cord", "3624.556363776"),
    ("M68", "cord of 128 cubic feet", "3624.556363776"),
    ("L84", "ton (UK shipping)", "1189.307556864"),
    ("L86", "ton (US shipping)", "1132.67386368"),
    ("M70", "register ton", "2831.6846592"),
    ("GLL", "gallon (US)", "3.785411784"),
    ("QT", "quart (US)", "0.946352946"),
    ("QTL", "liquid quart (US)", "0.946352946"),
    ("PT", "pint (US)", "0.473176473"),
    ("PTL", "liquid pint (US)", "0.473176473"),
    ("G21", "cup (US)", "0.2365882365"),
    ("GIA", "gill (US)", "0.11829411825"),
    ("OZA", "fluid ounce (US)", "0.0295735295625"),
    ("G24", "tablespoon (US)", "0.01478676478125"),
    ("G25", "teaspoon (US)", "0.00492892159375"),
    ("BLL", "barrel (US petroleum)", "158.987294928"),
    ("BLD", "dry barrel (US)", "115.627123584"),
    ("BUA", "bushel (US)", "35.23907016688"),
    ("G23", "peck (US)", "8.80976754172"),
    ("GLD", "dry gallon (US)", "4.40488377086"),
    ("QTD", "dry quart (US)", "1.101220942715"),
    ("L62", "quart (US dry)", "1.101220942715"),
    ("PTD", "dry pint (US)", "0.5506104713575"),
    ("L61", "pint (US dry)", "0.5506104713575"),
    ("GLI", "gallon (UK)", "4.54609"),
    ("QTI", "quart (UK)", "1.1365225"),
    ("PTI", "pint (UK)", "0.56826125"),
    ("GII", "gill (UK)", "0.1420653125"),
    ("OZI", "fluid ounce (UK)", "0.0284130625"),
    ("L43", "peck (UK)", "9.09218"),
    ("BUI", "bushel (UK)", "36.36872"),
    ("J57", "barrel (UK petroleum)", "159.11315"),
];

const LENGTH: &[Row] = &[
    ("MTR", "metre", "1"),
    ("LM", "linear metre", "1"),
    ("KMT", "kilometre", "1000"),
    ("HMT", "hectometre", "100"),
    ("A45", "decametre", "10"),
    ("DMT", "decimetre", "0.1"),
    ("CMT", "centimetre", "0.01"),
    ("MMT", "millimetre", "0.001"),
    ("4H", "micrometre", "0.000001"),
    ("C45", "nanometre", "0.000000001"),
    ("A11", "angstrom", "0.0000000001"),
    ("C52", "picometre", "0.000000000001"),
    ("A71", "femtometre", "0.000000000000001"),
    ("INH", "inch", "0.0254"),
    ("77", "milli-inch", "0.0000254"),
    ("M7", "micro-inch", "0.0000000254"),
    ("FOT", "foot", "0.3048"),
    ("LF", "linear foot", "0.3048"),
    ("YRD", "yard", "0.9144"),
    ("LY", "linear yard", "0.9144"),
    ("AK", "fathom", "1.8288"),
    ("X1", "Gunter's chain", "20.1168"),
    ("M50", "furlong", "201.168"),
    ("SMI", "mile", "1609.344"),
    ("NMI", "nautical mile", "1852"),
    ("H80", "rack unit", "0.04445"),
    ("A12", "astronomical unit", "149597870700"),
    ("B57", "light year", "9460730472580800"),
];

const AREA: &[Row] = &[
    ("MTK", "square metre", "1"),
    ("KMK", "square kilometre", "1000000"),
    ("H18", "square hectometre", "10000"),
    ("HAR", "hectare", "10000"),
    ("DAA", "decare", "1000"),
    ("H16", "square decametre", "100"),
    ("ARE", "are", "100"),
    ("DMK", "square decimetre", "0.01"),
    ("CMK", "square centimetre", "0.0001"),
    ("MMK", "square millimetre", "0.000001"),
    ("H30", "square micrometre", "0.000000000001"),
    ("INK", "square inch", "0.00064516"),
    ("FTK", "square foot", "0.09290304"),
    ("YDK", "square yard", "0.83612736"),
    ("MIK", "square mile", "2589988.110336"),
];

const ENERGY: &[Row] = &[
    (JOULE, "joule", "1"),
    ("A13", "attojoule", "0.000000000000000001"),
    ("A70", "femtojoule", "0.000000000000001"),
    ("C15", "millijoule", "0.001"),
    ("KJO", "kilojoule", "1000"),
    ("3B", "megajoule", "1000000"),
    ("GV", "gigajoule", "1000000000"),
    ("D30", "terajoule", "1000000000000"),
    ("C68", "petajoule", "1000000000000000"),
    ("A68", "exajoule", "1000000000000000000"),
    ("J55", "watt second", "1"),
    ("WHR", "watt hour", "3600"),
    ("KWH", "kilowatt hour", "3600000"),
    ("MWH", "megawatt hour", "3600000000"),
    ("GWH", "gigawatt hour", "3600000000000"),
    ("D32", "terawatt hour", "3600000000000000"),
    ("A53", "electronvolt", "0.0000000000000000001602176634"),
    ("B29", "kiloelectronvolt", "0.0000000000000001602176634"),
    ("B71", "megaelectronvolt", "0.0000000000001602176634"),
    ("A85", "gigaelectronvolt", "0.0000000001602176634"),
    ("A57", "erg", "0.0000001"),
    ("B38", "kilogram-force metre", "9.80665"),
    ("85", "foot pound-force", "1.3558179483314004"),
    ("N46", "foot poundal", "0.0421401100938048"),
    ("N47", "inch poundal", "0.0035116758411504"),
    ("D60", "calorie (international table)", "4.1868"),
    ("E14", "kilocalorie (international table)", "4186.8"),
    ("D35", "calorie (thermochemical)", "4.184"),
    ("K53", "kilocalorie (thermochemical)", "4184"),
    (
        "BTU",
        "British thermal unit (international table)",
        "1055.05585262",
    ),
    ("N71", "therm (EC)", "105506000"),
    ("N72", "therm (US)", "105480400"),
];

/// Pieces, also where they are counted by the dozen. What holds an unknown number (packs, rolls, sets) is no count.
const COUNT: &[Row] = &[
    ("C62", "one", "1"),
    ("EA", "each", "1"),
    ("H87", "piece", "1"),
    ("NAR", "number of articles", "1"),
    ("NPT", "number of parts", "1"),
    ("NCL", "number of cells", "1"),
    ("PR", "pair", "2"),
    ("NPR", "number of pairs", "2"),
    ("DZN", "dozen", "12"),
    ("SCO", "score", "20"),
    ("TPR", "ten pairs", "20"),
    ("DPR", "dozen pairs", "24"),
    ("CEN", "hundred", "100"),
    ("GRO", "gross", "144"),
    ("MIL", "thousand", "1000"),
    ("T3", "thousand pieces", "1000"),
    ("GGR", "great gross", "1728"),
    ("MIO", "million", "1000000"),
    ("MLD", "milliard", "1000000000"),
    ("BIL", "billion (10^12)", "1000000000000"),
    ("TRL", "trillion (10^18)", "1000000000000000000"),
];

const TABLE: [(Dimension, &[Row]); 6] = [
    (Dimension::Mass, MASS),
    (Dimension::Volume, VOLUME),
    (Dimension::Length, LENGTH),
    (Dimension::Area, AREA),
    (Dimension::Energy, ENERGY),
    (Dimension::Count, COUNT),
];

/// A unit that amounts are compared in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unit {
    /// UN/CEFACT Recommendation 20 code.
    pub code: &'static str,
    /// In English.
    pub name: &'static str,
    /// What it measures.
    pub dimension: Dimension,
    /// How many of the dimension's base units it is, exactly; at most 28 digits behind the point.
    pub factor: Decimal,
}

static UNITS: LazyLock<BTreeMap<&'static str, Unit>> = LazyLock::new(|| {
    let rows = TABLE.iter().flat_map(|(dimension, rows)| {
        rows.iter().filter_map(|(code, name, factor)| {
            // Every factor is one, by a test.
            let factor = Decimal::from_str(factor).ok()?;
            let unit = Unit {
                code,
                name,
                dimension: *dimension,
                factor,
            };
            Some((*code, unit))
        })
    });
    rows.collect()
});

/// All units, by code.
pub fn all() -> impl Iterator<Item = &'static Unit> {
    UNITS.values()
}

/// The unit of a code; nothing for codes whose amounts are compared with no other.
pub fn unit(code: &str) -> Option<&'static Unit> {
    UNITS.get(code)
}

#[cfg(test)]
mod tests {
    use std::str::FromStr as _;

    use num_bigint::BigInt;
    use num_rational::BigRational;
    use num_traits::One as _;

    use super::*;

    fn exact(value: Decimal) -> BigRational {
        BigRational::new(value.mantissa().into(), BigInt::from(10).pow(value.scale()))
    }

    fn factor(code: &str) -> BigRational {
        exact(unit(code).unwrap_or_else(|| panic!("{code}")).factor)
    }

    #[test]
    fn no_code_stands_twice_and_each_factor_is_an_exact_decimal() {
        let rows: Vec<(Dimension, &Row)> = TABLE
            .iter()
            .flat_map(|(dimension, rows)| rows.iter().map(|row| (*dimension, row)))
            .collect();
        assert_eq!(
            UNITS.len(),
            rows.len(),
            "a code stands twice, or a factor is none"
        );
        for (dimension, (code, name, text)) in rows {
            let unit = unit(code).unwrap();
            assert_eq!((unit.code, unit.name, unit.dimension), (*code, *name, dimension));
            assert_eq!(Decimal::from_str_exact(text), Ok(unit.factor), "{code}");
            assert_eq!(unit.factor.normalize().to_string(), *text, "{code}");
            assert!(unit.factor > Decimal::ZERO, "{code}");
            assert!(
                (exact(unit.factor).recip() * exact(unit.factor)).is_one(),
                "{code}"
            );
            let is_code = (2..=3).contains(&code.len())
                && code
                    .bytes()
                    .all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit());
            assert!(is_code, "{code}");
        }
        for dimension in TABLE.map(|(dimension, _)| dimension) {
            let base = dimension.base();
            assert!(base.is_empty() || factor(base).is_one(), "{base}");
        }
    }

    /// So many of one unit are one of another, by definition.
    #[test]
    fn factors_agree_with_the_definitions() {
        #[rustfmt::skip]
        let rows = [
            ("STN", "2000", "LBR"), ("LTN", "2240", "LBR"), ("CWA", "100", "LBR"), ("CWI", "112", "LBR"),
            ("CNT", "100", "LBR"), ("STI", "14", "LBR"), ("QTR", "28", "LBR"), ("LBR", "16", "ONZ"), ("ONZ", "16", "DRI"),
            ("LBR", "7000", "GRN"), ("APZ", "480", "GRN"), ("LBT", "12", "APZ"), ("DWT", "24", "GRN"), ("DRA", "60", "GRN"),
            ("SCR", "20", "GRN"), ("TNE", "1000", "KGM"), ("GRM", "1000000", "MC"),
            ("GLL", "231", "INQ"), ("FTQ", "1728", "INQ"), ("YDQ", "27", "FTQ"), ("GLL", "4", "QT"), ("QTL", "2", "PTL"),
            ("PT", "2", "G21"), ("G21", "2", "GIA"), ("GLL", "128", "OZA"), ("OZA", "2", "G24"), ("G24", "3", "G25"),
            ("BLL", "42", "GLL"), ("BUA", "2150.42", "INQ"), ("BUA", "4", "G23"), ("G23", "2", "GLD"), ("GLD", "4", "QTD"),
            ("L62", "2", "L61"), ("QTD", "2", "PTD"), ("BLD", "7056", "INQ"), ("GLI", "8", "PTI"), ("GLI", "4", "QTI"), ("GLI", "32", "GII"),
            ("GLI", "160", "OZI"), ("BUI", "8", "GLI"), ("L43", "2", "GLI"), ("J57", "35", "GLI"), ("BFT", "144", "INQ"),
            ("MBF", "1000", "BFT"), ("WCD", "128", "FTQ"), ("M68", "128", "FTQ"), ("L84", "42", "FTQ"), ("L86", "40", "FTQ"),
            ("M70", "100", "FTQ"), ("MTQ", "1000", "LTR"), ("CMQ", "1", "MLT"), ("DMQ", "1", "LTR"), ("MMQ", "1", "4G"),
            ("YRD", "3", "FOT"), ("FOT", "12", "INH"), ("AK", "2", "YRD"), ("X1", "22", "YRD"), ("M50", "10", "X1"),
            ("SMI", "8", "M50"), ("H80", "1.75", "INH"), ("INH", "1000", "77"), ("77", "1000", "M7"),
            ("FTK", "144", "INK"), ("YDK", "9", "FTK"), ("MIK", "3097600", "YDK"), ("HAR", "100", "ARE"), ("KMK", "100", "HAR"),
            ("KWH", "1000", "WHR"), ("KWH", "3.6", "3B"), ("WHR", "3600", "J55"), ("E14", "1000", "D60"), ("K53", "1000", "D35"),
            ("N46", "12", "N47"), ("A85", "1000", "B71"), ("B29", "1000", "A53"),
            ("DZN", "6", "PR"), ("GRO", "12", "DZN"), ("GGR", "12", "GRO"), ("DPR", "12", "NPR"), ("TPR", "1", "SCO"),
            ("T3", "10", "CEN"), ("MIO", "1000", "MIL"), ("BIL", "1000", "MLD"), ("TRL", "1000000", "BIL"),
        ];
        for (one, many, other) in rows {
            let many = exact(Decimal::from_str(many).unwrap());
            assert_eq!(factor(one), many * factor(other), "{one} in {other}");
            assert_eq!(
                unit(one).unwrap().dimension,
                unit(other).unwrap().dimension,
                "{one}"
            );
        }
        let power = |code: &str, times: i32| factor(code).pow(times);
        assert_eq!(factor("INQ"), power("INH", 3) * factor("MTQ"));
        assert_eq!(factor("INK"), power("INH", 2));
        assert_eq!(factor("M69"), power("SMI", 3) * factor("MTQ"));
        assert_eq!(factor("85"), factor("FOT") * factor("LBR") * factor("B38"));
        assert_eq!(factor("N46"), power("FOT", 2) * factor("LBR"));
        // The heat that raises a pound by a degree Fahrenheit, where a gram and a degree Celsius take a calorie.
        let degree = BigRational::new(5.into(), 9.into());
        assert_eq!(factor("BTU"), factor("E14") * factor("LBR") * degree);
    }
}

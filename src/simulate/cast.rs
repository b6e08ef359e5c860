//! Who and what there is: fictional parties, their plants, and the products they declare.
//!
//! Identifiers are GS1 keys under the demonstration prefix 952, so that no real company's are met:
//!
//! ```text
//! company prefix   9523 + three digits of the party
//! party            https://id.gs1.org/417/{prefix}{00000}{check}
//! facility         https://id.gs1.org/414/{prefix}{place, from 00001}{check}
//! product          https://id.gs1.org/01/0{prefix}{item, from 00001}{check}
//! lot, serial      {product}/10/{lot}  {product}/21/{serial}
//! namespaces       https://id.gs1.org/01/0{prefix}  https://id.gs1.org/00/0{prefix}  https://id.gs1.org/402/{prefix}
//! ```
//!
//! Rows refer to each other by constants that count along; a test holds them to their places.

use crate::identifier::check_digit;

/// Place of a party in the cast: zero-based.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PartyIndex(pub(super) usize);

impl PartyIndex {
    /// The zero-based place in [`Cast::parties`].
    pub const fn get(self) -> usize {
        self.0
    }
}

/// Place of a facility in the cast.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Place(pub(super) usize);

/// Place of a product in the cast.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Product(pub(super) usize);

/// A fictional company.
#[derive(Clone, Debug)]
pub struct Party {
    /// Its identifier, a GLN.
    pub identifier: String,
    /// Fictional legal name.
    pub name: &'static str,
    /// ISO 3166-1 country in which it is organised and has its principal place.
    pub country: &'static str,
    /// What it does.
    pub roles: &'static [&'static str],
    /// Of a laboratory, what it is accredited for.
    pub accreditations: &'static [&'static str],
    /// Prefixes of the identifiers that it owns.
    pub namespaces: Vec<String>,
    pub(super) prefix: String,
}

/// A plant, mine, depot or office.
#[derive(Clone, Debug)]
pub struct Facility {
    /// Its identifier, a GLN.
    pub identifier: String,
    /// Fictional name.
    pub name: &'static str,
    /// ISO 3166-1 country.
    pub country: &'static str,
    /// ISO 3166-2 subdivision.
    pub subdivision: &'static str,
    /// Who runs it.
    pub operator: PartyIndex,
    /// Minutes east of UTC.
    pub utc_offset_minutes: i32,
}

/// What a party declares to make.
#[derive(Clone, Debug)]
pub struct DeclaredProduct {
    /// Its identifier, a GTIN.
    pub identifier: String,
    /// Whose it is.
    pub owner: PartyIndex,
    /// Lot kind.
    pub kind: &'static str,
    /// Chemistry, or nothing.
    pub chemistry: &'static str,
    /// Part number.
    pub model: &'static str,
    /// Mass of a piece in grams; zero for what is weighed.
    pub mass_per_piece_g: i64,
    /// Energy of a piece in watt-hours; zero if it holds none.
    pub energy_per_piece_wh: i64,
}

/// Everybody and everything in a simulation. The same for every seed.
#[derive(Clone, Debug)]
pub struct Cast {
    /// The companies; [`PartyIndex`] counts along.
    pub parties: Vec<Party>,
    /// Their plants.
    pub facilities: Vec<Facility>,
    /// Their products.
    pub products: Vec<DeclaredProduct>,
}

macro_rules! in_order {
    ($type:ident: $($name:ident),* $(,)?) => { in_order!(@ $type, 0usize; $($name,)*); };
    (@ $type:ident, $at:expr; $name:ident, $($rest:ident,)*) => {
        pub(in crate::simulate) const $name: super::$type = super::$type($at);
        in_order!(@ $type, $at + 1; $($rest,)*);
    };
    (@ $type:ident, $at:expr;) => {
        #[cfg(test)]
        pub(in crate::simulate) const COUNT: usize = $at;
    };
}

/// Parties by name.
pub(super) mod who {
    in_order!(PartyIndex:
        BRINE, IRONBARK, COBALT, GRAPHITE, REFINERY_KR, REFINERY_CN, PRECURSOR, CATHODE, ANODE, ELECTROLYTE,
        SEPARATOR, FOIL, METALWORKS, CELLS, FIXTURE, MODULES, PACKS, ELECTRONICS, ENCLOSURES, OCEAN, ROAD_ASIA,
        ROAD_US, LABORATORY, IMPORTER, TRADER, RIVAL, FOUNDATION,
    );
}

/// Facilities by name.
pub(super) mod at {
    in_order!(Place:
        BRINE_FIELD, IRONBARK_MINE, COBALT_MINE, GRAPHITE_MINE, REFINERY_KR, REFINERY_CN, PRECURSOR, CATHODE,
        ANODE, ELECTROLYTE, SEPARATOR, FOIL, METALWORKS, CELLS_KR, CELLS_CN, FIXTURE, MODULES, PACKS,
        ELECTRONICS, ENCLOSURES, OCEAN, ROAD_ASIA, ROAD_US, LABORATORY, IMPORTER, TRADER, RIVAL,
    );
}

/// Products by name.
pub(super) mod made {
    in_order!(Product:
        BRINE, BRINE_CONCENTRATE, SPODUMENE_ORE, SPODUMENE, NICKEL_ORE, NICKEL_CONCENTRATE, MANGANESE_ORE,
        MANGANESE_CONCENTRATE, COBALT_ORE, COBALT_CONCENTRATE, GRAPHITE_ORE, GRAPHITE_CONCENTRATE,
        LITHIUM_SALT_KR, LITHIUM_SALT_CN, NICKEL_SALT, MANGANESE_SALT, COBALT_SALT, PRECURSOR, CATHODE_MATERIAL,
        ANODE_MATERIAL, ELECTROLYTE, SEPARATOR, ALUMINIUM_FOIL, COPPER_FOIL, CAN, HOUSING,
        CATHODE_ELECTRODE, ANODE_ELECTRODE, CELL, FIXTURE_CATHODE, FIXTURE_ANODE, FIXTURE_CELL, TRADED_CELL,
        MODULE, BMS, ENCLOSURE, PACK,
    );
}

type PartyRow = (
    &'static str,
    &'static str,
    &'static [&'static str],
    &'static [&'static str],
);

const MANUFACTURER: &[&str] = &["manufacturer"];
const REFINER: &[&str] = &["refiner"];
const CARRIER: &[&str] = &["carrier"];
const MINER: &[&str] = &["mine"];

const PARTIES: [PartyRow; 27] = [
    ("Salar Claro Brines SpA", "CL", MINER, &[]),
    ("Ironbark Ridge Minerals Pty Ltd", "AU", MINER, &[]),
    ("Lualaba Blue Cobalt SARL", "CD", MINER, &[]),
    ("North Bank Flake Graphite Co., Ltd.", "CN", MINER, &[]),
    ("Saebyeok Bay Refining Co., Ltd.", "KR", REFINER, &[]),
    ("Nine Bends Salts Refining Co., Ltd.", "CN", REFINER, &[]),
    ("Hanul Precursor Co., Ltd.", "KR", MANUFACTURER, &[]),
    ("Hanul Cathode Materials Co., Ltd.", "KR", MANUFACTURER, &[]),
    ("Pine River Anode Materials Co., Ltd.", "CN", MANUFACTURER, &[]),
    ("Clearwater Electrolyte Co., Ltd.", "KR", MANUFACTURER, &[]),
    ("East Ridge Separator Co., Ltd.", "KR", MANUFACTURER, &[]),
    ("Silver Creek Foil Co., Ltd.", "KR", MANUFACTURER, &[]),
    ("South Gate Metalworks Co., Ltd.", "KR", MANUFACTURER, &[]),
    ("Twin Lines Cell Co., Ltd.", "KR", MANUFACTURER, &[]),
    ("Fixture Cell Works Co., Ltd.", "CN", MANUFACTURER, &[]),
    ("Baram Module Co., Ltd.", "KR", MANUFACTURER, &[]),
    ("Prairie Pack Systems LLC", "US", MANUFACTURER, &[]),
    ("Lakeshore Battery Electronics Inc.", "US", MANUFACTURER, &[]),
    ("Mesa Enclosures Inc.", "US", MANUFACTURER, &[]),
    ("Three Oceans Shipping Line", "KR", CARRIER, &[]),
    ("Two Shores Road Freight Co., Ltd.", "KR", CARRIER, &[]),
    ("Overland Road Freight LLC", "US", CARRIER, &[]),
    (
        "Plumb Line Battery Laboratory Co., Ltd.",
        "KR",
        &["laboratory"],
        &["ISO/IEC 17025 (fictional)"],
    ),
    ("Harbor Gate Imports Inc.", "US", &["importer"], &[]),
    ("Quayside Cell Trading Ltd.", "US", &["trader"], &[]),
    ("Rival Cell Company Ltd.", "KR", MANUFACTURER, &[]),
    ("Open Meadow Foundation", "US", &["owner"], &[]),
];

type FacilityRow = (PartyIndex, &'static str, &'static str, &'static str, i32);

const FACILITIES: [FacilityRow; 27] = [
    (who::BRINE, "Salar Claro brine field", "CL", "CL-AN", -180),
    (
        who::IRONBARK,
        "Ironbark Ridge mine and concentrator",
        "AU",
        "AU-WA",
        480,
    ),
    (
        who::COBALT,
        "Lualaba Blue mine and concentrator",
        "CD",
        "CD-LU",
        120,
    ),
    (
        who::GRAPHITE,
        "North Bank mine and concentrator",
        "CN",
        "CN-HL",
        480,
    ),
    (who::REFINERY_KR, "Saebyeok Bay refinery", "KR", "KR-46", 540),
    (who::REFINERY_CN, "Nine Bends refinery", "CN", "CN-JX", 480),
    (who::PRECURSOR, "Hanul precursor plant", "KR", "KR-47", 540),
    (who::CATHODE, "Hanul cathode plant", "KR", "KR-47", 540),
    (who::ANODE, "Pine River anode plant", "CN", "CN-HL", 480),
    (
        who::ELECTROLYTE,
        "Clearwater electrolyte plant",
        "KR",
        "KR-44",
        540,
    ),
    (who::SEPARATOR, "East Ridge separator plant", "KR", "KR-43", 540),
    (who::FOIL, "Silver Creek foil mill", "KR", "KR-45", 540),
    (who::METALWORKS, "South Gate metalworks", "KR", "KR-48", 540),
    (who::CELLS, "Twin Lines plant 1, Korea line", "KR", "KR-43", 540),
    (who::CELLS, "Twin Lines plant 2, China line", "CN", "CN-JS", 480),
    (who::FIXTURE, "Fixture Cell Works", "CN", "CN-FJ", 480),
    (who::MODULES, "Baram module plant", "KR", "KR-41", 540),
    (who::PACKS, "Prairie pack plant", "US", "US-KS", -300),
    (
        who::ELECTRONICS,
        "Lakeshore electronics plant",
        "US",
        "US-MI",
        -240,
    ),
    (who::ENCLOSURES, "Mesa enclosures plant", "US", "US-AZ", -420),
    (who::OCEAN, "Three Oceans terminal", "KR", "KR-26", 540),
    (who::ROAD_ASIA, "Two Shores depot", "KR", "KR-41", 540),
    (who::ROAD_US, "Overland depot", "US", "US-MO", -300),
    (who::LABORATORY, "Plumb Line laboratory", "KR", "KR-30", 540),
    (who::IMPORTER, "Harbor Gate bonded warehouse", "US", "US-CA", -420),
    (who::TRADER, "Quayside warehouse", "US", "US-NJ", -240),
    (who::RIVAL, "Rival plant", "KR", "KR-48", 540),
];

type ProductRow = (PartyIndex, &'static str, &'static str, &'static str, i64, i64);

/// Grams of one cell.
pub(super) const CELL_G: i64 = 850;
/// Grams of one empty cell can.
pub(super) const CAN_G: i64 = 85;
/// Grams of one module's housing.
pub(super) const HOUSING_G: i64 = 1_400;
/// Grams of one management system.
pub(super) const BMS_G: i64 = 900;
/// Grams of one pack's enclosure, harness and busbars.
pub(super) const ENCLOSURE_G: i64 = 9_600;
/// Cells in a module.
pub(super) const MODULE_CELLS: i64 = 8;
/// Modules in a pack.
pub(super) const PACK_MODULES: i64 = 4;
const CELL_WH: i64 = 250;
const MODULE_G: i64 = MODULE_CELLS * CELL_G + HOUSING_G;
const PACK_G: i64 = PACK_MODULES * MODULE_G + BMS_G + ENCLOSURE_G;
const MODULE_WH: i64 = MODULE_CELLS * CELL_WH;

#[rustfmt::skip]
const PRODUCTS: [ProductRow; 37] = [
    (who::BRINE,       "brine",             "",            "SCB raw brine",          0, 0),
    (who::BRINE,       "concentrate",       "",            "SCB brine 6 % Li",       0, 0),
    (who::IRONBARK,    "ore",               "",            "IRM spodumene ore",      0, 0),
    (who::IRONBARK,    "concentrate",       "",            "IRM SC6",                0, 0),
    (who::IRONBARK,    "ore",               "",            "IRM nickel ore",         0, 0),
    (who::IRONBARK,    "concentrate",       "",            "IRM nickel concentrate", 0, 0),
    (who::IRONBARK,    "ore",               "",            "IRM manganese ore",      0, 0),
    (who::IRONBARK,    "concentrate",       "",            "IRM manganese fines",    0, 0),
    (who::COBALT,      "ore",               "",            "LBC Cu-Co ore",          0, 0),
    (who::COBALT,      "concentrate",       "",            "LBC Cu-Co concentrate",  0, 0),
    (who::GRAPHITE,    "ore",               "",            "NBF flake ore",          0, 0),
    (who::GRAPHITE,    "concentrate",       "",            "NBF flake 95",           0, 0),
    (who::REFINERY_KR, "refined_salt",      "",            "SBR LiOH.H2O",           0, 0),
    (who::REFINERY_CN, "refined_salt",      "",            "NBS LiOH.H2O",           0, 0),
    (who::REFINERY_KR, "refined_salt",      "",            "SBR NiSO4",              0, 0),
    (who::REFINERY_KR, "refined_salt",      "",            "SBR MnSO4",              0, 0),
    (who::REFINERY_CN, "refined_salt",      "",            "NBS CoSO4",              0, 0),
    (who::PRECURSOR,   "pcam",              "nmc811",      "HP-811",                 0, 0),
    (who::CATHODE,     "cam",               "nmc811",      "HC-811",                 0, 0),
    (who::ANODE,       "aam",               "graphite",    "PRA-NG2",                0, 0),
    (who::ELECTROLYTE, "electrolyte",       "",            "CW-EL7",                 0, 0),
    (who::SEPARATOR,   "separator",         "",            "ER-PE16C",               0, 0),
    (who::FOIL,        "cathode_foil",      "",            "SC-AL15",                0, 0),
    (who::FOIL,        "anode_foil",        "",            "SC-CU8",                 0, 0),
    (who::METALWORKS,  "cell_can",          "",            "SG-CAN50",               CAN_G, 0),
    (who::METALWORKS,  "pack_hardware",     "",            "SG-MH8",                 HOUSING_G, 0),
    (who::CELLS,       "cathode_electrode", "nmc811",      "TL-CE",                  0, 0),
    (who::CELLS,       "anode_electrode",   "graphite",    "TL-AE",                  0, 0),
    (who::CELLS,       "cell",              "nmc811",      "TL-67",                  CELL_G, CELL_WH),
    (who::FIXTURE,     "cathode_electrode", "nmc811",      "FX-CE",                  0, 0),
    (who::FIXTURE,     "anode_electrode",   "graphite",    "FX-AE",                  0, 0),
    (who::FIXTURE,     "cell",              "nmc811",      "FX-67",                  CELL_G, CELL_WH),
    (who::TRADER,      "cell",              "nmc811",      "QT-67",                  CELL_G, CELL_WH),
    (who::MODULES,     "module",            "nmc811",      "BM-8S",                  MODULE_G, MODULE_WH),
    (who::ELECTRONICS, "bms",               "",            "LB-32",                  BMS_G, 0),
    (who::ENCLOSURES,  "pack_hardware",     "",            "ME-32",                  ENCLOSURE_G, 0),
    (who::PACKS,       "pack",              "nmc811",      "PP-8K",                  PACK_G, PACK_MODULES * MODULE_WH),
];

impl Cast {
    pub(super) fn new() -> Self {
        let parties: Vec<Party> = (0_usize..)
            .zip(PARTIES)
            .map(|(number, (name, country, roles, accreditations))| {
                let prefix = format!("9523{:03}", number + 1);
                Party {
                    identifier: checked("417/", &format!("{prefix}00000")),
                    name,
                    country,
                    roles,
                    accreditations,
                    namespaces: vec![
                        format!("https://id.gs1.org/00/0{prefix}"),
                        format!("https://id.gs1.org/01/0{prefix}"),
                        format!("https://id.gs1.org/402/{prefix}"),
                    ],
                    prefix,
                }
            })
            .collect();
        let mut facilities: Vec<Facility> = Vec::new();
        for (operator, name, country, subdivision, utc_offset_minutes) in FACILITIES {
            let earlier = facilities.iter().filter(|facility| facility.operator == operator);
            let number = earlier.count() + 1;
            facilities.push(Facility {
                identifier: checked("414/", &format!("{}{number:05}", parties[operator.0].prefix)),
                name,
                country,
                subdivision,
                operator,
                utc_offset_minutes,
            });
        }
        let mut products: Vec<DeclaredProduct> = Vec::new();
        for (owner, kind, chemistry, model, mass_per_piece_g, energy_per_piece_wh) in PRODUCTS {
            let number = products.iter().filter(|product| product.owner == owner).count() + 1;
            products.push(DeclaredProduct {
                identifier: checked("01/", &format!("0{}{number:05}", parties[owner.0].prefix)),
                owner,
                kind,
                chemistry,
                model,
                mass_per_piece_g,
                energy_per_piece_wh,
            });
        }
        Self {
            parties,
            facilities,
            products,
        }
    }

    /// A party of the cast.
    ///
    /// # Panics
    /// Never for an index that came from this library.
    pub fn party(&self, index: PartyIndex) -> &Party {
        &self.parties[index.0]
    }

    /// Every party's index.
    pub fn indices(&self) -> impl Iterator<Item = PartyIndex> + use<> {
        (0..self.parties.len()).map(PartyIndex)
    }

    pub(super) fn facility(&self, place: Place) -> &Facility {
        &self.facilities[place.0]
    }

    pub(super) fn product(&self, product: Product) -> &DeclaredProduct {
        &self.products[product.0]
    }

    /// The identifier of whoever runs a place.
    pub(super) fn operator(&self, place: Place) -> &str {
        &self.party(self.facility(place).operator).identifier
    }

    /// The lot of a product that is made for a pack lot; `mark` tells several apart.
    pub(super) fn lot(&self, product: Product, number: u32, mark: &str) -> String {
        format!("{}/10/L{number:07}{mark}", self.product(product).identifier)
    }

    /// What the serials of a product that are made for a pack lot begin with; three digits follow.
    pub(super) fn serial_prefix(&self, product: Product, number: u32) -> String {
        format!("{}/21/S{number:07}", self.product(product).identifier)
    }

    pub(super) fn serial(&self, product: Product, number: u32, piece: i64) -> String {
        format!("{}{piece:03}", self.serial_prefix(product, number))
    }

    /// A pallet's SSCC.
    pub(super) fn pallet(&self, packer: Place, number: u32, pallet: u32) -> String {
        let prefix = &self.party(self.facility(packer).operator).prefix;
        checked(
            "00/",
            &format!("0{prefix}{:09}", u64::from(number) * 8 + u64::from(pallet)),
        )
    }

    /// A shipment's GSIN.
    pub(super) fn shipment(&self, consignor: Place, number: u32, leg: u32) -> String {
        let prefix = &self.party(self.facility(consignor).operator).prefix;
        checked(
            "402/",
            &format!("{prefix}{:09}", u64::from(number) * 128 + u64::from(leg)),
        )
    }
}

fn checked(key: &str, digits: &str) -> String {
    format!("https://id.gs1.org/{key}{digits}{}", check_digit(digits))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn constants_and_rows_count_along() {
        assert_eq!(
            (who::COUNT, at::COUNT, made::COUNT),
            (PARTIES.len(), FACILITIES.len(), PRODUCTS.len())
        );
        let cast = Cast::new();
        assert_eq!(cast.party(who::FIXTURE).name, "Fixture Cell Works Co., Ltd.");
        assert_eq!(cast.party(who::FOUNDATION).name, "Open Meadow Foundation");
        assert_eq!(cast.facility(at::RIVAL).operator, who::RIVAL);
        assert_eq!(cast.facility(at::LABORATORY).operator, who::LABORATORY);
        assert_eq!(cast.facility(at::CELLS_CN).country, "CN");
        let kind = |product| cast.product(product).kind;
        assert_eq!(
            [
                kind(made::PRECURSOR),
                kind(made::CATHODE_MATERIAL),
                kind(made::HOUSING),
                kind(made::CELL),
                kind(made::FIXTURE_CELL),
                kind(made::TRADED_CELL),
                kind(made::PACK)
            ],
            ["pcam", "cam", "pack_hardware", "cell", "cell", "cell", "pack"]
        );
    }

    #[test]
    fn every_identifier_is_normal_unique_and_in_its_owners_namespace() {
        let cast = Cast::new();
        let mut all = std::collections::BTreeSet::new();
        let parties = cast.parties.iter().map(|party| &party.identifier);
        let facilities = cast.facilities.iter().map(|facility| &facility.identifier);
        let products = cast.products.iter().map(|product| &product.identifier);
        for identifier in parties.chain(facilities).chain(products) {
            assert!(crate::identifier::is_normal(identifier), "{identifier}");
            assert!(all.insert(identifier.clone()), "{identifier} twice");
        }
        for product in &cast.products {
            let namespaces = &cast.party(product.owner).namespaces;
            assert!(
                namespaces
                    .iter()
                    .any(|prefix| product.identifier.starts_with(prefix))
            );
        }
        for id in [
            cast.pallet(at::CELLS_KR, 7, 1),
            cast.shipment(at::CELLS_KR, 7, 100),
            cast.lot(made::CELL, 7, ""),
            cast.serial(made::CELL, 7, 12),
        ] {
            assert!(crate::identifier::is_normal(&id), "{id}");
        }
    }

    #[test]
    fn the_cast_spans_the_countries_of_the_story() {
        let countries: std::collections::BTreeSet<_> = Cast::new()
            .facilities
            .iter()
            .map(|facility| facility.country)
            .collect();
        assert_eq!(
            countries.into_iter().collect::<Vec<_>>(),
            ["AU", "CD", "CL", "CN", "KR", "US"]
        );
    }
}

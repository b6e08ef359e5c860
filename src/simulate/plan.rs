//! What one pack lot needs, worked out backwards from its packs: kilograms, pieces and prices.
//!
//! ```text
//! brine or spodumene -> concentrate -> lithium salt ----------------------.
//! nickel ore    -> concentrate -> sulphate --.                             |
//! manganese ore -> concentrate -> sulphate --+-> precursor ----------------+-> cathode material (some kept)
//! cobalt ore    -> concentrate -> sulphate --'                                      |
//! flake ore     -> concentrate -> anode material          foils, separator, electrolyte, cans
//!                                        '--> electrodes -> cells -> 8 modules -> 2 packs
//! ```
//!
//! Integers only: grams, cents and pieces, none negative. Everything is a function of (seed, lot).

use super::{
    cast::{Cast, MODULE_CELLS, PACK_MODULES, Place, Product, at, made},
    random::Random,
    story::LotKind,
};

/// Packs of one pack lot.
pub(super) const PACKS: i64 = 2;
/// Modules of one pack lot.
pub(super) const MODULES: i64 = PACKS * PACK_MODULES;
/// Cells that go into the packs of one lot.
pub(super) const BUILT_CELLS: i64 = MODULES * MODULE_CELLS;
/// Cells that the laboratory takes apart.
pub(super) const SAMPLES: i64 = 4;

/// So much of one product, made for one pack lot.
#[derive(Clone, Debug)]
pub(super) struct Batch {
    pub(super) product: Product,
    /// The lot's identifier.
    pub(super) lot: String,
    /// Where it is made.
    pub(super) place: Place,
    /// Mass in grams.
    pub(super) grams: i64,
    /// Price of all of it, in US cents.
    pub(super) cents: i64,
    /// Number of pieces, or of square decimetres of separator; zero for what is weighed.
    pub(super) count: i64,
}

/// One metal's way: ore, concentrate, battery-grade salt.
#[derive(Clone, Debug)]
pub(super) struct Refining {
    pub(super) ore: Batch,
    pub(super) concentrate: Batch,
    pub(super) salt: Batch,
    pub(super) mine_step: &'static str,
    pub(super) refine_step: &'static str,
}

/// All that is made for one pack lot.
#[derive(Clone, Debug)]
pub(super) struct Plan {
    pub(super) number: u32,
    pub(super) kind: LotKind,
    /// Where the cells are made; of a missing tier, from where they are sold.
    pub(super) cell_place: Place,
    pub(super) cell: Product,
    pub(super) cathode_electrode: Product,
    pub(super) anode_electrode: Product,
    pub(super) lithium: Refining,
    /// Nickel, manganese, cobalt.
    pub(super) metals: [Refining; 3],
    pub(super) graphite_ore: Batch,
    pub(super) graphite: Batch,
    pub(super) precursor: Batch,
    /// All cathode material that was made.
    pub(super) cathode: Batch,
    /// What of it is sold to the cell maker.
    pub(super) cathode_sold: Batch,
    /// What of it the maker keeps.
    pub(super) cathode_kept: Batch,
    pub(super) anode: Batch,
    pub(super) aluminium: Batch,
    pub(super) copper: Batch,
    pub(super) separator: Batch,
    pub(super) electrolyte: Batch,
    pub(super) cans: Batch,
    pub(super) housings: Batch,
    pub(super) bms: Batch,
    pub(super) enclosures: Batch,
    /// All cells made, those for the laboratory and the spare ones included.
    pub(super) cells: i64,
    /// What one cell costs when it is built in, in US cents.
    pub(super) cell_cents: i64,
    /// What one module costs when it is built in, in US cents.
    pub(super) module_cents: i64,
    /// Hundredths of a percent that coating loses.
    pub(super) coating_loss: i64,
    /// Whether the importer holds the modules back for a while.
    pub(super) held: bool,
}

/// A batch while its quantities are worked out.
struct Recipe<'a> {
    cast: &'a Cast,
    number: u32,
}

impl Recipe<'_> {
    fn batch(&self, product: Product, place: Place, grams: i64, cents_per_kg: i64) -> Batch {
        Batch {
            product,
            lot: self.cast.lot(product, self.number, ""),
            place,
            grams,
            cents: grams * cents_per_kg / 1_000,
            count: 0,
        }
    }

    fn pieces(&self, product: Product, place: Place, count: i64, cents_each: i64) -> Batch {
        Batch {
            grams: count * self.cast.product(product).mass_per_piece_g,
            cents: count * cents_each,
            count,
            ..self.batch(product, place, 0, 0)
        }
    }
}

/// Products, places, ratios in thousandths and prices of one metal's way.
struct Way {
    products: [Product; 3],
    places: [Place; 2],
    /// Concentrate for a thousand of salt, ore for a thousand of concentrate.
    thousandths: [i64; 2],
    cents_per_kg: [i64; 3],
    steps: [&'static str; 2],
}

const BRINE: Way = Way {
    products: [made::BRINE, made::BRINE_CONCENTRATE, made::LITHIUM_SALT_CN],
    places: [at::BRINE_FIELD, at::REFINERY_CN],
    thousandths: [2_900, 14_000],
    cents_per_kg: [1, 210, 1_150],
    steps: ["pump_brine", "convert"],
};
const SPODUMENE: Way = Way {
    products: [made::SPODUMENE_ORE, made::SPODUMENE, made::LITHIUM_SALT_KR],
    places: [at::IRONBARK_MINE, at::REFINERY_KR],
    thousandths: [6_200, 4_600],
    cents_per_kg: [3, 95, 1_190],
    steps: ["mine", "roast_leach"],
};
const NICKEL: Way = Way {
    products: [made::NICKEL_ORE, made::NICKEL_CONCENTRATE, made::NICKEL_SALT],
    places: [at::IRONBARK_MINE, at::REFINERY_KR],
    thousandths: [2_050, 9_500],
    cents_per_kg: [4, 160, 410],
    steps: ["mine", "crystallise"],
};
const MANGANESE: Way = Way {
    products: [
        made::MANGANESE_ORE,
        made::MANGANESE_CONCENTRATE,
        made::MANGANESE_SALT,
    ],
    places: [at::IRONBARK_MINE, at::REFINERY_KR],
    thousandths: [1_150, 2_100],
    cents_per_kg: [2, 22, 98],
    steps: ["mine", "crystallise"],
};
const COBALT: Way = Way {
    products: [made::COBALT_ORE, made::COBALT_CONCENTRATE, made::COBALT_SALT],
    places: [at::COBALT_MINE, at::REFINERY_CN],
    thousandths: [2_750, 5_800],
    cents_per_kg: [9, 240, 760],
    steps: ["mine", "solvent_extract"],
};

/// `grams` times `thousandths`, and up to a hundredth more.
fn scaled(random: &mut Random, grams: i64, thousandths: i64) -> i64 {
    grams * (thousandths + random.below(10)) / 1_000 + 1
}

impl Refining {
    fn towards(recipe: &Recipe<'_>, random: &mut Random, way: &Way, salt_g: i64) -> Self {
        let [ore, concentrate, salt] = way.products;
        let [mine, refinery] = way.places;
        let concentrate_g = scaled(random, salt_g, way.thousandths[0]);
        let ore_g = scaled(random, concentrate_g, way.thousandths[1]);
        Self {
            ore: recipe.batch(ore, mine, ore_g, way.cents_per_kg[0]),
            concentrate: recipe.batch(concentrate, mine, concentrate_g, way.cents_per_kg[1]),
            salt: recipe.batch(salt, refinery, salt_g, way.cents_per_kg[2]),
            mine_step: way.steps[0],
            refine_step: way.steps[1],
        }
    }
}

impl Plan {
    /// The plan of pack lot `number`.
    pub(super) fn new(cast: &Cast, seed: u64, number: u32, kind: LotKind) -> Self {
        let mut random = Random::of(seed, number, 0);
        let random = &mut random;
        let recipe = Recipe { cast, number };
        let (cell_place, products) = match kind {
            LotKind::Tainted => (
                at::FIXTURE,
                [made::FIXTURE_CELL, made::FIXTURE_CATHODE, made::FIXTURE_ANODE],
            ),
            LotKind::MissingTier => (
                at::TRADER,
                [made::TRADED_CELL, made::CATHODE_ELECTRODE, made::ANODE_ELECTRODE],
            ),
            LotKind::Honest | LotKind::MassBalanceCheat | LotKind::Rival | LotKind::DoublySpent => {
                let line = if random.chance(400) {
                    at::CELLS_CN
                } else {
                    at::CELLS_KR
                };
                (line, [made::CELL, made::CATHODE_ELECTRODE, made::ANODE_ELECTRODE])
            }
        };
        let [cell, cathode_electrode, anode_electrode] = products;
        let cells = BUILT_CELLS + SAMPLES + random.below(6);
        let sold_g = cells * (330 + random.below(6));
        let kept_g = 5_000 + random.below(10_000);
        let cathode_g = sold_g + kept_g;
        let lithium_g = scaled(random, cathode_g, 450);
        let precursor_g = scaled(random, cathode_g, 965);
        let lithium_way = if random.chance(500) { &BRINE } else { &SPODUMENE };
        let salt = |random: &mut Random, way: &Way, thousandths: i64| {
            let salt_g = scaled(random, precursor_g, thousandths);
            Refining::towards(&recipe, random, way, salt_g)
        };
        let metals = [
            salt(random, &NICKEL, 2_300),
            salt(random, &MANGANESE, 190),
            salt(random, &COBALT, 310),
        ];
        let lithium = Refining::towards(&recipe, random, lithium_way, lithium_g);
        let anode_g = cells * (190 + random.below(4));
        let graphite_g = scaled(random, anode_g, 2_100);
        let graphite_ore_g = scaled(random, graphite_g, 12_500);
        let cathode = recipe.batch(made::CATHODE_MATERIAL, at::CATHODE, cathode_g, 2_600);
        let part = |mark, grams| Batch {
            lot: cast.lot(made::CATHODE_MATERIAL, number, mark),
            ..recipe.batch(made::CATHODE_MATERIAL, at::CATHODE, grams, 2_600)
        };
        let separator = Batch {
            // 1.2 square metres a cell.
            count: cells * 120,
            cents: cells * 72,
            ..recipe.batch(made::SEPARATOR, at::SEPARATOR, cells * 20, 0)
        };
        let cell_cents = 2_050 + random.below(300);
        let housing_cents = 1_400 + random.below(200);
        Self {
            number,
            kind,
            cell_place,
            cell,
            cathode_electrode,
            anode_electrode,
            lithium,
            metals,
            graphite_ore: recipe.batch(made::GRAPHITE_ORE, at::GRAPHITE_MINE, graphite_ore_g, 1),
            graphite: recipe.batch(made::GRAPHITE_CONCENTRATE, at::GRAPHITE_MINE, graphite_g, 70),
            precursor: recipe.batch(made::PRECURSOR, at::PRECURSOR, precursor_g, 1_450),
            cathode,
            cathode_sold: part("A", sold_g),
            cathode_kept: part("B", kept_g),
            anode: recipe.batch(made::ANODE_MATERIAL, at::ANODE, anode_g, 620),
            aluminium: recipe.batch(made::ALUMINIUM_FOIL, at::FOIL, cells * 45, 480),
            copper: recipe.batch(made::COPPER_FOIL, at::FOIL, cells * 90, 1_320),
            separator,
            electrolyte: recipe.batch(made::ELECTROLYTE, at::ELECTROLYTE, cells * 130, 540),
            cans: recipe.pieces(made::CAN, at::METALWORKS, cells, 64),
            housings: recipe.pieces(made::HOUSING, at::METALWORKS, MODULES, housing_cents),
            bms: recipe.pieces(made::BMS, at::ELECTRONICS, PACKS, 8_400 + random.below(900)),
            enclosures: recipe.pieces(made::ENCLOSURE, at::ENCLOSURES, PACKS, 6_900 + random.below(900)),
            cells,
            cell_cents,
            module_cents: (MODULE_CELLS * cell_cents + housing_cents) * 112 / 100,
            coating_loss: 200 + random.below(200),
            held: random.chance(150),
        }
    }

    /// Whether the chain up to the cells is known.
    pub(super) fn knows_cell_maker(&self) -> bool {
        self.kind != LotKind::MissingTier
    }

    /// Mass of an electrode coated from these two, in grams.
    pub(super) fn coated(&self, material_g: i64, foil_g: i64) -> i64 {
        (material_g + foil_g) * (10_000 - self.coating_loss) / 10_000
    }
}

//! The stages of a pack lot, and those of its materials: from the mine to the cell maker's door.

use crate::wire::v1::{self, event::Kind};

use super::{
    cast::{Cast, Place, at},
    plan::{Batch, Plan, Refining},
    random::Random,
    scene::{DAY, Draft, Goods, HOUR, MINUTE, Scene, only, priced, weighed},
    story::LotKind,
};

/// A part of the chain that runs by itself. Listed in the order in which they start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stage {
    Lithium,
    Nickel,
    Manganese,
    Cobalt,
    Graphite,
    Anode,
    Precursor,
    Components,
    Cathode,
    Electrodes,
    Cells,
    PackParts,
    Modules,
    Import,
    Packs,
    Rivals,
}

impl Stage {
    pub(super) const ALL: [Self; 16] = [
        Self::Lithium,
        Self::Nickel,
        Self::Manganese,
        Self::Cobalt,
        Self::Graphite,
        Self::Anode,
        Self::Precursor,
        Self::Components,
        Self::Cathode,
        Self::Electrodes,
        Self::Cells,
        Self::PackParts,
        Self::Modules,
        Self::Import,
        Self::Packs,
        Self::Rivals,
    ];

    /// Days from the start of the pack lot to that of the stage. Longer than the stages before it take.
    pub(super) const fn day(self) -> i64 {
        match self {
            Self::Lithium | Self::Nickel | Self::Manganese | Self::Cobalt | Self::Graphite => 0,
            Self::Anode => 10,
            Self::Precursor => 22,
            Self::Components => 24,
            Self::Cathode => 26,
            Self::Electrodes => 36,
            Self::Cells => 39,
            Self::PackParts => 46,
            Self::Modules => 53,
            Self::Import => 56,
            Self::Packs => 66,
            Self::Rivals => 70,
        }
    }

    /// What is said in this stage of a pack lot, in no particular order; `start` is that of the stage.
    pub(super) fn drafts(self, cast: &Cast, plan: &Plan, seed: u64, start: i64) -> Vec<Draft> {
        let topic = self as u32;
        let mut scene = Scene {
            cast,
            plan,
            random: Random::of(seed, plan.number, topic + 1),
            start,
            leg: topic * 8,
            drafts: Vec::new(),
        };
        match self {
            Self::Rivals => scene.rivals(),
            Self::PackParts => scene.pack_parts(),
            Self::Modules => scene.modules(),
            Self::Import => scene.import(),
            Self::Packs => scene.packs(),
            Self::Cells if !plan.knows_cell_maker() => scene.traded_cells(),
            _ if !plan.knows_cell_maker() => {}
            Self::Lithium => scene.refine(&plan.lithium, at::CATHODE),
            Self::Nickel => scene.refine(&plan.metals[0], at::PRECURSOR),
            Self::Manganese => scene.refine(&plan.metals[1], at::PRECURSOR),
            Self::Cobalt => scene.refine(&plan.metals[2], at::PRECURSOR),
            Self::Graphite => scene.graphite(),
            Self::Anode => scene.anode(),
            Self::Precursor => scene.precursor(),
            Self::Components => scene.components(),
            Self::Cathode => scene.cathode(),
            Self::Electrodes => scene.electrodes(),
            Self::Cells => scene.cells(),
        }
        scene.drafts
    }
}

impl Scene<'_> {
    /// Something comes out of the ground. Its list of inputs is not claimed to be complete: there is none.
    fn extract(&mut self, minutes: i64, step: &str, ore: &Batch) {
        let mined = v1::Transformed {
            outputs: vec![weighed(ore)],
            inputs_complete: None,
            ..self.step(minutes, ore.place, step)
        };
        self.certify(minutes, ore.place, Kind::Transformed(mined));
    }

    fn sell(&mut self, minutes: i64, batch: &Batch, to: Place) -> i64 {
        self.deliver(minutes, batch.place, to, only(priced(batch)))
    }

    /// From the ground to the buyer of the salt.
    fn refine(&mut self, way: &Refining, buyer: Place) {
        self.extract(10, way.mine_step, &way.ore);
        let tailings: &[(&str, i64)] = &[("tailings", 930), ("water", 70)];
        self.make(20 * HOUR, "beneficiate", &[&way.ore], &way.concentrate, tailings);
        let arrived = self.sell(2 * DAY, &way.concentrate, way.salt.place);
        let losses: &[(&str, i64)] = &[("residue", 880), ("process_water", 120)];
        let refined = arrived + DAY + self.random.below(DAY);
        self.make(refined, way.refine_step, &[&way.concentrate], &way.salt, losses);
        self.sell(refined + 12 * HOUR, &way.salt, buyer);
    }

    fn graphite(&mut self) {
        let plan = self.plan;
        self.extract(10, "mine", &plan.graphite_ore);
        self.make(
            20 * HOUR,
            "beneficiate",
            &[&plan.graphite_ore],
            &plan.graphite,
            &[("tailings", 1_000)],
        );
        self.sell(2 * DAY, &plan.graphite, at::ANODE);
    }

    fn anode(&mut self) {
        let plan = self.plan;
        let losses: &[(&str, i64)] = &[("fines", 940), ("off_gas", 60)];
        self.make(
            4 * HOUR,
            "spheronise_purify",
            &[&plan.graphite],
            &plan.anode,
            losses,
        );
        self.sell(2 * DAY, &plan.anode, plan.cell_place);
    }

    fn precursor(&mut self) {
        let plan = self.plan;
        let [nickel, manganese, cobalt] = &plan.metals;
        let salts = [&nickel.salt, &manganese.salt, &cobalt.salt];
        let losses: &[(&str, i64)] = &[("mother_liquor", 985), ("filter_loss", 15)];
        self.make(4 * HOUR, "coprecipitate", &salts, &plan.precursor, losses);
        self.sell(2 * DAY, &plan.precursor, at::CATHODE);
    }

    fn cathode(&mut self) {
        let plan = self.plan;
        let inputs = [&plan.precursor, &plan.lithium.salt];
        let losses: &[(&str, i64)] = &[("water_and_gas", 960), ("dust", 40)];
        self.make(4 * HOUR, "calcine", &inputs, &plan.cathode, losses);
        let split = Kind::Split(v1::Split {
            lot: plan.cathode.lot.clone(),
            quantity: weighed(&plan.cathode).quantity,
            into: vec![weighed(&plan.cathode_sold), weighed(&plan.cathode_kept)],
            facility: self.cast.facility(at::CATHODE).identifier.clone(),
        });
        self.certify(10 * HOUR, at::CATHODE, split);
        self.sell(DAY, &plan.cathode_sold, plan.cell_place);
        if plan.kind == LotKind::DoublySpent {
            self.sell(DAY + HOUR, &plan.cathode_sold, at::FIXTURE);
        }
        let counted = Kind::StockCounted(v1::StockCounted {
            facility: self.cast.facility(at::CATHODE).identifier.clone(),
            items: vec![weighed(&plan.cathode_kept)],
        });
        self.say(2 * DAY, at::CATHODE, counted);
    }

    /// Foils, separator, electrolyte and cans, whose makers state no inputs.
    fn components(&mut self) {
        let plan = self.plan;
        let parts = [
            &plan.aluminium,
            &plan.copper,
            &plan.separator,
            &plan.electrolyte,
            &plan.cans,
        ];
        for batch in parts {
            let minutes = 5 + self.random.below(20 * HOUR);
            self.commission(minutes, batch);
        }
        let foils = Goods {
            items: vec![priced(&plan.aluminium), priced(&plan.copper)],
            serials: Vec::new(),
        };
        self.deliver(DAY, at::FOIL, plan.cell_place, foils);
        for batch in parts.into_iter().skip(2) {
            let minutes = DAY + self.random.below(DAY);
            self.sell(minutes, batch, plan.cell_place);
        }
    }
}

/// When a stage of a lot starts that itself starts at `lot_start` (nanoseconds since the epoch).
pub(super) const fn stage_start(lot_start: i64, stage: Stage) -> i64 {
    lot_start + stage.day() * DAY * MINUTE
}

//! From the cell maker's door to the finished packs, and what a rival says about them.

use sha2::{Digest as _, Sha256};

use crate::wire::v1::{self, event::Kind};

use super::{
    cast::{BMS_G, CELL_G, ENCLOSURE_G, HOUSING_G, MODULE_CELLS, PACK_MODULES, Place, at, made},
    plan::{BUILT_CELLS, Batch, MODULES, PACKS, SAMPLES},
    scene::{
        DAY, Goods, HOUR, Scene, kilograms, one, only, pieces, price, priced, run, shared_losses, weighed,
    },
    story::LotKind,
};

/// Pallets on which the cells of one pack lot travel.
const PALLETS: u32 = 2;
const MODULE_G: i64 = MODULE_CELLS * CELL_G + HOUSING_G;

/// So many thousandths of a batch, at the same share of its price.
fn part(batch: &Batch, thousandths: i64) -> Batch {
    Batch {
        grams: batch.grams * thousandths / 1_000,
        cents: batch.cents * thousandths / 1_000,
        ..batch.clone()
    }
}

impl Scene<'_> {
    fn facility(&self, place: Place) -> String {
        self.cast.facility(place).identifier.clone()
    }

    /// Cathode runs as (thousandths of the material, of the foil, mark of the electrode lot). Who cheats runs
    /// twice, and uses 130 % of what he was sold.
    fn cathode_runs(&self) -> &'static [(i64, i64, &'static str)] {
        if self.plan.kind == LotKind::MassBalanceCheat {
            &[(700, 500, "A"), (600, 500, "B")]
        } else {
            &[(1_000, 1_000, "A")]
        }
    }

    /// The electrode lots: the runs of the cathode, then the anode; and what went into each.
    fn electrode_batches(&self) -> Vec<(Batch, [Batch; 2])> {
        let plan = self.plan;
        let coated = |product, mark, inputs: [Batch; 2]| {
            let output = Batch {
                product,
                lot: self.cast.lot(product, plan.number, mark),
                place: plan.cell_place,
                grams: plan.coated(inputs[0].grams, inputs[1].grams),
                cents: inputs[0].cents + inputs[1].cents,
                count: 0,
            };
            (output, inputs)
        };
        let mut batches: Vec<_> = self
            .cathode_runs()
            .iter()
            .map(|(material, foil, mark)| {
                let inputs = [part(&plan.cathode_sold, *material), part(&plan.aluminium, *foil)];
                coated(plan.cathode_electrode, mark, inputs)
            })
            .collect();
        let inputs = [plan.anode.clone(), plan.copper.clone()];
        batches.push(coated(plan.anode_electrode, "", inputs));
        batches
    }

    pub(super) fn electrodes(&mut self) {
        for (at, (output, [material, foil])) in (0..).zip(self.electrode_batches()) {
            let losses: &[(&str, i64)] = &[("coating_scrap", 700), ("edge_trim", 300)];
            let minutes = 2 * HOUR + at * 7 * HOUR;
            self.make(minutes, "coat", &[&material, &foil], &output, losses);
        }
    }

    pub(super) fn cells(&mut self) {
        let plan = self.plan;
        let place = plan.cell_place;
        let class_lot = self.cast.lot(plan.cell, plan.number, "");
        let prefix = self.cast.serial_prefix(plan.cell, plan.number);
        let electrodes = self.electrode_batches();
        let electrodes: Vec<&Batch> = electrodes.iter().map(|(output, _)| output).collect();
        let others = [&plan.separator, &plan.electrolyte, &plan.cans];
        let inputs = || electrodes.iter().copied().chain(others);
        let grams: i64 = inputs().map(|input| input.grams).sum();
        let losses: &[(&str, i64)] = &[
            ("formation_gas", 80),
            ("electrolyte_excess", 300),
            ("notching", 620),
        ];
        let formed = v1::Transformed {
            inputs: inputs().map(priced).collect(),
            output_serials: run(&prefix, 1, plan.cells),
            class_lot: class_lot.clone(),
            losses: shared_losses(grams - plan.cells * CELL_G, losses),
            ..self.step(10, place, "form")
        };
        self.certify(10, place, Kind::Transformed(formed));
        self.samples(&prefix, &class_lot);
        let spare = plan.cells - BUILT_CELLS - SAMPLES;
        if spare > 0 {
            let counted = Kind::StockCounted(v1::StockCounted {
                facility: self.facility(place),
                items: vec![v1::Item {
                    lot: class_lot,
                    quantity: Some(pieces(spare)),
                    mass: Some(kilograms(spare * CELL_G)),
                    ..Default::default()
                }],
            });
            self.say(2 * DAY, place, counted);
        }
        self.palletised_cells(&prefix);
    }

    /// Some cells go to the laboratory, which takes them apart and certifies what it found.
    fn samples(&mut self, prefix: &str, class_lot: &str) {
        let samples = Goods {
            items: Vec::new(),
            serials: run(prefix, BUILT_CELLS + 1, BUILT_CELLS + SAMPLES),
        };
        let arrived = self.carry(6 * HOUR, self.plan.cell_place, at::LABORATORY, &samples);
        let report = Sha256::digest(format!("test report {class_lot}").as_bytes()).to_vec();
        let inspected = Kind::Inspected(v1::Inspected {
            facility: self.facility(at::LABORATORY),
            items: Vec::new(),
            serials: samples.serials,
            result: "conformant".to_owned(),
            documents: vec![report.clone()],
            destructive: Some(true),
        });
        self.say(arrived + 5 * HOUR, at::LABORATORY, inspected);
        let certified = Kind::Certified(v1::Certified {
            kind: "cell-test-report".to_owned(),
            about: class_lot.to_owned(),
            claims: vec![
                "product.energy_per_piece".to_owned(),
                "product.chemistry".to_owned(),
            ],
            document: report,
            valid_from: Some(self.start),
            ..Default::default()
        });
        self.say(arrived + 6 * HOUR, at::LABORATORY, certified);
    }

    /// The cells for the packs go onto pallets, the pallets to the module maker, from carrier to carrier.
    fn palletised_cells(&mut self, prefix: &str) {
        let plan = self.plan;
        let (from, to) = (plan.cell_place, at::MODULES);
        let each = BUILT_CELLS / i64::from(PALLETS);
        let units: Vec<String> = (0..PALLETS)
            .map(|pallet| self.cast.pallet(from, plan.number, pallet))
            .collect();
        for (at, unit) in (0..).zip(&units) {
            let packed = Kind::Aggregated(v1::Aggregated {
                parent: unit.clone(),
                items: Vec::new(),
                serials: run(prefix, at * each + 1, (at + 1) * each),
                facility: self.facility(from),
            });
            self.say(20 * HOUR + at * 25, from, packed);
        }
        let shipment = self.next_shipment(from);
        let (consignor, consignee) = self.parties(from, to);
        let (from_facility, to_facility) = self.facilities(from, to);
        let carrier = self.carrier(from, to);
        let shipped = Kind::Shipped(v1::Shipped {
            from_facility,
            to_facility: to_facility.clone(),
            consignee: consignee.clone(),
            carrier: carrier.clone(),
            units: units.clone(),
            shipment: shipment.clone(),
            ..Default::default()
        });
        self.say(DAY, from, shipped);
        let mut arrival = DAY + 10 * HOUR;
        let all = Goods {
            items: Vec::new(),
            serials: run(prefix, 1, BUILT_CELLS),
        };
        if self.crosses(from, to) {
            arrival = 5 * DAY + self.random.below(2 * DAY);
            self.border(DAY + 40, arrival - 8 * HOUR, from, to, &all);
            let handed = Kind::CustodyTransferred(v1::CustodyTransferred {
                from_party: carrier,
                to_party: self.cast.operator(at::ROAD_ASIA).to_owned(),
                facility: self.facility(at::OCEAN),
                units: units.clone(),
                ..Default::default()
            });
            self.say(arrival - 6 * HOUR, at::OCEAN, handed);
        }
        let received = Kind::Received(v1::Received {
            facility: to_facility.clone(),
            consignor: consignor.clone(),
            units: units.clone(),
            shipment,
            condition: "accepted".to_owned(),
            ..Default::default()
        });
        self.say(arrival, to, received);
        let sold = Kind::TitleTransferred(v1::TitleTransferred {
            serials: all.serials,
            seller: consignor,
            buyer: consignee,
            contract_date: Some(self.start),
            titles_complete: Some(true),
            ..Default::default()
        });
        self.certify(arrival + 3, to, sold);
        for (at, parent) in (0..).zip(units) {
            let unpacked = Kind::Disaggregated(v1::Disaggregated {
                parent,
                facility: to_facility.clone(),
                ..Default::default()
            });
            self.say(arrival + HOUR + at * 15, to, unpacked);
        }
    }

    /// A trader delivers cells of which nobody says who made them.
    pub(super) fn traded_cells(&mut self) {
        let prefix = self.cast.serial_prefix(self.plan.cell, self.plan.number);
        let cells = Goods {
            items: Vec::new(),
            serials: run(&prefix, 1, BUILT_CELLS),
        };
        self.carry(DAY, at::TRADER, at::MODULES, &cells);
    }

    /// Housings for the modules; management systems and enclosures for the packs.
    pub(super) fn pack_parts(&mut self) {
        let plan = self.plan;
        self.commission(15, &plan.housings);
        self.deliver(DAY, at::METALWORKS, at::MODULES, only(priced(&plan.housings)));
        let prefix = self.cast.serial_prefix(made::BMS, plan.number);
        self.commission_goods(25, at::ELECTRONICS, Vec::new(), run(&prefix, 1, PACKS));
        let systems = Goods {
            items: (1..=PACKS).map(|piece| self.bms(piece)).collect(),
            serials: Vec::new(),
        };
        self.deliver(DAY, at::ELECTRONICS, at::PACKS, systems);
        self.commission(35, &plan.enclosures);
        self.deliver(DAY + 5, at::ENCLOSURES, at::PACKS, only(priced(&plan.enclosures)));
    }

    fn bms(&self, piece: i64) -> v1::Item {
        let serial = self.cast.serial(made::BMS, self.plan.number, piece);
        one(serial, BMS_G, self.plan.bms.cents / PACKS)
    }

    fn module(&self, piece: i64) -> v1::Item {
        let serial = self.cast.serial(made::MODULE, self.plan.number, piece);
        one(serial, MODULE_G, self.plan.module_cents)
    }

    fn assemble(&mut self, minutes: i64, place: Place, step: &str, parent: String, items: Vec<v1::Item>) {
        let assembled = Kind::Assembled(v1::Assembled {
            step: step.to_owned(),
            product: parent.split("/21/").next().unwrap_or_default().to_owned(),
            parent,
            items,
            facility: self.facility(place),
            operator: self.cast.operator(place).to_owned(),
            inputs_complete: Some(true),
            licences_complete: Some(true),
            ..Default::default()
        });
        self.certify(minutes, place, assembled);
    }

    pub(super) fn modules(&mut self) {
        let plan = self.plan;
        for module in 1..=MODULES {
            let first = (module - 1) * MODULE_CELLS + 1;
            let mut items: Vec<v1::Item> = (first..first + MODULE_CELLS)
                .map(|cell| {
                    let serial = self.cast.serial(plan.cell, plan.number, cell);
                    one(serial, CELL_G, plan.cell_cents)
                })
                .collect();
            items.push(v1::Item {
                lot: plan.housings.lot.clone(),
                quantity: Some(pieces(1)),
                cost: Some(price(plan.housings.cents / MODULES)),
                mass: Some(kilograms(HOUSING_G)),
                ..Default::default()
            });
            let parent = self.cast.serial(made::MODULE, plan.number, module);
            self.assemble(10 + module * 90, at::MODULES, "assemble_module", parent, items);
        }
    }

    /// The modules go to the importer, who sells them on.
    pub(super) fn import(&mut self) {
        let modules = Goods {
            items: (1..=MODULES).map(|piece| self.module(piece)).collect(),
            serials: Vec::new(),
        };
        let mut minutes = self.deliver(HOUR, at::MODULES, at::IMPORTER, modules.clone());
        if self.plan.held {
            let prefix = self.cast.serial_prefix(made::MODULE, self.plan.number);
            let held = Kind::Held(v1::Held {
                items: Vec::new(),
                serials: run(&prefix, 1, MODULES),
                reason: "customs examination".to_owned(),
                facility: self.facility(at::IMPORTER),
            });
            self.say(minutes + 5, at::IMPORTER, held);
            let released = Kind::Released(v1::Released {
                items: Vec::new(),
                serials: run(&prefix, 1, MODULES),
                facility: self.facility(at::IMPORTER),
            });
            minutes += DAY;
            self.say(minutes, at::IMPORTER, released);
        }
        self.deliver(minutes + 3 * HOUR, at::IMPORTER, at::PACKS, modules);
    }

    pub(super) fn packs(&mut self) {
        let plan = self.plan;
        for pack in 1..=PACKS {
            let first = (pack - 1) * PACK_MODULES + 1;
            let mut items: Vec<v1::Item> = (first..first + PACK_MODULES)
                .map(|piece| self.module(piece))
                .collect();
            items.push(self.bms(pack));
            items.push(v1::Item {
                lot: plan.enclosures.lot.clone(),
                quantity: Some(pieces(1)),
                cost: Some(price(plan.enclosures.cents / PACKS)),
                mass: Some(kilograms(ENCLOSURE_G)),
                ..Default::default()
            });
            let parent = self.cast.serial(made::PACK, plan.number, pack);
            self.assemble(pack * 3 * HOUR, at::PACKS, "assemble_pack", parent, items);
        }
        let prefix = self.cast.serial_prefix(made::PACK, plan.number);
        let inspected = Kind::Inspected(v1::Inspected {
            facility: self.facility(at::PACKS),
            serials: run(&prefix, 1, PACKS),
            result: "conformant".to_owned(),
            destructive: Some(false),
            ..Default::default()
        });
        self.say(DAY, at::PACKS, inspected);
    }

    /// What somebody who never had to do with the lot says about it: that he made its cells from its cathode
    /// material, on the premises of the listed company, and that he shipped the pack.
    pub(super) fn rivals(&mut self) {
        let plan = self.plan;
        if plan.kind != LotKind::Rival {
            return;
        }
        let prefix = self.cast.serial_prefix(plan.cell, plan.number);
        let claimed = v1::Transformed {
            operator: self.cast.operator(at::FIXTURE).to_owned(),
            facility: self.facility(at::FIXTURE),
            inputs: vec![weighed(&plan.cathode_sold)],
            output_serials: run(&prefix, 1, BUILT_CELLS),
            class_lot: self.cast.lot(plan.cell, plan.number, ""),
            ..self.step(HOUR, at::RIVAL, "form")
        };
        self.certify(HOUR, at::RIVAL, Kind::Transformed(claimed));
        let pack = self.cast.serial(made::PACK, plan.number, 1);
        let shipped = Kind::Shipped(v1::Shipped {
            items: vec![v1::Item {
                lot: pack,
                quantity: Some(pieces(1)),
                ..Default::default()
            }],
            from_facility: self.facility(at::RIVAL),
            consignee: self.cast.operator(at::TRADER).to_owned(),
            ..Default::default()
        });
        self.say(2 * HOUR, at::RIVAL, shipped);
    }
}

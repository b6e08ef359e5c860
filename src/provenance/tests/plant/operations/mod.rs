//! What plants, people and trucks do: each operation moves matter in the truth and is told as its party tells.
//!
//! An operation that finds nothing to work on does nothing, so that any of them can be left out of a world.

mod amending;
mod building;
mod making;
mod moving;
mod outside;
mod packing;
mod trading;

use super::{
    dice::Dice,
    truth::{Lot, Party, Where},
    world::{Form, World},
};

macro_rules! operations {
    ($($name:ident $weight:literal $does:path,)*) => {
        /// One thing to do.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
        pub(super) enum Operation { $($name,)* }

        /// Each operation as often as it is wanted among the others.
        const MIX: &[(Operation, u64)] = &[$((Operation::$name, $weight),)*];

        impl Operation {
            fn perform(self, world: &mut World) -> Option<()> {
                match self { $(Self::$name => $does(world),)* }
            }
        }
    };
}

operations! {
    Mine 4 making::mine,
    Make 10 making::make,
    MakePieces 5 making::make_pieces,
    MakeSerials 12 making::make_serials,
    Split 6 making::split,
    PutBack 6 making::put_back,
    Merge 3 making::merge,
    Rework 4 making::rework,
    TopUp 4 making::top_up,
    FillTank 6 making::fill_tank,
    DrawTank 8 making::draw_tank,
    Run 5 making::run,
    Relabel 3 making::relabel,
    Recycle 9 making::recycle,
    Scrap 9 making::scrap,
    Assemble 12 building::assemble,
    AddPart 26 building::add_part,
    TakeOut 10 building::take_out,
    Ship 18 moving::ship,
    Receive 26 moving::receive,
    Load 16 packing::load,
    ShipPallet 21 packing::ship_pallet,
    Unload 14 packing::unload,
    Grade 3 building::grade,
    AssembleUnnamed 9 building::assemble_unnamed,
    ReceiveShort 6 trading::receive_short,
    ReceiveDamaged 6 trading::receive_damaged,
    ShipOver 3 trading::ship_over,
    Refuse 8 trading::refuse,
    TakeBack 18 trading::take_back,
    Withdraw 13 trading::withdraw,
    Lapse 6 trading::lapse,
    BlindReturn 5 trading::blind_return,
    Carry 5 trading::carry,
    CrossDock 5 trading::cross_dock,
    DropShip 5 trading::drop_ship,
    Toll 3 trading::toll,
    Opening 3 outside::opening,
    BuyOutside 6 outside::buy_outside,
    LateSupplier 2 outside::late_supplier,
    MakeForBrand 1 outside::make_for_brand,
    Count 3 outside::count,
    Paper 4 outside::paper,
    Sample 5 outside::sample,
    CorrectWrongLot 7 amending::correct_wrong_lot,
    VoidDouble 4 amending::void_double,
    VoidPrinted 10 amending::void_printed,
    CorrectCovered 2 amending::correct_covered,
    CorrectSeconded 7 amending::correct_seconded,
}

/// What happens in the world of a seed, in order.
pub(super) fn plan(seed: u64) -> Vec<Operation> {
    let mut dice = Dice::of(seed, u64::MAX);
    let total: u64 = MIX.iter().map(|(_, weight)| weight).sum();
    let count = dice.within(50, 120);
    // Something has to be there first.
    let start = [
        Operation::Mine,
        Operation::Mine,
        Operation::Make,
        Operation::MakePieces,
    ];
    let rest = (0..count).map(|_| {
        let mut thrown = dice.next() % total;
        let found = MIX.iter().find(|(_, weight)| {
            let here = thrown < *weight;
            thrown = thrown.saturating_sub(*weight);
            here
        });
        found.expect("below the total").0
    });
    start.into_iter().chain(rest).collect()
}

/// The world in which the operations of a plan that have these places were performed.
pub(super) fn perform(seed: u64, kept: &[usize]) -> World {
    let plan = plan(seed);
    let mut world = World::new(seed);
    for number in kept {
        let operation = plan[*number];
        world.dice = Dice::of(seed, *number as u64 + 1);
        world.pass(5, 600);
        if operation.perform(&mut world).is_some() {
            world.count(operation.name());
        }
    }
    world
}

impl Operation {
    pub(super) fn name(self) -> &'static str {
        macro_rules! names {
            ($($name:ident)*) => { match self { $(Self::$name => stringify!($name),)* } };
        }
        names!(Mine Make MakePieces MakeSerials Split PutBack Merge Rework TopUp FillTank DrawTank Run Relabel
            Recycle Scrap Assemble AddPart TakeOut Ship Receive Load ShipPallet Unload Grade AssembleUnnamed
            ReceiveShort ReceiveDamaged ShipOver Refuse TakeBack Withdraw Lapse BlindReturn Carry CrossDock DropShip
            Toll Opening BuyOutside LateSupplier MakeForBrand Count Paper Sample CorrectWrongLot VoidDouble
            VoidPrinted CorrectCovered CorrectSeconded)
    }
}

impl World {
    /// Somebody who can speak.
    pub(in crate::provenance::tests::plant) fn somebody(&mut self) -> Party {
        let speaking: Vec<Party> = (0..self.companies.len())
            .filter(|party| !self.companies[*party].silent)
            .collect();
        *self.dice.one(&speaking)
    }

    /// Up to `most` lots that a party holds, some of each: of lots, not of serials.
    fn inputs(&mut self, most: i64, wanted: impl Fn(&Self, Lot) -> bool) -> Option<(Party, Vec<(Lot, i64)>)> {
        let loose = |world: &Self, lot: Lot| {
            matches!(world.form(lot), Form::Bulk | Form::Pieces) && wanted(world, lot)
        };
        let (first, party, amount) = self.pick(|world, lot, _| loose(world, lot))?;
        let mut inputs = vec![(first, self.some_of(first, amount))];
        for _ in 1..self.dice.within(1, most) {
            let more = self.pick(|world, lot, holder| holder == party && loose(world, lot));
            if let Some((lot, _, amount)) = more
                && inputs.iter().all(|(known, _)| *known != lot)
            {
                inputs.push((lot, self.some_of(lot, amount)));
            }
        }
        Some((party, inputs))
    }

    /// Up to `most` serials of one kind that a party holds.
    fn serials(&mut self, most: i64, party: Option<Party>) -> Option<(Party, Vec<Lot>)> {
        let (first, party, _) = self.pick(|world, lot, holder| {
            world.form(lot) == Form::Serial && party.is_none_or(|party| party == holder)
        })?;
        let class = self.things[first].class;
        let mut held: Vec<Lot> = self
            .truth
            .stock()
            .filter(|((lot, place), _)| {
                *place == Where::Held(party)
                    && self.form(*lot) == Form::Serial
                    && self.things[*lot].class == class
                    && !self.quiet.contains(lot)
            })
            .map(|((lot, _), _)| lot)
            .collect();
        while i64::try_from(held.len()).expect("few") > most {
            let place = self.dice.place(held.len());
            held.remove(place);
        }
        Some((party, held))
    }
}

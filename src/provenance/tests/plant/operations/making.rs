//! Making things of things, and giving things other numbers.

use super::super::{
    truth::{Flow, Lot, Party, Where},
    world::{Form, World},
};
use crate::wire::v1::{self, event::Kind};

pub(super) fn held(lot: Lot, party: Party) -> (Lot, Where) {
    (lot, Where::Held(party))
}

impl World {
    /// Takes what goes into a step out of what its operator holds.
    pub(super) fn take(&mut self, party: Party, inputs: &[(Lot, i64)], at: super::super::truth::At) -> Flow {
        let mut flow = Flow::default();
        for (lot, amount) in inputs {
            flow.add(&self.draw(held(*lot, party), *amount, at));
            self.used(*lot, *amount);
        }
        flow
    }

    /// Puts what comes out of a step where its operator holds it; serials are members of the lot that is among
    /// the outputs.
    pub(super) fn put(
        &mut self,
        party: Party,
        outputs: &[(Lot, i64)],
        serials: &[Lot],
        flow: &Flow,
        at: super::super::truth::At,
    ) {
        for (lot, amount) in outputs {
            self.truth.enter(held(*lot, party), *amount, flow, at);
            self.made(*lot, *amount);
        }
        for serial in serials {
            let from = match self.things[*serial].class {
                Some(class) if self.truth.amount(held(class, party)) > 0 => {
                    self.used(class, 1);
                    self.draw(held(class, party), 1, at)
                }
                _ => flow.clone(),
            };
            self.truth.enter(held(*serial, party), 1, &from, at);
            self.made(*serial, 1);
        }
    }

    pub(super) fn run_id(&mut self, party: Party) -> String {
        format!("{}order-{}", self.companies[party].namespace, self.told.len())
    }

    /// A step in one event, or as it is booked at the end of the shift: what came out first, what went in later.
    fn step(
        &mut self,
        party: Party,
        step: &str,
        inputs: &[(Lot, i64)],
        outputs: &[(Lot, i64)],
        serials: &[Lot],
    ) {
        let later = self.style(party).backflushes && self.dice.one_in(3);
        let hours = self.dice.within(1, 12);
        let at_in = if later {
            self.at_later(party, hours)
        } else {
            self.at(party)
        };
        let flow = self.take(party, inputs, at_in);
        let (_, flow) = self.truth.run(None, &flow);
        let at_out = if later { self.at(party) } else { at_in };
        self.put(party, outputs, serials, &flow, at_out);
        let (in_items, input_serials) = self.words(party, inputs);
        let (out_items, _) = self.words(party, outputs);
        let class = serials.first().and_then(|serial| self.things[*serial].class);
        let whole = v1::Transformed {
            step: step.to_owned(),
            facility: self.place(party),
            operator: self.operator(party),
            outputs: out_items,
            output_serials: self.runs(serials),
            class_lot: class.map_or_else(String::new, |class| self.name(class)),
            ..Default::default()
        };
        let complete = self.dice.one_in(2).then_some(true);
        if !later {
            let whole = v1::Transformed {
                inputs: in_items,
                input_serials,
                inputs_complete: complete,
                ..whole
            };
            self.tell(party, at_in, Kind::Transformed(whole));
            return;
        }
        self.count("Backflush");
        let run = self.run_id(party);
        let inputs_only = v1::Transformed {
            step: step.to_owned(),
            facility: whole.facility.clone(),
            operator: whole.operator.clone(),
            run: run.clone(),
            inputs: in_items,
            input_serials,
            inputs_complete: complete,
            ..Default::default()
        };
        self.tell(party, at_out, Kind::Transformed(v1::Transformed { run, ..whole }));
        self.tell(party, at_in, Kind::Transformed(inputs_only));
    }

    /// What may come out of these inputs: no more bulk than went in, by weight.
    pub(super) fn bulk_yield(&mut self, party: Party, inputs: &[(Lot, i64)]) -> Option<i64> {
        let mass: i64 = inputs
            .iter()
            .filter(|(lot, _)| self.form(*lot) == Form::Bulk)
            .map(|(_, amount)| amount)
            .sum();
        let grain = if self.style(party).unit == "LBR" {
            super::super::world::POUND
        } else {
            super::super::world::KILOGRAM / 10
        };
        let most = mass / grain;
        (most >= 1).then(|| self.dice.within((most / 2).max(1), most) * grain)
    }
}

/// Out of the ground: a new lot of bulk.
#[expect(clippy::unnecessary_wraps, reason = "as every operation")]
pub(super) fn mine(world: &mut World) -> Option<()> {
    let party = world.somebody();
    let lot = world.new_thing(party, Form::Bulk, "ore");
    let amount = world.fresh_amount(party, Form::Bulk);
    new_from_nothing(world, party, lot, amount);
    Some(())
}

pub(super) fn new_from_nothing(world: &mut World, party: Party, lot: Lot, amount: i64) {
    let at = world.at(party);
    world.put(party, &[(lot, amount)], &[], &Flow::default(), at);
    let item = world.item(party, lot, amount);
    let facility = world.place(party);
    let kind = if world.form(lot) == Form::Bulk && world.dice.one_in(2) {
        Kind::Transformed(v1::Transformed {
            step: "mine".to_owned(),
            facility,
            outputs: vec![item],
            ..Default::default()
        })
    } else {
        Kind::Commissioned(v1::Commissioned {
            facility,
            items: vec![item],
            ..Default::default()
        })
    };
    world.tell(party, at, kind);
}

/// Bulk of bulk, under a new number or one that is in use.
pub(super) fn make(world: &mut World) -> Option<()> {
    let (party, inputs) = world.inputs(3, |world, lot| world.form(lot) == Form::Bulk)?;
    let amount = world.bulk_yield(party, &inputs)?;
    let lot = world.new_thing(party, Form::Bulk, "lot");
    world.step(party, "convert", &inputs, &[(lot, amount)], &[]);
    Some(())
}

/// Pieces without names, of anything.
pub(super) fn make_pieces(world: &mut World) -> Option<()> {
    let (party, inputs) = world.inputs(2, |_, _| true)?;
    let lot = world.new_thing(party, Form::Pieces, "parts");
    let amount = world.fresh_amount(party, Form::Pieces);
    world.step(party, "", &inputs, &[(lot, amount)], &[]);
    Some(())
}

/// Pieces with names, in a lot with more or in one of their own; named at once or a week later.
pub(super) fn make_serials(world: &mut World) -> Option<()> {
    let (party, inputs) = world.inputs(2, |_, _| true)?;
    let class = world.new_thing(party, Form::Pieces, "class");
    let amount = world.dice.within(2, 12);
    let named = if world.dice.one_in(3) {
        world.dice.within(1, amount)
    } else {
        amount
    };
    let serials = world.new_serials(party, Some(class), named);
    if world.dice.one_in(3) {
        world.count("SerialsLate");
        world.step(party, "seal", &inputs, &[(class, amount)], &[]);
        let at = world.at(party);
        world.put(party, &[], &serials, &Flow::default(), at);
        let commissioned = Kind::Commissioned(v1::Commissioned {
            facility: world.place(party),
            serials: world.runs(&serials),
            class_lot: world.name(class),
            ..Default::default()
        });
        world.tell_after(party, at, commissioned, 168);
    } else {
        world.step(party, "seal", &inputs, &[(class, amount)], &serials);
    }
    Some(())
}

/// Some of a lot gets a number of its own.
pub(super) fn split(world: &mut World) -> Option<()> {
    let (party, inputs) = world.inputs(1, |_, _| true)?;
    let (lot, amount) = inputs[0];
    let into = world.new_thing(party, world.form(lot), "split");
    divide(world, party, lot, into, amount);
    Some(())
}

pub(super) fn divide(world: &mut World, party: Party, lot: Lot, into: Lot, amount: i64) {
    let at = world.at(party);
    let flow = world.take(party, &[(lot, amount)], at);
    world.put(party, &[(into, amount)], &[], &flow, at);
    let split = v1::Split {
        lot: world.name(lot),
        quantity: Some(world.quantity(party, lot, amount)),
        into: vec![world.item(party, into, amount)],
        facility: world.place(party),
    };
    world.tell(party, at, Kind::Split(split));
}

/// Some of a lot goes back into one that it came from.
pub(super) fn put_back(world: &mut World) -> Option<()> {
    let above = world.truth.ancestry().must;
    let (party, inputs) = world.inputs(1, |world, lot| {
        above[lot]
            .iter()
            .any(|other| *other != lot && world.form(*other) == world.form(lot))
    })?;
    let (lot, amount) = inputs[0];
    let form = world.form(lot);
    let back: Vec<Lot> = above[lot]
        .iter()
        .copied()
        .filter(|other| *other != lot && world.form(*other) == form)
        .filter(|other| !world.things[*other].opened && !world.quiet.contains(other))
        // Whoever never had any of it has nothing to put it back into.
        .filter(|other| world.things[*other].owner == party || world.truth.amount(held(*other, party)) > 0)
        .collect();
    if back.is_empty() {
        return None;
    }
    let into = *world.dice.one(&back);
    unite(world, party, &[(lot, amount)], into);
    Some(())
}

pub(super) fn unite(world: &mut World, party: Party, from: &[(Lot, i64)], into: Lot) {
    let at = world.at(party);
    let flow = world.take(party, from, at);
    let amount = from.iter().map(|(_, amount)| amount).sum();
    world.put(party, &[(into, amount)], &[], &flow, at);
    let merged = v1::Merged {
        from: world.words(party, from).0,
        lot: world.name(into),
        quantity: Some(world.quantity(party, into, amount)),
        facility: world.place(party),
    };
    world.tell(party, at, Kind::Merged(merged));
}

/// Two lots become one, under a new number.
pub(super) fn merge(world: &mut World) -> Option<()> {
    let bulk = world.dice.one_in(2);
    let form = if bulk { Form::Bulk } else { Form::Pieces };
    let (party, inputs) = world.inputs(3, |world, lot| world.form(lot) == form)?;
    let into = world.new_thing(party, form, "merged");
    unite(world, party, &inputs, into);
    Some(())
}

/// Worked on again, under the same number.
pub(super) fn rework(world: &mut World) -> Option<()> {
    let (party, inputs) = world.inputs(1, |world, lot| !world.things[lot].opened)?;
    let (lot, amount) = inputs[0];
    let out = if world.form(lot) == Form::Bulk {
        world.bulk_yield(party, &inputs)?
    } else {
        world.dice.within(1, amount)
    };
    world.step(party, "rework", &inputs, &[(lot, out)], &[]);
    Some(())
}

/// More under a number that is in use, or was.
pub(super) fn top_up(world: &mut World) -> Option<()> {
    let known: Vec<Lot> = (0..world.things.len())
        .filter(|lot| matches!(world.form(*lot), Form::Bulk | Form::Pieces))
        .filter(|lot| {
            world
                .companies
                .get(world.things[*lot].owner)
                .is_some_and(|owner| !owner.silent)
        })
        .filter(|lot| !world.things[*lot].opened && !world.quiet.contains(lot))
        .collect();
    if known.is_empty() {
        return None;
    }
    let lot = *world.dice.one(&known);
    let party = world.things[lot].owner;
    let form = world.form(lot);
    let others = world.inputs(2, |world, other| other != lot && world.form(other) == Form::Bulk);
    match others {
        Some((holder, inputs)) if holder == party => {
            let amount = match form {
                Form::Bulk => world.bulk_yield(party, &inputs)?,
                _ => world.fresh_amount(party, form),
            };
            world.step(party, "", &inputs, &[(lot, amount)], &[]);
        }
        _ => {
            let amount = world.fresh_amount(party, form);
            new_from_nothing(world, party, lot, amount);
        }
    }
    Some(())
}

/// Lots are emptied into a tank.
pub(super) fn fill_tank(world: &mut World) -> Option<()> {
    let is_tank = |world: &World, lot: Lot| world.things[lot].name.contains(":tank-");
    let (party, inputs) = world.inputs(2, |world, lot| {
        world.form(lot) == Form::Bulk && !is_tank(world, lot)
    })?;
    let tank = (0..world.things.len()).find(|lot| is_tank(world, *lot) && world.things[*lot].owner == party);
    let tank = tank.unwrap_or_else(|| world.new_thing(party, Form::Bulk, "tank"));
    unite(world, party, &inputs, tank);
    Some(())
}

/// Some is drawn from a tank, or all before it is cleaned.
pub(super) fn draw_tank(world: &mut World) -> Option<()> {
    let (tank, party, amount) = world.pick(|world, lot, party| {
        world.things[lot].name.contains(":tank-") && world.things[lot].owner == party
    })?;
    let taken = world.some_of(tank, amount);
    let into = world.new_thing(party, Form::Bulk, "drawn");
    if world.dice.one_in(2) {
        divide(world, party, tank, into, taken);
    } else {
        world.step(party, "", &[(tank, taken)], &[(into, taken)], &[]);
    }
    Some(())
}

/// One run in several events and days: what went in and what came out as they went.
pub(super) fn run(world: &mut World) -> Option<()> {
    let (party, first) = world.inputs(2, |world, lot| world.form(lot) == Form::Bulk)?;
    let id = world.run_id(party);
    let out = world.new_thing(party, Form::Bulk, "run");
    let (mut state, mut inside) = (None, 0);
    let mut inputs = Some(first);
    for event in 0..world.dice.within(2, 5) {
        let at = world.at(party);
        let mut told = v1::Transformed {
            step: "calcine".to_owned(),
            facility: world.place(party),
            run: id.clone(),
            ..Default::default()
        };
        if let Some(inputs) = inputs.take() {
            let flow = world.take(party, &inputs, at);
            state = Some(world.truth.run(state, &flow).0);
            inside += inputs.iter().map(|(_, amount)| amount).sum::<i64>();
            told.inputs = world.words(party, &inputs).0;
        } else if inside >= 4 * 10_000_000 {
            let amount = world.dice.within(1, inside / 20_000_000) * 10_000_000;
            inside -= amount;
            let (after, flow) = world.truth.run(state, &Flow::default());
            state = Some(after);
            let lot = if world.dice.one_in(3) {
                world.new_thing(party, Form::Bulk, "run")
            } else {
                out
            };
            world.put(party, &[(lot, amount)], &[], &flow, at);
            told.outputs = vec![world.item(party, lot, amount)];
        }
        if told.inputs.is_empty() && told.outputs.is_empty() {
            break;
        }
        world.tell(party, at, Kind::Transformed(told));
        world.pass(60, 2000);
        if event > 0 && world.dice.one_in(2) {
            inputs = world
                .inputs(1, |world, lot| {
                    world.form(lot) == Form::Bulk && world.truth.amount(held(lot, party)) > 0
                })
                .filter(|(holder, inputs)| *holder == party && inputs[0].0 != out)
                .map(|(_, inputs)| inputs);
        }
    }
    Some(())
}

/// The same under another number, as at a change of systems.
pub(super) fn relabel(world: &mut World) -> Option<()> {
    let (lot, party, amount) =
        world.pick(|world, lot, _| matches!(world.form(lot), Form::Bulk | Form::Pieces))?;
    let into = world.new_thing(party, world.form(lot), "erp");
    match world.dice.place(3) {
        0 => divide(world, party, lot, into, amount),
        1 => unite(world, party, &[(lot, amount)], into),
        _ => world.step(party, "relabel", &[(lot, amount)], &[(into, amount)], &[]),
    }
    Some(())
}

/// Shredded into black mass.
pub(super) fn recycle(world: &mut World) -> Option<()> {
    let (party, serials) = world.serials(6, None)?;
    let inputs: Vec<(Lot, i64)> = serials.iter().map(|serial| (*serial, 1)).collect();
    let mass = world.new_thing(party, Form::Bulk, "mass");
    let amount = world.fresh_amount(party, Form::Bulk);
    let at = world.at(party);
    let flow = world.take(party, &inputs, at);
    let (_, flow) = world.truth.run(None, &flow);
    world.put(party, &[(mass, amount)], &[], &flow, at);
    let recycled = v1::Recycled {
        step: "shred".to_owned(),
        facility: world.place(party),
        input_serials: world.runs(&serials),
        outputs: vec![world.item(party, mass, amount)],
        ..Default::default()
    };
    world.tell(party, at, Kind::Recycled(recycled));
    Some(())
}

/// Booked as scrap: still there, and good for nothing.
pub(super) fn scrap(world: &mut World) -> Option<()> {
    let (party, loads) = if world.dice.one_in(2) {
        world.inputs(1, |_, _| true)?
    } else {
        let (party, serials) = world.serials(3, None)?;
        (party, serials.into_iter().map(|serial| (serial, 1)).collect())
    };
    let at = world.at(party);
    world.take(party, &loads, at);
    for (lot, amount) in &loads {
        *world.aside.entry((*lot, Some(party))).or_default() += amount;
    }
    let (items, serials) = world.words(party, &loads);
    let scrapped = v1::Scrapped {
        items,
        serials,
        facility: world.place(party),
        ..Default::default()
    };
    world.tell(party, at, Kind::Scrapped(scrapped));
    Some(())
}

//! Putting parts together and taking them out again.

use super::super::{
    truth::{At, Flow, Lot, Party, Where},
    world::{Form, World},
};
use crate::wire::v1::{self, event::Kind};

impl World {
    /// Moves parts into a parent, and returns what they are.
    fn build_in(&mut self, party: Party, parent: Lot, parts: &[(Lot, i64)], at: At) -> Flow {
        let mut all = Flow::default();
        for (lot, amount) in parts {
            let flow = self.draw((*lot, Where::Held(party)), *amount, at);
            self.truth.enter((*lot, Where::In(parent)), *amount, &flow, at);
            all.add(&flow);
        }
        all
    }

    /// Serials and unnamed pieces that one party holds.
    fn parts(&mut self) -> Option<(Party, Vec<(Lot, i64)>)> {
        let (party, serials) = self.serials(5, None)?;
        let mut parts: Vec<(Lot, i64)> = serials.into_iter().map(|serial| (serial, 1)).collect();
        let pieces = self.pick(|world, lot, holder| holder == party && world.form(lot) == Form::Pieces);
        if let Some((lot, _, amount)) = pieces
            && self.dice.one_in(2)
        {
            let some = self.some_of(lot, amount);
            if self.dice.one_in(3) {
                parts = vec![(lot, some)];
            } else {
                parts.push((lot, some));
            }
        }
        Some((party, parts))
    }
}

/// A module or pack of parts by name and by number.
pub(super) fn assemble(world: &mut World) -> Option<()> {
    let (party, parts) = world.parts()?;
    let parent = world.new_serials(party, None, 1)[0];
    world.things[parent].assembly = true;
    let commissioned = world.style(party).commissions_units;
    if commissioned {
        let at = world.at(party);
        let kind = Kind::Commissioned(v1::Commissioned {
            facility: world.place(party),
            serials: world.runs(&[parent]),
            ..Default::default()
        });
        world.tell(party, at, kind);
    }
    let at = world.at(party);
    let flow = world.build_in(party, parent, &parts, at);
    world.truth.enter((parent, Where::Held(party)), 1, &flow, at);
    world.made(parent, 1);
    let complete = world.dice.one_in(2).then_some(true);
    tell_assembled(world, party, parent, &parts, at, complete);
    Some(())
}

fn tell_assembled(
    world: &mut World,
    party: Party,
    parent: Lot,
    parts: &[(Lot, i64)],
    at: At,
    complete: Option<bool>,
) {
    let (items, serials) = world.words(party, parts);
    let assembled = v1::Assembled {
        step: "assemble_module".to_owned(),
        parent: world.name(parent),
        items,
        serials,
        facility: world.place(party),
        operator: world.operator(party),
        inputs_complete: complete,
        ..Default::default()
    };
    world.tell(party, at, Kind::Assembled(assembled));
}

/// Another part goes into something that is there: a repair, or what was taken out goes back.
pub(super) fn add_part(world: &mut World) -> Option<()> {
    let fits = |world: &World, part: Lot, parent: Lot| part != parent && !contains(world, part, parent);
    let held = |world: &World, lot: Lot, party: Party| world.truth.amount((lot, Where::Held(party))) > 0;
    let (parent, party, _) = world.pick(|world, lot, party| {
        let is_part = |part: &Lot| {
            world.form(*part) == Form::Serial && held(world, *part, party) && fits(world, *part, lot)
        };
        world.things[lot].assembly && (0..world.things.len()).any(|part| is_part(&part))
    })?;
    let (part, ..) = world.pick(|world, part, holder| {
        holder == party && world.form(part) == Form::Serial && fits(world, part, parent)
    })?;
    let parts = [part];
    let parts = [(parts[0], 1)];
    let at = world.at(party);
    let mut flow = world.build_in(party, parent, &parts, at);
    flow.add(&world.draw((parent, Where::Held(party)), 1, at));
    world.truth.enter((parent, Where::Held(party)), 1, &flow, at);
    tell_assembled(world, party, parent, &parts, at, None);
    Some(())
}

/// Whether `inner` is somewhere in `outer`.
fn contains(world: &World, outer: Lot, inner: Lot) -> bool {
    world
        .truth
        .stock()
        .any(|((lot, place), _)| place == Where::In(outer) && (lot == inner || contains(world, lot, inner)))
}

/// A part is taken out, or all that is in it.
pub(super) fn take_out(world: &mut World) -> Option<()> {
    let (parent, party, _) = world.pick(|world, lot, _| world.things[lot].assembly)?;
    let mut parts: Vec<(Lot, i64)> = world
        .truth
        .stock()
        .filter(|((_, place), _)| *place == Where::In(parent))
        .map(|((lot, _), amount)| (lot, amount))
        .collect();
    if parts.is_empty() {
        return None;
    }
    if world.dice.one_in(2) {
        let part = *world.dice.one(&parts);
        parts = vec![(part.0, world.some_of(part.0, part.1))];
    }
    let at = world.at(party);
    for (lot, amount) in &parts {
        let flow = world.draw((*lot, Where::In(parent)), *amount, at);
        world.truth.enter((*lot, Where::Held(party)), *amount, &flow, at);
    }
    let (items, serials) = world.words(party, &parts);
    let disassembled = v1::Disassembled {
        parent: world.name(parent),
        items,
        serials,
        facility: world.place(party),
        operator: world.operator(party),
    };
    world.tell(party, at, Kind::Disassembled(disassembled));
    Some(())
}

/// Sorted into another class: the serials are of that lot from now on, and were of the other.
pub(super) fn grade(world: &mut World) -> Option<()> {
    let (party, serials) = world.serials(6, None)?;
    if serials.iter().any(|serial| world.things[*serial].assembly) {
        return None;
    }
    let into = world.new_thing(party, Form::Pieces, "grade");
    let at = world.at(party);
    let flows: Vec<Flow> = serials
        .iter()
        .map(|serial| world.draw((*serial, Where::Held(party)), 1, at))
        .collect();
    for (serial, own) in serials.iter().zip(&flows) {
        let mut flow = own.clone();
        // One step has them all on both sides.
        for other in &flows {
            flow.maybe(other);
        }
        world.truth.enter((into, Where::Held(party)), 1, &flow, at);
        let flow = world.draw((into, Where::Held(party)), 1, at);
        world.truth.enter((*serial, Where::Held(party)), 1, &flow, at);
        world.things[*serial].class = Some(into);
    }
    let told = v1::Transformed {
        step: "grade".to_owned(),
        facility: world.place(party),
        input_serials: world.runs(&serials),
        output_serials: world.runs(&serials),
        class_lot: world.name(into),
        ..Default::default()
    };
    world.tell(party, at, Kind::Transformed(told));
    Some(())
}

/// Parts with names are built in by number alone: which ones, only the world knows.
pub(super) fn assemble_unnamed(world: &mut World) -> Option<()> {
    let (party, serials) = world.serials(12, None)?;
    let class = world.things[serials[0]].class?;
    let all: Vec<Lot> = world
        .truth
        .stock()
        .filter(|((lot, place), _)| *place == Where::Held(party) && world.things[*lot].class == Some(class))
        .map(|((lot, _), _)| lot)
        .collect();
    // If some have no names it may be any of those as well.
    if world.truth.amount((class, Where::Held(party))) > 0 {
        return None;
    }
    let count = world.dice.within(1, i64::try_from(all.len()).expect("few"));
    let parent = world.new_serials(party, None, 1)[0];
    let at = world.at(party);
    let mut flow = Flow::default();
    for (number, serial) in (0..).zip(&all) {
        world.things[*serial].uncertain = true;
        if number < count {
            let part = world.draw((*serial, Where::Held(party)), 1, at);
            world.truth.enter((*serial, Where::In(parent)), 1, &part, at);
            flow.add(&part);
        } else {
            flow.add(&world.truth.seen((*serial, Where::Held(party))));
        }
    }
    for serial in &all[usize::try_from(count).expect("few")..] {
        // What is not built in may be thought to be.
        world.quiet.insert(*serial);
    }
    world.truth.enter((parent, Where::Held(party)), 1, &flow, at);
    world.made(parent, 1);
    let assembled = v1::Assembled {
        parent: world.name(parent),
        items: vec![world.item(party, class, count)],
        facility: world.place(party),
        ..Default::default()
    };
    world.tell(party, at, Kind::Assembled(assembled));
    Some(())
}

//! Saying that what was said is not so: before anybody relied on it, and after.

use super::{
    super::{
        truth::{At, Flow, Lot, Party},
        world::{Form, World},
    },
    making::held,
    moving::Papers,
};
use crate::wire::v1::{self, event::Kind};

const MINUTE: i64 = crate::provenance::tests::HOUR / 60;

impl World {
    /// Somebody with one key, so that what comes before what is seen in his feed.
    fn somebody_with_one_key(&mut self) -> Option<Party> {
        let party = self.somebody();
        (self.companies[party].keys == 1).then_some(party)
    }

    /// Says something about an event, after it.
    fn tell_about(&mut self, party: Party, at: At, kind: Kind, about: usize) -> usize {
        let number = self.tell_after(party, at, kind, 0);
        let after = self.told[about].signed + MINUTE;
        let same: Vec<usize> = (number..self.told.len()).collect();
        for told in same {
            self.told[told].about = Some(about);
            self.told[told].signed = self.told[told].signed.max(after);
        }
        number
    }

    /// Withdraws an event and says instead what is so.
    fn correct(&mut self, party: Party, wrong: usize, instead: (At, Kind)) -> usize {
        let at = self.at_exactly();
        let right = format!("e{}", self.companies[party].events + 2);
        let corrected = v1::Corrected {
            reason: "wrong lot".to_owned(),
            corrective_ids: vec![right.clone()],
            ..Default::default()
        };
        let number = self.tell_about(party, at, Kind::Corrected(corrected), wrong);
        let corrective = self.tell_after(party, instead.0, instead.1, 0);
        assert_eq!(self.told[corrective].event.id, right, "the next event");
        let after = self.told[number].signed + MINUTE;
        self.told[corrective].signed = self.told[corrective].signed.max(after);
        number
    }
}

fn made_of(world: &World, party: Party, inputs: &[(Lot, i64)], out: (Lot, i64)) -> Kind {
    Kind::Transformed(v1::Transformed {
        step: "convert".to_owned(),
        facility: world.place(party),
        inputs: world.words(party, inputs).0,
        outputs: vec![world.item(party, out.0, out.1)],
        ..Default::default()
    })
}

/// The wrong lot was scanned, which is noticed before anything left.
pub(super) fn correct_wrong_lot(world: &mut World) -> Option<()> {
    let party = world.somebody_with_one_key()?;
    let of = |world: &World, lot: Lot, holder: Party| holder == party && world.form(lot) == Form::Bulk;
    let (lot, _, there) = world.pick(of)?;
    let (other, _, _) =
        world.pick(|world, candidate, holder| of(world, candidate, holder) && candidate != lot)?;
    let amount = world.some_of(lot, there);
    let out = world.bulk_yield(party, &[(lot, amount)])?;
    let made = world.new_thing(party, Form::Bulk, "right");
    let at = world.at_exactly();
    let flow = world.take(party, &[(lot, amount)], at);
    let (_, flow) = world.truth.run(None, &flow);
    world.put(party, &[(made, out)], &[], &flow, at);
    let wrong = made_of(world, party, &[(other, amount)], (made, out));
    let wrong = world.tell_after(party, at, wrong, 0);
    let right = made_of(world, party, &[(lot, amount)], (made, out));
    world.correct(party, wrong, (at, right));
    settle(world);
    Some(())
}

/// What is told next is signed after what was amended.
fn settle(world: &mut World) {
    let last = world.told.iter().rev().take(6).map(|told| told.signed).max();
    world.now = world.now.max(last.unwrap_or(0)).min(world.now + 200 * MINUTE);
}

/// Booked twice, once under another id, and the second one voided.
pub(super) fn void_double(world: &mut World) -> Option<()> {
    let party = world.somebody_with_one_key()?;
    let (lot, _, there) =
        world.pick(|world, lot, holder| holder == party && world.form(lot) == Form::Bulk)?;
    let amount = world.some_of(lot, there);
    let out = world.bulk_yield(party, &[(lot, amount)])?;
    let made = world.new_thing(party, Form::Bulk, "once");
    let at = world.at_exactly();
    let flow = world.take(party, &[(lot, amount)], at);
    let (_, flow) = world.truth.run(None, &flow);
    world.put(party, &[(made, out)], &[], &flow, at);
    let once = made_of(world, party, &[(lot, amount)], (made, out));
    world.tell_after(party, at, once.clone(), 0);
    let twice = world.tell_after(party, at, once, 0);
    let at = world.at_exactly();
    world.tell_about(party, at, Kind::Voided(v1::Voided::default()), twice);
    settle(world);
    Some(())
}

/// Serials printed that nothing was ever labelled with.
pub(super) fn void_printed(world: &mut World) -> Option<()> {
    let party = world.somebody_with_one_key()?;
    let classes: Vec<Lot> = (0..world.things.len())
        .filter(|lot| world.things[*lot].owner == party && world.form(*lot) == Form::Pieces)
        .collect();
    let class = *(!classes.is_empty())
        .then(|| world.dice.one(&classes).to_owned())
        .as_ref()?;
    let count = world.dice.within(1, 6);
    // They are numbers and no things: nothing in the truth has them, and no lot has more members for them.
    let printed = world.new_serials(party, None, count);
    let at = world.at_exactly();
    let commissioned = v1::Commissioned {
        serials: world.runs(&printed),
        class_lot: world.name(class),
        ..Default::default()
    };
    let told = world.tell_after(party, at, Kind::Commissioned(commissioned), 0);
    let at = world.at_exactly();
    world.tell_about(party, at, Kind::Voided(v1::Voided::default()), told);
    settle(world);
    Some(())
}

/// More was booked than was made, some of it was shipped and taken, and what is left covers that.
#[expect(clippy::unnecessary_wraps, reason = "as every operation")]
pub(super) fn correct_covered(world: &mut World) -> Option<()> {
    let maker = world.somebody();
    let customer = world.other(maker);
    let lot = world.new_thing(maker, Form::Pieces, "counted");
    let made = world.dice.within(6, 30);
    let said = made + world.dice.within(1, 9);
    let at = world.at_exactly();
    world.put(maker, &[(lot, made)], &[], &Flow::default(), at);
    let commissioned = |world: &World, amount| {
        Kind::Commissioned(v1::Commissioned {
            facility: world.place(maker),
            items: vec![world.item(maker, lot, amount)],
            ..Default::default()
        })
    };
    let wrong = commissioned(world, said);
    let wrong = world.tell_after(maker, at, wrong, 0);
    let taken = world.dice.within(1, made);
    let number = world.depart(maker, customer, &[(lot, taken)], None);
    world.pass(30, 500);
    let received_at = world.at(customer);
    world.deliver(number, customer, &[taken], received_at, Papers::default());
    world.pass(30, 2_000);
    let right = commissioned(world, made);
    world.correct(maker, wrong, (at, right));
    Some(())
}

/// The wrong lot was booked, the goods are with the customer, and he seconds the correction.
pub(super) fn correct_seconded(world: &mut World) -> Option<()> {
    let (lot, maker, there) = world.pick(|world, lot, _| world.form(lot) == Form::Bulk)?;
    let (other, _, _) = world.pick(|world, candidate, holder| {
        holder == maker && world.form(candidate) == Form::Bulk && candidate != lot
    })?;
    let customer = world.other(maker);
    let amount = world.some_of(lot, there);
    if world.truth.amount(held(other, maker)) < amount {
        return None;
    }
    let out = world.bulk_yield(maker, &[(lot, amount)])?;
    let made = world.new_thing(maker, Form::Bulk, "seconded");
    let at = world.at_exactly();
    let flow = world.take(maker, &[(lot, amount)], at);
    let (_, flow) = world.truth.run(None, &flow);
    world.put(maker, &[(made, out)], &[], &flow, at);
    let wrong = made_of(world, maker, &[(other, amount)], (made, out));
    let wrong = world.tell_after(maker, at, wrong, 0);
    let number = world.depart(maker, customer, &[(made, out)], None);
    world.pass(30, 500);
    let received_at = world.at(customer);
    world.deliver(number, customer, &[out], received_at, Papers::default());
    world.pass(30, 2_000);
    let right = made_of(world, maker, &[(lot, amount)], (made, out));
    let correction = world.correct(maker, wrong, (at, right));
    let at = world.at_exactly();
    let seconded = v1::Certified {
        kind: "second".to_owned(),
        about: world.name(made),
        document: vec![3; 32],
        ..Default::default()
    };
    world.tell_about(customer, at, Kind::Certified(seconded), correction);
    // Whoever took it next would have to second it as well.
    world.quiet.insert(made);
    Some(())
}

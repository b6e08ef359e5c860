//! What holds in every world, how a failing one is shrunk, and how it is run again.

use std::{
    collections::BTreeMap,
    fmt::Write as _,
    sync::{
        Mutex,
        atomic::{AtomicU64, Ordering},
    },
};

use super::{
    arrival::{self, Arrived, Order},
    dice::Dice,
    judge,
    operations::{self, plan},
    world::World,
};
use crate::{
    event,
    provenance::{Anomaly, Bounds, Direction, Projection},
    time::rfc3339,
};

/// A property of one world: what does not hold, in words.
type Property = fn(&World) -> Vec<String>;

fn is_long() -> bool {
    std::env::var("LOTPROOF_LONG").is_ok_and(|value| value == "1")
}

/// A number that the environment gives.
fn number(variable: &str) -> Option<u64> {
    let asked = std::env::var(variable).ok();
    asked.map(|number| number.parse().expect("a number in the environment"))
}

/// The seeds to run: one, or so many, if it is asked for.
fn seeds(ordinary: u64) -> std::ops::Range<u64> {
    match number("LOTPROOF_PLANT_SEED") {
        Some(seed) => seed..seed + 1,
        None if is_long() => 0..ordinary * 10,
        None => 0..number("LOTPROOF_PLANT_COUNT").unwrap_or(ordinary),
    }
}

/// The operations that are kept of a plan: all, unless some are asked for.
fn kept(seed: u64) -> Vec<usize> {
    std::env::var("LOTPROOF_PLANT_OPERATIONS").map_or_else(
        |_| (0..plan(seed).len()).collect(),
        |asked| {
            asked
                .split(',')
                .map(|number| number.parse().expect("LOTPROOF_PLANT_OPERATIONS are numbers"))
                .collect()
        },
    )
}

/// What does not hold in a world; a panic is one of these.
fn failures(seed: u64, kept: &[usize], property: Property) -> Vec<String> {
    let run = || property(&operations::perform(seed, kept));
    std::panic::catch_unwind(run).unwrap_or_else(|panic| {
        let words = panic.downcast_ref::<String>().map(String::as_str);
        vec![format!(
            "panic: {}",
            words.or(panic.downcast_ref::<&str>().copied()).unwrap_or("?")
        )]
    })
}

/// The kind of a failure: its first words without names and numbers, so that shrinking stays with one fault.
fn kind(failure: &str) -> String {
    let is_word = |word: &&str| {
        word.chars()
            .all(|letter| letter.is_ascii_alphabetic() || letter == '_')
    };
    failure
        .split(' ')
        .take(4)
        .filter(is_word)
        .collect::<Vec<_>>()
        .join(" ")
}

/// Leaves out operations as long as it still fails in the same way.
fn shrunk(seed: u64, mut kept: Vec<usize>, property: Property, like: &str) -> Vec<usize> {
    let fails = |kept: &[usize]| {
        failures(seed, kept, property)
            .iter()
            .any(|failure| kind(failure) == like)
    };
    let mut chunk = kept.len() / 2;
    while chunk > 0 {
        let before = kept.len();
        let mut start = 0;
        while start < kept.len() {
            let mut fewer = kept.clone();
            fewer.drain(start..(start + chunk).min(kept.len()));
            if !fewer.is_empty() && fails(&fewer) {
                kept = fewer;
            } else {
                start += chunk;
            }
        }
        // One that had to stay may not have to any more.
        if chunk > 1 || kept.len() == before {
            chunk /= 2;
        }
    }
    kept
}

/// The events of a world, one a line, as somebody would tell them.
fn story(world: &World) -> String {
    let mut story = String::new();
    for (number, told) in world.told.iter().enumerate() {
        let event = &told.event;
        let words = format!("{:?}", event.kind.as_ref().expect("every event has a kind"));
        let empty = [": \"\"", ": []", ": None"];
        let mut short = words.replace("Some(", "(");
        for nothing in empty {
            // Fields that say nothing are left out.
            while let Some(end) = short.find(nothing) {
                let start = short[..end].rfind([' ', '{']).map_or(0, |start| start + 1);
                let stop = (end + nothing.len() + 2).min(short.len());
                let stop = if short[end + nothing.len()..].starts_with(", ") {
                    stop
                } else {
                    end + nothing.len()
                };
                short.replace_range(start..stop, "");
            }
        }
        let _ = writeln!(
            story,
            "  {number:3} {} {} key {} at {} {}{short}",
            world.companies[told.party].id,
            event.id,
            told.key,
            rfc3339(event.event_time),
            told.about
                .map_or(String::new(), |about| format!("about {about} ")),
        );
    }
    story
}

/// Runs a property over all seeds on all cores, and panics with the first failing one, shrunk.
pub(super) fn for_all(test: &str, ordinary: u64, property: Property) -> BTreeMap<&'static str, u64> {
    let seeds = seeds(ordinary);
    let next = AtomicU64::new(seeds.start);
    let failed: Mutex<Vec<u64>> = Mutex::new(Vec::new());
    let mix: Mutex<BTreeMap<&'static str, u64>> = Mutex::new(BTreeMap::new());
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    std::thread::scope(|scope| {
        for _ in 0..cores {
            scope.spawn(|| {
                loop {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed >= seeds.end {
                        break;
                    }
                    let kept = kept(seed);
                    if !failures(seed, &kept, property).is_empty() {
                        failed.lock().expect("no panic holds it").push(seed);
                    }
                    let counts = operations::perform(seed, &kept).counts;
                    let mut mix = mix.lock().expect("no panic holds it");
                    for (operation, count) in counts {
                        *mix.entry(operation).or_default() += count;
                    }
                }
            });
        }
    });
    let mut failed = failed.into_inner().expect("all threads ended");
    failed.sort_unstable();
    if let Some(seed) = failed.first() {
        report(test, *seed, &failed, seeds.end - seeds.start, property);
    }
    mix.into_inner().expect("all threads ended")
}

/// Shrinks as many failing seeds as `LOTPROOF_PLANT_SURVEY` says and prints each, so that faults can be counted.
fn survey(failed: &[u64], property: Property) {
    let Ok(asked) = std::env::var("LOTPROOF_PLANT_SURVEY") else {
        return;
    };
    let most: usize = asked.parse().expect("LOTPROOF_PLANT_SURVEY is a number");
    let next = Mutex::new(failed.iter().take(most));
    std::thread::scope(|scope| {
        for _ in 0..std::thread::available_parallelism().map_or(1, usize::from) {
            scope.spawn(|| {
                while let Some(seed) = next.lock().map_or(None, |mut seeds| seeds.next()) {
                    let first = failures(*seed, &kept(*seed), property);
                    let left = shrunk(*seed, kept(*seed), property, &kind(&first[0]));
                    let names: Vec<&str> = left.iter().map(|number| plan(*seed)[*number].name()).collect();
                    println!(
                        "seed {seed} {names:?} {left:?}\n{}\n{}",
                        failures(*seed, &left, property).join("\n"),
                        story(&operations::perform(*seed, &left))
                    );
                }
            });
        }
    });
}

fn report(test: &str, seed: u64, failed: &[u64], of: u64, property: Property) {
    survey(failed, property);
    let mut kinds: BTreeMap<String, (u64, u64)> = BTreeMap::new();
    for seed in failed.iter().take(50) {
        let found: std::collections::BTreeSet<String> = failures(*seed, &kept(*seed), property)
            .iter()
            .map(|failure| kind(failure))
            .collect();
        for kind in found {
            kinds.entry(kind).or_insert((0, *seed)).0 += 1;
        }
    }
    let first = failures(seed, &kept(seed), property);
    let kept = shrunk(seed, kept(seed), property, &kind(&first[0]));
    let world = operations::perform(seed, &kept);
    let found = failures(seed, &kept, property);
    let numbers: Vec<String> = kept.iter().map(usize::to_string).collect();
    let names: Vec<&str> = kept.iter().map(|number| plan(seed)[*number].name()).collect();
    panic!(
        "{} of {of} seeds fail; kinds of failure in the first 50, with how many seeds and the first: {kinds:?}\n\
         seed {seed} shrunk to {names:?}:\n{}\n{}\n\
         LOTPROOF_PLANT_SEED={seed} LOTPROOF_PLANT_OPERATIONS={} cargo test -p lotproof --lib -- --include-ignored {test}\n",
        failed.len(),
        found.iter().take(12).cloned().collect::<Vec<_>>().join("\n"),
        story(&world),
        numbers.join(","),
    );
}

// ---- The generator itself ----

/// Every event passes the checks that need its bytes alone, refers to registered places, and the truth adds up.
fn is_sound(world: &World) -> Vec<String> {
    let mut found = Vec::new();
    for one in arrival::arrive(world, Order::Mixed(0)) {
        let bytes = bytes::Bytes::from(one.event.clone());
        match event::check(&bytes) {
            Err(error) => found.push(format!("refused: {error} in an event of {}", one.issuer)),
            Ok(checked) => {
                let strange =
                    |place: &&str| world.companies.iter().all(|company| company.facility != **place);
                found.extend(
                    checked
                        .facilities()
                        .find(strange)
                        .map(|place| format!("not registered: {place}")),
                );
            }
        }
    }
    if !world.truth.conserves() {
        found.push("the accounts of the truth do not add up".to_owned());
    }
    for (lot, thing) in world.things.iter().enumerate() {
        let there: i64 = world
            .truth
            .stock()
            .filter(|((other, _), _)| *other == lot)
            .map(|(_, amount)| amount)
            .sum();
        let booked = world.books.get(&lot).copied().unwrap_or(0);
        if there != booked {
            found.push(format!(
                "{} has {there}, and {booked} were made and not used",
                thing.name
            ));
        }
    }
    let ancestry = world.truth.ancestry();
    if !ancestry
        .must
        .iter()
        .zip(&ancestry.may)
        .all(|(must, may)| must.is_subset(may))
    {
        found.push("something is surely so and not possibly".to_owned());
    }
    found
}

/// What rules 5 and 6 are about, by what the generator calls it.
const OF_RULES_5_AND_6: &[&str] = &[
    "PutBack",
    "Rework",
    "TopUp",
    "FillTank",
    "DrawTank",
    "AddPart",
    "TakeOut",
    "Scrap",
    "Recycle",
    "Relabel",
    "Sample",
    "Ship",
    "Receive",
    "PartialReceipt",
    "LateReceipt",
    "ReceiveShort",
    "ReceiveDamaged",
    "ShipOver",
    "Refuse",
    "TakeBack",
    "Withdraw",
    "WithdrawByNumber",
    "Lapse",
    "BlindReturn",
    "CarrierNamed",
    "CarrierReceivesAndShips",
    "CarrierHandsOver",
    "CrossDock",
    "DropShip",
    "BuyOutside",
    "LateSupplier",
    "Load",
    "ReusePallet",
    "ShipPallet",
    "ReceiveUnit",
    "ReceiveItemOfUnit",
    "Unload",
];

#[test]
fn the_generator_tells_sound_stories_and_enough_of_each() {
    let mix = for_all("the_generator_tells", 1_000, is_sound);
    println!("{mix:#?}");
    if seeds(1_000).count() < 1_000 {
        return;
    }
    for operation in OF_RULES_5_AND_6 {
        let count = mix.get(operation).copied().unwrap_or(0);
        assert!(count >= 200, "{operation} happens {count} times");
    }
}

// ---- The projection ----

/// The log of a world in an order that depends on its seed.
pub(super) fn log(world: &World) -> Vec<Arrived> {
    let orders = [Order::Signed, Order::Mixed(1), Order::OneByOne(1)];
    let order = orders[usize::try_from(world.seed % 3).expect("small")];
    arrival::arrive(world, order)
}

#[test]
fn honest_plants_contradict_nobody() {
    for_all("honest_plants_contradict_nobody", 200, |world| {
        judge::anomalies(&arrival::project(&log(world)))
    });
}

#[test]
#[ignore = "open: carriers who sell the same lot and write no number, graded serials that come back, circles through \
            lots from outside"]
fn a_thousand_honest_plants_contradict_nobody() {
    for_all("a_thousand_honest_plants", 1_000, |world| {
        judge::anomalies(&arrival::project(&log(world)))
    });
}

#[test]
#[ignore = "open: what came back under a number only afterwards, members of graded lots"]
fn traces_are_the_reachability_of_the_truth() {
    for_all("traces_are_the_reachability", 1_000, |world| {
        judge::traces(world, &arrival::project(&log(world)))
    });
}

#[test]
#[ignore = "open: lapsed shipments, serials beside takes by number, withdrawals before late receipts"]
fn stock_is_the_truth_or_an_interval_that_holds_it() {
    for_all("stock_is_the_truth", 1_000, |world| {
        judge::stock(world, &arrival::project(&log(world)))
    });
}

/// Everything but positions that can be asked about the things of a world.
fn answers(world: &World, projection: &Projection, names: &[&str]) -> BTreeMap<String, String> {
    let positions = ["leaf_index", "event_number", "recorded_at"];
    let answers = answers_without(&positions, projection, &projection.anomalies(), names);
    assert!(!world.things.is_empty() || answers.len() == 1);
    answers
}

/// The anomalies, and everything that can be asked about these things, without the members of these names.
pub(super) fn answers_without(
    members: &[&str],
    projection: &Projection,
    anomalies: &[Anomaly],
    names: &[&str],
) -> BTreeMap<String, String> {
    let mut answers = BTreeMap::from([("anomalies".to_owned(), text(&anomalies, members))]);
    for name in names {
        answers.insert(format!("lot {name}"), text(&projection.lot(name), members));
        answers.insert(
            format!("custody {name}"),
            text(&projection.custody(name), members),
        );
        for direction in [Direction::Up, Direction::Down] {
            let walk = projection.provenance(name, direction, Bounds::default());
            answers.insert(format!("{direction:?} {name}"), text(&walk, members));
        }
    }
    answers
}

fn text(answer: &impl serde::Serialize, without: &[&str]) -> String {
    let mut value = serde_json::to_value(answer).expect("answers are JSON");
    forget(&mut value, without);
    value.to_string()
}

fn forget(value: &mut serde_json::Value, members: &[&str]) {
    match value {
        serde_json::Value::Object(object) => {
            for member in members {
                object.remove(*member);
            }
            object.values_mut().for_each(|value| forget(value, members));
        }
        serde_json::Value::Array(values) => values.iter_mut().for_each(|value| forget(value, members)),
        _ => {}
    }
}

/// Which answers differ.
fn differences(what: &str, one: &BTreeMap<String, String>, other: &BTreeMap<String, String>) -> Vec<String> {
    one.iter()
        .filter(|(asked, answer)| other.get(*asked) != Some(answer))
        .map(|(asked, answer)| {
            let other = other.get(asked).map_or("", String::as_str);
            let same = answer
                .bytes()
                .zip(other.bytes())
                .take_while(|(one, other)| one == other)
                .count();
            let from = same.saturating_sub(120);
            let near = |text: &str| text.chars().skip(from).take(300).collect::<String>();
            format!("{what} differ on {asked}:\n  {}\n  {}", near(answer), near(other))
        })
        .collect()
}

/// Some of the things of a world, so that a thousand worlds can be asked.
pub(super) fn some_names(world: &World) -> Vec<&str> {
    let every = 1 + world.things.len() / 3;
    world
        .things
        .iter()
        .step_by(every)
        .map(|thing| thing.name.as_str())
        .collect()
}

fn order_does_not_matter(world: &World) -> Vec<String> {
    let names = some_names(world);
    let reference = arrival::project(&arrival::arrive(world, Order::Signed));
    let expected = answers(world, &reference, &names);
    let mut found = Vec::new();
    // One after the other in half of the worlds, anyhow in the others: a thousand of each would take too long.
    let orders = [Order::Mixed(world.seed), Order::OneByOne(world.seed)];
    let chosen = usize::try_from(world.seed % 2).expect("small");
    let order = orders[chosen];
    let projection = arrival::project(&arrival::arrive(world, order));
    if projection.fact_digest() != reference.fact_digest() {
        found.push(format!("fact digests differ in {order:?}"));
    }
    found.extend(differences(
        "orders",
        &expected,
        &answers(world, &projection, &names),
    ));
    found
}

fn asking_in_between_does_not_matter(world: &World) -> Vec<String> {
    let names = some_names(world);
    let log = log(world);
    let reference = arrival::project(&log);
    let mut dice = Dice::of(world.seed, 4_000_000);
    let mut live = Projection::new();
    let mut rest = log.as_slice();
    while !rest.is_empty() {
        let (now, later) = rest.split_at(1 + dice.place(rest.len()).min(12));
        arrival::apply(&mut live, now);
        rest = later;
        if dice.one_in(3) {
            answers(world, &live, &names[dice.place(names.len())..]);
        }
    }
    let mut found = differences(
        "live and replayed",
        &answers(world, &reference, &names),
        &answers(world, &live, &names),
    );
    if live.state_digest() != reference.state_digest() {
        found.push("state digests differ".to_owned());
    }
    found
}

#[test]
fn the_order_of_independent_feeds_does_not_matter_in_any_world() {
    for_all(
        "the_order_of_independent_feeds_does_not_matter_in",
        1_000,
        order_does_not_matter,
    );
}

#[test]
fn replay_equals_live_in_any_world() {
    for_all(
        "replay_equals_live_in_any_world",
        1_000,
        asking_in_between_does_not_matter,
    );
}

//! What the demo's lots come to: where they are from, one verdict each, and the contradictions found.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context as _, Result, ensure};
use lotproof::{
    policy::{Context, Mode, Pack, Question, Verdict, evaluate, load_pack, view::Purpose},
    projector::Projector,
    provenance::{Bounds, Direction},
    simulate::{LotKind, Simulation},
    time::utc_date,
};
use lotproof_ledger::Reading;

use super::step;
use crate::{
    glance::{contradictions, in_words},
    tree::tree,
    words::{range, short, word as text},
};

/// The rule pack, as it lies in the repository.
const S154: &str = include_str!("../../../../policies/us-ndaa-fy2024-s154.toml");
/// The asker's context: who buys, when, and that no end item has been named.
const S154_CONTEXT: &str =
    r#"{"buyer": {"agency": "US-DOD"}, "obligation_date": "2027-11-01", "end_item_assembler": null}"#;
/// Lots of the example chain to explain: a pack, and the black mass recycled from its cells.
const EXAMPLE_LOTS: [&str; 2] = [
    "https://id.gs1.org/01/09521231300017/21/P0001",
    "https://id.gs1.org/01/09521231400014/10/BM-3101",
];
/// How many kinds of missing facts are shown of a verdict.
const MISSING_MAX: usize = 4;

/// The rule pack that the demo judges by, and for whom.
pub(super) fn question() -> Result<(Pack, Context)> {
    let pack = load_pack("us-ndaa-fy2024-s154.toml", S154, Mode::Lenient)?;
    Ok((pack, Context::from_json(S154_CONTEXT.as_bytes())?))
}

/// The same context as parameters of a query.
pub(super) const S154_QUERY: &str = "buyer.agency=US-DOD&obligation_date=2027-11-01&end_item_assembler=null";

/// Prints the trees of the example chain.
pub(super) fn tell_origins(projector: &Projector) -> Result<()> {
    EXAMPLE_LOTS
        .into_iter()
        .try_for_each(|lot| print_origin(projector, lot))
}

fn print_origin(projector: &Projector, lot: &str) -> Result<()> {
    let bounds = Bounds::default();
    let walk = projector.projection().provenance(lot, Direction::Up, bounds);
    let walk = walk.with_context(|| format!("{lot} is not in the log"))?;
    print!("{}", tree(&walk, &bounds));
    Ok(())
}

/// Prints each story's verdict, the first three with where the pack came from, and returns them as JSON.
///
/// # Errors
/// If one is not the story's.
pub(super) fn tell_verdicts(
    projector: &Projector,
    simulation: &Simulation,
) -> Result<BTreeMap<String, serde_json::Value>> {
    step("One verdict each: NDAA FY2024 s.154; DoD buys, obligation 2027-11-01");
    let (pack, context) = question()?;
    let view = projector.projection().view(projector.size(), Purpose::Demo);
    let today = utc_date(Reading::now().wall_nanos).context("a date")?;
    let mut verdicts = BTreeMap::new();
    let mut values = BTreeSet::new();
    for story in simulation.stories() {
        let question = Question {
            lot: &story.pack,
            pack: &pack,
            context: &context,
            params: &BTreeMap::new(),
            evaluation: today,
        };
        let verdict = evaluate(&view, &question)?;
        ensure!(
            serde_json::to_value(verdict.verdict)? == serde_json::to_value(story.verdict)?,
            "{:?} came out {:?}",
            story.kind,
            verdict.verdict
        );
        println!("\n{}: {}", title(story.kind)?, story.pack);
        println!("   the story: {}", story.kind.because());
        // One tree for each value that a verdict can have.
        if values.insert(text(&verdict.verdict)?) {
            print_origin(projector, &story.pack)?;
        }
        print_verdict(&verdict)?;
        let lineage = projector.projection().lineage(&story.pack, usize::MAX);
        let lineage = lineage.with_context(|| format!("{} is not in the log", story.pack))?;
        for line in contradictions(projector.projection(), &story.pack, &lineage).lines() {
            println!("   {line}");
        }
        verdicts.insert(story.pack.clone(), serde_json::to_value(&verdict)?);
    }
    Ok(verdicts)
}

/// A kind of story, in words.
fn title(kind: LotKind) -> Result<String> {
    Ok(text(&kind)?.replace('_', " "))
}

/// On whose word a verdict rests, in one line; which events they are is in its JSON.
fn rests_on(verdict: &Verdict) -> String {
    let said = verdict.rests_on.iter().map(|group| {
        let name = group.name.as_ref().unwrap_or(&group.signer);
        match (group.context.len() + group.params.len(), group.facts.len()) {
            (0, 1) => format!("{name} (1 event)"),
            (0, events) => format!("{name} ({events} events)"),
            (said, _) => format!("the {name} ({said} fields of the context)"),
        }
    });
    format!("on the word of {}", said.collect::<Vec<_>>().join(", "))
}

fn print_verdict(verdict: &Verdict) -> Result<()> {
    println!(
        "   {} ({}){}",
        text(&verdict.verdict)?,
        text(&verdict.basis)?,
        if verdict.fixture {
            ", rests on a fixture list"
        } else {
            ""
        }
    );
    let mut untrue = BTreeSet::new();
    for because in &verdict.because {
        let value = text(&because.value)?;
        if value == "false" {
            untrue.insert(because.test.as_str());
            continue;
        }
        let share = because.share.as_ref().map_or_else(String::new, |share| {
            let bound = |bound: &Option<String>| bound.clone().unwrap_or_else(|| "?".to_owned());
            let (lo, hi) = (bound(&share.lo), bound(&share.hi));
            let range = if lo == hi { lo } else { format!("{lo} to {hi}") };
            format!(": {range} of the {}, asked is {}", share.measure, share.needed)
        });
        println!("   because {} is {value}{share}", because.test);
    }
    if !untrue.is_empty() {
        let untrue: Vec<&str> = untrue.into_iter().collect();
        println!("   not true: {}", untrue.join(", "));
    }
    println!("   {}", rests_on(verdict));
    // Many subjects lack the same fact; each fact is told once.
    let mut facts: BTreeMap<&str, (&str, usize)> = BTreeMap::new();
    for missing in &verdict.missing {
        let fact = missing.path.rsplit('.').next().unwrap_or_default();
        facts.entry(fact).or_insert((&missing.subject, 0)).1 += 1;
    }
    let more = facts.len().saturating_sub(MISSING_MAX);
    for (fact, (subject, count)) in facts.into_iter().take(MISSING_MAX) {
        let others = match count {
            1 => String::new(),
            _ => format!(" and {} more", count - 1),
        };
        println!("   missing {fact} of {subject}{others}");
    }
    if more > 0 {
        println!("   and {more} more kinds of missing facts");
    }
    Ok(())
}

/// Prints the contradictions that the stories are about, and how many there are of each kind.
///
/// # Errors
/// If one was not found.
pub(super) fn tell_contradictions(projector: &Projector, simulation: &Simulation) -> Result<()> {
    step("Contradictions: what a stranger says about a lot weighs on him alone");
    let found = projector.projection().anomalies();
    let name = |party: &str| {
        let name = projector.projection().registered_name(party);
        name.unwrap_or_else(|| short(party).to_owned())
    };
    let told = simulation.stories().into_iter();
    for story in told.filter(|story| !story.anomalies.is_empty()) {
        println!("{}: {}", title(story.kind)?, story.pack);
        for expected in &story.anomalies {
            let anomaly = found
                .iter()
                .find(|anomaly| anomaly.kind.as_str() == expected.kind && anomaly.lot == expected.lot)
                .with_context(|| format!("{:?} at {} was not found", expected.kind, expected.lot))?;
            println!(
                "   {} at {}, signed by {}{}, weighs on the {}: {}",
                anomaly.kind.as_str(),
                range(&anomaly.lot, anomaly.last.as_deref()),
                name(&anomaly.signer),
                if anomaly.by_stranger {
                    " who has no part in it"
                } else {
                    ""
                },
                text(&anomaly.weighs_on)?,
                in_words(projector.projection(), &anomaly.detail)
            );
        }
    }
    let mut counts: BTreeMap<(bool, &str), usize> = BTreeMap::new();
    for anomaly in &found {
        *counts
            .entry((anomaly.by_stranger, anomaly.kind.as_str()))
            .or_default() += 1;
    }
    println!("in all, by kind:");
    for ((by_stranger, kind), count) in counts {
        let by = if by_stranger { ", by strangers" } else { "" };
        println!("   {count:>5} {kind}{by}");
    }
    Ok(())
}

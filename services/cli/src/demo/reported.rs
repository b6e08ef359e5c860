//! `demo --epcis DIR`: other people's documents, imported as *reported* events by one importer.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result};
use lotproof::{
    epcis::{Import, ImportOptions, Origin, import},
    gateway::{intake::kind_name, json},
    policy::{Context as Buyer, Pack, Question, evaluate, view::Purpose},
    projector::Projector,
    provenance::{Bounds, Direction, Step},
    signature::SigningKey,
    time::utc_date,
    wire::v1,
};
use serde_json::Value;

use crate::{
    desk::Desk,
    publishing::{Session, drained},
    stating::Statements,
    tree::step_line,
};

/// Who imports.
pub(super) const IMPORTER: &str = "https://importer.example/";
/// How many lots are explained.
const LOTS_MAX: usize = 3;
/// How many missing facts are listed for each.
const MISSING_MAX: usize = 6;

/// The documents in a folder, in order of their names.
fn documents(folder: &Path) -> Result<Vec<PathBuf>> {
    let read = fs::read_dir(folder).with_context(|| format!("reading {}", folder.display()))?;
    let mut paths = read.map(|entry| Ok(entry?.path())).collect::<Result<Vec<_>>>()?;
    paths.retain(|path| {
        path.extension()
            .is_some_and(|end| end == "json" || end == "jsonld")
    });
    paths.sort();
    Ok(paths)
}

/// Imports every document of a folder and publishes its events; the lots that they make, at most a few.
pub(super) async fn publish_reported(
    session: &Session,
    key: SigningKey,
    folder: &Path,
) -> Result<Vec<String>> {
    let desk = Desk::open(session, IMPORTER, key).await?;
    let options = ImportOptions {
        origin: Origin::Reported { claimed_party: None },
        ..ImportOptions::default()
    };
    let mut lots = Vec::new();
    for path in documents(folder)? {
        let name = path
            .file_name()
            .map(|name| name.to_string_lossy().into_owned())
            .unwrap_or_default();
        let imported = match import(&fs::read(&path)?, &options) {
            Ok(imported) => imported,
            Err(error) => {
                println!("{name}: no EPCIS document: {error}");
                continue;
            }
        };
        print_mapping(&name, &imported);
        lots.extend(imported.events.iter().flat_map(|event| made_by(&event.event)));
        let plan = desk.plan(Statements::from(imported).events);
        let done = desk.carry_out(session, plan).await?;
        if done.known + done.declared > 0 {
            println!("   {} known before, {} declared wrong", done.known, done.declared);
        }
        for why in done.refused {
            println!("   {why}");
        }
    }
    let statements = drained(session, &desk.publisher, &String::new).await?;
    println!("{statements} statements of the importer, every receipt proven");
    let mut seen = BTreeSet::new();
    lots.retain(|lot| seen.insert(lot.clone()));
    Ok(lots)
}

fn print_mapping(name: &str, imported: &Import) {
    let mut kinds: BTreeMap<&str, u32> = BTreeMap::new();
    for event in &imported.events {
        *kinds
            .entry(event.event.kind.as_ref().map_or("event", kind_name))
            .or_default() += 1;
    }
    let kinds: Vec<String> = kinds
        .iter()
        .map(|(kind, count)| format!("{count} {kind}"))
        .collect();
    let kinds = if kinds.is_empty() {
        "nothing taken".to_owned()
    } else {
        kinds.join(", ")
    };
    println!("{name}: {kinds}; {} refused", imported.refused.len());
    let mut notes: BTreeMap<&str, u32> = BTreeMap::new();
    let findings = imported.events.iter().flat_map(|event| &event.findings);
    for finding in findings.chain(&imported.findings) {
        *notes.entry(finding.code.as_str()).or_default() += 1;
    }
    if !notes.is_empty() {
        let notes: Vec<String> = notes
            .iter()
            .map(|(code, count)| format!("{count} {code}"))
            .collect();
        println!("   {}", notes.join(", "));
    }
    for refused in &imported.refused {
        for finding in &refused.findings {
            println!("   {finding}");
        }
    }
}

/// The lots that an event made or assembled.
fn made_by(event: &v1::Event) -> Vec<String> {
    let event = json::write(event);
    let texts = |path: &str| {
        event
            .pointer(path)
            .and_then(Value::as_array)
            .cloned()
            .unwrap_or_default()
    };
    let mut made = Vec::new();
    for path in ["/transformed/outputs", "/recycled/outputs", "/commissioned/items"] {
        made.extend(
            texts(path)
                .iter()
                .filter_map(|item| item["lot"].as_str())
                .map(str::to_owned),
        );
    }
    for path in ["/transformed/output_serials", "/commissioned/serials"] {
        made.extend(texts(path).iter().filter_map(Value::as_str).map(str::to_owned));
    }
    made.extend(
        event
            .pointer("/assembled/parent")
            .and_then(Value::as_str)
            .map(str::to_owned),
    );
    made
}

/// Of a few lots: every fact with its assurance, and what is missing for a verdict.
pub(super) fn explain(
    projector: &Projector,
    lots: &[String],
    pack: &Pack,
    context: &Buyer,
    now_nanos: i64,
) -> Result<()> {
    let today = utc_date(now_nanos).context("a date")?;
    let view = projector.projection().view(projector.size(), Purpose::Demo);
    // Those with the longest known history first: they say most.
    let mut walks: Vec<_> = lots
        .iter()
        .filter_map(|lot| {
            projector
                .projection()
                .provenance(lot, Direction::Up, Bounds::default())
        })
        .collect();
    walks.sort_by_key(|walk| std::cmp::Reverse(walk.steps.len()));
    // Serials of one class share their history: told once.
    let mut told = BTreeSet::new();
    walks.retain(|walk| {
        let place = |step: &Step| (step.leaf_index, step.event_number);
        told.insert(walk.steps.iter().map(place).collect::<Vec<_>>())
    });
    for walk in walks.iter().take(LOTS_MAX) {
        println!("{}", walk.root);
        for step in &walk.steps {
            println!("   {} ({})", step_line(walk, step), step.assurance.as_str());
        }
        let params = BTreeMap::new();
        let question = Question {
            lot: &walk.root,
            pack,
            context,
            params: &params,
            evaluation: today,
        };
        let verdict = evaluate(&view, &question)?;
        println!(
            "   verdict {}",
            serde_json::to_value(verdict.verdict)?
                .as_str()
                .unwrap_or_default()
        );
        for missing in verdict.missing.iter().take(MISSING_MAX) {
            println!("   missing {} of {}", missing.path, missing.subject);
        }
        let more = verdict.missing.len().saturating_sub(MISSING_MAX);
        if more > 0 {
            println!("   and {more} more");
        }
    }
    Ok(())
}

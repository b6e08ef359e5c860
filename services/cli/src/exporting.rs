//! `export`: events of a log as an EPCIS 2.0 document, after the whole log has been audited.

use std::{collections::BTreeMap, path::PathBuf};

use anyhow::{Context as _, Result, ensure};
use clap::Args;
use lotproof::{
    audit::{AuditOptions, LogSource, Report, audit},
    code::Outcome as Decision,
    entry::{Body, Entry},
    envelope::Envelope,
    epcis::{EpcFormat, ErrorDeclaration, ExportOptions, NotExportable, declare_wrong, export, name_by_uri},
    event::parts::join_parts,
    gateway::json,
    id::FeedId,
    identifier,
    log::{hash::leaf_hash, tree::Frontier},
    projector::Projector,
    provenance::Direction,
    shell::durable,
    wire::v1::{self, event::Kind},
};
use prost::Message as _;
use serde_json::Value;

use crate::{
    Outcome,
    auditing::{open_source, print_report, read_trust},
    lots::{Reach, each_entry},
    tree::left_out,
};

/// `lotproof export`
#[derive(Debug, Args)]
pub(crate) struct Export {
    /// The lot, serial or class, in any spelling: events that name it
    #[arg(value_name = "LOT", required_unless_present = "all", conflicts_with = "all")]
    identifier: Option<String>,
    /// Every event of the log
    #[arg(long)]
    all: bool,
    /// And the events that name what the lot was made from
    #[arg(long, conflicts_with = "all")]
    provenance: bool,
    #[command(flatten)]
    reach: Reach,
    /// The log: a URL, or the folder of a mirror
    #[arg(long)]
    log: String,
    /// Trust file: origin, log id and keys that you pinned
    #[arg(long)]
    trust: PathBuf,
    /// Identifiers as their senders spelled them, instead of in normal form
    #[arg(long)]
    as_sent: bool,
    /// Write the document there instead of printing it
    #[arg(long)]
    out: Option<PathBuf>,
}

impl Export {
    pub(crate) fn run(self) -> Result<Outcome> {
        let trust = read_trust(&self.trust)?;
        let source = open_source(&self.log)?;
        let report = audit(source.as_ref(), &trust, &AuditOptions::default())?;
        if !report.is_clean() {
            print_report(&report, false)?;
            return Ok(Outcome::Findings);
        }
        let mut not_followed = Vec::new();
        let (mut events, projector) = read_events(source.as_ref(), &report)?;
        if let Some(sent) = &self.identifier {
            let lot = identifier::normalise(sent).with_context(|| format!("lot {sent}"))?;
            let lots = if self.provenance {
                let (lots, cut) = behind(&projector, &lot, self.reach)?;
                not_followed = cut;
                lots
            } else {
                Lots::only(&lot)
            };
            events.retain(|event| names_one_of(&json::write(event), &lots));
            ensure!(!events.is_empty(), "the log has no event about {lot}");
        }
        let options = ExportOptions {
            epc_format: if self.as_sent {
                EpcFormat::AsSent
            } else {
                EpcFormat::DigitalLink
            },
            created_at: None,
        };
        let exported = export(&events, &options);
        tell_left_out(&exported.not_exportable);
        let count = events.len() - exported.not_exportable.len();
        eprintln!("{count} of {} events are in the document", events.len());
        let text = serde_json::to_string_pretty(&exported.document)?;
        match &self.out {
            Some(path) => durable::write(path, text.as_bytes())
                .with_context(|| format!("writing {}", path.display()))?,
            None => println!("{text}"),
        }
        // The document itself has no place for it.
        for line in &not_followed {
            eprintln!("the document is not complete: {line}");
        }
        Ok(if not_followed.is_empty() {
            Outcome::Clean
        } else {
            Outcome::Findings
        })
    }
}

/// Says which events are not in the document: whole kinds as counts, others each by itself.
fn tell_left_out(left_out: &[NotExportable]) {
    let mut kinds: BTreeMap<&str, usize> = BTreeMap::new();
    for event in left_out {
        if event.findings.is_empty() {
            *kinds.entry(event.kind.as_ref()).or_default() += 1;
            continue;
        }
        let why: Vec<String> = event.findings.iter().map(ToString::to_string).collect();
        eprintln!(
            "not in the document: {} {}: {}",
            event.kind,
            event.id,
            why.join("; ")
        );
    }
    for (kind, count) in kinds {
        eprintln!("not in the document: {count} {kind}, which EPCIS has no form for");
    }
}

/// The admitted events of an audited log, long ones joined, with ids that are URIs; and what they add up to. Where an
/// event was taken back or corrected stands what EPCIS has for that.
fn read_events(source: &dyn LogSource, report: &Report) -> Result<(Vec<v1::Event>, Projector)> {
    let (size, root) = report.size.zip(report.root).context("the audit saw no head")?;
    let mut frontier = Frontier::new();
    let mut projector = Projector::new();
    let mut events = Vec::new();
    let mut open: BTreeMap<FeedId, Vec<v1::Event>> = BTreeMap::new();
    let mut stated = Places::new();
    let log_id = report.log_id;
    each_entry(source, size, |bytes| {
        let index = projector.size();
        frontier.push(leaf_hash(bytes));
        projector.take(bytes)?;
        let Body::Statement {
            envelope,
            outcome: Decision::Admitted,
        } = Entry::decode(bytes)?.body
        else {
            return Ok(());
        };
        let envelope = Envelope::decode(envelope)?;
        for (number, bytes) in envelope.events().iter().enumerate() {
            let event = v1::Event::decode(bytes.clone())?;
            let mut event = match event.part {
                None => event,
                Some(part) => {
                    let parts = open.entry(envelope.header().feed).or_default();
                    if part.number == 1 {
                        parts.clear();
                    }
                    parts.push(event);
                    if part.number < part.count {
                        continue;
                    }
                    join_parts(&std::mem::take(parts))?
                }
            };
            name_by_uri(&mut event, || format!("urn:lotproof:{log_id}:{index}:{number}"));
            let place = (index.get(), u32::try_from(number)?);
            let issuer = &envelope.header().issuer;
            if let Some(again) = stated_again(&events, &stated, issuer, &event) {
                event = again;
            }
            stated.insert(place, (issuer.clone(), events.len()));
            events.push(event);
        }
        Ok(())
    })?;
    let head = frontier.head();
    ensure!(
        head.size == size && head.root == root,
        "the log served other entries than those that were audited"
    );
    Ok((events, projector))
}

/// By place in the log: who stated an event, and which of the events read it is.
type Places = BTreeMap<(u64, u32), (String, usize)>;

/// Of an event that takes back or corrects another of its issuer's: the other, as EPCIS has it, with an error
/// declaration.
fn stated_again(events: &[v1::Event], stated: &Places, issuer: &str, event: &v1::Event) -> Option<v1::Event> {
    let (wrong, reason, corrective_ids) = match event.kind.as_ref()? {
        Kind::Corrected(corrected) => (
            corrected.event?,
            &corrected.reason,
            corrected.corrective_ids.clone(),
        ),
        Kind::Voided(voided) => (voided.event?, &voided.reason, Vec::new()),
        _ => return None,
    };
    let (_, wrong) = stated
        .get(&(wrong.leaf_index, wrong.event_number))
        .filter(|(by, _)| by == issuer)?;
    let mut again = events.get(*wrong)?.clone();
    let declaration = ErrorDeclaration {
        declaration_time: event.event_time,
        reason: reason.clone(),
        corrective_ids,
    };
    declare_wrong(&mut again, &declaration);
    Some(again)
}

/// Identifiers, runs of serials among them.
#[derive(Debug, Default)]
struct Lots {
    /// By length and first identifier: the last one.
    runs: BTreeMap<(usize, String), String>,
}

impl Lots {
    fn only(lot: &str) -> Self {
        let mut lots = Self::default();
        lots.add(lot.to_owned(), None);
        lots
    }

    fn add(&mut self, first: String, last: Option<String>) {
        let last = last.unwrap_or_else(|| first.clone());
        self.runs.insert((first.len(), first), last);
    }

    /// Whether the identifier is one of these.
    fn contains(&self, lot: &str) -> bool {
        let key = (lot.len(), lot.to_owned());
        let Some(((len, first), last)) = self.runs.range(..=key).next_back() else {
            return false;
        };
        // Serials of a run differ in their last digits.
        let stem = first.trim_end_matches(|letter: char| letter.is_ascii_digit());
        let numbered = |lot: &str| {
            lot.strip_prefix(stem)
                .is_some_and(|number| number.bytes().all(|byte| byte.is_ascii_digit()))
        };
        lot == first || *len == lot.len() && lot <= last.as_str() && numbered(lot)
    }
}

/// The lot and what it was made from; and in words what of that was not followed.
fn behind(projector: &Projector, lot: &str, reach: Reach) -> Result<(Lots, Vec<String>)> {
    let walk = projector
        .projection()
        .provenance(lot, Direction::Up, reach.bounds())
        .with_context(|| format!("the log has no event about {lot}"))?;
    let mut lots = Lots::default();
    for node in walk.nodes {
        lots.add(node.lot, node.last);
    }
    Ok((lots, left_out(&walk.left_out, &reach.bounds())))
}

/// Whether any value is one of these identifiers.
fn names_one_of(value: &Value, lots: &Lots) -> bool {
    match value {
        Value::String(text) => lots.contains(text),
        Value::Array(values) => values.iter().any(|value| names_one_of(value, lots)),
        Value::Object(members) => members.values().any(|value| names_one_of(value, lots)),
        Value::Null | Value::Bool(_) | Value::Number(_) => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_of_serials_is_found_by_each_of_its_serials() {
        let mut lots = Lots::only("urn:lot:9");
        lots.add("urn:cell:S08".to_owned(), Some("urn:cell:S12".to_owned()));
        for (lot, is_one) in [
            ("urn:lot:9", true),
            ("urn:lot:8", false),
            ("urn:lot:90", false),
            ("urn:cell:S07", false),
            ("urn:cell:S08", true),
            ("urn:cell:S10", true),
            ("urn:cell:S12", true),
            ("urn:cell:S13", false),
            ("urn:cell:S0x", false),
            ("urn:cell:S1", false),
            ("urn:cell:S", false),
        ] {
            assert_eq!(lots.contains(lot), is_one, "{lot}");
        }
    }
}

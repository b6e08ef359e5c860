//! What a file says: an EPCIS document or events as JSON of our own, and what there is to tell about each event.

use std::{collections::BTreeMap, fs, path::Path};

use anyhow::{Context as _, Result, bail, ensure};
use lotproof::{
    epcis::{Code, ErrorDeclaration, Finding, Import, ImportOptions, ImportedEvent, Origin, import},
    gateway::json,
    id::Hash,
    wire::v1,
};
use serde_json::Value;

/// Most lines about what was mended, carried or derived; the rest is told as counts.
const NOTES_MAX: usize = 40;

/// Shortest file of which it is said that it is being read.
const TOLD_LEN_MIN: usize = 4 << 20;

/// An event that somebody states, or states again as wrong.
#[derive(Debug)]
pub(crate) struct Stated {
    /// Zero-based place in its document.
    pub(crate) position: usize,
    /// Uncut.
    pub(crate) event: v1::Event,
    /// What was wrong with it, if it was.
    pub(crate) declaration: Option<ErrorDeclaration>,
}

/// A document's events.
#[derive(Debug)]
pub(crate) struct Statements {
    pub(crate) events: Vec<Stated>,
    /// How many of the document's events cannot be published; why was printed.
    pub(crate) refused: usize,
}

impl From<Import> for Statements {
    fn from(imported: Import) -> Self {
        let stated = imported.events.into_iter().map(|event| Stated {
            position: event.position,
            event: event.event,
            declaration: event.error_declaration,
        });
        Self {
            events: stated.collect(),
            refused: imported.refused.len(),
        }
    }
}

/// Reads a file, and prints what there is to say about it.
///
/// # Errors
/// If it cannot be read, is neither, or has no events; or if any event of our own JSON is at fault.
pub(crate) fn read(path: &Path, reported: bool) -> Result<Statements> {
    let bytes = fs::read(path).with_context(|| format!("reading {}", path.display()))?;
    if bytes.len() > TOLD_LEN_MIN {
        eprintln!("reading {}, {} MiB", path.display(), bytes.len() >> 20);
    }
    let read = if is_own_json(path, &bytes) {
        ensure!(
            !reported,
            "events as JSON of our own say `reported` themselves; `--reported` is for EPCIS documents"
        );
        own_json(&bytes)
    } else {
        epcis(&bytes, reported)
    };
    read.with_context(|| path.display().to_string())
}

fn epcis(bytes: &[u8], reported: bool) -> Result<Statements> {
    let mut options = ImportOptions::default();
    if reported {
        options.origin = Origin::Reported { claimed_party: None };
    }
    let imported = import(bytes, &options)?;
    print_import(&imported);
    ensure!(
        !imported.events.is_empty() || !imported.refused.is_empty(),
        "the document has no events"
    );
    Ok(imported.into())
}

/// Whether a file holds events of our own. As in a gateway's drop folder, EPCIS is what is named `.jsonld`, or has a
/// member that every EPCIS document or event has.
fn is_own_json(path: &Path, bytes: &[u8]) -> bool {
    if path.extension().is_some_and(|end| end == "jsonld") {
        return false;
    }
    let is_epcis = |value: &Value| {
        ["@context", "epcisBody", "eventTime"]
            .iter()
            .any(|name| value.get(name).is_some())
    };
    match json::parse(bytes) {
        Ok(Value::Array(events)) => !events.first().is_some_and(is_epcis),
        Ok(value) => !is_epcis(&value),
        Err(_) => false,
    }
}

fn own_json(bytes: &[u8]) -> Result<Statements> {
    let document = Hash::of(&[bytes]);
    let (events, is_list) = match json::parse(bytes)? {
        Value::Array(events) => (events, true),
        event => (vec![event], false),
    };
    ensure!(!events.is_empty(), "the list has no events");
    let mut stated = Vec::with_capacity(events.len());
    let mut faults = Vec::new();
    let mut notes = Vec::new();
    for (position, value) in events.iter().enumerate() {
        let path = if is_list {
            format!("/{position}")
        } else {
            String::new()
        };
        let id = || format!("urn:lotproof:file:{document}:{position}");
        match json::read(value, &path, id) {
            Ok(read) => {
                notes.extend(read.findings.into_iter().map(|finding| Finding {
                    position: Some(position),
                    ..finding
                }));
                stated.push(Stated {
                    position,
                    event: read.event,
                    declaration: read.error_declaration,
                });
            }
            Err(found) => faults.extend(found),
        }
    }
    if !faults.is_empty() {
        for fault in &faults {
            eprintln!("{}: {}", place(&fault.path), fault.message);
        }
        bail!("{} fields are at fault; nothing was published", faults.len());
    }
    print_notes(notes.iter());
    println!("{} events taken, 0 refused", stated.len());
    Ok(Statements {
        events: stated,
        refused: 0,
    })
}

/// What an import mended, carried, derived or refused: one line each, those of refused events all of them.
fn print_import(imported: &Import) {
    let notes = imported.events.iter().flat_map(|event| &event.findings);
    let mut notes: Vec<&Finding> = imported.findings.iter().chain(notes).collect();
    // What an event was not understood to say comes before what was merely carried along.
    notes.sort_by_key(|note| !note.code.is_about_meaning());
    print_notes(notes.into_iter());
    for refused in &imported.refused {
        for finding in &refused.findings {
            eprintln!(
                "event {} refused: {} at {}: {}",
                refused.position,
                finding.code,
                place(&finding.path),
                finding.detail
            );
        }
    }
    println!(
        "{} events taken, {} refused",
        imported.events.len(),
        imported.refused.len()
    );
    let is_observed = |event: &&ImportedEvent| {
        let mut findings = event.findings.iter();
        findings.any(|finding| finding.code == Code::ObservedOnly)
    };
    let observed = imported.events.iter().filter(is_observed).count();
    if observed > 0 {
        println!(
            "{observed} of them understood as an observation only: they change no stock, custody or title"
        );
    }
}

fn print_notes<'a>(notes: impl Iterator<Item = &'a Finding>) {
    let mut untold: BTreeMap<&str, usize> = BTreeMap::new();
    for (number, note) in notes.enumerate() {
        if number >= NOTES_MAX {
            *untold.entry(note.code.as_str()).or_default() += 1;
            continue;
        }
        match note.position {
            Some(position) => {
                eprintln!(
                    "event {position}: {} at {}: {}",
                    note.code,
                    place(&note.path),
                    note.detail
                );
            }
            // Members beside the events belong to none, and so do not go into the log.
            None => eprintln!(
                "document, not published: {} at {}: {}",
                note.code, note.path, note.detail
            ),
        }
    }
    if !untold.is_empty() {
        let counts: Vec<String> = untold
            .iter()
            .map(|(code, count)| format!("{count} {code}"))
            .collect();
        eprintln!("and {} more of the kind", counts.join(", "));
    }
}

/// A JSON pointer, for people.
fn place(path: &str) -> &str {
    if path.is_empty() {
        "the event as a whole"
    } else {
        path
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const EVENT: &str = r#"{"id": "MES-1", "event_time": "2026-02-02T08:00:00+09:00",
        "scrapped": {"items": [{"lot": "https://id.gs1.org/01/09521231100013/10/A"}]}}"#;

    fn read_text(name: &str, text: &str) -> Result<Statements> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(name);
        fs::write(&path, text).unwrap();
        read(&path, false)
    }

    #[test]
    fn events_as_json_and_epcis_documents_are_told_apart() {
        let read = read_text("a.json", &format!("[{EVENT}]")).unwrap();
        assert_eq!(read.events[0].event.id, "MES-1");
        let epcis = r#"{"type": "ObjectEvent", "eventID": "urn:x:1", "eventTime": "2026-02-02T08:00:00Z",
            "eventTimeZoneOffset": "+00:00", "action": "OBSERVE", "epcList": ["urn:epc:id:sscc:9521230.0000000001"]}"#;
        assert_eq!(read_text("b.json", epcis).unwrap().events[0].event.id, "urn:x:1");
    }

    #[test]
    fn an_error_names_its_file() {
        for (text, why) in [
            ("", "nothing in it"),
            ("{", "EOF"),
            (r#"{"a": 1}"#, "neither epcisBody"),
        ] {
            let error = format!("{:#}", read_text("x.jsonld", text).unwrap_err());
            assert!(error.contains("x.jsonld") && error.contains(why), "{error}");
        }
    }

    #[test]
    fn events_without_id_get_one_that_depends_on_the_file_alone() {
        let text = EVENT.replace(r#""id": "MES-1", "#, "");
        let ids = [(); 2].map(|()| read_text("a.json", &text).unwrap().events[0].event.id.clone());
        assert_eq!(ids[0], ids[1]);
        assert!(ids[0].starts_with("urn:lotproof:file:"));
    }
}

//! Documents written by others, read where they are.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

use serde_json::Value;

use super::{
    ExportOptions, ImportOptions, Strictness, data, export, exports_as_it_came, import, imported, normal_form,
};
use crate::epcis::{Code, EpcFormat, EpcisError, Weight};

const FOLDERS: [&str; 4] = [
    "openepcis-test-resources",
    "openepcis-dpp-ready",
    "epcis-event-hash-generator",
    "openepcis-event-sentry",
];

fn files(folder: &Path, found: &mut Vec<PathBuf>) {
    let mut entries: Vec<PathBuf> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    entries.sort();
    for path in entries {
        if path.is_dir() {
            files(&path, found);
        } else if path
            .extension()
            .is_some_and(|end| end == "json" || end == "jsonld")
        {
            found.push(path);
        }
    }
}

fn corpus() -> Option<(PathBuf, Vec<PathBuf>)> {
    let data = data()?;
    let mut found = Vec::new();
    for folder in FOLDERS {
        files(&data.join(folder), &mut found);
    }
    Some((data, found))
}

const STRICT: ImportOptions = ImportOptions {
    strictness: Strictness::Strict,
    origin: super::Origin::Own,
    whole_view: true,
    document_len_max: 64 << 20,
    events_max: 100_000,
};

#[test]
fn every_document_imports_or_is_refused_by_name() {
    let Some((data, files)) = corpus() else {
        println!("skipped: every_document_imports_or_is_refused_by_name, data absent");
        return;
    };
    let (mut documents, mut events, mut refused, mut mended) = (0, 0, 0, 0);
    let mut kinds: BTreeMap<String, usize> = BTreeMap::new();
    for file in &files {
        let bytes = fs::read(file).unwrap();
        let shown = file.strip_prefix(&data).unwrap().display();
        let value: Value = serde_json::from_slice(&bytes).unwrap();
        let has_events = value.get("epcisBody").is_some() || value.get("eventTime").is_some();
        match import(&bytes, &ImportOptions::default()) {
            Ok(_) => {
                assert!(has_events, "{shown}");
                let import = imported(&bytes, &ImportOptions::default());
                documents += 1;
                events += import.events.len();
                refused += import.refused.len();
                for event in &import.events {
                    *kinds.entry(super::kind_name(&event.event)).or_default() += 1;
                    mended += usize::from(
                        event
                            .findings
                            .iter()
                            .any(|finding| finding.code.weight() == Weight::Repair),
                    );
                }
                for refused in &import.refused {
                    for finding in refused
                        .findings
                        .iter()
                        .filter(|finding| finding.code.weight() == Weight::Fault)
                    {
                        println!("{shown}: {finding}");
                    }
                }
                for epc_format in [EpcFormat::DigitalLink, EpcFormat::AsSent] {
                    exports_as_it_came(
                        &bytes,
                        &import,
                        &ExportOptions {
                            epc_format,
                            ..ExportOptions::default()
                        },
                    );
                }
                // What was exported is clean, whatever it was made of.
                let exported = export(
                    &import
                        .events
                        .iter()
                        .map(|event| event.event.clone())
                        .collect::<Vec<_>>(),
                    &ExportOptions::default(),
                );
                let bytes = serde_json::to_vec(&exported.document).unwrap();
                let again = imported(&bytes, &STRICT);
                assert_eq!(again.refused, [], "{shown}");
                assert_eq!(again.events.len(), import.events.len());
                exports_as_it_came(&bytes, &again, &ExportOptions::default());
            }
            Err(error) => assert!(!has_events, "{shown}: {error}"),
        }
    }
    println!("{documents} documents, {events} events of which {mended} mended, {refused} refused; {kinds:?}");
    assert!(
        documents > 80 && events > 150,
        "{documents} documents, {events} events"
    );
}

/// Departures from CBV and from the GS1 General Specifications that the JSON schema has no means to see.
const CBV_ONLY: [Code; 3] = [Code::ClassMoved, Code::InstanceTwice, Code::BadIdentifier];

/// Why strict import refuses events of a document.
fn why_codes(bytes: &[u8]) -> Vec<Code> {
    let import = import(bytes, &STRICT).unwrap();
    let findings = import.refused.into_iter().flat_map(|refused| refused.findings);
    findings
        .map(|finding| finding.code)
        .filter(|code| code.weight() > Weight::Note)
        .collect()
}

/// Verdicts of an independent validator of the GS1 schema. Where ours differ, there is a reason.
#[test]
fn strict_import_agrees_with_the_schema() {
    let Some(data) = data() else {
        println!("skipped: strict_import_agrees_with_the_schema, data absent");
        return;
    };
    let verdicts = fs::read(data.join("derived/epcis-json-schema-verdicts.json")).unwrap();
    let verdicts: Value = serde_json::from_slice(&verdicts).unwrap();
    let mut disagreements = Vec::new();
    let (mut count, mut beyond_schema) = (0, 0);
    for (file, verdict) in verdicts["files"].as_object().unwrap() {
        let bytes = fs::read(data.join(file)).unwrap();
        let (valid, why) = match import(&bytes, &STRICT) {
            Ok(import) => (import.refused.is_empty(), format!("{:?}", import.refused)),
            Err(EpcisError::Document(findings)) => (false, format!("{findings:?}")),
            Err(error) => (false, error.to_string()),
        };
        count += 1;
        if verdict["valid_after_removing_underscore_keys"] == Value::Bool(true) {
            let lenient = import(&bytes, &ImportOptions::default()).unwrap();
            assert_eq!(lenient.refused, [], "{file}: valid once mended");
        }
        if verdict["valid"] != Value::Bool(valid) {
            // A schema cannot see that two spellings are one thing, nor what is a class.
            if verdict["valid"] == Value::Bool(true)
                && why_codes(&bytes).iter().all(|code| CBV_ONLY.contains(code))
            {
                beyond_schema += 1;
                continue;
            }
            disagreements.push(format!(
                "{file}: schema says {}, we say {valid}: {why}",
                verdict["valid"]
            ));
        }
    }
    println!(
        "{count} verdicts, {beyond_schema} refused beyond the schema, {} disagreements",
        disagreements.len()
    );
    for line in &disagreements {
        println!("{line}");
    }
    assert!(count > 80);
    assert_eq!(disagreements.len(), 0);
}

#[test]
fn exports_of_valid_documents_say_the_same() {
    let Some((data, files)) = corpus() else {
        println!("skipped: exports_of_valid_documents_say_the_same, data absent");
        return;
    };
    let mut same = 0;
    for file in files {
        let bytes = fs::read(&file).unwrap();
        let Ok(strict) = import(&bytes, &STRICT) else {
            continue;
        };
        if !strict.refused.is_empty() || strict.events.is_empty() {
            continue;
        }
        let events: Vec<_> = strict.events.into_iter().map(|event| event.event).collect();
        let document: Value = serde_json::from_slice(&bytes).unwrap();
        let exported = export(&events, &ExportOptions::default()).document;
        assert_eq!(
            normal_form(&exported),
            normal_form(&document),
            "{}",
            file.strip_prefix(&data).unwrap().display()
        );
        same += 1;
    }
    println!("{same} documents say the same after import and export");
    assert!(same > 30, "{same}");
}

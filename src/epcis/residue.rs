//! What travels beside an imported event: the members that no field of ours holds, as they came.
//!
//! ```text
//! {
//!   "@context": [...],                 the prefixes that the members use
//!   member: value, ...                 EPCIS members and extensions, mended but not interpreted
//!   "lotproof": {
//!     "absent":   [name, ...]          members that we would write and the document did not have
//!     "spelling": {normal: sent, ...}  beginnings of identifiers: ours, and the sender's
//!     "also":     {sent: normal, ...}  further spellings of the same identifiers
//!     "units":    [code, ...]          units that meant pieces
//!   }
//! }
//! ```

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value};

use super::{
    check::pointer,
    context::Context,
    finding::{Code, Findings},
    import::ErrorDeclaration,
    normal,
    vocabulary::{Family, Word},
};
use crate::wire::{form, v1};

/// Name of our own part of a residue. No EPCIS member and no extension can have it: it has no colon.
const OURS: &str = "lotproof";

/// What is left of an event after reading.
#[derive(Debug, Default)]
pub(super) struct Residue {
    pub(super) context: Option<Value>,
    pub(super) members: Map<String, Value>,
    pub(super) absent: Vec<String>,
    pub(super) spelling: BTreeMap<String, String>,
    pub(super) also: BTreeMap<String, String>,
    pub(super) units: BTreeSet<String>,
}

impl Residue {
    /// The difference between an event and what was understood of it.
    ///
    /// `original` is the event after mending, `normal` its sorted normal form, `rendered` the sorted normal form
    /// of our event without residue.
    pub(super) fn difference(
        original: &Map<String, Value>,
        context: &Context,
        normal: &Map<String, Value>,
        rendered: &Map<String, Value>,
        findings: &mut Findings,
    ) -> Self {
        let mut members = Map::new();
        for (key, value) in original {
            if key == "@context" {
                continue;
            }
            let expanded = context.expand(key);
            let held = match normal.get(&expanded) {
                // The server's own time is no part of the event, but it is not ours to throw away; nor is an
                // extension that is empty.
                None => key != "recordTime" && !expanded.contains(':'),
                Some(value) => rendered.get(&expanded) == Some(value),
            };
            if !held {
                findings.add(Code::Carried, pointer("", key), &value.to_string());
                members.insert(key.clone(), value.clone());
            }
        }
        Self {
            context: context.needed_by(&members),
            members,
            absent: rendered
                .keys()
                .filter(|key| !normal.contains_key(*key))
                .cloned()
                .collect(),
            units: units(original),
            ..Self::default()
        }
    }

    /// Remembers how the sender spelled his identifiers: pairs of (sent, normal).
    pub(super) fn remember_spellings(&mut self, pairs: &[(String, String)], findings: &mut Findings) {
        if pairs.iter().all(|(sent, normal)| sent == normal) {
            return;
        }
        for (sent, normal) in pairs {
            let (sent, normal) = beginnings(sent, normal);
            if sent != normal {
                self.spelling
                    .entry(normal.to_owned())
                    .or_insert_with(|| sent.to_owned());
            }
        }
        // Where a shared beginning says too much, the identifier is named in full; in the end only
        // identifiers with two spellings are left.
        for last in [false, false, true] {
            for (sent, normal) in pairs {
                if respelled(&self.spelling, normal) == *sent {
                    continue;
                }
                if self.spelling.contains_key(normal) || last {
                    if self.also.insert(sent.clone(), normal.clone()).is_none() {
                        findings.add(Code::Respelled, "", &format!("{sent} is {normal}"));
                    }
                } else {
                    self.spelling.insert(normal.clone(), sent.clone());
                }
            }
        }
    }

    /// As JSON text; nothing if there is nothing to carry.
    pub(super) fn to_text(&self) -> Option<String> {
        let mut object = Map::new();
        if let Some(context) = &self.context {
            object.insert("@context".to_owned(), context.clone());
        }
        object.extend(self.members.clone());
        let mut ours = Map::new();
        let strings = |values: Vec<String>| Value::Array(values.into_iter().map(Value::String).collect());
        let pairs = |pairs: &BTreeMap<String, String>| {
            Value::Object(
                pairs
                    .iter()
                    .map(|(key, value)| (key.clone(), Value::String(value.clone())))
                    .collect(),
            )
        };
        if !self.absent.is_empty() {
            ours.insert("absent".to_owned(), strings(self.absent.clone()));
        }
        if !self.spelling.is_empty() {
            ours.insert("spelling".to_owned(), pairs(&self.spelling));
        }
        if !self.also.is_empty() {
            ours.insert("also".to_owned(), pairs(&self.also));
        }
        if !self.units.is_empty() {
            ours.insert("units".to_owned(), strings(self.units.iter().cloned().collect()));
        }
        if !ours.is_empty() {
            object.insert(OURS.to_owned(), Value::Object(ours));
        }
        (!object.is_empty()).then(|| Value::Object(object).to_string())
    }

    /// From JSON text; what is not as [`Residue::to_text`] writes it is ignored.
    pub(super) fn from_text(text: &str) -> Self {
        let mut residue = Self::default();
        let Ok(Value::Object(mut object)) = serde_json::from_str(text) else {
            return residue;
        };
        residue.context = object.shift_remove("@context");
        if let Some(Value::Object(ours)) = object.shift_remove(OURS) {
            let pairs = |name: &str| -> BTreeMap<String, String> {
                let members = ours.get(name).and_then(Value::as_object);
                members
                    .into_iter()
                    .flatten()
                    .filter_map(|(key, value)| Some((key.clone(), value.as_str()?.to_owned())))
                    .collect()
            };
            residue.spelling = pairs("spelling");
            residue.also = pairs("also");
            let strings = |name: &str| {
                ours.get(name)
                    .and_then(Value::as_array)
                    .cloned()
                    .unwrap_or_default()
            };
            let texts = |values: Vec<Value>| {
                values
                    .into_iter()
                    .filter_map(|value| value.as_str().map(str::to_owned))
                    .collect::<Vec<String>>()
            };
            residue.absent = texts(strings("absent"));
            residue.units = texts(strings("units")).into_iter().collect();
        }
        residue.members = object;
        residue
    }

    /// The sender's spelling of an identifier in normal form.
    pub(super) fn respell(&self, normal: &str) -> String {
        respelled(&self.spelling, normal)
    }
}

/// Keeps the sender's spellings, pairs of (sent, normal), with an event that did not come as EPCIS; unless they
/// are longer than an event may carry.
pub(crate) fn keep_spellings(event: &mut v1::Event, pairs: &[(String, String)]) {
    let mut residue = event
        .epcis
        .as_ref()
        .map_or_else(Residue::default, |view| Residue::from_text(&view.residue));
    residue.remember_spellings(pairs, &mut Findings::default());
    if let Some(text) = residue.to_text()
        && text.len() <= form::JSON_LEN_MAX
    {
        event.epcis.get_or_insert_default().residue = text;
    }
}

/// Gives an event the id `uri`, if its own is no URI, as EPCIS wants; its own then travels as our extension
/// `eventID`. Ids are unique per issuer alone, so `uri` should say where in which log the event stands.
pub fn name_by_uri(event: &mut v1::Event, uri: impl FnOnce() -> String) {
    if super::is_uri(&event.id) {
        return;
    }
    let own = std::mem::replace(&mut event.id, uri());
    let view = event.epcis.get_or_insert_default();
    let mut residue = Residue::from_text(&view.residue);
    residue
        .members
        .insert(format!("{}eventID", super::NAMESPACE), Value::String(own));
    view.residue = residue.to_text().unwrap_or_default();
}

/// Makes of an event the report that EPCIS has for one that was wrong: the same event again, with
/// `errorDeclaration`. A reason that is neither a word of CBV nor a URI travels as our extension `reason`.
pub fn declare_wrong(event: &mut v1::Event, declaration: &ErrorDeclaration) {
    let text = |text: &str| Value::String(text.to_owned());
    let mut members = Map::new();
    members.insert(
        "declarationTime".to_owned(),
        Value::String(normal::utc(declaration.declaration_time)),
    );
    if !declaration.reason.is_empty() {
        let is_word = Family::ErrorReason.read(&declaration.reason, &Context::default()) != Word::Unknown;
        let key = if is_word {
            "reason".to_owned()
        } else {
            format!("{}reason", super::NAMESPACE)
        };
        members.insert(key, text(&declaration.reason));
    }
    let ids = &declaration.corrective_ids;
    if !ids.is_empty() {
        let uris: Vec<Value> = ids.iter().map(|id| text(id)).collect();
        let key = if ids.iter().all(|id| super::is_uri(id)) {
            "correctiveEventIDs".to_owned()
        } else {
            format!("{}correctiveEventIDs", super::NAMESPACE)
        };
        members.insert(key, Value::Array(uris));
    }
    let view = event.epcis.get_or_insert_default();
    let mut residue = Residue::from_text(&view.residue);
    residue
        .members
        .insert("errorDeclaration".to_owned(), Value::Object(members));
    view.residue = residue.to_text().unwrap_or_default();
}

/// The longest known beginning of an identifier replaced by the sender's.
fn respelled(spelling: &BTreeMap<String, String>, normal: &str) -> String {
    (1..=normal.len())
        .rev()
        .filter_map(|len| normal.split_at_checked(len))
        .find_map(|(start, rest)| spelling.get(start).map(|sent| format!("{sent}{rest}")))
        .unwrap_or_else(|| normal.to_owned())
}

/// Two spellings without the ending they share, so that one entry serves all serials of one kind.
fn beginnings<'a>(sent: &'a str, normal: &'a str) -> (&'a str, &'a str) {
    let shared = sent
        .bytes()
        .rev()
        .zip(normal.bytes().rev())
        .take_while(|(a, b)| a == b && !b"/:.".contains(a))
        .count();
    let cut = |text: &'a str| text.get(..text.len() - shared).unwrap_or(text);
    (cut(sent), cut(normal))
}

fn units(event: &Map<String, Value>) -> BTreeSet<String> {
    event
        .iter()
        .filter(|(key, _)| key.ends_with("uantityList"))
        .filter_map(|(_, value)| value.as_array())
        .flatten()
        .filter_map(|element| element.get("uom").and_then(Value::as_str))
        .filter(|unit| normal::means_pieces(unit))
        .map(str::to_owned)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spellings_of_many_serials_take_one_entry() {
        let pairs: Vec<(String, String)> = (0..1_000)
            .map(|n| {
                (
                    format!("urn:epc:id:sgtin:952123.0120001.C-{n}"),
                    format!("https://id.gs1.org/01/09521231200010/21/C-{n}"),
                )
            })
            .chain([(
                "https://id.gs1.org/414/9521230030014".to_owned(),
                "https://id.gs1.org/414/9521230030014".to_owned(),
            )])
            .collect();
        let mut residue = Residue::default();
        let mut findings = Findings::default();
        residue.remember_spellings(&pairs, &mut findings);
        assert_eq!(residue.spelling.len(), 1);
        for (sent, normal) in &pairs {
            assert_eq!(residue.respell(normal), *sent);
        }
        assert_eq!(findings.into_list(), []);
    }

    #[test]
    fn a_second_spelling_of_one_thing_is_kept_and_named() {
        let pairs = [
            (
                "urn:epc:id:sscc:9521230.0000000001",
                "https://id.gs1.org/00/095212300000000017",
            ),
            (
                "https://x.example/00/095212300000000017",
                "https://id.gs1.org/00/095212300000000017",
            ),
        ]
        .map(|(sent, normal)| (sent.to_owned(), normal.to_owned()));
        let mut residue = Residue::default();
        let mut findings = Findings::default();
        residue.remember_spellings(&pairs, &mut findings);
        assert_eq!(residue.also.len(), 1);
        assert_eq!(findings.into_list().len(), 1);
        let text = residue.to_text().unwrap();
        assert_eq!(Residue::from_text(&text).to_text().unwrap(), text);
    }

    #[test]
    fn what_was_wrong_goes_out_and_comes_in_as_an_error_declaration() {
        let document = br#"{"type": "ObjectEvent", "eventID": "urn:x:1", "eventTime": "2026-02-02T08:00:00Z",
            "eventTimeZoneOffset": "+00:00", "action": "OBSERVE", "epcList": ["urn:epc:id:sscc:9521230.0000000001"]}"#;
        let import =
            |bytes: &[u8]| crate::epcis::import(bytes, &crate::epcis::ImportOptions::default()).unwrap();
        let event = import(document).events.remove(0).event;
        for (reason, corrective_ids, kept) in [
            ("did_not_occur", vec![], true),
            ("", vec!["urn:x:2".to_owned()], true),
            ("a clerk's mistake", vec!["MES-2".to_owned()], false),
        ] {
            let declaration = ErrorDeclaration {
                declaration_time: event.event_time + 1_000_000_000,
                reason: reason.to_owned(),
                corrective_ids,
            };
            let mut wrong = event.clone();
            declare_wrong(&mut wrong, &declaration);
            let exported = crate::epcis::export(&[wrong], &crate::epcis::ExportOptions::default());
            assert_eq!(exported.not_exportable, []);
            let back = import(exported.document.to_string().as_bytes());
            assert_eq!(back.refused, []);
            let read = back.events[0].error_declaration.clone().unwrap();
            assert_eq!(read == declaration, kept, "{read:?}");
            assert_eq!(read.declaration_time, declaration.declaration_time);
            assert!(exported.document.to_string().contains(reason));
        }
    }

    #[test]
    fn empty_extensions_and_compact_identifiers_come_out_as_they_mean() {
        let document =
            br#"{"@context": [{"x": "https://x.example/"}], "type": "ObjectEvent", "eventID": "urn:x:1",
            "eventTime": "2026-02-02T08:00:00Z", "eventTimeZoneOffset": "+00:00", "action": "OBSERVE",
            "epcList": ["x:thing/1"], "x:none": {}, "x:list": []}"#;
        let imported = crate::epcis::import(document, &crate::epcis::ImportOptions::default()).unwrap();
        let event = imported.events[0].event.clone();
        let options = crate::epcis::ExportOptions {
            epc_format: crate::epcis::EpcFormat::AsSent,
            ..Default::default()
        };
        let exported = crate::epcis::export(&[event], &options).document;
        let event = &exported["epcisBody"]["eventList"][0];
        assert_eq!(
            event["epcList"][0], "https://x.example/thing/1",
            "its context explains no prefix"
        );
        assert!(
            event["x:none"].is_object() && event["x:list"].is_array(),
            "{event}"
        );
    }
}

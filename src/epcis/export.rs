//! Our events become a document.

use serde_json::{Map, Value};

use super::{
    NAMESPACE, check,
    context::Context,
    finding::{Finding, Findings, Weight},
    members::MASTER_DATA,
    normal, render,
    residue::Residue,
};
use crate::wire::v1;

/// How identifiers are spelled. EPCIS header `GS1-EPC-Format`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum EpcFormat {
    /// In our normal form: GS1 Digital Link (`Always_GS1_Digital_Link`).
    #[default]
    DigitalLink,
    /// As their sender spelled them (`Never_Translates`).
    AsSent,
}

/// How to export.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ExportOptions {
    /// Spelling of identifiers.
    pub epc_format: EpcFormat,
    /// `creationDate` of the document in nanoseconds since the epoch; absent: the newest event time in it, so
    /// that the same events give the same document.
    pub created_at: Option<i64>,
}

/// A document, and what is not in it.
#[derive(Debug, Clone, PartialEq)]
pub struct Export {
    /// An `EPCISDocument` in JSON-LD.
    pub document: Value,
    /// Events that EPCIS has no form for, in their order.
    pub not_exportable: Vec<NotExportable>,
}

/// An event that EPCIS cannot say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NotExportable {
    /// Zero-based place in the list of events given.
    pub index: usize,
    /// Its event id.
    pub id: String,
    /// Its kind, as the field of `Event` is named in lowerCamelCase; `part` for one part of a long event, and
    /// empty for an event without a kind.
    pub kind: String,
    /// Where EPCIS has a form for the kind, why this event does not fit it (a transformation without inputs,
    /// for one).
    pub findings: Vec<Finding>,
}

/// Writes events as an EPCIS 2.0 document. Total: what EPCIS cannot say is listed, and nothing panics.
pub fn export(events: &[v1::Event], options: &ExportOptions) -> Export {
    let mut not_exportable = Vec::new();
    let mut refuse = |index: usize, event: &v1::Event, findings| {
        not_exportable.push(NotExportable {
            index,
            id: event.id.clone(),
            kind: kind(event),
            findings,
        });
    };
    let mut written = Vec::new();
    for (index, event) in events.iter().enumerate() {
        match Written::new(event, options) {
            Some(form) => written.push((index, event, form)),
            None => refuse(index, event, Vec::new()),
        }
    }
    let context = document_context(&written.iter().map(|(_, _, form)| form).collect::<Vec<_>>());
    let mut list = Vec::new();
    for (index, event, written) in written {
        let members = written.members(&context);
        match checked(&members, &context) {
            Some(findings) => refuse(index, event, findings),
            None => list.push(Value::Object(members)),
        }
    }
    not_exportable.sort_by_key(|refused| refused.index);
    let newest = events
        .iter()
        .map(|event| event.event_time)
        .max()
        .unwrap_or_default();
    let mut body = Map::new();
    body.insert("eventList".to_owned(), Value::Array(list));
    let mut document = Map::new();
    document.insert("@context".to_owned(), context.to_value());
    document.insert("type".to_owned(), Value::String("EPCISDocument".to_owned()));
    document.insert("schemaVersion".to_owned(), Value::String("2.0".to_owned()));
    document.insert(
        "creationDate".to_owned(),
        Value::String(normal::utc(options.created_at.unwrap_or(newest))),
    );
    document.insert("epcisBody".to_owned(), Value::Object(body));
    Export {
        document: Value::Object(document),
        not_exportable,
    }
}

/// One event in normal form, as [`super::normal_form`] gives it of the exported document; nothing if EPCIS has
/// no form for it.
pub(super) fn normal_event(event: &v1::Event) -> Option<Map<String, Value>> {
    let none = Context::default();
    let members = Written::new(event, &ExportOptions::default())?.members(&none);
    let in_force = members
        .get("@context")
        .map_or_else(|| none.clone(), |own| none.with(own));
    let mut normal = normal::event(&members, &in_force, &mut |_, _| {});
    normal::sort(&mut normal);
    Some(normal)
}

/// Prefixes of the members that we write.
const OWN_PREFIXES: &[(&str, &str)] = &[("bl", NAMESPACE), ("cbvmda", MASTER_DATA)];

fn kind(event: &v1::Event) -> String {
    if event.part.is_some() {
        return "part".to_owned();
    }
    event
        .kind
        .as_ref()
        .and_then(render::kind_json)
        .map_or_else(String::new, |(name, _)| name)
}

/// An event in EPCIS form: what our fields say, and what was carried beside them.
struct Written {
    /// Keys absolute.
    rendered: Map<String, Value>,
    residue: Residue,
}

impl Written {
    fn new(event: &v1::Event, options: &ExportOptions) -> Option<Self> {
        if event.part.is_some() {
            return None;
        }
        let mut rendered = render::render(event)?;
        let residue = event
            .epcis
            .as_ref()
            .map_or_else(Residue::default, |view| Residue::from_text(&view.residue));
        let own = own_context(&residue);
        for key in &residue.absent {
            rendered.shift_remove(key);
        }
        for key in residue.members.keys() {
            rendered.shift_remove(&own.expand(key));
        }
        if options.epc_format == EpcFormat::AsSent {
            for (key, value) in &mut rendered {
                respell(key, value, &residue);
            }
        }
        Some(Self { rendered, residue })
    }

    /// The event's members below a document's prefixes.
    fn members(&self, document: &Context) -> Map<String, Value> {
        let mut members = Map::new();
        let mut in_force = document.clone();
        if let Some(own) = &self.residue.context {
            in_force = document.with(own);
            if in_force != *document {
                members.insert("@context".to_owned(), own.clone());
            }
        }
        members.extend(compact(&self.rendered, &in_force));
        members.extend(self.residue.members.clone());
        // EPCIS wants to see that nothing in particular was observed.
        let listed = ["epcList", "quantityList"]
            .iter()
            .any(|list| members.contains_key(*list));
        let event_type = members.get("type").and_then(Value::as_str);
        if matches!(event_type, Some("ObjectEvent" | "TransactionEvent")) && !listed {
            members.insert("epcList".to_owned(), Value::Array(Vec::new()));
        }
        members
    }
}

fn own_context(residue: &Residue) -> Context {
    residue
        .context
        .as_ref()
        .map_or_else(Context::default, |own| Context::default().with(own))
}

/// Prefixes for a whole document: ours where they are used and mean nothing else to anybody, and those of the
/// events if all of them agree. Otherwise each event keeps its own.
fn document_context(events: &[&Written]) -> Context {
    let carrying = events.iter().filter(|event| !event.residue.members.is_empty());
    let mut contexts = carrying.map(|event| &event.residue.context);
    let mut context = Context::default();
    if let Some(Some(first)) = contexts.next()
        && contexts.all(|other| other.as_ref() == Some(first))
    {
        context = context.with(first);
    }
    for (name, iri) in OWN_PREFIXES {
        let used = events.iter().any(|event| uses(&event.rendered, iri));
        let reserved = events.iter().any(|event| {
            let own = own_context(&event.residue);
            own.unexplained_in(&event.residue.members).contains(*name)
        });
        if used && !reserved && context.prefix(name).is_none_or(|theirs| theirs == *iri) {
            let mut prefix = Map::new();
            prefix.insert((*name).to_owned(), Value::String((*iri).to_owned()));
            context = context.with(&Value::Object(prefix));
        }
    }
    context
}

/// What we write is held to the same rules as what we read: why it may not be written, if so.
fn checked(members: &Map<String, Value>, document: &Context) -> Option<Vec<Finding>> {
    let in_force = members
        .get("@context")
        .map_or_else(|| document.clone(), |own| document.with(own));
    let mut findings = Findings::default();
    check::check(&mut members.clone(), &in_force, &mut findings);
    (findings.worst() >= Some(Weight::Repair)).then(|| findings.into_list())
}

/// Whether some key is of a namespace.
fn uses(members: &Map<String, Value>, namespace: &str) -> bool {
    fn in_value(value: &Value, namespace: &str) -> bool {
        match value {
            Value::Object(members) => uses(members, namespace),
            Value::Array(values) => values.iter().any(|value| in_value(value, namespace)),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => false,
        }
    }
    members
        .iter()
        .any(|(key, value)| key.starts_with(namespace) || in_value(value, namespace))
}

/// Keys of our namespaces with their prefix, where it means that.
fn compact(members: &Map<String, Value>, in_force: &Context) -> Map<String, Value> {
    fn in_value(value: &Value, in_force: &Context) -> Value {
        match value {
            Value::Object(members) => Value::Object(compact(members, in_force)),
            Value::Array(values) => {
                Value::Array(values.iter().map(|value| in_value(value, in_force)).collect())
            }
            value => value.clone(),
        }
    }
    members
        .iter()
        .map(|(key, value)| {
            let short = OWN_PREFIXES.iter().find_map(|(name, iri)| {
                let rest = key.strip_prefix(iri)?;
                (in_force.prefix(name) == Some(iri)).then(|| format!("{name}:{rest}"))
            });
            (short.unwrap_or_else(|| key.clone()), in_value(value, in_force))
        })
        .collect()
}

/// Identifiers as their sender spelled them.
fn respell(key: &str, value: &mut Value, residue: &Residue) {
    match value {
        Value::Array(values) => values.iter_mut().for_each(|value| respell(key, value, residue)),
        Value::Object(members) => {
            for (key, value) in members {
                respell(key, value, residue);
            }
        }
        Value::String(text) => {
            let identifies = matches!(
                key,
                "epcList"
                    | "childEPCs"
                    | "inputEPCList"
                    | "outputEPCList"
                    | "parentID"
                    | "transformationID"
                    | "epcClass"
                    | "id"
                    | "bizTransaction"
                    | "source"
                    | "destination"
            );
            if identifies {
                *text = residue.respell(text);
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

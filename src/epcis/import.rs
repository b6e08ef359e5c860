//! A document becomes events of ours, each with what there is to say about it.

use prost::Message as _;
use serde::Serialize;
use serde_json::{Map, Value};

use super::{
    EpcisError, NAMESPACE,
    check::{self, offset_minutes, pointer},
    context::Context,
    document, event_hash, fields,
    finding::{Code, Finding, Findings, Weight},
    header, link, members, normal, read, render,
    residue::Residue,
    view,
};
use crate::{
    id::Hash,
    identifier, time,
    wire::{
        form,
        shape::{self, Presence},
        v1,
    },
};

/// What to do with departures from EPCIS that can be mended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Strictness {
    /// Refuse the event.
    Strict,
    /// Mend it, and say so.
    #[default]
    Lenient,
}

/// Whose document it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// The importer's own: its events are his statements.
    Own,
    /// Somebody else's: the importer only reports what it says.
    Reported {
        /// Who is said to have written it, as a normal identifier; absent: what the document's `sender` says,
        /// if that is an identifier.
        claimed_party: Option<String>,
    },
}

/// How to import.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImportOptions {
    /// Mend or refuse.
    pub strictness: Strictness,
    /// Own or reported.
    pub origin: Origin,
    /// Whether every event carries its EPCIS view, also where that says nothing that its own fields do not.
    pub whole_view: bool,
    /// Longest document in bytes.
    pub document_len_max: usize,
    /// Most events in a document.
    pub events_max: usize,
}

impl Default for ImportOptions {
    fn default() -> Self {
        Self {
            strictness: Strictness::Lenient,
            origin: Origin::Own,
            whole_view: true,
            document_len_max: 64 << 20,
            events_max: 100_000,
        }
    }
}

/// What came out of a document. Every event of it is either in `events` or in `refused`.
#[derive(Debug, Clone)]
pub struct Import {
    /// SHA-256 of the document's bytes.
    pub document: Hash,
    /// Members of the document beside its events: sender, master data, creation date.
    pub header: Map<String, Value>,
    /// In the order of the document.
    pub events: Vec<ImportedEvent>,
    /// About the document itself.
    pub findings: Vec<Finding>,
    /// In the order of the document.
    pub refused: Vec<Refused>,
}

/// An event taken from a document.
#[derive(Debug, Clone, PartialEq)]
pub struct ImportedEvent {
    /// Zero-based place in the document.
    pub position: usize,
    /// Ready to be published; long lists uncut, see [`crate::event::parts`].
    pub event: v1::Event,
    /// The event id that the document gave.
    pub original_id: Option<String>,
    /// The event is reported again, as wrong. The publisher, who knows where in the log the event stands, makes
    /// a correction or voiding of it.
    pub error_declaration: Option<ErrorDeclaration>,
    /// What there is to say about it.
    pub findings: Vec<Finding>,
}

/// EPCIS `errorDeclaration`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ErrorDeclaration {
    /// When it was declared, in nanoseconds since the epoch, UTC.
    pub declaration_time: i64,
    /// `did_not_occur`, `incorrect_data`, or a URI; empty if not stated.
    pub reason: String,
    /// Event ids of what is right instead.
    pub corrective_ids: Vec<String>,
}

/// An event that was not taken.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Refused {
    /// Zero-based place in the document.
    pub position: usize,
    /// The event id that the document gave.
    pub original_id: Option<String>,
    /// Why: all that was found, the decisive ones being faults (and repairs, in strict import).
    pub findings: Vec<Finding>,
}

/// Takes the events out of an EPCIS document: `EPCISDocument`, `EPCISQueryDocument`, a bare event, a bare list.
///
/// Every event that comes out passes the shape check of the wire format. Same bytes and options, same result.
///
/// # Errors
/// See [`EpcisError`]. An event that cannot be taken is no error: it is in [`Import::refused`].
pub fn import(bytes: &[u8], options: &ImportOptions) -> Result<Import, EpcisError> {
    if bytes.len() > options.document_len_max {
        return Err(EpcisError::TooLong {
            len: bytes.len(),
            max: options.document_len_max,
        });
    }
    let value = document::parse(bytes)?;
    let mut opened = document::open(&value)?;
    if opened.events.len() > options.events_max {
        return Err(EpcisError::TooManyEvents {
            count: opened.events.len(),
            max: options.events_max,
        });
    }
    let mut findings = Findings::default();
    if opened.is_document {
        header::check(&mut opened.header, &mut findings);
    }
    if options.origin == (Origin::Reported { claimed_party: None })
        && let Some(sender) = opened.header.get("sender").and_then(Value::as_str)
        && identifier::normalise(sender).is_err()
    {
        let detail = format!(
            "expected an identifier, as https://id.gs1.org/417/..., got {sender}: nobody is named as who said this"
        );
        findings.add(Code::IdentifierCarried, "/sender", &detail);
    }
    let worst = findings.worst();
    let findings = findings.into_list();
    if options.strictness == Strictness::Strict && worst >= Some(Weight::Repair) {
        return Err(EpcisError::Document(findings));
    }
    let importer = Importer {
        document: Hash::of(&[bytes]),
        claimed_party: claimed_party(&options.origin, &opened.header),
        options,
    };
    let mut events = Vec::new();
    let mut refused = Vec::new();
    for (position, value, context) in &opened.events {
        match importer.event(*position, value, context) {
            Ok(event) => events.push(event),
            Err(refusal) => refused.push(refusal),
        }
    }
    Ok(Import {
        document: importer.document,
        header: opened.header,
        events,
        findings,
        refused,
    })
}

fn claimed_party(origin: &Origin, header: &Map<String, Value>) -> String {
    match origin {
        Origin::Own => String::new(),
        Origin::Reported {
            claimed_party: Some(party),
        } => party.clone(),
        Origin::Reported { claimed_party: None } => header
            .get("sender")
            .and_then(Value::as_str)
            .and_then(|sender| identifier::normalise(sender).ok())
            .unwrap_or_default(),
    }
}

/// Domain tag of the ids of events that have none that fits.
const DERIVED_ID_TAG: &[u8] = b"lotproof/v1/epcis-event-id\0";

struct Importer<'a> {
    document: Hash,
    claimed_party: String,
    options: &'a ImportOptions,
}

impl Importer<'_> {
    fn event(&self, position: usize, value: &Value, context: &Context) -> Result<ImportedEvent, Refused> {
        let mut findings = Findings::about(position);
        let original_id = value.get("eventID").and_then(Value::as_str).map(str::to_owned);
        let event = self.read(position, value, context, original_id.as_deref(), &mut findings);
        let tolerated = match self.options.strictness {
            Strictness::Strict => Weight::Note,
            Strictness::Lenient => Weight::Repair,
        };
        match event {
            Some((event, error_declaration)) if findings.worst() <= Some(tolerated) => Ok(ImportedEvent {
                position,
                event,
                original_id,
                error_declaration,
                findings: findings.into_list(),
            }),
            _ => Err(Refused {
                position,
                original_id,
                findings: findings.into_list(),
            }),
        }
    }

    /// The id of an event that has none, or none that fits: what it says, so that it is known when it comes again,
    /// in whatever document. Events of different senders have different ones.
    fn derived_id(&self, normal: &Map<String, Value>, original_id: Option<&str>) -> String {
        let by_content = || event_hash::event_hash(normal);
        let named = original_id.map_or_else(by_content, str::to_owned);
        if original_id.is_none() && self.claimed_party.is_empty() {
            return named;
        }
        let parts: [&[u8]; 4] = [
            DERIVED_ID_TAG,
            self.claimed_party.as_bytes(),
            b"\0",
            named.as_bytes(),
        ];
        format!("urn:lotproof:epcis:{}", hex::encode(Hash::of(&parts).as_bytes()))
    }

    /// The event, or findings of which one is a fault.
    fn read(
        &self,
        position: usize,
        value: &Value,
        context: &Context,
        original_id: Option<&str>,
        findings: &mut Findings,
    ) -> Option<(v1::Event, Option<ErrorDeclaration>)> {
        let Some(members) = value.as_object() else {
            findings.add(Code::NotAnObject, "", &value.to_string());
            return None;
        };
        let mut mended = members.clone();
        check::check(&mut mended, context, findings);
        link::take_facts(&mut mended, context, findings);
        if findings.worst() == Some(Weight::Fault) {
            return None;
        }
        let mut spellings = Vec::new();
        let mut normal = normal::event(&mended, context, &mut |sent, normal| {
            spellings.push((sent.to_owned(), normal.to_owned()));
        });
        // The recall that nobody named is named by its event; so the id has to be there before reading.
        let fitting = original_id.filter(|id| is_event_id(id));
        let id = if let Some(id) = fitting {
            id.to_owned()
        } else {
            let id = self.derived_id(&normal, original_id);
            findings.add(Code::IdDerived, "/eventID", &id);
            id
        };
        let mut named = normal.clone();
        named.insert("eventID".to_owned(), Value::String(id.clone()));
        let read = read::read(&named);
        for (code, path, detail) in read.notes {
            findings.add(code, path, &detail);
        }
        let mut event = v1::Event {
            id,
            event_time: instant(&mended, "eventTime")?,
            utc_offset_minutes: offset_minutes(mended.get("eventTimeZoneOffset")?.as_str()?)?,
            kind: Some(read.kind),
            epcis: Some(read.view),
            ..v1::Event::default()
        };
        if let Origin::Reported { .. } = self.options.origin {
            event.reported = Some(v1::Reported {
                claimed_party: self.claimed_party.clone(),
                document: self.document.as_bytes().to_vec(),
                position: u32::try_from(position).ok()?,
                original_id: original_id
                    .filter(|id| is_text(id))
                    .unwrap_or_default()
                    .to_owned(),
            });
        }
        self.apply_extensions(&normal, &mut event, findings);
        note_observation(&event, findings);
        let standard = event.kind.as_ref().and_then(view::default_view);
        if !self.options.whole_view && standard == event.epcis {
            event.epcis = None;
        }
        let Some(rendered) = render::render(&event) else {
            findings.add(Code::DoesNotFit, "", "no EPCIS form for this kind of event");
            return None;
        };
        let mut rendered = normal::event(&rendered, &Context::default(), &mut |_, _| {});
        normal::sort(&mut rendered);
        normal::sort(&mut normal);
        let mut residue = Residue::difference(&mended, context, &normal, &rendered, findings);
        residue.remember_spellings(&spellings, findings);
        if let Some(text) = residue.to_text() {
            if text.len() > form::JSON_LEN_MAX {
                let longest = residue
                    .members
                    .iter()
                    .max_by_key(|(_, value)| value.to_string().len());
                findings.add(
                    Code::ResidueTooLong,
                    longest.map_or_else(String::new, |(key, _)| pointer("", key)),
                    &format!("{} bytes to carry, at most {}", text.len(), form::JSON_LEN_MAX),
                );
                return None;
            }
            event.epcis.get_or_insert_default().residue = text;
        }
        if let Err(error) = shape::check(&shape::EVENT, &event.encode_to_vec(), &mut |_| {}) {
            findings.add(Code::DoesNotFit, "", &error.to_string());
            return None;
        }
        let error_declaration = error_declaration(&normal);
        if error_declaration.is_some() {
            findings.add(
                Code::ErrorDeclared,
                "/errorDeclaration",
                original_id.unwrap_or_default(),
            );
        }
        Some((event, error_declaration))
    }

    /// Takes over fields of ours that the document gives in our namespace.
    ///
    /// What a certification says binds its issuer, so only the importer's own documents can carry one.
    fn apply_extensions(&self, normal: &Map<String, Value>, event: &mut v1::Event, findings: &mut Findings) {
        let ours = |name: &str| normal.get(&format!("{NAMESPACE}{name}"));
        match self.extended(&ours, event) {
            Ok(None) => {}
            Ok(Some(extended)) => *event = extended,
            Err(Unusable(why)) => findings.add(Code::ExtensionUnusable, "", why),
        }
    }

    /// The event with our extensions, if there are any.
    fn extended<'v>(
        &self,
        ours: &impl Fn(&str) -> Option<&'v Value>,
        event: &v1::Event,
    ) -> Result<Option<v1::Event>, Unusable> {
        let unfit = Unusable("an extension of ours does not fit its field");
        let kind = event.kind.as_ref().and_then(render::kind_json);
        let (mut name, mut message) = kind.ok_or(unfit)?;
        let mut changed = false;
        if let Some(kind) = ours("kind").and_then(Value::as_str) {
            kind.clone_into(&mut name);
            message.clear();
            changed = true;
        }
        for field in render::kind_shape(&name).ok_or(unfit)?.fields {
            let key = fields::camel(field.name);
            // One value of a repeated field may stand without its list.
            match ours(&key) {
                Some(value) if field.presence == Presence::Repeated && !value.is_array() => {
                    message.insert(key, Value::Array(vec![value.clone()]));
                    changed = true;
                }
                Some(value) => {
                    message.insert(key, value.clone());
                    changed = true;
                }
                None => {}
            }
        }
        for unstated in ours("notStated").and_then(Value::as_array).into_iter().flatten() {
            changed |= message.shift_remove(unstated.as_str().ok_or(unfit)?).is_some();
        }
        let mut frame = Map::new();
        if self.options.origin == Origin::Own {
            for key in ["certification", "sealed"] {
                if let Some(value) = ours(key) {
                    frame.insert(key.to_owned(), value.clone());
                    changed = true;
                }
            }
        }
        if !changed {
            return Ok(None);
        }
        frame.insert(name, Value::Object(fields::prefixed(message)));
        frame.insert("id".to_owned(), Value::String(event.id.clone()));
        frame.insert(
            "eventTime".to_owned(),
            Value::String(event.event_time.to_string()),
        );
        let bytes = fields::from_json(&shape::EVENT, &frame).ok_or(unfit)?;
        shape::check(&shape::EVENT, &bytes, &mut |_| {}).map_err(|_| unfit)?;
        let decoded = v1::Event::decode(bytes.as_slice()).map_err(|_| unfit)?;
        let extended = v1::Event {
            kind: decoded.kind,
            certification: decoded.certification,
            sealed: decoded.sealed,
            ..event.clone()
        };
        // A document may not bring in what EPCIS cannot say: acts of the authority, for one.
        let standard = |event: &v1::Event| {
            render::render(event).map(|mut members| {
                members.retain(|key, _| !key.starts_with(NAMESPACE));
                normal::sort(&mut members);
                members
            })
        };
        let said = standard(&extended).ok_or(Unusable("EPCIS has no form for this kind of event"))?;
        if standard(event) != Some(said) {
            return Err(Unusable("an extension of ours contradicts the EPCIS members"));
        }
        Ok(Some(extended))
    }
}

/// Says of an event that it was understood as an observation only: nothing that its sender meant to change is
/// changed by it, and he should not learn that from a lot.
fn note_observation(event: &v1::Event, findings: &mut Findings) {
    let (Some(v1::event::Kind::Observed(_)), Some(view)) = (&event.kind, &event.epcis) else {
        return;
    };
    let path = if view.biz_step.is_empty() { "" } else { "/bizStep" };
    let words = [&view.r#type, &view.action, &view.biz_step].map(String::as_str);
    let words: Vec<&str> = words.into_iter().filter(|word| !word.is_empty()).collect();
    findings.add(
        Code::ObservedOnly,
        path,
        &format!(
            "understood as an observation only, it changes no stock, custody or title: {}",
            words.join(" ")
        ),
    );
}

/// Why extensions of ours are left alone.
#[derive(Debug, Clone, Copy)]
struct Unusable(&'static str);

fn instant(members: &Map<String, Value>, key: &str) -> Option<i64> {
    let (nanos, _) = time::parse_rfc3339(members.get(key)?.as_str()?)?;
    Some(nanos)
}

fn error_declaration(normal: &Map<String, Value>) -> Option<ErrorDeclaration> {
    let members = normal.get("errorDeclaration")?.as_object()?;
    Some(ErrorDeclaration {
        declaration_time: instant(members, "declarationTime")?,
        reason: members::text(members, "reason"),
        corrective_ids: members
            .get("correctiveEventIDs")
            .and_then(Value::as_array)
            .into_iter()
            .flatten()
            .filter_map(|id| id.as_str().map(str::to_owned))
            .collect(),
    })
}

/// `EVENT_ID` of the wire format.
fn is_event_id(text: &str) -> bool {
    (1..=128).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic())
}

/// `TEXT` of the wire format.
fn is_text(text: &str) -> bool {
    text.len() <= form::TEXT_LEN_MAX && !text.chars().any(char::is_control)
}

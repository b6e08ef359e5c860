//! From a request's body to events that can be signed.
//!
//! ```text
//! events   one JSON event of ours or a list: all are taken, or none and every field at fault is named
//! capture  an EPCIS document: each event is taken or refused by itself, with what there is to say about it
//! ```

use std::collections::BTreeSet;

use prost::Message as _;
use serde::Serialize;
use serde_json::Value;

use super::{
    Service,
    fault::{Fault, FaultCode, FieldFault},
    index, json,
};
use crate::{
    epcis::{self, EpcisError, ErrorDeclaration, Finding, Import, ImportOptions},
    event::{self, parts::split_into_parts},
    id::Hash,
    publish::EVENT_LEN_MAX,
    wire::v1::{self, event::Kind},
};

/// Domain tag of the ids that error declarations get.
const DECLARATION_TAG: &[u8] = b"lotproof/v1/error-declaration\0";

/// An event that can be signed: every part passes the check of admission.
#[derive(Clone, Debug)]
pub struct Ready {
    /// Its id.
    pub id: String,
    /// The whole event, or its parts in order.
    pub parts: Vec<v1::Event>,
    /// What each says, whatever document it came in.
    pub contents: Vec<Hash>,
}

impl Ready {
    /// What each part says, whatever is under its seals.
    pub fn unopened(&self) -> Vec<Hash> {
        let parts = self.parts.iter().zip(&self.contents);
        parts
            .map(|(part, content)| index::unopened(&part.encode_to_vec(), *content))
            .collect()
    }
}

/// What is asked for one event.
#[derive(Clone, Debug)]
pub enum Order {
    /// Publish it.
    Publish(Ready),
    /// Say of the event published under this id that it was wrong; publish it first if it was not.
    Declare {
        /// The event, as it was stated.
        stated: Ready,
        /// When it was said, nanoseconds since the epoch.
        event_time: i64,
        /// Minutes east of UTC.
        utc_offset_minutes: i32,
        /// What was wrong.
        declaration: ErrorDeclaration,
    },
}

/// An order and where it stands in the body.
#[derive(Clone, Debug)]
pub struct Placed {
    /// JSON pointer of the event: empty for a single one.
    pub path: String,
    /// What is asked.
    pub order: Order,
    /// What there is to say about the event.
    pub findings: Vec<Finding>,
}

impl Order {
    /// The event id that the order is about.
    pub fn id(&self) -> &str {
        match self {
            Self::Publish(ready) => &ready.id,
            Self::Declare { stated, .. } => &stated.id,
        }
    }
}

/// Reads a body of events in our own JSON. Events without id get those that `ids` gives for their positions.
///
/// # Errors
/// [`Fault`], naming every field at fault of every event; nothing is taken then.
pub fn events(
    body: &[u8],
    service: Service,
    mut ids: impl FnMut(usize) -> String,
) -> Result<Vec<Placed>, Fault> {
    let value = epcis::parse_json(body).map_err(|error| Fault::new(code_of(&error), error.to_string()))?;
    let (events, is_list) = match value {
        Value::Array(events) => (events, true),
        other => (vec![other], false),
    };
    if events.is_empty() {
        return Err(Fault::at(FaultCode::InvalidEvent, "", "no events"));
    }
    let mut orders = Vec::with_capacity(events.len());
    let mut faults = Vec::new();
    let mut not_taken = None;
    let mut seen = BTreeSet::new();
    for (position, value) in events.iter().enumerate() {
        let path = if is_list {
            format!("/{position}")
        } else {
            String::new()
        };
        let read = json::read(value, &path, || ids(position)).map_err(Fault::of_fields);
        let order = read.and_then(|read| {
            let order = order(read.event, read.error_declaration, service, &path)?;
            Ok((order, read.findings))
        });
        match order {
            Ok((order, findings)) => {
                if !seen.insert((order.id().to_owned(), matches!(order, Order::Declare { .. }))) {
                    faults.push(field(&format!("{path}/id"), "twice in this request"));
                }
                orders.push(Placed {
                    path,
                    order,
                    findings,
                });
            }
            Err(fault) => {
                if fault.code == FaultCode::KindNotTaken {
                    not_taken.get_or_insert(fault.clone());
                }
                faults.extend(fault.fields);
            }
        }
        if faults.len() >= super::fault::FIELDS_MAX {
            break;
        }
    }
    match not_taken {
        Some(fault) => Err(Fault {
            fields: faults,
            ..fault
        }),
        None if faults.is_empty() => Ok(orders),
        None => Err(Fault::of_fields(faults)),
    }
}

/// What a document came to, event by event.
#[derive(Debug)]
pub struct Capture {
    /// SHA-256 of the document.
    pub document: Hash,
    /// About the document itself: carried header members and the like.
    pub findings: Vec<Finding>,
    /// Those that can be published, in the order of the document.
    pub taken: Vec<Captured>,
    /// Those that cannot.
    pub refused: Vec<NotCaptured>,
}

/// An event of a document that can be published.
#[derive(Debug)]
pub struct Captured {
    /// Zero-based place in the document.
    pub position: usize,
    /// What our kind of event it is, as `transformed`.
    pub kind: &'static str,
    /// What was mended, carried, derived.
    pub findings: Vec<Finding>,
    /// What is asked.
    pub order: Order,
}

/// An event of a document that cannot be published, and why.
#[derive(Debug, Serialize)]
pub struct NotCaptured {
    /// Zero-based place in the document.
    pub position: usize,
    /// The id that the document gave it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub original_id: Option<String>,
    /// `not_epcis` if EPCIS or our mapping has no such event, else as in every answer.
    pub code: FaultCode,
    /// For people.
    pub message: String,
    /// What was found.
    pub findings: Vec<Finding>,
}

/// Reads an EPCIS document.
///
/// # Errors
/// [`Fault`] if it is none, or too long.
pub fn capture(body: &[u8], service: Service, options: &ImportOptions) -> Result<Capture, Fault> {
    let imported = epcis::import(body, options).map_err(|error| {
        let mut fault = Fault::new(code_of(&error), error.to_string());
        if let EpcisError::Document(findings) = &error {
            let fields = findings
                .iter()
                .map(|finding| field(&finding.path, format!("{}: {}", finding.code, finding.detail)));
            fault.fields = fields.collect();
        }
        fault
    })?;
    Ok(orders_of(imported, service))
}

fn code_of(error: &EpcisError) -> FaultCode {
    match error {
        EpcisError::NotJson(_) => FaultCode::NotJson,
        EpcisError::TooLong { .. }
        | EpcisError::TooManyEvents { .. }
        | EpcisError::Excess(_)
        | EpcisError::Declarations(_) => FaultCode::TooLarge,
        EpcisError::NotEpcis(_) | EpcisError::Document(_) => FaultCode::NotEpcis,
    }
}

fn orders_of(imported: Import, service: Service) -> Capture {
    let mut taken = Vec::new();
    let mut refused: Vec<NotCaptured> = imported
        .refused
        .into_iter()
        .map(|refused| NotCaptured {
            position: refused.position,
            original_id: refused.original_id,
            code: FaultCode::NotEpcis,
            message: "not an event that can be published; see the findings".to_owned(),
            findings: refused.findings,
        })
        .collect();
    let mut seen = BTreeSet::new();
    for event in imported.events {
        let kind = event.event.kind.as_ref().map_or("", kind_name);
        let order = order(event.event, event.error_declaration, service, "");
        let order = order.and_then(|order| {
            let is_first = seen.insert((order.id().to_owned(), matches!(order, Order::Declare { .. })));
            is_first.then_some(order).ok_or_else(|| {
                Fault::at(
                    FaultCode::Conflict,
                    "/eventID",
                    "the id stands twice in this document: give two events that say the same an id each",
                )
            })
        });
        match order {
            Ok(order) => taken.push(Captured {
                position: event.position,
                kind,
                findings: event.findings,
                order,
            }),
            Err(fault) => refused.push(NotCaptured {
                position: event.position,
                original_id: event.original_id,
                code: fault.code,
                message: fault.message,
                findings: event.findings,
            }),
        }
    }
    refused.sort_by_key(|refused| refused.position);
    Capture {
        document: imported.document,
        findings: imported.findings,
        taken,
        refused,
    }
}

fn order(
    event: v1::Event,
    declaration: Option<ErrorDeclaration>,
    service: Service,
    path: &str,
) -> Result<Order, Fault> {
    let utc_offset_minutes = event.utc_offset_minutes;
    let stated = ready(event, service, path)?;
    Ok(match declaration {
        Some(declaration) => Order::Declare {
            stated,
            event_time: declaration.declaration_time,
            utc_offset_minutes,
            declaration,
        },
        None => Order::Publish(stated),
    })
}

/// Checks an event as admission will, cut into parts if it is long.
///
/// # Errors
/// [`Fault`] about the event at `path`.
pub fn ready(event: v1::Event, service: Service, path: &str) -> Result<Ready, Fault> {
    let invalid = |message: String| Fault::at(FaultCode::InvalidEvent, path, message);
    let id = event.id.clone();
    let parts = split_into_parts(event, EVENT_LEN_MAX).map_err(|error| invalid(error.to_string()))?;
    let mut contents = Vec::with_capacity(parts.len());
    for part in &parts {
        let bytes = part.encode_to_vec().into();
        let checked = event::check(&bytes).map_err(|error| invalid(error.to_string()))?;
        let kind = checked.kind();
        if !service.takes(kind) {
            let path = format!("{path}/{}", kind.name());
            let message = format!("the {service} service does not publish {} events", kind.name());
            return Err(Fault::at(FaultCode::KindNotTaken, path, message));
        }
        contents.push(epcis::said(&bytes));
    }
    Ok(Ready { id, parts, contents })
}

/// The event that says of another, which stands at `reference`, that it was wrong: voided if it did not occur,
/// corrected otherwise. The same declaration has the same id.
///
/// # Errors
/// [`Fault`] if the declaration's words do not fit.
pub fn declaration(
    id: &str,
    event_time: i64,
    utc_offset_minutes: i32,
    declaration: &ErrorDeclaration,
    reference: v1::EventReference,
    service: Service,
    path: &str,
) -> Result<Ready, Fault> {
    let did_not_occur = declaration.reason == "did_not_occur" && declaration.corrective_ids.is_empty();
    let reason = declaration.reason.clone();
    let kind = if did_not_occur {
        Kind::Voided(v1::Voided {
            event: Some(reference),
            reason,
        })
    } else {
        Kind::Corrected(v1::Corrected {
            event: Some(reference),
            reason,
            corrective_ids: declaration.corrective_ids.clone(),
        })
    };
    let of = Hash::of(&[
        DECLARATION_TAG,
        &reference.leaf_index.to_be_bytes(),
        &reference.event_number.to_be_bytes(),
        &event_time.to_be_bytes(),
        id.as_bytes(),
    ]);
    let event = v1::Event {
        id: format!("urn:lotproof:error:{of}"),
        event_time,
        utc_offset_minutes,
        kind: Some(kind),
        ..Default::default()
    };
    ready(event, service, path)
}

/// The kind of an event, as `event.proto` names it.
pub fn kind_name(kind: &Kind) -> &'static str {
    let mut encoded = Vec::new();
    kind.encode(&mut encoded);
    let tag = prost::encoding::decode_varint(&mut encoded.as_slice()).unwrap_or_default();
    let number = u32::try_from(tag >> 3).unwrap_or_default();
    crate::wire::shape::EVENT
        .field(number)
        .map_or("event", |field| field.name)
}

fn field(path: &str, message: impl Into<String>) -> FieldFault {
    FieldFault {
        path: path.to_owned(),
        message: message.into(),
    }
}

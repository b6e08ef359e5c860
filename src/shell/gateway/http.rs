//! The endpoints: parse, call, map. Described with examples in `docs/publishing.md`.
//!
//! ```text
//! POST   /v1/events                 one event of ours as JSON, or a list
//! POST   /v1/capture[?strict=true]  an EPCIS 2.0 document
//! GET    /v1/events/{id}            where an event stands
//! DELETE /v1/events/{id}            withdrawn, unless it may be in the log
//! GET    /v1/dead-letters           what was refused for good
//! DELETE /v1/dead-letters/{number}  a person has seen to it
//! GET    /healthz /readyz /metrics
//! ```
//!
//! Until the bus is there, `/healthz` and `/metrics` answer, and everything else is 503 `starting`.

use std::sync::{Arc, OnceLock};

use axum::{
    Json, Router,
    body::{Body, Bytes},
    extract::{Path, RawQuery, Request, State},
    http::{HeaderValue, StatusCode, header},
    middleware::{self, Next},
    response::{IntoResponse, Response},
    routing::{delete, get, post},
};
use serde::Serialize;
use serde_json::json;

use super::{
    metrics::Metrics,
    taking::{Gateway, Taken, Together, WhenFull},
};
use crate::{
    epcis::{Finding, ImportOptions, Strictness},
    gateway::{
        Fault, FaultCode,
        intake::{self, NotCaptured, Placed},
        json,
    },
    id::Hash,
    outbox::ParcelId,
    shell::http::{Bodies, BodyFault, BodyLimits, InHand, problem},
    wire::v1,
};

/// Seconds after which a request that could not be carried out now may be tried again.
const RETRY_AFTER: HeaderValue = HeaderValue::from_static("2");

/// The path of captured documents, whose media type may be JSON-LD's.
pub(super) const LINKED_DATA: &[&str] = &["/v1/capture"];

/// Where the gateway comes in, once its outbox is open.
#[derive(Clone)]
pub(super) struct Door {
    gateway: Arc<OnceLock<Gateway>>,
    metrics: Metrics,
    /// What is waited for until then.
    bus: Arc<str>,
}

impl Door {
    pub(super) fn new(metrics: Metrics, bus: &str) -> Self {
        Self {
            gateway: Arc::default(),
            metrics,
            bus: bus.into(),
        }
    }

    /// Lets requests in.
    pub(super) fn open(&self, gateway: Gateway) {
        // Opened once.
        let _ = self.gateway.set(gateway);
    }

    fn gateway(&self) -> Result<&Gateway, Fault> {
        self.gateway.get().ok_or_else(|| {
            let message = format!("waiting for the bus at {}", self.bus);
            Fault::new(FaultCode::Starting, message)
        })
    }
}

/// What the handlers share.
struct Desk {
    door: Door,
    bodies: Bodies,
}

type Shared = State<Arc<Desk>>;

pub(super) fn router(door: Door, limits: BodyLimits) -> Router {
    let bodies = Bodies::new(limits);
    let desk = Arc::new(Desk { door, bodies });
    Router::new()
        .route("/v1/events", post(events))
        .route("/v1/capture", post(capture))
        .route("/v1/events/{*id}", get(status).delete(withdraw))
        .route("/v1/dead-letters", get(letters))
        .route("/v1/dead-letters/{number}", delete(take_letter))
        .route("/healthz", get(|| async { "ok\n" }))
        .route("/readyz", get(ready))
        .route("/metrics", get(metrics))
        .fallback(|| async { Fault::new(FaultCode::NotFound, "no such resource").into_response() })
        .method_not_allowed_fallback(|| async {
            Fault::new(FaultCode::MethodNotAllowed, "the resource has no such method").into_response()
        })
        .layer(middleware::from_fn_with_state(desk.clone(), count))
        .with_state(desk)
}

async fn count(State(desk): Shared, request: Request, next: Next) -> Response {
    let response = next.run(request).await;
    desk.door.metrics.answered(response.status().as_u16());
    response
}

impl IntoResponse for Fault {
    fn into_response(self) -> Response {
        let retryable = self.code.is_retryable();
        let mut response = problem::response(self.code.status(), &self);
        if retryable {
            response.headers_mut().insert(header::RETRY_AFTER, RETRY_AFTER);
        }
        response
    }
}

impl From<BodyFault> for Fault {
    fn from(fault: BodyFault) -> Self {
        let code = match fault {
            BodyFault::TooLong(_) | BodyFault::Excess(_) => FaultCode::TooLarge,
            BodyFault::Busy => FaultCode::Busy,
            BodyFault::Slow(_) => FaultCode::Slow,
        };
        Self::new(code, fault.to_string())
    }
}

/// What has begun is finished, and counts as in hand for as long, even if whoever asked hangs up.
async fn to_the_end<T: Send + 'static>(
    in_hand: InHand,
    work: impl Future<Output = Result<T, Fault>> + Send + 'static,
) -> Result<T, Fault> {
    let done = tokio::spawn(async move {
        let _in_hand = in_hand;
        work.await
    });
    done.await
        .unwrap_or_else(|error| Err(Fault::new(FaultCode::Internal, error.to_string())))
}

/// Reads off the runtime: a body can be long.
pub(super) async fn aside<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, Fault> + Send + 'static,
) -> Result<T, Fault> {
    let done = tokio::task::spawn_blocking(work).await;
    done.unwrap_or_else(|error| Err(Fault::new(FaultCode::Internal, error.to_string())))
}

/// 202 if anything is new, 200 if all of it was known.
fn accepted<'a>(mut taken: impl Iterator<Item = &'a Taken>) -> StatusCode {
    if taken.any(|taken| taken.is_new) {
        StatusCode::ACCEPTED
    } else {
        StatusCode::OK
    }
}

/// Says where the state of the event is, if it is one: of several, each id says it.
fn located<'a>(mut response: Response, mut taken: impl Iterator<Item = &'a Taken>) -> Response {
    if let (Some(only), None) = (taken.next(), taken.next()) {
        let mut path = "/v1/events/".to_owned();
        for byte in only.status.id.bytes() {
            if byte.is_ascii_alphanumeric() || b"-._~:;,@!$'()*+=".contains(&byte) {
                path.push(char::from(byte));
            } else {
                path.push('%');
                path.push_str(&hex::encode_upper([byte]));
            }
        }
        if let Ok(path) = path.parse() {
            response.headers_mut().insert(header::LOCATION, path);
        }
    }
    response
}

async fn events(State(desk): Shared, body: Body) -> Result<Response, Fault> {
    let gateway = desk.door.gateway()?.clone();
    let (in_hand, body) = desk.bodies.take(body).await?;
    let taken = to_the_end(in_hand, async move {
        let service = gateway.service();
        let orders = aside(move || {
            let mut random = [0; 16];
            getrandom::fill(&mut random)
                .map_err(|error| Fault::new(FaultCode::Internal, format!("no randomness: {error}")))?;
            let base = hex::encode(random);
            intake::events(&body, service, |position| {
                format!("urn:lotproof:event:{base}:{position}")
            })
        })
        .await?;
        take_events(&gateway, orders, WhenFull::Refuse).await
    })
    .await?;
    let status = accepted(taken.iter().map(|event| &event.taken));
    let response = (status, Json(json!({ "events": taken }))).into_response();
    Ok(located(response, taken.iter().map(|event| &event.taken)))
}

/// One event of our own JSON, as it is answered.
#[derive(Serialize)]
pub(super) struct EventReply {
    #[serde(flatten)]
    pub(super) taken: Taken,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    findings: Vec<Finding>,
}

/// Takes all of these events, or none.
pub(super) async fn take_events(
    gateway: &Gateway,
    mut orders: Vec<Placed>,
    when_full: WhenFull,
) -> Result<Vec<EventReply>, Fault> {
    let findings: Vec<_> = orders
        .iter_mut()
        .map(|placed| std::mem::take(&mut placed.findings))
        .collect();
    let taken = gateway.take(orders, Together::AllOrNone, when_full).await?;
    let replies = taken.into_iter().zip(findings);
    replies
        .map(|(taken, findings)| {
            Ok(EventReply {
                taken: taken?,
                findings,
            })
        })
        .collect()
}

/// What a document came to, as it is answered and as it lies beside a file of the drop folder.
#[derive(Serialize)]
pub(super) struct CaptureReply {
    document: Hash,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    findings: Vec<Finding>,
    pub(super) events: Vec<CapturedReply>,
    pub(super) refused: Vec<NotCaptured>,
}

/// One event of a document.
#[derive(Serialize)]
pub(super) struct CapturedReply {
    position: usize,
    kind: &'static str,
    #[serde(flatten)]
    pub(super) taken: Taken,
    findings: Vec<Finding>,
}

impl CaptureReply {
    fn status(&self) -> StatusCode {
        accepted(self.events.iter().map(|event| &event.taken))
    }
}

/// Takes a document, event by event.
pub(super) async fn take_document(
    gateway: &Gateway,
    body: Bytes,
    options: ImportOptions,
    when_full: WhenFull,
) -> Result<CaptureReply, Fault> {
    let service = gateway.service();
    let capture = aside(move || intake::capture(&body, service, &options)).await?;
    let mut refused = capture.refused;
    let mut about = Vec::with_capacity(capture.taken.len());
    let mut orders = Vec::with_capacity(capture.taken.len());
    for event in capture.taken {
        about.push((
            event.position,
            event.kind,
            event.order.id().to_owned(),
            event.findings,
        ));
        orders.push(Placed {
            path: String::new(),
            order: event.order,
            findings: Vec::new(),
        });
    }
    let mut events = Vec::with_capacity(orders.len());
    if !orders.is_empty() {
        let taken = gateway.take(orders, Together::Each, when_full).await?;
        for ((position, kind, id, findings), taken) in about.into_iter().zip(taken) {
            match taken {
                Ok(taken) => events.push(CapturedReply {
                    position,
                    kind,
                    taken,
                    findings,
                }),
                Err(fault) => refused.push(NotCaptured {
                    position,
                    original_id: Some(id),
                    code: fault.code,
                    message: fault.message,
                    findings,
                }),
            }
        }
    }
    refused.sort_by_key(|refused| refused.position);
    Ok(CaptureReply {
        document: capture.document,
        findings: capture.findings,
        events,
        refused,
    })
}

async fn capture(State(desk): Shared, RawQuery(query): RawQuery, body: Body) -> Result<Response, Fault> {
    let gateway = desk.door.gateway()?.clone();
    let (in_hand, body) = desk.bodies.take(body).await?;
    let mut options = ImportOptions {
        document_len_max: desk.bodies.limits().len_max,
        ..ImportOptions::default()
    };
    options.strictness = match query.as_deref() {
        None | Some("" | "strict=false") => Strictness::Lenient,
        Some("strict=true") => Strictness::Strict,
        Some(other) => {
            let message = format!("{other} is neither strict=true nor strict=false");
            return Err(Fault::new(FaultCode::BadQuery, message));
        }
    };
    let reply = to_the_end(in_hand, async move {
        take_document(&gateway, body, options, WhenFull::Refuse).await
    })
    .await?;
    if reply.events.is_empty() {
        // The one shape of errors, with all that was found beside it.
        let code = FaultCode::NothingTaken;
        let fault = Fault::new(
            code,
            "no event of the document was taken; `refused` says why of each",
        );
        let mut body = serde_json::to_value(&fault).unwrap_or_default();
        if let (Some(body), Ok(serde_json::Value::Object(reply))) =
            (body.as_object_mut(), serde_json::to_value(&reply))
        {
            body.extend(reply);
        }
        return Ok(problem::response(code.status(), &body));
    }
    let response = (reply.status(), Json(&reply)).into_response();
    Ok(located(response, reply.events.iter().map(|event| &event.taken)))
}

async fn status(State(desk): Shared, Path(id): Path<String>) -> Result<Response, Fault> {
    let status = desk.door.gateway()?.status(&id);
    let status = status.ok_or_else(|| {
        Fault::new(
            FaultCode::UnknownEvent,
            format!("no event {id} is known here; the ledger may know it"),
        )
    })?;
    Ok(Json(status).into_response())
}

async fn withdraw(State(desk): Shared, Path(id): Path<String>) -> Result<Response, Fault> {
    desk.door.gateway()?.withdraw(&id).await?;
    Ok(StatusCode::NO_CONTENT.into_response())
}

async fn letters(State(desk): Shared) -> Result<Response, Fault> {
    let letters = desk
        .door
        .gateway()?
        .publisher()
        .letters()
        .await
        .map_err(|_| stopping())?;
    let letters = letters.into_iter().map(|letter| {
        let events = letter.events.iter().filter_map(|bytes| {
            let event = <v1::Event as prost::Message>::decode(bytes.clone()).ok()?;
            Some(json::write(&event))
        });
        json!({
            "number": letter.parcel.get(),
            "reason": letter.refusal.name(),
            "feed": letter.feed,
            "sequence": letter.sequence,
            "index": letter.index,
            "events": events.collect::<Vec<_>>(),
        })
    });
    Ok(Json(json!({ "dead_letters": letters.collect::<Vec<_>>() })).into_response())
}

async fn take_letter(State(desk): Shared, Path(number): Path<String>) -> Result<Response, Fault> {
    let publisher = desk.door.gateway()?.publisher();
    let letters = publisher.letters().await.map_err(|_| stopping())?;
    let number = number.parse().ok().map(ParcelId::new);
    let letter = letters.into_iter().find(|letter| Some(letter.parcel) == number);
    let letter = letter.ok_or_else(|| Fault::new(FaultCode::NotFound, "no such dead letter"))?;
    publisher
        .take_letter(letter.parcel)
        .await
        .map_err(|_| stopping())?;
    Ok(StatusCode::NO_CONTENT.into_response())
}

fn stopping() -> Fault {
    Fault::new(FaultCode::Stopped, "the gateway is stopping")
}

async fn ready(State(desk): Shared) -> Result<&'static str, Fault> {
    let publisher = desk.door.gateway()?.publisher();
    if publisher.letters().await.is_err() {
        return Err(stopping());
    }
    if publisher.status().feed.is_none() {
        // Events are still taken, and go out once the party has a key again.
        let message = "every key of the party is closed: add the next one";
        return Err(Fault::new(FaultCode::Stopped, message));
    }
    Ok("ready\n")
}

async fn metrics(State(desk): Shared) -> String {
    match desk.door.gateway() {
        Ok(gateway) => desk
            .door
            .metrics
            .render(&gateway.publisher().status(), gateway.known()),
        Err(_) => desk.door.metrics.render_requests(),
    }
}

//! The query API over HTTP; `docs/compliance-api.md` describes it for askers.
//!
//! ```text
//! GET       /v1/lots/{id}?after=&custody_offset=&limit=
//! GET       /v1/lots/{id}/provenance?direction=up|down&depth=&nodes=&at=
//! GET|POST  /v1/lots/{id}/verdicts
//! GET       /v1/anomalies?lot=&kind=&signer=&offset=&limit=
//! GET       /v1/digests   /v1/packs   /v1/openings?offset=&limit=
//! GET       /healthz   /readyz   /metrics
//! ```
//!
//! `{id}` is a URI, percent-encoded as one segment, or as it is: what has `://` in it, unencoded, is taken
//! literally.

use std::time::Duration;

use axum::{
    Router,
    body::{Body, Bytes},
    extract::{FromRef, Query, State},
    http::{HeaderValue, Method, StatusCode, Uri, header},
    response::{IntoResponse, Response},
    routing::get,
};
use lotproof::{
    json_bounds::JsonBounds,
    policy::CONTEXT_LEN_MAX,
    shell::http::{Bodies, BodyFault, BodyLimits, problem},
};
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use crate::{
    answering::{Answer, Answering},
    problem::{Problem, ProblemCode},
    request::{LotRequest, NoParameters, ProvenanceRequest, Request, VerdictsRequest},
};

/// Longest body of a request: a context of the longest kind, and its frame.
const BODY_LEN_MAX: usize = CONTEXT_LEN_MAX + 4_096;
/// How bodies are bounded beside that.
pub(crate) const BODY_LIMITS: BodyLimits = BodyLimits {
    len_max: BODY_LEN_MAX,
    time_max: Duration::from_secs(30),
    in_hand_max: 64,
    json: QUESTION,
};
/// Values and depth of a question, by HTTP or NATS.
pub(crate) const QUESTION: JsonBounds = JsonBounds {
    values_max: 20_000,
    depth_max: 32,
};
/// Deepest path of a context field in a query.
pub(crate) const PATH_PARTS_MAX: usize = 8;
const LOTS: &str = "/v1/lots/";

/// What the handlers share.
#[derive(Clone)]
struct Desk {
    answering: Answering,
    bodies: Bodies,
}

impl FromRef<Desk> for Answering {
    fn from_ref(desk: &Desk) -> Self {
        desk.answering.clone()
    }
}

pub(crate) fn router(answering: Answering) -> Router {
    let bodies = Bodies::new(BODY_LIMITS);
    Router::new()
        .route("/v1/lots/{*rest}", get(lots).post(lots))
        .route(
            "/v1/anomalies",
            get(|state, uri| fixed(state, uri, "anomalies", Request::Anomalies)),
        )
        .route(
            "/v1/digests",
            get(|state, uri| fixed(state, uri, "digests", Request::Digests)),
        )
        .route(
            "/v1/packs",
            get(|state, uri| fixed(state, uri, "packs", Request::Packs)),
        )
        .route(
            "/v1/openings",
            get(|state, uri| fixed(state, uri, "openings", Request::Openings)),
        )
        .route("/healthz", get(|| async { "ok\n" }))
        .route("/readyz", get(readyz))
        .route("/metrics", get(metrics))
        .fallback(|| async {
            response(Problem::new(ProblemCode::NotFound, "no such address; see /v1/lots/{id}").into())
        })
        .method_not_allowed_fallback(|| async { response(method_not_allowed().into()) })
        .with_state(Desk { answering, bodies })
}

fn response(answer: Answer) -> Response {
    let status = StatusCode::from_u16(answer.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let media_type = match answer.problem {
        None => HeaderValue::from_static("application/json"),
        Some(_) => problem::PROBLEM_JSON,
    };
    // Answers change with every commit.
    let no_cache = HeaderValue::from_static("no-cache");
    let headers = [
        (header::CONTENT_TYPE, media_type),
        (header::CACHE_CONTROL, no_cache),
    ];
    (status, headers, answer.body).into_response()
}

fn method_not_allowed() -> Problem {
    Problem::new(ProblemCode::MethodNotAllowed, "not this method here")
}

/// Reads a query string as a request whose fields it names.
fn query<T: DeserializeOwned>(uri: &Uri) -> Result<T, Problem> {
    Query::try_from_uri(uri)
        .map(|Query(request)| request)
        .map_err(|error| Problem::new(ProblemCode::InvalidParameter, error.body_text()))
}

async fn fixed<T: DeserializeOwned>(
    State(answering): State<Answering>,
    uri: Uri,
    endpoint: &'static str,
    request: fn(T) -> Request,
) -> Response {
    let request = query(&uri).map(request);
    response(answering.answer("http", endpoint, request).await)
}

/// Everything about one lot. The identifier may contain slashes, so the path is taken apart here.
async fn lots(State(desk): State<Desk>, method: Method, uri: Uri, body: Body) -> Response {
    let rest = uri.path().strip_prefix(LOTS).unwrap_or_default();
    let (endpoint, id) = if let Some(id) = rest.strip_suffix("/provenance") {
        ("provenance", id)
    } else if let Some(id) = rest.strip_suffix("/verdicts") {
        ("verdicts", id)
    } else {
        ("lot", rest)
    };
    // A body where none belongs is not read.
    let takes_body = method == Method::POST && endpoint == "verdicts";
    let (_in_hand, body) = if takes_body {
        match desk.bodies.take(body).await {
            Ok((in_hand, body)) => (Some(in_hand), body),
            Err(fault) => return response(Problem::from(fault).into()),
        }
    } else {
        (None, Bytes::new())
    };
    let request = lot_request(&method, &uri, endpoint, id, &body);
    response(desk.answering.answer("http", endpoint, request).await)
}

impl From<BodyFault> for Problem {
    fn from(fault: BodyFault) -> Self {
        let code = match fault {
            BodyFault::TooLong(_) | BodyFault::Excess(_) => ProblemCode::RequestTooLarge,
            BodyFault::Busy => ProblemCode::Busy,
            BodyFault::Slow(_) => ProblemCode::RequestTooSlow,
        };
        Self::new(code, fault.to_string())
    }
}

fn lot_request(
    method: &Method,
    uri: &Uri,
    endpoint: &str,
    id: &str,
    body: &[u8],
) -> Result<Request, Problem> {
    let lot = identifier_in_path(id)?;
    if method == Method::POST && endpoint != "verdicts" {
        return Err(method_not_allowed());
    }
    Ok(match endpoint {
        "provenance" => Request::Provenance(ProvenanceRequest { lot, ..query(uri)? }),
        "verdicts" if method == Method::POST => {
            let NoParameters {} = query(uri)?;
            let request: VerdictsRequest = serde_json::from_slice(body)
                .map_err(|error| Problem::new(ProblemCode::InvalidParameter, error.to_string()))?;
            Request::Verdicts(VerdictsRequest { lot, ..request })
        }
        "verdicts" => Request::Verdicts(verdicts_query(lot, query(uri)?)?),
        _ => Request::Lot(LotRequest { lot, ..query(uri)? }),
    })
}

/// `pack`, `evaluation` and `param.NAME` are the question's own; every other parameter is a field of the
/// context, by its path. Values are text, but for `null`, `true` and `false`.
fn verdicts_query(lot: String, parameters: Vec<(String, String)>) -> Result<VerdictsRequest, Problem> {
    let mut request = VerdictsRequest {
        lot,
        ..VerdictsRequest::default()
    };
    for (name, value) in parameters {
        let twice = || {
            let message = format!("{name} comes twice, beside a field of its own, or is too deep");
            Problem::new(ProblemCode::InvalidParameter, message).about([name.clone()])
        };
        let is_new = match name.as_str() {
            "pack" => request.pack.replace(value).is_none(),
            "evaluation" => request.evaluation.replace(value).is_none(),
            path => {
                if let Some(param) = path.strip_prefix("param.") {
                    request.params.insert(param.to_owned(), value).is_none()
                } else {
                    insert(&mut request.context, path, value)
                }
            }
        };
        if !is_new {
            return Err(twice());
        }
    }
    Ok(request)
}

/// Puts a value at a dotted path. Returns whether there was room.
fn insert(mut fields: &mut Map<String, Value>, path: &str, value: String) -> bool {
    let mut path = path;
    if path.matches('.').count() >= PATH_PARTS_MAX {
        return false;
    }
    while let Some((first, rest)) = path.split_once('.') {
        let inner = fields.entry(first).or_insert_with(|| Value::Object(Map::new()));
        let Value::Object(inner) = inner else {
            return false;
        };
        (fields, path) = (inner, rest);
    }
    let value = match value.as_str() {
        "null" => Value::Null,
        "true" => Value::Bool(true),
        "false" => Value::Bool(false),
        _ => Value::String(value),
    };
    fields.insert(path.to_owned(), value).is_none()
}

/// The identifier in a path: as it is if it is a URL, percent-decoded otherwise.
fn identifier_in_path(segment: &str) -> Result<String, Problem> {
    if segment.contains("://") {
        return Ok(segment.to_owned());
    }
    percent_decoded(segment).ok_or_else(|| {
        let message = "the lot in the path is not percent-encoded UTF-8";
        Problem::new(ProblemCode::InvalidIdentifier, message).about(["lot"])
    })
}

fn percent_decoded(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, behind)) = rest.split_first() {
        rest = behind;
        if *first != b'%' {
            bytes.push(*first);
            continue;
        }
        let (digits, behind) = rest.split_at_checked(2)?;
        rest = behind;
        if !digits.iter().all(u8::is_ascii_hexdigit) {
            return None;
        }
        bytes.push(u8::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()?);
    }
    String::from_utf8(bytes).ok()
}

async fn readyz(State(answering): State<Answering>) -> Response {
    match answering.log().health().why_not_ready() {
        None => (StatusCode::OK, "ready\n").into_response(),
        Some(why) => problem::retry(StatusCode::SERVICE_UNAVAILABLE, "not_ready", why, 1),
    }
}

async fn metrics(State(answering): State<Answering>) -> Response {
    // Looks at the state, which a long fold may hold.
    let render = move || answering.metrics().render(answering.log());
    match tokio::task::spawn_blocking(render).await {
        Ok(text) => text.into_response(),
        Err(error) => problem::plain(StatusCode::INTERNAL_SERVER_ERROR, "internal", error.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_identifier_is_found_encoded_or_as_it_is() {
        let url = "https://id.gs1.org/01/09521231100013/10/A%2FB";
        assert_eq!(identifier_in_path(url).unwrap(), url);
        let encoded = "https%3A%2F%2Fid.gs1.org%2F01%2F09521231100013%2F10%2FA%252FB";
        assert_eq!(identifier_in_path(encoded).unwrap(), url);
        assert_eq!(identifier_in_path("urn:x:1").unwrap(), "urn:x:1");
        for broken in ["a%2", "a%+1", "%ff"] {
            let problem = identifier_in_path(broken).unwrap_err();
            assert_eq!(problem.code, ProblemCode::InvalidIdentifier, "{broken}");
        }
    }

    fn asked(query: &str) -> Result<VerdictsRequest, Problem> {
        let uri: Uri = format!("/v1/lots/urn:x:1/verdicts?{query}").parse().unwrap();
        verdicts_query("urn:x:1".into(), super::query(&uri)?)
    }

    #[test]
    fn parameters_of_a_query_are_fields_of_the_context_by_path() {
        let query = "pack=p&buyer.agency=US-DOD&buyer.office=7&assembler=null&param.clock=obligation";
        let request = asked(query).unwrap();
        let context = r#"{"buyer": {"agency": "US-DOD", "office": "7"}, "assembler": null}"#;
        assert_eq!(
            Value::Object(request.context),
            serde_json::from_str::<Value>(context).unwrap()
        );
        assert_eq!(request.pack.as_deref(), Some("p"));
        assert_eq!(request.params["clock"], "obligation");
    }

    #[test]
    fn a_parameter_that_comes_twice_is_refused_by_name() {
        for (query, name) in [
            ("pack=a&pack=b", "pack"),
            ("buyer=x&buyer.agency=y", "buyer.agency"),
            ("buyer.agency=x&buyer=y", "buyer"),
        ] {
            assert_eq!(asked(query).unwrap_err().fields, [name], "{query}");
        }
    }
}

//! Why a request is not answered: `application/problem+json` (RFC 9457), with a stable `code`.
//!
//! ```text
//! {"status": 421, "code": "host_refused", "detail": "..."}
//! ```
//!
//! Services put members of their own beside these, such as `fields`. `type` is left out: `code` says it.

use axum::{
    body::Body,
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse as _, Response},
};
use serde::Serialize;
use serde_json::Value;

/// The media type of problems.
pub const PROBLEM_JSON: HeaderValue = HeaderValue::from_static("application/problem+json");

/// The bytes of a problem: `status` before the members that `problem` has (`code`, `detail` and more).
pub fn body(status: u16, problem: &impl Serialize) -> Vec<u8> {
    let mut members = serde_json::Map::from_iter([("status".to_owned(), Value::from(status))]);
    if let Ok(Value::Object(more)) = serde_json::to_value(problem) {
        members.extend(more);
    }
    serde_json::to_vec(&members).unwrap_or_default()
}

/// A problem as it is answered.
pub fn response(status: u16, problem: &impl Serialize) -> Response {
    let mut response = Response::new(Body::from(body(status, problem)));
    *response.status_mut() = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    response.headers_mut().insert(header::CONTENT_TYPE, PROBLEM_JSON);
    response
}

/// A problem that has nothing but a code and words.
pub fn plain(status: StatusCode, code: &'static str, detail: impl Into<String>) -> Response {
    response(
        status.as_u16(),
        &Plain {
            code,
            detail: detail.into(),
        },
    )
    .into_response()
}

/// The same, to be asked again after so many seconds.
pub fn retry(status: StatusCode, code: &'static str, detail: impl Into<String>, seconds: u32) -> Response {
    let mut response = plain(status, code, detail);
    response.headers_mut().insert(header::RETRY_AFTER, seconds.into());
    response
}

#[derive(Serialize)]
pub(super) struct Plain {
    pub(super) code: &'static str,
    pub(super) detail: String,
}

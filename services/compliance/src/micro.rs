//! The query API over NATS request/reply, as a NATS micro-service: one endpoint for each kind of question.
//!
//! ```text
//! lotproof.{log8}.query.lot | provenance | verdicts | anomalies | digests | packs | openings
//! ```
//!
//! The request is the JSON object that HTTP makes of path and parameters (nothing at all where all have
//! defaults), the reply the bytes that HTTP sends. A problem comes as its JSON with the headers
//! `Nats-Service-Error` (its code) and `Nats-Service-Error-Code` (the HTTP status). Projectors of one log
//! share a queue group: one of them answers.

use std::sync::Arc;

use anyhow::{Result, anyhow};
use async_nats::{
    Client, HeaderMap,
    service::{NATS_SERVICE_ERROR, NATS_SERVICE_ERROR_CODE, Request as Asked, Service, ServiceExt as _},
};
use bytes::Bytes;
use futures::{StreamExt as _, future::join_all};
use lotproof::shell::nats::BusNames;
use serde::de::DeserializeOwned;
use tokio::{sync::Semaphore, task::JoinHandle};

use crate::{
    answering::{Answer, Answering},
    http::QUESTION,
    problem::{Problem, ProblemCode},
    request::Request,
};

/// Requests in memory at a time, beside those that wait in the client, which drops what is too many.
pub(crate) const IN_HAND_MAX: usize = 256;
/// The service's name on the bus.
const NAME: &str = "lotproof-compliance";

/// A request's reader.
type Read = fn(&[u8]) -> Result<Request, Problem>;

/// Endpoints, and how the request to each is read.
const ENDPOINTS: [(&str, Read); 7] = [
    ("lot", |bytes| parse(bytes).map(Request::Lot)),
    ("provenance", |bytes| parse(bytes).map(Request::Provenance)),
    ("verdicts", |bytes| parse(bytes).map(Request::Verdicts)),
    ("anomalies", |bytes| parse(bytes).map(Request::Anomalies)),
    ("digests", |bytes| parse(bytes).map(Request::Digests)),
    ("packs", |bytes| parse(bytes).map(Request::Packs)),
    ("openings", |bytes| parse(bytes).map(Request::Openings)),
];

/// Answers until aborted. The service ends when dropped.
pub(crate) async fn serve(client: Client, names: BusNames, answering: Answering) -> Result<JoinHandle<()>> {
    let fault = |error: async_nats::Error| anyhow!("serving queries on the bus: {error}");
    let service = client
        .service_builder()
        .description("Where lots came from, and whether they meet a rule")
        .start(NAME, env!("CARGO_PKG_VERSION"))
        .await
        .map_err(fault)?;
    let group = service.group(names.query_group());
    let in_hand = Arc::new(Semaphore::new(IN_HAND_MAX));
    let mut loops = Vec::new();
    for (name, read) in ENDPOINTS {
        let mut asked = group.endpoint(name).await.map_err(fault)?;
        let (client, answering, in_hand) = (client.clone(), answering.clone(), in_hand.clone());
        loops.push(async move {
            while let Some(asked) = asked.next().await {
                let Ok(permit) = in_hand.clone().acquire_owned().await else {
                    return;
                };
                let (client, answering) = (client.clone(), answering.clone());
                // Beside each other; how many are computed at a time is bounded where they are.
                tokio::spawn(async move {
                    let _permit = permit;
                    let request = read(&asked.message.payload);
                    let answer = answering.answer("nats", name, request).await;
                    respond(&client, &asked, answer).await;
                });
            }
        });
    }
    client.flush().await?;
    Ok(tokio::spawn(run(service, loops)))
}

async fn run(service: Service, loops: Vec<impl Future<Output = ()>>) {
    join_all(loops).await;
    drop(service);
}

fn parse<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Problem> {
    let bytes = if bytes.is_empty() { b"{}" } else { bytes };
    QUESTION
        .count(bytes)
        .map_err(|excess| Problem::new(ProblemCode::RequestTooLarge, excess.to_string()))?;
    serde_json::from_slice(bytes)
        .map_err(|error| Problem::new(ProblemCode::InvalidParameter, error.to_string()))
}

async fn respond(client: &Client, asked: &Asked, answer: Answer) {
    let len_max = client.server_info().max_payload;
    let answer = if answer.body.len() > len_max {
        let message = format!(
            "the answer has {} bytes, the bus carries {len_max}: ask over HTTP, or for less",
            answer.body.len()
        );
        Problem::new(ProblemCode::ReplyTooLarge, message).into()
    } else {
        answer
    };
    let mut headers = HeaderMap::new();
    if let Some(problem) = &answer.problem {
        headers.insert(NATS_SERVICE_ERROR, problem.code.as_str());
        headers.insert(NATS_SERVICE_ERROR_CODE, answer.status.to_string().as_str());
    }
    let body: Bytes = answer.body;
    if let Err(error) = asked.respond_with_headers(Ok(body), headers).await {
        tracing::debug!(%error, "an answer could not be sent");
    }
}

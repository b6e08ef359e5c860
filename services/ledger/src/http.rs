//! The read side over HTTP: static, cacheable, mirrorable, and never beyond the published checkpoint.
//!
//! ```text
//! /checkpoint                       the newest signed checkpoint (C2SP tlog-checkpoint)
//! /tile/{L}/{N}[.p/{W}]             hash tiles (C2SP tlog-tiles)
//! /tile/entries/{N}[.p/{W}]         entry bundles
//! /v1/entries?start=N               the same entries as one stream: u16be length || bytes
//! /healthz /readyz /metrics
//! ```
//!
//! While the log is being opened, `/healthz` and `/metrics` answer; everything else is 503 and says how far that
//! is. Streams and tiles have places ([`ReadLimits`]): beyond them the answer is 503 `busy` with `Retry-After`. What is
//! refused is `application/problem+json`; `docs/http.md` has the codes.

use std::sync::{Arc, OnceLock};

use axum::{
    Router,
    body::{Body, Bytes},
    extract::{Path, Query, State, rejection::QueryRejection},
    http::{StatusCode, header},
    response::{IntoResponse, Response},
    routing::get,
};
use futures::stream;
use lotproof::{
    id::{LeafIndex, TreeSize},
    log::tile::{TilePath, encode_bundle},
    port::StoreError,
    shell::http::problem,
};
use serde::Deserialize;

use crate::{
    metrics::Metrics,
    opening::Opening,
    places::{Places, ReadLimits},
    shared::{Health, Shared},
};

/// What pages of any origin may read of a log that its operator calls public.
pub(crate) const PUBLIC: &[&str] = &["/checkpoint", "/tile/"];

/// What the handlers read.
pub(crate) struct ReadSide {
    /// Not there before the log is open.
    shared: OnceLock<Shared>,
    opening: Opening,
    metrics: Metrics,
    streams: Places,
    tiles: Places,
}

impl ReadSide {
    /// Of a log that is being opened.
    pub(crate) fn new(opening: Opening, metrics: Metrics, limits: ReadLimits) -> Self {
        Self {
            shared: OnceLock::new(),
            opening,
            streams: metrics.places("entries", "streams of entries", limits.streams),
            tiles: metrics.places("tile", "places for tiles", limits.tiles),
            metrics,
        }
    }

    /// The log is open.
    pub(crate) fn opened(&self, shared: Shared) {
        // Opened once; a second word would be about the same log.
        let _ = self.shared.set(shared);
    }

    fn shared(&self) -> Result<Shared, Box<Response>> {
        let shared = self.shared.get().cloned();
        shared.ok_or_else(|| Box::new(not_ready(self.opening.to_string())))
    }
}

pub(crate) fn router(read_side: Arc<ReadSide>) -> Router {
    Router::new()
        .route("/checkpoint", get(checkpoint))
        .route("/tile/{*path}", get(tile))
        .route("/v1/entries", get(entries))
        .route("/healthz", get(|| async { "ok\n" }))
        .route("/readyz", get(readyz))
        .route(
            "/metrics",
            get(|State(side): State<Arc<ReadSide>>| async move { side.metrics.render() }),
        )
        .fallback(|| async { not_found("no such resource; see /checkpoint and /tile/".to_owned()) })
        .method_not_allowed_fallback(|| async {
            let detail = "the resource has no such method";
            problem::plain(StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed", detail)
        })
        .with_state(read_side)
}

/// Said before anything can be read, and by `/readyz`.
fn not_ready(why: String) -> Response {
    problem::retry(StatusCode::SERVICE_UNAVAILABLE, "not_ready", why, 1)
}

fn not_found(why: String) -> Response {
    problem::plain(StatusCode::NOT_FOUND, "not_found", why)
}

fn internal() -> Response {
    let detail = "it could not be read; the log of the service says why";
    problem::plain(StatusCode::INTERNAL_SERVER_ERROR, "internal", detail)
}

async fn checkpoint(State(side): State<Arc<ReadSide>>) -> Response {
    let shared = match side.shared() {
        Ok(shared) => shared,
        Err(not_yet) => return *not_yet,
    };
    match shared.published() {
        Some(published) => (
            [
                (header::CONTENT_TYPE, "text/plain; charset=utf-8"),
                (header::CACHE_CONTROL, "max-age=1"),
            ],
            published.checkpoint.bytes().clone(),
        )
            .into_response(),
        None => not_ready("nothing is published yet".to_owned()),
    }
}

async fn tile(State(side): State<Arc<ReadSide>>, Path(path): Path<String>) -> Response {
    let Ok(tile) = format!("tile/{path}").parse::<TilePath>() else {
        return not_found(format!(
            "tile/{path} is no tile; expected a form like tile/0/000 or tile/entries/000.p/7"
        ));
    };
    let (shared, place) = match side.shared().and_then(|shared| Ok((shared, side.tiles.take()?))) {
        Ok(both) => both,
        Err(not_now) => return *not_now,
    };
    let size = shared.published_size();
    let read = tokio::task::spawn_blocking(move || {
        // Kept until it is read, whether or not anybody still waits for it.
        let _place = place;
        read_tile(&shared, tile, size)
    })
    .await;
    match read {
        Ok(Ok(Some(bytes))) => (
            [
                (header::CONTENT_TYPE, "application/octet-stream"),
                (header::CACHE_CONTROL, "public, max-age=31536000, immutable"),
            ],
            bytes,
        )
            .into_response(),
        Ok(Ok(None)) => not_found(format!("no such tile in a log of {size} entries")),
        Ok(Err(error)) => {
            tracing::error!(%error, "a tile could not be read");
            internal()
        }
        Err(error) => {
            tracing::error!(%error, "reading a tile panicked");
            internal()
        }
    }
}

fn read_tile(shared: &Shared, path: TilePath, size: TreeSize) -> Result<Option<Vec<u8>>, StoreError> {
    match path {
        TilePath::Hashes(tile) if tile.exists_at(size) => tile.read(shared.reader()).map(Some),
        TilePath::Entries(bundle) if bundle.exists_at(size) => {
            let Some(first) = bundle.first_entry() else {
                return Ok(None);
            };
            let entries = shared.reader().read(first, bundle.width().into())?;
            encode_bundle(&entries)
                .map(Some)
                .map_err(|error| StoreError::Index(error.to_string()))
        }
        TilePath::Hashes(_) | TilePath::Entries(_) => Ok(None),
    }
}

#[derive(Deserialize)]
struct EntriesQuery {
    start: u64,
}

/// Streams entries up to what was published when the request came.
async fn entries(
    State(side): State<Arc<ReadSide>>,
    query: Result<Query<EntriesQuery>, QueryRejection>,
) -> Response {
    const AT_ONCE: u64 = 256;
    let start = match query {
        Ok(Query(EntriesQuery { start })) => start,
        Err(error) => {
            let detail = format!("{}; expected a form like ?start=0", error.body_text());
            return problem::plain(StatusCode::BAD_REQUEST, "invalid_parameter", detail);
        }
    };
    let (shared, place) = match side
        .shared()
        .and_then(|shared| Ok((shared, side.streams.take()?)))
    {
        Ok(both) => both,
        Err(not_now) => return *not_now,
    };
    let size = shared.published_size().get();
    let frames = stream::unfold((start, place), move |(next, place)| {
        let shared = shared.clone();
        async move {
            if next >= size {
                return None;
            }
            let count = AT_ONCE.min(size - next);
            let read = tokio::task::spawn_blocking(move || {
                let entries = shared
                    .reader()
                    .read(LeafIndex::new(next), usize::try_from(count).unwrap_or(1))?;
                encode_bundle(&entries).map_err(|error| StoreError::Index(error.to_string()))
            })
            .await;
            let frame = match read {
                Ok(Ok(frame)) => Ok(Bytes::from(frame)),
                Ok(Err(error)) => Err(std::io::Error::other(error.to_string())),
                Err(error) => Err(std::io::Error::other(error.to_string())),
            };
            // After an error the body ends, cut short; a reader sees that.
            let next = if frame.is_ok() { next + count } else { size };
            Some((frame, (next, place)))
        }
    });
    (
        [(header::CONTENT_TYPE, "application/octet-stream")],
        Body::from_stream(frames),
    )
        .into_response()
}

async fn readyz(State(side): State<Arc<ReadSide>>) -> Response {
    let shared = match side.shared() {
        Ok(shared) => shared,
        Err(not_yet) => return *not_yet,
    };
    match shared.health() {
        Health::Ready => "ready\n".into_response(),
        Health::Starting => not_ready("starting".to_owned()),
        Health::WaitingForBus(address) => not_ready(format!("waiting for the bus at {address}")),
        Health::Halted(why) => not_ready(format!("halted: {why}")),
    }
}

#[cfg(test)]
mod tests;

//! What a connection is doing: nothing, sending a head, or being answered. Only a connection that is not being
//! answered may be closed for its time or its place, and none of its requests begins once it is.

use std::{
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll},
};

use axum::body::{Body, Bytes, HttpBody};
use hyper::body::{Frame, SizeHint};
use tokio::time::Instant;

/// The phase of one connection, and since when.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    /// Nothing has come since the last answer.
    Idle(Instant),
    /// A head has begun to arrive.
    Arriving(Instant),
    /// A request is in hand, until its answer is handed over.
    Answering,
    /// It is closed: no request begins any more.
    Closed,
}

/// The phase of a connection, shared by those who watch it.
#[derive(Clone, Debug)]
pub(super) struct Activity(Arc<Mutex<Phase>>);

impl Activity {
    pub(super) fn new() -> Self {
        Self(Arc::new(Mutex::new(Phase::Idle(Instant::now()))))
    }

    fn lock(&self) -> MutexGuard<'_, Phase> {
        // A phase is one word: no panic leaves it half written.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn phase(&self) -> Phase {
        *self.lock()
    }

    /// Bytes came.
    pub(super) fn arriving(&self) {
        let mut phase = self.lock();
        if matches!(*phase, Phase::Idle(_)) {
            *phase = Phase::Arriving(Instant::now());
        }
    }

    /// A request is there; nothing if the connection is closed already.
    pub(super) fn begin(&self) -> Option<Answering> {
        let mut phase = self.lock();
        if *phase == Phase::Closed {
            return None;
        }
        *phase = Phase::Answering;
        Some(Answering(self.clone()))
    }

    /// Since when the connection waits for its caller; nothing if it is being answered or closed.
    pub(super) fn waiting_since(&self) -> Option<Instant> {
        match self.phase() {
            Phase::Idle(since) | Phase::Arriving(since) => Some(since),
            Phase::Answering | Phase::Closed => None,
        }
    }

    /// Closes a connection that waits for its caller. Returns whether it does.
    pub(super) fn close(&self) -> bool {
        let mut phase = self.lock();
        let waits = matches!(*phase, Phase::Idle(_) | Phase::Arriving(_));
        if waits {
            *phase = Phase::Closed;
        }
        waits
    }
}

/// A request in hand, until dropped.
#[derive(Debug)]
pub(super) struct Answering(Activity);

impl Drop for Answering {
    fn drop(&mut self) {
        let mut phase = self.0.lock();
        if *phase == Phase::Answering {
            *phase = Phase::Idle(Instant::now());
        }
    }
}

impl Answering {
    /// The body of the answer, with which the request ends.
    pub(super) fn with(self, body: Body) -> Body {
        Body::new(AnswerBody {
            body,
            _answering: self,
        })
    }
}

struct AnswerBody {
    body: Body,
    _answering: Answering,
}

impl HttpBody for AnswerBody {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        Pin::new(&mut self.body).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

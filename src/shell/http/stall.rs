//! A connection that does not wait for ever for a reader that takes nothing.
//!
//! From the moment that a write has to wait, the other side has a span of time to take everything that is
//! buffered, or at least [`ENOUGH`] of it; then the span begins anew. Otherwise the connection ends, and with it
//! whatever place its answer held. What is read tells the connection's activity that a request began to arrive.

use std::{
    io,
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::TcpStream,
    time::{Instant, Sleep, sleep_until},
};

use super::activity::Activity;

/// Bytes that are enough for one span.
pub(super) const ENOUGH: usize = 64 << 10;

/// One such connection.
pub(super) struct Connection {
    stream: TcpStream,
    span: Duration,
    waiting: Option<Waiting>,
    activity: Activity,
}

/// Since a write had to wait.
struct Waiting {
    until: Pin<Box<Sleep>>,
    taken: usize,
}

impl Connection {
    pub(super) fn new(stream: TcpStream, span: Duration, activity: Activity) -> Self {
        Self {
            stream,
            span,
            waiting: None,
            activity,
        }
    }

    /// Judges what a write came to.
    fn judge(
        &mut self,
        context: &mut Context<'_>,
        written: Poll<io::Result<usize>>,
    ) -> Poll<io::Result<usize>> {
        if written.is_pending() || self.waiting.is_some() {
            let span = self.span;
            let waiting = self.waiting.get_or_insert_with(|| Waiting {
                until: Box::pin(sleep_until(Instant::now() + span)),
                taken: 0,
            });
            if let Poll::Ready(Ok(len)) = written {
                waiting.taken = waiting.taken.saturating_add(len);
            }
            if waiting.taken >= ENOUGH {
                self.waiting = None;
            } else if waiting.until.as_mut().poll(context).is_ready() {
                let why = "the reader takes too little";
                return Poll::Ready(Err(io::Error::new(io::ErrorKind::TimedOut, why)));
            }
        }
        written
    }
}

impl AsyncRead for Connection {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let read = Pin::new(&mut self.stream).poll_read(context, buffer);
        if buffer.filled().len() > before {
            self.activity.arriving();
        }
        read
    }
}

impl AsyncWrite for Connection {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(context, bytes);
        self.judge(context, written)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write_vectored(context, slices);
        self.judge(context, written)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    /// Comes once all that was buffered is written.
    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.waiting = None;
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

//! What the ledger serves over HTTP: its checkpoint, and its entries as one stream of `u16be length || bytes`.
//!
//! Nothing here is believed: whoever reads compares what the entries hash to with a signed head. A stream
//! that ends early (the ledger restarts, a time limit) is taken up again behind the last whole entry, as
//! long as each attempt brings at least one.

use std::{
    io::{BufReader, Read as _},
    time::Duration,
};

use bytes::Bytes;
use lotproof::{
    audit::source::{CHECKPOINT, CHECKPOINT_LEN_MAX},
    id::TreeSize,
};
use ureq::{Agent, BodyReader};

/// How long one stream may take before it is taken up again. A stop waits for as long, if the ledger is silent.
const STREAM_MAX: Duration = Duration::from_secs(10);
/// How long a checkpoint may take.
const CHECKPOINT_MAX: Duration = Duration::from_secs(5);

/// Why entries could not be had. None of it says anything about the log.
#[derive(Debug, thiserror::Error)]
pub(crate) enum FetchError {
    /// The ledger's HTTP side does not answer, or not with entries.
    #[error("{url}: {why}")]
    Http { url: String, why: String },
    /// It ended before the size asked for, and did so again at once.
    #[error("the ledger serves {got} of {wanted} entries")]
    Short { got: TreeSize, wanted: TreeSize },
}

/// Where entries are read from.
#[derive(Clone, Debug)]
pub(crate) struct EntrySource {
    agent: Agent,
    base: String,
}

impl EntrySource {
    /// The ledger below `url`, with or without a slash at its end.
    pub(crate) fn new(url: &str) -> Self {
        let config = Agent::config_builder()
            .http_status_as_error(false)
            .max_redirects(0)
            .timeout_global(Some(STREAM_MAX))
            .build();
        Self {
            agent: config.into(),
            base: url.trim_end_matches('/').to_owned(),
        }
    }

    /// The newest checkpoint that the ledger shows, unverified; blocks, for seconds at most.
    pub(crate) fn checkpoint(&self) -> Result<Bytes, FetchError> {
        let url = format!("{}/{CHECKPOINT}", self.base);
        let failed = |why: String| FetchError::Http {
            url: url.clone(),
            why,
        };
        let request = self.agent.get(&url).config().timeout_global(Some(CHECKPOINT_MAX));
        let response = request
            .build()
            .call()
            .map_err(|error| failed(error.to_string()))?;
        if response.status() != 200 {
            return Err(failed(format!("status {}", response.status())));
        }
        let mut note = Vec::new();
        let mut body = response.into_body().into_reader().take(CHECKPOINT_LEN_MAX as u64);
        body.read_to_end(&mut note)
            .map_err(|error| failed(error.to_string()))?;
        Ok(note.into())
    }

    /// The entries from index `start` up to a log of `size`; blocks.
    pub(crate) fn read(&self, start: TreeSize, size: TreeSize) -> Entries<'_> {
        Entries {
            source: self,
            next: start,
            size,
            body: None,
            got_any: true,
        }
    }
}

/// Entries one by one, in order. Ends after the first error.
pub(crate) struct Entries<'a> {
    source: &'a EntrySource,
    /// How many entries are behind.
    next: TreeSize,
    size: TreeSize,
    body: Option<BufReader<BodyReader<'static>>>,
    /// Whether the stream in hand, or the one before it, brought an entry.
    got_any: bool,
}

impl Entries<'_> {
    fn request(&self) -> Result<BufReader<BodyReader<'static>>, FetchError> {
        let url = format!("{}/v1/entries?start={}", self.source.base, self.next);
        let failed = |why: String| FetchError::Http {
            url: url.clone(),
            why,
        };
        let response = self.source.agent.get(&url).call();
        let response = response.map_err(|error| failed(error.to_string()))?;
        if response.status() != 200 {
            return Err(failed(format!("status {}", response.status())));
        }
        Ok(BufReader::new(response.into_body().into_reader()))
    }

    /// The next entry; nothing when the stream in hand has no further whole one.
    fn frame(&mut self) -> Option<Bytes> {
        let body = self.body.as_mut()?;
        let mut len = [0; 2];
        body.read_exact(&mut len).ok()?;
        let mut entry = vec![0; usize::from(u16::from_be_bytes(len))];
        body.read_exact(&mut entry).ok()?;
        Some(entry.into())
    }
}

impl Iterator for Entries<'_> {
    type Item = Result<Bytes, FetchError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.next >= self.size {
            return None;
        }
        loop {
            if let Some(entry) = self.frame() {
                self.next = TreeSize::new(self.next.get() + 1);
                self.got_any = true;
                return Some(Ok(entry));
            }
            let (got, wanted) = (self.next, self.size);
            if !std::mem::take(&mut self.got_any) {
                self.size = self.next;
                return Some(Err(FetchError::Short { got, wanted }));
            }
            match self.request() {
                Ok(body) => self.body = Some(body),
                Err(error) => {
                    self.size = self.next;
                    return Some(Err(error));
                }
            }
        }
    }
}

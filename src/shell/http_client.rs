//! A log's static files over HTTP, read within bounds of size and time.

use std::{io::Read as _, time::Duration};

use bytes::Bytes;
use ureq::Agent;

use crate::audit::{LogSource, SourceError};

/// How long one file may take.
const TIMEOUT: Duration = Duration::from_secs(30);

/// A log served under a base URL.
#[derive(Clone, Debug)]
pub struct HttpSource {
    base: String,
    agent: Agent,
}

impl HttpSource {
    /// The log under `base`, as `http://127.0.0.1:8470`.
    pub fn new(base: &str) -> Self {
        let config = Agent::config_builder()
            .http_status_as_error(false)
            .timeout_global(Some(TIMEOUT))
            .build();
        Self {
            base: base.trim_end_matches('/').to_owned(),
            agent: config.into(),
        }
    }
}

impl LogSource for HttpSource {
    fn read(&self, path: &str, len_max: usize) -> Result<Option<Bytes>, SourceError> {
        let url = format!("{}/{path}", self.base);
        let response = self
            .agent
            .get(&url)
            .call()
            .map_err(|error| SourceError::new(&url, error))?;
        match response.status().as_u16() {
            200 => {}
            404 => return Ok(None),
            status => return Err(SourceError::new(&url, format!("the server answers {status}"))),
        }
        let mut bytes = Vec::new();
        let body = response.into_body().into_reader();
        body.take(len_max as u64 + 1)
            .read_to_end(&mut bytes)
            .map_err(|error| SourceError::new(&url, error))?;
        Ok(Some(bytes.into()))
    }
}

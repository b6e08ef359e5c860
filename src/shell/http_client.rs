//! A log's static files over HTTP, as any web server, object store or ledger offers them.
//!
//! Every answer is bounded in bytes and in time; redirects are not followed. What does not answer is asked
//! again a few times before the read fails. A log that grows while it is read may have replaced a partial file
//! by the full one: its beginning is then the file asked for.

use std::{io::Read as _, time::Duration};

use bytes::Bytes;
use ureq::{Agent, Body, http};

use crate::{
    audit::source::{LogSource, SourceError, len_max},
    log::tile::{EntryBundle, HashTile, TILE_WIDTH, TilePath},
};

/// How often a file is asked for.
const ATTEMPTS: u32 = 4;
/// What is waited before the second attempt, in milliseconds; twice as long before each further one.
const BACKOFF_MS: u64 = 200;

/// A log's static files below a URL.
#[derive(Clone, Debug)]
pub struct HttpSource {
    agent: Agent,
    base: String,
}

/// Why an attempt failed.
enum Failed {
    /// Another attempt may do better.
    ForNow(String),
    /// It will not.
    ForGood(String),
}

impl HttpSource {
    /// The files below `url`: `http://host:port/` or deeper, with or without a slash at its end.
    pub fn new(url: &str) -> Self {
        let config = Agent::config_builder()
            .http_status_as_error(false)
            .max_redirects(0)
            .timeout_connect(Some(Duration::from_secs(10)))
            .timeout_recv_response(Some(Duration::from_secs(30)))
            .timeout_global(Some(Duration::from_mins(2)))
            .build();
        Self {
            agent: config.into(),
            base: url.trim_end_matches('/').to_owned(),
        }
    }

    /// The URL that file names are appended to, without a slash at its end.
    pub fn url(&self) -> &str {
        &self.base
    }

    fn get(&self, path: &str, len_max: usize) -> Result<Option<Bytes>, SourceError> {
        let mut attempt = 1;
        loop {
            let why = match self.try_get(path, len_max) {
                Ok(bytes) => return Ok(bytes),
                Err(Failed::ForNow(_)) if attempt < ATTEMPTS => {
                    std::thread::sleep(Duration::from_millis(BACKOFF_MS << (attempt - 1)));
                    attempt += 1;
                    continue;
                }
                Err(Failed::ForNow(why) | Failed::ForGood(why)) => why,
            };
            return Err(SourceError::new(&format!("{}/{path}", self.base), why));
        }
    }

    fn try_get(&self, path: &str, len_max: usize) -> Result<Option<Bytes>, Failed> {
        let url = format!("{}/{path}", self.base);
        let response = self.agent.get(&url).call().map_err(|error| match error {
            ureq::Error::BadUri(_) | ureq::Error::Http(_) => Failed::ForGood(error.to_string()),
            _ => Failed::ForNow(error.to_string()),
        })?;
        let status = response.status();
        match status.as_u16() {
            200 => read(response, len_max).map(Some),
            404 | 410 => Ok(None),
            429 | 500..=599 => Err(Failed::ForNow(format!("status {status}"))),
            _ => Err(Failed::ForGood(format!("status {status}"))),
        }
    }
}

fn read(response: http::Response<Body>, len_max: usize) -> Result<Bytes, Failed> {
    let mut bytes = Vec::new();
    let mut body = response
        .into_body()
        .into_reader()
        .take((len_max as u64).saturating_add(1));
    body.read_to_end(&mut bytes)
        .map_err(|error| Failed::ForNow(error.to_string()))?;
    Ok(bytes.into())
}

impl LogSource for HttpSource {
    fn read(&self, path: &str, len_max: usize) -> Result<Option<Bytes>, SourceError> {
        if let Some(bytes) = self.get(path, len_max)? {
            return Ok(Some(bytes));
        }
        let Some((wide, narrow)) = path.parse().ok().and_then(widened) else {
            return Ok(None);
        };
        let bytes = self.get(&wide.to_string(), self::len_max(wide))?;
        Ok(bytes.and_then(|bytes| beginning(&bytes, wide, narrow)))
    }
}

/// The full file in the place of a partial one, and how wide the partial one is.
fn widened(path: TilePath) -> Option<(TilePath, usize)> {
    let (wide, width) = match path {
        TilePath::Hashes(tile) => (
            TilePath::Hashes(HashTile::new(tile.level(), tile.index(), TILE_WIDTH).ok()?),
            tile.width(),
        ),
        TilePath::Entries(bundle) => (
            TilePath::Entries(EntryBundle::new(bundle.index(), TILE_WIDTH).ok()?),
            bundle.width(),
        ),
    };
    (wide != path).then_some((wide, usize::from(width)))
}

/// The first `width` hashes or entries of a full file.
fn beginning(bytes: &Bytes, wide: TilePath, width: usize) -> Option<Bytes> {
    let len = match wide {
        TilePath::Hashes(_) => width * 32,
        TilePath::Entries(bundle) => bundle
            .entries(bytes)
            .ok()?
            .iter()
            .take(width)
            .map(|entry| 2 + entry.len())
            .sum(),
    };
    (len <= bytes.len()).then(|| bytes.slice(..len))
}

#[cfg(test)]
mod tests {
    use std::{net::SocketAddr, sync::Arc};

    use axum::{Router, extract::State, http::StatusCode, http::Uri};

    use super::*;
    use crate::{
        audit::{
            AuditOptions, audit,
            source::{MemoryCopy, StaticCopy as _},
            tests::world::World,
        },
        shell::mirror::{DirSource, MirrorError, mirror},
    };

    /// Serves files from memory until the test ends.
    struct Server {
        address: SocketAddr,
        _runtime: tokio::runtime::Runtime,
    }

    async fn file(State(files): State<Arc<MemoryCopy>>, uri: Uri) -> Result<Bytes, StatusCode> {
        let path = uri.path().trim_start_matches("/log/");
        files
            .read(path, usize::MAX)
            .ok()
            .flatten()
            .ok_or(StatusCode::NOT_FOUND)
    }

    fn serve(files: MemoryCopy) -> Server {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .unwrap();
        let listener = runtime
            .block_on(tokio::net::TcpListener::bind("127.0.0.1:0"))
            .unwrap();
        let address = listener.local_addr().unwrap();
        let router = Router::new().fallback(file).with_state(Arc::new(files));
        runtime.spawn(async move { axum::serve(listener, router).await });
        Server {
            address,
            _runtime: runtime,
        }
    }

    fn source(server: &Server) -> HttpSource {
        HttpSource::new(&format!("http://{}/log/", server.address))
    }

    #[test]
    fn a_log_is_audited_and_mirrored_over_http() {
        let world = World::of(600);
        let server = serve(world.copy());
        let report = audit(&source(&server), &world.trust(), &AuditOptions::default()).unwrap();
        assert!(report.is_clean(), "{:?}", report.findings);
        assert_eq!(report.tally.entries, 600);
        let folder = tempfile::tempdir().unwrap();
        mirror(
            &source(&server),
            &world.trust(),
            folder.path(),
            &AuditOptions::default(),
        )
        .unwrap();
        let copy = DirSource::new(folder.path());
        for (path, bytes) in world.copy().files() {
            assert_eq!(
                copy.read(path, usize::MAX).unwrap().as_ref(),
                Some(bytes),
                "{path}"
            );
        }
    }

    #[test]
    fn what_the_audit_finds_keeps_the_checkpoint_out_of_the_mirror() {
        let world = World::of(300);
        let mut files = world.copy();
        crate::audit::damage::flip_byte(&mut files, crate::id::LeafIndex::new(200)).unwrap();
        let server = serve(files);
        let folder = tempfile::tempdir().unwrap();
        let error = mirror(
            &source(&server),
            &world.trust(),
            folder.path(),
            &AuditOptions::default(),
        );
        assert!(matches!(error, Err(MirrorError::Findings(report)) if report.findings.len() == 1));
        assert!(!folder.path().join("checkpoint").exists());
    }

    #[test]
    fn a_partial_file_that_has_become_full_is_cut_to_what_it_was() {
        let world = World::of(600);
        let mut files = World::of(520).copy();
        let partials: Vec<String> = files
            .files()
            .map(|(path, _)| path.to_owned())
            .filter(|path| path.contains(".p/"))
            .collect();
        for path in &partials {
            files.remove(path).unwrap();
        }
        for (path, bytes) in World::of(800)
            .copy()
            .files()
            .filter(|(path, _)| path.contains("/002"))
        {
            files.write(path, bytes).unwrap();
        }
        files
            .write(
                "tile/1/000.p/2",
                &world.copy().read("tile/1/000.p/2", 64).unwrap().unwrap(),
            )
            .unwrap();
        let server = serve(files);
        let report = audit(&source(&server), &world.trust(), &AuditOptions::default()).unwrap();
        assert!(report.is_clean(), "{:?}", report.findings);
    }

    #[test]
    fn an_answer_longer_than_the_file_can_be_is_cut_and_seen_as_that() {
        let world = World::of(3);
        let mut files = world.copy();
        files.write("tile/0/000.p/3", &vec![0; 1 << 20]).unwrap();
        let server = serve(files);
        let bytes = source(&server).read("tile/0/000.p/3", 96).unwrap().unwrap();
        assert_eq!(bytes.len(), 97);
        assert!(
            !audit(&source(&server), &world.trust(), &AuditOptions::default())
                .unwrap()
                .is_clean()
        );
    }

    #[test]
    fn nobody_there_is_an_error_and_no_finding() {
        let world = World::of(3);
        let address = serve(MemoryCopy::new()).address;
        let source = HttpSource::new(&format!("http://{address}"));
        assert!(audit(&source, &world.trust(), &AuditOptions::default()).is_err());
    }
}

//! The drop folder: documents that other systems put there are taken in.
//!
//! ```text
//! DIR/x.jsonld, DIR/x.json    --unchanged for two looks--> read, events durable in the outbox
//!                             --result written------------> DIR/done/x.json.result.json
//!                             --renamed, folders synced---> DIR/done/x.json    (or failed/)
//! ```
//!
//! The order makes it safe to be killed anywhere: a file stays in DIR until its events are durable, and the ids
//! of its events depend on the file alone (those it states, else what an EPCIS event says, else its SHA-256 and
//! their position), so that a file that is read again finds all of them known. For the same reason a copy of a
//! file publishes nothing, as long as the outbox remembers its events.
//!
//! A file is renamed only if it still looks as it did when it was read: one that was written over meanwhile is
//! read again, so that nothing lands in `done` that was not taken in.
//!
//! A file is an EPCIS document if it is named `.jsonld` or has `@context`, `epcisBody` or `eventTime` as EPCIS
//! has; else events of ours. It is done if anything of it was taken; what was refused stands in the result.

use std::{
    collections::BTreeMap,
    fs::{self, File, Metadata},
    io::{self, Read as _},
    os::unix::fs::MetadataExt as _,
    path::{Path, PathBuf},
    time::{Duration, SystemTime},
};

use bytes::Bytes;
use serde::Serialize;
use serde_json::{Value, json};
use tokio::{sync::watch, task::JoinHandle};

use super::{
    GatewayError,
    http::{aside, take_document, take_events},
    taking::{Gateway, WhenFull},
};
use crate::{
    epcis::ImportOptions,
    gateway::{
        Fault, FaultCode,
        intake::{self, NotCaptured, Placed},
    },
    id::Hash,
    shell::durable,
};

/// How often the folder is looked at. A file must be unchanged from one look to the next.
const LOOK_INTERVAL: Duration = Duration::from_millis(250);

/// How many looks a file is left alone that could not be taken in yet: two seconds.
const WAIT_LOOKS: u32 = 8;

/// How a file looked: another one under the same name looks otherwise.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Look {
    inode: u64,
    len: u64,
    modified: Option<SystemTime>,
}

impl Look {
    fn of(about: &Metadata) -> Self {
        Self {
            inode: about.ino(),
            len: about.len(),
            modified: about.modified().ok(),
        }
    }
}

/// What lies in a file.
enum Content {
    Document(Bytes),
    Events { document: Hash, orders: Vec<Placed> },
}

/// Starts to watch a folder, which is made if it is not there.
pub(super) fn start(
    gateway: Gateway,
    folder: PathBuf,
    len_max: usize,
    shutdown: watch::Receiver<bool>,
) -> Result<JoinHandle<()>, GatewayError> {
    for sub in ["done", "failed"] {
        fs::create_dir_all(folder.join(sub)).map_err(|source| GatewayError::Folder {
            folder: folder.clone(),
            source,
        })?;
    }
    let dropped = DropFolder {
        gateway,
        folder,
        len_max,
    };
    Ok(tokio::spawn(dropped.watch(shutdown)))
}

struct DropFolder {
    gateway: Gateway,
    folder: PathBuf,
    len_max: usize,
}

impl DropFolder {
    async fn watch(self, mut shutdown: watch::Receiver<bool>) {
        let mut last: BTreeMap<PathBuf, Look> = BTreeMap::new();
        let mut waiting: BTreeMap<PathBuf, u32> = BTreeMap::new();
        loop {
            let seen = files(&self.folder).unwrap_or_else(|error| {
                tracing::error!(%error, folder = %self.folder.display(), "the drop folder cannot be read");
                BTreeMap::new()
            });
            waiting.retain(|path, looks| {
                *looks -= 1;
                *looks > 0 && seen.contains_key(path)
            });
            for (path, look) in &seen {
                if *shutdown.borrow() {
                    return;
                }
                let is_due = last.get(path) == Some(look) && !waiting.contains_key(path);
                if is_due && !self.take_in(path, look).await {
                    waiting.insert(path.clone(), WAIT_LOOKS);
                }
            }
            last = seen;
            tokio::select! {
                _ = shutdown.wait_for(|stop| *stop) => return,
                () = tokio::time::sleep(LOOK_INTERVAL) => {}
            }
        }
    }

    /// Returns whether the file has been put away.
    async fn take_in(&self, path: &Path, look: &Look) -> bool {
        let (path_now, max) = (path.to_owned(), self.len_max);
        let read = tokio::task::spawn_blocking(move || read(&path_now, max)).await;
        let taken = match read.map_err(io::Error::other).flatten() {
            Ok(Some(body)) => {
                let _in_hand = self.gateway.metrics().file_in_hand();
                self.take(path, body).await
            }
            Ok(None) => Err(Fault::new(
                FaultCode::TooLarge,
                format!("longer than the {max} bytes that are taken"),
            )),
            Err(error) => {
                tracing::warn!(%error, file = %path.display(), "cannot be read; it stays, and is looked at again");
                return false;
            }
        };
        let (outcome, reply) = match taken {
            Ok(reply) => reply,
            // Not the file's fault: it stays where it is. What an error declaration is about may be proven soon.
            Err(fault) if fault.code.is_retryable() || fault.code == FaultCode::Internal => {
                tracing::debug!(%fault, file = %path.display(), "not taken in yet");
                return false;
            }
            Err(fault) => ("failed", serde_json::to_value(&fault).unwrap_or_default()),
        };
        let is_what_was_read = fs::symlink_metadata(path).is_ok_and(|about| Look::of(&about) == *look);
        if !is_what_was_read {
            tracing::warn!(file = %path.display(), "written over while it was taken in; looked at again");
            return false;
        }
        match self.put_away(path, outcome, &reply) {
            Ok(()) => {
                tracing::info!(file = %path.display(), outcome, "taken in");
                true
            }
            Err(error) => {
                tracing::error!(%error, file = %path.display(), "cannot be put away; looked at again");
                false
            }
        }
    }

    async fn take(&self, path: &Path, body: Bytes) -> Result<(&'static str, Value), Fault> {
        let (named_epcis, service) = (has_epcis_name(path), self.gateway.service());
        let content = aside(move || {
            if named_epcis || is_epcis(&body) {
                return Ok(Content::Document(body));
            }
            let document = Hash::of(&[&body]);
            let id = |position| format!("urn:lotproof:file:{document}:{position}");
            let orders = intake::events(&body, service, id)?;
            Ok(Content::Events { document, orders })
        });
        match content.await? {
            Content::Document(body) => self.take_epcis(body).await,
            Content::Events { document, orders } => {
                let taken = take_events(&self.gateway, orders, WhenFull::Wait).await?;
                if taken.iter().any(|event| event.taken.is_declared == Some(false)) {
                    return Err(not_yet());
                }
                Ok(("done", json!({ "document": document, "events": taken })))
            }
        }
    }

    async fn take_epcis(&self, body: Bytes) -> Result<(&'static str, Value), Fault> {
        let options = ImportOptions {
            document_len_max: self.len_max,
            ..ImportOptions::default()
        };
        let reply = take_document(&self.gateway, body, options, WhenFull::Wait).await?;
        if reply
            .events
            .iter()
            .any(|event| event.taken.is_declared == Some(false))
        {
            return Err(not_yet());
        }
        let is_early = |refused: &&NotCaptured| refused.code == FaultCode::NotReceipted;
        if let Some(early) = reply.refused.iter().find(is_early) {
            return Err(Fault::new(early.code, early.message.clone()));
        }
        let outcome = if reply.events.is_empty() { "failed" } else { "done" };
        Ok((outcome, to_value(&reply)))
    }

    /// The result first, so that a file never lies in `done` without it.
    fn put_away(&self, path: &Path, outcome: &str, reply: &Value) -> io::Result<()> {
        let name = path.file_name().ok_or(io::ErrorKind::InvalidInput)?;
        let folder = self.folder.join(outcome);
        let target = free_name(&folder, Path::new(name));
        let mut result = target.clone().into_os_string();
        result.push(".result.json");
        durable::write(Path::new(&result), &serde_json::to_vec_pretty(reply)?)?;
        fs::rename(path, &target)?;
        File::open(&folder)?.sync_all()?;
        File::open(&self.folder)?.sync_all()
    }
}

/// An event went out that is declared wrong in the same file: the declaration follows once that is proven.
fn not_yet() -> Fault {
    Fault::new(
        FaultCode::NotReceipted,
        "an error declaration waits for the event that it is about",
    )
}

fn to_value(reply: &impl Serialize) -> Value {
    serde_json::to_value(reply).unwrap_or_default()
}

/// The documents in a folder, by name, and how they look.
fn files(folder: &Path) -> io::Result<BTreeMap<PathBuf, Look>> {
    let mut found = BTreeMap::new();
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let path = entry.path();
        let fits = path
            .extension()
            .is_some_and(|end| end == "json" || end == "jsonld");
        // Gone or unreadable in between: looked at again.
        if let (true, Ok(about)) = (fits, entry.metadata())
            && about.is_file()
        {
            found.insert(path, Look::of(&about));
        }
    }
    Ok(found)
}

/// `name` in `folder`, or with a number before it if another file has it.
fn free_name(folder: &Path, name: &Path) -> PathBuf {
    let numbered = (1_u32..).map(|number| folder.join(format!("{number}-{}", name.display())));
    let mut candidates = std::iter::once(folder.join(name)).chain(numbered);
    candidates
        .find(|path| !path.exists())
        .unwrap_or_else(|| folder.join(name))
}

/// A file's bytes; nothing if they are more than `max`.
fn read(path: &Path, max: usize) -> io::Result<Option<Bytes>> {
    let mut body = Vec::new();
    let bound = u64::try_from(max).unwrap_or(u64::MAX).saturating_add(1);
    File::open(path)?.take(bound).read_to_end(&mut body)?;
    Ok((body.len() <= max).then(|| body.into()))
}

fn has_epcis_name(path: &Path) -> bool {
    path.extension().is_some_and(|end| end == "jsonld")
}

fn is_epcis(body: &[u8]) -> bool {
    match serde_json::from_slice::<Value>(body) {
        Ok(Value::Array(events)) => events.first().is_some_and(has_epcis_member),
        Ok(value) => has_epcis_member(&value),
        Err(_) => false,
    }
}

fn has_epcis_member(value: &Value) -> bool {
    ["@context", "epcisBody", "eventTime"]
        .iter()
        .any(|name| value.get(name).is_some())
}

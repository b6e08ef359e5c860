//! `enroll`: acts of the authority, proposed under one of its keys and approved under others.
//!
//! An act takes effect at the m-th distinct key of the authority. Keys that are not at hand approve later and
//! elsewhere, by the place at which the act stands: `lotproof enroll --approve 12:0`.

use std::{
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result, bail, ensure};
use clap::Args;
use lotproof::{
    gateway::json,
    id::Hash,
    identifier,
    policy::{Mode, load_list, load_pack},
    publish::pack,
    shell::key_file,
    signature::SigningKey,
    time,
    wire::v1::{self, event::Kind},
};
use lotproof_ledger::Reading;
use serde::Deserialize;
use serde_json::{Map, Value};

use crate::{
    Outcome,
    publishing::{AT_ONCE, Session, Target, proven},
};

/// What a register file holds, as JSON has it; each row in the words of `event.proto`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct RegisterFile {
    #[serde(default)]
    parties: Vec<Value>,
    #[serde(default)]
    facilities: Vec<Value>,
    #[serde(default)]
    keys: Vec<Value>,
    /// Files of lists to publish as editions, relative to this file.
    #[serde(default)]
    lists: Vec<PathBuf>,
    /// Files of rule packs to adopt, relative to this file.
    #[serde(default)]
    packs: Vec<PathBuf>,
    #[serde(default)]
    acts: Vec<Value>,
    #[serde(default)]
    events: Vec<Assignment>,
    /// For people: the document that `events` is about.
    #[serde(default, rename = "document")]
    _document: String,
}

/// Which party publishes which event of a document.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Assignment {
    pub(crate) position: usize,
    pub(crate) party: String,
}

/// Who is to be enrolled, as in `examples/battery-lot-chain.parties.json`, and other acts of the authority.
#[derive(Debug)]
pub(crate) struct Register {
    pub(crate) parties: Vec<v1::PartyEnrolled>,
    pub(crate) facilities: Vec<v1::FacilityRegistered>,
    pub(crate) keys: Vec<v1::KeyAuthorised>,
    /// Acts of any kind, whole.
    pub(crate) acts: Vec<v1::Event>,
    pub(crate) events: Vec<Assignment>,
}

impl Register {
    /// Reads a file. Acts without id or time get those of `now_nanos`.
    pub(crate) fn read(path: &Path, now_nanos: i64) -> Result<Self> {
        let bytes = fs::read(path).with_context(|| format!("reading {}", path.display()))?;
        let folder = path.parent().unwrap_or(Path::new(""));
        Self::from_json(&bytes, folder, now_nanos).with_context(|| format!("reading {}", path.display()))
    }

    fn from_json(bytes: &[u8], folder: &Path, now_nanos: i64) -> Result<Self> {
        let file: RegisterFile = serde_json::from_slice(bytes)?;
        let parties = rows(
            "parties",
            "party_enrolled",
            file.parties,
            now_nanos,
            |kind| match kind {
                Kind::PartyEnrolled(party) => Some(party),
                _ => None,
            },
        )?;
        let facilities = rows(
            "facilities",
            "facility_registered",
            file.facilities,
            now_nanos,
            |kind| match kind {
                Kind::FacilityRegistered(facility) => Some(facility),
                _ => None,
            },
        )?;
        let keys = rows(
            "keys",
            "key_authorised",
            file.keys,
            now_nanos,
            |kind| match kind {
                Kind::KeyAuthorised(key) => Some(key),
                _ => None,
            },
        )?;
        let lists = file.lists.iter().map(|path| list_published(&folder.join(path)));
        let packs = file.packs.iter().map(|path| pack_adopted(&folder.join(path)));
        let adopted = lists
            .chain(packs)
            .map(|kind| Ok(own_event(String::new(), now_nanos, kind?)));
        let acts = file.acts.into_iter().enumerate().map(|(position, row)| {
            let Value::Object(event) = row else {
                bail!("/acts/{position}: an act is an object");
            };
            act(event, &format!("/acts/{position}"), now_nanos)
        });
        Ok(Self {
            parties,
            facilities,
            keys,
            acts: adopted.chain(acts).collect::<Result<_>>()?,
            events: file.events,
        })
    }

    /// The acts that enrol all of it, parties before what names them.
    pub(crate) fn into_acts(self, now_nanos: i64) -> Vec<v1::Event> {
        let parties = self.parties.into_iter().map(Kind::PartyEnrolled);
        let facilities = self.facilities.into_iter().map(Kind::FacilityRegistered);
        let keys = self.keys.into_iter().map(Kind::KeyAuthorised);
        let enrolled = parties
            .chain(facilities)
            .chain(keys)
            .map(|kind| own_event(String::new(), now_nanos, kind));
        let mut acts: Vec<v1::Event> = enrolled.chain(self.acts).collect();
        for (number, act) in (1..).zip(&mut acts) {
            if act.id.is_empty() {
                act.id = format!("act-{now_nanos}-{number}");
            }
        }
        acts
    }
}

/// The act that publishes a list file as an edition.
fn list_published(path: &Path) -> Result<Kind> {
    let text = fs::read_to_string(path).with_context(|| format!("reading {}", path.display()))?;
    let edition = load_list(&path.display().to_string(), &text)?;
    let effective_from = edition
        .effective_from
        .midnight()
        .assume_utc()
        .unix_timestamp_nanos();
    let entries = edition.entries.into_iter().map(|entry| v1::ListEntry {
        name: entry.name,
        parties: entry.parties,
        others: entry.others,
        aliases: entry.aliases,
        sublist: entry.sublist.unwrap_or_default(),
    });
    Ok(Kind::ListPublished(v1::ListPublished {
        list: edition.list,
        edition: edition.edition,
        effective_from: effective_from.try_into().context("the list's date")?,
        sha256: Hash::of(&[text.as_bytes()]).as_bytes().to_vec(),
        complete: edition.complete,
        fixture: edition.fixture,
        entries: entries.collect(),
    }))
}

/// The act that adopts a rule pack, by the hash of its file.
fn pack_adopted(path: &Path) -> Result<Kind> {
    let text = fs::read_to_string(path).with_context(|| format!("reading {}", path.display()))?;
    let pack = load_pack(&path.display().to_string(), &text, Mode::Lenient)?;
    Ok(Kind::RulePackAdopted(v1::RulePackAdopted {
        pack: pack.id,
        version: pack.version,
        sha256: Hash::of(&[text.as_bytes()]).as_bytes().to_vec(),
    }))
}

/// The rows of one list, each the content of an act of one kind.
fn rows<T>(
    list: &str,
    kind: &str,
    rows: Vec<Value>,
    now_nanos: i64,
    content: impl Fn(Kind) -> Option<T>,
) -> Result<Vec<T>> {
    let contents = rows.into_iter().enumerate().map(|(position, row)| {
        let event = Map::from_iter([(kind.to_owned(), row)]);
        let read = act(event, &format!("/{list}/{position}"), now_nanos)?;
        read.kind
            .and_then(&content)
            .with_context(|| format!("/{list}/{position} is of another kind"))
    });
    contents.collect()
}

/// One act from JSON; it happens now unless it says otherwise.
fn act(mut event: Map<String, Value>, path: &str, now_nanos: i64) -> Result<v1::Event> {
    const UNNAMED: &str = "unnamed";
    event
        .entry("event_time")
        .or_insert_with(|| Value::String(time::rfc3339(now_nanos)));
    let read = json::read(&Value::Object(event), path, || UNNAMED.to_owned());
    let mut read = read.map_err(|faults| {
        let faults: Vec<String> = faults
            .iter()
            .map(|fault| format!("{}: {}", fault.path, fault.message))
            .collect();
        anyhow::anyhow!("{}", faults.join("; "))
    })?;
    if read.event.id == UNNAMED {
        read.event.id.clear();
    }
    Ok(read.event)
}

fn own_event(id: String, now_nanos: i64, kind: Kind) -> v1::Event {
    v1::Event {
        id,
        event_time: now_nanos,
        kind: Some(kind),
        ..Default::default()
    }
}

/// The place of an act, as `--approve` takes it: `LEAF:NUMBER`.
fn place(text: &str) -> Result<v1::EventReference, String> {
    let (leaf_index, event_number) = text.split_once(':').ok_or("expected LEAF:NUMBER, as 12:0")?;
    Ok(v1::EventReference {
        leaf_index: leaf_index.parse().map_err(|_| "the leaf is no number")?,
        event_number: event_number.parse().map_err(|_| "the event is no number")?,
    })
}

/// `lotproof enroll`
#[derive(Debug, Args)]
pub(crate) struct Enroll {
    /// Parties, facilities, keys and other acts, as JSON
    #[arg(required_unless_present = "approve")]
    file: Option<PathBuf>,
    /// Approve an act that stands in the log, by its place; may be repeated
    #[arg(long, value_name = "LEAF:NUMBER", value_parser = place, conflicts_with = "file")]
    approve: Vec<v1::EventReference>,
    /// Key files of the authority: the first proposes, the others approve
    #[arg(long = "authority-key", required = true)]
    authority_keys: Vec<PathBuf>,
    /// The authority's identifier, as in the genesis
    #[arg(long)]
    authority: String,
    #[command(flatten)]
    target: Target,
}

impl Enroll {
    pub(crate) async fn run(self) -> Result<Outcome> {
        let now_nanos = Reading::now().wall_nanos;
        let authority = identifier::normalise(&self.authority)
            .with_context(|| format!("authority {}", self.authority))?;
        let named = self.file.clone();
        let register = self
            .file
            .map(|path| Register::read(&path, now_nanos))
            .transpose()?;
        let acts = register.map(|register| register.into_acts(now_nanos));
        if let (Some(acts), Some(path)) = (&acts, &named) {
            ensure!(
                !acts.is_empty(),
                "{} enrols nobody and has no acts",
                path.display()
            );
        }
        let keys = read_keys(&self.authority_keys)?;
        let session = self.target.open().await?;
        let signers = keys.len();
        let acts = if let Some(acts) = acts {
            enact(&session, &authority, keys, acts).await?
        } else {
            for key in keys {
                approve(&session, &authority, key, &self.approve).await?;
            }
            self.approve
        };
        println!(
            "{} acts stand in the log under {signers} of the authority's keys, proven. Each takes effect once the \
             genesis's threshold of keys is under it; `lotproof enroll --approve PLACE` adds one:",
            acts.len()
        );
        for act in acts {
            println!("{}:{}", act.leaf_index, act.event_number);
        }
        Ok(Outcome::Clean)
    }
}

/// The keys in these files.
pub(crate) fn read_keys(files: &[PathBuf]) -> Result<Vec<SigningKey>> {
    let keys = files
        .iter()
        .map(|path| key_file::read(path).with_context(|| format!("reading {}", path.display())));
    keys.collect()
}

/// Proposes acts under the first key, approves them under the others, and waits for the proofs. Returns where
/// the acts stand.
pub(crate) async fn enact(
    session: &Session,
    authority: &str,
    keys: Vec<SigningKey>,
    acts: Vec<v1::Event>,
) -> Result<Vec<v1::EventReference>> {
    let mut keys = keys.into_iter();
    let proposer = session
        .publisher(authority, keys.next().context("no key to propose with")?)
        .await?;
    let rows = proven(session, &proposer, &acts, &String::new).await?;
    // `submit` packs in order, so acts are numbered through the statements as they stand in the log.
    let packs: Vec<_> = acts
        .chunks(AT_ONCE)
        .map(pack)
        .collect::<Result<Vec<_>, _>>()?
        .concat();
    ensure!(
        packs.len() == rows.len(),
        "{} statements, {} receipts",
        packs.len(),
        rows.len()
    );
    let references: Vec<v1::EventReference> = rows
        .iter()
        .zip(&packs)
        .flat_map(|(row, pack)| {
            (0..).zip(pack).map(|(event_number, _)| v1::EventReference {
                leaf_index: row.index.get(),
                event_number,
            })
        })
        .collect();
    for key in keys {
        approve(session, authority, key, &references).await?;
    }
    Ok(references)
}

/// Approves acts under one key, and waits for the proofs.
async fn approve(
    session: &Session,
    authority: &str,
    key: SigningKey,
    acts: &[v1::EventReference],
) -> Result<()> {
    let approver = session.publisher(authority, key).await?;
    let now_nanos = Reading::now().wall_nanos;
    let approvals: Vec<v1::Event> = acts
        .iter()
        .map(|act| {
            let id = format!("approve-{}-{}", act.leaf_index, act.event_number);
            let kind = Kind::ActApproved(v1::ActApproved { act: Some(*act) });
            own_event(id, now_nanos, kind)
        })
        .collect();
    proven(session, &approver, &approvals, &String::new).await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_register_file_enrols_and_acts_in_the_words_of_the_wire_format() {
        let [key, successor] = [1, 2].map(|seed| SigningKey::from_seed(&[seed; 32]).feed());
        let file = r#"{
            "parties": [{"party": "urn:epc:id:pgln:9521230.10010", "legal_name": "Hanbit", "citizenships": ["KR"]}],
            "acts": [{"id": "rotate-1", "key_rotated": {"key": "KEY", "last_sequence": 7, "successor": "NEXT"}}]
        }"#;
        let file = file
            .replace("KEY", &key.to_string())
            .replace("NEXT", &successor.to_string());
        let acts = Register::from_json(file.as_bytes(), Path::new(""), 1_000)
            .unwrap()
            .into_acts(1_000);
        let [enrolled, rotated] = acts.as_slice() else {
            panic!("{acts:?}")
        };
        let Some(Kind::PartyEnrolled(party)) = &enrolled.kind else {
            panic!("{enrolled:?}")
        };
        assert_eq!(party.party, "https://id.gs1.org/417/9521230100106", "made normal");
        assert_eq!(party.citizenships, ["KR"]);
        assert_eq!((enrolled.id.as_str(), enrolled.event_time), ("act-1000-1", 1_000));
        assert_eq!(rotated.id, "rotate-1");
        assert!(matches!(&rotated.kind, Some(Kind::KeyRotated(act)) if act.last_sequence == 7));
    }

    #[test]
    fn lists_and_packs_are_adopted_from_their_files() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../policies");
        let file = br#"{"lists": ["lists/us-ndaa-154.toml"], "packs": ["us-ndaa-fy2024-s154.toml"]}"#;
        let acts = Register::from_json(file, &folder, 1).unwrap().into_acts(1);
        let kinds: Vec<_> = acts.into_iter().filter_map(|act| act.kind).collect();
        let [Kind::ListPublished(list), Kind::RulePackAdopted(pack)] = kinds.as_slice() else {
            panic!("{kinds:?}")
        };
        assert_eq!((list.list.as_str(), list.entries.len()), ("us-ndaa-154", 6));
        assert_eq!(list.effective_from % 86_400_000_000_000, 0, "midnight UTC");
        assert_eq!(pack.pack, "us-ndaa-fy2024-s154");
    }

    #[test]
    fn a_fault_in_a_register_file_is_named_by_its_place() {
        let file = br#"{"facilities": [{"facility": "https://plant.example/1", "country": "Korea", "owned_by": "x"}]}"#;
        let error = format!("{:#}", Register::from_json(file, Path::new(""), 1).unwrap_err());
        assert!(
            error
                .contains("/facilities/0/facility_registered/owned_by: FacilityRegistered has no such field"),
            "{error}"
        );
        assert!(
            error.contains("/facilities/0/facility_registered/operator: missing"),
            "{error}"
        );
        assert!(
            error.contains("/facilities/0/facility_registered/country"),
            "{error}"
        );
    }
}

//! A history told in lines, through the real chain: JSON or EPCIS, the gateway's reader, signed statements,
//! admission, entries, the projector. And questions to what came out, answered in a line each.
//!
//! ```text
//! cam  make   03-01T08  commissioned  facility=cam items=cam1/A:100KGM      an event as JSON of our own
//! cam  go     03-02     ObjectEvent   action=ADD bizStep=shipping ...       an EPCIS event, in a document
//! cell file   05b-2.json                                                    a file of tests/cases/inputs
//! lab  report 28-1.epcis.jsonld                                             the same, as another's document
//!
//! cam1/A, cell2#S1    GTIN of item 1 or 2 of a party, with lot or serial    #S1..3    three serials
//! A:100KGM, A:10      an item and how much of it
//! ```

mod answer;
mod read;
mod short;

use std::collections::BTreeMap;

use bytes::Bytes;
use lotproof::{
    admission::{LedgerState, Prepared, genesis_entry},
    code::Outcome,
    epcis::{self, ErrorDeclaration, Finding, ImportOptions, Origin},
    gateway::{
        Service,
        index::{EventIndex, Standing},
        intake, json,
    },
    id::{FeedSequence, Hash, LeafIndex},
    log::{MemoryTree, leaf_hash},
    outbox::{ParcelId, Record},
    policy::load_list,
    projector::Projector,
    provenance::Projection,
    publish::FeedSigner,
    time::{IssuedAt, RecordedAt},
    wire::v1::{self, event::Kind},
};
use serde_json::Value;

use crate::build;
pub(crate) use answer::answers;
pub(crate) use short::asked as identifier;

/// The case folder: register, inputs, pairs for the importer.
pub(crate) fn file(name: &str) -> Vec<u8> {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cases");
    std::fs::read(root.join(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
}

/// Parties of the register by their short names, in its order.
pub(crate) const PARTIES: [&str; 8] = ["mine", "cam", "cell", "pack", "rec", "car", "lab", "tnt"];

/// Parties that only the pairs for the importer speak of.
const OTHERS: [(&str, &str, &str); 3] = [
    (
        "a",
        "https://id.gs1.org/417/9521000000001",
        "https://id.gs1.org/01/09521000000",
    ),
    (
        "b",
        "https://id.gs1.org/417/9529999999995",
        "https://id.gs1.org/01/09529999999",
    ),
    ("claimed", "https://id.gs1.org/417/9521234000006", ""),
];

/// After everything that the histories claim to be.
const NOW: i64 = 1_796_000_000_000_000_000;

/// A ledger with the parties of the register.
pub(crate) struct Chain {
    state: LedgerState,
    projector: Projector,
    tree: MemoryTree,
    clock: i64,
    /// Where each event stands, by signer and id.
    published: BTreeMap<(String, String), v1::EventReference>,
    /// What each party's outbox knows.
    outboxes: BTreeMap<String, EventIndex>,
    /// What was said of imported documents, by event id (empty: of the document).
    pub(crate) findings: Vec<(String, Finding)>,
    /// Events that could not be published, and why.
    pub(crate) refused: Vec<String>,
}

impl Chain {
    pub(crate) fn new() -> Self {
        let genesis = v1::Genesis {
            purpose: v1::Purpose::Test.into(),
            parameters: Some(v1::Parameters {
                statement_len_max: 64_000,
                statement_events_max: 256,
                event_parts_max: 64,
                ..build::parameters()
            }),
            ..build::genesis()
        };
        let entry = genesis_entry(genesis, RecordedAt::from_nanos(NOW)).expect("a genesis");
        let mut chain = Self {
            state: LedgerState::from_genesis(&entry).expect("a genesis"),
            projector: Projector::new(),
            tree: MemoryTree::new(),
            clock: NOW,
            published: BTreeMap::new(),
            outboxes: BTreeMap::new(),
            findings: Vec::new(),
            refused: Vec::new(),
        };
        chain.write(&entry);
        chain.found();
        chain
    }

    /// The history of these lines, in their order.
    pub(crate) fn told(lines: &[&str]) -> Self {
        let mut chain = Self::new();
        for line in lines {
            chain.tell(line);
        }
        chain
    }

    fn write(&mut self, entry: &Bytes) {
        self.tree.push(leaf_hash(entry));
        self.projector.take(entry).expect("entries follow each other");
        assert_eq!(self.projector.head(), self.tree.head());
    }

    /// The register's parties, facilities and keys, and the lists: as acts, approved by a second key.
    fn found(&mut self) {
        let register: Value = serde_json::from_slice(&file("register.json")).expect("the register is JSON");
        let text = |value: &Value, key: &str| value[key].as_str().unwrap_or_default().to_owned();
        let rows = |key: &str| register[key].as_array().cloned().unwrap_or_default();
        let mut acts: Vec<Kind> = Vec::new();
        for row in rows("parties") {
            let namespaces = row["namespaces"].as_array().into_iter().flatten();
            acts.push(Kind::PartyEnrolled(v1::PartyEnrolled {
                party: text(&row, "party"),
                legal_name: text(&row, "legal_name"),
                organized_in: text(&row, "organized_in"),
                principal_place: text(&row, "principal_place"),
                namespaces: namespaces.filter_map(Value::as_str).map(str::to_owned).collect(),
                fixture: true,
                ..Default::default()
            }));
        }
        for (name, party, namespace) in OTHERS {
            acts.push(Kind::PartyEnrolled(v1::PartyEnrolled {
                party: party.to_owned(),
                legal_name: format!("Party {name} Fictional Co."),
                namespaces: Some(namespace)
                    .filter(|text| !text.is_empty())
                    .map(str::to_owned)
                    .into_iter()
                    .collect(),
                fixture: true,
                ..Default::default()
            }));
        }
        for row in rows("facilities") {
            acts.push(Kind::FacilityRegistered(v1::FacilityRegistered {
                facility: text(&row, "facility"),
                country: text(&row, "country"),
                operator: text(&row, "operator"),
                ..Default::default()
            }));
        }
        for name in PARTIES.into_iter().chain(OTHERS.map(|(name, ..)| name)) {
            acts.push(build::authorise(&short::party(name), seed(name)));
        }
        for list in ["us-ndaa-154.toml", "fixture-154.toml"] {
            acts.push(Kind::ListPublished(published_list(list)));
        }
        let acts: Vec<v1::Event> = (0..)
            .zip(acts)
            .map(|(number, kind)| build::event(&format!("act-{number}"), kind))
            .collect();
        self.act(&acts);
    }

    fn act(&mut self, acts: &[v1::Event]) {
        let index = self.propose(acts);
        self.approve(index, acts);
    }

    /// Acts under the first key of the authority; they wait for a second one.
    pub(crate) fn propose(&mut self, acts: &[v1::Event]) -> LeafIndex {
        let index = self.state.size().next_index();
        self.sign(build::AUTHORITY, 201, acts);
        index
    }

    /// The second key; the acts were proposed at `index`.
    pub(crate) fn approve(&mut self, index: LeafIndex, acts: &[v1::Event]) {
        let approvals: Vec<_> = (0..)
            .zip(acts)
            .map(|(number, act)| build::approve(&act.id, index, number))
            .collect();
        self.sign(build::AUTHORITY, 202, &approvals);
    }

    /// Signs one statement over these events; it has to be admitted.
    fn sign(&mut self, issuer: &str, seed: u8, events: &[v1::Event]) -> u64 {
        let feed = build::key(seed).feed();
        let (last, hash) = self
            .state
            .feed(feed)
            .map_or((FeedSequence::NONE, Hash::ZERO), |feed| {
                (feed.last(), feed.last_hash())
            });
        let mut signer = FeedSigner::new(build::key(seed), self.state.log_id(), issuer.into(), last, hash);
        self.clock += 1_000_000;
        let envelope = signer
            .sign(IssuedAt::from_nanos(self.clock), &build::encode(events))
            .envelope;
        let prepared = Prepared::from_bytes(envelope).unwrap_or_else(|error| panic!("{events:?}: {error:?}"));
        let decided = self
            .state
            .decide(prepared, RecordedAt::from_nanos(self.clock))
            .unwrap_or_else(|error| panic!("{events:?}: {error:?}"));
        assert_eq!(decided.outcome(), Outcome::Admitted, "{events:?}");
        let index = self.state.size().next_index().get();
        let entry = decided.to_entry().encode();
        self.state.take(&decided);
        self.write(&entry);
        index
    }

    /// What the entries so far add up to.
    pub(crate) const fn projection(&self) -> &Projection {
        self.projector.projection()
    }

    /// Another's document, published by `party` as a report.
    pub(crate) fn report(&mut self, party: &str, bytes: &[u8]) {
        self.document(party, bytes, Origin::Reported { claimed_party: None });
    }

    /// One more line of the history.
    pub(crate) fn tell(&mut self, line: &str) {
        let told = read::line(line, &|party, id| self.reference(party, id));
        match told {
            read::Told::Native(party, value) => self.native(&party, &[value]),
            read::Told::Document(party, bytes) => self.document(&party, &bytes, Origin::Own),
            read::Told::File(party, name) => {
                let bytes = file(&format!("inputs/{name}"));
                if name.ends_with(".jsonld") {
                    self.document(&party, &bytes, Origin::Own);
                } else {
                    let events = json::parse(&bytes).expect("the file is JSON");
                    self.native(&party, events.as_array().expect("a list"));
                }
            }
            read::Told::Report(party, name) => {
                self.report(&party, &file(&name));
            }
        }
    }

    /// Where an event of a party stands.
    fn reference(&self, party: &str, id: &str) -> v1::EventReference {
        let found = self.published.get(&(party.to_owned(), id.to_owned()));
        *found.unwrap_or_else(|| panic!("{party} has not said {id}"))
    }

    /// Events as the gateway takes them; what they say of an event under its place in another log is said of
    /// the event that is meant.
    fn native(&mut self, party: &str, events: &[Value]) {
        for value in events {
            let mut value = value.clone();
            // The place in the original run; see the README of the cases.
            if value["id"] == "c05b-void" {
                value["voided"]["event"] = read::reference(self.reference(party, "c05b-make"));
            }
            let read = json::read(&value, "", || panic!("every event has an id"))
                .unwrap_or_else(|faults| panic!("{value}: {faults:?}"));
            self.publish(party, &read.event, read.error_declaration);
        }
    }

    fn document(&mut self, party: &str, bytes: &[u8], origin: Origin) {
        let options = ImportOptions {
            origin,
            ..ImportOptions::default()
        };
        let imported = match epcis::import(bytes, &options) {
            Ok(imported) => imported,
            Err(error) => return self.refused.push(error.to_string()),
        };
        self.findings.extend(
            imported
                .findings
                .into_iter()
                .map(|finding| (String::new(), finding)),
        );
        for refused in imported.refused {
            self.refused
                .push(format!("{:?}: {:?}", refused.original_id, refused.findings));
        }
        for event in imported.events {
            let id = event.event.id.clone();
            self.findings
                .extend(event.findings.into_iter().map(|finding| (id.clone(), finding)));
            self.publish(party, &event.event, event.error_declaration);
        }
    }

    /// Publishes an event as a gateway's outbox does: once, whatever document it comes in again; and declares it
    /// wrong if that is asked.
    fn publish(&mut self, party: &str, event: &v1::Event, declaration: Option<ErrorDeclaration>) {
        let offset = event.utc_offset_minutes;
        let ready = ready(event);
        let outbox = self.outboxes.entry(party.to_owned()).or_default();
        match outbox.standing(&ready.id, &ready.contents) {
            Standing::New => self.put(party, &ready),
            Standing::Same => {}
            Standing::Other if declaration.is_some() && !outbox.is_another(&ready.id, &ready.unopened()) => {}
            Standing::Other => {
                return self
                    .refused
                    .push(format!("{}: another event has this id", ready.id));
            }
        }
        if let Some(declaration) = declaration {
            let reference = self.reference(party, &ready.id);
            let time = declaration.declaration_time;
            let service = Service::Manufacturing;
            let said = intake::declaration(&ready.id, time, offset, &declaration, reference, service, "")
                .expect("a declaration fits");
            self.put(party, &said);
        }
    }

    fn put(&mut self, party: &str, ready: &intake::Ready) {
        let mut index = 0;
        for part in &ready.parts {
            index = self.sign(&short::party(party), seed(party), std::slice::from_ref(part));
        }
        let outbox = self.outboxes.entry(party.to_owned()).or_default();
        let parcel = ParcelId::new(index);
        outbox.apply(&Record::Queued {
            parcel,
            refusals: 0,
            events: build::encode(&ready.parts),
        });
        let reference = v1::EventReference {
            leaf_index: index,
            event_number: 0,
        };
        self.published
            .insert((party.to_owned(), ready.id.clone()), reference);
    }
}

/// The event as the first service that takes its kind would sign it.
fn ready(event: &v1::Event) -> intake::Ready {
    let tried = Service::ALL.map(|service| intake::ready(event.clone(), service, ""));
    let said = format!("{tried:?}");
    tried
        .into_iter()
        .find_map(Result::ok)
        .unwrap_or_else(|| panic!("{event:?}: {said}"))
}

fn seed(party: &str) -> u8 {
    let names = PARTIES.into_iter().chain(OTHERS.map(|(name, ..)| name));
    let place = names.zip(1..).find(|(name, _)| *name == party);
    place.unwrap_or_else(|| panic!("{party} is no party")).1
}

/// An edition of a list as the authority publishes it; the fictional company is matched with the party meant.
fn published_list(name: &str) -> v1::ListPublished {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("policies/lists");
    let text = std::fs::read_to_string(root.join(name)).expect("the list is there");
    let edition = load_list(name, &text).expect("the list loads");
    let entries = edition.entries.into_iter().map(|entry| v1::ListEntry {
        parties: if edition.fixture {
            vec![short::party("tnt")]
        } else {
            Vec::new()
        },
        name: entry.name,
        aliases: entry.aliases,
        ..Default::default()
    });
    v1::ListPublished {
        list: edition.list,
        edition: edition.edition,
        effective_from: 1_700_000_000_000_000_000,
        sha256: Hash::of(&[text.as_bytes()]).as_bytes().to_vec(),
        complete: edition.complete,
        fixture: edition.fixture,
        entries: entries.collect(),
    }
}

/// What a history must come to: told in its order, and party by party from the last to the first, since
/// independent feeds may arrive in any order. A history that begins with `in order` has no other.
pub(crate) fn holds(history: &str, expected: &str) {
    for (how, got) in told_both_ways(history, expected) {
        assert_eq!(got, wanted(expected), "{how}");
    }
}

fn told_both_ways(history: &str, expected: &str) -> Vec<(&'static str, Vec<String>)> {
    let mut lines: Vec<&str> = history
        .lines()
        .map(str::trim)
        .filter(|line| !line.is_empty())
        .collect();
    let has_one_order = lines.first() == Some(&"in order");
    lines.retain(|line| *line != "in order");
    let mut told = vec![("as told", answers(&Chain::told(&lines), expected))];
    if !has_one_order {
        let party = |line: &str| line.split_whitespace().next().unwrap_or_default().to_owned();
        let mut parties: Vec<String> = Vec::new();
        for line in &lines {
            if !parties.contains(&party(line)) {
                parties.push(party(line));
            }
        }
        let mut last_first = lines;
        last_first
            .sort_by_key(|line| std::cmp::Reverse(parties.iter().position(|name| *name == party(line))));
        told.push((
            "party by party, the last first",
            answers(&Chain::told(&last_first), expected),
        ));
    }
    told
}

fn wanted(expected: &str) -> Vec<String> {
    let lines = expected.lines().map(str::trim).filter(|line| !line.is_empty());
    lines
        .map(|line| line.split_whitespace().collect::<Vec<_>>().join(" "))
        .collect()
}

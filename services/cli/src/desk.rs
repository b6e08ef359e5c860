//! One party's desk: what of a document is new here goes out, what was known stays, and what was stated wrong is
//! corrected once it is proven where it stands.
//!
//! The outbox is the only memory, as for a gateway: the same document again publishes nothing.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use anyhow::{Context as _, Result};
use lotproof::{
    epcis::{self, ErrorDeclaration},
    event,
    event::parts::split_into_parts,
    gateway::{
        Service,
        index::{EventIndex, EventState, Kept, Standing},
        intake::{self, Ready},
        json,
    },
    id::Hash,
    outbox::ProvenRow,
    publish::EVENT_LEN_MAX,
    shell::publisher::{PublishError, Publisher},
    signature::SigningKey,
    wire::v1,
};
use prost::Message as _;

use crate::{
    publishing::{Session, drained, proven},
    stating::Stated,
};

/// A publisher of one key, and what its outbox knows of each event.
pub(crate) struct Desk {
    pub(crate) publisher: Publisher,
    index: Arc<Mutex<EventIndex>>,
    /// What was planned in this run, by id.
    planned: Mutex<BTreeMap<String, Planned>>,
}

/// What each part of an event says, as it is and whatever is under its seals.
struct Planned {
    contents: Vec<Hash>,
    unopened: Vec<Hash>,
}

/// What is to be done with a document's events.
#[derive(Debug, Default)]
pub(crate) struct Plan {
    /// Parts of events that are new, in their order.
    new: Vec<v1::Event>,
    /// Events that are in the outbox or the log already.
    known: usize,
    /// Those of them that are not proven yet.
    waiting: Vec<v1::Event>,
    wrong: Vec<Wrong>,
    /// Which events cannot be published, and why.
    refused: Vec<String>,
}

/// What became of a document's events.
#[derive(Debug)]
pub(crate) struct Done {
    /// The statements that were proven.
    pub(crate) rows: Vec<ProvenRow>,
    /// How many events were published from this outbox before.
    pub(crate) known: usize,
    /// How many events are declared wrong in the log, now or since before.
    pub(crate) declared: usize,
    /// Which were not published, and why.
    pub(crate) refused: Vec<String>,
}

/// An event that was stated and is declared wrong.
#[derive(Debug)]
struct Wrong {
    position: usize,
    id: String,
    utc_offset_minutes: i32,
    declaration: ErrorDeclaration,
}

impl Plan {
    /// Whether nothing of it is published now.
    pub(crate) fn is_empty(&self) -> bool {
        self.new.is_empty()
    }
}

impl Desk {
    pub(crate) async fn open(session: &Session, party: &str, key: SigningKey) -> Result<Self> {
        let index = Arc::new(Mutex::new(EventIndex::default()));
        let fed = index.clone();
        let watch = Box::new(move |record: &_| locked(&fed).apply(record));
        let publisher = session.watched(party, key, watch).await?;
        Ok(Self {
            publisher,
            index,
            planned: Mutex::default(),
        })
    }

    /// Sorts a document's events into what is new, known, wrong and cannot be published.
    pub(crate) fn plan(&self, stated: Vec<Stated>) -> Plan {
        let index = locked(&self.index);
        let mut plan = Plan::default();
        let mut planned = locked(&self.planned);
        for Stated {
            position,
            event,
            declaration,
        } in stated
        {
            let (id, utc_offset_minutes) = (event.id.clone(), event.utc_offset_minutes);
            let ready = match ready(event) {
                Ok(ready) => ready,
                Err(error) => {
                    plan.refused.push(format!("event {position} refused: {error:#}"));
                    continue;
                }
            };
            let standing = match planned.get(&id) {
                Some(before) if before.contents == ready.contents => Standing::Same,
                Some(_) => Standing::Other,
                None => index.standing(&id, &ready.contents),
            };
            // Sealed again, the same field has another digest.
            let is_another = standing == Standing::Other
                && match planned.get(&id) {
                    Some(before) => before.unopened != ready.unopened(),
                    None => index.is_another(&id, &ready.unopened()),
                };
            match standing {
                Standing::New => {
                    let unopened = ready.unopened();
                    let contents = ready.contents;
                    planned.insert(id.clone(), Planned { contents, unopened });
                    plan.new.extend(ready.parts);
                }
                Standing::Same => {
                    plan.known += usize::from(declaration.is_none());
                    let status = index.status(&id);
                    if status.is_some_and(|status| status.state != EventState::Receipted) {
                        plan.waiting.extend(ready.parts);
                    }
                }
                // What is declared wrong is what was stated: another sender's event under the same id is not.
                Standing::Other if declaration.is_some() && !is_another => {}
                Standing::Other if declaration.is_some() => {
                    plan.refused.push(format!(
                        "event {position} refused: {id} was published from this outbox with other content, and an \
                         error declaration repeats the event as it was stated, with the same fields sealed; nothing is \
                         changed"
                    ));
                    continue;
                }
                Standing::Other => {
                    plan.refused.push(format!(
                        "event {position} refused: {id} was published from this outbox with other content, or stands \
                         so in this document: give it another id, declare the first wrong, or withdraw it while it \
                         waits"
                    ));
                    continue;
                }
            }
            plan.wrong.extend(declaration.map(|declaration| Wrong {
                position,
                id,
                utc_offset_minutes,
                declaration,
            }));
        }
        plan
    }

    /// Publishes what is new, waits for the proofs, and then says what was wrong.
    ///
    /// # Errors
    /// If the ledger refused some, or no proof can come, or none came in time.
    pub(crate) async fn carry_out(&self, session: &Session, plan: Plan) -> Result<Done> {
        let mut done = Done {
            rows: self.proven(session, &plan.new).await?,
            known: plan.known,
            declared: 0,
            refused: plan.refused,
        };
        if !plan.waiting.is_empty() {
            let refused = || self.refused_among(&plan.waiting);
            drained(session, &self.publisher, &refused).await?;
        }
        let mut corrections = Vec::new();
        for wrong in plan.wrong {
            match self.correction(&wrong) {
                Ok(parts) => {
                    done.declared += 1;
                    corrections.extend(parts);
                }
                Err(why) => done.refused.push(format!(
                    "event {} refused: the declaration that it was wrong: {why}",
                    wrong.position
                )),
            }
        }
        done.rows.extend(self.proven(session, &corrections).await?);
        Ok(done)
    }

    async fn proven(&self, session: &Session, events: &[v1::Event]) -> Result<Vec<ProvenRow>> {
        let refused = || self.refused_among(events);
        proven(session, &self.publisher, events, &refused).await
    }

    /// Which events the register does not allow, and the facilities that they name, for people.
    fn refused_among(&self, events: &[v1::Event]) -> String {
        let index = locked(&self.index);
        let refused = |event: &&v1::Event| {
            let status = index.status(&event.id);
            status.is_some_and(|status| status.state == EventState::Refused)
        };
        let refused: Vec<&v1::Event> = events.iter().filter(refused).collect();
        let ids: BTreeSet<String> = refused.iter().map(|event| event.id.clone()).collect();
        let places: BTreeSet<String> = refused.iter().flat_map(|event| facilities(event)).collect();
        match (ids.is_empty(), places.is_empty()) {
            (true, _) => String::new(),
            (false, true) => format!("; refused so far: {}", a_few(ids)),
            (false, false) => format!("; refused so far: {}, which name {}", a_few(ids), a_few(places)),
        }
    }

    /// Gives an event up. Waits while it may still be admitted, or is with others in one statement.
    ///
    /// # Errors
    /// If the wait is over before that, or the publisher stops. Why it cannot be withdrawn is no error.
    pub(crate) async fn withdraw(&self, session: &Session, id: &str) -> Result<Result<(), Kept>> {
        let withdrawn = async {
            let mut status = self.publisher.watch_status();
            loop {
                status.borrow_and_update();
                let parcels = locked(&self.index).withdrawable(id);
                match parcels {
                    Ok(parcels) => {
                        if self.publisher.withdraw(parcels).await?.is_ok() {
                            return Ok(Ok(()));
                        }
                    }
                    Err(Kept::OnItsWay | Kept::Shared) => {}
                    Err(kept) => return Ok(Err(kept)),
                }
                status.changed().await.map_err(|_| PublishError::Stopped)?;
            }
        };
        session.patience.wait(&self.publisher, withdrawn).await
    }

    /// The event that corrects another; nothing if it was published before.
    fn correction(&self, wrong: &Wrong) -> Result<Vec<v1::Event>, String> {
        let index = locked(&self.index);
        let reference = index
            .reference(&wrong.id)
            .ok_or_else(|| format!("{} is not proven to be in the log", wrong.id))?;
        let Ready { id, parts, contents } = intake::declaration(
            &wrong.id,
            wrong.declaration.declaration_time,
            wrong.utc_offset_minutes,
            &wrong.declaration,
            reference,
            // Both services take corrections.
            Service::Manufacturing,
            "/errorDeclaration",
        )
        .map_err(|fault| fault.message)?;
        Ok(match index.standing(&id, &contents) {
            Standing::New => parts,
            Standing::Same | Standing::Other => Vec::new(),
        })
    }
}

/// The facilities that an event names.
fn facilities(event: &v1::Event) -> Vec<String> {
    let event = json::write(event);
    let kinds = event.as_object().into_iter().flatten();
    kinds
        .filter_map(|(_, kind)| kind.as_object())
        .flatten()
        .filter(|(name, _)| name.ends_with("facility"))
        .filter_map(|(_, place)| place.as_str().map(str::to_owned))
        .collect()
}

/// The first of several things, and how many more there are.
pub(crate) fn a_few(things: impl IntoIterator<Item = String>) -> String {
    const NAMED_MAX: usize = 3;
    let mut things = things.into_iter();
    let named: Vec<String> = things.by_ref().take(NAMED_MAX).collect();
    match things.count() {
        0 => named.join(", "),
        more => format!("{} and {more} more", named.join(", ")),
    }
}

/// An event as it will be admitted, cut into parts if it is long.
fn ready(event: v1::Event) -> Result<Ready> {
    let id = event.id.clone();
    let parts = split_into_parts(event, EVENT_LEN_MAX).context("state it as several events")?;
    let mut contents = Vec::with_capacity(parts.len());
    for part in &parts {
        let bytes = part.encode_to_vec().into();
        event::check(&bytes)?;
        contents.push(epcis::said(&bytes));
    }
    Ok(Ready { id, parts, contents })
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

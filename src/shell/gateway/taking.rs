//! Taking orders: reserve the ids, look them up, hand what is new to the outbox.
//!
//! Ids are reserved while a request is between looking and the outbox's promise, so two requests with one id
//! meet here and not in the log.

use std::{
    collections::BTreeSet,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use serde::Serialize;
use tokio::sync::{Notify, watch};

use super::metrics::Metrics;
use crate::{
    gateway::{
        Fault, FaultCode, Service,
        index::{EventIndex, EventState, EventStatus, Kept, Standing},
        intake::{self, Order, Placed, Ready},
        letters::TakenApart,
    },
    outbox::{Status, SubmitError},
    shell::{
        nats::Bus,
        publisher::{PublishError, Publisher, PublisherConfig},
    },
    wire::v1,
};

/// A running gateway; clones share it.
#[derive(Clone)]
pub(super) struct Gateway {
    shared: Arc<Shared>,
}

struct Shared {
    service: Service,
    publisher: Publisher,
    index: Arc<Mutex<EventIndex>>,
    reserved: Mutex<BTreeSet<String>>,
    released: Notify,
    metrics: Metrics,
}

/// What is answered for one event.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Taken {
    /// Whether it was not known before.
    pub(super) is_new: bool,
    /// Whether the error declaration that came with it is made; if not, the event it is about went out just now,
    /// and the request is to be repeated once that is receipted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) is_declared: Option<bool>,
    #[serde(flatten)]
    pub(super) status: EventStatus,
}

/// Whether one order at fault leaves the others.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Together {
    /// All of them or none.
    AllOrNone,
    /// Each by itself.
    Each,
}

/// What to do when the outbox is full.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum WhenFull {
    Refuse,
    Wait,
}

/// What an order comes to.
struct Found {
    /// The id under which it goes out, or went out.
    id: String,
    /// The event, if it is new.
    new: Option<Ready>,
    is_declared: Option<bool>,
}

/// Ids that nobody else may take meanwhile.
struct Reserved {
    shared: Arc<Shared>,
    ids: BTreeSet<String>,
}

impl Drop for Reserved {
    fn drop(&mut self) {
        let mut reserved = locked(&self.shared.reserved);
        reserved.retain(|id| !self.ids.contains(id));
        drop(reserved);
        self.shared.released.notify_waiters();
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Gateway {
    pub(super) async fn start(
        bus: Bus,
        config: PublisherConfig,
        service: Service,
        metrics: Metrics,
    ) -> Result<Self, PublishError> {
        let index = Arc::new(Mutex::new(EventIndex::default()));
        let fed = index.clone();
        let watch = Box::new(move |record: &_| locked(&fed).apply(record));
        let publisher = Publisher::start_watched(bus, config, watch).await?;
        let shared = Shared {
            service,
            publisher,
            index,
            reserved: Mutex::default(),
            released: Notify::new(),
            metrics,
        };
        Ok(Self {
            shared: Arc::new(shared),
        })
    }

    pub(super) fn service(&self) -> Service {
        self.shared.service
    }

    pub(super) fn publisher(&self) -> &Publisher {
        &self.shared.publisher
    }

    pub(super) fn metrics(&self) -> &Metrics {
        &self.shared.metrics
    }

    /// How many events are known.
    pub(super) fn known(&self) -> usize {
        locked(&self.shared.index).len()
    }

    /// What is known of an event.
    pub(super) fn status(&self, id: &str) -> Option<EventStatus> {
        locked(&self.shared.index).status(id)
    }

    /// Returns once the publisher has failed.
    pub(super) async fn publisher_ended(&self) {
        let mut status = self.shared.publisher.watch_status();
        while status.changed().await.is_ok() {}
    }

    pub(super) async fn stop(&self) -> Result<(), PublishError> {
        self.shared.publisher.clone().stop().await
    }

    /// Whether some statement of an event is still to be proven, or refused for good.
    pub(super) fn is_on_its_way(&self, id: &str) -> bool {
        let settled = [EventState::Receipted, EventState::DeadLetter];
        let status = self.status(id);
        status.is_some_and(|status| {
            let mut statements = status.statements.iter();
            statements.any(|statement| !settled.contains(&statement.state))
        })
    }

    /// Takes orders; the answers stand in their order. Not to be dropped half-way: see `http::to_the_end`.
    ///
    /// Whoever waits for room has no id in hand meanwhile, so that nobody who asks about the same events waits
    /// with him.
    ///
    /// # Errors
    /// If nothing is taken.
    pub(super) async fn take(
        &self,
        orders: Vec<Placed>,
        together: Together,
        when_full: WhenFull,
    ) -> Result<Vec<Result<Taken, Fault>>, Fault> {
        if when_full == WhenFull::Refuse {
            return self.take_now(orders, together).await;
        }
        let mut room = self.room();
        loop {
            room.look();
            match self.take_now(orders.clone(), together).await {
                Err(fault) if fault.code == FaultCode::OutboxFull => room.changed().await?,
                other => return other,
            }
        }
    }

    fn room(&self) -> Room {
        Room(self.shared.publisher.watch_status())
    }

    async fn take_now(
        &self,
        orders: Vec<Placed>,
        together: Together,
    ) -> Result<Vec<Result<Taken, Fault>>, Fault> {
        let ids = orders.iter().map(|placed| placed.order.id().to_owned()).collect();
        let _reserved = self.reserve(ids).await;
        let published = orders.iter().filter_map(|placed| match &placed.order {
            Order::Publish(ready) => Some(ready.id.clone()),
            Order::Declare { .. } => None,
        });
        let published: BTreeSet<String> = published.collect();
        let mut found = Vec::with_capacity(orders.len());
        for placed in orders {
            let one = self.look_up(placed, &published);
            if let (Err(fault), Together::AllOrNone) = (&one, together) {
                return Err(fault.clone());
            }
            found.push(one);
        }
        let parts: Vec<v1::Event> = found
            .iter_mut()
            .flatten()
            .filter_map(|found| found.new.as_mut())
            .flat_map(|ready| std::mem::take(&mut ready.parts))
            .collect();
        if !parts.is_empty() {
            self.submit(&parts).await?;
        }
        let metrics = &self.shared.metrics;
        let answers = found.into_iter().map(|one| {
            let Found { id, new, is_declared } = one?;
            let status = self
                .status(&id)
                .ok_or_else(|| Fault::new(FaultCode::Internal, "the outbox forgot an event"))?;
            let is_new = new.is_some();
            metrics.took(if is_new { "new" } else { "known" });
            Ok(Taken {
                is_new,
                is_declared,
                status,
            })
        });
        let answers: Vec<_> = answers.collect();
        for _ in answers.iter().filter(|answer| answer.is_err()) {
            metrics.took("refused");
        }
        Ok(answers)
    }

    /// Hands events to the outbox, whose promise is durable.
    async fn submit(&self, events: &[v1::Event]) -> Result<(), Fault> {
        let submitted = self.shared.publisher.submit(events).await;
        submitted.map(drop).map_err(|error| match error {
            PublishError::Full(SubmitError::Full { more, max, .. }) if more > max => Fault::new(
                FaultCode::TooLarge,
                format!("{more} bytes of events at once, the outbox holds {max}"),
            ),
            PublishError::Full(error) => Fault::new(FaultCode::OutboxFull, error.to_string()),
            PublishError::Pack(error) => Fault::new(FaultCode::InvalidEvent, error.to_string()),
            PublishError::File(_) | PublishError::Stopped => stopping(),
        })
    }

    /// What an order comes to, by what is known, and `published` by the same request.
    fn look_up(&self, placed: Placed, published: &BTreeSet<String>) -> Result<Found, Fault> {
        let index = locked(&self.shared.index);
        let (ready, path, is_declared) = match placed.order {
            Order::Publish(ready) => (ready, placed.path, None),
            Order::Declare {
                stated,
                event_time,
                utc_offset_minutes,
                declaration,
            } => {
                // What is declared wrong is what was stated: whoever states another thing under its id, another
                // sender for one, has no say in it.
                if index.standing(&stated.id, &stated.contents) == Standing::Other
                    && index.is_another(&stated.id, &stated.unopened())
                {
                    let message = format!(
                        "{} was published with other content: an error declaration repeats the event as it was \
                         stated",
                        stated.id
                    );
                    return Err(Fault::at(
                        FaultCode::Conflict,
                        format!("{}/id", placed.path),
                        message,
                    ));
                }
                let path = format!("{}/error_declaration", placed.path);
                let state = index.status(&stated.id).map(|status| status.state);
                match index.reference(&stated.id) {
                    Some(reference) => {
                        let declared = intake::declaration(
                            &stated.id,
                            event_time,
                            utc_offset_minutes,
                            &declaration,
                            reference,
                            self.shared.service,
                            &path,
                        )?;
                        (declared, path, Some(true))
                    }
                    None if !published.contains(&stated.id)
                        && state.is_none_or(|state| state == EventState::DeadLetter) =>
                    {
                        (stated, placed.path, Some(false))
                    }
                    None => {
                        let message = format!("{} is not proven to be in the log yet", stated.id);
                        return Err(Fault::at(FaultCode::NotReceipted, &path, message));
                    }
                }
            }
        };
        let new = match index.standing(&ready.id, &ready.contents) {
            Standing::New => true,
            Standing::Same => false,
            Standing::Other => {
                let message = format!(
                    "{} was published with other content: mend it with an error declaration, withdraw it while it \
                     waits, or use another id",
                    ready.id
                );
                return Err(Fault::at(FaultCode::Conflict, format!("{path}/id"), message));
            }
        };
        Ok(Found {
            id: ready.id.clone(),
            new: new.then_some(ready),
            is_declared,
        })
    }

    /// Waits until nobody has any of these ids in hand, and takes them.
    async fn reserve(&self, ids: BTreeSet<String>) -> impl Drop + use<> {
        loop {
            let released = self.shared.released.notified();
            tokio::pin!(released);
            // From here on no release is missed.
            released.as_mut().enable();
            {
                let mut reserved = locked(&self.shared.reserved);
                if reserved.is_disjoint(&ids) {
                    reserved.extend(ids.iter().cloned());
                    return Reserved {
                        shared: self.shared.clone(),
                        ids,
                    };
                }
            }
            released.await;
        }
    }

    /// Gives an event up that has not been signed, or was refused for what the register lacks.
    ///
    /// # Errors
    /// If it is not known, on its way, in the log, or a dead letter.
    pub(super) async fn withdraw(&self, id: &str) -> Result<(), Fault> {
        let _reserved = self.reserve(BTreeSet::from([id.to_owned()])).await;
        let parcels = locked(&self.shared.index)
            .withdrawable(id)
            .map_err(|kept| not_withdrawn(id, kept))?;
        let withdrawn = self.shared.publisher.withdraw(parcels).await;
        withdrawn
            .map_err(|_| stopping())?
            // Signed since it was looked up.
            .map_err(|_| not_withdrawn(id, Kept::OnItsWay))
    }

    /// Publishes the events of dead letters anew, each in statements of its own, and takes the letters. What was
    /// published again meanwhile is left alone, so this may be repeated after a crash.
    pub(super) async fn separate(&self, apart: TakenApart) -> Result<(), Fault> {
        for ready in &apart.events {
            let mut room = self.room();
            loop {
                room.look();
                match self.publish_again(ready).await {
                    Err(fault) if fault.code == FaultCode::OutboxFull => room.changed().await?,
                    other => break other?,
                }
            }
        }
        for parcel in apart.letters {
            let taken = self.shared.publisher.take_letter(parcel).await;
            taken.map_err(|_| stopping())?;
        }
        Ok(())
    }

    async fn publish_again(&self, ready: &Ready) -> Result<(), Fault> {
        let _reserved = self.reserve(BTreeSet::from([ready.id.clone()])).await;
        let standing = locked(&self.shared.index).standing(&ready.id, &ready.contents);
        match standing {
            Standing::New => self.submit(&ready.parts).await,
            Standing::Same | Standing::Other => Ok(()),
        }
    }
}

/// Tells when there may be more room in the outbox.
struct Room(watch::Receiver<Status>);

impl Room {
    /// What changes from here on is no longer missed.
    fn look(&mut self) {
        self.0.borrow_and_update();
    }

    async fn changed(&mut self) -> Result<(), Fault> {
        self.0.changed().await.map_err(|_| stopping())
    }
}

fn not_withdrawn(id: &str, kept: Kept) -> Fault {
    let code = match kept {
        Kept::Unknown => FaultCode::UnknownEvent,
        Kept::OnItsWay | Kept::Shared => FaultCode::OnItsWay,
        Kept::Receipted | Kept::DeadLetter => FaultCode::Settled,
    };
    Fault::new(code, format!("{id} is not withdrawn: {kept}"))
}

fn stopping() -> Fault {
    Fault::new(FaultCode::Stopped, "the gateway is stopping; ask again")
}

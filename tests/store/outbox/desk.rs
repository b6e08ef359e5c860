//! A publisher without a network: outbox and file driven as the publishing thread drives them, records durable
//! before anything leaves, and a ledger that is asked at once.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use bytes::Bytes;
use lotproof::{
    envelope::Envelope,
    id::FeedSequence,
    outbox::{Action, Config, Continuity, Effects, Fate, Input, Moment, Outbox, ParcelId, Status},
    publish::pack,
    shell::outbox_file::{OpenedOutbox, OutboxFile, OutboxFileError},
    wire::v1::{self, event::Kind},
};

use super::ledger::{ISSUER, Ledger, PLANT, START, event, key};
use crate::dice::Dice;

/// What somebody outside gets to see of a publisher.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Said {
    /// Events are promised to be published: the first parcel, and the id of the one event in each.
    Taken { first: u64, ids: Vec<String> },
    /// A statement left, and reached the ledger or got lost.
    Published { arrives: bool, envelope: Bytes },
    /// A parcel is proven.
    Admitted { parcel: u64 },
}

impl Said {
    /// One line.
    pub(super) fn to_line(&self) -> String {
        match self {
            Self::Taken { first, ids } => format!("taken {first} {}\n", ids.join(",")),
            Self::Published { arrives, envelope } => {
                format!("published {arrives} {}\n", hex::encode(envelope))
            }
            Self::Admitted { parcel } => format!("admitted {parcel}\n"),
        }
    }

    pub(super) fn from_line(line: &str) -> Self {
        let mut words = line.split_whitespace();
        let mut word = || words.next().expect("a word");
        match word() {
            "taken" => Self::Taken {
                first: word().parse().unwrap(),
                ids: word().split(',').map(str::to_owned).collect(),
            },
            "published" => Self::Published {
                arrives: word().parse().unwrap(),
                envelope: hex::decode(word()).unwrap().into(),
            },
            "admitted" => Self::Admitted {
                parcel: word().parse().unwrap(),
            },
            other => panic!("{other}"),
        }
    }
}

/// Where an outbox lies in a folder: with its generation file beside it, or elsewhere.
pub(super) fn places(root: &Path, is_beside: bool) -> (PathBuf, PathBuf) {
    let folder = root.join("outboxes").join("maker");
    let generation = if is_beside {
        root.join("outboxes").join("maker.generation")
    } else {
        root.join("maker.generation")
    };
    (folder, generation)
}

fn item(id: &str, number: u64) -> v1::Item {
    v1::Item {
        lot: format!("urn:example:lot:{id}-{number}"),
        ..Default::default()
    }
}

/// An outbox with its file, and the ledger that it talks to.
pub(super) struct Desk<'a> {
    outbox: Outbox,
    file: OutboxFile,
    pub(super) ledger: Ledger,
    now: Moment,
    /// What has arrived and was not taken yet.
    arrived: Vec<Input>,
    say: &'a mut dyn FnMut(&Said),
    /// Alarms and the like: nobody does anything wrong here.
    pub(super) wrong: Vec<String>,
    dice: Dice,
    /// One message in so many gets lost; zero for none.
    loses_one_in: u64,
}

impl<'a> Desk<'a> {
    /// Opens an outbox as a publisher does.
    pub(super) fn open(
        (folder, generation): &(PathBuf, PathBuf),
        ledger: Ledger,
        seed: u64,
        loses_one_in: u64,
        say: &'a mut dyn FnMut(&Said),
    ) -> Result<Self, String> {
        let OpenedOutbox {
            mut file,
            state,
            continuity,
        } = OutboxFile::open(folder, generation).map_err(|error| format!("{error:?}"))?;
        if continuity != Continuity::Unbroken {
            return Err(format!("taken for another outbox: {continuity:?}"));
        }
        let config = Config {
            wait_ms: 200,
            wait_ms_max: 1_000,
            ..Config::new(ledger.pinned(), ISSUER.to_owned())
        };
        let now = Moment {
            steady_ms: 0,
            wall_nanos: START,
        };
        let (outbox, effects) = Outbox::start(config, [key(1)], state, continuity, now);
        file.append(&effects.records)
            .map_err(|error| format!("{error:?}"))?;
        let mut desk = Self {
            outbox,
            file,
            ledger,
            now,
            arrived: Vec::new(),
            say,
            wrong: Vec::new(),
            dice: Dice::new(seed),
            loses_one_in,
        };
        desk.perform(Effects {
            records: Vec::new(),
            actions: effects.actions,
        })
        .map_err(|error| format!("{error:?}"))?;
        Ok(desk)
    }

    /// Closes it.
    pub(super) fn into_say(self) -> &'a mut dyn FnMut(&Said) {
        self.say
    }

    fn is_lost(&mut self) -> bool {
        self.loses_one_in > 0 && self.dice.one_in(self.loses_one_in)
    }

    /// Takes events of these ids, one to a statement.
    pub(super) fn submit(&mut self, ids: Vec<String>) -> Result<(), OutboxFileError> {
        let packs = ids.iter().flat_map(|id| {
            // Statements of different lengths.
            let lots = 0..=self.dice.below(6);
            let kind = Kind::Commissioned(v1::Commissioned {
                facility: PLANT.into(),
                items: lots.map(|number| item(id, number)).collect(),
                ..Default::default()
            });
            pack(&[event(id, kind)]).unwrap()
        });
        let (ticket, effects) = self
            .outbox
            .submit(packs.collect(), self.now)
            .expect("there is room");
        self.perform(effects)?;
        let first = ticket.first.get();
        (self.say)(&Said::Taken { first, ids });
        Ok(())
    }

    /// Lets time pass, and takes what has arrived.
    pub(super) fn turn(&mut self, pass_ms: u64) -> Result<(), OutboxFileError> {
        self.now.steady_ms += pass_ms;
        self.now.wall_nanos += i64::try_from(pass_ms).unwrap() * 1_000_000;
        let mut nonce = [0; 32];
        for chunk in nonce.chunks_exact_mut(8) {
            chunk.copy_from_slice(&self.dice.next().to_be_bytes());
        }
        let mut inputs = std::mem::take(&mut self.arrived);
        inputs.extend(self.ledger.receipts().into_iter().map(Input::Receipt));
        let jitter = 0x8000;
        inputs.push(Input::Tick { nonce, jitter });
        let mut effects = Effects::default();
        for input in inputs {
            let is_lost = !matches!(input, Input::Tick { .. }) && self.is_lost();
            if !is_lost {
                effects.join(self.outbox.handle(input, self.now));
            }
        }
        self.perform(effects)
    }

    /// Tells the outbox that a mirror has the log, so that it keeps less.
    pub(super) fn mirrored(&mut self) -> Result<(), OutboxFileError> {
        let size = self.ledger.size();
        let effects = self.outbox.handle(Input::Mirrored(size), self.now);
        self.perform(effects)
    }

    pub(super) fn compact(&mut self) -> Result<(), OutboxFileError> {
        self.file.compact(self.outbox.state())
    }

    pub(super) fn status(&self) -> Status {
        self.outbox.status()
    }

    pub(super) fn fate(&self, parcel: u64) -> Fate {
        self.outbox.fate(ParcelId::new(parcel))
    }

    /// The statements that the file has, by their numbers.
    pub(super) fn kept(&self) -> Result<BTreeMap<FeedSequence, Bytes>, OutboxFileError> {
        let (first, last) = (FeedSequence::new(1), FeedSequence::new(u64::MAX));
        let kept = self.file.load(key(1).feed(), first, last)?;
        let sequence = |envelope: &Bytes| Envelope::decode(envelope.clone()).unwrap().header().sequence;
        Ok(kept
            .into_iter()
            .map(|envelope| (sequence(&envelope), envelope))
            .collect())
    }

    /// As the publishing thread does: records durable, then actions, in order.
    fn perform(&mut self, effects: Effects) -> Result<(), OutboxFileError> {
        let mut next = effects;
        while !next.is_empty() {
            self.file.append(&next.records)?;
            let mut later = Effects::default();
            for action in next.actions {
                match action {
                    Action::Publish { envelope, .. } => {
                        let arrives = !self.is_lost();
                        (self.say)(&Said::Published {
                            arrives,
                            envelope: envelope.clone(),
                        });
                        if arrives {
                            self.ledger.deliver(&envelope);
                        }
                    }
                    Action::AskHead { query } => {
                        self.arrived
                            .push(Input::HeadReply(self.ledger.head_reply(&query)));
                    }
                    Action::AskReceipts { query } => {
                        let receipt = self.ledger.receipts_asked(&query);
                        self.arrived.extend(receipt.map(Input::Receipt));
                    }
                    Action::Load { feed, first, last } => {
                        let loaded = Input::Loaded(self.file.load(feed, first, last)?);
                        later.join(self.outbox.handle(loaded, self.now));
                    }
                    Action::Admitted { parcel, .. } => {
                        (self.say)(&Said::Admitted { parcel: parcel.get() });
                    }
                    Action::Listen { .. } | Action::Resumed => {}
                    Action::DeadLettered(_)
                    | Action::Divided { .. }
                    | Action::Withdrawn { .. }
                    | Action::Alarm(_)
                    | Action::Stopped(_) => {
                        self.wrong.push(format!("{action:?}"));
                    }
                }
            }
            next = later;
        }
        Ok(())
    }
}

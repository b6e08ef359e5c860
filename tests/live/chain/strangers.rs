//! Somebody on the bus without a key: he flips, replays, reorders, adds signatures, forges what the ledger
//! says and answers in its place. He can delay. He can brand nobody, delete nothing, occupy no event's id.

use bytes::Bytes;
use futures::StreamExt as _;
use lotproof::{
    code::{AnswerCode, Outcome, Refusal},
    envelope::{Envelope, Header, encode_statement},
    id::{FeedId, FeedSequence, Hash},
    publish::FeedSigner,
    shell::nats::{Bus, BusNames},
    signature::SigningKey,
    time::IssuedAt,
    wire::{ANSWER_TYPE, HEAD_TYPE, STATEMENT_TYPE, v1},
};
use prost::Message as _;

use super::world::{Chain, lot_event, maker};
use crate::{
    dice::{Dice, is_long},
    fixture::{DEADLINE, connect, soon, until},
    ledger::{key, now},
};

/// Whoever he is, this key is enrolled nowhere.
const STRANGER: u8 = 66;

struct Stranger {
    bus: Bus,
    names: BusNames,
    key: SigningKey,
    dice: Dice,
    chain_id: Vec<u8>,
    said: usize,
}

impl Stranger {
    async fn arrive(chain: &Chain) -> Self {
        Self {
            bus: connect(&chain.own.server).await,
            names: chain.names(),
            key: key(STRANGER),
            dice: Dice::thrown_for("strangers"),
            chain_id: chain.identity.log_id.as_bytes().to_vec(),
            said: 0,
        }
    }

    async fn say(&mut self, subject: String, bytes: Bytes) {
        self.said += 1;
        self.bus.client().publish(subject, bytes).await.expect("sent");
    }

    async fn flush(&self) {
        self.bus.client().flush().await.expect("sent");
    }

    /// One bit, somewhere.
    fn flipped(&mut self, bytes: &Bytes) -> Bytes {
        let mut bytes = bytes.to_vec();
        let at = self.dice.place(bytes.len());
        bytes[at] ^= 1 << self.dice.below(8);
        bytes.into()
    }

    /// Everything that can be made of an envelope without its key.
    fn variants(&mut self, envelope: &Bytes) -> Vec<Bytes> {
        let whole = v1::Envelope::decode(envelope.clone()).expect("an envelope");
        let payload = whole.payload.clone();
        let his = self.key.seal(STATEMENT_TYPE, &payload);
        let own = v1::Envelope::decode(his.clone()).expect("an envelope").signatures;
        let changed = |change: &dyn Fn(&mut v1::Envelope)| {
            let mut envelope = whole.clone();
            change(&mut envelope);
            Bytes::from(envelope.encode_to_vec())
        };
        let mut variants = vec![
            envelope.clone(),
            his,
            changed(&|envelope| envelope.signatures.extend(own.clone())),
            changed(&|envelope| envelope.signatures.extend(whole.signatures.clone())),
            changed(&|envelope| envelope.signatures.insert(0, own[0].clone())),
            changed(&|envelope| envelope.signatures[0].keyid = "another".into()),
            changed(&|envelope| envelope.signatures.clear()),
            changed(&|envelope| envelope.payload_type = HEAD_TYPE.into()),
            envelope.slice(..self.dice.place(envelope.len())),
            [envelope.as_ref(), b"\0"].concat().into(),
        ];
        for _ in 0..4 {
            variants.push(self.flipped(envelope));
        }
        variants
    }

    /// A statement in the name of a feed, at a place of it, signed by him.
    fn in_the_name_of(&self, feed: FeedId, said: &Header, events: &[v1::Event]) -> Bytes {
        let events: Vec<Bytes> = events.iter().map(|event| event.encode_to_vec().into()).collect();
        let header = Header { feed, ..said.clone() };
        self.key.seal(STATEMENT_TYPE, &encode_statement(&header, &events))
    }

    /// A head reply that he signs himself.
    fn head_reply(&self, nonce: Vec<u8>, feed: FeedId, last: u64, status: v1::FeedStatus) -> Bytes {
        let reply = v1::HeadReply {
            log_id: self.chain_id.clone(),
            feed: feed.as_bytes().to_vec(),
            nonce,
            last_sequence: last,
            last_hash: Hash::of(&[b"nothing"]).as_bytes().to_vec(),
            tree_size: 1_000_000,
            status: status.into(),
        };
        self.key.seal(HEAD_TYPE, &reply.encode_to_vec())
    }

    /// What the ledger really said of a feed, to his own question.
    async fn genuine_head(&self, feed: FeedId) -> Bytes {
        let query = v1::HeadQuery {
            log_id: self.chain_id.clone(),
            feed: feed.as_bytes().to_vec(),
            nonce: vec![7; 32],
            checkpoint: Vec::new(),
        };
        let asked = self
            .bus
            .client()
            .request(self.names.ask_head(), query.encode_to_vec().into());
        soon("a reply", asked).await.expect("a reply").payload
    }

    /// Answers every question in the ledger's place, until he is stopped.
    async fn impersonate(&self, old: Bytes, receipts: Vec<Bytes>) -> tokio::task::JoinHandle<()> {
        let client = self.bus.client().clone();
        let heads = client.subscribe(self.names.ask_head()).await.expect("subscribed");
        let rows = client
            .subscribe(self.names.ask_receipts())
            .await
            .expect("subscribed");
        client.flush().await.expect("subscribed");
        let him = Self {
            bus: self.bus.clone(),
            names: self.names,
            key: key(STRANGER),
            dice: Dice::new(1),
            chain_id: self.chain_id.clone(),
            said: 0,
        };
        let mut questions = futures::stream::select(heads, rows);
        tokio::spawn(async move {
            let mut turn = 0;
            while let Some(question) = questions.next().await {
                let Some(reply_to) = question.reply else { continue };
                turn += 1;
                let asked = v1::HeadQuery::decode(question.payload.clone());
                let reply = match asked {
                    Ok(asked) if asked.nonce.len() == 32 => {
                        let feed = FeedId::from_slice(&asked.feed).expect("a feed");
                        match turn % 4 {
                            0 => old.clone(),
                            1 => him.head_reply(asked.nonce, feed, 0, v1::FeedStatus::FeedClosed),
                            2 => him.head_reply(asked.nonce, feed, 1_000, v1::FeedStatus::FeedOpen),
                            _ => question.payload,
                        }
                    }
                    _ => receipts[turn % receipts.len()].clone(),
                };
                let _ = client.publish(reply_to, reply).await;
            }
        })
    }

    /// A receipt for statements that the log does not have: a genuine checkpoint, places and hashes made up.
    fn forged_receipts(
        feed: FeedId,
        sequences: std::ops::RangeInclusive<u64>,
        genuine: &[Bytes],
    ) -> Vec<Bytes> {
        let mut forged = Vec::new();
        for bytes in genuine {
            let receipt = v1::Receipt::decode(bytes.clone()).expect("a receipt");
            let Some(row) = receipt.rows.first() else { continue };
            let rows: Vec<_> = sequences
                .clone()
                .zip(row.index..)
                .map(|(sequence, index)| v1::ReceiptRow {
                    sequence,
                    index,
                    ..*row
                })
                .collect();
            let moved = v1::Receipt {
                feed: feed.as_bytes().to_vec(),
                rows: rows[..1].to_vec(),
                ..receipt.clone()
            };
            let many = v1::Receipt {
                rows: rows.clone(),
                ..moved.clone()
            };
            let bare = v1::Receipt {
                hashes: Vec::new(),
                ..moved.clone()
            };
            let unsigned = v1::Receipt {
                checkpoint: b"ledger.example/chain\n1\nAAAA\n\n".to_vec(),
                ..moved.clone()
            };
            let made = [moved, many, bare, unsigned];
            forged.extend(made.map(|receipt| Bytes::from(receipt.encode_to_vec())));
        }
        forged
    }

    /// Answers to statements that are under way: they will never be taken, he says.
    fn forged_answers(&self, feed: FeedId, envelopes: &[Bytes]) -> Vec<Bytes> {
        let codes = [
            AnswerCode::FeedClosed,
            AnswerCode::ChainBroken,
            AnswerCode::BadSignature,
            AnswerCode::Poison,
        ];
        let answers = envelopes
            .iter()
            .zip(codes.into_iter().cycle())
            .map(|(envelope, code)| {
                let header = Envelope::decode(envelope.clone())
                    .expect("an envelope")
                    .header()
                    .clone();
                let answer = v1::Answer {
                    log_id: self.chain_id.clone(),
                    feed: feed.as_bytes().to_vec(),
                    message: Hash::of(&[envelope]).as_bytes().to_vec(),
                    code: code.number().into(),
                    sequence: header.sequence.get(),
                    expected: 1,
                    answered_at: now(),
                    detail: "so I say".into(),
                };
                self.key.seal(ANSWER_TYPE, &answer.encode_to_vec())
            });
        answers.collect()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stranger_on_the_bus_brands_nobody_deletes_nothing_and_occupies_nothing() {
    let lots = if is_long() { 400 } else { 80 };
    let mut chain = Chain::with_makers(2).await;
    let feed = key(1).feed();
    let publisher = chain.publisher(&maker(1), &[1]).await;
    let submit = async |numbers: std::ops::Range<usize>| {
        for number in numbers {
            soon("room", publisher.submit(&[lot_event(1, number)]))
                .await
                .expect("taken");
        }
    };
    let drained = async || {
        let status = soon("receipts", publisher.drain(DEADLINE))
            .await
            .expect("running");
        assert_eq!((status.queued, status.unreceipted), (0, 0), "{status:?}");
    };
    submit(0..lots).await;
    drained().await;
    let mut stranger = Stranger::arrive(&chain).await;
    let old_head = stranger.genuine_head(feed).await;

    // Everything said so far again, last things first, and whatever can be made of it; and ids that the maker
    // is about to use, in its name.
    let heard = chain.ear.heard();
    let to_come: Vec<_> = (lots..2 * lots).map(|number| lot_event(1, number)).collect();
    let first = Header {
        log_id: chain.identity.log_id,
        issuer: maker(1),
        feed: key(STRANGER).feed(),
        sequence: FeedSequence::new(1),
        previous: Hash::ZERO,
        issued_at: IssuedAt::from_nanos(now()),
    };
    let own = stranger.in_the_name_of(first.feed, &first, &to_come[..3]);
    for envelope in heard.envelopes.iter().rev() {
        let header = Envelope::decode(envelope.clone())
            .expect("an envelope")
            .header()
            .clone();
        let subject = stranger.names.statement(&header.feed);
        for variant in stranger.variants(envelope) {
            stranger.say(subject.clone(), variant.clone()).await;
            let other = [feed, key(2).feed(), key(STRANGER).feed()][stranger.dice.place(3)];
            stranger.say(stranger.names.statement(&other), variant).await;
        }
        let next = Header {
            sequence: FeedSequence::new(header.sequence.get() + 1),
            previous: Envelope::decode(envelope.clone()).expect("an envelope").hash(),
            ..header.clone()
        };
        for forged in [
            stranger.in_the_name_of(header.feed, &next, &to_come[..1]),
            stranger.in_the_name_of(header.feed, &header, &to_come[..2]),
            // His own word, in the maker's name: of a key that nobody enrolled.
            own.clone(),
        ] {
            stranger.say(subject.clone(), forged).await;
        }
        if stranger.dice.one_in(8) {
            stranger.flush().await;
        }
    }
    // Another maker, who has a key, speaks in this one's name: refused, in public.
    let mut other = FeedSigner::new(
        key(2),
        chain.identity.log_id,
        maker(1),
        FeedSequence::NONE,
        Hash::ZERO,
    );
    let events: Vec<Bytes> = to_come[..20]
        .iter()
        .map(|event| event.encode_to_vec().into())
        .collect();
    let spoken = other.sign(IssuedAt::from_nanos(now()), &events).envelope;
    stranger
        .say(stranger.names.statement(&key(2).feed()), spoken)
        .await;
    stranger.flush().await;
    submit(lots..2 * lots).await;
    drained().await;

    // While the ledger is away, he speaks for it.
    chain.kill_ledger();
    submit(2 * lots..3 * lots).await;
    let from = 2 * lots as u64 + 1;
    let sequences = from..=from + lots as u64 - 1;
    let heard = chain.ear.heard();
    let genuine: Vec<Bytes> = heard.receipts.iter().cloned().collect();
    let under_way: Vec<Bytes> = heard
        .envelopes
        .iter()
        .filter(|bytes| {
            let envelope = Envelope::decode((*bytes).clone());
            envelope.is_ok_and(|envelope| sequences.contains(&envelope.header().sequence.get()))
        })
        .cloned()
        .collect();
    let forged = Stranger::forged_receipts(feed, sequences.clone(), &genuine);
    // Many times over, so that he is the first to answer.
    let mut impersonating = Vec::new();
    for _ in 0..8 {
        let again = stranger.impersonate(old_head.clone(), forged.clone());
        impersonating.push(again.await);
    }
    let mut untrue = forged;
    for receipt in &genuine {
        untrue.push(stranger.flipped(receipt));
    }
    for receipt in untrue.iter().chain(&genuine) {
        stranger.say(stranger.names.receipt(&feed), receipt.clone()).await;
    }
    let answers = stranger.forged_answers(feed, &under_way);
    for answer in answers.iter().chain(&heard.answers) {
        stranger.say(stranger.names.answer(&feed), answer.clone()).await;
    }
    for checkpoint in &heard.checkpoints {
        let bent = stranger.flipped(checkpoint);
        stranger.say(stranger.names.head(), bent).await;
    }
    stranger.flush().await;
    until("his answers to be ignored", async || {
        publisher.status().ignored.replies >= 8
    })
    .await;
    until("his receipts to be ignored", async || {
        publisher.status().ignored.receipts > 100
    })
    .await;
    let status = publisher.status();
    assert_eq!(
        (status.unreceipted, status.letters, status.alarms),
        (lots, 0, 0),
        "{status:?}"
    );
    assert!(status.ignored.answers >= answers.len() as u64, "{status:?}");

    // The ledger is back, and he goes on. He answers first, as often as not; that does not help him.
    chain.start_ledger().await;
    submit(3 * lots..3 * lots + 10).await;
    drained().await;
    // A publisher that starts anew signs nothing before it has the ledger's own word.
    publisher.stop().await.expect("stopped");
    let publisher = chain.publisher(&maker(1), &[1]).await;
    for number in 3 * lots + 10..3 * lots + 20 {
        soon("room", publisher.submit(&[lot_event(1, number)]))
            .await
            .expect("taken");
    }
    let status = soon("receipts", publisher.drain(DEADLINE))
        .await
        .expect("running");
    assert_eq!((status.queued, status.unreceipted), (0, 0), "{status:?}");
    for impersonation in impersonating {
        impersonation.abort();
    }
    let status = publisher.status();
    assert_eq!((status.letters, status.alarms), (0, 0), "{status:?}");
    let checked = chain.check().await;
    assert_eq!(checked.events, 3 * lots + 20 + 6);
    let refused = checked.log.statements[&(key(2).feed(), FeedSequence::new(1))].outcome;
    assert_eq!(refused, Outcome::Refused(Refusal::WrongParty));
    println!(
        "he said {} things, {} of them forged; {:?}",
        stranger.said, checked.forged, status.ignored
    );
}

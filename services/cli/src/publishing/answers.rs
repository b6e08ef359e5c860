//! What the ledger answers to statements that take no place in its log: a key that nobody enrolled is told of at
//! once, since only the authority can mend that.

use anyhow::Result;
use async_nats::Subscriber;
use bytes::Bytes;
use futures::StreamExt as _;
use lotproof::{
    code::AnswerCode,
    envelope::DsseEnvelope,
    id::FeedId,
    shell::nats::BusNames,
    signature,
    trust::TrustFile,
    wire::{ANSWER_TYPE, v1},
};
use prost::Message as _;

use super::Session;

/// Listens for the ledger's word on a key.
pub(crate) struct Answers {
    messages: Subscriber,
    trust: TrustFile,
    feed: FeedId,
    party: String,
}

impl Answers {
    /// Listens from now on: what is published afterwards is not answered unheard.
    ///
    /// # Errors
    /// If the bus refuses.
    pub(crate) async fn listen(session: &Session, feed: FeedId, party: &str) -> Result<Self> {
        let client = session.bus.client();
        let subject = BusNames::new(&session.trust.log_id()).answer(&feed);
        let messages = client.subscribe(subject).await?;
        client.flush().await?;
        Ok(Self {
            messages,
            trust: session.trust.clone(),
            feed,
            party: party.to_owned(),
        })
    }

    /// What to tell the user, once the ledger has said that it does not know the key. Never returns without.
    pub(crate) async fn unknown_key(&mut self) -> String {
        while let Some(message) = self.messages.next().await {
            if code(&self.trust, self.feed, &message.payload) == Some(AnswerCode::UnknownKey) {
                return format!(
                    "the ledger answered {}: key {} is not enrolled, which is to speak for {}; what was signed stays \
                     in the outbox, and is published by itself once the authority has enrolled party and key: \
                     `lotproof enroll REGISTER.json --authority PARTY --authority-key FILE`, with this key under \
                     `keys`",
                    AnswerCode::UnknownKey.name(),
                    self.feed,
                    self.party
                );
            }
        }
        std::future::pending().await
    }

    /// Says so on standard error, once.
    pub(crate) async fn tell<T>(mut self) -> T {
        eprintln!("{}", self.unknown_key().await);
        std::future::pending().await
    }
}

/// The code of an answer about a feed, if a key of the log signed it.
fn code(trust: &TrustFile, feed: FeedId, bytes: &Bytes) -> Option<AnswerCode> {
    let dsse = DsseEnvelope::decode(bytes.clone(), ANSWER_TYPE).ok()?;
    let mut keys = trust.log_keys().iter().map(|key| FeedId::new(*key.public_key()));
    let payload = keys.find_map(|key| signature::verify(&dsse, key).ok().cloned())?;
    let answer = v1::Answer::decode(payload).ok()?;
    let is_ours = answer.log_id == trust.log_id().as_bytes() && answer.feed == feed.as_bytes();
    let code = u16::try_from(answer.code).ok()?;
    is_ours.then(|| AnswerCode::from_number(code)).flatten()
}

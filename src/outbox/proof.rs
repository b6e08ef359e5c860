//! What the outbox believes: only what it has verified under the pinned log keys.
//!
//! The bus is open to whoever can reach it, so receipts, answers and replies are bytes from a stranger until
//! they verify here. None of these checks has an effect; what follows from them is the machine's.

use bytes::Bytes;
use prost::Message as _;

use super::state::Feed;
use crate::{
    code::{AnswerCode, Outcome},
    entry::{Body, Entry},
    envelope::{DecodeError, DsseEnvelope},
    id::{FeedId, FeedSequence, Hash, LeafIndex, LogId, TreeSize},
    log::{
        Origin, SignedCheckpoint, checkpoint::CheckpointError, leaf_hash, multiproof,
        multiproof::MultiproofError, note::VerifierKey,
    },
    outbox::record::ProvenRow,
    signature::{self, VerifyError},
    time::RecordedAt,
    wire::{
        ANSWER_TYPE, COMMIT_STATEMENTS_MAX, HEAD_TYPE,
        shape::{self, ShapeError},
        v1,
    },
};

/// Longest receipt that is looked at, in bytes: a full commit's rows and all their hashes.
const RECEIPT_LEN_MAX: usize = 4 * 1024 * 1024;

/// The log as its publishers pin it: from the trust file.
#[derive(Clone, Debug)]
pub struct PinnedLog {
    log_id: LogId,
    origin: Origin,
    note_keys: Vec<VerifierKey>,
    keys: Vec<FeedId>,
}

/// Why something claimed in the ledger's name is not believed.
#[derive(Debug, thiserror::Error)]
pub enum ProofError {
    /// Longer than anything the ledger sends.
    #[error("{0} bytes are more than the ledger sends")]
    Oversize(usize),
    /// Not the canonical encoding.
    #[error("not canonical")]
    Shape(#[from] ShapeError),
    /// Not an envelope.
    #[error("not an envelope")]
    Envelope(#[from] DecodeError),
    /// Not signed by a key of the log.
    #[error("not signed by the log")]
    Signature(#[from] VerifyError),
    /// Not a checkpoint of the log.
    #[error("not a checkpoint of the log")]
    Checkpoint(#[from] CheckpointError),
    /// About another ledger.
    #[error("about another ledger")]
    OtherLedger,
    /// About a feed that is not this outbox's.
    #[error("about a feed that is not ours")]
    OtherFeed,
    /// A row for a statement that this outbox does not hold, or that does not fit what was proven before.
    #[error("row for sequence {0} cannot be checked")]
    Row(FeedSequence),
    /// A row for a sequence not above that of the row before it.
    #[error("row for sequence {0} is out of order")]
    Order(FeedSequence),
    /// An outcome or code that this version does not know.
    #[error("code {0} is not known")]
    Code(u32),
    /// Rows and hashes do not lead to the checkpoint.
    #[error("the rows are not in the log")]
    Multiproof(#[from] MultiproofError),
    /// A reply to somebody else's question, or to an earlier one.
    #[error("the reply is not to the question asked")]
    Nonce,
}

impl PinnedLog {
    /// The log with this identity, name and these public keys (at least one).
    ///
    /// # Errors
    /// If a key is unsound, or the name cannot be that of a log.
    pub fn new(log_id: LogId, origin: Origin, keys: &[FeedId]) -> Result<Self, crate::log::note::KeyError> {
        let note_keys = keys
            .iter()
            .map(|key| VerifierKey::new(origin.as_str(), key.as_bytes()))
            .collect::<Result<_, _>>()?;
        Ok(Self {
            log_id,
            origin,
            note_keys,
            keys: keys.to_vec(),
        })
    }

    /// Which ledger.
    pub const fn log_id(&self) -> LogId {
        self.log_id
    }

    /// Verifies a checkpoint.
    ///
    /// # Errors
    /// If the log did not sign it.
    pub fn checkpoint(&self, note: &Bytes) -> Result<SignedCheckpoint, CheckpointError> {
        SignedCheckpoint::verify(note.clone(), &self.origin, &self.note_keys)
    }

    fn payload(&self, bytes: &Bytes, payload_type: &'static str) -> Result<Bytes, ProofError> {
        let dsse = DsseEnvelope::decode(bytes.clone(), payload_type)?;
        let mut error = VerifyError::Signature;
        for key in &self.keys {
            match signature::verify(&dsse, *key) {
                Ok(payload) => return Ok(payload.clone()),
                Err(other) => error = other,
            }
        }
        Err(error.into())
    }
}

/// A receipt whose every row is proven. Rows are ascending by index.
#[derive(Debug)]
pub(super) struct VerifiedReceipt {
    pub(super) checkpoint: SignedCheckpoint,
    pub(super) rows: Vec<ProvenRow>,
}

/// Of which feed a receipt claims to be; read before anything is verified.
pub(super) fn receipt_of(bytes: &Bytes) -> Result<(FeedId, v1::Receipt), ProofError> {
    if bytes.len() > RECEIPT_LEN_MAX {
        return Err(ProofError::Oversize(bytes.len()));
    }
    shape::check(&shape::RECEIPT, bytes, &mut |_| {})?;
    let receipt = v1::Receipt::decode(bytes.clone()).map_err(|_| ProofError::OtherFeed)?;
    let feed = FeedId::from_slice(&receipt.feed).ok_or(ProofError::OtherFeed)?;
    Ok((feed, receipt))
}

/// Verifies a receipt against the statements in hand: each leaf is rebuilt from the publisher's own envelope
/// and the row's recorded time and outcome.
pub(super) fn verify_receipt(
    log: &PinnedLog,
    feed: &Feed,
    receipt: v1::Receipt,
) -> Result<VerifiedReceipt, ProofError> {
    if receipt.rows.len() > COMMIT_STATEMENTS_MAX {
        return Err(ProofError::Oversize(receipt.rows.len()));
    }
    let checkpoint = log.checkpoint(&receipt.checkpoint.into())?;
    let rows = receipt
        .rows
        .iter()
        .map(|row| rebuild(feed, *row))
        .collect::<Result<Vec<_>, _>>()?;
    if let Some(repeated) = rows.windows(2).find_map(|pair| match pair {
        [before, row] if before.sequence >= row.sequence => Some(row.sequence),
        _ => None,
    }) {
        return Err(ProofError::Order(repeated));
    }
    let leaves: Vec<(LeafIndex, Hash)> = rows.iter().map(|row| (row.index, row.leaf)).collect();
    let hashes: Option<Vec<Hash>> = receipt.hashes.iter().map(|hash| Hash::from_slice(hash)).collect();
    let hashes = hashes.ok_or(MultiproofError::MissingHash { got: 0 })?;
    multiproof::verify(checkpoint.head(), &leaves, &hashes)?;
    Ok(VerifiedReceipt { checkpoint, rows })
}

fn rebuild(feed: &Feed, row: v1::ReceiptRow) -> Result<ProvenRow, ProofError> {
    let sequence = FeedSequence::new(row.sequence);
    let outcome = u16::try_from(row.outcome)
        .ok()
        .and_then(Outcome::from_number)
        .ok_or(ProofError::Code(row.outcome))?;
    let statement = feed.get(sequence).ok_or(ProofError::Row(sequence))?;
    let recorded_at = RecordedAt::from_nanos(row.recorded_at);
    let index = LeafIndex::new(row.index);
    let leaf = match (&statement.envelope, statement.proven) {
        (Some(envelope), _) => {
            let body = Body::Statement {
                envelope: envelope.clone(),
                outcome,
            };
            leaf_hash(&Entry { recorded_at, body }.encode())
        }
        (None, Some((proven, _))) if proven.recorded_at == recorded_at && proven.outcome == outcome => {
            proven.leaf
        }
        (None, _) => return Err(ProofError::Row(sequence)),
    };
    Ok(ProvenRow {
        sequence,
        index,
        recorded_at,
        outcome,
        leaf,
    })
}

/// What the log says about a feed, signed, in reply to a question.
#[derive(Clone, Copy, Debug)]
pub(super) struct VerifiedHead {
    pub(super) feed: FeedId,
    pub(super) nonce: Hash,
    pub(super) last: FeedSequence,
    pub(super) last_hash: Hash,
    pub(super) tree_size: TreeSize,
    pub(super) status: v1::FeedStatus,
}

/// Verifies the signature on a head reply; whether it is the reply to one's own question is for the caller.
pub(super) fn verify_head(log: &PinnedLog, bytes: &Bytes) -> Result<VerifiedHead, ProofError> {
    let payload = log.payload(bytes, HEAD_TYPE)?;
    shape::check(&shape::HEAD_REPLY, &payload, &mut |_| {})?;
    let reply = v1::HeadReply::decode(payload).map_err(|_| ProofError::OtherFeed)?;
    if reply.log_id != log.log_id.as_bytes() {
        return Err(ProofError::OtherLedger);
    }
    Ok(VerifiedHead {
        feed: FeedId::from_slice(&reply.feed).ok_or(ProofError::OtherFeed)?,
        nonce: Hash::from_slice(&reply.nonce).ok_or(ProofError::Nonce)?,
        last: FeedSequence::new(reply.last_sequence),
        last_hash: Hash::from_slice(&reply.last_hash).ok_or(ProofError::OtherFeed)?,
        tree_size: TreeSize::new(reply.tree_size),
        status: reply.status(),
    })
}

/// The log's signed word on one message that took no place.
#[derive(Clone, Copy, Debug)]
pub(super) struct VerifiedAnswer {
    pub(super) feed: FeedId,
    pub(super) message: Hash,
    pub(super) code: AnswerCode,
    pub(super) sequence: FeedSequence,
}

/// Verifies the signature on an answer.
pub(super) fn verify_answer(log: &PinnedLog, bytes: &Bytes) -> Result<VerifiedAnswer, ProofError> {
    let payload = log.payload(bytes, ANSWER_TYPE)?;
    shape::check(&shape::ANSWER, &payload, &mut |_| {})?;
    let answer = v1::Answer::decode(payload).map_err(|_| ProofError::OtherFeed)?;
    if answer.log_id != log.log_id.as_bytes() {
        return Err(ProofError::OtherLedger);
    }
    let code = u16::try_from(answer.code).ok().and_then(AnswerCode::from_number);
    Ok(VerifiedAnswer {
        feed: FeedId::from_slice(&answer.feed).ok_or(ProofError::OtherFeed)?,
        message: Hash::from_slice(&answer.message).ok_or(ProofError::OtherFeed)?,
        code: code.ok_or(ProofError::Code(answer.code))?,
        sequence: FeedSequence::new(answer.sequence),
    })
}

//! What a guard holds: the newest head that was promised and who promised it, as a note that the log's key signed.
//!
//! ```text
//! ledger.example/acme/guard                        the origin, and that this is no checkpoint of it
//! 7                                                size
//! gTvaOkIAD4KUtqlU6oN5LC3vrmUkbvdgr5/dU699Rjg=     root
//! log 5f0c...                                      which log, 64 hexadecimal digits
//! run 0123456789abcdef0123456789abcdef             which run of the ledger
//!
//! — ledger.example/acme/guard ...
//! ```
//!
//! A C2SP checkpoint with two extension lines, under a name of its own: it is signed before it is known whether the
//! guard takes it, so it must never be taken for a checkpoint that the log published. Whoever may write to the bus can
//! put other bytes in its place, and nothing that a ledger of this log has not signed.

use crate::{
    id::{Hash, LogId},
    log::{
        checkpoint::{Checkpoint, CheckpointError, Origin},
        note::{KeyError, Note, NoteSigner},
        tree::LogHead,
    },
    port::GuardValue,
};

/// What stands behind the origin.
const SUFFIX: &str = "/guard";
/// Hexadecimal digits of a run.
const RUN_LEN: usize = 32;

/// Signs and verifies what the guard of one log holds.
#[derive(Debug)]
pub struct GuardKey {
    origin: Origin,
    log_id: LogId,
    signer: NoteSigner,
}

/// Why bytes are no value that a ledger of this log wrote.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotGuarded {
    /// No note, or not signed by the log's key.
    #[error("not signed by this log's key")]
    Signature(#[source] crate::log::note::NoteError),
    /// Signed, and no head.
    #[error("no head of a log")]
    Head(#[from] CheckpointError),
    /// Signed, and not in the form of a guard's value.
    #[error("not five lines: origin, size, root, log and run")]
    Form,
    /// Of another log.
    #[error("the head of log {0}")]
    OtherLog(LogId),
}

impl GuardKey {
    /// For the log with this origin and id, whose key is made of this seed.
    ///
    /// # Errors
    /// If the origin leaves no room for the name of the guard.
    pub fn new(origin: &Origin, log_id: LogId, seed: &[u8; 32]) -> Result<Self, KeyError> {
        let name = format!("{origin}{SUFFIX}");
        let signer = NoteSigner::from_seed(&name, seed)?;
        let origin = Origin::new(&name).map_err(|_| KeyError::BadName)?;
        Ok(Self {
            origin,
            log_id,
            signer,
        })
    }

    /// The note for a value of this log. Deterministic.
    ///
    /// # Errors
    /// If the value has a run that is none.
    pub fn sign(&self, value: &GuardValue) -> Result<Vec<u8>, NotGuarded> {
        if !is_run(&value.run_id) {
            return Err(NotGuarded::Form);
        }
        let checkpoint = Checkpoint {
            origin: self.origin.clone(),
            head: LogHead {
                size: value.size,
                root: value.root,
            },
        };
        let text = format!("{checkpoint}log {}\nrun {}\n", value.log_id, value.run_id);
        let note = Note::sign(&text, &[&self.signer]).map_err(NotGuarded::Signature)?;
        Ok(note.to_string().into_bytes())
    }

    /// The value in a note, if this log's key signed it.
    ///
    /// # Errors
    /// [`NotGuarded`]
    pub fn verify(&self, bytes: &[u8]) -> Result<GuardValue, NotGuarded> {
        let note = Note::parse(bytes).map_err(NotGuarded::Signature)?;
        note.verify(std::slice::from_ref(self.signer.verifier_key()))
            .map_err(NotGuarded::Signature)?;
        let end = note.text().match_indices('\n').nth(2).ok_or(NotGuarded::Form)?.0 + 1;
        let (head, rest) = note.text().split_at(end);
        let checkpoint = Checkpoint::parse(head)?;
        let (log, run) = rest
            .strip_prefix("log ")
            .and_then(|rest| rest.strip_suffix('\n')?.split_once("\nrun "))
            .ok_or(NotGuarded::Form)?;
        let log_id = hex::decode(log).ok().and_then(|bytes| Hash::from_slice(&bytes));
        let log_id = LogId::new(log_id.ok_or(NotGuarded::Form)?);
        if checkpoint.origin != self.origin || log_id.to_string() != log || !is_run(run) {
            return Err(NotGuarded::Form);
        }
        if log_id != self.log_id {
            return Err(NotGuarded::OtherLog(log_id));
        }
        let LogHead { size, root } = checkpoint.head;
        Ok(GuardValue {
            log_id,
            size,
            root,
            run_id: run.to_owned(),
        })
    }
}

fn is_run(text: &str) -> bool {
    text.len() == RUN_LEN
        && text
            .bytes()
            .all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::{id::TreeSize, log::checkpoint::SignedCheckpoint};

    fn log_id(number: u8) -> LogId {
        LogId::new(Hash::of(&[&[number]]))
    }

    fn key(origin: &str, log: u8, seed: u8) -> GuardKey {
        GuardKey::new(&Origin::new(origin).unwrap(), log_id(log), &[seed; 32]).unwrap()
    }

    fn value(log: u8, size: u64) -> GuardValue {
        GuardValue {
            log_id: log_id(log),
            size: TreeSize::new(size),
            root: Hash::of(&[&size.to_be_bytes()]),
            run_id: format!("{size:032x}"),
        }
    }

    #[test]
    fn what_another_origin_log_or_key_signed_is_not_taken() {
        let ours = key("ledger.example/a", 1, 1);
        let signed = ours.sign(&value(1, 7)).unwrap();
        assert_eq!(ours.verify(&signed), Ok(value(1, 7)));
        assert!(matches!(
            key("ledger.example/a", 2, 1).verify(&signed),
            Err(NotGuarded::OtherLog(_))
        ));
        for other in [key("ledger.example/b", 1, 1), key("ledger.example/a", 1, 2)] {
            assert!(matches!(other.verify(&signed), Err(NotGuarded::Signature(_))));
        }
    }

    #[test]
    fn neither_a_checkpoint_is_a_guard_nor_a_guard_a_checkpoint() {
        let origin = Origin::new("ledger.example/a").unwrap();
        let note = NoteSigner::from_seed(origin.as_str(), &[1; 32]).unwrap();
        let head = LogHead {
            size: TreeSize::new(7),
            root: Hash::of(&[b"root"]),
        };
        let checkpoint = Checkpoint {
            origin: origin.clone(),
            head,
        }
        .sign(&[&note])
        .unwrap();
        let ours = key("ledger.example/a", 1, 1);
        assert!(ours.verify(checkpoint.bytes()).is_err());
        let signed = ours.sign(&value(1, 7)).unwrap();
        assert!(SignedCheckpoint::verify(signed, &origin, &[note.verifier_key().clone()]).is_err());
    }

    #[test]
    fn a_checkpoint_of_the_guards_name_without_its_lines_is_none() {
        let name = Origin::new("ledger.example/a/guard").unwrap();
        let note = NoteSigner::from_seed(name.as_str(), &[1; 32]).unwrap();
        let head = LogHead {
            size: TreeSize::new(7),
            root: Hash::of(&[b"root"]),
        };
        let checkpoint = Checkpoint { origin: name, head }.sign(&[&note]).unwrap();
        assert_eq!(
            key("ledger.example/a", 1, 1).verify(checkpoint.bytes()),
            Err(NotGuarded::Form)
        );
    }

    proptest! {
        #[test]
        fn a_value_comes_back_and_no_byte_of_it_can_be_changed(size in 1_u64..1 << 40, at in any::<prop::sample::Index>(), by in 1_u8..) {
            let ours = key("ledger.example/a", 1, 1);
            let mut signed = ours.sign(&value(1, size)).unwrap();
            prop_assert_eq!(ours.verify(&signed), Ok(value(1, size)));
            let at = at.index(signed.len());
            signed[at] ^= by;
            prop_assert!(ours.verify(&signed).is_err());
        }

        #[test]
        fn bytes_from_anywhere_are_no_value(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
            prop_assert!(key("ledger.example/a", 1, 1).verify(&bytes).is_err());
        }
    }
}

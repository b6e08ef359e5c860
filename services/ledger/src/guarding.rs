//! What to do when it is not known whether the guard took a swap, by what it holds now.
//!
//! ```text
//! holds                                    means                                      then
//! the very value                           the swap happened                          done
//! another value of this run, a prefix      it did not, or the bus lost its effect     again, from that revision
//! what it held at this run's start,        the same, of the very first swap           again, from that revision
//!   and no swap of this run is confirmed
//! the same, but one is                     the bus lost everything this run wrote     halt
//! older than that                          the bus lost even more                     halt
//! nothing, as at this run's start          the swap did not happen                    again, from nothing
//! nothing, but there was something         the bus lost it, or somebody took it away  alarm, and again, from nothing
//! anything else                            another ledger wrote                       halt
//! ```
//!
//! JetStream may lose its newest writes in a power cut, so a guard can go back while the ledger runs. A value
//! with this run's id, which is random, can only have been written by this very run, which never took back
//! what it promised before: whichever of them the guard holds, nobody else has written behind it, as far as
//! anybody can tell, and the swap names its revision, so that of two ledgers that try at most one goes on.
//! That does not hold for the values of other runs, not even of the one before: a ledger that was
//! stopped for a while, and whose value it is, would go on from there as well. A start makes sure of that by
//! looking at the store anew, so a restart is what is asked for.
//!
//! Nothing is also what the log's key did not sign: whoever can write to the bus can take the value away, by deleting
//! or overwriting it. A ledger that runs knows what it wrote last, so that must not end it: it writes anew and raises
//! an alarm. What is lost with the value is the fence against a ledger that was stopped for a while and goes on now;
//! the first swap of either of the two that finds a value of the other ends it.
//!
//! Pure: what the store has is an argument.

use lotproof::{
    id::{Hash, TreeSize},
    port::GuardValue,
};

/// What is being swapped in, and what is known of the guard.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Swap<'a> {
    /// What is to be held.
    pub(crate) value: &'a GuardValue,
    /// What was held when this run started.
    pub(crate) at_start: Option<&'a GuardValue>,
    /// What was last known to be held: of this run, or what was held at its start.
    pub(crate) known: Option<&'a GuardValue>,
}

/// How it goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Next {
    /// The guard holds the value.
    Done,
    /// It is to be tried again, naming the revision of what is held now.
    Again,
    /// The same, after an alarm: what this ledger wrote is gone.
    Anew,
}

/// Why this ledger must not go on.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum GuardFault {
    /// All writes of this run are gone.
    #[error(
        "the guard went back to size {size} of run {run_id}, which it held before this ledger started: the bus lost \
         what this run wrote. If no other ledger runs on this log, start this one again"
    )]
    WentBack {
        /// Size held.
        size: TreeSize,
        /// Whose value.
        run_id: String,
    },
    /// Not even what was there at the start is there.
    #[error(
        "the guard went back to size {size} of run {run_id}, {before} when this ledger started: the bus lost its \
         newest writes. If no other ledger runs on this log, start this one again"
    )]
    WentFurtherBack {
        /// Size held.
        size: TreeSize,
        /// Whose value.
        run_id: String,
        /// Size held at the start.
        before: TreeSize,
    },
    /// A value of this run that the store does not extend.
    #[error("the guard holds size {size} as this very run wrote it, which the store does not extend")]
    NotExtended {
        /// Size held.
        size: TreeSize,
    },
    /// A value that this run neither wrote nor found.
    #[error("the guard holds size {size} of run {run_id}: another ledger is running on this log")]
    OtherRun {
        /// Size held.
        size: TreeSize,
        /// Whose value.
        run_id: String,
    },
}

impl Swap<'_> {
    /// Judges what the guard holds after a swap without a success. `root` is the root of the store at the size
    /// held, if it has one.
    ///
    /// # Errors
    /// [`GuardFault`] if the ledger must halt.
    pub(crate) fn judge(&self, held: Option<&GuardValue>, root: Option<Hash>) -> Result<Next, GuardFault> {
        let Some(held) = held else {
            return Ok(match self.known {
                None => Next::Again,
                Some(_) => Next::Anew,
            });
        };
        if held == self.value {
            return Ok(Next::Done);
        }
        let (size, run_id) = (held.size, held.run_id.clone());
        if held.log_id == self.value.log_id && held.run_id == self.value.run_id {
            let is_prefix = size <= self.value.size && root == Some(held.root);
            return if is_prefix {
                Ok(Next::Again)
            } else {
                Err(GuardFault::NotExtended { size })
            };
        }
        match self.at_start {
            Some(found) if found == held && self.known == self.at_start => Ok(Next::Again),
            Some(found) if found == held => Err(GuardFault::WentBack { size, run_id }),
            // Whoever found what was found here has written of no shorter log.
            Some(found) if size < found.size => Err(GuardFault::WentFurtherBack {
                size,
                run_id,
                before: found.size,
            }),
            Some(_) | None => Err(GuardFault::OtherRun { size, run_id }),
        }
    }
}

#[cfg(test)]
mod tests {
    use lotproof::id::LogId;

    use super::*;

    fn root(size: u64) -> Hash {
        Hash::of(&[&size.to_be_bytes()])
    }

    fn value(run: &str, size: u64) -> GuardValue {
        GuardValue {
            log_id: LogId::new(Hash::ZERO),
            size: TreeSize::new(size),
            root: root(size),
            run_id: run.to_owned(),
        }
    }

    /// Judges for run `B`, which has swapped in 7 and 8 after it found 7 of run `A`, and swaps 9 in now.
    fn judged(held: Option<&GuardValue>) -> Result<Next, GuardFault> {
        let swap = Swap {
            value: &value("B", 9),
            at_start: Some(&value("A", 7)),
            known: Some(&value("B", 8)),
        };
        swap.judge(held, of_store(held))
    }

    /// The store has nine entries.
    fn of_store(held: Option<&GuardValue>) -> Option<Hash> {
        let size = held?.size.get();
        (size <= 9).then(|| root(size))
    }

    #[test]
    fn every_value_of_this_run_that_is_a_prefix_is_gone_on_from() {
        assert_eq!(judged(Some(&value("B", 9))), Ok(Next::Done));
        for size in [8, 7] {
            assert_eq!(judged(Some(&value("B", size))), Ok(Next::Again), "{size}");
        }
    }

    #[test]
    fn a_value_of_this_run_that_the_store_does_not_extend_halts() {
        let fault = |size| GuardFault::NotExtended {
            size: TreeSize::new(size),
        };
        assert_eq!(judged(Some(&value("B", 10))), Err(fault(10)));
        let forked = GuardValue {
            root: Hash::ZERO,
            ..value("B", 8)
        };
        assert_eq!(judged(Some(&forked)), Err(fault(8)));
    }

    #[test]
    fn a_guard_that_lost_all_that_this_run_wrote_halts_without_blaming_another_ledger() {
        let fault = judged(Some(&value("A", 7))).unwrap_err();
        assert!(matches!(fault, GuardFault::WentBack { .. }), "{fault}");
        let further = judged(Some(&value("A", 6))).unwrap_err();
        assert!(matches!(further, GuardFault::WentFurtherBack { .. }), "{further}");
        for fault in [fault, further] {
            let text = fault.to_string();
            assert!(
                text.contains("the bus lost") && !text.contains("another ledger is"),
                "{text}"
            );
        }
    }

    #[test]
    fn a_value_of_another_run_behind_what_was_found_is_another_ledger() {
        for held in [value("A", 8), value("C", 7), value("C", 9), value("C", 12)] {
            let fault = judged(Some(&held)).unwrap_err();
            assert!(matches!(fault, GuardFault::OtherRun { .. }), "{fault}");
        }
        let other_log = GuardValue {
            log_id: LogId::new(root(1)),
            ..value("B", 8)
        };
        assert!(matches!(
            judged(Some(&other_log)),
            Err(GuardFault::OtherRun { .. })
        ));
    }

    #[test]
    fn the_first_swap_of_a_run_is_tried_again_from_what_it_found() {
        let (next, found) = (value("B", 7), value("A", 7));
        let fence = Swap {
            value: &next,
            at_start: Some(&found),
            known: Some(&found),
        };
        assert_eq!(fence.judge(Some(&found), of_store(Some(&found))), Ok(Next::Again));
        let from_nothing = Swap {
            value: &next,
            at_start: None,
            known: None,
        };
        assert_eq!(from_nothing.judge(None, None), Ok(Next::Again));
        let other = from_nothing.judge(Some(&found), of_store(Some(&found)));
        assert!(matches!(other, Err(GuardFault::OtherRun { .. })));
    }

    #[test]
    fn a_guard_that_is_gone_is_written_anew() {
        assert_eq!(judged(None), Ok(Next::Anew));
    }
}

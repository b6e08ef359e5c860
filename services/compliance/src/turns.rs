//! One state that is changed in short turns while others read it.
//!
//! ```text
//! fold         [turn]      [turn]                          [turn][turn][turn]     [turn]
//! answers           [a][b]       [c][d] [e] [f] [g] [h]         [i]   [j]    [k]
//! whole log                      [- - anomalies of all - -]     owed: the same time
//! ```
//!
//! Nobody waits without a bound. Turns and answers take the lock in order of arrival: an answer waits for one turn
//! and the answers in hand, a turn for the answers in hand. Only answers whose cost is limited may come between
//! two turns like that. One whose cost grows with the log goes through a gate that the fold goes through too, so
//! the others pass it by while the fold waits for it. Afterwards the fold is owed the time that it waited, before
//! the next answer of that sort.

use std::time::Duration;

use parking_lot::{FairMutex, FairMutexGuard, RwLock, RwLockWriteGuard};
use tokio::time::Instant;

/// A state, the lock around it, and the gate in front.
#[derive(Debug)]
pub(crate) struct TurnLock<T> {
    state: RwLock<T>,
    /// Held by the one answer over the whole log, or by the fold.
    gate: FairMutex<()>,
}

impl<T> TurnLock<T> {
    pub(crate) const fn new(state: T) -> Self {
        Self {
            state: RwLock::new(state),
            gate: FairMutex::new(()),
        }
    }

    /// Runs `look`, whose cost is limited, on the state between two turns. Waits for one turn at most, beside
    /// answers in hand.
    pub(crate) fn read<R>(&self, look: impl FnOnce(&T) -> R) -> R {
        look(&self.state.read())
    }

    /// Runs `look`, whose cost grows with the state: one at a time, and the fold waits for it.
    pub(crate) fn read_at_length<R>(&self, look: impl FnOnce(&T) -> R) -> R {
        let _gate = self.gate.lock();
        self.read(look)
    }

    /// Begins work in turns. Whoever works calls [`Turns::turn`] until nothing is left to do.
    pub(crate) const fn turns(&self) -> Turns<'_, T> {
        Turns {
            lock: self,
            gate: None,
            owed: Duration::ZERO,
        }
    }
}

/// Turns of one piece of work. There is one worker.
pub(crate) struct Turns<'a, T> {
    lock: &'a TurnLock<T>,
    /// Kept from one turn to the next while something is owed.
    gate: Option<FairMutexGuard<'a, ()>>,
    /// How long the gate was waited for, less the time worked since.
    owed: Duration,
}

impl<T> Turns<'_, T> {
    /// Runs `work`, which takes care to be short, on the state while nobody reads it.
    pub(crate) fn turn<R>(&mut self, work: impl FnOnce(&mut T) -> R) -> R {
        let gate = self.gate.take().unwrap_or_else(|| {
            let asked = Instant::now();
            let gate = self.lock.gate.lock();
            self.owed += asked.elapsed();
            gate
        });
        let mut state = self.lock.state.write();
        let started = Instant::now();
        let result = work(&mut state);
        // To those who wait, whoever comes first: the next turn comes at once.
        RwLockWriteGuard::unlock_fair(state);
        self.owed = self.owed.saturating_sub(started.elapsed());
        self.gate = (!self.owed.is_zero()).then_some(gate);
        result
    }
}

#[cfg(test)]
mod tests {
    use std::{
        sync::{
            atomic::{AtomicBool, AtomicU64, Ordering},
            mpsc,
        },
        thread,
    };

    use super::*;

    /// Beyond what any of these takes, unless somebody waits for ever.
    const DEADLINE: Duration = Duration::from_secs(20);
    const LONG: Duration = Duration::from_millis(100);
    const READS: u64 = 100;

    fn spin(time: Duration) {
        let until = Instant::now() + time;
        while Instant::now() < until {
            std::hint::spin_loop();
        }
    }

    #[test]
    fn readers_come_between_turns_that_follow_each_other_at_once() {
        let lock = TurnLock::new(0_u64);
        let stop = AtomicBool::new(false);
        thread::scope(|scope| {
            scope.spawn(|| {
                let mut turns = lock.turns();
                while !stop.load(Ordering::Relaxed) {
                    turns.turn(|number| {
                        spin(Duration::from_millis(2));
                        *number += 1;
                    });
                }
            });
            let readers: Vec<_> = (0..4)
                .map(|_| {
                    scope.spawn(|| {
                        for _ in 0..READS {
                            lock.read(|_| ());
                        }
                    })
                })
                .collect();
            for reader in readers {
                reader.join().unwrap();
            }
            stop.store(true, Ordering::Relaxed);
        });
        // One a reading, if all waited for each; some more for threads that are not scheduled for a while.
        let turns = lock.read(|number| *number);
        assert!(turns < 10 * READS, "{turns} turns for {READS} readings each");
    }

    #[test]
    fn turns_come_although_somebody_always_reads() {
        let lock = TurnLock::new(0_u64);
        let stop = AtomicBool::new(false);
        thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    while !stop.load(Ordering::Relaxed) {
                        lock.read(|_| spin(Duration::from_millis(1)));
                    }
                });
            }
            let (done, is_done) = mpsc::channel();
            let lock = &lock;
            scope.spawn(move || {
                let mut turns = lock.turns();
                for _ in 0..50 {
                    turns.turn(|number| *number += 1);
                }
                done.send(()).unwrap();
            });
            let ended = is_done.recv_timeout(DEADLINE);
            stop.store(true, Ordering::Relaxed);
            ended.expect("50 turns beside readers that never pause");
        });
    }

    #[test]
    fn a_long_answer_holds_up_the_fold_and_nobody_else() {
        let lock = TurnLock::new(0_u64);
        thread::scope(|scope| {
            let (lock, (begin, has_begun), (end, may_end)) = (&lock, mpsc::channel(), mpsc::channel());
            scope.spawn(move || {
                lock.read_at_length(|_| {
                    begin.send(()).unwrap();
                    may_end.recv_timeout(DEADLINE).unwrap();
                });
            });
            has_begun.recv_timeout(DEADLINE).unwrap();
            let fold = scope.spawn(move || lock.turns().turn(|number| *number += 1));
            let (answer, answered) = mpsc::channel();
            scope.spawn(move || {
                let until = Instant::now() + LONG;
                while Instant::now() < until {
                    answer.send(lock.read(|number| *number)).unwrap();
                }
            });
            // Ends once the reader is through; a reader behind the fold would wait for `end`, and fail here.
            let answers: Vec<u64> = std::iter::from_fn(|| answered.recv_timeout(DEADLINE / 4).ok()).collect();
            assert!(answers.len() > 1 && answers.iter().all(|number| *number == 0));
            end.send(()).unwrap();
            fold.join().unwrap();
            assert_eq!(lock.read(|number| *number), 1);
        });
    }

    #[test]
    fn after_a_long_answer_the_fold_has_as_much_time_before_the_next() {
        let lock = TurnLock::new(Duration::ZERO);
        let stop = AtomicBool::new(false);
        let answered = AtomicU64::new(0);
        let folded = thread::scope(|scope| {
            for _ in 0..2 {
                scope.spawn(|| {
                    while !stop.load(Ordering::Relaxed) {
                        lock.read_at_length(|_| spin(LONG / 4));
                        answered.fetch_add(1, Ordering::Relaxed);
                    }
                });
            }
            let mut turns = lock.turns();
            while answered.load(Ordering::Relaxed) < 8 {
                turns.turn(|folded| {
                    let started = Instant::now();
                    spin(LONG / 100);
                    *folded += started.elapsed();
                });
            }
            stop.store(true, Ordering::Relaxed);
            drop(turns);
            lock.read(|folded| *folded)
        });
        // The first of eight may have begun before the fold, and what came last is not paid back.
        assert!(folded >= LONG, "{folded:?}");
    }
}

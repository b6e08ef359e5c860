//! The clock rule: recorded time never decreases, and a wall clock that nothing explains halts the ledger until its
//! operator accepts it. One bad step must not stamp 2031 on everything after it.
//!
//! ```text
//! since what                       what explains the wall clock               else
//! the reading before, same boot    the boot-time clock, within the jump       Jump
//! the first reading of the boot    the boot-time clock, within jump + drift   Drift: many steps, each a small one
//! another boot, or none kept       the newest entry or reading, as long as    Ahead, unless the system says that its
//!                                  a ledger may be away                       clock is synchronised
//! what cannot be read              nothing                                    Unreadable
//! the newest entry                 it is not after the clock                  BehindLog, unless accepted before
//! ```
//!
//! The boot-time clock is slewed like the wall clock, so only steps come between them. What an operator accepts holds
//! from then on: the clock as it is, and the newest entry as it is. An entry that was stamped ahead of time stays;
//! those after it have its time until the clock has passed it.

use std::{
    fmt, fs,
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use lotproof::time::{RecordedAt, rfc3339};
use serde::{Deserialize, Serialize};

/// Steps that add up to less than this part of the time since the first reading of a boot are no fault: 50 in a
/// million, some 4 seconds a day.
pub const DRIFT_PPM: i64 = 50;

/// Both clocks at one moment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reading {
    /// Which run of the machine.
    pub boot_id: String,
    /// Nanoseconds since the epoch, as the system tells.
    pub wall_nanos: i64,
    /// Nanoseconds since the machine started, suspension included.
    pub boot_nanos: i64,
}

/// Where readings come from: the system, unless a test has a clock of its own.
#[derive(Clone)]
pub struct ClockSource(Arc<dyn Fn() -> Reading + Send + Sync>);

impl ClockSource {
    /// Reads what `read` returns.
    pub fn new(read: impl Fn() -> Reading + Send + Sync + 'static) -> Self {
        Self(Arc::new(read))
    }

    pub(crate) fn read(&self) -> Reading {
        (self.0)()
    }
}

impl Default for ClockSource {
    fn default() -> Self {
        Self::new(Reading::now)
    }
}

impl fmt::Debug for ClockSource {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("ClockSource")
    }
}

/// What a ledger knows of the clock where it runs.
#[derive(Clone, Debug)]
pub struct ClockOptions {
    /// The clock.
    pub source: ClockSource,
    /// How long a ledger may have been away before a clock of another boot is doubted.
    pub away_max: Duration,
    /// A file that is there once the system has synchronised its clock in this boot.
    pub synchronised: PathBuf,
}

impl Default for ClockOptions {
    fn default() -> Self {
        Self {
            source: ClockSource::default(),
            away_max: Duration::from_hours(6),
            // As systemd-timesyncd makes it.
            synchronised: Path::new("/run/systemd/timesync/synchronized").to_owned(),
        }
    }
}

/// What is kept of the clock from one start to the next.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Clock {
    /// The newest reading that was believed.
    last: Reading,
    /// The first one of its boot, or the one that was accepted: what drift is measured from.
    first: Reading,
    /// Recorded time that the operator accepted although it is ahead of the clock.
    accepted: Option<i64>,
}

/// What there is of an earlier run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Kept {
    /// No file.
    Nothing,
    /// A file that does not hold a clock.
    Unreadable(String),
    /// The clock.
    Clock(Clock),
}

/// By what a reading is judged.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ClockRule {
    /// Recorded time of the newest entry.
    pub(crate) newest: RecordedAt,
    /// The ledger's parameter for jumps.
    pub(crate) allowed_ms: u64,
}

/// Why the wall clock is not believed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ClockFault {
    /// It moved otherwise than time did.
    #[error("the clock jumped by {} ms to {}, more than the {allowed_ms} ms allowed", jump_nanos / 1_000_000, rfc3339(*now_nanos))]
    Jump {
        /// How far, forward positive.
        jump_nanos: i64,
        /// Where to.
        now_nanos: i64,
        /// The ledger's parameter.
        allowed_ms: u64,
    },
    /// It moved otherwise than time did, in steps that are small by themselves.
    #[error(
        "the clock says {}, {} ms from where the boot-time clock puts it since {}, more than the {} ms allowed",
        rfc3339(*now_nanos), drift_nanos / 1_000_000, rfc3339(*since_nanos), allowed_nanos / 1_000_000
    )]
    Drift {
        /// How far, forward positive.
        drift_nanos: i64,
        /// Where to.
        now_nanos: i64,
        /// Since when.
        since_nanos: i64,
        /// How far it may.
        allowed_nanos: i64,
    },
    /// It stands before the newest entry.
    #[error("the clock says {}, before the newest entry at {newest}", rfc3339(*now_nanos))]
    BehindLog {
        /// What it says.
        now_nanos: i64,
        /// Recorded time of the newest entry.
        newest: RecordedAt,
    },
    /// The machine was started since, and the clock is far ahead of all that is known.
    #[error(
        "the clock says {}, {} h after the last that this ledger knows of ({}), and the system does not say that it is \
         synchronised",
        rfc3339(*now_nanos), (now_nanos.saturating_sub(*known_nanos)) / 3_600_000_000_000, rfc3339(*known_nanos)
    )]
    Ahead {
        /// What it says.
        now_nanos: i64,
        /// The newest entry or reading.
        known_nanos: i64,
    },
    /// What was kept of the clock says nothing.
    #[error("clock.json cannot be read ({why}), so nothing says whether the clock, {}, is right", rfc3339(*now_nanos))]
    Unreadable {
        /// What it says.
        now_nanos: i64,
        /// What is wrong with the file.
        why: String,
    },
}

fn nanos(duration: Duration) -> i64 {
    i64::try_from(duration.as_nanos()).unwrap_or(i64::MAX)
}

impl Kept {
    /// What the bytes of the file say, if it is there.
    pub(crate) fn read(bytes: Option<Vec<u8>>) -> Self {
        match bytes.map(|bytes| serde_json::from_slice(&bytes)) {
            None => Self::Nothing,
            Some(Ok(clock)) => Self::Clock(clock),
            Some(Err(error)) => Self::Unreadable(error.to_string()),
        }
    }

    /// Judges the first reading of a run; the clock that this run goes by.
    ///
    /// # Errors
    /// [`ClockFault`] if it cannot be believed.
    pub(crate) fn judge(
        self,
        now: Reading,
        rule: ClockRule,
        away_max: Duration,
        is_synchronised: bool,
    ) -> Result<Clock, ClockFault> {
        let now_nanos = now.wall_nanos;
        let (known, accepted) = match self {
            Self::Unreadable(why) => return Err(ClockFault::Unreadable { now_nanos, why }),
            Self::Clock(mut clock) if clock.last.boot_id == now.boot_id => {
                clock.follow(now, rule)?;
                return Ok(clock);
            }
            Self::Clock(clock) => (clock.last.wall_nanos, clock.accepted),
            Self::Nothing => (i64::MIN, None),
        };
        // Neither the newest entry nor a reading that was believed is in the future.
        let known_nanos = known.max(rule.newest.as_nanos());
        if now_nanos.saturating_sub(known_nanos) > nanos(away_max) && !is_synchronised {
            return Err(ClockFault::Ahead {
                now_nanos,
                known_nanos,
            });
        }
        let clock = Clock {
            accepted,
            ..Clock::at(now)
        };
        clock.not_behind(&clock.last, rule)?;
        Ok(clock)
    }
}

impl Clock {
    /// A clock that is believed as it is.
    pub(crate) fn at(now: Reading) -> Self {
        Self {
            last: now.clone(),
            first: now,
            accepted: None,
        }
    }

    /// The same on an operator's word, with the newest entry as it is.
    pub(crate) fn accepted(now: Reading, newest: RecordedAt) -> Self {
        Self {
            accepted: Some(newest.as_nanos()),
            ..Self::at(now)
        }
    }

    /// The newest reading.
    pub(crate) const fn last(&self) -> &Reading {
        &self.last
    }

    /// Judges the next reading of the same boot, and goes by it from then on.
    ///
    /// # Errors
    /// [`ClockFault`] if it cannot be believed; nothing is changed then.
    pub(crate) fn follow(&mut self, now: Reading, rule: ClockRule) -> Result<(), ClockFault> {
        let allowed = nanos(Duration::from_millis(rule.allowed_ms));
        let now_nanos = now.wall_nanos;
        let jump_nanos = now.unexplained_since(&self.last);
        if jump_nanos.saturating_abs() > allowed {
            return Err(ClockFault::Jump {
                jump_nanos,
                now_nanos,
                allowed_ms: rule.allowed_ms,
            });
        }
        let drift_nanos = now.unexplained_since(&self.first);
        let elapsed = now.boot_nanos.saturating_sub(self.first.boot_nanos);
        let allowed_nanos = allowed.saturating_add(elapsed / 1_000_000 * DRIFT_PPM);
        if drift_nanos.saturating_abs() > allowed_nanos {
            let since_nanos = self.first.wall_nanos;
            return Err(ClockFault::Drift {
                drift_nanos,
                now_nanos,
                since_nanos,
                allowed_nanos,
            });
        }
        self.not_behind(&now, rule)?;
        self.last = now;
        Ok(())
    }

    fn not_behind(&self, now: &Reading, rule: ClockRule) -> Result<(), ClockFault> {
        let (newest, allowed) = (
            rule.newest.as_nanos(),
            nanos(Duration::from_millis(rule.allowed_ms)),
        );
        // Once accepted, the time of the log stands still until the clock has passed it.
        let is_accepted = self.accepted.is_some_and(|accepted| newest <= accepted);
        if newest.saturating_sub(now.wall_nanos) > allowed && !is_accepted {
            return Err(ClockFault::BehindLog {
                now_nanos: now.wall_nanos,
                newest: rule.newest,
            });
        }
        Ok(())
    }
}

impl Reading {
    /// Reads both clocks.
    #[expect(
        clippy::disallowed_methods,
        reason = "the one place where the ledger reads a clock"
    )]
    pub fn now() -> Self {
        let wall = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let boot_id = fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default();
        // Seconds with two decimals; counts suspension, unlike the monotonic clock.
        let uptime = fs::read_to_string("/proc/uptime").unwrap_or_default();
        let boot_nanos = uptime.split_whitespace().next().and_then(|seconds| {
            let (whole, hundredths) = seconds.split_once('.')?;
            Some(whole.parse::<i64>().ok()? * 1_000_000_000 + hundredths.parse::<i64>().ok()? * 10_000_000)
        });
        Self {
            boot_id: boot_id.trim().to_owned(),
            wall_nanos: i64::try_from(wall.as_nanos()).unwrap_or(i64::MAX),
            boot_nanos: boot_nanos.unwrap_or_default(),
        }
    }

    /// How far the wall clock moved otherwise than the boot-time clock, forward positive.
    const fn unexplained_since(&self, before: &Self) -> i64 {
        let wall = self.wall_nanos.saturating_sub(before.wall_nanos);
        wall.saturating_sub(self.boot_nanos.saturating_sub(before.boot_nanos))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const ALLOWED_MS: u64 = 100;
    const AWAY: Duration = Duration::from_hours(6);
    const HOUR: i64 = 3_600_000;

    fn at(boot_id: &str, wall_ms: i64, boot_ms: i64) -> Reading {
        Reading {
            boot_id: boot_id.into(),
            wall_nanos: wall_ms * 1_000_000,
            boot_nanos: boot_ms * 1_000_000,
        }
    }

    fn rule(newest_ms: i64) -> ClockRule {
        ClockRule {
            newest: RecordedAt::from_nanos(newest_ms * 1_000_000),
            allowed_ms: ALLOWED_MS,
        }
    }

    /// How the first reading of a boot ends, where the last one of the boot before was at `before`.
    fn start(
        before_ms: i64,
        newest_ms: i64,
        now_ms: i64,
        is_synchronised: bool,
    ) -> Result<Clock, ClockFault> {
        let kept = Kept::Clock(Clock::at(at("a", before_ms, 500)));
        kept.judge(at("b", now_ms, 3), rule(newest_ms), AWAY, is_synchronised)
    }

    #[test]
    fn only_what_time_does_not_explain_is_a_jump() {
        let before = at("a", 1_000, 500);
        let judge = |now: Reading| Clock::at(before.clone()).follow(now, rule(0)).is_ok();
        assert!(judge(at("a", 2_000, 1_500)), "a second passed on both");
        assert!(judge(at("a", 3_601_000, 3_600_500)), "an hour asleep");
        assert!(judge(at("a", 2_100, 1_500)), "just within");
        assert!(!judge(at("a", 2_101, 1_500)), "forward");
        assert!(!judge(at("a", 1_899, 1_500)), "back");
    }

    #[test]
    fn a_start_of_another_boot_is_as_far_ahead_as_a_ledger_may_be_away() {
        let now = 100 * HOUR;
        assert!(
            start(now, now, now + 120_000, false).is_ok(),
            "two minutes can be a restart"
        );
        assert!(start(now, now, now + 6 * HOUR, false).is_ok());
        for ahead in [9 * HOUR, 14 * 365 * 24 * HOUR] {
            assert!(matches!(
                start(now, now, now + ahead, false),
                Err(ClockFault::Ahead { .. })
            ));
            assert!(
                start(now, now, now + ahead, true).is_ok(),
                "the system knows the time"
            );
        }
        assert!(start(now, 0, now + HOUR, false).is_ok(), "idle, and not away");
        assert!(matches!(
            start(0, now, now - 101, true),
            Err(ClockFault::BehindLog { .. })
        ));
    }

    #[test]
    fn what_cannot_be_read_is_no_consent() {
        for text in ["", "{}", "null", "{\"last\":1}", "garbage", "[]"] {
            let kept = Kept::read(Some(text.as_bytes().to_vec()));
            assert!(matches!(kept, Kept::Unreadable(_)), "{text}");
            let judged = kept.judge(at("a", 1, 1), rule(0), AWAY, true);
            assert!(matches!(judged, Err(ClockFault::Unreadable { .. })), "{text}");
        }
        let clock = Clock::accepted(at("a", 1_000, 500), RecordedAt::from_nanos(7));
        let kept = serde_json::to_vec(&clock).unwrap();
        assert_eq!(Kept::read(Some(kept)), Kept::Clock(clock));
        let none = || Kept::read(None).judge(at("a", 9 * HOUR, 1), rule(0), AWAY, false);
        assert!(matches!(none(), Err(ClockFault::Ahead { .. })));
    }

    #[test]
    fn small_steps_add_up_to_drift() {
        let mut clock = Clock::at(at("a", 0, 0));
        let fault = (1_i64..1_000).find_map(|n| {
            clock
                .follow(at("a", n * 1_000 + n * 20, n * 1_000), rule(0))
                .err()
        });
        assert!(matches!(fault, Some(ClockFault::Drift { .. })), "{fault:?}");
        let last = clock.last().clone();
        assert!(last.unexplained_since(&at("a", 0, 0)) <= 101 * 1_000_000);
        // A year of a clock that is stepped by a second a day.
        let mut clock = Clock::at(at("a", 0, 0));
        for day in 1..365 {
            let boot_ms = day * 24 * HOUR;
            let step = Clock::follow(&mut clock, at("a", boot_ms + day * 90, boot_ms), rule(0));
            assert_eq!(step, Ok(()), "day {day}");
        }
    }

    proptest! {
        /// Whatever the fault, and wherever the log stands: accepted once, the ledger goes on.
        #[test]
        fn one_acceptance_leads_out_of_every_fault(
            now_ms in 0..1_000 * HOUR, newest_ms in 0..1_000 * HOUR, steps in prop::collection::vec(1..HOUR, 1..20),
        ) {
            let newest = newest_ms.max(now_ms);
            let mut clock = Clock::accepted(at("b", now_ms, 5), RecordedAt::from_nanos(newest * 1_000_000));
            let (mut wall, mut boot, mut log) = (now_ms, 5, newest);
            for step in steps {
                (wall, boot) = (wall + step, boot + step);
                prop_assert_eq!(clock.follow(at("b", wall, boot), rule(log)), Ok(()));
                // As the sequencer stamps.
                log = log.max(wall);
            }
            // And so it does at the next start, in this boot or the next.
            let kept = Kept::read(Some(serde_json::to_vec(&clock).unwrap()));
            prop_assert!(kept.clone().judge(at("b", wall + 1, boot + 1), rule(log), AWAY, false).is_ok());
            prop_assert!(kept.judge(at("c", wall + 60_000, 1), rule(log), AWAY, false).is_ok());
        }

        /// No sequence of steps that are let pass moves the clock further than the bound.
        #[test]
        fn the_clock_is_never_further_off_than_allowed(steps in prop::collection::vec((1..60_000_i64, -200..200_i64), 1..200)) {
            let mut clock = Clock::at(at("a", HOUR, 0));
            let (mut boot, mut off) = (0, 0);
            for (passed, moved) in steps {
                boot += passed;
                if clock.follow(at("a", HOUR + boot + off + moved, boot), rule(0)).is_ok() {
                    off += moved;
                    prop_assert!(off.abs() <= 100 + boot * DRIFT_PPM / 1_000_000 + 1);
                }
            }
        }
    }

    #[test]
    fn the_machine_has_both_clocks() {
        let reading = Reading::now();
        assert!(reading.wall_nanos > 0 && reading.boot_nanos > 0 && !reading.boot_id.is_empty());
    }
}

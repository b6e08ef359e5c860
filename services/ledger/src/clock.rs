//! The clock rule: recorded time never decreases, and a jump of the wall clock that the boot-time clock does
//! not explain halts the ledger until its operator accepts it. One bad step must not stamp 2031 on
//! everything after it.

use std::{
    fs,
    time::{SystemTime, UNIX_EPOCH},
};

use lotproof::time::{RecordedAt, rfc3339};
use serde::{Deserialize, Serialize};

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
    /// It stands before the newest entry.
    #[error("the clock says {}, before the newest entry at {newest}", rfc3339(*now_nanos))]
    BehindLog {
        /// What it says.
        now_nanos: i64,
        /// Recorded time of the newest entry.
        newest: RecordedAt,
    },
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

    /// Judges this reading against the one before and the newest entry.
    ///
    /// # Errors
    /// [`ClockFault`] if it cannot be believed.
    pub fn judge(
        &self,
        before: Option<&Self>,
        newest: RecordedAt,
        allowed_ms: u64,
    ) -> Result<(), ClockFault> {
        let allowed = i64::try_from(allowed_ms.saturating_mul(1_000_000)).unwrap_or(i64::MAX);
        if let Some(before) = before.filter(|before| before.boot_id == self.boot_id) {
            let jump_nanos = (self.wall_nanos - before.wall_nanos) - (self.boot_nanos - before.boot_nanos);
            if jump_nanos.saturating_abs() > allowed {
                return Err(ClockFault::Jump {
                    jump_nanos,
                    now_nanos: self.wall_nanos,
                    allowed_ms,
                });
            }
        }
        if newest.as_nanos().saturating_sub(self.wall_nanos) > allowed {
            return Err(ClockFault::BehindLog {
                now_nanos: self.wall_nanos,
                newest,
            });
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(boot_id: &str, wall_ms: i64, boot_ms: i64) -> Reading {
        Reading {
            boot_id: boot_id.into(),
            wall_nanos: wall_ms * 1_000_000,
            boot_nanos: boot_ms * 1_000_000,
        }
    }

    #[test]
    fn only_what_time_does_not_explain_is_a_jump() {
        let newest = RecordedAt::from_nanos(0);
        let before = at("a", 1_000, 500);
        let judge = |now: Reading| now.judge(Some(&before), newest, 100).is_ok();
        assert!(judge(at("a", 2_000, 1_500)), "a second passed on both");
        assert!(judge(at("a", 3_601_000, 3_600_500)), "an hour asleep");
        assert!(judge(at("a", 2_100, 1_500)), "just within");
        assert!(!judge(at("a", 2_101, 1_500)), "forward");
        assert!(!judge(at("a", 1_899, 1_500)), "back");
        assert!(judge(at("b", 9_000_000, 3)), "another boot explains nothing");
        assert!(
            at("b", 5, 1)
                .judge(None, RecordedAt::from_nanos(106_000_000), 100)
                .is_err(),
            "behind the log"
        );
    }

    #[test]
    fn the_machine_has_both_clocks() {
        let reading = Reading::now();
        assert!(reading.wall_nanos > 0 && reading.boot_nanos > 0 && !reading.boot_id.is_empty());
    }
}

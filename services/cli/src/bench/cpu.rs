//! How much processor time processes have used: what a crowded machine distorts least.

use std::{fs, time::Duration};

/// What `/proc` counts in, on every Linux there is: hundredths of a second.
const TICK: Duration = Duration::from_millis(10);

/// User and system time of this process and of another one; nothing where there is no `/proc`.
pub(super) fn used_with(other: Option<u32>) -> Option<Duration> {
    let own = used("self")?;
    Some(own + other.map_or(Some(Duration::ZERO), |id| used(&id.to_string()))?)
}

/// User and system time of this process.
pub(super) fn used_here() -> Option<Duration> {
    used_with(None)
}

fn used(process: &str) -> Option<Duration> {
    ticks(&fs::read_to_string(format!("/proc/{process}/stat")).ok()?).map(|ticks| TICK * ticks)
}

/// Fields 14 and 15; the second, a name in parentheses, may hold anything.
fn ticks(stat: &str) -> Option<u32> {
    let (_, after_name) = stat.rsplit_once(')')?;
    let mut fields = after_name.split_ascii_whitespace().skip(11);
    let user: u32 = fields.next()?.parse().ok()?;
    let system: u32 = fields.next()?.parse().ok()?;
    Some(user + system)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn user_and_system_time_are_found_behind_any_name() {
        let stat = "4242 (odd) name) S 1 2 3 4 5 6 7 8 9 10 250 50 0 0 20 0";
        assert_eq!(ticks(stat), Some(300));
        assert_eq!(ticks("4242 (short) S 1"), None);
    }
}

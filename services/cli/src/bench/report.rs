//! What a run measured: figures, what each is compared with, and which targets are met.

use std::{fmt::Write as _, time::Duration};

use serde::Serialize;

/// A figure, as the table has it and as JSON has it.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Figure {
    /// Stable, for programs: `drain_single`.
    pub(super) id: &'static str,
    /// For people.
    pub(super) what: String,
    /// The figure.
    pub(super) value: f64,
    /// Its unit, as `statements/s`.
    pub(super) unit: &'static str,
    /// Beside which other figure of the same run, and how many times that it is.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) ratios: Vec<Ratio>,
    /// What it should be.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) targets: Vec<Target>,
}

/// A figure as a multiple of another.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Ratio {
    /// The other's id.
    pub(super) of: &'static str,
    /// The multiple.
    pub(super) ratio: f64,
}

/// What a figure should be.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Target {
    /// In words.
    pub(super) text: String,
    /// Whether it is a goal of the design rather than a promise: a run that misses it is none the worse.
    pub(super) by_design: bool,
    /// Whether this run met it.
    pub(super) met: bool,
}

/// All of a run.
#[derive(Clone, Debug, Default, Serialize)]
pub(super) struct Report {
    /// What the figures are about: events, sizes, feeds, machine.
    pub(super) conditions: Vec<String>,
    figures: Vec<Figure>,
    #[serde(skip)]
    sections: Vec<(usize, &'static str)>,
}

impl Report {
    /// Begins a group of figures.
    pub(super) fn section(&mut self, name: &'static str) {
        self.sections.push((self.figures.len(), name));
    }

    /// Adds a figure, to be completed.
    pub(super) fn add(
        &mut self,
        id: &'static str,
        what: impl Into<String>,
        value: f64,
        unit: &'static str,
    ) -> &mut Figure {
        self.figures.push(Figure {
            id,
            what: what.into(),
            value,
            unit,
            ratios: Vec::new(),
            targets: Vec::new(),
        });
        self.figures.last_mut().expect("just pushed")
    }

    /// Whether every target is met that is more than a goal of the design.
    pub(super) fn all_met(&self) -> bool {
        self.figures
            .iter()
            .flat_map(|figure| &figure.targets)
            .all(|target| target.met || target.by_design)
    }

    /// The table.
    pub(super) fn table(&self) -> String {
        let mut out = String::new();
        for condition in &self.conditions {
            let _ = writeln!(out, "{condition}");
        }
        for (at, figure) in self.figures.iter().enumerate() {
            for (_, name) in self.sections.iter().filter(|(first, _)| *first == at) {
                let _ = writeln!(out, "\n{name}");
            }
            let value = grouped(figure.value);
            let _ = write!(out, "  {:<58}{value:>12} {:<13}", figure.what, figure.unit);
            for Ratio { of, ratio } in &figure.ratios {
                let _ = write!(out, " {} of {of}", percent_or_multiple(*ratio));
            }
            out.truncate(out.trim_end().len());
            out.push('\n');
            for Target { text, by_design, met } in &figure.targets {
                let verdict = if *met { "met" } else { "NOT MET" };
                let kind = if *by_design { "goal" } else { "target" };
                let _ = writeln!(out, "      {kind:<7}{text}: {verdict}");
            }
        }
        out
    }
}

impl Figure {
    /// Compares with another figure of the run.
    pub(super) fn beside(&mut self, of: &'static str, value: f64) -> &mut Self {
        let ratio = self.value / value;
        self.ratios.push(Ratio { of, ratio });
        self
    }

    /// States a target.
    pub(super) fn target(&mut self, text: impl Into<String>, met: bool) -> &mut Self {
        self.should(text.into(), false, met)
    }

    /// States a goal of the design.
    pub(super) fn goal(&mut self, text: impl Into<String>, met: bool) -> &mut Self {
        self.should(text.into(), true, met)
    }

    fn should(&mut self, text: String, by_design: bool, met: bool) -> &mut Self {
        self.targets.push(Target { text, by_design, met });
        self
    }
}

/// How many a second.
#[expect(
    clippy::cast_precision_loss,
    reason = "counts of a benchmark are far below 2^52"
)]
pub(super) fn rate(count: usize, took: Duration) -> f64 {
    count as f64 / took.as_secs_f64().max(1e-9)
}

/// What each of `count` took, in microseconds.
#[expect(
    clippy::cast_precision_loss,
    reason = "counts of a benchmark are far below 2^52"
)]
pub(super) fn microseconds_each(took: Duration, count: usize) -> f64 {
    took.as_secs_f64() * 1e6 / count.max(1) as f64
}

/// In milliseconds.
pub(super) fn milliseconds(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1_000.0
}

/// The value that `per_mille` of the sample does not exceed; sorts it. Zero if there is none.
pub(super) fn quantile(sample: &mut [Duration], per_mille: usize) -> Duration {
    sample.sort_unstable();
    let wanted = (sample.len() * per_mille).div_ceil(1_000).max(1);
    sample.get(wanted - 1).copied().unwrap_or_default()
}

fn percent_or_multiple(ratio: f64) -> String {
    if ratio < 2.0 {
        format!("{:.0} %", ratio * 100.0)
    } else {
        format!("{ratio:.1} x")
    }
}

/// With thousands set apart; two decimals below a hundred.
fn grouped(value: f64) -> String {
    if value < 100.0 {
        return format!("{value:.2}");
    }
    let digits = format!("{value:.0}");
    let mut out = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thousands_are_set_apart() {
        assert_eq!(grouped(1_234_567.4), "1,234,567");
        assert_eq!(grouped(999.6), "1,000");
        assert_eq!(grouped(4.256), "4.26");
    }

    #[test]
    fn a_quantile_is_a_value_of_the_sample() {
        let mut sample: Vec<Duration> = (1..=200).rev().map(Duration::from_millis).collect();
        assert_eq!(quantile(&mut sample, 500), Duration::from_millis(100));
        assert_eq!(quantile(&mut sample, 990), Duration::from_millis(198));
        assert_eq!(quantile(&mut sample, 1_000), Duration::from_millis(200));
        assert_eq!(quantile(&mut [], 990), Duration::ZERO);
    }

    #[test]
    fn the_table_says_which_target_is_missed() {
        let mut report = Report::default();
        report.section("drain");
        report
            .add("drain_single", "single", 30.0, "statements/s")
            .beside("verify", 60.0)
            .target("at least 60 %", false);
        assert!(!report.all_met());
        let table = report.table();
        assert!(table.contains("50 % of verify"), "{table}");
        assert!(table.contains("at least 60 %: NOT MET"), "{table}");
    }
}

//! What the rule engine promises: the golden cases of s.154, exact shares, strict loading, monotone verdicts.

mod golden;
mod hostile;
mod laws;
mod loading;
mod resting;
mod simulated;

use time::Date;

use super::{context::parse_date, operands::exact, view::Exact};

fn day(text: &str) -> Date {
    parse_date(text).expect("a date")
}

fn number(text: &str) -> Exact {
    exact(text).expect("a decimal")
}

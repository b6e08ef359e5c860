//! What the rule engine promises: the golden cases of s.154, exact shares, strict loading, monotone verdicts.

mod fixture;
mod golden;
mod hostile;
mod laws;
mod loading;
mod resting;
mod simulated;

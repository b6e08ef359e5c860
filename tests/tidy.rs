//! Repository hygiene, as a test.

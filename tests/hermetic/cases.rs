//! Histories of plants and of cheats, from signed events to what is answered.

mod inputs;

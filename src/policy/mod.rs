//! Policy: whether a lot meets a rule pack, in a procurement context, at a date.
pub mod view;

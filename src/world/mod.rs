//! The outside world: effects, and nothing else.

pub mod files;

//! What the program, its tests and whoever embeds it use.

pub mod sources;
pub mod world;

//! h
pub mod sources;
pub mod world;

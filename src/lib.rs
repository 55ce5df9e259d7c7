//! Highwater turns a wiki into a temporal knowledge graph and never loses its high-water mark. This page is the
//! contents; `ARCHITECTURE.md` is the map.

pub mod cli;
pub mod embedders;
pub mod error;
pub mod inquiry;
pub mod job;
pub mod models;
pub mod plan;
pub mod secret;
pub mod serve;
pub mod settings;
pub mod sources;
pub mod state;
pub mod wire;
pub mod world;

//! A false world for the main job. This page is the contents.
//!
//! `life` lives a seed: it runs the production loop, plan, state and vault against a false `wiki` behind a
//! false `world`, over a `store` and a `disk` that fail where `fate` says. `vaults` lives
//! the vault alone, over a `sea` where everything fails. `confluence` is a simulated Confluence, behind a socket or
//! without one. Nothing in production names this crate.

pub mod body;
pub mod checks;
pub mod confluence;
pub mod disk;
pub mod engine;
pub mod fate;
pub mod life;
pub mod model;
pub mod paid;
pub mod provider;
pub mod rng;
pub mod sea;
pub mod store;
pub mod tally;
pub mod truth;
pub mod vaults;
pub mod wiki;
pub mod word;
pub mod world;

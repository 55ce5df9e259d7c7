//! A Confluence that is not there: Cloud with both versions of its interface, and Data Center. This is the contents.
//!
//! `site` is what it holds, `edits` what people do to it, `answer` the one door for requests, `server` a socket around
//! that door. `quirks` and `rates` are how it misbehaves and what it lets through; `control` switches them from
//! outside. `export` writes a space as Confluence exports it. What it is worth is judged by clients that nobody here
//! wrote, in `tests/fidelity.rs`.

pub mod access;
pub mod answer;
mod cloud_v2;
pub mod contents;
mod control;
mod cql;
pub mod edits;
pub mod exchange;
pub mod export;
pub mod generated;
pub mod loading;
pub mod quirks;
pub mod rates;
pub mod server;
pub mod site;
mod tasks;
mod text;
mod turning;
mod v1;
mod v1_people;
mod v1_shapes;
mod v1_writes;
mod v2_shapes;
mod v2_tasks;
mod v2_writes;

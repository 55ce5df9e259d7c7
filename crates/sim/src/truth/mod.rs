//! Temporal truth: wikis whose pages say who owns what and what depends on what, version by version, so that it is
//! known at every date which facts are live, which ended and which nobody says any more.
//!
//! `history` writes the pages of a seed. `rules` is the naive evaluator: from the pages alone, by the rules as
//! `ARCHITECTURE.md` and the design have them in words, it says what holds at a date on both clocks. It was written
//! without reading `knowledge::resolve`, shares no line with it, and must stay so. `oracle` answers as a model that
//! reads and judges without a fault, `world` serves the pages, and `measure` runs the production loop over them, a run
//! after the other, and compares what it shows with what the evaluator says.

pub mod history;
pub mod measure;
pub mod oracle;
pub mod rules;
pub mod world;

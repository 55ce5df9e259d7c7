//! h

pub mod embedders;

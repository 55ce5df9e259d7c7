//! The graph for programs that ask: each file is one way in. It must not know SQL, nor how an answer is found
//! (`inquiry`). Invariant: for whom it is looked is fixed before anybody asks, by the settings.

#[cfg(feature = "mcp")]
mod bounds;
#[cfg(feature = "mcp")]
pub mod mcp;

//! What the rules read in small pages, and what they must not.

use super::*;

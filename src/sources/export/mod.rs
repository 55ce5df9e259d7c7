//! x
use super::*;
pub(crate) fn claim(_: &Tree, _: &mut BTreeSet<String>) -> Vec<Part> {
    vec![]
}

//! What a user says of names in a life: a pair of names of the graph as it stands, one or two by the seed. Two lives of
//! one seed come to the same graph, so he says the same in both. It must not know what is made of it.

use crate::rng::Rng;
use highwater::error::Error;
use highwater::state::State;
use knowledge::graph::{Ruling, Verdict};
use knowledge::id::NodeId;
use knowledge::record::Ruled;
use knowledge::resolve;

/// What is said of the names of this graph; none where the pair that the seed picks can never be one.
pub fn word(state: &State, seed: u64) -> Result<Option<Ruled>, Error> {
    let mut rng = Rng::new(seed, "word");
    let mut statement = state.connection().prepare("SELECT node FROM node ORDER BY node")?;
    let nodes = statement.query_map([], |row| row.get(0).map(NodeId::from_bytes))?;
    let nodes = nodes.collect::<Result<Vec<NodeId>, _>>()?;
    if nodes.len() < 2 {
        return Ok(None);
    }
    let one = *rng.pick(&nodes);
    // A name that is one with it, where there is any: to part strangers changes nothing.
    let mut statement = state.connection().prepare(
        "SELECT o.node FROM node n JOIN node o USING (entity) WHERE n.node = ?1 AND o.node <> ?1 ORDER BY 1",
    )?;
    let with = statement.query_map([one.as_bytes()], |row| row.get(0).map(NodeId::from_bytes))?;
    let with = with.collect::<Result<Vec<NodeId>, _>>()?;
    let (other, verdict) = match with.is_empty() {
        true => (*rng.pick(&nodes), Verdict::Same),
        false => (*rng.pick(&with), Verdict::Apart),
    };
    let ruling = Ruling { a: one.min(other), b: one.max(other), verdict, why: "so it is".to_owned() };
    if one == other || resolve::clash(std::slice::from_ref(&ruling), state)?.is_some() {
        return Ok(None);
    }
    Ok(Some(Ruled { rulings: vec![ruling], ..Ruled::default() }))
}

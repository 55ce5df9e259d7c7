//! What a user says of names: one record, with what it changes in the graph as it stands. It must not know how he said
//! it. Invariant: what contradicts his own earlier words, or would make two people one, is not recorded.

use super::Plan;
use crate::error::{Error, Kind, Result};
use crate::state::State;
use knowledge::id::NodeId;
use knowledge::record::{Record, Ruled};
use knowledge::resolve::{self, Clash};

/// Records what is said, once.
pub(super) fn plan(state: &State, said: &Ruled) -> Result<Plan> {
    if state.has_heard(said)? {
        return Ok(Plan::default());
    }
    if let Some(clash) = resolve::clash(&said.rulings, state)? {
        return Err(refused(state, &clash)?);
    }
    let changes = resolve::rule(&said.rulings, &said.forgotten, state)?;
    Ok(Plan::settled(vec![Record::Ruled(Ruled { changes, ..said.clone() })]))
}

fn refused(state: &State, clash: &Clash) -> Result<Error> {
    let name = |id: &NodeId| -> Result<String> {
        let called = state.called_by_id(*id)?;
        Ok(called.map_or_else(|| id.to_string(), |called| format!("`{}` ({id})", called.name)))
    };
    let (text, hint) = match clash {
        Clash::SaidApart(one, other) => (
            format!(
                "names: {} and {} were said to be apart, and this makes them one",
                name(one)?,
                name(other)?
            ),
            "`highwater names list` shows what was said; `highwater names forget A B` takes it back"
                .to_owned(),
        ),
        Clash::Keys(one, other) => {
            let sort = |id: &NodeId| -> Result<String> {
                Ok(state.called_by_id(*id)?.and_then(|called| called.by).unwrap_or_default())
            };
            let what = match sort(one)?.as_str() {
                "person" => "two accounts, which are two people",
                "page" | "title" => "two pages, and an entity is one page at most",
                _ => "two things by their keys",
            };
            (
                format!("names: this would make {} and {} one: they are {what}", name(one)?, name(other)?),
                "give the ids of the very names that are meant: `highwater show NAME --why` says what each belongs to, \
                 and `highwater names apart` parts a name from its page"
                    .to_owned(),
            )
        }
        Clash::Kinds(one, other) => (
            format!(
                "names: this would make {} and {} one, and people, labels and files are one with their like alone",
                name(one)?,
                name(other)?
            ),
            "give the ids of the very names that are meant".to_owned(),
        ),
    };
    Ok(Error::new(Kind::Halt, text).hint(hint))
}

//! Who looks: a person that the wiki knows, with his groups. It must not know what he may see. Invariant: whoever is
//! not known for certain, or whose groups were read too long ago, is nobody.

use crate::error::{Error, Kind, Result};
use crate::state::State;
use crate::state::candidates::collect;
use jiff::SignedDuration;
use knowledge::audience::Rule;
use knowledge::id::PersonKey;
use knowledge::time::{Timestamp, parse};
use std::collections::BTreeSet;

/// Whoever a question is answered for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Viewer {
    key: PersonKey,
    groups: BTreeSet<String>,
}

impl Viewer {
    /// His key.
    pub fn key(&self) -> &PersonKey {
        &self.key
    }

    /// Whether a rule lets him pass.
    pub(super) fn passes(&self, rule: &Rule) -> bool {
        match rule {
            Rule::Everyone => true,
            Rule::Only { users, groups } => users.contains(&self.key) || !groups.is_disjoint(&self.groups),
            Rule::Unknown => false,
        }
    }
}

impl State {
    /// The user that a key, an e-mail address or another name means, with his groups as they were last read.
    ///
    /// # Errors
    /// Nobody has read any groups, or so long before `now` that they may have changed; nobody is meant who may use the
    /// wiki, or several are.
    pub fn viewer(&self, named: &str, now: Timestamp, max_age: SignedDuration) -> Result<Viewer> {
        let read = self.meta("principals_at")?.as_deref().and_then(parse);
        let Some(read) = read else {
            let text = format!("look as `{named}`: nobody has read who belongs to which group");
            return Err(Error::new(Kind::Halt, text).hint(
                "run `highwater pipeline`; where the wiki cannot tell, with the setting `principals`",
            ));
        };
        if now.duration_since(read) > max_age {
            let text = format!("look as `{named}`: groups were last read at {read}, too long ago");
            return Err(Error::new(Kind::Halt, text)
                .hint("run `highwater pipeline`, or set `principals_max_age` to more hours"));
        }
        let membership = self.membership()?;
        let mut users = membership.users.clone();
        users.extend(membership.groups.values().flatten().cloned());
        let mut meant = self.meant_by(named, &users)?;
        let key = match (meant.pop(), meant.is_empty()) {
            (Some(key), true) => key,
            (Some(_), false) => {
                let text = format!("look as `{named}`: several users are called so");
                return Err(Error::new(Kind::Never, text).hint("give the user's key"));
            }
            (None, _) => {
                let text = format!("look as `{named}`: no user of the wiki is called so");
                return Err(Error::new(Kind::Never, text).hint(
                    "give a user's key, as the wiki has it, of whom a group or the list of users is known",
                ));
            }
        };
        let own = membership.groups.iter().filter(|(_, members)| members.contains(&key));
        Ok(Viewer { groups: own.map(|(name, _)| name.clone()).collect(), key })
    }

    /// The users that a text names: by key, else by another name of the account, else by display name.
    fn meant_by(&self, named: &str, users: &BTreeSet<PersonKey>) -> Result<Vec<PersonKey>> {
        let key = PersonKey::new(named);
        if users.contains(&key) {
            return Ok(vec![key]);
        }
        for sql in [
            "SELECT DISTINCT person FROM person, json_each(also) WHERE value = ?1 COLLATE NOCASE ORDER BY 1",
            "SELECT person FROM person WHERE name = ?1 COLLATE NOCASE ORDER BY 1",
        ] {
            let mut statement = self.connection().prepare_cached(sql)?;
            let found =
                collect(statement.query([named])?, |row| Ok(PersonKey::new(row.get::<_, String>(0)?)))?;
            let found: Vec<PersonKey> = found.into_iter().filter(|key| users.contains(key)).collect();
            if !found.is_empty() {
                return Ok(found);
            }
        }
        Ok(Vec::new())
    }
}

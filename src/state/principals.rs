//! Who belongs to which group, who may use the wiki, and the places of its tree that are no pages: as rows, and as they
//! differ from what was listed. It must not know who sees what (`viewer` does).

use super::State;
use super::apply::{Step, set};
use super::candidates::collect;
use crate::error::Result;
use knowledge::audience::Group;
use knowledge::id::{PageId, PersonKey};
use knowledge::record::{Listed, Principals};
use rusqlite::params;
use std::collections::{BTreeMap, BTreeSet};

/// All groups with their members, and all users besides, as somebody has read them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Membership {
    /// Members by group.
    pub groups: BTreeMap<String, BTreeSet<PersonKey>>,
    /// Users who may use the wiki, whether or not a group has them.
    pub users: BTreeSet<PersonKey>,
}

/// Notes what a page of a listing says, until its worklist is made.
pub(super) fn listed(step: &Step<'_>, listed: &Listed) -> Result<()> {
    for folder in &listed.folders {
        step.run(
            "INSERT OR REPLACE INTO listed_folder VALUES (?1, ?2)",
            params![folder.id.as_str(), folder.parent.as_ref().map(PageId::as_str)],
        )?;
    }
    for group in &listed.groups {
        step.run(
            "INSERT OR REPLACE INTO listed_group VALUES (?1, ?2)",
            [&group.name, &serde_json::to_string(&group.members)?],
        )?;
    }
    Ok(())
}

/// Places that a complete listing shows elsewhere than they are held. Of those that a damaged one lacks nothing is
/// known.
const MOVED: &str = "l.page = page.page AND l.told AND page.gone = 0
    AND (page.space <> l.space OR page.parent IS NOT l.parent OR page.stands_on IS NOT l.stands_on)";
/// The newest sweep, while its listing is complete and its worklist is not made.
const LISTED: &str =
    "(SELECT 1 FROM sweep WHERE sweep = (SELECT max(sweep) FROM sweep) AND complete AND NOT planned";

/// A complete listing says what is above each page, and which folders there are: that counts from here on, together
/// with the rules of the same listing. A page that was moved away from a rule that is lifted would be open to everybody
/// until it is fetched otherwise.
pub(super) fn place(step: &Step<'_>) -> Result<()> {
    step.run(
        &format!(
            "UPDATE page SET space = l.space, parent = l.parent, stands_on = l.stands_on FROM listed l
             WHERE {MOVED} AND EXISTS {LISTED})"
        ),
        [],
    )?;
    step.run(&format!("DELETE FROM folder WHERE EXISTS {LISTED} AND NOT incomplete)"), [])?;
    step.run(
        &format!(
            "INSERT OR REPLACE INTO folder SELECT folder, parent FROM listed_folder WHERE EXISTS {LISTED})"
        ),
        [],
    )
}

pub(super) fn apply(step: &Step<'_>, changed: &Principals) -> Result<()> {
    for group in &changed.groups {
        step.run(
            "INSERT OR REPLACE INTO principal_group VALUES (?1, ?2)",
            [&group.name, &serde_json::to_string(&group.members)?],
        )?;
    }
    for name in &changed.disbanded {
        step.run("DELETE FROM principal_group WHERE name = ?1", [name])?;
    }
    for user in &changed.joined {
        step.run("INSERT OR IGNORE INTO principal_user VALUES (?1)", [user.as_str()])?;
    }
    for user in &changed.left {
        step.run("DELETE FROM principal_user WHERE person = ?1", [user.as_str()])?;
    }
    set(step.transaction, "principals_at", &step.at)?;
    set(step.transaction, "principals_seq", &step.seq.to_string())
}

impl State {
    /// Groups and users as they are held.
    pub fn membership(&self) -> Result<Membership> {
        let mut statement = self.connection().prepare_cached("SELECT person FROM principal_user")?;
        let users = collect(statement.query([])?, |row| Ok(PersonKey::new(row.get::<_, String>(0)?)))?;
        let groups = self.groups_in("SELECT name, members FROM principal_group")?;
        Ok(Membership { groups, users: users.into_iter().collect() })
    }

    /// Whether the complete listing shows a page or a folder elsewhere than it is held.
    pub fn is_moved(&self) -> Result<bool> {
        let mut statement = self.connection().prepare_cached(&format!(
            "SELECT EXISTS (SELECT 1 FROM listed l JOIN page ON {MOVED})
                 OR EXISTS (SELECT folder, parent FROM listed_folder EXCEPT SELECT folder, parent FROM folder)
                 OR EXISTS (SELECT folder, parent FROM folder WHERE EXISTS {LISTED} AND NOT incomplete)
                            EXCEPT SELECT folder, parent FROM listed_folder)"
        ))?;
        Ok(statement.query_row([], |row| row.get(0))?)
    }

    /// The groups of the newest listing, until its worklist is made; none where it could not tell.
    pub fn listed_groups(&self) -> Result<Option<BTreeMap<String, BTreeSet<PersonKey>>>> {
        let groups = self.groups_in("SELECT name, members FROM listed_group")?;
        Ok((!groups.is_empty()).then_some(groups))
    }

    fn groups_in(&self, sql: &str) -> Result<BTreeMap<String, BTreeSet<PersonKey>>> {
        let mut statement = self.connection().prepare_cached(sql)?;
        let found = collect(statement.query([])?, |row| {
            let members: String = row.get(1)?;
            Ok((row.get(0)?, serde_json::from_str(&members)?))
        })?;
        Ok(found.into_iter().collect())
    }

    /// Whether groups were read in the present term.
    pub fn knows_principals_of_this_term(&self) -> Result<bool> {
        let number = |text: Option<String>| text.and_then(|text| text.parse::<u64>().ok()).unwrap_or(0);
        Ok(number(self.meta("principals_seq")?) > number(self.meta("opened_seq")?))
    }
}

impl Membership {
    /// What must be recorded for this to be held, where `before` is.
    pub fn since(&self, before: &Membership) -> Principals {
        let new = self.groups.iter().filter(|(name, members)| before.groups.get(*name) != Some(members));
        let group = |(name, members): (&String, &BTreeSet<PersonKey>)| Group {
            name: name.clone(),
            members: members.clone(),
        };
        Principals {
            groups: new.map(group).collect(),
            disbanded: before
                .groups
                .keys()
                .filter(|name| !self.groups.contains_key(*name))
                .cloned()
                .collect(),
            joined: self.users.difference(&before.users).cloned().collect(),
            left: before.users.difference(&self.users).cloned().collect(),
        }
    }
}

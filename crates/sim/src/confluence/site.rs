//! What a site holds: spaces, everything with a content id, people, groups, and who may see what. It knows no interface
//! and no HTTP. Invariant: `under` and `hung` say the same as the contents' `parent` and `container`, because only
//! `put`, `place` and `purge` change them.

use super::access::Access;
use super::quirks::Quirks;
use super::rates::Rates;
use jiff::Timestamp;
use jiff::tz::TimeZone;
use std::collections::{BTreeMap, BTreeSet};

pub use super::contents::{
    Anchor, Content, ContentId, Edition, File, GroupId, Kind, Label, Property, Restriction, SpaceId, Status,
    UserId,
};

/// Which product answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Deployment {
    /// Confluence Cloud: both versions of the interface, below `/wiki`.
    Cloud,
    /// Confluence Data Center: the first version alone.
    DataCenter,
}

/// Whom a permission of a space is for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Principal {
    /// One person.
    User(UserId),
    /// The members of a group.
    Group(GroupId),
}

/// A permission of a space.
#[derive(Clone, Debug)]
pub struct Permission {
    /// Its number.
    pub id: u64,
    /// For whom.
    pub principal: Principal,
    /// What they may do, as `read`.
    pub operation: String,
    /// To what, as `space` or `page`.
    pub target: String,
}

/// A space.
#[derive(Clone, Debug)]
pub struct Space {
    /// Its number.
    pub id: SpaceId,
    /// Its key.
    pub key: String,
    /// Its name.
    pub name: String,
    /// `global` or `personal`.
    pub kind: String,
    /// Kept but not used any more.
    pub archived: bool,
    /// Its first page.
    pub homepage: Option<ContentId>,
    /// What it is for.
    pub description: String,
    /// When it was made.
    pub created: Timestamp,
    /// By whom.
    pub author: UserId,
    /// Who may do what.
    pub permissions: Vec<Permission>,
}

/// A person.
#[derive(Clone, Debug)]
pub struct User {
    /// The account.
    pub id: UserId,
    /// The name to log in with, on Data Center.
    pub username: String,
    /// The name that is shown.
    pub name: String,
    /// The address.
    pub email: String,
    /// The profile hides the address.
    pub hides_email: bool,
    /// The time zone of the profile, as `Europe/Berlin`; without one, the site's.
    pub zone: Option<String>,
    /// Sees everything, as the administrators of Data Center do.
    pub sees_all: bool,
    /// Left the company.
    pub left: bool,
}

/// A group.
#[derive(Clone, Debug)]
pub struct Group {
    /// Its id.
    pub id: GroupId,
    /// Its name.
    pub name: String,
    /// Who is in it.
    pub members: BTreeSet<UserId>,
}

/// A whole site.
#[derive(Clone, Debug)]
pub struct Site {
    /// Which product it is.
    pub deployment: Deployment,
    /// The time, which whoever drives the site hands in.
    pub now: Timestamp,
    /// The zone of the server, as `Europe/Berlin`.
    pub zone: String,
    /// The id of the site on Cloud.
    pub cloud_id: String,
    /// The version that Data Center says it is.
    pub version: String,
    /// All spaces.
    pub spaces: BTreeMap<SpaceId, Space>,
    /// All people.
    pub users: BTreeMap<UserId, User>,
    /// All groups.
    pub groups: BTreeMap<GroupId, Group>,
    /// Tokens and passwords.
    pub access: Access,
    /// How it misbehaves.
    pub quirks: Quirks,
    /// What it lets through.
    pub rates: Rates,
    /// Requests by endpoint and status.
    pub stats: BTreeMap<String, BTreeMap<u16, u64>>,
    contents: BTreeMap<ContentId, Content>,
    under: BTreeMap<ContentId, BTreeSet<ContentId>>,
    hung: BTreeMap<ContentId, BTreeSet<ContentId>>,
    last_id: u64,
}

impl Site {
    /// An empty site.
    pub fn new(deployment: Deployment) -> Self {
        Self {
            deployment,
            now: Timestamp::UNIX_EPOCH,
            zone: "UTC".to_owned(),
            cloud_id: "5f6d0a8e-0000-4000-8000-fa4e00000001".to_owned(),
            version: "9.2.0".to_owned(),
            spaces: BTreeMap::new(),
            users: BTreeMap::new(),
            groups: BTreeMap::new(),
            access: Access::default(),
            quirks: Quirks::default(),
            rates: Rates::default(),
            stats: BTreeMap::new(),
            contents: BTreeMap::new(),
            under: BTreeMap::new(),
            hung: BTreeMap::new(),
            last_id: 65_536,
        }
    }

    /// Whether it is Cloud.
    pub fn is_cloud(&self) -> bool {
        self.deployment == Deployment::Cloud
    }

    /// What stands in front of every path of the interface.
    pub fn context(&self) -> &'static str {
        match self.deployment {
            Deployment::Cloud => "/wiki",
            Deployment::DataCenter => "",
        }
    }

    /// A number that nothing has yet.
    pub fn next_id(&mut self) -> u64 {
        self.last_id += 1;
        self.last_id
    }

    /// A content.
    pub fn content(&self, id: ContentId) -> Option<&Content> {
        self.contents.get(&id)
    }

    /// A content, to change anything but where it hangs.
    pub fn content_mut(&mut self, id: ContentId) -> Option<&mut Content> {
        self.contents.get_mut(&id)
    }

    /// All contents by number.
    pub fn contents(&self) -> impl Iterator<Item = &Content> {
        self.contents.values()
    }

    /// Puts a content in.
    pub fn put(&mut self, content: Content) {
        self.last_id = self.last_id.max(content.id.0);
        self.index(&content, true);
        self.contents.insert(content.id, content);
    }

    /// Hangs a content elsewhere.
    pub fn place(&mut self, id: ContentId, space: SpaceId, parent: Option<ContentId>) {
        let Some(mut content) = self.contents.remove(&id) else { return };
        self.index(&content, false);
        content.space = space;
        content.parent = parent;
        self.put(content);
    }

    /// Takes a content out for good, with what hangs on it; what stood under it moves up.
    pub fn purge(&mut self, id: ContentId) {
        let Some(content) = self.contents.remove(&id) else { return };
        self.index(&content, false);
        for hanging in self.hung_on(id) {
            self.purge(hanging);
        }
        for child in self.under(id) {
            let Some(space) = self.content(child).map(|child| child.space) else { continue };
            self.place(child, space, content.parent);
        }
    }

    fn index(&mut self, content: &Content, there: bool) {
        let (parent, container) = (content.parent, content.container);
        for (index, at) in [(&mut self.under, parent), (&mut self.hung, container)] {
            let Some(at) = at else { continue };
            let ids = index.entry(at).or_default();
            if there {
                ids.insert(content.id);
            } else {
                ids.remove(&content.id);
            }
        }
    }

    /// What hangs under a content: its children in the tree, or the replies to a comment.
    pub fn under(&self, id: ContentId) -> Vec<ContentId> {
        self.under.get(&id).into_iter().flatten().copied().collect()
    }

    /// Comments and attachments of a page or blog post.
    pub fn hung_on(&self, id: ContentId) -> Vec<ContentId> {
        self.hung.get(&id).into_iter().flatten().copied().collect()
    }

    /// What a content stands under, highest first.
    pub fn ancestors(&self, content: &Content) -> Vec<&Content> {
        let mut above = Vec::new();
        let mut next = content.parent;
        // A tree is never so deep; the bound ends a ring.
        while let Some(parent) = next.and_then(|id| self.content(id)).filter(|_| above.len() < 100) {
            above.push(parent);
            next = parent.parent;
        }
        above.reverse();
        above
    }

    /// A space by its key.
    pub fn space_of_key(&self, key: &str) -> Option<&Space> {
        self.spaces.values().find(|space| space.key.eq_ignore_ascii_case(key))
    }

    /// The time zone of a person.
    pub fn zone_of(&self, user: &UserId) -> TimeZone {
        let named = self.users.get(user).and_then(|user| user.zone.as_deref());
        TimeZone::get(named.unwrap_or(&self.zone)).unwrap_or(TimeZone::UTC)
    }

    /// Groups that a person is in.
    pub fn groups_of(&self, user: &UserId) -> Vec<&Group> {
        self.groups.values().filter(|group| group.members.contains(user)).collect()
    }

    fn is_in(&self, user: &UserId, group: &GroupId) -> bool {
        self.groups.get(group).is_some_and(|group| group.members.contains(user))
    }

    /// Whether somebody may see a space.
    pub fn sees_space(&self, user: &UserId, space: &Space) -> bool {
        let reads = |permission: &&Permission| permission.operation == "read" && permission.target == "space";
        self.users.get(user).is_some_and(|user| user.sees_all)
            || space.permissions.iter().filter(reads).any(|permission| match &permission.principal {
                Principal::User(named) => named == user,
                Principal::Group(group) => self.is_in(user, group),
            })
    }

    fn passes(&self, user: &UserId, restriction: &Restriction) -> bool {
        restriction.is_open()
            || restriction.users.contains(user)
            || restriction.groups.iter().any(|group| self.is_in(user, group))
    }

    /// Whether somebody may see a content, whatever its status: the space, and every restriction on the way down. A
    /// draft is seen by its owner alone.
    pub fn sees(&self, user: &UserId, content: &Content) -> bool {
        if let Some(container) = content.container {
            let container = self.content(container);
            return container.is_some_and(|container| {
                let lives = content.status == Status::Trashed || container.status != Status::Trashed;
                lives && self.sees(user, container)
            });
        }
        let Some(space) = self.spaces.get(&content.space) else { return false };
        if !self.sees_space(user, space) || (content.status == Status::Draft && content.owner != *user) {
            return false;
        }
        let sees_all = self.users.get(user).is_some_and(|user| user.sees_all);
        sees_all
            || (self.passes(user, &content.read)
                && self.ancestors(content).iter().all(|above| self.passes(user, &above.read)))
    }

    /// Whether somebody who sees a content may edit it.
    pub fn edits(&self, user: &UserId, content: &Content) -> bool {
        self.users.get(user).is_some_and(|user| user.sees_all) || self.passes(user, &content.update)
    }

    /// A content that somebody may see.
    pub fn seen(&self, user: &UserId, id: ContentId) -> Option<&Content> {
        self.content(id).filter(|content| self.sees(user, content))
    }
}

#[cfg(test)]
mod tests {
    use super::super::loading::small;
    use super::*;

    fn user(name: &str) -> UserId {
        UserId(name.to_owned())
    }

    #[test]
    fn restrictions_add_up_on_the_way_down() {
        let mut site = small(Deployment::Cloud);
        let (top, below) = (ContentId(1001), ContentId(1002));
        let reader = user("acc-reader");
        assert!(site.seen(&reader, below).is_some());
        site.content_mut(below).unwrap().read.users.insert(reader.clone());
        site.content_mut(top).unwrap().read.groups.insert(GroupId("grp-people".to_owned()));
        assert!(site.seen(&reader, below).is_none(), "the page names the reader, but what is above does not");
        assert!(site.seen(&user("acc-admin"), below).is_some());
        site.groups.get_mut(&GroupId("grp-people".to_owned())).unwrap().members.insert(reader.clone());
        assert!(site.seen(&reader, below).is_some());
    }

    #[test]
    fn what_hangs_on_a_page_goes_with_it_and_children_move_up() {
        let mut site = small(Deployment::Cloud);
        let (top, below) = (ContentId(1001), ContentId(1002));
        assert_eq!(site.under(top), [below, ContentId(1003)]);
        let hanging = site.hung_on(top);
        assert!(!hanging.is_empty());
        site.purge(top);
        assert!(hanging.iter().all(|id| site.content(*id).is_none()));
        assert_eq!(site.content(below).unwrap().parent, Some(ContentId(1000)));
        assert_eq!(site.under(top), []);
    }
}

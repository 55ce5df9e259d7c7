//! What the server's answers look like, as far as it is read here (Confluence Cloud REST v2, and REST v1 of Cloud and
//! Data Center). Whatever else an answer holds is passed over; what is missing is missing, not an error.

use knowledge::audience::Rule;
use knowledge::id::PersonKey;
use knowledge::page::Person;
use knowledge::time::Timestamp;
use serde::{Deserialize, Deserializer};
use std::collections::BTreeSet;

/// A page of a list.
#[derive(Debug, Deserialize)]
pub(super) struct List<T> {
    #[serde(default = "Vec::new")]
    pub(super) results: Vec<T>,
    #[serde(default, rename = "_links")]
    pub(super) links: Links,
}

impl<T> Default for List<T> {
    fn default() -> Self {
        Self { results: Vec::new(), links: Links::default() }
    }
}

#[derive(Debug, Default, Deserialize)]
pub(super) struct Links {
    pub(super) next: Option<String>,
    pub(super) webui: Option<String>,
}

/// An id: text in v2, text or a number in v1.
pub(super) fn id<'de, D: Deserializer<'de>>(from: D) -> Result<String, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Either {
        Text(String),
        Number(u64),
    }
    Ok(match Either::deserialize(from)? {
        Either::Text(text) => text,
        Either::Number(number) => number.to_string(),
    })
}

pub(super) fn maybe_id<'de, D: Deserializer<'de>>(from: D) -> Result<Option<String>, D::Error> {
    #[derive(Deserialize)]
    struct Id(#[serde(deserialize_with = "id")] String);
    Ok(Option::<Id>::deserialize(from)?.map(|id| id.0).filter(|id| !id.is_empty()))
}

/// A space, of either version.
#[derive(Debug, Deserialize)]
pub(super) struct Space {
    #[serde(deserialize_with = "id")]
    pub(super) id: String,
    pub(super) key: String,
    #[serde(default)]
    pub(super) name: String,
    #[serde(default, rename = "type")]
    pub(super) kind: String,
}

/// A permission of a space (v2).
#[derive(Debug, Deserialize)]
pub(super) struct Permission {
    pub(super) principal: Principal,
    pub(super) operation: Operation,
}

#[derive(Debug, Deserialize)]
pub(super) struct Principal {
    #[serde(default, rename = "type")]
    pub(super) kind: String,
    #[serde(default, deserialize_with = "maybe_id")]
    pub(super) id: Option<String>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Operation {
    #[serde(default)]
    pub(super) key: String,
    #[serde(default, rename = "targetType")]
    pub(super) target: String,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Version {
    #[serde(default)]
    pub(super) number: u32,
    #[serde(default)]
    created_at: Option<String>,
    /// v1.
    #[serde(default)]
    when: Option<String>,
    #[serde(default)]
    author_id: Option<String>,
    #[serde(default)]
    by: Option<User>,
}

impl Version {
    pub(super) fn at(&self) -> Option<Timestamp> {
        time(self.created_at.as_deref().or(self.when.as_deref()))
    }

    pub(super) fn by(&self) -> Option<PersonKey> {
        let by = self.by.as_ref().and_then(User::key);
        by.or_else(|| self.author_id.clone().filter(|id| !id.is_empty()).map(PersonKey::new))
    }
}

impl Version {
    /// Who wrote it, where the answer says more than a key.
    pub(super) fn user(&self) -> Option<User> {
        self.by.clone()
    }
}

/// A time as the server writes it, with a zone; without one it says nothing.
pub(super) fn time(text: Option<&str>) -> Option<Timestamp> {
    text?.parse().ok()
}

#[derive(Debug, Default, Deserialize)]
pub(super) struct Body {
    #[serde(default)]
    storage: Option<Text>,
    #[serde(default)]
    anonymous_export_view: Option<Text>,
}

impl Body {
    pub(super) fn text(self) -> Option<String> {
        self.storage.or(self.anonymous_export_view).map(|text| text.value)
    }
}

#[derive(Debug, Deserialize)]
struct Text {
    #[serde(default)]
    value: String,
}

/// A page, a blog post, a comment or an attachment of REST v2.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Content2 {
    #[serde(deserialize_with = "id")]
    pub(super) id: String,
    #[serde(default)]
    pub(super) status: String,
    #[serde(default)]
    pub(super) title: String,
    #[serde(default, deserialize_with = "maybe_id")]
    pub(super) space_id: Option<String>,
    #[serde(default, deserialize_with = "maybe_id")]
    pub(super) parent_id: Option<String>,
    #[serde(default)]
    pub(super) parent_type: Option<String>,
    #[serde(default)]
    pub(super) author_id: Option<String>,
    #[serde(default)]
    pub(super) created_at: Option<String>,
    #[serde(default)]
    pub(super) version: Version,
    #[serde(default)]
    pub(super) body: Option<Body>,
    #[serde(default, deserialize_with = "maybe_id")]
    pub(super) page_id: Option<String>,
    #[serde(default, deserialize_with = "maybe_id")]
    pub(super) blog_post_id: Option<String>,
    #[serde(default, deserialize_with = "maybe_id")]
    pub(super) parent_comment_id: Option<String>,
    #[serde(default)]
    pub(super) properties: Option<Selection>,
    #[serde(default)]
    pub(super) media_type: Option<String>,
    #[serde(default)]
    pub(super) file_size: Option<u64>,
    #[serde(default, rename = "_links")]
    pub(super) links: Links,
}

/// A place in the tree that is no page (v2). What it does not need is not read: a folder's time of creation is a number
/// where all else has text.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Place {
    #[serde(default)]
    pub(super) title: String,
    #[serde(default, deserialize_with = "maybe_id")]
    pub(super) parent_id: Option<String>,
    #[serde(default)]
    pub(super) parent_type: Option<String>,
}

/// The words an inline comment is attached to; both spellings are met.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Selection {
    #[serde(default)]
    inline_original_selection: Option<String>,
    #[serde(default)]
    original_selection: Option<String>,
}

impl Selection {
    pub(super) fn words(self) -> Option<String> {
        self.inline_original_selection.or(self.original_selection).filter(|words| !words.is_empty())
    }
}

/// Content of REST v1.
#[derive(Debug, Deserialize)]
pub(super) struct Content1 {
    #[serde(deserialize_with = "id")]
    pub(super) id: String,
    #[serde(default)]
    pub(super) status: String,
    #[serde(default)]
    pub(super) title: String,
    #[serde(default)]
    pub(super) space: Option<SpaceKey1>,
    #[serde(default)]
    pub(super) version: Version,
    #[serde(default)]
    pub(super) history: Option<History>,
    /// None where they were not asked for, or are not given.
    #[serde(default)]
    pub(super) ancestors: Option<Vec<Ancestor>>,
    #[serde(default)]
    pub(super) metadata: Option<Metadata>,
    #[serde(default)]
    pub(super) restrictions: Option<Restrictions>,
    #[serde(default)]
    pub(super) container: Option<Container>,
    #[serde(default)]
    pub(super) extensions: Option<Extensions>,
    #[serde(default)]
    pub(super) body: Option<Body>,
    #[serde(default, rename = "_links")]
    pub(super) links: Links,
}

#[derive(Debug, Deserialize)]
pub(super) struct SpaceKey1 {
    #[serde(default)]
    pub(super) key: String,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct History {
    #[serde(default)]
    pub(super) created_date: Option<String>,
    #[serde(default)]
    pub(super) created_by: Option<User>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Ancestor {
    #[serde(deserialize_with = "id")]
    pub(super) id: String,
    #[serde(default, rename = "type")]
    pub(super) kind: String,
}

#[derive(Debug, Default, Deserialize)]
pub(super) struct Metadata {
    #[serde(default)]
    labels: Option<List<Label>>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Label {
    #[serde(default)]
    pub(super) name: String,
}

impl Metadata {
    /// The labels, sorted.
    pub(super) fn labels(self) -> Vec<String> {
        let mut names: Vec<String> =
            self.labels.unwrap_or_default().results.into_iter().map(|label| label.name).collect();
        names.sort();
        names.dedup();
        names
    }
}

/// What it stands on: a page, a blog post.
#[derive(Debug, Deserialize)]
pub(super) struct Container {
    #[serde(default, deserialize_with = "maybe_id")]
    pub(super) id: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Extensions {
    #[serde(default)]
    pub(super) media_type: Option<String>,
    #[serde(default)]
    pub(super) file_size: Option<u64>,
    #[serde(default)]
    pub(super) inline_properties: Option<Selection>,
}

/// Restrictions, as `content` expands them, and as `restriction/byOperation` gives them.
#[derive(Debug, Default, Deserialize)]
pub(super) struct Restrictions {
    #[serde(default)]
    read: Option<Reading>,
}

#[derive(Debug, Default, Deserialize)]
struct Reading {
    #[serde(default)]
    restrictions: Option<Members>,
}

#[derive(Debug, Default, Deserialize)]
struct Members {
    #[serde(default)]
    user: Option<List<User>>,
    #[serde(default)]
    group: Option<List<Group>>,
}

impl Restrictions {
    /// The rule; unknown where the answer does not hold it, or names somebody we cannot.
    pub(super) fn rule(self) -> Rule {
        let Some(Members { user: Some(users), group: Some(groups) }) =
            self.read.and_then(|reading| reading.restrictions)
        else {
            return Rule::Unknown;
        };
        if users.results.is_empty() && groups.results.is_empty() {
            return Rule::Everyone;
        }
        Rule::Only {
            // Whoever cannot be named does not pass; that there is a restriction stays.
            users: users.results.iter().filter_map(User::key).collect(),
            groups: groups.results.into_iter().map(|group| group.name).collect::<BTreeSet<_>>(),
        }
    }
}

/// A group of REST v1.
#[derive(Debug, Deserialize)]
pub(super) struct Group {
    #[serde(default)]
    pub(super) name: String,
    #[serde(default, deserialize_with = "maybe_id")]
    pub(super) id: Option<String>,
}

/// A user of REST v1.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct User {
    #[serde(default)]
    account_id: Option<String>,
    #[serde(default)]
    user_key: Option<String>,
    #[serde(default)]
    username: Option<String>,
    #[serde(default)]
    email: Option<String>,
    #[serde(default)]
    display_name: Option<String>,
    #[serde(default)]
    public_name: Option<String>,
    /// The time zone of the profile.
    #[serde(default)]
    pub(super) time_zone: Option<String>,
}

impl User {
    /// The stable key: the account on Cloud, the user key on Data Center.
    pub(super) fn key(&self) -> Option<PersonKey> {
        let key = self.account_id.as_ref().or(self.user_key.as_ref()).or(self.username.as_ref());
        key.filter(|key| !key.is_empty()).map(PersonKey::new)
    }

    pub(super) fn name(&self) -> Option<&str> {
        [&self.display_name, &self.public_name, &self.username]
            .into_iter()
            .flatten()
            .map(String::as_str)
            .find(|name| !name.is_empty())
    }

    pub(super) fn person(&self) -> Option<Person> {
        let key = self.key()?;
        let name = self.name().unwrap_or(key.as_str()).to_owned();
        let also = [&self.username, &self.email].into_iter().flatten();
        let also = also.filter(|also| !also.is_empty() && **also != name).cloned().collect();
        Some(Person { key, name, also })
    }
}

/// A space with its permissions (v1).
#[derive(Debug, Deserialize)]
pub(super) struct SpaceRights {
    #[serde(default)]
    pub(super) permissions: Option<Vec<SpacePermission>>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct SpacePermission {
    #[serde(default)]
    operation: Operation1,
    #[serde(default)]
    subjects: Option<Members>,
    #[serde(default)]
    anonymous_access: bool,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Operation1 {
    #[serde(default)]
    operation: String,
    #[serde(default)]
    target_type: String,
}

impl SpacePermission {
    /// Whether it lets somebody view the space.
    pub(super) fn lets_view(&self) -> bool {
        self.operation.operation == "read" && self.operation.target_type == "space"
    }

    /// Whether it is for whoever comes.
    pub(super) fn is_for_all(&self) -> bool {
        self.anonymous_access
    }

    /// Whom it is for.
    pub(super) fn who(self) -> (BTreeSet<PersonKey>, BTreeSet<String>) {
        let Members { user, group } = self.subjects.unwrap_or_default();
        let users = user.unwrap_or_default().results.iter().filter_map(User::key).collect();
        (users, group.unwrap_or_default().results.into_iter().map(|group| group.name).collect())
    }
}

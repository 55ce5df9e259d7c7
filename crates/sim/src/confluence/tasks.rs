//! Tasks: they stand in the bodies of pages, and are read out of them when somebody asks. It must not know any
//! interface.

use super::site::{Content, ContentId, SpaceId, UserId};
use jiff::Timestamp;

/// A task of a page.
#[derive(Clone, Debug)]
pub struct Task {
    /// Its number in the site.
    pub id: u64,
    /// Its number in the page.
    pub local: String,
    /// The page or blog post.
    pub container: ContentId,
    /// Whether that is a blog post.
    pub on_blog: bool,
    /// The space.
    pub space: SpaceId,
    /// Whether it is done.
    pub done: bool,
    /// What is to be done, in storage format.
    pub body: String,
    /// Who wrote it.
    pub by: Option<UserId>,
    /// Who is to do it.
    pub assigned: Option<String>,
    /// The day it is due, as the page says.
    pub due: Option<String>,
    /// When the page was written.
    pub at: Timestamp,
}

/// The tasks that stand in a content.
pub fn of(content: &Content, on_blog: bool) -> Vec<Task> {
    let edition = content.newest();
    let between = |text: &str, open: &str, close: &str| {
        let (_, rest) = text.split_once(open)?;
        Some(rest.split_once(close)?.0.to_owned())
    };
    let task = |text: &str| {
        let local = between(text, "<ac:task-id>", "</ac:task-id>")?;
        let number: u64 = local.parse().ok()?;
        let body = between(text, "<ac:task-body>", "</ac:task-body>").unwrap_or_default();
        Some(Task {
            id: content.id.0 * 1000 + number % 1000,
            local,
            container: content.id,
            on_blog,
            space: content.space,
            done: text.contains("<ac:task-status>complete<"),
            by: edition.by.clone(),
            assigned: between(&body, "ri:account-id=\"", "\""),
            due: between(&body, "<time datetime=\"", "\"").map(|day| format!("{day}T00:00:00.000Z")),
            at: edition.at,
            body,
        })
    };
    edition.body.split("<ac:task>").skip(1).filter_map(task).collect()
}

#[cfg(test)]
mod tests {
    use super::super::loading::small;
    use super::super::site::Deployment;
    use super::*;

    #[test]
    fn tasks_are_read_out_of_a_body() {
        let site = small(Deployment::Cloud);
        let found = of(site.content(ContentId(1002)).unwrap(), false);
        let words: Vec<_> =
            found.iter().map(|task| (task.local.as_str(), task.done, task.assigned.as_deref())).collect();
        assert_eq!(words, [("1", false, Some("acc-admin")), ("2", true, None)]);
        assert_eq!(found[0].due.as_deref(), Some("2026-04-05T00:00:00.000Z"));
    }
}

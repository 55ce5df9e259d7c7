//! Tasks in the second version of the interface. It must not know how they are read out of pages.

use super::cloud_v2::{MOST, format_of};
use super::exchange::{Answer, Refusal, Response};
use super::site::{Content, Kind, Status};
use super::tasks::{self, Task};
use super::turning::{Call, limit, list_v2, turn};
use super::v2_shapes as shapes;

fn there_are(call: &Call<'_>) -> Vec<Task> {
    let holds = |content: &&Content| {
        matches!(content.kind, Kind::Page | Kind::BlogPost)
            && content.status == Status::Current
            && call.sees(content)
    };
    let found = call.site.contents().filter(holds);
    found.flat_map(|content| tasks::of(content, content.kind == Kind::BlogPost)).collect()
}

/// The tasks that the request asks for.
pub fn list(call: &Call<'_>) -> Answer {
    let format = format_of(call, false)?;
    let numbers = |name: &str| call.request.all(name).into_iter().map(str::to_owned).collect::<Vec<_>>();
    let (ids, spaces) = (numbers("task-id"), numbers("space-id"));
    let (pages, blogs) = (numbers("page-id"), numbers("blogpost-id"));
    let (assigned, makers) = (numbers("assigned-to"), numbers("created-by"));
    let status = call.request.one("status");
    let from: Option<i64> = call.request.one("created-at-from").and_then(|from| from.parse().ok());
    let to: Option<i64> = call.request.one("created-at-to").and_then(|to| to.parse().ok());
    let has = |wanted: &[String], found: &str| wanted.is_empty() || wanted.iter().any(|one| one == found);
    let wanted = |task: &Task| {
        let (container, at) = (task.container.to_string(), task.at.as_millisecond());
        has(&ids, &task.id.to_string())
            && has(&spaces, &task.space.0.to_string())
            && ((pages.is_empty() && blogs.is_empty())
                || pages.contains(&container)
                || blogs.contains(&container))
            && has(&assigned, task.assigned.as_deref().unwrap_or_default())
            && has(&makers, task.by.as_ref().map_or("", |by| &by.0))
            && status.is_none_or(|status| (status == "complete") == task.done)
            && from.is_none_or(|from| at >= from)
            && to.is_none_or(|to| at <= to)
    };
    let found = there_are(call).into_iter().filter(wanted);
    let rows = found.map(|task| ((String::new(), task.id), shapes::task(&task, format))).collect();
    Ok(list_v2(call, turn(call, rows, false, limit(call, 25, MOST)?)?))
}

/// One task.
pub fn one(call: &Call<'_>, id: &str) -> Answer {
    let format = format_of(call, false)?;
    let found = there_are(call).into_iter().find(|task| task.id.to_string() == id);
    found
        .map(|task| Response::ok(&shapes::task(&task, format)))
        .ok_or_else(|| Refusal::new(404, "Task not found"))
}

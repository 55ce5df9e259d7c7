//! From the words of a header, a label or a turn of phrase to a relation. It must not know blocks. Invariant: a
//! relation is lower snake case, begins with a letter, and is at most 40 letters long.

/// Longest relation; longer headers are sentences.
const RELATION_CHARS: usize = 40;

/// Headers and labels whose relation has a name of its own.
#[rustfmt::skip]
const SAME: &[(&str, &[&str])] = &[
    ("owned_by", &[
        "owner", "owners", "owned by", "product owner", "service owner", "page owner", "owning team",
        "owner team",
    ]),
    ("maintained_by", &["maintainer", "maintainers", "maintained by"]),
    ("depends_on", &["depends on", "dependency", "dependencies"]),
    ("required_by", &["required by", "used by"]),
    ("replaced_by", &["replaced by", "superseded by", "replacement"]),
    ("replaces", &["replaces", "supersedes"]),
    ("runs_on", &["runs on"]),
    ("written_in", &["written in", "language", "programming language"]),
    ("part_of", &["part of"]),
    ("status", &["status", "state", "current status"]),
    ("on_call", &["on call", "on-call", "oncall", "on-call team", "on call team"]),
    ("version", &["version", "release version", "versions", "current version"]),
    ("team", &["team", "responsible team"]),
    ("lead", &["lead", "tech lead", "team lead"]),
    ("contact", &["contact", "contacts", "contact person", "point of contact"]),
    ("responsible", &["responsible", "who"]),
    ("assigned_to", &["assignee", "assigned to"]),
    ("due", &["due", "due date", "deadline"]),
    ("repository", &[
        "repo", "repository", "github repo", "git repo", "github repository", "git repository",
        "source code",
    ]),
    ("slack_channel", &["slack", "slack channel"]),
    ("default_value", &["default", "default value", "default values", "defaults"]),
    ("example", &["example", "examples", "sample", "sample value", "eg", "e.g", "example value"]),
    ("type", &["type", "data type", "datatype"]),
    ("required", &["is mandatory", "mandatory", "required", "is required"]),
    ("value", &["value", "values"]),
    ("note", &["comment", "comments", "note", "notes", "remark", "remarks"]),
    ("described_as", &[
        "description", "descriptions", "details", "detail", "meaning", "definition", "explanation",
        "what it does", "what does it do", "about", "info", "information", "behaviour", "behavior",
    ]),
    ("since", &["since", "start date", "valid from", "effective from", "effective date", "effective"]),
    ("until", &["until", "end date", "valid to", "valid until", "expires", "expiry", "expiry date"]),
];

/// Relations that hold one value at a time on a page, whatever the table.
#[rustfmt::skip]
const SINGLE: &[&str] = &[
    "owned_by", "maintained_by", "status", "on_call", "version", "team", "lead", "due", "assigned_to",
    "responsible", "priority", "severity", "phase", "value", "default_value", "type", "required",
    "release_date", "due_date", "replaced_by", "written_in", "repository", "retention", "slack_channel",
    "contact", "environment", "stage", "progress",
];

/// Labels that a page gives as properties of itself wherever they stand, even without markup.
#[rustfmt::skip]
const PROPERTIES: &[&str] = &[
    "owned_by", "maintained_by", "status", "on_call", "version", "team", "lead", "contact", "assigned_to",
    "due", "repository", "slack_channel", "written_in", "depends_on", "replaced_by", "runs_on", "part_of",
    "author", "authors", "reviewer", "reviewers", "last_updated", "last_reviewed", "severity", "priority",
    "release_date", "environment", "operating_system", "license", "licence", "region", "namespace",
    "hostname", "port", "epic", "sprint", "approver",
];

/// Headers that name rows by position, not by name.
const COUNTERS: &[&str] =
    &["#", "no", "no.", "nr", "s.no", "s no", "s no.", "sl no", "sl. no", "sl.no", "sr no", "sno", "s.no."];

/// Headers and labels that say nothing about the relation.
#[rustfmt::skip]
const EMPTY: &[&str] = &[
    "step", "steps", "action", "actions", "instruction", "instructions", "item", "thing", "how", "what",
    "why", "when", "where", "to", "from", "old", "new", "before", "after", "a", "b", "question", "answer",
    "col", "column",
];

/// The lower case words of a header without units, marks and the like.
fn words(header: &str) -> String {
    let cut = header.split(['(', '[']).next().unwrap_or_default();
    let kept = cut.replace(['_', '/'], " ").to_lowercase();
    let words = kept
        .split_whitespace()
        .map(|word| word.trim_matches(|c: char| !c.is_alphanumeric() && c != '#' && c != '.'));
    words.filter(|word| !word.is_empty()).collect::<Vec<_>>().join(" ")
}

/// The relation that a header or label stands for; none where it says nothing.
pub(super) fn from_header(header: &str) -> Option<String> {
    let words = words(header);
    let trimmed = words.trim_end_matches('.');
    if let Some((relation, _)) = SAME.iter().find(|(_, forms)| forms.contains(&trimmed)) {
        return Some((*relation).to_owned());
    }
    if is_counter(header) || EMPTY.contains(&trimmed) || trimmed.split(' ').count() > 5 {
        return None;
    }
    let snake: String = trimmed.chars().map(|c| if c.is_alphanumeric() { c } else { '_' }).collect();
    let snake = snake.split('_').filter(|part| !part.is_empty()).collect::<Vec<_>>().join("_");
    let good = snake.starts_with(char::is_alphabetic)
        && (2..=RELATION_CHARS).contains(&snake.chars().count())
        && !snake.strip_prefix("column_").is_some_and(|rest| rest.bytes().all(|byte| byte.is_ascii_digit()));
    good.then_some(snake)
}

/// A header such as `S.No` or `#`.
pub(super) fn is_counter(header: &str) -> bool {
    let plain = header.trim().to_lowercase();
    COUNTERS.contains(&plain.as_str()) || plain.chars().all(|c| c.is_ascii_digit() || c == '.')
}

/// Whether a newer value of this relation replaces the older.
pub(super) fn is_single(relation: &str) -> bool {
    SINGLE.contains(&relation)
}

/// Whether a label without any markup is still certainly a property.
pub(super) fn is_property(relation: &str) -> bool {
    PROPERTIES.contains(&relation)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_become_relations_and_junk_does_not() {
        let cases = [
            ("Owner", Some("owned_by")),
            ("Recovery point objective (RPO)", Some("recovery_point_objective")),
            ("Github Repo", Some("repository")),
            ("Build Tag", Some("build_tag")),
            ("IS MANDATORY", Some("required")),
            ("#", None),
            ("S.No", None),
            ("1", None),
            ("", None),
            ("Column 1", None),
            ("Certificate layout where the user can change the logo", None),
        ];
        for (header, expected) in cases {
            assert_eq!(from_header(header).as_deref(), expected, "{header}");
        }
    }
}

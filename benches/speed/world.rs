//! The synthetic wiki as a world that a run works on, with a model that reads in it what it was made of. Must not know
//! what the run does with it.

use super::wiki::{Page, SPACES, Wiki};
use highwater::error::Result;
use highwater::sources::Ask;
use highwater::world::{Task, World};
use knowledge::audience::{Group, Layer, LayerId, Rule};
use knowledge::extract::{Shown, chunks_shown};
use knowledge::id::{PageId, PersonKey, SpaceKey, Version};
use knowledge::page::{BodyFormat, PageKind, PageRef, Person, RawPage, Space};
use knowledge::prompt::{Prompt, Reply, Usage};
use knowledge::record::{Answered, Listed, Record};
use knowledge::time::{Timestamp, parse};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::future::Future;

/// Who looks: one of the staff, who sees neither the board's space nor what is the inner circle's.
pub const VIEWER: &str = "p0";

/// The wiki as a source and a model give it.
#[derive(Clone, Copy)]
pub struct Synthetic(pub Wiki);

impl World for Synthetic {
    fn perform(&self, task: Task) -> impl Future<Output = Result<Vec<Record>>> + Send + 'static {
        let record = match task {
            Task::Read(Ask::List { sweep, .. }) => Record::Listed(self.listed(sweep)),
            Task::Read(Ask::Fetch { page, .. }) => Record::Fetched(Box::new(self.fetched(page.as_str()))),
            Task::Ask(question) => Record::Answered(Box::new(Answered {
                pack: question.pack,
                endpoint: question.endpoint,
                sent_at: self.now(),
                reply: self.reply(&question.prompt),
            })),
            other => panic!("nobody is asked: {other:?}"),
        };
        async move { Ok(vec![record]) }
    }

    fn now(&self) -> Timestamp {
        Timestamp::now()
    }

    async fn wait_until(&self, _: Timestamp) {}
}

impl Synthetic {
    fn listed(&self, sweep: u32) -> Listed {
        let wiki = &self.0;
        let page = |number: usize| PageRef {
            id: PageId::new(number.to_string()),
            space: space(wiki.page(number).space),
            version: Some(Version(1)),
            history: Vec::new(),
            above: None,
            fingerprint: "1".to_owned(),
            locator: String::new(),
        };
        let person = |number: usize| Person { key: key(number), name: wiki.person(number), also: Vec::new() };
        let group = |name: &str, members: BTreeSet<PersonKey>| Group { name: name.to_owned(), members };
        let only = |id: LayerId, group: &str| Layer {
            id,
            rule: Rule::Only { users: BTreeSet::new(), groups: BTreeSet::from([group.to_owned()]) },
        };
        let closed = (0..wiki.pages).filter(|number| wiki.page(*number).closed);
        let mut layers: Vec<Layer> =
            closed.map(|number| only(LayerId::Page(PageId::new(number.to_string())), "inner")).collect();
        layers.push(only(LayerId::Space(space(SPACES - 1)), "board"));
        Listed {
            sweep,
            wiki: "synthetic".to_owned(),
            pages: (0..wiki.pages).map(page).collect(),
            people: (0..wiki.people).map(person).collect(),
            spaces: (0..SPACES).map(|at| Space { key: space(at), name: format!("Space {at}") }).collect(),
            layers,
            groups: vec![
                group("staff", (0..wiki.people).map(key).collect()),
                group("inner", (1..4).map(key).collect()),
                group("board", (4..6).map(key).collect()),
            ],
            ..Listed::default()
        }
    }

    fn fetched(&self, id: &str) -> RawPage {
        let number: usize = id.parse().unwrap();
        let page = self.0.page(number);
        RawPage {
            id: PageId::new(id),
            space: space(page.space),
            kind: PageKind::Page,
            version: Version(1),
            body: body(&page),
            title: page.title,
            format: BodyFormat::Markdown,
            created: parse("2024-01-15"),
            modified: parse(&format!("2025-{:02}-{:02}", 1 + number % 12, 1 + number % 28)),
            author: Some(key(page.author)),
            editor: Some(key(page.editor)),
            parent: None,
            ancestors: Vec::new(),
            labels: vec![page.label.to_owned()],
            attachments: Vec::new(),
            link: None,
            historical: false,
        }
    }

    /// What the chunks of a prompt say, and that no two things are one.
    fn reply(&self, prompt: &Prompt) -> Reply {
        let answer = match prompt.schema_name.as_str() {
            "extraction" => {
                let chunks: Vec<Value> =
                    chunks_shown(&prompt.text).iter().map(|shown| self.read(shown)).collect();
                json!({ "chunks": chunks })
            }
            "verdicts" => {
                let lines = prompt.text.lines().filter(|line| line.starts_with('{'));
                json!({ "verdicts": lines.map(verdict).collect::<Vec<Value>>() })
            }
            _ => json!({ "summaries": [] }),
        };
        Reply { text: answer.to_string(), usage: Usage::default(), ..Reply::default() }
    }

    fn read(&self, shown: &Shown<'_>) -> Value {
        let title = shown.place.split(" > ").nth(1).unwrap_or_default();
        let number: usize = title.rsplit(' ').next().and_then(|word| word.parse().ok()).unwrap();
        let page = self.0.page(number);
        let (mut names, mut entities, mut facts) = (Vec::new(), Vec::new(), Vec::new());
        let all = page.sections.iter().flat_map(|(_, said)| said);
        for said in all.filter(|said| shown.text.contains(&said.sentence)) {
            let ends = [said.subject, said.object].map(|entity| {
                let name = self.0.name(entity);
                names.iter().position(|known| *known == name).unwrap_or_else(|| {
                    entities.push(json!({ "name": name, "type": self.0.kind(entity) }));
                    names.push(name);
                    names.len() - 1
                })
            });
            facts.push(json!({
                "subject": ends[0], "relation": self.0.relation(said.relation).1, "object": ends[1],
                "quote": said.sentence, "fact": "", "valid_at": null, "invalid_at": null,
            }));
        }
        json!({ "chunk": shown.number, "entities": entities, "facts": facts })
    }
}

fn verdict(line: &str) -> Value {
    let question: Value = serde_json::from_str(line).unwrap();
    let verdict = if question["names"].is_array() { "different" } else { "unrelated" };
    json!({ "question": question["question"], "verdict": verdict })
}

fn body(page: &Page) -> String {
    let mut body = String::new();
    for (heading, said) in &page.sections {
        body.push_str(&format!("## {heading}\n\n"));
        for paragraph in said.chunks(3) {
            let sentences: Vec<&str> = paragraph.iter().map(|said| said.sentence.as_str()).collect();
            body.push_str(&sentences.join(" "));
            body.push_str("\n\n");
        }
    }
    body
}

fn space(at: usize) -> SpaceKey {
    SpaceKey::new(format!("S{at}"))
}

fn key(number: usize) -> PersonKey {
    PersonKey::new(format!("p{number}"))
}

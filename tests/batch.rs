//! Batch engines over a real socket, against a small server in this process that keeps files and jobs as the vendors
//! document it, and counts the jobs it was given. They prove our reading of the documents, not the vendors.

#![allow(clippy::unwrap_used)] // A test that cannot set itself up has failed.

mod engines;

use engines::{Ending, Engines, VENDORS};
use highwater::models::batch::Pauses;
use highwater::models::{Answerer, Endpoint, dialect};
use highwater::secret::KeySource;
use highwater::world::http::{Bounds, Http};
use highwater::world::live::{Live, Models};
use highwater::world::{Batch, Task, World};
use knowledge::batch::Job;
use knowledge::id::{BatchKey, PackId};
use knowledge::prompt::{Finish, Prompt};
use knowledge::record::{BatchEnded, Record};
use serde_json::json;
use std::collections::BTreeMap;
use std::time::Duration;

const KEY: &str = "sk-the-key-that-nobody-sees";
/// Requests in a job of these tests.
const REQUESTS: usize = 7;

fn endpoint(vendor: &str, url: &str) -> Endpoint {
    let base = if vendor == "openai" { format!("{url}/v1") } else { url.to_owned() };
    Endpoint {
        vendor: vendor.into(),
        model: "some-model".into(),
        base_url: Some(base),
        project: Some("wiki-prod".into()),
        batch_bucket: Some("gs://wiki-batches/highwater".into()),
        storage_url: Some(url.into()),
        key: Some(KeySource::Env("KEY".into())),
        ..Endpoint::default()
    }
}

fn world(vendor: &str, url: &str) -> Live {
    let bounds = Bounds { connect: Duration::from_secs(5), total: Duration::from_secs(20), body: 1 << 20 };
    let dialect = dialect(&endpoint(vendor, url), |_| Some(KEY.to_owned())).unwrap();
    let pauses = Pauses { first: Duration::from_millis(1), longest: Duration::from_millis(5) };
    Live::without_wiki().with_models(Models {
        answerers: vec![Answerer::Vendor(dialect)],
        http: Http::new(bounds).unwrap(),
        pauses,
    })
}

fn prompt(number: usize) -> Prompt {
    Prompt {
        system: "Never changes.".into(),
        text: format!("Question {number}, \"quoted\"\nand on."),
        schema_name: "extraction".into(),
        schema: json!({"type": "object", "properties": {"z": {"type": "string"}, "a": {"type": "string"}}, "required": ["z", "a"]}),
        max_output_tokens: 100,
    }
}

fn pack(number: usize) -> PackId {
    PackId::of(&[&number.to_le_bytes()])
}

fn task() -> Batch {
    let packs = (0..REQUESTS).map(pack).collect();
    // A moment before the jobs of the server.
    let since = "2026-03-01T12:00:00Z".parse().unwrap();
    let known = vec!["known-job".to_owned()];
    Batch {
        endpoint: 0,
        job: Job { key: BatchKey::of(&[b"this one"]), packs, since, known },
        name: None,
        may_be_there: false,
        prompts: (0..REQUESTS).map(prompt).collect(),
    }
}

fn perform(world: &Live, task: Batch) -> highwater::error::Result<Vec<Record>> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        tokio::time::timeout(Duration::from_secs(60), world.perform(Task::Batch(Box::new(task))))
            .await
            .unwrap()
    })
}

/// Sends the job; the engine's name for it.
fn sent(world: &Live, task: Batch) -> String {
    let records = perform(world, task).unwrap();
    let [Record::Submitted { name, .. }] = &records[..] else { panic!("{records:?}") };
    name.clone()
}

/// What a job came to: what was answered to each request, and its end.
struct Came {
    answers: BTreeMap<usize, Result<String, String>>,
    ended: BatchEnded,
}

fn collected(world: &Live, name: &str) -> Came {
    let task = Batch { name: Some(name.to_owned()), prompts: Vec::new(), ..task() };
    let mut records = perform(world, task).unwrap();
    let Some(Record::BatchEnded(ended)) = records.pop() else { panic!("the end does not come last") };
    let numbers: BTreeMap<PackId, usize> = (0..REQUESTS).map(|number| (pack(number), number)).collect();
    let mut answers = BTreeMap::new();
    for record in records {
        let Record::Answered(answered) = record else { panic!("{record:?}") };
        let said = match answered.reply.finish {
            Finish::Refused(why) => Err(why),
            _ => Ok(answered.reply.text),
        };
        assert!(answers.insert(numbers[&answered.pack], said).is_none(), "answered twice");
    }
    assert_eq!(answers.len() + ended.missing.len(), REQUESTS, "something is neither answered nor missing");
    assert!(!format!("{ended:?}").contains(KEY));
    Came { answers, ended }
}

/// What the server says to a request.
fn expected(number: usize) -> Result<String, String> {
    Ok(engines::said(&prompt(number).text))
}

#[test]
fn a_job_is_sent_waited_for_and_its_answers_are_told_apart_in_any_order() {
    for vendor in VENDORS {
        let server = Engines::serve(vendor);
        let world = world(vendor, &server.url);
        let name = sent(&world, task());
        let came = collected(&world, &name);
        let all: BTreeMap<_, _> = (0..REQUESTS).map(|number| (number, expected(number))).collect();
        assert_eq!(came.answers, all, "{vendor}");
        assert!(came.ended.missing.is_empty() && !came.ended.halts, "{vendor}: {:?}", came.ended);
        let seen = server.seen();
        assert_eq!(seen.created, 1, "{vendor}");
        assert!(seen.polls > 2, "{vendor}: the job was looked at {} times", seen.polls);
        assert!(seen.keys.iter().all(|key| key == KEY), "{vendor}: somebody asked without the key");
        assert!(seen.bodies.iter().all(|body| !body.contains(KEY)), "{vendor}");
        // Models write in the order of a schema's properties.
        assert!(seen.bodies.iter().any(|body| body.find("\"z\"") < body.find("\"a\"")), "{vendor}");
    }
}

#[test]
fn requests_that_fail_are_refused_or_owed_again_and_the_rest_is_kept() {
    for vendor in VENDORS {
        let server = Engines::serve(vendor);
        server.ending(Ending::Partly);
        let world = world(vendor, &server.url);
        let came = collected(&world, &sent(&world, task()));
        // Request 1 is refused for good, request 2 may be had later, the rest is answered.
        assert!(came.answers[&1].as_ref().unwrap_err().contains("400"), "{vendor}: {:?}", came.answers[&1]);
        assert_eq!(came.ended.missing, [pack(2)], "{vendor}");
        for number in [0, 3, 4, 5, 6] {
            assert_eq!(came.answers[&number], expected(number), "{vendor}");
        }
        assert!(!came.ended.halts, "{vendor}: {:?}", came.ended);
    }
}

#[test]
fn of_a_job_that_expires_what_it_answered_is_kept() {
    for vendor in VENDORS {
        let server = Engines::serve(vendor);
        server.ending(Ending::Expired);
        let world = world(vendor, &server.url);
        let came = collected(&world, &sent(&world, task()));
        assert_eq!(came.answers.keys().copied().collect::<Vec<_>>(), [0, 1, 2], "{vendor}");
        assert_eq!(came.ended.missing, [3, 4, 5, 6].map(pack), "{vendor}");
    }
}

#[test]
fn a_job_that_nobody_knows_any_more_is_lost_and_all_of_it_is_owed() {
    for vendor in VENDORS {
        let server = Engines::serve(vendor);
        server.ending(Ending::Lost);
        let world = world(vendor, &server.url);
        let came = collected(&world, &sent(&world, task()));
        assert_eq!(came.ended.missing.len(), REQUESTS, "{vendor}");
        assert!(came.ended.why.contains("does not know"), "{vendor}: {}", came.ended.why);
    }
}

#[test]
fn lines_twice_of_strangers_broken_and_cut_off_do_no_harm() {
    for vendor in VENDORS.into_iter().filter(|vendor| *vendor != "gemini") {
        let server = Engines::serve(vendor);
        server.ending(Ending::Messy);
        let world = world(vendor, &server.url);
        let came = collected(&world, &sent(&world, task()));
        // The last line is cut off; the rest stands once, as it was said first.
        let kept: BTreeMap<_, _> = (0..REQUESTS - 1).map(|number| (number, expected(number))).collect();
        assert_eq!(came.answers, kept, "{vendor}");
        assert_eq!(came.ended.missing, [pack(REQUESTS - 1)], "{vendor}");
    }
}

#[test]
fn a_job_that_a_dead_process_created_is_adopted_by_its_key() {
    for vendor in VENDORS {
        let server = Engines::serve(vendor);
        let world = world(vendor, &server.url);
        let first = sent(&world, task());
        let again = sent(&world, Batch { may_be_there: true, ..task() });
        assert_eq!((server.seen().created, &again), (1, &first), "{vendor}");
        assert_eq!(collected(&world, &again).answers.len(), REQUESTS, "{vendor}");
    }
}

#[test]
fn a_job_that_a_dead_process_did_not_create_is_sent_once() {
    for vendor in VENDORS {
        let server = Engines::serve(vendor);
        let world = world(vendor, &server.url);
        let name = sent(&world, Batch { may_be_there: true, ..task() });
        assert_eq!(server.seen().created, 1, "{vendor}");
        assert_eq!(collected(&world, &name).answers.len(), REQUESTS, "{vendor}");
    }
}

#[test]
fn a_creation_whose_answer_is_lost_is_found_and_not_repeated() {
    for vendor in VENDORS {
        let server = Engines::serve(vendor);
        server.hang_up_at_creation();
        let world = world(vendor, &server.url);
        let name = sent(&world, task());
        assert_eq!(server.seen().created, 1, "{vendor}");
        assert_eq!(collected(&world, &name).answers.len(), REQUESTS, "{vendor}");
    }
}

#[test]
fn failures_on_the_way_are_waited_out_and_a_wrong_key_halts() {
    for vendor in VENDORS {
        let server = Engines::serve(vendor);
        server.fail_next(&[503, 429, 500]);
        let world = world(vendor, &server.url);
        let name = sent(&world, task());
        server.fail_next(&[503, 429]);
        assert_eq!(collected(&world, &name).answers.len(), REQUESTS, "{vendor}");
        assert_eq!(server.seen().created, 1, "{vendor}");
        server.fail_next(&[401]);
        // The job was not taken: its packs are owed again, and another job is of no use.
        let records = perform(&world, task()).unwrap();
        let [Record::BatchEnded(ended)] = &records[..] else { panic!("{vendor}: {records:?}") };
        assert!(ended.halts && ended.missing.len() == REQUESTS, "{vendor}: {ended:?}");
        assert!(ended.why.contains("401") && !ended.why.contains(KEY), "{vendor}: {}", ended.why);
    }
}

#[test]
fn a_job_that_fails_whole_says_why() {
    for vendor in VENDORS.into_iter().filter(|vendor| *vendor != "anthropic") {
        let server = Engines::serve(vendor);
        server.ending(Ending::Failed);
        let world = world(vendor, &server.url);
        let came = collected(&world, &sent(&world, task()));
        assert_eq!(came.ended.missing.len(), REQUESTS, "{vendor}");
        assert!(came.ended.why.contains("the model is not for batches"), "{vendor}: {}", came.ended.why);
    }
}

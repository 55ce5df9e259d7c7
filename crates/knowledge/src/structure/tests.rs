//! What the rules read in small pages, and what they must not.

use super::*;
use crate::chunk::{CHUNK_CHARS, Form};
use crate::graph::{Key, Object};
use crate::id::{PageId, PersonKey, SpaceKey, Version};
use crate::page::{Attachment, BodyFormat, PageKind};
use crate::read::document;
use crate::time::parse;
use proptest::prelude::*;
use std::collections::BTreeSet;

fn page(title: &str, body: &str) -> RawPage {
    RawPage {
        id: PageId::new("42"),
        space: SpaceKey::new("OPS"),
        kind: PageKind::Page,
        version: Version(7),
        title: title.to_owned(),
        format: BodyFormat::Storage,
        body: body.to_owned(),
        created: parse("2026-01-02"),
        modified: parse("2026-02-02T10:00:00Z"),
        author: Some(PersonKey::new("ann")),
        editor: Some(PersonKey::new("bob")),
        parent: Some(PageId::new("40")),
        ancestors: vec!["Home".into(), "Services".into()],
        labels: vec!["runbook".into()],
        attachments: vec![],
        link: None,
        historical: false,
    }
}

/// `subject relation object` for all claims of one form.
fn said(page: &RawPage, form: Form) -> Vec<String> {
    let document = document(page.format, &page.body);
    let pieces = pieces(page, &document, CHUNK_CHARS).into_iter().filter(|(chunk, _)| chunk.form == form);
    pieces.flat_map(|(_, reading)| claims_of(&reading)).collect()
}

fn claims_of(reading: &Reading) -> Vec<String> {
    let name = |at: u32| reading.mentions[at as usize].name.clone();
    let claim = |claim: &crate::graph::Claim| {
        let object = match &claim.object {
            Object::Named(at) => format!("[{}]", name(*at)),
            Object::Value(text) => text.clone(),
        };
        format!("{} {} {object}", name(claim.subject), claim.relation)
    };
    reading.claims.iter().map(claim).collect()
}

fn texts(title: &str, body: &str) -> Vec<String> {
    said(&page(title, body), Form::Text)
}

#[test]
fn cards_say_what_the_wiki_knows() {
    let mut page = page("Ledger", "");
    page.attachments = vec![Attachment {
        name: "flow.png".into(),
        media_type: Some("image/png".into()),
        size_bytes: None,
        uploaded: parse("2026-01-05"),
        by: Some(PersonKey::new("bob")),
    }];
    let expected = [
        "Ledger in_space [OPS]",
        "Ledger same_as [Ledger]",
        "Ledger child_of [Services]",
        "Ledger labelled [runbook]",
        "Ledger has_attachment [flow.png]",
        "flow.png uploaded_by [bob]",
        "Ledger created_by [ann]",
        "Ledger edited_by [bob]",
    ];
    assert_eq!(said(&page, Form::Card), expected);
    let cards = pieces(&page, &Document::default(), CHUNK_CHARS);
    assert_eq!(cards[4].0.text, "Version 7 was written by @{bob} on 2026-02-02.");
    assert_eq!(cards[4].1.claims[0].valid_at, page.modified);
}

#[test]
fn a_new_version_changes_only_the_card_of_the_edit() {
    let first = page("Ledger", "");
    let second = RawPage { version: Version(8), modified: parse("2026-03-03"), ..first.clone() };
    let ids = |page: &RawPage| -> BTreeSet<_> {
        pieces(page, &Document::default(), CHUNK_CHARS).iter().map(|(chunk, _)| chunk.id).collect()
    };
    assert_eq!(ids(&first).difference(&ids(&second)).count(), 1);
}

#[test]
fn a_comment_is_on_a_page_and_is_not_linked_by_title() {
    let comment = RawPage {
        kind: PageKind::Comment { on: PageId::new("9"), quoted: Some("these words".into()) },
        title: String::new(),
        ..page("", "")
    };
    let said = said(&comment, Form::Card);
    assert!(said.contains(&"comment 42 comments_on [9]".to_owned()), "{said:?}");
    assert!(!said.iter().any(|claim| claim.contains("same_as")));
}

#[test]
fn page_properties_are_of_the_page() {
    let body = r#"<ac:structured-macro ac:name="details"><ac:rich-text-body><table><tbody>
        <tr><th>Owner</th><td><ac:link><ri:user ri:account-id="ann"/></ac:link></td></tr>
        <tr><th>Status</th><td>Live</td></tr><tr><th>Notes</th><td></td></tr>
        </tbody></table></ac:rich-text-body></ac:structured-macro>"#;
    let named = |name: &str| texts("Ledger", &format!("<p>Owner: {name}</p>")).join("; ");
    assert!(named("Team A").contains("Team A") && named("Team B").contains("Team B"), "{}", named("Team A"));
    let said = texts("Ledger", body);
    assert!(said.contains(&"Ledger owned_by [ann]".to_owned()), "{said:?}");
    assert!(said.contains(&"Ledger status Live".to_owned()), "{said:?}");
    assert!(said.contains(&"Ledger mentions [ann]".to_owned()), "{said:?}");
}

#[test]
fn a_table_with_a_thing_a_row_says_its_columns() {
    let body = "<table><tbody><tr><th>#</th><th>Service</th><th>Owner</th><th>Since</th><th>Runs on</th></tr>
        <tr><td>1</td><td>ledger-service</td><td>Team Blue</td><td>2026-01-05</td><td>Kubernetes, Redis</td></tr>
        <tr><td>2</td><td>mail-service</td><td>-</td><td></td><td>TBD</td></tr></tbody></table>";
    let said = texts("Services", body);
    let expected = [
        "ledger-service owned_by [Team Blue]",
        "ledger-service since 2026-01-05",
        "ledger-service runs_on [Kubernetes]",
        "ledger-service runs_on [Redis]",
    ];
    assert_eq!(said, expected);
    let page = page("Services", body);
    let document = document(page.format, &page.body);
    let readings = pieces(&page, &document, CHUNK_CHARS);
    let owner = &readings.last().unwrap().1.claims[0];
    assert_eq!(owner.valid_at, parse("2026-01-05"));
    assert!(owner.single);
}

#[test]
fn tables_that_are_not_understood_say_nothing() {
    let dates = "<table><tbody><tr><th>Start date</th><th>End date</th></tr>
        <tr><td>2026-01-05</td><td>2026-01-09</td></tr></tbody></table>";
    let steps = "<table><tbody><tr><th>Step</th><th>Action</th></tr>
        <tr><td>Stop the service</td><td>Press the button</td></tr></tbody></table>";
    for body in [dates, steps] {
        assert_eq!(texts("Page", body), Vec::<String>::new(), "{body}");
    }
}

#[test]
fn one_telling_word_is_a_name_where_something_beside_it_says_so() {
    let body = "<p>Ledger is owned by Team Blue. Everything is owned by Team Blue. Backup is owned by Team Blue.</p>\
        <p>Census is owned by the Office for Statistics and old.</p>\
        <p>Ledger is a good idea. Ledger depends on luck.</p>\
        <table><tr><th>Service</th><th>Owner</th></tr><tr><td>Ledger</td><td>Team Blue</td></tr>\
        <tr><td>Backup</td><td>Team Red</td></tr></table>\
        <table><tr><th>Step</th><th>Owner</th></tr><tr><td>Catalog</td><td>Team Red</td></tr>\
        <tr><td>Rollout</td><td>Team Red</td></tr></table>\
        <table><tr><th>Software</th><th>Version</th></tr><tr><td>Redis</td><td>5.0.7</td></tr>\
        <tr><td>Kafka</td><td>2.11</td></tr></table>\
        <table><tr><th>Person</th><th>Team</th></tr><tr><td>Anna</td><td>Team Red</td></tr>\
        <tr><td>Otto</td><td>Team Red</td></tr></table>";
    let said = texts("Handover", body);
    let expected = [
        // By the sentence, and by the row, which says what kind of thing it is.
        "Ledger owned_by [Team Blue]",
        "Ledger owned_by [Team Blue]",
        "Backup (Handover) owned_by [Team Red]",
        "Catalog (Handover) owned_by [Team Red]",
        "Rollout (Handover) owned_by [Team Red]",
        // A page may tell of its own.
        "Redis (Handover) version 5.0.7",
        "Kafka (Handover) version 2.11",
        "Anna (Handover) team [Team Red]",
        "Otto (Handover) team [Team Red]",
    ];
    assert_eq!(said, expected, "{said:#?}");
}

#[test]
fn labels_and_terms_state_properties_and_meanings() {
    let body = "<p><strong>Owner:</strong> Team Blue</p><h2>Limits</h2><ul>
        <li><code>max_users</code> - the most users a group can have</li>
        <li><strong>Quota</strong>: the sum of all that a tenant may store in a month</li></ul>
        <p><strong>Note:</strong> all of this is subject to change without notice.</p>";
    let expected = [
        "Groups owned_by [Team Blue]",
        "max_users described_as the most users a group can have",
        "Quota (Groups) described_as the sum of all that a tenant may store in a month",
    ];
    assert_eq!(texts("Groups", body), expected);
}

#[test]
fn tasks_have_an_owner_a_date_and_a_state() {
    let body = r#"<ac:task-list><ac:task><ac:task-status>complete</ac:task-status><ac:task-body>Rotate the keys
        <ac:link><ri:user ri:account-id="ann"/></ac:link> <time datetime="2026-04-05"/></ac:task-body></ac:task>
        </ac:task-list>"#;
    let task = "Rotate the keys @{ann} 2026-04-05";
    let expected = [
        format!("Ops has_task [{task}]"),
        format!("{task} status done"),
        format!("{task} assigned_to [ann]"),
        format!("{task} due 2026-04-05"),
        "Ops mentions [ann]".to_owned(),
    ];
    assert_eq!(texts("Ops", body), expected);
}

#[test]
fn statements_about_names_are_facts_and_others_are_not() {
    let body = "<p><code>ledger-service</code> is owned by Team Blue since 1 March 2026. It is fast. \
        If <code>mail-service</code> is owned by nobody, ask. The impact depends on the weather. \
        <code>mail-service</code> has been deprecated in favour of <code>post-service</code>. \
        Ledger Core does not use Redis. GOV.UK Chat is a chatbot for the public.</p>";
    let expected = [
        "ledger-service owned_by [Team Blue]",
        "mail-service replaced_by [post-service]",
        "GOV.UK Chat is_a chatbot for the public",
    ];
    assert_eq!(texts("Page", body), expected);
}

#[test]
fn links_people_issues_and_includes_are_claims_of_the_page() {
    let body = r#"<p>See <ac:link><ri:page ri:content-title="Deploy" ri:space-key="DEV"/></ac:link>, PAY-1482 and UTF-8.</p>
        <ac:structured-macro ac:name="include"><ac:parameter ac:name=""><ac:link><ri:page ri:content-title="Common"/></ac:link>
        </ac:parameter></ac:structured-macro>"#;
    let page = page("Page", body);
    let document = document(page.format, &page.body);
    let readings = pieces(&page, &document, CHUNK_CHARS);
    let reading = &readings.last().unwrap().1;
    assert_eq!(
        claims_of(reading),
        ["Page links_to [Deploy]", "Page refers_to [PAY-1482]", "Page includes [Common]"]
    );
    let keys: Vec<&Key> = reading.mentions.iter().filter_map(|mention| mention.key.as_ref()).collect();
    assert!(keys.contains(&&Key::Title(SpaceKey::new("DEV"), "Deploy".into())));
    assert!(keys.contains(&&Key::Title(SpaceKey::new("OPS"), "Common".into())));
}

/// Storage markup put together at random from pieces that mean something.
fn markup() -> impl Strategy<Value = String> {
    let words = prop_oneof![
        Just("Ledger Core is a service that keeps books."),
        Just("Owner: Team Blue"),
        Just("<strong>Status:</strong> Live, since 2026-01-02."),
        Just("<code>ledger-service</code> depends on <code>mail|service</code>."),
        Just("a | b \\ * _ ` &lt; c"),
        Just("é “quoted” PAY-12"),
        Just("<br/>Name: x<br/>two"),
        Just("<ac:link><ri:user ri:account-id=\"ann\"/></ac:link> and others"),
        Just("Name - what it is called by everybody here"),
    ];
    let run = proptest::collection::vec(words, 0..4).prop_map(|all| all.join(" "));
    let leaf = run.prop_map(|run| format!("<p>{run}</p>"));
    let block = leaf.prop_recursive(4, 40, 4, |inner| {
        let some = proptest::collection::vec(inner, 1..4);
        prop_oneof![
            some.clone().prop_map(|all| format!("<h2>Facts</h2>{}", all.concat())),
            some.clone().prop_map(|all| format!("<ul><li>{}</li></ul>", all.join("</li><li>"))),
            some.clone().prop_map(|all| {
                let rows = all.iter().map(|cell| format!("<tr><th>Key name</th><td>{cell}</td></tr>"));
                format!("<table><tbody>{}</tbody></table>", rows.collect::<String>())
            }),
            some.clone().prop_map(|all| {
                let rows = all.iter().map(|cell| format!("<tr><td>ledger-service</td><td>{cell}</td></tr>"));
                let head = "<tr><th>Service</th><th>Owner</th></tr>";
                format!("<table><tbody>{head}{}</tbody></table>", rows.collect::<String>())
            }),
            some.clone().prop_map(|all| macro_of("details", &all.concat())),
            some.prop_map(|all| macro_of("info", &all.concat())),
        ]
    });
    proptest::collection::vec(block, 0..6).prop_map(|all| all.concat())
}

fn macro_of(name: &str, body: &str) -> String {
    let body = format!("<ac:rich-text-body>{body}</ac:rich-text-body>");
    format!("<ac:structured-macro ac:name=\"{name}\">{body}</ac:structured-macro>")
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn every_claim_stands_on_words_of_its_chunk(body in markup(), cap in 150..3500usize) {
        let page = page("Ledger Core", &body);
        let document = document(page.format, &page.body);
        let read = pieces(&page, &document, cap);
        for (chunk, reading) in &read {
            let mentions = reading.mentions.len();
            let distinct: BTreeSet<_> = reading.mentions.iter().collect();
            prop_assert_eq!(distinct.len(), mentions);
            for claim in &reading.claims {
                prop_assert!(chunk.text.contains(&claim.sentence), "{:?} not in {:?}", claim.sentence, chunk.text);
                prop_assert!((claim.subject as usize) < mentions);
                prop_assert!(!matches!(claim.object, Object::Named(at) if at as usize >= mentions || at == claim.subject));
                prop_assert!(claim.relation.chars().all(|c| c.is_lowercase() || c.is_ascii_digit() || c == '_'));
            }
        }
        let ids: BTreeSet<_> = read.iter().map(|(chunk, _)| chunk.id).collect();
        prop_assert_eq!(ids.len(), read.len());
        prop_assert_eq!(&pieces(&page, &document, cap), &read);
    }

    #[test]
    fn a_reading_follows_from_its_chunk_whatever_stands_around(body in markup(), more in markup()) {
        let alone = page("Ledger Core", &body);
        let longer = page("Ledger Core", &format!("{body}<h2>More</h2>{more}"));
        let read = |page: &RawPage| pieces(page, &document(page.format, &page.body), 400);
        let known: std::collections::BTreeMap<_, _> = read(&alone).into_iter().map(|(chunk, reading)| (chunk.id, reading)).collect();
        for (chunk, reading) in read(&longer) {
            if let Some(before) = known.get(&chunk.id) {
                prop_assert_eq!(before, &reading);
            }
        }
    }
}

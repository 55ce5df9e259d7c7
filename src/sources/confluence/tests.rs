//! The source against answers written by hand: what it asks, what it makes of the answers, and that no answer leads it
//! astray.

use super::*;
use knowledge::audience::{Layer, LayerId, Rule};
use knowledge::id::{PageId, PersonKey, SpaceKey, Version};
use knowledge::page::RawPage;
use proptest::prelude::*;
use std::collections::BTreeMap;

/// Answers by a part of the path; the first that fits counts.
type Script<'a> = &'a [(&'a str, u16, &'a str)];

fn confluence(is_cloud: bool) -> Confluence {
    let base = if is_cloud { "https://x.atlassian.net/wiki" } else { "https://wiki.example.org/c" };
    Confluence::new(Wiki { base: base.to_owned(), is_cloud, spaces: Vec::new(), history: 0 })
}

/// Goes on with a conversation until there are records; what is in no script is not there.
fn converse(
    source: &Confluence,
    ask: &Ask,
    script: Script<'_>,
) -> (Result<Vec<Record>, SourceError>, Vec<String>) {
    let mut asked = Vec::new();
    let mut step = source.step(ask, Input::Start);
    loop {
        let get = match step {
            Ok(Step::Need(Need::Get(get))) => get,
            Ok(Step::Need(need)) => panic!("{need:?}"),
            Ok(Step::Records(records)) => return (Ok(records), asked),
            Err(error) => return (Err(error), asked),
        };
        assert!(asked.len() < 500, "no end: {get:?}");
        asked.push(get.path.clone());
        let answer = script.iter().find(|(part, ..)| get.path.contains(part));
        let (status, body) = answer.map_or((404, "{}"), |(_, status, body)| (*status, *body));
        step = source.step(ask, Input::Response { get: &get, status, body: body.as_bytes().to_vec() });
    }
}

fn listed(source: &Confluence, script: Script<'_>) -> (Listed, Vec<String>) {
    let (records, asked) = converse(source, &Ask::List { sweep: 1, cursor: None }, script);
    match records.unwrap().pop() {
        Some(Record::Listed(listed)) => (listed, asked),
        other => panic!("{other:?}"),
    }
}

const SPACE: (&str, u16, &str) = (
    "/api/v2/spaces?",
    200,
    r#"{"results":[{"id":"7","key":"OPS","name":"Operations","type":"global"}],"_links":{}}"#,
);
const PAGES: (&str, u16, &str) = (
    "/api/v2/pages?space-id",
    200,
    r#"{"results":[
        {"id":"1","status":"current","title":"Top","spaceId":"7","version":{"number":3,"createdAt":"2026-01-02T03:04:05Z"}},
        {"id":"2","status":"current","title":"Below","spaceId":"7","parentId":"50","parentType":"folder","version":{"number":1}}
      ],"_links":{}}"#,
);
const FOLDER: (&str, u16, &str) =
    ("/api/v2/folders/50", 200, r#"{"id":"50","title":"Shelf","parentId":"1","parentType":"page"}"#);
const MARKS: (&str, u16, &str) = (
    "content/search?cql=type%20in%20%28page",
    200,
    r#"{"results":[{"id":"1","metadata":{"labels":{"results":[{"name":"b"},{"name":"a"}]}},
        "restrictions":{"read":{"restrictions":{"user":{"results":[]},"group":{"results":[{"name":"staff","id":"g1"}]}}}}}]}"#,
);
const FREE: (&str, u16, &str) = (
    "restriction/byOperation",
    200,
    r#"{"read":{"restrictions":{"user":{"results":[]},"group":{"results":[]}}}}"#,
);

fn rule_of(listed: &Listed, id: &LayerId) -> Option<Rule> {
    listed.layers.iter().find(|layer| layer.id == *id).map(|Layer { rule, .. }| rule.clone())
}

fn page(id: &str) -> LayerId {
    LayerId::Page(PageId::new(id))
}

#[test]
fn a_cloud_is_listed_with_its_tree_its_labels_and_who_may_see_what() {
    let groups = ("/rest/api/group?", 200, r#"{"results":[{"name":"staff","id":"g1"}]}"#);
    let members =
        ("group/g1/membersByGroupId", 200, r#"{"results":[{"accountId":"a1","displayName":"Ada"}]}"#);
    let rights = (
        "spaces/7/permissions",
        200,
        r#"{"results":[{"principal":{"type":"group","id":"g1"},"operation":{"key":"read","targetType":"space"}},
                       {"principal":{"type":"user","id":"a2"},"operation":{"key":"delete","targetType":"space"}}]}"#,
    );
    let users = ("user/bulk", 200, r#"{"results":[{"accountId":"a1","displayName":"Ada"}]}"#);
    let none = r#"{"results":[]}"#;
    let lists =
        ["blogposts?", "footer-comments", "inline-comments", "attachments"].map(|list| (list, 200, none));
    let script = [SPACE, PAGES, FOLDER, MARKS, FREE, groups, members, rights, users];
    let script: Vec<_> = script.into_iter().chain(lists).collect();
    let (listed, _) = listed(&confluence(true), &script);
    let below: RawPage = serde_json::from_str(&listed.pages[1].locator).unwrap();
    assert_eq!(
        (below.ancestors, below.title.as_str()),
        (vec!["Top".to_owned(), "Shelf".to_owned()], "Below")
    );
    let top: RawPage = serde_json::from_str(&listed.pages[0].locator).unwrap();
    assert_eq!((top.labels, top.version), (vec!["a".to_owned(), "b".to_owned()], Version(3)));
    assert_eq!(listed.folders.len(), 1);
    let staff = Rule::Only { users: [].into(), groups: ["staff".to_owned()].into() };
    assert_eq!(rule_of(&listed, &LayerId::Space(SpaceKey::new("OPS"))), Some(staff.clone()));
    assert_eq!(rule_of(&listed, &page("1")), Some(staff));
    assert_eq!(rule_of(&listed, &page("2")), None, "asked for alone, it is free");
    assert_eq!(listed.groups[0].members, [PersonKey::new("a1")].into());
    assert!(!listed.incomplete && listed.next.is_none());
}

/// The answer to a list that is empty.
const NONE: &str = r#"{"results":[]}"#;

#[test]
fn files_and_labels_that_cannot_be_read_change_no_page_that_is_held() {
    let lists = ["blogposts?", "footer-comments", "inline-comments"].map(|list| (list, 200, NONE));
    let unchanged = |more: &[(&'static str, u16, &'static str)]| -> (Vec<bool>, bool) {
        let script: Vec<_> =
            [SPACE, PAGES, FOLDER, MARKS, FREE].into_iter().chain(lists).chain(more.to_vec()).collect();
        let (listed, _) = listed(&confluence(true), &script);
        (listed.pages.iter().map(|page| page.fingerprint.is_empty()).collect(), listed.incomplete)
    };
    let (files, labels) = (("attachments", 200, NONE), ("pages/2/labels", 200, NONE));
    assert_eq!(unchanged(&[files, labels]), (vec![false, false], false));
    // Page 2 is in no search index yet, and its own list of labels breaks.
    assert_eq!(unchanged(&[files, ("pages/2/labels", 500, "")]), (vec![false, true], false));
    assert_eq!(
        unchanged(&[("attachments", 403, ""), labels]),
        (vec![true, true], true),
        "files may be missing"
    );
}

#[test]
fn labels_that_no_search_knows_yet_are_asked_for_by_themselves() {
    let labels = ("pages/2/labels", 200, r#"{"results":[{"name":"new"},{"name":"hot"}]}"#);
    let (listed, _) = listed(&confluence(true), &[SPACE, PAGES, FOLDER, MARKS, FREE, labels]);
    let page: RawPage = serde_json::from_str(&listed.pages[1].locator).unwrap();
    assert_eq!(page.labels, ["hot", "new"]);
}

#[test]
fn who_may_see_what_is_asked_after_all_that_it_guards() {
    let (_, asked) = listed(&confluence(true), &[SPACE, PAGES, FOLDER, MARKS, FREE]);
    let at = |part: &str| asked.iter().position(|path| path.contains(part)).unwrap();
    let content = ["pages?", "blogposts?", "footer-comments", "inline-comments", "attachments"].map(at);
    let rights = ["spaces/7/permissions", "content/search?cql=type%20in%20%28page", "restriction/"].map(at);
    assert!(content.iter().max() < rights.iter().min(), "{asked:?}");
}

/// Data Center says what is above a page with it; who does not say so is behind a door that nobody passes.
#[test]
fn a_page_of_which_nobody_says_what_is_above_it_denies() {
    let spaces =
        ("rest/api/space?", 200, r#"{"results":[{"id":7,"key":"OPS","name":"Operations","type":"global"}]}"#);
    let pages = (
        "type=page",
        200,
        r#"{"results":[{"id":"1","status":"current","title":"Top","space":{"key":"OPS"},"ancestors":[],"version":{"number":1}},
                       {"id":"2","status":"current","title":"Where?","space":{"key":"OPS"},"version":{"number":1}}]}"#,
    );
    let (listed, _) = listed(&confluence(false), &[spaces, pages, FREE]);
    assert_eq!(rule_of(&listed, &page("1")), None);
    assert_eq!(rule_of(&listed, &page("2")), Some(Rule::Unknown));
}

/// A search that shows folder 50 below page 1, restricted to `staff`.
const PLACES: (&str, u16, &str) = (
    "type%20in%20%28folder",
    200,
    r#"{"results":[{"id":"50","title":"Shelf","ancestors":[{"id":"1","type":"page"}],
        "restrictions":{"read":{"restrictions":{"user":{"results":[]},"group":{"results":[{"name":"staff","id":"g1"}]}}}}},
        {"id":"51","title":"Nothing is below","ancestors":[],"restrictions":{"read":{"restrictions":{"user":{"results":[]},"group":{"results":[]}}}}}]}"#,
);

#[test]
fn places_of_a_search_are_believed_where_pages_below_them_bear_witness() {
    let witness =
        |above: &str| format!(r#"{{"results":[{{"id":"2","title":"Below","ancestors":{above}}}]}}"#);
    let staff = Rule::Only { users: [].into(), groups: ["staff".to_owned()].into() };
    let (whole, without) = (
        witness(r#"[{"id":"1","type":"page"},{"id":"50","type":"folder"}]"#),
        witness(r#"[{"id":"1","type":"page"}]"#),
    );
    for (told, is_asked_alone) in [(whole.as_str(), false), (without.as_str(), true), ("{}", true)] {
        let told = ("id%20in%20%282%29", 200, told);
        // Where it is asked alone, it stands elsewhere: that is what counts.
        let folder =
            ("folders/50", 200, r#"{"id":"50","title":"Shelf","parentId":null,"createdAt":1767323045000}"#);
        let (listed, asked) = listed(&confluence(true), &[SPACE, PAGES, folder, PLACES, told, MARKS, FREE]);
        assert_eq!(asked.iter().any(|path| path.contains("folders/50")), is_asked_alone, "{asked:?}");
        let parent = (!is_asked_alone).then(|| PageId::new("1"));
        assert_eq!(listed.folders, [knowledge::page::Folder { id: PageId::new("50"), parent }]);
        assert_eq!(rule_of(&listed, &page("50")), Some(staff.clone()), "either way");
        assert!(!asked.iter().any(|path| path.contains("content/50/restriction")), "{asked:?}");
    }
}

#[test]
fn what_cannot_be_read_denies_and_what_may_be_missing_retracts_nothing() {
    let broken =
        [SPACE, PAGES, ("folders/50", 404, ""), ("content/search", 400, ""), ("inline-comments", 403, "")];
    let (listed, _) = listed(&confluence(true), &broken);
    assert_eq!(rule_of(&listed, &LayerId::Space(SpaceKey::new("OPS"))), Some(Rule::Unknown));
    assert_eq!(rule_of(&listed, &page("1")), Some(Rule::Unknown));
    assert_eq!(rule_of(&listed, &page("2")), Some(Rule::Unknown));
    assert!(listed.incomplete, "comments may be missing");
    assert!(listed.folders.is_empty(), "a place that cannot be read is not held, and denies");
    let (ended, _) = converse(&confluence(true), &Ask::List { sweep: 1, cursor: None }, &[]);
    assert_eq!(ended.unwrap_err().kind, Kind::Halt, "without spaces there is no listing");
}

#[test]
fn a_server_that_breaks_down_over_many_is_asked_for_fewer_from_the_same_place() {
    let source = confluence(true);
    let slow = ("limit=250", 504, "");
    let (_, asked) =
        listed(&source, &[SPACE, ("spaces/7/permissions?limit=125", 500, ""), slow, PAGES, FREE]);
    let of_pages: Vec<_> = asked.iter().filter(|path| path.contains("/pages?")).collect();
    assert!(of_pages[0].ends_with("limit=250") && of_pages[1].ends_with("limit=125"), "{of_pages:?}");
    let rights: Vec<_> = asked.iter().filter(|path| path.contains("permissions")).collect();
    assert!(rights.last().unwrap().ends_with("limit=62"), "{rights:?}");
}

#[test]
fn a_next_page_leads_nowhere_but_below_the_wiki_and_ends_with_the_rows() {
    let lure = r#"{"results":[{"id":"1","title":"T","spaceId":"7","version":{"number":1}}],
                   "_links":{"next":"https://evil.example/api/v2/pages?cursor=X&limit=250"}}"#;
    let end = r#"{"results":[],"_links":{"next":"/wiki/api/v2/pages?cursor=Y"}}"#;
    let (_, asked) = listed(
        &confluence(true),
        &[SPACE, ("cursor=X", 200, end), ("/api/v2/pages?space-id", 200, lure), FREE],
    );
    assert!(asked.contains(&"/api/v2/pages?cursor=X&limit=250".to_owned()), "{asked:?}");
    assert!(!asked.iter().any(|path| path.contains("cursor=Y")), "a list without rows has ended");
    assert!(asked.iter().all(|path| path.starts_with("/api/v2/") || path.starts_with("/rest/api/")));
}

const SPACE_1: (&str, u16, &str) =
    ("/rest/api/space?", 200, r#"{"results":[{"id":7,"key":"OPS","name":"","type":"global"}]}"#);

/// A page of a list of pages with these ids.
fn page_of(ids: &[&str], has_next: bool) -> String {
    let row = |id: &&str| {
        format!(r#"{{"id":"{id}","title":"T","space":{{"key":"OPS"}},"version":{{"number":1}}}}"#)
    };
    let rows: Vec<String> = ids.iter().map(row).collect();
    let next = if has_next { r#""next":"/rest/api/content?start=200""# } else { "" };
    format!(r#"{{"results":[{}],"limit":200,"_links":{{{next}}}}}"#, rows.join(","))
}

#[test]
fn a_list_that_counts_goes_on_with_the_last_row_that_came_and_begins_again_when_rows_move() {
    let (first, rest, moved) =
        (page_of(&["1", "2"], true), page_of(&["2", "3"], false), page_of(&["3"], false));
    let begins = ("type=page&status=current&expand", 200, first.as_str());
    let (found, asked) = listed(&confluence(false), &[SPACE_1, ("start=1", 200, &rest), begins, FREE]);
    assert!(asked.iter().any(|path| path.contains("start=1")), "{asked:?}");
    assert_eq!(found.pages.iter().map(|page| page.id.as_str()).collect::<Vec<_>>(), ["1", "2", "3"]);
    assert!(
        !found.skipped.iter().any(|skipped| skipped.what.contains("list of pages")),
        "{:?}",
        found.skipped
    );
    let (found, asked) = listed(&confluence(false), &[SPACE_1, ("start=1", 200, &moved), begins, FREE]);
    assert!(asked.iter().filter(|path| path.contains("type=page") && path.ends_with("start=0")).count() > 1);
    assert!(found.incomplete, "a list that never holds still retracts nothing");
}

fn fetches(source: &Confluence) -> Vec<Ask> {
    let (listed, _) = listed(source, &[SPACE, PAGES, FOLDER, MARKS, FREE]);
    let fetch = |page: knowledge::page::PageRef| Ask::Fetch {
        page: page.id,
        version: page.version.unwrap(),
        locator: page.locator,
        fingerprint: page.fingerprint,
    };
    listed.pages.into_iter().map(fetch).collect()
}

#[test]
fn bodies_come_together_and_only_of_the_version_that_was_asked_for() {
    let source = confluence(true);
    let asks = fetches(&source);
    assert_eq!(source.lot(&asks[0]), source.lot(&asks[1]));
    let bodies = r#"{"results":[
        {"id":"1","status":"current","version":{"number":4},"body":{"storage":{"value":"<p>newer</p>"}}},
        {"id":"2","status":"current","version":{"number":1},"body":{"storage":{"value":"<p>two</p>"}}}]}"#;
    let (records, asked) = converse(&source, &Ask::Together(asks.clone()), &[("/pages?id=1,2", 200, bodies)]);
    assert_eq!(asked.len(), 1);
    let records = records.unwrap();
    assert!(
        matches!(&records[..], [Record::Fetched(page)] if page.body == "<p>two</p>" && page.id.as_str() == "2")
    );
    let exact = r#"{"id":"1","status":"current","title":"Top","version":{"number":3},"body":{"storage":{"value":"<p>old</p>"}}}"#;
    let (records, asked) = converse(&source, &asks[0], &[("version=3", 200, exact)]);
    assert!(asked[0].contains("/pages/1?") && asked[0].contains("version=3"), "{asked:?}");
    assert!(matches!(&records.unwrap()[..], [Record::Fetched(page)] if page.body == "<p>old</p>"));
}

#[test]
fn a_page_that_went_away_is_gone_and_one_that_breaks_the_server_is_read_as_it_is_viewed() {
    let source = confluence(true);
    let ask = fetches(&source).remove(0);
    let absent = r#"{"errors":[{"status":404,"code":"NOT_FOUND","title":"Not Found","detail":null}]}"#;
    let (records, _) = converse(&source, &ask, &[("/pages/1", 404, absent)]);
    assert!(matches!(&records.unwrap()[..], [Record::Gone { page }] if page.as_str() == "1"));
    let trashed = r#"{"id":"1","status":"trashed","version":{"number":3},"body":{"storage":{"value":"x"}}}"#;
    let (records, _) = converse(&source, &ask, &[("/pages/1", 200, trashed)]);
    assert!(matches!(&records.unwrap()[..], [Record::Gone { .. }]));
    let viewed = r#"{"id":"1","status":"current","version":{"number":3},"body":{"anonymous_export_view":{"value":"<p>seen</p>"}}}"#;
    let script = [("body-format=storage", 500, ""), ("body-format=anonymous_export_view", 200, viewed)];
    let (records, _) = converse(&source, &ask, &script);
    assert!(matches!(&records.unwrap()[..], [Record::Fetched(page)] if page.body == "<p>seen</p>"));
    let (ended, _) = converse(&source, &ask, &[("body-format", 500, "")]);
    assert_eq!(ended.unwrap_err().kind, Kind::Never, "one poisoned page parks, and stops nothing");
}

#[test]
fn only_the_interface_itself_says_that_a_page_is_gone() {
    let absent = r#"{"errors":[{"status":404,"code":"NOT_FOUND","title":"Not Found","detail":null}]}"#;
    let absent_1 = r#"{"statusCode":404,"data":{"authorized":false},"message":"No content found"}"#;
    let edge = r#"{"timestamp":"2026-01-02","status":404,"error":"Not Found","path":"/x"}"#;
    for (status, body, is_gone) in [
        (404, absent, true),
        (404, absent_1, true),
        (404, edge, false),
        (404, "<html>dead link</html>", false),
        (404, "", false),
        (404, "{}", false),
        (410, absent, false),
        (403, absent_1, false),
        (401, absent, false),
    ] {
        let source = confluence(true);
        let ask = fetches(&source).remove(0);
        let (records, _) = converse(&source, &ask, &[("/pages/1", status, body)]);
        match records {
            Ok(records) => {
                assert!(matches!(&records[..], [Record::Gone { .. }]) && is_gone, "{status} {body}")
            }
            Err(error) => assert!(error.kind == Kind::Never && !is_gone, "{status} {body}: {error:?}"),
        }
    }
}

/// A view for whoever asks holds what he may see, which is more than whoever sees the page.
#[test]
fn no_body_is_taken_as_it_is_viewed_by_us() {
    let mine = r#"{"id":"1","status":"current","version":{"number":3},"body":{"view":{"value":"secret"}}}"#;
    for is_cloud in [true, false] {
        let source = confluence(is_cloud);
        let ask = fetches(&confluence(true)).remove(0);
        let script = [("storage", 500, ""), ("anonymous_export_view", 200, mine)];
        let (ended, asked) = converse(&source, &ask, &script);
        assert_eq!(ended.unwrap_err().kind, Kind::Never, "{asked:?}");
        assert!(!asked.iter().any(|path| path.contains("=view") || path.contains("body.view")), "{asked:?}");
    }
}

#[test]
fn addresses_tell_the_deployment() {
    assert!(
        is_cloud("https://x.atlassian.net/wiki")
            && is_cloud("https://api.atlassian.com/ex/confluence/1/wiki")
    );
    assert!(!is_cloud("https://wiki.example.org") && !is_cloud("https://atlassian.net.example.org/"));
}

proptest! {
    /// Whatever a server answers, the conversation ends, without a panic, and asks for nothing but what it should.
    #[test]
    fn no_answer_leads_astray(bodies in proptest::collection::vec((0usize..12, 0u16..4, any::<bool>()), 1..60)) {
        let pool: BTreeMap<usize, &str> = [
            SPACE.2, PAGES.2, FOLDER.2, MARKS.2, FREE.2, "", "null", "[]", r#"{"results":{}}"#,
            r#"{"results":[{"id":1,"version":{"number":-1}}]}"#,
            r#"{"results":[{"id":"50","title":"loop","spaceId":"7","parentId":"50"}],"_links":{"next":"/api/v2/pages?cursor=a"}}"#,
            "<html>please wait</html>",
        ].into_iter().enumerate().collect();
        for is_cloud in [true, false] {
            let source = confluence(is_cloud);
            let ask = Ask::List { sweep: 1, cursor: None };
            let mut step = source.step(&ask, Input::Start);
            let mut answers = bodies.iter();
            while let Ok(Step::Need(Need::Get(get))) = step {
                prop_assert!(get.path.starts_with("/api/v2/") || get.path.starts_with("/rest/api/"));
                let (body, status) = match answers.next() {
                    Some((body, status, _)) => (pool[body], [200, 200, 404, 500][*status as usize]),
                    None => ("{}", 404),
                };
                step = source.step(&ask, Input::Response { get: &get, status, body: body.as_bytes().to_vec() });
            }
        }
    }
}

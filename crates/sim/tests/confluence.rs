//! The simulated Confluence from outside, without a socket: what its two interfaces say, to whom, and each of its quirks.

#![allow(clippy::unwrap_used)] // A test that cannot set itself up has failed.

use serde_json::{Value, json};
use sim::confluence::answer::answer;
use sim::confluence::exchange::{Request, Response};
use sim::confluence::loading::{ADMIN, READER, small};
use sim::confluence::quirks::Quirk;
use sim::confluence::server::Server;
use sim::confluence::site::{ContentId, Deployment, Site, Status};
use std::io::{Read, Write};
use std::net::TcpStream;

fn cloud() -> Site {
    small(Deployment::Cloud)
}

fn data_center() -> Site {
    small(Deployment::DataCenter)
}

fn respond(site: &mut Site, who: &str, target: &str) -> Response {
    answer(site, &Request::get(target).with("authorization", who).with("host", "127.0.0.1:8090"))
}

fn ask(site: &mut Site, target: &str) -> Value {
    let response = respond(site, READER, target);
    assert_eq!(response.status, 200, "{target}: {}", response.value());
    response.value()
}

fn status(site: &mut Site, target: &str) -> u16 {
    respond(site, READER, target).status
}

fn send(site: &mut Site, (method, target): (&str, &str), body: &Value) -> Response {
    answer(site, &Request::new(method, target).with("authorization", READER).with_json(body))
}

fn fake(site: &mut Site, what: &str, body: &Value) {
    let response = answer(site, &Request::new("POST", &format!("/_fake/{what}")).with_json(body));
    assert!(response.status < 300, "{what} {body}: {}", response.value());
}

fn ids(list: &Value) -> Vec<&str> {
    list["results"].as_array().unwrap().iter().map(|row| row["id"].as_str().unwrap()).collect()
}

#[test]
fn what_somebody_may_not_see_is_not_there() {
    let mut site = cloud();
    fake(&mut site, "edit", &json!({ "do": "restrict", "id": 1001, "read": { "users": ["acc-admin"] } }));
    for hidden in [
        "/wiki/api/v2/pages/1001",
        "/wiki/api/v2/pages/1002",
        "/wiki/api/v2/footer-comments/1100",
        "/wiki/rest/api/content/1001",
        "/wiki/rest/api/content/1002/restriction/byOperation",
        "/wiki/rest/api/content/1001/child/comment",
    ] {
        assert_eq!(status(&mut site, hidden), 404, "{hidden}");
        assert_eq!(respond(&mut site, ADMIN, hidden).status, 200, "{hidden}");
    }
    assert_eq!(ids(&ask(&mut site, "/wiki/api/v2/pages?id=1000,1001,1002")), ["1000"]);
    assert_eq!(ids(&ask(&mut site, "/wiki/api/v2/footer-comments")), [""; 0]);
    assert_eq!(ids(&ask(&mut site, "/wiki/rest/api/content/search?cql=type=comment")), [""; 0]);
    fake(&mut site, "edit", &json!({ "do": "forbid", "space": "OPS", "group": "grp-staff" }));
    assert_eq!(ids(&ask(&mut site, "/wiki/api/v2/spaces")), [""; 0]);
    assert_eq!(status(&mut site, "/wiki/rest/api/space/OPS"), 404);
}

#[test]
fn nobody_comes_in_without_saying_who_they_are() {
    let mut site = cloud();
    assert_eq!(answer(&mut site, &Request::get("/wiki/api/v2/pages")).status, 401);
    assert_eq!(respond(&mut site, "Basic eDp5", "/wiki/api/v2/pages").status, 401);
    assert_eq!(respond(&mut site, "Bearer reader-token", "/wiki/api/v2/pages").status, 401);
    let mut site = data_center();
    assert_eq!(respond(&mut site, "Bearer reader-token", "/rest/api/space").status, 200);
    assert_eq!(respond(&mut site, "Bearer reader-token", "/api/v2/pages").status, 404);
    assert_eq!(respond(&mut site, "Bearer reader-token", "/wiki/rest/api/space").status, 404);
}

#[test]
fn the_two_products_differ_where_the_real_ones_do() {
    let (mut cloud, mut own) = (cloud(), data_center());
    let target = "/rest/api/content/search?cql=type=page&limit=2";
    let (left, right) = (ask(&mut cloud, &format!("/wiki{target}")), ask(&mut own, target));
    assert!(left["_links"]["next"].as_str().unwrap().contains("cursor="));
    assert!(left["_links"]["next"].as_str().unwrap().starts_with("/rest/api/"), "relative to the base");
    assert_eq!(left["_links"]["base"], "http://127.0.0.1:8090/wiki");
    assert!(right["_links"]["next"].as_str().unwrap().contains("start=2"));
    assert_eq!(right["_links"]["base"], "http://127.0.0.1:8090");
    let (left, right) =
        (ask(&mut cloud, "/wiki/rest/api/user/current"), ask(&mut own, "/rest/api/user/current"));
    assert_eq!((&left["accountId"], &left["timeZone"]), (&json!("acc-reader"), &json!("Europe/Berlin")));
    assert_eq!((&right["username"], &right["userKey"]), (&json!("reader"), &json!("acc-reader")));
    assert_eq!(status(&mut own, "/rest/api/user?username=admin"), 200);
    assert_eq!(status(&mut own, "/rest/api/user/bulk?accountId=acc-admin"), 404);
    assert_eq!(status(&mut own, "/rest/api/server-information"), 200);
    assert_eq!(status(&mut cloud, "/wiki/rest/api/server-information"), 404);
    own.version = "7.19.0".to_owned();
    assert_eq!(status(&mut own, "/rest/api/content/1001/version"), 404);
    assert_eq!(status(&mut own, "/rest/experimental/content/1001/version"), 200);
}

#[test]
fn bytes_of_cloud_are_behind_a_redirect_to_another_host_that_takes_no_secrets() {
    let mut site = cloud();
    let files = ask(&mut site, "/wiki/api/v2/pages/1001/attachments");
    let (id, link) = (files["results"][0]["id"].clone(), files["results"][0]["downloadLink"].clone());
    let download = format!("/wiki/rest/api/content/1001/child/attachment/{}/download", id.as_str().unwrap());
    for target in [download, format!("/wiki{}", link.as_str().unwrap())] {
        let response = respond(&mut site, READER, &target);
        let to = response.header("location").unwrap().to_owned();
        assert_eq!(response.status, 302);
        let target = to.strip_prefix("http://localhost:8090").expect("another host");
        assert_eq!(respond(&mut site, READER, target).status, 400, "the secret came along");
        let bytes = answer(&mut site, &Request::get(target));
        assert_eq!((bytes.status, bytes.body), (200, b"Notes.".to_vec()));
    }
    let mut site = data_center();
    let files = ask(&mut site, "/rest/api/content/1001/child/attachment");
    let link = files["results"][0]["_links"]["download"].as_str().unwrap().to_owned();
    assert_eq!(respond(&mut site, READER, &link).body, b"Notes.");
}

#[test]
fn bodies_come_in_the_form_that_is_asked_for_and_otherwise_not_at_all() {
    let mut site = cloud();
    assert_eq!(ask(&mut site, "/wiki/api/v2/pages/1001")["body"], json!({}));
    let storage = ask(&mut site, "/wiki/api/v2/pages/1001?body-format=storage");
    assert_eq!(storage["body"]["storage"]["value"], "<p>What to do &amp; when.</p>");
    let nodes = ask(&mut site, "/wiki/api/v2/pages/1001?body-format=atlas_doc_format");
    let tree: Value =
        serde_json::from_str(nodes["body"]["atlas_doc_format"]["value"].as_str().unwrap()).unwrap();
    assert_eq!(tree["type"], "doc");
    assert_eq!(status(&mut site, "/wiki/api/v2/pages?body-format=view"), 400, "not for many");
    assert_eq!(status(&mut site, "/wiki/api/v2/pages?limit=251"), 400);
    let plain = ask(&mut site, "/wiki/rest/api/content/search?cql=id=1001");
    assert_eq!(plain["results"][0]["_expandable"]["body"], "");
}

#[test]
fn the_bin_is_a_status_of_its_own_and_purged_pages_are_nowhere() {
    let mut site = cloud();
    fake(&mut site, "edit", &json!([{ "do": "trash", "id": 1003 }, { "do": "archive", "id": 1002 }]));
    assert_eq!(ids(&ask(&mut site, "/wiki/api/v2/pages")), ["1000", "1001", "1002"]);
    assert_eq!(ids(&ask(&mut site, "/wiki/api/v2/pages?status=trashed")), ["1003"]);
    assert_eq!(status(&mut site, "/wiki/api/v2/pages/1003"), 404);
    assert_eq!(status(&mut site, "/wiki/api/v2/pages/1003?status=trashed"), 200);
    assert_eq!(ids(&ask(&mut site, "/wiki/rest/api/content?spaceKey=OPS")), ["1000", "1001"]);
    fake(&mut site, "edit", &json!({ "do": "purge", "id": 1003 }));
    assert_eq!(ids(&ask(&mut site, "/wiki/api/v2/pages?status=trashed")), [""; 0]);
}

#[test]
fn a_comment_or_a_label_does_not_change_when_the_page_was_modified() {
    let mut site = cloud();
    let before = ask(&mut site, "/wiki/api/v2/pages/1003")["version"].clone();
    fake(
        &mut site,
        "edit",
        &json!([
            { "do": "comment", "on": 1003, "body": "<p>New.</p>" },
            { "do": "label", "id": 1003, "add": ["new"] },
            { "do": "restrict", "id": 1003, "read": { "groups": ["grp-staff"] } },
            { "do": "move", "id": 1003, "parent": 1000 },
        ]),
    );
    assert_eq!(ask(&mut site, "/wiki/api/v2/pages/1003")["version"], before);
    let new =
        ask(&mut site, "/wiki/rest/api/content/search?cql=lastmodified%3Enow(%22-1h%22)&expand=container");
    assert_eq!(new["results"].as_array().unwrap().len(), 1);
    assert_eq!(new["results"][0]["container"]["id"], "1003");
    assert_eq!(ask(&mut site, "/wiki/api/v2/pages/1003")["parentId"], "1000");
    let both = ask(&mut site, "/wiki/rest/api/content/1003/restriction/byOperation");
    assert_eq!(both["read"]["restrictions"]["group"]["results"][0]["id"], "grp-staff");
    assert_eq!(both["update"]["restrictions"]["group"]["size"], 0);
}

#[test]
fn whoever_writes_says_which_version_they_make_and_takes_no_title_twice() {
    let mut site = cloud();
    let space = ask(&mut site, "/wiki/api/v2/spaces")["results"][0]["id"].clone();
    let page = |title: &str| json!({ "spaceId": space, "status": "current", "title": title, "body": { "representation": "storage", "value": "<p/>" } });
    let made = send(&mut site, ("POST", "/wiki/api/v2/pages"), &page("New")).value();
    assert_eq!(made["parentId"], "1000", "below the first page unless it is to stand at the root");
    assert_eq!(send(&mut site, ("POST", "/wiki/api/v2/pages"), &page("new")).status, 400);
    let id = made["id"].as_str().unwrap();
    let target = format!("/wiki/api/v2/pages/{id}");
    let mut update = page("New");
    update["version"] = json!({ "number": 1 });
    assert_eq!(send(&mut site, ("PUT", &target), &update).status, 409);
    update["version"] = json!({ "number": 2 });
    assert_eq!(send(&mut site, ("PUT", &target), &update).value()["version"]["number"], 2);
    fake(
        &mut site,
        "edit",
        &json!({ "do": "restrict", "id": id.parse::<u64>().unwrap(), "update": { "users": ["acc-admin"] } }),
    );
    update["version"] = json!({ "number": 3 });
    assert_eq!(send(&mut site, ("PUT", &target), &update).status, 403);
}

#[test]
fn refusals_say_when_to_come_again_in_every_way_that_sites_have() {
    let mut site = cloud();
    let hints = [
        (Quirk::TooMany, 429, Some("1")),
        (Quirk::TooManySilent, 429, None),
        (Quirk::TooManyZero, 429, Some("0")),
        (Quirk::TooManyDated, 429, Some("Sat, 01 Aug 2026 00:00:01 GMT")),
        (Quirk::Unavailable, 503, Some("1")),
    ];
    for (quirk, expected, hint) in hints {
        site.quirks.order(quirk, "/pages");
        let response = respond(&mut site, READER, "/wiki/api/v2/pages");
        assert_eq!((response.status, response.header("retry-after")), (expected, hint), "{quirk:?}");
    }
    let mut site = data_center();
    site.quirks.order(Quirk::Overloaded, "");
    let busy = respond(&mut site, READER, "/rest/api/space");
    assert_eq!(busy.header("content-type"), Some("text/html;charset=UTF-8"));
}

#[test]
fn many_bodies_at_once_are_too_many_and_fewer_are_not() {
    let mut site = cloud();
    site.quirks.rate(Quirk::TooLarge, 1000);
    site.quirks.bodies = 10;
    assert_eq!(status(&mut site, "/wiki/api/v2/pages?limit=11&body-format=storage"), 504);
    assert_eq!(status(&mut site, "/wiki/api/v2/pages?limit=10&body-format=storage"), 200);
    assert_eq!(status(&mut site, "/wiki/api/v2/pages?limit=250"), 200);
    assert_eq!(
        status(&mut site, "/wiki/rest/api/content/search?cql=type=page&limit=11&expand=body.storage"),
        504
    );
}

#[test]
fn a_list_may_name_a_next_page_for_ever() {
    let mut site = cloud();
    site.quirks.rate(Quirk::EndlessNext, 1000);
    let mut target = "/wiki/api/v2/pages?limit=3".to_owned();
    let mut met = Vec::new();
    for _ in 0..4 {
        let page = ask(&mut site, &target);
        met.push(ids(&page).len());
        target = page["_links"]["next"].as_str().unwrap().to_owned();
    }
    assert_eq!(met, [3, 1, 0, 0]);
}

#[test]
fn a_limit_may_be_cut_and_the_next_page_of_data_center_then_skips_rows() {
    let mut site = cloud();
    site.quirks.rate(Quirk::LimitCut, 1000);
    assert_eq!(ids(&ask(&mut site, "/wiki/api/v2/pages?limit=4")).len(), 2);
    let mut site = data_center();
    site.quirks.rate(Quirk::LimitCut, 1000);
    let page = ask(&mut site, "/rest/api/content?limit=2");
    assert_eq!((ids(&page).len(), &page["limit"]), (1, &json!(1)));
    assert!(page["_links"]["next"].as_str().unwrap().contains("start=2"));
}

#[test]
fn a_poisoned_page_spoils_a_whole_batch_of_bodies_but_not_its_view() {
    let mut site = cloud();
    site.quirks.rate(Quirk::PoisonedBody, 1000);
    site.quirks.poisoned.insert(ContentId(1002));
    let search = "/wiki/rest/api/content/search?cql=type=page";
    assert_eq!(status(&mut site, &format!("{search}&expand=body.storage")), 500);
    assert_eq!(status(&mut site, &format!("{search}&expand=body.view")), 200);
    assert_eq!(status(&mut site, "/wiki/rest/api/content/1001?expand=body.storage"), 200);
    assert_eq!(status(&mut site, "/wiki/api/v2/pages/1002?body-format=storage"), 500);
    assert_eq!(status(&mut site, "/wiki/api/v2/pages/1002?body-format=view"), 200);
}

#[test]
fn restrictions_of_an_ancestor_in_the_trash_spoil_a_whole_batch() {
    let mut site = cloud();
    site.quirks.rate(Quirk::BlindAncestor, 1000);
    let target =
        "/wiki/rest/api/content/search?cql=type=page&expand=ancestors.restrictions.read.restrictions.user";
    assert_eq!(status(&mut site, target), 200);
    fake(&mut site, "edit", &json!({ "do": "trash", "id": 1001, "keep-children": true }));
    let spoiled = respond(&mut site, READER, target);
    assert_eq!(spoiled.status, 404);
    assert!(spoiled.value()["message"].as_str().unwrap().contains("Cannot find content"));
    assert_eq!(status(&mut site, "/wiki/rest/api/content/1002?expand=ancestors"), 200);
}

#[test]
fn data_center_may_refuse_to_turn_lists_of_attachments() {
    let mut site = data_center();
    site.quirks.rate(Quirk::NoOffset, 1000);
    assert_eq!(status(&mut site, "/rest/api/content/1001/child/attachment?start=0"), 200);
    assert_eq!(status(&mut site, "/rest/api/content/1001/child/attachment?start=1"), 400);
}

#[test]
fn a_page_may_vanish_between_the_list_and_the_reading() {
    let mut site = cloud();
    site.quirks.order(Quirk::Vanishing, "/pages/1002");
    assert_eq!(ids(&ask(&mut site, "/wiki/api/v2/pages?id=1002")), ["1002"]);
    let after = status(&mut site, "/wiki/api/v2/pages/1002");
    let page = site.content(ContentId(1002)).unwrap();
    let archived = page.status == Status::Archived;
    assert_eq!(after, if archived { 200 } else { 404 });
    assert!(page.status != Status::Current || !page.read.is_open());
}

#[test]
fn access_tokens_may_end_in_the_middle() {
    let mut site = cloud();
    let gateway = format!("/ex/confluence/{}/wiki/api/v2/pages", site.cloud_id);
    let mut refresh = "refresh-reader".to_owned();
    let mut come_in = |site: &mut Site| {
        let body = json!({ "grant_type": "refresh_token", "refresh_token": refresh });
        let issued = answer(site, &Request::new("POST", "/oauth/token").with_json(&body)).value();
        refresh = issued["refresh_token"].as_str().unwrap().to_owned();
        format!("Bearer {}", issued["access_token"].as_str().unwrap())
    };
    let first = come_in(&mut site);
    let page = respond(&mut site, &first, &format!("{gateway}?limit=1")).value();
    assert!(page["_links"]["next"].as_str().unwrap().starts_with("/wiki/api/v2/"), "without the gateway");
    site.quirks.order(Quirk::TokenEnds, "/pages");
    assert_eq!(respond(&mut site, &first, &gateway).status, 401);
    let second = come_in(&mut site);
    assert_eq!(respond(&mut site, &second, &gateway).status, 200);
}

#[test]
fn search_may_lag_behind_what_was_written() {
    let mut site = cloud();
    site.quirks.rate(Quirk::IndexLag, 1000);
    fake(&mut site, "edit", &json!({ "do": "create", "space": "OPS", "title": "Fresh", "id": 2000 }));
    let target = "/wiki/rest/api/content/search?cql=id=2000";
    assert_eq!(ids(&ask(&mut site, target)), [""; 0]);
    assert_eq!(status(&mut site, "/wiki/api/v2/pages/2000"), 200, "while reading does not");
    site.now += jiff::SignedDuration::from_mins(6);
    assert_eq!(ids(&ask(&mut site, target)), ["2000"]);
}

#[test]
fn rows_may_come_twice_and_move_while_a_list_is_turned() {
    let mut site = cloud();
    site.quirks.rate(Quirk::RepeatedRow, 1000);
    let first = ask(&mut site, "/wiki/api/v2/pages?limit=2");
    let second = ask(&mut site, first["_links"]["next"].as_str().unwrap());
    assert_eq!((ids(&first), ids(&second)), (vec!["1000", "1001"], vec!["1001", "1002"]));
    let mut site = cloud();
    site.quirks.rate(Quirk::MovedRow, 1000);
    let first = ask(&mut site, "/wiki/api/v2/pages?limit=2");
    ask(&mut site, first["_links"]["next"].as_str().unwrap());
    assert_eq!(site.contents().filter(|content| content.newest().number == 2).count(), 1);
}

/// Over a socket, because that is what breaks.
#[test]
fn a_connection_may_break_in_the_middle_of_a_body_and_bodies_may_be_packed() {
    let server = Server::start(cloud(), 0, false).unwrap();
    let read = |packed: &str| {
        let mut stream = TcpStream::connect(server.address).unwrap();
        write!(
            stream,
            "GET /wiki/api/v2/pages?body-format=storage HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\
             authorization: {READER}\r\naccept-encoding: {packed}\r\n\r\n"
        )
        .unwrap();
        let mut bytes = Vec::new();
        stream.read_to_end(&mut bytes).unwrap();
        let at = bytes.windows(4).position(|window| window == b"\r\n\r\n").unwrap();
        let head = String::from_utf8(bytes[..at].to_vec()).unwrap();
        let length = head.lines().find_map(|line| line.strip_prefix("Content-Length: ")).unwrap();
        (head.clone(), length.parse::<usize>().unwrap(), bytes[at + 4..].to_vec())
    };
    let (_, length, body) = read("identity");
    assert_eq!(body.len(), length);
    serde_json::from_slice::<Value>(&body).unwrap();
    let (head, packed, body) = read("gzip");
    assert!(head.contains("Content-Encoding: gzip") && packed < length / 2);
    assert_eq!(body[..2], [0x1f, 0x8b]);
    server.with(|site| site.quirks.order(Quirk::BrokenOff, "/pages"));
    let (_, length, body) = read("identity");
    assert_eq!(body.len(), length / 2);
}

#[test]
fn what_was_asked_is_counted_by_endpoint_and_status() {
    let mut site = cloud();
    for target in ["/wiki/api/v2/pages/1001", "/wiki/api/v2/pages/1002", "/wiki/api/v2/pages/9"] {
        respond(&mut site, READER, target);
    }
    ask(&mut site, "/wiki/rest/api/space/OPS");
    let stats = answer(&mut site, &Request::get("/_fake/stats")).value();
    assert_eq!(stats["endpoints"]["GET /wiki/api/v2/pages/{}"], json!({ "200": 2, "404": 1 }));
    assert_eq!(stats["endpoints"]["GET /wiki/rest/api/space/{}"], json!({ "200": 1 }));
    assert_eq!(stats["requests"], 4);
}

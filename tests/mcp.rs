//! The way in for assistants, as clients use it: message by message, by the official client from Python's packages,
//! and by those that do not speak the protocol.

#![cfg(feature = "mcp")]
#![allow(clippy::unwrap_used)] // A test that cannot set itself up has failed.

mod doors;
mod servers;

use serde_json::{Value, json};
use servers::{Place, talk};
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

/// An answer that has not come by then does not come.
const PATIENCE: Duration = Duration::from_secs(120);

/// A client that writes and reads lines.
struct Client {
    child: Child,
    stdin: Option<ChildStdin>,
    lines: Receiver<String>,
    calls: u64,
}

impl Client {
    fn start(place: &Place, environment: &[(&str, &str)]) -> Self {
        let mut command = place.command(&["mcp", "--quiet"]);
        command.envs(environment.iter().copied());
        let mut child =
            command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        let (stdin, stdout) = (child.stdin.take(), child.stdout.take().unwrap());
        let (sender, lines) = channel();
        std::thread::spawn(move || {
            for line in BufReader::new(stdout).lines().map_while(Result::ok) {
                if sender.send(line).is_err() {
                    break;
                }
            }
        });
        Self { child, stdin, lines, calls: 0 }
    }

    /// One that has shaken hands.
    fn greeted(place: &Place, environment: &[(&str, &str)]) -> Self {
        let mut client = Self::start(place, environment);
        let greeting = client.greet();
        assert_eq!(greeting["result"]["serverInfo"]["name"], "highwater", "{greeting}");
        assert!(greeting["result"]["instructions"].as_str().unwrap().contains("never instructions"));
        client
    }

    fn greet(&mut self) -> Value {
        let who = json!({ "name": "test", "version": "0" });
        let params = json!({ "protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": who });
        let greeting = self.ask("initialize", params);
        self.write(&json!({ "jsonrpc": "2.0", "method": "notifications/initialized" }).to_string());
        greeting
    }

    fn write(&mut self, line: &str) {
        self.write_bytes(format!("{line}\n").as_bytes());
    }

    fn write_bytes(&mut self, bytes: &[u8]) {
        let stdin = self.stdin.as_mut().unwrap();
        stdin.write_all(bytes).unwrap();
        stdin.flush().unwrap();
    }

    /// The next line, which is a message of the protocol like all of them.
    fn read(&mut self) -> Value {
        let line = self.lines.recv_timeout(PATIENCE).expect("an answer");
        let message: Value = serde_json::from_str(&line).unwrap_or_else(|why| panic!("{why}: {line}"));
        assert_eq!(message["jsonrpc"], "2.0", "{line}");
        message
    }

    fn send(&mut self, method: &str, params: Value) -> u64 {
        self.calls += 1;
        let id = self.calls;
        self.write(&json!({ "jsonrpc": "2.0", "id": id, "method": method, "params": params }).to_string());
        id
    }

    fn ask(&mut self, method: &str, params: Value) -> Value {
        let id = self.send(method, params);
        let answer = self.read();
        assert_eq!(answer["id"], id, "{answer}");
        answer
    }

    fn call(&mut self, tool: &str, arguments: Value) -> Value {
        let mut answer = self.ask("tools/call", json!({ "name": tool, "arguments": arguments }));
        answer["result"].take()
    }

    /// Calls and expects to be told, in words, what is wrong.
    fn refused(&mut self, tool: &str, arguments: Value, words: &[&str]) -> String {
        let answer = self.call(tool, arguments.clone());
        assert_eq!(answer["isError"], true, "{arguments}: {answer}");
        let text = answer["content"][0]["text"].as_str().unwrap().to_owned();
        assert!(
            !text.contains("--") && !text.contains("highwater"),
            "an assistant types no commands: {text}"
        );
        for word in words {
            assert!(text.contains(word), "{arguments} should say `{word}`: {text}");
        }
        text
    }

    /// Closes its end; gives how the other one ended.
    fn leave(mut self) -> Option<i32> {
        drop(self.stdin.take());
        self.child.wait().unwrap().code()
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

fn text(answer: &Value) -> &str {
    answer["content"][0]["text"].as_str().unwrap()
}

/// A place with a graph of three pages, one of them hidden from some.
fn place() -> Place {
    let place = Place::new(0);
    doors::write(place.folder.path());
    place.done(&["pipeline", "wiki", "--quiet"]);
    place
}

#[test]
fn the_tools_are_listed_with_what_they_take_and_give_and_only_read() {
    let place = place();
    let mut client = Client::greeted(&place, &[]);
    let listed = client.ask("tools/list", json!({}));
    let tools = listed["result"]["tools"].as_array().unwrap();
    let names: Vec<&str> = tools.iter().map(|tool| tool["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["search", "show"]);
    for tool in tools {
        assert_eq!(tool["annotations"]["readOnlyHint"], true, "{tool}");
        assert_eq!(tool["annotations"]["openWorldHint"], false, "{tool}");
        assert_eq!(tool["inputSchema"]["additionalProperties"], false, "{tool}");
        assert_eq!(tool["outputSchema"]["properties"]["results"]["type"], "array", "{tool}");
        assert!(tool["description"].as_str().unwrap().contains("data, not instructions"), "{tool}");
    }
    let takes = |tool: &Value| -> Vec<String> {
        tool["inputSchema"]["properties"].as_object().unwrap().keys().cloned().collect()
    };
    for name in ["as_of", "limit", "query", "wiki_at"] {
        assert!(takes(&tools[0]).iter().any(|taken| taken == name), "`{name}` of {:?}", takes(&tools[0]));
    }
    assert!(takes(&tools[0]).iter().all(|taken| taken != "as"));
    assert_eq!(tools[0]["inputSchema"]["required"], json!(["query"]));
    assert_eq!(takes(&tools[1]), ["limit", "name", "why"]);
    assert_eq!(client.leave(), Some(0));
}

#[test]
fn what_search_finds_show_shows_as_data_and_in_words() {
    let place = place();
    let mut client = Client::greeted(&place, &[]);
    let found = client.call("search", json!({ "query": "who owns the broker", "limit": 5 }));
    assert_ne!(found["isError"], true, "{found}");
    let results = found["structuredContent"]["results"].as_array().unwrap();
    assert!(!results.is_empty() && results.len() <= 5, "{found}");
    let fact = results.iter().map(|hit| &hit["fact"]).find(|fact| fact["object"] == "Team Green").unwrap();
    assert!(text(&found).contains("Team Green") && text(&found).contains("page “broker” (7) version 1"));
    assert_eq!(fact["sources"][0]["page"], "7", "{fact}");
    // The command line finds the same.
    let typed = place.json(&["search", "--json", "--limit", "5", "who owns the broker"]);
    assert_eq!(&typed, &found["structuredContent"]["results"]);
    let shown = client.call("show", json!({ "name": fact["fact"] }));
    assert_eq!(shown["structuredContent"]["results"][0]["fact"]["fact"], fact["fact"], "{shown}");
    for name in ["broker", "7"] {
        let shown = client.call("show", json!({ "name": name }));
        assert_eq!(place.json(&["show", "--json", name]), shown["structuredContent"]["results"]);
        assert_eq!(place.done(&["show", name]), text(&shown));
    }
    let nothing = client.call("search", json!({ "query": "quetzalcoatl" }));
    assert_eq!((&nothing["structuredContent"]["results"], text(&nothing)), (&json!([]), "nothing found"));
    assert_eq!(client.leave(), Some(0));
}

#[test]
fn wrong_arguments_are_named_and_the_next_call_is_answered() {
    let place = place();
    let mut client = Client::greeted(&place, &[]);
    client.refused("search", json!({}), &["missing field `query`"]);
    client.refused("search", json!({ "query": 7 }), &["invalid type"]);
    client.refused("search", json!({ "query": "?!" }), &["no word in it"]);
    client.refused("search", json!({ "query": "broker", "limit": 0 }), &["limit 0", "1 to 200"]);
    client.refused("search", json!({ "query": "broker", "limit": -1 }), &["limit -1", "1 to 200"]);
    client.refused("search", json!({ "query": "broker", "limit": 100_000 }), &["limit 100000", "1 to 200"]);
    client.refused(
        "search",
        json!({ "query": "broker", "limit": "all" }),
        &["`limit` is not a whole number"],
    );
    client.refused("search", json!({ "query": "broker", "as_of": "soon" }), &["`as_of soon`", "YYYY-MM-DD"]);
    let backwards = json!({ "query": "broker", "between": ["2024-02-01", "2024-01-01"] });
    client.refused("search", backwards, &["`between 2024-02-01 2024-01-01`", "earlier date first"]);
    let both = json!({ "query": "broker", "as_of": "2024-01-01", "between": ["2024-01-01", "2024-02-01"] });
    client.refused("search", both, &["`as_of` asks for another time"]);
    client.refused(
        "search",
        json!({ "query": "broker", "owner": "ann" }),
        &["unknown field `owner`", "`as_of`"],
    );
    client.refused(
        "show",
        json!({ "name": "nobody" }),
        &["no entity, page, fact or chunk", "hint: try `search nobody`"],
    );
    client.refused("show", json!({ "name": "broker", "limit": 9000 }), &["1 to 5000"]);
    // What nobody could put on a screen is not sent back whole, nor as it came.
    let long = client.refused("show", json!({ "name": format!("\u{1b}[31m{}", "x".repeat(10_000)) }), &[]);
    assert!(long.len() < 500 && !long.contains('\u{1b}'), "{long}");
    let unknown = client.ask("tools/call", json!({ "name": "erase", "arguments": {} }));
    assert!(unknown["error"]["message"].as_str().unwrap().contains("no tool `erase`"), "{unknown}");
    let odd = client.ask("tools/erase", json!({}));
    assert!(odd["error"].is_object(), "{odd}");
    let found = client.call("search", json!({ "query": "broker", "as_of": null, "wiki_at": null }));
    assert!(text(&found).contains("broker"), "{found}");
    assert_eq!(client.leave(), Some(0));
}

/// Characters of an answer as data and in words.
fn lengths(answer: &Value) -> (usize, usize) {
    (answer["structuredContent"].to_string().chars().count(), text(answer).chars().count())
}

#[test]
fn an_answer_is_bounded_and_says_what_was_left_out() {
    let place = Place::new(0);
    place.settings("embedding = \"none\"\n");
    let lines: String = (0..400).map(|at| format!("The `service-{at}` depends on `broker`.\n\n")).collect();
    std::fs::write(place.path("wiki/OPS/services.md"), format!("# Services\n\n{lines}")).unwrap();
    place.done(&["pipeline", "wiki", "--quiet"]);
    let mut client = Client::greeted(&place, &[]);
    let question = json!({ "query": "what depends on the broker", "only": ["facts"], "limit": 200 });
    let found = client.call("search", question.clone());
    let kept = found["structuredContent"]["results"].as_array().unwrap().clone();
    let left = found["structuredContent"]["left_out"]["results"].as_u64().unwrap();
    let typed =
        place.json(&["search", "--json", "--only", "facts", "--limit", "200", "what depends on the broker"]);
    assert_eq!(kept.len() + left as usize, typed.as_array().unwrap().len());
    assert_eq!(kept, typed.as_array().unwrap()[..kept.len()], "the best are kept, whole");
    assert!(kept.len() > 30 && left > 0, "{} kept, {left} left out", kept.len());
    assert!(text(&found).contains(&format!("results: {left}\n")), "{}", text(&found));
    let shown = client.call("show", json!({ "name": "broker", "limit": 5000 }));
    let result = &shown["structuredContent"]["results"][0]["entity"];
    let facts = result["facts"].as_array().unwrap().len();
    let left = shown["structuredContent"]["left_out"]["parts"].as_u64().unwrap();
    assert!(facts > 50 && facts + left as usize >= 400, "{facts} facts, {left} left out");
    assert!(text(&shown).contains(&format!("{left} facts, sources, names or chunks")), "{}", text(&shown));
    let page = client.call("show", json!({ "name": "Services" }));
    for answer in [&found, &shown, &page] {
        let (data, words) = lengths(answer);
        assert!(data <= 40_000 && words <= 40_000, "{data} characters as data, {words} in words");
    }
    // One that was left out is had by its name.
    let one = client.call("show", json!({ "name": "service-399" }));
    assert_eq!(one["structuredContent"]["left_out"], json!({ "results": 0, "parts": 0 }), "{one}");
    assert_eq!(client.leave(), Some(0));
}

#[test]
fn noise_is_passed_over_and_a_line_without_end_is_not_kept() {
    let place = place();
    let mut client = Client::start(&place, &[]);
    client.write("hello?");
    client.write("");
    client.write_bytes(b"\xff\xfe\x00{\n");
    let greeting = client.greet();
    assert!(greeting["result"].is_object(), "{greeting}");
    client.write("{\"jsonrpc\": \"2.0\", \"id\": 1, \"method\": \"tools/call\"");
    client.write(&"[".repeat(100_000));
    let million = vec![b'x'; 1 << 20];
    for _ in 0..96 {
        client.write_bytes(&million);
    }
    client.write("");
    let pong = client.ask("ping", json!({}));
    assert!(pong["result"].is_object(), "{pong}");
    let found = client.call("search", json!({ "query": "broker" }));
    assert!(text(&found).contains("broker"), "{found}");
    let status = std::fs::read_to_string(format!("/proc/{}/status", client.child.id())).unwrap_or_default();
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    if let Some(peak) = peak {
        let kilobytes: u64 = peak.trim().trim_end_matches(" kB").parse().unwrap();
        assert!(kilobytes < 64 << 10, "{kilobytes} kB at most, after a line of 96 MB");
    }
    assert_eq!(client.leave(), Some(0));
}

#[test]
fn what_was_asked_before_the_end_of_input_is_answered() {
    let place = place();
    let mut client = Client::greeted(&place, &[]);
    let asked: Vec<u64> = (0..20)
        .map(|_| client.send("tools/call", json!({ "name": "search", "arguments": { "query": "broker" } })))
        .collect();
    drop(client.stdin.take());
    let mut answered: Vec<u64> = asked.iter().map(|_| client.read()["id"].as_u64().unwrap()).collect();
    answered.sort_unstable();
    assert_eq!(answered, asked);
    assert!(client.lines.recv_timeout(PATIENCE).is_err(), "nothing but answers");
    assert_eq!(client.leave(), Some(0));
}

#[test]
fn what_a_run_beside_it_adds_is_found() {
    let place = Place::new(0);
    place.settings("embedding = \"none\"\n");
    let write = |name: &str, text: &str| std::fs::write(place.path("wiki/OPS").join(name), text).unwrap();
    write("broker.md", "# broker\n\nThe `broker` is owned by Team Green.\n");
    place.done(&["pipeline", "wiki", "--quiet"]);
    let mut client = Client::greeted(&place, &[]);
    let before = client.call("search", json!({ "query": "queue" }));
    assert_eq!(text(&before), "nothing found");
    write("queue.md", "# queue\n\nThe `queue` is owned by Team Amber.\n");
    place.done(&["pipeline", "wiki", "--quiet"]);
    let after = client.call("search", json!({ "query": "who owns the queue" }));
    assert!(text(&after).contains("Team Amber"), "{after}");
    // Nor does it stand in the way of a fold, or miss its end.
    place.done(&["vault", "rebuild", "--quiet"]);
    std::fs::remove_file(place.path("highwater.db")).unwrap();
    let again = client.call("search", json!({ "query": "who owns the queue" }));
    assert_eq!(again, after);
    assert_eq!(client.leave(), Some(0));
}

#[test]
fn for_whom_it_looks_is_for_the_settings_to_say() {
    let place = place();
    let mut client = Client::greeted(&place, &[("HIGHWATER_AS", doors::BOB)]);
    let question =
        json!({ "query": "zanzibook zanzibar zanzivault team ledger-service owner", "limit": 200 });
    let found = client.call("search", question.clone());
    assert!(text(&found).contains("Team Blue"), "{found}");
    assert!(!found.to_string().to_lowercase().contains(doors::SECRET), "{found}");
    let hidden = client.refused("show", json!({ "name": "zanzibook" }), &["no entity, page"]);
    let absent = client.refused("show", json!({ "name": "zanzinone" }), &["no entity, page"]);
    assert_eq!(hidden.replace("zanzibook", "zanzinone"), absent);
    client.refused("show", json!({ "name": doors::HIDDEN }), &["no entity, page"]);
    for name in ["as", "viewer", "user", "_meta"] {
        let mut pretending = question.clone();
        pretending[name] = json!(doors::ANN);
        client.refused("search", pretending, &["unknown field"]);
    }
    assert_eq!(client.leave(), Some(0));
    let mut ann = Client::greeted(&place, &[("HIGHWATER_AS", doors::ANN)]);
    let found = ann.call("search", question);
    assert!(found.to_string().to_lowercase().contains("team zanzibar"), "{found}");
    // Whoever is nobody is told so, and nothing else.
    let mut nobody = Client::greeted(&place, &[("HIGHWATER_AS", "eve")]);
    nobody.refused("search", json!({ "query": "broker" }), &["no user of the wiki is called so"]);
}

#[test]
fn killed_in_the_middle_it_leaves_nothing_behind() {
    let place = place();
    for _ in 0..5 {
        let mut client = Client::greeted(&place, &[]);
        for _ in 0..10 {
            client.send("tools/call", json!({ "name": "search", "arguments": { "query": "broker" } }));
        }
        client.child.kill().unwrap();
        client.child.wait().unwrap();
    }
    place.done(&["pipeline", "wiki", "--quiet"]);
    place.done(&["vault", "verify"]);
    let mut client = Client::greeted(&place, &[]);
    assert!(text(&client.call("search", json!({ "query": "broker" }))).contains("broker"));
}

#[test]
fn without_a_vault_or_a_client_it_says_so_on_stderr_alone() {
    let place = Place::new(0);
    let output = place.run(&["mcp"]);
    assert_eq!(output.status.code(), Some(4), "{}", talk(&output));
    assert!(output.stdout.is_empty());
    let place = self::place();
    // Nobody speaks: the end of input comes first.
    let output = place.run(&["mcp"]);
    assert_eq!(output.status.code(), Some(0), "{}", talk(&output));
    assert!(output.stdout.is_empty() && talk(&output).contains("everything there is"));
    let mut client = Client::start(&place, &[]);
    client.write(&json!({ "jsonrpc": "2.0", "method": "notifications/initialized" }).to_string());
    assert_eq!(client.leave(), Some(1));
}

/// Past the harness, which hides what a passing test prints.
fn say(words: &str) {
    std::io::stderr().write_all(format!("{words}\n").as_bytes()).unwrap();
}

/// The Python that has the official client; without it the test is skipped, loudly.
fn python() -> Option<PathBuf> {
    let found = std::env::var_os("ASSISTANTS_PYTHON").map(PathBuf::from).filter(|path| path.exists());
    if found.is_none() {
        say("SKIPPED: no client of the protocol in `ASSISTANTS_PYTHON`; `cargo xtask test` installs it");
    }
    found
}

#[test]
fn the_official_client_asks_as_two_users_and_finds_every_answer_to_its_schema() {
    let Some(python) = python() else { return };
    let place = place();
    for (user, seen) in [("", "everything"), (doors::ANN, "everything"), (doors::BOB, "a part")] {
        let mut command = Command::new(&python);
        command.arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/judges/judge_mcp.py"));
        command.current_dir(place.folder.path()).env("HIGHWATER_PROGRAM", env!("CARGO_BIN_EXE_highwater"));
        command.env("SECRET", doors::SECRET).env("SEEN", seen).env("PYTHONDONTWRITEBYTECODE", "1");
        if !user.is_empty() {
            command.env("LOOK_AS", user);
        }
        let output = command.output().unwrap();
        let words = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(output.status.success(), "as `{user}`: {words}\n{}", talk(&output));
        say(&format!("as `{user}`: {}", words.lines().last().unwrap_or("nothing said")));
    }
}

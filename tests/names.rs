//! The built program and a user's word on names: what it changes, who is told of it, and that it stays.

#![allow(clippy::unwrap_used)] // A test that cannot set itself up has failed.

use highwater::state::State;
use serde_json::Value;
use std::process::{Command, Output, Stdio};
use tempfile::TempDir;

/// A wiki of two spaces, read.
struct Place(TempDir);

const PAGES: [(&str, &str); 4] = [
    ("OPS/gateway.md", "# Payment Gateway\n\n| Property | Value |\n|---|---|\n| Owner | Team Blue |\n"),
    ("OPS/use.md", "# Uses\n\nThe `payment-gateway` depends on `ledger-service`.\n"),
    ("PAY/gateway.md", "# Main Gateway\n\n| Property | Value |\n|---|---|\n| Owner | Team Red |\n"),
    ("PAY/overview.md", "# Payment Gateway\n\n| Property | Value |\n|---|---|\n| Owner | Team Green |\n"),
];

impl Place {
    fn new(pages: &[(&str, &str)]) -> Self {
        let place = Self(tempfile::tempdir().unwrap());
        pages.iter().for_each(|(name, text)| place.write(name, text));
        place.done(&["pipeline", "wiki"]);
        place
    }

    fn write(&self, name: &str, text: &str) {
        let path = self.0.path().join("wiki").join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }

    fn run(&self, arguments: &[&str]) -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_highwater"));
        command.current_dir(self.0.path()).args(arguments).env("HIGHWATER_EMBEDDING", "none");
        command.stdin(Stdio::null()).output().unwrap()
    }

    fn done(&self, arguments: &[&str]) -> String {
        let output = self.run(arguments);
        assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    }

    /// Runs and expects an error that holds all these words.
    fn refused(&self, arguments: &[&str], words: &[&str]) -> String {
        let output = self.run(arguments);
        let talk = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(!output.status.success(), "{arguments:?}: {talk}");
        words.iter().for_each(|word| assert!(talk.contains(word), "{arguments:?} says no `{word}`: {talk}"));
        talk
    }

    fn json(&self, arguments: &[&str]) -> Value {
        serde_json::from_str(&self.done(&[arguments, &["--json"]].concat())).unwrap()
    }

    fn dump(&self) -> String {
        State::open_to_read(&self.0.path().join("highwater.db")).unwrap().unwrap().dump().unwrap()
    }

    /// The entities that go by a name, with all other names of each.
    fn entities(&self, name: &str) -> Vec<Vec<String>> {
        let names = |shown: &Value| {
            let card = shown.get("entity")?;
            let also = card["also"].as_array().into_iter().flatten().filter_map(Value::as_str);
            let mut names: Vec<String> = also.map(str::to_owned).collect();
            names.push(card["name"].as_str()?.to_owned());
            names.sort();
            Some(names)
        };
        let shown = self.json(&["show", name]);
        let mut found: Vec<_> = shown.as_array().unwrap().iter().filter_map(names).collect();
        found.sort();
        found
    }
}

fn names(list: &[&str]) -> Vec<String> {
    list.iter().map(|name| (*name).to_owned()).collect()
}

#[test]
fn names_that_a_user_parts_stay_apart_until_he_takes_it_back() {
    let place = Place::new(&PAGES[..3]);
    let (before, one) = (place.dump(), names(&["Payment Gateway", "payment-gateway"]));
    assert_eq!(place.entities("Payment Gateway"), std::slice::from_ref(&one));
    let nothing = place.run(&["names", "list"]);
    assert!(String::from_utf8_lossy(&nothing.stderr).contains("nobody has said anything of names"));
    place.done(&["names", "apart", "ops:Payment Gateway", "payment-gateway", "--why", "two teams' things"]);
    let parted = place.dump();
    let two = [names(&["Payment Gateway"]), names(&["payment-gateway"])];
    assert_eq!(place.entities("Payment Gateway"), two[..1]);
    assert_eq!(place.entities("payment-gateway"), two[1..]);
    let found = place.done(&["search", "payment gateway", "--only", "entities"]);
    assert!(
        found.contains("Payment Gateway (Page)") && found.contains("payment-gateway (Component)"),
        "{found}"
    );
    let why = place.done(&["show", "payment-gateway", "--why"]);
    assert!(why.contains("is not") && why.contains("somebody said so: two teams' things"), "{why}");
    assert!(!why.contains("differ only in spaces"), "{why}");
    // What was said of the page and of its title is one line, and no name is said to be itself.
    let why = place.done(&["show", "Payment Gateway", "--why"]);
    assert_eq!(why.matches("“Payment Gateway” is not “payment-gateway”").count(), 1, "{why}");
    assert!(!why.contains("“Payment Gateway” is “Payment Gateway”"), "{why}");
    let [page, title] = ["page", "title"].map(|by| format!("“Payment Gateway (Page in OPS, by its {by})”"));
    assert!(
        why.contains(&format!("{title} is {page}")) || why.contains(&format!("{page} is {title}")),
        "{why}"
    );
    let list = place.json(&["names", "list"]);
    assert_eq!((&list[0]["verdict"], &list[0]["why"]), (&"apart".into(), &"two teams' things".into()));
    // Nothing is read again for it, and whatever is made of the journal again is the same.
    place.done(&["pipeline", "wiki"]);
    assert_eq!(place.dump(), parted);
    place.done(&["vault", "rebuild"]);
    assert_eq!(place.dump(), parted);
    place.done(&["pipeline", "wiki", "--reindex"]);
    assert_eq!(place.dump(), parted);
    place.done(&["names", "forget", "payment-gateway", "OPS:Payment Gateway"]);
    assert_eq!(place.entities("Payment Gateway"), [one]);
    assert_eq!(place.dump(), before);
    assert_eq!(place.json(&["names", "list"]), Value::Array(Vec::new()));
    place.refused(&["names", "forget", "payment-gateway", "OPS:Payment Gateway"], &["nothing was said"]);
}

#[test]
fn names_that_a_user_joins_are_one_across_spaces() {
    let place = Place::new(&PAGES);
    let talk = place.refused(
        &["names", "same", "Payment Gateway", "ledger-service", "--why", "so"],
        &["means 2 things", "OPS:Payment Gateway", "PAY:Payment Gateway"],
    );
    assert!(talk.contains("give the id"), "{talk}");
    place.refused(&["names", "same", "Nothing", "ledger-service", "--why", "so"], &["nothing in the graph"]);
    place.refused(&["names", "same", "ledger-service", "ledger-service", "--why", "so"], &["one name"]);
    place.refused(
        &["names", "same", "OPS:Payment Gateway", "PAY:Payment Gateway", "--why", "so"],
        &["two pages", "names apart"],
    );
    let before = place.dump();
    place.done(&["names", "same", "OPS:Payment Gateway", "PAY:Team Green", "--why", "they are the gateway"]);
    let one = place.entities("Team Green");
    assert_eq!(one.len(), 1);
    assert!(one[0].contains(&"Payment Gateway".to_owned()), "{one:?}");
    // His own words do not contradict each other.
    place.done(&["names", "same", "PAY:Team Green", "PAY:Team Red", "--why", "renamed"]);
    let talk = place.refused(
        &["names", "apart", "PAY:Team Red", "OPS:Payment Gateway", "--why", "no"],
        &["were said to be apart", "names forget"],
    );
    assert!(talk.contains("Team Red"), "{talk}");
    place.done(&["names", "forget", "PAY:Team Green", "PAY:Team Red"]);
    place.done(&["names", "forget", "PAY:Team Green", "OPS:Payment Gateway"]);
    assert_eq!(place.dump(), before);
}

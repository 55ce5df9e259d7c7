//! `docs/reference.md` is made from the command line and the settings as they are defined; this test fails when the
//! page is stale, and writes it when asked to (`cargo xtask docs` asks).

#![allow(clippy::unwrap_used)] // A test that cannot set itself up has failed.

use highwater::cli::{Exit, command};
use highwater::settings::{ENDPOINT_KEYS, KEYS};
use std::fmt::Write;
use std::path::Path;

/// What each exit code means to a script.
const EXITS: [(Exit, &str); 6] = [
    (Exit::Done, "All that was asked is done."),
    (Exit::Failed, "It failed; the message says why, and what is recorded stays."),
    (Exit::Usage, "The command line or a setting was wrong; nothing was begun."),
    (Exit::Interrupted, "It was interrupted. The same command goes on from the last durable record."),
    (Exit::Vault, "The vault refused: empty, foreign, fenced, newer or damaged; the message says which."),
    (Exit::Active, "Another run is active on this vault, and nothing was changed. `--take-over` fences it."),
];

fn page() -> String {
    let mut page = String::from(
        "# Reference\n\nMade by `cargo xtask docs` from the command line and the settings as they are defined.\n\n\
         ## Exit codes\n\n| code | meaning |\n|---|---|\n",
    );
    for (exit, meaning) in EXITS {
        writeln!(page, "| {} | {meaning} |", exit as u8).unwrap();
    }
    page.push_str(
        "\n## Settings\n\nA flag beats the environment, the environment beats the file (`highwater.toml`, or \
         `--config`), the file beats the default.\n`highwater config` prints each value and where it came from. \
         Unknown names are refused.\n\n| setting | environment | default | what it sets |\n|---|---|---|---|\n",
    );
    for key in KEYS {
        let variable = format!("HIGHWATER_{}", key.name.to_uppercase());
        writeln!(page, "| `{}` | `{variable}` | `{}` | {} |", key.name, key.default, key.about).unwrap();
    }
    let own: Vec<String> = ENDPOINT_KEYS.iter().map(|name| format!("`{name}`")).collect();
    writeln!(
        page,
        "\nThe file may hold `[[endpoint]]` tables, one for each key, region or server that shares the work of models. Each \
         may say these anew:\n{}.",
        own.join(", ")
    )
    .unwrap();
    page.push_str("\n## Commands\n");
    let mut command = command().disable_help_subcommand(true);
    command.build();
    describe(&mut command, &mut page);
    page
}

fn describe(command: &mut clap::Command, page: &mut String) {
    let help = command.render_long_help().to_string();
    let name = command.get_bin_name().unwrap_or_else(|| command.get_name()).to_owned();
    let help: Vec<&str> = help.trim().lines().map(str::trim_end).collect();
    write!(page, "\n### {name}\n\n```text\n{}\n```\n", help.join("\n")).unwrap();
    for verb in command.get_subcommands_mut() {
        describe(verb, page);
    }
}

#[test]
fn the_reference_page_says_what_the_program_says() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/reference.md");
    let page = page();
    if std::env::var_os("WRITE_REFERENCE").is_some() {
        std::fs::write(&file, &page).unwrap();
    }
    let written = std::fs::read_to_string(&file).unwrap_or_default();
    assert!(written == page, "`docs/reference.md` is stale: `cargo xtask docs` writes it again");
}

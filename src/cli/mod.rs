//! The command line: what was typed becomes settings and one verb. Data goes to stdout, talk to stderr.

mod calls;
mod communities;
mod config;
mod courtesy;
mod doctor;
mod embed;
mod estimate;
mod export;
mod head;
#[cfg(feature = "mcp")]
mod mcp;
mod names;
mod pipeline;
mod prices;
mod progress;
mod report;
mod reports;
mod search;
mod seat;
mod show;
mod status;
mod vault;

use crate::error::{Error, Kind, Result};
use crate::settings::{Origin, Settings};
use crate::wire;
use clap::{Args, CommandFactory, Parser, Subcommand};
use std::path::PathBuf;

/// How a command ended, for whoever started it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Exit {
    /// All that was asked is done.
    Done = 0,
    /// It failed; the message says why.
    Failed = 1,
    /// The command line or a setting was wrong.
    Usage = 2,
    /// It was interrupted; the same command goes on.
    Interrupted = 3,
    /// The vault refused: empty, foreign, fenced, newer or damaged.
    Vault = 4,
    /// Another run is active on this vault; this one changed nothing.
    Active = 5,
}

/// Turns a Confluence wiki into a temporal knowledge graph, and never loses its high-water mark.
#[derive(Debug, Parser)]
#[command(name = "highwater", version, max_term_width = 100, after_help = EXIT_CODES)]
struct Typed {
    #[command(flatten)]
    common: Common,
    #[command(subcommand)]
    verb: Verb,
}

const EXIT_CODES: &str = "Exit codes: 0 done, 1 failed, 2 usage, 3 interrupted (the same command goes on), \
4 the vault refused, 5 another run is active.\nSettings also come from `highwater.toml` and HIGHWATER_* variables; \
`highwater config` shows them.";

/// Flags of every verb.
#[derive(Args, Debug)]
struct Common {
    /// What holds the journal: a folder, or gs://, s3:// or az:// with bucket and prefix [default: vault]
    #[arg(long, global = true, value_name = "DIR")]
    vault: Option<String>,
    /// The state file, a cache of the vault [default: highwater.db]
    #[arg(long, global = true, value_name = "FILE")]
    state: Option<String>,
    /// A settings file [default: highwater.toml if it is there]
    #[arg(long, global = true, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Print one JSON value on stdout
    #[arg(long, global = true)]
    json: bool,
    /// Say nothing but results and errors
    #[arg(long, short, global = true)]
    quiet: bool,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Bring the graph up to date with the wiki
    Pipeline(pipeline::Typed),
    /// Show what is held and what is owed
    #[command(after_help = "Example: highwater status --json\n\n\
                            For operators: it counts everything, whoever may see it.")]
    Status,
    /// Find facts, entities and passages
    Search(search::Typed),
    /// Show an entity, a page, a fact or a chunk
    Show(show::Typed),
    /// Write out entities, facts, passages and pages as JSON Lines
    Export(export::Typed),
    /// Answer an assistant over the Model Context Protocol, on stdin and stdout
    #[cfg(feature = "mcp")]
    #[command(after_help = mcp::EXAMPLE)]
    Mcp,
    /// Tell a gardener where pages disagree, what is left alone, what nobody finds
    #[command(subcommand)]
    Report(reports::Verb),
    /// Say which names are one thing and which are two
    #[command(subcommand)]
    Names(names::Verb),
    /// Check the way to a live Confluence: address, login, rights, limits, clock
    #[command(after_help = doctor::EXAMPLE)]
    Doctor(doctor::Typed),
    /// Make, check or fold a vault
    #[command(subcommand)]
    Vault(vault::Verb),
    /// Show the settings and where each came from
    #[command(after_help = "Example: highwater config --vault /mnt/wiki")]
    Config,
}

/// What every verb gets: settings, and how to talk.
pub(crate) struct Call {
    settings: Settings,
    config: Option<PathBuf>,
    json: bool,
    quiet: bool,
}

impl Call {
    /// The flags that say which vault, state and settings are meant, as a shell takes them again, with a space before
    /// each.
    fn flags_as_typed(&self) -> String {
        let typed = |name: &str| match self.settings.origin(name) {
            Origin::Flag => Some((name.to_owned(), self.settings.text(name).to_owned())),
            _ => None,
        };
        let config = self.config.as_ref().map(|path| ("config".to_owned(), path.display().to_string()));
        let flags = ["vault", "state"].into_iter().filter_map(typed).chain(config);
        flags.map(|(name, value)| format!(" --{name} {}", in_shell(&value))).collect()
    }

    /// Says something to the person at the terminal.
    fn tell(&self, text: &str) {
        if !self.quiet {
            eprintln!("{text}");
        }
    }
}

/// The command line as it may be typed, for the pages that are made from it.
pub fn command() -> clap::Command {
    Typed::command()
}

/// Runs the command line and says how it ended.
pub fn run() -> Exit {
    let typed = Typed::parse();
    match dispatch(typed) {
        Ok(exit) => exit,
        Err(error) => {
            eprintln!("error: {error}");
            if let Some(hint) = error.advice() {
                eprintln!("hint: {hint}");
            }
            exit_of(&error)
        }
    }
}

fn exit_of(error: &Error) -> Exit {
    match error.kind() {
        Kind::Usage => Exit::Usage,
        Kind::Vault | Kind::Foreign => Exit::Vault,
        Kind::Active => Exit::Active,
        Kind::Later | Kind::Never | Kind::Halt | Kind::Bug => Exit::Failed,
    }
}

fn dispatch(typed: Typed) -> Result<Exit> {
    let Typed { common, verb } = typed;
    let mut flags = vec![("vault", common.vault), ("state", common.state)];
    if let Verb::Pipeline(pipeline) = &verb {
        flags.push(("source", pipeline.source()));
        flags.push(("model", pipeline.model()));
        flags.push(("ask_history", pipeline.ask_history()));
    }
    match &verb {
        Verb::Doctor(doctor) => flags.push(("source", doctor.source())),
        Verb::Search(search) => flags.push(("as", search.viewer())),
        Verb::Show(show) => flags.push(("as", show.viewer())),
        Verb::Export(export) => flags.push(("as", export.viewer())),
        Verb::Report(report) => flags.push(("as", report.viewer())),
        _ => {}
    }
    let environment = std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)));
    let settings = Settings::load(common.config.as_deref(), environment, &flags)?;
    let call = Call { settings, config: common.config, json: common.json, quiet: common.quiet };
    let runtime = tokio::runtime::Builder::new_multi_thread()
        // The loop lives on the main thread; these serve timers, signals and blocking reads.
        .worker_threads(2)
        .enable_all()
        .build()
        .map_err(|error| Error::new(Kind::Halt, format!("starting the runtime: {error}")))?;
    wire::check(&call.settings)?;
    let done = runtime.block_on(async {
        // A run catches signals by itself: it has something to record first.
        if !matches!(verb, Verb::Pipeline(_)) {
            tokio::spawn(pipeline::end_at_a_signal());
        }
        match verb {
            Verb::Pipeline(typed) => pipeline::run(&call, &typed).await,
            Verb::Status => status::run(&call).await,
            Verb::Search(typed) => search::run(&call, &typed).await,
            Verb::Show(typed) => show::run(&call, &typed).await,
            Verb::Export(typed) => export::run(&call, &typed).await,
            #[cfg(feature = "mcp")]
            Verb::Mcp => mcp::run(&call).await,
            Verb::Report(verb) => reports::run(&call, &verb).await,
            Verb::Names(verb) => names::run(&call, &verb).await,
            Verb::Doctor(_) => doctor::run(&call).await,
            Verb::Vault(verb) => vault::run(&call, &verb).await,
            Verb::Config => config::run(&call),
        }
    });
    // Reads that were given up may still hang in the system; the process does not wait for them.
    runtime.shutdown_background();
    done
}

/// A word as a shell takes it: quoted where it holds anything a shell might read otherwise.
fn in_shell(word: &str) -> String {
    match word.chars().all(|c| c.is_ascii_alphanumeric() || "/._-+=:".contains(c)) {
        true => word.to_owned(),
        false => format!("'{}'", word.replace('\'', "'\\''")),
    }
}

/// Prints data on stdout. A reader that has gone away (`| head`) is no error. Wiki text is foreign: its control
/// characters never reach the terminal.
fn print(text: &str) -> Result<()> {
    use std::io::Write;
    let plain = |c: char| if c.is_control() && c != '\n' && c != '\t' { '\u{fffd}' } else { c };
    let text: String = text.chars().map(plain).collect();
    match std::io::stdout().lock().write_all(text.as_bytes()) {
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => {
            Err(Error::new(Kind::Halt, format!("writing to stdout: {error}")))
        }
        _ => Ok(()),
    }
}

fn print_json(value: &impl serde::Serialize) -> Result<()> {
    print(&format!("{}\n", serde_json::to_string_pretty(value)?))
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_command_line_is_consistent_and_has_a_dozen_verbs_at_most() {
        let command = super::command();
        assert!(command.get_subcommands().count() <= 12);
        command.debug_assert();
    }
}

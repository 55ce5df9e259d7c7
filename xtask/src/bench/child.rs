//! A run of the real binary, watched from outside: how long, how much processor, how much memory at most. It must not
//! know what the run does.
//!
//! Memory and processor time are what Linux counts for the process (`/proc/PID`), looked at until it ends; elsewhere
//! they are zero, which the table shows as unknown.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// How often a run is looked at: a peak between two looks is still seen, since Linux keeps it; only what happens after
/// the last look is missed.
const LOOK: Duration = Duration::from_millis(20);
/// A run that takes longer is given up: the whole bench ends by itself.
const AT_MOST: Duration = Duration::from_secs(30 * 60);
/// Ticks of processor time in a second, as Linux shows them to every program on every machine.
const TICKS: f64 = 100.0;

/// The exit code of a run that stopped with work still owed, as one does that was allowed only some calls.
const INTERRUPTED: i32 = 3;

/// The binary with a vault and a state file of its own.
pub struct Bench<'a> {
    /// The binary.
    pub binary: &'a Path,
    /// Where vault, state and output of the run are.
    pub folder: PathBuf,
}

/// What a run came to.
#[derive(Clone, Debug, Default)]
pub struct Ran {
    /// How long it took, from its start to its end.
    pub seconds: f64,
    /// Processor time, its own and the system's for it.
    pub cpu_seconds: f64,
    /// The most memory it held, files that it had mapped included.
    pub peak_bytes: u64,
    /// The JSON object it printed; null when it was killed.
    pub said: serde_json::Value,
}

/// Whether to kill a run, asked at every look with the time since its start.
pub type Kill<'a> = &'a mut dyn FnMut(Duration) -> bool;

impl Bench<'_> {
    /// A folder for a run, with an empty vault.
    pub fn prepare(&self) -> Result<(), String> {
        fs::create_dir_all(&self.folder).map_err(|why| format!("{}: {why}", self.folder.display()))?;
        let mut command = self.command(&["vault", "init"]);
        command.arg(self.vault());
        self.watch(command, &mut |_| false).map(|_| ())
    }

    /// The vault's folder.
    pub fn vault(&self) -> PathBuf {
        self.folder.join("vault")
    }

    /// The state file.
    pub fn state(&self) -> PathBuf {
        self.folder.join("state.db")
    }

    /// How many segments the journal has.
    pub fn segments(&self) -> usize {
        let journal = fs::read_dir(self.vault().join("journal"));
        let names = journal.into_iter().flatten().flatten().map(|entry| entry.file_name());
        names.filter(|name| name.to_string_lossy().ends_with(".jsonl.zst")).count()
    }

    /// Runs a verb to its end.
    pub fn run(&self, words: &[&str], settings: &[(&str, &str)]) -> Result<Ran, String> {
        self.run_until(words, settings, &mut |_| false)
    }

    /// Runs a verb until `kill` says so, and then kills it as a crash would.
    pub fn run_until(
        &self,
        words: &[&str],
        settings: &[(&str, &str)],
        kill: Kill<'_>,
    ) -> Result<Ran, String> {
        let mut command = self.command(words);
        command.arg("--vault").arg(self.vault()).arg("--state").arg(self.state());
        command.envs(settings.iter().copied());
        self.watch(command, kill)
    }

    /// Runs a verb that looks at the vault alone: the state stays as a crash has left it.
    pub fn run_alone(&self, words: &[&str]) -> Result<Ran, String> {
        let mut command = self.command(words);
        command.arg("--vault").arg(self.vault()).arg("--state").arg(self.folder.join("other.db"));
        self.watch(command, &mut |_| false)
    }

    /// Deletes the state file and what SQLite keeps beside it, as losing the machine does.
    pub fn forget(&self) -> Result<(), String> {
        let state = self.state();
        ["", "-wal", "-shm"].iter().try_for_each(|end| {
            let path = format!("{}{end}", state.display());
            match fs::remove_file(&path) {
                Err(why) if why.kind() != std::io::ErrorKind::NotFound => Err(format!("`{path}`: {why}")),
                _ => Ok(()),
            }
        })
    }

    fn command(&self, words: &[&str]) -> Command {
        let mut command = Command::new(self.binary);
        command.current_dir(&self.folder).args(words).arg("--json");
        command
    }

    fn watch(&self, mut command: Command, kill: Kill<'_>) -> Result<Ran, String> {
        let (out, err) = (self.folder.join("stdout"), self.folder.join("stderr"));
        let failed = |why: std::io::Error| format!("running the binary: {why}");
        command.stdin(Stdio::null());
        command.stdout(File::create(&out).map_err(failed)?);
        // Not quiet, as most people run it: what watching a run costs is part of the run.
        command.stderr(File::create(&err).map_err(failed)?);
        let started = Instant::now();
        let mut child = command.spawn().map_err(failed)?;
        let mut ran = Ran::default();
        let killed = loop {
            ran.look(&child);
            if let Some(status) = child.try_wait().map_err(failed)? {
                if !status.success() && status.code() != Some(INTERRUPTED) {
                    let told = fs::read_to_string(&err).unwrap_or_default();
                    return Err(format!("the binary ended with {status}: {}", told.trim()));
                }
                break false;
            }
            if kill(started.elapsed()) {
                stop(&mut child)?;
                break true;
            }
            if started.elapsed() > AT_MOST {
                stop(&mut child)?;
                return Err(format!("the binary was still running after {} s", AT_MOST.as_secs()));
            }
            std::thread::park_timeout(LOOK);
        };
        ran.seconds = started.elapsed().as_secs_f64();
        if !killed {
            let text = fs::read_to_string(&out).map_err(failed)?;
            ran.said =
                serde_json::from_str(&text).map_err(|why| format!("reading what it printed: {why}"))?;
        }
        Ok(ran)
    }
}

fn stop(child: &mut Child) -> Result<(), String> {
    child.kill().and_then(|()| child.wait()).map(|_| ()).map_err(|why| format!("killing the binary: {why}"))
}

impl Ran {
    /// A number of the printed object; zero when it is not there.
    pub fn number(&self, name: &str) -> u64 {
        self.said.get(name).and_then(serde_json::Value::as_u64).unwrap_or(0)
    }

    fn look(&mut self, child: &Child) {
        let read =
            |file: &str| fs::read_to_string(format!("/proc/{}/{file}", child.id())).unwrap_or_default();
        self.peak_bytes = self.peak_bytes.max(peak(&read("status")));
        self.cpu_seconds = self.cpu_seconds.max(cpu(&read("stat")));
    }
}

/// The most memory a process held, from its `status`.
fn peak(status: &str) -> u64 {
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kilobytes = line.and_then(|rest| rest.trim().strip_suffix(" kB")).and_then(|text| text.parse().ok());
    kilobytes.unwrap_or(0u64) * 1024
}

/// Processor time from a process's `stat`: the 14th and 15th field; the second is in brackets and may hold anything.
fn cpu(stat: &str) -> f64 {
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
    let ticks = |at: usize| fields.get(at).and_then(|text| text.parse::<f64>().ok()).unwrap_or(0.0);
    (ticks(11) + ticks(12)) / TICKS
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn peak_and_processor_time_are_read_from_what_linux_shows() {
        assert_eq!(peak("Name:\tx\nVmPeak:\t 9 kB\nVmHWM:\t    2048 kB\n"), 2 << 20);
        let stat = "7 (a ) b) S 1 7 7 0 -1 4194560 5 0 0 0 250 50 0 0 20 0 9 0 1 2 3";
        assert!((cpu(stat) - 3.0).abs() < 1e-9);
        assert_eq!(peak(""), 0);
    }
}

//! Progress: a bar per step on a terminal, plain lines elsewhere. A run is watched from outside, by reading the state
//! file it writes, so the loop knows nothing of who looks.

use super::Call;
use super::calls::{Asking, Calls};
use crate::error::Result;
use crate::job::Pulse;
use crate::state::State;
use crate::state::owed::Ahead;
use crate::world::live;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressState, ProgressStyle};
use std::cell::Cell;
use std::fmt::Write;
use std::io::IsTerminal;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// How often a bar is drawn: often enough to look alive.
const DRAW: Duration = Duration::from_millis(250);
/// How often a plain line is written: a log of an hour stays readable.
const LINE: Duration = Duration::from_secs(10);
/// How often it is looked at what calls take: a day's calls are added up for it.
const COUNT: Duration = Duration::from_secs(2);

/// One bar; plain lines where there is no terminal; nothing when nobody looks.
pub(super) struct Bar {
    bar: Option<ProgressBar>,
    lines: Option<Lines>,
}

/// Plain lines about a step, one at most every `LINE`.
struct Lines {
    step: String,
    length: u64,
    /// When the last one was written, and how much was done then.
    last: Cell<(Instant, u64)>,
}

impl Lines {
    fn set(&self, done: u64) {
        let (at, before) = self.last.get();
        let since = at.elapsed();
        if since < LINE {
            return;
        }
        let rate = done.saturating_sub(before) as f64 / since.as_secs_f64();
        let eta = match rate > 0.0 {
            true => format!(", about {:.0} s left", self.length.saturating_sub(done) as f64 / rate),
            false => String::new(),
        };
        eprintln!("{}: {done} of {}, {rate:.1}/s{eta}, what is done is kept", self.step, self.length);
        self.last.set((Instant::now(), done));
    }
}

impl Bar {
    /// A bar for a step that the command itself does.
    pub(super) fn new(call: &Call, step: &str, length: u64) -> Self {
        if call.quiet {
            return Self { bar: None, lines: None };
        }
        if !std::io::stderr().is_terminal() {
            call.tell(&format!("{step}: {length} to do"));
            let last = Cell::new((Instant::now(), 0));
            return Self { bar: None, lines: Some(Lines { step: step.to_owned(), length, last }) };
        }
        let bar = Self::drawn(step, length);
        bar.say("what is done is kept".to_owned());
        bar
    }

    fn drawn(step: &str, length: u64) -> Self {
        let bar = ProgressBar::with_draw_target(Some(length), ProgressDrawTarget::stderr());
        let rate = |state: &ProgressState, out: &mut dyn Write| {
            // A bar that cannot be written is no reason to stop.
            write!(out, "{:.0}/s", state.per_sec()).ok();
        };
        // Calls go out as the quota lets them: how fast the last ones were says nothing about the rest.
        let pace = if step == ASK { "" } else { "{rate} {eta} " };
        if let Ok(style) =
            ProgressStyle::with_template(&format!("{{prefix:>8}} {{bar:32}} {{pos}}/{{len}} {pace}{{msg}}"))
        {
            bar.set_style(style.with_key("rate", rate));
        }
        bar.set_prefix(step.to_owned());
        Self { bar: Some(bar), lines: None }
    }

    pub(super) fn set(&self, done: u64) {
        if let Some(bar) = &self.bar {
            bar.set_position(done);
        }
        if let Some(lines) = &self.lines {
            lines.set(done);
        }
    }

    fn say(&self, text: String) {
        if let Some(bar) = &self.bar {
            bar.set_message(text);
        }
    }

    fn lengthen(&self, length: u64) {
        if let Some(bar) = &self.bar {
            bar.set_length(length);
        }
    }

    pub(super) fn finish(&self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}

/// Watches a run until dropped.
pub(super) struct Watch {
    done: Arc<AtomicBool>,
    thread: Option<std::thread::JoinHandle<()>>,
}

impl Watch {
    /// Begins to watch a run.
    pub(super) fn begin(call: &Call, mut lookout: Lookout) -> Self {
        let done = Arc::new(AtomicBool::new(false));
        if call.quiet {
            return Self { done, thread: None };
        }
        let stop = done.clone();
        let thread = std::thread::spawn(move || match std::io::stderr().is_terminal() {
            true => watch_bars(&mut lookout, &stop),
            false => watch_lines(&mut lookout, &stop),
        });
        Self { done, thread: Some(thread) }
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.done.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            thread.thread().unpark();
            thread.join().ok();
        }
    }
}

/// The step in which models are asked.
const ASK: &str = "ask";

/// What a look at the state file shows: the step in progress, how much of it is done, the last durable record, and how
/// calls stand, where there are any.
pub(super) struct Glance {
    pub step: &'static str,
    pub done: u64,
    pub of: u64,
    pub durable: u64,
    calls: Option<String>,
    trouble: Option<String>,
}

impl Glance {
    /// What is said beside a bar or behind a rate.
    fn said(&self) -> String {
        let calls = self.calls.as_ref().map(|calls| format!("{calls}, ")).unwrap_or_default();
        let trouble = self.trouble.as_ref().map(|trouble| format!("; {trouble}")).unwrap_or_default();
        format!("{calls}durable to record {}{trouble}", self.durable)
    }
}

/// What is watched, and how calls stood when they were last counted.
pub(super) struct Lookout {
    path: PathBuf,
    asking: Asking,
    pulse: Pulse,
    state: Option<State>,
    counted: Option<(Instant, Calls)>,
}

impl Lookout {
    /// Watches the state file at `path`, of a run that asks models like this.
    pub(super) fn new(path: PathBuf, asking: Asking, pulse: Pulse) -> Self {
        Self { path, asking, pulse, state: None, counted: None }
    }

    /// One look; nothing where the file cannot be read, as while it is being made.
    pub(super) fn look(&mut self) -> Option<Glance> {
        let file = State::written_at(&self.path);
        let state = match self.state.take().filter(|state| state.path() == file) {
            Some(state) => state,
            None => State::open_to_watch(&file).ok().flatten()?,
        };
        let glance = self.glance(&state).ok();
        self.state = Some(state);
        glance
    }

    fn glance(&mut self, state: &State) -> Result<Glance> {
        let durable = state.applied()?.get();
        let Ahead { step, of, owed } = state.ahead()?;
        let trouble = self.pulse.waiting().trouble;
        let glance = Glance { step, done: of.saturating_sub(owed), of, durable, calls: None, trouble };
        if self.asking.asks.is_none() {
            return Ok(glance);
        }
        let calls = self.count(state)?;
        let said = (!calls.is_nothing()).then(|| calls.said());
        // Of calls there are as many as the pages that lie ahead may bring, not only those that are sorted by now.
        let (done, of) = if step == ASK { (calls.made(), calls.expected()) } else { (glance.done, of) };
        Ok(Glance { done, of, calls: said, ..glance })
    }

    fn count(&mut self, state: &State) -> Result<&Calls> {
        let stale = self.counted.as_ref().is_none_or(|(at, _)| at.elapsed() >= COUNT);
        let counted = match (stale, self.counted.take()) {
            (false, Some(counted)) => counted,
            _ => (Instant::now(), Calls::look(state, &self.asking, (state.opened()?, live::now()))?),
        };
        Ok(&self.counted.insert(counted).1)
    }
}

/// Looks again and again until told to stop. A look that fails (the file is being made) is tried again.
fn look(lookout: &mut Lookout, stop: &AtomicBool, pause: Duration, mut show: impl FnMut(Glance)) {
    while !stop.load(Ordering::Relaxed) {
        std::thread::park_timeout(pause);
        if let Some(glance) = lookout.look()
            && !stop.load(Ordering::Relaxed)
        {
            show(glance);
        }
    }
}

fn watch_bars(lookout: &mut Lookout, stop: &AtomicBool) {
    let mut shown: Option<(&'static str, Bar)> = None;
    look(lookout, stop, DRAW, |glance| {
        if shown.as_ref().is_none_or(|(step, _)| *step != glance.step) {
            if let Some((_, bar)) = &shown {
                bar.finish();
            }
            shown = Some((glance.step, Bar::drawn(glance.step, glance.of)));
        }
        if let Some((_, bar)) = &shown {
            bar.lengthen(glance.of);
            bar.set(glance.done);
            bar.say(glance.said());
        }
    });
    if let Some((_, bar)) = &shown {
        bar.finish();
    }
}

fn watch_lines(lookout: &mut Lookout, stop: &AtomicBool) {
    let mut before: Option<(&'static str, u64)> = None;
    look(lookout, stop, LINE, |glance| {
        let rate = match before {
            Some((step, done)) if step == glance.step => {
                glance.done.saturating_sub(done) as f64 / LINE.as_secs_f64()
            }
            _ => 0.0,
        };
        let left = glance.of.saturating_sub(glance.done) as f64;
        let pace = match glance.step {
            ASK => String::new(),
            _ if rate > 0.0 => format!(", {rate:.1}/s, about {:.0} s left", left / rate),
            _ => format!(", {rate:.1}/s"),
        };
        eprintln!("{}: {} of {}{pace}, {}", glance.step, glance.done, glance.of, glance.said());
        before = Some((glance.step, glance.done));
    });
}

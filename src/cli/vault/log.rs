//! `vault log`: what happened when, a term at a time. It reads the journal alone, and writes nothing.

use crate::cli::prices::{Prices, Taken, shown};
use crate::cli::{Call, Exit, print, print_json};
use crate::error::{Error, Result};
use crate::wire;
use knowledge::prompt::Usage;
use knowledge::record::Record;
use knowledge::time::Timestamp;
use serde::Serialize;
use vault::{Entry, Event, Segment};

/// What a term came to.
#[derive(Debug, Serialize)]
struct Reign {
    term: u64,
    writer: String,
    version: String,
    opened_at: Timestamp,
    last_at: Timestamp,
    /// The run ended by itself; otherwise it was killed, or fenced, or is under way.
    closed: bool,
    first_seq: u64,
    last_seq: u64,
    segments: u64,
    bytes: u64,
    sweeps: u64,
    pages_fetched: u64,
    pages_gone: u64,
    pages_parked: u64,
    pages_erased: u64,
    calls: u64,
    answers: u64,
    salvaged: u64,
    failed_calls: u64,
    input_tokens: u64,
    cached_tokens: u64,
    output_tokens: u64,
    embedding_tokens: u64,
    /// At the prices that are set; none where one is missing.
    cost: Option<f64>,
    epochs: u64,
    reindexed: u64,
    pruned_before: Option<u64>,
}

impl Reign {
    fn new(term: u64, (writer, version): (String, String), entry: &Entry<Record>) -> Self {
        Self {
            term,
            writer,
            version,
            opened_at: entry.at,
            last_at: entry.at,
            closed: false,
            first_seq: entry.seq.get(),
            last_seq: entry.seq.get(),
            segments: 0,
            bytes: 0,
            sweeps: 0,
            pages_fetched: 0,
            pages_gone: 0,
            pages_parked: 0,
            pages_erased: 0,
            calls: 0,
            answers: 0,
            salvaged: 0,
            failed_calls: 0,
            input_tokens: 0,
            cached_tokens: 0,
            output_tokens: 0,
            embedding_tokens: 0,
            cost: None,
            epochs: 0,
            reindexed: 0,
            pruned_before: None,
        }
    }

    fn takes(&mut self, usage: &Usage) {
        let usage = usage.bounded();
        self.input_tokens += usage.input_tokens;
        self.cached_tokens += usage.cached_tokens;
        self.output_tokens += usage.output_tokens;
    }

    fn count(&mut self, record: &Record) {
        match record {
            Record::Worklist(_) => self.sweeps += 1,
            Record::Fetched(_) => self.pages_fetched += 1,
            Record::Gone { .. } => self.pages_gone += 1,
            Record::Parked(_) => self.pages_parked += 1,
            Record::Erased { .. } => self.pages_erased += 1,
            Record::Asking(_) => self.calls += 1,
            Record::Answered(answered) => {
                self.answers += 1;
                self.takes(&answered.reply.usage);
            }
            Record::Salvaged(salvaged) => {
                self.salvaged += salvaged.answers.len() as u64;
                salvaged.answers.iter().for_each(|answered| self.takes(&answered.reply.usage));
            }
            Record::Deferred(_) | Record::NotEmbedded(_) => self.failed_calls += 1,
            Record::Embedding(_) => self.calls += 1,
            Record::Embedded(embedded) => self.embedding_tokens += embedded.tokens,
            Record::Resolved(_) => self.epochs += 1,
            Record::Reindexed { .. } => self.reindexed += 1,
            _ => {}
        }
    }
}

/// The log as it is read.
#[derive(Default)]
struct Log {
    reigns: Vec<Reign>,
    prices: Prices,
}

impl Log {
    fn take(&mut self, segment: &Segment<Record>) {
        for entry in &segment.entries {
            if let Event::Opened { term, writer } = &entry.event {
                let who = (writer.to_string(), writer.version.clone());
                self.reigns.push(Reign::new(term.get(), who, entry));
            }
            // A pruned journal begins inside a term.
            if self.reigns.is_empty() {
                let unknown = ("a writer that was pruned".to_owned(), String::new());
                self.reigns.push(Reign::new(segment.term.get(), unknown, entry));
            }
            let Some(reign) = self.reigns.last_mut() else { continue };
            reign.last_at = entry.at;
            reign.last_seq = entry.seq.get();
            match &entry.event {
                Event::Record(record) => reign.count(record),
                Event::Closed => reign.closed = true,
                Event::Pruned { before } => reign.pruned_before = Some(before.get()),
                Event::Opened { .. } => {}
            }
        }
        if let Some(reign) = self.reigns.last_mut() {
            reign.segments += 1;
            reign.bytes += segment.bytes;
        }
    }

    fn priced(mut self) -> Vec<Reign> {
        for reign in &mut self.reigns {
            reign.cost = self.prices.cost(&Taken {
                calls: reign.calls,
                input_tokens: reign.input_tokens,
                cached_tokens: reign.cached_tokens,
                output_tokens: reign.output_tokens,
                embedding_calls: 0,
                embedding_tokens: reign.embedding_tokens,
            });
        }
        self.reigns
    }
}

pub(super) async fn run(call: &Call, last: usize) -> Result<Exit> {
    let vaulted = wire::vault(&call.settings).await?;
    let mut log = Log { prices: Prices::of(&call.settings)?, ..Log::default() };
    let start = vault::start(&vaulted.store).await?;
    vault::read(&vaulted.store, start, |segment| {
        log.take(&segment);
        Ok::<_, Error>(())
    })
    .await?;
    let reigns = log.priced();
    let skipped = reigns.len().saturating_sub(last);
    let reigns = &reigns[skipped..];
    if call.json {
        print_json(&reigns)?;
        return Ok(Exit::Done);
    }
    if skipped > 0 {
        print(&format!("... {skipped} terms before; `--last N` shows more\n"))?;
    }
    for reign in reigns {
        print(&lines(reign))?;
    }
    Ok(Exit::Done)
}

fn lines(reign: &Reign) -> String {
    let ended = if reign.closed { "closed" } else { "not closed" };
    let mut text = format!(
        "term {} {} to {}, {ended}: {} {}\n  records {} to {} in {} segments ({})\n",
        reign.term,
        reign.opened_at.strftime("%Y-%m-%d %H:%M:%S"),
        reign.last_at.strftime("%Y-%m-%d %H:%M:%S"),
        reign.writer,
        reign.version,
        reign.first_seq,
        reign.last_seq,
        reign.segments,
        indicatif::HumanBytes(reign.bytes)
    );
    let counts = [
        (reign.sweeps, "worklists"),
        (reign.pages_fetched, "page versions fetched"),
        (reign.pages_gone, "pages gone"),
        (reign.pages_parked, "pages parked"),
        (reign.pages_erased, "pages erased"),
        (reign.calls, "calls"),
        (reign.answers, "answers"),
        (reign.salvaged, "answers salvaged"),
        (reign.failed_calls, "calls not answered"),
        (reign.input_tokens + reign.output_tokens + reign.embedding_tokens, "tokens"),
        (reign.epochs, "epochs resolved"),
        (reign.reindexed, "re-indexings"),
    ];
    let mut said: Vec<String> = counts
        .iter()
        .filter(|(count, _)| *count > 0)
        .map(|(count, what)| format!("{count} {what}"))
        .collect();
    said.extend(reign.cost.filter(|cost| *cost > 0.0).map(|cost| format!("cost {}", shown(cost))));
    said.extend(reign.pruned_before.map(|before| format!("pruned before segment {before}")));
    if !said.is_empty() {
        text += &format!("  {}\n", said.join(", "));
    }
    text
}

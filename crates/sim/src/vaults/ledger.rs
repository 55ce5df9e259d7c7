//! What processes were told, against what the vault holds. It must not touch the vault while it lives.

use super::fold::Fold;
use std::collections::{BTreeMap, BTreeSet};
use vault::{Segment, Seq, Term};

/// What a life has promised.
#[derive(Clone, Debug, Default)]
pub struct Ledger {
    /// Records that an append returned, with their places.
    pub acknowledged: BTreeMap<Seq, String>,
    /// Whose each term is.
    pub terms: BTreeMap<Term, u32>,
    /// Creations a fenced process had asked for when it heard of it.
    pub fenced: BTreeMap<u32, u64>,
    /// Records that were offered by salvage.
    pub offered: BTreeSet<String>,
    /// What happened, in words, and how often.
    pub seen: BTreeMap<&'static str, u64>,
    /// Makes records differ.
    pub numbers: u64,
}

impl Ledger {
    /// Notes that something happened.
    pub fn sees(&mut self, word: &'static str) {
        *self.seen.entry(word).or_default() += 1;
    }

    /// A record that there was never before.
    pub fn record(&mut self, process: u32) -> String {
        self.numbers += 1;
        format!("{}-of-{process}", self.numbers)
    }

    /// Takes an acknowledgement; says what it contradicts.
    pub fn acknowledges(&mut self, process: u32, segment: &Segment<String>) -> Result<(), String> {
        let owner = *self.terms.entry(segment.term).or_insert(process);
        if owner != process {
            return Err(format!("processes {owner} and {process} were both heard in term {}", segment.term));
        }
        for entry in &segment.entries {
            let vault::Event::Record(text) = &entry.event else { continue };
            if let Some(before) = self.acknowledged.insert(entry.seq, text.clone())
                && before != *text
            {
                return Err(format!("entry {} was given to `{before}` and to `{text}`", entry.seq));
            }
        }
        Ok(())
    }

    /// What was acknowledged and is not in this fold.
    pub fn lost(&self, fold: &Fold) -> Vec<(Seq, String)> {
        let held: BTreeSet<&(Seq, String)> = fold.records.iter().collect();
        let all = self.acknowledged.iter().map(|(seq, text)| (*seq, text.clone()));
        all.filter(|record| !held.contains(record)).collect()
    }
}

//! A small state file: what a program folds from the journal, so that snapshots have something to be of. It must not
//! know how a journal is stored.

use std::collections::BTreeSet;
use vault::{Entry, Event, Position, Segment, Seq};

/// The version of this fold.
pub const FOLD: u32 = 1;

/// All records up to a position.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Fold {
    /// The last segment taken in.
    pub position: Option<Position>,
    /// The last entry taken in.
    pub seq: Seq,
    /// The size of the segments taken in.
    pub journal_bytes: u64,
    /// Records, with their places.
    pub records: Vec<(Seq, String)>,
}

impl Fold {
    /// Takes a segment in; says what is wrong with its order.
    pub fn apply(&mut self, segment: Segment<String>) -> Result<(), String> {
        let (position, bytes) = (segment.position, segment.bytes);
        for Entry { seq, event, .. } in segment.entries {
            if seq != self.seq.next() {
                return Err(format!("entry {seq} came after entry {}", self.seq));
            }
            self.seq = seq;
            if let Event::Record(text) = event {
                self.records.push((seq, text));
            }
        }
        self.position = Some(position);
        self.journal_bytes += bytes;
        Ok(())
    }

    /// The file.
    pub fn to_bytes(&self) -> Vec<u8> {
        self.records.iter().flat_map(|(seq, text)| format!("{seq} {text}\n").into_bytes()).collect()
    }

    /// The file read back, standing where its snapshot says.
    pub fn from_bytes(bytes: &[u8], base: &vault::snapshot::Base) -> Result<Self, String> {
        let text = std::str::from_utf8(bytes).map_err(|error| error.to_string())?;
        let record = |line: &str| {
            let (seq, text) = line.split_once(' ')?;
            Some((Seq::new(seq.parse().ok()?), text.to_owned()))
        };
        let records = text.lines().map(|line| record(line).ok_or(format!("`{line}` is no record")));
        let (position, seq, journal_bytes) = (Some(base.position), base.seq, base.journal_bytes);
        Ok(Self { position, seq, journal_bytes, records: records.collect::<Result<_, _>>()? })
    }

    /// The texts of all records; says which is there twice.
    pub fn texts(&self) -> Result<BTreeSet<&str>, String> {
        let mut texts = BTreeSet::new();
        match self.records.iter().find(|(_, text)| !texts.insert(text.as_str())) {
            Some((seq, text)) => Err(format!("record `{text}` is there a second time, as entry {seq}")),
            None => Ok(texts),
        }
    }
}

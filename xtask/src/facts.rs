//! `cargo xtask facts …`: what the structural rules read in a folder of JSONL pages. It counts, draws the samples that
//! people judge, shows one page, and measures what an edit costs. It must not decide anything the rules decide.
//! Invariant: a sample follows from the folder, the rules and the seed alone.

use knowledge::chunk::{CHUNK_CHARS, Chunk, Form, cut};
use knowledge::document::{Block, Document};
use knowledge::graph::{Claim, Object, Reading};
use knowledge::id::{ChunkId, PageId, SpaceKey, Version};
use knowledge::page::{BodyFormat, PageKind, RawPage};
use knowledge::read::document;
use knowledge::structure::pieces;
use std::collections::{BTreeMap, BTreeSet};
use std::error::Error;
use std::io::{BufWriter, Write};
use std::path::Path;
use std::time::Instant;

const USAGE: &str = "usage: cargo xtask facts count FOLDER
       cargo xtask facts sample FOLDER SEED COUNT
       cargo xtask facts show FOLDER PAGE_ID
       cargo xtask facts edits FOLDER SEED COUNT";

/// Relations that are not counted as facts: the wiki's own links.
const LINKS: &[&str] = &["links_to", "includes"];

type Done = Result<(), Box<dyn Error>>;

/// A page with what was read in it.
struct Page {
    raw: RawPage,
    document: Document,
    pieces: Vec<(Chunk, Reading)>,
}

/// Runs the task with the words after `facts`.
pub fn run(words: &[String]) -> Done {
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let mut out = BufWriter::new(std::io::stdout().lock());
    match words.as_slice() {
        ["count", folder] => count(Path::new(folder), &mut out)?,
        ["sample", folder, seed, size] => sample(Path::new(folder), seed.parse()?, size.parse()?, &mut out)?,
        ["show", folder, page] => show(Path::new(folder), page, &mut out)?,
        ["edits", folder, seed, count] => edits(Path::new(folder), seed.parse()?, count.parse()?, &mut out)?,
        _ => return Err(USAGE.into()),
    }
    Ok(out.flush()?)
}

/// The pages of all JSONL files in a folder, in the order of their names.
fn raw_pages(folder: &Path) -> Result<Vec<RawPage>, Box<dyn Error>> {
    let entries =
        std::fs::read_dir(folder).map_err(|why| format!("reading folder `{}`: {why}", folder.display()))?;
    let mut files: Vec<_> = entries.map(|entry| entry.map(|entry| entry.path())).collect::<Result<_, _>>()?;
    files.retain(|file| file.extension().is_some_and(|end| end == "jsonl"));
    files.sort();
    let mut pages = Vec::new();
    for file in files {
        for line in std::fs::read_to_string(&file)?.lines() {
            let fields: serde_json::Value = serde_json::from_str(line)?;
            let text = |name: &str| fields[name].as_str().unwrap_or_default().to_owned();
            pages.push(RawPage {
                id: PageId::new(text("id")),
                space: SpaceKey::new(text("space")),
                kind: PageKind::Page,
                version: Version(1),
                title: text("title"),
                format: BodyFormat::Storage,
                body: text("body_storage"),
                created: None,
                modified: None,
                author: None,
                editor: None,
                parent: fields["parentId"].as_str().map(PageId::new),
                ancestors: Vec::new(),
                labels: Vec::new(),
                attachments: Vec::new(),
                link: None,
                historical: false,
            });
        }
    }
    Ok(pages)
}

fn pages(folder: &Path) -> Result<Vec<Page>, Box<dyn Error>> {
    let read = |raw: RawPage| {
        let document = document(raw.format, &raw.body);
        let pieces = pieces(&raw, &document, CHUNK_CHARS);
        Page { raw, document, pieces }
    };
    Ok(raw_pages(folder)?.into_iter().map(read).collect())
}

/// The facts of a page's text that count.
fn facts(page: &Page) -> impl Iterator<Item = (&Reading, &Claim)> {
    let texts = page.pieces.iter().filter(|(chunk, _)| chunk.form == Form::Text);
    let claims = texts.flat_map(|(_, reading)| reading.claims.iter().map(move |claim| (reading, claim)));
    claims.filter(|(_, claim)| !LINKS.contains(&claim.relation.as_str()))
}

fn count(folder: &Path, out: &mut impl Write) -> Done {
    let raw = raw_pages(folder)?;
    let bytes: usize = raw.iter().map(|page| page.body.len()).sum();
    let documents: Vec<Document> = raw.iter().map(|page| document(page.format, &page.body)).collect();
    let both = || raw.iter().zip(&documents);
    let chunks =
        |(page, document): (&RawPage, &Document)| cut(&page.id, &page.title, document, CHUNK_CHARS).len();
    let (cutting, chunks) = best(|| both().map(chunks).sum());
    let (all, _) = best(|| both().map(|(page, document)| pieces(page, document, CHUNK_CHARS).len()).sum());
    let pages = pages(folder)?;
    let total: usize = pages.iter().map(|page| facts(page).count()).sum();
    let of_form =
        |form: Form| pages.iter().flat_map(|page| &page.pieces).filter(move |(chunk, _)| chunk.form == form);
    let cards: usize = of_form(Form::Card).map(|(_, reading)| reading.claims.len()).sum();
    let mentions: usize = of_form(Form::Text).map(|(_, reading)| reading.mentions.len()).sum();
    let count = pages.len() as f64;
    writeln!(out, "pages {} ({bytes} bytes), chunks of text {chunks}", pages.len())?;
    writeln!(
        out,
        "facts {total} ({:.2} a page), mentions {mentions} ({:.2} a page)",
        total as f64 / count,
        mentions as f64 / count
    )?;
    writeln!(out, "with cards {} ({:.2} a page)", total + cards, (total + cards) as f64 / count)?;
    writeln!(out, "cutting {:.0} pages/s, cutting and rules {:.0} pages/s", count / cutting, count / all)?;
    let mut spaces: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
    let mut relations: BTreeMap<&str, usize> = BTreeMap::new();
    for page in &pages {
        spaces.entry(page.raw.space.as_str()).or_default().push(facts(page).count());
        facts(page).for_each(|(_, claim)| *relations.entry(&claim.relation).or_default() += 1);
    }
    for (space, mut counts) in spaces {
        counts.sort_unstable();
        let mean = counts.iter().sum::<usize>() as f64 / counts.len() as f64;
        let none = counts.iter().filter(|&&count| count == 0).count();
        let median = counts[counts.len() / 2];
        writeln!(
            out,
            "{space}: {} pages, mean {mean:.1}, median {median}, without a fact {none}",
            counts.len()
        )?;
    }
    let mut relations: Vec<_> =
        relations.into_iter().map(|(relation, count)| (std::cmp::Reverse(count), relation)).collect();
    relations.sort_unstable();
    let shown: Vec<String> =
        relations.iter().take(60).map(|(count, name)| format!("{name} {}", count.0)).collect();
    Ok(writeln!(out, "{} relations: {}", relations.len(), shown.join(", "))?)
}

/// The shortest of some runs, in seconds: other work on the machine only ever adds.
fn best(run: impl Fn() -> usize) -> (f64, usize) {
    let runs = (0..7).map(|_| {
        let began = Instant::now();
        let result = run();
        (began.elapsed().as_secs_f64(), result)
    });
    runs.min_by(|a, b| a.0.total_cmp(&b.0)).unwrap_or_default()
}

fn sample(folder: &Path, seed: u64, size: usize, out: &mut impl Write) -> Done {
    let pages = pages(folder)?;
    let mut all: Vec<(&Page, &Reading, &Claim)> = pages
        .iter()
        .flat_map(|page| facts(page).map(move |(reading, claim)| (page, reading, claim)))
        .collect();
    let mut dice = Dice(seed);
    writeln!(out, "verdict\tpage\ttitle\tsubject\trelation\tobject\tsentence")?;
    for at in 0..size.min(all.len()) {
        let other = at + dice.below(all.len() - at);
        all.swap(at, other);
        let (page, reading, claim) = all[at];
        let flat = |text: &str| text.replace(['\t', '\n'], " ");
        let [subject, object, sentence, title] =
            [subject(reading, claim), object(reading, claim), claim.sentence.clone(), page.raw.title.clone()]
                .map(|t| flat(&t));
        writeln!(out, "\t{}\t{title}\t{subject}\t{}\t{object}\t{sentence}", page.raw.id, claim.relation)?;
    }
    Ok(())
}

fn subject(reading: &Reading, claim: &Claim) -> String {
    reading.mentions[claim.subject as usize].name.clone()
}

fn object(reading: &Reading, claim: &Claim) -> String {
    match &claim.object {
        Object::Named(at) => format!("[{}]", reading.mentions[*at as usize].name),
        Object::Value(text) => text.clone(),
    }
}

fn show(folder: &Path, id: &str, out: &mut impl Write) -> Done {
    let pages = pages(folder)?;
    let page = pages
        .iter()
        .find(|page| page.raw.id.as_str() == id)
        .ok_or(format!("no page `{id}` in the folder"))?;
    for (chunk, reading) in &page.pieces {
        writeln!(out, "--- {:?} {}\n{}", chunk.form, chunk.path.join(" > "), chunk.text)?;
        let names: Vec<String> = reading
            .mentions
            .iter()
            .map(|mention| format!("{} ({})", mention.name, mention.kind.as_str()))
            .collect();
        writeln!(out, "    mentions: {}", names.join(", "))?;
        for claim in &reading.claims {
            writeln!(out, "    {} —{}→ {}", subject(reading, claim), claim.relation, object(reading, claim))?;
        }
    }
    Ok(())
}

/// Edits pages over 4,000 characters, as the reference measurement did, and counts the chunks that are new.
fn edits(folder: &Path, seed: u64, count: usize, out: &mut impl Write) -> Done {
    let pages = pages(folder)?;
    let long: Vec<&Page> =
        pages.iter().filter(|page| page.raw.body.len() >= 4000 && page.document.blocks.len() > 4).collect();
    let mut dice = Dice(seed);
    for kind in ["alter", "insert", "delete", "move"] {
        let (mut fresh, mut held) = (0, 0);
        for _ in 0..count {
            let page = long[dice.below(long.len())];
            let ids = |document: &Document| -> BTreeSet<ChunkId> {
                cut(&page.raw.id, &page.raw.title, document, CHUNK_CHARS)
                    .iter()
                    .map(|chunk| chunk.id)
                    .collect()
            };
            let (before, after) = (ids(&page.document), ids(&edited(&page.document, kind, &mut dice)));
            fresh += after.difference(&before).count();
            held += after.len();
        }
        let mean = |sum: usize| sum as f64 / count as f64;
        writeln!(out, "{kind}: {:.2} new chunks an edit, of {:.1} a page", mean(fresh), mean(held))?;
    }
    Ok(())
}

/// The document with one block altered, added, taken out or moved.
fn edited(document: &Document, kind: &str, dice: &mut Dice) -> Document {
    use knowledge::document::Inline;
    let mut blocks = document.blocks.clone();
    let at = dice.below(blocks.len());
    let paragraph = |words: &str| Block::Paragraph(vec![Inline::Text(words.to_owned())]);
    match (kind, &mut blocks[at]) {
        ("alter", Block::Paragraph(text)) => text.push(Inline::Text(" And so it is since today.".to_owned())),
        ("alter" | "insert", _) => {
            blocks.insert(at, paragraph("A paragraph of a few words that was not here before."))
        }
        ("delete", _) => drop(blocks.remove(at)),
        _ => {
            let block = blocks.remove(at);
            let to = dice.below(blocks.len() + 1);
            blocks.insert(to, block);
        }
    }
    Document { blocks, warnings: Vec::new() }
}

/// Numbers that look random and follow from a seed.
struct Dice(u64);

impl Dice {
    /// A number below `end`.
    fn below(&mut self, end: usize) -> usize {
        // A linear congruential step with the multiplier of MMIX; its upper bits are good enough to draw a sample.
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % end.max(1)
    }
}

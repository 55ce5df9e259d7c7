//! `bench export`: how much memory a very large export takes. The export of `samples/`, again and again with other ids
//! and another space each time, until its `entities.xml` has the size asked for; read by the real binary, unpacked and
//! as an archive.

use super::child::Bench;
use super::pipeline::{Folder, WITHOUT_VECTORS, built, machine, megabytes};
use crate::tools::{Done, root, say};
use std::fs::{self, File};
use std::io::{BufWriter, Read, Write};
use std::path::Path;

/// The size wanted: what a large site comes to.
const BYTES: u64 = 1_000_000_000;
/// What a copy adds to every id: more than any id of the export has.
const APART: u64 = 100_000_000;
/// How an id begins, and ends.
const ID: (&str, &str) = ("<id name=\"id\">", "</id>");

/// Measures, and prints a Markdown table.
pub(super) fn bench(words: &[String]) -> Done {
    let bytes = match words {
        [] => BYTES,
        [flag, value] if flag == "--bytes" => {
            value.parse().map_err(|why| format!("`--bytes {value}`: {why}"))?
        }
        _ => return Err("expected `[--bytes N]`".into()),
    };
    let folder = Folder::new("bench-export")?;
    let binary = built(&folder)?;
    let unpacked = folder.0.join("unpacked");
    fs::create_dir_all(&unpacked).map_err(|why| format!("making `{}`: {why}", unpacked.display()))?;
    let (copies, written) = write(&unpacked.join("entities.xml"), bytes)?;
    let archive = folder.0.join("export.zip");
    pack(&unpacked.join("entities.xml"), &archive)?;

    machine();
    say(&format!("\n`entities.xml` of {} ({copies} times the export of `samples/`)\n", megabytes(written)));
    say("| read | pages | records | seconds | processor s | peak memory |\n|---|--:|--:|--:|--:|--:|");
    for (what, wiki) in [("unpacked", &unpacked), ("as an archive", &archive)] {
        let bench = Bench { binary: &binary, folder: folder.0.join(what) };
        bench.prepare()?;
        let ran =
            bench.run(&["pipeline", &wiki.to_string_lossy(), "--until", "fetched"], &[WITHOUT_VECTORS])?;
        say(&format!(
            "| {what} | {} | {} | {:.1} | {:.1} | {} |",
            ran.number("pages"),
            ran.number("durable_seq"),
            ran.seconds,
            ran.cpu_seconds,
            megabytes(ran.peak_bytes)
        ));
    }
    Ok(())
}

/// Writes copies until there are `wanted` bytes; gives how many, and how many bytes.
fn write(target: &Path, wanted: u64) -> Result<(u64, u64), String> {
    let failed = |why: &dyn std::fmt::Display| format!("writing `{}`: {why}", target.display());
    let whole = sample()?;
    let begin = whole.find("<object").ok_or("the export of `samples/` has no object")?;
    let end = whole.rfind("</hibernate-generic>").ok_or("the export of `samples/` has no end")?;
    let mut file = BufWriter::new(File::create(target).map_err(|why| failed(&why))?);
    file.write_all(&whole.as_bytes()[..begin]).map_err(|why| failed(&why))?;
    let (mut copies, mut written) = (0, 0);
    while written < wanted {
        let copy = apart(&whole[begin..end], copies);
        file.write_all(copy.as_bytes()).map_err(|why| failed(&why))?;
        written += copy.len() as u64;
        copies += 1;
    }
    file.write_all(&whole.as_bytes()[end..]).and_then(|()| file.flush()).map_err(|why| failed(&why))?;
    Ok((copies, written))
}

fn sample() -> Result<String, String> {
    let path = root().join("samples/export/operations-handbook.zip");
    let failed = |why: &dyn std::fmt::Display| format!("reading `{}`: {why}", path.display());
    let file = File::open(&path).map_err(|why| failed(&why))?;
    let mut archive = zip::ZipArchive::new(file).map_err(|why| failed(&why))?;
    let mut member = archive.by_name("entities.xml").map_err(|why| failed(&why))?;
    let mut text = String::new();
    member.read_to_string(&mut text).map_err(|why| failed(&why))?;
    Ok(text)
}

/// The objects with other ids and another space.
fn apart(objects: &str, copy: u64) -> String {
    let mut pieces = objects.split(ID.0);
    let mut text = String::with_capacity(objects.len() + objects.len() / 8);
    text.push_str(pieces.next().unwrap_or_default());
    for piece in pieces {
        let (id, rest) = piece.split_once(ID.1).unwrap_or((piece, ""));
        let id = id.parse::<u64>().map_or_else(|_| id.to_owned(), |id| (id + copy * APART).to_string());
        text.extend([ID.0, &id, ID.1, rest]);
    }
    text.replace("OPSBOOK", &format!("OPSBOOK{copy}")).replace("opsbook", &format!("opsbook{copy}"))
}

fn pack(entities: &Path, target: &Path) -> Done {
    let failed = |why: &dyn std::fmt::Display| format!("packing `{}`: {why}", target.display());
    let mut file = File::open(entities).map_err(|why| failed(&why))?;
    let mut archive = zip::ZipWriter::new(File::create(target).map_err(|why| failed(&why))?);
    archive
        .start_file("entities.xml", zip::write::SimpleFileOptions::default())
        .map_err(|why| failed(&why))?;
    std::io::copy(&mut file, &mut archive).map_err(|why| failed(&why))?;
    archive.finish().map(|_| ()).map_err(|why| failed(&why))
}

//! Mounts one bucket at every folder that is named, says so, and holds it until its standard input ends or it is
//! killed. It ends with whoever started it, so that no mount outlives a test.

use std::io::{Read, Write};

#[cfg(target_os = "linux")]
fn main() -> std::io::Result<()> {
    let bucket = bucketfs::Bucket::new();
    let folders: Vec<std::path::PathBuf> = std::env::args_os().skip(1).map(Into::into).collect();
    let mounts: Vec<_> = folders.iter().map(|folder| bucket.mount(folder)).collect::<Result<_, _>>()?;
    let mut stdout = std::io::stdout();
    writeln!(stdout, "{} mounted", mounts.len())?;
    stdout.flush()?;
    std::io::stdin().read_to_end(&mut Vec::new())?;
    Ok(())
}

#[cfg(not(target_os = "linux"))]
fn main() -> std::io::Result<()> {
    writeln!(std::io::stderr(), "a bucket can be mounted on Linux only")?;
    std::io::stdin().read_to_end(&mut Vec::new()).map(drop)
}

//! `fake-confluence`: serves a simulated Confluence on loopback until it is ended, and says how to come in.

use clap::Parser;
use sim::confluence::generated::{Plan, generated};
use sim::confluence::loading::{from_folder, small, used};
use sim::confluence::server::Server;
use sim::confluence::site::Deployment;
use std::path::PathBuf;
use std::process::ExitCode;

/// Serves a simulated Confluence on loopback.
#[derive(Parser)]
struct Typed {
    /// The port; 0 takes any that is free.
    #[arg(long, default_value_t = 8090)]
    port: u16,
    /// A folder of pages: .jsonl, .md, .xml or .html.
    #[arg(long)]
    space_from: Option<PathBuf>,
    /// The small wiki that the tests know by heart.
    #[arg(long)]
    small: bool,
    /// Data Center and not Cloud.
    #[arg(long)]
    data_center: bool,
    /// How many pages are generated, where no folder is given.
    #[arg(long, default_value_t = 1000)]
    pages: usize,
    /// The seed of what is generated.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// How many of the generated pages have more than a million characters.
    #[arg(long, default_value_t = 0)]
    huge: usize,
}

fn main() -> ExitCode {
    let typed = Typed::parse();
    match serve(&typed) {
        Ok(server) => {
            say(&typed, &server);
            loop {
                std::thread::park();
            }
        }
        Err(why) => {
            eprintln!("error: {why}");
            ExitCode::FAILURE
        }
    }
}

fn serve(typed: &Typed) -> Result<Server, String> {
    let deployment = if typed.data_center { Deployment::DataCenter } else { Deployment::Cloud };
    let site = match &typed.space_from {
        Some(folder) => {
            let mut site = from_folder(folder, deployment)?;
            used(&mut site, 5);
            site
        }
        None if typed.small => small(deployment),
        None => generated(Plan { pages: typed.pages, seed: typed.seed, huge: typed.huge }, deployment),
    };
    Server::start(site, typed.port, true).map_err(|why| format!("port {}: {why}", typed.port))
}

#[allow(clippy::print_stdout)] // A tool for people: its result is its output.
fn say(typed: &Typed, server: &Server) {
    let url = server.url();
    let pages = server.with(|site| site.contents().filter(|content| content.kind.name() == "page").count());
    println!("listening on {url}");
    match typed.data_center {
        true => {
            println!("Data Center with {pages} pages: {url}/rest/api, Bearer reader-token or admin-token")
        }
        false => {
            let cloud = server.with(|site| site.cloud_id.clone());
            println!("Cloud with {pages} pages: {url}/wiki, Basic reader@example.com:reader-token");
            println!("through the gateway: {url}/ex/confluence/{cloud}/wiki");
            println!("OAuth: POST {url}/oauth/token, grant_type=refresh_token, refresh_token=refresh-reader");
        }
    }
    println!("for tests: {url}/_fake/site, /_fake/stats, /_fake/edit, /_fake/quirks, /_fake/rates");
}

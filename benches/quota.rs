//! How full the quota is kept against the real clock: the main job, asking the model server of `tests/mock`, which
//! counts requests in a true sliding window and refuses what is over. Judged by the server's count.
//!
//! `cargo bench --bench quota -- SECONDS WINDOWS`: the provider's minute, scaled, and for how many of them. There is no
//! setting for the window, since every provider's is a minute; so this drives the library.

#![allow(clippy::print_stdout, reason = "a bench prints its figures")]
#![allow(clippy::unwrap_used)] // A bench that cannot set itself up has failed.

#[path = "../tests/mock/mod.rs"]
mod mock;

use highwater::plan::Limits;
use highwater::settings::Settings;
use highwater::world::live;
use highwater::{job, wire};
use jiff::SignedDuration;
use mock::Mock;
use std::path::Path;
use vault::Vault;

/// Requests allowed in a window.
const ALLOWED: usize = 600;
/// The provider's minute in seconds, and how many: 1,950 requests in about a minute.
const USUAL: (f64, usize) = (20.0, 3);

fn main() {
    let numbers: Vec<f64> = std::env::args().filter_map(|word| word.parse().ok()).collect();
    let seconds = numbers.first().copied().unwrap_or(USUAL.0);
    let windows = numbers.get(1).map_or(USUAL.1, |number| *number as usize);
    let (allowed, window) = (ALLOWED.to_string(), seconds.to_string());
    let options = ["--rpm", &allowed, "--rpm-window", &window, "--latency-ms", "200"];
    let Some(mock) = Mock::start(&options) else { return };
    let folder = tempfile::tempdir().unwrap();
    // The last window is begun, so that work is owed to the end of those that are looked at.
    let calls = windows * ALLOWED + ALLOWED / 4;
    write(&folder.path().join("wiki"), calls);
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    runtime.block_on(run(folder.path(), &mock, SignedDuration::from_secs_f64(seconds)));

    let (arrived, refused) = mock.arrivals();
    let span = windows * ALLOWED;
    // A window holds as many as are allowed, so from one arrival to the one `windows` windows of them later no less
    // than these windows pass; all that passes beyond is lost.
    let took: Vec<f64> = arrived.iter().zip(&arrived[span..]).map(|(from, to)| to - from).collect();
    let used = took.iter().map(|took| windows as f64 * seconds / took).sum::<f64>() / took.len() as f64;
    println!("allowed: {ALLOWED} requests in {seconds} s, for {windows} windows");
    println!("arrived: {} requests in {:.1} s", arrived.len(), arrived[arrived.len() - 1] - arrived[0]);
    println!("used: {:.2} % of what was allowed", used * 100.0);
    println!("refused (429): {}", refused.len());
    println!("asked about a chunk again: {}", mock.stats().chunks_twice());
    assert!(used >= 0.99, "99 % were wanted");
    assert!(refused.len() * 1_000 <= arrived.len(), "one refusal in 1,000 was allowed");
}

/// Pages of one chunk each, too long to share the smallest pack.
fn write(wiki: &Path, pages: usize) {
    std::fs::create_dir(wiki).unwrap();
    let line = |page: usize| {
        let text = format!("Payment Gateway is owned by Data Team as decided in OPS-{page}. ").repeat(6);
        serde_json::json!({"id": page.to_string(), "space": "ENG", "title": format!("Page {page}"),
            "body_storage": format!("<p>{text}</p>")})
        .to_string()
    };
    std::fs::write(wiki.join("pages.jsonl"), (0..pages).map(line).collect::<Vec<_>>().join("\n")).unwrap();
}

async fn run(folder: &Path, mock: &Mock, window: SignedDuration) {
    let path = |name: &str| folder.join(name).to_string_lossy().into_owned();
    let given = [
        ("source", path("wiki")),
        ("vault", path("vault")),
        ("state", path("state.db")),
        ("model", "compatible/mock".to_owned()),
        ("model_url", mock.url()),
        ("pack_chars", "500".to_owned()),
        ("requests_per_minute", ALLOWED.to_string()),
    ];
    let settings = Settings::load(None, [], &given.map(|(name, value)| (name, Some(value)))).unwrap();
    let (mut asks, models) = wire::models(&settings).await.unwrap().unwrap();
    asks.allowances.iter_mut().for_each(|allowance| allowance.window = window);
    let world = wire::world(&settings).unwrap().0.with_models(models);
    let vaulted = wire::make_vault(&settings, settings.text("vault")).await.unwrap();
    let mut owned = wire::state_to_write(&settings, &vaulted, &|_| {}).await.unwrap();
    let nonce = wire::nonce().unwrap();
    let mut vault = Vault::open(vaulted.store.clone(), wire::writer(), nonce, live::now()).await.unwrap();
    owned.state.catch_up(&vaulted.store).await.unwrap();
    let limits = Limits { asks: Some(asks), ..Limits::default() };
    job::run(&world, &mut vault, &mut owned.state, &limits).await.unwrap();
    job::end(&world, &mut vault, &mut owned.state, &limits).await.unwrap();
}

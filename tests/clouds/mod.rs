//! Servers that nobody here wrote, started for one test: S3 as `moto` has it, Azure's blobs as Azurite has them. `cargo
//! xtask test` installs them and names them in the environment; where they are not, a test says so and passes. This file
//! must not know what is tried on them.

#![allow(clippy::unwrap_used)] // A test that cannot set itself up has failed.
#![allow(dead_code)] // Each user of this file needs a part of it.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};

/// The bucket, or container, that is made on every server.
pub const BUCKET: &str = "vault";

/// The account that Azurite knows, with its key; both stand in its documentation.
const ACCOUNT: &str = "devstoreaccount1";
const KEY: &str = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw==";

/// A server in a process of its own, ended with this.
pub struct Cloud {
    child: Child,
    host: String,
}

impl Drop for Cloud {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

/// The program that a variable names. A test without it passes, so that `cargo test` needs nothing but the toolchain;
/// it says so past the harness, which hides what a passing test prints.
fn program(variable: &str) -> Option<String> {
    let named = std::env::var(variable).ok();
    if named.is_none() {
        let skipped = format!("SKIPPED: no server in `{variable}`; `cargo xtask test` installs one\n");
        std::io::stderr().write_all(skipped.as_bytes()).unwrap();
    }
    named
}

/// Starts a server and waits until it says where it listens.
fn start(mut command: Command, says: &str) -> Cloud {
    let mut child =
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let (sender, receiver) = std::sync::mpsc::channel();
    let (stdout, stderr) = (child.stdout.take().unwrap(), child.stderr.take().unwrap());
    for pipe in [Box::new(stdout) as Box<dyn Read + Send>, Box::new(stderr)] {
        let sender = sender.clone();
        // To the end: a server whose pipe is full stands still.
        std::thread::spawn(move || {
            BufReader::new(pipe)
                .lines()
                .map_while(Result::ok)
                .for_each(|line| sender.send(line).unwrap_or(()));
        });
    }
    drop(sender);
    let host = receiver.iter().find_map(|line| Some(line.split_once(says)?.1.trim().to_owned()));
    let host = host.expect("the server ended without saying where it listens");
    Cloud { child, host }
}

/// S3, with the variables that lead to it.
pub fn moto() -> Option<(Cloud, Vec<(String, String)>)> {
    let mut command = Command::new(program("MOTO_SERVER")?);
    command.args(["-H", "127.0.0.1", "-p", "0"]);
    let cloud = start(command, "Running on http://");
    let mut stream = TcpStream::connect(&cloud.host).unwrap();
    write!(stream, "PUT /{BUCKET} HTTP/1.0\r\nhost: {}\r\ncontent-length: 0\r\n\r\n", cloud.host).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    assert!(answer.contains(" 200 "), "making the bucket: {answer}");
    let endpoint = format!("http://{}", cloud.host);
    let environment = [
        ("AWS_ENDPOINT_URL", endpoint.as_str()),
        ("AWS_ALLOW_HTTP", "true"),
        ("AWS_REGION", "us-east-1"),
        ("AWS_ACCESS_KEY_ID", "test"),
        ("AWS_SECRET_ACCESS_KEY", "hunter2hunter2"),
    ];
    Some((cloud, owned(&environment)))
}

/// Azure's blobs, with the variables that lead to them.
pub async fn azurite() -> Option<(Cloud, Vec<(String, String)>)> {
    let mut command = Command::new(program("AZURITE_BLOB")?);
    command.args(["--blobHost", "127.0.0.1", "--blobPort", "0", "--inMemoryPersistence"]);
    command.args(["--skipApiVersionCheck", "--disableTelemetry"]);
    let cloud = start(command, "successfully listens on http://");
    let endpoint = format!("http://{}/{ACCOUNT}", cloud.host);
    make_container(&format!("{endpoint}/{BUCKET}?restype=container")).await;
    let environment = [
        ("AZURE_STORAGE_ENDPOINT", endpoint.as_str()),
        ("AZURE_ALLOW_HTTP", "true"),
        ("AZURE_STORAGE_ACCOUNT_NAME", ACCOUNT),
        ("AZURE_STORAGE_ACCOUNT_KEY", KEY),
    ];
    Some((cloud, owned(&environment)))
}

/// Makes a container, which the store itself never does.
async fn make_container(address: &str) {
    use object_store::azure::{AzureAccessKey, AzureAuthorizer, AzureCredential};
    use object_store::client::{HttpConnector, HttpRequestBody, ReqwestConnector};
    rustls::crypto::ring::default_provider().install_default().ok();
    let mut request = http::Request::put(address).body(HttpRequestBody::empty()).unwrap();
    let key = AzureCredential::AccessKey(AzureAccessKey::try_new(KEY).unwrap());
    AzureAuthorizer::new(&key, ACCOUNT).try_authorize(&mut request).unwrap();
    let options = object_store::ClientOptions::new().with_allow_http(true);
    let client = ReqwestConnector::default().connect(&options).unwrap();
    let answer = client.execute(request).await.unwrap();
    assert_eq!(answer.status().as_u16(), 201, "making the container");
}

fn owned(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
    pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

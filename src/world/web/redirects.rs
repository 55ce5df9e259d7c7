//! Where a file may lie: redirects that lead to it, and those that are not followed. Pure.
//!
//! Invariant: no server leads a request to this machine or to addresses that only machines of its own network have,
//! unless the wiki is here itself; and nothing of a file is read where others can read along.

use crate::models::Response;
use reqwest::Url;
use std::net::IpAddr;

/// Scheme, host and port of an address; none for what is no address.
pub(super) fn place(url: &str) -> Option<String> {
    Some(Url::parse(url).ok()?.origin().ascii_serialization())
}

/// Where an answer sends us on to, if it does.
pub(super) fn redirected(from: &str, response: &Response) -> Option<String> {
    if !matches!(response.status, 301..=303 | 307 | 308) {
        return None;
    }
    let to = Url::parse(from).ok()?.join(response.header("location")?).ok()?;
    Some(to.to_string())
}

/// Why a file of the wiki at `base` is not fetched from this address; none if it is.
pub(super) fn fault(base: &str, to: &str) -> Option<&'static str> {
    let (Ok(base), Ok(to)) = (Url::parse(base), Url::parse(to)) else { return Some("that is no address") };
    if base.origin() == to.origin() {
        return None;
    }
    match (is_here(&base), is_here(&to)) {
        (false, true) => Some("it is said to lie on this machine"),
        (true, true) => None,
        _ if to.scheme() != "https" => Some("it lies where others can read along"),
        _ => None,
    }
}

/// Whether an address is this machine's, or of the kind that machines have for themselves: `169.254.169.254` tells the
/// machines of a cloud their secrets.
fn is_here(url: &Url) -> bool {
    let host = url.host_str().unwrap_or_default().trim_matches(['[', ']']).trim_end_matches('.');
    if host == "localhost" || host.ends_with(".localhost") {
        return true;
    }
    match host.parse::<IpAddr>().map(|address| address.to_canonical()) {
        Ok(IpAddr::V4(address)) => {
            address.is_loopback() || address.is_unspecified() || address.is_link_local()
        }
        Ok(IpAddr::V6(address)) => {
            address.is_loopback() || address.is_unspecified() || address.is_unicast_link_local()
        }
        Err(_) => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_remote_wiki_leads_nobody_to_this_machine() {
        let wiki = "https://wiki.example.org/c";
        let here = [
            "http://127.0.0.1:8200/v1/secret",
            "https://localhost/x",
            "http://localhost.:80/",
            "https://a.localhost/",
            "http://[::1]/",
            "http://[::ffff:127.0.0.1]/",
            "http://0.0.0.0:9000/",
            "https://169.254.169.254/latest/meta-data/",
            "https://2130706433/",
        ];
        for to in here {
            assert_eq!(fault(wiki, to), Some("it is said to lie on this machine"), "{to}");
            assert_eq!(fault("http://localhost:8090/wiki", to), None, "{to}");
        }
    }

    #[test]
    fn a_file_may_lie_elsewhere_behind_tls_and_at_the_wiki_as_it_is() {
        let wiki = "http://wiki.example.org:8090/c";
        assert_eq!(fault(wiki, "https://media.example.com/file"), None);
        assert_eq!(fault(wiki, "http://wiki.example.org:8090/other"), None);
        assert!(fault(wiki, "http://wiki.example.org/other").is_some(), "another port is another place");
        assert!(fault(wiki, "http://media.example.com/file").is_some());
        assert!(fault(wiki, "ftp://media.example.com/file").is_some());
    }
}

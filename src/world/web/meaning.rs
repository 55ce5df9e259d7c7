//! What an answer says of the server it came from: that it is there, that it wants to be left alone, that it broke
//! down, or that somebody stands before it and speaks to people. Pure. It must not know what was asked for.
//!
//! Invariant: whatever is not said by the wiki's own interface is trouble, and never an answer to what was asked.

use super::pace::retry_after;
use crate::models::Response;
use crate::sources::{Get, Kind, SourceError};
use std::time::Duration;

/// How much of a page for people is looked at: its head, and the form on it.
const LEADING_BYTES: usize = 256 << 10;
/// How much of its title is repeated.
const TITLE_CHARS: usize = 80;
/// What stands on pages that want somebody to log in, or to show that he is no program.
const DOORS: [&str; 5] =
    ["type=\"password\"", "type='password'", "samlrequest", "name=\"os_password\"", "captcha"];

/// What an answer says.
#[derive(Debug)]
pub(super) enum Meaning {
    /// The interface itself answers, whatever it says.
    Said,
    /// Later, after this time if one is named.
    Later(Option<Duration>),
    /// Nothing that was asked for.
    Trouble(Trouble),
}

/// Why there is no answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Trouble {
    /// None came, or none that was whole.
    Cut(String),
    /// It broke down with this status.
    Down(u16),
    /// A page for people, with its status and title: of a proxy, or of a server that has too much to do.
    Page(u16, String),
    /// Somebody wants us to log in first, or to show that we are people; with the status and what was met.
    Door(u16, String),
}

impl Trouble {
    /// As which status a source hears of it: never as an answer, and never as one that is not there.
    pub(super) fn status(&self) -> u16 {
        match self {
            Trouble::Down(status) => *status,
            Trouble::Page(status, _) | Trouble::Door(status, _) if *status >= 300 => *status,
            Trouble::Cut(_) | Trouble::Page(..) | Trouble::Door(..) => 500,
        }
    }

    /// Whether people have to do something before it passes.
    pub(super) fn is_door(&self) -> bool {
        matches!(self, Trouble::Door(..))
    }

    /// What to do about it where nobody is answered.
    pub(super) fn kind(&self) -> Kind {
        if self.is_door() { Kind::Halt } else { Kind::Later }
    }

    /// Whether somebody else than the interface spoke.
    pub(super) fn is_for_people(&self) -> bool {
        matches!(self, Trouble::Door(..) | Trouble::Page(..))
    }

    /// In words, for a request to this server.
    pub(super) fn error(self, kind: Kind, base: &str) -> SourceError {
        let there = "see that the wiki is there, then run the same command again";
        match self {
            // It says what was asked.
            Trouble::Cut(text) => SourceError::new(kind, text).hint(there),
            Trouble::Down(status) => {
                SourceError::new(kind, format!("asking `{base}`: it breaks down (status {status})"))
                    .hint(there)
            }
            Trouble::Page(status, title) => {
                let text = format!(
                    "asking `{base}`: it shows a page for people (`{title}`, status {status}) where its interface \
                     should answer"
                );
                SourceError::new(kind, text).hint(
                    "the wiki or a proxy before it is busy, or something wants a browser: open the address in one, \
                     then run the same command again",
                )
            }
            Trouble::Door(status, met) => {
                let text =
                    format!("asking `{base}`: {met} (status {status}) where its interface should answer");
                SourceError::new(kind, text).hint(
                    "log in once with a browser as the same user, or have a single sign-on let the paths of the \
                     interface through; see `confluence_user` and `confluence_token`",
                )
            }
        }
    }
}

/// What an answer says.
pub(super) fn meaning(get: &Get, response: &Response) -> Meaning {
    let status = response.status;
    if let Some(why) = captcha(response) {
        return Meaning::Trouble(Trouble::Door(status, why));
    }
    match status {
        429 => return Meaning::Later(retry_after(response)),
        503 if response.header("retry-after").is_some() => return Meaning::Later(retry_after(response)),
        500.. => return Meaning::Trouble(Trouble::Down(status)),
        // Of a file's, whoever asks has followed those that may be followed.
        300..400 => {
            let to = response.header("location").and_then(host).unwrap_or_else(|| "another page".to_owned());
            return Meaning::Trouble(Trouble::Door(status, format!("it sends us on to `{to}`")));
        }
        _ => {}
    }
    // A file may well be a page for people. Confluence says of its files that they are files; a page in their place has
    // no name.
    let is_file = get.file_bytes.is_some() && response.is_success();
    let is_named = response.header("content-disposition").is_some();
    let is_html = response.header("content-type").is_some_and(is_html);
    if !is_html || (is_file && is_named) || !matches!(status, 200..300 | 403 | 404) {
        return Meaning::Said;
    }
    let text = String::from_utf8_lossy(&response.body[..response.body.len().min(LEADING_BYTES)]);
    let (lower, title) = (text.to_ascii_lowercase(), title(&text));
    match DOORS.iter().any(|sign| lower.contains(sign)) {
        true => Meaning::Trouble(Trouble::Door(status, format!("it shows a page to log in at (`{title}`)"))),
        false => Meaning::Trouble(Trouble::Page(status, title)),
    }
}

fn is_html(kind: &str) -> bool {
    let kind = kind.trim_start().to_ascii_lowercase();
    kind.starts_with("text/html") || kind.starts_with("application/xhtml")
}

/// Confluence says so in a header when too many logins failed.
fn captcha(response: &Response) -> Option<String> {
    let why = response.header("x-authentication-denied-reason")?;
    let asks = matches!(response.status, 401 | 403) && why.to_ascii_uppercase().contains("CAPTCHA");
    asks.then(|| "it asks for a CAPTCHA after too many failed logins".to_owned())
}

/// The server that a redirect leads to; none where it stays within its own.
fn host(location: &str) -> Option<String> {
    Some(reqwest::Url::parse(location).ok()?.origin().ascii_serialization())
}

/// The title of a page, in a form that can be shown.
fn title(text: &str) -> String {
    let lower = text.to_ascii_lowercase();
    let within = lower.find("<title").and_then(|at| {
        let from = at + lower[at..].find('>')? + 1;
        Some(&text[from..from + lower[from..].find("</title")?])
    });
    let words: Vec<&str> = within.unwrap_or_default().split_whitespace().collect();
    let shown = words.join(" ").chars().filter(|c| !c.is_control()).take(TITLE_CHARS).collect::<String>();
    if shown.is_empty() { "without a title".to_owned() } else { shown }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HTML: (&str, &str) = ("content-type", "text/html;charset=UTF-8");

    fn of(file: bool, status: u16, headers: &[(&str, &str)], body: &str) -> Meaning {
        let get = Get { path: "/x".to_owned(), may_shrink: false, file_bytes: file.then_some(1_000) };
        let headers = headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        meaning(&get, &Response { status, headers, body: body.as_bytes().to_vec() })
    }

    fn trouble(meaning: Meaning) -> Trouble {
        match meaning {
            Meaning::Trouble(trouble) => trouble,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn what_the_interface_itself_says_is_an_answer_whatever_its_status() {
        for status in [200, 400, 401, 403, 404, 410] {
            let json = [("content-type", "application/json")];
            assert!(matches!(of(false, status, &json, "{}"), Meaning::Said), "{status}");
        }
    }

    #[test]
    fn a_page_for_people_is_no_answer_and_one_to_log_in_at_is_told_apart() {
        let busy = "<html><head><title> The system\n is busy </title></head></html>";
        for status in [200, 403, 404] {
            let met = trouble(of(false, status, &[HTML], busy));
            assert_eq!(met, Trouble::Page(status, "The system is busy".to_owned()));
        }
        let login = "<title>Log in</title><form><INPUT type=\"password\"></form>";
        let met = trouble(of(false, 200, &[HTML], login));
        assert_eq!((met.is_door(), met.status()), (true, 500));
        let words = met.error(Kind::Halt, "https://wiki.example.org");
        assert!(words.text.contains("log in") && words.text.contains("status 200"), "{words:?}");
        let denied =
            [("x-authentication-denied-reason", "CAPTCHA_CHALLENGE; login-url=https://x/login.action")];
        assert!(trouble(of(false, 403, &denied, "{}")).is_door());
        let sent = trouble(of(false, 302, &[("location", "https://idp.example/saml?secret=1")], ""));
        assert_eq!(sent, Trouble::Door(302, "it sends us on to `https://idp.example`".to_owned()));
    }

    #[test]
    fn an_attached_page_is_a_file_and_a_page_in_the_place_of_a_file_is_not() {
        let named = ("content-disposition", "attachment; filename=\"a.html\"");
        assert!(matches!(of(true, 200, &[HTML, named], "<p>type=\"password\"</p>"), Meaning::Said));
        assert!(matches!(of(true, 200, &[HTML], "<p>busy</p>"), Meaning::Trouble(Trouble::Page(..))));
        assert!(matches!(of(false, 200, &[HTML, named], "<p>busy</p>"), Meaning::Trouble(_)));
    }

    #[test]
    fn patience_is_asked_for_by_status_and_header_alone() {
        assert!(matches!(of(false, 429, &[], ""), Meaning::Later(None)));
        let ten = [("retry-after", "10")];
        assert!(matches!(of(false, 503, &ten, ""), Meaning::Later(Some(wait)) if wait.as_secs() == 10));
        assert_eq!(trouble(of(false, 503, &[HTML], "")), Trouble::Down(503));
    }

    #[test]
    fn a_title_is_shown_as_one_short_line() {
        assert_eq!(title("<TITLE lang=en>\u{1b}[31mred</TITLE>"), "[31mred");
        assert_eq!(title("<title>never ends"), "without a title");
        assert_eq!(title(&format!("<title>{}</title>", "é".repeat(500))).chars().count(), TITLE_CHARS);
    }
}

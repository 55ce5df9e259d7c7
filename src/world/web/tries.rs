//! What a request has met with so far, and what follows from it. Pure. It must not know how long a pause is, nor who
//! else is asked.
//!
//! Invariant: one request that fails says nothing of the others: it is given up only after somebody else was answered,
//! and a server that answers nobody makes no request be given up.

use super::meaning::{Meaning, Trouble, meaning};
use crate::models::{self, Refusal, Response};
use crate::sources::{Get, Kind, SourceError};
use std::time::Duration;

/// How often a request is sent that fails, before it is asked whether others do.
const FAILURES: u32 = 4;
/// The same, when it may ask for less instead.
const FAILURES_OF_MANY: u32 = 1;
/// The same, when people have to do something first.
const FAILURES_AT_A_DOOR: u32 = 2;
/// How often a server may ask for patience before it is taken for gone: with the longest pauses, some hours.
const PATIENCE: u32 = 200;
/// How often a login is renewed for one request.
const RENEWALS: u32 = 2;

/// What a request has met with so far.
#[derive(Debug, Default)]
pub(super) struct Tries {
    /// Failures in all.
    pub(super) failures: u32,
    /// How often patience was asked for.
    pub(super) patience: u32,
    /// How often it was waited for a server that answered nobody.
    pub(super) outages: u32,
    renewals: u32,
    /// Others are answered: what fails now is this request's own trouble.
    pub(super) is_alone: bool,
}

/// What comes after a request was sent.
#[derive(Debug)]
pub(super) enum Next {
    Answer(Response),
    End(SourceError),
    /// The same again after everybody has rested, for this long if a time was named.
    Rest(Option<Duration>),
    /// The same again after a pause that is this request's alone.
    Again(Trouble),
    /// Whether anybody else is answered decides.
    Doubt(Trouble),
}

impl Tries {
    /// Judges what came of sending it to this server.
    pub(super) fn judge(&mut self, get: &Get, sent: Result<Response, Refusal>, base: &str) -> Next {
        let trouble = match sent {
            Err(Refusal { kind: models::Kind::Never, text }) => return Next::End(error(Kind::Never, text)),
            Err(Refusal { kind: models::Kind::Halt, text }) => return Next::End(error(Kind::Halt, text)),
            Err(Refusal { kind: models::Kind::Later { wait: Some(wait), .. }, .. }) => {
                return self.bears(Some(wait), base);
            }
            Err(Refusal { text, .. }) => Trouble::Cut(text),
            Ok(response) => match meaning(get, &response) {
                Meaning::Said => return Next::Answer(response),
                Meaning::Later(named) => return self.bears(named, base),
                Meaning::Trouble(trouble) => trouble,
            },
        };
        self.failures += 1;
        let most = match get.may_shrink {
            _ if trouble.is_door() => FAILURES_AT_A_DOOR,
            true => FAILURES_OF_MANY,
            false => FAILURES,
        };
        match self.is_alone {
            true => given_up(get, trouble, base),
            false if self.failures < most => Next::Again(trouble),
            false => Next::Doubt(trouble),
        }
    }

    fn bears(&mut self, named: Option<Duration>, base: &str) -> Next {
        self.patience += 1;
        if self.patience < PATIENCE {
            return Next::Rest(named);
        }
        let text = format!("asking `{base}`: it asked for patience {PATIENCE} times");
        Next::End(error(Kind::Later, text))
    }

    /// Counts a renewal of the login; false if that was done often enough.
    pub(super) fn renews(&mut self) -> bool {
        self.renewals += 1;
        self.renewals <= RENEWALS
    }

    /// That renewal came to nothing, and counts for nothing.
    pub(super) fn forgets_renewal(&mut self) {
        self.renewals -= 1;
    }
}

/// A request that fails while others are answered: of a file it is said why; of all else the source hears that the
/// server broke down over it, and may ask for less, or for it in another form.
fn given_up(get: &Get, trouble: Trouble, base: &str) -> Next {
    match get.file_bytes {
        Some(_) => Next::End(trouble.error(Kind::Never, base)),
        None => Next::Answer(Response { status: trouble.status(), headers: Vec::new(), body: Vec::new() }),
    }
}

/// A refusal as an error; advice stands on a line of its own.
pub(super) fn error(kind: Kind, text: String) -> SourceError {
    match text.split_once("\nhint: ") {
        Some((text, hint)) => SourceError::new(kind, text).hint(hint),
        None => {
            SourceError::new(kind, text).hint("see that the wiki is there, then run the same command again")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn get(may_shrink: bool, is_file: bool) -> Get {
        Get { path: "/x".to_owned(), may_shrink, file_bytes: is_file.then_some(1) }
    }

    fn cut() -> Result<Response, Refusal> {
        Err(Refusal::new(models::Kind::fault(), "asking `x`: cut off"))
    }

    fn answer(status: u16) -> Result<Response, Refusal> {
        Ok(Response { status, headers: Vec::new(), body: Vec::new() })
    }

    /// Fails until others are asked about; gives how often.
    fn doubted(tries: &mut Tries, get: &Get) -> u32 {
        loop {
            match tries.judge(get, cut(), "x") {
                Next::Again(_) => {}
                Next::Doubt(_) => return tries.failures,
                other => panic!("{other:?}"),
            }
        }
    }

    #[test]
    fn a_page_that_never_arrives_whole_is_the_pages_trouble_once_others_are_answered() {
        let (one, mut tries) = (get(false, false), Tries::default());
        assert_eq!(doubted(&mut tries, &one), FAILURES);
        assert!(
            matches!(tries.judge(&one, cut(), "x"), Next::Doubt(_)),
            "nobody is answered: nothing is given up"
        );
        tries.is_alone = true;
        assert!(matches!(tries.judge(&one, cut(), "x"), Next::Answer(Response { status: 500, .. })));
    }

    #[test]
    fn many_are_asked_for_less_after_two_failures_and_a_file_is_passed_over() {
        let (many, mut tries) = (get(true, false), Tries::default());
        assert_eq!(doubted(&mut tries, &many), 1);
        tries.is_alone = true;
        assert!(matches!(tries.judge(&many, answer(504), "x"), Next::Answer(Response { status: 504, .. })));
        let (file, mut tries) = (get(false, true), Tries { is_alone: true, ..Tries::default() });
        assert!(matches!(tries.judge(&file, cut(), "x"), Next::End(error) if error.kind == Kind::Never));
    }

    #[test]
    fn a_server_without_a_word_about_when_is_waited_for_and_nothing_is_given_up() {
        let (one, mut tries) = (get(false, false), Tries::default());
        for _ in 0..50 {
            assert!(matches!(tries.judge(&one, answer(503), "x"), Next::Again(_) | Next::Doubt(_)));
        }
        assert!(matches!(tries.judge(&one, answer(200), "x"), Next::Answer(_)));
    }

    #[test]
    fn patience_ends_as_later_and_parks_nothing() {
        let (one, mut tries) = (get(false, false), Tries::default());
        for _ in 1..PATIENCE {
            assert!(matches!(tries.judge(&one, answer(429), "x"), Next::Rest(None)));
        }
        assert!(matches!(tries.judge(&one, answer(429), "x"), Next::End(error) if error.kind == Kind::Later));
    }
}

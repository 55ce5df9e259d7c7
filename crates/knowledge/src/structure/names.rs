//! What looks like a name. Shapes only: this file must not know where a word stands. Wrong names are worse than missed
//! ones, so each rule names what it keeps out.

use crate::graph::{Key, Kind, Mention};
use crate::resolve::telling_word;

/// Longest name worth keeping; longer runs are sentences.
const NAME_CHARS: usize = 80;

/// Prefixes of things that look like issue keys and are norms, encodings, diseases or products.
#[rustfmt::skip]
const NOT_TRACKERS: &[&str] = &[
    "UTF", "UCS", "ISO", "IEC", "IEEE", "SHA", "MD", "AES", "DES", "RSA", "RS", "HS", "ES", "PS", "HTTP",
    "TLS", "SSL", "COVID", "SARS", "RFC", "CVE", "CWE", "PEP", "GPT", "LLAMA", "MP", "MPEG", "H", "Q", "P",
    "V", "RC", "LTS", "JDK", "JAVA", "JRE", "ARM", "AMD", "X", "WIN", "IPV", "BASE", "ASCII", "LATIN",
    "CRC", "PCI", "USB", "A", "B", "C", "D", "STEP", "PART", "PHASE", "FIG", "TABLE", "SECTION", "VERSION",
    "RELEASE", "SPRINT", "DAY", "WEEK", "YEAR", "LEVEL", "TIER", "TOP", "NO", "TYPE", "CLASS", "GRADE",
    "UTC", "GMT", "EST", "EC", "M", "R", "T", "S",
];

/// Words that a language or a form gives, not a team: code spans of these name nothing.
#[rustfmt::skip]
const LITERALS: &[&str] = &[
    "true", "false", "null", "nil", "none", "undefined", "yes", "no", "string", "integer", "int", "boolean",
    "bool", "float", "double", "number", "object", "array", "list", "map", "text", "date", "datetime",
    "timestamp", "uuid", "get", "post", "put", "patch", "delete", "head", "options", "todo", "tbd", "n/a",
    "http", "https", "json", "xml", "html", "css", "and", "or", "not", "the", "this", "name", "value",
    "key", "type", "id", "url", "default", "example",
];

/// Last parts that make a hyphenated word in running text a component rather than an adjective.
#[rustfmt::skip]
const COMPONENT_TAILS: &[&str] = &[
    "service", "services", "api", "app", "job", "jobs", "worker", "db", "server", "client", "plugin",
    "plugins", "player", "frontend", "backend", "operator", "exporter", "controller", "proxy", "gateway",
    "sdk", "cli", "lib", "library", "ui", "portal", "queue", "topic", "consumer", "producer", "engine",
    "store", "cluster", "config", "charts", "publisher", "infrastructure", "platform", "router", "manager",
    "agent", "daemon", "cron", "bot", "editor", "updater", "indexer", "aggregator", "generator",
    "migrations", "schema", "docker", "puppet", "terraform", "deploy", "secrets", "broker",
];

/// Endings of host and file names; a dotted word with one of these is no topic.
#[rustfmt::skip]
const DOTTED_TAILS: &[&str] = &[
    "com", "org", "net", "io", "uk", "in", "dev", "gov", "edu", "md", "yml", "yaml", "json", "xml", "html",
    "txt", "csv", "py", "rb", "js", "ts", "java", "go", "rs", "sh", "sql", "conf", "cfg", "ini", "toml",
    "lock", "zip", "gz", "jar", "png", "jpg", "svg", "pdf", "log", "erb", "scss", "css", "tf", "env", "pem",
    "properties",
];

/// Small words that make a hyphenated word ordinary, as in `software-as-a-service`.
#[rustfmt::skip]
const JOINERS: &[&str] = &[
    "as", "a", "of", "the", "in", "to", "and", "on", "by", "per", "for", "or",
];

/// Words that begin a sentence and are never a name alone.
#[rustfmt::skip]
const OPENERS: &[&str] = &[
    "if", "when", "while", "once", "after", "before", "although", "because", "since", "for", "in", "on",
    "at", "as", "to", "by", "with", "from", "however", "also", "then", "currently", "and", "but", "or",
    "so", "where", "there", "here", "this", "that", "these", "those", "it", "its", "they", "we", "you",
    "he", "she", "i", "our", "your", "their", "my", "each", "every", "all", "any", "some", "most", "many",
    "no", "not", "another", "other", "both", "note", "please", "what", "which", "who", "why", "how", "let",
    "make", "do", "does", "is", "are", "was", "one", "only", "below", "above", "now", "today", "usually",
    "typically", "generally", "instead", "otherwise", "therefore", "thus", "first", "second", "next",
    "finally", "following", "such", "same", "more", "other", "several", "see", "use", "using", "whether",
    "unless", "until", "anyone", "everyone", "someone", "nothing", "everything", "something", "being",
    "having", "doing", "can", "further",
];

/// A word that only an identifier has the shape of: `ledger_service`, `KubePodCrash`, `api.topic.name`, `v1/users`,
/// `PAY-1482`.
pub(super) fn is_identifier(word: &str) -> bool {
    let plain = word.trim_end_matches("()");
    let letters = plain.chars().filter(|c| c.is_alphabetic()).count();
    if letters < 2 || plain.chars().count() > 64 || plain.contains(char::is_whitespace) || is_address(plain) {
        return false;
    }
    let marks = plain.contains(['_', '/', ':', '@']) || plain.contains('.') && !plain.ends_with('.');
    let digits = plain.chars().any(|c| c.is_ascii_digit());
    let dashes =
        plain.matches('-').count() > 1 || plain.contains('-') && (digits || has_component_tail(plain));
    let sane = plain.chars().all(|c| c.is_alphanumeric() || "_-./:@$#+".contains(c));
    sane && (marks || dashes || is_camel(plain) || digits && letters >= 3)
}

/// Capitals only, such as `RPO`: a name, but one that means different things on different pages.
pub(super) fn is_acronym(word: &str) -> bool {
    word.chars().count() >= 3 && word.chars().all(|c| c.is_uppercase() || c.is_ascii_digit())
}

/// A web address or something like one.
pub(super) fn is_address(text: &str) -> bool {
    text.contains("://") || text.starts_with("www.") || text.starts_with("mailto:")
}

/// At least two humps: `CamelCase`, `iPhone` is none.
fn is_camel(word: &str) -> bool {
    let mut humps = 0;
    let mut before: Option<char> = None;
    for c in word.chars() {
        if !c.is_alphanumeric() {
            return false;
        }
        let rises =
            c.is_uppercase() && before.is_none_or(|before| before.is_lowercase() || before.is_ascii_digit());
        humps += usize::from(rises || before.is_none());
        before = Some(c);
    }
    humps >= 2 && word.chars().any(char::is_lowercase) && word.chars().count() >= 5
}

fn has_component_tail(word: &str) -> bool {
    let tail = word.rsplit('-').next().unwrap_or_default();
    COMPONENT_TAILS.contains(&tail.to_lowercase().as_str())
}

/// A name by its shape alone, in running text without markup.
pub(super) fn shaped(word: &str) -> Option<Mention> {
    if let Some(issue) = issue(word) {
        return Some(issue);
    }
    let sane = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    if word.len() < 5 || word.len() > 64 || !word.chars().all(sane) || !word.contains(char::is_alphabetic) {
        return None;
    }
    let ends_well = word.starts_with(char::is_alphanumeric) && word.ends_with(char::is_alphanumeric);
    let lower = word.to_lowercase();
    let kebab = word.contains('-') && word == lower && !word.contains('.') && has_component_tail(word);
    let snake = word.contains('_') && !word.contains('.');
    let dots: Vec<&str> = word.split('.').collect();
    let topic = dots.len() >= 3
        && dots.iter().all(|part| part.len() > 1 && part.starts_with(|c: char| c.is_ascii_lowercase()))
        && dots.last().is_some_and(|tail| !DOTTED_TAILS.contains(tail))
        && dots[0] != "www";
    let joined = word.split('-').any(|part| JOINERS.contains(&part));
    (ends_well && !joined && (kebab || snake || topic || is_camel(word))).then(|| component(word))
}

/// A key of an issue tracker.
pub(crate) fn issue(word: &str) -> Option<Mention> {
    let (project, number) = word.split_once('-')?;
    let well_formed = (2..=10).contains(&project.len())
        && project.starts_with(|c: char| c.is_ascii_uppercase())
        && project.bytes().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit())
        && (1..=6).contains(&number.len())
        && !number.starts_with('0')
        && number.bytes().all(|byte| byte.is_ascii_digit());
    if !well_formed || NOT_TRACKERS.contains(&project) {
        return None;
    }
    Some(Mention { name: word.to_owned(), kind: Kind::ISSUE, key: Some(Key::Issue(word.to_owned())) })
}

/// The name in a code span: one word that is no literal, no option and no value. Command lines name nothing.
pub(super) fn in_code(text: &str) -> Option<Mention> {
    let word = text.trim();
    if let Some(issue) = issue(word) {
        return Some(issue);
    }
    let chars = word.chars().count();
    let sane = |c: char| c.is_alphanumeric() || "_-./:@#".contains(c);
    let starts =
        word.starts_with(|c: char| c.is_alphabetic() || c == '/' || c == '@' || c == '_' || c == '.');
    let ends = word.ends_with(|c: char| c.is_alphanumeric() || c == '/');
    let letters = word.chars().filter(|c| c.is_alphabetic()).count();
    let literal = LITERALS.contains(&word.to_lowercase().as_str());
    let sized = (3..=64).contains(&chars) && letters >= 3;
    (sized && starts && ends && word.chars().all(sane) && !literal && !is_address(word))
        .then(|| component(word))
}

/// A named technical thing.
pub(super) fn component(name: &str) -> Mention {
    Mention { name: name.to_owned(), kind: Kind::COMPONENT, key: None }
}

/// Anything else with a name.
pub(super) fn thing(name: &str) -> Mention {
    Mention { name: name.to_owned(), kind: Kind::THING, key: None }
}

/// A name that says what it means only on its page, such as `Backup` or `Step one`, made to stand by itself.
pub(super) fn qualified(name: &str, title: &str) -> Mention {
    let title = title.trim_matches(|c: char| !c.is_alphanumeric() && c != ')');
    let known = name.to_lowercase().contains(&title.to_lowercase());
    if known || title.is_empty() {
        return thing(name);
    }
    thing(&format!("{name} ({title})"))
}

/// A name without the bullets and pictures that stand before it.
pub(super) fn bare(text: &str) -> &str {
    let kept = |c: char| {
        c.is_alphanumeric() || matches!(c, '/' | '.' | '@' | '_' | '#' | '(' | '$' | '~' | '-' | '*')
    };
    let text = text.trim_start_matches(|c: char| !kept(c) && !c.is_ascii()).trim();
    text.trim_end_matches(|c: char| !kept(c) && !c.is_ascii()).trim().trim_end_matches(':').trim()
}

/// Whether a short text can be a name at all: words, few of them, and not a sentence.
pub(super) fn can_be_name(text: &str) -> bool {
    let chars = text.chars().count();
    let words = text.split_whitespace().count();
    let letters = text.chars().filter(|c| c.is_alphabetic()).count();
    let odd = text.contains(['?', '!', '{', '}', '=', '"', '<', '>', '|', ';', '\n', '*', '\\', '“', '”']);
    let odd = odd || text.contains('‘') && !text.contains('’');
    let ends = text.ends_with(['.', ',', ':', '-']);
    let balanced = text.matches('(').count() == text.matches(')').count();
    (2..=NAME_CHARS).contains(&chars)
        && words <= 8
        && letters >= 2
        && !odd
        && !ends
        && balanced
        && !is_address(text)
}

/// A phrase of running text that is a name by its capitals: `Data Exhaust Service`, `GOV.UK Chat`. One capital word is
/// not enough (every sentence has one) unless its shape says more.
pub(super) fn is_proper(phrase: &str) -> bool {
    let words: Vec<&str> = phrase.split_whitespace().collect();
    let Some((first, last)) = words.first().zip(words.last()) else { return false };
    if !can_be_name(phrase) || words.len() > 6 || phrase.contains([',', ':']) || is_opener(first) {
        return false;
    }
    if words.len() == 1 {
        return (is_identifier(first) || is_acronym(first)) && !first.ends_with('/');
    }
    let small = |word: &str| matches!(word, "of" | "the" | "for" | "and" | "&");
    let capital = |word: &str| {
        word.starts_with(|c: char| c.is_uppercase() || c.is_ascii_digit()) || is_identifier(word)
    };
    let strong = words.iter().filter(|word| capital(word)).count();
    strong >= 2 && capital(last) && words.iter().all(|word| capital(word) || small(word))
}

/// Relations of a thing to whoever answers for it: what has one is a thing with a name.
pub(super) const OWNING: &[&str] = &["owned_by", "maintained_by"];

/// One word with a capital that is no everyday word. Any sentence may begin with one, so what stands beside it must say
/// that it is a name.
pub(super) fn is_telling(word: &str) -> bool {
    word.starts_with(char::is_uppercase) && !is_opener(word) && telling_word(word)
}

/// A word that begins sentences and names nothing.
pub(super) fn is_opener(word: &str) -> bool {
    OPENERS.contains(&word.to_lowercase().trim_end_matches(','))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn issue_keys_are_not_norms_or_encodings() {
        for word in ["PAY-1482", "KIP-595", "SB-28693", "ED-2317"] {
            assert!(issue(word).is_some(), "{word}");
        }
        for word in
            ["UTF-8", "SHA-256", "ISO-8601", "HTTP-404", "COVID-19", "RFC-2119", "GPT-4", "PAY-01", "pay-3"]
        {
            assert!(issue(word).is_none(), "{word}");
        }
    }

    #[test]
    fn shapes_in_running_text_are_components_and_ordinary_compounds_are_not() {
        for word in [
            "ledger-service",
            "KubePodCrashLooping",
            "payments.refunds.created",
            "content_store",
            "search-api",
        ] {
            assert!(shaped(word).is_some(), "{word}");
        }
        for word in [
            "real-time",
            "end-to-end",
            "third-party",
            "www.gov.uk",
            "docs.example.com",
            "Grafana",
            "e.g",
            "v1.2.3",
        ] {
            assert!(shaped(word).is_none(), "{word}");
        }
    }

    #[test]
    fn code_spans_name_things_but_not_literals_or_command_lines() {
        for word in ["redis", "GITHUB_TOKEN", "values-production.yaml", "/var/log/licensify", "Foo::Bar"] {
            assert!(in_code(word).is_some(), "{word}");
        }
        for word in ["true", "null", "kubectl get pods", "--force", "42", "a=b", "https://x.org", "POST"] {
            assert!(in_code(word).is_none(), "{word}");
        }
    }

    #[test]
    fn capitals_make_a_name_of_two_words_and_more() {
        for phrase in ["Data Exhaust Service", "GOV.UK Chat", "Office for National Statistics", "Sunbird ED"]
        {
            assert!(is_proper(phrase), "{phrase}");
        }
        for phrase in ["Content", "The user impact", "If Redis", "This Service", "Run the job", "We"] {
            assert!(!is_proper(phrase), "{phrase}");
        }
    }
}

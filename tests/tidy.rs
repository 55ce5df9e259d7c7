//! The house rules as a test over the source tree: arrows between rooms, sizes, headers, leftovers, and whether
//! `ARCHITECTURE.md` names the rooms that exist. A rule that nobody checks is a wish.
//!
//! Every rule is a function of a path and a text, so each is also shown to fail on a small bad sample at the end of
//! this file. Rust is read with `syn` and not by counting braces: raw strings, lifetimes and macros make a scanner of
//! our own wrong in just the cases nobody looks at. This file must not know what the program does.

#![allow(clippy::unwrap_used)] // A test that cannot set itself up has failed.

use proc_macro2::{Delimiter, LineColumn, TokenStream, TokenTree};
use std::collections::BTreeSet;
use std::fmt;
use std::ops::RangeInclusive;
use std::path::Path;
use std::str::FromStr;
use syn::spanned::Spanned;
use syn::visit::{self, Visit};

/// A function is read at one glance: a screen and a half.
const FUNCTION_LINES: usize = 70;
/// A file is one subject.
const FILE_LINES: usize = 600;
/// Beyond this a struct says what the values are.
const PARAMETERS: usize = 4;
/// Branches within branches within branches: a fourth wants a function.
const NESTING: usize = 3;
/// `rustfmt` breaks code at 110; comments and strings, which it leaves alone, are written to 120 at most.
const COLUMNS: usize = 120;
/// What somebody reads before deciding whether to try it.
const README_WORDS: usize = 900;
/// The built-in embedding is 23 MB; nothing else comes near.
const FILE_BYTES: u64 = 30 << 20;

/// Who may name whom: a room, and the rooms and crates of ours that it may name. `*` is
/// everybody; what is not here may name nothing.
const ARROWS: [(&str, &[&str]); 22] = [
    ("knowledge", &[]),
    ("vault", &[]),
    ("minilm", &[]),
    ("bucketfs", &[]),
    ("error", &["sources", "vault"]),
    ("settings", &["error"]),
    ("sources", &["knowledge"]),
    ("embedders", &["error", "minilm", "knowledge", "models"]),
    ("secret", &["error"]),
    ("models", &["error", "knowledge", "secret"]),
    ("mirrors", &["error", "knowledge", "state"]),
    ("world", &["embedders", "error", "knowledge", "models", "secret", "sources"]),
    ("state", &["embedders", "error", "knowledge", "sources", "vault"]),
    ("plan", &["embedders", "error", "job", "knowledge", "sources", "state", "world"]),
    ("job", &["error", "knowledge", "plan", "state", "vault", "world"]),
    (
        "wire",
        &[
            "embedders",
            "error",
            "knowledge",
            "mirrors",
            "models",
            "plan",
            "secret",
            "settings",
            "sources",
            "state",
            "vault",
            "world",
        ],
    ),
    (
        "cli",
        &[
            "embedders",
            "error",
            "inquiry",
            "job",
            "knowledge",
            "plan",
            "serve",
            "settings",
            "state",
            "vault",
            "wire",
            "world",
        ],
    ),
    ("inquiry", &["embedders", "error", "knowledge", "settings", "state", "wire", "world"]),
    (
        "serve",
        &["error", "inquiry", "job", "knowledge", "plan", "settings", "state", "vault", "wire", "world"],
    ),
    ("sim", &["*"]),
    ("fuzz", &["vault"]),
    ("xtask", &["cli", "settings", "knowledge"]),
];

/// Crates of ours: a path that begins with one of these leaves its crate. (`highwater` is the product.)
const CRATES: [&str; 7] = ["knowledge", "vault", "minilm", "bucketfs", "sim", "fuzz", "xtask"];

/// Rooms whose files stand beside each other without knowing of each other, with the files that all of them share.
const SIBLINGS: [(&str, &[&str]); 4] = [
    ("sources", &["slices"]),
    ("embedders", &["quantised"]),
    ("models", &["batch", "endpoint", "refusal", "schema"]),
    ("mirrors", &[]),
];

/// What a room must not name, because it would not be pure, or would not be its business.
const BANNED: [(&str, &[&str]); 11] = [
    ("knowledge", &["tokio", "rusqlite", "getrandom", "std::fs", "std::net", "std::env", "std::process"]),
    ("minilm", &["tokio", "rusqlite", "getrandom", "std::fs", "std::net", "std::env", "std::process"]),
    ("sources", &["tokio", "rusqlite", "getrandom", "std::fs", "std::net", "std::env", "std::process"]),
    (
        "models",
        &["tokio", "reqwest", "rusqlite", "getrandom", "std::fs", "std::net", "std::env", "std::process"],
    ),
    (
        "embedders",
        &["tokio", "reqwest", "rusqlite", "getrandom", "std::fs", "std::net", "std::env", "std::process"],
    ),
    ("secret", &["tokio", "reqwest", "rusqlite", "getrandom", "std::net", "std::env", "std::process"]),
    ("vault", &["rusqlite", "getrandom", "std::net", "std::env"]),
    ("state", &["tokio", "getrandom", "std::net", "std::env", "std::process"]),
    ("plan", &["tokio", "rusqlite", "getrandom", "std::fs", "std::net", "std::env", "std::process"]),
    ("job", &["rusqlite", "getrandom", "std::fs", "std::net", "std::env", "std::process"]),
    ("settings", &["tokio", "rusqlite", "getrandom", "std::net", "std::process"]),
];

/// Clocks and waiting: banned in every room of production but the edge (`world/live.rs`, `world/http.rs`, `cli`).
const CLOCKS: [&str; 4] =
    ["std::time::Instant", "std::time::SystemTime", "std::thread::sleep", "tokio::time"];

/// Files and folders that hold nothing but tests and measurements.
const TEST_FILES: [&str; 5] = ["benches", "tests", "tests.rs", "contract.rs", "laws.rs"];

/// Endings of type names that say nothing about what the type is.
const EMPTY_NAMES: [&str; 6] = ["Manager", "Handler", "Helper", "Processor", "Service", "Utils"];

/// Crates and modules that an arrow can point at.
fn rooms() -> BTreeSet<&'static str> {
    ARROWS.iter().map(|(room, _)| *room).collect()
}

/// A rule broken, and where.
#[derive(Debug, PartialEq, Eq)]
struct Fault {
    path: String,
    line: usize,
    rule: &'static str,
    found: String,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}: {}", self.path, self.line, self.rule, self.found)
    }
}

/// A Rust file, read.
struct Rust<'a> {
    path: &'a str,
    text: &'a str,
    tokens: TokenStream,
    tree: syn::File,
    /// Lines of test modules and test functions; all of a file that is nothing but tests.
    tests: Vec<RangeInclusive<usize>>,
}

impl<'a> Rust<'a> {
    fn read(path: &'a str, text: &'a str) -> Result<Self, Fault> {
        let unread = |error: syn::Error| {
            let line = error.span().start().line;
            Fault { path: path.to_owned(), line, rule: "rust that parses", found: error.to_string() }
        };
        let tokens = TokenStream::from_str(text).map_err(|error| unread(error.into()))?;
        let tree = syn::parse_file(text).map_err(unread)?;
        let mut spans = TestSpans::default();
        match is_test_file(path) {
            true => spans.0.push(1..=usize::MAX),
            false => spans.visit_file(&tree),
        }
        Ok(Self { path, text, tokens, tree, tests: spans.0 })
    }

    fn is_test(&self, line: usize) -> bool {
        self.tests.iter().any(|span| span.contains(&line))
    }

    fn fault(&self, line: usize, rule: &'static str, found: impl Into<String>) -> Fault {
        Fault { path: self.path.to_owned(), line, rule, found: found.into() }
    }
}

fn is_test_file(path: &str) -> bool {
    path.split('/').any(|part| TEST_FILES.contains(&part))
}

/// Finds the lines that are tests.
#[derive(Default)]
struct TestSpans(Vec<RangeInclusive<usize>>);

impl TestSpans {
    fn note(&mut self, attributes: &[syn::Attribute], whole: proc_macro2::Span) -> bool {
        let is_test = attributes.iter().any(|attribute| match attribute.path().is_ident("cfg") {
            true => attribute.parse_args::<syn::Ident>().is_ok_and(|ident| ident == "test"),
            false => attribute.path().segments.last().is_some_and(|last| last.ident == "test"),
        });
        if is_test {
            self.0.push(whole.start().line..=whole.end().line);
        }
        is_test
    }
}

impl<'ast> Visit<'ast> for TestSpans {
    fn visit_item_mod(&mut self, item: &'ast syn::ItemMod) {
        if !self.note(&item.attrs, item.span()) {
            visit::visit_item_mod(self, item);
        }
    }

    fn visit_item_fn(&mut self, item: &'ast syn::ItemFn) {
        self.note(&item.attrs, item.span());
    }

    fn visit_item_impl(&mut self, item: &'ast syn::ItemImpl) {
        self.note(&item.attrs, item.span());
    }

    fn visit_impl_item_fn(&mut self, item: &'ast syn::ImplItemFn) {
        self.note(&item.attrs, item.span());
    }
}

/// All faults of one Rust file.
fn faults_of_rust(path: &str, text: &str) -> Vec<Fault> {
    let file = match Rust::read(path, text) {
        Ok(file) => file,
        Err(fault) => return vec![fault],
    };
    let mut faults = faults_of_lines(&file);
    let mut shapes = Shapes { file: &file, faults: Vec::new(), depth: 0, keeps_a_trait: false };
    shapes.visit_file(&file.tree);
    faults.extend(shapes.faults);
    faults.extend(faults_of_tokens(&file));
    faults.extend(faults_of_arrows(&file));
    faults.dedup();
    faults
}

/// Header, columns, length, leftovers in comments.
fn faults_of_lines(file: &Rust<'_>) -> Vec<Fault> {
    let mut faults = Vec::new();
    if !file.text.starts_with("//! ") {
        faults.push(file.fault(1, "a header", "the file does not open with `//!`"));
    }
    let mut counted = 0;
    for (number, line) in (1..).zip(file.text.lines()) {
        counted += usize::from(!file.is_test(number));
        let columns = line.chars().count();
        if columns > COLUMNS && !file.is_test(number) {
            faults.push(file.fault(number, "columns", format!("{columns} of {COLUMNS}")));
        }
        let comment = line.find("//").map_or("", |at| &line[at..]);
        let leftover = [concat!("TO", "DO"), concat!("FIX", "ME"), "XXX"]
            .into_iter()
            .find(|word| comment.contains(word));
        faults.extend(
            leftover.map(|word| file.fault(number, "no open ends", format!("`{word}` in a comment"))),
        );
    }
    if counted > FILE_LINES {
        faults.push(file.fault(1, "file length", format!("{counted} lines without tests, of {FILE_LINES}")));
    }
    faults
}

/// Measures functions and looks at names.
struct Shapes<'a> {
    file: &'a Rust<'a>,
    faults: Vec<Fault>,
    depth: usize,
    /// Within the `impl` of a trait, whose signatures are the trait's: ours are counted where the trait is.
    keeps_a_trait: bool,
}

impl Shapes<'_> {
    fn measure(&mut self, signature: &syn::Signature, block: &syn::Block) {
        let (first, last) = (signature.span().start().line, block.span().end().line);
        if self.file.is_test(first) {
            return;
        }
        let name = &signature.ident;
        let lines = last + 1 - first;
        if lines > FUNCTION_LINES {
            let found = format!("`{name}` has {lines} of {FUNCTION_LINES}");
            self.faults.push(self.file.fault(first, "function length", found));
        }
        if !self.keeps_a_trait {
            self.count_parameters(signature);
        }
    }

    fn count_parameters(&mut self, signature: &syn::Signature) {
        let (first, name) = (signature.span().start().line, &signature.ident);
        if self.file.is_test(first) {
            return;
        }
        // `self` is what the function belongs to, not something a caller must put in the right place.
        let parameters =
            signature.inputs.iter().filter(|input| matches!(input, syn::FnArg::Typed(_))).count();
        if parameters > PARAMETERS {
            let found = format!("`{name}` takes {parameters} of {PARAMETERS}");
            self.faults.push(self.file.fault(first, "parameters", found));
        }
    }

    fn name(&mut self, ident: &syn::Ident) {
        let name = ident.to_string();
        if EMPTY_NAMES.iter().any(|ending| name.ends_with(ending)) {
            self.faults.push(self.file.fault(ident.span().start().line, "names", format!("`{name}`")));
        }
    }

    fn deeper(&mut self, at: LineColumn, within: impl FnOnce(&mut Self)) {
        self.depth += 1;
        if self.depth == NESTING + 1 && !self.file.is_test(at.line) {
            self.faults.push(self.file.fault(at.line, "nesting", format!("deeper than {NESTING} levels")));
        }
        within(self);
        self.depth -= 1;
    }

    fn afresh(&mut self, within: impl FnOnce(&mut Self)) {
        let outer = std::mem::take(&mut self.depth);
        within(self);
        self.depth = outer;
    }
}

impl<'ast> Visit<'ast> for Shapes<'_> {
    fn visit_item_fn(&mut self, item: &'ast syn::ItemFn) {
        self.measure(&item.sig, &item.block);
        self.afresh(|shapes| visit::visit_item_fn(shapes, item));
    }

    fn visit_impl_item_fn(&mut self, item: &'ast syn::ImplItemFn) {
        self.measure(&item.sig, &item.block);
        self.afresh(|shapes| visit::visit_impl_item_fn(shapes, item));
    }

    fn visit_item_impl(&mut self, item: &'ast syn::ItemImpl) {
        let outer = std::mem::replace(&mut self.keeps_a_trait, item.trait_.is_some());
        visit::visit_item_impl(self, item);
        self.keeps_a_trait = outer;
    }

    fn visit_trait_item_fn(&mut self, item: &'ast syn::TraitItemFn) {
        match &item.default {
            Some(block) => self.measure(&item.sig, block),
            None => self.count_parameters(&item.sig),
        }
        self.afresh(|shapes| visit::visit_trait_item_fn(shapes, item));
    }

    fn visit_item_struct(&mut self, item: &'ast syn::ItemStruct) {
        self.name(&item.ident);
    }

    fn visit_item_enum(&mut self, item: &'ast syn::ItemEnum) {
        self.name(&item.ident);
    }

    fn visit_item_trait(&mut self, item: &'ast syn::ItemTrait) {
        self.name(&item.ident);
        visit::visit_item_trait(self, item);
    }

    /// An `else if` stands beside its `if`, not inside it.
    fn visit_expr_if(&mut self, branch: &'ast syn::ExprIf) {
        self.visit_expr(&branch.cond);
        self.deeper(branch.span().start(), |shapes| shapes.visit_block(&branch.then_branch));
        match branch.else_branch.as_ref().map(|(_, otherwise)| &**otherwise) {
            Some(syn::Expr::If(next)) => self.visit_expr_if(next),
            Some(other) => self.deeper(branch.span().start(), |shapes| shapes.visit_expr(other)),
            None => {}
        }
    }

    fn visit_expr_match(&mut self, chosen: &'ast syn::ExprMatch) {
        self.deeper(chosen.span().start(), |shapes| visit::visit_expr_match(shapes, chosen));
    }

    fn visit_expr_for_loop(&mut self, around: &'ast syn::ExprForLoop) {
        self.deeper(around.span().start(), |shapes| visit::visit_expr_for_loop(shapes, around));
    }

    fn visit_expr_while(&mut self, around: &'ast syn::ExprWhile) {
        self.deeper(around.span().start(), |shapes| visit::visit_expr_while(shapes, around));
    }

    fn visit_expr_loop(&mut self, around: &'ast syn::ExprLoop) {
        self.deeper(around.span().start(), |shapes| visit::visit_expr_loop(shapes, around));
    }
}

/// Stubs, ignored tests and `unwrap` outside tests, inside macros too.
fn faults_of_tokens(file: &Rust<'_>) -> Vec<Fault> {
    let mut flat = Vec::new();
    flatten(file.tokens.clone(), &mut flat);
    let mut faults = Vec::new();
    for three in flat.windows(3) {
        let [(before, _), (word, line), (after, _)] = three else { continue };
        let found = match (before.as_str(), word.as_str(), after.as_str()) {
            (_, "todo" | "unimplemented" | "dbg", "!") if before != "fn" => Some("no stubs"),
            ("[", "ignore", "]" | "=") => Some("no ignored tests"),
            (".", "unwrap", "(") if !file.is_test(*line) => Some("no unwrap"),
            _ => None,
        };
        faults.extend(found.map(|rule| file.fault(*line, rule, format!("`{word}`"))));
    }
    faults
}

fn flatten(tokens: TokenStream, into: &mut Vec<(String, usize)>) {
    for token in tokens {
        let line = token.span().start().line;
        match token {
            TokenTree::Group(group) => {
                let (open, close) = match group.delimiter() {
                    Delimiter::Parenthesis => ("(", ")"),
                    Delimiter::Bracket => ("[", "]"),
                    Delimiter::Brace => ("{", "}"),
                    Delimiter::None => ("", ""),
                };
                into.push((open.to_owned(), line));
                flatten(group.stream(), into);
                into.push((close.to_owned(), group.span_close().start().line));
            }
            TokenTree::Literal(_) => into.push(("literal".to_owned(), line)),
            other => into.push((other.to_string(), line)),
        }
    }
}

/// Where a file stands: the crate or room, and its path of modules below `src/` of its crate.
fn place_of(path: &str) -> Option<(String, Vec<String>)> {
    let (krate, inner) = match path.strip_prefix("crates/") {
        Some(rest) => {
            let (krate, rest) = rest.split_once('/')?;
            (Some(krate), rest.strip_prefix("src/")?)
        }
        None => match path.strip_prefix("xtask/src/") {
            Some(rest) => (Some("xtask"), rest),
            None => (None, path.strip_prefix("src/")?),
        },
    };
    let mut modules: Vec<String> = inner.strip_suffix(".rs")?.split('/').map(str::to_owned).collect();
    if modules.last().is_some_and(|last| ["mod", "lib", "main"].contains(&last.as_str())) {
        modules.pop();
    }
    // The contents page and `main` of the product belong to no room: they name what there is.
    let room = krate.map(str::to_owned).or_else(|| modules.first().cloned())?;
    Some((room, modules))
}

fn faults_of_arrows(file: &Rust<'_>) -> Vec<Fault> {
    let Some((room, modules)) = place_of(file.path) else { return Vec::new() };
    let of_product = file.path.starts_with("src/");
    let mut paths = Vec::new();
    collect_paths(file.tokens.clone(), &[], &mut paths);
    let mut faults = Vec::new();
    for (path, line) in paths.into_iter().filter(|(path, line)| path.len() > 1 && !file.is_test(*line)) {
        let whole = path.join("::");
        if let Some(found) = named_in_vain(file.path, &room, &whole) {
            faults.push(file.fault(line, "what a room must not name", found));
        }
        let absolute = absolute(&path, &modules);
        let target = match (&absolute, of_product) {
            (Some(inner), true) => inner.first(),
            (Some(_), false) => None,
            (None, _) if path[0] == "highwater" => path.get(1),
            (None, _) => path.first().filter(|first| CRATES.contains(&first.as_str())),
        };
        let Some(target) =
            target.cloned().filter(|target| rooms().contains(target.as_str()) && *target != room)
        else {
            faults.extend(
                absolute
                    .and_then(|to| sibling(&room, &modules, &to))
                    .map(|found| file.fault(line, "siblings", format!("`{whole}` names {found}"))),
            );
            continue;
        };
        let allowed = ARROWS.iter().find(|(from, _)| *from == room).map_or(&[][..], |(_, to)| *to);
        if !allowed.iter().any(|to| [target.as_str(), "*"].contains(to)) {
            faults.push(file.fault(line, "arrows", format!("{room} ─> {target}, in `{whole}`")));
        }
    }
    faults
}

/// A path from the root of its crate, if it is one of the crate's own.
fn absolute(path: &[String], modules: &[String]) -> Option<Vec<String>> {
    let supers = path.iter().take_while(|part| *part == "super").count();
    let (base, rest) = match path[0].as_str() {
        "crate" => (&[][..], &path[1..]),
        "self" => (modules, &path[1..]),
        "super" => (&modules[..modules.len().saturating_sub(supers)], &path[supers..]),
        _ => return None,
    };
    Some(base.iter().chain(rest).cloned().collect())
}

fn sibling(room: &str, from: &[String], to: &[String]) -> Option<String> {
    let (_, shared) = SIBLINGS.iter().find(|(name, _)| *name == room)?;
    let (from, to) = (from.get(1)?, to.get(1)?);
    // Names of types and functions are not modules: those begin a path that goes on, or are in the room's contents.
    let is_module = Path::new(env!("CARGO_MANIFEST_DIR")).join("src").join(room);
    let exists = is_module.join(to).is_dir() || is_module.join(format!("{to}.rs")).is_file();
    (from != to && exists && !shared.contains(&to.as_str())).then(|| format!("`{to}` beside it"))
}

fn named_in_vain(path: &str, room: &str, whole: &str) -> Option<String> {
    let starts = |banned: &&&str| whole == **banned || whole.starts_with(&format!("{banned}::"));
    let banned = BANNED.iter().find(|(name, _)| *name == room).map_or(&[][..], |(_, names)| *names);
    let edge = ["src/world/live.rs", "src/world/http.rs"].contains(&path)
        || ["cli", "xtask", "sim", "bucketfs", "serve"].contains(&room);
    let clocks = if edge { &[][..] } else { &CLOCKS[..] };
    banned.iter().chain(clocks).find(starts).map(|name| format!("`{name}`"))
}

/// All paths that are written, those in groups of `use` spelled out.
fn collect_paths(tokens: TokenStream, prefix: &[String], into: &mut Vec<(Vec<String>, usize)>) {
    let tokens: Vec<TokenTree> = tokens.into_iter().collect();
    let mut at = 0;
    while at < tokens.len() {
        match &tokens[at] {
            TokenTree::Ident(ident) if *ident == "as" => at += 1,
            TokenTree::Ident(ident) => {
                let mut path = prefix.to_vec();
                path.push(ident.to_string());
                at += follow(&tokens[at + 1..], &mut path, into);
                into.push((path, ident.span().start().line));
            }
            TokenTree::Group(group) => collect_paths(group.stream(), &[], into),
            _ => {}
        }
        at += 1;
    }
}

/// Goes along `::name::name`, into a group at the end; says how many tokens that were.
fn follow(tokens: &[TokenTree], path: &mut Vec<String>, into: &mut Vec<(Vec<String>, usize)>) -> usize {
    let is_colon =
        |token: Option<&TokenTree>| matches!(token, Some(TokenTree::Punct(p)) if p.as_char() == ':');
    let mut at = 0;
    while is_colon(tokens.get(at)) && is_colon(tokens.get(at + 1)) {
        match tokens.get(at + 2) {
            Some(TokenTree::Ident(ident)) => path.push(ident.to_string()),
            Some(TokenTree::Group(group)) if group.delimiter() == Delimiter::Brace => {
                collect_paths(group.stream(), path, into);
                return at + 3;
            }
            _ => break,
        }
        at += 3;
    }
    at
}

/// Faults of any text we write: paths of a machine, hosts of registries.
fn faults_of_text(path: &str, text: &str) -> Vec<Fault> {
    let places =
        [("/wo", "rk/"), ("/ro", "ot/"), ("/ho", "me/"), ("/Us", "ers/")].map(|(a, b)| format!("{a}{b}"));
    let hosts =
        [("crates", ".io"), ("pypi", ".org"), ("npmjs", ".org"), ("npmjs", ".com"), ("docker", ".io")];
    let hosts = hosts.map(|(name, domain)| format!("{name}{domain}"));
    let mut faults = Vec::new();
    for (number, line) in (1..).zip(text.lines()) {
        let fault = |rule, found: &String| Fault {
            path: path.to_owned(),
            line: number,
            rule,
            found: format!("`{found}`"),
        };
        let place =
            places.iter().find(|place| line.match_indices(*place).any(|(at, _)| begins_a_path(line, at)));
        faults.extend(place.map(|place| fault("no paths of a machine", place)));
        faults.extend(
            hosts.iter().find(|host| line.contains(*host)).map(|host| fault("no registry hosts", host)),
        );
    }
    faults
}

/// Whether what stands at `at` is absolute, and not the middle of a longer path or address.
fn begins_a_path(line: &str, at: usize) -> bool {
    !line[..at].ends_with(|before: char| before.is_alphanumeric() || ".-_}*".contains(before))
}

fn faults_of_readme(text: &str) -> Vec<Fault> {
    let words = text.split_whitespace().count();
    let found = format!("{words} words of {README_WORDS}");
    let fault = Fault { path: "README.md".to_owned(), line: 1, rule: "README length", found };
    (words > README_WORDS).then_some(fault).into_iter().collect()
}

/// The rooms that the map of `ARCHITECTURE.md` names, against those there are.
fn faults_of_map(map: &str, rooms: &BTreeSet<String>) -> Vec<Fault> {
    let section = map.split("\n## ").find(|section| section.starts_with("The map")).unwrap_or_default();
    let named: BTreeSet<String> = section
        .lines()
        .filter_map(|line| line.strip_prefix("| `")?.split_once('`'))
        .map(|(room, _)| room.trim_end_matches('/').to_owned())
        .collect();
    let fault = |found| Fault { path: "ARCHITECTURE.md".to_owned(), line: 1, rule: "the map", found };
    let missing = rooms.difference(&named).map(|room| fault(format!("`{room}` is not on the map")));
    let gone = named.difference(rooms).map(|room| fault(format!("`{room}` does not exist")));
    missing.chain(gone).collect()
}

/// A file of the tree.
struct Found {
    path: String,
    bytes: u64,
}

/// All files, but for what is built or made by running the program (the lines of `.gitignore`).
fn walk(folder: &Path, prefix: &str, into: &mut Vec<Found>) {
    let mut entries: Vec<_> = std::fs::read_dir(folder).unwrap().map(Result::unwrap).collect();
    entries.sort_by_key(|entry| entry.file_name());
    for entry in entries {
        let name = entry.file_name().into_string().unwrap();
        let path = format!("{prefix}{name}");
        let made = ["target", ".git", "vault"].contains(&path.as_str()) || name.contains(".db");
        match entry.file_type().unwrap() {
            _ if made => {}
            kind if kind.is_dir() => walk(&entry.path(), &format!("{path}/"), into),
            _ => into.push(Found { bytes: entry.metadata().unwrap().len(), path }),
        }
    }
}

/// The rooms there are: crates, top folders with code or pages, and what stands directly under `src/`.
fn rooms_of(tree: &[Found]) -> BTreeSet<String> {
    let tops = ["xtask", "tests", "benches", "fuzz", "docs", "deploy", "samples", "assets"];
    let room = |path: &str| {
        let parts: Vec<&str> = path.split('/').collect();
        match parts[..] {
            [top, ..] if parts.len() > 1 && tops.contains(&top) => Some(top.to_owned()),
            [top @ ("crates" | "src"), name, ..] => Some(format!("{top}/{name}")),
            _ => None,
        }
    };
    tree.iter().filter_map(|found| room(&found.path)).collect()
}

/// Real pages and their goldens say what they say.
fn is_foreign(path: &str) -> bool {
    let foreign = ["samples", "assets", "fixtures", "golden", "corpus", "proptest-regressions"];
    path.split('/').any(|part| foreign.contains(&part)) || path == "Cargo.lock" || path.ends_with(".jsonl")
}

#[test]
fn the_tree_keeps_the_house_rules() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut tree = Vec::new();
    walk(root, "", &mut tree);
    let mut faults = Vec::new();
    for Found { path, bytes } in &tree {
        if *bytes > FILE_BYTES {
            let found = format!("{bytes} bytes of {FILE_BYTES}");
            faults.push(Fault { path: path.clone(), line: 1, rule: "file size", found });
        }
        let ours =
            [".rs", ".toml", ".md", ".sql", ".yml", ".sh", "run"].iter().any(|end| path.ends_with(end));
        if !ours || is_foreign(path) {
            continue;
        }
        let text = std::fs::read_to_string(root.join(path)).unwrap();
        faults.extend(faults_of_text(path, &text));
        match path.as_str() {
            "README.md" => faults.extend(faults_of_readme(&text)),
            "ARCHITECTURE.md" => faults.extend(faults_of_map(&text, &rooms_of(&tree))),
            _ if path.ends_with(".rs") => faults.extend(faults_of_rust(path, &text)),
            _ => {}
        }
    }
    let lines: Vec<String> = faults.iter().map(Fault::to_string).collect();
    assert!(faults.is_empty(), "{} house rules are broken:\n{}", lines.len(), lines.join("\n"));
    assert!(tree.len() > 50, "the walk found only {} files: it looks in the wrong place", tree.len());
}

/// The rules that a sample breaks, each once.
fn broken(path: &str, text: &str) -> BTreeSet<&'static str> {
    let faults = faults_of_rust(path, text).into_iter().chain(faults_of_text(path, text));
    faults.map(|fault| fault.rule).collect()
}

#[test]
fn each_rule_about_rust_fails_on_a_bad_sample() {
    let long_function = format!("//! x\nfn f() {{\n{}}}\n", "    g();\n".repeat(70));
    let long_file = format!("//! x\n{}", "fn f() {}\n".repeat(600));
    let wide = format!("//! x\n// {}\n", "x".repeat(COLUMNS));
    let open_end = format!("//! x\n// {}: later\n", concat!("TO", "DO"));
    let host = format!("//! x {}\n", ["crates", "io"].join("."));
    let place = format!("//! x {}\n", ["", "home", "me"].join("/"));
    let deep = "//! x\nfn f() { for a in b { if c { match d { e => while g {} } } } }\n";
    let samples = [
        ("rust that parses", "src/plan.rs", "//! x\nfn f( {}\n"),
        ("a header", "src/plan.rs", "fn f() {}\n"),
        ("columns", "src/plan.rs", &wide),
        ("no open ends", "src/plan.rs", &open_end),
        ("file length", "src/plan.rs", &long_file),
        ("function length", "src/plan.rs", &long_function),
        ("parameters", "src/plan.rs", "//! x\nfn f(a: A, b: B, c: C, d: D, e: E) {}\n"),
        ("parameters", "src/plan.rs", "//! x\ntrait T { fn f(a: A, b: B, c: C, d: D, e: E); }\n"),
        ("nesting", "src/plan.rs", deep),
        ("names", "src/plan.rs", "//! x\nstruct PageManager;\n"),
        ("no stubs", "src/plan.rs", "//! x\nfn f() { todo!() }\n"),
        ("no ignored tests", "src/plan.rs", "//! x\n#[test]\n#[ignore]\nfn f() {}\n"),
        ("no unwrap", "src/plan.rs", "//! x\nfn f() { assert!(g().unwrap()) }\n"),
        ("no paths of a machine", "src/plan.rs", &place),
        ("no registry hosts", "src/plan.rs", &host),
        ("arrows", "src/sources/folder.rs", "//! x\nuse crate::{state::State, error};\n"),
        ("arrows", "src/state/apply.rs", "//! x\nuse super::super::job::run;\n"),
        ("arrows", "src/job.rs", "//! x\nuse sim::life;\n"),
        ("arrows", "crates/vault/src/journal.rs", "//! x\nfn f(page: knowledge::page::RawPage) {}\n"),
        ("arrows", "crates/knowledge/src/read/mod.rs", "//! x\nuse highwater::state::State;\n"),
        ("siblings", "src/sources/folder.rs", "//! x\nuse super::export::Export;\n"),
        ("siblings", "src/sources/export/xml.rs", "//! x\nuse crate::sources::{folder::Place, Kind};\n"),
        ("what a room must not name", "crates/knowledge/src/page.rs", "//! x\nuse std::{fs::File, fmt};\n"),
        ("what a room must not name", "crates/knowledge/src/page.rs", "//! x\nuse rusqlite::Connection;\n"),
        ("what a room must not name", "src/job.rs", "//! x\nuse std::time::{Duration, Instant};\n"),
    ];
    for (rule, path, text) in samples {
        assert_eq!(broken(path, text), BTreeSet::from([rule]), "{path}: {text}");
    }
}

#[test]
fn what_the_rules_allow_passes() {
    let braces = "//! x\nimpl X {\n    fn f(&self, a: A, b: B, c: C, d: D) -> char {\n        if a { '{' } else { r#\"}\"# }\n    }\n}\n";
    let tests = "//! x\n#[cfg(test)]\nmod tests {\n    use crate::job;\n    fn f() { g().unwrap(); }\n}\n";
    let deep = "//! x\nfn f() { for a in b { if c { d } else if e { match f { _ => g } } } }\n";
    let samples = [
        ("src/plan.rs", braces),
        ("src/state/owed.rs", tests),
        ("src/plan.rs", deep),
        (
            "src/sources/export/xml.rs",
            "//! x\nuse super::objects::Object;\nuse crate::sources::slices::slice;\n",
        ),
        ("src/plan.rs", "//! x\nimpl T for X { fn f(a: A, b: B, c: C, d: D, e: E) {} }\n"),
        ("src/sources/mod.rs", "//! x\nmod folder;\nuse folder::Folder;\nuse self::export::Export;\n"),
        ("src/lib.rs", "//! x\npub mod state;\nuse crate::job::run;\n"),
    ];
    for (path, text) in samples {
        assert_eq!(broken(path, text), BTreeSet::new(), "{path}: {text}");
    }
}

#[test]
fn rules_about_pages_fail_on_bad_samples() {
    assert_eq!(faults_of_readme(&"word ".repeat(README_WORDS)), []);
    assert_eq!(faults_of_readme(&"word ".repeat(README_WORDS + 1)).len(), 1);
    let map = "# House\n\n## The map\n\n| room | holds |\n|---|---|\n| `src/state/` | rows |\n| `src/ghost/` | nothing |\n\n## More\n";
    let rooms = BTreeSet::from(["src/state".to_owned(), "src/job.rs".to_owned()]);
    let found: Vec<String> = faults_of_map(map, &rooms).into_iter().map(|fault| fault.found).collect();
    assert_eq!(found, ["`src/job.rs` is not on the map", "`src/ghost` does not exist"]);
}

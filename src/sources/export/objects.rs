//! The objects of an `entities.xml`, one at a time: class, id, the properties that matter, and where a body
//! is.
//!
//! It must not know how objects belong together. Invariant: an object that is not whole is counted and never
//! given out; reading goes on at the next one.

use super::xml::{Lexer, Markup};
use crate::sources::{Kind, SourceError};
use std::io::BufRead;

/// The most that is kept of a property: titles end at 255 characters, and the longest wanted value is a
/// selection that an inline comment quotes.
const VALUE_CAP: usize = 64 << 10;

/// An object as it stands in the file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Object {
    pub(crate) class: String,
    pub(crate) id: String,
    properties: Vec<(&'static str, String)>,
    lists: Vec<(&'static str, Vec<String>)>,
    pub(crate) body: Option<Span>,
}

/// Where a body is: the inside of its property and the closing tag.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Span {
    pub(crate) from: u64,
    pub(crate) length: u64,
    pub(crate) hash: [u8; 32],
}

impl Object {
    /// A property's text, or the id it refers to; none if it is missing or empty.
    pub(crate) fn text(&self, name: &str) -> Option<&str> {
        let (_, value) = self.properties.iter().find(|(known, _)| *known == name)?;
        Some(value.as_str()).filter(|value| !value.is_empty())
    }

    /// A property that is a number or refers to an object by number.
    pub(crate) fn number(&self, name: &str) -> Option<u64> {
        self.text(name)?.parse().ok()
    }

    /// The objects a collection refers to.
    pub(crate) fn list(&self, name: &'static str) -> impl Iterator<Item = u64> + '_ {
        let items = self.lists.iter().filter(move |(known, _)| *known == name).flat_map(|(_, items)| items);
        items.filter_map(|item| item.parse().ok())
    }
}

macro_rules! names {
    ($(#[$doc:meta])* $find:ident: $($name:literal)+) => {
        $(#[$doc])*
        fn $find(name: &str) -> Option<&'static str> {
            match name {
                $($name => Some($name),)+
                _ => None,
            }
        }
    };
}

names! {
    /// The properties that somebody reads; the others are read over.
    wanted: "allUsersSubject" "atlassianAccountId" "bodyType" "containerContent" "content" "contentStatus"
    "contentType"
    "creationDate" "creator" "creatorName" "displayName" "email" "emailAddress" "fileName" "fileSize"
    "fullName"
    "group" "groupName" "key" "label" "labelableId" "lastModificationDate" "lastModifier" "lastModifierName"
    "longValue" "lowerName" "name" "namespace" "originalVersion" "originalVersionId" "owner" "owningContent"
    "owningSet" "page" "parent" "space" "stringValue" "title" "type" "userName" "userSubject" "version"
}
names! {
    /// The collections that somebody reads.
    wanted_list: "bodyContents" "contentPermissionSets" "contentPermissions" "contentProperties"
    "historicalVersions"
}

/// The classes that somebody reads. The others are read over whatever they hold: sites keep counters,
/// settings and logs of apps in an export, in forms of their own.
const CLASSES: &[&str] = &[
    "Attachment",
    "BlogPost",
    "BodyContent",
    "Comment",
    "ConfluenceUserImpl",
    "ContentPermission",
    "ContentPermissionSet",
    "ContentProperty",
    "CustomContentEntityObject",
    "Draft",
    "InternalUser",
    "Label",
    "Labelling",
    "Page",
    "PageTemplate",
    "Space",
    "SpaceDescription",
    "SpacePermission",
];

/// What stands open inside an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Within {
    Property(Option<&'static str>),
    Body {
        from: u64,
    },
    Collection(Option<&'static str>),
    Element,
    Id,
    /// Properties of a part of the object, such as an account's credentials: read over.
    Component,
}

/// What a stream of objects came to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Tally {
    pub(crate) broken: u32,
    pub(crate) invalid_text: u32,
}

/// Gives every whole object of the file to `take`.
pub(crate) fn read(
    path: &str,
    reader: &mut dyn BufRead,
    take: &mut dyn FnMut(Object),
) -> Result<Tally, SourceError> {
    let mut stream = Stream {
        lexer: Lexer::new(reader),
        text: Vec::new(),
        object: None,
        open: Vec::new(),
        tally: Tally::default(),
    };
    let mut whole = false;
    loop {
        let cap = if stream.collects() { VALUE_CAP } else { 0 };
        let markup = stream.lexer.next(&mut stream.text, cap).map_err(|why| {
            let text =
                format!("reading `{path}` at byte {}: {}", stream.lexer.at(), why.to_string().to_lowercase());
            SourceError::new(Kind::Damaged, text).hint("copy the export again, or export the space again")
        })?;
        match markup {
            // Reading goes on to the end of the file, where an archive checks that its bytes are the right
            // ones.
            Markup::Close if stream.lexer.tag().name() == b"hibernate-generic" => whole = true,
            Markup::Open => stream.opened(false),
            Markup::Empty => stream.opened(true),
            Markup::Close => drop(stream.closed().map(&mut *take)),
            Markup::CData | Markup::Other => {}
            Markup::End if whole => return Ok(stream.ended()),
            Markup::End => {
                let at = stream.lexer.at();
                let text =
                    format!("reading `{path}`: it ends at byte {at} before its `</hibernate-generic>`");
                return Err(SourceError::new(Kind::Damaged, text)
                    .hint("the export was cut short: copy it again, or export the space again"));
            }
        }
    }
}

struct Stream<'a> {
    lexer: Lexer<'a>,
    text: Vec<u8>,
    /// The object under way, and whether it is whole so far.
    object: Option<(Object, bool)>,
    open: Vec<Within>,
    tally: Tally,
}

impl Stream<'_> {
    fn collects(&self) -> bool {
        matches!(self.open.last(), Some(Within::Id | Within::Property(Some(_))))
    }

    fn opened(&mut self, empty: bool) {
        let tag = self.lexer.tag();
        if tag.name() == b"object" {
            let class = tag.attribute("class").unwrap_or_default().to_owned();
            self.give_up();
            self.open.clear();
            let read = !empty && CLASSES.contains(&class.as_str());
            self.object = read.then(|| (Object { class, ..Object::default() }, true));
            return;
        }
        let Some((object, whole)) = &mut self.object else { return };
        let name = tag.attribute("name").unwrap_or_default();
        let within = match (tag.name(), self.open.last()) {
            (b"property", None) if name == "body" && object.class == "BodyContent" => {
                Within::Body { from: self.lexer.at() }
            }
            (b"property", None) => Within::Property(wanted(name)),
            (b"property", Some(Within::Component)) => Within::Property(None),
            (b"component", None) => Within::Component,
            (b"collection", None) => Within::Collection(wanted_list(name)),
            (b"element", Some(Within::Collection(_))) => Within::Element,
            (b"id", None | Some(Within::Property(_) | Within::Element)) => Within::Id,
            _ => {
                *whole = false;
                return;
            }
        };
        if empty {
            return;
        }
        self.text.clear();
        if matches!(within, Within::Body { .. }) {
            self.lexer.start_tap();
        }
        self.open.push(within);
    }

    /// Takes a closing tag in; gives the object if it was its last one.
    fn closed(&mut self) -> Option<Object> {
        let (object, whole) = self.object.as_mut()?;
        let name = self.lexer.tag().name();
        if name == b"object" {
            *whole &= self.open.is_empty();
            if !*whole || object.id.is_empty() {
                self.give_up();
                return None;
            }
            return self.object.take().map(|(object, _)| object);
        }
        let within = self.open.last().copied();
        let fits = matches!(
            (name, within),
            (b"property", Some(Within::Property(_) | Within::Body { .. }))
                | (b"collection", Some(Within::Collection(_)))
                | (b"element", Some(Within::Element))
                | (b"id", Some(Within::Id))
                | (b"component", Some(Within::Component))
        );
        if !fits {
            *whole = false;
            return None;
        }
        self.open.pop();
        self.keep(within);
        None
    }

    /// Puts what an element held into the object.
    fn keep(&mut self, within: Option<Within>) {
        let Some((object, _)) = &mut self.object else { return };
        match within {
            Some(Within::Body { from }) => {
                let hash = self.lexer.end_tap().unwrap_or_default();
                object.body = Some(Span { from, length: self.lexer.at() - from, hash });
            }
            Some(Within::Id) => {
                let id = value(&self.text, &mut self.tally);
                match self.open.as_slice() {
                    [] => object.id = id,
                    [Within::Property(Some(name))] => object.properties.push((name, id)),
                    [Within::Collection(Some(name)), Within::Element] => match object.lists.last_mut() {
                        Some((known, items)) if known == name => items.push(id),
                        _ => object.lists.push((name, vec![id])),
                    },
                    _ => {}
                }
                self.text.clear();
            }
            // A reference has been kept with its id already, and what is left is white space.
            Some(Within::Property(Some(name)))
                if !object.properties.iter().any(|(known, _)| *known == name) =>
            {
                object.properties.push((name, value(&self.text, &mut self.tally)));
            }
            _ => {}
        }
    }

    fn give_up(&mut self) {
        self.tally.broken += u32::from(self.object.take().is_some());
        self.lexer.end_tap();
    }

    fn ended(mut self) -> Tally {
        self.give_up();
        self.tally
    }
}

fn value(bytes: &[u8], tally: &mut Tally) -> String {
    let text = String::from_utf8_lossy(bytes);
    tally.invalid_text += u32::from(matches!(text, std::borrow::Cow::Owned(_)));
    text.trim().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn objects(text: &str) -> (Vec<Object>, Tally) {
        let mut found = Vec::new();
        let tally = read("entities.xml", &mut text.as_bytes(), &mut |object| found.push(object)).unwrap();
        (found, tally)
    }

    #[test]
    fn an_object_gives_its_properties_references_and_lists() {
        let text = r#"<hibernate-generic><object class="Page" package="p"><id name="id">7</id>
            <property name="title"><![CDATA[A & B]]>
            </property><property name="space" class="Space"><id name="id">3</id> </property>
            <property name="parent"/>
            <collection name="historicalVersions"><element class="Page"><id name="id">5</id></element>
            <element class="Page"><id name="id">6</id></element></collection></object></hibernate-generic>"#;
        let (found, tally) = objects(text);
        assert_eq!((found.len(), tally), (1, Tally::default()));
        let page = &found[0];
        assert_eq!((page.class.as_str(), page.id.as_str(), page.text("title")), ("Page", "7", Some("A & B")));
        assert_eq!((page.number("space"), page.number("parent")), (Some(3), None));
        assert_eq!(page.list("historicalVersions").collect::<Vec<_>>(), [5, 6]);
    }

    #[test]
    fn a_body_is_a_span_with_its_closing_tag() {
        let text = "<hibernate-generic><object class=\"BodyContent\"><id name=\"id\">1</id>\
            <property name=\"body\"><![CDATA[<p>x</p>]]></property></object></hibernate-generic>";
        let (found, _) = objects(text);
        let span = found[0].body.unwrap();
        let raw = &text.as_bytes()[span.from as usize..(span.from + span.length) as usize];
        assert_eq!(raw, b"<![CDATA[<p>x</p>]]></property>");
        assert_eq!(span.hash, *blake3::hash(raw).as_bytes());
    }

    #[test]
    fn broken_objects_are_counted_and_the_next_one_is_read() {
        let text =
            "<hibernate-generic><object class=\"Page\"><id name=\"id\">1</id><property name=\"title\">cut
            <object class=\"Page\"><id name=\"id\">2</id></object>
            <object class=\"Page\"><id name=\"id\">3</id></collection></object>
            <object class=\"Page\"></object><object class=\"Page\"><id name=\"id\">4</id><p>x</p></object>
            <object class=\"Space\"><id name=\"id\">5</id></object></hibernate-generic>";
        let (found, tally) = objects(text);
        assert_eq!(found.iter().map(|object| object.id.as_str()).collect::<Vec<_>>(), ["2", "5"]);
        assert_eq!(tally.broken, 4);
    }

    #[test]
    fn a_file_that_ends_too_early_is_damaged() {
        let error =
            read("e.xml", &mut &b"<hibernate-generic><object class=\"Page\">"[..], &mut |_| {}).unwrap_err();
        assert_eq!(error.kind, Kind::Damaged);
        assert!(
            error.text.contains("`e.xml`: it ends at byte 40 before its `</hibernate-generic>`"),
            "{error}"
        );
    }

    const PIECES: &str = "(<object class=\"Page\">|</object>|<id name=\"id\">|</id>|\
        <property name=\"(body|title)\">|</property>|<collection name=\"x\">|<element>|7|<!\\[CDATA\\[|\\]\\]>){0,30}";

    proptest::proptest! {
        #[test]
        fn no_bytes_panic(bytes: Vec<u8>, text in PIECES) {
            drop(read("e.xml", &mut bytes.as_slice(), &mut |_| {}));
            let text = format!("<hibernate-generic>{text}</hibernate-generic>");
            drop(read("e.xml", &mut text.as_bytes(), &mut |_| {}));
        }
    }
}

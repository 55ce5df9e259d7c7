//! What a crawl has found so far, and the listing that it makes: pages with all that is known but their bodies, the
//! tree above them, who may see what. It must not know by which requests it was found.
//!
//! Invariant: a rule that was not read denies. Whoever is above a page and was not seen stays its parent by id, and the
//! state denies below a parent it holds nothing of.

use crate::sources::Skipped;
use crate::sources::slices::{Around, fingerprint};
use knowledge::audience::{Group, Layer, LayerId, Rule};
use knowledge::id::{PageId, PersonKey, SpaceKey, Version};
use knowledge::page::{Above, Attachment, BodyFormat, Folder, PageKind, PageRef, Person, RawPage, Space};
use knowledge::read::file::is_read;
use knowledge::time::Timestamp;
use std::collections::{BTreeMap, BTreeSet};

/// Deeper trees are circles: real ones are some dozens deep.
const DEPTH: usize = 100;

/// Something with text, as a list shows it.
#[derive(Clone, Debug)]
pub(super) struct Node {
    pub(super) kind: Kind,
    pub(super) space: String,
    pub(super) title: String,
    pub(super) version: u32,
    pub(super) created: Option<Timestamp>,
    pub(super) modified: Option<Timestamp>,
    pub(super) author: Option<PersonKey>,
    pub(super) editor: Option<PersonKey>,
    /// The page or folder above a page; the comment that a comment answers.
    pub(super) parent: Option<String>,
    /// What a comment or a file stands on.
    pub(super) on: Option<String>,
    pub(super) quoted: Option<String>,
    pub(super) link: Option<String>,
    pub(super) media_type: Option<String>,
    pub(super) size_bytes: Option<u64>,
}

impl Node {
    /// As what it is listed; none if it is not.
    fn page_kind(&self) -> Option<PageKind> {
        let on = self.on.as_ref().map(PageId::new);
        Some(match self.kind {
            Kind::Page => PageKind::Page,
            Kind::Blog => PageKind::BlogPost,
            Kind::Comment => PageKind::Comment { on: on?, quoted: self.quoted.clone() },
            // What has no text that is read is listed with its page, and that is all.
            Kind::File if !is_read(&self.title, self.media_type.as_deref(), self.size_bytes) => return None,
            Kind::File => PageKind::Attachment { on: on?, media_type: self.media_type.clone(), digest: None },
        })
    }
}

/// What kind of content it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Page,
    Blog,
    Comment,
    File,
}

/// A place in the tree that is no page, as a search shows it.
#[derive(Clone, Debug, Default)]
pub(super) struct Place {
    pub(super) title: String,
    pub(super) parent: Option<String>,
    /// None where its restrictions were not shown.
    pub(super) rule: Option<Rule>,
}

/// What has been found.
#[derive(Debug, Default)]
pub(super) struct Found {
    /// Where a browser finds what a link of the server's leads to; none behind the gateway, which browsers do not use.
    pub(super) site: Option<String>,
    /// The keys of the spaces that are read; none for all.
    pub(super) wanted: BTreeSet<String>,
    /// The last row of the list that is being read, and how often one was begun again.
    pub(super) edge: Option<String>,
    pub(super) restarts: u32,
    /// As which kinds of place (see `cloud::folders`) an id was asked for in vain.
    pub(super) place_kinds: BTreeMap<String, usize>,
    /// By the server's own id.
    pub(super) spaces: BTreeMap<String, Space>,
    pub(super) space_rules: BTreeMap<String, Rule>,
    /// Boxed: a map keeps twice the room of what it holds, and this is the bulk of a listing.
    pub(super) nodes: BTreeMap<String, Box<Node>>,
    /// Places in the tree that are no pages: what they are called, and what they stand below.
    pub(super) folders: BTreeMap<String, (String, Option<String>)>,
    /// The same as a search shows them, above pages or not, until they are taken in.
    pub(super) places: BTreeMap<String, Place>,
    /// Pages below a place whose ancestors, as a search shows them, end with that place; and those whose do not.
    pub(super) witnesses: (usize, usize),
    pub(super) rules: BTreeMap<String, Rule>,
    /// Pages of which the server did not say what they stand below: nobody passes.
    pub(super) astray: BTreeSet<String>,
    /// Pages whose labels could not be read; and whether that is so of the list of files.
    pub(super) without_labels: BTreeSet<String>,
    pub(super) files_are_lost: bool,
    /// Of those that have any.
    pub(super) labels: BTreeMap<String, Vec<String>>,
    pub(super) people: BTreeMap<PersonKey, Person>,
    /// Names of groups by the server's own id.
    pub(super) group_names: BTreeMap<String, String>,
    /// Members of groups; none for one that could not be read.
    pub(super) members: BTreeMap<String, BTreeSet<PersonKey>>,
    pub(super) skipped: Skipped,
}

/// A complete listing. What a page of it is like is made up when its turn comes: all of them at once take several times
/// what was found.
#[derive(Debug, Default)]
pub(super) struct Listing {
    found: Found,
    files: BTreeMap<String, Vec<Attachment>>,
    /// What is listed, in order.
    ids: Vec<String>,
    history: u32,
    pub(super) around: Around,
}

impl Listing {
    /// How many pages it has.
    pub(super) fn len(&self) -> usize {
        self.ids.len()
    }

    /// One of them.
    pub(super) fn page(&self, at: usize) -> Option<PageRef> {
        self.found.page_ref(self.ids.get(at)?, &self.files, self.history)
    }
}

impl Found {
    /// The key of a space, by the server's id.
    pub(super) fn key_of(&self, space: Option<&str>) -> Option<String> {
        self.spaces.get(space?).map(|space| space.key.to_string())
    }

    /// The space's key of what a comment or a file stands on; none if that was not listed.
    pub(super) fn space_of(&self, on: Option<&str>) -> Option<String> {
        self.nodes.get(on?).map(|node| node.space.clone())
    }

    /// Parents that nothing is known of yet, sorted.
    pub(super) fn unknown_parents(&self) -> BTreeSet<String> {
        let pages = self
            .nodes
            .values()
            .filter(|node| node.kind == Kind::Page)
            .filter_map(|node| node.parent.as_ref());
        let folders = self.folders.values().filter_map(|(_, parent)| parent.as_ref());
        let is_unknown = |id: &&String| !self.nodes.contains_key(*id) && !self.folders.contains_key(*id);
        pages.chain(folders).filter(is_unknown).cloned().collect()
    }

    /// Notes the labels of a page.
    pub(super) fn label(&mut self, id: &str, labels: Vec<String>) {
        match labels.is_empty() {
            true => drop(self.labels.remove(id)),
            false => drop(self.labels.insert(id.to_owned(), labels)),
        }
    }

    /// Takes in the places that stand above a page, from what a search showed, if it shows what they stand below.
    pub(super) fn adopt_places(&mut self) {
        let (good, bad) = self.witnesses;
        if good == 0 || bad > 0 {
            return;
        }
        loop {
            let above = self.unknown_parents();
            let shown: Vec<_> =
                above.into_iter().filter_map(|id| self.places.remove(&id).map(|it| (id, it))).collect();
            if shown.is_empty() {
                return;
            }
            for (id, Place { title, parent, rule }) in shown {
                self.rules.extend(rule.map(|rule| (id.clone(), rule)));
                self.folders.insert(id, (title, parent));
            }
        }
    }

    /// Groups that any rule names.
    pub(super) fn groups_in_rules(&self) -> BTreeSet<String> {
        let rules = self.rules.values().chain(self.space_rules.values());
        let named = rules.filter_map(|rule| match rule {
            Rule::Only { groups, .. } => Some(groups),
            _ => None,
        });
        named.flatten().cloned().collect()
    }

    /// People that are named somewhere and of whom nothing is known.
    pub(super) fn unknown_people(&self) -> BTreeSet<PersonKey> {
        let of_nodes = self.nodes.values().flat_map(|node| [&node.author, &node.editor]).flatten();
        let of_groups = self.members.values().flatten();
        let rules = self.rules.values().chain(self.space_rules.values());
        let of_rules = rules.filter_map(|rule| match rule {
            Rule::Only { users, .. } => Some(users),
            _ => None,
        });
        let all = of_nodes.chain(of_groups).chain(of_rules.flatten());
        all.filter(|key| !self.people.contains_key(*key)).cloned().collect()
    }

    /// The listing.
    pub(super) fn listing(mut self, history: u32) -> Listing {
        let listed = self.nodes.iter().filter(|(_, node)| node.page_kind().is_some());
        let ids = listed.map(|(id, _)| id.clone()).collect();
        let folders = self.folders.iter().map(|(id, (_, parent))| Folder {
            id: PageId::new(id.as_str()),
            parent: parent.as_ref().map(PageId::new),
        });
        let around = Around {
            spaces: self.spaces.values().cloned().collect(),
            layers: self.layers(),
            folders: folders.collect(),
            groups: self.groups(),
            people: std::mem::take(&mut self.people).into_values().collect(),
            skipped: std::mem::take(&mut self.skipped),
        };
        Listing { files: self.files(), ids, history, around, found: self }
    }

    fn groups(&self) -> Vec<Group> {
        let group = |(name, members): (&String, &BTreeSet<PersonKey>)| Group {
            name: name.clone(),
            members: members.clone(),
        };
        self.members.iter().map(group).collect()
    }

    fn layers(&self) -> Vec<Layer> {
        let spaces = self.spaces.values().map(|space| Layer {
            id: LayerId::Space(space.key.clone()),
            rule: self.space_rules.get(space.key.as_str()).cloned().unwrap_or(Rule::Unknown),
        });
        let has_rule = |node: &Node| matches!(node.kind, Kind::Page | Kind::Blog);
        let pages = self.nodes.iter().filter(|(_, node)| has_rule(node)).map(|(id, _)| id);
        let pages = pages.chain(self.folders.keys()).map(|id| Layer {
            id: LayerId::Page(PageId::new(id.as_str())),
            rule: self.rules.get(id).filter(|_| !self.astray.contains(id)).cloned().unwrap_or(Rule::Unknown),
        });
        // That nothing is restricted is what a missing layer says.
        spaces.chain(pages.filter(|layer| layer.rule != Rule::Everyone)).collect()
    }

    /// Files by what they are attached to, sorted by name.
    fn files(&self) -> BTreeMap<String, Vec<Attachment>> {
        let mut files: BTreeMap<String, Vec<Attachment>> = BTreeMap::new();
        for node in self.nodes.values().filter(|node| node.kind == Kind::File) {
            let Some(on) = &node.on else { continue };
            files.entry(on.clone()).or_default().push(Attachment {
                name: node.title.clone(),
                media_type: node.media_type.clone(),
                size_bytes: node.size_bytes,
                uploaded: node.modified,
                by: node.editor.clone(),
            });
        }
        files.values_mut().for_each(|files| files.sort_by(|one, other| one.name.cmp(&other.name)));
        files
    }

    /// Titles from the top of the space down to the parent.
    fn ancestors(&self, parent: Option<&str>) -> Vec<String> {
        let (mut titles, mut at) = (Vec::new(), parent);
        while let Some(id) = at.filter(|_| titles.len() < DEPTH) {
            let found = self.nodes.get(id).map(|node| (&node.title, &node.parent));
            let Some((title, parent)) =
                found.or_else(|| self.folders.get(id).map(|(title, parent)| (title, parent)))
            else {
                break;
            };
            titles.push(title.clone());
            at = parent.as_deref();
        }
        titles.reverse();
        titles
    }

    fn page_ref(&self, id: &str, files: &BTreeMap<String, Vec<Attachment>>, history: u32) -> Option<PageRef> {
        let node = self.nodes.get(id)?;
        let page = self.shell(id, node, files)?;
        let locator = serde_json::to_string(&page).ok()?;
        let oldest = node.version.saturating_sub(history).max(1);
        let is_page = matches!(node.kind, Kind::Page | Kind::Blog);
        Some(PageRef {
            id: page.id.clone(),
            space: page.space.clone(),
            version: Some(page.version),
            history: (oldest..node.version).filter(|_| is_page).map(Version).collect(),
            above: Some(Above::of(&page)),
            // The version stands for the body.
            fingerprint: match self.knows_all_of(id, node) {
                true => fingerprint(&page, &[0; 32]),
                false => String::new(),
            },
            locator,
        })
    }

    /// Whether everything was read that a page is fetched anew for.
    fn knows_all_of(&self, id: &str, node: &Node) -> bool {
        match node.kind {
            Kind::Page | Kind::Blog => {
                !self.files_are_lost && self.rules.contains_key(id) && !self.without_labels.contains(id)
            }
            Kind::Comment | Kind::File => true,
        }
    }

    /// The whole address of a page. Only a path of the server's is taken, so it never leads to another host.
    fn link(&self, node: &Node) -> Option<String> {
        let path = node.link.as_ref().filter(|path| path.starts_with('/'))?;
        Some(format!("{}{path}", self.site.as_ref()?))
    }

    /// A page with everything but its body.
    fn shell(&self, id: &str, node: &Node, files: &BTreeMap<String, Vec<Attachment>>) -> Option<RawPage> {
        let kind = node.page_kind()?;
        let above = match node.kind {
            Kind::Comment | Kind::File => node.on.as_deref(),
            _ => node.parent.as_deref(),
        };
        let mut ancestors = self.ancestors(above);
        if node.kind == Kind::Blog {
            ancestors.clear();
        }
        Some(RawPage {
            id: PageId::new(id),
            space: SpaceKey::new(node.space.as_str()),
            kind,
            version: Version(node.version),
            title: node.title.clone(),
            format: BodyFormat::Storage,
            body: String::new(),
            created: node.created,
            modified: node.modified,
            author: node.author.clone(),
            editor: node.editor.clone(),
            parent: node.parent.as_ref().filter(|_| node.kind != Kind::File).map(PageId::new),
            ancestors,
            labels: self.labels.get(id).cloned().unwrap_or_default(),
            attachments: files.get(id).cloned().unwrap_or_default(),
            link: self.link(node),
            historical: false,
        })
    }
}

//! Portraits: the name and the summary that a model gives a community. What it is shown, what of its answer is kept,
//! and how long that counts.
//!
//! This room must not know who answers, nor how facts are held. Invariant: a portrait is made from statements of one
//! audience and names the passages that these were taken from, so that it is shown to nobody who may not read all of
//! them.

mod prompts;
mod understanding;

pub use prompts::prompt;
pub use understanding::{Understood, understand};

use crate::audience::LayerId;
use crate::communities::Community;
use crate::id::{ChunkId, CommunityId, EntityId, FactId, NodeId, PortraitId};
use crate::summary::{one_line, packed};
use serde::{Deserialize, Serialize};
use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

/// The version of what is asked.
pub const PORTRAYER: u32 = 1;

/// A smaller community is named by its members as well as by anything else.
pub const SMALLEST: usize = 3;
/// Most characters of a name: a line of a list, and room for what stands beside it.
pub const NAME_CHARS: usize = 60;
/// Most characters of a summary: three sentences or four.
pub const SUMMARY_CHARS: usize = 600;
/// What is said of one community: enough to see what it is about, little enough that several share a call.
const STATEMENTS_CHARS: usize = 4_000;
/// Most facts that are told of one community.
const FACTS: usize = 60;
/// Most characters of one statement: a longer one is a paragraph or a row of a wide table.
const STATEMENT_CHARS: usize = 300;
/// Most characters of a member's name.
const MEMBER_CHARS: usize = 80;
/// Most communities of a call, however little is said of them.
const PACK_SITTINGS: usize = 10;
/// A portrait counts while no more than one in so many has changed of what it was made from.
const ONE_IN: usize = 4;

/// A fact between two members of a community, as one audience may read it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Saying {
    /// The fact.
    pub fact: FactId,
    /// The members at its ends.
    pub ends: [EntityId; 2],
    /// What the passage calls them.
    pub nodes: [NodeId; 2],
    /// The relation.
    pub relation: String,
    /// The passage it is taken from.
    pub chunk: ChunkId,
    /// The sentence there; empty where rules read it, or where there is no quote.
    pub sentence: String,
    /// How many passages of this audience say so.
    pub said_by: usize,
}

/// The facts to tell of a community: those that most passages say, then those with words of their own, as many as fit.
pub fn strongest(mut sayings: Vec<Saying>) -> Vec<Saying> {
    sayings.sort_by_key(|saying| (Reverse(saying.said_by), saying.sentence.is_empty(), saying.fact));
    let (mut told, mut sentences, mut chars) = (Vec::new(), BTreeSet::new(), 0);
    for saying in sayings {
        // Several facts may stand on one sentence, which is told once.
        let length = match saying.sentence.is_empty() {
            true => saying.relation.len() + 2 * MEMBER_CHARS / 3,
            false if sentences.insert(saying.sentence.clone()) => saying.sentence.len().min(STATEMENT_CHARS),
            false => 0,
        };
        chars += length;
        if told.len() == FACTS || chars > STATEMENTS_CHARS && !told.is_empty() {
            break;
        }
        told.push(saying);
    }
    told
}

/// A member of a community, as the passages call it that the model is shown.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sitter {
    /// Its name: a person's key, since display names go to no model.
    pub name: String,
    /// What kind of thing it is.
    pub kind: String,
}

/// What a portrait is made from.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Basis {
    /// The members that were shown, sorted.
    pub members: Vec<EntityId>,
    /// The facts that were told, sorted.
    pub facts: Vec<FactId>,
    /// The passages that these were taken from, sorted.
    pub chunks: Vec<ChunkId>,
    /// How many members the community had, shown or not.
    pub of_members: u32,
    /// How many facts there were between them, told or not.
    pub of_facts: u32,
}

/// What has become of a community since its portrait was made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Since {
    /// Members that were shown and are none any more.
    pub members_gone: usize,
    /// Facts that were told and do not hold between members any more.
    pub facts_gone: usize,
    /// How many members it has now.
    pub of_members: usize,
    /// How many facts there are between them now.
    pub of_facts: usize,
}

impl Basis {
    /// Whether the portrait still counts. One that does is shown and not made again; one that does not is neither shown
    /// nor forgotten, since the community may become again what it was.
    pub fn counts(&self, since: &Since) -> bool {
        let few = |changed: usize, of: usize| changed * ONE_IN <= of;
        let (members, facts) = (self.of_members as usize, self.of_facts as usize);
        few(since.members_gone, self.members.len())
            && few(since.facts_gone, self.facts.len())
            && few(members.abs_diff(since.of_members), members)
            && few(facts.abs_diff(since.of_facts), facts)
    }
}

/// A community that sits for its portrait: all that the model is shown of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sitting {
    /// The community.
    pub community: CommunityId,
    /// Who may read the statements: the layers before all of them, sorted.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub audience: Vec<LayerId>,
    /// The members that the statements speak of, those with most facts first.
    pub members: Vec<Sitter>,
    /// The statements, the strongest first.
    pub statements: Vec<String>,
    /// What these are.
    pub basis: Basis,
}

impl Sitting {
    /// A community as an audience may read of it, told by these facts; none where they speak of too few of its members.
    pub fn new(
        community: &Community,
        audience: Vec<LayerId>,
        (sayings, names): (&[Saying], &BTreeMap<EntityId, Sitter>),
    ) -> Option<Self> {
        let told: BTreeSet<EntityId> = sayings.iter().flat_map(|saying| saying.ends).collect();
        if told.len() < SMALLEST {
            return None;
        }
        let shown = community.members.iter().filter(|member| told.contains(&member.entity));
        let members = shown.filter_map(|member| names.get(&member.entity).cloned()).collect();
        let mut statements = Vec::new();
        for saying in sayings {
            let statement = stated(saying, names);
            if !statements.contains(&statement) {
                statements.push(statement);
            }
        }
        let facts: BTreeSet<FactId> = sayings.iter().map(|saying| saying.fact).collect();
        let chunks: BTreeSet<ChunkId> = sayings.iter().map(|saying| saying.chunk).collect();
        let basis = Basis {
            members: told.into_iter().collect(),
            facts: facts.into_iter().collect(),
            chunks: chunks.into_iter().collect(),
            of_members: u32::try_from(community.members.len()).unwrap_or(u32::MAX),
            of_facts: community.facts,
        };
        Some(Self { community: community.id, audience, members, statements, basis })
    }

    /// What its portrait is kept under: the same for the same prompt, and another one for any other.
    pub fn key(&self) -> PortraitId {
        // Plain data with text as keys: writing it as JSON cannot fail.
        PortraitId::of(&[&PORTRAYER.to_le_bytes(), &serde_json::to_vec(self).unwrap_or_default()])
    }

    fn chars(&self) -> usize {
        let members: usize = self.members.iter().map(|member| member.name.len() + member.kind.len()).sum();
        members + self.statements.iter().map(String::len).sum::<usize>()
    }

    /// The portrait of this, with what the model said.
    pub fn portrait(&self, name: String, summary: String) -> Portrait {
        let Self { community, audience, basis, .. } = self.clone();
        Portrait { community, audience, key: self.key(), name, summary, basis }
    }
}

/// A fact in words.
fn stated(saying: &Saying, names: &BTreeMap<EntityId, Sitter>) -> String {
    if !saying.sentence.is_empty() {
        return shortened(&saying.sentence, STATEMENT_CHARS);
    }
    let name =
        |end: &EntityId| names.get(end).map_or_else(String::new, |it| shortened(&it.name, MEMBER_CHARS));
    let [subject, object] = saying.ends.each_ref().map(name);
    format!("{subject} {} {object}", saying.relation.replace('_', " "))
}

/// The first characters of a text on one line, with a mark where there are more.
fn shortened(text: &str, most: usize) -> String {
    let line = one_line(text, most + 1);
    match line.char_indices().nth(most) {
        Some((end, _)) => format!("{}…", &line[..end]),
        None => line,
    }
}

/// The name and the summary of a community, for those who may read all that they were made from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Portrait {
    /// The community.
    pub community: CommunityId,
    /// Who may read it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub audience: Vec<LayerId>,
    /// What it was made from, as a hash.
    pub key: PortraitId,
    /// The name; empty when nobody would give one.
    pub name: String,
    /// The summary.
    pub summary: String,
    /// What it was made from.
    pub basis: Basis,
}

/// Sorts communities into calls: none mixes audiences, each is filled in order.
pub fn pack(sittings: Vec<Sitting>) -> Vec<Vec<Sitting>> {
    packed(sittings, PACK_SITTINGS, |sitting| (sitting.audience.clone(), sitting.chars()))
}

#[cfg(test)]
mod laws;

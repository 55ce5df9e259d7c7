//! A synthetic wiki of any size: pages, what each of their sentences says, and who may see them. Everything follows
//! from the seed and a number, so a page is made again wherever it is needed and nothing is kept.
//!
//! Its shape is that of company wikis: words as frequent as Zipf's law has them, a few names that a tenth of all facts
//! speak of and many that one page speaks of, pages of 10 to 40 sentences of 8 to 25 words below one to four headings.
//! Must not know how anything is stored or found.

use std::sync::LazyLock;

/// Sentences of a page on average: what the number of pages is worked out from.
pub const SENTENCES: usize = 24;
/// Names that belong together: the pages of a topic speak of them most.
const TOPIC: usize = 40;
/// Facts of a topic's pages: so a name has five sentences on average, two and a half at either end.
const FACTS_OF_TOPIC: usize = 100;
/// Spaces; one of them is open to the board alone.
pub const SPACES: usize = 10;
/// Names that everybody speaks of: platforms, teams, places.
const HUBS: usize = 400;

/// The words of the built-in embedding's vocabulary that are words, the commonest first, as far as such lists have it.
static WORDS: LazyLock<Vec<&'static str>> = LazyLock::new(|| {
    let list = include_str!("../../assets/embedding/vocabulary.txt").lines();
    list.filter(|word| word.len() > 2 && word.bytes().all(|byte| byte.is_ascii_lowercase())).collect()
});
/// The first words of that list are grammar, and make no names.
const GRAMMAR: usize = 250;

/// What one thing is to another: as it is written, and as a model names it.
const RELATIONS: [(&str, &str); 20] = [
    ("depends on", "depends_on"),
    ("is owned by", "owned_by"),
    ("runs on", "runs_on"),
    ("uses", "uses"),
    ("replaces", "replaces"),
    ("sends events to", "sends_events_to"),
    ("reads from", "reads_from"),
    ("is monitored by", "monitored_by"),
    ("was designed by", "designed_by"),
    ("is documented in", "documented_in"),
    ("is part of", "part_of"),
    ("is blocked by", "blocked_by"),
    ("reports to", "reports_to"),
    ("is tested with", "tested_with"),
    ("is deployed to", "deployed_to"),
    ("was migrated from", "migrated_from"),
    ("is reviewed by", "reviewed_by"),
    ("writes to", "writes_to"),
    ("is maintained by", "maintained_by"),
    ("exports data to", "exports_data_to"),
];
const KINDS: [&str; 8] =
    ["Service", "Team", "Component", "Database", "Environment", "Technology", "Project", "Organization"];
const HEADINGS: [&str; 8] =
    ["Overview", "Operations", "Ownership", "Dependencies", "Rollout", "Incidents", "Data", "Contacts"];

/// Numbers that are the same in every run (SplitMix64; Steele, Lea and Flood 2014).
pub struct Dice(pub u64);

impl Dice {
    pub fn of(seed: u64, what: u64, number: usize) -> Self {
        Self(
            seed ^ what.wrapping_mul(0xA076_1D64_78BD_642F)
                ^ (number as u64).wrapping_mul(0xE703_7ED1_A0B4_28DB),
        )
    }

    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    pub fn below(&mut self, most: usize) -> usize {
        (self.next() % most.max(1) as u64) as usize
    }

    pub fn share(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1u64 << 53) as f64
    }

    /// One of so many, the first far more often than the last: about as Zipf's law has it, by its integral.
    pub fn zipf(&mut self, many: usize) -> usize {
        let most = many.max(1) as f64;
        ((most + 1.0).powf(self.share()) as usize).clamp(1, many.max(1)) - 1
    }

    pub fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        from[self.below(from.len())]
    }
}

/// A sentence with what it says.
pub struct Said {
    pub subject: usize,
    pub object: usize,
    pub relation: usize,
    pub sentence: String,
}

/// A page.
pub struct Page {
    pub title: String,
    pub space: usize,
    pub author: usize,
    pub editor: usize,
    pub label: &'static str,
    pub sections: Vec<(&'static str, Vec<Said>)>,
    /// Shown to the inner circle alone.
    pub closed: bool,
}

/// The wiki of so many facts.
#[derive(Clone, Copy)]
pub struct Wiki {
    pub seed: u64,
    pub pages: usize,
    pub topics: usize,
    pub people: usize,
}

impl Wiki {
    pub fn of(facts: usize, seed: u64) -> Self {
        // A third of what is held is what the wiki itself knows: where pages stand, who wrote them.
        let facts = facts * 2 / 3;
        let pages = facts.div_ceil(SENTENCES).max(1);
        Self { seed, pages, topics: facts.div_ceil(FACTS_OF_TOPIC).max(1), people: 20 + facts / 500 }
    }

    pub fn entities(&self) -> usize {
        self.topics * TOPIC
    }

    pub fn topic_of(&self, entity: usize) -> usize {
        entity / TOPIC
    }

    /// The words a topic speaks in.
    pub fn topic_words(&self, topic: usize) -> Vec<&'static str> {
        let mut dice = Dice::of(self.seed, 1, topic);
        (0..12).map(|_| WORDS[GRAMMAR + dice.below(WORDS.len() - GRAMMAR)]).collect()
    }

    /// The name of an entity: a word of its topic, and one or two of everybody's.
    pub fn name(&self, entity: usize) -> String {
        let mut dice = Dice::of(self.seed, 2, entity);
        let mut words = vec![dice.pick(&self.topic_words(self.topic_of(entity)))];
        for _ in 0..1 + usize::from(dice.share() < 0.5) {
            words.push(WORDS[GRAMMAR + dice.zipf(WORDS.len() - GRAMMAR)]);
        }
        words.iter().map(|word| capitalised(word)).collect::<Vec<_>>().join(" ")
    }

    pub fn kind(&self, entity: usize) -> &'static str {
        Dice::of(self.seed, 3, entity).pick(&KINDS)
    }

    pub fn relation(&self, number: usize) -> (&'static str, &'static str) {
        RELATIONS[number]
    }

    /// The display name of a person.
    pub fn person(&self, number: usize) -> String {
        let mut dice = Dice::of(self.seed, 4, number);
        let mut word = || capitalised(WORDS[GRAMMAR + dice.below(WORDS.len() - GRAMMAR)]);
        format!("{} {}", word(), word())
    }

    /// What a page of this topic speaks of: mostly its own things, often a hub, sometimes anything.
    fn entity(&self, topic: usize, dice: &mut Dice) -> usize {
        match dice.below(20) {
            // Hubs are things of the first topics, so that they are made like all others.
            0..3 => dice.zipf(HUBS.min(self.entities())),
            3..5 => dice.below(self.entities()),
            _ => topic * TOPIC + dice.zipf(TOPIC),
        }
    }

    fn said(&self, topic: usize, dice: &mut Dice) -> Said {
        let subject = self.entity(topic, dice);
        let object = loop {
            let object = self.entity(topic, dice);
            if self.name(object) != self.name(subject) {
                break object;
            }
        };
        let relation = dice.zipf(RELATIONS.len());
        let (the, name) = (if dice.below(3) == 0 { "The " } else { "" }, self.name(subject));
        let mut sentence = format!("{the}{name} {} {}", RELATIONS[relation].0, self.name(object));
        let most = 8 + dice.below(18);
        let mut length = sentence.split(' ').count();
        while length < most {
            // Half of running text is grammar.
            let many = if dice.below(2) == 0 { GRAMMAR } else { WORDS.len() };
            sentence.push(' ');
            sentence.push_str(WORDS[dice.zipf(many)]);
            length += 1;
        }
        sentence.push('.');
        Said { subject, object, relation, sentence }
    }

    /// The page with this number.
    pub fn page(&self, number: usize) -> Page {
        let mut dice = Dice::of(self.seed, 5, number);
        let topic = number * self.topics / self.pages;
        let title = format!("{} {number}", self.name(topic * TOPIC + dice.zipf(TOPIC)));
        let sentences = 10 + dice.below(16) + if dice.below(4) == 0 { dice.below(16) } else { 3 };
        let headings = 1 + dice.below(4);
        let first = dice.below(HEADINGS.len());
        let sections = (0..headings).map(|at| {
            let heading = HEADINGS[(first + at) % HEADINGS.len()];
            let many = sentences / headings;
            (heading, (0..many).map(|_| self.said(topic, &mut dice)).collect())
        });
        let sections: Vec<(&'static str, Vec<Said>)> = sections.collect();
        Page {
            title,
            space: topic % SPACES,
            author: dice.zipf(self.people),
            editor: dice.zipf(self.people),
            label: self.topic_words(topic)[0],
            closed: dice.below(10) == 0,
            sections,
        }
    }

    /// A question of 6 to 15 words, of the graph's own names and common words.
    pub fn question(&self, number: usize) -> String {
        let mut dice = Dice::of(self.seed, 6, number);
        let topic = dice.below(self.topics);
        let name = self.name(self.entity(topic, &mut dice));
        let relation = RELATIONS[dice.zipf(RELATIONS.len())].0;
        let mut question = match dice.below(5) {
            0 => format!(
                "which {} {relation} the {name}",
                self.kind(dice.below(self.entities())).to_lowercase()
            ),
            1 => format!("who is responsible for the {name} and what {relation} it"),
            2 => format!("how does {name} work with {}", self.name(self.entity(topic, &mut dice))),
            3 => format!("what do we know about {name} since the"),
            _ => format!("where is it said that {name} {relation}"),
        };
        let wanted = (6 + dice.below(10)).max(question.split(' ').count().min(15));
        while question.split(' ').count() < wanted {
            question.push(' ');
            question.push_str(WORDS[dice.zipf(WORDS.len())]);
        }
        question.push('?');
        question
    }
}

fn capitalised(word: &str) -> String {
    let (first, rest) = word.split_at(1);
    format!("{}{rest}", first.to_uppercase())
}

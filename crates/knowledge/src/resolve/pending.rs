//! What has been found and what is still to be asked. It must not know which pairs are in doubt. Invariant: the same
//! question is asked once in a round, whoever raises it.

use crate::id::{FactId, QuestionId};
use crate::judge::{Finding, Findings, Question};
use std::collections::BTreeMap;

/// What to ask before an epoch is resolved.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Round {
    /// The questions, by id.
    pub questions: Vec<Question>,
    /// Where fewer questions are asked than there are pairs.
    pub passed_over: Vec<PassedOver>,
    /// Pairs of names that nobody is asked about: of equal ones in two spaces, because the name stands in too many, and
    /// of an abbreviation and its words, because the letters may stand for too much.
    pub namesakes: usize,
}

impl Round {
    /// What was left out because of a cap, in words, with how often.
    pub fn left_out(&self) -> BTreeMap<String, u32> {
        let facts = self.passed_over.iter().map(|over| over.candidates).sum();
        let caps = [
            ("fact that may contradict, beyond those a model is asked about", facts),
            ("pair of names that may be one, beyond those a model is asked about", self.namesakes),
        ];
        let bites = caps.into_iter().filter(|(_, count)| *count > 0);
        bites.map(|(what, count)| (what.to_owned(), u32::try_from(count).unwrap_or(u32::MAX))).collect()
    }
}

/// A fact that has more candidates than a model is asked about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct PassedOver {
    /// The fact.
    pub fact: FactId,
    /// How many candidates no question is asked about.
    pub candidates: usize,
}

/// The findings at hand, and the questions that they leave open.
pub(super) struct Pending<'a> {
    findings: &'a Findings,
    open: BTreeMap<QuestionId, Question>,
    passed_over: BTreeMap<FactId, usize>,
    namesakes: usize,
}

impl<'a> Pending<'a> {
    pub fn new(findings: &'a Findings) -> Self {
        Pending { findings, open: BTreeMap::new(), passed_over: BTreeMap::new(), namesakes: 0 }
    }

    /// Who is asked, if anybody is.
    pub fn model(&self) -> Option<&'a str> {
        self.findings.model.as_deref()
    }

    /// What was found about a question; without a finding it is to be asked, unless it was given up.
    pub fn ask(&mut self, question: Question) -> Option<Finding> {
        let found = self.findings.get(&question);
        if found.is_none() && !self.findings.given_up.contains(&question.id) {
            self.open.entry(question.id).or_insert(question);
        }
        found
    }

    /// Notes that a fact has more candidates than questions.
    pub fn pass_over(&mut self, fact: FactId, candidates: usize) {
        *self.passed_over.entry(fact).or_default() += candidates;
    }

    /// Notes that names have more namesakes than questions.
    pub fn pass_over_names(&mut self, pairs: usize) {
        self.namesakes += pairs;
    }

    /// What to ask.
    pub fn round(self) -> Round {
        let passed_over =
            self.passed_over.into_iter().map(|(fact, candidates)| PassedOver { fact, candidates });
        Round {
            questions: self.open.into_values().collect(),
            passed_over: passed_over.collect(),
            namesakes: self.namesakes,
        }
    }
}

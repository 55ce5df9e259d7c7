//! How far the weights of `knowledge::rank::pairs` are fitted to the questions they are measured on: they are chosen anew
//! from a grid on one part of the questions, and what is chosen is asked the others. Must not know how a question is
//! asked.

use super::{GOLDEN, Question, mixed, recall};
use knowledge::rank::pairs::Weights;

const WORDS: [f64; 8] = [0.5, 0.75, 1.0, 1.25, 1.5, 1.75, 2.0, 2.5];
const LINK: [f64; 6] = [0.0, 0.15, 0.3, 0.5, 0.8, 1.2];
const IN_HEADING: [f64; 5] = [0.0, 0.25, 0.5, 0.75, 1.0];
/// How many are looked at.
const AT: usize = 5;
/// Parts of which each is left out once, and how often the questions are dealt into them.
const PARTS: usize = 5;
const SHUFFLES: usize = 20;

/// A point of the grid, with each question's recall there.
struct Point {
    weights: Weights,
    recalls: Vec<f64>,
}

/// Prints how recall lies over the grid, and what remains of it where the weights are chosen on other questions; gives
/// the recall of each question with weights that were chosen on all others. `ask` gives the pages found with some
/// weights, best first.
pub fn validate(questions: &[Question], ask: &dyn Fn(&Question, Weights) -> Vec<u64>) -> Vec<f64> {
    let mut points = Vec::new();
    for words in WORDS {
        for link in LINK {
            for in_heading in IN_HEADING {
                let weights = Weights { words, link, in_heading };
                let recalls =
                    questions.iter().map(|question| recall(question, &ask(question, weights), AT)).collect();
                points.push(Point { weights, recalls });
            }
        }
    }
    tell_grid(&points);
    let all: Vec<usize> = (0..questions.len()).collect();
    let singly: Vec<Vec<usize>> = all.iter().map(|at| vec![*at]).collect();
    let one_by_one = held_out(&points, &singly);
    println!("\nchosen on the others, asked of one: R@{AT} {:.3}", mean(&one_by_one));
    let shuffled = (0..SHUFFLES).map(|seed| {
        let mut dealt: Vec<usize> = all.clone();
        // The same order in every run.
        dealt
            .sort_by_key(|at| mixed(((seed as u64) << 32 | *at as u64).wrapping_add(1).wrapping_mul(GOLDEN)));
        let parts: Vec<Vec<usize>> =
            (0..PARTS).map(|part| dealt.iter().copied().skip(part).step_by(PARTS).collect()).collect();
        mean(&held_out(&points, &parts))
    });
    let found: Vec<f64> = shuffled.collect();
    let (least, most) =
        (found.iter().copied().fold(1.0, f64::min), found.iter().copied().fold(0.0, f64::max));
    println!(
        "chosen on four parts of five, asked of the fifth, {SHUFFLES} shuffles: R@{AT} {:.3} ({least:.3} to {most:.3})",
        mean(&found)
    );
    one_by_one
}

fn tell_grid(points: &[Point]) {
    let at = |weights: Weights| points.iter().find(|point| point.weights == weights);
    let used = Weights::default();
    let of = |weights| at(weights).map_or(f64::NAN, |point| mean(&point.recalls));
    let row = |name: &str, cells: Vec<(f64, f64)>| {
        let cells: Vec<String> =
            cells.into_iter().map(|(weight, found)| format!("{weight} {found:.3}")).collect();
        println!("{name}: {}", cells.join(", "));
    };
    println!("\nR@{AT} with the weights in use: {:.3}; one of them changed:", of(used));
    row("words", WORDS.map(|words| (words, of(Weights { words, ..used }))).to_vec());
    row("link", LINK.map(|link| (link, of(Weights { link, ..used }))).to_vec());
    let headings = IN_HEADING.map(|in_heading| (in_heading, of(Weights { in_heading, ..used })));
    row("in a heading", headings.to_vec());
    let means: Vec<f64> = points.iter().map(|point| mean(&point.recalls)).collect();
    let best = means.iter().copied().fold(0.0, f64::max);
    let which = points.iter().zip(&means).filter(|(_, found)| **found == best);
    let which: Vec<String> = which.map(|(point, _)| format!("{:?}", point.weights)).collect();
    println!("the best of {} points: {best:.3}, at {}", points.len(), which.join(" and "));
}

/// The recall of all questions, part by part, each asked with the weights that are best for those outside its part. Of
/// several that are equally good there the mean counts.
fn held_out(points: &[Point], parts: &[Vec<usize>]) -> Vec<f64> {
    let mut found = Vec::new();
    for part in parts {
        let trained = |point: &Point| {
            let outside = point.recalls.iter().enumerate().filter(|(at, _)| !part.contains(at));
            mean(&outside.map(|(_, recall)| *recall).collect::<Vec<_>>())
        };
        let trained: Vec<f64> = points.iter().map(trained).collect();
        let best = trained.iter().copied().fold(0.0, f64::max);
        let chosen: Vec<&Point> = points
            .iter()
            .zip(trained)
            .filter(|(_, mean)| *mean > best - 1e-9)
            .map(|(point, _)| point)
            .collect();
        found.extend(part.iter().map(|at| {
            let recalls: Vec<f64> = chosen.iter().map(|point| point.recalls[*at]).collect();
            mean(&recalls)
        }));
    }
    found
}

fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len() as f64
}

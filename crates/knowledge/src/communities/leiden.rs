//! The division of a graph by modularity: move vertices while that gains, refine what came of it into connected
//! parts, take the parts as the vertices of a smaller graph, and again. See Traag, Waltman and van Eck (2019),
//! algorithm A.2.
//!
//! Vertices are visited in their order and take the best choice, the first of equals; the paper draws both. Gains are
//! compared as whole numbers, times the square of the total weight. Invariant: no step lowers modularity, and every
//! group is connected.

use super::graph::Graph;
use std::collections::VecDeque;

/// Once more from what was found finds a little more; after that hardly anything.
const ROUNDS: usize = 3;
/// Visits of a vertex at most in one level, on average. A few are usual: every move gains, so it ends by itself, but
/// nobody has proved how soon.
const VISITS: usize = 64;

/// The group of each vertex; groups are numbered by their smallest vertex.
pub(super) fn partition(graph: &Graph) -> Vec<u32> {
    let mut found: Vec<u32> = (0..graph.len() as u32).collect();
    for _ in 0..ROUNDS {
        let again = connected(graph, &pass(graph, &found));
        if again == found {
            break;
        }
        found = again;
    }
    found
}

/// From a division to a better one, through smaller and smaller graphs.
fn pass(graph: &Graph, start: &[u32]) -> Vec<u32> {
    // Where each vertex is in the smaller graph, and the group of each vertex of that.
    let mut at: Vec<u32> = (0..graph.len() as u32).collect();
    let mut groups = start.to_vec();
    let mut smaller: Option<Graph> = None;
    loop {
        let level = smaller.as_ref().unwrap_or(graph);
        settle(level, &mut groups);
        let (into, count) = numbered(&refine(level, &groups));
        if count == level.len() {
            break;
        }
        let merged = level.merged(&into, count);
        let mut lifted = vec![0; count];
        for (group, into) in groups.iter().zip(&into) {
            lifted[*into as usize] = *group;
        }
        groups = numbered(&lifted).0;
        at.iter_mut().for_each(|place| *place = into[*place as usize]);
        smaller = Some(merged);
    }
    at.iter().map(|place| groups[*place as usize]).collect()
}

/// What joining a group is worth to a vertex outside it.
fn gain(graph: &Graph, (tied, degree): (u64, u64), sum: u64) -> i128 {
    i128::from(graph.total()) * i128::from(tied) - i128::from(degree) * i128::from(sum)
}

/// What a vertex is tied to: groups with the weight to each.
struct Ties {
    weights: Vec<u64>,
    groups: Vec<u32>,
}

impl Ties {
    fn new(groups: usize) -> Self {
        Self { weights: vec![0; groups], groups: Vec::new() }
    }

    /// Of one vertex, as far as `counts` says so of a neighbour.
    fn look(&mut self, near: &[(u32, u64)], of: &[u32], counts: impl Fn(usize) -> bool) {
        for group in self.groups.drain(..) {
            self.weights[group as usize] = 0;
        }
        for (other, weight) in near.iter().filter(|(other, _)| counts(*other as usize)) {
            let group = of[*other as usize];
            if self.weights[group as usize] == 0 {
                self.groups.push(group);
            }
            self.weights[group as usize] += weight;
        }
    }

    fn to(&self, group: u32) -> u64 {
        self.weights[group as usize]
    }
}

/// Moves vertices to the groups where they gain most, until none gains. Groups are numbers below the count of
/// vertices.
fn settle(graph: &Graph, groups: &mut [u32]) {
    let count = graph.len();
    let (mut sums, mut sizes) = (vec![0_u64; count], vec![0_usize; count]);
    for (vertex, group) in groups.iter().enumerate() {
        sums[*group as usize] += graph.degree(vertex);
        sizes[*group as usize] += 1;
    }
    let mut free: Vec<u32> = (0..count as u32).rev().filter(|group| sizes[*group as usize] == 0).collect();
    let mut ties = Ties::new(count);
    let (mut queue, mut waits): (VecDeque<usize>, Vec<bool>) = ((0..count).collect(), vec![true; count]);
    for _ in 0..count * VISITS {
        let Some(vertex) = queue.pop_front() else { break };
        waits[vertex] = false;
        let (own, degree) = (groups[vertex], graph.degree(vertex));
        ties.look(graph.near(vertex), groups, |_| true);
        sums[own as usize] -= degree;
        let worth = |group: u32| gain(graph, (ties.to(group), degree), sums[group as usize]);
        let mut best = (worth(own), own);
        for group in &ties.groups {
            let found = (worth(*group), *group);
            if found.0 > best.0 || (found.0 == best.0 && best.1 != own && found.1 < best.1) {
                best = found;
            }
        }
        if best.0 < 0 && sizes[own as usize] > 1 {
            // Alone is better than anywhere.
            best.1 = free.pop().unwrap_or(own);
        }
        let group = best.1;
        sums[group as usize] += degree;
        if group == own {
            continue;
        }
        sizes[own as usize] -= 1;
        sizes[group as usize] += 1;
        if sizes[own as usize] == 0 {
            free.push(own);
        }
        groups[vertex] = group;
        for (other, _) in graph.near(vertex) {
            let other = *other as usize;
            if groups[other] != group && !std::mem::replace(&mut waits[other], true) {
                queue.push_back(other);
            }
        }
    }
}

/// Divides each group into connected parts: vertices that are well tied to their group join a part that is, where
/// that gains.
fn refine(graph: &Graph, groups: &[u32]) -> Vec<u32> {
    let count = graph.len();
    let mut parts: Vec<u32> = (0..count as u32).collect();
    let mut whole = vec![0_u64; count];
    let mut sums: Vec<u64> = (0..count).map(|vertex| graph.degree(vertex)).collect();
    // What ties a part to the rest of its group.
    let mut bonds = vec![0_u64; count];
    for (vertex, group) in groups.iter().enumerate() {
        whole[*group as usize] += graph.degree(vertex);
        let near = graph.near(vertex).iter().filter(|(other, _)| groups[*other as usize] == *group);
        bonds[vertex] = near.map(|(_, weight)| weight).sum();
    }
    let mut alone = vec![true; count];
    let mut ties = Ties::new(count);
    for vertex in 0..count {
        let (group, degree) = (groups[vertex], graph.degree(vertex));
        let rest = |part: usize| whole[group as usize] - sums[part];
        let is_tied = |part: usize| gain(graph, (bonds[part], sums[part]), rest(part)) >= 0;
        if !alone[vertex] || !is_tied(vertex) {
            continue;
        }
        ties.look(graph.near(vertex), &parts, |other| groups[other] == group);
        let worth = |part: &u32| (gain(graph, (ties.to(*part), degree), sums[*part as usize]), *part);
        let best = ties.groups.iter().filter(|part| is_tied(**part as usize)).map(worth);
        let best =
            best.filter(|(gain, _)| *gain >= 0).max_by_key(|(gain, part)| (*gain, std::cmp::Reverse(*part)));
        if let Some((_, part)) = best {
            let at = part as usize;
            // What tied the two to each other ties neither to the rest.
            bonds[at] = bonds[at] + bonds[vertex] - 2 * ties.to(part);
            sums[at] += degree;
            parts[vertex] = part;
            (alone[vertex], alone[at]) = (false, false);
        }
    }
    parts
}

/// Groups that are not connected, taken apart: nothing ties the pieces, so that gains.
fn connected(graph: &Graph, groups: &[u32]) -> Vec<u32> {
    let mut pieces: Vec<Option<u32>> = vec![None; graph.len()];
    let mut next = 0;
    let mut open = Vec::new();
    for from in 0..graph.len() {
        if pieces[from].is_some() {
            continue;
        }
        open.push(from);
        while let Some(vertex) = open.pop() {
            if pieces[vertex].replace(next).is_some() {
                continue;
            }
            let near = graph.near(vertex).iter().map(|(other, _)| *other as usize);
            open.extend(near.filter(|other| groups[*other] == groups[from] && pieces[*other].is_none()));
        }
        next += 1;
    }
    pieces.into_iter().flatten().collect()
}

/// The same groups, numbered by their smallest vertex, and how many there are.
fn numbered(groups: &[u32]) -> (Vec<u32>, usize) {
    let mut names: Vec<Option<u32>> = vec![None; groups.iter().max().map_or(0, |last| *last as usize + 1)];
    let mut count = 0;
    let numbered = groups
        .iter()
        .map(|group| {
            *names[*group as usize].get_or_insert_with(|| {
                count += 1;
                count - 1
            })
        })
        .collect();
    (numbered, count as usize)
}

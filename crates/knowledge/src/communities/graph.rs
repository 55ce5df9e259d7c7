//! A graph with weights, as rows of neighbours. Ties of a vertex to itself are only counted in its degree. It must
//! not know what vertices stand for.

/// A graph whose vertices are numbered from zero.
pub(super) struct Graph {
    /// Where the neighbours of a vertex begin; one more than there are vertices.
    begins: Vec<usize>,
    /// Neighbours with weights, in order.
    near: Vec<(u32, u64)>,
    /// The weight of all ends at a vertex.
    degrees: Vec<u64>,
    total: u64,
}

impl Graph {
    /// The graph of these edges, each between two different vertices and given once. `inner` is the weight of the
    /// ends that each vertex has within itself.
    pub(super) fn of(inner: Vec<u64>, edges: Vec<(u32, u32, u64)>) -> Self {
        let mut degrees = inner;
        let mut begins = vec![0; degrees.len() + 1];
        for (one, other, weight) in &edges {
            for end in [*one as usize, *other as usize] {
                degrees[end] += weight;
                begins[end + 1] += 1;
            }
        }
        for at in 1..begins.len() {
            begins[at] += begins[at - 1];
        }
        let mut next = begins.clone();
        let mut near = vec![(0, 0); edges.len() * 2];
        for (one, other, weight) in edges {
            for (from, to) in [(one, other), (other, one)] {
                near[next[from as usize]] = (to, weight);
                next[from as usize] += 1;
            }
        }
        for at in 1..begins.len() {
            near[begins[at - 1]..begins[at]].sort_unstable();
        }
        let total = degrees.iter().sum();
        Self { begins, near, degrees, total }
    }

    /// How many vertices.
    pub(super) fn len(&self) -> usize {
        self.degrees.len()
    }

    /// The neighbours of a vertex with weights, in order.
    pub(super) fn near(&self, vertex: usize) -> &[(u32, u64)] {
        &self.near[self.begins[vertex]..self.begins[vertex + 1]]
    }

    /// The weight of all ends at a vertex.
    pub(super) fn degree(&self, vertex: usize) -> u64 {
        self.degrees[vertex]
    }

    /// The weight of all ends.
    pub(super) fn total(&self) -> u64 {
        self.total
    }

    /// The graph whose vertices are the `count` groups that `of` puts the vertices in.
    pub(super) fn merged(&self, of: &[u32], count: usize) -> Self {
        let mut inner = vec![0; count];
        let mut edges = Vec::new();
        for (vertex, group) in of.iter().enumerate() {
            // Ends whose other end is outside are added when their edges are.
            inner[*group as usize] += self.degrees[vertex];
            for (other, weight) in self.near(vertex) {
                let other = of[*other as usize];
                if *group != other {
                    inner[*group as usize] -= weight;
                }
                if *group < other {
                    edges.push((*group, other, *weight));
                }
            }
        }
        edges.sort_unstable();
        edges.dedup_by(|next, kept| {
            let same = (next.0, next.1) == (kept.0, kept.1);
            if same {
                kept.2 += next.2;
            }
            same
        });
        Self::of(inner, edges)
    }

    /// Modularity, times the square of the total, without division.
    #[cfg(test)]
    pub(super) fn modularity(&self, of: &[u32]) -> i128 {
        let mut sums = std::collections::BTreeMap::<u32, i128>::new();
        let mut inside: i128 = 0;
        for (vertex, group) in of.iter().enumerate() {
            *sums.entry(*group).or_default() += i128::from(self.degree(vertex));
            let near = self.near(vertex).iter().filter(|(other, _)| of[*other as usize] == *group);
            inside += near.map(|(_, weight)| i128::from(*weight)).sum::<i128>();
        }
        inside * i128::from(self.total) - sums.values().map(|sum| sum * sum).sum::<i128>()
    }
}

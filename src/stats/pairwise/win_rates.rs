//! How often each generator wins against each other.

use super::super::bootstrap::{Interval, Resampler};
use super::{Draws, Games};

/// Sums of what each generator won against each other, a tie ½ for both.
#[derive(Clone, Debug, PartialEq)]
pub struct WinMatrix {
    generators: usize,
    /// Row by row: what the row's generator won against the column's.
    won: Vec<f64>,
    /// How often they were compared; not the sum of what both won, which rounding may keep from being whole.
    count: Vec<f64>,
}

impl WinMatrix {
    /// Of no comparison yet.
    pub fn new(generators: usize) -> Self {
        WinMatrix {
            generators,
            won: vec![0.0; generators * generators],
            count: vec![0.0; generators * generators],
        }
    }

    /// Of some rows; a row drawn twice counts twice. A generator against itself says nothing and is left out.
    pub fn of(games: &Games, rows: &[usize]) -> Self {
        let mut matrix = WinMatrix::new(games.generators);
        for row in rows {
            matrix.add(games.one[*row], games.other[*row], games.won[*row]);
        }
        matrix
    }

    /// Of all rows.
    pub fn of_all(games: &Games) -> Self {
        WinMatrix::of(games, &(0..games.won.len()).collect::<Vec<_>>())
    }

    /// Adds one comparison, of which `one` won `won` (0 … 1).
    pub fn add(&mut self, one: usize, other: usize, won: f64) {
        if one != other {
            let (at, mirrored) = (one * self.generators + other, other * self.generators + one);
            self.won[at] += won;
            self.won[mirrored] += 1.0 - won;
            self.count[at] += 1.0;
            self.count[mirrored] += 1.0;
        }
    }

    /// How many generators there are.
    pub fn generators(&self) -> usize {
        self.generators
    }

    /// What `one` won against `other`, in comparisons.
    pub fn won(&self, one: usize, other: usize) -> f64 {
        self.won[one * self.generators + other]
    }

    /// How often the two were compared.
    pub fn count(&self, one: usize, other: usize) -> f64 {
        self.count[one * self.generators + other]
    }

    /// The share that `one` won against `other`; `None` where they were not compared.
    pub fn rate(&self, one: usize, other: usize) -> Option<f64> {
        let count = self.count(one, other);
        (count > 0.0).then(|| self.won(one, other) / count)
    }

    /// The share that a generator won of all its comparisons.
    pub fn rate_against_all(&self, one: usize) -> Option<f64> {
        let count = self.count_against_all(one);
        let won: f64 = (0..self.generators).map(|other| self.won(one, other)).sum();
        (count > 0.0).then(|| won / count)
    }

    /// How often a generator was compared.
    pub fn count_against_all(&self, one: usize) -> f64 {
        (0..self.generators)
            .map(|other| self.count(one, other))
            .sum()
    }

    /// Groups within which everybody is reached by a chain of wins or ties in both directions, those that are never
    /// beaten by a later group first (Kosaraju 1978). One group is what maximum likelihood needs (Ford 1957).
    pub fn groups(&self) -> Vec<Vec<usize>> {
        let count = self.generators;
        let mut seen = vec![false; count];
        let mut finished = Vec::with_capacity(count);
        for start in 0..count {
            self.visit(start, &mut seen, &mut finished, |from, to| {
                self.won(from, to) > 0.0
            });
        }
        seen.fill(false);
        let mut groups = Vec::new();
        for start in finished.into_iter().rev() {
            let mut group = Vec::new();
            self.visit(start, &mut seen, &mut group, |from, to| {
                self.won(to, from) > 0.0
            });
            if !group.is_empty() {
                group.sort_unstable();
                groups.push(group);
            }
        }
        groups
    }

    /// Adds what is reached from `start` and was not seen, each after all that it leads to.
    fn visit(
        &self,
        start: usize,
        seen: &mut [bool],
        finished: &mut Vec<usize>,
        leads: impl Fn(usize, usize) -> bool,
    ) {
        if std::mem::replace(&mut seen[start], true) {
            return;
        }
        let mut path = vec![(start, 0)];
        while let Some((at, next)) = path.pop() {
            let found = (next..self.generators).find(|to| !seen[*to] && leads(at, *to));
            match found {
                Some(to) => {
                    seen[to] = true;
                    path.push((at, to + 1));
                    path.push((to, 0));
                }
                None => finished.push(at),
            }
        }
    }
}

/// The share that each generator won of all its comparisons, with 95 % bootstrap intervals over instructions; NaN for one
/// without any.
pub fn intervals(games: &Games, draws: Draws) -> Vec<Interval> {
    let resampler = Resampler::new(games.instruction, draws.seed).rounds(draws.rounds);
    let found = resampler.intervals(|draw| {
        let matrix = WinMatrix::of(games, &draw.rows);
        let rates = (0..games.generators).map(|one| matrix.rate_against_all(one));
        Some(rates.map(|rate| rate.unwrap_or(f64::NAN)).collect())
    });
    found.map_or_else(Vec::new, |(rates, _)| rates)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ties_count_half_for_both() {
        let games = Games {
            one: &[0, 0, 1, 2, 2],
            other: &[1, 1, 0, 2, 1],
            won: &[1.0, 0.5, 0.25, 1.0, 0.0],
            instruction: &[0, 1, 2, 3, 4],
            generators: 3,
        };
        let matrix = WinMatrix::of_all(&games);
        assert_eq!(matrix.rate(0, 1), Some((1.0 + 0.5 + 0.75) / 3.0));
        assert_eq!((matrix.count(0, 1), matrix.count(2, 1)), (3.0, 1.0));
        assert_eq!((matrix.rate(0, 2), matrix.rate(2, 2)), (None, None));
        assert_eq!(matrix.rate_against_all(2), Some(0.0));
        assert_eq!(WinMatrix::of(&games, &[0, 0]).won(0, 1), 2.0);
    }

    #[test]
    fn groups_are_in_the_order_of_who_beats_whom() {
        let mut matrix = WinMatrix::new(6);
        for (one, other) in [(3, 1), (1, 3), (3, 0), (0, 2), (2, 4), (4, 0)] {
            matrix.add(one, other, 1.0);
        }
        let groups = matrix.groups();
        let place = |generator| groups.iter().position(|g| g.contains(&generator)).unwrap();
        assert_eq!(groups.len(), 3);
        assert_eq!(groups[place(1)], [1, 3]);
        assert_eq!(groups[place(0)], [0, 2, 4]);
        assert_eq!(groups[place(5)], [5]);
        assert!(place(1) < place(0));
    }

    proptest::proptest! {
        #[test]
        fn a_matrix_and_its_mirror_make_one(
            rows in proptest::collection::vec((0usize..6, 0usize..6, 0u8..3), 1..60)
        ) {
            let mut matrix = WinMatrix::new(6);
            for (one, other, won) in rows {
                matrix.add(one, other, f64::from(won) / 2.0);
            }
            for one in 0..6 {
                for other in 0..6 {
                    match (matrix.rate(one, other), matrix.rate(other, one)) {
                        (Some(a), Some(b)) => proptest::prop_assert!((a + b - 1.0).abs() < 1e-12),
                        (a, b) => proptest::prop_assert_eq!(a, b),
                    }
                }
            }
        }
    }
}

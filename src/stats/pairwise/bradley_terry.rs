//! Ratings from comparisons: the model of Bradley and Terry (1952), `P(i beats j) = 1 / (1 + exp(β_j − β_i))`, a tie half a
//! win for both, by maximum likelihood.

use super::super::bootstrap::{Interval, Resampler};
use super::super::ridge::solve;
use super::{Draws, Games, WinMatrix};

/// Points of a rating for each unit of β: with Elo's scale, 400 points ahead are odds of 10 to 1.
pub const POINTS: f64 = 400.0 / std::f64::consts::LN_10;

/// The rating of the anchor.
pub const ANCHOR: f64 = 1000.0;

/// Why there are no ratings.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Missing {
    /// Between these groups, one side won all comparisons or there was none: some rating would be infinite, or could
    /// be anything.
    #[error("the comparisons fall into {} groups of which none beat or tied a better one", .0.len())]
    Apart(Vec<Vec<usize>>),
    /// Fewer than two generators.
    #[error("ratings need two generators or more")]
    Alone,
    /// The likelihood was not climbed to its top: ratings are too far apart for numbers of this size.
    #[error("the likelihood has no top that can be told from its surroundings")]
    NotConverged,
}

/// Ratings of all generators with intervals over instructions.
#[derive(Clone, Debug, PartialEq)]
pub struct Ratings {
    /// Elo's scale, [`POINTS`] for each unit of β, the anchor at [`ANCHOR`].
    pub ratings: Vec<Interval>,
    /// Further numbers made of the ratings, as they were asked for.
    pub further: Vec<Interval>,
    /// Rounds of the bootstrap that were left out because their draw has no ratings.
    pub rounds_left_out: usize,
}

/// Logits β, their mean 0.
///
/// # Errors
/// Comparisons of which maximum likelihood has no finite maximum, and numbers that do not settle.
pub fn fit(matrix: &WinMatrix) -> Result<Vec<f64>, Missing> {
    if matrix.generators() < 2 {
        return Err(Missing::Alone);
    }
    let groups = matrix.groups();
    if groups.len() > 1 {
        return Err(Missing::Apart(groups));
    }
    climb(matrix, vec![0.0; matrix.generators()]).ok_or(Missing::NotConverged)
}

/// Newton's method with halved steps: the log-likelihood is concave, so every step upwards leads to its one top.
fn climb(matrix: &WinMatrix, mut logits: Vec<f64>) -> Option<Vec<f64>> {
    let size = logits.len();
    let mut value = log_likelihood(matrix, &logits);
    for _ in 0..200 {
        let mut gradient = vec![0.0; size];
        let mut curvature = vec![0.0; size * size];
        for one in 0..size {
            for other in 0..one {
                let count = matrix.count(one, other);
                if count > 0.0 {
                    let expected = logistic(logits[one] - logits[other]);
                    let surplus = matrix.won(one, other) - count * expected;
                    gradient[one] += surplus;
                    gradient[other] -= surplus;
                    let bend = count * expected * (1.0 - expected);
                    curvature[one * size + one] += bend;
                    curvature[other * size + other] += bend;
                    curvature[one * size + other] -= bend;
                }
            }
        }
        // The likelihood does not know the mean; a curvature for it keeps the mean where it is.
        let widest = (0..size).map(|at| curvature[at * size + at]);
        let level = widest.fold(0.0, f64::max) / size as f64;
        curvature.iter_mut().for_each(|x| *x += level);
        let step = solve(&mut curvature, gradient)?;
        let longest = step.iter().fold(0.0f64, |most, x| most.max(x.abs()));
        let mut share = 1.0f64.min(5.0 / longest.max(f64::MIN_POSITIVE));
        loop {
            let next: Vec<f64> = logits
                .iter()
                .zip(&step)
                .map(|(x, s)| x + share * s)
                .collect();
            let higher = log_likelihood(matrix, &next);
            // Near the top, rounding decides which of two values is the higher.
            if higher >= value || longest < 1e-6 {
                (logits, value) = (next, higher);
                break;
            }
            share /= 2.0;
            if share < 1e-10 {
                return None;
            }
        }
        if longest < 1e-11 {
            let mean = super::super::correlation::mean(&logits);
            logits.iter_mut().for_each(|x| *x -= mean);
            return Some(logits);
        }
    }
    None
}

fn log_likelihood(matrix: &WinMatrix, logits: &[f64]) -> f64 {
    let mut sum = 0.0;
    for one in 0..logits.len() {
        for other in 0..one {
            let (won, lost) = (matrix.won(one, other), matrix.won(other, one));
            if won + lost > 0.0 {
                // ln σ(d) = min(d, 0) − ln(1 + exp −|d|)
                let ahead = logits[one] - logits[other];
                let both = (-ahead.abs()).exp().ln_1p();
                sum += won * (ahead.min(0.0) - both) + lost * ((-ahead).min(0.0) - both);
            }
        }
    }
    sum
}

/// `1 / (1 + exp −x)`.
pub fn logistic(x: f64) -> f64 {
    1.0 / (1.0 + (-x).exp())
}

/// Logits on Elo's scale: the anchor, or without one the mean of all, is at [`ANCHOR`].
pub fn on_scale(logits: &[f64], anchor: Option<usize>) -> Vec<f64> {
    let zero = anchor.map_or(0.0, |anchor| logits[anchor]);
    let rating = |logit: &f64| ANCHOR + POINTS * (logit - zero);
    logits.iter().map(rating).collect()
}

/// Ratings with 95 % bootstrap intervals over instructions. `further` makes other numbers of ratings, such as a
/// correlation with those of a leaderboard; NaN where undefined.
///
/// # Errors
/// As [`fit`] on all rows.
pub fn ratings(
    games: &Games,
    anchor: Option<usize>,
    draws: Draws,
    further: impl Fn(&[f64]) -> Vec<f64> + Sync,
) -> Result<Ratings, Missing> {
    let start = fit(&WinMatrix::of_all(games))?;
    let resampler = Resampler::new(games.instruction, draws.seed).rounds(draws.rounds);
    let found = resampler.intervals(|draw| {
        let matrix = WinMatrix::of(games, &draw.rows);
        if matrix.groups().len() > 1 {
            return None;
        }
        let mut values = on_scale(&climb(&matrix, start.clone())?, anchor);
        let more = further(&values);
        values.extend(more);
        Some(values)
    });
    let (mut all, rounds_left_out) = found.ok_or(Missing::NotConverged)?;
    let further = all.split_off(games.generators);
    Ok(Ratings {
        ratings: all,
        further,
        rounds_left_out,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn matrix(generators: usize, games: &[(usize, usize, f64)]) -> WinMatrix {
        let mut matrix = WinMatrix::new(generators);
        for (one, other, won) in games {
            matrix.add(*one, *other, *won);
        }
        matrix
    }

    #[test]
    fn two_generators_have_the_odds_of_their_wins() {
        let games = [(0, 1, 1.0), (0, 1, 1.0), (0, 1, 0.5), (1, 0, 1.0)];
        let found = fit(&matrix(2, &games)).unwrap();
        // 2.5 to 1.5
        assert!((found[0] - found[1] - (2.5f64 / 1.5).ln()).abs() < 1e-12);
        let ratings = on_scale(&found, Some(1));
        assert_eq!(ratings[1], 1000.0);
        assert!((ratings[0] - 1000.0 - 400.0 * (2.5f64 / 1.5).log10()).abs() < 1e-9);
        let ratings = on_scale(&found, None);
        assert!((ratings[0] + ratings[1] - 2000.0).abs() < 1e-9);
    }

    #[test]
    fn apart_is_an_error_that_names_the_groups() {
        let never_beaten = matrix(3, &[(2, 0, 1.0), (2, 1, 1.0), (0, 1, 0.5)]);
        assert_eq!(
            fit(&never_beaten),
            Err(Missing::Apart(vec![vec![2], vec![0, 1]]))
        );
        let never_met = matrix(4, &[(0, 1, 0.5), (2, 3, 0.5)]);
        let Err(Missing::Apart(groups)) = fit(&never_met) else {
            unreachable!("two pairs that never met");
        };
        assert_eq!(groups.len(), 2);
        assert_eq!(fit(&matrix(1, &[])), Err(Missing::Alone));
    }

    #[test]
    fn a_chain_far_apart_settles() {
        // Each beats the next 10,000 times and loses once.
        let games: Vec<(usize, usize, f64)> = (0..30)
            .map(|at| (at, at + 1, 10_000.0 / 10_001.0))
            .collect();
        let found = fit(&matrix(31, &games)).unwrap();
        for two in found.windows(2) {
            assert!((two[0] - two[1] - 10_000f64.ln()).abs() < 1e-6, "{two:?}");
        }
    }

    #[test]
    fn intervals_are_over_instructions() {
        let (mut one, mut other, mut won, mut instruction) = (vec![], vec![], vec![], vec![]);
        for i in 0..60usize {
            for (a, b, wins) in [(0, 1, 2), (1, 2, 3), (0, 2, 4)] {
                one.push(a);
                other.push(b);
                won.push(f64::from(u8::from(i * 7 % 5 < wins)));
                instruction.push(i);
            }
        }
        let games = Games {
            one: &one,
            other: &other,
            won: &won,
            instruction: &instruction,
            generators: 3,
        };
        let draws = Draws {
            rounds: 200,
            seed: 1,
        };
        let found = ratings(&games, Some(2), draws, |all| vec![all[0] - all[1]]).unwrap();
        assert_eq!(found.ratings[2].low, 1000.0);
        assert!(found.ratings[0].low < found.ratings[0].estimate);
        assert!(found.ratings[0].high > found.ratings[0].estimate);
        let gap = found.ratings[0].estimate - found.ratings[1].estimate;
        assert_eq!(found.further[0].estimate, gap);
        let won = super::super::win_rates::intervals(&games, draws);
        assert!((won[0].estimate - 0.6).abs() < 1e-12 && won[0].low < 0.6);
        let again = ratings(&games, Some(2), draws, |all| vec![all[0] - all[1]]);
        assert_eq!(again, Ok(found));
    }

    /// Comparisons in which everybody beat everybody once, so that ratings exist, and some more.
    fn connected() -> impl proptest::strategy::Strategy<Value = Vec<(usize, usize, f64)>> {
        use proptest::strategy::Strategy;
        let more = proptest::collection::vec((0usize..5, 0usize..5, 0u8..3), 0..60);
        more.prop_map(|more| {
            let all = (0..5).flat_map(|one| (0..5).map(move |other| (one, other, 1.0)));
            let more = more.into_iter().map(|(a, b, w)| (a, b, f64::from(w) / 2.0));
            all.chain(more).collect()
        })
    }

    proptest::proptest! {
        #[test]
        fn names_do_not_matter(games in connected(), turn in 1usize..5) {
            let found = fit(&matrix(5, &games)).unwrap();
            let turned: Vec<_> = games
                .iter()
                .map(|(a, b, won)| ((a + turn) % 5, (b + turn) % 5, *won))
                .collect();
            let turned = fit(&matrix(5, &turned)).unwrap();
            for (at, logit) in found.iter().enumerate() {
                proptest::prop_assert!((logit - turned[(at + turn) % 5]).abs() < 1e-9);
            }
        }

        #[test]
        fn sides_do_not_matter(games in connected()) {
            let found = fit(&matrix(5, &games)).unwrap();
            let swapped: Vec<_> = games.iter().map(|(a, b, won)| (*b, *a, 1.0 - won)).collect();
            let swapped = fit(&matrix(5, &swapped)).unwrap();
            for (x, y) in found.iter().zip(swapped) {
                proptest::prop_assert!((x - y).abs() < 1e-9);
            }
        }

        #[test]
        fn expected_wins_are_the_wins(games in connected()) {
            let matrix = matrix(5, &games);
            let found = fit(&matrix).unwrap();
            for one in 0..5 {
                let surplus: f64 = (0..5)
                    .map(|other| {
                        let expected = logistic(found[one] - found[other]);
                        matrix.won(one, other) - matrix.count(one, other) * expected
                    })
                    .sum();
                proptest::prop_assert!(surplus.abs() < 1e-8, "{}", surplus);
            }
        }

        #[test]
        fn who_wins_more_against_the_same_is_rated_higher(
            wins in proptest::collection::vec((1u8..9, 1u8..9), 3), always in 1u8..9
        ) {
            // 0 wins as often as 1 against each other generator or more often, and always against 1.
            let mut matrix = WinMatrix::new(5);
            for (at, (less, more)) in wins.iter().enumerate() {
                let (less, more) = (less.min(more), less.max(more));
                for game in 0..10 {
                    matrix.add(0, at + 2, f64::from(u8::from(game < *more)));
                    matrix.add(1, at + 2, f64::from(u8::from(game < *less)));
                }
            }
            for _ in 0..always {
                matrix.add(0, 1, 1.0);
            }
            let found = fit(&matrix).unwrap();
            proptest::prop_assert!(found[0] > found[1], "{:?}", found);
        }
    }
}

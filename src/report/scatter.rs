//! Rows as points, few enough to be drawn.

use super::rows::Labelled;
use crate::stats::agreement::categories;
use crate::stats::bootstrap::SplitMix64;

/// Points that are drawn.
pub const SHOWN: usize = 2000;

/// Labels with at most so many distinct values lie in lines, and are spread a little.
const LINES: usize = 20;

/// Rows by score and label.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Scatter {
    /// Score, label as drawn, and whether it is good, where that is said.
    pub points: Vec<(f64, f64, Option<bool>)>,
    /// Rows that they were drawn from.
    pub rows: usize,
    /// How far at most points were moved along the label, so that equal ones are seen.
    pub spread: f64,
}

impl Scatter {
    /// All rows, or [`SHOWN`] of them: the same ones each time.
    pub(super) fn of(rows: &Labelled, seed: u64) -> Self {
        let drawn = |row: usize| SplitMix64(seed ^ (row as u64) << 20).next_u64();
        let finite = |row: &usize| rows.score[*row].is_finite() && rows.label[*row].is_finite();
        let mut places: Vec<usize> = (0..rows.score.len()).filter(finite).collect();
        let all = places.len();
        if all > SHOWN {
            places.select_nth_unstable_by_key(SHOWN, |row| (drawn(*row), *row));
            places.truncate(SHOWN);
            places.sort_unstable();
        }
        let labels = categories(&rows.label);
        let gaps = labels.windows(2).map(|pair| pair[1] - pair[0]);
        let spread = match labels.len() <= LINES && labels.len() < all {
            true => 0.25 * gaps.fold(f64::INFINITY, f64::min),
            false => 0.0,
        };
        let spread = if spread.is_finite() { spread } else { 0.0 };
        let point = |row: usize| {
            // From -1 to 1, of other bits than those that chose the row.
            let place = SplitMix64(drawn(row)).next_u64() as f64 / u64::MAX as f64 * 2.0 - 1.0;
            let good = rows.good.as_ref().map(|good| good[row]);
            (rows.score[row], rows.label[row] + spread * place, good)
        };
        Scatter {
            points: places.into_iter().map(point).collect(),
            rows: all,
            spread,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows(count: usize) -> Labelled {
        Labelled {
            score: (0..count).map(|row| row as f64).collect(),
            label: (0..count).map(|row| (row % 3) as f64).collect(),
            cluster: (0..count).collect(),
            good: None,
        }
    }

    #[test]
    fn the_same_rows_each_time_from_all_over() {
        let found = Scatter::of(&rows(5000), 1);
        assert_eq!((found.points.len(), found.rows), (SHOWN, 5000));
        assert_eq!(found, Scatter::of(&rows(5000), 1));
        assert_ne!(found, Scatter::of(&rows(5000), 2));
        let early = found.points.iter().filter(|p| p.0 < 2500.0).count();
        assert!((900..1100).contains(&early), "{early}");
        assert_eq!(Scatter::of(&rows(SHOWN), 1).points.len(), SHOWN);
    }

    #[test]
    fn lines_are_spread_and_nothing_else_is() {
        let found = Scatter::of(&rows(100), 1);
        assert_eq!(found.spread, 0.25);
        let moved = |p: &(f64, f64, Option<bool>)| (p.1 - p.0 % 3.0).abs();
        assert!(found.points.iter().all(|p| moved(p) <= 0.25));
        assert!(found.points.iter().any(|p| moved(p) > 0.1));
        let mut apart = rows(100);
        apart.label = apart.score.clone();
        assert_eq!(Scatter::of(&apart, 1).spread, 0.0);
        apart.label = vec![1.0; 100];
        assert_eq!(Scatter::of(&apart, 1).spread, 0.0);
    }
}

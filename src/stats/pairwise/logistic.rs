//! Logistic regression on a few columns with targets from 0 to 1 and a penalty on the sum of absolute weights, without an
//! intercept: what AlpacaEval fits with scikit-learn (solver liblinear, penalty l1, `C` by cross-validation).

use super::bradley_terry::logistic;

/// Columns that a regression has at most.
pub const COLUMNS: usize = 3;

/// One row's features; columns that are not used are 0.
pub type Row = [f64; COLUMNS];

/// Parts of the cross-validation.
const FOLDS: usize = 5;

/// What the penalty is chosen from: scikit-learn's default, ten steps from 1e-4 to 1e4.
fn candidates() -> impl Iterator<Item = f64> {
    (0..10).map(|step| 10f64.powf(-4.0 + 8.0 * f64::from(step) / 9.0))
}

/// The weights that minimise `Σ|w| + C · Σ cross-entropy(y, σ(w · x))`; `None` where numbers do not settle.
///
/// Newton's quadratic is minimised with the penalty one weight at a time, and the step halved until it descends.
pub fn fit(rows: &[Row], targets: &[f64], c: f64, start: Row) -> Option<Row> {
    let mut at = Place::new(rows, targets, c, start);
    for _ in 0..500 {
        let target = penalised_newton(&at.weights, &at.gradient, &at.curvature);
        let step: Row = std::array::from_fn(|column| target[column] - at.weights[column]);
        let longest = step.iter().fold(0.0f64, |most, x| most.max(x.abs()));
        let size = at.weights.iter().fold(1.0f64, |most, x| most.max(x.abs()));
        if longest <= 1e-11 * size {
            return Some(target);
        }
        let mut share = 1.0;
        loop {
            let next = std::array::from_fn(|column| at.weights[column] + share * step[column]);
            let next = Place::new(rows, targets, c, next);
            // Near the bottom, rounding decides which of two values is the lower.
            if next.value <= at.value || (longest < 1e-6 * size && share == 1.0) {
                at = next;
                break;
            }
            share /= 2.0;
            if share < 1e-12 {
                return None;
            }
        }
    }
    None
}

/// Weights with what is minimised, and the slope and curvature of its smooth part.
struct Place {
    weights: Row,
    value: f64,
    gradient: Row,
    curvature: [Row; COLUMNS],
}

impl Place {
    fn new(rows: &[Row], targets: &[f64], c: f64, weights: Row) -> Self {
        let mut loss = 0.0;
        let mut gradient = [0.0; COLUMNS];
        let mut curvature = [[0.0; COLUMNS]; COLUMNS];
        for (row, target) in rows.iter().zip(targets) {
            let logit = dot(row, &weights);
            // One exponential for the probability and for the cross-entropy.
            let small = (-logit.abs()).exp();
            let over = if logit < 0.0 { small } else { 1.0 };
            let p = over / (1.0 + small);
            loss += logit.max(0.0) - target * logit + (1.0 + small).ln();
            let bend = p * (1.0 - p);
            for a in 0..COLUMNS {
                gradient[a] += (p - target) * row[a];
                for b in 0..=a {
                    curvature[a][b] += bend * row[a] * row[b];
                }
            }
        }
        // Flat where all is certain: a little curvature keeps the step finite.
        let little = 1e-12 * rows.len() as f64;
        let whole = |a: usize, b: usize| {
            c * (curvature[a.max(b)][a.min(b)] + if a == b { little } else { 0.0 })
        };
        Place {
            weights,
            value: weights.iter().map(|w| w.abs()).sum::<f64>() + c * loss,
            gradient: gradient.map(|slope| c * slope),
            curvature: std::array::from_fn(|a| std::array::from_fn(|b| whole(a, b))),
        }
    }
}

/// The lowest point of `gradient · d + ½ d · curvature · d + Σ|weights + d|`, as weights.
fn penalised_newton(weights: &Row, gradient: &Row, curvature: &[Row; COLUMNS]) -> Row {
    let mut found = *weights;
    for _ in 0..10_000 {
        let mut longest = 0.0f64;
        for at in 0..COLUMNS {
            let moved: f64 = (0..COLUMNS)
                .map(|b| curvature[at][b] * (found[b] - weights[b]))
                .sum();
            let bend = curvature[at][at];
            if bend <= 0.0 {
                continue;
            }
            let free = found[at] - (gradient[at] + moved) / bend;
            // The absolute value pulls by 1 / bend towards 0, and holds what does not reach beyond.
            let next = free.signum() * (free.abs() - 1.0 / bend).max(0.0);
            longest = longest.max((next - found[at]).abs() / (1.0 + next.abs()));
            found[at] = next;
        }
        if longest < 1e-14 {
            break;
        }
    }
    found
}

/// `w · x`.
pub fn dot(row: &Row, weights: &Row) -> f64 {
    row.iter().zip(weights).map(|(x, w)| x * w).sum()
}

/// The `C` with the lowest mean cross-entropy over five folds, the smaller of two as good. Row `i` of `n` is in fold
/// `(n − 1 − i) mod 5`, as scikit-learn's `GroupKFold` has it where every row is a group. `None` for fewer than five rows.
pub fn choose_c(rows: &[Row], targets: &[f64]) -> Option<f64> {
    let count = rows.len();
    if count < FOLDS {
        return None;
    }
    let fold = |row: usize| (count - 1 - row) % FOLDS;
    let mut totals = [0.0; 10];
    for held in 0..FOLDS {
        let part = |inside: bool| -> (Vec<Row>, Vec<f64>) {
            let own = (0..count).filter(|row| (fold(*row) == held) == inside);
            own.map(|row| (rows[row], targets[row])).unzip()
        };
        let ((held_rows, held_targets), (rows, targets)) = (part(true), part(false));
        let mut weights = [0.0; COLUMNS];
        for (c, total) in candidates().zip(&mut totals) {
            weights = fit(&rows, &targets, c, weights)?;
            let each = held_rows.iter().zip(&held_targets);
            let sum: f64 = each
                .map(|(row, y)| {
                    let p = logistic(dot(row, &weights)).clamp(1e-15, 1.0 - 1e-15);
                    -(y * p.ln() + (1.0 - y) * (1.0 - p).ln())
                })
                .sum();
            *total += sum / held_rows.len() as f64;
        }
    }
    let best = candidates().zip(totals);
    let best = best.reduce(|best, next| if next.1 < best.1 { next } else { best });
    best.map(|(c, _)| c)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_column_has_its_mean_as_logit() {
        let rows = vec![[1.0, 0.0, 0.0]; 8];
        let targets = [1.0, 1.0, 1.0, 0.0, 0.5, 1.0, 1.0, 0.5];
        let found = fit(&rows, &targets, 1e9, [0.0; 3]).unwrap();
        assert!((found[0] - (0.75f64 / 0.25).ln()).abs() < 1e-7);
        assert_eq!(found[1..], [0.0, 0.0]);
    }

    #[test]
    fn the_slope_at_the_bottom_is_the_penalty() {
        let rows: Vec<Row> = (0..40)
            .map(|i| [1.0, f64::from(i % 7) - 3.0, 0.01 * f64::from(i % 3)])
            .collect();
        let targets: Vec<f64> = (0..40).map(|i| f64::from(i * 5 % 11) / 10.0).collect();
        for c in [1e-4, 0.3, 1.0, 1e4] {
            let found = fit(&rows, &targets, c, [0.0; 3]).unwrap();
            for at in 0..3 {
                let each = rows.iter().zip(&targets);
                let slope: f64 = each
                    .map(|(row, y)| c * (logistic(dot(row, &found)) - y) * row[at])
                    .sum();
                match found[at] {
                    0.0 => assert!(slope.abs() <= 1.0 + 1e-9),
                    w => assert!((slope + w.signum()).abs() < 1e-6, "{c} {at} {slope}"),
                }
            }
        }
    }

    #[test]
    fn always_won_stays_finite() {
        let rows = vec![[1.0, 0.3, 0.0]; 50];
        let found = fit(&rows, &[1.0; 50], 1e4, [0.0; 3]).unwrap();
        assert!(found[0] > 5.0 && found[0] < 30.0, "{found:?}");
        assert!(choose_c(&rows, &[1.0; 50]).is_some());
        assert_eq!(choose_c(&rows[..4], &[1.0; 4]), None);
    }
}

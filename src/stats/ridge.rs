//! Ridge regression by normal equations, on standardised columns, the intercept unpenalised.

/// Sums and products of rows, from which a regression follows. They add up, so folds of a
/// cross-validation are differences.
#[derive(Clone, Debug, PartialEq)]
pub struct Moments {
    columns: usize,
    rows: f64,
    sum: Vec<f64>,
    /// Lower triangle, row by row.
    products: Vec<f64>,
    target_sum: f64,
    target_square: f64,
    target_products: Vec<f64>,
}

impl Moments {
    /// Of no rows yet.
    pub fn new(columns: usize) -> Self {
        Moments {
            columns,
            rows: 0.0,
            sum: vec![0.0; columns],
            products: vec![0.0; columns * (columns + 1) / 2],
            target_sum: 0.0,
            target_square: 0.0,
            target_products: vec![0.0; columns],
        }
    }

    /// How many rows there are.
    pub fn rows(&self) -> f64 {
        self.rows
    }

    /// Adds a row; columns beyond the first `columns` are left out.
    pub fn add(&mut self, row: &[f64], target: f64) {
        self.rows += 1.0;
        self.target_sum += target;
        self.target_square += target * target;
        let mut start = 0;
        for (column, value) in row.iter().enumerate().take(self.columns) {
            self.sum[column] += value;
            self.target_products[column] += value * target;
            let products = &mut self.products[start..=start + column];
            for (product, other) in products.iter_mut().zip(row) {
                *product += value * other;
            }
            start += column + 1;
        }
    }

    /// These and others, with a sign.
    fn joined(&self, other: &Moments, sign: f64) -> Moments {
        let mut all = self.clone();
        let add = |to: &mut Vec<f64>, from: &[f64]| {
            for (to, from) in to.iter_mut().zip(from) {
                *to += sign * from;
            }
        };
        all.rows += sign * other.rows;
        all.target_sum += sign * other.target_sum;
        all.target_square += sign * other.target_square;
        add(&mut all.sum, &other.sum);
        add(&mut all.products, &other.products);
        add(&mut all.target_products, &other.target_products);
        all
    }

    /// The rows of both.
    pub fn plus(&self, other: &Moments) -> Moments {
        self.joined(other, 1.0)
    }

    /// The rows of these that are not of the other.
    pub fn minus(&self, other: &Moments) -> Moments {
        self.joined(other, -1.0)
    }

    fn product(&self, a: usize, b: usize) -> f64 {
        let (high, low) = (a.max(b), a.min(b));
        self.products[high * (high + 1) / 2 + low]
    }
}

/// A fitted linear model.
#[derive(Clone, Debug, PartialEq)]
pub struct Ridge {
    /// Value where every column is 0.
    pub intercept: f64,
    /// Weight of each column as given (not standardised).
    pub weights: Vec<f64>,
}

impl Ridge {
    /// Minimises `mean (y − ŷ)² + lambda · |w|²`, `w` the weights of the standardised columns. A column
    /// that does not vary gets weight 0. `None` without rows, and where the equations have no
    /// solution (columns that depend on each other, and `lambda` 0).
    pub fn fit(moments: &Moments, lambda: f64) -> Option<Ridge> {
        let n = moments.rows;
        if n < 1.0 {
            return None;
        }
        let columns = moments.columns;
        let mean: Vec<f64> = moments.sum.iter().map(|sum| sum / n).collect();
        let target_mean = moments.target_sum / n;
        let scale: Vec<f64> = (0..columns)
            .map(|column| {
                let square = moments.product(column, column) / n;
                let variance = square - mean[column] * mean[column];
                if variance > square * 1e-12 {
                    variance.sqrt()
                } else {
                    0.0
                }
            })
            .collect();
        let kept: Vec<usize> = (0..columns).filter(|column| scale[*column] > 0.0).collect();
        let size = kept.len();
        let mut matrix = vec![0.0; size * size];
        let mut right = vec![0.0; size];
        for (i, a) in kept.iter().enumerate() {
            for (j, b) in kept.iter().enumerate().take(i + 1) {
                let covariance = moments.product(*a, *b) / n - mean[*a] * mean[*b];
                matrix[i * size + j] = covariance / (scale[*a] * scale[*b]);
            }
            matrix[i * size + i] += lambda;
            right[i] = (moments.target_products[*a] / n - mean[*a] * target_mean) / scale[*a];
        }
        let solution = solve(&mut matrix, right)?;
        let mut weights = vec![0.0; columns];
        for (place, column) in kept.iter().enumerate() {
            weights[*column] = solution[place] / scale[*column];
        }
        let shift: f64 = weights.iter().zip(&mean).map(|(w, m)| w * m).sum();
        Some(Ridge {
            intercept: target_mean - shift,
            weights,
        })
    }

    /// The fitted value of a row.
    pub fn predict(&self, row: &[f64]) -> f64 {
        let sum: f64 = self.weights.iter().zip(row).map(|(w, x)| w * x).sum();
        self.intercept + sum
    }

    /// The mean squared error over other rows, known by their moments alone.
    pub fn mean_squared_error(&self, moments: &Moments) -> f64 {
        let n = moments.rows;
        let mut total = moments.target_square + n * self.intercept * self.intercept
            - 2.0 * self.intercept * moments.target_sum;
        for (a, weight) in self.weights.iter().enumerate() {
            let mut line = self.intercept * moments.sum[a] - moments.target_products[a];
            line *= 2.0;
            let quadratic: f64 = self
                .weights
                .iter()
                .enumerate()
                .map(|(b, other)| other * moments.product(a, b))
                .sum();
            total += weight * (line + quadratic);
        }
        total / n
    }
}

/// The `lambda` among `candidates` with the least squared error over the rows left out, fold by fold;
/// with that error.
pub fn choose_lambda(folds: &[Moments], candidates: &[f64]) -> Option<(f64, f64)> {
    let (first, rest) = folds.split_first()?;
    let all = rest.iter().fold(first.clone(), |all, fold| all.plus(fold));
    let mut best: Option<(f64, f64)> = None;
    let trained: Vec<Moments> = folds.iter().map(|fold| all.minus(fold)).collect();
    for lambda in candidates {
        let mut error = 0.0;
        for (fold, rest) in folds.iter().zip(&trained) {
            if fold.rows > 0.0 {
                error += Ridge::fit(rest, *lambda)?.mean_squared_error(fold) * fold.rows;
            }
        }
        error /= all.rows;
        if best.is_none_or(|(_, least)| error < least) {
            best = Some((*lambda, error));
        }
    }
    best
}

/// The features, their squares and the products of each two.
pub fn expand(features: &[f64]) -> Vec<f64> {
    let mut all = features.to_vec();
    all.reserve(features.len() * (features.len() + 1) / 2);
    for (place, a) in features.iter().enumerate() {
        all.extend(features[place..].iter().map(|b| a * b));
    }
    all
}

/// Solves a symmetric positive definite system by Cholesky; the lower triangle is given and
/// overwritten.
pub(super) fn solve(matrix: &mut [f64], mut right: Vec<f64>) -> Option<Vec<f64>> {
    let size = right.len();
    for row in 0..size {
        for column in 0..=row {
            let (before, here) = matrix.split_at(row * size);
            let done: f64 = if column == row {
                here[..column].iter().map(|x| x * x).sum()
            } else {
                let other = &before[column * size..column * size + column];
                here[..column].iter().zip(other).map(|(x, y)| x * y).sum()
            };
            let value = here[column] - done;
            matrix[row * size + column] = if column == row {
                // Not positive, or so small that it is rounding.
                if value.is_nan() || value <= 1e-13 {
                    return None;
                }
                value.sqrt()
            } else {
                value / matrix[column * size + column]
            };
        }
    }
    for row in 0..size {
        let line = &matrix[row * size..row * size + row];
        let done: f64 = line.iter().zip(&right).map(|(x, y)| x * y).sum();
        right[row] = (right[row] - done) / matrix[row * size + row];
    }
    for row in (0..size).rev() {
        let done: f64 = (row + 1..size)
            .map(|below| matrix[below * size + row] * right[below])
            .sum();
        right[row] = (right[row] - done) / matrix[row * size + row];
    }
    Some(right)
}

#[cfg(test)]
mod tests {
    use super::*;

    // numpy 2:
    //   X = np.array([[1, 2, 5], [2, 1, 5], [3, 5, 5], [4, 4, 5], [6, 0, 5.]]); y = np.array([1, 2, 2, 4, 7.])
    //   Z = (X[:, :2] - X[:, :2].mean(0)) / X[:, :2].std(0)
    //   w = np.linalg.solve(Z.T @ Z / 5 + 0.1 * np.eye(2), Z.T @ (y - y.mean()) / 5) / X[:, :2].std(0)
    //   w, y.mean() - w @ X[:, :2].mean(0), ((y - y.mean() - (X[:, :2] - X[:, :2].mean(0)) @ w) ** 2).mean()
    const ROWS: [([f64; 3], f64); 5] = [
        ([1.0, 2.0, 5.0], 1.0),
        ([2.0, 1.0, 5.0], 2.0),
        ([3.0, 5.0, 5.0], 2.0),
        ([4.0, 4.0, 5.0], 4.0),
        ([6.0, 0.0, 5.0], 7.0),
    ];
    const WEIGHTS: [f64; 3] = [1.039_663_007_458_739_6, -0.257_143_011_344_624_03, 0.0];
    const INTERCEPT: f64 = 0.490_221_603_359_131;
    const ERROR: f64 = 0.084_107_130_611_303_25;

    fn moments(rows: &[([f64; 3], f64)]) -> Moments {
        let mut moments = Moments::new(3);
        for (row, target) in rows {
            moments.add(row, *target);
        }
        moments
    }

    #[test]
    fn golden_values() {
        let all = moments(&ROWS);
        let fit = Ridge::fit(&all, 0.1).unwrap();
        for (found, golden) in fit.weights.iter().zip(WEIGHTS) {
            assert!((found - golden).abs() < 1e-10, "{fit:?}");
        }
        assert!((fit.intercept - INTERCEPT).abs() < 1e-10);
        assert!((fit.mean_squared_error(&all) - ERROR).abs() < 1e-10);
        let errors = ROWS.map(|(row, target)| (fit.predict(&row) - target).powi(2));
        assert!((errors.iter().sum::<f64>() / 5.0 - ERROR).abs() < 1e-10);
    }

    #[test]
    fn an_exact_line_is_found() {
        let mut moments = Moments::new(2);
        for (x, y) in [(1.0, 2.0), (2.0, -1.0), (5.0, 0.5), (-3.0, 4.0)] {
            moments.add(&[x, y], 3.0 + 2.0 * x - y);
        }
        let fit = Ridge::fit(&moments, 0.0).unwrap();
        assert!((fit.intercept - 3.0).abs() < 1e-9, "{fit:?}");
        assert!((fit.predict(&[10.0, 10.0]) - 13.0).abs() < 1e-9);
    }

    #[test]
    fn without_a_solution() {
        assert_eq!(Ridge::fit(&Moments::new(2), 1.0), None);
        let mut twice = Moments::new(2);
        for x in [1.0, 2.0, 4.0] {
            twice.add(&[x, 2.0 * x], x);
        }
        assert_eq!(Ridge::fit(&twice, 0.0), None);
        assert!(Ridge::fit(&twice, 0.01).is_some());
    }

    #[test]
    fn folds_are_differences_and_noise_wants_a_penalty() {
        let (first, rest) = (moments(&ROWS[..2]), moments(&ROWS[2..]));
        assert_eq!(first.plus(&rest).minus(&rest), first);
        let (lambda, error) = choose_lambda(&[first, rest], &[0.01, 1.0, 100.0]).unwrap();
        assert!(lambda > 0.0 && error.is_finite());
        assert_eq!(choose_lambda(&[], &[1.0]), None);
    }

    #[test]
    fn squares_and_products() {
        assert_eq!(
            expand(&[2.0, 3.0, 5.0]),
            [2.0, 3.0, 5.0, 4.0, 6.0, 10.0, 9.0, 15.0, 25.0]
        );
    }
}

//! How hard each instruction is for everybody: AlpacaEval's γ_x.

use super::super::ridge::solve;
use super::bradley_terry::logistic;

/// Comparisons with one baseline.
#[derive(Clone, Copy, Debug)]
pub struct Rows<'a> {
    /// Who is compared with the baseline, from 0.
    pub generator: &'a [usize],
    /// From 0.
    pub instruction: &'a [usize],
    /// `tanh` of the standardised difference in length.
    pub longer: &'a [f64],
    /// What the generator won.
    pub won: &'a [f64],
}

/// `γ_x` of each instruction, by one regression over all generators: `logit P(won) = θ_m + φ_m · longer + γ_x`, each
/// generator with its own θ and φ (Dubois et al. 2024, §4: ψ held at 1). All weights have a standard normal prior (half
/// the sum of their squares is added to the cross-entropy: scikit-learn's `LogisticRegression` with `C` 1), since an
/// instruction that nobody won would have none otherwise. `None` where numbers do not settle.
pub fn difficulty(rows: &Rows, generators: usize, instructions: usize) -> Option<Vec<f64>> {
    let mut fit = Fit {
        own: vec![0.0; 2 * generators],
        shared: vec![0.0; instructions],
    };
    let mut value = fit.objective(rows);
    for _ in 0..200 {
        let step = fit.newton(rows)?;
        let longest = step.own.iter().chain(&step.shared);
        let longest = longest.fold(0.0f64, |most, x| most.max(x.abs()));
        let mut share = 1.0;
        loop {
            let next = fit.plus(&step, share);
            let lower = next.objective(rows);
            if lower <= value || longest < 1e-6 {
                (fit, value) = (next, lower);
                break;
            }
            share /= 2.0;
            if share < 1e-10 {
                return None;
            }
        }
        if longest < 1e-11 {
            return Some(fit.shared);
        }
    }
    None
}

/// Weights, or a step of them.
struct Fit {
    /// θ and φ of each generator, one after the other.
    own: Vec<f64>,
    /// γ of each instruction.
    shared: Vec<f64>,
}

impl Fit {
    fn logit(&self, rows: &Rows, row: usize) -> f64 {
        let own = 2 * rows.generator[row];
        self.own[own] + self.own[own + 1] * rows.longer[row] + self.shared[rows.instruction[row]]
    }

    fn objective(&self, rows: &Rows) -> f64 {
        let squares: f64 = self.own.iter().chain(&self.shared).map(|w| w * w).sum();
        let loss = |row: usize| {
            let logit = self.logit(rows, row);
            logit.max(0.0) - rows.won[row] * logit + (-logit.abs()).exp().ln_1p()
        };
        0.5 * squares + (0..rows.won.len()).map(loss).sum::<f64>()
    }

    fn plus(&self, step: &Fit, share: f64) -> Fit {
        let sum = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a + share * b).collect();
        Fit {
            own: sum(&self.own, &step.own),
            shared: sum(&self.shared, &step.shared),
        }
    }

    /// Newton's step. No row has two instructions, so their part of the curvature is a diagonal and is eliminated.
    fn newton(&self, rows: &Rows) -> Option<Fit> {
        let (own, shared) = (self.own.len(), self.shared.len());
        let mut slope: Vec<f64> = self.own.iter().map(|w| -w).collect();
        let mut shared_slope: Vec<f64> = self.shared.iter().map(|w| -w).collect();
        let mut matrix = vec![0.0; own * own];
        (0..own).for_each(|at| matrix[at * own + at] = 1.0);
        let mut diagonal = vec![1.0; shared];
        // Row by row the instructions, in columns the generators' weights.
        let mut between = vec![0.0; shared * own];
        for row in 0..rows.won.len() {
            let p = logistic(self.logit(rows, row));
            let (surplus, bend) = (rows.won[row] - p, p * (1.0 - p));
            let (at, x) = (rows.instruction[row], rows.longer[row]);
            let theta = 2 * rows.generator[row];
            slope[theta] += surplus;
            slope[theta + 1] += surplus * x;
            shared_slope[at] += surplus;
            matrix[theta * own + theta] += bend;
            matrix[(theta + 1) * own + theta] += bend * x;
            matrix[(theta + 1) * own + theta + 1] += bend * x * x;
            diagonal[at] += bend;
            between[at * own + theta] += bend;
            between[at * own + theta + 1] += bend * x;
        }
        for (at, line) in between.chunks(own).enumerate() {
            let there: Vec<usize> = (0..own).filter(|a| line[*a] != 0.0).collect();
            for (place, a) in there.iter().enumerate() {
                let part = line[*a] / diagonal[at];
                slope[*a] -= part * shared_slope[at];
                for b in &there[..=place] {
                    matrix[a * own + b] -= part * line[*b];
                }
            }
        }
        let own_step = solve(&mut matrix, slope)?;
        let shared_step = between.chunks(own).enumerate().map(|(at, line)| {
            let moved: f64 = line.iter().zip(&own_step).map(|(x, s)| x * s).sum();
            (shared_slope[at] - moved) / diagonal[at]
        });
        Some(Fit {
            shared: shared_step.collect(),
            own: own_step,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_nobody_wins_is_hard() {
        let (mut generator, mut instruction, mut longer, mut won) =
            (vec![], vec![], vec![], vec![]);
        for m in 0..6usize {
            for x in 0..9usize {
                generator.push(m);
                instruction.push(x);
                longer.push(((m * 5 + x * 3) % 7) as f64 / 7.0 - 0.5);
                won.push(match x {
                    0 => 0.0,
                    1 => 1.0,
                    _ => ((m + x) % 3) as f64 / 2.0,
                });
            }
        }
        let rows = Rows {
            generator: &generator,
            instruction: &instruction,
            longer: &longer,
            won: &won,
        };
        let found = difficulty(&rows, 6, 9).unwrap();
        assert!(found[2..].iter().all(|g| *g > found[0] && *g < found[1]));
        assert!(found[0] < -1.0 && found[1] > 1.0, "{found:?}");
        // The slope of an instruction's weight is its prior's.
        assert_eq!(difficulty(&rows, 6, 10).unwrap()[9], 0.0);
    }
}

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
    let mut order: Vec<usize> = (0..rows.won.len()).collect();
    order.sort_by_key(|row| rows.instruction[*row]);
    let mut value = fit.objective(rows);
    for _ in 0..200 {
        let step = fit.newton(rows, &order)?;
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

    /// Newton's step; `order` has the rows of an instruction one after the other. No row has two instructions, so their
    /// part of the curvature is a diagonal and is eliminated, each with the few weights that it meets.
    fn newton(&self, rows: &Rows, order: &[usize]) -> Option<Fit> {
        let own = self.own.len();
        let mut slope: Vec<f64> = self.own.iter().map(|w| -w).collect();
        let mut matrix = vec![0.0; own * own];
        (0..own).for_each(|at| matrix[at * own + at] = 1.0);
        let mut eliminated = Vec::new();
        let same = |one: &usize, other: &usize| rows.instruction[*one] == rows.instruction[*other];
        for together in order.chunk_by(same) {
            let at = rows.instruction[together[0]];
            let (mut bent, mut pull) = (1.0, -self.shared[at]);
            // The generators' weights that it meets, with the curvature between.
            let mut line: Vec<(usize, f64)> = Vec::with_capacity(2 * together.len());
            for row in together {
                let p = logistic(self.logit(rows, *row));
                let (surplus, bend) = (rows.won[*row] - p, p * (1.0 - p));
                let (theta, x) = (2 * rows.generator[*row], rows.longer[*row]);
                slope[theta] += surplus;
                slope[theta + 1] += surplus * x;
                matrix[theta * own + theta] += bend;
                matrix[(theta + 1) * own + theta] += bend * x;
                matrix[(theta + 1) * own + theta + 1] += bend * x * x;
                bent += bend;
                pull += surplus;
                line.extend([(theta, bend), (theta + 1, bend * x)]);
            }
            line.sort_by_key(|(weight, _)| *weight);
            line.dedup_by(|next, kept| {
                let is_same = next.0 == kept.0;
                kept.1 += if is_same { next.1 } else { 0.0 };
                is_same
            });
            for (place, (a, x)) in line.iter().enumerate() {
                slope[*a] -= x / bent * pull;
                for (b, y) in &line[..=place] {
                    matrix[a * own + b] -= x / bent * y;
                }
            }
            eliminated.push((at, bent, pull, line));
        }
        let own_step = solve(&mut matrix, slope)?;
        let mut step = Fit {
            shared: vec![0.0; self.shared.len()],
            own: own_step,
        };
        for (at, bent, pull, line) in eliminated {
            let moved: f64 = line.iter().map(|(weight, x)| x * step.own[*weight]).sum();
            step.shared[at] = (pull - moved) / bent;
        }
        Some(step)
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
        // Of what nobody was asked, the prior is all there is.
        assert_eq!(difficulty(&rows, 6, 10).unwrap()[9], 0.0);
    }
}

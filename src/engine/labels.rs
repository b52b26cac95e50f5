//! From logits to the probabilities of labels.

use super::request::Ask;
use crate::kernel::vector;

/// The labels of a prompt, whose probabilities are found token by token: the product of the conditional ones. A label that
/// begins another does not swallow it: `P("1") = p(1) · (1 − p(0 | 1))`.
pub struct Walk<'l> {
    labels: &'l [Vec<u32>],
    probabilities: Vec<f64>,
    open: Vec<Stem>,
}

/// What some labels begin with and go on behind.
pub struct Stem {
    /// None at the prompt's end.
    pub tokens: Vec<u32>,
    labels: Vec<usize>,
    /// Its probability.
    reached: f64,
}

impl<'l> Walk<'l> {
    /// Reads the distribution behind the prompt; labels outside the `top` likeliest tokens count as 0.
    ///
    /// # Errors
    /// As [`Walk::take`].
    pub fn new(labels: &'l [Vec<u32>], logits: &[f32], top: Option<usize>) -> Result<Self, String> {
        let mut walk = Walk {
            labels,
            probabilities: vec![0.0; labels.len()],
            open: Vec::new(),
        };
        let root = Stem {
            tokens: Vec::new(),
            labels: (0..labels.len()).collect(),
            reached: 1.0,
        };
        let least = top.and_then(|top| nth_largest(logits, top));
        walk.on(root, logits, least)?;
        Ok(walk)
    }

    /// The stems whose next distribution is needed; each is to be given back with it.
    pub fn stems(&mut self) -> Vec<Stem> {
        std::mem::take(&mut self.open)
    }

    /// Reads the distribution behind a stem.
    ///
    /// # Errors
    /// Logits that are not numbers; a label outside the vocabulary.
    pub fn take(&mut self, stem: Stem, logits: &[f32]) -> Result<(), String> {
        self.on(stem, logits, None)
    }

    /// Of every label, in their order, when no stem is left.
    pub fn probabilities(self) -> Vec<f64> {
        self.probabilities
    }

    /// Logits below `least` count as nothing.
    fn on(&mut self, stem: Stem, logits: &[f32], least: Option<f32>) -> Result<(), String> {
        let log_sum = log_sum_exp(logits)?;
        let (labels, depth) = (self.labels, stem.tokens.len());
        let token_of = |label: &usize| labels[*label].get(depth).copied();
        let mut tokens: Vec<u32> = stem.labels.iter().filter_map(token_of).collect();
        tokens.sort_unstable();
        tokens.dedup();
        let mut going_on = 0.0;
        for token in tokens {
            let logit = logits.get(token as usize).ok_or_else(|| outside(token))?;
            let p = match least {
                Some(least) if *logit < least => 0.0,
                _ => (f64::from(*logit) - log_sum).exp(),
            };
            going_on += p;
            let own = stem.labels.iter().copied();
            let under: Vec<usize> = own.filter(|l| token_of(l) == Some(token)).collect();
            if under.iter().all(|l| labels[*l].len() == depth + 1) {
                for label in under {
                    self.probabilities[label] = stem.reached * p;
                }
            } else if p > 0.0 {
                self.open.push(Stem {
                    tokens: [stem.tokens.as_slice(), &[token]].concat(),
                    labels: under,
                    reached: stem.reached * p,
                });
            }
        }
        let ended = |label: &&usize| labels[**label].len() == depth;
        for label in stem.labels.iter().filter(ended) {
            self.probabilities[*label] = stem.reached * (1.0 - going_on);
        }
        Ok(())
    }
}

/// Whether an ask needs nothing of the head but its labels.
pub fn alone(ask: &Ask) -> bool {
    match ask {
        Ask::Labels { labels, mass, top } => {
            !mass && top.is_none() && labels.iter().all(|l| l.len() == 1)
        }
        _ => false,
    }
}

/// `logit − ln Σ e^logit`, in f64.
///
/// # Errors
/// Logits that are not numbers.
pub fn log_probabilities(logits: &[f32]) -> Result<Vec<f64>, String> {
    let log_sum = log_sum_exp(logits)?;
    Ok(logits.iter().map(|l| f64::from(*l) - log_sum).collect())
}

/// The log-probability of one token, to about 1e-7.
///
/// # Errors
/// Logits that are not numbers; a token outside the vocabulary.
pub fn log_probability(logits: &[f32], token: u32) -> Result<f64, String> {
    let logit = logits
        .get(token as usize)
        .ok_or_else(|| format!("token {token} is outside the vocabulary"))?;
    Ok(f64::from(*logit) - nearly_log_sum_exp(logits)?)
}

fn log_sum_exp(logits: &[f32]) -> Result<f64, String> {
    let max = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let sum: f64 = {
        let max = f64::from(max);
        logits.iter().map(|l| (f64::from(*l) - max).exp()).sum()
    };
    logarithm(max, sum)
}

/// Logits whose exponentials are summed in single precision before they join the sum.
const BLOCK: usize = 1024;

/// The same to about 1e-7: of a text one is needed for each token, and a vocabulary is wide.
fn nearly_log_sum_exp(logits: &[f32]) -> Result<f64, String> {
    let max = vector::max(logits);
    let mut block = [0.0; BLOCK];
    let sums = logits.chunks(BLOCK).map(|some| {
        let own = &mut block[..some.len()];
        own.copy_from_slice(some);
        f64::from(vector::exp_shifted(own, max))
    });
    logarithm(max, sums.sum())
}

fn logarithm(max: f32, sum: f64) -> Result<f64, String> {
    match sum.is_finite() && sum > 0.0 {
        true => Ok(f64::from(max) + sum.ln()),
        false => Err("the model's logits are not numbers (NaN or infinite)".into()),
    }
}

/// Probabilities among labels of one token each, from the logits of `tokens`, sorted, alone.
///
/// # Errors
/// Logits that are not numbers; a label that is not among the tokens.
pub fn among<'l>(
    labels: &'l [Vec<u32>],
    tokens: &[u32],
    logits: &[f32],
) -> Result<Walk<'l>, String> {
    let one = |label: &Vec<u32>| {
        let at = tokens.binary_search(&label[0]).ok();
        let logit = at.and_then(|at| logits.get(at));
        logit.copied().ok_or_else(|| outside(label[0]))
    };
    let own = labels.iter().map(one).collect::<Result<Vec<f32>, _>>()?;
    let log_sum = log_sum_exp(&own)?;
    let share = |logit: &f32| (f64::from(*logit) - log_sum).exp();
    Ok(Walk {
        labels,
        probabilities: own.iter().map(share).collect(),
        open: Vec::new(),
    })
}

/// The smallest of the `count` largest, where there are more.
fn nth_largest(logits: &[f32], count: usize) -> Option<f32> {
    let at = count.checked_sub(1).filter(|at| *at < logits.len())?;
    let mut all = logits.to_vec();
    let (_, found, _) = all.select_nth_unstable_by(at, |a, b| b.total_cmp(a));
    Some(*found)
}

fn outside(token: u32) -> String {
    format!("label token {token} is outside the vocabulary")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sum_of_blocks_is_nearly_the_sum() {
        let logits: Vec<f32> = (0..5000)
            .map(|i| ((i * 7919) % 997) as f32 / 50.0 - 9.0)
            .collect();
        let (exact, fast) = (
            log_sum_exp(&logits).unwrap(),
            nearly_log_sum_exp(&logits).unwrap(),
        );
        assert!((exact - fast).abs() < 5e-7, "{exact} {fast}");
        for strange in [f32::NAN, f32::INFINITY] {
            assert!(nearly_log_sum_exp(&[0.0, strange, 1.0]).is_err());
        }
        assert!(nearly_log_sum_exp(&[f32::NEG_INFINITY; 3]).is_err());
    }

    /// Logits of these probabilities.
    fn logits(probabilities: &[f64]) -> Vec<f32> {
        probabilities.iter().map(|p| p.ln() as f32).collect()
    }

    #[test]
    fn a_label_that_begins_another_keeps_its_own_share() {
        // Vocabulary: 0 = "1", 1 = "0", 2 = "2".
        let labels = [vec![0], vec![2], vec![0, 1], vec![0, 1, 2], vec![1, 2]];
        let mut walk = Walk::new(&labels, &logits(&[0.5, 0.2, 0.3]), None).unwrap();
        let mut asked = Vec::new();
        loop {
            let stems = walk.stems();
            if stems.is_empty() {
                break;
            }
            for stem in stems {
                asked.push(stem.tokens.clone());
                let behind = match stem.tokens[..] {
                    [0] => [0.1, 0.4, 0.5],
                    [1] => [0.3, 0.6, 0.1],
                    _ => [0.2, 0.1, 0.7],
                };
                walk.take(stem, &logits(&behind)).unwrap();
            }
        }
        assert_eq!(asked, [vec![0], vec![1], vec![0, 1]]);
        let wanted = [0.5 * 0.6, 0.3, 0.5 * 0.4 * 0.3, 0.5 * 0.4 * 0.7, 0.2 * 0.1];
        for (got, want) in walk.probabilities().iter().zip(wanted) {
            assert!((got - want).abs() < 1e-7, "{got} {want}");
        }
    }

    #[test]
    fn labels_outside_the_likeliest_tokens_count_as_nothing() {
        let labels = [vec![0], vec![1], vec![2], vec![2, 0]];
        let mut walk = Walk::new(&labels, &[2.0, 1.0, 0.0, 3.0], Some(2)).unwrap();
        // What has no chance is not looked at further.
        assert!(walk.stems().is_empty());
        let p = walk.probabilities();
        let all: f64 = [2.0f64, 1.0, 0.0, 3.0].iter().map(|l| l.exp()).sum();
        assert!((p[0] - 2f64.exp() / all).abs() < 1e-12);
        assert_eq!(p[1..], [0.0, 0.0, 0.0]);
    }

    #[test]
    fn logits_that_are_not_numbers_are_an_error() {
        assert!(Walk::new(&[vec![0]], &[f32::NAN, 1.0], None).is_err());
        assert!(Walk::new(&[vec![7]], &[0.0, 1.0], None).is_err());
        let labels = [vec![0], vec![1]];
        let p = Walk::new(&labels, &[0.0, 0.0], None)
            .unwrap()
            .probabilities();
        assert!((p[0] - 0.5).abs() < 1e-12 && (p[1] - 0.5).abs() < 1e-12);
    }
}

//! From logits to the probabilities of labels.

use super::compute::Stopped;
use super::request::Ask;
use crate::kernel::vector;

/// What the first distribution tells of the labels.
pub enum Known {
    /// Each label is one token: their probabilities.
    All(Vec<f64>),
    /// Some go on: log-probabilities of every next token.
    Next(Vec<f64>),
}

/// What the first distribution tells, or why it tells nothing.
pub type First = Result<Known, String>;

/// Whether an ask needs nothing of the head but its labels.
pub fn alone(ask: &Ask) -> bool {
    match ask {
        Ask::Labels { labels, mass, top } => {
            !mass && top.is_none() && labels.iter().all(|l| l.len() == 1)
        }
        _ => false,
    }
}

/// Gives the log-probabilities behind some more tokens.
type After<'a> = dyn FnMut(&[u32]) -> Result<Vec<f64>, Stopped> + 'a;

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
pub fn among(labels: &[Vec<u32>], tokens: &[u32], logits: &[f32]) -> First {
    let one = |label: &Vec<u32>| {
        let at = tokens.binary_search(&label[0]).ok();
        let logit = at.and_then(|at| logits.get(at));
        logit.copied().ok_or_else(|| outside(label[0]))
    };
    let own = labels.iter().map(one).collect::<Result<Vec<f32>, _>>()?;
    let log_sum = log_sum_exp(&own)?;
    let share = |logit: &f32| (f64::from(*logit) - log_sum).exp();
    Ok(Known::All(own.iter().map(share).collect()))
}

/// Reads the first distribution; labels outside the `top` likeliest tokens count as 0.
///
/// # Errors
/// Logits that are not numbers; a label outside the vocabulary.
pub fn first(labels: &[Vec<u32>], logits: &[f32], top: Option<usize>) -> First {
    let mut known = distribution(labels, logits)?;
    if let Some(least) = top.and_then(|top| nth_largest(logits, top)) {
        match &mut known {
            Known::Next(next) => next
                .iter_mut()
                .zip(logits)
                .filter(|(_, logit)| **logit < least)
                .for_each(|(p, _)| *p = f64::NEG_INFINITY),
            Known::All(all) => {
                for (p, label) in all.iter_mut().zip(labels) {
                    let logit = label.first().and_then(|id| logits.get(*id as usize));
                    if logit.is_some_and(|logit| *logit < least) {
                        *p = 0.0;
                    }
                }
            }
        }
    }
    Ok(known)
}

/// The smallest of the `count` largest, where there are more.
fn nth_largest(logits: &[f32], count: usize) -> Option<f32> {
    let at = count.checked_sub(1).filter(|at| *at < logits.len())?;
    let mut all = logits.to_vec();
    let (_, found, _) = all.select_nth_unstable_by(at, |a, b| b.total_cmp(a));
    Some(*found)
}

fn distribution(labels: &[Vec<u32>], logits: &[f32]) -> First {
    if labels.iter().any(|l| l.len() != 1) {
        return log_probabilities(logits).map(Known::Next);
    }
    let log_sum = log_sum_exp(logits)?;
    let one = |label: &Vec<u32>| match logits.get(label[0] as usize) {
        Some(logit) => Ok((f64::from(*logit) - log_sum).exp()),
        None => Err(outside(label[0])),
    };
    labels
        .iter()
        .map(one)
        .collect::<Result<_, _>>()
        .map(Known::All)
}

fn outside(token: u32) -> String {
    format!("label token {token} is outside the vocabulary")
}

/// Probabilities of labels of several tokens: the product of the conditional ones; a label that
/// begins another does not swallow it: `P("1") = p(1) · (1 − p(0 | 1))`.
///
/// # Errors
/// What `after` says; a label outside the vocabulary.
pub fn onward(
    labels: &[Vec<u32>],
    next: &[f64],
    after: &mut After<'_>,
) -> Result<Vec<f64>, Stopped> {
    let mut probabilities = vec![0.0; labels.len()];
    let open: Vec<usize> = (0..labels.len()).collect();
    branch(labels, &open, &[], 1.0, next, after, &mut probabilities)?;
    Ok(probabilities)
}

/// `open` are the labels that begin with `so_far`, which has probability `reached`; `next` are the
/// log-probabilities after it.
fn branch(
    labels: &[Vec<u32>],
    open: &[usize],
    so_far: &[u32],
    reached: f64,
    next: &[f64],
    after: &mut After<'_>,
    probabilities: &mut [f64],
) -> Result<(), Stopped> {
    let depth = so_far.len();
    let token_of = |label: &usize| labels[*label].get(depth).copied();
    let mut tokens: Vec<u32> = open.iter().filter_map(token_of).collect();
    tokens.sort_unstable();
    tokens.dedup();
    let mut going_on = 0.0;
    for token in tokens {
        let log = next.get(token as usize);
        let p = log.ok_or_else(|| Stopped::Failed(outside(token)))?.exp();
        going_on += p;
        let under: Vec<usize> = open
            .iter()
            .copied()
            .filter(|l| token_of(l) == Some(token))
            .collect();
        if under.iter().all(|l| labels[*l].len() == depth + 1) {
            under.iter().for_each(|l| probabilities[*l] = reached * p);
            continue;
        }
        let longer = [so_far, &[token]].concat();
        let next = after(&longer)?;
        branch(
            labels,
            &under,
            &longer,
            reached * p,
            &next,
            after,
            probabilities,
        )?;
    }
    for label in open.iter().filter(|l| labels[**l].len() == depth) {
        probabilities[*label] = reached * (1.0 - going_on);
    }
    Ok(())
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

    #[test]
    fn a_label_that_begins_another_keeps_its_own_share() {
        // Vocabulary: 0 = "1", 1 = "0", 2 = "2".
        let labels = vec![vec![0], vec![2], vec![0, 1]];
        let next: Vec<f64> = [0.5, 0.2, 0.3f64].iter().map(|p| p.ln()).collect();
        let found = onward(&labels, &next, &mut |so_far| {
            assert_eq!(so_far, [0]);
            Ok([0.1, 0.4, 0.5f64].iter().map(|p| p.ln()).collect())
        });
        let found = found.unwrap_or_default();
        for (got, want) in found.iter().zip([0.5 * 0.6, 0.3, 0.5 * 0.4]) {
            assert!((got - want).abs() < 1e-12);
        }
    }

    #[test]
    fn labels_outside_the_likeliest_tokens_count_as_nothing() {
        let labels = [vec![0], vec![1], vec![2]];
        let Ok(Known::All(p)) = first(&labels, &[2.0, 1.0, 0.0, 3.0], Some(2)) else {
            panic!("single tokens are read at once");
        };
        let all: f64 = [2.0f64, 1.0, 0.0, 3.0].iter().map(|l| l.exp()).sum();
        assert!((p[0] - 2f64.exp() / all).abs() < 1e-12);
        assert_eq!(p[1..], [0.0, 0.0]);
    }

    #[test]
    fn logits_that_are_not_numbers_are_an_error() {
        assert!(first(&[vec![0]], &[f32::NAN, 1.0], None).is_err());
        assert!(first(&[vec![7]], &[0.0, 1.0], None).is_err());
        let Ok(Known::All(p)) = first(&[vec![0], vec![1]], &[0.0, 0.0], None) else {
            panic!("single tokens are read at once");
        };
        assert!((p[0] - 0.5).abs() < 1e-12 && (p[1] - 0.5).abs() < 1e-12);
    }
}

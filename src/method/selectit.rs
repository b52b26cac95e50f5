//! SelectIT (Liu et al. 2024, arXiv 2402.16705): how sure a model is of its own rating, as a score of training data.
//! Where the released code differs from the paper, [`Form::Released`] is what it does.

/// Which uncertainty counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Level {
    /// Of one rating prompt.
    Token,
    /// Of several rating prompts.
    Sentence,
    /// Of several models, each with several prompts.
    Model,
}

impl Level {
    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Level::Token => "token",
            Level::Sentence => "sentence",
            Level::Model => "model",
        }
    }
}

/// Whose formulas.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Form {
    /// The paper's.
    #[default]
    Paper,
    /// The released code's.
    Released,
}

/// Ratings and prompts of the released code.
pub const RELEASED_K: usize = 5;

/// Weights of the three models of the released code.
pub const RELEASED_WEIGHTS: [f64; 3] = [7.0 / 20.0, 13.0 / 20.0, 70.0 / 90.0];

/// The token-level score (equations 1–3) of a pair from the probabilities of the ratings 1 to K: the likeliest rating
/// (of equally likely ones the lowest) times its mean distance in probability from the others,
/// `base·Σ_k |P'_base − P'_k| / (K−1)` with `P'` renormalised. `None` for fewer than two ratings, and where they have
/// no probability at all.
pub fn token_score(probabilities: &[f64], form: Form) -> Option<f64> {
    let mass: f64 = probabilities.iter().sum();
    if probabilities.len() < 2 || !mass.is_finite() || mass <= 0.0 {
        return None;
    }
    let mut shares: Vec<f64> = probabilities.iter().map(|p| p / mass).collect();
    if form == Form::Released {
        // The released code takes the shares for logits.
        let sum: f64 = shares.iter().map(|p| p.exp()).sum();
        shares.iter_mut().for_each(|p| *p = p.exp() / sum);
    }
    let mut base = 0;
    for (at, share) in shares.iter().enumerate() {
        if *share > shares[base] {
            base = at;
        }
    }
    let distance: f64 = shares
        .iter()
        .map(|share| (shares[base] - share).abs())
        .sum();
    Some((base + 1) as f64 * distance / (shares.len() - 1) as f64)
}

/// The sentence-level score (equation 4) from the token-level scores of several prompts:
/// `mean / (1 + α·std)`, population standard deviation. `None` without a score.
pub fn sentence_score(token_scores: &[f64], alpha: f64) -> Option<f64> {
    if token_scores.is_empty() {
        return None;
    }
    let n = token_scores.len() as f64;
    let mean = token_scores.iter().sum::<f64>() / n;
    let variance = token_scores.iter().map(|s| (s - mean).powi(2)).sum::<f64>() / n;
    Some(mean / (1.0 + alpha * variance.sqrt()))
}

/// The models' weights (equation 5): their shares of all parameters, or the three of the released code.
///
/// # Errors
/// Other than three models for the released code; parameter counts that are not positive numbers.
pub fn weights(parameters: &[f64], form: Form) -> Result<Vec<f64>, String> {
    if form == Form::Released {
        return match parameters.len() {
            3 => Ok(RELEASED_WEIGHTS.to_vec()),
            other => Err(format!(
                "the released model level weighs exactly three judges, and {other} are given"
            )),
        };
    }
    if let Some(wrong) = parameters.iter().find(|p| !p.is_finite() || **p <= 0.0) {
        return Err(format!(
            "a judge with {wrong} parameters has no weight: state them with --params"
        ));
    }
    let sum: f64 = parameters.iter().sum();
    Ok(parameters.iter().map(|p| p / sum).collect())
}

/// The score of a pair from the token-level scores of each judge's prompts: of one prompt, of one judge's prompts, or
/// the weighted sum of all judges' (equations 3, 4 and 5). `None` where one is missing.
pub fn score(level: Level, judges: &[Vec<f64>], weights: &[f64], alpha: f64) -> Option<f64> {
    match level {
        Level::Token => judges.first()?.first().copied(),
        Level::Sentence => sentence_score(judges.first()?, alpha),
        Level::Model => judges
            .iter()
            .zip(weights)
            .map(|(scores, weight)| Some(weight * sentence_score(scores, alpha)?))
            .sum(),
    }
}

/// Indices of the `floor(n·proportion)` highest of n scores in descending order, of equal ones the higher index first.
/// What has no score counts among the n and is never chosen.
pub fn select(scores: &[Option<f64>], proportion: f64) -> Vec<usize> {
    let count = (scores.len() as f64 * proportion).floor() as usize;
    let mut chosen = ranked(scores);
    chosen.truncate(count);
    chosen
}

/// Indices of what has a score, in descending score, of equal ones the higher index first.
pub fn ranked(scores: &[Option<f64>]) -> Vec<usize> {
    let mut ranked: Vec<(f64, usize)> = scores
        .iter()
        .enumerate()
        .filter_map(|(at, score)| Some(((*score)?, at)))
        .collect();
    ranked.sort_by(|a, b| b.0.total_cmp(&a.0).then(b.1.cmp(&a.1)));
    ranked.into_iter().map(|(_, at)| at).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn near(got: Option<f64>, want: f64) {
        let got = got.unwrap();
        assert!((got - want).abs() < 1e-12, "{got} is not {want}");
    }

    #[test]
    fn a_sure_high_rating_scores_highest() {
        // Half of all probability is on the ratings: 0, 0.1, 0, 0.6, 0.3 of it.
        let p = [0.0, 0.05, 0.0, 0.3, 0.15];
        near(
            token_score(&p, Form::Paper),
            4.0 * (0.6 + 0.5 + 0.6 + 0.3) / 4.0,
        );
        let e: Vec<f64> = [0.0f64, 0.1, 0.0, 0.6, 0.3]
            .iter()
            .map(|p| p.exp())
            .collect();
        let sum: f64 = e.iter().sum();
        let distance: f64 = e.iter().map(|x| (e[3] - x) / sum).sum();
        near(token_score(&p, Form::Released), distance);
        near(token_score(&[0.0, 1.0], Form::Paper), 2.0);
        // The lowest of equals, which scores nothing.
        near(token_score(&[0.2, 0.2, 0.2], Form::Paper), 0.0);
        near(token_score(&[0.4, 0.0, 0.4], Form::Paper), 0.25);
        assert_eq!(token_score(&[0.0, 0.0], Form::Paper), None);
        assert_eq!(token_score(&[1.0], Form::Paper), None);
    }

    #[test]
    fn disagreement_of_prompts_lowers_a_score() {
        near(sentence_score(&[2.0, 4.0], 0.2), 3.0 / 1.2);
        near(sentence_score(&[3.0], 0.2), 3.0);
        assert_eq!(sentence_score(&[], 0.2), None);
    }

    #[test]
    fn larger_models_weigh_more() {
        let w = weights(&[1e9, 3e9], Form::Paper).unwrap();
        assert_eq!(w, [0.25, 0.75]);
        let judges = [vec![1.0, 1.0], vec![2.0, 4.0]];
        near(
            score(Level::Model, &judges, &w, 0.2),
            0.25 + 0.75 * 3.0 / 1.2,
        );
        near(score(Level::Sentence, &judges[1..], &[], 0.2), 3.0 / 1.2);
        near(score(Level::Token, &judges, &[], 0.2), 1.0);
        assert_eq!(score(Level::Model, &[vec![1.0], vec![]], &w, 0.2), None);
        let three = weights(&[1.0, 1.0, 1.0], Form::Released).unwrap();
        assert_eq!(three, [0.35, 0.65, 70.0 / 90.0]);
        assert!(
            weights(&[1.0, 2.0], Form::Released)
                .unwrap_err()
                .contains("2 are given")
        );
        assert!(weights(&[0.0], Form::Paper).is_err());
    }

    #[test]
    fn ties_go_to_the_higher_index() {
        let scores = [Some(1.0), Some(2.0), None, Some(1.0), Some(1.0)];
        assert_eq!(select(&scores, 0.6), [1, 4, 3]);
        assert_eq!(select(&scores, 1.0), [1, 4, 3, 0]);
        assert_eq!(select(&scores, 0.19), [] as [usize; 0]);
    }
}

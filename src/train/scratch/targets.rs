//! From each source's label to one absolute quality in [0, 9].
//!
//! Every map is monotone in its label. The anchor points: an unrelated answer is about 0, a refusal
//! about 1, a decent answer that loses to a strong reference 4–6, one that draws with GPT-4 Turbo
//! about 8, one that beats it 9.

/// `p`, the probability of beating the reference, where the annotator gives it from token
/// log-probabilities: most values are tiny and differ in their logarithm, but what counts is the
/// upper end. `(low, log, upper)` are the weights of 1, `1 + log₁₀(p)/7`, and `(p + √p)/2`.
fn from_continuous(p: f64, low: f64, log: f64, upper: f64) -> f64 {
    let p = p.clamp(1e-7, 1.0);
    low + log * (1.0 + p.log10() / 7.0) + upper * 0.5 * (p + p.sqrt())
}

/// Interpolates a three-valued `p` (0 loses, ½ draws, 1 wins).
fn from_three(p: f64, loses: f64, draws: f64, wins: f64) -> f64 {
    if p < 0.5 {
        loses + (draws - loses) * 2.0 * p
    } else {
        draws + (wins - draws) * (2.0 * p - 1.0)
    }
}

/// Quality of an AlpacaEval 2 response, `p` against GPT-4 Turbo.
pub fn against_gpt4_turbo(p: f64, annotator: &str) -> f64 {
    match annotator {
        "weighted_gpt4_turbo" => from_continuous(p, 4.0, 0.4, 4.6),
        _ => from_three(p, 4.2, 7.2, 8.6),
    }
}

/// Quality of an AlpacaEval 1 response, `p` against text-davinci-003.
pub fn against_davinci(p: f64) -> f64 {
    from_three(p, 3.6, 4.4, 5.2)
}

/// Quality of a sample, `p` against gpt-3.5-turbo.
pub fn against_gpt35(p: f64) -> f64 {
    from_continuous(p, 4.0, 0.4, 2.6)
}

/// Quality of an absolutely rated response, `share` its place between the ends of the source's
/// scale in [0, 1].
pub fn from_absolute(source: &str, share: f64) -> f64 {
    let share = share.clamp(0.0, 1.0);
    let (low, high) = match source {
        // Graded beside a strong reference, the whole scale used.
        "arena_bench_v1" => (0.5, 9.0),
        "vicuna80_gpt4_relative" | "vicuna80_gpt4_fastchat" => (0.0, 9.0),
        // Harsh raters: 6 of 10 is their upper quartile.
        "autoj_single_gpt4" => (1.0, 11.0),
        "mtbench_turn1_gpt4" => (0.5, 8.5),
        "prometheus_vicuna" | "prometheus_mtbench" => (1.5, 8.5),
        "just_eval_gpt4turbo" => (1.0, 7.5),
        "tulu_human_acceptable" => (1.5, 6.5),
        _ => (1.0, 8.0),
    };
    (low + (high - low) * share).clamp(0.0, 9.0)
}

/// A soft target over the digits whose mean is `quality`: linear interpolation between the two
/// nearest digits, a fifth of it spread one digit further on both sides where there is room.
pub fn digits(quality: f64) -> [f32; 10] {
    let quality = quality.clamp(0.0, 9.0);
    let lower = quality.floor().min(8.0);
    let upper_share = quality - lower;
    let mut target = [0.0; 10];
    for (digit, share) in [
        (lower as usize, 1.0 - upper_share),
        (lower as usize + 1, upper_share),
    ] {
        let spread = if (1..=8).contains(&digit) { 0.1 } else { 0.0 };
        target[digit] += (share * (1.0 - 2.0 * spread)) as f32;
        if spread > 0.0 {
            target[digit - 1] += (share * spread) as f32;
            target[digit + 1] += (share * spread) as f32;
        }
    }
    target
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn soft_targets_keep_their_mean() {
        for i in 0..=90 {
            let quality = f64::from(i) / 10.0;
            let target = digits(quality);
            let sum: f32 = target.iter().sum();
            let mean: f32 = target.iter().enumerate().map(|(d, p)| d as f32 * p).sum();
            assert!((sum - 1.0).abs() < 1e-6);
            assert!((f64::from(mean) - quality).abs() < 1e-5, "{quality} {mean}");
        }
    }

    #[test]
    fn every_map_is_monotone_and_stays_on_the_scale() {
        let steps: Vec<f64> = (0..=100).map(|i| f64::from(i) / 100.0).collect();
        let maps: Vec<Box<dyn Fn(f64) -> f64>> = vec![
            Box::new(|p| against_gpt4_turbo(p, "weighted_gpt4_turbo")),
            Box::new(|p| against_gpt4_turbo(p, "gpt4_turbo_fn")),
            Box::new(against_davinci),
            Box::new(against_gpt35),
            Box::new(|s| from_absolute("arena_bench_v1", s)),
            Box::new(|s| from_absolute("autoj_single_gpt4", s)),
            Box::new(|s| from_absolute("elsewhere", s)),
        ];
        for map in maps {
            for pair in steps.windows(2) {
                assert!(map(pair[0]) <= map(pair[1]) + 1e-12);
            }
            assert!(map(0.0) >= 0.0 && map(1.0) <= 9.0 + 1e-12);
        }
    }
}

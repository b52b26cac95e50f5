//! Where to stop answering, with a guarantee. Rows must be exchangeable: one an instruction.

use serde::{Deserialize, Serialize};
use statrs::distribution::{Binomial, DiscreteCDF};

/// What is promised of the threshold.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum Guarantee {
    /// With the confidence asked for, the risk among the answered is at most the target (Learn-then-Test,
    /// Angelopoulos et al. 2021).
    Pac,
    /// In expectation, at most the target's share of all questions is answered badly (conformal risk control,
    /// Angelopoulos et al. 2022).
    Expectation,
}

/// Answering the scores from `threshold` on.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Cut {
    pub threshold: f64,
    pub answered: usize,
    pub bad: usize,
}

/// Every threshold there is, from the fewest answered up; equal scores move together.
pub fn cuts(scores: &[f64], bad: &[bool]) -> Vec<Cut> {
    let mut rows: Vec<(f64, bool)> = scores
        .iter()
        .map(|s| s + 0.0)
        .zip(bad.iter().copied())
        .collect();
    rows.sort_unstable_by(|one, other| other.0.total_cmp(&one.0));
    let (mut answered, mut lost) = (0, 0);
    let cut = |block: &[(f64, bool)]| {
        answered += block.len();
        lost += block.iter().filter(|row| row.1).count();
        Cut {
            threshold: block[0].0,
            answered,
            bad: lost,
        }
    };
    rows.chunk_by(|one, other| one.0 == other.0)
        .map(cut)
        .collect()
}

/// Candidates that are tested.
const CANDIDATES: usize = 60;

/// Places among the candidates where a chain of tests starts; each has its share of the error allowed. One
/// chain from the fewest answered up would end at once where few answers tell little, or where the very
/// highest scores are the bad ones.
const CHAINS: usize = 4;

/// What calibration found.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub enum Found {
    /// The lowest threshold for which the guarantee holds.
    Threshold(f64),
    /// None; about so many labels would be needed, were the risk what it is here.
    NeedsLabels(usize),
    /// None: no threshold has a risk below the target on these rows.
    NotReachable,
}

/// The lowest threshold whose risk among the answered is at most `target` with probability `confidence` over
/// the draw of these rows. Candidates are chosen by scores alone, before a label is seen: numbers answered,
/// spread evenly from the fewest that could pass; each chain tests upward by the exact binomial and stops at its
/// first failure.
pub fn pac(scores: &[f64], bad: &[bool], target: f64, confidence: f64) -> Found {
    let all = cuts(scores, bad);
    let allowed = (1.0 - confidence) / CHAINS as f64;
    let fewest = (allowed.ln() / (-target).ln_1p()).ceil().max(1.0) as usize;
    let chosen = spread(&all, fewest);
    let passes = |cut: &Cut| tail(cut.answered, cut.bad, target) <= allowed;
    let passed: Vec<bool> = chosen.iter().map(passes).collect();
    // The last candidate that a chain reaches without a failure.
    let reached = (0..CHAINS).filter_map(|chain| {
        let start = chain * chosen.len() / CHAINS;
        let run = passed[start..].iter().take_while(|passed| **passed).count();
        run.checked_sub(1).map(|last| start + last)
    });
    if let Some(last) = reached.max() {
        return Found::Threshold(chosen[last].threshold);
    }
    let needed = |cut: &Cut| {
        let risk = cut.bad as f64 / cut.answered as f64;
        let enough = enough(risk, target, allowed)?;
        Some((enough / cut.answered as f64 * scores.len() as f64).ceil() as usize)
    };
    // Of few answers the risk is hardly known.
    let fewest = (scores.len() / 4).clamp(1, 20);
    let known = all.iter().filter(|cut| cut.answered >= fewest);
    match known.filter_map(needed).min() {
        Some(labels) => Found::NeedsLabels(labels.max(scores.len() + 1)),
        None => Found::NotReachable,
    }
}

/// About [`CANDIDATES`] of the cuts, evenly by the number answered.
fn spread(all: &[Cut], fewest: usize) -> Vec<Cut> {
    let able: Vec<Cut> = all
        .iter()
        .filter(|cut| cut.answered >= fewest)
        .copied()
        .collect();
    let (Some(first), Some(last)) = (able.first(), able.last()) else {
        return able;
    };
    let span = (last.answered - first.answered) as f64;
    let (mut chosen, mut next): (Vec<Cut>, f64) = (Vec::new(), 0.0);
    for cut in &able {
        let place = (cut.answered - first.answered) as f64;
        if place >= next || cut.answered == last.answered {
            chosen.push(*cut);
            next = place + span / CANDIDATES as f64;
        }
    }
    chosen
}

/// Answers at which a risk would be told to be below the target: by Chernoff's bound the p-value is at most
/// `exp(−n · KL(risk ‖ target))`.
fn enough(risk: f64, target: f64, allowed: f64) -> Option<f64> {
    if risk >= target {
        return None;
    }
    let part = |p: f64, q: f64| if p > 0.0 { p * (p / q).ln() } else { 0.0 };
    let divergence = part(risk, target) + part(1.0 - risk, 1.0 - target);
    Some((-allowed.ln() / divergence).ceil()).filter(|n| n.is_finite())
}

/// `P(X ≤ bad)` for `X` binomial of `answered` trials: the exact p-value of "the risk is above `target`".
pub fn tail(answered: usize, bad: usize, target: f64) -> f64 {
    if target <= 0.0 || bad >= answered {
        return 1.0;
    }
    if target >= 1.0 {
        return 0.0;
    }
    let draws = Binomial::new(target, answered as u64);
    draws.map_or(1.0, |draws| draws.cdf(bad as u64))
}

/// The lowest threshold at which `(n R + 1) / (n + 1) ≤ target`, `R` the share of all rows that are answered and
/// bad.
pub fn expectation(scores: &[f64], bad: &[bool], target: f64) -> Found {
    let n = scores.len() as f64;
    let holds = |cut: &&Cut| (cut.bad as f64 + 1.0) / (n + 1.0) <= target;
    match cuts(scores, bad).iter().take_while(holds).last() {
        Some(cut) => Found::Threshold(cut.threshold),
        // Not even one bad answer in n + 1 may be.
        None if 1.0 / (n + 1.0) > target => Found::NeedsLabels((1.0 / target).ceil() as usize - 1),
        None => Found::NotReachable,
    }
}

/// The lowest threshold whose risk among the answered is at most the target on these rows; nothing is promised
/// of others.
pub fn observed(scores: &[f64], bad: &[bool], target: f64) -> Found {
    let holds = |cut: &&Cut| cut.bad as f64 <= target * cut.answered as f64;
    match cuts(scores, bad).iter().rfind(holds) {
        Some(cut) => Found::Threshold(cut.threshold),
        None => Found::NotReachable,
    }
}

/// The highest threshold that answers at least this share.
pub fn covering(scores: &[f64], coverage: f64) -> Option<f64> {
    let all = cuts(scores, &vec![false; scores.len()]);
    let enough = |cut: &&Cut| cut.answered as f64 >= coverage * scores.len() as f64;
    all.iter().find(enough).map(|cut| cut.threshold)
}

/// What a threshold does to labelled rows.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Confusion {
    pub answered_good: usize,
    pub answered_bad: usize,
    pub declined_good: usize,
    pub declined_bad: usize,
}

impl Confusion {
    /// Counts the rows; scores `≥ threshold` are answered.
    pub fn of(scores: &[f64], bad: &[bool], threshold: f64) -> Self {
        let count = |answered: bool, is_bad: bool| {
            let rows = scores.iter().zip(bad);
            rows.filter(|(s, b)| (**s >= threshold) == answered && **b == is_bad)
                .count()
        };
        Confusion {
            answered_good: count(true, false),
            answered_bad: count(true, true),
            declined_good: count(false, false),
            declined_bad: count(false, true),
        }
    }

    /// Share answered.
    pub fn coverage(&self) -> Option<f64> {
        let answered = self.answered_good + self.answered_bad;
        let all = answered + self.declined_good + self.declined_bad;
        (all > 0).then(|| answered as f64 / all as f64)
    }

    /// Share of bad ones among the answered.
    pub fn risk(&self) -> Option<f64> {
        let answered = self.answered_good + self.answered_bad;
        (answered > 0).then(|| self.answered_bad as f64 / answered as f64)
    }
}

/// Wilson's interval of a share (Wilson 1927) at 95 %.
pub fn wilson(part: usize, whole: usize) -> Option<(f64, f64)> {
    const Z: f64 = 1.959_963_984_540_054;
    let n = whole as f64;
    (whole > 0).then(|| {
        let share = part as f64 / n;
        let centre = (share + Z * Z / (2.0 * n)) / (1.0 + Z * Z / n);
        let half =
            Z * (share * (1.0 - share) / n + Z * Z / (4.0 * n * n)).sqrt() / (1.0 + Z * Z / n);
        ((centre - half).max(0.0), (centre + half).min(1.0))
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::stats::bootstrap::SplitMix64;

    #[test]
    fn the_tail_is_the_binomial() {
        // scipy.stats.binom.cdf
        for (n, k, p, want) in [
            (20, 1, 0.1, 0.391_746_998_125_167_9),
            (20, 0, 0.1, 0.121_576_654_590_569_25),
            (100, 3, 0.1, 0.007_836_487_121_184_42),
            (1000, 70, 0.1, 0.000_574_495_840_837_968_9),
            (5000, 400, 0.1, 6.637_258_549_851_375e-7),
            (37, 5, 0.05, 0.990_458_442_725_384),
        ] {
            let found = tail(n, k, p);
            assert!((found / want - 1.0).abs() < 1e-9, "{n} {k} {p}: {found}");
        }
        assert_eq!(tail(5, 5, 0.1), 1.0);
        assert_eq!(tail(0, 0, 0.1), 1.0);
    }

    /// A population: a score, and the risk at that score.
    struct Population {
        name: &'static str,
        draw: fn(&mut SplitMix64) -> f64,
        risk: fn(f64) -> f64,
    }

    fn uniform(random: &mut SplitMix64) -> f64 {
        (random.next_u64() >> 11) as f64 / (1u64 << 53) as f64
    }

    const POPULATIONS: [Population; 4] = [
        Population {
            name: "continuous",
            draw: uniform,
            risk: |s| 0.35 * (1.0 - s),
        },
        Population {
            name: "discrete",
            draw: |random| (uniform(random) * 10.0).floor(),
            risk: |s| if s >= 4.0 { 0.03 } else { 0.4 },
        },
        Population {
            name: "tied at the top",
            draw: |random| uniform(random).min(0.6),
            risk: |s| if s >= 0.6 { 0.02 } else { 0.5 - 0.6 * s },
        },
        Population {
            name: "not monotone",
            draw: uniform,
            risk: |s| if s > 0.97 { 0.6 } else { 0.3 * (1.0 - s) },
        },
    ];

    /// Risk among the answered and share answered of a large sample, by threshold.
    fn truth(sample: &[(f64, f64)], threshold: f64) -> (f64, f64) {
        let answered: Vec<f64> = sample
            .iter()
            .filter(|x| x.0 >= threshold)
            .map(|x| x.1)
            .collect();
        let risk = answered.iter().sum::<f64>() / answered.len().max(1) as f64;
        (risk, answered.len() as f64 / sample.len() as f64)
    }

    #[test]
    fn the_guarantee_holds_and_answers_nearly_all_it_may() {
        let (target, draws, rows) = (0.1, 1000, 4000);
        for population in POPULATIONS {
            let mut random = SplitMix64(7);
            let mut sample: Vec<(f64, f64)> = (0..20_000)
                .map(|_| {
                    let score = (population.draw)(&mut random);
                    (score, (population.risk)(score))
                })
                .collect();
            sample.sort_unstable_by(|a, b| b.0.total_cmp(&a.0));
            let mut oracle: f64 = 0.0;
            let (mut lost, mut n) = (0.0, 0.0);
            for block in sample.chunk_by(|a, b| a.0 == b.0) {
                lost += block.iter().map(|x| x.1).sum::<f64>();
                n += block.len() as f64;
                if lost / n <= target {
                    oracle = n / sample.len() as f64;
                }
            }
            let (mut violations, mut covered) = (0, 0.0);
            for _ in 0..draws {
                let scores: Vec<f64> = (0..rows).map(|_| (population.draw)(&mut random)).collect();
                let bad: Vec<bool> = scores
                    .iter()
                    .map(|s| uniform(&mut random) < (population.risk)(*s))
                    .collect();
                if let Found::Threshold(threshold) = pac(&scores, &bad, target, 0.95) {
                    let (risk, coverage) = truth(&sample, threshold);
                    violations += usize::from(risk > target);
                    covered += coverage / draws as f64;
                }
            }
            assert!(violations <= 66, "{}: {violations}", population.name);
            assert!(
                covered >= 0.8 * oracle,
                "{}: {covered} of {oracle}",
                population.name
            );
        }
    }

    #[test]
    fn in_expectation_at_most_the_target_is_answered_badly() {
        let (target, draws, rows) = (0.1, 1000, 200);
        let mut random = SplitMix64(3);
        let mut total = 0.0;
        for _ in 0..draws {
            let mut one = || {
                let score = uniform(&mut random);
                (score, uniform(&mut random) < 0.5 * (1.0 - score))
            };
            let (scores, bad): (Vec<f64>, Vec<bool>) = (0..rows).map(|_| one()).unzip();
            let Found::Threshold(threshold) = expectation(&scores, &bad, target) else {
                panic!("200 labels are enough");
            };
            // ∫ from the threshold to 1 of the risk.
            total += 0.25 * (1.0 - threshold).powi(2);
        }
        let mean = total / f64::from(draws);
        assert!(mean <= target + 0.003 && mean > 0.8 * target, "{mean}");
    }

    #[test]
    fn too_few_labels_are_said_so() {
        let scores: Vec<f64> = (0..20).map(f64::from).collect();
        let good = vec![false; 20];
        let Found::NeedsLabels(labels) = pac(&scores, &good, 0.1, 0.95) else {
            panic!("20 rows prove nothing at 95 %");
        };
        assert!((30..100).contains(&labels), "{labels}");
        assert_eq!(pac(&scores, &[true; 20], 0.1, 0.95), Found::NotReachable);
        assert_eq!(
            expectation(&scores[..5], &good[..5], 0.1),
            Found::NeedsLabels(9)
        );
        assert_eq!(expectation(&scores, &good, 0.1), Found::Threshold(0.0));
        assert_eq!(observed(&scores, &[true; 20], 0.1), Found::NotReachable);
        assert_eq!(covering(&scores, 0.5), Some(10.0));
        assert_eq!(pac(&[], &[], 0.1, 0.95), Found::NotReachable);
    }

    proptest! {
        #[test]
        fn a_higher_target_never_answers_less(
            rows in proptest::collection::vec((0u8..20, proptest::bool::ANY), 30..120)
        ) {
            let scores: Vec<f64> = rows.iter().map(|row| f64::from(row.0)).collect();
            let bad: Vec<bool> = rows.iter().map(|row| row.1).collect();
            let at = |target| match expectation(&scores, &bad, target) {
                Found::Threshold(threshold) => threshold,
                _ => f64::INFINITY,
            };
            prop_assert!(at(0.3) <= at(0.1));
        }
    }

    #[test]
    fn counts_and_shares() {
        let found = Confusion::of(&[3.0, 2.0, 2.0, 1.0], &[false, true, false, true], 2.0);
        assert_eq!((found.answered_good, found.answered_bad), (2, 1));
        assert_eq!((found.declined_good, found.declined_bad), (0, 1));
        assert_eq!(
            (found.coverage(), found.risk()),
            (Some(0.75), Some(1.0 / 3.0))
        );
        // statsmodels.stats.proportion.proportion_confint(8, 10, method="wilson")
        let (low, high) = wilson(8, 10).unwrap();
        assert!(
            (low - 0.490_162_5).abs() < 1e-6 && (high - 0.943_317_8).abs() < 1e-6,
            "{low} {high}"
        );
        assert_eq!(wilson(0, 0), None);
    }
}

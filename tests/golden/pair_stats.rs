//! Statistics of judged pairs against scipy, choix, statsmodels, scikit-learn and AlpacaEval's own code.

use juror::stats::pairwise::length_controlled::length_controlled;
use juror::stats::pairwise::verdicts::{Rows, agreement};
use juror::stats::pairwise::{Draws, Games, WinMatrix, bradley_terry};
use serde_json::Value;

use super::here;

const POINTS_ALONE: Draws = Draws { rounds: 0, seed: 0 };

fn golden() -> Value {
    let text = std::fs::read_to_string(here("pair_stats.json")).unwrap();
    serde_json::from_str(&text).unwrap()
}

fn column<T: serde::de::DeserializeOwned>(case: &Value, name: &str) -> Vec<T> {
    serde_json::from_value(case[name].clone()).unwrap()
}

#[test]
fn ratings_equal_scipy_choix_and_statsmodels() {
    for case in golden()["bradley_terry"].as_array().unwrap() {
        let (one, other): (Vec<usize>, Vec<usize>) = (column(case, "one"), column(case, "other"));
        let won: Vec<f64> = column(case, "won");
        let instruction: Vec<usize> = (0..won.len()).collect();
        let games = Games {
            one: &one,
            other: &other,
            won: &won,
            instruction: &instruction,
            generators: case["generators"].as_u64().unwrap() as usize,
        };
        let matrix = WinMatrix::of_all(&games);
        let found = bradley_terry::fit(&matrix).unwrap();
        let want: Vec<f64> = column(case, "logits");
        for (found, want) in found.iter().zip(&want) {
            assert!((found - want).abs() < 1e-7, "{found} {want}");
        }
        let rates: Vec<Vec<Option<f64>>> = column(case, "rates");
        for (a, rates) in rates.iter().enumerate() {
            for (b, want) in rates.iter().enumerate() {
                match (matrix.rate(a, b), want) {
                    (Some(found), Some(want)) => assert!((found - want).abs() < 1e-12),
                    (found, want) => assert_eq!(found, *want),
                }
            }
        }
    }
}

#[test]
fn length_controlled_win_rates_equal_alpaca_eval() {
    for case in golden()["length_controlled"].as_array().unwrap() {
        let theirs: Vec<f64> = column(case, "theirs");
        let generators = case["generators"].as_array().unwrap();
        let baseline = generators.len();
        let (mut one, mut other, mut won, mut instruction) = (vec![], vec![], vec![], vec![]);
        let (mut length_one, mut length_other) = (vec![], vec![]);
        for (at, generator) in generators.iter().enumerate() {
            let own: Vec<f64> = column(generator, "own");
            for (row, own_won) in column::<f64>(generator, "won").into_iter().enumerate() {
                one.push(at);
                other.push(baseline);
                won.push(own_won);
                instruction.push(row);
                length_one.push(own[row]);
                length_other.push(theirs[row]);
            }
        }
        let games = Games {
            one: &one,
            other: &other,
            won: &won,
            instruction: &instruction,
            generators: baseline + 1,
        };
        let lengths = (&length_one[..], &length_other[..]);
        let found = length_controlled(&games, lengths, baseline, POINTS_ALONE, |_| Vec::new());
        assert_eq!(found.difficulty_kept, baseline > 1);
        for (found, want) in found.generators.iter().zip(generators) {
            let model = found.model.unwrap();
            let equal = |name: &str, found: f64, within: f64| {
                let want = want[name].as_f64().unwrap();
                assert!((found - want).abs() < within, "{name}: {found} {want}");
            };
            equal("win_rate", found.win_rate.estimate, 1e-12);
            equal("c", model.c, 1e-6);
            // The length of the baseline minus that of the model there.
            equal("length", -model.length, 1e-5);
            equal("model", model.model, 1e-5);
            if let Some(difficulty) = model.difficulty {
                equal("difficulty", difficulty, 1e-5);
            }
            let rate = found.length_controlled.unwrap().estimate;
            equal("length_controlled", rate, 1e-6);
        }
    }
}

#[test]
fn difficulties_equal_scikit_learn() {
    use juror::stats::pairwise::difficulty::{Rows, difficulty};
    for case in golden()["length_controlled"].as_array().unwrap() {
        let generators = case["generators"].as_array().unwrap();
        if generators.len() < 2 {
            continue;
        }
        let theirs: Vec<f64> = column(case, "theirs");
        let n = theirs.len() as f64;
        let (mut generator, mut instruction, mut longer, mut won) =
            (vec![], vec![], vec![], vec![]);
        for (at, one) in generators.iter().enumerate() {
            let own: Vec<f64> = column(one, "own");
            let by: Vec<f64> = own.iter().zip(&theirs).map(|(a, b)| a - b).collect();
            let mean = by.iter().sum::<f64>() / n;
            let deviation = by.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / (n - 1.0);
            longer.extend(by.iter().map(|x| (x / deviation.sqrt()).tanh()));
            won.extend(column::<f64>(one, "won"));
            generator.extend(std::iter::repeat_n(at, theirs.len()));
            instruction.extend(0..theirs.len());
        }
        let rows = Rows {
            generator: &generator,
            instruction: &instruction,
            longer: &longer,
            won: &won,
        };
        let found = difficulty(&rows, generators.len(), theirs.len()).unwrap();
        let want: Vec<f64> = column(case, "difficulty");
        for (found, want) in found.iter().zip(&want) {
            assert!((found - want).abs() < 1e-8, "{found} {want}");
        }
    }
}

#[test]
fn agreement_equals_scikit_learn() {
    let golden = golden();
    let case = &golden["agreement"];
    let (verdict, label): (Vec<f64>, Vec<f64>) = (column(case, "verdict"), column(case, "label"));
    let cluster: Vec<usize> = (0..label.len()).collect();
    let rows = Rows {
        verdict: &verdict,
        label: &label,
        cluster: &cluster,
    };
    let found = agreement(&rows, POINTS_ALONE);
    for (found, name) in [(found.accuracy, "accuracy"), (found.kappa, "kappa")] {
        let want = case[name].as_f64().unwrap();
        assert!((found.unwrap().estimate - want).abs() < 1e-12, "{name}");
    }
}

//! What a judge is trained on (Ye & Ng 2024, §3.4): responses with digits for targets, shown with the reference
//! and without.

use serde::Serialize;

use crate::data::Subject;
use crate::judge::{JudgeError, Template, TemplateSet};
use crate::stats::normalize::{Method, Normalizer};

/// Digits, from 0 on.
const BINS: usize = 10;

/// One row of a training file, as the authors' trainer reads it: the prompt `instruction`, then
/// `\n\n### Response:`, then at once `output`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Row {
    pub id: usize,
    /// The whole judge prompt.
    pub instruction: String,
    /// Empty.
    pub input: &'static str,
    /// The digit.
    pub output: String,
}

/// Which numbers make the targets: the paper's choice, or one of its ablations.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
#[value(rename_all = "snake_case")]
pub enum Target {
    /// Both, normalised and added.
    #[default]
    Fused,
    SelfEval,
    Cosine,
}

/// What responses are worth, on a scale of their own: the chosen signals, normalised on all of these. `None` where
/// one does not vary, so that it cannot be normalised.
pub fn quality(
    (self_eval, ends): (&[f64], (f64, f64)),
    cosine: &[f64],
    target: Target,
    method: Method,
    weight: f64,
) -> Option<Vec<f64>> {
    let weight = match target {
        Target::Fused => weight,
        Target::SelfEval => 0.0,
        Target::Cosine => 1.0,
    };
    let normalized = |values: &[f64], ends, weight: f64| -> Option<Vec<f64>> {
        if weight == 0.0 {
            return Some(vec![0.0; values.len()]);
        }
        let fitted = Normalizer::fit(method, values, ends)?;
        Some(values.iter().map(|x| weight * fitted.at(*x)).collect())
    };
    let one = normalized(self_eval, ends, 1.0 - weight)?;
    let other = normalized(cosine, (-1.0, 1.0), weight)?;
    Some(one.iter().zip(other).map(|(a, b)| a + b).collect())
}

/// The digit of each value: ten bins of as nearly equal count as can be, the earlier of equal values lower.
pub fn digits(quality: &[f64]) -> Vec<usize> {
    let mut order: Vec<usize> = (0..quality.len()).collect();
    order.sort_by(|a, b| quality[*a].total_cmp(&quality[*b]));
    let mut found = vec![0; quality.len()];
    for (rank, row) in order.into_iter().enumerate() {
        found[row] = rank * BINS / quality.len();
    }
    found
}

/// A response as a row of both files.
///
/// # Errors
/// Templates that do not serve both modes.
pub fn rows(
    templates: &TemplateSet,
    subject: &Subject,
    id: usize,
    digit: usize,
) -> Result<[Row; 2], JudgeError> {
    let row = |template: &Option<Template>, mode: &str| {
        let template = template.as_ref().ok_or_else(|| JudgeError::Template {
            name: templates.name.clone(),
            cause: format!("there is none {mode}: both files need one"),
        })?;
        let pieces = template.fill(subject);
        let prompt: String = pieces.iter().map(|piece| piece.text.as_str()).collect();
        Ok::<_, JudgeError>(Row {
            id,
            instruction: prompt.trim_end().to_owned(),
            input: "",
            output: digit.to_string(),
        })
    };
    Ok([
        row(&templates.reference, "with {reference}")?,
        row(&templates.free, "without {reference}")?,
    ])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bins_hold_equally_many() {
        let values: Vec<f64> = (0..105).map(|i| f64::from(i * 37 % 105)).collect();
        let found = digits(&values);
        for digit in 0..10 {
            let count = found.iter().filter(|d| **d == digit).count();
            assert!((10..=11).contains(&count), "{digit}: {count}");
        }
        for (value, digit) in values.iter().zip(&found) {
            assert_eq!(*digit, *value as usize * 10 / 105);
        }
        assert_eq!(digits(&[5.0, 5.0]), [0, 5]);
        assert_eq!(digits(&[]), Vec::<usize>::new());
    }

    #[test]
    fn ablations_leave_the_other_signal_out() {
        let (one, other) = ([0.0, 9.0, 4.5], [0.2, 0.2, 0.2]);
        let of = |target, method| quality((&one, (0.0, 9.0)), &other, target, method, 0.5);
        assert_eq!(
            of(Target::SelfEval, Method::Minmax),
            Some(vec![0.0, 1.0, 0.5])
        );
        assert_eq!(of(Target::Fused, Method::Zscore), None);
        assert_eq!(of(Target::Cosine, Method::Range), Some(vec![0.6; 3]));
        let fused = of(Target::Fused, Method::Range).unwrap();
        assert!((fused[1] - 0.8).abs() < 1e-15);
    }

    #[test]
    fn both_rows_have_one_id_and_digit() {
        let subject = Subject {
            instruction: "Add 1 and 2.".into(),
            reference: Some("THREE".into()),
            response: "four".into(),
            ..Subject::default()
        };
        let [with, without] = rows(&TemplateSet::standard().unwrap(), &subject, 7, 3).unwrap();
        assert_eq!((with.id, with.output.as_str()), (7, "3"));
        assert_eq!((without.id, without.output.as_str()), (7, "3"));
        assert!(with.instruction.contains("THREE") && !without.instruction.contains("THREE"));
        assert!(
            without.instruction.contains("Add 1 and 2.") && without.instruction.contains("four")
        );
        assert!(!with.instruction.ends_with(' '));
    }
}

//! The labels a template asks for, and their values.

use crate::data::LabelDistribution;

/// Labels from worst to best.
#[derive(Clone, Debug, PartialEq)]
pub struct Scale {
    /// As the judge writes them.
    pub labels: Vec<String>,
    /// What each is worth.
    pub values: Vec<f64>,
}

impl Scale {
    /// Integers 0–9, Self-J's scale.
    pub fn digits() -> Self {
        Scale {
            labels: (0..10).map(|d| d.to_string()).collect(),
            values: (0..10).map(f64::from).collect(),
        }
    }

    /// Labels that are numbers themselves.
    ///
    /// # Errors
    /// Fewer than two labels, or one that is not a number.
    pub fn from_labels(labels: Vec<String>) -> Result<Self, String> {
        let values = labels
            .iter()
            .map(|l| {
                l.trim()
                    .parse()
                    .map_err(|_| format!("label `{l}` is not a number"))
            })
            .collect::<Result<Vec<f64>, _>>()?;
        if values.len() < 2 {
            return Err("a scale needs at least two labels".into());
        }
        if values.iter().any(|v| !v.is_finite()) {
            return Err("labels must be finite numbers".into());
        }
        let mut sorted = values.clone();
        sorted.sort_by(f64::total_cmp);
        if sorted.windows(2).any(|pair| pair[0] == pair[1]) {
            return Err("two labels have the same value".into());
        }
        Ok(Scale { labels, values })
    }

    /// Smallest and largest value.
    pub fn ends(&self) -> (f64, f64) {
        let fold = |f: fn(f64, f64) -> f64, start| self.values.iter().copied().fold(start, f);
        (
            fold(f64::min, f64::INFINITY),
            fold(f64::max, f64::NEG_INFINITY),
        )
    }

    /// The distribution over the labels from their probabilities over the whole vocabulary:
    /// renormalised, with the mass they hold (Ye & Ng 2024: `Σ d·p_d / Σ p_d`). Whoever has computed the
    /// labels alone knows no mass.
    pub fn distribution(&self, probabilities: &[f64]) -> LabelDistribution {
        let mass: f64 = probabilities.iter().sum();
        let share = |p: &f64| match mass > 0.0 {
            true => p / mass,
            false => 1.0 / probabilities.len() as f64,
        };
        LabelDistribution {
            labels: self.labels.clone(),
            values: self.values.clone(),
            probs: probabilities.iter().map(share).collect(),
            mass: Some(mass),
            missing: None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_expectation_is_over_the_labels_alone() {
        let scale = Scale::digits();
        let mut p = vec![0.0; 10];
        (p[4], p[8]) = (0.1, 0.3);
        let d = scale.distribution(&p);
        assert!((d.mean() - 7.0).abs() < 1e-12);
        assert!((d.mass.unwrap() - 0.4).abs() < 1e-12);
        assert!((d.std() - 3.0f64.sqrt()).abs() < 1e-12);
        assert!((d.entropy() - (-(0.25f64.ln() * 0.25 + 0.75f64.ln() * 0.75))).abs() < 1e-12);
        assert_eq!(scale.ends(), (0.0, 9.0));
    }

    #[test]
    fn labels_must_be_numbers() {
        let of = |l: &[&str]| Scale::from_labels(l.iter().map(|s| (*s).to_owned()).collect());
        assert_eq!(of(&["1", "2", "10"]).unwrap().values, [1.0, 2.0, 10.0]);
        assert!(of(&["good", "bad"]).is_err());
        assert!(of(&["1"]).is_err());
        assert!(of(&["5", "5.0"]).is_err());
        assert!(of(&["1", "inf"]).is_err());
    }
}

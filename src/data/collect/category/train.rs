//! Fits the classifier: multinomial logistic regression by AdaGrad.

use super::{Category, PLACES, Weights, features, softmax};
use crate::data::collect::hash::mix;

/// A task with its category; how much it counts.
#[derive(Clone, Debug, PartialEq)]
pub struct Example {
    /// With its input.
    pub task: String,
    /// What it is.
    pub category: Category,
    /// Beside 1.
    pub weight: f32,
}

/// How to fit.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Settings {
    /// Passes over the examples.
    pub epochs: usize,
    /// Length of a step.
    pub rate: f32,
    /// Pull towards zero.
    pub decay: f32,
    /// Order of the examples.
    pub seed: u64,
}

impl Default for Settings {
    fn default() -> Self {
        Settings {
            epochs: 10,
            rate: 0.3,
            decay: 2e-5,
            seed: 0,
        }
    }
}

/// Fits weights to examples; categories count alike, however many examples each has.
pub fn fit(examples: &[Example], settings: &Settings) -> Weights {
    let seen: Vec<(Vec<u32>, f32)> = examples
        .iter()
        .map(|example| features(&example.task))
        .collect();
    let mut mass = [0.0f32; 3];
    for example in examples {
        mass[example.category as usize] += example.weight;
    }
    let mean = mass.iter().sum::<f32>() / 3.0;
    let mut weights = [const { Vec::new() }; 3];
    let mut squares = [const { Vec::new() }; 3];
    for (weights, squares) in weights.iter_mut().zip(&mut squares) {
        *weights = vec![0.0f32; PLACES];
        *squares = vec![1e-6f32; PLACES];
    }
    let mut bias = [0.0f32; 3];
    for epoch in 0..settings.epochs {
        let mut order: Vec<usize> = (0..examples.len()).collect();
        order.sort_by_key(|at| mix(settings.seed ^ (epoch as u64) << 32 ^ *at as u64));
        for at in order {
            let (example, (places, value)) = (&examples[at], &seen[at]);
            let target = example.category as usize;
            let mut scores = bias;
            for (score, weights) in scores.iter_mut().zip(&weights) {
                *score += value
                    * places
                        .iter()
                        .map(|place| weights[*place as usize])
                        .sum::<f32>();
            }
            let shares = softmax(scores);
            let counts = example.weight * mean / mass[target].max(1e-6);
            for class in 0..3 {
                let error = counts * (shares[class] - f32::from(u8::from(class == target)));
                bias[class] -= 0.01 * error;
                for place in places {
                    let place = *place as usize;
                    let slope = error * value + settings.decay * weights[class][place];
                    squares[class][place] += slope * slope;
                    weights[class][place] -= settings.rate * slope / squares[class][place].sqrt();
                }
            }
        }
    }
    Weights::of(&weights, bias)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_taught_is_known() {
        let example = |task: &str, category| Example {
            task: task.into(),
            category,
            weight: 1.0,
        };
        let examples = [
            example("bake a cake", Category::Common),
            example("invite a friend", Category::Common),
            example("sort an array in rust", Category::Coding),
            example("debug this loop", Category::Coding),
            example("derive the formula", Category::Academic),
            example("state the theorem", Category::Academic),
        ];
        let weights = fit(&examples, &Settings::default());
        for example in &examples {
            assert_eq!(weights.classify(&example.task).0, example.category);
        }
        assert_eq!(weights, fit(&examples, &Settings::default()));
    }
}

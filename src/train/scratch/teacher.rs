//! The surface ridge as a teacher beside the labels.
//!
//! A label is one noisy number for a response that training meets again and again; a small decoder
//! learns it by heart. What the ridge says is smooth in things that carry over to new instructions,
//! and it can be asked about any response, altered ones too.

use std::collections::{HashMap, HashSet};

use anyhow::{Result, anyhow};

use super::corpus::{Answer, Group, Origin};
use crate::stats::surface::{Baseline, Triple, fit_baseline};

/// Ridges fitted on the rated responses, and the rarity of words.
#[derive(Debug)]
pub struct Teacher {
    beside: Baseline,
    alone: Baseline,
    /// ln(texts / texts with the word).
    rarity: HashMap<String, f64>,
    /// Of a word that no text has.
    rarest: f64,
}

fn words(text: &str) -> HashSet<String> {
    text.split(|c: char| !c.is_alphanumeric())
        .filter(|w| !w.is_empty())
        .map(str::to_lowercase)
        .collect()
}

impl Teacher {
    /// Fits on the AlpacaEval 2 answers with their first reference, whole instructions left out to
    /// choose the penalty.
    ///
    /// # Errors
    /// When there are too few rows.
    pub fn fit(groups: &[Group]) -> Result<Self> {
        let (mut triples, mut targets, mut ids) = (Vec::new(), Vec::new(), Vec::new());
        for (id, group) in groups.iter().enumerate() {
            let Some(reference) = group.references.first() else {
                continue;
            };
            for answer in &group.answers {
                if let (Origin::AlpacaEval2, Some(quality)) = (answer.origin, answer.quality) {
                    triples.push(Triple {
                        instruction: &group.task,
                        reference: Some(reference),
                        response: &answer.text,
                    });
                    targets.push(quality);
                    ids.push(id);
                }
            }
        }
        let few = || anyhow!("too few rated responses to fit the surface ridge");
        let beside = fit_baseline(&triples, &targets, &ids).ok_or_else(few)?;
        for triple in &mut triples {
            triple.reference = None;
        }
        let alone = fit_baseline(&triples, &targets, &ids).ok_or_else(few)?;
        let mut texts: HashMap<String, f64> = HashMap::new();
        for group in groups {
            let all = std::iter::once(&group.task).chain(group.references.first());
            for word in all.flat_map(|text| words(text)).collect::<HashSet<_>>() {
                *texts.entry(word).or_default() += 1.0;
            }
        }
        let count = groups.len().max(2) as f64;
        Ok(Teacher {
            beside,
            alone,
            rarity: texts
                .into_iter()
                .map(|(word, n)| (word, (count / n).ln()))
                .collect(),
            rarest: count.ln(),
        })
    }

    /// Quality in [0, 9] by surface.
    pub fn rate(&self, triple: &Triple) -> f64 {
        let ridge = match triple.reference {
            Some(_) => &self.beside,
            None => &self.alone,
        };
        ridge.score(triple).unwrap_or(0.0).clamp(0.0, 9.0)
    }

    /// Quality in [0, 9] of an answer of the kind the ridge is fitted on.
    pub fn expected(&self, group: &Group, answer: &Answer) -> Option<f64> {
        let reference = group.references.first()?;
        (answer.origin == Origin::AlpacaEval2).then(|| {
            self.rate(&Triple {
                instruction: &group.task,
                reference: Some(reference),
                response: &answer.text,
            })
        })
    }

    /// Quality in [0, 9] of a short answer by the rare words it shares with a short reference: beside
    /// a few sentences, an answer that says something else is mostly wrong. 9 without a reference.
    pub fn agreement(&self, triple: &Triple) -> f64 {
        const STEPS: [(f64, f64); 5] = [
            (0.04, 0.5),
            (0.13, 1.2),
            (0.29, 7.5),
            (0.45, 8.5),
            (0.6, 9.0),
        ];
        let Some(reference) = triple.reference else {
            return 9.0;
        };
        let (f1, _) = self.rare_overlap(triple.response, reference);
        let next = STEPS.partition_point(|(x, _)| *x < f1);
        match (
            next.checked_sub(1).and_then(|i| STEPS.get(i)),
            STEPS.get(next),
        ) {
            (None, _) => 0.5,
            (Some(_), None) => 9.0,
            (Some((x0, y0)), Some((x1, y1))) => y0 + (y1 - y0) * (f1 - x0) / (x1 - x0),
        }
    }

    /// What a rated position should know of its response: standardised surface features, and
    /// beside a reference first how much of its rare words the response shares.
    pub fn features(&self, triple: &Triple) -> Vec<f32> {
        let rest = self.beside.standardised(triple);
        let known = match triple.reference {
            Some(reference) => {
                let (f1, precision) = self.rare_overlap(triple.response, reference);
                [f1, precision].map(|x| (x - 0.35) / 0.2)
            }
            None => {
                let (f1, precision) = self.rare_overlap(triple.response, triple.instruction);
                [f1, precision].map(|x| (x - 0.2) / 0.15)
            }
        };
        known.into_iter().chain(rest).map(|x| x as f32).collect()
    }

    /// F1 and precision of the distinct words, each weighing its rarity.
    fn rare_overlap(&self, text: &str, other: &str) -> (f64, f64) {
        let weight = |word: &String| *self.rarity.get(word).unwrap_or(&self.rarest);
        let (text, other) = (words(text), words(other));
        let shared: f64 = text.intersection(&other).map(weight).sum();
        let own: f64 = text.iter().map(weight).sum();
        let theirs: f64 = other.iter().map(weight).sum();
        let share = |a: f64, b: f64| if b > 0.0 { a / b } else { 0.0 };
        (share(2.0 * shared, own + theirs), share(shared, own))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_teacher_follows_the_labels_and_sees_rare_words() {
        let groups: Vec<Group> = (0..40)
            .map(|g| Group {
                task: format!("say word{g}"),
                references: vec![format!("the word is word{g} indeed")],
                answers: (1..6)
                    .map(|n| Answer {
                        text: format!("word{g} and more ").repeat(n),
                        quality: Some(n as f64),
                        origin: Origin::AlpacaEval2,
                    })
                    .collect(),
                ..Group::default()
            })
            .collect();
        let teacher = Teacher::fit(&groups).unwrap();
        let triple = |response: &'static str| Triple {
            instruction: "say word1",
            reference: Some("the word is word1 indeed"),
            response,
        };
        let long = teacher.rate(&triple("word1 and more word1 and more word1 and more "));
        assert!(long > teacher.rate(&triple("word1 and more ")) + 1.0);
        let of = |response| teacher.features(&triple(response));
        assert!(of("word1")[1] > of("word2")[1]);
        assert!(of("word1")[0] > of("the")[0]);
        assert_eq!(teacher.agreement(&triple("the word is word1 indeed")), 9.0);
        assert_eq!(teacher.agreement(&triple("nothing of it")), 0.5);
        let free = Triple {
            reference: None,
            ..triple("word1")
        };
        assert!(of("word1").len() > teacher.features(&free).len());
        assert!(Teacher::fit(&[]).is_err());
    }
}

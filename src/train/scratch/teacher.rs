//! A teacher beside the labels: the surface ridge, and boosted trees that see a little more.
//!
//! A label is one noisy number for a response that training meets again and again; a small decoder
//! learns it by heart. What the teacher says is smooth in things that carry over to new instructions,
//! and it can be asked about any response, altered ones too.

mod booster;
mod chooser;
mod words;

use anyhow::{Result, anyhow};
use rayon::prelude::*;

use self::booster::{Boosters, Says};
use self::chooser::{Chooser, Pair};
use self::words::{Rarity, Shared};
use super::corpus::{Answer, Group, Origin};
use crate::stats::surface::{self, Baseline, Triple, fit_baseline};

/// Both, fitted on the rated responses, and the rarity of words.
#[derive(Debug)]
pub struct Teacher {
    beside: Rater,
    alone: Rater,
    /// `None` where nobody chose.
    chooser: Option<Chooser>,
    rarity: Rarity,
}

/// Says how good an answer is, by the mean of two.
#[derive(Debug)]
struct Rater {
    ridge: Baseline,
    trees: Boosters,
}

impl Teacher {
    /// Fits on the AlpacaEval 2 answers with their first reference, whole instructions left out to
    /// choose the ridge's penalty.
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
        let rarity = Rarity::count(groups);
        let rater = |triples: &[Triple]| -> Result<Rater> {
            let few = || anyhow!("too few rated responses to fit the teacher");
            let ridge = fit_baseline(triples, &targets, &ids).ok_or_else(few)?;
            let columns: Vec<Vec<f64>> = triples
                .par_iter()
                .map(|triple| columns(&rarity, triple))
                .collect();
            let trees = Boosters::fit(Says::Quality, &columns, &targets, &ids)?;
            Ok(Rater { ridge, trees })
        };
        let beside = rater(&triples)?;
        for triple in &mut triples {
            triple.reference = None;
        }
        let alone = rater(&triples)?;
        let mut teacher = Teacher {
            beside,
            alone,
            chooser: None,
            rarity,
        };
        teacher.chooser = teacher.watch(groups)?;
        Ok(teacher)
    }

    /// Learns from what people chose; ties tell nothing.
    fn watch(&self, groups: &[Group]) -> Result<Option<Chooser>> {
        let all = groups.iter().enumerate();
        let choices = all.flat_map(|(id, group)| {
            let pair = move |(a, b, better): &(usize, usize, f64)| (id, group, *a, *b, *better);
            group.choices.iter().map(pair)
        });
        let decided: Vec<_> = choices.filter(|choice| choice.4 != 0.5).collect();
        let chosen: Vec<(Pair, bool)> = decided
            .par_iter()
            .map(|(id, group, a, b, better)| {
                let text = |at: usize| group.answers[at].text.as_str();
                let pair = self.pair(*id, &group.task, [text(*a), text(*b)]);
                (pair, *better > 0.5)
            })
            .collect();
        match chosen.is_empty() {
            true => Ok(None),
            false => Chooser::fit(&chosen).map(Some),
        }
    }

    fn pair(&self, group: usize, instruction: &str, [first, second]: [&str; 2]) -> Pair {
        let see = |response, other| {
            let alone = Triple {
                instruction,
                reference: None,
                response,
            };
            let beside = Triple {
                reference: Some(other),
                ..alone
            };
            let mut seen = columns(&self.rarity, &alone);
            seen.extend([self.rate(group, &alone), self.rate(group, &beside)]);
            seen
        };
        let (first, second) = (see(first, second), see(second, first));
        let apart = first.iter().zip(&second).map(|(a, b)| a - b).collect();
        Pair { group, apart }
    }

    /// The probability that people choose the first of two answers to the instruction of this number.
    pub fn first(&self, group: usize, instruction: &str, pair: [&str; 2]) -> f64 {
        let chooser = self.chooser.as_ref();
        chooser.map_or(0.5, |c| c.first(&self.pair(group, instruction, pair)))
    }

    /// Quality in [0, 9] of an answer to the instruction of this number.
    pub fn rate(&self, group: usize, triple: &Triple) -> f64 {
        let rater = match triple.reference {
            Some(_) => &self.beside,
            None => &self.alone,
        };
        let ridge = rater.ridge.score(triple).unwrap_or(0.0);
        let trees = rater.trees.say(&columns(&self.rarity, triple), group);
        (0.5 * (ridge + trees)).clamp(0.0, 9.0)
    }

    /// Quality in [0, 9] of an answer of the kind the ridge is fitted on.
    pub fn expected(&self, id: usize, group: &Group, answer: &Answer) -> Option<f64> {
        let reference = group.references.first()?;
        (answer.origin == Origin::AlpacaEval2).then(|| {
            let triple = Triple {
                instruction: &group.task,
                reference: Some(reference),
                response: &answer.text,
            };
            self.rate(id, &triple)
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
        let f1 = self.rarity.shared(triple.response, reference).f1;
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
        let rest = self.beside.ridge.standardised(triple);
        let shared = |other| {
            let Shared { f1, precision, .. } = self.rarity.shared(triple.response, other);
            [f1, precision]
        };
        let known = match triple.reference {
            Some(reference) => shared(reference).map(|x| (x - 0.35) / 0.2),
            None => shared(triple.instruction).map(|x| (x - 0.2) / 0.15),
        };
        known.into_iter().chain(rest).map(|x| x as f32).collect()
    }
}

/// What the trees see of an answer.
fn columns(rarity: &Rarity, triple: &Triple) -> Vec<f64> {
    let mut columns = surface::features(triple);
    columns.extend(rarity.columns(triple));
    columns
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
        let long = teacher.rate(1, &triple("word1 and more word1 and more word1 and more "));
        assert!(long > teacher.rate(1, &triple("word1 and more ")) + 1.0);
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

    #[test]
    fn it_learns_what_people_choose_and_says_the_same_in_both_orders() {
        let answer = |n: usize, quality: Option<f64>, origin| Answer {
            text: "some words of it. ".repeat(n),
            quality,
            origin,
        };
        // People choose the longer of two.
        let groups: Vec<Group> = (0..200)
            .map(|g| Group {
                task: format!("say word{g}"),
                references: vec!["some words of it and more".into()],
                answers: (1..5)
                    .map(|n| answer(n, Some(n as f64), Origin::AlpacaEval2))
                    .chain((5..8).map(|n| answer(n + g % 7, None, Origin::Choice)))
                    .collect(),
                choices: vec![(4, 5, 0.0), (6, 4, 1.0), (5, 6, 0.5)],
                ..Group::default()
            })
            .collect();
        let teacher = Teacher::fit(&groups).unwrap();
        let [short, long] = [3, 9].map(|n| "some words of it. ".repeat(n));
        let first = |pair| teacher.first(7, "say word7", pair);
        let said = first([&long, &short]);
        assert!(said > 0.75, "{said}");
        assert!((said + first([&short, &long]) - 1.0).abs() < 1e-12);
        let nobody: Vec<Group> = groups
            .into_iter()
            .map(|group| Group {
                choices: Vec::new(),
                ..group
            })
            .collect();
        let teacher = Teacher::fit(&nobody).unwrap();
        assert_eq!(teacher.first(7, "say word7", [&long, &short]), 0.5);
    }
}

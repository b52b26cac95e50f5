//! A judge of pairs: from two responses to the tasks an engine computes, and from their outcomes to a verdict.

use super::super::prompt::Truncate;
use super::super::template::Wrap;
use super::super::{JudgeError, Result};
use super::Pair;
use super::prompt::{Form, Maker};
use super::templates::{PairTemplates, Principle};
use super::verdict::{Judgment, Positions, Rule};
use crate::engine::local::Cast;
use crate::engine::{Ask, Outcome, Role, Task};

/// How to judge pairs.
#[derive(Clone, Debug, Default)]
pub struct PairSetup {
    /// `None`: the model's own templates (`pairwise.yaml` in its folder), or the standard ones.
    pub templates: Option<PairTemplates>,
    /// `None`: the chat template that the templates bring along, else the model's, else the plain form: system, user and
    /// cue, a blank line between them.
    pub wrap: Option<Wrap>,
    /// What to keep of responses where a prompt exceeds the context; the longer one is cut first. `rule.as_released` cuts
    /// the prompt on the left at 2,048 tokens instead, never the cue.
    pub truncate: Truncate,
    pub rule: Rule,
    /// Other judge tokens than the templates'.
    pub tokens: Option<[String; 2]>,
    /// Some of the templates' principles; none: all.
    pub principles: Vec<String>,
}

/// A loaded model with judgment templates.
pub struct PairJudge {
    cast: Cast,
    templates: PairTemplates,
    pub(super) form: Form,
    truncate: Truncate,
    rule: Rule,
}

/// The prompts of a pair, and what they are for: each principle in both orders.
#[derive(Clone, Debug)]
pub struct PairPlan {
    pub tasks: Vec<Task>,
    pub prompt_tokens: usize,
    pub truncated: bool,
}

/// A verdict with what it took.
#[derive(Clone, Debug, PartialEq)]
pub struct Compared {
    pub judgment: Judgment,
    /// Tokens that had to be computed; the others were known.
    pub computed_tokens: usize,
}

impl PairJudge {
    /// A judge of a loaded model.
    ///
    /// # Errors
    /// A malformed template file in the model's folder; principles, judge tokens or a wrap that the templates do not
    /// have.
    pub fn new(cast: Cast, setup: PairSetup) -> Result<Self> {
        let facts = &cast.judge;
        let chosen = match setup.templates {
            Some(templates) => Some(templates),
            None => PairTemplates::own_of_model(&facts.path)?,
        };
        let mut templates = chosen.map_or_else(PairTemplates::standard, Ok)?;
        if let Some(tokens) = setup.tokens {
            templates = templates.with_tokens(tokens)?;
        }
        if !setup.principles.is_empty() {
            templates = templates.with_principles(&setup.principles)?;
        }
        Ok(PairJudge {
            form: Form::new(setup.wrap.as_ref(), &templates, facts)?,
            templates,
            truncate: setup.truncate,
            rule: setup.rule,
            cast,
        })
    }

    /// Facts of its models.
    pub fn cast(&self) -> &Cast {
        &self.cast
    }

    /// Its templates.
    pub fn templates(&self) -> &PairTemplates {
        &self.templates
    }

    /// How its verdicts are made.
    pub fn rule(&self) -> Rule {
        self.rule
    }

    /// Hashes of its weights and of its templates, joined by `+`.
    pub fn identity(&self) -> String {
        format!("{}+{}", self.cast.judge.hash, self.templates.hash())
    }

    /// The prompts of a pair: for each principle the first order, in which `a` stands in position A, and the second.
    ///
    /// # Errors
    /// What stands in the way of a prompt, with its principle.
    pub fn plan(&self, pair: &Pair) -> Result<PairPlan> {
        let mut plan = PairPlan {
            tasks: Vec::with_capacity(2 * self.templates.principles.len()),
            prompt_tokens: 0,
            truncated: false,
        };
        for principle in &self.templates.principles {
            for swapped in [false, true] {
                let made = self.maker().make(principle, pair, swapped);
                let made = made.map_err(|e| within(principle, &e))?;
                plan.prompt_tokens += made.ids.len();
                plan.truncated |= made.truncated;
                plan.tasks.push(Task {
                    role: Role::Judge,
                    ids: made.ids,
                    ask: Ask::Labels {
                        labels: made.labels,
                        mass: true,
                        top: None,
                    },
                });
            }
        }
        Ok(plan)
    }

    pub(super) fn maker(&self) -> Maker<'_> {
        Maker {
            form: &self.form,
            facts: &self.cast.judge,
            tokens: &self.templates.tokens,
            truncate: self.truncate,
            as_released: self.rule.as_released,
        }
    }

    /// The verdict, from the outcomes of a plan's tasks in their order.
    ///
    /// # Errors
    /// Outcomes of something else; probabilities that are not numbers.
    pub fn read(&self, outcomes: &[Outcome]) -> Result<Compared> {
        let strange = || JudgeError::Prompt("outcomes of something else".into());
        let mut computed_tokens = 0;
        let mut positions = Vec::with_capacity(outcomes.len());
        for outcome in outcomes {
            let Outcome::Labels {
                probabilities,
                computed,
                ..
            } = outcome
            else {
                return Err(strange());
            };
            let [p_a, p_b] = probabilities[..] else {
                return Err(strange());
            };
            if !(p_a.is_finite() && p_b.is_finite()) {
                return Err(JudgeError::Prompt(
                    "the judge gave no usable probabilities".into(),
                ));
            }
            computed_tokens += computed;
            positions.push(Positions { p_a, p_b });
        }
        let (orders, rest) = positions.as_chunks::<2>();
        if !rest.is_empty() || orders.len() != self.templates.principles.len() {
            return Err(strange());
        }
        let names = self.templates.principles.iter().map(|p| p.name.as_str());
        let judgment = Judgment::new(names.zip(orders.iter().copied()), self.rule);
        Ok(Compared {
            judgment: judgment.ok_or_else(strange)?,
            computed_tokens,
        })
    }
}

/// Which principle an error is about.
pub(super) fn within(principle: &Principle, error: &JudgeError) -> JudgeError {
    JudgeError::Prompt(format!("principle `{}`: {error}", principle.name))
}

//! A judge: from a subject to the tasks an engine computes, and from their outcomes to a score.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use super::prompt::{self, Prompt, Truncate};
use super::similarity::{self, Long};
use super::template::{Subject, Template, TemplateSet, Wrap};
use super::{JudgeError, Result, fusion};
use crate::data::ScoreCard;
use crate::engine::local::Cast;
use crate::engine::{Ask, Outcome, Role, Task};
use crate::model::pooling;

/// Which numbers are wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Signals {
    pub self_eval_ref: bool,
    pub self_eval_free: bool,
    pub cosine: bool,
    /// Fuse the cosine with the self-evaluation without reference, even where the other is there.
    pub fuse_free: bool,
}

impl Default for Signals {
    fn default() -> Self {
        Signals {
            self_eval_ref: true,
            self_eval_free: true,
            cosine: true,
            fuse_free: false,
        }
    }
}

/// How to judge.
#[derive(Clone, Debug, Default)]
pub struct Setup {
    /// `None`: the model's own templates, or the standard ones.
    pub templates: Option<TemplateSet>,
    /// `None`: as the templates say, else chat where the model has a chat template.
    pub wrap: Option<Wrap>,
    pub truncate: Truncate,
    pub long: Long,
    /// Weight of the cosine in the fusion; `None` is one half.
    pub weight: Option<f64>,
    /// Put before each label; `None`: as the templates say.
    pub label_prefix: Option<String>,
}

type LabelTokens = Arc<Vec<Vec<u32>>>;

/// Loaded models with templates: makes prompts and reads their outcomes.
pub struct Judge {
    cast: Cast,
    templates: TemplateSet,
    wrap: Wrap,
    truncate: Truncate,
    long: Long,
    weight: f64,
    /// Longest chunk the embedder takes, where its own folder says so.
    embed_tokens: Option<usize>,
    /// Label tokens by the mode and the ids of the template's last words.
    labels: Mutex<HashMap<(bool, Vec<u32>), LabelTokens>>,
}

/// What each outcome of a plan is.
#[derive(Clone, Debug, PartialEq)]
enum Part {
    WithReference,
    Free,
    /// A chunk of the response or of the reference, and its tokens.
    Chunk {
        reference: bool,
        tokens: usize,
    },
}

/// Tasks for an engine, and what their outcomes mean.
#[derive(Clone, Debug)]
pub struct Plan {
    pub tasks: Vec<Task>,
    parts: Vec<Part>,
    /// An empty response is like nothing: its cosine is 0.
    blank: bool,
    fuse_free: bool,
    /// Tokens of the judge's prompts.
    pub prompt_tokens: usize,
    /// Whether a prompt was cut.
    pub truncated: bool,
}

/// A complete score.
#[derive(Clone, Debug, PartialEq)]
pub struct Scored {
    pub card: ScoreCard,
    pub truncated: bool,
    /// Tokens of the judge's prompts that had to be computed.
    pub computed_tokens: usize,
}

impl Judge {
    /// A judge of loaded models.
    ///
    /// # Errors
    /// A malformed template file in the model's folder.
    pub fn new(cast: Cast, setup: Setup) -> Result<Self> {
        let embed_tokens = TemplateSet::embed_tokens_of(&cast.embedder.path)?;
        let templates = match setup.templates {
            Some(templates) => templates,
            None => TemplateSet::of_model(&cast.judge.path)?,
        };
        let natural = match cast.judge.chat {
            Some(_) => Wrap::Chat,
            None => Wrap::None,
        };
        let mut templates = templates;
        let wrap = setup.wrap.or(templates.wrap).unwrap_or(natural);
        // The hash then covers it.
        templates.wrap = Some(wrap.clone());
        if let Some(prefix) = setup.label_prefix {
            templates.label_prefix = prefix;
        }
        Ok(Judge {
            wrap,
            cast,
            templates,
            truncate: setup.truncate,
            long: setup.long,
            weight: setup.weight.unwrap_or(0.5),
            embed_tokens,
            labels: Mutex::default(),
        })
    }

    /// Facts of its models.
    pub fn cast(&self) -> &Cast {
        &self.cast
    }

    /// Its templates.
    pub fn templates(&self) -> &TemplateSet {
        &self.templates
    }

    /// Prompts for the signals that apply to a subject: without a reference neither
    /// `self_eval_ref` nor `cosine`; a mode without a template is left out too.
    ///
    /// # Errors
    /// What stands in the way of a prompt.
    pub fn plan(&self, subject: &Subject, want: Signals) -> Result<Plan> {
        let mut plan = Plan {
            tasks: Vec::new(),
            parts: Vec::new(),
            blank: false,
            fuse_free: want.fuse_free,
            prompt_tokens: 0,
            truncated: false,
        };
        let has_reference = subject.reference.is_some();
        if let Some(t) = &self.templates.reference
            && want.self_eval_ref
            && has_reference
        {
            self.ask(&mut plan, t, subject, true)?;
        }
        if let Some(t) = &self.templates.free
            && want.self_eval_free
        {
            self.ask(&mut plan, t, subject, false)?;
        }
        if let Some(reference) = subject.reference.as_deref().filter(|_| want.cosine) {
            let empty = |text: &str| text.trim().is_empty();
            plan.blank = empty(&subject.response) || empty(reference);
            if !plan.blank {
                self.embed(&mut plan, &subject.response, false)?;
                self.embed(&mut plan, reference, true)?;
            }
        }
        Ok(plan)
    }

    /// The prompt of one mode, for whoever wants to look at it.
    ///
    /// # Errors
    /// As [`Judge::plan`].
    pub fn prompt(
        &self,
        template: &Template,
        subject: &Subject,
    ) -> Result<(Prompt, Vec<Vec<u32>>)> {
        let facts = &self.cast.judge;
        let pieces = template.fill(subject);
        // Room for the longest label behind the prompt.
        let limit = facts.context.saturating_sub(8);
        let prompt = prompt::make(pieces, &self.wrap, facts, self.truncate, limit)?;
        let labels = self.label_tokens(template, &prompt)?;
        Ok((prompt, labels.to_vec()))
    }

    fn ask(
        &self,
        plan: &mut Plan,
        template: &Template,
        subject: &Subject,
        with_reference: bool,
    ) -> Result<()> {
        let (prompt, labels) = self.prompt(template, subject)?;
        plan.prompt_tokens += prompt.ids.len();
        plan.truncated |= prompt.truncated;
        plan.tasks.push(Task {
            role: Role::Judge,
            ids: prompt.ids,
            ask: Ask::Labels(labels),
        });
        plan.parts.push(match with_reference {
            true => Part::WithReference,
            false => Part::Free,
        });
        Ok(())
    }

    /// Tokens of the labels; found once for each ending that prompts of a template have.
    fn label_tokens(&self, template: &Template, prompt: &Prompt) -> Result<LabelTokens> {
        let data_end = prompt.spans.iter().map(|(_, span)| span.end).max();
        let tail: Vec<u32> = prompt
            .ids
            .iter()
            .zip(&prompt.offsets)
            .filter(|(_, (start, _))| Some(*start) >= data_end)
            .map(|(id, _)| *id)
            .collect();
        let key = (template.has("reference"), tail);
        let known = |map: &HashMap<_, LabelTokens>| map.get(&key).cloned();
        let lock = || self.labels.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(found) = known(&lock()).filter(|_| !key.1.is_empty()) {
            return Ok(found);
        }
        let scale = &self.templates.scale;
        let found = Arc::new(prompt::label_tokens(
            &prompt.pieces,
            &self.wrap,
            &self.cast.judge,
            &self.templates.label_prefix,
            &scale.labels,
        )?);
        lock().insert(key, Arc::clone(&found));
        Ok(found)
    }

    fn embed(&self, plan: &mut Plan, text: &str, reference: bool) -> Result<()> {
        let chunks = similarity::encode(&self.cast.embedder, text, self.embed_tokens, self.long)?;
        for (ids, tokens) in chunks {
            plan.tasks.push(Task {
                role: Role::Embedder,
                ids,
                ask: Ask::Embed,
            });
            plan.parts.push(Part::Chunk { reference, tokens });
        }
        Ok(())
    }

    /// Reads the outcomes of a plan's tasks.
    ///
    /// # Errors
    /// Outcomes that are not the plan's.
    pub fn read(&self, plan: &Plan, outcomes: &[Outcome]) -> Result<Scored> {
        let mut scored = Scored {
            card: ScoreCard {
                prompt_tokens: plan.prompt_tokens,
                ..ScoreCard::default()
            },
            truncated: plan.truncated,
            computed_tokens: 0,
        };
        let (mut response, mut reference) = (Vec::new(), Vec::new());
        for (part, outcome) in plan.parts.iter().zip(outcomes) {
            match (part, outcome) {
                (
                    Part::WithReference | Part::Free,
                    Outcome::Labels {
                        probabilities,
                        computed,
                    },
                ) => {
                    let mass: f64 = probabilities.iter().sum();
                    if !(mass.is_finite() && mass > 0.0) {
                        let cause = format!("the judge gave no usable probabilities (mass {mass})");
                        return Err(JudgeError::Prompt(cause));
                    }
                    scored.computed_tokens += computed;
                    let distribution = self.templates.scale.distribution(probabilities);
                    match part {
                        Part::Free => scored.card.self_eval_free = Some(distribution),
                        _ => scored.card.self_eval_ref = Some(distribution),
                    }
                }
                (
                    Part::Chunk {
                        reference: of,
                        tokens,
                    },
                    Outcome::Embedding { vector, .. },
                ) => {
                    let chunks = if *of { &mut reference } else { &mut response };
                    chunks.push((vector.clone(), *tokens));
                }
                _ => return Err(JudgeError::Prompt("an outcome of another kind".into())),
            }
        }
        let cosine = match (plan.blank, response.is_empty()) {
            (true, _) => Some(0.0),
            (false, true) => None,
            (false, false) => {
                let (a, b) = (pooling::average(&response), pooling::average(&reference));
                if a.iter().chain(&b).any(|x| !x.is_finite()) {
                    return Err(JudgeError::Prompt("the embedding is not finite".into()));
                }
                Some(pooling::cosine(&a, &b))
            }
        };
        let card = &mut scored.card;
        let with = card.self_eval_ref.as_ref().filter(|_| !plan.fuse_free);
        let shown = with.or(card.self_eval_free.as_ref());
        let ends = self.templates.scale.ends();
        card.fused = cosine
            .zip(shown)
            .map(|(cosine, d)| fusion::range(d.mean(), ends, cosine, self.weight));
        card.cosine = cosine;
        Ok(scored)
    }
}

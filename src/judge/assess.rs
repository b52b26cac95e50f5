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
use crate::model::facts::Facts;
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

/// Texts whose embedding is remembered; a reference is compared with all responses of its record.
const REMEMBERED: usize = 4096;

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
    embeddings: Mutex<HashMap<String, Arc<Vec<f32>>>>,
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
    reference: Option<String>,
    known_reference: Option<Arc<Vec<f32>>>,
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
        let own = |facts: &Facts| TemplateSet::of_model(&facts.path);
        let embed_tokens = own(&cast.embedder)?.embed_tokens;
        let templates = match setup.templates {
            Some(templates) => templates,
            None => own(&cast.judge)?,
        };
        let natural = match cast.judge.chat {
            Some(_) => Wrap::Chat,
            None => Wrap::None,
        };
        let wrap = setup.wrap.or_else(|| templates.wrap.clone());
        let mut templates = templates;
        if let Some(prefix) = setup.label_prefix {
            templates.label_prefix = prefix;
        }
        Ok(Judge {
            wrap: wrap.unwrap_or(natural),
            cast,
            templates,
            truncate: setup.truncate,
            long: setup.long,
            weight: setup.weight.unwrap_or(0.5),
            embed_tokens,
            labels: Mutex::default(),
            embeddings: Mutex::default(),
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
            reference: subject.reference.clone(),
            known_reference: None,
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
            self.embed(&mut plan, &subject.response, false)?;
            plan.known_reference = self.remembered(reference);
            if plan.known_reference.is_none() {
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
        let prompt = prompt::make(pieces.clone(), &self.wrap, facts, self.truncate, limit)?;
        let labels = self.label_tokens(template, &pieces, &prompt)?;
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
    fn label_tokens(
        &self,
        template: &Template,
        pieces: &[crate::model::tokenizer::Piece],
        prompt: &Prompt,
    ) -> Result<LabelTokens> {
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
            pieces,
            &self.wrap,
            &self.cast.judge,
            &self.templates.label_prefix,
            &scale.labels,
        )?);
        lock().insert(key, Arc::clone(&found));
        Ok(found)
    }

    fn remembered(&self, text: &str) -> Option<Arc<Vec<f32>>> {
        let map = self
            .embeddings
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        map.get(text).cloned()
    }

    fn remember(&self, text: &str, vector: Arc<Vec<f32>>) {
        let mut map = self
            .embeddings
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if map.len() >= REMEMBERED {
            map.clear();
        }
        map.insert(text.to_owned(), vector);
    }

    fn embed(&self, plan: &mut Plan, text: &str, reference: bool) -> Result<()> {
        let chunks = similarity::encode(&self.cast.embedder, text, self.embed_tokens, self.long)?;
        for (ids, tokens) in chunks {
            // An empty text without special tokens has nothing to embed: its cosine is 0.
            if ids.is_empty() {
                continue;
            }
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
        let known = plan.known_reference.clone();
        let reference = known.or_else(|| {
            let vector = Arc::new(pooling::average(&reference));
            (!vector.is_empty()).then(|| {
                if let Some(text) = &plan.reference {
                    self.remember(text, Arc::clone(&vector));
                }
                vector
            })
        });
        if let (Some(reference), false) = (reference, response.is_empty()) {
            let cosine = pooling::cosine(&pooling::average(&response), &reference);
            scored.card.cosine = Some(cosine);
            let card = &mut scored.card;
            let with = card.self_eval_ref.as_ref().filter(|_| !plan.fuse_free);
            let shown = with.or(card.self_eval_free.as_ref());
            let ends = self.templates.scale.ends();
            card.fused = shown.map(|d| fusion::range(d.mean(), ends, cosine, self.weight));
        }
        Ok(scored)
    }
}

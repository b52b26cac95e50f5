//! A judge: from a subject to the tasks an engine computes, and from their outcomes to a score.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, PoisonError};

use serde::{Deserialize, Serialize};

use super::generating::Reader;
use super::plan::{Part, Plan, Signals, Text, both};
use super::prompt::{self, Prompt, Truncate};
use super::similarity::{self, Long};
use super::template::{Subject, Template, TemplateSet, Wrap};
use super::{JudgeError, Result, dialogue, fusion};
use crate::data::{LabelDistribution, ScoreCard};
use crate::engine::local::Cast;
use crate::engine::{Ask, Outcome, Role, Task};
use crate::model::pooling;
use crate::model::tokenizer::Piece;
use crate::stats::preset::Source;

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
    /// Compute of the head the labels alone, where they are single tokens; their mass is then unknown.
    pub labels_only: bool,
    /// As the authors' script has it: labels outside the 20 likeliest tokens count as 0.
    pub as_released: bool,
}

/// Tokens that the released script asks the engine for (Ye & Ng 2024, `nusnlp/Self-J`).
const RELEASED_TOP: usize = 20;

type LabelTokens = Arc<Vec<Vec<u32>>>;

/// Loaded models with templates: makes prompts and reads their outcomes.
pub struct Judge {
    cast: Cast,
    templates: TemplateSet,
    wrap: Wrap,
    truncate: Truncate,
    long: Long,
    weight: f64,
    labels_only: bool,
    /// Longest chunk the embedder takes, where its own folder says so.
    embed_tokens: Option<usize>,
    /// Whether somebody chose the templates; the standard ones are not made for reward models.
    own_templates: bool,
    /// Reads what the judge writes, where its templates ask for it.
    reader: Option<Reader>,
    /// Label tokens by the mode and the ids of the template's last words.
    labels: Mutex<HashMap<(bool, Vec<u32>), LabelTokens>>,
}

/// A complete score.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Scored {
    pub card: ScoreCard,
    /// Expected score by each criterion of the templates (by all in one, where there are none), with the reference and
    /// without.
    pub criteria_ref: Vec<f64>,
    pub criteria_free: Vec<f64>,
    /// Perplexity of the response.
    pub ppl: Option<f64>,
    pub reward: Option<f64>,
    /// Mean cosine with what the policy wrote instead (variation ratio for original).
    pub vro: Option<f64>,
    /// The score that was read out of `text`.
    pub generated: Option<f64>,
    /// What the judge wrote.
    pub text: Option<String>,
    /// Why a signal that was wanted is missing.
    pub trouble: Option<String>,
    pub truncated: bool,
    /// Tokens of the judge's prompts that had to be computed.
    pub computed_tokens: usize,
}

impl Scored {
    fn add_trouble(&mut self, cause: String) {
        self.trouble = Some(both(self.trouble.take(), cause));
    }
}

impl Judge {
    /// A judge of loaded models.
    ///
    /// # Errors
    /// A malformed template file in the model's folder.
    pub fn new(cast: Cast, setup: Setup) -> Result<Self> {
        let embed_tokens = TemplateSet::embed_tokens_of(&cast.embedder.path)?;
        let chosen = match setup.templates {
            Some(templates) => Some(templates),
            None => TemplateSet::own_of_model(&cast.judge.path)?,
        };
        let own_templates = chosen.is_some();
        let templates = chosen.map_or_else(TemplateSet::standard, Ok)?;
        let reader = templates.generate.as_ref().map(|g| g.reader());
        let reader = reader.transpose().map_err(|cause| JudgeError::Template {
            name: templates.name.clone(),
            cause,
        })?;
        let natural = match cast.judge.chat {
            Some(_) => Wrap::Chat,
            None => Wrap::None,
        };
        let mut templates = templates;
        let wrap = setup.wrap.or(templates.wrap).unwrap_or(natural);
        // The hash then covers it.
        templates.wrap = Some(wrap.clone());
        templates.top = setup.as_released.then_some(RELEASED_TOP);
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
            labels_only: setup.labels_only,
            embed_tokens,
            own_templates,
            reader,
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

    /// Hashes of its weights and of its templates, joined by `+`: scores of others are on another scale.
    pub fn identity(&self) -> String {
        format!("{}+{}", self.cast.judge.hash, self.templates.hash())
    }

    /// What else its scores depend on.
    pub fn source(&self) -> Source {
        Source {
            fusion: format!("range {}", self.weight),
            embedder: self.cast.embedder.hash.clone(),
        }
    }

    /// How prompts are cut and labels read: what a score depends on besides models, templates and texts.
    pub fn reading(&self) -> String {
        format!(
            "{:?} {:?} {} {}",
            self.truncate, self.long, self.labels_only, self.weight
        )
    }

    /// Among how many of the likeliest tokens labels must be to count.
    pub(super) fn top(&self) -> Option<usize> {
        self.templates.top
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
            samples: 0,
            prompt_tokens: 0,
            truncated: false,
            trouble: None,
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
                self.embed(&mut plan, &subject.response, Text::Response)?;
                self.embed(&mut plan, reference, Text::Reference)?;
            }
        }
        if want.generated {
            self.write(&mut plan, subject, want.fuse_free)?;
        }
        if want.reward {
            let (pieces, wrap) = self.rewarded(subject, want.fuse_free)?;
            let prompt = self.made(pieces, &wrap, self.cast.judge.context)?;
            self.add(&mut plan, prompt, Ask::Reward, Part::Reward);
        }
        if want.ppl {
            match dialogue::continuation(subject, &self.cast.policy, self.truncate) {
                Err(error) => plan.add_trouble(format!("ppl: {error}")),
                Ok(found) => {
                    plan.prompt_tokens += self.own_tokens(Role::Policy, found.ids.len());
                    plan.truncated |= found.truncated;
                    plan.tasks.push(Task {
                        role: Role::Policy,
                        ids: found.ids,
                        ask: Ask::LogProbs { from: found.from },
                    });
                    plan.parts.push(Part::Ppl);
                }
            }
        }
        Ok(plan)
    }

    /// Whether a reward is asked for with the templates of a mode, or with the response as a turn.
    pub fn rewards_by_template(&self) -> bool {
        self.own_templates
    }

    fn of_mode(&self, free: bool) -> Result<&Template> {
        let template = match free {
            true => &self.templates.free,
            false => &self.templates.reference,
        };
        template.as_ref().ok_or_else(|| {
            JudgeError::Prompt(
                "the judge has no template for this mode: give one with --template".into(),
            )
        })
    }

    /// What a reward head sees: a template that somebody chose; otherwise a person's turn and the
    /// assistant's, as reward models are trained, or both texts where there is no chat template.
    fn rewarded(&self, subject: &Subject, free: bool) -> Result<(Vec<Piece>, Wrap)> {
        Ok(match (self.own_templates, &self.cast.judge.chat) {
            (true, _) => (self.of_mode(free)?.fill(subject), self.wrap.clone()),
            (false, Some(_)) => (dialogue::turns(subject), Wrap::Turns),
            (false, None) => (dialogue::plain(subject), Wrap::None),
        })
    }

    fn write(&self, plan: &mut Plan, subject: &Subject, free: bool) -> Result<()> {
        let Some(generate) = &self.templates.generate else {
            return Err(JudgeError::Prompt(format!(
                "the template {} asks for no text: give it a [generate] table with a pattern, or \
                 name one that has it with --template",
                self.templates.name
            )));
        };
        let facts = &self.cast.judge;
        // Room for what is written, but never more than for what it is about.
        let room = generate.max_tokens.min(facts.context / 2);
        let pieces = self.of_mode(free)?.fill(subject);
        let prompt = self.made(pieces, &self.wrap, facts.context - room)?;
        let ask = Ask::Generate {
            sampling: generate.sampling(),
            end: facts.end_tokens.clone(),
        };
        self.add(plan, prompt, ask, Part::Written);
        Ok(())
    }

    fn is_served(&self, role: Role) -> bool {
        let facts = match role {
            Role::Judge => &self.cast.judge,
            Role::Embedder => &self.cast.embedder,
            Role::Policy => &self.cast.policy,
        };
        facts.served.is_some()
    }

    /// Tokens of a prompt, where they can be counted before it is asked.
    fn own_tokens(&self, role: Role, ids: usize) -> usize {
        if self.is_served(role) { 0 } else { ids }
    }

    /// Tokens of a prompt, where a server counted them.
    fn served_tokens(&self, role: Role, computed: usize) -> usize {
        if self.is_served(role) { computed } else { 0 }
    }

    fn add(&self, plan: &mut Plan, prompt: Prompt, ask: Ask, part: Part) {
        plan.prompt_tokens += self.own_tokens(Role::Judge, prompt.ids.len());
        plan.truncated |= prompt.truncated;
        plan.tasks.push(Task {
            role: Role::Judge,
            ids: prompt.ids,
            ask,
        });
        plan.parts.push(part);
    }

    /// The prompts of one mode with their label tokens: one, or one for each criterion.
    ///
    /// # Errors
    /// As [`Judge::plan`].
    pub fn prompts(
        &self,
        template: &Template,
        subject: &Subject,
    ) -> Result<Vec<(Prompt, Vec<Vec<u32>>)>> {
        match self.templates.criteria.as_slice() {
            [] => Ok(vec![self.prompt(template, subject)?]),
            criteria => criteria
                .iter()
                .map(|(_, text)| {
                    let criterion = Some(text.clone());
                    self.prompt(
                        template,
                        &Subject {
                            criterion,
                            ..subject.clone()
                        },
                    )
                })
                .collect(),
        }
    }

    fn prompt(&self, template: &Template, subject: &Subject) -> Result<(Prompt, Vec<Vec<u32>>)> {
        let facts = &self.cast.judge;
        // Room for the longest label behind the prompt.
        let limit = facts.context.saturating_sub(8);
        let prompt = self.made(template.fill(subject), &self.wrap, limit)?;
        let labels = self.label_tokens(template, &prompt)?;
        Ok((prompt, labels.to_vec()))
    }

    /// A prompt of at most `limit` tokens, its slots cut to what the templates allow.
    fn made(&self, mut pieces: Vec<Piece>, wrap: &Wrap, limit: usize) -> Result<Prompt> {
        let (facts, most) = (&self.cast.judge, &self.templates.slot_tokens);
        let cut = prompt::within(&mut pieces, most, facts, self.truncate)?;
        let mut prompt = prompt::make(pieces, wrap, facts, self.truncate, limit)?;
        prompt.truncated |= cut;
        Ok(prompt)
    }

    fn ask(
        &self,
        plan: &mut Plan,
        template: &Template,
        subject: &Subject,
        with_reference: bool,
    ) -> Result<()> {
        let part = match with_reference {
            true => Part::WithReference,
            false => Part::Free,
        };
        for (prompt, labels) in self.prompts(template, subject)? {
            let ask = Ask::Labels {
                labels,
                mass: !self.labels_only,
                top: self.top(),
            };
            self.add(plan, prompt, ask, part.clone());
        }
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

    fn embed(&self, plan: &mut Plan, text: &str, of: Text) -> Result<()> {
        let chunks = similarity::encode(&self.cast.embedder, text, self.embed_tokens, self.long)?;
        for (ids, tokens) in chunks {
            plan.tasks.push(Task {
                role: Role::Embedder,
                ids,
                ask: Ask::Embed,
            });
            plan.parts.push(Part::Chunk { of, tokens });
        }
        Ok(())
    }

    /// Adds to a plan what compares the response with texts that the policy wrote instead: the signal `vro`.
    ///
    /// # Errors
    /// What the tokenizer says.
    pub fn compare(&self, plan: &mut Plan, response: &str, samples: &[String]) -> Result<()> {
        let blank = |text: &str| text.trim().is_empty();
        let is_there = |part: &Part| {
            matches!(
                part,
                Part::Chunk {
                    of: Text::Response,
                    ..
                }
            )
        };
        plan.samples = samples.len();
        if !blank(response) && !plan.parts.iter().any(is_there) {
            self.embed(plan, response, Text::Response)?;
        }
        for (at, sample) in samples.iter().enumerate().filter(|(_, s)| !blank(s)) {
            self.embed(plan, sample, Text::Sample(at))?;
        }
        Ok(())
    }

    fn read_text(&self, text: &str) -> std::result::Result<f64, String> {
        let reader = self.reader.as_ref().ok_or("the template has no pattern")?;
        reader.read(text, &self.templates.scale)
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
            criteria_ref: Vec::new(),
            criteria_free: Vec::new(),
            ppl: None,
            reward: None,
            vro: None,
            generated: None,
            text: None,
            trouble: plan.trouble.clone(),
            truncated: plan.truncated,
            computed_tokens: 0,
        };
        let mut chunks: BTreeMap<Text, Vec<(Vec<f32>, usize)>> = BTreeMap::new();
        let (mut with_reference, mut free) = (Vec::new(), Vec::new());
        for (part, outcome) in plan.parts.iter().zip(outcomes) {
            match (part, outcome) {
                (
                    Part::WithReference | Part::Free,
                    Outcome::Labels {
                        probabilities,
                        mass: is_known,
                        missing,
                        computed,
                    },
                ) => {
                    let mass: f64 = probabilities.iter().sum();
                    if !(mass.is_finite() && mass > 0.0) {
                        let cause = format!("the judge gave no usable probabilities (mass {mass})");
                        return Err(JudgeError::Prompt(cause));
                    }
                    scored.computed_tokens += computed;
                    let mut distribution = self.templates.scale.distribution(probabilities);
                    distribution.mass = distribution.mass.filter(|_| *is_known);
                    distribution.missing = Some(*missing).filter(|missing| *missing > 0.0);
                    scored.card.prompt_tokens += self.served_tokens(Role::Judge, *computed);
                    match part {
                        Part::Free => free.push(distribution),
                        _ => with_reference.push(distribution),
                    }
                }
                (Part::Chunk { of, tokens }, Outcome::Embedding { vector, .. }) => {
                    let own = chunks.entry(*of).or_default();
                    own.push((vector.clone(), *tokens));
                }
                (Part::Ppl, Outcome::LogProbs { values, computed }) => {
                    scored.computed_tokens += computed;
                    scored.card.prompt_tokens += self.served_tokens(Role::Policy, *computed);
                    scored.ppl = dialogue::perplexity(values);
                    if scored.ppl.is_none() {
                        scored.add_trouble("the perplexity is not finite".into());
                    }
                }
                (Part::Reward, Outcome::Reward { labels, computed }) => {
                    scored.computed_tokens += computed;
                    match labels.as_slice() {
                        [reward] => scored.reward = Some(*reward),
                        // Which of a classifier's labels is good is nowhere written.
                        _ => scored.add_trouble(format!(
                            "a reward head has 1 label, this model {}",
                            labels.len()
                        )),
                    }
                }
                (Part::Written, Outcome::Generated { ids, computed, .. }) => {
                    scored.computed_tokens += computed;
                    scored.card.prompt_tokens += self.served_tokens(Role::Judge, *computed);
                    let text = self.cast.judge.tokenizer.decode(ids)?;
                    match self.read_text(&text) {
                        Ok(score) => scored.generated = Some(score),
                        Err(cause) => scored.add_trouble(cause),
                    }
                    scored.text = Some(text);
                }
                _ => return Err(JudgeError::Prompt("an outcome of another kind".into())),
            }
        }
        let means =
            |found: &[LabelDistribution]| found.iter().map(LabelDistribution::mean).collect();
        scored.criteria_ref = means(&with_reference);
        scored.criteria_free = means(&free);
        scored.card.self_eval_ref = LabelDistribution::mixture(with_reference);
        scored.card.self_eval_free = LabelDistribution::mixture(free);
        let mut vectors = BTreeMap::new();
        for (of, chunks) in &chunks {
            let vector = pooling::average(chunks);
            if vector.iter().any(|x| !x.is_finite()) {
                return Err(JudgeError::Prompt("the embedding is not finite".into()));
            }
            vectors.insert(*of, vector);
        }
        let with_response = |of: &Text| {
            let pair = vectors.get(&Text::Response).zip(vectors.get(of));
            pair.map(|(a, b)| pooling::cosine(a, b))
        };
        let cosine = match plan.blank {
            true => Some(0.0),
            false => with_response(&Text::Reference),
        };
        // What is blank is like nothing.
        let alike = (0..plan.samples).map(|at| with_response(&Text::Sample(at)).unwrap_or(0.0));
        scored.vro = (plan.samples > 0).then(|| alike.sum::<f64>() / plan.samples as f64);
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

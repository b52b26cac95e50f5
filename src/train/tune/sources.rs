//! The data that a configuration names, as what is learned.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Result, bail};
use sha2::{Digest, Sha256};

use super::config::{
    Config, IpoForm, JsftTask, JudgeTask, Judging as Asked, PreferenceLoss, SelfTask, SftTask,
    Task as Wanted,
};
use super::example::Example;
use super::jsft_rows::{self, Lessons};
use super::judge_rows::{self, PromptForm};
use super::objective::judge::Weights;
use super::objective::prefer::Loss;
use super::on_policy::samples::{self, Samples};
use super::on_policy::{Models, OnPolicy, Rules, State};
use super::pair_rows;
use super::rows::{Counts, end_token};
use super::run::Task;
use super::sft_rows::{self, SftForm};
use super::tasks::{Foreseeing, Judging, Preferring};
use crate::data::options::DEFAULT_LABELS;
use crate::data::{FieldMap, ReadOptions};
use crate::engine::local::Cast;
use crate::judge::pairwise::{PairJudge, PairSetup, PairTemplates};
use crate::judge::template::Wrap;
use crate::model::facts::Facts;
use crate::model::sampling::Sampling;

/// What is learned, ready for the loop.
pub struct Lesson {
    pub task: Box<dyn Task>,
    pub items: usize,
    /// What there is to say about the data, a sentence each.
    pub notes: Vec<String>,
    /// Of everything that is learned.
    pub hash: [u8; 32],
    /// Bytes of memory that it takes beside the training.
    pub beside: usize,
}

/// Reads it.
///
/// # Errors
/// Files that cannot be read, that do not fit together, or from which nothing can be learned.
pub fn read(config: &Config, facts: &Arc<Facts>) -> Result<Lesson> {
    match &config.task {
        Wanted::Judge(wanted) => judge(config, wanted, facts),
        Wanted::Sft(wanted) => sft(config, wanted, facts),
        Wanted::Jsft(wanted) => jsft(config, wanted, facts),
        Wanted::SelfTraining(wanted) if !wanted.pairs.is_empty() => pairs(config, wanted, facts),
        Wanted::SelfTraining(wanted) => on_policy(config, wanted, facts),
    }
}

fn judge(config: &Config, wanted: &JudgeTask, facts: &Facts) -> Result<Lesson> {
    let form = PromptForm {
        wrap: Wrap::parse(&wanted.wrap).map_err(anyhow::Error::msg)?,
        special_tokens: wanted.special_tokens,
        cutoff: config.cutoff_len,
    };
    let read = |with: &Path, without: &Path| judge_rows::read(with, without, facts, &form);
    let rows = read(&wanted.with_reference, &wanted.reference_free)?;
    let mut notes = vec![format!("{} pairs of teacher and student", rows.pairs.len())];
    if rows.cut > 0 {
        notes.push(format!(
            "{} prompts are longer than cutoff_len = {} and lost their middle",
            rows.cut, config.cutoff_len
        ));
    }
    if rows.imitating > 0 {
        notes.push(format!(
            "{} prompts hold what looks like a special token; it is read as plain text (special_tokens = true reads it \
             as the token)",
            rows.imitating
        ));
    }
    let evaluation = match &config.eval_data[..] {
        [] => Vec::new(),
        [with, without] => read(with, without)?.pairs,
        _ => bail!("eval_data: two files are expected, with reference and without"),
    };
    let all = rows.pairs.iter();
    Ok(Lesson {
        items: rows.pairs.len(),
        beside: 0,
        notes,
        hash: digest(all.flat_map(|pair| [&pair.teacher, &pair.student])),
        task: Box::new(Judging {
            pairs: rows.pairs,
            evaluation,
            weights: Weights {
                free: wanted.alpha as f32,
                divergence: wanted.alpha_for_kd as f32,
            },
        }),
    })
}

fn sft(config: &Config, wanted: &SftTask, facts: &Facts) -> Result<Lesson> {
    let form = SftForm::new(facts, wanted.form.wrap.as_deref(), config.cutoff_len)?;
    let options = options(&wanted.form.fields, None)?;
    let rows = sft_rows::read(&wanted.data, &options, &form)?;
    let evaluation = match config.eval_data.is_empty() {
        true => Vec::new(),
        false => sft_rows::read(&config.eval_data, &options, &form)?.examples,
    };
    Ok(foreseeing(
        rows.examples,
        evaluation,
        vec![note("examples", &rows.counts)],
    ))
}

fn jsft(config: &Config, wanted: &JsftTask, facts: &Arc<Facts>) -> Result<Lesson> {
    let judge = pair_judge(&wanted.judging, facts)?;
    let options = options(&wanted.form.fields, Some(&wanted.labels))?;
    let lessons = Lessons {
        seed: config.seed,
        rationale: wanted.rationale,
        cutoff: config.cutoff_len,
    };
    let read = |paths: &[PathBuf]| jsft_rows::read(paths, &options, &judge, lessons);
    let judgments = read(&wanted.pairs)?;
    let mut notes = vec![note("judgments", &judgments.counts)];
    if judgments.without_rationale > 0 {
        notes.push(format!(
            "{} verdicts have no reason in the data and teach the verdict alone",
            judgments.without_rationale
        ));
    }
    let mut examples = judgments.examples;
    if !wanted.sft_data.is_empty() {
        let form = SftForm::new(facts, wanted.form.wrap.as_deref(), config.cutoff_len)?;
        let rows = sft_rows::read(&wanted.sft_data, &options, &form)?;
        notes.push(note("conversations", &rows.counts));
        examples.extend(rows.examples);
    }
    let evaluation = match config.eval_data.is_empty() {
        true => Vec::new(),
        false => read(&config.eval_data)?.examples,
    };
    Ok(foreseeing(examples, evaluation, notes))
}

fn foreseeing(examples: Vec<Example>, evaluation: Vec<Example>, notes: Vec<String>) -> Lesson {
    Lesson {
        items: examples.len(),
        beside: 0,
        notes,
        hash: digest(examples.iter()),
        task: Box::new(Foreseeing {
            examples,
            evaluation,
        }),
    }
}

fn pairs(config: &Config, wanted: &SelfTask, facts: &Facts) -> Result<Lesson> {
    let options = options(&wanted.fields, None)?;
    let read = |paths: &[PathBuf]| pair_rows::read(paths, &options, facts, config.cutoff_len);
    let rows = read(&wanted.pairs)?;
    let evaluation = match config.eval_data.is_empty() {
        true => Vec::new(),
        false => read(&config.eval_data)?.pairs,
    };
    let mut hash = Sha256::new();
    for pair in &rows.pairs {
        for ids in [&pair.prompt, &pair.chosen, &pair.rejected] {
            hash.update(bytes(ids));
            hash.update([0xFF; 4]);
        }
    }
    Ok(Lesson {
        items: rows.pairs.len(),
        beside: 0,
        notes: vec![note("pairs", &rows.counts)],
        hash: hash.finalize().into(),
        task: Box::new(Preferring {
            pairs: rows.pairs,
            evaluation,
            loss: loss(wanted),
            beta: wanted.beta,
        }),
    })
}

fn on_policy(config: &Config, wanted: &SelfTask, facts: &Arc<Facts>) -> Result<Lesson> {
    if config.lora.is_none() {
        bail!(
            "lora_r: on-policy training needs an adapter, because its judge is the same model without it; give `lora_r`, \
             such as 8"
        );
    }
    let limit = config.cutoff_len.min(facts.context);
    let options = options(&wanted.fields, None)?;
    // A token and the end have room behind each.
    let read = |paths: &[PathBuf]| pair_rows::prompts(paths, &options, facts, limit - 1);
    let rows = read(&wanted.prompts)?;
    let evaluation = match config.eval_data.is_empty() {
        true => Vec::new(),
        false => read(&config.eval_data)?.prompts,
    };
    let judge = pair_judge(&wanted.judging, facts)?;
    let mut hash = Sha256::new();
    hash.update(judge.templates().hash());
    for prompt in &rows.prompts {
        // The judge sees the record, and not how the policy is asked.
        hash.update(prompt.record.instruction_hash());
        hash.update(bytes(&prompt.ids));
        hash.update([0xFF; 4]);
    }
    let base = (config.model.clone(), facts.path.clone());
    let format = config.dtype.format();
    Ok(Lesson {
        items: rows.prompts.len(),
        notes: vec![note("prompts", &rows.counts)],
        hash: hash.finalize().into(),
        // Judge and policy are loaded beside what is trained.
        beside: Models::bytes(facts.parameters as usize * config.dtype.bytes()),
        task: Box::new(OnPolicy {
            prompts: rows.prompts,
            evaluation,
            judge,
            models: Models::new(base, config.output.join("policy"), format, config.threads),
            samples: Samples::new(config.output.join(samples::FILE)),
            rules: Rules {
                loss: loss(wanted),
                beta: wanted.beta,
                sampling: Sampling {
                    temperature: wanted.temperature,
                    top_p: wanted.top_p,
                    seed: config.seed,
                    max_tokens: wanted.max_new_tokens,
                },
                limit,
                end: end_token(facts)?,
            },
            state: State::default(),
        }),
    })
}

/// The loss that a configuration means.
pub fn loss(wanted: &SelfTask) -> Loss {
    match (wanted.loss, wanted.ipo) {
        (PreferenceLoss::Sigmoid, _) => Loss::Sigmoid,
        (PreferenceLoss::Hinge, _) => Loss::Hinge,
        (PreferenceLoss::Ipo, IpoForm::Sum) => Loss::IpoSum,
        (PreferenceLoss::Ipo, IpoForm::Mean) => Loss::IpoMean,
    }
}

fn options(fields: &[String], labels: Option<&[String]>) -> Result<ReadOptions> {
    let usual = || {
        DEFAULT_LABELS
            .iter()
            .map(|name| (*name).to_owned())
            .collect()
    };
    Ok(ReadOptions {
        strict: false,
        fields: FieldMap::parse(fields)?,
        labels: labels.map_or_else(usual, <[String]>::to_vec),
    })
}

fn pair_judge(judging: &Asked, facts: &Arc<Facts>) -> Result<PairJudge> {
    let templates = judging.templates.as_deref();
    let setup = PairSetup {
        templates: templates
            .map(|name| PairTemplates::named(name, false))
            .transpose()?,
        principles: judging.principles.clone(),
        ..PairSetup::default()
    };
    Ok(PairJudge::new(cast(facts), setup)?)
}

/// A judge of which the templates and the tokenizer are needed, and no weights.
fn cast(facts: &Arc<Facts>) -> Cast {
    Cast {
        judge: Arc::clone(facts),
        embedder: Arc::clone(facts),
        policy: Arc::clone(facts),
        numbers: String::new(),
    }
}

fn note(what: &str, counts: &Counts) -> String {
    format!("{what} from {counts}")
}

fn bytes(ids: &[u32]) -> Vec<u8> {
    ids.iter().flat_map(|id| id.to_le_bytes()).collect()
}

fn digest<'a>(examples: impl Iterator<Item = &'a Example>) -> [u8; 32] {
    let mut hash = Sha256::new();
    for example in examples {
        hash.update(bytes(&example.ids));
        for target in &example.targets {
            hash.update(
                [target.start as u64, target.end as u64]
                    .map(u64::to_le_bytes)
                    .concat(),
            );
        }
        hash.update([0xFF; 8]);
    }
    hash.finalize().into()
}

//! From the file's words to a whole configuration, or to what is wrong with them.

use super::file::{Defaults, FULL_LEARNING_RATE, File, Paths, defaults};
use super::source::{Result, Source};
use super::{Config, ConfigError, Form, JsftTask, JudgeTask, Judging, Kind, Lora, SelfTask};
use super::{SftTask, Task, Warmup};
use crate::data::FieldMap;
use crate::data::options::DEFAULT_LABELS;
use crate::judge::student::Wrapper;
use crate::judge::template::Wrap;
use crate::train::tune::judge_rows::WRAP;

/// Projections that an adapter may have.
const PROJECTIONS: [&str; 7] = [
    "q_proj",
    "k_proj",
    "v_proj",
    "o_proj",
    "gate_proj",
    "up_proj",
    "down_proj",
];

/// Room for an answer cue, a target and a few words.
const LEAST_TOKENS: usize = 32;

/// A configuration, checked.
pub(super) fn config(kind: Kind, file: &str, text: &str) -> Result<Config> {
    let source = Source::new(kind, file, text)?;
    source.known()?;
    let found: File = toml::from_str(text).map_err(|e| {
        let before = e.span().map(|span| text.get(..span.start).unwrap_or(text));
        let line = before.map(|before| 1 + before.matches('\n').count());
        let key = source.keys.iter().rfind(|(_, at)| Some(*at) <= line);
        let key = key.map_or(String::new(), |(key, _)| format!("`{key}`: "));
        ConfigError {
            file: file.to_owned(),
            line,
            cause: format!("{key}{}", e.message()),
        }
    })?;
    let usual = defaults(kind);
    let lora = lora(&source, &found, &usual)?;
    let batch_size = found.batch_size.unwrap_or(usual.batch_size);
    let batch_size = source.number("batch_size", batch_size, |n| n >= 1, "at least 1")?;
    let warmup = match (found.warmup_steps, found.warmup_ratio) {
        (Some(_), Some(_)) => {
            let cause = "contradicts `warmup_steps`: give one of them";
            return Err(source.wrong("warmup_ratio", cause));
        }
        (Some(steps), None) => Warmup::Steps(steps),
        (None, Some(share)) => {
            let fits = |share: f64| (0.0..=1.0).contains(&share);
            Warmup::Ratio(source.number("warmup_ratio", share, fits, "a share from 0 to 1")?)
        }
        (None, None) => usual.warmup,
    };
    // Adapters stand rates that would ruin a whole model.
    let rate = match lora {
        Some(_) => usual.learning_rate,
        None => usual.learning_rate.min(FULL_LEARNING_RATE),
    };
    let rate = found.learning_rate.unwrap_or(rate);
    let not_negative = |x: f64| x >= 0.0 && x.is_finite();
    let eval_data = source.paths("eval_data", found.eval_data.clone())?;
    let eval_steps = match (eval_data.is_empty(), found.eval_steps) {
        (true, None) => None,
        (true, Some(_)) => {
            return Err(source.wrong("eval_steps", "has no data to evaluate on: give `eval_data`"));
        }
        (false, steps) => {
            let steps = steps.unwrap_or(100);
            Some(source.number("eval_steps", steps, |n| n >= 1, "at least 1")?)
        }
    };
    if kind == Kind::Judge && !eval_data.is_empty() && eval_data.len() != 2 {
        let cause = "is to name two files here, the one with reference and the one without";
        return Err(source.wrong("eval_data", cause));
    }
    let max_steps = found.max_steps.map(|n| {
        source.number(
            "max_steps",
            n,
            |n| n >= 1,
            "at least 1 (leave it out for no limit)",
        )
    });
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    Ok(Config {
        model: source
            .needed("model", found.model.clone(), "which model is trained")
            .and_then(|model| match model.is_empty() {
                true => Err(source.wrong("model", "is empty: name a model")),
                false => Ok(model),
            })?,
        output: source.needed(
            "output",
            found.output.clone(),
            "the folder for what is trained",
        )?,
        seed: found.seed.unwrap_or(0),
        epochs: source.number(
            "epochs",
            found.epochs.unwrap_or(usual.epochs),
            |n| n >= 1,
            "at least 1",
        )?,
        micro_batch_size: micro(&source, found.micro_batch_size, batch_size, &usual)?,
        batch_size,
        learning_rate: source.number(
            "learning_rate",
            rate,
            |x| x > 0.0 && x <= 1.0,
            "above 0 and at most 1",
        )?,
        warmup,
        scheduler: found.scheduler.unwrap_or(usual.scheduler),
        weight_decay: source.number(
            "weight_decay",
            found.weight_decay.unwrap_or(0.0),
            |x| (0.0..1.0).contains(&x),
            "at least 0 and below 1",
        )?,
        max_grad_norm: source.number(
            "max_grad_norm",
            found.max_grad_norm.unwrap_or(1.0),
            not_negative,
            "a length of at least 0 (0: gradients of any length)",
        )?,
        cutoff_len: source.number(
            "cutoff_len",
            found.cutoff_len.unwrap_or(usual.cutoff_len),
            |n| n >= LEAST_TOKENS,
            &format!("at least {LEAST_TOKENS} tokens"),
        )?,
        dtype: found.dtype.unwrap_or_default(),
        threads: source.number(
            "threads",
            found.threads.unwrap_or(cores),
            |n| n >= 1,
            "at least 1",
        )?,
        activation_checkpointing: found.activation_checkpointing.unwrap_or_default(),
        max_steps: max_steps.transpose()?,
        eval_data,
        eval_steps,
        save_steps: source.number(
            "save_steps",
            found.save_steps.unwrap_or(100),
            |n| n >= 1,
            "at least 1",
        )?,
        tensorboard: found.tensorboard.unwrap_or(false),
        lora,
        task: task(&source, found)?,
    })
}

fn micro(source: &Source, own: Option<usize>, batch: usize, usual: &Defaults) -> Result<usize> {
    let divides = |n: usize| n >= 1 && batch.is_multiple_of(n);
    match own {
        Some(own) => source.number(
            "micro_batch_size",
            own,
            divides,
            &format!("a number that divides `batch_size` ({batch})"),
        ),
        None => Ok((1..=usual.micro_batch_size.min(batch))
            .rfind(|n| divides(*n))
            .unwrap_or(1)),
    }
}

fn lora(source: &Source, found: &File, usual: &Defaults) -> Result<Option<Lora>> {
    let Some(r) = found.lora_r.or(usual.lora_r) else {
        let given = source.keys.iter().find(|(key, _)| key.starts_with("lora_"));
        return match given {
            Some((key, _)) => Err(source.wrong(
                key,
                "is about an adapter, and there is none: give `lora_r`, such as 16, or leave this out to train all \
                 parameters",
            )),
            None => Ok(None),
        };
    };
    let r = source.number(
        "lora_r",
        r,
        |r| (1..=4096).contains(&r),
        "a rank from 1 to 4096 (leave it out to train all parameters)",
    )?;
    let alpha = found.lora_alpha.unwrap_or(usual.lora_alpha);
    let dropout = found.lora_dropout.unwrap_or(usual.lora_dropout);
    let named = found.lora_target_modules.clone();
    let named = named.unwrap_or_else(|| PROJECTIONS[..4].iter().map(|n| (*n).to_owned()).collect());
    let mut target_modules = Vec::new();
    for name in named {
        let full = PROJECTIONS
            .into_iter()
            .find(|full| *full == name || full.strip_suffix("_proj") == Some(&name));
        let Some(full) = full else {
            return Err(source.wrong(
                "lora_target_modules",
                format!("has `{name}`: some of {} expected", PROJECTIONS.join(", ")),
            ));
        };
        if !target_modules.iter().any(|known| known == full) {
            target_modules.push(full.to_owned());
        }
    }
    if target_modules.is_empty() {
        return Err(source.wrong("lora_target_modules", "is empty: there is nothing to train"));
    }
    Ok(Some(Lora {
        r,
        alpha: source.number("lora_alpha", alpha, |x| x > 0.0 && x.is_finite(), "above 0")?,
        dropout: source.number(
            "lora_dropout",
            dropout,
            |x| (0.0..1.0).contains(&x),
            "at least 0 and below 1",
        )?,
        target_modules,
    }))
}

fn task(source: &Source, found: File) -> Result<Task> {
    let weight = |key: &str, value: f64| {
        let good = |x: f64| x >= 0.0 && x.is_finite();
        source.number(key, value, good, "a weight of at least 0")
    };
    FieldMap::parse(found.fields.as_deref().unwrap_or_default())
        .map_err(|e| source.wrong("fields", e))?;
    if let Some(wrap) = &found.wrap {
        let checked = match source.kind {
            Kind::Judge => Wrap::parse(wrap).map(drop),
            _ => wrap.parse::<Wrapper>().map(drop).map_err(|e| e.to_string()),
        };
        checked.map_err(|e| source.wrong("wrap", e))?;
    }
    let form = Form {
        fields: found.fields.clone().unwrap_or_default(),
        wrap: found.wrap.clone(),
    };
    let judging = Judging {
        templates: found.templates,
        principles: found.principles.unwrap_or_default(),
    };
    Ok(match source.kind {
        Kind::Judge => {
            let rows = "a file as `juror make-training` writes it";
            Task::Judge(JudgeTask {
                with_reference: source.needed("with_reference", found.with_reference, rows)?,
                reference_free: source.needed("reference_free", found.reference_free, rows)?,
                alpha: weight("alpha", found.alpha.unwrap_or(0.3))?,
                alpha_for_kd: weight("alpha_for_kd", found.alpha_for_kd.unwrap_or(2.0))?,
                wrap: found.wrap.unwrap_or_else(|| WRAP.to_owned()),
                special_tokens: found.special_tokens.unwrap_or(false),
            })
        }
        Kind::Sft => {
            let data = source.needed("data", found.data, "what is learned from")?;
            Task::Sft(SftTask {
                data: source.paths("data", Some(data))?,
                form,
            })
        }
        Kind::Jsft => {
            let pairs = source.needed(
                "pairs",
                found.pairs,
                "pairs, preferences or rated responses",
            )?;
            let usual = || DEFAULT_LABELS.map(String::from).to_vec();
            Task::Jsft(JsftTask {
                sft_data: source.paths("sft_data", found.sft_data)?,
                pairs: source.paths("pairs", Some(pairs))?,
                labels: found.labels.unwrap_or_else(usual),
                rationale: found.rationale.unwrap_or(false),
                judging,
                form,
            })
        }
        Kind::SelfTraining => Task::SelfTraining(SelfTask {
            fields: form.fields,
            judging,
            ..self_task(
                source,
                [found.prompts, found.pairs],
                [found.beta, found.temperature, found.top_p],
                found.iterations,
                found.max_new_tokens,
                (found.loss, found.ipo),
            )?
        }),
    })
}

fn self_task(
    source: &Source,
    [prompts, pairs]: [Option<Paths>; 2],
    [beta, temperature, top_p]: [Option<f64>; 3],
    iterations: Option<u64>,
    max_new_tokens: Option<usize>,
    (loss, ipo): (Option<super::PreferenceLoss>, Option<super::IpoForm>),
) -> Result<SelfTask> {
    match (&prompts, &pairs) {
        (None, None) => {
            let cause = "is missing: DATA to answer, or `pairs`, a file of pairs to replay";
            return Err(source.wrong("prompts", cause));
        }
        (Some(_), Some(_)) => {
            let cause = "contradicts `prompts`: pairs are replayed or made, not both";
            return Err(source.wrong("pairs", cause));
        }
        _ => (),
    }
    let iterations = iterations.unwrap_or(1);
    if pairs.is_some() && iterations > 1 {
        let cause = "is about pairs that are made anew, and `pairs` are replayed: leave it out, and set `epochs`";
        return Err(source.wrong("iterations", cause));
    }
    let positive = |x: f64| x > 0.0 && x.is_finite();
    let share = |x: f64| x > 0.0 && x <= 1.0;
    Ok(SelfTask {
        prompts: source.paths("prompts", prompts)?,
        pairs: source.paths("pairs", pairs)?,
        loss: loss.unwrap_or_default(),
        ipo: ipo.unwrap_or_default(),
        beta: source.number("beta", beta.unwrap_or(0.1), positive, "above 0")?,
        iterations: source.number("iterations", iterations, |n| n >= 1, "at least 1")?,
        max_new_tokens: source.number(
            "max_new_tokens",
            max_new_tokens.unwrap_or(768),
            |n| n >= 1,
            "at least 1",
        )?,
        temperature: source.number(
            "temperature",
            temperature.unwrap_or(1.0),
            positive,
            "above 0",
        )?,
        top_p: source.number(
            "top_p",
            top_p.unwrap_or(0.9),
            share,
            "above 0 and at most 1",
        )?,
        judging: Judging::default(),
        fields: Vec::new(),
    })
}

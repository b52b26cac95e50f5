//! The flags that make a judge, on every command that has one.

use std::path::PathBuf;

use anyhow::{Result, anyhow};
use clap::{Args, ValueEnum};

use super::machine::MachineArguments;
use super::servers::ServerArguments;
use crate::engine::local::Cast;
use crate::engine::{Engine, Options};
use crate::judge::prompt::Truncate;
use crate::judge::similarity::Long;
use crate::judge::template::Wrap;
use crate::judge::{Setup, TemplateSet};
use crate::kernel::linear::Format;

/// Models, templates, device.
#[derive(Args, Clone, Debug)]
pub struct JudgeArguments {
    /// The judge: `starter`, a model folder in Hugging Face layout, hf:ORG/NAME[@REVISION], or https://HOST/v1#MODEL for
    /// an OpenAI-compatible server (several of one model, with commas or the flag repeated, share the work)
    #[arg(long, value_name = "JUDGE", default_value = "starter")]
    judge: Vec<String>,
    /// The embedder; without it, the judge's own mean-pooled hidden states
    #[arg(long)]
    embedder: Option<String>,
    /// The model that writes responses; without it, the judge
    #[arg(long)]
    policy: Option<String>,
    /// A template file: text with {instruction}, {reference}, {response}, or TOML; once for each mode
    #[arg(long)]
    pub(super) template: Vec<PathBuf>,
    /// In text templates, {{ and }} stand for braces
    #[arg(long)]
    pub(super) python_format: bool,
    /// Around the filled template: chat, none, or a text with {prompt}
    #[arg(long)]
    pub(super) wrap: Option<String>,
    /// Put before each label when its tokens are looked up
    #[arg(long)]
    pub(super) label_prefix: Option<String>,
    /// Compute the labels alone, not the whole vocabulary: faster while typing where that is large, but
    /// the labels' mass stays unknown
    #[arg(long)]
    labels_only: bool,
    /// As the authors' released code has it; where scores are asked for: labels outside the 20 likeliest tokens count
    /// as 0
    #[arg(long)]
    pub(super) as_released: bool,
    /// Weight of the cosine in the fused score
    #[arg(long, default_value_t = 0.5)]
    weight: f64,
    /// Where a prompt exceeds the context: what to keep of the response, then of the reference
    #[arg(long, value_enum, default_value_t)]
    pub(super) truncate: Truncate,
    /// Where a text exceeds the embedder
    #[arg(long, value_enum, default_value_t)]
    long: Long,
    #[command(flatten)]
    pub machine: MachineArguments,
    #[command(flatten)]
    pub servers: ServerArguments,
}

/// The model of a server's name.
fn served(name: &str) -> Option<&str> {
    let is_url = name.starts_with("http://") || name.starts_with("https://");
    let (_, model) = name.rsplit_once('#').filter(|_| is_url)?;
    Some(model)
}

/// Number formats of weights.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(super) enum Dtype {
    #[default]
    Auto,
    F32,
    Bf16,
    Int8,
}

impl Dtype {
    pub(super) fn format(self) -> Option<Format> {
        match self {
            Dtype::Auto => None,
            Dtype::F32 => Some(Format::F32),
            Dtype::Bf16 => Some(Format::Bf16),
            Dtype::Int8 => Some(Format::Int8),
        }
    }
}

impl JudgeArguments {
    /// The same with one of several judges, whose names have commas between them. Servers of one model are one judge.
    pub fn each(&self) -> Vec<JudgeArguments> {
        let all = self.name();
        let mut judges: Vec<String> = Vec::new();
        for name in all
            .split(',')
            .map(str::trim)
            .filter(|name| !name.is_empty())
        {
            let model = served(name);
            match judges
                .iter_mut()
                .find(|known| model.is_some() && served(known) == model)
            {
                Some(known) => *known = format!("{known},{name}"),
                None => judges.push(name.to_owned()),
            }
        }
        judges
            .into_iter()
            .map(|name| JudgeArguments {
                judge: vec![name],
                ..self.clone()
            })
            .collect()
    }

    fn name(&self) -> String {
        self.judge.join(",")
    }

    /// The judge as it was named.
    pub fn named(&self) -> Option<String> {
        Some(self.name())
    }

    /// Whether texts are compared unless somebody says otherwise: a judge of this machine embeds, one on a server need
    /// not.
    pub fn embeds(&self) -> bool {
        let name = self.name();
        self.embedder.is_some() || name.split(',').all(|name| served(name.trim()).is_none())
    }

    /// Whether a template is named.
    pub fn has_template(&self) -> bool {
        !self.template.is_empty()
    }

    /// Of the cosine in the fused score.
    pub fn weight(&self) -> f64 {
        self.weight
    }

    /// What the engine needs.
    ///
    /// # Errors
    /// A key or numbers for servers that cannot be used.
    pub fn engine(&self) -> Result<Options> {
        Ok(self.machine.engine(
            self.name(),
            self.embedder.clone(),
            self.policy.clone(),
            self.servers.settings()?,
        ))
    }

    /// What the judge needs.
    pub fn setup(&self) -> Result<Setup> {
        if !(0.0..=1.0).contains(&self.weight) {
            return Err(anyhow!(
                "--weight {}: a number from 0 to 1 expected",
                self.weight
            ));
        }
        let templates = match self.template.is_empty() {
            true => None,
            false => Some(TemplateSet::read(&self.template, self.python_format)?),
        };
        let wrap = self.wrap.as_deref().map(Wrap::parse).transpose();
        Ok(Setup {
            templates,
            wrap: wrap.map_err(|e| anyhow!("--{e}"))?,
            truncate: self.truncate,
            long: self.long,
            weight: Some(self.weight),
            label_prefix: self.label_prefix.clone(),
            labels_only: self.labels_only,
            as_released: self.as_released,
        })
    }

    /// Starts an engine and waits until its models are there.
    pub fn start(&self, stage: impl Fn(&str, u64, u64)) -> Result<(Engine, Cast)> {
        super::use_threads(self.machine.threads)?;
        Ok(Engine::load(self.engine()?, stage)?)
    }
}

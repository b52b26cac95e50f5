//! `juror model show NAME`

use std::io::{self, Write};
use std::path::{Path, PathBuf};

use anyhow::{Result, bail};
use clap::Args;
use indicatif::BinaryBytes;
use serde::Serialize;

use super::short;
use crate::judge::TemplateSet;
use crate::judge::template::Wrap;
use crate::model::adapter::Adapter;
use crate::model::hub::{Hub, Want};
use crate::model::spec::{self, Source, Spec};
use crate::model::summary::{self, Summary};

/// Which model.
#[derive(Args)]
pub struct Arguments {
    /// `starter`, a folder, a .gguf file, or hf:ORG/NAME[@REVISION][:FILE.gguf]; any +ADAPTER after it
    name: String,
    /// One object on standard output
    #[arg(long)]
    json: bool,
}

#[derive(Serialize)]
struct Shown {
    name: String,
    path: PathBuf,
    #[serde(flatten)]
    summary: Summary,
    /// SHA-256, as rows of `score` state it.
    hash: String,
    templates: Templates,
    adapters: Vec<ShownAdapter>,
}

/// How the model is asked unless `--template` says otherwise.
#[derive(Serialize)]
struct Templates {
    name: String,
    /// Whether the model's own folder has them.
    own: bool,
    modes: Vec<&'static str>,
    labels: Vec<String>,
    wrap: Option<String>,
}

#[derive(Serialize)]
struct ShownAdapter {
    path: PathBuf,
    /// How many tensors it changes.
    tensors: usize,
}

pub fn run(arguments: &Arguments) -> Result<()> {
    let name = &arguments.name;
    let parsed = Spec::parse(name)?;
    let hub = Hub::from_env();
    // Looking at a model fetches nothing.
    let adapters = parsed.adapters.iter().map(|name| (name, Want::Adapter));
    for (source, want) in [(&parsed.source, Want::Model)].into_iter().chain(adapters) {
        if let Source::Hub(wanted) = source
            && hub.in_cache(wanted, want).is_none()
        {
            bail!(
                "{wanted} is not (or not wholly) in {}: fetch it with `juror model pull {wanted}`",
                hub.settings().cache.display()
            );
        }
    }
    let located = spec::locate_with(&hub, name, &mut |_| ())?;
    let mut adapters = Vec::new();
    for path in &located.adapters {
        adapters.push(ShownAdapter {
            path: path.clone(),
            tensors: Adapter::read(path)?.len(),
        });
    }
    let shown = Shown {
        name: name.clone(),
        summary: Summary::read(&located.path)?,
        hash: summary::hash(&located.path)?,
        templates: templates(&located.path)?,
        path: std::path::absolute(&located.path)?,
        adapters,
    };
    let mut out = io::stdout().lock();
    match arguments.json {
        true => writeln!(out, "{}", serde_json::to_string(&shown)?)?,
        false => write!(out, "{}", table(&shown))?,
    }
    Ok(())
}

fn templates(path: &Path) -> Result<Templates> {
    let own = path.join("juror.toml").is_file();
    let set = match own {
        true => TemplateSet::of_model(path)?,
        false => TemplateSet::standard()?,
    };
    let modes = [
        ("reference", set.reference.is_some()),
        ("free", set.free.is_some()),
    ];
    Ok(Templates {
        own,
        modes: modes.iter().filter(|m| m.1).map(|m| m.0).collect(),
        labels: set.scale.labels,
        wrap: set.wrap.map(|wrap| match wrap {
            Wrap::Chat | Wrap::Turns => "chat".to_owned(),
            Wrap::None => "none".to_owned(),
            Wrap::Around(before, after) => format!("{before}{{prompt}}{after}"),
        }),
        name: set.name,
    })
}

fn table(shown: &Shown) -> String {
    let s = &shown.summary;
    let unknown = || "unknown".to_owned();
    let text = |value: &Option<String>| value.clone().unwrap_or_else(unknown);
    let t = &shown.templates;
    let wrap = t
        .wrap
        .as_deref()
        .unwrap_or("chat where there is a chat template");
    let source = if t.own { "the model's own" } else { "Juror's" };
    let mut rows = vec![
        ("name", shown.name.clone()),
        ("path", shown.path.display().to_string()),
        ("architecture", text(&s.architecture)),
        (
            "parameters",
            s.parameters
                .map_or_else(unknown, |n| format!("{} ({n})", short(n))),
        ),
        (
            "weights",
            format!("{}, {}", text(&s.dtype), BinaryBytes(s.bytes)),
        ),
        (
            "context",
            s.context.map_or_else(unknown, |n| format!("{n} tokens")),
        ),
        (
            "tokenizer",
            match s.vocabulary {
                Some(n) => format!("{}, {n} entries", text(&s.tokenizer)),
                None => text(&s.tokenizer),
            },
        ),
        (
            "chat template",
            if s.chat_template { "yes" } else { "no" }.to_owned(),
        ),
        (
            "templates",
            format!("{} ({source}): {}", t.name, t.modes.join(", ")),
        ),
        ("labels", t.labels.join(" ")),
        ("wrap", wrap.to_owned()),
        ("hash", shown.hash.clone()),
    ];
    for adapter in &shown.adapters {
        let path = adapter.path.display();
        rows.push((
            "adapter",
            format!("{path}, changes {} tensors", adapter.tensors),
        ));
    }
    rows.iter()
        .map(|(key, value)| format!("{key:14} {value}\n"))
        .collect()
}

//! `juror doctor --judge URL#MODEL`: what a server can do.

use std::io::{self, Write};

use anyhow::{Result, anyhow, bail};

use crate::cli::servers::ServerArguments;
use crate::engine::remote::{About, Probed, probe};
use crate::model::served::Need;
use crate::model::spec::{Source, Spec};

pub fn run(name: &str, servers: &ServerArguments, json: bool) -> Result<()> {
    let Source::Server { urls, model } = Spec::parse(name)?.source else {
        bail!(
            "--judge {name}: https://HOST/v1#MODEL is expected; `juror model show` tells of models of this machine"
        );
    };
    let settings = servers.settings()?;
    let about = About {
        texts: true,
        embeddings: true,
        rest: true,
    };
    let mut out = io::stdout().lock();
    for url in &urls {
        let probed =
            probe(url, &model, &settings, about).map_err(|cause| anyhow!("--judge: {cause}"))?;
        match json {
            true => writeln!(out, "{}", serde_json::to_string(&probed)?)?,
            false => write!(out, "{}", table(&probed))?,
        }
    }
    Ok(())
}

fn table(probed: &Probed) -> String {
    let mut rows = vec![
        ("server".to_owned(), probed.url.clone()),
        ("model".to_owned(), probed.model.clone()),
    ];
    for line in &probed.lines {
        let found = match line.ok {
            true => line.found.clone(),
            false => format!("no: {}", line.found),
        };
        rows.push((line.what.to_owned(), found));
    }
    if let Some(context) = probed.abilities.context {
        rows.push(("context".to_owned(), format!("{context} tokens")));
    }
    let can = |need: Need| {
        if probed.abilities.lacks(need).is_none() {
            "yes"
        } else {
            "no"
        }
    };
    for (what, need) in [
        ("judge (self_eval)", Need::Labels),
        ("policy (texts)", Need::Text),
        ("embedder (cosine)", Need::Embedding),
        ("ppl, IFD", Need::LogProbs),
    ] {
        rows.push((what.to_owned(), can(need).to_owned()));
    }
    let width = rows.iter().map(|(what, _)| what.len()).max().unwrap_or(0);
    rows.iter()
        .map(|(what, found)| format!("{what:width$}  {found}\n"))
        .collect()
}

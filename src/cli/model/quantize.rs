//! `juror model quantize NAME --type q8_0 -o FILE.gguf`

use std::io::{self, IsTerminal, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use clap::Args;
use clap::builder::PossibleValuesParser;
use indicatif::{BinaryBytes, ProgressBar, ProgressStyle};
use serde_json::json;

use crate::data::atomic;
use crate::model::base::merged;
use crate::model::gguf::{self, Kind};
use crate::model::safetensors_folder::SafetensorsFolder;
use crate::model::spec;

/// What to write, and where.
#[derive(Args)]
pub struct Arguments {
    /// `starter`, a folder, or hf:ORG/NAME[@REVISION]; each +ADAPTER after it is merged
    name: String,
    /// How matrices are stored
    #[arg(long = "type", default_value = "q8_0",
          value_parser = PossibleValuesParser::new(Kind::ALL.map(|(name, _)| name)))]
    kind: String,
    /// The file to write
    #[arg(short, long)]
    output: PathBuf,
    /// Write over a file that is there
    #[arg(long)]
    force: bool,
    /// One object on standard output
    #[arg(long)]
    json: bool,
    /// No progress and no closing sentence
    #[arg(long)]
    quiet: bool,
}

pub fn run(arguments: &Arguments) -> Result<()> {
    let to = &arguments.output;
    if to.extension().is_none_or(|e| e != "gguf") {
        bail!("{}: the file's name has to end in .gguf", to.display());
    }
    if to.exists() && !arguments.force {
        bail!("{} is there already: --force writes over it", to.display());
    }
    let found = Kind::ALL.iter().find(|(name, _)| *name == arguments.kind);
    let Some((_, kind)) = found else {
        bail!("--type {}: not known", arguments.kind);
    };
    let bar = bar(arguments.quiet);
    let located = spec::locate(&arguments.name, &mut |p| {
        bar.set_length(p.total);
        bar.set_position(p.done);
    })?;
    if located.path.is_file() {
        bail!(
            "{} is quantised already: name the folder with its safetensors",
            located.path.display()
        );
    }
    let name = spec::short_name(&arguments.name);
    let mut progress = |done: usize, total: usize| {
        bar.set_length(total as u64);
        bar.set_position(done as u64);
    };
    let tensors = Box::new(SafetensorsFolder::open(&located.path)?);
    let tensors = merged(tensors, &located.adapters)?;
    let written = gguf::write(&located.path, &*tensors, &name, *kind, to, &mut progress)?;
    bar.finish_and_clear();
    let beside = match &written.needs_tokenizer {
        Some(from) => Some(copy_beside(from, to)?),
        None => None,
    };
    if arguments.json {
        let object = json!({
            "name": arguments.name, "type": arguments.kind, "path": to, "bytes": written.bytes,
            "tokenizer": beside,
        });
        writeln!(io::stdout(), "{object}")?;
    } else if !arguments.quiet {
        note!("{}: {}", to.display(), BinaryBytes(written.bytes));
        if let Some(beside) = &beside {
            note!(
                "{}: keep it beside the file, which cannot say how this tokenizer splits texts",
                beside.display()
            );
        }
    }
    Ok(())
}

/// Puts the tokenizer where a reader of the file looks for it.
fn copy_beside(from: &Path, to: &Path) -> Result<PathBuf> {
    let beside = to.with_file_name("tokenizer.json");
    let place = || format!("{}", beside.display());
    let bytes = std::fs::read(from).with_context(|| format!("{}", from.display()))?;
    match std::fs::read(&beside) {
        Ok(there) if there == bytes => (),
        Ok(_) => bail!(
            "{} belongs to another model; this file needs {} beside it: write it to a folder of \
             its own",
            beside.display(),
            from.display()
        ),
        Err(_) => atomic::write(&beside, &bytes).with_context(place)?,
    }
    Ok(beside)
}

fn bar(quiet: bool) -> ProgressBar {
    if quiet || !io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let style = ProgressStyle::with_template("{wide_bar} {pos}/{len} {eta}");
    let bar = ProgressBar::no_length();
    match style {
        Ok(style) => bar.with_style(style),
        Err(_) => bar,
    }
}

//! `juror merge SHARD… -o OUT`

use std::io::{BufRead, Lines, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use clap::Args;
use serde::Deserialize;

use super::output::{spare, write_to};
use crate::data::Shard;
use crate::data::source::{self, Source};

/// Put the rows of all shards of a run together, to the bytes of one run over the whole.
#[derive(Args)]
pub struct Arguments {
    /// What `juror score --shard I/N` wrote, all N files, in any order
    #[arg(required = true)]
    shards: Vec<PathBuf>,
    /// Where the rows go; `-` is standard output
    #[arg(short, long)]
    output: PathBuf,
}

/// What a row says of itself.
#[derive(Deserialize)]
struct Owner {
    id: String,
    shard: Option<String>,
}

/// One shard, read record by record.
struct Part<'a> {
    path: &'a Path,
    lines: Lines<Source>,
    line: usize,
    /// What all of its rows say; nothing of a file without rows.
    shard: Option<Shard>,
    /// The first row of the next record, and the record's id.
    next: Option<(String, String)>,
}

impl<'a> Part<'a> {
    fn open(path: &'a Path) -> Result<Self> {
        let mut part = Part {
            path,
            lines: source::open(path)?.lines(),
            line: 0,
            shard: None,
            next: None,
        };
        part.advance()?;
        Ok(part)
    }

    fn advance(&mut self) -> Result<()> {
        self.line += 1;
        let place = format!("{}:{}", self.path.display(), self.line);
        let Some(mut row) = self
            .lines
            .next()
            .transpose()
            .with_context(|| place.clone())?
        else {
            self.next = None;
            return Ok(());
        };
        let owner: Owner = serde_json::from_str(&row)
            .with_context(|| format!("{place}: not a row as `juror score` writes it"))?;
        let shard: Option<Shard> = owner.shard.as_deref().and_then(|name| name.parse().ok());
        let end = format!(",\"shard\":\"{}\"}}", owner.shard.unwrap_or_default());
        let (Some(shard), Some(whole)) = (shard, row.strip_suffix(&end)) else {
            bail!(
                "{place}: a row of no shard; give what `juror score --shard I/N` wrote, as it wrote it"
            );
        };
        if self.shard.is_some_and(|own| own != shard) {
            bail!(
                "{place}: a row of shard {shard} behind those of another: give each shard's file as it is"
            );
        }
        let length = whole.len();
        row.truncate(length);
        row.push('}');
        self.shard = Some(shard);
        self.next = Some((row, owner.id));
        Ok(())
    }

    /// Writes the rows of the next record; whether there was one.
    fn pass(&mut self, out: &mut dyn Write) -> Result<bool> {
        let Some((row, record)) = self.next.take() else {
            return Ok(false);
        };
        writeln!(out, "{row}")?;
        self.advance()?;
        while let Some((row, _)) = self.next.take_if(|(_, id)| *id == record) {
            writeln!(out, "{row}")?;
            self.advance()?;
        }
        Ok(true)
    }
}

pub fn run(arguments: &Arguments) -> Result<()> {
    spare(&arguments.shards, [Some(&arguments.output)])?;
    let parts = arguments.shards.iter().map(|path| Part::open(path));
    let mut parts = in_order(parts.collect::<Result<_>>()?)?;
    write_to(&arguments.output, |out| {
        let mut turn = 0;
        let count = parts.len();
        while parts[turn % count].pass(out)? {
            turn += 1;
        }
        if let Some(longer) = parts.iter().find(|part| part.next.is_some()) {
            bail!(
                "{} has more records than its share: another shard is not whole, or of other data",
                longer.path.display()
            );
        }
        Ok(())
    })
}

/// The parts of one run, the first first. Those without rows are the last ones.
fn in_order(mut parts: Vec<Part<'_>>) -> Result<Vec<Part<'_>>> {
    parts.sort_by_key(|part| part.shard.map_or(u64::MAX, |shard| shard.index));
    let count = parts.len() as u64;
    for (part, index) in parts.iter().zip(1..) {
        match part.shard {
            Some(shard) if shard != (Shard { index, count }) => bail!(
                "{} is shard {shard}, where {index}/{count} is expected: give each shard of one run once",
                part.path.display()
            ),
            _ => (),
        }
    }
    Ok(parts)
}

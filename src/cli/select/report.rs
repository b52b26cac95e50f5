//! What a selection comes to: figures as one JSON object, or a sentence and a table.

use std::io::{self, Write};

use anyhow::{Result, bail};
use serde::Serialize;
use serde_json::Value;

use crate::cli::table::table;
use crate::data::shaped::{Shaped, ShapedRow};
use crate::judge::rating::rated;
use crate::run::select::{Ratings, ScoreRow};
use crate::stats::selection::{self, Features, Side, Statistics};
use crate::stats::show::NONE;

/// Fields that tell a category where nobody names one.
const CATEGORIES: [&str; 3] = ["category", "source", "dataset"];

/// Categories shown in the table; JSON has all.
const SHOWN: usize = 12;

/// One judge.
#[derive(Serialize)]
pub struct JudgeFigures {
    pub name: String,
    pub hash: String,
    pub parameters: f64,
    /// At model level.
    pub weight: Option<f64>,
    /// Mean probability that the ratings hold.
    pub mass: Option<f64>,
}

/// All figures of a run.
#[derive(Default, Serialize)]
pub struct Report {
    pub rows: usize,
    /// Rows without a score.
    pub errors: usize,
    pub selected: usize,
    pub proportion: f64,
    /// The lowest score that was selected.
    pub lowest: Option<f64>,
    pub level: Option<&'static str>,
    pub as_released: bool,
    /// Rating prompts for each judge.
    pub prompts: usize,
    /// Hash of the prompts and their place.
    pub template: String,
    pub judges: Vec<JudgeFigures>,
    pub truncated: usize,
    pub prompt_tokens: usize,
    pub computed_tokens: usize,
    pub load_s: f64,
    pub score_s: f64,
    pub tokens_per_s: f64,
    /// The field that tells the category, or that it is a rule.
    pub category_by: String,
    pub statistics: Option<Statistics>,
    /// Rows of each side that were embedded, and by what.
    pub embedded: Option<(usize, String)>,
    #[serde(skip)]
    first_error: Option<String>,
}

impl Report {
    /// Adds what a judge took.
    pub fn add(&mut self, ratings: &Ratings) {
        self.truncated += ratings.truncated;
        self.prompt_tokens += ratings.prompt_tokens;
        self.computed_tokens += ratings.computed_tokens;
        self.score_s += ratings.score_s;
        self.tokens_per_s = self.prompt_tokens as f64 / self.score_s.max(1e-9);
    }

    /// Takes what came out.
    pub fn of_rows(&mut self, data: &Shaped, rows: &[ScoreRow], chosen: &[usize], proportion: f64) {
        self.rows = rows.len();
        self.errors = rows.iter().filter(|row| row.score.is_none()).count();
        self.selected = chosen.len();
        self.proportion = proportion;
        self.lowest = chosen.last().and_then(|at| rows.get(*at)?.score);
        // Rows that could not be read have been told of.
        let read = data.rows.iter().zip(rows);
        self.first_error = read
            .filter(|(row, _)| row.record.is_ok())
            .find_map(|(_, row)| {
                let cause = row.error.as_ref()?;
                Some(format!("row {} (counted from 0): {cause}", row.index))
            });
    }

    /// Compares the selected rows with the others that have a score.
    ///
    /// # Errors
    /// A field that no row has.
    pub fn statistics(&mut self, data: &Shaped, rows: &[ScoreRow], by: Option<&str>) -> Result<()> {
        let scored = || {
            data.rows
                .iter()
                .zip(rows)
                .filter(|(_, row)| row.score.is_some())
        };
        let has = |name: &str| scored().any(|(row, _)| field(row, name).is_some());
        let by = match by {
            Some(name) if !has(name) => bail!("--by {name}: no row has this field"),
            Some(name) => Some(name),
            None => CATEGORIES.into_iter().find(|name| has(name)),
        };
        self.category_by = by.unwrap_or("a rule by words").to_owned();
        let features = scored().filter_map(|(shaped, row)| {
            let record = shaped.record.as_ref().ok()?;
            let (task, response) = (record.task(), rated(record).ok()?);
            let category = match by {
                Some(name) => field(shaped, name).unwrap_or_else(|| NONE.into()),
                None => selection::category(&task, response).into(),
            };
            let features = Features {
                characters: response.chars().count(),
                tokens: row.tokens,
                task_characters: task.chars().count(),
                calculates: selection::calculates(&task) || selection::calculates(response),
                category,
            };
            Some((features, row.selected))
        });
        let features: Vec<_> = features.collect();
        self.statistics = Some(selection::statistics(&features));
        Ok(())
    }

    /// Adds the novelty of the selected and of the other rows, of `count` of each.
    pub fn add_novelty(&mut self, found: [Option<f64>; 2], count: usize, embedder: &str) {
        if let Some(statistics) = &mut self.statistics {
            [statistics.selected.novelty, statistics.rest.novelty] = found;
        }
        self.embedded = Some((count, embedder.to_owned()));
    }

    /// Tells all of it: JSON and the table on standard output where that is free, else the table on standard error.
    ///
    /// # Errors
    /// What writing says.
    pub fn tell(&self, json: bool, quiet: bool, taken: bool) -> Result<()> {
        if let Some(first) = &self.first_error {
            note!("juror: {first} (the first such row; see `error` in the score file)");
        }
        if self.errors > 0 {
            note!(
                "juror: {} rows have no score and are not selected",
                self.errors
            );
        }
        if json {
            writeln!(io::stdout(), "{}", serde_json::to_string(self)?)?;
        } else if !quiet {
            note!("{}", self.sentence());
            match taken {
                true => note!("{}", self.table().trim_end()),
                false => write!(io::stdout(), "{}", self.table())?,
            }
        }
        Ok(())
    }

    fn sentence(&self) -> String {
        let mut text = format!(
            "{} of {} rows selected, {} errors",
            self.selected, self.rows, self.errors
        );
        if let Some(lowest) = self.lowest {
            text += &format!("; the lowest score is {lowest:.4}");
        }
        if let Some(level) = self.level {
            let cut = match self.truncated {
                0 => String::new(),
                n => format!(", {n} cut to fit"),
            };
            text += &format!(
                "; {level} level, {} prompts{cut}; {} prompt tokens ({} computed) in {:.1} s, {:.0} tok/s; loading took {:.2} s",
                self.prompts,
                self.prompt_tokens,
                self.computed_tokens,
                self.score_s,
                self.tokens_per_s,
                self.load_s
            );
        }
        for judge in &self.judges {
            let mass = judge.mass.map_or(String::new(), |mass| {
                format!(
                    ", the ratings hold {:.1} % of its probability",
                    100.0 * mass
                )
            });
            let weight = judge
                .weight
                .map_or(String::new(), |weight| format!(", weight {weight:.3}"));
            text += &format!(
                "\n{}: {} parameters{weight}{mass}",
                judge.name, judge.parameters
            );
        }
        text
    }

    fn table(&self) -> String {
        let Some(found) = &self.statistics else {
            return String::new();
        };
        let mut lines = vec![["", "selected", "rest"].map(str::to_owned).to_vec()];
        let mut add = |name: &str, of: &dyn Fn(&Side) -> Option<String>| {
            let cells = [of(&found.selected), of(&found.rest)];
            if cells.iter().any(Option::is_some) {
                let cells = cells.map(|cell| cell.unwrap_or_else(|| NONE.into()));
                lines.push([name.to_owned()].into_iter().chain(cells).collect());
            }
        };
        let whole = |x: Option<f64>| x.map(|x| format!("{x:.1}"));
        add("rows", &|s| Some(s.rows.to_string()));
        add("characters of the response, mean", &|s| whole(s.characters));
        add("the same, median", &|s| whole(s.median_characters));
        add("tokens of the response, mean", &|s| whole(s.tokens));
        add("characters of the task, mean", &|s| {
            whole(s.task_characters)
        });
        add("with arithmetic", &|s| s.calculation.map(percent));
        if let Some((count, _)) = &self.embedded {
            let name = format!("novelty of the task, {count} each");
            add(&name, &|s| s.novelty.map(|x| format!("{x:.4}")));
        }
        let share = |count: usize, side: &Side| match side.rows {
            0 => NONE.to_owned(),
            rows => percent(count as f64 / rows as f64),
        };
        for category in found.categories.iter().take(SHOWN) {
            lines.push(vec![
                format!("{} = {}", self.category_by, category.name),
                share(category.selected, &found.selected),
                share(category.rest, &found.rest),
            ]);
        }
        let mut text = table(&lines);
        if found.categories.len() > SHOWN {
            text += &format!("… and {} more categories\n", found.categories.len() - SHOWN);
        }
        text
    }
}

fn percent(share: f64) -> String {
    format!("{:.1} %", 100.0 * share)
}

/// A field of a row as a category; nothing where it is not there or says nothing.
fn field(row: &ShapedRow, name: &str) -> Option<String> {
    let record = row.record.as_ref().ok()?;
    if name == "category"
        && let Some(category) = &record.category
    {
        return Some(category.clone());
    }
    let own = record
        .responses
        .first()
        .and_then(|response| response.meta.get(name));
    match record.meta.get(name).or(own)? {
        Value::String(text) if text.is_empty() => None,
        Value::String(text) => Some(text.clone()),
        Value::Null | Value::Array(_) | Value::Object(_) => None,
        other => Some(other.to_string()),
    }
}

//! Judging the pairs of a data set: rows come out in input order.

mod row;
mod said;

use std::io::{self, Write};
use std::time::Instant;

use serde::Serialize;

use super::row::Named;
use crate::data::{Record, Response};
use crate::engine::Engine;
use crate::engine::line::{Answered, EngineGone, Line};
use crate::judge::pairwise::verdict::PositionBias;
use crate::judge::pairwise::{Compared, Pair, PairJudge, PairPlan, Winner};
use row::Row;

/// Which responses to a record meet.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum Pairing {
    /// Each with every other, once.
    #[default]
    All,
    /// Each with the next.
    Adjacent,
    /// The first with every other.
    First,
    /// Each with the reference, which is `b`.
    #[value(skip)]
    Reference,
}

/// What to judge and how.
#[derive(Clone, Copy, Debug, Default)]
pub struct PairRun {
    pub pairing: Pairing,
    /// Stop at the first pair that cannot be judged.
    pub strict: bool,
    /// Let the judge say why, in texts of at most so many tokens.
    pub rationale: Option<usize>,
}

/// Figures of a run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Summary {
    pub rows: usize,
    /// Rows that could not be read or judged.
    pub errors: usize,
    #[serde(skip)]
    pub failed: usize,
    /// Pairs in which something was cut.
    pub truncated: usize,
    pub a: usize,
    pub b: usize,
    pub ties: usize,
    pub position_bias: PositionBias,
    /// Of the judge tokens among the whole vocabulary, the mean over pairs.
    pub mass: f64,
    pub prompt_tokens: usize,
    pub computed_tokens: usize,
    pub load_s: f64,
    pub judge_s: f64,
    /// Prompt tokens a second, loading excluded.
    pub tokens_per_s: f64,
}

/// Why a run ended early.
#[derive(Debug, thiserror::Error)]
pub enum PairError {
    /// A pair could not be judged and `strict` is set.
    #[error("{id} / {pair}: {cause}")]
    Row {
        id: String,
        pair: String,
        cause: String,
    },
    /// The output could not be written.
    #[error("cannot write the results")]
    Write(#[from] io::Error),
    /// The engine went away.
    #[error(transparent)]
    Engine(#[from] EngineGone),
}

/// Pairs that may be with the engine at a time.
const AHEAD: usize = 128;

/// One side of a pair.
#[derive(Clone, Copy, Debug)]
pub(super) enum Side<'a> {
    Response(&'a Response),
    Reference(&'a str),
}

impl<'a> Side<'a> {
    fn text(self) -> &'a str {
        match self {
            Side::Response(response) => &response.text,
            Side::Reference(text) => text,
        }
    }
}

/// Two answers to a record that meet, or why nobody does.
type Meeting<'a> = (&'a Record, Result<[Side<'a>; 2], String>);

/// The pairs of a record, in the order of its responses. A record without any has its cause instead.
fn meetings(record: &Record, pairing: Pairing) -> Vec<Meeting<'_>> {
    let all = &record.responses;
    let two = |a: usize, b: usize| {
        (
            record,
            Ok([Side::Response(&all[a]), Side::Response(&all[b])]),
        )
    };
    let none = |cause: String| vec![(record, Err(cause))];
    let few = || {
        none(format!(
            "the record has {} responses, and a pair takes two",
            all.len()
        ))
    };
    match (pairing, &record.reference) {
        (Pairing::Reference, None) => none("there is no reference to judge against".into()),
        (Pairing::Reference, Some(_)) if all.is_empty() => {
            none("the record has no response".into())
        }
        (Pairing::Reference, Some(reference)) => all
            .iter()
            .map(|response| {
                let sides = [Side::Response(response), Side::Reference(reference)];
                (record, Ok(sides))
            })
            .collect(),
        _ if all.len() < 2 => few(),
        (Pairing::All, _) => (0..all.len())
            .flat_map(|a| (a + 1..all.len()).map(move |b| (a, b)))
            .map(|(a, b)| two(a, b))
            .collect(),
        (Pairing::Adjacent, _) => (1..all.len()).map(|b| two(b - 1, b)).collect(),
        (Pairing::First, _) => (1..all.len()).map(|b| two(0, b)).collect(),
    }
}

/// How many rows the records make.
pub fn count(records: &[Record], pairing: Pairing) -> usize {
    let of = |record: &Record| {
        let n = record.responses.len();
        let pairs = match pairing {
            Pairing::All => n * n.saturating_sub(1) / 2,
            Pairing::Adjacent | Pairing::First => n.saturating_sub(1),
            Pairing::Reference if record.reference.is_some() => n,
            Pairing::Reference => 0,
        };
        pairs.max(1)
    };
    records.iter().map(of).sum()
}

/// A pair in line.
struct Item<'a> {
    meeting: Meeting<'a>,
    plan: Option<(Pair, PairPlan)>,
    cause: Option<String>,
}

/// Judges the pairs of records and writes a line for each.
pub struct Pairer<'a> {
    judge: &'a PairJudge,
    engine: &'a Engine,
    run: PairRun,
    judge_name: Named,
    template_name: Named,
    summary: Summary,
    /// Told of the first row that cannot be judged.
    first_failure: Box<dyn Fn(&str) + 'a>,
}

/// Name and hash of a judge's model and of its templates.
pub(super) fn names(judge: &PairJudge) -> (Named, Named) {
    let (facts, templates) = (&judge.cast().judge, judge.templates());
    let named = |name: &str, hash: String| Named {
        name: name.to_owned(),
        hash,
    };
    (
        named(&facts.name, facts.hash.clone()),
        named(&templates.name, templates.hash()),
    )
}

impl<'a> Pairer<'a> {
    /// A run on a loaded judge.
    pub fn new(judge: &'a PairJudge, engine: &'a Engine, run: PairRun) -> Self {
        let (judge_name, template_name) = names(judge);
        Pairer {
            judge,
            engine,
            run,
            judge_name,
            template_name,
            summary: Summary::default(),
            first_failure: Box::new(|_| ()),
        }
    }

    /// Calls `tell` with the first row that cannot be judged and why; the others are in the output.
    #[must_use]
    pub fn on_first_failure(mut self, tell: impl Fn(&str) + 'a) -> Self {
        self.first_failure = Box::new(tell);
        self
    }

    /// Runs to the end; `progress(rows, prompt_tokens)` is called after each row.
    ///
    /// # Errors
    /// See [`PairError`].
    pub fn run(
        mut self,
        records: &[Record],
        out: &mut dyn Write,
        progress: &mut dyn FnMut(usize, usize),
    ) -> Result<Summary, PairError> {
        let started = Instant::now();
        let pairing = self.run.pairing;
        let mut next = records.iter().flat_map(|record| meetings(record, pairing));
        let mut line = Line::new(self.engine, AHEAD);
        loop {
            while line.has_room()
                && let Some(meeting) = next.next()
            {
                let mut item = self.item(meeting);
                let tasks = item.plan.as_mut();
                let tasks = tasks.map(|(_, plan)| std::mem::take(&mut plan.tasks));
                line.push(item, tasks.unwrap_or_default());
            }
            let Some((item, answered)) = line.pop()? else {
                break;
            };
            self.finish(item, answered, out)?;
            progress(self.summary.rows, self.summary.prompt_tokens);
        }
        out.flush()?;
        self.summary.judge_s = started.elapsed().as_secs_f64();
        self.summary.tokens_per_s = self.summary.prompt_tokens as f64 / self.summary.judge_s;
        Ok(self.summary)
    }

    fn item<'r>(&self, meeting: Meeting<'r>) -> Item<'r> {
        let planned = match &meeting {
            (record, Ok([a, b])) => {
                let pair = Pair::of(record, a.text(), b.text());
                let plan = self.judge.plan(&pair).map_err(|e| e.to_string());
                plan.map(|plan| (pair, plan))
            }
            (_, Err(cause)) => Err(cause.clone()),
        };
        let (plan, cause) = match planned {
            Ok(planned) => (Some(planned), None),
            Err(cause) => (None, Some(cause)),
        };
        Item {
            meeting,
            plan,
            cause,
        }
    }

    fn finish(
        &mut self,
        item: Item<'_>,
        answered: Answered,
        out: &mut dyn Write,
    ) -> Result<(), PairError> {
        let compared: Result<Compared, String> = match item.cause {
            Some(cause) => Err(cause),
            None => answered.and_then(|out| self.judge.read(&out).map_err(|e| e.to_string())),
        };
        let (mut said, mut trouble) = (Vec::new(), None);
        if let (Some(tokens), Ok(compared), Some((pair, _))) =
            (self.run.rationale, &compared, &item.plan)
        {
            match said::rationales(self.judge, self.engine, pair, &compared.judgment, tokens)? {
                Ok(texts) => said = texts,
                Err(cause) => trouble = Some(format!("rationale: {cause}")),
            }
        }
        let (compared, error) = match compared {
            Ok(compared) => (Some(compared), trouble),
            Err(cause) => (None, Some(cause)),
        };
        let plan = item.plan.as_ref().map(|(_, plan)| plan);
        let (record, sides) = &item.meeting;
        let row = Row::new(
            record,
            sides.as_ref().ok(),
            compared.as_ref().map(|c| &c.judgment),
            &said,
        )
        .made_by(&self.judge_name, &self.template_name)
        .with(plan.map_or(0, |plan| plan.prompt_tokens), error.as_deref());
        serde_json::to_writer(&mut *out, &row).map_err(io::Error::from)?;
        out.write_all(b"\n")?;
        let pair = row.pair();
        self.count(plan, compared.as_ref());
        let Some(cause) = error else { return Ok(()) };
        self.summary.errors += 1;
        self.summary.failed += 1;
        if self.summary.failed == 1 {
            (self.first_failure)(&format!("{} / {pair}: {cause}", record.id));
        }
        match self.run.strict {
            true => Err(PairError::Row {
                id: record.id.clone(),
                pair,
                cause,
            }),
            false => Ok(()),
        }
    }

    fn count(&mut self, plan: Option<&PairPlan>, compared: Option<&Compared>) {
        let summary = &mut self.summary;
        summary.rows += 1;
        if let Some(plan) = plan {
            summary.prompt_tokens += plan.prompt_tokens;
            summary.truncated += usize::from(plan.truncated);
        }
        let Some(compared) = compared else { return };
        let judgment = &compared.judgment;
        summary.computed_tokens += compared.computed_tokens;
        match judgment.winner {
            Winner::A => summary.a += 1,
            Winner::B => summary.b += 1,
            Winner::Tie => summary.ties += 1,
        }
        summary.position_bias.add(judgment);
        let pairs = summary.position_bias.pairs as f64;
        summary.mass += (judgment.mass - summary.mass) / pairs;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(count: usize, reference: Option<&str>) -> Record {
        let response = |n: usize| Response {
            id: n.to_string(),
            text: format!("text {n}"),
            ..Response::default()
        };
        Record {
            instruction: "Add.".into(),
            reference: reference.map(str::to_owned),
            responses: (0..count).map(response).collect(),
            ..Record::default()
        }
    }

    #[test]
    fn who_meets_whom() {
        let record = record(3, Some("known"));
        let of = |pairing| -> Vec<String> {
            let found = meetings(&record, pairing);
            assert_eq!(found.len(), count(std::slice::from_ref(&record), pairing));
            let text = |sides: [Side<'_>; 2]| sides.map(|s| s.text().to_owned()).join("-");
            found.into_iter().map(|(_, s)| text(s.unwrap())).collect()
        };
        assert_eq!(
            of(Pairing::All),
            ["text 0-text 1", "text 0-text 2", "text 1-text 2"]
        );
        assert_eq!(of(Pairing::Adjacent), ["text 0-text 1", "text 1-text 2"]);
        assert_eq!(of(Pairing::First), ["text 0-text 1", "text 0-text 2"]);
        assert_eq!(of(Pairing::Reference).len(), 3);
        assert_eq!(of(Pairing::Reference)[0], "text 0-known");
    }

    #[test]
    fn a_record_without_pairs_says_why() {
        let cause = |record: &Record, pairing| {
            let found = meetings(record, pairing).remove(0);
            found.1.unwrap_err()
        };
        assert!(cause(&record(1, None), Pairing::All).contains("1 responses"));
        assert!(cause(&record(2, None), Pairing::Reference).contains("no reference"));
        assert!(cause(&record(0, Some("x")), Pairing::Reference).contains("no response"));
        assert_eq!(count(&[record(1, None)], Pairing::All), 1);
    }
}

//! Tournaments over the responses of records: the rounds of several records are computed together, rows come out in input
//! order.

use std::collections::{BTreeMap, VecDeque};
use std::io::{self, Write};
use std::time::Instant;

use serde::Serialize;
use serde_json::{Map, Value};

use super::pair::{PairError, names};
use super::row::{Named, meta};
use crate::data::{Record, Response};
use crate::engine::line::{Answered, Line};
use crate::engine::{Engine, Task};
use crate::judge::pairwise::verdict::PositionBias;
use crate::judge::pairwise::{Pair, PairJudge, Winner};
use crate::judge::tournament::Tournament;
use crate::stats::best_of::repetition;

/// What to run.
#[derive(Clone, Copy, Debug)]
pub struct TournamentRun {
    pub seed: u64,
    /// The first so many responses take part; `None`: all.
    pub n: Option<usize>,
    /// Stop at the first record that cannot be judged.
    pub strict: bool,
}

/// Figures of a run.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Summary {
    pub rows: usize,
    /// Rows that could not be read or judged.
    pub errors: usize,
    #[serde(skip)]
    pub failed: usize,
    /// Matches in which something was cut.
    pub truncated: usize,
    /// Judgments of all records, each in both orders by all principles.
    pub judgments: usize,
    /// Responses of all records.
    pub responses: usize,
    pub principles: usize,
    /// Judgments without a winner: the earlier response went on.
    pub ties: usize,
    pub position_bias: PositionBias,
    /// Means over the winners: characters, share of 4-grams of words that stood there before, and labels.
    pub length: Option<f64>,
    pub repetition: Option<f64>,
    pub labels: BTreeMap<String, f64>,
    pub prompt_tokens: usize,
    pub computed_tokens: usize,
    pub load_s: f64,
    pub judge_s: f64,
    /// Prompt tokens a second, loading excluded.
    pub tokens_per_s: f64,
}

/// One line of output.
#[derive(Serialize)]
struct Row<'a> {
    id: &'a str,
    instruction_hash: String,
    /// Id of the response that is left.
    winner: Option<&'a str>,
    generator: Option<&'a str>,
    /// Of each round its matches: two ids, and the one that went on. Who has a bye has no match.
    rounds: Vec<Vec<[&'a str; 3]>>,
    judgments: usize,
    /// Responses that took part.
    n: usize,
    /// Of the winner: characters, and share of 4-grams of words that stood there before.
    length: Option<usize>,
    repetition: Option<f64>,
    judge: &'a Named,
    template: &'a Named,
    prompt_tokens: usize,
    /// The winner's.
    labels: BTreeMap<&'a str, f64>,
    meta: Map<String, Value>,
    error: Option<String>,
}

/// Records with the engine at a time. A round of a record is one job, so that what its matches share is computed once; the
/// late rounds are small, and those of several records fill a pass.
const AHEAD: usize = 16;

/// A record under way, with the matches that the engine computes.
struct Entry<'a> {
    at: usize,
    record: &'a Record,
    tournament: Tournament,
    prompt_tokens: usize,
    error: Option<String>,
}

/// Runs a tournament for each record and writes a line for each.
pub struct Runner<'a> {
    judge: &'a PairJudge,
    engine: &'a Engine,
    run: TournamentRun,
    summary: Summary,
    winners: Vec<Option<usize>>,
    first_failure: Box<dyn Fn(&str) + 'a>,
}

impl<'a> Runner<'a> {
    /// A run on a loaded judge.
    pub fn new(judge: &'a PairJudge, engine: &'a Engine, run: TournamentRun) -> Self {
        Runner {
            summary: Summary {
                principles: judge.templates().principles.len(),
                ..Summary::default()
            },
            judge,
            engine,
            run,
            winners: Vec::new(),
            first_failure: Box::new(|_| ()),
        }
    }

    /// Calls `tell` with the first record that cannot be judged and why; the others are in the output.
    #[must_use]
    pub fn on_first_failure(mut self, tell: impl Fn(&str) + 'a) -> Self {
        self.first_failure = Box::new(tell);
        self
    }

    /// Responses of a record that take part.
    fn playing<'r>(&self, record: &'r Record) -> &'r [Response] {
        let all = &record.responses;
        &all[..self.run.n.unwrap_or(all.len()).min(all.len())]
    }

    /// Runs to the end; `progress(judgments, prompt_tokens)` is called after each round of a record. Gives back the place
    /// of each record's winner among its responses, too.
    ///
    /// # Errors
    /// See [`PairError`].
    pub fn run(
        mut self,
        records: &[Record],
        out: &mut dyn Write,
        progress: &mut dyn FnMut(usize, usize),
    ) -> Result<(Summary, Vec<Option<usize>>), PairError> {
        let started = Instant::now();
        self.winners = vec![None; records.len()];
        let mut fresh = records.iter().enumerate();
        let mut again: VecDeque<Entry<'_>> = VecDeque::new();
        let mut done: BTreeMap<usize, Entry<'_>> = BTreeMap::new();
        let mut written = 0;
        let mut line = Line::new(self.engine, AHEAD);
        loop {
            while line.has_room()
                && let Some(mut entry) = again.pop_front().or_else(|| {
                    let (at, record) = fresh.next()?;
                    Some(self.enter(at, record))
                })
            {
                let tasks = self.round(&mut entry);
                line.push(entry, tasks);
            }
            let Some((mut entry, answered)) = line.pop()? else {
                break;
            };
            let is_over = self.take(&mut entry, answered);
            progress(self.summary.judgments, self.summary.prompt_tokens);
            match is_over {
                false => again.push_back(entry),
                true => {
                    done.insert(entry.at, entry);
                }
            }
            while let Some(entry) = done.remove(&written) {
                self.write(&entry, out)?;
                written += 1;
            }
        }
        out.flush()?;
        let summary = &mut self.summary;
        summary.judge_s = started.elapsed().as_secs_f64();
        summary.tokens_per_s = summary.prompt_tokens as f64 / summary.judge_s;
        self.average(records);
        Ok((self.summary, self.winners))
    }

    fn enter<'r>(&self, at: usize, record: &'r Record) -> Entry<'r> {
        let count = self.playing(record).len();
        Entry {
            at,
            record,
            tournament: Tournament::new(self.run.seed, &record.id, count),
            prompt_tokens: 0,
            error: (count == 0).then(|| "the record has no response".into()),
        }
    }

    /// The tasks of all matches of a record's round; none where it is over.
    fn round(&mut self, entry: &mut Entry<'_>) -> Vec<Task> {
        if entry.error.is_some() {
            return Vec::new();
        }
        let responses = self.playing(entry.record);
        let mut tasks = Vec::new();
        for [a, b] in entry.tournament.matches() {
            let [one, other] = [&responses[a], &responses[b]];
            let pair = Pair::of(entry.record, &one.text, &other.text);
            match self.judge.plan(&pair) {
                Ok(plan) => {
                    entry.prompt_tokens += plan.prompt_tokens;
                    self.summary.truncated += usize::from(plan.truncated);
                    tasks.extend(plan.tasks);
                }
                Err(error) => {
                    entry.error = Some(format!("{} and {}: {error}", one.id, other.id));
                    return Vec::new();
                }
            }
        }
        tasks
    }

    /// Reads a round's verdicts; whether the record's tournament is over.
    fn take(&mut self, entry: &mut Entry<'_>, answered: Answered) -> bool {
        let matches = entry.tournament.matches();
        if matches.is_empty() || entry.error.is_some() {
            return true;
        }
        let each = 2 * self.judge.templates().principles.len();
        let read = answered.and_then(|outcomes| {
            let found = outcomes.chunks(each).map(|own| self.judge.read(own));
            let found: Result<Vec<_>, _> = found.collect();
            found.map_err(|e| e.to_string())
        });
        let compared = match read {
            Ok(compared) => compared,
            Err(cause) => {
                entry.error = Some(cause);
                return true;
            }
        };
        for one in &compared {
            self.summary.computed_tokens += one.computed_tokens;
            self.summary.ties += usize::from(one.judgment.winner == Winner::Tie);
            self.summary.position_bias.add(&one.judgment);
        }
        self.summary.judgments += compared.len();
        let first = |one: &crate::judge::pairwise::Compared| one.judgment.advances() == Winner::A;
        let won: Vec<bool> = compared.iter().map(first).collect();
        entry.tournament.advance(&won);
        entry.tournament.champion().is_some()
    }

    fn write(&mut self, entry: &Entry<'_>, out: &mut dyn Write) -> Result<(), PairError> {
        let (judge, template) = names(self.judge);
        let (record, responses) = (entry.record, self.playing(entry.record));
        let champion = entry.tournament.champion();
        let champion = champion.filter(|_| entry.error.is_none());
        self.winners[entry.at] = champion;
        let winner = champion.map(|at| &responses[at]);
        let id = |at: usize| responses[at].id.as_str();
        let rounds = entry.tournament.rounds().iter();
        let row = Row {
            id: &record.id,
            instruction_hash: record.instruction_hash(),
            winner: champion.map(id),
            generator: winner.and_then(|w| w.generator.as_deref()),
            rounds: rounds
                .map(|round| round.iter().map(|places| places.map(id)).collect())
                .collect(),
            judgments: entry.tournament.judgments(),
            n: responses.len(),
            length: winner.map(|w| w.text.chars().count()),
            repetition: winner.map(|w| repetition(&w.text)),
            judge: &judge,
            template: &template,
            prompt_tokens: entry.prompt_tokens,
            labels: winner
                .iter()
                .flat_map(|w| w.labels.iter().map(|(name, x)| (name.as_str(), *x)))
                .collect(),
            meta: match winner {
                Some(winner) => meta(record, winner),
                None => meta(record, &Response::default()),
            },
            error: entry.error.clone(),
        };
        serde_json::to_writer(&mut *out, &row).map_err(io::Error::from)?;
        out.write_all(b"\n")?;
        let summary = &mut self.summary;
        summary.rows += 1;
        summary.responses += responses.len();
        summary.prompt_tokens += entry.prompt_tokens;
        let Some(cause) = &entry.error else {
            return Ok(());
        };
        summary.errors += 1;
        summary.failed += 1;
        if summary.failed == 1 {
            (self.first_failure)(&format!("{}: {cause}", record.id));
        }
        match self.run.strict {
            true => Err(PairError::Row {
                id: record.id.clone(),
                pair: "tournament".into(),
                cause: cause.clone(),
            }),
            false => Ok(()),
        }
    }

    /// Means over the winners.
    fn average(&mut self, records: &[Record]) {
        let winners = records.iter().zip(&self.winners);
        let winners: Vec<&Response> = winners
            .filter_map(|(record, at)| at.map(|at| &record.responses[at]))
            .collect();
        let mean = |values: Vec<f64>| match values.len() {
            0 => None,
            n => Some(values.iter().sum::<f64>() / n as f64),
        };
        let of = |value: fn(&Response) -> f64| mean(winners.iter().map(|w| value(w)).collect());
        self.summary.length = of(|w| w.text.chars().count() as f64);
        self.summary.repetition = of(|w| repetition(&w.text));
        let mut labels: BTreeMap<String, Vec<f64>> = BTreeMap::new();
        for (name, x) in winners.iter().flat_map(|w| &w.labels) {
            labels.entry(name.clone()).or_default().push(*x);
        }
        let means = labels
            .into_iter()
            .filter_map(|(name, x)| Some((name, mean(x)?)));
        self.summary.labels = means.collect();
    }
}

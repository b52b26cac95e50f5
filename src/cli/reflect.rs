//! `juror reflect DATA -o OUT --teacher S --student S`

use std::collections::BTreeMap;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::{Context, Result, anyhow, bail};
use clap::Args;
use serde::Serialize;
use serde_json::{Map, Value, json};

use super::DataArguments;
use super::output::{EndArguments, spare, write_to};
use super::progress::{bar, loading};
use super::student::StudentArguments;
use crate::data::atomic::AtomicFile;
use crate::data::{self, Record, Response, alpaca};
use crate::engine::remote::Client;
use crate::judge::student::Student;
use crate::method::reflection::request::Requests;
use crate::method::reflection::selection::{Decision, Form};
use crate::method::reflection::statistics::RATIOS;
use crate::model::spec::{Source, Spec};
use crate::run::budget::{Budget, Spent};
use crate::run::ifd::{Measured, Texts};
use crate::run::ledger::Ledger;
use crate::run::reflect::{Reflector, Sample, Settings, Stage};
use crate::run::writer::Writer;

/// Let a teacher rewrite samples and a student's IFD and rIFD decide what of it is kept.
#[derive(Args)]
pub struct Arguments {
    #[command(flatten)]
    data: DataArguments,
    #[command(flatten)]
    student: StudentArguments,
    /// The model that reflects: any model, or https://HOST/v1#MODEL for an OpenAI-compatible server
    #[arg(long)]
    teacher: String,
    /// Where the selected samples go: JSON lines, or one array for a name that ends in .json; `-` is standard output
    #[arg(short, long)]
    output: PathBuf,
    /// Where every sample goes with all its forms, numbers and the decision; without it, OUT.details.jsonl
    #[arg(long, value_name = "FILE")]
    details: Option<PathBuf>,
    /// Where replies and numbers are kept as they come, for a run that goes on; without it, OUT.journal.jsonl
    #[arg(long, value_name = "FILE")]
    journal: Option<PathBuf>,
    /// As the authors' script has it: drop also what ends in the original or in the new instruction's own response
    #[arg(long)]
    as_released: bool,
    /// Ask for a better response only to the instruction that is chosen: a third less to ask, the same selection
    #[arg(long)]
    only_needed: bool,
    /// A file with the text that asks about an instruction, with {instruction} and {response}
    #[arg(long, value_name = "FILE")]
    ask_instruction: Option<PathBuf>,
    /// A file with the text that asks about a response, with {instruction} and {response}
    #[arg(long, value_name = "FILE")]
    ask_response: Option<PathBuf>,
    /// Longest reply of the teacher, in tokens
    #[arg(long, default_value_t = 2048)]
    max_tokens: usize,
    /// Tokens that the teacher may take in all, earlier runs of the same journal included
    #[arg(long, value_name = "N")]
    max_teacher_tokens: Option<usize>,
    #[command(flatten)]
    end: EndArguments,
}

/// Figures of a run.
#[derive(Serialize)]
struct Summary {
    rows: usize,
    /// Rows that could not be read.
    errors: usize,
    kept: usize,
    /// Forms of the samples that are kept.
    decisions: BTreeMap<&'static str, usize>,
    /// Samples that are not, by cause.
    dropped: BTreeMap<&'static str, usize>,
    /// Forms that were asked for and not to be had, by cause.
    unparsed: BTreeMap<&'static str, BTreeMap<&'static str, usize>>,
    teacher: Teacher,
    student_tokens: usize,
    truncated: usize,
    load_s: f64,
    seconds: f64,
}

#[derive(Serialize)]
struct Teacher {
    name: String,
    #[serde(flatten)]
    spent: Spent,
    tokens: usize,
    cost: f64,
}

/// Replies of a teacher are long: fewer at a time than labels.
const AT_A_TIME: usize = 8;

type Row<'a> = (&'a Record, &'a Response);

pub fn run(arguments: &Arguments) -> Result<()> {
    let to_stdout = arguments.output == Path::new("-");
    arguments.end.check(&arguments.output)?;
    if arguments.max_tokens == 0 {
        bail!("--max-tokens 0: the teacher has to write something");
    }
    let prices = arguments.student.servers.prices()?;
    let beside = |given: &Option<PathBuf>, what: &str| match given {
        Some(path) => Some(path.clone()),
        None if to_stdout => None,
        None => {
            let mut name = arguments.output.clone().into_os_string();
            name.push(what);
            Some(PathBuf::from(name))
        }
    };
    let details = beside(&arguments.details, ".details.jsonl");
    let journal = beside(&arguments.journal, ".journal.jsonl");
    let asking = arguments.student.asking()?;
    let settings = Settings {
        requests: arguments.requests()?,
        max_tokens: arguments.max_tokens,
        only_needed: arguments.only_needed,
        as_released: arguments.as_released,
        strict: arguments.data.strict,
    };
    let remote = arguments.remote()?;
    let files = data::discover(&arguments.data.data)?;
    spare(
        &files,
        [Some(&arguments.output), details.as_ref(), journal.as_ref()],
    )?;
    let set = data::read(&files, &arguments.data.options()?)?;
    super::tell(&set.errors);
    let rows: Vec<Row<'_>> = set
        .records
        .iter()
        .flat_map(|record| record.responses.iter().map(move |r| (record, r)))
        .collect();
    if rows.is_empty() {
        bail!("the records have no responses: there is nothing to reflect on");
    }
    let ledger = Ledger::open(journal.as_deref()).with_context(|| {
        format!(
            "the journal {}",
            journal.as_deref().unwrap_or(Path::new("-")).display()
        )
    })?;
    let bar = bar(arguments.end.quiet, rows.len());
    let started = Instant::now();
    let policy = remote.is_none().then(|| arguments.teacher.clone());
    let (engine, cast) = arguments.student.start(policy, loading(&bar))?;
    let writer = match remote {
        Some(client) => Writer::Remote(Box::new(client)),
        None => Writer::Local {
            engine: &engine,
            facts: cast.policy,
        },
    };
    let student = Student::new(cast.judge, asking)?;
    let load_s = started.elapsed().as_secs_f64();
    let texts = |row: &Row<'_>| Sample::new(Texts::of(row.0, Some(row.1)));
    let mut samples: Vec<Sample> = rows.iter().map(texts).collect();
    let mut reflector = Reflector {
        writer: &writer,
        student: &student,
        engine: &engine,
        settings: &settings,
        ledger,
        budget: Budget::new(arguments.max_teacher_tokens),
        student_tokens: 0,
        truncated: 0,
        refusals: BTreeMap::new(),
        progress: &mut |stage, done, total, budget| {
            bar.set_length(total as u64);
            bar.set_position(done as u64);
            let (tokens, cost) = (budget.spent.tokens(), budget.spent.cost(prices));
            let cost = if cost > 0.0 {
                format!(", cost {cost:.2}")
            } else {
                String::new()
            };
            let stage = match stage {
                Stage::Teacher => "asking the teacher",
                Stage::Student => "asking the student",
            };
            bar.set_message(format!("{stage}, {tokens} teacher tokens{cost}"));
        },
    };
    let started = Instant::now();
    let ended = reflector.run(&mut samples);
    let Reflector {
        budget,
        student_tokens,
        truncated,
        refusals,
        ..
    } = reflector;
    bar.finish_and_clear();
    for (cause, times) in refusals.iter().take(5) {
        note!("juror: the teacher: {cause} ({times} times)");
    }
    ended.with_context(|| match &journal {
        Some(path) => format!(
            "what was replied so far is in {}: the same command goes on from there",
            path.display()
        ),
        None => "the run ended early".to_owned(),
    })?;
    let mut summary = Summary {
        rows: rows.len(),
        errors: set.errors.len(),
        kept: 0,
        decisions: BTreeMap::new(),
        dropped: BTreeMap::new(),
        unparsed: BTreeMap::new(),
        teacher: Teacher {
            name: writer.name().to_owned(),
            spent: budget.spent,
            tokens: budget.spent.tokens(),
            cost: budget.spent.cost(prices),
        },
        student_tokens,
        truncated,
        load_s,
        seconds: started.elapsed().as_secs_f64(),
    };
    let decisions: Vec<Decision> = samples
        .iter()
        .map(|s| s.decision(settings.as_released))
        .collect();
    for (sample, decision) in samples.iter().zip(&decisions) {
        summary.count(sample, decision);
    }
    let all = || rows.iter().zip(&samples).zip(&decisions);
    if let Some(path) = &details {
        let place = || format!("cannot write {}", path.display());
        let mut file = AtomicFile::create(path).with_context(place)?;
        for ((row, sample), decision) in all() {
            serde_json::to_writer(&mut file, &detail(row, sample, decision))?;
            file.write_all(b"\n").with_context(place)?;
        }
        file.finish().with_context(place)?;
    }
    let is_array = arguments
        .output
        .extension()
        .is_some_and(|e| e.eq_ignore_ascii_case("json"));
    write_to(&arguments.output, |out| {
        let kept = all().filter(|(_, decision)| decision.dropped.is_none());
        for (n, ((row, sample), decision)) in kept.enumerate() {
            if is_array {
                out.write_all(if n == 0 { b"[\n" } else { b",\n" })?;
            }
            serde_json::to_writer(&mut *out, &selected(row, sample, decision))?;
            if !is_array {
                out.write_all(b"\n")?;
            }
        }
        match (is_array, summary.kept) {
            (true, 0) => out.write_all(b"[]\n")?,
            (true, _) => out.write_all(b"\n]\n")?,
            _ => (),
        }
        Ok(())
    })?;
    arguments.end.tell(&summary, sentence)
}

impl Arguments {
    fn requests(&self) -> Result<Requests> {
        let read = |path: &Option<PathBuf>| {
            let read = |path: &PathBuf| {
                fs::read_to_string(path).with_context(|| path.display().to_string())
            };
            path.as_ref().map(read).transpose()
        };
        let (instruction, response) = (read(&self.ask_instruction)?, read(&self.ask_response)?);
        Requests::new(instruction, response).map_err(anyhow::Error::msg)
    }

    /// The teacher's server, if it is on one.
    fn remote(&self) -> Result<Option<Client>> {
        if !(self.teacher.starts_with("http://") || self.teacher.starts_with("https://")) {
            return Ok(None);
        }
        let Source::Server { urls, model } = Spec::parse(&self.teacher)?.source else {
            return Ok(None);
        };
        let [url] = urls.as_slice() else {
            bail!("--teacher: one server here");
        };
        let client = Client::new(url, &model, self.student.servers.at_a_time(AT_A_TIME)?);
        Ok(Some(client.map_err(|cause| anyhow!("--teacher: {cause}"))?))
    }
}

impl Summary {
    fn count(&mut self, sample: &Sample, decision: &Decision) {
        match decision.dropped {
            Some(cause) => *self.dropped.entry(cause.name()).or_default() += 1,
            None => {
                self.kept += 1;
                *self.decisions.entry(decision.form.name()).or_default() += 1;
            }
        }
        for form in Form::ALL {
            if let Some(cause) = sample.causes[form as usize] {
                let causes = self.unparsed.entry(form.name()).or_default();
                *causes.entry(cause.name()).or_default() += 1;
            }
        }
    }
}

/// The student's numbers.
fn numbers(found: &Measured) -> Map<String, Value> {
    let mut row = Map::new();
    row.insert("ppl".into(), json!(found.statistics.ppl));
    row.insert("loss".into(), json!(found.statistics.loss));
    for (name, value) in RATIOS.into_iter().zip(found.statistics.ratios()) {
        row.insert(name.into(), json!(value));
    }
    row
}

/// A form as the Alpaca row that it came from.
fn form_row((record, response): &Row<'_>, sample: &Sample, form: Form) -> Map<String, Value> {
    let mut row = alpaca::row(record, Some(response));
    if let (Some(texts), true) = (&sample.forms[form as usize], form != Form::Original) {
        row.insert("instruction".into(), texts.instruction.clone().into());
        row.insert("input".into(), "".into());
        row.insert("output".into(), texts.response.clone().into());
        // They are part of the new instruction, or of another's.
        for name in ["context", "reference", "reason"] {
            row.shift_remove(name);
        }
    }
    row
}

/// A sample that is kept, in its chosen form.
fn selected(row: &Row<'_>, sample: &Sample, decision: &Decision) -> Map<String, Value> {
    let mut out = form_row(row, sample, decision.form);
    out.insert("decision".into(), decision.form.name().into());
    let mut candidates = Map::new();
    for form in Form::ALL {
        if let Some(found) = &sample.measured[form as usize] {
            candidates.insert(form.name().into(), numbers(found).into());
        }
    }
    out.insert("candidates".into(), candidates.into());
    out
}

/// A sample with all that is known of it.
fn detail(row: &Row<'_>, sample: &Sample, decision: &Decision) -> Map<String, Value> {
    let (record, response) = row;
    let mut out = Map::new();
    out.insert("id".into(), record.id.clone().into());
    out.insert("response_id".into(), response.id.clone().into());
    // The form that was chosen, so that the file is data as any other.
    if let Some(texts) = &sample.forms[decision.form as usize] {
        let input = texts.input.clone().unwrap_or_default();
        out.insert("instruction".into(), texts.instruction.clone().into());
        out.insert("input".into(), input.into());
        out.insert("output".into(), texts.response.clone().into());
    }
    out.insert("decision".into(), decision.form.name().into());
    out.insert("dropped".into(), json!(decision.dropped));
    let mut forms = Map::new();
    for form in Form::ALL {
        let at = form as usize;
        let mut told = match (&sample.forms[at], sample.causes[at]) {
            (Some(texts), _) => Map::from_iter([
                ("instruction".to_owned(), texts.instruction.clone().into()),
                (
                    "input".to_owned(),
                    texts.input.clone().unwrap_or_default().into(),
                ),
                ("output".to_owned(), texts.response.clone().into()),
            ]),
            (None, Some(cause)) => Map::from_iter([("cause".to_owned(), cause.name().into())]),
            (None, None) => continue,
        };
        if let Some(found) = &sample.measured[at] {
            told.extend(numbers(found));
            told.insert("error".into(), json!(found.error));
        }
        forms.insert(form.name().into(), told.into());
    }
    out.insert("forms".into(), forms.into());
    out
}

fn sentence(s: &Summary) -> String {
    let counted = |counts: &BTreeMap<&'static str, usize>| {
        let each: Vec<String> = counts
            .iter()
            .map(|(name, n)| format!("{name} {n}"))
            .collect();
        match each.is_empty() {
            true => "none".to_owned(),
            false => each.join(", "),
        }
    };
    let Spent {
        calls,
        reused,
        prompt_tokens,
        written_tokens,
        estimated,
    } = s.teacher.spent;
    let about = if estimated { "about " } else { "" };
    let cost = match s.teacher.cost > 0.0 {
        true => format!(", cost {:.4}", s.teacher.cost),
        false => String::new(),
    };
    let mut text = format!(
        "{} of {} samples kept ({}); dropped: {}\nteacher {}: {calls} replies, {reused} of earlier runs, {about}{} tokens \
         ({prompt_tokens} read, {written_tokens} written){cost}; {:.1} s, loading took {:.2} s\n",
        s.kept,
        s.rows,
        counted(&s.decisions),
        counted(&s.dropped),
        s.teacher.name,
        s.teacher.tokens,
        s.seconds,
        s.load_s
    );
    for (form, causes) in &s.unparsed {
        text.push_str(&format!("without {form}: {}\n", counted(causes)));
    }
    text
}

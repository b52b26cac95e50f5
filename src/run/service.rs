//! The thread behind the live judge: makes prompts from commands, hands them to the engine, and
//! turns its answers into events.

mod pairs;

use std::collections::HashMap;
use std::sync::mpsc::{Receiver, Sender, channel};

use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

use super::kept::KeptScores;
use super::live::{Command, Event, JudgeInfo, LiveOptions, Ticket};
use crate::data::{ScoreCard, Subject, SubjectKey};
use crate::engine::{Answer, Ask, Engine, Lane, LoadEvent, Outcome, Role, Task};
use crate::judge::attribution::Omissions;
use crate::judge::inspect::Inspection;
use crate::judge::pairwise::rationale::Rationale;
use crate::judge::pairwise::{PairJudge, PairSetup};
use crate::judge::{Judge, Plan, Setup, Signals, TemplateSet, dialogue};

/// Sends commands; the judge ends when the last handle is dropped.
#[derive(Clone, Debug)]
pub struct LiveHandle {
    commands: Sender<Input>,
}

impl LiveHandle {
    /// Never blocks; a judge that has ended hears nothing.
    pub fn send(&self, command: Command) {
        let _ = self.commands.send(Input::Command(command));
    }
}

#[derive(Debug)]
enum Input {
    Command(Command),
    Answer(Answer),
    Loaded(Loaded),
    Closed,
}

struct Loaded(LoadEvent);

impl std::fmt::Debug for Loaded {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("LoadEvent")
    }
}

/// Starts a live judge; loading begins at once.
///
/// # Errors
/// When the operating system grants no thread.
pub fn spawn(options: LiveOptions) -> std::io::Result<(LiveHandle, UnboundedReceiver<Event>)> {
    let (inputs, received) = channel();
    let (commands, commanded) = channel::<Input>();
    let (events, receiver) = unbounded_channel();
    let (load_events, loading) = channel();
    let engine = Engine::start(options.engine, load_events)?;
    // Three sources feed one inbox; when the last handle goes, the whole judge ends.
    let forward = inputs.clone();
    std::thread::Builder::new()
        .name("juror-commands".into())
        .spawn(move || {
            for command in commanded {
                if forward.send(command).is_err() {
                    return;
                }
            }
            let _ = forward.send(Input::Closed);
        })?;
    let forward = inputs.clone();
    std::thread::Builder::new()
        .name("juror-loading".into())
        .spawn(move || {
            for event in loading {
                if forward.send(Input::Loaded(Loaded(event))).is_err() {
                    return;
                }
            }
        })?;
    let (replies, answers) = channel();
    std::thread::Builder::new()
        .name("juror-answers".into())
        .spawn(move || {
            for answer in answers {
                if inputs.send(Input::Answer(answer)).is_err() {
                    return;
                }
            }
        })?;
    let service = Service {
        kept: options.cache.map(KeptScores::new),
        setup: options.setup,
        pair_setup: options.pairs,
        pairs: None,
        engine,
        replies,
        events,
        judge: None,
        waiting: HashMap::new(),
        early: Vec::new(),
        failed: false,
    };
    std::thread::Builder::new()
        .name("juror-live".into())
        .spawn(move || service.run(&received))?;
    Ok((LiveHandle { commands }, receiver))
}

enum Waiting {
    Score(Box<Plan>, Lane, SubjectKey),
    Text {
        ids: Vec<u32>,
        shown: usize,
    },
    /// The plan of the whole response; its score comes last.
    Worth(Box<(Omissions, Plan, bool)>),
    Prompt(Box<Inspection>),
    Pair,
    Reason(Box<Rationale>),
}

/// What a command takes: prompts, what to read from their outcomes, and how urgent it is.
type Work = (Vec<Task>, Waiting, Lane);

struct Service {
    setup: Setup,
    pair_setup: PairSetup,
    /// What judges pairs, or why nothing does.
    pairs: Option<Result<PairJudge, String>>,
    /// Scores from earlier runs.
    kept: Option<KeptScores>,
    engine: Engine,
    replies: Sender<Answer>,
    events: UnboundedSender<Event>,
    judge: Option<Judge>,
    waiting: HashMap<Ticket, Waiting>,
    /// Commands that came before the judge was there.
    early: Vec<Command>,
    failed: bool,
}

impl Service {
    fn run(mut self, inputs: &Receiver<Input>) {
        while let Ok(first) = inputs.recv() {
            // Of several keystrokes that wait, only the last text is made into prompts.
            let inbox: Vec<Input> = std::iter::once(first).chain(inputs.try_iter()).collect();
            if inbox.iter().any(|input| matches!(input, Input::Closed)) {
                return;
            }
            let last = inbox.iter().rposition(|input| typed(input).is_some());
            for (n, input) in inbox.into_iter().enumerate() {
                match (typed(&input), input) {
                    (Some(ticket), _) if last.is_some_and(|last| n < last) => {
                        self.tell(Event::Cancelled { ticket });
                    }
                    (_, Input::Loaded(Loaded(event))) => self.loaded(event),
                    (_, Input::Command(command)) => self.command(command),
                    (_, Input::Answer(answer)) => self.answer(answer),
                    (_, Input::Closed) => return,
                }
            }
            if let Some(kept) = &mut self.kept {
                kept.write();
            }
        }
    }

    fn tell(&self, event: Event) {
        // An explorer that has gone hears nothing.
        let _ = self.events.send(event);
    }

    fn loaded(&mut self, event: LoadEvent) {
        match event {
            LoadEvent::Stage {
                model,
                stage,
                done,
                total,
            } => self.tell(Event::Loading {
                stage: format!("{model}: {stage}"),
                done,
                total,
            }),
            LoadEvent::Ready(cast) => match Judge::new(cast, self.setup.clone()) {
                Ok(judge) => {
                    let pairs = PairJudge::new(judge.cast().clone(), self.pair_setup.clone());
                    self.pairs = Some(pairs.map_err(|e| e.to_string()));
                    self.take(judge);
                    for command in std::mem::take(&mut self.early) {
                        self.command(command);
                    }
                }
                Err(error) => self.no_judge(&error.to_string(), "mend or remove the template file"),
            },
            LoadEvent::Failed(error) => {
                let text = error.to_string();
                let (cause, cure) = text
                    .split_once('\n')
                    .unwrap_or((&text, "name another model with --judge"));
                self.no_judge(cause, cure.trim());
            }
        }
    }

    /// Judges by this from now on.
    fn take(&mut self, judge: Judge) {
        let info = info(&judge);
        if let Some(kept) = &mut self.kept {
            kept.made_by(&judge, "card");
        }
        self.judge = Some(judge);
        self.tell(Event::Ready(info));
    }

    /// Judges by another template from now on; scores asked for before are by the one before, and no longer wanted.
    fn template(&mut self, text: &str) {
        let Some(judge) = &self.judge else { return };
        let mut setup = self.setup.clone();
        let made = TemplateSet::from_toml("edited", text).and_then(|templates| {
            setup.templates = Some(templates);
            // The edited file says how to wrap.
            setup.wrap = None;
            Judge::new(judge.cast().clone(), setup)
        });
        match made {
            Ok(judge) => {
                // What was asked for by the template before would be read by this one: nobody waits for it any more.
                let of_judge = |w: &Waiting| {
                    !matches!(w, Waiting::Text { .. } | Waiting::Pair | Waiting::Reason(_))
                };
                let waiting = self.waiting.iter().filter(|(_, w)| of_judge(w));
                let tickets: Vec<Ticket> = waiting.map(|(ticket, _)| *ticket).collect();
                for ticket in tickets {
                    self.waiting.remove(&ticket);
                    self.engine.cancel(ticket);
                    self.tell(Event::Cancelled { ticket });
                }
                self.take(judge);
            }
            Err(error) => self.tell(Event::TemplateFailed {
                cause: error.to_string(),
            }),
        }
    }

    fn no_judge(&mut self, cause: &str, cure: &str) {
        self.failed = true;
        self.tell(Event::LoadFailed {
            cause: cause.to_owned(),
            cure: cure.to_owned(),
        });
        for command in std::mem::take(&mut self.early) {
            self.command(command);
        }
    }

    fn command(&mut self, command: Command) {
        match command {
            Command::Cancel(ticket) => {
                let was_early = self.early.len();
                self.early.retain(|c| ticket_of(c) != Some(ticket));
                match self.early.len() < was_early {
                    true => self.tell(Event::Cancelled { ticket }),
                    false => self.engine.cancel(ticket),
                }
            }
            Command::CancelBatch => {
                let is_early = |c: &Command| {
                    matches!(
                        c,
                        Command::Score {
                            lane: Lane::Batch,
                            ..
                        }
                    )
                };
                let (gone, kept) = std::mem::take(&mut self.early)
                    .into_iter()
                    .partition(is_early);
                self.early = kept;
                let gone: Vec<Command> = gone;
                for ticket in gone.iter().filter_map(ticket_of) {
                    self.tell(Event::Cancelled { ticket });
                }
                let batch = |w: &Waiting| matches!(w, Waiting::Score(_, Lane::Batch, _));
                for (ticket, _) in self.waiting.iter().filter(|(_, w)| batch(w)) {
                    self.engine.cancel(*ticket);
                }
            }
            Command::Template { text } => match self.judge.is_some() {
                true => self.template(&text),
                false => self.early.push(Command::Template { text }),
            },
            command if self.failed => {
                if let Some(ticket) = ticket_of(&command) {
                    let error = "there is no judge".into();
                    self.tell(Event::Failed { ticket, error });
                }
            }
            command if self.is_kept(&command) => (),
            command => match self.tasks(&command) {
                None => self.early.push(command),
                Some((ticket, Ok((tasks, waiting, lane)))) => {
                    self.submit(ticket, tasks, waiting, lane);
                }
                Some((ticket, Err(error))) => self.tell(Event::Failed { ticket, error }),
            },
        }
    }

    /// Answers with a score from an earlier run, if there is one.
    fn is_kept(&mut self, command: &Command) -> bool {
        let (
            Command::Score {
                ticket, subject, ..
            },
            Some(kept),
        ) = (command, &mut self.kept)
        else {
            return false;
        };
        let found: Option<ScoreCard> = kept.find(SubjectKey::of_subject(subject));
        let Some(card) = found else {
            return false;
        };
        self.tell(Event::Scored {
            ticket: *ticket,
            card,
            seconds: 0.0,
        });
        true
    }

    /// The work a command means; nothing while there is no judge.
    fn tasks(&self, command: &Command) -> Option<(Ticket, Result<Work, String>)> {
        let judge = self.judge.as_ref()?;
        match command {
            Command::Score {
                ticket,
                subject,
                lane,
            } => {
                let plan = judge.plan(subject, Signals::default());
                let work = plan.map_err(|e| e.to_string()).map(|mut plan| {
                    let tasks = std::mem::take(&mut plan.tasks);
                    let key = SubjectKey::of_subject(subject);
                    (tasks, Waiting::Score(Box::new(plan), *lane, key), *lane)
                });
                Some((*ticket, work))
            }
            Command::Attribute {
                ticket,
                subject,
                with_reference,
            } => {
                let want = Signals {
                    self_eval_ref: *with_reference,
                    self_eval_free: !*with_reference,
                    cosine: false,
                    ..Signals::default()
                };
                let found = judge.omissions(subject, *with_reference);
                let work = found.and_then(|mut found| {
                    let mut plan = judge.plan(subject, want)?;
                    let mut tasks = std::mem::take(&mut found.tasks);
                    tasks.append(&mut plan.tasks);
                    let waiting = Waiting::Worth(Box::new((found, plan, *with_reference)));
                    Ok((tasks, waiting, Lane::Batch))
                });
                Some((*ticket, work.map_err(|e| e.to_string())))
            }
            Command::Inspect {
                ticket,
                subject,
                with_reference,
            } => {
                let found = judge.inspect(subject, *with_reference);
                let work = found.map(|(found, task)| {
                    (vec![task], Waiting::Prompt(Box::new(found)), Lane::Batch)
                });
                Some((*ticket, work.map_err(|e| e.to_string())))
            }
            Command::Generate {
                ticket,
                instruction,
                sampling,
            } => {
                let subject = Subject {
                    instruction: instruction.clone(),
                    ..Subject::default()
                };
                let ids = dialogue::request(&subject, &judge.cast().policy);
                let work = ids.map_err(|e| e.to_string()).map(|ids| {
                    let task = Task {
                        role: Role::Policy,
                        ids,
                        ask: Ask::Generate {
                            sampling: *sampling,
                            end: judge.cast().policy.end_tokens.clone(),
                        },
                    };
                    let waiting = Waiting::Text {
                        ids: Vec::new(),
                        shown: 0,
                    };
                    // Scores of what is being written go before the next token.
                    (vec![task], waiting, Lane::Batch)
                });
                Some((*ticket, work))
            }
            Command::Pair { ticket, pair } => Some((*ticket, self.pair(pair))),
            Command::Reason { ticket, reason } => Some((*ticket, self.reason(reason))),
            Command::Cancel(_) | Command::CancelBatch | Command::Template { .. } => None,
        }
    }

    fn answer(&mut self, answer: Answer) {
        match answer {
            Answer::Token { id, token } => self.token(id, token),
            Answer::Cancelled { id } => {
                self.waiting.remove(&id);
                self.tell(Event::Cancelled { ticket: id });
            }
            Answer::Failed { id, cause } => {
                self.waiting.remove(&id);
                self.tell(Event::Failed {
                    ticket: id,
                    error: cause,
                });
            }
            Answer::Done {
                id,
                outcomes,
                seconds,
            } => self.done(id, &outcomes, seconds),
        }
    }

    fn done(&mut self, ticket: Ticket, outcomes: &[Outcome], seconds: f64) {
        let failed = |error: String| Event::Failed { ticket, error };
        let waiting = match (self.waiting.remove(&ticket), outcomes) {
            (None, _) => return,
            (Some(Waiting::Pair), outcomes) => {
                let paired = self.paired(ticket, outcomes, seconds);
                return self.tell(paired.unwrap_or_else(failed));
            }
            (Some(Waiting::Reason(rationale)), [outcome]) => {
                match self.reasoned(ticket, *rationale, outcome) {
                    Ok(None) => (),
                    Ok(Some(event)) => self.tell(event),
                    Err(error) => self.tell(failed(error)),
                }
                return;
            }
            (Some(waiting), _) => waiting,
        };
        let Some(judge) = &self.judge else { return };
        let event = match (waiting, outcomes) {
            (Waiting::Score(plan, _, key), outcomes) => match judge.read(&plan, outcomes) {
                Ok(scored) => {
                    // What failed in part is tried again.
                    if let (Some(kept), None) = (&mut self.kept, &scored.trouble) {
                        kept.keep(key, &scored.card);
                    }
                    Event::Scored {
                        ticket,
                        card: scored.card,
                        seconds,
                    }
                }
                Err(error) => failed(error.to_string()),
            },
            (Waiting::Worth(of), outcomes) => {
                let (omissions, plan, with_reference) = *of;
                let count = omissions.count(judge).min(outcomes.len());
                let (without, whole) = outcomes.split_at(count);
                let found = judge.read(&plan, whole).and_then(|scored| {
                    let shown = match with_reference {
                        true => scored.card.self_eval_ref,
                        false => scored.card.self_eval_free,
                    };
                    let score = shown.map_or(f64::NAN, |shown| shown.mean());
                    judge.attribution(&omissions, score, without)
                });
                match found {
                    Ok(attribution) => Event::Attributed {
                        ticket,
                        attribution,
                    },
                    Err(error) => failed(error.to_string()),
                }
            }
            (Waiting::Prompt(found), outcomes) => match judge.inspected(*found, outcomes) {
                Ok(found) => Event::Inspected {
                    ticket,
                    inspection: Box::new(found),
                },
                Err(error) => failed(error.to_string()),
            },
            (Waiting::Text { .. }, [Outcome::Generated { ids, .. }]) => {
                match judge.cast().policy.tokenizer.decode(ids) {
                    Ok(text) => Event::Generated {
                        ticket,
                        text: text.trim().to_owned(),
                    },
                    Err(error) => failed(error.to_string()),
                }
            }
            _ => failed("an outcome of another kind".into()),
        };
        self.tell(event);
    }

    /// Shows the text that a token completes; a character may take several tokens.
    fn token(&mut self, ticket: Ticket, token: u32) {
        let Some(judge) = &self.judge else { return };
        let Some(Waiting::Text { ids, shown }) = self.waiting.get_mut(&ticket) else {
            return;
        };
        ids.push(token);
        let Ok(text) = judge.cast().policy.tokenizer.decode(ids) else {
            return;
        };
        let new = text.get(*shown..).unwrap_or_default().to_owned();
        if new.is_empty() || new.ends_with('\u{FFFD}') {
            return;
        }
        *shown = text.len();
        self.tell(Event::Token { ticket, text: new });
    }
}

/// The ticket of an interactive score.
fn typed(input: &Input) -> Option<Ticket> {
    match input {
        Input::Command(Command::Score {
            ticket,
            lane: Lane::Interactive,
            ..
        }) => Some(*ticket),
        _ => None,
    }
}

fn ticket_of(command: &Command) -> Option<Ticket> {
    match command {
        Command::Score { ticket, .. }
        | Command::Generate { ticket, .. }
        | Command::Attribute { ticket, .. }
        | Command::Pair { ticket, .. }
        | Command::Reason { ticket, .. }
        | Command::Inspect { ticket, .. } => Some(*ticket),
        Command::Cancel(_) | Command::CancelBatch | Command::Template { .. } => None,
    }
}

fn info(judge: &Judge) -> JudgeInfo {
    let facts = &judge.cast().judge;
    JudgeInfo {
        name: facts.name.clone(),
        hash: facts.hash.chars().take(12).collect(),
        parameters: facts.parameters,
        context: facts.context,
        scale: judge.templates().scale.ends(),
        path: Some(facts.path.clone()),
        identity: judge.identity(),
        source: judge.source(),
        template: (judge.templates().name.clone(), judge.templates().to_toml()),
        special: facts.tokenizer.special().map(str::to_owned).collect(),
    }
}

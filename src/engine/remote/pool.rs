//! Threads that wait for servers, beside the one that computes: the same jobs, the same answers.

use std::collections::VecDeque;
use std::sync::mpsc::channel;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Instant;
use std::{mem, thread};

use super::Settings;
use super::ask::{Asker, ServedModel};
use super::http::Http;
use super::meter::{Meter, Usage};
use super::open::{Named, open};
use super::trouble::Trouble;
use crate::engine::queue::Queue;
use crate::engine::request::{Answer, Job, Lane, Outcome, Role, Task};
use crate::model::ModelError;
use crate::model::facts::Facts;
use crate::model::spec::{Source, Spec};

/// Tasks of one job that are asked side by side.
const ABREAST: usize = 8;

/// Served models, and who asks them.
pub(crate) struct Pool {
    named: Vec<Named>,
    settings: Settings,
    queue: Queue,
    /// Of the thread that computes, for tasks of jobs that are not for a server.
    local: Arc<Queue>,
    models: OnceLock<Vec<ServedModel>>,
    workers: Vec<Worker>,
    meter: Meter,
}

/// One who asks: its job, and its connections to each server of each model.
#[derive(Default)]
struct Worker {
    state: Mutex<(Option<u64>, Vec<Vec<Http>>)>,
}

impl Worker {
    fn lock(&self) -> MutexGuard<'_, (Option<u64>, Vec<Vec<Http>>)> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What ended a task early.
enum Ended {
    Failed(String),
    Cancelled,
}

impl Pool {
    /// Of the roles, given with the names of their models, those that servers fill; `None` where none does.
    pub fn of<'n>(
        roles: impl IntoIterator<Item = (Role, &'n str)>,
        settings: &Settings,
        local: &Arc<Queue>,
    ) -> Option<Self> {
        let mut named: Vec<Named> = Vec::new();
        for (role, spec) in roles {
            // A name that is none is reported where models are loaded.
            let Ok(Spec {
                source: Source::Server { urls, model },
                ..
            }) = Spec::parse(spec)
            else {
                continue;
            };
            match named.iter_mut().find(|known| known.spec == spec) {
                Some(known) => known.roles.push(role),
                None => named.push(Named {
                    spec: spec.to_owned(),
                    urls,
                    model,
                    roles: vec![role],
                }),
            }
        }
        if named.is_empty() {
            return None;
        }
        Some(Pool {
            named,
            workers: (0..settings.concurrency.max(1))
                .map(|_| Worker::default())
                .collect(),
            meter: Meter::new(settings.cap),
            settings: settings.clone(),
            queue: Queue::default(),
            local: Arc::clone(local),
            models: OnceLock::new(),
        })
    }

    /// Whether a server fills a role.
    pub fn fills(&self, role: Role) -> bool {
        self.named.iter().any(|named| named.roles.contains(&role))
    }

    /// Probes the servers; the facts of each role that they fill.
    ///
    /// # Errors
    /// As [`open`].
    pub fn open(&self, mut stage: impl FnMut(&str)) -> Result<Vec<(Role, Arc<Facts>)>, ModelError> {
        let (mut models, mut facts) = (Vec::new(), Vec::new());
        for named in &self.named {
            stage(&named.spec);
            let (model, own) = open(named, &self.settings)?;
            models.push(model);
            facts.extend(own);
        }
        // It is opened once.
        let _ = self.models.set(models);
        Ok(facts)
    }

    /// What was asked so far.
    pub fn usage(&self) -> Usage {
        self.meter.usage()
    }

    /// Takes a job of which a task is for a server.
    pub fn push(&self, job: Job) {
        if self.queue.push(job) {
            self.interrupt();
        }
    }

    /// Stops a job, and closes its requests.
    pub fn cancel(&self, id: u64) {
        self.queue.cancel(id);
        self.interrupt();
    }

    /// Ends everything.
    pub fn close(&self) {
        self.queue.close();
        self.interrupt();
    }

    /// Closes the connections of those whose job should stop. They are replaced first: who took the old ones fails, who
    /// takes the new ones sees that it should stop.
    fn interrupt(&self) {
        for worker in &self.workers {
            let old = {
                let mut state = worker.lock();
                match state.0 {
                    Some(job) if self.queue.should_stop(job) => {
                        let new = self.wires();
                        mem::replace(&mut state.1, new)
                    }
                    _ => continue,
                }
            };
            old.into_iter().flatten().for_each(Http::shut);
        }
    }

    fn wires(&self) -> Vec<Vec<Http>> {
        let models = self.models.get().map(Vec::as_slice).unwrap_or_default();
        let of = |model: &ServedModel| {
            let addresses = model.addresses.iter();
            let wires =
                addresses.map(|address| Http::new(address, &model.name, &self.settings, ABREAST));
            wires.collect()
        };
        models.iter().map(of).collect()
    }

    /// Threads that [`Pool::work`] is for.
    pub fn hands(&self) -> usize {
        self.workers.len()
    }

    /// Answers jobs until the pool is closed.
    pub fn work(&self, hand: usize) {
        let Some(worker) = self.workers.get(hand) else {
            return;
        };
        worker.lock().1 = self.wires();
        while let Some(job) = self.queue.next() {
            let began = Instant::now();
            worker.lock().0 = Some(job.id);
            let id = job.id;
            let (reply, answer) = (job.reply.clone(), self.answer(worker, job));
            worker.lock().0 = None;
            self.queue.ended(id);
            // A receiver that is gone no longer wants to know.
            let _ = reply.send(match answer {
                Ok(outcomes) => Answer::Done {
                    id,
                    outcomes,
                    seconds: began.elapsed().as_secs_f64(),
                },
                Err(Ended::Cancelled) => Answer::Cancelled { id },
                Err(Ended::Failed(cause)) => Answer::Failed { id, cause },
            });
        }
    }

    fn answer(&self, worker: &Worker, job: Job) -> Result<Vec<Outcome>, Ended> {
        let (id, lane, reply) = (job.id, job.lane, job.reply);
        let (mut served, mut local) = (Vec::new(), Vec::new());
        let mut is_served = Vec::with_capacity(job.tasks.len());
        for task in job.tasks {
            is_served.push(self.fills(task.role));
            match self.fills(task.role) {
                true => served.push(task),
                false => local.push(task),
            }
        }
        // The models of this machine compute meanwhile.
        let (answers, answered) = channel();
        let is_mixed = !local.is_empty();
        if is_mixed {
            self.local.push(Job {
                id,
                lane,
                tasks: local,
                reply: answers,
            });
        }
        // Whoever waits sees one text grow; of several, nobody could tell which.
        let grows = lane == Lane::Interactive && served.len() == 1 && !is_mixed;
        let live = |piece: &str| {
            for token in piece.chars().map(u32::from) {
                // A receiver that is gone no longer wants to know.
                let _ = reply.send(Answer::Token { id, token });
            }
        };
        let live: Option<&(dyn Fn(&str) + Sync)> = if grows { Some(&live) } else { None };
        let found = self.ask(worker, id, &served, live);
        if found.is_err() && is_mixed {
            self.local.cancel(id);
        }
        let mut found: VecDeque<Outcome> = found?.into();
        let mut computed = VecDeque::new();
        if is_mixed {
            computed = loop {
                match answered.recv() {
                    Ok(Answer::Done { outcomes, .. }) => break outcomes.into(),
                    Ok(Answer::Token { id, token }) => {
                        let _ = reply.send(Answer::Token { id, token });
                    }
                    Ok(Answer::Failed { cause, .. }) => return Err(Ended::Failed(cause)),
                    Ok(Answer::Cancelled { .. }) | Err(_) => return Err(Ended::Cancelled),
                }
            };
        }
        let mut of = |is_served: &bool| match is_served {
            true => found.pop_front(),
            false => computed.pop_front(),
        };
        let outcomes: Option<Vec<Outcome>> = is_served.iter().map(&mut of).collect();
        outcomes.ok_or_else(|| Ended::Failed("a task was left without an answer".into()))
    }

    /// The outcomes of tasks for servers, some side by side.
    fn ask(
        &self,
        worker: &Worker,
        id: u64,
        tasks: &[Task],
        live: Option<&(dyn Fn(&str) + Sync)>,
    ) -> Result<Vec<Outcome>, Ended> {
        let next = Mutex::new((0, None::<Trouble>));
        let lock = || next.lock().unwrap_or_else(PoisonError::into_inner);
        let found: Vec<OnceLock<Outcome>> = tasks.iter().map(|_| OnceLock::new()).collect();
        let is_stopped = || self.queue.should_stop(id);
        let take = || {
            loop {
                let at = {
                    let mut state = lock();
                    if state.1.is_some() || state.0 >= tasks.len() {
                        return;
                    }
                    state.0 += 1;
                    state.0 - 1
                };
                match self.task(worker, &tasks[at], &is_stopped, live) {
                    Ok(outcome) => drop(found[at].set(outcome)),
                    Err(trouble) => {
                        let mut state = lock();
                        state.1 = state.1.take().or(Some(trouble));
                    }
                }
            }
        };
        match tasks.len() {
            0 | 1 => take(),
            many => thread::scope(|scope| {
                for _ in 1..many.min(ABREAST) {
                    // Without further threads, this one does all.
                    let _ = thread::Builder::new().spawn_scoped(scope, take);
                }
                take();
            }),
        }
        let trouble = lock().1.take();
        match trouble {
            _ if is_stopped() => Err(Ended::Cancelled),
            Some(trouble) => Err(Ended::Failed(trouble.to_string())),
            None => {
                let all: Option<Vec<Outcome>> =
                    found.into_iter().map(OnceLock::into_inner).collect();
                all.ok_or_else(|| Ended::Failed("a server's answer was lost".into()))
            }
        }
    }

    fn task(
        &self,
        worker: &Worker,
        task: &Task,
        is_stopped: &(dyn Fn() -> bool + Sync),
        live: Option<&(dyn Fn(&str) + Sync)>,
    ) -> Result<Outcome, Trouble> {
        let at = self
            .named
            .iter()
            .position(|named| named.roles.contains(&task.role));
        let models = self.models.get().map(Vec::as_slice).unwrap_or_default();
        let Some((at, model)) = at.and_then(|at| Some((at, models.get(at)?))) else {
            return Err(Trouble::Request("no server fills this role".into()));
        };
        let wires = worker.lock().1.get(at).cloned().unwrap_or_default();
        let asker = Asker {
            model,
            wires: &wires,
            settings: &self.settings,
            meter: &self.meter,
            is_stopped,
            live,
        };
        asker.outcome(task)
    }
}

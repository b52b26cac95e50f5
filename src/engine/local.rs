//! The thread that owns the models, and the handle to it.

use std::sync::Arc;
use std::sync::mpsc::{Sender, channel};
use std::thread::JoinHandle;

use super::cache::PrefixCache;
use super::compute::Computer;
use super::queue::Queue;
use super::remote::{self, Pool, Usage};
use super::request::{Job, Role};
use super::{pages, priority};
use crate::kernel::linear::Format;
use crate::model::ModelError;
use crate::model::decoder::accelerator::Accelerator;
use crate::model::decoder::compute::Compute;
use crate::model::decoder::cpu::Cpu;
use crate::model::facts::{Facts, Model, Place, device};

/// What to load and how.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Options {
    /// Names a judge model.
    pub judge: String,
    /// Names an embedder; `None` takes the judge's own hidden states.
    pub embedder: Option<String>,
    /// Names the model that writes; `None` takes the judge.
    pub policy: Option<String>,
    /// `auto`, `cpu`, `cuda[:N]` or `metal`.
    pub device: String,
    /// Number format of the weights; `None` takes the best this processor has, `Bf16` on other
    /// devices.
    pub dtype: Option<Format>,
    /// Threads that compute; `None` takes one a core.
    pub threads: Option<usize>,
    /// Bytes for keys and values of known prefixes.
    pub cache_bytes: usize,
    /// How servers are asked, where a model is on one.
    pub remote: remote::Settings,
    /// Whether threads that compute give way to the program's others, which answer a person.
    pub gives_way: bool,
}

impl Options {
    /// The model that fills each role.
    fn roles(&self) -> [(Role, &str); 3] {
        let judge = self.judge.as_str();
        [
            (Role::Judge, judge),
            (Role::Embedder, self.embedder.as_deref().unwrap_or(judge)),
            (Role::Policy, self.policy.as_deref().unwrap_or(judge)),
        ]
    }
}

impl Default for Options {
    fn default() -> Self {
        Options {
            judge: "starter".into(),
            embedder: None,
            policy: None,
            device: "auto".into(),
            dtype: None,
            threads: None,
            cache_bytes: 512 << 20,
            remote: remote::Settings::default(),
            gives_way: false,
        }
    }
}

/// Facts of the loaded models; the same one may fill several roles.
#[derive(Clone)]
pub struct Cast {
    pub judge: Arc<Facts>,
    pub embedder: Arc<Facts>,
    pub policy: Arc<Facts>,
    /// What numbers are computed in, and on what: scores of others differ in their last digits.
    pub numbers: String,
}

/// What is said while models load.
pub enum LoadEvent {
    /// `done` of `total` bytes, where known.
    Stage {
        model: String,
        stage: String,
        done: u64,
        total: u64,
    },
    /// Jobs are computed from now on.
    Ready(Cast),
    /// Jobs will never be computed.
    Failed(ModelError),
}

/// The loaded models of this machine.
pub struct Models<C: Compute> {
    all: Vec<Model<C>>,
    /// Which of them fills a role; none where a server does.
    roles: Vec<(Role, usize)>,
}

impl<C: Compute> Models<C> {
    fn load(
        options: &Options,
        place: &Place<C>,
        is_served: impl Fn(Role) -> bool,
        events: &Sender<LoadEvent>,
    ) -> Result<Self, ModelError> {
        let mut models = Models {
            all: Vec::new(),
            roles: Vec::new(),
        };
        let mut names: Vec<&str> = Vec::new();
        for (role, name) in options.roles() {
            if is_served(role) {
                continue;
            }
            // Roles that name the same model share it.
            let at = match names.iter().position(|known| *known == name) {
                Some(at) => at,
                None => {
                    let model = Model::load(name, place, |stage, done, total| {
                        let _ = events.send(LoadEvent::Stage {
                            model: name.to_owned(),
                            stage: stage.to_owned(),
                            done,
                            total,
                        });
                    })?;
                    models.all.push(model);
                    names.push(name);
                    names.len() - 1
                }
            };
            let is_decoder = models
                .all
                .get(at)
                .is_some_and(|model| model.facts.is_decoder);
            if role != Role::Embedder && !is_decoder {
                return Err(ModelError::Spec {
                    spec: name.to_owned(),
                    cause: "an encoder can embed, but neither judge nor write".into(),
                    cure: "name it with --embedder, and a decoder as judge".into(),
                });
            }
            models.roles.push((role, at));
        }
        Ok(models)
    }

    /// The model that fills a role; `None` where a server does.
    pub fn of(&self, role: Role) -> Option<&Model<C>> {
        let (_, at) = self.roles.iter().find(|(own, _)| *own == role)?;
        self.all.get(*at)
    }

    fn facts(&self) -> Vec<(Role, Arc<Facts>)> {
        let of = |(role, at): &(Role, usize)| Some((*role, Arc::clone(&self.all.get(*at)?.facts)));
        self.roles.iter().filter_map(of).collect()
    }
}

impl Cast {
    /// `None` where a role is not filled.
    fn of(facts: &[(Role, Arc<Facts>)], numbers: String) -> Option<Self> {
        let of = |role| {
            let (_, facts) = facts.iter().find(|(own, _)| *own == role)?;
            Some(Arc::clone(facts))
        };
        Some(Cast {
            judge: of(Role::Judge)?,
            embedder: of(Role::Embedder)?,
            policy: of(Role::Policy)?,
            numbers,
        })
    }
}

/// A cheap handle; the thread ends when the last one is dropped.
#[derive(Clone)]
pub struct Engine {
    shared: Arc<Shared>,
}

struct Shared {
    queue: Arc<Queue>,
    /// Where a server fills a role.
    pool: Option<Arc<Pool>>,
    thread: Option<JoinHandle<()>>,
}

impl Drop for Shared {
    fn drop(&mut self) {
        self.queue.close();
        if let Some(pool) = &self.pool {
            pool.close();
        }
        if let Some(thread) = self.thread.take() {
            // It stops within one forward pass; a thread that died has nothing left to say.
            let _ = thread.join();
        }
    }
}

impl Engine {
    /// Starts the thread, which loads the models (telling `events`) and then computes; models on servers have theirs.
    ///
    /// # Errors
    /// When the operating system grants no thread.
    pub fn start(options: Options, events: Sender<LoadEvent>) -> std::io::Result<Engine> {
        let queue = Arc::new(Queue::default());
        let pool = Pool::of(options.roles(), &options.remote, &queue).map(Arc::new);
        let (theirs, servers) = (Arc::clone(&queue), pool.clone());
        let thread = std::thread::Builder::new()
            .name("juror-engine".into())
            .spawn(move || match servers {
                Some(pool) => work_with_servers(&options, &theirs, &pool, &events),
                None => work(&options, &theirs, Servers::default(), &events),
            })?;
        Ok(Engine {
            shared: Arc::new(Shared {
                queue,
                pool,
                thread: Some(thread),
            }),
        })
    }

    /// Starts an engine and waits until its models are there; `stage` hears of the loading.
    ///
    /// # Errors
    /// What the operating system says; why a model cannot be loaded.
    pub fn load(
        options: Options,
        stage: impl Fn(&str, u64, u64),
    ) -> Result<(Engine, Cast), ModelError> {
        let (events, loading) = channel();
        let engine = Engine::start(options, events).map_err(|e| ModelError::Text(e.to_string()))?;
        for event in loading {
            match event {
                LoadEvent::Stage {
                    model,
                    stage: name,
                    done,
                    total,
                } => stage(&format!("{model}: {name}"), done, total),
                LoadEvent::Ready(cast) => return Ok((engine, cast)),
                LoadEvent::Failed(error) => return Err(error),
            }
        }
        Err(ModelError::Text("the engine stopped while loading".into()))
    }

    /// Hands in a job; waits only if the batch lane is full.
    pub fn submit(&self, job: Job) {
        match &self.shared.pool {
            Some(pool) if job.tasks.iter().any(|task| pool.fills(task.role)) => pool.push(job),
            // Who computes looks by itself whether to stop.
            _ => {
                self.shared.queue.push(job);
            }
        }
    }

    /// Stops a job; it answers `Cancelled` unless it has ended.
    pub fn cancel(&self, id: u64) {
        if let Some(pool) = &self.shared.pool {
            pool.cancel(id);
        }
        self.shared.queue.cancel(id);
    }

    /// What servers were asked for so far; `None` where none is asked.
    pub fn usage(&self) -> Option<Usage> {
        self.shared.pool.as_ref().map(|pool| pool.usage())
    }
}

/// What servers do, for the thread that loads the other models.
#[derive(Default)]
struct Servers {
    facts: Vec<(Role, Arc<Facts>)>,
}

impl Servers {
    fn fill(&self, role: Role) -> bool {
        self.facts.iter().any(|(own, _)| *own == role)
    }
}

/// Probes the servers, then lets threads ask them while this one computes what is left.
fn work_with_servers(options: &Options, queue: &Queue, pool: &Pool, events: &Sender<LoadEvent>) {
    let opened = pool.open(|model| {
        let _ = events.send(LoadEvent::Stage {
            model: model.to_owned(),
            stage: "asking the server".into(),
            done: 0,
            total: 0,
        });
    });
    let facts = match opened {
        Ok(facts) => facts,
        Err(error) => {
            pool.close();
            return fail(error, queue, events);
        }
    };
    std::thread::scope(|scope| {
        let mut hands = 0;
        pages::spare(pool.hands());
        for hand in 0..pool.hands() {
            let named = std::thread::Builder::new().name("juror-server".into());
            hands += usize::from(named.spawn_scoped(scope, move || pool.work(hand)).is_ok());
        }
        let is_whole = options.roles().iter().all(|(role, _)| pool.fills(*role));
        if hands == 0 {
            pool.close();
            let cause = "the operating system grants no thread to ask a server".to_owned();
            fail(ModelError::Text(cause), queue, events);
        } else if !is_whole {
            work(options, queue, Servers { facts }, events);
        } else if let Some(cast) = Cast::of(&facts, "server".into()) {
            let _ = events.send(LoadEvent::Ready(cast));
        }
    });
}

fn work(options: &Options, queue: &Queue, servers: Servers, events: &Sender<LoadEvent>) {
    if options.gives_way {
        priority::give_way();
    }
    let threads = options.threads.or_else(cores).unwrap_or(1);
    let is_chosen = options.dtype.is_some();
    match device(&options.device) {
        Ok(device) if device.is_cpu() => {
            let format = options.dtype.unwrap_or_else(Format::best);
            let place = Place::new(Cpu::new(threads, format), is_chosen);
            let numbers = format!("cpu {format:?} {is_chosen}");
            serve(options, place, numbers, queue, &servers, events);
        }
        Ok(device) => {
            let format = options.dtype.unwrap_or(Format::Bf16);
            let place = Accelerator::new(device, format).and_then(|a| Place::new(a, is_chosen));
            let numbers = format!("accelerator {format:?} {is_chosen}");
            serve(options, place, numbers, queue, &servers, events);
        }
        Err(error) => fail(error, queue, events),
    }
}

fn cores() -> Option<usize> {
    std::thread::available_parallelism().ok().map(Into::into)
}

fn fail(error: ModelError, queue: &Queue, events: &Sender<LoadEvent>) {
    queue.close();
    let _ = events.send(LoadEvent::Failed(error));
}

/// Loads the models and computes on them until the queue is closed.
fn serve<C: Compute>(
    options: &Options,
    place: Result<Place<C>, ModelError>,
    numbers: String,
    queue: &Queue,
    servers: &Servers,
    events: &Sender<LoadEvent>,
) {
    let load = std::panic::AssertUnwindSafe(|| {
        Models::load(options, &place?, |role| servers.fill(role), events)
    });
    let loaded = std::panic::catch_unwind(load)
        .unwrap_or_else(|_| Err(ModelError::Text("loading the model panicked".into())));
    match loaded {
        Ok(models) => {
            let facts: Vec<_> = models
                .facts()
                .into_iter()
                .chain(servers.facts.iter().cloned())
                .collect();
            let Some(cast) = Cast::of(&facts, numbers) else {
                let cause = "a role is filled by no model".to_owned();
                return fail(ModelError::Text(cause), queue, events);
            };
            let _ = events.send(LoadEvent::Ready(cast));
            Computer {
                models: &models,
                cache: PrefixCache::new(options.cache_bytes),
                queue,
                embedded: std::collections::HashMap::new(),
            }
            .work();
        }
        Err(error) => fail(error, queue, events),
    }
}

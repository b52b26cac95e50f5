//! The thread that owns the models, and the handle to it.

use std::sync::Arc;
use std::sync::mpsc::{Sender, channel};
use std::thread::JoinHandle;

use super::cache::PrefixCache;
use super::compute::Computer;
use super::queue::Queue;
use super::request::{Job, Role};
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

/// The loaded models.
pub struct Models<C: Compute> {
    judge: Model<C>,
    embedder: Option<Model<C>>,
    policy: Option<Model<C>>,
}

impl<C: Compute> Models<C> {
    fn load(
        options: &Options,
        place: &Place<C>,
        events: &Sender<LoadEvent>,
    ) -> Result<Self, ModelError> {
        let load = |name: &String| {
            Model::load(name, place, |stage, done, total| {
                let _ = events.send(LoadEvent::Stage {
                    model: name.clone(),
                    stage: stage.to_owned(),
                    done,
                    total,
                });
            })
        };
        // A role that names the judge shares it.
        let other = |name: &Option<String>| match name {
            Some(name) if *name != options.judge => load(name).map(Some),
            _ => Ok(None),
        };
        let models = Models {
            judge: load(&options.judge)?,
            embedder: other(&options.embedder)?,
            policy: other(&options.policy)?,
        };
        let policy = options.policy.as_ref().unwrap_or(&options.judge);
        for (role, name) in [(Role::Judge, &options.judge), (Role::Policy, policy)] {
            let facts = &models.of(role).facts;
            if !facts.is_decoder {
                return Err(ModelError::Spec {
                    spec: name.clone(),
                    cause: "an encoder can embed, but neither judge nor write".into(),
                    cure: "name it with --embedder, and a decoder as judge".into(),
                });
            }
        }
        Ok(models)
    }

    /// The model that fills a role.
    pub fn of(&self, role: Role) -> &Model<C> {
        let own = match role {
            Role::Judge => None,
            Role::Embedder => self.embedder.as_ref(),
            Role::Policy => self.policy.as_ref(),
        };
        own.unwrap_or(&self.judge)
    }

    fn cast(&self, numbers: String) -> Cast {
        let facts = |role| Arc::clone(&self.of(role).facts);
        Cast {
            judge: facts(Role::Judge),
            embedder: facts(Role::Embedder),
            policy: facts(Role::Policy),
            numbers,
        }
    }
}

/// A cheap handle; the thread ends when the last one is dropped.
#[derive(Clone)]
pub struct Engine {
    shared: Arc<Shared>,
}

struct Shared {
    queue: Arc<Queue>,
    thread: Option<JoinHandle<()>>,
}

impl Drop for Shared {
    fn drop(&mut self) {
        self.queue.close();
        if let Some(thread) = self.thread.take() {
            // It stops within one forward pass; a thread that died has nothing left to say.
            let _ = thread.join();
        }
    }
}

impl Engine {
    /// Starts the thread, which loads the models (telling `events`) and then computes.
    ///
    /// # Errors
    /// When the operating system grants no thread.
    pub fn start(options: Options, events: Sender<LoadEvent>) -> std::io::Result<Engine> {
        let queue = Arc::new(Queue::default());
        let theirs = Arc::clone(&queue);
        let thread = std::thread::Builder::new()
            .name("juror-engine".into())
            .spawn(move || work(&options, &theirs, &events))?;
        Ok(Engine {
            shared: Arc::new(Shared {
                queue,
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
        self.shared.queue.push(job);
    }

    /// Stops a job; it answers `Cancelled` unless it has ended.
    pub fn cancel(&self, id: u64) {
        self.shared.queue.cancel(id);
    }
}

fn work(options: &Options, queue: &Queue, events: &Sender<LoadEvent>) {
    let threads = options.threads.or_else(cores).unwrap_or(1);
    let is_chosen = options.dtype.is_some();
    match device(&options.device) {
        Ok(device) if device.is_cpu() => {
            let format = options.dtype.unwrap_or_else(Format::best);
            let place = Place::new(Cpu::new(threads, format), is_chosen);
            let numbers = format!("cpu {format:?} {is_chosen}");
            serve(options, place, numbers, queue, events);
        }
        Ok(device) => {
            let format = options.dtype.unwrap_or(Format::Bf16);
            let place = Accelerator::new(device, format).and_then(|a| Place::new(a, is_chosen));
            let numbers = format!("accelerator {format:?} {is_chosen}");
            serve(options, place, numbers, queue, events);
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
    events: &Sender<LoadEvent>,
) {
    let load = std::panic::AssertUnwindSafe(|| Models::load(options, &place?, events));
    let loaded = std::panic::catch_unwind(load)
        .unwrap_or_else(|_| Err(ModelError::Text("loading the model panicked".into())));
    match loaded {
        Ok(models) => {
            let _ = events.send(LoadEvent::Ready(models.cast(numbers)));
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

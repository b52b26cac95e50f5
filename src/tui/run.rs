//! The loop: messages in, effects out, at most one frame for all that came together.

use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use anyhow::Context;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::time::{Instant, sleep_until};

use super::effect::{Attend, Effect, Keep, Write};
use super::ground::{self, Heard, Listener};
use super::keymap::Keymap;
use super::layout::Screen;
use super::look::{self, Look};
use super::message::{Kept, Message};
use super::searcher::Searcher;
use super::state::{Comparison, DataFailure, JudgeStatus, Loaded, State};
use super::terminal::Session;
use super::theme::Depth;
use super::update::{themes, update};
use super::{comparer, follow, input, keeper, person, signals, watch, writer};
use crate::run::live::{Command, Event};
use crate::stats::preset::Preset;

/// The shortest time between two frames.
const FRAME: Duration = Duration::from_millis(16);
/// The time between two frames of things that move.
const TICK: Duration = Duration::from_millis(100);
/// How long the terminal is listened to before another program may have it.
const LISTEN: Duration = Duration::from_millis(250);

/// Reads the data, telling of every part; called on a thread of its own.
pub type DataLoader = Box<dyn FnOnce(&mut dyn FnMut(Loaded)) -> Result<(), DataFailure> + Send>;

/// The judge as the explorer sees it.
pub struct JudgeLink {
    /// Hands a command over without waiting.
    pub send: Box<dyn Fn(Command) + Send>,
    /// What it says; closed when it is gone.
    pub events: UnboundedReceiver<Event>,
}

/// Starts a judge by its name, or the usual one, without waiting for it.
pub type JudgeConnector = Box<dyn Fn(Option<&str>) -> JudgeLink>;

/// What the explorer starts with.
pub struct ExploreOptions {
    /// What the tabs call the data.
    pub title: String,
    /// Reads the data.
    pub load: DataLoader,
    /// Starts the judge; without one, texts and labels are shown.
    pub judge: Option<JudgeConnector>,
    /// A theme by name.
    pub theme: Option<String>,
    /// The theme that was chosen last time, where none is named.
    pub remembered_theme: Option<String>,
    /// A folder of themes that add to those inside the program or replace them.
    pub themes: Option<PathBuf>,
    /// How many colours to use; by the environment where nobody says.
    pub colours: Option<Depth>,
    /// A keymap whose rows win over those inside the program.
    pub keymap: Option<PathBuf>,
    /// Draw with ASCII only; so does `JUROR_ASCII=1`.
    pub ascii: bool,
    /// The threshold to start with.
    pub threshold: Option<Cut>,
    /// The judge as it was named.
    pub judge_name: Option<String>,
    /// Names of judges to choose from, and what they are.
    pub judges: Vec<(String, String)>,
    /// The database; `None` for the one in Juror's folder.
    pub store: Option<PathBuf>,
    /// Who annotates, and on which scale.
    pub annotator: Option<String>,
    pub scale: Option<(String, u8, u8)>,
    /// Orders the random queue.
    pub seed: u64,
}

/// Where to decline.
pub enum Cut {
    /// On the fused score, from 0 to 1.
    Number(f64),
    /// As `juror threshold` found it.
    Preset(Box<Preset>),
}

/// What reaches the loop besides the judge's events.
pub(super) enum Incoming {
    Message(Box<Message>),
    /// Asked to end by this signal.
    Signal(i32),
    /// Asked to stop until it is told to go on: `SIGTSTP`.
    Stop,
    /// The process was stopped and goes on: a shell may have had the terminal meanwhile.
    Continued,
    /// The terminal can no longer be read.
    Closed,
}

/// Runs the explorer until it is left.
pub fn run(options: ExploreOptions) -> anyhow::Result<()> {
    let colours = options.colours;
    let look = |theme: Option<&str>| Look::new(theme, options.themes.as_deref(), colours);
    let look = match (&options.theme, &options.remembered_theme) {
        // One of last time may come from a folder that is not named now.
        (None, Some(name)) => look(Some(name)).or_else(|_| look(None))?,
        (theme, _) => look(theme.as_deref())?,
    };
    if let Some(depth) = colours {
        // A colour that was asked for is drawn whatever `NO_COLOR` says.
        crossterm::style::force_color_output(depth != Depth::None);
    }
    let mut state = prepare(&options, &look)?;
    let (sender, inbox) = unbounded_channel();
    // Before the terminal is taken over: a signal in between would leave it so.
    let pause = Arc::new(Pause::default());
    signals::watch(sender.clone(), Arc::clone(&pause))?;
    let mut session = Session::enter().context("cannot take over the terminal")?;
    state.size = session.size()?;
    // Something is on screen before anything is loaded.
    session.draw(&state)?;
    if look.asks {
        ground::ask()?;
    }
    read_terminal(
        sender.clone(),
        Arc::clone(&pause),
        look.asks.then_some(look.theme),
    );
    let themed = sender.clone();
    watch::themes(look.wardrobe, look.themes, move |message| {
        themed.send(Incoming::Message(Box::new(message))).is_ok()
    });
    read_data(options.load, sender.clone());
    let tell = |sender: &UnboundedSender<Incoming>| {
        let sender = sender.clone();
        move |message: Message| {
            // Nobody is left to hear it once the explorer has ended.
            let _ = sender.send(Incoming::Message(Box::new(message)));
        }
    };
    let (keeper, kept) = keeper::start(
        options.store.clone(),
        state.place_key.clone(),
        tell(&sender),
    );
    let searcher = Searcher::start(tell(&sender));
    let comparer = comparer::start(tell(&sender));
    let followed = sender.clone();
    let follower = follow::start(options.store.clone(), move |message| {
        followed.send(Incoming::Message(Box::new(message))).is_ok()
    });
    let link = options.judge.as_ref().map(|connect| connect(None));
    if link.is_some() {
        state.judge = JudgeStatus::Loading {
            stage: "starting".into(),
            done: 0,
            total: 0,
        };
    }
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build()?;
    let mut outside = Outside {
        connect: options.judge,
        keeper,
        searcher,
        comparer,
        follower,
        looking: false,
        store: options.store,
        sender,
        pause,
        writing: Vec::new(),
    };
    let ended = runtime.block_on(serve(&mut state, &mut session, inbox, link, &mut outside));
    drop(session);
    // What was handed over is on disk before the program ends.
    let Outside {
        keeper, writing, ..
    } = outside;
    drop(keeper);
    for thread in writing.into_iter().chain([kept]) {
        // One that panicked has left nothing to wait for.
        let _ = thread.join();
    }
    match ended? {
        Some(signal) => signals::end_by(signal),
        None => Ok(()),
    }
}

/// The state before the first frame.
fn prepare(options: &ExploreOptions, look: &Look) -> anyhow::Result<State> {
    let set = |name: &str| std::env::var_os(name).is_some_and(|value| !value.is_empty());
    let ascii = options.ascii || set("JUROR_ASCII");
    let mut state = State::new((0, 0), look.themes.clone(), &look.theme, ascii);
    state.title.clone_from(&options.title);
    state.clock = crate::store::now();
    state.session = {
        use std::hash::{BuildHasher, Hasher, RandomState};
        RandomState::new().build_hasher().finish()
    };
    state.place_key = format!("place {}", options.title);
    state.judge_name.clone_from(&options.judge_name);
    state.known_judges.clone_from(&options.judges);
    state.threshold_given = options.threshold.is_some();
    state.annotate.seed = options.seed;
    state.annotate.given = options.annotator.is_some();
    state.annotate.annotator = match &options.annotator {
        Some(name) => name.clone(),
        None => person::name(|name| std::env::var(name).ok(), person::account),
    };
    if let Some((name, low, high)) = &options.scale {
        state.annotate.name.clone_from(name);
        state.annotate.scale = (*low, *high);
        state.annotate.scale_given = true;
    }
    match &options.threshold {
        None => (),
        Some(Cut::Number(number)) => state.threshold = number.clamp(0.0, 1.0),
        Some(Cut::Preset(preset)) => state.preset = Some((**preset).clone()),
    }
    if let Some(path) = &options.keymap {
        let text = std::fs::read_to_string(path)
            .with_context(|| format!("cannot read the keymap {}", path.display()))?;
        let own = Keymap::parse(&text).with_context(|| path.display().to_string())?;
        state.keymap = Keymap::standard().over(own);
    }
    let broken: Vec<String> = look.errors.iter().map(ToString::to_string).collect();
    state.say_all(themes::BROKEN, &broken);
    Ok(state)
}

/// What effects reach.
struct Outside {
    connect: Option<JudgeConnector>,
    keeper: std::sync::mpsc::Sender<Keep>,
    searcher: Searcher,
    comparer: std::sync::mpsc::Sender<Comparison>,
    follower: std::sync::mpsc::Sender<Attend>,
    /// Whether trainings are looked at.
    looking: bool,
    store: Option<PathBuf>,
    sender: UnboundedSender<Incoming>,
    pause: Arc<Pause>,
    /// Threads that write files.
    writing: Vec<thread::JoinHandle<()>>,
}

/// A judge's two ends.
#[derive(Default)]
struct Ends {
    send: Option<Box<dyn Fn(Command) + Send>>,
    events: Option<UnboundedReceiver<Event>>,
}

impl From<Option<JudgeLink>> for Ends {
    fn from(link: Option<JudgeLink>) -> Self {
        match link {
            Some(link) => Ends {
                send: Some(link.send),
                events: Some(link.events),
            },
            None => Ends::default(),
        }
    }
}

impl Ends {
    fn tell(&self, command: Command) {
        if let Some(send) = &self.send {
            send(command);
        }
    }
}

/// Serves messages until the end; answers the signal that ended it, if one did.
async fn serve(
    state: &mut State,
    session: &mut Session,
    mut inbox: UnboundedReceiver<Incoming>,
    link: Option<JudgeLink>,
    outside: &mut Outside,
) -> anyhow::Result<Option<i32>> {
    let (mut first, mut second) = (Ends::from(link), Ends::default());
    let mut dirty = true;
    let mut next_frame = Instant::now();
    let mut next_tick = Instant::now() + TICK;
    loop {
        if dirty && Instant::now() >= next_frame {
            session.draw(state)?;
            state.note_drawn();
            next_frame = Instant::now() + FRAME;
            dirty = false;
        }
        let mut messages = Vec::new();
        tokio::select! {
            incoming = inbox.recv() => match incoming {
                Some(Incoming::Message(message)) => messages.push(*message),
                Some(Incoming::Signal(signal)) => return Ok(Some(signal)),
                Some(Incoming::Stop) => {
                    outside.stop(session);
                    dirty = true;
                }
                Some(Incoming::Continued) => {
                    session.retake();
                    dirty = true;
                }
                Some(Incoming::Closed) | None => return Ok(None),
            },
            event = next_event(&mut first.events) => messages.push(match event {
                Some(event) => Message::Judge(Box::new(event)),
                None => {
                    first.events = None;
                    Message::JudgeGone
                }
            }),
            event = next_event(&mut second.events) => messages.push(match event {
                Some(event) => Message::Second(Box::new(event)),
                None => {
                    second.events = None;
                    Message::SecondGone
                }
            }),
            () = sleep_until(next_frame), if dirty => {}
            () = sleep_until(next_tick), if state.is_moving() => {
                next_tick = Instant::now() + TICK;
                messages.push(Message::Tick);
            }
        }
        // Everything that came meanwhile shares the next frame.
        while let Ok(incoming) = inbox.try_recv() {
            match incoming {
                Incoming::Message(message) => messages.push(*message),
                Incoming::Signal(signal) => return Ok(Some(signal)),
                Incoming::Stop => {
                    outside.stop(session);
                    dirty = true;
                }
                Incoming::Continued => {
                    session.retake();
                    dirty = true;
                }
                Incoming::Closed => return Ok(None),
            }
        }
        if let Some(events) = &mut first.events {
            while let Ok(event) = events.try_recv() {
                messages.push(Message::Judge(Box::new(event)));
            }
        }
        state.clock = crate::store::now();
        for message in messages {
            dirty = true;
            for effect in update(state, message) {
                match effect {
                    Effect::Judge(command) => first.tell(command),
                    Effect::Second(command) => second.tell(command),
                    Effect::Load { second: to, judge } => {
                        let connect = outside.connect.as_ref().filter(|_| judge.is_some());
                        let link = connect.map(|connect| connect(judge.as_deref()));
                        match to {
                            true => second = link.into(),
                            false => first = link.into(),
                        }
                    }
                    Effect::Copy(text) => session.copy(&text)?,
                    Effect::ThemeChosen(name) => outside.keep(Keep::Remember {
                        key: "theme".into(),
                        value: name,
                    }),
                    Effect::Keep(keep) => outside.keep(keep),
                    Effect::Find(search) => outside.searcher.find(&state.library, search),
                    Effect::CountFacets => outside.searcher.facets(&state.library),
                    Effect::Compare(comparison) => {
                        // A thread that has gone counts nothing.
                        let _ = outside.comparer.send(*comparison);
                    }
                    Effect::CompareRuns { before, after } => {
                        // Labels do not wait for it, and nor does the end of the program.
                        let sender = outside.sender.clone();
                        thread::spawn(move || {
                            let between = (before.id, after.id);
                            let found = Box::new(keeper::changes(&before, &after));
                            let message = Message::Compared { between, found };
                            let _ = sender.send(Incoming::Message(Box::new(message)));
                        });
                    }
                    Effect::Attend(attend) => outside.attend(attend),
                    Effect::Write(write) => outside.write(*write, false),
                    Effect::Overwrite(write) => outside.write(*write, true),
                    Effect::External { text, target } => {
                        let text = outside.pause.during(|| session.suspended(|| edit(&text)));
                        outside.say(Message::Edited { target, text });
                    }
                    Effect::Suspend => {
                        if !signals::ask_to_stop() {
                            outside.say(Message::NoShell);
                        }
                    }
                    Effect::Quit => return Ok(None),
                }
            }
        }
        outside.look(state.screen == Screen::Runs);
    }
}

impl Outside {
    /// Lets the shell have the terminal until it lets us go on.
    fn stop(&self, session: &mut Session) {
        self.pause.during(|| session.suspended(signals::stop));
    }

    fn say(&self, message: Message) {
        let _ = self.sender.send(Incoming::Message(Box::new(message)));
    }

    fn keep(&self, keep: Keep) {
        // A keeper that has gone has said why.
        let _ = self.keeper.send(keep);
    }

    fn attend(&self, attend: Attend) {
        let _ = self.follower.send(attend);
    }

    /// Has trainings looked after while they can be seen.
    fn look(&mut self, look: bool) {
        if std::mem::replace(&mut self.looking, look) != look {
            self.attend(Attend::Look(look));
        }
    }

    /// Writes a file on a thread of its own.
    fn write(&mut self, write: Write, over: bool) {
        let (sender, store) = (self.sender.clone(), self.store.clone());
        self.writing.retain(|thread| !thread.is_finished());
        self.writing.push(thread::spawn(move || {
            let message = match writer::in_the_way(&write).filter(|_| !over) {
                Some((purpose, path)) => Message::Exists { purpose, path },
                None => Message::Written(writer::write(write, store.as_deref())),
            };
            let _ = sender.send(Incoming::Message(Box::new(message)));
            // A run may have been added.
            let runs = writer::opened(store.as_deref());
            if let Ok(runs) = runs.and_then(|store| store.runs(keeper::RUNS)) {
                let message = Message::Kept(Box::new(Kept::Runs(runs)));
                let _ = sender.send(Incoming::Message(Box::new(message)));
            }
        }));
    }
}

/// Lets the person's own editor change a text.
fn edit(text: &str) -> Result<String, String> {
    let set = |name: &str| std::env::var(name).ok().filter(|v| !v.trim().is_empty());
    let editor = set("VISUAL").or_else(|| set("EDITOR"));
    let Some(editor) = editor else {
        return Err("No editor is named: set VISUAL or EDITOR.".into());
    };
    let failed = |cause: std::io::Error| format!("{editor}: {cause}");
    let file = tempfile::Builder::new()
        .prefix("juror-")
        .suffix(".txt")
        .tempfile()
        .map_err(failed)?;
    std::fs::write(file.path(), text).map_err(failed)?;
    // An editor may be named with arguments: `code --wait`.
    let mut words = editor.split_whitespace();
    let program = words.next().unwrap_or_default();
    let status = std::process::Command::new(program)
        .args(words)
        .arg(file.path())
        .status()
        .map_err(failed)?;
    match status.success() {
        true => std::fs::read_to_string(file.path()).map_err(failed),
        false => Err(format!(
            "{editor} ended with {status}; the text is as it was."
        )),
    }
}

/// The judge's next event; without a judge, never.
async fn next_event(events: &mut Option<UnboundedReceiver<Event>>) -> Option<Event> {
    match events {
        Some(events) => events.recv().await,
        None => std::future::pending().await,
    }
}

/// Keeps our reading and another program's apart.
#[derive(Default)]
pub(super) struct Pause {
    pub(super) wanted: AtomicBool,
    reading: Mutex<()>,
}

impl Pause {
    /// Does something while the terminal is not read.
    fn during<T>(&self, work: impl FnOnce() -> T) -> T {
        self.wanted.store(true, Ordering::SeqCst);
        let guard = self.reading.lock();
        let done = work();
        self.wanted.store(false, Ordering::SeqCst);
        drop(guard);
        done
    }
}

/// Reads the terminal; where its background was asked for, the theme it got at a `guess` gives way
/// to one that fits.
fn read_terminal(sender: UnboundedSender<Incoming>, pause: Arc<Pause>, guess: Option<String>) {
    thread::spawn(move || {
        let mut listener = Listener::new(guess.is_some());
        loop {
            if pause.wanted.load(Ordering::SeqCst) {
                thread::sleep(TICK / 10);
                continue;
            }
            let guard = pause.reading.lock();
            // Short, so that another program gets the terminal soon; a wait costs nothing.
            let ready = match listener.holds() {
                true => Ok(true),
                false => crossterm::event::poll(LISTEN),
            };
            match ready {
                Ok(true) => (),
                Ok(false) => {
                    drop(guard);
                    continue;
                }
                Err(_) => {
                    let _ = sender.send(Incoming::Closed);
                    return;
                }
            }
            let incoming = match listener.hear() {
                Ok(Heard::Ground(ground)) => Incoming::Message(Box::new(Message::ThemeSuggested {
                    theme: look::for_ground(ground).to_string(),
                    instead_of: guess.clone().unwrap_or_default(),
                })),
                Ok(Heard::Event(event)) => match input::message(event) {
                    Some(message) => Incoming::Message(Box::new(message)),
                    None => continue,
                },
                Err(_) => Incoming::Closed,
            };
            drop(guard);
            let closed = matches!(incoming, Incoming::Closed);
            if sender.send(incoming).is_err() || closed {
                return;
            }
        }
    });
}

fn read_data(load: DataLoader, sender: UnboundedSender<Incoming>) {
    thread::spawn(move || {
        let send = |result| {
            let message = Message::Data(Box::new(result));
            let _ = sender.send(Incoming::Message(Box::new(message)));
        };
        // A reader that panics must not leave the screen waiting.
        let read = std::panic::AssertUnwindSafe(|| load(&mut |part| send(Ok(part))));
        let result = std::panic::catch_unwind(read).unwrap_or_else(|_| {
            Err(DataFailure {
                cause: "The reader stopped unexpectedly.".into(),
            })
        });
        if let Err(failure) = result {
            send(Err(failure));
        }
    });
}

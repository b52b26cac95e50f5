//! The loop: messages in, effects out, at most one frame for all that came together.

use std::path::PathBuf;
use std::thread;
use std::time::Duration;

use anyhow::Context;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::time::{Instant, sleep_until};

use super::effect::Effect;
use super::ground::{self, Heard, Listener};
use super::input;
use super::keymap::Keymap;
use super::look::{self, Look};
use super::message::Message;
use super::state::{DataFailure, JudgeStatus, Loaded, State, Tone};
use super::terminal::Session;
use super::theme::Depth;
use super::update::update;
use super::watch;
use crate::run::live::{Command, Event};
use crate::stats::preset::Preset;

/// The shortest time between two frames.
const FRAME: Duration = Duration::from_millis(16);
/// The time between two frames of things that move.
const TICK: Duration = Duration::from_millis(100);

/// Reads the data, telling of every part; called on a thread of its own.
pub type DataLoader = Box<dyn FnOnce(&mut dyn FnMut(Loaded)) -> Result<(), DataFailure> + Send>;

/// The judge as the explorer sees it.
pub struct JudgeLink {
    /// Hands a command over without waiting.
    pub send: Box<dyn Fn(Command) + Send>,
    /// What it says; closed when it is gone.
    pub events: UnboundedReceiver<Event>,
}

/// Starts the judge without waiting for it.
pub type JudgeConnector = Box<dyn FnOnce() -> JudgeLink>;

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
}

/// Where to decline.
pub enum Cut {
    /// On the fused score, from 0 to 1.
    Number(f64),
    /// As `juror threshold` found it.
    Preset(Box<Preset>),
}

/// What reaches the loop besides the judge's events.
enum Incoming {
    Message(Box<Message>),
    /// Asked to end by this signal.
    Signal(i32),
    /// The terminal can no longer be read.
    Closed,
}

/// Runs the explorer until it is left.
pub fn run(options: ExploreOptions) -> anyhow::Result<()> {
    let colours = options.colours;
    let look = Look::new(options.theme.as_deref(), options.themes.as_deref(), colours)?;
    if let Some(depth) = colours {
        // A colour that was asked for is drawn whatever `NO_COLOR` says.
        crossterm::style::force_color_output(depth != Depth::None);
    }
    let mut state = prepare(&options, &look)?;
    let (sender, inbox) = unbounded_channel();
    // Before the terminal is taken over: a signal in between would leave it so.
    watch_signals(sender.clone())?;
    let mut session = Session::enter().context("cannot take over the terminal")?;
    state.size = session.size()?;
    // Something is on screen before anything is loaded.
    session.draw(&state)?;
    if look.asks {
        ground::ask()?;
    }
    read_terminal(sender.clone(), look.asks.then_some(look.theme));
    let themed = sender.clone();
    watch::themes(look.wardrobe, look.themes, move |message| {
        themed.send(Incoming::Message(Box::new(message))).is_ok()
    });
    read_data(options.load, sender);
    let link = options.judge.map(|connect| connect());
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
    let ended = runtime.block_on(serve(&mut state, &mut session, inbox, link));
    drop(session);
    match ended? {
        Some(signal) => end_by(signal),
        None => Ok(()),
    }
}

/// The state before the first frame.
fn prepare(options: &ExploreOptions, look: &Look) -> anyhow::Result<State> {
    let set = |name: &str| std::env::var_os(name).is_some_and(|value| !value.is_empty());
    let ascii = options.ascii || set("JUROR_ASCII");
    let mut state = State::new((0, 0), look.themes.clone(), &look.theme, ascii);
    state.title.clone_from(&options.title);
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
    if let Some(error) = look.errors.first() {
        state.say(Tone::Warning, error.to_string());
    }
    Ok(state)
}

/// Serves messages until the end; answers the signal that ended it, if one did.
async fn serve(
    state: &mut State,
    session: &mut Session,
    mut inbox: UnboundedReceiver<Incoming>,
    link: Option<JudgeLink>,
) -> anyhow::Result<Option<i32>> {
    let (send, mut events) = match link {
        Some(link) => (Some(link.send), Some(link.events)),
        None => (None, None),
    };
    let mut dirty = true;
    let mut next_frame = Instant::now();
    let mut next_tick = Instant::now() + TICK;
    loop {
        if dirty && Instant::now() >= next_frame {
            session.draw(state)?;
            next_frame = Instant::now() + FRAME;
            dirty = false;
        }
        let mut messages = Vec::new();
        tokio::select! {
            incoming = inbox.recv() => match incoming {
                Some(Incoming::Message(message)) => messages.push(*message),
                Some(Incoming::Signal(signal)) => return Ok(Some(signal)),
                Some(Incoming::Closed) | None => return Ok(None),
            },
            event = next_event(&mut events) => match event {
                Some(event) => messages.push(Message::Judge(Box::new(event))),
                None => {
                    events = None;
                    messages.push(Message::JudgeGone);
                }
            },
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
                Incoming::Closed => return Ok(None),
            }
        }
        if let Some(events) = &mut events {
            while let Ok(event) = events.try_recv() {
                messages.push(Message::Judge(Box::new(event)));
            }
        }
        for message in messages {
            dirty = true;
            for effect in update(state, message) {
                match effect {
                    Effect::Judge(command) => {
                        if let Some(send) = &send {
                            send(command);
                        }
                    }
                    Effect::Copy(text) => session.copy(&text)?,
                    // Nothing remembers a theme between runs yet.
                    Effect::ThemeChosen(_) => {}
                    Effect::Quit => return Ok(None),
                }
            }
        }
    }
}

/// The judge's next event; without a judge, never.
async fn next_event(events: &mut Option<UnboundedReceiver<Event>>) -> Option<Event> {
    match events {
        Some(events) => events.recv().await,
        None => std::future::pending().await,
    }
}

/// Reads the terminal; where its background was asked for, the theme it got at a `guess` gives way
/// to one that fits.
fn read_terminal(sender: UnboundedSender<Incoming>, guess: Option<String>) {
    thread::spawn(move || {
        let mut listener = Listener::new(guess.is_some());
        loop {
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

/// Ends in good order when asked to, and by force where the loop does not come round.
#[cfg(unix)]
fn watch_signals(sender: UnboundedSender<Incoming>) -> anyhow::Result<()> {
    use signal_hook::consts::{SIGHUP, SIGTERM};
    let mut signals = signal_hook::iterator::Signals::new([SIGTERM, SIGHUP])?;
    thread::spawn(move || {
        if let Some(signal) = signals.forever().next() {
            let _ = sender.send(Incoming::Signal(signal));
            thread::sleep(Duration::from_secs(1));
            super::terminal::restore();
            let _ = signal_hook::low_level::emulate_default_handler(signal);
        }
    });
    Ok(())
}

#[cfg(not(unix))]
fn watch_signals(_sender: UnboundedSender<Incoming>) -> anyhow::Result<()> {
    Ok(())
}

/// Ends the way the signal would have.
#[cfg(unix)]
fn end_by(signal: i32) -> anyhow::Result<()> {
    signal_hook::low_level::emulate_default_handler(signal)?;
    Ok(())
}

#[cfg(not(unix))]
fn end_by(_signal: i32) -> anyhow::Result<()> {
    Ok(())
}

//! The terminal taken over, and given back whatever happens.

use std::io::{self, IsTerminal, Stdout, stdout};
use std::mem::ManuallyDrop;
use std::sync::Once;
use std::sync::atomic::{AtomicBool, Ordering};

use crossterm::clipboard::CopyToClipboard;
use crossterm::cursor::Show;
use crossterm::event::{
    DisableBracketedPaste, DisableMouseCapture, EnableBracketedPaste, EnableMouseCapture,
};
use crossterm::execute;
use crossterm::terminal::{
    BeginSynchronizedUpdate, Clear, ClearType, EndSynchronizedUpdate, EnterAlternateScreen,
    LeaveAlternateScreen, disable_raw_mode, enable_raw_mode,
};
use ratatui::Terminal;
use ratatui::backend::CrosstermBackend;

use super::state::State;
use super::view::view;

/// Whether the terminal is ours at the moment.
static TAKEN: AtomicBool = AtomicBool::new(false);

/// The terminal while it is ours; dropping gives it back.
pub struct Session {
    /// Not dropped with us: it would panic where it cannot say that its cursor cannot be shown, as when the terminal
    /// has hung up.
    terminal: ManuallyDrop<Terminal<CrosstermBackend<Stdout>>>,
}

impl Session {
    /// Takes the terminal over.
    pub fn enter() -> io::Result<Self> {
        if !stdout().is_terminal() || !io::stdin().is_terminal() {
            return Err(io::Error::other(
                "the explorer needs a terminal; for files and pipes there is `juror score`",
            ));
        }
        restore_on_panic();
        TAKEN.store(true, Ordering::SeqCst);
        let entered = enable_raw_mode().and_then(|()| {
            execute!(
                stdout(),
                EnterAlternateScreen,
                EnableBracketedPaste,
                EnableMouseCapture
            )
        });
        if let Err(error) = entered {
            restore();
            return Err(error);
        }
        match Terminal::new(CrosstermBackend::new(stdout())) {
            Ok(terminal) => Ok(Session {
                terminal: ManuallyDrop::new(terminal),
            }),
            Err(error) => {
                restore();
                Err(error)
            }
        }
    }

    /// Columns and rows.
    pub fn size(&self) -> io::Result<(u16, u16)> {
        let size = self.terminal.size()?;
        Ok((size.width, size.height))
    }

    /// Draws a frame; the terminal shows it whole or not at all.
    pub fn draw(&mut self, state: &State) -> io::Result<()> {
        execute!(stdout(), BeginSynchronizedUpdate)?;
        let drawn = self.terminal.draw(|frame| view(state, frame)).map(|_| ());
        execute!(stdout(), EndSynchronizedUpdate)?;
        drawn
    }

    /// Gives the terminal back while something else uses it, and takes it again.
    pub fn suspended<T>(&mut self, work: impl FnOnce() -> T) -> T {
        restore();
        let done = work();
        self.retake();
        done
    }

    /// Takes the terminal again after somebody else had it; all is drawn anew.
    pub fn retake(&mut self) {
        TAKEN.store(true, Ordering::SeqCst);
        // What fails here fails again at the next frame, and is told there. Modes that are taken to be ours already are
        // not set again.
        let _ = disable_raw_mode();
        let _ = enable_raw_mode();
        let there = execute!(
            stdout(),
            EnterAlternateScreen,
            EnableBracketedPaste,
            EnableMouseCapture,
            Clear(ClearType::All)
        );
        // One that knows nothing draws everything; `Terminal::clear` would wait for the terminal to say where its
        // cursor is.
        if let Ok(terminal) = Terminal::new(CrosstermBackend::new(stdout())) {
            let old = std::mem::replace(&mut self.terminal, ManuallyDrop::new(terminal));
            if there.is_ok() {
                drop(ManuallyDrop::into_inner(old));
            }
        }
    }

    /// Puts text on the terminal's clipboard.
    pub fn copy(&self, text: &str) -> io::Result<()> {
        execute!(stdout(), CopyToClipboard::to_clipboard_from(text))
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        restore();
    }
}

/// Gives the terminal back, once. There is nobody left to tell of a failure.
pub fn restore() {
    if TAKEN.swap(false, Ordering::SeqCst) {
        let _ = execute!(
            stdout(),
            EndSynchronizedUpdate,
            DisableMouseCapture,
            DisableBracketedPaste,
            LeaveAlternateScreen,
            Show
        );
        let _ = disable_raw_mode();
    }
}

/// A panic of the drawing thread is told on the terminal as it was before. One of another thread
/// is caught there and told in the explorer, which goes on.
fn restore_on_panic() {
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let drawing = std::thread::current().id();
        let previous = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| {
            if std::thread::current().id() == drawing {
                restore();
            }
            if !TAKEN.load(Ordering::SeqCst) {
                previous(info);
            }
        }));
    });
}

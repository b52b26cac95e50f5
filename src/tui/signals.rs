//! What the system asks of the explorer: to end, to stop for a while, and to go on.

#[cfg(not(unix))]
pub use elsewhere::{ask_to_stop, end_by, stop, watch};
#[cfg(unix)]
pub use on_unix::{ask_to_stop, end_by, stop, watch};

#[cfg(unix)]
mod on_unix {
    use std::sync::Arc;
    use std::sync::atomic::Ordering;
    use std::thread;
    use std::time::Duration;

    use rustix::process::{Signal, getpgrp, getsid, kill_current_process_group};
    use signal_hook::consts::{SIGCONT, SIGHUP, SIGINT, SIGTERM, SIGTSTP};
    use signal_hook::low_level::emulate_default_handler;
    use tokio::sync::mpsc::UnboundedSender;

    use crate::tui::run::{Incoming, Pause};
    use crate::tui::terminal;

    /// Ends in good order when asked to, and by force where the loop does not come round.
    pub fn watch(sender: UnboundedSender<Incoming>, pause: Arc<Pause>) -> anyhow::Result<()> {
        let all = [SIGTERM, SIGHUP, SIGINT, SIGCONT, SIGTSTP];
        let mut signals = signal_hook::iterator::Signals::new(all)?;
        thread::spawn(move || {
            for signal in signals.forever() {
                let elsewhere = pause.wanted.load(Ordering::SeqCst);
                match signal {
                    // Keys in the person's editor are meant for the editor, which has the terminal.
                    SIGINT | SIGCONT if elsewhere => (),
                    SIGCONT => drop(sender.send(Incoming::Continued)),
                    // The editor stops, and we wait for it: nothing of ours is on the terminal.
                    SIGTSTP if elsewhere && has_shell() => stop(),
                    SIGTSTP if has_shell() => drop(sender.send(Incoming::Stop)),
                    SIGTSTP => (),
                    signal => {
                        let _ = sender.send(Incoming::Signal(signal));
                        thread::sleep(Duration::from_secs(1));
                        terminal::restore();
                        let _ = emulate_default_handler(signal);
                    }
                }
            }
        });
        Ok(())
    }

    /// Whether somebody would let a stopped process go on: a shell with job control puts what it starts in a process group
    /// of its own. Where it did not, `SIGTSTP` stops nothing (POSIX, orphaned process groups).
    fn has_shell() -> bool {
        getsid(None).is_ok_and(|session| session != getpgrp())
    }

    /// Has everything that runs in the foreground stopped, as the terminal's Ctrl-Z would; `false` where nobody would let
    /// it go on.
    pub fn ask_to_stop() -> bool {
        has_shell() && kill_current_process_group(Signal::TSTP).is_ok()
    }

    /// Stops, and returns when the process goes on.
    pub fn stop() {
        // Nothing can be done where it fails, and nothing is lost.
        let _ = emulate_default_handler(SIGTSTP);
    }

    /// Ends the way the signal would have.
    pub fn end_by(signal: i32) -> anyhow::Result<()> {
        emulate_default_handler(signal)?;
        Ok(())
    }
}

#[cfg(not(unix))]
mod elsewhere {
    use std::sync::Arc;

    use tokio::sync::mpsc::UnboundedSender;

    use crate::tui::run::{Incoming, Pause};

    pub fn watch(_sender: UnboundedSender<Incoming>, _pause: Arc<Pause>) -> anyhow::Result<()> {
        Ok(())
    }

    pub fn ask_to_stop() -> bool {
        false
    }

    pub fn stop() {}

    pub fn end_by(_signal: i32) -> anyhow::Result<()> {
        Ok(())
    }
}

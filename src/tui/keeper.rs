//! The thread that owns the store: what the explorer wants kept goes in, what is on disk comes back.

use std::io::BufReader;
use std::path::PathBuf;
use std::sync::mpsc::{Sender, channel};
use std::thread::{self, JoinHandle};

use super::effect::Keep;
use super::message::{Kept, Message};
use super::state::Changes;
use super::writer::opened;
use crate::run::compare::compare;
use crate::store::{Run, Store};

/// Runs that are shown.
pub const RUNS: usize = 200;

/// Opens the store on a thread of its own; `place` is the name under which the place in these data is kept.
pub fn start(
    path: Option<PathBuf>,
    place: String,
    tell: impl Fn(Message) + Send + 'static,
) -> (Sender<Keep>, JoinHandle<()>) {
    let (requests, received) = channel();
    let thread = thread::spawn(move || {
        let say = |kept| tell(Message::Kept(Box::new(kept)));
        let opened = opened(path.as_deref()).and_then(|store| {
            let kept = Kept::Opened {
                events: store.events()?,
                annotator: store.recall("annotator")?,
                place: store.recall(&place)?,
                runs: store.runs(RUNS)?,
            };
            Ok((store, kept))
        });
        let mut store = match opened {
            Ok((store, kept)) => {
                say(kept);
                Some(store)
            }
            Err(error) => {
                say(Kept::Trouble(error.to_string()));
                None
            }
        };
        for keep in received {
            // That it could not be opened has been said.
            if let Some(store) = &mut store {
                say(kept(store, keep));
            }
        }
    });
    (requests, thread)
}

fn kept(store: &mut Store, keep: Keep) -> Kept {
    match keep {
        Keep::Event { ticket, event } => match store.add_now(*event) {
            Ok(event) => Kept::Event {
                ticket,
                event: Box::new(event),
            },
            Err(error) => Kept::Refused {
                ticket,
                cause: error.to_string(),
            },
        },
        Keep::Remember { key, value } => match store.remember(&key, &value) {
            Ok(()) => Kept::Nothing,
            Err(error) => Kept::Refused {
                ticket: 0,
                cause: error.to_string(),
            },
        },
        Keep::Run(run) => match store.keep_run(&run).and_then(|_| store.runs(RUNS)) {
            Ok(runs) => Kept::Runs(runs),
            Err(error) => Kept::Refused {
                ticket: 0,
                cause: error.to_string(),
            },
        },
    }
}

/// What changed from one run to another, by the rows that they wrote.
///
/// # Errors
/// Which rows cannot be read, and why.
pub fn changes(before: &Run, after: &Run) -> Result<Changes, String> {
    let open = |run: &Run| {
        let path = run.output.as_ref().ok_or_else(|| {
            let id = run.id;
            format!("Run {id} has no rows: it was cut short before they were written.")
        })?;
        let file = std::fs::File::open(path);
        let file = file.map_err(|cause| format!("{path}: {cause}; score the data again"))?;
        Ok::<_, String>((path.clone(), BufReader::new(file)))
    };
    let (old, new) = (open(before)?, open(after)?);
    compare((&old.0, old.1), (&new.0, new.1)).map_err(|cause| cause.to_string())
}

//! The thread that looks after trainings of other processes: which there are, and how far their logs have grown. It
//! looks while somebody looks at it, and only then.

use std::collections::HashMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread;
use std::time::Duration;

use super::effect::Attend;
use super::message::Message;
use super::state::{Standing, Watched};
use super::writer::opened;
use crate::store::{Store, StoreError, Training};
use crate::train::tune::log::{Follower, ask_to_stop, is_asked_to_stop, is_going_on};

/// Time between two looks: a step takes about as long.
const EVERY: Duration = Duration::from_millis(700);
/// Trainings that are shown.
const MOST: usize = 100;

/// Begins to wait for somebody who looks; `tell` answers whether anybody listens.
pub fn start(
    store: Option<PathBuf>,
    tell: impl Fn(Message) -> bool + Send + 'static,
) -> Sender<Attend> {
    let (requests, received) = channel();
    thread::spawn(move || {
        let mut watch = Watch {
            path: store,
            store: None,
            followed: HashMap::new(),
            told: None,
        };
        watch.serve(&received, &tell);
    });
    requests
}

/// A log that is followed, and how often something new was in it.
struct Followed {
    follower: Follower,
    version: u64,
}

/// What is told of a training, but for its history: that by its version.
type Told = (Training, Standing, bool, u64);

struct Watch {
    path: Option<PathBuf>,
    store: Option<Store>,
    followed: HashMap<String, Followed>,
    told: Option<Vec<Told>>,
}

impl Watch {
    fn serve(&mut self, received: &Receiver<Attend>, tell: &dyn Fn(Message) -> bool) {
        let mut looking = false;
        let mut troubled = false;
        loop {
            let request = match looking {
                true => received.recv_timeout(EVERY),
                false => received.recv().map_err(RecvTimeoutError::from),
            };
            let said = match request {
                Ok(Attend::Look(look)) => {
                    looking = look;
                    None
                }
                Ok(Attend::Stop(output)) => Some(stop(&output)),
                Ok(Attend::Forget(output)) => Some(self.forget(&output)),
                Err(RecvTimeoutError::Timeout) => None,
                Err(RecvTimeoutError::Disconnected) => return,
            };
            if said.is_some_and(|said| !tell(Message::Written(said))) {
                return;
            }
            if !looking {
                continue;
            }
            let message = match self.look() {
                Ok(found) => {
                    troubled = false;
                    found.map(Message::Trainings)
                }
                // Said once, not with every look.
                Err(_) if troubled => None,
                Err(error) => {
                    troubled = true;
                    Some(Message::Written(Err(error.to_string())))
                }
            };
            if message.is_some_and(|message| !tell(message)) {
                return;
            }
        }
    }

    fn store(&mut self) -> Result<&mut Store, StoreError> {
        let store = match self.store.take() {
            Some(store) => store,
            None => opened(self.path.as_deref())?,
        };
        Ok(self.store.insert(store))
    }

    /// All trainings, if anything about them has changed.
    fn look(&mut self) -> Result<Option<Vec<Watched>>, StoreError> {
        let trainings = self.store()?.trainings(MOST)?;
        let known = |output: &String| trainings.iter().any(|t| t.output == *output);
        self.followed.retain(|output, _| known(output));
        let mut watched = Vec::with_capacity(trainings.len());
        let mut told = Vec::with_capacity(trainings.len());
        for training in trainings {
            let output = PathBuf::from(&training.output);
            let followed = self.followed.entry(training.output.clone());
            let followed = followed.or_insert_with(|| Followed {
                follower: Follower::new(&output),
                version: 0,
            });
            let standing = standing(&output, followed);
            let stopping = standing == Standing::Running && is_asked_to_stop(&output);
            let version = followed.version;
            told.push((training.clone(), standing.clone(), stopping, version));
            watched.push(Watched {
                training,
                standing,
                stopping,
                history: followed.follower.history().clone(),
            });
        }
        if self.told.as_ref() == Some(&told) {
            return Ok(None);
        }
        self.told = Some(told);
        Ok(Some(watched))
    }

    fn forget(&mut self, output: &str) -> Result<String, String> {
        let forgotten = self.store().and_then(|store| store.forget_training(output));
        forgotten.map_err(|error| error.to_string())?;
        Ok(format!("Not listed any more, its files stay: {output}"))
    }
}

/// Reads what is new of a training and says how it stands.
fn standing(output: &Path, followed: &mut Followed) -> Standing {
    // Before its log is read: one that ends in between has told all by then.
    let going_on = is_going_on(output);
    match followed.follower.poll() {
        Ok(new) => followed.version += u64::from(new),
        Err(cause) if cause.kind() == io::ErrorKind::NotFound => {
            return match (output.is_dir(), going_on) {
                (false, _) => Standing::Gone,
                (true, true) => Standing::Running,
                (true, false) => Standing::Unlogged,
            };
        }
        Err(cause) => return Standing::Unreadable(cause.to_string()),
    }
    match &followed.follower.history().end {
        Some((reason, _)) => Standing::Ended(*reason),
        None if going_on => Standing::Running,
        None => Standing::Interrupted,
    }
}

fn stop(output: &str) -> Result<String, String> {
    match ask_to_stop(Path::new(output)) {
        Ok(()) => Ok("Asked to stop: it keeps a checkpoint and ends.".into()),
        Err(cause) => Err(format!(
            "{output}: {cause}; the training cannot be asked to stop from here"
        )),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::channel;

    use super::*;
    use crate::train::tune::log::{Reason, Start, Step, TrainingLog, asked_to_stop};

    #[test]
    fn trainings_are_seen_as_they_go_on_end_and_disappear() {
        let folder = tempfile::tempdir().unwrap();
        let database = folder.path().join("juror.db");
        let output = folder.path().join("out");
        std::fs::create_dir(&output).unwrap();
        let mut store = Store::at(&database).unwrap();
        let training = Training::begins(&output, "judge");
        store.keep_training(&training).unwrap();
        let (sender, told) = channel();
        let attend = start(Some(database), move |message| sender.send(message).is_ok());
        let next = || told.recv_timeout(Duration::from_secs(20)).unwrap();
        let seen = || match next() {
            Message::Trainings(watched) => watched,
            other => panic!("{other:?}"),
        };
        attend.send(Attend::Look(true)).unwrap();
        assert_eq!(seen()[0].standing, Standing::Unlogged);
        let mut log = TrainingLog::create(&output, Start::default()).unwrap();
        let step = Step {
            step: 1,
            loss: 2.0,
            ..Step::default()
        };
        log.step(step).unwrap();
        loop {
            // A look may come between the lock and the lines.
            let watched = seen();
            if watched[0].history.step.is_some() {
                assert_eq!(watched[0].standing, Standing::Running);
                assert_eq!(watched[0].history.loss.last(), Some(2.0));
                break;
            }
        }
        attend.send(Attend::Stop(training.output.clone())).unwrap();
        assert!(matches!(next(), Message::Written(Ok(_))));
        assert!(seen()[0].stopping);
        assert!(asked_to_stop(&output));
        assert!(!seen()[0].stopping);
        drop(log);
        assert_eq!(seen()[0].standing, Standing::Interrupted);
        let log = TrainingLog::resume(&output, Start::default(), 1).unwrap();
        log.end(Reason::Cancelled, "").unwrap();
        loop {
            let watched = seen();
            if watched[0].standing == Standing::Ended(Reason::Cancelled) {
                break;
            }
            assert!(watched[0].is_running() || watched[0].standing == Standing::Interrupted);
        }
        std::fs::remove_dir_all(&output).unwrap();
        assert_eq!(seen()[0].standing, Standing::Gone);
        attend.send(Attend::Forget(training.output)).unwrap();
        assert!(matches!(next(), Message::Written(Ok(_))));
        assert_eq!(seen(), []);
        // Nobody looks: nothing is told.
        attend.send(Attend::Look(false)).unwrap();
        store
            .keep_training(&Training::begins(&output, "sft"))
            .unwrap();
        assert!(told.recv_timeout(EVERY * 2).is_err());
    }
}

//! Writing a log, from the beginning or on from a checkpoint.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

use super::super::tensorboard::EventFile;
use super::entry::{Entry, Eval, Reason, Start, Step};
use super::read::parse;
use super::{BOARD, FILE, stop};
use crate::data::atomic;

/// Locked while a training goes on. A file of its own: a lock may keep others from reading what is locked.
const LOCK: &str = "log.lock";
/// A look at the lock holds it for a moment; so often it is asked for again before it counts as taken.
const TRIES: usize = 20;
const BETWEEN: Duration = Duration::from_millis(25);

/// Why a log cannot be written.
#[derive(Debug, thiserror::Error)]
pub enum LogError {
    /// The file system refused.
    #[error("{}: {cause}; make room or make it writable, then go on from the last checkpoint", .path.display())]
    File { path: PathBuf, cause: io::Error },
    /// Two trainings, one folder.
    #[error("{}: another training writes into this folder: wait until it has ended, or give another `output`", .0.display())]
    Taken(PathBuf),
}

/// The log of a training that goes on.
#[derive(Debug)]
pub struct TrainingLog {
    path: PathBuf,
    file: File,
    board: EventFile,
    /// The last line may be half there: a full disk.
    broken: bool,
    /// Held as long as this is.
    _lock: File,
}

impl TrainingLog {
    /// Begins a log; one that is there from a training before is replaced, and so are its curves on the board. The
    /// folder is made. A request to stop that nobody has heard is not for this training.
    ///
    /// # Errors
    /// What the file system says; a folder that another training writes into.
    pub fn create(output: &Path, start: Start) -> Result<Self, LogError> {
        Self::open(output, Start { from: 0, ..start }, None)
    }

    /// Goes on from the checkpoint of a step: lines about later steps and about how it ended are taken out, all at
    /// once, and a beginning that says `"from"` is added. Lines that are none are left as they are, but for a last one
    /// that is half there. Without a log, it is begun.
    ///
    /// # Errors
    /// As [`TrainingLog::create`].
    pub fn resume(output: &Path, start: Start, step: usize) -> Result<Self, LogError> {
        Self::open(
            output,
            Start {
                from: step,
                ..start
            },
            Some(step),
        )
    }

    fn open(output: &Path, start: Start, resumed: Option<usize>) -> Result<Self, LogError> {
        let refused = |path: &Path| {
            let path = path.to_owned();
            move |cause| LogError::File { path, cause }
        };
        fs::create_dir_all(output).map_err(refused(output))?;
        let lock = lock(&output.join(LOCK))?;
        let path = output.join(FILE);
        let kept = match resumed {
            Some(step) => kept(&path, step).map_err(refused(&path))?,
            None => Vec::new(),
        };
        atomic::write(&path, &kept).map_err(refused(&path))?;
        // Whoever asked to stop meant the training before.
        stop::asked_to_stop(output);
        let file = OpenOptions::new().append(true).open(&path);
        let file = file.map_err(refused(&path))?;
        let folder = output.join(BOARD);
        let board = EventFile::create(&folder, start.from).map_err(refused(&folder))?;
        let mut log = TrainingLog {
            path,
            file,
            board,
            broken: false,
            _lock: lock,
        };
        log.say(&Entry::Start(start))?;
        Ok(log)
    }

    /// Tells of a step.
    ///
    /// # Errors
    /// What the file system says.
    pub fn step(&mut self, step: Step) -> Result<(), LogError> {
        let mut scalars = vec![("train/loss".to_owned(), step.loss)];
        let parts = step.parts.iter();
        scalars.extend(parts.map(|(name, value)| (format!("train/{name}"), *value)));
        scalars.extend([
            ("train/learning_rate".to_owned(), step.learning_rate),
            ("train/grad_norm".to_owned(), step.grad_norm),
            ("train/tokens_per_s".to_owned(), step.tokens_per_s),
        ]);
        self.board(step.step, &scalars)?;
        self.say(&Entry::Step(step))
    }

    /// Tells how good the model is.
    ///
    /// # Errors
    /// What the file system says.
    pub fn eval(&mut self, eval: Eval) -> Result<(), LogError> {
        let figures = eval.figures.iter();
        let scalars: Vec<(String, f64)> = figures
            .map(|(name, value)| (format!("eval/{name}"), *value))
            .collect();
        self.board(eval.step, &scalars)?;
        self.say(&Entry::Eval(eval))
    }

    /// Tells that a checkpoint is on disk.
    ///
    /// # Errors
    /// What the file system says.
    pub fn saved(&mut self, step: usize) -> Result<(), LogError> {
        self.say(&Entry::Saved { step })
    }

    /// Tells how it ended; nobody writes after that.
    ///
    /// # Errors
    /// What the file system says.
    pub fn end(mut self, reason: Reason, message: impl Into<String>) -> Result<(), LogError> {
        let message = message.into();
        self.say(&Entry::End { reason, message })
    }

    fn board(&mut self, step: usize, scalars: &[(String, f64)]) -> Result<(), LogError> {
        let board = &mut self.board;
        let written = board.scalars(step, scalars);
        written.map_err(|cause| LogError::File {
            path: board.path().to_owned(),
            cause,
        })
    }

    /// Writes one line by one call, so that whoever reads meanwhile sees it whole.
    fn say(&mut self, entry: &Entry) -> Result<(), LogError> {
        let mut line = Vec::with_capacity(256);
        if self.broken {
            line.push(b'\n');
        }
        let written = serde_json::to_writer(&mut line, entry)
            .map_err(io::Error::from)
            .and_then(|()| {
                line.push(b'\n');
                self.file.write_all(&line)
            });
        self.broken = written.is_err();
        written.map_err(|cause| LogError::File {
            path: self.path.clone(),
            cause,
        })
    }
}

/// What is kept of a log that is gone on with from a step.
fn kept(path: &Path, step: usize) -> io::Result<Vec<u8>> {
    let bytes = match fs::read(path) {
        Err(cause) if cause.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        other => other?,
    };
    let stays = |line: &&[u8]| match parse(line) {
        Some(Ok(Entry::End { .. })) => false,
        Some(Ok(entry)) => entry.step().is_none_or(|at| at <= step),
        Some(Err(_)) => line.ends_with(b"\n"),
        None => false,
    };
    let lines = bytes.split_inclusive(|byte| *byte == b'\n');
    let mut kept: Vec<u8> = lines.filter(stays).flatten().copied().collect();
    // The last line may be whole but for its end.
    if kept.last().is_some_and(|byte| *byte != b'\n') {
        kept.push(b'\n');
    }
    Ok(kept)
}

fn lock(path: &Path) -> Result<File, LogError> {
    let refused = |cause| LogError::File {
        path: path.to_owned(),
        cause,
    };
    let file = OpenOptions::new()
        .create(true)
        .truncate(false)
        .write(true)
        .open(path)
        .map_err(refused)?;
    for _ in 0..TRIES {
        match file.try_lock() {
            Ok(()) => return Ok(file),
            Err(TryLockError::WouldBlock) => thread::sleep(BETWEEN),
            // Some network file systems know no locks: it goes on without.
            Err(TryLockError::Error(cause)) if cause.kind() == io::ErrorKind::Unsupported => {
                return Ok(file);
            }
            Err(TryLockError::Error(cause)) => return Err(refused(cause)),
        }
    }
    let folder = path.parent().unwrap_or(path);
    Err(LogError::Taken(folder.to_owned()))
}

/// Whether a training writes into a folder at this moment.
pub fn is_going_on(output: &Path) -> bool {
    let file = File::open(output.join(LOCK));
    file.is_ok_and(|file| matches!(file.try_lock_shared(), Err(TryLockError::WouldBlock)))
}

#[cfg(test)]
mod tests {
    use super::super::{ask_to_stop, is_asked_to_stop, read};
    use super::*;

    fn start() -> Start {
        Start {
            command: "judge".into(),
            model: "starter".into(),
            steps: 9,
            ..Start::default()
        }
    }

    fn step(step: usize) -> Step {
        Step {
            step,
            loss: 1.0 / step as f64,
            ..Step::default()
        }
    }

    fn steps(entries: &[Entry]) -> Vec<usize> {
        let steps = entries.iter().filter_map(|entry| match entry {
            Entry::Step(step) => Some(step.step),
            _ => None,
        });
        steps.collect()
    }

    #[test]
    fn who_goes_on_takes_out_what_came_after_the_checkpoint() {
        let folder = tempfile::tempdir().unwrap();
        let output = folder.path().join("made/here");
        let mut log = TrainingLog::create(&output, start()).unwrap();
        for number in 1..=4 {
            log.step(step(number)).unwrap();
            if number % 2 == 0 {
                log.saved(number).unwrap();
            }
        }
        log.eval(Eval {
            step: 4,
            ..Eval::default()
        })
        .unwrap();
        log.end(Reason::Cancelled, "").unwrap();
        // A kill in the middle of a line, and a line of a later version.
        let path = output.join(FILE);
        let mut text = fs::read_to_string(&path).unwrap();
        text.insert_str(0, "{\"event\":\"weather\"}\n");
        text.push_str("{\"event\":\"st");
        fs::write(&path, text).unwrap();
        let mut log = TrainingLog::resume(&output, start(), 2).unwrap();
        log.step(step(3)).unwrap();
        drop(log);
        let (entries, bad) = read(&path).unwrap();
        assert_eq!(steps(&entries), [1, 2, 3]);
        assert_eq!(bad.len(), 1, "what is not understood is kept: {bad:?}");
        let saved: Vec<&Entry> = entries
            .iter()
            .filter(|e| matches!(e, Entry::Saved { .. }))
            .collect();
        assert_eq!(saved, [&Entry::Saved { step: 2 }]);
        let begun = |e: &&Entry| matches!(e, Entry::Start(start) if start.from == 2);
        assert_eq!(entries.iter().filter(begun).count(), 1);
        let ended = |e: &Entry| matches!(e, Entry::End { .. } | Entry::Eval(_));
        assert!(!entries.iter().any(ended));
        // Begun anew, nothing is left of it.
        drop(TrainingLog::create(&output, start()).unwrap());
        assert_eq!(read(&path).unwrap().0.len(), 1);
    }

    #[test]
    fn a_last_line_that_lacks_its_end_alone_is_kept() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(FILE);
        fs::write(&path, "{\"event\":\"saved\",\"step\":1}").unwrap();
        drop(TrainingLog::resume(folder.path(), start(), 1).unwrap());
        let (entries, bad) = read(&path).unwrap();
        assert_eq!((entries.len(), bad.len()), (2, 0));
        assert_eq!(entries[0], Entry::Saved { step: 1 });
    }

    #[test]
    fn one_folder_is_one_trainings() {
        let folder = tempfile::tempdir().unwrap();
        assert!(!is_going_on(folder.path()));
        let log = TrainingLog::create(folder.path(), start()).unwrap();
        assert!(is_going_on(folder.path()));
        let other = TrainingLog::create(folder.path(), start()).unwrap_err();
        assert!(matches!(other, LogError::Taken(_)));
        assert!(other.to_string().contains("another `output`"), "{other}");
        log.end(Reason::Done, "").unwrap();
        assert!(!is_going_on(folder.path()));
        // Who is too late with a request does not stop the next one.
        ask_to_stop(folder.path()).unwrap();
        drop(TrainingLog::create(folder.path(), start()).unwrap());
        assert!(!is_asked_to_stop(folder.path()));
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn what_refuses_is_named() {
        let said = TrainingLog::create(Path::new("/proc/nowhere"), start()).unwrap_err();
        assert!(said.to_string().contains("/proc/nowhere"), "{said}");
        let folder = tempfile::tempdir().unwrap();
        let mut log = TrainingLog::create(folder.path(), start()).unwrap();
        log.file = OpenOptions::new().write(true).open("/dev/full").unwrap();
        let said = log.saved(1).unwrap_err().to_string();
        assert!(
            said.contains("log.jsonl") && said.contains("make room"),
            "{said}"
        );
        // There is room again: the line that is half there does not swallow the next.
        let path = folder.path().join(FILE);
        log.file = OpenOptions::new().append(true).open(&path).unwrap();
        log.file.write_all(b"{\"event\":\"sav").unwrap();
        log.saved(2).unwrap();
        let (entries, bad) = read(&path).unwrap();
        assert_eq!((entries.len(), bad.len()), (2, 1));
    }
}

//! Reading a log, also while it grows.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::{Entry, FILE, History};

/// Bytes before the place read so far that have to be what they were: a log that is gone on with from a checkpoint is
/// another file of the same name.
const SEAM: usize = 64;

/// A line that is no entry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BadLine {
    /// From 1.
    pub line: usize,
    pub cause: String,
}

/// Reads one line; `None` for an empty one.
pub fn parse(line: &[u8]) -> Option<Result<Entry, String>> {
    let line = line.trim_ascii();
    let entry = (!line.is_empty()).then(|| serde_json::from_slice(line))?;
    Some(entry.map_err(|cause| cause.to_string()))
}

/// Reads a whole log: its entries, and the lines that are none. A last line without an end was being written when the
/// training was killed: it is passed over unless it is whole.
///
/// # Errors
/// What the file system says.
pub fn read(path: &Path) -> io::Result<(Vec<Entry>, Vec<BadLine>)> {
    let bytes = std::fs::read(path)?;
    let (mut entries, mut bad) = (Vec::new(), Vec::new());
    let lines = bytes.split_inclusive(|byte| *byte == b'\n');
    for (place, line) in lines.enumerate() {
        match parse(line) {
            Some(Ok(entry)) => entries.push(entry),
            Some(Err(cause)) if line.ends_with(b"\n") => bad.push(BadLine {
                line: place + 1,
                cause,
            }),
            Some(Err(_)) | None => (),
        }
    }
    Ok((entries, bad))
}

/// Follows the log in an output folder as it grows, reading what is new alone.
#[derive(Debug)]
pub struct Follower {
    path: PathBuf,
    /// Bytes read so far: whole lines.
    offset: u64,
    /// Lines read so far.
    lines: usize,
    /// The bytes before the offset, at most [`SEAM`].
    seam: Vec<u8>,
    history: Arc<History>,
}

impl Follower {
    /// Nothing is read yet.
    pub fn new(output: &Path) -> Self {
        Follower {
            path: output.join(FILE),
            offset: 0,
            lines: 0,
            seam: Vec::new(),
            history: Arc::default(),
        }
    }

    /// All that was read so far.
    pub fn history(&self) -> &Arc<History> {
        &self.history
    }

    /// Reads what is new; whether there was anything. A log that has become another one is read afresh; one that is
    /// gone leaves what was read.
    ///
    /// # Errors
    /// What the file system says; a file that is not there among it.
    pub fn poll(&mut self) -> io::Result<bool> {
        let mut file = File::open(&self.path)?;
        let size = file.metadata()?.len();
        if size == self.offset && !self.has_changed(&mut file)? {
            return Ok(false);
        }
        if self.has_changed(&mut file)? {
            *self = Follower {
                path: std::mem::take(&mut self.path),
                ..Follower::new(Path::new(""))
            };
        }
        file.seek(SeekFrom::Start(self.offset))?;
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes)?;
        // The end of a line that is being written comes with the next look.
        let whole = bytes.iter().rposition(|byte| *byte == b'\n');
        let Some(whole) = whole.map(|last| last + 1) else {
            return Ok(false);
        };
        bytes.truncate(whole);
        let history = Arc::make_mut(&mut self.history);
        for line in bytes.split_inclusive(|byte| *byte == b'\n') {
            self.lines += 1;
            match parse(line) {
                Some(Ok(entry)) => history.add(entry),
                Some(Err(cause)) => history.add_bad(BadLine {
                    line: self.lines,
                    cause,
                }),
                None => (),
            }
        }
        self.offset += whole as u64;
        self.seam.extend(bytes);
        let old = self.seam.len().saturating_sub(SEAM);
        self.seam.drain(..old);
        Ok(true)
    }

    /// Whether what was read is not what stands there now.
    fn has_changed(&self, file: &mut File) -> io::Result<bool> {
        let before = self.offset - self.seam.len() as u64;
        file.seek(SeekFrom::Start(before))?;
        let mut now = vec![0; self.seam.len()];
        match file.read_exact(&mut now) {
            Ok(()) => Ok(now != self.seam),
            Err(cause) if cause.kind() == io::ErrorKind::UnexpectedEof => Ok(true),
            Err(cause) => Err(cause),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs::OpenOptions;
    use std::io::Write;

    use super::super::{Start, Step, TrainingLog};
    use super::*;

    fn step(step: usize, loss: f64) -> Step {
        Step {
            step,
            loss,
            ..Step::default()
        }
    }

    #[test]
    fn a_half_written_last_line_is_passed_over_and_others_are_told() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(FILE);
        let good = "{\"event\":\"saved\",\"step\":1}\n";
        let text =
            format!("{good}\nnonsense\n{{\"event\":\"saved\"}}\n{good}{{\"event\":\"step\",\"st");
        std::fs::write(&path, text).unwrap();
        let (entries, bad) = read(&path).unwrap();
        assert_eq!(entries.len(), 2);
        let lines: Vec<usize> = bad.iter().map(|bad| bad.line).collect();
        assert_eq!(lines, [3, 4]);
        assert!(bad[1].cause.contains("step"), "{bad:?}");
        // What follows it reads the same.
        let mut follower = Follower::new(folder.path());
        assert!(follower.poll().unwrap());
        assert_eq!(follower.history().bad, bad);
        assert_eq!(follower.history().saved, Some(1));
    }

    #[test]
    fn it_is_followed_as_it_grows_and_when_it_becomes_another() {
        let folder = tempfile::tempdir().unwrap();
        let output = folder.path();
        let mut follower = Follower::new(output);
        assert!(follower.poll().is_err(), "not there yet");
        let mut log = TrainingLog::create(output, Start::default()).unwrap();
        assert!(follower.poll().unwrap());
        assert!(!follower.poll().unwrap(), "nothing is new");
        log.step(step(1, 4.0)).unwrap();
        log.step(step(2, 3.0)).unwrap();
        assert!(follower.poll().unwrap());
        let losses = |follower: &Follower| follower.history().loss.points();
        assert_eq!(losses(&follower), [(1.0, 4.0), (2.0, 3.0)]);
        // Half a line, then its other half.
        drop(log);
        let path = output.join(FILE);
        let mut file = OpenOptions::new().append(true).open(&path).unwrap();
        file.write_all(b"{\"event\":\"sav").unwrap();
        assert!(!follower.poll().unwrap());
        file.write_all(b"ed\",\"step\":2}\n").unwrap();
        assert!(follower.poll().unwrap());
        assert_eq!(follower.history().saved, Some(2));
        assert_eq!(follower.history().bad, []);
        // Gone on with from the first step, and soon as long as before.
        let mut log = TrainingLog::resume(output, Start::default(), 1).unwrap();
        for number in 2..6 {
            log.step(step(number, 1.0)).unwrap();
        }
        assert!(follower.poll().unwrap());
        let expected = [(1.0, 4.0), (2.0, 1.0), (3.0, 1.0), (4.0, 1.0), (5.0, 1.0)];
        assert_eq!(losses(&follower), expected);
        // Begun anew with a log just as long as what was read is noticed as well.
        let size = std::fs::metadata(&path).unwrap().len() as usize;
        drop(log);
        let line = "{\"event\":\"saved\",\"step\":7}";
        std::fs::write(&path, format!("{line:<width$}\n", width = size - 1)).unwrap();
        assert!(follower.poll().unwrap());
        assert_eq!(losses(&follower), []);
        assert_eq!(follower.history().saved, Some(7));
    }
}

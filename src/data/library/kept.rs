//! The index of a large file, kept for the next time that it is opened: used again where the files' sizes and times are
//! the same.

use std::fs::{self, File};
use std::io::{self, BufReader, BufWriter, Read, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use flate2::Crc;
use serde::{Deserialize, Serialize};
use serde_json::json;
use sha2::{Digest, Sha256};

use super::{Backing, Facts, Index, Place, stamp};
use crate::data::atomic::AtomicFile;
use crate::data::detect::Shape;
use crate::data::error::RowError;
use crate::data::options::ReadOptions;
use crate::data::subject::SubjectKey;

/// How the index is written; another number is another file.
const FORMAT: u32 = 1;
/// Indices that are kept, the newest ones.
const MOST: usize = 24;
/// With more bad rows than this, they are looked for anew.
const MOST_ERRORS: usize = 10_000;
/// A file that was changed so shortly before may change again without another time.
const SETTLED: Duration = Duration::from_secs(2);
/// Bytes of a place, with the end of its keys.
const PLACE: usize = 24;

/// What stands before the arrays.
#[derive(Serialize, Deserialize)]
struct Head {
    facts: Facts,
    /// File, line, place and message of bad rows.
    errors: Vec<(PathBuf, u64, Option<u64>, String)>,
    renamed: Vec<(usize, String)>,
    places: usize,
    keys: usize,
}

/// Where the records are that are held in memory, with their keys.
#[derive(Debug, Default)]
pub(super) struct Spare {
    places: Vec<Place>,
    ends: Vec<usize>,
    keys: Vec<SubjectKey>,
    renamed: Vec<(usize, String)>,
}

impl Spare {
    /// One more record, and the id that it has here alone.
    pub fn add(&mut self, place: Place, keys: &[SubjectKey], renamed: Option<String>) {
        self.renamed
            .extend(renamed.map(|id| (self.places.len(), id)));
        self.places.push(place);
        self.keys.extend_from_slice(keys);
        self.ends.push(self.keys.len());
    }

    /// With those that are not held behind them: an index of which no record is.
    pub fn whole(mut self, index: &Index) -> Index {
        let held = self.keys.len();
        self.places.extend_from_slice(&index.places);
        self.ends.extend(index.ends.iter().map(|end| held + end));
        self.keys.extend_from_slice(&index.keys);
        let renamed = index.renamed.iter().map(|(at, id)| (*at, id.clone()));
        Index {
            places: self.places,
            ends: self.ends,
            keys: self.keys,
            renamed: self.renamed.into_iter().chain(renamed).collect(),
            ..Index::default()
        }
    }
}

/// Where the index of some files is kept.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Kept {
    path: PathBuf,
    files: Vec<PathBuf>,
    options: ReadOptions,
}

impl Kept {
    /// In a folder, for files as they are now; `None` where that cannot be told apart from what they will be.
    pub fn of(folder: &Path, files: &[PathBuf], options: &ReadOptions) -> Option<Self> {
        let mut known = Vec::with_capacity(files.len());
        for file in files {
            let (size, changed) = stamp(file)?;
            let changed = changed?;
            if changed > SystemTime::now().checked_sub(SETTLED)? {
                return None;
            }
            let changed = changed.duration_since(UNIX_EPOCH).ok()?.as_nanos();
            let path = fs::canonicalize(file).ok()?;
            known.push(json!([path.to_string_lossy(), size, changed.to_string()]));
        }
        let version = env!("CARGO_PKG_VERSION");
        let options_text = format!("{options:?}");
        let identity = json!([FORMAT, version, options_text, known]).to_string();
        let digest = Sha256::digest(identity);
        let name: String = digest.iter().take(16).map(|b| format!("{b:02x}")).collect();
        Some(Kept {
            path: folder.join(format!("{name}.index")),
            files: files.to_vec(),
            options: options.clone(),
        })
    }

    /// The index, with what is known of the records and which rows are bad; `None` where there is none that is whole.
    pub fn load(&self) -> Option<(Index, Facts, Vec<RowError>)> {
        let found = read(&self.path).ok()?;
        // Which were used lately shows in their times.
        let _ = File::open(&self.path).and_then(|file| file.set_modified(SystemTime::now()));
        let (head, mut index) = found;
        index.files = self
            .files
            .iter()
            .map(|path| Backing {
                path: path.clone(),
                options: self.options.clone(),
                stamp: stamp(path),
                _copy: None,
            })
            .collect();
        let is_within = |place: &Place| usize::from(place.file) < index.files.len();
        if !index.places.iter().all(is_within) {
            return None;
        }
        let errors = head.errors.into_iter();
        let errors = errors.map(|(file, line, element, message)| RowError {
            file,
            line,
            element,
            message,
        });
        Some((index, head.facts, errors.collect()))
    }

    /// Keeps the index of what was read; older ones make room.
    ///
    /// # Errors
    /// What the file system says.
    pub fn save(&self, index: &Index, facts: &Facts, errors: &[RowError]) -> io::Result<()> {
        if errors.len() > MOST_ERRORS {
            return Ok(());
        }
        if let Some(folder) = self.path.parent() {
            fs::create_dir_all(folder)?;
            make_room(folder)?;
        }
        let head = Head {
            facts: facts.clone(),
            errors: errors
                .iter()
                .map(|e| (e.file.clone(), e.line, e.element, e.message.clone()))
                .collect(),
            renamed: index
                .renamed
                .iter()
                .map(|(at, id)| (*at, id.clone()))
                .collect(),
            places: index.places.len(),
            keys: index.keys.len(),
        };
        let head = serde_json::to_vec(&head)?;
        let file = Checked {
            inner: AtomicFile::create(&self.path)?,
            crc: Crc::new(),
        };
        let mut out = BufWriter::with_capacity(1 << 20, file);
        out.write_all(&(head.len() as u64).to_le_bytes())?;
        out.write_all(&head)?;
        for (place, end) in index.places.iter().zip(&index.ends) {
            out.write_all(&place.start.to_le_bytes())?;
            out.write_all(&place.row.to_le_bytes())?;
            out.write_all(&place.file.to_le_bytes())?;
            out.write_all(&[place.shape as u8, 0])?;
            out.write_all(&(*end as u64).to_le_bytes())?;
        }
        for key in &index.keys {
            out.write_all(&key.0.to_le_bytes())?;
        }
        let Checked { mut inner, crc } =
            out.into_inner().map_err(io::IntoInnerError::into_error)?;
        inner.write_all(&crc.sum().to_le_bytes())?;
        inner.finish()
    }
}

/// Removes the oldest indices, so that there is room for one more.
fn make_room(folder: &Path) -> io::Result<()> {
    let mut all: Vec<(SystemTime, PathBuf)> = Vec::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.extension().is_some_and(|end| end == "index") {
            let changed = fs::metadata(&path).and_then(|meta| meta.modified());
            all.push((changed.unwrap_or(UNIX_EPOCH), path));
        }
    }
    all.sort();
    let many = (all.len() + 1).saturating_sub(MOST);
    for (_, path) in all.iter().take(many) {
        // Another Juror may have been faster.
        let _ = fs::remove_file(path);
    }
    Ok(())
}

/// Sums up what passes through.
struct Checked<T> {
    inner: T,
    crc: Crc,
}

impl<W: Write> Write for Checked<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.inner.write(bytes)?;
        self.crc.update(&bytes[..written]);
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}

impl<R: Read> Read for Checked<R> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let read = self.inner.read(into)?;
        self.crc.update(&into[..read]);
        Ok(read)
    }
}

fn read(path: &Path) -> io::Result<(Head, Index)> {
    let wrong = || io::Error::from(io::ErrorKind::InvalidData);
    let mut file = File::open(path)?;
    let size = file.metadata()?.len();
    let whole = Checked {
        inner: (&mut file).take(size.saturating_sub(4)),
        crc: Crc::new(),
    };
    let mut source = BufReader::with_capacity(1 << 20, whole);
    let mut eight = [0; 8];
    source.read_exact(&mut eight)?;
    let length = u64::from_le_bytes(eight);
    if length > size {
        return Err(wrong());
    }
    let mut head = vec![0; length as usize];
    source.read_exact(&mut head)?;
    let head: Head = serde_json::from_slice(&head)?;
    let arrays = (head.places as u64).checked_mul(PLACE as u64);
    let arrays = arrays.zip((head.keys as u64).checked_mul(16));
    let whole =
        arrays.and_then(|(places, keys)| places.checked_add(keys)?.checked_add(12 + length));
    if whole != Some(size) {
        return Err(wrong());
    }
    let mut index = Index {
        places: Vec::with_capacity(head.places),
        ends: Vec::with_capacity(head.places),
        keys: Vec::with_capacity(head.keys),
        renamed: head.renamed.iter().cloned().collect(),
        ..Index::default()
    };
    let mut before = 0;
    for _ in 0..head.places {
        let mut bytes = [0; PLACE];
        source.read_exact(&mut bytes)?;
        let (place, end) = place_of(&bytes).ok_or_else(wrong)?;
        if end < before || end > head.keys {
            return Err(wrong());
        }
        before = end;
        index.places.push(place);
        index.ends.push(end);
    }
    for _ in 0..head.keys {
        let mut bytes = [0; 16];
        source.read_exact(&mut bytes)?;
        index.keys.push(SubjectKey(u128::from_le_bytes(bytes)));
    }
    let Checked { crc, .. } = source.into_inner();
    let sum = crc.sum();
    let mut four = [0; 4];
    file.read_exact(&mut four)?;
    match u32::from_le_bytes(four) == sum {
        true => Ok((head, index)),
        false => Err(wrong()),
    }
}

fn place_of(bytes: &[u8; PLACE]) -> Option<(Place, usize)> {
    let part = |from: usize, to: usize| bytes.get(from..to);
    let place = Place {
        start: u64::from_le_bytes(part(0, 8)?.try_into().ok()?),
        row: u32::from_le_bytes(part(8, 12)?.try_into().ok()?),
        file: u16::from_le_bytes(part(12, 14)?.try_into().ok()?),
        shape: *Shape::ALL.get(usize::from(bytes[14]))?,
    };
    let end = u64::from_le_bytes(part(16, 24)?.try_into().ok()?);
    Some((place, usize::try_from(end).ok()?))
}

//! Records that cannot be read again where they are: what is not held of them is copied.

use std::io::{BufWriter, Write};
use std::path::Path;

use tempfile::NamedTempFile;

use super::Place;
use super::build::{Filling, io};
use crate::data::detect::Shape;
use crate::data::error::DataError;
use crate::data::options::ReadOptions;
use crate::data::read::{Found, Records};
use crate::data::subject::SubjectKey;
use crate::data::write;

impl Filling<'_> {
    /// Records that are copied where they are not held.
    pub(super) fn copied(
        &mut self,
        path: &Path,
        first: Option<Found>,
        mut records: Records,
    ) -> Result<(), DataError> {
        self.spare = None;
        let mut copy: Option<Copy> = None;
        let mut next = first.map(Ok);
        loop {
            let Some(row) = next.take().or_else(|| records.next_shaped()) else {
                break;
            };
            if let Some(found) = self.good(row)? {
                self.another(path, &mut copy, found)?;
                self.tell_of_part(&mut copy).map_err(|e| io(path, e))?;
            }
        }
        match copy {
            Some(mut copy) => copy.out.flush().map_err(|e| io(path, e)),
            None => Ok(()),
        }
    }

    /// One of these.
    fn another(
        &mut self,
        path: &Path,
        copy: &mut Option<Copy>,
        mut found: Found,
    ) -> Result<(), DataError> {
        let renamed = self.ids.make_unique(&mut found.record.id);
        if self.holds(&found) {
            self.hold(found.record);
            return Ok(());
        }
        let mut open = match copy.take() {
            Some(open) => open,
            None => self.copy(path)?,
        };
        self.keep_labels(open.file, &found);
        let place = open.add(&found).map_err(|e| io(path, e))?;
        *copy = Some(open);
        let keys = SubjectKey::of_all(&found.record);
        self.place(place, keys, renamed.then_some(found.record.id));
        Ok(())
    }

    /// A temporary file for records that cannot be read again where they are.
    fn copy(&self, path: &Path) -> Result<Copy, DataError> {
        let file = NamedTempFile::new().map_err(|e| io(path, e))?;
        let out = BufWriter::new(file.reopen().map_err(|e| io(path, e))?);
        let options = ReadOptions {
            labels: self.options.labels.clone(),
            ..ReadOptions::default()
        };
        let number = self.backing(file.path().to_path_buf(), options, Some(file))?;
        Ok(Copy {
            out,
            at: 0,
            file: number,
        })
    }

    /// What was a label is one when it is read again.
    fn keep_labels(&self, file: u16, found: &Found) {
        let names = found.record.responses.iter().flat_map(|r| r.labels.keys());
        let mut index = self.library.write();
        if let Some(backing) = index.files.get_mut(usize::from(file)) {
            for name in names {
                if !backing.options.labels.contains(name) {
                    backing.options.labels.push(name.clone());
                }
            }
        }
    }
}

/// Records in Juror's own format, one a line.
pub(super) struct Copy {
    pub(super) out: BufWriter<std::fs::File>,
    at: u64,
    file: u16,
}

impl Copy {
    fn add(&mut self, found: &Found) -> std::io::Result<Place> {
        let mut line = serde_json::to_vec(&write::to_json(&found.record))?;
        line.push(b'\n');
        self.out.write_all(&line)?;
        let place = Place {
            start: self.at,
            row: 0,
            file: self.file,
            shape: Shape::Responses,
        };
        self.at += line.len() as u64;
        Ok(place)
    }
}

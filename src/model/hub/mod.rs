//! Models by name from the Hugging Face hub, through the cache that its own libraries use.
//!
//! A client of our own on `ureq` rather than the `hf-hub` crate: blocking, with 17 crates in place
//! of an asynchronous stack, and with what a model of gigabytes needs: continued transfers, checked
//! contents and errors with a cure.

mod cache;
mod choose;
mod client;
mod fetch;
mod name;
mod settings;
mod trouble;

use std::path::PathBuf;

pub use cache::{Cached, cached, size};
pub use choose::Want;
pub use name::Name;
pub use settings::{Settings, Token};

use super::Result;
use cache::Repository;
use client::{Client, Listing};
use fetch::{Wanted, fetch};
use trouble::Trouble;

/// How far fetching is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress<'a> {
    /// The file that is being fetched.
    pub file: &'a str,
    /// Bytes of all files that are there, those from before included.
    pub done: u64,
    pub total: u64,
}

/// The hub and its cache.
#[derive(Clone, Debug)]
pub struct Hub {
    settings: Settings,
}

impl Hub {
    pub fn new(settings: Settings) -> Self {
        Hub { settings }
    }

    /// As the environment has it.
    pub fn from_env() -> Self {
        Self::new(Settings::from_env())
    }

    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// The folder of a model or adapter, or its GGUF file: from the cache where all of it is
    /// there, so that scores stay the same and no network is needed, otherwise from the hub.
    ///
    /// # Errors
    /// Whatever keeps it from being fetched, with a cure.
    pub fn get(
        &self,
        name: &Name,
        want: Want,
        progress: &mut dyn FnMut(Progress<'_>),
    ) -> Result<PathBuf> {
        if let Some(found) = self.find(name, want, true) {
            return Ok(found);
        }
        match self.fetched(name, want, progress) {
            Ok(path) => Ok(path),
            // What is there may do, even if nobody can say that nothing is missing.
            Err(trouble) if trouble.unreachable => {
                let found = self.find(name, want, false);
                found.ok_or_else(|| trouble.of(name))
            }
            Err(trouble) => Err(trouble.of(name)),
        }
    }

    /// What [`Hub::get`] finds without a network.
    pub fn in_cache(&self, name: &Name, want: Want) -> Option<PathBuf> {
        self.find(name, want, false)
    }

    /// Fetches what the revision stands for now.
    ///
    /// # Errors
    /// Whatever keeps it from being fetched, with a cure.
    pub fn pull(
        &self,
        name: &Name,
        want: Want,
        progress: &mut dyn FnMut(Progress<'_>),
    ) -> Result<PathBuf> {
        let fetched = self.fetched(name, want, progress);
        fetched.map_err(|trouble| trouble.of(name))
    }

    fn find(&self, name: &Name, want: Want, surely: bool) -> Option<PathBuf> {
        let repository = Repository::new(&self.settings.cache, name);
        let commit = repository.commit(&name.revision)?;
        let file = name.file.as_deref();
        repository
            .is_complete(&commit, want, file, surely)
            .then(|| place(&repository, &commit, name))
    }

    fn fetched(
        &self,
        name: &Name,
        want: Want,
        progress: &mut dyn FnMut(Progress<'_>),
    ) -> std::result::Result<PathBuf, Trouble> {
        if self.settings.offline {
            return Err(Trouble {
                unreachable: true,
                ..Trouble::new(
                    format!(
                        "it is not (or not wholly) in {}, and HF_HUB_OFFLINE forbids to fetch it",
                        self.settings.cache.display()
                    ),
                    format!(
                        "unset HF_HUB_OFFLINE, or run `juror model pull {name}` where there is a network and copy that folder"
                    ),
                )
            });
        }
        let client = Client::new(&self.settings)?;
        let repository = Repository::new(&self.settings.cache, name);
        let listing = client.list(name)?;
        let commit = listing.commit.as_str();
        let mut job = Job {
            client: &client,
            repository: &repository,
            name,
            listing: &listing,
            before: 0,
        };
        if let Some(file) = &name.file {
            choose::gguf(&listing.files, file)?;
            job.files(std::slice::from_ref(file), progress)?;
        } else {
            let small = choose::small(&listing.files, want)?;
            job.files(&small, progress)?;
            let index = match small.iter().any(|f| f == choose::INDEX) {
                false => None,
                true => {
                    let path = repository.snapshot(commit).join(choose::INDEX);
                    Some(std::fs::read_to_string(&path).map_err(|e| Trouble::file(&path, &e))?)
                }
            };
            let large = choose::large(&listing.files, want, index.as_deref())?;
            job.files(&large, progress)?;
            let absent = choose::SHAPING
                .iter()
                .filter(|n| !listing.files.iter().any(|f| f == *n));
            for file in absent.filter(|_| want == Want::Model) {
                (repository.note_absent(commit, file))
                    .map_err(|e| Trouble::file(&repository.folder, &e))?;
            }
        }
        // Last, so that a revision never stands for a commit of which files are missing.
        (repository.set_commit(&name.revision, commit))
            .map_err(|e| Trouble::file(&repository.folder, &e))?;
        Ok(place(&repository, commit, name))
    }
}

/// What a caller opens.
fn place(repository: &Repository, commit: &str, name: &Name) -> PathBuf {
    let snapshot = repository.snapshot(commit);
    match &name.file {
        Some(file) => snapshot.join(file),
        None => snapshot,
    }
}

struct Job<'a> {
    client: &'a Client,
    repository: &'a Repository,
    name: &'a Name,
    listing: &'a Listing,
    /// Bytes of the files that are done.
    before: u64,
}

impl Job<'_> {
    /// Fetches those files that are not there.
    fn files(
        &mut self,
        files: &[String],
        progress: &mut dyn FnMut(Progress<'_>),
    ) -> std::result::Result<(), Trouble> {
        let (commit, mut missing) = (self.listing.commit.as_str(), Vec::new());
        for file in files {
            match std::fs::metadata(self.repository.snapshot(commit).join(file)) {
                Ok(there) => self.before += there.len(),
                Err(_) => missing.push((file, self.client.metadata(self.name, commit, file)?)),
            }
        }
        let total = self.before + missing.iter().map(|(_, m)| m.size).sum::<u64>();
        for (file, metadata) in &missing {
            let wanted = Wanted {
                name: self.name,
                commit,
                file,
                metadata,
            };
            let before = self.before;
            fetch(self.client, self.repository, &wanted, &mut |done| {
                progress(Progress {
                    file,
                    done: before + done,
                    total,
                });
            })?;
            self.before += metadata.size;
        }
        Ok(())
    }
}

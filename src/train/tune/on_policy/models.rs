//! The two models of on-policy training: as it was before, and as it is now.

use std::fs;
use std::path::PathBuf;

use anyhow::{Context, Result};

use crate::engine::{Engine, Options};
use crate::kernel::Format;
use crate::train::tune::files::{ADAPTER, write_model};
use crate::train::tune::net::Net;

/// Bytes of keys and values that an engine keeps: prompts differ but in how they begin.
const CACHE: usize = 64 << 20;

/// Engines are loaded where they are first needed.
pub struct Models {
    /// The model without the adapter that is trained, as it was named, and its folder.
    pub base: (String, PathBuf),
    /// Takes the adapter while an engine reads it.
    pub folder: PathBuf,
    /// What both compute in: what the training does.
    pub format: Format,
    pub threads: usize,
    judge: Option<Engine>,
    /// With the steps that its adapter had taken.
    policy: Option<(usize, Engine)>,
}

impl Models {
    /// Nothing is loaded yet.
    pub fn new(base: (String, PathBuf), folder: PathBuf, format: Format, threads: usize) -> Self {
        Models {
            base,
            folder,
            format,
            threads,
            judge: None,
            policy: None,
        }
    }

    /// Bytes of memory that both take, where the weights of one take so many.
    pub fn bytes(weights: usize) -> usize {
        2 * (weights + CACHE)
    }

    /// The model without the adapter; it is loaded once.
    ///
    /// # Errors
    /// What keeps it from being loaded.
    pub fn judge(&mut self) -> Result<Engine> {
        let engine = match self.judge.take() {
            Some(engine) => engine,
            None => self.load(&self.base.0).context("the judge")?,
        };
        self.judge = Some(engine.clone());
        Ok(engine)
    }

    /// The model with the adapter of `net`, after `taken` steps; the one of other steps goes.
    ///
    /// # Errors
    /// A folder that cannot be written to; what keeps the model from being loaded.
    pub fn policy(&mut self, net: &Net, taken: usize) -> Result<Engine> {
        if let Some((known, engine)) = &self.policy
            && *known == taken
        {
            return Ok(engine.clone());
        }
        // There is no need for room for both.
        self.policy = None;
        let (base, path) = &self.base;
        write_model(net, base, path, &self.folder).context("the policy")?;
        let name = format!("{base}+{}", self.folder.display());
        let engine = self.load(&name).context("the policy")?;
        // It has been read; what is trained is kept by checkpoints. Whatever else is there is not ours.
        for file in ADAPTER {
            let _ = fs::remove_file(self.folder.join(file));
        }
        let _ = fs::remove_dir(&self.folder);
        self.policy = Some((taken, engine.clone()));
        Ok(engine)
    }

    fn load(&self, name: &str) -> Result<Engine> {
        let options = Options {
            judge: name.to_owned(),
            device: "cpu".into(),
            dtype: Some(self.format),
            threads: Some(self.threads),
            cache_bytes: CACHE,
            ..Options::default()
        };
        Ok(Engine::load(options, |_, _, _| ())?.0)
    }
}

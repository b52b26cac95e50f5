//! Scores from earlier runs, looked up before anything is computed and kept as they come.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::data::SubjectKey;
use crate::judge::Judge;
use crate::store::Store;
use crate::store::scores::Maker;

/// Changes whenever the same models, templates and texts would come to other numbers.
const SCORING: &str = "1";
/// So many scores are written at once.
const AT_ONCE: usize = 256;
/// None waits longer than until the next one after this time.
const SOON: Duration = Duration::from_secs(2);

/// The scores of one judge in the store.
pub struct KeptScores {
    path: PathBuf,
    /// Opened at the first score; `None` where it cannot be: then everything is computed.
    store: Option<Option<Store>>,
    maker: Option<Maker>,
    waiting: Vec<(SubjectKey, String)>,
    /// When something was written last.
    written: Instant,
}

impl KeptScores {
    /// In a database.
    pub fn new(path: PathBuf) -> Self {
        KeptScores {
            path,
            store: None,
            maker: None,
            waiting: Vec::new(),
            written: Instant::now(),
        }
    }

    /// Scores are by this judge from now on; `what` says what is kept of them.
    pub fn made_by(&mut self, judge: &Judge, what: &str) {
        self.write();
        let (identity, source) = (judge.identity(), judge.source());
        let parts = [
            SCORING,
            what,
            &identity,
            &source.embedder,
            &source.fusion,
            &judge.cast().policy.hash,
            &judge.cast().numbers,
            &judge.reading(),
        ];
        self.maker = Some(Maker::of(&parts));
    }

    fn store(&mut self) -> Option<&mut Store> {
        let path = &self.path;
        let store = self.store.get_or_insert_with(|| Store::at(path).ok());
        store.as_mut()
    }

    /// What is known of these texts. What another version wrote in another way is not.
    pub fn find<T: DeserializeOwned>(&mut self, key: SubjectKey) -> Option<T> {
        let maker = self.maker?;
        let text = self.store()?.score(maker, key).ok()??;
        serde_json::from_str(&text).ok()
    }

    /// Keeps what is known of these texts.
    pub fn keep<T: Serialize>(&mut self, key: SubjectKey, score: &T) {
        let Ok(text) = serde_json::to_string(score) else {
            return;
        };
        self.waiting.push((key, text));
        if self.waiting.len() >= AT_ONCE || self.written.elapsed() > SOON {
            self.write();
        }
    }

    /// Puts what waits on disk. A cache that cannot be written costs time, never a result.
    pub fn write(&mut self) {
        self.written = Instant::now();
        let waiting = std::mem::take(&mut self.waiting);
        if let (Some(maker), false) = (self.maker, waiting.is_empty())
            && let Some(store) = self.store()
        {
            let _ = store.keep_scores(maker, &waiting);
        }
    }
}

impl Drop for KeptScores {
    fn drop(&mut self) {
        self.write();
    }
}

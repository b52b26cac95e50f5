//! Why the hub did not give what was asked, before it is known for which name.

use std::path::Path;
use std::time::Duration;

use super::name::Name;
use crate::model::ModelError;

#[derive(Debug)]
pub(super) struct Trouble {
    pub cause: String,
    pub cure: String,
    /// The hub could not be asked, which what is in the cache may make up for.
    pub unreachable: bool,
}

/// What became of one attempt.
pub(super) type Step<T> = Result<T, Again>;

/// Whether another attempt can help, and when.
pub(super) enum Again {
    Never(Trouble),
    After(Trouble, Option<Duration>),
}

impl Trouble {
    pub fn new(cause: impl Into<String>, cure: impl Into<String>) -> Self {
        Trouble {
            cause: cause.into(),
            cure: cure.into(),
            unreachable: false,
        }
    }

    /// The file system refused.
    pub fn file(path: &Path, error: &std::io::Error) -> Self {
        Self::new(
            format!("{}: {error}", path.display()),
            "check space and permissions there, or set HF_HUB_CACHE to another folder",
        )
    }

    pub fn of(self, name: &Name) -> ModelError {
        ModelError::Spec {
            spec: name.to_string(),
            cause: self.cause,
            cure: self.cure,
        }
    }
}

//! Why a server gave no answer.

use std::time::Duration;

/// What a caller can do about it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Trouble {
    /// This request alone cannot be answered.
    #[error("{0}")]
    Request(String),
    /// The server is busy or out of reach, and stayed so over all attempts.
    #[error("{0}")]
    Passing(String),
    /// No request can be answered.
    #[error("{0}")]
    Server(String),
}

/// What became of one attempt.
pub(super) type Step<T> = Result<T, Again>;

/// Whether another attempt can help, and when.
#[derive(Debug)]
pub(super) enum Again {
    Never(Trouble),
    /// After what the server asks for, or a while.
    After {
        cause: String,
        wait: Option<Duration>,
        /// The server says that it has too much to do.
        is_busy: bool,
        /// It was reached: something is wrong with what it was asked, or with itself.
        is_reached: bool,
    },
}

impl Again {
    /// After a while.
    pub fn later(cause: String) -> Self {
        Again::After {
            cause,
            wait: None,
            is_busy: false,
            is_reached: false,
        }
    }
}

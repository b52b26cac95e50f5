//! What servers were asked for in all.

use std::sync::{Mutex, PoisonError};

use serde::Serialize;

use super::reply::Counted;

/// Requests and tokens of a run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Usage {
    /// Answered ones.
    pub requests: u64,
    /// Attempts that had to be made again.
    pub retries: u64,
    pub prompt_tokens: u64,
    pub written_tokens: u64,
    /// Whether some of the tokens are our estimate: not all servers count.
    pub estimated: bool,
}

impl Usage {
    /// Of two runs together.
    #[must_use]
    pub fn and(self, other: Usage) -> Usage {
        Usage {
            requests: self.requests + other.requests,
            retries: self.retries + other.retries,
            prompt_tokens: self.prompt_tokens + other.prompt_tokens,
            written_tokens: self.written_tokens + other.written_tokens,
            estimated: self.estimated || other.estimated,
        }
    }

    /// Read and written.
    pub fn tokens(&self) -> u64 {
        self.prompt_tokens + self.written_tokens
    }
}

/// Counts, and says when it is enough.
pub(super) struct Meter {
    cap: Option<u64>,
    usage: Mutex<Usage>,
}

/// Characters that a token has, about.
const CHARACTERS: usize = 4;

impl Meter {
    pub fn new(cap: Option<u64>) -> Self {
        Meter {
            cap,
            usage: Mutex::default(),
        }
    }

    fn with<T>(&self, act: impl FnOnce(&mut Usage) -> T) -> T {
        act(&mut self.usage.lock().unwrap_or_else(PoisonError::into_inner))
    }

    pub fn usage(&self) -> Usage {
        self.with(|usage| *usage)
    }

    /// Why no more may be asked.
    pub fn refusal(&self) -> Option<String> {
        let cap = self.cap?;
        let spent = self.usage().tokens();
        (spent >= cap).then(|| {
            format!(
                "not asked: the servers have taken {spent} tokens, --max-server-tokens allows {cap}"
            )
        })
    }

    pub fn repeated(&self) {
        self.with(|usage| usage.retries += 1);
    }

    /// Counts an answer; gives back the tokens of its prompt, estimated by its characters where the server does not say.
    pub fn answered(&self, counted: Counted, characters: usize) -> usize {
        let prompt = counted.prompt.unwrap_or(characters.div_ceil(CHARACTERS));
        self.with(|usage| {
            usage.requests += 1;
            usage.prompt_tokens += prompt as u64;
            usage.written_tokens += counted.written.unwrap_or(0) as u64;
            usage.estimated |= counted.prompt.is_none();
        });
        prompt
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_asked_beyond_the_cap() {
        let meter = Meter::new(Some(10));
        assert_eq!(meter.refusal(), None);
        let counted = Counted {
            prompt: Some(9),
            written: Some(1),
        };
        assert_eq!(meter.answered(counted, 99), 9);
        assert!(meter.refusal().unwrap().contains("--max-server-tokens"));
        assert!(!meter.usage().estimated);
        assert_eq!(Meter::new(None).answered(Counted::default(), 9), 3);
    }
}

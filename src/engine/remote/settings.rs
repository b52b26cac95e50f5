//! How servers are asked.

use std::time::Duration;

use super::Key;

/// Longest wait that a server may ask for, and longest of our own.
pub(super) const PATIENCE: Duration = Duration::from_secs(120);
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

/// How a server is asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    pub key: Option<Key>,
    /// Requests at a time.
    pub concurrency: usize,
    /// Further attempts where one fails for now.
    pub retries: u32,
    /// Before the first further attempt; then twice as long each time.
    pub pause: Duration,
    /// For one answer as a whole.
    pub timeout: Duration,
    /// Tokens, read and written, from which on nothing more is asked.
    pub cap: Option<u64>,
}

impl Default for Settings {
    fn default() -> Self {
        Settings {
            key: None,
            concurrency: 8,
            retries: 6,
            pause: Duration::from_millis(500),
            timeout: Duration::from_secs(600),
            cap: None,
        }
    }
}

impl Settings {
    /// Twice as long each time, less up to a half, so that those who failed together do not come back together.
    pub(super) fn pause(&self, failures: u32) -> Duration {
        let whole = self.pause * 2u32.saturating_pow(failures.min(10));
        whole
            .min(LONGEST_PAUSE)
            .mul_f64(0.5 + 0.5 * rand::random::<f64>())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_and_differ() {
        let settings = Settings::default();
        for failures in 0..20 {
            let whole = Duration::from_millis(500 << failures.min(10)).min(LONGEST_PAUSE);
            let pause = settings.pause(failures);
            assert!(
                pause >= whole / 2 && pause <= whole,
                "{failures}: {pause:?}"
            );
        }
    }

    #[test]
    fn a_key_is_never_shown() {
        let settings = Settings {
            key: Some(Key::of_test("secret")),
            ..Settings::default()
        };
        assert!(!format!("{settings:?}").contains("secret"));
    }
}

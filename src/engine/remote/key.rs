//! The secret that a server wants.

use std::fmt;

/// A secret: it is sent, never shown.
#[derive(Clone, PartialEq, Eq)]
pub struct Key(String);

impl Key {
    /// What stands in an environment variable, if anything does.
    ///
    /// # Errors
    /// Characters that cannot be sent; the key itself is not told.
    pub fn of_environment(name: &str) -> Result<Option<Self>, String> {
        let text = std::env::var(name).unwrap_or_default().trim().to_owned();
        match text.bytes().all(|b| b.is_ascii_graphic()) {
            true if text.is_empty() => Ok(None),
            true => Ok(Some(Key(text))),
            false => Err(format!("{name} holds characters that no key has")),
        }
    }

    /// The header's value.
    pub(super) fn bearer(&self) -> String {
        format!("Bearer {}", self.0)
    }

    /// What a server says may repeat the key.
    pub(super) fn hidden_in(&self, said: &str) -> String {
        said.replace(self.0.as_str(), "…")
    }

    #[cfg(test)]
    pub(super) fn of_test(text: &str) -> Self {
        Key(text.to_owned())
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Key(…)")
    }
}

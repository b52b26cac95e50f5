//! The secret that a server wants.

use std::fmt;
use std::process::{Command, Stdio};

/// A secret: it is sent, never shown.
#[derive(Clone, PartialEq, Eq)]
pub struct Key(String);

impl Key {
    /// What stands in an environment variable, if anything does.
    ///
    /// # Errors
    /// Characters that cannot be sent; the key itself is not told.
    pub fn of_environment(name: &str) -> Result<Option<Self>, String> {
        let text = std::env::var(name).unwrap_or_default();
        match Self::of_text(&text) {
            Some(Key(text)) if text.is_empty() => Ok(None),
            Some(key) => Ok(Some(key)),
            None => Err(format!("{name} holds characters that no key has")),
        }
    }

    /// What a command prints on its first line; it may ask the person at the terminal.
    ///
    /// # Errors
    /// A command that cannot be run, fails or prints no key; what it printed is not told.
    pub fn of_command(command: &str) -> Result<Self, String> {
        let (shell, flag) = match cfg!(windows) {
            true => ("cmd", "/C"),
            false => ("sh", "-c"),
        };
        let run = Command::new(shell)
            .args([flag, command])
            .stdin(Stdio::inherit())
            .stderr(Stdio::inherit())
            .output();
        let output = run.map_err(|cause| format!("{shell} cannot be run ({cause})"))?;
        if !output.status.success() {
            return Err(format!("the command ended with {}", output.status));
        }
        let text = String::from_utf8_lossy(&output.stdout);
        match Self::of_text(text.lines().next().unwrap_or_default()) {
            Some(Key(text)) if text.is_empty() => Err("the command printed nothing".to_owned()),
            Some(key) => Ok(key),
            None => Err("the command printed characters that no key has".to_owned()),
        }
    }

    fn of_text(text: &str) -> Option<Self> {
        let text = text.trim();
        let is_one = text.bytes().all(|b| b.is_ascii_graphic());
        is_one.then(|| Key(text.to_owned()))
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

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    #[test]
    fn a_command_prints_the_key() {
        let key = Key::of_command("printf 'sk-1\\nlogin: me\\n'").unwrap();
        assert_eq!(key.bearer(), "Bearer sk-1");
        for (command, cause) in [
            ("exit 3", "exit status: 3"),
            ("true", "nothing"),
            ("printf 'sk secret'", "no key has"),
            ("no-such-command-of-ours 2>/dev/null", "127"),
        ] {
            let error = Key::of_command(command).unwrap_err();
            assert!(
                error.contains(cause) && !error.contains("secret"),
                "{error}"
            );
        }
    }
}

//! Themes whose files are saved while the explorer runs.

use std::path::Path;
use std::thread;
use std::time::Duration;

use super::look::Wardrobe;
use super::message::Message;
use super::theme::folder::fingerprint;
use super::theme::{ThemeError, ThemeSet};

/// How often files are looked at. A look at each file's date is cheap, works on every file
/// system, and a second is soon enough for the eye.
const EVERY: Duration = Duration::from_millis(500);
/// A file is read when nothing was written for so long.
const QUIET: Duration = Duration::from_millis(50);

/// Watches the theme folder, if there is one, on a thread of its own; `tell` answers whether
/// anybody listens.
pub fn themes(
    mut wardrobe: Wardrobe,
    mut themes: ThemeSet,
    tell: impl Fn(Message) -> bool + Send + 'static,
) {
    let Some(folder) = wardrobe.folder.clone() else {
        return;
    };
    thread::spawn(move || {
        loop {
            thread::sleep(EVERY);
            if fingerprint(&folder) == wardrobe.seen {
                continue;
            }
            settle(&folder);
            let errors = match wardrobe.read(&themes) {
                Ok((read, errors)) => {
                    themes = read;
                    errors.iter().map(ThemeError::to_string).collect()
                }
                Err(error) => vec![format!("{}: {error}", folder.display())],
            };
            let message = Message::Themes {
                themes: Box::new(themes.clone()),
                errors,
            };
            if !tell(message) {
                return;
            }
        }
    });
}

/// Waits until nobody is in the middle of writing.
fn settle(folder: &Path) {
    let mut last = fingerprint(folder);
    loop {
        thread::sleep(QUIET);
        let now = fingerprint(folder);
        if now == last {
            return;
        }
        last = now;
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::channel;

    use super::*;
    use crate::tui::look::Look;
    use crate::tui::theme::Depth;

    #[test]
    fn what_is_saved_is_told_and_what_is_broken_stays_as_it_was() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("mine.toml");
        std::fs::write(&file, "inherits = 'dark'\n'ui.text' = 'red'").unwrap();
        let look = Look::new(Some("mine"), Some(folder.path()), Some(Depth::Full)).unwrap();
        let before = look.themes.get("mine").cloned();
        let (sender, told) = channel();
        themes(look.wardrobe, look.themes, move |message| {
            sender.send(message).is_ok()
        });
        let next = || match told.recv_timeout(Duration::from_secs(20)) {
            Ok(Message::Themes { themes, errors }) => (themes, errors),
            other => panic!("{other:?}"),
        };
        let other = folder.path().join("other.toml");
        std::fs::write(&other, "= =").unwrap();
        std::fs::write(&file, "= =").unwrap();
        let (mut broken, mut errors) = next();
        if errors.len() == 1 {
            // It was looked at between the two.
            (broken, errors) = next();
        }
        assert!(errors[0].contains("mine") && errors[1].contains("other"));
        std::fs::remove_file(&other).unwrap();
        assert_eq!(next().1.len(), 1);
        assert_eq!(broken.get("mine").cloned(), before);
        std::fs::write(&file, "inherits = 'light'").unwrap();
        let (good, errors) = next();
        assert!(errors.is_empty());
        assert_ne!(good.get("mine").cloned(), before);
        std::fs::remove_file(&file).unwrap();
        assert_eq!(next().0.get("mine"), None);
    }
}

//! What the explorer looks like at first: how many colours, which themes, which of them.

use std::io;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};

use super::ground::{self, Ground};
use super::theme::folder::{self, Fingerprint};
use super::theme::{Depth, ThemeError, ThemeSet};

/// What the explorer looks like at first.
pub struct Look {
    /// All themes, in colours that the terminal has.
    pub themes: ThemeSet,
    /// Files that hold none.
    pub errors: Vec<ThemeError>,
    /// The theme to begin with.
    pub theme: String,
    /// Whether the terminal's background should be asked for, because nobody chose a theme.
    pub asks: bool,
    /// Where themes come from besides the program.
    pub wardrobe: Wardrobe,
}

/// Where themes come from, and how they are brought to the terminal.
#[derive(Clone, Debug)]
pub struct Wardrobe {
    /// A folder of themes that add to those inside the program or replace them.
    pub folder: Option<PathBuf>,
    /// How many colours there are.
    pub depth: Depth,
    /// The folder's files as they were read.
    pub seen: Fingerprint,
}

impl Look {
    /// By what was asked for, and by the environment where nothing was.
    pub fn new(
        theme: Option<&str>,
        folder: Option<&Path>,
        colours: Option<Depth>,
    ) -> anyhow::Result<Self> {
        let variable = |name: &str| std::env::var(name).ok();
        let depth = colours.unwrap_or_else(|| Depth::detect(&variable));
        let mut wardrobe = Wardrobe {
            folder: folder.map(Path::to_path_buf),
            depth,
            seen: Fingerprint::new(),
        };
        let (themes, errors) = wardrobe.read(&ThemeSet::default()).with_context(|| {
            let folder = folder.unwrap_or(Path::new(""));
            format!("cannot read themes in {}", folder.display())
        })?;
        let usual = usual(depth, Ground::guess(variable("COLORFGBG").as_deref()));
        let name = theme.unwrap_or(usual);
        if themes.get(name).is_none() {
            let known: Vec<&str> = themes.names().collect();
            let why = errors.first().map(|error| format!(" ({error})"));
            bail!(
                "theme {name} is not known; there are {}{}",
                known.join(", "),
                why.unwrap_or_default()
            );
        }
        let term = variable("TERM").unwrap_or_default();
        Ok(Look {
            theme: name.to_string(),
            asks: theme.is_none() && depth >= Depth::Indexed && ground::can_be_asked(&term),
            themes,
            errors,
            wardrobe,
        })
    }
}

impl Wardrobe {
    /// Reads all themes. What the `earlier` set had of a file that is broken now is kept.
    pub fn read(&mut self, earlier: &ThemeSet) -> io::Result<(ThemeSet, Vec<ThemeError>)> {
        let folder = match &self.folder {
            Some(folder) => {
                // Before reading: what is saved meanwhile is seen as a change afterwards.
                self.seen = folder::fingerprint(folder);
                folder::read(folder)?
            }
            None => folder::Folder::default(),
        };
        let (themes, broken) = ThemeSet::new(&folder.texts, true);
        let themes = themes.reduced(self.depth).keeping(earlier, &folder.names);
        let errors = folder.errors.into_iter().chain(broken).collect();
        Ok((themes, errors))
    }
}

/// The theme where nobody chose one. With few colours it is the terminal's own, which fits every
/// background; so it is with 256 until the background is known.
fn usual(depth: Depth, ground: Option<Ground>) -> &'static str {
    match (depth, ground) {
        (Depth::Full | Depth::Indexed, Some(ground)) => for_ground(ground),
        (Depth::Full, None) => for_ground(Ground::Dark),
        _ => "terminal",
    }
}

/// The theme for a background.
pub fn for_ground(ground: Ground) -> &'static str {
    match ground {
        Ground::Dark => "dark",
        Ground::Light => "light",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_usual_theme_fits_the_terminal() {
        assert_eq!(usual(Depth::Full, None), "dark");
        assert_eq!(usual(Depth::Full, Some(Ground::Light)), "light");
        assert_eq!(usual(Depth::Indexed, Some(Ground::Dark)), "dark");
        assert_eq!(usual(Depth::Indexed, None), "terminal");
        assert_eq!(usual(Depth::Sixteen, Some(Ground::Light)), "terminal");
        assert_eq!(usual(Depth::None, None), "terminal");
    }

    #[test]
    fn a_chosen_theme_is_taken_and_nothing_is_asked() {
        let look = Look::new(Some("light"), None, Some(Depth::Full)).unwrap();
        assert_eq!((look.theme.as_str(), look.asks), ("light", false));
        let error = Look::new(Some("none such"), None, None).err().unwrap();
        assert!(error.to_string().contains("high-contrast"), "{error}");
    }
}

//! `ORG/NAME[@REVISION][:FILE.gguf]`: what a name on the hub consists of.

use std::fmt;

/// A repository's name, its revision, and the one file that is meant, if one is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Name {
    /// `ORG/NAME`, or `NAME` alone for the hub's oldest models.
    pub repo: String,
    /// A branch, a tag, a commit.
    pub revision: String,
    pub file: Option<String>,
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "hf:{}", self.repo)?;
        if self.revision != "main" {
            write!(f, "@{}", self.revision)?;
        }
        match &self.file {
            Some(file) => write!(f, ":{file}"),
            None => Ok(()),
        }
    }
}

/// Whether a path from elsewhere stays inside the folder that it is joined to.
pub(super) fn is_inside(path: &str) -> bool {
    let parts = || path.split('/');
    !path.contains(['\\', ':', '\0'])
        && parts().all(|p| !p.is_empty() && p != "." && p != "..")
        && !path.is_empty()
}

impl Name {
    /// Parses what follows `hf:`.
    ///
    /// # Errors
    /// What is wrong, in words.
    pub fn parse(text: &str) -> Result<Self, String> {
        let (rest, file) = match text.split_once(':') {
            Some((rest, file)) => (rest, Some(file.to_owned())),
            None => (text, None),
        };
        let (repo, revision) = rest.split_once('@').unwrap_or((rest, "main"));
        let fits = |part: &str| {
            let good = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
            !part.is_empty() && part.chars().all(good) && !part.contains("..")
        };
        if repo.split('/').count() > 2 || !repo.split('/').all(fits) || repo.contains("--") {
            return Err(format!("`{repo}` is no ORG/NAME of a repository"));
        }
        if !is_inside(revision) {
            return Err(format!("`{revision}` is no revision"));
        }
        match &file {
            Some(file) if !file.ends_with(".gguf") || !is_inside(file) => Err(format!(
                "`{file}` after the colon: the name of a .gguf file expected"
            )),
            _ => Ok(Name {
                repo: repo.to_owned(),
                revision: revision.to_owned(),
                file,
            }),
        }
    }

    /// The repository's folder in the cache.
    pub(super) fn folder(&self) -> String {
        format!("models--{}", self.repo.replace('/', "--"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_parts_are_told_apart() {
        let full = Name::parse("org/name-1.5@refs/pr/1:sub/q8.gguf").unwrap();
        assert_eq!(full.repo, "org/name-1.5");
        assert_eq!(full.revision, "refs/pr/1");
        assert_eq!(full.file.as_deref(), Some("sub/q8.gguf"));
        assert_eq!(full.to_string(), "hf:org/name-1.5@refs/pr/1:sub/q8.gguf");
        let short = Name::parse("gpt2").unwrap();
        assert_eq!(
            (short.to_string(), short.folder()),
            ("hf:gpt2".into(), "models--gpt2".into())
        );
    }

    #[test]
    fn nothing_leads_out_of_the_cache() {
        for wrong in [
            "",
            "a/b/c",
            "../x",
            "a/..",
            "a/b@../../x",
            "a/b@",
            "a/b:../q.gguf",
            "a/b:c.bin",
            "a b/c",
        ] {
            assert!(Name::parse(wrong).is_err(), "{wrong}");
        }
    }
}

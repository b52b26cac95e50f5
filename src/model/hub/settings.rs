//! What the environment says about the hub, under the names that Hugging Face's own libraries use.

use std::ffi::OsString;
use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

/// A secret that cannot be printed by accident.
#[derive(Clone, PartialEq, Eq)]
pub struct Token(String);

impl Token {
    pub fn new(text: impl Into<String>) -> Self {
        Token(text.into())
    }

    /// For the request's header, and nothing else.
    pub(super) fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(…)")
    }
}

/// Where the hub is, where its files are kept, and how patient to be.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Without a slash at the end.
    pub endpoint: String,
    /// The folder of `models--ORG--NAME` folders.
    pub cache: PathBuf,
    pub token: Option<Token>,
    /// Never ask the network.
    pub offline: bool,
    /// Attempts after the first that fails without having brought a byte.
    pub retries: u32,
    /// Before the first retry; twice as long before each further one.
    pub pause: Duration,
    /// A file of certificates to trust instead of the built-in ones.
    pub certificates: Option<PathBuf>,
}

impl Settings {
    /// From this process's environment.
    pub fn from_env() -> Self {
        Self::from(&|name| std::env::var_os(name), std::env::home_dir())
    }

    /// From any environment. An empty variable counts as unset.
    pub fn from(variable: &dyn Fn(&str) -> Option<OsString>, home: Option<PathBuf>) -> Self {
        let get = |name: &str| variable(name).filter(|v| !v.is_empty());
        let text = |name: &str| get(name).and_then(|v| v.into_string().ok());
        let home = home.unwrap_or_else(|| PathBuf::from("."));
        let path = |name: &str| {
            let given = PathBuf::from(get(name)?);
            Some(match given.strip_prefix("~") {
                Ok(below) => home.join(below),
                Err(_) => given,
            })
        };
        let base = path("HF_HOME").unwrap_or_else(|| {
            let caches = path("XDG_CACHE_HOME").unwrap_or_else(|| home.join(".cache"));
            caches.join("huggingface")
        });
        let token_file = path("HF_TOKEN_PATH").unwrap_or_else(|| base.join("token"));
        let token = text("HF_TOKEN")
            .or_else(|| text("HUGGING_FACE_HUB_TOKEN"))
            .or_else(|| std::fs::read_to_string(token_file).ok())
            .map(|t| t.trim().to_owned())
            .filter(|t| !t.is_empty());
        let endpoint = text("HF_ENDPOINT").unwrap_or_else(|| "https://huggingface.co".into());
        let yes = |name: &str| {
            let value = text(name).unwrap_or_default().to_ascii_uppercase();
            matches!(value.as_str(), "1" | "ON" | "YES" | "TRUE")
        };
        Settings {
            endpoint: endpoint.trim().trim_end_matches('/').to_owned(),
            cache: path("HF_HUB_CACHE")
                .or_else(|| path("HUGGINGFACE_HUB_CACHE"))
                .unwrap_or_else(|| base.join("hub")),
            token: token.map(Token::new),
            offline: yes("HF_HUB_OFFLINE") || yes("TRANSFORMERS_OFFLINE"),
            retries: 5,
            pause: Duration::from_millis(500),
            certificates: path("REQUESTS_CA_BUNDLE").or_else(|| path("SSL_CERT_FILE")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(variables: &[(&str, &str)]) -> Settings {
        let get = |name: &str| {
            let found = variables.iter().find(|(n, _)| *n == name);
            found.map(|(_, v)| OsString::from(v))
        };
        Settings::from(&get, Some("/home/p".into()))
    }

    #[test]
    fn the_names_of_hugging_face_are_honoured() {
        let plain = settings(&[("HF_TOKEN", "")]);
        assert_eq!(plain.cache, PathBuf::from("/home/p/.cache/huggingface/hub"));
        assert_eq!(plain.endpoint, "https://huggingface.co");
        assert!(!plain.offline && plain.token.is_none());
        let set = settings(&[
            ("HF_HOME", "~/hf"),
            ("HF_ENDPOINT", "https://mirror.example/"),
            ("HF_TOKEN", " hf_secret\n"),
            ("HF_HUB_OFFLINE", "true"),
        ]);
        assert_eq!(set.cache, PathBuf::from("/home/p/hf/hub"));
        assert_eq!(set.endpoint, "https://mirror.example");
        assert_eq!(set.token, Some(Token::new("hf_secret")));
        assert!(set.offline);
        assert!(!format!("{set:?}").contains("hf_secret"));
        let cache = settings(&[("HF_HUB_CACHE", "/big"), ("HF_HOME", "/hf")]).cache;
        assert_eq!(cache, PathBuf::from("/big"));
    }

    #[test]
    fn the_token_file_is_read() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("token"), "hf_file\n").unwrap();
        let home = folder.path().to_str().unwrap();
        let token = settings(&[("HF_HOME", home)]).token;
        assert_eq!(token, Some(Token::new("hf_file")));
    }
}

//! Requests to the hub: redirects followed by hand, so that the token never leaves the hub's host,
//! and retries where trying again can help.

use std::time::Duration;

use serde_json::Value;
use ureq::http::{Response, StatusCode};
use ureq::tls::{PemItem, RootCerts, TlsConfig, parse_pem};
use ureq::{Agent, Body, Proxy};

use super::name::Name;
use super::settings::{Settings, Token};
use super::trouble::{Again, Step, Trouble};

/// Longest wait that a server may ask for.
const PATIENCE: Duration = Duration::from_secs(120);

pub(super) struct Client {
    agent: Agent,
    endpoint: String,
    token: Option<Token>,
    retries: u32,
    pause: Duration,
}

/// What the hub says about a file before it is fetched.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Metadata {
    /// Its content's checksum, which is its name in the cache.
    pub etag: String,
    pub size: u64,
}

/// A repository at one commit.
pub(super) struct Listing {
    pub commit: String,
    pub files: Vec<String>,
}

/// How often something has failed in a row.
#[derive(Default)]
pub(super) struct Failures(u32);

impl Failures {
    /// Something was achieved, so the count starts over.
    pub fn forgive(&mut self) {
        self.0 = 0;
    }
}

impl Client {
    pub fn new(settings: &Settings) -> Result<Self, Trouble> {
        let loopback = ["localhost", "127.", "[::1]"];
        let host = settings.endpoint.split("://").nth(1).unwrap_or_default();
        // A proxy cannot mean this machine when we say it.
        let proxy = match loopback.iter().any(|l| host.starts_with(l)) {
            true => None,
            false => Proxy::try_from_env(),
        };
        let mut tls = TlsConfig::builder();
        if let Some(path) = &settings.certificates {
            let wrong = |e: &dyn std::fmt::Display| Trouble {
                cause: format!("certificates {}: {e}", path.display()),
                cure: "set REQUESTS_CA_BUNDLE to a PEM file, or unset it".into(),
                unreachable: false,
            };
            let pem = std::fs::read(path).map_err(|e| wrong(&e))?;
            let mut trusted = Vec::new();
            for item in parse_pem(&pem) {
                if let PemItem::Certificate(c) = item.map_err(|e| wrong(&e))? {
                    trusted.push(c);
                }
            }
            tls = tls.root_certs(RootCerts::new_with_certs(&trusted));
        }
        let config = Agent::config_builder()
            .http_status_as_error(false)
            .max_redirects(0)
            .https_only(settings.endpoint.starts_with("https://"))
            .user_agent(concat!("juror/", env!("CARGO_PKG_VERSION")))
            // Compressed, a file would have another length than the hub states.
            .accept_encoding("identity")
            .proxy(proxy)
            .tls_config(tls.build())
            .timeout_resolve(Some(Duration::from_secs(10)))
            .timeout_connect(Some(Duration::from_secs(10)))
            .timeout_recv_response(Some(Duration::from_secs(60)))
            .timeout_per_read(Some(Duration::from_secs(30)))
            .build();
        Ok(Client {
            agent: config.into(),
            endpoint: settings.endpoint.clone(),
            token: settings.token.clone(),
            retries: settings.retries,
            pause: settings.pause,
        })
    }

    /// The repository's commit and files.
    pub fn list(&self, name: &Name) -> Result<Listing, Trouble> {
        let revision = escape(&name.revision, false);
        let url = format!(
            "{}/api/models/{}/revision/{revision}",
            self.endpoint, name.repo
        );
        let text = self.persist(|| {
            let mut response = self.follow(name, "GET", &url, 0, true)?;
            let body = response.body_mut().with_config().limit(64 << 20);
            body.read_to_string().map_err(|e| self.failed(&url, &e))
        })?;
        let strange = || Trouble::new("the hub's answer is no list of files", "check HF_ENDPOINT");
        let json: Value = serde_json::from_str(&text).map_err(|_| strange())?;
        let commit = json["sha"].as_str().filter(|c| is_plain(c));
        let files = json["siblings"].as_array().ok_or_else(strange)?;
        let names = files.iter().filter_map(|f| f["rfilename"].as_str());
        Ok(Listing {
            commit: commit.ok_or_else(strange)?.to_owned(),
            files: names
                .filter(|n| super::name::is_inside(n))
                .map(str::to_owned)
                .collect(),
        })
    }

    /// A file's checksum and size.
    pub fn metadata(&self, name: &Name, commit: &str, file: &str) -> Result<Metadata, Trouble> {
        let url = self.file_url(name, commit, file);
        // Only relative redirects are followed: where the hub points elsewhere, its own answer is
        // the one with the checksum.
        let response = self.persist(|| self.follow(name, "HEAD", &url, 0, false))?;
        let header = |n: &str| response.headers().get(n)?.to_str().ok().map(str::to_owned);
        let etag = header("x-linked-etag").or_else(|| header("etag"));
        let etag = etag.map(|e| e.trim_start_matches("W/").trim_matches('"').to_owned());
        let size = header("x-linked-size").or_else(|| header("content-length"));
        let size = size.and_then(|s| s.parse().ok());
        match (etag.filter(|e| is_checksum(e)), size) {
            (Some(etag), Some(size)) => Ok(Metadata { etag, size }),
            _ => Err(Trouble::new(
                format!("{file}: the hub states no size or checksum"),
                "check HF_ENDPOINT: what answers there does not behave like the Hugging Face hub",
            )),
        }
    }

    /// One attempt to open a file from an offset on.
    pub fn open(&self, name: &Name, commit: &str, file: &str, from: u64) -> Step<Response<Body>> {
        self.follow(name, "GET", &self.file_url(name, commit, file), from, true)
    }

    fn file_url(&self, name: &Name, commit: &str, file: &str) -> String {
        let file = escape(file, true);
        format!("{}/{}/resolve/{commit}/{file}", self.endpoint, name.repo)
    }

    /// Repeats while trying again can help.
    fn persist<T>(&self, mut attempt: impl FnMut() -> Step<T>) -> Result<T, Trouble> {
        let mut failures = Failures::default();
        loop {
            match attempt() {
                Ok(value) => return Ok(value),
                Err(again) => self.wait(&mut failures, again)?,
            }
        }
    }

    /// Waits before the next attempt, or gives up.
    pub fn wait(&self, failures: &mut Failures, again: Again) -> Result<(), Trouble> {
        let (trouble, after) = match again {
            Again::Never(trouble) => return Err(trouble),
            Again::After(trouble, after) => (trouble, after),
        };
        let pause = after.unwrap_or(self.pause * 2u32.saturating_pow(failures.0.min(10)));
        if failures.0 >= self.retries || pause > PATIENCE {
            return Err(trouble);
        }
        failures.0 += 1;
        std::thread::sleep(pause);
        Ok(())
    }

    /// One request with its redirects; `far` allows those to other hosts.
    fn follow(
        &self,
        name: &Name,
        verb: &str,
        url: &str,
        from: u64,
        far: bool,
    ) -> Step<Response<Body>> {
        let mut url = url.to_owned();
        for _ in 0..10 {
            let mut request = match verb {
                "HEAD" => self.agent.head(&url),
                _ => self.agent.get(&url),
            };
            if from > 0 {
                request = request.header("Range", format!("bytes={from}-"));
            }
            if let Some(token) = &self.token
                && origin(&url) == origin(&self.endpoint)
            {
                request = request.header("Authorization", format!("Bearer {}", token.reveal()));
            }
            let response = request.call().map_err(|e| self.failed(&url, &e))?;
            let target = response
                .headers()
                .get("location")
                .and_then(|l| l.to_str().ok());
            match target.filter(|_| response.status().is_redirection()) {
                Some(target) if far || !target.contains("://") => url = join(&url, target),
                _ => return self.judge(name, &url, response, from),
            }
        }
        let cause = format!("{}: too many redirects", shown(&url));
        Err(Again::Never(Trouble::new(cause, "check HF_ENDPOINT")))
    }

    /// Sorts answers into good, bad for now and bad for good.
    fn judge(
        &self,
        name: &Name,
        url: &str,
        mut response: Response<Body>,
        from: u64,
    ) -> Step<Response<Body>> {
        let status = response.status();
        // A redirect is here only where it was not to be followed.
        if status.is_success() || status.is_redirection() {
            return Ok(response);
        }
        if status == StatusCode::RANGE_NOT_SATISFIABLE && from > 0 {
            return Ok(response);
        }
        let header = |n: &str| {
            let value = response.headers().get(n).and_then(|v| v.to_str().ok());
            value.unwrap_or_default().to_owned()
        };
        let (code, mut said) = (header("x-error-code"), header("x-error-message"));
        let after = header("retry-after").parse().ok().map(Duration::from_secs);
        if said.is_empty()
            && let Ok(body) = response
                .body_mut()
                .with_config()
                .limit(4096)
                .read_to_string()
            && let Ok(json) = serde_json::from_str::<Value>(&body)
        {
            said = json["error"].as_str().unwrap_or_default().to_owned();
        }
        let said = match said.is_empty() {
            true => String::new(),
            false => format!(": {}", said.lines().next().unwrap_or_default()),
        };
        let passing = status.is_server_error() || matches!(status.as_u16(), 408 | 429);
        let cause = format!("{} answers {status}{said}", shown(url));
        if passing {
            let cure = "the hub is busy or out of order: try again later";
            let trouble = Trouble {
                unreachable: true,
                ..Trouble::new(cause, cure)
            };
            return Err(Again::After(trouble, after));
        }
        let page = format!("{}/{}", self.endpoint, name.repo);
        let cure = match (code.as_str(), status.as_u16()) {
            ("RevisionNotFound", _) => format!("see the branches and tags on {page}/tree/main"),
            ("EntryNotFound", _) => format!("see the files on {page}/tree/{}", name.revision),
            ("GatedRepo", _) | (_, 403) => format!(
                "accept the terms on {page}, then set HF_TOKEN to a token of that account that may read it"
            ),
            _ => format!(
                "check the name; if {page} is private or gated, set HF_TOKEN to a token of an account \
                 that may read it"
            ),
        };
        Err(Again::Never(Trouble::new(cause, cure)))
    }

    fn failed(&self, url: &str, error: &ureq::Error) -> Again {
        use ureq::Error as E;
        let cause = format!("{}: {error}", shown(url));
        let cure = "check the network (and HTTPS_PROXY, HF_ENDPOINT); without one, set \
                    HF_HUB_OFFLINE=1 or name a folder";
        let trouble = Trouble {
            unreachable: true,
            ..Trouble::new(cause, cure)
        };
        match error {
            E::Io(_) | E::Timeout(_) | E::ConnectionFailed | E::Protocol(_) => {
                Again::After(trouble, None)
            }
            _ => Again::Never(trouble),
        }
    }
}

/// Scheme and host.
fn origin(url: &str) -> &str {
    let start = url.find("://").map_or(0, |at| at + 3);
    let end = url[start..]
        .find(['/', '?', '#'])
        .map_or(url.len(), |at| start + at);
    &url[..end]
}

/// Where a redirect leads.
fn join(url: &str, target: &str) -> String {
    if target.contains("://") {
        return target.to_owned();
    }
    if let Some(host) = target.strip_prefix("//") {
        let scheme = url.split("://").next().unwrap_or("https");
        return format!("{scheme}://{host}");
    }
    if target.starts_with('/') {
        return format!("{}{target}", origin(url));
    }
    let path = url.split(['?', '#']).next().unwrap_or(url);
    let folder = path.rfind('/').filter(|at| *at >= origin(url).len());
    format!("{}/{target}", &path[..folder.unwrap_or(path.len())])
}

/// Without what may be a signature.
fn shown(url: &str) -> &str {
    url.split('?').next().unwrap_or(url)
}

/// Percent-encodes what is not plain; a revision's slashes too.
fn escape(text: &str, keep_slash: bool) -> String {
    let plain =
        |b: u8| b.is_ascii_alphanumeric() || b"-._~".contains(&b) || (keep_slash && b == b'/');
    text.bytes().fold(String::new(), |mut out, b| {
        match plain(b) {
            true => out.push(char::from(b)),
            false => out.push_str(&format!("%{b:02X}")),
        }
        out
    })
}

/// Fit to be a file name of ours.
pub(super) fn is_plain(text: &str) -> bool {
    !text.is_empty() && text.len() <= 128 && text.bytes().all(|b| b.is_ascii_alphanumeric())
}

/// SHA-1 or SHA-256, in hexadecimal.
fn is_checksum(text: &str) -> bool {
    let hex = text
        .bytes()
        .all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b));
    hex && matches!(text.len(), 40 | 64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn redirects_lead_where_they_say() {
        let from = "https://hub.example/org/name/resolve/x/f?y=1";
        for (target, to) in [
            ("https://cdn.example/f", "https://cdn.example/f"),
            ("//cdn.example/f", "https://cdn.example/f"),
            ("/new/name", "https://hub.example/new/name"),
            ("g", "https://hub.example/org/name/resolve/x/g"),
        ] {
            assert_eq!(join(from, target), to);
        }
        assert_eq!(origin("https://hub.example"), "https://hub.example");
        assert_ne!(
            origin("https://hub.example.evil/x"),
            origin("https://hub.example")
        );
        assert_eq!(escape("refs/pr/1 é", false), "refs%2Fpr%2F1%20%C3%A9");
    }
}

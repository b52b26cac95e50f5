//! A hub of our own on this machine: the listing, files with their checksums, large ones redirected
//! to a second address, and whatever can go wrong on the way.

use std::collections::{BTreeMap, VecDeque};
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

use sha1::Sha1;
use sha2::{Digest, Sha256};

pub const COMMIT: &str = "0123456789abcdef0123456789abcdef01234567";

/// A request as it arrived.
#[derive(Clone, Debug)]
pub struct Seen {
    pub verb: String,
    pub path: String,
    /// Whether it came to the address that large files are redirected to.
    pub far: bool,
    pub range: Option<String>,
    pub token: Option<String>,
}

/// An answer in place of the proper one.
#[derive(Clone, Debug)]
pub enum Fault {
    /// A status with further header lines.
    Status(u16, &'static str),
    /// The connection closes after so many bytes of the body.
    Cut(usize),
}

#[derive(Default)]
pub struct State {
    /// By name: contents, and whether they are large.
    pub files: BTreeMap<String, (Vec<u8>, bool)>,
    /// Contents that arrive in place of the right ones.
    pub altered: BTreeMap<String, Vec<u8>>,
    /// For the next requests whose path contains the text.
    pub faults: VecDeque<(&'static str, Fault)>,
    pub seen: Vec<Seen>,
}

#[derive(Clone)]
pub struct Server {
    pub url: String,
    far: String,
    state: Arc<Mutex<State>>,
}

pub fn hex(bytes: impl IntoIterator<Item = u8>) -> String {
    bytes.into_iter().map(|b| format!("{b:02x}")).collect()
}

/// The name of contents in the cache.
pub fn etag(contents: &[u8], large: bool) -> String {
    match large {
        true => hex(Sha256::digest(contents)),
        false => {
            let head = format!("blob {}\0", contents.len());
            hex(Sha1::new()
                .chain_update(head)
                .chain_update(contents)
                .finalize())
        }
    }
}

impl Server {
    /// Serves until the process ends.
    pub fn start(files: &[(&str, &[u8], bool)]) -> Self {
        let (near, far) = (listen(), listen());
        let address = |l: &TcpListener| format!("http://{}", l.local_addr().unwrap());
        let state = State {
            files: files
                .iter()
                .map(|(n, c, large)| ((*n).to_owned(), (c.to_vec(), *large)))
                .collect(),
            ..State::default()
        };
        let server = Server {
            url: address(&near),
            far: address(&far),
            state: Arc::new(Mutex::new(state)),
        };
        for (listener, is_far) in [(near, false), (far, true)] {
            let server = server.clone();
            std::thread::spawn(move || {
                for stream in listener.incoming().flatten() {
                    let server = server.clone();
                    std::thread::spawn(move || server.answer(stream, is_far));
                }
            });
        }
        server
    }

    pub fn with<T>(&self, use_it: impl FnOnce(&mut State) -> T) -> T {
        use_it(&mut self.state.lock().unwrap())
    }

    pub fn seen(&self) -> Vec<Seen> {
        self.with(|s| s.seen.clone())
    }

    fn answer(&self, mut stream: TcpStream, far: bool) {
        let mut lines = Vec::new();
        let mut reader = BufReader::new(stream.try_clone().unwrap());
        loop {
            let mut line = String::new();
            match reader.read_line(&mut line) {
                Ok(n) if n > 2 => lines.push(line.trim_end().to_owned()),
                _ => break,
            }
        }
        let Some(first) = lines.first() else { return };
        let header = |name: &str| {
            lines[1..].iter().find_map(|l| {
                let (n, v) = l.split_once(": ")?;
                n.eq_ignore_ascii_case(name).then(|| v.to_owned())
            })
        };
        let mut words = first.split(' ');
        let seen = Seen {
            verb: words.next().unwrap().to_owned(),
            path: words.next().unwrap().to_owned(),
            far,
            range: header("range"),
            token: header("authorization"),
        };
        let fault = self.with(|s| {
            s.seen.push(seen.clone());
            let at = s
                .faults
                .iter()
                .position(|(part, _)| seen.path.contains(part))?;
            s.faults.remove(at).map(|(_, fault)| fault)
        });
        let (head, body) = match &fault {
            Some(Fault::Status(status, more)) => (format!("{status} Fault\r\n{more}"), Vec::new()),
            _ => self.proper(&seen),
        };
        let length = match head.to_ascii_lowercase().contains("content-length") {
            true => String::new(),
            false => format!("Content-Length: {}\r\n", body.len()),
        };
        let _ = write!(stream, "HTTP/1.1 {head}{length}Connection: close\r\n\r\n");
        let sent = match fault {
            Some(Fault::Cut(at)) => &body[..at.min(body.len())],
            _ => &body,
        };
        if seen.verb != "HEAD" {
            let _ = stream.write_all(sent);
        }
    }

    fn proper(&self, seen: &Seen) -> (String, Vec<u8>) {
        let path = seen.path.split('?').next().unwrap();
        if path.starts_with("/api/models/org/name/revision/") {
            if !path.ends_with("/main") && !path.ends_with("/refs%2Fpr%2F1") {
                return refusal(404, "RevisionNotFound", "Invalid rev id");
            }
            let names: Vec<String> = self.with(|s| {
                let names = s.files.keys();
                names
                    .map(|n| format!("{{\"rfilename\":\"{n}\"}}"))
                    .collect()
            });
            let list = format!(
                "{{\"sha\":\"{COMMIT}\",\"siblings\":[{}]}}",
                names.join(",")
            );
            return ("200 OK\r\n".into(), list.into_bytes());
        }
        match path {
            "/api/models/org/gated/revision/main" => {
                return refusal(403, "GatedRepo", "Access to model org/gated is restricted");
            }
            _ if path.starts_with("/api/models/") => {
                return refusal(401, "", "Invalid username or password.");
            }
            _ => (),
        }
        let name = path
            .rsplit_once(&format!("/{COMMIT}/"))
            .map_or(path, |(_, n)| n);
        let name = name.trim_start_matches("/cdn/");
        let Some((contents, large)) = self.with(|s| s.files.get(name).cloned()) else {
            return refusal(404, "EntryNotFound", "Entry not found");
        };
        let sum = etag(&contents, large);
        let size = contents.len();
        if large && !seen.far {
            let head = format!(
                "302 Found\r\nLocation: {}/cdn/{name}?signature=secret\r\nX-Linked-Etag: \"{sum}\"\r\n\
                 X-Linked-Size: {size}\r\nX-Repo-Commit: {COMMIT}\r\nETag: \"pointer\"\r\n",
                self.far
            );
            return (head, Vec::new());
        }
        if !large && path.starts_with("/org/") {
            let to = format!("/api/resolve-cache/models/org/name/{COMMIT}/{name}");
            return (
                format!("307 Temporary Redirect\r\nLocation: {to}\r\n"),
                Vec::new(),
            );
        }
        let sent = self
            .with(|s| s.altered.get(name).cloned())
            .unwrap_or(contents);
        let from = seen
            .range
            .as_deref()
            .and_then(|r| r.strip_prefix("bytes=")?.strip_suffix('-')?.parse().ok());
        match from {
            Some(from) if from < sent.len() => (
                format!(
                    "206 Partial Content\r\nContent-Range: bytes {from}-{}/{size}\r\n",
                    size - 1
                ),
                sent[from..].to_vec(),
            ),
            _ => {
                let length = format!("Content-Length: {}\r\n", sent.len());
                (format!("200 OK\r\nETag: W/\"{sum}\"\r\n{length}"), sent)
            }
        }
    }
}

fn refusal(status: u16, code: &str, message: &str) -> (String, Vec<u8>) {
    let code = match code {
        "" => String::new(),
        code => format!("X-Error-Code: {code}\r\n"),
    };
    (
        format!("{status} Refused\r\n{code}"),
        format!("{{\"error\":\"{message}\"}}").into_bytes(),
    )
}

fn listen() -> TcpListener {
    TcpListener::bind("127.0.0.1:0").unwrap()
}

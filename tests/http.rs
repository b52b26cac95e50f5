//! Requests as our test servers read them.

use std::io::{BufRead, BufReader, Read};
use std::net::TcpStream;

/// A request, its body as it came.
pub struct Request {
    /// Method, path and version.
    pub first: String,
    pub key: Option<String>,
    pub body: Vec<u8>,
}

/// The next request of a connection; none where the other side has closed it.
pub fn next_request(reader: &mut BufReader<TcpStream>) -> Option<Request> {
    let (mut length, mut key, mut first) = (0, None, String::new());
    loop {
        let mut line = String::new();
        match reader.read_line(&mut line) {
            Ok(n) if n > 2 => (),
            _ => break,
        }
        if first.is_empty() {
            first = line.clone();
        }
        let (name, value) = line.split_once(": ").unwrap_or((&line, ""));
        match name.to_ascii_lowercase().as_str() {
            "content-length" => length = value.trim().parse().unwrap(),
            "authorization" => key = Some(value.trim().to_owned()),
            _ => (),
        }
    }
    let mut body = vec![0; length];
    if first.is_empty() || reader.read_exact(&mut body).is_err() {
        return None;
    }
    Some(Request { first, key, body })
}

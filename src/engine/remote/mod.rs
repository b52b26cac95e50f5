//! Models behind OpenAI-compatible servers: the same jobs and answers as for a model of this machine, over HTTP. A
//! server's tokens are out of sight, so prompts are written in characters (see [`crate::model::tokenizer`]).
//!
//! `http` is one exchange, `reply` what answers look like, `ask` one task with all its attempts, `pace` and `balance` how
//! many at a time and where, `pool` the threads.

mod address;
mod ask;
mod balance;
mod client;
mod http;
mod key;
mod label_tokens;
mod meter;
mod names;
mod open;
mod pace;
mod pick;
mod pool;
mod probe;
mod prompt;
mod reply;
mod settings;
mod stream;
mod trouble;

pub use client::{Chat, Client};
pub use key::Key;
pub use meter::Usage;
pub(crate) use pool::Pool;
pub use probe::{About, Line, Probed, probe};
pub use reply::Written;
pub use settings::Settings;
pub use trouble::Trouble;

/// Reads bytes as whatever a server may answer: what `fuzz/` calls.
#[cfg(fuzzing)]
pub fn read_anything(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    let mut streamed = stream::Streamed::default();
    for line in text.lines() {
        if streamed.take(line).is_err() || streamed.is_done() {
            break;
        }
    }
    let whole = streamed.whole();
    let answers = whole.into_iter().chain(serde_json::from_slice(bytes));
    for answer in answers {
        let _ = (reply::counted(&answer), reply::written(&answer));
        let _ = (reply::first_tokens(&answer), reply::embedding(&answer));
        let _ = reply::echoed(&answer, "Rate it: good", 2..9);
        let _ = reply::beside(&answer, "Rate it: good", 2..9);
        let _ = pick::only_token(&answer);
    }
}

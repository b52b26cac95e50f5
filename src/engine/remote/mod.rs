//! Models behind an OpenAI-compatible server: texts in, texts out, over HTTP. What a server is asked for here is a
//! chat's next turn; other asks have their place beside it.

mod client;
mod trouble;

pub use client::{Chat, Client, Key, Settings, Written};
pub use trouble::Trouble;

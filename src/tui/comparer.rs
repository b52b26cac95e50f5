//! The thread that counts how far people and the judge go together: of what it is asked, only the newest counts.

use std::sync::mpsc::{Sender, channel};
use std::thread;

use super::message::Message;
use super::state::{Agreed, Comparison};
use crate::engine::priority;

/// Starts the thread; it ends with the sender.
pub fn start(tell: impl Fn(Message) + Send + 'static) -> Sender<Comparison> {
    let (sender, received) = channel::<Comparison>();
    thread::spawn(move || {
        priority::give_way();
        let mut last = Agreed::default();
        while let Ok(first) = received.recv() {
            let asked = received.try_iter().last().unwrap_or(first);
            last = asked.count(last);
            tell(Message::Agreed(Box::new(last.clone())));
        }
    });
    sender
}

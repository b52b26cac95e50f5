//! The thread that searches the data; the newest search is the only one that counts.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Sender, channel};
use std::thread;

use super::finder::Finder;
use super::message::Message;
use super::state::Search;
use crate::data::Library;

enum Request {
    Find(Search),
    Facets,
}

/// A handle on the thread.
pub struct Searcher {
    requests: Sender<(Library, Request)>,
    /// The number of the newest search.
    newest: Arc<AtomicU64>,
}

impl Searcher {
    /// Starts the thread.
    pub fn start(tell: impl Fn(Message) + Send + 'static) -> Self {
        let (requests, received) = channel::<(Library, Request)>();
        let newest = Arc::new(AtomicU64::new(0));
        let latest = Arc::clone(&newest);
        thread::spawn(move || {
            let mut finder: Option<Finder> = None;
            for (library, request) in received {
                let finder = match finder.as_mut().filter(|f| f.is_of(&library)) {
                    Some(_) => finder.as_mut(),
                    None => Some(finder.insert(Finder::new(library))),
                };
                let Some(finder) = finder else { continue };
                match request {
                    Request::Find(search) => {
                        let stop = || latest.load(Ordering::Relaxed) > search.number;
                        if stop() {
                            continue;
                        }
                        finder.find(&search, &stop, &mut |records, complete| {
                            tell(Message::Found {
                                number: search.number,
                                records,
                                complete,
                            });
                        });
                    }
                    Request::Facets => {
                        if let Some(facets) = finder.facets(&|| false) {
                            tell(Message::Facets(Arc::new(facets)));
                        }
                    }
                }
            }
        });
        Searcher { requests, newest }
    }

    /// Asks for a search; the one before ends early.
    pub fn find(&self, library: &Library, search: Search) {
        self.newest.store(search.number, Ordering::Relaxed);
        // A thread that has gone finds nothing.
        let _ = self.requests.send((library.clone(), Request::Find(search)));
    }

    /// Asks for the facets.
    pub fn facets(&self, library: &Library) {
        let _ = self.requests.send((library.clone(), Request::Facets));
    }
}

//! Names of servers: looked up now and then instead of for each request.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use ureq::config::Config;
use ureq::http::Uri;
use ureq::http::uri::{Authority, Scheme};
use ureq::unversioned::resolver::{DefaultResolver, ResolvedSocketAddrs, Resolver};
use ureq::unversioned::transport::NextTimeout;

/// How long the addresses of a name are used again. A server that moves is found again by the attempts behind that.
const KEPT: Duration = Duration::from_secs(10);

/// The addresses of one host, and when they were asked for.
#[derive(Debug)]
struct Known {
    scheme: Option<Scheme>,
    host: Option<Authority>,
    addresses: ResolvedSocketAddrs,
    asked: Instant,
}

/// The usual resolver, which asks by a thread of its own each time (also where a connection is open already), behind a
/// memory of the last host. A connection's agent asks for one only.
#[derive(Debug)]
pub(super) struct Names<R = DefaultResolver> {
    usual: R,
    last: Mutex<Option<Known>>,
}

impl Default for Names {
    fn default() -> Self {
        Names::of(DefaultResolver::default())
    }
}

impl<R: Resolver> Names<R> {
    fn of(usual: R) -> Self {
        Names {
            usual,
            last: Mutex::default(),
        }
    }
}

impl<R: Resolver> Resolver for Names<R> {
    fn resolve(
        &self,
        uri: &Uri,
        config: &Config,
        timeout: NextTimeout,
    ) -> Result<ResolvedSocketAddrs, ureq::Error> {
        let lock = || self.last.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = &*lock()
            && known.scheme.as_ref() == uri.scheme()
            && known.host.as_ref() == uri.authority()
            && known.asked.elapsed() < KEPT
        {
            return Ok(known.addresses.clone());
        }
        // Not under the lock: others may still use what is known.
        let addresses = self.usual.resolve(uri, config, timeout)?;
        *lock() = Some(Known {
            scheme: uri.scheme().cloned(),
            host: uri.authority().cloned(),
            addresses: addresses.clone(),
            asked: Instant::now(),
        });
        Ok(addresses)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use ureq::unversioned::transport::time;

    /// Counts how often it is asked, and fails where the host is `nowhere`.
    #[derive(Debug, Default)]
    struct Counting(AtomicUsize);

    impl Resolver for Counting {
        fn resolve(
            &self,
            uri: &Uri,
            _: &Config,
            _: NextTimeout,
        ) -> Result<ResolvedSocketAddrs, ureq::Error> {
            let asked = self.0.fetch_add(1, Ordering::Relaxed) + 1;
            if uri.host() == Some("nowhere") {
                return Err(ureq::Error::HostNotFound);
            }
            let mut addresses = self.empty();
            addresses.push(([127, 0, 0, 1], asked as u16).into());
            Ok(addresses)
        }
    }

    #[test]
    fn a_name_is_looked_up_once_and_another_for_itself() {
        let names = Names::of(Counting::default());
        let ask = |uri: &'static str| {
            let forever = NextTimeout {
                after: time::Duration::NotHappening,
                reason: ureq::Timeout::Resolve,
                ..NextTimeout::default()
            };
            let config = ureq::Agent::config_builder().build();
            let found = names.resolve(&Uri::from_static(uri), &config, forever);
            found.map(|addresses| addresses[0].port())
        };
        assert_eq!(ask("http://here:1/v1/models").unwrap(), 1);
        assert_eq!(ask("http://here:1/v1/completions").unwrap(), 1);
        assert_eq!(ask("https://here:1/v1/models").unwrap(), 2);
        assert_eq!(ask("https://here:2/v1/models").unwrap(), 3);
        assert!(ask("http://nowhere/").is_err());
        assert!(ask("http://nowhere/").is_err(), "a failure is not kept");
        assert_eq!(names.usual.0.load(Ordering::Relaxed), 5);
        assert_eq!(ask("https://here:2/v1/models").unwrap(), 3);
        // What was asked for long ago is asked for again.
        let long_ago = Instant::now().checked_sub(KEPT).unwrap();
        names.last.lock().unwrap().as_mut().unwrap().asked = long_ago;
        assert_eq!(ask("https://here:2/v1/models").unwrap(), 6);
    }
}

//! Where a server is, and whether a key may go there.

/// A server's address, up to its version (`https://HOST/v1`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Address {
    base: String,
    /// It is this machine.
    pub is_near: bool,
}

impl Address {
    /// # Errors
    /// An address that holds a secret, or would let the key be read on its way.
    pub fn parse(url: &str, has_key: bool) -> Result<Self, String> {
        let (scheme, rest) = url.split_once("://").unwrap_or(("", url));
        let authority = rest.split(['/', '?']).next().unwrap_or_default();
        if authority.is_empty() || !matches!(scheme, "http" | "https") {
            return Err(format!("`{url}`: https://HOST/v1#MODEL is expected"));
        }
        if authority.contains('@') {
            return Err("a name or password does not belong in a server's address: give the key by the environment".into());
        }
        let is_near = is_near(authority);
        if has_key && scheme == "http" && !is_near {
            return Err(format!(
                "http://{authority} would let everybody on the way read the key: use https, or unset the key"
            ));
        }
        Ok(Address {
            base: url.trim_end_matches('/').to_owned(),
            is_near,
        })
    }

    /// Of an endpoint.
    pub fn at(&self, endpoint: &str) -> String {
        format!("{}/{endpoint}", self.base)
    }

    /// Of what stands beside the versioned endpoints.
    pub fn beside(&self, endpoint: &str) -> String {
        let root = self.base.strip_suffix("/v1").unwrap_or(&self.base);
        format!("{root}/{endpoint}")
    }

    /// As shown.
    pub fn text(&self) -> &str {
        &self.base
    }
}

/// Whether a host is this machine: an address that loops back or `localhost`, never a name that only begins like one.
fn is_near(authority: &str) -> bool {
    let host = match authority
        .strip_prefix('[')
        .and_then(|rest| rest.split_once(']'))
    {
        Some((host, _)) => host,
        None => authority.split(':').next().unwrap_or_default(),
    };
    let address = host.parse::<std::net::IpAddr>();
    host.eq_ignore_ascii_case("localhost") || address.is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_goes_only_where_nobody_reads_along() {
        for near in [
            "http://localhost:80/v1",
            "http://127.0.0.1/v1",
            "http://[::1]:9/v1",
            "https://host/v1",
        ] {
            assert!(Address::parse(near, true).is_ok(), "{near}");
        }
        let refused = |url: &str| Address::parse(url, true).err().unwrap();
        for far in [
            "http://host/v1",
            "http://127.evil.example/v1",
            "http://localhost.evil.example/v1",
        ] {
            assert!(refused(far).contains("use https"), "{far}");
        }
        assert!(refused("https://me:secret@host/v1").contains("does not belong"));
        assert!(refused("ftp://host").contains("expected"));
    }

    #[test]
    fn endpoints_stand_behind_the_version_or_beside_it() {
        let address = Address::parse("http://host:1/v1/", false).unwrap();
        assert_eq!(address.at("models"), "http://host:1/v1/models");
        assert_eq!(address.beside("tokenize"), "http://host:1/tokenize");
    }
}

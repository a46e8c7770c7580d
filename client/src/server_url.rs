//! The address of a verification service.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use url::{Host, Url};

/// Longest address accepted; the usual limit of proxies and browsers is far above it.
const MAX_LEN: usize = 2048;

/// The base address of a verification service: `https`, or `http` to the loopback interface only.
///
/// The text has no trailing slash, no query, no fragment and no user name, so that a path can be appended to it.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ServerUrl {
    text: String,
    loopback: bool,
}

/// Why an address is not accepted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ServerUrlError {
    /// Longer than any sensible address.
    #[error("The server address is longer than {MAX_LEN} characters.")]
    TooLong,
    /// Not an absolute URL.
    #[error("\"{text}\" is not an address: write it like https://notary.example.")]
    NotAnAddress {
        /// What was given.
        text: String,
    },
    /// A scheme other than `https` and `http`.
    #[error("The server address begins with \"{scheme}:\"; only https is supported.")]
    Scheme {
        /// What was given.
        scheme: String,
    },
    /// `http` to another machine.
    #[error(
        "Plain HTTP to {host} would let anybody on the way read and block statements: use https. (Plain HTTP is accepted to this machine itself only.)"
    )]
    PlainHttp {
        /// The host named.
        host: String,
    },
    /// A user name or password inside the address.
    #[error("The server address contains a user name or password; the service knows neither.")]
    Credentials,
    /// A query or fragment.
    #[error("The server address contains a query or fragment; give the base address only.")]
    NotABase,
}

impl ServerUrl {
    /// The base address, without a trailing slash.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Whether the service runs on this machine.
    #[must_use]
    pub fn is_loopback(&self) -> bool {
        self.loopback
    }

    /// The address of `path`, which begins with a slash.
    #[must_use]
    pub fn join(&self, path: &str) -> String {
        format!("{}{path}", self.text)
    }
}

/// `localhost` counts: resolvers answer it with loopback (RFC 6761 §6.3), and a machine whose resolver lies about it
/// is not in its owner's hands.
fn is_loopback(host: &Host<&str>) -> bool {
    match host {
        Host::Ipv4(address) => address.is_loopback(),
        Host::Ipv6(address) => address.is_loopback(),
        Host::Domain(name) => *name == "localhost",
    }
}

impl FromStr for ServerUrl {
    type Err = ServerUrlError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text.len() > MAX_LEN {
            return Err(ServerUrlError::TooLong);
        }
        let not_an_address = || ServerUrlError::NotAnAddress { text: text.to_owned() };
        let url = Url::parse(text).map_err(|_| not_an_address())?;
        if !matches!(url.scheme(), "https" | "http") {
            return Err(ServerUrlError::Scheme { scheme: url.scheme().to_owned() });
        }
        let host = url.host().ok_or_else(not_an_address)?;
        let loopback = is_loopback(&host);
        if url.scheme() == "http" && !loopback {
            return Err(ServerUrlError::PlainHttp { host: host.to_string() });
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(ServerUrlError::Credentials);
        }
        if url.query().is_some() || url.fragment().is_some() {
            return Err(ServerUrlError::NotABase);
        }
        Ok(Self { text: url.as_str().trim_end_matches('/').to_owned(), loopback })
    }
}

impl TryFrom<String> for ServerUrl {
    type Error = ServerUrlError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<ServerUrl> for String {
    fn from(url: ServerUrl) -> Self {
        url.text
    }
}

impl fmt::Display for ServerUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl fmt::Debug for ServerUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ServerUrl({})", self.text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_http_leaves_the_machine_under_no_disguise() {
        for text in [
            "http://notary.example",
            "http://localhost.notary.example",
            "http://127.0.0.1.notary.example",
            "http://128.0.0.1",
            "http://0.0.0.0",
            "http://[::ffff:10.0.0.1]",
            "HTTP://NOTARY.EXAMPLE",
        ] {
            assert!(matches!(text.parse::<ServerUrl>(), Err(ServerUrlError::PlainHttp { .. })), "{text}");
        }
        // The host is what follows the @, not what stands before it.
        assert!(matches!(
            "http://localhost@notary.example".parse::<ServerUrl>(),
            Err(ServerUrlError::PlainHttp { .. })
        ));
    }

    #[test]
    fn refuses_what_is_no_base_address() {
        assert!(matches!("notary.example".parse::<ServerUrl>(), Err(ServerUrlError::NotAnAddress { .. })));
        assert!(matches!("file:///etc".parse::<ServerUrl>(), Err(ServerUrlError::Scheme { .. })));
        assert_eq!("https://a:b@notary.example".parse::<ServerUrl>(), Err(ServerUrlError::Credentials));
        assert_eq!("https://notary.example/?a=1".parse::<ServerUrl>(), Err(ServerUrlError::NotABase));
        assert_eq!("https://notary.example/#a".parse::<ServerUrl>(), Err(ServerUrlError::NotABase));
        assert_eq!("a".repeat(MAX_LEN + 1).parse::<ServerUrl>(), Err(ServerUrlError::TooLong));
    }

    #[test]
    fn accepts_https_and_loopback() {
        for (text, expected, loopback) in [
            ("https://notary.example/", "https://notary.example", false),
            ("https://notary.example/jz/", "https://notary.example/jz", false),
            ("http://127.0.0.1:8080", "http://127.0.0.1:8080", true),
            ("http://127.8.8.8:1/", "http://127.8.8.8:1", true),
            ("http://[::1]:8080", "http://[::1]:8080", true),
            ("http://localhost:8080", "http://localhost:8080", true),
        ] {
            let url: ServerUrl = text.parse().unwrap();
            assert_eq!(url.as_str(), expected);
            assert_eq!(url.is_loopback(), loopback);
        }
    }
}

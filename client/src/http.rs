//! Bounded requests and answers.

use std::io::Read;
use std::sync::Once;
use std::time::Duration;

use reqwest::blocking::{RequestBuilder, Response};
use reqwest::header::{ACCEPT, CONTENT_TYPE, DATE, HeaderMap, HeaderName, RETRY_AFTER};
use serde::Deserialize;

use crate::ServerUrl;

/// A device in the field notices soon that a server is away; it keeps its spool and asks again.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// Longest problem document read; ours are a few hundred bytes.
const MAX_PROBLEM: usize = 16 * 1024;

/// Longest wait that a server's `Retry-After` can impose.
const MAX_RETRY_AFTER: Duration = Duration::from_secs(300);

/// A connection pool to one verification service.
pub struct Client {
    http: reqwest::blocking::Client,
    base: ServerUrl,
}

/// A successful answer of the expected content type.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// The body, within the bound that was asked for.
    pub body: Vec<u8>,
    /// The `Date` header as sent (RFC 9110 §6.6.1), if any.
    pub date: Option<String>,
}

/// An RFC 9457 problem document, or what stands in for it when the server sent none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// The HTTP status.
    pub status: u16,
    /// The stable code: the last path segment of `type`; `unknown` without one.
    pub code: String,
    /// One sentence, as the server sent it.
    pub detail: String,
    /// How long the server asks to wait.
    pub retry_after: Option<Duration>,
}

/// Why there is no answer. "Away", "refused" and "talks nonsense" are three different things to a caller.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// The TLS or connection machinery could not be set up.
    #[error("The HTTPS client cannot be set up: {reason}.")]
    Setup {
        /// What the library says.
        reason: String,
    },
    /// No connection, or it broke before the answer was complete.
    #[error("The server at {server} did not answer: {reason}.")]
    Away {
        /// Base address.
        server: String,
        /// The innermost cause.
        reason: String,
    },
    /// An answer outside 2xx.
    #[error("The server at {server} refused {path}: {} ({}, HTTP {}).", .problem.detail, .problem.code, .problem.status)]
    Refused {
        /// Base address.
        server: String,
        /// The path asked for.
        path: String,
        /// What it said.
        problem: Problem,
    },
    /// A 2xx answer of another content type.
    #[error("The server at {server} answered {path} with {found} instead of {expected}.")]
    ContentType {
        /// Base address.
        server: String,
        /// The path asked for.
        path: String,
        /// What was asked for.
        expected: &'static str,
        /// What came.
        found: String,
    },
    /// An answer longer than the bound.
    #[error("The server at {server} answered {path} with more than {max} bytes.")]
    TooLong {
        /// Base address.
        server: String,
        /// The path asked for.
        path: String,
        /// The bound.
        max: usize,
    },
}

impl Client {
    /// A client for `base`. Redirects are not followed: nothing of the service's API redirects, and a redirect could
    /// lead to another machine or to plain HTTP.
    ///
    /// # Errors
    /// [`ClientError::Setup`] when TLS cannot be set up on this machine.
    pub fn new(base: ServerUrl) -> Result<Self, ClientError> {
        install_crypto_provider();
        let mut builder = reqwest::blocking::Client::builder()
            .connect_timeout(CONNECT_TIMEOUT)
            .redirect(reqwest::redirect::Policy::none())
            .user_agent(concat!("jianzhen/", env!("CARGO_PKG_VERSION")));
        if base.is_loopback() {
            // A proxy from the environment is meant for other machines; through it, loopback would be the proxy's own.
            builder = builder.no_proxy();
        }
        let http = builder.build().map_err(|error| ClientError::Setup { reason: innermost(&error) })?;
        Ok(Self { http, base })
    }

    /// The service's base address.
    #[must_use]
    pub fn base(&self) -> &ServerUrl {
        &self.base
    }

    /// `GET path`, answered within `timeout` by at most `max` bytes of content type `expected`.
    ///
    /// # Errors
    /// Every [`ClientError`] but `Setup`.
    pub fn get(
        &self,
        path: &str,
        expected: &'static str,
        max: usize,
        timeout: Duration,
    ) -> Result<Answer, ClientError> {
        let request = self.http.get(self.base.join(path)).timeout(timeout).header(ACCEPT, expected);
        self.run(request, path, Some(expected), max)
    }

    /// `GET path` whatever content type the answer claims: for what shows by signatures and hashes what it is.
    ///
    /// # Errors
    /// Every [`ClientError`] but `Setup` and `ContentType`.
    pub fn get_unlabelled(
        &self,
        path: &str,
        accept: &'static str,
        max: usize,
        timeout: Duration,
    ) -> Result<Answer, ClientError> {
        let request = self.http.get(self.base.join(path)).timeout(timeout).header(ACCEPT, accept);
        self.run(request, path, None, max)
    }

    /// `POST path` with `body`, otherwise like [`Client::get`].
    ///
    /// # Errors
    /// Every [`ClientError`] but `Setup`.
    pub fn post(
        &self,
        path: &str,
        content_type: &'static str,
        body: Vec<u8>,
        expected: &'static str,
        max: usize,
        timeout: Duration,
    ) -> Result<Answer, ClientError> {
        let request = self.http.post(self.base.join(path)).timeout(timeout).header(ACCEPT, expected);
        self.run(request.header(CONTENT_TYPE, content_type).body(body), path, Some(expected), max)
    }

    fn run(
        &self,
        request: RequestBuilder,
        path: &str,
        expected: Option<&'static str>,
        max: usize,
    ) -> Result<Answer, ClientError> {
        let response = request.send().map_err(|error| self.away(&innermost(&error)))?;
        if !response.status().is_success() {
            let problem = problem(response);
            return Err(ClientError::Refused {
                server: self.base.to_string(),
                path: path.to_owned(),
                problem,
            });
        }
        let found = text_header(response.headers(), &CONTENT_TYPE).unwrap_or_default();
        if let Some(expected) = expected.filter(|expected| media_type(&found) != *expected) {
            let server = self.base.to_string();
            return Err(ClientError::ContentType { server, path: path.to_owned(), expected, found });
        }
        let date = text_header(response.headers(), &DATE);
        match read_bounded(response, max) {
            Ok(Some(body)) => Ok(Answer { body, date }),
            Ok(None) => {
                Err(ClientError::TooLong { server: self.base.to_string(), path: path.to_owned(), max })
            }
            Err(error) => Err(self.away(&innermost(&error))),
        }
    }

    fn away(&self, reason: &str) -> ClientError {
        ClientError::Away { server: self.base.to_string(), reason: reason.to_owned() }
    }
}

impl ClientError {
    /// Whether asking again later can help: the server is away or overloaded, rather than saying no.
    #[must_use]
    pub fn is_temporary(&self) -> bool {
        match self {
            Self::Away { .. } => true,
            Self::Refused { problem, .. } => matches!(problem.status, 408 | 429 | 500..=599),
            Self::Setup { .. } | Self::ContentType { .. } | Self::TooLong { .. } => false,
        }
    }
}

/// rustls is built without a provider (no C compiler wanted); ring becomes the process's one. A provider that the
/// program installed before stays.
fn install_crypto_provider() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let _already_installed = rustls::crypto::ring::default_provider().install_default();
    });
}

/// `None` when the body is longer than `max`.
fn read_bounded(response: Response, max: usize) -> std::io::Result<Option<Vec<u8>>> {
    let mut body = Vec::new();
    let limit = u64::try_from(max).unwrap_or(u64::MAX).saturating_add(1);
    response.take(limit).read_to_end(&mut body)?;
    Ok((body.len() <= max).then_some(body))
}

fn problem(response: Response) -> Problem {
    #[derive(Default, Deserialize)]
    struct Document {
        #[serde(rename = "type", default)]
        kind: String,
        #[serde(default)]
        title: String,
        #[serde(default)]
        detail: String,
    }
    let status = response.status();
    let retry_after = text_header(response.headers(), &RETRY_AFTER)
        .and_then(|seconds| seconds.parse().ok())
        .map(|seconds| Duration::from_secs(seconds).min(MAX_RETRY_AFTER));
    let document: Document = match read_bounded(response, MAX_PROBLEM) {
        Ok(Some(body)) => serde_json::from_slice(&body).unwrap_or_default(),
        // The status alone already says what happened.
        Ok(None) | Err(_) => Document::default(),
    };
    let code =
        document.kind.rsplit(['/', ':', '#']).next().filter(|code| !code.is_empty()).unwrap_or("unknown");
    let detail = [document.detail.as_str(), document.title.as_str()]
        .into_iter()
        .find(|text| !text.is_empty())
        .or_else(|| status.canonical_reason())
        .unwrap_or("no reason given");
    Problem { status: status.as_u16(), code: printable(code), detail: printable(detail), retry_after }
}

/// A server's words reach a terminal: no control characters, and a screen line or two at most.
fn printable(text: &str) -> String {
    text.trim_end_matches('.').chars().filter(|c| !c.is_control()).take(300).collect()
}

fn text_header(headers: &HeaderMap, name: &HeaderName) -> Option<String> {
    headers.get(name)?.to_str().ok().map(str::to_owned)
}

/// The content type without its parameters.
fn media_type(value: &str) -> String {
    value.split(';').next().unwrap_or_default().trim().to_ascii_lowercase()
}

/// reqwest's own sentence repeats the URL; the innermost cause is what a person can act on.
fn innermost(error: &(dyn std::error::Error + 'static)) -> String {
    let mut cause = error;
    while let Some(next) = cause.source() {
        cause = next;
    }
    cause.to_string()
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::net::TcpListener;

    use super::*;

    /// Answers one request with `answer`, whatever it asks.
    fn server(answer: Vec<u8>) -> Client {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        std::thread::spawn(move || {
            if let Ok((mut socket, _)) = listener.accept() {
                let mut request = [0; 4096];
                let _ = socket.read(&mut request);
                let _ = socket.write_all(&answer);
            }
        });
        Client::new(url.parse().unwrap()).unwrap()
    }

    fn get(answer: &str, max: usize) -> Result<Answer, ClientError> {
        server(answer.as_bytes().to_vec()).get("/x", "application/cbor", max, Duration::from_secs(5))
    }

    #[test]
    fn an_answer_longer_than_the_bound_is_not_read_to_its_end() {
        let endless =
            format!("HTTP/1.1 200 OK\r\ncontent-type: application/cbor\r\n\r\n{}", "x".repeat(100_000));
        assert!(matches!(get(&endless, 10), Err(ClientError::TooLong { max: 10, .. })));
    }

    #[test]
    fn a_login_page_is_no_answer() {
        let portal = "HTTP/1.1 200 OK\r\ncontent-type: text/html\r\ncontent-length: 6\r\n\r\n<html>";
        assert!(matches!(get(portal, 100), Err(ClientError::ContentType { .. })));
    }

    #[test]
    fn a_redirect_is_not_followed() {
        let redirect = "HTTP/1.1 302 Found\r\nlocation: http://192.0.2.1/\r\ncontent-length: 0\r\n\r\n";
        match get(redirect, 100) {
            Err(ClientError::Refused { problem, .. }) => assert_eq!(problem.status, 302),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_broken_connection_is_away_and_temporary() {
        let cut = "HTTP/1.1 200 OK\r\ncontent-type: application/cbor\r\ncontent-length: 9\r\n\r\nabc";
        let error = get(cut, 100).unwrap_err();
        assert!(matches!(error, ClientError::Away { .. }), "{error:?}");
        assert!(error.is_temporary());
        assert!(get("nonsense\r\n\r\n", 100).is_err());
    }

    /// A peer that sends a byte now and then must not hold a caller for longer than it wanted to wait: the whole answer counts.
    #[test]
    fn an_answer_that_drips_is_away() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        std::thread::spawn(move || {
            let Ok((mut socket, _)) = listener.accept() else { return };
            let _ = socket.write_all(b"HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\n\r\n");
            while socket.write_all(b"x").is_ok() {
                std::thread::sleep(Duration::from_millis(20));
            }
        });
        let client = Client::new(url.parse().unwrap()).unwrap();
        let error = client.get("/x", "text/plain", 1000, Duration::from_millis(500)).unwrap_err();
        assert!(
            matches!(error, ClientError::Away { .. }),
            "not read up to the bound of its length: {error:?}"
        );
    }

    #[test]
    fn what_proves_itself_may_have_any_label() {
        let answer = "HTTP/1.1 200 OK\r\ncontent-type: binary/unheard-of\r\ncontent-length: 3\r\n\r\nabc";
        let get = |max| {
            server(answer.as_bytes().to_vec()).get_unlabelled("/x", "text/plain", max, Duration::from_secs(5))
        };
        assert_eq!(get(3).unwrap().body, b"abc");
        assert!(matches!(get(2), Err(ClientError::TooLong { max: 2, .. })));
    }

    #[test]
    fn a_problem_keeps_its_code_and_its_wait_within_bounds() {
        let body = r#"{"type":"https://notary.example/problems/overloaded","title":"Busy","detail":"Come \u001b[31m back."}"#;
        let answer = format!(
            "HTTP/1.1 503 Service Unavailable\r\nretry-after: 999999\r\ncontent-type: application/problem+json\r\ncontent-length: {}\r\n\r\n{body}",
            body.len()
        );
        match get(&answer, 10) {
            Err(error @ ClientError::Refused { .. }) => {
                assert!(error.is_temporary());
                let ClientError::Refused { problem, .. } = error else { unreachable!() };
                assert_eq!(problem.code, "overloaded");
                assert_eq!(problem.detail, "Come [31m back");
                assert_eq!(problem.retry_after, Some(MAX_RETRY_AFTER));
            }
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn an_answer_within_bounds_is_given_whole() {
        let answer = "HTTP/1.1 200 OK\r\ndate: Sun, 22 Nov 2026 17:50:33 GMT\r\ncontent-type: application/cbor; x=y\r\ncontent-length: 3\r\n\r\nabc";
        let answer = get(answer, 3).unwrap();
        assert_eq!(answer.body, b"abc");
        assert_eq!(answer.date.as_deref(), Some("Sun, 22 Nov 2026 17:50:33 GMT"));
    }
}

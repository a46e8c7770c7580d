//! A witness over HTTP. Redirects are not followed, and no answer is read further than its bound, in bytes and in time.

use std::time::Duration;

use evidence::Digest;
use reqwest::header::{CONTENT_TYPE, HeaderValue};
use reqwest::{Client, RequestBuilder, Response, StatusCode};
use tlog::TreeSize;

use super::client::{Answer, AskError, MAX_ANSWER, WitnessClient};
use crate::store::commit::BoxFuture;

/// A witness at an address.
#[derive(Debug, Clone)]
pub struct HttpWitness {
    http: Client,
    submit: String,
    monitor: String,
}

impl HttpWitness {
    /// The witness at `base`, which has no slash at its end, for the log with this origin. With `direct`, no proxy of the
    /// environment is used: such proxies are meant for other machines than this one and its neighbours.
    pub fn new(base: &str, origin: &str, timeout: Duration, direct: bool) -> Result<Self, reqwest::Error> {
        // A second call finds the provider that the first one installed.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let mut http = Client::builder()
            .timeout(timeout)
            .redirect(reqwest::redirect::Policy::none())
            .user_agent(concat!("jianzhen/", env!("CARGO_PKG_VERSION")))
            .tcp_nodelay(true);
        if direct {
            http = http.no_proxy();
        }
        let hash = Digest::of(origin.as_bytes());
        Ok(Self {
            http: http.build()?,
            submit: format!("{base}/add-checkpoint"),
            monitor: format!("{base}/{hash}/checkpoint"),
        })
    }
}

impl WitnessClient for HttpWitness {
    fn add_checkpoint<'a>(&'a self, body: String) -> BoxFuture<'a, Result<Answer, AskError>> {
        Box::pin(async move {
            let text = HeaderValue::from_static("text/plain; charset=utf-8");
            let response = send(self.http.post(&self.submit).header(CONTENT_TYPE, text).body(body)).await?;
            match response.status() {
                StatusCode::OK => Ok(Answer::Cosigned(body_of(response).await?)),
                StatusCode::CONFLICT => Ok(Answer::Conflict(size_in(&body_of(response).await?)?)),
                _ => Err(refusal(response).await),
            }
        })
    }

    fn newest<'a>(&'a self) -> BoxFuture<'a, Result<Option<Vec<u8>>, AskError>> {
        Box::pin(async move {
            let response = send(self.http.get(&self.monitor)).await?;
            match response.status() {
                StatusCode::OK => body_of(response).await.map(Some),
                StatusCode::NOT_FOUND => Ok(None),
                _ => Err(refusal(response).await),
            }
        })
    }
}

async fn send(request: RequestBuilder) -> Result<Response, AskError> {
    request.send().await.map_err(|error| silent(&error))
}

async fn body_of(mut response: Response) -> Result<Vec<u8>, AskError> {
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(|error| silent(&error))? {
        if body.len() + chunk.len() > MAX_ANSWER {
            return Err(AskError::Unusable(format!("it has more than {MAX_ANSWER} bytes")));
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}

/// A decimal and a newline (`text/x.tlog.size`).
fn size_in(body: &[u8]) -> Result<TreeSize, AskError> {
    let text = std::str::from_utf8(body).ok().and_then(|text| text.strip_suffix('\n'));
    let size = text.and_then(|text| text.parse().ok());
    size.ok_or_else(|| AskError::Unusable("a 409 without the size that it has".to_owned()))
}

async fn refusal(response: Response) -> AskError {
    let status = response.status();
    let said = body_of(response).await.unwrap_or_default();
    // Into a log file and a web page: no control characters, and a line at most.
    let said: String = String::from_utf8_lossy(&said).chars().filter(|c| !c.is_control()).take(200).collect();
    let reason = status.canonical_reason().unwrap_or("no reason");
    let detail = if said.is_empty() { reason.to_owned() } else { said.trim_end_matches('.').to_owned() };
    AskError::Refused { status: status.as_u16(), detail }
}

/// The innermost cause: the outer sentences repeat the address.
fn silent(error: &(dyn std::error::Error + 'static)) -> AskError {
    let mut cause = error;
    while let Some(next) = cause.source() {
        cause = next;
    }
    AskError::Silent(cause.to_string().trim_end_matches('.').to_owned())
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::net::TcpListener;

    use super::*;

    /// Answers every connection with `head`, then with `tail` again and again until nobody listens.
    async fn witness(head: &'static str, tail: &'static str) -> HttpWitness {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let base = format!("http://{}", listener.local_addr().unwrap());
        tokio::spawn(async move {
            while let Ok((mut socket, _)) = listener.accept().await {
                let mut request = [0; 4096];
                let _ = socket.read(&mut request).await;
                let _ = socket.write_all(head.as_bytes()).await;
                while !tail.is_empty() && socket.write_all(tail.as_bytes()).await.is_ok() {}
            }
        });
        HttpWitness::new(&base, "test.example/log", Duration::from_millis(500), true).unwrap()
    }

    async fn answer(head: &'static str) -> Result<Answer, AskError> {
        witness(head, "").await.add_checkpoint("old 0\n".to_owned()).await
    }

    #[tokio::test]
    async fn a_body_without_end_is_cut_off() {
        let endless = witness("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n", "4\r\nabcd\r\n").await;
        let error = endless.newest().await.unwrap_err();
        assert!(matches!(error, AskError::Unusable(_)), "{error:?}");
        assert!(endless.add_checkpoint(String::new()).await.is_err());
    }

    #[tokio::test]
    async fn a_redirect_is_a_refusal_and_is_not_followed() {
        let redirect =
            "HTTP/1.1 307 Temporary Redirect\r\nlocation: http://127.0.0.1:1/\r\ncontent-length: 0\r\n\r\n";
        assert!(matches!(answer(redirect).await, Err(AskError::Refused { status: 307, .. })));
        assert!(matches!(
            witness(redirect, "").await.newest().await,
            Err(AskError::Refused { status: 307, .. })
        ));
    }

    #[tokio::test]
    async fn a_conflict_needs_a_size_that_a_tree_can_have() {
        let conflict = |size: &str| {
            let text = format!("HTTP/1.1 409 Conflict\r\ncontent-length: {}\r\n\r\n{size}", size.len());
            answer(Box::leak(text.into_boxed_str()))
        };
        assert_eq!(conflict("42\n").await, Ok(Answer::Conflict(TreeSize::new(42))));
        for nonsense in ["", "\n", "42", "042\n", "-1\n", "18446744073709551616\n", "4 2\n", "<html>\n"] {
            assert!(matches!(conflict(nonsense).await, Err(AskError::Unusable(_))), "{nonsense:?}");
        }
    }

    #[tokio::test]
    async fn silence_half_an_answer_and_nobody_there_are_silence() {
        let hanging = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let base = format!("http://{}", hanging.local_addr().unwrap());
        let client = HttpWitness::new(&base, "o", Duration::from_millis(50), true).unwrap();
        assert!(matches!(client.newest().await, Err(AskError::Silent(_))));
        drop(hanging);
        assert!(matches!(client.newest().await, Err(AskError::Silent(_))));
        let half = "HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nabc";
        assert!(matches!(answer(half).await, Err(AskError::Silent(_))));
    }

    #[tokio::test]
    async fn what_a_witness_says_reaches_the_log_without_control_characters() {
        let body = "no \u{1b}[31msuch log.";
        let text = format!("HTTP/1.1 404 Not Found\r\ncontent-length: {}\r\n\r\n{body}", body.len());
        let refused = answer(Box::leak(text.into_boxed_str())).await;
        let detail = "no [31msuch log".to_owned();
        assert_eq!(refused, Err(AskError::Refused { status: 404, detail }));
    }
}

//! One question to our own server on loopback: does it answer? Not worth an HTTP client.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use anyhow::{Context, ensure};

/// How long an answer on loopback may take.
const PATIENCE: Duration = Duration::from_secs(5);

/// Asks for `path` and demands success.
pub(super) fn demand_success(url: &str, path: &str) -> anyhow::Result<()> {
    let status = status_line(url, path).with_context(|| format!("{url}{path} does not answer"))?;
    ensure!(status.split(' ').nth(1) == Some("200"), "{url}{path} answers `{status}`");
    Ok(())
}

fn status_line(url: &str, path: &str) -> anyhow::Result<String> {
    let host = url.strip_prefix("http://").context("it is not an http address")?;
    let address: SocketAddr = host.parse().context("it is not an address with a port")?;
    let mut stream = TcpStream::connect_timeout(&address, PATIENCE)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    // One write: piece by piece, a server could see half a request line.
    let request = format!("GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes())?;
    // The status line is all that matters, and a fragment of an answer is enough for it.
    let mut answer = Vec::new();
    let mut piece = [0; 256];
    while !answer.contains(&b'\n') && answer.len() < 4096 {
        let length = stream.read(&mut piece)?;
        ensure!(length > 0, "the connection was closed early");
        answer.extend_from_slice(&piece[..length]);
    }
    let line = answer.split(|byte| *byte == b'\n').next().unwrap_or_default();
    Ok(String::from_utf8_lossy(line).trim_end().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::TcpListener;

    fn server(answer: &'static str) -> String {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let mut request = [0; 512];
            let length = stream.read(&mut request).unwrap();
            assert!(request[..length].starts_with(b"GET /readyz HTTP/1.1\r\n"));
            stream.write_all(answer.as_bytes()).unwrap();
        });
        url
    }

    #[test]
    fn only_success_counts_as_an_answer() {
        assert!(demand_success(&server("HTTP/1.1 200 OK\r\n\r\n"), "/readyz").is_ok());
        for answer in ["HTTP/1.1 503 Service Unavailable\r\n\r\n", "HTTP/1.1", "", "nonsense\r\n"] {
            assert!(demand_success(&server(answer), "/readyz").is_err(), "{answer:?}");
        }
    }

    #[test]
    fn nobody_there_is_an_error() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        drop(listener);
        assert!(demand_success(&url, "/").is_err());
    }
}

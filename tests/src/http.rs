//! One question over loopback, where a client with a pool of connections would only be in the way.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use anyhow::{Context, Result, ensure};

/// How long one answer may take.
const PATIENCE: Duration = Duration::from_secs(20);

/// Fetches `url` and demands success; gives the body.
pub fn get(url: &str) -> Result<Vec<u8>> {
    let (status, body) = ask(url)?;
    ensure!(status == 200, "{url} answers {status}: {}", String::from_utf8_lossy(&body));
    Ok(body)
}

/// Fetches `url` and gives the status.
pub fn status(url: &str) -> Result<u16> {
    Ok(ask(url)?.0)
}

/// Posts `body` to `url`; gives status and body of the answer.
pub fn post(url: &str, body: &[u8]) -> Result<(u16, Vec<u8>)> {
    send(url, "POST", body)
}

fn ask(url: &str) -> Result<(u16, Vec<u8>)> {
    send(url, "GET", b"")
}

fn send(url: &str, method: &str, body: &[u8]) -> Result<(u16, Vec<u8>)> {
    let rest = url.strip_prefix("http://").context("only plain HTTP to loopback")?;
    let (host, path) = rest.split_once('/').unwrap_or((rest, ""));
    let address: SocketAddr = host.parse().with_context(|| format!("{host} is no address"))?;
    let mut stream = TcpStream::connect_timeout(&address, PATIENCE)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    // HTTP/1.0: the body ends with the connection.
    let length = body.len();
    let head = format!("{method} /{path} HTTP/1.0\r\nHost: {host}\r\nContent-Length: {length}\r\n\r\n");
    stream.write_all(head.as_bytes())?;
    stream.write_all(body)?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer)?;
    let end = answer.windows(4).position(|window| window == b"\r\n\r\n").context("the answer has no body")?;
    let head = String::from_utf8_lossy(&answer[..end]).into_owned();
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok());
    let body = answer.split_off(end + 4);
    let length = head.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("content-length").then(|| value.trim().parse::<usize>().ok())?
    });
    ensure!(length.is_none_or(|length| length == body.len()), "{url}: the answer was cut short");
    Ok((status.with_context(|| format!("{url} answers no HTTP"))?, body))
}

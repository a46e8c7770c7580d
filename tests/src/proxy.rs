//! A server in the middle that answers some paths itself and passes everything else on.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::{Context, Result};

/// A running proxy; dropping it stops it.
#[derive(Debug)]
pub struct Proxy {
    address: SocketAddr,
    stopped: Arc<AtomicBool>,
}

/// What is answered instead of the real server's answer.
#[derive(Debug)]
enum Replacement {
    /// Paths that begin with this.
    Prefix { prefix: String, status: u16, body: Vec<u8> },
    /// These paths, each with a body of its own.
    Files(BTreeMap<String, Vec<u8>>),
}

impl Replacement {
    /// Status and body for `path`; none where the real server is asked.
    fn answer(&self, path: &str) -> Option<(u16, &[u8])> {
        match self {
            Self::Prefix { prefix, status, body } => {
                path.starts_with(prefix.as_str()).then_some((*status, body.as_slice()))
            }
            Self::Files(files) => files.get(path).map(|body| (200, body.as_slice())),
        }
    }

    /// Tiles are bytes, notes are text; for everything else that is replaced, evidence is what was asked for.
    fn content_type(path: &str) -> &'static str {
        if path.starts_with("/log/tile/") {
            "application/octet-stream"
        } else if path.starts_with("/log/checkpoint") {
            "text/plain; charset=utf-8"
        } else {
            "application/cbor"
        }
    }
}

impl Proxy {
    /// Starts a proxy before `upstream` that answers paths beginning with `prefix` by `status` and `body`.
    pub fn start(upstream: &str, prefix: &str, status: u16, body: &[u8]) -> Result<Self> {
        Self::replacing(
            upstream,
            Replacement::Prefix { prefix: prefix.to_owned(), status, body: body.to_vec() },
        )
    }

    /// Starts a proxy before `upstream` that answers the paths of `files` with their bodies.
    pub fn overlay(upstream: &str, files: BTreeMap<String, Vec<u8>>) -> Result<Self> {
        Self::replacing(upstream, Replacement::Files(files))
    }

    fn replacing(upstream: &str, replacement: Replacement) -> Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", 0))?;
        let address = listener.local_addr()?;
        let stopped = Arc::new(AtomicBool::new(false));
        let host = upstream.strip_prefix("http://").context("only plain HTTP to loopback")?.to_owned();
        let replacement = Arc::new(replacement);
        let flag = Arc::clone(&stopped);
        std::thread::spawn(move || {
            for connection in listener.incoming().flatten() {
                if flag.load(Ordering::SeqCst) {
                    return;
                }
                let (host, replacement) = (host.clone(), Arc::clone(&replacement));
                // A connection that breaks is the browser's to report.
                std::thread::spawn(move || serve(connection, &host, &replacement).ok());
            }
        });
        Ok(Self { address, stopped })
    }

    /// The address to open, without a trailing slash.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.stopped.store(true, Ordering::SeqCst);
        // Wakes the accepting thread so that it sees the flag.
        let _ = TcpStream::connect(self.address);
    }
}

/// One request a connection: reads it, answers it, closes.
fn serve(connection: TcpStream, host: &str, replacement: &Replacement) -> Result<()> {
    let mut reader = BufReader::new(connection.try_clone()?);
    let mut writer = connection;
    let mut request = String::new();
    let mut length = 0;
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line)? == 0 || line == "\r\n" {
            break;
        }
        let lower = line.to_ascii_lowercase();
        if let Some(value) = lower.strip_prefix("content-length:") {
            length = value.trim().parse()?;
        }
        if !lower.starts_with("connection:") && !lower.starts_with("host:") {
            request.push_str(&line);
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body)?;
    let path = request.split(' ').nth(1).unwrap_or_default();
    if let Some((status, body)) = replacement.answer(path) {
        let content_type = Replacement::content_type(path);
        write!(
            writer,
            "HTTP/1.1 {status} Replaced\r\nContent-Length: {}\r\nContent-Type: {content_type}\r\n\
             Cross-Origin-Embedder-Policy: require-corp\r\nCross-Origin-Resource-Policy: same-origin\r\n\
             Connection: close\r\n\r\n",
            body.len()
        )?;
        writer.write_all(body)?;
        return Ok(());
    }
    let mut upstream = TcpStream::connect(host)?;
    write!(upstream, "{request}Host: {host}\r\nConnection: close\r\n\r\n")?;
    upstream.write_all(&body)?;
    std::io::copy(&mut upstream, &mut writer)?;
    Ok(())
}

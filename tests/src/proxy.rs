//! A server in the middle that answers one path itself and passes everything else on.

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
struct Replacement {
    /// Replaced are the paths that begin with this.
    prefix: String,
    status: u16,
    body: Vec<u8>,
}

impl Proxy {
    /// Starts a proxy before `upstream` that answers paths beginning with `prefix` by `status` and `body`.
    pub fn start(upstream: &str, prefix: &str, status: u16, body: &[u8]) -> Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", 0))?;
        let address = listener.local_addr()?;
        let stopped = Arc::new(AtomicBool::new(false));
        let host = upstream.strip_prefix("http://").context("only plain HTTP to loopback")?.to_owned();
        let replacement = Arc::new(Replacement { prefix: prefix.to_owned(), status, body: body.to_vec() });
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
    if path.starts_with(&replacement.prefix) {
        let Replacement { status, body, .. } = replacement;
        write!(
            writer,
            "HTTP/1.1 {status} Replaced\r\nContent-Length: {}\r\nContent-Type: application/cbor\r\n\
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

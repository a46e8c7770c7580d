//! Connections: how many, how long they may be silent, and how many bytes they bring. Below TLS and HTTP, so nothing is missed
//! and nothing is guessed.

use std::future::{Future as _, Ready, ready};
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use axum_server::accept::Accept;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, Sleep};

use crate::metrics::HttpMetrics;

/// A connection on which nothing moves for so long is closed: longer than the slowest answer takes, and short enough that silent
/// connections cannot keep all places for ever.
pub const SILENCE: Duration = Duration::from_secs(90);

/// Accepts connections up to a limit and counts what they bring.
#[derive(Debug, Clone)]
pub struct CountingAcceptor {
    metrics: HttpMetrics,
    places: Arc<Semaphore>,
    silence: Duration,
}

/// A connection that counts.
#[derive(Debug)]
pub struct Counted {
    stream: TcpStream,
    metrics: HttpMetrics,
    silence: Duration,
    deadline: Pin<Box<Sleep>>,
    _place: OwnedSemaphorePermit,
}

impl CountingAcceptor {
    /// At most `connections` at a time.
    pub fn new(metrics: HttpMetrics, connections: usize) -> Self {
        let places = Arc::new(Semaphore::new(connections.min(Semaphore::MAX_PERMITS)));
        Self { metrics, places, silence: SILENCE }
    }
}

impl Counted {
    /// Puts the deadline off when something moved; ends the connection when nothing has for too long.
    fn watch<T>(&mut self, cx: &mut Context<'_>, polled: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        if polled.is_ready() {
            self.deadline.as_mut().reset(Instant::now() + self.silence);
            return polled;
        }
        self.deadline.as_mut().poll(cx).map(|()| Err(io::ErrorKind::TimedOut.into()))
    }
}

impl<S> Accept<TcpStream, S> for CountingAcceptor {
    type Stream = Counted;
    type Service = S;
    type Future = Ready<io::Result<(Counted, S)>>;

    fn accept(&self, stream: TcpStream, service: S) -> Self::Future {
        let Ok(place) = self.places.clone().try_acquire_owned() else {
            return ready(Err(io::Error::other("too many connections")));
        };
        let accepted = stream.set_nodelay(true).map(|()| {
            self.metrics.connections.inc();
            let deadline = Box::pin(tokio::time::sleep(self.silence));
            let metrics = self.metrics.clone();
            (Counted { stream, metrics, silence: self.silence, deadline, _place: place }, service)
        });
        ready(accepted)
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.metrics.connections.dec();
    }
}

impl AsyncRead for Counted {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let before = buf.filled().len();
        let polled = Pin::new(&mut this.stream).poll_read(cx, buf);
        let received = buf.filled().len().saturating_sub(before);
        this.metrics.received_bytes.inc_by(u64::try_from(received).unwrap_or(u64::MAX));
        this.watch(cx, polled)
    }
}

impl AsyncWrite for Counted {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, data: &[u8]) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let polled = Pin::new(&mut this.stream).poll_write(cx, data);
        this.watch(cx, polled)
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_shutdown(cx)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        data: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let polled = Pin::new(&mut this.stream).poll_write_vectored(cx, data);
        this.watch(cx, polled)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::net::TcpListener;

    use super::*;

    async fn accept(acceptor: &CountingAcceptor, listener: &TcpListener) -> io::Result<Counted> {
        let (stream, _) = listener.accept().await.unwrap();
        acceptor.accept(stream, ()).await.map(|(counted, ())| counted)
    }

    #[tokio::test]
    async fn connections_beyond_the_limit_are_closed_and_places_come_back() {
        let metrics = HttpMetrics::default();
        let acceptor = CountingAcceptor::new(metrics.clone(), 1);
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let mut client = TcpStream::connect(address).await.unwrap();
        let mut first = accept(&acceptor, &listener).await.unwrap();
        let _second = TcpStream::connect(address).await.unwrap();
        assert!(accept(&acceptor, &listener).await.is_err());
        client.write_all(b"12345").await.unwrap();
        let mut read = [0; 5];
        first.read_exact(&mut read).await.unwrap();
        assert_eq!((metrics.received_bytes.get(), metrics.connections.get()), (5, 1));
        drop(first);
        assert_eq!(metrics.connections.get(), 0);
        let _third = TcpStream::connect(address).await.unwrap();
        assert!(accept(&acceptor, &listener).await.is_ok());
    }

    #[tokio::test]
    async fn a_silent_connection_is_closed() {
        let silence = Duration::from_millis(1);
        let acceptor = CountingAcceptor { silence, ..CountingAcceptor::new(HttpMetrics::default(), 1) };
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let _client = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        let mut connection = accept(&acceptor, &listener).await.unwrap();
        let error = connection.read(&mut [0; 1]).await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
    }
}

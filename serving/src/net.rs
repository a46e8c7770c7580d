//! Connections: how many, how long they may be silent, and how many bytes they bring. Below TLS and HTTP, so nothing is missed
//! and nothing is guessed.

use std::collections::HashMap;
use std::future::{Future as _, Ready, ready};
use std::io;
use std::num::NonZeroUsize;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use axum_server::accept::Accept;
use futures_util::task::AtomicWaker;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::{Instant, Sleep};

use crate::metrics::HttpMetrics;

/// A connection on which nothing moves for so long is closed: longer than the slowest answer takes, and short enough that silent
/// connections cannot keep all places for ever.
pub const SILENCE: Duration = Duration::from_secs(90);

/// How many connections there may be.
#[derive(Debug, Clone, Copy)]
pub struct Connections {
    /// Open at the same time.
    pub at_most: NonZeroUsize,
    /// When all places are taken, a new connection gets that of the one on which nothing has moved for longest, if that is as long as
    /// this: thousands of silent connections keep nobody out. Longer than an answer may be in the making.
    pub silent_for: Duration,
}

/// Accepts connections up to a limit and counts what they bring.
#[derive(Debug, Clone)]
pub struct CountingAcceptor {
    metrics: HttpMetrics,
    places: Arc<Places>,
    silence: Duration,
}

/// A connection that counts.
#[derive(Debug)]
pub struct Counted {
    stream: TcpStream,
    metrics: HttpMetrics,
    silence: Duration,
    deadline: Pin<Box<Sleep>>,
    places: Arc<Places>,
    number: u64,
    place: Arc<Place>,
}

/// The open connections.
#[derive(Debug)]
struct Places {
    limit: Connections,
    since: Instant,
    open: Mutex<Open>,
}

#[derive(Debug, Default)]
struct Open {
    next: u64,
    places: HashMap<u64, Arc<Place>>,
}

/// What others may know and do about a connection.
#[derive(Debug)]
struct Place {
    /// When something moved last, in milliseconds since the acceptor was made.
    moved: AtomicU64,
    /// Another connection has its place.
    lost: AtomicBool,
    reader: AtomicWaker,
}

impl Places {
    fn now(&self) -> u64 {
        u64::try_from(self.since.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    fn open(&self) -> MutexGuard<'_, Open> {
        // Nothing that could panic is done under the lock.
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A place for a new connection, if need be that of one that does nothing.
    fn take(&self) -> Option<(u64, Arc<Place>)> {
        let now = self.now();
        let mut open = self.open();
        if open.places.len() >= self.limit.at_most.get() {
            let moved = |place: &Place| place.moved.load(Ordering::Relaxed);
            let (number, idle) = open.places.iter().min_by_key(|(_, place)| moved(place))?;
            if u128::from(now.saturating_sub(moved(idle))) < self.limit.silent_for.as_millis() {
                return None;
            }
            let number = *number;
            let idle = open.places.remove(&number)?;
            idle.lost.store(true, Ordering::SeqCst);
            idle.reader.wake();
        }
        let number = open.next;
        open.next += 1;
        let place = Arc::new(Place { moved: now.into(), lost: false.into(), reader: AtomicWaker::new() });
        open.places.insert(number, place.clone());
        Some((number, place))
    }
}

impl CountingAcceptor {
    /// At most so many connections at a time.
    pub fn new(metrics: HttpMetrics, limit: Connections) -> Self {
        let places = Places { limit, since: Instant::now(), open: Mutex::default() };
        Self { metrics, places: Arc::new(places), silence: SILENCE }
    }
}

impl Counted {
    /// Puts the deadline off when something moved; ends the connection when nothing has for too long.
    fn watch<T>(&mut self, cx: &mut Context<'_>, polled: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        if polled.is_ready() {
            self.place.moved.store(self.places.now(), Ordering::Relaxed);
            self.deadline.as_mut().reset(Instant::now() + self.silence);
            return polled;
        }
        if self.place.lost.load(Ordering::SeqCst) {
            return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
        }
        self.deadline.as_mut().poll(cx).map(|()| Err(io::ErrorKind::TimedOut.into()))
    }
}

impl<S> Accept<TcpStream, S> for CountingAcceptor {
    type Stream = Counted;
    type Service = S;
    type Future = Ready<io::Result<(Counted, S)>>;

    fn accept(&self, stream: TcpStream, service: S) -> Self::Future {
        let Some((number, place)) = self.places.take() else {
            return ready(Err(io::Error::other("too many connections")));
        };
        let accepted = stream.set_nodelay(true).map(|()| {
            self.metrics.connections.inc();
            let deadline = Box::pin(tokio::time::sleep(self.silence));
            let (metrics, places, silence) = (self.metrics.clone(), self.places.clone(), self.silence);
            (Counted { stream, metrics, silence, deadline, places, number, place }, service)
        });
        if accepted.is_err() {
            self.places.open().places.remove(&number);
        }
        ready(accepted)
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.places.open().places.remove(&self.number);
        self.metrics.connections.dec();
    }
}

impl AsyncRead for Counted {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        // Before anything is looked at: whoever takes the place later wakes the reader.
        this.place.reader.register(cx.waker());
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

    fn limit(at_most: usize, silent_for: Duration) -> Connections {
        Connections { at_most: NonZeroUsize::new(at_most).unwrap(), silent_for }
    }

    async fn accept(acceptor: &CountingAcceptor, listener: &TcpListener) -> io::Result<Counted> {
        let (stream, _) = listener.accept().await.unwrap();
        acceptor.accept(stream, ()).await.map(|(counted, ())| counted)
    }

    #[tokio::test]
    async fn connections_beyond_the_limit_are_closed_and_places_come_back() {
        let metrics = HttpMetrics::default();
        let acceptor = CountingAcceptor::new(metrics.clone(), limit(1, SILENCE));
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
        let acceptor =
            CountingAcceptor { silence, ..CountingAcceptor::new(HttpMetrics::default(), limit(1, SILENCE)) };
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let _client = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        let mut connection = accept(&acceptor, &listener).await.unwrap();
        let error = connection.read(&mut [0; 1]).await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
    }

    #[tokio::test]
    async fn who_says_something_gets_the_place_of_who_is_silent() {
        let metrics = HttpMetrics::default();
        let acceptor = CountingAcceptor::new(metrics.clone(), limit(2, Duration::ZERO));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let _idler = TcpStream::connect(address).await.unwrap();
        let mut idle = accept(&acceptor, &listener).await.unwrap();
        let mut talker = TcpStream::connect(address).await.unwrap();
        let mut busy = accept(&acceptor, &listener).await.unwrap();
        // The first reads and waits; the second has just received something.
        let waiting = tokio::spawn(async move { idle.read(&mut [0; 1]).await.unwrap_err().kind() });
        tokio::time::sleep(Duration::from_millis(5)).await;
        talker.write_all(b"x").await.unwrap();
        busy.read_exact(&mut [0; 1]).await.unwrap();
        for _ in 0..2 {
            let _next = TcpStream::connect(address).await.unwrap();
            let next = accept(&acceptor, &listener).await.unwrap();
            assert!(acceptor.places.open().places.len() <= 2);
            drop(next);
        }
        assert_eq!(waiting.await.unwrap(), io::ErrorKind::TimedOut);
        talker.write_all(b"y").await.unwrap();
        busy.read_exact(&mut [0; 1]).await.unwrap();
        drop(busy);
        assert_eq!((metrics.connections.get(), acceptor.places.open().places.len()), (0, 0));
    }
}

//! What the programs that listen (`jianzhen-server`, `jianzhen-witness`) have in common, so that both withstand the same clumsy
//! and hostile clients.
//!
//! | module | what |
//! | --- | --- |
//! | [`net`] | connections: how many, how long they may be silent, how many bytes they bring |
//! | [`listener`] | the listening socket, TLS, and stopping |
//! | [`limits`] | requests: how many at a time, how long, how large; answers that nobody reads |
//! | [`problem`] | errors as `application/problem+json` |
//! | [`metrics`] | counting requests and connections; OpenMetrics text |
//! | [`key_file`], [`lock`] | signing keys in files; one process a data directory |
//! | [`log_lines`], [`ready_file`] | how a program talks to whoever started it |
//!
//! What a request means is the program's business.

pub mod key_file;
pub mod limits;
pub mod listener;
pub mod lock;
pub mod log_lines;
pub mod metrics;
pub mod net;
pub mod problem;
pub mod ready_file;

pub use key_file::KeyFileError;
pub use limits::{Places, Sending};
pub use listener::{Bounds, HalfTls, ListenError, Listener, Listening, Tls, TlsFiles};
pub use lock::{DirectoryLock, LockError};
pub use log_lines::LogFormat;
pub use metrics::HttpMetrics;
pub use net::Connections;
pub use problem::{Kind, Problem};
pub use ready_file::ReadyFile;

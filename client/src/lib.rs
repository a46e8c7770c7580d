//! HTTP to the verification service, for the native programs (recorder, `jianzhen-verify`, the
//! registrar's commands).
//!
//! Two rules live here so that no program can forget them: plain HTTP only to loopback ([`ServerUrl`]), and no
//! answer is read further than the caller's bound ([`Client`]). What a body means is the caller's business.

mod http;
mod server_url;

pub use http::{Answer, Client, ClientError, Problem};
pub use server_url::{ServerUrl, ServerUrlError};

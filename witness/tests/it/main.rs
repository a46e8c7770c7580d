//! The witness from outside: over its router, over sockets, and as a process.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on should fail")]

mod connections;
mod crash;
mod interoperation;
mod mirror;
mod process;
mod races;
mod statuses;
mod support;

//! Audits of chains whose operators are honest, or not.

#![allow(clippy::unwrap_used, reason = "a test that cannot be set up has failed")]

mod chain;
mod cli;
mod walks;

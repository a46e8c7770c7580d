//! Keeping a log: backup, restore, checking, key rotation, and a registrar elsewhere, with the real program.

#![allow(clippy::unwrap_used, reason = "a test that cannot be set up has failed")]

mod backup;
mod damage;
mod mirror;
mod policy;
mod registrar;
mod support;

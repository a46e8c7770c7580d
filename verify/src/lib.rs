//! `jianzhen-verify`: the same verdict on the command line, offline, with exit codes.
//!
//! No verification rules live here: [`evidence::Examination`] asks for digests and for evidence, this crate reads, hashes
//! and asks, and prints the [`evidence::Report`] as JSON or as sentences.

pub mod ask;
pub mod cli;
pub mod container;
pub mod exit;
pub mod hashing;
pub mod opened;
pub mod pins;
pub mod print;
pub mod receipts;
pub mod run;
pub mod text;
pub mod trust;

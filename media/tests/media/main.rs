//! Tests of the crate from outside.

mod boundaries;
mod common;
mod equivalence;
mod header;
mod real_files;
mod rule;

//! Tests of the crate from outside.

mod common;
mod equivalence;
mod real_files;
mod rule;

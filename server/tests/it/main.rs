//! The service as its clients, its operator and its enemies see it.

#![allow(clippy::unwrap_used, reason = "a test that cannot be set up has failed")]

mod durability;
mod faults;
mod gaps;
mod history;
mod intake;
mod log;
mod lookups;
mod observatory;
mod process;
mod quorum;
mod startup;
mod steps;
mod support;
mod surface;
mod witness;

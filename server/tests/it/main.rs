//! The service as its clients, its operator and its enemies see it.

mod durability;
mod faults;
mod intake;
mod log;
mod lookups;
mod observatory;
mod process;
mod support;
mod surface;

//! Tests of the verdict: a small world with a chain, a registrar, devices and videos, and everything that may be
//! wrong in it. Every case runs through [`Examination`](crate::Examination), as the page and the command line do.

mod candidates;
mod examination;
mod excerpts;
mod forgeries;
mod mutations;
mod packing;
mod registry;
mod roots;
mod rotation;
mod rows;
mod schema;
mod world;

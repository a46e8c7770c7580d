//! Reading the whole chain, from the operator or from a mirror, and saying what is wrong with it.
//!
//! | module | what |
//! | --- | --- |
//! | [`reader`] | where the chain is read from: HTTP, or anything else that has its files |
//! | [`trusted`] | what a trust file makes of one checkpoint |
//! | [`mod@walk`] | every entry in order, and every archived checkpoint at its place, up to a verified root |
//! | [`registry`], [`history`] | the two audits: the device registry; times, archive and pins |
//! | [`witnesses`] | what the witnesses show of the same chain |
//! | [`finding`] | what can be wrong |
//! | [`cli`] | the command line |
//!
//! Memory does not grow with the chain: what was read is hashed, judged, and forgotten. The set of revoked keys is kept.

pub mod cli;
pub mod finding;
pub mod history;
pub mod reader;
pub mod registry;
pub mod trusted;
pub mod walk;
pub mod witnesses;

pub use finding::{Code, Finding};
pub use reader::{HttpLog, LogObject, LogReader, ReadLogError};
pub use trusted::{NotTrusted, Trusted};
pub use walk::{Archived, Expectation, Start, Visitor, WalkError, walk};

//! The harness of the end-to-end tests: a whole stack on loopback, a real Chromium, and videos to put through them.
//!
//! - [`process`]: children that never outlive a test.
//! - [`server`], [`witness`], [`stack`]: the programs, as operators, other institutions and officers start them.
//! - [`http`]: one question to one of them.
//! - [`load`]: load as from many recorders, and a memory of what they were promised.
//! - [`forger`]: what a malicious operator can make of a chain.
//! - [`mod@bench`]: how long a receipt takes under a steady load.
//! - [`chaos`]: kills, full disks and cut cables under that load; [`random`] says when.
//! - [`cli`]: `jianzhen-verify`, whose JSON must equal the page's.
//! - [`browser`] and [`page`]: ChromeDriver, and the page as a user sees it.
//! - [`proxy`]: a server in the middle that lies.
//! - [`foreign`]: programs that others wrote to the same specifications.
//! - [`video`]: videos made by ffmpeg, and the edits an attacker or a clumsy user makes.
//!
//! Everything here may panic: it is a test harness, and a panic is a failed test.

#![allow(clippy::unwrap_used)]

pub mod bench;
pub mod browser;
pub mod chaos;
pub mod cli;
pub mod foreign;
pub mod forger;
pub mod http;
pub mod load;
pub mod page;
pub mod process;
pub mod proxy;
pub mod random;
pub mod server;
pub mod stack;
pub mod video;
pub mod witness;

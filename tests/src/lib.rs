//! The harness of the end-to-end tests: a whole stack on loopback, a real Chromium, and videos to put through them.
//!
//! - [`process`]: children that never outlive a test.
//! - [`server`], [`witness`], [`stack`]: the programs, as operators, other institutions and officers start them.
//! - [`http`]: one question to one of them.
//! - [`cli`]: `jianzhen-verify`, whose JSON must equal the page's.
//! - [`browser`] and [`page`]: ChromeDriver, and the page as a user sees it.
//! - [`proxy`]: a server in the middle that lies.
//! - [`video`]: videos made by ffmpeg, and the edits an attacker or a clumsy user makes.
//!
//! Everything here may panic: it is a test harness, and a panic is a failed test.

#![allow(clippy::unwrap_used)]

pub mod browser;
pub mod cli;
pub mod http;
pub mod page;
pub mod process;
pub mod proxy;
pub mod server;
pub mod stack;
pub mod video;
pub mod witness;

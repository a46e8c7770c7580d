//! Messages between the page and the verifier worker.
//!
//! Both directions are serde values that cross by structured clone ([`to_js`], [`from_js`]); files cross as they
//! are, so no byte of them is copied. The conversation, one piece of work at a time:
//!
//! ```text
//! worker                         page
//!   ── Ready { build } ─────────▶       always the first message; the page sends nothing before it
//!   ── Prepared { … } ──────────▶       at any time after it: the worker can do without the network from now on
//!   ◀──────── Verify { … } ──────       only if `build` is the page's own [`BUILD_ID`]
//!   ── Progress { … } ──────────▶       any number
//!   ◀─────────────── Cancel ─────       perhaps; without running work it means nothing
//!   ── Finished { … } ──────────▶       exactly one for each Verify
//! ```
//!
//! The other kinds of work go the same way: `Look` is answered by `Looked`, `Check` by `Checked`, `Describe` by
//! `Described`, one each, without progress.
//!
//! A worker that dies says `Crashed` if it still can, and raises an `error` event otherwise.
//!
//! Byte counts are `u64` here and JavaScript numbers on the way. No file is longer than 2^53 − 1 bytes
//! (`docs/spec/statement.md`, "Limits"), so they are exact; a greater one is an error, never rounded.

pub mod chain;

pub use evidence::{Digest, EVIDENCE_MAGIC, MAX_EVIDENCE_LEN, MAX_TRUST_LEN, report};

/// What of a statement a report repeats.
pub mod statement {
    pub use evidence::Position;
    pub use evidence::statement::{ClockSource, EndReason, EventKind, SelfCheck};
}

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use wasm_bindgen::JsValue;

use chain::{Checked, Guard, Look, Pin, ToCheck};

/// Identifies the sources that page and worker were built from. A page refuses a worker with another id: the
/// worker's file name is the same in every build, so a cache may answer with an old one.
pub const BUILD_ID: &str = env!("JIANZHEN_BUILD_ID");

/// Where the worker's program is, relative to the page. The build adds it; its name never changes, hence
/// [`BUILD_ID`].
pub const WORKER_PROGRAM: &str = "verifier-wasm_loader.js";

/// What the page asks of a worker.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Command {
    /// Verify one file.
    Verify {
        /// The file. Its bytes stay where they are; the worker reads them piece by piece.
        #[serde(with = "serde_wasm_bindgen::preserve")]
        file: web_sys::File,
        /// Evidence files (`File` each) that were supplied with it; with none the worker asks the server.
        #[serde(with = "serde_wasm_bindgen::preserve")]
        evidence: js_sys::Array,
        /// The trust file to judge by: the user's choice, or the operator's as another worker has loaded it (a worker
        /// that starts after the network has gone cannot, and all files of one page should be judged by one). With
        /// none the worker loads the operator's.
        trust: Option<String>,
        /// The chain roots that this browser remembers, a signed note each.
        pins: Vec<String>,
    },
    /// Look at the chain itself: compare its published root with those that the witnesses and this browser know.
    Look {
        /// As in `Verify`.
        trust: Option<String>,
        /// As in `Verify`.
        pins: Vec<String>,
    },
    /// Check one entry of the chain, or a receipt for one.
    Check {
        /// What is to be checked.
        what: ToCheck,
        /// As in `Verify`.
        trust: Option<String>,
        /// As in `Verify`.
        pins: Vec<String>,
    },
    /// Say who guards the chains of a trust file.
    Describe {
        /// As in `Verify`.
        trust: Option<String>,
    },
    /// Stop the running work.
    Cancel,
}

/// What a worker tells the page.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Event {
    /// The worker listens.
    Ready {
        /// The worker's [`BUILD_ID`].
        build: String,
    },
    /// The worker has what it needs to verify without the network (except to look evidence up).
    Prepared {
        /// The trust file that it loaded.
        trust: String,
    },
    /// How far the running verification is.
    Progress(Progress),
    /// The running verification is over.
    Finished {
        /// The verdict and all behind it.
        report: Box<report::Report>,
        /// The same report as JSON, as the command line prints it.
        json: String,
        /// The chain root to remember from now on.
        pin: Option<Pin>,
    },
    /// The look at the chain is over.
    Looked(Box<Look>),
    /// The check of an entry is over.
    Checked(Box<Checked>),
    /// Who guards the chains of the trust file, policy by policy; the code where there is no such file.
    Described(Result<Vec<Guard>, report::ErrorCode>),
    /// The worker met a bug and is about to stop.
    Crashed {
        /// For the developer's console.
        message: String,
    },
}

/// What a verification is busy with.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Phase {
    /// Reading the container's structure and looking for the evidence.
    Finding,
    /// Computing the file's fingerprints.
    Hashing,
    /// Comparing them with the evidence, checking signatures and proofs.
    Verifying,
    /// Comparing the chain root with those that the witnesses and this browser know.
    Comparing,
}

/// How far a verification is.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Progress {
    /// What it is busy with.
    pub phase: Phase,
    /// Bytes of this phase that are done.
    pub done: u64,
    /// Bytes of this phase; 0 if the phase does not count bytes.
    pub total: u64,
}

/// The message as a JavaScript value, to be posted.
///
/// # Errors
///
/// If a number does not fit a JavaScript number exactly.
pub fn to_js(message: &impl Serialize) -> Result<JsValue, serde_wasm_bindgen::Error> {
    message.serialize(&serde_wasm_bindgen::Serializer::new())
}

/// The message in a posted JavaScript value.
///
/// # Errors
///
/// If the value is no such message.
pub fn from_js<T: DeserializeOwned>(value: JsValue) -> Result<T, serde_wasm_bindgen::Error> {
    serde_wasm_bindgen::from_value(value)
}

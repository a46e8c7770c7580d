//! What the tests share: a notary that misbehaves on demand, and the recorder as a process.
#![allow(
    dead_code,
    unreachable_pub,
    missing_docs,
    reason = "each test program uses its part, and nobody else does"
)]

pub mod history;
pub mod notary;
pub mod recorder;

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

/// Gives up after a minute, so that a recorder that never sends fails the test instead of hanging it.
pub fn wait_for(condition: impl Fn() -> bool) {
    for _ in 0..6000 {
        if condition() {
            return;
        }
        std::thread::sleep(std::time::Duration::from_millis(10));
    }
    panic!("waited in vain");
}

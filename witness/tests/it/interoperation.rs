//! A log that is driven by an implementation that is not ours (aics-tlog, PyPI), and a copy that it checks. `cargo xtask test` sets
//! `JIANZHEN_PYTHON` to an interpreter that has it; without that there is nobody to talk to.

use std::path::Path;
use std::process::Command;

use crate::process::Installation;
use crate::support::{Served, TestLog, hash};

/// What the script printed; `None` without an interpreter.
fn script(arguments: &[&str]) -> Option<String> {
    let Some(python) = std::env::var_os("JIANZHEN_PYTHON") else {
        eprintln!("JIANZHEN_PYTHON is not set: not tested");
        return None;
    };
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/foreign_log.py");
    let output = Command::new(python).arg(path).args(arguments).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    Some(String::from_utf8(output.stdout).unwrap())
}

#[test]
fn a_log_driven_by_aics_tlog_is_cosigned() {
    let Some(vkey) = script(&["vkey"]) else { return };
    let installation = Installation::new();
    installation.add_log(vkey.trim_end(), &[]);
    let process = installation.serve(&[]);
    let printed = script(&["drive", &process.url, &installation.vkey.to_string()]).unwrap();
    assert_eq!(printed, "8 cosigned, 3 refused\n");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_copy_is_audited_by_aics_tlog() {
    if script(&["vkey"]).is_none() {
        return;
    }
    let mut log = TestLog::of(1000, "a");
    let installation = Installation::new();
    let served = Served::start(log.clone()).await;
    installation.add_log(&log.key.verifier_key().to_string(), &["--mirror", &served.url]);
    installation.configure("[mirror]\npoll_ms = 5\n");
    let process = installation.serve(&[]);
    assert_eq!(process.post(&log.request(0, 1000)).unwrap().0, 200);
    log.publish(1000);
    *served.log.lock().unwrap() = log.clone();
    let mirror = format!("/mirror/{}", hash());
    while process.get(&format!("{mirror}/checkpoint")).unwrap().0 != 200 {
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    }
    let url = format!("{}{mirror}", process.url);
    let printed = script(&["audit", &url, &log.key.verifier_key().to_string()]).unwrap();
    assert_eq!(printed, "1000 entries\n");
}

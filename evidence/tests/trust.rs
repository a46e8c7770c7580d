//! Trust files: what is read, and what is refused.

#![allow(clippy::unwrap_used, reason = "a panic is how a test fails")]

use evidence::{Digest, MAX_TRUST_LEN, TrustError, TrustFile, UnixSeconds};
use serde_json::{Value, json};
use tlog::{KeyAlgorithm, KeyName, SigningKey};

fn vkey(name: &str, algorithm: KeyAlgorithm) -> String {
    let key = SigningKey::from_seed(KeyName::new(name).unwrap(), algorithm, &[7; 32]).unwrap();
    key.verifier_key().to_string()
}

fn sample() -> Value {
    json!({
        "version": 1,
        "operator": {"name": "公证处"},
        "logs": [{"policy": format!("log {}\nquorum none\n", vkey("log.example", KeyAlgorithm::Ed25519))}],
        "registrars": [{"vkey": vkey("registrar.example", KeyAlgorithm::Ed25519)}],
    })
}

fn parse(value: &Value) -> Result<TrustFile, TrustError> {
    TrustFile::parse(&serde_json::to_vec(value).unwrap())
}

#[test]
fn a_sample_is_read_and_its_digest_is_of_its_bytes() {
    let mut sample = sample();
    sample["logs"][0]["valid_from"] = json!(10);
    sample["logs"][0]["valid_until"] = json!(20);
    let bytes = serde_json::to_vec(&sample).unwrap();
    let trust = TrustFile::parse(&bytes).unwrap();
    assert_eq!(trust.digest(), Digest::of(&bytes));
    let window = trust.logs()[0].window;
    let contains = |second| window.contains(UnixSeconds::new(second));
    assert_eq!([9, 10, 19, 20].map(contains), [false, true, true, false]);
    assert!(trust.logs()[0].policy.is_quorum_none());
}

#[test]
fn whatever_is_unknown_missing_or_out_of_bounds_is_refused() {
    type Change = fn(&mut Value);
    let changes: [(&str, Change); 17] = [
        ("version", |v| v["version"] = json!(2)),
        ("unknown member", |v| v["more"] = json!(1)),
        ("unknown member of the operator", |v| v["operator"]["more"] = json!(1)),
        ("unknown member of a policy", |v| v["logs"][0]["more"] = json!(1)),
        ("unknown member of a registrar", |v| v["registrars"][0]["more"] = json!(1)),
        ("no operator name", |v| v["operator"]["name"] = json!("")),
        ("long operator name", |v| v["operator"]["name"] = json!("x".repeat(257))),
        ("no policies", |v| v["logs"] = json!([])),
        ("no registrars", |v| v["registrars"] = json!([])),
        ("many policies", |v| v["logs"] = json!(vec![v["logs"][0].clone(); 17])),
        ("many registrars", |v| v["registrars"] = json!(vec![v["registrars"][0].clone(); 65])),
        ("nonsense policy", |v| v["logs"][0]["policy"] = json!("log nonsense")),
        ("empty window", |v| {
            v["logs"][0]["valid_from"] = json!(5);
            v["logs"][0]["valid_until"] = json!(5);
        }),
        ("window of a registrar out of range", |v| v["registrars"][0]["valid_from"] = json!(1_u64 << 60)),
        ("closed without root", |v| v["logs"][0]["closed"] = json!({"size": 5, "root": "nonsense"})),
        ("registrar key", |v| v["registrars"][0]["vkey"] = json!("nonsense")),
        ("registrar with a witness's key", |v| {
            v["registrars"][0]["vkey"] = json!(vkey("registrar.example", KeyAlgorithm::CosignatureV1));
        }),
    ];
    for (what, change) in changes {
        let mut altered = sample();
        change(&mut altered);
        let error = parse(&altered).expect_err(what);
        assert!(error.to_string().ends_with('.'), "{error}");
    }
    parse(&sample()).unwrap();
}

#[test]
fn length_comes_before_reading() {
    let long = vec![b' '; MAX_TRUST_LEN + 1];
    assert!(matches!(TrustFile::parse(&long), Err(TrustError::TooLong { .. })));
    assert!(matches!(TrustFile::parse(b"[]"), Err(TrustError::Json(_))));
    assert!(TrustFile::parse(b"\xff").is_err());
}

//! What is asked for, where, and how much.

use tlog::{BundleId, KeyAlgorithm, SigningKey, TileId, TreeHead, TreeSize};

use super::{History, Net, key, log_key, note, signed, trust, trust_of, verified};
use crate::roots::{Comparison, MAX_TILES, MAX_WITNESSES, RootsAddress, RootsRequest, RootsStep};
use crate::trust::{TrustFile, Window};
use crate::{Digest, report::WitnessState};

/// The witness addresses that are asked with these in the policy.
fn asked(urls: &[&str]) -> Vec<String> {
    let mut text = format!("log {}\n", log_key().verifier_key());
    for (number, url) in (0u8..).zip(urls) {
        let witness = key(&format!("k{number}.example"), KeyAlgorithm::CosignatureV1, number + 1);
        text += &format!("witness n{number} {} {url}\n", witness.verifier_key());
    }
    let trust = trust_of(&[(text + "quorum none\n", Window::default(), None)]);
    match Comparison::new(&trust, None, Vec::new()).next() {
        RootsStep::Ask(requests) => requests
            .iter()
            .filter_map(|request| match request {
                RootsRequest::Witness { url, .. } => Some(url.clone()),
                _ => None,
            })
            .collect(),
        RootsStep::Done => Vec::new(),
    }
}

#[test]
fn addresses() {
    let request = RootsRequest::Witness {
        name: "w1".to_owned(),
        url: "https://w1.example/x".to_owned(),
        origin_hash: "ab".to_owned(),
    };
    let elsewhere = "https://w1.example/x/ab/checkpoint".to_owned();
    assert_eq!(request.address(), RootsAddress::Elsewhere(elsewhere));
    let digest = Digest::of(b"");
    for (request, path, length) in [
        (RootsRequest::Published, "/log/checkpoint".to_owned(), 512 << 10),
        (
            RootsRequest::Tile(TileId::new(0, 1_234_067, 256).unwrap()),
            "/log/tile/0/x001/x234/067".to_owned(),
            8192,
        ),
        (RootsRequest::Tile(TileId::new(1, 0, 3).unwrap()), "/log/tile/1/000.p/3".to_owned(), 96),
        (RootsRequest::Bundle(BundleId::new(7, 2).unwrap()), "/log/tile/entries/007.p/2".to_owned(), 88),
        (RootsRequest::Index(digest), format!("/log/index/{digest}"), 20),
    ] {
        assert_eq!(request.address(), RootsAddress::Service(path));
        assert_eq!(request.max_len(), length);
        assert!(!request.media_type().is_empty());
    }
}

#[test]
fn the_hash_in_a_witness_address_is_that_of_the_origin() {
    let RootsStep::Ask(requests) = Comparison::new(&trust(), None, Vec::new()).next() else { panic!() };
    let RootsAddress::Elsewhere(address) = requests[0].address() else { panic!() };
    // printf %s log.example/test | sha256sum
    let hash = "532213b32bedae37190eb28363b6649263a853635665635438635cced0bf4be0";
    assert_eq!(address, format!("https://w1.example/{hash}/checkpoint"));
}

#[test]
fn only_addresses_that_a_path_can_be_appended_to() {
    assert_eq!(
        asked(&[
            "https://a.example/",
            "https://a.example//",
            "http://127.0.0.1:8701",
            "http://localhost/w",
            "http://[::1]:80/",
            "",
            "http://a.example",
            "http://127.0.0.1.example",
            "http://127.0.0.1:x@evil.example",
            "https://user@a.example",
            "https://a.example?x",
            "https://a.example#x",
            "https:///x",
            "https://",
            "ftp://a.example",
            "javascript:alert(1)",
            "//a.example",
            "https://ä.example",
            "https://a\\b.example",
        ]),
        ["https://a.example", "http://127.0.0.1:8701", "http://localhost/w", "http://[::1]:80"]
    );
    let long = format!("https://{}", "a".repeat(2050));
    assert_eq!(asked(&[long.as_str()]), [""; 0]);
}

#[test]
fn at_most_sixteen_witnesses_in_the_order_of_the_trust_file() {
    let urls: Vec<_> = (0..40).map(|i| format!("https://w{i}.example")).collect();
    let found = asked(&urls.iter().map(String::as_str).collect::<Vec<_>>());
    assert_eq!(found, urls[..MAX_WITNESSES]);
}

#[test]
fn a_witness_that_changed_its_key_is_one_witness() {
    let chain = History::new(10);
    let old = key("w1.example", KeyAlgorithm::CosignatureV1, 41);
    let new = key("w1.example", KeyAlgorithm::CosignatureV1, 42);
    let text = |witness: &SigningKey| {
        let (log, witness) = (log_key(), witness.verifier_key().clone());
        format!("log {}\nwitness w1 {witness} https://w1.example\nquorum w1\n", log.verifier_key())
    };
    let trust = trust_of(&[(text(&old), Window::default(), None), (text(&new), Window::default(), None)]);
    let anchor = signed(chain.head(5), &log_key(), &[(&old, 1)]);
    for witness in [&old, &new] {
        let shown = signed(chain.head(5), &log_key(), &[(witness, 9)]);
        let outcome = Net::new().witness(1, &shown).compare(&trust, Some(&anchor), &[]);
        let states: Vec<_> = outcome.witnesses.iter().map(|witness| witness.state).collect();
        assert_eq!(states, [WitnessState::Agrees]);
    }
}

#[test]
fn what_was_not_asked_for_changes_nothing() {
    let chain = History::new(10);
    let mut comparison = Comparison::new(&trust(), None, Vec::new());
    let RootsStep::Ask(requests) = comparison.next() else { panic!() };
    let published = note(chain.head(5), &[(1, 1), (2, 2)]);
    comparison.answered(&RootsRequest::Published, Some(published.as_bytes().to_vec()));
    comparison.answered(&RootsRequest::Index(Digest::of(b"")), Some(b"5".to_vec()));
    assert_eq!(comparison.next(), RootsStep::Ask(requests.clone()));
    // the second answer to one request is none
    let shown = note(chain.head(5), &[(1, 1)]);
    comparison.answered(&requests[0], None);
    comparison.answered(&requests[0], Some(shown.as_bytes().to_vec()));
    assert_eq!(comparison.outcome().witnesses[0].state, WitnessState::NoAnswer);
}

/// Roots at sizes of up to 2^62, which no honest log reaches: a hostile one signs what it likes.
#[test]
fn tiles_are_bounded_whatever_was_signed() {
    let urls: Vec<_> = (0..16u8)
        .map(|i| {
            let witness = key(&format!("k{i}.example"), KeyAlgorithm::CosignatureV1, i + 1);
            (witness, format!("https://h{i}.example"))
        })
        .collect();
    let mut text = format!("log {}\n", log_key().verifier_key());
    for (number, (witness, url)) in urls.iter().enumerate() {
        text += &format!("witness n{number} {} {url}\n", witness.verifier_key());
    }
    let trust: TrustFile = trust_of(&[(text + "quorum none\n", Window::default(), None)]);
    let head = |i: u64| TreeHead {
        size: TreeSize::new((1 << 62) - 1 - i * 0x0123_4567_89ab_cdef % (1 << 61)),
        root: tlog::leaf_hash(&i.to_be_bytes()),
    };
    let mut net = Net::new().publish(&note(head(20), &[])).serve(&History::new(10));
    for ((witness, url), i) in urls.iter().zip(0..) {
        net.witnesses.insert(url.clone(), signed(head(i), &log_key(), &[(witness, 5)]).as_bytes().to_vec());
    }
    let anchor = verified(&note(head(30), &[]), &trust);
    let pins = (40..200).map(|i| note(head(i), &[]).as_bytes().to_vec()).collect();
    let outcome = net.drive(Comparison::new(&trust, Some(anchor), pins));
    assert_eq!(outcome.witnesses.len(), 16);
    assert!(net.tiles_asked() <= MAX_TILES, "{}", net.tiles_asked());
    assert!(net.tiles_asked() > 200, "the bound was reached");
}

//! Parse, print, parse: whatever damaged text a parser accepts, it prints as the same bytes.

#![allow(clippy::unwrap_used, reason = "a panic is how a test fails")]

use proptest::prelude::*;
use tlog::{
    AddCheckpoint, BundleId, Checkpoint, EntryBundle, KeyAlgorithm, KeyName, Policy, SignedNote, SigningKey,
    TileId, TlogProof, VerifierKey,
};

const RECEIPT: &str = include_str!("../../testdata/tlog/receipt-good-extension.txt");
const REQUEST: &str = "old 7\nPlRNCrwHpqhGrupue0L7gxbjbMiKA9temvuZZDDpkaw=\n\n";

/// Pieces that matter to some grammar, and bytes that matter to none.
fn piece() -> impl Strategy<Value = Vec<u8>> {
    let pieces: [&[u8]; 20] = [
        b"\n",
        b"\n\n",
        b" ",
        b"\t",
        b"+",
        b"=",
        b"/",
        b"0",
        b"00",
        b"x",
        b".p/",
        b"\r",
        b"\0",
        b"\xff",
        "\u{2014} ".as_bytes(),
        b"extra ",
        b"index ",
        b"none",
        b"#",
        b"AAAA",
    ];
    prop::sample::select(pieces.map(<[u8]>::to_vec).to_vec())
}

/// `text` with up to three pieces put in, cut out or copied from elsewhere.
fn damaged(text: String) -> impl Strategy<Value = Vec<u8>> {
    let edit = (
        any::<prop::sample::Index>(),
        0usize..6,
        prop::collection::vec(piece(), 0..2),
        any::<prop::sample::Index>(),
        0usize..60,
    );
    prop::collection::vec(edit, 0..4).prop_map(move |edits| {
        let mut data = text.clone().into_bytes();
        for (at, cut, pieces, from, copied) in edits {
            let (at, from) = (at.index(data.len() + 1), from.index(data.len() + 1));
            let mut new = pieces.concat();
            if copied < 50 {
                new.extend_from_slice(&data[from..(from + copied).min(data.len())]);
            }
            data.splice(at..(at + cut).min(data.len()), new);
        }
        data
    })
}

fn receipt() -> String {
    RECEIPT.split_once("\n\n").unwrap().1.to_owned()
}

fn note() -> String {
    receipt().split_once("\n\n").unwrap().1.to_owned()
}

fn body() -> String {
    note().split_once("\n\n").unwrap().0.to_owned() + "\n"
}

fn policy() -> String {
    let header = RECEIPT.split_once("\n\n").unwrap().0;
    header.lines().filter_map(|line| line.strip_prefix("policy: ")).map(|line| format!("{line}\n")).collect()
}

fn private_key() -> String {
    let key = SigningKey::from_seed(KeyName::new("k").unwrap(), KeyAlgorithm::Ed25519, &[3; 32]).unwrap();
    key.to_private_string().to_string()
}

fn text(data: &[u8]) -> &str {
    std::str::from_utf8(data).unwrap_or_default()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(3000))]

    #[test]
    fn receipts(data in damaged(receipt())) {
        if let Ok(parsed) = TlogProof::parse(&data) {
            prop_assert_eq!(parsed.to_string().into_bytes(), data);
        }
    }

    #[test]
    fn notes(data in damaged(note())) {
        if let Ok(parsed) = SignedNote::parse(&data) {
            prop_assert_eq!(parsed.as_bytes(), &data[..]);
            let again = SignedNote::from_parts(parsed.text(), parsed.signatures());
            prop_assert_eq!(again, Ok(parsed));
        }
    }

    #[test]
    fn checkpoints(data in damaged(body())) {
        if let Ok(parsed) = Checkpoint::parse(text(&data)) {
            prop_assert_eq!(parsed.to_string().into_bytes(), data);
        }
    }

    #[test]
    fn policies(data in damaged(policy())) {
        if let Ok(parsed) = Policy::parse(&data) {
            prop_assert_eq!(parsed.source(), &data[..]);
        }
    }

    #[test]
    fn requests(data in damaged(REQUEST.to_owned() + &note())) {
        if let Ok(parsed) = AddCheckpoint::parse(&data) {
            prop_assert_eq!(parsed.to_string().into_bytes(), data);
        }
    }

    #[test]
    fn keys(data in damaged(policy().split(' ').nth(1).unwrap().trim().to_owned()), secret in damaged(private_key())) {
        if let Ok(parsed) = text(&data).parse::<VerifierKey>() {
            prop_assert_eq!(parsed.to_string().into_bytes(), data);
        }
        if let Ok(parsed) = text(&secret).parse::<SigningKey>() {
            prop_assert_eq!(parsed.to_private_string().to_string().into_bytes(), secret);
        }
    }

    #[test]
    fn addresses(tile in damaged("tile/3/x001/x234/067.p/8".to_owned()), bundle in damaged("tile/entries/x001/067.p/80".to_owned())) {
        for data in [&tile, &bundle] {
            if let Ok(parsed) = text(data).parse::<TileId>() {
                prop_assert_eq!(parsed.path().into_bytes(), data.clone());
            }
            if let Ok(parsed) = text(data).parse::<BundleId>() {
                prop_assert_eq!(parsed.path().into_bytes(), data.clone());
            }
        }
    }

    #[test]
    fn bundles(data in prop::collection::vec(0u8..4, 0..40), width in 1u16..9) {
        if let Ok(parsed) = EntryBundle::parse(BundleId::new(0, width).unwrap(), &data) {
            prop_assert_eq!(parsed.entries().len(), usize::from(width));
            prop_assert_eq!(parsed.encode(), data);
        }
    }
}

//! Key rotation and changes of the policy, with a service that has sealed.

use std::time::{Duration, SystemTime, UNIX_EPOCH};
use std::{fs, thread};

use evidence::{ReceiptVerifier, TrustFile};
use jianzhen_server::data_dir::DataDir;

use super::support::{Place, Sealed, Service, assert_kept, fail, succeed};

fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs()
}

fn trust(data: &str) -> TrustFile {
    TrustFile::parse(&fs::read(DataDir::new(data).trust()).unwrap()).unwrap()
}

/// The ids of the keys that signed the checkpoint of a receipt.
fn signers(receipt: &Sealed) -> Vec<String> {
    let proof = String::from_utf8(receipt.receipt.clone()).unwrap();
    let note = proof.split_once("\n\n").unwrap().1;
    let note = tlog::SignedNote::parse(note.as_bytes()).unwrap();
    note.signatures().iter().map(|line| line.id().to_string()).collect()
}

#[test]
fn after_a_rotation_the_new_key_signs_and_old_receipts_stay() {
    let place = Place::new();
    let data = place.init("data");
    let service = Service::start(&data);
    let before = service.fill(0, 60);
    service.stop();

    let old = trust(&data);
    // Not back into what is sealed, and not while the service runs.
    assert!(fail(&["rotate-key", "--data", &data, "--from", "1000"]).contains("would no longer verify"));
    let from = now() + 2;
    let said = succeed(&["rotate-key", "--data", &data, "--from", &from.to_string()]);
    let vkey: tlog::VerifierKey = said.lines().next().unwrap().parse().unwrap();
    assert_eq!(trust(&data).logs().len(), 2);
    while now() <= from {
        thread::sleep(Duration::from_millis(50));
    }
    let service = Service::start(&data);
    assert!(fail(&["policy", "--data", &data]).contains("Another process is using"));
    let after = service.fill(1000, 60);
    assert_kept(&service, &before);
    service.stop();
    assert_eq!(signers(after.last().unwrap()), [vkey.id().to_string()]);
    assert_ne!(signers(&before[0]), signers(after.last().unwrap()));
    assert!(succeed(&["fsck", "--data", &data]).contains("Everything agrees."));

    let verifies = |trust: &TrustFile, sealed: &Sealed| {
        let index = tlog::LeafIndex::new(sealed.index);
        let verifier = ReceiptVerifier::new(trust.clone());
        verifier.verify(&sealed.statement, index, sealed.sealed_at, &sealed.receipt).is_ok()
    };
    let new = trust(&data);
    assert!(before.iter().chain(&after).all(|sealed| verifies(&new, sealed)));
    assert!(before.iter().all(|sealed| verifies(&old, sealed)));
    assert!(!verifies(&old, &after[59]), "nobody who was not told believes the new key");

    // The backup has both keys.
    let backup = place.join("backup");
    succeed(&["backup", "--data", &data, "--to", &backup]);
    let restored = place.join("restored");
    succeed(&["restore", "--data", &restored, "--backup", &backup]);
    let service = Service::start(&restored);
    assert_kept(&service, &before);
    assert_kept(&service, &after);
}

#[test]
fn witnesses_are_named_at_init_or_before_anything_is_sealed() {
    let place = Place::new();
    let data = place.init("data");
    let witness = |name: &str, seed| {
        let key = tlog::SigningKey::from_seed(
            tlog::KeyName::new(format!("{name}.test")).unwrap(),
            tlog::KeyAlgorithm::CosignatureV1,
            &[seed; 32],
        );
        format!("{name},{},https://{name}.test", key.unwrap().verifier_key())
    };
    let (a, b) = (witness("a", 1), witness("b", 2));
    for refused in [&["--quorum", "1"][..], &["--witness", &a], &["--witness", &a, "--quorum", "2"]] {
        let arguments = [&["policy", "--data", &data], refused].concat();
        assert!(fail(&arguments).contains("no quorum"), "{refused:?}");
    }
    assert!(fail(&["policy", "--data", &data, "--witness", "a", "--quorum", "1"]).contains("NAME,VKEY,URL"));
    succeed(&["policy", "--data", &data, "--witness", &a, "--witness", &b, "--quorum", "1"]);
    let logs = trust(&data).logs().to_vec();
    assert_eq!(logs.len(), 1);
    assert_eq!(logs[0].policy.witnesses().len(), 2);

    let other = place.join("other");
    let init = ["init", "--data", &other, "--origin", "o.test/log", "--witness", &a, "--quorum", "1"];
    succeed(&init);
    assert_eq!(trust(&other).logs()[0].policy.witnesses().len(), 1);
}

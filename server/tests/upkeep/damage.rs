//! `fsck`: one thing is changed, removed or added, and it is named.

use std::fs;
use std::path::{Path, PathBuf};

use sqlx::ConnectOptions as _;
use sqlx::sqlite::SqliteConnectOptions;

use super::support::{Place, Service, copy_all, fail, run, succeed};

/// A log with deposits' facts left out: enrolments, revocations, a snapshot; several bundles, full and partial.
struct Original {
    place: Place,
    data: String,
}

impl Original {
    fn new() -> Self {
        let place = Place::new();
        let data = place.init("data");
        let service = Service::start(&data);
        service.fill(0, 600);
        service.seal(&[service.revocation(50)]);
        service.fill(1000, 40);
        service.stop();
        assert!(succeed(&["fsck", "--data", &data]).contains("Everything agrees."));
        Self { place, data }
    }

    fn copy(&self, name: &str) -> String {
        let copy = self.place.join(name);
        copy_all(Path::new(&self.data), Path::new(&copy));
        copy
    }

    /// `fsck` of a copy whose database was changed.
    fn after_sql(&self, name: &str, statements: &[&'static str]) -> String {
        let copy = self.copy(name);
        sql(&copy, statements);
        fail(&["fsck", "--data", &copy])
    }

    fn objects(data: &str) -> PathBuf {
        Path::new(data).join("objects")
    }
}

fn sql(data: &str, statements: &[&'static str]) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let path = Path::new(data).join("server.sqlite");
        let mut connection = SqliteConnectOptions::new().filename(path).connect().await.unwrap();
        for statement in statements {
            let changed = sqlx::query(*statement).execute(&mut connection).await.unwrap();
            assert!(changed.rows_affected() > 0, "{statement}");
        }
    });
}

#[test]
fn damage_to_the_database_is_named() {
    let original = Original::new();
    let cases: [(&str, &[&'static str], &str); 16] = [
        (
            "statement",
            &["UPDATE entries SET statement = zeroblob(80) WHERE idx = 300"],
            "Entry 300: the statement does not hash",
        ),
        (
            "digest",
            &["UPDATE entries SET digest = zeroblob(32) WHERE idx = 300"],
            "Entry 300: the statement does not hash",
        ),
        ("kind", &["UPDATE entries SET kind = 1 - kind WHERE idx = 300"], "Entry 300: it has another kind"),
        (
            "time back",
            &["UPDATE entries SET sealed_at = sealed_at - 100000 WHERE idx = 300"],
            "Entry 300: it was sealed before",
        ),
        (
            "time on",
            &["UPDATE entries SET sealed_at = sealed_at + 1 WHERE idx = 300"],
            "The archived checkpoint of size",
        ),
        ("missing entry", &["DELETE FROM entries WHERE idx = 300"], "Entry 300 is missing"),
        ("missing last", &["DELETE FROM entries WHERE idx = (SELECT max(idx) FROM entries)"], "is missing"),
        (
            "beyond",
            &[
                "INSERT INTO entries SELECT idx + 1, zeroblob(32), kind, sealed_at, statement FROM entries WHERE idx = (SELECT max(idx) FROM entries)",
            ],
            "lies beyond the tree head",
        ),
        ("root", &["UPDATE tree_head SET root = zeroblob(32)"], "The tree head states"),
        (
            "head time",
            &["UPDATE tree_head SET sealed_at = sealed_at + 1"],
            "The tree head states the sealing time",
        ),
        (
            "archive note",
            &[
                "UPDATE checkpoints SET note = CAST(replace(CAST(note AS TEXT), '/log', '/lug') AS BLOB) WHERE size > 200",
            ],
            "The archived checkpoint of size",
        ),
        (
            "archive size",
            &[
                "UPDATE checkpoints SET size = size + 1 WHERE size = (SELECT min(size) FROM checkpoints WHERE size > 300)",
            ],
            "The archived checkpoint of size",
        ),
        (
            "archive gone",
            &["DELETE FROM checkpoints WHERE size = (SELECT max(size) FROM checkpoints)"],
            "is not of the archived tree",
        ),
        ("blocks", &["INSERT INTO blocks VALUES (zeroblob(32), zeroblob(32))"], "belong to no entry"),
        (
            "disclosure",
            &["INSERT INTO disclosures VALUES (zeroblob(32), 0, zeroblob(9))"],
            "A disclosure belongs to no entry",
        ),
        (
            "foreign disclosure",
            &["INSERT INTO disclosures SELECT digest, 0, zeroblob(9) FROM entries WHERE idx = 5"],
            "Entry 5: a disclosure is not one",
        ),
    ];
    for (name, statements, expected) in cases {
        let said = original.after_sql(name, statements);
        assert!(said.contains(expected), "{name}: {said}");
    }
}

#[test]
fn damage_to_the_lookup_index_is_named_and_reindex_repairs_it() {
    let original = Original::new();
    let cases: [(&str, &[&'static str]); 6] = [
        (
            "enrolments",
            &[
                "UPDATE enrolments SET valid_until = valid_until + 1 WHERE idx = (SELECT min(idx) FROM enrolments)",
            ],
        ),
        ("enrolments", &["DELETE FROM enrolments WHERE idx = (SELECT max(idx) FROM enrolments)"]),
        ("revocations", &["DELETE FROM revocations"]),
        ("snapshots", &["INSERT INTO snapshots VALUES (3, 3)"]),
        ("recordings", &["INSERT INTO recordings VALUES (3, zeroblob(32), zeroblob(16))"]),
        ("tokens", &["INSERT INTO tokens VALUES (zeroblob(32), 3, 0)"]),
    ];
    for (number, (table, statements)) in cases.into_iter().enumerate() {
        let name = format!("index-{number}");
        let said = original.after_sql(&name, statements);
        assert!(said.contains(&format!("The table {table} of the lookup index")), "{said}");
        assert_eq!(said.matches("The table").count(), 1, "{said}");
        let copy = original.place.join(&name);
        assert!(succeed(&["reindex", "--data", &copy]).contains("entries"));
        assert!(succeed(&["fsck", "--data", &copy]).contains("Everything agrees."));
    }
}

#[test]
fn damage_to_the_object_store_is_named() {
    let original = Original::new();
    let paths = |data: &str| {
        let objects = Original::objects(data);
        let mut found = Vec::new();
        let mut folders = vec![objects.clone()];
        while let Some(folder) = folders.pop() {
            for entry in fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() { folders.push(path) } else { found.push(path) }
            }
        }
        let below = |path: &PathBuf| path.strip_prefix(&objects).unwrap().to_str().unwrap().to_owned();
        found.iter().map(below).filter(|path| path != "checkpoint").collect::<Vec<_>>()
    };
    let all = paths(&original.data);
    for kind in ["tile/0/000", "tile/0/002.p/", "tile/1/000.p/", "tile/entries/001", "tile/entries/002.p/"] {
        assert!(all.iter().any(|path| path.starts_with(kind)), "{kind} is not among {all:?}");
    }
    // Every object: one bit changed, then one byte added.
    for (number, path) in all.iter().enumerate().step_by(all.len() / 40 + 1) {
        let copy = original.copy(&format!("object-{number}"));
        let file = Original::objects(&copy).join(path);
        let bytes = fs::read(&file).unwrap();
        let mut changed = bytes.clone();
        changed[bytes.len() / 2] ^= 1;
        for damaged in [changed, [&bytes[..], b"x"].concat()] {
            fs::write(&file, damaged).unwrap();
            let said = fail(&["fsck", "--data", &copy]);
            assert!(said.contains(&format!("The object {path} ")), "{path}: {said}");
        }
        fs::write(&file, bytes).unwrap();
        assert!(run(&["fsck", "--data", &copy]).status.success());
    }
    // What must be there: full ones, and the newest partial ones.
    let copy = original.copy("missing");
    for path in ["tile/0/000", "tile/0/001", "tile/entries/000", "tile/entries/001"] {
        let file = Original::objects(&copy).join(path);
        let bytes = fs::read(&file).unwrap();
        fs::remove_file(&file).unwrap();
        let said = fail(&["fsck", "--data", &copy]);
        assert!(said.contains(&format!("The object {path} is missing")), "{said}");
        fs::write(&file, bytes).unwrap();
    }
    for path in all.iter().filter(|path| path.starts_with("tile/0/002.p/")) {
        fs::remove_file(Original::objects(&copy).join(path)).unwrap();
    }
    assert!(fail(&["fsck", "--data", &copy]).contains("The object tile/0/002.p/"));
}

#[test]
fn what_is_added_to_the_object_store_is_named() {
    let original = Original::new();
    let copy = original.copy("added");
    let objects = Original::objects(&copy);
    // Harmless, and told.
    fs::write(objects.join("notes.txt"), b"x").unwrap();
    assert!(succeed(&["fsck", "--data", &copy]).contains("notes.txt"));
    fs::remove_file(objects.join("notes.txt")).unwrap();
    // Objects of a tree that is not this one.
    fs::create_dir_all(objects.join("tile/0/009.p")).unwrap();
    fs::write(objects.join("tile/0/009.p/1"), [0; 32]).unwrap();
    assert!(fail(&["fsck", "--data", &copy]).contains("The object tile/0/009.p/1 lies beyond the log"));
    fs::remove_dir_all(objects.join("tile/0/009.p")).unwrap();
    // A partial tile beside the full one, as an old process may have left it: the same hashes, or not.
    let full = fs::read(objects.join("tile/0/000")).unwrap();
    fs::create_dir_all(objects.join("tile/0/000.p")).unwrap();
    fs::write(objects.join("tile/0/000.p/3"), &full[..96]).unwrap();
    assert!(run(&["fsck", "--data", &copy]).status.success());
    fs::write(objects.join("tile/0/000.p/3"), &full[32..128]).unwrap();
    assert!(fail(&["fsck", "--data", &copy]).contains("tile/0/000.p/3 is not the beginning"));
}

#[test]
fn an_exchanged_checkpoint_or_trust_file_is_named() {
    let original = Original::new();
    let copy = original.copy("checkpoint");
    let checkpoint = Original::objects(&copy).join("checkpoint");
    let note = fs::read(&checkpoint).unwrap();
    fs::remove_file(&checkpoint).unwrap();
    assert!(fail(&["fsck", "--data", &copy]).contains("none is published"));
    let mut forged = note.clone();
    forged[20] ^= 1;
    fs::write(&checkpoint, forged).unwrap();
    assert!(fail(&["fsck", "--data", &copy]).contains("The published checkpoint is not this log's"));
    fs::write(&checkpoint, note).unwrap();

    // A policy that nothing in the archive satisfies.
    let key = tlog::SigningKey::from_seed(
        tlog::KeyName::new("w.test").unwrap(),
        tlog::KeyAlgorithm::CosignatureV1,
        &[1; 32],
    );
    let trust = Path::new(&copy).join("trust.json");
    let witness = format!("witness w {}", key.unwrap().verifier_key());
    let text = fs::read_to_string(&trust).unwrap();
    fs::write(&trust, text.replace("quorum none", &format!("{witness}\\nquorum w"))).unwrap();
    let said = fail(&["fsck", "--data", &copy]);
    assert!(said.contains("satisfies no policy"), "{said}");
}

//! The published log, read by an implementation of `tlog-tiles` that is not ours.

use std::sync::Arc;

use axum::http::StatusCode;
use evidence::Submission;
use evidence::statement::Role;
use tlog::{BundleId, EntryBundle, SignedNote, TreeSize};
use tlog_tiles::{Tile, TileHashReader, TileReader};

use super::support::{Running, World, content};

/// Reads tiles over HTTP.
struct OverHttp<'a>(&'a Running);

impl TileReader for OverHttp<'_> {
    fn height(&self) -> u8 {
        8
    }

    fn read_tiles(&self, tiles: &[Tile]) -> Result<Vec<Vec<u8>>, tlog_tiles::Error> {
        let read = |tile: &Tile| {
            // Go's address names the height; the C2SP address does not.
            let address = tile.path().replacen("tile/8/", "/log/tile/", 1);
            let (status, headers, body) = tokio::task::block_in_place(|| {
                tokio::runtime::Handle::current().block_on(self.0.get(&address))
            });
            assert_eq!(status, StatusCode::OK, "{address}");
            assert!(headers["cache-control"].to_str().unwrap().contains("immutable"));
            body.to_vec()
        };
        Ok(tiles.iter().map(read).collect())
    }

    fn save_tiles(&self, _tiles: &[Tile], _data: &[Vec<u8>]) {}
}

#[tokio::test(flavor = "multi_thread")]
async fn a_foreign_reader_finds_every_entry_below_every_published_root() {
    let world = World::new().await;
    let running = world.start().await;
    let device = world.with_device(&running).await;
    // More than one full tile, in batches of odd sizes.
    let mut sizes = Vec::new();
    for batch in [1, 7, 250, 40, 300] {
        let first = sizes.iter().sum::<u16>();
        let ids = first..first + batch;
        let deposits: Vec<Submission> = ids
            .map(|id| device.deposit(u8::try_from(id % 256).unwrap(), format!("file {id}").as_bytes()))
            .collect();
        for some in deposits.chunks(500) {
            running.seal(some).await;
        }
        sizes.push(batch);
    }
    let (status, headers, note) = running.get("/log/checkpoint").await;
    assert_eq!(status, StatusCode::OK);
    assert_eq!(headers["access-control-allow-origin"], "*");
    assert_eq!(headers["cross-origin-resource-policy"], "cross-origin");
    let note = SignedNote::parse(&note).unwrap();
    let checkpoint = tlog_tiles::Checkpoint::from_bytes(note.text().as_bytes()).unwrap();
    assert_eq!(checkpoint.origin(), "test.example/log");
    let size = checkpoint.size();
    assert!(size > 512, "{size}");

    let reader = OverHttp(&running);
    let hashes = TileHashReader::new(size, *checkpoint.hash(), &reader);
    for index in [0, 1, 255, 256, 511, size - 1] {
        let id = BundleId::in_tree(index / 256, TreeSize::new(size)).unwrap();
        let (status, _, bundle) = running.get(&format!("/log/{}", id.path())).await;
        assert_eq!(status, StatusCode::OK);
        let bundle = EntryBundle::parse(id, &bundle).unwrap();
        let entry = &bundle.entries()[usize::try_from(index % 256).unwrap()];
        assert_eq!(entry.len(), evidence::Entry::LEN);
        let proof = tlog_tiles::prove_record(size, index, &hashes).unwrap();
        tlog_tiles::check_record(&proof, size, *checkpoint.hash(), index, tlog_tiles::record_hash(entry))
            .unwrap();
    }
    // Every older published tree is the beginning of this one.
    let store = world.store().await;
    for (old, note) in store.checkpoints_after(None, 1000).await.unwrap() {
        let note = SignedNote::parse(&note).unwrap();
        let old_checkpoint = tlog_tiles::Checkpoint::from_bytes(note.text().as_bytes()).unwrap();
        if old.get() > 0 {
            let proof = tlog_tiles::prove_tree(size, old.get(), &hashes).unwrap();
            tlog_tiles::check_tree(&proof, size, *checkpoint.hash(), old.get(), *old_checkpoint.hash())
                .unwrap();
        }
    }
    world.assert_sound().await;
}

#[tokio::test]
async fn only_what_is_published_and_only_the_registry_is_shown() {
    let world = World::new().await;
    let running = world.start().await;
    let device = world.with_device(&running).await;
    let account = world.enrolled(&running, 8, Role::Account).await;
    running.seal_one(device.deposit(1, &content(1))).await;
    drop(account);

    let (status, headers, body) = running.get("/log/statement/0").await;
    assert_eq!(status, StatusCode::OK);
    assert!(headers["content-type"].to_str().unwrap().starts_with("application/cose"));
    assert_eq!(evidence::Statement::parse(&body).unwrap().digest(), device.enrolment);
    // The enrolment of an account, a deposit, the future, and what is no number.
    for index in ["1", "2", "3", "00", "+0", "-1", "a", "18446744073709551616"] {
        let (status, _, _) = running.get(&format!("/log/statement/{index}")).await;
        assert_eq!(status, StatusCode::NOT_FOUND, "{index}");
    }
    for address in [
        "0/000",
        "0/000.p/4",
        "0/000.p/0",
        "0/001.p/1",
        "1/000.p/1",
        "entries/000",
        "64/000",
        "0/../checkpoint",
    ] {
        let (status, _, _) = running.get(&format!("/log/tile/{address}")).await;
        assert_eq!(status, StatusCode::NOT_FOUND, "{address}");
    }
    for address in ["0/000.p/3", "0/000.p/1", "entries/000.p/3", "entries/000.p/2"] {
        let (status, _, _) = running.get(&format!("/log/tile/{address}")).await;
        assert_eq!(status, StatusCode::OK, "{address}");
    }
}

#[tokio::test]
async fn tiles_beyond_the_published_checkpoint_are_not_shown() {
    use super::faults::{Fault, FaultyObjects};
    let world = World::new().await;
    let objects = FaultyObjects::new(&world.data.objects());
    let store = world.store().await;
    let published = jianzhen_server::objects::Objects::new(objects.clone());
    let running = world.start_with(store.clone(), Arc::new(store), published).await;
    let device = world.with_device(&running).await;
    // Tile and bundle are written, the checkpoint is not.
    objects.arm(2, i64::MAX, Fault::Lost);
    running.seal_one(Submission::of(device.start(1))).await;
    assert!(world.data.objects().join("tile/0/000.p/2").exists());
    for address in ["/log/tile/0/000.p/2", "/log/tile/entries/000.p/2", "/log/statement/1"] {
        let (status, _, _) = running.get(address).await;
        assert_eq!(status, StatusCode::NOT_FOUND, "{address}");
    }
    let (_, _, chain) = running.get("/api/v1/chain").await;
    assert_eq!(serde_json::from_slice::<serde_json::Value>(&chain).unwrap()["size"], 1);
}

/// Partial tiles and bundles go when the full one is there; older receipts are still made, and older addresses still answered.
#[tokio::test]
async fn partial_tiles_are_collected_and_nobody_misses_them() {
    let world = World::new().await;
    let running = world.start().await;
    let device = world.with_device(&running).await;
    let deposit = |id: u16| device.deposit(u8::try_from(id % 256).unwrap(), &id.to_be_bytes());
    let mut early = Vec::new();
    for id in 0..3 {
        early.push((deposit(id), running.seal_one(deposit(id)).await));
    }
    let (_, _, tile) = running.get("/log/tile/0/000.p/4").await;
    let (_, _, bundle) = running.get("/log/tile/entries/000.p/4").await;
    let partial = |name: &str| world.data.objects().join(name);
    assert!(partial("tile/0/000.p/4").exists() && partial("tile/entries/000.p/4").exists());
    running.seal(&(3..300).map(deposit).collect::<Vec<_>>()).await;
    assert!(partial("tile/0/000").exists() && partial("tile/0/001.p/45").exists());
    for gone in ["tile/0/000.p", "tile/entries/000.p"] {
        assert!(!partial(gone).exists(), "{gone}");
    }
    // A process that never read them, so that nothing comes from its memory.
    running.stop().await;
    world.assert_sound().await;
    let running = world.start().await;
    assert_eq!(running.get("/log/tile/0/000.p/4").await.2, tile);
    assert_eq!(running.get("/log/tile/entries/000.p/4").await.2, bundle);
    // Widths that were never published are answered too: they are the beginning of what is.
    let (status, _, cut) = running.get("/log/tile/0/001.p/3").await;
    assert_eq!((status, cut.len()), (StatusCode::OK, 3 * 32));
    assert_eq!(running.get("/log/tile/entries/001.p/3").await.0, StatusCode::OK);
    for (submission, outcome) in early {
        assert_eq!(running.seal_one(submission).await, outcome);
    }
    running.stop().await;
    world.assert_sound().await;
}

#[tokio::test]
async fn archived_checkpoints_and_indices_are_found_and_never_before_they_are_published() {
    use super::faults::{Fault, FaultyObjects};
    let world = World::witnessed().await;
    let objects = FaultyObjects::new(&world.data.objects());
    let store = world.store().await;
    let published = jianzhen_server::objects::Objects::new(objects.clone());
    let running = world.start_with(store.clone(), Arc::new(store.clone()), published).await;
    let device = world.with_device(&running).await;
    for id in 0..3 {
        running.seal_one(Submission::of(device.start(id))).await;
    }
    let all = store.checkpoints_after(None, 100).await.unwrap();
    for (size, note) in &all {
        let (status, headers, body) = running.get(&format!("/log/checkpoints/{size}")).await;
        assert_eq!((status, &body[..]), (StatusCode::OK, &note[..]));
        assert!(headers["cache-control"].to_str().unwrap().contains("immutable"));
        assert_eq!(headers["access-control-allow-origin"], "*");
    }
    for (after, count) in [(0, 4), (1, 3), (3, 1), (4, 0), (900, 0)] {
        let (status, headers, body) = running.get(&format!("/log/checkpoints/after/{after}")).await;
        assert_eq!(status, StatusCode::OK);
        assert_eq!(headers["cache-control"], "no-cache", "it may grow");
        let mut rest = &body[..];
        let mut notes = Vec::new();
        while let Some((length, tail)) = rest.split_first_chunk::<2>() {
            let (note, tail) = tail.split_at(usize::from(u16::from_be_bytes(*length)));
            notes.push(note.to_vec());
            rest = tail;
        }
        let expected: Vec<Vec<u8>> =
            all.iter().filter(|(size, _)| size.get() > after).map(|(_, note)| note.clone()).collect();
        assert_eq!(notes.len(), count);
        assert_eq!(notes, expected);
    }
    let index = |digest| format!("/log/index/{digest}");
    let (status, _, body) = running.get(&index(device.enrolment)).await;
    assert_eq!((status, &body[..]), (StatusCode::OK, &b"0\n"[..]));
    // Archived and not published: the write of the checkpoint fails.
    let start = device.start(9);
    objects.arm(2, i64::MAX, Fault::Lost);
    running.seal_one(Submission::of(start.clone())).await;
    assert!(store.checkpoint_at(TreeSize::new(5)).await.unwrap().is_some());
    assert_eq!(running.get("/log/checkpoints/after/4").await.2.len(), 0);
    for address in [
        "/log/checkpoints/5".to_owned(),
        index(start.digest()),
        "/log/checkpoints/05".to_owned(),
        "/log/checkpoints/-1".to_owned(),
        "/log/checkpoints/18446744073709551615".to_owned(),
        "/log/checkpoints/18446744073709551616".to_owned(),
        "/log/checkpoints/after/x".to_owned(),
        "/log/index/00".to_owned(),
        index(device.enrolment).to_uppercase().replace("/LOG/INDEX", "/log/index"),
    ] {
        let (status, _, body) = running.get(&address).await;
        assert_eq!(status, StatusCode::NOT_FOUND, "{address}");
        assert!(!String::from_utf8_lossy(&body).contains(".."), "{address}: {body:?}");
    }
    running.crash().await;
}

#[tokio::test]
async fn the_chain_is_described_with_its_witnesses() {
    let world = World::witnessed().await;
    let running = world.start().await;
    let device = world.with_device(&running).await;
    world.witnesses[2].set(super::witness::Mood::Refusing(403));
    for id in 0..30 {
        running.seal_one(Submission::of(device.start(id))).await;
    }
    while running.state_of("w3").await != "refusing" {
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    }
    let chain = running.chain().await;
    let now = super::support::NOW_MS / 1000;
    assert_eq!(
        (&chain["size"], &chain["quorum_none"], &chain["cosigned"]),
        (&31.into(), &false.into(), &now.into())
    );
    let note = SignedNote::parse(chain["checkpoint"].as_str().unwrap().as_bytes()).unwrap();
    world.trust.logs()[0].policy.verify_checkpoint(&note).unwrap();
    let witnesses = chain["witnesses"].as_array().unwrap();
    assert_eq!(witnesses.len(), 3);
    assert_eq!(witnesses[0]["vkey"], world.witnesses[0].key.verifier_key().to_string());
    assert!(witnesses[2]["detail"].as_str().unwrap().contains("403"));
    assert!(witnesses[2]["lag"].as_u64().is_none_or(|lag| lag > 0), "{witnesses:?}");
    let recent = chain["recent"].as_array().unwrap();
    assert_eq!((recent.len(), &recent[0]["size"]), (20, &31.into()));
    assert_eq!(recent[0]["witnesses"], serde_json::json!(["w1", "w2"]));
    assert_eq!(recent[0]["cosigned"], now);
    let growth = chain["growth"].as_array().unwrap();
    assert_eq!((growth.len(), &growth[0]["size"], &growth[30]["size"]), (31, &1.into(), &31.into()));
    running.crash().await;
}

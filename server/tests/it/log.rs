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

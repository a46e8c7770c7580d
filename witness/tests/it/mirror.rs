//! Copies: of a log that lies in every way it can, of an honest one at every size, and over `kill -9`.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, HttpBody as _};
use axum::http::Request;
use jianzhen_witness::add_checkpoint::contradicts;
use jianzhen_witness::fsck::{Findings, check_copy, check_state};
use jianzhen_witness::mirror::copy::{Archived, Copy};
use jianzhen_witness::mirror::pull::{PullError, Pulled, Puller};
use jianzhen_witness::mirror::source::Source;
use jianzhen_witness::mirror::{MirrorError, Mirrors};
use tlog::{BundleId, Checkpoint, SignedNote, TileId, TreeSize, bundles_between, sign_note, tiles_between};
use tokio::sync::watch;

use crate::process::Installation;
use crate::support::{Lie, Served, TestLog, World, configured, frame, hash, log_key, size};

/// A log that is served, a witness of it, and a copy that grows when told to.
struct Copying {
    served: Served,
    world: World,
    puller: Puller,
    _stop: watch::Sender<bool>,
    cosigned: u64,
}

impl Copying {
    async fn of(log: TestLog) -> Self {
        let served = Served::start(log.clone()).await;
        let configured = configured(&[log.key.verifier_key()], Some(&served.url));
        let world = World::new(std::slice::from_ref(&configured)).await;
        let copy = Arc::new(Copy::create(&world.path("copy"), configured.origin()).await.unwrap());
        let (stop, stopped) = watch::channel(false);
        let address = configured.mirror().unwrap().clone();
        let source = Source::new(address, Duration::from_secs(1), stopped).unwrap();
        let puller = Puller { log: Arc::new(configured), witness: world.witness.clone(), copy, source };
        Self { served, world, puller, _stop: stop, cosigned: 0 }
    }

    fn log(&self) -> TestLog {
        self.served.log.lock().unwrap().clone()
    }

    async fn cosign(&mut self, at: u64) {
        let log = self.log();
        self.world.add(&log, self.cosigned, at).await;
        self.cosigned = at;
    }

    /// As the log does it: cosigned first, then archived and published.
    async fn publish(&mut self, at: u64) {
        self.cosign(at).await;
        self.served.log.lock().unwrap().publish(at);
    }

    fn size(&self) -> u64 {
        self.puller.copy.head().size.get()
    }

    async fn pull(&self) -> Result<Pulled, PullError> {
        self.puller.pull().await
    }

    async fn assert_pulled(&self, at: u64) {
        self.pull().await.unwrap();
        assert_eq!(self.size(), at);
        assert_eq!(self.puller.copy.head(), self.log().head(at));
    }

    async fn assert_sound(&self) {
        let mut findings = Findings::default();
        check_copy(&self.puller.copy, Some(&self.puller.log), &mut findings).await.unwrap();
        assert_eq!(findings.problems, Vec::<String>::new());
    }

    /// Nothing was taken over, the word says why, and honesty helps.
    async fn assert_refused(&self, word: &str, case: &str) {
        let (size, head) = (self.size(), self.puller.copy.head());
        let error = match self.pull().await {
            Err(error) => error,
            Ok(pulled) => panic!("{case}: taken over: {pulled:?}"),
        };
        assert_eq!(error.word().0, word, "{case}: {error}");
        assert_eq!((self.size(), self.puller.copy.head()), (size, head), "{case}");
        self.assert_sound().await;
    }
}

#[tokio::test]
async fn every_stage_of_an_honest_log() {
    let mut log = TestLog::of(0, "a");
    log.grow(66_100, "a");
    let mut copying = Copying::of(log.clone()).await;
    assert_eq!(copying.pull().await.map_err(|error| error.word().0), Err("unpublished"));
    for at in [1, 2, 255, 256, 257, 300, 511, 512, 513, 1000, 65_535, 65_536, 65_537, 66_100] {
        copying.publish(at).await;
        copying.assert_pulled(at).await;
        if at < 1001 || at == 66_100 {
            copying.assert_sound().await;
        }
    }
    let copy = &copying.puller.copy;
    for id in tiles_between(TreeSize::ZERO, size(66_100)) {
        assert_eq!(copy.tile(id).await.unwrap(), log.answer(&format!("/{id}")), "{id}");
    }
    for id in bundles_between(TreeSize::ZERO, size(66_100)) {
        assert_eq!(copy.bundle(id).await.unwrap(), log.answer(&format!("/{id}")), "{id}");
    }
    // Narrower stages are cut from what is there; wider ones are not there.
    for width in [1, 17, 255] {
        let (tile, bundle) = (TileId::new(0, 3, width).unwrap(), BundleId::new(3, width).unwrap());
        assert_eq!(copy.tile(tile).await.unwrap(), log.answer(&format!("/{tile}")));
        assert_eq!(copy.bundle(bundle).await.unwrap(), log.answer(&format!("/{bundle}")));
    }
    assert_eq!(copy.tile(TileId::new(0, 258, 53).unwrap()).await.unwrap(), None);
    assert_eq!(copy.bundle(BundleId::new(258, 53).unwrap()).await.unwrap(), None);
    // Of partial tiles and bundles, those of the copy's size alone.
    let partial: BTreeSet<String> =
        files(&copying.world.path("copy")).into_iter().filter(|path| path.contains(".p/")).collect();
    let expected = ["tile/0/258.p/52", "tile/1/001.p/2", "tile/2/000.p/1", "tile/entries/258.p/52"];
    assert_eq!(partial, expected.map(str::to_owned).into());
}

fn files(directory: &Path) -> Vec<String> {
    let mut found = Vec::new();
    let mut folders = vec![directory.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else {
                found.push(path.strip_prefix(directory).unwrap().to_str().unwrap().to_owned());
            }
        }
    }
    found
}

#[tokio::test]
async fn nothing_that_was_not_cosigned_is_taken_over() {
    let mut copying = Copying::of(TestLog::of(400, "a")).await;
    copying.served.log.lock().unwrap().publish(10);
    copying.assert_pulled(0).await;
    // Published sizes 10, 20, 300; cosigned 25, which was never published.
    copying.cosign(25).await;
    copying.served.log.lock().unwrap().publish(20);
    copying.served.log.lock().unwrap().publish(300);
    copying.assert_pulled(20).await;
    assert_eq!(copying.pull().await.unwrap(), Pulled { published: size(300), advanced: false });
    copying.cosign(300).await;
    copying.assert_pulled(300).await;
    copying.assert_sound().await;
}

#[tokio::test]
async fn what_was_cosigned_is_taken_over_although_more_was_since() {
    let mut copying = Copying::of(TestLog::of(400, "a")).await;
    for at in [10, 20, 300] {
        copying.cosign(at).await;
    }
    // The quorum was reached for an earlier one only.
    copying.served.log.lock().unwrap().publish(20);
    copying.assert_pulled(20).await;
    // Signed by the log, smaller than what was cosigned, and never seen: perhaps an earlier stage, perhaps not.
    copying.served.log.lock().unwrap().publish(150);
    copying.assert_pulled(20).await;
    copying.served.log.lock().unwrap().publish(300);
    copying.assert_pulled(300).await;
    copying.assert_sound().await;
}

#[tokio::test]
async fn a_log_that_lies_about_its_parts() {
    let log = TestLog::of(1000, "a");
    let mut copying = Copying::of(log.clone()).await;
    copying.publish(300).await;
    copying.assert_pulled(300).await;
    copying.cosign(900).await;
    let published = log.note(1000);
    copying.served.log.lock().unwrap().publish(900);
    copying.served.log.lock().unwrap().archive.insert(1000, published);
    let fork = log.forked(301, 1000, "b");
    let honest = |path: &str| log.answer(path).unwrap();
    let flipped = |path: &str| {
        let mut bytes = honest(path);
        let middle = bytes.len() / 2;
        bytes[middle] ^= 1;
        Lie::Bytes(bytes)
    };
    let one_less = |path: &str| Lie::Bytes(honest(path)[1..].to_vec());
    let edge = "/tile/0/003.p/232";
    let above = "/tile/1/000.p/3";
    let (bundle, last) = ("/tile/entries/002", "/tile/entries/003.p/232");
    let (statement, archive) = ("/statement/807", "/checkpoints/after/300");
    let page = |notes: Vec<tlog::SignedNote>| Lie::Bytes(frame(notes.iter().map(tlog::SignedNote::as_bytes)));
    let cases: Vec<(&str, &str, Lie, &str)> = vec![
        ("a bit of a tile at the edge", edge, flipped(edge), "tile"),
        ("a bit of a tile above", above, flipped(above), "tile"),
        ("a tile of another history", edge, Lie::Bytes(fork.answer(edge).unwrap()), "tile"),
        ("a tile that is too short", edge, one_less(edge), "tile"),
        ("a tile withheld", above, Lie::Status(404), "missing"),
        ("a bit of a full bundle", bundle, flipped(bundle), "tile"),
        ("a bundle of another history", bundle, Lie::Bytes(fork.answer(bundle).unwrap()), "tile"),
        ("a bit of the last bundle", last, flipped(last), "tile"),
        ("a bundle that is too short", bundle, one_less(bundle), "tile"),
        ("no bundle at all", bundle, Lie::Bytes(Vec::new()), "tile"),
        ("a bundle withheld", bundle, Lie::Status(404), "missing"),
        ("a bundle that ends early", bundle, Lie::Truncated, "away"),
        ("a bundle that never ends", bundle, Lie::Endless, "too-long"),
        ("a bundle that never comes", bundle, Lie::Silent, "away"),
        ("a tile that never ends", edge, Lie::Endless, "too-long"),
        ("a server error", bundle, Lie::Status(500), "away"),
        ("a redirect", bundle, Lie::Redirect, "away"),
        ("a statement withheld", statement, Lie::Status(404), "statement"),
        ("another statement", statement, Lie::Bytes(honest("/statement/757")), "statement"),
        ("a bit of a statement", statement, flipped(statement), "statement"),
        ("a statement that never ends", statement, Lie::Endless, "too-long"),
        ("the archive withheld", archive, Lie::Status(404), "archive"),
        ("the archive cut off", archive, Lie::Bytes(vec![0, 9, 1]), "archive"),
        ("nonsense in the archive", archive, Lie::Bytes(vec![0, 1, b'x']), "archive"),
        ("an archive that never ends", archive, Lie::Endless, "too-long"),
        ("an archive in disorder", archive, page(vec![log.note(800), log.note(700)]), "archive"),
        ("an archive that begins before", archive, page(vec![log.note(300)]), "archive"),
        ("an archived checkpoint of another history", archive, page(vec![fork.note(800)]), "archive"),
        (
            "an archived checkpoint by nobody",
            archive,
            page(vec![log.note_by(800, &log_key(crate::support::ORIGIN))]),
            "archive",
        ),
        (
            "too many archived checkpoints",
            archive,
            page((301..=557).map(|at| log.note(at)).collect()),
            "archive",
        ),
        ("a checkpoint withheld", "/checkpoint", Lie::Status(404), "unpublished"),
        ("nonsense for a checkpoint", "/checkpoint", Lie::Bytes(b"x".to_vec()), "checkpoint"),
        ("a checkpoint that never ends", "/checkpoint", Lie::Endless, "too-long"),
        (
            "a checkpoint by nobody",
            "/checkpoint",
            Lie::Bytes(log.note_by(1000, &log_key(crate::support::ORIGIN)).as_bytes().to_vec()),
            "checkpoint",
        ),
        (
            "a checkpoint of another log by the same key",
            "/checkpoint",
            Lie::Bytes(
                Checkpoint::new("other", log.head(1000)).unwrap().sign(&log.key).unwrap().as_bytes().to_vec(),
            ),
            "checkpoint",
        ),
        ("a tree that shrank", "/checkpoint", Lie::Bytes(log.note(299).as_bytes().to_vec()), "shrunk"),
    ];
    let leftovers = [bundle[1..].to_owned(), Copy::statement_path(tlog::LeafIndex::new(807))];
    for (case, path, lie, word) in cases {
        // What an earlier attempt has left is authentic, and would not be asked for again.
        for leftover in &leftovers {
            let _ = std::fs::remove_file(copying.world.path("copy").join(leftover));
        }
        copying.served.lie(path, lie);
        copying.assert_refused(word, case).await;
        copying.served.be_honest();
    }
    copying.assert_pulled(900).await;
    copying.cosign(1000).await;
    copying.assert_pulled(1000).await;
    copying.assert_sound().await;
    assert!(
        copying.world.witness.store().kept().await.unwrap().is_empty(),
        "none of this was a contradiction"
    );
}

#[tokio::test]
async fn an_entry_that_is_none_is_not_taken_over() {
    let mut log = TestLog::of(10, "a");
    log.push(vec![9; 42]);
    let mut copying = Copying::of(log).await;
    copying.publish(10).await;
    copying.assert_pulled(10).await;
    copying.publish(11).await;
    copying.assert_refused("entry", "of an unknown version").await;
}

#[tokio::test]
async fn an_archive_without_the_published_checkpoint() {
    let mut copying = Copying::of(TestLog::of(100, "a")).await;
    copying.publish(50).await;
    copying.assert_pulled(50).await;
    copying.publish(100).await;
    copying.served.lie("/checkpoints/after/50", Lie::Bytes(Vec::new()));
    copying.assert_refused("archive", "empty").await;
    copying.served.be_honest();
    copying.assert_pulled(100).await;
}

/// The full tiles of a large log are not at its edge: they too are checked before anything below them is believed.
#[tokio::test]
async fn a_lie_in_the_middle_of_a_large_log() {
    let mut log = TestLog::of(0, "a");
    log.grow(70_000, "a");
    let mut copying = Copying::of(log.clone()).await;
    copying.publish(70_000).await;
    let mut middle = log.answer("/tile/1/000").unwrap();
    middle[100 * 32] ^= 1;
    copying.served.lie("/tile/1/000", Lie::Bytes(middle));
    copying.assert_refused("tile", "a full tile of level 1").await;
    copying.served.be_honest();
    let mut bundle = log.answer("/tile/entries/100").unwrap();
    bundle[5] ^= 1;
    copying.served.lie("/tile/entries/100", Lie::Bytes(bundle));
    copying.assert_refused("tile", "a bundle").await;
    copying.served.be_honest();
    // What was whole before the lie is not asked for again.
    copying.served.asked.lock().unwrap().clear();
    copying.assert_pulled(70_000).await;
    let asked = copying.served.asked.lock().unwrap().clone();
    assert!(!asked.contains(&"/tile/entries/099".to_owned()), "asked again for what is there");
    assert!(asked.contains(&"/tile/entries/100".to_owned()));
}

#[tokio::test]
async fn a_fork_is_kept_as_proof_and_the_copy_stays() {
    let log = TestLog::of(400, "a");
    let mut copying = Copying::of(log.clone()).await;
    copying.publish(100).await;
    copying.assert_pulled(100).await;
    let (fork, honest) = (log.forked(50, 400, "b"), log.clone());
    let swap = |at: u64, copying: &Copying| {
        let mut other = fork.clone();
        other.publish(at);
        *copying.served.log.lock().unwrap() = other;
    };
    for at in [100, 101, 399] {
        swap(at, &copying);
        copying.assert_refused("forked", &format!("published {at}")).await;
    }
    let kept = copying.world.witness.store().kept().await.unwrap();
    assert_eq!(kept.iter().map(|(_, _, found)| found.head.size.get()).collect::<Vec<_>>(), [100, 101, 399]);
    *copying.served.log.lock().unwrap() = log;
    // From a power of two the tiles convict, where no proof could.
    copying.cosign(256).await;
    swap(398, &copying);
    copying.assert_refused("forked", "from a power of two").await;
    let mut findings = Findings::default();
    check_state(&copying.world.witness, &mut findings).await.unwrap();
    assert_eq!((findings.problems, findings.contradictions), (Vec::new(), 4));
    *copying.served.log.lock().unwrap() = honest;
    copying.publish(400).await;
    copying.assert_pulled(400).await;
}

/// The older of two trees that were cosigned, published with another root: both notes of that size are kept, and need nothing else.
#[tokio::test]
async fn a_fork_from_an_older_tree_is_kept_with_the_note_that_it_contradicts() {
    let log = TestLog::of(400, "a");
    let mut copying = Copying::of(log.clone()).await;
    copying.publish(100).await;
    copying.assert_pulled(100).await;
    copying.cosign(150).await;
    copying.cosign(300).await;
    let mut other = log.forked(50, 400, "b");
    other.publish(150);
    *copying.served.log.lock().unwrap() = other;
    copying.assert_refused("forked", "an older size").await;
    let kept = copying.world.witness.store().kept().await.unwrap();
    let [(_, ours, found)] = kept.as_slice() else { panic!("{} kept", kept.len()) };
    assert_eq!((ours.text(), found.head.size.get()), (log.note(150).text(), 150));
    assert!(contradicts(&log.head(150), &found.head, &found.proof));
    let mut findings = Findings::default();
    check_state(&copying.world.witness, &mut findings).await.unwrap();
    assert_eq!((findings.problems, findings.contradictions), (Vec::new(), 1));
}

/// Wrong tiles accuse nobody of a fork: only those count that lead to the root that the log has signed.
#[tokio::test]
async fn a_lie_below_what_was_cosigned_is_no_fork() {
    let log = TestLog::of(1000, "a");
    let mut copying = Copying::of(log.clone()).await;
    copying.publish(300).await;
    copying.assert_pulled(300).await;
    copying.served.log.lock().unwrap().publish(1000);
    let mut tile = log.answer("/tile/0/001").unwrap();
    tile[20 * 32] ^= 1;
    copying.served.lie("/tile/0/001", Lie::Bytes(tile));
    copying.assert_refused("tile", "a full tile that the proof needs").await;
    assert!(copying.world.witness.store().kept().await.unwrap().is_empty());
    copying.served.be_honest();
    copying.assert_pulled(300).await;
}

#[tokio::test]
async fn partial_files_that_are_gone_and_others_left_by_a_crash() {
    let log = TestLog::of(600, "a");
    let mut copying = Copying::of(log.clone()).await;
    copying.publish(300).await;
    copying.assert_pulled(300).await;
    copying.publish(520).await;
    // The log has grown since, and removed the partial files of 520.
    for path in ["/tile/0/002.p/8", "/tile/entries/002.p/8", "/tile/1/000.p/2"] {
        copying.served.lie(path, Lie::Status(404));
    }
    copying.served.log.lock().unwrap().grow(256 * 256, "a");
    // Files of an attempt that was killed, whole and torn.
    let leftover = copying.world.path("copy").join("tile/entries");
    std::fs::write(leftover.join("001"), log.answer("/tile/entries/001").unwrap()).unwrap();
    std::fs::write(leftover.join("001.partial"), b"torn").unwrap();
    copying.assert_pulled(520).await;
    copying.served.be_honest();
    copying.assert_sound().await;
}

#[tokio::test]
async fn fsck_finds_whatever_is_damaged() {
    let mut copying = Copying::of(TestLog::of(700, "a")).await;
    copying.publish(300).await;
    copying.publish(700).await;
    copying.assert_pulled(700).await;
    copying.assert_sound().await;
    let root = copying.world.path("copy");
    for path in files(&root) {
        if path.starts_with("copy.sqlite") {
            continue;
        }
        let file = root.join(&path);
        let good = std::fs::read(&file).unwrap();
        let mut bad = good.clone();
        let middle = bad.len() / 2;
        bad[middle] ^= 0x10;
        for damage in [Some(bad), Some(good[1..].to_vec()), None] {
            match &damage {
                Some(bytes) => std::fs::write(&file, bytes).unwrap(),
                None => std::fs::remove_file(&file).unwrap(),
            }
            let mut findings = Findings::default();
            check_copy(&copying.puller.copy, Some(&copying.puller.log), &mut findings).await.unwrap();
            assert!(!findings.is_sound(), "{path}");
        }
        std::fs::write(&file, &good).unwrap();
    }
    copying.assert_sound().await;
}

#[tokio::test]
async fn the_copy_is_served_as_the_log_is() {
    let mut log = TestLog::of(900, "a");
    let served = Served::start(log.clone()).await;
    let world = World::new(&[configured(&[log.key.verifier_key()], Some(&served.url))]).await;
    for (old, new) in [(0, 10), (10, 300), (300, 900)] {
        world.add(&log, old, new).await;
        log.publish(new);
    }
    *served.log.lock().unwrap() = log.clone();
    world.mirrors.follow(&world.witness.logs()).await.unwrap();
    let at = |path: &str| format!("/mirror/{}{path}", hash());
    while world.get(&at("/checkpoint")).await.body != log.note(900).as_bytes() {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    // The operator is gone.
    world.mirrors.follow(&jianzhen_witness::logs::LogList::default()).await.unwrap();
    for path in [
        "/checkpoint",
        "/tile/0/000",
        "/tile/0/003.p/132",
        "/tile/1/000.p/3",
        "/tile/entries/002",
        "/tile/entries/003.p/7",
        "/statement/7",
        "/statement/857",
        "/checkpoints/300",
        "/checkpoints/after/0",
        "/checkpoints/after/10",
        "/checkpoints/after/900",
    ] {
        let answer = world.get(&at(path)).await;
        assert_eq!(answer.status, 200, "{path}");
        assert_eq!(Some(answer.body.to_vec()), log.answer(path), "{path}");
        assert_eq!(answer.headers["access-control-allow-origin"], "*");
    }
    for path in [
        "/tile/0/004",
        "/tile/0/003",
        "/tile/0/003.p/133",
        "/tile/entries/003.p/133",
        "/tile/x/000",
        "/tile/0/../../copy.sqlite",
        "/tile/0/x000/001",
        "/statement/8",
        "/statement/907",
        "/statement/007",
        "/statement/../copy.sqlite",
        "/checkpoints/11",
        "/checkpoints/x",
        "/copy.sqlite",
        "",
    ] {
        assert_eq!(world.get(&at(path)).await.status, 404, "{path}");
    }
    assert_eq!(world.get(&at("/checkpoint?x=1")).await.status, 400);
    let metrics = world.get("/metrics").await;
    assert!(
        metrics.text().contains("jianzhen_mirror_size{log=\"test.example/log\"} 900\n"),
        "{}",
        metrics.text()
    );
}

/// Clients that ask for long answers and read none of them: bounded, and cosigning does not notice.
#[tokio::test]
async fn answers_that_nobody_reads_do_not_fill_the_memory() {
    let log = TestLog::of(300, "a");
    let world = World::of(&log).await;
    world.add(&log, 0, 299).await;
    let copy = Copy::create(&world.path("mirror").join(hash()), crate::support::ORIGIN).await.unwrap();
    let archived = |at| Archived { head: log.head(at), note: log.note(at) };
    copy.commit(&(1..300).map(archived).collect::<Vec<_>>()).await.unwrap();
    copy.close().await;
    world.mirrors.follow(&world.witness.logs()).await.unwrap();
    let ask = async || {
        let path = format!("/mirror/{}/checkpoints/after/0", hash());
        world.respond(Request::get(path).body(Body::empty()).unwrap()).await
    };
    let mut unread = vec![ask().await];
    let length = unread[0].body().size_hint().exact().unwrap();
    assert!(length > 40_000, "{length}");
    while unread.last().unwrap().status() == 200 {
        unread.push(ask().await);
        assert!(u64::try_from(unread.len()).unwrap() * length < 70 << 20, "no end");
    }
    assert_eq!(unread.last().unwrap().status(), 503);
    assert_eq!(world.get(&format!("/{}/checkpoint", hash())).await.status, 200);
    world.add(&log, 299, 300).await;
    drop(unread);
    assert_eq!(ask().await.status(), 200);
}

/// A log may sign notes of 64 KiB; nobody gets hundreds of them at once, and everybody gets all of them.
#[tokio::test]
async fn a_page_of_long_checkpoints_is_cut_short() {
    let log = TestLog::of(100, "a");
    let world = World::of(&log).await;
    let copy = Copy::create(&world.path("copy"), crate::support::ORIGIN).await.unwrap();
    let archived = |at| {
        let text = format!("{}{}\n", log.note(at).text(), "x".repeat(60_000));
        let note = SignedNote::parse(sign_note(&text, &log.key).unwrap().as_bytes()).unwrap();
        Archived { head: log.head(at), note }
    };
    copy.commit(&(1..=100).map(archived).collect::<Vec<_>>()).await.unwrap();
    let mut after = TreeSize::ZERO;
    let mut seen = 0;
    while let page = copy.archived_after(after).await.unwrap()
        && let Some((last, _)) = page.last()
    {
        let length: usize = page.iter().map(|(_, note)| note.len()).sum();
        assert!(length < (1 << 20) + 65_536, "{length}");
        seen += page.len();
        after = *last;
    }
    assert_eq!((seen, after), (100, size(100)));
}

/// A state that was exchanged for an older copy: the copy of the log gives it away.
#[tokio::test]
async fn a_state_that_was_set_back_is_refused() {
    let log = TestLog::of(100, "a");
    let world = World::of(&log).await;
    world.add(&log, 0, 50).await;
    let copy = Copy::create(&world.path("mirror").join(hash()), crate::support::ORIGIN).await.unwrap();
    copy.commit(&[Archived { head: log.head(60), note: log.note(60) }]).await.unwrap();
    copy.close().await;
    let settings = jianzhen_witness::config::MirrorSettings::default();
    let mirrors = Mirrors::open(world.path("mirror"), world.witness.clone(), settings);
    let refused = mirrors.follow(&world.witness.logs()).await;
    assert!(matches!(refused, Err(MirrorError::StateSetBack { copy: 60, cosigned: 50, .. })), "{refused:?}");
}

/// `kill -9` at any moment of copying: what is there is sound, and it goes on from there.
#[tokio::test(flavor = "multi_thread")]
async fn killed_while_copying_it_goes_on() {
    let mut log = TestLog::of(20_000, "a");
    let served = Served::start(log.clone()).await;
    let installation = Installation::new();
    installation.add_log(&log.key.verifier_key().to_string(), &["--mirror", &served.url]);
    installation.configure("[mirror]\npoll_ms = 1\n");
    let mut cosigned = 0;
    for round in 0..10 {
        let process = installation.serve(&[]);
        for _ in 0..4 {
            let new = cosigned + 400 + round;
            let (status, answer) = process.post(&log.request(cosigned, new)).unwrap();
            assert_eq!(status, 200, "{answer}");
            log.publish(new);
            *served.log.lock().unwrap() = log.clone();
            cosigned = new;
        }
        tokio::time::sleep(Duration::from_millis(20 + getrandom::u64().unwrap() % 250)).await;
        process.kill();
        installation.assert_sound();
    }
    let process = installation.serve(&[]);
    while process.get(&format!("/mirror/{}/checkpoint", hash())).unwrap().1 != log.note(cosigned).as_str() {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    drop(process);
    installation.assert_sound();
}

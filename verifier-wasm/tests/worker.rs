//! Reading and hashing in a real browser, in a dedicated worker as on the page.

#![cfg(target_arch = "wasm32")]
// A test fails by panicking; clippy knows that of `#[test]` functions only.
#![allow(clippy::unwrap_used)]

use std::cell::Cell;

use evidence::report::{ErrorCode, FileFacts, Report, TrustFacts};
use evidence::{ByteRange, Digest, RootsRequest, TrustFile};
use js_sys::{Array, Uint8Array};
use protocol::chain::{
    CheckResult, Checked, EntryFacts, Look, OperatorsWord, Pin, Root, Rule, ToCheck, Verified, WitnessAnswer,
};
use protocol::report::{AlarmKind, ReasonCode, RootSource, RootsAlarm, SignedRoot, State, WitnessState};
use protocol::{Command, Event, Phase, Progress};
use verifier_wasm::blob::{BlobReader, ReadError};
use verifier_wasm::container::boundaries;
use verifier_wasm::guard::guards;
use verifier_wasm::hashing::{HashingError, Monitor, hash_ranges};
use verifier_wasm::http::FetchError;
use verifier_wasm::roots::{Deadline, fetch_all};
use verifier_wasm::session::CancelFlag;
use wasm_bindgen::{JsCast as _, JsValue};
use wasm_bindgen_test::{wasm_bindgen_test, wasm_bindgen_test_configure};
use web_sys::{Blob, File};

wasm_bindgen_test_configure!(run_in_dedicated_worker);

const MIB: u64 = 1 << 20;
const GIB: u64 = 1 << 30;

/// Lets everything run, and counts.
#[derive(Default)]
struct Watch {
    calls: Cell<u32>,
    last: Cell<(u64, u64)>,
    cancel_after: Option<u32>,
}

impl Monitor for Watch {
    fn progress(&self, done: u64, total: u64) {
        self.calls.set(self.calls.get() + 1);
        self.last.set((done, total));
    }

    fn is_cancelled(&self) -> bool {
        self.cancel_after.is_some_and(|calls| self.calls.get() >= calls)
    }
}

fn range(offset: u64, length: u64) -> ByteRange {
    ByteRange::new(offset, length).unwrap()
}

fn blob(bytes: &[u8]) -> Blob {
    joined(&[&blob_part(bytes)])
}

fn blob_part(bytes: &[u8]) -> Blob {
    Blob::new_with_u8_array_sequence(&Array::of1(&Uint8Array::from(bytes))).unwrap()
}

fn joined(parts: &[&Blob]) -> Blob {
    let list: Array = parts.iter().copied().collect();
    Blob::new_with_blob_sequence(&list).unwrap()
}

/// `part`, `times` times over; the browser keeps its bytes once.
fn repeated(part: &Blob, times: usize) -> Blob {
    joined(&vec![part; times])
}

async fn digests(reader: &BlobReader, ranges: &[ByteRange], watch: &Watch) -> Vec<Digest> {
    let mut found = Vec::new();
    hash_ranges(reader, ranges.to_vec(), watch, |range, digest| found.push((range, digest))).await.unwrap();
    let of = |range: &ByteRange| found.iter().find(|(found, _)| found == range).unwrap().1;
    ranges.iter().map(of).collect()
}

#[wasm_bindgen_test]
async fn known_digests() {
    let million = vec![b'a'; 1_000_000];
    let reader = BlobReader::new(joined(&[&blob(b"abc"), &blob(&million)]));
    let found = digests(&reader, &[range(0, 3), range(3, 1_000_000)], &Watch::default()).await;
    // FIPS 180-2, appendices B.1 and B.3.
    assert_eq!(found[0].to_string(), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    assert_eq!(found[1].to_string(), "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
}

#[wasm_bindgen_test]
async fn offsets_beyond_four_gib_are_not_cut_to_32_bits() {
    let zeros = blob(&vec![0; 16 << 20]);
    let tail = vec![7; 3 << 20];
    let file = joined(&[&repeated(&zeros, 256), &blob(&tail)]);
    let reader = BlobReader::new(file);
    assert_eq!(reader.length(), 4 * GIB + 3 * MIB);
    let ranges = [range(4 * GIB - MIB, 2 * MIB), range(4 * GIB + MIB, 2 * MIB), range(0, MIB)];
    let found = digests(&reader, &ranges, &Watch::default()).await;
    let straddling = [vec![0; 1 << 20], vec![7; 1 << 20]].concat();
    assert_eq!(
        found,
        [Digest::of(&straddling), Digest::of(&tail[..2 << 20]), Digest::of(&straddling[..1 << 20])]
    );
}

#[wasm_bindgen_test]
async fn memory_does_not_grow_with_the_file() {
    let zeros = blob(&vec![0; 16 << 20]);
    let reader = BlobReader::new(repeated(&zeros, 32));
    let pages = core::arch::wasm32::memory_size(0);
    let watch = Watch::default();
    let found = digests(&reader, &[range(0, 512 * MIB)], &watch).await;
    // `head -c 512M /dev/zero | sha256sum`
    assert_eq!(found[0].to_string(), "9acca8e8c22201155389f65abbf6bc9723edc7384ead80503839f49dcc56d767");
    let grown = core::arch::wasm32::memory_size(0) - pages;
    assert!(grown < 64, "the module's memory grew by {grown} pages of 64 KiB");
    assert_eq!(watch.last.get(), (512 * MIB, 512 * MIB));
}

#[wasm_bindgen_test]
async fn after_the_deadline_nobody_is_asked() {
    let scope = js_sys::global().unchecked_into();
    let requests = vec![RootsRequest::Published; 40];
    let cancelled = CancelFlag::default();
    let answers = fetch_all(&scope, requests.clone(), Deadline::passed(), &cancelled).await.unwrap();
    assert_eq!(answers.len(), requests.len());
    assert!(answers.iter().all(|(_, answer)| *answer == Err(FetchError::Unreachable)));
    // Before it somebody is, and a test's server has no chain.
    let asked = fetch_all(&scope, requests[..1].to_vec(), Deadline::begin(), &cancelled).await.unwrap();
    assert!(matches!(&asked[0].1, Err(error) if *error != FetchError::Unreachable), "{asked:?}");
}

#[wasm_bindgen_test]
async fn a_cancelled_hashing_stops_and_gives_no_digest() {
    let zeros = blob(&vec![0; 16 << 20]);
    let reader = BlobReader::new(repeated(&zeros, 64));
    let watch = Watch { cancel_after: Some(2), ..Watch::default() };
    let mut found = Vec::new();
    let ended = hash_ranges(&reader, vec![range(0, GIB)], &watch, |range, _| found.push(range)).await;
    assert_eq!(ended, Err(HashingError::Cancelled));
    assert_eq!(found, []);
    assert!(watch.last.get().0 < 64 * MIB, "it went on until {:?}", watch.last.get());
}

#[wasm_bindgen_test]
async fn a_file_that_is_shorter_than_its_ranges_has_changed() {
    let reader = BlobReader::new(blob(b"abc"));
    let ended = hash_ranges(&reader, vec![range(0, 10)], &Watch::default(), |_, _| {}).await;
    assert!(matches!(ended, Err(HashingError::Read(ReadError::Changed(_)))), "{ended:?}");
    assert_eq!(ErrorCode::from(&ReadError::Changed(String::new())), ErrorCode::ChangedWhileReading);
}

/// A file that is `size` bytes long by the browser's word; reading it as a whole does what `read` says.
fn pretended(size: u32, read: &str) -> Blob {
    let body = format!("return {{ size: {size}, arrayBuffer: () => {read} }}");
    js_sys::Function::new_no_args(&body).call0(&JsValue::NULL).unwrap().unchecked_into()
}

/// Browsers give the length 0 also to what they cannot find.
#[wasm_bindgen_test]
async fn a_file_without_bytes_is_empty_only_if_it_can_be_read() {
    assert_eq!(BlobReader::new(blob(b"")).confirm_unchanged().await, Ok(()));

    let gone = "Promise.reject(new DOMException('gone', 'NotFoundError'))";
    let ended = BlobReader::new(pretended(0, gone)).confirm_unchanged().await;
    assert_eq!(ended, Err(ReadError::Unreadable("NotFoundError".to_owned())));

    let written = "Promise.resolve(new ArrayBuffer(5))";
    let ended = BlobReader::new(pretended(0, written)).confirm_unchanged().await;
    assert!(matches!(ended, Err(ReadError::Changed(_))), "{ended:?}");
}

#[wasm_bindgen_test]
async fn fragments_of_a_real_video_tile_it() {
    let video = include_bytes!("../../samples/patrol.mp4");
    let reader = BlobReader::new(blob(video));
    let found = boundaries(&reader, &Watch::default()).await.unwrap();
    assert!(found.len() > 5, "{found:?}");
    let mut end = 0;
    for fragment in &found {
        assert_eq!(fragment.offset(), end);
        end = fragment.end();
    }
    assert_eq!(end, reader.length());
}

#[wasm_bindgen_test]
async fn fragments_after_a_damaged_header_are_found_again() {
    let mut video = include_bytes!("../../samples/patrol.mp4").to_vec();
    let whole = boundaries(&BlobReader::new(blob(&video)), &Watch::default()).await.unwrap();
    video[3] ^= 1;
    let watch = Watch::default();
    let found = boundaries(&BlobReader::new(blob(&video)), &watch).await.unwrap();
    assert_eq!(found[2..], whole[1..], "the first one is damaged, and in two parts");
    assert_eq!(watch.last.get(), (video.len() as u64, video.len() as u64));
}

#[wasm_bindgen_test]
async fn a_search_of_a_large_damaged_file_shows_progress_and_can_be_cancelled() {
    // A box whose size was lost, and nothing but noise behind it.
    let noise = blob(&vec![0xff; 16 << 20]);
    let file = joined(&[&blob(b"\0\0\0\x10ftypisom\0\0\0\0\0\0\0\0free"), &repeated(&noise, 64)]);
    let reader = BlobReader::new(file);
    let watch = Watch { cancel_after: Some(20), ..Watch::default() };
    assert_eq!(boundaries(&reader, &watch).await, Err(HashingError::Cancelled));
    let (done, total) = watch.last.get();
    assert!(done > 10 * MIB && done < 30 * MIB && total == GIB + 24, "{done} of {total}");
}

#[wasm_bindgen_test]
async fn what_is_no_video_has_no_boundaries_and_is_no_error() {
    for bytes in [&b""[..], b"x", &[0xff; 100_000], b"\0\0\0\x01moof\xff\xff\xff\xff\xff\xff\xff\xff"] {
        let reader = BlobReader::new(blob(bytes));
        let found = boundaries(&reader, &Watch::default()).await.unwrap();
        assert!(found.iter().all(|range| range.end() <= reader.length()), "{found:?}");
    }
}

/// Two periods: without witnesses first, later with a group within a group. The keys are those of testdata, which anybody can make.
fn trust_file() -> TrustFile {
    TrustFile::parse(include_bytes!("trust.json")).unwrap()
}

fn alarm() -> RootsAlarm {
    let root = |source, name: Option<&str>, size| SignedRoot {
        source,
        name: name.map(str::to_owned),
        size,
        note: "log.example/x\n7\n…\n\n— log.example/x …\n".to_owned(),
    };
    RootsAlarm {
        kind: AlarmKind::Forked,
        ours: root(RootSource::Pin, None, 9),
        theirs: root(RootSource::Witness, Some("w1"), 9),
    }
}

fn verified() -> Verified {
    Verified {
        published: Some(Root {
            origin: "log.example/x".to_owned(),
            size: (1 << 53) - 1,
            root: "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=".to_owned(),
            cosigned: Some(1_790_000_000),
        }),
        witnesses: vec![WitnessAnswer {
            name: "w1".to_owned(),
            state: WitnessState::NoAnswer,
            size: None,
            cosigned: None,
        }],
        alarm: Some(alarm()),
        guards: guards(&trust_file()),
    }
}

fn checked() -> Checked {
    Checked {
        result: CheckResult::Proven,
        reason: None,
        entry: Some(EntryFacts {
            origin: "log.example/x".to_owned(),
            index: 41,
            is_registry: true,
            sealed_at: 1_790_000_000,
            statement: Digest::of(b"x"),
            size: 42,
            root: String::new(),
            witnesses: vec![("w1".to_owned(), 1_790_000_001)],
            proven: Some(1_790_000_001),
        }),
        receipt: Some("c2sp.org/tlog-proof@v1\nindex 7\n".to_owned()),
        roots: Some((State::Proven, ReasonCode::RootsAgree)),
        agreeing: vec!["w1".to_owned()],
        alarm: None,
        pin: None,
    }
}

/// What a later service might say: more than this page knows, and less.
fn word() -> OperatorsWord {
    serde_json::from_str(
        r#"{"origin": "log.example/x", "size": 3, "root": "AA==", "future": [1, {"a": null}], "age": 5,
            "witnesses": [{"name": "w1", "vkey": "w1+1+A", "state": "dreaming", "cosigned": null, "lag": 2}],
            "growth": [{"time": 1, "size": 2}, {"time": 3, "size": 3}]}"#,
    )
    .unwrap()
}

#[wasm_bindgen_test]
fn who_guards_a_chain_is_told_as_the_trust_file_says() {
    let guards = guards(&trust_file());
    let [first, second] = guards.as_slice() else { panic!("{guards:?}") };
    assert_eq!(first.quorum, None);
    assert_eq!((first.from, first.until), (None, Some(1_767_225_600)));
    let names: Vec<&str> = second.witnesses.iter().map(|witness| witness.name.as_str()).collect();
    assert_eq!(names, ["w1", "w2", "w3"]);
    assert_eq!(second.witnesses[0].url.as_deref(), Some("https://w1.example"));
    let witness = |name: &str| Rule::Witness(name.to_owned());
    let pair = Rule::Group { threshold: 1, members: vec![witness("w2"), witness("w3")] };
    assert_eq!(second.quorum, Some(Rule::Group { threshold: 2, members: vec![witness("w1"), pair] }));
    assert!(second.logs[0].starts_with("log.example/x+"), "{:?}", second.logs);
}

#[wasm_bindgen_test]
fn checks_survive_the_crossing() {
    for what in [
        ToCheck::Receipt("c2sp.org/tlog-proof@v1\n".to_owned()),
        ToCheck::Index(7),
        ToCheck::Statement(Digest::of(b"x")),
    ] {
        let command = Command::Check { what: what.clone(), trust: None, pins: Vec::new() };
        match protocol::from_js(protocol::to_js(&command).unwrap()).unwrap() {
            Command::Check { what: crossed, .. } => assert_eq!(crossed, what),
            other => panic!("{other:?} came out"),
        }
    }
}

#[wasm_bindgen_test]
fn messages_survive_the_crossing() {
    let facts = FileFacts { length: (1 << 53) - 1, sha256: Some(Digest::of(b"x")) };
    let trust = TrustFacts { digest: None, operator: Some("某某公证处".to_owned()) };
    let report = Report::not_completed(facts, ErrorCode::NoAnswer, trust);
    let events = [
        Event::Ready { build: protocol::BUILD_ID.to_owned() },
        Event::Prepared { trust: "{\"version\":1}".to_owned() },
        Event::Progress(Progress { phase: Phase::Hashing, done: 6 * GIB, total: 7 * GIB }),
        Event::Finished {
            json: serde_json::to_string(&report).unwrap(),
            report: Box::new(report),
            pin: Some(Pin { slot: "notary.example/chain+0a1b2c3d".to_owned(), note: "链根\n".to_owned() }),
        },
        Event::Looked(Box::new(Look { verified: Ok(verified()), operator: Some(word()), pin: None })),
        Event::Looked(Box::new(Look {
            verified: Err(ErrorCode::TrustUnavailable),
            operator: None,
            pin: None,
        })),
        Event::Checked(Box::new(checked())),
        Event::Described(Ok(verified().guards)),
        Event::Described(Err(ErrorCode::TrustUnreadable)),
    ];
    for event in events {
        let crossed: Event = protocol::from_js(protocol::to_js(&event).unwrap()).unwrap();
        assert_eq!(crossed, event);
    }
}

#[wasm_bindgen_test]
fn numbers_that_javascript_cannot_hold_are_refused_not_rounded() {
    let too_long = Event::Progress(Progress { phase: Phase::Hashing, done: (1 << 53) + 1, total: 1 << 54 });
    assert!(protocol::to_js(&too_long).is_err());
}

#[wasm_bindgen_test]
fn files_cross_without_being_copied() {
    let file = File::new_with_blob_sequence(&Array::of1(&blob(b"abc")), "执法录像.mp4").unwrap();
    let command = Command::Verify {
        file: file.clone(),
        evidence: Array::of1(&file),
        trust: Some("{}".to_owned()),
        pins: vec!["note".to_owned()],
    };
    match protocol::from_js(protocol::to_js(&command).unwrap()).unwrap() {
        Command::Verify { file: crossed, evidence, trust, pins } => {
            assert_eq!((trust.as_deref(), pins), (Some("{}"), vec!["note".to_owned()]));
            assert!(js_sys::Object::is(&file, &crossed) && js_sys::Object::is(&file, &evidence.get(0)));
        }
        _ => panic!("another command came out"),
    }
    assert!(protocol::from_js::<Command>("verify everything".into()).is_err());
}

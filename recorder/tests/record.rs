//! Recording, depositing and flushing with an honest service, and the clumsy ways to use them.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on should fail")]

mod support;

use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::process::{Command, Stdio};

use evidence::report::{ErrorCode, State};
use evidence::statement::{EndReason, Role, TrackKind};
use evidence::{Payload, Verdict};
use support::notary::{Mood, Notary};
use support::recorder::{PROGRAM, Recorder, WAITING, said, sample, text};
use support::wait_for;

const LIVE: &str = "h264-aac-live.mp4";

#[test]
fn files_that_are_no_live_stream_are_refused_and_deposit_is_named() {
    let notary = Notary::start();
    let recorder = Recorder::enrolled(&notary);
    let nonsense = recorder.path("nonsense");
    std::fs::write(&nonsense, [0x5a; 10_000]).unwrap();
    let empty = recorder.path("empty");
    std::fs::write(&empty, b"").unwrap();
    let fixtures = [
        "progressive.mp4",
        "progressive-moov-last.mp4",
        "quicktime.mov",
        "matroska.mkv",
        "riff.avi",
        "transport.ts",
    ];
    for input in fixtures.map(sample).iter().chain([&nonsense, &empty]) {
        let output = recorder.record(input, "video.mp4");
        assert_eq!(output.status.code(), Some(1), "{}", said(&output));
        assert!(said(&output).contains("deposit FILE"), "{}: {}", input.display(), said(&output));
        assert!(
            !recorder.path("video.mp4").exists(),
            "nothing is written before the input is known to be usable"
        );
        assert!(recorder.spooled().is_empty());
    }
    assert_eq!(notary.sealed(), 1, "the enrolment only");
    // A refused attempt uses up no recording number.
    assert_eq!(recorder.record(&sample(LIVE), "video.mp4").status.code(), Some(0));
    assert_eq!(start_of(&notary, 1).counter, 1);
}

#[test]
fn evidence_is_never_overwritten() {
    let notary = Notary::start();
    let recorder = Recorder::enrolled(&notary);
    std::fs::write(recorder.path("video.mp4"), b"earlier evidence").unwrap();
    std::fs::write(recorder.path("other.mp4.evidence"), b"earlier evidence").unwrap();
    for name in ["video.mp4", "other.mp4"] {
        let output = recorder.record(&sample(LIVE), name);
        assert_eq!(output.status.code(), Some(1));
        assert!(said(&output).contains("never overwritten"), "{}", said(&output));
    }
    assert_eq!(std::fs::read(recorder.path("video.mp4")).unwrap(), b"earlier evidence");
    assert_eq!(std::fs::read(recorder.path("other.mp4.evidence")).unwrap(), b"earlier evidence");
}

#[test]
fn clumsy_command_lines_are_usage_errors_or_plain_sentences() {
    let notary = Notary::start();
    let recorder = Recorder::enrolled(&notary);
    let data = recorder.data();
    let plain_http = recorder.run(&["flush", "--data", &data, "--server", "http://notary.example"]);
    assert_eq!(plain_http.status.code(), Some(64), "{}", said(&plain_http));
    assert!(said(&plain_http).contains("use https"));
    assert_eq!(recorder.run(&["record"]).status.code(), Some(64));
    assert_eq!(recorder.run(&["--help"]).status.code(), Some(0));

    let again = recorder.run(&["init", "--data", &data, "--device-id", "recorder-02"]);
    assert_eq!(again.status.code(), Some(1));
    assert!(said(&again).contains("has a key already"), "{}", said(&again));

    let no_trust = recorder.run(&["flush", "--data", &data, "--server", &notary.url]);
    assert_eq!(no_trust.status.code(), Some(1));
    assert!(said(&no_trust).contains("No trust file"), "{}", said(&no_trust));

    let key = recorder.path("device/device.key");
    assert_eq!(std::fs::metadata(&key).unwrap().permissions().mode() & 0o777, 0o600);
    std::fs::set_permissions(&key, std::fs::Permissions::from_mode(0o644)).unwrap();
    let exposed = recorder.flush();
    assert_eq!(exposed.status.code(), Some(1));
    assert!(said(&exposed).contains("can be read by other users"), "{}", said(&exposed));
}

#[test]
fn a_device_that_is_not_enrolled_records_nothing_and_says_what_to_do() {
    let notary = Notary::start();
    let recorder = Recorder::initialised(&notary);
    let output = recorder.record(&sample(LIVE), "video.mp4");
    assert_eq!(output.status.code(), Some(1));
    let key = hex::encode(recorder.public_key().as_bytes());
    assert!(said(&output).contains("not enrolled") && said(&output).contains(&key), "{}", said(&output));
    notary.mood(Mood::Away);
    let output = recorder.record(&sample(LIVE), "video.mp4");
    assert!(said(&output).contains("enrolment of this device cannot be fetched"), "{}", said(&output));
    assert!(!recorder.path("video.mp4").exists());
}

#[test]
fn an_account_deposits_and_does_not_record() {
    let notary = Notary::start();
    let recorder = Recorder::initialised(&notary);
    notary.enrol_as(&recorder.public_key(), Role::Account);
    let output = recorder.record(&sample(LIVE), "video.mp4");
    assert_eq!(output.status.code(), Some(1), "{}", said(&output));
    assert!(said(&output).contains("account") && said(&output).contains("deposit FILE"), "{}", said(&output));
    assert!(!recorder.path("video.mp4").exists() && recorder.spooled().is_empty());
    std::fs::write(recorder.path("photo.jpg"), b"photo").unwrap();
    let output = recorder.deposit(&recorder.path("photo.jpg"));
    assert_eq!(output.status.code(), Some(0), "{}", said(&output));
}

#[test]
fn an_enrolment_by_an_unknown_registrar_is_none() {
    let notary = Notary::start();
    let recorder = Recorder::enrolled(&notary);
    std::fs::write(recorder.path("trust.json"), notary.trust_without_registrar().bytes()).unwrap();
    let output = recorder.record(&sample(LIVE), "video.mp4");
    assert_eq!(output.status.code(), Some(1));
    assert!(said(&output).contains("not signed by a registrar"), "{}", said(&output));
    assert!(!recorder.path("device/registry.cbor").exists(), "what does not verify is not kept");
}

#[test]
fn trust_is_pinned_on_purpose_only_and_never_replaced() {
    let notary = Notary::start();
    let recorder = Recorder::enrolled(&notary);
    let (data, trust) = (recorder.data(), text(&recorder.path("trust.json")));
    let other = recorder.path("other.json");
    std::fs::write(&other, notary.trust_without_registrar().bytes()).unwrap();
    recorder.flush();
    assert!(!recorder.path("device/trust.json").exists(), "--trust alone pins nothing");
    let pinned = recorder.run(&["flush", "--data", &data, "--trust", &trust, "--pin"]);
    assert_eq!(pinned.status.code(), Some(0), "{}", said(&pinned));
    assert!(said(&pinned).contains(&notary.trust().digest().to_string()));
    let changed = recorder.run(&["flush", "--data", &data, "--trust", &text(&other), "--pin"]);
    assert_eq!(changed.status.code(), Some(1));
    assert!(said(&changed).contains("Another trust file is pinned"), "{}", said(&changed));
    // Server and trust are remembered now.
    let short = recorder.run(&["flush", "--data", &data]);
    assert_eq!(short.status.code(), Some(0), "{}", said(&short));
}

#[test]
fn a_recording_is_a_true_copy_with_evidence_that_verifies() {
    let notary = Notary::start();
    let recorder = Recorder::enrolled(&notary);
    for name in [
        LIVE,
        "h264-per-frame.mp4",
        "h265-aac.mp4",
        "vp9-opus.mp4",
        "av1-opus.mp4",
        "aac-only.mp4",
        "patrol.mp4",
    ] {
        let output = recorder.record(&sample(name), name);
        assert_eq!(output.status.code(), Some(0), "{name}: {}", said(&output));
        assert_eq!(std::fs::read(recorder.path(name)).unwrap(), std::fs::read(sample(name)).unwrap());
        let report = recorder.verify(name, &notary.trust());
        assert_eq!(report.verdict, Verdict::Consistent, "{name}: {report:?}");
        assert!(report.findings.iter().all(|finding| finding.state != State::Failed));
        assert!(recorder.spooled().is_empty(), "{name}");
    }
    assert_chain_of_recordings(&notary, 7);
}

#[test]
fn an_altered_copy_is_told_from_the_recording() {
    let notary = Notary::start();
    let recorder = Recorder::enrolled(&notary);
    assert_eq!(recorder.record(&sample("patrol.mp4"), "video.mp4").status.code(), Some(0));
    let mut bytes = std::fs::read(recorder.path("video.mp4")).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    std::fs::write(recorder.path("video.mp4"), bytes).unwrap();
    let report = recorder.verify("video.mp4", &notary.trust());
    assert_eq!(report.verdict, Verdict::Inconsistent);
    let mismatch = &report.mismatches[0];
    assert!(mismatch.offset <= middle as u64 && (middle as u64) < mismatch.offset + mismatch.length);
}

#[test]
fn start_states_tracks_self_check_and_position_and_segments_the_way() {
    let notary = Notary::start();
    let recorder = Recorder::enrolled(&notary);
    let mut args = recorder.record_args(&sample("patrol.mp4"), "video.mp4");
    args.extend(["--gpx".to_owned(), text(&sample("patrol.gpx"))]);
    let output = recorder.run_owned(&args);
    assert_eq!(output.status.code(), Some(0), "{}", said(&output));
    let start = start_of(&notary, 1);
    let kinds: Vec<TrackKind> = start.tracks.iter().map(|track| track.kind).collect();
    assert_eq!(kinds, [TrackKind::Video, TrackKind::Audio]);
    assert_eq!(start.tracks[0].dimensions, Some((640, 360)));
    assert!(start.self_check.firmware.is_some() && start.self_check.free_storage.is_some());
    // The notary's clock stands in 1994.
    assert!(start.self_check.clock_offset_ms.unwrap() > 900_000_000_000);
    assert!(start.chain_head.is_some(), "the enrolment's receipt carried a checkpoint");
    let evidence = recorder.evidence("video.mp4");
    let committed =
        evidence.statements().iter().filter(|statement| statement.payload().position().is_some()).count();
    assert_eq!(evidence.disclosures().len(), committed);
    assert_eq!(committed, 11, "start and the ten segments that have a time");
    let salts: std::collections::BTreeSet<_> =
        evidence.statements().iter().filter_map(|statement| statement.payload().position()).collect();
    assert_eq!(salts.len(), committed, "no two commitments are alike, wherever the device stood");
}

#[test]
fn without_a_network_a_known_device_records_and_sends_later() {
    let notary = Notary::start();
    let recorder = Recorder::enrolled(&notary);
    assert_eq!(recorder.flush().status.code(), Some(0));
    notary.mood(Mood::Away);
    for name in ["one.mp4", "two.mp4"] {
        let output = recorder.record(&sample(LIVE), name);
        assert_eq!(output.status.code(), Some(WAITING), "{}", said(&output));
        assert!(said(&output).contains("safe in the spool"), "{}", said(&output));
        assert_eq!(std::fs::read(recorder.path(name)).unwrap(), std::fs::read(sample(LIVE)).unwrap());
        assert!(!recorder.path(&format!("{name}.evidence")).exists());
    }
    assert_eq!(notary.sealed(), 1);
    let status = recorder.run(&["status", "--data", &recorder.data(), "--json"]);
    let status: serde_json::Value = serde_json::from_slice(&status.stdout).unwrap();
    assert_eq!(status["spool"].as_array().unwrap().len(), 2);
    assert_eq!(status["spool"][0]["sealed"], 0);
    notary.mood(Mood::Honest);
    // The next recording sends what waits, too.
    assert_eq!(recorder.record(&sample(LIVE), "three.mp4").status.code(), Some(0));
    for name in ["one.mp4", "two.mp4", "three.mp4"] {
        assert_eq!(recorder.verify(name, &notary.trust()).verdict, Verdict::Consistent, "{name}");
    }
    assert!(recorder.spooled().is_empty());
    assert_chain_of_recordings(&notary, 3);
}

#[test]
fn a_pipe_is_sealed_while_it_flows_and_a_cut_stream_is_signed_as_far_as_it_came() {
    let notary = Notary::start();
    let recorder = Recorder::enrolled(&notary);
    let bytes = std::fs::read(sample("patrol.mp4")).unwrap();
    let mut child = recorder.piped("video.mp4");
    let mut input = child.stdin.take().unwrap();
    input.write_all(&bytes[..200_000]).unwrap();
    // Sealed before the stream has ended: start and at least one segment.
    wait_for(|| notary.sealed() >= 3);
    input.write_all(&bytes[200_000..400_000]).unwrap();
    drop(input);
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", said(&output));
    assert!(said(&output).contains("cut off"), "{}", said(&output));
    assert_eq!(std::fs::read(recorder.path("video.mp4")).unwrap(), &bytes[..400_000]);
    assert_eq!(recorder.verify("video.mp4", &notary.trust()).verdict, Verdict::Consistent);
}

#[test]
fn a_stop_signal_closes_the_recording() {
    let notary = Notary::start();
    let recorder = Recorder::enrolled(&notary);
    let bytes = std::fs::read(sample("patrol.mp4")).unwrap();
    let mut child = recorder.piped("video.mp4");
    let mut input = child.stdin.take().unwrap();
    input.write_all(&bytes[..200_000]).unwrap();
    wait_for(|| notary.sealed() >= 3);
    let id = child.id().to_string();
    assert!(Command::new("kill").args(["-TERM", &id]).status().unwrap().success());
    // The pipe stays open: the recorder does not wait for its end for ever.
    let output = child.wait_with_output().unwrap();
    drop(input);
    assert_eq!(output.status.code(), Some(0), "{}", said(&output));
    let recording = notary.recordings().into_values().next().unwrap();
    let Some(Payload::End(end)) = recording.last().map(|last| last.payload().clone()) else { panic!() };
    assert_eq!((end.reason, end.total_length), (EndReason::Stopped, 200_000));
    assert_eq!(recorder.verify("video.mp4", &notary.trust()).verdict, Verdict::Consistent);
}

#[test]
fn ffmpeg_and_the_recorder_are_a_camera() {
    let notary = Notary::start();
    let recorder = Recorder::enrolled(&notary);
    let mut ffmpeg = Command::new("ffmpeg")
        .args([
            "-v",
            "error",
            "-f",
            "lavfi",
            "-i",
            "testsrc2=size=320x180:rate=25",
            "-f",
            "lavfi",
            "-i",
            "sine",
            "-t",
            "4",
        ])
        .args(["-c:v", "libx264", "-preset", "ultrafast", "-g", "25", "-c:a", "aac"])
        .args(["-movflags", "frag_keyframe+empty_moov", "-f", "mp4", "-"])
        .stdout(Stdio::piped())
        .spawn()
        .expect("ffmpeg is installed by `cargo xtask setup`");
    let mut args = recorder.record_args("-".as_ref(), "video.mp4");
    args.retain(|arg| !arg.is_empty());
    let output = Command::new(PROGRAM).args(&args).stdin(ffmpeg.stdout.take().unwrap()).output().unwrap();
    assert!(ffmpeg.wait().unwrap().success());
    assert_eq!(output.status.code(), Some(0), "{}", said(&output));
    let report = recorder.verify("video.mp4", &notary.trust());
    assert_eq!(report.verdict, Verdict::Consistent);
    assert_eq!(report.subject.unwrap().segments, 5, "four fragments of a second each, and `mfra`");
}

#[test]
fn a_replay_in_real_time_takes_as_long_as_its_media() {
    let notary = Notary::start();
    let recorder = Recorder::enrolled(&notary);
    let mut args = recorder.record_args(&sample(LIVE), "video.mp4");
    args.push("--realtime".to_owned());
    let output = recorder.run_owned(&args);
    assert_eq!(output.status.code(), Some(0), "{}", said(&output));
    let start = start_of(&notary, 1);
    for statement in notary.recordings().into_values().next().unwrap() {
        if let Payload::Segment(segment) = statement.payload() {
            let Some(timeline) = segment.timeline else { continue };
            assert!(segment.capture_end.get() >= start.capture_begin.get() + timeline.end_ms);
        }
    }
}

#[test]
fn any_file_can_be_deposited_whole() {
    let notary = Notary::start();
    let recorder = Recorder::enrolled(&notary);
    let file = recorder.path("照片.jpg");
    let bytes: Vec<u8> =
        (0..3_500_000_u32).map(|at| u8::try_from(u64::from(at) * u64::from(at) % 251).unwrap()).collect();
    std::fs::write(&file, &bytes).unwrap();
    let output = recorder.deposit(&file);
    assert_eq!(output.status.code(), Some(0), "{}", said(&output));
    let report = recorder.verify("照片.jpg", &notary.trust());
    assert_eq!(report.verdict, Verdict::Consistent, "{report:?}");
    assert_eq!(report.subject.unwrap().media_type.as_deref(), Some("image/jpeg"));
    let again = recorder.deposit(&file);
    assert!(said(&again).contains("never overwritten"), "{}", said(&again));
    let empty = recorder.path("empty");
    std::fs::write(&empty, b"").unwrap();
    assert!(said(&recorder.deposit(&empty)).contains("nothing to seal"));
    assert!(said(&recorder.deposit(recorder.folder.path())).contains("is not a file"));
    // A deposit is no recording.
    assert_eq!(recorder.record(&sample(LIVE), "video.mp4").status.code(), Some(0));
    assert_eq!(start_of(&notary, 1).previous_final, None);
}

#[test]
fn evidence_for_another_recording_is_not_used() {
    let notary = Notary::start();
    let recorder = Recorder::enrolled(&notary);
    assert_eq!(recorder.record(&sample("patrol.mp4"), "one.mp4").status.code(), Some(0));
    assert_eq!(recorder.record(&sample("unrelated.mp4"), "two.mp4").status.code(), Some(0));
    std::fs::copy(recorder.path("one.mp4.evidence"), recorder.path("two.mp4.evidence")).unwrap();
    let report = recorder.verify("two.mp4", &notary.trust());
    assert_eq!((report.verdict, report.reason), (Verdict::NotCompleted, Some(ErrorCode::OtherFile)));
}

fn start_of(notary: &Notary, counter: u64) -> evidence::statement::Start {
    let starts = notary.recordings().into_values().filter_map(|recording| match recording[0].payload() {
        Payload::Start(start) => Some(start.clone()),
        _ => None,
    });
    starts.into_iter().find(|start| start.counter == counter).unwrap()
}

fn assert_chain_of_recordings(notary: &Notary, count: u64) {
    support::history::check(notary, Some(count));
}

//! The recorder as a process, in a folder of its own.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

use evidence::report::Report;
use evidence::{ByteRange, Digest, EvidenceFile, Examination, PublicKey, RootsInput, Step, TrustFile};
use media::{Event, Purpose, Segmenter};

use super::notary::Notary;

pub const PROGRAM: &str = env!("CARGO_BIN_EXE_jianzhen-recorder");

/// Exit code for "safe in the spool, not all sealed".
pub const WAITING: i32 = 75;

/// Exit code for "the chain has contradicted itself".
pub const ALARM: i32 = 76;

pub struct Recorder {
    pub folder: tempfile::TempDir,
    pub url: String,
}

impl Recorder {
    /// Initialised, enrolled, and with the notary's trust file.
    pub fn enrolled(notary: &Notary) -> Self {
        let recorder = Self::initialised(notary);
        notary.enrol(&recorder.public_key());
        recorder
    }

    pub fn initialised(notary: &Notary) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let recorder = Self { folder, url: notary.url.clone() };
        std::fs::write(recorder.path("trust.json"), notary.trust().bytes()).unwrap();
        let output = recorder.run(&["init", "--data", &recorder.data(), "--device-id", "recorder-01"]);
        assert!(output.status.success(), "{}", said(&output));
        recorder
    }

    pub fn public_key(&self) -> PublicKey {
        let text = std::fs::read_to_string(self.path("device/device.json")).unwrap();
        let profile: serde_json::Value = serde_json::from_str(&text).unwrap();
        PublicKey::from_bytes(&hex::decode(profile["public_key"].as_str().unwrap()).unwrap()).unwrap()
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub fn data(&self) -> String {
        text(&self.path("device"))
    }

    pub fn run(&self, args: &[&str]) -> Output {
        Command::new(PROGRAM).args(args).stdin(Stdio::null()).output().unwrap()
    }

    /// Arguments of `record` with everything that it needs.
    pub fn record_args(&self, input: &Path, output: &str) -> Vec<String> {
        self.record_args_waiting(input, output, "1")
    }

    /// The same, waiting this many seconds for receipts.
    pub fn record_args_waiting(&self, input: &Path, output: &str, seconds: &str) -> Vec<String> {
        let mut args = vec!["record".to_owned()];
        args.extend(self.online_waiting(seconds));
        args.extend(["--input".to_owned(), text(input), "--output".to_owned(), text(&self.path(output))]);
        args
    }

    /// Folder, server, trust, and little patience.
    pub fn online(&self) -> Vec<String> {
        self.online_waiting("1")
    }

    fn online_waiting(&self, seconds: &str) -> Vec<String> {
        let trust = text(&self.path("trust.json"));
        let args = ["--data", &self.data(), "--server", &self.url, "--trust", &trust, "--wait", seconds];
        args.map(str::to_owned).to_vec()
    }

    pub fn record(&self, input: &Path, output: &str) -> Output {
        self.run_owned(&self.record_args(input, output))
    }

    /// A recording from a pipe that the test fills.
    pub fn piped(&self, output: &str) -> Child {
        Command::new(PROGRAM)
            .args(self.record_args("-".as_ref(), output))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap()
    }

    pub fn flush(&self) -> Output {
        let mut args = vec!["flush".to_owned()];
        args.extend(self.online());
        self.run_owned(&args)
    }

    pub fn deposit(&self, file: &Path) -> Output {
        let mut args = vec!["deposit".to_owned(), text(file)];
        args.extend(self.online());
        self.run_owned(&args)
    }

    pub fn run_owned(&self, args: &[String]) -> Output {
        self.run(&args.iter().map(String::as_str).collect::<Vec<_>>())
    }

    /// Names in the spool.
    pub fn spooled(&self) -> Vec<PathBuf> {
        let Ok(entries) = std::fs::read_dir(self.path("device/spool")) else { return Vec::new() };
        entries.map(|entry| entry.unwrap().path()).collect()
    }

    pub fn evidence(&self, output: &str) -> EvidenceFile {
        EvidenceFile::parse(&std::fs::read(self.path(&format!("{output}.evidence"))).unwrap()).unwrap()
    }

    /// What the verifier says about a file and the evidence beside it.
    pub fn verify(&self, output: &str, trust: &TrustFile) -> Report {
        examine(&std::fs::read(self.path(output)).unwrap(), self.evidence(output), trust)
    }
}

/// Runs an examination over bytes in memory.
pub fn examine(bytes: &[u8], evidence: EvidenceFile, trust: &TrustFile) -> Report {
    let mut events: Vec<Event> = Vec::new();
    let mut segmenter = Segmenter::new(Purpose::Verify);
    if segmenter.push(bytes, &mut events).is_ok() {
        let _ = segmenter.finish(&mut events);
    }
    let boundaries = events
        .into_iter()
        .filter_map(|event| match event {
            Event::Segment(segment) => ByteRange::new(segment.offset, segment.length).ok(),
            Event::Header(_) => None,
        })
        .collect();
    let mut examination = Examination::new(
        bytes.len() as u64,
        boundaries,
        vec![evidence],
        trust.clone(),
        RootsInput::default(),
    );
    loop {
        match examination.next() {
            Step::Hash(ranges) => ranges.into_iter().for_each(|range| {
                let at = |position: u64| usize::try_from(position).unwrap();
                examination.hashed(range, Digest::of(&bytes[at(range.offset())..at(range.end())]));
            }),
            Step::Lookup(_) => unreachable!("evidence was supplied"),
            Step::Roots(_) => unreachable!("nobody is asked"),
            Step::Done => return examination.report(),
        }
    }
}

/// A file of `testdata/media` or `samples`.
pub fn sample(name: &str) -> PathBuf {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let fixture = root.join("testdata/media").join(name);
    if fixture.exists() { fixture } else { root.join("samples").join(name) }
}

pub fn said(output: &Output) -> String {
    format!(
        "exit {:?}\n{}{}",
        output.status.code(),
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    )
}

pub fn text(path: &Path) -> String {
    path.to_str().unwrap().to_owned()
}

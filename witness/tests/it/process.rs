//! The real program: its command line, its lock, TLS, signals.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::Duration;

use tempfile::TempDir;
use tlog::{SignedNote, VerifierKey};

use crate::support::{ORIGIN, TestLog, assert_cosigned, hash, log_key};

pub(crate) const PROGRAM: &str = env!("CARGO_BIN_EXE_jianzhen-witness");

pub(crate) struct Installation {
    pub(crate) directory: TempDir,
    pub(crate) data: PathBuf,
    pub(crate) vkey: VerifierKey,
}

/// A running process; killed when dropped.
pub(crate) struct Process {
    pub(crate) child: Child,
    pub(crate) url: String,
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Process {
    pub(crate) fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    pub(crate) fn signal(&self, name: &str) {
        signal(self.child.id(), name);
    }

    pub(crate) fn address(&self) -> &str {
        self.url.strip_prefix("http://").unwrap()
    }

    pub(crate) fn post(&self, body: &str) -> Option<(u16, String)> {
        exchange(self.address(), &post(body))
    }

    pub(crate) fn get(&self, path: &str) -> Option<(u16, String)> {
        exchange(self.address(), &format!("GET {path} HTTP/1.1\r\nhost: w\r\nconnection: close\r\n\r\n"))
    }

    /// The newest checkpoint of the log, as everybody may see it.
    pub(crate) fn newest(&self) -> Option<SignedNote> {
        let (status, note) = self.get(&format!("/{}/checkpoint", hash())).unwrap();
        (status == 200).then(|| SignedNote::parse(note.as_bytes()).unwrap())
    }
}

pub(crate) fn signal(process: u32, name: &str) {
    let sent = Command::new("kill").args([name, &process.to_string()]).status().unwrap();
    assert!(sent.success());
}

pub(crate) fn post(body: &str) -> String {
    format!(
        "POST /add-checkpoint HTTP/1.1\r\nhost: w\r\nconnection: close\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    )
}

/// One request on a connection of its own; `None` if the other end is not there, or goes away meanwhile.
pub(crate) fn exchange(address: &str, request: &str) -> Option<(u16, String)> {
    let mut stream = TcpStream::connect(address).ok()?;
    stream.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
    stream.write_all(request.as_bytes()).ok()?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).ok()?;
    let (head, body) = answer.split_once("\r\n\r\n")?;
    let length: usize = head
        .lines()
        .find_map(|line| line.strip_prefix("content-length: "))
        .and_then(|length| length.parse().ok())?;
    let status = head.split(' ').nth(1)?.parse().ok()?;
    // An answer that was cut off is none.
    (body.len() == length).then(|| (status, body.to_owned()))
}

impl Installation {
    pub(crate) fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let data = directory.path().join("data");
        let output = run(&["init", "--data", utf8(&data), "--name", "witness.example/w"]);
        assert!(output.status.success(), "{output:?}");
        let vkey = String::from_utf8(output.stdout).unwrap().trim_end().parse().unwrap();
        Self { directory, data, vkey }
    }

    pub(crate) fn of(log: &TestLog) -> Self {
        let installation = Self::new();
        installation.add_log(&log.key.verifier_key().to_string(), &[]);
        installation
    }

    pub(crate) fn add_log(&self, vkey: &str, more: &[&str]) {
        let output = self.run("add-log", &[&["--vkey", vkey], more].concat());
        assert!(output.status.success(), "{output:?}");
    }

    pub(crate) fn run(&self, name: &str, more: &[&str]) -> Output {
        run(&[&[name, "--data", utf8(&self.data)], more].concat())
    }

    pub(crate) fn ready(&self) -> PathBuf {
        self.directory.path().join("ready")
    }

    pub(crate) fn serve_args(&self) -> Vec<String> {
        let ready = self.ready();
        let _ = std::fs::remove_file(&ready);
        ["serve", "--data", utf8(&self.data), "--listen", "127.0.0.1:0", "--ready-file", utf8(&ready)]
            .map(str::to_owned)
            .to_vec()
    }

    pub(crate) fn serve(&self, more: &[&str]) -> Process {
        let mut child =
            Command::new(PROGRAM).args(self.serve_args()).args(more).stderr(Stdio::null()).spawn().unwrap();
        while !self.ready().exists() {
            assert_eq!(child.try_wait().unwrap(), None, "the witness ended early");
            std::thread::sleep(Duration::from_millis(5));
        }
        let url = std::fs::read_to_string(self.ready()).unwrap().trim_end().to_owned();
        Process { child, url }
    }

    pub(crate) fn assert_sound(&self) {
        let output = self.run("fsck", &[]);
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
    }

    pub(crate) fn configure(&self, text: &str) {
        std::fs::write(self.data.join("config.toml"), text).unwrap();
    }
}

pub(crate) fn utf8(path: &Path) -> &str {
    path.to_str().unwrap()
}

fn run(arguments: &[&str]) -> Output {
    Command::new(PROGRAM).args(arguments).output().unwrap()
}

fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[test]
fn set_up_witness_and_stop() {
    let log = TestLog::of(20, "a");
    let installation = Installation::of(&log);
    let again = installation.run("init", &["--name", "other"]);
    assert!(stderr(&again).contains("is not empty"), "an existing witness is never overwritten: {again:?}");
    let mut process = installation.serve(&[]);
    let (status, line) = process.post(&log.request(0, 10)).unwrap();
    assert_eq!(status, 200, "{line}");
    assert_cosigned(&installation.vkey, &log.note(10), &line);

    // A second process, and fsck beside a running witness: refused.
    for arguments in [&["--listen", "127.0.0.1:0"][..], &[]] {
        let name = if arguments.is_empty() { "fsck" } else { "serve" };
        let output = installation.run(name, arguments);
        assert!(!output.status.success());
        assert!(stderr(&output).contains("Another process is using"), "{output:?}");
    }
    process.signal("-TERM");
    assert!(process.child.wait().unwrap().success());
    assert!(!installation.ready().exists());
    installation.assert_sound();
    let process = installation.serve(&[]);
    assert_eq!(process.newest().unwrap().text(), log.note(10).text());
    assert_eq!(process.post(&log.request(10, 20)).unwrap().0, 200);
}

#[test]
fn the_key_is_nobody_elses_and_stays_with_its_state() {
    use std::os::unix::fs::PermissionsExt as _;
    let log = TestLog::of(20, "a");
    let (installation, other) = (Installation::of(&log), Installation::of(&log));
    installation.serve(&[]).post(&log.request(0, 10)).unwrap();
    let refused = |expected: &str| {
        let output = installation.run("serve", &["--listen", "127.0.0.1:0"]);
        assert!(!output.status.success());
        assert!(stderr(&output).contains(expected), "{output:?}");
        let secret = std::fs::read_to_string(installation.data.join("witness.key")).unwrap_or_default();
        let secret = secret.trim_end().rsplit('+').next().unwrap_or_default().to_owned();
        assert!(secret.is_empty() || !stderr(&output).contains(&secret), "the key is repeated");
    };
    let key = installation.data.join("witness.key");
    assert_eq!(std::fs::metadata(&key).unwrap().permissions().mode() & 0o777, 0o600);
    assert_eq!(std::fs::metadata(&installation.data).unwrap().permissions().mode() & 0o777, 0o700);
    std::fs::set_permissions(&key, std::fs::Permissions::from_mode(0o644)).unwrap();
    refused("can be read by others");
    std::fs::set_permissions(&key, std::fs::Permissions::from_mode(0o600)).unwrap();
    // Another witness's state, and none.
    let database = installation.data.join("witness.sqlite");
    let kept = std::fs::read(&database).unwrap();
    for suffix in ["-wal", "-shm"] {
        let _ = std::fs::remove_file(installation.data.join(format!("witness.sqlite{suffix}")));
    }
    std::fs::copy(other.data.join("witness.sqlite"), &database).unwrap();
    refused("the state of the witness");
    std::fs::remove_file(&database).unwrap();
    refused("Never replace it by an older copy or an empty one");
    assert!(!database.exists(), "a state that is not there is never made");
    std::fs::write(&database, &kept).unwrap();
    // A key that signs for logs.
    std::fs::write(&key, &*log.key.to_private_string()).unwrap();
    refused("is not that of a witness");
}

#[test]
fn clumsy_command_lines_are_told_what_is_wrong() {
    let installation = Installation::new();
    let vkey = log_key(ORIGIN).verifier_key().to_string();
    for (arguments, expected) in [
        (vec!["add-log", "--vkey", "nonsense"], "is not a verifier key"),
        (vec!["add-log", "--vkey", &installation.vkey.to_string()], "its type is not 0x01"),
        (vec!["add-log", "--vkey", &vkey, "--mirror", "http://192.0.2.1/log"], "https"),
        (vec!["add-log"], "--vkey"),
        (vec!["serve", "--tls-cert", "a.pem"], "only one of the two"),
        (vec!["serve", "--tls-cert", "/nonexistent", "--tls-key", "/nonexistent"], "TLS cannot use"),
        (vec!["serve", "--listen", "192.0.2.1:1"], "cannot be listened on"),
    ] {
        let output = installation.run(arguments[0], &arguments[1..]);
        assert!(!output.status.success(), "{arguments:?}");
        assert!(stderr(&output).contains(expected), "{arguments:?}: {}", stderr(&output));
    }
    let nowhere = run(&["serve", "--data", "/nonexistent"]);
    assert!(stderr(&nowhere).contains("jianzhen-witness init"), "{nowhere:?}");
    installation.configure("listn = 1");
    assert!(stderr(&installation.run("serve", &[])).contains("is not valid"));
}

#[test]
fn sighup_takes_in_the_list_and_a_mistake_in_it_changes_nothing() {
    let log = TestLog::of(20, "a");
    let installation = Installation::new();
    let process = installation.serve(&[]);
    assert_eq!(process.post(&log.request(0, 10)).unwrap().0, 404);
    installation.add_log(&log.key.verifier_key().to_string(), &[]);
    process.signal("-HUP");
    while process.post(&log.request(0, 10)).unwrap().0 == 404 {
        std::thread::sleep(Duration::from_millis(5));
    }
    assert_eq!(process.newest().unwrap().text(), log.note(10).text());
    let list = installation.data.join("logs.toml");
    let good = std::fs::read_to_string(&list).unwrap();
    std::fs::write(&list, "[[log]]\nvkeys = [\"x\"]\n").unwrap();
    process.signal("-HUP");
    // Nothing tells when it was read; what follows must hold in either case.
    for _ in 0..20 {
        assert_eq!(process.post(&log.request(10, 20)).map(|(status, _)| status == 404), Some(false));
        std::thread::sleep(Duration::from_millis(5));
    }
    std::fs::write(&list, good).unwrap();
}

#[tokio::test]
async fn tls_by_certificate_files() {
    let log = TestLog::of(20, "a");
    let installation = Installation::of(&log);
    let pem = concat!(env!("CARGO_MANIFEST_DIR"), "/../server/tests/data/localhost.pem");
    let key = concat!(env!("CARGO_MANIFEST_DIR"), "/../server/tests/data/localhost.key");
    let process = installation.serve(&["--tls-cert", pem, "--tls-key", key]);
    assert!(process.url.starts_with("https://127.0.0.1:"), "{}", process.url);
    let _ = rustls::crypto::ring::default_provider().install_default();
    let root = reqwest::Certificate::from_pem(&std::fs::read(pem).unwrap()).unwrap();
    let client = reqwest::Client::builder().tls_certs_only([root]).no_proxy().build().unwrap();
    let answer =
        client.post(format!("{}/add-checkpoint", process.url)).body(log.request(0, 10)).send().await.unwrap();
    assert_eq!(answer.status(), 200);
    assert!(answer.headers().contains_key("strict-transport-security"));
    assert_cosigned(&installation.vkey, &log.note(10), &answer.text().await.unwrap());
    let plain = client.get(process.url.replacen("https", "http", 1)).send().await;
    assert!(plain.is_err(), "plain HTTP on the same port is no answer");
}

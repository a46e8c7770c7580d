//! The real program: its command line, its lock, TLS, signals, and kill -9 at any moment.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output};
use std::time::Duration;

use evidence::statement::{SelfCheck, Start};
use evidence::{
    DeviceKey, Digest, Outcome, Payload, RecordingId, Statement, Submission, TrustFile, UnixMillis,
    parse_registry_section,
};
use tempfile::TempDir;

use super::startup::copy;
use super::support::TestClock;
use super::witness::WitnessDouble;

const SERVER: &str = env!("CARGO_BIN_EXE_jianzhen-server");

struct Installation {
    directory: TempDir,
    data: PathBuf,
}

/// A running process; killed when dropped.
struct Process {
    child: Child,
    url: String,
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Installation {
    fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let data = directory.path().join("data");
        let output = run(&["init", "--data", utf8(&data), "--origin", "test.example/log", "--name", "Test"]);
        assert!(output.status.success(), "{output:?}");
        let vkey = String::from_utf8(output.stdout).unwrap();
        assert!(vkey.starts_with("test.example/log+"), "{vkey}");
        Self { directory, data }
    }

    fn serve(&self, more: &[&str]) -> Process {
        let ready = self.directory.path().join("ready");
        let _ = std::fs::remove_file(&ready);
        let mut child = Command::new(SERVER)
            .args([
                "serve",
                "--data",
                utf8(&self.data),
                "--listen",
                "127.0.0.1:0",
                "--ready-file",
                utf8(&ready),
            ])
            .args(more)
            .stderr(std::fs::File::create(self.said()).unwrap())
            .spawn()
            .unwrap();
        while !ready.exists() {
            assert_eq!(child.try_wait().unwrap(), None, "the server ended early");
            std::thread::sleep(Duration::from_millis(10));
        }
        let url = std::fs::read_to_string(ready).unwrap().trim_end().to_owned();
        Process { child, url }
    }

    /// What the server that was started last has logged.
    fn said(&self) -> PathBuf {
        self.directory.path().join("said")
    }

    fn command(&self, name: &str, url: &str, more: &[&str]) -> Output {
        run(&[&[name, "--data", utf8(&self.data), "--server", url], more].concat())
    }

    fn enrol(&self, url: &str, key: &DeviceKey) {
        let public = hex::encode(key.public().as_bytes());
        let output = self.command("enrol", url, &["--key", &public, "--id", "device-1", "--model", "M"]);
        assert!(output.status.success(), "{output:?}");
        let text = String::from_utf8(output.stdout).unwrap();
        assert!(text.contains("receipt          verified"), "{text}");
        assert!(text.contains(&key.digest().to_string()), "{text}");
    }

    fn assert_sound(&self) {
        let output = run(&["fsck", "--data", utf8(&self.data)]);
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
    }

    fn trust(&self) -> TrustFile {
        TrustFile::parse(&std::fs::read(self.data.join("trust.json")).unwrap()).unwrap()
    }
}

fn utf8(path: &Path) -> &str {
    path.to_str().unwrap()
}

fn run(arguments: &[&str]) -> Output {
    Command::new(SERVER).args(arguments).output().unwrap()
}

fn client() -> reqwest::Client {
    let _ = rustls::crypto::ring::default_provider().install_default();
    reqwest::Client::builder().timeout(Duration::from_secs(30)).build().unwrap()
}

fn start(key: &DeviceKey, number: u32) -> Statement {
    let mut id = [0; 16];
    id[..4].copy_from_slice(&number.to_be_bytes());
    let payload = Payload::Start(Start {
        recording: RecordingId::from_bytes(id),
        counter: u64::from(number) + 1,
        previous_final: None,
        enrolment: Digest::of(b"enrolment"),
        capture_begin: UnixMillis::saturating(0),
        tracks: Vec::new(),
        self_check: SelfCheck::default(),
        chain_head: None,
        position: None,
    });
    Statement::sign(&payload, key).unwrap()
}

/// The outcome, or nothing if the server went away meanwhile.
async fn submit(client: &reqwest::Client, url: &str, statement: &Statement) -> Option<Outcome> {
    let body = Submission::of(statement.clone()).encode();
    let request =
        client.post(format!("{url}/api/v1/statements")).header("content-type", "application/cbor-seq");
    let response = request.body(body).send().await.ok()?;
    let bytes = response.error_for_status().ok()?.bytes().await.ok()?;
    Outcome::parse_all(&bytes).ok()?.pop()
}

#[tokio::test]
async fn set_up_enrol_revoke_and_stop() {
    let installation = Installation::new();
    let again = run(&["init", "--data", utf8(&installation.data), "--origin", "other"]);
    assert!(!again.status.success(), "an existing service is never overwritten");
    let mut process = installation.serve(&[]);
    let url = process.url.clone();
    let key = DeviceKey::from_seed([5; 32]);
    installation.enrol(&url, &key);

    // A second process on the same data, fsck beside a running service: refused.
    for arguments in [vec!["serve", "--listen", "127.0.0.1:0"], vec!["fsck"], vec!["reindex"]] {
        let output = run(&[arguments, vec!["--data", utf8(&installation.data)]].concat());
        assert!(!output.status.success());
        assert!(String::from_utf8_lossy(&output.stderr).contains("Another process is using"), "{output:?}");
    }

    let client = client();
    let statement = start(&key, 0);
    let outcome = submit(&client, &url, &statement).await.unwrap();
    assert!(matches!(outcome, Outcome::Sealed { .. }), "{outcome:?}");

    let digest = key.digest().to_string();
    let output = installation.command("revoke", &url, &["--key-digest", &digest, "--reason", "device-lost"]);
    assert!(output.status.success(), "{output:?}");
    let outcome = submit(&client, &url, &start(&key, 1)).await.unwrap();
    assert!(matches!(&outcome, Outcome::Refused { code, .. } if code == "key-revoked"), "{outcome:?}");

    // The service adds the registry snapshot by itself.
    let section = loop {
        let response = client.get(format!("{url}/api/v1/enrolments/{digest}")).send().await.unwrap();
        let section = parse_registry_section(&response.bytes().await.unwrap()).unwrap();
        match section.last().unwrap().0.statement.payload() {
            Payload::Registry(registry) if registry.revoked == [key.digest()] => break section,
            _ => tokio::time::sleep(Duration::from_millis(200)).await,
        }
    };
    assert_eq!(section.len(), 3);

    terminate(&process);
    assert!(process.child.wait().unwrap().success());
    installation.assert_sound();
    assert!(run(&["reindex", "--data", utf8(&installation.data)]).status.success());
    installation.assert_sound();
}

fn terminate(process: &Process) {
    let killed = Command::new("kill").args(["-TERM", &process.child.id().to_string()]).status().unwrap();
    assert!(killed.success());
}

#[tokio::test]
async fn a_new_log_that_starts_and_stops_says_nothing_is_wrong() {
    let installation = Installation::new();
    let mut process = installation.serve(&[]);
    let ready = format!("{}/readyz", process.url);
    while !client().get(&ready).send().await.unwrap().status().is_success() {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    terminate(&process);
    assert!(process.child.wait().unwrap().success());
    let said = std::fs::read_to_string(installation.said()).unwrap();
    assert!(said.contains("not ready yet") && said.contains("stopped"), "{said}");
    assert!(!said.contains("ERROR") && !said.contains("WARN"), "{said}");
}

#[test]
fn clumsy_command_lines_are_told_what_is_wrong() {
    let installation = Installation::new();
    let key = "00".repeat(32);
    for (arguments, expected) in [
        (vec!["enrol", "--server", "http://127.0.0.1:1", "--key", &key, "--id", "a"], "cannot be enrolled"),
        (vec!["enrol", "--server", "http://127.0.0.1:1", "--key", "xyz", "--id", "a"], "not hexadecimal"),
        (
            vec!["revoke", "--server", "http://127.0.0.1:1", "--key-digest", "12", "--reason", "device-lost"],
            "64",
        ),
        (vec!["serve", "--tls-cert", "a.pem"], "only one of the two"),
        (vec!["serve", "--page", "/nonexistent"], "cannot be read"),
    ] {
        let output = run(&[arguments.clone(), vec!["--data", utf8(&installation.data)]].concat());
        assert!(!output.status.success(), "{arguments:?}");
        let text = String::from_utf8_lossy(&output.stderr);
        assert!(text.contains(expected), "{arguments:?}: {text}");
    }
    let good = hex::encode(DeviceKey::from_seed([1; 32]).public().as_bytes());
    let output = installation.command("enrol", "http://192.0.2.1", &["--key", &good, "--id", "a"]);
    assert!(String::from_utf8_lossy(&output.stderr).contains("use https"), "{output:?}");
    let output = installation.command("enrol", "http://127.0.0.1:1", &["--key", &good, "--id", "a"]);
    assert!(String::from_utf8_lossy(&output.stderr).contains("did not answer"), "{output:?}");
    assert!(!run(&["fsck", "--data", "/nonexistent"]).status.success());
}

/// kill -9 while statements pour in, several times over: every receipt that went out holds for ever.
#[tokio::test]
async fn receipts_survive_kill_at_any_moment() {
    let installation = Installation::new();
    let key = DeviceKey::from_seed([5; 32]);
    let client = client();
    let trust = installation.trust();
    let policy = &trust.logs()[0].policy;
    let mut receipts: Vec<(Statement, Outcome)> = Vec::new();
    let mut number = 0;
    for round in 0..6_u64 {
        let mut process = installation.serve(&[]);
        let url = process.url.clone();
        if round == 0 {
            installation.enrol(&url, &key);
        }
        let statements: Vec<Statement> = (number..number + 40).map(|number| start(&key, number)).collect();
        number += 40;
        let mut sending = tokio::task::JoinSet::new();
        for statement in statements {
            let (client, url) = (client.clone(), url.clone());
            sending.spawn(async move {
                // Spread over several batches.
                let pause = u64::from(statement.digest().as_bytes()[0]) * 4;
                tokio::time::sleep(Duration::from_millis(pause)).await;
                let outcome = submit(&client, &url, &statement).await;
                (statement, outcome)
            });
        }
        let moment = getrandom::u64().unwrap() % 1000;
        tokio::time::sleep(Duration::from_millis(150 + moment)).await;
        process.child.kill().unwrap();
        process.child.wait().unwrap();
        while let Some(done) = sending.join_next().await {
            if let (statement, Some(outcome @ Outcome::Sealed { .. })) = done.unwrap() {
                receipts.push((statement, outcome));
            }
        }
        // Before anything is repaired: what was left behind may be unfinished, never contradictory.
        installation.assert_sound();
    }
    assert!(!receipts.is_empty());
    let process = installation.serve(&[]);
    for (statement, outcome) in &receipts {
        let Outcome::Sealed { index, sealed_at, receipt } = outcome else { panic!("no receipt") };
        let leaf = evidence::Entry::sealing(statement, *sealed_at).leaf_hash();
        assert_eq!(receipt.proof().unwrap().verify(&leaf, policy).unwrap().index(), *index);
        assert_eq!(submit(&client, &process.url, statement).await.as_ref(), Some(outcome));
    }
    drop(process);
    let process = installation.serve(&[]);
    drop(process);
    installation.assert_sound();
}

/// A signal while statements wait: everything that was accepted is sealed and answered.
#[tokio::test]
async fn a_graceful_stop_finishes_what_was_accepted() {
    let installation = Installation::new();
    let key = DeviceKey::from_seed([5; 32]);
    let client = client();
    let mut process = installation.serve(&[]);
    installation.enrol(&process.url, &key);
    let mut sending = tokio::task::JoinSet::new();
    for number in 0..30 {
        let (client, url, statement) = (client.clone(), process.url.clone(), start(&key, number));
        sending.spawn(async move { submit(&client, &url, &statement).await });
    }
    // Wait until the service has them: the counter counts what waits for the batch.
    while !metrics(&client, &process.url).await.contains("jianzhen_statements_waiting 30\n")
        && !metrics(&client, &process.url).await.contains("jianzhen_statements_sealed_total 3")
    {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    terminate(&process);
    while let Some(outcome) = sending.join_next().await {
        assert!(matches!(outcome.unwrap(), Some(Outcome::Sealed { .. })));
    }
    assert!(process.child.wait().unwrap().success());
    installation.assert_sound();
}

async fn metrics(client: &reqwest::Client, url: &str) -> String {
    client.get(format!("{url}/metrics")).send().await.unwrap().text().await.unwrap()
}

/// Witnesses over HTTP; then the operator restores an older copy of everything, and the process says why it does not run.
#[tokio::test(flavor = "multi_thread")]
async fn a_restored_copy_is_refused_with_a_sentence() {
    let installation = Installation::new();
    let log_keys: Vec<_> =
        installation.trust().logs()[0].policy.logs().iter().map(|log| log.key().clone()).collect();
    let clock = TestClock::present();
    let mut policy = vec!["policy".to_owned(), "--data".to_owned(), utf8(&installation.data).to_owned()];
    let mut witnesses = Vec::new();
    for n in 1..=3 {
        let witness = WitnessDouble::new(&format!("w{n}"), n, log_keys.clone(), clock.clone());
        let url = witness.listen().await;
        policy.extend(["--witness".to_owned(), format!("w{n},{},{url}", witness.key.verifier_key())]);
        witnesses.push(witness);
    }
    policy.extend(["--quorum".to_owned(), "2".to_owned()]);
    let output = run(&policy.iter().map(String::as_str).collect::<Vec<_>>());
    assert!(output.status.success(), "{output:?}");

    let key = DeviceKey::from_seed([5; 32]);
    let client = client();
    let stop = |mut process: Process| {
        terminate(&process);
        assert!(process.child.wait().unwrap().success());
    };
    let process = installation.serve(&[]);
    installation.enrol(&process.url, &key);
    stop(process);
    let backup = installation.directory.path().join("backup");
    copy(&installation.data, &backup);

    let process = installation.serve(&[]);
    let statement = start(&key, 1);
    let outcome = submit(&client, &process.url, &statement).await.unwrap();
    let Outcome::Sealed { receipt, .. } = &outcome else { panic!("{outcome:?}") };
    let note = receipt.proof().unwrap().checkpoint().clone();
    assert!(installation.trust().logs()[0].policy.verify_checkpoint(&note).is_ok());
    stop(process);
    assert!(witnesses.iter().filter(|witness| witness.size() >= 2).count() >= 2);

    std::fs::remove_dir_all(&installation.data).unwrap();
    copy(&backup, &installation.data);
    installation.assert_sound();
    let output = run(&["serve", "--data", utf8(&installation.data), "--listen", "127.0.0.1:0"]);
    assert_eq!(output.status.code(), Some(1), "a clean end, no abort: {output:?}");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(said.contains("restored from an older copy") && said.contains("w"), "{said}");
}

#[tokio::test]
async fn what_a_client_sends_is_counted_at_the_socket() {
    let installation = Installation::new();
    let process = installation.serve(&[]);
    let client = client();
    let received = || async {
        let text = metrics(&client, &process.url).await;
        let line =
            text.lines().find_map(|line| line.strip_prefix("jianzhen_http_received_bytes_total ")).unwrap();
        line.parse::<u64>().unwrap()
    };
    let before = received().await;
    // A body that is read and refused was sent all the same.
    let upload = client.post(format!("{}/api/v1/statements", process.url));
    let upload = upload.header("content-type", "application/cbor-seq").body(vec![0; 100_000]);
    assert_eq!(upload.send().await.unwrap().status(), 400);
    let after = received().await;
    assert!(after - before >= 100_000, "{before} {after}");
    let idle = received().await;
    assert!(idle - after < 2000, "{after} {idle}");
}

#[tokio::test]
async fn tls_by_certificate_files() {
    let installation = Installation::new();
    let pem = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/localhost.pem");
    let key = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/localhost.key");
    let process = installation.serve(&["--tls-cert", pem, "--tls-key", key]);
    assert!(process.url.starts_with("https://127.0.0.1:"), "{}", process.url);
    let _ = rustls::crypto::ring::default_provider().install_default();
    let root = reqwest::Certificate::from_pem(&std::fs::read(pem).unwrap()).unwrap();
    let client = reqwest::Client::builder().tls_certs_only([root]).build().unwrap();
    let response = client.get(format!("{}/readyz", process.url)).send().await.unwrap();
    assert_eq!(response.status(), 200);
    let hsts = response.headers()["strict-transport-security"].to_str().unwrap();
    assert!(hsts.starts_with("max-age=63072000"), "{hsts}");
    // Plain HTTP on the same port is no answer.
    let plain = client.get(process.url.replacen("https", "http", 1)).send().await;
    assert!(plain.is_err());
}

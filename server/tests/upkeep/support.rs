//! A service as a process, a registrar who hands in statements, and a mirror that lies.

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use client::{Client, ClientError, ServerUrl};
use evidence::statement::{Enrol, RevocationReason, Revoke, Role};
use evidence::{DeviceKey, KeyDigest, Outcome, Payload, Statement, Submission, UnixMillis, UnixSeconds};
use jianzhen_server::data_dir::DataDir;
use jianzhen_server::keys;

pub(crate) const ORIGIN: &str = "upkeep.test/log";

pub(crate) fn program() -> Command {
    Command::new(env!("CARGO_BIN_EXE_jianzhen-server"))
}

/// Runs a command to its end.
pub(crate) fn run(arguments: &[&str]) -> Output {
    program().args(arguments).output().unwrap()
}

/// Runs a command that must succeed; gives what it printed.
pub(crate) fn succeed(arguments: &[&str]) -> String {
    let output = run(arguments);
    let (said, error) = (text(&output.stdout), text(&output.stderr));
    assert!(output.status.success(), "{arguments:?}\n{said}\n{error}");
    said
}

/// Runs a command that must fail; gives everything that it printed.
pub(crate) fn fail(arguments: &[&str]) -> String {
    let output = run(arguments);
    let said = text(&output.stdout) + &text(&output.stderr);
    assert!(!output.status.success(), "{arguments:?} succeeded:\n{said}");
    said
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// A directory below a temporary one.
pub(crate) struct Place {
    _temporary: Option<tempfile::TempDir>,
    pub(crate) path: PathBuf,
}

impl Place {
    pub(crate) fn new() -> Self {
        let temporary = tempfile::tempdir().unwrap();
        Self { path: temporary.path().to_owned(), _temporary: Some(temporary) }
    }

    pub(crate) fn join(&self, name: &str) -> String {
        self.path.join(name).to_str().unwrap().to_owned()
    }

    /// A new data directory.
    pub(crate) fn init(&self, name: &str) -> String {
        let data = self.join(name);
        succeed(&["init", "--data", &data, "--origin", ORIGIN, "--name", "Upkeep"]);
        // Small batches, so that many checkpoints are archived.
        let config = DataDir::new(&data).config();
        let mut settings: toml::Table = fs::read_to_string(&config).unwrap().parse().unwrap();
        let limits = settings.get_mut("limits").unwrap().as_table_mut().unwrap();
        limits.insert("batch_interval_ms".to_owned(), toml::Value::Integer(5));
        fs::write(&config, toml::to_string(&settings).unwrap()).unwrap();
        data
    }
}

/// A running service; killed when dropped.
pub(crate) struct Service {
    child: Child,
    pub(crate) url: String,
    registrar: DeviceKey,
}

impl Service {
    pub(crate) fn start(data: &str) -> Self {
        Self::start_with(data, &DataDir::new(data).registrar_key())
    }

    pub(crate) fn start_with(data: &str, registrar: &Path) -> Self {
        let ready = format!("{data}.ready");
        let _ = fs::remove_file(&ready);
        let mut child = program()
            .args(["serve", "--data", data, "--listen", "127.0.0.1:0", "--ready-file", &ready])
            .env("JIANZHEN_LOG", "warn")
            .stderr(Stdio::inherit())
            .spawn()
            .unwrap();
        let url = loop {
            if let Ok(url) = fs::read_to_string(&ready)
                && url.ends_with('\n')
            {
                break url.trim().to_owned();
            }
            assert!(child.try_wait().unwrap().is_none(), "the service did not start");
            thread::sleep(Duration::from_millis(10));
        };
        Self { child, url, registrar: keys::load_registrar(registrar).unwrap() }
    }

    pub(crate) fn log(&self) -> String {
        format!("{}/log", self.url)
    }

    pub(crate) fn client(&self) -> Client {
        Client::new(self.url.parse().unwrap()).unwrap()
    }

    /// The enrolment of a device (public) or an account (private).
    pub(crate) fn enrolment(&self, number: u64, role: Role) -> Statement {
        enrolment(&self.registrar, number, role)
    }

    pub(crate) fn revocation(&self, number: u64) -> Statement {
        let key = KeyDigest::of(&device(number).public());
        let effective_from = UnixMillis::saturating(1_800_000_000_000);
        let revoke = Revoke { key, effective_from, reason: RevocationReason::DeviceLost };
        Statement::sign(&Payload::Revoke(revoke), &self.registrar).unwrap()
    }

    /// Has statements sealed; gives their outcomes with receipts.
    pub(crate) fn seal(&self, statements: &[Statement]) -> Vec<Sealed> {
        seal(&self.client(), statements).unwrap()
    }

    /// `many` enrolments of accounts from `from` on, in batches, with some devices between.
    pub(crate) fn fill(&self, from: u64, many: u64) -> Vec<Sealed> {
        let role = |number| if number % 50 == 0 { Role::Device } else { Role::Account };
        let numbers: Vec<u64> = (from..from + many).collect();
        let batch = |numbers: &[u64]| {
            let statements: Vec<_> =
                numbers.iter().map(|number| self.enrolment(*number, role(*number))).collect();
            self.seal(&statements)
        };
        numbers.chunks(37).flat_map(batch).collect()
    }

    pub(crate) fn stop(mut self) {
        let id = self.child.id().to_string();
        assert!(Command::new("kill").args(["-TERM", &id]).status().unwrap().success());
        assert!(self.child.wait().unwrap().success());
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A statement with what the service promised.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Sealed {
    pub(crate) statement: Statement,
    pub(crate) index: u64,
    pub(crate) sealed_at: UnixSeconds,
    pub(crate) receipt: Vec<u8>,
}

fn device(number: u64) -> DeviceKey {
    let mut seed = [9; 32];
    seed[..8].copy_from_slice(&number.to_be_bytes());
    DeviceKey::from_seed(seed)
}

pub(crate) fn enrolment(registrar: &DeviceKey, number: u64, role: Role) -> Statement {
    let enrol = Enrol {
        key: device(number).public(),
        id: format!("device-{number}"),
        role,
        model: "M".to_owned(),
        agency: "A".to_owned(),
        valid_from: UnixMillis::saturating(1),
        valid_until: UnixMillis::saturating(4_000_000_000_000),
    };
    Statement::sign(&Payload::Enrol(enrol), registrar).unwrap()
}

pub(crate) fn seal(client: &Client, statements: &[Statement]) -> Result<Vec<Sealed>, ClientError> {
    let submissions: Vec<_> = statements.iter().cloned().map(Submission::of).collect();
    let body = Submission::encode_all(&submissions);
    loop {
        let answer = client.post(
            "/api/v1/statements",
            "application/cbor-seq",
            body.clone(),
            "application/cbor",
            evidence::MAX_OUTCOMES_LEN,
            Duration::from_secs(60),
        )?;
        let outcomes = Outcome::parse_all(&answer.body).unwrap();
        assert_eq!(outcomes.len(), statements.len());
        let sealed: Option<Vec<Sealed>> = outcomes
            .into_iter()
            .zip(statements)
            .map(|(outcome, statement)| match outcome {
                Outcome::Sealed { index, sealed_at, receipt } => Some(Sealed {
                    statement: statement.clone(),
                    index: index.get(),
                    sealed_at,
                    receipt: receipt.as_bytes().to_vec(),
                }),
                Outcome::Pending => None,
                refused @ Outcome::Refused { .. } => panic!("{refused:?}"),
            })
            .collect();
        if let Some(sealed) = sealed {
            return Ok(sealed);
        }
        thread::sleep(Duration::from_millis(50));
    }
}

/// Whether every receipt is the same, byte for byte, when it is asked for again.
pub(crate) fn assert_kept(service: &Service, promised: &[Sealed]) {
    for some in promised.chunks(100) {
        let statements: Vec<Statement> = some.iter().map(|sealed| sealed.statement.clone()).collect();
        assert_eq!(service.seal(&statements), some);
    }
}

/// What a mirror makes of an answer: `None` is 404.
pub(crate) type Lie = dyn Fn(&str, Vec<u8>) -> Option<Vec<u8>> + Send + Sync;

/// A mirror of a running log that changes what it passes on. It runs until the test program ends.
pub(crate) fn lying_mirror(upstream: &str, lie: Arc<Lie>) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let upstream: ServerUrl = upstream.parse().unwrap();
    thread::spawn(move || {
        for socket in listener.incoming() {
            let (upstream, lie) = (upstream.clone(), lie.clone());
            thread::spawn(move || answer(socket.unwrap(), upstream, &*lie));
        }
    });
    url
}

fn answer(mut socket: TcpStream, upstream: ServerUrl, lie: &Lie) -> Option<()> {
    let mut request = Vec::new();
    while !request.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        socket.read_exact(&mut byte).ok()?;
        request.extend(byte);
    }
    let request = String::from_utf8(request).ok()?;
    let path = request.split(' ').nth(1)?.to_owned();
    let media_type = match path.as_str() {
        path if path.ends_with("/checkpoint") => "text/plain",
        path if path.contains("/statement/") => "application/cose",
        _ => "application/octet-stream",
    };
    let client = Client::new(upstream).ok()?;
    let found = client.get(&path, media_type, 64 << 20, Duration::from_secs(10)).ok();
    let body = found.and_then(|found| lie(&path, found.body));
    let header = match &body {
        Some(body) => {
            format!("HTTP/1.1 200 OK\r\ncontent-type: {media_type}\r\ncontent-length: {}", body.len())
        }
        None => "HTTP/1.1 404 Not Found\r\ncontent-length: 0".to_owned(),
    };
    socket.write_all(format!("{header}\r\nconnection: close\r\n\r\n").as_bytes()).ok()?;
    socket.write_all(&body.unwrap_or_default()).ok()
}

/// Copies what an operator keeps beside the log: settings, trust file, keys.
pub(crate) fn copy_setup(from: &str, to: &str) {
    fs::create_dir_all(to).unwrap();
    for name in ["config.toml", "trust.json", "log.key", "registrar.key"] {
        let (from, to) = (Path::new(from).join(name), Path::new(to).join(name));
        fs::copy(from, to).unwrap();
    }
}

/// Copies a whole data directory of a service that does not run.
pub(crate) fn copy_all(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy_all(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), target).unwrap();
        }
    }
}

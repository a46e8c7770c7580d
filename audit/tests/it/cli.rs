//! The program as an auditor runs it, against a log behind HTTP.

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::process::{Command, Output};
use std::sync::{Arc, Mutex};
use std::thread;

use evidence::{EntryKind, TrustFile};
use jianzhen_audit::{LogObject, LogReader as _};
use serde_json::Value;
use tlog::{BundleId, TileId, TreeSize};

use super::chain::{Chain, NOW, honest, note, snapshot, trust, trust_witnessed_at};

/// A log whose operator may exchange it while it is served.
struct Served {
    chain: Arc<Mutex<Chain>>,
    url: String,
    folder: tempfile::TempDir,
}

impl Served {
    fn new(chain: Chain) -> Self {
        Self::with(chain, &trust())
    }

    fn with(chain: Chain, trust: &TrustFile) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("trust.json"), trust.bytes()).unwrap();
        let chain = Arc::new(Mutex::new(chain));
        let served = Self { chain: chain.clone(), url, folder };
        thread::spawn(move || {
            for socket in listener.incoming() {
                answer(socket.unwrap(), &chain.lock().unwrap());
            }
        });
        served
    }

    fn exchange(&self, change: impl FnOnce(&mut Chain)) {
        change(&mut self.chain.lock().unwrap());
    }

    fn run(&self, arguments: &[&str]) -> Output {
        let trust = self.folder.path().join("trust.json");
        let mut command = Command::new(env!("CARGO_BIN_EXE_jianzhen-audit"));
        command.args(arguments).arg("--trust").arg(trust).env("XDG_STATE_HOME", self.folder.path());
        command.output().unwrap()
    }

    /// Exit code, lines, and what went wrong.
    fn audit(&self, arguments: &[&str]) -> (i32, Vec<Value>) {
        let server = self.url.clone();
        let output = self.run(&[arguments, &["--json", "--server", &server]].concat());
        let text = String::from_utf8(output.stdout).unwrap();
        let lines = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        (output.status.code().unwrap(), lines)
    }
}

fn answer(mut socket: TcpStream, chain: &Chain) {
    let mut request = Vec::new();
    while !request.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        if socket.read_exact(&mut byte).is_err() {
            return;
        }
        request.extend(byte);
    }
    let request = String::from_utf8(request).unwrap();
    let path = request.split(' ').nth(1).unwrap().strip_prefix("/log/").unwrap_or_default().to_owned();
    let (object, media_type) = match path.as_str() {
        "checkpoint" => (Some(LogObject::Checkpoint), "text/plain; charset=utf-8"),
        path if path.starts_with("statement/") => {
            let index = path["statement/".len()..].parse().unwrap();
            (Some(LogObject::Statement(index)), "application/cose; cose-type=\"cose-sign1\"")
        }
        path if path.starts_with("checkpoints/after/") => {
            let size: TreeSize = path["checkpoints/after/".len()..].parse().unwrap();
            (Some(LogObject::ArchivedAfter(size)), "application/octet-stream")
        }
        path => {
            let bundle = path.parse::<BundleId>().map(LogObject::Bundle);
            let object = bundle.or_else(|_| path.parse::<TileId>().map(LogObject::Tile)).ok();
            (object, "application/octet-stream")
        }
    };
    let body = object.and_then(|object| chain.get(object).unwrap());
    let header = match &body {
        Some(body) => {
            format!("HTTP/1.1 200 OK\r\ncontent-type: {media_type}\r\ncontent-length: {}", body.len())
        }
        None => "HTTP/1.1 404 Not Found\r\ncontent-length: 0".to_owned(),
    };
    let _ = socket.write_all(format!("{header}\r\nconnection: close\r\n\r\n").as_bytes());
    let _ = socket.write_all(&body.unwrap_or_default());
}

/// The codes of the findings.
fn found(lines: &[Value]) -> Vec<String> {
    lines.iter().filter_map(|line| Some(line["finding"]["code"].as_str()?.to_owned())).collect()
}

/// A witness that shows this note; without one, it does not know the log.
fn witness(shown: &Arc<Mutex<Option<Vec<u8>>>>) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let shown = shown.clone();
    thread::spawn(move || {
        for mut socket in listener.incoming().flatten() {
            let _ = socket.read(&mut [0; 4096]);
            let (status, body) = match shown.lock().unwrap().clone() {
                Some(note) => ("200 OK", note),
                None => ("404 Not Found", Vec::new()),
            };
            let head =
                format!("HTTP/1.1 {status}\r\ncontent-length: {}\r\nconnection: close\r\n\r\n", body.len());
            let _ = socket.write_all(head.as_bytes()).and_then(|()| socket.write_all(&body));
        }
    });
    url
}

#[test]
fn the_witnesses_are_asked_and_one_that_saw_another_chain_convicts() {
    let chain = honest();
    let shown = Arc::new(Mutex::new(None));
    let served = Served::with(chain.clone(), &trust_witnessed_at(&witness(&shown)));
    let run = |note: Option<Vec<u8>>| {
        *shown.lock().unwrap() = note;
        let (code, lines) = served.audit(&["log", "--full"]);
        let said = &lines.last().unwrap()["witnesses"][0];
        (code, found(&lines), said["state"].as_str().unwrap().to_owned(), said["size"].as_u64())
    };
    let words = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>();
    assert_eq!(run(None), (0, words(&[]), "no-answer".to_owned(), None));
    assert_eq!(run(Some(b"junk".to_vec())), (0, words(&[]), "unusable".to_owned(), None));
    assert_eq!(run(Some(chain.checkpoint.clone())), (0, words(&[]), "agrees".to_owned(), Some(544)));
    // Of the size of the published one, and of another.
    for size in [544, 300, 256] {
        let mut other = Chain::new();
        other.fill(size, NOW);
        let fork = note(other.tree().head(), NOW + 50);
        assert_eq!(run(Some(fork)), (1, words(&["forked"]), "contradicts".to_owned(), Some(size)));
    }
    // The witness is ahead, as the published one was about to be.
    let mut ahead = chain.clone();
    ahead.fill(9, NOW + 200);
    let newer = note(ahead.tree().head(), NOW + 201);
    let (code, codes, ..) = run(Some(newer));
    assert_eq!((code, codes), (0, words(&[])));

    let said = served.run(&["log", "--log", &format!("{}/log", served.url)]);
    let text = String::from_utf8(said.stdout).unwrap();
    assert!(text.contains("Witness w: unconnected, 553 entries, cosigned 20"), "{text}");
}

#[test]
fn the_registry_is_listed_and_a_withheld_statement_fails() {
    let served = Served::new(honest());
    let (code, lines) = served.audit(&["registry"]);
    assert_eq!(code, 0);
    let kinds: Vec<&str> = lines.iter().filter_map(|line| line["kind"].as_str()).collect();
    assert_eq!(kinds, ["enrol", "enrol", "revoke", "registry"]);
    assert_eq!(lines[4]["enrolments"], 2);
    assert_eq!(lines[4]["size"], 544);

    served.exchange(|chain| drop(chain.statements.remove(&502)));
    let (code, lines) = served.audit(&["registry"]);
    assert_eq!(code, 1);
    let finding = lines.iter().find(|line| line["finding"]["code"] == "withheld").unwrap();
    assert_eq!(finding["finding"]["index"], 502);
    let output = served.run(&["registry", "--server", &served.url]);
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(text.contains("Entry 502: The statement behind it is not given out."), "{text}");
    assert!(text.contains("device-1") && text.contains("by registrar.test"), "{text}");
}

#[test]
fn a_second_run_continues_and_a_third_notices_that_the_past_was_changed() {
    let served = Served::new(honest());
    let (code, lines) = served.audit(&["log"]);
    assert_eq!((code, lines[0]["entries"].as_u64(), lines[0]["from"].as_u64()), (0, Some(544), Some(0)));
    served.exchange(|chain| {
        chain.fill(300, NOW + 200);
        chain.publish(NOW + 201);
    });
    let (code, lines) = served.audit(&["log"]);
    assert_eq!((code, lines[0]["entries"].as_u64(), lines[0]["from"].as_u64()), (0, Some(300), Some(544)));
    assert_eq!(served.audit(&["log", "--full"]).1[0]["entries"], 844);

    // The same sizes with another past: everything about it is signed and in order.
    let before = served.chain.lock().unwrap().clone();
    served.exchange(|chain| {
        let mut other = Chain::new();
        other.fill(844, NOW + 200);
        other.publish(NOW + 201);
        *chain = other;
    });
    let (code, lines) = served.audit(&["log"]);
    assert_eq!(code, 1);
    assert_eq!(lines[0]["finding"]["code"], "forked");
    assert_eq!(lines[0]["finding"]["notes"].as_array().unwrap().len(), 2);
    // It stays an alarm, for the other command too, and not for whoever has seen nothing before.
    assert_eq!(served.audit(&["log"]).0, 1);
    let (code, lines) = served.audit(&["registry"]);
    assert_eq!((code, found(&lines)), (1, vec!["forked".to_owned()]));
    let nowhere = served.folder.path().join("empty").display().to_string();
    assert_eq!(served.audit(&["registry", "--pins", &nowhere]).0, 0);

    // An old copy says nothing about the chain; set back and cosigned again, it is one that has shrunk.
    served.exchange(|chain| *chain = honest());
    for command in ["log", "registry"] {
        let (code, lines) = served.audit(&[command]);
        assert_eq!((code, found(&lines)), (4, vec!["stale".to_owned()]), "{command}");
    }
    served.exchange(|chain| chain.checkpoint = note(chain.tree().head(), NOW + 212));
    for command in ["log", "registry"] {
        let (code, lines) = served.audit(&[command]);
        assert_eq!((code, found(&lines)), (1, vec!["shrunk".to_owned()]), "{command}");
    }
    served.exchange(|chain| *chain = before);
    assert_eq!(served.audit(&["log"]).0, 0);
}

#[test]
fn what_cannot_be_read_is_not_said_to_be_wrong() {
    let served = Served::new(honest());
    let nobody = served.run(&["log", "--server", "http://127.0.0.1:9"]);
    assert_eq!(nobody.status.code(), Some(4));
    served.exchange(|chain| chain.entries.truncate(500));
    assert_eq!(served.audit(&["log"]).0, 4);
    for usage in [&["log"][..], &["log", "--server", "http://notary.example"], &["nonsense"]] {
        assert_eq!(served.run(usage).status.code(), Some(64), "{usage:?}");
    }
}

#[test]
fn a_log_at_another_address_is_read_too_and_steers_no_terminal() {
    let mut chain = honest();
    chain.seal(&snapshot(NOW + 200, &[1]), NOW + 200);
    chain.seal_bytes(EntryKind::Registry, b"\x1b[2J", NOW + 200);
    chain.publish(NOW + 201);
    let served = Served::new(chain);
    let output = served.run(&["registry", "--log", &format!("{}/log", served.url)]);
    assert_eq!(output.status.code(), Some(1));
    assert!(!output.stdout.contains(&0x1b));
}

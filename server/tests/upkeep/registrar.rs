//! A registrar whose key is not with the service, and an auditor, with the log of a running service.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;

use evidence::statement::Role;
use evidence::{DeviceKey, EntryKind, TrustFile, examine_receipt};
use jianzhen_audit::registry::{Event, Fact, Gap, Listener, RegistryAudit};
use jianzhen_audit::{Code, Finding, HttpLog, LogReader, Start, WalkError, walk, walk::published};

use super::support::{Place, Service, fail, lying_mirror, succeed};

#[derive(Default)]
struct Heard {
    facts: Vec<Fact>,
    findings: Vec<Finding>,
}

impl Listener for Heard {
    type Error = WalkError;

    fn fact(&mut self, fact: &Fact) -> Result<(), WalkError> {
        self.facts.push(fact.clone());
        Ok(())
    }

    fn finding(&mut self, finding: Finding) -> Result<(), WalkError> {
        self.findings.push(finding);
        Ok(())
    }

    fn gap(&mut self, _: Gap) -> Result<(), WalkError> {
        Ok(())
    }
}

fn audit(log: &str, trust: &str) -> Heard {
    let log = HttpLog::new(log.parse().unwrap()).unwrap();
    let reader: &dyn LogReader = &log;
    let trust = TrustFile::parse(&fs::read(trust).unwrap()).unwrap();
    let mut heard = Heard::default();
    let target = published(reader, &trust).unwrap();
    let mut audit = RegistryAudit::new(reader, &trust, &mut heard);
    walk(reader, &trust, &target, Start::default(), Vec::new(), &mut audit).unwrap();
    audit.finish().unwrap();
    heard
}

#[test]
fn a_registrar_elsewhere_seals_snapshots_of_what_the_log_itself_says() {
    let place = Place::new();
    let data = place.init("data");
    // The key moves to another machine, which has a copy of the trust file.
    let desk = place.join("desk");
    fs::create_dir(&desk).unwrap();
    let key = Path::new(&desk).join("moved.key");
    fs::rename(Path::new(&data).join("registrar.key"), &key).unwrap();
    fs::copy(Path::new(&data).join("trust.json"), Path::new(&desk).join("trust.json")).unwrap();
    let service = Service::start_with(&data, &key);
    service.fill(0, 120);
    service.seal(&[service.enrolment(7, Role::Device), service.revocation(7), service.revocation(50)]);
    let key = key.to_str().unwrap();
    let snapshot =
        |url: &str| ["snapshot", "--data", &desk, "--server", url, "--registrar", key].map(str::to_owned);
    let arguments = snapshot(&service.url);
    let said = succeed(&arguments.each_ref().map(String::as_str));
    assert!(said.contains("revoked keys     2") && said.contains("receipt          verified"), "{said}");

    let heard = audit(&service.log(), &Path::new(&desk).join("trust.json").display().to_string());
    assert_eq!(heard.findings, []);
    let kinds = |wanted: fn(&Event) -> bool| heard.facts.iter().filter(|fact| wanted(&fact.event)).count();
    assert_eq!(kinds(|event| matches!(event, Event::Enrol { .. })), 4);
    assert_eq!(kinds(|event| matches!(event, Event::Revoke { .. })), 2);
    assert_eq!(kinds(|event| matches!(event, Event::Registry { revoked: 2, .. })), 1);
}

#[test]
fn the_receipt_of_a_registrars_statement_is_kept_and_no_file_is_overwritten() {
    let place = Place::new();
    let data = place.init("data");
    let service = Service::start(&data);
    let trust = TrustFile::parse(&fs::read(Path::new(&data).join("trust.json")).unwrap()).unwrap();
    let (url, receipt) = (service.url.clone(), place.join("device.tlog-proof"));
    let key = hex::encode(DeviceKey::from_seed([77; 32]).public().as_bytes());
    let to = |path: &str| ["--data", &data, "--server", &url, "--receipt", path].map(str::to_owned);
    let run = |words: &[&str], path: &str| -> Vec<String> {
        words.iter().map(|word| (*word).to_owned()).chain(to(path)).collect()
    };
    let enrol = run(&["enrol", "--key", &key, "--id", "kept"], &receipt);
    let enrol: Vec<&str> = enrol.iter().map(String::as_str).collect();
    let said = succeed(&enrol);
    let bytes = fs::read(&receipt).unwrap();
    let proven = examine_receipt(&bytes, &trust).unwrap();
    assert_eq!(proven.entry().kind, EntryKind::Registry);
    assert!(said.contains(&proven.entry().statement.to_string()), "{said}");

    // A second one to the same file seals nothing.
    let before = audit(&service.log(), &format!("{data}/trust.json")).facts.len();
    assert!(fail(&enrol).contains("nothing was sealed"));
    assert_eq!(fs::read(&receipt).unwrap(), bytes);
    assert_eq!(audit(&service.log(), &format!("{data}/trust.json")).facts.len(), before);

    let path = place.join("snapshot.tlog-proof");
    let snapshot = run(&["snapshot"], &path);
    succeed(&snapshot.iter().map(String::as_str).collect::<Vec<_>>());
    assert!(examine_receipt(&fs::read(&path).unwrap(), &trust).is_ok());
}

#[test]
fn over_a_withheld_revocation_nothing_is_signed_and_the_auditor_names_it() {
    let place = Place::new();
    let data = place.init("data");
    let service = Service::start(&data);
    service.fill(0, 60);
    let index = service.seal(&[service.revocation(50)])[0].index;
    let hidden = format!("/statement/{index}");
    let mirror = lying_mirror(&service.log(), {
        let hidden = hidden.clone();
        Arc::new(move |path, body| if path == hidden { None } else { Some(body) })
    });
    let trust = Path::new(&data).join("trust.json").display().to_string();
    let heard = audit(&mirror, &trust);
    assert_eq!(heard.findings[0].code, Code::Withheld);
    assert_eq!(heard.findings[0].index, Some(index));
    // The honest address has it.
    assert_eq!(audit(&service.log(), &trust).findings, []);

    let facade = lying_mirror(
        &service.url,
        Arc::new(move |path, body| if path == format!("/log{hidden}") { None } else { Some(body) }),
    );
    let said = fail(&["snapshot", "--data", &data, "--server", &facade]);
    assert!(said.contains("nothing was signed"), "{said}");
}

/// The interpreter that `cargo xtask test` gives to tests that need `aics-tlog`.
#[test]
fn a_program_that_is_not_ours_proves_every_entry() {
    let Some(python) = std::env::var_os("JIANZHEN_PYTHON") else {
        eprintln!("JIANZHEN_PYTHON is not set: not tested");
        return;
    };
    let place = Place::new();
    let data = place.init("data");
    let service = Service::start(&data);
    let promised = service.fill(0, 300);
    let trust = Path::new(&data).join("trust.json");
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/auditing/verify_entry.py");
    let run = |log: &str, what: &[&str]| {
        let mut command = Command::new(&python);
        command.arg(&script).args(["--log", log, "--trust"]).arg(&trust).args(what);
        let output = command.output().unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        let report: serde_json::Value = serde_json::from_str(&text).unwrap_or_default();
        (output.status.code(), report)
    };
    let log = service.log();
    let sealed = &promised[123];
    let digest = sealed.statement.digest().to_string();
    let (code, report) = run(&log, &["--index", &sealed.index.to_string()]);
    assert_eq!((code, report["entry"]["statement"].as_str()), (Some(0), Some(digest.as_str())), "{report}");
    let (code, report) = run(&log, &["--statement", &digest]);
    assert_eq!((code, report["entry"]["index"].as_u64()), (Some(0), Some(sealed.index)), "{report}");
    assert_eq!(run(&log, &["--all"]).0, Some(0));
    assert_eq!(run(&log, &["--index", "100000"]).0, Some(1));
    assert_eq!(run(&log, &["--statement", &"0".repeat(64)]).0, Some(1));
    // And it notices.
    let exchanged = lying_mirror(
        &log,
        Arc::new(|path, mut body| {
            if path.starts_with("/tile/entries/000") {
                body[30] ^= 1;
            }
            Some(body)
        }),
    );
    assert_eq!(run(&exchanged, &["--all"]).0, Some(1));
}

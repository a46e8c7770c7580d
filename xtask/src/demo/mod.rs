//! `cargo xtask demo`: a complete stack on loopback, with fresh keys and something to verify.

mod http;
mod samples;
mod scratch;
mod service;
mod stack;
mod witnesses;

use std::path::PathBuf;
use std::time::Duration;

use anyhow::Context;
use clap::Args;
use serde_json::json;

use crate::build;
use crate::process::Runner;
use crate::report;
use crate::workspace::Workspace;
use samples::Samples;
use scratch::{Description, Scratch};
use stack::{Programs, Stack};
use witnesses::Witness;

/// Where the demonstration lives.
#[derive(Args)]
pub(crate) struct Options {
    /// Folder for keys, databases and samples; emptied first if an earlier demonstration made it.
    #[arg(long, default_value = "demo")]
    dir: PathBuf,
    /// Port of the page on 127.0.0.1; 0 takes any that is free.
    #[arg(long, default_value_t = 8600)]
    port: u16,
}

/// Builds, starts, records, prints, and waits for Ctrl-C.
pub(crate) fn run(workspace: &Workspace, runner: &Runner, options: &Options) -> anyhow::Result<()> {
    let scratch = Scratch::prepare(&options.dir)?;
    build::run(workspace, runner)?;

    report::step("Starting the stack");
    let programs = Programs::find(&workspace.programs())?;
    let mut stack = Stack::start(runner, &programs, &scratch, &workspace.dist(), options.port)?;
    let samples = Samples::make(&workspace.root().join("samples"), runner, &stack)?;
    let _description = describe(&stack, &samples)?;
    print(&stack, &samples);
    loop {
        runner.pause(Duration::from_millis(200))?;
        stack.check()?;
    }
}

/// Writes `demo.json`, from which scripts learn where everything is. Fields are only ever added.
fn describe(stack: &Stack<'_>, samples: &Samples) -> anyhow::Result<Description> {
    let programs = stack.programs();
    stack.scratch().describe(&json!({
        "url": stack.url(),
        "trust": stack.trust(),
        "log_vkey": stack.log_vkey(),
        "witness_vkeys": stack.witnesses().iter().map(Witness::vkey).collect::<Vec<_>>(),
        "witness_urls": stack.witnesses().iter().map(Witness::url).collect::<Vec<_>>(),
        "mirror_url": stack.witnesses().last().map(Witness::mirror_url),
        "server_data": stack.server_data(),
        "recorder_data": stack.recorder_data(),
        "bin": {
            "server": programs.server,
            "witness": programs.witness,
            "audit": programs.audit,
            "recorder": programs.recorder,
            "verify": programs.verify,
        },
        "samples": {
            "sealed": samples.sealed,
            "altered": samples.altered,
            "unrelated": samples.unrelated,
            "evidence": samples.evidence,
        },
    }))
}

fn print(stack: &Stack<'_>, samples: &Samples) {
    println!(
        "
The page       {url}

Drop one of these on it:
  sealed       {sealed}
  altered      {altered} (one byte changed)
  unrelated    {unrelated}
  evidence     {evidence} (with the sealed or the altered video, also offline)

The same on the command line:
  {verify} {sealed} --server {url} --trust {trust}

The chain      {url}/chain
  guarded by three witnesses, any two of which must have cosigned: {witnesses}
  copied by the third: {mirror}
  {audit} log --server {url} --trust {trust}

All this for scripts: {description}
Ctrl-C stops everything.",
        url = stack.url(),
        sealed = samples.sealed.display(),
        altered = samples.altered.display(),
        unrelated = samples.unrelated.display(),
        evidence = samples.evidence.display(),
        verify = stack.programs().verify.display(),
        trust = stack.trust().display(),
        witnesses = stack.witnesses().iter().map(Witness::url).collect::<Vec<_>>().join(" "),
        mirror = stack.witnesses().last().map(Witness::mirror_url).unwrap_or_default(),
        audit = stack.programs().audit.display(),
        description = stack.scratch().description().display(),
    );
}

/// Makes an error of a path that is not there.
fn existing(path: PathBuf, what: &str) -> anyhow::Result<PathBuf> {
    std::fs::metadata(&path).with_context(|| format!("{what} {} is missing", path.display()))?;
    Ok(path)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::os::unix::fs::PermissionsExt;
    use std::path::Path;

    /// Programs that behave as the real ones promise to, as far as the demonstration can see.
    const SERVER: &str = r#"
        case $1 in
        init) echo "made a key"; echo "demo.jianzhen.invalid/log+00000000+AAAA"; mkdir "$3"; echo '{}' >"$3/trust.json" ;;
        enrol) [ "$7" = c0ffee ] ;;
        policy) [ $# = 11 ] && echo "$@" >"$3/policy" ;;
        serve) echo starting; while [ "$1" != --ready-file ]; do shift; done; exec python3 "$(dirname "$0")/serve.py" "$2" ;;
        esac"#;
    const WITNESS: &str = r#"
        case $1 in
        init) echo "$5+11111111+BBBB"; mkdir "$3" ;;
        add-log) echo "$@" >"$3/log" ;;
        serve) [ -s "$3/log" ] || exit 1; while [ "$1" != --ready-file ]; do shift; done; exec python3 "$(dirname "$0")/serve.py" "$2" ;;
        esac"#;
    const SERVE: &str = "
import http.server, os, sys
class Answers(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200); self.end_headers()
    def log_message(self, *ignored): pass
server = http.server.HTTPServer(('127.0.0.1', 0), Answers)
open(sys.argv[1] + '.new', 'w').write('http://127.0.0.1:%d/\\n' % server.server_port)
os.rename(sys.argv[1] + '.new', sys.argv[1])
server.serve_forever()
";
    const RECORDER: &str = r#"
        case $1 in
        init) echo '{"device_id":"demo-recorder-01","public_key":"c0ffee"}' ;;
        record)
            while [ $# -gt 1 ]; do case $2 in --input) input=$3 ;; --output) output=$3 ;; esac; shift; done
            cp "$input" "$output"; echo evidence >"$output.evidence" ;;
        esac"#;

    struct Fixture {
        folder: tempfile::TempDir,
        programs: Programs,
        scratch: Scratch,
    }

    impl Fixture {
        fn new(server: &str, witness: &str, serve: &str) -> Self {
            let folder = tempfile::tempdir().unwrap();
            let scripts = [
                ("jianzhen-server", server),
                ("jianzhen-witness", witness),
                ("jianzhen-recorder", RECORDER),
                ("jianzhen-verify", ""),
                ("jianzhen-audit", ""),
            ];
            for (name, script) in scripts {
                let path = folder.path().join(name);
                fs::write(&path, format!("#!/bin/sh\n{script}\n")).unwrap();
                fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
            }
            fs::write(folder.path().join("serve.py"), serve).unwrap();
            let programs = Programs::find(folder.path()).unwrap();
            let scratch = Scratch::prepare(&folder.path().join("demo")).unwrap();
            Self { folder, programs, scratch }
        }

        fn start(&self, runner: &Runner) -> anyhow::Result<Stack<'_>> {
            Stack::start(runner, &self.programs, &self.scratch, self.folder.path(), 0)
        }
    }

    #[test]
    fn the_description_says_where_everything_is_and_the_server_stops_with_the_stack() {
        let runner = Runner::for_test();
        let fixture = Fixture::new(SERVER, WITNESS, SERVE);
        let mut stack = fixture.start(&runner).unwrap();
        let bundle = Path::new(env!("CARGO_MANIFEST_DIR")).join("../samples");
        let samples = Samples::make(&bundle, &runner, &stack).unwrap();
        let description = describe(&stack, &samples).unwrap();
        stack.check().unwrap();

        let text = fs::read_to_string(fixture.scratch.description()).unwrap();
        let value: serde_json::Value = serde_json::from_str(&text).unwrap();
        for path in [
            "/trust",
            "/server_data",
            "/bin/server",
            "/bin/witness",
            "/bin/audit",
            "/bin/recorder",
            "/bin/verify",
            "/samples/sealed",
            "/samples/altered",
            "/samples/unrelated",
            "/samples/evidence",
        ] {
            let named = value.pointer(path).and_then(|value| value.as_str()).unwrap_or_default();
            assert!(Path::new(named).is_absolute() && Path::new(named).exists(), "{path}: {named:?}");
        }
        assert!(!stack.url().ends_with('/'), "{}", stack.url());
        assert_eq!(value["url"], stack.url());
        assert_eq!(value["log_vkey"], "demo.jianzhen.invalid/log+00000000+AAAA");
        let vkeys =
            ["1", "2", "3"].map(|number| format!("witness-{number}.demo.jianzhen.invalid+11111111+BBBB"));
        assert_eq!(value["witness_vkeys"], serde_json::json!(vkeys));
        let urls: Vec<&str> = stack.witnesses().iter().map(Witness::url).collect();
        assert_eq!(value["witness_urls"], serde_json::json!(urls));
        // `printf demo.jianzhen.invalid/log | sha256sum`
        let hash = "6be9818853cc84a4f64dc867590f17482e4836b78d80232c7eab9c7171bd43ed";
        assert_eq!(value["mirror_url"], format!("{}/mirror/{hash}", urls[2]));
        // The server was told all three, and only the third was told where the log is.
        let policy = fs::read_to_string(stack.server_data().join("policy")).unwrap();
        for (number, (url, vkey)) in (1..).zip(urls.iter().zip(&vkeys)) {
            assert!(policy.contains(&format!("--witness witness-{number},{vkey},{url}")), "{policy}");
            let log =
                fs::read_to_string(fixture.scratch.path(&format!("witness-{number}")).join("log")).unwrap();
            assert!(log.contains("--vkey demo.jianzhen.invalid/log+00000000+AAAA"), "{log}");
            assert_eq!(log.contains("--mirror http://127.0.0.1:"), number == 3, "{log}");
        }
        let different = |other: &Path| fs::read(other).unwrap() != fs::read(&samples.sealed).unwrap();
        assert!(different(&samples.altered) && different(&samples.unrelated));

        let url = stack.url().to_owned();
        drop(description);
        drop(stack);
        assert!(!fixture.scratch.description().exists());
        assert!(http::demand_success(&url, "/").is_err(), "the server outlived the stack");
    }

    #[test]
    fn a_server_that_ends_at_its_start_is_reported_with_its_log() {
        let server = SERVER.replace("echo starting", "echo 'address in use'; exit 1");
        let error =
            Fixture::new(&server, WITNESS, SERVE).start(&Runner::for_test()).err().unwrap().to_string();
        assert!(error.contains("address in use") && error.contains("--port 0"), "{error}");
    }

    #[test]
    fn a_witness_that_ends_takes_the_demonstration_with_it() {
        let runner = Runner::for_test();
        let served = r#"python3 "$(dirname "$0")/serve.py" "$2""#;
        let until = r#"& while [ ! -e "$(dirname "$0")/stop" ]; do sleep 0.05; done; exit 3"#;
        let witness = WITNESS.replace(&format!("exec {served}"), &format!("{served} {until}"));
        let fixture = Fixture::new(SERVER, &witness, SERVE);
        let mut stack = fixture.start(&runner).unwrap();
        stack.check().unwrap();
        fs::write(fixture.folder.path().join("stop"), "").unwrap();
        let error = loop {
            match stack.check() {
                Ok(()) => runner.pause(Duration::from_millis(20)).unwrap(),
                Err(error) => break error.to_string(),
            }
        };
        assert!(
            error.contains("witness") && error.contains("has ended") && error.contains(".log"),
            "{error}"
        );
    }

    #[test]
    fn a_server_without_a_page_is_no_demonstration() {
        let serve = SERVE.replace("200", "404 if self.path == '/' else 200");
        let fixture = Fixture::new(SERVER, WITNESS, &serve);
        assert!(fixture.start(&Runner::for_test()).is_err());
        assert!(!fixture.scratch.description().exists());
    }

    #[test]
    fn a_failing_enrolment_is_an_error() {
        let server = SERVER.replace("c0ffee", "another key");
        assert!(Fixture::new(&server, WITNESS, SERVE).start(&Runner::for_test()).is_err());
    }
}

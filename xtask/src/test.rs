//! `cargo xtask test`: every test there is, section by section; a failing section does not hide the ones after it.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, bail};
use clap::{Args, ValueEnum};

use crate::build;
use crate::check::BROWSER_CRATES;
use crate::harness;
use crate::process::{Interrupted, Runner};
use crate::report::Sections;
use crate::setup::{self, Needs, Toolbox, WASM_TARGET};
use crate::workspace::Workspace;

/// Processes that the short chaos kills.
const KILLS: u32 = 30;

/// Which tests to run.
#[derive(Args, Default)]
pub(crate) struct Options {
    /// Run only tests whose name contains this.
    filter: Option<String>,
    /// Run only these sections.
    #[arg(long, value_delimiter = ',')]
    only: Vec<Section>,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Section {
    /// Tests of the native crates, and documentation examples.
    Native,
    /// Golden vectors, made again by an implementation that is not ours.
    Vectors,
    /// wasm-bindgen tests in headless Chromium.
    Wasm,
    /// Whole stacks and a real browser, against release programs; others' programs; faults beneath the server.
    EndToEnd,
    /// Processes killed at random moments under load.
    Chaos,
}

impl Section {
    fn title(self) -> &'static str {
        match self {
            Self::Native => "native tests",
            Self::Vectors => "test vectors",
            Self::Wasm => "wasm tests in a browser",
            Self::EndToEnd => "end-to-end tests",
            Self::Chaos => "chaos",
        }
    }
}

/// What the test runners said at their ends.
#[derive(Default)]
struct Outcome {
    /// `test result: …` lines of runners that ran something.
    closing_lines: Vec<String>,
    /// How many tests ran.
    tests: u64,
}

impl Outcome {
    /// Notes the closing line of a test runner; any other line is none of its business.
    fn hear(&mut self, line: &str) {
        let Some(counts) = line.trim().strip_prefix("test result: ") else { return };
        // `ok. 12 passed; 0 failed; 1 ignored; …`
        let count = |kind: &str| {
            let (before, _) = counts.split_once(kind)?;
            before.trim_end().rsplit([' ', ';']).next()?.parse::<u64>().ok()
        };
        let ran = count("passed").unwrap_or(0) + count("failed").unwrap_or(0);
        if ran > 0 {
            self.tests += ran;
            self.closing_lines.push(line.trim().to_owned());
        }
    }
}

/// Sets up, runs the sections, prints their times and the runners' own closing lines.
pub(crate) fn run(workspace: &Workspace, runner: &Runner, options: &Options) -> anyhow::Result<()> {
    let mut sections = Sections::new();
    let tester = Tester {
        workspace,
        runner,
        toolbox: sections.run("set-up", || setup::ensure(workspace, runner, Needs::tests()))?,
        filter: options.filter.as_deref(),
    };
    let mut tests = 0;
    let mut closing_lines = Vec::new();
    let mut failed = Vec::new();
    for &section in Section::value_variants() {
        if !options.only.is_empty() && !options.only.contains(&section) {
            continue;
        }
        let mut outcome = Outcome::default();
        if let Err(error) = sections.run(section.title(), || tester.run(section, &mut outcome)) {
            if error.is::<Interrupted>() {
                return Err(error);
            }
            eprintln!("error: {}: {error:#}", section.title());
            failed.push(section.title());
        }
        tests += outcome.tests;
        closing_lines.extend(outcome.closing_lines.into_iter().map(|line| (section.title(), line)));
    }
    println!();
    for (title, line) in &closing_lines {
        println!("{title}: {line}");
    }
    sections.print();
    if !failed.is_empty() {
        bail!("failed: {}", failed.join(", "));
    }
    if let (0, Some(filter)) = (tests, &options.filter) {
        bail!("no test's name contains {filter:?}");
    }
    println!("\nAll {tests} tests passed.");
    Ok(())
}

struct Tester<'a> {
    workspace: &'a Workspace,
    runner: &'a Runner,
    toolbox: Toolbox,
    filter: Option<&'a str>,
}

impl Tester<'_> {
    fn run(&self, section: Section, outcome: &mut Outcome) -> anyhow::Result<()> {
        match section {
            Section::Native => self.native(outcome),
            Section::Vectors => self.vectors(outcome),
            Section::Wasm => self.wasm(outcome),
            Section::EndToEnd => self.end_to_end(outcome),
            Section::Chaos => self.chaos(outcome),
        }
    }

    fn native(&self, outcome: &mut Outcome) -> anyhow::Result<()> {
        let mut command = self.cargo_test();
        command.args(["--workspace", "--exclude", harness::PACKAGE]);
        command.args(BROWSER_CRATES.map(|name| format!("--exclude={name}")));
        // The witness's tests talk to a log that is not ours.
        command
            .env("JIANZHEN_PYTHON", self.toolbox.python().context("the Python environment was not set up")?);
        self.finish(command, outcome)
    }

    fn wasm(&self, outcome: &mut Outcome) -> anyhow::Result<()> {
        for name in BROWSER_CRATES {
            refuse_plain_tests(&self.workspace.root().join(name))?;
        }
        let mut command = self.cargo_test();
        command
            .args(["--target", WASM_TARGET, "--lib", "--bins", "--tests"])
            .args(BROWSER_CRATES.map(|name| format!("--package={name}")))
            .env("CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_RUNNER", "wasm-bindgen-test-runner")
            // The runner takes the first driver it knows of; without this a Firefox on the machine would win.
            .env("CHROMEDRIVER", find("chromedriver")?)
            // Seconds; two busy cores need more than the default of twenty to start a browser.
            .env("WASM_BINDGEN_TEST_TIMEOUT", "180");
        self.finish(command, outcome)
    }

    fn end_to_end(&self, outcome: &mut Outcome) -> anyhow::Result<()> {
        build::page(self.workspace, self.runner, &self.toolbox)?;
        build::programs(self.workspace, self.runner)?;
        let python = self.toolbox.python().context("the Python environment was not set up")?;
        let mut command = self.cargo_test();
        command
            .args(["--package", harness::PACKAGE])
            .env("JIANZHEN_PYTHON", python)
            .env("JIANZHEN_VIDEOS", setup::videos(python)?)
            .env("JIANZHEN_BIN", self.workspace.programs())
            .env("JIANZHEN_DIST", self.workspace.dist())
            .env("CHROMEDRIVER", find("chromedriver")?);
        self.finish(command, outcome)
    }

    /// A short one; `cargo xtask chaos` takes any number of kills.
    fn chaos(&self, outcome: &mut Outcome) -> anyhow::Result<()> {
        if self.filter.is_some_and(|filter| !"chaos".contains(filter)) {
            return Ok(());
        }
        build::programs(self.workspace, self.runner)?;
        let mut command = harness::program(self.workspace, self.runner, "chaos")?;
        command.args(["--kills", &KILLS.to_string()]);
        outcome.tests += 1;
        let status = self.runner.run_lines(&command, |line| {
            println!("{line}");
            // The rows of the table in the end that answer whether promises were kept.
            if ["kills ", "receipts ", "forks ", "disagreements "].iter().any(|row| line.starts_with(row)) {
                outcome.closing_lines.push(line.split_whitespace().collect::<Vec<_>>().join(" "));
            }
        })?;
        if !status.success() {
            bail!("a promise was broken ({status})");
        }
        Ok(())
    }

    /// Each `testdata/generate_*.py --check` makes its vectors again and compares them with those in the repository.
    fn vectors(&self, outcome: &mut Outcome) -> anyhow::Result<()> {
        let python = self.toolbox.python().context("the Python environment was not set up")?;
        let mut failed = Vec::new();
        for script in generators(&self.workspace.root().join("testdata"))? {
            let name = script.file_name().unwrap_or_default().to_string_lossy().into_owned();
            if self.filter.is_some_and(|filter| !name.contains(filter)) {
                continue;
            }
            println!("{name}");
            outcome.tests += 1;
            let mut command = self.workspace.command(python);
            command.arg(&script).arg("--check");
            match self.runner.run(&command) {
                Ok(()) => {
                    outcome.closing_lines.push(format!("{name}: the vectors are what the generator makes"))
                }
                Err(error) if error.is::<Interrupted>() => return Err(error),
                Err(_) => failed.push(name),
            }
        }
        if !failed.is_empty() {
            bail!("these generators no longer make the vectors in the repository: {}", failed.join(", "));
        }
        Ok(())
    }

    fn cargo_test(&self) -> Command {
        let mut command = self.toolbox.equip(self.workspace.cargo());
        command.args(["test", "--release", "--no-fail-fast"]);
        command
    }

    /// Adds the filter, runs, shows the output as it comes and keeps the closing lines.
    fn finish(&self, mut command: Command, outcome: &mut Outcome) -> anyhow::Result<()> {
        if let Some(filter) = self.filter {
            command.args(["--", filter]);
        }
        let status = self.runner.run_lines(&command, |line| {
            println!("{line}");
            outcome.hear(line);
        })?;
        if !status.success() {
            bail!("tests failed ({status})");
        }
        Ok(())
    }
}

/// Fails at a `#[test]` below `folder`: the browser's runner knows only `#[wasm_bindgen_test]` and passes over others
/// without a word, so such a test would never run.
fn refuse_plain_tests(folder: &Path) -> anyhow::Result<()> {
    let listed = |path: &Path| format!("{} could not be read", path.display());
    for entry in std::fs::read_dir(folder).with_context(|| listed(folder))? {
        let path = entry?.path();
        if path.is_dir() {
            refuse_plain_tests(&path)?;
        } else if path.extension().is_some_and(|extension| extension == "rs")
            && std::fs::read_to_string(&path)
                .with_context(|| listed(&path))?
                .lines()
                .any(|line| line.trim() == "#[test]")
        {
            bail!("{} has a #[test] that no browser would run: mark it #[wasm_bindgen_test]", path.display());
        }
    }
    Ok(())
}

/// The scripts that make test vectors, in the order of their names.
fn generators(folder: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let mut scripts = Vec::new();
    for entry in
        std::fs::read_dir(folder).with_context(|| format!("{} could not be listed", folder.display()))?
    {
        let path = entry?.path();
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        if name.starts_with("generate_") && name.ends_with(".py") {
            scripts.push(path);
        }
    }
    scripts.sort();
    Ok(scripts)
}

/// The full path of a program that set-up has made sure of.
fn find(program: &str) -> anyhow::Result<PathBuf> {
    std::env::var_os("PATH")
        .and_then(|path| {
            std::env::split_paths(&path).map(|folder| folder.join(program)).find(|path| path.is_file())
        })
        .with_context(|| format!("{program} is not on PATH"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn closing_lines_are_counted_and_empty_runs_are_not_kept() {
        let mut outcome = Outcome::default();
        for line in [
            "running 3 tests",
            "test result: ok. 12 passed; 0 failed; 1 ignored; 0 measured; 0 filtered out; finished in 0.01s",
            "test result: FAILED. 3 passed; 2 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.01s",
            "test result: ok. 0 passed; 0 failed; 0 ignored; 0 measured; 4 filtered out; finished in 0.00s",
            "    test result: ok. 5 passed; 0 failed; 0 ignored; 0 filtered out; finished in 0.20s",
        ] {
            outcome.hear(line);
        }
        assert_eq!(outcome.tests, 22);
        assert_eq!(outcome.closing_lines.len(), 3);
    }

    #[test]
    fn a_test_that_no_browser_would_run_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join("src")).unwrap();
        let file = folder.path().join("src/lib.rs");
        std::fs::write(&file, "    #[wasm_bindgen_test]\n    fn runs() {}\n").unwrap();
        refuse_plain_tests(folder.path()).unwrap();
        std::fs::write(&file, "    #[test]\n    fn never_runs() {}\n").unwrap();
        refuse_plain_tests(folder.path()).unwrap_err();
    }

    #[test]
    fn only_generators_are_generators() {
        let folder = tempfile::tempdir().unwrap();
        for name in ["generate_b.py", "generate_a.py", "generate_c.txt", "other.py"] {
            std::fs::write(folder.path().join(name), "").unwrap();
        }
        let names: Vec<_> = generators(folder.path())
            .unwrap()
            .iter()
            .map(|path| path.file_name().unwrap().to_str().unwrap().to_owned())
            .collect();
        assert_eq!(names, ["generate_a.py", "generate_b.py"]);
    }
}

//! `jianzhen-verify`

use std::io::Write;
use std::path::Path;
use std::process::ExitCode;

use anyhow::Context;
use clap::Parser;
use clap::error::ErrorKind;
use client::PinStore;
use client::durable::FileError;
use jianzhen_verify::cli::{Cli, Lang};
use jianzhen_verify::run::{Surroundings, Verified, evidence_beside, verify};
use jianzhen_verify::text::Text;
use jianzhen_verify::{ask, exit, print, trust};

fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            // Nothing can be done about a closed terminal.
            let _ = error.print();
            let asked = matches!(error.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayVersion);
            return if asked { ExitCode::SUCCESS } else { ExitCode::from(exit::USAGE) };
        }
    };
    match run(&cli) {
        Ok(code) => ExitCode::from(code),
        Err(error) => {
            eprintln!("{}", client::printable(&client::sentences(error.as_ref())));
            ExitCode::from(exit::NOT_COMPLETED)
        }
    }
}

fn run(cli: &Cli) -> anyhow::Result<u8> {
    let lang = cli.lang.unwrap_or_else(|| Lang::of_environment(|name| std::env::var(name).ok()));
    let text = Text::of(lang);
    if cli.pin {
        pin(cli, &text)?;
    }
    let pinned = trust::pinned_path(|name| std::env::var_os(name));
    let surroundings = Surroundings {
        pins: pin_store(cli, &text),
        save_roots: cli.save_roots.clone(),
        receipts: cli.receipts.clone(),
        trust: trust::choose(cli.trust.as_deref(), pinned.as_deref()),
        evidence: cli.evidence.clone(),
        server: cli.server.clone(),
    };
    let mut verdicts = Vec::new();
    for path in &cli.files {
        let Verified { report, alarms, troubles, receipts } = verify(path, &surroundings);
        for trouble in troubles {
            say(&client::sentences(&trouble));
        }
        if let Some(folder) = &cli.receipts {
            say(&receipts_line(folder, receipts, &text));
        }
        let alarms: String = alarms.iter().map(|raised| print::alarm(raised, &text)).collect();
        let said = if cli.json {
            // Somebody may be watching the machine that reads the report.
            let _ = std::io::stderr().write_all(alarms.as_bytes());
            format!("{}\n", serde_json::to_string(&report)?)
        } else {
            let server = cli.server.as_ref().map(|server| server.as_str());
            let beside =
                evidence_beside(path, &surroundings).map(|beside| print::evidence_beside(&beside, &text));
            let report = print::report(&path.display().to_string(), &report, server, &text);
            alarms + &beside.unwrap_or_default() + &report
        };
        // A reader that has seen enough (`| head`) changes no verdict.
        let _ = std::io::stdout().write_all(said.as_bytes());
        verdicts.push(report.verdict);
    }
    Ok(exit::most_serious(verdicts))
}

/// What became of the receipts that were to be written.
fn receipts_line(folder: &Path, receipts: Option<Result<usize, FileError>>, text: &Text) -> String {
    match receipts {
        None | Some(Ok(0)) => text.get("label", "no-receipts").to_owned(),
        Some(Ok(count)) => {
            let values = [("count", &*count.to_string()), ("folder", &*folder.display().to_string())];
            text.fill("label", "receipts", &values)
        }
        Some(Err(error)) => client::sentences(&error),
    }
}

/// Where chain roots are remembered, unless nothing is to be.
fn pin_store(cli: &Cli, text: &Text) -> Option<PinStore> {
    if cli.no_pins {
        return None;
    }
    let folder = cli.pins.clone().or_else(|| PinStore::default_folder(|name| std::env::var_os(name)));
    if folder.is_none() && !cli.files.is_empty() {
        say(text.get("label", "no-pins"));
    }
    folder.map(PinStore::new)
}

/// A sentence that is no part of a report. Nobody may be reading.
fn say(sentence: &str) {
    let _ = writeln!(std::io::stderr(), "{}", client::printable(sentence));
}

/// Pins the trust file that was given, else the one that the server hands out.
fn pin(cli: &Cli, text: &Text) -> anyhow::Result<()> {
    let path = trust::pinned_path(|name| std::env::var_os(name))
        .context("There is no home folder to keep the trust file in.")?;
    let bytes = match (&cli.trust, &cli.server) {
        (Some(given), _) => {
            trust::read(given).with_context(|| format!("{} cannot be read", given.display()))?
        }
        (None, Some(server)) => ask::trust_file(server)?,
        (None, None) => anyhow::bail!(
            "--pin needs a trust file (--trust FILE) or a server that hands one out (--server URL)."
        ),
    };
    let trust = trust::pin(&bytes, &path)?;
    let operator = client::printable(&trust.operator().name);
    let values = [("operator", &*operator), ("digest", &*trust.digest().to_string())];
    eprintln!("{}", text.fill("label", "pinned", &values));
    Ok(())
}

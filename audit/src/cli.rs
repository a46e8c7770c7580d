//! `jianzhen-audit`: the command line.

use std::io::{self, Write as _};
use std::path::PathBuf;

use anyhow::{Context as _, bail};
use clap::{Args, Parser, Subcommand};
use client::{PinStore, RootsClient, ServerUrl, pin_slots, printable};
use evidence::{Pin, TrustFile, UnixSeconds, pin_slot};
use jiff::Timestamp;
use serde::Serialize;

use crate::finding::Finding;
use crate::history::{Audited, HistoryAudit};
use crate::reader::HttpLog;
use crate::registry::{Event, Fact, Gap, Listener, RegistryAudit};
use crate::trusted::Trusted;
use crate::walk::{Expectation, Start, WalkError, published, walk};
use crate::witnesses::{self, WitnessSaid};

/// The chain was read, and nothing is wrong with it.
pub const SOUND: u8 = 0;
/// The chain was read, and something is wrong with it.
pub const WRONG: u8 = 1;
/// The chain could not be read to its end, or not compared with what was seen before and what witnesses show: that says nothing
/// about it.
pub const NOT_COMPLETED: u8 = 4;
/// BSD `EX_USAGE`.
pub const USAGE: u8 = 64;

/// Reads the whole notary chain, from the operator or from a mirror, and says what is wrong with it.
///
/// Exit code 0: nothing is wrong. 1: something is. 4: it could not be read to its end, or only an old copy of it. 64: wrong usage.
#[derive(Debug, Parser)]
#[command(name = "jianzhen-audit", version)]
pub struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// List every enrolment and revocation of a device and every snapshot of the registry from the log itself; fails if one is withheld
    Registry(Registry),
    /// Check sealing times, the archive of checkpoints, that the chain continues what was seen before, and that the witnesses of the
    /// trust file have seen the same
    Log(Log),
}

#[derive(Debug, Args)]
struct Source {
    /// Base URL of the service; its log is read at URL/log
    #[arg(
        long,
        value_name = "URL",
        env = "JIANZHEN_SERVER",
        required_unless_present = "log",
        conflicts_with = "log"
    )]
    server: Option<ServerUrl>,
    /// Address of the log itself, or of a mirror: what /checkpoint is appended to
    #[arg(long, value_name = "URL")]
    log: Option<ServerUrl>,
    /// The trust file, which you got by another way than from the service
    #[arg(long, value_name = "FILE")]
    trust: PathBuf,
    /// One JSON object a line
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Args)]
struct Registry {
    #[command(flatten)]
    source: Source,
    #[command(flatten)]
    pins: Pins,
}

#[derive(Debug, Args)]
struct Pins {
    /// Where it is remembered what was seen, instead of jianzhen/pins in your state folder
    #[arg(long, value_name = "DIR", env = "JIANZHEN_PINS")]
    pins: Option<PathBuf>,
}

impl Pins {
    fn store(self) -> Option<PinStore> {
        let folder = self.pins.or_else(|| PinStore::default_folder(|name| std::env::var_os(name)));
        folder.map(PinStore::new)
    }
}

#[derive(Debug, Args)]
struct Log {
    #[command(flatten)]
    source: Source,
    #[command(flatten)]
    pins: Pins,
    /// Read everything again, also what was audited before
    #[arg(long)]
    full: bool,
}

impl Cli {
    /// Does what the command line says; gives the exit code.
    pub fn run(self) -> anyhow::Result<u8> {
        match self.command {
            Command::Registry(registry) => registry.run(),
            Command::Log(log) => log.run(),
        }
    }
}

impl Source {
    fn open(&self) -> anyhow::Result<(HttpLog, TrustFile)> {
        let bytes = std::fs::read(&self.trust)
            .with_context(|| format!("The trust file {} cannot be read", self.trust.display()))?;
        let trust = TrustFile::parse(&bytes)?;
        Ok((HttpLog::new(self.prefix()?)?, trust))
    }

    /// What `/checkpoint` is appended to.
    fn prefix(&self) -> anyhow::Result<ServerUrl> {
        match (&self.log, &self.server) {
            (Some(log), _) => Ok(log.clone()),
            (None, Some(server)) => Ok(server.join("/log").parse()?),
            (None, None) => bail!("Give --server or --log."),
        }
    }
}

/// Standard output: lines for people, or JSON objects.
struct Output {
    json: bool,
    findings: u64,
    /// Those among them that only say that something could not be found out.
    open: u64,
}

impl Output {
    fn new(json: bool) -> Self {
        Self { json, findings: 0, open: 0 }
    }

    fn line(&self, text: &str) {
        // A reader that has seen enough (`| head`) changes no exit code.
        let _ = writeln!(io::stdout(), "{}", printable(text));
    }

    fn object(&self, object: &impl Serialize) {
        // invariant: only strings, numbers and lists of them are written.
        self.line(&serde_json::to_string(object).unwrap_or_default());
    }

    fn finding(&mut self, finding: &Finding) {
        self.findings += 1;
        self.open += u64::from(finding.code.is_open());
        if self.json {
            #[derive(Serialize)]
            struct Line<'a> {
                finding: &'a Finding,
            }
            self.object(&Line { finding });
            return;
        }
        let place = match (finding.index, finding.size) {
            (Some(index), _) => format!("Entry {index}"),
            (None, Some(size)) => format!("Size {size}"),
            (None, None) => "Log".to_owned(),
        };
        self.line(&format!("{place}: {}", finding.sentence));
        for note in &finding.notes {
            note.lines().for_each(|line| self.line(&format!("    {line}")));
        }
    }

    fn exit_code(&self) -> u8 {
        match (self.findings, self.open) {
            (0, _) => SOUND,
            (findings, open) if findings == open => NOT_COMPLETED,
            _ => WRONG,
        }
    }

    fn witness(&self, witness: &WitnessSaid) {
        let WitnessSaid { name, state, size, cosigned } = witness;
        let seen = size.map(|size| format!(", {size} entries")).unwrap_or_default();
        let at = cosigned.map(|at| format!(", cosigned {}", time(UnixSeconds::new(at)))).unwrap_or_default();
        self.line(&format!("Witness {name}: {state}{seen}{at}."));
    }
}

#[derive(Serialize)]
struct Summary<'a> {
    origin: &'a str,
    size: u64,
    root: String,
    cosigned: Option<UnixSeconds>,
    findings: u64,
    #[serde(flatten)]
    more: More,
}

#[derive(Serialize)]
#[serde(untagged)]
enum More {
    Registry { enrolments: u64, revocations: u64, snapshots: u64, gaps: u64, revoked_keys: usize },
    Log { from: u64, entries: u64, archived: u64, witnesses: Vec<WitnessSaid> },
}

fn summarize(output: &Output, target: &Trusted, more: More, sentence: &str) {
    let head = target.head();
    if output.json {
        let summary = Summary {
            origin: target.origin(),
            size: head.size.get(),
            root: head.root.to_base64(),
            cosigned: target.time(),
            findings: output.findings,
            more,
        };
        output.object(&summary);
        return;
    }
    let cosigned = target.time().map_or_else(|| "by no witness".to_owned(), time);
    output.line(&format!(
        "{}: {} entries, root {}, cosigned {cosigned}.",
        target.origin(),
        head.size,
        head.root.to_base64()
    ));
    output.line(sentence);
    output.line(&match output.findings {
        0 => "Nothing is wrong.".to_owned(),
        1 => "1 finding.".to_owned(),
        many => format!("{many} findings."),
    });
}

struct RegistryPrinter {
    output: Output,
    enrolments: u64,
    revocations: u64,
    snapshots: u64,
    gaps: u64,
}

impl Listener for RegistryPrinter {
    type Error = WalkError;

    fn fact(&mut self, fact: &Fact) -> Result<(), WalkError> {
        match fact.event {
            Event::Enrol { .. } => self.enrolments += 1,
            Event::Revoke { .. } => self.revocations += 1,
            Event::Registry { .. } => self.snapshots += 1,
        }
        if self.output.json {
            self.output.object(fact);
            return Ok(());
        }
        let said = match &fact.event {
            Event::Enrol { key, id, model, agency, valid_until, .. } => {
                format!(
                    "enrol     {key}  {id}  {agency}  {model}  until {}",
                    time(UnixSeconds::new(valid_until / 1000))
                )
            }
            Event::Revoke { key, effective_from, reason } => {
                format!("revoke    {key}  {reason}  from {}", time(UnixSeconds::new(effective_from / 1000)))
            }
            Event::Registry { revoked, .. } => format!("registry  {revoked} revoked"),
        };
        let sealed = time(UnixSeconds::new(fact.sealed));
        self.output.line(&format!("{sealed}  {:>9}  {said}  by {}", fact.index, fact.registrar));
        Ok(())
    }

    fn finding(&mut self, finding: Finding) -> Result<(), WalkError> {
        self.output.finding(&finding);
        Ok(())
    }

    fn gap(&mut self, gap: Gap) -> Result<(), WalkError> {
        self.gaps += 1;
        if self.output.json {
            #[derive(Serialize)]
            struct Line {
                without_snapshot: Gap,
            }
            self.output.object(&Line { without_snapshot: gap });
        } else {
            let (from, until) = (time(UnixSeconds::new(gap.from)), time(UnixSeconds::new(gap.until)));
            self.output.line(&format!("No snapshot of the registry from {from} to {until}."));
        }
        Ok(())
    }
}

impl Registry {
    fn run(self) -> anyhow::Result<u8> {
        let (log, trust) = self.source.open()?;
        let output = Output::new(self.source.json);
        let mut printer = RegistryPrinter { output, enrolments: 0, revocations: 0, snapshots: 0, gaps: 0 };
        let target = published(&log, &trust)?;
        let seen = match self.pins.store() {
            Some(pins) => seen_before(&pins, &trust)?,
            None => Vec::new(),
        };
        let expected = seen.iter().filter_map(|pin| expectation(&trust, &target, pin)).collect();
        let mut audit = RegistryAudit::new(&log, &trust, &mut printer);
        walk(&log, &trust, &target, Start::default(), expected, &mut audit)?;
        let revoked_keys = audit.finish()?.len();
        let RegistryPrinter { output, enrolments, revocations, snapshots, gaps } = printer;
        let sentence = format!(
            "{enrolments} enrolments, {revocations} revocations of {revoked_keys} keys, {snapshots} snapshots, {gaps} times without a snapshot for more than a day."
        );
        let more = More::Registry { enrolments, revocations, snapshots, gaps, revoked_keys };
        summarize(&output, &target, more, &sentence);
        Ok(output.exit_code())
    }
}

impl Log {
    fn run(self) -> anyhow::Result<u8> {
        let (log, trust) = self.source.open()?;
        let asking = RootsClient::of_log(self.source.prefix()?)?;
        let pins =
            self.pins.store().context("There is no home folder to remember roots in; give --pins DIR")?;
        let folder = pins.folder().to_owned();
        let mut output = Output::new(self.source.json);
        let target = published(&log, &trust)?;
        let slot = pin_slot(target.checkpoint().log_key());
        let (before, seen) = (pins.read(&slot)?, seen_before(&pins, &trust)?);
        let mut expected: Vec<Expectation> =
            seen.iter().filter_map(|pin| expectation(&trust, &target, pin)).collect();
        let audited = Audited::load(&folder, target.origin(), &trust)?;
        let mut start = Start::default();
        let mut sealed_at = UnixSeconds::new(0);
        if let Some((audited, trusted)) = &audited {
            // Mostly the same as the pin: one thing that is wrong is told once.
            if expected.iter().all(|known| known.head != trusted.head()) {
                expected.push(Expectation::of(trusted, "The checkpoint of the last audit"));
            }
            // A smaller pin, or a chain that does not continue what was read: from the beginning, so that it is found out.
            let reaches = trusted.head().size <= target.head().size
                && expected.iter().all(|known| known.head.size >= trusted.head().size);
            if reaches
                && !self.full
                && let Some(found) = Start::at(&log, &trusted.head(), audited.sealed_at, target.head().size)?
            {
                start = found;
                sealed_at = audited.sealed_at;
            }
        }
        let from = start.size().get();
        let (witnesses, alarm) = witnesses::ask(&asking, &trust, &target);
        if !output.json {
            witnesses.iter().for_each(|witness| output.witness(witness));
        }
        alarm.iter().for_each(|finding| output.finding(finding));
        let mut audit = HistoryAudit::new(sealed_at, |finding: Finding| output.finding(&finding));
        walk(&log, &trust, &target, start, expected, &mut audit)?;
        let (entries, archived, sealed_at) = (audit.entries(), audit.archived(), audit.sealed_at());
        if output.findings == 0 {
            let pin = Pin { origin: target.origin().to_owned(), slot, note: target.note().to_vec() };
            match asking.remember(&pins, &trust, before, pin)? {
                None => Audited::save(&folder, &trust, &target, sealed_at)?,
                // Another program was shown another history meanwhile.
                Some(alarm) => output.finding(&witnesses::finding(&alarm)),
            }
        }
        let sentence =
            format!("{entries} entries from {from} on and {archived} archived checkpoints were checked.");
        summarize(&output, &target, More::Log { from, entries, archived, witnesses }, &sentence);
        Ok(output.exit_code())
    }
}

/// What the pin says about this chain. A pin that is no note, or that the trust file does not know, says nothing.
fn expectation(trust: &TrustFile, target: &Trusted, pin: &[u8]) -> Option<Expectation> {
    let pinned = Trusted::new(trust, pin, None).ok().filter(|pinned| pinned.origin() == target.origin())?;
    Some(Expectation::of(&pinned, "The checkpoint that was seen before"))
}

/// The pins of every key of every log that `trust` names.
fn seen_before(pins: &PinStore, trust: &TrustFile) -> anyhow::Result<Vec<Vec<u8>>> {
    let read = pin_slots(trust).into_iter().map(|slot| pins.read(&slot));
    Ok(read.collect::<Result<Vec<_>, _>>()?.into_iter().flatten().collect())
}

fn time(seconds: UnixSeconds) -> String {
    let stamp = i64::try_from(seconds.get()).ok().and_then(|seconds| Timestamp::from_second(seconds).ok());
    stamp.map_or_else(|| seconds.to_string(), |stamp| stamp.to_string())
}

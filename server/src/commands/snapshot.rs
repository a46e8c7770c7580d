//! `snapshot`: a registrar whose key is not with the service seals a list of all revoked keys.

use std::process::ExitCode;

use anyhow::bail;
use clap::Args;
use evidence::statement::Registry;
use evidence::{KeyDigest, Payload, UnixMillis};
use jianzhen_audit::registry::{Fact, Gap, Listener, RegistryAudit};
use jianzhen_audit::{Code, Finding, HttpLog, Start, WalkError, walk, walk::published};

use super::registrar::{Registrar, now};

#[derive(Debug, Args)]
pub(super) struct Snapshot {
    #[command(flatten)]
    registrar: Registrar,
}

/// What the log says that a registrar must not sign over.
#[derive(Default)]
struct Wrong(Vec<Finding>);

impl Listener for Wrong {
    type Error = WalkError;

    fn fact(&mut self, _: &Fact) -> Result<(), WalkError> {
        Ok(())
    }

    fn finding(&mut self, finding: Finding) -> Result<(), WalkError> {
        self.0.push(finding);
        Ok(())
    }

    fn gap(&mut self, _: Gap) -> Result<(), WalkError> {
        Ok(())
    }
}

impl Snapshot {
    pub(super) fn run(self) -> anyhow::Result<ExitCode> {
        let (as_of, revoked) = self.revoked()?;
        let keys = revoked.len();
        self.registrar.seal(&Payload::Registry(Registry { as_of, revoked }))?;
        println!("revoked keys     {keys}");
        Ok(ExitCode::SUCCESS)
    }

    /// The revoked keys, from the whole verified log: what the service says about them does not count.
    fn revoked(&self) -> anyhow::Result<(UnixMillis, Vec<KeyDigest>)> {
        let trust = self.registrar.trust()?;
        let log = HttpLog::new(self.registrar.server().join("/log").parse()?)?;
        let before = now();
        let target = published(&log, &trust)?;
        let mut wrong = Wrong::default();
        let mut audit = RegistryAudit::new(&log, &trust, &mut wrong);
        walk(&log, &trust, &target, Start::default(), Vec::new(), &mut audit)?;
        let revoked = audit.finish()?;
        // Faulty snapshots are what a new one repairs.
        let repaired =
            |finding: &Finding| matches!(finding.code, Code::SnapshotIncomplete | Code::SnapshotUnexplained);
        if let Some(first) = wrong.0.iter().find(|finding| !repaired(finding)) {
            let place = first.index.or(first.size).unwrap_or_default();
            bail!("The log is not sound at {place}, and nothing was signed. {}", first.sentence);
        }
        // It speaks of what the log had shown to its witnesses.
        Ok((target.time().map_or(before, |time| time.millis().min(before)), revoked))
    }
}

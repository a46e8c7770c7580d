//! `revoke`: a registrar withdraws a key.

use std::process::ExitCode;

use anyhow::Context as _;
use clap::{Args, ValueEnum};
use evidence::statement::{self, RevocationReason};
use evidence::{KeyDigest, Payload, UnixMillis};
use jiff::Timestamp;

use super::registrar::{Registrar, now};

#[derive(Debug, Args)]
pub(super) struct Revoke {
    #[command(flatten)]
    registrar: Registrar,
    /// The digest of the key, as `enrol` prints it: 64 hexadecimal digits
    #[arg(long, value_name = "HEX")]
    key_digest: KeyDigest,
    /// Why
    #[arg(long, value_enum)]
    reason: Reason,
    /// From when on the key must not be believed, for example 2026-11-22T08:00:00+08:00; now, where it is left out. What was sealed
    /// before stays valid
    #[arg(long, value_name = "RFC3339")]
    effective_from: Option<Timestamp>,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Reason {
    Unspecified,
    KeyCompromised,
    DeviceLost,
    OutOfService,
}

impl Revoke {
    pub(super) fn run(self) -> anyhow::Result<ExitCode> {
        let effective_from = match self.effective_from {
            None => now(),
            Some(time) => u64::try_from(time.as_millisecond())
                .ok()
                .and_then(UnixMillis::new)
                .context("The effective time lies before 1970")?,
        };
        let reason = match self.reason {
            Reason::Unspecified => RevocationReason::Unspecified,
            Reason::KeyCompromised => RevocationReason::KeyCompromised,
            Reason::DeviceLost => RevocationReason::DeviceLost,
            Reason::OutOfService => RevocationReason::OutOfService,
        };
        let revoke = statement::Revoke { key: self.key_digest, effective_from, reason };
        self.registrar.seal(&Payload::Revoke(revoke))?;
        Ok(ExitCode::SUCCESS)
    }
}

//! `enrol`: a registrar vouches for a key.

use std::process::ExitCode;

use anyhow::{Context as _, anyhow};
use clap::{Args, ValueEnum};
use evidence::{Payload, PublicKey, UnixMillis, statement};

use super::registrar::{Registrar, now};

const DAY_MS: u64 = 24 * 60 * 60 * 1000;

#[derive(Debug, Args)]
pub(super) struct Enrol {
    #[command(flatten)]
    registrar: Registrar,
    /// The Ed25519 public key: 64 hexadecimal digits, as `jianzhen-recorder init` prints it
    #[arg(long, value_name = "HEX")]
    key: String,
    /// Opaque id of the device or account, 1 to 64 bytes. It is public for a device: no names of persons
    #[arg(long)]
    id: String,
    /// Model of the device, at most 64 bytes
    #[arg(long, default_value = "")]
    model: String,
    /// Agency that uses it, at most 128 bytes
    #[arg(long, default_value = "")]
    agency: String,
    /// What the key may sign: a device recordings and deposits, an account deposits only
    #[arg(long, value_enum, default_value_t = Role::Device)]
    role: Role,
    /// For how many days from now the key may sign
    #[arg(long, value_name = "N", default_value_t = 1095, value_parser = clap::value_parser!(u64).range(1..=36_500))]
    valid_days: u64,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Role {
    Device,
    Account,
}

impl Enrol {
    pub(super) fn run(self) -> anyhow::Result<ExitCode> {
        let bytes =
            hex::decode(&self.key).map_err(|error| anyhow!("The key is not hexadecimal: {error}."))?;
        let key = PublicKey::from_bytes(&bytes).context("The key cannot be enrolled")?;
        let valid_from = now();
        let valid_until = UnixMillis::saturating(valid_from.get().saturating_add(self.valid_days * DAY_MS));
        let enrol = statement::Enrol {
            key,
            id: self.id,
            role: match self.role {
                Role::Device => statement::Role::Device,
                Role::Account => statement::Role::Account,
            },
            model: self.model,
            agency: self.agency,
            valid_from,
            valid_until,
        };
        self.registrar.seal(&Payload::Enrol(enrol))?;
        println!("key digest       {}", evidence::KeyDigest::of(&key));
        Ok(ExitCode::SUCCESS)
    }
}

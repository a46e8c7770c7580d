//! `status`: looks, and changes nothing; it works beside a running recording.

use std::path::PathBuf;

use anyhow::Context;
use client::SavedAlarm;
use evidence::report::AlarmKind;
use serde::Serialize;

use crate::cli::Status;
use crate::commands::Outcome;
use crate::device::{Folder, Profile};
use crate::ledger::Ledger;
use crate::spool::{Spool, Spooled};
use crate::trust;

#[derive(Serialize)]
struct Said {
    #[serde(flatten)]
    profile: Profile,
    trust: Option<String>,
    enrolled: bool,
    next_recording: u64,
    spool: Vec<Waiting>,
    alarms: Vec<Alarm>,
}

#[derive(Serialize)]
struct Alarm {
    kind: AlarmKind,
    ours: PathBuf,
    theirs: PathBuf,
}

#[derive(Serialize)]
struct Waiting {
    id: String,
    file: String,
    signed: u64,
    sealed: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    trouble: Option<String>,
}

pub(super) fn run(args: &Status) -> anyhow::Result<Outcome> {
    let folder = Folder::new(&args.data);
    let said = Said {
        profile: folder.read_profile()?,
        trust: trust::pinned(&folder)?.map(|trust| trust.digest().to_string()),
        enrolled: folder.registry().exists(),
        next_recording: Ledger::open(&folder.ledger())?.next_counter(),
        spool: spooled(&folder)?,
        alarms: alarms(&folder)?,
    };
    // A machine that looks after devices need not read the text.
    let outcome = if said.alarms.is_empty() { Outcome::Done } else { Outcome::Alarm };
    if args.json {
        println!("{}", serde_json::to_string(&said)?);
        return Ok(outcome);
    }
    for alarm in &said.alarms {
        println!(
            "ALARM:      the notary chain has contradicted itself ({}): {} and {} prove it together. Give both to the notary office or a witness.",
            alarm.kind.as_str(),
            alarm.ours.display(),
            alarm.theirs.display()
        );
    }
    let server = said.profile.server.as_ref().map_or("none remembered", |server| server.as_str());
    println!("Device id:  {}", said.profile.device_id);
    println!("Public key: {}", said.profile.public_key);
    println!("Server:     {server}");
    println!("Trust file: {}", said.trust.as_deref().unwrap_or("none pinned"));
    println!("Enrolment:  {}", if said.enrolled { "known" } else { "not known yet" });
    println!("Recordings: {}", said.next_recording - 1);
    for waiting in &said.spool {
        let trouble = waiting.trouble.as_ref().map_or_else(String::new, |trouble| format!(" {trouble}"));
        println!(
            "In the spool: {} ({}): {} of {} statements sealed.{trouble}",
            waiting.file, waiting.id, waiting.sealed, waiting.signed
        );
    }
    Ok(outcome)
}

fn alarms(folder: &Folder) -> anyhow::Result<Vec<Alarm>> {
    let saved = client::saved_alarms(&folder.alarms())?.into_iter();
    Ok(saved.map(|SavedAlarm { kind, ours, theirs }| Alarm { kind, ours, theirs }).collect())
}

fn spooled(folder: &Folder) -> anyhow::Result<Vec<Waiting>> {
    if !folder.spool().is_dir() {
        return Ok(Vec::new());
    }
    let spool = Spool::look(folder.spool());
    let mut waiting = Vec::new();
    for id in spool.ids().context("The spool cannot be listed.")? {
        waiting.push(match Spooled::peek(&spool.path(&id)) {
            Ok((about, counts)) => Waiting {
                id,
                file: about.file.display().to_string(),
                signed: counts.signed,
                sealed: counts.sealed,
                trouble: None,
            },
            Err(error) => {
                Waiting { id, file: String::new(), signed: 0, sealed: 0, trouble: Some(error.to_string()) }
            }
        });
    }
    Ok(waiting)
}

//! `init`: makes the device's key.

use crate::cli::Init;
use crate::commands::Outcome;
use crate::device::{Device, Folder};
use crate::trust;

pub(super) fn run(args: &Init) -> anyhow::Result<Outcome> {
    // Read first: a key must not be made for a run that then fails.
    let trust = args.trust.as_deref().map(trust::read).transpose()?;
    let profile = Device::init(&args.data, &args.device_id, args.server.clone())?;
    if let Some(trust) = trust {
        trust::pin(&Folder::new(&args.data), &trust)?;
    }
    if args.json {
        println!("{}", serde_json::to_string(&profile)?);
    } else {
        println!("Device id:  {}", profile.device_id);
        println!("Public key: {}", profile.public_key);
        println!("Key digest: {}", profile.key_digest);
        println!(
            "Have this public key enrolled by a registrar; the secret key stays in {}.",
            args.data.display()
        );
    }
    Ok(Outcome::Done)
}

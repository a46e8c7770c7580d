//! The command line.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, Subcommand};
use client::ServerUrl;

use crate::session::Connection;

/// Records, signs and seals video: each fragment is signed as it is read, spooled durably, and sent to the verification
/// service; receipts are verified before anything leaves the spool.
#[derive(Debug, Parser)]
#[command(name = "jianzhen-recorder", version, after_help = EXIT_CODES)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

const EXIT_CODES: &str = "\
Exit codes: 0 done; 1 failed; 64 usage; 75 recorded and safe in the spool, but not everything is sealed yet (run `flush`);
76 the notary chain has contradicted itself: `status` names the proof. What is not sealed is safe in the spool.

A real recorder: ffmpeg … -movflags frag_keyframe+empty_moov+default_base_moof -f mp4 - | jianzhen-recorder record --input - …";

/// The subcommands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Make the device's key and print its public half, to be enrolled by a registrar.
    Init(Init),
    /// Record a live fragmented MP4 stream or file, sealing it while it is read.
    Record(Record),
    /// Seal a finished file of any kind, whole.
    Deposit(Deposit),
    /// Send what earlier runs left in the spool, and write the evidence files.
    Flush(Flush),
    /// Say what the device knows and what waits in its spool. Changes nothing.
    Status(Status),
}

/// `init`
#[derive(Debug, Args)]
pub struct Init {
    /// The device's folder; it is created.
    #[arg(long, value_name = "DIR")]
    pub data: PathBuf,
    /// The opaque id under which the device will be enrolled, 1 to 64 bytes.
    #[arg(long, value_name = "ID")]
    pub device_id: String,
    /// The service that the device will report to.
    #[arg(long, value_name = "URL")]
    pub server: Option<ServerUrl>,
    /// A trust file to pin.
    #[arg(long, value_name = "FILE")]
    pub trust: Option<PathBuf>,
    /// Print one JSON object.
    #[arg(long)]
    pub json: bool,
}

/// What every command that talks to the service takes.
#[derive(Debug, Args)]
pub struct Online {
    /// The device's folder.
    #[arg(long, value_name = "DIR")]
    pub data: PathBuf,
    /// The verification service: https, or http to this machine itself. Remembered at first use.
    #[arg(long, value_name = "URL")]
    pub server: Option<ServerUrl>,
    /// The trust file that receipts are verified against; without it, the pinned one.
    #[arg(long, value_name = "FILE")]
    pub trust: Option<PathBuf>,
    /// Keep the trust file for later runs: the one given, else the one that the server hands out. Compare its digest with
    /// the operator's.
    #[arg(long)]
    pub pin: bool,
    /// Give up waiting for receipts when nothing has moved for this long.
    #[arg(long, value_name = "SECONDS", default_value_t = 10)]
    pub wait: u32,
}

impl Online {
    /// Service and trust.
    #[must_use]
    pub fn connection(&self) -> Connection {
        Connection {
            data: self.data.clone(),
            server: self.server.clone(),
            trust: self.trust.clone(),
            pin: self.pin,
        }
    }

    /// How long to wait without progress.
    #[must_use]
    pub fn patience(&self) -> Duration {
        Duration::from_secs(u64::from(self.wait))
    }
}

/// `record`
#[derive(Debug, Args)]
pub struct Record {
    /// Folder, service, trust.
    #[command(flatten)]
    pub online: Online,
    /// Fragmented MP4: a file, or `-` for standard input.
    #[arg(long, value_name = "FILE|-")]
    pub input: PathBuf,
    /// The video file to write; it must not exist. The evidence file is written beside it as FILE.evidence.
    #[arg(long, value_name = "FILE")]
    pub output: PathBuf,
    /// A GPX track; its first point stands for the first picture.
    #[arg(long, value_name = "FILE")]
    pub gpx: Option<PathBuf>,
    /// Replay a file as a camera would deliver it, at the speed of its media.
    #[arg(long)]
    pub realtime: bool,
}

/// `deposit`
#[derive(Debug, Args)]
pub struct Deposit {
    /// The file to seal.
    pub file: PathBuf,
    /// Folder, service, trust.
    #[command(flatten)]
    pub online: Online,
    /// Media type; by default told from the file's name.
    #[arg(long, value_name = "TYPE/SUBTYPE")]
    pub media_type: Option<String>,
    /// Where the evidence file goes; by default FILE.evidence.
    #[arg(long, value_name = "FILE")]
    pub output_evidence: Option<PathBuf>,
}

/// `flush`
#[derive(Debug, Args)]
pub struct Flush {
    /// Folder, service, trust.
    #[command(flatten)]
    pub online: Online,
}

/// `status`
#[derive(Debug, Args)]
pub struct Status {
    /// The device's folder.
    #[arg(long, value_name = "DIR")]
    pub data: PathBuf,
    /// Print one JSON object.
    #[arg(long)]
    pub json: bool,
}

//! The command line.

use std::path::PathBuf;

use clap::{Parser, ValueEnum};
use client::ServerUrl;

const AFTER_HELP: &str = "\
Exit codes: 0 consistent or excerpt; 1 inconsistent; 2 evidence-invalid; 3 not-deposited; 4 not-completed; 64 usage.
With several files, the most serious of them in the order 1, 2, 4, 3, 0.

Without --evidence and --server, FILE.evidence is used if it lies beside FILE. The file itself never leaves this machine;
with --server, digests that reveal nothing about it are looked up. With both, the evidence is the one given, and the server
and the witnesses that the trust file names are asked for their chain roots.

The largest chain root seen is remembered in a file for each chain, and a later run demands that the chain continues it. If it does
not, an alarm is shown before everything else (with --json on standard error), and both signed notes are saved. An alarm that
proves something makes the evidence invalid; a warning changes neither verdict nor exit code.

A receipt (--receipts) is a C2SP tlog-proof: it shows with the trust file alone that the chain holds one statement. The chain
page checks it, and so do programs that are not ours.";

/// Verifies recordings and deposited files against the notary chain.
#[derive(Debug, Parser)]
#[command(name = "jianzhen-verify", version, after_help = AFTER_HELP)]
pub struct Cli {
    /// The files to verify.
    #[arg(required_unless_present = "pin", value_name = "FILE")]
    pub files: Vec<PathBuf>,
    /// An evidence file; may be given several times.
    #[arg(long, value_name = "FILE")]
    pub evidence: Vec<PathBuf>,
    /// The verification service to look evidence up at: https, or http to this machine itself.
    #[arg(long, value_name = "URL")]
    pub server: Option<ServerUrl>,
    /// The trust file: whom to believe. Without it, the pinned one.
    #[arg(long, value_name = "FILE")]
    pub trust: Option<PathBuf>,
    /// Keep the trust file for later runs: the one given, else the one that the server hands out. Compare its digest with
    /// the one that the operator publishes.
    #[arg(long)]
    pub pin: bool,
    /// Where chain roots are remembered; by default jianzhen/pins in the user's state folder (XDG_STATE_HOME).
    #[arg(long, value_name = "DIR", env = "JIANZHEN_PINS")]
    pub pins: Option<PathBuf>,
    /// Neither use nor change what is remembered of chain roots.
    #[arg(long)]
    pub no_pins: bool,
    /// Where the signed notes behind an alarm are saved; by default beside the remembered chain roots.
    #[arg(long, value_name = "DIR")]
    pub save_roots: Option<PathBuf>,
    /// Write every receipt of the evidence that the verdict is about as DIR/NAME.SEQUENCE.tlog-proof. What is there already is not
    /// touched.
    #[arg(long, value_name = "DIR")]
    pub receipts: Option<PathBuf>,
    /// Print the report as JSON, one object a line and file.
    #[arg(long)]
    pub json: bool,
    /// Language of the sentences; by default that of the environment.
    #[arg(long, value_name = "LANG")]
    pub lang: Option<Lang>,
}

/// A language of the product.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Lang {
    /// 中文
    Zh,
    /// English
    En,
}

impl Lang {
    /// The language that the locale variables ask for, in the order of POSIX.
    #[must_use]
    pub fn of_environment(variable: impl Fn(&str) -> Option<String>) -> Self {
        let locale = ["LC_ALL", "LC_MESSAGES", "LANG"]
            .into_iter()
            .find_map(|name| variable(name).filter(|value| !value.is_empty()));
        if locale.is_some_and(|locale| locale.to_ascii_lowercase().starts_with("zh")) {
            Self::Zh
        } else {
            Self::En
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_locale_variable_that_is_set_decides() {
        let of = |pairs: &[(&str, &str)]| {
            Lang::of_environment(|name| {
                pairs.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned())
            })
        };
        assert_eq!(of(&[]), Lang::En);
        assert_eq!(of(&[("LANG", "zh_CN.UTF-8")]), Lang::Zh);
        assert_eq!(of(&[("LC_ALL", ""), ("LANG", "zh_CN.UTF-8")]), Lang::Zh);
        assert_eq!(of(&[("LC_ALL", "C.UTF-8"), ("LANG", "zh_CN.UTF-8")]), Lang::En);
    }

    #[test]
    fn a_file_is_needed_unless_trust_is_only_to_be_pinned() {
        assert!(Cli::try_parse_from(["jianzhen-verify"]).is_err());
        assert!(Cli::try_parse_from(["jianzhen-verify", "--pin", "--trust", "t.json"]).is_ok());
        assert!(
            Cli::try_parse_from(["jianzhen-verify", "v.mp4", "--server", "http://notary.example"]).is_err()
        );
    }
}

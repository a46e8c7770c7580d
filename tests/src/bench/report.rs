//! The section of `docs/benchmarks.md`.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result};

use super::{Measured, Options};

/// Between these lines the section stands; the rest of the file is written by people.
const BEGIN: &str = "<!-- receipts: begin -->";
const END: &str = "<!-- receipts: end -->";

/// On what it was measured.
pub(super) struct Machine {
    processor: String,
    memory_gib: u64,
    system: String,
    file_system: String,
    rustc: String,
}

impl Machine {
    /// The machine that this runs on; data lies on the file system of `data`.
    pub(super) fn this(data: &Path) -> Result<Self> {
        let processors = std::fs::read_to_string("/proc/cpuinfo")?;
        let model = processors
            .lines()
            .find_map(|line| line.strip_prefix("model name")?.split_once(':'))
            .map_or("unknown processor", |(_, model)| model.trim());
        let memory = std::fs::read_to_string("/proc/meminfo")?;
        let kib = memory
            .lines()
            .find_map(|line| line.strip_prefix("MemTotal:")?.trim().strip_suffix(" kB"))
            .and_then(|kib| kib.trim().parse::<u64>().ok())
            .unwrap_or_default();
        let cores = std::thread::available_parallelism()?;
        Ok(Self {
            processor: format!("{cores} × {model}"),
            memory_gib: (kib + (1 << 19)) >> 20,
            system: said("uname", &["-sr"])?,
            file_system: said("stat", &["--file-system", "--format=%T", crate::stack::utf8(data)])?,
            rustc: said("rustc", &["--version"])?,
        })
    }
}

fn said(program: &str, arguments: &[&str]) -> Result<String> {
    let output = Command::new(program).args(arguments).output().with_context(|| format!("no `{program}`"))?;
    Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

pub(super) fn section(options: Options, measured: &Measured, command: &str, machine: &Machine) -> String {
    let version = env!("CARGO_PKG_VERSION");
    let Machine { processor, memory_gib, system, file_system, rustc } = machine;
    let Options { rate, seconds, warm_up, devices } = options;
    let row = |what: &str, value: String| format!("| {what} | {value} |\n");
    let mut text = format!("`{command}`\n\n| | |\n| --- | --- |\n");
    text += &row(
        "load",
        format!(
            "{rate} statements/s for {seconds} s (after {warm_up} s that are not counted), one a request"
        ),
    );
    text += &row("from", format!("{devices} devices"));
    text += &row("achieved", format!("{:.0} verified receipts/s", measured.achieved()));
    text += &row("receipts", measured.latencies.len().to_string());
    text += &row("put off and handed in again", measured.put_off.to_string());
    text += &row("p50", millis(measured.per_mille(500)));
    text += &row("p90", millis(measured.per_mille(900)));
    text += &row("p99", millis(measured.per_mille(990)));
    text += &row("p99.9", millis(measured.per_mille(999)));
    text += &row("max", millis(measured.per_mille(1000)));
    text += &row("witnesses", "3, quorum 2, one of them mirrors the chain; on the same machine".to_owned());
    text += &row("machine", format!("{processor}, {memory_gib} GiB, {system}, {file_system}"));
    text += &row("versions", format!("Jianzhen {version}, {rustc}"));
    text
}

fn millis(time: Duration) -> String {
    format!("{} ms", time.as_millis())
}

/// Puts `section` between the marks in the file at `path`.
pub fn write_section(path: &Path, section: &str) -> Result<()> {
    let text = std::fs::read_to_string(path).with_context(|| format!("{} cannot be read", path.display()))?;
    let replaced = replaced(&text, section).with_context(|| {
        format!("{} has no place for the figures between {BEGIN} and {END}", path.display())
    })?;
    std::fs::write(path, replaced).with_context(|| format!("{} cannot be written", path.display()))
}

fn replaced(text: &str, section: &str) -> Option<String> {
    let (before, rest) = text.split_once(BEGIN)?;
    let (_, after) = rest.split_once(END)?;
    Some(format!("{before}{BEGIN}\n\n{section}\n{END}{after}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_between_the_marks_is_replaced() {
        let text = format!("# Title\n\n{BEGIN}\nold\n{END}\n\nmore\n");
        let once = replaced(&text, "| new |\n").unwrap();
        assert_eq!(once, format!("# Title\n\n{BEGIN}\n\n| new |\n\n{END}\n\nmore\n"));
        assert_eq!(replaced(&once, "| new |\n").unwrap(), once);
        assert!(replaced("# Title\n", "new").is_none());
    }

    #[test]
    fn shares_of_the_receipts_are_counted_from_the_smallest() {
        let latencies = (1..=1000).map(Duration::from_millis).collect();
        let measured = Measured { latencies, elapsed: Duration::from_secs(2), put_off: 0, entries: 0 };
        assert_eq!(measured.per_mille(500), Duration::from_millis(500));
        assert_eq!(measured.per_mille(990), Duration::from_millis(990));
        assert_eq!(measured.per_mille(1000), Duration::from_secs(1));
        assert!((measured.achieved() - 500.0).abs() < 1e-9);
    }
}

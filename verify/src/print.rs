//! A report as sentences.

use std::fmt::Write as _;
use std::path::Path;

use client::printable;
use evidence::report::{FindingName, Mismatch, RootsAlarm, SignedRoot, State, Subject, SubjectKind};
use evidence::{Report, UnixMillis, Verdict};
use jiff::Timestamp;
use jiff::tz::{Offset, TimeZone};

use crate::run::Raised;
use crate::text::Text;

/// Mismatches shown; the JSON report has more.
const SHOWN_MISMATCHES: usize = 20;

/// 北京时间, which has no daylight saving.
const BEIJING_HOURS: i8 = 8;

/// Everything about one file, for a terminal.
#[must_use]
pub fn report(name: &str, report: &Report, server: Option<&str>, text: &Text) -> String {
    let mut out = String::new();
    // Writing to a string cannot fail.
    let _ = write(&mut out, name, report, server, text);
    out
}

/// The line that names the evidence file that was found beside the file.
#[must_use]
pub fn evidence_beside(path: &Path, text: &Text) -> String {
    let path = printable(&path.display().to_string());
    text.fill("label", "evidence-beside", &[("path", &path)]) + "\n"
}

/// An alarm about the chain, to be shown before everything else.
#[must_use]
pub fn alarm(raised: &Raised, text: &Text) -> String {
    let RootsAlarm { kind, ours, theirs } = &raised.alarm;
    let mut lines = vec![
        text.get("alarm", kind.as_str()).to_owned(),
        text.get("alarm-meaning", kind.as_str()).to_owned(),
        signed_root(ours, text),
        signed_root(theirs, text),
    ];
    let path = |path: &Path| printable(&path.display().to_string());
    let not_saved = |reason: &str| text.fill("label", "alarm-not-saved", &[("reason", reason)]);
    lines.push(match &raised.saved {
        Some(Ok(saved)) => {
            let values = [("ours", &*path(&saved.ours)), ("theirs", &*path(&saved.theirs))];
            text.fill("label", "alarm-saved", &values)
        }
        Some(Err(error)) => not_saved(&printable(&client::sentences(error))),
        None => not_saved(text.get("label", "alarm-where")),
    });
    let lines: String = lines.into_iter().map(|line| format!("!!! {line}\n")).collect();
    lines + "\n"
}

fn signed_root(root: &SignedRoot, text: &Text) -> String {
    let name = printable(root.name.as_deref().unwrap_or_default());
    let source = text.fill("source", root.source.as_str(), &[("name", &name)]);
    text.fill("label", "alarm-root", &[("size", &root.size.to_string()), ("source", &source)])
}

fn write(
    out: &mut String,
    name: &str,
    report: &Report,
    server: Option<&str>,
    text: &Text,
) -> std::fmt::Result {
    let verdict = report.verdict.as_str();
    writeln!(out, "{}", printable(name))?;
    writeln!(out, "  {} ({verdict})", text.get("verdict", verdict))?;
    writeln!(out, "  {}", meaning(report, server, text))?;
    if let Some(subject) = &report.subject {
        write_subject(out, subject, text)?;
    }
    if let Some(excerpt) = &report.excerpt {
        let number = |segment: u64| (segment + 1).to_string();
        let of = excerpt.of.map_or_else(|| "?".to_owned(), |of| of.to_string());
        let values = [
            ("first", &*number(excerpt.first_segment)),
            ("last", &*number(excerpt.last_segment)),
            ("of", &*of),
        ];
        let unfinished = if excerpt.complete { "" } else { text.get("label", "unfinished") };
        writeln!(out, "  {}{unfinished}", text.fill("label", "excerpt", &values))?;
    }
    if let Some(sha256) = report.file.sha256 {
        writeln!(out, "  SHA-256: {sha256}")?;
    }
    write_mismatches(out, report, text)?;
    if report.verdict != Verdict::NotCompleted && report.verdict != Verdict::NotDeposited {
        write_findings(out, report, text)?;
        write_witnesses(out, report, text)?;
        write_chain(out, report, text)?;
        write_limits(out, text)?;
    }
    Ok(())
}

fn meaning(report: &Report, server: Option<&str>, text: &Text) -> String {
    let is_deposit = report.subject.as_ref().is_some_and(|subject| subject.kind == SubjectKind::Deposit);
    match (report.verdict, report.reason) {
        (Verdict::NotCompleted, Some(code)) => text.get("error", code.as_str()).to_owned(),
        (Verdict::Consistent, _) if is_deposit => text.get("meaning", "consistent-deposit").to_owned(),
        (Verdict::Inconsistent, _) if is_deposit => text.get("meaning", "inconsistent-deposit").to_owned(),
        (verdict, _) => text.fill("meaning", verdict.as_str(), &[("server", server.unwrap_or("?"))]),
    }
}

fn write_subject(out: &mut String, subject: &Subject, text: &Text) -> std::fmt::Result {
    let label = |word| text.get("label", word);
    let zone = label("zone");
    let counts =
        [("segments", &*subject.segments.to_string()), ("length", &*subject.total_length.to_string())];
    writeln!(
        out,
        "  {}: {}, {}",
        label(subject.kind.as_str()),
        subject.id,
        text.fill("label", "segments", &counts)
    )?;
    match &subject.signer {
        Some(signer) => writeln!(
            out,
            "  {}: {} {} {}",
            label("signer"),
            printable(&signer.id),
            printable(&signer.model),
            printable(&signer.agency)
        )?,
        None => writeln!(out, "  {}: {} {}", label("signer"), label("key"), subject.key)?,
    }
    let times =
        [("captured", subject.capture_begin, subject.capture_end), ("deposited", subject.deposited_at, None)];
    for (word, from, to) in times {
        if let Some(from) = from {
            let to = to.map_or_else(String::new, |to| format!("{}{}", label("to"), beijing(to)));
            writeln!(out, "  {}: {}{to} {zone}, {}", label(word), beijing(from), label("device-clock"))?;
        }
    }
    if let (Some(first), Some(last)) = (subject.sealed_first, subject.sealed_last) {
        let (first, last) = (beijing(first.millis()), beijing(last.millis()));
        let word = label("operator-word");
        writeln!(out, "  {}: {first}{}{last} {zone}, {word}", label("sealed"), label("to"))?;
    }
    Ok(())
}

fn write_mismatches(out: &mut String, report: &Report, text: &Text) -> std::fmt::Result {
    if report.mismatches.is_empty() {
        return Ok(());
    }
    let count = report.mismatch_count.to_string();
    writeln!(out, "  {}:", text.fill("label", "mismatches", &[("count", &count)]))?;
    for mismatch in report.mismatches.iter().take(SHOWN_MISMATCHES) {
        writeln!(out, "    - {}", describe(mismatch, text))?;
    }
    if report.mismatch_count > SHOWN_MISMATCHES as u64 {
        writeln!(out, "    {}", text.get("label", "more"))?;
    }
    Ok(())
}

fn describe(mismatch: &Mismatch, text: &Text) -> String {
    let mut parts = Vec::new();
    if let Some(segment) = mismatch.segment {
        parts.push(text.fill("label", "segment", &[("segment", &(segment + 1).to_string())]));
    }
    if let (Some(from), Some(to)) = (mismatch.from_ms, mismatch.to_ms) {
        parts.push(text.fill("label", "time", &[("from", &clock(from)), ("to", &clock(to))]));
    }
    let end = mismatch.offset.saturating_add(mismatch.length).saturating_sub(1);
    parts.push(text.fill(
        "label",
        "bytes",
        &[("from", &mismatch.offset.to_string()), ("to", &end.to_string())],
    ));
    parts.push(text.get("mismatch", mismatch.kind.as_str()).to_owned());
    parts.join(text.get("label", "and"))
}

fn write_findings(out: &mut String, report: &Report, text: &Text) -> std::fmt::Result {
    writeln!(out, "  {}:", text.get("label", "findings"))?;
    for name in FindingName::ALL {
        let Some(finding) = report.finding(*name) else { continue };
        let mark = match finding.state {
            State::Proven => "+",
            State::Failed => "x",
            State::NotChecked => "-",
        };
        let values = [
            ("mark", mark),
            ("title", text.get("finding", name.as_str())),
            ("state", text.get("state", finding.state.as_str())),
            ("reason", text.get("reason", finding.reason.as_str())),
        ];
        writeln!(out, "    {}", text.fill("label", "finding", &values))?;
    }
    Ok(())
}

fn write_witnesses(out: &mut String, report: &Report, text: &Text) -> std::fmt::Result {
    let asked = report.roots.iter().flat_map(|roots| &roots.witnesses);
    let said: Vec<String> = asked
        .map(|witness| {
            let state = text.get("witness-state", witness.state.as_str());
            text.fill("label", "witness", &[("name", &printable(&witness.name)), ("state", state)])
        })
        .collect();
    if said.is_empty() {
        return Ok(());
    }
    writeln!(out, "  {}: {}", text.get("label", "witnesses"), said.join(text.get("label", "and")))
}

fn write_chain(out: &mut String, report: &Report, text: &Text) -> std::fmt::Result {
    if let Some(chain) = &report.chain {
        let entry = [("index", &*chain.index.to_string()), ("size", &*chain.size.to_string())];
        let entry = text.fill("label", "entry", &entry);
        writeln!(
            out,
            "  {}: {}, {entry}, {}",
            text.get("label", "chain"),
            printable(&chain.origin),
            chain.root
        )?;
    }
    if let (Some(digest), Some(operator)) = (report.trust.digest, &report.trust.operator) {
        writeln!(out, "  {}: {}, {digest}", text.get("label", "trust"), printable(operator))?;
    }
    Ok(())
}

fn write_limits(out: &mut String, text: &Text) -> std::fmt::Result {
    writeln!(out, "  {}:", text.get("limits", "title"))?;
    for limit in ["scene", "outside", "hands", "code", "withheld", "collusion"] {
        writeln!(out, "    {}", text.get("limits", limit))?;
    }
    Ok(())
}

/// An instant in 北京时间, to the second.
fn beijing(time: UnixMillis) -> String {
    let zone = TimeZone::fixed(Offset::constant(BEIJING_HOURS));
    let instant = i64::try_from(time.get()).ok().and_then(|millis| Timestamp::from_millisecond(millis).ok());
    // Beyond the year 9999 a device's clock says nothing worth formatting.
    instant.map_or_else(
        || format!("{time} ms"),
        |instant| instant.to_zoned(zone).strftime("%Y-%m-%d %H:%M:%S").to_string(),
    )
}

/// A time of the recording: minutes, seconds, milliseconds.
fn clock(ms: u64) -> String {
    format!("{:02}:{:02}.{:03}", ms / 60_000, ms / 1000 % 60, ms % 1000)
}

#[cfg(test)]
mod tests {
    use evidence::report::{ErrorCode, FileFacts, TrustFacts};

    use super::*;
    use crate::cli::Lang;

    #[test]
    fn times_are_those_of_beijing_and_hostile_ones_are_not_fatal() {
        assert_eq!(beijing(UnixMillis::saturating(1_790_000_000_000)), "2026-09-21 22:13:20");
        assert_eq!(beijing(UnixMillis::saturating(u64::MAX)), format!("{} ms", (1_u64 << 53) - 1));
        assert_eq!(clock(61_005), "01:01.005");
    }

    #[test]
    fn a_hostile_name_cannot_repaint_the_verdict() {
        let facts = FileFacts { length: 0, sha256: None };
        let nothing = Report::not_completed(facts, ErrorCode::EmptyFile, TrustFacts::default());
        for lang in [Lang::Zh, Lang::En] {
            let said = report("a\u{1b}[2J\nconsistent", &nothing, None, &Text::of(lang));
            assert!(!said.contains('\u{1b}'));
            assert_eq!(said.lines().count(), 3, "{said}");
            assert!(said.contains("not-completed"));
        }
    }
}

//! What to say when chain roots do not fit together.

use protocol::report::{AlarmKind, RootSource, RootsAlarm, SignedRoot};

use super::{Words, fill};
use crate::format;
use crate::i18n::t_string;

/// An alarm in words.
#[derive(Clone, Copy)]
pub(crate) struct AlarmWords {
    /// In one line.
    pub(crate) title: &'static str,
    /// What happened.
    pub(crate) what: &'static str,
    /// What it means for a verdict.
    pub(crate) means: &'static str,
    /// What to do.
    pub(crate) next: &'static str,
}

/// A match that gives each kind the four texts of its key.
macro_rules! words {
    ($i18n:ident, $kind:ident, { $($variant:ident => $key:ident,)+ }) => {
        match $kind {
            $(AlarmKind::$variant => AlarmWords {
                title: t_string!($i18n, alarm.$key.title),
                what: t_string!($i18n, alarm.$key.what),
                means: t_string!($i18n, alarm.$key.means),
                next: t_string!($i18n, alarm.$key.next),
            },)+
        }
    };
}

/// The words for an alarm.
pub(crate) fn of(i18n: Words, kind: AlarmKind) -> AlarmWords {
    words!(i18n, kind, {
        Forked => forked,
        Shrunk => shrunk,
        Stale => stale,
        Unconnected => unconnected,
    })
}

/// Where a root comes from.
pub(crate) fn source(i18n: Words, root: &SignedRoot) -> String {
    match root.source {
        RootSource::Anchor => t_string!(i18n, alarm.source.anchor).to_owned(),
        RootSource::Pin => t_string!(i18n, alarm.source.pin).to_owned(),
        RootSource::Published => t_string!(i18n, alarm.source.published).to_owned(),
        RootSource::Witness => {
            let name = root.name.clone().unwrap_or_default();
            fill(t_string!(i18n, alarm.source.witness), &[("name", &name)])
        }
    }
}

/// A root with its source and size.
pub(crate) fn root(i18n: Words, root: &SignedRoot) -> String {
    let (source, size) = (source(i18n, root), format::grouped(root.size));
    fill(t_string!(i18n, alarm.root), &[("source", &source), ("size", &size)])
}

/// The file that proves it: what happened, and both signed notes letter by letter.
pub(crate) fn file(i18n: Words, alarm: &RootsAlarm, address: &str, at: u64) -> String {
    let words = of(i18n, alarm.kind);
    let time = super::time(i18n, at);
    let mut lines = vec![
        words.title.to_owned(),
        words.what.to_owned(),
        String::new(),
        fill(t_string!(i18n, alarm.file.saved), &[("time", &time)]),
        fill(t_string!(i18n, alarm.file.page), &[("address", &address)]),
        t_string!(i18n, alarm.file.note).to_owned(),
    ];
    for (number, root) in [(1, &alarm.ours), (2, &alarm.theirs)] {
        let begin = t_string!(i18n, alarm.file.begin);
        lines.push(String::new());
        lines.push(fill(begin, &[("number", &number), ("source", &source(i18n, root))]));
        lines.push(root.note.trim_end_matches('\n').to_owned());
    }
    lines.push(String::new());
    lines.push(t_string!(i18n, alarm.file.end).to_owned());
    lines.join("\n") + "\n"
}

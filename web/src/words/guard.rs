//! Who guards a chain, in words.

use protocol::chain::{Guard, Rule};

use super::{Words, fill};
use crate::i18n::t_string;

/// Whose cosignatures a root needs.
pub(crate) fn quorum(i18n: Words, guard: &Guard) -> String {
    match &guard.quorum {
        None => t_string!(i18n, guard.none).to_owned(),
        Some(Rule::Witness(name)) => fill(t_string!(i18n, guard.one), &[("name", name)]),
        Some(rule @ Rule::Group { threshold, members }) => match plain(members) {
            Some(names) => {
                let count = members.len();
                let is_all = usize::try_from(*threshold).is_ok_and(|threshold| threshold == count);
                let sentence = if is_all { t_string!(i18n, guard.all) } else { t_string!(i18n, guard.some) };
                let names = names.join(t_string!(i18n, guard.separator));
                fill(sentence, &[("names", &names), ("count", &count), ("threshold", threshold)])
            }
            None => fill(t_string!(i18n, guard.nested), &[("rule", &nested(i18n, rule))]),
        },
    }
}

/// When a policy holds; nothing where it always does.
pub(crate) fn window(i18n: Words, guard: &Guard) -> Option<String> {
    let time = |seconds: u64| super::time(i18n, seconds.saturating_mul(1000));
    let period = match (guard.from, guard.until) {
        (None, None) => return None,
        (Some(from), None) => fill(t_string!(i18n, guard.from), &[("time", &time(from))]),
        (None, Some(until)) => fill(t_string!(i18n, guard.until), &[("time", &time(until))]),
        (Some(from), Some(until)) => {
            fill(t_string!(i18n, guard.between), &[("from", &time(from)), ("until", &time(until))])
        }
    };
    Some(fill(t_string!(i18n, guard.window), &[("period", &period)]))
}

/// The names of members that are all witnesses.
pub(crate) fn plain(members: &[Rule]) -> Option<Vec<&str>> {
    members.iter().map(witness).collect()
}

fn witness(rule: &Rule) -> Option<&str> {
    if let Rule::Witness(name) = rule { Some(name) } else { None }
}

fn nested(i18n: Words, rule: &Rule) -> String {
    match rule {
        Rule::Witness(name) => name.clone(),
        Rule::Group { threshold, members } => {
            let members: Vec<String> = members.iter().map(|member| nested(i18n, member)).collect();
            let members = members.join(t_string!(i18n, guard.separator));
            fill(t_string!(i18n, guard.rule), &[("threshold", threshold), ("members", &members)])
        }
    }
}

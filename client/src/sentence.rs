//! Errors as sentences for a person, and what others wrote as text for a terminal.

use std::error::Error;

/// An error and its causes. Most errors are whole sentences that contain their cause; of the others the cause is said as
/// well.
#[must_use]
pub fn sentences(error: &(dyn Error + 'static)) -> String {
    let mut said = error.to_string();
    let mut cause = error.source();
    while let Some(next) = cause {
        let words = next.to_string();
        if !said.contains(words.trim_end_matches('.')) {
            said.push_str(if said.ends_with('.') { " " } else { ": " });
            said.push_str(&words);
        }
        cause = next.source();
    }
    said
}

/// What somebody else wrote reaches a terminal without its control characters, those that turn the direction of writing
/// included (Unicode's `Bidi_Control`).
#[must_use]
pub fn printable(text: &str) -> String {
    let turns = |c| matches!(c, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    text.chars().map(|c| if c.is_control() || turns(c) { '\u{fffd}' } else { c }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_terminal_is_not_steered() {
        assert_eq!(
            printable("核验\u{1b}[2J\nok\u{202e}\u{2066}"),
            "核验\u{fffd}[2J\u{fffd}ok\u{fffd}\u{fffd}"
        );
    }

    #[derive(Debug, thiserror::Error)]
    #[error("{said}")]
    struct Said {
        said: &'static str,
        source: std::io::Error,
    }

    #[test]
    fn a_cause_is_said_once() {
        let of = |said| sentences(&Said { said, source: std::io::Error::other("disk on fire") });
        assert_eq!(of("The pin cannot be kept"), "The pin cannot be kept: disk on fire");
        assert_eq!(of("The pin cannot be kept."), "The pin cannot be kept. disk on fire");
        assert_eq!(of("Cannot keep the pin: disk on fire."), "Cannot keep the pin: disk on fire.");
    }
}

//! Errors as sentences for a person.

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

#[cfg(test)]
mod tests {
    use super::*;

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

//! Chain roots remembered from run to run (`docs/spec/roots.md`, "Pins").

use std::ffi::OsString;
use std::path::PathBuf;

use client::{PinError, PinStore};
use evidence::TrustFile;

/// Where pins are unless something else is asked for: `jianzhen/pins` in the user's state folder (XDG Base Directory).
#[must_use]
pub fn default_folder(variable: impl Fn(&str) -> Option<OsString>) -> Option<PathBuf> {
    let absolute = |name: &str| variable(name).map(PathBuf::from).filter(|path| path.is_absolute());
    let state = absolute("XDG_STATE_HOME").or_else(|| Some(absolute("HOME")?.join(".local/state")))?;
    Some(state.join("jianzhen/pins"))
}

/// A pin as it was before the verification.
#[derive(Debug)]
pub struct Remembered {
    /// Name of the chain.
    pub origin: String,
    /// The signed note, if there is one.
    pub note: Result<Option<Vec<u8>>, PinError>,
}

/// What is remembered of the logs that `trust` names, one for each.
#[must_use]
pub fn remembered(store: &PinStore, trust: &TrustFile) -> Vec<Remembered> {
    let logs = trust.logs().iter().flat_map(|logs| logs.policy.logs());
    let mut origins: Vec<_> = logs.map(|log| log.key().name().as_str().to_owned()).collect();
    origins.sort_unstable();
    origins.dedup();
    let read = |origin: String| Remembered { note: store.read(&origin), origin };
    origins.into_iter().map(read).collect()
}

impl Remembered {
    /// The note, if there is one and it could be read.
    #[must_use]
    pub fn note(&self) -> Option<&[u8]> {
        self.note.as_ref().ok()?.as_deref()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pins_lie_in_the_users_state() {
        let of = |pairs: &'static [(&str, &str)]| {
            default_folder(|name| {
                pairs.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).into())
            })
        };
        assert_eq!(of(&[]), None);
        assert_eq!(of(&[("HOME", "/h")]), Some("/h/.local/state/jianzhen/pins".into()));
        assert_eq!(of(&[("HOME", "/h"), ("XDG_STATE_HOME", "/s")]), Some("/s/jianzhen/pins".into()));
        // The specification: a relative path is invalid and ignored.
        assert_eq!(
            of(&[("HOME", "/h"), ("XDG_STATE_HOME", "s")]),
            Some("/h/.local/state/jianzhen/pins".into())
        );
    }
}

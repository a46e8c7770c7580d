//! Chain roots remembered from run to run (`docs/spec/roots.md`, "Pins").

use client::{PinError, PinStore, origins};
use evidence::TrustFile;

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
    let read = |origin: String| Remembered { note: store.read(&origin), origin };
    origins(trust).into_iter().map(read).collect()
}

impl Remembered {
    /// The note, if there is one and it could be read.
    #[must_use]
    pub fn note(&self) -> Option<&[u8]> {
        self.note.as_ref().ok()?.as_deref()
    }
}

//! Chain roots remembered from run to run (`docs/spec/roots.md`, "Pins").

use client::{PinError, PinStore, pin_slots};
use evidence::TrustFile;

/// A pin as it was before the verification.
#[derive(Debug)]
pub struct Remembered {
    /// Under which name it is kept ([`evidence::pin_slot`]).
    pub slot: String,
    /// The signed note, if there is one.
    pub note: Result<Option<Vec<u8>>, PinError>,
}

/// What is remembered of the logs that `trust` names, one for each key.
#[must_use]
pub fn remembered(store: &PinStore, trust: &TrustFile) -> Vec<Remembered> {
    let read = |slot: String| Remembered { note: store.read(&slot), slot };
    pin_slots(trust).into_iter().map(read).collect()
}

impl Remembered {
    /// The note, if there is one and it could be read.
    #[must_use]
    pub fn note(&self) -> Option<&[u8]> {
        self.note.as_ref().ok()?.as_deref()
    }
}

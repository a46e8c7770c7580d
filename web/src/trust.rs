//! The trust file that the user put in place of the operator's.

use protocol::{Digest, MAX_TRUST_LEN};
use wasm_bindgen::JsCast as _;
use wasm_bindgen_futures::JsFuture;
use web_sys::File;

/// A trust file, as bytes that were not understood yet: the worker reads it strictly, and says so if it cannot.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct TrustText {
    /// What its file is called; `None` for the operator's own.
    pub(crate) name: Option<String>,
    /// Its content.
    pub(crate) text: String,
}

impl TrustText {
    /// SHA-256 of its bytes, by which people compare trust files.
    pub(crate) fn digest(&self) -> Digest {
        Digest::of(self.text.as_bytes())
    }
}

/// The content of a file that may be a trust file; `None` for what plainly is none, so that a slip of the hand is
/// noticed at once and not with the next verification.
pub(crate) async fn read(file: &File) -> Option<TrustText> {
    #[expect(clippy::cast_precision_loss, reason = "a small bound")]
    let max_length = MAX_TRUST_LEN as f64;
    if file.size() > max_length {
        return None;
    }
    let buffer = JsFuture::from(file.array_buffer()).await.ok()?.dyn_into::<js_sys::ArrayBuffer>().ok()?;
    // Not `Blob.text`, which mends what is no UTF-8 and drops a byte order mark: the digest is that of the file.
    let text = String::from_utf8(js_sys::Uint8Array::new(&buffer).to_vec()).ok()?;
    let object = js_sys::JSON::parse(&text).ok()?;
    let has_list = |name: &str| {
        js_sys::Reflect::get(&object, &name.into()).is_ok_and(|list| js_sys::Array::is_array(&list))
    };
    (has_list("logs") && has_list("registrars")).then(|| TrustText { name: Some(file.name()), text })
}

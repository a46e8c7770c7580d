//! Letting the browser save a text as a file.

use std::time::Duration;

use leptos::prelude::*;
use wasm_bindgen::{JsCast as _, JsValue};
use web_sys::{Blob, BlobPropertyBag, HtmlAnchorElement, Url};

/// Lets the browser save `text` under `name`.
pub(crate) fn save(name: &str, media_type: &str, text: &str) {
    let saved = (|| {
        let options = BlobPropertyBag::new();
        options.set_type(media_type);
        let blob = Blob::new_with_str_sequence_and_options(&js_sys::Array::of1(&text.into()), &options)?;
        let address = Url::create_object_url_with_blob(&blob)?;
        let link: HtmlAnchorElement = document().create_element("a")?.unchecked_into();
        link.set_href(&address);
        link.set_download(name);
        link.click();
        // The browser reads the blob after the click has returned.
        set_timeout(move || drop(Url::revoke_object_url(&address)), Duration::from_secs(60));
        Ok::<(), JsValue>(())
    })();
    if let Err(error) = saved {
        leptos::logging::error!("{name} could not be saved: {error:?}");
    }
}

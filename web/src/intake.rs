//! What the user picked or dropped, sorted into files to verify, evidence files, and folders.

use protocol::{EVIDENCE_MAGIC, MAX_EVIDENCE_LEN};
use wasm_bindgen::JsCast as _;
use wasm_bindgen_futures::JsFuture;
use web_sys::{DataTransfer, File, FileList};

use crate::pairing::has_evidence_extension;

/// What was picked or dropped, as the browser gives it.
#[derive(Default)]
pub(crate) struct Handover {
    /// Files of any kind, in the user's order.
    pub(crate) files: Vec<File>,
    /// Names of folders.
    pub(crate) folders: Vec<String>,
}

/// A handover, sorted.
#[derive(Default)]
pub(crate) struct Sorted {
    /// To be verified.
    pub(crate) files: Vec<File>,
    /// Evidence files.
    pub(crate) evidence: Vec<File>,
    /// Names of folders.
    pub(crate) folders: Vec<String>,
}

/// What a file input holds.
pub(crate) fn from_list(list: Option<FileList>) -> Handover {
    let files = list.map(|list| (0..list.length()).filter_map(|index| list.item(index)).collect());
    Handover { files: files.unwrap_or_default(), folders: Vec::new() }
}

/// What was dropped. Must be called within the `drop` event: the browser forgets it afterwards.
pub(crate) fn from_drop(transfer: Option<DataTransfer>) -> Handover {
    let mut handover = Handover::default();
    let Some(transfer) = transfer else {
        return handover;
    };
    let items = transfer.items();
    for item in (0..items.length()).filter_map(|index| items.get(index)) {
        if item.kind() != "file" {
            continue;
        }
        let entry = item.webkit_get_as_entry().ok().flatten();
        match (entry, item.get_as_file()) {
            (Some(entry), _) if entry.is_directory() => handover.folders.push(entry.name()),
            (_, Ok(Some(file))) => handover.files.push(file),
            _ => {}
        }
    }
    handover
}

impl Handover {
    /// Whether there is nothing in it (text was dropped, or the dialogue was left).
    pub(crate) fn is_empty(&self) -> bool {
        self.files.is_empty() && self.folders.is_empty()
    }

    /// Tells evidence files from files to verify: by their first bytes, else by their name.
    pub(crate) async fn sort(self) -> Sorted {
        let mut sorted = Sorted { folders: self.folders, ..Sorted::default() };
        for file in self.files {
            let is_evidence = has_evidence_extension(&file.name()) || begins_like_evidence(&file).await;
            if is_evidence { sorted.evidence.push(file) } else { sorted.files.push(file) }
        }
        sorted
    }
}

async fn begins_like_evidence(file: &File) -> bool {
    // What is longer than an evidence file may be is not even looked into.
    if file.size() > MAX_EVIDENCE_LEN as f64 {
        return false;
    }
    let Ok(start) = file.slice_with_i32_and_i32(0, 8) else {
        return false;
    };
    // A file that cannot be read is not evidence here; the verifier will say what is wrong with it.
    JsFuture::from(start.array_buffer())
        .await
        .ok()
        .and_then(|buffer| buffer.dyn_into::<js_sys::ArrayBuffer>().ok())
        .is_some_and(|buffer| js_sys::Uint8Array::new(&buffer).to_vec() == EVIDENCE_MAGIC)
}

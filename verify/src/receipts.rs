//! Receipts as files of their own (`docs/spec/log.md`, "Receipt"): one can be given to somebody who has neither the recording nor
//! its evidence.

use std::ffi::OsString;
use std::io;
use std::path::Path;

use client::durable::{self, FileError};
use evidence::EvidenceFile;

/// Everybody may read what proves something.
const MODE: u32 = 0o644;

/// Writes the receipts of `evidence`, which is about `file`, into `folder`, which is created: `NAME.SEQUENCE.tlog-proof`. Gives
/// their number. A file that is there already stays as it is, and is an error if it holds something else.
///
/// # Errors
/// When there is another file of that name, or the system refuses.
pub fn save(folder: &Path, file: &Path, evidence: &EvidenceFile) -> Result<usize, FileError> {
    durable::create_folders(folder)?;
    let receipts = evidence.standalone_receipts();
    for (sequence, receipt) in &receipts {
        let mut name: OsString = file.file_name().unwrap_or_default().to_owned();
        name.push(format!(".{sequence}.tlog-proof"));
        let path = folder.join(name);
        match durable::create(&path, receipt.as_bytes(), MODE) {
            Err(error) if error.source.kind() == io::ErrorKind::AlreadyExists => {
                let there = std::fs::read(&path).map_err(FileError::on("read", &path))?;
                if there != receipt.as_bytes() {
                    return Err(error);
                }
            }
            created => created?,
        }
    }
    Ok(receipts.len())
}

//! Load as from many recorders, and a memory of everything that the service promised them.
//!
//! - [`device`]: keys of many devices, and the statements they sign.
//! - [`notary`]: the service as a device sees it.
//! - [`receipts`]: what a receipt must prove before a device lets go of its statement.
//! - [`history`]: every checkpoint that anybody was ever shown, and whether all of them can be true.

pub mod device;
pub mod history;
pub mod notary;
pub mod receipts;

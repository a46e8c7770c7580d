//! What the native programs (recorder, `jianzhen-verify`, `jianzhen-audit`, the registrar's commands) have in common as
//! clients of a verification service.
//!
//! | concern | modules |
//! | --- | --- |
//! | asking | [`Client`], [`ServerUrl`], [`RootsClient`] |
//! | remembering | [`PinStore`], [`save_alarm`], [`durable`] |
//! | saying | [`sentences`], [`printable`] |
//!
//! Rules live here so that no program can forget them: plain HTTP only to loopback, no answer is read further than the
//! caller's bound, a file is replaced whole or not at all, and a pin never by a run that has not seen it. What a body means is the
//! caller's business.

mod alarms;
pub mod durable;
mod http;
mod pins;
mod roots;
mod sentence;
mod server_url;

pub use alarms::{AlarmError, SavedAlarm, save_alarm, saved_alarms};
pub use http::{Answer, Client, ClientError, Problem};
pub use pins::{Kept, PinError, PinStore};
pub use roots::{RootsClient, accepted, pin_slots};
pub use sentence::{printable, sentences};
pub use server_url::{ServerUrl, ServerUrlError};

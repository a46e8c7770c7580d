//! The device agent: cuts a live stream into segments, signs and spools each one, sends it while reading, and verifies
//! every receipt before it lets go of a statement. `docs/recorder.md` is the manual.
//!
//! The library half exists for the tests; the program is `jianzhen-recorder`.
//!
//! | concern | modules |
//! | --- | --- |
//! | the stream | [`input`], [`capture`], [`output`], [`clock`], [`tracks`], [`gpx`], [`machine`] |
//! | what is signed | [`recording`], [`digests`], [`ledger`] |
//! | what survives | [`spool`], [`recovery`], [`finish`] |
//! | the service | [`service`], [`outbox`], [`sender`], [`background`] |
//! | whom to believe | [`trust`], [`registry`], [`chain`], [`watch`] |

pub mod background;
pub mod capture;
pub mod chain;
pub mod cli;
pub mod clock;
pub mod commands;
pub mod device;
pub mod digests;
pub mod display;
pub mod finish;
pub mod gpx;
pub mod input;
pub mod key_file;
pub mod ledger;
pub mod machine;
pub mod media_type;
pub mod outbox;
pub mod output;
pub mod paths;
pub mod random;
pub mod recording;
pub mod recovery;
pub mod registry;
pub mod sender;
pub mod service;
pub mod session;
pub mod spool;
pub mod tracks;
pub mod trust;
pub mod watch;

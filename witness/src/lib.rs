//! The witness (见证节点): cosigns a log's checkpoints as long as it only grows. `docs/spec/witness.md`.
//!
//! | module | what |
//! | --- | --- |
//! | [`config`], [`logs`], [`data_dir`] | what a witness is set up with |
//! | [`add_checkpoint`] | what is refused and what is cosigned: pure |
//! | [`store`] | what was promised: the newest checkpoint of each log, in one transaction with the check |
//! | [`witness`] | all of it put together |
//! | [`mirror`] | verified copies of logs |
//! | [`fsck`] | checking state and copies |
//! | [`http`], [`commands`] | the surface, and the command line |
//!
//! One rule above all: a cosignature leaves the process only after the state that includes it is durable, and nothing is ever cosigned
//! that does not continue that state.

pub mod add_checkpoint;
pub mod clock;
pub mod commands;
pub mod config;
pub mod data_dir;
pub mod fsck;
pub mod http;
pub mod logs;
pub mod metrics;
pub mod mirror;
pub mod store;
pub mod witness;

//! The verification service: intake, sequencer, published log, lookup, and the page.
//!
//! | module | what |
//! | --- | --- |
//! | [`config`], [`data_dir`], [`keys`], [`trust_edit`] | what a service is set up with |
//! | [`intake`], [`pool`], [`sequencer`], [`publish`], [`witnesses`], [`recover`] | the write path, in this order |
//! | [`policies`], [`health`] | under whose eyes it publishes; whether it can |
//! | [`store`], [`objects`] | the two storage seams: the commit point, and the published files |
//! | [`tiles`], [`receipts`], [`registry`], [`lookup`], [`chain`] | reading what is published |
//! | [`service`], [`snapshots`], [`fsck`] | all of it put together; the daily registry snapshot; checking what is stored |
//! | [`http`], [`page`] | the surface |
//! | [`commands`] | the command line |
//!
//! Receipts are for ever: [`sequencer`] gives none before the entry is durable *and* its checkpoint is published, and any doubt
//! about the commit point stops the process.

pub mod chain;
pub mod clock;
pub mod commands;
pub mod config;
pub mod data_dir;
pub mod derive;
pub mod fsck;
pub mod health;
pub mod http;
pub mod intake;
pub mod keys;
pub mod lookup;
pub mod metrics;
pub mod objects;
pub mod open_files;
pub mod page;
pub mod policies;
pub mod pool;
pub mod publish;
pub mod random;
pub mod rebuild;
pub mod receipts;
pub mod recover;
pub mod registry;
pub mod restore;
pub mod sequencer;
pub mod service;
pub mod snapshots;
pub mod store;
pub mod tiles;
pub mod trust_edit;
pub mod witnesses;

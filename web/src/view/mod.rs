//! What is seen. Each component is small and takes handles to state.

pub(crate) mod actions;
pub(crate) mod alarm;
pub(crate) mod card;
pub(crate) mod chain;
pub(crate) mod drop_zone;
pub(crate) mod facts;
pub(crate) mod file_button;
pub(crate) mod findings;
pub(crate) mod guard;
pub(crate) mod limits;
pub(crate) mod mismatches;
pub(crate) mod progress;
pub(crate) mod status;
pub(crate) mod telemetry;
pub(crate) mod timeline;
pub(crate) mod trust;
pub(crate) mod verdict;

//! `roots`: is the chain shown here the one that is shown elsewhere?

use tlog::{ConsistencyProof, SignedNote, TreeSize, VerifiedCheckpoint};

use super::Check;
use super::observation::{RootsObservation, SeenRoot};
use super::receipt::Proven;
use crate::report::ReasonCode;
use crate::trust::TrustFile;

/// Compares the root of `ours` with those seen elsewhere. Only two signed roots of one size that differ are a proof
/// against the chain; a root that cannot be compared says nothing.
pub(crate) fn check(ours: Option<&Proven>, seen: Option<&RootsObservation>, trust: &TrustFile) -> Check {
    let Some(ours) = ours else { return Check::NotChecked(ReasonCode::NotReached) };
    let compared: Vec<Comparison> =
        seen.iter().flat_map(|seen| &seen.roots).map(|root| compare(&ours.checkpoint, root, trust)).collect();
    if compared.contains(&Comparison::Contradicts) {
        return Check::Failed(ReasonCode::ChainForked);
    }
    if ours.proven_time.is_none() {
        return Check::NotChecked(ReasonCode::Unwitnessed);
    }
    if seen.is_none() {
        return Check::NotChecked(ReasonCode::Offline);
    }
    if compared.contains(&Comparison::Agrees) {
        Check::Proven(ReasonCode::RootsAgree)
    } else {
        Check::NotChecked(ReasonCode::RootsUnavailable)
    }
}

#[derive(PartialEq, Eq)]
enum Comparison {
    Agrees,
    Contradicts,
    CannotBeCompared,
}

fn compare(ours: &VerifiedCheckpoint, seen: &SeenRoot, trust: &TrustFile) -> Comparison {
    let Ok(note) = SignedNote::parse(&seen.checkpoint) else { return Comparison::CannotBeCompared };
    let theirs = trust.logs().iter().find_map(|logs| logs.policy.verify_checkpoint(&note).ok());
    let Some(theirs) = theirs.filter(|theirs| theirs.log_key() == ours.log_key()) else {
        return Comparison::CannotBeCompared;
    };
    let (a, b) = (ours.head(), theirs.head());
    // The empty tree is the beginning of every tree.
    if b.size == TreeSize::new(0) {
        return Comparison::CannotBeCompared;
    }
    if a.size == b.size {
        return if a.root == b.root { Comparison::Agrees } else { Comparison::Contradicts };
    }
    let (old, new) = if a.size < b.size { (a, b) } else { (b, a) };
    let proven = ConsistencyProof::new(seen.proof.clone()).and_then(|proof| proof.verify(&old, &new)).is_ok();
    if proven { Comparison::Agrees } else { Comparison::CannotBeCompared }
}

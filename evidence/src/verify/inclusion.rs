//! `inclusion` and `checkpoint`: the receipts of the statements.

use std::collections::BTreeMap;

use super::Check;
use super::receipt::{Fault, prove};
use crate::evidence_file::EvidenceFile;
use crate::ids::Sequence;
use crate::receipt::ProvenEntry;
use crate::report::ReasonCode;
use crate::trust::TrustFile;

/// What the receipts of a candidate prove.
#[derive(Debug)]
pub(crate) struct Inclusion {
    pub(crate) inclusion: Check,
    pub(crate) checkpoint: Check,
    /// The statements that were proven to be in the chain.
    pub(crate) proven: BTreeMap<Sequence, ProvenEntry>,
}

impl Inclusion {
    /// The receipt that a verdict about the statements up to `needed` rests on: the first one that covers them all.
    pub(crate) fn covering(&self, needed: Sequence) -> Option<&ProvenEntry> {
        self.proven.range(needed..).next().map(|(_, proven)| proven)
    }

    /// The proven statements that a verdict about the statements up to `needed` rests on.
    pub(crate) fn up_to_covering(&self, needed: Sequence) -> impl Iterator<Item = (&Sequence, &ProvenEntry)> {
        let last = self.proven.range(needed..).next().map(|(sequence, _)| *sequence);
        self.proven.iter().take_while(move |(sequence, _)| last.is_none_or(|last| **sequence <= last))
    }
}

/// Checks every receipt. The first and the last statement must have one; all others are optional, because each
/// statement names the digest of the one before it.
pub(crate) fn check(file: &EvidenceFile, trust: &TrustFile) -> Inclusion {
    let mut proven = BTreeMap::new();
    let mut faults = Vec::new();
    let mut missing = false;
    for required in [Sequence::START, file.last_sequence()] {
        missing |= file.receipt(required).is_none();
    }
    for (sequence, _, _) in &file.receipts {
        let result = match file.receipt(*sequence) {
            Some((sealed, receipt)) => prove(&sealed, receipt, trust),
            // A receipt for a statement that the file does not hold.
            None => Err(Fault::Inclusion(ReasonCode::ReceiptIndex)),
        };
        match result {
            Ok(one) => drop(proven.insert(*sequence, one)),
            Err(fault) => faults.push(fault),
        }
    }
    let inclusion = inclusion_check(&faults, missing, &proven);
    // A fork is a fork in whatever receipt it shows; what does not verify shows nothing.
    let beside = file.registry.iter().chain(&file.conflicts);
    let beside: Vec<_> = beside.filter_map(|(sealed, receipt)| prove(sealed, receipt, trust).ok()).collect();
    let forked = is_forked(proven.values().chain(&beside));
    let checkpoint = checkpoint_check(&faults, forked, &proven);
    Inclusion { inclusion, checkpoint, proven }
}

fn inclusion_check(faults: &[Fault], missing: bool, proven: &BTreeMap<Sequence, ProvenEntry>) -> Check {
    let fault = faults.iter().find_map(|fault| match fault {
        Fault::Inclusion(reason) => Some(*reason),
        _ => None,
    });
    if let Some(reason) = fault {
        return Check::Failed(reason);
    }
    if missing {
        return Check::Failed(ReasonCode::ReceiptMissing);
    }
    if faults.contains(&Fault::UnknownLog) {
        return Check::NotChecked(ReasonCode::UnknownLog);
    }
    if !faults.is_empty() {
        return Check::NotChecked(ReasonCode::NotReached);
    }
    if order_is_impossible(proven) {
        return Check::Failed(ReasonCode::OrderImpossible);
    }
    Check::Proven(ReasonCode::Included)
}

fn checkpoint_check(faults: &[Fault], forked: bool, proven: &BTreeMap<Sequence, ProvenEntry>) -> Check {
    let fault = faults.iter().find_map(|fault| match fault {
        Fault::Checkpoint(reason) => Some(*reason),
        _ => None,
    });
    if let Some(reason) = fault {
        return Check::Failed(reason);
    }
    if forked {
        return Check::Failed(ReasonCode::ChainForked);
    }
    if faults.contains(&Fault::UnknownLog) {
        return Check::NotChecked(ReasonCode::UnknownLog);
    }
    if proven.is_empty() {
        return Check::NotChecked(ReasonCode::NotReached);
    }
    let cosigned = proven.values().all(|one| one.proven_time().is_some());
    Check::Proven(if cosigned { ReasonCode::Cosigned } else { ReasonCode::LogSigned })
}

/// Along one chain, indices are distinct and sealed-at never decreases.
fn order_is_impossible(proven: &BTreeMap<Sequence, ProvenEntry>) -> bool {
    let mut entries: Vec<_> =
        proven.values().map(|one| (one.checkpoint().origin(), one.index(), one.entry().sealed_at)).collect();
    entries.sort_unstable();
    entries.windows(2).any(|pair| match pair {
        [a, b] => a.0 == b.0 && (a.1 == b.1 || a.2 > b.2),
        _ => false,
    })
}

/// Two signed roots for one size.
fn is_forked<'p>(proven: impl Iterator<Item = &'p ProvenEntry>) -> bool {
    let mut heads: Vec<_> = proven
        .map(|one| {
            let head = one.checkpoint().head();
            (one.checkpoint().origin(), head.size, head.root)
        })
        .collect();
    heads.sort_unstable();
    heads.windows(2).any(|pair| match pair {
        [a, b] => a.0 == b.0 && a.1 == b.1 && a.2 != b.2,
        _ => false,
    })
}

//! Checks state and copies by deriving everything again. Constant memory, however large a copy is.

use evidence::{Digest, Entry, EntryKind};
use tlog::{
    BundleId, Checkpoint, EntryBundle, LeafIndex, SignedNote, TileBuilder, TreeHead, TreeSize,
    bundles_between,
};

use crate::add_checkpoint::{contradicts, signature_of};
use crate::logs::Log;
use crate::mirror::copy::{Copy, CopyError};
use crate::mirror::pull::{empty, partial_tiles};
use crate::store::{Newest, StoreError};
use crate::witness::Witness;

/// Findings beyond these are not listed: one damaged file can have thousands.
const MAX_PROBLEMS: usize = 100;

/// What was found.
#[derive(Debug, Default)]
pub struct Findings {
    /// What is wrong, a sentence each.
    pub problems: Vec<String>,
    /// Problems that are not listed.
    pub further: u64,
    /// Logs of which a checkpoint was cosigned.
    pub logs: usize,
    /// Contradictions kept as proof.
    pub contradictions: usize,
}

impl Findings {
    fn add(&mut self, problem: String) {
        if self.problems.len() < MAX_PROBLEMS {
            self.problems.push(problem);
        } else {
            self.further += 1;
        }
    }

    /// Whether nothing is wrong.
    pub fn is_sound(&self) -> bool {
        self.problems.is_empty()
    }
}

/// Checks what was promised: the newest checkpoint of each log, and the proofs of misbehaviour.
///
/// # Errors
/// When the database fails.
pub async fn check_state(witness: &Witness, findings: &mut Findings) -> Result<(), StoreError> {
    let logs = witness.logs();
    let all = witness.store().all().await?;
    findings.logs = all.len();
    for (origin, newest) in &all {
        if let Some(problem) = newest_problem(witness, logs.get(origin).map(|log| &**log), origin, newest) {
            findings.add(format!("The newest checkpoint of {origin}: {problem}"));
        }
        match witness.store().cosigned(origin, newest.head.size).await? {
            Some(remembered) if remembered.root == newest.head.root => {}
            _ => findings.add(format!("The newest tree of {origin} is not among those remembered.")),
        }
    }
    let kept = witness.store().kept().await?;
    findings.contradictions = kept.len();
    for (origin, ours, contradiction) in kept {
        let Some(log) = logs.get(&origin) else { continue };
        let heads = [&ours, &contradiction.theirs].map(|note| signed_head(log, note));
        // Where the older size is a power of two, a proof does not hold its root, and only tiles convict; a note that was too long is
        // not remembered with its tree. What there is was kept all the same.
        let convicts = |ours: &TreeHead, theirs: &TreeHead| {
            ours.size > theirs.size
                || ours.size.get().is_power_of_two()
                || contradicts(ours, theirs, &contradiction.proof)
        };
        if !matches!(heads, [Some(ours), Some(theirs)] if ours != theirs && convicts(&ours, &theirs)) {
            findings.add(format!(
                "The contradiction of {origin} at size {} cannot be shown from the two notes and the proof alone.",
                contradiction.head.size
            ));
        }
    }
    Ok(())
}

fn signed_head(log: &Log, note: &SignedNote) -> Option<TreeHead> {
    note.verify(log.keys()).ok()?;
    Some(Checkpoint::unverified(note).ok().filter(|checkpoint| checkpoint.origin() == log.origin())?.head())
}

fn newest_problem(witness: &Witness, log: Option<&Log>, origin: &str, newest: &Newest) -> Option<String> {
    let checkpoint = match Checkpoint::unverified(&newest.note) {
        Ok(checkpoint) => checkpoint,
        Err(error) => return Some(error.to_string()),
    };
    if checkpoint.origin() != origin || checkpoint.head() != newest.head {
        return Some("the note is not the one that the row describes.".to_owned());
    }
    let key = witness.key();
    match newest.note.verify(std::slice::from_ref(key.verifier_key())) {
        Ok(verified) => {
            let time = signature_of(&verified, key).and_then(|signature| signature.timestamp());
            if time != Some(newest.cosigned_at) {
                return Some("the cosignature states another time than the row.".to_owned());
            }
        }
        Err(error) => return Some(error.to_string()),
    }
    // A log that is looked after no more has left no keys.
    log.and_then(|log| newest.note.verify(log.keys()).err()).map(|error| error.to_string())
}

/// Derives a copy again from its bundles: tiles, roots, statements, archived checkpoints.
///
/// # Errors
/// When files or database cannot be read at all.
pub async fn check_copy(copy: &Copy, log: Option<&Log>, findings: &mut Findings) -> Result<(), CopyError> {
    let mut check = CopyCheck { copy, log, findings, builder: TileBuilder::new(), last: empty() };
    let (origin, head) = (copy.origin().to_owned(), copy.head());
    loop {
        let page = copy.archived_after(check.last.size).await?;
        let Some((_, _)) = page.first() else { break };
        for (size, note) in page {
            check.checkpoint(size, &note).await?;
        }
    }
    if check.last != head {
        check.findings.add(format!(
            "The copy of {origin} has {} entries, and its newest archived checkpoint has {}, or another root.",
            head.size, check.last.size
        ));
    }
    check.edge(head.size).await
}

struct CopyCheck<'a> {
    copy: &'a Copy,
    log: Option<&'a Log>,
    findings: &'a mut Findings,
    builder: TileBuilder,
    /// The last archived checkpoint.
    last: TreeHead,
}

impl CopyCheck<'_> {
    /// One archived checkpoint, and the entries up to it.
    async fn checkpoint(&mut self, size: TreeSize, note: &[u8]) -> Result<(), CopyError> {
        self.last.size = size;
        self.entries(size).await?;
        let origin = self.copy.origin();
        let read = SignedNote::parse(note).map_err(|error| error.to_string()).and_then(|note| {
            let checkpoint = Checkpoint::unverified(&note).map_err(|error| error.to_string())?;
            if let Some(log) = self.log {
                note.verify(log.keys()).map_err(|error| error.to_string())?;
            }
            Ok(checkpoint)
        });
        match read {
            Ok(checkpoint) if checkpoint.origin() == origin && checkpoint.head() == self.builder.head() => {
                self.last = checkpoint.head();
            }
            Ok(_) => self.findings.add(format!(
                "The archived checkpoint of {origin} for size {size} is not that of the entries in the copy."
            )),
            Err(error) => self
                .findings
                .add(format!("The archived checkpoint of {origin} for size {size} does not count. {error}")),
        }
        Ok(())
    }

    /// Reads the bundles up to `size`.
    async fn entries(&mut self, size: TreeSize) -> Result<(), CopyError> {
        let from = self.builder.size();
        for id in bundles_between(from, size) {
            let first = id.index() * 256;
            let done = self.builder.size().get().saturating_sub(first);
            let bundle = match self.bundle(id).await? {
                Ok(bundle) => bundle,
                Err(problem) => {
                    self.findings.add(problem);
                    // Without its entries nothing behind them can be derived; say so once, and go on with what a tile says.
                    self.skip(id, done).await?;
                    continue;
                }
            };
            let skip = usize::try_from(done).unwrap_or(usize::MAX);
            for (index, bytes) in (first..).zip(bundle.entries()).skip(skip) {
                self.entry(index, bytes).await?;
            }
            let leaves: Vec<_> = bundle.leaf_hashes().skip(skip).collect();
            self.append(leaves).await?;
        }
        Ok(())
    }

    async fn bundle(&mut self, id: BundleId) -> Result<Result<EntryBundle, String>, CopyError> {
        let origin = self.copy.origin();
        Ok(match self.copy.bundle(id).await {
            Ok(Some(data)) => EntryBundle::parse(id, &data)
                .map_err(|error| format!("The bundle {id} of the copy of {origin} cannot be read. {error}")),
            Ok(None) => Err(format!("The bundle {id} of the copy of {origin} is missing.")),
            Err(CopyError::Damaged { what, .. }) => Err(format!("The copy of {origin}: {what}")),
            Err(error) => return Err(error),
        })
    }

    async fn entry(&mut self, index: u64, bytes: &[u8]) -> Result<(), CopyError> {
        let origin = self.copy.origin();
        let entry = match Entry::parse(bytes) {
            Ok(entry) => entry,
            Err(error) => {
                self.findings.add(format!("Entry {index} of the copy of {origin} cannot be read. {error}"));
                return Ok(());
            }
        };
        if entry.kind == EntryKind::Registry {
            let statement = self.copy.read(&Copy::statement_path(LeafIndex::new(index))).await?;
            if statement.is_none_or(|bytes| Digest::of(&bytes) != entry.statement) {
                self.findings.add(format!(
                    "The statement behind entry {index} of the copy of {origin} is missing or another one."
                ));
            }
        }
        Ok(())
    }

    /// The leaf hashes that tile and archive speak of, where the bundle is lost.
    async fn skip(&mut self, id: BundleId, done: u64) -> Result<(), CopyError> {
        let Ok(tile) = tlog::TileId::new(0, id.index(), id.width()) else { return Ok(()) };
        let Ok(Some(data)) = self.copy.tile(tile).await else { return Ok(()) };
        let Ok(hashes) = tile.hashes(&data) else { return Ok(()) };
        self.append(hashes.into_iter().skip(usize::try_from(done).unwrap_or(usize::MAX)).collect()).await
    }

    async fn append(&mut self, leaves: Vec<tlog::Hash>) -> Result<(), CopyError> {
        for tile in self.builder.append(leaves) {
            // Partial tiles exist for the copy's size only.
            if !tile.id.is_partial() && self.copy.read(&tile.id.path()).await? != Some(tile.data) {
                let origin = self.copy.origin();
                self.findings.add(format!(
                    "The tile {} of the copy of {origin} is missing or not what its entries make it.",
                    tile.id
                ));
            }
        }
        Ok(())
    }

    /// The partial tiles of the copy's size; they must hash to its root.
    async fn edge(&mut self, size: TreeSize) -> Result<(), CopyError> {
        let origin = self.copy.origin();
        for id in partial_tiles(size) {
            if self.copy.read(&id.path()).await?.is_none() {
                self.findings.add(format!("The tile {id} of the copy of {origin} is missing."));
            }
        }
        if let Err(error) = self.copy.edge() {
            self.findings.add(format!("The tiles at the edge of the copy of {origin} do not fit. {error}"));
        }
        Ok(())
    }
}

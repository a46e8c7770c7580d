//! Every checkpoint that anybody was shown. All of them must be stages of one tree.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use anyhow::{Context, Result, ensure};
use evidence::Digest;
use tlog::{BundleId, Checkpoint, EntryBundle, Hash, RootBuilder, SignedNote, TreeSize, VerifierKey};

/// The checkpoints seen, by size.
#[derive(Debug)]
pub struct History {
    key: VerifierKey,
    seen: HashSet<Digest>,
    roots: BTreeMap<TreeSize, BTreeMap<Hash, SignedNote>>,
}

/// Two notes by the log that cannot both be true, or one that is no stage of its tree.
#[derive(Debug)]
pub struct Fork {
    /// Its size.
    pub size: TreeSize,
    /// The signed notes that show it.
    pub notes: Vec<SignedNote>,
}

impl History {
    /// Of the log with this verifier key.
    pub fn new(vkey: &str) -> Result<Self> {
        Ok(Self { key: vkey.parse()?, seen: HashSet::new(), roots: BTreeMap::new() })
    }

    /// Notes a checkpoint; whatever shows one must show one that the log has signed. Gives its size.
    pub fn saw(&mut self, note: &[u8]) -> Result<TreeSize> {
        let note = SignedNote::parse(note).context("what was shown is no signed note")?;
        let head = Checkpoint::unverified(&note).context("what was shown is no checkpoint")?.head();
        if self.seen.insert(Digest::of(note.as_bytes())) {
            let signatures = note.verify(std::slice::from_ref(&self.key))?;
            ensure!(signatures.len() == 1, "the log has not signed this checkpoint:\n{note}");
            self.roots.entry(head.size).or_default().insert(head.root, note);
        }
        Ok(head.size)
    }

    /// How many different checkpoints were seen, cosignatures included.
    pub fn notes(&self) -> usize {
        self.seen.len()
    }

    /// The largest size seen.
    pub fn largest(&self) -> TreeSize {
        self.roots.keys().next_back().copied().unwrap_or(TreeSize::new(0))
    }

    /// Compares all of them with the entries that are served below `log`: the root at each size that was seen is computed from
    /// the entries. Two checkpoints that are both roots of one list of entries are consistent with each other, so this
    /// compares each with each.
    pub fn forks(&self, log: &str) -> Result<Vec<Fork>> {
        let sizes: BTreeSet<TreeSize> = self.roots.keys().copied().collect();
        let roots = roots(log, &sizes)?;
        let mut forks = Vec::new();
        for (size, seen) in &self.roots {
            let root = roots.get(size).context("invariant: computed for each size")?;
            if seen.keys().any(|other| other != root) {
                forks.push(Fork { size: *size, notes: seen.values().cloned().collect() });
            }
        }
        Ok(forks)
    }
}

/// The roots of the trees of these sizes, from the entries that are served below `log`.
fn roots(log: &str, sizes: &BTreeSet<TreeSize>) -> Result<BTreeMap<TreeSize, Hash>> {
    let mut roots = BTreeMap::new();
    let mut tree = RootBuilder::new();
    if sizes.contains(&tree.size()) {
        roots.insert(tree.size(), tree.root());
    }
    let last = sizes.last().copied().unwrap_or(TreeSize::new(0));
    for number in 0.. {
        let Some(id) = BundleId::in_tree(number, last) else { break };
        let bytes = crate::http::get(&format!("{log}/{}", id.path()))?;
        for leaf in EntryBundle::parse(id, &bytes)?.leaf_hashes() {
            tree.push(leaf);
            if sizes.contains(&tree.size()) {
                roots.insert(tree.size(), tree.root());
            }
        }
    }
    ensure!(tree.size() == last, "the log serves {} of {last} entries", tree.size());
    Ok(roots)
}

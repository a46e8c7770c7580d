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

    /// Compares all of them with the entries of the log, whose files `fetch` gives by their paths: the root at each size that
    /// was seen is computed from the entries. Two checkpoints that are both roots of one list of entries are consistent with
    /// each other, so this compares each with each.
    pub fn forks(&self, fetch: impl FnMut(&str) -> Result<Vec<u8>>) -> Result<Vec<Fork>> {
        let sizes: BTreeSet<TreeSize> = self.roots.keys().copied().collect();
        let roots = roots(fetch, &sizes)?;
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

/// The roots of the trees of these sizes, from the entries.
fn roots(
    mut fetch: impl FnMut(&str) -> Result<Vec<u8>>,
    sizes: &BTreeSet<TreeSize>,
) -> Result<BTreeMap<TreeSize, Hash>> {
    let mut roots = BTreeMap::new();
    let mut tree = RootBuilder::new();
    if sizes.contains(&tree.size()) {
        roots.insert(tree.size(), tree.root());
    }
    let last = sizes.last().copied().unwrap_or(TreeSize::new(0));
    for number in 0.. {
        let Some(id) = BundleId::in_tree(number, last) else { break };
        let bytes = fetch(&id.path())?;
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

#[cfg(test)]
mod tests {
    use super::*;
    use tlog::{KeyAlgorithm, KeyName, SigningKey, TreeHead, leaf_hash, root_of};

    fn key(seed: u8) -> SigningKey {
        let name = KeyName::new("log.example").unwrap();
        SigningKey::from_seed(name, KeyAlgorithm::Ed25519, &[seed; 32]).unwrap()
    }

    fn entry(number: u64) -> Vec<u8> {
        number.to_be_bytes().to_vec()
    }

    fn note(key: &SigningKey, entries: impl IntoIterator<Item = Vec<u8>>) -> SignedNote {
        let leaves: Vec<Hash> = entries.into_iter().map(|entry| leaf_hash(&entry)).collect();
        let head = TreeHead { size: TreeSize::new(leaves.len() as u64), root: root_of(leaves) };
        Checkpoint::new("log.example", head).unwrap().sign(key).unwrap()
    }

    /// The files of a log of `size` entries.
    fn served(size: u64) -> impl Fn(&str) -> Result<Vec<u8>> {
        move |path| {
            let id: BundleId = path.parse()?;
            let first = id.index() * 256;
            let mut bundle = EntryBundle::new();
            for number in first..(first + u64::from(id.width())).min(size) {
                bundle.push(entry(number))?;
            }
            Ok(bundle.encode())
        }
    }

    fn history() -> History {
        let mut history = History::new(&key(1).verifier_key().to_string()).unwrap();
        for size in [1, 255, 256, 300, 700] {
            history.saw(note(&key(1), (0..size).map(entry)).as_bytes()).unwrap();
        }
        history
    }

    #[test]
    fn stages_of_one_tree_are_no_fork() {
        let history = history();
        assert_eq!((history.notes(), history.largest()), (5, TreeSize::new(700)));
        assert!(history.forks(served(700)).unwrap().is_empty());
    }

    #[test]
    fn another_root_of_any_size_is_a_fork() {
        for size in [1, 255, 256, 299, 699, 700] {
            let mut history = history();
            let other = (0..size).map(|number| entry(if number == size - 1 { 9999 } else { number }));
            history.saw(note(&key(1), other).as_bytes()).unwrap();
            let forks = history.forks(served(700)).unwrap();
            assert_eq!(forks.len(), 1, "size {size}");
            assert_eq!(forks[0].size, TreeSize::new(size));
        }
    }

    #[test]
    fn a_log_that_lost_entries_is_found_out() {
        assert!(history().forks(served(699)).is_err());
    }

    #[test]
    fn what_the_log_has_not_signed_is_not_believed() {
        assert!(history().saw(note(&key(2), (0..3).map(entry)).as_bytes()).is_err());
    }
}

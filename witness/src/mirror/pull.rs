//! What is taken over from a log, and when.
//!
//! The copy grows from one archived checkpoint to the next, and never beyond what this witness has cosigned:
//!
//! 1. The newest checkpoint that was cosigned is read first and the published one afterwards, so that the latter is seldom behind.
//! 2. The published tree must be one that was cosigned, or a later stage of it, proven from its tiles. Then all its tiles and bundles
//!    up to the size that was cosigned are too ([`Authentic`]).
//! 3. For each archived checkpoint up to there: the signature, then the entries and their statements, then the root.

use std::collections::BTreeMap;
use std::sync::Arc;

use evidence::{Digest, Entry, EntryError, EntryKind, MAX_REGISTRY_LEN, MAX_STATEMENT_LEN};
use serving::metrics::Word;
use tlog::note::MAX_NOTE_LEN;
use tlog::tile::{MAX_LEVEL, TILE_WIDTH};
use tlog::{
    BundleId, Checkpoint, ConsistencyProof, EntryBundle, LeafIndex, NoteError, SignedNote, Tile, TileBuilder,
    TileId, TreeHead, TreeSize,
};

use super::authentic::{Authentic, TreeError};
use super::copy::{Archived, Copy, CopyError, PAGE, cut};
use super::source::{FetchError, Source};
use crate::logs::Log;
use crate::store::{Contradiction, Newest, Remembered, StoreError};
use crate::witness::Witness;

/// Bytes in the longest statement of kind 1: a snapshot of all revoked keys, or any other.
const MAX_PUBLIC_STATEMENT: usize =
    if MAX_REGISTRY_LEN > MAX_STATEMENT_LEN { MAX_REGISTRY_LEN } else { MAX_STATEMENT_LEN };

/// Bytes in a page of archived checkpoints: each has a 16-bit length.
const MAX_PAGE_LEN: usize = PAGE as usize * (2 + 0xffff);

/// Everything that one copy needs to grow.
pub struct Puller {
    /// The log.
    pub log: Arc<Log>,
    /// The witness, without whose cosignature nothing is taken over.
    pub witness: Arc<Witness>,
    /// The copy.
    pub copy: Arc<Copy>,
    /// Where the log is.
    pub source: Source,
}

/// What an attempt has come to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pulled {
    /// The size that the log has published.
    pub published: TreeSize,
    /// Whether the copy has grown.
    pub advanced: bool,
}

/// Why nothing, or nothing more, was taken over.
#[derive(Debug, thiserror::Error)]
pub enum PullError {
    /// The log did not answer, or not within bounds.
    #[error(transparent)]
    Fetch(FetchError),
    /// The witness stops.
    #[error("The work was broken off.")]
    Stopped,
    /// The log has published nothing.
    #[error("The log has published no checkpoint.")]
    Unpublished,
    /// Not a signed checkpoint of this log.
    #[error("The log serves a checkpoint that does not count: {0}")]
    Checkpoint(String),
    /// The published tree is smaller than the copy.
    #[error("The published tree has {published} entries, fewer than the copy's {copy}.")]
    Shrunk {
        /// The published size.
        published: TreeSize,
        /// The copy's size.
        copy: TreeSize,
    },
    /// The log has signed two trees that cannot both be true.
    #[error(
        "The log has forked: its published tree of size {published} contradicts the one of size {cosigned} that it had signed before."
    )]
    Forked {
        /// The published size.
        published: TreeSize,
        /// The size that was cosigned.
        cosigned: TreeSize,
    },
    /// A tile or bundle is missing or false.
    #[error(transparent)]
    Tree(TreeError),
    /// An entry is none.
    #[error("Entry {index} cannot be read. {source}")]
    Entry {
        /// Its index.
        index: u64,
        /// What is wrong with it.
        source: EntryError,
    },
    /// A statement is withheld or false.
    #[error("The statement behind entry {index} of the device registry {what}.")]
    Statement {
        /// The index of the entry.
        index: LeafIndex,
        /// What is wrong with it.
        what: &'static str,
    },
    /// The archive of checkpoints is withheld, cannot be read, or is false.
    #[error("The archive of checkpoints after size {after} {what}.")]
    Archive {
        /// The size asked for.
        after: TreeSize,
        /// What is wrong with it.
        what: String,
    },
    /// The copy cannot be read or written.
    #[error(transparent)]
    Copy(#[from] CopyError),
    /// The state cannot be read.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl From<FetchError> for PullError {
    fn from(error: FetchError) -> Self {
        match error {
            FetchError::Stopped => Self::Stopped,
            error => Self::Fetch(error),
        }
    }
}

impl From<TreeError> for PullError {
    fn from(error: TreeError) -> Self {
        match error {
            TreeError::Fetch(error) => error.into(),
            error => Self::Tree(error),
        }
    }
}

impl PullError {
    /// A stable word for the metrics.
    pub fn word(&self) -> Word {
        Word(match self {
            Self::Fetch(FetchError::TooLong { .. }) => "too-long",
            Self::Fetch(_) | Self::Stopped => "away",
            Self::Unpublished => "unpublished",
            Self::Checkpoint(_) => "checkpoint",
            Self::Shrunk { .. } => "shrunk",
            Self::Forked { .. } => "forked",
            Self::Tree(TreeError::Missing(_)) => "missing",
            Self::Tree(_) => "tile",
            Self::Entry { .. } => "entry",
            Self::Statement { .. } => "statement",
            Self::Archive { .. } => "archive",
            Self::Copy(_) | Self::Store(_) => "storage",
        })
    }

    /// Whether an honest log would not have answered so.
    pub fn is_misbehaviour(&self) -> bool {
        !matches!(
            self,
            Self::Fetch(_)
                | Self::Stopped
                | Self::Unpublished
                | Self::Copy(_)
                | Self::Store(_)
                | Self::Shrunk { .. }
        )
    }
}

impl Puller {
    /// Brings the copy up to date as far as may be.
    ///
    /// # Errors
    /// Every [`PullError`]; what was taken over before stays.
    pub async fn pull(&self) -> Result<Pulled, PullError> {
        let newest = self.witness.store().newest(self.log.origin()).await?;
        let published = self.published().await?;
        let size = published.head.size;
        let before = self.copy.head();
        let unchanged = Pulled { published: size, advanced: false };
        let Some(newest) = newest else { return Ok(unchanged) };
        if size < before.size {
            return Err(PullError::Shrunk { published: size, copy: before.size });
        }
        let Some((mut tree, limit)) = self.connect(&published, &newest).await? else { return Ok(unchanged) };
        while self.page(&mut tree, limit).await? {}
        let after = self.copy.head().size;
        if after < size && size <= limit {
            return Err(self.archive(after, "lacks the published checkpoint"));
        }
        Ok(Pulled { published: size, advanced: after > before.size })
    }

    /// The published checkpoint.
    async fn published(&self) -> Result<Archived, PullError> {
        let note = self.source.get("/checkpoint", MAX_NOTE_LEN).await?.ok_or(PullError::Unpublished)?;
        self.signed(&note).map_err(PullError::Checkpoint)
    }

    /// A checkpoint of this log, signed by a configured key.
    fn signed(&self, note: &[u8]) -> Result<Archived, String> {
        let note = SignedNote::parse(note).map_err(|error| error.to_string())?;
        let checkpoint = Checkpoint::unverified(&note).map_err(|error| error.to_string())?;
        if checkpoint.origin() != self.log.origin() {
            return Err(format!("it is one of {:?}.", checkpoint.origin()));
        }
        note.verify(self.log.keys()).map_err(|error: NoteError| error.to_string())?;
        Ok(Archived { head: checkpoint.head(), note })
    }

    /// The published tree, if it can be connected with what was cosigned, and the size up to which it was. `None`: not yet.
    async fn connect(
        &self,
        published: &Archived,
        newest: &Newest,
    ) -> Result<Option<(Authentic<'_>, TreeSize)>, PullError> {
        let (head, cosigned) = (published.head, newest.head);
        if head.size <= cosigned.size {
            let tree = if head.size == cosigned.size {
                Some(Remembered { root: cosigned.root, note: Some(newest.note.clone()) })
            } else {
                self.witness.store().cosigned(self.log.origin(), head.size).await?
            };
            return match tree {
                None => Ok(None),
                Some(Remembered { root, note }) if root != head.root => {
                    // Two notes of one size prove it by themselves.
                    let ours = note.as_ref().unwrap_or(&newest.note);
                    Err(self.forked(published, head.size, ours, &ConsistencyProof::empty()).await?)
                }
                Some(_) => Ok(Some((Authentic::load(&self.source, head).await?, head.size))),
            };
        }
        let tree = Authentic::load(&self.source, head).await?;
        if cosigned.size > TreeSize::ZERO {
            let (beginning, proof) = tree.beginning(cosigned.size).await?;
            if beginning != cosigned.root {
                return Err(self.forked(published, cosigned.size, &newest.note, &proof).await?);
            }
        }
        Ok(Some((tree, cosigned.size)))
    }

    /// Keeps the two notes as proof.
    async fn forked(
        &self,
        published: &Archived,
        cosigned: TreeSize,
        ours: &SignedNote,
        proof: &ConsistencyProof,
    ) -> Result<PullError, PullError> {
        let (head, theirs) = (published.head, published.note.clone());
        let found =
            Contradiction { seen_at: self.witness.now(), head, theirs, proof: proof.hashes().to_vec() };
        self.witness.report(&self.log, head.size.get());
        self.witness.store().keep(self.log.origin(), ours, &found).await?;
        Ok(PullError::Forked { published: head.size, cosigned })
    }

    /// Takes over the archived checkpoints of one page that reach no further than `limit`, with everything that they commit to.
    /// Whether there may be more.
    async fn page(&self, tree: &mut Authentic<'_>, limit: TreeSize) -> Result<bool, PullError> {
        let before = self.copy.head();
        if before.size >= limit {
            return Ok(false);
        }
        let page = self.source.get(&format!("/checkpoints/after/{}", before.size), MAX_PAGE_LEN).await?;
        let page = page.ok_or_else(|| self.archive(before.size, "is not served"))?;
        let mut archived = Vec::new();
        let mut last = before.size;
        for note in frames(&page).ok_or_else(|| self.archive(before.size, "cannot be read"))? {
            let checkpoint = self.signed(note).map_err(|what| self.archive(before.size, &what))?;
            if checkpoint.head.size <= last {
                return Err(self.archive(before.size, "is not in order"));
            }
            last = checkpoint.head.size;
            if last > limit {
                break;
            }
            archived.push(checkpoint);
        }
        if archived.is_empty() {
            return Ok(false);
        }
        let mut growth = Growth::new(self, tree)?;
        for checkpoint in &archived {
            growth.grow(checkpoint.head.size).await?;
            if growth.builder.head() != checkpoint.head {
                return Err(
                    self.archive(before.size, "holds a checkpoint with a root that its entries do not have")
                );
            }
        }
        growth.write_partial().await?;
        self.copy.commit(&archived).await?;
        self.discard(before.size).await;
        Ok(true)
    }

    /// Removes partial tiles and the partial bundle of an earlier size that wider ones have replaced.
    async fn discard(&self, before: TreeSize) {
        let now = self.copy.head().size;
        for id in partial_tiles(before) {
            if TileId::in_tree(id.level(), id.index(), now) != Some(id) {
                self.copy.discard(&id.path()).await;
            }
        }
        if let Some(id) = partial_bundle(before)
            && BundleId::in_tree(id.index(), now) != Some(id)
        {
            self.copy.discard(&id.path()).await;
        }
    }

    fn archive(&self, after: TreeSize, what: &str) -> PullError {
        PullError::Archive { after, what: what.to_owned() }
    }
}

/// The copy while it grows: what is not counted yet.
struct Growth<'a, 'b> {
    puller: &'a Puller,
    tree: &'a mut Authentic<'b>,
    builder: TileBuilder,
    /// The bundle at the edge, as far as the published tree has it.
    bundle: Option<(u64, EntryBundle)>,
    /// The newest partial tile of each level.
    partial: BTreeMap<u8, Tile>,
}

impl<'a, 'b> Growth<'a, 'b> {
    fn new(puller: &'a Puller, tree: &'a mut Authentic<'b>) -> Result<Self, PullError> {
        let builder = puller.copy.edge()?;
        Ok(Self { puller, tree, builder, bundle: None, partial: BTreeMap::new() })
    }

    /// Takes over the entries up to `size`, with statements, full bundles and full tiles.
    async fn grow(&mut self, size: TreeSize) -> Result<(), PullError> {
        while self.builder.size() < size {
            let start = self.builder.size().get();
            let index = start / u64::from(TILE_WIDTH);
            self.fetch(index).await?;
            let Some((_, bundle)) = &self.bundle else { return Ok(()) };
            let first = index * u64::from(TILE_WIDTH);
            // invariant: both are at most 256, as the bundle begins at `first` and holds at most that many entries.
            let from = usize::try_from(start - first).unwrap_or(0);
            let to = usize::try_from(size.get() - first).unwrap_or(usize::MAX).min(usize::from(TILE_WIDTH));
            let entries = bundle.entries().get(from..to).ok_or_else(|| missing(index))?;
            for (at, bytes) in (start..).zip(entries) {
                let entry = Entry::parse(bytes).map_err(|source| PullError::Entry { index: at, source })?;
                if entry.kind == EntryKind::Registry {
                    self.statement(LeafIndex::new(at), &entry).await?;
                }
            }
            let leaves: Vec<_> = bundle.leaf_hashes().skip(from).take(to - from).collect();
            if to == usize::from(TILE_WIDTH) {
                let id = BundleId::new(index, TILE_WIDTH).map_err(|_| missing(index))?;
                self.write_new(&id.path(), bundle.encode()).await?;
            }
            for tile in self.builder.append(leaves) {
                if tile.id.is_partial() {
                    self.partial.insert(tile.id.level(), tile);
                } else {
                    self.write_new(&tile.id.path(), tile.data).await?;
                }
            }
        }
        Ok(())
    }

    /// Has bundle `index` at hand: from the copy, if an earlier attempt has left it there whole, else from the log.
    async fn fetch(&mut self, index: u64) -> Result<(), PullError> {
        if self.bundle.as_ref().is_some_and(|(present, _)| *present == index) {
            return Ok(());
        }
        let id = BundleId::in_tree(index, self.tree.head().size).ok_or_else(|| missing(index))?;
        if let Some(data) = self.puller.copy.read(&id.path()).await?
            && let Ok(bundle) = EntryBundle::parse(id, &data)
            && self.tree.is_authentic(id, &bundle).await?
        {
            self.bundle = Some((index, bundle));
            return Ok(());
        }
        self.bundle = Some((index, self.tree.bundle(index).await?));
        Ok(())
    }

    async fn statement(&self, index: LeafIndex, entry: &Entry) -> Result<(), PullError> {
        let path = Copy::statement_path(index);
        let fits = |bytes: &[u8]| Digest::of(bytes) == entry.statement;
        if self.puller.copy.read(&path).await?.is_some_and(|bytes| fits(&bytes)) {
            return Ok(());
        }
        let bytes = self.puller.source.get(&format!("/statement/{index}"), MAX_PUBLIC_STATEMENT).await?;
        let bytes = bytes.ok_or(PullError::Statement { index, what: "is withheld" })?;
        if !fits(&bytes) {
            return Err(PullError::Statement { index, what: "is not the one that the entry commits to" });
        }
        Ok(self.puller.copy.write(&path, bytes).await?)
    }

    /// Writes a file that an earlier attempt may have left there.
    async fn write_new(&self, path: &str, bytes: Vec<u8>) -> Result<(), PullError> {
        Ok(self.puller.copy.write(path, bytes).await?)
    }

    /// Writes what lies at the right edge. What has not changed since the copy's size is there.
    async fn write_partial(&self) -> Result<(), PullError> {
        let size = self.builder.size();
        for id in partial_tiles(size) {
            if let Some(tile) = self.partial.get(&id.level()).filter(|tile| tile.id == id) {
                self.write_new(&id.path(), tile.data.clone()).await?;
            }
        }
        if let Some(id) = partial_bundle(size)
            && let Some((index, bundle)) = &self.bundle
            && *index == id.index()
        {
            let data = cut(bundle, id.width()).ok_or_else(|| missing(*index))?;
            self.write_new(&id.path(), data).await?;
        }
        Ok(())
    }
}

fn missing(index: u64) -> PullError {
    PullError::Tree(TreeError::Missing(format!("bundle {index}")))
}

/// The partial tiles of a tree of this size.
pub(crate) fn partial_tiles(size: TreeSize) -> impl Iterator<Item = TileId> {
    (0..=MAX_LEVEL)
        .map_while(move |level| {
            let nodes = size.get().checked_shr(u32::from(level) * 8).filter(|nodes| *nodes > 0)?;
            Some(TileId::in_tree(level, nodes / u64::from(TILE_WIDTH), size))
        })
        .flatten()
}

/// The partial bundle of a tree of this size.
pub(crate) fn partial_bundle(size: TreeSize) -> Option<BundleId> {
    BundleId::in_tree(size.get() / u64::from(TILE_WIDTH), size)
}

/// The notes of a page, each behind its 16-bit length; `None` if it is not one, or has more than [`PAGE`].
pub(crate) fn frames(page: &[u8]) -> Option<Vec<&[u8]>> {
    let mut notes = Vec::new();
    let mut rest = page;
    while !rest.is_empty() {
        let (length, tail) = rest.split_first_chunk::<2>()?;
        let (note, tail) = tail.split_at_checked(usize::from(u16::from_be_bytes(*length)))?;
        notes.push(note);
        rest = tail;
    }
    (notes.len() <= usize::from(PAGE)).then_some(notes)
}

/// The head of the empty tree.
pub(crate) fn empty() -> TreeHead {
    TreeHead { size: TreeSize::ZERO, root: tlog::empty_root() }
}

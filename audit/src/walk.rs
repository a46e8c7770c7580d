//! The walk along the chain: every entry in order, and every archived checkpoint at its place.
//!
//! bundles → entries → leaf hashes → root, which must be the verified one at the end, and on the way the root of every archived
//! checkpoint and of everything else that is known about this chain.

use std::collections::{BTreeMap, VecDeque};

use evidence::{Entry, TrustFile, UnixSeconds, was_set_back};
use tlog::tile::TILE_WIDTH;
use tlog::{
    BundleId, Checkpoint, Hash, LeafIndex, LoadError, SignedNote, TileBuilder, TreeHead, TreeSize,
    VerifiedCheckpoint,
};

use crate::finding::{Code, Finding};
use crate::reader::{self, LogObject, LogReader, ReadLogError, TileError, Tiles};
use crate::trusted::Trusted;

const WIDTH: u64 = TILE_WIDTH as u64;

/// What is done with the chain on the way.
pub trait Visitor {
    /// Why the walk is broken off.
    type Error: From<WalkError>;

    /// The next entry. Its place in the tree is certain only when the next archived checkpoint has been reached.
    fn entry(&mut self, index: LeafIndex, entry: &Entry) -> Result<(), Self::Error>;

    /// A trusted archived checkpoint whose root is that of the entries so far.
    fn archived(&mut self, archived: &Archived<'_>) -> Result<(), Self::Error>;

    /// Something is wrong. An error breaks the walk off.
    fn finding(&mut self, finding: Finding) -> Result<(), Self::Error>;
}

/// An archived checkpoint whose signatures and root were checked.
#[derive(Debug, Clone, Copy)]
pub struct Archived<'a> {
    /// Size and root.
    pub head: TreeHead,
    /// When a quorum had cosigned; `None` with `quorum none`.
    pub time: Option<UnixSeconds>,
    /// The note.
    pub note: &'a [u8],
}

/// Something that is known about this chain already.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Expectation {
    /// Size and root.
    pub head: TreeHead,
    /// Where that is known from, as the subject of a sentence.
    pub source: String,
    /// The checkpoint that says so, if one does.
    pub checkpoint: Option<VerifiedCheckpoint>,
}

impl Expectation {
    /// What a checkpoint that was verified before says.
    pub fn of(trusted: &Trusted, source: &str) -> Self {
        Self {
            head: trusted.head(),
            source: source.to_owned(),
            checkpoint: Some(trusted.checkpoint().clone()),
        }
    }
}

/// Where a walk begins.
#[derive(Debug, Clone, Default)]
pub struct Start {
    edge: TileBuilder,
    /// Sealing time of the entry before, where the walk does not begin with the first.
    sealed_at: Option<UnixSeconds>,
}

/// Why the chain could not be read.
#[derive(Debug, thiserror::Error)]
pub enum WalkError {
    /// An object could not be read.
    #[error(transparent)]
    Read(#[from] ReadLogError),
    /// The log publishes nothing.
    #[error("The log publishes no checkpoint.")]
    NoCheckpoint,
    /// The published checkpoint is not to be trusted.
    #[error("The published checkpoint is not trusted. {0}")]
    NotTrusted(#[from] crate::trusted::NotTrusted),
    /// A published bundle is not there.
    #[error("The log has no bundle {0}, although its checkpoint covers it.")]
    MissingBundle(String),
}

impl Start {
    /// From the tree of `head` on, whose newest entry was sealed at `sealed_at`: its edge is read from the tiles of a log that has
    /// grown to `size`, and must have that root. `None` if the log has another tree there, or not these tiles.
    pub fn at(
        reader: &dyn LogReader,
        head: &TreeHead,
        sealed_at: UnixSeconds,
        size: TreeSize,
    ) -> Result<Option<Self>, ReadLogError> {
        match TileBuilder::load(head, &Tiles(reader, size)) {
            Ok(edge) => Ok(Some(Self { edge, sealed_at: Some(sealed_at) })),
            Err(LoadError::Tile { source: TileError::Read(error), .. }) => Err(error),
            Err(_) => Ok(None),
        }
    }

    /// From a tree whose edge is known.
    pub fn from_edge(edge: TileBuilder, sealed_at: UnixSeconds) -> Self {
        Self { edge, sealed_at: Some(sealed_at) }
    }

    /// The size from which on it reads.
    pub fn size(&self) -> TreeSize {
        self.edge.size()
    }
}

/// The newest published checkpoint, verified.
pub fn published(reader: &dyn LogReader, trust: &TrustFile) -> Result<Trusted, WalkError> {
    let note = reader.get(LogObject::Checkpoint)?.ok_or(WalkError::NoCheckpoint)?;
    Ok(Trusted::new(trust, &note, None)?)
}

/// One walk.
struct Walk<'a, V> {
    reader: &'a dyn LogReader,
    trust: &'a TrustFile,
    visitor: &'a mut V,
    edge: TileBuilder,
    sealed_at: Option<UnixSeconds>,
    archive: Archive<'a>,
    expected: BTreeMap<u64, Vec<Expectation>>,
    /// Leaves that are not in the edge yet.
    leaves: Vec<Hash>,
}

/// Reads the chain from `start` to the published checkpoint `target`, and shows it to `visitor`.
pub fn walk<V: Visitor>(
    reader: &dyn LogReader,
    trust: &TrustFile,
    target: &Trusted,
    start: Start,
    expected: Vec<Expectation>,
    visitor: &mut V,
) -> Result<(), V::Error> {
    let archive = Archive { reader, after: start.edge.size(), page: VecDeque::new(), ended: false };
    let mut by_size: BTreeMap<u64, Vec<Expectation>> = BTreeMap::new();
    for expectation in expected.into_iter().chain(closed(trust, target)) {
        by_size.entry(expectation.head.size.get()).or_default().push(expectation);
    }
    let mut walk = Walk {
        reader,
        trust,
        visitor,
        edge: start.edge,
        sealed_at: start.sealed_at,
        archive,
        expected: by_size,
        leaves: Vec::new(),
    };
    walk.run(target)
}

/// What the trust file says of logs that were closed.
fn closed<'a>(trust: &'a TrustFile, target: &'a Trusted) -> impl Iterator<Item = Expectation> + 'a {
    let ours = trust
        .logs()
        .iter()
        .filter(|logs| logs.policy.logs().iter().any(|log| log.key().name().as_str() == target.origin()));
    ours.filter_map(|logs| logs.closed).map(|head| Expectation {
        head,
        source: "The closing of the log in the trust file".to_owned(),
        checkpoint: None,
    })
}

impl<V: Visitor> Walk<'_, V> {
    fn run(&mut self, target: &Trusted) -> Result<(), V::Error> {
        let head = target.head();
        self.sizes(target)?;
        let mut next = self.next_stop(head.size)?;
        while self.size() < head.size.get() {
            let index = self.size() / WIDTH;
            let skip = usize::try_from(self.size() % WIDTH).unwrap_or(usize::MAX);
            for bytes in self.bundle(index, head.size)?.into_iter().skip(skip) {
                self.entry(&bytes)?;
                if next == Some(self.size()) {
                    self.stop(target)?;
                    next = self.next_stop(head.size)?;
                }
            }
        }
        self.flush();
        if self.edge.head() != head {
            let sentence = format!(
                "The {} entries have the root {}, but {} was signed for them.",
                head.size,
                self.edge.root().to_base64(),
                head.root.to_base64()
            );
            self.visitor
                .finding(Finding::tree(Code::WrongTree, head.size, sentence).with_note(target.note()))?;
        }
        if self.archive.after < head.size {
            let sentence = format!(
                "The newest archived checkpoint has size {}, the published one {}: the entries between have no proven sealing time.",
                self.archive.after, head.size
            );
            self.visitor.finding(Finding::tree(Code::ArchiveMissing, head.size, sentence))?;
        }
        Ok(())
    }

    /// What is known of larger trees than the published one.
    fn sizes(&mut self, target: &Trusted) -> Result<(), V::Error> {
        let size = target.head().size;
        for expectation in self.expected.split_off(&(size.get() + 1)).into_values().flatten() {
            let Some(before) = &expectation.checkpoint else { continue };
            let sentence = format!(
                "{} has {} entries, the published checkpoint {size}.",
                expectation.source, expectation.head.size
            );
            // Whoever sees an older copy, of a mirror or a cache, has seen no chain that shrinks.
            let is_set_back = was_set_back(before, target.checkpoint());
            let code = if is_set_back { Code::Shrunk } else { Code::Stale };
            let finding = Finding::tree(code, size, sentence).with_note(target.note());
            let finding = finding.with_note(before.note().as_bytes());
            self.visitor.finding(finding)?;
        }
        for logs in self.trust.logs() {
            let ours = logs.policy.logs().iter().any(|log| log.key().name().as_str() == target.origin());
            if let (true, Some(closed)) = (ours, logs.closed)
                && size > closed.size
            {
                let sentence =
                    format!("The trust file closed the log at {} entries; it has {size}.", closed.size);
                let finding = Finding::tree(Code::BeyondClosed, size, sentence).with_note(target.note());
                self.visitor.finding(finding)?;
            }
        }
        Ok(())
    }

    fn size(&self) -> u64 {
        // invariant: a chunk has fewer than 2^63 leaves.
        self.edge.size().get() + u64::try_from(self.leaves.len()).unwrap_or(u64::MAX)
    }

    fn flush(&mut self) {
        self.edge.append(std::mem::take(&mut self.leaves));
    }

    fn bundle(&mut self, index: u64, size: TreeSize) -> Result<Vec<Vec<u8>>, V::Error> {
        // What is appended bundle by bundle keeps memory small.
        self.flush();
        let id = BundleId::in_tree(index, size);
        let missing = || WalkError::MissingBundle(id.map_or_else(|| index.to_string(), |id| id.path()));
        let entries = match id {
            Some(id) => reader::bundle(self.reader, id).map_err(WalkError::from)?,
            None => None,
        };
        Ok(entries.ok_or_else(missing)?)
    }

    fn entry(&mut self, bytes: &[u8]) -> Result<(), V::Error> {
        let index = LeafIndex::new(self.size());
        self.leaves.push(tlog::leaf_hash(bytes));
        let entry = match Entry::parse(bytes) {
            Ok(entry) => entry,
            Err(error) => {
                let finding = Finding::entry(Code::MalformedEntry, index, error.to_string());
                return self.visitor.finding(finding);
            }
        };
        if self.sealed_at.is_some_and(|before| entry.sealed_at < before) {
            let sentence = "It states an earlier sealing time than the entry before it.";
            self.visitor.finding(Finding::entry(Code::TimeGoesBack, index, sentence))?;
        }
        self.sealed_at = self.sealed_at.max(Some(entry.sealed_at));
        self.visitor.entry(index, &entry)
    }

    /// The next size, up to `limit`, at which a root is known.
    fn next_stop(&mut self, limit: TreeSize) -> Result<Option<u64>, V::Error> {
        let archived = match self.archive.peek() {
            Ok(archived) => archived.map(TreeSize::get),
            Err(ArchiveError::Read(error)) => return Err(WalkError::Read(error).into()),
            Err(ArchiveError::Malformed(sentence)) => {
                self.archive.end();
                let after = self.archive.after;
                self.visitor.finding(Finding::tree(Code::ArchiveMalformed, after, sentence))?;
                None
            }
        };
        let expected = self.expected.range(self.size() + 1..).next().map(|(size, _)| *size);
        let next = [archived, expected].into_iter().flatten().min();
        Ok(next.filter(|size| *size <= limit.get()))
    }

    fn stop(&mut self, target: &Trusted) -> Result<(), V::Error> {
        self.flush();
        let here = self.edge.head();
        for expectation in self.expected.remove(&here.size.get()).unwrap_or_default() {
            if expectation.head.root != here.root {
                let sentence = format!(
                    "{} states the root {} for {} entries; the chain has {}.",
                    expectation.source,
                    expectation.head.root.to_base64(),
                    here.size,
                    here.root.to_base64()
                );
                let finding = Finding::tree(Code::Forked, here.size, sentence).with_note(target.note());
                let before = expectation.checkpoint;
                self.visitor.finding(match &before {
                    Some(before) => finding.with_note(before.note().as_bytes()),
                    None => finding,
                })?;
            }
        }
        let Some(note) = self.archive.take(here.size) else { return Ok(()) };
        match Trusted::new(self.trust, &note, self.sealed_at) {
            Err(error) => {
                let sentence = format!("The archived checkpoint is not trusted. {error}");
                self.visitor
                    .finding(Finding::tree(Code::ArchiveUntrusted, here.size, sentence).with_note(&note))
            }
            Ok(trusted) if trusted.origin() != target.origin() => {
                let sentence = format!("The archived checkpoint is one of {}.", trusted.origin());
                self.visitor
                    .finding(Finding::tree(Code::ArchiveUntrusted, here.size, sentence).with_note(&note))
            }
            Ok(trusted) if trusted.head() != here => {
                let sentence = format!(
                    "The archived checkpoint states the root {}; the chain has {} there.",
                    trusted.head().root.to_base64(),
                    here.root.to_base64()
                );
                let finding = Finding::tree(Code::Forked, here.size, sentence);
                self.visitor.finding(finding.with_note(target.note()).with_note(&note))
            }
            Ok(trusted) => self.visitor.archived(&Archived { head: here, time: trusted.time(), note: &note }),
        }
    }
}

/// The archive of checkpoints, read page by page. Only the order is checked here.
struct Archive<'a> {
    reader: &'a dyn LogReader,
    /// Size of the last checkpoint that was taken.
    after: TreeSize,
    page: VecDeque<(TreeSize, Vec<u8>)>,
    ended: bool,
}

enum ArchiveError {
    Read(ReadLogError),
    Malformed(String),
}

impl Archive<'_> {
    /// Size of the next checkpoint.
    fn peek(&mut self) -> Result<Option<TreeSize>, ArchiveError> {
        if self.page.is_empty() && !self.ended {
            let bytes = self.reader.get(LogObject::ArchivedAfter(self.after)).map_err(ArchiveError::Read)?;
            self.page =
                parse_page(&bytes.unwrap_or_default(), self.after).map_err(ArchiveError::Malformed)?;
            self.ended = self.page.is_empty();
        }
        Ok(self.page.front().map(|(size, _)| *size))
    }

    /// The checkpoint of exactly this size, if it is the next one.
    fn take(&mut self, size: TreeSize) -> Option<Vec<u8>> {
        let (found, note) = self.page.pop_front_if(|(next, _)| *next == size)?;
        self.after = found;
        Some(note)
    }

    fn end(&mut self) {
        self.ended = true;
    }
}

/// A page of archived checkpoints: each a 16-bit length and a note, ascending by size.
fn parse_page(bytes: &[u8], after: TreeSize) -> Result<VecDeque<(TreeSize, Vec<u8>)>, String> {
    let mut page = VecDeque::new();
    let mut last = after;
    let mut rest = bytes;
    while !rest.is_empty() {
        let cut = rest
            .split_first_chunk::<2>()
            .and_then(|(length, tail)| tail.split_at_checked(usize::from(u16::from_be_bytes(*length))));
        let (note, tail) = cut.ok_or_else(|| format!("The archive after size {after} is cut off."))?;
        let parsed = SignedNote::parse(note).map_err(|error| {
            format!("The archive after size {last} holds something that is no note. {error}")
        })?;
        let checkpoint = Checkpoint::unverified(&parsed).map_err(|error| {
            format!("The archive after size {last} holds something that is no checkpoint. {error}")
        })?;
        let size = checkpoint.head().size;
        if size <= last {
            return Err(format!("The archive has a checkpoint of size {size} after one of size {last}."));
        }
        page.push_back((size, note.to_vec()));
        last = size;
        rest = tail;
    }
    Ok(page)
}

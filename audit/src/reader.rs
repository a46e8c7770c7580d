//! Where the chain is read from.

use std::thread;
use std::time::Duration;

use client::{Client, ClientError, ServerUrl};
use evidence::MAX_STATEMENT_LEN;
use tlog::tile::TILE_WIDTH;
use tlog::{BundleId, LeafIndex, TileId, TreeSize};

/// A note (`log.md`).
const MAX_NOTE: usize = 512 << 10;
/// 256 entries, of which a foreign one may be as long as its length prefix can say.
const MAX_BUNDLE: usize = 256 * (0xffff + 2);
/// Checkpoints come in the framing of entry bundles.
const MAX_ARCHIVE: usize = 256 * (0xffff + 2);

const TIMEOUT: Duration = Duration::from_secs(30);
const ATTEMPTS: u32 = 4;
const FIRST_PAUSE: Duration = Duration::from_millis(250);

/// Something that a log, or a mirror of it, serves below its prefix.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum LogObject {
    /// The newest published checkpoint.
    Checkpoint,
    /// A tile of hashes.
    Tile(TileId),
    /// An entry bundle.
    Bundle(BundleId),
    /// The statement of an entry of the device registry.
    Statement(LeafIndex),
    /// Archived checkpoints above a size, ascending, up to 256.
    ArchivedAfter(TreeSize),
}

impl LogObject {
    /// The address below the log's prefix; begins with a slash.
    pub fn path(&self) -> String {
        match self {
            Self::Checkpoint => "/checkpoint".to_owned(),
            Self::Tile(id) => format!("/{}", id.path()),
            Self::Bundle(id) => format!("/{}", id.path()),
            Self::Statement(index) => format!("/statement/{index}"),
            Self::ArchivedAfter(size) => format!("/checkpoints/after/{size}"),
        }
    }

    fn max_len(&self) -> usize {
        match self {
            Self::Checkpoint => MAX_NOTE,
            Self::Tile(_) => usize::from(TILE_WIDTH) * tlog::Hash::LEN,
            Self::Bundle(_) => MAX_BUNDLE,
            Self::Statement(_) => MAX_STATEMENT_LEN,
            Self::ArchivedAfter(_) => MAX_ARCHIVE,
        }
    }

    fn media_type(&self) -> &'static str {
        match self {
            Self::Checkpoint => "text/plain",
            Self::Tile(_) | Self::Bundle(_) | Self::ArchivedAfter(_) => "application/octet-stream",
            Self::Statement(_) => "application/cose",
        }
    }
}

/// Something that has the files of a log. Nothing that it gives is believed.
pub trait LogReader {
    /// The bytes of one object; `None` if the log answers that there is no such object.
    fn get(&self, object: LogObject) -> Result<Option<Vec<u8>>, ReadLogError>;
}

/// The log could not be read; that says nothing about what it holds.
#[derive(Debug, thiserror::Error)]
#[error("{path} could not be read. {source}")]
pub struct ReadLogError {
    /// The address below the log's prefix.
    pub path: String,
    /// Why.
    pub source: Box<dyn std::error::Error + Send + Sync>,
}

/// A log or a mirror at a web address.
pub struct HttpLog(Client);

impl HttpLog {
    /// The log whose prefix, such as `https://notary.example/log`, is `prefix`.
    pub fn new(prefix: ServerUrl) -> Result<Self, ClientError> {
        Client::new(prefix).map(Self)
    }
}

impl LogReader for HttpLog {
    fn get(&self, object: LogObject) -> Result<Option<Vec<u8>>, ReadLogError> {
        let path = object.path();
        let mut pause = FIRST_PAUSE;
        for attempt in 1.. {
            match self.0.get(&path, object.media_type(), object.max_len(), TIMEOUT) {
                Ok(answer) => return Ok(Some(answer.body)),
                Err(ClientError::Refused { problem, .. }) if problem.status == 404 => return Ok(None),
                Err(error) if error.is_temporary() && attempt < ATTEMPTS => {
                    thread::sleep(pause);
                    pause *= 2;
                }
                Err(error) => return Err(ReadLogError { path, source: Box::new(error) }),
            }
        }
        // invariant: the last attempt returns.
        Ok(None)
    }
}

/// The entries of a bundle as wide as `id`, also where the log has only kept the full one.
pub(crate) fn bundle(reader: &dyn LogReader, id: BundleId) -> Result<Option<Vec<Vec<u8>>>, ReadLogError> {
    let unreadable = |source: tlog::BundleError| ReadLogError {
        path: format!("/{}", id.path()),
        source: Box::new(source),
    };
    if let Some(bytes) = reader.get(LogObject::Bundle(id))? {
        let bundle = tlog::EntryBundle::parse(id, &bytes).map_err(unreadable)?;
        return Ok(Some(bundle.entries().to_vec()));
    }
    let Ok(full) = BundleId::new(id.index(), TILE_WIDTH) else { return Ok(None) };
    if full == id {
        return Ok(None);
    }
    let Some(bytes) = reader.get(LogObject::Bundle(full))? else { return Ok(None) };
    let bundle = tlog::EntryBundle::parse(full, &bytes).map_err(unreadable)?;
    Ok(Some(bundle.entries().iter().take(usize::from(id.width())).cloned().collect()))
}

/// The bytes of a tile, also where the log has only kept a wider one: that of the tree of `size`, or the full one.
fn tile(reader: &dyn LogReader, id: TileId, size: TreeSize) -> Result<Option<Vec<u8>>, ReadLogError> {
    let (level, index) = (id.level(), id.index());
    let full = TileId::new(level, index, TILE_WIDTH).ok();
    let mut wider: Vec<TileId> = Vec::new();
    for candidate in [TileId::in_tree(level, index, size), Some(id), full].into_iter().flatten() {
        if candidate.width() >= id.width() && !wider.contains(&candidate) {
            wider.push(candidate);
        }
    }
    for candidate in wider {
        if let Some(bytes) = reader.get(LogObject::Tile(candidate))? {
            return Ok(bytes.get(..id.byte_len()).map(<[u8]>::to_vec));
        }
    }
    Ok(None)
}

/// For `tlog`'s readers: the tiles of a log of this size.
pub(crate) struct Tiles<'a>(pub(crate) &'a dyn LogReader, pub(crate) TreeSize);

/// A tile that could not be had.
#[derive(Debug, thiserror::Error)]
pub enum TileError {
    /// The log could not be read.
    #[error(transparent)]
    Read(#[from] ReadLogError),
    /// The log has no such tile.
    #[error("There is no tile {0}.")]
    Missing(TileId),
}

impl tlog::HashReader for Tiles<'_> {
    type Error = TileError;

    fn tile(&self, id: TileId) -> Result<Vec<u8>, TileError> {
        tile(self.0, id, self.1)?.ok_or(TileError::Missing(id))
    }
}

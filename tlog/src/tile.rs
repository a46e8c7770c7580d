//! Tiles and their addresses, C2SP `tlog-tiles` at commit `5ba5ee830903e91240fc6f9f3a7a9293d49e69c9`.
//!
//! ```text
//! tile/<L>/<N>[.p/<W>]        256 (or W) hashes of level L
//! tile/entries/<N>[.p/<W>]    256 (or W) entries, see `bundle`
//! ```
//!
//! `<N>` is split into groups of three digits, all but the last behind an `x`. Stricter than the specification:
//! the address of a tile that no tree of up to 2^63 - 1 leaves has is refused.

use std::fmt;
use std::str::FromStr;

use crate::encoding::parse_decimal;
use crate::hash::Hash;
use crate::tree::TreeSize;

/// Hashes in a full tile, entries in a full bundle.
pub const TILE_WIDTH: u16 = 256;

/// Tree levels that one tile spans.
pub const TILE_HEIGHT: u8 = 8;

/// The highest level that an address may name.
pub const MAX_LEVEL: u8 = 63;

/// Characters in the longest address: `tile/63/` with an index of 20 digits in groups and `.p/255`, rounded up.
const MAX_PATH_LEN: usize = 64;

/// The address of a tile of hashes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TileId {
    level: u8,
    index: u64,
    width: u16,
}

/// The address of an entry bundle.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BundleId {
    index: u64,
    width: u16,
}

/// Why a text is not the address of a tile or bundle, or why bytes are not that tile.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TileError {
    /// The address does not follow the grammar.
    #[error("The tile address does not have the form tile/<level>/<index>[.p/<width>].")]
    Syntax,
    /// The level is above [`MAX_LEVEL`] or not a strict decimal.
    #[error("The tile address has a level that is not a decimal from 0 to {MAX_LEVEL}.")]
    Level,
    /// The index is not in canonical groups of three digits.
    #[error("The tile address has an index that is not written in canonical groups of three digits.")]
    Index,
    /// The width is not from 1 to 255 (in an address) or 256 (in a program).
    #[error("The tile address has a width that is not allowed; a partial tile has 1 to 255 hashes.")]
    Width,
    /// No tree of a size that a checkpoint may state has this tile.
    #[error("No tree of up to 2^63 - 1 leaves has this tile.")]
    BeyondAnyTree,
    /// The bytes are not as many hashes as the tile is wide.
    #[error("The tile has {found} bytes; its width needs {expected}.")]
    Length {
        /// Bytes found.
        found: usize,
        /// Bytes needed.
        expected: usize,
    },
}

/// The number of complete subtrees of height 8 x `level` in a tree of `size` leaves.
fn nodes_at(level: u8, size: TreeSize) -> u64 {
    size.get().checked_shr(u32::from(level) * u32::from(TILE_HEIGHT)).unwrap_or(0)
}

/// The width that group `index` of 256 has when there are `nodes`; `None` if it has none.
fn width_of(index: u64, nodes: u64) -> Option<u16> {
    let start = index.checked_mul(u64::from(TILE_WIDTH))?;
    let count = nodes.checked_sub(start)?.min(u64::from(TILE_WIDTH));
    u16::try_from(count).ok().filter(|width| *width > 0)
}

fn check(index: u64, width: u16, nodes: u64) -> Result<(), TileError> {
    if width == 0 || width > TILE_WIDTH {
        return Err(TileError::Width);
    }
    match width_of(index, nodes) {
        Some(available) if available >= width => Ok(()),
        _ => Err(TileError::BeyondAnyTree),
    }
}

impl TileId {
    /// The tile with the first `width` (1 to 256) of the hashes from 256 x `index` on `level`.
    pub fn new(level: u8, index: u64, width: u16) -> Result<Self, TileError> {
        if level > MAX_LEVEL {
            return Err(TileError::Level);
        }
        check(index, width, nodes_at(level, TreeSize::MAX_CHECKPOINT))?;
        Ok(Self { level, index, width })
    }

    /// Tile `index` of `level`, as wide as a tree of `size` leaves makes it; `None` if it would be empty.
    pub fn in_tree(level: u8, index: u64, size: TreeSize) -> Option<Self> {
        let width = width_of(index, nodes_at(level, size))?;
        Self::new(level, index, width).ok()
    }

    /// The level; 0 holds leaf hashes.
    pub fn level(self) -> u8 {
        self.level
    }

    /// The number of the tile within its level.
    pub fn index(self) -> u64 {
        self.index
    }

    /// Hashes in the tile: 1 to 256.
    pub fn width(self) -> u16 {
        self.width
    }

    /// Whether the tile is partial and will be replaced as the tree grows.
    pub fn is_partial(self) -> bool {
        self.width < TILE_WIDTH
    }

    /// Bytes in the tile.
    pub fn byte_len(self) -> usize {
        usize::from(self.width) * Hash::LEN
    }

    /// The address below the log's prefix, for example `tile/0/x001/x234/067.p/8`.
    pub fn path(self) -> String {
        format!("tile/{}/{}", self.level, index_path(self.index, self.width))
    }

    /// Splits the tile's bytes into its hashes.
    pub fn hashes(self, data: &[u8]) -> Result<Vec<Hash>, TileError> {
        if data.len() != self.byte_len() {
            return Err(TileError::Length { found: data.len(), expected: self.byte_len() });
        }
        let (chunks, _) = data.as_chunks::<{ Hash::LEN }>();
        Ok(chunks.iter().map(|bytes| Hash::from_bytes(*bytes)).collect())
    }
}

impl BundleId {
    /// The bundle with the first `width` (1 to 256) of the entries from 256 x `index` on.
    pub fn new(index: u64, width: u16) -> Result<Self, TileError> {
        check(index, width, TreeSize::MAX_CHECKPOINT.get())?;
        Ok(Self { index, width })
    }

    /// Bundle `index` as wide as a tree of `size` leaves makes it; `None` if it would be empty.
    pub fn in_tree(index: u64, size: TreeSize) -> Option<Self> {
        let width = width_of(index, size.get())?;
        Self::new(index, width).ok()
    }

    /// The number of the bundle.
    pub fn index(self) -> u64 {
        self.index
    }

    /// Entries in the bundle: 1 to 256.
    pub fn width(self) -> u16 {
        self.width
    }

    /// Whether the bundle is partial and will be replaced as the tree grows.
    pub fn is_partial(self) -> bool {
        self.width < TILE_WIDTH
    }

    /// The address below the log's prefix, for example `tile/entries/x001/x234/067.p/8`.
    pub fn path(self) -> String {
        format!("tile/entries/{}", index_path(self.index, self.width))
    }
}

/// The tiles that a tree of `new` leaves has and one of `old` leaves has not, level by level; lazily, because there
/// may be very many. A log publishes them before the checkpoint of `new`.
pub fn tiles_between(old: TreeSize, new: TreeSize) -> impl Iterator<Item = TileId> {
    (0..=MAX_LEVEL).flat_map(move |level| {
        new_groups(nodes_at(level, old), nodes_at(level, new))
            .filter_map(move |index| TileId::in_tree(level, index, new))
    })
}

/// The entry bundles that a tree of `new` leaves has and one of `old` leaves has not.
pub fn bundles_between(old: TreeSize, new: TreeSize) -> impl Iterator<Item = BundleId> {
    new_groups(old.get(), new.get()).filter_map(move |index| BundleId::in_tree(index, new))
}

/// The groups of 256 that change when the number of nodes grows from `old` to `new`.
fn new_groups(old: u64, new: u64) -> std::ops::Range<u64> {
    let width = u64::from(TILE_WIDTH);
    if old >= new { 0..0 } else { old / width..new.div_ceil(width) }
}

fn index_path(index: u64, width: u16) -> String {
    let mut path = format!("{:03}", index % 1000);
    let mut rest = index / 1000;
    while rest > 0 {
        path = format!("x{:03}/{path}", rest % 1000);
        rest /= 1000;
    }
    if width < TILE_WIDTH {
        path.push_str(&format!(".p/{width}"));
    }
    path
}

/// Parses `<N>[.p/<W>]`.
fn parse_index_path(text: &str) -> Result<(u64, u16), TileError> {
    let (groups, width) = match text.split_once(".p/") {
        None => (text, TILE_WIDTH),
        Some((groups, width)) => {
            let width = parse_decimal(width).ok().and_then(|w| u16::try_from(w).ok());
            (groups, width.filter(|w| (1..TILE_WIDTH).contains(w)).ok_or(TileError::Width)?)
        }
    };
    let mut index: u64 = 0;
    let mut groups = groups.split('/').peekable();
    while let Some(group) = groups.next() {
        let digits =
            if groups.peek().is_some() { group.strip_prefix('x').ok_or(TileError::Index)? } else { group };
        if digits.len() != 3 || !digits.bytes().all(|b| b.is_ascii_digit()) {
            return Err(TileError::Index);
        }
        let digits: u64 = digits.parse().map_err(|_| TileError::Index)?;
        index = index
            .checked_mul(1000)
            .and_then(|index| index.checked_add(digits))
            .ok_or(TileError::BeyondAnyTree)?;
    }
    Ok((index, width))
}

/// Refuses second spellings, such as a leading `x000/`, by printing what was understood.
fn canonical<T>(value: T, path: String, text: &str) -> Result<T, TileError> {
    if path == text { Ok(value) } else { Err(TileError::Index) }
}

impl fmt::Display for TileId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.path())
    }
}

impl fmt::Display for BundleId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.path())
    }
}

impl FromStr for TileId {
    type Err = TileError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text.len() > MAX_PATH_LEN {
            return Err(TileError::Syntax);
        }
        let rest = text.strip_prefix("tile/").ok_or(TileError::Syntax)?;
        let (level, rest) = rest.split_once('/').ok_or(TileError::Syntax)?;
        let level = parse_decimal(level).ok().and_then(|l| u8::try_from(l).ok()).ok_or(TileError::Level)?;
        if level > MAX_LEVEL {
            return Err(TileError::Level);
        }
        let (index, width) = parse_index_path(rest)?;
        let id = Self::new(level, index, width)?;
        canonical(id, id.path(), text)
    }
}

impl FromStr for BundleId {
    type Err = TileError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text.len() > MAX_PATH_LEN {
            return Err(TileError::Syntax);
        }
        let rest = text.strip_prefix("tile/entries/").ok_or(TileError::Syntax)?;
        let (index, width) = parse_index_path(rest)?;
        let id = Self::new(index, width)?;
        canonical(id, id.path(), text)
    }
}

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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_examples_of_the_specification() {
        assert_eq!(TileId::new(0, 1_234_067, 256).unwrap().path(), "tile/0/x001/x234/067");
        assert_eq!(TileId::new(0, 1_234_067, 8).unwrap().path(), "tile/0/x001/x234/067.p/8");
        assert_eq!(BundleId::new(1_234_067, 8).unwrap().path(), "tile/entries/x001/x234/067.p/8");
        // "A tree of size 70,000": 273 full tiles and one of 112, one full and one of 17, one of 1.
        let tiles: Vec<TileId> = tiles_between(TreeSize::ZERO, TreeSize::new(70_000)).collect();
        let widths = |level| {
            let of_level = tiles.iter().filter(move |tile| tile.level() == level);
            let full = of_level.clone().filter(|tile| !tile.is_partial()).count();
            (full, of_level.filter(|tile| tile.is_partial()).map(|tile| tile.width()).collect::<Vec<_>>())
        };
        assert_eq!((widths(0), widths(1), widths(2)), ((273, vec![112]), (1, vec![17]), (0, vec![1])));
        assert_eq!(tiles.len(), 273 + 1 + 1 + 1 + 1);
        // "A tree of size 256": a full tile and a partial one of width 1.
        let tiles: Vec<String> =
            tiles_between(TreeSize::ZERO, TreeSize::new(256)).map(|tile| tile.path()).collect();
        assert_eq!(tiles, ["tile/0/000", "tile/1/000.p/1"]);
    }

    #[test]
    fn every_path_has_one_spelling() {
        use TileError as E;
        let cases = [
            ("", E::Syntax),
            ("tile", E::Syntax),
            ("tile/0", E::Syntax),
            ("/tile/0/000", E::Syntax),
            ("tiles/0/000", E::Syntax),
            ("tile/00/000", E::Level),
            ("tile/64/000", E::Level),
            ("tile/-1/000", E::Level),
            ("tile/entries/000", E::Level),
            ("tile/data/000", E::Level),
            ("tile/0/", E::Index),
            ("tile/0/0", E::Index),
            ("tile/0/0000", E::Index),
            ("tile/0/00a", E::Index),
            ("tile/0/x000", E::Index),
            ("tile/0/x000/001", E::Index),
            ("tile/0/001/002", E::Index),
            ("tile/0/x001/x002", E::Index),
            ("tile/0/X001/002", E::Index),
            ("tile/0/000/", E::Index),
            ("tile/0/../000", E::Index),
            ("tile/0/%30%30%30", E::Index),
            ("tile/0/000.p/0", E::Width),
            ("tile/0/000.p/256", E::Width),
            ("tile/0/000.p/08", E::Width),
            ("tile/0/000.p/", E::Width),
            ("tile/0/000.p/1/", E::Width),
            ("tile/0/000.p/1.p/1", E::Width),
            ("tile/0/000.p", E::Index),
            ("tile/8/000", E::BeyondAnyTree),
            ("tile/63/000.p/1", E::BeyondAnyTree),
            ("tile/0/x999/x999/x999/x999/x999/x999/999", E::BeyondAnyTree),
        ];
        for (path, error) in cases {
            assert_eq!(path.parse::<TileId>(), Err(error), "{path}");
        }
        assert_eq!("tile/0/000".parse::<BundleId>(), Err(E::Syntax));
        assert_eq!("tile/entries/x000/000".parse::<BundleId>(), Err(E::Index));
        let long = format!("tile/0/{}000", "x001/".repeat(1000));
        assert_eq!(long.parse::<TileId>(), Err(E::Syntax));
    }

    #[test]
    fn bounds() {
        // The last leaf of the largest tree, and the one after it.
        let last = TreeSize::MAX_CHECKPOINT.get() / 256;
        assert!(TileId::new(0, last, 255).is_ok());
        assert_eq!(TileId::new(0, last, 256), Err(TileError::BeyondAnyTree));
        assert_eq!(TileId::new(0, last + 1, 1), Err(TileError::BeyondAnyTree));
        assert!(TileId::new(7, 0, 127).is_ok());
        assert_eq!(TileId::new(7, 0, 128), Err(TileError::BeyondAnyTree));
        assert_eq!(TileId::new(64, 0, 1), Err(TileError::Level));
        assert_eq!(TileId::new(0, 0, 0), Err(TileError::Width));
        assert_eq!(TileId::new(0, 0, 257), Err(TileError::Width));
        assert_eq!(TileId::new(0, u64::MAX, 1), Err(TileError::BeyondAnyTree));
        assert_eq!(BundleId::new(last + 1, 1), Err(TileError::BeyondAnyTree));
        let widest = TileId::new(0, last, 255).unwrap();
        assert_eq!(widest.path().parse(), Ok(widest));
        assert!(widest.path().len() <= MAX_PATH_LEN);
    }

    #[test]
    fn what_changes_between_two_sizes() {
        let between = |old, new| -> Vec<String> {
            tiles_between(TreeSize::new(old), TreeSize::new(new)).map(|tile| tile.path()).collect()
        };
        assert_eq!(between(5, 5), [""; 0]);
        assert_eq!(between(6, 5), [""; 0]);
        assert_eq!(between(5, 6), ["tile/0/000.p/6"]);
        assert_eq!(between(255, 256), ["tile/0/000", "tile/1/000.p/1"]);
        assert_eq!(between(256, 257), ["tile/0/001.p/1"]);
        let bundles: Vec<String> =
            bundles_between(TreeSize::new(255), TreeSize::new(513)).map(|bundle| bundle.path()).collect();
        assert_eq!(bundles, ["tile/entries/000", "tile/entries/001", "tile/entries/002.p/1"]);
        // Lazy: the first of very many, at once.
        let first = tiles_between(TreeSize::ZERO, TreeSize::MAX_CHECKPOINT).next();
        assert_eq!(first, Some(TileId::new(0, 0, 256).unwrap()));
    }

    #[test]
    fn hashes_of_a_tile() {
        let id = TileId::new(0, 0, 2).unwrap();
        assert_eq!(id.hashes(&[7; 64]), Ok(vec![Hash::from_bytes([7; 32]); 2]));
        for length in [0, 32, 63, 65, 96] {
            assert_eq!(id.hashes(&vec![7; length]), Err(TileError::Length { found: length, expected: 64 }));
        }
    }
}

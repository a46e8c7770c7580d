//! What a comparison, or a proof for one entry, wants to know, and where that is to be had.

use tlog::note::MAX_NOTE_LEN;
use tlog::{BundleId, LeafIndex, TileId};

use crate::entry::Entry;
use crate::ids::Digest;

/// One thing to fetch.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum RootsRequest {
    /// The newest checkpoint that a witness has cosigned.
    Witness {
        /// The witness's name in the trust file.
        name: String,
        /// Its address, without a slash at its end.
        url: String,
        /// Lowercase hexadecimal SHA-256 of the log's origin.
        origin_hash: String,
    },
    /// The newest published checkpoint.
    Published,
    /// A tile of the log.
    Tile(TileId),
    /// A bundle of entries.
    Bundle(BundleId),
    /// The index of the entry that commits to the statement with this digest.
    Index(Digest),
}

/// Where the answer to a request is.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum RootsAddress {
    /// A path below the address of the service; begins with a slash.
    Service(String),
    /// A complete address elsewhere.
    Elsewhere(String),
}

/// Longest decimal of a leaf index, and a newline that a server may add.
const MAX_INDEX_LEN: usize = 20;

impl RootsRequest {
    /// Where to ask, with `GET`.
    pub fn address(&self) -> RootsAddress {
        match self {
            Self::Witness { url, origin_hash, .. } => {
                RootsAddress::Elsewhere(format!("{url}/{origin_hash}/checkpoint"))
            }
            Self::Published => RootsAddress::Service("/log/checkpoint".to_owned()),
            Self::Tile(id) => RootsAddress::Service(format!("/log/{id}")),
            Self::Bundle(id) => RootsAddress::Service(format!("/log/{id}")),
            Self::Index(statement) => RootsAddress::Service(format!("/log/index/{statement}")),
        }
    }

    /// Bytes that the answer may have; a longer one is no answer.
    pub fn max_len(&self) -> usize {
        match self {
            Self::Witness { .. } | Self::Published => MAX_NOTE_LEN,
            Self::Tile(id) => id.byte_len(),
            // Entries of this log have one length; a bundle with others is not its bundle.
            Self::Bundle(id) => usize::from(id.width()) * (2 + Entry::LEN),
            Self::Index(_) => MAX_INDEX_LEN,
        }
    }

    /// The answer to [`RootsRequest::Index`]: a decimal, and at most a newline.
    pub fn index_in(answer: &[u8]) -> Option<LeafIndex> {
        let text = std::str::from_utf8(answer).ok()?;
        text.strip_suffix('\n').unwrap_or(text).parse().ok()
    }

    /// The media type that the answer should have. C2SP asks for it of logs, and leaves it open for witnesses.
    pub fn media_type(&self) -> &'static str {
        match self {
            Self::Witness { .. } | Self::Published | Self::Index(_) => "text/plain",
            Self::Tile(_) | Self::Bundle(_) => "application/octet-stream",
        }
    }
}

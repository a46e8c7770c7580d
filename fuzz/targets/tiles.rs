//! Tile paths and entry bundles.
#![no_main]

use libfuzzer_sys::fuzz_target;
use tlog::{BundleId, EntryBundle, TileId};

fuzz_target!(|input: (&str, u16, &[u8])| {
    let (path, width, data) = input;
    if let Ok(tile) = path.parse::<TileId>() {
        assert_eq!(tile.to_string(), path);
    }
    if let Ok(bundle) = path.parse::<BundleId>() {
        assert_eq!(bundle.to_string(), path);
    }
    if let Ok(id) = BundleId::new(0, width)
        && let Ok(bundle) = EntryBundle::parse(id, data)
    {
        assert_eq!(bundle.encode(), data);
    }
});

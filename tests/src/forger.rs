//! A malicious operator: rewrites the chain, and signs what comes out with the log's own key and with whatever keys of
//! witnesses were given away.

use std::collections::BTreeMap;

use anyhow::{Context, Result, ensure};
use tlog::{
    AddCheckpoint, BundleId, Checkpoint, ConsistencyProof, EntryBundle, Hash, HashReader, SignedNote,
    SigningKey, TileBuilder, TileId, TreeHead, TreeSize, leaf_hash, tile_reader,
};

use crate::http;
use crate::server::Server;

/// A chain in the hands of its operator: every entry can be changed.
#[derive(Debug)]
pub struct Forger {
    origin: String,
    key: SigningKey,
    /// The entries, as in the bundles of `/log/tile/entries/`.
    pub entries: Vec<Vec<u8>>,
}

/// Every tile of a chain, by its address.
#[derive(Debug)]
struct Tiles(BTreeMap<String, Vec<u8>>);

impl HashReader for Tiles {
    type Error = String;

    fn tile(&self, id: TileId) -> Result<Vec<u8>, String> {
        self.0.get(&id.path()).cloned().ok_or_else(|| id.path())
    }
}

impl Forger {
    /// Takes the published chain of a running server, and its key.
    pub fn of(server: &Server) -> Result<Self> {
        let note = SignedNote::parse(&http::get(&format!("{}/log/checkpoint", server.url))?)?;
        let size = Checkpoint::unverified(&note)?.head().size;
        let mut entries = Vec::new();
        for index in 0.. {
            let Some(id) = BundleId::in_tree(index, size) else { break };
            let bytes = http::get(&format!("{}/log/{}", server.url, id.path()))?;
            entries.extend(EntryBundle::parse(id, &bytes)?.entries().iter().cloned());
        }
        ensure!(entries.len() as u64 == size.get(), "{} of {size} entries were served", entries.len());
        let key = jianzhen_server::keys::load(&server.data.join("log.key"))?;
        Ok(Self { origin: server.origin.clone(), key, entries })
    }

    /// Size and root of the chain as it stands.
    pub fn head(&self) -> TreeHead {
        self.tree().0.head()
    }

    /// The chain's root, signed by the log.
    pub fn checkpoint(&self) -> Result<SignedNote> {
        Ok(Checkpoint::new(self.origin.clone(), self.head())?.sign(&self.key)?)
    }

    /// What the log serves once `checkpoint` is published: bodies by their paths.
    pub fn files(&self, checkpoint: &SignedNote) -> Result<BTreeMap<String, Vec<u8>>> {
        let (_, tiles) = self.tree();
        let mut files: BTreeMap<String, Vec<u8>> =
            tiles.0.into_iter().map(|(path, body)| (format!("/log/{path}"), body)).collect();
        for index in 0.. {
            let Some(id) = BundleId::in_tree(index, self.head().size) else { break };
            let mut bundle = EntryBundle::new();
            let begin = usize::try_from(index * 256)?;
            for entry in self.entries.iter().skip(begin).take(usize::from(id.width())) {
                bundle.push(entry.clone())?;
            }
            files.insert(format!("/log/{}", id.path()), bundle.encode());
        }
        files.insert("/log/checkpoint".to_owned(), checkpoint.as_bytes().to_vec());
        files.insert(format!("/log/checkpoints/{}", self.head().size), checkpoint.as_bytes().to_vec());
        Ok(files)
    }

    /// Hands `checkpoint` to a witness as the successor of the tree of `old` leaves; gives status and body of its answer.
    pub fn offer(&self, witness: &str, old: TreeSize, checkpoint: &SignedNote) -> Result<(u16, Vec<u8>)> {
        let (builder, tiles) = self.tree();
        let proof = match builder.size() {
            // There is no such proof; the witness has to see that.
            size if old >= size => ConsistencyProof::new(Vec::new())?,
            size => tile_reader::consistency_proof(&tiles, old, size)
                .map_err(|error| anyhow::anyhow!("{error}"))?,
        };
        let request = AddCheckpoint { old_size: old, proof, checkpoint: checkpoint.clone() };
        http::post(&format!("{witness}/add-checkpoint"), request.to_string().as_bytes())
    }

    /// `checkpoint` with the cosignatures of these witnesses, who find nothing wrong with it.
    pub fn cosigned(&self, checkpoint: &SignedNote, witnesses: &[&str], old: TreeSize) -> Result<SignedNote> {
        let mut text = checkpoint.as_str().to_owned();
        for witness in witnesses {
            let (status, body) = self.offer(witness, old, checkpoint)?;
            let line = String::from_utf8(body).context("a witness answers no text")?;
            ensure!(status == 200, "the witness {witness} answers {status}: {line}");
            text.push_str(&line);
        }
        Ok(SignedNote::parse(text.as_bytes())?)
    }

    fn tree(&self) -> (TileBuilder, Tiles) {
        let mut builder = TileBuilder::new();
        let leaves: Vec<Hash> = self.entries.iter().map(|entry| leaf_hash(entry)).collect();
        let tiles = builder.append(leaves).into_iter().map(|tile| (tile.id.path(), tile.data)).collect();
        (builder, Tiles(tiles))
    }
}

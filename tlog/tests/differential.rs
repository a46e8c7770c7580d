//! The same questions put to implementations that are not ours: `signed_note`, `tlog_tiles` and `sigsum`.

#![allow(clippy::unwrap_used, clippy::cast_possible_truncation, reason = "a panic is how a test fails")]

use std::convert::Infallible;

use proptest::prelude::*;
use sha2::{Digest as _, Sha256};
use tlog::{
    Checkpoint, ConsistencyProof, Hash, HashReader, KeyAlgorithm, KeyName, LeafIndex, Policy, SignedNote,
    SigningKey, TileBuilder, TileId, TreeHead, TreeSize, cosignature, leaf_hash, root_of, sign_note,
    tile_reader,
};

fn key(name: &str, algorithm: KeyAlgorithm) -> SigningKey {
    let seed = Sha256::digest(name).into();
    SigningKey::from_seed(KeyName::new(name).unwrap(), algorithm, &seed).unwrap()
}

fn leaves(n: u64) -> Vec<Hash> {
    (0..n).map(|i| leaf_hash(&i.to_be_bytes())).collect()
}

struct Leaves<'a>(&'a [Hash]);

impl HashReader for Leaves<'_> {
    type Error = Infallible;

    fn tile(&self, id: TileId) -> Result<Vec<u8>, Infallible> {
        let span = 256usize.pow(id.level().into());
        let first = usize::try_from(id.index()).unwrap() * 256;
        let hash = |i: usize| root_of(self.0[(first + i) * span..(first + i + 1) * span].iter().copied());
        Ok((0..usize::from(id.width())).flat_map(|i| *hash(i).as_bytes()).collect())
    }
}

mod with_signed_note {
    use super::*;
    use signed_note::{Note, NoteError, StandardSigner, StandardVerifier, VerifierList};

    fn theirs(key: &SigningKey) -> VerifierList {
        let verifier = StandardVerifier::new(&key.verifier_key().to_string()).unwrap();
        VerifierList::new(vec![Box::new(verifier)])
    }

    #[test]
    fn keys_and_signatures_are_the_same() {
        for (name, text) in
            [("log.example/a", "one line\n"), ("公证/链", "zwei\n\nZeilen — mit Strich\n"), ("x", "\n")]
        {
            let ours = key(name, KeyAlgorithm::Ed25519);
            let signer = StandardSigner::new(&ours.to_private_string()).unwrap();
            let mut note = Note::new(text.as_bytes(), &[]).unwrap();
            note.add_sigs(&[&signer]).unwrap();
            let signed = sign_note(text, &ours).unwrap();
            assert_eq!(signed.as_bytes(), note.to_bytes());
            Note::from_bytes(signed.as_bytes()).unwrap().verify(&theirs(&ours)).unwrap();
            let parsed = SignedNote::parse(&note.to_bytes()).unwrap();
            assert_eq!(parsed.verify(&[ours.verifier_key().clone()]).unwrap().len(), 1);
            let back: SigningKey = ours.to_private_string().parse().unwrap();
            assert_eq!(back.verifier_key(), ours.verifier_key());
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(4000))]

        /// Whatever is cut, inserted or flipped: if we accept it, they do, with the same text; if only they do, it
        /// is one of the places where we are stricter on purpose.
        #[test]
        fn damaged_notes_get_the_same_answer(
            at: prop::sample::Index,
            bytes in proptest::collection::vec(prop::sample::select(b"\n\n =A+\xe2\x80\x94\x00".to_vec()), 0..4),
            cut in 0usize..4,
            flip: u8,
        ) {
            let ours = key("log.example/a", KeyAlgorithm::Ed25519);
            let other = key("other.example/b", KeyAlgorithm::Ed25519);
            let note: SignedNote = sign_note("line\n\nline\n", &ours).unwrap().parse().unwrap();
            let note = note.with_signature(&tlog::sign_text(note.text(), &other).unwrap()).unwrap();
            let mut data = note.as_bytes().to_vec();
            let at = at.index(data.len());
            data.splice(at..(at + cut).min(data.len()), bytes);
            if let Some(byte) = data.get_mut(at) {
                *byte ^= flip & (flip >> 4);
            }
            let mine = SignedNote::parse(&data).and_then(|note| {
                note.verify(&[ours.verifier_key().clone()])?;
                Ok(note.text().as_bytes().to_vec())
            });
            let theirs = Note::from_bytes(&data).and_then(|note| {
                note.verify(&theirs(&ours))?;
                Ok::<_, NoteError>(note.text().to_vec())
            });
            match (mine, theirs) {
                (Ok(mine), Ok(theirs)) => prop_assert_eq!(mine, theirs),
                (Err(_), Err(_)) => {}
                (mine, theirs) => prop_assert!(false, "ours {:?}, theirs {:?}", mine, theirs),
            }
        }
    }
}

mod with_tlog_tiles {
    use super::*;
    use tlog_tiles::{
        Tile, check_record, check_tree, prove_record, prove_tree, stored_hashes_for_record_hash,
    };

    struct Stored(Vec<tlog_tiles::Hash>);

    impl tlog_tiles::HashReader for Stored {
        fn read_hashes(&self, indexes: &[u64]) -> Result<Vec<tlog_tiles::Hash>, tlog_tiles::Error> {
            Ok(indexes.iter().map(|i| self.0[usize::try_from(*i).unwrap()]).collect())
        }
    }

    fn theirs(hash: &Hash) -> tlog_tiles::Hash {
        tlog_tiles::Hash(*hash.as_bytes())
    }

    fn all(hashes: &[Hash]) -> Vec<tlog_tiles::Hash> {
        hashes.iter().map(theirs).collect()
    }

    fn stored(leaves: &[Hash]) -> Stored {
        let mut stored = Stored(Vec::new());
        for (n, leaf) in (0..).zip(leaves) {
            let new = stored_hashes_for_record_hash(n, theirs(leaf), &stored).unwrap();
            stored.0.extend(new);
        }
        stored
    }

    #[test]
    fn roots_and_proofs_are_the_same() {
        let leaves = leaves(700);
        let stored = stored(&leaves);
        let reader = Leaves(&leaves);
        for n in (1..=40).chain([255, 256, 257, 511, 512, 513, 699, 700]) {
            let size = TreeSize::new(n);
            let root = tile_reader::root(&reader, size).unwrap();
            assert_eq!(theirs(&root), tlog_tiles::tree_hash(n, &stored).unwrap());
            let head = TreeHead { size, root };
            for i in (0..n).step_by(1 + usize::try_from(n / 40).unwrap()) {
                let (index, leaf) = (LeafIndex::new(i), &leaves[usize::try_from(i).unwrap()]);
                let ours = tile_reader::inclusion_proof(&reader, index, size).unwrap();
                assert_eq!(all(ours.hashes()), prove_record(n, i, &stored).unwrap());
                check_record(&all(ours.hashes()), n, theirs(&root), i, theirs(leaf)).unwrap();
                ours.verify(leaf, index, &head).unwrap();
                let (m, old) = (i + 1, TreeSize::new(i + 1));
                let old_root = tile_reader::root(&reader, old).unwrap();
                let ours = tile_reader::consistency_proof(&reader, old, size).unwrap();
                assert_eq!(all(ours.hashes()), prove_tree(n, m, &stored).unwrap());
                check_tree(&all(ours.hashes()), n, theirs(&root), m, theirs(&old_root)).unwrap();
            }
        }
    }

    #[test]
    fn tiles_are_the_same() {
        let leaves = leaves(66_000);
        let stored = stored(&leaves);
        for (old, new) in [(0, 1), (0, 255), (255, 256), (256, 257), (100, 700), (512, 513), (65_000, 66_000)]
        {
            let mut builder = TileBuilder::new();
            builder.append(leaves[..old].iter().copied());
            let ours = builder.append(leaves[old..new].iter().copied());
            let theirs = Tile::new_tiles(8, old as u64, new as u64);
            assert_eq!(ours.len(), theirs.len());
            for (ours, theirs) in ours.iter().zip(theirs) {
                assert_eq!(format!("tile/8/{}", &ours.id.path()[5..]), theirs.path());
                assert_eq!(ours.data, theirs.read_data(&stored).unwrap());
            }
        }
    }

    #[test]
    fn checkpoints_are_the_same() {
        let root = leaf_hash(b"root");
        for (origin, size) in [("log.example", 1), ("with spaces + and plus", 1 << 40), ("链", (1 << 63) - 1)]
        {
            let head = TreeHead { size: TreeSize::new(size), root };
            let ours = Checkpoint::new(origin, head).unwrap();
            let theirs = tlog_tiles::Checkpoint::new(origin, size, theirs(&root), "").unwrap();
            assert_eq!(ours.to_string().as_bytes(), theirs.to_bytes());
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2000))]

        #[test]
        fn paths_are_the_same(level in 0u8..=6, raw: u64, width in 1u16..=256) {
            let index = (raw >> 1) >> (8 * (u32::from(level) + 1)) >> (raw % 56);
            if let Ok(id) = TileId::new(level, index, width) {
                let theirs = Tile::new(8, level, index, width.into(), false);
                prop_assert_eq!(format!("tile/8/{}", &id.path()[5..]), theirs.path());
                prop_assert_eq!(id.path().parse(), Ok(id));
            }
        }

        #[test]
        fn forged_proofs_get_the_same_answer(
            n in 1u64..500, i in 0u64..500, drop in 0usize..12, flip in 0usize..24, wrong_size in 0u64..3,
        ) {
            let leaves = leaves(n);
            let i = i % n;
            let size = TreeSize::new(n);
            let reader = Leaves(&leaves);
            let head = TreeHead { size, root: tile_reader::root(&reader, size).unwrap() };
            let claimed = TreeHead { size: TreeSize::new(n + wrong_size), ..head };
            let damage = |hashes: &[Hash]| {
                let mut hashes = hashes.to_vec();
                if drop < hashes.len() {
                    hashes.remove(drop);
                }
                if let Some(hash) = hashes.get_mut(flip) {
                    *hash = leaf_hash(b"flipped");
                }
                hashes
            };
            let leaf = &leaves[usize::try_from(i).unwrap()];
            let proof = damage(tile_reader::inclusion_proof(&reader, LeafIndex::new(i), size).unwrap().hashes());
            let ours = tlog::InclusionProof::new(proof.clone()).unwrap().verify(leaf, LeafIndex::new(i), &claimed);
            let theirs_say =
                check_record(&all(&proof), claimed.size.get(), theirs(&head.root), i, theirs(leaf));
            prop_assert_eq!(ours.is_ok(), theirs_say.is_ok());

            let old = TreeHead { size: TreeSize::new(i + 1), root: root_of(leaves[..=usize::try_from(i).unwrap()].iter().copied()) };
            let proof = damage(tile_reader::consistency_proof(&reader, old.size, size).unwrap().hashes());
            let ours = ConsistencyProof::new(proof.clone()).unwrap().verify(&old, &claimed);
            let theirs_say =
                check_tree(&all(&proof), claimed.size.get(), theirs(&head.root), i + 1, theirs(&old.root));
            prop_assert_eq!(ours.is_ok(), theirs_say.is_ok());
        }
    }
}

/// Sigsum signs the same checkpoint and cosignature bytes, with its own framing and its own policy syntax.
mod with_sigsum {
    use super::*;
    use ed25519_dalek::Signer as _;
    use std::fmt::Write as _;

    fn key_hash(key: &SigningKey) -> String {
        hex::encode(Sha256::digest(key.verifier_key().public_key()))
    }

    fn log_key() -> SigningKey {
        let seed = Sha256::digest("sigsum log").into();
        let public = *ed25519_dalek::SigningKey::from_bytes(&seed).verifying_key().as_bytes();
        let origin = format!("sigsum.org/v1/tree/{}", hex::encode(Sha256::digest(public)));
        SigningKey::from_seed(KeyName::new(origin).unwrap(), KeyAlgorithm::Ed25519, &seed).unwrap()
    }

    /// A quorum rule as both policy syntaxes write it: `group g<n> <k> <members>` lines.
    fn groups(witnesses: usize, shape: &[(u8, u8)]) -> String {
        let mut free: Vec<String> = (0..witnesses).map(|i| format!("w{i}")).collect();
        let mut text = String::new();
        for (number, (take, threshold)) in shape.iter().enumerate() {
            let count = 1 + usize::from(*take) % free.len();
            let members: Vec<String> = free.drain(..count).collect();
            let k = match threshold % 4 {
                0 => "any".to_owned(),
                1 => "all".to_owned(),
                _ => (1 + usize::from(*threshold) % count).to_string(),
            };
            writeln!(text, "group g{number} {k} {}", members.join(" ")).unwrap();
            free.push(format!("g{number}"));
        }
        writeln!(text, "quorum {}", free.last().unwrap()).unwrap();
        text
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(300))]

        #[test]
        fn checkpoints_cosignatures_proofs_and_quorums_are_the_same(
            size in 1u64..40, raw_index: u64,
            times in proptest::collection::vec(proptest::option::of(1u64..50), 1..6),
            shape in proptest::collection::vec((any::<u8>(), any::<u8>()), 0..4),
        ) {
            // A Sigsum leaf in a tree of ours.
            let index = raw_index % size;
            let submitter = ed25519_dalek::SigningKey::from_bytes(&[7; 32]);
            let message: [u8; 32] = Sha256::digest("message").into();
            let checksum = Sha256::digest(message);
            let leaf_signature = submitter.sign(&[b"sigsum.org/v1/tree-leaf\0".as_slice(), &checksum].concat());
            let submitter_hash = Sha256::digest(submitter.verifying_key().as_bytes());
            let leaf = leaf_hash(&[&checksum[..], &leaf_signature.to_bytes(), &submitter_hash].concat());
            let mut leaves = leaves(size);
            leaves[usize::try_from(index).unwrap()] = leaf;
            let reader = Leaves(&leaves);
            let head = TreeHead { size: TreeSize::new(size), root: root_of(leaves.iter().copied()) };
            let proof = tile_reader::inclusion_proof(&reader, LeafIndex::new(index), head.size).unwrap();

            // Signed and cosigned by us.
            let log = log_key();
            let checkpoint = Checkpoint::new(log.verifier_key().name().as_str(), head).unwrap();
            let mut note = checkpoint.sign(&log).unwrap();
            let mut sigsum_text = format!(
                "version=2\nlog={}\nleaf={} {}\n\nsize={size}\nroot_hash={}\nsignature={}\n",
                key_hash(&log), hex::encode(submitter_hash), hex::encode(leaf_signature.to_bytes()),
                head.root, hex::encode(note.signatures()[0].signature()),
            );
            let mut ours = format!("log {}\n", log.verifier_key());
            let mut theirs = format!("log {}\n", hex::encode(log.verifier_key().public_key()));
            for (i, time) in times.iter().enumerate() {
                let witness = key(&format!("witness.example/{i}"), KeyAlgorithm::CosignatureV1);
                writeln!(ours, "witness w{i} {}", witness.verifier_key()).unwrap();
                writeln!(theirs, "witness w{i} {}", hex::encode(witness.verifier_key().public_key())).unwrap();
                if let Some(time) = time {
                    let line = cosignature::sign(&witness, *time, note.text()).unwrap();
                    let signature = hex::encode(&line.signature()[8..]);
                    writeln!(sigsum_text, "cosignature={} {time} {signature}", key_hash(&witness)).unwrap();
                    note = note.with_signature(&line).unwrap();
                }
            }
            write!(sigsum_text, "\nleaf_index={index}\n").unwrap();
            for hash in proof.hashes() {
                writeln!(sigsum_text, "node_hash={hash}").unwrap();
            }
            let rule = groups(times.len(), &shape);
            let policy = Policy::parse((ours + &rule).as_bytes()).unwrap();
            let sigsum_policy = sigsum::Policy::parse(&(theirs + &rule)).unwrap();

            // Verified by both.
            let receipt = tlog::TlogProof::new(None, LeafIndex::new(index), proof, note).unwrap();
            let mine = receipt.verify(&leaf, &policy);
            let signature = sigsum::SigsumSignature::from_ascii(&sigsum_text).unwrap();
            let submitters = [sigsum::PublicKey::from(*submitter.verifying_key().as_bytes())];
            let theirs = sigsum::verify(&sigsum::Hash::from(message), &signature, &submitters, &sigsum_policy);
            prop_assert_eq!(mine.is_ok(), theirs.is_ok(), "ours {:?}, theirs {:?}", mine, theirs);

            // The proven time is the first at which Sigsum, too, sees a quorum.
            if let Ok(inclusion) = mine {
                let hashes_at = |t: u64| -> Vec<sigsum::Hash> {
                    let signed = inclusion.checkpoint().cosignatures().iter().filter(|c| c.timestamp() <= t);
                    signed.map(|c| sigsum::Hash::new(c.key().public_key())).collect()
                };
                let first = (0..50).find(|t| sigsum_policy.check_quorum(&hashes_at(*t)));
                prop_assert_eq!(policy.quorum_time(inclusion.checkpoint()), first);
            }
        }
    }
}

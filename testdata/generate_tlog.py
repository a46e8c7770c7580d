#!/usr/bin/env python3
"""Generates testdata/tlog/*.txt with an implementation of the C2SP formats that is not ours.

Needs the PyPI packages aics-tlog 0.2.1 and cryptography:

    pip install --no-deps --ignore-requires-python aics-tlog==0.2.1
    pip install cryptography

Trees, proofs, keys, notes, signatures, cosignatures and tiles are made by aics-tlog. It does not write the C2SP
tlog-proof and tlog-policy files: those few fixed lines around them are put together here, after the specifications.
Altered cases are made from good ones, and aics-tlog is asked what it says to them: header `generator-says`.

One case, one file: header lines `key: value` (a repeated key gives several lines), an empty line, then the input of
the parser under test, byte for byte. `expect` is `success` or the layer and reason of the failure.

    generate_tlog.py           writes the files
    generate_tlog.py --check   compares them with what it would write; exit status 1 if anything differs
"""

import hashlib
import pathlib
import sys
from importlib.metadata import version

import aics_tlog as aics
from aics_tlog.note import b64_encode
from aics_tlog.tiles import materialise_tiles
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from vectors import write_or_check

OUT = pathlib.Path(__file__).parent / "tlog"
GENERATOR = f"aics-tlog {version('aics-tlog')} (PyPI)"
ORIGIN = "log.example/jianzhen"
CASES: dict[str, bytes] = {}


def seed_key(label: str) -> Ed25519PrivateKey:
    return Ed25519PrivateKey.from_private_bytes(hashlib.sha256(label.encode()).digest())


LOG = seed_key("test log")
LOG_VKEY = aics.vkey_from_ed25519(ORIGIN, LOG.public_key())
WITNESSES = [(f"witness.example/w{i}", seed_key(f"test witness {i}")) for i in range(1, 4)]
WITNESS_VKEYS = [aics.cosignature_vkey(name, key.public_key()) for name, key in WITNESSES]
STRANGER = ("stranger.example/key", seed_key("test stranger"))


def entry(i: int) -> bytes:
    """42 bytes, as long as Jianzhen's entries, different for every i."""
    return b"\x01\x00" + (1_790_000_000 + i).to_bytes(8, "big") + hashlib.sha256(i.to_bytes(8, "big")).digest()


TREE = aics.MerkleTree(entry(i) for i in range(1000))


def policy_lines(quorum: str) -> list[str]:
    lines = [f"log {aics.format_vkey(LOG_VKEY)}"]
    lines += [f"witness w{i} {aics.format_vkey(key)}" for i, key in enumerate(WITNESS_VKEYS, 1)]
    lines.append("group two-of-three 2 w1 w2 w3")
    lines.append(f"quorum {quorum}")
    return lines


def case(name: str, kind: str, expect: str, body: str | bytes, says: bool | None, comment: str, **headers) -> None:
    lines = [f"generator: {GENERATOR}", f"kind: {kind}", f"expect: {expect}"]
    lines.append(f"generator-says: {'accept' if says else 'refuse' if says is not None else 'not implemented'}")
    lines.append(f"comment: {comment}")
    for key, value in headers.items():
        lines += [f"{key.replace('_', '-')}: {v}" for v in (value if isinstance(value, list) else [value])]
    body = body.encode() if isinstance(body, str) else body
    assert name not in CASES, name
    CASES[name] = ("\n".join(lines) + "\n\n").encode() + body


# --- receipts: C2SP tlog-proof ------------------------------------------------------------------------------------


def checkpoint(size: int, root: bytes | None = None, witnesses=(1, 2, 3), time: int = 1_790_000_100, extensions=(),
               origin: str = ORIGIN, key: Ed25519PrivateKey = LOG, grease: bool = False) -> str:
    """A signed, cosigned checkpoint of TREE; witness i signs i seconds after `time`."""
    cp = aics.Checkpoint(origin, size, TREE.root(size) if root is None else root, tuple(extensions))
    note = aics.sign_checkpoint(cp, key, origin)
    lines = list(note.signatures)
    if grease:
        lines.insert(0, aics.sign_note(note.text, STRANGER[1], STRANGER[0]))
        # The log's name with another key, and a witness's key id under another name: neither is known.
        lines.append(aics.sign_note(note.text, STRANGER[1], ORIGIN))
        lines.append(aics.SignatureLine(STRANGER[0], WITNESS_VKEYS[0].key_id, b"\x00" * 72))
        lines.append(aics.SignatureLine("pq.example/key", b"\x06\x06\x06\x06", b"\x99" * 2428))
    for i in witnesses:
        name, wkey = WITNESSES[i - 1]
        _, line = aics.sign_cosignature(wkey, name, time + i, origin, size, cp.root, extensions)
        lines.append(line)
    return aics.Note(note.text, tuple(lines)).serialise()


def proof_text(index: int | str, hashes: list[bytes], cp: str, extra: bytes | None = None) -> str:
    out = ["c2sp.org/tlog-proof@v1"]
    if extra is not None:
        out.append(f"extra {b64_encode(extra)}")
    out.append(f"index {index}")
    out += [b64_encode(h) for h in hashes]
    return "\n".join(out) + "\n\n" + cp


def judge(index: int, size: int, hashes: list[bytes], leaf: bytes, cp: str, quorum: int) -> bool:
    """What aics-tlog says to the parts of a receipt."""
    try:
        note = aics.parse_note(cp)
        result = aics.verify_checkpoint(note, LOG_VKEY, WITNESS_VKEYS, quorum=quorum, expected_origin=ORIGIN)
        return bool(result.ok) and aics.verify_leaf_inclusion(leaf, index, result.size, hashes, result.root)
    except ValueError:
        return False


def receipt(name: str, expect: str, comment: str, index: int = 70, size: int = 1000, hashes=None, leaf=None, cp=None,
            extra=None, quorum: str = "two-of-three", text=None) -> None:
    hashes = TREE.inclusion_proof(index, size) if hashes is None else hashes
    leaf = entry(index) if leaf is None else leaf
    cp = checkpoint(size) if cp is None else cp
    says = None if text is not None else judge(index, size, hashes, leaf, cp, {"none": 0, "w1": 1}.get(quorum, 2))
    text = proof_text(index, hashes, cp, extra) if text is None else text
    case(name, "receipt", expect, text, says, comment, entry=leaf.hex(), policy=policy_lines(quorum))


def altered(hashes: list[bytes], at: int) -> list[bytes]:
    return [bytes([h[0] ^ 1]) + h[1:] if i == at else h for i, h in enumerate(hashes)]


def line_altered(text: str, which: str, at: int) -> str:
    """Flips one bit of the decoded signature line that starts with `which`."""
    import base64
    out = []
    for line in text.split("\n"):
        if line.startswith(f"— {which} "):
            blob = bytearray(base64.b64decode(line.rsplit(" ", 1)[1]))
            blob[at] ^= 1
            line = line.rsplit(" ", 1)[0] + " " + b64_encode(bytes(blob))
        out.append(line)
    return "\n".join(out)


def receipts() -> None:
    for index, size in [(0, 1), (0, 2), (1, 2), (6, 7), (255, 256), (256, 257), (255, 257), (511, 512), (0, 1000), (999, 1000)]:
        receipt(f"receipt-good-{index}-of-{size}", "success", "A good receipt.", index, size)
    good = TREE.inclusion_proof(70, 1000)
    cp = checkpoint(1000)
    receipt("receipt-good-extra", "success", "The entry as extra data.", extra=entry(70))
    receipt("receipt-good-extension", "success", "The checkpoint has extension lines, which are cosigned too.",
            cp=checkpoint(1000, extensions=("first extension", "第二行")))
    receipt("receipt-good-grease", "success", "Signatures of unknown keys must be ignored, some of them sharing a name or an id with known ones.",
            cp=checkpoint(1000, grease=True))
    receipt("receipt-good-quorum-none", "success", "No cosignature, and the policy asks for none.", cp=checkpoint(1000, witnesses=()), quorum="none")
    receipt("receipt-good-one-witness", "success", "The quorum is a single witness.", cp=checkpoint(1000, witnesses=(1,)), quorum="w1")
    receipt("receipt-good-two-of-three", "success", "Two of three.", cp=checkpoint(1000, witnesses=(3, 1)))

    receipt("receipt-hash-bit-flipped-first", "inclusion/root-mismatch", "The first hash has one bit flipped.", hashes=altered(good, 0))
    receipt("receipt-hash-bit-flipped-last", "inclusion/root-mismatch", "The last hash has one bit flipped.", hashes=altered(good, len(good) - 1))
    receipt("receipt-hash-missing-first", "inclusion/too-short", "The first hash is missing.", hashes=good[1:])
    receipt("receipt-hash-missing-last", "inclusion/too-short", "The last hash is missing.", hashes=good[:-1])
    receipt("receipt-hash-extra", "inclusion/too-long", "One hash too many.", hashes=good + [good[0]])
    receipt("receipt-hash-duplicated", "inclusion/too-long", "The first hash occurs twice.", hashes=[good[0]] + good)
    receipt("receipt-hashes-reordered", "inclusion/root-mismatch", "Two hashes change places.", hashes=[good[1], good[0]] + good[2:])
    receipt("receipt-hashes-none", "inclusion/too-short", "All hashes are missing.", hashes=[])
    receipt("receipt-hashes-64", "parse/too-many-hashes", "More hashes than any tree needs.", hashes=[good[0]] * 64)
    receipt("receipt-leaf-other", "inclusion/root-mismatch", "The proof is for another entry.", leaf=entry(71))
    receipt("receipt-leaf-is-node", "inclusion/too-short", "An interior node passed off as an entry: its children, without domain separation.",
            index=35, hashes=good[1:], leaf=TREE._leaf_hashes[70] + TREE._leaf_hashes[71])
    receipt("receipt-index-neighbour", "inclusion/root-mismatch", "The index is that of the neighbour.",
            index=71, hashes=good, leaf=entry(70))
    receipt("receipt-index-out-of-tree", "inclusion/index-out-of-tree", "The index is the size.", index=1000, hashes=good, leaf=entry(70))
    receipt("receipt-size-other", "checkpoint/log-signature", "The size was changed after signing.", cp=cp.replace("\n1000\n", "\n1001\n"))
    receipt("receipt-root-other", "checkpoint/log-signature", "The root was changed after signing.",
            cp=cp.replace(b64_encode(TREE.root()), b64_encode(TREE.root(999))))
    receipt("receipt-forked-log", "inclusion/root-mismatch", "The log and all witnesses signed another tree of this size.",
            cp=checkpoint(1000, root=aics.MerkleTree(entry(i + 1) for i in range(1000)).root()))
    receipt("receipt-log-signature-bit-flipped", "checkpoint/log-signature", "One bit of the log's signature is flipped.", cp=line_altered(cp, ORIGIN, 40))
    receipt("receipt-log-signature-missing", "checkpoint/missing-log-signature", "Only witnesses have signed.",
            cp="".join(l + "\n" for l in cp.split("\n")[:-1] if not l.startswith(f"— {ORIGIN} ")))
    receipt("receipt-log-signature-by-stranger", "checkpoint/missing-log-signature", "Another key signed under the log's name.",
            cp=checkpoint(1000, key=STRANGER[1]))
    receipt("receipt-log-signature-twice", "checkpoint/log-signature-duplicate", "The log's signature line occurs twice.",
            cp=cp + cp.split("\n\n")[1].split("\n")[0] + "\n")
    receipt("receipt-origin-unknown", "checkpoint/unknown-log", "A log that the policy does not list.",
            cp=checkpoint(1000, origin="log.example/other", key=STRANGER[1]))
    receipt("receipt-cosignature-bit-flipped", "checkpoint/witness-signature", "One bit of a cosignature is flipped; the other two would do.",
            cp=line_altered(cp, WITNESSES[1][0], 40))
    receipt("receipt-cosignature-time-altered", "checkpoint/witness-signature", "One bit of a cosignature's time is flipped.",
            cp=line_altered(cp, WITNESSES[1][0], 11))
    receipt("receipt-cosignature-of-other-size", "checkpoint/witness-signature", "A cosignature was moved here from another checkpoint.",
            cp=checkpoint(1000, witnesses=(1, 2)) + checkpoint(999, witnesses=(3,)).split("\n")[-2] + "\n")
    receipt("receipt-cosignature-twice", "checkpoint/witness-signature-duplicate", "One witness's line occurs twice.",
            cp=checkpoint(1000, witnesses=(1, 1)))
    receipt("receipt-quorum-missed", "checkpoint/no-quorum", "One witness of the two that are needed.", cp=checkpoint(1000, witnesses=(2,)))
    receipt("receipt-quorum-none-signed", "checkpoint/no-quorum", "No cosignature although two are needed.", cp=checkpoint(1000, witnesses=()))
    receipt("receipt-cosignature-time-zero", "checkpoint/witness-signature", "A cosignature that states no time. Ours is stricter than the specification.",
            cp=checkpoint(1000, time=-1, witnesses=(1, 2)))

    text = proof_text(70, good, cp, entry(70))
    receipt("receipt-header-version", "parse/header", "Another version.", text=text.replace("@v1", "@v2"))
    receipt("receipt-header-missing", "parse/header", "No header line.", text=text.split("\n", 1)[1])
    receipt("receipt-crlf", "parse/header", "Lines end in CR LF.", text=text.replace("\n", "\r\n"))
    receipt("receipt-empty", "parse/header", "Nothing at all.", text="")
    receipt("receipt-index-leading-zero", "parse/index", "A second spelling of the index.", text=text.replace("index 70", "index 070"))
    receipt("receipt-index-sign", "parse/index", "A sign before the index.", text=text.replace("index 70", "index +70"))
    receipt("receipt-index-too-large", "parse/index", "The index is 2^64.", text=text.replace("index 70", f"index {2**64}"))
    receipt("receipt-index-missing", "parse/missing-index", "No index line.", text=text.replace("index 70\n", ""))
    receipt("receipt-index-before-extra", "parse/hash-line", "Extra and index line change places.",
            text=text.replace(f"extra {b64_encode(entry(70))}\nindex 70\n", f"index 70\nextra {b64_encode(entry(70))}\n"))
    receipt("receipt-extra-twice", "parse/missing-index", "Two extra lines.", text=text.replace("index 70", "extra AAAA\nindex 70"))
    receipt("receipt-extra-empty", "parse/extra", "Extra data of no bytes; the line must be left out.", text=text.replace(b64_encode(entry(70)), ""))
    receipt("receipt-extra-unpadded", "parse/extra", "Base64 without its padding.", text=text.replace(b64_encode(entry(70)), b64_encode(b"1").rstrip("=")))
    first = b64_encode(good[0])
    receipt("receipt-hash-trailing-bits", "parse/hash-line", "The base64 of a hash has unused bits set.",
            text=text.replace(first, first[:-2] + chr(ord(first[-2]) + 1) + "="))
    receipt("receipt-hash-short", "parse/hash-line", "A hash of 31 bytes.", text=text.replace(first, b64_encode(good[0][:31])))
    receipt("receipt-truncated-in-proof", "parse/missing-checkpoint", "The text ends inside the inclusion proof.", text=text[: text.index("\n\n")])
    receipt("receipt-truncated-before-checkpoint", "parse/missing-checkpoint", "The text ends after the inclusion proof.", text=text[: text.index("\n\n") + 2])
    receipt("receipt-truncated-in-signature", "parse/note", "The last line is cut off.", text=text[:-10])
    receipt("receipt-truncated-last-newline", "parse/note", "Only the last newline is missing.", text=text[:-1])
    receipt("receipt-empty-line-appended", "parse/note", "An empty line follows, which would become the separator.", text=text + "\n")
    receipt("receipt-checkpoint-size-leading-zero", "parse/checkpoint", "The signed size has a leading zero.",
            text=proof_text(70, good, aics.Note(cp.split("\n\n")[0].replace("\n1000", "\n01000") + "\n", (aics.sign_note(
                cp.split("\n\n")[0].replace("\n1000", "\n01000") + "\n", LOG, ORIGIN),)).serialise()))


# --- consistency proofs -------------------------------------------------------------------------------------------


def consistency(name: str, expect: str, comment: str, old: int, new: int, hashes=None, old_root=None, new_root=None) -> None:
    hashes = TREE.consistency_proof(old, new) if hashes is None else hashes
    old_root = TREE.root(old) if old_root is None else old_root
    new_root = TREE.root(new) if new_root is None else new_root
    try:
        says = bool(aics.verify_consistency(old, new, old_root, new_root, hashes))
    except ValueError:
        says = False
    case(name, "consistency", expect, "".join(b64_encode(h) + "\n" for h in hashes), says, comment,
         old=f"{old} {b64_encode(old_root)}", new=f"{new} {b64_encode(new_root)}")


def consistencies() -> None:
    for old, new in [(0, 0), (0, 9), (1, 1), (1, 2), (1, 1000), (3, 7), (4, 7), (6, 8), (7, 8), (8, 9), (255, 256), (256, 1000), (257, 999), (999, 1000), (1000, 1000)]:
        consistency(f"consistency-good-{old}-to-{new}", "success", "A good consistency proof.", old, new)
    good = TREE.consistency_proof(300, 1000)
    other = TREE.root(301)
    consistency("consistency-hash-bit-flipped-first", "new-root-mismatch", "The first hash has one bit flipped.", 300, 1000, altered(good, 0))
    consistency("consistency-hash-bit-flipped-last", "new-root-mismatch", "The last hash has one bit flipped.", 300, 1000, altered(good, len(good) - 1))
    consistency("consistency-hash-missing", "too-short", "The last hash is missing.", 300, 1000, good[:-1])
    consistency("consistency-hash-extra", "too-long", "One hash too many.", 300, 1000, good + [good[0]])
    consistency("consistency-hashes-reordered", "new-root-mismatch", "Two hashes change places.", 300, 1000, [good[1], good[0]] + good[2:])
    consistency("consistency-hashes-none", "too-short", "No hashes.", 300, 1000, [])
    consistency("consistency-old-root-other", "old-root-mismatch", "The old root is another.", 300, 1000, old_root=other)
    consistency("consistency-new-root-other", "new-root-mismatch", "The new root is another.", 300, 1000, new_root=other)
    consistency("consistency-old-root-other-power-of-two", "new-root-mismatch", "As above, where the old root is the seed of the proof: what does not come out is the new root.", 256, 1000, old_root=other)
    consistency("consistency-fork", "fork", "Two trees of one size.", 300, 300, [], new_root=other)
    consistency("consistency-same-size-with-proof", "too-long", "A proof between equal trees must be empty.", 300, 300, [good[0]])
    consistency("consistency-from-empty-with-proof", "too-long", "A proof from the empty tree must be empty.", 0, 300, [good[0]])
    consistency("consistency-empty-tree-root", "empty-tree-root", "The empty tree has only one root.", 0, 300, [], old_root=other)
    consistency("consistency-reversed", "sizes-reversed", "The old tree is the larger one.", 1000, 300, good)
    consistency("consistency-hashes-64", "too-many-hashes", "More hashes than any tree needs.", 300, 1000, [good[0]] * 64)


# --- verifier keys ------------------------------------------------------------------------------------------------


def vkey(name: str, expect: str, comment: str, text: str) -> None:
    try:
        says = aics.format_vkey(aics.parse_vkey(text)) == text
    except ValueError:
        says = False
    case(name, "vkey", expect, text, says, comment)


def vkeys() -> None:
    good = aics.format_vkey(LOG_VKEY)
    vkey("vkey-good-log", "success", "A log's key.", good)
    vkey("vkey-good-witness", "success", "A witness's key.", aics.format_vkey(WITNESS_VKEYS[0]))
    vkey("vkey-good-utf8", "success", "A name beyond ASCII.", aics.format_vkey(aics.vkey_from_ed25519("公证.example/链", LOG.public_key())))
    name, key_id, material = good.split("+", 2)
    vkey("vkey-id-other", "id-mismatch", "The id is that of the same key as a witness's.",
         f"{name}+{aics.key_hash(name, 4, LOG_VKEY.public_key).hex()}+{material}")
    vkey("vkey-name-other", "id-mismatch", "The name was changed.", good.replace("jianzhen", "jianzhem"))
    vkey("vkey-id-uppercase", "id-syntax", "The id in capital letters.", f"{name}+{key_id.upper()}+{material}")
    vkey("vkey-id-short", "id-syntax", "The id has seven digits.", f"{name}+{key_id[1:]}+{material}")
    vkey("vkey-name-empty", "empty-name", "No name.", f"+{key_id}+{material}")
    vkey("vkey-name-space", "name-character", "A space in the name.", f"a b+{key_id}+{material}")
    vkey("vkey-name-unicode-space", "name-character", "A no-break space in the name.", f"a\u00a0b+{key_id}+{material}")
    vkey("vkey-parts-missing", "parts", "No id.", f"{name}+{material.replace('+', '')}")
    vkey("vkey-base64-unpadded", "base64", "The padding is missing.", f"{name}+{key_id}+{b64_encode(bytes([1]) * 34).rstrip('=')}")
    vkey("vkey-newline", "base64", "A newline follows.", good + "\n")

    def of(material: bytes, kind: int = 1) -> str:
        return f"{name}+{aics.key_hash(name, kind, material).hex()}+{b64_encode(bytes([kind]) + material)}"

    vkey("vkey-algorithm-ecdsa", "algorithm", "Signature type 2 is not supported.", of(LOG_VKEY.public_key, 2))
    vkey("vkey-length", "length", "A key of 31 bytes.", of(LOG_VKEY.public_key[:31]))
    vkey("vkey-weak-identity", "weak", "The identity: R = identity, S = 0 would verify for every message.", of(bytes([1] + [0] * 31)))
    vkey("vkey-weak-order-8", "weak", "A point of order 8.", of(bytes.fromhex("26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05")))
    vkey("vkey-non-canonical-zero", "not-a-point", "y = p, a second spelling of y = 0.", of(bytes.fromhex("ed" + "ff" * 30 + "7f")))
    vkey("vkey-non-canonical-y3", "not-a-point", "y = p + 3, a second spelling of a point of large order.", of(bytes.fromhex("f0" + "ff" * 30 + "7f")))


# --- tiles --------------------------------------------------------------------------------------------------------


def tiles() -> None:
    for size in (0, 1, 255, 256, 257, 1000, 65535, 65536, 70000):
        leaves = [i.to_bytes(8, "big") for i in range(size)]
        made = materialise_tiles(leaves)
        body = "".join(f"{path} {hashlib.sha256(made[path]).hexdigest()}\n" for path in sorted(made))
        root = aics.tree_root_from_tiles(aics.MemoryTileReader(made), size)
        case(f"tiles-{size}", "tiles", "success", body, True,
             "SHA-256 of every tile and entry bundle; entry i is i as eight bytes, big-endian.", size=size, root=b64_encode(root))


def main() -> int:
    receipts()
    consistencies()
    vkeys()
    tiles()
    return write_or_check(OUT, CASES, GENERATOR)


if __name__ == "__main__":
    sys.exit(main())

#!/usr/bin/env python3
"""A log made by aics-tlog (PyPI), which is not ours, and a witness that is.

    foreign_log.py vkey                      prints the log's verifier key
    foreign_log.py drive URL WITNESS_VKEY    has the witness cosign the log as it grows, and refuse what does not continue it
    foreign_log.py audit URL LOG_VKEY        checks every tile and entry of a copy
"""

import hashlib
import sys
import urllib.error
import urllib.request

import aics_tlog as aics
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

ORIGIN = "foreign.example/log"
KEY = Ed25519PrivateKey.from_private_bytes(hashlib.sha256(b"foreign log").digest())
VKEY = aics.vkey_from_ed25519(ORIGIN, KEY.public_key())
# The environment may name a proxy; the witness is on this machine.
HTTP = urllib.request.build_opener(urllib.request.ProxyHandler({}))


def request(tree: aics.MerkleTree, old: int, new: int) -> tuple[aics.Note, bytes]:
    checkpoint = aics.Checkpoint(origin=ORIGIN, size=new, root=tree.root(new))
    note = aics.sign_checkpoint(checkpoint, KEY, ORIGIN)
    proof = tree.consistency_proof(old, new) if 0 < old < new else []
    lines = [f"old {old}"] + [aics.note.b64_encode(node) for node in proof]
    return note, ("\n".join(lines) + "\n\n" + note.serialise()).encode()


def post(url: str, body: bytes) -> tuple[int, str, str]:
    try:
        with HTTP.open(urllib.request.Request(f"{url}/add-checkpoint", data=body, method="POST")) as answer:
            return answer.status, answer.headers["Content-Type"], answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.headers["Content-Type"], error.read().decode()


def check(note_text: str, witness: aics.VKey, size: int) -> None:
    policy = aics.WitnessPolicy(quorum=1, witnesses=(witness,), max_age_seconds=300)
    result = aics.verify_checkpoint(aics.parse_note(note_text), VKEY, expected_origin=ORIGIN, policy=policy)
    assert result.ok and result.size == size and result.cosignature_count == 1, result


def drive(url: str, witness: aics.VKey) -> None:
    tree = aics.MerkleTree(f"entry {i}".encode() for i in range(1000))
    fork = aics.MerkleTree([b"another history"] + [f"entry {i}".encode() for i in range(1, 1000)])
    cosigned, old = 0, 0
    for new in [1, 2, 3, 3, 255, 256, 700, 1000]:
        note, body = request(tree, old, new)
        status, _, lines = post(url, body)
        assert status == 200, (status, lines)
        check(note.serialise() + lines, witness, new)
        cosigned, old = cosigned + 1, new
        origin_hash = hashlib.sha256(ORIGIN.encode()).hexdigest()
        with HTTP.open(f"{url}/{origin_hash}/checkpoint") as answer:
            check(answer.read().decode(), witness, new)
    assert post(url, request(tree, 700, 1000)[1]) == (409, "text/x.tlog.size", "1000\n")
    assert post(url, request(fork, 1000, 1000)[1])[0] == 422
    assert post(url, request(tree, 1000, 1000)[1].replace(ORIGIN.encode(), b"nobody"))[0] == 404
    print(f"{cosigned} cosigned, 3 refused")


def audit(url: str, log: aics.VKey) -> None:
    with HTTP.open(f"{url}/checkpoint") as answer:
        note = aics.parse_note(answer.read().decode())
    result = aics.verify_checkpoint(note, log, expected_origin=log.name)
    assert result.ok, result
    report = aics.audit_tiles(aics.HttpTileReader(url, proxies={}), result.size, result.root)
    assert report.bundles == (result.size + 255) // 256
    print(f"{report.size} entries")


if sys.argv[1] == "vkey":
    print(aics.format_vkey(VKEY))
elif sys.argv[1] == "drive":
    drive(sys.argv[2], aics.parse_vkey(sys.argv[3]))
else:
    audit(sys.argv[2], aics.parse_vkey(sys.argv[3]))

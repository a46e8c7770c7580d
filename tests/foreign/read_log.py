"""Reads a published log with aics-tlog, an implementation that is not ours, and believes nothing of what it is served.

    read_log.py LOG_URL LOG_VKEY QUORUM RECEIPTS_FOLDER WITNESS_VKEY...

LOG_URL: what tiles are below. RECEIPTS_FOLDER: files NAME.tlog-proof, each beside NAME.entry, the entry that it is for.
Prints what was checked; any disagreement is an exception.
"""

import pathlib
import struct
import sys
import urllib.error
import urllib.request

import aics_tlog as aics
from aics_tlog.note import b64_decode


def get(url):
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(url, timeout=20) as answer:
        return answer.read()


class Log:
    def __init__(self, url, vkey, quorum, witnesses):
        self.url = url
        self.key = aics.parse_vkey(vkey)
        self.policy = aics.WitnessPolicy(quorum, tuple(aics.parse_vkey(witness) for witness in witnesses))

    def verify(self, text):
        """A checkpoint with a quorum."""
        result = aics.verify_checkpoint(
            aics.parse_note(text), self.key, policy=self.policy, expected_origin=self.key.name)
        if not result.ok:
            raise ValueError(f"{result.error}\n{text}")
        return result

    def archived(self):
        """Every checkpoint that was ever published, from the smallest on."""
        after = 0
        while True:
            notes = framed(get(f"{self.url}/checkpoints/after/{after}"))
            if not notes:
                return
            for note in notes:
                checkpoint = self.verify(note.decode())
                if checkpoint.size <= after:
                    raise ValueError(f"the archive goes from {after} to {checkpoint.size}")
                after = checkpoint.size
                yield checkpoint


def framed(data):
    notes = []
    while data:
        (length,) = struct.unpack(">H", data[:2])
        notes.append(data[2:2 + length])
        if len(notes[-1]) != length:
            raise ValueError("the last note is cut short")
        data = data[2 + length:]
    return notes


def check_receipt(log, receipt, entry):
    """C2SP tlog-proof; aics-tlog has no reader for it, so its lines are taken apart here."""
    head, _, note = receipt.partition("\n\n")
    lines = head.split("\n")
    if lines.pop(0) != "c2sp.org/tlog-proof@v1":
        raise ValueError("no tlog-proof")
    if lines[0].startswith("extra "):
        lines.pop(0)
    index = int(lines.pop(0).removeprefix("index "))
    checkpoint = log.verify(note)
    proof = [b64_decode(line) for line in lines]
    if not aics.verify_leaf_inclusion(entry, index, checkpoint.size, proof, checkpoint.root):
        raise ValueError(f"no inclusion of entry {index}")
    if aics.verify_leaf_inclusion(entry + b"x", index, checkpoint.size, proof, checkpoint.root):
        raise ValueError("another entry is included too")


def main(url, vkey, quorum, receipts, *witnesses):
    log = Log(url, vkey, int(quorum), witnesses)
    newest = log.verify(get(f"{url}/checkpoint").decode())
    reader = aics.HttpTileReader(url, proxies={})
    report = aics.audit_tiles(reader, newest.size, newest.root)
    if report.bundles != -(-newest.size // 256):
        raise ValueError(f"{report.bundles} bundles")

    tiles = aics.VerifiedTileReader(reader, newest.size, newest.root)
    archived = list(log.archived())
    if not archived or archived[-1].size > newest.size:
        raise ValueError("the archive is no part of the log")
    for old in archived:
        proof = aics.consistency_proof_from_tiles(tiles, old.size, newest.size)
        if not aics.verify_consistency(old.size, newest.size, old.root, newest.root, proof):
            raise ValueError(f"size {old.size} is no stage of size {newest.size}")

    count = 0
    for path in sorted(pathlib.Path(receipts).glob("*.tlog-proof")):
        check_receipt(log, path.read_text(), path.with_suffix(".entry").read_bytes())
        count += 1
    print(f"{newest.size} entries, {report.tiles} tiles, {len(archived)} checkpoints, {count} receipts")


if __name__ == "__main__":
    main(*sys.argv[1:])

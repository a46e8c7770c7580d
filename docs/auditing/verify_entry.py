#!/usr/bin/env python3
"""Checks an entry of a notary chain with programs that are not ours: aics-tlog (PyPI) does everything that proves anything.

    pip install --no-deps --ignore-requires-python aics-tlog==0.2.1
    pip install cryptography

    verify_entry.py --log https://notary.example/log --trust trust.json --index 42
    verify_entry.py --log https://notary.example/log --trust trust.json --statement DIGEST
    verify_entry.py --log https://notary.example/log --trust trust.json --all

Prints one JSON object. Exit status 0: proven. 1: not proven. 2: wrong usage.

Get trust.json by another way than from the service. --log may be the address of a mirror.
"""

import argparse
import json
import sys
import urllib.error
import urllib.request

from aics_tlog.checkpoint import checkpoint_from_note, verify_checkpoint
from aics_tlog.note import parse_vkey
from aics_tlog.remote import HttpTileReader
from aics_tlog.verified import VerifiedTileReader, audit_tiles

KINDS = {0: "evidence", 1: "registry"}


class NotProven(Exception):
    pass


class Policy:
    """A C2SP tlog-policy: logs, witnesses, and which of them suffice."""

    def __init__(self, text: str):
        self.logs, self.witnesses, self.groups, self.quorum = [], {}, {}, None
        for line in text.splitlines():
            if not line.strip() or line.startswith("#"):
                continue
            keyword, *items = line.split()
            if keyword == "log":
                self.logs.append(parse_vkey(items[0]))
            elif keyword == "witness":
                self.witnesses[items[0]] = parse_vkey(items[1])
            elif keyword == "group":
                name, threshold, *members = items
                count = {"all": len(members), "any": 1}.get(threshold) or int(threshold)
                self.groups[name] = (count, members)
            elif keyword == "quorum":
                self.quorum = items[0]
            else:
                raise NotProven(f"the policy has the unknown line {line!r}")

    def time(self, name: str, cosigned: dict):
        """The earliest time by which `name` was satisfied, or None."""
        if name in self.groups:
            count, members = self.groups[name]
            times = sorted(t for t in (self.time(member, cosigned) for member in members) if t is not None)
            return times[count - 1] if len(times) >= count else None
        return cosigned.get(self.witnesses[name].name)

    def verify(self, note):
        """(verified, time of the quorum or None with `quorum none`)."""
        checkpoint, note = checkpoint_from_note(note)
        for log in (log for log in self.logs if log.name == checkpoint.origin):
            result = verify_checkpoint(note, log, list(self.witnesses.values()), 0)
            if not result.ok:
                continue
            if self.quorum == "none":
                return True, None
            time = self.time(self.quorum, result.timestamps)
            if time is not None:
                return True, time
        return False, None


def trusted_checkpoint(note, trust: dict):
    """Size, root and quorum time, if one policy of the trust file is satisfied within its window."""
    for entry in trust["logs"]:
        verified, time = Policy(entry["policy"]).verify(note)
        begins, ends = entry.get("valid_from", 0), entry.get("valid_until")
        within = time is None or (begins <= time and (ends is None or time < ends))
        if verified and within:
            checkpoint, _ = checkpoint_from_note(note)
            return checkpoint, time
    raise NotProven("the published checkpoint satisfies no policy of the trust file")


def index_of(log: str, statement: str) -> int:
    """Where the log says that it sealed a statement; only what is proven afterwards counts."""
    opener = urllib.request.build_opener()
    try:
        with opener.open(f"{log.rstrip('/')}/index/{statement}", timeout=15) as answer:
            return int(answer.read(32).decode().strip())
    except urllib.error.HTTPError as error:
        raise NotProven(f"the log knows no entry for this statement (HTTP {error.code})") from None


def describe(index: int, entry: bytes) -> dict:
    if len(entry) != 42 or entry[0] != 1 or entry[1] not in KINDS:
        raise NotProven(f"entry {index} is none of a notary chain")
    sealed_at = int.from_bytes(entry[2:10], "big")
    return {"index": index, "kind": KINDS[entry[1]], "sealed_at": sealed_at, "statement": entry[10:].hex()}


def run(arguments) -> dict:
    with open(arguments.trust, encoding="utf-8") as file:
        trust = json.load(file)
    source = HttpTileReader(arguments.log)
    note = source.read_checkpoint().decode()
    checkpoint, time = trusted_checkpoint(note, trust)
    report = {"origin": checkpoint.origin, "size": checkpoint.size, "root": checkpoint.root.hex(), "cosigned": time}
    if arguments.all:
        # Raises at the first tile or bundle that is not of this tree.
        audited = audit_tiles(source, checkpoint.size, checkpoint.root)
        return report | {"tiles": audited.tiles, "bundles": audited.bundles}
    index = arguments.index
    if arguments.statement is not None:
        index = index_of(arguments.log, arguments.statement)
    if not 0 <= index < checkpoint.size:
        raise NotProven(f"entry {index} is not among the {checkpoint.size} published ones")
    # Proven: aics-tlog gives an entry only after its hash has led to the root.
    entry = describe(index, VerifiedTileReader(source, checkpoint.size, checkpoint.root).entry(index))
    if arguments.statement not in (None, entry["statement"]):
        raise NotProven(f"entry {index} commits to another statement: {entry['statement']}")
    return report | {"entry": entry}


def main() -> int:
    parser = argparse.ArgumentParser(description="Checks an entry of a notary chain with aics-tlog.")
    parser.add_argument("--log", required=True, metavar="URL", help="what /checkpoint is appended to")
    parser.add_argument("--trust", required=True, metavar="FILE")
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("--index", type=int, metavar="N")
    what.add_argument("--statement", metavar="DIGEST", help="64 lowercase hexadecimal digits")
    what.add_argument("--all", action="store_true", help="every tile and every entry")
    try:
        report = run(parser.parse_args())
    except (NotProven, OSError, ValueError) as error:
        print(json.dumps({"proven": False, "error": str(error)}))
        return 1
    print(json.dumps({"proven": True} | report))
    return 0


if __name__ == "__main__":
    sys.exit(main())

#!/usr/bin/env python3
"""Generates testdata/evidence/*.txt after docs/spec/statement.md and docs/spec/evidence-file.md, without our code.

Needs the PyPI packages cryptography (Ed25519) and aics-tlog 0.2.1 (tree, proofs, checkpoints):

    pip install --no-deps --ignore-requires-python aics-tlog==0.2.1
    pip install cryptography

CBOR is written by the forty lines below, which can also spell things in ways that the specification forbids.

One case, one file: header lines `key: value` (a repeated key gives several lines), an empty line, then the input of the
parser under test in hexadecimal, 64 bytes a line. `expect` is `success`, or the layer and reason of the failure.

    generate_statements.py           writes the files
    generate_statements.py --check   compares them with what it would write; exit status 1 if anything differs
"""

import hashlib
import json
import pathlib
import sys
from importlib.metadata import version

import aics_tlog as aics
from aics_tlog.note import b64_encode
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from vectors import write_or_check

OUT = pathlib.Path(__file__).parent / "evidence"
GENERATOR = f"generate_statements.py, cryptography, aics-tlog {version('aics-tlog')} (PyPI)"
CASES: dict[str, bytes] = {}


# --- CBOR, RFC 8949 -----------------------------------------------------------------------------------------------


class Raw(bytes):
    """Bytes that are CBOR already."""


class Tag:
    def __init__(self, number: int, value):
        self.number, self.value = number, value


def head(major: int, value: int) -> bytes:
    for code, size in ((24, 1), (25, 2), (26, 4), (27, 8)):
        if value < 24:
            return bytes([major << 5 | value])
        if value < 1 << 8 * size:
            return bytes([major << 5 | code]) + value.to_bytes(size, "big")
    raise ValueError(value)


def cbor(value) -> bytes:
    """Deterministic encoding: shortest heads, definite lengths; a dict keeps its order, which cases may choose badly."""
    if isinstance(value, Raw):
        return bytes(value)
    if value is None:
        return b"\xf6"
    if isinstance(value, bool):
        return b"\xf5" if value else b"\xf4"
    if isinstance(value, int):
        return head(0, value) if value >= 0 else head(1, -1 - value)
    if isinstance(value, bytes):
        return head(2, len(value)) + value
    if isinstance(value, str):
        return head(3, len(value.encode())) + value.encode()
    if isinstance(value, list):
        return head(4, len(value)) + b"".join(map(cbor, value))
    if isinstance(value, dict):
        return head(5, len(value)) + b"".join(cbor(k) + cbor(v) for k, v in value.items())
    if isinstance(value, Tag):
        return head(6, value.number) + cbor(value.value)
    raise TypeError(value)


def without(mapping: dict, key: int) -> dict:
    return {k: v for k, v in mapping.items() if k != key}


# --- statements ---------------------------------------------------------------------------------------------------


def sha(data: bytes) -> bytes:
    return hashlib.sha256(data).digest()


def seed_key(label: str) -> Ed25519PrivateKey:
    return Ed25519PrivateKey.from_private_bytes(sha(label.encode()))


def public(key: Ed25519PrivateKey) -> bytes:
    return key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)


DEVICE = seed_key("test device")
REGISTRAR = seed_key("test registrar")
LOG = seed_key("test log")
RECORDING = sha(b"test recording")[:16]
NOW = 1_790_000_000_000
TYP = "application/vnd.jianzhen."


def header(kid: bytes, kind: str) -> dict:
    return {1: -19, 4: kid, 16: TYP + kind}


def statement(kind: str, payload, key: Ed25519PrivateKey = DEVICE, protected=None, unprotected=None, tag=18,
              signature=None, message=None) -> bytes:
    """COSE_Sign1, RFC 9052: 18([protected, {}, payload, signature over ["Signature1", protected, '', payload]])."""
    protected = cbor(header(sha(public(key)), kind) if protected is None else protected)
    payload = cbor(payload)
    signed = cbor(["Signature1", protected, b"", payload]) if message is None else message
    signature = key.sign(signed) if signature is None else signature
    body = [protected, {} if unprotected is None else unprotected, payload, signature]
    return cbor(body if tag is None else Tag(tag, body))


def enrol(role: int = 0) -> dict:
    return {1: 1, 2: public(DEVICE), 3: "警号-0042", 4: role, 5: "DSJ-7", 6: "某市公安局",
            7: NOW - 86_400_000, 8: NOW + 365 * 86_400_000}


ENROL = statement("enrol", enrol(), REGISTRAR)
START = {
    1: 1, 2: RECORDING, 3: 17, 4: sha(b"previous"), 5: sha(ENROL), 6: NOW,
    7: [{1: 1, 2: 0, 3: "avc1", 4: bytes(range(40)), 5: 90000, 6: [1920, 1080],
         7: [65536, 0, 0, 0, 65536, 0, 0, 0, 1073741824], 8: [[0, -1, 65536], [9000, 1024, -65536]]},
        {1: 2, 2: 1, 3: "mp4a", 4: b"", 5: 48000, 9: [2, 48000]},
        {1: 3, 2: 2, 3: "\u00a9met", 4: b"\x00", 5: 1}],
    8: {1: -250, 2: 2, 3: sha(b"firmware"), 4: 64 << 30, 5: True, 6: 100, 7: False},
    9: [123456, sha(b"root")], 10: sha(b"position"),
}
SEGMENT = {
    1: 1, 2: RECORDING, 3: 1, 4: sha(b"start"), 5: NOW, 6: NOW + 2000, 7: 0, 8: 65537, 9: sha(b"bytes"),
    10: [["v1", 1, 50, 0, 176400, sha(b"video")], ["v1", 2, 94, -1024, 94208, sha(b"audio")]],
    11: [0, 2000], 12: 87, 13: [[NOW + 5, 2], [NOW + 6, 6]], 14: [1 << 40, sha(b"root")], 15: sha(b"position"),
    16: sha(b"head"),
}
END = {1: 1, 2: RECORDING, 3: 2, 4: sha(b"segment"), 5: 2, 6: NOW + 2000, 7: 65537, 8: 1, 9: sha(b"root"),
       10: sha(b"head")}
DEPOSIT = {1: 1, 2: RECORDING, 3: sha(ENROL), 4: NOW, 5: (1 << 20) + 1, 6: sha(b"file"), 7: sha(b"root"),
           8: sha(b"head"), 9: "image/jpeg", 10: NOW - 5000, 11: sha(b"depositor"), 12: sha(b"position")}


def case(name: str, kind: str, expect: str, comment: str, body: bytes, **headers) -> None:
    lines = [f"generator: {GENERATOR}", f"kind: {kind}", f"expect: {expect}", f"comment: {comment}"]
    for key, value in headers.items():
        lines += [f"{key.replace('_', '-')}: {v}" for v in (value if isinstance(value, list) else [value])]
    text = body.hex()
    rows = [text[i:i + 128] for i in range(0, len(text), 128)]
    assert name not in CASES, name
    CASES[name] = ("\n".join(lines) + "\n\n" + "\n".join(rows) + "\n").encode()


def good(name: str, kind: str, comment: str, payload: dict, key: Ed25519PrivateKey = DEVICE) -> None:
    data = statement(kind, payload, key)
    entry_kind = 1 if kind in ("revoke", "registry") or (kind == "enrol" and payload[4] == 0) else 0
    entry = bytes([1, entry_kind]) + (NOW // 1000).to_bytes(8, "big") + sha(data)
    case(f"statement-{name}", "statement", "success", comment, data, statement_kind=kind, digest=sha(data).hex(),
         public_key=public(key).hex(), seed=key.private_bytes_raw().hex(), sealed_at=NOW // 1000, entry=entry.hex(),
         leaf=sha(b"\x00" + entry).hex())


def bad(name: str, expect: str, comment: str, data: bytes, key: Ed25519PrivateKey = DEVICE) -> None:
    case(f"statement-{name}", "statement", expect, comment, data, public_key=public(key).hex())


def good_statements() -> None:
    good("enrol-device", "enrol", "The enrolment of a device.", enrol(), REGISTRAR)
    good("enrol-account", "enrol", "The enrolment of an account: a private entry.", enrol(1), REGISTRAR)
    good("revoke", "revoke", "A revocation.", {1: 1, 2: sha(public(DEVICE)), 3: NOW, 4: 3}, REGISTRAR)
    good("registry-empty", "registry", "A snapshot: nobody is revoked.", {1: 1, 2: NOW, 3: []}, REGISTRAR)
    revoked = sorted(sha(bytes([i])) for i in range(5))
    good("registry", "registry", "A snapshot with five keys.", {1: 1, 2: NOW, 3: revoked}, REGISTRAR)
    many = sorted(sha(i.to_bytes(2, "big")) for i in range(2500))
    good("registry-long", "registry", "A snapshot longer than any other kind may be.", {1: 1, 2: NOW, 3: many}, REGISTRAR)
    good("start", "start", "A start with everything.", START)
    good("start-least", "start", "A start with as little as possible.",
         {1: 1, 2: RECORDING, 3: 1, 4: None, 5: sha(ENROL), 6: 0, 7: [], 8: {}})
    good("segment", "segment", "A segment with everything.", SEGMENT)
    good("segment-least", "segment", "A segment with as little as possible, as late and as far as possible.",
         {1: 1, 2: RECORDING, 3: 200_000, 4: sha(b"x"), 5: 2**53 - 1, 6: 0, 7: 2**53 - 2, 8: 1, 9: sha(b"y"), 10: []})
    good("end", "end", "An end with everything.", END)
    good("end-least", "end", "An end without head.", without(END, 10))
    good("deposit", "deposit", "A deposit with everything.", DEPOSIT)
    good("deposit-least", "deposit", "A deposit with as little as possible.",
         {k: v for k, v in DEPOSIT.items() if k < 10})


def bad_envelopes() -> None:
    kid = sha(public(DEVICE))
    protected = cbor(header(kid, "end"))
    payload = cbor(END)
    signature = DEVICE.sign(cbor(["Signature1", protected, b"", payload]))
    bad("empty", "envelope", "Nothing.", b"")
    bad("tag-missing", "envelope", "COSE_Sign1 without its tag.", statement("end", END, tag=None))
    bad("tag-sign", "envelope", "Tag 98, COSE_Sign.", statement("end", END, tag=98))
    bad("tag-long", "not-deterministic", "Tag 18 spelled in two bytes.", b"\xd8\x12" + statement("end", END)[1:])
    bad("array-of-five", "envelope", "A fifth member.", cbor(Tag(18, [protected, {}, payload, signature, b""])))
    bad("array-indefinite", "envelope", "The array has indefinite length.",
        b"\xd2\x9f" + cbor(protected) + b"\xa0" + cbor(payload) + cbor(signature) + b"\xff")
    bad("payload-detached", "envelope", "The payload is null: detached.", cbor(Tag(18, [protected, {}, None, signature])))
    bad("payload-chunked", "envelope", "The payload is a byte string of indefinite length.",
        b"\xd2\x84" + cbor(protected) + b"\xa0" + b"\x5f" + cbor(payload) + b"\xff" + cbor(signature))
    bad("signature-short", "envelope", "The signature has 63 bytes.",
        cbor(Tag(18, [protected, {}, payload, signature[:63]])))
    bad("trailing", "envelope", "A byte follows.", statement("end", END) + b"\x00")
    bad("truncated", "envelope", "The last byte is missing.", statement("end", END)[:-1])
    bad("unprotected-kid", "unprotected-header", "The unprotected header holds a key id.",
        statement("end", END, unprotected={4: kid}))
    bad("protected-length-long", "not-deterministic", "The length of the protected header is spelled in three bytes.",
        b"\xd2\x84\x59" + len(protected).to_bytes(2, "big") + protected + b"\xa0" + cbor(payload) + cbor(signature))
    bad("protected-empty", "header", "The protected header is an empty string.",
        cbor(Tag(18, [b"", {}, payload, DEVICE.sign(cbor(["Signature1", b"", b"", payload]))])))
    bad("alg-eddsa", "algorithm", "The older algorithm number -8, EdDSA.",
        statement("end", END, protected={1: -8, 4: kid, 16: TYP + "end"}))
    bad("alg-es256", "algorithm", "ES256.", statement("end", END, protected={1: -7, 4: kid, 16: TYP + "end"}))
    bad("alg-missing", "header", "No algorithm.", statement("end", END, protected={4: kid, 16: TYP + "end"}))
    bad("kid-missing", "header", "No key id.", statement("end", END, protected={1: -19, 16: TYP + "end"}))
    bad("kid-short", "header", "A key id of 31 bytes.",
        statement("end", END, protected={1: -19, 4: kid[1:], 16: TYP + "end"}))
    bad("typ-missing", "header", "No type.", statement("end", END, protected={1: -19, 4: kid}))
    bad("typ-unknown", "type", "A type of the future.", statement("ending", END))
    bad("typ-other-case", "type", "The type in capital letters.", statement("End", END))
    bad("crit", "header", "A critical header that nobody knows.",
        statement("end", END, protected={1: -19, 2: [99], 4: kid, 16: TYP + "end", 99: 1}))
    bad("header-order", "header", "The header's keys are not ascending.",
        statement("end", END, protected={4: kid, 1: -19, 16: TYP + "end"}))
    bad("header-trailing", "header", "A byte follows the header's map.",
        statement("end", END, protected=Raw(protected + b"\x00")))
    bad("header-alg-long", "not-deterministic", "The algorithm is spelled in two bytes.",
        statement("end", END, protected=Raw(b"\xa3\x01\x38\x12\x04" + cbor(kid) + b"\x10" + cbor(TYP + "end"))))


def bad_payloads() -> None:
    def of(name: str, expect: str, comment: str, payload, kind: str = "end", key: Ed25519PrivateKey = DEVICE) -> None:
        bad(name, expect, comment, statement(kind, payload, key), key)

    of("payload-empty", "payload", "The payload is empty.", Raw(b""))
    of("payload-array", "payload", "The payload is an array.", list(END.values()))
    of("payload-trailing", "payload", "A byte follows the payload's map.", Raw(cbor(END) + b"\xf6"))
    of("payload-unknown-key", "payload", "A key that the specification does not list.", END | {11: 0})
    of("payload-unknown-key-below", "payload", "The key 0, before all listed ones.", {0: 0} | END)
    of("payload-key-missing", "payload", "The total length is missing.", without(END, 7))
    of("payload-key-twice", "payload", "Key 3 twice.", Raw(b"\xab" + cbor(END)[1:4] + cbor(END)[1:]))
    of("payload-key-negative", "payload", "A negative key.", {-1: 0} | END)
    of("payload-key-text", "payload", "A text key.", END | {"a": 0})
    of("payload-order", "payload", "The keys are not ascending.", dict(sorted(END.items(), reverse=True)))
    of("payload-indefinite", "payload", "A map of indefinite length.", Raw(b"\xbf" + cbor(END)[1:] + b"\xff"))
    of("payload-length-long", "not-deterministic", "The map's head is spelled in two bytes.",
       Raw(b"\xb8" + bytes([len(END)]) + cbor(END)[1:]))
    of("payload-integer-long", "not-deterministic", "The version is spelled in two bytes.",
       END | {1: Raw(b"\x18\x01")})
    of("payload-integer-8", "not-deterministic", "The number of segments is spelled in nine bytes.",
       END | {8: Raw(b"\x1b" + (1).to_bytes(8, "big"))})
    of("payload-float", "payload", "The number of segments is a float.", END | {8: Raw(b"\xf9\x3c\x00")})
    of("payload-bignum", "payload", "The number of segments is a bignum.", END | {8: Tag(2, b"\x01")})
    of("payload-version", "payload", "Version 2.", END | {1: 2})
    of("payload-recording-short", "payload", "A recording id of 15 bytes.", END | {2: RECORDING[1:]})
    of("end-sequence-zero", "payload", "The sequence of start.", END | {3: 0})
    of("end-sequence-far", "payload", "Beyond the longest recording.", END | {3: 200_002})
    of("end-reason", "payload", "A reason of the future.", END | {5: 5})
    of("end-time", "payload", "A time beyond 2^53 - 1.", END | {6: 2**53})
    of("end-head-null", "payload", "An absent optional member is spelled null.", END | {10: None})
    of("segment-empty", "payload", "A segment without bytes.", SEGMENT | {8: 0}, "segment")
    of("segment-wraps", "payload", "A segment that ends beyond 2^53 - 1.", SEGMENT | {7: 2**53 - 1}, "segment")
    of("segment-wraps-u64", "payload", "Offset and length wrap around.", SEGMENT | {7: 2**64 - 1}, "segment")
    of("segment-battery", "payload", "101 per cent.", SEGMENT | {12: 101}, "segment")
    of("segment-timeline-backwards", "payload", "The timeline ends before it begins.", SEGMENT | {11: [5, 4]}, "segment")
    of("segment-events-empty", "payload", "An empty list of events, which must be left out.", SEGMENT | {13: []}, "segment")
    of("segment-events-many", "payload", "65 events.", SEGMENT | {13: [[NOW, 2]] * 65}, "segment")
    of("segment-fingerprints-many", "payload", "17 fingerprints.", SEGMENT | {10: SEGMENT[10][:1] * 17}, "segment")
    of("segment-claims-millions", "payload", "A list that claims 2^32 elements and ends.",
       SEGMENT | {10: Raw(b"\x9a\xff\xff\xff\xff")}, "segment")
    of("start-tracks-many", "payload", "17 tracks.", START | {7: START[7][1:2] * 17}, "start")
    of("start-matrix-short", "payload", "A display matrix of eight numbers.",
       START | {7: [START[7][0] | {7: [0] * 8}]}, "start")
    of("start-codec-long", "payload", "A sample entry code of five characters.", START | {7: [START[7][1] | {3: "avc10"}]}, "start")
    of("start-configuration-long", "payload", "A codec configuration of more than 8 KiB.",
       START | {7: [START[7][1] | {4: bytes(8193)}]}, "start")
    of("start-self-check-key", "payload", "An unknown member of the self-check.", START | {8: {8: 1}}, "start")
    of("start-as-end", "payload", "A start that the header calls an end.", START, "end")
    of("enrol-id-empty", "payload", "An empty device id.", enrol() | {3: ""}, "enrol", REGISTRAR)
    of("enrol-id-long", "payload", "A device id of 65 bytes.", enrol() | {3: "x" * 65}, "enrol", REGISTRAR)
    of("enrol-not-utf8", "payload", "A device id that is not UTF-8.", enrol() | {3: Raw(b"\x61\xff")}, "enrol", REGISTRAR)
    of("enrol-window-empty", "payload", "Valid until when it begins.", enrol() | {8: enrol()[7]}, "enrol", REGISTRAR)
    of("enrol-key-weak", "payload", "A key of small order.", enrol() | {2: bytes([1] + [0] * 31)}, "enrol", REGISTRAR)
    of("enrol-key-not-canonical", "payload", "y = p + 3, a second spelling of a point.",
       enrol() | {2: bytes.fromhex("f0" + "ff" * 30 + "7f")}, "enrol", REGISTRAR)
    of("registry-order", "payload", "Keys that are not ascending.",
       {1: 1, 2: NOW, 3: sorted((sha(b"a"), sha(b"b")), reverse=True)}, "registry", REGISTRAR)
    of("registry-twice", "payload", "One key twice.", {1: 1, 2: NOW, 3: [sha(b"a")] * 2}, "registry", REGISTRAR)
    of("deposit-empty", "payload", "A deposit of nothing.", DEPOSIT | {5: 0}, "deposit")
    of("deposit-media-type-long", "payload", "A media type of 129 bytes.", DEPOSIT | {9: "x" * 129}, "deposit")
    track = START[7][1] | {4: bytes(8000)}
    of("start-long", "too-long", "A start of more than 64 KiB.", START | {7: [track] * 9}, "start")


def bad_signatures() -> None:
    """These parse; what fails is the signature."""
    data = statement("end", END)
    bad("signature-flipped", "signature", "One bit of the signature.", data[:-1] + bytes([data[-1] ^ 1]))
    bad("signature-other-context", "signature", "Signed as COSE_Signature, not Signature1.",
        statement("end", END, message=cbor(["Signature", cbor(header(sha(public(DEVICE)), "end")), b"", cbor(END)])))
    bad("signature-payload-only", "signature", "Signed over the payload alone.", statement("end", END, message=cbor(END)))
    bad("signature-of-another-payload", "signature", "A payload exchanged after signing.",
        statement("end", END | {8: 9}, signature=data[-64:]))
    bad("signature-other-key", "signature", "Signed by another key than the one named.",
        statement("end", END, key=REGISTRAR, protected=header(sha(public(DEVICE)), "end")))
    order = 2**252 + 27742317777372353535851937790883648493
    s = int.from_bytes(data[-32:], "little") + order
    bad("signature-s-not-reduced", "signature", "S + L: verifies without the check that S is reduced.",
        data[:-32] + s.to_bytes(32, "little"))
    bad("signature-zero", "signature", "R = identity, S = 0.", data[:-64] + bytes([1] + [0] * 63))


# --- commitments, tokens, roots -----------------------------------------------------------------------------------


def small_things() -> None:
    salt = bytes(range(16))
    for name, field, value in [
        ("position", "position", [399042000, 1164074000, 250]),
        ("position-no-accuracy", "position", [-900000000, -1800000000]),
        ("depositor", "depositor", "张三"),
    ]:
        disclosure = cbor([field, salt, cbor(value)])
        case(f"disclosure-{name}", "disclosure", "success", "SHA-256(salt || value).", disclosure,
             commitment=sha(salt + cbor(value)).hex())
    for name, field, value in [
        ("field-unknown", "address", cbor("x")),
        ("position-off-earth", "position", cbor([900000001, 0])),
        ("position-four", "position", cbor([0, 0, 0, 0])),
        ("position-long", "position", b"\x82\x18\x01\x01"),
        ("value-trailing", "position", cbor([0, 0]) + b"\x00"),
        ("depositor-empty", "depositor", cbor("")),
    ]:
        case(f"disclosure-{name}", "disclosure", "failure", "Refused.", cbor([field, salt, value]))
    segments = [(0, 70000), (70000, 1), (70001, 5 << 30), (70001 + (5 << 30), 12), (70013 + (5 << 30), 99)]
    digests = [sha(bytes([i])) for i in range(5)]
    leaves = [o.to_bytes(8, "big") + n.to_bytes(8, "big") + d for (o, n), d in zip(segments, digests)]
    for count in range(6):
        case(f"segments-root-{count}", "segments-root", "success", "48 bytes a leaf: offset, length, digest.",
             b"".join(leaves[:count]), root=aics.MerkleTree(leaves[:count]).root(count).hex())
    for what in ("segment", "head"):
        token = sha(f"jianzhen/lookup/{what}/v1".encode() + b"\x00" + digests[0])
        case(f"token-{what}", "token", "success", "A lookup token.", digests[0], of=what, token=token.hex())
    tokens = [sha(bytes([i])) for i in range(3)]
    case("lookup-request", "lookup-request", "success", "Three tokens.", cbor({1: tokens}),
         token=[token.hex() for token in tokens])
    case("lookup-request-empty", "lookup-request", "failure", "No token.", cbor({1: []}))
    case("lookup-request-repeated", "lookup-request", "failure", "A token twice.", cbor({1: tokens[:1] * 2}))
    case("lookup-request-many", "lookup-request", "failure", "257 tokens.",
         cbor({1: [sha(i.to_bytes(2, "big")) for i in range(257)]}))
    case("lookup-request-long", "lookup-request", "failure", "The key is spelled in two bytes.",
         b"\xa1\x18\x01" + cbor(tokens))


# --- evidence files -----------------------------------------------------------------------------------------------

MAGIC = b"\x89JZEV\r\n\x1a\x01"
ORIGIN = "log.example/jianzhen"
WITNESS = seed_key("test witness 1")


class Chain:
    """A log with one witness."""

    def __init__(self, origin: str = ORIGIN):
        self.origin = origin
        self.entries = [b"\x01\x00" + bytes(40)]

    def seal(self, data: bytes, kind: int = 0) -> list:
        sealed_at = NOW // 1000 + len(self.entries)
        self.entries.append(bytes([1, kind]) + sealed_at.to_bytes(8, "big") + sha(data))
        return [data, len(self.entries) - 1, sealed_at]

    def receipt(self, sealed: list) -> bytes:
        tree, size = aics.MerkleTree(self.entries), len(self.entries)
        checkpoint = aics.Checkpoint(self.origin, size, tree.root(size), ())
        note = aics.sign_checkpoint(checkpoint, LOG, self.origin)
        _, line = aics.sign_cosignature(WITNESS, "witness.example/w1", NOW // 1000 + 60, self.origin, size,
                                        checkpoint.root, ())
        text = aics.Note(note.text, (*note.signatures, line)).serialise()
        lines = ["c2sp.org/tlog-proof@v1", f"extra {b64_encode(self.entries[sealed[1]])}", f"index {sealed[1]}"]
        lines += [b64_encode(h) for h in tree.inclusion_proof(sealed[1], size)]
        return ("\n".join(lines) + "\n\n" + text).encode()


def trust(origin: str = ORIGIN) -> str:
    policy = (f"log {aics.format_vkey(aics.vkey_from_ed25519(origin, LOG.public_key()))}\n"
              f"witness w1 {aics.format_vkey(aics.cosignature_vkey('witness.example/w1', WITNESS.public_key()))}\n"
              "quorum w1\n")
    registrar = aics.format_vkey(aics.vkey_from_ed25519("registrar.example", REGISTRAR.public_key()))
    return json.dumps({"version": 1, "operator": {"name": "测试公证处"}, "logs": [{"policy": policy}],
                       "registrars": [{"vkey": registrar}]}, ensure_ascii=False)


def recorded(chunks: list[bytes], chain: Chain, end: bool = True) -> tuple[list, list]:
    """The sealed statements of a recording of `chunks`, and its sealed enrolment."""
    enrolment = chain.seal(ENROL, 1)
    salt = bytes(16)
    place = cbor([399042000, 1164074000])
    start = {1: 1, 2: RECORDING, 3: 1, 4: None, 5: sha(ENROL), 6: NOW, 7: [], 8: {5: True}, 10: sha(salt + place)}
    sealed = [chain.seal(statement("start", start))]
    offset, leaves = 0, []
    for i, chunk in enumerate(chunks):
        segment = {1: 1, 2: RECORDING, 3: i + 1, 4: sha(sealed[-1][0]), 5: NOW + 2000 * i, 6: NOW + 2000 * (i + 1),
                   7: offset, 8: len(chunk), 9: sha(chunk), 10: [], 11: [2000 * i, 2000 * (i + 1)]}
        leaves.append(offset.to_bytes(8, "big") + len(chunk).to_bytes(8, "big") + sha(chunk))
        offset += len(chunk)
        sealed.append(chain.seal(statement("segment", segment)))
    if end:
        last = {1: 1, 2: RECORDING, 3: len(chunks) + 1, 4: sha(sealed[-1][0]), 5: 0, 6: NOW + 2000 * len(chunks),
                7: offset, 8: len(chunks), 9: aics.MerkleTree(leaves).root(len(leaves)), 10: sha(b"".join(chunks)[:65536])}
        sealed.append(chain.seal(statement("end", last)))
    return sealed, enrolment


def evidence(sealed: list, enrolment: list, chain: Chain, **more) -> dict:
    places = sorted({0, len(sealed) - 1})
    return {1: [statement for statement, _, _ in sealed],
            2: [[i, *sealed[i][1:], chain.receipt(sealed[i])] for i in places],
            3: [[enrolment, chain.receipt(enrolment)]]} | more.get("members", {})


def evidence_case(name: str, expect: str, comment: str, body: bytes, content: bytes | None = None,
                  ranges: list[bytes] | None = None, trusted: str | None = None) -> None:
    headers = {"trust": trusted or trust()}
    if content is not None:
        headers["length"] = len(content)
        offset, pieces = 0, []
        for piece in ranges:
            pieces.append(f"{offset} {len(piece)} {sha(piece).hex()}")
            offset += len(piece)
        headers["piece"] = pieces
    case(f"evidence-{name}", "evidence", expect, comment, body, **headers)


def chunks_of(label: str, count: int = 4, size: int = 20_000) -> list[bytes]:
    return [hashlib.shake_256(f"{label} {i}".encode()).digest(size + i) for i in range(count)]


def evidence_files() -> None:
    chunks = chunks_of("video")
    content = b"".join(chunks)
    chain = Chain()
    sealed, enrolment = recorded(chunks, chain)
    disclosed = {4: [[0, ["position", bytes(16), cbor([399042000, 1164074000])]]]}
    body = evidence(sealed, enrolment, chain, members=disclosed)
    file = MAGIC + cbor(body)
    evidence_case("consistent", "consistent", "A whole recording, with a disclosed position.", file, content, chunks)
    altered = [chunks[0], bytes([chunks[1][0] ^ 1]) + chunks[1][1:], *chunks[2:]]
    evidence_case("altered", "inconsistent", "One bit of the second segment.", file, content, altered)
    evidence_case("excerpt", "excerpt", "The first two segments.", file, b"".join(chunks[:2]), chunks[:2])
    evidence_case("other-file", "other-file", "Evidence for another file.", file, content, chunks_of("another"))
    evidence_case("other-chain", "other-chain", "The trust file knows another log.", file, content, chunks,
                  trust("other.example/log"))
    open_chain = Chain()
    open_sealed, open_enrolment = recorded(chunks, open_chain, end=False)
    evidence_case("open", "excerpt", "A recording without end.",
                  MAGIC + cbor(evidence(open_sealed, open_enrolment, open_chain)), content, chunks)
    snapshot = statement("registry", {1: 1, 2: NOW + 5000, 3: []}, REGISTRAR)
    revocation = statement("revoke", {1: 1, 2: sha(public(DEVICE)), 3: NOW + 1000, 4: 1}, REGISTRAR)
    for name, expect, more in [("snapshot", "consistent", snapshot), ("revoked", "evidence-invalid", revocation)]:
        one = Chain()
        its, its_enrolment = recorded(chunks, one)
        extra = one.seal(more, 1)
        members = evidence(its, its_enrolment, one)
        members[3].append([extra, one.receipt(extra)])
        evidence_case(name, expect, f"With a {name.replace('revoked', 'revocation')} in the registry.", MAGIC + cbor(members),
                      content, chunks)
    deposited = Chain()
    its_enrolment = deposited.seal(ENROL, 1)
    photo = hashlib.shake_256(b"photo").digest((1 << 20) + 5)
    blocks = [photo[:1 << 20], photo[1 << 20:]]
    leaves = [(i << 20).to_bytes(8, "big") + len(b).to_bytes(8, "big") + sha(b) for i, b in enumerate(blocks)]
    deposit = {1: 1, 2: RECORDING, 3: sha(ENROL), 4: NOW, 5: len(photo), 6: sha(photo),
               7: aics.MerkleTree(leaves).root(2), 8: sha(photo[:65536]), 9: "image/jpeg"}
    one = deposited.seal(statement("deposit", deposit))
    members = evidence([one], its_enrolment, deposited, members={6: b"".join(map(sha, blocks))})
    evidence_case("deposit", "consistent", "A deposit of two segments.", MAGIC + cbor(members), photo, blocks)
    evidence_case("deposit-without-digests", "evidence-unreadable", "The digests of the segments are missing.",
                  MAGIC + cbor(without(members, 6)))
    evidence_case("deposit-digests-odd", "evidence-unreadable", "The digests have 63 bytes.",
                  MAGIC + cbor(members | {6: members[6][:63]}))
    evidence_case("recording-with-digests", "evidence-unreadable", "Segment digests beside a recording.",
                  MAGIC + cbor(body | {6: bytes(32)}))
    evidence_case("magic", "evidence-unreadable", "Transferred as text: CR LF became LF.",
                  file.replace(b"\r\n", b"\n", 1))
    evidence_case("version", "unknown-version", "Version 2.", MAGIC[:8] + b"\x02" + cbor(body))
    evidence_case("empty", "evidence-unreadable", "Nothing.", b"")
    evidence_case("truncated", "evidence-unreadable", "The second half is missing.", file[:len(file) // 2])
    evidence_case("trailing", "evidence-unreadable", "A byte follows.", file + b"\x00")
    evidence_case("no-statements", "evidence-unreadable", "An empty list of statements.", MAGIC + cbor(body | {1: []}))
    evidence_case("claims-millions", "evidence-unreadable", "A list that claims 2^32 statements and ends.",
                  MAGIC + b"\xa3\x01\x9a\xff\xff\xff\xff")
    evidence_case("unknown-key", "evidence-unreadable", "A key that the specification does not list.",
                  MAGIC + cbor(body | {7: 0}))
    evidence_case("receipts-order", "evidence-unreadable", "The receipts are not ascending.",
                  MAGIC + cbor(body | {2: body[2][::-1]}))
    evidence_case("receipt-long", "evidence-unreadable", "A receipt of more than 8 KiB.",
                  MAGIC + cbor(body | {2: [[0, bytes(8193)]]}))
    evidence_case("not-deterministic", "evidence-unreadable", "The map's head is spelled in two bytes.",
                  MAGIC + b"\xb8" + bytes([len(body)]) + cbor(body)[1:])
    evidence_case("statement-damaged", "evidence-unreadable", "A statement in it does not parse.",
                  MAGIC + cbor(body | {1: [sealed[0][0][:-1], *(statement for statement, _, _ in sealed[1:])]}))


def main() -> int:
    good_statements()
    bad_envelopes()
    bad_payloads()
    bad_signatures()
    small_things()
    evidence_files()
    return write_or_check(OUT, CASES, GENERATOR)


if __name__ == "__main__":
    sys.exit(main())

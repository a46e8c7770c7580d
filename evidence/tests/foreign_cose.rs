//! coset, an implementation of COSE that is not ours, reads what we sign, and we read what it signs.

#![allow(clippy::unwrap_used, reason = "a panic is how a test fails")]

use coset::{
    CborSerializable as _, CoseSign1, CoseSign1Builder, HeaderBuilder, RegisteredLabelWithPrivate,
    TaggedCborSerializable as _, iana,
};
use evidence::statement::{End, EndReason, Payload};
use evidence::{DeviceKey, Digest, KeyDigest, RecordingId, Sequence, Statement, StatementError, UnixMillis};

fn key() -> DeviceKey {
    DeviceKey::from_seed([7; 32])
}

fn end() -> Payload {
    Payload::End(End {
        recording: RecordingId::from_bytes([1; 16]),
        sequence: Sequence::new(3),
        previous: Digest::of(b"previous"),
        reason: EndReason::InputEnded,
        capture_end: UnixMillis::saturating(1_790_000_000_000),
        total_length: 12345,
        segments: 2,
        root: Digest::of(b"root"),
        head: None,
    })
}

fn verify(sign1: &CoseSign1) -> Result<(), ed25519_dalek::SignatureError> {
    let public = ed25519_dalek::VerifyingKey::from_bytes(key().public().as_bytes()).unwrap();
    sign1.verify_signature(b"", |signature, message| {
        public.verify_strict(message, &ed25519_dalek::Signature::from_slice(signature)?)
    })
}

fn header() -> coset::Header {
    let mut header = HeaderBuilder::new()
        .key_id(KeyDigest::of(&key().public()).as_bytes().to_vec())
        .value(16, "application/vnd.jianzhen.end".into())
        .build();
    header.alg = Some(RegisteredLabelWithPrivate::Assigned(iana::Algorithm::Ed25519));
    header
}

fn built(protected: coset::Header, payload: Vec<u8>) -> CoseSign1 {
    CoseSign1Builder::new()
        .protected(protected)
        .payload(payload)
        .create_signature(b"", |message| key().sign(message).to_vec())
        .build()
}

fn our_payload() -> Vec<u8> {
    let ours = Statement::sign(&end(), &key()).unwrap();
    CoseSign1::from_tagged_slice(ours.bytes()).unwrap().payload.unwrap()
}

#[test]
fn coset_reads_and_verifies_what_we_sign() {
    let ours = Statement::sign(&end(), &key()).unwrap();
    let theirs = CoseSign1::from_tagged_slice(ours.bytes()).unwrap();
    assert!(theirs.unprotected.is_empty());
    let protected = &theirs.protected.header;
    assert_eq!(protected.alg, Some(RegisteredLabelWithPrivate::Assigned(iana::Algorithm::Ed25519)));
    assert_eq!(protected.key_id, ours.kid().as_bytes());
    assert!(protected.crit.is_empty());
    verify(&theirs).unwrap();
    assert_eq!(theirs.to_tagged_vec().unwrap(), ours.bytes());
}

#[test]
fn we_read_and_verify_what_coset_signs() {
    let theirs = built(header(), our_payload()).to_tagged_vec().unwrap();
    let statement = Statement::parse(&theirs).unwrap();
    statement.verify(&key().public()).unwrap();
    assert_eq!(*statement.payload(), end());
    assert_eq!(theirs, Statement::sign(&end(), &key()).unwrap().bytes());
}

#[test]
fn what_coset_allows_and_our_specification_forbids_is_refused() {
    let untagged = built(header(), our_payload()).to_vec().unwrap();
    assert!(matches!(Statement::parse(&untagged), Err(StatementError::Envelope(_))));

    let mut unprotected = built(header(), our_payload());
    unprotected.unprotected.key_id = vec![1];
    let bytes = unprotected.to_tagged_vec().unwrap();
    assert_eq!(Statement::parse(&bytes), Err(StatementError::UnprotectedHeader));

    let mut eddsa = header();
    eddsa.alg = Some(RegisteredLabelWithPrivate::Assigned(iana::Algorithm::EdDSA));
    let bytes = built(eddsa, our_payload()).to_tagged_vec().unwrap();
    assert_eq!(Statement::parse(&bytes), Err(StatementError::Algorithm(-8)));

    let mut critical = header();
    critical.crit.push(RegisteredLabelWithPrivate::Assigned(iana::HeaderParameter::Alg));
    let bytes = built(critical, our_payload()).to_tagged_vec().unwrap();
    assert!(matches!(Statement::parse(&bytes), Err(StatementError::Header(_))));

    let mut detached = built(header(), our_payload());
    detached.payload = None;
    let bytes = detached.to_tagged_vec().unwrap();
    assert!(matches!(Statement::parse(&bytes), Err(StatementError::Envelope(_))));
}

//! Whatever can be said survives signing, sealing, packing and reading; whatever cannot be said is not signed.

#![allow(clippy::unwrap_used, reason = "a panic is how a test fails")]

use evidence::statement::{
    AudioFormat, ChainHead, ClockSource, Deposit, Edit, End, EndReason, Enrol, Event, EventKind, Fingerprint,
    Percent, Registry, RevocationReason, Revoke, Role, Segment, SelfCheck, Start, Timeline, Track, TrackKind,
};
use evidence::{
    ByteRange, DeviceKey, Digest, Disclosure, KeyDigest, MAX_SAFE_INTEGER, MAX_SEGMENTS, Outcome, Payload,
    Position, Receipt, RecordingId, Sequence, Statement, StatementError, Submission, UnixMillis, UnixSeconds,
};
use proptest::collection::{btree_set, vec};
use proptest::option;
use proptest::prelude::*;
use proptest::sample::select;

fn digest() -> impl Strategy<Value = Digest> {
    any::<[u8; 32]>().prop_map(Digest::from_bytes)
}

fn recording() -> impl Strategy<Value = RecordingId> {
    any::<[u8; 16]>().prop_map(RecordingId::from_bytes)
}

fn millis() -> impl Strategy<Value = UnixMillis> {
    prop_oneof![0..=1000_u64, 0..=MAX_SAFE_INTEGER].prop_map(UnixMillis::saturating)
}

fn safe() -> impl Strategy<Value = u64> {
    prop_oneof![0..=1000_u64, 0..=MAX_SAFE_INTEGER]
}

fn signed() -> impl Strategy<Value = i64> {
    let max = i64::try_from(MAX_SAFE_INTEGER).unwrap();
    prop_oneof![-300..=300_i64, -max..=max]
}

fn text(max: usize) -> impl Strategy<Value = String> {
    vec(select(vec!['a', '0', '-', '鉴', '真', '\u{1F3A5}', '\0', '"']), 0..=max / 4)
        .prop_map(|letters| letters.into_iter().collect())
}

fn percent() -> impl Strategy<Value = Percent> {
    (0..=100_u8).prop_map(|value| Percent::try_from(value).unwrap())
}

fn chain_head() -> impl Strategy<Value = ChainHead> {
    (safe(), digest()).prop_map(|(size, root)| ChainHead { size, root })
}

fn enrol() -> impl Strategy<Value = Payload> {
    let window = (0..MAX_SAFE_INTEGER).prop_flat_map(|from| (Just(from), from + 1..=MAX_SAFE_INTEGER));
    let who = (any::<[u8; 32]>(), text(64), select(Role::ALL));
    (who, text(64), text(128), window).prop_map(|((seed, id, role), model, agency, (from, until))| {
        Payload::Enrol(Enrol {
            key: DeviceKey::from_seed(seed).public(),
            id: if id.is_empty() { "x".to_owned() } else { id },
            role,
            model,
            agency,
            valid_from: UnixMillis::saturating(from),
            valid_until: UnixMillis::saturating(until),
        })
    })
}

fn revoke() -> impl Strategy<Value = Payload> {
    (any::<[u8; 32]>(), millis(), select(RevocationReason::ALL)).prop_map(|(key, effective_from, reason)| {
        Payload::Revoke(Revoke { key: KeyDigest::from_bytes(key), effective_from, reason })
    })
}

fn registry() -> impl Strategy<Value = Payload> {
    (millis(), btree_set(any::<[u8; 32]>(), 0..20)).prop_map(|(as_of, revoked)| {
        let revoked = revoked.into_iter().map(KeyDigest::from_bytes).collect();
        Payload::Registry(Registry { as_of, revoked })
    })
}

fn track() -> impl Strategy<Value = Track> {
    let edit = (safe(), signed(), signed()).prop_map(|(duration, media_time, rate)| Edit {
        duration,
        media_time,
        rate,
    });
    let audio = (any::<u32>(), any::<u32>())
        .prop_map(|(channels, sample_rate)| AudioFormat { channels, sample_rate });
    let head = (any::<u32>(), select(TrackKind::ALL), select(vec!["avc1", "\u{a9}met", "mp4a", "\0\0\0\0"]));
    let body = (vec(any::<u8>(), 0..300), any::<u32>());
    let optional = (
        option::of(any::<(u32, u32)>()),
        option::of(any::<[i32; 9]>()),
        option::of(vec(edit, 0..4)),
        option::of(audio),
    );
    (head, body, optional).prop_map(
        |((id, kind, codec), (configuration, time_scale), (dimensions, matrix, edits, audio))| Track {
            id,
            kind,
            codec: codec.to_owned(),
            configuration,
            time_scale,
            dimensions,
            matrix,
            edits,
            audio,
        },
    )
}

fn self_check() -> impl Strategy<Value = SelfCheck> {
    (
        option::of(signed()),
        option::of(select(ClockSource::ALL)),
        option::of(digest()),
        option::of(safe()),
        option::of(any::<bool>()),
        option::of(percent()),
        option::of(any::<bool>()),
    )
        .prop_map(
            |(clock_offset_ms, clock_source, firmware, free_storage, network, battery, position_fix)| {
                SelfCheck {
                    clock_offset_ms,
                    clock_source,
                    firmware,
                    free_storage,
                    network,
                    battery,
                    position_fix,
                }
            },
        )
}

fn start() -> impl Strategy<Value = Payload> {
    let ids = (recording(), safe(), option::of(digest()), digest(), millis());
    let rest = (vec(track(), 0..5), self_check(), option::of(chain_head()), option::of(digest()));
    (ids, rest).prop_map(
        |(
            (recording, counter, previous_final, enrolment, capture_begin),
            (tracks, self_check, chain_head, position),
        )| {
            Payload::Start(Start {
                recording,
                counter,
                previous_final,
                enrolment,
                capture_begin,
                tracks,
                self_check,
                chain_head,
                position,
            })
        },
    )
}

fn segment() -> impl Strategy<Value = Payload> {
    let fingerprint = (select(vec!["v1", "鉴"]), any::<u32>(), safe(), signed(), signed(), digest())
        .prop_map(|(algorithm, track, units, first_decode_time, last_decode_time, root)| Fingerprint {
            algorithm: algorithm.to_owned(),
            track,
            units,
            first_decode_time,
            last_decode_time,
            root,
        });
    let range = (0..MAX_SAFE_INTEGER).prop_flat_map(|offset| (Just(offset), 1..=MAX_SAFE_INTEGER - offset));
    let timeline = (0..=MAX_SAFE_INTEGER)
        .prop_flat_map(|begin| (Just(begin), begin..=MAX_SAFE_INTEGER))
        .prop_map(|(begin_ms, end_ms)| Timeline { begin_ms, end_ms });
    let event = (millis(), select(EventKind::ALL)).prop_map(|(at, kind)| Event { at, kind });
    let ids = (recording(), 1..=MAX_SEGMENTS + 1, digest(), millis(), millis());
    let bytes = (range, digest(), vec(fingerprint, 0..4));
    let optional = (
        option::of(timeline),
        option::of(percent()),
        vec(event, 0..5),
        option::of(chain_head()),
        option::of(digest()),
        option::of(digest()),
    );
    (ids, bytes, optional).prop_map(
        |(
            (recording, sequence, previous, capture_begin, capture_end),
            ((offset, length), digest, fingerprints),
            (timeline, battery, events, chain_head, position, head),
        )| {
            Payload::Segment(Segment {
                recording,
                sequence: Sequence::new(sequence),
                previous,
                capture_begin,
                capture_end,
                range: ByteRange::new(offset, length).unwrap(),
                digest,
                fingerprints,
                timeline,
                battery,
                events,
                chain_head,
                position,
                head,
            })
        },
    )
}

fn end() -> impl Strategy<Value = Payload> {
    let ids = (recording(), 1..=MAX_SEGMENTS + 1, digest(), select(EndReason::ALL), millis());
    (ids, safe(), 0..=MAX_SEGMENTS, digest(), option::of(digest())).prop_map(
        |((recording, sequence, previous, reason, capture_end), total_length, segments, root, head)| {
            Payload::End(End {
                recording,
                sequence: Sequence::new(sequence),
                previous,
                reason,
                capture_end,
                total_length,
                segments,
                root,
                head,
            })
        },
    )
}

fn deposit() -> impl Strategy<Value = Payload> {
    let ids = (recording(), digest(), millis(), 1..=MAX_SAFE_INTEGER);
    let digests = (digest(), digest(), digest(), text(128));
    let optional = (option::of(millis()), option::of(digest()), option::of(digest()));
    (ids, digests, optional).prop_map(
        |(
            (recording, enrolment, deposited_at, length),
            (digest, root, head, media_type),
            (captured_at, depositor, position),
        )| {
            Payload::Deposit(Deposit {
                recording,
                enrolment,
                deposited_at,
                length,
                digest,
                root,
                head,
                media_type,
                captured_at,
                depositor,
                position,
            })
        },
    )
}

fn payload() -> impl Strategy<Value = Payload> {
    prop_oneof![enrol(), revoke(), registry(), start(), segment(), end(), deposit()]
}

fn disclosure() -> impl Strategy<Value = Disclosure> {
    let position =
        (-900_000_000..=900_000_000_i64, -1_800_000_000..=1_800_000_000_i64, option::of(any::<u32>()));
    let position =
        (any::<[u8; 16]>(), position).prop_map(|(salt, (latitude_e7, longitude_e7, accuracy_cm))| {
            Disclosure::position(salt, &Position { latitude_e7, longitude_e7, accuracy_cm }).unwrap()
        });
    let depositor = (any::<[u8; 16]>(), text(256)).prop_map(|(salt, name)| {
        Disclosure::depositor(salt, if name.is_empty() { "x" } else { &name }).unwrap()
    });
    prop_oneof![position, depositor]
}

fn outcome() -> impl Strategy<Value = Outcome> {
    let sealed = (0..=MAX_SAFE_INTEGER, 0..=MAX_SAFE_INTEGER / 1000, vec(any::<u8>(), 0..500)).prop_map(
        |(index, sealed_at, receipt)| Outcome::Sealed {
            index: tlog::LeafIndex::new(index),
            sealed_at: UnixSeconds::new(sealed_at),
            receipt: Receipt::new(receipt).unwrap(),
        },
    );
    let refused = text(1024).prop_map(|detail| Outcome::Refused { code: "key-unknown".to_owned(), detail });
    prop_oneof![sealed, Just(Outcome::Pending), refused]
}

proptest! {
    #[test]
    fn statements(payload in payload(), seed in any::<[u8; 32]>()) {
        let key = DeviceKey::from_seed(seed);
        let statement = Statement::sign(&payload, &key).unwrap();
        let parsed = Statement::parse(statement.bytes()).unwrap();
        prop_assert_eq!(parsed.payload(), &payload);
        prop_assert_eq!(parsed.digest(), Digest::of(statement.bytes()));
        let verified = parsed.verify(&key.public()).unwrap();
        prop_assert_eq!(verified.payload(), &payload);
        let stranger = DeviceKey::from_seed([1; 32]);
        if stranger.public() != key.public() {
            prop_assert!(parsed.verify(&stranger.public()).is_err());
        }
    }

    #[test]
    fn submissions(
        payloads in vec(payload().prop_filter("needs blocks", |p| !matches!(p, Payload::Deposit(_))), 1..5),
        disclosures in vec(disclosure(), 0..4),
    ) {
        let key = DeviceKey::from_seed([1; 32]);
        let submissions: Vec<Submission> = payloads
            .iter()
            .map(|payload| Submission {
                disclosures: disclosures.clone(),
                ..Submission::of(Statement::sign(payload, &key).unwrap())
            })
            .collect();
        let bytes = Submission::encode_all(&submissions);
        let parsed: Vec<_> = Submission::parse_all(&bytes).unwrap().into_iter().map(Result::unwrap).collect();
        prop_assert_eq!(parsed, submissions);
    }

    #[test]
    fn outcomes(outcomes in vec(outcome(), 1..20)) {
        let bytes = Outcome::encode_all(&outcomes);
        prop_assert_eq!(Outcome::parse_all(&bytes).unwrap(), outcomes);
        for cut in 0..bytes.len().min(100) {
            prop_assert!(Outcome::parse_all(&bytes[..cut]).is_err());
        }
    }

    #[test]
    fn noise_is_no_statement_and_never_panics(bytes in vec(any::<u8>(), 0..400)) {
        let _ = Statement::parse(&bytes);
        let _ = Submission::parse_all(&bytes);
        let _ = Outcome::parse_all(&bytes);
        let _ = evidence::LookupRequest::parse(&bytes);
        let _ = evidence::LookupResponse::parse(&bytes);
        let _ = evidence::TrustFile::parse(&bytes);
        let framed = [evidence::EVIDENCE_MAGIC.as_slice(), &[1], &bytes].concat();
        let _ = evidence::EvidenceFile::parse(&framed);
    }
}

#[test]
fn what_the_specification_forbids_is_not_signed() {
    let key = DeviceKey::from_seed([1; 32]);
    let enrol = Enrol {
        key: key.public(),
        id: "x".repeat(65),
        role: Role::Device,
        model: String::new(),
        agency: String::new(),
        valid_from: UnixMillis::EPOCH,
        valid_until: UnixMillis::saturating(1),
    };
    let error = Statement::sign(&Payload::Enrol(enrol), &key).unwrap_err();
    assert!(matches!(error, StatementError::Payload { .. }), "{error}");
}

#[test]
fn one_bad_statement_does_not_spoil_a_submission() {
    let key = DeviceKey::from_seed([1; 32]);
    let revoke = Revoke {
        key: key.digest(),
        effective_from: UnixMillis::EPOCH,
        reason: RevocationReason::Unspecified,
    };
    let good = Submission::of(Statement::sign(&Payload::Revoke(revoke), &key).unwrap());
    let bytes = [good.encode(), vec![0x83, 0x41, 0x00, 0x80, 0xf6], good.encode()].concat();
    let parsed = Submission::parse_all(&bytes).unwrap();
    assert_eq!(parsed.iter().map(Result::is_ok).collect::<Vec<_>>(), [true, false, true]);
    assert!(Submission::parse_all(&[]).is_err());
    assert!(Submission::parse_all(&good.encode().repeat(513)).is_err());
}

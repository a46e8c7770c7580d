//! Devices: keys made from a seed, enrolled in bulk, each in the middle of an endless recording.

use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use evidence::statement::{Enrol, Fingerprint, Percent, Role, Segment, SelfCheck, Start, Timeline};
use evidence::{
    ByteRange, DeviceKey, Digest, Disclosure, Entry, MAX_SUBMISSIONS, Outcome, Payload, Position,
    RecordingId, Sequence, Statement, Submission, UnixMillis,
};

use super::notary::{Answer, Notary};
use super::receipts::Checker;
use crate::server::Server;

/// When every recording began. Nothing here depends on the time of day, so that a seed makes the same statements again.
const BEGIN_MS: u64 = 1_760_000_000_000;

/// One segment.
const SEGMENT_MS: u64 = 2_000;
const SEGMENT_LEN: u64 = 1_500_000;

/// Segments of one recording; then the device begins another. Half an hour.
const SEGMENTS: u64 = 900;

const TEN_YEARS_MS: u64 = 10 * 365 * 24 * 60 * 60 * 1000;

/// A recorder that films for ever.
#[derive(Debug)]
pub struct Device {
    key: DeviceKey,
    number: u64,
    seed: u64,
    enrolment: Digest,
    counter: u64,
    recording: RecordingId,
    sequence: u64,
    previous: Option<Digest>,
}

impl Device {
    /// Device `number` of those that `seed` makes. It is not enrolled yet.
    fn new(seed: u64, number: u64) -> Self {
        Self {
            key: DeviceKey::from_seed(*derive(&[seed, number], "key").as_bytes()),
            number,
            seed,
            enrolment: Digest::of(b""),
            counter: 0,
            recording: RecordingId::from_bytes([0; 16]),
            sequence: 0,
            previous: None,
        }
    }

    /// Makes `count` devices from `seed` and has the registrar of `server` enrol them.
    pub async fn enrol(
        server: &Server,
        notary: &Notary,
        checker: &Checker,
        seed: u64,
        count: u64,
    ) -> Result<Vec<Self>> {
        let registrar = jianzhen_server::keys::load_registrar(&server.data.join("registrar.key"))?;
        let mut devices: Vec<Self> = (0..count).map(|number| Self::new(seed, number)).collect();
        for some in devices.chunks_mut(MAX_SUBMISSIONS) {
            let mut enrolments = Vec::new();
            for device in some.iter_mut() {
                let enrolment = Statement::sign(&device.enrolment(), &registrar)?;
                device.enrolment = enrolment.digest();
                enrolments.push(Submission::of(enrolment));
            }
            seal(notary, checker, &enrolments).await.context("the devices could not be enrolled")?;
        }
        Ok(devices)
    }

    fn enrolment(&self) -> Payload {
        Payload::Enrol(Enrol {
            key: self.key.public(),
            id: format!("load-{}-{}", self.seed, self.number),
            role: Role::Device,
            model: "DSJ-V9".to_owned(),
            agency: "苏州市某区城市管理局".to_owned(),
            valid_from: UnixMillis::saturating(BEGIN_MS),
            valid_until: UnixMillis::saturating(BEGIN_MS + TEN_YEARS_MS),
        })
    }

    /// Its next statement, as a recorder submits it.
    pub fn submission(&mut self) -> Result<Submission> {
        if self.sequence > SEGMENTS {
            self.sequence = 0;
            self.previous = None;
        }
        let (payload, disclosures) = match self.previous {
            None => (self.start(), Vec::new()),
            Some(previous) => self.segment(previous)?,
        };
        let statement = Statement::sign(&payload, &self.key)?;
        self.previous = Some(statement.digest());
        self.sequence += 1;
        Ok(Submission { statement, disclosures, blocks: Vec::new() })
    }

    fn start(&mut self) -> Payload {
        self.counter += 1;
        let id = derive(&[self.seed, self.number, self.counter], "recording");
        let mut bytes = [0; 16];
        bytes.copy_from_slice(&id.as_bytes()[..16]);
        self.recording = RecordingId::from_bytes(bytes);
        Payload::Start(Start {
            recording: self.recording,
            counter: self.counter,
            previous_final: None,
            enrolment: self.enrolment,
            capture_begin: UnixMillis::saturating(BEGIN_MS),
            tracks: Vec::new(),
            self_check: SelfCheck::default(),
            chain_head: None,
            position: None,
        })
    }

    /// With what a real one carries: two tracks, battery, position.
    fn segment(&self, previous: Digest) -> Result<(Payload, Vec<Disclosure>)> {
        let place = [self.seed, self.number, self.counter, self.sequence];
        let begin = (self.sequence - 1) * SEGMENT_MS;
        let fingerprint = |track: u32, units: u64, name: &str| Fingerprint {
            algorithm: "sha256-units".to_owned(),
            track,
            units,
            first_decode_time: 0,
            last_decode_time: 90_000,
            root: derive(&place, name),
        };
        let mut salt = [0; 16];
        salt.copy_from_slice(&derive(&place, "salt").as_bytes()[..16]);
        let here = Position { latitude_e7: 313_000_000, longitude_e7: 1_206_000_000, accuracy_cm: Some(350) };
        let position = Disclosure::position(salt, &here)?;
        let segment = Segment {
            recording: self.recording,
            sequence: Sequence::new(self.sequence),
            previous,
            capture_begin: UnixMillis::saturating(BEGIN_MS + begin),
            capture_end: UnixMillis::saturating(BEGIN_MS + begin + SEGMENT_MS),
            range: ByteRange::new((self.sequence - 1) * SEGMENT_LEN, SEGMENT_LEN)?,
            digest: derive(&place, "segment"),
            fingerprints: vec![fingerprint(1, 60, "video"), fingerprint(2, 94, "audio")],
            timeline: Some(Timeline { begin_ms: begin, end_ms: begin + SEGMENT_MS }),
            battery: Percent::try_from(80).ok(),
            events: Vec::new(),
            chain_head: None,
            position: Some(position.commitment()),
            head: None,
        };
        Ok((Payload::Segment(segment), vec![position]))
    }
}

/// Hands in statements until each has its receipt.
pub async fn seal(notary: &Notary, checker: &Checker, submissions: &[Submission]) -> Result<()> {
    for _ in 0..60 {
        let outcomes = match notary.submit(Submission::encode_all(submissions)).await? {
            Answer::Outcomes(outcomes) => outcomes,
            Answer::Later(pause) => {
                tokio::time::sleep(pause).await;
                continue;
            }
            Answer::Nothing(error) => bail!("the service does not answer: {error}"),
        };
        ensure!(outcomes.len() == submissions.len(), "{} outcomes", outcomes.len());
        let mut pending = false;
        for (submission, outcome) in submissions.iter().zip(outcomes) {
            match outcome {
                Outcome::Sealed { index, sealed_at, receipt } => {
                    let entry = Entry::sealing(&submission.statement, sealed_at);
                    checker.check(&entry, index, receipt.as_bytes())?;
                }
                Outcome::Pending => pending = true,
                Outcome::Refused { code, detail } => bail!("refused ({code}): {detail}"),
            }
        }
        if !pending {
            return Ok(());
        }
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
    bail!("the statements were not sealed")
}

fn derive(numbers: &[u64], name: &str) -> Digest {
    let mut bytes: Vec<u8> = numbers.iter().flat_map(|number| number.to_be_bytes()).collect();
    bytes.extend_from_slice(name.as_bytes());
    Digest::of(&bytes)
}

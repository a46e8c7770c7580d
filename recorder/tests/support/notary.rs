//! A small verification service in this process: one log, one registrar, and every way to misbehave. It shares no code with
//! the server; its Merkle proofs follow RFC 6962 §2.1.1 word by word.

use std::collections::HashMap;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

use evidence::statement::{Enrol, Role};
use evidence::{
    DeviceKey, Digest, KeyDigest, Operator, Outcome, Payload, PublicKey, Receipt, RecordingId, Sealed,
    Statement, Submission, TrustFile, TrustedLogs, UnixMillis, UnixSeconds, Window, encode_registry_section,
};
use tlog::{
    Checkpoint, Hash, InclusionProof, KeyAlgorithm, KeyName, LeafIndex, Policy, SigningKey, TlogProof,
    TreeHead, TreeSize, leaf_hash, node_hash,
};

pub const ORIGIN: &str = "notary.test/log";
/// Seed of the log's key, unless a test asks for another one.
pub const LOG_KEY: u8 = 1;
/// A fixed sealing time: nothing here depends on the wall clock.
const SEALED_AT: u64 = 1_800_000_000;

/// How the notary treats submissions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Mood {
    Honest,
    /// Closes every connection at once.
    Away,
    /// 503 to everything.
    Overloaded,
    /// A page of HTML with status 200, as the login page of a hotel network.
    Portal,
    /// The right content type, random bytes.
    Garbage,
    /// One outcome too few.
    TooFew,
    Refusing,
    /// Refuses everything new once the log has this many entries: the key was revoked in mid-recording.
    RevokedAfter(usize),
    /// Sealed only when asked for the second time.
    PendingFirst,
    /// Receipts signed by another key under the log's name.
    ForgedKey,
    /// Receipts for another statement.
    OtherStatement,
    /// Outcomes whose index is not the receipt's.
    OtherIndex,
    /// Receipts whose entry has another sealing time.
    OtherTime,
    /// Receipts that are no receipts.
    NoReceipt,
    /// Two trees of one size, both signed by the true key; the tiles are those of one of them.
    Split,
    /// Another history than the one before: the entry at index 1 is another one. Signed by the true key, with tiles.
    Forked,
    /// Everything but tiles.
    NoTiles,
    /// Tiles of another history than that of everything else.
    WrongTiles,
    /// The published checkpoint is that of the first entry; everything else is honest.
    OldCheckpoint,
}

pub struct State {
    pub mood: Mood,
    /// Where the trust file says that the witness answers.
    witness: Option<String>,
    leaves: Vec<Hash>,
    sealed: Vec<(Sealed, Submission)>,
    asked: HashMap<Digest, u32>,
    /// Requests for submission that were answered or refused.
    pub requests: u32,
}

pub struct Notary {
    pub url: String,
    pub state: Arc<Mutex<State>>,
    log: Arc<Keys>,
}

struct Keys {
    log: SigningKey,
    forger: SigningKey,
    witness: SigningKey,
    registrar: DeviceKey,
    registrar_vkey: tlog::VerifierKey,
}

pub fn signing_key(name: &str, seed: u8) -> SigningKey {
    SigningKey::from_seed(KeyName::new(name).unwrap(), KeyAlgorithm::Ed25519, &[seed; 32]).unwrap()
}

impl Notary {
    pub fn start() -> Self {
        Self::with_log_key(LOG_KEY)
    }

    /// A log of the same name with the key of this seed.
    pub fn with_log_key(seed: u8) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let keys = Arc::new(Keys {
            log: signing_key(ORIGIN, seed),
            forger: signing_key(ORIGIN, 2),
            witness: SigningKey::from_seed(
                KeyName::new("witness.test").unwrap(),
                KeyAlgorithm::CosignatureV1,
                &[4; 32],
            )
            .unwrap(),
            registrar: DeviceKey::from_seed([3; 32]),
            registrar_vkey: signing_key("registrar.test", 3).verifier_key().clone(),
        });
        let state = Arc::new(Mutex::new(State {
            mood: Mood::Honest,
            witness: None,
            leaves: Vec::new(),
            sealed: Vec::new(),
            asked: HashMap::new(),
            requests: 0,
        }));
        let notary = Self { url, state: Arc::clone(&state), log: Arc::clone(&keys) };
        std::thread::spawn(move || {
            for socket in listener.incoming().flatten() {
                let (state, keys) = (Arc::clone(&state), Arc::clone(&keys));
                std::thread::spawn(move || serve(socket, &state, &keys));
            }
        });
        notary
    }

    pub fn mood(&self, mood: Mood) {
        self.state.lock().unwrap().mood = mood;
    }

    pub fn trust(&self) -> TrustFile {
        self.trust_with(self.log.registrar_vkey.clone())
    }

    /// A trust file that names another registrar.
    pub fn trust_without_registrar(&self) -> TrustFile {
        self.trust_with(signing_key("other.test", 9).verifier_key().clone())
    }

    fn trust_with(&self, registrar: tlog::VerifierKey) -> TrustFile {
        let witness = match &self.state.lock().unwrap().witness {
            Some(url) => format!("witness w1 {} {url}\n", self.log.witness.verifier_key()),
            None => String::new(),
        };
        let policy = format!("log {}\n{witness}quorum none\n", self.log.log.verifier_key());
        let logs = TrustedLogs {
            policy: Policy::parse(policy.as_bytes()).unwrap(),
            window: Window::default(),
            closed: None,
        };
        let operator = Operator { name: "Notary of the tests".to_owned(), url: None };
        TrustFile::compose(operator, &[logs], &[(registrar, Window::default())]).unwrap()
    }

    /// From now on the trust file names a witness, which shows this note, or accepts connections and says nothing.
    pub fn witness(&self, note: Option<Vec<u8>>) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        self.state.lock().unwrap().witness = Some(format!("http://{}", listener.local_addr().unwrap()));
        std::thread::spawn(move || {
            let mut silent = Vec::new();
            for mut socket in listener.incoming().flatten() {
                match &note {
                    Some(note) if read_request(&mut socket).is_some() => {
                        write_answer(&mut socket, 200, "text/plain", note);
                    }
                    Some(_) => {}
                    None => silent.push(socket),
                }
            }
        });
    }

    /// A checkpoint of the history so far, or of one with another entry at index 1, as the witness has cosigned it.
    pub fn cosigned(&self, forked: bool) -> Vec<u8> {
        let state = self.state.lock().unwrap();
        let leaves = if forked { fork(&state.leaves) } else { state.leaves.clone() };
        let note = checkpoint(&leaves, &self.log.log);
        let cosignature = tlog::cosignature::sign(&self.log.witness, SEALED_AT, note.text()).unwrap();
        note.with_signature(&cosignature).unwrap().as_bytes().to_vec()
    }

    /// Forgets all but the first entries, as an operator who restores an older copy.
    pub fn roll_back(&self, size: usize) {
        let mut state = self.state.lock().unwrap();
        state.leaves.truncate(size);
        state.sealed.truncate(size);
    }

    /// What the operator could make a copy of.
    pub fn copy(&self) -> (Vec<Hash>, Vec<(Sealed, Submission)>) {
        let state = self.state.lock().unwrap();
        (state.leaves.clone(), state.sealed.clone())
    }

    /// Puts a copy back.
    pub fn restore(&self, copy: (Vec<Hash>, Vec<(Sealed, Submission)>)) {
        let mut state = self.state.lock().unwrap();
        (state.leaves, state.sealed) = copy;
    }

    /// Seals the enrolment of somebody else: an entry that a fork can replace without breaking anybody's receipts.
    pub fn seal_another(&self, seed: u8) {
        self.enrol(&DeviceKey::from_seed([seed; 32]).public());
    }

    pub fn enrol(&self, key: &PublicKey) {
        self.enrol_as(key, Role::Device);
    }

    pub fn enrol_as(&self, key: &PublicKey, role: Role) {
        let enrol = Enrol {
            key: *key,
            id: "recorder-01".to_owned(),
            role,
            model: "T1".to_owned(),
            agency: "Agency of the tests".to_owned(),
            valid_from: UnixMillis::EPOCH,
            valid_until: UnixMillis::saturating(u64::MAX),
        };
        let statement = Statement::sign(&Payload::Enrol(enrol), &self.log.registrar).unwrap();
        self.state.lock().unwrap().seal(Submission::of(statement));
    }

    /// The statements sealed, by recording, in the order of their sequence.
    pub fn recordings(&self) -> HashMap<RecordingId, Vec<Statement>> {
        let mut recordings: HashMap<RecordingId, Vec<Statement>> = HashMap::new();
        for (sealed, _) in &self.state.lock().unwrap().sealed {
            if let Some(id) = sealed.statement.payload().recording() {
                recordings.entry(id).or_default().push(sealed.statement.clone());
            }
        }
        for statements in recordings.values_mut() {
            statements.sort_by_key(|statement| statement.payload().sequence());
        }
        recordings
    }

    pub fn sealed(&self) -> usize {
        self.state.lock().unwrap().sealed.len()
    }
}

impl State {
    fn seal(&mut self, submission: Submission) -> usize {
        let known = |sealed: &(Sealed, Submission)| sealed.0.statement == submission.statement;
        if let Some(index) = self.sealed.iter().position(known) {
            return index;
        }
        let sealed = Sealed {
            statement: submission.statement.clone(),
            index: LeafIndex::new(self.sealed.len() as u64),
            sealed_at: UnixSeconds::new(SEALED_AT),
        };
        self.leaves.push(sealed.entry().leaf_hash());
        self.sealed.push((sealed, submission));
        self.sealed.len() - 1
    }

    fn is_sealed(&self, statement: &Statement) -> bool {
        self.sealed.iter().any(|(sealed, _)| sealed.statement == *statement)
    }

    fn receipt(&self, index: usize, key: &SigningKey) -> Receipt {
        receipt(&self.leaves, index, key)
    }

    fn outcome(&mut self, submission: Submission, keys: &Keys) -> Outcome {
        let mood = self.mood.clone();
        let asked = self.asked.entry(submission.statement.digest()).or_default();
        *asked += 1;
        let asked = *asked;
        match mood {
            Mood::Refusing => {
                return Outcome::Refused { code: "key-revoked".to_owned(), detail: "No.".to_owned() };
            }
            Mood::RevokedAfter(size)
                if self.sealed.len() >= size && !self.is_sealed(&submission.statement) =>
            {
                return Outcome::Refused { code: "key-revoked".to_owned(), detail: "Revoked.".to_owned() };
            }
            Mood::PendingFirst if asked == 1 => return Outcome::Pending,
            _ => {}
        }
        let index = self.seal(submission);
        let honest = self.receipt(index, &keys.log);
        let (mut place, mut sealed_at) = (index, SEALED_AT);
        let receipt = match mood {
            Mood::ForgedKey => self.receipt(index, &keys.forger),
            Mood::OtherStatement => {
                let mut leaves = self.leaves.clone();
                leaves[index] = leaf_hash(b"another statement");
                receipt(&leaves, index, &keys.log)
            }
            Mood::OtherIndex => {
                place += 1;
                honest
            }
            Mood::OtherTime => {
                sealed_at += 1;
                honest
            }
            Mood::NoReceipt => Receipt::new(b"c2sp.org/tlog-proof@v1\n".to_vec()).unwrap(),
            // Every other statement is shown the other tree.
            Mood::Split => receipt(&split_view(&self.leaves, index.is_multiple_of(2)), index, &keys.log),
            Mood::Forked => receipt(&fork(&self.leaves), index, &keys.log),
            _ => honest,
        };
        let index = LeafIndex::new(place as u64);
        Outcome::Sealed { index, sealed_at: UnixSeconds::new(sealed_at), receipt }
    }

    fn registry(&self, kid: KeyDigest, keys: &Keys) -> Option<Vec<u8>> {
        let enrols = |sealed: &Sealed| matches!(sealed.statement.payload(), Payload::Enrol(enrol) if KeyDigest::of(&enrol.key) == kid);
        let found = self.sealed.iter().enumerate().filter(|(_, (sealed, _))| enrols(sealed));
        let section: Vec<_> =
            found.map(|(index, (sealed, _))| (sealed.clone(), self.receipt(index, &keys.log))).collect();
        (!section.is_empty()).then(|| encode_registry_section(&section))
    }
}

/// RFC 6962 §2.1: the Merkle tree hash of a list.
fn tree_hash(leaves: &[Hash]) -> Hash {
    match leaves {
        [] => tlog::empty_root(),
        [one] => *one,
        _ => {
            let (left, right) = leaves.split_at(split(leaves.len()));
            node_hash(&tree_hash(left), &tree_hash(right))
        }
    }
}

/// RFC 6962 §2.1.1: the audit path of leaf `index`.
fn path(leaves: &[Hash], index: usize) -> Vec<Hash> {
    if leaves.len() <= 1 {
        return Vec::new();
    }
    let k = split(leaves.len());
    let (left, right) = leaves.split_at(k);
    let (mut path_, sibling) = if index < k {
        (path(left, index), tree_hash(right))
    } else {
        (path(right, index - k), tree_hash(left))
    };
    path_.push(sibling);
    path_
}

/// The largest power of two smaller than `n`.
fn split(n: usize) -> usize {
    n.next_power_of_two() / 2
}

fn receipt(leaves: &[Hash], index: usize, key: &SigningKey) -> Receipt {
    let checkpoint = checkpoint(leaves, key);
    let proof = InclusionProof::new(path(leaves, index)).unwrap();
    let proof = TlogProof::new(None, LeafIndex::new(index as u64), proof, checkpoint).unwrap();
    Receipt::new(proof.to_string().into_bytes()).unwrap()
}

/// A tree of 1000 leaves, one of two.
fn split_view(leaves: &[Hash], other: bool) -> Vec<Hash> {
    let mut leaves = leaves.to_vec();
    leaves.resize(1000, leaf_hash(b"filler"));
    leaves[999] = leaf_hash(&[u8::from(other)]);
    leaves
}

fn fork(leaves: &[Hash]) -> Vec<Hash> {
    let mut leaves = leaves.to_vec();
    leaves[1] = leaf_hash(b"another history");
    leaves
}

fn checkpoint(leaves: &[Hash], key: &SigningKey) -> tlog::SignedNote {
    let head = TreeHead { size: TreeSize::new(leaves.len() as u64), root: tree_hash(leaves) };
    Checkpoint::new(ORIGIN, head).unwrap().sign(key).unwrap()
}

/// C2SP `tlog-tiles`: `WIDTH` hashes of complete subtrees from `level/index`. A partial tile is the beginning of a wider one.
fn tile(leaves: &[Hash], path: &str) -> Option<Vec<u8>> {
    let (level, rest) = path.split_once('/')?;
    let (index, width) = match rest.split_once(".p/") {
        Some((index, width)) => (index, width.parse().ok()?),
        None => (rest, 256),
    };
    // Below 1000 tiles, which is all there is here, a path has one part.
    let (level, index): (u32, usize) = (level.parse().ok()?, index.parse().ok()?);
    let span = 256_usize.pow(level);
    let hashes = (index * 256..index * 256 + width).map(|at| {
        let subtree = leaves.get(at * span..(at + 1) * span)?;
        Some(*tree_hash(subtree).as_bytes())
    });
    Some(hashes.collect::<Option<Vec<_>>>()?.concat())
}

fn serve(mut socket: TcpStream, state: &Mutex<State>, keys: &Keys) {
    if state.lock().unwrap().mood == Mood::Away {
        return;
    }
    let Some((line, body)) = read_request(&mut socket) else { return };
    let (status, content_type, answer) = answer(&line, &body, &mut state.lock().unwrap(), keys);
    write_answer(&mut socket, status, content_type, &answer);
}

fn write_answer(socket: &mut TcpStream, status: u16, content_type: &str, answer: &[u8]) {
    let head = format!(
        "HTTP/1.1 {status} X\r\ncontent-type: {content_type}\r\ncontent-length: {}\r\ndate: Sun, 06 Nov 1994 08:49:37 GMT\r\nconnection: close\r\n\r\n",
        answer.len()
    );
    let _ = socket.write_all(head.as_bytes()).and_then(|()| socket.write_all(answer));
}

fn read_request(socket: &mut TcpStream) -> Option<(String, Vec<u8>)> {
    let mut bytes = Vec::new();
    let mut buffer = [0; 65536];
    loop {
        if let Some(end) = bytes.windows(4).position(|window| window == b"\r\n\r\n") {
            let head = String::from_utf8_lossy(&bytes[..end]).to_lowercase();
            let length =
                head.lines().find_map(|line| line.strip_prefix("content-length: ")?.trim().parse().ok());
            let length: usize = length.unwrap_or(0);
            if bytes.len() >= end + 4 + length {
                return Some((head.lines().next()?.to_owned(), bytes[end + 4..end + 4 + length].to_vec()));
            }
        }
        match socket.read(&mut buffer).ok()? {
            0 => return None,
            read => bytes.extend_from_slice(&buffer[..read]),
        }
    }
}

fn answer(line: &str, body: &[u8], state: &mut State, keys: &Keys) -> (u16, &'static str, Vec<u8>) {
    let problem = |status, code: &str| {
        let text = format!(r#"{{"type":"/problems/{code}","title":"{code}","status":{status}}}"#);
        (status, "application/problem+json", text.into_bytes())
    };
    match state.mood {
        Mood::Overloaded => return problem(503, "overloaded"),
        Mood::Portal => return (200, "text/html", b"<html>Please log in</html>".to_vec()),
        Mood::Garbage => return (200, "application/cbor", vec![0xff; 40]),
        _ => {}
    }
    if line.starts_with("post /api/v1/statements") {
        state.requests += 1;
        let submissions = Submission::parse_all(body).unwrap();
        let mut outcomes: Vec<Outcome> =
            submissions.into_iter().map(|submission| state.outcome(submission.unwrap(), keys)).collect();
        if state.mood == Mood::TooFew {
            outcomes.pop();
            outcomes.extend([Outcome::Pending, Outcome::Pending]);
        }
        return (200, "application/cbor", Outcome::encode_all(&outcomes));
    }
    if let Some(rest) = line.strip_prefix("get /api/v1/enrolments/") {
        let kid = rest.split(' ').next().unwrap().parse().unwrap();
        return match state.registry(kid, keys) {
            Some(section) => (200, "application/cbor", section),
            None => problem(404, "not-found"),
        };
    }
    if line.starts_with("get /log/checkpoint ") && state.mood == Mood::OldCheckpoint {
        return (200, "text/plain", checkpoint(&state.leaves[..1], &keys.log).as_bytes().to_vec());
    }
    let history = match state.mood {
        Mood::Split => split_view(&state.leaves, false),
        Mood::Forked => fork(&state.leaves),
        _ => state.leaves.clone(),
    };
    if line.starts_with("get /log/checkpoint ") {
        return (200, "text/plain", checkpoint(&history, &keys.log).as_bytes().to_vec());
    }
    if let (Some(rest), true) = (line.strip_prefix("get /log/tile/"), state.mood != Mood::NoTiles) {
        let history = if state.mood == Mood::WrongTiles { fork(&history) } else { history };
        return match rest.split(' ').next().and_then(|path| tile(&history, path)) {
            Some(tile) => (200, "application/octet-stream", tile),
            None => problem(404, "not-found"),
        };
    }
    if line.starts_with("get /api/v1/chain") {
        return (200, "application/json", b"{}".to_vec());
    }
    problem(404, "not-found")
}

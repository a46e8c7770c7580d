//! Which witnesses are asked, and where.

use sha2::{Digest as _, Sha256};
use tlog::{Policy, PolicyWitness};

use super::MAX_WITNESSES;
use super::request::RootsRequest;
use crate::trust::TrustFile;

/// What browsers carry.
const MAX_URL_LEN: usize = 2048;

/// A witness that is asked.
#[derive(Debug, Clone)]
pub(super) struct Witness {
    pub(super) name: String,
    pub(super) url: String,
    pub(super) answer: Answer,
}

/// What it said.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Answer {
    None,
    Unusable,
    /// A root that counts.
    Accepted,
}

impl Witness {
    pub(super) fn request(&self, origin: &str) -> RootsRequest {
        let origin_hash = hex::encode(Sha256::digest(origin.as_bytes()));
        RootsRequest::Witness { name: self.name.clone(), url: self.url.clone(), origin_hash }
    }
}

/// The witnesses of `origin` that the trust file gives an address for, in its order, each address once: a witness that
/// has changed its key is still one witness.
pub(super) fn of_origin(trust: &TrustFile, origin: &str) -> Vec<Witness> {
    let knowing = trust.logs().iter().filter(|logs| logs.knows(origin));
    let mut found: Vec<Witness> = Vec::new();
    for witness in knowing.flat_map(|logs| logs.policy.witnesses()) {
        let Some(url) = address(witness) else { continue };
        if found.len() < MAX_WITNESSES && found.iter().all(|known| known.url != url) {
            found.push(Witness { name: witness.name().to_string(), url, answer: Answer::None });
        }
    }
    found
}

/// The witnesses of `policy` at `url`.
pub(super) fn at<'p>(policy: &'p Policy, url: &'p str) -> impl Iterator<Item = &'p PolicyWitness> {
    policy.witnesses().iter().filter(move |witness| address(witness).as_deref() == Some(url))
}

/// The witness's address, without the slashes at its end: `https`, or `http` to this machine itself. An address that a
/// path cannot be appended to is none.
fn address(witness: &PolicyWitness) -> Option<String> {
    let url = std::str::from_utf8(witness.url()?).ok()?;
    let rest = url.strip_prefix("https://").or_else(|| {
        let rest = url.strip_prefix("http://")?;
        let (authority, _) = rest.split_once('/').unwrap_or((rest, ""));
        let host = match authority.rsplit_once(':') {
            Some((host, port)) if port.bytes().all(|b| b.is_ascii_digit()) => host,
            _ => authority,
        };
        matches!(host, "localhost" | "127.0.0.1" | "[::1]").then_some(rest)
    })?;
    let plain = |b: u8| b.is_ascii_graphic() && !matches!(b, b'?' | b'#' | b'@' | b'\\');
    let usable = url.len() <= MAX_URL_LEN && !rest.starts_with('/') && !rest.is_empty();
    (usable && url.bytes().all(plain)).then(|| url.trim_end_matches('/').to_owned())
}

//! Which witnesses the trust file names, and where they are asked.
//!
//! The trust file says it to everybody; `config.toml` may say it to this service, for a witness that it reaches by a private address.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use client::{ServerUrl, ServerUrlError};
use tlog::VerifierKey;
use url::{Host, Url};

use super::client::WitnessClient;
use super::http::HttpWitness;
use crate::policies::Policies;

/// A witness of this log.
#[derive(Clone)]
pub struct Witness {
    /// Its name in the policy.
    pub name: String,
    /// Its key.
    pub key: VerifierKey,
    /// Where everybody finds it, by the trust file.
    pub url: Option<String>,
    /// How it is asked; `None` if nobody says where it is.
    pub client: Option<Arc<dyn WitnessClient>>,
}

/// Why the witnesses cannot be asked.
#[derive(Debug, thiserror::Error)]
pub enum WitnessConfigError {
    /// An override for somebody unknown.
    #[error("config.toml says where the witness {0} is, and trust.json names no such witness.")]
    Unknown(String),
    /// The address in the policy cannot be used.
    #[error("The address of the witness {name} cannot be used. {source}")]
    Address {
        /// The witness.
        name: String,
        /// Why.
        source: ServerUrlError,
    },
    /// TLS or connections cannot be set up.
    #[error("The witness {name} cannot be asked: {source}.")]
    Setup {
        /// The witness.
        name: String,
        /// Why.
        source: reqwest::Error,
    },
}

/// The witnesses of `policies`. `overrides` says by name where this service asks them instead.
pub fn configured(
    policies: &Policies,
    overrides: &BTreeMap<String, String>,
    timeout: Duration,
) -> Result<Vec<Witness>, WitnessConfigError> {
    let mut witnesses = Vec::new();
    for witness in policies.witnesses() {
        let name = witness.name().to_string();
        let url = witness.url().map(|url| String::from_utf8_lossy(url).into_owned());
        let asked_at = overrides.get(&name).or(url.as_ref());
        let client = match asked_at {
            Some(text) => {
                let (base, direct) = base(text, overrides.contains_key(&name))
                    .map_err(|source| WitnessConfigError::Address { name: name.clone(), source })?;
                let http = HttpWitness::new(&base, policies.origin(), timeout, direct)
                    .map_err(|source| WitnessConfigError::Setup { name: name.clone(), source })?;
                Some(Arc::new(http) as Arc<dyn WitnessClient>)
            }
            None => None,
        };
        witnesses.push(Witness { name, key: witness.key().clone(), url, client });
    }
    match overrides.keys().find(|name| witnesses.iter().all(|witness| witness.name != **name)) {
        Some(unknown) => Err(WitnessConfigError::Unknown(unknown.clone())),
        None => Ok(witnesses),
    }
}

/// The base address, and whether to go there without a proxy. Plain HTTP is for this machine, and where the operator says so himself,
/// for a private network: what goes over it is public and signed, but somebody on the way could make a witness silent.
fn base(text: &str, by_operator: bool) -> Result<(String, bool), ServerUrlError> {
    match text.parse::<ServerUrl>() {
        Ok(url) => Ok((url.as_str().to_owned(), url.is_loopback())),
        Err(error @ ServerUrlError::PlainHttp { .. }) if by_operator => match Url::parse(text) {
            Ok(url) if is_private(&url) => Ok((url.as_str().trim_end_matches('/').to_owned(), true)),
            _ => Err(error),
        },
        Err(error) => Err(error),
    }
}

fn is_private(url: &Url) -> bool {
    let address = match url.host() {
        Some(Host::Ipv4(address)) => IpAddr::V4(address),
        Some(Host::Ipv6(address)) => IpAddr::V6(address),
        Some(Host::Domain(_)) | None => return false,
    };
    let plain = url.username().is_empty() && url.password().is_none();
    let private = match address {
        IpAddr::V4(address) => address.is_private(),
        IpAddr::V6(address) => address.is_unique_local(),
    };
    plain && private && url.query().is_none() && url.fragment().is_none()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_http_leaves_this_machine_only_where_the_operator_says_so() {
        for (text, by_trust_file, by_operator) in [
            ("https://w.example.test/a/", true, true),
            ("http://127.0.0.1:8700", true, true),
            ("http://10.0.0.5:8700", false, true),
            ("http://[fd00::1]:8700/", false, true),
            ("http://192.0.2.1", false, false),
            ("http://w.example.test", false, false),
            ("http://user@10.0.0.5", false, false),
            ("http://10.0.0.5/?a", false, false),
            ("ftp://10.0.0.5", false, false),
            ("w.example.test", false, false),
        ] {
            assert_eq!(base(text, false).is_ok(), by_trust_file, "{text}");
            assert_eq!(base(text, true).is_ok(), by_operator, "{text}");
        }
        assert_eq!(base("https://w.example.test/a/", false).unwrap().0, "https://w.example.test/a");
        assert_eq!(base("http://10.0.0.5:8700/", true).unwrap().0, "http://10.0.0.5:8700");
    }
}

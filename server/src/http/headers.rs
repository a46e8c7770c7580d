//! The security headers of every response, whatever its status.

use std::collections::BTreeSet;

use axum::extract::{Request, State};
use axum::http::header::{
    ACCESS_CONTROL_ALLOW_ORIGIN, CACHE_CONTROL, CONTENT_SECURITY_POLICY, HeaderName, REFERRER_POLICY,
    STRICT_TRANSPORT_SECURITY, X_CONTENT_TYPE_OPTIONS,
};
use axum::http::{HeaderMap, HeaderValue};
use axum::middleware::Next;
use axum::response::Response;
use evidence::TrustFile;

const CROSS_ORIGIN_OPENER_POLICY: HeaderName = HeaderName::from_static("cross-origin-opener-policy");
const CROSS_ORIGIN_EMBEDDER_POLICY: HeaderName = HeaderName::from_static("cross-origin-embedder-policy");
const CROSS_ORIGIN_RESOURCE_POLICY: HeaderName = HeaderName::from_static("cross-origin-resource-policy");
const PERMISSIONS_POLICY: HeaderName = HeaderName::from_static("permissions-policy");

/// Trusted Types are left out: Leptos sets `innerHTML` for static elements, and starting the worker needs a policy for its
/// address (`docs/decisions/0003-trusted-types.md`).
const REQUIRE_TRUSTED_TYPES: bool = false;

/// The page needs none of these.
const PERMISSIONS: &str = "accelerometer=(), autoplay=(), browsing-topics=(), camera=(), display-capture=(), \
     encrypted-media=(), geolocation=(), gyroscope=(), hid=(), identity-credentials-get=(), idle-detection=(), \
     local-fonts=(), magnetometer=(), microphone=(), midi=(), payment=(), publickey-credentials-get=(), \
     screen-wake-lock=(), serial=(), usb=(), xr-spatial-tracking=()";

/// Two years.
const HSTS: &str = "max-age=63072000; includeSubDomains";

/// Headers that depend on the configuration only.
#[derive(Debug, Clone)]
pub struct SecurityHeaders {
    content_security_policy: HeaderValue,
    tls: bool,
}

impl SecurityHeaders {
    /// Headers for a service with this trust file, whose witnesses the page may ask.
    pub fn new(trust: &TrustFile, tls: bool) -> Self {
        let policy = content_security_policy(&witness_origins(trust));
        // invariant: origins are checked to consist of visible ASCII characters.
        let content_security_policy =
            HeaderValue::from_str(&policy).unwrap_or(HeaderValue::from_static("default-src 'none'"));
        Self { content_security_policy, tls }
    }

    fn apply(&self, path: &str, headers: &mut HeaderMap) {
        let open = path == "/log" || path.starts_with("/log/");
        headers.insert(CONTENT_SECURITY_POLICY, self.content_security_policy.clone());
        headers.insert(CROSS_ORIGIN_OPENER_POLICY, HeaderValue::from_static("same-origin"));
        headers.insert(CROSS_ORIGIN_EMBEDDER_POLICY, HeaderValue::from_static("require-corp"));
        let resource_policy = if open { "cross-origin" } else { "same-origin" };
        headers.insert(CROSS_ORIGIN_RESOURCE_POLICY, HeaderValue::from_static(resource_policy));
        if open {
            headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
        }
        headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
        headers.insert(REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
        headers.insert(PERMISSIONS_POLICY, HeaderValue::from_static(PERMISSIONS));
        if self.tls {
            headers.insert(STRICT_TRANSPORT_SECURITY, HeaderValue::from_static(HSTS));
        }
        // What says nothing about caching must not be kept: it may be somebody's evidence.
        headers.entry(CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    }
}

/// Adds the headers to every response.
pub async fn add(State(headers): State<SecurityHeaders>, request: Request, next: Next) -> Response {
    let path = request.uri().path().to_owned();
    let mut response = next.run(request).await;
    headers.apply(&path, response.headers_mut());
    response
}

fn content_security_policy(witnesses: &BTreeSet<String>) -> String {
    let connect: String = witnesses.iter().map(|origin| format!(" {origin}")).collect();
    let trusted_types = if REQUIRE_TRUSTED_TYPES { "; require-trusted-types-for 'script'" } else { "" };
    format!(
        "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; worker-src 'self'; connect-src 'self'{connect}; \
         style-src 'self'; img-src 'self' blob:; media-src blob:; font-src 'self'; form-action 'none'; \
         frame-ancestors 'none'; base-uri 'none'{trusted_types}"
    )
}

/// `scheme://host[:port]` of every witness that the trust file names with an address.
fn witness_origins(trust: &TrustFile) -> BTreeSet<String> {
    let witnesses = trust.logs().iter().flat_map(|logs| logs.policy.witnesses());
    witnesses.filter_map(|witness| origin(std::str::from_utf8(witness.url()?).ok()?)).collect()
}

/// The origin of an HTTP address; nothing that could end the directive and begin another.
fn origin(url: &str) -> Option<String> {
    let (scheme, rest) = url.split_once("://")?;
    let host = rest.split(['/', '?', '#']).next().unwrap_or_default();
    let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b':' | b'[' | b']');
    let fits = matches!(scheme, "https" | "http") && !host.is_empty() && host.bytes().all(plain);
    fits.then(|| format!("{scheme}://{host}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_address_of_a_witness_cannot_widen_the_policy() {
        assert_eq!(
            origin("https://w.example.test:8443/add?x").as_deref(),
            Some("https://w.example.test:8443")
        );
        assert_eq!(origin("http://[::1]:80/").as_deref(), Some("http://[::1]:80"));
        for hostile in
            ["https://a; script-src *", "https://*", "javascript://a", "https://", "a.test", "https://a'b/"]
        {
            assert_eq!(origin(hostile), None, "{hostile}");
        }
    }

    #[test]
    fn witnesses_are_the_only_others_that_the_page_may_ask() {
        let policy = content_security_policy(&BTreeSet::from(["https://w.test".to_owned()]));
        assert!(policy.contains("connect-src 'self' https://w.test; style-src"), "{policy}");
        assert!(content_security_policy(&BTreeSet::new()).contains("connect-src 'self'; style-src"));
    }
}

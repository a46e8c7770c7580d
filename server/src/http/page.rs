//! The files of the built page; everything that no other route answers.

use axum::extract::{Request, State};
use axum::http::header::{
    ACCEPT_ENCODING, ALLOW, CACHE_CONTROL, CONTENT_ENCODING, CONTENT_TYPE, ETAG, IF_NONE_MATCH, VARY,
};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode};
use axum::response::{IntoResponse, Response};

use super::App;
use super::problem::{Code, Problem};
use crate::page::Asset;

/// Names of files contain their hash.
const IMMUTABLE: &str = "public, max-age=31536000, immutable";

pub(super) async fn file(State(app): State<App>, request: Request) -> Response {
    if !matches!(*request.method(), Method::GET | Method::HEAD) {
        let mut response = Problem::new(Code::MethodNotAllowed).into_response();
        response.headers_mut().insert(ALLOW, HeaderValue::from_static("GET, HEAD"));
        return response;
    }
    match app.page.get(request.uri().path()) {
        Some(asset) => answer(asset, request.headers()),
        None => Problem::new(Code::NotFound).into_response(),
    }
}

pub(super) async fn method_not_allowed() -> Problem {
    Problem::new(Code::MethodNotAllowed)
}

fn answer(asset: &Asset, request: &HeaderMap) -> Response {
    let compressed = asset.brotli.as_ref().filter(|_| accepts_brotli(request));
    let mut headers = HeaderMap::new();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(asset.content_type));
    headers.insert(VARY, HeaderValue::from_static("accept-encoding"));
    let cache = if asset.hashed { IMMUTABLE } else { "no-cache" };
    headers.insert(CACHE_CONTROL, HeaderValue::from_static(cache));
    let variant = compressed.unwrap_or(&asset.plain);
    headers.insert(ETAG, variant.etag.clone());
    if request.get(IF_NONE_MATCH).is_some_and(|known| matches(known, &variant.etag)) {
        return (StatusCode::NOT_MODIFIED, headers).into_response();
    }
    if compressed.is_some() {
        headers.insert(CONTENT_ENCODING, HeaderValue::from_static("br"));
    }
    (headers, variant.bytes.clone()).into_response()
}

/// RFC 9110 §13.1.2: weak comparison with each tag of the list.
fn matches(known: &HeaderValue, etag: &HeaderValue) -> bool {
    let (Ok(known), Ok(etag)) = (known.to_str(), etag.to_str()) else { return false };
    known.split(',').map(|tag| tag.trim().trim_start_matches("W/")).any(|tag| tag == "*" || tag == etag)
}

/// RFC 9110 §12.5.3: `br` or `*` is named and not with quality 0; the more specific name wins.
fn accepts_brotli(request: &HeaderMap) -> bool {
    let named = |coding: &str| {
        let values = request.get_all(ACCEPT_ENCODING).iter().filter_map(|value| value.to_str().ok());
        values.flat_map(|value| value.split(',')).find_map(|item| {
            let mut parts = item.split(';').map(str::trim);
            let fits = parts.next().is_some_and(|name| name.eq_ignore_ascii_case(coding));
            let quality = parts.find_map(|part| part.strip_prefix("q=")).unwrap_or("1");
            fits.then(|| quality.parse::<f32>().is_ok_and(|quality| quality > 0.0))
        })
    };
    named("br").or_else(|| named("*")).unwrap_or(false)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn brotli_only_where_it_is_accepted() {
        for (header, accepted) in [
            ("gzip, deflate, br, zstd", true),
            ("br;q=0", false),
            ("*", true),
            ("*, br;q=0", false),
            ("gzip", false),
            ("br; q=0.5", true),
            ("brotli", false),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(ACCEPT_ENCODING, HeaderValue::from_static(header));
            assert_eq!(accepts_brotli(&headers), accepted, "{header}");
        }
        assert!(!accepts_brotli(&HeaderMap::new()));
    }
}

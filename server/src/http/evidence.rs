//! `POST /api/v1/evidence/lookup` and `GET /api/v1/enrolments/{kid}`.

use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::HeaderMap;
use axum::http::header::CONTENT_TYPE;
use axum::response::IntoResponse;
use evidence::{KeyDigest, LookupRequest, MAX_LOOKUP_REQUEST_LEN, encode_registry_section};
use serving::limits::{read_body, require_type};

use super::App;
use super::problem::{Code, Problem};

pub(super) async fn lookup(
    State(app): State<App>,
    headers: HeaderMap,
    body: Body,
) -> Result<impl IntoResponse, Problem> {
    require_type(&headers, "application/cbor")?;
    let body = read_body(body, MAX_LOOKUP_REQUEST_LEN, app.body_timeout).await?;
    // Only now: few lookups are answered at a time, and a request that drips in must not keep the others out.
    let _place = app.lookups.take()?;
    let request =
        LookupRequest::parse(&body).map_err(|error| Problem::with_detail(Code::LookupMalformed, error))?;
    let response = app.service.lookup(&request).await.map_err(|error| Problem::internal(&error))?;
    Ok(([(CONTENT_TYPE, "application/cbor")], response.encode()))
}

pub(super) async fn enrolment(
    State(app): State<App>,
    Path(kid): Path<String>,
) -> Result<impl IntoResponse, Problem> {
    let kid: KeyDigest =
        kid.parse().map_err(|error| Problem::with_detail(Code::NotFound, format!("{error}.")))?;
    let section = app.service.enrolment(&kid).await.map_err(|error| Problem::internal(&error))?;
    let section = section.ok_or(Problem::new(Code::NotEnrolled))?;
    Ok(([(CONTENT_TYPE, "application/cbor")], encode_registry_section(&section)))
}

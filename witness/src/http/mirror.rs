//! `/mirror/{hash}/…`: a copy, with the paths of `/log/`.

use axum::extract::{Path, RawQuery, State};
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::response::{IntoResponse as _, Response};
use serving::{Kind, Problem};
use tlog::{BundleId, LeafIndex, TileId, TreeSize};

use super::App;
use super::monitor::{note_response, origin_hash};
use crate::mirror::copy::{Copy, PAGE};

/// What is sealed never changes.
const IMMUTABLE: &str = "public, max-age=31536000, immutable";

fn copy(app: &App, query: Option<String>, hash: &str) -> Result<std::sync::Arc<Copy>, Problem> {
    let hash = origin_hash(query, hash)?;
    app.mirrors
        .get(&hash)
        .ok_or(Problem::with_detail(Kind::NOT_FOUND, "This witness keeps no copy of this log."))
}

fn failed(error: crate::mirror::copy::CopyError) -> Problem {
    Problem::internal(&error)
}

pub(super) async fn checkpoint(
    State(app): State<App>,
    RawQuery(query): RawQuery,
    Path(hash): Path<String>,
) -> Result<Response, Problem> {
    let note = copy(&app, query, &hash)?.checkpoint().await.map_err(failed)?;
    Ok(note_response(note.ok_or(Problem::with_detail(Kind::NOT_FOUND, "The copy is still empty."))?))
}

pub(super) async fn tile(
    State(app): State<App>,
    RawQuery(query): RawQuery,
    Path((hash, address)): Path<(String, String)>,
) -> Result<Response, Problem> {
    let copy = copy(&app, query, &hash)?;
    let address = format!("tile/{address}");
    let data = match address.parse::<BundleId>() {
        Ok(id) => copy.bundle(id).await.map_err(failed)?,
        Err(_) => match address.parse::<TileId>() {
            Ok(id) => copy.tile(id).await.map_err(failed)?,
            Err(error) => return Err(Problem::with_detail(Kind::NOT_FOUND, error)),
        },
    };
    Ok(immutable("application/octet-stream", data.ok_or(Problem::new(Kind::NOT_FOUND))?))
}

pub(super) async fn statement(
    State(app): State<App>,
    RawQuery(query): RawQuery,
    Path((hash, index)): Path<(String, String)>,
) -> Result<Response, Problem> {
    let copy = copy(&app, query, &hash)?;
    let index: LeafIndex = index.parse().map_err(|error| Problem::with_detail(Kind::NOT_FOUND, error))?;
    let counted = index.get() < copy.head().size.get();
    let bytes = if counted { copy.read(&Copy::statement_path(index)).await.map_err(failed)? } else { None };
    let bytes = bytes
        .ok_or(Problem::with_detail(Kind::NOT_FOUND, "Only statements of the device registry are public."))?;
    Ok(immutable("application/cose; cose-type=\"cose-sign1\"", bytes))
}

pub(super) async fn archived(
    State(app): State<App>,
    RawQuery(query): RawQuery,
    Path((hash, size)): Path<(String, String)>,
) -> Result<Response, Problem> {
    let copy = copy(&app, query, &hash)?;
    let note = copy.archived(tree_size(&size)?).await.map_err(failed)?;
    let note =
        note.ok_or(Problem::with_detail(Kind::NOT_FOUND, "No checkpoint of this size was published."))?;
    Ok(immutable("text/plain; charset=utf-8", note))
}

pub(super) async fn archived_after(
    State(app): State<App>,
    RawQuery(query): RawQuery,
    Path((hash, size)): Path<(String, String)>,
) -> Result<Response, Problem> {
    let copy = copy(&app, query, &hash)?;
    let archived = copy.archived_after(tree_size(&size)?).await.map_err(failed)?;
    let mut page = Vec::new();
    for (_, note) in &archived {
        // invariant: it came from a page, with a 16-bit length.
        page.extend_from_slice(&u16::try_from(note.len()).unwrap_or(u16::MAX).to_be_bytes());
        page.extend_from_slice(note);
    }
    if archived.len() == usize::from(PAGE) {
        return Ok(immutable("application/octet-stream", page));
    }
    let headers = [(CONTENT_TYPE, "application/octet-stream"), (CACHE_CONTROL, "no-cache")];
    Ok((headers, page).into_response())
}

fn tree_size(text: &str) -> Result<TreeSize, Problem> {
    text.parse().map_err(|error| Problem::with_detail(Kind::NOT_FOUND, error))
}

fn immutable(content_type: &'static str, bytes: Vec<u8>) -> Response {
    ([(CONTENT_TYPE, content_type), (CACHE_CONTROL, IMMUTABLE)], bytes).into_response()
}

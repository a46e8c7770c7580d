//! `/log`: the published log, C2SP `tlog-tiles`, its archived checkpoints, and the statements of the device registry. Open to any origin.
//!
//! Every address is static: a query is refused, because a cache on the way may ignore it and give one answer for two questions.

use axum::extract::{Path, Request, State};
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use evidence::Digest;
use tlog::{BundleId, LeafIndex, TileId, TreeSize};

use super::App;
use super::problem::{Code, Problem};
use crate::tiles::{TileReadError, Tiles};

/// Tiles, bundles, archived checkpoints and sealed statements never change.
const IMMUTABLE: &str = "public, max-age=31536000, immutable";

const TEXT: &str = "text/plain; charset=utf-8";

/// Checkpoints in one answer of `checkpoints/after`; one with so many never changes.
const PAGE: u32 = 256;

/// Refuses whatever has a query, below `/log/` only.
pub(super) async fn static_only(request: Request, next: Next) -> Response {
    if request.uri().query().is_some() && request.uri().path().starts_with("/log/") {
        let detail =
            "Addresses below /log/ are static files; a cache may ignore what follows the question mark.";
        return Problem::with_detail(Code::QueryRefused, detail).into_response();
    }
    next.run(request).await
}

pub(super) async fn checkpoint(State(app): State<App>) -> Result<Response, Problem> {
    let shown = app.service.checkpoint().ok_or(Problem::new(Code::NotReady))?;
    Ok(([(CONTENT_TYPE, TEXT), (CACHE_CONTROL, "no-cache")], shown.note).into_response())
}

pub(super) async fn archived(State(app): State<App>, Path(size): Path<String>) -> Result<Response, Problem> {
    let size: TreeSize = size.parse().map_err(|error| Problem::with_detail(Code::NotFound, error))?;
    let note = app.service.archived(size).await.map_err(|error| Problem::internal(&error))?;
    let note = note.ok_or(Problem::with_detail(Code::NotFound, "This size was never published."))?;
    Ok(([(CONTENT_TYPE, TEXT), (CACHE_CONTROL, IMMUTABLE)], note).into_response())
}

/// In the framing of entry bundles: a 16-bit length, big-endian, before each.
pub(super) async fn archived_after(
    State(app): State<App>,
    Path(size): Path<String>,
) -> Result<Response, Problem> {
    let size: TreeSize = size.parse().map_err(|error| Problem::with_detail(Code::NotFound, error))?;
    let found = app.service.archived_after(size, PAGE).await.map_err(|error| Problem::internal(&error))?;
    let full = u32::try_from(found.len()) == Ok(PAGE);
    let mut bundle = tlog::EntryBundle::new();
    for (_, note) in found {
        bundle.push(note).map_err(|error| Problem::internal(&error))?;
    }
    let cache = if full { IMMUTABLE } else { "no-cache" };
    let headers = [(CONTENT_TYPE, "application/octet-stream"), (CACHE_CONTROL, cache)];
    Ok((headers, bundle.encode()).into_response())
}

pub(super) async fn index(State(app): State<App>, Path(digest): Path<String>) -> Result<Response, Problem> {
    let digest: Digest = digest.parse().map_err(|error| Problem::with_detail(Code::NotFound, error))?;
    let index = app.service.index_of(&digest).await.map_err(|error| Problem::internal(&error))?;
    let index = index.ok_or(Problem::new(Code::NotFound))?;
    Ok(([(CONTENT_TYPE, TEXT), (CACHE_CONTROL, IMMUTABLE)], format!("{index}\n")).into_response())
}

pub(super) async fn tile(State(app): State<App>, Path(address): Path<String>) -> Result<Response, Problem> {
    let address = format!("tile/{address}");
    let data = match address.parse::<BundleId>() {
        Ok(id) => bundle(&app, id).await?,
        Err(_) => match address.parse::<TileId>() {
            Ok(id) => hashes(&app, id).await?,
            Err(error) => return Err(Problem::with_detail(Code::NotFound, error)),
        },
    };
    let data = data.ok_or(Problem::new(Code::NotFound))?;
    let headers = [(CONTENT_TYPE, "application/octet-stream"), (CACHE_CONTROL, IMMUTABLE)];
    Ok((headers, data).into_response())
}

async fn hashes(app: &App, id: TileId) -> Result<Option<Bytes>, Problem> {
    // Objects of a tree whose checkpoint is not published yet are nobody's business.
    if !Tiles::is_published(id, app.service.published()) {
        return Ok(None);
    }
    match app.service.tiles().tile(id).await {
        Ok(data) => Ok(Some(data)),
        Err(TileReadError::Missing(_)) => Ok(None),
        Err(error) => Err(Problem::internal(&error)),
    }
}

async fn bundle(app: &App, id: BundleId) -> Result<Option<Bytes>, Problem> {
    let widest = BundleId::in_tree(id.index(), app.service.published());
    if widest.is_none_or(|widest| widest.width() < id.width()) {
        return Ok(None);
    }
    app.service.tiles().bundle(id).await.map_err(|error| Problem::internal(&error))
}

pub(super) async fn statement(
    State(app): State<App>,
    Path(index): Path<String>,
) -> Result<Response, Problem> {
    let index: LeafIndex = index.parse().map_err(|error| Problem::with_detail(Code::NotFound, error))?;
    let row = app.service.public_entry(index).await.map_err(|error| Problem::internal(&error))?;
    let row = row
        .ok_or(Problem::with_detail(Code::NotFound, "Only statements of the device registry are public."))?;
    let bytes = row.statement.ok_or(Problem::with_detail(
        Code::NotFound,
        "This statement was lost with the log's database; a mirror of the log may have it.",
    ))?;
    let headers = [(CONTENT_TYPE, "application/cose; cose-type=\"cose-sign1\""), (CACHE_CONTROL, IMMUTABLE)];
    Ok((headers, bytes).into_response())
}

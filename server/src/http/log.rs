//! `/log`: the published log, C2SP `tlog-tiles`, and the statements of the device registry. Open to any origin.

use axum::extract::{Path, State};
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use tlog::{BundleId, LeafIndex, TileId};

use super::App;
use super::problem::{Code, Problem};
use crate::tiles::{TileReadError, Tiles};

/// Tiles, bundles and sealed statements never change.
const IMMUTABLE: &str = "public, max-age=31536000, immutable";

pub(super) async fn checkpoint(State(app): State<App>) -> Result<Response, Problem> {
    let note = app.service.objects().checkpoint().await.map_err(|error| Problem::internal(&error))?;
    let note = note.ok_or(Problem::new(Code::NotReady))?;
    let headers = [(CONTENT_TYPE, "text/plain; charset=utf-8"), (CACHE_CONTROL, "no-cache")];
    Ok((headers, note).into_response())
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
        // Partial tiles exist for published sizes only.
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

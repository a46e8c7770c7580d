//! One copy on disk.
//!
//! ```text
//! DIR/copy.sqlite              which log; size and root of the copy; the archived checkpoints
//! DIR/tile/…                   tiles and entry bundles, as `tlog-tiles` names them
//! DIR/statement/<n>/<index>    statements of kind 1; n = index / 256
//! ```
//!
//! Files are written durably first and counted in the database afterwards, so that a process may be killed at any moment: what the
//! database says is there, is there. Files beyond that are authentic all the same, and are used again.

use std::path::{Path, PathBuf};
use std::sync::{PoisonError, RwLock};
use std::time::Duration;

use client::durable::{self, FileError};
use futures_util::TryStreamExt as _;
use sqlx::migrate::{Migration, MigrationType, Migrator};
use sqlx::sqlite::{
    SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteRow, SqliteSynchronous,
};
use sqlx::{Row as _, SqlSafeStr as _, SqlitePool};
use tlog::tile::TILE_WIDTH;
use tlog::{
    BundleId, EntryBundle, Hash, HashReader, LeafIndex, LoadError, SignedNote, TileBuilder, TileId, TreeHead,
    TreeSize, empty_root,
};

const BUSY_TIMEOUT: Duration = Duration::from_secs(10);

/// Connections at the same time; one of them writes.
const CONNECTIONS: u32 = 4;

/// Archived checkpoints in one answer.
pub const PAGE: u16 = 256;

/// Bytes in one answer, but for the last checkpoint. An ordinary page has a quarter of that; a log may sign longer notes.
const MAX_PAGE_LEN: usize = 1 << 20;

/// Anybody may read what is public.
const PUBLIC: u32 = 0o644;

/// One copy.
#[derive(Debug)]
pub struct Copy {
    directory: PathBuf,
    origin: String,
    database: SqlitePool,
    head: RwLock<TreeHead>,
}

/// A checkpoint that was checked and belongs to the copy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Archived {
    /// Its tree.
    pub head: TreeHead,
    /// The note as the log has archived it.
    pub note: SignedNote,
}

/// Why a copy cannot be read or written.
#[derive(Debug, thiserror::Error)]
pub enum CopyError {
    /// The database failed.
    #[error("The database of the copy failed: {0}.")]
    Database(#[from] sqlx::Error),
    /// The schema could not be brought up to date.
    #[error("The schema of the copy could not be brought up to date: {0}.")]
    Migrate(#[from] sqlx::migrate::MigrateError),
    /// A file could not be written or read.
    #[error(transparent)]
    File(#[from] FileError),
    /// The directory holds something else.
    #[error("The copy in {path} is not what it should be: {what}")]
    Damaged {
        /// The directory.
        path: PathBuf,
        /// What is wrong.
        what: String,
    },
    /// The work was broken off.
    #[error("The work on a file was interrupted.")]
    Interrupted,
}

/// Reads the files of a copy, for `tlog`'s synchronous readers.
#[derive(Debug)]
pub struct Files<'a>(&'a Path);

impl HashReader for Files<'_> {
    type Error = FileError;

    fn tile(&self, id: TileId) -> Result<Vec<u8>, FileError> {
        let path = self.0.join(id.path());
        std::fs::read(&path).map_err(FileError::on("read", &path))
    }
}

impl Copy {
    /// Whether `directory` holds a copy.
    pub fn is_one(directory: &Path) -> bool {
        directory.join("copy.sqlite").is_file()
    }

    /// An empty copy of the log with this origin, or the one that is there.
    ///
    /// # Errors
    /// Every [`CopyError`].
    pub async fn create(directory: &Path, origin: &str) -> Result<Self, CopyError> {
        durable::create_folders(directory)?;
        let database = connect(directory, true).await?;
        sqlx::query("INSERT INTO copy (one, origin, size, root) VALUES (1, ?, 0, ?) ON CONFLICT DO NOTHING")
            .bind(origin)
            .bind(empty_root().as_bytes().as_slice())
            .execute(&database)
            .await?;
        // invariant: the row was there or has just been made.
        let copy = Self::with(directory, database).await?.ok_or(CopyError::Interrupted)?;
        if copy.origin != origin {
            return Err(copy.damaged(format!("it is the copy of {}, not of {origin}.", copy.origin)));
        }
        Ok(copy)
    }

    /// The copy in `directory`; `None` if a process was killed while it made one.
    ///
    /// # Errors
    /// Every [`CopyError`].
    pub async fn open(directory: &Path) -> Result<Option<Self>, CopyError> {
        Self::with(directory, connect(directory, false).await?).await
    }

    async fn with(directory: &Path, database: SqlitePool) -> Result<Option<Self>, CopyError> {
        let damaged = |what| CopyError::Damaged { path: directory.to_owned(), what };
        let row = sqlx::query("SELECT origin, size, root FROM copy").fetch_optional(&database).await?;
        let Some(row) = row else { return Ok(None) };
        let size: i64 = row.try_get("size")?;
        let root: Vec<u8> = row.try_get("root")?;
        let root =
            <[u8; Hash::LEN]>::try_from(root).map_err(|_| damaged("its root is no hash.".to_owned()))?;
        let size = u64::try_from(size).map_err(|_| damaged("its size is negative.".to_owned()))?;
        let head = TreeHead { size: TreeSize::new(size), root: Hash::from_bytes(root) };
        let origin = row.try_get("origin")?;
        Ok(Some(Self { directory: directory.to_owned(), origin, database, head: head.into() }))
    }

    /// The origin of the log.
    pub fn origin(&self) -> &str {
        &self.origin
    }

    /// The tree of which everything is here.
    pub fn head(&self) -> TreeHead {
        *self.head.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// The right edge of the copy, its hashes recomputed from the files.
    ///
    /// # Errors
    /// [`CopyError::Damaged`] when they are not those of [`Copy::head`].
    pub fn edge(&self) -> Result<TileBuilder, CopyError> {
        TileBuilder::load(&self.head(), &Files(&self.directory)).map_err(|error| match error {
            LoadError::Tile { source, .. } => source.into(),
            error => self.damaged(error.to_string()),
        })
    }

    /// Tiles as they are in the files.
    pub fn files(&self) -> Files<'_> {
        Files(&self.directory)
    }

    /// The path of a statement's file below the directory.
    pub fn statement_path(index: LeafIndex) -> String {
        format!("statement/{}/{index}", index.get() / u64::from(TILE_WIDTH))
    }

    /// The bytes of a file below the directory; `None` if there is none.
    ///
    /// # Errors
    /// [`CopyError::File`].
    pub async fn read(&self, path: &str) -> Result<Option<Vec<u8>>, CopyError> {
        let path = self.directory.join(path);
        blocking(move || match std::fs::read(&path) {
            Ok(bytes) => Ok(Some(bytes)),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(FileError::on("read", &path)(error)),
        })
        .await
    }

    /// Writes a file below the directory durably, by rename.
    ///
    /// # Errors
    /// [`CopyError::File`].
    pub async fn write(&self, path: &str, bytes: Vec<u8>) -> Result<(), CopyError> {
        let path = self.directory.join(path);
        blocking(move || {
            durable::create_folders(durable::parent(&path))?;
            durable::replace(&path, &bytes, PUBLIC)
        })
        .await
    }

    /// Removes a file that a wider one has replaced. Whether it is gone matters to nobody.
    pub async fn discard(&self, path: &str) {
        let path = self.directory.join(path);
        let _ = blocking(move || {
            let _ = std::fs::remove_file(&path);
            // The `.p` directory, once it is empty.
            let _ = std::fs::remove_dir(durable::parent(&path));
            Ok(())
        })
        .await;
    }

    /// Counts what was written: the copy is now that of the last of these checkpoints.
    ///
    /// # Errors
    /// When the database fails; the copy stays as it was.
    pub async fn commit(&self, archived: &[Archived]) -> Result<(), CopyError> {
        let Some(last) = archived.last() else { return Ok(()) };
        let mut transaction = self.database.begin_with("BEGIN IMMEDIATE").await?;
        for Archived { head, note } in archived {
            sqlx::query("INSERT INTO archive (size, note) VALUES (?, ?) ON CONFLICT DO NOTHING")
                .bind(to_column(head.size))
                .bind(note.as_bytes())
                .execute(&mut *transaction)
                .await?;
        }
        sqlx::query("UPDATE copy SET size = ?, root = ?")
            .bind(to_column(last.head.size))
            .bind(last.head.root.as_bytes().as_slice())
            .execute(&mut *transaction)
            .await?;
        transaction.commit().await?;
        *self.head.write().unwrap_or_else(PoisonError::into_inner) = last.head;
        Ok(())
    }

    /// The bytes of a tile of the copy's tree, or of a narrower stage of one; `None` if the tree has none.
    ///
    /// # Errors
    /// [`CopyError`] when a file is missing that must be there.
    pub async fn tile(&self, id: TileId) -> Result<Option<Vec<u8>>, CopyError> {
        let widest = |size| {
            TileId::in_tree(id.level(), id.index(), size).filter(|widest| widest.width() >= id.width())
        };
        let Some(mut data) = self.read_widest(|size| widest(size).map(TileId::path)).await? else {
            return Ok(None);
        };
        data.truncate(id.byte_len());
        Ok(Some(data))
    }

    /// The bytes of a bundle of the copy's tree, or of a narrower stage of one; `None` if the tree has none.
    ///
    /// # Errors
    /// [`CopyError`] when a file is missing that must be there, or cannot be read.
    pub async fn bundle(&self, id: BundleId) -> Result<Option<Vec<u8>>, CopyError> {
        let widest = |size| BundleId::in_tree(id.index(), size).filter(|widest| widest.width() >= id.width());
        let Some(mut data) = self.read_widest(|size| widest(size).map(BundleId::path)).await? else {
            return Ok(None);
        };
        let length = framed_len(&data, usize::from(id.width()));
        let length = length.ok_or_else(|| self.damaged(format!("the bundle {id} ends early.")))?;
        data.truncate(length);
        Ok(Some(data))
    }

    /// Reads the file that `path` names for the copy's size. The copy may grow meanwhile, and the file give way to a wider one.
    async fn read_widest(
        &self,
        path: impl Fn(TreeSize) -> Option<String>,
    ) -> Result<Option<Vec<u8>>, CopyError> {
        let mut size = self.head().size;
        loop {
            let Some(path) = path(size) else { return Ok(None) };
            if let Some(data) = self.read(&path).await? {
                return Ok(Some(data));
            }
            let now = self.head().size;
            if now == size {
                return Err(self.damaged(format!("the file {path} is missing.")));
            }
            size = now;
        }
    }

    /// The newest checkpoint of the copy.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn checkpoint(&self) -> Result<Option<Vec<u8>>, CopyError> {
        let query = sqlx::query_scalar("SELECT note FROM archive ORDER BY size DESC LIMIT 1");
        Ok(query.fetch_optional(&self.database).await?)
    }

    /// The archived checkpoint of exactly this size.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn archived(&self, size: TreeSize) -> Result<Option<Vec<u8>>, CopyError> {
        let query = sqlx::query_scalar("SELECT note FROM archive WHERE size = ?").bind(to_column(size));
        Ok(query.fetch_optional(&self.database).await?)
    }

    /// Up to [`PAGE`] archived checkpoints above this size, ascending; fewer if they are long, and at least one if there is any.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn archived_after(&self, size: TreeSize) -> Result<Vec<(TreeSize, Vec<u8>)>, CopyError> {
        let mut rows = sqlx::query("SELECT size, note FROM archive WHERE size > ? ORDER BY size LIMIT ?")
            .bind(to_column(size))
            .bind(i64::from(PAGE))
            .fetch(&self.database);
        let (mut archived, mut length) = (Vec::new(), 0);
        while length < MAX_PAGE_LEN
            && let Some(row) = rows.try_next().await?
        {
            let (size, note) = self.archived_of(&row)?;
            length += note.len();
            archived.push((size, note));
        }
        Ok(archived)
    }

    fn archived_of(&self, row: &SqliteRow) -> Result<(TreeSize, Vec<u8>), CopyError> {
        let size: i64 = row.try_get("size")?;
        let size =
            u64::try_from(size).map_err(|_| self.damaged("an archived size is negative.".to_owned()))?;
        Ok((TreeSize::new(size), row.try_get("note")?))
    }

    /// Closes the database.
    pub async fn close(&self) {
        self.database.close().await;
    }

    fn damaged(&self, what: String) -> CopyError {
        CopyError::Damaged { path: self.directory.clone(), what }
    }
}

/// Bytes of the first `count` length-prefixed items; `None` if there are fewer.
fn framed_len(data: &[u8], count: usize) -> Option<usize> {
    let mut at = 0;
    for _ in 0..count {
        let length = data.get(at..)?.first_chunk::<2>()?;
        at += 2 + usize::from(u16::from_be_bytes(*length));
    }
    (at <= data.len()).then_some(at)
}

/// The entries of a bundle up to `width`.
pub(super) fn cut(bundle: &EntryBundle, width: u16) -> Option<Vec<u8>> {
    let all = bundle.encode();
    let length = framed_len(&all, usize::from(width))?;
    Some(all[..length].to_vec())
}

async fn connect(directory: &Path, create: bool) -> Result<SqlitePool, CopyError> {
    let options = SqliteConnectOptions::new()
        .filename(directory.join("copy.sqlite"))
        .create_if_missing(create)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Full)
        .busy_timeout(BUSY_TIMEOUT);
    let database = SqlitePoolOptions::new().max_connections(CONNECTIONS).connect_with(options).await?;
    let first = Migration::new(
        1,
        "first".into(),
        MigrationType::Simple,
        include_str!("copy.sql").into_sql_str(),
        false,
    );
    Migrator { migrations: vec![first].into(), ..Migrator::DEFAULT }.run(&database).await?;
    Ok(database)
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, FileError> + Send + 'static,
) -> Result<T, CopyError> {
    match tokio::task::spawn_blocking(work).await {
        Ok(done) => Ok(done?),
        Err(_) => Err(CopyError::Interrupted),
    }
}

/// SQLite stores signed 64-bit integers; no checkpoint states a larger size.
fn to_column(size: TreeSize) -> i64 {
    i64::try_from(size.get()).unwrap_or(i64::MAX)
}

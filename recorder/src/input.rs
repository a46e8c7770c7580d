//! The stream that is recorded. A thread of its own reads it, so that the time at which bytes arrived is the time at which
//! they were read, and a slow medium or a stop signal never waits for the camera.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

use client::durable::FileError;

use crate::clock::{Reading, SystemClock};

/// Large enough for a disk, small enough that a stop takes effect at once.
const CHUNK_LEN: usize = 256 * 1024;

/// How many chunks may wait while the medium is busy.
const QUEUE: usize = 16;

/// Bytes and when the last of them was read.
#[derive(Debug)]
pub struct Chunk {
    /// The bytes, at least one.
    pub bytes: Vec<u8>,
    /// The clocks just after reading.
    pub at: Reading,
}

/// What comes from the reading thread: chunks, then one end or error, then silence.
#[derive(Debug)]
pub enum FromInput {
    /// The next bytes.
    Chunk(Chunk),
    /// The input has ended.
    End,
    /// The input broke.
    Broken(FileError),
}

/// Where the stream comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// Standard input.
    Pipe,
    /// A file.
    File(PathBuf),
}

impl Source {
    /// `-` is standard input.
    #[must_use]
    pub fn named(name: &Path) -> Self {
        if name.as_os_str() == "-" { Self::Pipe } else { Self::File(name.to_owned()) }
    }

    /// For sentences.
    #[must_use]
    pub fn path(&self) -> &Path {
        match self {
            Self::Pipe => Path::new("standard input"),
            Self::File(path) => path,
        }
    }

    /// Opens it and starts reading.
    ///
    /// # Errors
    /// When it cannot be opened, or is a folder.
    pub fn open(&self, clock: SystemClock) -> Result<Receiver<FromInput>, FileError> {
        let (sender, receiver) = sync_channel(QUEUE);
        let path = self.path().to_owned();
        let spawn = |job: Box<dyn FnOnce() + Send>| {
            std::thread::Builder::new().name("input".to_owned()).spawn(job).map(drop)
        };
        match self {
            Self::Pipe => spawn(Box::new(move || read_all(io::stdin(), clock, &path, &sender))),
            Self::File(name) => File::open(name)
                .and_then(|file| match file.metadata()?.is_dir() {
                    true => Err(io::ErrorKind::IsADirectory.into()),
                    false => Ok(file),
                })
                .and_then(|file| spawn(Box::new(move || read_all(file, clock, &path, &sender)))),
        }
        .map_err(FileError::on("open", self.path()))?;
        Ok(receiver)
    }
}

fn read_all(mut input: impl Read, clock: SystemClock, path: &Path, to: &SyncSender<FromInput>) {
    loop {
        let mut bytes = vec![0; CHUNK_LEN];
        let read = match input.read(&mut bytes) {
            Ok(0) => FromInput::End,
            Ok(length) => {
                bytes.truncate(length);
                FromInput::Chunk(Chunk { bytes, at: clock.read() })
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => FromInput::Broken(FileError::on("read", path)(error)),
        };
        let last = !matches!(read, FromInput::Chunk(_));
        // The recording has stopped listening, or this was the end: either way there is nobody left to read for.
        if to.send(read).is_err() || last {
            return;
        }
    }
}

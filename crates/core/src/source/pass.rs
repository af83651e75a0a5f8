//! One pass over a file: it is read, hashed and looked at in one go, while its pieces are sent.

use std::fmt;
use std::io::{self, Read, Seek, SeekFrom};
use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::mpsc::{self, Receiver, SyncSender};
use std::thread::{Scope, ScopedJoinHandle};

use bytes::{Buf as _, Bytes};

use super::file::{Reader as Opened, Sums};
use super::{ContentHash, ContentHasher, StateFile};
use crate::error::{Error, ErrorKind, Result};
use crate::provider::{Md5Hasher, Md5Sum};

/// How many pieces may wait for one of the threads.
const PIECES_AHEAD: usize = 4;

type Look = Arc<dyn Fn(&mut Incoming) -> Result<()> + Send + Sync>;

/// What must be true of a file's bytes.
#[derive(Clone, Default)]
pub(super) struct Looks(Vec<Look>);

impl fmt::Debug for Looks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} looks", self.0.len())
    }
}

impl Looks {
    pub(super) fn add(
        &mut self,
        look: impl Fn(&mut Incoming) -> Result<()> + Send + Sync + 'static,
    ) {
        self.0.push(Arc::new(look));
    }
}

/// The bytes of a file as they are read, for one look at them.
///
/// It can be rewound to the beginning; then it reads the file by itself.
#[derive(Debug)]
pub struct Incoming {
    pieces: Receiver<Bytes>,
    /// How many bytes have not arrived yet.
    left: u64,
    /// The rest of the last piece.
    rest: Bytes,
    file: StateFile,
    rewound: Option<Opened>,
}

impl Incoming {
    /// Returns the next bytes, or `None` at the end.
    ///
    /// # Errors
    /// If the file could not be read to its end.
    pub fn next_piece(&mut self) -> Result<Option<Bytes>> {
        if self.left == 0 {
            return Ok(None);
        }
        let piece = match &mut self.rewound {
            Some(file) => self.file.piece(file, self.left)?,
            None => self.pieces.recv().map_err(|_| broke_off("a file was not read to its end"))?,
        };
        self.left -= piece.len() as u64;
        Ok(Some(piece))
    }
}

impl Read for Incoming {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.rest.is_empty() {
            self.rest = self.next_piece().map_err(io::Error::other)?.unwrap_or_default();
        }
        let length = buffer.len().min(self.rest.len());
        self.rest.copy_to_slice(&mut buffer[..length]);
        Ok(length)
    }
}

impl Seek for Incoming {
    /// Goes to the beginning, and nowhere else.
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        if to != SeekFrom::Start(0) {
            return Err(io::ErrorKind::Unsupported.into());
        }
        self.rewound = Some(self.file.reopen().map_err(io::Error::other)?);
        (self.left, self.rest) = (self.file.size_bytes(), Bytes::new());
        Ok(0)
    }
}

/// What a thread found out.
enum Found {
    Hash(ContentHash),
    Md5(Md5Sum),
    /// The look agrees.
    Nothing,
}

/// A thread that gets all pieces.
struct Reader<'scope> {
    /// `None` once the thread wants no more.
    sender: Option<SyncSender<Bytes>>,
    thread: Option<ScopedJoinHandle<'scope, Result<Found>>>,
}

impl<'scope> Reader<'scope> {
    fn start<'env>(
        scope: &'scope Scope<'scope, 'env>,
        file: &StateFile,
        read: impl FnOnce(&mut Incoming) -> Result<Found> + Send + 'scope,
    ) -> Self {
        let (sender, pieces) = mpsc::sync_channel(PIECES_AHEAD);
        let mut incoming = Incoming {
            pieces,
            left: file.size_bytes(),
            rest: Bytes::new(),
            file: file.clone(),
            rewound: None,
        };
        let thread = scope.spawn(move || read(&mut incoming));
        Self { sender: Some(sender), thread: Some(thread) }
    }

    /// Hands the next piece to the thread.
    ///
    /// # Errors
    /// What the thread found wrong.
    fn feed(&mut self, piece: &Bytes, sums: &mut Sums) -> Result<()> {
        let wants_no_more =
            self.sender.as_ref().is_some_and(|sender| sender.send(piece.clone()).is_err());
        if wants_no_more { self.finish(sums) } else { Ok(()) }
    }

    /// Waits until the thread has read everything.
    fn finish(&mut self, sums: &mut Sums) -> Result<()> {
        self.sender = None;
        let Some(thread) = self.thread.take() else { return Ok(()) };
        match thread.join().map_err(|_| broke_off("looking at a file broke off"))?? {
            Found::Hash(hash) => sums.hash = Some(hash),
            Found::Md5(md5) => sums.md5 = Some(md5),
            Found::Nothing => {}
        }
        Ok(())
    }
}

/// See [`StateFile::pass`].
pub(super) fn pass(
    file: &StateFile,
    looks: &Looks,
    needs_md5: bool,
    mut each: impl FnMut(Bytes) -> ControlFlow<()>,
) -> Result<bool> {
    let mut opened = file.reopen()?;
    std::thread::scope(|scope| {
        // Each of them takes about as long as sending: in parallel, all take as long as the
        // slowest.
        let mut readers = vec![Reader::start(scope, file, hash)];
        if needs_md5 {
            readers.push(Reader::start(scope, file, md5));
        }
        readers.extend(looks.0.iter().map(|look| {
            Reader::start(scope, file, |incoming| look(incoming).map(|()| Found::Nothing))
        }));
        let mut sums = Sums::default();
        let (mut left, mut last) = (file.size_bytes(), None);
        while left > 0 {
            let piece = file.piece(&mut opened, left)?;
            left -= piece.len() as u64;
            for reader in &mut readers {
                reader.feed(&piece, &mut sums)?;
            }
            if left == 0 {
                last = Some(piece);
            } else if each(piece).is_break() {
                return Ok(false);
            }
        }
        for reader in &mut readers {
            reader.finish(&mut sums)?;
        }
        file.check(&opened)?;
        file.note(sums)?;
        Ok(last.is_none_or(|last| each(last).is_continue()))
    })
}

fn hash(incoming: &mut Incoming) -> Result<Found> {
    let mut hasher = ContentHasher::default();
    while let Some(piece) = incoming.next_piece()? {
        hasher.update(&piece);
    }
    Ok(Found::Hash(hasher.finish()))
}

fn md5(incoming: &mut Incoming) -> Result<Found> {
    let mut hasher = Md5Hasher::default();
    while let Some(piece) = incoming.next_piece()? {
        hasher.update(&piece);
    }
    Ok(Found::Md5(hasher.finish()))
}

fn broke_off(message: &'static str) -> Error {
    Error::new(ErrorKind::Unexpected, "write", message)
}

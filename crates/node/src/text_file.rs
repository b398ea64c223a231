//! Files of traces and blocks: plain or compressed, told apart by their first bytes and not by their name; read whole or as they come.
//!
//! Bounds: [`FILE_BYTES_MAX`] of text, compressed or not, where a file is read whole; what would become longer is refused while it is being
//! decompressed. An .xz file may ask for at most 128 MiB of dictionary.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Cursor, ErrorKind, Read};
use std::path::{Path, PathBuf};

use ruzstd::decoding::{FrameDecoder, StreamingDecoder};
use thiserror::Error;

/// Longest text taken from one file: a thousand traced blocks.
pub const FILE_BYTES_MAX: u64 = 1 << 30;
/// Memory for decompressing .xz, KiB.
const XZ_MEMORY_KIB: u32 = 128 << 10;

/// Read from the disk, and decompressed, at once.
const BUFFER_BYTES: usize = 64 << 10;

const GZIP: &[u8] = &[0x1f, 0x8b];
const ZSTD: &[u8] = &[0x28, 0xb5, 0x2f, 0xfd];
const XZ: &[u8] = &[0xfd, b'7', b'z', b'X', b'Z', 0];

/// Why a file's text cannot be had.
#[derive(Debug, Error)]
pub enum TextFileError {
    /// The system does not give it.
    #[error("cannot read {}: {source}; {}", path.display(), crate::config::unreadable(source))]
    Read {
        /// Which.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// Compressed, and cut off or damaged.
    #[error("{}: the {format} data is cut off or damaged: {source}; fetch the file again", path.display())]
    Damaged {
        /// Which.
        path: PathBuf,
        /// How it is compressed.
        format: &'static str,
        /// What the decoder said.
        source: io::Error,
    },
    /// Longer than is looked at.
    #[error("{}: more than {FILE_BYTES_MAX} bytes of text; split it by lines", path.display())]
    TooLarge {
        /// Which.
        path: PathBuf,
    },
}

impl TextFileError {
    /// Its stable name.
    #[must_use]
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Read { .. } => "file-unreadable",
            Self::Damaged { .. } => "file-damaged",
            Self::TooLarge { .. } => "file-too-large",
        }
    }
}

/// The text of a file as it comes.
pub struct TextFile {
    path: PathBuf,
    /// How it is compressed, if it is.
    format: Option<&'static str>,
    reader: Box<dyn BufRead>,
}

impl TextFile {
    /// Opens a file, or standard input where the path is `-`.
    ///
    /// # Errors
    /// [`TextFileError`] with the path.
    pub fn open(path: &Path) -> Result<Self, TextFileError> {
        let failed = |source| TextFileError::Read { path: path.to_owned(), source };
        let mut raw: Box<dyn BufRead> = if path == Path::new("-") {
            Box::new(io::stdin().lock())
        } else {
            Box::new(BufReader::with_capacity(BUFFER_BYTES, File::open(path).map_err(failed)?))
        };
        let mut head = Vec::new();
        raw.by_ref().take(XZ.len() as u64).read_to_end(&mut head).map_err(failed)?;
        let (gzip, zstd, xz) = (head.starts_with(GZIP), head.starts_with(ZSTD), head.starts_with(XZ));
        let raw = Cursor::new(head).chain(raw);
        let buffered = |reader: Box<dyn Read>| Box::new(BufReader::with_capacity(BUFFER_BYTES, reader));
        let (format, reader): (_, Box<dyn BufRead>) = if gzip {
            (Some("gzip"), buffered(Box::new(flate2::bufread::MultiGzDecoder::new(raw))))
        } else if zstd {
            (Some("zstd"), buffered(Box::new(ZstdFrames::Between(raw))))
        } else if xz {
            (Some("xz"), buffered(Box::new(lzma_rust2::XzReader::new_mem_limit(raw, true, XZ_MEMORY_KIB))))
        } else {
            (None, Box::new(raw))
        };
        Ok(Self { path: path.to_owned(), format, reader })
    }

    /// Its text so far.
    pub fn text(&mut self) -> &mut dyn BufRead {
        &mut *self.reader
    }

    /// What a failure to read its text is.
    #[must_use]
    pub fn failed(&self, source: io::Error) -> TextFileError {
        let path = self.path.clone();
        match self.format {
            Some(format) => TextFileError::Damaged { path, format, source },
            None => TextFileError::Read { path, source },
        }
    }
}

/// The text of a file, or of standard input where the path is `-`.
///
/// # Errors
/// [`TextFileError`] with the path.
pub fn read(path: &Path) -> Result<Vec<u8>, TextFileError> {
    let mut file = TextFile::open(path)?;
    let mut text = Vec::new();
    match file.text().take(FILE_BYTES_MAX + 1).read_to_end(&mut text) {
        Ok(_) if text.len() as u64 > FILE_BYTES_MAX => Err(TextFileError::TooLarge { path: path.to_owned() }),
        Ok(_) => Ok(text),
        Err(source) => Err(file.failed(source)),
    }
}

/// One frame after the other: compressors that work in parallel write many.
enum ZstdFrames<R: Read> {
    /// Where a frame may begin.
    Between(R),
    Inside(Box<StreamingDecoder<R, FrameDecoder>>),
    /// At the end, or after damage.
    Ended,
}

impl<R: BufRead> Read for ZstdFrames<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let damaged = |error: &dyn std::fmt::Display| io::Error::new(ErrorKind::InvalidData, error.to_string());
        loop {
            *self = match std::mem::replace(self, Self::Ended) {
                Self::Ended => return Ok(0),
                Self::Between(mut source) => {
                    if source.fill_buf()?.is_empty() {
                        return Ok(0);
                    }
                    Self::Inside(Box::new(StreamingDecoder::new(source).map_err(|error| damaged(&error))?))
                }
                Self::Inside(mut frame) => match frame.read(buffer)? {
                    0 if !buffer.is_empty() => Self::Between(frame.into_inner()),
                    read => {
                        *self = Self::Inside(frame);
                        return Ok(read);
                    }
                },
            }
        }
    }
}

#[cfg(test)]
mod tests;

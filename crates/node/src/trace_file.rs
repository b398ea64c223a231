//! Files of traces: read whole, plain or compressed, told apart by their first bytes and not by their name.
//!
//! Bounds: [`FILE_BYTES_MAX`] of text, compressed or not; what would become longer is refused while it is being decompressed. An .xz
//! file may ask for at most 128 MiB of dictionary.

use std::fs::File;
use std::io::{self, ErrorKind, Read};
use std::path::{Path, PathBuf};

use thiserror::Error;

/// Longest text taken from one file: a thousand traced blocks.
pub const FILE_BYTES_MAX: u64 = 1 << 30;
/// Memory for decompressing .xz, KiB.
const XZ_MEMORY_KIB: u32 = 128 << 10;

const GZIP: &[u8] = &[0x1f, 0x8b];
const ZSTD: &[u8] = &[0x28, 0xb5, 0x2f, 0xfd];
const XZ: &[u8] = &[0xfd, b'7', b'z', b'X', b'Z', 0];

/// Why a file's text cannot be had.
#[derive(Debug, Error)]
pub enum TraceFileError {
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

impl TraceFileError {
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

/// The text of a file, or of standard input where the path is `-`.
///
/// # Errors
/// [`TraceFileError`] with the path.
pub fn read(path: &Path) -> Result<Vec<u8>, TraceFileError> {
    let failed = |source| TraceFileError::Read { path: path.to_owned(), source };
    let bytes = if path == Path::new("-") { bounded(io::stdin().lock()) } else { File::open(path).and_then(bounded) };
    text(path, bytes.map_err(failed)?.ok_or_else(|| TraceFileError::TooLarge { path: path.to_owned() })?)
}

/// The text behind a file's bytes.
fn text(path: &Path, bytes: Vec<u8>) -> Result<Vec<u8>, TraceFileError> {
    let (format, decompressed) = if bytes.starts_with(GZIP) {
        ("gzip", bounded(flate2::read::MultiGzDecoder::new(&*bytes)))
    } else if bytes.starts_with(ZSTD) {
        ("zstd", zstd(&bytes))
    } else if bytes.starts_with(XZ) {
        ("xz", bounded(lzma_rust2::XzReader::new_mem_limit(&*bytes, true, XZ_MEMORY_KIB)))
    } else {
        return Ok(bytes);
    };
    match decompressed {
        Ok(Some(text)) => Ok(text),
        Ok(None) => Err(TraceFileError::TooLarge { path: path.to_owned() }),
        Err(source) => Err(TraceFileError::Damaged { path: path.to_owned(), format, source }),
    }
}

/// Everything, or `None` when there is too much of it.
fn bounded(reader: impl Read) -> io::Result<Option<Vec<u8>>> {
    let mut bytes = Vec::new();
    reader.take(FILE_BYTES_MAX + 1).read_to_end(&mut bytes)?;
    Ok((bytes.len() as u64 <= FILE_BYTES_MAX).then_some(bytes))
}

/// One frame after the other: compressors that work in parallel write many.
fn zstd(mut bytes: &[u8]) -> io::Result<Option<Vec<u8>>> {
    let mut all = Vec::new();
    while !bytes.is_empty() {
        let damaged = |error: &dyn std::fmt::Display| io::Error::new(ErrorKind::InvalidData, error.to_string());
        let frame = ruzstd::decoding::StreamingDecoder::new(&mut bytes).map_err(|error| damaged(&error))?;
        let left = (FILE_BYTES_MAX + 1).saturating_sub(all.len() as u64);
        frame.take(left).read_to_end(&mut all)?;
        if all.len() as u64 > FILE_BYTES_MAX {
            return Ok(None);
        }
    }
    Ok(Some(all))
}

#[cfg(test)]
mod tests;

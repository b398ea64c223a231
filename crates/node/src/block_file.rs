//! Files of blocks: one block after the other.
//!
//! A file is a JSON object a line, or objects written over several lines, or a list of either. Where an object ends before it is whole, the next
//! one that begins a line is read all the same: what is cut off or no JSON costs its own line and nothing else. One that begins a line where a
//! value may stand is a part of the object around it, as in JSON without indentation, unless that one never becomes whole: then it is the next one after all.
//!
//! Blocks are proved and decoded on all cores, ahead of whoever takes them: two for each core, of less than [`AHEAD_BYTES`] together and one more
//! of at most [`BLOCK_BYTES_MAX`]. From standard input, where they may be long in coming, one at a time.

use std::collections::VecDeque;
use std::io::{self, BufRead as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use thiserror::Error;
use watchfire_detect::Interest;
use watchfire_detect::trace::{TraceFault, Traced, read_traces};
use watchfire_evm::{BlockFault, InOrder, TextBlock};

use crate::text_file::{TextFile, TextFileError};

/// Longest text of one block: a full mainnet block with its traces takes a quarter.
pub const BLOCK_BYTES_MAX: usize = 256 << 20;
/// Text of blocks that are read ahead, before another one is.
const AHEAD_BYTES: usize = 64 << 20;
/// Blocks that are read ahead, for each core.
const AHEAD_BLOCKS: usize = 2;

/// Why a part of a file is no block.
#[derive(Debug, Error)]
pub enum BlockFileError {
    /// The file cannot be read, or not to its end.
    #[error("{source}{}", after(*line))]
    File {
        /// Line up to which it was read; 0 where it was not opened.
        line: u64,
        /// Why.
        source: TextFileError,
    },
    /// A block that does not hold.
    #[error("{}: line {line}: {source}", path.display())]
    Block {
        /// File.
        path: PathBuf,
        /// Line where it begins.
        line: u64,
        /// What is wrong with it.
        source: BlockFault,
    },
    /// Traces beside a block that cannot be read; the block itself can.
    #[error("{}: line {line}: the traces beside the block: {source}", path.display())]
    Traces {
        /// File.
        path: PathBuf,
        /// Line where the block begins.
        line: u64,
        /// What is wrong with them, with its place within the block's text.
        source: TraceFault,
    },
    /// Something between the blocks.
    #[error(
        "{}: line {line}: no JSON object begins here; a line is {{\"block\": .., \"receipts\": [..]}}, take out what is none", path.display()
    )]
    Garbage {
        /// File.
        path: PathBuf,
        /// Line.
        line: u64,
    },
    /// More than is taken.
    #[error("{}: line {line}: more than {BLOCK_BYTES_MAX} bytes in one block; leave its traces out", path.display())]
    TooLong {
        /// File.
        path: PathBuf,
        /// Line where it begins.
        line: u64,
    },
    /// Nothing in it.
    #[error("{}: no block in it; fetch it again", path.display())]
    Empty {
        /// File.
        path: PathBuf,
    },
}

fn after(line: u64) -> String {
    if line == 0 { String::new() } else { format!(" (whole up to line {line})") }
}

impl BlockFileError {
    /// Its stable name.
    #[must_use]
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::File { source, .. } => source.kind(),
            Self::Block { source, .. } => source.kind(),
            Self::Traces { .. } => "bad-traces",
            Self::Garbage { .. } => "not-a-block",
            Self::TooLong { .. } => "block-too-large",
            Self::Empty { .. } => "no-blocks",
        }
    }
}

/// One block of a file.
#[derive(Debug)]
pub struct Part {
    /// Line where it begins.
    pub line: u64,
    /// The block.
    pub block: TextBlock,
    /// The calls inside its transactions, where they are wanted and there.
    pub traces: Option<Result<Vec<Traced>, BlockFileError>>,
}

/// What is made of a block's text.
#[derive(Clone)]
struct Reader {
    path: PathBuf,
    with_traces: bool,
    /// By whom a log has to be wanted; where nobody is named, all are.
    interests: Option<Arc<[Interest]>>,
}

impl Reader {
    fn read(&self, line: u64, text: &[u8]) -> Result<Part, BlockFileError> {
        let path = || self.path.clone();
        let wanted = |address: &_, topics: &[_]| {
            let concerns = |interest: &Interest| interest.concerns(address, topics);
            self.interests.as_ref().is_none_or(|interests| interests.iter().any(concerns))
        };
        let block =
            TextBlock::read(text, wanted).map_err(|source| BlockFileError::Block { path: path(), line, source })?;
        let traces = (self.with_traces && block.traced).then(|| {
            let mut traces = Vec::new();
            let read = read_traces::<TraceFault>(text, |traced| {
                traces.push(traced);
                Ok(())
            });
            read.map(|()| traces).map_err(|source| BlockFileError::Traces { path: path(), line, source })
        });
        Ok(Part { line, block, traces })
    }
}

/// A block's text with the line where it begins.
type Text = (u64, Vec<u8>);

/// The blocks of one file, each with the line where it begins.
pub struct BlockFile {
    file: TextFile,
    /// What was read and is to be read again, before the file goes on.
    again: io::Cursor<Vec<u8>>,
    line: u64,
    /// [`BLOCK_BYTES_MAX`].
    bytes_max: usize,
    reader: Arc<Reader>,
    ahead: InOrder<Result<Part, BlockFileError>>,
    /// Bytes of each text that is read ahead.
    lengths: VecDeque<usize>,
    /// How many are read ahead.
    ahead_max: usize,
    found: bool,
    ended: bool,
}

/// What stands between two blocks.
enum Between {
    Object,
    Garbage,
    End,
}

/// How an object was left.
enum Left {
    Whole(Vec<u8>),
    CutOff(usize),
    TooLong,
}

impl BlockFile {
    /// Opens a file, or standard input where the path is `-`.
    ///
    /// # Errors
    /// [`BlockFileError::File`].
    pub fn open(path: &Path) -> Result<Self, BlockFileError> {
        let file = TextFile::open(path).map_err(|source| BlockFileError::File { line: 0, source })?;
        let reader = Arc::new(Reader { path: path.to_owned(), with_traces: false, interests: None });
        let ahead = InOrder::new();
        let cores = InOrder::<Result<Part, BlockFileError>>::cores();
        let ahead_max = if path == Path::new("-") { 1 } else { AHEAD_BLOCKS * cores };
        let (lengths, found, ended) = (VecDeque::new(), false, false);
        let again = io::Cursor::default();
        Ok(Self { file, again, line: 1, bytes_max: BLOCK_BYTES_MAX, reader, ahead, lengths, ahead_max, found, ended })
    }

    /// The same, with the traces beside blocks if they are wanted.
    #[must_use]
    pub fn with_traces(mut self, wanted: bool) -> Self {
        Arc::make_mut(&mut self.reader).with_traces = wanted;
        self
    }

    /// The same with the logs alone that concern one of these; all are held against the header.
    #[must_use]
    pub fn concerning(mut self, interests: &Arc<[Interest]>) -> Self {
        Arc::make_mut(&mut self.reader).interests = Some(Arc::clone(interests));
        self
    }

    fn fill(&mut self) -> io::Result<&[u8]> {
        if self.again.fill_buf()?.is_empty() { self.file.text().fill_buf() } else { self.again.fill_buf() }
    }

    fn consume(&mut self, bytes: usize) {
        let again = self.again.fill_buf().map_or(0, <[u8]>::len);
        if again > 0 { self.again.consume(bytes) } else { self.file.text().consume(bytes) }
    }

    /// Goes to where the next object begins; a list's own brackets and commas are nothing.
    fn between(&mut self) -> io::Result<Between> {
        loop {
            let bytes = self.fill()?;
            let Some(first) = bytes.first().copied() else { return Ok(Between::End) };
            match first {
                b'{' => return Ok(Between::Object),
                b'\n' => self.line += 1,
                // A byte order mark is no garbage, wherever files were joined.
                b' ' | b'\t' | b'\r' | b',' | b'[' | b']' | 0xef | 0xbb | 0xbf => {}
                _ => {
                    self.skip_line()?;
                    return Ok(Between::Garbage);
                }
            }
            self.consume(1);
        }
    }

    /// Goes to the end of this line, which is left to be counted.
    fn skip_line(&mut self) -> io::Result<()> {
        loop {
            let bytes = self.fill()?;
            let length = bytes.len();
            let end = bytes.iter().position(|byte| *byte == b'\n');
            self.consume(end.unwrap_or(length));
            if end.is_some() || length == 0 {
                return Ok(());
            }
        }
    }

    /// Takes the object that begins here.
    fn object(&mut self) -> io::Result<Left> {
        let (mut scan, begun, bytes_max) = (Scan::default(), self.line, self.bytes_max);
        let (mut text, mut length) = (Vec::new(), 0);
        loop {
            let bytes = self.fill()?;
            let (taken, stop) = if bytes.is_empty() { (0, Some(Stop::Next)) } else { scan.over(bytes) };
            length += taken;
            // What may have to be read again is kept however long it is.
            if text.len() + taken == length && (length <= bytes_max || scan.inner.is_some()) {
                text.extend_from_slice(&bytes[..taken]);
            } else {
                text = Vec::new();
            }
            self.consume(taken);
            self.line = begun + scan.lines;
            let inner = scan.inner.filter(|_| text.len() == length);
            match (stop, inner) {
                (None, None) => {}
                (None, Some(_)) if length <= bytes_max => {}
                (None | Some(Stop::Next), Some(inner)) => return self.back_to(inner, begun, text),
                (Some(Stop::Next), None) => return Ok(Left::CutOff(length)),
                (Some(Stop::End), _) if length > bytes_max => return Ok(Left::TooLong),
                (Some(Stop::End), _) => return Ok(Left::Whole(text)),
            }
        }
    }

    /// Goes back to what seemed a part of the object that began in line `begun`.
    fn back_to(&mut self, inner: Inner, begun: u64, mut text: Vec<u8>) -> io::Result<Left> {
        let mut again = text.split_off(inner.bytes);
        again.extend_from_slice(self.again.fill_buf()?);
        self.again = io::Cursor::new(again);
        self.line = begun + inner.lines;
        Ok(Left::CutOff(inner.bytes))
    }

    fn text(&mut self) -> io::Result<Option<Result<Text, BlockFileError>>> {
        let found = self.between()?;
        let (path, line) = (self.reader.path.clone(), self.line);
        let text = match found {
            Between::End if self.found => return Ok(None),
            Between::End => Err(BlockFileError::Empty { path }),
            Between::Garbage => Err(BlockFileError::Garbage { path, line }),
            Between::Object => match self.object()? {
                Left::Whole(text) => Ok((line, text)),
                Left::CutOff(bytes) => Err(BlockFileError::Block { path, line, source: BlockFault::CutOff { bytes } }),
                Left::TooLong => Err(BlockFileError::TooLong { path, line }),
            },
        };
        self.found = true;
        Ok(Some(text))
    }

    /// Has the next block read, if there is one.
    fn read_ahead(&mut self) {
        let text = self.text().unwrap_or_else(|source| {
            self.ended = true;
            Some(Err(BlockFileError::File { line: self.line, source: self.file.failed(source) }))
        });
        self.ended |= matches!(text, None | Some(Err(BlockFileError::Empty { .. })));
        let Some(text) = text else { return };
        self.lengths.push_back(text.as_ref().map_or(0, |(_, text)| text.len()));
        let reader = Arc::clone(&self.reader);
        self.ahead.give(move || text.and_then(|(line, text)| reader.read(line, &text)));
    }
}

impl Iterator for BlockFile {
    type Item = Result<Part, BlockFileError>;

    fn next(&mut self) -> Option<Self::Item> {
        while !self.ended && self.ahead.given() < self.ahead_max && self.lengths.iter().sum::<usize>() < AHEAD_BYTES {
            self.read_ahead();
        }
        self.lengths.pop_front();
        self.ahead.take()
    }
}

/// Why a scan stopped.
enum Stop {
    /// The object is whole.
    End,
    /// It is none, and another one may begin a line here.
    Next,
}

/// The first object inside another one that begins a line.
#[derive(Clone, Copy)]
struct Inner {
    /// Bytes before it.
    bytes: usize,
    /// Line ends before it.
    lines: u64,
}

/// Where in an object a scan stands.
#[derive(Default)]
struct Scan {
    /// The brackets that are open.
    open: Vec<u8>,
    in_text: bool,
    escaped: bool,
    at_line: bool,
    /// The last byte outside of texts that is no space.
    last: u8,
    inner: Option<Inner>,
    /// Bytes passed before these.
    bytes: usize,
    /// Line ends passed.
    lines: u64,
}

impl Scan {
    /// Goes over these bytes; answers how many belong to the object.
    fn over(&mut self, bytes: &[u8]) -> (usize, Option<Stop>) {
        for (index, byte) in bytes.iter().enumerate() {
            let at_line = std::mem::replace(&mut self.at_line, *byte == b'\n');
            if at_line && *byte == b'{' {
                if !self.takes_value() {
                    return (index, Some(Stop::Next));
                }
                self.inner.get_or_insert(Inner { bytes: self.bytes + index, lines: self.lines });
            }
            self.lines += u64::from(*byte == b'\n');
            if self.in_text {
                match byte {
                    _ if self.escaped => self.escaped = false,
                    b'\\' => self.escaped = true,
                    b'"' => self.in_text = false,
                    _ => {}
                }
                continue;
            }
            if let Some(stop) = self.outside(*byte) {
                return (index + usize::from(matches!(stop, Stop::End)), Some(stop));
            }
        }
        self.bytes += bytes.len();
        (bytes.len(), None)
    }

    /// Takes a byte that stands in no text.
    fn outside(&mut self, byte: u8) -> Option<Stop> {
        match byte {
            b' ' | b'\t' | b'\r' | b'\n' => return None,
            b'"' => self.in_text = true,
            b'{' | b'[' => self.open.push(byte),
            b'}' | b']' => {
                let opened = self.open.pop();
                // Something else is closed than was opened; without an inner object that is for the parser to tell.
                if self.inner.is_some() && opened != Some(if byte == b'}' { b'{' } else { b'[' }) {
                    return Some(Stop::Next);
                }
                if self.open.is_empty() {
                    return Some(Stop::End);
                }
            }
            _ => {}
        }
        self.last = byte;
        None
    }

    /// Whether a value may begin here.
    fn takes_value(&self) -> bool {
        let in_list = self.open.last() == Some(&b'[');
        !self.in_text && (self.last == b':' || in_list && matches!(self.last, b'[' | b','))
    }
}

#[cfg(test)]
mod tests;

//! Lines of a limited length: what is longer is read past and never held.

use std::io::{self, BufRead};

/// The longest line that is held, in bytes.
pub(super) const MAX_LINE: usize = 1 << 16;

/// The lines of a reader, numbered from 1.
pub(super) struct Lines<R> {
    reader: R,
    number: u64,
}

/// A line without its end.
pub(super) struct Line<'b> {
    pub(super) number: u64,
    pub(super) bytes: &'b [u8],
    /// Whether it was longer than [`MAX_LINE`], and this is its beginning.
    pub(super) is_cut: bool,
}

impl<R: BufRead> Lines<R> {
    pub(super) fn new(reader: R) -> Self {
        Self { reader, number: 0 }
    }

    /// The next line, held in `buffer`; none at the end.
    pub(super) fn next<'b>(&mut self, buffer: &'b mut Vec<u8>) -> io::Result<Option<Line<'b>>> {
        buffer.clear();
        let (mut is_cut, mut any) = (false, false);
        loop {
            let chunk = match self.reader.fill_buf() {
                Ok(chunk) => chunk,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(error),
            };
            if chunk.is_empty() {
                break;
            }
            any = true;
            let end = chunk.iter().position(|byte| *byte == b'\n');
            let part = &chunk[..end.unwrap_or(chunk.len())];
            let room = MAX_LINE - buffer.len();
            is_cut |= part.len() > room;
            buffer.extend_from_slice(&part[..part.len().min(room)]);
            let used = end.map_or(chunk.len(), |end| end + 1);
            self.reader.consume(used);
            if end.is_some() {
                break;
            }
        }
        if !any {
            return Ok(None);
        }
        self.number += 1;
        let bytes = buffer.strip_suffix(b"\r").unwrap_or(buffer);
        Ok(Some(Line { number: self.number, bytes, is_cut }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_numbered_and_cut() {
        let text = [b"one\r\n\n".as_slice(), &vec![b'x'; MAX_LINE + 1], b"\nlast"].concat();
        for capacity in [1, 7, 1 << 20] {
            let mut lines = Lines::new(io::BufReader::with_capacity(capacity, text.as_slice()));
            let mut buffer = vec![];
            let mut seen = vec![];
            while let Some(line) = lines.next(&mut buffer).unwrap() {
                seen.push((line.number, line.bytes.len(), line.is_cut));
            }
            assert_eq!(seen, [(1, 3, false), (2, 0, false), (3, MAX_LINE, true), (4, 4, false)]);
        }
    }
}

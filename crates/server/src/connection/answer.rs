//! Answering from the input buffer, without a copy of what has been received.
//!
//! A handler that only looks at what came in need not copy it to memory of its own first, which it
//! would have to keep on its stack for as long as the connection is open. What it deliberately does
//! not do: wait. It shows what is there.

use std::io::{self, Write};
use std::mem;

use super::Connection;
use crate::waiting::Waiting;

/// Where [`Connection::answer`] writes to.
#[derive(Debug)]
pub struct Answer<'a>(&'a mut Connection);

impl Connection {
    /// Shows `make` what has been received and not yet read, with a way to write, and takes as much
    /// of it as `make` says. When there is nothing it waits for something first; an empty slice is
    /// the end of the input.
    ///
    /// Shorter than [`read`](io::Read::read) and [`write_all`](Write::write_all), and the bytes are
    /// not copied in between:
    ///
    /// ```
    /// use std::io::{self, Write};
    /// use switchboard::Connection;
    ///
    /// fn echo(connection: &mut Connection) -> io::Result<()> {
    ///     while connection.next_request()? {
    ///         connection.answer(|bytes, out| out.write_all(bytes).map(|()| bytes.len()))?;
    ///     }
    ///     Ok(())
    /// }
    /// # let _service: &dyn switchboard::Service = &echo;
    /// ```
    ///
    /// # Errors
    /// As reading; what `make` answers, and then nothing is taken.
    #[inline(always)]
    pub fn answer(
        &mut self,
        make: impl FnOnce(&[u8], &mut Answer<'_>) -> io::Result<usize>,
    ) -> io::Result<usize> {
        if self.input.is_empty() {
            self.refill(Waiting::Reading)?;
        }
        // Out of the connection meanwhile, which is written to; if `make` panics, it is gone.
        let (position, end) = (self.input.position, self.input.end);
        self.input.position = end;
        let Some(lent) = self.input.lent.take() else {
            return self.answer_own(position, end, make);
        };
        let made = make(&lent[position..end], &mut Answer(self));
        // Nothing was put there meanwhile. Saying so saves looking.
        mem::forget(self.input.lent.replace(lent));
        let taken = made?;
        self.input.position = position + taken.min(end - position);
        Ok(taken)
    }

    /// Shows `make` the next line, its end (`\n`) included, with a way to write, and takes it.
    /// Waits for the line if it has not come; answers its bytes, zero at the end of the input, and
    /// then `make` is not called. The last line may lack its end.
    ///
    /// Shorter than [`read_line`](Connection::read_line) and [`write_all`](Write::write_all), and
    /// the bytes, which need not be UTF-8, are not copied in between:
    ///
    /// ```
    /// use std::io::{self, Write};
    /// use switchboard::Connection;
    ///
    /// fn lines(connection: &mut Connection) -> io::Result<()> {
    ///     while connection.next_request()? {
    ///         connection.answer_line(|line, out| out.write_all(line))?;
    ///     }
    ///     Ok(())
    /// }
    /// # let _service: &dyn switchboard::Service = &lines;
    /// ```
    ///
    /// # Errors
    /// `InvalidData` for a line of more than [`limit_line`](crate::Guards::limit_line); otherwise
    /// as reading, and what `make` answers.
    #[inline(always)]
    pub fn answer_line(
        &mut self,
        make: impl FnOnce(&[u8], &mut Answer<'_>) -> io::Result<()>,
    ) -> io::Result<usize> {
        if self.input.is_empty() {
            self.refill(Waiting::Reading)?;
        }
        let count = self.whole_line().map_or(0, <[u8]>::len);
        if count > 0
            && let Some(lent) = self.input.lent.take()
        {
            let position = self.input.position;
            self.input.position = position + count;
            let made = make(&lent[position..position + count], &mut Answer(self));
            // As above.
            mem::forget(self.input.lent.replace(lent));
            return made.map(|()| count);
        }
        let line = self.line_in_parts()?;
        if line.is_empty() {
            return Ok(0);
        }
        make(&line, &mut Answer(self)).map(|()| line.len())
    }

    /// The next line, wherever it is and whenever it comes.
    #[inline(never)]
    fn line_in_parts(&mut self) -> io::Result<Vec<u8>> {
        let mut line = Vec::new();
        self.read_line_bytes(&mut line)?;
        Ok(line)
    }

    /// The same as [`answer`](Self::answer) of a message or a datagram.
    #[inline(never)]
    fn answer_own(
        &mut self,
        position: usize,
        end: usize,
        make: impl FnOnce(&[u8], &mut Answer<'_>) -> io::Result<usize>,
    ) -> io::Result<usize> {
        let own = mem::take(&mut self.input.own);
        // What was lent is gone if `make` has panicked.
        let made = make(own.get(position..end).unwrap_or_default(), &mut Answer(self));
        self.input.own = own;
        let taken = made?;
        self.input.position = position + taken.min(end - position);
        Ok(taken)
    }
}

impl Write for Answer<'_> {
    #[inline]
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.write(bytes)
    }

    #[inline]
    fn write_all(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.0.write_all(bytes)
    }

    #[inline]
    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

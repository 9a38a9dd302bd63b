//! Writing a body while it is sent.

use crate::context::Context;
use std::io::{self, BufWriter, ErrorKind, Write};
use std::time::Duration;

/// Who reads an answer.
pub(crate) trait Client: Write {
    /// Lets time pass.
    ///
    /// Errors: the client has gone.
    fn sleep(&mut self, time: Duration) -> io::Result<()>;
}

/// Where a [`Body::stream`](super::Body::stream) is written to. What is written is
/// collected until there are some KiB of it; [`flush`](Write::flush) pushes it to
/// the client. Writing fails once the client has gone, and waits while it is slow.
pub struct BodyWriter<'a> {
    client: BufWriter<&'a mut dyn Client>,
    context: Context<'a>,
}

impl<'a> BodyWriter<'a> {
    pub(crate) fn new(client: &'a mut dyn Client, context: Context<'a>) -> Self {
        BodyWriter {
            client: BufWriter::new(client),
            context,
        }
    }

    /// The context of the call, which goes on for as long as the body is written.
    pub fn context(&self) -> Context<'a> {
        self.context
    }

    /// Pushes a server-sent event to the client. Without a name, `""`, it is a
    /// `message`. The data may have many lines.
    ///
    /// Errors: the name has a line break; those of writing.
    pub fn event(&mut self, name: &str, data: &str) -> io::Result<()> {
        if name.contains(['\r', '\n']) {
            let text = "the name of an event is one line";
            return Err(io::Error::new(ErrorKind::InvalidInput, text));
        }
        if !name.is_empty() {
            writeln!(self, "event: {name}")?;
        }
        self.lines("data", data)
    }

    /// Pushes a comment to the client of an event stream. Clients ignore it; it
    /// keeps the connection open, and shows whether there still is one.
    ///
    /// Errors: those of writing.
    pub fn comment(&mut self, text: &str) -> io::Result<()> {
        self.lines("", text)
    }

    fn lines(&mut self, field: &str, text: &str) -> io::Result<()> {
        // A lone CR ends a line of an event stream as well.
        let text = text.replace("\r\n", "\n");
        for line in text.split(['\r', '\n']) {
            writeln!(self, "{field}: {line}")?;
        }
        writeln!(self)?;
        self.flush()
    }

    /// Pushes what is written to the client, and waits. The time counts towards the
    /// limit of the call.
    ///
    /// Errors: those of writing.
    pub fn sleep(&mut self, time: Duration) -> io::Result<()> {
        self.flush()?;
        self.client.get_mut().sleep(time)
    }
}

impl Write for BodyWriter<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.client.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.client.flush()
    }
}

impl std::fmt::Debug for BodyWriter<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("BodyWriter").finish_non_exhaustive()
    }
}

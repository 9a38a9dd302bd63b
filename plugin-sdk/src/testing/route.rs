//! A request to a route, and a client that reads the answer.

use super::{Fake, Harness};
use crate::context::{Context, Imports, no_submission};
use crate::routes::{
    self, BodyWriter, Client, Content, FetchError, IncomingBody, SubmitError, Submitted,
};
use crate::{DatabaseError, Routes, Rows, SolveError, Standing, Value};
use std::io::{self, ErrorKind, Write};
use std::rc::Rc;
use std::time::Duration;

type Submit = dyn Fn(&str) -> Result<Submitted, SubmitError>;
type Outbound = dyn Fn(http::Request<Vec<u8>>) -> Result<http::Response<Vec<u8>>, FetchError>;

/// What only a route may use.
pub(super) struct RouteFake {
    standings: Vec<Standing>,
    submit: Box<Submit>,
    outbound: Rc<Outbound>,
    patience: Duration,
}

impl Default for RouteFake {
    fn default() -> Self {
        RouteFake {
            standings: Vec::new(),
            submit: Box::new(|_| {
                Err(SubmitError::Unavailable(
                    "the test takes no submissions".into(),
                ))
            }),
            outbound: Rc::new(|_| Err(FetchError::Denied)),
            patience: Duration::from_secs(60),
        }
    }
}

impl<C: Routes> Harness<C> {
    /// Sets the standings that a route sees, the best first.
    #[must_use]
    pub fn standings(mut self, standings: Vec<Standing>) -> Self {
        self.route.standings = standings;
        self
    }

    /// Sets what comes of a submission by a route.
    #[must_use]
    pub fn submissions(
        mut self,
        submit: impl Fn(&str) -> Result<Submitted, SubmitError> + 'static,
    ) -> Self {
        self.route.submit = Box::new(submit);
        self
    }

    /// Sets what is answered to requests of the challenge's own
    /// ([`fetch`](crate::routes::fetch)). By default they are denied.
    #[must_use]
    pub fn outbound(
        mut self,
        answer: impl Fn(http::Request<Vec<u8>>) -> Result<http::Response<Vec<u8>>, FetchError> + 'static,
    ) -> Self {
        self.route.outbound = Rc::new(answer);
        self
    }

    /// Sets how long the client stays while a stream sleeps, a minute by default.
    /// Nobody waits for it: [`BodyWriter::sleep`] returns at once in a test, and
    /// fails when the time is over.
    #[must_use]
    pub fn patience(mut self, patience: Duration) -> Self {
        self.route.patience = patience;
        self
    }

    /// Has a route answer a request, as it comes from the host: the path below
    /// `/challenges/{slug}`, and the headers that the host sets, if it does. An
    /// error is answered as the problem that a client would get; a stream is
    /// answered up to where it ends, fails or the client leaves.
    pub fn request(&self, request: http::Request<Vec<u8>>) -> http::Response<Vec<u8>> {
        let imports = OfRoute(&self.imports, &self.route);
        let context = Context::new(self.seed, self.now, &imports);
        let request = request.map(IncomingBody::from);
        routes::with_outbound(&self.route.outbound, || {
            let response = routes::answer::<C>(&self.settings, &context, request);
            response.map(|body| match body.into_content() {
                Content::Bytes(bytes) => bytes,
                Content::Stream(write) => {
                    let mut reader = Reader {
                        read: Vec::new(),
                        patience: self.route.patience,
                    };
                    let mut writer = BodyWriter::new(&mut reader, context);
                    // The client of a component sees what came before the error too.
                    let _ = write(&mut writer).and_then(|()| writer.flush());
                    drop(writer);
                    reader.read
                }
            })
        })
    }
}

/// The imports of a route.
struct OfRoute<'a>(&'a Fake, &'a RouteFake);

impl Imports for OfRoute<'_> {
    fn solve(&self, _: &str) -> Result<String, SolveError> {
        Err(no_submission())
    }

    fn execute(&self, sql: &str, parameters: &[Value]) -> Result<u64, DatabaseError> {
        self.0.execute(sql, parameters)
    }

    fn query(&self, sql: &str, parameters: &[Value]) -> Result<Rows, DatabaseError> {
        self.0.query(sql, parameters)
    }

    fn standings(&self) -> Vec<Standing> {
        self.1.standings.clone()
    }

    fn submit(&self, artifact: &str) -> Result<Submitted, SubmitError> {
        (self.1.submit)(artifact)
    }
}

/// A client that reads until it has waited for too long.
struct Reader {
    read: Vec<u8>,
    patience: Duration,
}

impl Write for Reader {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.read.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Client for Reader {
    fn sleep(&mut self, time: Duration) -> io::Result<()> {
        match self.patience.checked_sub(time) {
            Some(left) => {
                self.patience = left;
                Ok(())
            }
            None => Err(ErrorKind::BrokenPipe.into()),
        }
    }
}

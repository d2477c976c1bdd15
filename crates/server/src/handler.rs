//! What you write: a handler, and the service that makes one for each connection.
//!
//! The words and the order are socketserver's: `setup`, `handle`, `finish`. Nothing here names an
//! engine, and nothing in a handler should: it reads, thinks and writes, and blocks its caller.

use std::io;

use socket::{SockAddr, Socket};

use crate::connection::Connection;

/// What happens to one connection, or to one datagram.
///
/// ```
/// use std::io::{self, Write};
/// use switchboard::{Connection, Handler};
///
/// struct Count {
///     lines: u32,
/// }
///
/// impl Handler for Count {
///     fn handle(&mut self, connection: &mut Connection) -> io::Result<()> {
///         let mut line = String::new();
///         while connection.read_line(&mut line)? > 0 {
///             self.lines += 1;
///             line.clear();
///         }
///         Ok(())
///     }
///
///     fn finish(&mut self, connection: &mut Connection) -> io::Result<()> {
///         writeln!(connection, "{} lines", self.lines)
///     }
/// }
/// # let _service = switchboard::per_connection(|| Count { lines: 0 });
/// ```
pub trait Handler: Send {
    /// Comes first. When it fails, neither `handle` nor `finish` runs.
    ///
    /// # Errors
    /// End the connection; the error becomes the reason in its [`Closed`](crate::Event) event.
    fn setup(&mut self, connection: &mut Connection) -> io::Result<()> {
        let _ = connection;
        Ok(())
    }

    /// Does the work. When it returns, the connection is flushed and closed.
    ///
    /// # Errors
    /// As for [`setup`](Handler::setup). An error of the connection itself may simply be passed on.
    fn handle(&mut self, connection: &mut Connection) -> io::Result<()>;

    /// Comes last, whether `handle` succeeded, failed or panicked.
    ///
    /// # Errors
    /// As for [`setup`](Handler::setup), if `handle` had none.
    fn finish(&mut self, connection: &mut Connection) -> io::Result<()> {
        let _ = connection;
        Ok(())
    }
}

/// What a listener serves. A closure over a [`Connection`] is a service; so is what
/// [`per_connection`] makes of a function that makes handlers.
///
/// Besides [`handler`](Service::handler) everything has a default. In the order in which a server
/// calls them, for one listener and one request:
///
/// ```text
///   bind ──► server_bind ──► server_activate                              server_close
///   each turn of the accept loop ──► service_actions
///   get_request ──► verify_request ──► handler: setup, handle, finish
///       ──► handle_error (if it failed) ──► shutdown_request ──► close_request
/// ```
/// A hook that panics closes the connection it was about, at most.
pub trait Service: Send + Sync + 'static {
    /// Makes the handler of one connection.
    fn handler(&self) -> Box<dyn Handler + '_>;

    /// Makes the handler of one connection, if those of this service go [request by
    /// request](Requests): then [`handler`](Service::handler) is not asked for one, except for a
    /// datagram. The same service, so it should do the same.
    fn requests(&self) -> Option<Box<dyn Requests>> {
        None
    }

    /// Its name in events, errors and thread names.
    fn name(&self) -> &str {
        "service"
    }

    /// Comes before the socket is bound: the place to set options. Not for a socket that was bound
    /// by somebody else.
    ///
    /// # Errors
    /// End the binding; the socket is closed.
    fn server_bind(&self, socket: &Socket) -> io::Result<()> {
        let _ = socket;
        Ok(())
    }

    /// Comes when the socket is bound and before it listens.
    ///
    /// # Errors
    /// As for [`server_bind`](Service::server_bind).
    fn server_activate(&self, socket: &Socket) -> io::Result<()> {
        let _ = socket;
        Ok(())
    }

    /// Comes before the first request, in the process that serves, if requests will run in
    /// processes of their own: with [`Engine::Processes`](crate::Engine::Processes) and with
    /// [`with_prefork`](crate::Server::with_prefork). What handlers change is then theirs alone; a
    /// service whose connections have to meet starts here what they meet at.
    ///
    /// # Errors
    /// End the serving before it begins.
    fn serve_apart(&self) -> io::Result<()> {
        Ok(())
    }

    /// Comes when the listener is closed and the last request is done, and after a failed
    /// binding.
    fn server_close(&self) {}

    /// Comes after each turn of the accept loop: when something was accepted, when a connection
    /// made room, and at least once in every
    /// [`poll_interval`](crate::Server::with_poll_interval) if there is one. It runs between two
    /// accepts, so it should be quick. A server with several accept loops calls it from each.
    fn service_actions(&self) {}

    /// Told that [`handle_request`](crate::Server::handle_request) has waited in vain.
    fn handle_timeout(&self) {}

    /// Takes a waiting connection from the listener. Not called for datagrams, which the server
    /// receives itself. It must not wait: the listener does not, so a plain accept is right.
    ///
    /// # Errors
    /// As [`Socket::accept`]; `WouldBlock` when none waits after all. What is not a shortage ends
    /// this one attempt, and is told.
    fn get_request(&self, listener: &Socket) -> io::Result<(Socket, SockAddr)> {
        listener.accept()
    }

    /// Whether the connection is to be handled at all. A refused one is closed at once.
    fn verify_request(&self, connection: &Connection) -> bool {
        let _ = connection;
        true
    }

    /// Told of an error that came out of a handler, before the connection is closed. A panic
    /// arrives here too, as an error of kind `Other`.
    fn handle_error(&self, connection: &Connection, error: &io::Error) {
        let _ = (connection, error);
    }

    /// Says to the peer that no more will come, after all of it was sent. By default it closes the
    /// sending half; a datagram has none.
    fn shutdown_request(&self, connection: &Connection) {
        connection.finish_sending();
    }

    /// Comes last: the connection is closed right after.
    fn close_request(&self, connection: &Connection) {
        let _ = connection;
    }
}

impl<F> Service for F
where
    F: Fn(&mut Connection) -> io::Result<()> + Send + Sync + 'static,
{
    fn handler(&self) -> Box<dyn Handler + '_> {
        Box::new(Shared(self))
    }
}

/// A boxed service is one too, so that services can stand in a list.
impl Service for Box<dyn Service> {
    fn handler(&self) -> Box<dyn Handler + '_> {
        (**self).handler()
    }

    fn requests(&self) -> Option<Box<dyn Requests>> {
        (**self).requests()
    }

    fn name(&self) -> &str {
        (**self).name()
    }

    fn server_bind(&self, socket: &Socket) -> io::Result<()> {
        (**self).server_bind(socket)
    }

    fn server_activate(&self, socket: &Socket) -> io::Result<()> {
        (**self).server_activate(socket)
    }

    fn serve_apart(&self) -> io::Result<()> {
        (**self).serve_apart()
    }

    fn server_close(&self) {
        (**self).server_close();
    }

    fn service_actions(&self) {
        (**self).service_actions();
    }

    fn handle_timeout(&self) {
        (**self).handle_timeout();
    }

    fn get_request(&self, listener: &Socket) -> io::Result<(Socket, SockAddr)> {
        (**self).get_request(listener)
    }

    fn verify_request(&self, connection: &Connection) -> bool {
        (**self).verify_request(connection)
    }

    fn handle_error(&self, connection: &Connection, error: &io::Error) {
        (**self).handle_error(connection, error);
    }

    fn shutdown_request(&self, connection: &Connection) {
        (**self).shutdown_request(connection);
    }

    fn close_request(&self, connection: &Connection) {
        (**self).close_request(connection);
    }
}

/// A service that makes a new handler for each connection, so that a handler can keep what it
/// knows of its connection in itself.
pub fn per_connection<H, F>(make: F) -> impl Service
where
    H: Handler + 'static,
    F: Fn() -> H + Send + Sync + 'static,
{
    Maker(make)
}

/// A service whose handlers go request by request: a new one for each connection.
///
/// ```
/// use std::io::{self, Write};
/// use switchboard::{Connection, Requests, per_request};
///
/// struct Count(u32);
///
/// impl Requests for Count {
///     fn request(&mut self, connection: &mut Connection) -> io::Result<bool> {
///         let mut line = String::new();
///         connection.read_line(&mut line)?;
///         self.0 += 1;
///         writeln!(connection, "{}: {}", self.0, line.trim_end())?;
///         Ok(true)
///     }
/// }
/// # let _service = per_request(|| Count(0));
/// ```
pub fn per_request<R, F>(make: F) -> impl Service
where
    R: Requests,
    F: Fn() -> R + Send + Sync + 'static,
{
    RequestMaker(make)
}

/// A handler that answers one request after the other and keeps what it knows between two of them
/// in itself. It is asked when a byte of a request is there, and never waits for one to begin; so
/// while its peer says nothing, the connection needs neither a stack nor a buffer, and an idle one
/// costs the coroutine engine half a kilobyte. On the other engines it is the loop one would
/// have written.
///
/// Within a request it blocks like any handler. What it waits for, sends and computes between two
/// requests is nothing: for a connection on which the server speaks on its own, there is
/// [`Handler`].
pub trait Requests: Send + 'static {
    /// Comes first, before anything has arrived. When it fails, nothing else is called.
    ///
    /// # Errors
    /// As for [`Handler::setup`].
    fn setup(&mut self, connection: &mut Connection) -> io::Result<()> {
        let _ = connection;
        Ok(())
    }

    /// Answers the request whose beginning is there, and says whether to wait for another. What it
    /// writes is sent when it has returned and no other request is there yet.
    ///
    /// # Errors
    /// As for [`Handler::handle`].
    fn request(&mut self, connection: &mut Connection) -> io::Result<bool>;

    /// Answers requests as long as they come: what the engine calls. Answers whether it would wait
    /// for another. There is no need to write it anew; it is a method so that the loop is compiled
    /// together with [`request`](Requests::request).
    ///
    /// # Errors
    /// As for [`request`](Requests::request).
    fn answer_all(&mut self, connection: &mut Connection) -> io::Result<bool> {
        while connection.has_request() || connection.wait_for_request()? {
            if !self.request(connection)? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Comes last, as [`Handler::finish`] does.
    ///
    /// # Errors
    /// As for [`Handler::finish`].
    fn finish(&mut self, connection: &mut Connection) -> io::Result<()> {
        let _ = connection;
        Ok(())
    }
}

/// One that goes request by request, as an engine without a better way runs it.
pub(crate) struct Each<R>(pub(crate) R);

impl<R: Requests> Handler for Each<R> {
    fn setup(&mut self, connection: &mut Connection) -> io::Result<()> {
        self.0.setup(connection)
    }

    fn handle(&mut self, connection: &mut Connection) -> io::Result<()> {
        self.0.answer_all(connection).map(drop)
    }

    fn finish(&mut self, connection: &mut Connection) -> io::Result<()> {
        self.0.finish(connection)
    }
}

impl Requests for Box<dyn Requests> {
    fn setup(&mut self, connection: &mut Connection) -> io::Result<()> {
        (**self).setup(connection)
    }

    fn request(&mut self, connection: &mut Connection) -> io::Result<bool> {
        (**self).request(connection)
    }

    fn answer_all(&mut self, connection: &mut Connection) -> io::Result<bool> {
        (**self).answer_all(connection)
    }

    fn finish(&mut self, connection: &mut Connection) -> io::Result<()> {
        (**self).finish(connection)
    }
}

struct RequestMaker<F>(F);

impl<R, F> Service for RequestMaker<F>
where
    R: Requests,
    F: Fn() -> R + Send + Sync + 'static,
{
    fn handler(&self) -> Box<dyn Handler + '_> {
        Box::new(Each((self.0)()))
    }

    fn requests(&self) -> Option<Box<dyn Requests>> {
        Some(Box::new((self.0)()))
    }
}

/// A closure that all connections share, seen as the handler of one.
struct Shared<'a, F>(&'a F);

impl<F> Handler for Shared<'_, F>
where
    F: Fn(&mut Connection) -> io::Result<()> + Sync,
{
    fn handle(&mut self, connection: &mut Connection) -> io::Result<()> {
        (self.0)(connection)
    }
}

struct Maker<F>(F);

impl<H, F> Service for Maker<F>
where
    H: Handler + 'static,
    F: Fn() -> H + Send + Sync + 'static,
{
    fn handler(&self) -> Box<dyn Handler + '_> {
        Box::new((self.0)())
    }
}

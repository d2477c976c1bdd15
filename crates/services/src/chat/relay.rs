//! Where members meet when each connection has a process of its own.
//!
//! ```text
//!   peer ◄──► handler, in its own process ◄──► hub: one more process, in which everybody meets
//!             carries bytes both ways           the same handlers as ever, on coroutines
//! ```
//! The hub listens on a Unix socket whose name the kernel chose, takes nobody but processes of the
//! same user, and ends with the server.
//!
//! A peer that does not read holds up its own process only. What the hub has for it then waits in
//! its queue there; when that is full the hub lets go of it. The process goes on with what was
//! under way until the peer's write deadline: the guards are those of the peer's own connection,
//! and the hub has none but the bound of that queue.

use std::io::{self, Read, Write};
use std::net::Shutdown;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use switchboard::socket::process::{Child, Fork};
use switchboard::socket::{Credentials, Deadline, Family, Type, UnixAddr};
use switchboard::{Connection, Engine, Guards, Handler, Server, Service, SockAddr, Socket};

use super::Chat;

/// How long the hub may take to end after its server.
const GRACE: Duration = Duration::from_secs(1);
/// Bytes carried at once.
const BUFFER_BYTES: usize = 8 * 1024;
/// SIGTERM, by its number on every Linux.
const SIGTERM: i32 = 15;

/// The hub's process.
pub(super) struct Relay {
    address: SockAddr,
    child: Mutex<Child>,
}

impl Relay {
    /// Starts the hub.
    pub(super) fn start() -> io::Result<Relay> {
        let listener = Socket::new(Family::UNIX, Type::STREAM, Default::default())?;
        listener.bind(&SockAddr::Unix(UnixAddr::Unnamed))?;
        listener.listen(4096)?;
        let address = listener.getsockname()?;
        let fork = Fork::new().with_stop_signals().with_socket(&listener);
        let child = fork.ending_with_parent(None, GRACE).run(move || serve(listener))?;
        Ok(Relay { address, child: Mutex::new(child) })
    }

    /// The handler of a peer: carries its bytes to the hub and back.
    pub(super) fn carry(&self) -> Carry {
        Carry { hub: self.address.clone() }
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        let child = self.child.get_mut().unwrap_or_else(PoisonError::into_inner);
        // One that is gone already cannot be ended, which is as well.
        let _ = child.kill(SIGTERM).and_then(|()| child.wait());
    }
}

/// The hub's life; its status when it ends.
fn serve(listener: Socket) -> i32 {
    let guards = Guards {
        deadline_first_byte: None,
        deadline_idle: None,
        deadline_write: None,
        grace: GRACE,
        ..Guards::default()
    };
    let server = Server::new().with_engine(Engine::Coroutines).with_workers(1);
    let mut server = server.with_guards(guards).with_events(|_| {});
    let served = server.bind_socket(listener, Meeting(Chat::default()));
    match served.and_then(Server::serve_forever) {
        Ok(()) => 0,
        Err(_) => 1,
    }
}

/// Chat, for processes of the same user only.
struct Meeting(Chat);

impl Service for Meeting {
    fn handler(&self) -> Box<dyn Handler + '_> {
        self.0.handler()
    }

    fn verify_request(&self, connection: &Connection) -> bool {
        connection.peer_credentials().is_ok_and(|peer| peer.uid == Credentials::current().uid)
    }
}

/// See [`Relay::carry`].
pub(super) struct Carry {
    hub: SockAddr,
}

impl Handler for Carry {
    fn setup(&mut self, connection: &mut Connection) -> io::Result<()> {
        super::prepare(connection)
    }

    fn handle(&mut self, connection: &mut Connection) -> io::Result<()> {
        let hub = Socket::new(Family::UNIX, Type::STREAM, Default::default())?;
        hub.connect_by(&self.hub, Deadline::After(GRACE))?;
        let (hub, writer) = (Arc::new(hub), connection.writer()?);
        let (from, peer) = (Arc::clone(&hub), connection.socket().try_clone()?);
        connection.spawn(move || {
            let mut buffer = [0; BUFFER_BYTES];
            loop {
                match from.recv(&mut buffer)? {
                    0 => break,
                    count => writer.send(&buffer[..count])?,
                }
            }
            // The hub has said goodbye: the handler sees the end of its input.
            let _ = peer.shutdown(Shutdown::Read);
            Ok(())
        })?;
        let carried = carry(connection, &hub);
        // Also for a peer that broke off, or the hub would wait for it, and the one beside for the
        // hub. What the hub still has to say, it says to the one beside.
        let _ = hub.shutdown(Shutdown::Write);
        carried
    }
}

/// Carries what the peer says to the hub, until one of them has gone.
fn carry(connection: &mut Connection, hub: &Socket) -> io::Result<()> {
    let mut buffer = [0; BUFFER_BYTES];
    while connection.next_request()? {
        let count = connection.read(&mut buffer)?;
        connection.set_deadline_idle(None);
        if { hub }.write_all(&buffer[..count]).is_err() {
            break;
        }
    }
    Ok(())
}

//! A service's hooks run where socketserver has them, on every engine; one that fails or panics
//! takes nothing with it but what it was about.

mod support;

use std::io;
use std::time::Duration;

use support::{Client, Notes, ask, on_every_engine, read_all, serve};
use switchboard::{
    Connection, Engine, Guards, Handler, Server, Service, SockAddr, Socket, per_connection,
};

on_every_engine! {
    the_whole_order
    an_error_is_handled_before_the_end
    a_refused_request_is_shut_down_and_closed
    a_failed_get_request_is_passed_over
    hooks_that_panic_are_survived
    actions_come_with_every_turn
    actions_come_while_nothing_happens
    options_are_set_before_the_binding
}

/// Notes what is called, and fails or panics where it is told to.
struct Noting {
    notes: Notes,
    fail: &'static str,
    panic: &'static str,
}

impl Noting {
    fn new(notes: &Notes, fail: &'static str) -> Noting {
        Noting { notes: notes.clone(), fail, panic: "" }
    }

    fn step(&self, name: &str) -> io::Result<()> {
        self.notes.add(name);
        assert!(self.panic != name, "told to panic");
        match self.fail == name {
            true => Err(io::Error::other("told to fail")),
            false => Ok(()),
        }
    }
}

struct Steps<'a>(&'a Noting);

impl Handler for Steps<'_> {
    fn setup(&mut self, _: &mut Connection) -> io::Result<()> {
        self.0.step("setup")
    }

    fn handle(&mut self, connection: &mut Connection) -> io::Result<()> {
        self.0.step("handle")?;
        connection.reply(b"hi")
    }

    fn finish(&mut self, _: &mut Connection) -> io::Result<()> {
        self.0.step("finish")
    }
}

impl Service for Noting {
    fn handler(&self) -> Box<dyn Handler + '_> {
        Box::new(Steps(self))
    }

    fn server_bind(&self, socket: &Socket) -> io::Result<()> {
        assert!(!socket.so_acceptconn()?);
        self.step("server_bind")
    }

    fn server_activate(&self, socket: &Socket) -> io::Result<()> {
        assert_ne!(socket.getsockname()?.port(), Some(0));
        assert!(!socket.so_acceptconn()?);
        self.step("server_activate")
    }

    fn server_close(&self) {
        let _ = self.step("server_close");
    }

    fn get_request(&self, listener: &Socket) -> io::Result<(Socket, SockAddr)> {
        let request = listener.accept()?;
        self.step("get_request")?;
        Ok(request)
    }

    fn verify_request(&self, _: &Connection) -> bool {
        self.step("verify_request").is_ok()
    }

    fn handle_error(&self, _: &Connection, error: &io::Error) {
        let _ = self.step(&format!("handle_error({error})"));
    }

    fn shutdown_request(&self, connection: &Connection) {
        let _ = self.step("shutdown_request");
        connection.finish_sending();
    }

    fn close_request(&self, _: &Connection) {
        let _ = self.step("close_request");
    }
}

/// What is noted of one client of this service, from the binding to the end.
fn noted(engine: Engine, service: Noting) -> (String, Vec<u8>) {
    let notes = service.notes.clone();
    let server = serve(engine, "127.0.0.1:0", Guards::default(), service);
    let answer = read_all(&server.client()).unwrap_or_default();
    server.stop().unwrap();
    (notes.read(), answer)
}

fn the_whole_order(engine: Engine) {
    let (notes, answer) = noted(engine, Noting::new(&Notes::new(), ""));
    assert_eq!(
        notes,
        "server_bind server_activate get_request verify_request setup handle finish \
         shutdown_request close_request server_close"
    );
    assert_eq!(answer, b"hi");
}

fn an_error_is_handled_before_the_end(engine: Engine) {
    let end = "handle_error(told to fail) shutdown_request close_request server_close";
    let rows = [("setup", "setup"), ("handle", "setup handle finish")];
    for (fail, steps) in rows {
        let (notes, _) = noted(engine, Noting::new(&Notes::new(), fail));
        assert!(notes.ends_with(&format!("verify_request {steps} {end}")), "{notes}");
    }
}

fn a_refused_request_is_shut_down_and_closed(engine: Engine) {
    let (notes, answer) = noted(engine, Noting::new(&Notes::new(), "verify_request"));
    let steps = "get_request verify_request shutdown_request close_request server_close";
    assert!(notes.ends_with(steps), "{notes}");
    assert_eq!(answer, b"");
}

fn a_failed_get_request_is_passed_over(engine: Engine) {
    let service = Noting::new(&Notes::new(), "get_request");
    let server = serve(engine, "127.0.0.1:0", Guards::default(), service);
    for count in 1..=3 {
        let _ = read_all(&server.client());
        server.until(|counters| counters.accept_failed == count);
    }
    server.until_told("AcceptFailed");
    assert_eq!(server.control.counters().opened, 0);
    server.stop().unwrap();
}

fn hooks_that_panic_are_survived(engine: Engine) {
    let hooks = ["get_request", "verify_request", "shutdown_request", "close_request"];
    for panic in hooks {
        let service = Noting { panic, ..Noting::new(&Notes::new(), "") };
        let server = serve(engine, "127.0.0.1:0", Guards::default(), service);
        for _ in 0..2 {
            let client = server.client();
            // Where the goodbye failed, closing says it.
            let _ = read_all(&client);
        }
        server.stop().unwrap();
    }
    let service = Noting { panic: "server_bind", ..Noting::new(&Notes::new(), "") };
    let error = Server::new().bind("127.0.0.1:0", service).unwrap_err();
    assert!(error.to_string().contains("told to panic"), "{error}");
}

/// Notes each action.
struct Acting(Notes);

impl Service for Acting {
    fn handler(&self) -> Box<dyn Handler + '_> {
        Box::new(Nothing)
    }

    fn service_actions(&self) {
        self.0.add("action");
        panic!("a panic here is survived too");
    }
}

struct Nothing;

impl Handler for Nothing {
    fn handle(&mut self, _: &mut Connection) -> io::Result<()> {
        Ok(())
    }
}

fn actions_come_with_every_turn(engine: Engine) {
    let notes = Notes::new();
    let server = serve(engine, "127.0.0.1:0", Guards::default(), Acting(notes.clone()));
    for count in 1..=3 {
        read_all(&server.client()).unwrap();
        notes.until(|notes| notes.matches("action").count() >= count);
    }
    server.stop().unwrap();
}

fn actions_come_while_nothing_happens(engine: Engine) {
    let notes = Notes::new();
    let mut server = Server::new()
        .with_engine(engine)
        .with_signals(false)
        .with_poll_interval(Some(Duration::from_millis(2)));
    server.bind("127.0.0.1:0", Acting(notes.clone())).unwrap();
    let control = server.control();
    let serving = std::thread::spawn(move || server.serve_forever());
    notes.until(|notes| notes.matches("action").count() >= 3);
    control.shutdown();
    serving.join().unwrap().unwrap();
}

/// Sets an option that only works before the binding.
struct Sharing;

impl Service for Sharing {
    fn handler(&self) -> Box<dyn Handler + '_> {
        Box::new(Nothing)
    }

    fn server_bind(&self, socket: &Socket) -> io::Result<()> {
        socket.set_so_reuseport(true)
    }
}

fn options_are_set_before_the_binding(engine: Engine) {
    let mut first = Server::new().with_engine(engine).with_signals(false);
    first.bind("127.0.0.1:0", Sharing).unwrap();
    let address = first.addresses().remove(0);
    let mut second = Server::new().with_engine(engine).with_allow_reuse_port(true);
    second.bind(&address, per_connection(|| Nothing)).unwrap();
    assert!(second.sockets().all(|socket| socket.so_reuseport().unwrap()));
    let error = Server::new().bind(&address, per_connection(|| Nothing)).unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::AddrInUse);
    drop(second);
    let control = first.control();
    let serving = std::thread::spawn(move || first.serve_forever());
    assert_eq!(ask(&Client::new(&address), "", 0), "");
    control.shutdown();
    serving.join().unwrap().unwrap();
}

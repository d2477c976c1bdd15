//! Engine × transport: the cells on which the promises of a server are kept, from one list of each.

use std::path::PathBuf;
use std::sync::atomic::AtomicU32;
use std::sync::atomic::Ordering::Relaxed;

use switchboard::{Engine, Guards, Server, Service};

use super::Serving;

/// The transports: what kind, and where a server binds. `PATH` becomes a path, `NAME` a name, that
/// nobody else has. A new one is one row here, and every suite runs on it.
macro_rules! transports {
    ([$($mount:tt)*] $what:tt) => {
        $($mount)*! { $what
            stream tcp_v4 = TcpV4 "tcp://127.0.0.1:0";
            stream tcp_v6 = TcpV6 "tcp://[::1]:0";
            stream unix_path = UnixPath "unix://PATH";
            stream unix_abstract = UnixAbstract "unix://@NAME";
            seqpacket unixseq_path = UnixSeqPath "unixseq://PATH";
            seqpacket unixseq_abstract = UnixSeqAbstract "unixseq://@NAME";
            datagram udp_v4 = UdpV4 "udp://127.0.0.1:0";
            datagram udp_v6 = UdpV6 "udp://[::1]:0";
            datagram unixgram_path = UnixGramPath "unixgram://PATH";
            datagram unixgram_abstract = UnixGramAbstract "unixgram://@NAME";
        }
    };
}

/// Mounts functions `fn(Cell)` as tests on every engine, those under `transports` on every
/// transport, under `connections` and `streams`, `messages` and
/// `datagrams` on those.
macro_rules! on_every {
    ($($want:ident { $($test:ident)* })*) => {
        $crate::support::engines! {
            [$crate::support::mount_cells] ($($want { $($test)* })*)
        }
    };
}

macro_rules! mount_cells {
    ($what:tt $($module:ident = $engine:ident)*) => {
        $(mod $module {
            $crate::support::transports! { [$crate::support::mount_transports] ($engine $what) }
        })*

        #[test]
        fn no_engine_is_left_out() {
            assert_eq!(switchboard::Engine::ALL, [$(switchboard::Engine::$engine),*]);
        }
    };
}

macro_rules! mount_transports {
    (
        ($engine:ident $what:tt)
        $($kind:ident $module:ident = $transport:ident $place:literal;)*
    ) => {
        $(mod $module {
            $crate::support::mount_wanted! { $kind $engine $transport $what }
        })*
    };
}

macro_rules! mount_wanted {
    ($kind:ident $engine:ident $transport:ident ($($want:ident $tests:tt)*)) => {
        $($crate::support::mount_if! { $want $kind $engine $transport $tests })*
    };
}

macro_rules! mount_if {
    (transports $kind:ident $($cell:tt)*) => { $crate::support::mount_if! { yes $($cell)* } };
    (connections stream $($cell:tt)*) => { $crate::support::mount_if! { yes $($cell)* } };
    (connections seqpacket $($cell:tt)*) => { $crate::support::mount_if! { yes $($cell)* } };
    (connections datagram $($cell:tt)*) => {};
    (streams stream $($cell:tt)*) => { $crate::support::mount_if! { yes $($cell)* } };
    (streams seqpacket $($cell:tt)*) => {};
    (streams datagram $($cell:tt)*) => {};
    (datagrams datagram $($cell:tt)*) => { $crate::support::mount_if! { yes $($cell)* } };
    (datagrams stream $($cell:tt)*) => {};
    (datagrams seqpacket $($cell:tt)*) => {};
    (messages seqpacket $($cell:tt)*) => { $crate::support::mount_if! { yes $($cell)* } };
    (messages stream $($cell:tt)*) => {};
    (messages datagram $($cell:tt)*) => {};
    (yes $engine:ident $transport:ident { $($test:ident)* }) => {
        $(#[test] fn $test() {
            let _watchdog = $crate::support::Watchdog::new();
            super::super::$test($crate::support::Cell {
                engine: switchboard::Engine::$engine,
                transport: $crate::support::Transport::$transport,
            });
        })*
    };
}

pub(crate) use {mount_cells, mount_if, mount_transports, mount_wanted, on_every, transports};

macro_rules! make_transports {
    (() $($kind:ident $module:ident = $transport:ident $place:literal;)*) => {
        /// What carries the bytes between a client and a server.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum Transport { $($transport,)* }

        impl Transport {
            pub const ALL: &[Transport] = &[$(Transport::$transport,)*];

            /// Its name, as in the names of tests.
            pub fn name(self) -> &'static str {
                match self { $(Transport::$transport => stringify!($module),)* }
            }

            /// `stream`, `seqpacket` or `datagram`.
            pub fn kind(self) -> &'static str {
                match self { $(Transport::$transport => stringify!($kind),)* }
            }

            fn pattern(self) -> &'static str {
                match self { $(Transport::$transport => $place,)* }
            }
        }
    };
}

transports! { [make_transports] () }

impl Transport {
    /// Whether it carries single datagrams.
    pub fn is_datagram(self) -> bool {
        self.kind() == "datagram"
    }

    /// Whether it keeps the bounds of messages, so that a message is sent whole or not at all.
    pub fn has_messages(self) -> bool {
        self.kind() != "stream"
    }

    /// Whether its peers have IP addresses.
    pub fn is_inet(self) -> bool {
        self.pattern().ends_with(":0")
    }

    /// An address of this kind that nobody else has.
    pub fn place(self) -> Place {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let number = COUNT.fetch_add(1, Relaxed);
        let name = format!("switchboard-{}-{}-{number}", self.name(), std::process::id());
        let path = std::env::temp_dir().join(&name);
        let text = self.pattern().replace("PATH", path.to_str().unwrap()).replace("NAME", &name);
        Place { path: self.pattern().contains("PATH").then_some(path), text }
    }
}

/// Where a server binds; a path there is removed when this is dropped.
pub struct Place {
    pub text: String,
    pub path: Option<PathBuf>,
}

impl Drop for Place {
    fn drop(&mut self) {
        if let Some(path) = &self.path {
            let _ = std::fs::remove_file(path);
        }
    }
}

/// One engine serving one transport.
#[derive(Debug, Clone, Copy)]
pub struct Cell {
    pub engine: Engine,
    pub transport: Transport,
}

impl Cell {
    /// A server of this engine, with room for many clients of one address.
    pub fn server(self) -> Server {
        self.guarded(Guards::default())
    }

    /// The same with other guards.
    pub fn guarded(self, guards: Guards) -> Server {
        let limit_per_address = guards.limit_per_address.or(Some(10_000));
        Server::new().with_engine(self.engine).with_guards(Guards { limit_per_address, ..guards })
    }

    /// Serves `service` at a new place.
    pub fn serve(self, service: impl Service) -> Serving {
        self.serve_by(self.server(), service)
    }

    /// The same with the settings of `server`.
    pub fn serve_by(self, server: Server, service: impl Service) -> Serving {
        let place = self.transport.place();
        let mut serving = Serving::start(server, |server| server.bind(&place.text, service));
        serving.place = Some(place);
        serving
    }

    /// Whether the engine has one connection at a time.
    pub fn is_serial(self) -> bool {
        self.engine.limit_connections() == 1
    }
}

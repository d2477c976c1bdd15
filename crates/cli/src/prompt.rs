//! `connect` and `chat` at a terminal: a line is edited and sent with its newline; what the peer
//! sends appears above the prompt, with everything made visible that could control the terminal.
//!
//! ```text
//!   this thread: prompt ─► send        the receiver: peer and signals ─► shows, or ends it all
//!        ▲                                   │
//!        └──────────── SIGINT ◄──────────────┘
//! ```
//! A prompt waits for keys and for nothing else, so that when the peer has closed, the receiver
//! wakes it with the one thing it also listens to: an interrupt. Only the prompt's thread touches
//! the modes of the terminal, which is therefore always put back as it was found.
//!
//! A text to be shown lies in a place for one, from which a prompt takes it when there are no keys.
//! A prompt that ends leaves it there for the next one, so the last prompt must be one that has
//! nothing to leave: when the input has ended there is an empty one, and it is woken when it has
//! taken what was last.
//!
//! An empty line sends nothing and prompts again (a message of no bytes is no message,
//! and waiting for its answer would never end).

use std::io::{self, Write};
use std::net::Shutdown;
use std::os::fd::AsFd;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::SeqCst};
use std::sync::{Arc, OnceLock};
use std::thread::JoinHandle;
use std::time::Duration;

use rustix::process::{Signal, getpid, kill_process};
use rustyline::error::ReadlineError;
use rustyline::{Config, DefaultEditor, ExternalPrinter, Prompt};
use switchboard::socket::signal::{StopSignals, stop_signals};
use switchboard::socket::{Interest, Poll, poll};
use switchboard::{Deadline, plain};

use crate::connect::Connected;
use crate::exit::{Exit, Failure, Result};
use crate::options::Global;
use crate::output::note;
use crate::pipe::{self, Bytes};
use crate::screen::Screen;

/// How long the beginning of a line waits for its end before it is shown as it is.
const LINE_WAIT: Duration = Duration::from_millis(50);

/// How often a prompt that may just be starting is woken again.
const WAKE_EVERY: Duration = Duration::from_millis(20);

/// How much is kept while there is no prompt: while a line is sent, or many were pasted.
const HELD_MAX: usize = 64 * 1024;

/// What is received at once.
const PIECE_BYTES: usize = 16 * 1024;

/// Shown above a prompt, it changes nothing: one line up and down again.
const NOTHING: &str = "\x1b[A\n";

/// What the two threads share.
struct Talk {
    connected: Connected,
    prompt: &'static str,
    signals: StopSignals,
    /// How the receiving ended, once it has and all of it is shown.
    ended: OnceLock<Result>,
    /// The number of the prompt that is up, so that what comes can be shown above it; or zero.
    prompted: AtomicU64,
    /// There is nobody to send to any more.
    over: AtomicBool,
    /// There is nothing to send any more.
    finished: AtomicBool,
    /// The last prompt is gone and needs no more waking.
    left: AtomicBool,
}

/// The prompt of this number, which says of itself that it is up: it is asked for its text when the
/// terminal has been made ready for it.
struct Numbered<'a> {
    text: &'a str,
    number: u64,
    prompted: &'a AtomicU64,
}

impl Prompt for Numbered<'_> {
    fn raw(&self) -> &str {
        self.prompted.store(self.number, SeqCst);
        self.text
    }
}

/// Talks until the peer has finished, or the user has. `prompt` stands before what is typed.
pub(crate) fn run(connected: Connected, prompt: &'static str, global: &Global) -> Result {
    let config = Config::builder().auto_add_history(true).bracketed_paste(false).build();
    let Ok(mut editor) = DefaultEditor::with_config(config) else {
        return pipe::run(connected, Bytes::Seen);
    };
    // A terminal that cannot move its cursor is used as it is.
    let Ok(printer) = editor.create_external_printer() else {
        return pipe::run(connected, Bytes::Seen);
    };
    if !global.quiet {
        note(&format!("connected to {connected}; Ctrl-D ends the input, Ctrl-C the program"));
    }
    let signals = stop_signals().map_err(|error| connected.failed("take signals for", &error))?;
    let talk = Arc::new(Talk {
        connected,
        prompt,
        signals,
        ended: OnceLock::new(),
        prompted: AtomicU64::new(0),
        over: AtomicBool::new(false),
        finished: AtomicBool::new(false),
        left: AtomicBool::new(false),
    });
    let receiver = {
        let talk = Arc::clone(&talk);
        let body = move || talk.receive_all(printer);
        std::thread::Builder::new().name("receive".into()).spawn(body)
    };
    let receiver = receiver.map_err(|error| talk.connected.failed("start", &error))?;
    let said = talk.send_all(&mut editor);
    drop(editor); // from here on the receiver writes to the terminal itself
    talk.finish(said, receiver)
}

/// Why the prompt ended.
enum Said {
    /// End of input.
    Everything,
    /// Ctrl-C, or the receiver's wake-up.
    Interrupted,
    /// A line that could not be sent, or a terminal that broke.
    Failed(Failure),
}

impl Talk {
    /// The prompts: sends line by line. Where there is nothing more to send, what still comes is
    /// shown above an empty one.
    fn send_all(self: &Arc<Talk>, editor: &mut DefaultEditor) -> Said {
        let mut failed = None;
        for number in 1.. {
            let finished = self.finished.load(SeqCst) || failed.is_some();
            let text = if finished { "" } else { self.prompt };
            let line = editor.readline(&Numbered { text, number, prompted: &self.prompted });
            self.prompted.store(0, SeqCst);
            let mut line = match line {
                Ok(line) => line,
                Err(ReadlineError::Eof) if finished => break,
                Err(ReadlineError::Eof) => {
                    self.finished.store(true, SeqCst);
                    self.finish_sending();
                    continue;
                }
                Err(ReadlineError::Interrupted) => {
                    if self.ended.get().is_some() {
                        // A prompt that nobody answers any more is taken back.
                        let _ = write!(io::stdout(), "\x1b[A\x1b[2K").and(io::stdout().flush());
                    }
                    return failed.map_or(Said::Interrupted, Said::Failed);
                }
                Err(error) => {
                    let why = format!("read from the terminal: {error}");
                    return Said::Failed(Failure::new(Exit::No, why));
                }
            };
            if finished || self.over.load(SeqCst) || line.trim().is_empty() {
                continue;
            }
            line.push('\n');
            if let Err(error) = self.connected.socket.send_all(line.as_bytes())
                && !self.over.load(SeqCst)
            {
                failed = Some(self.connected.failed("send to", &error));
                // The receiver ends, if it has not by itself.
                let _ = self.connected.socket.shutdown(Shutdown::Both);
            }
        }
        failed.map_or(Said::Everything, Said::Failed)
    }

    /// After the prompt: waits for what the peer still has to say, if it is to be heard.
    fn finish(self: Arc<Talk>, said: Said, receiver: JoinHandle<()>) -> Result {
        self.left.store(true, SeqCst);
        receiver.thread().unpark();
        let interrupted = match said {
            Said::Everything => false,
            Said::Interrupted => true,
            // The receiver knows better why the connection broke, if it has seen that too.
            Said::Failed(failure) => return self.outcome().unwrap_or(Ok(())).and(Err(failure)),
        };
        if interrupted {
            return self.outcome().unwrap_or(Err(Failure::quiet(Exit::Interrupted)));
        }
        receiver.join().expect("the receiver runs no code that panics");
        self.outcome().unwrap_or(Ok(()))
    }

    /// Closes the sending half. The wait for answers is the receiver's to end, by hearing the peer
    /// close or a signal.
    fn finish_sending(self: &Arc<Talk>) {
        let talk = Arc::clone(self);
        let waiting = std::thread::Builder::new().name("finish".into());
        // Without a thread there is no waiting: everything ends now.
        if waiting.spawn(move || talk.connected.finish_sending()).is_err() {
            let _ = self.connected.socket.shutdown(Shutdown::Both);
        }
    }

    /// How the receiving ended, if it has.
    fn outcome(&self) -> Option<Result> {
        self.ended.get().map(|ended| match ended {
            Ok(()) => Ok(()),
            Err(Failure { exit, message }) => {
                Err(Failure { exit: *exit, message: message.clone() })
            }
        })
    }

    /// The receiver: shows what comes, then ends everything.
    fn receive_all(&self, mut printer: impl ExternalPrinter) {
        let mut last = String::new();
        let ended = self.show_all(&mut printer, &mut last);
        self.over.store(true, SeqCst);
        // Wakes a send that the peer does not take.
        let _ = self.connected.socket.shutdown(Shutdown::Both);
        if ended.is_ok() && !self.finished.load(SeqCst) {
            last.push_str("closed by the peer\n");
        }
        self.show_last(&mut printer, &last);
        self.ended.set(ended).expect("there is one receiver");
        while !self.left.load(SeqCst) {
            // A process can always signal itself.
            let _ = kill_process(getpid(), Signal::INT);
            std::thread::park_timeout(WAKE_EVERY);
        }
    }

    /// Shows `last`, and returns when nothing of all that came is left to be shown: a text that has
    /// been handed over is shown before the next one can be, unless no prompt was up.
    fn show_last(&self, printer: &mut impl ExternalPrinter, last: &str) {
        let mut text = if last.is_empty() { NOTHING } else { last };
        loop {
            let prompt = self.prompted.load(SeqCst);
            if prompt == 0 && !self.left.load(SeqCst) {
                std::thread::park_timeout(WAKE_EVERY);
                continue;
            }
            self.print(printer, text);
            text = NOTHING;
            if prompt == 0 {
                return;
            }
            self.print(printer, text);
            if self.prompted.load(SeqCst) == prompt {
                return;
            }
        }
    }

    /// Shows what comes, whole lines where possible, until there is no more. What it has not shown
    /// then is in `line`.
    fn show_all(&self, printer: &mut impl ExternalPrinter, line: &mut String) -> Result {
        let mut screen = Screen::default();
        let mut room = vec![0; PIECE_BYTES];
        loop {
            let wait = if line.is_empty() { None } else { Some(LINE_WAIT) };
            let woken = self.wait(wait)?;
            match woken {
                Woken::Signal => {
                    return Err(Failure::quiet(Exit::of_signal(self.signals.signal())));
                }
                Woken::Peer => match self.connected.receive(&mut room, Deadline::Immediate)? {
                    Some(bytes) => line.push_str(&screen.show(bytes)),
                    None => break,
                },
                Woken::Nothing => {}
            }
            // Between two prompts it would overtake what the last one has not shown yet.
            let prompted = self.prompted.load(SeqCst) != 0;
            if prompted || self.left.load(SeqCst) || line.len() > HELD_MAX {
                let whole = line.rfind('\n').map_or(0, |end| end + 1);
                let end = if woken == Woken::Nothing { line.len() } else { whole };
                if end > 0 {
                    let rest = line.split_off(end);
                    self.print(printer, &std::mem::replace(line, rest));
                }
            }
        }
        line.push_str(&screen.end());
        Ok(())
    }

    fn wait(&self, wait: Option<Duration>) -> Result<Woken> {
        let peer = Poll::new(self.connected.socket.as_fd(), Interest::READ);
        let mut both = [peer, Poll::new(self.signals.asked(), Interest::READ)];
        poll(&mut both, wait.into())
            .map_err(|error| Failure::new(Exit::Receive, format!("poll: {}", plain(&error))))?;
        Ok(match (both[0].ready.read, both[1].ready.read) {
            (_, true) => Woken::Signal,
            (true, _) => Woken::Peer,
            _ => Woken::Nothing,
        })
    }

    /// Shows text above the prompt, or where the cursor is if there is none.
    fn print(&self, printer: &mut impl ExternalPrinter, text: &str) {
        if printer.print(text.to_owned()).is_err() {
            // A terminal that is gone shows nothing; the prompt finds out.
            let _ = io::stdout().write_all(text.as_bytes());
        }
    }
}

/// What a wait ended with.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Woken {
    Peer,
    Signal,
    Nothing,
}

//! People in one room hear each other, on every engine; whoever does not read delays nobody; and
//! nobody can play with another one's terminal.

mod support;

use std::io::{BufRead, BufReader, Read, Write};
use std::time::Duration;

use services::Settings;
use support::{Serving, watchdog};
use switchboard::{Engine, Guards, Server, Socket};

/// One end of a conversation, line by line.
struct Talker(BufReader<Socket>);

impl Talker {
    fn enter(serving: &Serving, name: &str) -> Talker {
        let mut talker = Talker(BufReader::new(serving.client()));
        assert_eq!(talker.hear(), "Welcome. Your name?");
        talker.say(name);
        let greeting = talker.hear();
        assert!(greeting.starts_with(&format!("* You are {name}, in lobby")), "{greeting}");
        talker
    }

    fn say(&mut self, line: &str) {
        self.0.get_mut().write_all(format!("{line}\n").as_bytes()).unwrap();
    }

    fn hear(&mut self) -> String {
        let mut line = String::new();
        self.0.read_line(&mut line).unwrap();
        assert!(line.ends_with('\n'), "the end, after {line:?}");
        line.trim_end().to_owned()
    }
}

fn chat(engine: Engine) -> Serving {
    chat_with(engine, Guards::default())
}

fn chat_with(engine: Engine, guards: Guards) -> Serving {
    let row = services::find("chat").unwrap();
    let service = (row.make)(&Settings::new(row.settings)).unwrap();
    let mut server = Server::new().with_engine(engine).with_guards(guards).with_signals(false);
    server.bind("tcp://127.0.0.1:0", service).unwrap();
    Serving::run(server)
}

/// Those that can have two members at once.
fn engines() -> impl Iterator<Item = Engine> {
    Engine::ALL.iter().copied().filter(|engine| engine.limit_connections() > 1)
}

#[test]
fn whoever_is_in_the_room_hears_it() {
    let _watchdog = watchdog();
    for engine in engines() {
        let serving = chat(engine);
        let mut ann = Talker::enter(&serving, "ann");
        let mut bob = Talker::enter(&serving, "bob");
        assert_eq!(ann.hear(), "* bob is here", "{engine}");
        ann.say("hello, bob");
        assert_eq!(bob.hear(), "ann: hello, bob");
        bob.say("/nick rob");
        assert_eq!(bob.hear(), "* You are rob.");
        assert_eq!(ann.hear(), "* bob is now rob");
        ann.say("/who");
        assert_eq!(ann.hear(), "* In lobby: ann, rob");
        bob.say("/join attic");
        assert_eq!(bob.hear(), "* You are rob, in attic, alone.");
        assert_eq!(ann.hear(), "* rob has left");
        ann.say("is anybody here?");
        ann.say("/join attic");
        assert_eq!(ann.hear(), "* You are ann, in attic, with rob.");
        assert_eq!(bob.hear(), "* ann is here");
        drop(ann);
        assert_eq!(bob.hear(), "* ann has left");
        let mut late = Talker::enter(&serving, "late");
        assert_eq!(late.hear(), "ann: hello, bob");
        assert_eq!(late.hear(), "ann: is anybody here?");
        late.say("/quit");
        assert_eq!(late.hear(), "* Goodbye.");
        drop((bob, late));
        serving.stop();
    }
}

#[test]
fn whoever_comes_late_is_shown_the_last_twenty_lines() {
    let _watchdog = watchdog();
    for engine in [Engine::Threads, Engine::Coroutines] {
        let serving = chat(engine);
        let (mut ann, mut bob) = (Talker::enter(&serving, "ann"), Talker::enter(&serving, "bob"));
        for number in 1..=25 {
            ann.say(&format!("line {number}"));
            // It has been said when somebody has heard it.
            assert_eq!(bob.hear(), format!("ann: line {number}"), "{engine}");
        }
        let mut late = Talker::enter(&serving, "late");
        for number in 6..=25 {
            assert_eq!(late.hear(), format!("ann: line {number}"), "{engine}");
        }
        ann.say("line 26");
        assert_eq!(late.hear(), "ann: line 26", "{engine}");
        drop((ann, bob, late));
        serving.stop();
    }
}

#[test]
fn a_name_is_one_persons() {
    let _watchdog = watchdog();
    for engine in engines() {
        let serving = chat(engine);
        let ann = Talker::enter(&serving, "ann");
        let mut other = Talker(BufReader::new(serving.client()));
        other.hear();
        other.say("ann");
        assert_eq!(other.hear(), "* ann is taken. Your name?");
        other.say("two words");
        assert_eq!(other.hear(), "* A name has 1 to 24 letters, digits, - or _. Your name?");
        other.say("bob");
        assert!(other.hear().starts_with("* You are bob, in lobby, with ann."));
        other.say("/nick ann");
        assert_eq!(other.hear(), "* ann is taken.");
        drop((ann, other));
        // A name is free again as soon as its connection is gone.
        let mut again = Talker(BufReader::new(serving.client()));
        again.hear();
        loop {
            again.say("ann");
            match again.hear() {
                taken if taken == "* ann is taken. Your name?" => std::thread::yield_now(),
                greeting => break assert!(greeting.starts_with("* You are ann"), "{greeting}"),
            }
        }
        drop(again);
        serving.stop();
    }
}

#[test]
fn control_characters_are_shown_and_not_sent() {
    let _watchdog = watchdog();
    let serving = chat(Engine::Coroutines);
    let (mut ann, mut bob) = (Talker::enter(&serving, "ann"), Talker::enter(&serving, "bob"));
    ann.hear();
    ann.say("\u{1b}[2J\u{7}gone");
    assert_eq!(bob.hear(), "ann: \\u{1b}[2J\\u{7}gone");
    ann.0.get_mut().write_all(b"\xff\xfe raw\r\n").unwrap();
    assert_eq!(bob.hear(), "ann: \u{fffd}\u{fffd} raw");
    drop((ann, bob));
    serving.stop();
}

/// Also before having a name, when it is nobody's leaving that the others hear of.
#[test]
fn whoever_breaks_off_is_gone() {
    let _watchdog = watchdog();
    for engine in Engine::ALL.iter().copied() {
        let serving = chat(engine);
        let mut nobody = Talker(BufReader::new(serving.client()));
        assert_eq!(nobody.hear(), "Welcome. Your name?");
        let reset = Some(Duration::ZERO);
        nobody.0.get_ref().set_so_linger(reset).unwrap();
        drop(nobody);
        // It ends by itself, or the server would not stop without cutting it off.
        serving.stop();
    }
}

#[test]
fn a_line_without_end_is_the_end_of_its_author() {
    let _watchdog = watchdog();
    let serving = chat(Engine::Coroutines);
    let mut ann = Talker::enter(&serving, "ann");
    let mut bob = Talker::enter(&serving, "bob");
    ann.hear();
    // What comes after the limit need not be taken.
    let _ = bob.0.get_mut().write_all(&vec![b'x'; 1 << 20]);
    assert_eq!(ann.hear(), "* bob has left");
    drop((ann, bob));
    serving.stop();
}

/// Has ann talk, to bob who listens and to the one who does not, until that one is out. Answers how
/// much she said.
fn talk_past_the_deaf(ann: &mut Talker, bob: &mut Talker) -> usize {
    let text = "x".repeat(4000);
    for said in 1.. {
        ann.say(&text);
        let heard = bob.hear();
        let is_out = heard == "* deaf has left";
        // Then what she has just said comes after that.
        let line = if is_out { bob.hear() } else { heard };
        assert_eq!(line.strip_prefix("ann: "), Some(&*text));
        if is_out {
            return said;
        }
    }
    unreachable!("the watchdog comes first")
}

#[test]
fn whoever_does_not_read_delays_nobody_and_is_closed() {
    let _watchdog = watchdog();
    for engine in engines() {
        let serving = chat(engine);
        let mut ann = Talker::enter(&serving, "ann");
        let mut deaf = Talker::enter(&serving, "deaf");
        let mut bob = Talker::enter(&serving, "bob");
        assert_eq!((ann.hear(), ann.hear()), ("* deaf is here".into(), "* bob is here".into()));
        // More than its queue and the buffers of both kernels hold.
        let said = talk_past_the_deaf(&mut ann, &mut bob);
        ann.say("without deaf, then");
        assert_eq!(
            (bob.hear(), ann.hear()),
            ("ann: without deaf, then".into(), "* deaf has left".into())
        );
        // There is an end to what was on its way.
        let mut rest = Vec::new();
        let _ = deaf.0.read_to_end(&mut rest);
        assert!(rest.iter().filter(|byte| **byte == b'\n').count() < said, "{engine}");
        drop((ann, bob, deaf));
        serving.stop();
    }
}

/// Also where its queue has room for all of it, and without having read.
#[test]
fn whoever_does_not_read_for_long_is_closed() {
    let _watchdog = watchdog();
    for engine in engines() {
        let limit = Some(Duration::from_millis(200));
        let guards = Guards { deadline_write: limit, limit_queue: 1 << 28, ..Guards::default() };
        let serving = chat_with(engine, guards);
        let mut ann = Talker::enter(&serving, "ann");
        let deaf = Talker::enter(&serving, "deaf");
        let mut bob = Talker::enter(&serving, "bob");
        talk_past_the_deaf(&mut ann, &mut bob);
        while serving.control.counters().closed == 0 {
            std::thread::yield_now();
        }
        // On processes that queue is not the hub's, which may have been quicker.
        let timed_out = serving.control.counters().timed_out;
        assert!(timed_out == 1 || engine == Engine::Processes, "{engine}");
        ann.say("without deaf, then");
        assert_eq!(bob.hear(), "ann: without deaf, then");
        drop((ann, bob, deaf));
        serving.stop();
    }
}

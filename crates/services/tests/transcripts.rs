//! Every service keeps to its transcript, on every engine, over everything it speaks.
//!
//! The rows are `services::ALL`, the engines `Engine::ALL`. A service that speaks a stream is also
//! played over a Unix socket, because a stream is a stream.

mod support;

use services::transcript::{self, Conversation, Step};
use services::{Row, Settings};
use switchboard::Engine;
use switchboard::socket::{Scheme, Type};

use support::{Serving, watchdog};

#[test]
fn every_service_keeps_to_its_transcript() {
    let _watchdog = watchdog();
    let mut played = 0;
    for row in services::ALL {
        let conversations = transcript::parse(row.transcript).expect(row.name);
        assert!(!conversations.is_empty(), "{} has no transcript", row.name);
        for conversation in &conversations {
            for engine in Engine::ALL {
                for address in addresses(row) {
                    play(row, conversation, *engine, &address);
                    played += 1;
                }
            }
        }
    }
    assert!(played >= services::ALL.len() * Engine::ALL.len());
}

#[test]
fn rows_are_complete() {
    for row in services::ALL {
        assert!(services::find(row.name).is_some_and(|found| found.name == row.name));
        assert!(!row.schemes.is_empty() && row.port >= 1024, "{}", row.name);
        assert!(!row.summary.ends_with('.') && row.details.ends_with('.'), "{}", row.name);
        let ports = services::ALL.iter().filter(|other| other.port == row.port);
        assert_eq!(ports.count(), 1, "port {} is there twice", row.port);
        let filled = ["{address}", "{host}"].iter().any(|place| row.example.contains(place));
        assert!(filled, "{} has an example for one address only", row.name);
        let standard = (row.make)(&Settings::new(row.settings)).expect(row.name);
        assert_eq!(standard.name(), row.name);
    }
}

#[test]
fn a_transcript_that_is_none_is_refused() {
    for text in ["> before any command", "$ echo\nno sign", "$ echo\n> \\q", "$ echo\n> \\x4"] {
        assert!(transcript::parse(text).is_err(), "{text}");
    }
    assert!(Settings::read(services::ALL[0].settings, &["--no-such-setting"]).is_err());
}

/// Where a service is played: each of its schemes, and a Unix socket if it speaks streams.
fn addresses(row: &Row) -> Vec<String> {
    let mut addresses: Vec<String> =
        row.schemes.iter().map(|scheme| format!("{}://127.0.0.1:0", scheme.word())).collect();
    if row.speaks(Scheme::Unix) {
        addresses.push(format!("@switchboard-transcript-{}-{}", row.name, std::process::id()));
    }
    addresses
}

fn play(row: &Row, conversation: &Conversation<'_>, engine: Engine, address: &str) {
    let scene = format!("{:?} on {engine} at {address}", conversation.command);
    assert_eq!(conversation.command.first(), Some(&row.name), "{scene}");
    let settings = Settings::read(row.settings, &conversation.command[1..]).expect(&scene);
    let service = (row.make)(&settings).expect(&scene);
    let serving = Serving::start(service, engine, address);

    let client = serving.client();
    let datagram = client.kind().expect(&scene) == Type::DGRAM;
    for (index, step) in conversation.steps.iter().enumerate() {
        let next = conversation.steps.get(index + 1);
        let goes_on = !datagram && matches!(next, Some(Step::Receive(_) | Step::ReceiveAny(_)));
        match step {
            Step::Send(Some(bytes)) => client.send_all(bytes).expect(&scene),
            Step::Send(None) => client.shutdown(std::net::Shutdown::Write).expect(&scene),
            Step::ReceiveAny(count) => {
                // Of a datagram also what would be too much.
                let mut answer = vec![0; count + usize::from(datagram)];
                match datagram {
                    true => assert_eq!(client.recv(&mut answer).expect(&scene), *count, "{scene}"),
                    false => client.recv_exact(&mut answer).expect(&scene),
                }
            }
            Step::Receive(expected) => {
                let expected = expected.as_deref().unwrap_or_default();
                // One byte more than expected, so that too much is noticed too, unless the next
                // step says what that is.
                let too_much = usize::from(!goes_on || expected.is_empty());
                let mut answer = vec![0; expected.len() + too_much];
                let mut count = client.recv(&mut answer).expect(&scene);
                while !datagram && count > 0 && count < expected.len() {
                    count += client.recv(&mut answer[count..]).expect(&scene);
                }
                let (answer, expected) = (answer[..count].escape_ascii(), expected.escape_ascii());
                assert_eq!(answer.to_string(), expected.to_string(), "{scene}");
            }
        }
    }
    drop(client);
    serving.stop();
}

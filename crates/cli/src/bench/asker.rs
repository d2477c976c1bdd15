//! What is asked on a connection, and whether the answer is right.
//!
//! | asker | a question | an answer |
//! |---|---|---|
//! | echo | the next bytes of an endless pattern | the same bytes, in order |
//! | datagrams | a number and a piece of the pattern | the same, in any order, or never |
//! | HTTP | one and the same GET | a status below 400 and a whole body |
//!
//! Each connection begins elsewhere in the pattern, so that bytes of another connection, bytes
//! that came twice and bytes that are missing are all wrong bytes. Nothing is copied to be sent.

use std::sync::Arc;

use crate::http::body::{Framing, Step};
use crate::http::head::Head;

/// The period of the pattern: a prime, so that no buffer of a server has a length that hides a
/// mistake.
const PERIOD: usize = 65_521;

/// The most of the pattern that is sent at once.
const SENT_BYTES: usize = 65_536;

/// The bytes in front of a datagram that hold its number.
const NUMBER_BYTES: usize = 8;

/// What all connections ask.
#[derive(Debug)]
pub(super) enum Question {
    /// Messages of so many bytes over a stream.
    Echo(usize),
    /// Datagrams of so many bytes.
    Datagram(usize),
    /// This request, over HTTP.
    Http(Vec<u8>),
}

/// Bytes that look random and come again after [`PERIOD`].
#[derive(Debug)]
pub(super) struct Pattern(Vec<u8>);

impl Pattern {
    pub(super) fn new() -> Pattern {
        let mut state: u32 = 1;
        let period: Vec<u8> = std::iter::repeat_with(|| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 24) as u8
        })
        .take(PERIOD)
        .collect();
        let count = PERIOD + SENT_BYTES;
        Pattern(period.iter().copied().cycle().take(count).collect())
    }

    /// At most so many bytes of the pattern from this place on.
    fn at(&self, place: u64, most: u64) -> &[u8] {
        let from = (place % PERIOD as u64) as usize;
        let count = usize::try_from(most).unwrap_or(usize::MAX).min(SENT_BYTES);
        &self.0[from..from + count]
    }

    /// How many bytes of `bytes` are those of the pattern from this place on.
    fn agree(&self, place: u64, bytes: &[u8]) -> bool {
        let mut place = place;
        bytes.chunks(SENT_BYTES).all(|piece| {
            let same = self.at(place, piece.len() as u64) == piece;
            place += piece.len() as u64;
            same
        })
    }
}

/// What [`Asker::take`] found.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Answer {
    /// To the question of this number.
    Right(u64),
    /// To the question of this number, but it is of this kind.
    Wrong(u64, String),
    /// The connection is to be opened anew, which is no error.
    Reopen,
}

/// The questions of one connection.
#[derive(Debug)]
pub(super) struct Asker {
    pattern: Arc<Pattern>,
    question: Arc<Question>,
    /// Where in the pattern the connection begins.
    offset: u64,
    /// Questions planned, and those answered, on this connection.
    planned: u64,
    answered: u64,
    /// Bytes given to the system, and those that came back.
    sent: u64,
    received: u64,
    /// The datagram that is to be sent.
    datagram: Vec<u8>,
    http: Http,
}

impl Asker {
    /// For the connection of this number.
    pub(super) fn new(pattern: Arc<Pattern>, question: Arc<Question>, number: u64) -> Asker {
        Asker {
            pattern,
            question,
            offset: number.wrapping_mul(7919) % PERIOD as u64,
            planned: 0,
            answered: 0,
            sent: 0,
            received: 0,
            datagram: Vec::new(),
            http: Http::default(),
        }
    }

    /// Adds a question to what is to be sent, and answers its number.
    pub(super) fn plan(&mut self) -> u64 {
        self.planned += 1;
        self.planned - 1
    }

    /// Whether all that was planned has been given to the system.
    pub(super) fn all_sent(&self) -> bool {
        self.unsent_bytes() == 0
    }

    fn unsent_bytes(&self) -> u64 {
        self.planned * self.length() - self.sent
    }

    /// The bytes of a question.
    fn length(&self) -> u64 {
        match &*self.question {
            Question::Echo(bytes) | Question::Datagram(bytes) => *bytes as u64,
            Question::Http(request) => request.len() as u64,
        }
    }

    /// What is to be sent next: some bytes, or one datagram. Empty if there is nothing.
    pub(super) fn unsent(&mut self) -> &[u8] {
        let left = self.unsent_bytes();
        match &*self.question {
            Question::Echo(_) => self.pattern.at(self.offset + self.sent, left),
            Question::Http(request) if left > 0 => {
                &request[(self.sent % request.len() as u64) as usize..]
            }
            Question::Datagram(bytes) if left > 0 => {
                let number = self.sent / *bytes as u64;
                self.datagram.clear();
                self.datagram.extend_from_slice(&number.to_be_bytes());
                let rest = *bytes - NUMBER_BYTES;
                self.datagram.extend_from_slice(self.pattern.at(self.offset + number, rest as u64));
                &self.datagram
            }
            _ => &[],
        }
    }

    /// So many of these bytes have gone.
    pub(super) fn gone(&mut self, bytes: usize) {
        self.sent += bytes as u64;
    }

    /// Takes what has come and gives each answer in it to `answer`.
    ///
    /// # Errors
    /// The name of what is wrong, after which nothing on this connection means anything.
    pub(super) fn take(
        &mut self,
        bytes: &[u8],
        answer: &mut impl FnMut(Answer),
    ) -> Result<(), &'static str> {
        match &*self.question {
            Question::Echo(length) => {
                let length = *length as u64;
                if self.received + bytes.len() as u64 > self.sent
                    || !self.pattern.agree(self.offset + self.received, bytes)
                {
                    return Err("wrong bytes");
                }
                self.received += bytes.len() as u64;
                while (self.answered + 1) * length <= self.received {
                    answer(Answer::Right(self.answered));
                    self.answered += 1;
                }
                Ok(())
            }
            Question::Datagram(length) => {
                let number =
                    bytes.first_chunk::<NUMBER_BYTES>().map(|head| u64::from_be_bytes(*head));
                let number = number.filter(|number| *number < self.planned);
                match number {
                    Some(number)
                        if bytes.len() == *length
                            && self.pattern.agree(self.offset + number, &bytes[NUMBER_BYTES..]) =>
                    {
                        answer(Answer::Right(number));
                        Ok(())
                    }
                    _ => Err("wrong bytes"),
                }
            }
            Question::Http(_) => {
                let answered = &mut self.answered;
                self.http.take(bytes, &mut |outcome| {
                    answer(match outcome {
                        None => Answer::Reopen,
                        Some(Ok(())) => Answer::Right(*answered),
                        Some(Err(status)) => Answer::Wrong(*answered, status),
                    });
                    *answered += 1;
                })
            }
        }
    }

    /// The peer has closed: whether that was an answer too.
    pub(super) fn closed(&self) -> Option<Answer> {
        let whole = self.http.framing.as_ref().is_some_and(Framing::may_end);
        whole.then_some(Answer::Right(self.answered))
    }
}

/// Reads answers of HTTP.
#[derive(Debug, Default)]
struct Http {
    buffer: Vec<u8>,
    framing: Option<Framing>,
    status: u16,
    keeps: bool,
}

impl Http {
    /// Calls `answer` for each answer that is whole, with its status if that is an error; and with
    /// nothing when the server will close.
    fn take(
        &mut self,
        bytes: &[u8],
        answer: &mut impl FnMut(Option<Result<(), String>>),
    ) -> Result<(), &'static str> {
        self.buffer.extend_from_slice(bytes);
        let mut used = 0;
        loop {
            let Some(framing) = &mut self.framing else {
                match Head::read(&self.buffer[used..]).map_err(|_| "not HTTP")? {
                    None => break,
                    Some((head, length)) => {
                        used += length;
                        if head.status >= 200 {
                            self.framing = Some(head.framing().map_err(|_| "not HTTP")?);
                            (self.status, self.keeps) = (head.status, head.keeps);
                        }
                    }
                }
                continue;
            };
            let mut input = &self.buffer[used..];
            let step = framing.step(&mut input).map_err(|_| "not HTTP")?;
            let end = matches!(step, Step::End);
            let more = matches!(step, Step::More);
            used = self.buffer.len() - input.len();
            if end {
                self.framing = None;
                answer(Some(match self.status {
                    400.. => Err(format!("http {}", self.status)),
                    _ => Ok(()),
                }));
                if !self.keeps {
                    answer(None);
                    break;
                }
            }
            if more {
                break;
            }
        }
        self.buffer.drain(..used);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asker(question: Question, number: u64) -> Asker {
        Asker::new(Arc::new(Pattern::new()), Arc::new(question), number)
    }

    /// Sends all that is planned, and answers what that was.
    fn send(asker: &mut Asker) -> Vec<u8> {
        let mut all = Vec::new();
        while !asker.all_sent() {
            let bytes = asker.unsent().to_vec();
            asker.gone(bytes.len());
            all.extend(bytes);
        }
        all
    }

    fn take(asker: &mut Asker, bytes: &[u8]) -> Result<Vec<Answer>, &'static str> {
        let mut answers = Vec::new();
        asker.take(bytes, &mut |answer| answers.push(answer)).map(|()| answers)
    }

    #[test]
    fn an_echo_is_right_byte_for_byte() {
        let mut echo = asker(Question::Echo(100_000), 3);
        assert_eq!((echo.plan(), echo.plan()), (0, 1));
        let sent = send(&mut echo);
        assert_eq!(sent.len(), 200_000);
        assert_eq!(take(&mut echo, &sent[..99_999]), Ok(vec![]));
        assert_eq!(take(&mut echo, &sent[99_999..150_000]), Ok(vec![Answer::Right(0)]));
        let mut wrong = sent[150_000..].to_vec();
        wrong[30_000] ^= 1;
        assert_eq!(take(&mut echo, &wrong), Err("wrong bytes"));
        assert_eq!(take(&mut echo, &sent[150_000..]), Ok(vec![Answer::Right(1)]));
        assert_eq!(take(&mut echo, b"x"), Err("wrong bytes"));
    }

    #[test]
    fn connections_do_not_take_each_others_bytes() {
        let (mut one, mut two) = (asker(Question::Echo(64), 1), asker(Question::Echo(64), 2));
        assert_eq!((one.plan(), two.plan()), (0, 0));
        let (one_sent, two_sent) = (send(&mut one), send(&mut two));
        assert_ne!(one_sent, two_sent);
        assert_eq!(take(&mut one, &two_sent), Err("wrong bytes"));
    }

    #[test]
    fn datagrams_come_in_any_order_and_whole() {
        let mut asker = asker(Question::Datagram(20), 1);
        assert_eq!((asker.plan(), asker.plan()), (0, 1));
        let sent = send(&mut asker);
        let (first, second) = sent.split_at(20);
        assert_eq!(take(&mut asker, second), Ok(vec![Answer::Right(1)]));
        assert_eq!(take(&mut asker, first), Ok(vec![Answer::Right(0)]));
        assert_eq!(take(&mut asker, &first[..19]), Err("wrong bytes"));
        assert_eq!(take(&mut asker, b""), Err("wrong bytes"));
    }

    #[test]
    fn answers_of_http_are_counted_by_their_status() {
        let mut asker = asker(Question::Http(b"GET".to_vec()), 0);
        assert_eq!((asker.plan(), asker.plan(), asker.plan()), (0, 1, 2));
        assert_eq!(send(&mut asker), b"GETGETGET");
        let ok = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi";
        let no = b"HTTP/1.1 404 No\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
        let both = [&ok[..], no].concat();
        assert_eq!(take(&mut asker, &both[..39]), Ok(vec![]));
        let wrong = Answer::Wrong(1, "http 404".into());
        let expected = vec![Answer::Right(0), wrong, Answer::Reopen];
        assert_eq!(take(&mut asker, &both[39..]), Ok(expected));
        assert_eq!(take(&mut asker, b"hello\n"), Err("not HTTP"));
    }
}

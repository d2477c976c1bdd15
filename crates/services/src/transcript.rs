//! A conversation written down, so that a test can play it and a reader can see what a service
//! does.
//!
//! ```text
//!   $ hello --delay 5ms     a new conversation, with the service set so
//!   > michael\n             the client sends exactly this
//!   < hello, michael!\n     the service answers exactly this
//!   < ANY 4                 the service answers this many bytes, whichever
//!   > EOF                   the client has finished sending
//!   < EOF                   the service has finished sending
//! ```
//! On a stream only the bytes count, not how they are cut; of datagrams each line is one. Bytes
//! that cannot be written are escaped as in a Rust byte string: `\n \r \t \0 \\ \xff`. Spaces at
//! the end of a line are written `\x20`. Empty lines mean nothing.

/// One conversation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Conversation<'a> {
    /// The words after `$`: the service's name, then what [`Settings::read`](crate::Settings::read)
    /// reads.
    pub command: Vec<&'a str>,
    /// What is said, in order.
    pub steps: Vec<Step>,
}

/// One line of a conversation. `None` instead of bytes is the end of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// The client sends.
    Send(Option<Vec<u8>>),
    /// The service answers.
    Receive(Option<Vec<u8>>),
    /// The service answers with so many bytes, which nobody can know before.
    ReceiveAny(usize),
}

/// Reads a transcript.
///
/// # Errors
/// A line that is none of the above, as it is.
///
/// ```
/// use services::transcript::{self, Step};
///
/// let talk = transcript::parse("$ echo\n> hi\\n\n< hi\\n\n")?;
/// assert_eq!(talk[0].command, ["echo"]);
/// assert_eq!(talk[0].steps[0], Step::Send(Some(b"hi\n".to_vec())));
/// # Ok::<(), String>(())
/// ```
pub fn parse(text: &str) -> Result<Vec<Conversation<'_>>, String> {
    let mut conversations: Vec<Conversation<'_>> = Vec::new();
    for line in text.lines().filter(|line| !line.is_empty()) {
        if let Some(command) = line.strip_prefix("$ ") {
            let command = command.split_whitespace().collect();
            conversations.push(Conversation { command, steps: Vec::new() });
            continue;
        }
        let step = match line.split_at_checked(2) {
            Some(("> ", words)) => said(words).map(Step::Send),
            Some(("< ", words)) => match words.strip_prefix("ANY ") {
                Some(count) => count.parse().ok().map(Step::ReceiveAny),
                None => said(words).map(Step::Receive),
            },
            _ => None,
        };
        match (step, conversations.last_mut()) {
            (Some(step), Some(conversation)) => conversation.steps.push(step),
            _ => return Err(format!("not a line of a transcript: {line}")),
        }
    }
    Ok(conversations)
}

/// What one line says: the bytes, or their end. The outer `None` is an escape that is none.
fn said(words: &str) -> Option<Option<Vec<u8>>> {
    if words == "EOF" {
        return Some(None);
    }
    let (mut bytes, mut rest) = (Vec::new(), words);
    while let Some(at) = rest.find('\\') {
        bytes.extend_from_slice(&rest.as_bytes()[..at]);
        let escape = &rest[at + 1..];
        let (byte, length) = match escape.chars().next()? {
            'n' => (b'\n', 1),
            'r' => (b'\r', 1),
            't' => (b'\t', 1),
            '0' => (0, 1),
            '\\' => (b'\\', 1),
            'x' => (u8::from_str_radix(escape.get(1..3)?, 16).ok()?, 3),
            _ => return None,
        };
        bytes.push(byte);
        rest = &escape[length..];
    }
    bytes.extend_from_slice(rest.as_bytes());
    Some(Some(bytes))
}

//! Code blocks: which a document has, and what one of them says, in the grammar of `mod.rs`.

/// A code block of a document.
pub(crate) struct Block {
    /// Document and line.
    pub(crate) place: String,
    /// The word behind the opening fence.
    pub(crate) language: String,
    pub(crate) text: String,
}

/// The code blocks of a document.
pub(crate) fn blocks(place: &str, document: &str) -> Vec<Block> {
    let mut found = Vec::new();
    let mut open: Option<Block> = None;
    for (at, line) in document.lines().enumerate() {
        match (&mut open, line.trim_start().strip_prefix("```")) {
            (None, Some(language)) => {
                let (place, language) = (format!("{place}:{}", at + 1), language.to_owned());
                open = Some(Block { place, language, text: String::new() });
            }
            (Some(_), Some(_)) => found.extend(open.take()),
            (Some(block), None) => block.text.extend([line, "\n"]),
            (None, None) => {}
        }
    }
    found
}

/// A command as the block has it.
pub(super) struct Typed {
    pub(super) command: String,
    /// What it prints, without what is typed.
    pub(super) expected: String,
    /// What is typed at its prompts.
    pub(super) answers: Vec<String>,
    /// Whether Ctrl-C ends it.
    pub(super) interrupted: bool,
}

/// The commands of a block, by the terminal that they are typed in, from 0.
pub(super) fn terminals(block: &Block) -> Vec<(usize, Vec<Typed>)> {
    let mut terminals: Vec<(usize, Vec<Typed>)> = vec![(0, Vec::new())];
    let mut count = 1;
    let mut lines = block.text.lines().peekable();
    while let Some(line) = lines.next() {
        let (_, terminal) = terminals.last_mut().expect("there is one from the start");
        let ends = lines.peek().is_none_or(|next| next.starts_with(['$', '#', '^']));
        if line == "# in another terminal" {
            terminals.push((count, Vec::new()));
            count += 1;
        } else if line == "# back in the first terminal" {
            terminals.push((0, Vec::new()));
        } else if let Some(command) = line.strip_prefix("$ ") {
            let (mut command, expected) = (command.to_owned(), String::new());
            while let Some(more) = lines.next_if(|next| next.starts_with("> ")) {
                command.extend(["\n", &more[2..]]);
            }
            terminal.push(Typed { command, expected, answers: Vec::new(), interrupted: false });
        } else {
            let typed = terminal.last_mut();
            let typed = typed.unwrap_or_else(|| panic!("{}: no command yet", block.place));
            match line.strip_prefix(">>:") {
                _ if line == "^C" => typed.interrupted = true,
                None => typed.expected.extend([line, "\n"]),
                Some(answer) => {
                    typed.expected.push_str(">>: ");
                    if !(ends && answer.trim().is_empty()) {
                        typed.answers.push(answer.trim().to_owned());
                    }
                }
            }
        }
    }
    assert!(terminals.iter().all(|(_, typed)| !typed.is_empty()), "{}: no command", block.place);
    terminals
}

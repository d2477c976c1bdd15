//! The repository as the checks see it: paths, and the text of those files that are text.
//!
//! It is read once and shared. What git would not track (`.git`, every `target`) is left out by
//! name, so that neither git nor a `.git` folder is needed; symbolic links are not followed.

use std::path::Path;
use std::sync::OnceLock;
use std::{fs, io};

use crate::rust_text::RustText;

/// Folders that git does not track.
const UNTRACKED: [&str; 2] = [".git", "target"];

/// All files, in the order of their paths.
pub(crate) struct Tree {
    files: Vec<File>,
}

/// One file. The path is relative to the root, with `/` between its parts.
pub(crate) struct File {
    pub(crate) path: String,
    /// Empty where the file is not UTF-8.
    pub(crate) text: String,
    /// `text` with code, comments and literals told apart; empty unless the file is Rust.
    pub(crate) rust: RustText,
}

impl Tree {
    /// This repository, read at the first call.
    pub(crate) fn of_this_repository() -> &'static Tree {
        static TREE: OnceLock<Tree> = OnceLock::new();
        TREE.get_or_init(|| {
            let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
            let mut files = Vec::new();
            read_folder(&root, "", &mut files).expect("the repository can be read");
            Tree::from_files(files)
        })
    }

    /// A tree made up for a proof.
    pub(crate) fn of(sample: &[(&str, &str)]) -> Tree {
        Tree::from_files(sample.iter().map(|(path, text)| File::new(path, text)).collect())
    }

    fn from_files(mut files: Vec<File>) -> Tree {
        files.sort_by(|one, other| one.path.cmp(&other.path));
        Tree { files }
    }

    pub(crate) fn rust(&self) -> impl Iterator<Item = &File> {
        self.files.iter().filter(|file| file.path.ends_with(".rs"))
    }

    pub(crate) fn markdown(&self) -> impl Iterator<Item = &File> {
        self.files.iter().filter(|file| file.path.ends_with(".md"))
    }

    pub(crate) fn manifests(&self) -> impl Iterator<Item = &File> {
        self.files.iter().filter(|file| file.name() == "Cargo.toml")
    }

    pub(crate) fn file(&self, path: &str) -> Option<&File> {
        self.files.iter().find(|file| file.path == path)
    }

    /// True if `path` is a file or a folder that holds one; the root is the empty path.
    pub(crate) fn has(&self, path: &str) -> bool {
        let folder = format!("{path}/");
        path.is_empty()
            || self.files.iter().any(|file| file.path == path || file.path.starts_with(&folder))
    }
}

impl File {
    fn new(path: &str, text: &str) -> File {
        let rust = RustText::new(if path.ends_with(".rs") { text } else { "" });
        File { path: path.to_owned(), text: text.to_owned(), rust }
    }

    /// The last part of the path.
    pub(crate) fn name(&self) -> &str {
        self.path.rsplit('/').next().unwrap_or_default()
    }

    /// The name without what follows its last dot.
    pub(crate) fn stem(&self) -> &str {
        self.name().rsplit_once('.').map_or(self.name(), |(stem, _)| stem)
    }

    /// The path of the folder the file lies in; empty for the root.
    pub(crate) fn folder(&self) -> &str {
        self.path.rsplit_once('/').map_or("", |(folder, _)| folder)
    }
}

/// `folder` and the relative `path`, joined, with `.` and `..` taken out. `None` if it leaves the
/// tree.
pub(crate) fn join(folder: &str, path: &str) -> Option<String> {
    let mut parts = Vec::new();
    for part in folder.split('/').chain(path.split('/')) {
        match part {
            "" | "." => {}
            ".." => drop(parts.pop()?),
            name => parts.push(name),
        }
    }
    Some(parts.join("/"))
}

fn read_folder(folder: &Path, path: &str, files: &mut Vec<File>) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        let path = if path.is_empty() { name.clone() } else { format!("{path}/{name}") };
        let kind = entry.file_type()?;
        if kind.is_dir() && !UNTRACKED.contains(&name.as_str()) {
            read_folder(&entry.path(), &path, files)?;
        } else if kind.is_file() {
            let text = String::from_utf8(fs::read(entry.path())?).unwrap_or_default();
            files.push(File::new(&path, &text));
        }
    }
    Ok(())
}

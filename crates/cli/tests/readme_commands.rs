//! Every command that the README shows is run.

#[path = "../../../examples/tests/console/mod.rs"]
mod console;
mod support;

use std::path::Path;

#[test]
fn every_console_block_of_the_readme_is_true() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let readme = std::fs::read_to_string(root.join("README.md")).unwrap();
    let mut blocks = console::blocks("README.md", &readme);
    blocks.retain(|block| block.language == "console");
    assert!(!blocks.is_empty());
    let programs = Path::new(env!("CARGO_BIN_EXE_switchboard")).parent().unwrap();
    console::run_all(&blocks, programs);
}

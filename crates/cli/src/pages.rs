//! What is made from the grammar itself: completions for a shell, and manual pages.
//!
//! Both come from the same [`Command`] as the help, so neither can say anything else.

use std::path::Path;

use clap::{ArgMatches, Command};
use clap_complete::Shell;
use clap_mangen::Man;

use crate::args;
use crate::exit::{Failure, Result};
use crate::options::Global;
use crate::output::{data, note};

pub(crate) fn completions(matches: &ArgMatches) -> Result {
    let shell = *matches.get_one::<Shell>("shell").expect("the grammar demands a shell");
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut args::program(), "switchboard", &mut script);
    data(&String::from_utf8(script).expect("the grammar is text"))
}

pub(crate) fn man(matches: &ArgMatches, global: &Global) -> Result {
    // `help` is no command to read about.
    let mut program = args::program().disable_help_subcommand(true);
    program.build();
    let Some(folder) = matches.get_one::<std::path::PathBuf>("out") else {
        return data(&page(&program, "switchboard"));
    };
    std::fs::create_dir_all(folder).map_err(|error| Failure::write(folder.display(), &error))?;
    let mut count = 0;
    write_all(&program, "switchboard", folder, &mut count)?;
    if !global.quiet {
        note(&format!("switchboard: {count} pages in {}", folder.display()));
    }
    Ok(())
}

/// A page for the command and each below it: `switchboard-serve-echo.1`.
fn write_all(command: &Command, name: &str, folder: &Path, count: &mut usize) -> Result {
    let path = folder.join(format!("{name}.1"));
    std::fs::write(&path, page(command, name)).map_err(|error| {
        // Half a page is worse than none.
        let _ = std::fs::remove_file(&path);
        Failure::write(path.display(), &error)
    })?;
    *count += 1;
    for below in command.get_subcommands() {
        write_all(below, &format!("{name}-{}", below.get_name()), folder, count)?;
    }
    Ok(())
}

fn page(command: &Command, name: &str) -> String {
    let mut page = Vec::new();
    // `display_name` would be the last word only, and the pages of two services one.
    let command = command.clone().name(name.to_owned()).display_name(name);
    Man::new(command).render(&mut page).expect("a vector can always be written to");
    String::from_utf8(page).expect("the grammar is text")
}

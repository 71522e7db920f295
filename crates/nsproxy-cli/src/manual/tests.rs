//! The pages have everything that they are made from.

use nsproxy_config::reference::{fetches, keywords};

use super::pages;
use crate::args::whole;

/// A page as it is read: without requests and escapes.
fn read(file: &str) -> String {
    let page = pages().into_iter().find(|(name, _)| *name == file);
    let (_, roff) = page.expect("there is such a page");
    let mut text = String::new();
    for line in roff.lines() {
        let line = match line.split_once(' ') {
            Some((request, arguments)) if request.starts_with('.') => arguments,
            _ => line,
        };
        text.push_str(&plain(line));
        text.push('\n');
    }
    text
}

/// A line without escapes.
fn plain(line: &str) -> String {
    let mut line = line.to_owned();
    for (escape, meaning) in [
        ("\\fB", ""),
        ("\\fI", ""),
        ("\\fR", ""),
        ("\\-", "-"),
        ("\\&", ""),
        ("\\*(Aq", "'"),
        ("\\\\", "\\"),
    ] {
        line = line.replace(escape, meaning);
    }
    line
}

#[test]
fn the_page_of_the_program_has_every_command_and_every_option() {
    let page = read("nsproxy.1");
    let mut commands = vec![whole()];
    while let Some(mut command) = commands.pop() {
        command.build();
        if command.get_name() == "help" {
            continue;
        }
        if command.get_name() == "netns" {
            assert!(page.contains("nsproxy-netns(1)"));
            continue;
        }
        if !command.has_subcommands() {
            let name = command.get_bin_name().expect("it was built");
            assert!(page.contains(name), "{name}");
        }
        for option in command.get_arguments() {
            let written = match (option.get_long(), option.get_short()) {
                (Some(long), _) => format!("--{long}"),
                (None, Some(short)) => format!("-{short}"),
                (None, None) => option.get_value_names().expect("it is positional")[0].to_string(),
            };
            assert!(page.contains(&written), "{}: {written}", command.get_name());
        }
        commands.extend(command.get_subcommands().cloned());
    }
}

#[test]
fn the_page_of_the_language_has_every_keyword_and_every_fetch() {
    let page = read("nsproxy.cfg.5");
    for entry in keywords() {
        assert!(page.contains(entry.doc.syntax), "{}", entry.doc.syntax);
        assert!(page.contains(entry.doc.example), "{}", entry.doc.example);
    }
    for fetch in fetches() {
        assert!(page.contains(fetch.syntax), "{}", fetch.syntax);
    }
}

//! `nsproxy(1)`: every command with its options, as the command line has them, and what they have in common.

use std::io;

use clap::Command;
use clap_mangen::Man;

use super::Page;
use crate::args::whole;
use crate::command::netns;

const SIGNALS: [(&str, &str); 4] = [
    (
        "SIGTERM, SIGINT",
        "The listeners close, and sessions may finish: for `hard-stop-after`, or else 30 seconds. A second one resets every \
         session and ends; a third one ends the process whatever it is doing.",
    ),
    (
        "SIGUSR1",
        "The same, for `hard-stop-after` or else without a limit; SIGTERM and SIGINT give it one.",
    ),
    (
        "SIGHUP",
        "`nsproxy run` reads its configuration again. One that is no good changes nothing. `nsproxy forward` has none, and says \
         so.",
    ),
    (
        "SIGUSR2",
        "`nsproxy run` starts the same command again, perhaps a newer program, which takes the listening sockets over. When it \
         relays, the old process drains; when it does not, the old one goes on and says why.",
    ),
];

const CODES: [(&str, &str); 3] = [
    (
        "0",
        "Done; drained or stopped by a signal; `check`: the configuration is valid.",
    ),
    (
        "1",
        "The configuration is not valid, a listener cannot be opened, or something failed. Standard error says what.",
    ),
    ("2", "The command line cannot be understood."),
];

const EXAMPLES: &str = "\
A service in the namespace tenant1, at port 8080 of this host:

    nsproxy forward 127.0.0.1:8080 10.0.0.5:80@tenant1

A configuration, checked and run:

    nsproxy check -f /etc/nsproxy.cfg && nsproxy run -f /etc/nsproxy.cfg

A command in a new namespace:

    nsproxy netns add blue && nsproxy netns exec blue ip link
";

pub(super) fn page() -> String {
    let mut command = whole();
    command.build();
    let about = command.get_about().map(ToString::to_string).unwrap_or_default();
    let about = about.trim_start_matches("nsproxy: ").trim_end_matches('.');
    let mut page = Page::new("nsproxy", "1", &uncapitalized(about));
    page.section("SYNOPSIS");
    synopsis(&mut page, &command);
    for command in leaves(&command) {
        page.line_break();
        synopsis(&mut page, command);
    }
    page.section("DESCRIPTION");
    page.text("Relays connections between Linux network namespaces, and between them and the host. It listens in some, connects in others, and follows them as they come and go. The configuration is HAProxy's: see nsproxy.cfg(5).");
    page.text("Without a command, `-f` runs a configuration and `-c -f` checks it, as haproxy(1) does.");
    page.section("OPTIONS");
    options(&mut page, &command);
    page.section("COMMANDS");
    for command in leaves(&command) {
        page.subsection(name(command));
        page.text(&description(command));
        if command.get_name() == netns::NAME {
            page.text("It has a page of its own: nsproxy-netns(1).");
        } else {
            options(&mut page, command);
        }
    }
    page.section("SIGNALS");
    page.items(&SIGNALS);
    page.section("EXIT STATUS");
    page.items(&CODES);
    page.section("EXAMPLES");
    page.text(EXAMPLES);
    page.section("SEE ALSO");
    page.text("nsproxy.cfg(5), nsproxy-netns(1), ip-netns(8), network_namespaces(7)");
    page.finish()
}

/// The commands that do something: those of a group, and not the group.
fn leaves(command: &Command) -> Vec<&Command> {
    command
        .get_subcommands()
        .filter(|command| command.get_name() != "help")
        .flat_map(|command| {
            if command.has_subcommands() && command.get_name() != netns::NAME {
                leaves(command)
            } else {
                vec![command]
            }
        })
        .collect()
}

fn name(command: &Command) -> &str {
    command.get_bin_name().unwrap_or_else(|| command.get_name())
}

fn description(command: &Command) -> String {
    let about = command.get_long_about().or_else(|| command.get_about());
    let after = command.get_after_long_help();
    let texts = [about, after].into_iter().flatten();
    texts.map(ToString::to_string).collect::<Vec<_>>().join("\n\n")
}

fn synopsis(page: &mut Page, command: &Command) {
    let made = made(command, Man::render_synopsis_section);
    // An option without a long name is followed by a blank.
    page.made(&made.replace(" ]", "]"));
}

fn options(page: &mut Page, command: &Command) {
    page.made(&made(command, Man::render_options_section));
}

/// A section of a command, as another has made it.
fn made(command: &Command, render: fn(&Man, &mut dyn io::Write) -> io::Result<()>) -> String {
    let mut made = Vec::new();
    // Writing to memory cannot fail.
    let _ = render(&Man::new(command.clone()), &mut made);
    String::from_utf8_lossy(&made).into_owned()
}

/// As the second part of a NAME line begins.
fn uncapitalized(text: &str) -> String {
    let mut letters = text.chars();
    match letters.next() {
        Some(first) => first.to_lowercase().chain(letters).collect(),
        None => String::new(),
    }
}

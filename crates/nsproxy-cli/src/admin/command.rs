//! The commands of the admin socket: what they are called, who may give them, what carries them out, and the help that is
//! made from all that.

use std::io::{self, Write};

use nsproxy_config::model::AdminLevel;

use super::client::Client;
use super::{change, info, servers, sessions, stat};

/// Where an answer goes.
pub(super) type Out<'o> = dyn Write + 'o;

/// Whether the client stays.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Outcome {
    Stay,
    Quit,
}

/// One command.
struct Command {
    /// The words that it begins with.
    words: &'static [&'static str],
    /// How it is written, for the help.
    usage: &'static str,
    /// What it does, for the help.
    help: &'static str,
    /// Who may give it; those above may, too.
    level: AdminLevel,
    /// Carries it out: with the words behind those that it begins with.
    run: fn(&[String], &mut Client<'_>, &mut Out<'_>) -> io::Result<()>,
}

/// In the order of the help. One that begins with the words of another stands before it.
static COMMANDS: &[Command] = &[
    Command {
        words: &["disable", "server"],
        usage: "disable server <bk>/<srv>",
        help: "take a server out (as 'set server <bk>/<srv> state maint')",
        level: AdminLevel::Admin,
        run: |words, client, out| change::disable_server(words, client.context(), out),
    },
    Command {
        words: &["enable", "server"],
        usage: "enable server <bk>/<srv>",
        help: "put a server in (as 'set server <bk>/<srv> state ready')",
        level: AdminLevel::Admin,
        run: |words, client, out| change::enable_server(words, client.context(), out),
    },
    Command {
        words: &["get", "weight"],
        usage: "get weight <bk>/<srv>",
        help: "report a server's current weight",
        level: AdminLevel::User,
        run: |words, client, out| servers::weight(words, client.context(), out),
    },
    Command {
        words: &["operator"],
        usage: "operator",
        help: "lower the level of this session to operator",
        level: AdminLevel::Operator,
        run: |_, client, _| {
            lower(client, AdminLevel::Operator);
            Ok(())
        },
    },
    Command {
        words: &["set", "server"],
        usage: "set server <bk>/<srv> [opts]",
        help: "change a server's state, weight or address",
        level: AdminLevel::Admin,
        run: |words, client, out| change::set_server(words, client.context(), out),
    },
    Command {
        words: &["set", "timeout", "cli"],
        usage: "set timeout cli <delay>",
        help: "change how long this session may be inactive",
        level: AdminLevel::User,
        run: set_timeout,
    },
    Command {
        words: &["set", "weight"],
        usage: "set weight <bk>/<srv>",
        help: "change a server's weight (as 'set server <bk>/<srv> weight')",
        level: AdminLevel::Admin,
        run: |words, client, out| change::set_weight(words, client.context(), out),
    },
    Command {
        words: &["show", "backend"],
        usage: "show backend",
        help: "list backends in the current running config",
        level: AdminLevel::User,
        run: |_, client, out| servers::backends(client.context(), out),
    },
    Command {
        words: &["show", "cli", "level"],
        usage: "show cli level",
        help: "display the level of this session",
        level: AdminLevel::User,
        run: |_, client, out| writeln!(out, "{}", client.level.name()),
    },
    Command {
        words: &["show", "cli", "sockets"],
        usage: "show cli sockets",
        help: "list the admin sockets",
        level: AdminLevel::Operator,
        run: |_, client, out| sockets(client, out),
    },
    Command {
        words: &["show", "counters"],
        usage: "show counters",
        help: "report what the engine has counted",
        level: AdminLevel::User,
        run: |_, client, out| info::counters(client.context(), out),
    },
    Command {
        words: &["show", "info"],
        usage: "show info [json|typed]*",
        help: "report information about the running process",
        level: AdminLevel::User,
        run: |words, client, out| info::show(words, client.context(), out),
    },
    Command {
        words: &["show", "netns"],
        usage: "show netns",
        help: "report the network namespaces of listeners and sessions",
        level: AdminLevel::User,
        run: |_, client, out| sessions::show_netns(client.context(), out),
    },
    Command {
        words: &["show", "servers", "conn"],
        usage: "show servers conn [<backend>]",
        help: "report connections of servers (all or for a single backend)",
        level: AdminLevel::User,
        run: |words, client, out| servers::connections(words, client.context(), out),
    },
    Command {
        words: &["show", "servers", "state"],
        usage: "show servers state [<backend>]",
        help: "report how servers stand (all or for a single backend)",
        level: AdminLevel::User,
        run: |words, client, out| servers::state(words, client.context(), out),
    },
    Command {
        words: &["show", "sess"],
        usage: "show sess [all|<id>]",
        help: "report the list of current sessions or this one",
        level: AdminLevel::Operator,
        run: |words, client, out| sessions::show(words, client.context(), out),
    },
    Command {
        words: &["show", "stat"],
        usage: "show stat [json|no-maint|typed|up]*",
        help: "report counters for each proxy and server",
        level: AdminLevel::User,
        run: |words, client, out| stat::show(words, client.level, client.context(), out),
    },
    Command {
        words: &["show", "version"],
        usage: "show version",
        help: "show version of the current process",
        level: AdminLevel::User,
        run: |_, _, out| writeln!(out, "{}", info::VERSION),
    },
    Command {
        words: &["shutdown", "session"],
        usage: "shutdown session <id>",
        help: "end this session",
        level: AdminLevel::Admin,
        run: |words, client, out| sessions::shutdown(words, client.context(), out),
    },
    Command {
        words: &["shutdown", "sessions", "server"],
        usage: "shutdown sessions server <bk>/<srv>",
        help: "end the sessions of a server",
        level: AdminLevel::Admin,
        run: |words, client, out| change::shutdown_sessions(words, client.context(), out),
    },
    Command {
        words: &["user"],
        usage: "user",
        help: "lower the level of this session to user",
        level: AdminLevel::User,
        run: |_, client, _| {
            lower(client, AdminLevel::User);
            Ok(())
        },
    },
];

/// What is no command of the table, and always there.
const ALWAYS: [(&str, &str); 3] = [
    ("help [<command>]", "list matching or all commands"),
    ("prompt", "toggle interactive mode with prompt"),
    ("quit", "disconnect"),
];

/// Carries out a command.
pub(super) fn run(words: &[String], client: &mut Client<'_>, out: &mut Out<'_>) -> io::Result<Outcome> {
    match words.first().map(String::as_str) {
        Some("quit") => return Ok(Outcome::Quit),
        Some("prompt") => client.is_interactive = !client.is_interactive,
        Some("help") => help(
            &words[1..],
            "The following commands are valid at this level:",
            client.level,
            out,
        )?,
        _ => match find(words) {
            Some(command) if command.level <= client.level => {
                (command.run)(&words[command.words.len()..], client, out)?;
            }
            Some(_) => writeln!(out, "Permission denied")?,
            None => unknown(words, client.level, out)?,
        },
    }
    Ok(Outcome::Stay)
}

fn find(words: &[String]) -> Option<&'static Command> {
    let is_whole = |command: &&Command| words.len() >= command.words.len() && matches(command, words);
    COMMANDS.iter().find(is_whole)
}

/// Names what exists, nearest to what was asked for.
fn unknown(words: &[String], level: AdminLevel, out: &mut Out<'_>) -> io::Result<()> {
    // As much of it as some command begins with.
    let known = (1..=words.len())
        .rev()
        .map(|count| &words[..count])
        .find(|words| COMMANDS.iter().any(|command| matches(command, words)));
    match known {
        Some(known) => help(
            known,
            "Unknown command, but maybe one of the following ones is a better match:",
            level,
            out,
        ),
        None => help(
            &[],
            "Unknown command. Please enter one of the following commands only:",
            level,
            out,
        ),
    }
}

/// Whether the command begins with these words, as far as both go.
fn matches(command: &Command, words: &[String]) -> bool {
    command.words.iter().zip(words).all(|(a, b)| a == b)
}

fn help(words: &[String], title: &str, level: AdminLevel, out: &mut Out<'_>) -> io::Result<()> {
    writeln!(out, "{title}")?;
    let commands = COMMANDS.iter();
    let meant = commands.filter(|command| command.level <= level && matches(command, words));
    let lines = meant.map(|command| (command.usage, command.help)).chain(ALWAYS);
    for (usage, help) in lines {
        writeln!(out, "  {usage:<40}: {help}")?;
    }
    Ok(())
}

fn lower(client: &mut Client<'_>, level: AdminLevel) {
    client.level = client.level.min(level);
}

fn set_timeout(words: &[String], client: &mut Client<'_>, out: &mut Out<'_>) -> io::Result<()> {
    let Some(word) = words.first() else {
        return writeln!(out, "Expects an integer value.");
    };
    match nsproxy_config::parse_seconds(word) {
        Ok(time) if !time.is_zero() => {
            client.timeout = time;
            Ok(())
        }
        _ => writeln!(out, "Invalid timeout value."),
    }
}

fn sockets(client: &Client<'_>, out: &mut Out<'_>) -> io::Result<()> {
    writeln!(out, "# socket lvl processes")?;
    client
        .context()
        .sockets()
        .iter()
        .try_for_each(|(name, level)| writeln!(out, "{name} {level} all"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_that_begins_with_the_words_of_another_is_found() {
        for command in COMMANDS {
            let words: Vec<_> = command.words.iter().map(|word| (*word).to_owned()).collect();
            let found = find(&words).map(|found| found.usage);
            assert_eq!(found, Some(command.usage));
        }
    }

    #[test]
    fn the_help_is_sorted_and_fits() {
        assert!(COMMANDS.is_sorted_by_key(|command| command.words));
        for command in COMMANDS {
            assert!(command.usage.len() <= 40, "{}", command.usage);
        }
    }

    fn text(show: impl FnOnce(&mut Out<'_>) -> io::Result<()>) -> String {
        let mut out = Vec::new();
        assert!(show(&mut out).is_ok());
        String::from_utf8_lossy(&out).into_owned()
    }

    #[test]
    fn help_has_what_the_level_may_do() {
        let help = |level| text(|out| help(&[], "", level, out));
        assert!(!help(AdminLevel::Operator).contains("set server"));
        assert!(help(AdminLevel::Admin).contains("set server <bk>/<srv> [opts]"));
        assert!(help(AdminLevel::User).contains("quit"));
    }

    #[test]
    fn an_unknown_command_names_the_nearest() {
        let unknown = |line: &str| {
            let words: Vec<_> = line.split(' ').map(str::to_owned).collect();
            text(|out| unknown(&words, AdminLevel::Admin, out))
        };
        let show = unknown("show nothing");
        assert!(show.contains("better match") && show.contains("show info") && !show.contains("set server"));
        assert!(unknown("frobnicate").contains("one of the following commands only"));
        assert!(!unknown("show servers").contains("show stat"));
    }
}

//! What `--help` says, in general and for each subcommand.
//!
//! The manual page and the completions of the shells are made from the same tables.

use std::fmt::Write as _;

use super::Subcommand;
use super::context::print;
use super::failure::Result;

/// What there is to say of a subcommand.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) subcommand: Subcommand,
    /// How it is written, in short.
    pub(super) words: &'static str,
    /// What it does, in a few words.
    pub(super) about: &'static str,
    /// Its own help: `Usage:` and the ways to write it, an empty line, and what it does.
    pub(super) text: &'static str,
}

impl Entry {
    /// What it is called.
    pub(super) fn name(&self) -> &'static str {
        self.words.split(' ').next().unwrap_or_default()
    }
}

/// What there is to say of an option.
#[derive(Debug)]
pub(super) struct OptionEntry {
    pub(super) letter: char,
    pub(super) name: &'static str,
    /// What its value is called, if it has one.
    pub(super) value: Option<&'static str>,
    pub(super) about: &'static str,
}

/// What the command is for.
pub(super) const ABOUT: &str = "Network namespaces, as `ip netns` has them, and their interfaces.";

/// How the options may be written.
pub(super) const NOTE: &str = "Subcommands and these options may be shortened (`nsproxy netns a blue`, `-all`). Behind a \
                               subcommand, `--` ends the options.";

/// Prints the help for a subcommand, or for all of them.
pub(super) fn print_for(subcommand: Option<Subcommand>) -> Result {
    match ENTRIES.iter().find(|entry| Some(entry.subcommand) == subcommand) {
        Some(entry) => print(entry.text),
        None => print(general()),
    }
}

fn general() -> String {
    let mut text = format!("{ABOUT}\n\nUsage: nsproxy netns [OPTIONS] [SUBCOMMAND]\n\n");
    // Writing to a string cannot fail.
    for Entry { words, about, .. } in &ENTRIES {
        let _ = writeln!(text, "  {words:<38} {about}");
    }
    text.push_str("\nOptions:\n");
    for option in &OPTIONS {
        let value = option.value.map(|value| format!(" {value}")).unwrap_or_default();
        let written = format!("-{}, --{}{value}", option.letter, option.name);
        let _ = writeln!(text, "  {written:<19} {}", option.about);
    }
    let _ = write!(text, "\n{NOTE}\n");
    text
}

/// Those of every subcommand.
pub(super) const OPTIONS: [OptionEntry; 5] = [
    OptionEntry {
        letter: 'n',
        name: "netns",
        value: Some("NETNS"),
        about: "act in this namespace: a name, a path, or pid:N",
    },
    OptionEntry {
        letter: 'a',
        name: "all",
        value: None,
        about: "delete, exec: for each name",
    },
    OptionEntry {
        letter: 'j',
        name: "json",
        value: None,
        about: "list, list-id, and show of link, address and route: answer in JSON",
    },
    OptionEntry {
        letter: 'p',
        name: "pretty",
        value: None,
        about: "with -j: over several lines",
    },
    OptionEntry {
        letter: 'h',
        name: "help",
        value: None,
        about: "this, or with a subcommand its own help",
    },
];

/// The subcommands, in the order in which they are told.
pub(super) const ENTRIES: [Entry; 16] = [
    Entry {
        subcommand: Subcommand::List,
        words: "list",
        about: "the names (also without a subcommand)",
        text: LIST,
    },
    Entry {
        subcommand: Subcommand::Add,
        words: "add NAME...",
        about: "make namespaces",
        text: ADD,
    },
    Entry {
        subcommand: Subcommand::Attach,
        words: "attach NAME PID|PATH",
        about: "name the namespace of a process, or a namespace file",
        text: ATTACH,
    },
    Entry {
        subcommand: Subcommand::Set,
        words: "set NAME auto|N",
        about: "give a namespace a number",
        text: SET,
    },
    Entry {
        subcommand: Subcommand::Delete,
        words: "delete NAME...",
        about: "take names away",
        text: DELETE,
    },
    Entry {
        subcommand: Subcommand::Identify,
        words: "identify [PID]",
        about: "the names of the namespace of a process",
        text: IDENTIFY,
    },
    Entry {
        subcommand: Subcommand::Pids,
        words: "pids NAME",
        about: "the processes in a namespace",
        text: PIDS,
    },
    Entry {
        subcommand: Subcommand::Monitor,
        words: "monitor",
        about: "tell of names that come and go",
        text: MONITOR,
    },
    Entry {
        subcommand: Subcommand::Exec,
        words: "exec NAME COMMAND...",
        about: "run a command in a namespace",
        text: EXEC,
    },
    Entry {
        subcommand: Subcommand::Unshare,
        words: "unshare COMMAND...",
        about: "run a command in a new namespace without a name",
        text: UNSHARE,
    },
    Entry {
        subcommand: Subcommand::ListId,
        words: "list-id [target-nsid N] [nsid N]",
        about: "the numbers",
        text: LIST_ID,
    },
    Entry {
        subcommand: Subcommand::Link,
        words: "link add|set|show|delete",
        about: "interfaces",
        text: LINK,
    },
    Entry {
        subcommand: Subcommand::Address,
        words: "address add|show|delete",
        about: "addresses",
        text: ADDRESS,
    },
    Entry {
        subcommand: Subcommand::Route,
        words: "route add|show|delete",
        about: "routes",
        text: ROUTE,
    },
    Entry {
        subcommand: Subcommand::Apply,
        words: "apply FILE",
        about: "a whole topology from a file",
        text: APPLY,
    },
    Entry {
        subcommand: Subcommand::Prepare,
        words: "prepare",
        about: "have names be seen by services that begin before them",
        text: PREPARE,
    },
];

const PREPARE: &str = "\
Usage: nsproxy netns prepare

Makes the directory of names, /run/netns, a mount of its own, as the first `add` does. Whatever is started afterwards with mounts
of its own, such as a service that systemd has hardened, sees the names that are added later. To be run outside of that service.
";

const LIST: &str = "\
Usage: nsproxy netns [-n NETNS] [-j [-p]] list

One name a line, in the order of the directory /run/netns. `(id: N)` behind a name is the number by which this namespace,
or that of -n, calls it.
";

const LIST_ID: &str = "\
Usage: nsproxy netns [-n NETNS] [-j [-p]] list-id [target-nsid N] [nsid N]

The numbers that this namespace has for others; with target-nsid those that the namespace with this number has. With nsid
only that one.
";

const ADD: &str = "\
Usage: nsproxy netns add NAME...

Makes a namespace for each name, with `lo` down and no other interface.
";

const SET: &str = "\
Usage: nsproxy netns [-n NETNS] set NAME auto|N

Gives a namespace the number by which this one, or that of -n, calls it. It cannot be changed afterwards.
";

const DELETE: &str = "\
Usage: nsproxy netns delete NAME...
       nsproxy netns --all delete

Takes names away. A namespace lives on while a process, a socket or an open file is in it. Exits with 1 if one could not be
deleted.
";

const IDENTIFY: &str = "\
Usage: nsproxy netns identify [PID]

The names of the namespace that the process is in, one a line; an empty line if it has none. Without a number: of this
process.
";

const PIDS: &str = "\
Usage: nsproxy netns pids NAME

The processes whose main thread is in the namespace, one number a line.
";

const EXEC: &str = "\
Usage: nsproxy netns exec NETNS COMMAND...
       nsproxy netns --all exec COMMAND...

Becomes the command, in a namespace: a name, a path, or pid:N. It sees a /sys of the namespace, and with a name the files
of /etc/netns/NAME instead of those of the same name in /etc. The exit code is the command's; 255 if the namespace cannot
be entered, 1 if the command cannot be run.

With --all the command runs in each named namespace in turn; exits with 1 if one of them failed.
";

const MONITOR: &str = "\
Usage: nsproxy netns monitor

Writes `add NAME` when a namespace is ready under a name, and `delete NAME` when it is not there any more, until it is
ended.
";

const ATTACH: &str = "\
Usage: nsproxy netns attach NAME PID
       nsproxy netns attach NAME pid:PID|PATH

Gives a name to the namespace of a process, or to that of a namespace file.
";

const UNSHARE: &str = "\
Usage: nsproxy netns unshare [--] COMMAND...

Becomes the command, in a new namespace without a name, which ends with the last process in it. Its `lo` is down.
";

const LINK: &str = "\
Usage: nsproxy netns [-n NETNS] link ACTION

  add veth NAME [netns NETNS] peer NAME [netns NETNS]
  add vlan NAME link PARENT id N
  add macvlan NAME link PARENT [mode private|vepa|bridge|passthru|source]
  add vxlan NAME id N [remote ADDRESS | group ADDRESS] [local ADDRESS] [dev NAME] [dstport PORT]
  add bridge NAME
  set NAME [up|down] [mtu N] [master BRIDGE | nomaster] [name NAME] [netns NETNS]
  show [NAME]
  delete NAME

The order of `ip link` is understood too: `add NAME type veth peer name NAME netns NETNS`.
";

const ADDRESS: &str = "\
Usage: nsproxy netns [-n NETNS] address ACTION

  add ADDRESS/PREFIX dev NAME
  delete ADDRESS/PREFIX dev NAME
  show [NAME]
";

const ROUTE: &str = "\
Usage: nsproxy netns [-n NETNS] route ACTION

  add DESTINATION [via GATEWAY] [dev NAME] [src ADDRESS] [metric N]
  delete DESTINATION [via GATEWAY] [dev NAME] [src ADDRESS] [metric N]
  show

DESTINATION is a network such as 10.0.0.0/8, or `default`. It is about the main table.
";

const APPLY: &str = "\
Usage: nsproxy netns [-n NETNS] apply FILE
       nsproxy netns [-n NETNS] apply FILE --delete

Makes what the file says, as far as it is not there yet; with --delete takes it away again. FILE is - for standard input.
A line is a command without `nsproxy netns`, and begins with -n NETNS if it acts in another namespace:

  add tenant1
  link add veth to-tenant1 peer eth0 netns tenant1
  address add 10.0.0.1/24 dev to-tenant1
  link set to-tenant1 up
  -n tenant1 address add 10.0.0.2/24 dev eth0
  -n tenant1 link set eth0 up
  -n tenant1 route add default via 10.0.0.1

Known in a file: add, set, link add, link set, address add, route add. # begins a remark.
";

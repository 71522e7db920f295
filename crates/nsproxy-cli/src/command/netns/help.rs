//! What `--help` says, in general and for each subcommand.

use super::Subcommand;
use super::context::print;
use super::failure::Result;

/// Prints the help for a subcommand, or for all of them.
pub(super) fn print_for(subcommand: Option<Subcommand>) -> Result {
    print(text(subcommand))
}

fn text(subcommand: Option<Subcommand>) -> &'static str {
    let Some(subcommand) = subcommand else {
        return GENERAL;
    };
    match subcommand {
        Subcommand::List => LIST,
        Subcommand::ListId => LIST_ID,
        Subcommand::Help => GENERAL,
        Subcommand::Add => ADD,
        Subcommand::Set => SET,
        Subcommand::Delete => DELETE,
        Subcommand::Identify => IDENTIFY,
        Subcommand::Pids => PIDS,
        Subcommand::Exec => EXEC,
        Subcommand::Monitor => MONITOR,
        Subcommand::Attach => ATTACH,
        Subcommand::Unshare => UNSHARE,
        Subcommand::Link => LINK,
        Subcommand::Address => ADDRESS,
        Subcommand::Route => ROUTE,
        Subcommand::Apply => APPLY,
    }
}

const GENERAL: &str = "\
Network namespaces, as `ip netns` has them, and their interfaces.

Usage: nsproxy netns [OPTIONS] [SUBCOMMAND]

  list                                   the names (also without a subcommand)
  add NAME...                            make namespaces
  attach NAME PID|PATH                   name the namespace of a process, or a namespace file
  set NAME auto|N                        give a namespace a number
  delete NAME...                         take names away
  identify [PID]                         the names of the namespace of a process
  pids NAME                              the processes in a namespace
  monitor                                tell of names that come and go
  exec NAME COMMAND...                   run a command in a namespace
  unshare COMMAND...                     run a command in a new namespace without a name
  list-id [target-nsid N] [nsid N]       the numbers
  link add|set|show|delete               interfaces
  address add|show|delete                addresses
  route add|show|delete                  routes
  apply FILE                             a whole topology from a file

Options:
  -n, --netns NETNS   act in this namespace: a name, a path, or pid:N
  -a, --all           delete, exec: for each name
  -j, --json          list, list-id, and show of link, address and route: answer in JSON
  -p, --pretty        with -j: over several lines
  -h, --help          this, or with a subcommand its own help

Subcommands and these options may be shortened (`nsproxy netns a blue`, `-all`). Behind a subcommand, `--` ends the options.
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

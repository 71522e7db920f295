//! `nsproxy-netns(1)`, from the tables of the help.

use super::help::{ABOUT, ENTRIES, NOTE, OPTIONS};
use crate::manual::Page;

const CODES: [(&str, &str); 4] = [
    ("0", "Done."),
    (
        "1",
        "An ordinary failure: no such name, name taken, no such process, no such interface; one of several names failed.",
    ),
    (
        "2",
        "The kernel refused a netlink request: `set`, `list-id nsid N`, `link`, `address`, `route`.",
    ),
    (
        "255",
        "Wrong words; the namespace of `-n` or `exec` cannot be entered.",
    ),
];

const PRIVILEGES: [(&str, &str); 5] = [
    (
        "list, list-id, monitor, and to look at links, addresses and routes",
        "Nothing.",
    ),
    (
        "add, attach, delete, prepare",
        "`CAP_SYS_ADMIN` over the mount namespace; `add` in the own user namespace, too.",
    ),
    (
        "exec, -n",
        "`CAP_SYS_ADMIN` in the own user namespace and in the one that owns the network namespace.",
    ),
    ("unshare", "`CAP_SYS_ADMIN` in the own user namespace."),
    (
        "set, and to change links, addresses and routes",
        "`CAP_NET_ADMIN` in the user namespace that owns the network namespace.",
    ),
];

const ROOTLESS: &str = "\
An ordinary user has all of these in a user namespace, with a /run of its own:

    unshare --user --map-root-user --mount --net sh -c 'mount -t tmpfs run /run; nsproxy netns add blue; ...'
";

const FILES: [(&str, &str); 2] = [
    (
        "/run/netns",
        "The names, as `ip netns` has them: a file for each, with a namespace mounted on it.",
    ),
    (
        "/etc/netns/NAME",
        "What is in it lies on the files of the same name in `/etc`, for commands that `exec NAME` runs.",
    ),
];

const EXAMPLES: &str = "\
Two namespaces, a pair of interfaces between them, and addresses:

    nsproxy netns add blue red
    nsproxy netns link add veth a netns blue peer b netns red
    nsproxy netns -n blue address add 10.0.0.1/24 dev a
    nsproxy netns -n blue link set a up
    nsproxy netns -n red address add 10.0.0.2/24 dev b
    nsproxy netns -n red link set b up
    nsproxy netns exec red ping 10.0.0.1

The same lines without `nsproxy netns`, in a file:

    nsproxy netns apply FILE
    nsproxy netns apply FILE --delete
";

pub(crate) fn page() -> String {
    let about = "network namespaces, and interfaces in them";
    let mut page = Page::new("nsproxy-netns", "1", about);
    page.section("SYNOPSIS");
    page.text("`nsproxy netns` [OPTIONS] [SUBCOMMAND]");
    page.section("DESCRIPTION");
    page.text(ABOUT);
    page.text(&format!(
        "Answers and exit codes are those of ip-netns(8), and each can use what the other made.\n\n{NOTE}"
    ));
    page.section("OPTIONS");
    for option in &OPTIONS {
        let value = option.value.map(|value| format!(" {value}")).unwrap_or_default();
        let written = format!("-{}, --{}{value}", option.letter, option.name);
        page.item(&written, option.about);
    }
    page.section("SUBCOMMANDS");
    for entry in &ENTRIES {
        let (usage, text) = entry.text.split_once("\n\n").unwrap_or((entry.text, ""));
        page.subsection(entry.name());
        page.text(&sentence(entry.about));
        let usage: Vec<_> = usage
            .lines()
            .map(|line| line.trim_start_matches("Usage:").trim())
            .collect();
        page.example(&usage);
        page.text(text);
    }
    page.section("EXIT STATUS");
    page.items(&CODES);
    page.text("`exec` and `unshare` become their command, so its exit code and its signals are theirs.");
    page.section("PRIVILEGES");
    page.items(&PRIVILEGES);
    page.text(ROOTLESS);
    page.section("FILES");
    page.items(&FILES);
    page.section("EXAMPLES");
    page.text(EXAMPLES);
    page.section("SEE ALSO");
    page.text("nsproxy(1), nsproxy.cfg(5), ip-netns(8), network_namespaces(7)");
    page.finish()
}

/// With a capital and a full stop.
fn sentence(text: &str) -> String {
    let mut letters = text.chars();
    let first = letters.next().into_iter().flat_map(char::to_uppercase);
    first.chain(letters).chain(['.']).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_has_every_subcommand_with_its_ways_to_write_it() {
        let page = page().replace("\\-", "-");
        for entry in &ENTRIES {
            assert!(
                page.contains(&format!("\n.SS {}\n", entry.name())),
                "{}",
                entry.name()
            );
            let usage = entry.text.lines().next().unwrap();
            let usage = usage.trim_start_matches("Usage: ");
            assert!(page.contains(usage), "{usage}");
        }
        for option in &OPTIONS {
            assert!(page.contains(&format!("--{}", option.name)), "{}", option.name);
        }
    }
}

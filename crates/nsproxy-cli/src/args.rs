//! The shape of the command line; the help text is made from these comments.

use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::{ArgGroup, Args as ClapArgs, CommandFactory as _, Parser, Subcommand, ValueEnum};

use crate::command::header::Header;
use crate::command::netns::{self, Netns};
use crate::endpoint::Endpoint;

/// Relays connections between Linux network namespaces, configured like HAProxy.
///
/// Without a command, `-f` runs a configuration and `-c -f` checks it, as `haproxy` does.
#[derive(Debug, Parser)]
#[command(name = "nsproxy", version, about, long_about = None, max_term_width = 100)]
#[command(
    args_conflicts_with_subcommands = true,
    subcommand_negates_reqs = true,
    arg_required_else_help = true
)]
pub(crate) struct Args {
    #[command(subcommand)]
    pub(crate) command: Option<Command>,
    #[command(flatten)]
    pub(crate) as_haproxy: AsHaproxy,
}

/// What `haproxy` takes.
#[derive(Debug, ClapArgs)]
pub(crate) struct AsHaproxy {
    /// Check the configuration, and do not run it.
    #[arg(short)]
    pub(crate) check: bool,
    #[command(flatten)]
    pub(crate) files: Files,
    /// Change to this directory first.
    #[arg(short = 'C', value_name = "DIR")]
    pub(crate) directory: Option<PathBuf>,
    /// `-db`: stay in the foreground, also if the configuration says `daemon`.
    #[arg(short = 'd', value_name = "b", value_parser = ["b"])]
    pub(crate) foreground: Option<String>,
    /// Go into the background, as with `daemon` in the configuration.
    #[arg(short = 'D')]
    pub(crate) background: bool,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Relay what a HAProxy-syntax configuration says, until SIGTERM or SIGINT.
    ///
    /// The first signal closes the listeners and lets sessions finish for up to 30 seconds; a second one ends at once. SIGHUP reads
    /// the configuration again, SIGUSR2 has a new process take over, SIGUSR1 lets sessions finish in their own time.
    Run(Run),
    /// Check a configuration and say everything that is wrong with it. Exits with 0 or 1.
    Check(Check),
    /// Write configurations in one style, or show what they come to.
    #[command(subcommand)]
    Config(Config),
    /// Relay one address to another, in whichever namespaces they are.
    ///
    /// An endpoint is ADDR:PORT, PORT (on 127.0.0.1) or unix:PATH, with @NETNS
    /// behind it if it is in another network namespace: a name of `ip netns`,
    /// a path, or pid:N. For example:
    ///
    ///     nsproxy forward 127.0.0.1:8080 10.0.0.5:80@tenant1
    #[command(verbatim_doc_comment)]
    Forward(Forward),
    /// Take PROXY headers apart, or build one.
    #[command(subcommand)]
    Header(Header),
    /// Make, list, enter and wire network namespaces, as `ip netns` and `ip link` do.
    Netns(Netns),
    /// Write the script with which a shell completes the words of nsproxy.
    ///
    /// It goes to standard output. Where it belongs:
    ///
    ///     bash   /usr/share/bash-completion/completions/nsproxy
    ///     zsh    /usr/share/zsh/vendor-completions/_nsproxy
    ///     fish   /usr/share/fish/vendor_completions.d/nsproxy.fish
    #[command(verbatim_doc_comment)]
    Completions(Completions),
    /// Write the manual pages: nsproxy(1), nsproxy-netns(1) and nsproxy.cfg(5).
    Man(ManualPages),
    /// Show what nsproxy does, on networks that it makes for the purpose and removes again. Needs no set-up.
    Demo,
}

#[derive(Debug, ClapArgs)]
#[group(id = "files", required = true, multiple = true)]
pub(crate) struct Files {
    /// Configuration file, or a directory of `*.cfg` files; several are read as one, in this order.
    #[arg(short = 'f', long = "file", value_name = "FILE", num_args = 1..)]
    first: Vec<PathBuf>,
    /// More of them, behind a `--`.
    #[arg(last = true, value_name = "FILE")]
    more: Vec<PathBuf>,
}

impl Files {
    pub(crate) fn paths(&self) -> Vec<&Path> {
        self.first
            .iter()
            .chain(&self.more)
            .map(PathBuf::as_path)
            .collect()
    }
}

/// The whole command line, with the words of `nsproxy netns`, which it does not read itself.
pub(crate) fn whole() -> clap::Command {
    Args::command().mut_subcommand(netns::NAME, |hook| {
        netns::described().about(hook.get_about().cloned().unwrap_or_default())
    })
}

#[derive(Debug, ClapArgs)]
pub(crate) struct ManualPages {
    /// Where man1 and man5 are, such as /usr/local/share/man. They are made if they are not there.
    #[arg(value_name = "DIR")]
    pub(crate) directory: PathBuf,
}

#[derive(Debug, ClapArgs)]
pub(crate) struct Completions {
    /// Of which shell.
    #[arg(value_name = "SHELL", value_enum)]
    pub(crate) shell: Shell,
}

/// The shells that can be helped.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Shell {
    Bash,
    Zsh,
    Fish,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Config {
    /// Write configuration files in one style. Comments, and what the files mean, stay as they are.
    Fmt(Fmt),
    /// Show the effective configuration: defaults, variables and conditions resolved, as a configuration that means the
    /// same.
    Show(Show),
}

#[derive(Debug, ClapArgs)]
pub(crate) struct Fmt {
    /// Name the files that are not in the style, and change nothing. Exits with 1 if there are any.
    #[arg(long)]
    pub(crate) check: bool,
    /// Configuration file, or `-` for standard input, which is written to standard output.
    #[arg(value_name = "FILE", required = true)]
    pub(crate) files: Vec<PathBuf>,
}

#[derive(Debug, ClapArgs)]
pub(crate) struct Show {
    #[command(flatten)]
    pub(crate) files: Files,
    /// As JSON, with times in milliseconds and the places of things.
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, ClapArgs)]
pub(crate) struct Run {
    #[command(flatten)]
    pub(crate) files: Files,
    /// Log every session, not only those that failed.
    #[arg(short, long)]
    pub(crate) verbose: bool,
}

#[derive(Debug, ClapArgs)]
pub(crate) struct Check {
    #[command(flatten)]
    pub(crate) files: Files,
}

#[derive(Debug, ClapArgs)]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of the command line")]
#[command(group(ArgGroup::new("header-out").args(["send_proxy", "send_proxy_v2"])))]
pub(crate) struct Forward {
    /// Where to listen.
    #[arg(value_name = "LISTEN")]
    pub(crate) listen: Endpoint,
    /// Where to connect.
    #[arg(value_name = "TARGET")]
    pub(crate) target: Endpoint,
    /// Each connection begins with a PROXY header, v1 or v2.
    #[arg(long)]
    pub(crate) accept_proxy: bool,
    /// Begin each connection to the target with a PROXY v1 header.
    #[arg(long)]
    pub(crate) send_proxy: bool,
    /// Begin each connection to the target with a PROXY v2 header, which carries the listener's namespace as it is written
    /// behind the @.
    #[arg(long)]
    pub(crate) send_proxy_v2: bool,
    /// Connect from the client's own address (HAProxy's `usesrc clientip`); the target's namespace has to route replies
    /// back to nsproxy.
    #[arg(long)]
    pub(crate) source_client: bool,
    /// Give up connecting to the target after this time.
    #[arg(long, value_name = "TIME", default_value = "10s", value_parser = humantime::parse_duration)]
    pub(crate) connect_timeout: Duration,
    /// End a connection on which nothing has moved for this time [default: never].
    #[arg(long, value_name = "TIME", value_parser = humantime::parse_duration)]
    pub(crate) idle_timeout: Option<Duration>,
    /// Log every connection, not only those that failed.
    #[arg(short, long)]
    pub(crate) verbose: bool,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Args::command().debug_assert();
        whole().debug_assert();
    }
}

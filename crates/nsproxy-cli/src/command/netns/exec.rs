//! `nsproxy netns exec NAME COMMAND...`: becomes a command in a namespace. The process stays the same: its number, its
//! environment, its directory, its open files.
//!
//! With `-all` it runs the command in each namespace in turn, as a child.

use std::ffi::{OsStr, OsString};
use std::os::unix::process::CommandExt as _;
use std::process::Command;

use netns_core::{ExecEnvironment, Netns, NetnsSpec};

use super::context::{Context, print};
use super::failure::{FAILED, Failure, Result, USAGE, warn};
use super::words::{Word, Words};

pub(super) fn run(context: &Context, words: &mut Words<'_>) -> Result {
    if context.options.all {
        return in_each(context, words);
    }
    let name = words
        .next()
        .ok_or_else(|| Failure::new(FAILED, "No netns name specified"))?;
    let command = command(words)?;
    let spec = name.netns_spec()?;
    let netns = context.open(&spec).map_err(|failure| failure.with_code(USAGE))?;
    let environment = match spec.name() {
        Some(name) => ExecEnvironment::named(name),
        None => ExecEnvironment::unnamed(),
    };
    become_command(&netns, &environment, &command).map_err(|failure| failure.about(&spec))
}

/// Goes inside and becomes the command. It returns only when that failed.
pub(super) fn become_command(netns: &Netns, environment: &ExecEnvironment, command: &[&OsStr]) -> Result {
    let Some((program, arguments)) = command.split_first() else {
        return Err(no_command());
    };
    for warning in environment
        .enter(netns)
        .map_err(|error| Failure::caused(USAGE, error))?
    {
        warn(warning);
    }
    // It also gives SIGPIPE its ordinary meaning back, which the runtime of this program had taken away.
    let error = Command::new(program).args(arguments).exec();
    Err(Failure::new(
        FAILED,
        format_args!("exec of \"{}\" failed: {error}", super::words::shown(program)),
    ))
}

/// The words of the command. `--` before it is allowed, and not a part of it.
pub(super) fn command<'a>(words: &mut Words<'a>) -> Result<Vec<&'a OsStr>> {
    words.take_if("--");
    let command: Vec<_> = words.map(|word: &Word| word.text.as_os_str()).collect();
    if command.is_empty() {
        return Err(no_command());
    }
    Ok(command)
}

fn no_command() -> Failure {
    Failure::new(FAILED, "No command specified")
}

/// Each child is this program again, with one name: what may fail between fork and exec fails in a whole process, which
/// says so itself.
fn in_each(context: &Context, words: &mut Words<'_>) -> Result {
    let command = command(words)?;
    let mut outcome = Ok(());
    for entry in context.registry.list()? {
        print([b"\nnetns: ", entry.name.as_bytes(), b"\n"].concat())?;
        let fixed = ["netns", "exec", "--"].map(OsStr::new);
        let path = context.registry.path().join(&entry.name);
        // A name that would be read as a process is given by its path.
        let netns = match NetnsSpec::try_from(entry.name.clone()) {
            Ok(_) => entry.name.as_os_str(),
            Err(_) => path.as_os_str(),
        };
        let arguments = fixed.into_iter().chain([netns]);
        let status = Command::new(own_path())
            .args(arguments)
            .args(&command)
            .status()
            .map_err(|error| Failure::new(FAILED, format_args!("cannot start a process: {error}")))?;
        if !status.success() {
            outcome = Err(Failure::told());
        }
    }
    outcome
}

/// The file that is running, also if another has its name by now.
fn own_path() -> OsString {
    "/proc/self/exe".into()
}

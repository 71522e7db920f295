//! `nsproxy netns unshare [--] COMMAND...`: becomes a command in a new namespace without a name, which lives as long as
//! something is in it. Its `lo` is down.

use netns_core::{ExecEnvironment, Netns};

use super::exec::{become_command, command};
use super::failure::Result;
use super::words::Words;

pub(super) fn run(words: &mut Words<'_>) -> Result {
    let command = command(words)?;
    become_command(&Netns::create()?, &ExecEnvironment::unnamed(), &command)
}

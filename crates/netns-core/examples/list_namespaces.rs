//! Lists the named network namespaces, and what is behind names that lead to none.
//!
//! ```sh
//! cargo run --example list_namespaces            # those of `ip netns`
//! cargo run --example list_namespaces -- DIR     # those of another directory
//! ```

use std::env;
use std::io::{self, Write as _};

use netns_core::{EntryState, Registry};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let registry = env::args_os().nth(1).map_or_else(Registry::system, Registry::at);
    let mut entries = registry.list()?;
    entries.sort_by(|a, b| a.name.cmp(&b.name));

    let mut out = io::stdout().lock();
    for entry in entries {
        let name = entry.name;
        match entry.state {
            EntryState::Live { id } => writeln!(out, "{name}: namespace {id}")?,
            EntryState::Dangling => writeln!(out, "{name}: dead, nothing is mounted on it")?,
            EntryState::Symlink { to, id: Some(id) } => {
                writeln!(out, "{name}: namespace {id}, by a symlink to {}", to.display())?;
            }
            EntryState::Symlink { to, id: None } => {
                writeln!(
                    out,
                    "{name}: a symlink to {}, where no network namespace is",
                    to.display()
                )?;
            }
            EntryState::WrongType { found } => writeln!(out, "{name}: {found}")?,
            EntryState::Unreadable { error } => writeln!(out, "{name}: {error}")?,
            other => writeln!(out, "{name}: {other:?}")?,
        }
    }
    Ok(())
}

//! `nsproxy man DIR`: the manual pages, as files where `man` looks for them: `DIR/man1` and `DIR/man5`.

use std::fs;
use std::process::ExitCode;

use anyhow::Context as _;

use crate::args::ManualPages;
use crate::manual;

pub(crate) fn man(args: &ManualPages) -> anyhow::Result<ExitCode> {
    for (name, text) in manual::pages() {
        let section = name.rsplit('.').next().unwrap_or_default();
        let directory = args.directory.join(format!("man{section}"));
        fs::create_dir_all(&directory).with_context(|| format!("cannot make {}", directory.display()))?;
        let path = directory.join(name);
        fs::write(&path, text).with_context(|| format!("cannot write {}", path.display()))?;
    }
    Ok(ExitCode::SUCCESS)
}

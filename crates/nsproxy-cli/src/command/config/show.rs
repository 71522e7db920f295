//! `nsproxy config show`: what configurations come to.

use std::io::{self, Write as _};
use std::process::ExitCode;

use crate::args::Show;
use crate::command::check;
use crate::files::ConfigFiles;

pub(super) fn show(args: &Show) -> anyhow::Result<ExitCode> {
    let config = check::load(&ConfigFiles::of(&args.files))?;
    let mut out = io::stdout().lock();
    if args.json {
        serde_json::to_writer_pretty(&mut out, &config)?;
        writeln!(out)?;
    } else {
        write!(out, "{}", config.show())?;
    }
    out.flush()?;
    Ok(ExitCode::SUCCESS)
}

//! `nsproxy config`: configurations as text, without running them.

mod fmt;
mod show;

use std::process::ExitCode;

use crate::args::Config;

pub(crate) fn config(args: &Config) -> anyhow::Result<ExitCode> {
    match args {
        Config::Fmt(args) => fmt::fmt(args),
        Config::Show(args) => show::show(args),
    }
}

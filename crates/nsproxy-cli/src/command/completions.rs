//! `nsproxy completions SHELL`: a script with which a shell completes the words of `nsproxy`.

use std::io::{self, Write as _};
use std::process::ExitCode;

use anyhow::Context as _;
use clap_complete::Shell as Generator;

use crate::args::{Completions, Shell, whole};

pub(crate) fn completions(args: &Completions) -> anyhow::Result<ExitCode> {
    let script = script(args.shell);
    let mut output = io::stdout().lock();
    output
        .write_all(&script)
        .and_then(|()| output.flush())
        .context("cannot write to standard output")?;
    Ok(ExitCode::SUCCESS)
}

fn script(shell: Shell) -> Vec<u8> {
    let generator = match shell {
        Shell::Bash => Generator::Bash,
        Shell::Zsh => Generator::Zsh,
        Shell::Fish => Generator::Fish,
    };
    let mut script = Vec::new();
    clap_complete::generate(generator, &mut whole(), "nsproxy", &mut script);
    script
}

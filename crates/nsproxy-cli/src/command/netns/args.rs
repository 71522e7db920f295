//! The hook of `nsproxy netns` into the command line. It takes the words as they are: abbreviated subcommands, options with
//! one dash, and a command of another program behind them are beyond a declarative parser. `options.rs` and `words.rs` read
//! them.

use std::ffi::OsString;

use clap::Args;

#[derive(Debug, Args)]
#[command(disable_help_flag = true)]
pub(crate) struct Netns {
    /// Options, a subcommand and its words; `nsproxy netns --help` lists them.
    #[arg(
        value_name = "WORDS",
        trailing_var_arg = true,
        allow_hyphen_values = true,
        num_args = 0..
    )]
    pub(crate) words: Vec<OsString>,
}

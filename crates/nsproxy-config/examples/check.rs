//! Checks configuration files, as `nsproxy check` does: `cargo run --example check -- FILE...`
//!
//! Prints what is wrong with them, or where they listen and connect.

use std::path::PathBuf;
use std::process::ExitCode;

use nsproxy_config::model::BindAddress;
use nsproxy_config::{Config, load};

#[expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "an example that talks to a person"
)]
fn main() -> ExitCode {
    let files: Vec<PathBuf> = std::env::args_os().skip(1).map(PathBuf::from).collect();
    match load(&files) {
        Ok(loaded) => {
            eprint!("{}", loaded.warnings);
            print!("{}", summary(&loaded.config));
            ExitCode::SUCCESS
        }
        Err(report) => {
            eprint!("{report}");
            ExitCode::FAILURE
        }
    }
}

fn summary(config: &Config) -> String {
    let mut lines = Vec::new();
    for frontend in &config.frontends {
        let target = frontend.backend.map_or("nothing", |id| &config.backend(id).name);
        for bind in &frontend.binds {
            let address = match &bind.address {
                BindAddress::Ip { ip, ports } if ports.first() == ports.last() => {
                    format!("{ip} port {}", ports.first())
                }
                BindAddress::Ip { ip, ports } => format!("{ip} ports {} to {}", ports.first(), ports.last()),
                BindAddress::Unix(path) => path.display().to_string(),
                BindAddress::Abstract(name) => name.to_string(),
                BindAddress::Inherited(descriptor) => format!("descriptor {descriptor}"),
                BindAddress::Activated(name) => format!("the sockets called {name}"),
            };
            let netns = bind
                .netns
                .as_ref()
                .map_or_else(String::new, |netns| format!(" in `{netns}`"));
            lines.push(format!("{}: {address}{netns} -> {target}\n", frontend.name));
        }
    }
    lines.concat()
}

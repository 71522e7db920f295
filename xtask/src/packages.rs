//! The real programs that tests run against: found, or installed from Debian's packages as root.
//!
//! Installing a server's package usually starts the server. A temporary `policy-rc.d` (invoke-rc.d(8))
//! prevents that, so nothing that this program installed is left running.

use std::env;
use std::fs;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::Path;
use std::process::Command;

use anyhow::{Context as _, bail, ensure};

/// A package, and a file by which it is known to be there, whatever installed it.
struct Package {
    name: &'static str,
    file: &'static str,
}

const PACKAGES: [Package; 14] = [
    Package {
        name: "haproxy",
        file: "haproxy",
    },
    Package {
        name: "nginx",
        file: "nginx",
    },
    Package {
        name: "libnginx-mod-stream",
        file: "/usr/lib/nginx/modules/ngx_stream_module.so",
    },
    Package {
        name: "iproute2",
        file: "ip",
    },
    Package {
        name: "curl",
        file: "curl",
    },
    Package {
        name: "iperf3",
        file: "iperf3",
    },
    Package {
        name: "nftables",
        file: "nft",
    },
    Package {
        name: "valgrind",
        file: "valgrind",
    },
    Package {
        name: "util-linux",
        file: "unshare",
    },
    Package {
        name: "man-db",
        file: "man",
    },
    Package {
        name: "groff-base",
        file: "groff",
    },
    Package {
        name: "mandoc",
        file: "mandoc",
    },
    Package {
        name: "zsh",
        file: "zsh",
    },
    Package {
        name: "fish",
        file: "fish",
    },
];

/// Where a program without a directory is looked for, besides `PATH`.
const SYSTEM_PLACES: [&str; 3] = ["/usr/local/sbin", "/usr/sbin", "/sbin"];

const POLICY: &str = "/usr/sbin/policy-rc.d";
/// 101 is "action forbidden by policy". The comment tells our file from the machine's own.
const POLICY_TEXT: &str = "#!/bin/sh\n# Placed by nsproxy's xtask while it installs packages.\nexit 101\n";

/// Makes sure that the programs are there.
///
/// Not as root, or without apt-get, it names what is missing and goes on, since the tests that need a
/// program skip without it; with `CI=true` nothing may be missing.
pub(crate) fn provide() -> anyhow::Result<()> {
    let wanted = missing();
    if wanted.is_empty() {
        println!("all programs that tests run against are installed");
        return Ok(());
    }
    let command = format!("apt-get install --no-install-recommends {}", wanted.join(" "));
    if is_root()? && find("apt-get") {
        install(&wanted)?;
        let still = missing();
        ensure!(
            still.is_empty(),
            "still missing after `{command}`: {}",
            still.join(", ")
        );
    } else if env::var("CI").is_ok_and(|value| value == "true") {
        bail!("missing: {}; CI=true runs every test", wanted.join(", "));
    } else {
        println!("missing, so some tests will skip: {}", wanted.join(", "));
        println!("on Debian: sudo {command}");
    }
    Ok(())
}

fn missing() -> Vec<&'static str> {
    PACKAGES
        .iter()
        .filter(|package| !find(package.file))
        .map(|package| package.name)
        .collect()
}

fn find(file: &str) -> bool {
    if file.starts_with('/') {
        return Path::new(file).exists();
    }
    let path = env::var_os("PATH").unwrap_or_default();
    env::split_paths(&path)
        .chain(SYSTEM_PLACES.map(Into::into))
        .any(|place| place.join(file).is_file())
}

/// By the owner of our own process's directory, which needs neither a library nor unsafe code.
fn is_root() -> anyhow::Result<bool> {
    let own = fs::metadata("/proc/self").context("/proc is not mounted")?;
    Ok(own.uid() == 0)
}

fn install(packages: &[&str]) -> anyhow::Result<()> {
    let _policy = StartPolicy::place(Path::new(POLICY))?;
    let attempt = || {
        apt_get(&["update"])?;
        apt_get(&[&["install", "--yes", "--no-install-recommends"], packages].concat())
    };
    // Mirrors fail now and then; a second time is no accident.
    attempt().or_else(|error| {
        println!("once more: {error:#}");
        attempt()
    })
}

fn apt_get(arguments: &[&str]) -> anyhow::Result<()> {
    println!("$ apt-get {}", arguments.join(" "));
    let status = Command::new("apt-get")
        .args(arguments)
        .env("DEBIAN_FRONTEND", "noninteractive")
        .status()
        .context("cannot run apt-get")?;
    ensure!(
        status.success(),
        "apt-get {} ended with {status}",
        arguments.join(" ")
    );
    Ok(())
}

/// Forbids that installed services start, for as long as it lives. A policy that the machine has already
/// is its owner's, and stays.
struct StartPolicy<'a> {
    path: &'a Path,
    is_ours: bool,
}

impl<'a> StartPolicy<'a> {
    fn place(path: &'a Path) -> anyhow::Result<Self> {
        // One of ours may be left from an installation that was interrupted.
        let is_ours = match fs::read_to_string(path) {
            Ok(text) => text == POLICY_TEXT,
            Err(_) => !path.exists(),
        };
        if is_ours {
            fs::write(path, POLICY_TEXT).with_context(|| format!("cannot write {}", path.display()))?;
            fs::set_permissions(path, fs::Permissions::from_mode(0o755))?;
        }
        Ok(Self { path, is_ours })
    }
}

impl Drop for StartPolicy<'_> {
    fn drop(&mut self) {
        if self.is_ours
            && let Err(error) = fs::remove_file(self.path)
        {
            println!("cannot remove {}: {error}", self.path.display());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_start_policy_forbids_starts_and_is_removed() {
        let directory = tempfile::tempdir().expect("a directory can be made");
        let path = directory.path().join("policy-rc.d");
        for _ in 0..2 {
            let policy = StartPolicy::place(&path).expect("it can be placed");
            let status = Command::new(&path).status().expect("it is a program");
            assert_eq!(status.code(), Some(101));
            drop(policy);
            assert!(!path.exists());
            // The second time, one is left from before.
            fs::write(&path, POLICY_TEXT).expect("a file can be written");
        }
    }

    #[test]
    fn the_machines_own_start_policy_stays() {
        let directory = tempfile::tempdir().expect("a directory can be made");
        let path = directory.path().join("policy-rc.d");
        fs::write(&path, "#!/bin/sh\nexit 0\n").expect("a file can be written");
        drop(StartPolicy::place(&path).expect("it can be placed"));
        assert_eq!(
            fs::read_to_string(&path).expect("it is there"),
            "#!/bin/sh\nexit 0\n"
        );
    }
}

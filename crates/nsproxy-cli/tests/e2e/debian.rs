//! Debian's own configuration file under a proxy that says `mode tcp`, as HAProxy and nsproxy run it.

use std::fs;
use std::path::Path;
use std::process::Command;

use nix::unistd::User;
use nsproxy_testkit::{Running, World, require, skip};

use crate::admin::answer;
use crate::common::{Proxy, line_with, nsproxy, session, soon};
use crate::identity::world_with_users;

/// The file as Debian 12 installs it, with a relay from port 8000 to port 9000 behind it.
const FILE: &str = include_str!("../../../nsproxy-config/tests/warn/debians_file.cfg");
const PLACE: &str = "127.0.0.1:8000";
const SOCKET: &str = "/run/haproxy/admin.sock";

/// What Debian's package has made: a user, and its directory.
fn has_debians_user() -> bool {
    let user = User::from_name("haproxy").ok().flatten();
    let is_there = user.is_some() && Path::new("/var/lib/haproxy").is_dir();
    if !is_there {
        skip("there is no user `haproxy` with its /var/lib/haproxy: install the package");
    }
    is_there
}

/// In the foreground, whatever `daemon` says.
fn start(w: &World, proxy: &Proxy) -> Running {
    let command: Command = match proxy {
        Proxy::Haproxy(program) => w.haproxy(program, "haproxy", FILE),
        Proxy::Nsproxy => {
            let mut command = nsproxy(&["-db", "-f"]);
            command.arg(w.write("nsproxy.cfg", FILE));
            command
        }
    };
    let running = w.home().spawn(command);
    w.home().wait_listening(PLACE, soon());
    running
}

#[test]
fn debians_file_runs_with_its_user_its_root_and_its_admin_socket_as_under_haproxy() {
    let both = require!(Proxy::both());
    world_with_users("debian", |w| {
        if !has_debians_user() {
            return;
        }
        // This `/run` is the test's own.
        fs::create_dir("/run/haproxy").expect("an empty /run");
        let server = w.home().listen("127.0.0.1:9000");
        for proxy in both {
            let running = start(w, &proxy);
            let _session = session(w.home(), PLACE, &server);
            let process = format!("/proc/{}", running.pid());
            let root = fs::read_link(format!("{process}/root")).expect("a process with a root");
            assert_eq!(root, Path::new("/var/lib/haproxy"), "{proxy:?}");
            let status = fs::read_to_string(format!("{process}/status")).expect("a process with a status");
            let uid = User::from_name("haproxy").expect("users").expect("that one").uid;
            assert!(
                status.contains(&format!("Uid:\t{uid}\t{uid}\t{uid}\t{uid}")),
                "{status}"
            );
            let info = answer(Path::new(SOCKET), "show info");
            assert!(info.contains("\nMaxconn: "), "{info}");
            if let Proxy::Nsproxy = proxy {
                // All that there is to warn about: what only HTTP and TLS would use, and a syslog socket that may be missing.
                line_with(&running, &["warning: 12 lines concern only HTTP or TLS"]);
                let warnings = running.stderr().matches("warning: ").count();
                let log = 2 * usize::from(!Path::new("/dev/log").exists());
                assert_eq!(warnings, 1 + log, "{}", running.stderr());
            }
        }
    });
}

//! Without privileges: in a user namespace of its own everything works; outside of one the missing capability is named.

use nsproxy_testkit::{Finished, Program, World, require, world};

use crate::common::{answer, has, quiet};

const NSPROXY: &str = env!("CARGO_BIN_EXE_nsproxy");

/// Runs a shell script without any capability, as far as `setpriv` can take them away.
fn without_capabilities(setpriv: &Program, w: &World, script: &str) -> Finished {
    let mut command = setpriv.command();
    command
        .args([
            "--bounding-set",
            "-all",
            "--inh-caps",
            "-all",
            "--ambient-caps",
            "-all",
            "--",
        ])
        .args(["sh", "-c", script]);
    w.home().output(command)
}

#[test]
fn the_missing_capability_is_named() {
    let setpriv = require!(Program::find("setpriv"));
    world("no-capability", |w| {
        answer(w, "add foo");
        for words in ["add bar", "delete foo", "exec foo true", "unshare true"] {
            let finished = without_capabilities(&setpriv, w, &format!("{NSPROXY} netns {words}"));
            assert!(!finished.status.success(), "{words}");
            has(&finished.stderr, &["CAP_SYS_ADMIN", "not permitted"]);
        }
        for words in [
            "exec foo true",
            "-n foo link",
            "link add veth a netns foo peer b",
            "set foo 1",
        ] {
            let finished = without_capabilities(&setpriv, w, &format!("{NSPROXY} netns {words}"));
            has(&finished.stderr, &["network namespace `foo`: cannot "]);
        }
        for words in [
            "link add bridge br0",
            "link set lo up",
            "address add 10.0.0.1/24 dev lo",
            "set foo 1",
        ] {
            let finished = without_capabilities(&setpriv, w, &format!("{NSPROXY} netns {words}"));
            has(&finished.expect_code(2), &["CAP_NET_ADMIN", "not permitted"]);
        }
        // What needs no privilege works without.
        let list = without_capabilities(&setpriv, w, &format!("{NSPROXY} netns list"));
        assert_eq!(quiet(list), "foo\n");
    });
}

#[test]
fn everything_works_in_a_user_namespace() {
    let unshare = require!(Program::find("unshare"));
    world("rootless", |w| {
        let script = format!(
            "set -e; mount -t tmpfs run /run; N='{NSPROXY} netns'; \
             $N add a b; $N link add veth v0 netns a peer v1 netns b; \
             $N -n a address add 10.0.0.1/24 dev v0; $N -n a link set v0 up; $N set a 3; \
             $N list; $N exec a ls /sys/class/net; $N -n a address show v0; $N unshare true; \
             $N exec a {NSPROXY} netns identify; $N -all delete; $N list"
        );
        let mut command = unshare.command();
        command.args([
            "--user",
            "--map-root-user",
            "--mount",
            "--net",
            "--",
            "sh",
            "-c",
            &script,
        ]);
        let finished = w.home().output(command);
        if finished.stderr.contains("unshare failed") {
            return nsproxy_testkit::skip("this system allows no user namespaces");
        }
        let printed = quiet(finished);
        has(&printed, &["a (id: 3)\n", "lo\nv0\n", "10.0.0.1/24", "\na\n"]);
    });
}

//! Worlds: private, nested in nothing, and empty afterwards.

use std::any::Any;
use std::fs;
use std::panic::{self, AssertUnwindSafe};
use std::path::Path;
use std::process::Command;
use std::thread;
use std::time::Duration;

use nsproxy_testkit::{Deadline, Peer, Program, Service, World, pattern, require, world};

/// Which namespace of this kind the calling thread is in.
fn link(kind: &str) -> String {
    let link = fs::read_link(format!("/proc/thread-self/ns/{kind}")).expect("/proc is mounted");
    link.to_string_lossy().into_owned()
}

fn veth_world(w: &World) {
    w.add_netns("tenant1");
    w.add_netns("relay");
    w.veth(
        ("tenant1", "eth0", "10.0.0.1/24"),
        ("relay", "eth1", "10.0.0.2/24"),
    );
}

fn panic_message(body: impl FnOnce()) -> String {
    let payload = panic::catch_unwind(AssertUnwindSafe(body)).expect_err("the body was to panic");
    *payload.downcast::<String>().expect("a message")
}

/// How the world of this body fails; `None` where it is made by a second run of the test as another user.
fn failure_of_world(name: &str, body: impl FnOnce(&World) + Send) -> Option<String> {
    let mut made = false;
    let outcome = panic::catch_unwind(AssertUnwindSafe(|| {
        world(name, |w| {
            made = true;
            body(w);
        });
    }));
    let message = |payload: Box<dyn Any + Send>| *payload.downcast::<String>().expect("a message");
    made.then(|| message(outcome.expect_err("the world was to fail")))
}

#[test]
fn the_body_runs_in_namespaces_of_its_own() {
    let (mounts, network) = (link("mnt"), link("net"));
    world("own-namespaces", |_| {
        assert_ne!(link("mnt"), mounts);
        assert_ne!(link("net"), network);
    });
    assert_eq!((link("mnt"), link("net")), (mounts, network));
}

#[test]
fn names_are_seen_in_the_world_and_not_outside() {
    let name = format!("testkit-{}", std::process::id());
    let registered = Path::new("/run/netns").join(&name);
    world("private-names", |w| {
        w.add_netns(&name);
        assert!(registered.exists());
        assert!(w.home().ip("netns list").contains(&name));
        let outside = Path::new("/proc/1/root").join(registered.strip_prefix("/").unwrap());
        assert!(!outside.exists());
        w.remove_netns(&name);
        assert!(!registered.exists());
    });
    assert!(!registered.exists());
}

#[test]
fn children_inherit_the_namespaces_of_the_thread_that_starts_them() {
    world("inherited", |w| {
        let output = Command::new("readlink")
            .args(["/proc/self/ns/net", "/proc/self/ns/mnt"])
            .output();
        let printed = String::from_utf8(output.unwrap().stdout).unwrap();
        assert_eq!(printed, format!("{}\n{}\n", link("net"), link("mnt")));

        let tenant = w.add_netns("tenant1");
        let inside = tenant.run(|| link("net"));
        let mut command = Command::new("readlink");
        command.args(["/proc/self/ns/net", "/proc/self/ns/mnt"]);
        assert_eq!(
            tenant.output(command).expect_success(),
            format!("{inside}\n{}\n", link("mnt"))
        );
    });
}

#[test]
fn a_closure_runs_inside_and_the_caller_stays_outside() {
    world("run-in", |w| {
        w.add_netns("tenant1");
        let home = link("net");
        let inside = w.run_in("tenant1", || link("net"));
        assert_ne!(inside, home);
        assert_eq!(link("net"), home);
    });
}

#[test]
fn peers_reach_each_other_over_a_veth_pair() {
    world("veth", |w| {
        veth_world(w);
        let service = Service::reply(w.netns("tenant1").listen("10.0.0.1:0"), "hello from tenant1");
        let peer = w.netns("relay").connect(service.address());
        assert_eq!(peer.local_addr().inet().ip().to_string(), "10.0.0.2");
        peer.expect("hello from tenant1");
        peer.expect_eof();
    });
}

#[test]
fn ipv6_addresses_can_be_used_at_once() {
    world("veth-ipv6", |w| {
        w.add_netns("one");
        w.add_netns("other");
        w.veth(("one", "eth0", "fd00::1/64"), ("other", "eth0", "fd00::2/64"));
        let echo = Service::echo(w.netns("one").listen("[fd00::1]:0"));
        let peer = w.netns("other").connect(echo.address());
        peer.send(pattern(1, 10_000));
        peer.expect(pattern(1, 10_000));
    });
}

#[test]
fn the_same_address_lives_in_two_namespaces() {
    world("overlapping", |w| {
        let replies = ["tenant1", "tenant2"].map(|name| {
            let tenant = w.add_netns(name);
            (
                tenant.clone(),
                Service::reply(tenant.listen("127.0.0.1:8080"), name),
            )
        });
        for (tenant, _service) in &replies {
            tenant.connect("127.0.0.1:8080").expect(tenant.name());
        }
    });
}

#[test]
fn listening_sockets_are_found_without_connecting() {
    world("listening", |w| {
        let tenant = w.add_netns("tenant1");
        let soon = || Deadline::after(Duration::from_millis(20));
        for address in ["127.0.0.1:80", "[::1]:80", "unix:/run/world/socket"] {
            assert!(panic_message(|| tenant.wait_listening(address, soon())).contains("nothing listens"));
            let listener = tenant.listen(address);
            tenant.wait_listening(address, soon());
            listener.expect_no_connection(Duration::from_millis(20));
        }
    });
}

#[test]
fn a_failing_body_fails_the_test() {
    let message = failure_of_world("failing", |w| {
        let missing = w.path("missing");
        assert!(missing.exists(), "no file {}", missing.display());
    });
    assert!(message.is_none_or(|message| message == "no file /run/world/missing"));
}

#[test]
fn a_process_left_behind_is_killed_and_reported() {
    let setsid = require!(Program::find("setsid"));
    let message = failure_of_world("leftover-process", |w| {
        // In a session of its own, so that the group of the shell does not have it.
        let mut command = Command::new("sh");
        command
            .arg("-c")
            .arg(format!("{} sleep 600 >/dev/null 2>&1 &", setsid.path().display()));
        w.home().output(command).expect_success();
    });
    assert!(message.is_none_or(|message| message.contains("(sleep)")));
}

#[test]
fn a_socket_left_behind_is_reported() {
    let mut kept: Option<Peer> = None;
    let message = failure_of_world("leftover-socket", |w| {
        let tenant = w.add_netns("tenant1");
        let listener = tenant.listen("127.0.0.1:0");
        kept = Some(tenant.connect(listener.address()));
    });
    assert!(message.is_none_or(|message| message.contains("socket:[")));
}

#[test]
fn a_thread_left_behind_is_reported() {
    let (stop, stopped) = std::sync::mpsc::channel::<()>();
    let message = failure_of_world("leftover-thread", |_| {
        thread::Builder::new()
            .name("straggler".to_owned())
            .spawn(move || stopped.recv())
            .unwrap();
    });
    drop(stop);
    assert!(message.is_none_or(|message| message.contains("(straggler)")));
}

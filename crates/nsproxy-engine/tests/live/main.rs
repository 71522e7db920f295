//! Namespaces that are missing, come, go and are replaced while the engine runs.
#![allow(clippy::unwrap_used, reason = "a panic is how a test reports")]

#[path = "../common/mod.rs"]
mod common;
mod listeners;
mod patterns;
mod sessions;

use std::fs::File;
use std::path::Path;
use std::process::Command;

use common::{in_netns, listener_at, server};
use nsproxy_engine::Plan;
use nsproxy_testkit::{Address, DEFAULT_DEADLINE, Deadline, Netns, Peer, World};

/// Where the listeners of these tests are, and how a client in their namespace reaches them.
const WEB: &str = "0.0.0.0:8080";
const HERE: &str = "127.0.0.1:8080";

/// From a listener in the namespace `tenant1` to a server here.
fn plan_from_tenant1(to: &Address) -> Plan {
    Plan::forward(in_netns("tenant1", listener_at(WEB)), server(to), None)
}

fn expect_echo(client: &Peer, text: &str) {
    client.send(text);
    client.expect(text);
}

/// Waits until something listens there.
fn wait_for_listener(netns: &Netns) {
    netns.wait_listening(HERE, Deadline::after(DEFAULT_DEADLINE));
}

fn connects(netns: &Netns) -> bool {
    netns.run(|| Peer::try_connect(HERE)).is_ok()
}

/// Mounts what is at one path over another one, which is made if it is not there.
fn bind_mount(w: &World, from: &str, to: &str) {
    if !Path::new(to).exists() {
        File::create(to).unwrap();
    }
    run(w, "mount", &["--bind", from, to]);
}

fn run(w: &World, program: &str, arguments: &[&str]) {
    let mut command = Command::new(program);
    command.args(arguments);
    w.home().output(command).expect_success();
}

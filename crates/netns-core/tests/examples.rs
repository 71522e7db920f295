//! The examples do what their first lines say.
//!
//! `cargo test` builds them; with `--test examples` alone they may be missing, or old.

#![expect(clippy::unwrap_used, reason = "a panic is how a test fails")]

mod util;

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::Shutdown;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::thread;

use netns_core::links::Links;
use netns_core::tcp_listener;
use util::{in_private_namespaces, name, registry, skip, this_test};

/// The program of an example, beside that of this test.
fn example(name: &str) -> Option<PathBuf> {
    let this_program = std::env::current_exe().unwrap();
    let path = this_program
        .ancestors()
        .nth(2)
        .unwrap()
        .join("examples")
        .join(name);
    if path.exists() {
        return Some(path);
    }
    skip(&this_test(), &format!("there is no {}", path.display()));
    None
}

fn output(command: &mut Command) -> String {
    let output = command.output().unwrap();
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn the_topology_carries_a_greeting() {
    let Some(program) = example("topology") else {
        return;
    };
    in_private_namespaces(|| {
        assert!(output(&mut Command::new(&program)).contains(": hello, "));
    });
}

#[test]
fn the_list_has_each_name_with_its_namespace() {
    let Some(program) = example("list_namespaces") else {
        return;
    };
    in_private_namespaces(|| {
        let id = registry().add(&name("blue")).unwrap().id().unwrap();
        assert_eq!(
            output(&mut Command::new(&program)),
            format!("blue: namespace {id}\n")
        );
    });
}

#[test]
fn the_connection_is_made_from_inside() {
    let Some(program) = example("connect_from_netns") else {
        return;
    };
    in_private_namespaces(|| {
        let blue = registry().add(&name("blue")).unwrap();
        Links::in_netns(&blue).unwrap().set_up("lo").unwrap();
        let listener = tcp_listener(&blue, "127.0.0.1:0".parse().unwrap()).unwrap();
        let address = listener.local_addr().unwrap();
        thread::scope(|scope| {
            scope.spawn(|| {
                let (mut stream, _) = listener.accept().unwrap();
                let mut request = String::new();
                stream.read_to_string(&mut request).unwrap();
                write!(stream, "you said {request}").unwrap();
                stream.shutdown(Shutdown::Write).unwrap();
            });
            let mut client = Command::new(&program)
                .args(["blue", &address.to_string()])
                .stdin(Stdio::piped())
                .stdout(Stdio::piped())
                .spawn()
                .unwrap();
            client.stdin.take().unwrap().write_all(b"hello").unwrap();
            let output = client.wait_with_output().unwrap();
            assert!(output.status.success(), "{output:?}");
            assert_eq!(output.stdout, b"you said hello");
        });
    });
}

#[test]
fn the_watch_tells_of_what_is_there_and_of_what_comes() {
    let Some(program) = example("watch_namespaces") else {
        return;
    };
    in_private_namespaces(|| {
        registry().add(&name("blue")).unwrap();
        let mut watch = Command::new(&program).stdout(Stdio::piped()).spawn().unwrap();
        let mut lines = BufReader::new(watch.stdout.take().unwrap()).lines();
        let mut next = || lines.next().unwrap().unwrap();
        assert!(next().starts_with("blue: is there, namespace "));
        registry().add(&name("red")).unwrap();
        assert_eq!(next(), "red: added");
        assert!(next().starts_with("red: ready, namespace "));
        watch.kill().unwrap();
        watch.wait().unwrap();
    });
}

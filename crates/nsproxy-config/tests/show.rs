//! What is shown is accepted, and means the same.

#![expect(clippy::unwrap_used, reason = "in a test a panic is the failure report")]

use std::fs;
use std::path::Path;

use nsproxy_config::reference::{Home, keywords};
use nsproxy_config::{Config, Source, parse};

fn read(text: &str) -> Result<Config, String> {
    let loaded = parse(vec![Source::new("test.cfg", text)], &|_| None);
    loaded
        .map(|loaded| loaded.config)
        .map_err(|report| report.to_string())
}

#[track_caller]
fn shows_the_same(text: &str) {
    let config = read(text).unwrap();
    let shown = config.show().to_string();
    let again = read(&shown).unwrap_or_else(|report| panic!("{shown}\n{report}"));
    assert!(
        config.means_the_same_as(&again),
        "{text}\n{shown}\n{config:#?}\n{again:#?}"
    );
    assert_eq!(again.show().to_string(), shown);
    assert_eq!(
        nsproxy_config::format(Source::new("test.cfg", &*shown)).unwrap(),
        shown
    );
}

#[test]
fn the_effective_configuration_is_this() {
    let config = read(
        "global\n maxconn 10\ndefaults\n timeout client 90s\n timeout connect 5s\n timeout server 1500\n\
         namespace_list\n namespace b a\nlisten l\n bind :80-81,/tmp/x name \"a b\"\n source [::] usesrc client\n\
         server s ::1:80 namespace pid:1\n server t * namespace * send-proxy\n",
    );
    let expected = "\
global
    maxconn 10

namespace_list
    namespace a
    namespace b

frontend l
    mode tcp
    bind 0.0.0.0:80-81 name \"a b\"
    bind /tmp/x name \"a b\"
    timeout client 90s
    timeout client-hs 90s
    default_backend l

backend l
    mode tcp
    balance random(2)
    fullconn 1
    retries 3
    source [::] usesrc client
    timeout connect 5s
    timeout queue 5s
    timeout server 1500ms
    server s [::1]:80 namespace pid:1
    server t * namespace * send-proxy
";
    assert_eq!(config.unwrap().show().to_string(), expected);
}

#[test]
fn the_example_of_every_keyword_is_shown_with_its_meaning() {
    for entry in keywords() {
        let section = match entry.home {
            Home::Sections(["global" | "namespace_list", ..]) | Home::Line("stats") => continue,
            Home::Sections(sections) => sections[0],
            Home::Line("bind") => "frontend",
            Home::Line(_) => "backend",
        };
        let others = if entry.name == "use-server" {
            " server pool1 10.0.0.1:80\n"
        } else {
            ""
        };
        let used = format!(
            "{section} example\n {}\n{others}backend pool\nbackend checked\n server server 10.0.0.1:80 check\n",
            entry.doc.example
        );
        let unused = format!(
            "{section} example\n{others}backend pool\nbackend checked\n server server 10.0.0.1:80 check\n"
        );
        shows_the_same(&used);
        // A keyword that changes the meaning has to change what is shown.
        if !read(&used).unwrap().means_the_same_as(&read(&unused).unwrap()) {
            assert_ne!(
                read(&used).unwrap().show().to_string(),
                read(&unused).unwrap().show().to_string()
            );
        }
    }
}

#[test]
fn the_accepted_configurations_are_shown_with_their_meaning() {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/accept");
    for entry in fs::read_dir(directory).unwrap() {
        shows_the_same(&fs::read_to_string(entry.unwrap().path()).unwrap());
    }
}

#[test]
fn awkward_values_are_quoted() {
    shows_the_same("frontend f\n bind \"unix@a b\",'/x\"#' name '$x\\'\nbackend b\n server s unix@rel\n");
    shows_the_same(
        "listen l\n bind '/a b' namespace '/run/my ns'\n timeout client 1d\n timeout client-hs 0\n",
    );
    shows_the_same(
        "frontend f\n timeout client-hs 1us\nbackend b\n source :80\n server s *:80\n server t [::1]\n",
    );
}

#[test]
fn json_has_the_model_with_times_in_milliseconds() {
    let config =
        read("listen l\n bind :80 namespace a\n timeout client 90s\n server s 10.0.0.1 namespace b\n")
            .unwrap();
    let json = serde_json::to_value(&config).unwrap();
    let frontend = &json["frontends"][0];
    assert_eq!(frontend["timeouts"]["client"], 90_000);
    assert_eq!(frontend["binds"][0]["netns"], "a");
    assert_eq!(frontend["binds"][0]["place"], "test.cfg:2");
    assert_eq!(frontend["backend"], 0);
    let server = &json["backends"][0]["servers"][0];
    assert_eq!(server["netns"]["named"], "b");
    assert_eq!(server["address"]["ip"]["port"], "client");
    assert_eq!(json["backends"][0]["balance"]["random"], 2);
}

#[test]
fn hosts_and_their_name_servers_are_shown() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/accept/host_names.cfg");
    let text = fs::read_to_string(path).unwrap();
    shows_the_same(&text);
    let shown = read(&text).unwrap().show().to_string();
    for line in [
        "    nameserver second tcp@10.0.0.2:53\n",
        "    hold obsolete 10s\n",
        "    server c localhost resolve-prefer ipv6 init-addr libc\n",
        " resolvers dns resolve-prefer ipv4 resolve-net 10.0.0.0/8,192.0.2.1/32 init-addr none\n",
    ] {
        assert!(shown.contains(line), "{line}\n{shown}");
    }
}

//! What configurations mean.

#![expect(clippy::unwrap_used, reason = "in a test a panic is the failure report")]

use std::ffi::OsString;
use std::fs;
use std::net::{IpAddr, SocketAddr};
use std::path::Path;
use std::time::Duration;

use nsproxy_config::model::{
    BindAddress, BindNetns, Fetch, Patterns, PortRule, ProxyHeader, ServerAddress, ServerNetns,
    SourceAddress, UseSource,
};
use nsproxy_config::{Config, Report, Severity, Source, load_with_env, parse};

fn no_env(_: &str) -> Option<OsString> {
    None
}

fn accept(name: &str) -> Config {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/accept")
        .join(name);
    load_with_env(&[path], &no_env)
        .unwrap_or_else(|report| panic!("{report}"))
        .config
}

fn read(text: &str) -> Result<Config, Report> {
    parse(vec![Source::new("test.cfg", text)], &no_env).map(|loaded| loaded.config)
}

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

#[test]
fn the_first_seed_means_what_it_says() {
    let config = accept("seed_bind_and_server.cfg");
    let [frontend] = &config.frontends[..] else {
        panic!()
    };
    let [bind] = &frontend.binds[..] else { panic!() };
    let addresses: Vec<_> = bind.address.socket_addrs().collect();
    assert_eq!(addresses, [SocketAddr::new(ip("127.0.0.1"), 50022)]);
    assert_eq!(bind.netns, Some(BindNetns::Named("1".parse().unwrap())));
    assert!(bind.transparent && !bind.accept_proxy);
    assert_eq!(bind.place.to_string().rsplit(':').next(), Some("8"));
    let backend = config.backend(frontend.backend.unwrap());
    let [server] = &backend.servers[..] else { panic!() };
    assert_eq!(server.name, "server1");
    assert_eq!(
        server.address,
        ServerAddress::Ip {
            ip: ip("192.168.122.4"),
            port: PortRule::Fixed(2222)
        }
    );
    assert_eq!(server.netns, ServerNetns::Named("2".parse().unwrap()));
    let plain = ProxyHeader::V2 {
        crc32c: false,
        unique_id: false,
        authority: false,
        pass_proxy: false,
        composed: Vec::new(),
    };
    assert_eq!(server.send_proxy, Some(plain));
}

#[test]
fn the_second_seed_means_what_it_says() {
    let config = accept("seed_document.cfg");
    let names: Vec<_> = config.namespace_list.iter().map(ToString::to_string).collect();
    assert_eq!(names, ["netns1", "netns2"]);
    let frontend = config
        .frontends
        .iter()
        .find(|frontend| frontend.name == "f_example")
        .unwrap();
    assert!(frontend.binds[0].accept_proxy);
    assert_eq!(frontend.binds[0].netns, None);
    let backend = config.backend(frontend.backend.unwrap());
    let address = "0.0.0.0:0".parse().unwrap();
    assert_eq!(
        backend.source,
        Some(SourceAddress {
            address,
            ports: None,
            usesrc: Some(UseSource::ClientIp),
            interface: None
        })
    );
    assert_eq!(
        backend.servers[0].address,
        ServerAddress::Client {
            port: PortRule::Client
        }
    );
    assert_eq!(backend.servers[0].netns, ServerNetns::Client);
}

#[test]
fn a_proxy_inherits_from_the_defaults_it_names() {
    let config = accept("inheritance.cfg");
    assert_eq!(config.global.maxconn, Some(1000));
    assert_eq!(config.global.nbthread, Some(2));
    let web = &config.frontends[0];
    assert_eq!(web.timeouts.client, Some(Duration::from_secs(180)));
    assert_eq!(web.timeouts.client_hs, web.timeouts.client);
    assert_eq!(web.maxconn, Some(100));
    let pool = config.backend(web.backend.unwrap());
    assert_eq!(pool.timeouts.connect, Some(Duration::from_secs(1)));
    assert_eq!(pool.timeouts.server, Some(Duration::from_secs(60)));
    let own = &config.frontends[1];
    assert_eq!(
        (own.maxconn, own.timeouts.client),
        (Some(5), Some(Duration::from_secs(60)))
    );
    assert_eq!(config.backend(own.backend.unwrap()).name, "own");
}

#[test]
fn a_proxy_that_names_no_defaults_takes_the_last_ones() {
    let config =
        read("defaults a\n timeout client 1s\ndefaults b\n timeout client 2s\nlisten l\n bind :80\n")
            .unwrap();
    assert_eq!(config.frontends[0].timeouts.client, Some(Duration::from_secs(2)));
}

#[test]
fn a_timeout_of_zero_is_none_and_overrides() {
    let config =
        read("defaults\n timeout client 1s\n timeout client-hs 3s\nlisten l\n timeout client 0\n bind :80\n")
            .unwrap();
    assert_eq!(config.frontends[0].timeouts.client, None);
    assert_eq!(
        config.frontends[0].timeouts.client_hs,
        Some(Duration::from_secs(3))
    );
}

#[test]
fn a_section_goes_on_in_the_next_file() {
    let sources = vec![
        Source::new("a.cfg", "listen l\n bind :80\n"),
        Source::new("b.cfg", "server s 10.0.0.1\nbind :81\n"),
    ];
    let config = parse(sources, &no_env).unwrap().config;
    assert_eq!(config.frontends[0].binds[1].place.to_string(), "b.cfg:2");
    assert_eq!(config.backends[0].servers[0].place.to_string(), "b.cfg:1");
}

#[test]
fn a_range_of_ports_is_that_many_sockets() {
    let config = read("listen l\n bind [::1]:80-82,/tmp/x\n").unwrap();
    let [range, unix] = &config.frontends[0].binds[..] else {
        panic!()
    };
    let ports: Vec<_> = range
        .address
        .socket_addrs()
        .map(|address| address.port())
        .collect();
    assert_eq!(ports, [80, 81, 82]);
    assert_eq!(unix.address, BindAddress::Unix("/tmp/x".into()));
    assert_eq!(unix.address.socket_addrs().count(), 0);
}

#[test]
fn a_short_text_does_not_ask_for_many_long_things() {
    let error = |text: &str| {
        let report = read(text).unwrap_err();
        let error = report
            .diagnostics()
            .iter()
            .find(|d| d.severity() == Severity::Error);
        error.unwrap().message().to_owned()
    };
    let addresses: Vec<String> = (1..=1025).map(|port| format!(":{port}")).collect();
    assert!(read(&format!("listen l\n bind {}\n", addresses[1..].join(","))).is_ok());
    assert_eq!(
        error(&format!("listen l\n bind {}\n", addresses.join(","))),
        "more than 1024 addresses on one line"
    );
    let long = "x".repeat(5000);
    assert_eq!(
        error(&format!("listen l\n bind :1 name {long}\n")),
        "a label has at most 255 bytes, this one has 5000"
    );
    let path = format!(
        "a namespace has at most 4095 bytes, this one has {}",
        long.len() + 1
    );
    assert_eq!(error(&format!("listen l\n bind :1 namespace /{long}\n")), path);
}

#[test]
fn a_listen_with_a_default_backend_does_not_use_its_own_servers() {
    let config = read(
        "listen l\n bind :80\n default_backend b\n server own 10.0.0.1\nbackend b\n server s 10.0.0.2\n",
    )
    .unwrap();
    assert_eq!(config.backend(config.frontends[0].backend.unwrap()).name, "b");
}

#[test]
fn files_of_a_directory_are_read_in_order() {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/directory");
    let config = load_with_env(&[&directory], &no_env)
        .unwrap_or_else(|report| panic!("{report}"))
        .config;
    let names: Vec<_> = config
        .frontends
        .iter()
        .map(|frontend| frontend.name.as_str())
        .collect();
    assert_eq!(names, ["first", "second"]);
    assert_eq!(fs::read_dir(directory).unwrap().count(), 3);
}

#[test]
fn a_file_that_cannot_be_read_is_one_of_the_errors() {
    let accept = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/reject/mode.cfg");
    let report = load_with_env(&[Path::new("/nonexistent/nsproxy.cfg"), &accept], &no_env).unwrap_err();
    assert_eq!(
        report.diagnostics()[0].message(),
        "/nonexistent/nsproxy.cfg: No such file or directory (os error 2)"
    );
    assert_eq!(report.diagnostics()[0].place(), None);
    assert!(report.diagnostics().len() > 1);
}

#[test]
fn patterns_come_from_files_too() {
    let directory = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &[u8]| {
        let path = directory.path().join(name);
        fs::write(&path, text).unwrap();
        path
    };
    let networks = write("networks", b"# ours\n\n  10.0.0.0/8\n192.0.2.1\r\n");
    let config = |test: &str| {
        let text = format!(
            "listen l\n tcp-request connection reject if {{ {test} }}\n server s 10.0.0.1:80\n bind :80\n"
        );
        load_with_env(&[write("rules.cfg", text.as_bytes())], &no_env)
    };
    let test = format!("src -f {} 203.0.113.1", networks.display());
    let loaded = config(&test).unwrap_or_else(|report| panic!("{report}"));
    let acl = &loaded.config.frontends[0].rules.acls[0].tests[0];
    assert_eq!(acl.files[0].path, networks);
    assert_eq!(
        acl.files[0].patterns,
        Patterns::Networks(vec![(ip("10.0.0.0"), 8), (ip("192.0.2.1"), 32)])
    );
    assert_eq!(acl.patterns, Patterns::Networks(vec![(ip("203.0.113.1"), 32)]));
    assert!(
        loaded
            .config
            .show()
            .to_string()
            .contains(&format!("-f {}", networks.display()))
    );

    let bad = write("bad", b"10.0.0.0/8\nexample\n");
    let not_text = write("bytes", b"\xff\xfe\n");
    for (file, said) in [
        (bad.display().to_string(), "line 2 of"),
        (not_text.display().to_string(), "not UTF-8"),
        ("/dev/zero".to_owned(), "not a regular file"),
        ("/nowhere/at/all".to_owned(), "cannot read"),
    ] {
        let report = config(&format!("src -f {file}"))
            .map(|_| ())
            .expect_err("a bad file");
        assert!(report.to_string().contains(said), "{report}");
    }
}

#[test]
fn conditions_refer_to_the_tests_that_they_name() {
    let config = read(
        "frontend f\n bind :80\n acl unused src 10.0.0.1\n acl a src 10.0.0.2\n acl a src 10.0.0.3\n\
         \x20tcp-request connection reject if !a { src_port 5 } or LOCALHOST\n use_backend b unless a\nbackend b\n",
    )
    .unwrap_or_else(|report| panic!("{report}"));
    let rules = &config.frontends[0].rules;
    let condition = rules.connection[0].condition.as_ref().unwrap();
    let [all, local] = &condition.any[..] else {
        panic!("{condition:?}")
    };
    let [not_a, port] = &all[..] else {
        panic!("{all:?}")
    };
    let acl = |term: &nsproxy_config::model::Term| &rules.acls[term.acl.index()];
    assert!(not_a.negated && acl(not_a).name.as_deref() == Some("a") && acl(not_a).tests.len() == 2);
    assert!(
        !port.negated && acl(port).name.is_none() && acl(port).tests[0].expression.fetch == Fetch::SourcePort
    );
    assert_eq!(acl(&local[0]).tests[0].expression.fetch, Fetch::Source);
    let used = &rules.use_backends[0];
    assert_eq!((used.backend.index(), config.frontends[0].backend), (0, None));
    assert!(used.condition.as_ref().unwrap().unless);
}

#[test]
fn a_server_line_overrides_the_namespace_of_default_server() {
    let config = read(
        "listen l\n bind :80\n default_namespace d\n server a 10.0.0.1:80\n default-server namespace n\n \
         server b 10.0.0.1:80\n server c 10.0.0.1:80 no-namespace\n server d 10.0.0.1:80 namespace *\n \
         default-server no-namespace\n server e 10.0.0.1:80\n server f 10.0.0.1:80 namespace m\n",
    )
    .unwrap_or_else(|report| panic!("{report}"));
    let servers = &config.backends[0].servers;
    let netns: Vec<_> = servers.iter().map(|server| server.netns.clone()).collect();
    let named = |name: &str| ServerNetns::Named(name.parse().unwrap());
    let (home, client) = (ServerNetns::Home, ServerNetns::Client);
    let expected = [named("d"), named("n"), home.clone(), client, home, named("m")];
    assert_eq!(netns, expected);
}

//! Real programs at both ends of a relay, and HAProxy before and behind it.

use nsproxy_testkit::{Netns, Program, Signal, World, require, world};

use crate::common::{
    DEFAULTS, Proxy, connect_from, exchange, expect_meaning, joined, read_header, run, soon,
};

/// `tenant1` at 10.0.0.1 and `relay`, which cannot be reached from elsewhere.
fn tenant_and_relay(w: &World) -> (Netns, Netns) {
    joined(w, ("tenant1", "10.0.0.1/24"), ("relay", "10.0.0.2/24"))
}

#[test]
fn curl_reaches_nginx_in_another_namespace() {
    let nginx = require!(Program::find("nginx"));
    let curl = require!(Program::find("curl"));
    world("curl-nginx", |w| {
        let (tenant, _relay) = tenant_and_relay(w);
        let user = w.add_netns("user");
        let page: String = "0123456789".repeat(100_000);
        w.write("page", &page);
        let servers = "server { listen 10.0.0.1:80; location / { return 200 'tenant1'; } \
                       location /page { root /run/world; } }";
        let _nginx = tenant.spawn(w.nginx(&nginx, "nginx", servers));
        tenant.wait_listening("10.0.0.1:80", soon());

        // No link joins `user` to the others: only the relay does.
        let config = format!(
            "{DEFAULTS}listen l\n  bind 127.0.0.1:8080 namespace user\n  server s 10.0.0.1:80 namespace tenant1\n"
        );
        let _running = run(w, w.home(), &config);
        let fetch = |path: &str| {
            let mut command = curl.command();
            command.args(["--silent", "--show-error", "--fail", "--noproxy", "*"]);
            command.arg(format!("http://127.0.0.1:8080{path}"));
            user.output(command).expect_success()
        };
        assert_eq!(fetch("/"), "tenant1");
        assert!(fetch("/page") == page, "the page came out otherwise");
    });
}

/// The number behind `"bytes":` in the object called `name` of iperf3's report.
fn bytes_of(report: &str, name: &str) -> u64 {
    let object = report
        .split_once(&format!("\"{name}\":"))
        .expect("the report has the sum")
        .1;
    let value = object.split_once("\"bytes\":").expect("the sum has bytes").1;
    let digits: String = value
        .trim_start()
        .chars()
        .take_while(char::is_ascii_digit)
        .collect();
    digits.parse().expect("bytes are a number")
}

/// The number before ` {what}` in the line that nsproxy ends with.
fn counted(ended: &str, what: &str) -> u64 {
    let before = ended
        .split_once(&format!(" {what}"))
        .unwrap_or_else(|| panic!("no {what} in:\n{ended}"))
        .0;
    before
        .rsplit(' ')
        .next()
        .unwrap_or_default()
        .parse()
        .expect("a number")
}

/// Measures for a second in one direction; `direction` is where nsproxy counts those bytes.
fn iperf3_through_nsproxy(w: &World, iperf3: &Program, reverse: bool, direction: &str) {
    let (tenant, relay) = tenant_and_relay(w);
    let mut command = iperf3.command();
    command.args(["--server", "--one-off"]);
    let server = tenant.spawn(command);
    tenant.wait_listening("10.0.0.1:5201", soon());
    let config = format!("{DEFAULTS}listen l\n  bind 127.0.0.1:9000\n  server s 10.0.0.1:5201\n");
    let running = run(w, &relay, &config);
    let mut command = iperf3.command();
    command.args(["--client", "127.0.0.1", "--port", "9000", "--time", "1", "--json"]);
    if reverse {
        command.arg("--reverse");
    }
    let report = relay.output(command).expect_success();
    assert!(server.wait().status.success());
    running.signal(Signal::SIGTERM);
    let ended = running.wait().expect_code(0);

    let (sent, received) = (bytes_of(&report, "sum_sent"), bytes_of(&report, "sum_received"));
    let relayed = counted(&ended, direction);
    assert!(received > 1_000_000, "only {received} bytes in a second");
    // What the sender had handed over when the receiver stopped counting may be counted by the relay or not; the
    // connection on which the two agree is a few kilobytes.
    assert!(
        relayed >= received,
        "{relayed} bytes relayed, {received} received"
    );
    assert!(
        relayed <= sent + 64 * 1024,
        "{relayed} bytes relayed, {sent} sent"
    );
}

#[test]
fn iperf3_sends_through_nsproxy_and_the_bytes_add_up() {
    let iperf3 = require!(Program::find("iperf3"));
    world("iperf3-up", |w| {
        iperf3_through_nsproxy(w, &iperf3, false, "bytes up");
    });
}

#[test]
fn iperf3_receives_through_nsproxy_and_the_bytes_add_up() {
    let iperf3 = require!(Program::find("iperf3"));
    world("iperf3-down", |w| {
        iperf3_through_nsproxy(w, &iperf3, true, "bytes down");
    });
}

#[test]
fn the_client_and_its_namespace_pass_from_haproxy_by_nsproxy_to_haproxy() {
    let [haproxy, nsproxy] = require!(Proxy::both());
    world("chain", |w| {
        let (tenant, relay) = tenant_and_relay(w);
        let server = relay.listen("127.0.0.1:8004");
        let list = format!("namespace_list\n  namespace tenant1\n{DEFAULTS}");
        let links = [
            (
                &haproxy,
                "listen first\n  bind 10.0.0.1:8001 namespace tenant1\n  server s 127.0.0.1:8002 send-proxy-v2\n",
            ),
            (
                &nsproxy,
                "listen second\n  bind 127.0.0.1:8002 accept-proxy\n  server s 127.0.0.1:8003 send-proxy-v2\n",
            ),
            (
                &haproxy,
                "listen third\n  bind 127.0.0.1:8003 accept-proxy\n  server s 127.0.0.1:8004 send-proxy-v2\n",
            ),
        ];
        let places = [
            (&tenant, "10.0.0.1:8001"),
            (&relay, "127.0.0.1:8002"),
            (&relay, "127.0.0.1:8003"),
        ];
        let _running: Vec<_> = links
            .into_iter()
            .zip(places)
            .map(|((proxy, section), place)| proxy.start(w, &relay, &format!("{list}{section}"), &[place]))
            .collect();

        let client = connect_from(&tenant, "10.0.0.1:40000", "10.0.0.1:8001");
        // HAProxy connects to the next one when it has accepted, so nothing has to be sent.
        let accepted = server.accept();
        let header = read_header(&accepted);
        exchange(&client, &accepted);
        expect_meaning(&header, ("10.0.0.1:40000", "10.0.0.1:8001"), "tenant1");
    });
}

#[test]
fn the_namespace_that_haproxy_sends_is_the_one_that_nsproxy_connects_in() {
    let [haproxy, nsproxy] = require!(Proxy::both());
    world("chain-selects", |w| {
        let [relay, one, other] = ["relay", "tenant1", "tenant2"].map(|name| w.add_netns(name));
        let first = format!(
            "{DEFAULTS}listen one\n  bind 127.0.0.1:8001 namespace tenant1\n  server s 127.0.0.1:8002 send-proxy-v2\n\
             listen other\n  bind 127.0.0.1:8001 namespace tenant2\n  server s 127.0.0.1:8002 send-proxy-v2\n"
        );
        let second = format!(
            "namespace_list\n  namespace tenant1 tenant2\n{DEFAULTS}listen l\n  bind 127.0.0.1:8002 accept-proxy\n\
             \x20 server s 127.0.0.1:9000 namespace *\n"
        );
        let _second = nsproxy.start(w, &relay, &second, &[]);
        let _first = haproxy.start(
            w,
            &relay,
            &first,
            &[(&one, "127.0.0.1:8001"), (&other, "127.0.0.1:8001")],
        );
        let servers = [&one, &other].map(|tenant| tenant.listen("127.0.0.1:9000"));
        for (tenant, server) in [&one, &other].into_iter().zip(&servers) {
            let client = tenant.connect("127.0.0.1:8001");
            exchange(&client, &server.accept());
        }
    });
}

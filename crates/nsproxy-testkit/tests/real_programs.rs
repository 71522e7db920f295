//! The programs that nsproxy is compared with run in a world, serve each other, and go with it.

use nsproxy_testkit::{DEFAULT_DEADLINE, Deadline, Netns, Program, World, require, world};

/// Two namespaces, `tenant1` at 10.0.0.1 and `relay` at 10.0.0.2.
fn tenant_and_relay(w: &World) -> (Netns, Netns) {
    let both = (w.add_netns("tenant1"), w.add_netns("relay"));
    w.veth(
        ("tenant1", "eth0", "10.0.0.1/24"),
        ("relay", "eth1", "10.0.0.2/24"),
    );
    both
}

fn soon() -> Deadline {
    Deadline::after(DEFAULT_DEADLINE)
}

#[test]
fn curl_reaches_nginx_through_haproxy() {
    let nginx = require!(Program::find("nginx"));
    let haproxy = require!(Program::find("haproxy"));
    let curl = require!(Program::find("curl"));
    world("curl-haproxy-nginx", |w| {
        let (tenant, relay) = tenant_and_relay(w);

        let servers = "server { listen 10.0.0.1:80; return 200 'tenant1'; }";
        let _nginx = tenant.spawn(w.nginx(&nginx, "nginx", servers));
        tenant.wait_listening("10.0.0.1:80", soon());

        let config = "defaults\n mode tcp\n timeout connect 5s\n timeout client 5s\n timeout server 5s\n\
                      listen l\n bind 127.0.0.1:8080\n server s 10.0.0.1:80\n";
        let _haproxy = relay.spawn(w.haproxy(&haproxy, "haproxy", config));
        relay.wait_listening("127.0.0.1:8080", soon());

        let mut command = curl.command();
        command.args([
            "--silent",
            "--show-error",
            "--noproxy",
            "*",
            "http://127.0.0.1:8080/",
        ]);
        assert_eq!(relay.output(command).expect_success(), "tenant1");
    });
}

#[test]
fn iperf3_measures_between_two_namespaces() {
    let iperf3 = require!(Program::find("iperf3"));
    world("iperf3", |w| {
        let (tenant, relay) = tenant_and_relay(w);
        let mut command = iperf3.command();
        command.args(["--server", "--one-off"]);
        let server = tenant.spawn(command);
        tenant.wait_listening("10.0.0.1:5201", soon());
        let mut command = iperf3.command();
        command.args(["--client", "10.0.0.1", "--bytes", "1M", "--json"]);
        let report = relay.output(command).expect_success();
        assert!(report.contains("bits_per_second"));
        assert!(server.wait().status.success());
    });
}

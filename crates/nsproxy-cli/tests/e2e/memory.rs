//! The whole program under valgrind: no invalid access, and nothing lost, whatever the sessions were.

use nsproxy_testkit::{Program, Service, Signal, require, world};

use crate::common::{DEFAULTS, joined, run_command, soon, v2_header};

/// The exit code that valgrind is told to use for its findings.
const FOUND: &str = "99";

#[test]
fn valgrind_finds_nothing_in_a_run_with_sessions_of_every_kind() {
    let valgrind = require!(Program::find("valgrind"));
    world("valgrind", |w| {
        let (tenant, relay) = joined(w, ("tenant1", "10.0.0.1/24"), ("relay", "10.0.0.2/24"));
        let echo = Service::echo(tenant.listen("10.0.0.1:9000"));
        let source = Service::source(tenant.listen("10.0.0.1:9001"), 1, 4 << 20);
        let config = format!(
            "{DEFAULTS}namespace_list\n  namespace tenant1\n\
             listen plain\n  bind 127.0.0.1:8000\n  server s 10.0.0.1:9000 namespace tenant1\n\
             listen bulk\n  bind 127.0.0.1:8001\n  server s 10.0.0.1:9001\n\
             listen header\n  bind 127.0.0.1:8002 accept-proxy\n  server s 10.0.0.1:9000 send-proxy-v2 namespace *\n\
             listen refused\n  bind 127.0.0.1:8003\n  server s 10.0.0.1:1\n"
        );
        let run = run_command(w, &config);
        let mut command = valgrind.command();
        command.args([
            "--quiet",
            "--leak-check=full",
            "--show-leak-kinds=definite,indirect",
        ]);
        command.args([
            "--errors-for-leak-kinds=definite,indirect",
            &format!("--error-exitcode={FOUND}"),
        ]);
        command.arg(run.get_program()).args(run.get_args());
        let running = relay.spawn(command);
        running.wait_for_output(" listens at ", soon());

        for round in 0..10 {
            let client = relay.connect("127.0.0.1:8000");
            client.send("asked");
            client.expect("asked");
            if round % 2 == 0 {
                client.reset();
            } else {
                client.close();
            }
        }
        assert_eq!(relay.connect("127.0.0.1:8001").tally_to_end().bytes, 4 << 20);
        for header in [
            v2_header("192.0.2.1:1", "198.51.100.1:2", Some("tenant1")),
            b"not a header\r\n".to_vec(),
        ] {
            let client = relay.connect("127.0.0.1:8002");
            client.send(&header);
            if header.starts_with(b"\r\n\r\n") {
                client.send("asked");
                // The echo of the header that the server gets comes first.
                client.read_exact(header.len());
                client.expect("asked");
                client.reset();
            } else {
                client.expect_closed();
            }
        }
        relay.connect("127.0.0.1:8003").expect_closed();
        running.signal(Signal::SIGTERM);
        let said = running.wait_until(soon()).expect_code(0);
        assert!(said.contains("nsproxy: ended after "), "{said}");
        drop((echo, source));
    });
}

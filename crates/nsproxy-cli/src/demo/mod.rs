//! `nsproxy demo`: what nsproxy does, shown on networks that exist only for the purpose.
//!
//! The process moves into a mount and network namespace of its own (for an ordinary user, inside a user namespace of its
//! own) before it has a second thread. Everything that the demo makes lives in there, so everything goes with the process,
//! however it ends. The relays are those of `nsproxy run`: configuration text, checked model, plan, engine.

mod cpu;
mod isolation;
mod network;
mod relay;
mod scenes;
mod screen;
mod services;

use std::process::ExitCode;
use std::time::Instant;

use anyhow::Context as _;

use self::network::Network;

/// The relays' configuration, as it would be in a file.
const CONFIGURATION: &str = "\
defaults
    timeout connect 5s
    timeout client  1m
    timeout server  1m

# Clients in `edge` reach each tenant by a port of its own.
frontend to-red
    bind 192.0.2.1:8001 namespace edge
    default_backend red
frontend to-blue
    bind 192.0.2.1:8002 namespace edge
    default_backend blue
frontend to-blue-with-header
    bind 192.0.2.1:8003 namespace edge
    default_backend blue-with-header
frontend bulk
    bind 192.0.2.1:8004 namespace edge
    default_backend bulk

backend red
    server web 10.0.0.5:80 namespace red
backend blue
    server web 10.0.0.5:80 namespace blue
backend blue-with-header
    server web 10.0.0.5:81 namespace blue send-proxy-v2
backend bulk
    server sink 10.0.0.5:82 namespace red
";

/// The first relay of the chain: it listens inside each tenant, and passes the namespace on.
const FIRST_OF_CHAIN: &str = "\
frontend tenants
    bind 10.0.0.5:9000 namespace red
    bind 10.0.0.5:9000 namespace blue
    default_backend second-relay
backend second-relay
    server second 127.0.0.1:9990 send-proxy-v2
";

/// The second: it knows no tenant's listener, and learns the namespace from the first.
const SECOND_OF_CHAIN: &str = "\
namespace_list
    namespace red
    namespace blue
frontend from-first
    bind 127.0.0.1:9990 accept-proxy
    default_backend own-network
backend own-network
    server web 10.0.0.5:80 namespace *
";

pub(crate) fn demo() -> anyhow::Result<ExitCode> {
    let started = Instant::now();
    let place = isolation::isolate()?;
    screen::title("nsproxy demo")?;
    screen::text(&format!(
        "Everything here happens in {place}; nothing of it is visible outside."
    ))?;

    screen::title("1. Three networks that cannot see each other")?;
    let mut network = Network::build().context("cannot build the networks")?;
    screen::verbatim(network::PICTURE)?;
    let mut services = services::start(&network).context("cannot start the services")?;

    screen::title("2. One relay joins them")?;
    screen::text(
        "The configuration is HAProxy's language. What connects networks is `namespace` on each line:",
    )?;
    screen::verbatim(CONFIGURATION)?;
    let relay = relay::Relay::start("demo.cfg", CONFIGURATION)?;
    scenes::reach_both_tenants(&network)?;

    screen::title("3. The server learns where a client came from")?;
    scenes::show_header(&network, &services)?;

    screen::title("4. A gibibyte through one relay")?;
    scenes::move_bulk(&network, &services)?;

    screen::title("5. Two relays in a row")?;
    screen::text("The first listens inside both tenants and says in its header which one a client is in:")?;
    screen::verbatim(FIRST_OF_CHAIN)?;
    screen::text("The second reaches the server in whichever namespace the header names:")?;
    screen::verbatim(SECOND_OF_CHAIN)?;
    let second = relay::Relay::start("second.cfg", SECOND_OF_CHAIN)?;
    let first = relay::Relay::start("first.cfg", FIRST_OF_CHAIN)?;
    scenes::follow_the_chain(&network)?;

    screen::title("6. A namespace goes, and another one comes")?;
    scenes::follow_a_namespace(&mut network, &mut services)?;

    screen::title("7. Gone again")?;
    let mut sessions = 0;
    for relay in [first, second, relay] {
        sessions += relay.end()?;
    }
    services.end();
    let left = network.remove().context("cannot remove the networks")?;
    anyhow::ensure!(left == 0, "{left} namespaces are left");
    screen::text(&format!(
        "{sessions} connections relayed, none failed; the relays have drained, the services have ended, and the namespaces \
         are removed. It took {:.1} s.",
        started.elapsed().as_secs_f64()
    ))?;
    screen::text(
        "Next: `nsproxy forward --help` for one relay in one line, `nsproxy run -f FILE` for a configuration.",
    )?;
    Ok(ExitCode::SUCCESS)
}

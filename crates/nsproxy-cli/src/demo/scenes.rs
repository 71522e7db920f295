//! What the demo does with its networks, and shows.

use std::io::{Read as _, Write as _};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::Context as _;

use super::cpu;
use super::network::{Network, Place, edge, tenant};
use super::screen;
use super::services::{self, Services};
use crate::header_dump;

const PATIENCE: Duration = Duration::from_secs(30);
/// Moved in bulk: 1 GiB.
const BULK: u64 = 1 << 30;

/// Both tenants are reached, by real requests.
pub(super) fn reach_both_tenants(network: &Network) -> anyhow::Result<()> {
    for (port, tenant) in [(8001, &network.red), (8002, &network.blue)] {
        get(&network.edge, edge(port), tenant)?;
    }
    Ok(())
}

/// The header that the server got, taken apart.
pub(super) fn show_header(network: &Network, services: &Services) -> anyhow::Result<()> {
    screen::text(
        "With `send-proxy-v2` the connection begins with a PROXY protocol header: who the client is, where it had \
         connected to, and in which namespace.",
    )?;
    get(&network.edge, edge(8003), &network.blue)?;
    let header = services
        .headers
        .recv_timeout(PATIENCE)
        .context("no PROXY header arrived")?;
    let parsed = proxy_proto::parse(&header).map_err(|error| anyhow::anyhow!("the PROXY header: {error}"))?;
    anyhow::ensure!(
        parsed.header.netns() == Some(b"edge"),
        "the header does not name the client's namespace"
    );
    screen::verbatim(&header_dump::annotate(&header)?)?;
    Ok(())
}

/// A gibibyte from one network to another, every byte compared at the end.
pub(super) fn move_bulk(network: &Network, services: &Services) -> anyhow::Result<()> {
    let mut stream = connect(&network.edge, edge(8004))?;
    let block = services::block();
    let (started, cpu_before) = (Instant::now(), cpu::of_threads("nsproxy-"));
    let mut sent = 0;
    while sent < BULK {
        let rest = usize::try_from(BULK - sent).map_or(block.len(), |rest| rest.min(block.len()));
        stream.write_all(&block[..rest])?;
        sent += rest as u64;
    }
    stream.shutdown(Shutdown::Write)?;
    let arrived = services
        .received
        .recv_timeout(PATIENCE)
        .context("the sink did not see the end")??;
    let (elapsed, cpu) = (
        started.elapsed(),
        cpu::of_threads("nsproxy-").saturating_sub(cpu_before),
    );
    anyhow::ensure!(arrived == BULK, "{arrived} bytes arrived of {BULK}");
    let seconds = elapsed.as_secs_f64();
    #[expect(
        clippy::cast_precision_loss,
        reason = "a rate for people, of a number far below 2^52"
    )]
    let (gibibytes, gigabits) = (
        BULK as f64 / f64::from(1 << 30),
        BULK as f64 * 8.0 / seconds / 1e9,
    );
    screen::result(
        &format!(
            "{gibibytes:.0} GiB from `edge` to the sink in `red`, through {}",
            edge(8004)
        ),
        &format!(
            "{seconds:.2} s, {gigabits:.1} Gbit/s; the relay used {:.2} s of CPU time; every byte compared",
            cpu.as_secs_f64()
        ),
    )?;
    Ok(())
}

/// A client in each tenant reaches its own tenant's server through both relays.
pub(super) fn follow_the_chain(network: &Network) -> anyhow::Result<()> {
    for place in [&network.red, &network.blue] {
        get(place, tenant(9000), place)?;
    }
    screen::text(
        "\nThe same request to the same address has reached two servers: each client stayed in its own network, although \
         the second relay has no listener there.",
    )?;
    Ok(())
}

/// A namespace is deleted, and another one gets its name: the relays follow.
pub(super) fn follow_a_namespace(network: &mut Network, services: &mut Services) -> anyhow::Result<()> {
    let deleted = Instant::now();
    network.delete_blue()?;
    let closed = wait_for_listener(&network.blue, false, deleted).context("the listener is still open")?;
    screen::result(
        "`blue` is deleted (ip netns delete blue)",
        &format!(
            "the relay does not listen in it any more after {closed}; it dies with its links and routes"
        ),
    )?;
    services.end_in(&network.blue);
    network.make_blue_again()?;
    let made = Instant::now();
    let opened = wait_for_listener(&network.blue, true, made).context("there is no listener in it")?;
    screen::result(
        "another `blue` is made (ip netns add blue), with the same address",
        &format!("the relay listens in it after {opened}"),
    )?;
    services.add(&network.blue)?;
    get(&network.edge, edge(8002), &network.blue)?;
    get(&network.blue, tenant(9000), &network.blue)?;
    screen::text(
        "\nNothing was told to the relays, and nothing of their configuration has changed. A session that is open when its \
         namespace is deleted may go on for `timeout netns-removed`, and is reset then.",
    )?;
    Ok(())
}

/// Waits until the first relay of the chain listens there, or does not, and says how long that was after something.
fn wait_for_listener(place: &Place, is_there: bool, since: Instant) -> anyhow::Result<String> {
    while place.has_listener(tenant(9000).port())? != is_there {
        anyhow::ensure!(since.elapsed() < PATIENCE, "waited for {PATIENCE:?} in vain");
        thread::park_timeout(Duration::from_micros(200));
    }
    Ok(format!("{:.1} ms", since.elapsed().as_secs_f64() * 1000.0))
}

/// One HTTP request from a namespace, which the right tenant has to answer.
fn get(from: &Place, to: SocketAddr, expected: &Place) -> anyhow::Result<()> {
    let mut stream = connect(from, to)?;
    write!(
        stream,
        "GET / HTTP/1.1\r\nHost: {to}\r\nConnection: close\r\n\r\n"
    )?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    let body = answer.split("\r\n\r\n").nth(1).unwrap_or_default();
    screen::result(
        &format!("GET http://{to}/ from a client in `{}`", from.name),
        body,
    )?;
    anyhow::ensure!(
        body.contains(&format!("tenant {},", expected.name)),
        "the wrong server has answered"
    );
    Ok(())
}

fn connect(from: &Place, to: SocketAddr) -> anyhow::Result<TcpStream> {
    let stream = netns_core::tcp_stream(&from.netns, to)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    Ok(stream)
}

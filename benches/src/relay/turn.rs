//! One contender's turn in one round: the load is applied, and the figures are taken.

use std::time::Duration;

use anyhow::{Context as _, bail};
use netns_core::{Netns, run};

use super::account;
use super::configuration::Identity;
use super::contender::{Contender, Relay};
use super::load::{Bulk, BulkDirection, Connect, Measured, Meter, Place, Requests, Server, Snapshot};
use super::metric::{Figures, Metric};
use super::scenario::Work;
use super::world::{CLIENT_ADDRESSES, World, loopback};

/// How long the parts of a turn are.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pace {
    pub(super) warm_up: Duration,
    pub(super) length: Duration,
}

/// What a turn needs.
pub(super) struct Turn<'a> {
    pub(super) contender: &'a Contender,
    pub(super) relay: &'a Relay,
    pub(super) world: &'a World,
    /// One for each service of the scenario.
    pub(super) servers: &'a [Server],
    pub(super) tenants: &'a [Netns],
    pub(super) pace: Pace,
}

impl Turn<'_> {
    /// Applies the load.
    ///
    /// # Errors
    ///
    /// A connection failed, an answer was wrong, or none came.
    pub(super) fn take(&self, work: Work) -> anyhow::Result<Figures> {
        let processes = self.relay.processes()?;
        for server in self.servers {
            // What went wrong in another turn is not this one's.
            let _ = server.counters().take_fault();
        }
        let figures = run(&self.world.clients, || self.in_clients(work, &processes))?;
        for server in self.servers {
            if let Some(fault) = server.counters().take_fault() {
                bail!("at the server: {fault}");
            }
        }
        figures
    }

    fn in_clients(&self, work: Work, processes: &[u32]) -> anyhow::Result<Figures> {
        let address = loopback(self.contender.client_port(0));
        let mut snapshot = || self.snapshot(processes);
        let mut figures = match work {
            Work::Requests { connections, size } => {
                let mut requests = Requests::open(address, connections, size)?;
                let measured = requests.run(self.meter(&mut snapshot)?)?;
                operations(&measured)
            }
            Work::Connect { at_a_time, identity } => {
                let mut connect =
                    Connect::new(places(address, identity), at_a_time, identity == Identity::Header)?;
                operations(&connect.run(self.meter(&mut snapshot)?)?)
            }
            Work::Tenants { at_a_time, .. } => {
                let places = self.tenants.iter().map(|netns| {
                    Ok(Place {
                        address,
                        netns: Some(netns.try_clone()?),
                        from: None,
                    })
                });
                let mut connect = Connect::new(places.collect::<anyhow::Result<_>>()?, at_a_time, false)?;
                operations(&connect.run(self.meter(&mut snapshot)?)?)
            }
            Work::Bulk { streams, direction } => {
                let bulk = Bulk::open(address, streams, direction)?;
                transfer(&bulk.run(self.meter(&mut snapshot)?, self.servers[0].counters())?)
            }
            Work::Mixed { connections, streams } => {
                let (requests, bulk) = self.mixed(connections, streams, &mut snapshot)?;
                let mut figures = operations(&requests);
                // A part of it is for the streams, so it has no meaning for one request.
                figures.remove(&Metric::Cpu);
                figures.remove(&Metric::ServerCpu);
                figures.insert(Metric::BulkRate, float(bulk.bytes) / bulk.length.as_secs_f64());
                figures
            }
            Work::Idle { sessions } => self.idle(sessions, processes)?,
        };
        if processes.is_empty() {
            figures.remove(&Metric::Cpu);
        } else {
            figures.insert(Metric::Resident, float(account::resident(processes)?));
        }
        Ok(figures)
    }

    /// Both at the same time, on two threads.
    fn mixed(
        &self,
        connections: usize,
        streams: usize,
        snapshot: &mut dyn FnMut() -> anyhow::Result<Snapshot>,
    ) -> anyhow::Result<(Measured, Measured)> {
        let mut requests = Requests::open(loopback(self.contender.client_port(0)), connections, 64)?;
        let bulk = Bulk::open(
            loopback(self.contender.client_port(1)),
            streams,
            BulkDirection::Down,
        )?;
        std::thread::scope(|scope| {
            let bulk = std::thread::Builder::new()
                .name("streams".to_owned())
                .spawn_scoped(scope, || {
                    let mut nothing = || Ok(Snapshot::default());
                    bulk.run(self.meter(&mut nothing)?, self.servers[1].counters())
                })?;
            let requests = requests.run(self.meter(snapshot)?);
            let Ok(bulk) = bulk.join() else {
                bail!("the thread of the streams has failed");
            };
            Ok((requests?, bulk.context("the streams")?))
        })
    }

    /// Memory before and after the sessions have been made. The relay has just been started: what it keeps for later of sessions
    /// that have ended would hide what it needs for new ones.
    fn idle(&self, sessions: usize, processes: &[u32]) -> anyhow::Result<Figures> {
        let address = loopback(self.contender.client_port(0));
        // So that code and tables that are needed once are there before.
        Requests::open(address, 64, 64)?.exchange()?;
        let resident = account::resident(processes)?;
        let slab = account::slab()?;
        let mut requests = Requests::open(address, sessions, 64)?;
        requests.exchange()?;
        let mut figures = Figures::new();
        let each = |before: u64, after: u64| float(after.saturating_sub(before)) / float(sessions as u64);
        figures.insert(Metric::SessionSlab, each(slab, account::slab()?));
        if !processes.is_empty() {
            figures.insert(
                Metric::SessionResident,
                each(resident, account::resident(processes)?),
            );
        }
        Ok(figures)
    }

    fn meter<'m>(
        &self,
        snapshot: &'m mut dyn FnMut() -> anyhow::Result<Snapshot>,
    ) -> anyhow::Result<Meter<'m>> {
        Meter::start(self.pace.warm_up, self.pace.length, snapshot)
    }

    fn snapshot(&self, processes: &[u32]) -> anyhow::Result<Snapshot> {
        let threads: Vec<i32> = self.servers.iter().map(Server::thread_id).collect();
        Ok(Snapshot {
            relay_cpu_ns: account::cpu_ns(processes)?,
            client_cpu_ns: account::this_thread_cpu_ns()?,
            server_cpu_ns: account::threads_cpu_ns(&threads)?,
            server_received: self
                .servers
                .iter()
                .map(|server| server.counters().received())
                .sum(),
        })
    }
}

fn places(address: std::net::SocketAddr, identity: Identity) -> Vec<Place> {
    let place = |from| Place {
        address,
        netns: None,
        from,
    };
    match identity {
        Identity::Relay | Identity::Header => vec![place(None)],
        Identity::Address => CLIENT_ADDRESSES
            .into_iter()
            .map(|from| place(Some(from)))
            .collect(),
    }
}

fn operations(measured: &Measured) -> Figures {
    let latency = |quantile| float(measured.latencies.value_at_quantile(quantile)) / 1e9;
    let mut figures = rates(measured, float(measured.operations));
    figures.insert(Metric::P50, latency(0.5));
    figures.insert(Metric::P99, latency(0.99));
    figures.insert(Metric::Max, float(measured.latencies.max()) / 1e9);
    figures
}

fn transfer(measured: &Measured) -> Figures {
    let mut figures = rates(measured, float(measured.bytes) / 1e9);
    figures.insert(
        Metric::Rate,
        float(measured.bytes) / measured.length.as_secs_f64(),
    );
    figures
}

fn rates(measured: &Measured, units: f64) -> Figures {
    let (begin, end) = (&measured.begin, &measured.end);
    let each = |begin: u64, end: u64| float(end - begin) / 1e9 / units;
    Figures::from([
        (Metric::Rate, units / measured.length.as_secs_f64()),
        (Metric::Cpu, each(begin.relay_cpu_ns, end.relay_cpu_ns)),
        (Metric::ClientCpu, each(begin.client_cpu_ns, end.client_cpu_ns)),
        (Metric::ServerCpu, each(begin.server_cpu_ns, end.server_cpu_ns)),
    ])
}

#[expect(clippy::cast_precision_loss, reason = "a figure is read to three digits")]
fn float(value: u64) -> f64 {
    value as f64
}

//! The rounds of one scenario: servers and relays are started, and the contenders have their turns.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use netns_core::Netns;
use nix::sched::{CloneFlags, setns};

use super::account;
use super::configuration::{Identity, Rule};
use super::contender::{Contender, Kind, Relay};
use super::load::{BulkDirection, Server, Service};
use super::metric::{Figures, Metric};
use super::scenario::{Scenario, Work};
use super::turn::{Pace, Turn};
use super::world::{self, CLIENT_ADDRESSES, World};

/// The heads of the columns of [`Rounds::lines`].
pub(super) const COLUMNS: &str = "scenario,round,contender,metric,value";
/// Between two looks at whether a relay listens.
const LOOK: Duration = Duration::from_micros(200);
/// Rounds in which every relay is started anew; their figures hardly differ.
const ROUNDS_WITH_START: u32 = 5;

/// What came of a scenario.
#[derive(Debug, Default)]
pub(super) struct Rounds {
    /// For each round, the figures of each contender that took part and did not fail.
    pub(super) figures: Vec<BTreeMap<&'static str, Figures>>,
    /// What went wrong.
    pub(super) faults: Vec<String>,
}

struct Setting<'a> {
    scenario: &'a Scenario,
    contenders: Vec<&'a Contender>,
    world: &'a World,
    tenants: Vec<Netns>,
    servers: Vec<Server>,
    threads: usize,
    pace: Pace,
}

impl Rounds {
    /// Runs a scenario. A turn that fails is a fault in the result.
    ///
    /// # Errors
    ///
    /// The scenario could not be set up.
    pub(super) fn run(
        scenario: &Scenario,
        contenders: &[Contender],
        world: &World,
        threads: usize,
        rounds: u32,
        pace: Pace,
    ) -> anyhow::Result<Self> {
        let contenders = contenders
            .iter()
            .filter(|contender| takes_part(scenario.work, contender.kind))
            .collect();
        let count = match scenario.work {
            Work::Tenants { count, .. } => count,
            _ => 0,
        };
        let mut setting = Setting {
            scenario,
            contenders,
            world,
            tenants: World::add_tenants(count)?,
            servers: Vec::new(),
            threads,
            pace,
        };
        setting.serve()?;
        let result = if starts_anew(scenario.work) {
            setting.with_starts(rounds.min(ROUNDS_WITH_START))
        } else {
            setting.with_one_start(rounds)
        };
        World::remove_tenants(count)?;
        result
    }

    /// The raw results, in the columns [`COLUMNS`].
    pub(super) fn lines(&self, scenario: &str) -> Vec<String> {
        let mut lines = Vec::new();
        for (round, contenders) in self.figures.iter().enumerate() {
            for (contender, figures) in contenders {
                for (metric, value) in figures {
                    lines.push(format!(
                        "{scenario},{round},{contender},{},{value:.9}",
                        metric.name()
                    ));
                }
            }
        }
        lines
    }

    fn add(
        &mut self,
        round: u32,
        contender: &Contender,
        result: anyhow::Result<Figures>,
        relay: Option<&Relay>,
    ) {
        match result {
            Ok(figures) => {
                if let Some(round) = self.figures.last_mut() {
                    round.insert(contender.name, figures);
                }
            }
            Err(error) => {
                let said = relay.map(Relay::said).unwrap_or_default();
                let fault = format!("{}, round {round}: {error:#}. It said: {said}", contender.name);
                println!("FAILED {fault}");
                self.faults.push(fault);
            }
        }
    }
}

impl Setting<'_> {
    /// Starts the servers. Each contender has listeners of its own, so that no one's ports are used up by another.
    fn serve(&mut self) -> anyhow::Result<()> {
        for (number, service) in (0..).zip(services(self.scenario.work)) {
            let mut listeners = Vec::new();
            for contender in &self.contenders {
                let port = contender.server_port(number);
                for netns in self.server_places(contender) {
                    listeners.push((world::listen(netns, port)?, service));
                }
            }
            self.servers.push(Server::start(listeners)?);
        }
        Ok(())
    }

    fn server_places(&self, contender: &Contender) -> Vec<&Netns> {
        if !self.tenants.is_empty() {
            self.tenants.iter().collect()
        } else if contender.is_in_one_namespace() {
            vec![&self.world.clients]
        } else {
            vec![&self.world.servers]
        }
    }

    /// All relays run at the same time; those that do not have their turn are idle.
    fn with_one_start(&self, rounds: u32) -> anyhow::Result<Rounds> {
        let mut outcome = Rounds::default();
        let mut relays = Vec::new();
        for contender in &self.contenders {
            relays.push(self.start(contender).context(contender.name)?.0);
        }
        for round in 0..rounds {
            outcome.figures.push(BTreeMap::new());
            for position in 0..self.contenders.len() {
                // Each one begins in its turn, so that none always follows the same other one.
                let index = (position + round as usize) % self.contenders.len();
                let (contender, relay) = (self.contenders[index], &relays[index]);
                let result = self.turn(contender, relay).take(self.scenario.work);
                outcome.add(round, contender, result, Some(relay));
            }
        }
        Ok(outcome)
    }

    /// Each turn has a relay of its own.
    fn with_starts(&self, rounds: u32) -> anyhow::Result<Rounds> {
        let mut outcome = Rounds::default();
        for round in 0..rounds {
            outcome.figures.push(BTreeMap::new());
            for position in 0..self.contenders.len() {
                let contender = self.contenders[(position + round as usize) % self.contenders.len()];
                let (relay, listens) = self.start(contender).context(contender.name)?;
                let result = self
                    .turn(contender, &relay)
                    .take(self.scenario.work)
                    .map(|mut figures| {
                        if contender.kind != Kind::Direct && !self.tenants.is_empty() {
                            figures.insert(Metric::Listen, listens.as_secs_f64());
                        }
                        figures
                    });
                outcome.add(round, contender, result, Some(&relay));
            }
        }
        Ok(outcome)
    }

    fn turn<'a>(&'a self, contender: &'a Contender, relay: &'a Relay) -> Turn<'a> {
        Turn {
            contender,
            relay,
            world: self.world,
            servers: &self.servers,
            tenants: &self.tenants,
            pace: self.pace,
        }
    }

    /// Starts a relay, and waits until it listens everywhere; says how long that took.
    fn start(&self, contender: &Contender) -> anyhow::Result<(Relay, Duration)> {
        let rules: Vec<Rule> = if self.tenants.is_empty() {
            let services = services(self.scenario.work).len();
            (0..)
                .take(services)
                .map(|number| self.rule(contender, number))
                .collect()
        } else {
            let count = self.tenants.len();
            let tenants = (0..count).map(|from| Some((from, (from + 1) % count)));
            tenants
                .map(|tenants| Rule {
                    tenants,
                    ..self.rule(contender, 0)
                })
                .collect()
        };
        let begun = Instant::now();
        let mut relay = contender.start(&rules, self.threads, self.world)?;
        // The last one first: when it is open, the others most often are.
        let mut closed: Vec<(&Netns, u16)> = if self.tenants.is_empty() {
            rules
                .iter()
                .map(|rule| (&self.world.clients, rule.listen))
                .collect()
        } else {
            self.tenants
                .iter()
                .map(|netns| (netns, rules[0].listen))
                .collect()
        };
        std::thread::scope(|scope| {
            let relay = &mut relay;
            let waiting = scope.spawn(move || {
                relay.await_ready(LOOK, &mut || {
                    while let Some((netns, port)) = closed.last() {
                        setns(netns, CloneFlags::CLONE_NEWNET).context("cannot enter a namespace")?;
                        if !account::is_listening(*port)? {
                            return Ok(false);
                        }
                        closed.pop();
                    }
                    Ok(true)
                })
            });
            let Ok(result) = waiting.join() else {
                bail!("the thread that waits has failed");
            };
            result
        })?;
        Ok((relay, begun.elapsed()))
    }

    fn rule(&self, contender: &Contender, number: u16) -> Rule {
        Rule {
            listen: contender.client_port(number),
            connect: contender.server_port(number),
            identity: match self.scenario.work {
                Work::Connect { identity, .. } => identity,
                _ => Identity::Relay,
            },
            tenants: None,
        }
    }
}

/// nginx writes no PROXY v2 header, and has no namespaces. What is measured of relays only needs no direct connection.
fn takes_part(work: Work, kind: Kind) -> bool {
    let needs_more = matches!(
        work,
        Work::Tenants { .. }
            | Work::Connect {
                identity: Identity::Header,
                ..
            }
    );
    kind != Kind::Nginx || !needs_more
}

/// Whether the start itself, or memory that was never used before, is what is measured.
fn starts_anew(work: Work) -> bool {
    matches!(work, Work::Idle { .. } | Work::Tenants { .. })
}

/// What the servers have to do; each service has a thread of its own.
fn services(work: Work) -> Vec<Service> {
    match work {
        Work::Requests { .. } | Work::Idle { .. } | Work::Tenants { .. } => vec![Service::Echo],
        Work::Connect { identity, .. } => vec![match identity {
            Identity::Relay => Service::Echo,
            Identity::Header => Service::EchoAfterHeader,
            Identity::Address => Service::EchoFrom(&CLIENT_ADDRESSES),
        }],
        Work::Bulk { direction, .. } => vec![match direction {
            BulkDirection::Up => Service::Sink,
            BulkDirection::Down => Service::Source,
        }],
        Work::Mixed { .. } => vec![Service::Echo, Service::Source],
    }
}

//! The rows of the comparison: what is done in each, and what is to be reached.

use super::configuration::Identity;
use super::load::BulkDirection;
use super::metric::Against::{Best, Haproxy, Nginx, Nothing};
use super::metric::Comparison;
use super::metric::Metric::{BulkRate, Cpu, Listen, P99, Rate, Resident, SessionResident};

/// One row.
#[derive(Clone, Debug)]
pub(super) struct Scenario {
    pub(super) name: &'static str,
    pub(super) what: &'static str,
    pub(super) work: Work,
    /// Without `--full`, only these are run.
    pub(super) is_deciding: bool,
    pub(super) comparisons: Vec<Comparison>,
}

/// What the clients do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Work {
    /// Requests of `size` bytes, each with an answer of that size, on connections that stay.
    Requests { connections: usize, size: usize },
    /// A connection for each request of 64 bytes.
    Connect { at_a_time: usize, identity: Identity },
    /// As many bytes as go through.
    Bulk {
        streams: usize,
        direction: BulkDirection,
    },
    /// Requests of 64 bytes, whose latency counts, beside downloads.
    Mixed { connections: usize, streams: usize },
    /// Sessions that have done one request and wait.
    Idle { sessions: usize },
    /// A listener in each namespace, whose server is in the next one; connections to all of them in turn.
    Tenants { count: usize, at_a_time: usize },
}

/// Every row, in the order in which they are run.
pub(super) fn all() -> Vec<Scenario> {
    let mut all = requests();
    all.extend(connections());
    all.extend(transfers());
    all.push(mixed());
    all.push(idle());
    all.push(tenants());
    all
}

fn requests() -> Vec<Scenario> {
    let row = |name, what, connections, size, comparisons: Vec<Comparison>| Scenario {
        name,
        what,
        work: Work::Requests { connections, size },
        is_deciding: has_targets(&comparisons),
        comparisons,
    };
    let bounds = || bounds([Some(0.75), Some(0.85)], Some(1.12), Some(0.9));
    vec![
        row("rr64-1", "64-byte requests on 1 connection", 1, 64, no_bounds()),
        row("rr64-16", "64-byte requests on 16 connections", 16, 64, bounds()),
        row(
            "rr64-256",
            "64-byte requests on 256 connections",
            256,
            64,
            bounds(),
        ),
        row(
            "rr16k-16",
            "16 KiB requests on 16 connections",
            16,
            16 * 1024,
            no_bounds(),
        ),
    ]
}

fn connections() -> Vec<Scenario> {
    let row = |name, what, at_a_time, identity, comparisons: Vec<Comparison>| Scenario {
        name,
        what,
        work: Work::Connect { at_a_time, identity },
        is_deciding: has_targets(&comparisons),
        comparisons,
    };
    let bounds = || bounds([Some(0.75), Some(0.78)], Some(1.08), Some(1.0));
    let with_headers = vec![
        Comparison::new(Cpu, Haproxy, Some(0.72)),
        Comparison::new(Rate, Best, Some(1.10)),
        Comparison::new(P99, Best, Some(1.0)),
    ];
    vec![
        row(
            "crr-16",
            "a connection for each request, 16 at a time",
            16,
            Identity::Relay,
            bounds(),
        ),
        row(
            "crr-128",
            "a connection for each request, 128 at a time",
            128,
            Identity::Relay,
            bounds(),
        ),
        row(
            "crr-proxy",
            "16 at a time, with a PROXY header in and out",
            16,
            Identity::Header,
            with_headers,
        ),
        row(
            "crr-usesrc",
            "16 at a time, from the client's address",
            16,
            Identity::Address,
            no_bounds(),
        ),
    ]
}

fn transfers() -> Vec<Scenario> {
    let row = |name, what, streams, direction| Scenario {
        name,
        what,
        work: Work::Bulk { streams, direction },
        is_deciding: true,
        comparisons: vec![
            Comparison::new(Cpu, Haproxy, Some(0.45)),
            Comparison::new(Cpu, Nginx, Some(0.60)),
            Comparison::new(Rate, Best, Some(1.15)),
        ],
    };
    vec![
        row("bulk-up-1", "1 stream to the server", 1, BulkDirection::Up),
        row("bulk-up-8", "8 streams to the server", 8, BulkDirection::Up),
        row("bulk-down-1", "1 stream to the client", 1, BulkDirection::Down),
        row("bulk-down-8", "8 streams to the client", 8, BulkDirection::Down),
    ]
}

fn mixed() -> Scenario {
    Scenario {
        name: "mixed",
        what: "64-byte requests on 64 connections beside 8 streams to the client",
        work: Work::Mixed {
            connections: 64,
            streams: 8,
        },
        is_deciding: true,
        comparisons: vec![
            Comparison::new(P99, Best, Some(0.7)),
            Comparison::new(Rate, Best, None),
            Comparison::new(BulkRate, Best, None),
        ],
    }
}

fn idle() -> Scenario {
    Scenario {
        name: "idle",
        what: "4,000 sessions that wait",
        work: Work::Idle { sessions: 4_000 },
        is_deciding: true,
        comparisons: vec![
            Comparison::new(SessionResident, Haproxy, Some(0.12)),
            Comparison::new(SessionResident, Nginx, Some(0.05)),
            Comparison::new(SessionResident, Nothing, Some(400.0)),
        ],
    }
}

fn tenants() -> Scenario {
    Scenario {
        name: "tenants",
        what: "300 namespaces, each with a listener and a server; 16 connections at a time",
        work: Work::Tenants {
            count: 300,
            at_a_time: 16,
        },
        is_deciding: true,
        comparisons: vec![
            Comparison::new(Listen, Haproxy, Some(1.0)),
            Comparison::new(Resident, Haproxy, Some(0.5)),
            Comparison::new(Rate, Haproxy, Some(1.08)),
            Comparison::new(Cpu, Haproxy, None),
        ],
    }
}

/// CPU to HAProxy and to nginx, rate and p99 to the better.
fn bounds(cpu: [Option<f64>; 2], rate: Option<f64>, p99: Option<f64>) -> Vec<Comparison> {
    vec![
        Comparison::new(Cpu, Haproxy, cpu[0]),
        Comparison::new(Cpu, Nginx, cpu[1]),
        Comparison::new(Rate, Best, rate),
        Comparison::new(P99, Best, p99),
    ]
}

fn no_bounds() -> Vec<Comparison> {
    bounds([None, None], None, None)
}

fn has_targets(comparisons: &[Comparison]) -> bool {
    comparisons.iter().any(|comparison| comparison.bound.is_some())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_two_rows_have_the_same_name() {
        let mut names: Vec<_> = all().iter().map(|scenario| scenario.name).collect();
        names.sort_unstable();
        let count = names.len();
        names.dedup();
        assert_eq!(names.len(), count);
    }

    #[test]
    fn a_row_with_a_target_decides() {
        for scenario in all() {
            assert_eq!(
                scenario.is_deciding,
                has_targets(&scenario.comparisons),
                "{}",
                scenario.name
            );
        }
    }
}

//! How servers stand: `show servers state`, `show servers conn`, `get weight`, `show backend`.

use std::collections::HashMap;
use std::io;

use nsproxy_engine::{Admin, CheckResult, Down, HealthStatus, ServerStatus};

use super::Context;
use super::change::{self, NO_SERVER, Place};
use super::command::Out;
use super::directory::{Back, Proxy, ServerEntry};
use super::whereabouts::Whereabouts;

/// What the engine knows of each server, by its pool's name and its own.
pub(super) type Servers = HashMap<(String, String), ServerStatus>;

pub(super) fn statuses(context: &Context) -> Servers {
    let servers = context.engine.servers().into_iter();
    servers
        .map(|status| ((status.pool.clone(), status.server.clone()), status))
        .collect()
}

/// What the engine knows of this one.
pub(super) fn status((backend, server): Place<'_>, context: &Context) -> Option<ServerStatus> {
    let mut servers = context.engine.servers().into_iter();
    servers.find(|status| status.pool == backend && status.server == server)
}

pub(super) fn backends(context: &Context, out: &mut Out<'_>) -> io::Result<()> {
    writeln!(out, "# name")?;
    let directory = context.directory();
    directory
        .backends()
        .try_for_each(|(proxy, _)| writeln!(out, "{}", proxy.name))
}

pub(super) fn weight(words: &[String], context: &Context, out: &mut Out<'_>) -> io::Result<()> {
    match change::server(words, context) {
        Err(refusal) => writeln!(out, "{refusal}"),
        Ok(place) => match status(place, context) {
            Some(status) => writeln!(out, "{} (initial {})", status.weight, status.configured_weight),
            None => writeln!(out, "{NO_SERVER}"),
        },
    }
}

pub(super) fn state(words: &[String], context: &Context, out: &mut Out<'_>) -> io::Result<()> {
    const HEADER: &str = "# be_id be_name srv_id srv_name srv_addr srv_op_state srv_admin_state srv_uweight srv_iweight \
        srv_time_since_last_change srv_check_status srv_check_result srv_check_health srv_check_state srv_agent_state \
        bk_f_forced_id srv_f_forced_id srv_fqdn srv_port srvrecord srv_use_ssl srv_check_port srv_check_addr srv_agent_addr \
        srv_agent_port";
    each(words, context, out, &format!("1\n{HEADER}"), |server, out| {
        let Known {
            proxy,
            number,
            entry,
            status,
        } = server;
        let where_it_is = Whereabouts(status);
        let health = status.health.as_ref().filter(|_| entry.check.is_some());
        let (check_status, check_result) =
            health
                .and_then(|health| health.last.as_ref())
                .map_or((1, 0), |last| {
                    (
                        check_number(last.result),
                        if last.result.is_passed() { 3 } else { 2 },
                    )
                });
        writeln!(
            out,
            "{} {} {number} {} {} {} {} {} {} {} {check_status} {check_result} {} {} 0 0 0 {} {} - 0 {} {} - 0",
            proxy.id,
            proxy.name,
            entry.name,
            where_it_is.address(),
            if is_stopped(status) { 0 } else { 2 },
            admin_state(status),
            status.weight,
            status.configured_weight,
            status.availability.unchanged_for.as_secs(),
            level(entry, status),
            check_state(entry, status),
            where_it_is.host().unwrap_or("-"),
            where_it_is.port(),
            entry.check_port,
            entry
                .check_address
                .map_or_else(|| "-".to_owned(), |ip| ip.to_string()),
        )
    })
}

pub(super) fn connections(words: &[String], context: &Context, out: &mut Out<'_>) -> io::Result<()> {
    let workers = context.engine.workers();
    let header = format!(
        "# bkname/svname bkid/svid addr port - purge_delay used_cur used_max need_est unsafe_nb safe_nb idle_lim idle_cur \
         idle_per_thr[{workers}]"
    );
    each(words, context, out, &header, |server, out| {
        let Known {
            proxy,
            number,
            entry,
            status,
        } = server;
        writeln!(
            out,
            "{}/{} {}/{number} {} {} - 0 {} {} {} 0 0 0 0{}",
            proxy.name,
            entry.name,
            proxy.id,
            Whereabouts(status).address(),
            Whereabouts(status).port(),
            status.sessions,
            status.most_sessions,
            status.most_sessions,
            " 0".repeat(workers),
        )
    })
}

/// A server, in the configuration and in the engine.
struct Known<'k> {
    proxy: &'k Proxy,
    number: usize,
    entry: &'k ServerEntry,
    status: &'k ServerStatus,
}

/// Writes a line for each server, of one backend or of all.
fn each(
    words: &[String],
    context: &Context,
    out: &mut Out<'_>,
    header: &str,
    mut line: impl FnMut(Known<'_>, &mut Out<'_>) -> io::Result<()>,
) -> io::Result<()> {
    let directory = context.directory();
    let statuses = statuses(context);
    let meant: Vec<(&Proxy, &Back)> = match words.first() {
        None => directory.backends().collect(),
        Some(name) => match directory.backend(name) {
            Some(backend) => vec![backend],
            None => return writeln!(out, "Can't find backend."),
        },
    };
    writeln!(out, "{header}")?;
    for (proxy, back) in meant {
        for (number, entry) in (1..).zip(&back.servers) {
            if let Some(status) = statuses.get(&(proxy.name.clone(), entry.name.clone())) {
                let known = Known {
                    proxy,
                    number,
                    entry,
                    status,
                };
                line(known, out)?;
            }
        }
    }
    Ok(())
}

/// Whether it cannot be used at all.
pub(super) fn is_stopped(status: &ServerStatus) -> bool {
    !(status.down - Down::DRAINED).is_empty()
}

/// HAProxy's `SRV_ADMF_*`.
fn admin_state(status: &ServerStatus) -> u32 {
    let bits = [
        (1, status.admin == Admin::Maintenance),
        (2, status.inherited == Admin::Maintenance),
        (4, status.disabled),
        (8, status.admin == Admin::Drain),
        (16, status.inherited == Admin::Drain),
        (32, status.down.contains(Down::UNRESOLVED)),
    ];
    bits.iter()
        .filter(|(_, is_set)| *is_set)
        .map(|(bit, _)| bit)
        .sum()
}

/// HAProxy's `health`: from 0 to `rise + fall - 1`, and up from `rise` on.
pub(super) fn level(entry: &ServerEntry, status: &ServerStatus) -> u32 {
    /// The `rise` of a server that is not checked.
    const RISE: u32 = 2;
    match (&entry.check, &status.health) {
        _ if status.down.contains(Down::MAINTENANCE) => 0,
        (
            Some((rise, _)),
            Some(HealthStatus {
                is_up,
                progress: (at, _),
                ..
            }),
        ) => {
            if *is_up {
                rise + at - 1
            } else {
                *at
            }
        }
        // One that begins in maintenance is never set to it.
        _ if status.disabled => 0,
        _ => RISE,
    }
}

/// HAProxy's `CHK_ST_*`.
fn check_state(entry: &ServerEntry, status: &ServerStatus) -> u32 {
    const CHECKED: u32 = 6;
    const PAUSED: u32 = 8;
    match entry.check {
        Some(_) if status.admin == Admin::Maintenance => CHECKED + PAUSED,
        Some(_) => CHECKED,
        // Set by the configuration, and never taken back.
        None if status.disabled => PAUSED,
        None => 0,
    }
}

/// HAProxy's `HCHK_STATUS_*`.
fn check_number(result: CheckResult) -> u32 {
    match result {
        CheckResult::Observed => 4,
        CheckResult::SocketError => 5,
        CheckResult::Layer4Passed => 6,
        CheckResult::Layer4Timeout => 7,
        CheckResult::Layer4Failed => 8,
        CheckResult::Layer7Timeout => 12,
        CheckResult::Layer7Invalid => 13,
        CheckResult::Layer7Passed => 15,
        _ => 0,
    }
}

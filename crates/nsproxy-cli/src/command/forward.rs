//! `nsproxy forward`: one relay, from the command line.

use std::io::{self, IsTerminal as _};
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::Context as _;
use nsproxy_engine::{
    ApplyError, Endpoint, Engine, HeaderPlan, InProcess, ListenerNetns, ListenerPlan, Plan, ServerPlan,
    Settings, SourceAddress, SourcePlan, Stats, Target, TlvPlan, UpstreamNetns,
};

use crate::args::Forward;
use crate::counted::counted;
use crate::log::{self, Level, Log};
use crate::notify::Notifier;
use crate::server::Ending;
use crate::signals::Signal;
use crate::{limits, namespaces, signals};

pub(crate) fn forward(args: &Forward) -> anyhow::Result<ExitCode> {
    limits::set_open_files(None)?;
    let level = if args.verbose {
        Level::Sessions
    } else {
        Level::Failures
    };
    let (log, writer) = Log::start(level).context("cannot start the log")?;
    let engine = Engine::start(&Settings::default(), Arc::new(InProcess), Arc::new(log))?;
    let mut ending = Ending::new(engine.handle());
    let mut notifier = Notifier::of_this_process();
    let watched = notifier.watch(engine.handle());
    watched.context("cannot feed the watchdog")?;
    let notifier = Arc::new(notifier);
    let its_notifier = Arc::clone(&notifier);
    signals::watch(move |signal| obey(signal, &mut ending, &its_notifier))
        .context("cannot watch for signals")?;
    let plan = plan(args)?;
    namespaces::warn_about_missing(&plan);
    let listeners = match engine.handle().apply(&plan) {
        // A signal that has come already leaves nothing to be brought into being, which is no error.
        Err(ApplyError::Stopping) => Vec::new(),
        result => result?,
    };
    for listener in listeners {
        let then = match &listener.netns {
            Some(netns) if listener.pending => format!("once netns {netns} is there (Ctrl-C ends)"),
            _ => "(Ctrl-C ends)".to_owned(),
        };
        let from = crate::endpoint::Endpoint {
            address: listener.address,
            netns: listener.netns,
        };
        log::complain(&format!("relaying {from} to {} {then}", args.target));
    }
    notifier.ready(format_args!("relaying to {}", args.target));
    let stats = engine.wait()?;
    writer.finish(&summary(&stats));
    Ok(ExitCode::SUCCESS)
}

/// Does what a signal says.
fn obey(signal: Signal, ending: &mut Ending, notifier: &Notifier) {
    match signal {
        Signal::Reload if !io::stderr().is_terminal() => {
            log::complain("nsproxy: SIGHUP: there is no configuration to read again");
        }
        Signal::Upgrade => log::complain("nsproxy: SIGUSR2: only `nsproxy run` can be upgraded"),
        // Or the terminal is gone, and whoever sat there cannot end this any more.
        Signal::Stop | Signal::Retire | Signal::Reload => {
            // First of all: without sessions, the process ends at once.
            notifier.stopping("draining");
            if signal == Signal::Retire {
                ending.retire(None);
            } else {
                ending.stop(None);
            }
        }
    }
}

fn plan(args: &Forward) -> anyhow::Result<Plan> {
    let target = match &args.target.address {
        Endpoint::Ip(address) if address.port() == 0 => anyhow::bail!("port 0 is no target"),
        Endpoint::Ip(address) => Target::Ip {
            address: address.ip(),
            port: Some(address.port()),
        },
        Endpoint::Unix(path) => Target::Unix(path.clone()),
        Endpoint::Inherited(_) => anyhow::bail!("an inherited socket is no target"),
    };
    let listener = ListenerPlan {
        netns: args.listen.netns.clone().map(ListenerNetns::Named),
        accept_proxy: args.accept_proxy,
        ..ListenerPlan::at(args.listen.address.clone())
    };
    let server = ServerPlan {
        source: None,
        name: args.target.address.to_string(),
        target,
        netns: args
            .target
            .netns
            .clone()
            .map_or(UpstreamNetns::Default, UpstreamNetns::Named),
        send_header: match (args.send_proxy, args.send_proxy_v2) {
            (true, _) => Some(HeaderPlan::V1),
            (_, true) => Some(HeaderPlan::V2(TlvPlan::default())),
            _ => None,
        },
        share: nsproxy_engine::Share::default(),
        health: nsproxy_engine::HealthPlan::default(),
    };
    let source = args
        .source_client
        .then(|| SourcePlan::from(SourceAddress::Client { with_port: false }));
    let mut plan = Plan::forward(listener, server, source);
    for relay in &mut plan.relays {
        // There is only one, and a value of the log has no spaces.
        "forward".clone_into(&mut relay.name);
        relay.client_timeout = args.idle_timeout.unwrap_or_default();
    }
    for pool in &mut plan.pools {
        pool.connect_timeout = args.connect_timeout;
        pool.server_timeout = args.idle_timeout.unwrap_or_default();
    }
    Ok(plan)
}

fn summary(stats: &Stats) -> String {
    let Stats {
        accepted,
        failed,
        bytes_up,
        bytes_down,
        ..
    } = stats;
    let failures = if *failed > 0 {
        format!(" ({failed} failed)")
    } else {
        String::new()
    };
    let connections = counted(*accepted, "connection");
    format!("relayed {connections}{failures}: {bytes_up} bytes to the target, {bytes_down} bytes back")
}

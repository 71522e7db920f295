//! Who is compared, and the running programs.

use std::env;
use std::fs::{self, File};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail, ensure};
use netns_core::Home;
use nix::sys::signal::{Signal, kill, killpg};
use nix::unistd::Pid;

use super::configuration::{self, Rule};
use super::world::World;
use super::{account, sys};

/// A relay has this long to end by itself.
const FAREWELL: Duration = Duration::from_secs(3);
/// Where servers are installed, and where an ordinary user's `PATH` does not look.
const MORE_PLACES: [&str; 2] = ["/usr/sbin", "/usr/local/sbin"];

/// What kind of program it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Nsproxy,
    Haproxy,
    Nginx,
    /// No relay: the clients connect to the server.
    Direct,
}

/// One column of the comparison.
#[derive(Clone, Debug)]
pub(super) struct Contender {
    pub(super) name: &'static str,
    pub(super) kind: Kind,
    program: PathBuf,
    /// Keeps the ports of the contenders apart.
    index: u16,
}

impl Contender {
    /// All of them: our own first, a second build of it if there is one, and no relay last.
    pub(super) fn all(nsproxy: &Path, second: Option<&Path>) -> anyhow::Result<Vec<Self>> {
        let mut all = vec![("nsproxy", Kind::Nsproxy, nsproxy.to_owned())];
        all.extend(second.map(|path| ("second", Kind::Nsproxy, path.to_owned())));
        all.push(("haproxy", Kind::Haproxy, find("haproxy")?));
        all.push(("nginx", Kind::Nginx, find("nginx")?));
        all.push(("direct", Kind::Direct, PathBuf::new()));
        let contender = |(index, (name, kind, program))| Self {
            name,
            kind,
            program,
            index,
        };
        Ok((0..).zip(all).map(contender).collect())
    }

    /// Where this contender's server of this number listens.
    pub(super) fn server_port(&self, service: u16) -> u16 {
        9_000 + 10 * self.index + service
    }

    /// Where its clients connect.
    pub(super) fn client_port(&self, service: u16) -> u16 {
        match self.kind {
            Kind::Direct => self.server_port(service),
            _ => 8_000 + 10 * self.index + service,
        }
    }

    /// Whether its server is in the namespace of the clients.
    pub(super) fn is_in_one_namespace(&self) -> bool {
        matches!(self.kind, Kind::Nginx | Kind::Direct)
    }

    /// What it calls itself.
    pub(super) fn version(&self) -> anyhow::Result<Option<String>> {
        let option = match self.kind {
            Kind::Nsproxy => "--version",
            Kind::Haproxy | Kind::Nginx => "-v",
            Kind::Direct => return Ok(None),
        };
        let output = Command::new(&self.program).arg(option).output()?;
        // nginx tells it on standard error.
        let text = [output.stdout, output.stderr].concat();
        let line = String::from_utf8_lossy(&text)
            .lines()
            .next()
            .unwrap_or_default()
            .to_owned();
        Ok(Some(line))
    }

    /// Starts the program, or nothing. To be called on a thread that lives as long as the program should.
    pub(super) fn start(&self, rules: &[Rule], threads: usize, world: &World) -> anyhow::Result<Relay> {
        let (configuration, log) = (
            World::path(&format!("{}.conf", self.name)),
            World::path(&format!("{}.log", self.name)),
        );
        fs::write(&configuration, configuration::text(self.kind, rules, threads))?;
        let mut command = Command::new(&self.program);
        match self.kind {
            Kind::Nsproxy => command.args(["run", "-f"]).arg(&configuration),
            Kind::Haproxy => command.args(["-db", "-f"]).arg(&configuration),
            Kind::Nginx => command.arg("-c").arg(&configuration),
            Kind::Direct => {
                return Ok(Relay {
                    child: None,
                    processes: 0,
                    log,
                });
            }
        };
        let output = File::create(&log)?;
        command
            .stdin(Stdio::null())
            .stdout(output.try_clone()?)
            .stderr(output)
            .process_group(0);
        sys::ends_with_us(&mut command);
        let mut spawn = || command.spawn();
        let child = if self.kind == Kind::Nginx {
            Home::of_this_thread()?.visit(&world.clients, spawn)?
        } else {
            spawn()
        };
        let child = child.with_context(|| format!("cannot start {}", self.program.display()))?;
        Ok(Relay {
            child: Some(child),
            // nginx listens before it starts its workers.
            processes: if self.kind == Kind::Nginx { 1 + threads } else { 1 },
            log,
        })
    }
}

/// A running relay; it ends when this is dropped.
#[derive(Debug)]
pub(super) struct Relay {
    child: Option<Child>,
    /// How many there are when all have been started.
    processes: usize,
    log: PathBuf,
}

impl Relay {
    /// Its processes as they are now; none for the direct connection.
    pub(super) fn processes(&self) -> anyhow::Result<Vec<u32>> {
        self.child
            .as_ref()
            .map_or_else(|| Ok(Vec::new()), |child| account::with_children(child.id()))
    }

    /// Waits until all its processes run and `is_ready`, unless the program ends before.
    pub(super) fn await_ready(
        &mut self,
        pause: Duration,
        is_ready: &mut dyn FnMut() -> anyhow::Result<bool>,
    ) -> anyhow::Result<()> {
        let begun = Instant::now();
        while !is_ready()? || self.processes()?.len() < self.processes {
            if let Some(child) = &mut self.child
                && let Some(status) = child.try_wait()?
            {
                bail!("it ended ({status}): {}", self.said());
            }
            ensure!(
                begun.elapsed() < super::load::PATIENCE,
                "it does not listen: {}",
                self.said()
            );
            thread::sleep(pause);
        }
        Ok(())
    }

    /// The end of what it has printed.
    pub(super) fn said(&self) -> String {
        let text = fs::read_to_string(&self.log).unwrap_or_default();
        let lines: Vec<_> = text.lines().rev().take(5).collect();
        lines.into_iter().rev().collect::<Vec<_>>().join(" | ")
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        let Some(child) = &mut self.child else {
            return;
        };
        let pid = Pid::from_raw(child.id().cast_signed());
        // Errors mean that there is nobody left to be told.
        let _ = kill(pid, Signal::SIGTERM);
        let begun = Instant::now();
        while matches!(child.try_wait(), Ok(None)) && begun.elapsed() < FAREWELL {
            thread::sleep(Duration::from_millis(1));
        }
        let _ = killpg(pid, Signal::SIGKILL);
        let _ = child.wait();
    }
}

fn find(name: &str) -> anyhow::Result<PathBuf> {
    let path = env::var_os("PATH").unwrap_or_default();
    env::split_paths(&path)
        .chain(MORE_PLACES.map(PathBuf::from))
        .map(|place| place.join(name))
        .find(|file| file.is_file())
        .with_context(|| format!("{name} is not installed"))
}

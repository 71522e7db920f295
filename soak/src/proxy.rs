//! The process under test: its configuration, its signals, and its admin socket.

use std::fmt::Write as _;
use std::fs;
use std::io::ErrorKind;
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::sys::signal::kill;
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::Pid;
use nsproxy_testkit::{Deadline, Peer, Running, Signal, World, eventually};

/// How long nsproxy may take for anything, on a machine that has more to do.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// Where the relays of the configuration are, in the namespace of the run but for [`INSIDE`] and [`TENANTS`].
pub(crate) const NEAR: &str = "127.0.0.1:8000";
pub(crate) const FAR: &str = "127.0.0.1:8001";
/// In the namespace `far`.
pub(crate) const INSIDE: &str = "127.0.0.1:8002";
/// It takes PROXY headers, and connects where they say.
pub(crate) const HEADERS: &str = "127.0.0.1:8003";
/// It leads to an echo.
pub(crate) const STAYING: &str = "127.0.0.1:8005";
/// In each namespace `tenant-*`.
pub(crate) const TENANTS: &str = "127.0.0.1:80";

/// Where the servers listen.
pub(crate) const SERVER: &str = "127.0.0.1:9000";
pub(crate) const OTHER_SERVER: &str = "127.0.0.1:9001";
pub(crate) const ECHO: &str = "127.0.0.1:9002";

/// How long sessions may go on in a namespace that was removed.
pub(crate) const NETNS_REMOVED: Duration = Duration::from_millis(200);

/// The configuration. From one `variant` to the next, the number of workers, a listener and the server of `near` change.
fn configuration(w: &World, variant: usize) -> String {
    let threads = 1 + variant % 2;
    let near = [SERVER, OTHER_SERVER][variant / 2 % 2];
    let mut text = format!(
        "global\n  nbthread {threads}\n  stats socket {admin} level admin\n\
         defaults\n  mode tcp\n  timeout connect 10s\n  timeout client 1m\n  timeout server 1m\n\
         \x20 timeout netns-removed {removed}ms\n  log {log} local0\n  option tcplog\n\
         namespace_list\n  namespace far\n  namespace tenant-*\n\
         listen near\n  bind {NEAR}\n  server s {near}\n\
         listen far\n  bind {FAR}\n  server s {SERVER} namespace far check inter 500ms fall 20\n\
         listen inside\n  bind {INSIDE} namespace far\n  server s {SERVER}\n\
         listen headers\n  bind {HEADERS} accept-proxy\n  server s {SERVER} namespace *\n\
         listen staying\n  bind {STAYING}\n  server s {ECHO} check inter 500ms fall 20\n\
         listen tenants\n  bind {TENANTS} namespace tenant-*\n  server s {SERVER} namespace *\n",
        admin = admin(w).display(),
        log = crate::log::path(w).display(),
        removed = NETNS_REMOVED.as_millis(),
    );
    if variant % 3 == 1 {
        text.push_str("listen more\n  bind 127.0.0.1:8004\n  server s 127.0.0.1:9000\n");
    }
    text
}

fn admin(w: &World) -> PathBuf {
    w.path("admin.sock")
}

/// A running nsproxy, or the one that has taken its place.
pub(crate) struct Proxy<'w> {
    w: &'w World,
    /// The first one.
    running: Running,
    /// The one of now.
    pid: Pid,
    /// Those that were told to end, or have handed over.
    retired: Vec<Pid>,
    /// What it tells its service manager, which is this.
    told: UnixDatagram,
}

impl<'w> Proxy<'w> {
    pub(crate) fn start(w: &'w World, nsproxy: &Path) -> Self {
        let notify = w.path("notify");
        let told = UnixDatagram::bind(&notify).expect("a socket can be bound in the world");
        let mut command = Command::new(nsproxy);
        command.args(["run", "-f"]).arg(write(w, 0));
        command.env("NOTIFY_SOCKET", notify);
        let running = w.home().spawn(command);
        let pid = Pid::from_raw(running.pid().cast_signed());
        let proxy = Self {
            w,
            running,
            pid,
            retired: Vec::new(),
            told,
        };
        proxy.wait_for("the start", |words| words.starts_with("READY=1"));
        proxy
    }

    /// The process of now.
    pub(crate) fn pid(&self) -> Pid {
        self.pid
    }

    /// Lets some time pass; what is said in it is of no interest.
    pub(crate) fn pass(&self, time: Duration) {
        let until = Instant::now() + time;
        while self.hear(until).is_some() {}
    }

    /// Has it read this variant of the configuration.
    pub(crate) fn reload(&self, variant: usize) {
        write(self.w, variant);
        let status = self.have_read();
        assert!(
            !status.contains("refused"),
            "a good configuration was refused: {status}"
        );
    }

    /// Has it read a configuration that is no good.
    pub(crate) fn reload_a_bad_one(&self) {
        self.w.write("nsproxy.cfg", "listen near\n  bind nowhere\n");
        let status = self.have_read();
        assert!(
            status.contains("the reload was refused"),
            "a bad configuration was not refused: {status}"
        );
    }

    fn have_read(&self) -> String {
        self.signal(Signal::SIGHUP);
        self.wait_for("the end of a reload", |words| words.starts_with("READY=1"))
    }

    /// Has another process take its place.
    pub(crate) fn upgrade(&mut self, variant: usize) {
        write(self.w, variant);
        self.signal(Signal::SIGUSR2);
        let words = self.wait_for("a process in its place", |words| {
            assert!(!words.contains("upgrade has failed"), "{words}");
            words.starts_with("MAINPID=")
        });
        let pid = words.trim_start_matches("MAINPID=").trim().parse();
        let pid = Pid::from_raw(pid.expect("a number behind MAINPID="));
        self.retired.push(std::mem::replace(&mut self.pid, pid));
    }

    /// Waits for the ends of those whose place was taken.
    pub(crate) fn await_retired(&mut self) {
        for pid in std::mem::take(&mut self.retired) {
            wait_for_end(pid);
        }
    }

    /// Waits until no session is left and no namespace is followed but `far`, and returns the sockets that it has in stock.
    pub(crate) fn rest(&self) -> usize {
        let mut last = String::new();
        let deadline = Deadline::after(PATIENCE);
        loop {
            let last_look = deadline.passed();
            let info = self.ask("show info");
            let sessions = info.lines().find_map(|line| line.strip_prefix("CurrConns: "));
            let netns = self.ask("show netns");
            let rows: Vec<Vec<&str>> = netns
                .lines()
                .filter(|line| !line.starts_with('#') && !line.is_empty())
                .map(|line| line.split_whitespace().collect())
                .collect();
            let is_at_rest = sessions == Some("0") && rows.iter().all(|row| row.first() == Some(&"far"));
            if is_at_rest {
                let stock = rows.iter().filter_map(|row| row.last()?.parse::<usize>().ok());
                return stock.sum();
            }
            last.clear();
            let _ = write!(
                last,
                "CurrConns: {sessions:?}\n{netns}\n{}",
                self.ask("show sess")
            );
            assert!(
                !last_look,
                "nsproxy does not come to rest within {PATIENCE:?}:\n{last}"
            );
            self.pass(Duration::from_millis(50));
        }
    }

    /// Asks at the admin socket.
    pub(crate) fn ask(&self, command: &str) -> String {
        let client = Peer::connect(&*admin(self.w));
        client.send(format!("{command}\n"));
        String::from_utf8_lossy(&client.read_to_end(1 << 24)).into_owned()
    }

    /// Has it drain, with nothing to wait for, and end well. Returns what it and those before it have said.
    pub(crate) fn end(mut self) -> String {
        self.signal(Signal::SIGTERM);
        self.wait_for("the end", |words| words.starts_with("STOPPING=1"));
        wait_for_end(self.pid);
        self.await_retired();
        self.running.stderr()
    }

    /// What it and those before it have said so far; its last words only.
    pub(crate) fn last_words(&self) -> String {
        let said = self.running.stderr();
        let lines: Vec<_> = said.lines().collect();
        lines[lines.len().saturating_sub(40)..].join("\n")
    }

    fn signal(&self, signal: Signal) {
        kill(self.pid, signal).unwrap_or_else(|errno| panic!("cannot send {signal} to nsproxy: {errno}"));
    }

    fn wait_for(&self, what: &str, is_it: impl Fn(&str) -> bool) -> String {
        let until = Instant::now() + PATIENCE;
        let mut last = None;
        while let Some(words) = self.hear(until) {
            if is_it(&words) {
                return words;
            }
            last = Some(words);
        }
        panic!("waited {PATIENCE:?} in vain for {what} of nsproxy; its last words are {last:?}");
    }

    /// The next thing that it tells its manager.
    fn hear(&self, until: Instant) -> Option<String> {
        let left = until.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return None;
        }
        self.told
            .set_read_timeout(Some(left))
            .expect("a time that is not zero");
        let mut text = [0; 4096];
        match self.told.recv(&mut text) {
            Ok(length) => Some(String::from_utf8_lossy(&text[..length]).into_owned()),
            Err(error) if error.kind() == ErrorKind::WouldBlock => None,
            Err(error) => panic!("cannot hear what nsproxy tells its manager: {error}"),
        }
    }
}

fn write(w: &World, variant: usize) -> PathBuf {
    w.write("nsproxy.cfg", configuration(w, variant))
}

/// Waits for a process, which has to end well. The first one is a child of this process, and so are the others once those
/// before them have ended: it is the first process of its namespace.
fn wait_for_end(pid: Pid) {
    let status = eventually(PATIENCE, &format!("the end of process {pid}"), || {
        match waitpid(pid, Some(WaitPidFlag::WNOHANG)) {
            Ok(WaitStatus::StillAlive) => None,
            // Its parent, which drains, is there still.
            Err(Errno::ECHILD) if is_there(pid) => None,
            ended => Some(ended),
        }
    });
    assert_eq!(
        status,
        Ok(WaitStatus::Exited(pid, 0)),
        "a process of nsproxy has not ended well"
    );
}

fn is_there(pid: Pid) -> bool {
    fs::exists(format!("/proc/{pid}")).unwrap_or(false)
}

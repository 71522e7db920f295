//! The seam where sockets come from: an embedding program's own opener, which answers when it likes.
//!
//! Here a test plays the broker: it sees each request and answers from its own thread, late, out of order, with an
//! error, or never.
#![allow(clippy::unwrap_used, reason = "a panic is how a test reports")]

mod common;

use std::io::{self, Read, Write};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use common::{A_WHILE, LOOPBACK, Relay, named, plan, plan_of, settings};
use mio::unix::pipe;
use mio::{Interest, Registry, Token};
use nsproxy_engine::{
    Balancing, CloseReason, Errno, InProcess, OpenAnswer, OpenError, OpenToken, OpenerFactory, Operation,
    Plan, Side, SocketKind, SocketOpener, SocketRequest,
};
use nsproxy_testkit::{DEFAULT_DEADLINE, Listener, Service, eventually};
use socket2::{Domain, Socket, Type};

/// A request that waits for the test's answer.
struct Pending {
    token: OpenToken,
    request: SocketRequest,
    answers: Arc<Mutex<Vec<OpenAnswer>>>,
    bell: Arc<pipe::Sender>,
}

impl Pending {
    fn answer(self, result: Result<Socket, OpenError>) {
        let answer = OpenAnswer {
            token: self.token,
            result,
        };
        self.answers
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(answer);
        // A full pipe has told already; one whose other end has gone is of no use to anybody.
        let _ = (&*self.bell).write(b"!");
    }

    /// Returns a duplicate of the socket that was made.
    fn succeed(self) -> Socket {
        let socket = Socket::new(Domain::IPV4, Type::STREAM.nonblocking(), None);
        let socket = socket.expect("a socket can be made");
        let twin = socket.try_clone().expect("it can be duplicated");
        self.answer(Ok(socket));
        twin
    }

    fn fail(self, errno: i32) {
        let netns = self.request.netns.clone();
        let source = io::Error::from_raw_os_error(errno);
        self.answer(Err(OpenError {
            operation: Operation::CreateSocket,
            netns,
            source,
        }));
    }
}

/// Where requests for upstream connections arrive. Listeners are opened in place.
#[derive(Default)]
struct Desk(Mutex<Vec<Pending>>);

impl Desk {
    /// Waits for so many requests, and takes them.
    fn take(&self, count: usize) -> Vec<Pending> {
        eventually(DEFAULT_DEADLINE, "requests for sockets", || {
            let mut pending = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            (pending.len() >= count).then(|| pending.drain(..).collect())
        })
    }

    fn take_one(&self) -> Pending {
        let mut pending = self.take(1);
        assert_eq!(pending.len(), 1, "one request for one session");
        pending.remove(0)
    }
}

struct Broker(Arc<Desk>);

impl OpenerFactory for Broker {
    fn opener(&self, stock: usize) -> io::Result<Box<dyn SocketOpener>> {
        let (desk, in_place) = (Arc::clone(&self.0), InProcess.opener(stock)?);
        Ok(Box::new(AtTheDesk {
            desk,
            in_place,
            answers: Arc::default(),
            bell: None,
        }))
    }
}

struct AtTheDesk {
    desk: Arc<Desk>,
    in_place: Box<dyn SocketOpener>,
    answers: Arc<Mutex<Vec<OpenAnswer>>>,
    /// What the worker hears, and what rings it.
    bell: Option<(pipe::Receiver, Arc<pipe::Sender>)>,
}

impl SocketOpener for AtTheDesk {
    fn register(&mut self, registry: &Registry, token: Token) -> io::Result<()> {
        let (ring, mut heard) = pipe::new()?;
        registry.register(&mut heard, token, Interest::READABLE)?;
        self.bell = Some((heard, Arc::new(ring)));
        Ok(())
    }

    fn request(&mut self, token: OpenToken, request: SocketRequest) {
        // A unix socket is wanted to learn which namespace a listener's name means.
        let for_session = matches!(request.kind, SocketKind::Upstream { family, .. }
            if family != nsproxy_engine::Family::Unix);
        match &self.bell {
            Some((_, bell)) if for_session => {
                let (answers, bell) = (Arc::clone(&self.answers), Arc::clone(bell));
                let pending = Pending {
                    token,
                    request,
                    answers,
                    bell,
                };
                self.desk
                    .0
                    .lock()
                    .unwrap_or_else(PoisonError::into_inner)
                    .push(pending);
            }
            _ => self.in_place.request(token, request),
        }
    }

    fn answers(&mut self, answers: &mut Vec<OpenAnswer>) {
        self.in_place.answers(answers);
        if let Some((heard, _)) = &mut self.bell {
            while matches!(heard.read(&mut [0; 64]), Ok(1..)) {}
        }
        answers.append(&mut self.answers.lock().unwrap_or_else(PoisonError::into_inner));
    }

    fn stock(&self) -> usize {
        self.in_place.stock()
    }

    fn release_unused(&mut self) {
        self.in_place.release_unused();
    }
}

fn brokered(plan: &Plan) -> (Relay, Arc<Desk>) {
    let desk = Arc::<Desk>::default();
    let relay = Relay::start_with(&settings(1), Arc::new(Broker(Arc::clone(&desk))), plan);
    (relay, desk)
}

#[test]
fn segments_stop_to_wait_for_one_another_when_a_second_one_is_sent() {
    let echo = Service::echo(Listener::bind(LOOPBACK));
    let (relay, desk) = brokered(&plan(echo.address()));
    let client = relay.connect();
    client.send("x");
    let upstream = desk.take_one().succeed();
    client.expect("x");
    assert!(!upstream.tcp_nodelay().unwrap());
    client.send("y");
    client.expect("y");
    assert!(upstream.tcp_nodelay().unwrap());
}

#[test]
fn a_late_answer_is_waited_for() {
    let echo = Service::echo(Listener::bind(LOOPBACK));
    let (relay, desk) = brokered(&plan(echo.address()));
    let client = relay.connect();
    client.send("x");
    let pending = desk.take_one();
    assert_eq!(pending.request.netns, None);
    client.expect_silence(A_WHILE);
    pending.succeed();
    client.expect("x");
    client.half_close();
    client.expect_eof();
    assert_eq!(relay.end().reason, CloseReason::Finished);
}

#[test]
fn answers_out_of_order_reach_the_sessions_that_they_are_for() {
    let services = ["a", "b", "c"].map(|name| Service::reply(Listener::bind(LOOPBACK), name));
    let mut plan = plan(services[0].address());
    plan.pools[0].servers = ["a", "b", "c"]
        .iter()
        .zip(&services)
        .map(|(name, service)| nsproxy_engine::ServerPlan {
            name: (*name).to_owned(),
            ..common::server(service.address())
        })
        .collect();
    let (relay, desk) = brokered(&plan);
    let mut waiting = Vec::new();
    for _ in &services {
        let client = relay.connect();
        waiting.push((client, desk.take_one()));
    }
    let clients: Vec<_> = waiting
        .into_iter()
        .rev()
        .map(|(client, pending)| {
            pending.succeed();
            client
        })
        .collect();
    for (client, name) in clients.iter().zip(["c", "b", "a"]) {
        client.expect(name);
        client.expect_eof();
    }
}

#[test]
fn an_error_ends_its_session_with_its_number_and_a_notice_and_no_other() {
    let echo = Service::echo(Listener::bind(LOOPBACK));
    let (relay, desk) = brokered(&plan(echo.address()));
    let unlucky = relay.connect();
    let first = desk.take_one();
    let lucky = relay.connect();
    let second = desk.take_one();
    first.fail(libc::EMFILE);
    unlucky.expect_eof();
    assert_eq!(relay.end().reason, CloseReason::SocketFailed(Errno(libc::EMFILE)));
    assert!(relay.record.notices()[0].starts_with("SocketFailed"));
    second.succeed();
    lucky.send("x");
    lucky.expect("x");
}

#[test]
fn no_answer_at_all_is_a_connect_timeout() {
    let echo = Service::echo(Listener::bind(LOOPBACK));
    let mut plan = plan(echo.address());
    plan.pools[0].connect_timeout = Duration::from_millis(100);
    let (relay, desk) = brokered(&plan);
    let client = relay.connect();
    client.expect_eof();
    assert_eq!(relay.end().reason, CloseReason::ConnectTimeout);
    relay.expect_idle();
    // It comes when nobody waits any more; the next session is served all the same.
    desk.take_one().succeed();
    let next = relay.connect();
    next.send("x");
    desk.take_one().succeed();
    next.expect("x");
}

#[test]
fn an_answer_for_a_session_that_has_gone_is_not_given_to_the_one_in_its_place() {
    let services = ["a", "b"].map(|name| Service::reply(Listener::bind(LOOPBACK), name));
    let servers = ["a", "b"].iter().zip(&services);
    let servers = servers.map(|(name, service)| named(name, service.address()));
    let (relay, desk) = brokered(&plan_of(servers.collect(), Balancing::default()));
    let gone = relay.connect();
    let stale = desk.take_one();
    gone.reset();
    assert_eq!(relay.end().reason, CloseReason::Reset(Side::Downstream));
    // The same place in the worker's list, another session.
    let client = relay.connect();
    let fresh = desk.take_one();
    stale.fail(libc::EACCES);
    client.expect_silence(A_WHILE);
    fresh.succeed();
    client.expect("b");
    client.expect_eof();
}

#[test]
fn sessions_that_wait_for_a_socket_are_stopped_with_the_engine() {
    let echo = Service::echo(Listener::bind(LOOPBACK));
    let (relay, desk) = brokered(&plan(echo.address()));
    let client = relay.connect();
    let pending = desk.take_one();
    relay.handle.stop();
    client.expect_reset();
    relay.engine.wait().unwrap();
    assert_eq!(relay.record.ends()[0].reason, CloseReason::Stopped);
    drop(pending);
}

#[test]
fn an_opener_that_cannot_be_made_keeps_the_engine_from_starting() {
    struct None;
    impl OpenerFactory for None {
        fn opener(&self, _: usize) -> io::Result<Box<dyn SocketOpener>> {
            Err(io::Error::from_raw_os_error(libc::ECONNREFUSED))
        }
    }
    let started =
        nsproxy_engine::Engine::start(&settings(1), Arc::new(None), Arc::new(nsproxy_engine::Silent));
    let error = started.expect_err("there is no opener");
    assert!(
        error.to_string().starts_with("cannot prepare to open sockets"),
        "{error}"
    );
}

#[test]
fn a_worker_that_cannot_be_started_later_leaves_as_many_as_before() {
    struct NotForTheFourth;
    impl OpenerFactory for NotForTheFourth {
        fn opener(&self, stock: usize) -> io::Result<Box<dyn SocketOpener>> {
            match std::thread::current().name() {
                Some("nsproxy-3") => Err(io::Error::from_raw_os_error(libc::EMFILE)),
                _ => InProcess.opener(stock),
            }
        }
    }
    let echo = Service::echo(Listener::bind("127.0.0.1:0"));
    let relay = Relay::start_with(&settings(2), Arc::new(NotForTheFourth), &plan(echo.address()));
    let set_workers = |count| {
        relay
            .handle
            .set_workers(std::num::NonZeroUsize::new(count).unwrap())
    };
    let error = set_workers(5).expect_err("the fourth has no opener");
    assert_eq!(error.to_string(), "cannot start worker 3");
    assert_eq!(relay.handle.workers(), 2);
    assert_eq!(relay.handle.sessions_by_worker().len(), 2);
    set_workers(3).unwrap();
    let client = relay.connect();
    client.send("here");
    client.expect("here");
    drop(client);
    relay.handle.drain(Duration::MAX);
    relay.engine.wait().unwrap();
}

#[test]
fn a_worker_that_panics_at_its_start_fails_the_start() {
    struct Panics;
    impl OpenerFactory for Panics {
        fn opener(&self, stock: usize) -> io::Result<Box<dyn SocketOpener>> {
            assert_ne!(
                std::thread::current().name(),
                Some("nsproxy-1"),
                "this panic belongs to the test"
            );
            InProcess.opener(stock)
        }
    }
    let started =
        nsproxy_engine::Engine::start(&settings(2), Arc::new(Panics), Arc::new(nsproxy_engine::Silent));
    let error = started.expect_err("a worker is missing");
    assert!(error.to_string().starts_with("cannot start worker 1"), "{error}");
}

//! What must hold of balancing and queueing, whatever the servers and whatever happens.

use std::collections::BTreeSet;
use std::num::NonZeroU32;
use std::sync::Arc;

use proptest::prelude::*;

use super::{Algorithm, Ask, Dispatcher, Down, HashType, Load, Placed, Setup, Share, Ticket};

type Pool = Dispatcher<usize, u64>;

fn setup(algorithm: Algorithm, servers: &[(Share, Arc<Load>)]) -> Setup<usize> {
    let servers = servers.iter().enumerate();
    Setup {
        algorithm,
        all_backups: true,
        full_at: None,
        servers: servers
            .map(|(index, (share, load))| (index, *share, Arc::clone(load)))
            .collect(),
    }
}

fn members(shares: impl IntoIterator<Item = Share>) -> Vec<(Share, Arc<Load>)> {
    shares.into_iter().map(|share| (share, Arc::default())).collect()
}

fn weighted(weight: u16) -> Share {
    Share {
        weight,
        ..Share::default()
    }
}

fn place(pool: &mut Pool, hash: Option<u32>) -> usize {
    match pool.place(
        Ask {
            hash,
            ..Ask::default()
        },
        0,
        &mut Vec::new(),
    ) {
        Placed::At(server) => server,
        other => panic!("{other:?}"),
    }
}

fn any_algorithm() -> impl Strategy<Value = Algorithm> {
    prop_oneof![
        Just(Algorithm::RoundRobin),
        Just(Algorithm::StaticRoundRobin),
        Just(Algorithm::LeastSessions),
        Just(Algorithm::First),
        Just(Algorithm::Source(HashType::MapBased)),
        Just(Algorithm::Source(HashType::Consistent)),
        (1..4_u32).prop_map(Algorithm::Random),
    ]
}

fn any_share() -> impl Strategy<Value = Share> {
    (0..5_u16, 0..4_u32, 0..3_u32, any::<bool>(), 0..8_u8).prop_map(
        |(weight, most, queue, backup, disabled)| Share {
            weight,
            backup,
            disabled: disabled == 0,
            max_sessions: NonZeroU32::new(most),
            min_sessions: None,
            max_queue: NonZeroU32::new(queue),
        },
    )
}

#[derive(Debug, Clone, Copy)]
enum Happening {
    Arrives(Option<u32>),
    Retries(Option<u32>, usize),
    Ends(usize),
    GivesUp(usize),
    GoesDown(usize),
    ComesUp(usize),
}

fn any_happening() -> impl Strategy<Value = Happening> {
    prop_oneof![
        4 => any::<Option<u32>>().prop_map(Happening::Arrives),
        1 => (any::<Option<u32>>(), 0..8_usize).prop_map(|(hash, from)| Happening::Retries(hash, from)),
        3 => (0..64_usize).prop_map(Happening::Ends),
        1 => (0..64_usize).prop_map(Happening::GivesUp),
        1 => (0..8_usize).prop_map(Happening::GoesDown),
        1 => (0..8_usize).prop_map(Happening::ComesUp),
    ]
}

/// A pool beside what must be true of it.
struct World {
    pool: Pool,
    servers: Vec<(Share, Arc<Load>)>,
    down: BTreeSet<usize>,
    /// The server of each session that has one.
    at: Vec<usize>,
    /// Sessions that wait, in the order of their arrival: name, ticket, whether for one server only.
    waiting: Vec<(u64, Ticket, bool)>,
    names: u64,
}

impl World {
    fn group(&self) -> Vec<usize> {
        let usable = |backup| {
            (0..self.servers.len()).filter(move |server| {
                let share = &self.servers[*server].0;
                share.weight > 0 && !share.disabled && share.backup == backup && !self.down.contains(server)
            })
        };
        let active: Vec<_> = usable(false).collect();
        if active.is_empty() {
            usable(true).collect()
        } else {
            active
        }
    }

    fn has_place(&self, server: usize) -> bool {
        let (share, load) = &self.servers[server];
        share.max_sessions.is_none_or(|most| load.sessions() < most.get())
    }

    fn arrives(&mut self, ask: Ask<'_>) {
        let free: Vec<_> = self
            .group()
            .into_iter()
            .filter(|server| self.has_place(*server))
            .collect();
        self.names += 1;
        let mut called = Vec::new();
        match self.pool.place(ask, self.names, &mut called) {
            Placed::At(server) => {
                assert!(free.contains(&server), "{server} had no room");
                let avoided = ask
                    .avoid
                    .is_some_and(|load| Arc::ptr_eq(load, &self.servers[server].1));
                assert!(
                    !avoided || self.group().len() == 1 || free == [server],
                    "an avoided server"
                );
                self.at.push(server);
            }
            Placed::Waits(ticket) => {
                let fixed = !free.is_empty();
                self.waiting
                    .push((self.names, ticket, fixed || ask.hash.is_some()));
            }
            Placed::NoServer => assert!(self.group().is_empty()),
            Placed::QueueFull(_) => assert!(ask.hash.is_some()),
        }
        assert!(called.is_empty(), "somebody had waited in vain");
    }

    fn called(&mut self, called: Vec<u64>) {
        for name in called {
            let place = self.waiting.iter().position(|waiter| waiter.0 == name).unwrap();
            let (_, ticket, fixed) = self.waiting.remove(place);
            let overtakes = self.waiting[..place].iter().any(|waiter| !waiter.2);
            assert!(fixed || !overtakes, "called before somebody who waits for longer");
            let server = self.pool.collect(ticket).expect("called without a server").0;
            self.at.push(server);
        }
    }

    fn happens(&mut self, happening: Happening) {
        let mut called = Vec::new();
        match happening {
            Happening::Arrives(hash) => self.arrives(Ask {
                hash,
                ..Ask::default()
            }),
            Happening::Retries(hash, from) => {
                let load = Arc::clone(&self.servers[from % self.servers.len()].1);
                self.arrives(Ask {
                    hash,
                    avoid: Some(&load),
                    wanted: None,
                });
            }
            Happening::Ends(session) if !self.at.is_empty() => {
                let server = self.at.swap_remove(session % self.at.len());
                let load = Arc::clone(&self.servers[server].1);
                load.release();
                self.pool.on_released(&load, &mut called);
            }
            Happening::GivesUp(session) if !self.waiting.is_empty() => {
                let (_, ticket, _) = self.waiting.remove(session % self.waiting.len());
                self.pool.abandon(ticket, &mut called);
            }
            Happening::GoesDown(server) | Happening::ComesUp(server) => {
                let server = server % self.servers.len();
                let down = matches!(happening, Happening::GoesDown(_));
                if down {
                    self.down.insert(server);
                } else {
                    self.down.remove(&server);
                }
                // Those who had waited for one server may have any, in an order that only the pool knows.
                for waiter in &mut self.waiting {
                    waiter.2 = true;
                }
                let load = Arc::clone(&self.servers[server].1);
                self.pool.set_down(&load, Down::UNRESOLVED, down, &mut called);
            }
            Happening::Ends(_) | Happening::GivesUp(_) => {}
        }
        self.called(called);
        self.check();
    }

    fn check(&self) {
        for (server, (share, load)) in self.servers.iter().enumerate() {
            let sessions = self.at.iter().filter(|at| **at == server).count();
            assert_eq!(load.sessions() as usize, sessions, "server {server}");
            assert!(
                share
                    .max_sessions
                    .is_none_or(|most| load.sessions() <= most.get()),
                "above the limit"
            );
        }
        assert_eq!(self.pool.waiting(), self.waiting.len());
        let for_any = self.waiting.iter().any(|waiter| !waiter.2);
        let room = self.group().into_iter().any(|server| self.has_place(server));
        assert!(!(for_any && room), "somebody waits for a server with room");
    }
}

proptest! {
    #[test]
    fn weights_are_respected_over_any_window(
        weights in prop::collection::vec(0..20_u16, 1..8),
        before in 0..100_usize,
        fixed in any::<bool>(),
    ) {
        let total: usize = weights.iter().map(|weight| usize::from(*weight)).sum();
        prop_assume!(total > 0);
        let algorithm = if fixed { Algorithm::StaticRoundRobin } else { Algorithm::RoundRobin };
        let servers = members(weights.iter().map(|weight| weighted(*weight)));
        let mut pool = Pool::new(setup(algorithm, &servers), 1);
        for _ in 0..before {
            place(&mut pool, None);
        }
        let mut counts = vec![0; weights.len()];
        for _ in 0..total {
            counts[place(&mut pool, None)] += 1;
        }
        prop_assert_eq!(counts, weights);
    }

    #[test]
    fn least_sessions_keeps_loads_in_proportion_to_weights(
        weights in prop::collection::vec(1..20_u16, 2..6),
        sessions in 50..500_u32,
    ) {
        let servers = members(weights.iter().map(|weight| weighted(*weight)));
        let mut pool = Pool::new(setup(Algorithm::LeastSessions, &servers), 1);
        for _ in 0..sessions {
            place(&mut pool, None);
        }
        let total: u32 = weights.iter().map(|weight| u32::from(*weight)).sum();
        for (share, load) in &servers {
            let fair = f64::from(sessions * u32::from(share.weight)) / f64::from(total);
            let difference = (f64::from(load.sessions()) - fair).abs();
            #[expect(clippy::cast_precision_loss, reason = "a handful of servers")]
            let tolerance = servers.len() as f64 + 1.0;
            prop_assert!(difference <= tolerance, "{} sessions for {fair}", load.sessions());
        }
    }

    #[test]
    fn no_server_is_overfull_and_nobody_waits_in_vain(
        algorithm in any_algorithm(),
        shares in prop::collection::vec(any_share(), 1..6),
        happenings in prop::collection::vec(any_happening(), 1..200),
    ) {
        let servers = members(shares);
        let mut world = World {
            pool: Pool::new(setup(algorithm, &servers), 7),
            servers,
            down: BTreeSet::new(),
            at: Vec::new(),
            waiting: Vec::new(),
            names: 0,
        };
        for happening in happenings {
            world.happens(happening);
        }
        // Nobody starves: when all the others end, one after the other, everybody has had a turn.
        for server in 0..world.servers.len() {
            world.happens(Happening::ComesUp(server));
        }
        let (mut rounds, most) = (0, world.at.len() + world.waiting.len());
        while !world.at.is_empty() {
            world.happens(Happening::Ends(0));
            rounds += 1;
            prop_assert!(rounds <= most);
        }
        prop_assert!(world.waiting.is_empty() || world.group().is_empty());
    }

    #[test]
    fn only_the_clients_of_a_server_that_leaves_the_ring_move(
        weights in prop::collection::vec(1..6_u16, 2..8),
        leaves in 0..8_usize,
        clients in prop::collection::vec(any::<u32>(), 1..100),
    ) {
        let servers = members(weights.iter().map(|weight| weighted(*weight)));
        let leaves = leaves % servers.len();
        let mut pool = Pool::new(setup(Algorithm::Source(HashType::Consistent), &servers), 1);
        let before: Vec<_> = clients.iter().map(|client| place(&mut pool, Some(*client))).collect();
        pool.set_down(&servers[leaves].1, Down::UNRESOLVED, true, &mut Vec::new());
        for (client, before) in clients.iter().zip(before) {
            let after = place(&mut pool, Some(*client));
            prop_assert!(after != leaves);
            prop_assert!(before == after || before == leaves);
        }
    }

    #[test]
    fn another_setup_loses_nobody(
        shares in prop::collection::vec(any_share(), 1..5),
        others in prop::collection::vec(any_share(), 1..5),
        arrivals in 1..20_u64,
    ) {
        let servers = members(shares);
        let mut pool = Pool::new(setup(Algorithm::RoundRobin, &servers), 1);
        let (mut waiting, mut called) = (0, Vec::new());
        for name in 0..arrivals {
            waiting += usize::from(matches!(pool.place(Ask::default(), name, &mut called), Placed::Waits(_)));
        }
        pool.set_up(setup(Algorithm::LeastSessions, &members(others)), &mut called);
        prop_assert_eq!(called.len() + pool.waiting(), waiting);
        prop_assert!(called.is_sorted(), "called out of turn");
    }
}

#[test]
fn two_draws_by_lot_respect_weights_and_room() {
    let full = Share {
        max_sessions: NonZeroU32::new(5),
        ..weighted(256)
    };
    let servers = members([full, weighted(1), weighted(3)]);
    let mut pool = Pool::new(setup(Algorithm::Random(2), &servers), 0x5eed);
    for _ in 0..4005 {
        place(&mut pool, None);
    }
    let sessions: Vec<_> = servers.iter().map(|(_, load)| load.sessions()).collect();
    assert_eq!(sessions[0], 5);
    assert!((900..1100).contains(&sessions[1]), "{sessions:?}");
}

#[test]
fn only_the_first_backup_is_used_unless_all_are_asked_for() {
    let backup = Share {
        backup: true,
        ..Share::default()
    };
    for (all_backups, expected) in [(false, [1, 1, 1]), (true, [1, 2, 1])] {
        let servers = members([Share::default(), backup, backup]);
        let mut pool = Pool::new(
            Setup {
                all_backups,
                ..setup(Algorithm::RoundRobin, &servers)
            },
            1,
        );
        assert_eq!(place(&mut pool, None), 0);
        pool.set_down(&servers[0].1, Down::UNRESOLVED, true, &mut Vec::new());
        assert_eq!([(); 3].map(|()| place(&mut pool, None)), expected);
    }
}

#[test]
fn a_server_is_down_until_the_last_reason_has_gone_and_stays_so_under_another_setup() {
    let other = Down::from_bits_retain(0x80);
    let servers = members([Share::default(), Share::default()]);
    let mut pool = Pool::new(setup(Algorithm::RoundRobin, &servers), 1);
    let both = |pool: &mut Pool| [(); 2].map(|()| place(pool, None));
    for reason in [Down::UNRESOLVED, other] {
        pool.set_down(&servers[0].1, reason, true, &mut Vec::new());
    }
    assert_eq!(both(&mut pool), [1, 1]);
    pool.set_down(&servers[0].1, other, false, &mut Vec::new());
    assert_eq!(both(&mut pool), [1, 1]);
    pool.set_up(setup(Algorithm::First, &servers), &mut Vec::new());
    assert_eq!(both(&mut pool), [1, 1]);
    pool.set_down(&servers[0].1, Down::UNRESOLVED, false, &mut Vec::new());
    assert_eq!(both(&mut pool), [0, 0]);
}

#[test]
fn a_place_that_nobody_collects_goes_to_the_next() {
    let one = Share {
        max_sessions: NonZeroU32::new(1),
        ..Share::default()
    };
    let servers = members([one]);
    let mut pool = Pool::new(setup(Algorithm::RoundRobin, &servers), 1);
    let mut called = Vec::new();
    place(&mut pool, None);
    let [first, second] = [1, 2].map(|name| match pool.place(Ask::default(), name, &mut called) {
        Placed::Waits(ticket) => ticket,
        other => panic!("{other:?}"),
    });
    servers[0].1.release();
    pool.on_released(&servers[0].1, &mut called);
    assert_eq!((called.as_slice(), pool.collect(second)), (&[1][..], None));
    pool.abandon(first, &mut called);
    assert_eq!(called, [1, 2]);
    let (server, waited) = pool.collect(second).expect("a place");
    assert_eq!((server, waited.overtaken_by), (0, 1));
}

//! A name server for tests, which answers as it is told, right or wrong. It reads and writes messages by itself, so that the
//! code under test has something to be checked against.

use std::collections::HashMap;
use std::io::{ErrorKind, Read as _, Write as _};
use std::net::{IpAddr, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::os::fd::AsFd as _;
use std::os::unix::net::UnixStream;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

use crate::{DEFAULT_DEADLINE, Netns, eventually};

/// What a name server says of a name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DnsAnswer {
    /// It has these addresses.
    Addresses(Vec<IpAddr>),
    /// It has these, but by UDP they do not fit.
    Truncated(Vec<IpAddr>),
    /// Before it says so, somebody who has not seen the question claims that the name has the first address.
    Forged(IpAddr, Vec<IpAddr>),
    /// Another name has these addresses, and it is an alias.
    Alias(&'static str, Vec<IpAddr>),
    /// It has these IPv4 addresses, and of others nothing is said.
    SilentAboutV6(Vec<IpAddr>),
    /// This error: 2 for a failure, 3 for no such name, 5 for a refusal (RFC 1035, section 4.1.1).
    Error(u8),
    /// Nothing.
    Silence,
}

/// A name server in the background, by UDP and TCP. It ends when it is dropped.
#[derive(Debug)]
pub struct DnsServer {
    address: SocketAddr,
    zone: Arc<Mutex<Zone>>,
    /// Closing this end wakes the thread.
    running: Option<UnixStream>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Debug, Default)]
struct Zone {
    names: HashMap<String, DnsAnswer>,
    asked: Vec<(String, bool)>,
}

/// One question: the bytes that an answer repeats, the name, and the type.
struct Asked<'m> {
    id: [u8; 2],
    question: &'m [u8],
    name: String,
    kind: [u8; 2],
}

const A: [u8; 2] = [0, 1];
const AAAA: [u8; 2] = [0, 28];
const CNAME: [u8; 2] = [0, 5];

impl DnsServer {
    /// Starts one at this address, in the namespace of the calling thread.
    pub fn bind(address: &str) -> Self {
        let what = format!("one port by UDP and TCP at {address}");
        let (udp, tcp) = eventually(DEFAULT_DEADLINE, &what, || {
            let udp = UdpSocket::bind(address).ok()?;
            // A port that the kernel has chosen for the one may be taken for the other.
            let tcp = TcpListener::bind(udp.local_addr().ok()?).ok()?;
            Some((udp, tcp))
        });
        let address = udp.local_addr().expect("a bound socket has an address");
        // From another port, as those who forge answers have to send.
        let forger = UdpSocket::bind((address.ip(), 0)).expect("there are ports left");
        let (running, stop) = UnixStream::pair().expect("there are descriptors left");
        let zone = Arc::<Mutex<Zone>>::default();
        let server = Server {
            udp,
            tcp,
            forger,
            zone: Arc::clone(&zone),
        };
        let thread = thread::spawn(move || server.run(&stop));
        Self {
            address,
            zone,
            running: Some(running),
            thread: Some(thread),
        }
    }

    /// Where it is.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Says what is answered about a name from now on. A name of which nothing was said does not exist.
    pub fn set(&self, name: &str, answer: DnsAnswer) {
        self.zone().names.insert(name.to_owned(), answer);
    }

    /// How often it was asked for a name, by UDP and TCP together.
    pub fn asked(&self, name: &str) -> usize {
        self.zone()
            .asked
            .iter()
            .filter(|(asked, _)| asked == name)
            .count()
    }

    /// How often it was asked for a name by TCP.
    pub fn asked_by_tcp(&self, name: &str) -> usize {
        let by_tcp = |asked: &&(String, bool)| asked.0 == name && asked.1;
        self.zone().asked.iter().filter(by_tcp).count()
    }

    fn zone(&self) -> MutexGuard<'_, Zone> {
        self.zone.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for DnsServer {
    fn drop(&mut self) {
        drop(self.running.take());
        if let Some(thread) = self.thread.take() {
            let result = thread.join();
            assert!(
                result.is_ok() || thread::panicking(),
                "the name server has panicked"
            );
        }
    }
}

impl Netns {
    /// A name server in this namespace; see [`DnsServer::bind`].
    pub fn dns(&self, address: &str) -> DnsServer {
        self.run(|| DnsServer::bind(address))
    }
}

struct Server {
    udp: UdpSocket,
    tcp: TcpListener,
    forger: UdpSocket,
    zone: Arc<Mutex<Zone>>,
}

impl Server {
    fn run(&self, stop: &UnixStream) {
        loop {
            let mut fds = [stop.as_fd(), self.udp.as_fd(), self.tcp.as_fd()]
                .map(|fd| PollFd::new(fd, PollFlags::POLLIN));
            if poll(&mut fds, PollTimeout::NONE).is_err() {
                continue;
            }
            let [stop, udp, tcp] = fds.map(|fd| fd.any().unwrap_or(false));
            if stop {
                return;
            }
            if udp {
                self.datagram();
            }
            if tcp {
                self.stream();
            }
        }
    }

    fn datagram(&self) {
        let mut message = [0; 1024];
        let Ok((count, from)) = self.udp.recv_from(&mut message) else {
            return;
        };
        let Some(asked) = Asked::read(&message[..count]) else {
            return;
        };
        let answer = self.answer(&asked.name, false);
        if let DnsAnswer::Forged(address, _) = &answer {
            let forged = DnsAnswer::Addresses(vec![*address]);
            if let Some(message) = asked.answered(&forged, false) {
                // The right number from the wrong place, and wrong numbers from the right one.
                let _ = self.forger.send_to(&message, from);
                for guess in 0..16_u8 {
                    let mut message = message.clone();
                    message[0] ^= guess | 0x80;
                    let _ = self.udp.send_to(&message, from);
                }
            }
            let mut other = asked.question.to_vec();
            if let (Some(first), Some(message)) = (other.get_mut(1), asked.answered(&forged, false)) {
                // The right number and place, and another name.
                *first ^= 1;
                let message = [&message[..12], &other, &message[12 + other.len()..]].concat();
                let _ = self.udp.send_to(&message, from);
            }
        }
        if let Some(message) = asked.answered(&answer, false) {
            let _ = self.udp.send_to(&message, from);
        }
    }

    fn stream(&self) {
        let Ok((stream, _)) = self.tcp.accept() else {
            return;
        };
        // Whoever connects and says nothing has this server wait.
        if let Err(error) = self.serve(stream) {
            assert_ne!(
                error.kind(),
                ErrorKind::WouldBlock,
                "a client by TCP asks nothing"
            );
        }
    }

    fn serve(&self, mut stream: TcpStream) -> std::io::Result<()> {
        stream.set_read_timeout(Some(DEFAULT_DEADLINE))?;
        let mut length = [0; 2];
        stream.read_exact(&mut length)?;
        let mut message = vec![0; usize::from(u16::from_be_bytes(length))];
        stream.read_exact(&mut message)?;
        let Some(asked) = Asked::read(&message) else {
            return Ok(());
        };
        if let Some(message) = asked.answered(&self.answer(&asked.name, true), true) {
            let length = u16::try_from(message.len()).unwrap_or(u16::MAX);
            // In two parts, as it may come.
            stream.write_all(&length.to_be_bytes())?;
            stream.write_all(&message)?;
        }
        Ok(())
    }

    fn answer(&self, name: &str, by_tcp: bool) -> DnsAnswer {
        let mut zone = self.zone.lock().unwrap_or_else(PoisonError::into_inner);
        zone.asked.push((name.to_owned(), by_tcp));
        zone.names.get(name).cloned().unwrap_or(DnsAnswer::Error(3))
    }
}

impl<'m> Asked<'m> {
    fn read(message: &'m [u8]) -> Option<Self> {
        let id = *message.first_chunk::<2>()?;
        let mut labels = Vec::new();
        let mut rest = message.get(12..)?;
        loop {
            let (length, behind) = rest.split_first()?;
            let label = behind.get(..usize::from(*length))?;
            rest = &behind[label.len()..];
            if label.is_empty() {
                break;
            }
            labels.push(String::from_utf8_lossy(label).into_owned());
        }
        let kind = *rest.first_chunk::<2>()?;
        let end = message.len() - rest.len() + 4;
        Some(Self {
            id,
            question: message.get(12..end)?,
            name: labels.join("."),
            kind,
        })
    }

    /// The message that says this; `None` for silence.
    fn answered(&self, answer: &DnsAnswer, by_tcp: bool) -> Option<Vec<u8>> {
        // A pointer to the question's name.
        let own_name = [0xc0, 12].to_vec();
        let (error, records) = match answer {
            DnsAnswer::Silence => return None,
            DnsAnswer::SilentAboutV6(_) if self.kind == AAAA => return None,
            DnsAnswer::Error(error) => (*error, Vec::new()),
            DnsAnswer::Addresses(addresses)
            | DnsAnswer::Forged(_, addresses)
            | DnsAnswer::SilentAboutV6(addresses)
            | DnsAnswer::Truncated(addresses) => (0, self.records(&own_name, addresses)),
            DnsAnswer::Alias(other, addresses) => {
                let mut name = Vec::new();
                for label in other.split('.') {
                    name.push(u8::try_from(label.len()).expect("a label is short"));
                    name.extend(label.as_bytes());
                }
                name.push(0);
                let alias = record(&own_name, CNAME, &name);
                (0, [vec![alias], self.records(&name, addresses)].concat())
            }
        };
        let is_cut = matches!(answer, DnsAnswer::Truncated(_)) && !by_tcp;
        let records = if is_cut { Vec::new() } else { records };
        let count = u8::try_from(records.len()).expect("an answer has few records");
        let header = [
            0x81 | (u8::from(is_cut) << 1),
            0x80 | error,
            0,
            1,
            0,
            count,
            0,
            0,
            0,
            0,
        ];
        Some([&self.id[..], &header, self.question, &records.concat()].concat())
    }

    /// Records with those addresses that were asked for.
    fn records(&self, name: &[u8], addresses: &[IpAddr]) -> Vec<Vec<u8>> {
        let wanted = addresses.iter().filter_map(|address| match (address, self.kind) {
            (IpAddr::V4(v4), A) => Some(v4.octets().to_vec()),
            (IpAddr::V6(v6), AAAA) => Some(v6.octets().to_vec()),
            _ => None,
        });
        wanted.map(|data| record(name, self.kind, &data)).collect()
    }
}

/// A record of the class of the internet, for a minute.
fn record(name: &[u8], kind: [u8; 2], data: &[u8]) -> Vec<u8> {
    let length = u16::try_from(data.len()).expect("data is short");
    [name, &kind, &[0, 1, 0, 0, 0, 60], &length.to_be_bytes(), data].concat()
}

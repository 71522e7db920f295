//! Builds two network namespaces with a veth pair between them, and sends a line across.
//!
//! ```sh
//! cargo run --example topology
//! ```
//!
//! It works as root and as any user who may make user namespaces, and it changes nothing outside: the
//! namespaces have no names, so they and the pair are gone when the program ends.

use std::error::Error;
use std::fs;
use std::io::{self, BufRead as _, BufReader, Write as _};
use std::net::{IpAddr, SocketAddr};
use std::thread;

use netns_core::{Links, Netns, tcp_listener, tcp_stream};
use nix::sched::{CloneFlags, unshare};
use nix::unistd::{getgid, getuid};

fn main() -> Result<(), Box<dyn Error>> {
    if !getuid().is_root() {
        become_root_of_a_user_namespace()?;
    }
    let (left, right) = (Netns::create()?, Netns::create()?);

    Links::in_netns(&left)?.create_veth("eth0", "eth0", Some(&right))?;
    for (netns, address) in [(&left, "10.0.0.1"), (&right, "10.0.0.2")] {
        let mut links = Links::in_netns(netns)?;
        links.add_address("eth0", address.parse::<IpAddr>()?, 24)?;
        links.set_up("eth0")?;
    }

    let listener = tcp_listener(&right, "10.0.0.2:0".parse::<SocketAddr>()?)?;
    let address = listener.local_addr()?;
    let server = thread::spawn(move || -> io::Result<()> {
        let (mut stream, from) = listener.accept()?;
        writeln!(stream, "hello, {from}")
    });

    let mut line = String::new();
    BufReader::new(tcp_stream(&left, address)?).read_line(&mut line)?;
    server.join().map_err(|_| "the server panicked")??;
    write!(io::stdout(), "{} -> {}: {line}", left.id()?, right.id()?)?;
    Ok(())
}

/// Gives this process all capabilities over a new user namespace, and over what is made in it. It must have
/// one thread.
fn become_root_of_a_user_namespace() -> Result<(), Box<dyn Error>> {
    let (user, group) = (getuid(), getgid());
    unshare(CloneFlags::CLONE_NEWUSER)?;
    fs::write("/proc/self/setgroups", "deny")?;
    fs::write("/proc/self/uid_map", format!("0 {user} 1"))?;
    fs::write("/proc/self/gid_map", format!("0 {group} 1"))?;
    Ok(())
}

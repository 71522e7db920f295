//! Connects to an address from inside a network namespace, sends the standard input and prints the answer.
//!
//! ```sh
//! printf 'GET / HTTP/1.0\r\n\r\n' | cargo run --example connect_from_netns -- blue 10.0.0.2:80
//! ```
//!
//! The namespace is given by name, by path or as `pid:N`. The thread that does the talking is never inside:
//! only the socket is.

use std::env;
use std::error::Error;
use std::io;
use std::net::{Shutdown, SocketAddr};

use netns_core::{Netns, NetnsSpec, tcp_stream};

fn main() -> Result<(), Box<dyn Error>> {
    let (Some(spec), Some(address)) = (env::args_os().nth(1), env::args().nth(2)) else {
        return Err("usage: connect_from_netns NETNS ADDRESS:PORT".into());
    };
    let netns = Netns::open(&NetnsSpec::new(spec)?)?;
    let address: SocketAddr = address.parse()?;

    let mut stream = tcp_stream(&netns, address)?;
    io::copy(&mut io::stdin(), &mut stream)?;
    stream.shutdown(Shutdown::Write)?;
    io::copy(&mut stream, &mut io::stdout())?;
    Ok(())
}

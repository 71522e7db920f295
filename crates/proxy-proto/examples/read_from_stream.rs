//! Reads one header from a TCP connection without taking a byte of the payload.
//!
//! `at_least` is never more than the header's length, so reading exactly up to it ends exactly at the payload, which
//! another reader (a TLS library, say) can then take from the stream. A receiver that buffers its input anyway
//! reads as much as it likes, and goes on after `consumed`.
//!
//! ```sh
//! cargo run -p proxy-proto --features std --example read_from_stream
//! ```

#![expect(clippy::print_stdout, reason = "printing is what the example is for")]

use std::io::{self, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};

use proxy_proto::{ParseError, Parser};

fn main() -> io::Result<()> {
    let listener = TcpListener::bind(("127.0.0.1", 0))?;
    let mut client = TcpStream::connect(listener.local_addr()?)?;
    client.write_all(b"PROXY TCP4 192.0.2.1 198.51.100.7 56324 443\r\nhello")?;
    client.shutdown(Shutdown::Write)?;

    let (mut stream, peer) = listener.accept()?;
    let source = read_header(&mut stream)?.unwrap_or(peer);
    let mut payload = String::new();
    stream.read_to_string(&mut payload)?;
    println!("{source} says {payload:?}");
    assert_eq!(
        (source.to_string().as_str(), payload.as_str()),
        ("192.0.2.1:56324", "hello")
    );
    Ok(())
}

/// The client's address, or `None` when the sender speaks for itself and the connection's own address counts.
fn read_header(stream: &mut impl Read) -> io::Result<Option<SocketAddr>> {
    // What is longer is refused as soon as its length is known.
    const PARSER: Parser = Parser::new().max_len(1024);
    let mut buf = [0; 1024];
    let mut len = 0;
    loop {
        match PARSER.parse(&buf[..len]) {
            Ok(parsed) => return Ok(parsed.header.socket_addrs().map(|(source, _)| source)),
            Err(error @ ParseError::Incomplete { at_least }) => match stream.read(&mut buf[len..at_least])? {
                0 => return Err(error.into()),
                more => len += more,
            },
            Err(error) => return Err(error.into()),
        }
    }
}

//! An echo server behind a proxy: prints each header and echoes the payload.
//!
//! It trusts whoever connects. A real receiver expects the header only from its own proxies, and never guesses
//! whether there is one.
//!
//! ```sh
//! cargo run -p proxy-proto --features std --example echo_server -- 127.0.0.1:9000
//! printf 'PROXY TCP4 192.0.2.1 198.51.100.7 56324 443\r\nhello\n' | nc -N 127.0.0.1 9000
//! ```

#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "printing is what the example is for"
)]

use std::io::{self, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::thread;
use std::time::Duration;

use proxy_proto::{Command, Header, ParseError, parse, v2};

fn main() -> io::Result<()> {
    let address = std::env::args()
        .nth(1)
        .unwrap_or_else(|| "127.0.0.1:0".to_owned());
    let listener = TcpListener::bind(address)?;
    println!("listening on {}", listener.local_addr()?);
    for stream in listener.incoming() {
        let stream = stream?;
        thread::spawn(move || {
            if let Err(error) = serve(stream) {
                eprintln!("{error}");
            }
        });
    }
    Ok(())
}

fn serve(mut stream: TcpStream) -> io::Result<()> {
    // The specification asks for three seconds at least: one lost packet must not end the connection.
    stream.set_read_timeout(Some(Duration::from_secs(5)))?;
    let mut buf = Vec::with_capacity(4096);
    let consumed = loop {
        match parse(&buf) {
            Ok(parsed) => {
                describe(&parsed.header);
                break parsed.consumed;
            }
            Err(error @ ParseError::Incomplete { .. }) => {
                let mut chunk = [0; 4096];
                match stream.read(&mut chunk)? {
                    0 => return Err(error.into()),
                    // The format bounds a header, so the buffer cannot grow without end.
                    more => buf.extend_from_slice(&chunk[..more]),
                }
                debug_assert!(buf.len() < v2::MAX_LEN + chunk.len());
            }
            Err(error) => return Err(error.into()),
        }
    };
    stream.set_read_timeout(None)?;
    stream.write_all(&buf[consumed..])?;
    io::copy(&mut stream.try_clone()?, &mut stream)?;
    Ok(())
}

fn describe(header: &Header<'_>) {
    match header.command() {
        Command::Local => println!("{:?} LOCAL: the proxy's own connection", header.version()),
        Command::Proxy(addresses) => println!("{:?} {addresses:?}", header.version()),
    }
    for tlv in header.tlvs() {
        println!("  {tlv:?}");
    }
}

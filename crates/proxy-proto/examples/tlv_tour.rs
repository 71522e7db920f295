//! Writes a version 2 header with every kind of TLV, and reads it back.
//!
//! ```sh
//! cargo run -p proxy-proto --example tlv_tour
//! ```

#![expect(clippy::print_stdout, reason = "printing is what the example is for")]

use proxy_proto::{Addresses, Checksum, SslClient, TlvType, TlvValue, Transport, parse, v2, vendor};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let addresses = Addresses::from_socket_addrs(
        Transport::Stream,
        "[2001:db8::1]:56324".parse()?,
        "[2001:db8::2]:443".parse()?,
    )?;
    let mut buf = [0; 512];
    let len = v2::Builder::proxy(&mut buf, addresses)
        .alpn(b"h2")
        .authority("www.example.org")
        .crc32c()
        .unique_id(b"7f3c-0001")
        .ssl(SslClient::SSL.union(SslClient::CERT_CONN), 0, |ssl| {
            ssl.version("TLSv1.3")
                .cipher("TLS_AES_256_GCM_SHA384")
                .common_name("client.example.org");
        })
        .tlv(vendor::aws::TYPE, b"\x01vpce-0123456789abcdef0")
        .netns(b"blue")
        .pad_to(64)
        .finish()?;

    let header = parse(&buf[..len])?.header;
    assert_eq!(header.crc32c(), Checksum::Verified);
    println!(
        "{len} bytes from {:?}",
        header.socket_addrs().map(|(source, _)| source)
    );
    for tlv in header.tlvs() {
        match tlv.decode() {
            TlvValue::Authority(host) => println!("host name {:?}", host.to_str()?),
            TlvValue::Netns(name) => println!("network namespace {:?}", name.to_str()?),
            TlvValue::Crc32c(crc) => println!("checksum {crc:08x}, verified"),
            TlvValue::Noop(padding) => println!("{} bytes of padding", padding.len()),
            TlvValue::Ssl(ssl) => {
                println!(
                    "TLS {:?}, certificate verified: {}",
                    ssl.version(),
                    ssl.is_verified()
                );
                for part in ssl.sub_tlvs() {
                    println!("    {part:?}");
                }
            }
            TlvValue::Other(kind, _) if kind == vendor::aws::TYPE => {
                println!("VPC endpoint {:?}", vendor::aws::vpc_endpoint_id(&header));
            }
            other => println!("{other:?}"),
        }
    }
    assert_eq!(header.tlvs().last().map(|tlv| tlv.kind()), Some(TlvType::NOOP));
    Ok(())
}

//! Writing: a parsed header written again, and headers made by operations that the input spells out.

use proxy_proto::{Checksum, Command, Header, SslClient, TlvType, Version, WriteError, parse, v1, v2};

/// Checks that what is written is read back as it was meant, whatever was asked for.
pub fn round_trip(bytes: &[u8]) {
    if let Ok(parsed) = parse(bytes) {
        read_write_read(&parsed.header, &bytes[..parsed.consumed]);
    }
    operations(bytes);
}

fn read_write_read(header: &Header<'_>, original: &[u8]) {
    let mut buf = vec![0xaa; v2::MAX_LEN];
    let len = match header.version() {
        Version::V1 => v1::encode(&header.addresses(), &mut buf),
        Version::V2 => v2::Builder::new(&mut buf, header.command())
            .copy_tlvs(header.tlvs())
            .finish(),
    }
    .expect("what was read can be written");
    let again = parse(&buf[..len]).expect("what was written can be read");
    assert_eq!(again.consumed, len);
    assert_eq!(again.header.command(), header.command());
    assert_eq!(again.header.crc32c(), header.crc32c());
    // Blocks that were skipped, and the family byte that LOCAL ignores, are not written again.
    let lossless = header.version() == Version::V2 && header.transport().is_some();
    if lossless {
        assert_eq!(&buf[..len], original);
        assert_eq!(again.header, *header);
    }
    let mut small = vec![0; len - 1];
    let refused = match header.version() {
        Version::V1 => v1::encode(&header.addresses(), &mut small),
        Version::V2 => v2::Builder::new(&mut small, header.command())
            .copy_tlvs(header.tlvs())
            .finish(),
    };
    assert_eq!(
        refused,
        Err(WriteError::BufferTooSmall {
            needed: len,
            available: len - 1
        })
    );
}

/// The first byte of each operation says which; the second how many of the following bytes it takes.
fn operations(bytes: &[u8]) {
    let mut buf = vec![0x55; 4096];
    let mut builder = v2::Builder::new(&mut buf, Command::Local);
    let mut asked = Vec::new();
    let mut checksum = Checksum::Absent;
    let mut rest = bytes;
    while let [operation, len, tail @ ..] = rest {
        let value = &tail[..tail.len().min(usize::from(*len))];
        rest = &tail[value.len()..];
        match operation % 8 {
            0 => drop_ref(builder.alpn(value)),
            1 => drop_ref(builder.netns(value)),
            2 => drop_ref(builder.unique_id(value)),
            3 => drop_ref(builder.noop(u16::from(*len))),
            4 => {
                checksum = Checksum::Verified;
                drop_ref(builder.crc32c());
            }
            5 => drop_ref(builder.pad_to(u16::from(*len))),
            6 => drop_ref(builder.ssl(SslClient(operation >> 3), u32::from(*len), |ssl| {
                ssl.version("TLSv1.3").tlv(TlvType(*len), value);
            })),
            _ => drop_ref(builder.tlv(TlvType(operation.wrapping_mul(37)), value)),
        }
        asked.push((operation % 8, value));
    }
    let measured = builder.encoded_len();
    match builder.finish() {
        Ok(len) => {
            assert_eq!(measured, Ok(len));
            let parsed = parse(&buf[..len]).expect("what was written can be read");
            assert_eq!(parsed.consumed, len);
            assert_eq!(parsed.header.crc32c(), checksum);
            let first = |operation| {
                asked
                    .iter()
                    .find(|(other, _)| *other == operation)
                    .map(|(_, value)| *value)
            };
            // Raw TLVs may be of these types too, and come first.
            if !asked.iter().any(|(operation, _)| *operation == 7) {
                assert_eq!(parsed.header.alpn(), first(0));
                assert_eq!(parsed.header.netns(), first(1));
                assert_eq!(parsed.header.unique_id(), first(2));
            }
        }
        Err(WriteError::BufferTooSmall { needed, available }) => {
            assert_eq!(measured, Ok(needed));
            assert!(needed > available);
        }
        Err(error) => assert!(!error.to_string().is_empty()),
    }
}

/// The builder hands itself back for chaining; here the calls stand alone.
fn drop_ref(_: &mut v2::Builder<'_>) {}
